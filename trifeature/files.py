"""Small files that are never seen half-written: JSON, JSON lines, tensors.

JSON here is strict: it has no word for an infinite or an undefined number. In a row such a number
is null, and what that means stands where the row is made.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from trifeature.errors import InputError


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file's content so that a reader finds the old or the new one, never a part."""
    part = path.with_name(f".{path.name}.part-{os.getpid()}")
    try:
        part.write_bytes(content)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def finite(content: Any) -> Any:
    """The same content with None for every number that strict JSON cannot hold.

    Args:
        content: Anything of dictionaries, lists, tuples and plain values.

    >>> finite({"bits": [1.5, float("-inf")], "auc": float("nan"), "n": 3})
    {'bits': [1.5, None], 'auc': None, 'n': 3}
    """
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object as readable JSON, atomically.

    Raises:
        ValueError: a number is infinite or undefined. Settings never are: it is a defect.
    """
    write_atomically(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read an object.

    Raises:
        InputError: the file is missing or not a JSON object; it is named.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing") from None
    except ValueError as problem:
        raise InputError(f"{path} is damaged: {problem}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} is damaged: it does not hold a JSON object")
    return content


def append_row(path: Path, row: Mapping[str, Any]) -> None:
    """Append one JSON line, null for what is not `finite`; it is on the disk when this returns.

    A last line that a kill cut off is removed first, or the new one would run into it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.truncate(path.read_bytes().rfind(b"\n") + 1)
        file.write(_line(row))
        file.flush()
        os.fsync(file.fileno())


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The JSON lines of a file, none if it does not exist.

    A last line without its end was cut off by a kill and is left out. Infinity and NaN, which
    rows held before they were strict JSON, are read as None, as null is.

    Raises:
        InputError: a line is not a JSON object; file and line are named.
    """
    if not path.exists():
        return []
    *lines, _ = path.read_bytes().split(b"\n")
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line.decode(), parse_constant=lambda _: None)
        except ValueError as problem:
            raise InputError(f"{path}, line {number} is damaged: {problem}") from None
        if not isinstance(row, dict):
            raise InputError(f"{path}, line {number} is damaged: it is not a JSON object")
        rows.append(row)
    return rows


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace a file of JSON lines, null for what is not `finite`, atomically."""
    write_atomically(path, b"".join(_line(row) for row in rows))


def _line(row: Mapping[str, Any]) -> bytes:
    return (json.dumps(finite(row), allow_nan=False) + "\n").encode()


def write_tensors(path: Path, tensors: Mapping[str, Tensor], note: Mapping[str, Any]) -> None:
    """Write tensors as safetensors with a JSON note in the header, atomically.

    Args:
        path: The file.
        tensors: What to write.
        note: A small JSON object to keep with them.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(plain, metadata={"note": json.dumps(note)}))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_tensors` wrote: the tensors, on the CPU, and the note.

    Raises:
        InputError: the file is missing or damaged; it is named.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            note = json.loads((file.metadata() or {})["note"])
    except FileNotFoundError:
        raise InputError(f"{path} is missing") from None
    except (SafetensorError, KeyError, ValueError) as problem:
        raise InputError(f"{path} is damaged: {problem}") from None
    return tensors, note
