"""A user's files read: tables of columns and arrays, and the rows that belong together.

P rows, F features, T steps.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from trifeature.checks import require_memory
from trifeature.columns import as_columns
from trifeature.columns.coding import coded, shown
from trifeature.columns.files import read_file
from trifeature.errors import InputError, check_name
from trifeature.real.own.columns import Array, Features, Table

ENDINGS: Final = (".gz", ".csv", ".tsv", ".txt", ".parquet", ".npy", ".npz")
"""Endings that are no part of a modality's name."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Items of an array file: values [P, …], which are there [P] or [P, T], identifiers [P]."""

    name: str
    path: str
    values: Array
    present: Array | None = None
    ids: Array | None = None

    def __len__(self) -> int:
        return len(self.values)

    def place(self, row: int) -> str:
        """Where a row stands, for errors."""
        return _row(row)


FileContent: TypeAlias = Table | Stack
"""What a file was read as."""


# --------------------------------------------------------------------------- reading


def read_all(paths: Sequence[str]) -> list[FileContent]:
    """Read files, each as a modality that is named after it.

    Args:
        paths: The files. Their names without endings name the modalities; where two are the same,
            their names with endings, or the whole paths.

    Raises:
        InputError: no file, one that is named twice, or one that cannot be read.
    """
    if not paths:
        raise InputError("name at least one file: each is a modality")
    for path, times in Counter(paths).items():
        if times > 1:
            raise InputError(
                f"{spelled_path(path)} is named {times} times: each file is a modality"
            )
    stems = [stem_of(path) for path in paths]
    if len(set(stems)) < len(stems):
        stems = [Path(path).name for path in paths]
    names = stems if len(set(stems)) == len(stems) else paths
    return [read_content(name, path) for name, path in zip(names, paths, strict=True)]


def stem_of(path: str) -> str:
    """A file's name without the endings of what is read here."""
    name = Path(path)
    while name.suffix.lower() in ENDINGS and name.stem:
        name = Path(name.stem)
    return name.name


def spelled_path(path: str) -> str:
    """A path in an error, on one line."""
    return repr(path)[1:-1]


def read_content(name: str, path: str) -> FileContent:
    """A table, or the array that a file holds, told by its first bytes."""
    try:
        with Path(path).open("rb") as file:
            start = file.read(6)
    except OSError as problem:
        raise InputError(f"cannot read {spelled_path(path)}: {problem.strerror}") from None
    if start == b"\x93NUMPY" or (start[:2] == b"PK" and path.lower().endswith(".npz")):
        return _read_array(name, path, packed=start[:2] == b"PK")
    found = read_file(path)
    return Table(name, found.path, found.columns, found.place)


def _read_array(name: str, path: str, *, packed: bool) -> FileContent:
    spelled = spelled_path(path)
    try:
        if packed:
            with zipfile.ZipFile(path) as archive:
                size = sum(entry.file_size for entry in archive.infolist())
        else:
            size = Path(path).stat().st_size
        require_memory(spelled, 2 * size, "take fewer rows")
        read = np.load(path, allow_pickle=False)
        parts = {key: read[key] for key in read.files} if packed else {"values": read}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as problem:
        reason = "it holds Python objects" if "allow_pickle" in str(problem) else problem
        raise InputError(f"cannot read {spelled}: {reason}") from None
    for key in parts:
        check_name(f"array in {spelled}", key, ("values", "present", "id"))
    if "values" not in parts:
        raise InputError(f"{spelled} holds no array called 'values'")
    return _stack(name, path, parts["values"], parts.get("present"), parts.get("id"))


def _stack(
    name: str, path: str, values: Array, present: Array | None, ids: Array | None
) -> FileContent:
    """Check an array file; text becomes a table of columns."""
    spelled = spelled_path(path)
    if values.ndim not in (1, 2, 3, 4) or not values.size:
        raise InputError(
            f"{spelled} has shape {list(values.shape)}: [P, F] numbers, [P, T, F] series and "
            "[P, C, H, W] images are read"
        )
    if values.dtype.kind in "US":
        return Table(name, spelled, as_columns(name, values), _row)
    if values.dtype.kind not in "biuf":
        raise InputError(f"{spelled} must hold numbers or text, not {values.dtype}")
    P = len(values)
    if present is not None and (
        present.dtype.kind != "b" or present.shape not in ((P,), values.shape[:2])
    ):
        raise InputError(f"{spelled}: 'present' must be true or false, [{P}] or [{P}, T]")
    if present is not None and present.ndim == 2 and values.ndim != 3:
        raise InputError(f"{spelled}: 'present' of steps needs series, values [{P}, T, F]")
    if ids is not None and ids.shape != (P,):
        raise InputError(f"{spelled}: 'id' must be [{P}], not {list(ids.shape)}")
    return Stack(name, spelled, values, present, ids)


def _row(row: int) -> str:
    return f"row {row} (from 0)"


def features_of_array(one: Stack, note: Callable[[str], None]) -> Features:
    """The items of an array file."""
    values = one.values
    if values.ndim == 4 or (values.ndim == 3 and values.dtype == np.uint8):
        if values.ndim == 3:
            note(f"{one.path} is read as images of one channel: it is uint8 [P, H, W]")
        return Features("image", values, (), {}, one.present, _absent(one, one.present))
    numbers = values.astype(np.float64).reshape(len(one), *(values.shape[1:] or (1,)))
    if len(infinite := np.flatnonzero(np.isinf(numbers).reshape(len(one), -1).any(1))):
        raise InputError(f"{one.path} holds infinity in {one.place(infinite[0])}: mend it")
    return _of_series(one, numbers) if numbers.ndim == 3 else _of_vectors(one, numbers)


