"""Drawing of pairs and their labels: pure functions of attributes and a seed.

The images of a pair (or of a tuple of M modalities) have one attribute in common, the *shared* one.
Another is *unique*: independent in each image. The *synergy* label is what a gate says: by default
1 where a one-to-one map takes attribute a of image 1 to attribute b of every other image, so that
no image alone determines it. In biased training pairs this label is 1 more often than by chance; in
probe and test pairs it is not. `Rates` say how often pairs match, share, or have a nuisance in
common.

N images, P pairs, M modalities, K values of an attribute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from trifeature.data.attributes import ATTRIBUTES
from trifeature.data.rule import PairRule
from trifeature.errors import InputError

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Stratum = tuple[bool | None, ...]
"""Whether pairs match, share and have a nuisance in common; None where nothing is asked."""

ENUMERABLE: Final = 20_000_000
"""Largest number of candidate tuples that are permuted as a whole (160 MB of indices)."""


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


def label(
    attributes: IntArray, images: IntArray, rule: PairRule, synergy_map: Sequence[int]
) -> dict[str, IntArray]:
    """Compute the label of every task for given tuples of images.

    `share` is the shared attribute of the first image that has it in common; `unique1`, `unique2`,
    … are those of each image's unique attribute. `synergy` is what the gate says: by default 1
    where b(image m) = map(a(image 1)) for *every* other linked image. With three modalities both
    others must match, so no two of the images determine the label, though they tell of it: see
    `trifeature.data.union`.

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

    def strata(self) -> dict[Stratum, float]:
        """The share of each stratum; strata are (match, share, nuisance), None where not asked.

        Nothing is asked of sharing if all pairs share: only such pairs are candidates then.
        """
        share = None if self.share == 1 else self.share
        found: dict[Stratum, float] = {(): 1.0}
        for rate in (self.match, share, self.nuisance):
            parts = {None: 1.0} if rate is None else {False: 1 - rate, True: rate}
            found = {(*key, hold): p * q for key, p in found.items() for hold, q in parts.items()}
        return found


def _quotas(strata: Mapping[Stratum, float], count: int) -> list[int]:
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
    pools: dict[Stratum, list[IntArray]] = {key: [] for key in strata}
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


def _in_stratum(holds: tuple[BoolArray, ...], key: Stratum) -> BoolArray:
    inside = np.ones(len(holds[0]), dtype=np.bool_)
    for values, wanted in zip(holds, key, strict=True):
        if wanted is not None:
            inside &= values == wanted
    return inside


def _affordable(
    rates: Rates,
    quotas: Mapping[Stratum, int],
    found: Mapping[Stratum, IntArray],
    count: int,
    *,
    fewer: bool,
) -> dict[Stratum, int]:
    """The quotas, or with `fewer` the largest that the tuples suffice for."""

    def enough(wanted: Mapping[Stratum, int]) -> bool:
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
    if not total:
        raise InputError(f"no pair of these images allows {rates.words} by this rule")
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
