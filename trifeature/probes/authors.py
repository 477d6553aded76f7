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
from torch.nn.functional import cross_entropy, linear

from trifeature.errors import InputError
from trifeature.probes.inputs import IntArray
from trifeature.probes.logistic import LinearModels
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

    C is searched on a stratified 60/40 split *of samples* (so held-out samples share their items
    with fitted ones), scored by macro accuracy: seven costs from 1e-6 to 1e6, then halving
    intervals of 29 costs within two decades of the best. The best cost, of equal ones the first
    tried, is refitted on all samples. Each fit is a `fit_published`. The split follows the same
    rule as theirs, not the same draw.

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
    fitted, known = features[torch.from_numpy(fit)], labels[fit]
    scores: dict[float, float] = {}

    def accuracies(costs: Sequence[float]) -> list[float]:
        for cost in costs:
            if cost not in scores:
                model = fit_published(fitted, known, cost, classes)
                guess = model.log_probabilities(held_out)[0].cpu().numpy().argmax(axis=1)
                scores[cost] = macro_accuracy(labels=truth, predictions=guess, classes=classes)
        return [scores[cost] for cost in costs]

    _coarse_to_fine(accuracies)
    cost = max(scores, key=lambda c: scores[c])
    return AuthorsProbe(cost, scores, fit_published(features, labels, cost, classes))


def fit_published(features: Tensor, labels: IntArray, cost: float, classes: int) -> LinearModels:
    """Minimize mean cross-entropy + ½‖W‖₂/C as the published probe does, and as far.

    The norm is not squared and the bias free. From zero, on raw features, `torch.optim.LBFGS`
    takes at most 100 iterations, or 125 evaluations, and so stops far from the minimum.

    Args:
        features: [N, D].
        labels: From 0 to C − 1 [N].
        cost: Of the penalty.
        classes: C.
    """
    with torch.inference_mode(False), torch.enable_grad():
        points = features.detach().clone()  # extracted in inference mode, which keeps no gradients
        truth = torch.from_numpy(labels).to(points.device)
        weights = points.new_zeros(classes, points.shape[1]).requires_grad_()
        biases = points.new_zeros(classes).requires_grad_()
        optimizer = torch.optim.LBFGS(
            [weights, biases], max_iter=ITERATIONS, line_search_fn="strong_wolfe"
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            fit = cross_entropy(linear(points, weights, biases), truth)
            loss: Tensor = fit + 0.5 / cost * weights.norm()
            loss.backward()
            return loss

        optimizer.step(closure)
        closure()  # for the gradient where it stopped
        slopes = torch.cat([x.grad.flatten() for x in (weights, biases) if x.grad is not None])
    ends = [x.detach().double()[None] for x in (weights, biases)]
    return LinearModels(ends[0], ends[1], slopes.abs().amax().double()[None])


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
