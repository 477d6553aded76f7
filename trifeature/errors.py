"""Errors that the command line prints as one line, and the check of a name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Invalid input; the message is one line that says what is wrong and what is valid.

    The command line prints the message and exits with code 2; from Python it is a
    `ValueError` like any other.
    """


class NotFiniteError(InputError):
    """Numbers are infinite or NaN where finite ones are required."""


class TrainingError(RuntimeError):
    """Training cannot continue; the message names the run, the step and the cause."""


def check_name(kind: str, name: str, options: Iterable[str]) -> str:
    """Return `name` if it is one of `options`.

    Args:
        kind: Noun for what is named ("shape", "loss"), used in the message.
        name: Name to check.
        options: Valid names.

    Raises:
        InputError: `name` is not valid; the message suggests the nearest name and lists all.

    >>> check_name("color", "red", ["red", "green"])
    'red'
    >>> check_name("color", "gren", ["red", "green"])
    Traceback (most recent call last):
    trifeature.errors.InputError: unknown color 'gren': did you mean 'green'? (one of red, green)
    """
    known = list(options)
    listed = ("; " if any("," in option for option in known) else ", ").join(known)
    if not isinstance(name, str):
        raise InputError(f"{kind} must be one of {listed}, not {name!r}")
    if name in known:
        return name
    raise InputError(f"unknown {kind} {name!r}{nearest(name, known)} (one of {listed})")


def nearest(name: str, options: Iterable[str]) -> str:
    """A hint at the option that is spelled like `name`; empty if none is.

    >>> nearest("gren", ["red", "green"])
    ": did you mean 'green'?"
    """
    folded = {option.casefold(): option for option in options}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    return f": did you mean {folded[near[0]]!r}?" if near else ""