def _of_vectors(one: Stack, numbers: Array) -> Features:
    empty = np.isnan(numbers) & (True if one.present is None else one.present[:, None])
    lacking = {
        row: f"{one.path}: feature {int(np.argmax(empty[row]))} lacks a value in {one.place(row)}"
        for row in np.flatnonzero(empty.any(1)).tolist()
    }
    return Features("vector", numbers, (), lacking, one.present, _absent(one, one.present))


def _of_series(one: Stack, numbers: Array) -> Features:
    """Series; a step that is NaN throughout is absent."""
    empty = np.isnan(numbers)
    there = np.asarray(~empty.all(2))
    if one.present is not None:
        there &= one.present.reshape(len(one), -1)
    torn = (empty.any(2) & there).any(1)
    lacking = {
        row: f"{one.path}: a step of the series in {one.place(row)} lacks a value, but not all"
        for row in np.flatnonzero(torn).tolist()
    }
    present = None if there.all() else there
    return Features("series", numbers, (), lacking, present, _absent(one, present))


def _absent(one: Stack, present: Array | None) -> dict[int, str]:
    """Words on each item of which nothing is there; `present` is [P] or [P, T]."""
    if present is None:
        return {}
    there = present.reshape(len(one), -1).any(1)
    return {
        row: f"{one.path} lacks the item of {one.place(row)}"
        for row in np.flatnonzero(~there).tolist()
    }


# --------------------------------------------------------------------------- joining


def join(
    contents: Iterable[FileContent],
    by: str | None,
    dropped: Collection[str],
    note: Callable[[str], None],
) -> list[Array]:
    """For each file the rows that belong together, [P] in the order of the first file.

    Args:
        contents: The files.
        by: The column, or array `id`, by which they are joined; None for their order.
        dropped: Columns that are no features.
        note: Called with a sentence where rows have no partner.

    Raises:
        InputError: different numbers of rows without `by`, an identifier that is missing or stands
            twice, or a column that looks like the identifier and is not named.
    """
    files = list(contents)
    if by is None:
        return _by_order(files, dropped)
    places = [_places(one, by) for one in files]
    common = [key for key in places[0] if all(key in other for other in places[1:])]
    if not common:
        raise InputError(f"no value of {by!r} stands in all of {_listed(files)}")
    unmatched = [
        f"{len(own) - len(common)} of {len(own)} in {one.path}"
        for one, own in zip(files, places, strict=True)
        if len(own) > len(common)
    ]
    if unmatched:
        note(
            f"{len(common)} rows are joined by {by!r}; rows without a partner are left "
            f"out: {', '.join(unmatched)}"
        )
    return [np.array([own[key] for key in common], dtype=np.intp) for own in places]


def _by_order(files: Sequence[FileContent], dropped: Collection[str]) -> list[Array]:
    lengths = [len(one) for one in files]
    if len(set(lengths)) > 1:
        counts = ", ".join(f"{one.path} {len(one)}" for one in files)
        raise InputError(
            f"the files have different numbers of rows ({counts}): rows belong together by order; "
            "to join them by a column that all have, give --id COLUMN"
        )
    tables = [one for one in files if isinstance(one, Table)]
    if len(tables) > 1 and len(tables) == len(files):
        shared = set(tables[0].columns).intersection(*(one.columns for one in tables))
        for name in sorted(shared - set(dropped)):
            if all(_identifies(one, name) for one in tables):
                raise InputError(
                    f"column {name!r} is in every file and never repeats a value: --id {name} "
                    f"joins the rows by it, --drop {name} leaves them in their order"
                )
    return [np.arange(lengths[0])] * len(files)


def _identifies(table: Table, name: str) -> bool:
    """Whether a column has a value of its own in every row, and is not made of decimals."""
    one = coded(name, table.columns[name])
    whole = one.kind != "number" or all(float(value).is_integer() for value in one.found)
    return whole and len(one.found) == len(table) > 2


def _places(one: FileContent, name: str) -> dict[Any, int]:
    """Identifier -> row; 1 and "1" are one identifier, as are "a" and "a "."""
    if isinstance(one, Table):
        check_name(f"column of {one.path}", name, one.columns)
        values = one.columns[name]
    elif one.ids is None:
        raise InputError(f"{one.path} has no identifiers to join by: save them as 'id' in an .npz")
    else:
        values = one.ids
    read = coded(name, values)
    found: dict[Any, int] = {}
    for row, code in enumerate(read.codes.tolist()):
        if code < 0:
            raise InputError(f"{one.path}: {name!r} lacks a value in {one.place(row)}")
        key = read.found[code]
        key = key.item() if isinstance(key, np.generic) else key
        if key in found:
            raise InputError(
                f"{one.path}: {name!r} is {shown(key)} in {one.place(found[key])} and in "
                f"{one.place(row)}: an identifier stands once"
            )
        found[key] = row
    return found


def _listed(files: Sequence[FileContent]) -> str:
    return ", ".join(one.path for one in files)
