"""Columns of a user's table as features: numbers as they are, few words as one-hot, text as tokens.

P rows, F features, V different values of a column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trifeature.arrays import WORD
from trifeature.checks import require_memory
from trifeature.columns.coding import Coded, coded, is_number, is_number_text, shown
from trifeature.errors import InputError

Array: TypeAlias = NDArray[Any]

MOST_VALUES: Final = 50
"""Different words up to which a column of text is a category."""

FEW_NUMBERS: Final = 10
"""Different numbers that may be values of a category beside words, such as 1, 2, 3, other."""


@dataclass(frozen=True, eq=False)
class Table:
    """A file's columns.

    Attributes:
        name: Name of the modality.
        path: The file, as it is named in errors.
        columns: Name -> [P] values.
        place: Where a row stands in the file, such as "line 7".
    """

    name: str
    path: str
    columns: Mapping[str, Array]
    place: Callable[[int], str]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def says(self, column: str) -> str:
        """How an error names a column of this file."""
        return f"{self.path}: column {column!r}"


@dataclass(frozen=True, eq=False)
class Features:
    """What a modality's items are made of.

    Attributes:
        kind: Kind of the modality.
        items: [P, …] numbers, NaN where a value is missing; or a list of P texts.
        names: Names of the features; empty where the file has none.
        lacking: Words on the first missing value of each row that lacks one, by row.
        present: bool [P] which items there are, or [P, T] which steps; None for all.
        absent: Words on each item that is absent altogether, by row.
    """

    kind: str
    items: Any
    names: tuple[str, ...]
    lacking: Mapping[int, str]
    present: Array | None = None
    absent: Mapping[int, str] = field(default_factory=dict)


def features_of(table: Table, note: Callable[[str], None]) -> Features:
    """The features of a table from all of its columns.

    Args:
        table: The columns that are features.
        note: Called with a sentence on each decision that a reader should know.

    Raises:
        InputError: no column, a column that is neither numbers nor a category, or an infinite
            number.
    """
    read = {name: coded(name, values) for name, values in table.columns.items()}
    for name in [name for name, one in read.items() if _counts_rows(one)]:
        note(f"column {name!r} of {table.path} only counts the rows: it is left out")
        del read[name]
    if not read:
        raise InputError(f"{table.path} has no column left that could be a feature")
    if len(read) == 1:
        ((name, one),) = read.items()
        if one.kind == "text" and len(one.found) > MOST_VALUES:
            note(f"column {name!r} of {table.path} is read as text, word by word")
            return _texts(table, one)
    return _numbers(table, read, note)


def _counts_rows(one: Coded) -> bool:
    """Whether a column is 0, 1, 2, … or 1, 2, 3, …: the place of a row is no feature."""
    if one.kind != "number" or len(one.codes) < 3:
        return False
    rising = np.array_equal(one.codes, np.arange(len(one.codes)))
    return rising and one.found[0] in (0, 1) and one.found[-1] - one.found[0] + 1 == len(one.found)


def _texts(table: Table, one: Coded) -> Features:
    texts = [None if code < 0 else str(one.found[code]) for code in one.codes.tolist()]
    lacking = _lacking(table, {one.name: one.codes < 0})
    wordless = {
        row: f"{table.says(one.name)} has no word in {table.place(row)}"
        for row, text in enumerate(texts)
        if text is not None and not WORD.search(text)
    }
    return Features("tokens", texts, (), lacking, absent=wordless | lacking)


def _numbers(table: Table, read: Mapping[str, Coded], note: Callable[[str], None]) -> Features:
    """Numbers and one-hot categories beside each other, float64 [P, F]."""
    width = sum(1 if one.kind == "number" else len(one.found) for one in read.values())
    require_memory(f"{table.path} as numbers", 8 * width * len(table), "--drop columns")
    parts, names = [], []
    for name, one in read.items():
        if one.kind == "number":
            parts.append(_column(table, one)[:, None])
            names.append(name)
        else:
            _require_category(table, one)
            parts.append(_one_hot(one))
            names += [f"{name}={value}" for value in one.found]
            note(f"column {name!r} of {table.path} is a category of {len(one.found)} values")
    lacking = {name: one.codes < 0 for name, one in read.items()}
    return Features("vector", np.concatenate(parts, 1), tuple(names), _lacking(table, lacking))


def _column(table: Table, one: Coded) -> NDArray[np.float64]:
    """A column of numbers [P], NaN where one is missing."""
    try:
        found = np.append(one.found.astype(np.float64), np.nan)  # the code -1 is the last
    except OverflowError:
        raise InputError(f"{table.says(one.name)} holds numbers beyond 1e308: rescale it") from None
    if len(infinite := np.flatnonzero(np.isinf(found))):
        row = min(one.first_row(int(place)) for place in infinite)
        raise InputError(f"{table.says(one.name)} holds infinity in {table.place(row)}: mend it")
    column: NDArray[np.float64] = found[one.codes]
    return column


def _require_category(table: Table, one: Coded) -> None:
    """Refuse dates, and text of too many values, which would be a feature for each row."""
    cure = f"mend it, or leave it out with --drop {one.name}"
    if one.kind == "other":
        value = shown(one.found[0])
        raise InputError(f"{table.says(one.name)} holds {value}, no number or word: {cure}")
    odd = [place for place, value in enumerate(one.found) if not _reads_as_number(value)]
    if len(odd) < len(one.found) - len(odd) > FEW_NUMBERS:
        row = min(one.first_row(place) for place in odd)
        value = shown(one.found[one.codes[row]])
        raise InputError(
            f"{table.says(one.name)} holds numbers, but {value} in {table.place(row)} is none: "
            f"{cure}"
        )
    if len(one.found) > MOST_VALUES:
        raise InputError(
            f"{table.says(one.name)} holds {len(one.found)} different words, more than "
            f"{MOST_VALUES}: leave it out with --drop {one.name}, or put text that is to be read "
            "into a file of its own"
        )


def _reads_as_number(value: Any) -> bool:
    return is_number_text(value) if isinstance(value, str) else is_number(value)


def _one_hot(one: Coded) -> NDArray[np.float64]:
    """[P, V], 1 at a row's value; NaN throughout where it is missing."""
    rows = np.append(np.eye(len(one.found)), np.full((1, len(one.found)), np.nan), axis=0)
    hot: NDArray[np.float64] = rows[one.codes]
    return hot


def _lacking(table: Table, missing: Mapping[str, Array]) -> dict[int, str]:
    """Words on the first missing value of each row that lacks one."""
    found: dict[int, str] = {}
    for name, rows in missing.items():
        for row in np.flatnonzero(rows).tolist():
            found.setdefault(row, f"{table.says(name)} lacks a value in {table.place(row)}")
    return found
