"""Experiments on real data: settings and keys, plans, scores, tables, what is left out."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import paper_files
import pytest

from trifeature.comm.methods import METHODS, make_method
from trifeature.comm.settings import run_preset
from trifeature.errors import InputError
from trifeature.experiments import execute as execution
from trifeature.experiments import plan as plans
from trifeature.experiments.catalog import EXPERIMENTS, REAL_EXPERIMENTS, find_experiments
from trifeature.experiments.digits import DIGIT_PAIRS, DIGITS, Digits
from trifeature.experiments.experiment import Setup
from trifeature.experiments.plan import Plan, Row, control_of
from trifeature.experiments.real import RealArm, RealExperiment, Score, rows_of_arm
from trifeature.experiments.reproduction import lacking, plans_for, reproduce, rows_file
from trifeature.experiments.run import carry_out, obtain, read_settings
from trifeature.presets import get_preset
from trifeature.probes import protocol
from trifeature.real.catalog import SOURCES, Source, SourceFile
from trifeature.real.settings import RealSettings
from trifeature.samples import Samples

QUICK = get_preset("quick")
SMALL = {"width": 8, "heads": 2, "hidden": 8, "embedding": 4, "epochs": 1, "batch_size": 32}


@dataclass(frozen=True)
class Options:
    """Options of the reader below."""

    level: int = 3
    seed: int = 0


def read_planted(folder: Path, options: Options) -> Samples:
    """Two vectors of which the first tells the class, and the file the level."""
    rng = np.random.default_rng(options.seed)
    y = np.arange(60) % 2
    shift = float((folder / "level.txt").read_text()) * options.level
    one = rng.normal(y[:, None] * shift, 1, (60, 3))
    return Samples.from_arrays({"a": one, "b": rng.normal(size=(60, 2))}, {"y": y}, seed=0)


@pytest.fixture(scope="module", autouse=True)
def planted() -> Iterator[None]:
    """A set of real data that is not the package's, and no cost to choose."""
    source = Source(
        "planted",
        "a set of the tests",
        modalities=("a 3", "b 2"),
        tasks=("y 2",),
        count="60",
        license="none",
        citation="none",
        files=(SourceFile("level.txt"),),
        how=("write it",),
        reader=f"{__name__}:read_planted",
        options=f"{__name__}:Options",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SOURCES, "planted", source)
        patch.setattr(protocol, "COSTS", (0.01,))
        yield


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRIFEATURE_DATA", str(tmp_path / "home"))
    folder = tmp_path / "home" / "planted"
    folder.mkdir(parents=True)
    (folder / "level.txt").write_text("1.0")
    return folder


def plan(**changes: Any) -> Plan:
    run = run_preset("quick", **SMALL | changes)
    return Plan("quick", RealSettings("planted"), run, (0, run.epochs))


# --------------------------------------------------------------------------- settings


def test_settings_hold_the_reader_s_options_and_nothing_of_where_files_are(home: Path) -> None:
    given = RealSettings("planted", {"level": 2}, home)
    assert given.options == Options(level=2)
    assert given == RealSettings("planted", Options(2))
    assert hash(given) == hash(RealSettings("planted", Options(2)))
    assert RealSettings.from_json(given.to_json()) == given
    assert given.change(seed=4).options == Options(2, 4)
    assert given.describe() == "planted, level 2"
    with pytest.raises(InputError, match="did you mean 'level'"):
        RealSettings("planted", {"levle": 2})
    with pytest.raises(InputError, match="did you mean 'planted'"):
        RealSettings("plantde")
    with pytest.raises(InputError, match="options of planted are Options, not Digits"):
        RealSettings("planted", Digits("planted"))


def test_data_are_read_again_where_files_or_options_differ(home: Path) -> None:
    settings = RealSettings("planted")
    first = settings.build()
    assert settings.build().sets is first.sets
    assert settings.change(level=1).build().sets is not first.sets
    (home / "level.txt").write_text("20.0")
    items = settings.build().items["all"][0]
    assert not np.array_equal(items.numpy(), first.items["all"][0].numpy())
    elsewhere = home.parent / "other"
    home.rename(elsewhere)
    assert settings.lacking() == "needs level.txt: trifeature data how planted"
    assert replace(settings, folder=elsewhere).lacking() == ""
    assert obtain(settings, elsewhere).samples().origin["source"] == "planted"


