"""Text of delimited columns: its encoding, delimiter and rows, with the lines they start on.

Shape legend: n rows.
"""

from __future__ import annotations

import array
import codecs
import csv
import io
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trifeature.checks import require_memory
from trifeature.columns import MISSING_WORDS
from trifeature.errors import InputError

Choose: TypeAlias = Callable[[Sequence[str]], list[str]]
"""The columns to read out of a header; raises `InputError` for a name that it lacks."""

# The rarer in a name, the earlier.
DELIMITERS: Final = ("\t", ";", "|", ",")
# Bytes that show what a file is, and lines that show its delimiter.
GLANCE: Final = 1 << 16
GLANCE_LINES: Final = 20
# Bytes that text hardly has; so many are a slip, which is named by its line.
CONTROLS: Final = bytes(sorted({*range(32), 127} - set(b"\t\n\r\f\x1b")))
MOST_CONTROLS: Final = 3

# UTF-32 first: its mark begins with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FORMATS: Final = (
    (b"PK\x03\x04", "a workbook or ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG picture"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
)
_LINE_END: Final = re.compile("\r\n|\r|\n")
_DECIMAL_COMMA: Final = re.compile(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?")
_WITHOUT_COMMA: Final = re.compile(r"[+-]?[0-9]+(?:[eE][+-]?[0-9]+)?")


def refuse_binary(shown: str, start: bytes) -> None:
    """Refuse what is no text, by its first bytes."""
    for mark, kind in _FORMATS:
        if start.startswith(mark):
            raise InputError(f"{shown} is {kind}: save it as CSV or Parquet")
    if start.startswith(tuple(mark for mark, _ in _MARKS)):
        return
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if max(even, odd) > 0.4 * len(start) and min(even, odd) < 0.1 * len(start):
        raise InputError(f"{shown} looks like UTF-16 without a byte order mark: save it as UTF-8")
    controls = len(start) - len(start.translate(None, CONTROLS))
    if controls > max(MOST_CONTROLS, 0.05 * len(start)):
        raise InputError(f"{shown} is binary, not text: save it as CSV or Parquet")


def _encoding(content: bytes) -> str:
    return next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8-sig")


def _bad_bytes(shown: str, content: bytes) -> InputError:
    """Where the encoding is violated."""
    encoding = _encoding(content)
    try:
        content.decode(encoding)
    except UnicodeDecodeError as error:
        read = error.object  # without a mark of UTF-8
        before = read[: error.start].decode(encoding, errors="ignore")
        line = 1 + len(_LINE_END.findall(before))
        name = encoding.removesuffix("-sig").upper()
        return InputError(
            f"{shown}: line {line} is not {name} (byte 0x{read[error.start]:02x}): save it as UTF-8"
        )
    return InputError(f"{shown} is not UTF-8: save it as UTF-8")


# --------------------------------------------------------------------------- rows and cells


def read_text(
    shown: str, content: bytes, choose: Choose
) -> tuple[dict[str, NDArray[np.str_]], NDArray[np.intp]]:
    """Read columns of a file of text.

    Args:
        shown: Name of the file, for errors.
        content: The whole file.
        choose: The columns to read.

    Returns:
        The columns, [n] each, and the line on which each row starts, [n].

    Raises:
        InputError: See `trifeature.columns.files.read_file`.
    """
    refuse_binary(shown, content[:GLANCE])
    try:
        rows = _Rows(shown, content, _delimiter(_first_lines(content), choose))
        first = next(rows, None)
        if first is None:
            raise InputError(f"{shown} is empty: its first line names the columns")
        where, header = f"{shown}: line {first[0]}", first[1]
        columns, lines = _collect(rows, places_of(where, header, choose))
    except UnicodeDecodeError:
        raise _bad_bytes(shown, content) from None
    if not lines:
        raise InputError(f"{shown} has no rows")
    texts = {name: _text(shown, name, cells, rows.delimiter) for name, cells in columns.items()}
    return texts, np.array(lines, dtype=np.intp)


def _open(content: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content), encoding=_encoding(content), newline="")


def _first_lines(content: bytes) -> list[str]:
    return list(itertools.islice((line for line in _open(content) if line.strip()), GLANCE_LINES))


