"""`comm-probe bench`: what was measured is printed and kept, what cannot be is one line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from tiny_runs import quick_preset, tiny_run

from trifeature.cli import comm_probe_main
from trifeature.data.dataset import preset
from trifeature.extra.bench import speedrun as speedruns
from trifeature.extra.bench import training
from trifeature.extra.bench.rendering import bench_rendering
from trifeature.extra.bench.training import Ideal, StepTimes
from trifeature.files import read_rows
from trifeature.presets import PRESETS
from trifeature.probes import protocol

DATA = preset("tiny", copies=1, test_copies=1, train_pairs=20, probe_pairs=60, test_pairs=20)
RUN = tiny_run(seed=0)


class Said(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Command:
    """`comm-probe bench` in an empty folder, on a tiny quick preset."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(PRESETS, "quick", quick_preset(DATA, RUN))
    monkeypatch.setattr(training, "_ideal", lambda *_: Ideal(1e9, 1e6, 1e12, 1e10))
    monkeypatch.setattr(protocol, "COSTS", (0.01,))
    # Tested where it is; 500 images a time take a second.
    monkeypatch.setattr(training, "bench_rendering", lambda s, _, d: bench_rendering(s, 2, d))

    def command(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["comm-probe", "bench", *words])
        with pytest.raises(SystemExit) as stop:
            comm_probe_main()
        return Said(int(stop.value.code or 0), *capsys.readouterr())

    return command


def test_a_bench_prints_a_table_and_keeps_its_rows(run: Command) -> None:
    said = run("--steps", "1", "--device", "cpu", "--rows", "new/rows.jsonl", "--reference")
    assert said.code == 0
    rows = read_rows(Path("new/rows.jsonl"))
    assert [row["bench"] for row in rows] == ["training", "reference"]
    assert rows[0]["execution"] == {"compiled": False, "graphs": False}
    for name in ("step_ms", "views_ms", "share_of_roofline", "probing_seconds", "peak_memory_gib"):
        assert name in said.out
    assert "times as long" in said.out


def test_json_is_rows_and_nothing_else(run: Command) -> None:
    (row,) = json.loads(run("--steps", "1", "--device", "cpu", "--no-probe", "--json").out)
    assert row["step_ms"] > 0
    assert row["probing_seconds"] is None


def test_precision_and_method_are_handed_on(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        training, "_time_steps", lambda *_: (StepTimes(4.0, 1.0, 1.0, 1.0, 1.0), 1.0, 2.0)
    )
    words = ("--precision", "bfloat16", "--method", "cross", "--device", "cpu", "--json")
    (row,) = json.loads(run(*words).out)
    assert (row["precision"], row["method"], row["step_ms"]) == ("bfloat16", "cross", 4.0)


def test_a_speedrun_says_each_seed_and_keeps_a_row(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def speedrun(name: str, device: torch.device, **words: Any) -> dict[str, Any]:
        asked.update(words, name=name)
        words["on_seed"](0, {"R": 0.5})
        return {"bench": "speedrun", "device": str(device), "seconds_a_seed": 2.5}

    monkeypatch.setattr(speedruns, "bench_speedrun", speedrun)
    words = ("--speedrun", "--validation", "--epochs", "3", "--device", "cpu", "--rows", "x.jsonl")
    said = run(*words)
    assert said.code == 0
    assert "seed 0: R 50.0" in said.out
    assert (asked["name"], asked["validation"], asked["epochs"], asked["seeds"]) == (
        "quick",
        True,
        3,
        3,
    )
    assert read_rows(Path("x.jsonl"))[0]["seconds_a_seed"] == 2.5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--preset", "quik"), "did you mean 'quick'"),
        (("--method", "kross"), "did you mean 'cross'"),
        (("--precision", "float16"), "precision"),
        (("--execution", "fast"), "execution"),
        (("--execution", "graphs"), "CUDA graphs need a GPU"),
        (("--epochs", "3"), "--epochs can only go with --speedrun"),
        (("--seeds", "4"), "--seeds can only go with --speedrun"),
        (("--speedrun", "--steps", "4"), "--steps cannot go with --speedrun"),
        (("--speedrun", "--no-probe"), "--no-probe cannot go with --speedrun"),
        (
            ("--speedrun", "--reference", "--method", "cross"),
            "--reference and --method cannot go with",
        ),
        (("--speedrun", "--seeds", "2"), "at least 3"),
        (("--speedrun", "--preset", "fast"), "speedrun"),
        (("--reference", "--method", "cross", "--steps", "1"), "supports only comm"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    words: tuple[str, ...], message: str, run: Command
) -> None:
    said = run(*words, "--device", "cpu", "--rows", "rows.jsonl")
    assert said.code == 2
    assert message in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert not Path("rows.jsonl").exists()
