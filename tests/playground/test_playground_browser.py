"""What the page does in a real Chromium, opened from the file system as a student would."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_windows import ATOMS, Student
from playground_tools import packed, random_tables, recorded_rows

from trifeature.data.law import law_atoms
from trifeature.data.rule import PairRule
from trifeature.data.settings import DatasetSettings
from trifeature.pid import GALLERY, broja
from trifeature.playground import write_page

# Each test drives a real browser: a second or more apiece.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

TWINS = "['image-1', 'image-2'].map((id) => document.getElementById(id).toDataURL())"


def table_of(student: Student) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The table in force, [N, M, K]."""
    found = student.page.evaluate(
        """() => { const t = playground.World.tableOf(playground.state());
        return [[t.N, t.M, t.K], Array.from(t.p)]; }"""
    )
    return np.reshape(found[1], found[0])


def random_states(count: int, seed: int = 0) -> list[str]:
    """Links to states over all that a link may set, presets among them."""
    rng = random.Random(seed)  # noqa: S311 - states to try, not secrets
    choices: dict[str, list[Any]] = {
        "task": ["shape", "texture1", "texture2", "match"],
        "gate": ["match", "parity", "sum", "and"],
        "k": list(range(2, 11)),
        "e": [0, 0.1, 0.3, 0.5],
        "rho": [0, 0.01, 0.2, 0.77, 1],
        "share": [0, 0.2, 0.5, 0.99, 1],
        "cover": [1, 2],
        "n": [64, 256],
        "compare": [1],
        "guess": [1],
        "step": list(range(1, 7)),
        "hide": ["S", "R,table", "bars", "learned,U1"],
        "epoch": [0, 1, 2, 4],
        "unit": ["bits"],
        "p": ["2x2x2_.1,.2,.3,.1,0,0,.3,0", "3x2x2_.25,0,0,.25,0,.25,0,0,.25,0,0,0", "1x1x1_1"],
        "preset": ["xor", "and", "boom", "copy", "half-match", "independent", "two-looks"],
    }
    states = []
    for _ in range(count):
        keys = rng.sample(sorted(choices), rng.randint(1, 5))
        states.append("&".join(f"{key}={rng.choice(choices[key])}" for key in keys))
    return states


# --------------------------------------------------------------------------- the opening


def test_it_opens_with_a_question_a_pair_a_key_and_the_result(student: Student) -> None:
    student.open()
    assert student.file.stat().st_size < 500_000
    assert student.text("#question") == "Does the color match the texture?"
    assert student.text("#sum") == "0 + 0 = 1 bit"
    assert student.legend() == ["0", "0", "0", "1"]
    assert student.page.locator("#key li").count() == 5
    for element in ("#image-1", "#image-2", "#key", "#answers", "#rho", "#sum", "#bars"):
        box = student.rect(element)
        assert box["bottom"] <= 900, element
        assert box["width"] > 0, element
    colors = """() => [1, 2].map((side) => {
        const canvas = document.getElementById(`image-${side}`);
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        const seen = new Set();
        for (let i = 0; i < data.length; i += 4) seen.add(data.slice(i, i + 3).join());
        return seen.size;
    })"""
    assert min(student.page.evaluate(colors)) > 8


def test_guesses_are_counted_by_what_is_seen(student: Student) -> None:
    student.open()
    best = [float(x) for x in re.findall(r"at best ([\d.]+)", student.text("#tally"))]
    assert best == [50, 50, 100]
    for cover in ("#cover-1", "#cover-2", "#cover-2"):  # image 2 only, image 1 only, both
        student.click(cover)
        student.page.locator("#answers button").first.click()
        student.settle()
        counted = student.text("#tally .now")
        assert re.search(r"[01] of 1 right", counted), counted
        assert re.match(r"(Right\.|No:)", student.text("#feedback"))
        student.click("#next-pair")
        assert student.text("#feedback") == ""
    assert "no guess yet" not in student.text("#tally")
    student.go("step=3")  # the same question, opened anew
    assert student.text("#tally").count("no guess yet") == 3


