"""Primal-dual interior point for BROJA's dual: 1e-9 bits in ten to thirty Newton steps.

Maximize <a, A> + <b, B> subject to s = 1 - sum_y w >= 0 with w = exp(A + B), one constraint a
pair (x1, x2), whose multiplier z(x1, x2) is the optimal q(x1, x2) and z w the optimal q. Each
step solves the linearized optimality conditions

    sum_x2 z w = a,    sum_x1 z w = b,    z s = mu

for u = dA + dB and dz. Per pair the matrix is diag(z w) + (z / s) w w^T; the x1 blocks are
eliminated, and the Schur complement of M K unknowns is factorized. The multipliers z are what
carries the accuracy: a plain log barrier in (A, B) stalls at 1e-7.

Shape legend: T tables, N values of X1, M values of X2, K values of Y.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from trifeature.pid.certificate import Bounds, Marginals, certify

# Newton is trusted up to this change of a logarithm.
LONGEST_STEP = 5.0
# A step may not bring a constraint or a multiplier nearer to its boundary than this share.
KEPT_SLACK = 0.01
# How far the path's parameter mu falls in a step, as a share of the present z s.
CENTERING = (0.05, 0.8)
# Relative ridge on the matrices to be factorized, of the order of float64 rounding.
RIDGE = 1e-14


@dataclass(frozen=True)
class State:
    """An interior iterate of every table.

    Attributes:
        expert1: A(x1, y), [T, N, K].
        expert2: B(x2, y), [T, M, K].
        z: Multipliers of the constraints, [T, N, M].
        step: Share of the last full step that was taken, [T].
    """

    expert1: Tensor
    expert2: Tensor
    z: Tensor
    step: Tensor

    def take(self, index: Tensor) -> State:
        """The iterates at `index`."""
        return State(self.expert1[index], self.expert2[index], self.z[index], self.step[index])

    def w(self) -> Tensor:
        """exp(A + B), [T, N, M, K]; zero where a or b is."""
        return torch.exp(self.expert1[:, :, None] + self.expert2[:, None])


def start(problem: Marginals) -> State:
    """An iterate well inside: w = p(y | x1) / 2, and z = p(x1) p(x2)."""
    p1, p2 = problem.a.sum(-1), problem.b.sum(-1)
    expert1 = torch.log(problem.a / p1.clamp_min(torch.finfo(p1.dtype).tiny)[:, :, None] / 2)
    expert2 = torch.where(problem.b > 0, 0.0, -torch.inf)
    z = (p1[:, :, None] * p2[:, None]).clamp_min(torch.finfo(p1.dtype).eps)
    return State(expert1, expert2, z, torch.ones_like(p1[:, 0]))


def advance(problem: Marginals, state: State) -> tuple[State, Bounds]:
    """One damped Newton step towards the central path, and the certificate it earns."""
    w = state.w()
    s = 1 - w.sum(-1)
    slack = (state.z * s).flatten(1).mean(1)
    # After a short step the iterate is off the path: aim less far down it.
    mu = (torch.clamp((1 - state.step) ** 2, *CENTERING) * slack)[:, None, None]
    d1, d2 = _direction(problem, w, state.z, s, mu)
    u = torch.where(w > 0, d1[:, :, None] + d2[:, None], 0.0)
    dz = (mu - state.z * s + state.z * (w * u).sum(-1)) / s
    step, z_step = _dual_step(w, s, u), _multiplier_step(state.z, dz)
    moved = State(
        state.expert1 + step[:, None, None] * d1,
        state.expert2 + step[:, None, None] * d2,
        state.z + z_step[:, None, None] * dz,
        torch.minimum(step, z_step),
    )
    return moved, certify(problem, moved.expert1, moved.expert2, moved.z[..., None] * moved.w())


def _multiplier_step(z: Tensor, dz: Tensor) -> Tensor:
    """The longest step [T] that keeps every z above KEPT_SLACK of what it was."""
    room = (-dz / z).flatten(1).amax(1)
    return torch.where(room > 1 - KEPT_SLACK, (1 - KEPT_SLACK) / room, 1.0)


def _direction(
    problem: Marginals, w: Tensor, z: Tensor, s: Tensor, mu: Tensor
) -> tuple[Tensor, Tensor]:
    """Newton direction dA [T, N, K], dB [T, M, K] by eliminating the x1 blocks."""
    T, N, M, K = w.shape
    pull = (mu / s)[..., None] * w
    r1, r2 = problem.a - pull.sum(2), problem.b - pull.sum(1)
    zw, gw = z[..., None] * w, (z / s)[..., None] * w
    factor = _cholesky(torch.diag_embed(zw.sum(2)) + gw.mT @ w, problem.a > 0)
    across = torch.diag_embed(zw) + gw[..., :, None] * w[..., None, :]
    V = torch.linalg.solve_triangular(
        factor, across.permute(0, 1, 3, 2, 4).reshape(T, N, K, M * K), upper=False
    ).reshape(T, N * K, M * K)
    y1 = torch.linalg.solve_triangular(factor, r1[..., None], upper=False).reshape(T, N * K, 1)
    free = _without_gauge(problem.b).reshape(T, M * K)
    blocks = torch.diag_embed(zw.sum(1)) + gw.transpose(1, 2).mT @ w.transpose(1, 2)
    schur = _cholesky(_plus_block_diagonal(-(V.mT @ V), blocks), free)
    rhs = torch.where(free[..., None], r2.reshape(T, M * K, 1) - V.mT @ y1, 0.0)
    # Two substitutions: for one right-hand side torch.cholesky_solve is ten times slower.
    half = torch.linalg.solve_triangular(schur, rhs, upper=False)
    d2 = torch.linalg.solve_triangular(schur.mT, half, upper=True)
    rest = (y1 - V @ d2).reshape(T, N, K, 1)
    d1 = torch.linalg.solve_triangular(factor.mT, rest, upper=True)
    return d1.squeeze(-1), d2.reshape(T, M, K)


def _cholesky(matrix: Tensor, free: Tensor) -> Tensor:
    """Lower factor of [..., n, n], the unknowns outside `free` [..., n] fixed at zero."""
    both = free[..., :, None] & free[..., None, :]
    diagonal = torch.diagonal(matrix, dim1=-2, dim2=-1)
    ridge = torch.where(free, RIDGE * diagonal.abs(), 1.0)
    regular = torch.where(both, matrix, 0.0)
    torch.diagonal(regular, dim1=-2, dim2=-1).add_(ridge)
    factor: Tensor
    factor, _ = torch.linalg.cholesky_ex(regular)
    return factor


def _without_gauge(b: Tensor) -> Tensor:
    """The entries of B that are free, [T, M, K].

    Adding c(y) to A and -c(y) to B changes nothing, so the entry of the largest b(., y)
    stays where it is for every y.
    """
    pinned = torch.zeros_like(b, dtype=torch.bool).scatter(1, b.argmax(1, keepdim=True), True)
    return (b > 0) & ~pinned


def _plus_block_diagonal(matrix: Tensor, blocks: Tensor) -> Tensor:
    """[T, M K, M K] with [T, M, K, K] added on the diagonal, in place."""
    T, M, K, _ = blocks.shape
    view = matrix.view(T, M, K, M, K)
    index = torch.arange(M, device=blocks.device)
    view[:, index, :, index] += blocks.transpose(0, 1)
    return matrix


def _dual_step(w: Tensor, s: Tensor, u: Tensor) -> Tensor:
    """The longest tried step [T] that keeps every s above KEPT_SLACK of what it was."""
    step = (LONGEST_STEP / u.abs().flatten(1).amax(1).clamp_min(LONGEST_STEP)).clamp_max(1.0)
    for _ in range(60):
        left = 1 - (w * torch.exp(step[:, None, None, None] * u)).sum(-1)
        short = (left <= KEPT_SLACK * s).flatten(1).any(1)
        if not bool(short.any()):
            break
        step = torch.where(short, 0.7 * step, step)
    return step
