"""L-BFGS for hundreds of logistic regressions at once. Private to `trifeature.probes.logistic`.

The objective of each problem is the weighted *mean* cross-entropy of a softmax over linear logits
plus a penalty on the weights W; the biases are free:

    f(W, b) = Σ_i w_i · (logsumexp(z_i) − z_i[y_i]) + ½·λ·‖W‖²   (or ½·λ·‖W‖),   z_i = W x_i + b

It is minimized by L-BFGS (Liu & Nocedal 1989; Nocedal & Wright, *Numerical Optimization*, 2006,
algorithms 7.4 and 7.5) with three changes that make it fast for linear models:

- Logits are linear in the weights, so the logits of the search direction give the objective at any
  step length without another matrix product. An iteration costs two products for each design.
- The objective is convex, so its slope along a line increases. A step that satisfies the strong
  Wolfe conditions is found as a bracketed root of the slope, which suffers less from rounding than
  a comparison of values.
- Samples are given along their principal axes. The penalty is invariant to the rotation, and the
  mean Hessian becomes diagonal, so preconditioning costs one division.

CPU seconds on one thread, the best of three, on random data. "Excess" is the largest relative
excess of the objective over the lowest that any of the four found, because their stopping rules
differ (SciPy with the preconditioner above, one problem at a time; scikit-learn's tol 1e-4):

    problems, samples × features, classes   float32   float64   SciPy, float64   scikit-learn
    18, 3,300 × 128, 5                       0.12      0.20      0.62             1.31
    excess                                   3e-9      3e-9      4e-10            2e-4
    6, 6,600 × 512, 10                       0.68      0.90      2.31             4.19
    excess                                   7e-8      7e-8      3e-11            4e-3

B problems, G designs (sets of samples), N samples, E coordinates (the last is the bias),
C classes. Weights [W, b] are flat: [B, C·E].
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, TypeVar

import numpy as np
import torch
from torch import Tensor

HISTORY: Final = 10  # correction pairs that are kept
EVALUATIONS: Final = 25  # of one line search, before the longest descending step is taken
WOLFE: Final = 0.9  # c₂ of the strong Wolfe condition |slope| ≤ c₂·|slope at step 0|
TINY: Final = 1e-20  # lower bound of a curvature that is divided by, also in float32
REMOVE_BELOW: Final = 0.9  # converged problems are removed once this fraction is still active
NORM_FLOOR: Final = 1e-6  # ε of √(‖W‖² + ε²) for ‖W‖, which has no gradient at W = 0

_Evaluation = tuple[Tensor, Tensor, Tensor]
"""Objective [B] and slope [B] at a step along the direction, and w·(P − Y) [B, C, N]."""


@dataclass(frozen=True, eq=False)
class Problems:
    """B problems with the same number of classes, ordered by design.

    Attributes:
        design: Number of the design of each problem [B].
        labels: Class of each sample [B, 1, N]; 0 in the padding up to the longest design.
        weights: w, summing to 1 in each problem [B, N]; 0 in the padding.
        absent: 0 for a class with weight, minus infinity for a class without [B, C].
        strength: λ [B].
        curvature: Mean curvature of the cross-entropy at the class frequencies [B].
    """

    design: Tensor
    labels: Tensor
    weights: Tensor
    absent: Tensor
    strength: Tensor
    curvature: Tensor


def minimize(
    points: Sequence[Tensor],
    spectra: Sequence[Tensor],
    problems: Problems,
    *,
    squared: bool = True,
    tolerance: float = 1e-5,
    iterations: int = 1000,
) -> tuple[Tensor, Tensor]:
    """Minimize the objective of every problem, starting from zero.

    Args:
        points: Samples of each design along its principal axes, then a column of ones [N, E].
        spectra: Mean square of each of their columns [E].
        problems: What to minimize.
        squared: Penalize ½·λ·‖W‖², or else ½·λ·‖W‖.
        tolerance: A problem is converged when no gradient entry is larger.
        iterations: The maximum of iterations.

    Returns:
        Weights along the axes [B, C·E], and the largest absolute entry of the gradient [B].
    """
    return _Lbfgs(points, spectra, problems, squared).run(tolerance, iterations)


@dataclass(frozen=True, eq=False)
class _Iterate:
    """Current weights [B, C·E], their logits [B, C, N], gradient [B, C·E] and objective [B]."""

    weights: Tensor
    logits: Tensor
    gradient: Tensor
    value: Tensor


@dataclass(frozen=True, eq=False)
class _Correction:
    """s = change of the weights, y = change of the gradient [B, C·E], ρ = 1 / s·y [B].

    ρ = 0 marks a pair that is to be ignored.
    """

    s: Tensor
    y: Tensor
    rho: Tensor


_Record = TypeVar("_Record", "Problems", "_Iterate", "_Correction")


def _select(record: _Record, problems: Tensor | slice) -> _Record:
    """The same record for some of its problems, the first dimension of every field."""
    return replace(record, **{f.name: getattr(record, f.name)[problems] for f in fields(record)})


class _Lbfgs:
    """The state of the optimization. Each problem has its own step length."""

    def __init__(
        self,
        points: Sequence[Tensor],
        spectra: Sequence[Tensor],
        problems: Problems,
        squared: bool,
    ) -> None:
        self.points = points
        self.spectrum = torch.stack(list(spectra))
        self.squared = squared
        self.corrections: deque[_Correction] = deque(maxlen=HISTORY)
        self._set_problems(problems)
        B, C = problems.absent.shape
        # 1 for entries of W, 0 for biases, which carry no penalty [C·E].
        self.penalized = torch.ones_like(self.spectrum[0])
        self.penalized[-1] = 0
        self.penalized = self.penalized.repeat(C)
        zero = self.penalized.new_zeros(B, len(self.penalized))
        logits = problems.absent[:, :, None].repeat(1, 1, problems.weights.shape[1])
        # Objective and gradient at zero are those of a step of length 0 from there.
        self.now = _Iterate(zero, logits, zero, zero[:, 0])
        value, _, residuals = self._evaluate(
            slice(None), zero[:, 0], zero, torch.zeros_like(logits)
        )
        self.now = _Iterate(zero, logits, self._gradient(residuals, zero), value)
        self.active = torch.ones_like(problems.design, dtype=torch.bool)

    def run(self, tolerance: float, iterations: int) -> tuple[Tensor, Tensor]:
        """Iterate; the solution [B, C·E] and the largest gradient entry [B] at the end."""
        solution, largest = torch.zeros_like(self.now.weights), torch.zeros_like(self.now.value)
        kept = torch.arange(len(solution), device=solution.device)
        for _ in range(iterations):
            size = self.now.gradient.abs().amax(dim=1)
            self.active &= size > tolerance
            count = int(self.active.sum())
            if count == 0:
                break
            if count <= REMOVE_BELOW * len(kept):
                solution[kept], largest[kept] = self.now.weights, size
                kept = kept[self.active]
                self._remove_converged()
            self._iterate()
        solution[kept] = self.now.weights
        largest[kept] = self.now.gradient.abs().amax(dim=1)
        return solution, largest

    def _set_problems(self, problems: Problems) -> None:
        """Set the batch, and the range of rows that belongs to each design."""
        self.problems = problems
        counts = torch.bincount(problems.design, minlength=len(self.points)).tolist()
        ends = np.cumsum(counts).tolist()
        self.ranges = [
            (slice(end - count, end), points)
            for count, end, points in zip(counts, ends, self.points, strict=True)
            if count
        ]

    def _remove_converged(self) -> None:
        rows = self.active.nonzero().flatten()
        self._set_problems(_select(self.problems, rows))
        self.now = _select(self.now, rows)
        self.corrections = deque((_select(c, rows) for c in self.corrections), maxlen=HISTORY)
        self.active = self.active[rows]

    def _iterate(self) -> None:
        """One iteration of L-BFGS: direction, line search, new gradient, new correction."""
        direction = self._direction()
        direction_logits = self._logits(direction)
        t, (value, _, residuals) = self._line_search(direction, direction_logits)
        self.active &= t > 0
        before = self.now
        s = t[:, None] * direction
        weights = before.weights + s
        gradient = self._gradient(residuals, weights)
        # In place, because the logits are by far the largest tensor.
        logits = before.logits.addcmul_(t[:, None, None], direction_logits)
        self.now = _Iterate(weights, logits, gradient, value)
        y = gradient - before.gradient
        product = _dot(s, y)
        # s·y below rounding error is noise: such a pair would spoil the next directions.
        noise = torch.finfo(product.dtype).eps * (_dot(s, s) * _dot(y, y)).sqrt()
        self.corrections.append(_Correction(s, y, torch.where(product > noise, 1 / product, 0.0)))

    def _direction(self) -> Tensor:
        """−H·g by the two-loop recursion (Nocedal & Wright 2006, algorithm 7.4) [B, C·E]."""
        q = -self.now.gradient
        alphas = []
        for c in reversed(self.corrections):
            alpha = c.rho * _dot(c.s, q)  # α_i = ρ_i s_i·q
            q.addcmul_(alpha[:, None], c.y, value=-1)  # q ← q − α_i y_i
            alphas.append(alpha)
        q *= self._inverse_hessian()  # r ← H⁰ q
        for c, alpha in zip(self.corrections, reversed(alphas), strict=True):
            beta = c.rho * _dot(c.y, q)  # β = ρ_i y_i·r
            q.addcmul_((alpha - beta)[:, None], c.s)  # r ← r + (α_i − β) s_i
        return q

    def _inverse_hessian(self) -> Tensor:
        """H⁰, the diagonal first estimate of the inverse Hessian along the axes [B, C·E].

        The mean Hessian is curvature · spectrum + λ. It is rescaled by s·y / y·H⁰y of the last
        correction (Nocedal & Wright 2006, equation 7.20).
        """
        E, weights = self.spectrum.shape[1], self.now.weights
        _, factor = self._penalty(slice(None), self._norm_product(weights, weights))
        hessian = self.problems.curvature[:, None] * self.spectrum[self.problems.design]
        hessian = hessian + factor[:, None] * self.penalized[:E]
        # Without a second class among its samples a problem has no curvature, and no gradient.
        inverse = (1 / hessian.clamp(min=TINY)).repeat(1, len(self.penalized) // E)
        if not self.corrections:
            return inverse
        last = self.corrections[-1]
        scale = 1 / (last.rho * _dot(last.y * inverse, last.y))
        return inverse * torch.where(last.rho > 0, scale, 1.0)[:, None]

    def _penalty(self, rows: Tensor | slice, square: Tensor) -> tuple[Tensor, Tensor]:
        """Penalty [rows] at ‖W‖² = `square`, and the factor of W in its gradient."""
        strength = self.problems.strength[rows]
        if self.squared:
            return strength * square / 2, strength
        norm = (square + NORM_FLOOR**2).sqrt()
        return strength * norm / 2, strength / (2 * norm)

    def _norm_product(self, left: Tensor, right: Tensor) -> Tensor:
        """Inner product over W, without the biases, of two tensors [B, C·E]."""
        return _dot(left * self.penalized, right)

    def _logits(self, weights: Tensor) -> Tensor:
        """Logits [B, C, N] of weights [B, C·E]: one matrix product for each design."""
        result = torch.zeros_like(self.now.logits)
        for rows, points in self.ranges:
            columns = weights[rows].reshape(-1, points.shape[1])
            result[rows].flatten(0, 1)[:, : len(points)] = columns @ points.T
        return result

    def _gradient(self, residuals: Tensor, weights: Tensor) -> Tensor:
        """∂f/∂[W, b] = w·(P − Y) Xᵀ + penalty [B, C·E]: one matrix product for each design."""
        _, factor = self._penalty(slice(None), self._norm_product(weights, weights))
        result = factor[:, None] * self.penalized * weights
        for rows, points in self.ranges:
            own = residuals[rows].flatten(0, 1)[:, : len(points)]
            result[rows] += (own @ points).reshape(result[rows].shape)
        return result

    def _evaluate(
        self, rows: Tensor | slice, t: Tensor, direction: Tensor, direction_logits: Tensor
    ) -> _Evaluation:
        """Objective, slope and residuals of some problems at steps t [rows] along the direction."""
        problems, now = _select(self.problems, rows), _select(self.now, rows)
        change = direction_logits[rows]
        z = torch.addcmul(now.logits, t[:, None, None], change)
        z -= z.amax(dim=1, keepdim=True)
        own = z.gather(1, problems.labels)
        total = z.exp_().sum(dim=1, keepdim=True)
        value = _dot(problems.weights, (total.log() - own)[:, 0])  # Σ w (logsumexp z − z[y])
        z /= total  # P
        z.scatter_add_(1, problems.labels, own.new_full((), -1.0).expand_as(own))  # P − Y
        z *= problems.weights[:, None, :]
        slope = _dot(z.flatten(1), change.flatten(1))
        # ‖W + tD‖² = ‖W‖² + t·(2 W·D + t·‖D‖²), and half its derivative W·D + t·‖D‖².
        D = direction[rows]
        WD, DD = self._norm_product(now.weights, D), self._norm_product(D, D)
        square = self._norm_product(now.weights, now.weights) + t * (2 * WD + t * DD)
        penalty, factor = self._penalty(rows, square)
        return value + penalty, slope + factor * (WD + t * DD), z

    def _line_search(
        self, direction: Tensor, direction_logits: Tensor
    ) -> tuple[Tensor, _Evaluation]:
        """Steps [B] that satisfy the strong Wolfe conditions, and the evaluation there.

        A step of 0 means that no descent is visible above rounding error.
        """
        start = _dot(self.now.gradient, direction)
        # The value may seem to rise by rounding alone.
        rounding = 16 * torch.finfo(start.dtype).eps * (1 + self.now.value.abs())
        limit = self.now.value + rounding
        t = (self.active & (start < 0)).to(start.dtype)
        bracket = _Bracket(start)
        found = self._evaluate(slice(None), t, direction, direction_logits)

        def reevaluate() -> None:
            rows = pending.nonzero().flatten()
            fresh = self._evaluate(rows, t[rows], direction, direction_logits)
            for whole, part in zip(found, fresh, strict=True):
                whole[rows] = part

        for _ in range(EVALUATIONS):
            accepted = (found[1].abs() <= -WOLFE * start) & (found[0] <= limit)
            pending = (t > 0) & ~accepted
            if not bool(pending.any()):
                return t, found
            t = torch.where(pending, bracket.next(t, found[1], found[0] <= limit), t)
            reevaluate()
        # No accepted step: take the longest one that is known to descend.
        t = torch.where(pending, bracket.low, t)
        reevaluate()
        return t, found


class _Bracket:
    """An interval of steps that contains the root of each problem's slope [B]."""

    def __init__(self, start: Tensor) -> None:
        self.start = start
        self.low, self.low_slope = torch.zeros_like(start), start.clone()
        self.high = torch.full_like(start, math.inf)
        self.high_slope = torch.zeros_like(start)

    def next(self, t: Tensor, slope: Tensor, descends: Tensor) -> Tensor:
        """Narrow the intervals by the slope at t and return the next steps to try [B]."""
        below = (slope < 0) & descends
        self.low = torch.where(below, t, self.low)
        self.low_slope = torch.where(below, slope, self.low_slope)
        self.high = torch.where(below, self.high, t)
        self.high_slope = torch.where(below, self.high_slope, slope)
        width = self.high - self.low
        secant = width * self.low_slope / (self.low_slope - self.high_slope)
        # A secant step near an end, or not finite after overflow, must still make progress.
        secant = torch.where(secant.isfinite(), secant, width / 2)
        inside = self.low + torch.clamp(secant, 0.1 * width, 0.9 * width)
        beyond = t * torch.nan_to_num(self.start / (self.start - slope)).clamp(2, 10)
        return torch.where(self.high.isfinite(), inside, beyond)


def _dot(left: Tensor, right: Tensor) -> Tensor:
    """Inner product of each row [B] of two matrices [B, …]."""
    product: Tensor = torch.linalg.vecdot(left, right)
    return product
