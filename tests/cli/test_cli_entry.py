"""The entry points answer what is cheap to answer before they import what is slow to import."""

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import typer
import typer.main

import trifeature
from trifeature import cli
from trifeature.cli import data, probe
from trifeature.cli.experiments import NAMES
from trifeature.comm.options import OPTIONS
from trifeature.comm.settings import RunSettings
from trifeature.data.rule import PairRule
from trifeature.data.settings import DatasetSettings, RenderSettings
from trifeature.experiments.catalog import EXPERIMENTS
from trifeature.extra.settings import FineTuning

ASK = """
import sys
from trifeature.cli import {entry}
sys.argv = ["command", "--version"]
try:
    {entry}()
except SystemExit as stop:
    assert not stop.code
slow = {{"torch", "numpy", "scipy", "matplotlib"}} & sys.modules.keys()
assert not slow, slow
"""


@pytest.mark.parametrize("entry", ["trifeature_main", "comm_probe_main"])
def test_the_version_is_printed_without_importing_torch(entry: str) -> None:
    words = [sys.executable, "-c", ASK.format(entry=entry)]
    said = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603
    assert (said.returncode, said.stdout, said.stderr) == (0, f"{trifeature.__version__}\n", "")


@pytest.mark.parametrize("entry", ["_run_trifeature", "_run_comm_probe"])
def test_ctrl_c_during_the_imports_is_no_traceback(
    entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, entry, interrupted)
    monkeypatch.setattr(sys, "argv", ["command", "info"])
    with pytest.raises(SystemExit) as stop:
        getattr(cli, entry.removeprefix("_run_") + "_main")()
    assert stop.value.code == 130


def answer(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", list(words))
    with pytest.raises(SystemExit) as stop:
        (cli.trifeature_main if words[0] == "trifeature" else cli.comm_probe_main)()
    return int(stop.value.code or 0)


def test_a_tilde_is_expanded_in_every_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    line = ["trifeature", "pid", "show", "AND", "--picture=~/pictures/and.svg"]
    assert answer(monkeypatch, *line) == 0
    assert (tmp_path / "pictures" / "and.svg").is_file()
    capsys.readouterr()
    for words in (["info", "~/data"], ["playground", "x.html", "--rows=~/data"]):
        assert answer(monkeypatch, "trifeature", *words) == 2
        assert str(tmp_path / "data") in capsys.readouterr().err
    assert answer(monkeypatch, "trifeature", "verify", "~nobody-of-this-name/x") == 2
    assert "there is no such user's folder" in capsys.readouterr().err


def test_options_come_from_the_settings_and_are_documented() -> None:
    """Each number, word and switch of the settings is an option, with the docstring as its help."""
    settings: dict[str, tuple[typer.Typer, list[type]]] = {
        "generate": (data.app, [DatasetSettings, PairRule, RenderSettings]),
        "train": (probe.app, [RunSettings, *OPTIONS.values()]),
        "finetune": (probe.app, [FineTuning]),
    }
    for command, (app, kinds) in settings.items():
        group = typer.main.get_command(app)
        options = {one.name: one for one in group.commands[command].params}  # type: ignore[attr-defined]
        for kind in kinds:
            for one in fields(kind):
                if one.name in {"options", "views", "light", "rule", "render", "caption"}:
                    continue  # nested settings have options of their own
                assert one.name in options, (command, one.name)
                assert options[one.name].help, (command, one.name)


def test_the_help_names_every_experiment() -> None:
    assert NAMES.split(", ") == list(EXPERIMENTS)


@pytest.mark.processes  # completion answers from the environment of a process
def test_completion_answers() -> None:
    code = "from trifeature.cli import trifeature_main; trifeature_main()"
    place = os.environ | {
        "_TRIFEATURE_COMPLETE": "complete_bash",
        "COMP_WORDS": "trifeature gen",
        "COMP_CWORD": "1",
    }
    words = [sys.executable, "-c", code]
    said = subprocess.run(words, capture_output=True, text=True, env=place, check=True)  # noqa: S603
    assert said.stdout.split() == ["generate"]
