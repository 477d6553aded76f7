"""Multinomial logistic regression, hundreds of problems at once, and the linear probes made of it.

**The objective** is scikit-learn's `LogisticRegression`: C·Σ_i w_i·CE_i + ½‖W‖², the bias free,
features standardised over the samples fitted on. The cost C multiplies a *sum* over samples, so it
is not normalised by their number. For two classes scikit-learn penalises one vector w under a
sigmoid; two softmax columns ±w/2 give the same probabilities at ‖W‖² = ‖w‖²/2, so halving C here
makes the two the same problem and C mean the same.

**The optimiser** minimises the weighted *mean* cross-entropy plus the penalty over C·Σw (the same
minimum, gradients of order one) by L-BFGS (Liu & Nocedal 1989), every problem with its own step:

- Logits are linear in the weights, so a line search needs the logits of the direction once and no
  further matrix product: an iteration costs two products over all problems of a design.
- The objective is convex, so its slope along a line is monotone and the strong Wolfe step is found
  as a bracketed root of the slope, which rounding disturbs less than values do.
- Each design is rotated to its principal axes. The penalty does not notice, and the Hessian's
  average becomes diagonal: a preconditioner for the cost of one division.

**A design** is one set of samples with its own mean and scale. Cross-validation makes a design of
each fold's fitted samples: nothing about the held-out ones enters, not even their mean.

B problems, G designs, N samples, D features, E = D + 1 coordinates (the last is the bias),
C classes, F folds.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from trifeature.errors import InputError
from trifeature.probes.folds import Folds
from trifeature.probes.metrics import confusion, cross_entropy, macro_accuracy, roc_auc

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Features = torch.Tensor | npt.NDArray[np.floating[Any]]
"""Features [N, D]: the optimiser works on their device, and in float64 only if they are float64."""

DEFAULT_COSTS: Final = tuple(10.0**exponent for exponent in range(-4, 5))
"""Costs C to choose from, in scikit-learn's convention (times the sum over samples)."""

HISTORY: Final = 10
"""Pairs of steps and gradient changes that L-BFGS remembers."""

SEARCHES: Final = 25
"""Evaluations of one line search before the best step so far is taken."""

WOLFE: Final = 0.9
"""A step is long enough when the slope has fallen to this share of its first size."""

TINY: Final = 1e-20
"""Keeps a division by zero curvature finite, in float32 too."""

DROP_OUT: Final = 0.9
"""The batch is cut down once at most this share of its problems still moves."""

NORM_FLOOR: Final = 1e-6
"""Rounds off the tip of the not-squared norm at W = 0, where it has no gradient."""


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
        return _rows(self, rows)

    def log_probabilities(self, features: Features) -> torch.Tensor:
        """Natural logarithm of each class's probability [B, N, C] of features [N, D].

        Raises:
            InputError: `features` is not [N, D] and finite.
        """
        points = _checked_features(features).to(self.weights)
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
    """Fit B logistic regressions on the same features in one batched optimisation.

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
            features become 0. The penalty applies to the weights of the standardised features.
        tolerance: A problem stops when no entry of its gradient (of mean cross-entropy in nats,
            with respect to weights along principal axes) exceeds this.
        iterations: The most L-BFGS steps of any problem.

    Raises:
        InputError: shapes that disagree, features that are not finite, a cost or weight out of
            range, or a problem with fewer than two classes.
    """
    points = _checked_features(features)
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
        _problem(table[b], costs[b], balanced=chosen[b], weights=weights[b]) for b in range(B)
    ]
    design = _Design.of(points, standardize)
    return _fit([design], problems, _Stop(tolerance, iterations))


