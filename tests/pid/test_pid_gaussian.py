from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from trifeature.errors import InputError
from trifeature.extra.bench.pid import bench_gaussian, projected_gradient, random_covariance
from trifeature.pid.gaussians import program
from trifeature.pid.gaussians.decomposition import (
    gaussian,
    gaussian_bounds,
    gaussian_many,
    gaussian_mmi,
    gaussian_solution,
)
from trifeature.pid.gaussians.laws import Law, law_of
from trifeature.pid.solver import broja

Array = NDArray[np.float64]
Sizes = tuple[int, int, int]

LN2 = np.log(2.0)
SHAPES: list[Sizes] = [(1, 1, 1), (3, 2, 1), (1, 1, 2), (2, 2, 2), (3, 2, 2), (2, 1, 4), (4, 4, 3)]


def information(covariance: Array, one: list[int], other: list[int]) -> float:
    """I(one; other) in bits, by three determinants."""
    dets = [
        np.linalg.slogdet(covariance[np.ix_(part, part)])[1]
        for part in (one, other, [*one, *other])
    ]
    return float((dets[0] + dets[1] - dets[2]) / (2 * LN2))


def blocks(sizes: Sizes) -> tuple[list[int], list[int], list[int]]:
    d1, d2, dy = sizes
    return (
        list(range(d1)),
        list(range(d1, d1 + d2)),
        list(range(d1 + d2, d1 + d2 + dy)),
    )


def least_information(covariance: Array, sizes: Sizes) -> float:
    """I_union in bits by L-BFGS over Cov(X1, X2), through C = M (I + M^T M)^(-1/2)."""
    x1, x2, y = blocks(sizes)
    inverse = np.linalg.inv(covariance[np.ix_(y, y)])
    explained = covariance[np.ix_(x1, y)] @ inverse @ covariance[np.ix_(y, x2)]
    roots = []
    for x in (x1, x2):
        cross = covariance[np.ix_(x, y)]
        values, vectors = np.linalg.eigh(covariance[np.ix_(x, x)] - cross @ inverse @ cross.T)
        roots.append((vectors * np.sqrt(values)) @ vectors.T)

    def joint(flat: Array) -> float:
        M = flat.reshape(len(x1), len(x2))
        values, vectors = np.linalg.eigh(np.eye(len(x2)) + M.T @ M)
        C = M @ (vectors / np.sqrt(values)) @ vectors.T
        changed = covariance.copy()
        changed[np.ix_(x1, x2)] = explained + roots[0] @ C @ roots[1]
        changed[np.ix_(x2, x1)] = changed[np.ix_(x1, x2)].T
        return information(changed, [*x1, *x2], y)

    start = np.zeros(len(x1) * len(x2))
    return float(minimize(joint, start, method="L-BFGS-B", options={"ftol": 1e-13}).fun)


@pytest.mark.parametrize("sizes", SHAPES)
def test_the_union_is_the_least_information_that_an_optimizer_finds(sizes: Sizes) -> None:
    covariance = random_covariance(sizes, 1)
    atoms = gaussian(covariance, sizes)
    assert atoms.converged
    assert atoms.union == pytest.approx(least_information(covariance, sizes), abs=1e-6)


@pytest.mark.parametrize("sizes", [*SHAPES, (20, 20, 10)])
def test_the_projected_gradient_meets_the_closed_form_within_its_gap(sizes: Sizes) -> None:
    covariance = random_covariance(sizes, 2)
    value, gap, _ = projected_gradient(covariance, sizes)
    union = gaussian(covariance, sizes).union * LN2
    assert gap <= 1e-8
    assert value - gap - 1e-12 <= union <= value + 1e-12


@pytest.mark.parametrize("sizes", SHAPES)
def test_the_informations_are_those_of_the_determinants(sizes: Sizes) -> None:
    covariance = random_covariance(sizes, 3)
    x1, x2, y = blocks(sizes)
    atoms = gaussian(covariance, sizes)
    assert atoms.information1 == pytest.approx(information(covariance, x1, y), abs=1e-12)
    assert atoms.information2 == pytest.approx(information(covariance, x2, y), abs=1e-12)
    assert atoms.total == pytest.approx(information(covariance, [*x1, *x2], y), abs=1e-12)
    assert sum(atoms.values) == pytest.approx(atoms.total, abs=1e-12)
    assert min(atoms.values) >= -atoms.gap


