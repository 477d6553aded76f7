"""Columns from files: delimited text and Parquet, read right or refused in one line.

A file of text has a header line. Its delimiter is a comma, tab, semicolon or bar; its encoding
UTF-8, or UTF-16 or UTF-32 with a byte order mark; it may be compressed by gzip. Errors count the
lines of the file as an editor does, those within quoted cells and blank ones included.

Shape legend: n rows.
"""

from __future__ import annotations

import csv
import difflib
import gzip
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trifeature.checks import require_memory
from trifeature.columns import as_columns, missing_rows
from trifeature.columns.delimited import GLANCE, Choose, places_of, read_text, refuse_binary
from trifeature.errors import InputError, check_name

Array: TypeAlias = NDArray[Any]

# Bytes read at a time.
CHUNK: Final = 1 << 24
# Most names that an error lists.
MOST_NAMES: Final = 30


@dataclass(frozen=True, eq=False)
class FileColumns:
    """Columns of a file.

    Attributes:
        path: The file, as it is named in errors.
        columns: Name -> [n] values: text, or the types of a Parquet file.
        lines: [n] line of the file on which each row starts, from 1; None for Parquet.
    """

    path: str
    columns: dict[str, Array]
    lines: NDArray[np.intp] | None = None

    def place(self, row: int) -> str:
        """Where a row stands in the file: "line 7", or "row 5" of a Parquet file, from 0."""
        return f"row {row}" if self.lines is None else f"line {self.lines[row]}"

    def refuse_missing(self) -> None:
        """Refuse a column that lacks a value.

        Raises:
            InputError: A value is missing; the message names the column and the line.
        """
        for name, values in self.columns.items():
            lacking = np.flatnonzero(missing_rows(name, values))
            if len(lacking):
                raise InputError(
                    f"{self.path}: column {name!r} lacks a value in {self.place(lacking[0])}, and "
                    f"in {len(lacking)} of {len(values)} rows in all: drop these rows or fill them"
                )

    def without_missing(self) -> FileColumns:
        """Only the rows that have a value in every column.

        Raises:
            InputError: No row has.
        """
        lacking = np.any([missing_rows(*item) for item in self.columns.items()], axis=0)
        if lacking.all():
            raise InputError(f"{self.path} has no row with a value in every column")
        columns = {name: values[~lacking] for name, values in self.columns.items()}
        return FileColumns(self.path, columns, None if self.lines is None else self.lines[~lacking])


def read_columns(
    path: str | Path, names: Sequence[str] | None = None, *, missing: str = "refuse"
) -> dict[str, Array]:
    """Read columns of a file of text with a header line, or of a Parquet file; see `read_file`.

    Args:
        path: The file.
        names: The columns to read; None for all that have a name.
        missing: "refuse" a missing value in one of these columns, "drop" such rows, or "keep" them.

    Returns:
        Name -> [n] values: strings, or for Parquet the types of the file.

    Raises:
        InputError: A missing value, or what `read_file` raises.
    """
    check_name("way to treat missing values", missing, ("refuse", "drop", "keep"))
    found = read_file(path, names)
    if missing == "refuse":
        found.refuse_missing()
    return (found.without_missing() if missing == "drop" else found).columns


def read_file(path: str | Path, names: Sequence[str] | None = None) -> FileColumns:
    """Read columns of a file, with the lines that its rows stand on.

    Names are stripped of surrounding white space; values stay text, so that a cell without a value
    is judged later, together with those of arrays. In a file that is not delimited by commas, a
    column is read as numbers with decimal commas ("1,5" becomes "1.5") if every value that is not
    missing is such a number or a whole one.

    Args:
        path: The file. What it holds decides, not how its name ends.
        names: The columns to read; None for all that have a name.

    Raises:
        InputError: The file cannot be read, is no text in UTF-8 or with a byte order mark, has no
            rows, a row shorter or longer than the header, or a quotation without an end; a name
            does not exist, or stands twice in the header. The message names the line.
    """
    wanted = (names,) if isinstance(names, str) else names
    what = f"column of {_shown(path)}"

    def choose(header: Sequence[str]) -> list[str]:
        if wanted is None:
            return [name for name in header if name]
        return [_known(what, name, header) for name in wanted]

    return _read(path, choose)


