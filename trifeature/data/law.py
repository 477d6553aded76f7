"""The law that pairs are drawn from, and the exact atoms of every task under it, in bits.

Ground truth comes in two forms. `trifeature.data.truth` counts the pairs as drawn; this module
states the *law* of the draw, which a large draw approaches. Images are independent: the shared
attribute is uniform, the unique attribute is a function of it with probability s (the dependence)
and else uniform, all others are uniform. Pairs are then weighted so that they share, and that the
gate's label is 1, as often as the rates say:

    p(pair) = Σ over strata c of rate(c) · p(pair | c),

where a stratum is, for instance, "shares and keeps the map". Labels pass through the label noise,
attributes through what a modality shows of them: an image in gray has no color, and a caption
leaves an attribute out with a probability.

A, B attributes of the two images; X1, X2 sources; Y target, a task's label.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from trifeature.data.attributes import ATTRIBUTES
from trifeature.data.pairs import IntArray
from trifeature.data.settings import NUISANCE_LEVELS, DatasetSettings
from trifeature.data.ties import (
    NOTHING,
    Node,
    Sources,
    Ties,
    asked,
    omission,
    sources_of,
    target_of,
)
from trifeature.errors import InputError, check_name
from trifeature.pid import Atoms, broja
from trifeature.pid.tables import binary_entropy
from trifeature.threads import one_thread

FloatArray = npt.NDArray[np.float64]
Drawn = Literal["train", "test"]
DRAWN: Final[tuple[Drawn, ...]] = get_args(Drawn)
"""The laws: of training pairs, and of probe and test pairs."""

MOST_STATES: Final = 20_000_000
"""The largest number of attribute combinations whose law is computed."""

TOLERANCE: Final = 1e-6
"""Width of the certified intervals in bits."""


# --------------------------------------------------------------------------- the law of two images


def law_atoms(
    settings: DatasetSettings, task: str, drawn: Drawn, *, tolerance: float = TOLERANCE
) -> Atoms:
    """The exact atoms of a task under the law of a data set of two modalities.

    Args:
        settings: Settings of the data set.
        task: A task of its rule.
        drawn: `train`, whose pairs the match rate biases, or `test`, the law of probe and test
            pairs.
        tolerance: Width of the certified interval, in bits.

    Returns:
        The atoms in bits, with the names of sources and target.

    Raises:
        InputError: more than two modalities, no such task or law, or too many values to enumerate.

    >>> round(law_atoms(DatasetSettings(), "synergy", "test").synergy, 6)
    0.468996
    """
    check_name("law", drawn, DRAWN)
    ties = Ties.of(settings)
    sources, target = sources_of(ties, task), target_of(settings.rule, task)
    nodes = _connected(ties, task, sources)
    states, p = _states(settings, nodes, drawn)
    columns = dict(zip(nodes, states.T, strict=True))
    labels = _label(settings, task, columns)
    views = [_seen(settings, columns, source, m) for m, source in enumerate(sources)]
    C = settings.classes[task]
    table = np.zeros((views[0].size, views[1].size, C))
    for (w1, x1), (w2, x2) in itertools.product(views[0].cases, views[1].cases):
        cells = np.ravel_multi_index((x1, x2, labels), table.shape)
        table += np.bincount(cells, w1 * w2 * p, table.size).reshape(table.shape)
    table = table @ noise_channel(C, settings.label_noise)
    table = table[table.sum((1, 2)) > 0][:, table.sum((0, 2)) > 0]
    names = ("+".join(sources[0]), "+".join(sources[1]))
    with one_thread():
        return broja(table, tolerance=tolerance, normalize=True, sources=names, target=target)


def noise_channel(classes: int, rate: float) -> FloatArray:
    """P(noisy label | label) [C, C]: another class with probability `rate`, all others alike."""
    flipped = np.full((classes, classes), rate / (classes - 1))
    np.fill_diagonal(flipped, 1 - rate)
    return flipped


def _connected(ties: Ties, task: str, sources: Sources) -> tuple[Node, ...]:
    """Every attribute that is tied to the label or a source, however indirectly."""
    found = set(asked(ties.rule, task))
    for m, names in enumerate(sources):
        found |= {(name.rpartition(" ")[0], m) for name in names if name != f"{NOTHING} {m + 1}"}
    while True:
        more = {node for edge in ties.edges() if found & {*edge} for node in edge}
        if more <= found:
            return tuple(sorted(found, key=lambda node: (node[1], ATTRIBUTES.index(node[0]))))
        found |= more


def _states(
    settings: DatasetSettings, nodes: Sequence[Node], drawn: Drawn
) -> tuple[IntArray, FloatArray]:
    """Every combination of the attributes `nodes`, int [n, nodes], and its probability [n]."""
    rule = settings.rule
    sizes = [settings.counts[name] for name, _ in nodes]
    if math.prod(sizes) > MOST_STATES:
        raise InputError(f"the law of {math.prod(sizes):,} combinations is too large to enumerate")
    states = np.indices(sizes).reshape(len(sizes), -1).T
    columns = dict(zip(nodes, states.T, strict=True))
    p = np.full(len(states), 1 / len(states))
    if settings.dependence:
        for m in (0, 1):
            shared, unique = columns.get((rule.shared, m)), columns.get((rule.unique, m))
            if shared is not None and unique is not None:
                p = p * _follow_ratio(settings)[(unique == settings.follower(shared)).astype(int)]
    ends = [columns.get((rule.unique, m)) for m in (0, 1)]
    if rule.distinct_unique and ends[0] is not None and ends[1] is not None:
        p = p * (ends[0] != ends[1])
    return states, _weighted(settings, columns, p / p.sum(), drawn)


def _follow_ratio(settings: DatasetSettings) -> FloatArray:
    """p(unique | shared) · K where the unique value does not follow the shared one, and does."""
    K, s = settings.counts[settings.rule.unique], settings.dependence
    return np.array([1 - s, 1 - s + s * K])


def _weighted(
    settings: DatasetSettings, columns: Mapping[Node, IntArray], p: FloatArray, drawn: Drawn
) -> FloatArray:
    """The law p of independent images, given each stratum with the rate of that stratum."""
    rule = settings.rule
    rates = settings.rates(biased=drawn == "train")
    events: list[tuple[npt.NDArray[np.bool_], float]] = []
    if rates.match is not None and {(rule.synergy[0], 0), (rule.synergy[1], 1)} <= columns.keys():
        events.append((_label(settings, "synergy", columns) == 1, rates.match))
    if rates.share is not None and {(rule.shared, 0), (rule.shared, 1)} <= columns.keys():
        one, other = (columns[rule.shared, m] for m in (0, 1))
        events.append((one == other, rates.share))
    weighted = np.zeros_like(p)
    for holds in itertools.product((False, True), repeat=len(events)):
        rate = math.prod(r if h else 1 - r for h, (_, r) in zip(holds, events, strict=True))
        inside = np.ones(len(p), dtype=bool)
        for wanted, (mask, _) in zip(holds, events, strict=True):
            inside &= mask == wanted
        mass = p[inside].sum()
        if rate > 0:
            if mass == 0:
                raise InputError("these rates ask for pairs that the rule does not allow")
            weighted += rate * p * inside / mass
    return weighted


def _label(settings: DatasetSettings, task: str, columns: Mapping[Node, IntArray]) -> IntArray:
    """The label of each state [n], before noise."""
    first, *others = (columns[node] for node in asked(settings.rule, task))
    if not others:
        return first
    other = np.stack(others, axis=1)
    return settings.rule.parsed_gate.label(first, other, settings.partners)


@dataclass(frozen=True)
class _Seen:
    """A source as its modality shows it.

    Attributes:
        size: Number of values of the source.
        cases: For each set of attributes that can be left out the probability of that, and the
            value of the source in each state, int [n].
    """

    size: int
    cases: list[tuple[float, IntArray]]


def _seen(
    settings: DatasetSettings,
    columns: Mapping[Node, IntArray],
    names: Sequence[str],
    modality: int,
) -> _Seen:
    """A source's values; an attribute of K values that can be left out has the value K then."""
    attributes = [name.rpartition(" ")[0] for name in names]
    attributes = [name for name in attributes if name != NOTHING]
    states = len(next(iter(columns.values())))
    left_out = [omission(settings, name, modality) for name in attributes]
    sizes = [settings.counts[n] + (o > 0) for n, o in zip(attributes, left_out, strict=True)]
    cases = []
    for missing in itertools.product((False, True), repeat=len(attributes)):
        weight = math.prod(o if gone else 1 - o for gone, o in zip(missing, left_out, strict=True))
        if weight == 0:
            continue
        code = np.zeros(states, dtype=np.int64)
        for name, size, gone in zip(attributes, sizes, missing, strict=True):
            code = code * size + (size - 1 if gone else columns[name, modality])
        cases.append((weight, code))
    return _Seen(math.prod(sizes), cases)


