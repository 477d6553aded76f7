"""The leaderboard: how methods are ordered and judged, and what its lines say."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planned_runs import drawn
from scipy import stats

from trifeature.comm.methods import METHODS, register_method
from trifeature.comm.methods.comm import CoMM
from trifeature.comm.networks import count_parameters
from trifeature.comm.options import OPTIONS, CoMMOptions
from trifeature.comm.training import new_method
from trifeature.data.dataset import Dataset
from trifeature.experiments.experiment import Results, Setup
from trifeature.experiments.front import FRONT
from trifeature.experiments.leaderboard import (
    LEADERBOARD,
    OF_REAL_DATA,
    THREE_MODALITIES,
    accuracies,
    costs,
    parameters,
    readings,
    table,
)
from trifeature.experiments.plan import Row
from trifeature.experiments.standings import adjusted, standings
from trifeature.presets import QUICK
from trifeature.report import holm

pytestmark = pytest.mark.usefixtures("planned_once")
SETUP = Setup("tiny", seeds=4)
BIASED: Mapping[str, list[float]] = {
    "CoMM": [0.70, 0.72, 0.69, 0.73],
    "InfMasking": [0.90, 0.93, 0.90, 0.92],
    "Cross": [0.51, 0.49, 0.50, 0.52],
    "L": [0.60, 0.80, 0.75, 0.66],
}
CONTROL = [0.55, 0.56, 0.52, 0.55]


def rows(results_of: Any, values: Mapping[str, list[float]]) -> list[Row]:
    """Last rows of some arms, with S (AUC) by seed; controls are all alike."""
    arms = {arm.label: arm for arm in results_of.arms(QUICK)}
    made = []
    for label, found in values.items():
        for seed, value in enumerate(found):
            for plan in results_of.pair(SETUP, arms[label], seed):
                auc = value if plan.biased else CONTROL[seed]
                same = dict.fromkeys(("R", "U", "S", "S_balanced"), 0.6) | {"seconds": 9.6}
                made += [
                    plan.columns() | same | {"epoch": epoch, "S_auc": auc if epoch else 0.5}
                    for epoch in (0, plan.run.epochs)
                ]
    return made


def board(values: Mapping[str, list[float]] = BIASED) -> Results:
    return LEADERBOARD.results(SETUP, rows(LEADERBOARD, values))


def test_methods_are_ordered_by_auc_over_their_control_and_unmeasured_ones_are_last() -> None:
    found = standings(board())
    assert [one.result.arm.label for one in found[:4]] == ["InfMasking", "CoMM", "L", "Cross"]
    assert all(one.own.over_control is None for one in found[4:])
    assert len(found) == len(LEADERBOARD.arms(QUICK))
    first = found[0].own.over_control
    assert first is not None
    assert first.mean == pytest.approx(100 * np.mean(np.subtract(BIASED["InfMasking"], CONTROL)))


def test_a_difference_to_comm_is_established_after_holm_over_the_board() -> None:
    found = {one.result.arm.label: one for one in standings(board())}
    tests = [
        float(stats.ttest_rel(BIASED[label], BIASED["CoMM"]).pvalue)
        for label in ("L", "Cross", "InfMasking")
    ]
    # Also those without rows belong to the family of tests.
    unread = [1.0] * (len(LEADERBOARD.arms(QUICK)) - 1 - len(tests))
    for label, expected in zip(("L", "Cross", "InfMasking"), holm([*tests, *unread]), strict=False):
        assert found[label].own.p_value == pytest.approx(expected)
    verdicts = {label: found[label].own.verdict for label in BIASED}
    assert verdicts == {"CoMM": "", "InfMasking": "more", "Cross": "less", "L": "not established"}


def test_an_added_method_changes_no_verdict_and_is_tested_within_all() -> None:
    known: list[float | None] = [0.01, 0.04, None]
    alone = adjusted(known, [False] * 3)
    assert alone == [pytest.approx(0.03), pytest.approx(0.08), None]
    assert adjusted([*known, 0.02, 0.5], [False] * 3 + [True] * 2) == [
        *alone,
        pytest.approx(0.08),
        1.0,
    ]


@settings(max_examples=50)
@given(st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=6), st.floats(0, 1))
def test_measuring_another_method_never_takes_an_established_difference_back(
    p_values: list[float | None], measured: float
) -> None:
    before = adjusted([*p_values, None], [False] * (len(p_values) + 1))
    after = adjusted([*p_values, measured], [False] * (len(p_values) + 1))
    for old, new in zip(before[:-1], after[:-1], strict=True):
        assert (old is None) == (new is None)
        assert old is None or (new is not None and new <= old * (1 + 1e-12))


@pytest.mark.parametrize("seeds", [1, 2])
def test_two_seeds_establish_nothing(seeds: int) -> None:
    found = standings(board({label: values[:seeds] for label, values in BIASED.items()}))
    assert {one.own.verdict for one in found if one.own.over_reference} == {"too few seeds"}


def test_the_table_has_every_method_with_what_was_published_under_which_protocol() -> None:
    heading, *lines = table(board())
    assert len(lines) == len(LEADERBOARD.arms(QUICK))
    first = dict(zip(heading, lines[0], strict=True))
    assert first["method"] == "InfMasking"
    assert first["n"] == "4 + 4"
    assert first["S AUC"] == "91.2 ± 1.5"
    assert first["control AUC"] == "54.5 ± 1.7"
    assert first["published S"] == "77.0 ± 4.2"
    assert first["established"] == "more"
    assert dict(zip(heading, lines[-1], strict=True))["S AUC"] == "–"
    results = board()
    heading, *lines = costs(results, standings(results))
    first = dict(zip(heading, lines[0], strict=True))
    assert first["published R / U / S"] == "99.9 / 90.6 / 77.0 ± 4.2"
    assert first["published protocol"] == "epoch chosen on test pairs"
    assert first["least seconds"] == "10"


def test_the_balanced_probe_is_judged_like_auc() -> None:
    made = rows(LEADERBOARD, BIASED)
    for row in made:
        row["S_balanced"] = row["S_auc"] / 2
    results = LEADERBOARD.results(SETUP, made)
    heading, *lines = accuracies(standings(results))
    first, second = (dict(zip(heading, line, strict=True)) for line in lines[:2])
    assert (first["method"], first["S balanced"]) == ("InfMasking", "45.6 ± 0.8")
    assert (first["established"], first["over control [95 %]"][:6]) == ("more", "+18.4 ")
    assert (second["method"], second["minus CoMM's [95 %]"]) == ("CoMM", "reference")
    for one in standings(results):
        assert one.balanced.p_value == pytest.approx(one.own.p_value)


def test_what_probes_with_products_read_stands_beside_where_they_did() -> None:
    made = rows(LEADERBOARD, BIASED)
    for row in made:
        if row["method"] == "cross" and row["epoch"]:
            read = 0.9 + 0.01 * row["seed"] if row["biased"] else 0.5
            row["products"] = {"S_auc": read, "S": read - 0.1}
    results = LEADERBOARD.results(SETUP, made)
    heading, *lines = readings(standings(results))
    found = {line[0]: dict(zip(heading, line, strict=True)) for line in lines}
    cross, comm = found["Cross"], found["CoMM"]
    assert cross["S AUC, products"] == "91.5 ± 1.3"
    assert cross["S macro, products"] == "81.5 ± 1.3"
    assert cross["control AUC, products"] == "50.0 ± 0.0"
    assert cross["over control, products [95 %]"].startswith("+41.5 [")
    assert cross["S AUC"] == "50.5 ± 1.3"
    assert (cross["n"], comm["n"]) == ("4 + 4", "0 + 0")
    assert comm["S AUC, products"] == comm["over control, products [95 %]"] == "–"
    assert cross["established, products"] == comm["established, products"] == ""
    for row in made:
        if row["method"] == "comm" and not row["setting"] and row["loss"] == "L_CoMM":
            row["products"] = {"S_auc": 0.6 + 0.02 * row["seed"] * row["biased"], "S": 0.5}
    (again,) = (
        dict(zip(heading, line, strict=True))
        for line in readings(standings(LEADERBOARD.results(SETUP, made)))
        if line[0] == "Cross"
    )
    assert again["minus CoMM's, products [95 %]"].startswith("+38.5 [")
    assert again["established, products"] == "more"
    _, labels = results.draw().axes[0].get_legend_handles_labels()
    assert {"biased, products", "control, products"} <= set(labels)
    assert not any(
        "products" in label for label in board().draw().axes[0].get_legend_handles_labels()[1]
    )


def test_parameters_are_those_of_the_network_in_training(tiny: Dataset) -> None:
    results = board()
    found = {one.arm.label: parameters(results, one.arm) for one in results}
    plan, _ = LEADERBOARD.pair(SETUP, LEADERBOARD.arms(QUICK)[3], 0)
    assert found["Cross"] == count_parameters(new_method(plan.run, tiny))
    assert found["Cross"] != found["CoMM"]


def test_a_method_from_outside_has_a_line_of_its_own() -> None:
    labels = [arm.label for arm in LEADERBOARD.arms(QUICK)]
    for name in ("mine", "L"):
        register_method(name, CoMM, CoMMOptions)
    try:
        arms = LEADERBOARD.arms(QUICK)
        assert [arm.label for arm in arms] == [*labels, "mine", "L (added)"]
        assert [arm.added for arm in arms] == [False] * len(labels) + [True] * 2
    finally:
        for name in ("mine", "L"):
            del METHODS[name], OPTIONS[name]


def test_a_method_that_cannot_be_made_hides_no_other() -> None:
    class Broken(CoMM):
        least_modalities = 4

        def __init__(self, *_: object) -> None:
            raise RuntimeError

    register_method("broken", Broken, CoMMOptions)
    try:
        results = THREE_MODALITIES.results(SETUP, [])
        (line,) = (one for one in costs(results, standings(results)) if one[0] == "broken")
        assert line[2:4] == ["–", "–"]
        assert "broken" not in [arm.label for arm in LEADERBOARD.arms(QUICK)]
    finally:
        del METHODS["broken"], OPTIONS["broken"]


def test_differences_of_fewer_seeds_say_so() -> None:
    values = {**BIASED, "InfMasking": BIASED["InfMasking"][:2]}
    heading, *lines = table(board(values))
    (cross,) = (line for line in lines if line[0] == "Cross")
    assert "n =" not in " ".join(cross)
    made = [r for r in rows(LEADERBOARD, BIASED) if r["method"] != "comm" or r["seed"] < 2]
    _, *lines = table(LEADERBOARD.results(SETUP, made))
    (fewer,) = (dict(zip(heading, one, strict=True)) for one in lines if one[0] == "Cross")
    assert fewer["minus CoMM's [95 %]"].endswith("(n = 2)")


def test_every_method_of_the_package_is_on_a_board() -> None:
    arms = [*LEADERBOARD.arms(QUICK), *THREE_MODALITIES.arms(QUICK)]
    assert {arm.changes.get("method", "comm") for arm in arms} == set(METHODS) - OF_REAL_DATA


def test_three_modalities_are_compared_on_data_of_three_with_balanced_tests() -> None:
    plans = THREE_MODALITIES.plans(Setup("tiny", seeds=1))
    # Their rows stand beside those of two modalities, whose settings have other words.
    assert {plan.setting for plan in plans} == {"three modalities"}
    assert {drawn(plan).rule.modalities for plan in plans} == {3}
    assert {drawn(plan).rule.gate for plan in plans} == {"balanced"}
    results = THREE_MODALITIES.results(SETUP, rows(THREE_MODALITIES, {"Symile": [0.7, 0.6]}))
    chance = {"R": 0.2, "U": 0.2, "U1": 0.2, "U2": 0.2, "U3": 0.2, "S": 0.5}
    assert results.chance == pytest.approx(chance)
    assert standings(results)[0].result.arm.label == "Symile"


@pytest.mark.parametrize("seeds", [1, 4])
def test_the_picture_has_a_line_a_method_and_names_what_differs(seeds: int) -> None:
    figure = board({label: values[:seeds] for label, values in BIASED.items()}).draw()
    left, middle, right = figure.axes
    labels = [text.get_text() for text in left.get_yticklabels()]
    assert set(labels) == BIASED.keys()
    assert labels[-1] == "InfMasking"
    assert [axes.get_title() for axes in (left, middle, right)][1] == "S over its control"


# --------------------------------------------------------------------------- the front


def test_the_front_has_each_loss_at_each_temperature_and_shares_the_presets_own() -> None:
    arms = FRONT.arms(QUICK)
    lines, rivals, points = arms[:15], arms[15:-3], arms[-3:]
    assert len({(arm.changes.get("loss"), arm.changes["temperature"]) for arm in lines}) == 15
    assert [arm.changes["temperature"] for arm in rivals] == [0.4, 0.8] * (len(rivals) // 2)
    setup = Setup("quick", seeds=1)
    shared = {plan.key: plan.setting for plan in LEADERBOARD.plans(setup)}
    for arm in (*rivals[::2], *points):
        for plan in FRONT.pair(setup, arm, 0):
            assert shared[plan.key] == plan.setting
    comm, _ = LEADERBOARD.pair(setup, LEADERBOARD.arms(QUICK)[0], 0)
    assert [p.key for p in FRONT.plans(setup)].count(comm.key) == 1


def test_the_front_is_drawn_with_what_is_measured() -> None:
    setup = Setup("tiny", seeds=2)
    made = [
        plan.columns()
        | {"epoch": epoch, "R": 0.9, "U": plan.run.option("temperature")}
        | dict.fromkeys(("S", "S_auc", "S_balanced"), 0.6)
        for plan in FRONT.plans(setup)
        if plan.run.option("loss") != "L"
        for epoch in plan.probe_epochs
    ]
    figure = FRONT.results(setup, made).draw()
    front, redundancy, unique, synergy = figure.axes
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "L_CoMM",
        "ΣL_i",
        "L, not measured",
        "Asymmetric dropping",
        "InfMasking",
        "HRIL, + alignment",
        "CoMM, two temperatures",
        "CoMM, two temperatures, two fusions",
        "CoMM + Cross",
    ]
    xs = [np.asarray(line.get_xdata()) for line in front.lines if line.get_label() == "L_CoMM"]
    assert list(xs[0]) == pytest.approx([5, 10, 20, 40, 80])
    assert len(redundancy.lines) == len(unique.lines) == 5
    assert len(synergy.lines) == 10
