"""Joint tables p[x1, x2, y]: validation, marginals, entropies and mutual informations.

Tables are float64 NumPy arrays and every result is in bits. Tensors of torch, on any device, are
converted on the way in. Shape legend of the whole package: T tables, N values of X1, M values of
X2, K values of the target Y.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trifeature.checks import as_array
from trifeature.errors import InputError

Array: TypeAlias = NDArray[np.float64]

LN2 = math.log(2.0)

# Added to the argument of a logarithm: x log(x + TINY) is 0 at x = 0, and unchanged elsewhere.
TINY = 1e-300

# The largest accepted difference of a table's sum from 1 (a float32 sum is off by about 1e-7).
# The table is then divided by its sum, so the rounding error of the input does not remain.
SUM_TOLERANCE = 1e-6

TableLike: TypeAlias = ArrayLike
"""An array, nested lists or a tensor of torch, on any device."""


def as_table(p: TableLike, *, normalize: bool = False) -> Array:
    """Validate one joint table p[x1, x2, y] and return it as float64, summing to 1.

    Args:
        p: [N, M, K] probabilities or, with `normalize`, non-negative weights or counts.
        normalize: Divide by the sum instead of requiring that it is 1.

    Returns:
        [N, M, K] array of float64.

    Raises:
        InputError: Not three axes, empty, negative, not finite, or not summing to 1.

    >>> as_table([[[1, 1]], [[0, 2]]], normalize=True).tolist()
    [[[0.25, 0.25]], [[0.0, 0.5]]]
    """
    table = as_float64(p)
    if table.ndim != 3:
        raise InputError(f"a joint table has three axes [x1, x2, y], got {table.ndim}")
    return np.asarray(_as_distributions(table[None], normalize)[0])


def as_tables(p: TableLike, *, normalize: bool = False) -> Array:
    """Validate a stack of joint tables p[t, x1, x2, y], as `as_table` does for one.

    Returns:
        [T, N, M, K] array of float64.

    Raises:
        InputError: Not four axes, or what `as_table` raises for any one of the tables.
    """
    tables = as_float64(p)
    if tables.ndim != 4:
        raise InputError(f"a stack of tables has four axes [t, x1, x2, y], got {tables.ndim}")
    return _as_distributions(tables, normalize)


def as_float64(p: TableLike) -> Array:
    """Convert an array, nested lists or a tensor to a NumPy array of float64.

    Raises:
        InputError: `p` does not hold numbers, or has rows of different lengths.
    """
    try:
        array = as_array(p)
    except ValueError:
        raise InputError("a table is an array of numbers, got rows that differ") from None
    if array.dtype.kind not in "biuf":
        raise InputError(f"a table is an array of numbers, got {array.dtype}")
    return np.asarray(array, dtype=np.float64)


def _as_distributions(tables: Array, normalize: bool) -> Array:
    if tables.size == 0:
        raise InputError(f"a joint table cannot be empty, got shape {tables.shape}")
    if not np.isfinite(tables).all():
        raise InputError("a joint table cannot hold nan or infinity")
    if (tables < 0).any():
        raise InputError(f"a joint table cannot be negative, got {tables.min():g}")
    if normalize:
        largest = tables.max((1, 2, 3), keepdims=True)
        if (largest == 0).any():
            raise InputError("a joint table needs at least one positive entry")
        tables = tables / largest  # the sum of huge weights stays finite
    sums = tables.sum((1, 2, 3), keepdims=True)
    errors = np.abs(sums - 1)
    if not normalize and (errors > SUM_TOLERANCE).any():
        worst = sums.flat[errors.argmax()]
        raise InputError(f"a joint table sums to 1, got {worst:.6g} (normalize=True divides by it)")
    return np.asarray(tables / sums)


def entropy(p: Array, axes: int = 1) -> Array:
    """Shannon entropy in bits over the last `axes` axes; leading axes are kept.

    >>> float(entropy(np.array([0.5, 0.25, 0.25])))
    1.5
    """
    terms = -p * np.log(p + TINY)
    return np.asarray(terms.sum(tuple(range(-axes, 0))) / LN2)


@dataclass(frozen=True)
class Informations:
    """Mutual informations of the sources with the target, in bits; shapes [...].

    Attributes:
        source1: I(X1; Y).
        source2: I(X2; Y).
        joint: I(X1, X2; Y), the sum of the four atoms.
        target: H(Y).
    """

    source1: Array
    source2: Array
    joint: Array
    target: Array


def informations(p: Array) -> Informations:
    """Mutual informations of validated tables [..., N, M, K], in bits.

    >>> xor = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]]]) / 4
    >>> terms = informations(xor)
    >>> float(terms.source1), float(terms.joint)
    (0.0, 1.0)
    """
    p1y, p2y = p.sum(-2), p.sum(-3)
    target = entropy(p1y.sum(-2))
    source1 = entropy(p1y.sum(-1)) + target - entropy(p1y, 2)
    source2 = entropy(p2y.sum(-1)) + target - entropy(p2y, 2)
    joint = entropy(p.sum(-1), 2) + target - entropy(p, 3)
    # Rounding can give -1e-16 where the exact value is 0.
    source1, source2, joint = (np.maximum(term, 0.0) for term in (source1, source2, joint))
    return Informations(source1, source2, joint, target)


def binary_entropy(rate: float) -> float:
    """Entropy h(rate) of a binary variable with P(1) = rate, in bits.

    Raises:
        InputError: `rate` is not a probability.

    >>> binary_entropy(0.5), binary_entropy(0.0)
    (1.0, 0.0)
    """
    if not 0.0 <= rate <= 1.0:
        raise InputError(f"a probability lies in [0, 1], got {rate:g}")
    return sum(-x * math.log2(x) for x in (rate, 1.0 - rate) if x > 0.0)
