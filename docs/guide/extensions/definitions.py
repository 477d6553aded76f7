"""Terms of the glossary: linked where a page first uses them, their definition at hand there.

A page's first use of a term becomes a link to the glossary. The first sentence of the definition is
the link's title; `static/definitions.js` (listed in `html_js_files`) shows it on keyboard focus and
on a first tap as well. No marks are needed in the sources, which code hosts show as they are;
`{term}` works too.

Words with many meanings (`guide_terms_explicit`) are linked by `{term}` only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from docutils import nodes
from sphinx import addnodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

CLASSES: Final = ["xref", "std", "std-term"]
CLOSED: Final = (
    nodes.reference,
    addnodes.pending_xref,
    addnodes.download_reference,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.title,
    nodes.emphasis,
    nodes.caption,
    nodes.image,
)
"""Elements in which nothing is linked: links, code, formulas, headings, quoted words."""


def glossary_terms(text: str) -> dict[str, str]:
    """The terms of a page's `{glossary}` blocks, each with the first term of the same definition.

    Args:
        text: Markdown. Terms are the lines of a block without indentation.
    """
    blocks = re.findall(r"^```\{glossary\}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    entries = re.findall(r"(?:^(?![:\s]).+\n)+", "\n".join(blocks), re.MULTILINE)
    return {term: entry.splitlines()[0] for entry in entries for term in entry.splitlines()}


def first_sentence(text: str) -> str:
    """The first sentence of a definition, on one line.

    Args:
        text: Plain text. A full stop ends a sentence where a blank and a capital follow.
    """
    return re.split(r"(?<=[.?!])\s+(?=[A-Z])", " ".join(text.split()))[0]


def plural(term: str) -> str:
    """The regular plural of a term."""
    if term.endswith(("s", "x")):
        return term + "es"
    return term[:-1] + "ies" if re.search(r"[^aeiou]y$", term) else term + "s"


def term_pattern(words: Iterable[str]) -> re.Pattern[str]:
    """What finds any of these words as a whole word, the longest that fits."""
    longest = sorted(map(re.escape, words), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(longest)})(?![\w-])", re.IGNORECASE)


class Linker:
    """Links first uses of terms while pages are read."""

    def __init__(self) -> None:
        self.terms: dict[str, str] = {}
        self.first: dict[str, str] = {}
        self.pattern: re.Pattern[str] | None = None

    def prepare(self, app: Sphinx) -> None:
        """Read the terms before any page is read."""
        page = Path(app.srcdir) / f"{app.config.guide_glossary}.md"
        explicit = {word.lower() for word in app.config.guide_terms_explicit}
        found = glossary_terms(page.read_text(encoding="utf-8")) if page.is_file() else {}
        self.first = {term.lower(): first for term, first in found.items()}
        linked = [term for term in found if term.lower() not in explicit]
        self.terms = {word.lower(): term for term in linked for word in (term, plural(term))}
        self.pattern = term_pattern(self.terms) if self.terms else None

    def link(self, app: Sphinx, document: nodes.document) -> None:
        """Turn first uses of one page into references that Sphinx resolves."""
        name = app.env.current_document.docname
        wanted = any(fnmatch(name, pattern) for pattern in app.config.guide_glossary_pages)
        if self.pattern is None or not wanted or name == app.config.guide_glossary:
            return
        seen = {
            self.first.get(str(node["reftarget"]).lower(), "")
            for node in document.findall(addnodes.pending_xref)
            if node.get("reftype") == "term"
        }
        for paragraph in list(document.findall(nodes.paragraph)):
            for text in list(paragraph.findall(nodes.Text)):
                if not _inside(text, paragraph):
                    self._link_text(text, self.pattern, name, seen)

    def _link_text(
        self, text: nodes.Text, pattern: re.Pattern[str], page: str, seen: set[str]
    ) -> None:
        """Replace a text by texts and references to the terms that it uses first."""
        pieces: list[nodes.Node] = []
        end, plain = 0, str(text)
        for found in pattern.finditer(plain):
            term = self.terms[found[0].lower()]
            if self.first[term.lower()] in seen:
                continue
            seen.add(self.first[term.lower()])
            pieces += [nodes.Text(plain[end : found.start()]), _reference(term, found[0], page)]
            end = found.end()
        if pieces:
            text.parent.replace(text, [*pieces, nodes.Text(plain[end:])])


def _inside(text: nodes.Text, paragraph: nodes.paragraph) -> bool:
    """Whether a text stands in an element of its paragraph, or around it, that takes no links."""
    node: nodes.Node | None = text.parent
    inner = True
    while node is not None:
        if isinstance(node, CLOSED) or (not inner and isinstance(node, nodes.figure)):
            return True
        inner = inner and node is not paragraph
        node = node.parent
    return False


def _reference(term: str, words: str, page: str) -> addnodes.pending_xref:
    """What Sphinx's own role for terms would make."""
    inner = nodes.inline(words, words, classes=CLASSES)
    return addnodes.pending_xref(
        "", inner, refdomain="std", reftype="term", reftarget=term, refdoc=page,
        refexplicit=True, refwarn=True,
    )  # fmt: skip


def definitions(document: nodes.document) -> dict[str, str]:
    """The first sentence of each definition of a read glossary, by the term's anchor."""
    return {
        anchor: first_sentence(item.children[-1].astext())
        for item in document.findall(nodes.definition_list_item)
        for term in item.findall(nodes.term)
        for anchor in term["ids"]
    }


def show_definitions(app: Sphinx, document: nodes.document, docname: str) -> None:
    """Give every link to a term the first sentence of its definition."""
    glossary = app.config.guide_glossary
    links = [
        node
        for node in document.findall(nodes.reference)
        if any(isinstance(c, nodes.Element) and "std-term" in c["classes"] for c in node.children)
    ]
    if not links or docname == glossary:
        return
    found = definitions(app.env.get_doctree(glossary))
    for node in links:
        anchor = str(node.get("refid") or node.get("refuri", "")).rpartition("#")[2]
        if anchor in found:
            node["reftitle"] = found[anchor]
            node["classes"].append("definition")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register both steps.

    `guide_glossary` is the page of the glossary, `guide_glossary_pages` are patterns of the pages
    in which terms are linked, `guide_terms_explicit` are terms that are linked by `{term}` only.
    """
    linker = Linker()
    app.add_config_value("guide_glossary", "guide/glossary", "env", str)
    app.add_config_value("guide_glossary_pages", [], "env", list)
    app.add_config_value("guide_terms_explicit", [], "env", list)
    app.connect("builder-inited", linker.prepare)
    app.connect("doctree-read", linker.link, priority=600)
    app.connect("doctree-resolved", show_definitions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
