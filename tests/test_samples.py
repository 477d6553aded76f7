"""Samples of one's own: what is read, what is refused, and that every method learns from them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_runs import fitting

from trifeature.comm.methods import METHODS
from trifeature.comm.settings import RunSettings, run_preset
from trifeature.comm.training import load_run, new_method, train
from trifeature.data.dataset import Dataset
from trifeature.errors import InputError
from trifeature.modality import KINDS, Kind, Modality, register_kind
from trifeature.probes.protocol import probe
from trifeature.samples import Samples
from trifeature.views.sets import ALL, CLEAN, LIGHT

P = 60
SIZES = {"width": 8, "heads": 2, "hidden": 8, "embedding": 4, "vector": 8}


def numbers(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


LABEL = np.arange(P) % 3


def vectors(modalities: int = 2, **changes: Any) -> Samples:
    a, *others = numbers(P, 6), numbers(P, 4, seed=1), numbers(P, 3, seed=2)
    a[:, :3] += 9 * np.eye(3, dtype=np.float32)[LABEL]
    items = dict(zip("abc", (a, *others)[:modalities], strict=False))
    return Samples.from_arrays(items, {"class": LABEL}, **changes)


def settings(method: str, **changes: Any) -> RunSettings:
    sizes = fitting(method, SIZES)
    return run_preset("tiny", method=method, **sizes | {"epochs": 1, "batch_size": 16} | changes)


# --------------------------------------------------------------------------- what is read


def test_shapes_tell_vectors_from_images() -> None:
    pictures = np.zeros((P, 3, 32, 32), np.uint8)
    data = Samples.from_arrays({"picture": pictures, "table": numbers(P, 5)})
    assert data.modalities == (
        Modality("picture", "image", (3, 32, 32)),
        Modality("table", "vector", (5,)),
    )
    assert [x.dtype for x in data.items["all"]] == [torch.uint8, torch.float32]


def test_images_without_channels_have_one_where_they_are_called_images() -> None:
    data = Samples.from_arrays({"x": np.zeros((P, 20, 28), np.uint8)}, kinds={"x": "image"})
    assert data.modalities[0].shape == (1, 20, 28)


def test_tensors_lists_and_data_frames_are_arrays() -> None:
    x = numbers(P, 2)
    frame = pd.DataFrame(x, columns=["one", "two"])
    found = [
        Samples.from_arrays({"x": form, "y": form}, {"c": pd.Series(LABEL)})
        for form in (x, torch.from_numpy(x), x.tolist(), frame)
    ]
    for data in found:
        assert data.origin["sha256"] == found[0].origin["sha256"]
        assert torch.equal(data.items["all"][0], found[0].items["all"][0])


def test_labels_of_any_kind_become_classes_in_their_order() -> None:
    names = np.array(["red", "green", "blue"])[LABEL]
    data = Samples.from_arrays({"x": numbers(P, 2)}, {"name": names, "odd": LABEL == 1})
    assert data.tasks["name"].names == ("blue", "green", "red")
    assert (data.tasks["name"].classes, data.tasks["odd"].classes) == (3, 2)
    own = data.sets["train"].rows[:, 0]
    assert data.sets["train"].labels["name"].tolist() == [2 - LABEL[row] for row in own]


def test_a_data_frame_is_a_task_or_a_mask_for_each_column() -> None:
    polars, arrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    columns = {"y": LABEL, "odd": LABEL == 1}
    here = pd.DataFrame({"b": np.arange(P) != 7})
    items = {"a": numbers(P, 2), "b": numbers(P, 3)}
    expected = Samples.from_arrays(items, columns, present={"b": np.arange(P) != 7})
    for form in (pd.DataFrame, polars.DataFrame, arrow.table):
        found = Samples.from_arrays(items, form(columns), present=here)
        assert found.origin == expected.origin
        assert found.tasks == expected.tasks


def test_splits_and_masks_of_arrow_are_read() -> None:
    arrow = pytest.importorskip("pyarrow")
    split = np.where(np.arange(P) < 40, "train", "test")
    x = {"a": numbers(P, 2)}
    here = arrow.array([True] * P)
    found = Samples.from_arrays(x, splits=arrow.array(split), present={"a": here})
    assert found.origin == Samples.from_arrays(x, splits=split).origin


def test_printed_samples_are_short() -> None:
    assert len(str(vectors())) < 1000


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["none", "left", "NA"], ("NA", "left", "none")),
        (["10", "9", "9.0"], ("9", "10")),
        (np.array([2, 0, 2], np.uint8), ("0", "2")),
    ],
)
def test_labels_are_values_not_their_spelling(labels: Any, names: tuple[str, ...]) -> None:
    data = Samples.from_arrays({"x": numbers(P, 2)}, {"y": np.array(labels)[LABEL]})
    assert data.tasks["y"].names == names


def test_a_group_has_one_code_in_every_column() -> None:
    groups = np.array([["a", "b"], ["b", "a"], ["d", "c"]] * (P // 3))
    splits = np.array(["train", "train", "test"] * (P // 3))
    arrays = {"x": numbers(P, 2), "z": numbers(P, 2)}
    data = Samples.from_arrays(arrays, groups=groups, splits=splits)
    assert data.sets["train"].groups[:2].tolist() == [[0, 1], [1, 0]]
    assert data.sets["test"].groups[:1].tolist() == [[3, 2]]


def test_vectors_are_standardized_over_the_training_samples_alone() -> None:
    split = np.where(np.arange(P) < 40, "train", "test")
    x = numbers(P, 3) * 7 + 5
    x[:, 2] = 4
    data = Samples.from_arrays({"x": x}, splits=split)
    found = data.items["all"][0].numpy()
    np.testing.assert_allclose(found[:40, :2].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(found[:40, :2].std(0), 1, atol=1e-5)
    assert not found[:, 2].any()  # a constant feature
    scale = data.origin["normalized"]["x"]
    np.testing.assert_allclose(scale["mean"], x[:40].mean(0), rtol=1e-5)
    raw = Samples.from_arrays({"x": x}, splits=split, standardize=False)
    np.testing.assert_array_equal(raw.items["all"][0].numpy(), x)


def test_a_drawn_split_cuts_no_group() -> None:
    people = np.arange(P) // 5
    data = vectors(groups=people, seed=3)
    train, test = (set(people[data.sets[name].rows[:, 0]]) for name in ("train", "test"))
    assert len(test) == 3
    assert not train & test
    assert train | test == set(range(12))


def test_a_group_for_each_modality_keeps_both_apart() -> None:
    groups = np.random.default_rng(0).integers(12, size=(P, 2))
    data = vectors(groups=groups)
    sets = [set(groups[data.sets[name].rows[:, 0]].flat) for name in ("train", "test")]
    assert not sets[0] & sets[1]


def test_given_splits_are_kept_and_probes_are_fitted_on_training_samples() -> None:
    split = np.array(["train", "test", "train"])[np.arange(P) % 3]
    split[:3] = "test"
    data = Samples.from_arrays({"x": numbers(P, 2)}, {"c": np.arange(P) % 2}, splits=split)
    assert data.sets["train"].rows[:, 0].tolist() == np.flatnonzero(split == "train").tolist()
    assert data.sets["probe"].rows.tolist() == data.sets["train"].rows.tolist()


def test_the_origin_identifies_the_data() -> None:
    changed = numbers(P, 6)
    changed[5, 2] += 1e-3
    one = vectors()
    assert vectors().origin == one.origin
    other = Samples.from_arrays({"a": changed, "b": numbers(P, 4, seed=1)}, {"class": LABEL})
    assert other.origin["sha256"] != one.origin["sha256"]


def test_trifeature_is_a_case_of_samples(tiny: Dataset) -> None:
    data = tiny.samples()
    assert [m.name for m in data.modalities] == ["image1", "image2"]
    assert data.items["train"][0] is data.items["train"][1]
    assert [data.column(task) for task in data.tasks] == ["R", "U1", "U2", "S"]
    assert [t.mean for t in data.tasks.values()] == [None, "U", "U", None]
    assert [t.biased for t in data.tasks.values()] == [False, False, False, True]
    rows = data.rows_of("train")[:7]
    first, second = data.batch("train", rows)
    shown = torch.from_numpy(tiny.pairs["train"].images[:7])
    assert torch.equal(torch.stack([first, second], 1), tiny.images["train"][shown])
    moved = data.to("cpu")
    assert moved.items["train"][0] is moved.items["train"][1]


# --------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"modalities": {}}, "at least one modality"),
        ({"modalities": {"a": numbers(4, 2), "b": numbers(5, 2)}}, "same number of samples"),
        ({"modalities": {"a": numbers(P, 2, 3, 2, 2)}}, "say which, kinds={'a': …}"),
        ({"modalities": {"a": np.array([["x"]] * P)}}, "must hold numbers"),
        ({"modalities": {"a": np.full((P, 2), np.nan)}}, "not finite"),
        ({"modalities": {"a": np.zeros((0, 2))}, "labels": {}}, "no samples"),
        ({"modalities": {"a": np.full((P, 3, 8, 8), 2.0)}}, "floating images lie in [0, 1]"),
        ({"modalities": {"a": np.zeros((P, 3, 8, 8), np.int64)}}, "images are uint8 or floating"),
        ({"kinds": {"c": "vector"}}, "unknown modality 'c'"),
        ({"kinds": {"a": "vectr"}}, "did you mean 'vector'?"),
        ({"encoders": {"c": "mlp"}}, "unknown modality 'c'"),
        ({"kinds": pd.Series({"a": "vector"})}, "kinds must be a dictionary by name, not Ser"),
        ({"labels": pd.Series(LABEL)}, "labels must be a dictionary by name, not Series"),
        ({"labels": LABEL}, "labels must be a dictionary by name, not ndarray"),
        ({"kinds": pd.DataFrame({"a": ["vector"]})}, "kinds must be a dictionary by name"),
        ({"labels": {0: LABEL, "y": LABEL}}, "each name of the labels must be text, not 0"),
        ({"modalities": {1: numbers(P, 2)}}, "each name of the modalities must be text, not 1"),
        ({"splits": [["train"], ["test", "test"]]}, "splits: lists of different lengths are no"),
        ({"labels": {"y": LABEL[:-1]}}, f"labels 'y' have shape [{P - 1}] for {P} samples"),
        ({"labels": {"y": [None, *LABEL[1:].tolist()]}}, "lack a value at sample 0"),
        ({"labels": {"y": np.where(LABEL == 2, np.nan, LABEL)}}, "lack a value at sample 2"),
        ({"labels": {"y": np.zeros(P)}}, "one class"),
        ({"labels": {"y": np.array([1, "a"] * (P // 2), object)}}, "cannot be sorted"),
        ({"groups": np.zeros(P)}, "too few to split"),
        ({"groups": np.zeros((P, 3))}, "groups must be"),
        ({"splits": ["train"] * P}, "hold no 'test' sample"),
        ({"splits": ["tran"] * P}, "did you mean 'train'?"),
        ({"test_fraction": 1.5}, "test_fraction must be"),
        ({"splits": np.where(LABEL == 0, "test", "train")}, "must hold every class"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(arguments: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {
        "modalities": {"a": numbers(P, 2), "b": numbers(P, 3)},
        "labels": {"y": LABEL},
    }
    with pytest.raises(InputError) as refusal:
        Samples.from_arrays(**given | arguments)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_samples_that_are_made_otherwise_need_names_of_text_too() -> None:
    data = vectors()
    one, *others = data.modalities
    with pytest.raises(InputError, match="each name of the modalities must be text, not 1"):
        replace(data, modalities=(replace(one, name=1), *others))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="each name of the tasks must be text, not 0"):
        replace(data, tasks={0: data.tasks["class"]})  # type: ignore[dict-item]


def test_a_kind_is_added_once_and_its_views_are_its_own() -> None:
    with pytest.raises(InputError, match="exists already"):
        register_kind(KINDS["image"])
    with pytest.raises(InputError, match="must be its own"):
        register_kind(Kind("sound", 1, ALL, LIGHT, CLEAN, "mlp"))
    assert "sound" not in KINDS


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("x", "vectr", (3,)), "did you mean 'vector'?"),
        (("x", "vector", (3, 4)), "an item of kind vector has 1 dimensions"),
        (("x", "image", (3, 0, 4)), "of at least 1"),
    ],
)
def test_a_modality_that_cannot_be_is_refused(arguments: Any, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        Modality(*arguments)
    assert words in str(refusal.value)


# --------------------------------------------------------------------------- learning


@pytest.mark.usefixtures("one_cost")
@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns_from_vectors_and_is_probed(name: str) -> None:
    data = vectors(METHODS[name].least_modalities)
    before = new_method(settings(name), data).state_dict()
    trained = train(data, settings(name))
    learned = dict(trained.named_parameters())
    assert all(p.isfinite().all() for p in learned.values())
    assert any(not torch.equal(p, before[key]) for key, p in learned.items())
    found = probe(trained, data, alone=True)
    assert set(found.alone) == {m.name for m in data.modalities}
    assert 0 <= found.results["class"].macro_accuracy <= 1
    assert found.alone["a"]["class"].macro_accuracy > 0.6  # it holds the label


@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns_from_an_image_and_a_vector(name: str) -> None:
    pictures = np.random.default_rng(0).integers(256, size=(P, 3, 32, 32), dtype=np.uint8)
    items = {"picture": pictures, "table": numbers(P, 5), "numbers": numbers(P, 2)}
    used = dict(list(items.items())[: max(2, METHODS[name].least_modalities)])
    data = Samples.from_arrays(used, {"class": LABEL})
    trained = train(data, settings(name))
    features = trained.features(tuple(x[:3].float() for x in data.items["all"]), [[0, 1], [1]])
    assert [f.ndim for f in features] == [2, 2]


def test_the_encoder_of_a_modality_is_its_own_the_runs_or_its_kinds() -> None:
    data = vectors(encoders={"b": "identity"})
    method = new_method(settings("comm", encoder="small"), data)
    kinds = [type(e).__name__ for e in method.get_submodule("encoder").children()]
    assert kinds == ["Sequential", "Identity"]
    tokens = method.encode(data.items["all"][1][:2], 1)
    assert tokens.shape == (2, 4, SIZES["width"])  # one token a feature
    with pytest.raises(
        InputError, match="encoder small accepts image, but modality 'a' is of kind"
    ):
        new_method(settings("comm"), vectors(encoders={"a": "small"}))


def test_a_run_of_ones_own_arrays_is_kept_resumed_and_refused_for_other_arrays(
    tmp_path: Any,
) -> None:
    data = vectors()
    train(data, settings("comm"), tmp_path / "run")
    again = load_run(tmp_path / "run", data)
    assert not again.training
    with pytest.raises(InputError, match="holds a run with other settings"):
        train(vectors(seed=5), settings("comm"), tmp_path / "run")


def test_one_modality_is_refused_where_there_is_nothing_to_align() -> None:
    data = Samples.from_arrays({"a": numbers(P, 3)})
    for name in (one for one, method in METHODS.items() if method.least_modalities > 1):
        with pytest.raises(InputError, match=r"(two|three) modalities"):
            new_method(settings(name), data)


# --------------------------------------------------------------------------- values at the border


def test_large_numbers_keep_their_differences_until_they_are_standardized() -> None:
    seconds = 1.7e9 + np.arange(P, dtype=float)[:, None]  # float32 would know steps of 128
    (items,) = Samples.from_arrays({"time": seconds}, {"class": LABEL}).items["all"]
    assert len(items.unique()) == P


@pytest.mark.parametrize(("scale", "standardize"), [(1e300, True), (1e39, False)])
def test_values_beyond_float32_are_refused(scale: float, standardize: bool) -> None:
    x = numbers(P, 3).astype(float) * scale
    with pytest.raises(InputError, match="modality 'a' holds values too large for float"):
        Samples.from_arrays({"a": x}, {"class": LABEL}, standardize=standardize)


def test_a_masked_array_is_refused_and_one_without_a_masked_value_is_not() -> None:
    x = numbers(P, 3)
    with pytest.raises(InputError, match="a masked array lacks values"):
        Samples.from_arrays({"a": np.ma.masked_less(x, 0)}, {"class": LABEL})
    assert Samples.from_arrays({"a": np.ma.masked_less(x, -99)}, {"class": LABEL})


def test_items_of_different_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="modality 'a' has items of different lengths"):
        Samples.from_arrays({"a": [[1, 2], [3]] * (P // 2)}, {"class": LABEL})


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ([None] * 5 + [1] * (P - 5), "groups lack a value at sample 0"),
        ([1.0] * 5 + [np.nan] * (P - 5), "groups lack a value at sample 5"),
    ],
)
def test_groups_without_a_value_are_refused(groups: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Samples.from_arrays({"a": numbers(P, 3)}, {"class": LABEL}, groups=np.array(groups))


def test_splits_that_cut_a_group_are_refused() -> None:
    splits = ["train"] * (P - 20) + ["test"] * 20
    with pytest.raises(InputError, match="splits cut a group: sample"):
        Samples.from_arrays(
            {"a": numbers(P, 3)}, {"class": LABEL}, groups=np.zeros(P), splits=splits
        )
    whole = np.where(np.arange(P) < P - 20, 0, 1)
    assert Samples.from_arrays(
        {"a": numbers(P, 3)}, {"class": LABEL}, groups=whole, splits=splits
    ).sets["test"]
