"""Rows as files hold them: whatever a row lacks is named with its file and line."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, NoReturn

from trifeature.errors import InputError
from trifeature.presets import OLD, PRESETS

_WORD, _COUNT, _FLAG = ("text", str), ("a whole number", int), ("true or false", bool)
_NUMBER = ("a number", int | float)

KINDS: Final[Mapping[str, tuple[str, Any]]] = {
    "key": _WORD,
    "preset": _WORD,
    "data": _WORD,
    "data_options": ("an object", dict),
    "data_files": ("an object", dict),
    "epoch": _COUNT,
    "method": _WORD,
    "loss": _WORD,
    "setting": _WORD,
    "probing": _WORD,
    "encoder": ("a name or a list of names", str | list),
    "seed": _COUNT,
    "epochs": _COUNT,
    "biased": _FLAG,
    "validation": _FLAG,
    "seconds": _NUMBER,
    "probe_seconds": _NUMBER,
    "official": ("an object", dict),
    "products": ("an object", dict),
    "other_maps": ("an object", dict),
    "confusion": ("an object", dict),
    "information": ("an object", dict),
    "kinds": ("an object", dict),
}
"""Types of a row's values; all others are measurements: numbers, null, or any other JSON."""

REQUIRED: Final = ("key", "epoch", "preset")
"""Keys of every row."""

DRAWN_BY: Final = ("method", "setting", "biased", "seed")
"""Further keys of every row of a plan, without which it cannot be drawn."""

OLD_FORMAT: Final = 1
"""Format of rows of the old drawings."""


def preset_of(row: Mapping[str, Any]) -> str:
    """The preset of a row by its name today: that of the old drawings where it has them.

    >>> preset_of({"format": 1, "preset": "quick"})
    'quick-old'
    """
    old = f"{row['preset']}{OLD}"
    return old if row.get("format") == OLD_FORMAT and old in PRESETS else row["preset"]


class RecordedRow(dict[str, Any]):
    """A row of a file.

    Args:
        content: The row.
        place: File and line, for errors.
    """

    def __init__(self, content: Mapping[str, Any], place: str) -> None:
        super().__init__(content)
        self.place = place

    def __missing__(self, key: str) -> NoReturn:
        raise InputError(f"{self.place} lacks {key!r}: it is not the row of a run that is drawn")


def check_row(row: Mapping[str, Any], path: Path, line: int) -> RecordedRow:
    """A row of a file, if it can be one of a run.

    Raises:
        InputError: it lacks what every row has, or a value is of the wrong kind.
    """
    place = f"{path}, line {line}"
    if not set(REQUIRED) <= row.keys():
        raise InputError(f"{place} is not the row of a run: name another file")
    for name, value in row.items():
        words, kind = KINDS.get(name, ("", object))
        flag = isinstance(value, bool) and kind in (int, int | float)
        wanted = ""
        if not isinstance(value, kind) or flag:
            wanted = words
        elif name in ACCURACIES and not (is_number(value) and 0 <= value <= 1):
            wanted = "from 0 to 1"
        elif name in NULLABLE and value is not None and not is_number(value):
            wanted = "a number or null"
        if wanted:
            raise InputError(f"{place}: {name!r} must be {wanted}, not {str(value)[:40]!r}")
    _check_parts(row, place)
    return RecordedRow(row, place)


def require_drawable(rows: Iterable[Mapping[str, Any]]) -> None:
    """Refuse rows of a plan that could not be drawn.

    Raises:
        InputError: a row of a file lacks a key of `DRAWN_BY`; file, line and key are named.
    """
    for row in rows:
        itemgetter(*DRAWN_BY)(row)  # a `RecordedRow` tells which key it lacks, and where


ACCURACIES: Final = ("R", "U", "U1", "U2", "S")
"""The columns that are accuracies in every row."""

NULLABLE: Final = ("S_auc", "S_balanced", "i_nce")
"""The columns that are a number or null."""

READ_OF_OTHER_MAPS: Final = ("S_auc", "S", "products_S_auc", "products_S", "similarity")
"""What `other_maps` of a row holds, where it is there."""


def is_number(value: object) -> bool:
    """Whether a value of a row is a finite number; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_parts(row: Mapping[str, Any], place: str) -> None:
    """Refuse what is nested in a row and cannot be drawn."""
    for column, counts in row.get("confusion", {}).items():
        if not isinstance(counts, list) or not counts:
            raise InputError(f"{place}: the confusion of {column!r} must be a table of counts")
    for part in ("official", "products", "other_maps"):
        for column, value in row.get(part, {}).items():
            if not is_number(value):
                raise InputError(f"{place}: {column!r} of {part!r} must be a number")
    others = row.get("other_maps", READ_OF_OTHER_MAPS)
    if lacking := [name for name in READ_OF_OTHER_MAPS if name not in others]:
        raise InputError(f"{place}: 'other_maps' lacks {', '.join(map(repr, lacking))}")
    for column, part in row.get("information", {}).items():
        # Of many labels there is no bound by Fano's inequality.
        needed = {"cross_entropy"} if column in row.get("kinds", {}) else {"cross_entropy", "fano"}
        fine = isinstance(part, dict) and needed <= part.keys()
        if not fine or any(v is not None and not is_number(v) for v in part.values()):
            raise InputError(f"{place}: the information of {column!r} must be numbers by name")
