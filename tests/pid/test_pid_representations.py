from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from trifeature.errors import InputError
from trifeature.pid.atoms import ATOM_NAMES
from trifeature.pid.gallery import example, gallery_table
from trifeature.pid.representations import (
    PairedFeatures,
    Training,
    discretized_atoms,
    dual_atoms,
    dual_value,
    k_means,
    nearest,
)
from trifeature.pid.representations.experts import Parts, shifts, standard_error
from trifeature.pid.representations.pairs import standardized
from trifeature.pid.solver import broja
from trifeature.report import atom_rows

FAST = Training(steps=60, batch=128)
COUNTS = (2, 3, 4)


def blobs(name: str, n: int, seed: int, noise: float = 0.2, width: int = 8) -> Any:
    """Features of both modalities, [n, width], and classes; each value of a source is a blob."""
    table = example(name).table()
    rng = np.random.default_rng(seed)
    x1, x2, y = np.unravel_index(rng.choice(table.size, n, p=table.ravel()), table.shape)
    places = np.random.default_rng(99)

    def features(x: NDArray[np.intp], count: int) -> NDArray[np.float64]:
        centers = places.normal(size=(count, width))
        return np.asarray(centers[x] + noise * rng.normal(size=(n, width)))

    return features(x1, table.shape[0]), features(x2, table.shape[1]), y


def paired(name: str, n: int, seed: int) -> PairedFeatures:
    return PairedFeatures(*blobs(name, n, seed))


@pytest.mark.parametrize("name", ["XOR", "BOOM", "PROB2"])
def test_discretized_features_have_the_atoms_of_their_blobs(name: str) -> None:
    found = discretized_atoms(paired(name, 2000, 0), paired(name, 2000, 1), counts=COUNTS)
    atoms = [found.estimate.corrected[atom] for atom in ATOM_NAMES]
    assert atoms == pytest.approx(example(name).atoms(), abs=0.03)
    assert set(found.bias) == {*ATOM_NAMES, "total"}


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("XOR", 60),
        ("AND", 60),
        pytest.param("BOOM", 200, marks=pytest.mark.slow),  # a second of CPU
    ],
)
def test_the_dual_finds_the_atoms_of_features(name: str, steps: int) -> None:
    found = dual_atoms(
        paired(name, 1500, 0), paired(name, 1500, 1), Training(steps=steps, batch=128)
    )
    assert found.atoms.values == pytest.approx(example(name).atoms(), abs=0.05)
    assert found.atoms.information1 == pytest.approx(found.information1)
    assert set(ATOM_NAMES) < set(found.bias)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_the_dual_claims_no_certificate_and_trains_in_any_mode(mode: Callable[[], Any]) -> None:
    with mode():
        atoms = dual_atoms(paired("XOR", 60, 0), paired("XOR", 60, 1), Training(steps=5)).atoms
    assert not atoms.converged
    for row in atom_rows([atoms]):
        assert (row["low"], row["high"], row["converged"]) == (-np.inf, np.inf, False)


def noise(n: int, seed: int) -> PairedFeatures:
    rng = np.random.default_rng(seed)
    return PairedFeatures(
        rng.normal(size=(n, 30)), rng.normal(size=(n, 30)), rng.integers(2, size=n)
    )


def test_features_that_say_nothing_have_no_atoms_though_probes_learn_them_by_heart() -> None:
    found = dual_atoms(noise(100, 0), noise(100, 1), FAST)
    assert found.atoms.values == pytest.approx((0, 0, 0, 0), abs=0.02)
    informations = (found.information1, found.information2, found.atoms.total, found.union)
    assert min(informations) == 0
    assert set(found.clipped) <= {"information1", "information2", "total", "union"}
    assert found.clipped
    assert max(found.scales.values()) < 0.5
    assert all(error >= 0 for error in found.standard_errors.values())
    assert set(found.standard_errors) == {
        "information1",
        "information2",
        "total",
        "union",
        *ATOM_NAMES,
    }


def test_an_information_far_below_zero_is_refused() -> None:
    one, other, y = blobs("RDN", 100, 0)
    with pytest.raises(InputError, match=r"information1 is -.* worse than class frequencies"):
        dual_atoms(PairedFeatures(one, other, y), PairedFeatures(one, other, 1 - y), FAST)


# Two seconds of CPU: the default training, end to end.
@pytest.mark.slow
@pytest.mark.parametrize("change", [lambda x: x * 1e-7, lambda x: (x + 2500).astype(np.float32)])
def test_the_dual_finds_the_xor_of_features_of_any_scale(change: Callable[[Any], Any]) -> None:
    train, test = (
        PairedFeatures(change(one), change(other), y)
        for one, other, y in (blobs("XOR", 1500, seed) for seed in (0, 1))
    )
    found = dual_atoms(train, test)
    assert found.atoms.synergy == pytest.approx(1, abs=0.02)
    assert found.standard_errors["synergy"] < 0.02


