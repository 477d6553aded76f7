"""The page in a real headless Chromium, opened from the file system as a student would."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playground_tools import browser_path, packed, random_tables, recorded_rows

from trifeature.pid import GALLERY, broja
from trifeature.playground import write_page

# Each test drives a real browser: a second or more apiece.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


class Student:
    """A browser window on the page, with all that went wrong in it."""

    def __init__(self, page: Any, file: Path) -> None:
        self.page = page
        self.file = file
        self.troubles: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.troubles.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def open(self, hash_: str = "") -> Student:
        """Load afresh."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.file.as_uri()}{'#' + hash_ if hash_ else ''}")
        self.wait("window.playground && document.querySelector('#bars svg') !== null")
        return self

    def wait(self, expression: str, seconds: float = 20) -> None:
        """Until it is true; asked from outside, as the page's own policy forbids `eval`."""
        until = time.monotonic() + seconds
        while not self.page.evaluate(f"Boolean({expression})"):
            assert time.monotonic() < until, expression
            time.sleep(0.02)

    def settle(self) -> None:
        """Wait for the next frame, when a change is drawn."""
        self.page.evaluate("() => new Promise((go) => requestAnimationFrame(() => setTimeout(go)))")

    def slide(self, name: str, value: float) -> None:
        """Move a slider as its own events would."""
        self.page.locator(f"#{name}").evaluate(
            "(e, x) => { e.value = x; e.dispatchEvent(new Event('input', {bubbles: true})); }",
            value,
        )
        self.settle()

    def text(self, selector: str) -> str:
        """What an element shows."""
        return str(self.page.locator(selector).inner_text())

    def atoms(self) -> list[float] | None:
        """R, U1, U2, S as the page has them."""
        found = self.page.evaluate(
            "() => { const a = playground.atoms(); return a && [a.R, a.U1, a.U2, a.S]; }"
        )
        return [float(x) for x in found] if found else None

    def legend(self) -> list[str]:
        """The four numbers shown."""
        return [self.text(f"#legend-{name} b") for name in ("R", "U1", "U2", "S")]

    def bar(self, name: str) -> float:
        """Width in pixels of a part of the chosen bar, 0 where it is not drawn."""
        return float(
            self.page.evaluate(
                """(name) => {
                const own = [...document.querySelectorAll(`#bars [data-atom="${name}"] rect.part`)];
                const chosen = own.filter((rect) => rect.getAttribute("opacity") === "1");
                return chosen.reduce((sum, rect) => sum + rect.getBoundingClientRect().width, 0);
            }""",
                name,
            )
        )


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = browser_path()
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("playground")
    rows = folder / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in recorded_rows()), "utf-8")
    return write_page(folder / "index.html", rows)


@pytest.fixture
def student(browser: Any, file: Path) -> Iterator[Student]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    window = Student(context.new_page(), file)
    yield window
    context.close()
    assert window.troubles == []
    assert {url.split(":")[0] for url in window.requests} <= {"file", "data", "about"}
    assert {url.split("#")[0] for url in window.requests if url.startswith("file:")} == {
        file.as_uri()
    }


def test_it_opens_with_a_result(student: Student) -> None:
    student.open()
    assert "All of it is synergy" in student.text("#say")
    assert student.legend() == ["0", "0", "0", "1"]
    assert student.bar("S") > 100
    assert student.page.locator(".pair canvas:visible").count() == 12


def test_the_sprites_are_in_the_pictures(student: Student) -> None:
    student.open()
    colors = student.page.evaluate("""() => new Promise((go) => setTimeout(() => {
        const canvas = document.querySelector(".pair canvas");
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        const seen = new Set();
        for (let i = 0; i < data.length; i += 4) seen.add(data.slice(i, i + 3).join());
        go(seen.size);
    }, 300))""")
    assert colors > 8


def test_the_match_rate_moves_pairs_table_sentence_and_bars(student: Student) -> None:
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
    student.slide("e", 0.1)
    assert student.atoms() != pytest.approx([0.736966, 2.584963, 0, 0], abs=1e-3)


def test_one_key_moves_the_slider_and_the_bars(student: Student) -> None:
    student.open("task=texture1")
    student.page.locator("#rho").focus()
    first = student.atoms()
    student.page.keyboard.press("ArrowRight")
    student.settle()
    assert student.atoms() != first
    assert "51 %" in student.text("#rho-out")
    assert "51 %" in student.page.locator("#rho").get_attribute("aria-valuetext")


def test_from_slider_to_bars_takes_less_than_50_ms(student: Student) -> None:
    student.open("task=texture1&k=10")
    times = student.page.evaluate("""async () => {
        const slider = document.getElementById("rho");
        const times = [];
        for (let i = 0; i < 12; i++) {
            const before = document.querySelector("#bars svg");
            const started = performance.now();
            slider.value = 0.3 + i / 100;
            slider.dispatchEvent(new Event("input", {bubbles: true}));
            while (document.querySelector("#bars svg") === before)
                await new Promise(requestAnimationFrame);
            times.push(performance.now() - started);
        }
        return times;
    }""")
    assert min(times) < 50  # the least: other work may run beside the test


