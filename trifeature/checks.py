"""Checks before work begins: of settings, of their JSON, of memory.

A validator returns the value as a plain Python number or raises one line. NumPy's scalars are
accepted and converted, so that what is validated can be written as JSON; strings and Booleans are
not numbers. `as_array` converts the arrays of every other library.
"""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from trifeature.errors import InputError, check_name

T = TypeVar("T")

UNKNOWN: Final = 2**63 - 1
"""Stands for the amount of memory where the system does not tell it."""


def require_whole(name: str, value: Any, low: int, high: int | None = None) -> int:
    """A whole number from `low` to `high`, both included; None for no upper limit.

    Raises:
        InputError: the value is not a whole number, or out of range.

    >>> require_whole("epochs", 3, 1)
    3
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        words = f"from {low} to {high}" if high is not None else f"of at least {low}"
        raise InputError(f"{name} must be a whole number {words}, not {value!r}")
    return int(value)


def require_number(
    name: str,
    value: Any,
    low: float | None = None,
    high: float | None = None,
    *,
    above: float | None = None,
    below: float | None = None,
    why: str = "",
) -> float:
    """A finite number within limits: `low` and `high` are allowed, `above` and `below` are not.

    Args:
        name: What the number is, for errors.
        value: The number.
        low: The least, allowed.
        high: The largest, allowed.
        above: The number must be above this.
        below: The number must be below this.
        why: The reason for the limits, added to the message.

    Raises:
        InputError: the value is not a number, not finite, or out of range.

    >>> require_number("warmup", 0.5, 0, below=1)
    0.5
    """
    if low is not None and high is not None:
        words = f"from {low:g} to {high:g}"
    else:
        limits = {"at least": low, "above": above, "at most": high, "below": below}
        given = [f"{word} {limit:g}" for word, limit in limits.items() if limit is not None]
        words = " and ".join(given)
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise InputError(f"{name} must be {words or 'a number'}, not {value!r}")
    number = float(value)
    right = (
        math.isfinite(number)
        and (low is None or number >= low)
        and (high is None or number <= high)
        and (above is None or number > above)
        and (below is None or number < below)
    )
    if not right:
        words = (words or "finite") + (f" {why}" if why else "")
        raise InputError(f"{name} must be {words}, not {number:g}")
    return number


def require_numbers(
    name: str, values: Any, count: int, low: float, high: float
) -> tuple[float, ...]:
    """So many numbers from `low` to `high`, both included.

    Raises:
        InputError: the values are no tuple or list of this length, or one is out of range.

    >>> require_numbers("std", [1, 2], 2, 0, 10)
    (1.0, 2.0)
    """
    if not isinstance(values, tuple | list) or len(values) != count:
        raise InputError(f"{name} must be a tuple of {count} numbers, not {values!r}")
    return tuple(require_number(f"each number of {name}", value, low, high) for value in values)


def require_interval(name: str, values: Any, low: float, high: float) -> tuple[float, float]:
    """Least and largest value of an interval within [`low`, `high`].

    Raises:
        InputError: the values are not two numbers within the limits, or the first is the larger.

    >>> require_interval("crop_scale", (0.5, 1), 0, 1)
    (0.5, 1.0)
    """
    least, most = require_numbers(name, values, 2, low, high)
    if least > most:
        raise InputError(f"{name} must not fall: {least:g} is above {most:g}")
    return least, most


def require_flag(name: str, value: Any) -> bool:
    """True or False.

    Raises:
        InputError: the value is neither.
    """
    if not isinstance(value, bool) and type(value).__name__ not in ("bool", "bool_"):
        raise InputError(f"{name} must be true or false, not {value!r}")
    return bool(value)


def require_choice(name: str, value: Any, choices: Iterable[str]) -> str:
    """One of several words.

    Raises:
        InputError: the value is not one of them; the message suggests the nearest.
    """
    return check_name(name, value, choices)


def require_text(name: str, value: Any) -> str:
    """Any text.

    Raises:
        InputError: the value is not a string.
    """
    if not isinstance(value, str):
        raise InputError(f"{name} must be text, not {value!r}")
    return value


def require_names(name: str, values: Any) -> tuple[Any, ...]:
    """Several names; each is checked where it is used.

    Raises:
        InputError: the value is a single text, or no list at all.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InputError(f"{name} must be a list of names, not {values!r}")
    return tuple(values)


