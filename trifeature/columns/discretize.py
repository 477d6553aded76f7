"""Columns as discrete values: as they are, binned, or refused where they look continuous.

Shape legend: n rows, c columns, V different values of a column, B bins.
"""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trifeature.checks import require_whole
from trifeature.columns.coding import (
    MISSING_WORDS,
    Coded,
    Codes,
    by_order,
    coded,
    is_decimal_text,
    is_number,
    is_number_text,
    shown,
)
from trifeature.columns.reading import Array, as_columns, called, require_one_length
from trifeature.errors import InputError, check_name

Bins: TypeAlias = "int | str | Mapping[str, int | str | None] | None"
"""A number of bins, "categories", None to be asked, or one of these for each column by name."""

CATEGORIES: Final = "categories"
BINNINGS: Final = ("count", "width")

WAYS: Final = 'give bins=, method="gaussian", or bins="categories"'
"""What is offered for a column that looks continuous; the command line says it in its own words."""

# More different decimal numbers than this, or than half of the rows, look continuous.
MOST_VALUES: Final = 32


@dataclass(frozen=True, eq=False)
class Discrete:
    """A column, or several joined, as codes of the values that occur.

    Attributes:
        codes: [n] 0 … size - 1, in the order of the values; -1 for a row that lacks a value, which
            only `missing="mark"` lets pass.
        values: What each code stands for: a value, an interval such as "[0.1, 0.4)" if binned, or a
            tuple of these for several columns.
        name: Name of the column.
        binned: Bins that hold rows, or None if nothing was binned; of several columns the most.
    """

    codes: Codes
    values: tuple[Any, ...]
    name: str
    binned: int | None = None

    @property
    def size(self) -> int:
        """Number of values that occur."""
        return len(self.values)


def discrete(
    name: str,
    column: Any,
    *,
    bins: Bins = None,
    binning: str = "count",
    missing: str = "refuse",
    words: Collection[str] = MISSING_WORDS,
) -> Discrete:
    """Number the values of a column, or the combinations of values of several, that occur.

    Text is stripped of surrounding white space; text that consists of numbers is numbers ("1" and
    "1.0" are one value), unless one of them starts with a needless zero, such as the identifier
    "007": then the whole column stays text.

    Args:
        name: Name of the column, for errors and the result.
        column: Whatever `as_columns` reads.
        bins: Number of bins, at least 2, for columns of numbers with more different values than
            that; text, Booleans and dates stay as they are. "categories" takes every value as it
            is. None refuses a column that looks continuous. A mapping holds one of these for each
            column by name, and None for those that it lacks.
        binning: "count" for bins of about equally many rows (equal values are never split, so there
            may be fewer bins), or "width" for bins of equal width.
        missing: "refuse", or "mark" to give rows that lack a value the code -1.
        words: Text that stands for a missing value, folded to lower case.

    Raises:
        InputError: A missing or infinite value, a column that looks continuous, values that cannot
            be sorted or hashed, or what `as_columns` raises.

    >>> found = discrete("rain", ["no", "yes ", "no"])
    >>> found.codes.tolist(), found.values
    ([0, 1, 0], ('no', 'yes'))
    >>> discrete("rate", [0.5, 2.25, 7.5, 9.0], bins=2).values
    ('[0.5, 7.5)', '[7.5, 9]')
    """
    check_name("binning", binning, BINNINGS)
    check_name("way to treat missing values", missing, ("refuse", "mark"))
    parts = []
    for part, values in as_columns(name, column).items():
        one = coded(part, values, words)
        if missing == "refuse":
            one.refuse_missing()
        own = bins.get(part, bins.get(name)) if isinstance(bins, Mapping) else bins
        parts.append(_discrete(one, own, binning))
    return parts[0] if len(parts) == 1 else _joined(name, parts)


def missing_rows(
    name: str, column: Any, *, words: Collection[str] = MISSING_WORDS
) -> NDArray[np.bool_]:
    """Which rows lack a value in any column of `column`, [n].

    Raises:
        InputError: What `as_columns` raises.

    >>> missing_rows("rain", ["no", None, "NA"]).tolist()
    [False, True, True]
    """
    parts = as_columns(name, column).items()
    lacking: NDArray[np.bool_] = np.any(
        [coded(part, values, words).codes < 0 for part, values in parts], axis=0
    )
    return lacking


