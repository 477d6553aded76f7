"""Losses side by side, each with its controls: runs, curves, table and differences."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from planned_runs import DATA, RUN, row_of

from trifeature.comm.training import Progress
from trifeature.data.settings import preset
from trifeature.errors import InputError
from trifeature.experiments import execute as execution
from trifeature.experiments.ablation import (
    DEMO_LOSSES,
    Ablation,
    ablate,
    ablation,
    demo,
    differences,
    few_epochs,
)
from trifeature.experiments.drawing import curves
from trifeature.experiments.experiment import Results, Setup
from trifeature.experiments.plan import Plan, Row

TWO = Setup("tiny", seeds=2)


def rows_for(plans: Sequence[Plan]) -> list[Row]:
    """Rows of every probed epoch, higher on biased pairs and with the seed."""
    return [
        {"key": plan.key, "epoch": epoch, "seed": plan.run.seed, "biased": plan.biased}
        | dict.fromkeys(("R", "U", "U1", "U2", "S", "S_auc", "S_balanced"), value)
        for plan in plans
        for epoch in plan.probe_epochs
        for value in [(0.6 if plan.biased else 0.5) + 0.02 * plan.run.seed + 0.01 * epoch]
    ]


def measured(setup: Setup = TWO, **options: Any) -> Results:
    experiment = ablation(("L_CoMM", "L_i"), **options)
    return experiment.results(setup, rows_for(experiment.plans(setup)))


# --------------------------------------------------------------------------- which runs


def test_the_demo_compares_the_whole_loss_with_its_parts() -> None:
    assert DEMO_LOSSES == ("L_CoMM", "L", "L_i")


def test_every_loss_is_trained_on_biased_and_unbiased_pairs_with_every_seed() -> None:
    plans = ablation(("L_i", "L", "L_i")).plans(Setup("tiny", seeds=(3, 4)))
    assert [(p.run.option("loss"), p.biased, p.run.seed) for p in plans] == [
        (loss, biased, seed) for seed in (3, 4) for loss in ("L_i", "L") for biased in (True, False)
    ]


@pytest.mark.parametrize(
    ("control", "controlled"), [(True, ["L", "L_i"]), (False, []), (("L_i",), ["L_i"])]
)
def test_controls_can_be_left_out(control: Any, controlled: list[str]) -> None:
    plans = ablation(("L", "L_i"), control=control).plans(Setup("tiny"))
    assert [p.run.option("loss") for p in plans if not p.biased] == controlled


def test_a_loss_that_the_data_does_not_have_is_refused() -> None:
    with pytest.raises(InputError, match="unknown loss 'L_3'"):
        ablation(("L_3",))
    assert ablation(("L_3",), data=preset("tiny", rule=THREE)).columns[-2:] == ("U3", "S")


THREE = type(preset("tiny").rule)(modalities=3)


def test_one_data_set_serves_all_seeds_and_its_unbiased_twin_is_the_control() -> None:
    data = preset("tiny", seed=7, match_rate=0.8)
    plans = ablation(("L",)).plans(Setup("tiny", seeds=2, data=data))
    assert [p.data.match_rate for p in plans] == [0.8, None, 0.8, None]
    assert {p.data.seed for p in plans} == {7}


@pytest.mark.parametrize("epochs", [1, 2, 4, 100])
def test_about_five_epochs_are_probed_from_the_untrained_network_to_the_last(epochs: int) -> None:
    chosen = few_epochs(epochs)
    assert (chosen[0], chosen[-1]) == (0, epochs)
    assert len(chosen) <= 6


# --------------------------------------------------------------------------- what is shown


def test_each_loss_is_a_solid_curve_and_its_control_a_dashed_one_of_the_same_color() -> None:
    drawn = curves(measured(), ("R", "U", "S"))
    found = [(c.label, c.control, c.color, len(c.rows)) for c in drawn["S"]]
    assert found == [
        ("L_CoMM", False, 0, 10),
        ("L_CoMM, unbiased pairs (control)", True, 0, 10),
        ("ΣL_i", False, 1, 10),
        ("ΣL_i, unbiased pairs (control)", True, 1, 10),
    ]
    assert [[c.label for c in panel] for panel in drawn.values()] == [[f[0] for f in found]] * 3


def test_the_table_has_each_loss_its_control_and_the_untrained_network_once_a_seed() -> None:
    heading, *lines = measured(control=("L_CoMM",)).table()
    assert heading == [
        "macro accuracy, %",
        *("R", "U1", "U2", "S", "S_auc", "S_balanced"),
        "n",
    ]
    assert [(line[0], line[1], line[-1]) for line in lines] == [
        ("L_CoMM", "65.0 ± 1.4", "2"),
        ("L_CoMM, unbiased pairs (control)", "55.0 ± 1.4", "2"),
        ("ΣL_i", "65.0 ± 1.4", "2"),
        ("untrained network (control)", "51.0 ± 1.4", "2"),
    ]


def test_differences_are_those_of_synergy_to_both_controls() -> None:
    words = differences(measured(control=("L_CoMM",)))
    assert [word.partition(": ")[0] for word in words] == [
        "S (AUC) of L_CoMM against the same model on unbiased pairs",
        "S (AUC) of L_CoMM against the untrained network",
        "S (AUC) of ΣL_i against the untrained network",
        "S of L_CoMM against the same model on unbiased pairs",
        "S of L_CoMM against the untrained network",
        "S of ΣL_i against the untrained network",
    ]
    assert words[0].endswith(": +10.0 points (95 % interval +10.0 to +10.0, paired by seed, n = 2)")


def test_the_picture_says_what_it_is_of() -> None:
    words = measured().draw().get_suptitle()
    assert words.startswith("tiny preset, 32 px, 5 textures, 10,000 training pairs, n = 2; solid")


# --------------------------------------------------------------------------- in Python


@pytest.fixture
def carried(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Plan, Path | None]]:
    """Replace carrying out by rows that say nothing new."""
    calls: list[tuple[Plan, Path | None]] = []

    def carry_out(plan: Plan, _: Path, *, source: Path | None, **rest: Any) -> list[Row]:
        calls.append((plan, source))
        rest["report"](Progress(1.0, 1, {}, 0.0))
        times = {"seconds": 1.0, "probe_seconds": 1.0}
        return [row_of(plan) | row | times for row in rows_for([plan])]

    monkeypatch.setattr(execution, "carry_out", carry_out)
    return calls


def test_ablate_returns_results_and_tells_a_callback(
    carried: list[tuple[Plan, Path | None]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    found = ablate(
        ["L", "L_i"],
        seeds=[1],
        epochs=2,
        probe_at=(1,),
        control=("L",),
        out=tmp_path,
        device="cpu",
        callback=lambda plan, event: told.append(f"{plan.describe()} {type(event).__name__}"),
        width=16,
    )
    assert isinstance(found, Ablation)
    assert [result.arm.label for result in found] == ["L", "ΣL_i"]
    assert [len(found.rows), len(found.outcome.finished), len(carried)] == [9, 3, 3]
    assert {plan.probe_epochs for plan, _ in carried} == {(0, 1, 2)}
    assert {plan.run.option("width") for plan, _ in carried} == {16}
    assert told[:2] == ["L biased seed 1 Progress", "L biased seed 1 list"]
    assert len(found.table()) == 5
    assert capsys.readouterr().out == ""
    again = ablate(["L"], seeds=[1], epochs=2, probe_at=(1,), out=tmp_path, device="cpu", width=16)
    assert (again.outcome.finished, again.outcome.skipped) == ([], 2)


def test_the_demo_has_one_control(carried: list[tuple[Plan, Path | None]], tmp_path: Path) -> None:
    found = demo(out=tmp_path, device="cpu", callback=lambda *_: None)
    assert [(p.run.option("loss"), p.biased) for p, _ in carried] == [
        ("L_CoMM", True),
        ("L_CoMM", False),
        ("L", True),
        ("L_i", True),
    ]
    assert len(found) == 3


def test_ablate_trains_for_real(tmp_path: Path) -> None:
    tiny = {name: RUN.option(name) for name in ("width", "heads", "hidden", "embedding", "vector")}
    found = ablate(
        ["L"], data=DATA, epochs=1, control=False, out=tmp_path, device="cpu", batch_size=8, **tiny
    )
    (result,) = found
    assert [row["epoch"] for row in result.curves] == [0, 1]
    assert 0 <= result.biased[0]["S"] <= 1
