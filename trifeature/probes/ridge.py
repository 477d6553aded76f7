"""Probes of tasks of numbers: ridge regression, its penalty chosen on held-out samples.

The objective is that of scikit-learn's `Ridge`, Σ_i ‖y_i − W x_i − b‖² + α‖W‖², with a free bias.
One decomposition of the samples gives the solutions for all α. With X and Y centered and
[X | Y] = Q R, the columns of R pose the same problem with as few rows as there are columns; where
its features are U S Vᵀ, the weights are V S (S² + α)⁻¹ Uᵀ times its numbers. Everything is float64.

N samples, D features, K outputs, A penalties.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from torch import Tensor

from trifeature.checks import require_number
from trifeature.errors import InputError
from trifeature.probes.folds import Folds
from trifeature.probes.inputs import Features, FloatArray, as_features, scale_of
from trifeature.probes.metrics import mean_known, mean_squared_errors, pearson, r_squared

ALPHAS: Final = tuple(10.0**exponent for exponent in range(-6, 7, 2))
"""Candidates for α, in scikit-learn's convention (a sum over the samples); the authors' seven."""


@dataclass(frozen=True, eq=False)
class RidgePath:
    """Ridge regressions on the same samples, one for each of A penalties.

    Attributes:
        weights: Of the raw features, float64 [A, D, K].
        center: Mean of the features [D].
        mean: Mean of the numbers, the prediction at `center` [K].
    """

    weights: Tensor
    center: Tensor
    mean: Tensor

    @classmethod
    def fit(
        cls,
        features: Tensor,
        numbers: FloatArray,
        alphas: Sequence[float],
        *,
        standardize: bool = True,
    ) -> RidgePath:
        """Fit to features [N, D] and numbers [N, K].

        Args:
            features: [N, D].
            numbers: [N, K].
            alphas: Penalties, above 0 [A].
            standardize: Bring every feature to mean 0 and standard deviation 1 first; the penalty
                applies to the weights of the standardized features.
        """
        raw, outputs = features.double(), torch.from_numpy(numbers).to(features.device)
        center, mean = raw.mean(0), outputs.mean(0)
        centered = raw - center
        scale = scale_of(centered, center) if standardize else torch.ones_like(center)
        both = torch.cat([centered / scale, outputs - mean], dim=1)
        small = torch.linalg.qr(both, mode="r").R  # of as few rows as there are columns
        D = raw.shape[1]
        U, S, Vh = torch.linalg.svd(small[:, :D], full_matrices=False)
        shrunk = torch.stack([S / (S.square() + alpha) for alpha in alphas])
        weights = Vh.T @ (shrunk[:, :, None] * (U.T @ small[:, D:]))
        return cls(weights / scale[:, None], center, mean)

    def predict(self, features: Features) -> FloatArray:
        """The predictions of features [N, D] for every penalty [A, N, K]."""
        points = as_features(features).to(self.weights) - self.center
        found: FloatArray = (points @ self.weights + self.mean).cpu().numpy()
        return found


@dataclass(frozen=True, eq=False)
class FittedRidge:
    """The probe of one task of numbers.

    Attributes:
        path: The regression of the chosen penalty alone (A = 1).
        alpha: The chosen penalty.
        held_out: Held-out mean squared error, the sum over the outputs, of every penalty.
    """

    path: RidgePath
    alpha: float
    held_out: dict[float, float]


@dataclass(frozen=True, eq=False)
class NumbersResult:
    """The scores of a task of numbers on the test samples.

    Attributes:
        alpha: The chosen penalty.
        held_out_error: Held-out mean squared error of cross-validation, the mean over the outputs.
        errors: Mean squared error of each output, in the square of its unit [K].
        constant_errors: The same of the fitted samples' mean, whatever the features are [K].
        r_squares: 1 − error / variance of each output, at most 1 [K]; NaN for an output that is
            constant among the test samples.
        correlations: Pearson's, of predictions with numbers [K]; NaN where either is constant.
        predictions: [N, K].
    """

    alpha: float
    held_out_error: float
    errors: FloatArray = field(repr=False)
    constant_errors: FloatArray = field(repr=False)
    r_squares: FloatArray = field(repr=False)
    correlations: FloatArray = field(repr=False)
    predictions: FloatArray = field(repr=False)

    @property
    def mse(self) -> float:
        """Mean squared error, the mean over the outputs."""
        return float(self.errors.mean())

    @property
    def r2(self) -> float:
        """R², the mean over the outputs that vary."""
        return mean_known(self.r_squares)

    @property
    def correlation(self) -> float:
        """Pearson's correlation, the mean over the outputs where neither side is constant."""
        return mean_known(self.correlations)


def fit_ridge(
    features: Tensor,
    numbers: FloatArray,
    folds: Folds,
    alphas: Sequence[float] = ALPHAS,
    *,
    standardize: bool = True,
) -> FittedRidge:
    """Choose the penalty on held-out samples and refit on all of them.

    The penalty with the lowest held-out squared error wins, summed over the outputs in their own
    units as by the authors of CoMM; ties go to the lower penalty.

    Args:
        features: [N, D].
        numbers: [N, K].
        folds: Over these samples.
        alphas: Candidates.
        standardize: See `RidgePath.fit`.

    Raises:
        InputError: no penalty, a penalty that is not positive, or numbers that are all constant.
    """
    grid = sorted({require_number("alpha", alpha, above=0) for alpha in alphas})
    if not grid:
        raise InputError("no alpha to choose from")
    if (numbers == numbers[:1]).all():
        raise InputError("the numbers are constant: there is nothing to tell apart")
    lost = np.zeros(len(grid))
    for fit, validate in zip(folds.fit, folds.validate, strict=True):
        fitted = features[torch.from_numpy(fit)]
        path = RidgePath.fit(fitted, numbers[fit], grid, standardize=standardize)
        found = path.predict(features[torch.from_numpy(validate)])
        lost += np.square(found - numbers[validate]).sum((1, 2))
    held_out = dict(zip(grid, (lost / folds.validate.sum()).tolist(), strict=True))
    alpha = min(grid, key=lambda one: held_out[one])
    whole = RidgePath.fit(features, numbers, [alpha], standardize=standardize)
    return FittedRidge(whole, alpha, held_out)


def score_ridge(probe: FittedRidge, features: Tensor, numbers: FloatArray) -> NumbersResult:
    """Score a fitted probe on samples that it has not seen [N, D], with numbers [N, K]."""
    (guess,) = probe.path.predict(features)
    constant = np.broadcast_to(probe.path.mean.cpu().numpy(), numbers.shape)
    return NumbersResult(
        alpha=probe.alpha,
        held_out_error=probe.held_out[probe.alpha] / numbers.shape[1],
        errors=mean_squared_errors(numbers=numbers, predictions=guess),
        constant_errors=mean_squared_errors(numbers=numbers, predictions=constant),
        r_squares=r_squared(numbers=numbers, predictions=guess),
        correlations=pearson(numbers=numbers, predictions=guess),
        predictions=guess,
    )