def drop_missing(
    columns: Mapping[str, Any], *, words: Collection[str] = MISSING_WORDS
) -> tuple[dict[str, dict[str, Array]], NDArray[np.bool_]]:
    """Drop the rows in which any column lacks a value.

    Returns:
        The columns, each as `as_columns` returns it, and which rows were kept, [n].

    Raises:
        InputError: Columns of different lengths, no row left, or what `as_columns` raises.

    >>> kept, rows = drop_missing({"x": [1, None, 2], "y": ["a", "b", "c"]})
    >>> kept["y"]["y"].tolist(), rows.tolist()
    (['a', 'c'], [True, False, True])
    """
    read = {name: as_columns(name, column) for name, column in columns.items()}
    require_one_length(read)
    lacking = [missing_rows(name, parts, words=words) for name, parts in read.items()]
    keep: NDArray[np.bool_] = ~np.any(lacking, axis=0)
    if not keep.any():
        raise InputError(f"no row has a value in every column of {', '.join(map(repr, columns))}")
    kept = {
        name: {part: values[keep] for part, values in parts.items()} for name, parts in read.items()
    }
    return kept, keep


def as_numbers(name: str, column: Any) -> NDArray[np.float64]:
    """A column, or several, as numbers, [n, c]; text that consists of numbers is read.

    Raises:
        InputError: A value that is missing, infinite or not a number, or what `as_columns` raises.

    >>> as_numbers("x", ["1", "2.5"]).tolist()
    [[1.0], [2.5]]
    """
    columns = []
    for part, values in as_columns(name, column).items():
        one = coded(part, values)
        one.refuse_missing()
        if one.kind != "number":
            odd = next((v for v in one.found.tolist() if not _reads_as_number(v)), one.found[0])
            raise InputError(f"{called(part)} must hold numbers, not {shown(odd)}")
        columns.append(_floats(one)[one.codes])
    return np.stack(columns, axis=1)


def is_continuous(column: Any) -> bool:
    """Whether numbers look continuous rather than like categories.

    They do if they are not all whole, and more than 32 values or more than half of the rows differ.
    Several columns look continuous if one does.

    >>> is_continuous([0.12, 3.4, 5.6]), is_continuous([0.5, 0.5, 1.5, 1.5]), is_continuous([1, 2])
    (True, False, False)
    """
    parts = as_columns("values", column).items()
    return any(_looks_continuous(coded(part, values)) for part, values in parts)


def _reads_as_number(value: Any) -> bool:
    return is_number_text(value) if isinstance(value, str) else is_number(value)


def _looks_continuous(one: Coded) -> bool:
    return _many(len(one.found), one) and not _whole(one.found)


def _many(values: int, one: Coded) -> bool:
    """Whether so many different numbers are more than 32, or than half of the rows."""
    return values > MOST_VALUES or 2 * values > int((one.codes >= 0).sum())


def _whole(found: Array) -> bool:
    """Whether there are no numbers with decimals; text and dates have none."""
    if found.dtype.kind in "fc":
        return bool(
            np.all((found.real == np.floor(found.real)) & (found.imag == np.floor(found.imag)))
        )
    if found.dtype.kind != "O":
        return True
    return not any(_has_decimals(value) for value in found.tolist())


def _has_decimals(value: Any) -> bool:
    if isinstance(value, complex | np.complexfloating):
        return bool(value.real % 1 or value.imag % 1)
    return not isinstance(value, numbers.Integral) and is_number(value) and bool(float(value) % 1)


def _floats(one: Coded) -> NDArray[np.float64]:
    """The numbers of a column, [V]; infinite ones are refused."""
    try:
        found = one.found.astype(np.float64)
    except OverflowError:
        raise InputError(f"{called(one.name)} holds numbers beyond 1e308: rescale it") from None
    infinite = np.flatnonzero(np.isinf(found))
    if len(infinite):
        row = min(one.first_row(int(value)) for value in infinite)
        raise InputError(
            f"{called(one.name)} holds infinity in row {row}, counted from 0: drop this row"
        )
    return found


# --------------------------------------------------------------------------- values and bins


def _discrete(one: Coded, bins: int | str | None, binning: str) -> Discrete:
    """Codes of one column: as it is, or binned."""
    as_is = isinstance(bins, str) and bins == CATEGORIES
    count = None if bins is None or as_is else _bin_count(one.name, bins)
    found = _floats(one) if one.kind == "number" else one.found
    if not as_is:
        _refuse_half_numbers(one)
        _refuse_continuous(one, count)
    if count is not None and one.kind == "number" and len(one.found) > count:
        return _binned(one, found, count, binning)
    values = one.found if one.found.dtype.kind in "mM" else one.found.tolist()
    return Discrete(one.codes, tuple(values), one.name)