def test_a_covered_image_is_not_seen_and_what_is_left_tells_nothing(student: Student) -> None:
    student.open()
    student.click("#cover-1")
    assert not student.page.locator("#image-1").is_visible()
    assert student.page.locator("#image-2").is_visible()
    assert student.page.locator("#image-1").get_attribute("aria-label") == "Image 1 is covered"
    assert "image 2 alone tells 0 bits" in student.text("#say")
    student.click("#twin-1 .frame")
    assert student.page.locator("#image-1").is_visible()


# --------------------------------------------------------------------------- bars and braces


def test_braces_are_as_wide_as_what_they_sum(student: Student) -> None:
    student.page.emulate_media(reduced_motion="reduce")
    student.open("preset=boom")
    states = ["task=texture1&rho=.8&k=4", "preset=and", "preset=boom&e=.1", "task=shape&share=.6"]
    rng = np.random.default_rng(3)
    for _ in range(16):
        cells = ",".join(repr(float(x)) for x in rng.dirichlet(np.ones(12)))
        states.append(f"mode=table&p=2x3x2_{cells}")
    for hash_ in states:
        student.go(hash_)
        R, U1, U2, S = student.atoms() or []
        bar = student.rect("#bars .main .bar")
        parts = [student.bar(name) for name in ATOMS]
        # The axis is as long as the label could hold: it rests while a dial moves.
        scale = bar["width"] / max(np.log2(max(2, table_of(student).shape[2])), R + U1 + U2 + S)
        for part, atom in zip(parts, (R, U1, U2, S), strict=True):
            assert part == pytest.approx(atom * scale, abs=2), hash_  # borders show the least
        braces = {"one": (0, U1 + R), "two": (U1, R + U2), "both": (0, R + U1 + U2 + S)}
        for kind, (start, size) in braces.items():
            line = student.rect(f"#bars .main .brace.{kind} .brace-line")
            assert line["left"] - bar["left"] == pytest.approx(start * scale, abs=1.5), hash_
            # A brace over nothing is a mark of the width of its line.
            assert line["width"] == pytest.approx(max(size * scale, 2), abs=2.5), hash_


def test_parts_glide_unless_motion_is_unwelcome(student: Student) -> None:
    student.open("task=texture1&rho=.2")
    first = student.page.evaluate(
        """() => { window.before = document.querySelectorAll("#bars .part, #bars .brace-line");
        return getComputedStyle(window.before[0]).transitionProperty; }"""
    )
    assert first == "left, width"
    start = student.bar("R")
    widths = student.page.evaluate(
        """async () => {
        const part = document.querySelector("#bars .main .part.R");
        const slider = document.getElementById("rho");
        slider.value = 1;
        slider.dispatchEvent(new Event("input", {bubbles: true}));
        const widths = [];
        const started = performance.now();
        while (performance.now() - started < 600) {
            await new Promise(requestAnimationFrame);
            widths.push(part.getBoundingClientRect().width);
        }
        return widths;
    }"""
    )
    assert any(start + 5 < width < widths[-1] - 5 for width in widths), widths
    assert student.page.evaluate(
        """() => [...document.querySelectorAll("#bars .part, #bars .brace-line")]
        .every((element, place) => element === window.before[place])"""
    )
    student.page.emulate_media(reduced_motion="reduce")
    still = "getComputedStyle(document.querySelector('#bars .part')).transitionDuration"
    assert student.page.evaluate(still) in {"0s", ""}


def test_the_match_rate_moves_pairs_table_sentence_and_bars(student: Student) -> None:
    student.page.emulate_media(reduced_motion="reduce")
    student.open("task=texture1")
    student.slide("rho", 0.2)
    before = student.bar("R"), student.text("#table"), student.text("#say")
    matched = student.page.locator(".pair.keeps").count()
    student.slide("rho", 0.9)
    after = student.bar("R"), student.text("#table"), student.text("#say")
    assert after[0] > before[0] + 50
    assert after[1] != before[1]
    assert after[2] != before[2]
    assert student.page.locator(".pair.keeps").count() > matched
    student.slide("k", 10)
    student.slide("rho", 0.5)
    assert student.legend() == ["0.737", "2.585", "0", "0"]