class LogisticProbe:
    """One logistic regression with scikit-learn's contract, objective and predictions.

    Args:
        cost: C, in scikit-learn's convention.
        balanced: Weight the classes equally (`class_weight="balanced"`).
        standardize: Standardise the features first (a pipeline with `StandardScaler`).

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
        pairs = len(_checked_features(self.features))
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
        standardize: Standardise the features over the fitted pairs.

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

    All tasks × costs × folds are one batched optimisation (a batch for each number of classes).
    The best mean held-out macro accuracy wins; ties go to the lower held-out cross-entropy, then to
    the lower cost. Binary tasks get a second, class-balanced probe with a cost of its own.

    Args:
        train: Probe-train pairs.
        folds: Over these pairs.
        costs: Candidates for C.
        standardize: Standardise by the mean and scale of the pairs each fold fits on, and of all
            pairs in the end.

    Raises:
        InputError: folds over another number of pairs, no cost, a cost that is not positive, or a
            task with one class.
    """
    features, labels = _unpack(train)
    if folds.fit.shape[1] != len(features):
        raise InputError(f"folds over {folds.fit.shape[1]} pairs, but {len(features)} to fit on")
    grid = sorted(set(costs))
    if not grid:
        raise InputError("no cost to choose from")
    variants = _variants(labels)
    scores = _cross_validate(features, labels, variants, grid, folds, standardize=standardize)
    chosen = [_best(accuracy, bits) for accuracy, bits in scores]
    problems = [
        _problem(labels[task], grid[k], balanced=balanced)
        for (task, balanced), k in zip(variants, chosen, strict=True)
    ]
    models = _fit([_Design.of(features, standardize)], problems, _Stop())
    curves = [dict(zip(grid, accuracy.tolist(), strict=True)) for accuracy, _ in scores]
    return _named(variants, [grid[k] for k in chosen], curves, models, labels)


def score_probes(probes: Mapping[str, FittedProbe], test: ProbeData) -> dict[str, ProbeResult]:
    """Score fitted probes on pairs they have not seen; nothing is fitted or chosen here.

    Raises:
        InputError: another number of features, a task without a probe, or a test label above the
            classes fitted on.
    """
    features, labels = _unpack(test)
    if set(labels) != set(probes):
        raise InputError(f"probes of {sorted(probes)}, but test labels of {sorted(labels)}")
    return {task: _score(task, probe, features, labels[task]) for task, probe in probes.items()}


def official_probe(train: ProbeData, test: ProbeData, *, seed: int = 48) -> dict[str, ProbeResult]:
    """The probe of the published CoMM numbers: `fit_official`, then `score_probes`.

    Raises:
        InputError: as `fit_official` and `score_probes`.
    """
    return score_probes(fit_official(train, seed=seed), test)


