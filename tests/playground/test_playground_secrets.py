"""What is hidden or waits for an answer cannot be read, and what was done last holds."""

from __future__ import annotations

import pytest
from page_windows import ATOMS, Student

# Each test drives a real browser: a second or more apiece.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("part", ATOMS)
def test_a_hidden_part_has_no_words_and_no_gap(student: Student, part: str) -> None:
    student.open(f"preset=boom&compare=1&hide={part}")
    bars = student.page.evaluate(
        """() => [...document.querySelectorAll("#bars .bar, #strip .bar")].map((bar) =>
        [...bar.children].map((e) => [e.dataset.atom, e.textContent, parseFloat(e.style.left),
            parseFloat(e.style.width)]))"""
    )
    assert len(bars) == 4  # BROJA, I_min, MMI and the strip
    for bar in bars:
        end = 0.0
        for name, words, left, width in bar:
            assert left == pytest.approx(end, abs=0.002)
            end = left + width
            if name == part:
                assert (words, width) == ("", 0)
    lines = student.page.locator(".brace-line").evaluate_all("(all) => all.map(e => e.style.width)")
    assert {float(width.rstrip("%")) for width in lines} == {0.0}


def test_a_prediction_is_not_judged_by_a_hidden_part(student: Student) -> None:
    student.open("preset=and&guess=1&hide=S&g=.311,0,0,0")
    student.click("#reveal")
    assert "0.5" not in student.text("#verdict")
    assert "not judged" in student.text("#verdict")


@pytest.mark.parametrize("pasted", ["gallery_table('AND')", "#preset=and", "#preset=and&hide=R"])
def test_what_is_pasted_uncovers_nothing(student: Student, pasted: str) -> None:
    student.open("preset=and&hide=S")
    student.page.fill("#paste", pasted)
    student.click("#use-paste")
    assert student.state()["preset"] == "and"
    assert student.legend()[3] == "?"


def test_a_prediction_hides_the_labels_of_pairs_from_every_reader(student: Student) -> None:
    student.open("guess=1")
    words = student.page.locator("#pairs .pair").first.get_attribute("aria-label")
    assert words
    assert "atch" not in words
    student.open()
    words = student.page.locator("#pairs .pair").first.get_attribute("aria-label")
    assert words
    assert "atch" in words


def test_charts_that_waited_are_as_wide_as_their_place(student: Student) -> None:
    for step, chart in ((4, "#sweep"), (5, "#curve-S")):
        student.open(f"step={step}")
        student.click("#path-options button:last-child")
        width = student.page.evaluate(
            "(s) => document.querySelector(s + ' svg').viewBox.baseVal.width", chart
        )
        assert width == pytest.approx(student.rect(chart)["width"], abs=2)


def test_what_is_said_of_a_pair_is_of_the_pair_in_its_place(student: Student) -> None:
    student.open("k=10&task=texture1&rho=.3")
    student.page.locator("#pairs .pair").nth(3).hover()
    for k in (2, 7, 10):
        student.slide("k", k)
        assert "never occurs" not in student.text("#local")
        cells = student.page.evaluate(
            """() => [document.querySelectorAll("#pairs .pair")[3].dataset.cell,
            document.querySelector("#table .lit").dataset.cell]"""
        )
        assert cells[0] == cells[1]


def test_an_example_chosen_at_the_end_of_a_play_keeps_its_rate(student: Student) -> None:
    student.open()
    student.page.emulate_media(reduced_motion="reduce")
    student.click("#play")
    student.wait("document.getElementById('play').textContent === 'Play'")
    assert student.state()["rho"] == 1
    student.page.select_option("#preset", "biased")
    student.page.wait_for_timeout(800)
    assert student.state()["rho"] == 1


def test_the_film_of_epochs_ends_with_its_step(student: Student) -> None:
    student.open("step=5")
    student.click("#path-options button:last-child")
    student.click("#play-epochs")
    student.click("#path-next")
    epoch = student.state()["epoch"]
    student.page.wait_for_timeout(1000)
    assert student.state()["epoch"] == epoch
    assert student.text("#play-epochs") in ("", "Play the epochs")


def test_the_way_back_has_no_place_twice(student: Student) -> None:
    student.open()
    before = student.page.evaluate("history.length")
    for _ in range(3):
        student.click("#reset")
    assert student.page.evaluate("history.length") == before
