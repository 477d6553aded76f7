"""Tables of counts from columns, the exact atoms of rows, and how many rows a table wants.

The exact atoms of a sample treat its frequencies as the probabilities. As estimates they are
biased: their information is too high by about (cells of (X1, X2) - 1)(values of Y - 1) / (2 n ln 2)
bits, most of it in the synergy. `estimator` estimates the atoms of the distribution.

Shape legend: n samples, N values of X1, M values of X2, K values of Y.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trifeature.columns import Bins, discrete
from trifeature.columns.files import read_columns as read_columns  # noqa: PLC0414 - re-exported
from trifeature.errors import InputError, check_name
from trifeature.pid.atoms import Atoms
from trifeature.pid.solver import TIGHTEST, broja
from trifeature.pid.tables import LN2

Counts = NDArray[np.int64]
Column: TypeAlias = Any
"""A column, or several: whatever `as_columns` reads."""
Columns: TypeAlias = Mapping[str, Column]

VARIABLES: Final = ("source1", "source2", "target")
"""Names of columns that have none of their own, in errors and in `bins`."""

# Largest accepted plug-in bias of the total, in bits.
ACCEPTED_BIAS = 0.01
# Most cells of a table (1.6 GB).
MOST_CELLS = 200_000_000
# Most cells of a table that is solved for an estimate or for many sources: 160 MB several times.
MOST_SOLVED = 20_000_000


class SampleSizeWarning(UserWarning):
    """The table has too many cells for the number of samples: the estimate is mostly bias."""


def joint_counts(
    source1: Column,
    source2: Column,
    target: Column,
    *,
    bins: Bins = None,
    binning: str = "count",
) -> Counts:
    """Count how often every combination of values occurs.

    Args:
        source1: [n] values, or [n, c] for a source of c columns: arrays, tensors, columns of data
            frames, lists; see `as_columns`.
        source2: As `source1`.
        target: As `source1`.
        bins: What to do with numbers that look continuous, see `discrete`; a
            mapping by the names "source1", "source2" and "target" treats each differently.
        binning: "count" or "width".

    Returns:
        [N, M, K] counts; N, M and K are the numbers of distinct values that occur.

    Raises:
        InputError: No samples, different numbers of samples, a missing value, a column that looks
            continuous without `bins`, or more cells than memory holds.

    >>> joint_counts([0, 1, 1], [0, 0, 0], [5, 5, 7]).tolist()
    [[[1, 0]], [[1, 1]]]
    """
    codes = _coded(source1, source2, target, bins=bins, binning=binning)
    return _count(codes, _shape(codes))


def _coded(*columns: Column, bins: Bins = None, binning: str = "count") -> list[NDArray[np.intp]]:
    if isinstance(bins, Mapping):
        parts = [part for column in columns if isinstance(column, Mapping) for part in column]
        for name in bins:
            check_name("column of bins", name, [*VARIABLES, *parts])
    codes = [
        discrete(name, column, bins=bins, binning=binning).codes
        for name, column in zip(VARIABLES, columns, strict=True)
    ]
    lengths = {len(code) for code in codes}
    if len(lengths) > 1:
        raise InputError(f"columns of one sample have one length, got {sorted(lengths)}")
    return codes


def _shape(codes: Sequence[NDArray[np.intp]]) -> tuple[int, int, int]:
    N, M, K = (int(code.max()) + 1 for code in codes)
    if N * M * K > MOST_CELLS:
        raise InputError(f"a table of {N} x {M} x {K} cells is too large: coarsen the columns")
    return N, M, K


def _count(codes: Sequence[NDArray[np.intp]], shape: tuple[int, int, int]) -> Counts:
    cells = np.ravel_multi_index(tuple(codes), shape)
    return np.bincount(cells, minlength=math.prod(shape)).reshape(shape)


def atoms_of_columns(
    columns: Columns,
    source1: str | Sequence[str],
    source2: str | Sequence[str],
    target: str,
    *,
    tolerance: float = TIGHTEST,
    bins: Bins = None,
    binning: str = "count",
) -> Atoms:
    """The exact atoms of a finite set of samples, whose frequencies are the probabilities.

    This is the ground truth of a dataset, without estimation or correction. A source may consist
    of several columns.

    Args:
        columns: Name -> [n] values, or a data frame.
        source1: Name or names of the columns of source 1.
        source2: Name or names of the columns of source 2.
        target: Name of the target column.
        tolerance: As for `broja`; 1e-9 takes seconds where sources have hundreds of values.
        bins: What to do with numbers that look continuous, see `discrete`; a
            mapping by column name treats each differently.
        binning: "count" or "width".

    Raises:
        InputError: A name does not exist, the columns have different lengths or lack a value, or
            one looks continuous and `bins` is None.

    >>> columns = {"a": [0, 0, 1, 1], "b": [0, 1, 0, 1], "label": [0, 1, 1, 0]}
    >>> atoms_of_columns(columns, "a", "b", "label").synergy
    1.0
    """
    one, other = column_names(source1), column_names(source2)
    chosen = (
        select_columns(columns, one),
        select_columns(columns, other),
        select_columns(columns, (target,)),
    )
    counts = joint_counts(*chosen, bins=bins, binning=binning)
    sources = ("+".join(one), "+".join(other))
    return broja(counts, tolerance=tolerance, normalize=True, sources=sources, target=target)


def column_names(source: str | Sequence[str]) -> tuple[str, ...]:
    """The names of a source's columns: one, or several."""
    names = (source,) if isinstance(source, str) else source
    if not isinstance(names, Iterable):
        raise InputError(f"a source is a name of a column, or several, not {source!r}")
    return tuple(names)


