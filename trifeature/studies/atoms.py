"""Rows of atoms: R, U1, U2 and S of a pair of modalities, and what all of them tell.

Three estimators stand side by side. The minimum and the pointwise minimum need only the predictions
of three readers, of each modality and of both (`trifeature.pid.estimation.predictions`). The dual
trains probes and a product of two experts on the features (`trifeature.pid.representations`).

Whatever the definition, as long as no atom is below 0: R is at most min(I1, I2), S at most
I12 − max(I1, I2), and U1 at least I1 − I2. These are the minimum's atoms, so a small R or S of
theirs is small by any definition, and so is a large U large.

n test samples, K classes, M modalities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from trifeature.errors import InputError
from trifeature.pid import Interval
from trifeature.pid.atoms import ATOM_NAMES
from trifeature.pid.estimation.estimates import INFORMATIONS, Estimate
from trifeature.pid.estimation.predictions import Spread, atoms_of_predictions
from trifeature.pid.representations import DualAtoms, PairedFeatures, Training, dual_atoms
from trifeature.studies.features import Subset
from trifeature.studies.questions import Question
from trifeature.studies.readers import FloatArray, IntArray, reduced
from trifeature.studies.readings import Row, information, interval, surplus

ASSUMES: Final = {
    "minimum": "the weaker modality tells nothing that the other does not: its R and S are the "
    "largest that any definition allows, its U1 and U2 the smallest",
    "pointwise": "what both tell about one sample is shared as far as it goes: U1 and U2 are "
    "above 0 for predictions of noise too",
    "dual": "nothing about how the two share, but that two trained experts come near the best "
    "ones: it has no certificate, and its atoms can be below 0",
}
"""What each estimator assumes."""

ASSUMES_ALL: Final = (
    "union: the largest information of a single modality. Synergy: what all tell, less what the "
    "best choice of all but one tells. Unique: what all tell, less what all but this one tell; it "
    "counts what only this modality together with others tells, so the unique parts and the "
    "synergy are no atoms, overlap, and do not add up to the total"
)

DUAL: Final = Training(hidden=48, steps=200, batch=192)
"""How probes and experts of the dual are trained."""

DUAL_COLUMNS: Final = 64
"""Most columns of a modality that the dual reads."""

DUAL_ROWS: Final = 3000
"""Most probe samples, and most test samples, of the dual."""


def pair_rows(
    question: Question,
    tables: Sequence[FloatArray],
    sources: tuple[str, str],
    groups: IntArray,
    level: float,
) -> list[Row]:
    """Rows of the minimum and of the pointwise minimum.

    Args:
        question: What is predicted.
        tables: Probabilities [n, K] by the readers of each modality and of both.
        sources: Names of the modalities.
        groups: Of the test samples, [n] or [n, G].
        level: Confidence level.
    """
    labels, (p1, p2, p12) = question.values["test"], tables
    try:
        found = atoms_of_predictions(
            p1, p2, p12, labels, level, sources=sources, target=question.label, groups=groups
        )
    except InputError as problem:
        return [_refused(name, str(problem)) for name in ("minimum", "pointwise")]
    return [
        _predicted_row("minimum", found.mmi, found.information_intervals),
        _predicted_row("pointwise", found.pointwise, found.information_intervals),
    ]


def _refused(estimator: str, reason: str) -> Row:
    return {
        "estimator": estimator,
        "atoms": None,
        "informations": None,
        "assumes": ASSUMES[estimator],
        "refused": reason,
    }


def _predicted_row(name: str, found: Estimate, bounds: Mapping[str, Interval]) -> Row:
    atoms = {}
    for atom in ATOM_NAMES:
        ends = found.intervals[atom]
        low, high = (ends.low, ends.high) if ends else (None, None)
        atoms[atom] = {"value": found.corrected[atom], "low": low, "high": high}
    informations = {
        key: {"value": found.informations[key], "low": bounds[key].low, "high": bounds[key].high}
        for key in INFORMATIONS
    }
    return {
        "estimator": name,
        "atoms": atoms,
        "informations": informations,
        "assumes": ASSUMES[name],
        "refused": None,
    }


# --------------------------------------------------------------------------- the dual


def dual_row(
    question: Question,
    features: Sequence[tuple[FloatArray, FloatArray]],
    groups: tuple[IntArray, IntArray],
    level: float,
    seed: int,
) -> Row:
    """The row of the dual estimator.

    Args:
        question: What is predicted.
        features: Of each modality, those of the probe samples and of the test samples, see
            `Features.of`.
        groups: Of the probe samples and of the test samples, [P] or [P, G].
        level: Confidence level.
        seed: Seed of networks and of the samples that are left out where there are too many.
    """
    rows = [_some(len(groups[k]), seed) for k in range(2)]
    small = [reduced(*pair, DUAL_COLUMNS) for pair in features]
    train, test = (
        PairedFeatures(
            small[0][k][rows[k]],
            small[1][k][rows[k]],
            question.values[name][rows[k]],
            groups=_one_grouping(groups[k])[rows[k]],
        )
        for k, name in enumerate(("probe", "test"))
    )
    try:
        found = dual_atoms(train, test, replace(DUAL, seed=seed))
        spread = Spread.of(len(rows[1]), _one_grouping(groups[1])[rows[1]], level)
    except InputError as problem:
        return _refused("dual", str(problem))
    return _dual(found, spread.quantile)


def _some(count: int, seed: int) -> IntArray:
    """All of so many samples, or as many as the dual reads at most, in order."""
    drawn = np.random.default_rng(seed).permutation(count)[:DUAL_ROWS]
    return np.asarray(np.sort(drawn))


def _one_grouping(groups: IntArray) -> IntArray:
    """The groups [P], of several groupings those of the coarsest; an own group for each sample."""
    columns = list(groups.reshape(len(groups), -1).T)
    return min(columns, key=lambda column: len(np.unique(column)))


def _dual(found: DualAtoms, quantile: float) -> Row:
    def shown(value: float, key: str) -> dict[str, float]:
        half = quantile * found.standard_errors[key]
        return {"value": value, "low": value - half, "high": value + half}

    atoms = {atom: shown(found.atoms.value(atom), atom) for atom in ATOM_NAMES}
    told = {
        "source1": shown(found.information1, "information1"),
        "source2": shown(found.information2, "information2"),
        "both": shown(found.atoms.total, "total"),
    }
    return {
        "estimator": "dual",
        "atoms": atoms,
        "informations": told,
        "assumes": ASSUMES["dual"],
        "refused": None,
    }


# --------------------------------------------------------------------------- all modalities


def all_row(
    question: Question,
    tables: Mapping[Subset, FloatArray],
    names: Sequence[str],
    spread: Spread,
) -> Row:
    """What all M > 2 modalities tell: total, union, synergy and unique parts, in bits.

    Each is the least or the largest of several means, and its interval runs from the least, or
    largest, lower end to the same of the upper ends.

    Args:
        question: What is predicted.
        tables: Probabilities [n, K] by the readers of all, of each, and of all but each.
        names: Of the modalities.
        spread: Of the test samples.
    """
    labels, every = question.values["test"], tuple(range(len(names)))
    own = {subset: surplus(table, labels) for subset, table in tables.items()}
    single = [information(tables[m,], labels, spread) for m in every]
    without = {
        name: interval(own[every] - own[tuple(k for k in every if k != m)], spread)
        for m, name in enumerate(names)
    }
    return {
        "total": information(tables[every], labels, spread)["value"],
        "union": _each_end(max, single),
        "synergy": _each_end(min, list(without.values())),
        "unique": without,
        "assumes": ASSUMES_ALL,
        "refused": None,
    }


def _each_end(choose: Any, parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: choose(part[key] for part in parts) for key in ("value", "low", "high")}
