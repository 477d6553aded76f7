"""Losses side by side, each with its controls: grouping, curves, and which rows belong together."""

from dataclasses import replace
from typing import Any

import pytest

from trifeature.comm.settings import run_preset
from trifeature.data.dataset import preset
from trifeature.errors import InputError
from trifeature.experiments.ablation import (
    DEMO_LOSSES,
    Series,
    ablation,
    chance,
    curves,
    curves_of_rows,
    last_rows,
    plans_of,
    untrained_rows,
)
from trifeature.experiments.plan import Plan, Row, control_of
from trifeature.plots import Curve, curve_points


def make(loss: str = "L_CoMM", seed: int = 0, **changes: Any) -> Plan:
    data = preset("quick", seed=seed, match_rate=1.0)
    own = {} if "method" in changes else {"loss": loss}
    return Plan("quick", data, run_preset("quick", seed=seed, **own, **changes), (0, 1))


def rows_for(*plans: Plan, value: float = 0.5, epochs: tuple[int, ...] = (0, 1, 4)) -> list[Row]:
    return [
        {
            "key": plan.key,
            "preset": plan.preset,
            "method": plan.run.method,
            "loss": plan.run.option("loss", "L_CoMM"),
            "encoder": plan.run.encoder,
            "setting": plan.setting,
            "biased": plan.biased,
            "seed": plan.run.seed,
            "validation": plan.data.validation,
            "epochs": plan.run.epochs,
            "probing": plan.probing,
            "epoch": epoch,
            **dict.fromkeys(("R", "U", "S"), value),
        }
        for plan in plans
        for epoch in epochs
    ]


def by_label(drawn: dict[str, list[Curve]]) -> dict[str, Curve]:
    return {curve.label: curve for curve in drawn["S"]}


# --------------------------------------------------------------------------- plans in groups


def test_the_demo_compares_the_whole_loss_with_its_parts() -> None:
    assert DEMO_LOSSES == ("L_CoMM", "L", "L_i")


def test_plans_are_grouped_by_loss_in_the_order_given() -> None:
    plans = [make(loss, seed) for seed in (0, 1) for loss in ("L_i", "L", "L_2")]
    series = ablation(plans, controls=[])
    assert [one.label for one in series] == ["ΣL_i", "L", "L_2"]
    assert series[0].biased == [plans[0], plans[3]]
    assert all(one.control == [] for one in series)


def test_controls_are_the_same_runs_on_unbiased_pairs_for_the_losses_named() -> None:
    plans = [make("L_CoMM"), make("L")]
    whole, part = ablation(plans, controls=["L_CoMM"])
    assert whole.control == [control_of(plans[0])]
    assert part.control == []


def test_biased_runs_of_all_losses_come_before_any_control() -> None:
    plans = [make(loss) for loss in ("L_CoMM", "L")]
    series = ablation(plans, controls=["L_CoMM", "L"])
    assert plans_of(iter(series)) == [*plans, *map(control_of, plans)]


def test_chance_is_that_of_the_plans_own_data_set() -> None:
    data = preset("quick", shapes=4, textures=3)
    assert chance(Plan("quick", data, run_preset("quick"), ())) == {
        "R": 1 / 4,
        "U": 1 / 3,
        "S": 0.5,
    }


# --------------------------------------------------------------------------- rows of a series


def test_each_loss_is_a_solid_curve_and_its_control_a_dashed_one_of_the_same_color() -> None:
    series = ablation([make("L_CoMM"), make("L_i")], controls=["L_CoMM", "L_i"])
    drawn = curves(series, rows_for(*plans_of(series)))
    assert set(drawn) == {"R", "U", "S"}
    found = [(c.label, c.control, c.color, len(c.rows)) for c in drawn["S"]]
    assert found == [
        ("L_CoMM", False, 0, 3),
        ("L_CoMM, unbiased pairs (control)", True, 0, 3),
        ("ΣL_i", False, 1, 3),
        ("ΣL_i, unbiased pairs (control)", True, 1, 3),
    ]


def test_a_loss_without_rows_has_no_curve_and_strange_rows_are_left_out() -> None:
    series = ablation([make("L_CoMM"), make("L_i")], controls=["L_CoMM"])
    rows = rows_for(make("L_i"), make("L_2"))
    assert list(by_label(curves(series, rows))) == ["ΣL_i"]


def test_the_last_rows_are_those_of_the_last_epoch_one_a_plan() -> None:
    plans = [make(seed=0), make(seed=1)]
    rows = rows_for(*plans, make("L"))
    assert [row["seed"] for row in last_rows(plans, rows)] == [0, 1]
    assert {row["epoch"] for row in last_rows(plans, rows)} == {4}
    assert last_rows(plans, rows_for(*plans, epochs=(0, 1))) == []


