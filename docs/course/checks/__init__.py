"""The checks of the course's exercises: an answer in, a verdict in words out.

A check never raises: what goes wrong in an answer becomes the sentence that says so. One module a
notebook; the tested solutions stand in `solutions/`, typical wrong answers in `key/`.

N values of X1, M values of X2, K values of Y; n samples, B samples in a batch.
"""

from __future__ import annotations

import importlib
import pkgutil

from ._base import CHECKS, Verdict, Wrong, check, number, returned, said, table_of

__all__ = ["CHECKS", "Verdict", "Wrong", "check", "number", "returned", "said", "table_of"]

for _module in sorted(found.name for found in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")

# Notebooks call a check by its name: `checks.exercise_1_1(answer)`.
globals().update(CHECKS)
