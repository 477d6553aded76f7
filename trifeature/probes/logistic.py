"""Multinomial logistic regression: `LogisticProbe` for one, `fit_many` for hundreds at once.

The objective is that of scikit-learn's `LogisticRegression`, C·Σ_i w_i·CE_i + ½‖W‖², with free
biases. The cost C multiplies a *sum* over samples. For two classes scikit-learn penalizes one
vector w under a sigmoid; two softmax columns ±w/2 give the same probabilities at ‖W‖² = ‖w‖²/2, so
half the cost here makes the two problems the same and C mean the same.

Features are first standardized over the samples fitted on. The optimizer, `_lbfgs`, minimizes the
objective divided by C·Σw: a weighted *mean* of cross-entropies plus a penalty λ = 1/(C·Σw).

B problems, N samples, D features, E = D + 1 coordinates (the last is the bias), C classes.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trifeature.checks import as_array, require_number
from trifeature.errors import InputError
from trifeature.probes._lbfgs import Problems, minimize
from trifeature.probes.inputs import (
    Features,
    FloatArray,
    IntArray,
    Labels,
    as_codes,
    as_features,
    scale_of,
)

# --------------------------------------------------------------------------- fitted models


@dataclass(frozen=True, eq=False)
class LinearModels:
    """B fitted linear classifiers over the same features.

    Attributes:
        weights: Of the raw features [B, C, D], float64; zero for classes that a problem lacks.
        biases: [B, C], float64; minus infinity for classes without a fitted sample.
        gradients: Largest absolute entry of the objective's gradient at the end [B].
    """

    weights: Tensor
    biases: Tensor
    gradients: Tensor

    def select(self, problems: slice) -> LinearModels:
        """Some of the models, in order."""
        return LinearModels(self.weights[problems], self.biases[problems], self.gradients[problems])

    def of_classes(self, classes: int) -> LinearModels:
        """The models of the first classes alone, for problems that have no others."""
        return replace(self, weights=self.weights[:, :classes], biases=self.biases[:, :classes])

    def log_probabilities(self, features: Features) -> Tensor:
        """Natural logarithm of each class's probability [B, N, C] of features [N, D].

        Raises:
            InputError: features that are not finite, or not as many as fitted on.
        """
        points = as_features(features).to(self.weights)
        if points.shape[1] != self.weights.shape[2]:
            raise InputError(
                f"fitted on {self.weights.shape[2]} features, asked about {points.shape[1]}"
            )
        logits = points @ self.weights.transpose(1, 2) + self.biases[:, None, :]
        return logits.log_softmax(dim=-1)


class LogisticProbe:
    """One logistic regression, an estimator as scikit-learn defines it.

    It works in scikit-learn's `clone`, `Pipeline`, `cross_val_score` and `GridSearchCV`, without
    needing scikit-learn.

    Args:
        cost: C, in scikit-learn's convention.
        balanced: Weight the classes equally (`class_weight="balanced"`).
        standardize: Standardize the features first (a pipeline with `StandardScaler`).

    Attributes:
        classes_: The distinct labels, in order [C].
        coef_: Weights of the raw features [C, D]; two rows for two classes.
        intercept_: Biases [C].
        n_features_in_: D.
    """

    _estimator_type = "classifier"  # read by scikit-learn before 1.6

    def __init__(
        self, cost: float = 1.0, *, balanced: bool = False, standardize: bool = True
    ) -> None:
        self.cost = cost
        self.balanced = balanced
        self.standardize = standardize

    def __sklearn_tags__(self) -> Any:
        """Tags that scikit-learn asks of a classifier; only it calls this, so it is loaded."""
        utils = sys.modules["sklearn.utils"]
        target = utils.TargetTags(required=True)
        return utils.Tags("classifier", target, classifier_tags=utils.ClassifierTags())

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002 - the contract's
        """The constructor's arguments by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **parameters: Any) -> LogisticProbe:
        """Change constructor arguments.

        Raises:
            InputError: there is no such argument.
        """
        known = self.get_params()
        for name, value in parameters.items():
            if name not in known:
                raise InputError(f"no parameter {name!r} (one of {', '.join(known)})")
            setattr(self, name, value)
        return self

    def fit(
        self, features: Features, labels: Labels, sample_weight: Any | None = None
    ) -> LogisticProbe:
        """Fit to features [N, D] and labels [N], with weights [N] if given.

        Raises:
            InputError: as `fit_many` and `as_codes`.
        """
        self.classes_, codes = as_codes(labels)
        self.models_ = fit_many(
            features,
            codes[None],
            [self.cost],
            sample_weights=None if sample_weight is None else as_array(sample_weight)[None],
            balanced=[self.balanced],
            standardize=self.standardize,
        )
        self.coef_: FloatArray = self.models_.weights[0].cpu().numpy()
        self.intercept_: FloatArray = self.models_.biases[0].cpu().numpy()
        self.n_features_in_ = self.coef_.shape[1]
        return self

    def decision_function(self, features: Features) -> FloatArray:
        """Log-odds of the second of two classes [N]; otherwise log-probabilities [N, C]."""
        table = self.predict_log_proba(features)
        return table[:, 1] - table[:, 0] if table.shape[1] == 2 else table

    def predict_log_proba(self, features: Features) -> FloatArray:
        """Natural logarithm of each class's probability [N, C]."""
        if not hasattr(self, "models_"):
            raise InputError("this LogisticProbe is not fitted: call fit(features, labels) first")
        table: FloatArray = self.models_.log_probabilities(features)[0].cpu().numpy()
        return table

    def predict_proba(self, features: Features) -> FloatArray:
        """Probability of each class [N, C]."""
        return np.exp(self.predict_log_proba(features))

    def predict(self, features: Features) -> npt.NDArray[Any]:
        """The most probable class of each sample [N], as an entry of `classes_`."""
        table = self.predict_log_proba(features)
        best: npt.NDArray[Any] = self.classes_[table.argmax(axis=1)]
        return best

    def score(self, features: Features, labels: Labels, sample_weight: Any | None = None) -> float:
        """Fraction of samples classified rightly, weighted if weights [N] are given."""
        right = self.predict(features) == as_array(labels)
        return float(np.average(right, weights=sample_weight))


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
        labels: Class of each sample in each problem, from 0 [B, N].
        costs: C of each problem, in scikit-learn's convention [B].
        sample_weights: Weight of each sample in each problem [B, N], at least 0; a sample of weight
            0 is left out (but still counts for the mean and scale of the features). Default 1.
        balanced: Whether each problem weights its classes equally, as
            `class_weight="balanced"` does [B]. Default no.
        standardize: Bring every feature to mean 0 and standard deviation 1 first; constant
            features become 0. The penalty applies to the weights of the standardized features.
        tolerance: A problem is converged when no entry of its gradient (of mean cross-entropy in
            nats, with respect to weights along principal axes) exceeds this.
        iterations: The maximum of L-BFGS iterations of any problem.

    Raises:
        InputError: shapes that disagree, features that are not finite, a cost or weight out of
            range, or a problem with fewer than two classes.
    """
    points = as_features(features)
    table = np.atleast_2d(as_array(labels))
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
    designs = [Design.of(points, standardize)]
    return fit_problems(designs, problems, tolerance=tolerance, iterations=iterations)


# --------------------------------------------------------------------------- problems and designs


@dataclass(frozen=True, eq=False)
class Design:
    """One set of N samples along its principal axes, prepared once for all problems on it.

    Cross-validation makes one for each fold from the samples it fits on; the held-out samples
    contribute nothing, not even to the mean.

    Attributes:
        points: Centered, scaled and rotated features, then a column of ones [N, E].
        spectrum: Mean square of each column [E].
        rotation: Raw features to coordinates [D, E − 1], float64.
        mean: Of the raw features [D], float64.
    """

    points: Tensor
    spectrum: Tensor
    rotation: Tensor
    mean: Tensor

    @classmethod
    def of(cls, features: Tensor, standardize: bool) -> Design:
        """Prepare features [N, D]. Centering them changes only the bias, which is free."""
        raw = features.double()
        mean = raw.mean(dim=0)
        centered = raw - mean
        scale = scale_of(centered, mean) if standardize else torch.ones_like(mean)
        scaled = centered / scale
        spectrum, axes = _principal_axes(scaled)
        one = torch.ones_like(mean[:1])
        points = torch.cat([scaled @ axes, one.expand(len(raw), 1)], dim=1)
        return cls(
            points=points.to(features.dtype),
            spectrum=torch.cat([spectrum.clamp(min=0), one]).to(features.dtype),
            rotation=axes / scale[:, None],
            mean=mean,
        )

    def widened(self, axes: int) -> Design:
        """The same with axes of zeros added, so that designs of fewer samples than features match.

        Args:
            axes: E, the column of ones included.
        """
        lacking = axes - self.points.shape[1]
        if not lacking:
            return self
        return Design(
            points=_with_zeros(self.points, lacking),
            spectrum=_with_zeros(self.spectrum[None], lacking)[0],
            rotation=torch.nn.functional.pad(self.rotation, (0, lacking)),
            mean=self.mean,
        )

    def raw(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Weights along the axes [B, C, E] to weights and biases of the raw features."""
        inner = weights.double()
        outer = inner[..., :-1] @ self.rotation.T
        return outer, inner[..., -1] - outer @ self.mean


