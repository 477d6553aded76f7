from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.linalg import null_space
from scipy.optimize import minimize

from trifeature import checks
from trifeature.data.rule import PairRule
from trifeature.data.settings import DatasetSettings
from trifeature.data.union import closed_forms
from trifeature.errors import InputError
from trifeature.pid.gallery import gallery_table
from trifeature.pid.samples import SampleSizeWarning
from trifeature.pid.solver import broja
from trifeature.pid.sources import solver as union_solver
from trifeature.pid.sources.coded import source_counts
from trifeature.pid.sources.union import SourceAtoms, information, sources_report, union_information
from trifeature.pid.tables import binary_entropy as h

Array = NDArray[np.float64]
BITS = (0, 1)
ROUNDING = 1e-12


def table_of(rows: Iterable[tuple[int, ...]]) -> Array:
    """Equal probabilities of the listed (x1, …, xn, y)."""
    cells = np.array(list(rows))
    p = np.zeros(cells.max(0) + 1)
    np.add.at(p, tuple(cells.T), 1.0)
    return np.asarray(p / p.sum())


def gate(rule: Callable[..., int], n: int, values: Iterable[int] = BITS) -> Array:
    return table_of((*x, rule(*x)) for x in product(values, repeat=n))


def random_table(*shape: int, seed: int = 0) -> Array:
    weights = np.random.default_rng(seed).exponential(size=shape)
    return np.asarray(weights / weights.sum())


def noisy(rate: float) -> Array:
    """p(x | y) of a bit that is flipped at this rate, [x, y]."""
    return np.array([[1 - rate, rate], [rate, 1 - rate]])


# --------------------------------------------------------------------------- known values


@pytest.mark.parametrize("name", ["AND", "COPY", "SUM", "BOOM", "PROB2", "DIFF", "ALL4"])
def test_of_two_sources_it_is_brojas(name: str) -> None:
    p = gallery_table(name)
    found, known = union_information(p), broja(p)
    assert found.converged
    assert found.value == pytest.approx(known.union, abs=1e-9)


def test_of_two_sources_the_report_is_brojas_atoms() -> None:
    p = random_table(3, 4, 2)
    found, known = sources_report(p, tolerance=1e-8), broja(p)
    assert found.converged
    assert list(found.unique.values()) == pytest.approx([known.unique1, known.unique2], abs=1e-8)
    assert found.synergy == pytest.approx(known.synergy, abs=1e-8)
    assert found.shared == pytest.approx(known.redundancy, abs=1e-8)
    assert list(found.single.values()) == pytest.approx([known.information1, known.information2])
    assert found.total == pytest.approx(known.total)


def test_one_source_is_unique() -> None:
    p = random_table(3, 4)
    found = sources_report(p)
    assert found.unique["X1"] == pytest.approx(information(p), abs=1e-9)
    assert (found.synergy, found.shared) == pytest.approx((0, 0), abs=1e-9)


# Values of Clarabel, an interior-point solver of exponential cones, through cvxpy 1.7.
@pytest.mark.parametrize(
    ("p", "bits"),
    [
        (gate(lambda *x: int(all(x)), 3), 0.137925375),
        (gate(lambda *x: sum(x), 3), 0.311278116),
        (gate(lambda *x: int(sum(x) > 1), 3), 0.188721887),
        (gate(lambda *x: int(all(x)), 4), 0.065507844),
        (gate(lambda *x: sum(x), 4), 0.219360936),
        (gate(lambda *x: int(sum(x) > 1), 4), 0.124256038),
        (gate(lambda *x: sum(x), 3, range(3)), 0.328808884),
    ],
    ids=["AND of 3", "sum of 3", "majority", "AND of 4", "sum of 4", "two of 4", "sum of trits"],
)
def test_gates_agree_with_a_conic_solver(p: Array, bits: float) -> None:
    found = union_information(p)
    assert found.converged
    assert found.value == pytest.approx(bits, abs=5e-8)


def atoms_of(found: SourceAtoms) -> tuple[float, ...]:
    return (*found.unique.values(), found.union, found.synergy)


