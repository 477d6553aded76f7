"""Read arrays, tensors, data frames and lists as columns of NumPy values, each by itself.

Shape legend: n rows, c columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trifeature.checks import as_array
from trifeature.errors import InputError

Array: TypeAlias = NDArray[Any]


def called(name: str) -> str:
    """A column's name in an error; control characters are spelled out."""
    return f"column {name!r}"


def as_columns(name: str, column: Any) -> dict[str, Array]:
    """Read what a user may hold as columns of NumPy values, each by itself.

    Args:
        name: Name of the column, for errors.
        column: [n] or [n, c] values: NumPy (any byte order, masked, records), tensors on any
            device, pandas, polars or Arrow columns and tables, nested lists; or columns by name, as
            this function returns them.

    Returns:
        By name, c columns [n] of a type that keeps every value: Booleans, numbers, text, dates, or
        Python objects. A column without a name of its own is called `name`; of several, `name[0]`,
        `name[1]`, …

    Raises:
        InputError: No values, rows of different lengths, other shapes, two columns of one name, or
            values without an order such as a set.

    >>> as_columns("x", [[1, "a"], [2, "b"]])["x[1]"].tolist()
    ['a', 'b']
    """
    found = list(_parts(name, column))
    columns: dict[str, Array] = {}
    for place, (own, values) in enumerate(found):
        label = own or (name if len(found) == 1 else f"{name}[{place}]")
        if label in columns:
            raise InputError(f"{called(name)} has two columns of the name {label!r}: rename one")
        if values.ndim != 1 or not values.size:
            raise _wrong_shape(label, values)
        columns[label] = values
    if not columns:
        raise InputError(f"{called(name)} holds no columns: it must be [n] or [n, c] values")
    require_one_length({name: columns})
    return columns


def require_one_length(columns: Mapping[str, Mapping[str, Array]]) -> int:
    """Number of rows n of columns as `as_columns` returns them.

    Raises:
        InputError: They have different numbers of rows.
    """
    lengths = {len(values) for parts in columns.values() for values in parts.values()}
    if len(lengths) != 1:
        raise InputError(f"columns of one sample have one length, got {sorted(lengths)}")
    return lengths.pop()


def _wrong_shape(name: str, values: Array) -> InputError:
    return InputError(
        f"{called(name)} must be values of shape [n] or [n, c], got shape {values.shape}"
    )


def _parts(name: str, column: Any) -> Iterator[tuple[str, Array]]:
    """The columns with the names that they bring along, or ""."""
    library = _library(column)
    if isinstance(column, Mapping):
        for own, values in column.items():
            yield from as_columns(str(own), values).items()
    elif library == "pandas" and hasattr(column, "columns"):
        for place, own in enumerate(column.columns):
            yield str(own), _from_pandas(name, column.iloc[:, place])
    elif library == "pandas":
        yield "", _from_pandas(name, column)
    elif library:
        yield from _from_arrow(name, column)
    else:
        yield from (("", values) for values in _from_values(name, column))


def _library(column: Any) -> str:
    """The data frame library that a class comes from, found without importing any."""
    known = ("pandas", "polars", "pyarrow")
    modules = (cls.__module__.partition(".")[0] for cls in type(column).__mro__)
    return next((module for module in modules if module in known), "")


