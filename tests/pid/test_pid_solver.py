from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from numpy.typing import NDArray
from pid_random_tables import dirichlet, joint_tables

from trifeature.errors import InputError
from trifeature.pid import interior, scaling
from trifeature.pid.atoms import ATOM_NAMES, Atoms
from trifeature.pid.certificate import (
    Marginals,
    certify,
    lower_bound,
    objective,
    round_to_marginals,
)
from trifeature.pid.gallery import GALLERY, Example
from trifeature.pid.solver import broja, broja_many

Array = NDArray[np.float64]

# float64 rounding of the informations and the certificate themselves.
ROUNDING = 1e-12


def assert_sound(atoms: Atoms, tolerance: float = 1e-9) -> None:
    """Converged, non-negative within the certificate, and summing to the total."""
    assert atoms.converged
    assert atoms.gap <= tolerance + ROUNDING
    assert min(atoms.values) >= -atoms.gap - ROUNDING
    assert sum(atoms.values) == pytest.approx(atoms.total, abs=ROUNDING)


@pytest.mark.parametrize("example", GALLERY.values(), ids=lambda e: e.name)
def test_every_oracle_lies_in_its_certified_interval(example: Example) -> None:
    atoms = broja(example.table())
    assert_sound(atoms)
    for name, truth in zip(ATOM_NAMES, example.atoms(), strict=True):
        low, high = atoms.intervals[name]
        assert low - ROUNDING <= truth <= high + ROUNDING


@given(joint_tables())
@settings(max_examples=60, deadline=None)
def test_tables_with_zeros_constants_and_ties_are_certified(p: Array) -> None:
    assert_sound(broja(p))


@given(joint_tables())
@settings(max_examples=30, deadline=None)
def test_swapping_the_sources_swaps_the_unique_atoms(p: Array) -> None:
    one, other = broja(p), broja(p.transpose(1, 0, 2))
    swapped = (other.redundancy, other.unique2, other.unique1, other.synergy)
    assert one.values == pytest.approx(swapped, abs=1e-9 + ROUNDING)


@given(joint_tables())
@settings(max_examples=30, deadline=None)
def test_coarse_graining_source_1_moves_atoms_one_way(p: Array) -> None:
    fine = broja(p)
    coarse = broja(np.concatenate([p[:1] + p[-1:], p[1:-1]]) if len(p) > 1 else p)
    assert coarse.redundancy <= fine.redundancy + 1e-9
    assert coarse.unique1 <= fine.unique1 + 1e-9
    assert coarse.unique2 >= fine.unique2 - 1e-9


@given(joint_tables())
@settings(max_examples=30, deadline=None)
def test_informations_are_rebuilt_from_the_atoms(p: Array) -> None:
    atoms = broja(p)
    assert atoms.information1 == pytest.approx(atoms.redundancy + atoms.unique1)
    assert atoms.union == pytest.approx(atoms.information1 + atoms.unique2, abs=ROUNDING)
    co_information = atoms.information1 + atoms.information2 - atoms.total
    assert atoms.co_information == pytest.approx(co_information, abs=ROUNDING)


def test_a_one_valued_target_holds_no_information() -> None:
    assert broja(dirichlet(3, 4, 1)).values == pytest.approx((0, 0, 0, 0), abs=ROUNDING)


def test_a_constant_source_leaves_only_the_other_unique() -> None:
    atoms = broja(dirichlet(1, 4, 3))
    assert atoms.values == pytest.approx((0, 0, atoms.total, 0), abs=ROUNDING)


@pytest.mark.parametrize("shape", [(4, 4, 4), (10, 10, 10), (3, 12, 2), (12, 3, 7), (2, 2, 40)])
def test_dense_tables_reach_a_billionth(shape: tuple[int, int, int]) -> None:
    assert_sound(broja(dirichlet(*shape)))


def test_skewed_tables_reach_a_billionth() -> None:
    weights = dirichlet(200, 4, 5, 3) ** 15
    for atoms in broja_many(weights, normalize=True, tolerance=1e-9):
        assert_sound(atoms)


def test_tables_that_stall_one_elimination_converge_by_the_other() -> None:
    """Without the second attempt a few of these 300 stop at 1e-8."""
    weights = dirichlet(300, 5, 2, 5) ** 24
    for atoms in broja_many(weights, normalize=True, tolerance=1e-9):
        assert_sound(atoms)


def test_a_batch_gives_what_single_tables_give() -> None:
    tables = dirichlet(20, 3, 4, 2, seed=3)
    for table, atoms in zip(tables, broja_many(tables, tolerance=1e-9), strict=True):
        assert atoms.values == pytest.approx(broja(table).values, abs=1e-9)


