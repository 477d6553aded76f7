from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from trifeature.pid.estimation.corrections import (
    CORRECTIONS,
    REPEATS,
    Rows,
    corrected_atoms,
    shuffled_total,
)
from trifeature.pid.gallery import example
from trifeature.pid.measures import decompose

Array = NDArray[np.float64]


def drawn(name: str, n: int, seed: int = 0, measure: str = "BROJA") -> Rows:
    table = example(name).table()
    cells = np.random.default_rng(seed).choice(table.size, size=n, p=table.ravel())
    codes = np.unravel_index(cells, table.shape)
    N, M, K = table.shape
    return Rows(codes, (N, M, K), np.ones(n), measure)


def counted(rows: Rows, chosen: NDArray[np.intp], target: NDArray[np.intp] | None = None) -> Array:
    """A table by a loop over rows."""
    one, other, y = rows.codes
    y = y if target is None else target
    table = np.zeros(rows.shape)
    for row in chosen.tolist():
        table[one[row], other[row], y[row]] += rows.weights[row]
    return table


def by_mmi(table: Array) -> Array:
    """R, U1, U2, S of R = min(I1, I2), from entropies."""
    p = table / table.sum()

    def entropy(q: Array) -> float:
        q = q[q > 0]
        return float(-(q * np.log2(q)).sum())

    y = entropy(p.sum((0, 1)))
    i1 = entropy(p.sum((1, 2))) + y - entropy(p.sum(1))
    i2 = entropy(p.sum((0, 2))) + y - entropy(p.sum(0))
    i12 = entropy(p.sum(2)) + y - entropy(p)
    r = min(i1, i2)
    return np.array([r, i1 - r, i2 - r, i12 - i1 - i2 + r])


def test_the_five_corrections_have_names() -> None:
    assert CORRECTIONS == ("none", "linear", "quadratic", "shuffle", "both")


def test_no_correction_is_the_plug_in() -> None:
    rows = drawn("NOISY-AND", 60)
    found = corrected_atoms(rows, "none", np.random.default_rng(0))
    exact = decompose(counted(rows, np.arange(60)), "BROJA", normalize=True)
    assert found == pytest.approx(exact.values, abs=2e-6)


@pytest.mark.parametrize("order", ["linear", "quadratic"])
def test_extrapolations_are_those_of_the_same_halves_and_quarters(order: str) -> None:
    rows = drawn("NOISY-AND", 61, measure="MMI")
    found = corrected_atoms(rows, order, np.random.default_rng(5))
    rng = np.random.default_rng(5)
    means: dict[int, list[Array]] = {2: [], 4: []}
    for _ in range(REPEATS):
        shuffled = rng.permutation(61)
        for pieces, results in means.items():
            size, more = divmod(61, pieces)
            start = 0
            for piece in range(pieces):
                stop = start + size + (piece < more)
                results.append(by_mmi(counted(rows, shuffled[start:stop])))
                start = stop
    whole = by_mmi(counted(rows, np.arange(61)))
    half, quarter = np.mean(means[2], axis=0), np.mean(means[4], axis=0)
    wanted = 2 * whole - half if order == "linear" else (8 * whole - 6 * half + quarter) / 3
    assert found == pytest.approx(wanted, abs=1e-9)


def test_shuffle_subtracts_the_mean_of_permuted_targets() -> None:
    rows = drawn("W", 60, measure="MMI")
    found = corrected_atoms(rows, "shuffle", np.random.default_rng(7))
    rng = np.random.default_rng(7)
    nulls = [
        by_mmi(counted(rows, np.arange(60), rng.permutation(rows.codes[2]))) for _ in range(REPEATS)
    ]
    wanted = by_mmi(counted(rows, np.arange(60))) - np.mean(nulls, axis=0)
    assert found == pytest.approx(wanted, abs=1e-9)


