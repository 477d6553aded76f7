"""Runs in worker processes: the same rows, and what a failure or a dead worker leaves."""

import os
import sys
from pathlib import Path

import pytest
import torch
from planned_runs import deadly_backend, make, measured, row_of

from trifeature import plugins
from trifeature.comm.encoders import ENCODERS
from trifeature.comm.run_folder import TrainingError
from trifeature.comm.settings import ENCODER_NAMES
from trifeature.data.own_values import TABLES, digests, register_own
from trifeature.errors import InputError
from trifeature.experiments.execute import Queue, Runner, execute
from trifeature.extra import pool
from trifeature.extra.pool import Pool, default_jobs
from trifeature.files import append_row, read_rows
from trifeature.plugins import load_plugin


@pytest.mark.parametrize(
    ("device", "plans", "jobs"), [("cpu", 9, 4), ("cpu", 3, 3), ("cpu", 0, 1), ("cuda", 9, 1)]
)
def test_a_cpu_runs_one_plan_a_core_and_a_gpu_one_at_a_time(
    device: str, plans: int, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert default_jobs(torch.device(device), plans) == jobs


@pytest.mark.processes
def test_runs_side_by_side_measure_what_they_measure_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)  # one thread a worker, as in this process
    plans = [make(0), make(1)]
    seen: set[int] = set()
    alone, together = tmp_path / "alone.jsonl", tmp_path / "together.jsonl"
    execute(plans[:1], runs=tmp_path / "one", rows=alone, keep_weights=False)
    outcome = execute(
        plans,
        runs=tmp_path / "two",
        rows=together,
        executor=Pool(2),
        keep_weights=False,
        callback=lambda plan, _: seen.add(plan.run.seed),
    )
    assert {plan.run.seed for plan in outcome.finished} == seen == {0, 1}
    ours, theirs = measured(alone), measured(together)
    assert set(theirs) == {(plan.key, 1) for plan in plans}
    assert ours == {place: row for place, row in theirs.items() if place in ours}


@pytest.mark.processes
def test_a_plugin_is_loaded_in_every_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "_loaded", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    file = tmp_path / "plugin_encoder.py"
    file.write_text(
        "from torch import nn\n"
        "from trifeature.comm.encoders import ENCODERS, register_encoder\n"
        "register_encoder('plugged', ENCODERS['small'].make, 'image')\n"
    )
    try:
        load_plugin(file)
        plans = [make(0, encoder="plugged"), make(1, encoder="plugged")]
        rows = tmp_path / "rows.jsonl"
        execute(plans, runs=tmp_path, rows=rows, executor=Pool(2), keep_weights=False)
        assert {row["encoder"] for row in read_rows(rows)} == {"plugged"}
    finally:
        ENCODERS.pop("plugged", None)
        ENCODER_NAMES.remove("plugged")
        sys.modules.pop("plugin_encoder", None)


@pytest.mark.processes
def test_own_values_of_the_command_line_are_registered_in_every_worker() -> None:
    before = [dict(table) for table in TABLES]
    try:
        names = register_own(color=["sand=#c2b280"])
        with pool._workers(1) as (workers, _):
            assert workers.submit(digests, names).result() == digests(names)
    finally:
        for table, old in zip(TABLES, before, strict=True):
            table.clear()
            table.update(old)


@pytest.mark.processes
def test_a_run_that_fails_in_a_worker_is_raised_and_earlier_rows_are_kept(tmp_path: Path) -> None:
    bad = make(0, loss="L_3")
    rows = tmp_path / "rows.jsonl"
    append_row(rows, row_of(make(1)))
    with pytest.raises(InputError, match="unknown loss 'L_3'"):
        execute([make(1), bad, make(2, loss="L_3")], runs=tmp_path, rows=rows, executor=Pool(2))
    assert [row["key"] for row in read_rows(rows)] == [make(1).key]


@pytest.mark.processes
def test_a_worker_that_dies_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    plans, rows = [make(0), make(13), make(1)], tmp_path / "rows.jsonl"
    with pytest.raises(TrainingError, match=r"'L_CoMM biased seed 13'.* died") as dead:
        execute(plans, runs=tmp_path, rows=rows, executor=Pool(2), backend=deadly_backend)
    assert "\n" not in str(dead.value)
    execute(plans, runs=tmp_path, rows=rows, executor=Pool(1))
    assert sorted(row["key"] for row in read_rows(rows)) == sorted(plan.key for plan in plans)


def test_one_run_at_a_time_starts_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_side_by_side", None)
    done = Pool(4)(Queue([make(0)]), Runner(tmp_path, None, torch.device("cpu")))
    assert [plan for plan, _ in done] == [make(0)]