def test_atoms_agree_with_the_package(student: Student) -> None:
    tables = [entry.table() for entry in GALLERY.values()] + list(random_tables(300, seed=4))
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


def test_a_cell_moves_pairs_and_bars(student: Student) -> None:
    student.open("preset=and")
    labels = student.text("#pairs")
    cell = student.page.get_by_label("Probability of X1 = 0, X2 = 0, Y = 0")
    cell.fill("0.7")
    student.settle()
    table = np.array([[[0.7, 0], [0.1, 0]], [[0.1, 0], [0, 0.1]]])
    assert student.atoms() == pytest.approx(broja(table).values, abs=1e-6)
    assert student.text("#pairs") != labels
    assert student.page.locator("#preset").input_value() == ""


def test_an_invalid_table_turns_red_and_is_mended(student: Student) -> None:
    student.open("preset=and")
    student.page.locator("#keep").uncheck()
    student.page.get_by_label("Probability of X1 = 1, X2 = 1, Y = 1").fill("0.75")
    student.settle()
    assert student.atoms() is None
    assert "sum to 1.5" in student.text("#table-state")
    assert student.legend() == ["–"] * 4
    assert student.page.locator("#bars svg").count() == 0
    red = student.page.locator("#table-state").evaluate("e => getComputedStyle(e).color")
    assert red == "rgb(164, 0, 0)"
    student.page.locator("#normalize").click()
    student.settle()
    expected = broja(np.array([[[1, 0], [1, 0]], [[1, 0], [0, 3]]]) / 6).values
    assert student.atoms() == pytest.approx(expected, abs=1e-6)


def test_other_definitions_at_one_toggle(student: Student) -> None:
    student.open("preset=xor")
    student.page.locator("#compare").check()
    student.settle()
    assert "agree here" in student.text("#parting")
    student.page.locator("#preset").select_option("copy")
    student.settle()
    assert "They part here" in student.text("#parting")
    student.page.locator("details summary").first.click()
    assert re.search(r"I_min\s+1\s+0\s+0\s+1\s+2", student.text("#numbers"))


def test_predict_then_reveal(student: Student) -> None:
    student.open("preset=ablation&guess=1")
    hidden = student.text("main")
    assert "1 bit" not in student.text("#say")
    assert student.legend() == ["?"] * 4
    for name in ("U1", "U2"):
        student.slide(f"g-{name}", 1)
    student.page.locator("#reveal").click()
    student.settle()
    assert "3 bits off" in student.text("#verdict")
    assert "left out" in student.text("#verdict")
    assert student.legend() == ["0", "0", "0", "1"]
    assert "leaving out either source" not in hidden
    assert "leaving out either source" in student.text("#preset-text")


@pytest.mark.parametrize(
    "hash_",
    [
        "task=texture1&k=7&rho=.35&e=.1&seed=12&map=4",
        "preset=copy&rho=.9&compare=0",
        "mode=table&p=2x2x2_.25,0,.25,0,.125,.125,0,.25&n=64",
        "preset=and&guess=1&g=.5,0,0,.25&shown=1",
        "off=cross,comm-L_i&epoch=2&unit=accuracy&hide=pixels,S",
    ],
)
def test_the_whole_state_is_in_the_link(student: Student, hash_: str) -> None:
    student.open(hash_)
    state = student.page.evaluate("JSON.stringify(playground.state())")
    link = student.page.evaluate("playground.link()")
    assert link.split("#")[1] == hash_
    student.open("preset=xor")
    student.page.goto(link)
    student.settle()
    assert student.page.evaluate("JSON.stringify(playground.state())") == state
    assert student.text("#notice") == ""


def test_a_change_reaches_the_address_and_the_way_back(student: Student) -> None:
    student.open()
    for rho in range(60):
        student.slide("rho", 0.3 + rho / 100)
    student.wait("location.hash === '#rho=.89'")
    student.page.locator("#reset").click()
    student.wait("location.hash === ''")
    assert student.legend() == ["0", "0", "0", "1"]


def test_values_out_of_range_are_clamped_with_a_word(student: Student) -> None:
    student.open("k=99&rho=7&flavor=red")
    notice = student.text("#notice")
    assert "Classes: 99 is not a whole number from 2 to 10: set to 10." in notice
    assert "Match rate 7" in notice
    assert "flavor" in notice


def test_a_teacher_hides_what_shall_be_found(student: Student) -> None:
    student.open("preset=and&hide=S,python,compare,answer")
    assert student.legend()[3] == "?"
    assert student.bar("S") == 0
    assert "0.5" not in student.text("#say")
    for element in ("#python", "#compare", "#preset-text"):
        assert not student.page.locator(element).is_visible()


