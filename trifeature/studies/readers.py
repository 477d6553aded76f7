"""Readers: how much features tell about a label, measured on samples that nothing was fitted on.

A reader is fitted on the probe samples. Two families compete: logistic regression, and a network
with one hidden layer, which also reads what only columns together tell (an exclusive or). The
probe samples are divided into folds by group; predictions of each fold by what was fitted on the
others choose the penalty, the number of steps and the family, and calibrate the probabilities:

    log p = s · log p_reader + (1 − s) · log p_frequency, normalized,

with the scale s that predicts the held-out groups best, or 0 if that is not better than the class
frequencies by more than a standard error. A reader that found nothing then predicts the
frequencies, and its information is about 0 instead of below.

P probe samples, n test samples, D columns, L labels that are read together, K classes, F folds,
B networks that are trained side by side (one a fold, and one on all), H hidden units.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trifeature.checks import require_number, require_whole
from trifeature.pid.estimation.predictions import Spread
from trifeature.probes.folds import Folds
from trifeature.probes.logistic import Design, Problem, fit_problems

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SCALES: Final = (0.0, *(2.0 ** np.linspace(-4, 1, 16)).tolist())
"""Scales s that calibration chooses from."""

FLOOR: Final = 1e-4
"""Share of the class frequencies that is mixed into every prediction: no class is ruled out."""

FAMILIES: Final = ("linear", "network")
"""What competes by default."""

FURTHEST: Final = 10.0
"""Standardized columns are cut here, in standard deviations."""


@dataclass(frozen=True)
class ReaderSettings:
    """How readers are fitted.

    Attributes:
        folds: Folds of the groups of the probe samples.
        costs: Costs of the logistic regression to choose from, in scikit-learn's convention.
        hidden: Hidden units of the network.
        steps: Most steps of AdamW.
        batch: Samples of a step.
        rate: Largest learning rate.
        decay: Weight decay.
        patience: Steps without a better held-out loss after which training ends.
        columns: Most columns of a regression; more are reduced to so many principal components.
        inputs: The same of the network.
        seed: Decides folds, weights and batches.

    Raises:
        InputError: a number is out of range.
    """

    folds: int = 5
    costs: tuple[float, ...] = (1e-3, 1e-2, 1e-1)
    hidden: int = 64
    steps: int = 300
    batch: int = 256
    rate: float = 0.01
    decay: float = 0.3
    patience: int = 100
    columns: int = 512
    inputs: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in (("folds", 2), ("hidden", 1), ("steps", 1), ("batch", 1), ("seed", 0)):
            require_whole(name, getattr(self, name), low)
        require_whole("patience", self.patience, 1)
        require_whole("columns", self.columns, 1)
        require_whole("inputs", self.inputs, 1)
        require_number("rate", self.rate, above=0)
        require_number("decay", self.decay, 0)


@dataclass(frozen=True, eq=False)
class Parts:
    """The probe samples divided by group.

    Attributes:
        parts: [P, G] part of each of the G groups of a sample.
        folds: Fold k validates on the samples whose groups are all in part k, and fits on those
            with no group in it.
        groups: [P] or [P, G], as given.
    """

    parts: IntArray
    folds: Folds
    groups: IntArray

    @classmethod
    def of(cls, groups: IntArray, settings: ReaderSettings) -> Parts:
        """Divide the groups at random; single samples where all belong to one group.

        Raises:
            InputError: a fold would be empty.
        """
        names, places = np.unique(groups, return_inverse=True)
        if len(names) < 2:
            groups = np.arange(len(groups))
            names, places = groups, groups
        count = min(settings.folds, len(names))
        part_of = np.empty(len(names), dtype=np.int64)
        order = np.random.default_rng(settings.seed).permutation(len(names))
        part_of[order] = np.arange(len(names)) % count
        parts = part_of[places.reshape(len(groups), -1)]
        return cls(parts, _folds(parts, count), groups)

    def select(self, columns: Sequence[int], groups: IntArray | None = None) -> Parts:
        """The same division by some of the groups of each sample.

        Args:
            columns: Places of the groups; all, where a sample has one group only.
            groups: [P, G] in place of the present ones, each in the same part as the one before.
        """
        several = self.parts.shape[1] > 1
        parts = self.parts[:, list(columns)] if several else self.parts
        own = self.groups if groups is None else groups
        own = own[:, list(columns)] if own.ndim > 1 else own
        return Parts(parts, _folds(parts, int(self.parts.max()) + 1), own)


def several_groups(groups: IntArray) -> IntArray | None:
    """The groups [P] or [P, G]; None, each sample its own, where all are of one group."""
    columns = groups.reshape(len(groups), -1).T
    return groups if all(len(np.unique(column)) > 1 for column in columns) else None


def _folds(parts: IntArray, count: int) -> Folds:
    inside = parts[None] == np.arange(count)[:, None, None]
    return Folds(~inside.any(2), inside.all(2))


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a reader predicts.

    Attributes:
        test: Probabilities [n, L, K] for the test samples.
        held_out: Probabilities [P, L, K] for the probe samples by what was fitted without their
            group, NaN for samples of several groups that are never held out together.
        family: "frequencies", "linear" or "network".
        scales: Scale of calibration of each label [L].
        columns: Number of columns that were read.
    """

    test: FloatArray
    held_out: FloatArray
    family: str
    scales: tuple[float, ...]
    columns: int

    def label(self, place: int) -> Predictions:
        """The predictions for one of the labels."""
        one = slice(place, place + 1)
        return Predictions(
            self.test[:, one],
            self.held_out[:, one],
            self.family,
            self.scales[one],
            self.columns,
        )


