"""The linear probe of our protocol: a cost chosen by cross-validation, scored on pairs unseen.

All tasks × costs × folds are one batched optimization. What is fitted never sees the test pairs,
and what scores never fits.

N pairs, D features, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from trifeature.errors import InputError
from trifeature.probes.folds import Folds
from trifeature.probes.inputs import Features, FloatArray, IntArray, as_features
from trifeature.probes.logistic import Design, LinearModels, Problem, fit_problems
from trifeature.probes.metrics import confusion, cross_entropy, macro_accuracy, roc_auc

DEFAULT_COSTS: Final = tuple(10.0**exponent for exponent in range(-4, 5))
"""Costs C to choose from, in scikit-learn's convention (times the sum over samples)."""


@dataclass(frozen=True, eq=False)
class ProbeData:
    """The features of N pairs and every task's label of each: one split, extracted once.

    Attributes:
        features: [N, D], finite.
        labels: Task name to integer labels from 0 [N].

    Raises:
        InputError: features that are not [N, D] or not finite, no task, or labels that are not
            N integers from 0.
    """

    features: Features
    labels: Mapping[str, npt.ArrayLike]

    def __post_init__(self) -> None:
        pairs = len(as_features(self.features))
        if not self.labels:
            raise InputError("no task to probe")
        for task, labels in self.labels.items():
            array = np.asarray(labels)
            if array.shape != (pairs,):
                raise InputError(f"task {task!r}: labels of shape {array.shape} for {pairs} pairs")
            if array.dtype.kind not in "iub" or array.min() < 0:
                raise InputError(f"task {task!r}: labels must be integers from 0")


@dataclass(frozen=True, eq=False)
class FittedProbe:
    """One task's probe, fitted on the probe-train pairs alone.

    Attributes:
        cost: The chosen C.
        held_out: Mean held-out macro accuracy of every cost tried, cost to accuracy.
        model: The fitted classifier (B = 1).
        balanced: The class-balanced probe of a binary task, with a cost of its own, if fitted.
    """

    cost: float
    held_out: Mapping[float, float]
    model: LinearModels
    balanced: FittedProbe | None = None


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """What one task's probe scores on the test pairs.

    Attributes:
        cost: C, chosen on the probe-train pairs.
        held_out_accuracy: Mean macro accuracy that won this cost, in [0, 1].
        macro_accuracy: Mean recall over the classes among the test labels, in [0, 1].
        cross_entropy: Bits a pair; infinite if a test label never occurred among probe-train ones.
        roc_auc: Of class 1, for binary tasks; NaN if the test labels hold one class; else None.
        log_probabilities: Natural logarithms [N, C].
        confusion: Counts [C, C], true classes in rows.
        balanced: The class-balanced probe of a binary task. Its probabilities assume equally
            frequent classes, and so does its cross-entropy.
    """

    cost: float
    held_out_accuracy: float
    macro_accuracy: float
    cross_entropy: float
    roc_auc: float | None
    log_probabilities: FloatArray
    confusion: IntArray
    balanced: ProbeResult | None = None


def linear_probe(
    train: ProbeData,
    test: ProbeData,
    folds: Folds,
    *,
    costs: Sequence[float] = DEFAULT_COSTS,
    standardize: bool = True,
) -> dict[str, ProbeResult]:
    """Fit one linear probe a task on the probe-train pairs and score it on the test pairs.

    `fit_probes`, which never sees the test pairs, then `score_probes`, which never fits.

    Args:
        train: Probe-train pairs.
        test: Test pairs, with the same tasks.
        folds: Over the probe-train pairs; see `trifeature.probes.folds`.
        costs: Candidates for C.
        standardize: Standardize the features over the fitted pairs.

    Raises:
        InputError: as `fit_probes` and `score_probes`.
    """
    return score_probes(fit_probes(train, folds, costs=costs, standardize=standardize), test)


def fit_probes(
    train: ProbeData,
    folds: Folds,
    *,
    costs: Sequence[float] = DEFAULT_COSTS,
    standardize: bool = True,
) -> dict[str, FittedProbe]:
    """Choose each task's cost by cross-validation and refit on all probe-train pairs.

    All tasks × costs × folds are one batched optimization (a batch for each number of classes).
    The best mean held-out macro accuracy wins; ties go to the lower held-out cross-entropy, then to
    the lower cost. Binary tasks get a second, class-balanced probe with a cost of its own.

    Args:
        train: Probe-train pairs.
        folds: Over these pairs.
        costs: Candidates for C.
        standardize: Standardize by the mean and scale of the pairs each fold fits on, and of all
            pairs in the end.

    Raises:
        InputError: folds over another number of pairs, no cost, a cost that is not positive, or a
            task with one class.
    """
    features, labels = unpack(train)
    if folds.fit.shape[1] != len(features):
        raise InputError(f"folds over {folds.fit.shape[1]} pairs, but {len(features)} to fit on")
    grid = sorted(set(costs))
    if not grid:
        raise InputError("no cost to choose from")
    variants = _variants(labels)
    scores = _cross_validate(features, labels, variants, grid, folds, standardize=standardize)
    chosen = [_best(accuracy, bits) for accuracy, bits in scores]
    problems = [
        Problem.of(labels[task], grid[k], balanced=balanced)
        for (task, balanced), k in zip(variants, chosen, strict=True)
    ]
    models = fit_problems([Design.of(features, standardize)], problems)
    curves = [dict(zip(grid, accuracy.tolist(), strict=True)) for accuracy, _ in scores]
    return _named(variants, [grid[k] for k in chosen], curves, models, labels)