def test_one_key_moves_the_slider_and_the_bars(student: Student) -> None:
    student.open("task=texture1")
    student.page.locator("#rho").focus()
    first = student.atoms()
    student.press("ArrowRight")
    assert student.atoms() != first
    assert "51 %" in student.text("#rho-out")
    assert "51 %" in student.page.locator("#rho").get_attribute("aria-valuetext")


def test_atoms_agree_with_the_package(student: Student) -> None:
    tables = [entry.table() for entry in GALLERY.values()] + list(random_tables(200, seed=4))
    student.open()
    found = student.page.evaluate(
        """(tables) => tables.map(([N, M, K, p]) => {
            const a = playground.Core.broja(playground.Core.table(N, M, K, p));
            return [a.R, a.U1, a.U2, a.S];
        })""",
        [packed(table) for table in tables],
    )
    for table, atoms in zip(tables, found, strict=True):
        np.testing.assert_allclose(atoms, broja(table).values, atol=1e-6)


# --------------------------------------------------------------------------- dials and links


def test_share_rate_gates_and_noise_have_the_atoms_of_the_package(student: Student) -> None:
    def settings(**more: Any) -> DatasetSettings:
        sizes: dict[str, Any] = {"shapes": 5, "textures": 5, "colors": 5, "held_out": 1}
        return DatasetSettings(**sizes, **more)

    student.open("task=shape")
    student.slide("share", 0.6)
    expected = law_atoms(settings(share_rate=0.6), "share", "test").values
    assert student.atoms() == pytest.approx(expected, abs=1e-7)
    student.page.locator("#gate").select_option("sum")
    student.settle()
    assert student.state()["task"] == "match"
    law = settings(rule=PairRule(gate="sum"))
    assert student.atoms() == pytest.approx(law_atoms(law, "synergy", "test").values, abs=1e-6)
    assert "sum" in student.text("#question")
    student.page.locator("#gate").select_option("and")
    student.slide("e", 0.1)
    law = settings(rule=PairRule(gate="and"), label_noise=0.1)
    assert student.atoms() == pytest.approx(law_atoms(law, "synergy", "test").values, abs=1e-6)


HASHES = [
    "task=texture1&k=7&rho=.35&e=.1&seed=12&map=4",
    "preset=copy&rho=.9&compare=0",
    "mode=table&p=2x2x2_.25,0,.25,0,.125,.125,0,.25&n=64",
    "preset=and&guess=1&g=.5,0,0,.25&shown=1",
    "epoch=2&unit=bits&hide=mark,S&arms=cross,comm-L_i",
    "task=shape&share=.4",
    "gate=sum&k=3&cover=2",
    "step=3",
    "preset=xor&step=6",
    "preset=two-looks&compare=1&n=256",
]


def test_the_whole_state_is_in_the_link(student: Student) -> None:
    for hash_ in HASHES:
        student.open(hash_)
        state = student.page.evaluate("JSON.stringify(playground.state())")
        link = student.page.evaluate("playground.link()")
        assert student.text("#notice") == "", hash_
        student.open("preset=xor")
        student.page.goto(link)
        student.settle()
        assert student.page.evaluate("JSON.stringify(playground.state())") == state, hash_
        assert student.text("#notice") == ""


def test_the_link_is_copied(browser: Any, file: Path) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    window = Student(context.new_page(), file).open("task=shape&share=.4")
    window.click("#copy-link")
    window.wait("document.getElementById('copy-link').textContent === 'Copied'")
    copied = window.page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{file.as_uri()}#task=shape&share=.4"
    context.close()


def test_a_change_reaches_the_address_and_the_way_back(student: Student) -> None:
    student.open()
    for rho in range(60):
        student.slide("rho", 0.3 + rho / 100)
    student.wait("location.hash === '#rho=.89'")
    student.page.locator("#reset").click()
    student.wait("location.hash === ''")
    assert student.legend() == ["0", "0", "0", "1"]


