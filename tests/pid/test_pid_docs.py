"""The page docs/pid.md: its commands run, and its first program prints what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trifeature.cli.pid import app
from trifeature.pid import MEASURES

PAGE = (Path(__file__).parents[2] / "docs" / "pid.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ trifeature pid (.+)$", PAGE, re.MULTILINE)
SLOW = {"bench"}


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in SLOW])
def test_commands_of_the_page_run(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"{s},{t},{c},{t ^ c}" for s in (0, 1) for t in (0, 1) for c in (0, 1)] * 100
    Path("samples.csv").write_text("\n".join(["shape,texture,color,match", *rows]), "utf-8")
    result = CliRunner().invoke(app, shlex.split(command))
    assert result.exit_code == 0, result.output


@pytest.mark.slow  # Ten seconds where dit is installed, to compare with it.
@pytest.mark.filterwarnings("ignore")
def test_the_bench_runs() -> None:
    result = CliRunner().invoke(app, ["bench"])
    assert result.exit_code == 0
    assert "1000 of 10 x 10 x 2" in result.stdout


def test_the_measure_of_the_page_is_registered(capsys: pytest.CaptureFixture[str]) -> None:
    programs = re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL)
    (program,) = (one for one in programs if "register_measure" in one)
    try:
        exec(program, {})  # noqa: S102 - our own page
    finally:
        MEASURES.pop("common", None)
    assert capsys.readouterr().out == "1.0\n"


def test_the_first_program_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    program = re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL)[0]
    exec(program, {})  # noqa: S102 - our own page
    redundancy, synergy = map(float, capsys.readouterr().out.splitlines()[0].split())
    assert (redundancy, synergy) == pytest.approx((0.311278, 0.5), abs=1e-6)