def read(
    fit: FloatArray,
    labels: IntArray,
    test: FloatArray,
    parts: Parts,
    settings: ReaderSettings,
    *,
    classes: int,
    families: Sequence[str] = FAMILIES,
) -> Predictions:
    """Fit a reader on the probe samples and predict the test samples.

    Args:
        fit: [P, D] columns of the probe samples, finite, standardized as `Features.of` says.
        labels: [P] or [P, L] classes from 0.
        test: [n, D] columns of the test samples.
        parts: Of the probe samples.
        settings: How to fit.
        classes: K.
        families: What competes, of `FAMILIES`.
    """
    y = labels.reshape(len(labels), -1)
    prior = np.stack([_frequencies(column, classes) for column in y.T])
    linear, network = (reduced(fit, test, most) for most in (settings.columns, settings.inputs))
    several = y.shape[1] > 1
    fits: dict[str, tuple[tuple[FloatArray, FloatArray], Fit]] = {
        "linear": (linear, _train_linear if several else _regress),
        "network": (network, _train_network),
    }
    found = []
    for name in families:
        (x, z), make = fits[name]
        held_out, tested = make(_Problem(x, y, z, classes, parts.folds, settings))
        scales = tuple(
            _best_scale(held_out[:, k], y[:, k], prior[k], parts.groups) for k in range(len(prior))
        )
        found.append(
            Predictions(
                test=_calibrated(tested, prior, scales),
                held_out=_calibrated(held_out, prior, scales),
                family=name if any(scales) else "frequencies",
                scales=scales,
                columns=x.shape[1],
            )
        )
    return min(found, key=lambda one: _loss(one.held_out, y))


def _frequencies(labels: IntArray, classes: int) -> FloatArray:
    """Logarithms of the class frequencies [K]; no class has probability 0."""
    counts = np.bincount(labels, minlength=classes) + 0.5
    return np.asarray(np.log(counts / counts.sum()))


def _loss(probabilities: FloatArray, labels: IntArray) -> float:
    """Mean log loss over the labels and the samples that have predictions, nats."""
    own = np.take_along_axis(probabilities, labels[:, :, None], 2)[..., 0]
    return float(-np.nanmean(np.log(own)))


def _calibrated(table: FloatArray, prior: FloatArray, scales: Sequence[float]) -> FloatArray:
    """Probabilities [n, L, K] of log-probabilities by their scales [L]."""
    s = np.asarray(scales)[:, None]
    shares = _normalized(np.where(s > 0, s * table, 0.0) + (1 - s) * prior)
    mixed: FloatArray = (1 - FLOOR) * np.exp(shares) + FLOOR * np.exp(prior)
    return np.where(np.isnan(table), np.nan, mixed)


def _normalized(scores: FloatArray) -> FloatArray:
    shifted = scores - scores.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))


def _best_scale(table: FloatArray, labels: IntArray, prior: FloatArray, groups: IntArray) -> float:
    """The scale that predicts held-out samples best; 0 unless it is better than 0 by an error."""
    known = ~np.isnan(table[:, 0])
    own, y = table[known], labels[known]
    rows = np.arange(len(y))
    scores = {
        scale: _normalized(scale * own + (1 - scale) * prior)[rows, y] for scale in SCALES[1:]
    }
    best = max(scores, key=lambda scale: float(scores[scale].mean()))
    gain = scores[best] - prior[y]
    error = Spread.of(len(gain), several_groups(groups[known]), 0.95).error(gain)
    return best if float(gain.mean()) > error else 0.0


