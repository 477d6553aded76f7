"""Atomic writes, strict JSON and JSON lines, and locks between processes.

Strict JSON has no infinite and no undefined numbers. They are null in rows; in other files they
are an error.
"""

from __future__ import annotations

import errno
import glob
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from trifeature.errors import InputError

PATIENCE: Final = 1.0
"""Seconds to wait for a lock before `on_wait` is called."""

STALE: Final = 3600.0
"""Age in seconds from which a half-written file counts as left by a killed process."""


def require_writable(folder: Path) -> None:
    """Refuse a folder that nothing can be written to, before work whose result goes there.

    Folders that are missing may be made. Nothing is left behind.

    Raises:
        InputError: it cannot be written or made, or a file is in its place; the reason is named.
    """
    place = folder.absolute()
    there = next(one for one in (place, *place.parents) if one.exists() or one.is_symlink())
    reason = f"{there} is not a folder"
    if there.is_dir():
        try:
            with tempfile.TemporaryFile(dir=there):
                return
        except OSError as problem:
            reason = problem.strerror or str(problem)
    raise InputError(f"cannot write to {folder}: {reason}")


def require_writable_file(path: Path) -> None:
    """Refuse a file that cannot be written, see `require_writable`; devices are left to the system.

    Raises:
        InputError: it is a folder, or its folder cannot be written.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file in it")
    if path.is_file() or not path.exists():
        require_writable(Path(os.path.realpath(path)).parent)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file: readers see the old content or the new one, never a part of it.

    The content is written to `.NAME.part-PID` and renamed. File and folder are flushed to the disk
    (fsync), so a power cut cannot leave an empty file. A link is followed; a device or pipe is
    written to.

    Raises:
        OSError: it cannot be written; the error names `path`.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            _replace(Path(os.path.realpath(path)), content)
    except OSError as problem:
        raise OSError(problem.errno, problem.strerror, str(path)) from None


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.part-{os.getpid()}")
    remove_leftovers(path.parent, path.name, older=STALE)
    try:
        part.write_bytes(content)
        _sync(part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Flush a file's content or a folder's entries to the disk, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as problem:
        if problem.errno != errno.EINVAL:  # some network file systems have no such thing
            raise
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path, name: str = "*", older: float = 0.0) -> None:
    """Remove half-written files that killed processes left in a folder, see `write_atomically`.

    Args:
        folder: The folder.
        name: Name of the file that was being written; "*" for any.
        older: Least age in seconds of a file that is removed.
    """
    escaped = name if name == "*" else glob.escape(name)
    for part in folder.glob(f".{escaped}.part-*"):
        with suppress(FileNotFoundError):  # another process may have just renamed it
            if part.is_file() and time.time() - part.stat().st_mtime >= older:
                part.unlink()


@contextmanager
def locked(path: Path, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a lock between processes inside the block; its file is removed afterwards.

    Args:
        path: The lock file; its folder must exist.
        on_wait: Called once if another process holds the lock for longer than a second.

    Raises:
        OSError: the folder cannot be written.
    """
    while True:
        lock = FileLock(path)
        # filelock waits for ever if it cannot create the file, so create it here: this raises.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o666))
        try:
            lock.acquire(timeout=PATIENCE)
        except Timeout:
            if on_wait is not None:
                on_wait()
                on_wait = None
            lock.acquire()
        # The previous holder removed the lock file, so the lock may be on a file without a name.
        with suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), os.fstat(_descriptor(lock))):
                break
        lock.release()
    try:
        yield
    finally:
        if os.name != "nt":
            path.unlink(missing_ok=True)  # while it is held: nobody can be holding it meanwhile
        lock.release()


def _descriptor(lock: FileLock) -> int:
    descriptor = lock._context.lock_file_fd
    assert descriptor is not None  # noqa: S101 - the lock is held
    return descriptor


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


def plain(content: Any) -> Any:
    """The same content as JSON gives it back: lists for tuples, so what is read equals it.

    Args:
        content: Anything of dictionaries, lists, tuples and plain values.

    >>> plain({"only": (6, 9), "of": [("pix", None)]})
    {'only': [6, 9], 'of': [['pix', None]]}
    """
    if isinstance(content, Mapping):
        return {key: plain(value) for key, value in content.items()}
    return [plain(value) for value in content] if isinstance(content, list | tuple) else content


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
        content = json.loads(path.read_bytes().decode())
    except FileNotFoundError:
        raise InputError(f"{path} is missing") from None
    except (ValueError, RecursionError) as problem:
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


def read_rows(path: Path, keys: Mapping[str, type] | None = None) -> list[dict[str, Any]]:
    """The JSON lines of a file, none if it does not exist.

    Args:
        path: The file.
        keys: What every row must have, and of which type; float stands for whole numbers too.

    A last line without its end was cut off by a kill and is left out. Infinity and NaN, which
    rows held before they were strict JSON, are read as None, as null is.

    Raises:
        InputError: a line is not a JSON object or lacks a key; file and line are named.
    """
    if not path.exists():
        return []
    *lines, _ = path.read_bytes().split(b"\n")
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line.decode(), parse_constant=lambda _: None)
        except (ValueError, RecursionError) as problem:
            raise InputError(f"{path}, line {number} is damaged: {problem}") from None
        if not isinstance(row, dict):
            raise InputError(f"{path}, line {number} is damaged: it is not a JSON object")
        for key, kind in (keys or {}).items():
            _require_key(row, key, kind, f"{path}, line {number}")
        rows.append(row)
    return rows


def _require_key(row: Mapping[str, Any], key: str, kind: type, place: str) -> None:
    if key not in row:
        raise InputError(f"{place} is damaged: it lacks {key!r}")
    kinds = (int, float) if kind is float else (kind,)
    if not isinstance(row[key], kinds) or isinstance(row[key], bool):
        raise InputError(f"{place} is damaged: {key!r} cannot be {row[key]!r}")


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Replace a file of JSON lines, null for what is not `finite`, atomically."""
    write_atomically(path, b"".join(_line(row) for row in rows))


def _line(row: Mapping[str, Any]) -> bytes:
    return (json.dumps(finite(row), allow_nan=False) + "\n").encode()
