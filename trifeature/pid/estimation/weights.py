"""Weights and counts of rows.

Shape legend: n rows, N values of X1, M values of X2, K values of Y.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trifeature.checks import as_array, require_memory
from trifeature.errors import InputError
from trifeature.pid.estimation.corrections import Rows
from trifeature.pid.samples import MOST_SOLVED
from trifeature.pid.tables import TINY, Array

# Weights beyond this, or below its inverse, are rescaled: their squares would overflow.
FAR: Final = 1e100
# Bytes of a repeated row: its codes, their order, and its weight.
REPEATED_BYTES: Final = 80


def weighted(
    codes: Sequence[NDArray[np.intp]],
    measure: str,
    weights: Any,
    counts: Any,
    kept: NDArray[np.bool_] | None,
) -> tuple[Rows, list[NDArray[np.intp]]]:
    """Rows with weights; those of weight 0 are left out, those counted several times repeated.

    Args:
        codes: Codes of X1, X2, Y and perhaps Z, [n] each.
        measure: Name of the measure of redundancy.
        weights: A weight for each row, or None.
        counts: How often each row occurred, or None.
        kept: Which rows the codes are of, where weights and counts have more; None for all.

    Returns:
        The rows, coded anew, and for each variable the given codes that are left, in order.

    Raises:
        InputError: Both are given, they are no numbers of at least 0 or all 0, counts are not
            whole, or too large for the memory.
    """
    name, given = _chosen(weights, counts)
    n = len(codes[0])
    values = np.ones(n) if given is None else _as_weights(name, given, kept, n)
    used = values > 0
    if not used.any():
        raise InputError(f"{name} are all 0: no row is left")
    codes = [code[used] for code in codes]
    values = values[used]
    if counts is not None:
        codes, values = _repeated(codes, values)
    elif not 1 / FAR < values.max() < FAR:
        values = values / values.max()
    found = [np.unique(code, return_inverse=True) for code in codes]
    left, codes = [one for one, _ in found], [place.reshape(-1) for _, place in found]
    sizes = [len(one) for one in left]
    if prod(sizes[:3]) > MOST_SOLVED:
        cells = " x ".join(map(str, sizes[:3]))
        raise InputError(f"a table of {cells} cells is too large: coarsen the columns")
    return Rows(codes, (sizes[0], sizes[1], sizes[2]), values, measure), left


def _repeated(
    codes: Sequence[NDArray[np.intp]], counts: Array
) -> tuple[list[NDArray[np.intp]], Array]:
    if (counts != np.floor(counts)).any():
        raise InputError("counts must be whole numbers; give weights for others")
    total = float(counts.sum())
    if total > 2**53:
        raise InputError(f"counts of {total:.3g} rows in all are too many: give weights")
    require_memory(f"counts of {total:.3g} rows in all", REPEATED_BYTES * total, "give fewer")
    repeats = counts.astype(np.intp)
    repeated = [np.repeat(code, repeats) for code in codes]
    return repeated, np.ones(len(repeated[0]))


def effective_rows(weights: Any, counts: Any, kept: NDArray[np.bool_] | None, n: int) -> float:
    """How many rows of weight 1 the rows stand for: the sum of counts, or (sum w)^2 / sum w^2.

    Args:
        weights: As of `weighted`.
        counts: As of `weighted`.
        kept: As of `weighted`.
        n: Number of rows that are left.

    Raises:
        InputError: What `weighted` raises of weights and counts.
    """
    name, given = _chosen(weights, counts)
    if given is None:
        return float(n)
    values = _as_weights(name, given, kept, n)
    if counts is not None:
        return float(values.sum())
    scaled = values / max(float(values.max()), TINY)
    return float(scaled.sum() ** 2 / max(float(np.square(scaled).sum()), TINY))


def _chosen(weights: Any, counts: Any) -> tuple[str, Any]:
    if weights is not None and counts is not None:
        raise InputError("weights and counts cannot go together")
    return ("weights", weights) if counts is None else ("counts", counts)


def _as_weights(name: str, given: Any, kept: NDArray[np.bool_] | None, n: int) -> Array:
    """Weights of the rows that are kept, [n]."""
    whole = n if kept is None else len(kept)
    try:
        values = np.asarray(as_array(given), dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be numbers") from None
    if values.shape != (whole,):
        raise InputError(f"{name} must be [{whole}], one for each row, not {list(values.shape)}")
    if not np.isfinite(values).all() or (values < 0).any():
        raise InputError(f"{name} must be finite and at least 0")
    return values if kept is None else values[kept]
