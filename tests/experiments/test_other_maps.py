"""Maps that never occurred, as a control of S: what each kind of code tells of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from plain_images import Fake, K, coded_dataset, partners_of
from sklearn.metrics import roc_auc_score
from torch import Tensor

from trifeature.data.dataset import Dataset, preset
from trifeature.data.rule import PairRule
from trifeature.experiments.other_maps import has_other_maps, match_of, other_maps, with_labels_of


@pytest.fixture(scope="module")
def data() -> Dataset:
    return coded_dataset()


def cells(attributes: Tensor, subset: Sequence[int]) -> Tensor:
    """A number for each texture of image 1 with each color of image 2, or nothing of one image."""
    if len(subset) < 2:
        return torch.ones(len(attributes), K)
    return F.one_hot(attributes[:, 0, 1] * K + attributes[:, 1, 2], K * K)


def test_shift_0_is_the_map_and_every_pair_keeps_one_of_the_others(data: Dataset) -> None:
    for name in ("probe", "test"):
        matches = np.stack([match_of(data, name, shift) for shift in range(K)])
        assert np.array_equal(matches[0], data.pairs[name].labels["synergy"])
        assert (matches.sum(0) == 1).all()


def test_a_code_of_the_map_alone_tells_no_other(data: Dataset) -> None:
    """Codes that are equal where the map is kept: their products tell this, and nothing else."""
    found = other_maps(Fake(partners_of(data)), data)
    assert found["similarity"] == 1
    assert found["S_auc"] < 0.6
    assert found["products_S_auc"] < 0.75


def test_a_code_of_every_cell_tells_every_map(data: Dataset) -> None:
    found = other_maps(Fake(cells), data)
    assert found["S_auc"] == found["S"] == found["products_S_auc"] == 1
    assert found["similarity"] == 0.5


def test_similarity_is_the_dot_product_of_unit_codes(data: Dataset) -> None:
    def code(attributes: Tensor, subset: Sequence[int]) -> Tensor:
        shown = {0: attributes[:, 0, 1:], 1: attributes[:, 1, :2]}
        return torch.cat([shown[m] + 1 for m in subset], dim=1)

    found = other_maps(Fake(code), data)
    attributes = data.tables["test"].attributes[data.pairs["test"].images] + 1.0
    a, b = attributes[:, 0, 1:], attributes[:, 1, :2]
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    expected = roc_auc_score(match_of(data, "test", 0), cosine.round(6))
    assert found["similarity"] == pytest.approx(expected, abs=0.01)


def test_samples_are_those_of_the_data_with_other_labels(data: Dataset) -> None:
    samples = with_labels_of(data, (1, 2))
    assert set(samples.tasks) == {"map 1", "map 2"}
    assert samples.truth() == {}
    own = data.samples()
    assert np.array_equal(samples.sets["train"].rows, own.sets["train"].rows)
    assert np.array_equal(samples.sets["test"].rows, own.sets["test"].rows)
    assert np.array_equal(samples.sets["test"].labels["map 2"], match_of(data, "test", 2))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"rule": PairRule(modalities=3)}, False),
        ({"rule": PairRule(gate="parity")}, False),
        ({"label_noise": 0.1}, False),
    ],
)
def test_only_pairs_with_a_map_have_others(changes: dict[str, Any], expected: bool) -> None:
    assert has_other_maps(Dataset(preset("tiny", **changes), {}, {}, {})) is expected
