"""What there is to learn, in bits: against closed forms, against counting, and on the picture.

The closed forms are those of the law: same-shape pairs, the other attributes uniform and
independent but for the match rate ρ = P(color 2 = map(texture 1)).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.axes import Axes
from tiny_runs import image_pair
from typer.testing import CliRunner

from trifeature.cli.data import app
from trifeature.comm.methods import make_method
from trifeature.comm.settings import run_preset
from trifeature.data import storage
from trifeature.data.attributes import VALUES
from trifeature.data.dataset import (
    PAIR_SETS,
    SPLIT_OF,
    Dataset,
    plan_images,
    plan_pairs,
    preset,
    tasks_of,
)
from trifeature.data.maps import make_map
from trifeature.data.pairs import Pairs, draw_pairs
from trifeature.data.rule import PairRule
from trifeature.data.splits import all_combinations
from trifeature.data.storage import generate
from trifeature.data.ties import sources_of, target_of
from trifeature.data.truth import TOLERANCE, atom_of, ground_truth, own_atoms, task_atoms
from trifeature.errors import InputError
from trifeature.pid import ATOM_NAMES, Atoms
from trifeature.pid.tables import binary_entropy
from trifeature.plots import (
    ESTIMATES,
    LEVELS,
    Curve,
    information_points,
    interaction_curves,
)
from trifeature.probes.information import learned_information
from trifeature.probes.protocol import probe
from trifeature.probes.reading import ProbeResult, Reading

IntArray = npt.NDArray[np.int64]
LOG10 = math.log2(10)
COUNTS = {"shape": 10, "texture": 10, "color": 10}


def truth_of(**changes: Any) -> dict[str, Any]:
    """The truth of the paper's preset, or of one with some changes, without its images."""
    settings = preset(changes.pop("name", "paper"), **changes)
    tables = plan_images(settings)
    return ground_truth(settings, tables, plan_pairs(settings, tables))


def find(truth: Mapping[str, Any], name: str, task: str, *, shared: bool = False) -> dict[str, Any]:
    (row,) = (
        row
        for row in truth["rows"]
        if (row["set"], row["task"], row["shared"]) == (name, task, shared)
    )
    return dict(row)


@pytest.fixture(scope="module")
def biased() -> dict[str, Any]:
    return truth_of(match_rate=1.0)


@pytest.fixture(scope="module")
def unbiased() -> dict[str, Any]:
    return truth_of()


def label_entropy(labels: IntArray) -> float:
    share = np.bincount(labels) / len(labels)
    return -math.fsum(p * math.log2(p) for p in share.tolist() if p > 0)


# --------------------------------------------------------------------------- rows of results


def result(confusion: list[list[int]], cross_entropy: float) -> ProbeResult:
    """A probe's result of which only these numbers matter."""
    C = len(confusion)
    return ProbeResult(1.0, 0.5, 0.5, cross_entropy, None, np.zeros((1, C)), np.array(confusion))


def test_learned_information_is_about_natural_labels() -> None:
    """Always answering the frequent label is right nine times in ten, and says nothing."""
    learned = learned_information(np.array([[90, 0], [10, 0]]), 0.5)
    assert learned["entropy"] == pytest.approx(binary_entropy(0.1))
    assert learned["fano"] == pytest.approx(0.0, abs=1e-12)
    assert learned["cross_entropy"] == pytest.approx(binary_entropy(0.1) - 0.5)
    assert "truth" not in learned


def test_fano_holds_for_the_confusion_that_attains_it_and_stays_below_the_ceiling() -> None:
    """Errors spread evenly over the other classes carry exactly Fano's bits."""
    confusion = np.eye(10, dtype=int) * 77 + 3
    learned = learned_information(confusion, 1.0)
    joint = confusion / np.sum(confusion)
    mutual = float((joint * np.log2(joint / 0.01)).sum())
    assert learned["fano"] == pytest.approx(mutual)
    perfect = learned_information(np.diag([30, 20, 50]), 0.0)
    assert perfect["fano"] == pytest.approx(perfect["entropy"])
    assert perfect["cross_entropy"] == perfect["entropy"]