def select_columns(columns: Columns, names: Sequence[str]) -> Column:
    """Columns by name, for `discrete`: each is coded by itself.

    Raises:
        InputError: No name, or one that does not exist.
    """
    if not names:
        raise InputError("a source needs at least one column")
    header = _header(columns)
    return {name: columns[check_name("column", name, header)] for name in names}


def _header(columns: Any) -> list[str]:
    """Names of the columns of a mapping or a data frame; polars and Arrow iterate over values."""
    names = getattr(columns, "column_names", getattr(columns, "columns", columns))
    if names is columns and not isinstance(columns, Mapping):
        raise InputError(
            f"columns must be a dictionary of columns by name, or a data frame, not "
            f"{type(columns).__name__}"
        )
    header = list(names)
    for name in header:
        if not isinstance(name, str):
            raise InputError(
                f"names of columns must be text, not {name!r}: df.columns = df.columns.map(str)"
            )
    return header


def samples_needed(shape: tuple[int, int, int], bias: float = ACCEPTED_BIAS) -> int:
    """Number of samples at which the plug-in total of an [N, M, K] table has a bias of `bias` bits.

    Miller's (1955) first-order bias of the mutual information of two variables, for a table in
    which every cell can occur.

    >>> samples_needed((10, 10, 2))
    7142
    """
    N, M, K = shape
    return math.ceil((N * M - 1) * (K - 1) / (2 * LN2 * bias))


def warn_of_plug_in(shape: Sequence[int], n: int) -> None:
    """Warn where a table of the rows as they are is too large for them.

    Args:
        shape: Numbers of values of the sources, then of the target.
        n: Number of rows.

    Warns:
        SampleSizeWarning: The first-order bias of the total is above .01 bits.
    """
    *sources, classes = shape
    needed = samples_needed((math.prod(sources), 1, classes))
    if n < needed:
        words = " x ".join(map(str, shape))
        message = (
            f"these are numbers of the rows as they are: a table of {words} cells wants {needed} "
            f"rows for a total within {ACCEPTED_BIAS:g} bits, got {n}"
        )
        warnings.warn(message, SampleSizeWarning, stacklevel=3)
