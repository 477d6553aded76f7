"""A notebook's slides: one HTML file that needs no network, made of the cells that are tagged.

`slide` begins a slide with a Markdown cell; `on-slide` adds a cell to it, of a code cell what it
printed and drew; `with-code` adds the code too. Hints are left out. The template is `deck.html`.
"""

from __future__ import annotations

import base64
import html
import io
import re
from pathlib import Path
from typing import Any, Final

from markdown_it import MarkdownIt
from PIL import Image
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

TEMPLATE: Final = Path(__file__).with_name("deck.html")
MARKDOWN: Final = MarkdownIt("commonmark", {"html": True}).enable("table")
HINT: Final = re.compile(r"<details>.*?</details>", re.DOTALL)
LINK: Final = re.compile(r'<a href="([^"]+)">(.*?)</a>', re.DOTALL)
LARGE: Final = 60_000
"""Bytes of a picture above which it is kept in fewer colors."""
BESIDE: Final = 1.7
"""Pictures that are less than this times as wide as high stand beside the text, not below."""


def deck(notebook: Any, title: str) -> str:
    """The slides of a notebook that was run, as one HTML file.

    Args:
        notebook: The content of an `.ipynb` file, as JSON.
        title: What the browser's tab shows.

    Returns:
        The text of the file.
    """
    parts = {"TITLE": html.escape(title), "SLIDES": "\n".join(slides(notebook))}
    return re.sub(r"\{\{(\w+)\}\}", lambda m: parts[m[1]], TEMPLATE.read_text(encoding="utf-8"))


def slides(notebook: Any) -> list[str]:
    """The slides one after the other, each a `<section>`."""
    found: list[list[str]] = []
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags", [])
        if "slide" in tags:
            found.append([])
        if "slide" in tags or "on-slide" in tags:
            if not found:
                raise ValueError("the first cell on a slide must begin one: tag it `slide`.")
            found[-1] += blocks(cell, code="with-code" in tags)
    return [section(parts, place) for place, parts in enumerate(found, 1)]


def section(parts: list[str], place: int) -> str:
    """One slide: its heading, then its blocks; a picture that is not wide stands beside them."""
    content = "\n".join(parts)
    heading, body = "", content
    if found := re.match(r"\s*<h([1-6])>(.*?)</h\1>", content, re.DOTALL):
        level = 1 if place == 1 else 2
        heading, body = f"<h{level}>{found[2]}</h{level}>", content[found.end() :]
    kind = "title" if place == 1 else layout(parts)
    return f'<section class="{kind}" id="s{place}">\n{heading}\n<div>{body}</div>\n</section>'


def layout(parts: list[str]) -> str:
    """How a slide is laid out: `beside` with text and one picture that is not wide, or `below`.

    Without a picture it is `plain`, in larger letters.
    """
    pictures = [part for part in parts if part.startswith("<figure")]
    ratios = [float(ratio) for part in pictures for ratio in re.findall(r'ratio="([\d.]+)"', part)]
    if not pictures:
        return "plain"
    return "beside" if len(pictures) == 1 < len(parts) and ratios[0] < BESIDE else "below"


def blocks(cell: Any, *, code: bool) -> list[str]:
    """What a cell adds to a slide, as HTML."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return [LINK.sub(_link, MARKDOWN.render(HINT.sub("", source)))]
    shown = [_python(source)] if code else []
    for output in cell["outputs"]:
        data = output.get("data", {})
        if picture := data.get("image/png"):
            shown.append(_figure("".join(picture).replace("\n", "")))
        elif text := "".join(output.get("text") or data.get("text/plain", "")).strip("\n"):
            shown.append(f'<pre style="{_letters(text)}">{html.escape(text)}</pre>')
    return shown


def _link(found: re.Match[str]) -> str:
    """A link as it is from `slides/`; to what is no page of the built guide too, its words."""
    target, words = found[1], found[2]
    if ":" in target.split("/")[0]:
        return found[0]
    if not target.partition("#")[0].endswith(".html"):
        return words
    return f'<a href="../{target}">{words}</a>'


def _python(source: str) -> str:
    """Code in color; functions' blank lines and magic lines are left out."""
    code = re.sub(r"\n{3,}", "\n\n", re.sub(r"^%.*\n", "", source, flags=re.MULTILINE)).strip()
    formatter = HtmlFormatter(
        noclasses=True, style="friendly", nobackground=True, prestyles=_letters(code)
    )
    return str(highlight(code, PythonLexer(), formatter)).replace("\n</pre>", "</pre>")


def _letters(text: str) -> str:
    """The size of letters at which the longest line fits."""
    longest = max(len(line) for line in text.splitlines())
    return f"--size: {max(13, min(22, int(1100 / 0.605 / max(longest, 1))))}px"


def _figure(picture: str) -> str:
    """A picture in base64, with its proportions; large ones in 256 colors, a third of the size."""
    data = base64.b64decode(picture)
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
        if len(data) > LARGE:
            smaller = io.BytesIO()
            image.convert("RGB").quantize(256).save(smaller, "png", optimize=True)
            data = min(data, smaller.getvalue(), key=len)
    source = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    return f'<figure data-ratio="{width / height:.2f}"><img alt="" src="{source}"></figure>'