def test_parity_is_all_synergy() -> None:
    assert atoms_of(sources_report(gate(lambda a, b, c: a ^ b ^ c, 3))) == (0, 0, 0, 0, 1)


def test_copies_of_the_target_are_not_unique() -> None:
    p = table_of((y, y, y, y) for y in BITS)
    assert atoms_of(sources_report(p)) == pytest.approx((0, 0, 0, 1, 0), abs=1e-9)


def test_independent_parts_of_the_target_are_unique() -> None:
    p = gate(lambda a, b, c: 4 * a + 2 * b + c, 3)
    assert atoms_of(sources_report(p)) == pytest.approx((1, 1, 1, 3, 0), abs=1e-9)


def test_a_noisy_copy_beside_an_xor_is_unique() -> None:
    xor = gate(lambda a, b: a ^ b, 2)
    p = np.einsum("aby,cy->abcy", xor, noisy(0.1))
    told = 1 - h(0.1)
    assert atoms_of(sources_report(p)) == pytest.approx((0, 0, told, told, 1 - told), abs=1e-8)


def test_the_least_noisy_of_noisy_copies_tells_it_all() -> None:
    p = np.einsum("ay,by,cy,y->abcy", noisy(0.1), noisy(0.2), noisy(0.3), [0.5, 0.5])
    found = sources_report(p, tolerance=1e-8)
    known = (h(0.2) - h(0.1), 0, 0, 1 - h(0.1))
    assert atoms_of(found)[:-1] == pytest.approx(known, abs=1e-8)


@pytest.mark.parametrize("rate", [0.25, 0.5, 1.0])
def test_a_task_of_three_modalities_has_its_closed_form(rate: float) -> None:
    """Image 2 has the partner of texture 1 at a rate; image 3 is silent; the task is texture 1."""
    few: dict[str, Any] = {"shapes": 4, "textures": 4, "colors": 4, "held_out": 4}
    rule = PairRule(scenario="synergy12")
    forms = closed_forms(DatasetSettings(**few, rule=rule, match_rate=rate), "train")
    (known,) = [row for row in forms if row["task"] == "unique1"]
    pairs = np.where(np.eye(4) == 1, rate / 4, (1 - rate) / 12)
    p = np.einsum("ab,c,ay->abcy", pairs, np.full(4, 1 / 4), np.eye(4))
    found = sources_report(p)
    assert atoms_of(found) == pytest.approx((*known["unique"], known["union"], 0), abs=1e-6)
    assert found.total == pytest.approx(known["total"])


@pytest.mark.parametrize("seed", range(3))
def test_a_general_optimizer_finds_the_same_minimum(seed: int) -> None:
    p = random_table(2, 2, 2, 2, seed=seed)
    cells = np.eye(p.size).reshape(p.size, *p.shape)
    axes = [tuple({1, 2, 3} - {i}) for i in (1, 2, 3)]
    sums = np.concatenate([cells.sum(other).reshape(p.size, -1) for other in axes], axis=1)
    moves = null_space(sums.T)  # changes of the table that keep the marginals

    def barrier(t: Array, weight: float) -> tuple[float, Array]:
        q = p.ravel() + moves @ t
        if q.min() <= 0:
            return np.inf, np.zeros_like(t)
        pairs = q.reshape(-1, 2)
        logs = np.log(pairs / pairs.sum(1, keepdims=True)).ravel()
        return q @ logs - weight * np.log(q).sum(), (logs - weight / q) @ moves

    t = np.zeros(moves.shape[1])
    for weight in 10.0 ** np.arange(-2, -9, -1):
        t = minimize(barrier, t, args=(weight,), jac=True, method="BFGS").x
    found = information((p.ravel() + moves @ t).reshape(p.shape))
    assert union_information(p).value == pytest.approx(found, abs=1e-5)


# --------------------------------------------------------------------------- the certificate


def sparse(seed: int) -> Array:
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 4, size=(3, 2, 3, 3)) * (rng.random((3, 2, 3, 3)) < 0.5)
    return np.asarray(weights / weights.sum())


