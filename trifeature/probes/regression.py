"""Multinomial logistic regression, hundreds of problems at once.

**The objective** is scikit-learn's `LogisticRegression`: C·Σ_i w_i·CE_i + ½‖W‖², the bias free,
features standardized over the samples fitted on. The cost C multiplies a *sum* over samples, so it
is not normalized by their number. For two classes scikit-learn penalizes one vector w under a
sigmoid; two softmax columns ±w/2 give the same probabilities at ‖W‖² = ‖w‖²/2, so halving C here
makes the two the same problem and C mean the same.

`trifeature.probes.lbfgs` minimizes the weighted *mean* cross-entropy plus the penalty over C·Σw,
which has the same minimum.

B problems, N samples, D features, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from trifeature.errors import InputError
from trifeature.probes.designs import (
    Design,
    Features,
    FloatArray,
    IntArray,
    Problem,
    checked_features,
    stack,
)
from trifeature.probes.lbfgs import Stop, minimize


@dataclass(frozen=True, eq=False)
class LinearModels:
    """B fitted linear classifiers over the same features.

    Attributes:
        weights: In the units of the raw features [B, C, D], float64; zero for classes a problem
            does not have.
        biases: [B, C], float64; minus infinity for classes without a fitted sample.
        gradients: Largest absolute entry of the objective's gradient at the end [B].
    """

    weights: torch.Tensor
    biases: torch.Tensor
    gradients: torch.Tensor

    def take(self, rows: slice) -> LinearModels:
        """Some of the models, in order."""
        return LinearModels(self.weights[rows], self.biases[rows], self.gradients[rows])

    def log_probabilities(self, features: Features) -> torch.Tensor:
        """Natural logarithm of each class's probability [B, N, C] of features [N, D].

        Raises:
            InputError: `features` is not [N, D] and finite.
        """
        points = checked_features(features).to(self.weights)
        if points.shape[1] != self.weights.shape[2]:
            raise InputError(
                f"fitted on {self.weights.shape[2]} features, asked about {points.shape[1]}"
            )
        logits = points @ self.weights.transpose(1, 2) + self.biases[:, None, :]
        return logits.log_softmax(dim=-1)


def fit_many(
    features: Features,
    labels: npt.ArrayLike,
    costs: Sequence[float],
    *,
    sample_weights: npt.ArrayLike | None = None,
    balanced: Sequence[bool] | None = None,
    standardize: bool = True,
    tolerance: float = 1e-5,
    iterations: int = 1000,
) -> LinearModels:
    """Fit B logistic regressions on the same features in one batched optimization.

    Problem b has the classes 0 … max(labels[b]); problems with equally many classes share a batch.

    Args:
        features: [N, D].
        labels: Class of each sample in each problem [B, N].
        costs: C of each problem, in scikit-learn's convention [B].
        sample_weights: Weight of each sample in each problem [B, N], at least 0; a sample of weight
            0 is left out (but still counts for the mean and scale of the features). Default 1.
        balanced: Whether each problem weights its classes equally, as
            `class_weight="balanced"` does [B]. Default no.
        standardize: Bring every feature to mean 0 and standard deviation 1 first; constant
            features become 0. The penalty applies to the weights of the standardized features.
        tolerance: A problem stops when no entry of its gradient (of mean cross-entropy in nats,
            with respect to weights along principal axes) exceeds this.
        iterations: The most L-BFGS steps of any problem.

    Raises:
        InputError: shapes that disagree, features that are not finite, a cost or weight out of
            range, or a problem with fewer than two classes.
    """
    points = checked_features(features)
    table = np.atleast_2d(np.asarray(labels))
    B, N = table.shape
    if len(points) != N or len(costs) != B:
        raise InputError(f"{len(points)} samples and {len(costs)} costs, but labels are {B} × {N}")
    weights = np.ones((B, N)) if sample_weights is None else np.asarray(sample_weights, np.float64)
    if weights.shape != (B, N):
        raise InputError(f"sample_weights must be {B} × {N}, not of shape {weights.shape}")
    chosen = [False] * B if balanced is None else list(balanced)
    if len(chosen) != B:
        raise InputError(f"balanced has {len(chosen)} entries for {B} problems")
    problems = [
        Problem.of(table[b], costs[b], balanced=chosen[b], weights=weights[b]) for b in range(B)
    ]
    design = Design.of(points, standardize)
    return fit_problems([design], problems, Stop(tolerance, iterations))


class LogisticProbe:
    """One logistic regression with scikit-learn's contract, objective and predictions.

    Args:
        cost: C, in scikit-learn's convention.
        balanced: Weight the classes equally (`class_weight="balanced"`).
        standardize: Standardize the features first (a pipeline with `StandardScaler`).

    Attributes:
        classes_: The distinct labels, in order [C].
        coef_: Weights of the raw features [C, D]; two rows for two classes.
        intercept_: Biases [C].
    """

    def __init__(
        self, cost: float = 1.0, *, balanced: bool = False, standardize: bool = True
    ) -> None:
        self.cost = cost
        self.balanced = balanced
        self.standardize = standardize

    def fit(
        self,
        features: Features,
        labels: npt.ArrayLike,
        sample_weights: npt.ArrayLike | None = None,
    ) -> LogisticProbe:
        """Fit to features [N, D] and labels [N] (any integers), weights [N] optional.

        Raises:
            InputError: as `fit_many`.
        """
        self.classes_, codes = np.unique(np.asarray(labels), return_inverse=True)
        self.models_ = fit_many(
            features,
            codes[None],
            [self.cost],
            sample_weights=None if sample_weights is None else np.asarray(sample_weights)[None],
            balanced=[self.balanced],
            standardize=self.standardize,
        )
        self.coef_: FloatArray = self.models_.weights[0].cpu().numpy()
        self.intercept_: FloatArray = self.models_.biases[0].cpu().numpy()
        return self

    def predict_log_proba(self, features: Features) -> FloatArray:
        """Natural logarithm of each class's probability [N, C]."""
        table: FloatArray = self.models_.log_probabilities(features)[0].cpu().numpy()
        return table

    def predict(self, features: Features) -> IntArray:
        """The likeliest class of each sample [N], as an entry of `classes_`."""
        best: IntArray = self.classes_[self.predict_log_proba(features).argmax(axis=1)]
        return best


