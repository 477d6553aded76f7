"""Solutions of the course's exercises, one function each; the tests run them all.

Try the exercise first. The check of an exercise tells what is wrong with an answer, often enough
to find the way. One module a notebook.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, Final

SOLUTIONS: Final[dict[str, Callable[[], Any]]] = {}
"""Every solution by the name of its exercise."""

for _module in sorted(found.name for found in pkgutil.iter_modules(__path__)):
    _content = vars(importlib.import_module(f"{__name__}.{_module}"))
    SOLUTIONS.update({n: f for n, f in _content.items() if n.startswith("exercise_")})
