"""The torchvision view of a data set on disk shows what the fast path loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.datasets import VisionDataset

from trifeature.data.attributes import ATTRIBUTES
from trifeature.data.captions import caption_text
from trifeature.data.dataset import (
    PAIR_SETS,
    SPLIT_OF,
    SPLITS,
    Dataset,
    PairSet,
    Split,
    build,
    preset,
)
from trifeature.data.rule import PairRule
from trifeature.data.storage import generate
from trifeature.data.vision import TrifeatureImages, TrifeaturePairs
from trifeature.errors import InputError


@pytest.fixture(scope="module")
def root(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("vision") / "tiny", tiny.settings).path


def to_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


# --------------------------------------------------------------------------- images


@pytest.mark.parametrize("split", SPLITS)
def test_images_come_with_their_labels_in_the_order_of_the_table(
    tiny: Dataset, root: Path, split: Split
) -> None:
    images = TrifeatureImages(root, split)
    assert isinstance(images, VisionDataset)
    assert len(images) == len(tiny.images[split])
    for n in range(len(images)):
        image, target = images[n]
        assert torch.equal(to_tensor(image), tiny.images[split][n])
        expected = tiny.tables[split].attributes[n].tolist()
        assert target == dict(zip(ATTRIBUTES, expected, strict=True))


def test_images_are_of_the_training_split_by_default(root: Path) -> None:
    assert len(TrifeatureImages(str(root))) == 200


def test_image_and_target_pass_through_their_transforms(root: Path) -> None:
    images = TrifeatureImages(
        root, transform=to_tensor, target_transform=lambda target: target["shape"]
    )
    image, target = images[0]
    assert image.shape == (3, 32, 32)
    assert target == 0


def test_images_load_in_batches(tiny: Dataset, root: Path) -> None:
    loader: DataLoader[Any] = DataLoader(
        TrifeatureImages(root, "test", transform=to_tensor), batch_size=10
    )
    batches = list(loader)
    assert torch.equal(torch.cat([images for images, _ in batches]), tiny.images["test"])
    colors = torch.cat([target["color"] for _, target in batches])
    assert colors.tolist() == tiny.tables["test"].attributes[:, 2].tolist()


# --------------------------------------------------------------------------- pairs


@pytest.mark.parametrize("pair_set", PAIR_SETS)
def test_pairs_come_with_the_label_of_every_task(
    tiny: Dataset, root: Path, pair_set: PairSet
) -> None:
    dataset = TrifeaturePairs(root, pair_set)
    assert isinstance(dataset, VisionDataset)
    pairs, images = tiny.pairs[pair_set], tiny.images[SPLIT_OF[pair_set]]
    assert len(dataset) == len(pairs)
    for n in range(0, len(dataset), 3):
        shown, target = dataset[n]
        assert isinstance(shown, tuple)
        for image, row in zip(shown, pairs.images[n], strict=True):
            assert torch.equal(to_tensor(image), images[row])
        assert target == {task: values[n] for task, values in pairs.labels.items()}


def test_each_image_of_a_pair_is_transformed_on_its_own(root: Path) -> None:
    calls: list[Image.Image] = []

    def numbered(image: Image.Image) -> int:
        calls.append(image)
        return len(calls)

    dataset = TrifeaturePairs(
        root, "probe", transform=numbered, target_transform=lambda target: target["synergy"]
    )
    images, target = dataset[0]
    assert images == (1, 2)
    assert target in (0, 1)


def test_pairs_load_in_batches(tiny: Dataset, root: Path) -> None:
    loader: DataLoader[Any] = DataLoader(
        TrifeaturePairs(root, "test", transform=to_tensor), batch_size=30
    )
    batches = list(loader)
    for m in range(2):
        loaded = torch.cat([images[m] for images, _ in batches])
        expected = tiny.images["test"][torch.from_numpy(tiny.pairs["test"].images[:, m])]
        assert torch.equal(loaded, expected)
    synergy = torch.cat([target["synergy"] for _, target in batches])
    assert synergy.tolist() == tiny.pairs["test"].labels["synergy"].tolist()


def test_triples_have_three_images_and_three_unique_labels(tmp_path: Path) -> None:
    rule = PairRule(modalities=3)
    settings = preset("tiny", copies=1, train_pairs=5, probe_pairs=5, test_pairs=5, rule=rule)
    images, target = TrifeaturePairs(generate(tmp_path / "triples", settings).path)[0]
    assert len(images) == 3
    assert list(target) == ["share", "unique1", "unique2", "unique3", "synergy"]


def test_each_modality_shows_its_own_look(tmp_path: Path) -> None:
    pairs = dict.fromkeys(("train_pairs", "probe_pairs", "test_pairs"), 5)
    settings = preset("tiny", copies=1, looks="gray,caption", **pairs)
    built, folder = build(settings), generate(tmp_path / "looks", settings).path
    (gray, text), _ = TrifeaturePairs(folder)[0]
    first, second = built.pairs["train"].images[0]
    assert torch.equal(to_tensor(gray), built.items["train"][0][first])
    expected = caption_text(built.items["train"][1][second], settings.values, settings.caption)
    assert text == expected
    assert TrifeatureImages(folder, look="caption")[second][0] == expected
    assert torch.equal(to_tensor(TrifeatureImages(folder)[first][0]), to_tensor(gray))
    with pytest.raises(InputError, match="unknown look 'color'"):
        TrifeatureImages(folder, look="color")


# --------------------------------------------------------------------------- mistakes


def test_an_unknown_split_is_answered_with_the_nearest(root: Path) -> None:
    with pytest.raises(InputError, match="unknown split 'tests': did you mean 'test'"):
        TrifeatureImages(root, "tests")
    with pytest.raises(InputError, match="unknown set of pairs 'probes': did you mean 'probe'"):
        TrifeaturePairs(root, "probes")


@pytest.mark.parametrize("kind", [TrifeatureImages, TrifeaturePairs])
def test_a_folder_that_is_no_data_set_is_refused(
    tmp_path: Path, kind: type[TrifeatureImages | TrifeaturePairs]
) -> None:
    with pytest.raises(InputError, match="not a Trifeature data set"):
        kind(tmp_path)


@pytest.mark.parametrize("kind", [TrifeatureImages, TrifeaturePairs])
def test_an_index_beyond_the_end_is_refused_and_minus_one_is_the_last(
    root: Path, kind: type[TrifeatureImages | TrifeaturePairs]
) -> None:
    dataset = kind(root)
    with pytest.raises(IndexError):
        dataset[len(dataset)]
    assert dataset[-1][1] == dataset[len(dataset) - 1][1]


def test_the_representation_names_the_folder_and_the_length(root: Path) -> None:
    assert f"Number of datapoints: 200\n    Root location: {root}" in repr(TrifeatureImages(root))


def test_a_damaged_image_or_table_is_refused(tiny: Dataset, tmp_path: Path) -> None:
    folder = generate(tmp_path / "tiny", tiny.settings).path
    images, pairs = TrifeatureImages(folder), TrifeaturePairs(folder)
    for file in (folder / "train").glob("*.png"):
        file.write_bytes(file.read_bytes()[:-1])
    for items in (images, pairs):
        with pytest.raises(InputError, match="truncated"):
            _ = items[0]
    (folder / "pairs" / "train.csv").write_text("")
    with pytest.raises(InputError, match=r"train\.csv: truncated"):
        TrifeaturePairs(folder)
