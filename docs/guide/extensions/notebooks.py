"""A notebook as one page with one title, however many headings of the first level it has."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx


def one_title(app: Sphinx, document: nodes.document) -> None:
    """Put later sections of the first level into the first; contents lists would show them all."""
    del app
    sections = [node for node in document.children if isinstance(node, nodes.section)]
    for section in sections[1:]:
        document.remove(section)
        sections[0].append(section)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect it before Sphinx collects the titles, whose priority is 500."""
    app.connect("doctree-read", one_title, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
