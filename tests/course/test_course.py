"""The course: its exercises, notebooks, slides and key, and Jupyter beside our package.

The fast tests need no Jupyter, but for those that read a notebook's source.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from course_files import (
    COURSE,
    NAMES,
    REPOSITORY,
    code_cells,
    load,
    load_build,
    markdown,
    notebook,
    numbers,
    printed,
    text_of,
)
from playground_tools import browser_path

import trifeature as tf
import trifeature.comm
from trifeature.comm.losses import info_nce
from trifeature.data.dataset import build as build_dataset
from trifeature.data.dataset import preset, with_match_rate
from trifeature.pid import gallery_table

checks: Any = load("checks")
solutions: Any = load("solutions")
key: Any = load("key")
EXERCISES = sorted(checks.CHECKS)
SLOW = {"exercise_5_3": "fits the probes of three studies"}
"""Solutions that take more than a second, and why."""


def stubs() -> dict[str, str]:
    """The code of every exercise cell, by the check that it calls."""
    found: dict[str, str] = {}
    for name in NAMES:
        for cell in code_cells(notebook(name)):
            if "exercise" in cell["metadata"].get("tags", []):
                code = "".join(cell["source"])
                (called,) = re.findall(r"^checks\.(exercise_\d_\d)\(", code, re.MULTILINE)
                assert called not in found
                found[called] = code
    return found


def run_cell(code: str) -> Any:
    """The value of a cell's last line, as a notebook would show it."""
    *body, last = ast.parse(code).body
    assert isinstance(last, ast.Expr)
    names: dict[str, Any] = {"checks": checks}
    exec(compile(ast.Module(body, []), "cell", "exec"), names)  # noqa: S102 - our own notebook
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)  # noqa: S307


# --------------------------------------------------------------------------- exercises


def test_every_exercise_has_a_stub_a_check_a_solution_and_a_key() -> None:
    assert len(EXERCISES) >= 25
    assert sorted(stubs()) == EXERCISES
    assert sorted(solutions.SOLUTIONS) == EXERCISES
    assert sorted(key.KEY) == EXERCISES


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in EXERCISES],
)
def test_the_solution_passes_its_check(name: str) -> None:
    verdict = checks.CHECKS[name](solutions.SOLUTIONS[name]())
    assert verdict.right, verdict
    assert repr(verdict).startswith("✓ Right: ")


@pytest.mark.parametrize("name", EXERCISES)
def test_the_stub_fails_its_check_with_a_sentence(name: str) -> None:
    verdict = run_cell(stubs()[name])
    assert not verdict.right
    assert verdict.sentence.endswith(".")
    assert len(verdict.sentence.split()) >= 6
    assert re.search("yet|still to be", verdict.sentence)
    assert repr(verdict).startswith("✗ Not yet: ")


@pytest.mark.parametrize("name", EXERCISES)
def test_typical_wrong_answers_are_told_why_they_are_wrong(name: str) -> None:
    """The reason of the key stands in the check's sentence: it says why, not only that."""
    slips = key.KEY[name].slips
    assert len(slips) >= 2
    for slip in slips:
        verdict = checks.CHECKS[name](slip.answer)
        assert not verdict.right, slip.what
        assert slip.reason in verdict.sentence, slip.what
        assert len(slip.reason.split()) >= 2, slip.reason


