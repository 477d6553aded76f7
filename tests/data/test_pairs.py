"""Pairs against brute force: every tuple written out and judged by the definition, one by one."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from trifeature.data import pairs as pairs_module
from trifeature.data.attributes import ATTRIBUTES, COLORS, TEXTURES, VALUES
from trifeature.data.maps import make_map
from trifeature.data.pairs import Pairs, chance_match_rate, draw_pairs, label
from trifeature.data.render import RenderSettings, render
from trifeature.data.rule import PairRule
from trifeature.data.splits import all_combinations, split_combinations
from trifeature.errors import InputError

IntArray = npt.NDArray[np.int64]

COUNTS: Final = {"shape": 3, "texture": 3, "color": 3}
TEN: Final = {"shape": 10, "texture": 10, "color": 10}
MAP: Final = (2, 0, 1)

TABLE: Final = np.random.default_rng(0).integers(0, 3, size=(14, 3))
"""Fourteen images with random attributes, some alike."""

FULL: Final = np.repeat(all_combinations({"shape": 4, "texture": 5, "color": 5}), 3, axis=0)
"""300 images: three of each of 100 combinations."""

FULL_MAP: Final = (3, 1, 4, 0, 2)

RULES: Final = [
    PairRule(shared, unique, (first, others), modalities, distinct)
    for shared, unique in itertools.permutations(ATTRIBUTES, 2)
    for first, others in itertools.product([a for a in ATTRIBUTES if a != shared], repeat=2)
    for modalities in (2, 3)
    for distinct in (False, True)
]


def rule_name(rule: PairRule) -> str:
    distinct = "-distinct" if rule.distinct_unique else ""
    synergy = "+".join(rule.synergy)
    return f"{rule.modalities}x-{rule.shared}-{rule.unique}-{synergy}{distinct}"


def admitted(table: IntArray, rule: PairRule) -> set[tuple[int, ...]]:
    """All tuples of images that the rule admits, by its definition."""
    shared, unique = ATTRIBUTES.index(rule.shared), ATTRIBUTES.index(rule.unique)
    everything = itertools.product(range(len(table)), repeat=rule.modalities)
    return {
        images
        for images in everything
        if len({table[i, shared] for i in images}) == 1
        and (not rule.distinct_unique or len({table[i, unique] for i in images}) == rule.modalities)
    }


def keeps_map(table: IntArray, images: tuple[int, ...], rule: PairRule) -> bool:
    a, b = (ATTRIBUTES.index(name) for name in rule.synergy)
    partner = MAP[table[images[0], a]]
    return all(table[i, b] == partner for i in images[1:])


def as_set(pairs: Pairs) -> set[tuple[int, ...]]:
    return {tuple(row) for row in pairs.images.tolist()}


# --------------------------------------------------------------------------- which are drawn


@pytest.mark.parametrize("rule", RULES, ids=rule_name)
def test_all_that_the_rule_admits_are_drawn_once_when_all_are_asked_for(rule: PairRule) -> None:
    drawn = draw_pairs(TABLE, 10**6, rule, MAP, seed=1)
    assert as_set(drawn) == admitted(TABLE, rule)
    assert len(drawn) == len(as_set(drawn))


@pytest.mark.parametrize("rule", RULES[::5], ids=rule_name)
def test_no_tuple_is_drawn_twice_and_none_that_is_not_admitted(rule: PairRule) -> None:
    everything = admitted(TABLE, rule)
    count = len(everything) // 2
    drawn = draw_pairs(TABLE, count, rule, MAP, seed=2)
    assert len(drawn) == len(as_set(drawn)) == count
    assert as_set(drawn) < everything


def test_an_image_may_be_paired_with_itself() -> None:
    assert {(i, i) for i in range(len(TABLE))} <= as_set(
        draw_pairs(TABLE, 10**6, PairRule(), MAP, seed=0)
    )


def test_the_candidates_are_all_ordered_pairs_of_one_shape() -> None:
    drawn = draw_pairs(FULL, 10, PairRule(), FULL_MAP, seed=0)
    assert drawn.candidates == 4 * 75**2


def test_distinct_unique_keeps_unequal_textures_only() -> None:
    drawn = draw_pairs(FULL, 2000, PairRule(distinct_unique=True), FULL_MAP, seed=0)
    assert len(drawn) == 2000
    assert (drawn.labels["unique1"] != drawn.labels["unique2"]).all()


def test_every_candidate_is_drawn_equally_often_at_every_place() -> None:
    rule = PairRule()
    everything = sorted(admitted(TABLE, rule))
    first, second = Counter[tuple[int, ...]](), Counter[tuple[int, ...]]()
    for seed in range(3000):
        one, other = draw_pairs(TABLE, 2, rule, MAP, seed=seed).images.tolist()
        first[tuple(one)] += 1
        second[tuple(other)] += 1
    for counts in (first, second):
        assert stats.chisquare([counts[images] for images in everything]).pvalue > 1e-3


def test_a_draw_depends_on_its_seed_alone() -> None:
    def images(seed: int | tuple[int, ...]) -> list[list[int]]:
        drawn = draw_pairs(FULL, 50, PairRule(), FULL_MAP, seed=seed).images.tolist()
        assert isinstance(drawn, list)
        return drawn

    first = images(7)
    np.random.default_rng(7).random(100)
    assert images(7) == first
    assert images(8) != first
    assert images((7, 1)) != images((1, 7))


def test_unbiased_pairs_do_not_depend_on_the_map() -> None:
    one = draw_pairs(FULL, 500, PairRule(), FULL_MAP, seed=3)
    other = draw_pairs(FULL, 500, PairRule(), (0, 1, 2, 3, 4), seed=3)
    assert np.array_equal(one.images, other.images)
    assert not np.array_equal(one.labels["synergy"], other.labels["synergy"])


# --------------------------------------------------------------------------- labels


@pytest.mark.parametrize("rule", RULES, ids=rule_name)
def test_labels_are_what_a_loop_over_the_definition_gives(rule: PairRule) -> None:
    tuples = list(itertools.islice(sorted(admitted(TABLE, rule)), 0, None, 7))
    labels = label(TABLE, np.array(tuples), rule, MAP)
    assert tuple(labels) == rule.tasks
    unique = ATTRIBUTES.index(rule.unique)
    for place, images in enumerate(tuples):
        assert labels["share"][place] == TABLE[images[-1], ATTRIBUTES.index(rule.shared)]
        for m, image in enumerate(images):
            assert labels[f"unique{m + 1}"][place] == TABLE[image, unique]
        assert labels["synergy"][place] == int(keeps_map(TABLE, images, rule))


def test_drawn_pairs_carry_the_labels_of_their_images() -> None:
    rule = PairRule(modalities=3)
    drawn = draw_pairs(TABLE, 100, rule, MAP, seed=5)
    for task, expected in label(TABLE, drawn.images, rule, MAP).items():
        assert np.array_equal(drawn.labels[task], expected)


def test_tasks_are_share_one_unique_a_modality_and_synergy() -> None:
    assert PairRule().tasks == ("share", "unique1", "unique2", "synergy")
    assert PairRule(modalities=4).tasks == (
        *("share", "unique1", "unique2", "unique3", "unique4"),
        "synergy",
    )


def test_with_three_modalities_no_two_images_settle_the_synergy() -> None:
    rule = PairRule(modalities=3)
    drawn = draw_pairs(TABLE, 10**6, rule, MAP, seed=0)
    kept = {tuple(row) for row in drawn.images[drawn.labels["synergy"] == 1, :2].tolist()}
    broken = {tuple(row) for row in drawn.images[drawn.labels["synergy"] == 0, :2].tolist()}
    assert kept & broken


# --------------------------------------------------------------------------- match rate


@settings(max_examples=40, deadline=None)
@given(rate=st.floats(0.2, 1), count=st.integers(1, 400), seed=st.integers(0, 2**63))
def test_the_match_rate_is_exact_to_the_nearest_pair(rate: float, count: int, seed: int) -> None:
    drawn = draw_pairs(FULL, count, PairRule(), FULL_MAP, seed=seed, match_rate=rate)
    assert len(drawn) == count
    assert abs(drawn.labels["synergy"].sum() - rate * count) <= 0.5
    assert drawn.match_rate == drawn.labels["synergy"].mean()


@pytest.mark.parametrize("rule", RULES[::3], ids=rule_name)
def test_fully_biased_pairs_are_those_that_keep_the_map(rule: PairRule) -> None:
    kept = {images for images in admitted(TABLE, rule) if keeps_map(TABLE, images, rule)}
    if not kept:
        with pytest.raises(InputError, match="no pair of these images"):
            draw_pairs(TABLE, 1, rule, MAP, seed=0, match_rate=1)
        return
    assert as_set(draw_pairs(TABLE, len(kept), rule, MAP, seed=0, match_rate=1)) == kept
    with pytest.raises(InputError, match=f"only {len(kept)} pairs"):
        draw_pairs(TABLE, len(kept) + 1, rule, MAP, seed=0, match_rate=1)


def test_kept_and_broken_pairs_stand_in_random_order() -> None:
    matches = draw_pairs(FULL, 2000, PairRule(), FULL_MAP, seed=1, match_rate=0.5).labels["synergy"]
    assert matches[:1000].mean() == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("modalities", [2, 3])
def test_unbiased_pairs_keep_the_map_as_often_as_chance(modalities: int) -> None:
    rule = PairRule(modalities=modalities)
    chance = chance_match_rate(rule, {"shape": 4, "texture": 5, "color": 5})
    assert chance == pytest.approx(5.0 ** -(modalities - 1))
    drawn = draw_pairs(FULL, 20_000, rule, FULL_MAP, seed=4)
    error = (chance * (1 - chance) / len(drawn)) ** 0.5
    assert abs(drawn.match_rate - chance) < 4 * error


@pytest.mark.parametrize("rate", [-0.5, 1.5])
def test_a_match_rate_that_is_no_share_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match="match"):
        draw_pairs(FULL, 100, PairRule(), FULL_MAP, seed=0, match_rate=rate)


@pytest.mark.parametrize("count", [0, -3])
def test_no_pairs_at_all_cannot_be_asked_for(count: int) -> None:
    with pytest.raises(InputError, match=f"at least 1, not {count}"):
        draw_pairs(FULL, count, PairRule(), FULL_MAP, seed=0)


def test_a_rule_that_admits_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="no pair of images"):
        draw_pairs(np.array([[0, 1, 2]] * 3), 1, PairRule(distinct_unique=True), MAP, seed=0)


# --------------------------------------------------------------------------- too many to list


def test_candidates_too_many_to_list_are_drawn_as_uniformly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pairs_module, "ENUMERABLE", 20)
    everything = sorted(admitted(TABLE, PairRule()))
    firsts = Counter(
        int(draw_pairs(TABLE, 3, PairRule(), MAP, seed=seed).images[0, 0]) for seed in range(80)
    )
    partners = Counter(images[0] for images in everything)
    expected = [80 * partners[i] / len(everything) for i in range(len(TABLE))]
    assert stats.chisquare([firsts[i] for i in range(len(TABLE))], expected).pvalue > 1e-3
    drawn = draw_pairs(TABLE, len(everything) - 5, PairRule(), MAP, seed=0)
    assert len(as_set(drawn)) == len(drawn) == len(everything) - 5


def test_the_papers_three_modalities_are_drawn_from_138_million_candidates() -> None:
    table = np.repeat(all_combinations(TEN), 3, axis=0)[:2400]
    rule, identity = PairRule(modalities=3), tuple(range(10))
    biased = draw_pairs(table, 500, rule, identity, seed=1, match_rate=1)
    assert biased.candidates == sum(int((table[:, 0] == shape).sum()) ** 3 for shape in range(10))
    assert biased.candidates > pairs_module.ENUMERABLE
    assert len(as_set(biased)) == 500
    attributes = table[biased.images]
    assert (attributes[:, :, 0] == attributes[:, :1, 0]).all()
    assert (attributes[:, 1:, 2] == attributes[:, :1, 1]).all()
    assert stats.chisquare(np.bincount(attributes[:, 0, 1], minlength=10)).pvalue > 1e-3


def test_more_candidates_than_can_be_numbered_are_refused_in_one_line() -> None:
    """800 images of one shape, as in the quick preset, in tuples of eight: 1.7e23."""
    table = np.zeros((800, 3), dtype=np.int64)
    with pytest.raises(InputError, match="modalities"):
        draw_pairs(table, 10, PairRule(modalities=8), MAP, seed=0)


# --------------------------------------------------------------------------- the rule itself


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shared": "shap"}, "unknown attribute 'shap': did you mean 'shape'?"),
        ({"unique": "colour"}, "did you mean 'color'?"),
        ({"synergy": ("texture", "hue")}, "unknown attribute 'hue'"),
        ({"synergy": ("texture",)}, "synergy needs two attributes"),
        ({"unique": "shape"}, "unique and shared must differ; both are 'shape'"),
        ({"synergy": ("shape", "color")}, "must not use the shared attribute 'shape'"),
        ({"shared": "color", "unique": "shape"}, "must not use the shared attribute 'color'"),
        ({"modalities": 1}, "from 2 to 8, not 1"),
        ({"modalities": 9}, "from 2 to 8, not 9"),
        ({"modalities": 2.5}, "modalities must be"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        PairRule(**changes)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


# --------------------------------------------------------------------------- the synergy map


def first_names(counts: dict[str, int]) -> dict[str, tuple[str, ...]]:
    """The first names of each attribute."""
    return {name: VALUES[name][:count] for name, count in counts.items()}


LISTED: Final = ",".join(f"{t}={c}" for t, c in zip(TEXTURES, reversed(COLORS), strict=True))


def test_identity_links_values_of_the_same_number() -> None:
    assert make_map("identity", PairRule(), first_names(TEN), seed=3) == tuple(range(10))


def test_a_list_of_names_is_the_map_it_says_in_any_order_and_spacing() -> None:
    backwards = tuple(range(9, -1, -1))
    assert make_map(LISTED, PairRule(), first_names(TEN), seed=0) == backwards
    shuffled = " , ".join(reversed(LISTED.replace("=", " = ").split(","))) + ","
    assert make_map(shuffled, PairRule(), first_names(TEN), seed=0) == backwards


@pytest.mark.parametrize("name", ["map.json", "map.txt"])
def test_a_json_file_is_the_map_it_says(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(json.dumps(dict(entry.split("=") for entry in LISTED.split(","))))
    assert make_map(str(path), PairRule(), first_names(TEN), seed=0) == tuple(range(9, -1, -1))


def test_auto_is_the_random_map_of_the_data_sets_own_seed() -> None:
    for seed in (0, 7, 2**62):
        auto = make_map("auto", PairRule(), first_names(TEN), seed=seed)
        assert auto == make_map(f"random:{seed}", PairRule(), first_names(TEN), seed=999)
        assert sorted(auto) == list(range(10))


def test_a_map_may_leave_targets_without_a_partner() -> None:
    counts = {"shape": 10, "texture": 3, "color": 10}
    drawn = make_map("random:1", PairRule(), first_names(counts), seed=0)
    assert len(set(drawn)) == 3
    assert make_map(
        "solid=white,stripes=red,grid=pink", PairRule(), first_names(counts), seed=0
    ) == (9, 0, 4)


def test_a_map_links_the_attributes_that_the_rule_names() -> None:
    rule = PairRule(shared="texture", unique="color", synergy=("color", "shape"))
    counts = {"shape": 2, "texture": 9, "color": 2}
    assert make_map("red=square,green=triangle", rule, first_names(counts), seed=0) == (1, 0)


def test_the_map_is_the_same_cold_and_warm() -> None:
    """Nothing drawn or rendered in between changes it: it has no generator to consume."""
    cold = make_map("auto", PairRule(), first_names(TEN), seed=5)
    render([[1, 2, 3]], 0, seed=5, settings=RenderSettings.for_canvas(32))
    draw_pairs(FULL, 10, PairRule(), FULL_MAP, seed=5)
    np.random.default_rng(5).random(10)
    assert make_map("auto", PairRule(), first_names(TEN), seed=5) == cold


def test_random_maps_of_many_seeds_are_uniform_over_permutations() -> None:
    drawn = Counter(
        make_map(f"random:{seed}", PairRule(), first_names(COUNTS), seed=0) for seed in range(1200)
    )
    assert len(drawn) == 6
    assert stats.chisquare(list(drawn.values())).pvalue > 1e-3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LISTED.replace("=white", "=red"), "not one-to-one: red has two partners"),
        ("solid=red,solid=green", "not one-to-one: solid occurs twice"),
        ("solids=red", "unknown texture 'solids': did you mean 'solid'?"),
        ("solid=gren", "unknown color 'gren': did you mean 'green'?"),
        ("solid=red,stripes=green", "the synergy map lacks grid, hexgrid"),
        ("", "cannot read the synergy map ''"),
        (",", "cannot read the synergy map ','"),
        ("rubbish", "give identity, random:SEED, stripes=red"),
        ("solid=red=green", "cannot read the synergy map"),
        ("random:", "random:SEED needs a whole number, as in random:7"),
        ("random:-1", "random:SEED needs a whole number"),
        ("random:1.5", "random:SEED needs a whole number"),
        ("random:²", "random:SEED needs a whole number"),
        ("no_such_file.json", "cannot read the synergy map no_such_file.json"),
        ("x" * 300, "cannot read the synergy map"),
    ],
)
def test_a_map_that_cannot_be_used_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        make_map(text, PairRule(), first_names(TEN), seed=0)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"solid": "red"', "cannot read the synergy map"),
        (b"\xff\xfe", "cannot read the synergy map"),
        (b'["solid", "red"]', "expected an object"),
        (b'{"solid": 3}', "unknown color '3'"),
        (b'{"solid": "red", "solid": "green"}', "solid occurs twice"),
    ],
)
def test_a_json_map_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "map.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        make_map(str(path), PairRule(), first_names({"shape": 2, "texture": 1, "color": 3}), seed=0)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_folder_is_not_a_map(tmp_path: Path) -> None:
    (tmp_path / "map.json").mkdir()
    with pytest.raises(InputError, match="cannot read the synergy map"):
        make_map(str(tmp_path / "map.json"), PairRule(), first_names(TEN), seed=0)


@pytest.mark.parametrize("text", ["identity", "auto", "random:1", "solid=red"])
def test_more_sources_than_targets_have_no_one_to_one_map(text: str) -> None:
    counts = {"shape": 10, "texture": 10, "color": 9}
    with pytest.raises(InputError, match="10 values of texture but only 9 of color"):
        make_map(text, PairRule(), first_names(counts), seed=0)


# --------------------------------------------------------------------------- combinations


def as_rows(combinations: IntArray) -> set[tuple[int, ...]]:
    return {tuple(row) for row in combinations.tolist()}


def test_all_combinations_are_every_one_in_order() -> None:
    counts = {"shape": 2, "texture": 3, "color": 4}
    expected = list(itertools.product(range(2), range(3), range(4)))
    assert [tuple(row) for row in all_combinations(counts).tolist()] == expected


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.tuples(*[st.integers(2, 5)] * 3),
    share=st.floats(0.01, 0.99),
    balanced=st.booleans(),
    seed=st.integers(0, 2**63),
)
def test_a_split_is_disjoint_complete_and_in_order(
    sizes: tuple[int, int, int], share: float, balanced: bool, seed: int
) -> None:
    everything = all_combinations(dict(zip(ATTRIBUTES, sizes, strict=True)))
    held_out = max(1, int(share * len(everything)))
    kept, out = split_combinations(everything, held_out, seed=seed, balanced=balanced)
    assert len(out) == held_out
    assert not as_rows(kept) & as_rows(out)
    assert as_rows(kept) | as_rows(out) == as_rows(everything)
    for part in (kept, out):
        assert part.tolist() == sorted(part.tolist())


@example(sizes=(3, 3, 3), share=0.46875, seed=3)  # where exchanging rows alone gets stuck
@settings(max_examples=60, deadline=None)
@given(
    sizes=st.tuples(*[st.integers(2, 6)] * 3),
    share=st.floats(0.01, 0.49),
    seed=st.integers(0, 2**63),
)
def test_a_balanced_split_holds_out_every_value_equally_often_to_within_one(
    sizes: tuple[int, int, int], share: float, seed: int
) -> None:
    """Also when the first split's remainder is split once more, for validation."""
    everything = all_combinations(dict(zip(ATTRIBUTES, sizes, strict=True)))
    held_out = max(1, int(share * len(everything)))
    kept, out = split_combinations(everything, held_out, seed=seed, balanced=True)
    _, validation = split_combinations(kept, held_out, seed=seed + 1, balanced=True)
    for part in (out, validation):
        for column, size in zip(part.T, sizes, strict=True):
            assert np.ptp(np.bincount(column, minlength=size)) <= 1


@pytest.mark.parametrize("balanced", [False, True])
def test_every_combination_is_held_out_equally_often_over_seeds(balanced: bool) -> None:
    everything = all_combinations({"shape": 3, "texture": 3, "color": 3})
    times = Counter(
        tuple(row)
        for seed in range(400)
        for row in split_combinations(everything, 9, seed=seed, balanced=balanced)[1].tolist()
    )
    # Each count is binomial(400, 1/3): standard deviation 9.4.
    assert min(times[tuple(row)] for row in everything.tolist()) > 133 - 4 * 9.4
    assert max(times.values()) < 133 + 4 * 9.4


@pytest.mark.parametrize("held_out", [0, -1, 27, 100])
def test_a_split_that_leaves_a_side_empty_is_refused(held_out: int) -> None:
    everything = all_combinations(COUNTS)
    with pytest.raises(InputError, match=f"from 1 to 26, not {held_out}"):
        split_combinations(everything, held_out, seed=0, balanced=False)
