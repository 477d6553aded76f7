"""The page docs/pid.md: its commands run, and its programs print what it says."""

from __future__ import annotations

import re
import shlex
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from trifeature.cli.pid import app
from trifeature.pid import MEASURES
from trifeature.pid.samples import SampleSizeWarning

PAGE = (Path(__file__).parents[2] / "docs" / "pid.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ trifeature pid (.+)$", PAGE, re.MULTILINE)
PROGRAMS: list[str] = re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL)
SLOW = {"bench"}


def write_files() -> None:
    """The files that the page's commands read, into the current folder."""
    rows = [f"{s},{t},{c},{t ^ c}" for s in (0, 1) for t in (0, 1) for c in (0, 1)] * 100
    Path("samples.csv").write_text("\n".join(["shape,texture,color,match", *rows]), "utf-8")
    numbers = np.random.default_rng(0).normal(size=(40, 3)).round(3).tolist()
    lines = ["a,b,speed", *(",".join(map(str, row)) for row in numbers)]
    Path("rates.csv").write_text("\n".join(lines), "utf-8")


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in SLOW])
def test_commands_of_the_page_run(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_files()
    result = CliRunner().invoke(app, shlex.split(command))
    assert result.exit_code == 0, result.output


@pytest.mark.slow  # Ten seconds where dit is installed, to compare with it.
@pytest.mark.filterwarnings("ignore")
def test_the_bench_runs() -> None:
    result = CliRunner().invoke(app, ["bench"])
    assert result.exit_code == 0
    assert "1000 of 10 x 10 x 2" in result.stdout


def program_with(words: str) -> str:
    return next(program for program in PROGRAMS if words in program)


def test_the_measure_of_the_page_is_registered(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        exec(program_with("register_measure"), {})  # noqa: S102 - our own page
    finally:
        MEASURES.pop("common", None)
    assert capsys.readouterr().out == "1.0\n"


def test_the_first_program_has_information_in_noise_and_an_estimate_of_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.warns(SampleSizeWarning):
        exec(PROGRAMS[0], {})  # noqa: S102 - our own page
    naive, *report = capsys.readouterr().out.splitlines()
    bits, share = re.findall(r"[\d.]+", naive)
    assert f"reads {bits} bits of at most 2.32, {share} % of them redundant" in PAGE
    assert "nothing is estimated" in report[-1]
    assert "not established" in report[-1]
    assert all(set(line.split()[1:]) == {"-"} for line in report[1:5])


def test_the_program_of_the_gallery_prints_what_it_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    exec(program_with('gallery_table("AND")'), {})  # noqa: S102 - our own page
    redundancy, synergy = map(float, capsys.readouterr().out.splitlines()[0].split())
    assert (redundancy, synergy) == pytest.approx((0.311278, 0.5), abs=1e-6)


@pytest.mark.slow  # Five seconds: screens and fits probes.
def test_the_programs_run_one_after_the_other() -> None:
    p = np.random.default_rng(0).dirichlet(np.full(5, 20.0), 40)
    names: dict[str, Any] = {"p1": p, "p2": p, "p12": p}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for program in PROGRAMS:
                exec(program, names)  # noqa: S102 - our own page
        finally:
            MEASURES.pop("common", None)
    assert "found" in names
