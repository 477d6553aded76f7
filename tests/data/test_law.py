"""The law that pairs are drawn from: its atoms against closed forms, and against large draws."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trifeature.data.dataset import (
    PAIR_SETS,
    SPLIT_OF,
    ImageTable,
    PairSet,
    Split,
    plan_images,
    plan_pairs,
    with_copies,
)
from trifeature.data.gates import SCENARIOS
from trifeature.data.law import Drawn, equal_information, facts, law_atoms
from trifeature.data.render import nuisance_levels
from trifeature.data.rule import PairRule
from trifeature.data.settings import CaptionSettings, DatasetSettings, RenderSettings
from trifeature.data.splits import all_combinations
from trifeature.data.ties import NOTHING, Ties, sources_of
from trifeature.data.truth import drawn_atoms, ground_truth
from trifeature.data.union import closed_forms
from trifeature.errors import InputError
from trifeature.pid import Atoms
from trifeature.pid.tables import binary_entropy

SMALL: Final[dict[str, Any]] = {"shapes": 4, "textures": 4, "colors": 4, "held_out": 4}
LARGE: Final[dict[str, Any]] = {**SMALL, "copies": 12, "train_pairs": 30_000}
LOG10: Final = math.log2(10)


def atoms(task: str, drawn: Any = "test", **changes: Any) -> Atoms:
    return law_atoms(DatasetSettings(**changes), task, drawn)


def rounded(found: Atoms) -> list[float]:
    return [round(value, 5) + 0.0 for value in found.values]


def whole(chosen: DatasetSettings) -> dict[Split, ImageTable]:
    """Images of every combination in both splits: none is held out, which the law does not know."""
    table = with_copies(all_combinations(chosen.counts), chosen, chosen.copies)
    return {"train": table, "test": table}


# --------------------------------------------------------------------------- closed forms


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.9, 1.0])
def test_the_share_rate_sets_redundancy(rate: float) -> None:
    """R = log2 K − h(r) − (1 − r) log2(K − 1); what is left is unique to image 1."""
    redundancy = LOG10 - binary_entropy(rate) - (1 - rate) * math.log2(9)
    found = atoms("share", share_rate=rate)
    assert found.values == pytest.approx((redundancy, LOG10 - redundancy, 0, 0), abs=1e-6)


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0])
def test_the_match_rate_makes_unique_information_redundant(rate: float) -> None:
    redundancy = LOG10 - binary_entropy(rate) - (1 - rate) * math.log2(9)
    found = atoms("unique1", "train", match_rate=rate)
    assert found.values == pytest.approx((redundancy, LOG10 - redundancy, 0, 0), abs=1e-6)
    label = atoms("synergy", "train", match_rate=rate)
    assert label.values == pytest.approx((0, 0, 0, binary_entropy(rate)), abs=1e-6)


@pytest.mark.parametrize("dependence", [0.0, 0.3, 1.0])
def test_a_dependent_unique_attribute_is_partly_redundant(dependence: float) -> None:
    """The other image tells the shape, and the shape I(texture; shape) of the texture."""
    told = 0.0
    if dependence:
        q = dependence + (1 - dependence) / 10
        rest = (1 - q) / 9
        told = LOG10 + q * math.log2(q) + (9 * rest * math.log2(rest) if rest else 0)
    for task in ("unique1", "unique2"):
        found = atoms(task, dependence=dependence)
        own = found.unique1 if task == "unique1" else found.unique2
        assert found.redundancy == pytest.approx(told, abs=1e-6)
        assert own == pytest.approx(LOG10 - told, abs=1e-6)
        assert found.synergy == pytest.approx(0, abs=1e-6)


def test_with_a_dependence_the_match_is_no_pure_synergy() -> None:
    """Image 2 tells the shape, so the texture of image 1 in part, and has the color itself."""
    found = atoms("synergy", dependence=0.5)
    assert found.unique2 > 0.1
    assert found.unique1 == pytest.approx(0, abs=1e-6)
    assert found.total == pytest.approx(binary_entropy(0.1), abs=1e-6)


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        ("match", (0, 0, 0, binary_entropy(0.1))),
        ("balanced", (0, 0, 0, 1)),
        ("parity", (0, 0, 0, 1)),
        ("sum", (0, 0, 0, LOG10)),
        ("sum:5", (0, 0, 0, math.log2(5))),
        ("and", (1.5 - 0.75 * math.log2(3), 0, 0, 0.5)),
    ],
)
def test_every_gate_has_its_exact_synergy(gate: str, expected: tuple[float, ...]) -> None:
    found = atoms("synergy", rule=PairRule(gate=gate))
    assert found.values == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("noise", [0.05, 0.25, 0.5])
def test_label_noise_scales_every_atom(noise: float) -> None:
    kept = LOG10 - binary_entropy(noise) - noise * math.log2(9)
    assert atoms("share", label_noise=noise).redundancy == pytest.approx(kept, abs=1e-6)
    assert atoms("unique2", label_noise=noise).unique2 == pytest.approx(kept, abs=1e-6)
    parity = atoms("synergy", label_noise=noise, rule=PairRule(gate="parity"))
    assert parity.values == pytest.approx((0, 0, 0, 1 - binary_entropy(noise)), abs=1e-6)


@pytest.mark.parametrize("look", ["gray", "edges", "silhouette"])
def test_an_attribute_that_is_not_shown_is_absent(look: str) -> None:
    found = atoms("synergy", "train", looks=f"color,{look}", match_rate=0.5)
    assert found.values == pytest.approx((0, 0, 0, 0), abs=1e-6)
    texture = atoms("unique1", looks=f"{look},color")
    told = 0 if look == "silhouette" else LOG10
    assert texture.values == pytest.approx((0, told, 0, 0), abs=1e-6)
    assert atoms("share", looks=f"{look},color").redundancy == pytest.approx(LOG10, abs=1e-6)


@pytest.mark.parametrize("omission", [0.0, 0.25, 0.5])
def test_a_caption_tells_what_it_does_not_leave_out(omission: float) -> None:
    """An erasure channel: I = (1 − o) log2 K of each named attribute."""
    caption = CaptionSettings(caption_names="shape,texture", omission=omission)
    share = atoms("share", looks="color,caption", caption=caption)
    both = (1 - omission) * LOG10
    assert share.values == pytest.approx((both, LOG10 - both, 0, 0), abs=1e-6)
    texture = atoms("unique2", looks="color,caption", caption=caption)
    assert texture.values == pytest.approx((0, 0, both, 0), abs=1e-6)
    color = atoms("synergy", looks="color,caption", caption=caption)  # it names no color
    assert color.total == pytest.approx(0, abs=1e-6)


def test_the_facts_are_informations_of_the_dials() -> None:
    nuisance = RenderSettings(nuisance="rotation")
    found = facts(DatasetSettings(dependence=1, share_rate=0.5, nuisance_rate=0.5, render=nuisance))
    assert list(found.values()) == pytest.approx(
        [LOG10, equal_information(10, 0.5), 2 - 1 - 0.5 * math.log2(3)]
    )
    assert facts(DatasetSettings()) == {}


@given(values=st.integers(2, 12), rate=st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_equal_information_is_that_of_its_table(values: int, rate: float) -> None:
    table = np.full((values, values), (1 - rate) / (values - 1))
    np.fill_diagonal(table, rate)
    table /= values
    terms = [p * math.log2(p * values**2) for p in table.ravel().tolist() if p > 0]
    assert equal_information(values, rate) == pytest.approx(sum(terms), abs=1e-9)


# --------------------------------------------------------------------------- counted


COUNTED: Final = 15_000
DIALS: Final[dict[str, dict[str, Any]]] = {
    "defaults": {},
    "match rate": {"match_rate": 0.6},
    "share rate": {"share_rate": 0.6},
    "dependence": {"dependence": 0.5},
    "full dependence": {"dependence": 1.0},
    "balanced": {"rule": PairRule(gate="balanced")},
    "parity": {"rule": PairRule(gate="parity"), "match_rate": 0.8},
    "sum": {"rule": PairRule(gate="sum:3")},
    "and": {"rule": PairRule(gate="and")},
    "label noise": {"label_noise": 0.2, "match_rate": 0.5},
    "gray": {"looks": "color,gray"},
    "silhouette": {"looks": "silhouette,color", "match_rate": 0.6},
    "caption": {"looks": "color,caption", "caption": CaptionSettings(omission=0.3)},
    "distinct": {"rule": PairRule(distinct_unique=True)},
    "nuisance": {"render": RenderSettings(nuisance="rotation"), "nuisance_rate": 0.8},
    "many": {
        "share_rate": 0.7,
        "dependence": 0.4,
        "match_rate": 0.6,
        "label_noise": 0.1,
        "looks": "color,caption",
        "caption": CaptionSettings(omission=0.2),
    },
}


@pytest.mark.parametrize("dial", DIALS)
def test_a_large_draw_has_the_atoms_of_the_law(dial: str) -> None:
    copies = 24 if "caption" in DIALS[dial].get("looks", "") else 12
    sizes: dict[str, Any] = {
        "copies": copies,
        "train_pairs": COUNTED,
        "probe_pairs": COUNTED,
        "test_pairs": 1,
    }
    chosen = DatasetSettings(**SMALL, **sizes, **DIALS[dial])
    tables = whole(chosen)
    pairs = plan_pairs(chosen, tables)
    laws: dict[PairSet, Drawn] = {"train": "train", "probe": "test"}
    for name, drawn in laws.items():
        found = drawn_atoms(chosen, tables["train"], pairs[name])
        for task, counted in found.items():
            exact = law_atoms(chosen, task, drawn)
            assert counted.sources == exact.sources
            assert counted.values == pytest.approx(exact.values, abs=bias(chosen, task)), name


def bias(chosen: DatasetSettings, task: str) -> float:
    """The plug-in bias of n pairs, (cells − 1) / (2 n ln 2) bits, and what chance does.

    Of 1,536 captions the share that leaves an attribute out is good to 0.012.
    """
    attributes = sum(len(source) for source in sources_of(Ties.of(chosen), task))
    chance = 0.05 if "caption" in chosen.looks else 0.02
    return float(chosen.classes[task] * 5**attributes / (2 * COUNTED * math.log(2)) + chance)


def test_the_rates_of_a_draw_are_exact_to_the_nearest_pair() -> None:
    chosen = DatasetSettings(**LARGE, share_rate=0.75, match_rate=0.4)
    tables = whole(chosen)
    pairs = plan_pairs(chosen, tables)
    table = tables["train"].attributes
    shapes = table[pairs["train"].images, 0]
    assert abs((shapes[:, 0] == shapes[:, 1]).sum() - 22_500) <= 1
    assert pairs["train"].match_rate == 0.4
    probe = table[pairs["probe"].images, 0]
    assert abs((probe[:, 0] == probe[:, 1]).sum() - 7_500) <= 1
    assert (pairs["train"].labels["share"] == shapes[:, 0]).all()


def test_test_pairs_are_as_many_as_the_rates_allow() -> None:
    """25 held-out images of 5 shapes have 25·25 pairs, of which about a fifth share."""
    chosen = DatasetSettings(
        shapes=5, textures=5, colors=5, held_out=25, share_rate=0.9, test_pairs=4096
    )
    tables = plan_images(chosen)
    test = plan_pairs(chosen, tables)["test"]
    shapes = tables["test"].attributes[test.images, 0]
    same = int((shapes[:, 0] == shapes[:, 1]).sum())
    assert 80 < len(test) < 300
    assert same == round(0.9 * len(test))
    counts = np.bincount(tables["test"].attributes[:, 0])
    assert same in ((counts**2).sum(), (counts**2).sum() - 1)


@pytest.mark.parametrize("dependence", [0.25, 1.0])
def test_a_dependence_leaves_every_value_as_frequent(dependence: float) -> None:
    chosen = DatasetSettings(dependence=dependence)
    for table in plan_images(chosen).values():
        shape, texture, _ = table.attributes.T
        follows = (texture == shape).mean()
        assert follows == pytest.approx(dependence + (1 - dependence) / 10, abs=0.03)
        joint = np.histogram2d(shape, texture, bins=(10, 10))[0]
        if dependence == 1:
            assert (joint == np.diag(joint.diagonal())).all()
        total = len(shape)
        assert np.bincount(texture, minlength=10).max() < total / 10 * 1.6
        assert len(set(map(tuple, np.c_[table.attributes, table.copies].tolist()))) == total


def test_a_nuisance_is_shared_by_its_share_of_the_pairs() -> None:
    chosen = DatasetSettings(**LARGE, render=RenderSettings(nuisance="position"), nuisance_rate=0.9)
    tables = whole(chosen)
    pairs = plan_pairs(chosen, tables)
    for name in ("train", "probe"):
        table = tables[SPLIT_OF[name]]
        levels = nuisance_levels(
            table.attributes, table.copies, seed=0, settings=chosen.render, values=chosen.values
        )
        same = levels[pairs[name].images[:, 0]] == levels[pairs[name].images[:, 1]]
        assert same.mean() == pytest.approx(0.9, abs=1e-4)


def test_noisy_labels_are_other_classes_at_the_stated_rate() -> None:
    clean, noisy = (DatasetSettings(**LARGE, label_noise=rate) for rate in (0.0, 0.3))
    tables = plan_images(clean)
    one, other = (plan_pairs(chosen, tables)["train"] for chosen in (clean, noisy))
    assert (one.images == other.images).all()
    for task, labels in one.labels.items():
        changed = labels != other.labels[task]
        assert changed.mean() == pytest.approx(0.3, abs=0.01)
        assert set(other.labels[task].tolist()) == set(labels.tolist())


# --------------------------------------------------------------------------- sources


def test_sources_are_what_is_tied_to_the_label() -> None:
    tied = Ties.of(DatasetSettings(dependence=0.5))
    assert sources_of(tied, "unique1") == (("texture 1",), ("color 2", "shape 2"))
    assert sources_of(tied, "unique2") == (("shape 1",), ("texture 2",))
    assert sources_of(tied, "synergy") == (("texture 1",), ("color 2", "shape 2"))
    blind = Ties.of(DatasetSettings(looks="silhouette,color"))
    assert sources_of(blind, "unique1") == ((f"{NOTHING} 1",), ("color 2",))


# --------------------------------------------------------------------------- three modalities


def information(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    joint = np.histogram2d(one, other, bins=(one.max() + 1, other.max() + 1))[0] / len(one)
    outer = joint.sum(1, keepdims=True) * joint.sum(0)
    inside = joint > 0
    return float((joint[inside] * np.log2(joint[inside] / outer[inside])).sum())


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_of_three_modalities_has_its_information_where_it_says(scenario: str) -> None:
    """Counted on triples: what each image tells alone, what its pairs tell, what all three tell."""
    rule = PairRule(scenario=scenario, gate="sum" if "synergy" in scenario else "match")
    chosen = DatasetSettings(
        shapes=3, textures=3, colors=3, held_out=1, copies=40, train_pairs=40_000, rule=rule
    )
    tables = whole(chosen)
    pairs = plan_pairs(chosen, tables)["train"]
    task = SCENARIOS[scenario].task
    (row,) = [row for row in closed_forms(chosen, "train") if row["task"] == task]
    label = pairs.labels[task]
    triples = tables["train"].attributes[pairs.images] @ np.array([9, 3, 1])  # [P, M]
    alone = [information(x, label) for x in triples.T]
    told = {int(m) - 1 for m in scenario if m.isdecimal()}
    expected = math.log2(3)
    assert row["total"] == pytest.approx(expected)
    for m, bits in enumerate(alone):
        silent = "synergy" in scenario or m not in told
        assert bits == pytest.approx(0 if silent else expected, abs=0.005)
    if "synergy" in scenario:
        assert (row["union"], row["unique"], row["synergy"]) == (0, [0, 0, 0], row["total"])
        together = sum(27**i * triples[:, m] for i, m in enumerate(sorted(told)))
        if len(told) == 2:
            assert information(together, label) == pytest.approx(expected, abs=0.02)
        assert row["two"] == pytest.approx(expected if len(told) == 2 else 0, abs=1e-9)
    else:
        assert row["union"] == row["total"]
        assert row["synergy"] == 0
        assert row["unique"] == [row["total"] if told == {m} else 0 for m in range(3)]


def test_closed_forms_are_left_out_where_they_do_not_hold() -> None:
    cases: tuple[dict[str, Any], ...] = (
        {"share_rate": 0.5},
        {"dependence": 0.5},
        {"looks": "gray"},
        {"rule": PairRule(modalities=3, gate="and")},
        {"rule": PairRule(modalities=3, distinct_unique=True)},
    )
    for changes in cases:
        rule = changes.pop("rule", PairRule(modalities=3))
        assert closed_forms(DatasetSettings(rule=rule, **changes), "test") == []


def forms(drawn: Any, **changes: Any) -> dict[str, dict[str, Any]]:
    few: dict[str, Any] = {"shapes": 4, "textures": 4, "colors": 4, "held_out": 4}
    rows = closed_forms(DatasetSettings(**few, **changes), drawn)
    return {row["task"]: row for row in rows}


def test_a_match_rate_ties_the_texture_of_one_modality_to_the_color_of_another() -> None:
    """Of two linked modalities the other tells log2 4 − h(ρ) − (1 − ρ) log2 3 of texture 1."""
    rule = PairRule(scenario="synergy12")
    for rate in (0.25, 0.5, 1.0):
        row = forms("train", rule=rule, match_rate=rate)["unique1"]
        told = equal_information(4, rate)
        assert row["unique"] == pytest.approx([2 - told, 0, 0], abs=1e-9)
    assert forms("test", rule=rule)["unique1"]["unique"] == pytest.approx([2, 0, 0])
    odd = forms("train", rule=PairRule(scenario="synergy12", gate="parity"), match_rate=1.0)
    assert odd["unique1"]["unique"] == pytest.approx([1, 0, 0])  # image 2 tells the odd bit


def test_where_two_modalities_tell_something_the_closed_form_is_left_out() -> None:
    three = PairRule(modalities=3)
    assert "unique1" not in forms("train", rule=three, match_rate=0.5)
    assert "unique2" in forms("train", rule=three, match_rate=0.5)
    assert "unique1" not in forms("test", rule=PairRule(modalities=3, gate="balanced"))
    parity = forms("train", rule=PairRule(modalities=3, gate="parity"), match_rate=1.0)
    assert parity["unique1"]["unique"] == pytest.approx([2, 0, 0])  # any two bits are independent


@pytest.mark.parametrize("values", [3, 10])
def test_under_a_balanced_match_of_three_any_two_modalities_tell_most_of_the_label(
    values: int,
) -> None:
    """Any two values fit in every match and in 1/(K + 1) of the other triples."""
    counts: dict[str, Any] = {
        "shapes": values,
        "textures": values,
        "colors": values,
        "held_out": values,
    }
    balanced = PairRule(modalities=3, gate="balanced")
    (row,) = [
        row
        for row in closed_forms(DatasetSettings(rule=balanced, **counts), "test")
        if row["task"] == "synergy"
    ]
    fits = 1 / (values + 1)
    told = 1 - (1 + fits) / 2 * binary_entropy(1 / (1 + fits))
    assert row["two"] == pytest.approx(told)
    assert row["synergy"] == pytest.approx(1)


def test_under_a_match_rate_of_one_half_two_modalities_tell_of_a_noisy_label_too() -> None:
    rule = PairRule(modalities=3)
    clear = forms("train", rule=rule, match_rate=0.5)["synergy"]
    noisy = forms("train", rule=rule, match_rate=0.5, label_noise=0.1)["synergy"]
    assert 0 < noisy["two"] < noisy["synergy"]
    assert noisy["two"] < clear["two"] < clear["synergy"]
    parity = forms("train", rule=PairRule(modalities=3, gate="parity"), match_rate=0.5)
    assert parity["synergy"]["two"] == pytest.approx(0, abs=1e-9)


# --------------------------------------------------------------------------- as JSON, refusals


def test_the_truth_of_a_data_set_states_its_law() -> None:
    chosen = DatasetSettings(**SMALL, copies=4, train_pairs=500, match_rate=0.5)
    tables = plan_images(chosen)
    truth = ground_truth(chosen, tables, plan_pairs(chosen, tables))
    assert {row["set"] for row in truth["rows"]} == set(PAIR_SETS)
    by_case = {(row["set"], row["task"]): row for row in truth["law"]}
    assert len(by_case) == 8
    assert by_case["train", "synergy"]["synergy"] == pytest.approx(1)
    assert by_case["test", "synergy"]["synergy"] == pytest.approx(binary_entropy(0.25))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"share_rate": 0.05}, "share_rate must be from 0.1 (chance) to 1"),
        ({"share_rate": 1.5}, "share_rate must be from 0.1 (chance) to 1"),
        ({"share_rate": "1"}, "share_rate must be"),
        ({"dependence": -0.1}, "dependence must be from 0 to 1"),
        ({"dependence": 0.5, "shapes": 5}, "dependence needs as many values of texture"),
        ({"dependence": 0.5, "rule": PairRule(distinct_unique=True)}, "exclude each other"),
        ({"label_noise": 2}, "label_noise must be from 0 to 1"),
        ({"nuisance_rate": 0.5}, "nuisance_rate needs a nuisance"),
        ({"looks": "grey"}, "unknown look 'grey': did you mean 'gray'?"),
        ({"looks": "gray,gray,gray"}, "one for each of 2 modalities"),
        ({"caption": CaptionSettings(omission=0.1)}, "need a modality whose look is caption"),
        ({"shapes": "square"}, "shapes must be at least 2"),
        ({"shapes": "square,square"}, "name 'square' twice"),
        ({"rule": PairRule(gate="parity"), "synergy_map": "identity"}, "has no map"),
        ({"rule": PairRule(gate="sum:20")}, "these sums are at most 18: sum:19"),
        (
            {"render": RenderSettings.for_canvas(64), "nuisance_rate": 0.5},
            "nuisance_rate needs a nuisance",
        ),
    ],
)
def test_a_dial_that_makes_no_sense_is_refused_in_one_line(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError) as caught:
        DatasetSettings(**changes)
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_dependence_needs_a_held_out_combination_that_does_not_follow_it() -> None:
    with pytest.raises(InputError, match="needs more combinations held out than 1"):
        plan_images(DatasetSettings(dependence=0.5, held_out=1))


def test_a_nuisance_of_rotation_needs_angles() -> None:
    with pytest.raises(InputError, match="rotation needs angles"):
        RenderSettings(nuisance="rotation", max_angle=0)


def test_values_and_looks_may_be_lists() -> None:
    names: Any = ["star", "circle"]
    looks: Any = ("gray", "color")
    chosen = DatasetSettings(shapes=names, looks=looks, held_out=20)
    assert chosen.values["shape"] == ("star", "circle")
    assert DatasetSettings(looks=looks).looks_of == ("gray", "color")


def test_rates_that_no_pair_allows_are_refused_without_advice_that_cannot_help() -> None:
    rule = PairRule(synergy=("texture", "texture"), distinct_unique=True)
    chosen = DatasetSettings(**SMALL, rule=rule, synergy_map="identity", match_rate=1.0)
    with pytest.raises(InputError, match="no pair of these images allows match_rate 1 by"):
        plan_pairs(chosen, plan_images(chosen))


def test_an_unknown_law_is_refused() -> None:
    for ask in (lambda name: law_atoms(DatasetSettings(), "share", name), forms):
        with pytest.raises(InputError, match=r"unknown law 'trian': did you mean 'train'\?"):
            ask("trian")


@pytest.mark.parametrize("text", ["sums", "sum:1", "sum:x", "", 3])
def test_an_unknown_gate_is_refused(text: Any) -> None:
    with pytest.raises(InputError):
        PairRule(gate=text)


def test_a_dependence_that_a_split_cannot_hold_is_refused() -> None:
    chosen = DatasetSettings(dependence=0.5, held_out=20)
    with pytest.raises(InputError, match=r"no combination that follows it .* such as 200"):
        plan_images(chosen)
