"""Items from arrays, lists of different lengths, and texts; what is absent becomes NaN."""

from typing import Any

import numpy as np
import pytest
import torch

from trifeature.arrays import read_items
from trifeature.errors import InputError
from trifeature.samples import Samples

NAN = np.nan


def test_series_of_different_lengths_end_in_nan() -> None:
    found = read_items("x", [[[1, 2], [3, 4]], [[5, 6]], None])
    assert found.kind == "series"
    expected = [[[1, 2], [3, 4]], [[5, 6], [NAN, NAN]], [[NAN, NAN], [NAN, NAN]]]
    np.testing.assert_array_equal(found.values, expected)


def test_a_series_of_one_feature_needs_its_kind() -> None:
    found = read_items("x", [[1.0, 2.0], [3.0]], "series")
    np.testing.assert_array_equal(found.values, [[[1], [2]], [[3], [NAN]]])


def test_steps_after_an_absent_one_move_up() -> None:
    x = np.arange(8.0).reshape(2, 4, 1)
    found = read_items("x", x, present=[[0, 1, 0, 1], [1, 1, 1, 0]])
    np.testing.assert_array_equal(found.values[..., 0], [[1, 3, NAN, NAN], [4, 5, 6, NAN]])


def test_what_is_marked_absent_may_hold_anything() -> None:
    x = np.array([[1.0, 2], [np.inf, NAN]])
    found = read_items("x", x, present=[True, False])
    np.testing.assert_array_equal(found.values, [[1, 2], [NAN, NAN]])


def test_a_vector_is_absent_altogether() -> None:
    found = read_items("x", [[1.0, 2.0], None], "vector")
    np.testing.assert_array_equal(found.values, [[1, 2], [NAN, NAN]])


def test_bytes_become_floats_where_an_image_is_absent() -> None:
    x = np.full((2, 3, 4, 4), 255, np.uint8)
    found = read_items("x", x, present=[True, False])
    assert found.values.dtype == np.float32
    assert (found.values[0] == 1).all()
    assert np.isnan(found.values[1]).all()


def test_tokens_of_texts_are_the_words_of_the_training_samples() -> None:
    texts = ["A dog's day, a night.", "a cat", None, "dog's unseen"]
    found = read_items("x", texts).coded(np.array([0, 1, 2]))
    assert found.words == ("?", "a", "cat", "day", "dog's", "night")
    assert found.vocabulary == 6
    expected = [[1, 4, 3, 1, 5], [1, 2, NAN, NAN, NAN], [NAN] * 5, [4, 0, NAN, NAN, NAN]]
    np.testing.assert_array_equal(found.values, expected)


def test_tokens_of_numbers_know_their_vocabulary() -> None:
    assert read_items("x", [[0, 4], [2, 1]], "tokens").vocabulary == 5
    assert read_items("x", [[0, 4], [2]], "tokens", vocabulary=9).vocabulary == 9


def test_numbers_as_people_have_them_are_read() -> None:
    column = read_items("x", [3, 1, 2])
    assert (column.kind, column.values.tolist()) == ("vector", [[3], [1], [2]])
    mixed = np.array([[True, 1.5], [np.False_, 2]], object)  # columns of a data frame
    assert read_items("x", mixed).values.tolist() == [[1, 1.5], [0, 2]]
    locked = np.ones((2, 3), np.float32)
    locked.flags.writeable = False
    assert read_items("x", locked).values.flags.writeable


def test_columns_of_arrow_are_numbers_or_texts() -> None:
    arrow = pytest.importorskip("pyarrow")
    flags = read_items("x", arrow.array([True, False]), present=arrow.array([True, False]))
    np.testing.assert_array_equal(flags.values, [[1], [NAN]])
    assert read_items("x", arrow.array(["a b", None])).texts == [["a", "b"], None]
    for cells in ([1.5, None], [True, None]):
        with pytest.raises(InputError, match=r"missing or not finite.*present={'x': …}"):
            read_items("x", arrow.array(cells))


