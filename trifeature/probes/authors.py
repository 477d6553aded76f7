"""The probe of the published CoMM numbers (Dufumier et al. 2025, their `linear_probe.py`).

N samples, D features, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trifeature.errors import InputError
from trifeature.probes.inputs import IntArray
from trifeature.probes.logistic import Design, LinearModels, Problem, fit_problems
from trifeature.probes.metrics import macro_accuracy

ITERATIONS: Final = 100
"""The published probe's maximum of L-BFGS iterations."""

SEED: Final = 48
"""Of their split and of their random views."""


class AuthorsProbe(NamedTuple):
    """The chosen cost, the held-out macro accuracy of every cost tried, and the model (B = 1)."""

    cost: float
    held_out: Mapping[float, float]
    model: LinearModels


def fit_authors(
    features: Tensor, labels: IntArray, classes: int, *, task: str = "label", seed: int = SEED
) -> AuthorsProbe:
    """Fit the published CoMM probe to features [N, D] and labels [N].

    It minimizes mean cross-entropy + ½‖W‖₂/C, the norm not squared and the bias free, from zero by
    at most 100 L-BFGS iterations on raw features. C is searched on a stratified 60/40 split *of
    samples* (so held-out samples share their items with fitted ones), scored by macro accuracy:
    seven costs from 1e-6 to 1e6, then halving intervals of 29 costs within two decades of the best.
    The best cost is refitted on all samples. The split follows the same rule as theirs, not the
    same draw.

    Args:
        features: [N, D].
        labels: From 0 to C − 1 [N].
        classes: C.
        task: Name of the label, for errors.
        seed: Decides the split; theirs is 48.

    Raises:
        InputError: fewer than two classes, or a class with one sample.
    """
    fit = _stratified(task, labels, seed)
    held_out, truth = features[torch.from_numpy(~fit)], labels[~fit]
    design = Design.of(features[torch.from_numpy(fit)], standardize=False)
    scores: dict[float, float] = {}

    def accuracies(costs: Sequence[float]) -> list[float]:
        new = [cost for cost in dict.fromkeys(costs) if cost not in scores]
        if new:
            problems = [Problem.of(labels[fit], cost, classes=classes) for cost in new]
            models = fit_problems([design], problems, squared=False, iterations=ITERATIONS)
            guesses = models.log_probabilities(held_out).cpu().numpy().argmax(axis=2)
            for cost, guess in zip(new, guesses, strict=True):
                scores[cost] = macro_accuracy(labels=truth, predictions=guess, classes=classes)
        return [scores[cost] for cost in costs]

    _coarse_to_fine(accuracies)
    cost = max(scores, key=lambda c: scores[c])
    whole = Design.of(features, standardize=False)
    problems = [Problem.of(labels, cost, classes=classes)]
    model = fit_problems([whole], problems, squared=False, iterations=ITERATIONS)
    return AuthorsProbe(cost, scores, model)


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
            raise InputError(f"task {task!r}: class {label} has one sample, too few to split")
        fit[members[: round(0.6 * len(members))]] = True
    return fit
