"""Primal-dual interior-point method for BROJA's dual: 1e-9 bits in ten to thirty Newton steps.

Maximize <a, A> + <b, B> subject to s = 1 - sum_y w >= 0 with w = exp(A + B), one constraint for
each pair (x1, x2). The multiplier z(x1, x2) of a constraint is the optimal q(x1, x2), and z w the
optimal q. Each step solves the linearized optimality conditions

    sum_x2 z w = a,    sum_x1 z w = b,    z s = mu

for u = dA + dB and dz. For each pair the matrix is diag(z w) + (z / s) w w^T; the x1 blocks are
eliminated, and the Schur complement of M K unknowns is solved. The multipliers z are needed for
accuracy: a plain log barrier in (A, B) stalls at 1e-7.

Shape legend: T tables, N values of X1, M values of X2, K values of Y.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trifeature.pid.certificate import Bounds, Index, Marginals, certify
from trifeature.pid.tables import TINY, Array

# Largest change of A + B in one step.
LONGEST_STEP = 5.0
# A step keeps every slack s and multiplier z above this share of its value.
KEPT_SHARE = 0.01
# Limits of the ratio of the new mu to the current mean of z s.
CENTERING = (0.05, 0.8)
# Relative ridge of the matrices to be factorized, of the order of float64 rounding.
RIDGE = 1e-14


@dataclass(frozen=True)
class State:
    """An interior iterate for every table.

    Attributes:
        expert1: A(x1, y), [T, N, K].
        expert2: B(x2, y), [T, M, K].
        z: Multipliers of the constraints, [T, N, M].
        step: Share of the last full step that was taken, [T].
    """

    expert1: Array
    expert2: Array
    z: Array
    step: Array

    def take(self, index: Index) -> State:
        """Return the iterates at `index`."""
        return State(self.expert1[index], self.expert2[index], self.z[index], self.step[index])

    def experts(self, _: Marginals) -> tuple[Array, Array]:
        """Return A [T, N, K] and B [T, M, K]."""
        return self.expert1, self.expert2

    def q(self, _: Marginals) -> Array:
        """Return the present approximation of the optimal q, [T, N, M, K]."""
        return self.z[..., None] * self.w()

    def w(self) -> Array:
        """exp(A + B), [T, N, M, K]; zero where a or b is zero."""
        return np.exp(self.expert1)[:, :, None] * np.exp(self.expert2)[:, None]


def start(problem: Marginals) -> State:
    """Return a strictly interior iterate: w = p(y | x1) / 2, and z = p(x1) p(x2)."""
    p1, p2 = problem.a.sum(-1), problem.b.sum(-1)
    expert1 = np.log(problem.a / np.maximum(p1, TINY)[:, :, None] / 2)
    expert2 = np.where(problem.b > 0, 0.0, -np.inf)
    z = np.maximum(p1[:, :, None] * p2[:, None], np.finfo(np.float64).eps)
    return State(expert1, expert2, z, np.ones(len(z)))


def advance(problem: Marginals, state: State) -> tuple[State, Bounds]:
    """Take one damped Newton step towards the central path; return it with its certificate."""
    w = state.w()
    s = 1 - w.sum(-1)
    # After a short step the iterate is far from the central path, so mu is lowered less.
    ratio = np.clip((1 - state.step) ** 2, *CENTERING)
    mu = (ratio * (state.z * s).mean((1, 2)))[:, None, None]
    d1, d2 = _direction(problem, w, state.z, s, mu)
    # dz = (mu - z s + z <w, u>) / s with u = dA + dB.
    change = (w @ d1[..., None])[..., 0]
    change += (w.swapaxes(1, 2) @ d2[..., None])[..., 0].swapaxes(1, 2)
    dz = (mu - state.z * s + state.z * change) / s
    step, z_step = _dual_step(state, d1, d2, w, s), _multiplier_step(state.z, dz)
    moved = State(
        state.expert1 + step[:, None, None] * d1,
        state.expert2 + step[:, None, None] * d2,
        state.z + z_step[:, None, None] * dz,
        np.minimum(step, z_step),
    )
    return moved, certify(problem, *moved.experts(problem), moved.q(problem))


def _multiplier_step(z: Array, dz: Array) -> Array:
    """The longest step [T] that keeps every z above KEPT_SHARE of its value."""
    decrease = (-dz / z).max((1, 2))
    return np.where(decrease > 1 - KEPT_SHARE, (1 - KEPT_SHARE) / decrease, 1.0)


def _direction(problem: Marginals, w: Array, z: Array, s: Array, mu: Array) -> tuple[Array, Array]:
    """Newton direction dA [T, N, K], dB [T, M, K], by elimination of the x1 blocks.

    The system is [[D1, C], [C^T, D2]] (dA, dB) = (r1, r2). D1 and D2 are block diagonal; the
    block of C for (x1, x2) is diag(z w) + (z / s) w w^T. With D1 = F F^T and V = F^-1 C, the
    Schur complement is D2 - V^T V.
    """
    T, N, M, K = w.shape
    pull = (mu / s)[..., None] * w
    r1, r2 = problem.a - pull.sum(2), problem.b - pull.sum(1)
    zw, gw = z[..., None] * w, (z / s)[..., None] * w
    w2, gw2 = w.swapaxes(1, 2), gw.swapaxes(1, 2)
    D1 = _regular(_diagonal(zw.sum(2)) + gw.swapaxes(2, 3) @ w, problem.a > 0)
    inverse = solve_each(np.linalg.inv, solve_each(np.linalg.cholesky, D1))
    # F^-1 C from its two parts, without a product of two large matrices: [T, N, K, M, K].
    V = inverse[:, :, :, None] * zw[:, :, None]
    V += (inverse @ gw.swapaxes(2, 3))[..., None] * w[:, :, None]
    V = V.reshape(T, N * K, M * K)
    y1 = (inverse @ r1[..., None]).reshape(T, N * K, 1)
    free = _without_gauge(problem.b).reshape(T, M * K)
    D2 = _diagonal(zw.sum(1)) + gw2.swapaxes(2, 3) @ w2
    Vt = V.swapaxes(1, 2)
    schur = _regular(_plus_block_diagonal(-(Vt @ V), D2), free)
    right = np.where(free[..., None], r2.reshape(T, M * K, 1) - Vt @ y1, 0.0)
    d2 = solve_each(np.linalg.solve, schur, right)
    rest = (y1 - V @ d2).reshape(T, N, K, 1)
    d1 = inverse.swapaxes(2, 3) @ rest
    return d1[..., 0], d2.reshape(T, M, K)


def _diagonal(values: Array) -> Array:
    """Diagonal matrices [..., n, n] of the values [..., n]."""
    return np.asarray(values[..., None] * np.eye(values.shape[-1]))


def _regular(matrix: Array, free: NDArray[np.bool_]) -> Array:
    """[..., n, n] with a small ridge, and the unknowns outside `free` [..., n] fixed at zero."""
    diagonal = np.einsum("...ii->...i", matrix)
    ridge = np.where(free, RIDGE * np.abs(diagonal), 1.0)
    regular = np.where(free[..., :, None] & free[..., None, :], matrix, 0.0)
    np.einsum("...ii->...i", regular)[...] += ridge
    return regular


def solve_each(function: Callable[..., Array], *stacks: Array) -> Array:
    """Apply a function of `np.linalg` to stacks of matrices; nan for those that it cannot solve.

    NumPy raises one error for a whole stack. The matrices are then passed one at a time.
    """
    try:
        return function(*stacks)
    except np.linalg.LinAlgError:
        result = np.full_like(stacks[-1], np.nan)
        for index in np.ndindex(stacks[0].shape[:-2]):
            try:
                result[index] = function(*(stack[index] for stack in stacks))
            except np.linalg.LinAlgError:
                continue
        return result


def _without_gauge(b: Array) -> NDArray[np.bool_]:
    """The entries of B that are free, [T, M, K].

    Adding c(y) to A and -c(y) to B changes nothing, so for every y the entry with the largest
    b(., y) is kept fixed.
    """
    free = b > 0
    np.put_along_axis(free, b.argmax(1)[:, None], False, 1)
    return free


def _plus_block_diagonal(matrix: Array, blocks: Array) -> Array:
    """[T, M K, M K] with [T, M, K, K] added on the diagonal, in place."""
    T, M, K, _ = blocks.shape
    view = matrix.reshape(T, M, K, M, K)
    index = np.arange(M)
    view[:, index, :, index] += blocks.swapaxes(0, 1)
    return matrix


def _dual_step(state: State, d1: Array, d2: Array, w: Array, s: Array) -> Array:
    """The longest tried step [T] that keeps every slack s above KEPT_SHARE of its value."""
    change = np.where(w > 0, np.abs(d1[:, :, None] + d2[:, None]), 0.0)
    step: Array = LONGEST_STEP / np.maximum(change.max((1, 2, 3)), LONGEST_STEP)
    for _ in range(60):
        t = step[:, None, None]
        factor1, factor2 = np.exp(state.expert1 + t * d1), np.exp(state.expert2 + t * d2)
        slack = 1 - factor1 @ factor2.swapaxes(1, 2)
        short = (slack <= KEPT_SHARE * s).any((1, 2))
        if not short.any():
            break
        step = np.where(short, 0.7 * step, step)
    return step