def test_an_overconfident_probe_has_negative_information_in_the_row() -> None:
    learned = learned_information(np.array([[5, 5], [5, 5]]), 3.0)
    assert learned["cross_entropy"] == pytest.approx(-2.0)


def test_the_truth_of_a_task_is_the_atom_it_is_there_to_show() -> None:
    atoms = Atoms(0.4, 0.3, 0.2, 0.1, 1.0)
    tasks = tasks_of(preset("tiny"))
    results = dict.fromkeys(tasks, result([[1, 0], [0, 1]], 0.0))
    found = Reading(results, tasks, 2, truth=dict.fromkeys(tasks, atoms)).information()
    shown = {column: part["truth"] for column, part in found.items()}
    assert shown == {"R": 0.4, "U1": 0.3, "U2": 0.2, "S": 0.1, "U": 0.25}


def test_a_row_holds_information_by_short_name_with_the_mean_of_the_unique_ones() -> None:
    tasks = {
        "share": result([[5, 0], [0, 5]], 0.1),
        "unique1": result([[5, 0], [0, 5]], 0.2),
        "unique2": result([[4, 1], [1, 4]], 0.6),
        "synergy": result([[5, 0], [0, 5]], 0.4),
    }
    row = Reading(tasks, tasks_of(preset("tiny")), 10).row()["information"]
    assert list(row) == ["R", "U1", "U2", "S", "U"]
    for key in ("entropy", "fano", "cross_entropy"):
        assert row["U"][key] == pytest.approx((row["U1"][key] + row["U2"][key]) / 2)
    assert row["U"]["cross_entropy"] == pytest.approx(0.6)
    assert not any("truth" in part for part in row.values())


# --------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("task", "own", "with_shared"),
    [
        ("share", (["shape 1"], ["shape 2"]), (["shape 1"], ["shape 2"])),
        (
            "unique1",
            (["texture 1"], ["color 2"]),
            (["shape 1", "texture 1"], ["shape 2", "color 2"]),
        ),
        (
            "unique2",
            (["texture 1"], ["texture 2"]),
            (["shape 1", "texture 1"], ["shape 2", "texture 2"]),
        ),
        (
            "synergy",
            (["texture 1"], ["color 2"]),
            (["shape 1", "texture 1"], ["shape 2", "color 2"]),
        ),
    ],
)
def test_the_sources_of_a_task_are_named(
    task: str, own: tuple[list[str], list[str]], with_shared: tuple[list[str], list[str]]
) -> None:
    assert sources_of(PairRule(), task) == tuple(map(tuple, own))
    assert sources_of(PairRule(), task, shared=True) == tuple(map(tuple, with_shared))


@pytest.mark.parametrize(
    ("rule", "task", "sources"),
    [
        (PairRule(synergy=("color", "texture")), "unique1", ("texture", "texture")),
        (PairRule(synergy=("color", "texture")), "unique2", ("color", "texture")),
        (PairRule(synergy=("texture", "texture")), "unique1", ("texture", "texture")),
        (PairRule(synergy=("color", "color")), "unique1", ("texture", "texture")),
        (PairRule(distinct_unique=True), "unique1", ("texture", "color texture")),
        (PairRule(distinct_unique=True), "unique2", ("texture", "texture")),
        (PairRule("color", "shape", ("texture", "shape")), "share", ("color", "color")),
        (PairRule("color", "shape", ("texture", "shape")), "synergy", ("texture", "shape")),
    ],
)
def test_the_other_images_source_is_what_the_rule_ties_the_unique_attribute_to(
    rule: PairRule, task: str, sources: tuple[str, str]
) -> None:
    one, other = ([f"{word} {m}" for word in sources[m - 1].split()] for m in (1, 2))
    assert sources_of(rule, task) == (tuple(one), tuple(other))


