"""Covariances of (X1, X2, Y): validation, and the whitening of each of the three variables.

Mutual information does not change when a variable is transformed by an invertible linear map, so
each variable is brought to the identity covariance. What remains are the cross-covariances K1 of
(X1, Y), K2 of (X2, Y) and M of (X1, X2). Shape legend: T covariances, d1, d2 and dy dimensions of
X1, X2 and Y, D = d1 + d2 + dy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from trifeature.checks import as_array, require_memory, require_whole
from trifeature.errors import InputError
from trifeature.pid.tables import Array

Sizes = tuple[int, int, int]

# Smallest accepted eigenvalue of a correlation matrix. Rounding changes a log-determinant by
# about D eps / (smallest eigenvalue): 1e-4 nats at this limit, which the gap then includes.
SMALLEST = 1e-10
# Largest accepted difference between an entry and its mirror image, as a correlation.
ASYMMETRY = 1e-6
# Share of the largest weight from which a variable counts as part of a linear relation.
PART = 0.1
# Arrays of D x D numbers that exist at once, for each covariance of a batch.
COPIES = 12
# Arrays of [T, D, D] numbers that exist at once.
KEPT = 4


@dataclass(frozen=True)
class Correlations:
    """Validated covariances, as correlations.

    Attributes:
        matrix: [T, D, D], with ones on the diagonal.
        deviations: Standard deviations, [T, D].
        sizes: d1, d2, dy.
        smallest: Smallest eigenvalue of each, [T].
    """

    matrix: Array
    deviations: Array
    sizes: Sizes
    smallest: Array


@dataclass(frozen=True)
class Whitened:
    """Covariances after X1, X2 and Y were each brought to the identity covariance.

    Attributes:
        K1: Cov(X1, Y), [T, d1, dy]; its singular values are the canonical correlations.
        K2: Cov(X2, Y), [T, d2, dy].
        M: Cov(X1, X2), [T, d1, d2].
        roots: Lower Cholesky factors of the correlations of X1, X2 and Y, which undo the
            whitening.
    """

    K1: Array
    K2: Array
    M: Array
    roots: tuple[Array, Array, Array]


def as_sizes(sizes: Sequence[int]) -> Sizes:
    """Validate (d1, d2, dy).

    Raises:
        InputError: Not three whole numbers of at least 1.
    """
    if not np.iterable(sizes) or isinstance(sizes, str) or len(tuple(sizes)) != 3:
        raise InputError(f"sizes are (d1, d2, dy), three whole numbers, not {sizes!r}")
    d1, d2, dy = (require_whole("each of sizes (d1, d2, dy)", size, 1) for size in sizes)
    return d1, d2, dy


def as_correlations(
    covariances: ArrayLike, sizes: Sequence[int], names: tuple[str, str, str], *, many: bool
) -> Correlations:
    """Validate one covariance [D, D] (T is then 1), or with `many` a stack [T, D, D].

    Args:
        covariances: Symmetric, positive definite; arrays or tensors. Order X1, X2, Y.
        sizes: (d1, d2, dy).
        names: Names of X1, X2 and Y, for errors.
        many: A stack is given.

    Raises:
        InputError: Wrong shape, not finite, not symmetric, a variance of 0, a negative
            eigenvalue, or a linear relation between the variables, which are then named.
    """
    wanted = as_sizes(sizes)
    stack = _as_stack(covariances, wanted, many)
    labels = variable_labels(names, wanted)
    finite = np.isfinite(stack).all((1, 2))
    for t in np.flatnonzero(~finite)[:1]:
        raise InputError(f"{_which(int(t), many)} holds nan or infinity")
    variances = np.einsum("tii->ti", stack)
    for t, i in np.argwhere(variances <= 0)[:1]:
        raise InputError(
            f"{_which(int(t), many)} has the variance {variances[t, i]:g} of {labels[i]}: "
            "leave constants out"
        )
    deviations = np.sqrt(variances)
    matrix = stack / deviations[:, :, None] / deviations[:, None]
    differences = np.abs(matrix - matrix.swapaxes(1, 2)).max((1, 2))
    for t in np.flatnonzero(~(differences <= ASYMMETRY))[:1]:
        raise InputError(f"{_which(int(t), many)} is not symmetric")
    matrix = (matrix + matrix.swapaxes(1, 2)) / 2
    smallest = np.linalg.eigvalsh(matrix)[:, 0]
    for t in np.flatnonzero(~(smallest >= SMALLEST))[:1]:
        raise InputError(f"{_which(int(t), many)} {_defect(matrix[t], wanted, names)}")
    return Correlations(matrix, deviations, wanted, smallest)


def variable_labels(names: tuple[str, str, str], sizes: Sizes) -> list[str]:
    """What errors call each of the D variables: `X1[0]`, or `Y` where it is the only one.

    >>> variable_labels(("X1", "X2", "Y"), (2, 1, 1))
    ['X1[0]', 'X1[1]', 'X2', 'Y']
    """
    return [
        f"{name}[{i}]" if size > 1 else name
        for name, size in zip(names, sizes, strict=True)
        for i in range(size)
    ]


def _as_stack(covariances: ArrayLike, sizes: Sizes, many: bool) -> Array:
    try:
        array = as_array(covariances)
    except ValueError:
        raise InputError("a covariance is an array of numbers, got rows that differ") from None
    if array.dtype.kind not in "biuf":
        raise InputError(f"a covariance is an array of real numbers, got {array.dtype}")
    axes, D = 3 if many else 2, sum(sizes)
    what = "a stack of covariances is [T, D, D]" if many else "a covariance is [D, D]"
    if array.ndim != axes or array.shape[-2:] != (D, D) or not len(array):
        raise InputError(f"{what} with D = {D}, the sum of sizes {sizes}, got {array.shape}")
    T = len(array) if many else 1
    needed = 8.0 * D * D * (COPIES + KEPT * T)
    require_memory(f"the decomposition of {T:,} x {D} x {D} numbers", needed, "pass fewer at once")
    return np.asarray(array, dtype=np.float64).reshape(-1, D, D)


def _which(t: int, many: bool) -> str:
    return f"covariance {t}" if many else "the covariance"


def _defect(matrix: Array, sizes: Sizes, names: tuple[str, str, str]) -> str:
    """Why a correlation matrix [D, D] is refused: the direction of its smallest eigenvalue."""
    values, vectors = np.linalg.eigh(matrix)
    if values[0] < -ASYMMETRY:
        return f"is not positive definite: a correlation eigenvalue is {values[0]:.3g}"
    weights = np.abs(vectors[:, 0])
    part = weights >= PART * weights.max()
    labels = [
        label for label, is_in in zip(variable_labels(names, sizes), part, strict=True) if is_in
    ]
    listed = ", ".join(labels[:6]) + (" and more" if len(labels) > 6 else "")
    d1, d2, _ = sizes
    if part[: d1 + d2].any() and part[d1 + d2 :].any():
        return f"lets {listed} determine each other: information is infinite, add noise"
    return f"is singular, {listed} are linearly dependent: leave one of them out"


def whiten(correlations: Array, sizes: Sizes) -> Whitened:
    """Whiten X1, X2 and Y of correlations or covariances [T, D, D] that are positive definite."""
    d1, d2, _ = sizes
    blocks = (slice(0, d1), slice(d1, d1 + d2), slice(d1 + d2, None))
    roots = [np.asarray(np.linalg.cholesky(correlations[:, block, block])) for block in blocks]
    inverse1, inverse2, inverse_y = (np.linalg.inv(root) for root in roots)
    one, other, target = blocks
    transposed = inverse_y.swapaxes(1, 2)
    return Whitened(
        K1=inverse1 @ correlations[:, one, target] @ transposed,
        K2=inverse2 @ correlations[:, other, target] @ transposed,
        M=inverse1 @ correlations[:, one, other] @ inverse2.swapaxes(1, 2),
        roots=(roots[0], roots[1], roots[2]),
    )