def _from_pandas(name: str, column: Any) -> Array:
    """A Series, Index or extension array; types of pandas' own are read value by value."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind != "O":
        return _native(name, np.asarray(column))
    return _one(name, list(np.asarray(column, dtype=object)))


def _from_arrow(name: str, column: Any) -> Iterator[tuple[str, Array]]:
    """A polars or Arrow table or column."""
    if hasattr(column, "collect"):
        raise InputError(f"{called(name)} is a lazy frame: call its collect() first")
    if hasattr(column, "get_columns"):
        for one in column.get_columns():
            yield one.name, _one(name, one)
    elif hasattr(column, "column_names"):
        for own, one in zip(column.column_names, column.columns, strict=True):
            yield own, _one(name, one)
    else:
        yield "", _from_arrow_column(name, column)


def _from_arrow_column(name: str, column: Any) -> Array:
    lacking = column.null_count() if callable(column.null_count) else column.null_count
    if not lacking:
        values = np.asarray(column)
        if values.dtype.kind != "O":
            return _native(name, values)
    # Value by value: as an array, whole numbers with a missing one would become floats.
    return _one(name, column.to_list() if hasattr(column, "to_list") else column.to_pylist())


def _one(name: str, values: Any) -> Array:
    """A column that must be one."""
    found = [array for _, array in _parts(name, values)]
    if len(found) != 1:
        raise InputError(f"{called(name)} holds lists: make each of their entries a column")
    return found[0]


def _from_values(name: str, column: Any) -> list[Array]:
    """NumPy, tensors, lists and what NumPy can read."""
    if isinstance(column, np.ma.MaskedArray):
        return _from_masked(name, column)
    if isinstance(column, Sequence) and not isinstance(column, str | bytes):
        return _from_cells(name, list(column))
    if isinstance(column, str | bytes) or not hasattr(column, "__array__"):
        advice = ": call its toarray() first" if hasattr(column, "toarray") else ""
        raise InputError(
            f"{called(name)} must be an array, a tensor, a list or a column of a data frame, not "
            f"{type(column).__name__}{advice}"
        )
    try:
        array = as_array(column)
    except (TypeError, RuntimeError, ValueError) as problem:
        words = str(problem).partition("\n")[0]
        raise InputError(f"{called(name)} cannot be read as an array: {words}") from None
    if array.ndim not in (1, 2):
        raise _wrong_shape(name, array)
    if array.dtype.names:
        return [_native(name, array[field]) for field in array.dtype.names]
    if array.dtype.kind in "OT":  # "T": NumPy's strings of any length
        return _from_cells(name, array.astype(object).tolist())
    return [_native(name, values) for values in (array if array.ndim == 2 else array[:, None]).T]


def _from_masked(name: str, column: np.ma.MaskedArray[Any, Any]) -> list[Array]:
    """Masked entries become NaN, NaT or None."""
    if column.dtype.names:
        return [part for field in column.dtype.names for part in _from_masked(name, column[field])]
    columns = _from_values(name, column.data)
    masks = np.ma.getmaskarray(column).reshape(len(column), -1).T
    for place, mask in enumerate(masks):
        if mask.any():
            kind = columns[place].dtype.kind
            keeps = kind in "fcmM"
            changed = columns[place].copy() if keeps else columns[place].astype(object)
            changed[mask] = np.nan if kind in "fc" else "NaT" if kind in "mM" else None
            columns[place] = changed
    return columns


def _from_cells(name: str, cells: list[Any]) -> list[Array]:
    """Python values, or rows of them."""
    kinds = set(map(type, cells))
    if any(hasattr(kind, "ndim") and not issubclass(kind, np.generic) for kind in kinds):
        cells = [_plain(cell) for cell in cells]
        kinds = set(map(type, cells))
    if not any(issubclass(kind, list | tuple) for kind in kinds):
        return [_narrow(cells)]
    widths = [len(cell) if isinstance(cell, list | tuple) else -1 for cell in cells]
    odd = next((row for row, width in enumerate(widths) if width != widths[0]), None)
    if odd is not None:
        raise InputError(
            f"{called(name)} needs rows of one length: row {odd}, counted from 0, differs from "
            "row 0"
        )
    return [_narrow(list(part)) for part in zip(*cells, strict=True)]


def _plain(cell: Any) -> Any:
    """An array, a tensor or a column of a data frame as a Python value or list."""
    if cell is np.ma.masked:
        return None
    if isinstance(cell, np.generic) or not hasattr(cell, "ndim"):
        return cell
    return as_array(cell).tolist()


def _narrow(cells: list[Any]) -> Array:
    """Values of one Python type as an array of that type, all others as objects."""
    kinds = set(map(type, cells))
    kind = kinds.pop() if len(kinds) == 1 else object
    if issubclass(kind, bool | int | float | complex | np.generic) and not issubclass(kind, str):
        array = np.array(cells)
        # NumPy makes floats of whole numbers beyond 64 bits.
        if array.dtype.kind != "f" or issubclass(kind, float | np.floating):
            return array
    return np.fromiter(cells, dtype=object, count=len(cells))


def _native(name: str, values: Array) -> Array:
    """A column in the machine's byte order, contiguous; bytes are text."""
    kind = values.dtype.kind
    if kind == "S":
        try:
            return np.char.decode(values, "utf-8")
        except UnicodeDecodeError:
            raise InputError(f"{called(name)} holds bytes that are not UTF-8: decode it") from None
    if kind == "O":
        return _one(name, values.tolist())
    if kind not in "biufcmMU":
        raise InputError(f"{called(name)} must hold numbers, text or dates, not {values.dtype}")
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
