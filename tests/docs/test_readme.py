"""What the README and the head of the results say: lines that run, numbers that rows gave."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from guide_tools import DOCS, REPOSITORY, blocks
from PIL import Image
from typer.testing import CliRunner

from trifeature.cli import data, probe
from trifeature.experiments.tables import encoder_arms
from trifeature.presets import get_preset

README = REPOSITORY / "README.md"
FIGURES = REPOSITORY / "figures"
APPS = {"trifeature": data.app, "comm-probe": probe.app}
FEW = "copies=1, train_pairs=80, probe_pairs=200, test_pairs=200"
SMALLER = {
    'tf.preset("tiny", ': f'tf.preset("tiny", {FEW}, ',
    "epochs=1": "epochs=1, batch_size=40, encoder='small'",
}
"""What makes the lines of Python quick."""


def first(language: str) -> str:
    return str(blocks(README, language)[0])


# --------------------------------------------------------------------------- ten lines


def test_the_first_lines_are_ten_at_most() -> None:
    lines = [line for kind in ("sh", "python") for line in first(kind).splitlines()]
    assert len([line for line in lines if line.strip()]) <= 10


def test_the_first_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    install, *commands = (shlex.split(line, comments=True) for line in first("sh").splitlines())
    assert install == ["pip", "install", "."]
    said = [CliRunner().invoke(APPS[program], words) for program, *words in commands]
    assert [one.exit_code for one in said] == [0] * len(commands)
    assert re.search(r"synergy +1\.0", said[0].output)
    assert (tmp_path / "page.html").stat().st_size > 10_000


def run(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names that the lines of Python leave behind."""
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - our own page
    return names


@pytest.mark.usefixtures("one_cost")
def test_the_first_lines_of_python_run_on_fewer_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = first("python")
    for words, others in SMALLER.items():
        assert words in code
        code = code.replace(words, others)
    names = run(code, tmp_path, monkeypatch)
    assert 0 <= names["row"]["S_auc"] <= 1
    assert f"AUC: {names['row']['S_auc']}" in capsys.readouterr().out


@pytest.mark.slow  # trains an epoch of 10,000 pairs: half a minute
def test_the_first_lines_of_python_run_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Features of an epoch on pairs that keep the map tell a match better than chance.
    assert run(first("python"), tmp_path, monkeypatch)["row"]["S_auc"] > 0.6


def test_the_picture_is_light_and_wide() -> None:
    path = FIGURES / "opening.png"
    assert f"(figures/{path.name})" in README.read_text(encoding="utf-8")
    assert path.stat().st_size < 200_000
    with Image.open(path) as picture:
        assert 1.8 < picture.width / picture.height < 2.6
        # Corners are transparent, the card is white on a page of any color.
        assert picture.convert("RGBA").getpixel((0, 0))[3] == 0  # type: ignore[index]
        assert picture.convert("RGBA").getpixel((60, 60)) == (255, 255, 255, 255)


# --------------------------------------------------------------------------- numbers

NUMBER = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.])")


def recorded() -> set[str]:
    """Every number of the tables that rows gave, and what the paper prints of larger encoders."""
    files = [path for path in FIGURES.glob("*.md") if not path.stem.endswith("-old")]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    printed = [arm.published for arm in encoder_arms(get_preset("paper"))]
    return {
        *NUMBER.findall(text.replace("+", " ")),
        *(f"{mean:.1f}" for one in printed for mean, _ in one.values()),
    }


def part(page: Path, heading: str) -> str:
    """The text under a heading of the second level."""
    text = page.read_text(encoding="utf-8")
    (found,) = re.findall(rf"^## {heading}\n(.*?)(?=^## )", text, re.DOTALL | re.MULTILINE)
    return str(found)


def test_the_numbers_of_the_readmes_results_are_those_of_tables() -> None:
    found = set(NUMBER.findall(part(README, "Results")))
    assert len(found) > 10
    # After unbiased training, CoMM's features read maps that never occurred at this.
    prose = part(DOCS / "results.md", "Was it learned, and what does a probe read\\?")
    assert "after unbiased training they read these at 53.4" in prose
    assert found - recorded() <= {"53.4"}


def test_the_numbers_against_the_paper_are_those_of_tables() -> None:
    page = DOCS / "results.md"
    text = page.read_text(encoding="utf-8")
    assert text.index("## In short") < text.index("## Against the paper")
    assert text.index("## In short") < 600
    found = set(NUMBER.findall(part(page, "Against the paper")))
    assert len(found) > 40
    # The paper's Table 6 is not run: its numbers stand in the prose on real data too.
    beside = set(NUMBER.findall(part(page, "Real measurements")))
    assert found <= recorded() | beside


def test_every_figure_and_table_of_the_paper_is_in_the_table() -> None:
    lines = re.findall(
        r"^\| ((?:Figure|Table)s? [^|]+) \|", part(DOCS / "results.md", "Against the paper"), re.M
    )
    named = " ".join(lines)
    for number in range(4, 8):
        assert f"Figure {number}" in named
        assert f"Table {number}" in named
    assert "Tables 1 to 3" in named
