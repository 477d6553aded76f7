"""Many runs: what is skipped, what fits the time, what a failure leaves, and runs in parallel."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import tiny_run

from trifeature.comm.training import Progress
from trifeature.data.dataset import preset
from trifeature.errors import InputError
from trifeature.experiments import executor
from trifeature.experiments.executor import default_jobs, execute, expected_seconds
from trifeature.experiments.plan import Plan, Row
from trifeature.files import append_row, read_rows

DATA = preset(
    "quick", copies=1, test_copies=1, train_pairs=16, probe_pairs=150, test_pairs=60, match_rate=1.0
)
RUN = tiny_run(epochs=1, seed=0)
SECONDS = 100.0


def make(seed: int = 0, **changes: Any) -> Plan:
    return Plan("quick", DATA, replace(RUN, seed=seed, **changes), ())


def row_of(plan: Plan, seconds: float = SECONDS - 1, probe_seconds: float = 1.0) -> Row:
    return {
        "key": plan.key,
        "epoch": plan.run.epochs,
        "preset": plan.preset,
        "method": plan.run.method,
        "encoder": plan.run.encoder,
        "epochs": plan.run.epochs,
        "seconds": seconds,
        "probe_seconds": probe_seconds,
    }


@pytest.fixture
def carried(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Plan, Path]]:
    """Replace carrying out by a row that says it took `SECONDS`."""
    calls: list[tuple[Plan, Path]] = []

    def carry_out(plan: Plan, folder: Path, **rest: Any) -> list[Row]:
        calls.append((plan, folder))
        if plan.run.seed == 13:
            raise InputError("unlucky")
        if rest["report"] is not None:
            rest["report"](Progress(1.0, 1, {"loss": 2.0}, 0.0))
        return [row_of(plan)]

    monkeypatch.setattr(executor, "carry_out", carry_out)
    return calls


# --------------------------------------------------------------------------- one at a time


def test_plans_are_carried_out_in_their_order_and_their_rows_appended(
    carried: list[tuple[Plan, Path]], tmp_path: Path
) -> None:
    plans = [make(2), make(0), make(1)]
    outcome = execute(plans, runs=tmp_path / "runs", rows=tmp_path / "rows.jsonl", jobs=1)
    assert outcome == executor.Outcome(plans, skipped=0, left=[])
    assert carried == [(plan, tmp_path / "runs" / plan.name) for plan in plans]
    assert [row["key"] for row in read_rows(tmp_path / "rows.jsonl")] == [p.key for p in plans]


def test_plans_that_have_their_rows_are_skipped(
    carried: list[tuple[Plan, Path]], tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    append_row(rows, row_of(make(1)))
    outcome = execute([make(0), make(1), make(0)], runs=tmp_path, rows=rows, jobs=1)
    assert (outcome.finished, outcome.skipped, outcome.left) == ([make(0)], 1, [])
    again = execute([make(0), make(1)], runs=tmp_path, rows=rows, jobs=1)
    assert (again.finished, again.skipped, again.left) == ([], 2, [])
    assert len(carried) == 1
    assert len(read_rows(rows)) == 2


def test_progress_and_rows_are_told_with_their_plan(
    carried: list[tuple[Plan, Path]], tmp_path: Path
) -> None:
    told: list[tuple[str, int]] = []
    execute(
        [make(0), make(1)],
        runs=tmp_path,
        rows=tmp_path / "rows.jsonl",
        jobs=1,
        on_progress=lambda plan, progress: told.append((f"{progress.epoch}", plan.run.seed)),
        on_rows=lambda plan, rows: told.append((f"{len(rows)} row", plan.run.seed)),
    )
    assert told == [("1.0", 0), ("1 row", 0), ("1.0", 1), ("1 row", 1)]
    assert len(carried) == 2


def test_a_run_that_fails_is_raised_and_earlier_rows_are_kept(
    carried: list[tuple[Plan, Path]], tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    with pytest.raises(InputError, match="unlucky"):
        execute([make(0), make(13), make(1)], runs=tmp_path, rows=rows, jobs=1)
    assert [row["key"] for row in read_rows(rows)] == [make(0).key]
    assert [plan.run.seed for plan, _ in carried] == [0, 13]


def test_a_row_cut_off_in_writing_does_not_spoil_the_next(
    carried: list[tuple[Plan, Path]], tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    append_row(rows, row_of(make(1)))
    with rows.open("a") as file:
        file.write('{"key": "cut o')
    execute([make(0)], runs=tmp_path, rows=rows, jobs=1)
    assert [row["key"] for row in read_rows(rows)] == [make(1).key, make(0).key]
    assert len(carried) == 1


# --------------------------------------------------------------------------- time


def test_without_any_time_nothing_is_started(
    carried: list[tuple[Plan, Path]], tmp_path: Path
) -> None:
    plans = [make(0), make(1)]
    outcome = execute(plans, runs=tmp_path, rows=tmp_path / "rows.jsonl", jobs=1, time_budget=0.0)
    assert (outcome.finished, outcome.left) == ([], plans)
    assert carried == []


@pytest.mark.parametrize(("budget", "started"), [(SECONDS / 2, 0), (2 * SECONDS, 2)])
def test_a_run_that_took_longer_before_is_not_started(
    budget: float, started: int, carried: list[tuple[Plan, Path]], tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    append_row(rows, row_of(make(9)))
    plans = [make(0), make(1)]
    outcome = execute(plans, runs=tmp_path, rows=rows, jobs=1, time_budget=budget)
    assert (len(outcome.finished), len(outcome.left)) == (started, 2 - started)
    assert len(carried) == started


def test_what_a_run_took_is_learned_for_the_next_of_its_kind(
    carried: list[tuple[Plan, Path]], tmp_path: Path
) -> None:
    short = make(2, epochs=0)
    outcome = execute(
        [make(0), make(1), short],
        runs=tmp_path,
        rows=tmp_path / "rows.jsonl",
        jobs=1,
        time_budget=SECONDS / 2,
    )
    assert outcome.finished == [make(0), short]  # a shorter one behind it still fits
    assert outcome.left == [make(1)]
    assert len(carried) == 2


def test_the_expected_time_is_that_of_earlier_runs_of_the_kind() -> None:
    rows = [row_of(make(9), seconds=30.0, probe_seconds=2.0)]
    rows.append({**rows[0], "epoch": 0, "probe_seconds": 3.0})
    assert expected_seconds([make(0), make(1)], rows, jobs=2) == 35.0
    assert expected_seconds([make(0), make(1, epochs=0)], rows, jobs=2) is None
    assert expected_seconds([], [], jobs=2) == 0.0


@pytest.mark.parametrize(
    ("device", "plans", "jobs"), [("cpu", 9, 4), ("cpu", 3, 3), ("cpu", 0, 1), ("cuda", 9, 1)]
)
def test_a_cpu_runs_one_plan_a_core_and_a_gpu_one_at_a_time(
    device: str, plans: int, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert default_jobs(torch.device(device), plans) == jobs


# --------------------------------------------------------------------------- several at a time

NOT_MEASURED = ("seconds", "probe_seconds")


def measured(path: Path) -> dict[tuple[str, int], Row]:
    return {
        (row["key"], row["epoch"]): {k: v for k, v in row.items() if k not in NOT_MEASURED}
        for row in read_rows(path)
    }


@pytest.mark.processes
def test_runs_side_by_side_measure_what_they_measure_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)  # one thread a worker, as in this process
    plans = [make(0), make(1)]
    seen: set[int] = set()
    alone, together = tmp_path / "alone.jsonl", tmp_path / "together.jsonl"
    execute(plans[:1], runs=tmp_path / "one", rows=alone, jobs=1, keep_weights=False)
    outcome = execute(
        plans,
        runs=tmp_path / "two",
        rows=together,
        jobs=2,
        keep_weights=False,
        on_progress=lambda plan, _: seen.add(plan.run.seed),
    )
    assert {plan.run.seed for plan in outcome.finished} == seen == {0, 1}
    ours, theirs = measured(alone), measured(together)
    assert set(theirs) == {(plan.key, 1) for plan in plans}
    assert ours == {place: row for place, row in theirs.items() if place in ours}


@pytest.mark.processes
def test_a_run_that_fails_in_a_worker_is_raised_and_earlier_rows_are_kept(tmp_path: Path) -> None:
    bad = make(0, loss="L_3")
    rows = tmp_path / "rows.jsonl"
    append_row(rows, row_of(make(1)))
    with pytest.raises(InputError, match="unknown loss 'L_3'"):
        execute([make(1), bad, make(2, loss="L_3")], runs=tmp_path, rows=rows, jobs=2)
    assert [row["key"] for row in read_rows(rows)] == [make(1).key]
