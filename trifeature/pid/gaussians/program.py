"""BROJA's partial information decomposition of Gaussian variables, in closed form, certified.

Among all laws with the (X1, Y) and (X2, Y) marginals of a Gaussian, the least information about
Y, I_union, is attained by a Gaussian: for a given covariance the Gaussian has the largest
h(Y | X1, X2). With Y whitened, let W1 and W2 be the covariances of the error that remains of Y
when X1 or X2 is known: W_i = Cov(Y | X_i). Then, in nats,

    I_union = min -1/2 log det W   over all W with 0 < W <= W1 and W <= W2 (differences are >= 0).

- Not less: knowing both sources leaves an error W_q with W_q <= W1 and W_q <= W2.
- Attained: such a W is the error of a Gaussian observation Z of Y. Since W <= W_i, the part of X_i
  that bears on Y can be made from Z by a linear map and independent noise. Let both sources be
  made from one Z: then I(X1, X2; Y) <= I(Z; Y) = -1/2 log det W, and the marginals are kept.

A basis B diagonalizes both, B^T W1 B = I and B^T W2 B = diag(m): the components b_j^T y of the
target. By Hadamard's inequality det(B^T W B) <= prod_j b_j^T W b_j <= prod_j min(1, m_j), with
equality for the diagonal matrix of these minima. So for every component the better source counts:

    I_union = log |det B| - 1/2 sum_j log min(1, m_j),
    U1 = 1/2 sum of the positive log m_j,   U2 = -1/2 sum of the negative log m_j.

For a scalar target this is R = min(I1, I2) (Barrett 2015). The inequality holds for any B, and
any W below W1 and W2 gives an upper bound: the certificate does not trust the solver of the
eigenvalue problem. In terms of the noise, with N_i = Cov(X_i | Y) = L_i L_i^T and signals H_i of
the whitened X_i = H_i y + noise, the program is a search for the cross-covariance C of the two
whitened noises, and the optimum is C = H1 (W^-1 - I)^+ H2^T; `gaussian_bounds` checks any C.

Shape legend: T covariances, d1, d2 and dy dimensions of X1, X2 and Y, D = d1 + d2 + dy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trifeature.pid.gaussians.covariances import Sizes, Whitened, whiten
from trifeature.pid.tables import Array
from trifeature.threads import one_thread

EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Terms:
    """What the atoms follow from, in nats; [T] each.

    Attributes:
        source1: I(X1; Y).
        source2: I(X2; Y).
        joint: I(X1, X2; Y).
        lower: Certified lower bound of I_union.
        upper: Certified upper bound of I_union.
    """

    source1: Array
    source2: Array
    joint: Array
    lower: Array
    upper: Array


def gaussian_terms(covariances: Array, sizes: Sizes) -> Terms:
    """Informations and certified bounds of I_union of positive definite [T, D, D], in nats."""
    with one_thread():
        whitened = whiten(covariances, sizes)
        error1, error2 = remaining_errors(whitened)
        lower, upper = certify(error1, error2, common_basis(error1, error2))
        return Terms(
            np.maximum(-log_det(error1) / 2, 0.0),
            np.maximum(-log_det(error2) / 2, 0.0),
            joint_information(whitened),
            lower,
            upper,
        )


def remaining_errors(whitened: Whitened) -> tuple[Array, Array]:
    """W1 and W2 [T, dy, dy]: I - K_i^T K_i, the covariance of the whitened Y given X_i."""
    one = np.eye(whitened.K1.shape[-1])
    return (
        one - whitened.K1.swapaxes(1, 2) @ whitened.K1,
        one - whitened.K2.swapaxes(1, 2) @ whitened.K2,
    )


def joint_information(whitened: Whitened) -> Array:
    """I(X1, X2; Y) in nats, [T]: by the determinants of (X1, X2) without and with Y."""
    d1, dy = whitened.K1.shape[1:]
    D = d1 + whitened.K2.shape[1] + dy
    whole = np.broadcast_to(np.eye(D), (len(whitened.K1), D, D)).copy()
    for rows, columns, block in (
        (slice(0, d1), slice(d1, -dy), whitened.M),
        (slice(0, d1), slice(-dy, None), whitened.K1),
        (slice(d1, -dy), slice(-dy, None), whitened.K2),
    ):
        whole[:, rows, columns], whole[:, columns, rows] = block, block.swapaxes(1, 2)
    return np.maximum((log_det(whole[:, :-dy, :-dy]) - log_det(whole)) / 2, 0.0)


def log_det(matrices: Array) -> Array:
    """Logarithm of the determinant of positive definite matrices [T, n, n] by Cholesky; [T]."""
    root = np.linalg.cholesky(matrices)
    return np.asarray(2 * np.log(np.einsum("tii->ti", root)).sum(1))


def common_basis(error1: Array, error2: Array) -> Array:
    """B [T, dy, dy] with B^T W1 B = I and B^T W2 B diagonal; columns are components of Y."""
    inverse = np.linalg.inv(np.linalg.cholesky(error1))
    vectors = np.linalg.eigh(inverse @ error2 @ inverse.swapaxes(1, 2))[1]
    return np.asarray(inverse.swapaxes(1, 2) @ vectors)


def certify(error1: Array, error2: Array, basis: Array) -> tuple[Array, Array]:
    """Lower and upper bound of I_union in nats, [T] each, from any invertible B [T, dy, dy].

    With m_j the smaller of b_j^T W1 b_j and b_j^T W2 b_j, Hadamard's inequality gives the lower
    bound log |det B| - 1/2 sum log m_j. The largest t <= 1 with t diag(m) <= B^T W_i B for both
    sources makes W = t B^-T diag(m) B^-1 feasible, for an upper bound that is
    -1/2 dy log t above.
    """
    seen1, seen2 = (basis.swapaxes(1, 2) @ error @ basis for error in (error1, error2))
    m = np.minimum(diagonals(seen1), diagonals(seen2))
    scale = 1 / np.sqrt(m)
    slack = np.ones(len(m))
    for seen in (seen1, seen2):
        scaled = scale[:, :, None] * seen * scale[:, None]
        slack = np.minimum(slack, np.linalg.eigvalsh(scaled)[:, 0])
    lower = np.linalg.slogdet(basis)[1] - np.log(m).sum(1) / 2
    with np.errstate(divide="ignore"):
        upper = lower - m.shape[1] / 2 * np.log(np.maximum(slack, 0.0))
    return lower, upper


def least_error(error1: Array, error2: Array, basis: Array) -> Array:
    """The optimal W [T, dy, dy]: in the common basis the better source's variance."""
    m = np.minimum(diagonals(error1, basis), diagonals(error2, basis))
    inverse = np.linalg.inv(basis)
    return np.asarray(inverse.swapaxes(1, 2) @ (m[:, :, None] * inverse))


