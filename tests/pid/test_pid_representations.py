from __future__ import annotations

import numpy as np
import pytest
import torch

from trifeature.errors import InputError
from trifeature.pid.atoms import ATOM_NAMES
from trifeature.pid.gallery import example, gallery_table
from trifeature.pid.representations import (
    PairedFeatures,
    Training,
    class_entropy,
    discretized_atoms,
    dual_atoms,
    dual_value,
    k_means,
    nearest,
)
from trifeature.pid.samples import Resampling
from trifeature.pid.solver import broja

QUICK = Resampling(halvings=5, bootstraps=20, permutations=5)
FAST = Training(steps=100, batch=128)


def features(name: str, n: int, seed: int, noise: float = 0.2, width: int = 8) -> PairedFeatures:
    """Samples of a gallery table, every value of a source a blob of features."""
    table = example(name).table()
    rng = np.random.default_rng(seed)
    x1, x2, y = np.unravel_index(rng.choice(table.size, n, p=table.ravel()), table.shape)
    places = np.random.default_rng(99)

    def blobs(x: np.ndarray, count: int) -> torch.Tensor:
        centers = places.normal(size=(count, width))
        return torch.from_numpy(centers[x] + noise * rng.normal(size=(n, width))).float()

    return PairedFeatures(blobs(x1, table.shape[0]), blobs(x2, table.shape[1]), torch.from_numpy(y))


@pytest.mark.parametrize("name", ["XOR", "BOOM", "PROB2"])
def test_discretized_features_have_the_atoms_of_their_blobs(name: str) -> None:
    found = discretized_atoms(features(name, 2000, 0), features(name, 2000, 1), resampling=QUICK)
    atoms = [found.estimate.corrected[atom] for atom in ATOM_NAMES]
    assert atoms == pytest.approx(example(name).atoms(), abs=0.03)
    assert set(found.bias) == {*ATOM_NAMES, "total"}


@pytest.mark.parametrize("name", ["XOR", "AND", "BOOM"])
def test_the_dual_finds_the_atoms_of_features(name: str) -> None:
    found = dual_atoms(features(name, 2000, 0), features(name, 1500, 1), FAST)
    assert found.atoms.values == pytest.approx(example(name).atoms(), abs=0.05)
    assert found.atoms.information1 == pytest.approx(found.information1)
    assert set(ATOM_NAMES) < set(found.bias)


def test_features_that_say_nothing_have_no_atoms() -> None:
    def noise(seed: int) -> PairedFeatures:
        rng = torch.Generator().manual_seed(seed)
        one, other = torch.randn(2, 1000, 4, generator=rng)
        return PairedFeatures(one, other, torch.randint(0, 2, (1000,), generator=rng))

    found = dual_atoms(noise(0), noise(1), FAST)
    assert found.atoms.values == pytest.approx((0, 0, 0, 0), abs=0.05)


def test_the_dual_value_never_exceeds_the_union_of_the_sample() -> None:
    """A bound for any experts, on the empirical distribution of the pairs (weights 1 / m)."""
    rng = torch.Generator().manual_seed(0)
    table = torch.from_numpy(gallery_table("AND"))
    x1, x2, y = torch.nonzero(table, as_tuple=True)
    py = table.sum((0, 1))
    least = broja(table).union * np.log(2) + float((py * py.log()).sum())
    for _ in range(50):
        one, other = torch.randn(2, 2, 2, generator=rng, dtype=torch.float64) * 3
        assert dual_value(one[x1], other[x2], y).item() <= least + 1e-9


def test_summed_logits_under_a_softmax_are_not_the_dual() -> None:
    """On AND the softmax of summed logits tells .811 bits, the product of experts .311."""
    table = torch.from_numpy(gallery_table("AND"))
    x1, x2, y = torch.nonzero(table, as_tuple=True)
    x = torch.tensor([0.0, 1.0], dtype=torch.float64)
    expert = torch.stack([torch.zeros(2, dtype=torch.float64), 40 * x - 30], dim=1)
    scores = (expert[x1] + expert[x2]).log_softmax(1)[torch.arange(4), y]
    target_bits = class_entropy(y)
    assert target_bits + scores.mean().item() / np.log(2) == pytest.approx(0.811278, abs=1e-6)
    dual_bits = dual_value(expert[x1], expert[x2], y).item() / np.log(2)
    assert target_bits + dual_bits <= 0.311278 + 1e-6


def test_k_means_finds_well_separated_blobs() -> None:
    rng = torch.Generator().manual_seed(0)
    truth = torch.arange(300) % 3
    points = 10.0 * torch.eye(3)[truth] + 0.1 * torch.randn(300, 3, generator=rng)
    codes = nearest(points, k_means(points, 3, rng))
    assert len(torch.unique(codes * 3 + truth)) == 3


def test_bad_pairs_say_what_is_wrong() -> None:
    one = torch.zeros(4, 2)
    labels = torch.tensor([0, 1, 0, 1])
    with pytest.raises(InputError, match=r"got \(4, 2\), \(3, 2\), \(4,\)"):
        PairedFeatures(one, torch.zeros(3, 2), labels)
    with pytest.raises(InputError, match="class numbers"):
        PairedFeatures(one, one, labels.float())
    with pytest.raises(InputError, match="nan or infinity"):
        PairedFeatures(one * torch.nan, one, labels)
    with pytest.raises(InputError, match="do not fit 4 features"):
        k_means(one, 5, torch.Generator())
    with pytest.raises(InputError, match="lack"):
        dual_atoms(PairedFeatures(one, one, labels * 0), PairedFeatures(one, one, labels))
    with pytest.raises(InputError, match="one pair"):
        PairedFeatures(one[:1], one[:1], labels[:1]).split(0.5, torch.Generator())
    with pytest.raises(InputError, match="no number of centers"):
        discretized_atoms(
            PairedFeatures(one, one, labels), PairedFeatures(one, one, labels), counts=(9,)
        )


def test_arrays_are_pairs_too() -> None:
    pairs = PairedFeatures(np.ones((3, 2)), np.ones((3, 1)), np.array([0, 1, 1]))  # type: ignore[arg-type]
    assert len(pairs) == 3
    assert pairs.modality1.shape == (3, 2)
    assert class_entropy(pairs.target) == pytest.approx(0.918296, abs=1e-6)
