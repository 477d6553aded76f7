"""The probe of the published CoMM numbers (Dufumier et al. 2025, their `linear_probe.py`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from trifeature.errors import InputError
from trifeature.probes.inputs import IntArray
from trifeature.probes.linear import (
    FittedProbe,
    ProbeData,
    ProbeResult,
    held_out_scores,
    score_probes,
    unpack,
)
from trifeature.probes.logistic import Design, Problem, fit_problems

ITERATIONS: Final = 100
"""The published probe's limit of L-BFGS steps."""


def official_probe(train: ProbeData, test: ProbeData, *, seed: int = 48) -> dict[str, ProbeResult]:
    """The probe of the published CoMM numbers: `fit_official`, then `score_probes`.

    Raises:
        InputError: as `fit_official` and `score_probes`.
    """
    return score_probes(fit_official(train, seed=seed), test)


def fit_official(train: ProbeData, *, seed: int = 48) -> dict[str, FittedProbe]:
    """Fit the published CoMM probe (Dufumier et al. 2025, their code's `linear_probe.py`).

    It minimizes mean cross-entropy + ½‖W‖₂/C, the norm not squared and the bias free, from zero by
    at most 100 L-BFGS steps on raw features. C is searched on a stratified 60/40 split *of pairs*
    (so held-out pairs share their images with fitted ones), scored by macro accuracy: seven costs
    from 1e-6 to 1e6, then halving intervals of 29 costs within two decades of the best. The
    winner is refitted on all pairs. The split follows the same rule as theirs, not the same draw.

    Args:
        train: Probe-train pairs.
        seed: Decides the split; theirs is 48.

    Raises:
        InputError: a task with fewer than two classes, or a class with fewer than two pairs.
    """
    features, labels = unpack(train)
    return {task: _fit_official_task(task, features, labels[task], seed) for task in labels}


def _fit_official_task(
    task: str, features: torch.Tensor, labels: IntArray, seed: int
) -> FittedProbe:
    """Search C from coarse to fine for one task, then refit on all its pairs."""
    fit = _stratified(task, labels, seed)
    held_out = features[torch.from_numpy(~fit)]
    design = Design.of(features[torch.from_numpy(fit)], standardize=False)
    scores: dict[float, float] = {}

    def accuracies(costs: Sequence[float]) -> list[float]:
        new = [cost for cost in dict.fromkeys(costs) if cost not in scores]
        if new:
            problems = [
                Problem.of(labels[fit], cost, classes=int(labels.max()) + 1) for cost in new
            ]
            models = fit_problems([design], problems, squared=False, iterations=ITERATIONS)
            found = held_out_scores(models, held_out, [labels[~fit]] * len(new))
            scores.update(zip(new, (accuracy for accuracy, _ in found), strict=True))
        return [scores[cost] for cost in costs]

    _coarse_to_fine(accuracies)
    cost = max(scores, key=lambda c: scores[c])
    whole = Design.of(features, standardize=False)
    models = fit_problems([whole], [Problem.of(labels, cost)], squared=False, iterations=ITERATIONS)
    return FittedProbe(cost, scores, models)


def _coarse_to_fine(accuracies: Callable[[Sequence[float]], list[float]]) -> None:
    """Evaluate seven costs over twelve decades, then halve 29 costs around the best down to one."""
    coarse = [10.0**exponent for exponent in range(-6, 7, 2)]
    center = math.log10(coarse[int(np.argmax(accuracies(coarse)))])
    costs = [float(10.0**e) for e in np.linspace(center - 2, center + 2, 29) if -6 <= e <= 6]
    while len(costs) > 1:
        quarter, half = len(costs) // 4, len(costs) // 2
        low, middle, high = accuracies([costs[quarter], costs[half], costs[-len(costs) // 4]])
        if low >= max(middle, high):
            costs = costs[:half]
        elif high >= middle:
            costs = costs[half:]
        else:
            costs = costs[quarter : -len(costs) // 4]


def _stratified(task: str, labels: IntArray, seed: int) -> npt.NDArray[np.bool_]:
    """Mark 60 % of each class at random [N]."""
    generator = np.random.default_rng(seed)
    fit = np.zeros(len(labels), dtype=np.bool_)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        if len(members) < 2:
            raise InputError(f"task {task!r}: class {label} has one pair, too few to split")
        fit[members[: round(0.6 * len(members))]] = True
    return fit