def _delimiter(lines: Sequence[str], choose: Choose) -> str:
    """The delimiter that finds the names asked for, several cells, and rows of the same length."""

    def fit(delimiter: str) -> tuple[bool, bool, bool, int]:
        try:
            header, *rows = csv.reader(lines, delimiter=delimiter)
        except csv.Error:
            return False, False, False, 0
        try:
            choose([name.strip() for name in header])
            known = True
        except InputError:
            known = False
        # The last row may be cut within a quoted cell.
        regular = all(len(row) == len(header) for row in rows[: GLANCE_LINES - 2])
        return known, len(header) > 1, regular, len(header)

    return max(DELIMITERS, key=fit) if lines else ","


class _Rows(Iterator[tuple[int, list[str]]]):
    """The rows of a text, each with the line that it starts on; blank lines are left out."""

    def __init__(self, shown: str, content: bytes, delimiter: str) -> None:
        self.shown, self.delimiter = shown, delimiter
        self.width = 0
        self._reader = csv.reader(self._lines(content), delimiter=delimiter, strict=True)

    def _lines(self, content: bytes) -> Iterator[str]:
        for number, line in enumerate(_open(content), start=1):
            if "\0" in line:
                raise InputError(f"{self.shown}: line {number} holds a NUL byte: remove it")
            yield line

    def __next__(self) -> tuple[int, list[str]]:
        while True:
            start = self._reader.line_num + 1
            try:
                row = next(self._reader)
            except csv.Error as error:
                words = str(error)
                if "end of data" in words:
                    words = "a quotation mark without its second"
                raise InputError(f"{self.shown}: the row in line {start}: {words}") from None
            if not row or (len(row) == 1 and not row[0].strip() and self.width != 1):
                continue
            if self.width and len(row) != self.width:
                raise InputError(
                    f"{self.shown}: line {start} has {len(row)} cells, the header {self.width}"
                )
            self.width = len(row)
            return start, row


def places_of(shown: str, header: Sequence[str], choose: Choose) -> dict[str, int]:
    """Column name -> its place, for the columns to read.

    Raises:
        InputError: None are to be read, one does not exist, or two have its name.
    """
    names = [name.strip() for name in header]
    chosen = choose(names)
    if not chosen:
        raise InputError(f"{shown} names no column")
    for name in chosen:
        if names.count(name) > 1:
            places = " and ".join(str(i + 1) for i, other in enumerate(names) if other == name)
            raise InputError(f"{shown} gives the name {name!r} to columns {places}: rename one")
    return {name: names.index(name) for name in chosen}


def _collect(
    rows: Iterator[tuple[int, list[str]]], places: Mapping[str, int]
) -> tuple[dict[str, list[str]], array.array[int]]:
    """The cells of the columns, each different cell kept once, and the lines of the rows."""
    columns: dict[str, list[str]] = {name: [] for name in places}
    filled = [(columns[name], place) for name, place in places.items()]
    known: dict[str, str] = {}
    lines = array.array("q")
    for line, row in rows:
        lines.append(line)
        for cells, place in filled:
            cell = row[place]
            cells.append(known.setdefault(cell, cell))
    return columns, lines


def _text(shown: str, name: str, cells: list[str], delimiter: str) -> NDArray[np.str_]:
    """A column as an array [n] of text, decimal commas made points."""
    if delimiter != ",":
        cells = _with_points(cells)
    longest = max(map(len, cells))
    needed = 4 * longest * len(cells)  # NumPy gives each cell the room of the longest
    require_memory(f"column {name!r} of {shown}", needed, "leave the column out")
    return np.array(cells, dtype=np.str_)


def _with_points(cells: list[str]) -> list[str]:
    """Decimal commas as points, if every value is a whole number or has a decimal comma."""
    changed = {}
    for cell in set(cells):
        text = cell.strip()
        if _DECIMAL_COMMA.fullmatch(text):
            changed[cell] = text.replace(",", ".")
        elif text.casefold() not in MISSING_WORDS and not _WITHOUT_COMMA.fullmatch(text):
            return cells
    return [changed.get(cell, cell) for cell in cells] if changed else cells