def test_targets_are_named_after_what_is_asked() -> None:
    rule = PairRule("color", "shape", ("texture", "shape"))
    assert [target_of(rule, task) for task in rule.tasks] == [
        "color",
        "shape 1",
        "shape 2",
        "match",
    ]
    assert [atom_of(task) for task in rule.tasks] == ["redundancy", "unique1", "unique2", "synergy"]


def test_an_unknown_task_is_refused_with_the_nearest() -> None:
    for refused in (sources_of, target_of):
        with pytest.raises(InputError, match="unknown task 'unique3': did you mean 'unique"):
            refused(PairRule(), "unique3")


def test_three_modalities_are_refused_one_by_one_and_left_out_of_the_whole() -> None:
    rule = PairRule(modalities=3)
    with pytest.raises(InputError, match="two sources, not of 3 modalities"):
        sources_of(rule, "share")
    truth = truth_of(name="tiny", rule=rule)
    assert truth["rows"] == []
    assert "there are 3 modalities" in truth["left_out"]


# --------------------------------------------------------------------------- closed forms


def large_sample(rate: float) -> tuple[IntArray, Pairs, PairRule]:
    """50,000 pairs of the law itself: every combination of attributes occurs."""
    rule = PairRule()
    attributes = np.repeat(all_combinations(COUNTS), 3, axis=0)
    values = {name: VALUES[name][:count] for name, count in COUNTS.items()}
    partners = make_map("auto", rule, values, seed=1)
    drawn = draw_pairs(attributes, 50_000, rule, partners, seed=2, match_rate=rate)
    return attributes, drawn, rule


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_large_samples_approach_the_closed_forms(rate: float) -> None:
    """Every value within the plug-in bias of 50,000 pairs, 99 · 9 / (2 n ln 2) = 0.013 bits."""
    attributes, pairs, rule = large_sample(rate)
    lost = binary_entropy(rate) + (1 - rate) * math.log2(9)
    expected = {
        "share": (LOG10, 0, 0, 0),
        "unique1": (LOG10 - lost, lost, 0, 0),
        "unique2": (0, 0, LOG10, 0),
        "synergy": (0, 0, 0, binary_entropy(rate)),
    }
    for task, atoms in own_atoms(attributes, pairs, rule).items():
        assert atoms.values == pytest.approx(expected[task], abs=0.013)


def test_by_the_law_the_shared_attribute_adds_nothing() -> None:
    attributes, pairs, rule = large_sample(0.5)
    for task in rule.tasks:
        own, more = (
            task_atoms(attributes, pairs, rule, task, shared=shared) for shared in (False, True)
        )
        assert more.values == pytest.approx(own.values, abs=0.04)


def test_distinct_textures_tell_a_little_about_one_another() -> None:
    """Knowing the other's texture excludes one of ten: log2(10 / 9) bits."""
    rule = PairRule(distinct_unique=True)
    attributes = all_combinations(COUNTS)
    pairs = draw_pairs(attributes, 50_000, rule, range(10), seed=0)
    atoms = own_atoms(attributes, pairs, rule)
    assert atoms["unique2"].redundancy == pytest.approx(math.log2(10 / 9), abs=0.002)
    assert atoms["unique1"].redundancy == pytest.approx(math.log2(10 / 9), abs=0.02)


# --------------------------------------------------------------------------- sampled sets


def test_held_out_combinations_make_the_shape_informative(unbiased: dict[str, Any]) -> None:
    """200 held-out combinations: about R .28 and U1 3.0 of texture 1, S .43 against .46."""
    with_shape = find(unbiased, "test", "unique1", shared=True)
    assert with_shape["redundancy"] == pytest.approx(0.25, abs=0.06)
    assert with_shape["unique1"] == pytest.approx(3.03, abs=0.06)
    assert find(unbiased, "test", "unique1")["redundancy"] == pytest.approx(0.008, abs=0.006)
    assert find(unbiased, "test", "synergy")["synergy"] == pytest.approx(0.456, abs=0.015)
    shaped = find(unbiased, "test", "synergy", shared=True)["synergy"]
    assert shaped == pytest.approx(0.428, abs=0.015)