def test_the_untrained_network_counts_once_a_seed() -> None:
    series = ablation([make("L", s) for s in (0, 1)] + [make("L_i", 0)], controls=["L"])
    rows = rows_for(*plans_of(series))
    assert [(row["seed"], row["epoch"]) for row in untrained_rows(plans_of(series), rows)] == [
        (0, 0),
        (1, 0),
    ]


# --------------------------------------------------------------------------- rows of any file


def test_rows_of_several_seeds_of_one_loss_make_one_curve() -> None:
    rows = [
        *rows_for(make(seed=0), value=0.4),
        *rows_for(make(seed=1), value=0.6),
        *rows_for(control_of(make(seed=0)), value=0.3),
        *rows_for(make("L_i"), value=0.2),
    ]
    drawn, levels = curves_of_rows(rows)
    found = by_label(drawn)
    assert list(found) == ["L_CoMM", "L_CoMM, unbiased pairs (control)", "ΣL_i"]
    assert curve_points(found["L_CoMM"].rows, "S")[1] == pytest.approx([50, 50, 50])
    assert found["L_CoMM, unbiased pairs (control)"].control
    assert [found[label].color for label in found] == [0, 0, 1]
    assert levels == {"R": 0.2, "U": 0.2, "S": 0.5}


def test_other_methods_and_settings_have_their_own_curves() -> None:
    plans = [
        make(),
        make(method="cross"),
        replace(make(fusion="linear"), setting="linear fusion"),
    ]
    drawn, _ = curves_of_rows(rows_for(*plans))
    assert list(by_label(drawn)) == ["L_CoMM", "cross", "L_CoMM linear fusion"]


def test_runs_of_different_lengths_are_never_averaged() -> None:
    long = make(epochs=8)
    rows = [*rows_for(make(), value=0.4), *rows_for(long, value=0.6, epochs=(0, 1, 8))]
    drawn, _ = curves_of_rows(rows)
    found = by_label(drawn)
    assert list(found) == ["L_CoMM, epochs 4", "L_CoMM, epochs 8"]
    assert curve_points(found["L_CoMM, epochs 4"].rows, "S")[1] == pytest.approx([40, 40, 40])


def test_runs_that_rows_do_not_tell_apart_are_refused() -> None:
    rows = [*rows_for(make()), *rows_for(make(learning_rate=1e-4))]
    with pytest.raises(InputError, match="rows of several configurations are called 'L_CoMM'"):
        curves_of_rows(rows)


def test_a_row_written_twice_counts_once_and_the_latest() -> None:
    rows = [*rows_for(make(), value=0.4), *rows_for(make(), value=0.6)]
    drawn, _ = curves_of_rows(rows)
    _, mean, spread = curve_points(by_label(drawn)["L_CoMM"].rows, "S")
    assert mean == pytest.approx([60, 60, 60])
    assert spread.tolist() == [0, 0, 0]


def counts(share: int, unique1: int, unique2: int) -> dict[str, list[list[int]]]:
    """Confusions of so many classes each."""
    sizes = {"R": share, "U1": unique1, "U2": unique2, "S": 2}
    return {name: [[1] * n] * n for name, n in sizes.items()}


def test_chance_is_that_of_the_classes_that_the_rows_count_not_of_the_preset() -> None:
    rows = [row | {"confusion": counts(4, 3, 3)} for row in rows_for(make())]
    assert curves_of_rows(rows)[1] == {"R": 1 / 4, "U": 1 / 3, "S": 1 / 2}
    renamed = [row | {"preset": "mine"} for row in rows]
    assert curves_of_rows(renamed)[1] == {"R": 1 / 4, "U": 1 / 3, "S": 1 / 2}


def test_older_rows_without_counts_share_the_presets_chance() -> None:
    rows = rows_for(make())
    mixed = [rows[0] | {"confusion": counts(5, 5, 5)}, *rows[1:]]
    assert curves_of_rows(mixed)[1] == curves_of_rows(rows)[1] == {"R": 0.2, "U": 0.2, "S": 0.5}


def test_rows_of_other_numbers_of_classes_are_refused_in_one_picture() -> None:
    rows = [*rows_for(make()), *(r | {"confusion": counts(5, 4, 4)} for r in rows_for(make("L")))]
    with pytest.raises(InputError, match="different numbers of classes"):
        curves_of_rows(rows)


def test_rows_of_several_presets_are_refused_in_one_picture() -> None:
    rows = rows_for(make(), replace(make(), preset="paper"))
    with pytest.raises(InputError, match=r"rows of several presets \(paper, quick\)"):
        curves_of_rows(rows)


def test_a_series_can_be_made_by_hand() -> None:
    series = Series("mine", [make()], [])
    assert [curve.label for curve in curves([series], rows_for(make()))["R"]] == ["mine"]