def test_both_methods_agree_within_their_certificates() -> None:
    p = dirichlet(8, 5, 4, 3, seed=1)
    problem = Marginals(p.sum(2), p.sum(1))
    newton, scale = interior.start(problem), scaling.start(problem)
    for _ in range(12):
        newton, exact = interior.advance(problem, newton)
        scale, rough = scaling.advance(problem, scale)
    assert (rough.lower <= exact.upper).all()
    assert (exact.lower <= rough.upper).all()
    assert rough.gap.max() < 1e-3


def test_any_experts_and_any_table_give_valid_bounds() -> None:
    p = dirichlet(30, 3, 4, 5)
    problem = Marginals(p.sum(2), p.sum(1))
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(30, 3, 5)), rng.normal(size=(30, 4, 5))
    wild = certify(problem, one, other, rng.random((30, 3, 4, 5)))
    for atoms, low, high, table in zip(
        broja_many(p, tolerance=1e-9), wild.lower, wild.upper, p, strict=True
    ):
        py = table.sum((0, 1))
        least = atoms.union * np.log(2) + float((py * np.log(py)).sum())
        assert low <= least <= high


def test_experts_that_underflow_still_give_a_lower_bound() -> None:
    """exp of such experts is 0 in float64: log sum exp(A + B) must not come out too small."""
    p = dirichlet(20, 3, 3, 2)
    problem = Marginals(p.sum(2), p.sum(1))
    rng = np.random.default_rng(1)
    for scale in (100.0, 1000.0, 10_000.0):
        one, other = scale * rng.normal(size=(20, 3, 2)), scale * rng.normal(size=(20, 3, 2))
        py = p.sum((1, 2))
        least = np.array([atoms.union for atoms in broja_many(p)]) * np.log(2)
        least += (py * np.log(py)).sum(1)
        assert (lower_bound(problem, one, other) <= least + 1e-6).all()


def test_rounding_restores_the_marginals_exactly() -> None:
    p = dirichlet(5, 3, 4, 2)
    problem = Marginals(p.sum(2), p.sum(1))
    q = round_to_marginals(problem, np.random.default_rng(0).random((5, 3, 4, 2)))
    np.testing.assert_allclose(q.sum(2), problem.a, rtol=0, atol=1e-15)
    np.testing.assert_allclose(q.sum(1), problem.b, rtol=0, atol=1e-15)
    assert (objective(q) <= 0).all()


def test_a_singular_matrix_leaves_nan_for_its_table_alone() -> None:
    """NumPy raises one error for the whole stack."""
    matrices = np.stack([np.eye(2), np.zeros((2, 2)), 2 * np.eye(2)])
    found = interior.solve_each(np.linalg.solve, matrices, np.ones((3, 2, 1)))
    np.testing.assert_array_equal(found[..., 0], [[1, 1], [np.nan, np.nan], [0.5, 0.5]])


def test_what_did_not_converge_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    p = dirichlet(6, 6, 3)
    exact = broja(p)
    monkeypatch.setattr("trifeature.pid.solver.SMALL", 0)
    monkeypatch.setattr("trifeature.pid.solver.LARGEST", 0)
    rough = broja(p)  # scaling alone does not reach 1e-9 here
    assert not rough.converged
    assert 1e-9 < rough.gap < 1e-2
    low, high = rough.intervals["synergy"]
    assert low <= exact.synergy <= high


def test_names_are_kept() -> None:
    atoms = broja(dirichlet(2, 2, 2), sources=("shape", "color"), target="label")
    assert (atoms.sources, atoms.target) == (("shape", "color"), "label")


def test_the_tolerance_has_a_floor() -> None:
    with pytest.raises(InputError, match="1e-09"):
        broja(dirichlet(2, 2, 2), tolerance=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_tensors_are_converted(dtype: torch.dtype) -> None:
    table = torch.from_numpy(GALLERY["AND"].table()).to(dtype).requires_grad_()
    assert broja(table).synergy == pytest.approx(0.5, abs=1e-6)
    assert broja_many(table[None])[0].synergy == pytest.approx(0.5, abs=1e-6)


@pytest.mark.slow  # Half a minute on one core; the fast tests cover the same code when small.
def test_large_tables() -> None:
    assert_sound(broja(dirichlet(50, 50, 50), tolerance=1e-4), 1e-4)
    assert_sound(broja(dirichlet(20, 20, 20)))
    assert_sound(broja(dirichlet(100, 100, 2)))


@pytest.mark.slow  # Ten seconds at worst; a timing on a shared machine can fail by chance.
def test_a_thousand_bootstrap_tables_take_seconds() -> None:
    tables = dirichlet(1000, 10, 10, 2)
    begin = time.perf_counter()
    results = broja_many(tables, tolerance=1e-4)
    assert time.perf_counter() - begin < 7.5
    assert all(atoms.converged for atoms in results)
