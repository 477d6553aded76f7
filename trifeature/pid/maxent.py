"""The joint table of maximum entropy with three given pairwise marginals.

It has no third-order interaction. I_ccs and I_dep are defined with it, and its information about
Y is the least of any table with these marginals (the lower bound on synergy without joint
labels).

Shape legend: N values of X1, M values of X2, K values of Y.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trifeature.errors import InputError
from trifeature.pid.tables import LN2, TINY, Array

if TYPE_CHECKING:
    from scipy import sparse

# Most sweeps of iterative proportional fitting.
SWEEPS = 20_000
# The fit stops when no entry of a fitted marginal is off by more than this.
FITTED = 1e-13
# Largest accepted difference between two marginals of the same variable.
CONSISTENT = 1e-9


@dataclass(frozen=True)
class PairwiseMarginals:
    """Three pairwise marginals of one joint table.

    Attributes:
        x1x2: p(x1, x2), [N, M].
        x1y: p(x1, y), [N, K].
        x2y: p(x2, y), [M, K].
    """

    x1x2: Array
    x1y: Array
    x2y: Array

    @classmethod
    def of(cls, table: Array) -> PairwiseMarginals:
        """Return the pairwise marginals of a joint table [N, M, K]."""
        return cls(table.sum(2), table.sum(1), table.sum(0))


@dataclass(frozen=True)
class MaximumEntropy:
    """The fitted table and how accurate it is.

    Attributes:
        table: q[x1, x2, y]; its pairwise marginals are those given, up to `error`.
        entropy_bound: Upper bound of the maximum entropy in bits, valid for any iterate.
        error: Largest absolute error of an entry of the pairwise marginals.
        earlier: An earlier iterate, with an error at least ten times larger (the first iterate
            if there is none).
        earlier_error: Its error.
    """

    table: Array
    entropy_bound: float
    error: float
    earlier: Array
    earlier_error: float

    def error_of(self, function: Callable[[Array], float | Array]) -> Array:
        """Estimate the error that the fit leaves in a function of the table, or in each entry.

        The change of the function since `earlier` is about its error there. It is reduced in
        proportion to the error of the marginals, with a safety factor of ten.
        """
        change = np.abs(np.asarray(function(self.table)) - function(self.earlier))
        reduction = 10 * self.error / max(self.earlier_error, TINY)
        return np.asarray(change * min(1.0, reduction) + self.error)


def maximum_entropy(
    marginals: PairwiseMarginals, support: NDArray[np.bool_] | None = None
) -> MaximumEntropy:
    """Fit by iterative proportional fitting on the largest support that the marginals allow.

    Args:
        marginals: The three pairwise marginals, of one common table.
        support: Where the table may be positive, if known; otherwise found by a linear program.
            (Where the marginals exclude a cell only jointly, fitting without the support would
            converge like 1 / sweeps.)

    Raises:
        InputError: No table has these three marginals.
    """
    mask = largest_support(marginals) if support is None else support
    wanted = ((marginals.x1x2, 2), (marginals.x1y, 1), (marginals.x2y, 0))
    q = mask / mask.sum()
    # log q is a sum of three pairwise terms, so its mean is the same under every table with
    # these marginals, the one of maximum entropy included. By Gibbs' inequality, minus this
    # mean (of the normalized q) is an upper bound of that entropy.
    mean_log = -float(np.log(mask.sum()))
    kept: list[tuple[float, Array]] = []  # an iterate for each tenfold reduction of the error
    for sweep in range(SWEEPS):
        for marginal, axis in wanted:
            factor = _ratio(marginal, q.sum(axis))
            q = q * np.expand_dims(factor, axis)
            mean_log += float((marginal * np.log(np.where(marginal > 0, factor, 1.0))).sum())
        if sweep < 100 or sweep % 10 == 0:
            error = _error(q, marginals)
            if not kept or error <= kept[-1][0] / 10:
                kept.append((error, q))
            if error < FITTED:
                break
    error = _error(q, marginals)
    earlier = [one for one in kept if one[0] >= 10 * error] or kept[:1]
    earlier_error, table = earlier[-1]
    bound = (float(np.log(q.sum())) - mean_log) / LN2
    return MaximumEntropy(q, bound, error, table, earlier_error)


def _ratio(wanted: Array, present: Array) -> Array:
    return np.asarray(wanted / np.maximum(present, TINY))


def _error(q: Array, marginals: PairwiseMarginals) -> float:
    fitted = PairwiseMarginals.of(q)
    return max(
        float(np.abs(fitted.x1x2 - marginals.x1x2).max()),
        float(np.abs(fitted.x1y - marginals.x1y).max()),
        float(np.abs(fitted.x2y - marginals.x2y).max()),
    )


def largest_support(marginals: PairwiseMarginals) -> NDArray[np.bool_]:
    """Return where some table with these three marginals is positive, [N, M, K].

    One linear program: among t, e >= 0 with t <= 1 and t + e a multiple of such a table,
    maximize sum t. Then t is 1 on the support and 0 elsewhere.

    Raises:
        InputError: No table has these marginals.
    """
    from scipy import sparse  # noqa: PLC0415 - slow to load
    from scipy.optimize import linprog  # noqa: PLC0415

    _require_consistent(marginals)
    allowed = (
        (marginals.x1x2[:, :, None] > 0) & (marginals.x1y[:, None] > 0) & (marginals.x2y[None] > 0)
    )
    cells = np.flatnonzero(allowed)
    constraints, sums = _marginal_constraints(allowed.shape, cells, marginals)
    n = len(cells)
    result = linprog(
        np.concatenate([-np.ones(n), np.zeros(n + 1)]),
        A_eq=sparse.hstack([constraints, constraints, -sums[:, None]]),
        b_eq=np.zeros(len(sums)),
        bounds=[(0, 1)] * n + [(0, None)] * (n + 1),
        method="highs",
    )
    if not result.success or result.x[-1] <= 0:
        raise InputError("no joint table has these three pairwise marginals")
    mask = np.zeros(allowed.size, dtype=bool)
    mask[cells[result.x[:n] > 0.5]] = True
    return mask.reshape(allowed.shape)


def _marginal_constraints(
    shape: tuple[int, ...], cells: NDArray[np.intp], marginals: PairwiseMarginals
) -> tuple[sparse.csr_array, Array]:
    """One sparse 0/1 row for each entry of a pairwise marginal, and the entries themselves."""
    from scipy import sparse  # noqa: PLC0415 - slow to load

    N, M, K = shape
    x1, x2, y = np.unravel_index(cells, shape)
    rows = np.concatenate([x1 * M + x2, N * M + x1 * K + y, N * M + N * K + x2 * K + y])
    columns = np.tile(np.arange(len(cells)), 3)
    size = (N * M + N * K + M * K, len(cells))
    matrix = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=size)
    parts = (marginals.x1x2, marginals.x1y, marginals.x2y)
    return matrix, np.concatenate([part.ravel() for part in parts])


def _require_consistent(marginals: PairwiseMarginals) -> None:
    """Require that the three marginals agree on p(x1), p(x2) and p(y)."""
    shared = {
        "x1": (marginals.x1x2.sum(1), marginals.x1y.sum(1)),
        "x2": (marginals.x1x2.sum(0), marginals.x2y.sum(1)),
        "y": (marginals.x1y.sum(0), marginals.x2y.sum(0)),
    }
    for name, (one, other) in shared.items():
        if one.shape != other.shape or not np.allclose(one, other, rtol=0, atol=CONSISTENT):
            raise InputError(f"the pairwise marginals disagree on p({name})")