def _bin_count(name: str, bins: Any) -> int:
    if isinstance(bins, str):
        raise InputError(f'bins of {called(name)} must be a number or "{CATEGORIES}", not {bins!r}')
    return require_whole(f"bins of {called(name)}", bins, 2)


def _refuse_continuous(one: Coded, count: int | None) -> None:
    """Refuse what looks continuous and is not binned; complex numbers cannot be."""
    if (count is not None and one.kind == "number") or not _looks_continuous(one):
        return
    ways = WAYS
    if one.kind != "number":
        ways = 'make two columns of its real and imaginary parts, or give bins="categories"'
    raise InputError(
        f"{called(one.name)} looks continuous, {len(one.found)} different numbers in "
        f"{int((one.codes >= 0).sum())} rows: {ways}"
    )


def _refuse_half_numbers(one: Coded) -> None:
    """Refuse text that holds many decimal numbers: one odd cell would make categories of all."""
    if one.kind != "text":
        return
    texts = one.found.tolist()
    decimal = [text for text in texts if is_decimal_text(text)]
    if not decimal or not _many(len(decimal), one):
        return
    # A number with a decimal comma is none here, but it is not the cell that kept it text.
    others = [place for place, text in enumerate(texts) if not is_number_text(text)]
    odd = next((place for place in others if not is_decimal_text(texts[place])), (*others, 0)[0])
    raise InputError(
        f"{called(one.name)} holds {len(decimal)} different decimal numbers such as "
        f"{shown(decimal[0])}, and {shown(texts[odd])} in row {one.first_row(odd)}, counted from "
        f'0, is none: mend it, or give bins="{CATEGORIES}"'
    )


def _binned(one: Coded, found: NDArray[np.float64], count: int, binning: str) -> Discrete:
    """Bin a column; `found` [V] are its values, ascending."""
    rows = np.bincount(one.codes[one.codes >= 0], minlength=len(found))
    if binning == "count":
        # A value goes where the middle of its rows lies: floor(B (rows before + own / 2) / n).
        middle = 2 * np.cumsum(rows) - rows
        bin_of = middle * count // (2 * int(rows.sum()))
        starts = found[np.searchsorted(bin_of, np.unique(bin_of))]
        edges = np.append(starts, found[-1])
    else:
        # Halved, because the difference of the largest and the least may overflow.
        low, span = found[0] / 2, found[-1] / 2 - found[0] / 2
        bin_of = np.minimum((found / 2 - low) / span * count, count - 1).astype(np.intp)
        edges = 2 * (low + span * (np.arange(count + 1) / count))
    held, own = np.unique(bin_of, return_inverse=True)
    texts = _interval_texts(edges)
    values = texts if binning == "count" else [texts[place] for place in held]
    codes = np.where(one.codes < 0, -1, own.reshape(-1)[one.codes])
    return Discrete(codes, tuple(values), one.name, len(held))


def _interval_texts(edges: NDArray[np.float64]) -> list[str]:
    """[a, b) between neighboring edges, the last one closed; as many digits as tell them apart."""
    distinct = len(np.unique(edges))
    for digits in range(3, 18):
        texts = [f"{edge:.{max(digits, _whole_digits(edge))}g}" for edge in edges]
        if len(set(texts)) == distinct:
            break
    pairs = list(itertools.pairwise(texts))
    return [f"[{low}, {high})" for low, high in pairs[:-1]] + ["[{}, {}]".format(*pairs[-1])]


def _whole_digits(number: float) -> int:
    """Digits that write a whole number out, to 12."""
    return min(12, len(f"{abs(number):.0f}")) if float(number).is_integer() else 0


def _joined(name: str, parts: Sequence[Discrete]) -> Discrete:
    """Columns as one: each was coded by itself, which is ten times faster than to sort rows."""
    whole = np.flatnonzero(np.all([part.codes >= 0 for part in parts], axis=0))
    combined = np.zeros(len(whole), dtype=np.intp)
    columns: list[list[Any]] = []
    for part in parts:
        # Code of the columns so far times the values of this one, plus its own code.
        found, combined = by_order(combined * part.size + part.codes[whole])
        before, own = np.divmod(found, part.size)
        columns = [[column[place] for place in before] for column in columns]
        columns.append([part.values[place] for place in own])
    codes = np.full(len(parts[0].codes), -1, dtype=np.intp)
    codes[whole] = combined
    counts = [part.binned for part in parts if part.binned is not None]
    return Discrete(codes, tuple(zip(*columns, strict=True)), name, max(counts, default=None))