def test_samples_show_the_bias(student: Student) -> None:
    student.open("preset=independent")
    student.wait("document.getElementById('band-text').textContent.includes('On average')")
    found = re.search(r"S = (0\.\d+)", student.text("#band-text"))
    assert found
    assert float(found[1]) == pytest.approx(0.42, abs=0.02)
    assert student.legend() == ["0"] * 4


def test_recorded_curves_are_scrubbed_and_named(student: Student) -> None:
    student.open()
    assert student.page.locator("#curves svg").count() == 4
    last = student.text("#readings")
    svg = student.page.locator("#curves svg").first
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    student.page.mouse.click(box["x"] + 38, box["y"] + 80)
    student.settle()
    assert student.text("#epoch-out") == "0"
    assert student.text("#readings") != last
    student.page.locator("#arms input").nth(3).uncheck()
    student.settle()
    assert "Cross+Self" in student.text("#readings")
    assert not re.search(r"^Cross\s", student.text("#readings"), re.MULTILINE)
    student.page.locator("#runs").evaluate("e => e.parentElement.open = true")
    assert "method cross+self" in student.text("#runs")
    assert student.text("#runs").count("seed 2") == 12


def test_an_epoch_that_was_not_probed_has_no_number(student: Student) -> None:
    student.open("epoch=1")
    assert "not probed at this epoch" in student.text("#readings")
    first = student.page.locator("#readings tbody tr").first.inner_text()
    assert re.fullmatch(r"CoMM\s+(–\s+){5}3", first)
    student.open("epoch=2")
    assert "not probed" not in student.text("#readings")


def test_more_than_six_runs_are_told_apart(browser: Any, tmp_path: Path) -> None:
    rows = recorded_rows(seeds=1)
    others = [r | {"setting": f"setting {n}"} for n in range(7) for r in rows[:6]]
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


def test_what_samples_say_stands_in_the_table_of_numbers(student: Student) -> None:
    student.open("preset=independent")
    student.wait("document.getElementById('band-text').textContent.includes('On average')")
    student.page.locator("details summary").first.click()
    found = re.search(r"samples of 64: mean\s+([\d.\s]+)", student.text("#numbers"))
    assert found
    assert float(found[1].split()[3]) == pytest.approx(0.42, abs=0.02)


def test_a_pasted_table_is_used(student: Student) -> None:
    student.open()
    student.page.locator("#paste").fill("0 0 0 1\n0 1 1 1\n1 0 2 1\n1 1 3 1")
    student.page.locator("#use-paste").click()
    student.settle()
    assert student.legend() == ["0", "1", "1", "0"]
    student.page.locator("#paste").fill("what?")
    student.page.locator("#use-paste").click()
    assert student.text("#paste-error")


def test_presets_and_links_open_what_they_say(student: Student) -> None:
    student.open()
    links = student.page.locator("#beliefs a")
    assert links.count() == 20
    links.nth(3).click()
    student.settle()
    assert student.page.locator("#preset").input_value() == "xor"
    assert "cannot" not in student.text("#notice")
    student.page.locator("#exercises a").nth(2).click()
    student.slide("e", 0.11)
    assert "Solved" in student.text("#exercise-half-xor")


def test_the_page_works_without_recorded_runs(browser: Any, tmp_path: Path) -> None:
    page = browser.new_page()
    window = Student(page, write_page(tmp_path / "a.html"))
    window.open()
    assert "--rows" in window.text("#learned-sub")
    assert window.troubles == []
    page.close()


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
@pytest.mark.parametrize("hash_", ["k=10&task=texture1&compare=1&n=64", "preset=rdnxor&guess=1"])
def test_nothing_is_wider_than_the_screen(browser: Any, file: Path, width: int, hash_: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    Student(page, file).open(hash_)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.mark.parametrize("hash_", ["", "preset=copy&n=64", "preset=and&guess=1", "p=2x1x2_1,0,0,1"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing(browser: Any, file: Path, hash_: str, width: int) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(f"{file.as_uri()}{'#' + hash_ if hash_ else ''}")
    for details in page.locator("details").all():
        details.evaluate("e => e.open = true")
    found = axe.Axe().run(page).response["violations"]
    page.close()
    assert [(v["id"], v["impact"], v["nodes"][0]["html"][:120]) for v in found] == []


def test_every_control_has_a_name_and_can_be_reached_by_key(student: Student) -> None:
    student.open()
    nameless = student.page.evaluate("""() => {
        const controls = [...document.querySelectorAll("input, select, button, textarea")];
        const named = (e) => (e.labels && e.labels.length) || e.getAttribute("aria-label");
        return controls.filter((e) => !named(e) && !e.textContent.trim()).map((e) => e.outerHTML);
    }""")
    assert nameless == []
    reached = set()
    for _ in range(60):
        student.page.keyboard.press("Tab")
        reached.add(student.page.evaluate("document.activeElement.id"))
    assert {"preset", "task", "rho", "k", "e", "predict", "compare", "n", "legend-S"} <= reached