@pytest.mark.parametrize("sizes", [(1, 1, 1), (5, 5, 1), (1, 4, 1)])
def test_a_scalar_target_has_the_smaller_information_as_redundancy(sizes: Sizes) -> None:
    for seed in range(5):
        covariance = random_covariance(sizes, seed)
        atoms, shortcut = gaussian(covariance, sizes), gaussian_mmi(covariance, sizes)
        least = min(atoms.information1, atoms.information2)
        assert atoms.redundancy == pytest.approx(least, abs=1e-13)
        assert atoms.values == pytest.approx(shortcut.values, abs=1e-13)


def test_the_shortcut_is_wrong_for_two_dimensions_of_the_target() -> None:
    # X1 sees one half of Y and X2 the other: nothing is shared.
    covariance = np.eye(4) + 0.5 * (np.eye(4, k=2) + np.eye(4, k=-2))
    assert gaussian(covariance, (1, 1, 2)).redundancy == pytest.approx(0, abs=1e-15)
    assert gaussian_mmi(covariance, (1, 1, 2)).redundancy == pytest.approx(
        -np.log2(1 - 0.25) / 2, abs=1e-15
    )


@pytest.mark.parametrize("sizes", [(2, 2, 2), (3, 1, 2), (1, 2, 4)])
def test_invertible_maps_of_each_variable_change_nothing(sizes: Sizes) -> None:
    covariance = random_covariance(sizes, 4)
    rng, T = np.random.default_rng(0), np.zeros_like(covariance)
    for block in blocks(sizes):
        T[np.ix_(block, block)] = rng.standard_normal((len(block), len(block))) * 1e3
    mapped = gaussian(T @ covariance @ T.T, sizes)
    assert mapped.values == pytest.approx(gaussian(covariance, sizes).values, abs=1e-9)


def test_swapping_the_sources_swaps_the_unique_atoms() -> None:
    covariance = random_covariance((3, 2, 2), 5)
    order = [3, 4, 0, 1, 2, 5, 6]
    one = gaussian(covariance, (3, 2, 2))
    other = gaussian(covariance[np.ix_(order, order)], (2, 3, 2))
    swapped = (other.redundancy, other.unique2, other.unique1, other.synergy)
    assert one.values == pytest.approx(swapped, abs=1e-12)


def test_a_source_that_is_the_other_with_noise_has_nothing_of_its_own() -> None:
    rng = np.random.default_rng(0)
    law = Law(rng.standard_normal((2, 3)), np.zeros((2, 3)), np.zeros((2, 2)))
    covariance = law.covariance()
    # X2 = T X1 + independent noise.
    T = np.eye(7)
    T[2:4, :2] = rng.standard_normal((2, 2))
    atoms = gaussian(T @ covariance @ T.T, (2, 2, 3))
    assert (atoms.unique2, atoms.synergy) == pytest.approx((0, 0), abs=1e-13)
    assert atoms.unique1 > 0.1


@pytest.mark.parametrize("sizes", [*SHAPES, (10, 10, 5)])
def test_the_solution_attains_the_union_with_the_same_marginals(sizes: Sizes) -> None:
    covariance = random_covariance(sizes, 6)
    x1, x2, y = blocks(sizes)
    found = gaussian_solution(covariance, sizes)
    for x in (x1, x2):
        pair = np.ix_([*x, *y], [*x, *y])
        assert found.covariance[pair] == pytest.approx(covariance[pair], abs=1e-13)
    least = information(found.covariance, [*x1, *x2], y)
    assert least == pytest.approx(found.atoms.union, abs=1e-10)
    assert np.linalg.norm(found.cross_noise, 2) <= 1 + 1e-12
    assert np.linalg.eigvalsh(found.covariance)[0] > -1e-12
    assert found.union.low <= found.atoms.union <= found.union.high
    bounds = gaussian_bounds(covariance, sizes, found.cross_noise)
    assert bounds.high - bounds.low < 1e-10


