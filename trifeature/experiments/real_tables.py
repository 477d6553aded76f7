"""Tables 1, 2 and 3: CoMM and its rivals on the paper's sets of real data.

`comm-probe reproduce table1`, `table2`, `table3`. No package ships these sets; an arm whose files
are not here says how to get them and is left out. Settings are the published ones, whatever preset
is named. † in the paper marks values that are copied from Liang et al. (2023).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from trifeature.experiments import paper_sets as sets
from trifeature.experiments.experiment import Published
from trifeature.experiments.paper_sets import MACRO, MACRO_F1, MSE, PLAIN, WEIGHTED_F1, PaperSet
from trifeature.experiments.real import (
    RealArm,
    RealExperiment,
    draw_scores,
    more_tables,
    only_notes,
    scores_table,
)
from trifeature.presets import Preset

Value = tuple[float, float | None]

TABLE1_SETS: Final = (sets.TOUCH, sets.MIMIC, sets.MOSI, sets.UR_FUNNY, sets.MUSTARD)

COPIED: Final[Mapping[str, tuple[str | None, tuple[Value, ...]]]] = {
    "Cross": (
        "cross",
        ((33.09, 3.67), (66.7, 0.0), (47.8, 1.8), (50.1, 1.9), (53.5, 2.9)),
    ),
    "Cross+Self": (
        "cross+self",
        ((7.56, 0.31), (65.49, 0.0), (49.0, 1.1), (59.9, 0.9), (53.9, 4.0)),
    ),
    "FactorCL": (
        "factorcl",
        ((10.82, 0.56), (67.3, 0.0), (51.2, 1.6), (60.5, 0.8), (55.80, 0.9)),
    ),
}
"""Rivals in Table 1, their names here, and values in the order of `TABLE1_SETS`; all †."""

COMM1: Final[tuple[Value, ...]] = (
    (4.55, 0.30),
    (66.4, 0.32),
    (67.5, 1.30),
    (63.1, 0.65),
    (63.9, 3.01),
)
"""CoMM in Table 1."""

SUPERVISED_COPIED: Final[Mapping[str, tuple[Value | None, ...]]] = {
    "SupCon": (None, (67.4, 0.0), (47.2, 1.2), (50.1, 2.0), (52.7, 2.2)),
    "FactorCL-SUP": ((1.72, 0.03), (76.8, 0.0), (69.1, 0.6), (63.5, 0.8), (69.9, 1.9)),
}
"""Supervised rivals in Table 1; all †."""

FINE_TUNED: Final[tuple[Value, ...]] = (
    (1.34, 0.01),
    (68.18, 0.23),
    (74.98, 0.43),
    (65.96, 0.44),
    (70.42, 0.15),
)
"""CoMM in Table 1, fine-tuned with labels."""


def table1_arms(preset: Preset) -> Sequence[RealArm]:  # noqa: ARG001 - alike on every preset
    """Every method of Table 1 on every set, set by set."""
    return tuple(arm for place, own in enumerate(TABLE1_SETS) for arm in _table1_of(own, place))


def _table1_of(own: PaperSet, place: int) -> list[RealArm]:
    """The arms of Table 1 on one set, the number `place` of the table."""
    arms = [own.arm("CoMM", "comm", _values(own, COMM1[place], copied=False))]
    for words, (method, copied) in COPIED.items():
        arms.append(own.arm(words, method, _values(own, copied[place]), _doubts(words, own)))
    for words, supervised in SUPERVISED_COPIED.items():
        if (value := supervised[place]) is not None:
            arms.append(own.arm(words, None, _values(own, value), _doubts(words, own)))
    tuned = _values(own, FINE_TUNED[place], copied=False)
    return [*arms, own.arm("CoMM fine-tuned", None, tuned)]


def _values(own: PaperSet, value: Value, *, copied: bool = True) -> Published:
    """A published value: copied accuracies are plain ones, CoMM's macro (trap T2)."""
    if MSE in own.scores:
        return {MSE: value}
    return {PLAIN if copied else MACRO: value}


def _doubts(words: str, own: PaperSet) -> tuple[str, ...]:
    """What makes a value that was copied from FactorCL's paper another kind of value."""
    if own is sets.TOUCH:
        return ()
    doubts = [sets.T2]
    if own is sets.MIMIC and words in (*SUPERVISED_COPIED, "FactorCL"):
        doubts.append(sets.T1)
    if own is sets.MOSI:
        doubts.append(sets.T3)
    if own is not sets.MIMIC:
        doubts.append(sets.T4)
    return tuple(doubts)


