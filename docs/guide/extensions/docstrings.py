"""Fail the build where a public name has no docstring, or a public module has no page.

Read from the source, not from imported objects: a dataclass without a docstring would otherwise
show the one that Python writes for it. Built pages must not have what Python writes, either.
"""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

logger = logging.getLogger("sphinx.guide.docstrings")  # so that it counts as Sphinx's warning

PYTHONS_OWN: Final = re.compile(r"Alias for field number \d+|Create new instance of \w+\(")
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public_modules(package: Path) -> dict[str, Path]:
    """The file of every module of a package that does not begin with an underscore, by name.

    A package is in `__init__.py`; `__main__.py` is the command line's and left out.
    """
    found = {}
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package.parent).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if not any(part.startswith("_") for part in parts):
            found[".".join(parts)] = file
    return found


def missing_docstrings(package: Path) -> list[str]:
    """Every public module, class, function and method of a package that has no docstring.

    Magic methods are exempt (they say what they do by their name), and so are setters and
    overloads of a function that has one.

    Returns:
        One line for each: `FILE:LINE: NAME has no docstring`.
    """
    return [
        f"{file}:{line}: {name} has no docstring"
        for module, file in public_modules(package).items()
        for name, line in _undocumented(ast.parse(file.read_text(encoding="utf-8")), module)
    ]


def _undocumented(scope: ast.Module | ast.ClassDef, name: str) -> Iterator[tuple[str, int]]:
    """The names and lines of what lacks a docstring in a module or class, itself included."""
    if not ast.get_docstring(scope):
        yield name, getattr(scope, "lineno", 1)
    for node in scope.body:
        if not isinstance(node, Definition) or node.name.startswith("_"):
            continue
        if isinstance(node, ast.ClassDef):
            yield from _undocumented(node, f"{name}.{node.name}")
        elif not ast.get_docstring(node) and not _repeats(node):
            yield f"{name}.{node.name}", node.lineno


def _repeats(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function adds to another of its name that has the docstring."""
    marks = [ast.unparse(decorator) for decorator in node.decorator_list]
    return any(mark.endswith(("overload", ".setter", ".deleter")) for mark in marks)


def check_docstrings(app: Sphinx) -> None:
    """Warn of every missing docstring before anything is read."""
    for problem in missing_docstrings(Path(app.config.guide_package)):
        logger.warning("%s", problem)


def check_pages(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of every public module that no page documents."""
    documented = env.domains.python_domain.modules
    for module, file in public_modules(Path(app.config.guide_package)).items():
        if module not in documented:
            logger.warning("%s: no page documents the module %s", file, module)


def written_by_python(folder: Path) -> list[str]:
    """Every built page that shows a text which Python wrote in place of a docstring.

    Returns:
        One line for each: `PAGE: TEXT`.
    """
    return [
        f"{page.relative_to(folder)}: {found}"
        for page in sorted(folder.rglob("*.html"))
        for found in dict.fromkeys(PYTHONS_OWN.findall(page.read_text(encoding="utf-8")))
    ]


def check_site(app: Sphinx, failure: Exception | None) -> None:
    """Warn of Python's own texts in the built pages."""
    if failure is None and app.builder.format == "html":
        for problem in written_by_python(Path(app.outdir)):
            logger.warning("no docstring of ours: %s", problem)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the checks; `guide_package` is the package's folder."""
    app.add_config_value("guide_package", "", "env", str)
    app.connect("builder-inited", check_docstrings)
    app.connect("env-check-consistency", check_pages)
    app.connect("build-finished", check_site, priority=850)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
