"""A data set is a pure function of its settings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from trifeature.data.attributes import ATTRIBUTES, COLORS, TEXTURES
from trifeature.data.dataset import (
    PAIR_SETS,
    SPLIT_OF,
    SPLITS,
    Dataset,
    DatasetSettings,
    ImageTable,
    PairSet,
    build,
    plan_images,
    plan_pairs,
    preset,
    summarize,
    with_match_rate,
    with_pairs,
)
from trifeature.data.pairs import label
from trifeature.data.render import RenderSettings, render
from trifeature.data.rule import PairRule
from trifeature.errors import InputError
from trifeature.presets import PRESETS


def rows(table: ImageTable) -> set[tuple[int, ...]]:
    return {tuple(row) for row in table.attributes.tolist()}


# --------------------------------------------------------------------------- presets


def test_the_default_is_the_papers_data_set() -> None:
    settings = preset("paper")
    assert settings == DatasetSettings()
    assert settings.render == RenderSettings(canvas=224)
    tables = plan_images(settings)
    assert {split: len(tables[split].copies) for split in SPLITS} == {"train": 2400, "test": 200}


def test_the_papers_pairs_are_as_many_as_published() -> None:
    settings = preset("paper")
    pairs = plan_pairs(settings, plan_images(settings))
    assert pairs["train"].candidates == pytest.approx(577_000, rel=0.02)
    assert pairs["test"].candidates == pytest.approx(4_096, rel=0.1)
    assert len(pairs["train"]) == 10_000
    assert len(pairs["test"]) == min(4_096, pairs["test"].candidates)


def test_fast_is_the_papers_data_set_at_half_the_size() -> None:
    assert preset("fast") == replace(preset("paper"), render=RenderSettings.for_canvas(112))


def test_quick_is_small_and_tests_every_value_equally_often() -> None:
    settings = preset("tiny")
    assert settings.render.canvas == 32
    test = plan_images(settings)["test"].attributes
    for column in test.T:
        assert len(set(np.bincount(column, minlength=5))) == 1


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_with_another_seed_has_the_map_of_that_seed(name: str) -> None:
    changed = preset(name, seed=5)
    assert changed == preset(name, seed=5, synergy_map="random:5")
    assert changed.partners != preset(name, seed=6).partners


def test_a_preset_can_have_fewer_values() -> None:
    assert len(preset("paper", textures=4).partners) == 4


def test_an_unknown_preset_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown preset 'quik': did you mean 'quick'"):
        preset("quik")


# --------------------------------------------------------------------------- images


def test_every_combination_has_all_its_copies_in_one_split(tiny: Dataset) -> None:
    for split, copies in (("train", 2), ("test", 1)):
        table = tiny.tables["train" if split == "train" else "test"]
        assert len(table.copies) == copies * len(rows(table))
        assert set(table.copies.tolist()) == set(range(copies))
    assert not rows(tiny.tables["train"]) & rows(tiny.tables["test"])
    assert len(rows(tiny.tables["train"]) | rows(tiny.tables["test"])) == 5**3


def test_images_show_what_the_tables_say(tiny: Dataset) -> None:
    for split in SPLITS:
        table = tiny.tables[split]
        expected = render(table.attributes, table.copies, seed=0, settings=tiny.settings.render)
        assert torch.equal(tiny.images[split], expected)


def test_combinations_are_numbered_by_three_digits_of_each_attribute() -> None:
    table = ImageTable(np.array([[1, 2, 3], [9, 0, 9], [0, 11, 0]]), np.array([0, 1, 0]))
    assert table.combinations.tolist() == [1_002_003, 9_000_009, 11_000]


@pytest.mark.parametrize("pair_set", PAIR_SETS)
def test_each_pair_knows_its_combinations(tiny: Dataset, pair_set: PairSet) -> None:
    combinations = tiny.combinations_of(pair_set)
    attributes = tiny.tables[SPLIT_OF[pair_set]].attributes
    for pair, numbers in zip(tiny.pairs[pair_set].images, combinations, strict=True):
        for image, number in zip(pair, numbers, strict=True):
            assert f"{number:09d}" == "".join(f"{value:03d}" for value in attributes[image])


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_validation_never_touches_a_test_combination(seed: int, balanced: bool) -> None:
    settings = preset("tiny", seed=seed, balanced=balanced)
    final = plan_images(settings)
    chosen_on = plan_images(replace(settings, validation=True))
    assert not rows(final["test"]) & (rows(chosen_on["train"]) | rows(chosen_on["test"]))
    assert not rows(chosen_on["train"]) & rows(chosen_on["test"])
    assert rows(chosen_on["train"]) | rows(chosen_on["test"]) == rows(final["train"])
    assert len(rows(chosen_on["test"])) == settings.held_out


# --------------------------------------------------------------------------- pairs


def test_pairs_are_made_of_their_own_split_and_share_the_shape(tiny: Dataset) -> None:
    for pair_set in PAIR_SETS:
        table = tiny.tables[SPLIT_OF[pair_set]]
        pairs = tiny.pairs[pair_set]
        shapes = table.attributes[pairs.images, 0]
        assert (shapes == shapes[:, :1]).all()
        expected = label(table.attributes, pairs.images, tiny.settings.rule, tiny.settings.partners)
        for task, values in expected.items():
            assert np.array_equal(pairs.labels[task], values)


def test_a_biased_data_set_shares_images_probe_and_test_pairs_with_the_unbiased_one(
    tiny: Dataset,
) -> None:
    biased = build(replace(tiny.settings, match_rate=1.0))
    assert biased.settings.partners == tiny.settings.partners
    for split in SPLITS:
        assert torch.equal(biased.images[split], tiny.images[split])
    for pair_set in PAIR_SETS:
        same = np.array_equal(biased.pairs[pair_set].images, tiny.pairs[pair_set].images)
        assert same == (pair_set != "train")
    assert biased.pairs["train"].match_rate == 1
    assert biased.pairs["probe"].match_rate == tiny.pairs["probe"].match_rate < 0.4


def test_train_and_probe_pairs_are_drawn_independently() -> None:
    settings = preset("tiny", train_pairs=500, probe_pairs=500)
    pairs = plan_pairs(settings, plan_images(settings))
    assert not np.array_equal(pairs["train"].images, pairs["probe"].images)


def test_where_fewer_test_pairs_exist_all_are_taken(tiny: Dataset) -> None:
    settings = replace(tiny.settings, test_pairs=4096)
    test = plan_pairs(settings, tiny.tables)["test"]
    assert len(test) == test.candidates == 5 * 5**2


def test_a_seed_changes_split_images_map_and_pairs(tiny: Dataset) -> None:
    other = build(replace(preset("tiny", seed=1), copies=2, test_copies=1))
    assert other.settings.partners != tiny.settings.partners
    assert rows(other.tables["test"]) != rows(tiny.tables["test"])
    common = (tiny.tables["train"].attributes[:, None] == other.tables["train"].attributes).all(2)
    here, there = (int(place) for place in np.argwhere(common)[0])
    assert not torch.equal(tiny.images["train"][here], other.images["train"][there])


def test_a_data_set_of_three_modalities_has_triples() -> None:
    settings = preset("tiny", rule=PairRule(modalities=3), train_pairs=300, match_rate=0.5)
    pairs = plan_pairs(settings, plan_images(settings))
    assert pairs["train"].images.shape == (300, 3)
    assert pairs["train"].match_rate == 0.5
    assert settings.classes == {
        "share": 5,
        "unique1": 5,
        "unique2": 5,
        "unique3": 5,
        "synergy": 2,
    }


def test_building_reports_progress_up_to_the_number_of_images(tiny: Dataset) -> None:
    calls: list[tuple[int, int]] = []
    build(tiny.settings, progress=lambda done, total: calls.append((done, total)))
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})
    assert {total for _, total in calls} == {225}
    assert calls[-1] == (225, 225)


def test_a_data_set_moved_to_a_device_keeps_everything(tiny: Dataset) -> None:
    moved = tiny.to("cpu")
    assert moved.pairs is tiny.pairs
    for split in SPLITS:
        assert torch.equal(moved.images[split], tiny.images[split])


# --------------------------------------------------------------------------- settings


def test_ways_of_asking_for_the_same_map_are_the_same_settings(tmp_path: Path) -> None:
    auto = DatasetSettings(seed=3)
    names = {TEXTURES[i]: COLORS[j] for i, j in enumerate(auto.partners)}
    (tmp_path / "map.json").write_text(json.dumps(names))
    listed = ",".join(f"{texture}={color}" for texture, color in reversed(names.items()))
    for text in ("random:3", listed, str(tmp_path / "map.json"), auto.synergy_map):
        same = DatasetSettings(seed=3, synergy_map=text)
        assert same == auto
        assert same.partners == auto.partners
    assert DatasetSettings(seed=3, synergy_map="identity") != auto


def test_the_map_is_stored_as_names() -> None:
    settings = preset("tiny", synergy_map="identity")
    assert settings.synergy_map == "solid=red,stripes=green,grid=blue,hexgrid=yellow,dots=pink"


@pytest.mark.parametrize(
    "settings",
    [
        DatasetSettings(),
        preset("tiny", seed=2**63 - 1, match_rate=0.35, validation=True),
        DatasetSettings(rule=PairRule("texture", "color", ("color", "shape"), 3, True)),
    ],
)
def test_settings_come_back_from_json(settings: DatasetSettings) -> None:
    text = json.dumps(settings.to_json())
    assert DatasetSettings.from_json(json.loads(text)) == settings


CONTENT = DatasetSettings().to_json()


@pytest.mark.parametrize("key", CONTENT)
def test_a_stored_key_that_is_missing_stands_for_its_default(key: str) -> None:
    settings = DatasetSettings.from_json({k: v for k, v in CONTENT.items() if k != key})
    assert settings == DatasetSettings()


@pytest.mark.parametrize(
    "changes",
    [
        {"unknown": 1},
        {"seed": "3"},
        {"held_out": None},
        {"match_rate": "1"},
        {"synergy_map": 5},
        {"rule": 5},
        {"rule": {"synergy": "texture,color"}},
        {"rule": {**CONTENT["rule"], "hue": 1}},
        {"render": {**CONTENT["render"], "hue": 1}},
        {"render": []},
    ],
    ids=repr,
)
def test_stored_settings_of_the_wrong_kind_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        DatasetSettings.from_json({**CONTENT, **changes})
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shapes": 1}, "shapes must be a whole number from 2 to 10, not 1"),
        ({"textures": 11}, "textures must be a whole number from 2 to 10, not 11"),
        ({"colors": 2.5}, "colors must be a whole number from 2 to 10, not 2.5"),
        ({"held_out": 0}, "held_out must be a whole number from 1 to 999, not 0"),
        ({"held_out": 1000}, "held_out must be a whole number from 1 to 999, not 1000"),
        ({"held_out": 500, "validation": True}, "held_out 500 leaves no combination to train on"),
        ({"copies": 0}, "copies must be a whole number from 1 to 10000000, not 0"),
        ({"test_copies": True}, "test_copies must be a whole number"),
        ({"train_pairs": 0}, "train_pairs must be a whole number"),
        ({"probe_pairs": -1}, "probe_pairs must be a whole number"),
        ({"test_pairs": 1e3}, "test_pairs must be a whole number"),
        ({"seed": -1}, "seed must be a whole number from 0 to"),
        ({"match_rate": 0.05}, "match_rate must be from 0.1 (chance) to 1, not 0.05"),
        ({"match_rate": 1.01}, "match_rate must be from 0.1 (chance) to 1, not 1.01"),
        ({"match_rate": float("nan")}, "match_rate must be finite, not nan"),
        ({"synergy_map": "rubbish"}, "cannot read the synergy map 'rubbish'"),
        ({"colors": 9}, "no one-to-one map: 10 values of texture but only 9 of color"),
    ],
)
def test_a_setting_out_of_range_is_refused_with_the_range(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        DatasetSettings(**changes)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("rate", [0.1, 1, 1.0])
def test_a_match_rate_from_chance_to_one_is_accepted(rate: float) -> None:
    assert DatasetSettings(match_rate=rate).match_rate == rate


def test_classes_count_the_values_each_task_asks_about() -> None:
    settings = DatasetSettings(
        shapes=3,
        textures=4,
        colors=5,
        held_out=9,
        rule=PairRule("texture", "color", ("color",) * 2),
    )
    assert settings.classes == {"share": 4, "unique1": 5, "unique2": 5, "synergy": 2}
    assert settings.counts == dict(zip(ATTRIBUTES, (3, 4, 5), strict=True))


# --------------------------------------------------------------------------- summary


def test_the_summary_counts_what_was_drawn(tiny: Dataset) -> None:
    summary = summarize(tiny)
    assert list(summary) == list(PAIR_SETS)
    for name in PAIR_SETS:
        pairs, entry = tiny.pairs[name], summary[name]
        assert entry["pairs"] == len(pairs.images)
        assert entry["candidates"] == pairs.candidates
        assert entry["match_rate"] == entry["labels"]["synergy"][1] / len(pairs.images)
        for task, classes in tiny.settings.classes.items():
            counted = [pairs.labels[task].tolist().count(value) for value in range(classes)]
            assert entry["labels"][task] == counted
    assert json.loads(json.dumps(summary)) == summary


# --------------------------------------------------------------------------- pairs of one's own


def test_own_pairs_have_the_labels_of_what_they_show(tiny: Dataset) -> None:
    images = np.array([[0, 5], [7, 7], [3, 1]])
    own = with_pairs(tiny, images)
    shown = tiny.tables["train"].attributes[images]
    assert own.pairs["train"].labels["unique2"].tolist() == shown[:, 1, 1].tolist()
    partners = tiny.settings.partners
    match = [partners[first[1]] == second[2] for first, second in shown]
    assert own.pairs["train"].labels["synergy"].tolist() == [int(m) for m in match]
    assert own.pairs["test"] is tiny.pairs["test"]


def test_own_pairs_make_another_data_set_for_a_runs_folder(tiny: Dataset) -> None:
    one, other = (with_pairs(tiny, [[0, k], [1, 2]]).samples().origin for k in (1, 2))
    assert one != other
    assert tiny.samples().origin == tiny.settings.to_json()
    assert with_match_rate(with_pairs(tiny, [[0, 1], [1, 2]]), 1.0).own_pairs == {}


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ([[0, 1, 2]], r"pairs must be whole numbers \[P, 2\]"),
        ([[0.5, 1.0]], "pairs must be whole numbers"),
        ([[0, 10**6]], "pairs must name images 0 to"),
        (np.zeros((0, 2), int), "at least one pair"),
    ],
)
def test_pairs_that_cannot_be_are_refused(tiny: Dataset, images: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        with_pairs(tiny, images)