def raising(*_: Any) -> float:
    return float(list(_)[7])


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("exercise_1_3", raising, "stopped with IndexError"),
        ("exercise_1_4", "a tenth", "is one number"),
        ("exercise_2_1", "color", "a PairRule is wanted"),
        ("exercise_2_3", lambda *_: True, "a constant tells nothing"),
        ("exercise_2_4", 0.9, "two numbers"),
        ("exercise_3_1", {"shape"}, "a dictionary"),
        ("exercise_3_1", {"unbiased": "shape 1", "biased": "shape 1"}, "shape 2 can be told"),
        ("exercise_3_2", lambda a, b, t: "much" + str(len(a) + len(b) + t), "is one number"),
        ("exercise_3_4", lambda z: 2 * z, "has a mean of"),
        ("exercise_3_4", lambda z: 0 * z, "the interaction is lost"),
        ("exercise_3_4", lambda z: 2 * interaction(z), "nothing else is done to them"),
        ("exercise_4_1", dict.fromkeys(("r", "u1", "u2", "s1 xor s2"), "L_1"), "L rewards r too"),
        ("exercise_5_1", lambda *four: tf.Samples.from_arrays(four[0], four[2]), "dictionaries"),
    ],
)
def test_an_answer_of_another_kind_never_raises(name: str, answer: Any, words: str) -> None:
    verdict = checks.CHECKS[name](answer)
    assert not verdict.right
    assert words in verdict.sentence


def interaction(z: Any) -> Any:
    """What rows and columns leave of codes [N, M, D]."""
    return z - z.mean(0) - z.mean(1, keepdims=True) + z.mean((0, 1))


def test_a_gain_of_one_seed_is_no_gain() -> None:
    """The made-up rows tell a mean over seeds from one seed, whichever is taken."""
    whole = solutions.SOLUTIONS["exercise_3_3"]()
    for seed in (0, 1):

        def gain(rows: Any, method: str, seed: int = seed) -> float:
            return float(whole([row for row in rows if row["seed"] == seed], method))

        verdict = checks.CHECKS["exercise_3_3"](gain)
        assert not verdict.right
        assert "only one seed" in verdict.sentence


def test_no_two_slips_of_a_check_look_alike() -> None:
    """What a check says of a slip is said of no other: each has numbers or verdicts of its own."""
    bias = checks.noise._bias
    for n, N, M, K in ((1000, 4, 5, 3), (500, 4, 4, 4)):
        values = [
            *(checks.noise._mistakes_of_bias((n, N, M, K)).values()),
            bias(n, N, M, K),
        ]
        gaps = np.diff(np.sort(values)) / np.min(values)
        assert gaps.min() > 1e-3
    right = tuple(case[2] for case in checks.terms.CASES)
    said = [tuple(checks.terms.verdicts(j)) for j in checks.terms._mistakes_of_judges().values()]
    assert len({right, *said}) == len(said) + 1
    a, b = np.random.default_rng(0).normal(size=(2, 6, 4))
    for mistakes in (
        checks.alignment._mistakes_of_alignment(a, b, 0.5),
        checks.gaussian._mistakes_of_correlation(0.4),
        checks.alignment._mistakes_of_gain(checks.alignment._made_up_rows(), "comm"),
    ):
        assert np.diff(np.sort(list(mistakes.values()))).min() > 1e-6


def test_a_judge_is_told_what_it_decides_like_and_not_what_it_does() -> None:
    for judge, words in (
        (lambda t, c: min(len(t), len(c)) > 1 and min(t) > max(c), "every treated run is above"),
        (lambda t, c: checks.terms.judged(t, c, errors=2, how="mean"), "mean of the two squared"),
        (lambda t, c: checks.terms.judged(t, c, errors=2, how="linear"), "added the two standard"),
    ):
        sentence = checks.CHECKS["exercise_4_3"](judge).sentence
        assert words in sentence
        assert "decides as if you" in sentence


def test_a_wrong_definition_is_not_told_the_number_of_another_paper() -> None:
    """The key of 8.3 cannot be read off its checks: only the paper's own number is said."""
    claims = checks.gaussian.claims()
    for paper in claims:
        for name in ("MMI", "I_dep", "BROJA"):
            answer = {**solutions.SOLUTIONS["exercise_8_3"](), paper: name}
            said = set(re.findall(r"\d\.\d{4}", checks.CHECKS["exercise_8_3"](answer).sentence))
            assert said <= {f"{claims[paper]:.4f}"}


