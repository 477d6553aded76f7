"""What all checks share: the verdict, the decorator, and how an answer is read."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from trifeature.errors import InputError
from trifeature.pid import Atoms, broja
from trifeature.pid.tables import Array, as_table


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        right: Whether the answer passes.
        sentence: What is right, or what is wrong and where to look.
    """

    right: bool
    sentence: str

    def __repr__(self) -> str:
        return f"{'✓ Right' if self.right else '✗ Not yet'}: {self.sentence}"


class Wrong(Exception):  # noqa: N818 - it is no error of the program
    """An answer that does not pass; the message is the verdict's sentence."""


CHECKS: Final[dict[str, Callable[[Any], Verdict]]] = {}
"""Every check by its name, `exercise_1_1` and so on."""


def check(function: Callable[[Any], str]) -> Callable[[Any], Verdict]:
    """Make a check of a function that returns praise or raises `Wrong`."""

    @functools.wraps(function)
    def checked(answer: Any) -> Verdict:
        if answer is ... or answer is None:
            return Verdict(False, "nothing here yet, put your answer in the place of the dots.")
        try:
            return Verdict(True, function(answer))
        except Wrong as problem:
            return Verdict(False, str(problem))
        except Exception as problem:  # noqa: BLE001 - a student's code may raise anything
            kind = type(problem).__name__
            return Verdict(False, f"your answer stopped with {kind}: {problem}")

    CHECKS[function.__name__] = checked
    return checked


def table_of(answer: Any) -> tuple[Array, Atoms]:
    """An answer as a joint table and its atoms."""
    try:
        table = as_table(answer)
    except InputError as problem:
        raise Wrong(f"this is no joint table p[x1, x2, y]: {problem}.") from None
    return table, broja(table)


def said(atoms: Atoms) -> str:
    R, U1, U2, S = atoms.values
    return f"R {R:.3f}, U1 {U1:.3f}, U2 {U2:.3f}, S {S:.3f} bits about Y"


def number(answer: Any, what: str) -> float:
    try:
        return float(answer)
    except (TypeError, ValueError):
        raise Wrong(f"{what} is one number, and this is {answer!r}.") from None


def returned(value: Any) -> Any:
    if value is None or value is ...:
        raise Wrong("your function returns nothing yet: end it with a `return` line.")
    return value
