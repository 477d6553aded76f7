"""The guide's files, and its extensions as modules."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

REPOSITORY: Final = Path(__file__).parents[2]
DOCS: Final = REPOSITORY / "docs"
GUIDE: Final = DOCS / "guide"
NO_SPHINX: Final = "Sphinx is not installed: `make docs` installs it, or pip install -e '.[docs]'"


def extension(name: str) -> ModuleType:
    """One of `docs/guide/extensions/` as a module; those that it imports are found too."""
    folder = str(GUIDE / "extensions")
    if folder not in sys.path:
        sys.path.append(folder)
    return script(GUIDE / "extensions" / f"{name}.py")


def blocks(page: Path, language: str) -> list[str]:
    """The content of a page's fenced blocks of one language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def script(path: Path) -> ModuleType:
    """A script of the guide as a module."""
    spec = importlib.util.spec_from_file_location(f"guide_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