def test_both_extrapolates_the_sample_and_the_permuted_ones() -> None:
    rows = drawn("W", 40, measure="MMI")
    found = corrected_atoms(rows, "both", np.random.default_rng(7))
    rng = np.random.default_rng(7)

    def extrapolated(target: NDArray[np.intp], splits: int) -> Array:
        halves, quarters = [], []
        for _ in range(splits):
            shuffled = rng.permutation(40)
            halves += [by_mmi(counted(rows, half, target)) for half in np.split(shuffled, 2)]
            quarters += [by_mmi(counted(rows, part, target)) for part in np.split(shuffled, 4)]
        whole = by_mmi(counted(rows, np.arange(40), target))
        mean_half, mean_quarter = np.mean(halves, axis=0), np.mean(quarters, axis=0)
        return np.asarray((8 * whole - 6 * mean_half + mean_quarter) / 3)

    nulls = [extrapolated(rng.permutation(rows.codes[2]), 1) for _ in range(REPEATS)]
    wanted = extrapolated(rows.codes[2], REPEATS) - np.mean(nulls, axis=0)
    assert found == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("correction", ["linear", "quadratic", "shuffle"])
def test_corrected_atoms_still_add_up(correction: str) -> None:
    # Both measures have the same informations, and a correction is linear in the atoms.
    rows = drawn("NOISY-AND", 40)
    same = drawn("NOISY-AND", 40, measure="MMI")
    found = corrected_atoms(rows, correction, np.random.default_rng(2))
    other = corrected_atoms(same, correction, np.random.default_rng(2))
    for parts in ([0, 1], [0, 2], [0, 1, 2, 3]):
        assert found[parts].sum() == pytest.approx(other[parts].sum(), abs=1e-6)


def test_corrections_lower_the_bias_of_independent_data() -> None:
    rng = np.random.default_rng(0)
    plug_in, shuffled, quadratic = [], [], []
    for seed in range(8):
        rows = drawn("INDEPENDENT", 400, seed, measure="MMI")
        plug_in.append(corrected_atoms(rows, "none", rng)[3])
        shuffled.append(corrected_atoms(rows, "shuffle", rng)[3])
        quadratic.append(corrected_atoms(rows, "quadratic", rng)[3])
    assert np.mean(plug_in) > 0.04
    assert abs(np.mean(shuffled)) < 0.01
    assert abs(np.mean(quadratic)) < 0.01


def test_weights_that_are_counts_are_repeated_rows() -> None:
    rows = drawn("W", 50)
    counts = np.random.default_rng(1).integers(1, 4, 50)
    weighted = Rows(rows.codes, rows.shape, counts.astype(float))
    repeated = Rows(
        [np.repeat(code, counts) for code in rows.codes], rows.shape, np.ones(counts.sum())
    )
    assert weighted.table().tolist() == repeated.table().tolist()


def test_the_test_of_independence_is_uniform_on_noise() -> None:
    rng = np.random.default_rng(0)
    p_values = [
        shuffled_total(drawn("INDEPENDENT", 100, seed), rng, permutations=9)[1]
        for seed in range(120)
    ]
    # P(p <= k / 10) = k / 10 exactly; the deviation of 120 samples' share is at most .046.
    for level in (0.1, 0.3, 0.5, 0.8):
        assert np.mean(np.array(p_values) <= level + 1e-9) == pytest.approx(level, abs=0.14)
    assert min(p_values) == 1 / 10


def test_the_test_of_independence_finds_an_exclusive_or() -> None:
    total, p_value = shuffled_total(drawn("XOR", 60), np.random.default_rng(0))
    assert p_value == 1 / 200
    assert total == pytest.approx(1, abs=0.1)


def test_the_total_above_permutations_is_near_0_on_noise() -> None:
    rng = np.random.default_rng(0)
    totals = [
        shuffled_total(drawn("INDEPENDENT", 60, seed), rng, permutations=9)[0] for seed in range(60)
    ]
    assert abs(np.mean(totals)) < 0.03
