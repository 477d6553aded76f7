"""Figures and tables from rows alone: ours beside the paper's, what is missing as missing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from trifeature.experiments.catalog import EXPERIMENTS
from trifeature.experiments.drawing import as_latex, as_markdown, as_text
from trifeature.experiments.experiment import Setup
from trifeature.experiments.plan import Plan, Row
from trifeature.presets import get_preset
from trifeature.views.sets import ViewSet

Measure = Callable[[Plan, int], dict[str, Any]]


def plain(plan: Plan, epoch: int) -> dict[str, Any]:
    """Values that tell biased from unbiased, and rise with the epoch and the seed."""
    value = (0.5 if plan.biased else 0.4) + 0.05 * epoch + 0.01 * plan.run.seed
    own = dict.fromkeys(("R", "U", "U1", "U2", "S", "S_auc", "S_balanced"), value)
    bits = dict.fromkeys(("R", "U1", "U2", "S"), 1 - value)
    return own | {"bits": bits, "i_nce": 2.0 + 0.5 * plan.run.seed}


def rows_of(
    name: str,
    *,
    seeds: int = 1,
    measure: Measure = plain,
    wanted: Callable[[Plan], bool] = lambda _: True,
) -> list[Row]:
    """A row for every epoch that an experiment would probe on the quick preset."""
    return [
        {"key": plan.key, "epoch": epoch, "seed": plan.run.seed, "biased": plan.biased}
        | measure(plan, epoch)
        for plan in EXPERIMENTS[name].plans(Setup("tiny", seeds=seeds))
        if wanted(plan)
        for epoch in plan.probe_epochs
    ]


def drawn(name: str, rows: list[Row], seeds: int = 1) -> Figure:
    return EXPERIMENTS[name].results(Setup("tiny", seeds=seeds), rows).draw()


def lines_of(name: str, rows: list[Row], seeds: int = 1) -> dict[str, dict[str, str]]:
    """The cells of a table by line and column."""
    heading, *lines = EXPERIMENTS[name].results(Setup("tiny", seeds=seeds), rows).table()
    return {line[0]: dict(zip(heading[1:], line[1:], strict=True)) for line in lines}


def panel(figure: Figure, title: str) -> Axes:
    return next(axes for axes in figure.axes if axes.get_title() == title)


def points(axes: Axes, label: str) -> list[tuple[float, float]]:
    (line,) = (one for one in axes.get_lines() if one.get_label() == label)
    xy = np.asarray(line.get_xydata(), dtype=float)
    return [(float(x), round(float(y), 6)) for x, y in xy]


def labels(axes: Axes) -> list[str]:
    return [str(one.get_label()) for one in axes.get_lines()]


def heights(axes: Axes) -> list[float]:
    """Where each bar ends."""
    bars = (p for p in axes.patches if isinstance(p, Rectangle))
    return [round(p.get_y() + p.get_height(), 6) for p in bars]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for one in figure.legends for text in one.get_texts()]


def arms_in_legend(figure: Figure) -> list[str]:
    """What the legend says of the losses, whatever else it explains."""
    return [label for label in legend(figure) if label.startswith(("L", "ΣL"))]


def test_chance_is_that_of_the_presets_classes() -> None:
    for name, level in (("tiny", 0.2), ("paper", 0.1)):
        chance = EXPERIMENTS["fig4"].results(Setup(name), []).chance
        assert chance == {"R": level, "U": level, "U1": level, "U2": level, "S": 0.5}


# --------------------------------------------------------------------------- figure 4


def test_figure_4_has_r_and_u_of_unbiased_and_s_of_biased_trainings_with_its_control() -> None:
    figure = drawn("fig4", rows_of("fig4"))
    # FactorCL is trained two epochs longer, so that its made-up values are larger.
    assert heights(panel(figure, "Redundancy R")) == [60.0] * 3 + [70.0]
    assert heights(panel(figure, "Uniqueness U")) == [60.0] * 3 + [70.0]
    assert sorted(heights(panel(figure, "Synergy S"))) == [60.0] * 3 + [70.0] * 4 + [80.0]


def test_figure_4_shows_the_untrained_network_and_the_published_values() -> None:
    figure = drawn("fig4", rows_of("fig4"))
    for title in ("Redundancy R", "Uniqueness U", "Synergy S"):
        lines = panel(figure, title).get_lines()
        across = [one for one in lines if one.get_label() == "untrained network"]
        assert [round(float(np.asarray(one.get_ydata())[0]), 6) for one in across] == [40.0] * 4
    published = [
        float(np.asarray(one.get_ydata())[0])
        for one in panel(figure, "Uniqueness U").get_lines()
        if one.get_label() == "published (AlexNet, 224 px)"
    ]
    assert published == [87.8, 11.6, 86.9, 62.5]


def test_a_figure_of_nothing_says_not_measured_for_every_bar() -> None:
    figure = drawn("fig4", [])
    for title in ("Redundancy R", "Uniqueness U", "Synergy S"):
        words = [text.get_text() for text in panel(figure, title).texts]
        assert words.count("not measured") == 4
        assert heights(panel(figure, title)) == []
    assert "n = 0" in figure.get_suptitle()


def test_a_training_that_is_missing_leaves_the_others_bars() -> None:
    rows = rows_of("fig4", wanted=lambda plan: plan.run.method != "cross" or not plan.biased)
    figure = drawn("fig4", rows)
    axes = panel(figure, "Synergy S")
    assert [text.get_text() for text in axes.texts].count("not measured") == 1
    assert sorted(heights(axes)) == [60.0] * 3 + [70.0] * 3 + [80.0]
    assert heights(panel(figure, "Redundancy R")) == [60.0] * 3 + [70.0]


def test_the_caption_states_what_was_run_and_how_often() -> None:
    words = "R, U and S of CoMM and its rivals (Figure 4); tiny preset, "
    assert drawn("fig4", rows_of("fig4", seeds=2), 2).get_suptitle() == words + "n = 2"
    rows = rows_of("fig4", seeds=2, wanted=lambda p: p.run.seed == 0 or p.run.method == "comm")
    assert drawn("fig4", rows, 2).get_suptitle() == words + "n = 1 to 2"


def test_table_5_keeps_the_uniqueness_of_the_two_images_apart() -> None:
    figure = drawn("table5", rows_of("table5"))
    axes = panel(figure, "Uniqueness U2")
    published = [
        float(np.asarray(one.get_ydata())[0])
        for one in axes.get_lines()
        if one.get_label() == "published (AlexNet, 224 px)"
    ]
    assert len(heights(axes)) == 5
    assert len(published) >= 4


# --------------------------------------------------------------------------- figure 5


def test_figure_5_draws_r_and_u_of_unbiased_and_s_of_both_trainings() -> None:
    figure = drawn("fig5", rows_of("fig5"))
    epochs = range(5)
    unbiased = [(e, round(40.0 + 5 * e, 6)) for e in epochs]
    biased = [(e, round(50.0 + 5 * e, 6)) for e in epochs]
    assert points(panel(figure, "Redundancy R"), "ΣL_i") == unbiased
    assert points(panel(figure, "Uniqueness U"), "L") == unbiased
    for title in ("Synergy S", "Synergy S, AUC"):
        synergy = panel(figure, title)
        assert points(synergy, "L_CoMM") == biased
        assert points(synergy, "L_CoMM, unbiased pairs (control of S)") == unbiased
    assert not any("control" in label for label in labels(panel(figure, "Redundancy R")))


def test_a_loss_that_was_not_run_is_named_as_missing_in_figure_5() -> None:
    rows = rows_of("fig5", wanted=lambda plan: plan.run.option("loss") != "L_i")
    assert arms_in_legend(drawn("fig5", rows)) == [
        "L_CoMM",
        "L",
        "ΣL_i, not measured",
        "L_CoMM, unbiased pairs (control of S)",
        "L, unbiased pairs (control of S)",
    ]
    assert "n = up to 1, some not measured" in drawn("fig5", rows).get_suptitle()


def test_figure_5_of_nothing_can_be_drawn() -> None:
    assert arms_in_legend(drawn("fig5", [])) == [
        f"{label}, not measured" for label in ("L_CoMM", "L", "ΣL_i")
    ]


# --------------------------------------------------------------------------- figure 7


def test_figure_7_has_a_panel_for_each_family_with_a_point_for_each_crop() -> None:
    figure = drawn("fig7", rows_of("fig7"))
    for title, crops in {
        "crops from 0.1": ["0.1–0.3", "0.1–0.5", "0.1–0.8"],
        "crops to 1": ["0.2–1", "0.4–1", "0.7–1"],
    }.items():
        axes = panel(figure, title)
        assert [text.get_text() for text in axes.get_xticklabels()] == crops
        assert points(axes, "R") == [(x, 60.0) for x in range(3)]
        assert points(axes, "S") == [(x, 70.0) for x in range(3)]
        assert points(axes, "S, AUC") == [(x, 70.0) for x in range(3)]
        label = "S, AUC, on unbiased pairs (control)"
        assert points(axes, label) == [(x, 60.0) for x in range(3)]


def test_figure_7_has_the_mean_of_r_u_and_s() -> None:
    figure = drawn("fig7", rows_of("fig7"))
    expected = [(x, round((60 + 60 + 70) / 3, 6)) for x in range(3)]
    assert points(panel(figure, "crops to 1"), "mean of R, U and S") == expected


def test_figure_7_has_i_nce_beside_in_nats() -> None:
    figure = drawn("fig7", rows_of("fig7", seeds=2), 2)
    right = [axes for axes in figure.axes if "nats" in axes.get_ylabel()]
    assert len(right) == 2
    for axes in right:
        assert axes.get_ylim() == right[0].get_ylim()
        (crosses,) = axes.get_lines()
        assert np.asarray(crosses.get_xydata()).tolist() == [[x, 2.25] for x in range(3)]


def test_a_crop_that_was_not_run_keeps_its_place_in_figure_7() -> None:
    def wanted(plan: Plan) -> bool:
        views = plan.run.views_of(0)
        return isinstance(views, ViewSet) and views.crop_scale != (0.1, 0.5)

    rows = rows_of("fig7", wanted=wanted)
    axes = panel(drawn("fig7", rows), "crops from 0.1")
    assert points(axes, "U") == [(0, 60.0), (2, 60.0)]
    assert len(axes.get_xticks()) == 3
    assert "n = up to 1, some not measured" in drawn("fig7", rows).get_suptitle()


def test_figure_7_admits_the_panel_that_is_not_reproduced() -> None:
    assert "MM-IMDb panel is not reproduced" in drawn("fig7", []).get_suptitle()


# --------------------------------------------------------------------------- tables


def test_the_authors_probe_has_a_column_where_it_was_taken() -> None:
    def official(plan: Plan, epoch: int) -> dict[str, Any]:
        score = 0.7 + 0.02 * plan.run.seed
        found = {"S": score, "S_converged": score + 0.05}
        return plain(plan, epoch) | {"official": found} | ({"S_converged": 0.9} if own else {})

    own = False
    lines = lines_of("table4", rows_of("table4", seeds=2, measure=official), 2)
    assert lines["CoMM"]["S authors' probe"] == "71.0 ± 1.4"
    assert lines["CoMM"]["S authors' probe, converged"] == "76.0 ± 1.4"
    assert "S converged" not in lines["CoMM"]
    own = True  # rows of the authors' protocol have it themselves
    lines = lines_of("table4", rows_of("table4", measure=official))
    assert lines["CoMM"]["S converged"] == "90.0"
    assert "S authors' probe" not in lines_of("table4", rows_of("table4"))["CoMM"]


def test_a_table_has_ours_beside_the_papers_the_controls_and_n() -> None:
    lines = lines_of("table4", rows_of("table4", seeds=3), 3)
    assert lines["CoMM"] == {
        "R ours": "61.0 ± 1.0",
        "R paper": "99.9 ± 0.03",
        "U ours": "61.0 ± 1.0",
        "U paper": "87.8 ± 1.6",
        "U1 ours": "61.0 ± 1.0",
        "U1 paper": "84.3 ± 2.4",
        "U2 ours": "61.0 ± 1.0",
        "U2 paper": "91.2 ± 1.0",
        "S ours": "71.0 ± 1.0",
        "S paper": "71.9 ± 2.1",
        "S unbiased": "61.0 ± 1.0",
        "S untrained": "41.0",
        "S AUC": "71.0 ± 1.0",
        "S balanced": "71.0 ± 1.0",
        "n": "3 + 3",
    }


def test_what_the_paper_does_not_give_is_left_blank() -> None:
    lines = lines_of("table5", rows_of("table5"))
    assert lines["All, ∅"]["U paper"] == ""
    assert lines["All, ∅"]["U1 paper"] == "79.9 ± 1.1"
    assert lines_of("fig4", [])["FactorCL"]["R paper"] == "99.8"


def test_missing_rows_are_dashes_and_n_counts_each_training() -> None:
    rows = rows_of("table4", seeds=2, wanted=lambda plan: plan.biased or plan.run.seed == 0)
    lines = lines_of("table4", [row for row in rows if row["epoch"]], 2)
    assert lines["CoMM"]["n"] == "2 + 1"
    assert lines["CoMM"]["S untrained"] == "–"
    assert lines["CoMM"]["R ours"] == "60.0"
    for line in lines_of("table4", [], 2).values():
        assert {line[column] for column in ("R ours", "S ours", "S unbiased")} == {"–"}
        assert line["n"] == "0 + 0"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_has_a_table_of_its_arms(name: str) -> None:
    arms = EXPERIMENTS[name].arms(get_preset("tiny"))
    assert list(lines_of(name, [])) == [arm.label for arm in arms]


LINES = [["", "S ours", "n"], ["All∖crop, ∅", "50.0 ± 1.5", "2 + 2"], ["ΣL_i", "–", "0 + 0"]]


def test_a_text_table_is_aligned() -> None:
    assert as_text(LINES).splitlines() == [
        "             S ours      n",
        "All∖crop, ∅  50.0 ± 1.5  2 + 2",
        "ΣL_i         –           0 + 0",
    ]


def test_a_markdown_table_is_aligned_and_its_bars_are_escaped() -> None:
    assert as_markdown([*LINES, ["a|b", "", "1 + 1"]]).splitlines() == [
        "|             | S ours     | n     |",
        "| ----------- | ---------- | ----- |",
        "| All∖crop, ∅ | 50.0 ± 1.5 | 2 + 2 |",
        "| ΣL_i        | –          | 0 + 0 |",
        r"| a\|b        |            | 1 + 1 |",
    ]


def test_a_latex_table_is_a_tabular_of_latex_symbols() -> None:
    assert as_latex(LINES) == "\n".join(
        [
            r"\begin{tabular}{lrr}",
            r"\hline",
            r" & S ours & n \\",
            r"\hline",
            r"All$\setminus$crop, $\emptyset$ & 50.0 $\pm$ 1.5 & 2 + 2 \\",
            r"$\Sigma$L\_i & -- & 0 + 0 \\",
            r"\hline",
            r"\end{tabular}",
            "",
        ]
    )


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_no_symbol_is_left_that_plain_latex_cannot_set(name: str) -> None:
    latex = as_latex(EXPERIMENTS[name].results(Setup("tiny", seeds=1), []).table())
    assert latex.isascii()
