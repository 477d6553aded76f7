"""Links of the documents to the playground open what they say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playground_tools import node

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "playground" / "index.html"


def texts() -> list[str]:
    """The prose of every document and of every notebook."""
    found = [path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md")]
    for path in DOCS.rglob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        found += ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    return found


def deep_links() -> list[str]:
    """What follows the # in every link to the page, once each."""
    return sorted(set(re.findall(r"playground/index\.html#([^)]*)\)", "\n".join(texts()))))


@pytest.fixture(scope="module")
def states() -> list[tuple[str, list[str], list[str]]]:
    """Each link with what the page notes about it, and with what it hides."""
    script = "return data.map((h) => { const r = W.fromHash(h); return [r.notes, r.state.hide]; })"
    links = deep_links()
    return [(link, *found) for link, found in zip(links, node(script, links), strict=True)]


def test_the_page_takes_every_link_as_it_is(
    states: list[tuple[str, list[str], list[str]]],
) -> None:
    assert len(states) >= 15
    assert [(link, notes) for link, notes, _ in states if notes] == []


def test_what_a_link_hides_is_a_part_of_the_page(
    states: list[tuple[str, list[str], list[str]]],
) -> None:
    parts = {"R", "U1", "U2", "S", *re.findall(r'data-part="(\w+)"', PAGE.read_text("utf-8"))}
    hidden = {name for _, _, hide in states for name in hide}
    assert hidden
    assert hidden <= parts


def test_every_belief_is_linked() -> None:
    beliefs = set(node("return W.BELIEFS.map((belief) => belief.id)"))
    assert beliefs <= {
        name for link in deep_links() for name in re.findall(r"preset=([\w-]+)", link)
    }