def require_settings(name: str, value: Any, kind: type[T]) -> T:
    """Settings of a class.

    Raises:
        InputError: the value is of another class.
    """
    if not isinstance(value, kind):
        raise InputError(f"{name} must be {kind.__name__}(…), not {type(value).__name__}")
    return value


def as_array(values: Any, what: str = "") -> NDArray[Any]:
    """Convert what a user may hold to a NumPy array: tensors on any device, data frames, lists.

    Tensors and Arrow columns are recognized by their methods, so that no library needs to be
    imported for it.

    Args:
        values: What to convert.
        what: What the values are, for errors.

    Raises:
        InputError: a masked array that lacks values, or nested lists of different lengths.

    >>> as_array([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    of = f"{what}: " if what else ""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise InputError(f"{of}a masked array lacks values: drop these samples, or fill it")
    if hasattr(values, "detach") and hasattr(values, "cpu"):  # a torch tensor
        tensor = values.detach().cpu()
        try:
            return np.asarray(tensor.numpy(force=True))
        except TypeError:  # NumPy has no bfloat16
            return np.asarray(tensor.double().numpy())
    to_numpy = getattr(values, "to_numpy", None)  # pandas, polars, Arrow
    how = {"zero_copy_only": False} if hasattr(values, "to_pylist") else {}  # an Arrow column
    try:
        return np.asarray(values if to_numpy is None else to_numpy(**how))
    except ValueError as problem:
        if "inhomogeneous" not in str(problem):
            raise
        raise InputError(f"{of}lists of different lengths are no array") from None


# --------------------------------------------------------------------------- JSON


def settings_from(kind: type[T], content: Any, what: str) -> T:
    """Construct a settings dataclass from JSON; a missing key stands for its default.

    Args:
        kind: The dataclass; its fields hold plain values or tuples of them.
        content: A dictionary; lists become tuples.
        what: What the settings are of, for errors.

    Raises:
        InputError: no dictionary, an unknown key, a value of the wrong kind or out of range.
    """
    if not isinstance(content, Mapping):
        raise InputError(f"{what} must be a JSON object, not {content!r}")
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # a dataclass
    known = {
        check_name(f"setting of {what}", str(name), names): _as_tuple(value)
        for name, value in content.items()
    }
    try:
        return kind(**known)
    except TypeError as problem:
        raise InputError(f"{what} cannot be read: {problem}") from None


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(one) for one in value) if isinstance(value, list) else value


# --------------------------------------------------------------------------- memory


def available_memory() -> int:
    """Bytes that this process can still allocate; a container's limit counts."""
    return min(_free_on_machine(), _free_in_container())


def _free_on_machine() -> int:
    information = Path("/proc/meminfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return UNKNOWN


def _free_in_container(folder: Path = Path("/sys/fs/cgroup")) -> int:
    """Limit of the control group minus the anonymous memory of its processes."""
    try:
        limit = int((folder / "memory.max").read_text(encoding="utf-8"))
        lines = (folder / "memory.stat").read_text(encoding="utf-8").splitlines()
        return max(0, limit - sum(int(line.split()[1]) for line in lines if line[:5] == "anon "))
    except (OSError, ValueError):  # no such group, or "max": no limit
        return UNKNOWN


def require_memory(
    what: str, needed: float, advice: str, *, count: int = 0, each: float = 1.0
) -> None:
    """Refuse what does not fit into memory before any of it is allocated.

    Args:
        what: What needs the memory, in words.
        needed: Bytes, at the least.
        advice: What would need less; used where no count of things fits.
        count: How many things are asked for.
        each: Bytes that each of them needs.

    Raises:
        InputError: it does not fit; the message says how much memory there is, and what fits.
    """
    free = available_memory()
    if needed <= free:
        return
    fitting = count + math.floor((free - needed) / each) if count else 0
    raise InputError(
        f"{what} needs at least {_gib(needed)}, and {_gib(free)} of memory are free: "
        + (f"at most {fitting:,} fit" if fitting > 0 else advice)
    )


def _gib(size: float) -> str:
    return f"{size / 2**30:,.1f} GiB"