def test_the_advantages_add_up_to_the_unique_atoms_and_their_components_are_uncorrelated() -> None:
    covariance = np.diag([1, 2, 3, 4, 5, 6.0]) @ random_covariance((2, 2, 2), 7)
    covariance = covariance @ np.diag([1, 2, 3, 4, 5, 6.0])
    found = gaussian_solution(covariance, (2, 2, 2))
    assert np.maximum(found.advantages, 0).sum() == pytest.approx(found.atoms.unique1)
    assert np.maximum(-found.advantages, 0).sum() == pytest.approx(found.atoms.unique2)
    for x in ([0, 1], [2, 3]):
        cross = covariance[np.ix_(x, [4, 5])]
        error = covariance[4:, 4:] - cross.T @ np.linalg.solve(covariance[np.ix_(x, x)], cross)
        seen = found.components @ error @ found.components.T
        assert seen[0, 1] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (2, 2, 2), (3, 2, 2), (4, 4, 3)])
def test_any_cross_noise_and_any_basis_bound_the_union(sizes: Sizes) -> None:
    rng, covariance = np.random.default_rng(0), random_covariance(sizes, 8)
    union = gaussian(covariance, sizes).union
    law = law_of(covariance, sizes)
    error1, error2 = (
        np.asarray(np.linalg.inv(np.eye(sizes[2]) + H.T @ H))[None] for H in (law.H1, law.H2)
    )
    for _ in range(10):
        C = rng.standard_normal((sizes[0], sizes[1]))
        bounds = gaussian_bounds(covariance, sizes, C * rng.uniform() / np.linalg.norm(C, 2))
        assert bounds.low - 1e-12 <= union <= bounds.high + 1e-12
        basis = rng.standard_normal((1, sizes[2], sizes[2]))
        lower, upper = program.certify(error1, error2, basis)
        assert lower[0] / LN2 - 1e-12 <= union <= upper[0] / LN2 + 1e-12


def test_the_gradient_of_the_bounds_is_that_of_finite_differences() -> None:
    covariance, C = random_covariance((2, 1, 2), 9), np.array([[0.3], [-0.4]])
    steps = 1e-5 * np.eye(2)[:, :, None]

    def f(cross_noise: Array) -> float:
        return gaussian_bounds(covariance, (2, 1, 2), cross_noise).high

    G = np.array([(f(C + step) - f(C - step)) / 2e-5 for step in steps])[:, None]
    lower = f(C) - float((G * C).sum()) - np.linalg.norm(G)
    assert gaussian_bounds(covariance, (2, 1, 2), C).low == pytest.approx(lower, abs=1e-8)


def test_a_batch_equals_single_covariances() -> None:
    stack = np.stack([random_covariance((2, 3, 2), seed) for seed in range(6)])
    for together, alone in zip(gaussian_many(stack, (2, 3, 2)), stack, strict=True):
        assert together == gaussian(alone, (2, 3, 2))


def test_ties_of_both_sources_are_no_trouble() -> None:
    equal = Law(np.eye(3), np.eye(3), np.zeros((3, 3)))
    found = gaussian_solution(equal.covariance(), (3, 3, 3))
    assert found.atoms.converged
    assert found.atoms.values[:3] == pytest.approx((1.5, 0, 0), abs=1e-12)
    assert found.advantages == pytest.approx(np.zeros(3), abs=1e-12)


def test_the_gap_covers_rounding_and_says_so_where_it_is_large() -> None:
    rng = np.random.default_rng(0)
    for exponent in (0, 4, 8):
        Q = np.linalg.qr(rng.standard_normal((6, 6)))[0]
        covariance = (Q * 10.0 ** -np.linspace(0, exponent, 6)) @ Q.T
        covariance = (covariance + covariance.T) / 2
        atoms = gaussian(covariance, (2, 2, 2))
        # Order of the variables within X1 and Y: the same law, rounded differently.
        order = [1, 0, 3, 2, 5, 4]
        other = gaussian(covariance[np.ix_(order, order)], (2, 2, 2))
        assert abs(atoms.union - other.union) <= atoms.gap
        assert atoms.converged == (exponent < 8)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(lambda c: torch.tensor(c, requires_grad=True), id="tensor"),
        pytest.param(lambda c: c.tolist(), id="lists"),
        pytest.param(lambda c: np.asfortranarray(c.astype(">f8")), id="big-endian"),
    ],
)
def test_other_arrays_are_read_alike(given: Any) -> None:
    covariance = random_covariance((1, 2, 1))
    assert gaussian(given(covariance), [1, 2, 1]) == gaussian(covariance, (1, 2, 1))


