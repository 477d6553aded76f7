"""Fail the build where a link to the playground does not arrive whole, or opens something else.

What follows the # of such a link is a state of the page and no anchor. It must be in the built
pages as it is in the sources, and the page must take it without a note.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from world import notes_on

if TYPE_CHECKING:
    from sphinx.application import Sphinx

logger = logging.getLogger("sphinx.guide.states")  # what is said there counts as Sphinx's warning

LINK: Final = re.compile(r"playground/index\.html#([^)\s\"'>]+)")


def written_states(source: Path) -> list[str]:
    """The states of a page's links to the playground, as written in Markdown or a notebook."""
    text = source.read_text(encoding="utf-8")
    if source.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return LINK.findall(text)


def built_states(page: Path) -> list[str]:
    """The states of a built page's links to the playground."""
    return LINK.findall(unescape(page.read_text(encoding="utf-8")))


def lost_states(source: Path, page: Path) -> list[str]:
    """One line for each state of the source that no link of the built page has."""
    arrived = {unquote(state) for state in built_states(page)}
    return [
        f"{source.name}: playground/index.html#{state}: the built page has lost the fragment"
        for state in dict.fromkeys(written_states(source))
        if unquote(state) not in arrived
    ]


def refused_states(states: Iterable[str]) -> list[str]:
    """One line for each state that the playground does not take as it is."""
    distinct = list(dict.fromkeys(states))
    return [
        f"playground/index.html#{state}: {note}"
        for state, notes in zip(distinct, notes_on(distinct), strict=True)
        for note in notes
    ]


def check_states(app: Sphinx, failure: Exception | None) -> None:
    """Warn of lost and of refused states in the built pages."""
    if failure is not None or app.builder.format != "html":
        return
    found: list[str] = []
    for name in sorted(app.env.found_docs):
        page = Path(app.builder.get_outfilename(name))
        if not page.is_file():
            continue
        for problem in lost_states(Path(app.env.doc2path(name)), page):
            logger.warning("lost link: %s", problem)
        found += built_states(page)
    for problem in refused_states(found):
        logger.warning("refused link: %s", problem)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the check."""
    app.connect("build-finished", check_states, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
