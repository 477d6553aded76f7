"""Ours beside the paper's: the rule of what follows, the controls of S, rows of the paper's preset.

All rows are made up: they say nothing of any method.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import ttest_ind_from_stats, ttest_rel

from trifeature.experiments.beside import Comparison
from trifeature.experiments.catalog import EXPERIMENTS, REAL_EXPERIMENTS
from trifeature.experiments.drawing import as_latex
from trifeature.experiments.experiment import Results, Setup
from trifeature.experiments.plan import Plan, Row
from trifeature.experiments.reproduction import recorded_results
from trifeature.report import Summary

SPREADS = (0.0, 0.01, -0.01, 0.02, -0.02)
"""What each seed has more than the mean."""
COLUMNS = ("R", "U", "U1", "U2", "S")
DIFFERS = "differs: look at drawings, probe, views, precision, seeds, in this order"


def row(plan: Plan, epoch: int) -> Row:
    """A row of a training: S 80 by our probe and 72 by the authors', 60 and 52 of the control."""
    last, seed = epoch == plan.run.epochs, SPREADS[plan.run.seed]
    synergy = 0.5 + last * ((0.3 if plan.biased else 0.1) + seed)
    others = dict.fromkeys(("R", "U", "U1", "U2"), 0.3 + last * (0.578 + seed))
    auc = {"S_auc": synergy + 0.1 * last, "S_balanced": synergy + 0.05 * last}
    if plan.probing == "authors":
        del auc["S_balanced"]  # their probe does not balance the classes
    bits = {"information": {c: {"cross_entropy": 0.1, "fano": 0.0} for c in ("R", "U", "S")}}
    found = {**plan.columns(), "epoch": epoch, **others, "S": synergy, **auc, **bits}
    if not last:
        return found
    # The paired difference must vary by seed, or its interval would be a point.
    early = {**others, "S": synergy - 0.08 + (seed / 2 if plan.biased else 0)}
    ends = {f"{column}_converged": value for column, value in (others | {"S": synergy}).items()}
    return found | {"i_nce": 2.0, "official": early | ends}


def rows_of(name: str, setup: Setup, wanted: Callable[[Plan], bool] = lambda _: True) -> list[Row]:
    return [
        row(plan, epoch)
        for plan in EXPERIMENTS[name].plans(setup)
        if wanted(plan)
        for epoch in plan.probe_epochs
    ]


def comm_alone(plan: Plan) -> bool:
    """CoMM at the preset's settings: what a GPU measures first."""
    return (plan.run.method, plan.run.option("loss"), plan.setting) == ("comm", "L_CoMM", "")


def results_of(name: str, preset: str = "paper", seeds: int = 3, **changes: Any) -> Results:
    setup = Setup(preset, seeds=seeds, **changes)
    return recorded_results(name, setup, rows_of(name, setup))


def lines_of(results: Results, title: str) -> dict[tuple[str, str], dict[str, str]]:
    """The cells of a further table by its arm and column, or its arm and measure."""
    (found,) = (lines for name, lines in results.tables().items() if name.startswith(title))
    heading, *lines = found
    return {(line[0], line[2]): dict(zip(heading, line, strict=True)) for line in lines}


# --------------------------------------------------------------------------- the rule


def test_the_standard_error_is_that_of_welchs_test() -> None:
    one = Comparison(Summary(70.3, 1.7, 3), None, Summary(71.9, 2.0, 5))
    welch = ttest_ind_from_stats(70.3, 1.7, 3, 71.9, 2.0, 5, equal_var=False)
    assert one.difference is not None
    assert one.standard_error is not None
    assert one.difference / one.standard_error == pytest.approx(welch.statistic)


@pytest.mark.parametrize(
    ("ours", "paper", "verdict"),
    [
        # A standard error of √(3/3 + 5/5) = 1.41.
        (Summary(74.8, 3**0.5, 3), (72.0, 5**0.5), "agrees within two standard errors"),
        (Summary(74.9, 3**0.5, 3), (72.0, 5**0.5), DIFFERS),
        (Summary(69.1, 3**0.5, 3), (72.0, 5**0.5), DIFFERS),
        # Many standard errors, but no more than a point.
        (Summary(98.9, 0.03, 3), (99.9, 0.03), "within a point"),
        (Summary(98.8, 0.03, 3), (99.9, 0.03), DIFFERS),
        (Summary(50.0, 0.0, 5), (50.0, 0.0), "agrees within two standard errors"),
        (Summary(20.0, 1.0, 2), (72.0, 2.0), "n = 2: nothing follows"),
        (Summary(72.0, None, 1), (72.0, 2.0), "n = 1: nothing follows"),
        (Summary(20.0, 1.0, 3), (99.8, None), "the paper gives no spread: nothing follows"),
        (None, (72.0, 2.0), "not measured"),
    ],
)
def test_values_differ_by_more_than_two_standard_errors_and_a_point_of_three_runs(
    ours: Summary | None, paper: tuple[float, float | None], verdict: str
) -> None:
    assert Comparison(ours, None, Summary(*paper, 5)).verdict() == verdict