def test_a_constant_match_label_has_no_information_at_all(biased: dict[str, Any]) -> None:
    for shared in (False, True):
        row = find(biased, "train", "synergy", shared=shared)
        assert [row[name] for name in (*ATOM_NAMES, "total", "gap")] == [0.0] * 6


def test_a_map_that_is_always_kept_makes_the_first_texture_fully_redundant(
    biased: dict[str, Any],
) -> None:
    row = find(biased, "train", "unique1")
    assert row["redundancy"] == pytest.approx(row["total"], abs=1e-9)
    assert row["total"] == pytest.approx(LOG10, abs=0.02)
    assert [row[name] for name in ATOM_NAMES[1:]] == pytest.approx([0, 0, 0], abs=1e-9)


@pytest.mark.parametrize("rate", [None, 0.5, 1.0])
def test_atoms_sum_to_the_total_which_is_the_entropy_of_the_label(rate: float | None) -> None:
    counts = dict.fromkeys(("shapes", "textures", "colors"), 4)
    settings = preset("tiny", match_rate=rate, held_out=13, **counts)
    tables = plan_images(settings)
    pairs = plan_pairs(settings, tables)
    for row in ground_truth(settings, tables, pairs)["rows"]:
        assert sum(row[name] for name in ATOM_NAMES) == pytest.approx(row["total"], abs=1e-12)
        labels = pairs[row["set"]].labels[row["task"]]
        assert row["total"] == pytest.approx(label_entropy(labels), abs=1e-12)
        assert 0 <= row["gap"] <= TOLERANCE
        assert min(row[name] for name in ATOM_NAMES) >= -TOLERANCE


def test_an_attribute_of_image_1_has_no_synergy_and_nothing_unique_to_image_2(
    unbiased: dict[str, Any],
) -> None:
    for name in PAIR_SETS:
        row = find(unbiased, name, "unique1", shared=True)
        assert [row["unique2"], row["synergy"]] == pytest.approx([0, 0], abs=1e-9)


def test_only_training_pairs_depend_on_the_match_rate(
    biased: dict[str, Any], unbiased: dict[str, Any]
) -> None:
    def measuring(truth: dict[str, Any]) -> list[dict[str, Any]]:
        return [row for row in truth["rows"] if row["set"] != "train"]

    assert measuring(biased) == measuring(unbiased)
    assert biased["rows"] != unbiased["rows"]


def test_redundancy_about_the_first_texture_is_what_the_second_color_tells(tiny: Dataset) -> None:
    """I(color 2; texture 1), counted by hand: a target that source 1 holds has no synergy."""
    truth = ground_truth(tiny.settings, tiny.tables, tiny.pairs)
    for name in PAIR_SETS:
        attributes = tiny.tables[SPLIT_OF[name]].attributes[tiny.pairs[name].images]
        joint = np.zeros((5, 5))
        np.add.at(joint, (attributes[:, 0, 1], attributes[:, 1, 2]), 1 / len(attributes))
        product = joint.sum(1)[:, None] * joint.sum(0)
        seen = joint > 0
        expected = float((joint[seen] * np.log2(joint[seen] / product[seen])).sum())
        assert find(truth, name, "unique1")["redundancy"] == pytest.approx(expected, abs=1e-9)


