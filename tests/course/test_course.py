"""The course: its exercises, its notebooks, and Jupyter beside our package.

The fast tests need no Jupyter, but for those that read a notebook's source.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import trifeature.comm
from trifeature.comm.losses import info_nce
from trifeature.data.dataset import build as build_dataset
from trifeature.data.dataset import preset, with_match_rate
from trifeature.data.rule import PairRule
from trifeature.pid import PairedFeatures, gallery_table

REPOSITORY = Path(__file__).parents[2]
COURSE = REPOSITORY / "docs" / "course"
NAMES = ("01-bits", "02-pixels", "03-alignment", "04-terms", "05-your-data")
NO_JUPYTER = "Jupyter's packages are not installed: pip install jupytext nbclient ipykernel"


def load(name: str) -> ModuleType:
    """A helper of the course by the name under which notebooks import it."""
    spec = importlib.util.spec_from_file_location(name, COURSE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


checks: Any = load("checks")
solutions: Any = load("solutions")
EXERCISES = sorted(checks.CHECKS)


def notebook(name: str) -> dict[str, Any]:
    """A built notebook as JSON."""
    content: dict[str, Any] = json.loads((COURSE / f"{name}.ipynb").read_text(encoding="utf-8"))
    return content


def code_cells(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in content["cells"] if cell["cell_type"] == "code"]


def text_of(cell: dict[str, Any]) -> str:
    """What a cell printed and the plain text of its result."""
    texts = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in cell["outputs"]]
    return "\n".join("".join(text) for text in texts)


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


def test_every_exercise_has_a_stub_a_check_and_a_solution() -> None:
    assert len(EXERCISES) >= 15
    assert sorted(stubs()) == EXERCISES
    assert sorted(solutions.SOLUTIONS) == EXERCISES


@pytest.mark.parametrize("name", EXERCISES)
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


def right(name: str) -> Any:
    """The solution's answer."""
    return solutions.SOLUTIONS[name]()


def one_way(a: torch.Tensor, b: torch.Tensor, temperature: float) -> float:
    a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
    return float(F.cross_entropy(a @ b.T / temperature, torch.arange(len(a))))


def raising(*_: Any) -> float:
    return float(list(_)[7])


def same_view(views: Any, alone: Any) -> torch.Tensor:
    halves = [(info_nce(a, views[0]) + info_nce(b, views[1])) / 2 for a, b in alone]
    return info_nce(*views) + halves[0] + halves[1]


def comm_loss(views: Any, alone: Any) -> torch.Tensor:
    found: torch.Tensor = right("exercise_4_2")(views, alone)
    return found


def means(rows: list[dict[str, Any]], biased: bool) -> float:
    return float(np.mean([row["S"] for row in rows if row["biased"] == biased]))


def errors_apart(treated: list[float], control: list[float]) -> float:
    """By how many standard errors two means differ; 0 from one seed."""
    if min(len(treated), len(control)) < 2:
        return 0.0
    variances = [float(np.var(x, ddof=1)) / len(x) for x in (treated, control)]
    return float((np.mean(treated) - np.mean(control)) / sum(variances) ** 0.5)


def of(rows: list[dict[str, Any]], method: str, *, last: bool = True) -> list[dict[str, Any]]:
    return [r for r in rows if r["method"] == method and (r["epoch"] == 4 or not last)]


def numbered(one: Any, other: Any, words: Any, first: int) -> PairedFeatures:
    _, codes = np.unique(words, return_inverse=True)
    left, other = (torch.as_tensor(x, dtype=torch.float32) for x in (one, other))
    return PairedFeatures(left, other, torch.as_tensor(codes + first))


