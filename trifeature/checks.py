"""Validators of settings: each returns the value as a plain Python number or raises one line.

NumPy's scalars are accepted and converted, so that what is validated can be written as JSON;
strings and Booleans are not numbers. `as_array` converts the arrays of every other library.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trifeature.errors import InputError, check_name


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
) -> float:
    """A finite number within limits: `low` and `high` are allowed, `above` and `below` are not.

    Raises:
        InputError: the value is not a number, not finite, or out of range.

    >>> require_number("warmup", 0.5, 0, below=1)
    0.5
    """
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise InputError(f"{name} must be a number, not {value!r}")
    number = float(value)
    limits = [
        (low is None or number >= low, f"at least {low:g}" if low is not None else ""),
        (above is None or number > above, f"above {above:g}" if above is not None else ""),
        (high is None or number <= high, f"at most {high:g}" if high is not None else ""),
        (below is None or number < below, f"below {below:g}" if below is not None else ""),
    ]
    if not math.isfinite(number) or not all(right for right, _ in limits):
        words = " and ".join(text for _, text in limits if text) or "finite"
        raise InputError(f"{name} must be {words}, not {number:g}")
    return number


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


def as_array(values: Any) -> NDArray[Any]:
    """Convert what a user may hold to a NumPy array: tensors on any device, data frames, lists.

    Tensors are recognized by their methods, so that no library needs to be imported for it.

    Raises:
        ValueError: nested lists of different lengths, as `np.asarray` does.

    >>> as_array([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    if hasattr(values, "detach") and hasattr(values, "cpu"):  # a torch tensor
        tensor = values.detach().cpu()
        try:
            return np.asarray(tensor.numpy(force=True))
        except TypeError:  # NumPy has no bfloat16
            return np.asarray(tensor.double().numpy())
    to_numpy = getattr(values, "to_numpy", None)  # pandas, polars
    return np.asarray(values if to_numpy is None else to_numpy())
