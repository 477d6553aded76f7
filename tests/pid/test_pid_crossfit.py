from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pid_random_tables import dirichlet
from scipy import stats

from trifeature.pid.certificate import Marginals
from trifeature.pid.estimation import crossfit
from trifeature.pid.estimation.crossfit import (
    FOLDS,
    PSEUDO_ROWS,
    TOLERANCE,
    cross_fit,
    fold_tables,
    grassberger,
    miller_madow,
    second_order,
)
from trifeature.pid.gallery import example
from trifeature.pid.solver import Experts, solve_experts

Array = NDArray[np.float64]
Codes = tuple[NDArray[np.intp], ...]

EULER = 0.5772156649015329


def draw(name: str, n: int, seed: int = 0) -> tuple[Codes, tuple[int, int, int]]:
    table = example(name).table()
    cells = np.random.default_rng(seed).choice(table.size, size=n, p=table.ravel())
    return np.unravel_index(cells, table.shape), table.shape


def folds_of(name: str, n: int, seed: int = 0) -> Array:
    codes, shape = draw(name, n, seed)
    return fold_tables(codes, shape, np.ones(n), np.random.default_rng(seed))[0]


def solved(p: Array) -> Experts:
    """Experts of one table."""
    return solve_experts(Marginals(p.sum(1)[None], p.sum(0)[None]), TOLERANCE)


# --------------------------------------------------------------------------- experts


def with_zeros(shape: tuple[int, int, int], seed: int) -> Array:
    rng = np.random.default_rng(seed)
    p = rng.exponential(size=shape) * (rng.random(shape) < 0.6)
    p.flat[0] += 1.0
    return np.asarray(p / p.sum())


@pytest.mark.parametrize(
    "p",
    [
        dirichlet(3, 5, 2, seed=1),
        dirichlet(5, 2, 3, seed=2),
        with_zeros((4, 3, 3), 3),
        example("AND").table(),
        example("TWO-LOOKS").table(),
        example("UNQ1").table(),
    ],
)
def test_experts_are_feasible_on_every_pair_and_reach_their_bound(p: Array) -> None:
    N, M, K = p.shape
    found = solve_experts(Marginals(p.sum(1)[None], p.sum(0)[None]), 1e-8)
    one, other = found.expert1[0], found.expert2[0]
    a, b = p.sum(1), p.sum(0)
    for i in range(N):
        for j in range(M):
            if a[i].sum() > 0 and b[j].sum() > 0:
                assert sum(np.exp(one[i, y] + other[j, y]) for y in range(K)) <= 1 + 1e-12
    value = sum(a[i, y] * one[i, y] for i in range(N) for y in range(K) if a[i, y] > 0)
    value += sum(b[j, y] * other[j, y] for j in range(M) for y in range(K) if b[j, y] > 0)
    assert value == pytest.approx(found.bounds.lower[0], abs=1e-10)
    q = found.q[0]
    assert q.min() >= 0
    assert np.allclose(q.sum(1), p.sum(1), atol=1e-12)
    assert np.allclose(q.sum(0), p.sum(0), atol=1e-12)
    upper = sum(
        q[i, j, y] * np.log(q[i, j, y] / q[i, j].sum()) for i, j, y in np.argwhere(q > 0).tolist()
    )
    assert upper == pytest.approx(found.bounds.upper[0], abs=1e-10)
    assert 0 <= upper - value + 1e-12 <= 2e-8


def test_the_experts_of_a_stack_are_those_of_each_table() -> None:
    stack = np.stack([dirichlet(3, 2, 2, seed=seed) for seed in range(3)])
    found = solve_experts(Marginals(stack.sum(2), stack.sum(1)), TOLERANCE)
    for place, p in enumerate(stack):
        assert found.bounds.lower[place] == pytest.approx(solved(p).bounds.lower[0], abs=1e-7)


# --------------------------------------------------------------------------- the two means


def test_the_held_out_mean_is_that_of_a_loop_over_folds_and_rows() -> None:
    folds = folds_of("NOISY-AND", 83)
    _, N, M, K = folds.shape
    total = 0.0
    for fold in range(FOLDS):
        rest = folds.sum(0) - folds[fold] + PSEUDO_ROWS / (N * M * K)
        found = solved(rest / rest.sum())
        for i, j, y in np.ndindex(N, M, K):
            for _ in range(int(folds[fold, i, j, y])):
                total += found.expert1[0, i, y] + found.expert2[0, j, y]
    assert crossfit._held_out_mean(folds[None])[0] == pytest.approx(total / 83, abs=1e-9)