@pytest.mark.parametrize(
    "change",
    [
        lambda x, _: (x + 2500).astype(np.float32),
        lambda x, _: x * 1e-7,
        lambda x, rng: np.concatenate([x, 10 * rng.normal(size=(len(x), 1))], axis=1),
    ],
    ids=["a mean of 2,500 in float32", "a scale of 1e-7", "a nuisance of standard deviation 10"],
)
def test_clusters_find_the_xor_of_features_of_any_scale(
    change: Callable[[Any, np.random.Generator], Any],
) -> None:
    rng = np.random.default_rng(3)
    train, test = (
        PairedFeatures(change(one, rng), change(other, rng), y)
        for one, other, y in (blobs("XOR", 600, seed) for seed in (0, 1))
    )
    found = discretized_atoms(train, test, counts=(2, 4))
    assert found.estimate.corrected["synergy"] == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("scale", [1e-300, 1e-7, 1.0, 1e300])
def test_standardizing_forgets_scale_and_mean(scale: float) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 2)), rng.integers(2, size=50)
    changed = PairedFeatures(x * scale, x[:, :1] * 0 + 2500.1, y)
    train, test = standardized(changed, changed)
    assert train.modality1.numpy() == pytest.approx((x - x.mean(0)) / x.std(0), rel=1e-9)
    assert (test.modality2 == 0).all()


def test_standardized_test_features_are_finite_however_far_out() -> None:
    train = PairedFeatures([[0.0], [1e-9]], [[0.0], [1.0]], [0, 1])
    far = PairedFeatures([[1e30], [0.0]], [[0.5], [0.5]], [0, 1])
    _, test = standardized(train, far, torch.float32)
    assert torch.isfinite(test.modality1).all()
    assert test.modality2.tolist() == [[0.0], [0.0]]


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


@pytest.mark.parametrize("spread", [1.0, 300.0])
def test_shifts_are_the_largest_log_sums_in_any_blocks(spread: float) -> None:
    rng = torch.Generator().manual_seed(1)
    one, other = spread * torch.randn(2, 23, 3, generator=rng, dtype=torch.float64)
    sums = torch.logsumexp(one[:, None] + other[None], 2)
    alpha = sums.amax(1)
    beta = (sums - alpha[:, None]).amax(0)
    for block in (1, 23, 50, 10_000):
        found = shifts(one, other, block)
        torch.testing.assert_close(found[0], alpha, rtol=1e-12, atol=1e-9)
        torch.testing.assert_close(found[1], beta, rtol=1e-12, atol=1e-9)


def test_summed_logits_under_a_softmax_are_not_the_dual() -> None:
    """On AND the softmax of summed logits tells .811 bits, the product of experts .311."""
    table = torch.from_numpy(gallery_table("AND"))
    x1, x2, y = torch.nonzero(table, as_tuple=True)
    x = torch.tensor([0.0, 1.0], dtype=torch.float64)
    expert = torch.stack([torch.zeros(2, dtype=torch.float64), 40 * x - 30], dim=1)
    scores = (expert[x1] + expert[x2]).log_softmax(1)[torch.arange(4), y]
    target_bits = 0.811278  # H(Y) of AND
    assert target_bits + scores.mean().item() / np.log(2) == pytest.approx(0.811278, abs=1e-6)
    dual_bits = dual_value(expert[x1], expert[x2], y).item() / np.log(2)
    assert target_bits + dual_bits <= 0.311278 + 1e-6


def test_k_means_finds_well_separated_blobs() -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(300) % 3
    points = 10.0 * np.eye(3)[truth] + 0.1 * rng.normal(size=(300, 3))
    codes = nearest(points, k_means(points, 3, rng))
    assert len(np.unique(codes * 3 + truth)) == 3


def test_k_means_on_a_line_is_as_good_as_the_best_partition() -> None:
    rng = np.random.default_rng(2)
    points = np.sort(rng.normal(size=14))
    best = min(
        sum(float(((part - part.mean()) ** 2).sum()) for part in np.split(points, cuts))
        for cuts in itertools.combinations(range(1, 14), 2)
    )
    centers = k_means(points[:, None], 3, rng)
    assert float(((points[:, None] - centers.T) ** 2).min(1).sum()) <= best * 1.01


