"""What autodoc is told about our docstrings: which names are ours, and which signs are plain."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx


def skip_foreign(
    app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object
) -> bool | None:
    """Leave out what a module only imports, such as a function of SciPy without a known module."""
    del app, what, name, options
    module = getattr(obj, "__module__", None) or "trifeature"
    return True if not skip and not str(module).startswith("trifeature") else None


def escape_bars(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Show |P| as it is: between bars reStructuredText would look for a substitution."""
    del app, what, name, obj, options
    for place, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            parts = re.split(r"(`[^`]*`)", line)
            lines[place] = "".join(p if p.startswith("`") else p.replace("|", r"\|") for p in parts)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect both; to be loaded after napoleon."""
    app.connect("autodoc-skip-member", skip_foreign)
    app.connect("autodoc-process-docstring", escape_bars, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
