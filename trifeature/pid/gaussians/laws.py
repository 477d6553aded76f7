"""Gaussian laws of (X1, X2, Y): their draws, and the nearest laws in which one atom is 0.

With Y and the noise of each source whitened, X_i = H_i y + noise_i and Cov(noise1, noise2) = C.
The informations follow from L_i = H_i^T H_i, the precision that source i adds to Y's own (I):
I_i = 1/2 log det(I + L_i). U2 is 0 exactly where L1 - L2 has no negative eigenvalue, R is 0 where
L1 L2 = 0, and S is 0 where both sources are made from one Z with the least error
(`gaussian_program`). Estimates are tested against such laws.

Shape legend: T covariances, d1, d2 and dy dimensions of X1, X2 and Y, D = d1 + d2 + dy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from trifeature.pid.gaussians.covariances import COPIES, Sizes, whiten
from trifeature.pid.gaussians.program import (
    common_basis,
    diagonals,
    feasible_union,
    gaussian_terms,
    least_error,
    noise_roots,
    remaining_errors,
)
from trifeature.pid.tables import LN2, Array

# Largest singular value of the cross-noise of a law, so that its covariance is not singular.
LARGEST_CORRELATION = 1 - 1e-7
# Singular values and precisions below this share of the largest count as 0.
NEGLIGIBLE = 1e-9
# Numbers in the arrays of one batch of draws, about 100 MB.
BATCH_NUMBERS = 12_000_000
# Steps of a bisection: to 1e-12.
BISECTIONS = 40


@dataclass(frozen=True)
class Law:
    """A Gaussian law, up to invertible linear maps of X1, X2 and Y.

    Attributes:
        H1: Signal of X1, [d1, dy].
        H2: Signal of X2, [d2, dy].
        C: Cross-covariance of the two whitened noises, [d1, d2]; no singular value exceeds 1.
    """

    H1: Array
    H2: Array
    C: Array

    @property
    def sizes(self) -> Sizes:
        """(d1, d2, dy)."""
        return len(self.H1), len(self.H2), self.H1.shape[1]

    def covariance(self) -> Array:
        """Covariance of (X1, X2, Y), [D, D]; Y is white."""
        H = np.concatenate([self.H1, self.H2])
        d1, D = len(self.H1), sum(self.sizes)
        matrix = np.eye(D)
        matrix[:d1, d1 : len(H)], matrix[d1 : len(H), :d1] = self.C, self.C.T
        matrix[: len(H), : len(H)] += H @ H.T
        matrix[: len(H), len(H) :], matrix[len(H) :, : len(H)] = H, H.T
        return matrix

    def swapped(self) -> Law:
        """The law with X1 and X2 exchanged."""
        return Law(self.H2, self.H1, self.C.T)


@dataclass(frozen=True)
class Values:
    """Atoms and informations of T covariances, bits.

    Attributes:
        atoms: R, U1, U2, S, [T, 4].
        informations: I(X1; Y), I(X2; Y), I(X1, X2; Y), I_union, [T, 4].
    """

    atoms: Array
    informations: Array


def law_of(covariance: Array, sizes: Sizes) -> Law:
    """The law of a positive definite covariance [D, D]."""
    whitened = whiten(covariance[None], sizes)
    (root1,), (root2,) = noise_roots(whitened)
    noise = (whitened.M - whitened.K1 @ whitened.K2.swapaxes(1, 2))[0]
    C = np.linalg.solve(root2, np.linalg.solve(root1, noise).T).T
    return Law(np.linalg.solve(root1, whitened.K1[0]), np.linalg.solve(root2, whitened.K2[0]), C)


def values_of(covariances: Array, sizes: Sizes) -> Values:
    """Atoms and informations of positive definite covariances [T, D, D], in bits."""
    terms = gaussian_terms(covariances, sizes)
    union = feasible_union(terms, (terms.lower + terms.upper) / 2)
    i1, i2, i12 = terms.source1, terms.source2, terms.joint
    atoms = np.stack([i1 + i2 - union, union - i2, union - i1, i12 - union], -1)
    return Values(atoms / LN2, np.stack([i1, i2, i12, union], -1) / LN2)


def drawn_covariances(
    covariance: Array, samples: int, draws: int, rng: np.random.Generator
) -> Iterator[Array]:
    """Covariances of samples of the law, in batches [t, D, D] of `draws` in all.

    Bartlett's decomposition: with Sigma = L L^T, (n - 1) S = L A A^T L^T, where A is lower
    triangular with normal numbers below and chi variables of n - 1, n - 2, ... on the diagonal.
    """
    D, degrees = len(covariance), samples - 1
    root, index = np.linalg.cholesky(covariance), np.arange(D)
    size = max(1, BATCH_NUMBERS // (COPIES * D * D))
    for start in range(0, draws, size):
        T = min(size, draws - start)
        A = np.tril(rng.standard_normal((T, D, D)), -1)
        A[:, index, index] = np.sqrt(rng.chisquare(degrees - index, size=(T, D)))
        factor = root @ A / np.sqrt(degrees)
        yield factor @ factor.swapaxes(1, 2)


# --------------------------------------------------------------------------- related laws


def with_informations(law: Law, goals: tuple[float, float, float]) -> Law:
    """Weaken a law until I1, I2 and I12 are the `goals`, in bits.

    The signals are scaled for I1 and I2. Then C moves towards the nearest one without synergy
    until I12 is reached, or as near as it comes.
    """
    H1 = law.H1 * _largest_share(lambda t: _information(t * law.H1), goals[0])
    H2 = law.H2 * _largest_share(lambda t: _information(t * law.H2), goals[1])
    start = without_synergy(Law(H1, H2, law.C)).C
    H, step = np.concatenate([H1, H2]), law.C - start
    share = _largest_share(lambda t: _information(H, start + t * step), goals[2])
    return Law(H1, H2, start + share * step)


def without_synergy(law: Law) -> Law:
    """The nearest C with S = 0: both sources made from one Z, C = A1 A2^T + E1 Q E2^T.

    A_i = H_i V^(+1/2) with Z's precision V, E_i E_i^T = I - A_i A_i^T is the covariance of the
    noise that is added to Z, and any Q of norm at most 1 is allowed.
    """
    errors = _errors(law)
    error = least_error(*errors, common_basis(*errors))[0]
    values, vectors = np.linalg.eigh(np.linalg.inv(error) - np.eye(len(error)))
    known = values > NEGLIGIBLE * max(1.0, values[-1])
    half = vectors * np.where(known, 1 / np.sqrt(np.where(known, values, 1.0)), 0.0)
    A1, A2 = law.H1 @ half, law.H2 @ half
    (E1, inverse1), (E2, inverse2) = _added_noise(A1), _added_noise(A2)
    shared = A1 @ A2.T
    Q = _clipped(inverse1 @ (law.C - shared) @ inverse2.T)
    return replace(law, C=_clipped(shared + E1 @ Q @ E2.T))


def without_unique2(law: Law) -> Law:
    """A law with U2 = 0: L2 is lowered below L1.

    In the coordinates in which L1 is I (on its range), the eigenvalues of L2 above 1 become 1.
    """
    _, s, V = np.linalg.svd(law.H1, full_matrices=False)
    kept = s > NEGLIGIBLE * max(1.0, s[0])
    s, V = s[kept], V[kept]
    seen = (V @ law.H2.T @ law.H2 @ V.T) / np.outer(s, s)
    lowered = _spectral(seen, lambda values: np.minimum(values, 1.0))
    return replace(law, H2=_signal(V.T @ (np.outer(s, s) * lowered) @ V, law.H2))


def without_redundancy(law: Law) -> Law:
    """A law with R = 0: each source keeps the directions of Y of which it knows more.

    The directions are those of the positive and the negative part of log(I + L1) - log(I + L2).
    """
    one = np.eye(law.sizes[2])
    logs = [_spectral(one + H.T @ H, np.log) for H in (law.H1, law.H2)]
    values, vectors = np.linalg.eigh(logs[0] - logs[1])
    first = (vectors * (values > 0)) @ vectors.T
    return replace(law, H1=law.H1 @ first, H2=law.H2 @ (one - first))


def tied(law: Law, basis: Array, which: Array) -> Law:
    """The law in which both sources know some components of Y equally well.

    Args:
        law: The law.
        basis: B [dy, dy] of `common_basis`, whose columns are the components.
        which: Components [dy] in which the weaker source becomes as good as the better one, as
            far as its dimension allows.
    """
    # I + L_i = B diag(1 / variance_i) B^T.
    precisions = [1 / diagonals(error, basis[None])[0] for error in _errors(law)]
    best = np.maximum(*precisions)
    H1, H2 = (
        _signal((basis * np.where(which, best, own)) @ basis.T - np.eye(len(basis)), H)
        for own, H in zip(precisions, (law.H1, law.H2), strict=True)
    )
    return replace(law, H1=H1, H2=H2)


def components(law: Law) -> tuple[Array, Array]:
    """B [dy, dy] of `common_basis`, and the log-ratio of the two error variances in it, [dy]."""
    errors = _errors(law)
    basis = common_basis(*errors)
    variances1, variances2 = (diagonals(error, basis)[0] for error in errors)
    return basis[0], np.log(variances2 / variances1)


def log_ratios(covariances: Array, sizes: Sizes, basis: Array) -> Array:
    """Log-ratio of the two error variances of the components b_j^T y of other laws, [T, dy]."""
    whitened = whiten(covariances, sizes)
    # b^T Cov(Y | X_i) b, in the units of these covariances.
    seen = whitened.roots[2].swapaxes(1, 2) @ basis
    one, other = (diagonals(error, seen) for error in remaining_errors(whitened))
    return np.asarray(np.log(other / one))


# --------------------------------------------------------------------------- parts


def _errors(law: Law) -> tuple[Array, Array]:
    """W1 and W2, [1, dy, dy]: (I + L_i)^-1."""
    one, other = (np.linalg.inv(np.eye(H.shape[1]) + H.T @ H)[None] for H in (law.H1, law.H2))
    return np.asarray(one), np.asarray(other)


def _information(signal: Array, cross_noise: Array | None = None) -> float:
    """1/2 log det(I + H^T N^-1 H) in bits; N = I, or that of two sources with cross-noise C."""
    N = np.eye(len(signal))
    if cross_noise is not None:
        d1 = len(cross_noise)
        N[:d1, d1:], N[d1:, :d1] = cross_noise, cross_noise.T
    P = np.eye(signal.shape[1]) + signal.T @ np.linalg.solve(N, signal)
    return float(np.linalg.slogdet(P)[1]) / (2 * LN2)


def _largest_share(rising: Callable[[float], float], goal: float) -> float:
    """The t in [0, 1] at which a rising function reaches the goal, or the nearer end."""
    if rising(1.0) <= goal:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < goal else (low, middle)
    return low  # exactly 0 where the goal is 0


def _spectral(matrix: Array, function: Callable[[Array], Array]) -> Array:
    """A function of the eigenvalues (at least 0) of a symmetric matrix [n, n]."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * function(np.maximum(values, 0.0))) @ vectors.T)