def test_keys_hold_what_results_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    one = plan()
    elsewhere = RealSettings("planted", folder=Path("x"), check=False)
    assert one.key == replace(one, data=elsewhere).key
    others = [
        replace(one, data=RealSettings("planted", {"level": 2})),
        replace(one, data=RealSettings("digits")),
        replace(one, run=one.run.change(seed=1)),
    ]
    assert len({one.key, *(other.key for other in others)}) == 4

    @dataclass(frozen=True)
    class Grown(Options):
        added_later: float = 0.25

    monkeypatch.setattr(f"{__name__}.Options", Grown)
    monkeypatch.setattr(plans, "_reference_of", plans._reference_of.__wrapped__)
    assert RealSettings("planted").options == Grown()
    assert plan().key == one.key


def test_names_and_columns_say_which_data(home: Path) -> None:
    del home
    one = plan()
    assert one.name.startswith("planted-quick-comm-L_CoMM-seed0-")
    assert one.describe() == "planted L_CoMM seed 0"
    assert one.columns()["data"] == "planted"
    assert (one.biased, one.pairs, one.format) == (False, "", 2)
    pairs = replace(one, data=RealSettings("digit-pairs", {"match_rate": 1.0}))
    assert (pairs.pairs, control_of(pairs).pairs) == ("biased", "unbiased")
    assert control_of(pairs).data == RealSettings("digit-pairs")


# --------------------------------------------------------------------------- a run


def test_a_run_leaves_rows_with_options_and_digests_and_can_be_read_back(
    home: Path, tmp_path: Path
) -> None:
    (home / "level.txt").write_text("9.0")
    one, folder = plan(), tmp_path / "run"
    rows = carry_out(one, folder)
    assert [row["epoch"] for row in rows] == [0, 1]
    assert rows[-1]["a"]["y"] > 0.9 > rows[-1]["b"]["y"]
    assert {"y_accuracy", "y_majority", "a", "b"} <= rows[-1].keys()
    assert rows[-1]["data_options"] == {"level": 3, "seed": 0}
    assert [*rows[-1]["data_files"]] == ["level.txt"]
    assert read_settings(folder) == (one.run, one.data)
    assert execution._similar(one) == execution._kind(rows[-1])
    assert carry_out(one, folder) == rows


def test_an_untrained_network_is_a_run_of_no_epochs(home: Path, tmp_path: Path) -> None:
    del home
    said: list[str] = []
    zero = plan(epochs=0)
    (row,) = carry_out(zero, tmp_path / "run", notice=said.append, keep_weights=False)
    assert (row["epoch"], said) == (0, [])
    trained = carry_out(plan(), tmp_path / "trained")
    assert trained[0]["y"] == row["y"]


# --------------------------------------------------------------------------- the experiments


def test_all_leaves_out_what_needs_files() -> None:
    assert find_experiments("all") == list(EXPERIMENTS.values())
    assert find_experiments("table1") == [REAL_EXPERIMENTS["table1"]]
    assert not EXPERIMENTS.keys() & REAL_EXPERIMENTS.keys()
    assert rows_file("quick") == Path("figures/quick.jsonl")
    assert rows_file("quick", "digits") == Path("figures/real.jsonl")


@pytest.mark.parametrize("name", REAL_EXPERIMENTS)
def test_every_arm_of_real_data_has_a_label_of_its_own_and_settings_that_exist(name: str) -> None:
    one = REAL_EXPERIMENTS[name]
    setup = one.settled(Setup("quick", seeds=2))
    arms = one.arms(get_preset(setup.preset))
    assert len({arm.label for arm in arms}) == len(arms)
    for arm in arms:
        assert isinstance(arm, RealArm)
        assert arm.published.keys() <= arm.scores.keys() | ({"R"} if not arm.scores else set())
    for arm, planned in one.runs(setup):
        assert planned.run.method in METHODS
        assert planned.data.seed == planned.run.seed
        assert arm.changes["method"] == planned.run.method


def test_digit_pairs_have_a_twin_and_digits_none() -> None:
    setup = Setup("quick", seeds=[3])
    kinds = [planned.biased for planned in DIGIT_PAIRS.plans(setup)]
    assert kinds == [True, False] * 7
    for biased, unbiased in zip(*[iter(DIGIT_PAIRS.plans(setup))] * 2, strict=True):
        assert biased.run == unbiased.run
        assert control_of(biased) == unbiased
    assert [planned.biased for planned in DIGITS.plans(setup)] == [False] * 14
    assert [planned.run.epochs for planned in DIGITS.plans(setup)][:2] == [0, 30]
    fewer = DIGITS.plans(replace(setup, epochs=2))
    assert [planned.run.epochs for planned in fewer][:2] == [0, 2]