def changed(entry: tuple[int, int], value: float) -> Array:
    covariance = random_covariance((1, 2, 1))
    covariance[entry] = value
    return covariance


SUMS = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 1, 1, 0]])
COPIES = np.array([[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 1]])


@pytest.mark.parametrize(
    ("covariance", "message"),
    [
        (np.eye(3), r"D = 4, the sum of sizes \(1, 2, 1\), got \(3, 3\)"),
        (np.eye(4)[None], r"a covariance is \[D, D\]"),
        (changed((0, 1), 0.9), "not symmetric"),
        (changed((2, 2), np.nan), "holds nan or infinity"),
        (changed((2, 2), 0.0), r"variance 0 of right\[1\]: leave constants out"),
        (np.eye(4) + 0.9 * np.eye(4, k=1) + 0.9 * np.eye(4, k=-1), "not positive definite"),
        (SUMS @ SUMS.T, r"left, right\[0\], right\[1\], Y determine each other"),
        (COPIES @ COPIES.T, r"left, right\[0\] are linearly dependent"),
        (np.eye(4) * 1j, "real numbers, got complex128"),
        ([[1.0], [1.0, 2.0]], "rows that differ"),
        ("covariance", "real numbers"),
    ],
)
def test_what_is_no_covariance_is_refused_in_one_line(covariance: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        gaussian(covariance, (1, 2, 1), sources=("left", "right"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("sizes", [(1, 2), 4, (1, 0, 3), (1.0, 2, 1), "121"])
def test_sizes_are_three_whole_numbers(sizes: Any) -> None:
    with pytest.raises(InputError, match="sizes"):
        gaussian(np.eye(4), sizes)


def test_other_wrong_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="covariance 1 is not positive definite"):
        gaussian_many([np.eye(3), 2 * np.ones((3, 3)) - np.eye(3)], (1, 1, 1))
    with pytest.raises(InputError, match=r"\[T, D, D\]"):
        gaussian_many(np.zeros((0, 3, 3)), (1, 1, 1))
    with pytest.raises(InputError, match="tolerance must be above 0"):
        gaussian(np.eye(3), (1, 1, 1), tolerance=0.0)
    for C in (np.zeros((1, 2)), [[2.0]], "C", [[np.nan]]):
        with pytest.raises(InputError, match="cross_noise"):
            gaussian_bounds(np.eye(3), (1, 1, 1), C)


def test_twenty_and_twenty_and_ten_dimensions_are_fast_and_certified() -> None:
    covariance = random_covariance((20, 20, 10))
    gaussian(covariance, (20, 20, 10))
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        atoms = gaussian(covariance, (20, 20, 10))
        seconds.append(time.perf_counter() - started)
        assert atoms.gap * LN2 < 1e-8
    # 0.8 ms on a quiet core; 50 ms were asked for.
    assert min(seconds) < 0.05


def test_the_benchmark_compares_both_ways_on_the_same_covariances() -> None:
    (row,) = bench_gaussian([(2, 2, 2)], count=2)
    assert row["dims"] == "2 + 2 + 2"
    assert row["difference_nats"] < row["gradient_gap_nats"] + 1e-12
    assert row["gap_nats"] < 1e-11
    assert row["mmi_error"] > 0.01
    with pytest.raises(InputError, match="count"):
        bench_gaussian(count=0)


@pytest.mark.slow  # 13,824 cells: a second.
def test_a_finely_binned_gaussian_has_nearly_its_atoms() -> None:
    covariance = np.array([[1, 0.3, 0.7], [0.3, 1, 0.5], [0.7, 0.5, 1]])
    edges = np.linspace(-3.6, 3.6, 25)
    centers = (edges[1:] + edges[:-1]) / 2
    grid = np.stack(np.meshgrid(centers, centers, centers, indexing="ij"), -1)
    table = multivariate_normal(cov=covariance).pdf(grid)
    binned = broja(table, normalize=True, tolerance=1e-3)
    assert binned.values == pytest.approx(gaussian(covariance, (1, 1, 1)).values, abs=0.02)
