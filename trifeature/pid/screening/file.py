"""The file of a screening: JSON lines, one a pair, behind a line that says of what.

Blocks of lines are appended as they are found. A screening that was stopped goes on from the whole
lines of its file; a file of other data or settings is refused.

Shape legend: n samples, P pairs.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trifeature.errors import InputError
from trifeature.files import finite, read_rows
from trifeature.pid.screening.blocks import SCREEN_FIELDS, Pairs, Values, Work

VERSION: Final = 1
"""Of the file's format, in its first line."""

FLAGS: Final = ("converged", "too_few")
WHOLE: Final = ("needed",)


def identity(work: Work, names: Sequence[str], target: str, pairs: Pairs) -> dict[str, Any]:
    """The first line: what decides the results, in words or as a digest."""
    named = [(names[i], names[j]) for i, j in pairs.tolist()]
    data = hashlib.sha256(json.dumps([list(names), target, work.sizes, work.classes]).encode())
    data.update(work.codes.astype("<u4").tobytes())
    data.update(work.target.astype("<u4").tobytes())
    return {
        "screening": VERSION,
        "target": target,
        "samples": len(work.target),
        "measure": work.measure,
        "correction": work.correction,
        "shuffles": work.shuffles,
        "permutations": work.permutations,
        "tolerance": work.tolerance,
        "seed": work.seed,
        "pairs": hashlib.sha256(json.dumps(named).encode()).hexdigest(),
        "data": data.hexdigest(),
    }


def empty(count: int) -> Values:
    """Values of `count` pairs of which nothing is known yet."""
    values: Values = {name: np.full(count, np.nan) for name in SCREEN_FIELDS}
    values |= {name: np.zeros(count, dtype=np.bool_) for name in FLAGS}
    return values | {name: np.zeros(count, dtype=np.int64) for name in WHOLE}


@dataclass(frozen=True, eq=False)
class ScreenFile:
    """The file of one screening.

    Attributes:
        path: Where it is, or will be.
        header: Its first line, see `identity`.
        pairs: Names of the two sources of every pair.
    """

    path: Path
    header: Mapping[str, Any]
    pairs: Sequence[tuple[str, str]]

    def read(self, values: Values) -> NDArray[np.bool_]:
        """Fill in what the file holds, and return which pairs these are, [P].

        A file that is missing, or whose first line was cut off, is begun.

        Raises:
            InputError: The file holds something else, or is damaged.
        """
        known = np.zeros(len(self.pairs), dtype=np.bool_)
        if self.path.is_dir():
            raise InputError(f"{self.path} is a folder: name a file in it")
        self._require_text()
        lines = read_rows(self.path)
        if not lines:
            self._begin()
            return known
        self._require_same(lines[0])
        places = {pair: position for position, pair in enumerate(self.pairs)}
        for number, row in enumerate(lines[1:], start=2):
            try:
                position = places[row["source1"], row["source2"]]
                for name in SCREEN_FIELDS:
                    values[name][position] = np.nan if row[name] is None else row[name]
            except (KeyError, TypeError, ValueError):
                raise InputError(
                    f"{self.path}, line {number} is damaged: it is not a row of this screening"
                ) from None
            known[position] = True
        return known

    def _require_text(self) -> None:
        """Refuse a file that is not ours before its lines are read."""
        beginning = b'{"screening": '
        if self.path.exists():
            with self.path.open("rb") as file:
                start = file.read(len(beginning))
            if not beginning.startswith(start):
                raise InputError(f"{self.path} is no file of a screening: name another file")

    def _begin(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(b"")
        self.append([self.header])

    def _require_same(self, first: Mapping[str, Any]) -> None:
        for name, wanted in self.header.items():
            if first.get(name) == wanted:
                continue
            if name in ("data", "pairs"):
                words = f"of other {name}"
            else:
                words = f"with {name} {first.get(name)!r}, not {wanted!r}"
            raise InputError(
                f"{self.path} holds a screening {words}: name another file, or remove this one"
            )

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows; they are on the disk when this returns.

        A last line that a kill cut off is removed first, or the new one would run into it.
        """
        content = "".join(json.dumps(finite(row), allow_nan=False) + "\n" for row in rows)
        with self.path.open("r+b") as file:
            file.truncate(_end_of_whole_lines(self.path))
            file.seek(0, os.SEEK_END)
            file.write(content.encode())
            file.flush()
            os.fsync(file.fileno())


def _end_of_whole_lines(path: Path) -> int:
    """Length of a file up to the end of its last whole line."""
    size = path.stat().st_size
    with path.open("rb") as file:
        step = 4096
        for start in range(max(0, size - step), -step, -step):
            file.seek(max(0, start))
            found = file.read(step).rfind(b"\n")
            if found >= 0:
                return max(0, start) + found + 1
    return 0