def read_joined(
    path: str | Path, texts: Sequence[str]
) -> tuple[list[tuple[str, ...]], FileColumns]:
    """Read the columns that texts such as "a,b" name, split as by `split_names`.

    Returns:
        The names that each text stands for, and their columns.

    Raises:
        InputError: What `split_names` and `read_file` raise.
    """
    groups: list[tuple[str, ...]] = []
    what = f"column of {_shown(path)}"

    def choose(header: Sequence[str]) -> list[str]:
        groups[:] = [split_names(text, header, what=what) for text in texts]
        return [name for group in groups for name in group]

    found = _read(path, choose)
    return groups, found


def split_names(text: str, header: Sequence[str], *, what: str = "column") -> tuple[str, ...]:
    """Split the names of columns at commas, those that are part of a name excepted.

    Args:
        text: One name of the header as it is, or several joined by commas; a name that contains a
            comma is quoted among others.
        header: The names that exist.
        what: What a name is of, for errors.

    Raises:
        InputError: A name does not exist, is empty, or stands twice.

    >>> header = ["length, cm", "a", "b"]
    >>> split_names("length, cm", header), split_names("a,b", header)
    (('length, cm',), ('a', 'b'))
    >>> split_names('"length, cm",a', header)
    ('length, cm', 'a')
    """
    if text.strip() and text.strip() in header:
        return (text.strip(),)
    try:
        (cells,) = csv.reader([text], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError):
        cells = text.split(",")
    names = tuple(_known(what, cell.strip(), header) for cell in cells or [""])
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{text!r} names the column {name!r} twice")
    return names


def _shown(path: str | Path) -> str:
    """A path in an error, on one line and with control characters spelled out."""
    return repr(str(path))[1:-1]


def _known(kind: str, name: str, header: Sequence[str]) -> str:
    """A name of the header; control characters of an unknown one's hint are spelled out."""
    if not name.strip():
        raise InputError(f"a {kind} cannot be asked for by an empty name: give it one")
    if name in header:
        return name
    spelled = {repr(one)[1:-1]: one for one in header if one}
    listed = list(spelled)
    if len(listed) > MOST_NAMES:
        listed = difflib.get_close_matches(name, listed, n=MOST_NAMES, cutoff=0.0)
    return spelled[check_name(kind, name, listed)]


# --------------------------------------------------------------------------- bytes


def _read(path: str | Path, choose: Choose) -> FileColumns:
    shown = _shown(path)
    try:
        with io.BufferedReader(io.FileIO(path), GLANCE) as file:
            start = file.peek(GLANCE)[:GLANCE]
            if start.startswith(b"PAR1"):
                return _read_parquet(shown, file, choose)
            if start.startswith(b"\x1f\x8b"):
                with gzip.open(file) as unpacked:
                    return _from_text(shown, _read_bytes(shown, unpacked), choose)
            refuse_binary(shown, start)  # before it is read: a device has no end
            return _from_text(shown, _read_bytes(shown, file), choose)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {shown}: {reason}") from None


def _from_text(shown: str, content: bytes, choose: Choose) -> FileColumns:
    columns, lines = read_text(shown, content, choose)
    return FileColumns(shown, {**columns}, lines)


def _read_bytes(shown: str, file: IO[bytes] | gzip.GzipFile) -> bytes:
    """All of a file or pipe, as long as it fits into memory."""
    content = io.BytesIO()
    while part := file.read(CHUNK):
        content.write(part)
        size = content.tell()
        # The bytes twice, and their text.
        require_memory(f"{shown}, of {size:,} bytes or more,", 2 * size, "read fewer rows")
    return content.getvalue()


# --------------------------------------------------------------------------- Parquet


def _read_parquet(shown: str, file: Any, choose: Choose) -> FileColumns:
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise InputError(
            f"{shown} is Parquet, which needs pyarrow: pip install 'trifeature[parquet]'"
        ) from None
    try:
        source = parquet.ParquetFile(file)
        names = source.schema_arrow.names
        places = places_of(shown, names, choose)
        if not source.metadata.num_rows:
            raise InputError(f"{shown} has no rows")
        table = source.read(columns=[names[place] for place in places.values()])
    except arrow.ArrowException as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"cannot read {shown} as Parquet: {reason}") from None
    columns: dict[str, Array] = {}
    for name, place in places.items():
        parts = as_columns(name, table.column(names[place]))
        if len(parts) != 1:
            raise InputError(f"{shown}: column {name!r} holds lists: make columns of their entries")
        columns |= parts
    return FileColumns(shown, columns)
