"""BROJA's partial information decomposition of Gaussian variables, in closed form, certified.

The mathematics, with its proof, is in `gaussian_program`: the target splits into components of
which each source has its own knowledge, and for every component the better source counts.

Shape legend: T covariances, d1, d2 and dy dimensions of X1, X2 and Y, D = d1 + d2 + dy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from trifeature.checks import as_array, require_number
from trifeature.errors import InputError
from trifeature.pid.atoms import Atoms, Interval, atoms_from_union
from trifeature.pid.gaussians.covariances import (
    COPIES,
    Correlations,
    Sizes,
    Whitened,
    as_correlations,
    whiten,
)
from trifeature.pid.gaussians.program import (
    EPS,
    best_cross_noise,
    common_basis,
    diagonals,
    feasible_union,
    gaussian_terms,
    least_error,
    noise_roots,
    remaining_errors,
)
from trifeature.pid.tables import LN2, Array
from trifeature.threads import one_thread

MEASURE = "BROJA, Gaussian"
# Requested width of the certified interval, bits.
TOLERANCE = 1e-9
# Numbers in the arrays of one batch, about 100 MB.
BATCH_NUMBERS = 12_000_000
# Singular values of C above this are lowered to it: at 1 the covariance of the noise is singular.
LARGEST_NOISE = 1 - 1e-12


@dataclass(frozen=True)
class GaussianSolution:
    """The decomposition of a Gaussian, and the law that attains it.

    Attributes:
        atoms: The atoms, bits.
        union: Certified interval of I_union, bits.
        advantages: Bits by which source 1 knows each component of the target better than source
            2, falling, [dy]. U1 is the sum of the positive ones, U2 minus that of the negative.
        components: Row j holds the weights of component j on Y, [dy, dy]. Given either source,
            the components are uncorrelated.
        cross_noise: C [d1, d2], the cross-covariance of the noise of X1 and X2 given Y, each
            whitened by the inverse of its lower Cholesky factor; no singular value exceeds 1.
        covariance: [D, D]; it has the (X1, Y) and (X2, Y) marginals of the given one, and the
            least I(X1, X2; Y), which is I_union.
    """

    atoms: Atoms
    union: Interval
    advantages: Array
    components: Array
    cross_noise: Array
    covariance: Array


def gaussian(
    covariance: ArrayLike,
    sizes: Sequence[int],
    *,
    tolerance: float = TOLERANCE,
    sources: tuple[str, str] = ("X1", "X2"),
    target: str = "Y",
) -> Atoms:
    """Decompose the information of two Gaussian sources about a Gaussian target, in bits.

    The covariance of (X1, X2) given Y affects I(X1, X2; Y), and by it the synergy, alone.

    Args:
        covariance: [D, D] covariance of (X1, X2, Y), in this order; an array or a tensor.
        sizes: (d1, d2, dy), the dimensions of X1, X2 and Y; dy may be the largest.
        tolerance: Largest width of the certified interval that counts as converged, bits. The
            width includes the rounding of float64, D 2e-16 over the smallest eigenvalue of the
            correlation matrix.
        sources: Names of the sources, kept in the result.
        target: Name of the target, kept in the result.

    Raises:
        InputError: Not a covariance of these sizes, or variables that determine each other.

    >>> equal_looks = [[1.0, 0.5, 0.5], [0.5, 1.0, 0.5], [0.5, 0.5, 1.0]]
    >>> atoms = gaussian(equal_looks, (1, 1, 1))
    >>> f"R {atoms.redundancy:.6f}, S {atoms.synergy:.6f}"
    'R 0.207519, S 0.084963'
    """
    given = as_correlations(covariance, sizes, (*sources, target), many=False)
    return _decompose(given, tolerance, sources, target)[0]


def gaussian_many(
    covariances: ArrayLike,
    sizes: Sequence[int],
    *,
    tolerance: float = TOLERANCE,
    sources: tuple[str, str] = ("X1", "X2"),
    target: str = "Y",
) -> list[Atoms]:
    """Decompose a stack of covariances [T, D, D] in one batch; see `gaussian`.

    >>> [atoms.total for atoms in gaussian_many([[[1, 0, 0], [0, 1, 0], [0, 0, 1]]], (1, 1, 1))]
    [0.0]
    """
    given = as_correlations(covariances, sizes, (*sources, target), many=True)
    return _decompose(given, tolerance, sources, target)


def gaussian_solution(
    covariance: ArrayLike,
    sizes: Sequence[int],
    *,
    tolerance: float = TOLERANCE,
    sources: tuple[str, str] = ("X1", "X2"),
    target: str = "Y",
) -> GaussianSolution:
    """The decomposition with what attains it: the components of the target, C, and the law.

    Args:
        covariance: As for `gaussian`.
        sizes: As for `gaussian`.
        tolerance: As for `gaussian`.
        sources: As for `gaussian`.
        target: As for `gaussian`.

    Raises:
        InputError: As `gaussian`.

    >>> copy = np.eye(4) + np.eye(4, k=2) / 2 + np.eye(4, k=-2) / 2
    >>> gaussian_solution(copy, (1, 1, 2)).advantages.round(6).tolist()
    [0.207519, -0.207519]
    """
    given = as_correlations(covariance, sizes, (*sources, target), many=False)
    (atoms,) = _decompose(given, tolerance, sources, target)
    with one_thread():
        whitened = whiten(given.matrix, given.sizes)
        error1, error2 = remaining_errors(whitened)
        basis = common_basis(error1, error2)
        noise1, noise2 = noise_roots(whitened)
        C = best_cross_noise(whitened, (noise1, noise2), least_error(error1, error2, basis))
        cross = whitened.K1 @ whitened.K2.swapaxes(1, 2) + noise1 @ C @ noise2.swapaxes(1, 2)
    variances1, variances2 = diagonals(error1, basis)[0], diagonals(error2, basis)[0]
    order = np.argsort(variances1 / variances2)
    weights = (
        np.linalg.solve(whitened.roots[2][0].T, basis[0]).T / given.deviations[0, -basis.shape[1] :]
    )
    half = atoms.gap / 2
    return GaussianSolution(
        atoms=atoms,
        union=Interval(atoms.union - half, atoms.union + half),
        advantages=(np.log(variances2 / variances1) / (2 * LN2))[order],
        components=weights[order],
        cross_noise=C[0],
        covariance=_with_cross(given, whitened, cross),
    )


def gaussian_mmi(
    covariance: ArrayLike,
    sizes: Sequence[int],
    *,
    sources: tuple[str, str] = ("X1", "X2"),
    target: str = "Y",
) -> Atoms:
    """The shortcut R = min(I(X1; Y), I(X2; Y)), which is BROJA's only for a scalar target.

    Barrett (2015) proved it for scalar targets; toolkits use it for vectors too, where it counts
    different information of equal amount as shared.

    Args:
        covariance: As for `gaussian`.
        sizes: As for `gaussian`.
        sources: As for `gaussian`.
        target: As for `gaussian`.

    Raises:
        InputError: As `gaussian`.

    >>> copy = np.eye(4) + np.eye(4, k=2) / 2 + np.eye(4, k=-2) / 2
    >>> shortcut = gaussian_mmi(copy, (1, 1, 2)).redundancy
    >>> f"{shortcut:.6f}, and BROJA {gaussian(copy, (1, 1, 2)).redundancy:.6f}"
    '0.207519, and BROJA 0.000000'
    """
    given = as_correlations(covariance, sizes, (*sources, target), many=False)
    terms = gaussian_terms(given.matrix, given.sizes)
    i1, i2, i12 = (float(term[0]) / LN2 for term in (terms.source1, terms.source2, terms.joint))
    best = max(i1, i2)
    return atoms_from_union(
        (i1, i2, i12), Interval(best, best), measure="MMI, Gaussian", sources=sources, target=target
    )


def gaussian_bounds(
    covariance: ArrayLike, sizes: Sequence[int], cross_noise: ArrayLike
) -> Interval:
    """Certified bounds of I_union, in bits, from any cross-noise C: a check of any other solver.

    f(C) = 1/2 log det(I + H^T N(C)^-1 H), with N(C) = [[I, C], [C^T, I]], is the information of
    the law with this C. It is convex with gradient G, so over all C' of norm at most 1

        I_union >= f(C) + min <G, C' - C> = f(C) - <G, C> - (sum of the singular values of G).

    Args:
        covariance: As for `gaussian`.
        sizes: As for `gaussian`.
        cross_noise: C [d1, d2], no singular value above 1; as in `GaussianSolution`.

    Raises:
        InputError: As `gaussian`; or C has another shape, or a singular value above 1.
    """
    given = as_correlations(covariance, sizes, ("X1", "X2", "Y"), many=False)
    whitened = whiten(given.matrix, given.sizes)
    C = _as_cross_noise(cross_noise, given.sizes)
    noise1, noise2 = noise_roots(whitened)
    H = np.concatenate(
        [np.linalg.solve(noise1, whitened.K1), np.linalg.solve(noise2, whitened.K2)], 1
    )[0]
    d1 = len(C)
    N = np.eye(len(H))
    N[:d1, d1:], N[d1:, :d1] = C, C.T
    A = np.linalg.solve(N, H)
    P = np.eye(H.shape[1]) + H.T @ A
    value = np.linalg.slogdet(P)[1] / 2
    G = -(A @ np.linalg.solve(P, A.T))[:d1, d1:]
    gap = (G * C).sum() + np.linalg.svd(G, compute_uv=False).sum()
    return Interval(float(value - max(gap, 0.0)) / LN2, float(value) / LN2)


# --------------------------------------------------------------------------- parts


def _decompose(
    given: Correlations, tolerance: float, sources: tuple[str, str], target: str
) -> list[Atoms]:
    require_number("tolerance", tolerance, above=0, why="(bits)")
    T, D, _ = given.matrix.shape
    size = max(1, BATCH_NUMBERS // (COPIES * D * D))
    results: list[Atoms] = []
    for start in range(0, T, size):
        part = slice(start, start + size)
        terms = gaussian_terms(given.matrix[part], given.sizes)
        middle = feasible_union(terms, (terms.lower + terms.upper) / 2)
        half = (terms.upper - terms.lower) / 2 + D * EPS / given.smallest[part]
        rows = np.stack([terms.source1, terms.source2, terms.joint, middle - half, middle + half])
        results += [
            atoms_from_union(
                (i1, i2, i12),
                Interval(low, high),
                tolerance=tolerance,
                measure=MEASURE,
                sources=sources,
                target=target,
            )
            for i1, i2, i12, low, high in (rows.T / LN2).tolist()
        ]
    return results


def _with_cross(given: Correlations, whitened: Whitened, cross: Array) -> Array:
    """[D, D] covariance, in the units given, whose whitened X1 and X2 have this covariance."""
    d1, d2, _ = given.sizes
    matrix = given.matrix[0].copy()
    block = whitened.roots[0][0] @ cross[0] @ whitened.roots[1][0].T
    matrix[:d1, d1 : d1 + d2], matrix[d1 : d1 + d2, :d1] = block, block.T
    return np.asarray(matrix * np.outer(given.deviations[0], given.deviations[0]))


def _as_cross_noise(cross_noise: ArrayLike, sizes: Sizes) -> Array:
    try:
        C = np.asarray(as_array(cross_noise), dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError("cross_noise is [d1, d2] numbers") from None
    d1, d2, _ = sizes
    if C.shape != (d1, d2) or not np.isfinite(C).all():
        raise InputError(f"cross_noise is [d1, d2] = {(d1, d2)} finite numbers, got {C.shape}")
    U, s, V = np.linalg.svd(C, full_matrices=False)
    if s[0] > 1 + 1e-9:
        raise InputError(f"cross_noise has no singular value above 1, got {s[0]:g}")
    return np.asarray((U * np.minimum(s, LARGEST_NOISE)) @ V)
