"""What screen readers and keyboards need of the built pages and the theme does not give.

Sphinx marks the captions of its contents as headings without a level, and a table whose first
column needs no name has an empty header. Both are mended here while pages are written; what depends
on the size of a window is mended by `static/guide.js`.
"""

from __future__ import annotations

from typing import Any, Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

CAPTION: Final = 'class="caption" role="heading"'
LEVEL: Final = 2
"""The level of a caption in the contents: below the page's title."""
HIDDEN: Final = "visually-hidden"
"""The class of words that are read aloud and not shown, see `static/guide.css`."""
NAMES: Final = ("item", "value")
"""What an empty header is called: of the first column, of any other."""


class NameEmptyHeaders(SphinxPostTransform):
    """Give the empty headers of tables a word that is read aloud only."""

    default_priority = 700
    formats = ("html",)

    def run(self, **_: Any) -> None:
        """Mend the tables of one page."""
        for head in self.document.findall(nodes.thead):
            for row in head.findall(nodes.row):
                for place, entry in enumerate(row.findall(nodes.entry)):
                    if not entry.astext().strip() and not list(entry.findall(nodes.image)):
                        word = nodes.inline("", NAMES[place > 0], classes=[HIDDEN])
                        entry.append(nodes.paragraph("", "", word))


def with_levels(html: str) -> str:
    """Contents in HTML whose captions say which level of heading they are."""
    return html.replace(CAPTION, f'{CAPTION} aria-level="{LEVEL}"')


def level_captions(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Mend the contents that the theme shows beside a page, and those within it."""
    del app, page, template, doctree
    for name in ("furo_navigation_tree", "body"):
        if isinstance(context.get(name), str):
            context[name] = with_levels(context[name])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register both, the second after the theme has made its contents."""
    app.add_post_transform(NameEmptyHeaders)
    app.connect("html-page-context", level_captions, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
