"""What the browser tests of the playground share: browsers, a page with runs, a window on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_windows import Firefox, Student, installed
from playground_tools import browser_path, recorded_rows

from trifeature.playground import write_page


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = browser_path()
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page with six made-up arms."""
    folder = tmp_path_factory.mktemp("playground")
    rows = folder / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in recorded_rows()), "utf-8")
    return write_page(folder / "index.html", rows)


@pytest.fixture
def student(browser: Any, file: Path) -> Iterator[Student]:
    """A window of 1280 pixels; no test may leave a message or ask for another file."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    window = Student(context.new_page(), file)
    yield window
    context.close()
    assert window.troubles == []
    assert {url.split(":")[0] for url in window.requests} <= {"file", "data", "about"}
    files = {url.split("#")[0] for url in window.requests if url.startswith("file:")}
    assert files == {file.as_uri()}


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """Firefox."""
    program = installed(("firefox-esr", "firefox"))
    if program is None:
        pytest.skip("no Firefox is installed (Debian: apt-get install firefox-esr)")
    window = Firefox(program, tmp_path_factory.mktemp("firefox"))
    yield window
    window.close()