def test_the_truth_is_plain_data_with_everything_named(unbiased: dict[str, Any]) -> None:
    assert json.loads(json.dumps(unbiased)) == unbiased
    assert (unbiased["measure"], unbiased["unit"], unbiased["left_out"]) == ("BROJA", "bits", None)
    assert len(unbiased["rows"]) == 3 * 7
    assert find(unbiased, "test", "synergy", shared=True)["sources"] == [
        ["shape 1", "texture 1"],
        ["shape 2", "color 2"],
    ]
    with pytest.raises(ValueError, match="unpack"):
        find(unbiased, "test", "share", shared=True)


def test_a_probe_states_the_truth_of_the_pairs_it_is_scored_on(tiny: Dataset) -> None:
    run = run_preset("tiny", width=8, heads=2, hidden=8, embedding=4)
    measured = probe(make_method(run, image_pair()), tiny)
    information = measured.row()["information"]
    truth = ground_truth(tiny.settings, tiny.tables, tiny.pairs)
    for task in tiny.settings.rule.tasks:
        part, row = information[measured.column(task)], find(truth, "test", task)
        assert part["truth"] == row[atom_of(task)]
        assert part["entropy"] == pytest.approx(row["total"], abs=1e-9)
        assert part["fano"] <= part["entropy"] + 1e-9
        bits = part["entropy"] - measured.results[task].cross_entropy
        assert part["cross_entropy"] == bits <= part["entropy"]
    assert information["U"]["truth"] == pytest.approx(
        (information["U1"]["truth"] + information["U2"]["truth"]) / 2
    )


# --------------------------------------------------------------------------- on the picture


def part(cross_entropy: float, fano: float = 0.1, **levels: float) -> dict[str, float]:
    return {"cross_entropy": cross_entropy, "fano": fano, **levels}


def row_of(epoch: int, **parts: Mapping[str, float | None]) -> dict[str, Any]:
    """A row with the same information about R, U and S unless told otherwise."""
    names = dict.fromkeys("RUS", part(0.5, truth=1.0, entropy=1.2)) | parts
    return {"epoch": epoch, "R": 0.5, "U": 0.5, "S": 0.5, "information": names}


def drawn(*curves: Curve) -> list[Axes]:
    """The panels in bits: those of R, U and S."""
    figure = interaction_curves(dict.fromkeys("RUS", curves), dict.fromkeys("RUS", 0.2))
    return figure.axes[3:]


def points_of(axes: Axes, label: str) -> list[list[float]]:
    """The points of every line with this label."""
    return [
        np.asarray(line.get_ydata(), dtype=float).tolist()
        for line in axes.get_lines()
        if line.get_label() == label
    ]


def test_each_panel_in_bits_draws_both_bounds_of_its_own_interaction() -> None:
    rows = [row_of(0), row_of(1, S=part(0.3, 0.2)), row_of(2, R=part(0.9, 0.8))]
    redundancy, unique, synergy = drawn(Curve("L", rows))
    assert points_of(redundancy, "_cross_entropy") == [[0.5, 0.5, 0.9]]
    assert points_of(redundancy, "_fano") == [[0.1, 0.1, 0.8]]
    assert points_of(unique, "_cross_entropy") == [[0.5, 0.5, 0.5]]
    assert points_of(synergy, "_cross_entropy") == [[0.5, 0.3, 0.5]]
    assert points_of(synergy, "_fano") == [[0.1, 0.2, 0.1]]
    assert [axes.get_title() for axes in (redundancy, unique, synergy)] == [
        "Redundancy R, in bits",
        "Uniqueness U, in bits",
        "Synergy S, in bits",
    ]


def test_bounds_below_zero_are_raised_to_zero_before_the_mean_over_the_seeds() -> None:
    bounds = ({"cross_entropy": None, "fano": 0.1}, part(-math.inf), part(-2.0), part(0.8))
    rows = [row_of(1, S=bound) for bound in bounds]
    epochs, mean = information_points(rows, "S", "cross_entropy")
    assert epochs.tolist() == [1]
    assert mean == pytest.approx([0.2])