def _signal(precision: Array, near: Array) -> Array:
    """H [d, dy] with H^T H = `precision` [dy, dy], as near as its rank allows, turned as `near`."""
    rank = min(near.shape)
    values, vectors = np.linalg.eigh(precision)
    root = np.sqrt(np.maximum(values[-rank:], 0.0))[:, None] * vectors[:, -rank:].T
    U, _, V = np.linalg.svd(near @ root.T, full_matrices=False)  # Procrustes
    return np.asarray(U @ V @ root)


def _added_noise(kept_signal: Array) -> tuple[Array, Array]:
    """E with E E^T = I - A A^T, A = `kept_signal`, and its pseudo-inverse."""
    values, vectors = np.linalg.eigh(np.eye(len(kept_signal)) - kept_signal @ kept_signal.T)
    root = np.sqrt(np.maximum(values, 0.0))
    kept = root > NEGLIGIBLE**0.5
    return vectors * root, (vectors * np.where(kept, 1 / np.where(kept, root, 1.0), 0.0)).T


def _clipped(cross_noise: Array) -> Array:
    """C with singular values of at most `LARGEST_CORRELATION`."""
    U, s, V = np.linalg.svd(cross_noise, full_matrices=False)
    return np.asarray((U * np.minimum(s, LARGEST_CORRELATION)) @ V)
