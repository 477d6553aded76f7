"""Figures and tables in Python: run, drawn from rows, and added from outside."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from planned_runs import row_of

from trifeature.errors import InputError
from trifeature.experiments import execute as execution
from trifeature.experiments.catalog import EXPERIMENTS, find_experiments, register_experiment
from trifeature.experiments.drawing import comparison, draw_bars
from trifeature.experiments.experiment import Arm, Experiment, Setup
from trifeature.experiments.plan import Plan, Row
from trifeature.experiments.reproduction import (
    draw_figure,
    plans_for,
    recorded_results,
    reproduce,
    rows_file,
)
from trifeature.files import append_row

ROOT = Path(__file__).parents[2]
WIDTHS = Experiment(
    "widths",
    "CoMM of two widths",
    lambda _: [Arm("wide"), Arm("narrow", "narrow", {"width": 64}, priority=9)],
    draw=draw_bars,
    table=comparison,
    seeds=1,
    columns=("R", "S"),
    details={},
)


def measure(plan: Plan) -> list[Row]:
    return [
        row_of(plan)
        | {"epoch": epoch, "seed": plan.run.seed, "biased": plan.biased}
        | dict.fromkeys(("R", "U", "U1", "U2", "S"), 0.7 if plan.biased else 0.6)
        for epoch in plan.probe_epochs
    ]


@pytest.fixture
def widths(monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """An experiment from outside the package, whose runs measure at once."""
    monkeypatch.setitem(EXPERIMENTS, "widths", WIDTHS)
    monkeypatch.setattr(execution, "carry_out", lambda plan, *_, **__: measure(plan))
    return WIDTHS


def test_an_experiment_from_outside_is_run_drawn_and_written(
    widths: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = reproduce("widths", rows=tmp_path / "rows.jsonl", out=tmp_path, device="cpu")
    (results,) = found.results
    assert (results.experiment, len(found.outcome.finished)) == (widths, 4)
    assert results.table() == [
        ["", "R ours", "R paper", "S ours", "S paper", "S unbiased", "S untrained", "n"],
        ["wide", "60.0", "", "70.0", "", "60.0", "60.0", "1 + 1"],
        ["narrow", "60.0", "", "70.0", "", "60.0", "60.0", "1 + 1"],
    ]
    figure = draw_figure("widths", tmp_path / "rows.jsonl")
    assert figure.get_suptitle() == "CoMM of two widths; quick preset, n = 1"
    assert capsys.readouterr().out == ""


def test_a_registered_experiment_is_found_by_name_and_among_all() -> None:
    try:
        assert register_experiment(WIDTHS) is WIDTHS
        assert register_experiment(WIDTHS) is WIDTHS  # a plugin may be loaded twice
        assert find_experiments("widths") == [WIDTHS]
        assert find_experiments("all")[-1] is WIDTHS
        assert plans_for("all", Setup(seeds=1))[-1].setting == "narrow"
        with pytest.raises(InputError, match="an experiment called 'widths' exists already"):
            register_experiment(replace(WIDTHS, title="others"))
    finally:
        EXPERIMENTS.pop("widths", None)


@pytest.mark.parametrize("name", ["", "all", "curves", "../x", "a b"])
def test_a_name_that_the_command_line_cannot_take_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="an experiment cannot be called"):
        register_experiment(replace(WIDTHS, name=name))


def test_all_experiments_are_run_by_the_priority_of_their_arms(
    widths: Experiment,  # noqa: ARG001
) -> None:
    plans = plans_for("all", Setup(seeds=2))
    assert [plan.run.seed for plan in plans[:4]] == [0, 0, 1, 1]
    assert plans[-1].setting == "narrow"


def test_some_arms_only_are_run_by_their_labels(widths: Experiment) -> None:
    both = widths.plans(Setup(seeds=2))
    assert plans_for("widths", Setup(seeds=2), ["narrow", "wide"]) == both
    narrow = plans_for("widths", Setup(seeds=2), ["narrow"])
    assert narrow == [plan for plan in both if plan.setting == "narrow"]
    assert plans_for("all", Setup(seeds=2), ["narrow"]) == narrow
    assert plans_for("widths", Setup(seeds=2), "narrow") == narrow
    with pytest.raises(InputError, match="unknown arm 'narow': did you mean 'narrow'"):
        plans_for("widths", Setup(), ["wide", "narow"])


def test_runs_are_not_repeated_and_no_time_leaves_them(
    widths: Experiment,  # noqa: ARG001
    tmp_path: Path,
) -> None:
    given: dict[str, Any] = {"rows": tmp_path / "rows.jsonl", "out": tmp_path, "device": "cpu"}
    assert len(reproduce("widths", time_budget=0, **given).outcome.left) == 4
    assert len(reproduce("widths", **given).outcome.finished) == 4
    assert reproduce("widths", **given).outcome.skipped == 4


@pytest.mark.parametrize(
    ("name", "setup", "words"),
    [
        ("fig44", {}, "unknown experiment 'fig44': did you mean 'fig4'"),
        ("fig4", {"preset": "quik"}, "unknown preset 'quik'"),
        ("curves", {}, "there are no rows to draw"),
    ],
)
def test_what_cannot_be_drawn_is_refused(name: str, setup: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        draw_figure(name, [], **setup)


def test_without_any_rows_all_is_shown_as_missing() -> None:
    assert draw_figure("fig4", []).get_suptitle().endswith("quick preset, n = 0")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"rows.jsonl does not exist"):
        draw_figure("fig4", tmp_path / "rows.jsonl")


def test_rows_of_other_runs_are_named_as_such(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    append_row(file, {"key": "other", "epoch": 4, "preset": "tiny"})
    with pytest.raises(InputError, match=r"no row of .*rows.jsonl belongs to table4"):
        recorded_results("table4", Setup(), file)


@pytest.mark.parametrize("name", ["fig4", "fig5", "fig7", "table4", "table5", "table7"])
def test_every_figure_and_table_is_drawn_from_the_recorded_rows(name: str) -> None:
    results = recorded_results(name, Setup("quick-old"), ROOT / rows_file("quick-old"))
    assert results.draw().get_suptitle().startswith(results.experiment.title)
    assert len(results.table()) == len(results) + 1