# --------------------------------------------------------------------------- columns


def standardized(fit: FloatArray, test: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Both by mean and deviation of the first; constant columns become 0."""
    mean, spread = fit.mean(0), fit.std(0)
    varies = spread > 1e-9 * np.maximum(1.0, np.abs(mean))
    spread = np.where(varies, spread, np.inf)
    one, other = (np.clip((x - mean) / spread, -FURTHEST, FURTHEST) for x in (fit, test))
    return one, other


def reduced(fit: FloatArray, test: FloatArray, most: int) -> tuple[FloatArray, FloatArray]:
    """Principal components of the first where it has more columns than `most`.

    They are divided by one number, so that the first has deviation 1 and the others less.
    """
    if fit.shape[1] <= most:
        return fit, test
    mean = fit.mean(0)
    values, axes = np.linalg.eigh(np.cov(fit.T))
    kept = axes[:, ::-1][:, :most] / math.sqrt(max(float(values[-1]), 1e-12))
    return (fit - mean) @ kept, (test - mean) @ kept


# --------------------------------------------------------------------------- the two families


class _Problem(NamedTuple):
    """Standardized columns x [P, D] and z [n, D], labels y [P, L], K, folds, and how to fit."""

    x: FloatArray
    y: IntArray
    z: FloatArray
    classes: int
    folds: Folds
    settings: ReaderSettings


Fit = Callable[[_Problem], tuple[FloatArray, FloatArray]]
"""Log-probabilities for the held-out probe samples [P, L, K] and for the test samples [n, L, K]."""


def _regress(problem: _Problem) -> tuple[FloatArray, FloatArray]:
    """Log-probabilities by logistic regression: held out [P, 1, K] and for the test [n, 1, K]."""
    x, labels, z, classes, folds, settings = problem
    y = labels[:, 0]
    points, test = torch.from_numpy(x).float(), torch.from_numpy(z).float()
    designs = [Design.of(points[torch.from_numpy(mask)], standardize=False) for mask in folds.fit]
    costs = settings.costs
    problems = [
        Problem.of(y[mask], cost, design=f, classes=classes)
        for f, mask in enumerate(folds.fit)
        for cost in costs
    ]
    models = fit_problems(designs, problems, tolerance=1e-3)
    tables = np.full((len(costs), len(y), 1, classes), np.nan)
    for f, mask in enumerate(folds.validate):
        own = models.select(slice(f * len(costs), (f + 1) * len(costs)))
        tables[:, mask, 0] = own.log_probabilities(points[torch.from_numpy(mask)]).numpy()
    # A class that a fold lacks has probability 0 there.
    tables = np.maximum(tables, math.log(FLOOR))
    losses = [_loss(np.exp(table), y[:, None]) for table in tables]
    best = int(np.argmin(losses))
    whole = [Design.of(points, standardize=False)]
    model = fit_problems(whole, [Problem.of(y, costs[best], classes=classes)], tolerance=1e-3)
    tested = np.maximum(model.log_probabilities(test).numpy(), math.log(FLOOR))
    return tables[best], tested.transpose(1, 0, 2)


@dataclass
class _Networks:
    """B networks of one hidden layer, or none, over the same columns."""

    weights: list[Tensor]

    @classmethod
    def new(cls, shape: tuple[int, int, int, int], generator: torch.Generator) -> _Networks:
        """New networks of shape (B, D, H, outputs)."""
        B, D, H, outputs = shape
        sizes = [(D, H), (H, outputs)] if H else [(D, outputs)]
        weights = []
        for place, (rows, columns) in enumerate(sizes):
            last = place == len(sizes) - 1
            drawn = torch.randn(B, rows, columns, generator=generator) / math.sqrt(rows)
            weights += [0.1 * drawn if last else drawn, torch.zeros(B, 1, columns)]
        return cls([weight.requires_grad_() for weight in weights])

    def __call__(self, x: Tensor, own: slice = slice(None)) -> Tensor:
        """Outputs [B, m, outputs] of columns [B, m, D]."""
        parts = [weight[own] for weight in self.weights]
        if len(parts) == 4:
            x = torch.baddbmm(parts[1], x, parts[0]).relu()
        outputs: Tensor = torch.baddbmm(parts[-1], x, parts[-2])
        return outputs


def _train_network(problem: _Problem) -> tuple[FloatArray, FloatArray]:
    return _train(problem, problem.settings.hidden)


def _train_linear(problem: _Problem) -> tuple[FloatArray, FloatArray]:
    return _train(problem, hidden=0)


def _train(problem: _Problem, hidden: int) -> tuple[FloatArray, FloatArray]:
    """Log-probabilities by networks: held out [P, L, K], and for the test [n, L, K].

    One network is trained without each fold and one on all samples, side by side; training ends at
    the step that predicts the held-out samples best. The test gets the mean of all probabilities.
    """
    x, y, z, classes, folds, settings = problem
    points, test, target = (torch.from_numpy(part) for part in (x, z, y))
    points, test = points.float(), test.float()
    fits = [torch.from_numpy(np.flatnonzero(mask)) for mask in folds.fit]
    fits.append(torch.arange(len(points)))
    generator = torch.Generator().manual_seed(settings.seed)
    shape = (len(fits), points.shape[1], hidden, y.shape[1] * classes)
    networks = _Networks.new(shape, generator)

    def logs(x: Tensor, own: slice = slice(None)) -> Tensor:
        outputs: Tensor = networks(x, own).unflatten(-1, (-1, classes)).log_softmax(-1)
        return outputs

    best, since = math.inf, 0
    kept: tuple[FloatArray, FloatArray] = (np.empty(0), np.empty(0))
    for step in _steps(networks.weights, settings):
        drawn = [
            fit[torch.randint(len(fit), (settings.batch,), generator=generator)] for fit in fits
        ]
        rows = torch.stack(drawn)
        # A sum over networks and labels, each of which has weights of its own.
        own = logs(points[rows]).gather(-1, target[rows][..., None])
        step(-own.mean(1).sum())
        since += 1
        if since % 20:
            continue
        with torch.no_grad():
            held_out = np.full((len(points), y.shape[1], classes), np.nan)
            for f, mask in enumerate(folds.validate):
                part = points[torch.from_numpy(mask)][None]
                held_out[mask] = logs(part, slice(f, f + 1))[0].numpy()
            loss = _loss(np.exp(held_out), y)
            if loss < best:
                tested = logs(test[None].expand(len(fits), -1, -1)).exp().mean(0).log()
                best, kept, since = loss, (held_out, tested.double().numpy()), 0
        if since >= settings.patience:
            break
    return kept


def _steps(weights: list[Tensor], settings: ReaderSettings) -> Any:
    """Steps of AdamW: each is a function that takes the loss. The rate rises, then falls."""
    optimizer = torch.optim.AdamW(weights, lr=settings.rate, weight_decay=settings.decay)

    def step(loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for number in range(settings.steps):
        share = (number + 1) / settings.steps
        for group in optimizer.param_groups:
            fall = 0.5 * (1 + math.cos(math.pi * share))
            group["lr"] = settings.rate * min(10 * share, 1.0) * fall
        yield step


# --------------------------------------------------------------------------- numbers

PENALTIES: Final = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Penalties of ridge regression to choose from, as multiples of the samples."""


def regress(
    fit: FloatArray,
    values: FloatArray,
    test: FloatArray,
    parts: Parts,
    settings: ReaderSettings,
) -> FloatArray:
    """Predict numbers by ridge regression, its penalty chosen on held-out groups.

    Args:
        fit: [P, D] columns of the probe samples, standardized as `Features.of` says.
        values: [P, outputs] what to predict.
        test: [n, D] columns of the test samples.
        parts: Of the probe samples.
        settings: Most columns.

    Returns:
        [n, outputs].
    """
    x, z = reduced(fit, test, settings.columns)
    scale = np.where(values.std(0) > 0, values.std(0), 1.0)
    losses = np.zeros(len(PENALTIES))
    for used, held in zip(parts.folds.fit, parts.folds.validate, strict=True):
        predicted = _ridge(x[used], values[used], x[held])
        losses += np.square((predicted - values[held]) / scale).sum((1, 2))
    return np.asarray(_ridge(x, values, z)[int(np.argmin(losses))])


def _ridge(x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
    """Predictions [penalties, n, outputs] by every penalty, from one decomposition."""
    mean, middle = x.mean(0), y.mean(0)
    values, axes = np.linalg.eigh((x - mean).T @ (x - mean) / len(x))
    inner = axes.T @ (x - mean).T @ (y - middle) / len(x)
    weights = [inner / (values[:, None] + penalty) for penalty in PENALTIES]
    return np.stack([(z - mean) @ axes @ weight + middle for weight in weights])