def test_standard_errors_are_those_of_a_loop_over_rows() -> None:
    (x1, x2, y), shape = draw("W", 90)
    weights = np.random.default_rng(1).uniform(0.5, 2, 90)
    folds, squares = fold_tables((x1, x2, y), shape, weights, np.random.default_rng(0))
    p = np.zeros(shape)
    np.add.at(p, (x1, x2, y), weights / weights.sum())
    found = solved(p)
    scores = []
    for i, j, k in zip(x1, x2, y, strict=True):
        py = p[:, :, k].sum()
        i1 = np.log(p[i, :, k].sum() / p[i].sum() / py)
        i2 = np.log(p[:, j, k].sum() / p[:, j].sum() / py)
        i12 = np.log(p[i, j, k] / p[i, j].sum() / py)
        e = found.expert1[0, i, k] + found.expert2[0, j, k] - np.log(py)
        scores.append((i1 + i2 - e, e - i2, e - i1, i12 - e))
    deviations = np.array(scores) - weights @ np.array(scores) / weights.sum()
    wanted = np.sqrt(weights**2 @ deviations**2) / weights.sum()
    terms = crossfit._Terms.of(folds[None].sum(1))
    errors = terms.standard_errors(found.expert1, found.expert2, squares[None].sum(1))
    assert errors[0] == pytest.approx(wanted, abs=1e-9)


def test_an_interval_spans_four_means_and_their_errors() -> None:
    folds = folds_of("NOISY-AND", 120)
    counts = folds.sum(0)
    p, n = counts / counts.sum(), counts.sum()
    fitted = solved(p)
    means = []
    for entropy in (miller_madow, grassberger):
        h1, h2, h12, h1y, h2y, h12y, hy = (
            float(entropy(counts.sum(axes).reshape(1, -1))[0])
            for axes in ((1, 2), (0, 2), 2, 1, 0, (), (0, 1))
        )
        i1, i2, i12 = h1 + hy - h1y, h2 + hy - h2y, h12 + hy - h12y
        for mean in (fitted.bounds.upper[0], crossfit._held_out_mean(folds[None])[0]):
            union = hy + mean
            means.append((i1 + i2 - union, union - i2, union - i1, i12 - union))
    low, high = np.min(means, axis=0), np.max(means, axis=0)
    errors = crossfit._Terms.of(counts[None]).standard_errors(
        fitted.expert1, fitted.expert2, counts[None]
    )[0]
    slack = (stats.chi2.ppf(0.9, 1) - 1) / (2 * n)
    half = stats.norm.ppf(0.95) * errors + slack
    found = cross_fit(folds[None], level=0.9)
    assert found.low[0] * np.log(2) == pytest.approx(low - half, abs=1e-9)
    assert found.high[0] * np.log(2) == pytest.approx(high + half, abs=1e-9)
    assert found.point[0] * np.log(2) == pytest.approx((low + high) / 2, abs=1e-9)
    above = low - slack
    wanted = np.where(above > 0, 2 * stats.norm.sf(above / errors), 1.0)
    assert found.p_value[0] == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_a_test_rejects_where_the_interval_lies_above_0(level: float) -> None:
    stack = np.stack([folds_of(name, 64) for name in ("NOISY-AND", "TWO-LOOKS", "AND", "UNQ1")])
    found = cross_fit(stack, level=level)
    assert ((found.p_value < 1 - level) == (found.low > 0)).all()


# --------------------------------------------------------------------------- entropies


def test_grassbergers_g_has_its_closed_values() -> None:
    # G(1) = -gamma - ln 2, G(2) = 2 + G(1), G(2 m + 2) = G(2 m) + 2 / (2 m + 1), and an odd
    # number has the value of the even one below it (Grassberger 2003, eqs. 29 and 30).
    wanted = [0.0, -EULER - np.log(2), 2 - EULER - np.log(2)]
    for n in range(3, 30):
        wanted.append(wanted[n - 1] if n % 2 else wanted[n - 2] + 2 / (n - 1))
    assert crossfit._g(np.arange(30.0)) == pytest.approx(wanted, abs=1e-12)


def test_grassbergers_entropy_is_that_of_a_loop_and_interpolated_between_whole_counts() -> None:
    counts = np.array([[0.0, 1.0, 2.0, 7.0, 0.0], [3.0, 3.0, 4.0, 0.0, 1.0]])
    values = crossfit._g(np.arange(9.0))
    for row, found in zip(counts, grassberger(counts), strict=True):
        n = row.sum()
        wanted = np.log(n) - sum(c * values[int(c)] for c in row) / n
        assert found == pytest.approx(wanted, abs=1e-12)
    between = grassberger(np.array([[2.25, 3.0]]))[0]
    first = 2 * values[2] + 0.25 * (3 * values[3] - 2 * values[2])
    assert between == pytest.approx(np.log(5.25) - (first + 3 * values[3]) / 5.25, abs=1e-12)


def test_grassbergers_entropy_is_nearer_than_the_plug_in() -> None:
    rng = np.random.default_rng(0)
    counts = rng.multinomial(40, np.full(32, 1 / 32), 200).astype(float)
    plug_in = miller_madow(counts) - ((counts > 0).sum(1) - 1) / 80
    truth = np.log(32)
    assert abs(grassberger(counts).mean() - truth) < 0.1 * abs(plug_in.mean() - truth)