@pytest.mark.parametrize(
    ("hash_", "words"),
    [
        ("k=99", "Classes: 99 is not a whole number from 2 to 10: set to 10."),
        ("rho=7", "Match rate 7"),
        ("flavor=red", "flavor"),
        ("preset=constructor", "There is no preset “constructor”."),
        ("epoch=99", "There is no recorded epoch 99: set to 4"),
        ("hide=zzz", "no part “zzz”"),
        ("arms=nobody", "no recorded run “nobody”"),
        ("p=2x2x2_1,2", "The table of this link"),
    ],
)
def test_what_cannot_be_taken_is_said(student: Student, hash_: str, words: str) -> None:
    student.open(hash_)
    assert words in student.text("#notice")
    assert student.state()["preset"] == ""
    assert student.state()["mode"] == "images"
    assert student.text("#sum")


def test_a_teacher_hides_what_shall_be_found(student: Student) -> None:
    student.open("preset=and&hide=S,python,compare,answer")
    assert student.legend()[3] == "?"
    assert student.bar("S") <= 2
    assert "0.5" not in student.text("#say") + student.text("#sum")
    for element in ("#python", "#compare", "#preset-text"):
        assert not student.page.locator(element).is_visible()


def test_every_part_can_be_hidden(student: Student) -> None:
    student.open()
    named = "[...document.querySelectorAll('[data-part]')].map((e) => e.dataset.part)"
    parts = sorted(set(student.page.evaluate(named)))
    assert len(parts) > 25
    for part in parts:
        student.go(f"hide={part}")
        assert student.text("#notice") == "", part
        assert student.page.locator(f"[data-part={part}]:visible").count() == 0, part


def test_every_preset_opens(student: Student) -> None:
    student.open()
    names = student.page.evaluate("Object.keys(playground.World.PRESETS)")
    assert len(names) > 20
    for name in names:
        student.go(f"preset={name}")
        assert student.state()["preset"] == name
        assert student.text("#notice") == ""
        assert re.search(r"\d", student.text("#say"))
        assert student.page.locator("#pairs .pair").count() == 12


def test_no_state_is_a_trouble(student: Student) -> None:
    student.open()
    rng = random.Random(1)  # noqa: S311 - which button, not a secret
    for count, hash_ in enumerate(random_states(200)):
        student.go(hash_)
        assert student.text("#say") or "bars" in hash_ or student.state()["step"], hash_
        if count % 5 == 0:  # and something in it is pressed
            buttons = student.page.locator("main button:visible:enabled").all()
            rng.choice(buttons).dispatch_event("click")
            student.settle()
        assert student.troubles == [], hash_


# --------------------------------------------------------------------------- one thing


def test_pair_cell_and_part_light_each_other(student: Student) -> None:
    student.open()
    pair = student.page.locator("#pairs .pair").nth(3)
    pair.hover()
    cell = pair.get_attribute("data-cell")
    lit = student.page.locator("#table .lit")
    assert lit.count() == 1
    assert lit.get_attribute("data-cell") == cell
    assert student.page.locator("#bars .part.S.lit").count() == 1
    assert "both 1 bit about" in student.text("#local")
    student.page.locator(f"#table [data-cell='{cell}']").hover()
    own = student.page.locator(f"#pairs [data-cell='{cell}']").count()
    assert student.page.locator("#pairs .lit").count() == own
    student.page.locator("#bars .main .part.S").hover()
    assert student.page.locator("body").get_attribute("data-atom") == "S"
    assert student.page.locator("#pairs .lit, #table .lit").count() == 0
    assert student.text("#local") == ""
    student.page.mouse.move(0, 0)
    pair.focus()
    assert lit.get_attribute("data-cell") == cell


def test_a_chosen_pair_goes_on_the_stage(student: Student) -> None:
    student.open()
    before = student.page.evaluate(f"() => {TWINS}")
    student.page.locator("#pairs .pair").nth(7).click()
    student.settle()
    assert student.page.evaluate(f"() => {TWINS}") != before
    assert student.page.locator("#pairs .pair.on").count() == 1


# --------------------------------------------------------------------------- tables


