"""The table of largest entropy among those with three given pairwise marginals.

Its interactions are pairwise only, so it answers "what would the third-order part add?":
I_ccs and I_dep are defined with it, and its information about Y is the least that any table
with these marginals can have (the lower bound on synergy without joint labels).

Shape legend: N values of X1, M values of X2, K values of Y.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog
from scipy.special import xlogy

from trifeature.errors import InputError
from trifeature.pid.tables import LN2

Array = NDArray[np.float64]

SWEEPS = 20_000
# Largest absolute error of a fitted marginal.
FITTED = 1e-13
# What two samples of one variable, or two roundings of one marginal, may differ by.
CONSISTENT = 1e-9


@dataclass(frozen=True)
class Pairs:
    """Three pairwise marginals: x1x2 [N, M], x1y [N, K], x2y [M, K]."""

    x1x2: Array
    x1y: Array
    x2y: Array

    @classmethod
    def of(cls, table: Array) -> Pairs:
        """The pairwise marginals of a joint table [N, M, K]."""
        return cls(table.sum(2), table.sum(1), table.sum(0))


@dataclass(frozen=True)
class MaximumEntropy:
    """The fitted table and what it certifies.

    Attributes:
        table: q[x1, x2, y] with the marginals wanted, to `error`.
        entropy_bound: Upper bound of the largest entropy, in bits, valid before convergence.
        error: Largest absolute error of a marginal.
    """

    table: Array
    entropy_bound: float
    error: float


def maximum_entropy(pairs: Pairs, support: NDArray[np.bool_] | None = None) -> MaximumEntropy:
    """Iterative proportional fitting on the largest support the marginals allow.

    Args:
        pairs: The three pairwise marginals, of one common table.
        support: Where the table may be positive, if known; found by a linear program if not.
            (Fitting towards a zero that only the marginals together enforce would converge
            like 1 / sweeps.)

    Raises:
        InputError: No table has these three marginals.
    """
    mask = largest_support(pairs) if support is None else support
    wanted = ((pairs.x1x2, 2), (pairs.x1y, 1), (pairs.x2y, 0))
    q = mask / mask.sum()
    # log q is a sum of three pairwise terms, so its mean is the same under every table with
    # these marginals. Under the one of largest entropy, minus that mean bounds the entropy.
    mean_log = -float(np.log(mask.sum()))
    for sweep in range(SWEEPS):
        for marginal, axis in wanted:
            factor = _ratio(marginal, q.sum(axis))
            q = q * np.expand_dims(factor, axis)
            mean_log += float(xlogy(marginal, factor).sum())
        if sweep % 10 == 0 and _error(q, pairs) < FITTED:
            break
    return MaximumEntropy(q, (float(np.log(q.sum())) - mean_log) / LN2, _error(q, pairs))


def _ratio(wanted: Array, present: Array) -> Array:
    return np.divide(wanted, present, where=present > 0, out=np.zeros_like(wanted))


def _error(q: Array, pairs: Pairs) -> float:
    fitted = Pairs.of(q)
    return max(
        float(np.abs(fitted.x1x2 - pairs.x1x2).max()),
        float(np.abs(fitted.x1y - pairs.x1y).max()),
        float(np.abs(fitted.x2y - pairs.x2y).max()),
    )


def largest_support(pairs: Pairs) -> NDArray[np.bool_]:
    """Where any table with these three marginals can be positive, [N, M, K].

    One linear program: among t, e >= 0 with t <= 1 and t + e a multiple of such a table,
    maximize sum t; t is then 1 on the support and 0 elsewhere.

    Raises:
        InputError: No table has these marginals.
    """
    _check_consistent(pairs)
    allowed = (pairs.x1x2[:, :, None] > 0) & (pairs.x1y[:, None] > 0) & (pairs.x2y[None] > 0)
    cells = np.flatnonzero(allowed)
    constraints, marginals = _marginal_constraints(allowed.shape, cells, pairs)
    n = len(cells)
    result = linprog(
        np.concatenate([-np.ones(n), np.zeros(n + 1)]),
        A_eq=sparse.hstack([constraints, constraints, -marginals[:, None]]),
        b_eq=np.zeros(len(marginals)),
        bounds=[(0, 1)] * n + [(0, None)] * (n + 1),
        method="highs",
    )
    if not result.success or result.x[-1] <= 0:
        raise InputError("no joint table has these three pairwise marginals")
    mask = np.zeros(allowed.size, dtype=bool)
    mask[cells[result.x[:n] > 0.5]] = True
    return mask.reshape(allowed.shape)


def _marginal_constraints(
    shape: tuple[int, ...], cells: NDArray[np.intp], pairs: Pairs
) -> tuple[sparse.csr_array, Array]:
    """Sparse 0/1 rows, one a pairwise marginal's entry, and the entries they sum to."""
    N, M, K = shape
    x1, x2, y = np.unravel_index(cells, shape)
    rows = np.concatenate([x1 * M + x2, N * M + x1 * K + y, N * M + N * K + x2 * K + y])
    columns = np.tile(np.arange(len(cells)), 3)
    size = (N * M + N * K + M * K, len(cells))
    matrix = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=size)
    return matrix, np.concatenate([pairs.x1x2.ravel(), pairs.x1y.ravel(), pairs.x2y.ravel()])


def _check_consistent(pairs: Pairs) -> None:
    """The three marginals agree on p(x1), p(x2) and p(y)."""
    shared = {
        "x1": (pairs.x1x2.sum(1), pairs.x1y.sum(1)),
        "x2": (pairs.x1x2.sum(0), pairs.x2y.sum(1)),
        "y": (pairs.x1y.sum(0), pairs.x2y.sum(0)),
    }
    for name, (one, other) in shared.items():
        if one.shape != other.shape or not np.allclose(one, other, rtol=0, atol=CONSISTENT):
            raise InputError(f"the pairwise marginals disagree on p({name})")
