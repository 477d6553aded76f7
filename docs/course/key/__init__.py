"""The lecturer's key: why each solution is right, typical wrong answers, what to say to them.

`python docs/course/build.py --key` makes `key.md` of it, with the code from `solutions/` and the
sentences of `checks/`; the tests give every wrong answer to its check. One module a notebook.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Slip:
    """A typical wrong answer.

    Attributes:
        what: What the student did, in words.
        answer: The answer, as it is given to the check.
        reason: Words of the check's sentence that name the reason.
        say: What the lecturer says.
    """

    what: str
    answer: Any
    reason: str
    say: str


@dataclass(frozen=True)
class Entry:
    """What the lecturer needs for one exercise.

    Attributes:
        minutes: To plan with; an estimate.
        why: Why the solution is right (Markdown).
        slips: Typical wrong answers, two or more.
    """

    minutes: int
    why: str
    slips: tuple[Slip, ...]


KEY: Final[dict[str, Entry]] = {}
"""Every entry by the name of its exercise, `exercise_1_1` and so on."""

for _module in sorted(found.name for found in pkgutil.iter_modules(__path__)):
    KEY.update(importlib.import_module(f"{__name__}.{_module}").KEY)