# --------------------------------------------------------------------------- table 2

CLIP: Final = sets.frozen_films("clip")
BLIP2: Final = sets.frozen_films("blip2")

PUBLISHED2: Final[Mapping[str, tuple[Value, Value]]] = {
    "CLIP V, public weights": ((51.5, None), (40.8, None)),
    "CLIP L, public weights": ((51.0, None), (43.0, None)),
    "CLIP V+L, public weights": ((58.9, None), (50.9, None)),
    "BLIP-2, public weights": ((57.4, None), (49.9, None)),
    "SLIP, trained on it": ((56.54, 0.19), (47.35, 0.27)),
    "CLIP, trained on it": ((54.49, 0.19), (44.94, 0.30)),
    "MFAS (supervised)": ((62.50, None), (55.6, None)),
    "CoMM (CLIP) fine-tuned": ((64.90, 0.21), (58.97, 0.19)),
    "CoMM (BLIP-2) fine-tuned": ((67.39, 0.07), (62.0, 0.25)),
    "LLaVA-NeXT": ((64.28, None), (56.51, None)),
}
"""Weighted and macro F1 of what is not trained here."""


def table2_arms(preset: Preset) -> Sequence[RealArm]:  # noqa: ARG001 - alike on every preset
    """CoMM on stored features of CLIP and BLIP-2, SimCLR on posters, and published values."""
    trained = (
        CLIP.arm("CoMM (CLIP)", "comm", _f1((61.48, 0.18), (54.63, 0.22))),
        BLIP2.arm("CoMM (BLIP-2)", "comm", _f1((64.75, 0.17), (58.44, 0.43))),
        sets.FILMS.arm("SimCLR V", "simclr", _f1((40.35, 0.23), (27.99, 0.33))),
    )
    others = (sets.FILMS.arm(words, None, _f1(*values)) for words, values in PUBLISHED2.items())
    refnet = sets.FILMS.arm("ReFNet (supervised)", None, {MACRO_F1: (56.7, None)})
    return (*trained, *others, refnet)


def _f1(weighted: Value, macro: Value) -> Published:
    return {WEIGHTED_F1: weighted, MACRO_F1: macro}


# --------------------------------------------------------------------------- table 3


def table3_arms(preset: Preset) -> Sequence[RealArm]:  # noqa: ARG001 - alike on every preset
    """Two and three modalities of Vision&Touch and of UR-FUNNY."""
    return (
        sets.CONTACT.arm("Cross", "cross", {MACRO: (84.4, None)}),
        sets.CONTACT.arm("Cross+Self", "cross+self", {MACRO: (86.8, None)}),
        sets.CONTACT.arm("CoMM", "comm", {MACRO: (88.1, None)}),
        sets.CONTACT_3.arm("CMC", "cmc", {MACRO: (94.1, None)}),
        sets.CONTACT_3.arm("CoMM", "comm", {MACRO: (94.2, None)}),
        sets.UR_FUNNY.arm("Cross", "cross", {PLAIN: (50.1, None)}, (sets.T2, sets.T4)),
        sets.UR_FUNNY.arm("Cross+Self", "cross+self", {PLAIN: (59.9, None)}, (sets.T2, sets.T4)),
        sets.UR_FUNNY.arm("CoMM", "comm", {MACRO: (63.1, None)}),
        sets.UR_FUNNY_3.arm("CMC", "cmc", {MACRO: (59.2, None)}),
        sets.UR_FUNNY_3.arm("CoMM", "comm", {MACRO: (64.6, None)}),
    )


_COMMON: Final[Mapping[str, Any]] = {
    "draw": draw_scores,
    "table": scores_table,
    "more_tables": more_tables,
    "columns": (),
    "details": {},
    "base": "paper",
    "unit": "",
}

TABLE1: Final = RealExperiment(
    "table1", "two modalities of five sets (Table 1)", table1_arms, **_COMMON
)
TABLE2: Final = RealExperiment(
    "table2", "genres of films (Table 2)", table2_arms, **{**_COMMON, "more_tables": only_notes}
)
TABLE3: Final = RealExperiment(
    "table3", "two modalities against three (Table 3)", table3_arms, **_COMMON
)
