"""The built guide for keyboards and screen readers: what the theme leaves out is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from guide_tools import DOCS, GUIDE, NO_SPHINX, extension
from playground_tools import browser_path

PAGES = ("index", "results", "guide/glossary", "guide/api/pid", "course/01-bits")


@pytest.fixture(scope="module")
def accessibility() -> ModuleType:
    pytest.importorskip("sphinx", reason=NO_SPHINX)
    return extension("accessibility")


def test_a_caption_of_the_contents_says_its_level(accessibility: ModuleType) -> None:
    html = '<p class="caption" role="heading"><span>Begin</span></p><p role="heading">'
    assert accessibility.with_levels(html).count('role="heading" aria-level="2"') == 1


def test_an_empty_header_is_given_a_word_and_no_other(accessibility: ModuleType) -> None:
    nodes = pytest.importorskip("docutils.nodes")
    utils = pytest.importorskip("docutils.utils")
    frontend = pytest.importorskip("docutils.frontend")
    document = utils.new_document("page", frontend.get_default_settings())
    cells = [nodes.entry("", nodes.paragraph("", word)) for word in ("", "bits", "")]
    document += nodes.thead("", nodes.row("", *cells))
    accessibility.NameEmptyHeaders(document).run()
    assert [cell.astext().strip() for cell in cells] == ["item", "bits", "value"]
    hidden = [node["classes"] for node in document.findall(nodes.inline)]
    assert hidden == [["visually-hidden"]] * 2


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guide as `make docs` builds it."""
    pytest.importorskip("sphinx", reason=NO_SPHINX)
    out = tmp_path_factory.mktemp("guide")
    command = [sys.executable, "-m", "sphinx", "-q", "-E", "-c", str(GUIDE), str(DOCS), str(out)]
    built = subprocess.run(  # noqa: S603 - the interpreter that runs the tests, on our own files
        command, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return out


@pytest.mark.slow  # Builds the whole guide and starts a browser: a minute or two.
def test_axe_finds_nothing_on_five_pages(site: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=browser_path())
        found = []
        for width in (400, 1280):
            page = browser.new_page(viewport={"width": width, "height": 900})
            for name in PAGES:
                page.goto((site / f"{name}.html").as_uri())
                found += [
                    (width, name, one["id"], one["nodes"][0]["html"][:160])
                    for one in axe.Axe().run(page).response["violations"]
                ]
            page.close()
        browser.close()
    assert found == []