def test_the_exact_atom_and_the_entropy_are_lines_at_their_mean_over_the_rows() -> None:
    levels = [part(0.1, truth=1.0, entropy=1.5), part(0.1, truth=2.0, entropy=2.5)]
    redundancy, *_ = drawn(Curve("L", [row_of(0, R=one) for one in levels]))
    assert points_of(redundancy, LEVELS["truth"][0]) == [[1.5, 1.5]]
    assert points_of(redundancy, LEVELS["entropy"][0]) == [[2.0, 2.0]]
    low, high = redundancy.get_ylim()
    assert low < 0
    assert high > 2.0


def test_without_a_known_truth_only_the_entropy_is_drawn() -> None:
    redundancy, *_ = drawn(Curve("L", [row_of(0, R=part(0.1, entropy=2.0))]))
    assert points_of(redundancy, LEVELS["truth"][0]) == []
    assert points_of(redundancy, LEVELS["entropy"][0]) == [[2.0, 2.0]]


def test_controls_are_dashed_in_bits_too_and_both_bounds_are_explained() -> None:
    curves = [Curve("L", [row_of(0)]), Curve("L control", [row_of(0)], control=True)]
    figure = interaction_curves(dict.fromkeys("RUS", curves), dict.fromkeys("RUS", 0.2))
    styles = [
        line.get_linestyle()
        for line in figure.axes[3].get_lines()
        if line.get_label() == "_cross_entropy"
    ]
    assert styles == ["-", "--"]
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    explained = [label for label, _ in (*LEVELS.values(), *ESTIMATES.values())]
    assert words == ["L", "L control", *explained]


def test_rows_without_information_have_no_panels_in_bits() -> None:
    old = {"epoch": 0, "R": 0.5, "U": 0.5, "S": 0.5}
    assert drawn(Curve("old", [old])) == []
    (redundancy, *_) = drawn(Curve("old", [old, row_of(1)]), Curve("new", [row_of(0)]))
    assert points_of(redundancy, "_cross_entropy") == [[0.5]]


def test_the_panels_in_bits_can_be_left_out() -> None:
    curves = dict.fromkeys("RUS", (Curve("L", [row_of(0)]),))
    assert len(interaction_curves(curves, dict.fromkeys("RUS", 0.2), bits=False).axes) == 3


# --------------------------------------------------------------------------- on the command line


@pytest.fixture(scope="module")
def folder(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("data") / "tiny", tiny.settings).path


def test_info_prints_the_atoms_with_target_and_sources(folder: Path) -> None:
    printed = CliRunner().invoke(app, ["info", str(folder)]).output
    lines = [line.split() for line in printed.splitlines()]
    truth = storage.read_truth(folder)
    for name in PAIR_SETS:
        assert f"{name} pairs: exact atoms (BROJA), bits" in printed
        own = find(truth, name, "synergy")
        values = [f"{abs(own[atom]):.3f}" for atom in ATOM_NAMES]
        assert ["match", "texture", "color", *values] in lines
        more = find(truth, name, "unique1", shared=True)
        values = [f"{abs(more[atom]):.3f}" for atom in ATOM_NAMES]
        assert ["texture", "1", "shape+texture", "shape+color", *values] in lines


def test_info_for_programs_includes_the_atoms(folder: Path) -> None:
    printed = CliRunner().invoke(app, ["info", str(folder), "--json"]).output
    assert json.loads(printed)["truth"] == storage.read_truth(folder)


def test_info_says_why_three_modalities_have_no_atoms(tmp_path: Path) -> None:
    sizes = dict.fromkeys(("train_pairs", "probe_pairs", "test_pairs"), 20)
    settings = preset("tiny", copies=1, test_copies=1, rule=PairRule(modalities=3), **sizes)
    generate(tmp_path / "triples", settings)
    printed = CliRunner().invoke(app, ["info", str(tmp_path / "triples")]).output
    assert "no exact atoms: these atoms are of two sources" in " ".join(printed.split())