def _with_zeros(columns: Tensor, count: int) -> Tensor:
    """Zero columns before the last one of [N, E], the column of ones: [N, E + count]."""
    zeros = columns.new_zeros(len(columns), count)
    return torch.cat([columns[:, :-1], zeros, columns[:, -1:]], dim=1)


def _principal_axes(points: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squares along the principal axes of centered points [N, D], and the axes [D, E].

    E is D, or at most N where there are more features than points: weights that are orthogonal to
    every point only add to the penalty. Of X = U S V', the axes V are X' U / S, so that a matrix
    [N, N] is decomposed in place of one [D, D].
    """
    N, D = points.shape
    if D <= N:
        spectrum, axes = torch.linalg.eigh(points.T @ points / N)
        return spectrum, axes
    spectrum, sides = torch.linalg.eigh(points @ points.T / N)
    kept = spectrum > spectrum.amax() * N * torch.finfo(points.dtype).eps
    kept[-1] = True  # features that are all constant keep one axis
    spectrum = spectrum[kept].clamp(min=torch.finfo(points.dtype).tiny)
    return spectrum, points.T @ sides[:, kept] / (N * spectrum).sqrt()


class Problem(NamedTuple):
    """One regression: the number of its design, labels from 0 [N], weights [N], cost, classes."""

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
        """Check labels [N], weights [N] and cost, and weight the classes equally if balanced.

        Raises:
            InputError: labels that are not integers from 0, fewer than two classes, or a cost or
                weights out of range.
        """
        if labels.dtype.kind not in "iub" or labels.min() < 0:
            raise InputError("labels must be integers from 0")
        whole = labels.astype(np.int64)
        count = int(whole.max()) + 1 if classes is None else classes
        if count < 2:
            raise InputError("a probe needs at least two classes among its labels")
        require_number("a cost", cost, above=0)
        if weights is None:
            weights = np.ones(len(whole))
        if not np.isfinite(weights).all() or weights.min() < 0 or weights.sum() == 0:
            raise InputError("sample weights must be finite, at least 0 and not all 0")
        if balanced:
            mass = np.bincount(whole, weights=weights)
            each = np.count_nonzero(mass) * mass.clip(1e-300)
            weights = weights * (weights.sum() / each)[whole]
        return cls(design, whole, weights, float(cost), count)


def fit_problems(
    designs: Sequence[Design],
    problems: Sequence[Problem],
    *,
    squared: bool = True,
    tolerance: float = 1e-5,
    iterations: int = 1000,
) -> LinearModels:
    """Fit all problems, those with equally many classes in one batch.

    Args:
        designs: The sets of samples.
        problems: Each names its design by its place.
        squared: Minimize `fit_many`'s objective, or else mean cross-entropy + ½‖W‖/C.
        tolerance: As `fit_many`.
        iterations: As `fit_many`.

    Returns:
        The models in the order of the problems.
    """
    C, D = max(problem.classes for problem in problems), len(designs[0].mean)
    E = max(design.points.shape[1] for design in designs)
    designs = [design.widened(E) for design in designs]
    device = designs[0].points.device
    weights = torch.zeros(len(problems), C, D, dtype=torch.float64, device=device)
    biases = torch.full((len(problems), C), -math.inf, dtype=torch.float64, device=device)
    gradients = torch.zeros(len(problems), dtype=torch.float64, device=device)
    points, spectra = [d.points for d in designs], [d.spectrum for d in designs]
    for count in sorted({problem.classes for problem in problems}):
        members = [b for b, problem in enumerate(problems) if problem.classes == count]
        members.sort(key=lambda b: problems[b].design)
        batch = _stack([problems[b] for b in members], designs[0].points, squared)
        solution, gradient = minimize(
            points, spectra, batch, squared=squared, tolerance=tolerance, iterations=iterations
        )
        for g, design in enumerate(designs):
            own = (batch.design == g).nonzero().flatten()
            places = torch.tensor(members, device=device)[own]
            outer, bias = design.raw(solution[own].reshape(-1, count, E))
            weights[places, :count] = outer
            biases[places, :count] = bias + batch.absent[own]
            gradients[places] = gradient[own].double()
    return LinearModels(weights, biases, gradients)


def _stack(problems: Sequence[Problem], like: Tensor, squared: bool) -> Problems:
    """Pad and stack problems for the optimizer, computing their scales in float64.

    Args:
        problems: Of equally many classes, ordered by design.
        like: A tensor whose device and type the batch takes.
        squared: Whether the penalty is on the squared norm.
    """
    N, C = max(len(problem.labels) for problem in problems), problems[0].classes
    labels = np.zeros((len(problems), N), dtype=np.int64)
    weights = np.zeros((len(problems), N))
    frequency = np.zeros((len(problems), C))
    for b, problem in enumerate(problems):
        labels[b, : len(problem.labels)] = problem.labels
        weights[b, : len(problem.labels)] = problem.weights / problem.weights.sum()
        frequency[b] = np.bincount(labels[b], weights=weights[b], minlength=C)
    total = np.array([problem.weights.sum() for problem in problems])
    cost = np.array([problem.cost for problem in problems])
    # λ = 1/(C·Σw); with two classes half the cost, see the head of this file.
    strength = 1.0 / (cost * total / (2.0 if C == 2 else 1.0)) if squared else 1.0 / cost
    # Mean curvature of the cross-entropy where P are the frequencies p: (1 − Σp²)/(C − 1).
    curvature = (1 - np.square(frequency).sum(axis=1)) / (C - 1)
    return Problems(
        design=torch.tensor([problem.design for problem in problems], device=like.device),
        labels=torch.from_numpy(labels).to(like.device)[:, None, :],
        weights=torch.from_numpy(weights).to(like),
        absent=torch.from_numpy(np.where(frequency > 0, 0.0, -math.inf)).to(like),
        strength=torch.from_numpy(strength).to(like),
        curvature=torch.from_numpy(curvature).to(like),
    )