WRONG: list[tuple[str, Any, str]] = [
    ("exercise_1_1", np.full((2, 2, 2), 0.2), "no joint table"),
    ("exercise_1_1", gallery_table("AND"), "R 0.311"),
    ("exercise_1_1", gallery_table("COPY"), "knows something alone"),
    ("exercise_1_2", gallery_table("RDN"), "share 1.000 bits"),
    ("exercise_1_2", gallery_table("XOR"), "either input can settle"),
    ("exercise_1_3", lambda atoms, i: (atoms.unique1, atoms.unique2)[i - 1], "goes too"),
    ("exercise_1_3", lambda atoms, _: atoms.total, "less what the other"),
    ("exercise_1_3", raising, "stopped with IndexError"),
    ("exercise_1_4", 0.25, "flip less"),
    ("exercise_1_4", 0.01, "flip more"),
    ("exercise_1_4", "a tenth", "is one number"),
    ("exercise_1_4", 0.9, "from 0 to 0.5"),
    ("exercise_2_1", PairRule(), "`shared` is 'shape'"),
    ("exercise_2_1", "color", "a PairRule is wanted"),
    ("exercise_2_2", 1.0, "hardest to guess"),
    ("exercise_2_2", 50, "between 0 and 1"),
    ("exercise_2_3", lambda a, _, p: p[a[1]] == a[2], "of the same image"),
    ("exercise_2_3", lambda a, b, p: p[b[1]] == a[2], "texture of image 2"),
    ("exercise_2_3", lambda a, b, _: a[1] == b[2], "without the map"),
    ("exercise_2_3", lambda *_: True, "wrong label"),
    ("exercise_2_4", (0.5, 0.5), "plain accuracy"),
    ("exercise_2_4", (0.9, 0.9), "macro accuracy"),
    ("exercise_2_4", 0.9, "two numbers"),
    ("exercise_3_1", {"unbiased": {"shape 1", "texture 1"}, "biased": set()}, "texture 1"),
    ("exercise_3_1", {"unbiased": {"shape 1", "shape 2"}, "biased": {"shape 1"}}, "bright"),
    ("exercise_3_1", {"shape"}, "a dictionary"),
    ("exercise_3_1", {"unbiased": "shape", "biased": "shape"}, "no attribute"),
    ("exercise_3_1", {"unbiased": "shape 1", "biased": "shape 1"}, "shape 2 can be told"),
    ("exercise_3_2", lambda a, b, t: float(info_nce(a, b, 1.0, "cross")) + 0 * t, "temperature"),
    ("exercise_3_2", lambda a, b, t: float(info_nce(a, b, 0.2, "cross")) + 0 * t, "always 0.2"),
    ("exercise_3_2", one_way, "from a to b only"),
    ("exercise_3_2", lambda a, b, t: one_way(b, a, t), "from b to a only"),
    ("exercise_3_2", lambda a, b, t: one_way(a, b, t) + one_way(b, a, t), "averaged"),
    (
        "exercise_3_2",
        lambda a, b, t: (
            (
                F.cross_entropy(a @ b.T / t, torch.arange(len(a)))
                + F.cross_entropy(b @ a.T / t, torch.arange(len(a)))
            )
            / 2
        ),
        "length one",
    ),
    (
        "exercise_3_3",
        lambda rows, m: (
            means(of(rows, m, last=False), True) - means(of(rows, m, last=False), False)
        ),
        "untrained network",
    ),
    ("exercise_3_3", lambda rows, m: means(of(rows, m), True) - 0.5, "50 %"),
    ("exercise_3_3", lambda rows, m: means(of(rows, m), False), "at the last epoch"),
    ("exercise_3_4", lambda z: z - z.mean(0) - z.mean(1, keepdim=True), "subtracted twice"),
    ("exercise_3_4", lambda z: z - z.mean((0, 1)), "only the mean of everything"),
    ("exercise_3_4", lambda z: z - z.mean(1, keepdim=True), "what the columns add"),
    ("exercise_3_4", lambda z: z - z.mean(0), "what the rows add"),
    ("exercise_3_4", lambda z: z.mean(0), "came back as [3, 6]"),
    ("exercise_3_4", lambda z: 2 * z, "has a mean of"),
    ("exercise_4_1", {bit: {"L"} for bit in ("r", "u1", "u2", "s1 xor s2")}, "L_1 rewards r"),
    (
        "exercise_4_1",
        {"r": {"L", "L_1", "L_2"}, "u1": {"L", "L_1"}, "u2": {"L", "L_1", "L_2"}, "s1 xor s2": "L"},
        "sees source 1 alone",
    ),
    (
        "exercise_4_1",
        {"r": {"L", "L_3"}, "u1": {"L"}, "u2": {"L"}, "s1 xor s2": {"L"}},
        "no term 'L_3'",
    ),
    ("exercise_4_2", same_view, "*other* view"),
    ("exercise_4_2", lambda v, a: comm_loss(v, a) / 3, "the mean of the three"),
    ("exercise_4_2", lambda v, a: comm_loss(v, a) - info_nce(*v), "L itself is missing"),
    ("exercise_4_2", lambda v, a: info_nce(*v) + 0 * len(a), "the L_i are missing"),
    ("exercise_4_2", lambda v, a: 2 * comm_loss(v, a) - info_nce(*v), "not their sum"),
    ("exercise_4_3", lambda t, c: float(np.mean(t)) > 0.5 + 0 * len(c), "so is its control"),
    ("exercise_4_3", lambda t, c: np.mean(t) > np.mean(c) + 0.1, "one seed"),
    ("exercise_4_3", lambda t, c: len(c) > 1 and np.mean(t) > np.mean(c) + 0.1, "one seed:"),
    (
        "exercise_4_3",
        lambda t, c: min(len(t), len(c)) > 1 and np.mean(t) > np.mean(c) + 0.05,
        "12 standard",
    ),
    ("exercise_4_3", lambda t, c: errors_apart(t, c) > 1, "1.6 standard"),
    ("exercise_4_3", lambda t, c: errors_apart(t, c) > 3, "2.3 standard"),
    ("exercise_5_1", lambda a, b, w: (a, b, w), "a PairedFeatures is wanted"),
    ("exercise_5_1", lambda a, b, w: numbered(b, a, w, 0), "exchanged"),
    ("exercise_5_1", lambda a, b, w: numbered(a, b, w, 1), "from 0 without gaps"),
    ("exercise_5_1", lambda a, b, w: numbered(a, b, w == "rain", 0), "equal words"),
    (
        "exercise_5_1",
        lambda a, b, w: PairedFeatures(
            torch.tensor(a), torch.tensor(b), torch.tensor(np.unique(w, return_inverse=True)[1])
        ),
        "float32",
    ),
    ("exercise_5_2", 192, "degrees of freedom"),
    ("exercise_5_2", 100, "is not 100"),
    ("exercise_5_3", {"A": "synergy", "B": "unique1", "C": "unique2"}, "largest atom of B"),
    ("exercise_5_3", {"A": "S", "B": "R", "C": "U2"}, "no atom"),
]


