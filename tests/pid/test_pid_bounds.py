from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from numpy.typing import NDArray
from pid_random_tables import joint_tables

from trifeature.errors import InputError
from trifeature.pid.bounds import SynergyBounds, fano_information, synergy_bounds, synergy_bounds_of
from trifeature.pid.gallery import GALLERY, Example, gallery_table
from trifeature.pid.solver import broja

# Certificates of two programs, and the fit of the maximum entropy's marginals.
SLACK = 1e-8


def assert_bounded(bounds: SynergyBounds, synergy: float) -> None:
    assert bounds.disagreement <= bounds.lower + SLACK
    assert bounds.lower <= synergy + SLACK
    assert synergy <= bounds.upper + SLACK


@pytest.mark.parametrize(
    "example", [e for e in GALLERY.values() if e.name != "ALL4"], ids=lambda e: e.name
)
def test_the_exact_synergy_lies_between_the_bounds(example: Example) -> None:
    redundancy, unique1, unique2, synergy = example.atoms()
    bounds = synergy_bounds_of(example.table())
    assert_bounded(bounds, synergy)
    exact = (bounds.redundancy, bounds.unique1, bounds.unique2)
    assert exact == pytest.approx((redundancy, unique1, unique2), abs=1e-8)


@given(joint_tables(largest=3))
@settings(max_examples=40, deadline=None)
def test_random_tables_lie_between_the_bounds(p: NDArray[np.float64]) -> None:
    assert_bounded(synergy_bounds_of(p), broja(p).synergy)


def test_the_lower_bound_is_tight_where_pairs_settle_the_table() -> None:
    assert synergy_bounds_of(gallery_table("AND")).lower == pytest.approx(0.5, abs=1e-8)


def test_pairwise_marginals_cannot_see_xor() -> None:
    flat = np.full((2, 2), 0.25)
    bounds = synergy_bounds(flat, flat, flat)
    assert bounds.lower == pytest.approx(0, abs=1e-9)
    assert bounds.upper == pytest.approx(1, abs=1e-9)


def test_marginals_with_tiny_masses_are_those_of_a_table() -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        p = 10.0 ** rng.uniform(-8, 0, (2, 3, 2)) * (rng.random((2, 3, 2)) < 0.8)
        p /= p.sum()
        bounds = synergy_bounds(p.sum(2), p.sum(1), p.sum(0))
        assert_bounded(bounds, broja(p).synergy)


def test_unique_atoms_are_not_exchanged() -> None:
    bounds = synergy_bounds_of(gallery_table("UNQ1"))
    assert (bounds.unique1, bounds.unique2) == pytest.approx((1, 0), abs=1e-9)


def test_tensors_are_marginals_and_probabilities_too() -> None:
    flat = np.full((2, 2), 0.25)
    tensors = [torch.from_numpy(flat).requires_grad_() for _ in range(3)]
    assert synergy_bounds(*tensors) == synergy_bounds(flat, flat, flat)
    assert fano_information(1.0, torch.tensor([0.5, 0.5])) == 1


def test_marginals_that_do_not_fit_are_refused() -> None:
    same, flat = np.eye(2) / 2, np.full((2, 2), 0.25)
    with pytest.raises(InputError, match="no joint table"):
        synergy_bounds(same, same, flat)
    with pytest.raises(InputError, match="two axes"):
        synergy_bounds(same, same, gallery_table("XOR"))


@pytest.mark.parametrize(
    ("accuracy", "classes", "bits"),
    [(0.999, 10, 3.307), (0.878, 10, 2.400), (0.116, 10, 0.002), (0.719, 2, 0.143), (0.5, 2, 0)],
)
def test_fano_on_balanced_classes(accuracy: float, classes: int, bits: float) -> None:
    found = fano_information(accuracy, [1 / classes] * classes)
    assert found == pytest.approx(bits, abs=5e-4)


def test_fano_knows_what_unbalanced_classes_leave_to_learn() -> None:
    assert fano_information(0.9, [0.9, 0.1]) == pytest.approx(0, abs=1e-12)
    assert fano_information(1.0, [1.0]) == 0
