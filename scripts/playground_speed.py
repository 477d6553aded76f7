"""Measure in Chromium how long the playground takes from a moved slider to the painted frame.

    python scripts/playground_speed.py [PAGE.html]

opens docs/playground/index.html, or another built page, moves each slider thirty times, and appends
one row to figures/playground.jsonl: median, 90th percentile and maximum in milliseconds for each
slider, in two states: pairs of images of ten classes, and a table of 4 × 4 × 8 cells. Measured is
from before the `input` event to the second animation frame after it, when the first one is on the
screen: a page that did nothing would take one to two frames of a 60 Hz screen.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from trifeature.errors import InputError
from trifeature.files import append_row
from trifeature.provenance import provenance

ROOT = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "playground" / "index.html"
ROWS: Final = ROOT / "figures" / "playground.jsonl"
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
MOVES: Final = 30
LIMIT_MS: Final = 50.0
"""What a slider may take on one quiet core."""

READY: Final = (
    "Boolean(window.playground?.state() && document.querySelector('#bars')?.children.length)"
)
MOVE: Final = """async ([id, moves]) => {
  const slider = document.getElementById(id);
  const [low, high, step] = [slider.min, slider.max, slider.step].map(Number);
  const frame = () => new Promise((go) => requestAnimationFrame(go));
  const places = Math.round((high - low) / step);
  const times = [];
  for (let move = 0; move < moves; move += 1) {
    await new Promise((go) => setTimeout(go, 60)); // whatever the last one left to do
    await frame();
    const place = Math.round((slider.value - low) / step);
    slider.value = low + step * ((place + 1 + Math.ceil(places / 3)) % (places + 1));
    const start = performance.now();
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await frame();
    await frame();
    times.push(performance.now() - start);
  }
  return times;
}"""
"""Moves a slider, each time to another value, and returns milliseconds."""


def states(seed: int = 0) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What is measured: the link's state and the sliders that it has, by name."""
    # In thousandths, so that the link's decimals sum to 1.
    cells = np.random.default_rng(seed).multinomial(1000, np.full(4 * 4 * 8, 1 / 128))
    table = ",".join(f"{cell / 1000:g}" for cell in cells)
    return {
        "images, 10 classes": ("task=match&k=10&rho=.5", ("rho", "share", "e", "k")),
        "table, 4 × 4 × 8": (f"mode=table&p=4x4x8_{table}", ("rho", "e")),
    }


def summary(times: list[float]) -> dict[str, float]:
    """Median, 90th percentile and maximum, ms.

    >>> summary([1.0, 2.0, 3.0])["median"]
    2.0
    """
    return {
        "median": round(float(np.median(times)), 2),
        "p90": round(float(np.percentile(times, 90)), 2),
        "max": round(max(times), 2),
    }


def measure(page: Path, browser: str) -> dict[str, Any]:
    """Milliseconds of each slider in each state, and the browser's version.

    Args:
        page: The built page.
        browser: The browser's program.

    Raises:
        InputError: the page does not start, or lacks a slider.
    """
    from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415 - only where it runs

    found: dict[str, Any] = {}
    with sync_playwright() as play:
        window = play.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        try:
            for name, (state, sliders) in states().items():
                tab = window.new_page(viewport={"width": 1280, "height": 900})
                tab.goto(f"{page.resolve().as_uri()}#{state}")
                # Asked from outside: the page's policy forbids to evaluate text in it.
                for _ in range(100):
                    if tab.evaluate(READY):
                        break
                    tab.wait_for_timeout(100)
                else:
                    raise InputError(f"{page} does not start: build it by trifeature playground")
                found[name] = {one: summary(tab.evaluate(MOVE, [one, MOVES])) for one in sliders}
                tab.close()
            version = window.version
        except Error as problem:
            raise InputError(f"{page}: {str(problem).splitlines()[0]}") from None
        finally:
            window.close()
    return {"milliseconds": found, "browser": f"Chromium {version}"}


def main() -> None:
    """Measure the page and append the row."""
    torch.set_num_threads(1)  # nothing of torch runs; its name goes into the row
    page = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    if not page.is_file():
        raise InputError(f"{page} is no file: build the page by trifeature playground")
    programs = [path for name in BROWSERS if (path := shutil.which(name))]
    if not programs:
        raise InputError("no Chromium is installed (Debian: apt-get install chromium)")
    load = os.getloadavg()[0]
    row = {
        "kind": "playground speed",
        "moves": MOVES,
        **measure(page, programs[0]),
        "page_kb": round(page.stat().st_size / 1000, 1),
        "cores": os.cpu_count(),
        "load": round(load, 2),
        **provenance(torch.device("cpu")),
    }
    append_row(ROWS, row)
    for name, sliders in row["milliseconds"].items():
        for slider, ms in sliders.items():
            late = "" if ms["median"] <= LIMIT_MS else f", above {LIMIT_MS:g}"
            sys.stdout.write(f"{name}, {slider}: median {ms['median']} ms, p90 {ms['p90']}{late}\n")


if __name__ == "__main__":
    try:
        main()
    except InputError as problem:
        sys.stderr.write(f"error: {problem}\n")
        sys.exit(2)
