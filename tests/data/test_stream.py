"""Endless pairs: the same whatever the batch, of the law of the data set, never a data set's."""

from __future__ import annotations

import itertools
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from trifeature.data.dataset import DatasetSettings, plan_images, preset
from trifeature.data.pairs import label
from trifeature.data.stream import EndlessPairs, stream
from trifeature.data.vision import RenderedPairs
from trifeature.errors import InputError


def small(**changes: object) -> DatasetSettings:
    few = {"train_pairs": 12, "probe_pairs": 12, "test_pairs": 12}
    return preset("tiny", **{"match_rate": 1.0, "copies": 2, **few, **changes})


def test_a_pair_does_not_depend_on_its_batch() -> None:
    """Pairs 10 to 14 lie in two blocks of twelve."""
    whole = EndlessPairs(small()).batch(0, 30)
    part = EndlessPairs(small()).batch(10, 15)
    assert np.array_equal(part.attributes, whole.attributes[10:15])
    for task, values in part.labels.items():
        assert np.array_equal(values, whole.labels[task][10:15])
    for items, all_items in zip(part.items, whole.items, strict=True):
        assert torch.equal(items, all_items[10:15])


def test_blocks_follow_the_match_rate_and_the_labels_the_rule() -> None:
    settings = small(match_rate=0.75)
    batch = EndlessPairs(settings).batch(0, 36)
    assert batch.labels["synergy"].reshape(3, 12).sum(axis=1).tolist() == [9, 9, 9]
    rows = np.arange(72).reshape(36, 2)
    expected = label(batch.attributes.reshape(72, 3), rows, settings.rule, settings.partners)
    for task, values in expected.items():
        assert np.array_equal(batch.labels[task], values)


def test_blocks_and_splits_differ_and_show_their_own_combinations() -> None:
    for split in ("train", "test"):
        pairs = EndlessPairs(small(), split)
        first, second = (pairs.block(number)[0].tolist() for number in (0, 1))
        assert first != second
        known = set(map(tuple, plan_images(small())[pairs.split].attributes.tolist()))
        assert {tuple(image) for pair in first + second for image in pair} <= known


def test_every_image_is_new() -> None:
    """Eight combinations in 60 images: with a copy number in common some would be equal."""
    two = dict.fromkeys(("shapes", "textures", "colors", "held_out"), 2)
    batch = EndlessPairs(small(**two, train_pairs=4, test_pairs=4, match_rate=None)).batch(0, 30)
    images = {image.numpy().tobytes() for items in batch.items for image in items}
    assert len(images) == 60


def test_a_stream_ends_when_it_was_told_to_or_never() -> None:
    sizes = [len(batch.attributes) for batch in stream(small(), 10, 4)]
    assert sizes == [4, 4, 2]
    endless = itertools.islice(stream(small(), batch=9), 3)
    joined = np.concatenate([batch.attributes for batch in endless])
    assert np.array_equal(joined, EndlessPairs(small()).batch(0, 27).attributes)


def test_looks_and_captions_stream_too() -> None:
    settings = small(looks="gray,caption")
    (batch,) = stream(settings, 3)
    gray, tokens = batch.items
    assert gray.shape == (3, 3, 32, 32)
    assert torch.equal(gray[:, 0], gray[:, 2])
    assert tokens.dtype == torch.int64
    images, _ = RenderedPairs(settings, 3)[0]
    assert images[0].size == (32, 32)
    assert isinstance(images[1], str)


@pytest.mark.parametrize(("count", "batch"), [(0, 4), (3, 0), (-1, 1)])
def test_a_stream_of_nothing_is_refused(count: int, batch: int) -> None:
    with pytest.raises(InputError, match="must be a whole number of at least 1"):
        next(stream(small(), count, batch))


def test_a_nuisance_that_pairs_are_drawn_by_is_refused() -> None:
    render = replace(preset("tiny").render, nuisance="background")
    settings = small(render=render, nuisance_rate=0.9)
    with pytest.raises(InputError, match="nuisance_rate"):
        EndlessPairs(settings)


# --------------------------------------------------------------------------- as a torchvision class


def test_a_million_pairs_have_a_length_and_any_of_them_an_image() -> None:
    pairs = RenderedPairs(small(), 1_000_000)
    assert len(pairs) == 1_000_000
    images, target = pairs[-1]
    expected = EndlessPairs(small()).batch(999_999, 1_000_000)
    for image, items in zip(images, expected.items, strict=True):
        assert np.array_equal(np.asarray(image).transpose(2, 0, 1), items[0].numpy())
    assert target == {task: int(values[0]) for task, values in expected.labels.items()}
    with pytest.raises(IndexError):
        _ = pairs[1_000_000]


def test_it_can_be_sent_to_workers_and_loaded_in_batches() -> None:
    pairs = RenderedPairs(small(), 6, transform=lambda image: torch.tensor(np.array(image)))
    (first, second), _ = next(iter(DataLoader(pairs, batch_size=6)))
    expected = EndlessPairs(small()).batch(0, 6).items
    assert torch.equal(first.permute(0, 3, 1, 2), expected[0])
    assert torch.equal(second.permute(0, 3, 1, 2), expected[1])
    copied = pickle.loads(pickle.dumps(RenderedPairs(small(), 6)))  # noqa: S301 - our own
    assert copied[3][0][1].tobytes() == RenderedPairs(small(), 6)[3][0][1].tobytes()


def test_transforms_are_applied_to_each_image_and_to_the_target() -> None:
    pairs = RenderedPairs(
        small(), 2, transform=lambda image: image.size, target_transform=lambda t: t["synergy"]
    )
    assert pairs[1] == (((32, 32), (32, 32)), 1)
    assert "on the fly" in repr(pairs)


@pytest.mark.parametrize("size", [0, -1, 2.5, "3"])
def test_a_size_that_is_none_is_refused(size: int) -> None:
    with pytest.raises(InputError, match="size"):
        RenderedPairs(small(), size)
