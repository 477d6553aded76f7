"""L-BFGS for hundreds of logistic regressions at once, every problem with a step of its own.

It minimizes the weighted *mean* cross-entropy plus a penalty on the weights (gradients of order
one) by L-BFGS (Liu & Nocedal 1989):

- Logits are linear in the weights, so a line search needs the logits of the direction once and no
  further matrix product: an iteration costs two products over all problems of a design.
- The objective is convex, so its slope along a line is monotone and the strong Wolfe step is found
  as a bracketed root of the slope, which rounding disturbs less than values do.
- Samples come along their principal axes. The penalty does not notice, and the Hessian's average
  becomes diagonal: a preconditioner for the cost of one division.

B problems, G designs (sets of samples), N samples, E coordinates (the last is the bias),
C classes.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, NamedTuple, TypeVar

import numpy as np
import torch

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


class Stop(NamedTuple):
    """When a problem is done: a small gradient, or the most iterations allowed."""

    tolerance: float = 1e-5
    iterations: int = 1000


@dataclass(frozen=True, eq=False)
class Batch:
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


def minimize(
    points: Sequence[torch.Tensor],
    spectra: Sequence[torch.Tensor],
    batch: Batch,
    stop: Stop,
    *,
    squared: bool = True,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Minimize the objective of every problem of a batch.

    Args:
        points: The samples of each design along its principal axes, then a column of ones [N, E].
        spectra: Mean square of each of their columns [E].
        batch: The problems.
        stop: When a problem is done.
        squared: Penalize ½·strength·‖W‖², or else ½·strength·‖W‖.

    Returns:
        Weights along the axes [B, C·E], and the largest absolute entry of the gradient [B].
    """
    return _Optimizer(points, spectra, batch, squared).run(stop)


# --------------------------------------------------------------------------- the state of a batch


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


_Record = TypeVar("_Record", "Batch", "_Point", "_Pair")


def _rows(record: _Record, rows: torch.Tensor | slice) -> _Record:
    """The same record for some of its problems: every field has them as first dimension."""
    return replace(record, **{f.name: getattr(record, f.name)[rows] for f in fields(record)})


class _Trial(NamedTuple):
    """The objective along the direction: value [B], slope [B], weighted P - Y [B, C, N]."""

    value: torch.Tensor
    slope: torch.Tensor
    residuals: torch.Tensor


class _Optimizer:
    """L-BFGS over the problems of a batch, each with its own steps; finished ones drop out."""

    def __init__(
        self,
        points: Sequence[torch.Tensor],
        spectra: Sequence[torch.Tensor],
        batch: Batch,
        squared: bool,
    ) -> None:
        self.points = points
        self.spectrum = torch.stack(list(spectra))
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

    def run(self, stop: Stop) -> tuple[torch.Tensor, torch.Tensor]:
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

    def _take_up(self, batch: Batch) -> None:
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
