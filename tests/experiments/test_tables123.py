"""Tables 1 to 3 and Figure 6: settings, published values, and runs on miniature files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paper_files
import pytest

from trifeature.comm.methods import make_method
from trifeature.experiments import paper_sets as sets
from trifeature.experiments.catalog import REAL_EXPERIMENTS
from trifeature.experiments.experiment import Results, Setup
from trifeature.experiments.fig6 import CELLS, FIG6, WORDS, chain, views_of
from trifeature.experiments.paper_sets import MACRO, MSE, PLAIN
from trifeature.experiments.plan import Row
from trifeature.experiments.real import RealArm, RealExperiment
from trifeature.experiments.real_tables import TABLE1, TABLE2, TABLE3
from trifeature.experiments.reproduction import Reproduction, reproduce
from trifeature.modality import Modality
from trifeature.presets import PAPER
from trifeature.probes import protocol
from trifeature.views.series import CLEAN_SERIES, SeriesViews
from trifeature.views.vectors import VectorViews

SETUP = Setup("paper", seeds=1)


def arms_of(experiment: RealExperiment) -> dict[str, RealArm]:
    return {arm.label: arm for arm in experiment.arms(PAPER) if isinstance(arm, RealArm)}


def empty(experiment: RealExperiment) -> Results:
    return experiment.results(experiment.settled(Setup()), [])


def cells(experiment: RealExperiment) -> dict[str, dict[str, str]]:
    """The table without rows, by label and heading; published values follow their heading."""
    heading, *lines = empty(experiment).table()
    named = [
        f"{heading[place - 1]} published" if head == "published" else head
        for place, head in enumerate(heading)
    ]
    return {line[0]: dict(zip(named, line, strict=True)) for line in lines}


# --------------------------------------------------------------------------- published values


def test_table_1_is_the_paper_s_and_says_which_accuracy_was_published() -> None:
    table = cells(TABLE1)
    assert len(table) == 34
    assert table["CoMM, V&T EE"][f"{MSE} published"] == "4.55 ± 0.30"
    assert table["Cross, V&T EE"][f"{MSE} published"] == "33.09 ± 3.67"
    assert table["CoMM, MOSI"][f"{MACRO} published"] == "67.5 ± 1.3"
    assert table["CoMM, MIMIC"][f"{MACRO} published"] == "66.4 ± 0.32"
    assert table["Cross+Self, MIMIC"][f"{PLAIN} published"] == "65.49 ± 0.0"
    assert table["CoMM, MOSI"][f"{PLAIN} published"] == ""
    assert table["FactorCL, MOSI"][f"{PLAIN} published"] == "51.2 ± 1.6"
    assert table["FactorCL, MOSI"][f"{MACRO} published"] == ""
    assert table["CoMM fine-tuned, MUStARD"]["notes"] == "published only"
    # Means of the four accuracies that the paper prints for its methods.
    means = {"Cross": 54.52, "Cross+Self": 57.07, "FactorCL": 58.7, "CoMM": 65.22}
    means |= {"SupCon": 54.35, "FactorCL-SUP": 69.82, "CoMM fine-tuned": 69.88}
    for method, mean in means.items():
        own = [arm for arm in arms_of(TABLE1).values() if arm.method == method]
        found = [v for arm in own for h, (v, _) in arm.published.items() if h != MSE]
        assert sum(found) / 4 == pytest.approx(mean, abs=0.06)


def test_notes_are_where_numbers_are_not_comparable() -> None:
    arms = arms_of(TABLE1)
    with_t1 = {label for label, arm in arms.items() if sets.T1 in arm.notes}
    assert with_t1 == {f"{name}, MIMIC" for name in ("FactorCL", "FactorCL-SUP", "SupCon")}
    for label, arm in arms.items():
        copied = not label.startswith("CoMM")
        assert (sets.T2 in arm.notes) == (copied and arm.data != "V&T EE")
        assert (sets.T6 in arm.notes) == (arm.data == "V&T EE" and arm.settings is not None)
        own = label.startswith("FactorCL, ") and arm.data != "V&T EE"
        assert (sets.OWN in arm.notes) == own
    assert all(
        sets.T9 in arms_of(TABLE3)[f"Cross{one}, V&T contact"].notes for one in ("", "+Self")
    )
    text = empty(TABLE1).tables()["notes"]
    assert {line[1] for line in text[1:]} == {n for arm in arms.values() for n in arm.notes}


def test_tables_2_and_3_are_the_paper_s() -> None:
    table = cells(TABLE2)
    assert len(table) == 14
    one = table["CoMM (BLIP-2), MM-IMDb"]
    assert (one["weighted F1, % published"], one["macro F1, % published"]) == (
        "64.75 ± 0.17",
        "58.44 ± 0.43",
    )
    published = {
        label: next(iter(arm.published.values()))[0] for label, arm in arms_of(TABLE3).items()
    }
    assert list(published.values()) == [84.4, 86.8, 88.1, 94.1, 94.2, 50.1, 59.9, 63.1, 59.2, 64.6]


# --------------------------------------------------------------------------- settings

SHAPES: dict[str, tuple[Modality, ...]] = {
    "mimic": (
        Modality("table", "vector", (5,), "mlp-mimic"),
        Modality("series", "series", (24, 12), "gru"),
    ),
    "mosi": tuple(
        Modality(name, "series", (50, n), "transformer", partial=True)
        for name, n in (("vision", 20), ("text", 300))
    ),
    "touch-regression": (
        Modality("image", "image", (3, 128, 128), "resnet18"),
        Modality("force", "series", (32, 6), "force"),
    ),
    "touch-contact": (
        Modality("image", "image", (3, 128, 128), "resnet18"),
        Modality("force", "series", (32, 6), "force-token"),
        Modality("proprio", "vector", (8,), "proprio"),
    ),
}
"""The modalities of the published files."""


def test_runs_have_the_published_settings_on_every_preset() -> None:
    for experiment in (TABLE1, TABLE3, FIG6):
        quick = experiment.runs(experiment.settled(Setup("quick", seeds=1)))
        assert [p.key for _, p in quick] == [p.key for _, p in experiment.runs(SETUP)]
        for _, plan in quick:
            run, source = plan.run, plan.data.to_json()["source"]
            assert run.precision == "float32"
            touch = source.startswith("touch")
            if run.method != "factorcl":
                rate, decay, batch = (1e-4 if touch else 1e-3), 1e-2, 64
                assert (run.learning_rate, run.weight_decay, run.batch_size) == (rate, decay, batch)
                assert run.epochs == 100
    widths = {p.data.to_json()["source"]: p.run.option("width") for _, p in TABLE1.runs(SETUP)[::4]}
    assert widths == {"touch-regression": 128, "mimic": 512, "mosi": 40, "humor": 40, "sarcasm": 40}


@pytest.mark.parametrize("source", SHAPES)
def test_settings_fit_the_published_modalities(source: str) -> None:
    import torch  # noqa: PLC0415

    experiment: RealExperiment = TABLE3 if source == "touch-contact" else TABLE1
    runs = {
        (plan.run.method, plan.run.option("width")): plan.run
        for arm, plan in experiment.runs(SETUP)
        if plan.data.to_json()["source"] == source
        and ("3 modalities" in arm.label) == (len(SHAPES[source]) == 3)
    }
    assert runs
    for run in runs.values():
        assert len(run.views) == len(SHAPES[source])
        assert [v.kind for v in run.views] == [m.kind for m in SHAPES[source]]
        with torch.device("meta"):
            make_method(run, SHAPES[source])


def test_rivals_on_series_alone_see_them_plain() -> None:
    runs = {arm.label: plan.run for arm, plan in TABLE1.runs(SETUP)}
    assert runs["Cross, MOSI"].light == CLEAN_SERIES
    assert runs["FactorCL, UR-FUNNY"].batch_size == 128
    assert runs["FactorCL, MOSI"].batch_size == 32
    assert (runs["FactorCL, MIMIC"].epochs, runs["FactorCL, MIMIC"].batch_size) == (30, 40)


# --------------------------------------------------------------------------- figure 6


def test_multi_holds_in_either_order() -> None:
    """In the published code the last word of a chain decides for all of it (trap T10)."""
    for words in ("multi_drop+noise", "noise+multi_drop"):
        first, second = views_of(sets.MOSI, words)
        assert isinstance(first, SeriesViews)
        assert first == second
        assert "multi_drop" in first.order
        assert first.coins == "joint"


def test_cells_are_a_word_alone_or_two_words() -> None:
    assert len(CELLS) == 25
    assert [chain(*cell) for cell in CELLS][:2] == ["noise", "noise+drop"]
    assert len({arm.label for arm in FIG6.arms(PAPER)}) == 100


def test_one_series_has_no_places_to_share() -> None:
    by_key = {plan.key for arm, plan in FIG6.runs(SETUP) if arm.label.endswith("MIMIC")}
    plain = {chain(a, b) for a in WORDS[:3] for b in WORDS[:3]}
    twice = {"drop+multi_drop", "multi_drop+drop", "crop+multi_crop", "multi_crop+crop"}
    assert len(by_key) == len(plain | twice)
    table, series = views_of(sets.MIMIC, "multi_drop+noise")
    assert isinstance(series, SeriesViews)
    assert isinstance(table, VectorViews)
    assert series.order == ("drop", "noise")
    assert (table.noise_probability, table.drop_probability) == (0.5, 0.5)
    alone = views_of(sets.MIMIC, "noise")[0]
    assert isinstance(alone, VectorViews)
    assert (alone.noise_probability, alone.drop_probability) == (0.5, 0.0)


def test_a_cell_is_drawn_where_it_is_and_the_mean_where_all_sets_have_it() -> None:
    value = {"drop+noise": 0.7, "crop": 0.5}
    rows: list[Row] = [
        row(plan, value[arm.method])
        for arm, plan in FIG6.runs(SETUP)
        if isinstance(arm, RealArm) and arm.method in value
        if arm.method == "drop+noise" or arm.data == "MOSI"
    ]
    results = FIG6.results(SETUP, rows)
    heading, *lines = results.table()
    assert heading[1:] == ["MIMIC", "MOSI", "UR-FUNNY", "MUStARD", "mean"]
    table = {line[0]: line[1:] for line in lines}
    assert table["drop+noise"] == ["70.0"] * 5
    assert table["crop"] == ["–", "50.0", "–", "–", "–"]
    figure = results.draw()
    assert [axes.get_title() for axes in figure.axes] == heading[1:]
    shown = figure.axes[1].images[0].get_array()
    assert shown is not None
    place = WORDS.index("drop"), WORDS.index("noise")
    assert shown[place] == pytest.approx(70.0)
    assert shown[WORDS.index("crop"), WORDS.index("crop")] == pytest.approx(50.0)
    texts = [text.get_text() for text in figure.axes[1].texts]
    assert texts[len(WORDS) * place[0] + place[1]] == "70.0"


def row(plan: Any, value: float) -> Row:
    """A row as a run of two classes would write it."""
    task = {"mimic": "disease", "mosi": "sentiment", "humor": "humor", "sarcasm": "sarcasm"}
    column = task[plan.data.to_json()["source"]]
    measured = {column: value, f"{column}_accuracy": value, f"{column}_majority": 0.6}
    return {**plan.columns(), "epoch": plan.run.epochs, "seed": plan.run.seed, **measured}


# --------------------------------------------------------------------------- miniature files


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Miniature UR-FUNNY; the others are missing. One cost, so that nothing is chosen."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        paper_files.use(folder, patch)
        paper_files.write_affect(folder / "humor", "humor")
        patch.setattr(protocol, "COSTS", (0.01,))
        yield folder


def run(name: str, tmp_path: Path, *only: str) -> Reproduction:
    return reproduce(
        name, seeds=1, epochs=1, only=only, rows=tmp_path / "rows.jsonl", out=tmp_path / "runs"
    )


def test_table_1_runs_what_is_here_and_names_the_rest(tmp_path: Path) -> None:
    found = run("table1", tmp_path, "CoMM")
    (plan,) = found.outcome.finished
    assert plan.describe() == "humor L_CoMM seed 0"
    assert found.lacking["CoMM, MOSI"] == "needs mosi_data.pkl: trifeature data how mosi"
    (results,) = found.results
    heading, *lines = results.table()
    line = dict(zip(heading, lines[[one[0] for one in lines].index("CoMM, UR-FUNNY")], strict=True))
    assert 0 <= float(line[MACRO]) <= 100
    assert float(line["majority class, %"]) >= 50
    assert line["n"] == "1"
    missing = next(one for one in lines if one[0] == "CoMM, MOSI")
    assert missing[-1].startswith("needs mosi_data.pkl")
    beside = results.tables()["ours beside the published values"]
    assert beside[1][0] == "CoMM"
    assert beside[1][4] == f"{line[MACRO]} (63.1 ± 0.65)"


def test_table_3_runs_three_modalities(tmp_path: Path) -> None:
    found = run("table3", tmp_path, "CMC, UR-FUNNY, 3 modalities")
    (plan,) = found.outcome.finished
    assert plan.describe() == "humor cmc 3 modalities seed 0"
    (results,) = found.results
    (measured,) = results.rows[1:]
    assert {"vision", "text", "audio"} <= measured.keys()


def test_figure_6_runs_a_cell(tmp_path: Path) -> None:
    found = run("fig6", tmp_path, "multi_drop+noise, UR-FUNNY")
    (plan,) = found.outcome.finished
    assert plan.describe() == "humor L_CoMM views multi_drop+noise seed 0"
    assert any(line[2:4] != ["–", "–"] for line in found.results[0].table()[1:])


def test_every_experiment_of_the_paper_can_be_planned_without_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIFEATURE_DATA", str(tmp_path))
    for name in ("table1", "table2", "table3", "fig6"):
        found = reproduce(name, rows=tmp_path / "rows.jsonl", out=tmp_path / "runs")
        assert found.outcome.finished == []
        arms = REAL_EXPERIMENTS[name].arms(PAPER)
        assert len(found.lacking) == sum(
            isinstance(a, RealArm) and a.settings is not None for a in arms
        )
