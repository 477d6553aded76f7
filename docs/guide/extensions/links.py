"""Fail the build where a link leads nowhere, or where a page would ask the network for anything.

Sphinx checks what it resolves itself. This looks at the result: every `href` and `src` of the
built pages, and the anchors they name, and at the Markdown files that are read as they are. Links
to other sites are not requested: a build needs no network.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from sphinx.application import Sphinx

logger = logging.getLogger("sphinx.guide.links")  # what is said there counts as Sphinx's warning

LOADED = ("src", "srcset", "poster", "data")
"""Attributes whose target a browser requests without being asked."""


class _Page(HTMLParser):
    """What a page links to, what it loads, and the anchors that it has."""

    def __init__(self) -> None:
        super().__init__()
        self.linked: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the attributes of one element."""
        for name, value in attrs:
            if not value:
                continue
            if name == "id" or (name == "name" and tag == "a"):
                self.anchors.add(value)
            elif name in LOADED or (name == "href" and tag == "link"):
                self.loaded.append(value)
            elif name == "href":
                self.linked.append(value)


@cache
def _read_page(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def broken_links(folder: Path, stateful: Collection[str] = ()) -> list[str]:
    """Every link of the HTML pages under a folder that leads nowhere.

    A relative link must name a file in the folder and, if it has a fragment and the file is a
    page, an anchor in it. What a page loads by itself must be relative.

    Args:
        folder: The site.
        stateful: Pages, relative to it, whose fragments are states and no anchors: they are
            judged by `states`.

    Returns:
        One line for each: `PAGE: LINK: what is wrong`.
    """
    _read_page.cache_clear()
    root = folder.resolve()
    free = {root / name for name in stateful}
    problems = []
    for path in sorted(root.rglob("*.html")):
        page = _read_page(path)
        found = [*_loads(page.loaded), *_missing(path, root, free, page.linked + page.loaded)]
        problems += [f"{path.relative_to(root)}: {problem}" for problem in found]
    return problems


def _loads(targets: Iterable[str]) -> Iterator[str]:
    for target in targets:
        if target.startswith("//") or urlsplit(target).scheme in ("http", "https"):
            yield f"{target}: the page would load this from the network"


def _missing(
    page: Path, root: Path, free: Collection[Path], targets: Iterable[str]
) -> Iterator[str]:
    for target in dict.fromkeys(targets):
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            continue
        file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        file = file / "index.html" if file.is_dir() else file
        if not file.is_relative_to(root) or not file.is_file():
            yield f"{target}: no such file"
        elif parts.fragment and file not in free and not _has_anchor(file, unquote(parts.fragment)):
            yield f"{target}: no such anchor"


def _has_anchor(file: Path, anchor: str) -> bool:
    """Whether a page has an anchor; a deck's slide sN is opened by its number alone."""
    if file.suffix != ".html":
        return True
    anchors = _read_page(file).anchors
    return anchor in anchors or (anchor.isdecimal() and f"s{anchor}" in anchors)


# --------------------------------------------------------------------------- Markdown as it is


def broken_markdown_links(path: Path) -> list[str]:
    """Every relative link of a Markdown file that names no file or no heading.

    Returns:
        One line for each: `FILE: LINK: what is wrong`.
    """
    problems = []
    for target in _markdown_targets(path.read_text(encoding="utf-8")):
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            continue
        file = path.parent / unquote(parts.path) if parts.path else path
        if not file.exists():
            problems.append(f"{path}: {target}: no such file")
        elif parts.fragment and file.suffix == ".md" and parts.fragment not in slugs(file):
            problems.append(f"{path}: {target}: no such heading")
    return problems


def _markdown_targets(text: str) -> Iterator[str]:
    for block in MarkdownIt().enable("table").parse(text):
        for token in block.children or ():
            target = token.attrs.get("href") or token.attrs.get("src")
            if target:
                yield str(target)


def slugs(path: Path) -> set[str]:
    """The anchors that code hosts and MyST give to the headings of a Markdown file.

    Lower case, without punctuation, blanks as hyphens.
    """
    tokens = MarkdownIt().parse(path.read_text(encoding="utf-8"))
    headings = [
        "".join(part.content for part in text.children or ())
        for opening, text in pairwise(tokens)
        if opening.type == "heading_open"
    ]
    return {re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-") for text in headings}


# --------------------------------------------------------------------------- in the build


def check_markdown(app: Sphinx) -> None:
    """Warn of broken links in the Markdown files that are no part of the site."""
    for name in app.config.guide_markdown:
        for problem in broken_markdown_links(Path(name)):
            logger.warning("broken link: %s", problem)


def check_site(app: Sphinx, failure: Exception | None) -> None:
    """Warn of broken links in the built pages."""
    if failure is None and app.builder.format == "html":
        for problem in broken_links(Path(app.outdir), app.config.guide_stateful):
            logger.warning("broken link: %s", problem)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register both checks.

    `guide_markdown` lists the Markdown files outside the site, `guide_stateful` the pages whose
    fragments are states.
    """
    app.add_config_value("guide_markdown", [], "env", list)
    app.add_config_value("guide_stateful", [], "env", list)
    app.connect("builder-inited", check_markdown)
    app.connect("build-finished", check_site, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