# --------------------------------------------------------------------------- numbers beside atoms


def facts(settings: DatasetSettings) -> dict[str, float]:
    """What the dials tie together beside the tasks, in bits, by a name in words.

    - Dependence: I(unique; shared) of an image, log₂ K − H(q, (1 − q)/(K − 1), …) with
      q = s + (1 − s)/K.
    - A share rate r below 1: I(shared of image 1; of image 2), log₂ K − h(r) − (1 − r) log₂(K − 1).
    - A nuisance rate: the same of the nuisance levels.
    """
    rule, counts, found = settings.rule, settings.counts, {}
    if settings.dependence:
        K, s = counts[rule.unique], settings.dependence
        name = f"I({rule.unique}; {rule.shared}) of an image"
        found[name] = equal_information(K, s + (1 - s) / K)
    if rule.modalities == 2 and settings.share_rate < 1:
        name = f"I({rule.shared} 1; {rule.shared} 2)"
        found[name] = equal_information(counts[rule.shared], settings.share_rate)
    if rule.modalities == 2 and settings.nuisance_rate is not None:
        name = f"I({settings.render.nuisance} 1; {settings.render.nuisance} 2), of no task"
        found[name] = equal_information(NUISANCE_LEVELS, settings.nuisance_rate)
    return found


def equal_information(values: int, rate: float) -> float:
    """I(A; B) in bits of uniform A and B that are equal with probability `rate`.

    Other values are equally likely: log₂ K − h(r) − (1 − r) log₂(K − 1).

    >>> round(equal_information(10, 0.5), 6)
    0.736966
    """
    rest = (1 - rate) * math.log2(values - 1) if values > 1 else 0.0
    return math.log2(values) - binary_entropy(rate) - rest
