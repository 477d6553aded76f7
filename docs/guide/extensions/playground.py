"""The playground within the guide: live on a page, and a card for each of its examples.

```{playground}
```

shows the page itself in a frame, and on narrow screens its picture with a link.

```{playground-gallery} beliefs
```

writes a card for each example of a group (`beliefs`, `gates`, `images`): picture, name, sentence,
and the link that opens it. All of them come from the playground's own source.
"""

from __future__ import annotations

import shutil
from html import escape
from pathlib import Path
from typing import Any, ClassVar, Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from thumbnails import thumbnail
from world import SAVED, SOURCES, examples

PAGE: Final = "playground/index.html"
PREVIEW: Final = "playground/preview.png"


def _up(docname: str) -> str:
    """From a page to the root of the site."""
    return "../" * docname.count("/")


class PlaygroundDirective(SphinxDirective):
    """The directive `playground`."""

    def run(self) -> list[nodes.Node]:
        """Write the frame and what stands in its place on narrow screens."""
        up, source = _up(self.env.docname), Path(self.env.srcdir)
        picture = "See the pictures, tables and bits move together"
        if (source / PREVIEW).is_file():
            words = "The playground: does the color match the texture? 0 + 0 = 1 bit"
            picture = f'<img src="{up}{PREVIEW}" alt="{words}" width="1200" height="630">'
        else:
            first = next(p for p in examples()["presets"] if p["group"] == "images")
            picture = thumbnail(first)
        html = (
            f'<div class="playground"><iframe src="{up}{PAGE}" loading="lazy" '
            'title="The playground: redundancy, unique information and synergy in pairs of images">'
            f'</iframe><a class="still" href="{up}{PAGE}">{picture}</a>'
            f'<p><a href="{up}{PAGE}">Open it alone</a> · '
            f'<a href="{up}guide/gallery.html">All of its examples</a></p></div>'
        )
        return [nodes.raw("", html, format="html")]


class GalleryDirective(SphinxDirective):
    """The directive `playground-gallery GROUP`."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """Write the cards of one group."""
        for file in (SAVED, *sorted((SOURCES / "logic").iterdir())):
            self.env.note_dependency(str(file))
        found = [p for p in examples()["presets"] if p["group"] == self.arguments[0]]
        if not found:
            raise self.error(f"the playground has no examples of the group {self.arguments[0]}")
        cards = "".join(card(preset, _up(self.env.docname) + PAGE) for preset in found)
        return [nodes.raw("", f'<ul class="gallery">{cards}</ul>', format="html")]


def card(preset: dict[str, Any], page: str) -> str:
    """An example as an item of a list.

    Args:
        preset: As `world.examples` describes it.
        page: Where the playground is, as seen from the page that shows the card.
    """
    name, law = preset["belief"] or preset["names"], preset["names"] if preset["belief"] else ""
    law = "" if preset["answer"].startswith(law.replace(" · ", ", ")) else law
    belief = f"“{escape(name)}”" if preset["belief"] else escape(name)
    link = f"{page}#preset={preset['id']}"
    return (
        f'<li id="preset-{preset["id"]}"><a href="{link}">{thumbnail(preset)}'
        f"<strong>{belief}</strong></a>"
        + (f'<p class="law">{escape(law)}</p>' if law else "")
        + f"<p>{escape(preset['answer'])}</p></li>"
    )


def copy_page(app: Sphinx, failure: Exception | None) -> None:
    """Put the page and its picture into the site, whether or not a page links to them."""
    if failure is not None or app.builder.format != "html":
        return
    for name in (PAGE, PREVIEW):
        if (Path(app.srcdir) / name).is_file():
            (Path(app.outdir) / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(app.srcdir) / name, Path(app.outdir) / name)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives; the copy is made before links are checked."""
    app.add_directive("playground", PlaygroundDirective)
    app.add_directive("playground-gallery", GalleryDirective)
    app.connect("build-finished", copy_page, priority=300)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
