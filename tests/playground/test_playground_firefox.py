"""The page in a real Firefox: it opens, each kind of change is drawn, and nothing goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_windows import Firefox

# Each test drives a real browser, which takes seconds to start.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

# Errors from here on; those of loading would leave the page without its bars.
WATCH = """
    window.troubles = [];
    addEventListener("error", (event) => troubles.push(event.message));
    addEventListener("unhandledrejection", (event) => troubles.push(String(event.reason)));
"""
# Keys, as the WebDriver protocol names them.
ENTER, END, ARROW_LEFT, ARROW_RIGHT = "\ue007", "\ue010", "\ue012", "\ue014"


def opened(firefox: Firefox, file: Path, hash_: str = "") -> Firefox:
    """The page, watched."""
    firefox.open(file, hash_)
    firefox.run(WATCH)
    return firefox


def text(firefox: Firefox, selector: str) -> str:
    """What an element holds."""
    return str(firefox.run("return document.querySelector(arguments[0]).textContent", selector))


def test_it_opens_with_the_result(firefox: Firefox, file: Path) -> None:
    opened(firefox, file)
    assert text(firefox, "#question") == "Does the color match the texture?"
    assert text(firefox, "#sum") == "0 + 0 = 1 bit"
    firefox.wait(
        """(() => { const canvas = document.getElementById("image-1");
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return new Set(new Uint32Array(data.buffer)).size > 8; })()"""
    )
    assert firefox.run("return document.querySelectorAll('#curves svg path').length") > 8
    assert firefox.run("return troubles") == []


def test_a_slider_moves_the_bars_to_where_its_atoms_are(firefox: Firefox, file: Path) -> None:
    opened(firefox, file, "task=texture1&rho=.2")
    firefox.press("#rho", ARROW_RIGHT * 30)
    assert firefox.run("return playground.state().rho") == pytest.approx(0.5)
    atoms = firefox.run("const a = playground.atoms(); return [a.R, a.U1, a.U2, a.S]")
    assert atoms == pytest.approx([0.321928, 2, 0, 0], abs=1e-5)
    firefox.wait(
        """(() => { const part = (name) => document.querySelector(`#bars .main .bar .part.${name}`)
        .getBoundingClientRect().width; const a = playground.atoms();
        return Math.abs(part("R") / part("U1") - a.R / a.U1) < .01; })()"""
    )
    assert firefox.run("return troubles") == []


def test_the_steps_open_and_a_right_answer_is_told_so(firefox: Firefox, file: Path) -> None:
    opened(firefox, file)
    for step in range(1, 7):
        firefox.run("location.hash = arguments[0]", f"step={step}")
        firefox.frame()
        assert text(firefox, "#path-title").startswith(f"Step {step} of 6")
        firefox.run(
            """const step = playground.World.STEPS[arguments[0]];
            const right = playground.World.optionsOf(step, { arms: [] }).findIndex((o) => o.right);
            document.querySelector(`#path-options [data-option="${right}"]`).click();""",
            step - 1,
        )
        assert text(firefox, "#path-why").startswith("Right.")
    assert firefox.run("return troubles") == []


def test_covering_guessing_and_the_next_pair(firefox: Firefox, file: Path) -> None:
    opened(firefox, file)
    firefox.press("#cover-1", " ")
    assert (
        firefox.run("return getComputedStyle(document.getElementById('image-1')).visibility")
        == "hidden"
    )
    firefox.press("#answers button", ENTER)
    assert text(firefox, "#feedback")
    assert "of 1 right" in text(firefox, "#tally .now")
    firefox.press("#next-pair", ENTER)
    assert text(firefox, "#feedback") == ""
    assert firefox.run("return troubles") == []


def test_a_cell_is_typed_and_dragged(firefox: Firefox, file: Path) -> None:
    opened(firefox, file, "preset=and")
    field = "[aria-label='Probability of X1 = 0, X2 = 0, Y = 0']"
    firefox.run("document.querySelector(arguments[0]).select()", field)
    firefox.press(field, "1")
    firefox.run("document.querySelector(arguments[0]).select()", field)
    firefox.press(field, ".5")
    cells = "return Array.from(playground.World.tableOf(playground.state()).p)"
    sixth = 1 / 6
    assert firefox.run(cells) == pytest.approx([0.5, 0, sixth, 0, sixth, 0, 0, sixth])
    firefox.press(f"{field[:-2]}, by dragging']", ARROW_LEFT * 10)
    assert firefox.run(cells)[0] == pytest.approx(0.4)
    assert firefox.run("return troubles") == []


def test_predict_then_reveal(firefox: Firefox, file: Path) -> None:
    opened(firefox, file, "preset=xor&guess=1")
    firefox.press("#g-U1", END)
    firefox.press("#g-U2", END)
    firefox.press("#reveal", ENTER)
    assert "left out" in text(firefox, "#verdict")
    assert text(firefox, "#legend-S b") == "1"
    assert firefox.run("return troubles") == []


def test_links_and_what_they_cannot_name(firefox: Firefox, file: Path) -> None:
    opened(firefox, file, "preset=constructor")
    assert "no preset" in text(firefox, "#notice")
    hash_ = "task=texture1&k=7&rho=.35&e=.1&seed=12&map=4"
    firefox.open(file, hash_)
    assert firefox.run("return playground.link().split('#')[1]") == hash_
    opened(firefox, file)
    for name in firefox.run("return Object.keys(playground.World.PRESETS)"):
        firefox.run("location.hash = arguments[0]", f"preset={name}")
        firefox.frame()
        assert firefox.run("return playground.state().preset") == name
    assert firefox.run("return troubles") == []


def test_play_moves_the_rate(firefox: Firefox, file: Path) -> None:
    opened(firefox, file, "task=texture1")
    firefox.press("#play", ENTER)
    firefox.wait("playground.state().rho > .1 && playground.state().rho < .95")
    firefox.press("#play", ENTER)
    assert text(firefox, "#play") == "Play"
    assert firefox.run("return troubles") == []


def test_a_pasted_table_is_used(firefox: Firefox, file: Path) -> None:
    opened(firefox, file)
    firefox.run(
        "document.getElementById('paste').value = arguments[0]",
        "0 0 0 1\n0 1 1 1\n1 0 2 1\n1 1 3 1",
    )
    firefox.press("#use-paste", ENTER)
    atoms = firefox.run("const a = playground.atoms(); return [a.R, a.U1, a.U2, a.S]")
    assert atoms == pytest.approx([0, 1, 1, 0], abs=1e-6)
    assert firefox.run("return troubles") == []


@pytest.mark.parametrize("width", [500, 768, 1280])
def test_nothing_is_wider_than_the_window(firefox: Firefox, file: Path, width: int) -> None:
    firefox.resize(width, 900)
    for hash_ in ("", "step=5", "preset=boom&compare=1", "k=10&task=texture1"):
        opened(firefox, file, hash_)
        wide, inner = firefox.run("return [document.documentElement.scrollWidth, innerWidth]")
        assert wide <= inner, hash_
