"""Many runs: what is skipped, what fits the time, what a failure leaves, and runs in parallel."""

from pathlib import Path
from typing import Any

import pytest
from planned_runs import SECONDS, make, row_of

from trifeature.comm.training import Progress
from trifeature.errors import InputError
from trifeature.experiments import execute as execution
from trifeature.experiments.execute import Event, Outcome, execute, expected_seconds
from trifeature.experiments.plan import Plan, Row, missing, result_rows
from trifeature.files import append_row, read_rows


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

    monkeypatch.setattr(execution, "carry_out", carry_out)
    return calls


# --------------------------------------------------------------------------- one at a time


def test_plans_are_carried_out_in_their_order_and_their_rows_appended(
    carried: list[tuple[Plan, Path]], tmp_path: Path
) -> None:
    plans = [make(2), make(0), make(1)]
    outcome = execute(plans, runs=tmp_path / "runs", rows=tmp_path / "rows.jsonl")
    assert outcome == Outcome(plans, skipped=0, left=[])
    assert carried == [(plan, tmp_path / "runs" / plan.name) for plan in plans]
    assert [row["key"] for row in read_rows(tmp_path / "rows.jsonl")] == [p.key for p in plans]


def test_plans_that_have_their_rows_are_skipped(
    carried: list[tuple[Plan, Path]], tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    append_row(rows, row_of(make(1)))
    outcome = execute([make(0), make(1), make(0)], runs=tmp_path, rows=rows)
    assert (outcome.finished, outcome.skipped, outcome.left) == ([make(0)], 1, [])
    again = execute([make(0), make(1)], runs=tmp_path, rows=rows)
    assert (again.finished, again.skipped, again.left) == ([], 2, [])
    assert len(carried) == 1
    assert len(read_rows(rows)) == 2


def test_a_row_that_says_too_little_to_be_drawn_is_named_before_any_work(
    carried: list[tuple[Plan, Path]], tmp_path: Path
) -> None:
    rows, row = tmp_path / "rows.jsonl", row_of(make(1))
    del row["seed"]
    append_row(rows, row)
    with pytest.raises(InputError, match=r"rows\.jsonl, line 1 lacks 'seed'"):
        missing([make(1)], result_rows(rows))
    with pytest.raises(InputError, match=r"rows\.jsonl, line 1 lacks 'seed'"):
        execute([make(0), make(1)], runs=tmp_path, rows=rows)
    assert not carried


def test_progress_and_rows_are_told_with_their_plan(
    carried: list[tuple[Plan, Path]], tmp_path: Path
) -> None:
    told: list[tuple[str, int]] = []

    def words(event: Event) -> str:
        return f"{event.epoch}" if isinstance(event, Progress) else f"{len(event)} row"

    execute(
        [make(0), make(1)],
        runs=tmp_path,
        rows=tmp_path / "rows.jsonl",
        callback=lambda plan, event: told.append((words(event), plan.run.seed)),
    )
    assert told == [("1.0", 0), ("1 row", 0), ("1.0", 1), ("1 row", 1)]
    assert len(carried) == 2


def test_a_run_that_fails_is_raised_and_earlier_rows_are_kept(
    carried: list[tuple[Plan, Path]], tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    with pytest.raises(InputError, match="unlucky"):
        execute([make(0), make(13), make(1)], runs=tmp_path, rows=rows)
    assert [row["key"] for row in read_rows(rows)] == [make(0).key]
    assert [plan.run.seed for plan, _ in carried] == [0, 13]


def test_a_row_cut_off_in_writing_does_not_spoil_the_next(
    carried: list[tuple[Plan, Path]], tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    append_row(rows, row_of(make(1)))
    with rows.open("a") as file:
        file.write('{"key": "cut o')
    execute([make(0)], runs=tmp_path, rows=rows)
    assert [row["key"] for row in read_rows(rows)] == [make(1).key, make(0).key]
    assert len(carried) == 1


# --------------------------------------------------------------------------- time


def test_without_any_time_nothing_is_started(
    carried: list[tuple[Plan, Path]], tmp_path: Path
) -> None:
    plans = [make(0), make(1)]
    outcome = execute(plans, runs=tmp_path, rows=tmp_path / "rows.jsonl", time_budget=0.0)
    assert (outcome.finished, outcome.left) == ([], plans)
    assert carried == []


@pytest.mark.parametrize(("budget", "started"), [(SECONDS / 2, 0), (2 * SECONDS, 2)])
def test_a_run_that_took_longer_before_is_not_started(
    budget: float, started: int, carried: list[tuple[Plan, Path]], tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    append_row(rows, row_of(make(9)))
    plans = [make(0), make(1)]
    outcome = execute(plans, runs=tmp_path, rows=rows, time_budget=budget)
    assert (len(outcome.finished), len(outcome.left)) == (started, 2 - started)
    assert len(carried) == started


@pytest.mark.parametrize(
    ("device", "started"), [("NVIDIA H200", True), ("AMD EPYC, 64 threads", False), ("", False)]
)
def test_what_a_run_took_on_a_gpu_does_not_tell_how_long_it_takes_on_a_cpu(
    device: str, started: bool, carried: list[tuple[Plan, Path]], tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    append_row(rows, row_of(make(9)) | {"device": device})
    execute([make(0)], runs=tmp_path, rows=rows, time_budget=SECONDS / 2)
    assert bool(carried) == started


def test_what_a_run_took_is_learned_for_the_next_of_its_kind(
    carried: list[tuple[Plan, Path]], tmp_path: Path
) -> None:
    short = make(2, epochs=0)
    outcome = execute(
        [make(0), make(1), short],
        runs=tmp_path,
        rows=tmp_path / "rows.jsonl",
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