def test_a_cell_moves_pairs_and_bars(student: Student) -> None:
    student.open("preset=and")
    labels = student.text("#pairs")
    student.page.get_by_label("Probability of X1 = 0, X2 = 0, Y = 0", exact=True).fill("0.7")
    student.settle()
    table = np.array([[[0.7, 0], [0.1, 0]], [[0.1, 0], [0, 0.1]]])
    assert student.atoms() == pytest.approx(broja(table).values, abs=1e-6)
    assert student.text("#pairs") != labels
    assert student.page.locator("#preset").input_value() == ""


def test_a_cell_is_dragged(student: Student) -> None:
    student.open("preset=xor")
    handle = student.page.get_by_label("Probability of X1 = 1, X2 = 1, Y = 0, by dragging")
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    at = [box["x"] + 10 + 0.25 * (box["width"] - 20), box["y"] + box["height"] / 2]
    student.page.mouse.move(*at)
    student.page.mouse.down()
    for step in range(6):
        student.page.mouse.move(at[0] + step * 0.08 * box["width"], at[1])
    student.page.mouse.up()
    student.settle()
    table = table_of(student)
    assert table[1, 1, 0] > 0.5
    assert table.sum() == pytest.approx(1)
    assert table[0, 0, 0] == pytest.approx(table[0, 1, 1])
    assert student.atoms() == pytest.approx(broja(table).values, abs=1e-6)


def test_typing_one_on_the_way_keeps_the_proportions(student: Student) -> None:
    student.open("preset=and")
    cell = student.page.get_by_label("Probability of X1 = 0, X2 = 0, Y = 0", exact=True)
    cell.click()
    student.press("Control+a", "1")
    assert table_of(student)[0, 0, 0] == 1
    student.press("Control+a", ".", "5")
    table = np.array([[[3, 0], [1, 0]], [[1, 0], [0, 1]]]) / 6
    np.testing.assert_allclose(table_of(student), table, atol=1e-9)
    assert "sum to 1" in student.text("#table-state")


def test_an_invalid_table_turns_red_and_is_mended(student: Student) -> None:
    student.open("preset=and")
    student.page.locator("#keep").uncheck()
    student.page.get_by_label("Probability of X1 = 1, X2 = 1, Y = 1", exact=True).fill("0.75")
    student.settle()
    assert student.atoms() is None
    assert "sum to 1.5" in student.text("#table-state")
    assert student.legend() == ["–"] * 4
    assert student.page.locator("#bars .part").count() == 0
    red = student.page.locator("#table-state").evaluate("e => getComputedStyle(e).color")
    assert red == "rgb(164, 0, 0)"
    student.click("#normalize")
    expected = broja(np.array([[[1, 0], [1, 0]], [[1, 0], [0, 3]]]) / 6).values
    assert student.atoms() == pytest.approx(expected, abs=1e-6)


def test_a_question_on_images_becomes_a_table(student: Student) -> None:
    student.open("task=texture1&k=3&rho=.8")
    images = student.atoms()
    student.click("#edit")
    assert student.state()["mode"] == "table"
    assert student.atoms() == pytest.approx(images, abs=1e-6)


def test_what_is_pasted_is_used(student: Student) -> None:
    def paste(text: str) -> None:
        student.page.locator("#paste").fill(text)
        student.click("#use-paste")

    student.open("preset=and")
    program = student.text("#python")
    student.go("preset=boom")
    paste(program)
    assert student.text("#paste-error") == ""
    assert student.atoms() == pytest.approx(broja(GALLERY["AND"].table()).values, abs=1e-6)
    paste("0 0 0 1\n0 1 1 1\n1 0 2 1\n1 1 3 1")
    assert student.legend() == ["0", "1", "1", "0"]
    paste("red dog yes 4\nblue cat no 4\nred cat yes 1")
    assert sum(student.atoms() or []) == pytest.approx(0.991076, abs=1e-6)
    paste(f"{student.file.as_uri()}#task=texture1&k=7&rho=.35")
    assert student.state()["k"] == 7
    assert student.state()["mode"] == "images"
    paste("what?")
    assert student.text("#paste-error")
    assert student.state()["k"] == 7