def test_an_atom_without_a_yes_may_be_no_or_open() -> None:
    answer = {"A": {"synergy", "unique1"}, "B": {"redundancy"}, "C": set()}
    sentence = checks.CHECKS["exercise_5_3"](answer).sentence
    assert "no or open" in sentence


def test_a_bound_that_was_estimated_is_written_with_its_interval() -> None:
    text = markdown(notebook("05-your-data"))
    (statement,) = re.findall(r"^d\) (.*?)<br>", text, re.DOTALL | re.MULTILINE)
    assert "to within its interval" in statement


def test_the_alignment_loss_by_hand_is_the_packages() -> None:
    """The solution of 3.2 in NumPy against `info_nce`, on codes that no check uses."""
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=(2, 9, 5))
    wanted = float(info_nce(torch.tensor(a), torch.tensor(b), 0.3, "cross"))
    assert solutions.SOLUTIONS["exercise_3_2"]()(a, b, 0.3) == pytest.approx(wanted, abs=1e-6)


def test_an_unforeseen_table_is_judged_by_its_atoms() -> None:
    """OR is as right an answer to 1.2 as AND: the check looks at atoms, not at a name."""
    turned = gallery_table("AND")[::-1, ::-1, ::-1].copy()
    assert checks.CHECKS["exercise_1_2"](turned).right


# --------------------------------------------------------------------------- notebooks as files


@pytest.fixture(scope="module")
def build() -> Any:
    """`docs/course/build.py`, where Jupyter's packages are."""
    return load_build()