def score_probes(probes: Mapping[str, FittedProbe], test: ProbeData) -> dict[str, ProbeResult]:
    """Score fitted probes on pairs they have not seen; nothing is fitted or chosen here.

    Raises:
        InputError: another number of features, a task without a probe, or a test label above the
            classes fitted on.
    """
    features, labels = unpack(test)
    if set(labels) != set(probes):
        raise InputError(f"probes of {sorted(probes)}, but test labels of {sorted(labels)}")
    return {task: _score(task, probe, features, labels[task]) for task, probe in probes.items()}


# --------------------------------------------------------------------------- choosing and scoring


def unpack(data: ProbeData) -> tuple[torch.Tensor, dict[str, IntArray]]:
    """Features [N, D] as a tensor and labels [N] as arrays, which `ProbeData` has checked."""
    labels = {task: np.asarray(table).astype(np.int64) for task, table in data.labels.items()}
    return as_features(data.features), labels


def _variants(labels: Mapping[str, IntArray]) -> list[tuple[str, bool]]:
    """Each task, and once more class-balanced if it is binary."""
    plain = [(task, False) for task in labels]
    return plain + [(task, True) for task in labels if labels[task].max() == 1]


def _cross_validate(
    features: torch.Tensor,
    labels: Mapping[str, IntArray],
    variants: Sequence[tuple[str, bool]],
    grid: Sequence[float],
    folds: Folds,
    *,
    standardize: bool,
) -> list[tuple[FloatArray, FloatArray]]:
    """Mean held-out macro accuracy and cross-entropy (bits) of each cost, for each variant."""
    designs = [Design.of(features[torch.from_numpy(mask)], standardize) for mask in folds.fit]
    problems = [
        Problem.of(
            labels[task][mask],
            cost,
            design=f,
            balanced=balanced,
            classes=int(labels[task].max()) + 1,
        )
        for f, mask in enumerate(folds.fit)
        for task, balanced in variants
        for cost in grid
    ]
    models = fit_problems(designs, problems)
    scores = []
    for f, mask in enumerate(folds.validate):
        truths = [labels[task][mask] for task, _ in variants for _ in grid]
        one = models.select(slice(f * len(truths), (f + 1) * len(truths)))
        scores.append(held_out_scores(one, features[torch.from_numpy(mask)], truths))
    mean = np.mean(scores, axis=0).reshape(len(variants), len(grid), 2)
    return [(table[:, 0], table[:, 1]) for table in mean]


def held_out_scores(
    models: LinearModels, features: torch.Tensor, truths: Sequence[IntArray]
) -> list[tuple[float, float]]:
    """Macro accuracy and cross-entropy (bits) of each model on its own labels."""
    tables = models.log_probabilities(features).cpu().numpy()
    return [
        (
            macro_accuracy(labels=t, predictions=p.argmax(axis=1), classes=p.shape[1]),
            cross_entropy(labels=t, log_probabilities=p),
        )
        for t, p in zip(truths, tables, strict=True)
    ]


def _best(accuracy: FloatArray, bits: FloatArray) -> int:
    """Position of the highest accuracy; ties go to fewer bits, then to the first."""
    return min(range(len(accuracy)), key=lambda k: (-accuracy[k], bits[k], k))


def _named(
    variants: Sequence[tuple[str, bool]],
    costs: Sequence[float],
    curves: Sequence[Mapping[float, float]],
    models: LinearModels,
    labels: Mapping[str, IntArray],
) -> dict[str, FittedProbe]:
    """One probe a task, the class-balanced variant inside it."""
    probes: dict[str, FittedProbe] = {}
    # Last first: a task's balanced variant comes after its plain one and goes into it.
    for b, (task, _) in reversed(list(enumerate(variants))):
        C = int(labels[task].max()) + 1
        one = models.select(slice(b, b + 1))
        one = replace(one, weights=one.weights[:, :C], biases=one.biases[:, :C])
        probes[task] = FittedProbe(costs[b], curves[b], one, probes.get(task))
    return {task: probes[task] for task in labels}


def _score(task: str, probe: FittedProbe, features: torch.Tensor, labels: IntArray) -> ProbeResult:
    C = probe.model.biases.shape[1]
    if labels.max() >= C:
        raise InputError(f"task {task!r}: test label {labels.max()}, but fitted on 0 to {C - 1}")
    table: FloatArray = probe.model.log_probabilities(features)[0].cpu().numpy()
    guess = table.argmax(axis=1)
    return ProbeResult(
        cost=probe.cost,
        held_out_accuracy=probe.held_out[probe.cost],
        macro_accuracy=macro_accuracy(labels=labels, predictions=guess, classes=C),
        cross_entropy=cross_entropy(labels=labels, log_probabilities=table),
        roc_auc=roc_auc(labels=labels, scores=table[:, 1] - table[:, 0]) if C == 2 else None,
        log_probabilities=table,
        confusion=confusion(labels=labels, predictions=guess, classes=C),
        balanced=_score(task, probe.balanced, features, labels) if probe.balanced else None,
    )
