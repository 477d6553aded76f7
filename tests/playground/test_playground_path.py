"""The guided path in a real Chromium: six steps with the keyboard alone, and by their links."""

from __future__ import annotations

from typing import Any

import pytest
from page_windows import Student

# Each test drives a real browser: a second or more apiece.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def lessons(student: Student) -> list[dict[str, Any]]:
    """Id, title and right option of each step."""
    found: list[dict[str, Any]] = student.page.evaluate(
        """() => playground.World.STEPS.map((step) => {
            const options = playground.World.optionsOf(step, { arms: [] });
            return { id: step.id, title: step.title, right: options.findIndex((one) => one.right) };
        })"""
    )
    return found


def guess(student: Student) -> None:
    """The first answer, by keys."""
    student.reach("#answers button")
    student.press("Enter")


def do_the_task(student: Student, step: str) -> None:
    """What the step asks for, by keys."""
    if step == "redundancy":
        student.reach("#share")
        student.press("Home", *["ArrowRight"] * 50)
    elif step == "uniqueness":
        student.reach("#cover-1")
        student.press("Enter")
        guess(student)
    elif step == "synergy":
        guess(student)
        for side, key in (("1", "Enter"), ("2", " ")):
            student.reach(f"#cover-{side}")
            student.press(key)
            guess(student)
    elif step == "bias":
        student.reach("#rho")
        student.press("End")
    elif step == "kept":
        student.reach("#epoch")
        student.press("Home", "ArrowRight")
    else:
        student.reach("[aria-label='Probability of X1 = 0, X2 = 1, Y = 1']")
        student.press("Control+a", "0")


def test_six_steps_with_the_keyboard_alone(student: Student) -> None:
    student.open()
    steps = lessons(student)
    assert len(steps) == 6
    student.reach("#nav-path")
    student.press("Enter")
    for place, step in enumerate(steps, start=1):
        assert student.text("#path-title") == f"Step {place} of 6: {step['title']}"
        assert student.page.evaluate("document.activeElement.id") == "path-title"
        assert student.text("#path-task").startswith("2."), step["id"]
        student.reach(f"#path-options [data-option='{step['right']}']")
        student.press("Enter")
        assert student.text("#path-why").startswith("Right."), step["id"]
        do_the_task(student, step["id"])
        assert student.text("#path-task").startswith("✓"), step["id"]
        student.reach("#path-next")
        student.press("Enter")
    assert student.page.evaluate("document.activeElement.id") == "beliefs-title"
    assert student.state()["step"] == 0
    assert not student.page.locator("#path").is_visible()
    assert student.page.locator("#beliefs > li").count() == 10


def test_a_wrong_answer_says_why_and_can_be_changed(student: Student) -> None:
    student.open("step=3")
    right = lessons(student)[2]["right"]
    wrong = student.page.locator(f"#path-options [data-option='{(right + 1) % 3}']")
    wrong.click()
    assert student.text("#path-why").startswith("Not so.")
    assert wrong.get_attribute("class") == "wrong"
    student.page.locator(f"#path-options [data-option='{right}']").click()
    assert student.text("#path-why").startswith("Right.")
    assert student.page.locator("#path-options .wrong").count() == 0


def test_each_step_opens_by_its_link_with_its_own_controls_only(student: Student) -> None:
    for place in range(1, 7):
        student.open(f"step={place}")
        shown = student.page.evaluate(f"playground.World.STEPS[{place - 1}].show")
        assert student.text("#path-title").startswith(f"Step {place} of 6")
        veiled = student.page.locator("#veil").is_visible()
        assert veiled == (place < 5)
        if veiled:
            assert not student.page.locator("#bars").is_visible()
        student.click("#path-options button:nth-child(1)")
        assert not student.page.locator("#veil").is_visible()
        assert student.page.locator("#path-dots [aria-current=step]").inner_text() == str(place)
        for part, control in {
            "rho": "#rho",
            "share": "#share",
            "guesses": "#answers",
            "learned": "#curves",
            "task": "#asks-list",
            "presets": "#preset",
            "beliefs": "#beliefs",
            "paste": "#paste",
            "stage": "#image-1",
        }.items():
            visible = student.page.locator(control).is_visible()
            assert visible == (part in shown), (place, part)


def test_the_dots_go_to_a_step_and_the_path_can_be_left(student: Student) -> None:
    student.open("step=1&hide=teachers")
    student.click("#path-dots li:nth-child(6) a")
    assert student.state()["step"] == 6
    assert student.state()["preset"] == "xor"
    assert student.state()["hide"] == ["teachers"]
    student.click("#path-back")
    assert student.state()["step"] == 5
    student.click("#path-leave")
    assert student.state()["step"] == 0
    assert student.page.locator("#preset").is_visible()
