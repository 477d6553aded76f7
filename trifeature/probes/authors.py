"""The probes of the published CoMM numbers (Dufumier et al. 2025, their `linear_probe.py`).

Classes by their own L-BFGS, many labels by scikit-learn's `LogisticRegression` with its default of
100 iterations, numbers by its `Ridge`; all of raw features. Where the authors choose by a file of
validation samples, 40 % of the samples to fit on stand for it here: see `authors_fold`.

N samples, D features, C classes, or labels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from scipy.special import expit
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from trifeature.errors import InputError
from trifeature.probes.folds import Folds, group_split
from trifeature.probes.inputs import FloatArray, IntArray
from trifeature.probes.logistic import LinearModels
from trifeature.probes.many_labels import (
    FittedLabels,
    LabelModels,
    f1_at_half,
    require_varied,
)
from trifeature.probes.metrics import macro_accuracy, mean_known

ITERATIONS: Final = 100
"""The published probe's maximum of L-BFGS iterations."""

SEED: Final = 48
"""Of their split and of their random views."""

SHARE: Final = 0.6
"""Of the samples that are fitted on, where the others choose the cost or the penalty."""

COARSE: Final = tuple(10.0**exponent for exponent in range(-6, 7, 2))
"""Their costs; for classes they then search around the best of them."""


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

    The optimizer's vectors are on the CPU, wherever the features are: an iteration takes hundreds
    of products of vectors and waits for the result of each.

    Args:
        features: [N, D].
        labels: From 0 to C − 1 [N].
        cost: Of the penalty.
        classes: C.
    """
    with torch.inference_mode(False), torch.enable_grad():
        points = features.detach().clone()  # extracted in inference mode, which keeps no gradients
        truth = torch.from_numpy(labels).to(points.device)
        weights = torch.zeros(classes, points.shape[1], dtype=points.dtype).requires_grad_()
        biases = torch.zeros(classes, dtype=points.dtype).requires_grad_()
        optimizer = torch.optim.LBFGS(
            [weights, biases], max_iter=ITERATIONS, line_search_fn="strong_wolfe"
        )

        def closure() -> Tensor:
            there = [x.detach().to(points.device).requires_grad_() for x in (weights, biases)]
            fit = cross_entropy(linear(points, *there), truth)
            loss: Tensor = fit + 0.5 / cost * there[0].norm()
            weights.grad, biases.grad = (x.cpu() for x in torch.autograd.grad(loss, there))
            return loss

        optimizer.step(closure)
        closure()  # for the gradient where it stopped
        slopes = torch.cat([x.grad.flatten() for x in (weights, biases) if x.grad is not None])
    ends = [x.detach().double()[None] for x in (weights, biases, slopes.abs().amax())]
    return LinearModels(*(x.to(points.device) for x in ends))


def _coarse_to_fine(accuracies: Callable[[Sequence[float]], list[float]]) -> None:
    """Evaluate seven costs over twelve decades, then halve 29 costs around the best down to one."""
    center = math.log10(COARSE[int(np.argmax(accuracies(COARSE)))])
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
        fit[members[: round(SHARE * len(members))]] = True
    return fit


# --------------------------------------------------------------------------- many labels


def authors_fold(samples: int, groups: npt.ArrayLike | None) -> Folds:
    """The one fold by which costs of many labels and penalties of numbers are chosen.

    The authors validate on other films, or other files of robot trajectories, so where the samples
    have groups, whole groups are held out.

    Args:
        samples: N.
        groups: As `group_split`; None: each sample is a group of its own.

    Raises:
        InputError: too few samples or groups.
    """
    return group_split(np.arange(samples) if groups is None else groups, share=SHARE, seed=SEED)


def fit_authors_labels(features: Tensor, labels: IntArray, fold: Folds) -> FittedLabels:
    """Fit the published probe of many labels to features [N, D] and labels 0 and 1 [N, C].

    One of the seven costs 1e-6, 1e-4, …, 1e6 is chosen for all labels, by macro F1 at a probability
    of ½ on the validation samples of the fold; of equal ones the first. All samples weigh the same.

    Raises:
        InputError: no label that some samples have and others lack.
    """
    require_varied(labels)
    fit, validate = fold.fit[0], fold.validate[0]
    held_out = features[torch.from_numpy(validate)]
    scores = {}
    for cost in COARSE:
        models = _fit_each(features[torch.from_numpy(fit)], labels[fit], cost)
        scores[cost] = mean_known(f1_at_half(models.log_odds(held_out), labels[validate]))
    cost = max(scores, key=lambda c: np.nan_to_num(scores[c]))
    models = _fit_each(features, labels, cost)
    return FittedLabels(models, (cost,) * labels.shape[1], scores[cost])


def _fit_each(features: Tensor, labels: IntArray, cost: float) -> LabelModels:
    """A regression of each label."""
    points = features.double().cpu().numpy()
    found = [fit_scikit(points, column, cost) for column in labels.T]
    weights = torch.from_numpy(np.stack([weights for weights, _ in found]))
    biases = torch.tensor([bias for _, bias in found], dtype=torch.float64)
    return LabelModels(weights.to(features.device), biases.to(features.device))


def fit_scikit(features: FloatArray, labels: IntArray, cost: float) -> tuple[FloatArray, float]:
    """Weights [D] and bias of scikit-learn's `LogisticRegression(C=cost, max_iter=100)`, as far.

    The objective is mean log loss + ½‖w‖²/(C·N), the optimizer SciPy's L-BFGS-B from zero with
    scikit-learn's tolerances. Raw features of unequal scales stop it before the minimum.

    Args:
        features: [N, D].
        labels: 0 and 1 [N]. Of one value alone: the bias is infinite.
        cost: C.
    """
    N, D = features.shape
    if (labels == labels[0]).all():
        return np.zeros(D), math.inf if labels[0] else -math.inf

    def loss(flat: FloatArray) -> tuple[float, FloatArray]:
        weights, odds = flat[:D], features @ flat[:D] + flat[D]
        residuals = (expit(odds) - labels) / N
        value = float((np.logaddexp(0, odds) - labels * odds).mean())
        slopes = np.append(features.T @ residuals + weights / (cost * N), residuals.sum())
        return value + float(weights @ weights) / (2 * cost * N), slopes

    limits = {"maxiter": ITERATIONS, "maxls": 50, "gtol": 1e-4, "ftol": 64 * np.finfo(float).eps}
    flat = minimize(loss, np.zeros(D + 1), jac=True, method="L-BFGS-B", options=limits).x
    return flat[:D], float(flat[D])