@pytest.mark.parametrize("cells", [[1.5, None, 3], np.array([1.5, None, 3], object)])
def test_none_among_numbers_is_absent(cells: Any) -> None:
    found = read_items("x", cells)
    assert found.kind == "vector"
    np.testing.assert_array_equal(found.values, [[1.5], [NAN], [3]])
    np.testing.assert_array_equal(
        read_items("x", cells, present=[True, True, False]).values, [[1.5], [NAN], [NAN]]
    )


def test_missing_numbers_of_a_data_frame_are_marked_as_nan_is() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, None, pandas.NA], "b": [True, False, True]}, dtype=object)
    values = read_items("x", frame, present=[True, False, False]).values
    np.testing.assert_array_equal(values, [[1, 1], [NAN, NAN], [NAN, NAN]])


def test_an_empty_list_is_a_series_of_no_steps() -> None:
    values = read_items("x", [[[1.0, 2.0]], [], [[3.0, 4.0]] * 2]).values
    assert np.isnan(values).all(2).tolist() == [[False, True], [True, True], [False, False]]


def test_a_mask_and_none_are_absent_alike() -> None:
    found = read_items("x", [None, [1.0, 2.0], [3.0, 4.0]], present=[True, True, False])
    assert np.isnan(found.values).all(1).tolist() == [True, False, True]


def test_missing_texts_are_absent_whatever_stands_for_them() -> None:
    pandas = pytest.importorskip("pandas")
    texts = pandas.Series(["a b", pandas.NA, None, NAN, ""], dtype=object)
    assert read_items("x", texts).texts == [["a", "b"], None, None, None, []]


