"""What autodoc is told about our docstrings: which names are ours, and which signs are plain."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from sphinx.application import Sphinx


class _Named(NamedTuple):
    field: int


NAMED_FIELD: Final = type(vars(_Named)["field"])
"""What Python makes of a field of a named tuple."""


def skip_foreign(*event: Any) -> bool | None:
    """Leave out what a module only imports, such as a function of SciPy without a known module.

    Fields of named tuples are left out too: the class's text describes them, their own is Python's.

    Args:
        event: What Sphinx says of `autodoc-skip-member`: app, kind, name, object, skip, options.
    """
    thing, skip = event[3:5]
    module = getattr(thing, "__module__", None) or "trifeature"
    foreign = not str(module).startswith("trifeature") or isinstance(thing, NAMED_FIELD)
    return True if not skip and foreign else None


class PlainConstants:
    """Keep napoleon from the text under a constant, of which it would read `A: b` as type and text.

    Both methods take what Sphinx says of `autodoc-process-docstring`: app, kind, name, object,
    options, and the lines, to be changed in place.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []

    def save(self, *event: Any) -> None:
        """Remember the lines before napoleon."""
        self.lines = list(event[5])

    def restore(self, *event: Any) -> None:
        """Put a constant's lines back after napoleon."""
        if event[1] in ("data", "attribute"):
            event[5][:] = self.lines


def escape_bars(*event: Any) -> None:
    """Show |P| and *shape as they are: reStructuredText takes bars and asterisks for markup.

    Args:
        event: As for `PlainConstants`.
    """
    lines = event[5]
    for place, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            parts = re.split(r"(`[^`]*`)", line)
            lines[place] = "".join(
                p if p.startswith("`") else p.replace("|", r"\|").replace("*shape", r"\*shape")
                for p in parts
            )


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect them around napoleon, whose priority is 500."""
    constants = PlainConstants()
    app.connect("autodoc-skip-member", skip_foreign)
    app.connect("autodoc-process-docstring", constants.save, priority=100)
    app.connect("autodoc-process-docstring", constants.restore, priority=800)
    app.connect("autodoc-process-docstring", escape_bars, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