@pytest.mark.filterwarnings("ignore")  # of Jupyter's packages, which we do not change
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_made_of_its_source(name: str, build: Any) -> None:
    """Whoever changes one and not the other is told to run `docs/course/build.py`."""
    source, built = build.read_source(name), notebook(name)
    assert [(c["cell_type"], c["source"], c["id"]) for c in source.cells] == [
        (c["cell_type"], "".join(c["source"]), c["id"]) for c in built["cells"]
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_small_whole_and_free_of_errors(name: str) -> None:
    assert (COURSE / f"{name}.ipynb").stat().st_size < 400_000
    assert_sound(notebook(name))


@pytest.mark.parametrize("name", [*NAMES, "README", "key"])
def test_links_of_the_course_lead_somewhere(name: str) -> None:
    if name in NAMES:
        text = markdown(notebook(name))
    else:
        text = (COURSE / f"{name}.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    assert links or name == "key"
    assert [link for link in links if not (COURSE / link).exists()] == []


def assert_sound(content: dict[str, Any]) -> None:
    """Every cell ran, in order, without errors or warnings, and leaks no path of a machine."""
    cells = code_cells(content)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert {o["output_type"] for o in outputs} <= {"stream", "display_data", "execute_result"}
    assert {o["name"] for o in outputs if o["output_type"] == "stream"} <= {"stdout"}
    assert any("image/png" in o.get("data", {}) for o in outputs)
    assert not re.search(r"/(?:tmp|home|root|mnt)/", "".join(map(text_of, cells)))


# --------------------------------------------------------------------------- goals, hints, slides


TIME = re.compile(r"\*\*Time:\*\* (\d+) minutes: (\d+) to read and run, (\d+) for the exercises\.")


def goals(name: str) -> str:
    """The cell of a notebook that says its goals."""
    cells = [c for c in notebook(name)["cells"] if "goals" in c["metadata"].get("tags", [])]
    assert len(cells) == 1
    return "".join(cells[0]["source"])


def exercises_of(name: str) -> list[str]:
    """The exercises of a notebook, by the names of their checks."""
    return [exercise for exercise in EXERCISES if exercise.startswith(f"exercise_{int(name[:2])}_")]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_says_three_goals_its_time_and_what_comes_before(name: str) -> None:
    text = goals(name)
    assert len(re.findall(r"^\* [a-z]+ ", text, re.MULTILINE)) == 3
    assert "**Before:** " in text
    whole, reading, exercising = numbers(TIME.pattern, text)
    assert whole == reading + exercising
    assert exercising == sum(key.KEY[exercise].minutes for exercise in exercises_of(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_exercise_has_a_hint_to_unfold_that_is_no_solution(name: str) -> None:
    text = markdown(notebook(name))
    hints = re.findall(r"<details><summary>Hint</summary>\n\n(.+?)\n\n</details>", text, re.DOTALL)
    assert len(hints) == text.count("<details>") == len(exercises_of(name))
    assert all(8 <= len(hint.split()) <= 80 for hint in hints)


class Slides(HTMLParser):
    """What a deck holds: slides, their words, and every address that it would load or open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[int] = []
        self.loaded: list[str] = []
        self.opened: list[str] = []
        self._code = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "section":
            self.words.append(0)
        self._code = self._code or tag in ("pre", "script", "style")
        if tag in ("img", "script", "link", "iframe", "source"):
            self.loaded += [known[name] for name in ("src", "href") if name in known]
        if tag == "a":
            self.opened.append(known["href"])

    def handle_endtag(self, tag: str) -> None:
        self._code = self._code and tag not in ("pre", "script", "style")

    def handle_data(self, data: str) -> None:
        if self.words and not self._code:
            self.words[-1] += len(data.split())


def without_pictures(deck: str) -> str:
    """A deck without its pictures, whose bytes depend on the version of Pillow."""
    return re.sub(r"base64,[^\"]+", "", deck)


@pytest.mark.filterwarnings("ignore")  # of Jupyter's packages, which we do not change
@pytest.mark.parametrize("name", NAMES)
def test_a_deck_is_made_of_its_notebook(name: str, build: Any) -> None:
    """Whoever builds a notebook and not its slides is told to run `build.py --slides`."""
    kept = (COURSE / "slides" / f"{name}.html").read_text(encoding="utf-8")
    assert without_pictures(kept) == without_pictures(build.slides_of(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_deck_is_short_small_whole_and_loads_nothing(name: str) -> None:
    path = COURSE / "slides" / f"{name}.html"
    assert path.stat().st_size < 300_000
    found = Slides(path.read_text(encoding="utf-8"))
    assert 8 <= len(found.words) <= 12
    assert max(found.words) <= 130
    assert all(source.startswith("data:image/png;base64,") for source in found.loaded)
    local = [link.partition("#")[0] for link in found.opened if "://" not in link]
    assert [link for link in local if not (path.parent / link).resolve().exists()] == []
    assert "<summary>Hint" not in path.read_text(encoding="utf-8")


@pytest.mark.slow  # Starts a browser: half a minute for all decks.
@pytest.mark.parametrize("name", NAMES)
def test_a_deck_shows_and_prints_every_slide_whole(name: str, tmp_path: Path) -> None:
    """Keys turn slides, nothing is cut off, one a printed page; a long page without scripts."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = browser_path()
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto((COURSE / "slides" / f"{name}.html").as_uri())
        count = page.locator("section").count()
        for keys, shown in (("ArrowRight", 2), (" ", 3), ("ArrowLeft", 2), ("End", count)):
            page.keyboard.press(keys)
            assert page.evaluate("document.querySelector('section.now').id") == f"s{shown}"
        cut = page.evaluate(
            """[...document.querySelectorAll("section > div, pre")].filter(
                e => e.scrollHeight > e.clientHeight + 3 || e.scrollWidth > e.clientWidth + 3
            ).map(e => e.textContent.slice(0, 60))"""
        )
        assert cut == []
        page.pdf(path=tmp_path / "deck.pdf", prefer_css_page_size=True)
        pages = len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "deck.pdf").read_bytes()))
        assert pages == count
        plain = browser.new_context(java_script_enabled=False).new_page()
        plain.goto((COURSE / "slides" / f"{name}.html").as_uri())
        assert all(section.is_visible() for section in plain.locator("section").all())
        browser.close()


@pytest.mark.filterwarnings("ignore")  # of Jupyter's packages, which we do not change
def test_the_key_holds_what_solutions_checks_and_questions_say(build: Any) -> None:
    """Whoever changes one of them is told to run `docs/course/build.py --key`."""
    kept = (COURSE / "key.md").read_text(encoding="utf-8")
    assert kept == build.key_page()
    assert kept.count("### Exercise ") == len(EXERCISES)
    assert "Hint: \n" not in kept


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_says_the_minutes_and_slides_of_a_notebook(name: str) -> None:
    (line,) = (
        line
        for line in (COURSE / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| [") and f"]({name}.ipynb)" in line
    )
    minutes, slides = numbers(rf"\| (\d+) \| \[(\d+)\]\(slides/{name}\.html\) \|$", line)
    deck = (COURSE / "slides" / f"{name}.html").read_text(encoding="utf-8")
    assert minutes == numbers(TIME.pattern, goals(name))[0]
    assert slides == deck.count("<section")


# --------------------------------------------------------------------------- what notebooks say


def bits_are_right(text: str) -> None:
    assert numbers(r"both together tell +([\d.]+)", text) == (1.0,)
    assert numbers(r"CORRELATED +I\(X1; X2\) = ([\d.]+), R about Y = ([\d.]+)", text) == (1, 0)
    assert numbers(r"AND +co-information ([-+\d.]+): R = ([\d.]+), S = ([\d.]+)", text) == (
        -0.189,
        0.311,
        0.5,
    )
    assert numbers(r"R = ([\d.]+) bits, S = ([\d.]+) bits", text) == (0.531, 0.211)


def pixels_are_right(text: str) -> None:
    assert "labels of the synergy task there: [1]" in text
    train, biased, test = re.findall(r"unique1 +R ([\d.]+)  U1 ([\d.]+)", text)
    assert float(train[0]) < 0.01
    assert float(train[1]) > 2.3
    assert float(biased[0]) > 2.3
    assert float(biased[1]) < 0.001
    assert float(test[1]) > 2
    assert numbers(r"50%: ([\d.]+) of ([\d.]+) bits redundant", text) == (0.737, 3.322)


def alignment_is_right(text: str) -> None:
    """The table by hand, worked out anew; the match in a side-by-side and in a fused code."""
    table = np.array([[4.0, 1.5, 0.5], [1.0, 3.0, 2.5], [0.5, 1.5, 3.5]])
    chances = np.diag(np.exp(table)) / np.exp(table).sum(1)
    loss, blind = numbers(r"loss: ([\d.]+) nats; .* ln 3 = ([\d.]+)", text)
    assert loss == pytest.approx(-np.log(chances).mean(), abs=0.005)
    assert blind == 1.10
    assert numbers(r"'side by side': '([\d.]+)% of the match', 'fused': '([\d.]+)%", text) == (
        50,
        100,
    )
    shares = dict(re.findall(r"^(\w[\w, ]*?) +interaction: ([\d.]+)%", text, re.MULTILINE))
    assert float(shares["Cross"]) < 0.001
    assert float(shares["CoMM"]) > 5 * float(shares["CoMM, control"])


def terms_are_right(text: str) -> None:
    assert "s1 xor s2  L 1.00  L_1 0.00  L_2 0.00" in text
    unbiased, biased = re.findall(r"texture 1  L ([\d.]+)  L_1 ([\d.]+)  L_2 ([\d.]+)", text)
    assert float(unbiased[2]) < 0.1
    assert float(biased[2]) > 2.3
    assert "match      L 0.00  L_1 0.00  L_2 0.00" in text
    assert numbers(r"macro accuracy +mean ([\d.]+)%", text)[0] == pytest.approx(50, abs=1)
    shares = dict(re.findall(r"^(\S[\S ]*?) +interaction +([\d.]+)%", text, re.MULTILINE))
    assert float(shares["ΣL_i"]) > float(shares["L_CoMM"]) > 5 * float(shares["L_CoMM, control"])


SAYS: dict[str, Callable[[str], None]] = {
    "01-bits": bits_are_right,
    "02-pixels": pixels_are_right,
    "03-alignment": alignment_is_right,
    "04-terms": terms_are_right,
}
"""Of the other notebooks `test_course_more.py` says it."""


@pytest.mark.parametrize("name", SAYS)
def test_a_built_notebook_says_what_is_true(name: str) -> None:
    SAYS[name](printed(notebook(name)))


@pytest.mark.slow  # trains, four seconds each
@pytest.mark.parametrize("name", ["03-alignment", "04-terms"])
def test_the_cell_that_trains_runs_when_switched_on(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a data set of few pairs and for one epoch, so that it takes a second."""
    cells = ["".join(cell["source"]) for cell in code_cells(notebook(name))]
    (cell,) = (code for code in cells if code.startswith("TRAIN = False\n"))
    data = build_dataset(
        preset("tiny", seed=1, copies=4, train_pairs=64, probe_pairs=300, test_pairs=200)
    )
    names: dict[str, Any] = {"data": data, "biased": with_match_rate(data, 1.0)}
    switched = cell.replace("TRAIN = False", "TRAIN = True").replace("seed=1)", "seed=1, epochs=1)")
    exec(switched, names)  # noqa: S102 - our own notebook
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line.split()[0] for line in lines) == ["biased", "unbiased"]
    assert all("'U1'" in line and "%" in line for line in lines)


def row_cells(content: dict[str, Any]) -> list[str]:
    """What the cells printed that depend on the recorded rows alone."""
    return [
        text_of(cell) for cell in code_cells(content) if "rows" in cell["metadata"].get("tags", [])
    ]


@pytest.mark.slow  # Ten to forty seconds a notebook: a clean kernel imports and computes it all.
@pytest.mark.filterwarnings("ignore")  # of Jupyter's packages, which we do not change
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_in_a_clean_kernel(name: str, build: Any) -> None:
    fresh = json.loads(json.dumps(build.execute(name)))
    assert_sound(fresh)
    if name in SAYS:
        SAYS[name](printed(fresh))
    if build.ROWS.exists():
        assert row_cells(fresh) == row_cells(notebook(name)), "rows changed: run build.py"


@pytest.mark.slow  # Half a minute: two notebooks, to see that missing rows are said to be missing.
@pytest.mark.filterwarnings("ignore")  # of Jupyter's packages, which we do not change
@pytest.mark.parametrize("name", ["03-alignment", "04-terms"])
def test_rows_that_are_not_there_are_said_to_be_missing(
    name: str, build: Any, tmp_path: Path
) -> None:
    fresh = json.loads(json.dumps(build.execute(name, tmp_path / "no-rows.jsonl")))
    assert_sound(fresh)
    texts = row_cells(fresh)
    assert texts
    assert all("missing" in line for text in texts for line in text.splitlines())


# --------------------------------------------------------------------------- beside Jupyter


@pytest.mark.filterwarnings("ignore")  # of Jupyter's packages, which we do not change
def test_jupyters_package_comm_and_ours_live_in_one_process() -> None:
    """Every Jupyter kernel needs a package called `comm`; ours is inside `trifeature`."""
    theirs = pytest.importorskip("comm", reason="Jupyter's package comm is not installed")
    kernel = pytest.importorskip("ipykernel.comm", reason="ipykernel is not installed")
    assert callable(theirs.create_comm)
    assert issubclass(kernel.Comm, theirs.base_comm.BaseComm)
    assert theirs is not trifeature.comm
    assert not Path(theirs.__file__).is_relative_to(REPOSITORY / "trifeature")
    assert sys.modules["comm"] is theirs
