"""Two-sided certified bounds on BROJA's convex program, from any approximate solution.

The program: among all q(x1, x2, y) with the (X1, Y) and (X2, Y) marginals a and b of a table,
minimize f(q) = sum q log[q(x1, x2, y) / q(x1, x2)] (nats). Any feasible q gives an upper bound
of the minimum. The dual program, max <a, A> + <b, B> over two experts A(x1, y), B(x2, y) with
sum_y exp(A + B) <= 1 for every pair (x1, x2), gives a lower bound. Both bounds hold for any
input, so the solvers need not be trusted.

Shape legend: T tables, N values of X1, M values of X2, K values of Y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trifeature.pid.tables import TINY, Array

Index = NDArray[Any]


@dataclass(frozen=True)
class Marginals:
    """The two pairwise marginals that define a problem.

    Attributes:
        a: p(x1, y), [T, N, K].
        b: p(x2, y), [T, M, K].
    """

    a: Array
    b: Array

    def take(self, index: Index) -> Marginals:
        """Return the problems at `index` (integers or a mask over T)."""
        return Marginals(self.a[index], self.b[index])

    def swapped(self) -> Marginals:
        """Return the same problems with X1 and X2 exchanged."""
        return Marginals(self.b, self.a)


@dataclass(frozen=True)
class Bounds:
    """Certified lower <= min f <= upper, in nats; both [T]."""

    lower: Array
    upper: Array

    @property
    def gap(self) -> Array:
        """Width of the certified interval, [T]."""
        return self.upper - self.lower


def certify(problem: Marginals, expert1: Array, expert2: Array, q: Array) -> Bounds:
    """Bound min f from any A [T, N, K], B [T, M, K] (the experts) and any q >= 0 [T, N, M, K].

    A is minus infinity where a = 0, and B where b = 0.
    """
    feasible = round_to_marginals(problem, q)
    return Bounds(lower_bound(problem, expert1, expert2), objective(feasible))


def lower_bound(problem: Marginals, expert1: Array, expert2: Array) -> Array:
    """Dual value of (A, B) after the shift of `feasible_shift`, in nats, [T]."""
    alpha, beta = feasible_shift(problem, expert1, expert2)
    p1, p2 = problem.a.sum(-1), problem.b.sum(-1)
    gain = _inner(problem.a, expert1) + _inner(problem.b, expert2)
    return gain - _inner(p1, alpha) - _inner(p2, beta)


def feasible_shift(problem: Marginals, expert1: Array, expert2: Array) -> tuple[Array, Array]:
    """Return alpha [T, N] and beta [T, M] for which (A - alpha, B - beta) is feasible, in nats.

    With L(x1, x2) = log sum_y exp(A + B), subtracting any alpha(x1) + beta(x2) >= L makes the
    pair feasible and lowers its value by <p1, alpha> + <p2, beta>. Here alpha is the row maximum
    of L, and beta <= 0 the column maximum of what remains.
    """
    L = _log_sums(expert1, expert2)
    p1, p2 = problem.a.sum(-1), problem.b.sum(-1)
    alpha = np.where(p1 > 0, L.max(2), 0.0)
    L = np.where(p1[:, :, None] > 0, L - alpha[:, :, None], -np.inf)
    beta = np.where(p2 > 0, L.max(1), 0.0)
    return alpha, beta


def _log_sums(expert1: Array, expert2: Array) -> Array:
    """L = log sum_y exp(A + B), [T, N, M], rounded up where exp underflows.

    exp(A + B) factorizes, so the sum over y is a matrix product. Each factor is divided by its
    largest value over y first. Terms that underflow are below TINY, which is added: L is then too
    large rather than too small, and the lower bound remains valid.
    """
    top1, top2 = expert1.max(-1), expert2.max(-1)  # minus infinity where p(x1) or p(x2) is 0
    factor1 = np.exp(expert1 - np.where(np.isfinite(top1), top1, 0.0)[:, :, None])
    factor2 = np.exp(expert2 - np.where(np.isfinite(top2), top2, 0.0)[:, :, None])
    sums = np.log(factor1 @ factor2.transpose(0, 2, 1) + TINY)
    return np.asarray(sums + top1[:, :, None] + top2[:, None])


def _inner(weights: Array, values: Array) -> Array:
    """Sum of weights * values over all but the first axis, where 0 * (-inf) = 0."""
    terms = weights * np.where(weights > 0, values, 0.0)
    return np.asarray(terms.reshape(len(terms), -1).sum(1))


def round_to_marginals(problem: Marginals, q: Array) -> Array:
    """Round q to a nearby table [T, N, M, K] with exactly the required marginals.

    Altschuler, Weed and Rigollet (2017), algorithm 2, for every y: scale down the rows and
    columns that exceed their marginal, then add the missing mass as a rank-one table.
    """
    q = q * _reduction(problem.a, q.sum(2))[:, :, None]
    q = q * _reduction(problem.b, q.sum(1))[:, None]
    missing1 = np.maximum(problem.a - q.sum(2), 0.0)
    missing2 = np.maximum(problem.b - q.sum(1), 0.0)
    mass = np.maximum(missing1.sum(1, keepdims=True), TINY)
    q += missing1[:, :, None] * (missing2 / mass)[:, None]
    return q


def _reduction(wanted: Array, present: Array) -> Array:
    """min(1, wanted / present), the factor that removes the excess."""
    return np.asarray(wanted / np.maximum(np.maximum(present, wanted), TINY))


def objective(q: Array) -> Array:
    """f(q) = sum q log[q(x1, x2, y) / q(x1, x2)] = -H(Y | X1, X2) in nats; [T, N, M, K] -> [T]."""
    return _entropy(q.sum(-1)) - _entropy(q)


def _entropy(q: Array) -> Array:
    terms = q * np.log(q + TINY)
    return -np.asarray(terms.reshape(len(q), -1).sum(1))
