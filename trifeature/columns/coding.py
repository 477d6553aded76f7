"""The values of a column that occur, sorted and cleaned, and the place of each row's among them.

Shape legend: n rows, V different values of a column.
"""

from __future__ import annotations

import itertools
import numbers
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trifeature.checks import require_memory
from trifeature.columns.reading import Array, called
from trifeature.errors import InputError

Codes: TypeAlias = NDArray[np.intp]
Kind: TypeAlias = Literal["number", "text", "other"]

MISSING_WORDS: Final = frozenset(
    ("", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "nat", "null", "none")
)
"""Words that stand for a missing value in a column of text, in any case."""

# Columns of more rows are coded only if there is memory for it.
LARGE: Final = 1_000_000
# Bytes a row that coding needs: the column, its order, and the codes before and after.
CODING_BYTES: Final = 40
# Cells of a text column that are Python strings at a time.
CHUNK: Final = 1 << 16

_DIGITS: Final = "[0-9]{1,300}"  # Python reads whole numbers of at most 4,300 digits
_EXPONENT: Final = "(?:e[+-]?[0-9]{1,9})?"
_WHOLE: Final = re.compile("[+-]?[0-9]+")
_NUMBER: Final = re.compile(
    rf"[+-]?(?:(?:0|[1-9][0-9]{{0,299}})(?:\.(?:{_DIGITS})?)?|\.{_DIGITS}){_EXPONENT}"
    r"|[+-]?inf(?:inity)?",
    re.IGNORECASE,
)
_DECIMAL: Final = re.compile(rf"[+-]?(?:{_DIGITS})?[.,]{_DIGITS}{_EXPONENT}", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Coded:
    """A column as codes.

    Attributes:
        name: Name of the column.
        found: [V] the values that occur, sorted; text and mixed numbers are Python objects.
        codes: [n] place of each row's value in `found`, or -1 for a missing one.
        kind: "number" (Booleans too), "text", or "other": dates, complex numbers.
        absent: How the first missing value was written in a column of text.
    """

    name: str
    found: Array
    codes: Codes
    kind: Kind
    absent: str = ""

    def refuse_missing(self) -> None:
        """Refuse a column that lacks values.

        Raises:
            InputError: A value is missing; the message names the first row.
        """
        lacking = np.flatnonzero(self.codes < 0)
        if len(lacking):
            seen = f" ({shown(self.absent)})" if self.absent else ""
            raise InputError(
                f"{called(self.name)} lacks a value in row {lacking[0]}{seen}, counted from 0, and "
                f"in {len(lacking)} of {len(self.codes)} rows in all: drop these rows or fill them"
            )

    def first_row(self, value: int) -> int:
        """The first row that holds value number `value`."""
        return int(np.argmax(self.codes == value))


def shown(value: Any) -> str:
    """A value in an error: short, control characters spelled out."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:36]}…{text[-1]}"


def coded(name: str, values: Array, words: Collection[str] = MISSING_WORDS) -> Coded:
    """Number the values of a column that occur.

    Args:
        name: Name of the column, for errors.
        values: [n] as `as_columns` returns it.
        words: Text that stands for a missing value, folded to lower case.

    Raises:
        InputError: Values that cannot be sorted or hashed, or too many for the memory.
    """
    n = len(values)
    if n > LARGE:
        require_memory(f"{called(name)} of {n:,} rows", CODING_BYTES * n, "take fewer rows")
    if values.dtype.kind in "OU":
        return _coded_cells(name, *_by_equality(name, values), words)
    found, codes = by_order(values)
    count = len(found) - int(_is_nan(found).sum())  # NaN and NaT are sorted last
    codes[codes >= count] = -1
    kind: Kind = "number" if values.dtype.kind in "biuf" else "other"
    return Coded(name, found[:count], codes, kind)


def by_order(values: Array) -> tuple[Array, Codes]:
    """The values that occur, sorted, and the place of each row's among them.

    `np.unique`, in a fraction of its time where whole numbers lie close together.
    """
    if values.size and values.dtype.kind in "biu":
        low, high = int(values.min()), int(values.max())
        if high - low <= max(len(values), 1024):
            wide = np.int64 if low < 0 else np.uint64
            steps = (values.astype(wide) - wide(low)).astype(np.intp)
            present = np.bincount(steps) > 0
            found = (np.flatnonzero(present).astype(wide) + wide(low)).astype(values.dtype)
            return found, (np.cumsum(present) - 1)[steps]
    found, codes = np.unique(values, return_inverse=True)
    return found, codes.reshape(-1)


def _is_nan(found: Array) -> NDArray[np.bool_]:
    if found.dtype.kind in "mM":
        return np.isnat(found)
    return np.isnan(found) if found.dtype.kind in "fc" else np.zeros(len(found), dtype=bool)


def _by_equality(name: str, values: Array) -> tuple[list[Any], Codes]:
    """The cells that occur, in the order of their first rows, and the place of each row's."""
    known: dict[Any, int] = {}
    cells = itertools.chain.from_iterable(
        values[start : start + CHUNK].tolist() for start in range(0, len(values), CHUNK)
    )
    try:
        places = (known.setdefault(cell, len(known)) for cell in cells)
        codes = np.fromiter(places, dtype=np.intp, count=len(values))
    except TypeError as problem:
        raise InputError(f"{called(name)} holds what cannot be a value: {problem}") from None
    return list(known), codes


def _coded_cells(name: str, cells: list[Any], codes: Codes, words: Collection[str]) -> Coded:
    """Clean and sort the cells that occur; `codes` are places among them."""
    clean = [cell.strip() if isinstance(cell, str) else cell for cell in cells]
    lacking = [_is_missing(cell, words) for cell in clean]
    there = [cell for cell, lacks in zip(clean, lacking, strict=True) if not lacks]
    kind, read = _read(there)
    found = _sorted(name, list(dict.fromkeys(read)))
    order = {value: place for place, value in enumerate(found)}
    own = iter(read)
    places = np.array([-1 if lacks else order[next(own)] for lacks in lacking], dtype=np.intp)
    absent = [cell for cell, lacks in zip(cells, lacking, strict=True) if lacks]
    written = absent[0] if absent and isinstance(absent[0], str) else ""
    return Coded(name, np.fromiter(found, object, count=len(found)), places[codes], kind, written)


def _is_missing(cell: Any, words: Collection[str]) -> bool:
    if isinstance(cell, str):
        return cell.casefold() in words
    # NaN and NaT differ from themselves; comparing pandas' NA is neither true nor false.
    return cell is None or type(cell).__name__ == "NAType" or bool(cell != cell)  # noqa: PLR0124


def _read(cells: list[Any]) -> tuple[Kind, list[Any]]:
    """What the cells are, and their values: numbers if all are text of numbers."""
    if all(isinstance(cell, str) for cell in cells):
        if not cells or not all(map(is_number_text, cells)):
            return "text", cells
        return "number", [_number(cell) for cell in cells]
    return ("number" if all(map(is_number, cells)) else "other"), cells


def _number(text: str) -> int | float:
    """Text as a number; exact if it is whole."""
    if _WHOLE.fullmatch(text):
        return int(text)
    value = float(text)
    return int(value) if value.is_integer() else value


def is_number(value: Any) -> bool:
    """Whether a value is a real number; a Decimal is one, though no `numbers.Real`."""
    return isinstance(value, numbers.Real) or type(value).__name__ == "Decimal"


def is_number_text(text: str) -> bool:
    """Whether text is read as a number; a needless zero in front makes an identifier of it.

    >>> is_number_text("7.0"), is_number_text("007"), is_number_text("1,5")
    (True, False, False)
    """
    return _NUMBER.fullmatch(text) is not None


def is_decimal_text(text: str) -> bool:
    """Whether text is a number with a decimal point or comma.

    >>> is_decimal_text("1,5"), is_decimal_text("15"), is_decimal_text("v1.5")
    (True, False, False)
    """
    return _DECIMAL.fullmatch(text) is not None


def _sorted(name: str, cells: list[Any]) -> list[Any]:
    every_complex = all(isinstance(cell, numbers.Complex) for cell in cells)
    key: Callable[[Any], Any] | None = None
    if every_complex and not all(map(is_number, cells)):
        key = _real_and_imaginary
    try:
        return sorted(cells, key=key)
    except TypeError:
        kinds = sorted({type(cell).__name__ for cell in cells})
        raise InputError(
            f"{called(name)} holds values of type {', '.join(kinds)} that cannot be sorted: "
            "convert them to one type, such as text"
        ) from None


def _real_and_imaginary(value: Any) -> tuple[float, float]:
    return value.real, value.imag
