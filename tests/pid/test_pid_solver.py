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
from trifeature.pid.certificate import Marginals, certify, objective, round_to_marginals
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


def test_a_batch_gives_what_single_tables_give() -> None:
    tables = dirichlet(20, 3, 4, 2, seed=3)
    for table, atoms in zip(tables, broja_many(tables, tolerance=1e-9), strict=True):
        assert atoms.values == pytest.approx(broja(table).values, abs=1e-9)


def test_both_methods_agree_within_their_certificates() -> None:
    p = torch.from_numpy(dirichlet(8, 5, 4, 3, seed=1))
    problem = Marginals(p.sum(2), p.sum(1))
    newton, scale = interior.start(problem), scaling.start(problem)
    for _ in range(12):
        newton, exact = interior.advance(problem, newton)
        scale, rough = scaling.advance(problem, scale)
    assert bool((rough.lower <= exact.upper).all())
    assert bool((exact.lower <= rough.upper).all())
    assert rough.gap.max().item() < 1e-3


def test_any_experts_and_any_table_give_valid_bounds() -> None:
    p = torch.from_numpy(dirichlet(30, 3, 4, 5))
    problem = Marginals(p.sum(2), p.sum(1))
    noise = torch.Generator().manual_seed(0)
    one = torch.randn(30, 3, 5, generator=noise, dtype=torch.float64)
    other = torch.randn(30, 4, 5, generator=noise, dtype=torch.float64)
    wild = certify(problem, one, other, torch.rand(30, 3, 4, 5, generator=noise).double())
    for atoms, low, high, table in zip(
        broja_many(p, tolerance=1e-9), wild.lower, wild.upper, p, strict=True
    ):
        py = table.sum((0, 1))
        least = atoms.union * np.log(2) + float((py * py.log()).sum())
        assert float(low) <= least <= float(high)


def test_rounding_restores_the_marginals_exactly() -> None:
    p = torch.from_numpy(dirichlet(5, 3, 4, 2))
    problem = Marginals(p.sum(2), p.sum(1))
    q = round_to_marginals(problem, torch.rand(5, 3, 4, 2, dtype=torch.float64))
    torch.testing.assert_close(q.sum(2), problem.a, rtol=0, atol=1e-15)
    torch.testing.assert_close(q.sum(1), problem.b, rtol=0, atol=1e-15)
    assert bool((objective(q) <= 0).all())


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


def test_an_unknown_device_is_one_line() -> None:
    with pytest.raises(InputError, match="cannot compute on device 'nowhere'"):
        broja(dirichlet(2, 2, 2), device="nowhere")


def test_float32_torch_tables_are_welcome() -> None:
    table = torch.from_numpy(GALLERY["AND"].table()).float()
    assert broja(table).synergy == pytest.approx(0.5, abs=1e-6)


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


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_gives_the_same_certified_atoms() -> None:
    tables = dirichlet(50, 6, 5, 4)
    there = broja_many(tables, tolerance=1e-9, device="cuda")
    for one, other in zip(broja_many(tables, tolerance=1e-9), there, strict=True):
        assert_sound(other)
        assert one.values == pytest.approx(other.values, abs=1e-9)
