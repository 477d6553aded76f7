"""Two-sided certified bounds on BROJA's one convex program, from any approximate solution.

The program: among all q(x1, x2, y) with the (X1, Y) and (X2, Y) marginals a and b of a table,
minimize f(q) = sum q log[q(x1, x2, y) / q(x1, x2)] (nats). A feasible q bounds the minimum
from above; its dual, max <a, A> + <b, B> over two experts A(x1, y), B(x2, y) with
sum_y exp(A + B) <= 1 for every pair (x1, x2), bounds it from below. Both bounds hold for
whatever comes in, so that nothing about the solvers needs to be trusted.

Shape legend: T tables, N values of X1, M values of X2, K values of Y.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Marginals:
    """The two pairwise marginals that a problem consists of.

    Attributes:
        a: p(x1, y), [T, N, K].
        b: p(x2, y), [T, M, K].
    """

    a: Tensor
    b: Tensor

    def take(self, index: Tensor) -> Marginals:
        """The problems at `index` (integers or a mask over T)."""
        return Marginals(self.a[index], self.b[index])

    def swapped(self) -> Marginals:
        """The same problems with the roles of the sources exchanged."""
        return Marginals(self.b, self.a)


@dataclass(frozen=True)
class Bounds:
    """Certified lower <= min f <= upper, in nats; both [T]."""

    lower: Tensor
    upper: Tensor

    @property
    def gap(self) -> Tensor:
        """Width of the certified interval, [T]."""
        return self.upper - self.lower


def certify(problem: Marginals, expert1: Tensor, expert2: Tensor, q: Tensor) -> Bounds:
    """Bound min f from any A [T, N, K], B [T, M, K] (the experts) and any q >= 0 [T, N, M, K].

    A is minus infinity where a = 0, and B where b = 0.
    """
    feasible = round_to_marginals(problem, q)
    return Bounds(lower_bound(problem, expert1, expert2), objective(feasible))


def lower_bound(problem: Marginals, expert1: Tensor, expert2: Tensor) -> Tensor:
    """Dual value of (A, B) after the cheapest shift that makes the pair feasible, nats [T].

    With L(x1, x2) = log sum_y exp(A + B), any alpha(x1) + beta(x2) >= L may be subtracted at
    the price <p1, alpha> + <p2, beta>: alpha is the row maximum of L, and beta <= 0 gives
    back what the columns do not need.
    """
    L = torch.logsumexp(expert1[:, :, None] + expert2[:, None], dim=-1)
    p1, p2 = problem.a.sum(-1), problem.b.sum(-1)
    alpha = torch.where(p1 > 0, L.amax(2), 0.0)
    L = torch.where(p1[:, :, None] > 0, L - alpha[:, :, None], -torch.inf)
    beta = torch.where(p2 > 0, L.amax(1), 0.0)
    gain = _inner(problem.a, expert1) + _inner(problem.b, expert2)
    return gain - _inner(p1, alpha) - _inner(p2, beta)


def _inner(weights: Tensor, values: Tensor) -> Tensor:
    """Sum of weights * values over all but the first axis, where 0 * (-inf) = 0."""
    return torch.where(weights > 0, weights * values, 0.0).flatten(1).sum(1)


def round_to_marginals(problem: Marginals, q: Tensor) -> Tensor:
    """A table [T, N, M, K] with exactly the right marginals, near q.

    Altschuler, Weed and Rigollet (2017), algorithm 2, for every y: shrink the rows and
    columns that exceed their marginal, then add the missing mass as a rank-one table.
    """
    q = q * _shrink(problem.a, q.sum(2))[:, :, None]
    q = q * _shrink(problem.b, q.sum(1))[:, None]
    missing1 = (problem.a - q.sum(2)).clamp_min(0)
    missing2 = (problem.b - q.sum(1)).clamp_min(0)
    mass = missing1.sum(1).clamp_min(torch.finfo(q.dtype).tiny)
    return q + missing1[:, :, None] * (missing2 / mass[:, None])[:, None]


def _shrink(wanted: Tensor, present: Tensor) -> Tensor:
    return torch.where(present > wanted, wanted / present, 1.0)


def objective(q: Tensor) -> Tensor:
    """f(q) = sum q log[q(x1, x2, y) / q(x1, x2)] = -H(Y | X1, X2) in nats; [T, N, M, K] -> [T]."""
    return _entropy(q.sum(-1)) - _entropy(q)


def _entropy(q: Tensor) -> Tensor:
    terms: Tensor = torch.special.entr(q)
    return terms.flatten(1).sum(1)