def test_nothing_follows_from_another_metric_and_no_difference_of_it_is_stated() -> None:
    one = Comparison(Summary(20.0, 1.0, 5), None, Summary(46.5, 2.9, 5), "macro precision")
    assert one.verdict() == "the paper's is macro precision: nothing follows"
    assert (one.difference, one.standard_error) == (None, None)


def test_our_probe_does_not_stand_in_for_the_authors() -> None:
    one = Comparison(None, Summary(72.0, 2.0, 5), Summary(71.9, 2.0, 5))
    assert one.verdict() == "not measured by the authors' probe"


# --------------------------------------------------------------------------- the tables


def test_the_authors_probe_is_compared_and_ours_stands_beside_it() -> None:
    lines = lines_of(results_of("fig4"), "ours beside the paper's")
    assert list(lines) == [
        (arm, column)
        for arm in ("CoMM", "Cross", "Cross+Self", "FactorCL")
        for column in ("R", "U", "S")
    ]
    assert lines["CoMM", "S"] == {
        "": "CoMM",
        "n": "3 + 3",
        "column": "S",
        "authors' probe": "72.0 ± 1.5",
        "our probe": "80.0 ± 1.0",
        "paper": "71.9 ± 2.0",
        "difference": "+0.10",
        "standard error": "1.24",  # √(1.5²/3 + 2.0²/5)
        "what follows": "agrees within two standard errors",
    }
    assert lines["CoMM", "U"]["what follows"] == "agrees within two standard errors"
    assert lines["CoMM", "R"]["what follows"] == DIFFERS
    assert lines["FactorCL", "R"]["difference"] == "–"


def test_table_5_compares_what_the_paper_gives_of_each_image() -> None:
    lines = lines_of(results_of("table5"), "ours beside the paper's")
    assert [column for arm, column in lines if arm == "All, ∅"] == ["R", "U1", "U2", "S"]
    assert lines["All, ∅", "U2"]["paper"] == "46.4 ± 3.7"


def test_s_stands_beside_both_controls_by_each_measure() -> None:
    results = results_of("fig5")
    lines = lines_of(results, "S beside its controls")
    assert {arm for arm, _ in lines} == {"L_CoMM", "L", "ΣL_i"}
    auc = lines["L", "AUC, our probe"]
    assert (auc["biased"], auc["unbiased"], auc["untrained"]) == (
        "90.0 ± 1.0",
        "70.0 ± 1.0",
        "50.0",
    )
    balanced = lines["L", "accuracy, our probe, class-balanced"]
    assert (balanced["biased"], balanced["unbiased"]) == ("85.0 ± 1.0", "65.0 ± 1.0")
    authors = lines["L", "accuracy, authors' probe"]
    assert (authors["biased"], authors["unbiased"]) == ("72.0 ± 1.5", "52.0 ± 1.0")
    assert authors["untrained"] == "–"
    pairs = [
        [100 * one["official"]["S"] for one in rows]
        for rows in (results.arms[1].biased, results.arms[1].unbiased)
    ]
    low, high = ttest_rel(*pairs).confidence_interval(0.95)
    assert authors["over unbiased [95 %]"] == f"+20.0 [{low:+.1f}, {high:+.1f}]"


def test_the_title_says_which_preset_and_that_a_smaller_one_is_not_of_the_papers_size() -> None:
    of_paper, of_fast = (list(results_of("table4", name).tables()) for name in ("paper", "fast"))
    assert all(title.endswith("; paper preset, n = 3, %") for title in of_paper)
    size = "fast preset, 112 px where the paper has 224"
    assert all(title.endswith(f"; {size}, n = 3, %") for title in of_fast)
    lines = lines_of(results_of("table4", "fast"), "ours beside the paper's")
    assert lines["CoMM", "R"]["what follows"] == DIFFERS.replace("drawings", "canvas, drawings")


def test_real_data_have_no_canvas_of_the_preset() -> None:
    assert "fast preset, n = 0" in REAL_EXPERIMENTS["digits"].results(Setup("fast"), []).caption


