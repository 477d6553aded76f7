"""Solvers for the union information of n sources: Newton steps, or scaling for large tables.

`newton` is the primal-dual interior-point method of `trifeature.pid.interior` for n sources: it
solves sum over the other sources of z w = a_i for every i, and z s = mu, with w = exp(sum_i A_i)
and s = 1 - sum_y w. For each cell x the matrix of u = sum_i dA_i is diag(z w) + (z / s) w w^T;
they are summed into one dense matrix of sum_i N_i K unknowns. `scaling` generalizes
`trifeature.pid.scaling` and needs no matrix.

Shape legend: n sources, N_i values of X_i, K values of Y, [N…] one axis for each source, U the
sum of N_i K.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from trifeature.checks import require_memory
from trifeature.pid.sources.certificate import (
    Parts,
    Solution,
    cells_of,
    certify,
    marginal_of,
    outer_sum,
    product_table,
    spread,
)
from trifeature.pid.tables import TINY, Array
from trifeature.threads import one_thread

# Unknowns U up to which Newton steps are tried: they take U^3 operations and 8 U^2 bytes several
# times over.
LARGEST = 4000
# Limits on the Newton steps and on the rounds of scaling, of `SWEEPS` iterations each, and the
# number of iterates in a row after which a method that does not improve is given up.
STEPS, ROUNDS, SWEEPS, PATIENCE = 200, 60, 50, 25
# Arrays as large as the table, and matrices [U, U], that a solver holds at once.
COPIES, MATRICES = 16, 4
# As in `trifeature.pid.interior` and `trifeature.pid.scaling`.
LONGEST_STEP, KEPT_SHARE, RIDGE = 5.0, 0.01, 1e-14
FAST, SAFE = 1.8, 1.0
# Limits of the ratio of the mu that a step aims at to the mean of z s.
CENTERING = (0.05, 0.8)
# Largest change of an exponent at which second-order terms are used.
LONGEST_CORRECTED = 3.0


def solve(marginals: Parts, joint: Array, tolerance: float) -> Solution:
    """Bound min f until its interval is at most `tolerance` nats wide, or no method helps.

    Args:
        marginals: p(x_i, y) > 0 in every row and column, [N_i, K] each.
        joint: Any table with these marginals, [N…, K]; the first upper bound.
        tolerance: Nats.

    Raises:
        InputError: the solver's arrays do not fit into memory.
    """
    unknowns = sum(a.size for a in marginals)
    square = unknowns**2 if unknowns <= LARGEST else 0
    needed = 8.0 * (cells_of(marginals) * COPIES + square * MATRICES)
    require_memory("the union information", needed, "coarsen the columns, or take fewer sources")
    best = simple_bounds(marginals, joint)
    # log 0 is minus infinity by definition here, and iterates that fail are filtered out.
    with one_thread(), np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if unknowns <= LARGEST:
            best = _run(newton, STEPS, marginals, best, tolerance)
            best = _run(plain_newton, STEPS, marginals, best, tolerance)
        return _run(scaling, ROUNDS, marginals, best, tolerance)


def simple_bounds(marginals: Parts, joint: Array) -> Solution:
    """Bounds that hold for every table: max_i I_i <= union <= min(I(X1, …, Xn; Y), sum_i I_i).

    The experts log p(y | x_i) of one source, the others 0, prove the lower bound; the table itself
    and the one whose sources are independent given Y the upper bounds.
    """
    zero = tuple(np.where(a > 0, 0.0, -np.inf) for a in marginals)
    with np.errstate(divide="ignore"):
        alone = [np.log(a / a.sum(axis=1, keepdims=True)) for a in marginals]
    experts = [(*zero[:i], expert, *zero[i + 1 :]) for i, expert in enumerate(alone)]
    found = [certify(marginals, one, joint) for one in experts]
    found.append(certify(marginals, experts[0], product_table(marginals)))
    return reduce(Solution.better_of, found)


Iterates = Callable[[Parts], Iterator[Solution]]


def _run(
    method: Iterates, rounds: int, marginals: Parts, best: Solution, tolerance: float
) -> Solution:
    """Keep the best bounds of the iterates, until they are tight, stall, or are not finite."""
    if best.gap <= tolerance:
        return best
    record, since = np.inf, 0
    for _, found in zip(range(rounds), method(marginals), strict=False):
        if not np.isfinite([found.lower, found.upper]).all():
            break
        best = best.better_of(found)
        since = 0 if found.gap < 0.95 * record else since + 1
        record = min(record, found.gap)
        if best.gap <= tolerance or since >= PATIENCE:
            break
    return best


# --------------------------------------------------------------------------- Newton


@dataclass(frozen=True, eq=False)
class _Point:
    """An interior iterate: experts, multipliers z [N…], and w [N…, K] and s [N…] of the experts."""

    experts: Parts
    z: Array
    w: Array
    s: Array

    @classmethod
    def of(cls, experts: Parts, z: Array) -> _Point:
        w = np.exp(outer_sum(experts))
        return cls(experts, z, w, 1 - w.sum(axis=-1))


@dataclass(frozen=True, eq=False)
class _Direction:
    """A Newton direction: dA_i, their sum u [N…, K], <w, u> [N…], and dz [N…]."""

    experts: Parts
    u: Array
    wu: Array
    dz: Array


def newton(marginals: Parts) -> Iterator[Solution]:
    """Yield certified solutions along the central path; stop at a singular matrix.

    Each step is Mehrotra's: the direction to mu = 0 tells how far mu can be lowered, and its
    second-order terms correct the direction that is taken. Without them the steps become short
    where many constraints are nearly active (30 x 30 x 30 x 2 cells: 20 steps, else more than 200).
    Where that direction is long its second order means nothing, and is left out.
    """
    return _path(marginals, LONGEST_CORRECTED)


def plain_newton(marginals: Parts) -> Iterator[Solution]:
    """As `newton`, without second-order terms: converges on a few tables where it stalls."""
    return _path(marginals, 0.0)


def _path(marginals: Parts, longest_corrected: float) -> Iterator[Solution]:
    point, last = _start(marginals), 1.0
    while True:
        try:
            directions = _Newton(marginals, point)
        except np.linalg.LinAlgError:
            return
        mean = float((point.z * point.s).mean())
        ahead = directions.solve(0.0, None)
        dual, primal = _ratio_step(point.s, -ahead.wu, 0.0), _ratio_step(point.z, ahead.dz, 0.0)
        left = float(((point.z + primal * ahead.dz) * (point.s - dual * ahead.wu)).mean())
        # After a short step the iterate is far from the central path, so mu is lowered less.
        ratio = max((left / max(mean, TINY)) ** 3, (1 - last) ** 2)
        mu = mean * float(np.clip(ratio, *CENTERING))
        corrected = float(np.abs(ahead.u).max()) <= longest_corrected
        step = directions.solve(mu, ahead if corrected else None)
        dual, primal = _dual_step(point, step), _ratio_step(point.z, step.dz, KEPT_SHARE)
        last = min(dual, primal)
        experts = tuple(A + dual * d for A, d in zip(point.experts, step.experts, strict=True))
        point = _Point.of(experts, point.z + primal * step.dz)
        yield certify(marginals, experts, point.z[..., None] * point.w)


def _start(marginals: Parts) -> _Point:
    """Start at the geometric mean of p(y | x_1), …, p(y | x_n), halved, and z = prod_i p(x_i).

    The mean's sum over y is at most 1/2 by Hölder's inequality.
    """
    n = len(marginals)
    px = [a.sum(axis=1, keepdims=True) for a in marginals]
    experts = tuple(np.log(a / p / 2) / n for a, p in zip(marginals, px, strict=True))
    z = product_table(tuple(px))[..., 0]
    return _Point.of(experts, np.maximum(z, np.finfo(np.float64).eps))


class _Newton:
    """The linear system at one point, factorized once for two right-hand sides.

    Raises:
        LinAlgError: the matrix is singular in float64.
    """

    def __init__(self, marginals: Parts, point: _Point) -> None:
        from scipy.linalg import lu_factor  # noqa: PLC0415 - slow to load

        self.marginals, self.point = marginals, point
        self.free = _without_gauge(marginals)
        matrix = _matrix(marginals, point)[np.ix_(self.free, self.free)]
        # A symmetric diagonal scaling makes the ridge relative to each unknown.
        self.scale = 1 / np.sqrt(np.maximum(matrix.diagonal(), TINY))
        scaled = self.scale[:, None] * matrix * self.scale + RIDGE * np.eye(len(matrix))
        if not np.isfinite(scaled).all():
            raise np.linalg.LinAlgError
        self.factors = lu_factor(scaled, overwrite_a=True, check_finite=False)

    def solve(self, mu: float, ahead: _Direction | None) -> _Direction:
        """Direction to z s = mu, with the second-order terms of the direction `ahead`, if given.

        Up to second order in u, w moves by w (u + u^2 / 2) and s by -<w, u> - <w, u^2> / 2. With
        c = z <w, u^2> / 2 + dz <w, u> of `ahead`:
        dz = (mu - z s + c + z <w, u>) / s, and the sum over the other sources of
        z w u + (z / s) <w, u> w is a_i - sum of [(mu + c) / s + z u^2 / 2 + dz u] w.
        """
        z, w, s = self.point.z, self.point.w, self.point.s
        c = np.zeros_like(z)
        second: Array | float = 0.0
        if ahead is not None:
            second = 0.5 * z[..., None] * ahead.u**2 + ahead.dz[..., None] * ahead.u
            c = (w * second).sum(axis=-1)
        pull = (((mu + c) / s)[..., None] + second) * w
        right = [a - marginal_of(pull, i) for i, a in enumerate(self.marginals)]
        experts = self._solved(np.concatenate([part.ravel() for part in right]))
        u = np.where(w > 0, outer_sum(experts), 0.0)
        wu = (w * u).sum(axis=-1)
        return _Direction(experts, u, wu, (mu - z * s + c + z * wu) / s)

    def _solved(self, right: Array) -> Parts:
        from scipy.linalg import lu_solve  # noqa: PLC0415 - slow to load

        flat = np.zeros(len(self.free))
        wanted = self.scale * right[self.free]
        flat[self.free] = self.scale * lu_solve(self.factors, wanted, check_finite=False)
        ends = np.cumsum([a.size for a in self.marginals])[:-1]
        parts = zip(np.split(flat, ends), self.marginals, strict=True)
        return tuple(part.reshape(a.shape) for part, a in parts)


def _matrix(marginals: Parts, point: _Point) -> Array:
    """Sum over all cells x of diag(z w) + (z / s) w w^T, [U, U].

    The block of sources i and j sums over the others: one matrix product for each pair (x_i, x_j).
    """
    z, w, s = point.z, point.w, point.s
    n, K = len(marginals), w.shape[-1]
    starts = np.concatenate([[0], np.cumsum([a.size for a in marginals])])
    matrix = np.zeros((starts[-1], starts[-1]))
    root, zw = np.sqrt(z / s)[..., None] * w, z[..., None] * w
    done = np.zeros(n, dtype=bool)
    for i, j in combinations(range(n), 2):
        G = np.moveaxis(root, (i, j), (0, 1)).reshape(len(marginals[i]), len(marginals[j]), -1, K)
        block = G.swapaxes(2, 3) @ G
        others = tuple(k for k in range(n) if k not in (i, j))
        _add_diagonal(block, zw.sum(axis=others))
        at_i, at_j = (slice(starts[k], starts[k + 1]) for k in (i, j))
        cross = block.transpose(0, 2, 1, 3).reshape(marginals[i].size, marginals[j].size)
        matrix[at_i, at_j], matrix[at_j, at_i] = cross, cross.T
        for k, at, axis in ((i, at_i, 1), (j, at_j, 0)):
            if not done[k]:
                matrix[at, at] = _block_diagonal(block.sum(axis=axis))
                done[k] = True
    return matrix


def _add_diagonal(blocks: Array, values: Array) -> None:
    """Add [..., K] to the diagonals of [..., K, K], in place."""
    np.einsum("...ii->...i", blocks)[...] += values


def _block_diagonal(blocks: Array) -> Array:
    """The matrix [N K, N K] with the blocks [N, K, K] on its diagonal."""
    N, K, _ = blocks.shape
    matrix = np.zeros((N, K, N, K))
    index = np.arange(N)
    matrix[index, :, index, :] = blocks
    return matrix.reshape(N * K, N * K)


def _without_gauge(marginals: Parts) -> NDArray[np.bool_]:
    """The unknowns that are free, [U].

    Adding c(y) to one expert and taking it from another changes nothing: for every source but the
    first and every y, the entry with the largest marginal is kept fixed.
    """
    free = [a > 0 for a in marginals]
    for a, mask in zip(marginals[1:], free[1:], strict=True):
        mask[a.argmax(axis=0), np.arange(a.shape[1])] = False
    return np.concatenate([mask.ravel() for mask in free])


def _dual_step(point: _Point, step: _Direction) -> float:
    """The longest tried step that keeps every slack s above KEPT_SHARE of its value."""
    longest = float(np.abs(step.u).max())
    share = min(_ratio_step(point.s, -step.wu, KEPT_SHARE), LONGEST_STEP / max(longest, TINY))
    for _ in range(200):
        slack = 1 - (point.w * np.exp(share * step.u)).sum(axis=-1)
        if (slack > KEPT_SHARE * point.s).all():
            break
        share *= 0.9
    return share


def _ratio_step(values: Array, change: Array, kept: float) -> float:
    """The longest step, at most 1, that keeps every value above this share of itself."""
    decrease = float((-change / values).max())
    return min(1.0, (1 - kept) / decrease) if decrease > 0 else 1.0


# --------------------------------------------------------------------------- scaling


def scaling(marginals: Parts) -> Iterator[Solution]:
    """Yield a certified solution every `SWEEPS` iterations of multiplicative scaling.

    q = p(y) r(x) prod_i u_i(x_i, y): the u_i are scaled in turn to their marginals, and r is
    multiplied by (sum_y p(y) prod_i u_i)^omega, as in the Blahut-Arimoto algorithm.
    """
    n, py = len(marginals), marginals[0].sum(axis=0)
    conditionals = [a / py for a in marginals]
    factors = [np.where(a > 0, 1.0, 0.0) for a in marginals]
    r = product_table(tuple(a.sum(axis=1, keepdims=True) for a in marginals))
    omega, last = FAST, np.inf
    while True:
        for sweep in range(SWEEPS + 1):
            product = np.exp(outer_sum([np.log(u) for u in factors]))
            for i, wanted in enumerate(conditionals):
                ratio = wanted / np.maximum(marginal_of(r * product, i), TINY)
                factors[i] = factors[i] * ratio
                product = product * spread(ratio, i, n)
            if sweep < SWEEPS:
                r = r * (product @ py)[..., None] ** omega
                r = r / r.sum()
        found = certify(marginals, _logs(factors, py), r * product * py)
        omega = SAFE if found.gap > last else omega
        last = found.gap
        yield found


def _logs(factors: list[Array], py: Array) -> Parts:
    logs = [np.log(u) for u in factors]
    logs[0] = logs[0] + np.log(py)
    return tuple(logs)
