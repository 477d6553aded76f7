"""Drawing of pairs and their labels: pure functions of attributes and a seed.

The images of a pair (or of a tuple of M modalities) have one attribute in common, the *shared* one.
Another is *unique*: independent in each image. The *synergy* label is 1 where a one-to-one map
takes attribute a of image 1 to attribute b of every other image; no image alone determines it. In
biased training pairs this label is 1 more often than by chance; in probe and test pairs it is not.

N images, P pairs, M modalities, K values of an attribute.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from trifeature.checks import require_flag, require_text, require_whole
from trifeature.data.attributes import ATTRIBUTES
from trifeature.data.gates import SCENARIOS, Gate
from trifeature.errors import InputError, check_name

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

MAP_STREAM: Final = 0x6D6170
"""First seed of the map's random stream: makes it independent of the others of the same seed."""

ENUMERABLE: Final = 20_000_000
"""Largest number of candidate tuples that are permuted as a whole (160 MB of indices)."""


@dataclass(frozen=True)
class PairRule:
    """The rule by which images are paired, and the attributes that the tasks ask for.

    Attributes:
        shared: Attribute that all images of a pair have in common: the label of task `share`.
        unique: Attribute of each single image: the labels of tasks `unique1`, `unique2`, ….
        synergy: Attributes (a of image 1, b of every other image) linked by the map: task
            `synergy`.
        modalities: M, the number of images in a pair, at least 2.
        distinct_unique: Keep only pairs whose unique attributes all differ (appendix B.5 of
            Dufumier et al. 2025; the authors' code does not).
        gate: What task `synergy` asks for: match (whether the pair keeps the map), balanced (the
            same, and half the probe and test pairs keep it), parity, sum, sum:K or and; see
            `trifeature.data.gates.Gate`.
        scenario: One of the named scenarios for three modalities, see
            `trifeature.data.gates.SCENARIOS`; empty for none.

    Raises:
        InputError: an unknown attribute, or a choice under which a task would be degenerate.
    """

    shared: str = "shape"
    unique: str = "texture"
    synergy: tuple[str, str] = ("texture", "color")
    modalities: int = 2
    distinct_unique: bool = False
    gate: str = "match"
    scenario: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.synergy, tuple | list) or len(self.synergy) != 2:
            raise InputError(
                "synergy needs two attributes: one of image 1 and one of the others, not "
                f"{self.synergy!r}"
            )
        object.__setattr__(self, "synergy", tuple(self.synergy))
        for name in (self.shared, self.unique, *self.synergy):
            check_name("attribute", name, ATTRIBUTES)
        if self.unique == self.shared:
            raise InputError(f"unique and shared must differ; both are {self.shared!r}")
        if self.shared in self.synergy:
            raise InputError(
                f"synergy must not use the shared attribute {self.shared!r}: one image alone "
                "would determine the label"
            )
        object.__setattr__(self, "modalities", require_whole("modalities", self.modalities, 2, 8))
        flag = require_flag("distinct_unique", self.distinct_unique)
        object.__setattr__(self, "distinct_unique", flag)
        object.__setattr__(self, "gate", Gate.read(self.gate).text)
        if require_text("scenario", self.scenario):
            check_name("scenario", self.scenario, SCENARIOS)
            if self.modalities not in (2, 3):  # 2 is the default of what was not said
                raise InputError(f"scenarios have three modalities, not {self.modalities}")
            object.__setattr__(self, "modalities", 3)

    @property
    def parsed_gate(self) -> Gate:
        """The gate."""
        return Gate.read(self.gate)

    @property
    def sharing(self) -> tuple[int, ...]:
        """The modalities, from 0, that have the shared attribute in common."""
        if self.scenario:
            return SCENARIOS[self.scenario].sharing
        return tuple(range(self.modalities))

    @property
    def linked(self) -> tuple[int, ...]:
        """The modalities, from 0, that the gate links; the first one has attribute a."""
        if self.scenario:
            return SCENARIOS[self.scenario].linked
        return tuple(range(self.modalities))

    def chance_share_rate(self, counts: Mapping[str, int]) -> float:
        """Probability that independent images have the shared attribute in common."""
        return float(counts[self.shared]) ** -(max(len(self.sharing), 1) - 1)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the tasks: share, unique1 … uniqueM, synergy."""
        return ("share", *(f"unique{m + 1}" for m in range(self.modalities)), "synergy")


@dataclass(frozen=True)
class Pairs:
    """P tuples of images with the label of every task.

    Attributes:
        images: int [P, M], indices of images.
        labels: int [P] for each task.
        candidates: Number of tuples that the pairs were drawn from.
    """

    images: IntArray
    labels: Mapping[str, IntArray]
    candidates: int

    def __len__(self) -> int:
        return len(self.images)

    @property
    def match_rate(self) -> float:
        """Fraction of the pairs whose synergy label is 1: that keep the map."""
        return float((self.labels["synergy"] == 1).mean())


# --------------------------------------------------------------------------- the synergy map


def make_map(
    text: str, rule: PairRule, values: Mapping[str, Sequence[str]], seed: int
) -> tuple[int, ...]:
    """Make the synergy map.

    Args:
        text: `auto` (random, drawn from `seed`), `random:SEED`, `identity`, a list such as
            `stripes=red,dots=green,…`, or the path of a JSON file with such an object.
        rule: Rule whose `synergy` attributes the map links.
        values: Names of the values of each attribute in this data set.
        seed: Seed of the data set; used by `auto` only.

    Returns:
        For each value of the first attribute the index of its partner; no partner occurs twice.

    Raises:
        InputError: the text cannot be read, names are unknown or missing, or the map is not
            one-to-one.

    >>> names = {"texture": ("solid", "stripes"), "color": ("red", "green")}
    >>> make_map("identity", PairRule(), names, seed=0)
    (0, 1)
    >>> make_map("solid=green,stripes=red", PairRule(), names, seed=0)
    (1, 0)
    """
    sources, targets = (tuple(values[name]) for name in rule.synergy)
    if len(sources) > len(targets):
        raise InputError(
            f"no one-to-one map: {len(sources)} values of {rule.synergy[0]} but only "
            f"{len(targets)} of {rule.synergy[1]}"
        )
    if require_text("synergy_map", text) == "identity":
        return tuple(range(len(sources)))
    if text == "auto" or text.startswith("random:"):
        return _random_map(seed if text == "auto" else _read_seed(text), len(sources), len(targets))
    return _named_map(_read_names(text), rule, sources, targets)


def _read_seed(text: str) -> int:
    number = text.removeprefix("random:")
    if not number.isdecimal():
        raise InputError(f"synergy map {text!r}: random:SEED needs a whole number, as in random:7")
    return int(number)


def _random_map(seed: int, sources: int, targets: int) -> tuple[int, ...]:
    order = np.random.default_rng([MAP_STREAM, seed]).permutation(targets)
    return tuple(int(target) for target in order[:sources])


def _read_names(text: str) -> list[tuple[str, str]]:
    """The (source, target) names in the text or the JSON file, in their order."""
    path = Path(text)
    if path.suffix == ".json" or _is_file(path):
        try:
            # A dictionary would hide repeated keys: objects are read as tuples of entries.
            content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=tuple)
        except (OSError, ValueError) as problem:
            raise InputError(f"cannot read the synergy map {text}: {problem}") from None
        if not isinstance(content, tuple):
            raise InputError(f'synergy map {text}: expected an object like {{"solid": "red", …}}')
        return [(str(key), str(value)) for key, value in content]
    entries = [entry.split("=") for entry in text.split(",") if entry]
    if not entries or any(len(entry) != 2 for entry in entries):
        raise InputError(
            f"cannot read the synergy map {text!r}: give identity, random:SEED, "
            "stripes=red,dots=green,… or the path of a JSON file"
        )
    return [(source.strip(), target.strip()) for source, target in entries]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # the text is too long for the name of a file
        return False


def _named_map(
    names: list[tuple[str, str]], rule: PairRule, sources: Sequence[str], targets: Sequence[str]
) -> tuple[int, ...]:
    """Turn names into indices; raise InputError unless they are a complete one-to-one map."""
    chosen: dict[str, str] = {}
    for source, target in names:
        check_name(rule.synergy[0], source, sources)
        check_name(rule.synergy[1], target, targets)
        if source in chosen:
            raise InputError(f"the synergy map is not one-to-one: {source} occurs twice")
        if target in chosen.values():
            raise InputError(f"the synergy map is not one-to-one: {target} has two partners")
        chosen[source] = target
    missing = [source for source in sources if source not in chosen]
    if missing:
        raise InputError(f"the synergy map lacks {', '.join(missing)}")
    return tuple(targets.index(chosen[source]) for source in sources)


# --------------------------------------------------------------------------- labels and drawing


def label(
    attributes: IntArray, images: IntArray, rule: PairRule, synergy_map: Sequence[int]
) -> dict[str, IntArray]:
    """Compute the label of every task for given tuples of images.

    `share` is the shared attribute of the first image that has it in common; `unique1`, `unique2`,
    … are those of each image's unique attribute. `synergy` is what the gate says: by default 1
    where b(image m) = map(a(image 1)) for *every* other linked image. With three modalities both
    others must match, so no two of the images determine the label.

    Args:
        attributes: int [N, 3], indices of shape, texture and color.
        images: int [P, M], indices of images.
        rule: Rule that names the attributes.
        synergy_map: Partner of each value of the first synergy attribute; for a gate without a
            map its length counts, the number of values.

    Returns:
        int [P] for each task, in the order of `rule.tasks`.
    """
    shared, unique = ATTRIBUTES.index(rule.shared), ATTRIBUTES.index(rule.unique)
    first = rule.sharing[0] if rule.sharing else 0
    labels = {"share": attributes[images[:, first], shared]}
    for m in range(rule.modalities):
        labels[f"unique{m + 1}"] = attributes[images[:, m], unique]
    labels["synergy"] = _gate_label(attributes, images, rule, synergy_map)
    return labels


def _gate_label(
    attributes: IntArray, images: IntArray, rule: PairRule, synergy_map: Sequence[int]
) -> IntArray:
    a, b = (ATTRIBUTES.index(name) for name in rule.synergy)
    first, *others = rule.linked
    return rule.parsed_gate.label(
        attributes[images[:, first], a], attributes[images[:, others], b], synergy_map
    )


def noisy(
    labels: Mapping[str, IntArray],
    classes: Mapping[str, int],
    rate: float,
    *,
    seed: int | Sequence[int],
) -> dict[str, IntArray]:
    """Replace labels by another class, each other class equally likely, independently by task.

    Args:
        labels: int [P] for each task.
        classes: Number of classes of each task.
        rate: Probability that a label is replaced.
        seed: Seed of this draw.
    """
    rng = np.random.default_rng(seed)
    replaced = {}
    for task, values in labels.items():
        other = (values + rng.integers(1, classes[task], size=len(values))) % classes[task]
        replaced[task] = np.where(rng.random(len(values)) < rate, other, values)
    return replaced


def chance_match_rate(rule: PairRule, counts: Mapping[str, int]) -> float:
    """Probability that the gate's label is 1 when attributes are independent.

    For the map it is 1 / K^(L − 1), with K values of b and L linked images.
    """
    a, b = (counts[name] for name in rule.synergy)
    gate, others = rule.parsed_gate, len(rule.linked) - 1
    if gate.uses_map:
        return float(b) ** -others
    grids = np.meshgrid(np.arange(a), *(np.arange(b),) * others, indexing="ij")
    first, *rest = (grid.ravel() for grid in grids)
    return float((gate.label(first, np.stack(rest, axis=1), range(a)) == 1).mean())


@dataclass(frozen=True)
class _Candidates:
    """All tuples of images that have the shared attribute in common, numbered and never listed.

    A group has the images with one value of the shared attribute. A tuple of the group takes an
    image of the group for each sharing modality, and any image for each other one. Its number
    within the group has the position of image m among these as digit m.

    Attributes:
        members: For each value of the shared attribute the indices of its images.
        starts: int [groups + 1], the number of the first tuple of each group.
        modalities: M.
        sharing: The modalities that have the shared attribute in common.
        images: N.
    """

    members: list[IntArray]
    starts: IntArray
    modalities: int
    sharing: tuple[int, ...]
    images: int

    @classmethod
    def of(cls, attributes: IntArray, rule: PairRule, *, shared: bool = True) -> _Candidates:
        """The tuples that the rule lets share; all tuples if they need not."""
        sharing = rule.sharing if shared and len(rule.sharing) > 1 else ()
        column = attributes[:, ATTRIBUTES.index(rule.shared)]
        members = [np.flatnonzero(column == value) for value in np.unique(column)]
        if not sharing:
            members = [np.arange(len(attributes))]
        free = len(attributes) ** (rule.modalities - len(sharing))
        sizes = [len(images) ** len(sharing) * free for images in members]
        if sum(sizes) >= 2**63:
            raise InputError(
                f"{len(attributes)} images in {rule.modalities} modalities make more than 2⁶³ "
                "tuples: use fewer modalities or copies"
            )
        starts = np.cumsum([0, *sizes])
        return cls(members, starts, rule.modalities, sharing, len(attributes))

    @property
    def count(self) -> int:
        return int(self.starts[-1])

    def decode(self, numbers: IntArray) -> IntArray:
        """The tuples [P, M] with the given numbers [P]."""
        groups = np.searchsorted(self.starts, numbers, side="right") - 1
        images = np.empty((len(numbers), self.modalities), dtype=np.int64)
        for group, members in enumerate(self.members):
            here = groups == group
            rest = numbers[here] - self.starts[group]
            for m in range(self.modalities):
                inside = m in self.sharing
                rest, digit = np.divmod(rest, len(members) if inside else self.images)
                images[here, m] = members[digit] if inside else digit
        return images


@dataclass(frozen=True)
class Rates:
    """Shares of the pairs for which something holds, each from 0 to 1; None leaves it to chance.

    Attributes:
        match: The gate's label is 1.
        share: The sharing images have the shared attribute in common.
        nuisance: The images have the same level of the nuisance.
    """

    match: float | None = None
    share: float | None = 1.0
    nuisance: float | None = None

    @property
    def words(self) -> str:
        """The rates that are not left to chance, as in "match_rate 1"."""
        share = None if self.share == 1 else self.share
        given = {"match_rate": self.match, "share_rate": share, "nuisance_rate": self.nuisance}
        known = [f"{name} {rate:g}" for name, rate in given.items() if rate is not None]
        return " and ".join(known) or "this rule"

    def strata(self) -> dict[tuple[bool | None, ...], float]:
        """The share of each stratum; strata are (match, share, nuisance), None where not asked.

        Nothing is asked of sharing if all pairs share: only such pairs are candidates then.
        """
        share = None if self.share == 1 else self.share
        found: dict[tuple[bool | None, ...], float] = {(): 1.0}
        for rate in (self.match, share, self.nuisance):
            parts = {None: 1.0} if rate is None else {False: 1 - rate, True: rate}
            found = {(*key, hold): p * q for key, p in found.items() for hold, q in parts.items()}
        return found


def _quotas(strata: Mapping[tuple[bool | None, ...], float], count: int) -> list[int]:
    """Whole numbers that add up to `count`, in proportion to the strata.

    Each is the difference of two rounded cumulative sums, so every sum over leading strata, such
    as the pairs without a match, is exact to the nearest pair.
    """
    ends = [round(x, 9) for x in np.cumsum(list(strata.values())).tolist()]
    edges = [count - round((1 - end) * count) for end in ends[:-1]] + [count]
    return [high - low for low, high in zip([0, *edges], edges, strict=False)]


def draw_pairs(
    attributes: IntArray,
    count: int,
    rule: PairRule,
    synergy_map: Sequence[int],
    *,
    seed: int | Sequence[int],
    match_rate: float | None = None,
    rates: Rates | None = None,
    nuisance: IntArray | None = None,
    fewer: bool = False,
) -> Pairs:
    """Draw tuples uniformly and without repetition from all that the rule allows.

    An image may be paired with itself, as in the authors' data. With rates, the tuples are drawn
    uniformly from each stratum, for instance from those that share and keep the map, and each
    stratum has its share of them, to the nearest tuple.

    Args:
        attributes: int [N, 3], indices of shape, texture and color.
        count: Number of tuples to draw; without rates all are returned if fewer exist.
        rule: Rule that the tuples satisfy.
        synergy_map: Partner of each value of the first synergy attribute.
        seed: Seed of this draw.
        match_rate: Fraction of tuples whose gate label is 1 (that keep the map); None draws
            without regard to it.
        rates: This and other rates, in place of `match_rate`.
        nuisance: int [N], each image's level.
        fewer: Draw as many as the rates allow where there are too few for `count`.

    Raises:
        InputError: the rule allows no tuple, too few for the rates, or more than 2⁶³.
    """
    if count < 1:
        raise InputError(f"the number of pairs must be at least 1, not {count}")
    if match_rate is not None and not 0 <= match_rate <= 1:
        raise InputError(f"match_rate must be from 0 to 1, not {match_rate:g}")
    rates = rates or Rates(match_rate)
    strata = {key: rate for key, rate in rates.strata().items() if rate > 1e-12}
    candidates = _Candidates.of(attributes, rule, shared=rates.share == 1)
    rng = np.random.default_rng(seed)
    pools: dict[tuple[bool | None, ...], list[IntArray]] = {key: [] for key in strata}
    quotas = dict(zip(strata, _quotas(strata, count), strict=True))
    for numbers in _random_blocks(candidates.count, rng):
        images = _allowed(attributes, candidates.decode(numbers), rule)
        holds = _strata_of(attributes, images, rule, synergy_map, nuisance)
        for key, pool in pools.items():
            pool.append(images[_in_stratum(holds, key)])
        if all(sum(map(len, pools[key])) >= quota for key, quota in quotas.items()):
            break
    found = {key: np.concatenate(pool) for key, pool in pools.items()}
    if len(strata) > 1 or rates != Rates():
        quotas = _affordable(rates, quotas, found, count, fewer=fewer)
    images = rng.permutation(np.concatenate([found[key][:q] for key, q in quotas.items()]))
    if not len(images):
        raise InputError("no pair of images satisfies these settings")
    return Pairs(images, label(attributes, images, rule, synergy_map), candidates.count)


def _strata_of(
    attributes: IntArray,
    images: IntArray,
    rule: PairRule,
    synergy_map: Sequence[int],
    nuisance: IntArray | None,
) -> tuple[BoolArray, BoolArray, BoolArray]:
    """Whether tuples [P, M] match, share, and have the same nuisance level: bool [P] each."""

    def equal(values: IntArray) -> BoolArray:
        return np.asarray((values == values[:, :1]).all(axis=1))

    shared = attributes[:, ATTRIBUTES.index(rule.shared)][images[:, list(rule.sharing)]]
    everywhere = np.ones(len(images), dtype=np.bool_)
    return (
        np.asarray(_gate_label(attributes, images, rule, synergy_map) == 1),
        equal(shared) if rule.sharing else everywhere,
        everywhere if nuisance is None else equal(nuisance[images]),
    )


def _in_stratum(holds: tuple[BoolArray, ...], key: tuple[bool | None, ...]) -> BoolArray:
    inside = np.ones(len(holds[0]), dtype=np.bool_)
    for values, wanted in zip(holds, key, strict=True):
        if wanted is not None:
            inside &= values == wanted
    return inside


def _affordable(
    rates: Rates,
    quotas: Mapping[tuple[bool | None, ...], int],
    found: Mapping[tuple[bool | None, ...], IntArray],
    count: int,
    *,
    fewer: bool,
) -> dict[tuple[bool | None, ...], int]:
    """The quotas, or with `fewer` the largest that the tuples suffice for."""

    def enough(wanted: Mapping[tuple[bool | None, ...], int]) -> bool:
        return all(len(found[key]) >= quota for key, quota in wanted.items())

    if enough(quotas):
        return dict(quotas)
    strata = {key: rates.strata()[key] for key in quotas}
    most = min(count, *(int(len(found[key]) / rate) for key, rate in strata.items()))
    for total in range(most, max(most - len(strata) - 1, 0), -1):
        smaller = dict(zip(strata, _quotas(strata, total), strict=True))
        if enough(smaller):
            break
    else:
        smaller, total = {}, 0
    if fewer and total:
        return smaller
    raise InputError(
        f"only {total:,} pairs of these images allow {rates.words}, not {count:,}: ask for fewer "
        "pairs, or for more copies"
    )


def _random_blocks(count: int, rng: np.random.Generator, size: int = 2**17) -> Iterator[IntArray]:
    """Yield the integers below `count` in random order, in blocks, each at most once.

    If `count` exceeds `ENUMERABLE`, only `ENUMERABLE` of them are drawn, by rejection of repeats.
    """
    if count <= ENUMERABLE:
        order = rng.permutation(count)
        for start in range(0, count, size):
            yield order[start : start + size]
        return
    seen = np.empty(0, dtype=np.int64)
    while len(seen) < ENUMERABLE:
        block = rng.integers(count, size=size)
        fresh = block[np.sort(np.unique(block, return_index=True)[1])]
        fresh = fresh[~np.isin(fresh, seen)]
        seen = np.concatenate([seen, fresh])
        yield fresh


def _allowed(attributes: IntArray, images: IntArray, rule: PairRule) -> IntArray:
    """The tuples that the rule allows: all of them unless unique attributes must differ."""
    if not rule.distinct_unique:
        return images
    values = np.sort(attributes[images, ATTRIBUTES.index(rule.unique)], axis=1)
    return images[(np.diff(values, axis=1) > 0).all(axis=1)]


# --------------------------------------------------------------------------- combinations


def all_combinations(counts: Mapping[str, int]) -> IntArray:
    """Every combination of shape, texture and color: int [K1·K2·K3, 3], in order."""
    grids = np.meshgrid(*(np.arange(counts[name]) for name in ATTRIBUTES), indexing="ij")
    return np.stack([grid.ravel() for grid in grids], axis=1)


def split_combinations(
    combinations: IntArray, held_out: int, *, seed: int | Sequence[int], balanced: bool
) -> tuple[IntArray, IntArray]:
    """Split combinations at random into training and held-out combinations.

    Args:
        combinations: int [N, 3], all different.
        held_out: Number of combinations to hold out.
        seed: Seed of this split.
        balanced: Hold out every value of every attribute equally often (to within one). A small
            random split can lack a value, and scores then depend on which one.

    Returns:
        The training combinations, int [N − held_out, 3], and the held-out ones, in the given order.

    Raises:
        InputError: `held_out` leaves nothing on one side.
    """
    if not 0 < held_out < len(combinations):
        raise InputError(
            f"held-out combinations must be from 1 to {len(combinations) - 1}, not {held_out}"
        )
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(combinations), dtype=bool)
    if balanced:
        chosen[_balanced_choice(combinations, held_out, rng)] = True
    else:
        chosen[rng.permutation(len(combinations))[:held_out]] = True
    return combinations[~chosen], combinations[chosen]


def _balanced_choice(combinations: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """Indices of `count` combinations in which each attribute's values occur equally often.

    Local search by exchanges from a random start, so it works for any set of combinations,
    including one that lacks some. A search that ends with counts that differ by more than one is
    repeated from another start; the result of the 100th is returned whatever its counts.
    """
    for _ in range(100):
        chosen = _exchange_until_even(combinations, count, rng)
        counts = [np.bincount(c[chosen], minlength=c.max() + 1) for c in combinations.T]
        if all(np.ptp(values) <= 1 for values in counts):
            break
    return chosen


def _exchange_until_even(combinations: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """One local search: exchange combinations while that makes the counts of values more even.

    Minimizes |e|², where e = counts − goal over all values of all attributes.
    """
    order = rng.permutation(len(combinations))
    inside, outside = order[:count], order[count:]
    sizes = combinations.max(axis=0) + 1
    one_hot = np.concatenate(
        [np.eye(size)[column] for size, column in zip(sizes, combinations.T, strict=True)], axis=1
    )
    goal = np.concatenate([np.full(size, count / size) for size in sizes])
    while True:
        excess = one_hot[inside].sum(axis=0) - goal
        # Exchanging i (one-hot a_i) for j (one-hot b_j), d = b_j − a_i, changes |e|² by
        # |e + d|² − |e|² = 2 e·d + |d|².
        moves = one_hot[outside][None, :, :] - one_hot[inside][:, None, :]
        change = 2 * (moves @ excess) + (moves**2).sum(axis=2)
        best = np.unravel_index(change.argmin(), change.shape)
        if change[best] >= -1e-9:
            return inside
        inside[best[0]], outside[best[1]] = outside[best[1]], inside[best[0]]