# --------------------------------------------------------------------------- predictions, beliefs


def test_other_definitions_at_one_toggle(student: Student) -> None:
    student.open("preset=xor")
    student.page.locator("#compare").check()
    student.settle()
    assert "agree here" in student.text("#parting")
    student.page.locator("#preset").select_option("copy")
    student.settle()
    assert "They part here" in student.text("#parting")
    assert student.page.locator("#bars .bar-row").count() == 3
    student.page.locator("[data-part=numbers] summary").click()
    assert re.search(r"I_min\s+1\s+0\s+0\s+1\s+2", student.text("#numbers"))


def test_predict_then_reveal(student: Student) -> None:
    student.open("preset=ablation&guess=1")
    hidden = student.text("main")
    assert "leaving out either source" not in hidden
    assert "= 1" not in student.text("#say")
    assert not student.page.locator("#legend").is_visible()
    for name in ("U1", "U2"):
        student.slide(f"g-{name}", 1)
    assert student.text("#g-U1-out") == "1"
    student.click("#reveal")
    assert "3 bits off" in student.text("#verdict")
    assert "left out" in student.text("#verdict")
    assert student.legend() == ["0", "0", "0", "1"]
    assert "leaving out either source" in student.text("#preset-text")
    student.open("preset=copy&guess=1")
    for name in ("R", "S"):
        student.slide(f"g-{name}", 1)
    student.click("#reveal")
    assert "I_min" in student.text("#verdict")


def test_a_right_prediction_is_told_so_and_its_bars_are_those_drawn(student: Student) -> None:
    student.page.emulate_media(reduced_motion="reduce")
    student.open("preset=xor&guess=1")
    student.page.locator("#g-S").focus()
    student.press("End")
    assert student.bar("S") == pytest.approx(student.rect("#bars .main .bar")["width"], abs=2)
    student.click("#reveal")
    assert student.text("#verdict").startswith("Exactly right")
    assert student.page.locator("#bars .bar-row").count() == 2


def test_a_belief_answers_with_its_reason(student: Student) -> None:
    student.open()
    beliefs = student.page.locator("#beliefs > li")
    assert beliefs.count() == 10
    for place in range(10):
        options = student.page.evaluate("(place) => playground.World.BELIEFS[place].options", place)
        box = beliefs.nth(place)
        for which, option in enumerate(options):
            button = box.locator(".options button").nth(which)
            assert button.inner_text() == option["text"]
            button.click()
            why = box.locator(".why").inner_text()
            assert why == f"{'Right.' if option['right'] else 'Not so.'} {option['why']}"
            assert button.get_attribute("class") == ("right" if option["right"] else "wrong")
    beliefs.nth(1).get_by_role("link", name="See it").click()
    student.settle()
    assert student.state()["preset"] == "xor"
    beliefs.nth(1).get_by_role("link", name="Predict the bars").click()
    student.settle()
    assert student.state()["guess"]
    assert not student.page.locator("#legend").is_visible()


def test_a_solved_exercise_is_noticed(student: Student) -> None:
    student.open()
    starts = student.page.evaluate("playground.World.EXERCISES.map((one) => one.start)")
    assert student.page.locator("#exercises a").count() == len(starts)
    student.page.locator("#exercises a").nth(2).click()
    student.slide("e", 0.11)
    assert "Solved" in student.text("#exercise-half-xor")


# --------------------------------------------------------------------------- samples, play, runs


def test_samples_show_the_bias(student: Student) -> None:
    student.open("preset=independent")
    student.wait("document.getElementById('band-text').textContent.includes('On average')")
    found = re.search(r"S = (0\.\d+)", student.text("#band-text"))
    assert found
    assert float(found[1]) == pytest.approx(0.42, abs=0.02)
    assert student.legend() == ["0"] * 4
    student.page.locator("[data-part=numbers] summary").click()
    row = re.search(r"samples of 64: mean\s+([\d.\s]+)", student.text("#numbers"))
    assert row
    assert float(row[1].split()[3]) == pytest.approx(0.42, abs=0.02)


