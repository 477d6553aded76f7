"""What a batch of logistic regressions is made of: samples prepared once, and problems on them.

A *design* is one set of samples with its own mean and scale, turned to its principal axes.
Cross-validation makes a design of each fold's fitted samples: nothing about the held-out ones
enters, not even their mean. A *problem* is one regression on a design: labels, weights, cost.

B problems, N samples, D features, E = D + 1 coordinates (the last is the bias), C classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from trifeature.errors import InputError
from trifeature.probes.lbfgs import Batch

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Features = torch.Tensor | npt.NDArray[np.floating[Any]]
"""Features [N, D]: the optimizer works on their device, and in float64 only if they are float64."""


def checked_features(features: Features) -> torch.Tensor:
    """Features [N, D] as a tensor of float32, or float64 where they are that.

    Raises:
        InputError: features that are not [N, D] and finite.
    """
    points = torch.as_tensor(features).detach()
    if points.ndim != 2 or 0 in points.shape:
        raise InputError(f"features must be [samples, features], not {tuple(points.shape)}")
    if points.dtype != torch.float64:
        points = points.float()
    if not bool(points.isfinite().all()):
        raise InputError("features must be finite")
    return points


@dataclass(frozen=True, eq=False)
class Design:
    """One set of N samples along its principal axes.

    Attributes:
        points: Centered, scaled and rotated features, then a column of ones [N, E].
        spectrum: Mean square of each column [E].
        rotation: Raw features to coordinates [D, D], float64.
        mean: Of the raw features [D], float64.
    """

    points: torch.Tensor
    spectrum: torch.Tensor
    rotation: torch.Tensor
    mean: torch.Tensor

    @classmethod
    def of(cls, features: torch.Tensor, standardize: bool) -> Design:
        """Prepare features [N, D]; centering changes nothing but the free bias."""
        raw = features.double()
        mean = raw.mean(dim=0)
        centered = raw - mean
        scale = _scale(centered, mean) if standardize else torch.ones_like(mean)
        scaled = centered / scale
        spectrum, axes = torch.linalg.eigh(scaled.T @ scaled / len(raw))
        one = torch.ones_like(mean[:1])
        points = torch.cat([scaled @ axes, one.expand(len(raw), 1)], dim=1)
        return cls(
            points=points.to(features.dtype),
            spectrum=torch.cat([spectrum.clamp(min=0), one]).to(features.dtype),
            rotation=axes / scale[:, None],
            mean=mean,
        )

    def raw(self, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights along the axes [B, C, E] to weights and biases of the raw features."""
        inner = weights.double()
        outer = inner[..., :-1] @ self.rotation.T
        return outer, inner[..., -1] - outer @ self.mean


def _scale(centered: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """Standard deviation of each feature, 1 for constant ones (the rule of scikit-learn)."""
    N = len(centered)
    epsilon = torch.finfo(centered.dtype).eps
    variance = centered.square().mean(dim=0)
    constant = variance <= N * epsilon * variance + (N * mean * epsilon).square()
    return torch.where(constant, 1.0, variance.sqrt())


class Problem(NamedTuple):
    """One regression.

    Attributes:
        design: The number of its design.
        labels: From 0 [N].
        weights: Of the samples, at least 0 [N].
        cost: In scikit-learn's convention.
        classes: C, those among the labels or more.
    """

    design: int
    labels: IntArray
    weights: FloatArray
    cost: float
    classes: int

    @classmethod
    def of(
        cls,
        labels: npt.NDArray[Any],
        cost: float,
        *,
        design: int = 0,
        balanced: bool = False,
        classes: int | None = None,
        weights: FloatArray | None = None,
    ) -> Problem:
        """Check one problem's labels [N], weights [N] and cost, and weight its classes.

        Raises:
            InputError: labels that are not integers from 0, fewer than two classes, or a cost or
                weights out of range.
        """
        if labels.dtype.kind not in "iub" or labels.min() < 0:
            raise InputError("labels must be integers from 0")
        whole = labels.astype(np.int64)
        count = class_count(whole) if classes is None else classes
        if count < 2:
            raise InputError("a probe needs at least two classes among its labels")
        if not (math.isfinite(cost) and cost > 0):
            raise InputError(f"a cost must be positive and finite, not {cost}")
        if weights is None:
            weights = np.ones(len(whole))
        if not np.isfinite(weights).all() or weights.min() < 0 or weights.sum() == 0:
            raise InputError("sample weights must be finite, at least 0 and not all 0")
        if balanced:
            mass = np.bincount(whole, weights=weights)
            share = np.count_nonzero(mass) * mass.clip(1e-300)
            weights = weights * (weights.sum() / share)[whole]
        return cls(design, whole, weights, float(cost), count)


def class_count(labels: IntArray) -> int:
    """How many classes labels from 0 [N] have."""
    return int(labels.max()) + 1


def stack(problems: Sequence[Problem], like: torch.Tensor, squared: bool) -> Batch:
    """Pad and stack problems for the optimizer; arithmetic that scales them is done in float64.

    Args:
        problems: Of equally many classes, in order of their designs.
        like: A tensor whose device and type the batch takes.
        squared: Whether the penalty is on the squared norm.
    """
    N, C = max(len(problem.labels) for problem in problems), problems[0].classes
    labels = np.zeros((len(problems), N), dtype=np.int64)
    weights = np.zeros((len(problems), N))
    share = np.zeros((len(problems), C))
    for b, problem in enumerate(problems):
        labels[b, : len(problem.labels)] = problem.labels
        weights[b, : len(problem.labels)] = problem.weights / problem.weights.sum()
        share[b] = np.bincount(labels[b], weights=weights[b], minlength=C)
    total = np.array([problem.weights.sum() for problem in problems])
    cost = np.array([problem.cost for problem in problems])
    # Two softmax columns need half the cost of one sigmoid: see `trifeature.probes.regression`.
    strength = 1.0 / (cost * total / (2.0 if C == 2 else 1.0)) if squared else 1.0 / cost
    return Batch(
        design=torch.tensor([problem.design for problem in problems], device=like.device),
        labels=torch.from_numpy(labels).to(like.device)[:, None, :],
        weights=torch.from_numpy(weights).to(like),
        absent=torch.from_numpy(np.where(share > 0, 0.0, -math.inf)).to(like),
        strength=torch.from_numpy(strength).to(like),
        curvature=torch.from_numpy((1 - np.square(share).sum(axis=1)) / (C - 1)).to(like),
    )
