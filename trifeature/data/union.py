"""What more than two modalities tell about a label, in closed forms, in bits.

I∪(…) is the union information: the least that any law with the same marginals (X_m, Y) tells
about the label Y (Bertschinger et al. 2014, for any number of sources). The *unique* part of
modality m is I∪(all) − I∪(all but m), and the *total synergy* is I(X1 … XM; Y) − I∪(all). They
have closed forms where every modality but those that tell the whole label is silent about it, or
all but one are:

- sources that are independent of Y can be made independent of all else, so they add nothing to I∪;
- one source that tells all that there is to know has I∪ = I(X; Y);
- a gate about which no single modality tells anything has I∪ = 0.

Total synergy does not say how many modalities are needed, so the most that two modalities tell
together stands beside it. Under `match` and `balanced` any two of three modalities must fit for the
label to be 1, which tells 0.77 of the 1 bit of `balanced` and 0.03 of the 0.08 bits of `match` for
ten values; under `sum`, and under `parity` of an even number of values, two tell nothing.

L linked modalities, K values of an attribute, C classes.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.data.law import DRAWN, Drawn, noise_channel
from trifeature.data.rule import PairRule
from trifeature.data.settings import DatasetSettings
from trifeature.data.ties import target_of
from trifeature.errors import check_name
from trifeature.pid.tables import entropy

FloatArray = npt.NDArray[np.float64]

SILENT: Final = 1e-12
"""Bits below which a modality tells nothing: the rounding error of an entropy."""


def closed_forms(settings: DatasetSettings, drawn: Drawn) -> list[dict[str, Any]]:
    """Union information, unique parts and total synergy of each task of M modalities, in bits.

    Args:
        settings: Settings of the data set.
        drawn: `train`, or `test` for the law of probe and test pairs.

    Returns:
        A row for each task whose forms are closed: `task`, `target`, `union`, `unique` (a list),
        `synergy`, `two` (the most that two modalities tell together) and `total`. None of them are
        if pairs do not always share, attributes depend on each other, a modality does not show all,
        or one image tells something about the gate. The task of an attribute is left out where two
        modalities or more tell something of it, as under a match rate.

    Raises:
        InputError: there is no such law.
    """
    check_name("law", drawn, DRAWN)
    rule = settings.rule
    ordinary = settings.share_rate == 1 and not settings.dependence and settings.looks == "color"
    if rule.distinct_unique or not ordinary or not _silent_gate(settings, drawn):
        return []
    return [row for task in rule.tasks if (row := _row(settings, task, drawn)) is not None]


def _row(settings: DatasetSettings, task: str, drawn: Drawn) -> dict[str, Any] | None:
    rule = settings.rule
    told_by, total = _told_by(rule, task), _label_information(settings, task, drawn)
    unique = [0.0] * rule.modalities
    if len(told_by) == 1:
        others = _told_by_others(settings, told_by[0], task, drawn)
        if sum(bits > SILENT for bits in others) > 1:
            return None
        unique[told_by[0]] = total - max(others, default=0.0)
    return {
        "task": task,
        "target": target_of(rule, task),
        "union": total if told_by else 0.0,
        "unique": unique,
        "synergy": 0.0 if told_by else total,
        "two": total if told_by else _told_by_two(settings, drawn),
        "total": total,
    }


def _told_by(rule: PairRule, task: str) -> tuple[int, ...]:
    """The modalities each of which tells the label by itself."""
    if task == "synergy":
        return ()
    if task == "share":
        return rule.sharing or (0,)
    return (int(task.removeprefix("unique")) - 1,)


def _told_by_others(
    settings: DatasetSettings, modality: int, task: str, drawn: Drawn
) -> list[float]:
    """What each other linked modality tells about the label of a task of one modality, in bits."""
    rule = settings.rule
    attribute = rule.shared if task == "share" else rule.unique
    a, b = rule.synergy
    places = {(b if place else a, m): place for place, m in enumerate(rule.linked)}
    if (attribute, modality) not in places:
        return []
    joint, own = _gate_law(settings, drawn), places[attribute, modality]
    channel = noise_channel(settings.classes[task], settings.label_noise)
    found = []
    for place in set(places.values()) - {own}:
        rest = tuple({*range(joint.ndim)} - {own, place})
        table = joint.sum(axis=rest)
        found.append(_information((table.T if own < place else table) @ channel))
    return found


def _gate_law(settings: DatasetSettings, drawn: Drawn) -> FloatArray:
    """The probability of the linked attributes, float [K_a, K_b, …], an axis for each modality.

    They are independent and uniform, given the label of the gate as often as its rate says.
    """
    rate = settings.rates(biased=drawn == "train").match
    holds = _gate_labels(settings) == 1
    if rate is None:
        p = np.full(len(holds), 1 / len(holds))
    else:
        p = np.where(holds, rate / max(holds.sum(), 1), (1 - rate) / max((~holds).sum(), 1))
    return np.asarray(p / p.sum()).reshape(_sizes(settings))


def _sizes(settings: DatasetSettings) -> tuple[int, ...]:
    """Number of values of each linked attribute."""
    a, b = (settings.counts[name] for name in settings.rule.synergy)
    return a, *(b,) * (len(settings.rule.linked) - 1)


def _silent_gate(settings: DatasetSettings, drawn: Drawn) -> bool:
    """True if no single image tells anything about the gate's label."""
    joint = _gate_law(settings, drawn)
    labels = _gate_labels(settings)
    for place in range(joint.ndim):
        table = np.zeros((joint.shape[place], settings.classes["synergy"]))
        np.add.at(table, (np.indices(joint.shape)[place].ravel(), labels), joint.ravel())
        if _information(table) > SILENT:
            return False
    return True


def _gate_labels(settings: DatasetSettings) -> npt.NDArray[np.int64]:
    """The gate's label of every combination of linked attributes, as `_gate_law` orders them."""
    first, *others = np.indices(sizes := _sizes(settings)).reshape(len(sizes), -1)
    return settings.rule.parsed_gate.label(first, np.stack(others, axis=1), settings.partners)


def _told_by_two(settings: DatasetSettings, drawn: Drawn) -> float:
    """The most that two linked modalities tell together about the gate's label, in bits."""
    joint, classes = _gate_law(settings, drawn), settings.classes["synergy"]
    by_label = _gate_labels(settings)[:, None] == np.arange(classes)
    table = (joint.ravel()[:, None] * by_label).reshape(*joint.shape, classes)
    channel = noise_channel(classes, settings.label_noise)
    places = range(joint.ndim)
    return max(
        _information(table.sum(tuple(set(places) - set(both))).reshape(-1, classes) @ channel)
        for both in combinations(places, 2)
    )


def _label_information(settings: DatasetSettings, task: str, drawn: Drawn) -> float:
    """I(Y; label before noise), in bits."""
    C = settings.classes[task]
    before = np.full(C, 1 / C)
    if task == "synergy":
        law = _gate_law(settings, drawn).ravel()
        before = np.bincount(_gate_labels(settings), law, minlength=C)
    return _information(np.diag(before) @ noise_channel(C, settings.label_noise))


def _information(table: FloatArray) -> float:
    """I(X; Y) of a joint table [X, Y], in bits."""
    ends = entropy(table.sum(1)) + entropy(table.sum(0))
    return max(float(ends - entropy(table, 2)), 0.0)
