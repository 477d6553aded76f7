"""Certified bounds on the union information of n sources, from any approximate solution.

The program: among all q(x1, …, xn, y) with the n marginals a_i of (X_i, Y), minimize
f(q) = sum q log[q(x1, …, xn, y) / q(x1, …, xn)] (nats); the union information is H(Y) + min f.
Its dual: maximize sum_i <a_i, A_i> over n experts A_i(x_i, y) with sum_y exp(sum_i A_i) <= 1 for
every x1, …, xn. Any q becomes feasible by rounding and gives an upper bound, any experts become
feasible by a shift and give a lower bound: no solver needs to be trusted. For n = 2 this is
`trifeature.pid.certificate`.

Shape legend: n sources, N_i values of X_i, K values of Y, [N…] one axis for each source.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from trifeature.pid.tables import TINY, Array

Parts: TypeAlias = tuple[Array, ...]
"""One array [N_i, K] for each source: marginals or experts."""


@dataclass(frozen=True, eq=False)
class Solution:
    """Feasible experts and a feasible table, and the bounds that they prove.

    Attributes:
        experts: A_i(x_i, y), [N_i, K] each; minus infinity where p(x_i, y) = 0.
        q: Table with the required marginals, [N…, K].
        lower: Dual value of the experts, nats.
        upper: f(q), nats.
    """

    experts: Parts
    q: Array
    lower: float
    upper: float

    @property
    def gap(self) -> float:
        """Width of the certified interval, nats."""
        return self.upper - self.lower

    def better_of(self, other: Solution) -> Solution:
        """Return the better experts of the two with the better table of the two; nan loses."""
        dual = other if other.lower > self.lower else self
        primal = other if other.upper < self.upper else self
        return Solution(dual.experts, primal.q, dual.lower, primal.upper)


def certify(marginals: Parts, experts: Parts, q: Array) -> Solution:
    """Bound min f from any experts and any q >= 0; see `feasible` and `round_to_marginals`."""
    shifted, lower = feasible(marginals, experts)
    rounded = round_to_marginals(marginals, q)
    return Solution(shifted, rounded, lower, objective(rounded))


def feasible(marginals: Parts, experts: Parts) -> tuple[Parts, float]:
    """Shift the experts until the constraints hold; return them and their dual value in nats.

    With L = log sum_y exp(sum_i A_i), any alpha_i(x_i) whose sum is at least L may be subtracted.
    Here alpha_1 is the largest L over the other sources, alpha_2 the largest of what remains, and
    so on.
    """
    L = log_sums(outer_sum(experts))
    shifted, value = [], 0.0
    for i, (marginal, expert) in enumerate(zip(marginals, experts, strict=True)):
        alpha = L.max(axis=_others(i, L.ndim))
        L = L - _along(alpha, i, L.ndim)
        moved = np.where(marginal > 0, expert - alpha[:, None], -np.inf)
        shifted.append(moved)
        value += float((marginal * np.where(marginal > 0, moved, 0.0)).sum())
    return tuple(shifted), value


def outer_sum(parts: Sequence[Array]) -> Array:
    """sum_i A_i(x_i, y) for every x1, …, xn and y, [N…, K]."""
    n = len(parts)
    total = np.zeros((1,) * n + (parts[0].shape[1],))
    for i, part in enumerate(parts):
        total = total + spread(part, i, n)
    return total


def spread(part: Array, axis: int, n: int) -> Array:
    """View [N_i, K] as [1, …, N_i, …, 1, K], N_i at `axis` of n."""
    shape = [1] * n + [part.shape[1]]
    shape[axis] = part.shape[0]
    return part.reshape(shape)


def marginal_of(table: Array, axis: int) -> Array:
    """Sum [N…, K] over all sources but one, [N_i, K]."""
    return np.asarray(table.sum(axis=_others(axis, table.ndim - 1)))


def log_sums(exponents: Array) -> Array:
    """Log of the sum over y of exp, [N…, K] -> [N…]."""
    top = exponents.max(axis=-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):  # no y is possible: minus infinity
        return np.asarray(np.log(np.exp(exponents - top).sum(axis=-1)) + top[..., 0])


def round_to_marginals(marginals: Parts, q: Array) -> Array:
    """Round q to a nearby table [N…, K] with exactly the required marginals.

    Altschuler, Weed and Rigollet (2017), algorithm 2, for n marginals and every y: scale down what
    exceeds each marginal in turn. Then all marginals lack the same mass m(y), and the product of
    the missing parts over m(y)^(n - 1) has exactly these marginals.
    """
    n = len(marginals)
    for i, wanted in enumerate(marginals):
        present = marginal_of(q, i)
        factor = wanted / np.maximum(np.maximum(present, wanted), TINY)
        q = q * spread(factor, i, n)
    missing = [np.maximum(a - marginal_of(q, i), 0.0) for i, a in enumerate(marginals)]
    mass = missing[0].sum(axis=0)
    for i, part in enumerate(missing):
        scaled = part / np.maximum(mass, TINY) if i else part
        missing[i] = scaled
    product = spread(missing[0], 0, n)
    for i in range(1, n):
        product = product * spread(missing[i], i, n)
    return np.asarray(q + product)


def objective(q: Array) -> float:
    """f(q) = sum q log[q(x, y) / q(x)] = -H(Y | X1, …, Xn) in nats."""
    px = q.sum(axis=-1)
    return float((q * np.log(q + TINY)).sum() - (px * np.log(px + TINY)).sum())


def product_table(marginals: Parts) -> Array:
    """p(y) times the product of p(x_i | y): the sources are independent given Y, [N…, K]."""
    n, py = len(marginals), marginals[0].sum(axis=0)
    table = np.ones((1,) * n + py.shape) * py
    for i, marginal in enumerate(marginals):
        table = table * spread(marginal / np.maximum(py, TINY), i, n)
    return np.asarray(table)


def cells_of(marginals: Parts) -> int:
    """Number of cells of a joint table of these sources and the target."""
    return math.prod(len(a) for a in marginals) * int(marginals[0].shape[1])


def _others(axis: int, n: int) -> tuple[int, ...]:
    return tuple(i for i in range(n) if i != axis)


def _along(values: Array, axis: int, n: int) -> Array:
    shape = [1] * n
    shape[axis] = len(values)
    return values.reshape(shape)
