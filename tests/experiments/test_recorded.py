"""Curves of any file of rows: which rows belong together, and what cannot share a picture."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from trifeature.comm.settings import run_preset
from trifeature.data.settings import preset
from trifeature.errors import InputError
from trifeature.experiments.plan import Plan, Row, control_of
from trifeature.experiments.recorded import curves_of_rows
from trifeature.plots import Curve, curve_points

LEVELS = {"R": 0.2, "U1": 0.2, "U2": 0.2, "U": 0.2, "S": 0.5}
OTHERS = {"R": 1 / 4, "U1": 1 / 3, "U2": 1 / 3, "U": 1 / 3, "S": 1 / 2}


def make(loss: str = "L_CoMM", seed: int = 0, **changes: Any) -> Plan:
    data = preset("tiny", seed=seed, match_rate=1.0)
    own = {} if "method" in changes else {"loss": loss}
    return Plan("tiny", data, run_preset("tiny", seed=seed, **own, **changes), (0, 1))


def rows_for(*plans: Plan, value: float = 0.5, epochs: tuple[int, ...] = (0, 1, 4)) -> list[Row]:
    return [
        {
            **plan.columns(),
            "epoch": epoch,
            **dict.fromkeys(("R", "U", "S"), value),
        }
        for plan in plans
        for epoch in epochs
    ]


def by_label(drawn: Mapping[str, list[Curve]]) -> dict[str, Curve]:
    return {curve.label: curve for curve in drawn["S"]}


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
    assert levels == LEVELS


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
    assert curves_of_rows(rows)[1] == OTHERS
    renamed = [row | {"preset": "mine"} for row in rows]
    assert curves_of_rows(renamed)[1] == {
        "R": 1 / 4,
        "U1": 1 / 3,
        "U2": 1 / 3,
        "U": 1 / 3,
        "S": 1 / 2,
    }


def test_older_rows_without_counts_share_the_presets_chance() -> None:
    rows = rows_for(make())
    mixed = [rows[0] | {"confusion": counts(5, 5, 5)}, *rows[1:]]
    assert curves_of_rows(mixed)[1] == curves_of_rows(rows)[1] == LEVELS


def test_rows_of_other_numbers_of_classes_are_refused_in_one_picture() -> None:
    rows = [*rows_for(make()), *(r | {"confusion": counts(5, 4, 4)} for r in rows_for(make("L")))]
    with pytest.raises(InputError, match="different numbers of classes"):
        curves_of_rows(rows)


def test_rows_of_several_presets_are_refused_in_one_picture() -> None:
    rows = rows_for(make(), replace(make(), preset="paper"))
    with pytest.raises(InputError, match=r"rows of several presets \(paper, tiny\)"):
        curves_of_rows(rows)


def test_the_panels_are_the_tasks_that_the_rows_count() -> None:
    own = {
        "speaker": 0.5,
        "mood": 0.6,
        "confusion": {"speaker": [[1] * 4] * 4, "mood": [[1] * 2] * 2},
    }
    drawn, levels = curves_of_rows([row | own for row in rows_for(make())])
    assert list(drawn) == ["speaker", "mood"]
    assert levels == {"speaker": 0.25, "mood": 0.5}


def test_rows_of_modalities_with_encoders_of_their_own_can_be_drawn() -> None:
    rows = [row | {"encoder": ["small", "mlp"]} for row in rows_for(make())]
    assert list(by_label(curves_of_rows(rows)[0])) == ["L_CoMM"]


def test_no_rows_are_refused() -> None:
    with pytest.raises(InputError, match="no rows"):
        curves_of_rows([])