def noise_roots(whitened: Whitened) -> tuple[Array, Array]:
    """Lower Cholesky factors [T, d_i, d_i] of Cov(X_i | Y) = I - K_i K_i^T of the whitened X_i."""
    K1, K2 = whitened.K1, whitened.K2
    root1, root2 = (np.linalg.cholesky(np.eye(K.shape[1]) - K @ K.swapaxes(1, 2)) for K in (K1, K2))
    return np.asarray(root1), np.asarray(root2)


def best_cross_noise(whitened: Whitened, roots: tuple[Array, Array], error: Array) -> Array:
    """C [T, d1, d2] of the law in which both sources are made from one Z with the error W.

    With the precision V = W^-1 - I of Z, C = H1 V^+ H2^T. Both factors H_i V^(+1/2) have norm at
    most 1, since H_i^T H_i <= V.
    """
    values, vectors = np.linalg.eigh(np.linalg.inv(error) - np.eye(error.shape[-1]))
    known = values > EPS * error.shape[-1] * np.maximum(values[:, -1:], 1.0)
    half = vectors * np.where(known, 1 / np.sqrt(np.where(known, values, 1.0)), 0.0)[:, None]
    one = np.linalg.solve(roots[0], whitened.K1) @ half
    other = np.linalg.solve(roots[1], whitened.K2) @ half
    return np.asarray(one @ other.swapaxes(1, 2))


def feasible_union(terms: Terms, union: Array) -> Array:
    """I_union within max(I1, I2) and min(I1 + I2, I12), which rounding can leave; nats, [T]."""
    least = np.maximum(terms.source1, terms.source2)
    most = np.minimum(terms.source1 + terms.source2, terms.joint)
    return np.maximum(np.minimum(union, most), least)


def diagonals(matrices: Array, basis: Array | None = None) -> Array:
    """The diagonals [T, n] of the matrices, or of B^T (matrix) B."""
    seen = matrices if basis is None else basis.swapaxes(1, 2) @ matrices @ basis
    return np.asarray(np.einsum("tii->ti", seen))