def test_play_moves_the_rate_and_traces_the_curves(student: Student) -> None:
    student.open("task=texture1")
    seen = "Number(document.getElementById('sweep-seen').getAttribute('width'))"
    whole = student.page.evaluate(seen)
    student.page.locator("#play").click()
    assert student.text("#play") == "Stop"
    student.wait("playground.state().rho > .3 && playground.state().rho < .9")
    first = student.page.evaluate(f"[playground.state().rho, {seen}]")
    student.wait(f"playground.state().rho > {first[0]} + .1")
    second = student.page.evaluate(f"[playground.state().rho, {seen}]")
    assert first[1] < second[1] < whole
    student.click("#play")
    stopped = student.state()["rho"]
    student.page.wait_for_timeout(150)
    assert student.state()["rho"] == stopped < 1
    assert student.page.evaluate(seen) == whole
    assert student.text("#play") == "Play"


def test_another_question_ends_the_play(student: Student) -> None:
    student.open("task=texture1")
    for hash_, other in (
        ("preset=and", lambda: student.go("preset=and")),
        ("task", lambda: student.page.locator("#asks-list input[value=shape]").check()),
        ("guess", lambda: student.click("#predict")),
    ):
        student.go("task=texture1")
        student.page.locator("#play").click()
        assert student.text("#play") == "Stop"
        other()
        student.settle()
        before = student.state()["rho"]
        student.page.wait_for_timeout(120)
        assert student.state()["rho"] == before, hash_
        assert student.page.locator("#play").inner_text() in {"Play", ""}, hash_


def test_play_takes_steps_where_motion_is_unwelcome(student: Student) -> None:
    student.page.emulate_media(reduced_motion="reduce")
    student.open("task=texture1&rho=.33")
    seen = set()
    student.page.locator("#play").click()
    while student.text("#play") == "Stop":
        seen.add(student.state()["rho"])
        student.page.wait_for_timeout(50)
    assert seen - {0.33} <= {0, 0.25, 0.5, 0.75, 1}
    assert len(seen) >= 4


def test_recorded_runs_open_with_three_and_others_by_choice(student: Student) -> None:
    student.open()
    assert student.page.locator("#arms-key .arm").count() == 3
    assert "seeds" in student.text("#claim")
    assert student.page.locator("#curves svg").count() == 4
    student.page.locator("#arms-box summary").click()
    assert student.page.locator("#arms input:checked").count() == 3
    student.page.locator("#arms input:not(:checked)").first.check()
    student.wait("location.hash.includes('arms=')")
    assert student.page.locator("#arms-key .arm").count() == 4
    for box in reversed(student.page.locator("#arms input:checked").all()):
        box.click()
        student.settle()
    assert student.page.locator("#arms-key .arm").count() == 3  # none chosen: the three again
    assert student.page.locator("#runs").evaluate("e => e.textContent").count("seed 2") == 12


def test_curves_are_scrubbed(student: Student) -> None:
    student.open()
    last = student.text("#readings")
    svg = student.page.locator("#curves svg").first
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    student.page.mouse.click(box["x"] + 38, box["y"] + 80)
    student.settle()
    assert student.text("#epoch-out") == "0"
    assert student.text("#readings") != last
    student.page.locator("input[name=unit][value=bits]").check()
    student.settle()
    assert "Fano" in student.text("#readings")
    assert "in the data" in student.text("#readings")


def test_epochs_play_with_a_sentence_of_result(student: Student) -> None:
    student.open()
    said = set()
    student.page.locator("#play-epochs").click()
    while student.text("#play-epochs") == "Stop":
        said.add(student.text("#epoch-text"))
        student.page.wait_for_timeout(100)
        if len(said) == 2:
            break
    assert all(re.match(r"Epoch \d+\b.*: .*\d", sentence) for sentence in said)
    assert len(said) == 2
    student.click("#play-epochs")
    assert student.text("#play-epochs") == "Play the epochs"