def fit_official(train: ProbeData, *, seed: int = 48) -> dict[str, FittedProbe]:
    """Fit the published CoMM probe (Dufumier et al. 2025, their code's `linear_probe.py`).

    It minimises mean cross-entropy + ½‖W‖₂/C, the norm not squared and the bias free, from zero by
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
    features, labels = _unpack(train)
    return {task: _fit_official_task(task, features, labels[task], seed) for task in labels}


# ------------------------------------------------------------------ choosing a cost and scoring


def _unpack(data: ProbeData) -> tuple[torch.Tensor, dict[str, IntArray]]:
    """Features as a tensor and labels as arrays, which `ProbeData` has checked."""
    labels = {task: np.asarray(table).astype(np.int64) for task, table in data.labels.items()}
    return _checked_features(data.features), labels


def _classes(labels: IntArray) -> int:
    return int(labels.max()) + 1


def _variants(labels: Mapping[str, IntArray]) -> list[tuple[str, bool]]:
    """Each task, and once more class-balanced if it is binary."""
    plain = [(task, False) for task in labels]
    return plain + [(task, True) for task in labels if _classes(labels[task]) == 2]


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
    designs = [_Design.of(features[torch.from_numpy(mask)], standardize) for mask in folds.fit]
    problems = [
        _problem(
            labels[task][mask], cost, design=f, balanced=balanced, classes=_classes(labels[task])
        )
        for f, mask in enumerate(folds.fit)
        for task, balanced in variants
        for cost in grid
    ]
    models = _fit(designs, problems, _Stop())
    scores = []
    for f, mask in enumerate(folds.validate):
        truths = [labels[task][mask] for task, _ in variants for _ in grid]
        one = models.take(slice(f * len(truths), (f + 1) * len(truths)))
        scores.append(_held_out_scores(one, features[torch.from_numpy(mask)], truths))
    mean = np.mean(scores, axis=0).reshape(len(variants), len(grid), 2)
    return [(table[:, 0], table[:, 1]) for table in mean]


def _held_out_scores(
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
        C = _classes(labels[task])
        one = models.take(slice(b, b + 1))
        one = replace(one, weights=one.weights[:, :C], biases=one.biases[:, :C])
        probes[task] = FittedProbe(costs[b], curves[b], one, probes.get(task))
    return {task: probes[task] for task in labels}


def _score(task: str, probe: FittedProbe, features: torch.Tensor, labels: IntArray) -> ProbeResult:
    C = probe.model.biases.shape[1]
    if _classes(labels) > C:
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


def _fit_official_task(
    task: str, features: torch.Tensor, labels: IntArray, seed: int
) -> FittedProbe:
    """Search C from coarse to fine for one task, then refit on all its pairs."""
    fit = _stratified(task, labels, seed)
    held_out = features[torch.from_numpy(~fit)]
    design = _Design.of(features[torch.from_numpy(fit)], standardize=False)
    scores: dict[float, float] = {}

    def accuracies(costs: Sequence[float]) -> list[float]:
        new = [cost for cost in dict.fromkeys(costs) if cost not in scores]
        if new:
            problems = [_problem(labels[fit], cost, classes=_classes(labels)) for cost in new]
            models = _fit([design], problems, OFFICIAL_STOP, squared=False)
            found = _held_out_scores(models, held_out, [labels[~fit]] * len(new))
            scores.update(zip(new, (accuracy for accuracy, _ in found), strict=True))
        return [scores[cost] for cost in costs]

    _coarse_to_fine(accuracies)
    cost = max(scores, key=lambda c: scores[c])
    whole = _Design.of(features, standardize=False)
    models = _fit([whole], [_problem(labels, cost)], OFFICIAL_STOP, squared=False)
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


# ------------------------------------------------------------------ problems and designs


class _Stop(NamedTuple):
    """When a problem is done: a small gradient, or the most iterations allowed."""

    tolerance: float = 1e-5
    iterations: int = 1000


OFFICIAL_STOP: Final = _Stop(iterations=100)
"""The published probe's limit of L-BFGS steps."""


@dataclass(frozen=True, eq=False)
class _Design:
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
    def of(cls, features: torch.Tensor, standardize: bool) -> _Design:
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


class _Problem(NamedTuple):
    """One regression: which design, labels and weights of its samples, cost and class count."""

    design: int
    labels: IntArray
    weights: FloatArray
    cost: float
    classes: int


def _problem(
    labels: npt.NDArray[Any],
    cost: float,
    *,
    design: int = 0,
    balanced: bool = False,
    classes: int | None = None,
    weights: FloatArray | None = None,
) -> _Problem:
    """Check one problem's labels [N], weights [N] and cost, and weight its classes."""
    if labels.dtype.kind not in "iub" or labels.min() < 0:
        raise InputError("labels must be integers from 0")
    whole = labels.astype(np.int64)
    count = _classes(whole) if classes is None else classes
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
        weights = weights * (weights.sum() / (np.count_nonzero(mass) * mass.clip(1e-300)))[whole]
    return _Problem(design, whole, weights, float(cost), count)


