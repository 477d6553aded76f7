"""Columns of any number of variables to whole-number codes and tables of counts.

Shape legend: n rows, N_i values of source i, K values of the target.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from trifeature.checks import require_memory
from trifeature.columns import Discrete, discrete
from trifeature.errors import InputError
from trifeature.pid.samples import MOST_SOLVED, warn_of_plug_in

Counts = NDArray[np.int64]

MOST_AXES: Final = 32
"""The most axes of an array in every release of NumPy."""


def coded(
    columns: Mapping[str, Any], *, bins: int | str | None = None, binning: str = "count"
) -> list[Discrete]:
    """Number the values of each column; see `discrete`.

    Args:
        columns: Name -> [n] or [n, c] values: arrays, tensors, data frames, lists.
        bins: Number of bins of continuous columns, or "categories" to take values as they are.
        binning: Bins of equal "count" or equal "width".

    Raises:
        InputError: No columns, columns of different lengths, or a column that `discrete` refuses.
    """
    found = [discrete(name, column, bins=bins, binning=binning) for name, column in columns.items()]
    lengths = {one.name: len(one.codes) for one in found}
    if not found or len(set(lengths.values())) > 1:
        words = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise InputError(f"columns of one sample have one length: {words or 'there are none'}")
    return found


def counts_of(columns: Sequence[Discrete]) -> Counts:
    """Count how often every combination of values occurs, [N_1, N_2, …]; the last is the target.

    Raises:
        InputError: more than 32 columns, or the table does not fit into memory.

    >>> counts_of(coded({"a": [0, 1, 1], "label": ["no", "no", "yes"]})).tolist()
    [[1, 0], [1, 1]]
    """
    if len(columns) > MOST_AXES:
        raise InputError(f"a table has at most {MOST_AXES} columns, got {len(columns)}")
    shape = tuple(one.size for one in columns)
    cells, words = math.prod(shape), " x ".join(map(str, shape))
    advice = "coarsen the columns, or take fewer"
    if cells > MOST_SOLVED:
        raise InputError(f"a table of {words} cells is too large: {advice}")
    require_memory(f"a table of {words} cells", 8.0 * 3 * cells, advice)
    flat = np.ravel_multi_index(tuple(one.codes for one in columns), shape)
    return np.bincount(flat, minlength=cells).reshape(shape)


def source_counts(
    sources: Mapping[str, Any],
    target: Any,
    *,
    target_name: str = "Y",
    bins: int | str | None = None,
    binning: Literal["count", "width"] = "count",
) -> Counts:
    """Table of counts of any number of sources and a target, for `sources_report` and the lattice.

    Args:
        sources: Name -> [n] or [n, c] values: arrays, tensors, data frames, lists.
        target: As one of the sources.
        target_name: Name of the target, for errors.
        bins: Number of bins of continuous columns, or "categories" to take values as they are.
        binning: Bins of equal "count" or equal "width".

    Returns:
        [N_1, …, N_n, K] counts; pass them with `normalize=True`.

    Warns:
        SampleSizeWarning: The table is too large for the number of samples: its total, and most of
            all its synergy, are biased upwards.

    Raises:
        InputError: A source is called as the target, columns have different lengths or cannot be
            coded, or the table does not fit into memory.

    >>> import numpy as np
    >>> bits = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)] * 200)
    >>> source_counts({"a": bits[:, 0], "b": bits[:, 1], "c": bits[:, 2]}, bits.sum(1)).shape
    (2, 2, 2, 4)
    """
    if target_name in sources:
        raise InputError(f"a source cannot be called as the target, {target_name!r}")
    found = coded({**sources, target_name: target}, bins=bins, binning=binning)
    counts = counts_of(found)
    warn_of_plug_in(counts.shape, len(found[0].codes))
    return counts