@pytest.mark.parametrize(("name", "answer", "words"), WRONG)
def test_a_typical_wrong_answer_is_told_what_is_wrong(name: str, answer: Any, words: str) -> None:
    verdict = checks.CHECKS[name](answer)
    assert not verdict.right
    assert words in verdict.sentence


def test_a_check_of_every_exercise_is_tried_with_a_wrong_answer() -> None:
    assert {name for name, _, _ in WRONG} == set(EXERCISES)


# --------------------------------------------------------------------------- notebooks as files


@pytest.fixture(scope="module")
def build() -> Any:
    """`docs/course/build.py`, where Jupyter's packages are."""
    for package in ("jupytext", "nbclient", "ipykernel"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(NO_JUPYTER)
    return load("build")


@pytest.mark.filterwarnings("ignore")  # of Jupyter's packages, which we do not change
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_made_of_its_source(name: str, build: Any) -> None:
    """Whoever changes one and not the other is told to run `docs/course/build.py`."""
    assert tuple(build.names()) == NAMES
    source, built = build.read_source(name), notebook(name)
    assert [(c["cell_type"], c["source"], c["id"]) for c in source.cells] == [
        (c["cell_type"], "".join(c["source"]), c["id"]) for c in built["cells"]
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_small_whole_and_free_of_errors(name: str) -> None:
    assert (COURSE / f"{name}.ipynb").stat().st_size < 400_000
    assert_sound(notebook(name))


@pytest.mark.parametrize("name", [*NAMES, "README"])
def test_links_of_the_course_lead_somewhere(name: str) -> None:
    if name == "README":
        text = (COURSE / "README.md").read_text(encoding="utf-8")
    else:
        cells = notebook(name)["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    assert links
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


# --------------------------------------------------------------------------- what notebooks say


def printed(content: dict[str, Any]) -> str:
    return "\n".join(text_of(cell) for cell in code_cells(content))


def numbers(pattern: str, text: str) -> tuple[float, ...]:
    """The groups of the only or first line that fits, as numbers."""
    found = re.search(pattern, text)
    assert found is not None, pattern
    return tuple(map(float, found.groups()))


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
    losses = {
        (kind, code): float(value)
        for kind, code, value in re.findall(r"^(\w+) +(shape[\w ]*?) +loss ([\d.]+)", text, re.M)
    }
    assert losses["unbiased", "shape"] < losses["unbiased", "shape and own texture"]
    assert losses["unbiased", "shape"] < losses["unbiased", "shape and map"]
    assert losses["biased", "shape and map"] < losses["biased", "shape"]
    assert numbers(r"side_by_side .*?  synergy +([\d.]+)%", text) == (50.0,)
    assert numbers(r"fused .*?  synergy +([\d.]+)%", text) == (100.0,)


def terms_are_right(text: str) -> None:
    assert "s1 xor s2  L 1.00  L_1 0.00  L_2 0.00" in text
    unbiased, biased = re.findall(r"texture 1  L ([\d.]+)  L_1 ([\d.]+)  L_2 ([\d.]+)", text)
    assert float(unbiased[2]) < 0.1
    assert float(biased[2]) > 2.3
    assert "match      L 0.00  L_1 0.00  L_2 0.00" in text
    assert numbers(r"macro accuracy +mean ([\d.]+)%", text)[0] == pytest.approx(50, abs=1)


def your_data_is_right(text: str) -> None:
    lines = re.findall(r"truth ([\d.]+) +experts ([-+\d.]+) +clusters \(\d+\) ([-+\d.]+)", text)
    assert len(lines) == 12
    for truth, experts, clusters in lines:
        assert float(experts) == pytest.approx(float(truth), abs=0.05)
        assert float(clusters) == pytest.approx(float(truth), abs=0.05)
    assert numbers(r"n =   64: plug-in S ([\d.]+)", text)[0] > 0.2
    low, high, truth = numbers(r"S between ([\d.]+) and ([\d.]+) \(truth ([\d.]+)\)", text)
    assert low <= truth <= high


SAYS: dict[str, Callable[[str], None]] = {
    "01-bits": bits_are_right,
    "02-pixels": pixels_are_right,
    "03-alignment": alignment_is_right,
    "04-terms": terms_are_right,
    "05-your-data": your_data_is_right,
}


@pytest.mark.parametrize("name", NAMES)
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
    code = "\n".join(line for line in cells[0].splitlines() if not line.startswith("%"))
    imports = [
        ast.unparse(statement)
        for statement in ast.parse(code).body
        if isinstance(statement, ast.ImportFrom) and str(statement.module).startswith("trifeature")
    ]
    data = build_dataset(
        preset("tiny", seed=1, copies=4, train_pairs=64, probe_pairs=300, test_pairs=200)
    )
    names: dict[str, Any] = {"data": data, "biased": with_match_rate(data, 1.0)}
    exec("\n".join(imports), names)  # noqa: S102 - our own notebook
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
