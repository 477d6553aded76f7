"""The folder of a report: looked at before the work begins, and never half-written."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from trifeature.errors import InputError
from trifeature.files import read_rows, require_writable, write_atomically, write_rows
from trifeature.studies.page import GENERATOR, page
from trifeature.studies.pictures import Row

PAGE: Final = "index.html"
ROWS: Final = "rows.jsonl"

GLANCE: Final = 1000
"""Bytes of a page in which its generator is named."""


def require_place(folder: Path, *, overwrite: bool = False) -> None:
    """Refuse a folder that a report cannot be written to; nothing is left behind.

    Args:
        folder: Where the report is to be. It may be missing, empty, or hold an earlier report.
        overwrite: Accept a folder of other things too. They stay; only files of the report's names
            are replaced.

    Raises:
        InputError: it is a file, cannot be written, or holds something else.
    """
    shown = repr(str(folder))[1:-1]
    if (folder.exists() or folder.is_symlink()) and not folder.is_dir():
        raise InputError(f"{shown} is no folder: name another place for the report")
    for name in (PAGE, ROWS):
        if (folder / name).is_dir():
            raise InputError(f"{shown}{os.sep}{name} is a folder: name another place")
    if folder.is_dir() and not (overwrite or _is_ours(folder)):
        raise InputError(
            f"{shown} holds other things than a report: name another folder, or give --overwrite"
        )
    require_writable(folder)


def _is_ours(folder: Path) -> bool:
    """Whether a folder is empty or holds a report and nothing else."""
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    if not names <= {PAGE, ROWS}:
        return False
    if PAGE in names:
        with (folder / PAGE).open("rb") as file:
            return f'content="{GENERATOR} '.encode() in file.read(GLANCE)
    try:  # rows alone were left by a kill
        return not names or read_rows(folder / ROWS)[0]["kind"] == "about"
    except (InputError, IndexError, KeyError):
        return False


def write_report(rows: Iterable[Row], folder: Path, *, overwrite: bool = False) -> Path:
    """Write a study's rows and its page.

    Each file is replaced as a whole, the page last, so that a page is never ahead of its rows.

    Args:
        rows: The rows of a study.
        folder: Where to, see `require_place`.
        overwrite: Accept a folder of other things too.

    Returns:
        The page, `index.html` in the folder.

    Raises:
        InputError: what `require_place` raises.
        OSError: the disk is full, or the folder has become unwritable. It names the folder, and an
            empty folder is taken away again.
    """
    study = list(rows)
    require_place(folder, overwrite=overwrite)
    content = page(study).encode()
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        write_rows(folder / ROWS, study)
        write_atomically(folder / PAGE, content)
    except OSError as problem:
        _remove_empty(made)
        raise OSError(problem.errno, problem.strerror, problem.filename or str(folder)) from None
    return folder / PAGE


def _remove_empty(folders: Iterable[Path]) -> None:
    """Take away the folders that are empty, the innermost first."""
    for one in folders:
        with suppress(OSError):
            one.rmdir()