def test_equal_features_have_as_many_centers_as_values() -> None:
    points = np.repeat([[0.0, 1.0], [-0.0, 1.0], [2.0, 3.0]], 5, axis=0)
    assert sorted(k_means(points, 4, np.random.default_rng(0)).tolist()) == [[0, 1], [2, 3]]
    assert k_means(points, 1, np.random.default_rng(0)).shape == (1, 2)


VALUES = [[0, 1], [1, 0], [1, 1]]
KINDS: dict[str, Callable[[], Any]] = {
    **{
        str(dtype): partial(torch.tensor, VALUES, dtype=dtype)
        for dtype in (torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.bool)
    },
    "with gradients": lambda: torch.tensor(VALUES, dtype=torch.float32, requires_grad=True),
    "big endian": lambda: np.array(VALUES, dtype=">f8"),
    "reversed": lambda: np.array(VALUES, dtype=np.int64)[::-1][::-1],
    "column by column": lambda: np.asfortranarray(np.array(VALUES, dtype=np.uint16)),
    "read only": lambda: np.broadcast_to(np.array(VALUES, dtype=np.float32), (3, 2)),
    "a list": lambda: VALUES,
    "a data frame": lambda: pd.DataFrame(VALUES, columns=["a", "b"]),
    "objects": lambda: np.array(VALUES, dtype=object),
}


@pytest.mark.parametrize("kind", KINDS)
def test_features_of_any_kind_are_pairs(kind: str) -> None:
    pairs = PairedFeatures(KINDS[kind](), KINDS[kind](), np.array([0, 1, 1]))
    assert pairs.modality1.tolist() == VALUES
    assert pairs.modality1.dtype in (torch.float32, torch.float64)
    assert not pairs.modality2.requires_grad