def test_guesses_of_digit_pairs_are_those_of_the_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper_files.write_digits(tmp_path / "digits")
    paper_files.use(tmp_path, monkeypatch)
    options = {"pairs": 80, "probe_pairs": 80, "test_pairs": 80, "match_rate": 1.0}
    samples = RealSettings("digit-pairs", options).build()
    guess = DIGIT_PAIRS.chance(Setup())
    for task in samples.tasks.values():
        assert guess[task.column] == 1 / task.classes
    planned = DIGIT_PAIRS.plans(Setup("quick", seeds=1))
    for method in {p.run.method: p.run for p in planned}.values():
        make_method(method, samples.modalities)


def test_digits_run_end_to_end_and_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper_files.write_digits(tmp_path / "digits")
    paper_files.use(tmp_path, monkeypatch)
    found = reproduce(
        "digits",
        seeds=1,
        epochs=1,
        only=["untrained, six or nine", "Cross, six or nine"],
        rows=tmp_path / "rows.jsonl",
        out=tmp_path / "runs",
    )
    assert (len(found.outcome.finished), found.lacking) == (2, {})
    (results,) = found.results
    heading, *lines = results.table()
    assert heading[:4] == ["", "macro accuracy, %", "from fou alone, %", "from pix alone, %"]
    (row,) = rows_of_arm(results.arms[7])
    assert lines[7][1:4] == [
        f"{100 * value:.1f}" for value in (row["digit"], row["fou"]["digit"], row["pix"]["digit"])
    ]
    assert [line[-2] for line in lines].count("1") == 2
    titles = [axes.get_title() for axes in results.draw().axes]
    assert titles == ["which digit", "six or nine"]
    again = reproduce(
        "digits", seeds=1, only="untrained, six or nine", rows=found.file, out=tmp_path
    )
    assert (again.outcome.skipped, again.outcome.finished) == (1, [])


# --------------------------------------------------------------------------- scores


def test_a_score_is_a_mean_in_its_own_unit() -> None:
    rows: list[Row] = [{"m": 1e-4 * x, "part": {"m": 0.5}} for x in (4.0, 5.0, 7.5)]
    found = Score("m", scale=1e4).summary(rows)
    assert found is not None
    assert found.mean == pytest.approx(statistics.fmean((4.0, 5.0, 7.5)))
    assert found.spread == pytest.approx(statistics.stdev((4.0, 5.0, 7.5)))
    assert Score("m", part="part").text(rows) == "50.0 ± 0.0"
    assert Score("gone", otherwise="m", scale=1e4, digits=2).text(rows[:1]) == "4.00"
    assert Score("gone").text(rows) == Score("m", part="gone").text([]) == "–"


def test_what_is_missing_is_said_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper_files.use(tmp_path, monkeypatch)
    paper_files.write_affect(tmp_path / "mosi", "mosi")
    setup = Setup(seeds=1)
    ready = plans_for("table1", setup)
    assert {planned.data.to_json()["source"] for planned in ready} == {"mosi"}
    missing = lacking("table1", setup)
    assert missing["CoMM, MIMIC"] == "needs im.pk: trifeature data how mimic"
    assert "CoMM, MOSI" not in missing
    assert "SupCon, MIMIC" not in missing  # published values need no file
    assert lacking("table1", setup, "MOSI") == {}
    assert len(plans_for("table1", setup, "CoMM")) == 1
    with pytest.raises(InputError, match="unknown arm 'COMM'"):
        plans_for("table1", setup, "COMM")
    paper_files.write_films(tmp_path / "mmimdb")
    (tmp_path / "mmimdb" / "clip" / "text.npz").unlink()
    assert lacking("table2", setup) == {
        "CoMM (CLIP), MM-IMDb": "needs clip/text.npz: trifeature data how mmimdb"
    }


def test_an_experiment_without_arms_is_refused_in_a_line() -> None:
    empty = RealExperiment(
        "none", "nothing", lambda _: (), draw=DIGITS.draw, table=DIGITS.table, columns=()
    )
    with pytest.raises(InputError, match="none has no arm to draw"):
        empty.results(Setup(), []).draw()


def test_rows_of_many_labels_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    row = {"key": "k", "epoch": 1, "preset": "quick", "information": {"y": {"cross_entropy": 0.1}}}
    path.write_text(json.dumps({**row, "kinds": {"y": "labels"}}) + "\n")
    assert plans.result_rows(path)[0]["kinds"] == {"y": "labels"}
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match="the information of 'y' must be numbers by name"):
        plans.result_rows(path)