def test_an_epoch_that_was_not_probed_has_no_number(student: Student) -> None:
    student.open("epoch=1")
    assert "not probed at this epoch" in student.text("#readings")
    first = student.page.locator("#readings tbody tr").first.inner_text()
    assert re.fullmatch(r"CoMM\s+(–\s+){5,7}3", first)
    student.open("epoch=2")
    assert "not probed" not in student.text("#readings")


def test_many_runs_are_told_apart(browser: Any, tmp_path: Path) -> None:
    rows = recorded_rows()
    own = [row for row in rows if (row["method"], row["loss"]) == ("comm", "L_CoMM")]
    others = [row | {"setting": f"setting {n}"} for n in range(7) for row in own]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, *others]), "utf-8")
    page = browser.new_page()
    Student(page, write_page(tmp_path / "a.html", file)).open()
    samples = page.evaluate(
        "() => [...document.querySelectorAll('#arms svg')].map((svg) => svg.innerHTML)"
    )
    assert len(samples) == 13
    assert len(set(samples)) == 13
    page.close()


def test_marks_are_atoms_of_codes_where_they_are_known(browser: Any, tmp_path: Path) -> None:
    zero = {"value": 0.0, "low": 0.0, "high": 0.1}
    codes = [
        {"kind": "codes", "method": "comm", "loss": "L_CoMM", "setting": "", "biased": biased}
        | {"seed": seed, "codes": "trained", "task": task, "n": 4096}
        | {"atoms": {"R": zero, "U1": zero, "U2": zero, "S": {"value": 0.3 * biased}}}
        | {"law": {"R": 0.0, "U1": 0.0, "U2": 0.0, "S": 0.47}}
        for biased in (True, False)
        for seed in range(3)
        for task in ("share", "unique1", "unique2", "synergy")
    ]
    files = {"rows": recorded_rows(), "codes": codes}
    for name, rows in files.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / name).write_text(text, "utf-8")
    page = browser.new_page()
    built = write_page(tmp_path / "a.html", tmp_path / "rows", tmp_path / "codes")
    window = Student(page, built).open()
    words = page.locator("#frame svg").get_attribute("aria-label")
    assert re.search(r"S: exact [\d.]+.*, CoMM 0\.300", words), words
    assert "Fano" not in window.text("#frame-text")
    assert window.troubles == []
    page.close()


def test_the_page_works_without_recorded_runs(browser: Any, tmp_path: Path) -> None:
    page = browser.new_page()
    window = Student(page, write_page(tmp_path / "a.html"))
    window.open()
    assert "--rows" in window.text("#learned-sub")
    window.open("step=5")
    assert window.text("#path-title").startswith("Step 5")
    window.page.locator("#path-options button").first.click()
    assert window.text("#path-why")
    assert window.troubles == []
    page.close()


def test_reset_keeps_what_a_teacher_hid(student: Student) -> None:
    student.open("preset=and&hide=python&rho=.9&cover=1")
    student.click("#reset")
    assert student.state()["hide"] == ["python"]
    assert student.state()["preset"] == ""
    assert student.text("#question") == "Does the color match the texture?"


def test_the_way_back_leads_through_what_was_opened(student: Student) -> None:
    student.open()
    student.slide("rho", 0.7)
    student.click("#beliefs li:nth-child(2) .go a:last-child")
    assert student.state()["preset"] == "xor"
    student.page.go_back()
    student.wait("playground.state().preset === ''")
    assert student.state()["rho"] == 0.7


def test_what_is_hidden_cannot_be_read_off_the_braces(student: Student) -> None:
    student.open("preset=and&hide=S")
    assert student.page.locator(".brace-line:visible").count() == 0
    student.open("preset=and")
    assert student.page.locator(".brace-line:visible").count() == 3


def test_a_covered_image_is_of_a_pair_not_yet_seen(student: Student) -> None:
    student.open()
    before = student.page.locator("#image-2").get_attribute("aria-label")
    student.click("#cover-1")
    assert student.page.locator("#image-2").get_attribute("aria-label") != before
    student.click("#cover-1")
    assert student.page.locator("#cover-1").inner_text() == "Cover"