LABELS: dict[str, Callable[[], Any]] = {
    "int8": lambda: np.array([0, 1, 1], dtype=np.int8),
    "uint16": lambda: torch.tensor([0, 1, 1], dtype=torch.uint16),
    "Booleans": lambda: [False, True, True],
    "one column": lambda: np.array([[0], [1], [1]], dtype=np.int32),
    "a series": lambda: pd.Series([0, 1, 1], index=[7, 8, 9]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_class_numbers_of_any_kind_are_targets(kind: str) -> None:
    pairs = PairedFeatures(np.ones(3), np.ones((3, 1)), LABELS[kind]())
    assert (pairs.target.tolist(), pairs.target.dtype) == ([0, 1, 1], torch.int64)
    assert pairs.modality1.shape == (3, 1)


@pytest.mark.parametrize(
    ("train", "test", "classes", "codes"),
    [
        (["b", "a", "b"], ["a", "c", "a"], ("a", "b", "c"), ([1, 0, 1], [0, 2, 0])),
        (pd.Categorical(["b", "a", "b"]), ["a", "a", "a"], ("a", "b"), ([1, 0, 1], [0, 0, 0])),
        ([True, False, True], [True, True, True], ("False", "True"), ([1, 0, 1], [1, 1, 1])),
        (np.array([7, -2, 7], np.int8), [7, 7, 7], ("-2", "7"), ([1, 0, 1], [1, 1, 1])),
    ],
    ids=["words", "categories", "Booleans", "numbers"],
)
def test_labels_are_numbered_alike_in_training_and_test(
    train: Any, test: Any, classes: tuple[str, ...], codes: tuple[list[int], list[int]]
) -> None:
    x = np.ones((3, 1))
    found = PairedFeatures.coded((x, x, train), (x, x, test))
    assert tuple(pairs.target.tolist() for pairs in found) == codes
    assert [pairs.classes for pairs in found] == [classes, classes]
    assert found[0].take(torch.tensor([0])).classes == classes


def test_groups_stay_whole_and_count_as_one_in_errors() -> None:
    x, groups = np.ones((12, 1)), np.repeat(["c", "a", "b"], 4)
    pairs = PairedFeatures.coded((x, x, list("xy") * 6, groups), (x, x, list("xy") * 6))[0]
    assert pairs.groups is not None
    assert pairs.groups.tolist() == [2] * 4 + [0] * 4 + [1] * 4
    parts = Parts.of(pairs, pairs, Training())
    assert parts.inner.groups is not None
    assert parts.held_out.groups is not None
    assert sorted(parts.inner.groups.tolist() + parts.held_out.groups.tolist()) == sorted(
        pairs.groups.tolist()
    )
    assert not set(parts.inner.groups.tolist()) & set(parts.held_out.groups.tolist())
    values = np.random.default_rng(0).normal(size=20)
    plain = standard_error(values)
    assert plain == pytest.approx(values.std(ddof=1) / np.sqrt(20))
    assert standard_error(np.repeat(values, 3), np.repeat(np.arange(20), 3)) == pytest.approx(plain)
    assert np.isnan(standard_error(np.ones(3), np.zeros(3, np.int64)))


ONE = np.zeros((4, 2))
NUMBERS = np.array([0, 1, 0, 1])
WRONG_PAIRS: list[tuple[tuple[Any, Any, Any], str]] = [
    ((ONE, np.zeros((3, 2)), NUMBERS), r"got \(4, 2\), \(3, 2\), \(4,\)"),
    ((ONE, ONE, NUMBERS / 2), "class numbers from 0, got values of type float64"),
    ((ONE, ONE, -NUMBERS), "class numbers from 0, at least one"),
    ((ONE, ONE, ["a", "b", "a", "b"]), "PairedFeatures.coded numbers other labels"),
    ((ONE, ONE, np.eye(2)[NUMBERS]), "one-hot rows: pass target.argmax"),
    ((ONE, ONE, np.zeros((4, 3), int)), r"got shape \(4, 3\)"),
    (
        (ONE, ONE + np.array([0, np.inf]), NUMBERS),
        "modality2 holds nan or infinity in 4 of 4 pairs, first",
    ),
    ((ONE.astype(str), ONE, NUMBERS), "modality1 must be real numbers, got values of type <U"),
    ((ONE + 1j, ONE, NUMBERS), "modality1 must be real numbers"),
    ((torch.zeros(4, 2, dtype=torch.complex64), ONE, NUMBERS), "not complex"),
    ((torch.zeros(4, 2).to_sparse(), ONE, NUMBERS), "not sparse"),
    ((np.zeros((4, 2, 2)), ONE, NUMBERS), "flatten"),
    ((np.zeros((4, 0)), ONE, NUMBERS), r"no features: got shape \(4, 0\)"),
    (([[1, 2], [3]], ONE, NUMBERS), r"modality1 must be \[n, D\] numbers"),
    ((np.array([["a", None]] * 4, object), ONE, NUMBERS), r"modality1 must be \[n, D\] numbers"),
]


@pytest.mark.parametrize(("parts", "words"), WRONG_PAIRS, ids=[words for _, words in WRONG_PAIRS])
def test_bad_pairs_say_what_is_wrong(parts: tuple[Any, Any, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        PairedFeatures(*parts)
    assert "\n" not in str(caught.value)


def numbered(n: int, target: Any) -> PairedFeatures:
    return PairedFeatures(np.zeros((n, 2)), np.zeros((n, 2)), target)


def test_what_cannot_be_estimated_is_refused_in_one_line() -> None:
    two, other = numbered(4, NUMBERS), numbered(40, [0, 1] * 20)
    with pytest.raises(InputError, match="do not fit 4 features"):
        k_means(ONE, 5, np.random.default_rng(0))
    with pytest.raises(InputError, match="lack class 1"):
        dual_atoms(numbered(4, NUMBERS * 0), two)
    with pytest.raises(InputError, match="2 classes need at least 20 training pairs, got 4"):
        dual_atoms(two, other)
    with pytest.raises(InputError, match="9 classes need at least 45 training pairs, got 40"):
        dual_atoms(numbered(40, np.arange(40) % 9), other)
    with pytest.raises(InputError, match="2 classes need at least 20 test pairs, got 4"):
        dual_atoms(other, two)
    with pytest.raises(InputError, match="numbered up to 90: number them 0 to 1"):
        dual_atoms(numbered(40, [0, 90] * 20), numbered(40, [0, 90] * 20))
    with pytest.raises(InputError, match="use a smaller batch"):
        dual_atoms(other, other, Training(batch=10**7))
    with pytest.raises(InputError, match="one pair cannot"):
        numbered(1, [0]).split(0.5, torch.Generator())
    with pytest.raises(InputError, match="one group cannot"):
        PairedFeatures(ONE, ONE, NUMBERS, groups=[3] * 4).split(0.5, torch.Generator())
    with pytest.raises(InputError, match=r"got shape \(2,\)"):
        PairedFeatures(ONE, ONE, NUMBERS, groups=[3] * 2)
    with pytest.raises(InputError, match="no number of centers"):
        discretized_atoms(two, two, counts=(9,))
    with pytest.raises(InputError, match="modality2 has 2 features to train on, 1 to test"):
        discretized_atoms(two, PairedFeatures(ONE, ONE[:, :1], NUMBERS))
    with pytest.raises(InputError, match="train is"):
        PairedFeatures.coded((ONE, ONE), (ONE, ONE, NUMBERS))
    with pytest.raises(InputError, match="steps must be a whole number"):
        Training(steps=0)