def fit_problems(
    designs: Sequence[Design], problems: Sequence[Problem], stop: Stop, *, squared: bool = True
) -> LinearModels:
    """Fit all problems, those with equally many classes in one batch.

    Args:
        designs: The sets of samples.
        problems: Each names its design by its place.
        stop: When a problem is done.
        squared: Penalize the squared norm of the weights, or the norm itself.

    Returns:
        The models in the order of the problems.
    """
    C, D = max(problem.classes for problem in problems), len(designs[0].mean)
    device = designs[0].points.device
    weights = torch.zeros(len(problems), C, D, dtype=torch.float64, device=device)
    biases = torch.full((len(problems), C), -math.inf, dtype=torch.float64, device=device)
    gradients = torch.zeros(len(problems), dtype=torch.float64, device=device)
    points, spectra = [d.points for d in designs], [d.spectrum for d in designs]
    for count in sorted({problem.classes for problem in problems}):
        members = [b for b, problem in enumerate(problems) if problem.classes == count]
        members.sort(key=lambda b: problems[b].design)
        batch = stack([problems[b] for b in members], designs[0].points, squared)
        solution, gradient = minimize(points, spectra, batch, stop, squared=squared)
        for g, design in enumerate(designs):
            mine = (batch.design == g).nonzero().flatten()
            where = torch.tensor(members, device=device)[mine]
            outer, bias = design.raw(solution[mine].reshape(-1, count, D + 1))
            weights[where, :count] = outer
            biases[where, :count] = bias + batch.absent[mine]
            gradients[where] = gradient[mine].double()
    return LinearModels(weights, biases, gradients)