def _checked_features(features: Features) -> torch.Tensor:
    """Features [N, D] as a tensor of float32, or float64 where they are that."""
    points = torch.as_tensor(features).detach()
    if points.ndim != 2 or 0 in points.shape:
        raise InputError(f"features must be [samples, features], not {tuple(points.shape)}")
    if points.dtype != torch.float64:
        points = points.float()
    if not bool(points.isfinite().all()):
        raise InputError("features must be finite")
    return points


# ------------------------------------------------------------------ the batched optimiser


_Tensors = TypeVar("_Tensors", "_Batch", "_Point", "_Pair", LinearModels)


def _rows(record: _Tensors, rows: torch.Tensor | slice) -> _Tensors:
    """The same record for some of its problems: every field has them as first dimension."""
    return replace(record, **{f.name: getattr(record, f.name)[rows] for f in fields(record)})


@dataclass(frozen=True, eq=False)
class _Batch:
    """What defines B problems of equally many classes, in order of their designs.

    Attributes:
        design: [B].
        labels: 0 in the padding up to the longest design [B, 1, N].
        weights: Of the samples, summing to 1; 0 in the padding [B, N].
        absent: 0 for classes with weight, minus infinity for others [B, C].
        strength: Factor of the penalty [B].
        curvature: Mean curvature of the cross-entropy while probabilities are the frequencies [B].
    """

    design: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor
    absent: torch.Tensor
    strength: torch.Tensor
    curvature: torch.Tensor


@dataclass(frozen=True, eq=False)
class _Point:
    """Where B problems stand.

    Attributes:
        weights: Along the principal axes [B, C·E].
        logits: [B, C, N].
        gradient: Of the objective [B, C·E].
        value: The objective [B].
    """

    weights: torch.Tensor
    logits: torch.Tensor
    gradient: torch.Tensor
    value: torch.Tensor


@dataclass(frozen=True, eq=False)
class _Pair:
    """A step [B, C·E], the gradient's change over it, and 1 / their product (0: to be ignored)."""

    step: torch.Tensor
    change: torch.Tensor
    inverse: torch.Tensor


def _fit(
    designs: Sequence[_Design], problems: Sequence[_Problem], stop: _Stop, *, squared: bool = True
) -> LinearModels:
    """Fit all problems, those with equally many classes in one batch."""
    C, D = max(problem.classes for problem in problems), len(designs[0].mean)
    device = designs[0].points.device
    weights = torch.zeros(len(problems), C, D, dtype=torch.float64, device=device)
    biases = torch.full((len(problems), C), -math.inf, dtype=torch.float64, device=device)
    gradients = torch.zeros(len(problems), dtype=torch.float64, device=device)
    for count in sorted({problem.classes for problem in problems}):
        members = [b for b, problem in enumerate(problems) if problem.classes == count]
        members.sort(key=lambda b: problems[b].design)
        batch = _batch([problems[b] for b in members], designs[0].points, squared)
        solution, gradient = _Optimiser(designs, batch, squared).run(stop)
        for g, design in enumerate(designs):
            mine = (batch.design == g).nonzero().flatten()
            where = torch.tensor(members, device=device)[mine]
            outer, bias = design.raw(solution[mine].reshape(-1, count, D + 1))
            weights[where, :count] = outer
            biases[where, :count] = bias + batch.absent[mine]
            gradients[where] = gradient[mine].double()
    return LinearModels(weights, biases, gradients)


def _batch(problems: Sequence[_Problem], like: torch.Tensor, squared: bool) -> _Batch:
    """Pad and stack problems; arithmetic that scales them is done in float64."""
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
    # Two softmax columns need half the cost of one sigmoid: see the top of this file.
    strength = 1.0 / (cost * total / (2.0 if C == 2 else 1.0)) if squared else 1.0 / cost
    return _Batch(
        design=torch.tensor([problem.design for problem in problems], device=like.device),
        labels=torch.from_numpy(labels).to(like.device)[:, None, :],
        weights=torch.from_numpy(weights).to(like),
        absent=torch.from_numpy(np.where(share > 0, 0.0, -math.inf)).to(like),
        strength=torch.from_numpy(strength).to(like),
        curvature=torch.from_numpy((1 - np.square(share).sum(axis=1)) / (C - 1)).to(like),
    )