@pytest.mark.parametrize("p", [sparse(0), sparse(1), random_table(2, 3, 2, 2, 3)])
def test_experts_and_table_prove_the_interval(p: Array) -> None:
    found = union_information(p)
    assert found.converged
    n, low = p.ndim - 1, 0.0
    for i in range(n):
        pxy = p.sum(tuple(set(range(n)) - {i}))
        assert found.q.sum(tuple(set(range(n)) - {i})) == pytest.approx(pxy, abs=ROUNDING)
        low += sum(
            pxy[cell] * found.experts[i][cell] for cell in np.ndindex(*pxy.shape) if pxy[cell]
        )
    for x in np.ndindex(*p.shape[:-1]):
        together = sum(expert[value] for expert, value in zip(found.experts, x, strict=True))
        assert np.exp2(together).sum() <= 1 + ROUNDING
    py = p.reshape(-1, p.shape[-1]).sum(0)
    target = -sum(one * np.log2(one) for one in py if one)
    assert found.interval.low == pytest.approx(target + low, abs=ROUNDING)
    assert found.interval.high == pytest.approx(information(found.q), abs=ROUNDING)


def test_bounds_that_are_not_tight_contain_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    p = random_table(3, 3, 3, 3)
    exact = union_information(p).value
    monkeypatch.setattr(union_solver, "STEPS", 2)
    monkeypatch.setattr(union_solver, "ROUNDS", 1)
    found = union_information(p)
    assert not found.converged
    assert found.gap > 1e-9
    assert found.interval.low <= exact <= found.interval.high


def test_scaling_alone_reaches_what_large_tables_need(monkeypatch: pytest.MonkeyPatch) -> None:
    p = random_table(3, 3, 3, 2)
    exact = union_information(p).value
    monkeypatch.setattr(union_solver, "LARGEST", 0)
    found = union_information(p, tolerance=1e-4)
    assert found.converged
    assert found.interval.low - 1e-9 <= exact <= found.interval.high + 1e-9


def test_a_table_of_16000_cells_is_certified() -> None:
    assert union_information(random_table(20, 20, 20, 2), tolerance=1e-6).converged


def test_masses_of_dozens_of_orders_of_magnitude_are_certified() -> None:
    weights = 10 ** np.random.default_rng(1).uniform(-30, 0, size=(2, 3, 2, 3))
    assert union_information(weights, normalize=True).converged


# --------------------------------------------------------------------------- invariances


def test_the_order_of_sources_does_not_matter() -> None:
    p = random_table(2, 3, 4, 2)
    one, other = sources_report(p), sources_report(p.transpose(2, 0, 1, 3))
    assert other.union == pytest.approx(one.union, abs=2e-6)
    names = [other.unique[name] for name in ("X2", "X3", "X1")]
    assert names == pytest.approx(list(one.unique.values()), abs=2e-6)


def test_values_that_tell_the_same_are_one_value() -> None:
    p = random_table(2, 3, 2, 3)
    split = np.concatenate([p * 0.3, p * 0.7], axis=1)
    found = union_information(split)
    assert found.value == pytest.approx(union_information(p).value, abs=1e-9)
    assert found.experts[1][:3] == pytest.approx(found.experts[1][3:])
    assert found.q.sum((0, 2)) == pytest.approx(split.sum((0, 2)))


def test_values_that_never_occur_change_nothing() -> None:
    p = random_table(2, 2, 2, 2)
    wide = np.pad(p, ((1, 0), (0, 1), (0, 0), (1, 1)))
    found = union_information(wide)
    assert found.value == pytest.approx(union_information(p).value, abs=1e-9)
    assert np.isneginf(found.experts[0][0]).all()
    assert found.q.shape == wide.shape


def test_a_constant_target_or_source_tells_nothing() -> None:
    assert union_information(random_table(2, 3, 2, 1)).value == pytest.approx(0, abs=ROUNDING)
    assert sources_report(random_table(1, 3, 1, 2)).unique["X1"] == pytest.approx(0, abs=1e-6)


