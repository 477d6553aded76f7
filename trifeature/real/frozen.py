"""Frozen features of a vision or text model, computed elsewhere and stored in a file.

A large pretrained model enters without its code: extract its features once, store them, and read
them as a series (the features of each token) or a vector (one for each sample). Their encoder is
`frozen`, which passes them on.

A file holds `values` [n, T, F] or [n, F] of any floating type. It may hold `present` [n, T] or [n],
Booleans or 0 and 1, such as a text's attention mask; and, in `.npz` only, `ids` [n], by which a
reader finds a sample. A `.npy` file holds `values` alone.

n samples, T tokens, F features.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.checks import require_memory
from trifeature.errors import InputError

Array = npt.NDArray[Any]

SUFFIXES: Final = (".npz", ".npy", ".safetensors")
"""Endings of the files that are read."""


def read_features(path: Path) -> Array | list[Array | None]:
    """Read features as `Samples.from_arrays` takes them.

    Args:
        path: A `.npz`, `.npy` or `.safetensors` file.

    Returns:
        float32 [n, T, F] or [n, F] if everything is present. Else a list: of every sample the
        features [T_n, F] of its present tokens, or [F]; None for a sample without any.

    Raises:
        InputError: the file is missing or damaged, has another ending, the arrays do not fit, or
            need more memory than there is.
    """
    return read_features_of(Path(path), None)


def read_features_of(path: Path, ids: list[str] | None) -> Array | list[Array | None]:
    """The features of some samples, in their order.

    Args:
        path: The file, see `read_features`.
        ids: Identifiers of the samples. Without `ids` in the file its rows must be these samples.

    Raises:
        InputError: as `read_features`; or a sample is missing.
    """
    arrays = _arrays(path)
    values, present = _checked(path, arrays)
    # As filed, as float32, padded, and with NaN.
    require_memory(f"features of {path.name}", 20.0 * values.size, "store fewer tokens")
    if ids is not None:
        rows = _rows(path, arrays.get("ids"), len(values), ids)
        if rows is not None:
            values, present = values[rows], None if present is None else present[rows]
    if present is None or present.all():
        return values.astype(np.float32)
    if present.ndim == 1:
        return [
            x.astype(np.float32) if one else None for x, one in zip(values, present, strict=True)
        ]
    return [
        x[some].astype(np.float32) if some.any() else None
        for x, some in zip(values, present, strict=True)
    ]


def features_at(folder: Path, name: str) -> Path:
    """The file NAME.npz, NAME.npy or NAME.safetensors of a folder.

    Raises:
        InputError: there is none.
    """
    for suffix in SUFFIXES:
        if (path := folder / f"{name}{suffix}").is_file():
            return path
    raise InputError(f"{folder} must hold {name}{SUFFIXES[0]} (or {', '.join(SUFFIXES[1:])})")


def _arrays(path: Path) -> Mapping[str, Array]:
    """The arrays of a file by name; pickled objects are refused."""
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: features are read from {', '.join(SUFFIXES)} files")
    if not path.is_file():
        raise InputError(f"{path} is missing")
    if path.suffix == ".safetensors":
        return _tensors(path)
    try:
        content = np.load(path, allow_pickle=False)
        if path.suffix == ".npy":
            return {"values": content}
        with content:
            return {name: content[name] for name in content.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as problem:
        raise InputError(f"{path} is damaged: {problem}") from None


def _tensors(path: Path) -> Mapping[str, Array]:
    """The tensors of a safetensors file; NumPy has no bfloat16, so such become float32."""
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - needs torch

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as problem:
        raise InputError(f"{path} is damaged: {problem}") from None
    return {
        name: (x.float() if x.is_floating_point() else x).numpy() for name, x in tensors.items()
    }


def _checked(path: Path, arrays: Mapping[str, Array]) -> tuple[Array, npt.NDArray[np.bool_] | None]:
    """Values and presence."""
    if "values" not in arrays:
        raise InputError(f"{path} lacks 'values': it holds {', '.join(arrays) or 'nothing'}")
    values, present = arrays["values"], arrays.get("present")
    if values.dtype.kind != "f" or values.ndim not in (2, 3) or not values.size:
        raise InputError(
            f"{path}: 'values' must be floating [n, T, F] or [n, F], not {values.dtype} "
            f"{list(values.shape)}"
        )
    if present is None:
        return values, None
    if present.shape != values.shape[:-1] or not np.isin(present, (0, 1)).all():
        raise InputError(
            f"{path}: 'present' must be Booleans {list(values.shape[:-1])}, not {present.dtype} "
            f"{list(present.shape)}"
        )
    return values, present.astype(np.bool_)


def _rows(path: Path, stored: Array | None, count: int, ids: list[str]) -> list[int] | None:
    """The row of each sample; None if the rows are the samples."""
    if stored is None:
        if count != len(ids):
            raise InputError(f"{path} has {count} rows for {len(ids)} samples and no 'ids'")
        return None
    if len(stored) != count:
        raise InputError(f"{path}: 'ids' must be one a row, {count}, not {len(stored)}")
    places = {str(name): row for row, name in enumerate(stored.tolist())}
    lacking = next((name for name in ids if name not in places), None)
    if lacking is not None:
        raise InputError(f"{path} lacks sample {lacking!r} among its 'ids'")
    return [places[name] for name in ids]