class _Trial(NamedTuple):
    """The objective along the direction: value [B], slope [B], weighted P - Y [B, C, N]."""

    value: torch.Tensor
    slope: torch.Tensor
    residuals: torch.Tensor


class _Optimiser:
    """L-BFGS over the problems of a batch, each with its own steps; finished ones drop out."""

    def __init__(self, designs: Sequence[_Design], batch: _Batch, squared: bool) -> None:
        self.points = [design.points for design in designs]
        self.spectrum = torch.stack([design.spectrum for design in designs])
        self.squared = squared
        self.history: deque[_Pair] = deque(maxlen=HISTORY)
        self._take_up(batch)
        B, C = batch.absent.shape
        # 1 for the entries of W, 0 for the biases, which are free [C·E].
        self.inside = torch.ones_like(self.spectrum[0])
        self.inside[-1] = 0
        self.inside = self.inside.repeat(C)
        zero = self.inside.new_zeros(B, len(self.inside))
        logits = batch.absent[:, :, None].repeat(1, 1, batch.weights.shape[1])
        # Value and gradient at zero come from a trial step of length 0 from there.
        self.point = _Point(zero, logits, zero, zero[:, 0])
        trial = self._trial(slice(None), zero[:, 0], zero, torch.zeros_like(logits))
        gradient = self._gradient(trial.residuals, zero)
        self.point = _Point(zero, logits, gradient, trial.value)
        self.moving = torch.ones_like(batch.design, dtype=torch.bool)

    def run(self, stop: _Stop) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights along the axes [B, C·E] and the largest gradient entry [B] at the end."""
        solution, largest = torch.zeros_like(self.point.weights), torch.zeros_like(self.point.value)
        alive = torch.arange(len(solution), device=solution.device)
        for _ in range(stop.iterations):
            size = self.point.gradient.abs().amax(dim=1)
            self.moving &= size > stop.tolerance
            count = int(self.moving.sum())
            if count == 0:
                break
            if count <= DROP_OUT * len(alive):
                solution[alive], largest[alive] = self.point.weights, size
                alive = alive[self.moving]
                self._drop_out()
            self._step()
        solution[alive] = self.point.weights
        largest[alive] = self.point.gradient.abs().amax(dim=1)
        return solution, largest

    def _take_up(self, batch: _Batch) -> None:
        """Remember the batch, and where each design's problems begin and end."""
        self.batch = batch
        counts = torch.bincount(batch.design, minlength=len(self.points)).tolist()
        stops = np.cumsum(counts).tolist()
        spans = (slice(stop - n, stop) for n, stop in zip(counts, stops, strict=True))
        self.spans = [
            (span, points)
            for span, points in zip(spans, self.points, strict=True)
            if span.start < span.stop
        ]

    def _drop_out(self) -> None:
        """Keep the problems that still move."""
        rows = self.moving.nonzero().flatten()
        self._take_up(_rows(self.batch, rows))
        self.point = _rows(self.point, rows)
        self.history = deque((_rows(pair, rows) for pair in self.history), maxlen=HISTORY)
        self.moving = self.moving[rows]

    def _step(self) -> None:
        """One iteration: a direction, a step along it, the gradient there, and their pair."""
        direction = self._direction()
        change = self._logits(direction)
        t, trial = self._search(direction, change)
        self.moving &= t > 0
        old = self.point
        step = t[:, None] * direction
        weights = old.weights + step
        gradient = self._gradient(trial.residuals, weights)
        # In place: the logits are by far the largest tensor, and linear in the weights.
        logits = old.logits.addcmul_(t[:, None, None], change)
        self.point = _Point(weights, logits, gradient, trial.value)
        bend = gradient - old.gradient
        product = _dot(step, bend)
        # Curvature below rounding is noise: such a pair would poison the next directions.
        noise = torch.finfo(product.dtype).eps * (_dot(step, step) * _dot(bend, bend)).sqrt()
        self.history.append(_Pair(step, bend, torch.where(product > noise, 1 / product, 0.0)))

    def _direction(self) -> torch.Tensor:
        """Minus the inverse Hessian's estimate times the gradient: the two-loop recursion."""
        result = -self.point.gradient
        shares = []
        for pair in reversed(self.history):
            share = pair.inverse * _dot(pair.step, result)
            result.addcmul_(share[:, None], pair.change, value=-1)
            shares.append(share)
        result *= self._preconditioner()
        for pair, share in zip(self.history, reversed(shares), strict=True):
            back = share - pair.inverse * _dot(pair.change, result)
            result.addcmul_(back[:, None], pair.step)
        return result

    def _preconditioner(self) -> torch.Tensor:
        """First estimate of the inverse Hessian, diagonal along the axes [B, C·E]."""
        E, weights = self.spectrum.shape[1], self.point.weights
        stiffness = self._penalty().stiffness(self._inner(weights, weights))
        hessian = self.batch.curvature[:, None] * self.spectrum[self.batch.design]
        hessian = hessian + stiffness[:, None] * self.inside[:E]
        # A fold with one class only has no curvature, and no gradient either.
        inverse = (1 / hessian.clamp(min=TINY)).repeat(1, len(self.inside) // E)
        if not self.history:
            return inverse
        last = self.history[-1]
        ratio = 1 / (last.inverse * _dot(last.change * inverse, last.change))
        return inverse * torch.where(last.inverse > 0, ratio, 1.0)[:, None]

    def _penalty(self, rows: torch.Tensor | slice = slice(None)) -> _Penalty:
        return _Penalty(self.batch.strength[rows], self.squared)

    def _inner(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """Inner product [B] of [B, C·E] tensors over W, without the biases."""
        return _dot(left * self.inside, right)

    def _logits(self, weights: torch.Tensor) -> torch.Tensor:
        """Logits [B, C, N] of weights [B, C·E]: one matrix product a design."""
        result = torch.zeros_like(self.point.logits)
        for span, points in self.spans:
            columns = weights[span].reshape(-1, points.shape[1])
            result[span].flatten(0, 1)[:, : len(points)] = columns @ points.T
        return result

    def _gradient(self, residuals: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Gradient [B, C·E] from weighted residuals [B, C, N]: one matrix product a design."""
        stiffness = self._penalty().stiffness(self._inner(weights, weights))
        result = stiffness[:, None] * self.inside * weights
        for span, points in self.spans:
            rows = residuals[span].flatten(0, 1)[:, : len(points)]
            result[span] += (rows @ points).reshape(result[span].shape)
        return result

    def _trial(
        self,
        rows: torch.Tensor | slice,
        t: torch.Tensor,
        direction: torch.Tensor,
        change: torch.Tensor,
    ) -> _Trial:
        """Value, slope and residuals of some problems at steps t [rows] along their directions."""
        batch, point = _rows(self.batch, rows), _rows(self.point, rows)
        work = torch.addcmul(point.logits, t[:, None, None], change[rows])
        work -= work.amax(dim=1, keepdim=True)
        own = work.gather(1, batch.labels)
        total = work.exp_().sum(dim=1, keepdim=True)
        value = _dot(batch.weights, (total.log() - own)[:, 0])
        work /= total
        work.scatter_add_(1, batch.labels, own.new_tensor(-1.0).expand_as(own))
        work *= batch.weights[:, None, :]
        slope = _dot(work.flatten(1), change[rows].flatten(1))
        way, penalty = direction[rows], self._penalty(rows)
        cross, length = self._inner(point.weights, way), self._inner(way, way)
        square = self._inner(point.weights, point.weights) + t * (2 * cross + t * length)
        return _Trial(
            value + penalty.value(square),
            slope + penalty.stiffness(square) * (cross + t * length),
            work,
        )

    def _search(self, direction: torch.Tensor, change: torch.Tensor) -> tuple[torch.Tensor, _Trial]:
        """Steps [B] that meet the strong Wolfe conditions, and the objective there.

        A step of 0 means that rounding hides any way down.
        """
        start = _dot(self.point.gradient, direction)
        limit = self.point.value + _slack(self.point.value)
        t = (self.moving & (start < 0)).to(start.dtype)
        bracket = _Bracket(start)
        trial = self._trial(slice(None), t, direction, change)
        for _ in range(SEARCHES):
            flat = (trial.slope.abs() <= -WOLFE * start) & (trial.value <= limit)
            open_ = (t > 0) & ~flat
            if not bool(open_.any()):
                return t, trial
            t = torch.where(open_, bracket.next(t, trial, limit), t)
            self._retry(open_, t, direction, change, trial)
        t = torch.where(open_, bracket.low, t)
        self._retry(open_, t, direction, change, trial)
        return t, trial

    def _retry(
        self,
        which: torch.Tensor,
        t: torch.Tensor,
        direction: torch.Tensor,
        change: torch.Tensor,
        trial: _Trial,
    ) -> None:
        """Evaluate anew only the problems marked in `which` [B] and write them into `trial`."""
        rows = which.nonzero().flatten()
        fresh = self._trial(rows, t[rows], direction, change)
        for whole, part in zip(trial, fresh, strict=True):
            whole[rows] = part


class _Penalty(NamedTuple):
    """½·strength·‖W‖², or ½·strength·‖W‖ when not squared, as functions of ‖W‖² [B]."""

    strength: torch.Tensor
    squared: bool

    def value(self, square: torch.Tensor) -> torch.Tensor:
        size = square if self.squared else (square + NORM_FLOOR**2).sqrt()
        return self.strength * size / 2

    def stiffness(self, square: torch.Tensor) -> torch.Tensor:
        """The factor of W in the penalty's gradient."""
        if self.squared:
            return self.strength
        return self.strength / (2 * (square + NORM_FLOOR**2).sqrt())


class _Bracket:
    """Brackets the root of each problem's slope along its line, which convexity makes monotone."""

    def __init__(self, start: torch.Tensor) -> None:
        self.start = start
        self.low, self.low_slope = torch.zeros_like(start), start.clone()
        self.high = torch.full_like(start, math.inf)
        self.high_slope = torch.zeros_like(start)

    def next(self, t: torch.Tensor, trial: _Trial, limit: torch.Tensor) -> torch.Tensor:
        """Narrow the brackets by what was found at `t` and propose where to look next [B]."""
        below = (trial.slope < 0) & (trial.value <= limit)
        self.low = torch.where(below, t, self.low)
        self.low_slope = torch.where(below, trial.slope, self.low_slope)
        self.high = torch.where(below, self.high, t)
        self.high_slope = torch.where(below, self.high_slope, trial.slope)
        width = self.high - self.low
        root = width * self.low_slope / (self.low_slope - self.high_slope)
        # A secant that lands near an end, or on nonsense after overflow, must still make progress.
        root = torch.where(root.isfinite(), root, width / 2)
        inside = self.low + torch.clamp(root, 0.1 * width, 0.9 * width)
        beyond = t * torch.nan_to_num(self.start / (self.start - trial.slope)).clamp(2, 10)
        return torch.where(self.high.isfinite(), inside, beyond)


def _slack(value: torch.Tensor) -> torch.Tensor:
    """How much a value may seem to rise by rounding alone."""
    return 16 * torch.finfo(value.dtype).eps * (1 + value.abs())


def _dot(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Inner product of each row [B] of two [B, …] matrices."""
    product: torch.Tensor = torch.linalg.vecdot(left, right)
    return product
