"""The course's files as tests see them: helpers, sources, built notebooks and what they printed."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
COURSE = REPOSITORY / "docs" / "course"
NAMES = tuple(sorted(path.stem for path in (COURSE / "source").glob("*.py")))
"""The notebooks, such as "01-bits"."""
NO_JUPYTER = "Jupyter's packages are not installed: pip install jupytext nbclient ipykernel"


def load(name: str) -> ModuleType:
    """A helper of the course by the name under which notebooks import it."""
    if str(COURSE) not in sys.path:
        sys.path.insert(0, str(COURSE))
    return importlib.import_module(name)


def load_build() -> Any:
    """`docs/course/build.py`; skips the test where Jupyter's packages are missing."""
    for package in ("jupytext", "nbclient", "ipykernel"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(NO_JUPYTER)
    return load("build")


def notebook(name: str) -> dict[str, Any]:
    """A built notebook as JSON."""
    content: dict[str, Any] = json.loads((COURSE / f"{name}.ipynb").read_text(encoding="utf-8"))
    return content


def code_cells(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The cells of code, in order."""
    return [cell for cell in content["cells"] if cell["cell_type"] == "code"]


def text_of(cell: dict[str, Any]) -> str:
    """What a cell printed and the plain text of its result."""
    texts = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in cell["outputs"]]
    return "\n".join("".join(text) for text in texts)


def printed(content: dict[str, Any]) -> str:
    """What a whole notebook printed."""
    return "\n".join(text_of(cell) for cell in code_cells(content))


def markdown(content: dict[str, Any]) -> str:
    """The text of a notebook."""
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "markdown"]
    return "\n\n".join("".join(cell["source"]) for cell in cells)


def numbers(pattern: str, text: str) -> tuple[float, ...]:
    """The groups of the only or first line that fits, as numbers."""
    found = re.search(pattern, text)
    assert found is not None, pattern
    return tuple(map(float, found.groups()))