def test_other_epochs_are_named_and_are_the_first_reason_of_a_difference() -> None:
    results = results_of("table4", epochs=10, precision="float32")
    lines = lines_of(results, "ours beside the paper's")
    assert lines["CoMM", "R"]["what follows"] == DIFFERS.replace("drawings", "epochs, drawings")
    words = "; paper preset, epochs 10, precision float32, n = 3"
    assert all(words in title for title in results.tables())
    assert results.draw().get_suptitle().endswith(words)


def test_rows_of_the_authors_protocol_are_by_their_probe() -> None:
    results = results_of("table4", probing="authors")
    lines = lines_of(results, "ours beside the paper's")
    assert (lines["CoMM", "S"]["authors' probe"], lines["CoMM", "S"]["our probe"]) == (
        "80.0 ± 1.0",
        "–",
    )
    controls = lines_of(results, "S beside its controls")
    assert [measure for arm, measure in controls if arm == "CoMM"] == [
        "accuracy, authors' probe",
        "AUC, authors' probe",
    ]
    accuracy = controls["CoMM", "accuracy, authors' probe"]
    assert (accuracy["biased"], accuracy["untrained"]) == ("80.0 ± 1.0", "50.0")
    assert all("paper preset, the authors' probes, n = 3" in title for title in results.tables())


def test_rows_of_probes_with_products_are_named_so_and_the_authors_stand_beside_them() -> None:
    results = results_of("table4", probing="products")
    line = lines_of(results, "ours beside the paper's")["CoMM", "S"]
    assert "our probe" not in line
    assert (line["authors' probe"], line["our probe with products"]) == ("72.0 ± 1.5", "80.0 ± 1.0")
    controls = lines_of(results, "S beside its controls")
    assert [measure for arm, measure in controls if arm == "CoMM"] == [
        "accuracy, authors' probe",
        "accuracy, our probe with products",
        "accuracy, our probe with products, class-balanced",
        "AUC, our probe with products",
    ]
    words = "paper preset, probes read products of the modalities, n = 3"
    assert all(words in title for title in results.tables())


@pytest.mark.parametrize("preset", ["quick", "laptop", "tiny", "quick-old"])
def test_presets_that_are_not_beside_published_numbers_have_one_table(preset: str) -> None:
    for name in ("fig4", "fig5", "table4", "table5", "table7"):
        assert len(EXPERIMENTS[name].results(Setup(preset), []).tables()) == 1


# --------------------------------------------------------------------------- what comes first


def first_rows() -> list[Row]:
    """CoMM of seed 0 with its curve; the same at a temperature of 0.4, at two epochs alone."""
    hot = rows_of("front", Setup("paper", seeds=1), lambda plan: plan.setting == "temperature 0.4")
    kept = [one for one in hot if one["loss"] == "L_CoMM" and one["method"] == "comm"]
    return [
        *rows_of("fig5", Setup("paper", seeds=1), comm_alone),
        *(one for one in kept if one["epoch"] in (0, one["epochs"])),
    ]


@pytest.mark.parametrize("name", ["fig4", "fig5", "table4", "table5", "front"])
def test_every_figure_can_be_drawn_from_the_first_rows(name: str, tmp_path: Path) -> None:
    file = tmp_path / "paper.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in first_rows()), encoding="utf-8")
    results = recorded_results(name, Setup("paper"), file)
    assert "n = up to 1, some not measured" in results.draw().get_suptitle()
    for lines in results.tables().values():
        assert as_latex(lines).isascii()


def test_of_the_first_rows_nothing_follows_and_the_rest_is_missing() -> None:
    results = recorded_results("fig4", Setup("paper"), first_rows())
    lines = lines_of(results, "ours beside the paper's")
    assert lines["CoMM", "S"]["authors' probe"] == "72.0"
    assert lines["CoMM", "S"]["standard error"] == "–"
    assert lines["CoMM", "S"]["what follows"] == "n = 1: nothing follows"
    assert lines["Cross", "R, U, S"]["what follows"] == "not measured"
    controls = lines_of(results, "S beside its controls")
    lead = controls["CoMM", "AUC, our probe"]["over unbiased [95 %]"]
    assert lead == "+20.0 (n = 1)"
    assert [key for key in controls if key[0] == "Cross"] == [("Cross", "–")]


def test_the_first_rows_at_another_temperature_are_in_the_front() -> None:
    heading, *lines = recorded_results("front", Setup("paper"), first_rows()).table()
    found = {line[0]: dict(zip(heading, line, strict=True)) for line in lines if line[1] != "0 + 0"}
    assert list(found) == ["L_CoMM, τ = 0.1", "L_CoMM, τ = 0.4"]
    assert found["L_CoMM, τ = 0.4"]["over control [95 %]"] == "+20.0"