@pytest.mark.parametrize(
    ("values", "more", "message"),
    [
        ([[0.5, 1.0]], {"kind": "tokens"}, "tokens are whole numbers from 0"),
        ([[0, 4]], {"kind": "tokens", "vocabulary": 3}, "outside a vocabulary of 3"),
        ([[1.0, 2.0]], {"vocabulary": 3}, "has no vocabulary"),
        (
            [[1.0, NAN]],
            {},
            "missing or not finite: fill them, or mark what is absent, present={'x'",
        ),
        ([1.0, NAN], {}, "present={'x': …}"),
        ([[1.0, None]], {}, "present={'x': …}"),
        ([1.0, [], None], {}, "differ in more than their length"),
        ([1.0, [1.0, 2.0], None], {}, "differ in more than their length"),
        ([1.0, None], {"kind": "series"}, "2 dimensions"),
        (
            [[1.0, 2.0], [3.0, 4.0]],
            {"present": [[1], [1, 0]]},
            "'x': `present`: lists of different",
        ),
        ([[1.0, 2.0], [3.0]], {"kind": "vector"}, "items of different lengths"),
        ([[[1.0]], [[1.0, 2.0]], [[1.0], [2.0]]], {}, "differ in more than their length"),
        ([[1.0, 2.0]], {"present": [2]}, "must be Booleans"),
        ([[1.0, 2.0]], {"present": [True, True]}, "must be Booleans"),
        ([[1.0, 2.0]], {"kind": "image"}, "3 dimensions"),
        ([["a", "b"]], {}, "must hold numbers, or one text a sample"),
        ([np.ones((4, 5)), np.ones((3, 5))], {"kind": "image"}, "tokens may have$"),
        ([[1.5, 2.0], [3.0]], {}, "kinds={'x': \"series\"} or kinds={'x': \"tokens\"}"),
        ([[1.0, 2.0], [-1]], {}, "kinds={'x': \"series\"} or kinds={'x': \"tokens\"}"),
        ([[1, 2], [3]], {}, "kinds={'x': \"tokens\"} or kinds={'x': \"series\"}"),
        ([[], []], {"kind": "series"}, r"items of shape \[0, 1\]: each dimension"),
        (["a b"], {"vocabulary": 3}, "vocabulary of texts"),
        ([[0, 1]], {"kind": "tokens", "vocabulary": "x"}, "whole number"),
        (np.array([[True, "a"]], object), {}, "must hold numbers, not 'a'"),
        (np.zeros((2, 8, 9, 3), np.uint8), {}, "channels last"),
        ([[1.0, 2.0]], {"kind": "sound"}, "kind of modality"),
    ],
)
def test_what_fits_nothing_is_refused(values: Any, more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_items("x", values, **more)


# --------------------------------------------------------------------------- samples


def samples(**more: Any) -> Samples:
    rng = np.random.default_rng(0)
    series = [rng.normal(3, 2, size=(length, 2)) for length in (3, 5, 1, 4, 2, 5, 3, 4)]
    splits = ["train"] * 6 + ["test"] * 2
    given: dict[str, Any] = {
        "modalities": {"s": series},
        "labels": {"y": [0, 1] * 4},
        "splits": splits,
    } | more
    return Samples.from_arrays(**given)


def test_a_series_is_standardized_over_the_present_training_steps() -> None:
    data = samples()
    (modality,), (x,) = data.modalities, data.items["all"]
    assert (modality.kind, modality.shape, modality.partial) == ("series", (5, 2), True)
    rows = torch.cat([one[~one[:, 0].isnan()] for one in x[:6]])
    assert len(rows) == 20
    assert torch.allclose(rows.mean(0), torch.zeros(2), atol=1e-6)
    assert torch.allclose(rows.std(0, correction=0), torch.ones(2), atol=1e-6)


def test_nothing_is_partial_where_nothing_is_absent() -> None:
    data = samples(modalities={"s": np.random.default_rng(0).normal(size=(8, 5, 2))})
    assert not data.modalities[0].partial


def test_many_labels_and_numbers_are_tasks() -> None:
    rng = np.random.default_rng(1)
    hot, far = rng.integers(2, size=(8, 3)), rng.normal(size=(8, 2))
    data = samples(labels={"genres": hot, "place": far}, task_kinds={"place": "numbers"})
    genres, place = data.tasks["genres"], data.tasks["place"]
    assert (genres.kind, genres.classes, place.kind, place.classes) == ("labels", 3, "numbers", 2)
    np.testing.assert_array_equal(data.sets["test"].labels["genres"], hot[6:])
    np.testing.assert_array_equal(data.sets["test"].labels["place"], far[6:])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"labels": {"y": np.full((8, 2), 3)}}, "must be 0 or 1 in each"),
        ({"labels": {"y": [1.0] * 8}, "task_kinds": {"y": "numbers"}}, "the same for every"),
        ({"labels": {"y": [NAN] * 8}, "task_kinds": {"y": "numbers"}}, "lacks a value in row 0"),
        ({"labels": {"y": np.eye(8)}, "task_kinds": {"y": "classes"}}, "of one class a sample"),
        ({"task_kinds": {"z": "numbers"}}, "unknown task"),
        ({"task_kinds": {"y": "ranks"}}, "unknown kind of task"),
        ({"present": {"t": [True] * 8}}, "unknown modality"),
        ({"present": {"s": [[1], [1, 0]]}}, "'s': `present`: lists of different lengths"),
        ({"modalities": [[1.0]] * 8}, "must be a dictionary of items by name, not list"),
        ({"present": {"s": [False] * 6 + [True] * 2}}, "absent from every training sample"),
    ],
)
def test_wrong_labels_and_masks_are_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        samples(**more)


def test_absent_items_are_found_and_made() -> None:
    data = samples(modalities={"s": np.ones((8, 2, 1)), "v": np.arange(8.0)[:, None]})
    assert not data.absent("test").any()
    hidden = data.hide("v")
    assert hidden.absent("test").tolist() == [[False, True]] * 2
    assert not hidden.absent("train").any()
    half = data.hide("v", share=0.5, sets=("train", "test"), seed=1)
    assert half.absent("train")[:, 1].sum() == 3
    assert [m.partial for m in half.modalities] == [False, True]