def test_some_of_the_sources_are_united() -> None:
    p = random_table(2, 3, 4, 2)
    found = union_information(p, [2, 0])
    assert found.sources == (0, 2)
    assert found.value == pytest.approx(union_information(p.sum(1)).value, abs=1e-9)


@pytest.mark.parametrize("kind", [np.float32, bool, torch.tensor])
def test_other_kinds_of_numbers_are_converted(kind: Callable[[Array], object]) -> None:
    counts = gate(lambda a, b, c: a ^ b ^ c, 3) * 8
    converted = counts.astype(kind) if isinstance(kind, type) else kind(counts)
    assert sources_report(converted, normalize=True).synergy == 1  # type: ignore[arg-type]


# --------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"p": [0.5, 0.5]}, "two axes"),
        ({"p": np.zeros((2, 0, 2))}, "empty"),
        ({"p": np.full((2, 2, 2, 2), np.nan)}, "nan"),
        ({"p": np.ones((2, 2, 2, 2))}, "sums to 1"),
        ({"p": np.full((2, 2), 0.25), "sources": [1]}, "axes from 0 to 0"),
        ({"p": np.full((2, 2, 2), 0.125), "sources": [0, 0]}, "different axes"),
        ({"p": np.full((2, 2, 2), 0.125), "sources": []}, "different axes"),
        ({"p": np.full((2, 2), 0.25), "tolerance": 1e-12}, "at least 1e-09"),
    ],
)
def test_bad_input_is_refused_in_one_line(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        union_information(**arguments)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("names", [["a"], ["a", "a", "b"], "abc"])
def test_names_that_do_not_fit_are_refused(names: list[str]) -> None:
    with pytest.raises(InputError, match="3 different names"):
        sources_report(random_table(2, 2, 2, 2), sources=names)


def test_a_table_beyond_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "available_memory", lambda: 1000)
    with pytest.raises(InputError, match="coarsen the columns"):
        union_information(random_table(3, 3, 3, 2))


def test_the_rows_name_every_quantity() -> None:
    found = sources_report(random_table(2, 2, 2, 2), sources=["a", "b", "c"], target="t")
    names = ["unique a", "unique b", "unique c", "union", "synergy"]
    exact = ["I(a;t)", "I(b;t)", "I(c;t)", "total"]
    rows = found.rows()
    assert [row["quantity"] for row in rows] == names + exact
    assert all(row["low"] <= row["bits"] <= row["high"] for row in rows)
    assert found.sources == ("a", "b", "c")


# --------------------------------------------------------------------------- from columns


def test_columns_are_counted_into_a_table() -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.integers(0, 2, size=(3, 1000))
    counts = source_counts({"a": a, "b": np.where(b, "yes", "no"), "c": c}, a ^ b ^ c)
    known = np.zeros((2, 2, 2, 2))
    np.add.at(known, (a, b, c, a ^ b ^ c), 1)
    assert (counts == known).all()
    assert sources_report(counts, normalize=True).synergy == pytest.approx(1, abs=0.02)


def test_counts_beyond_memory_are_refused() -> None:
    with pytest.raises(InputError, match=r"2 x 2 cells is too large: coarsen"):
        source_counts({f"x{i}": [0, 1] for i in range(31)}, [0, 1])


def test_a_table_too_large_for_the_sample_warns() -> None:
    columns = np.random.default_rng(0).integers(0, 4, size=(4, 200))
    with pytest.warns(SampleSizeWarning, match="4 x 4 x 4 x 4 cells wants .* got 200"):
        source_counts(dict(zip("abc", columns, strict=False)), columns[3])


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        ({"Y": [0, 1]}, "called as the target"),
        ({"a": [0, 1, 1]}, "one length: a has 3, Y has 2"),
        ({f"x{i}": [0, 0] for i in range(40)}, "at most 32 columns, got 41"),
    ],
)
def test_columns_that_make_no_table_are_refused(sources: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        source_counts(sources, [0, 1])