def test_miller_and_madow_add_half_the_occupied_cells_less_one_over_n() -> None:
    found = miller_madow(np.array([[4.0, 4.0, 0.0, 8.0]]))[0]
    assert found == pytest.approx(1.5 * np.log(2) + 2 / 32, abs=1e-12)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_the_second_order_term_is_a_quantile_of_chi_squared(level: float) -> None:
    n = np.array([10.0, 400.0])
    for classes in (2, 3, 10):
        wanted = (stats.chi2.ppf(level, classes - 1) - (classes - 1)) / (2 * n)
        assert second_order(classes, n, level) == pytest.approx(wanted, abs=1e-12)
    assert second_order(1, n, level).tolist() == [0.0, 0.0]


# --------------------------------------------------------------------------- weights


def test_folds_are_of_equal_size_and_hold_every_row_once() -> None:
    codes, shape = draw("W", 97)
    folds, squares = fold_tables(codes, shape, np.ones(97), np.random.default_rng(3))
    assert sorted(set(folds.sum((1, 2, 3)).tolist())) == [9, 10]
    assert folds.sum() == 97
    wanted = np.zeros(shape)
    np.add.at(wanted, codes, 1)
    assert folds.sum(0).tolist() == wanted.tolist()
    assert squares.tolist() == folds.tolist()


def test_weights_are_scaled_to_the_effective_number_of_rows() -> None:
    codes, shape = draw("W", 97)
    weights = np.random.default_rng(0).uniform(0.1, 3, 97)
    one = fold_tables(codes, shape, weights, np.random.default_rng(3))
    other = fold_tables(codes, shape, 1e-7 * weights, np.random.default_rng(3))
    n = weights.sum() ** 2 / (weights**2).sum()
    for part, scaled in zip(one, other, strict=True):
        assert part.sum() == pytest.approx(n)
        assert part == pytest.approx(scaled)


# --------------------------------------------------------------------------- whole estimates


@pytest.mark.parametrize("name", ["NOISY-AND", "UNQ1", "PROB2"])
def test_exchanged_sources_exchange_the_unique_atoms(name: str) -> None:
    folds = folds_of(name, 150)
    one, other = cross_fit(folds[None]), cross_fit(folds.swapaxes(1, 2)[None])
    exchanged = [0, 2, 1, 3]
    # Held-out rows may weigh experts that are equally good in the fit differently.
    for field in ("point", "low", "high", "p_value"):
        same = getattr(one, field)[0]
        assert getattr(other, field)[0][exchanged] == pytest.approx(same, abs=1e-5)
    assert other.informations[0][[1, 0, 2]] == pytest.approx(one.informations[0], abs=1e-12)


def test_samples_at_once_are_estimated_as_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = np.stack([folds_of("AND", 64, seed) for seed in range(4)])
    together = cross_fit(stack)
    monkeypatch.setattr(crossfit, "BATCH_NUMBERS", 1)
    alone = cross_fit(stack)
    for field in ("point", "low", "high", "p_value", "informations"):
        assert getattr(together, field) == pytest.approx(getattr(alone, field), abs=1e-6)


@pytest.mark.parametrize("name", ["AND", "TWO-LOOKS", "COPY", "BOOM", "INDEPENDENT", "PROB2"])
def test_a_large_sample_has_the_exact_atoms(name: str) -> None:
    table = example(name).table()
    rng = np.random.default_rng(0)
    folds = rng.multinomial(10_000, table.ravel(), FOLDS).reshape(FOLDS, *table.shape)
    found = cross_fit(folds[None].astype(float), level=0.999)
    truth = np.array(example(name).atoms())
    assert found.point[0] == pytest.approx(truth, abs=1e-2)
    assert (found.low[0] <= truth + 1e-6).all()
    assert (truth - 1e-6 <= found.high[0]).all()


@pytest.mark.parametrize("name", ["AND", "RDN", "W"])
def test_the_uncut_atoms_add_up_to_the_informations(name: str) -> None:
    found = cross_fit(folds_of(name, 100)[None])
    r, u1, u2, s = found.point[0]
    i1, i2, i12 = found.informations[0]
    assert (r + u1, r + u2, r + u1 + u2 + s) == pytest.approx((i1, i2, i12), abs=1e-12)


def test_a_target_of_one_value_has_no_atoms() -> None:
    folds = np.full((1, FOLDS, 2, 2, 1), 5.0)
    found = cross_fit(folds)
    for field in ("point", "low", "high"):
        # Grassberger's entropy of one cell is of the order 1 / n^2, not 0.
        assert getattr(found, field)[0] == pytest.approx(np.zeros(4), abs=1e-5)
    assert found.p_value[0].tolist() == [1.0] * 4
