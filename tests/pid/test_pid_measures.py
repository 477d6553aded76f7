from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import example, given, settings
from numpy.typing import NDArray
from pid_random_tables import dirichlet, joint_tables
from typer.testing import CliRunner

from trifeature.cli.pid import app
from trifeature.errors import InputError
from trifeature.pid.gallery import gallery_table
from trifeature.pid.maxent import PairwiseMarginals, maximum_entropy, maximum_entropy_of
from trifeature.pid.measures import (
    MEASURES,
    Fitted,
    compare,
    decompose,
    decompose_many,
    mmi_redundancy,
    register_measure,
)

Array = NDArray[np.float64]

# name -> measure -> (redundancy, unique 1 = unique 2, synergy); four printed digits.
PRINTED = {
    "AND": {
        "I_min": (0.3113, 0, 0.5),
        "MMI": (0.3113, 0, 0.5),
        "I_ccs": (0.1038, 0.2075, 0.2925),
        "I_dep": (0.0817, 0.2296, 0.2704),
        "I_sx": (0.1226, 0.1887, 0.3113),
    },
    "COPY": {
        "I_min": (1, 0, 1),
        "MMI": (1, 0, 1),
        "I_ccs": (0, 1, 0),
        "I_dep": (0, 1, 0),
        "I_sx": (0.4150, 0.5850, 0.4150),
    },
    "XOR": {
        "I_min": (0, 0, 1),
        "MMI": (0, 0, 1),
        "I_ccs": (0, 0, 1),
        "I_dep": (0, 0, 1),
        "I_sx": (-0.5850, 0.5850, 0.4150),
    },
    "PWUNQ": {
        "I_min": (0.5, 0, 0.5),
        "MMI": (0.5, 0, 0.5),
        "I_ccs": (0, 0.5, 0),
        "I_dep": (0.25, 0.25, 0.25),
        "I_sx": (0, 0.5, 0),
    },
}


@pytest.mark.parametrize("name", PRINTED)
def test_measures_part_where_the_literature_says(name: str) -> None:
    for measure, (redundancy, unique, synergy) in PRINTED[name].items():
        atoms = decompose(gallery_table(name), measure)
        assert atoms.values == pytest.approx((redundancy, unique, unique, synergy), abs=5e-5)


@given(joint_tables(largest=3))
@settings(max_examples=30, deadline=None)
def test_every_measure_shares_out_the_same_informations(p: Array) -> None:
    results = compare(p)
    assert list(results) == list(MEASURES)
    for name, atoms in results.items():
        assert atoms.measure == name
        assert sum(atoms.values) == pytest.approx(atoms.total, abs=1e-9)
        assert atoms.information1 == pytest.approx(results["BROJA"].information1, abs=1e-9)
        assert atoms.information2 == pytest.approx(results["BROJA"].information2, abs=1e-9)
        assert atoms.total == pytest.approx(results["BROJA"].total, abs=1e-9)


@given(joint_tables(largest=3))
@settings(max_examples=30, deadline=None)
def test_broja_redundancy_is_at_most_the_least_information(p: Array) -> None:
    results = compare(p)
    assert results["BROJA"].redundancy <= results["MMI"].redundancy + 1e-9
    assert results["I_min"].redundancy <= results["MMI"].redundancy + 1e-9


# In one outcome of this table both I_ccs's local information of source 1 and of both sources are
# zero, so the outcome (0.016 bits) is in or out by a rounding error of the fit.
ZERO_LOCAL_INFORMATION = np.array(
    [[[0, 0, 0], [0, 3, 1]], [[1, 2, 0], [1, 1, 1]], [[1, 1, 1], [1, 1, 1]]]
) / 16  # fmt: skip


@given(joint_tables(largest=4))
@example(ZERO_LOCAL_INFORMATION)
@settings(max_examples=20, deadline=None)
def test_the_gap_of_a_fit_covers_its_error_and_says_whether_it_converged(p: Array) -> None:
    for measure in ("I_ccs", "I_dep"):
        exact = decompose(p, measure)
        assert exact.converged
        assert exact.gap < 1e-9
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("trifeature.pid.maxent.STEPS", 2)
            rough = decompose(p, measure)
        error = abs(rough.redundancy - exact.redundancy)
        assert error <= (rough.gap + exact.gap) / 2
        assert error < 1e-9 or not rough.converged


def test_a_fit_that_was_stopped_is_not_converged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trifeature.pid.maxent.STEPS", 1)
    for measure in ("I_ccs", "I_dep"):
        atoms = decompose(dirichlet(3, 3, 3), measure)
        assert not atoms.converged
        assert atoms.gap > 1e-9


def test_closed_formulas_are_exact() -> None:
    for measure in ("I_min", "MMI", "I_sx"):
        atoms = decompose(dirichlet(3, 3, 3), measure)
        assert (atoms.gap, atoms.converged) == (0, True)


@pytest.fixture
def own_measure() -> Iterator[str]:
    register_measure("half", lambda p: Fitted(mmi_redundancy(p) / 2, 1e-3))
    yield "half"
    del MEASURES["half"]


def test_a_registered_measure_is_known_everywhere(own_measure: str) -> None:
    atoms = decompose(gallery_table("RDN"), own_measure)
    assert atoms.values == pytest.approx((0.5, 0.5, 0.5, -0.5))
    assert (atoms.gap, atoms.converged, atoms.measure) == (1e-3, False, "half")
    assert "half" in compare(gallery_table("RDN"))
    result = CliRunner().invoke(app, ["show", "RDN", "--measure", "half", "--format", "json"])
    assert [row["bits"] for row in json.loads(result.stdout)] == pytest.approx(atoms.values)


@pytest.mark.parametrize("name", ["", "all", "BROJA", "half"])
def test_names_that_are_taken_cannot_be_registered(name: str, own_measure: str) -> None:
    with pytest.raises(InputError, match=r"exists already|cannot be called"):
        register_measure(name, mmi_redundancy)
    assert decompose(gallery_table("RDN"), own_measure).redundancy == 0.5


@pytest.mark.parametrize("value", ["much", None, float("nan"), (1.0, -1.0), (1.0, 2.0, 3.0)])
def test_what_a_measure_returns_is_checked(value: object, own_measure: str) -> None:
    MEASURES[own_measure] = lambda _: value  # type: ignore[assignment,return-value]
    with pytest.raises(InputError, match="measure 'half' must return a"):
        decompose(gallery_table("RDN"), own_measure)


def test_an_unknown_measure_is_named() -> None:
    with pytest.raises(InputError, match="did you mean 'I_min'"):
        decompose(gallery_table("XOR"), "Imin")


@given(joint_tables(largest=3))
@settings(max_examples=30, deadline=None)
def test_maximum_entropy_keeps_the_pairwise_marginals(p: Array) -> None:
    found = maximum_entropy(PairwiseMarginals.of(p))
    assert found.error < 1e-9
    own = -float((p[p > 0] * np.log2(p[p > 0])).sum())
    assert found.entropy_bound >= own - 1e-9
    q = found.table[found.table > 0]
    assert found.entropy_bound == pytest.approx(-float((q * np.log2(q)).sum()), abs=1e-6)


def test_the_fit_leaves_nothing_where_only_the_three_marginals_together_exclude_a_cell() -> None:
    # AND's marginals allow (1, 1, 0) one at a time, and exclude it together.
    assert maximum_entropy_of(gallery_table("AND")).table[1, 1, 0] < 1e-14
    assert (maximum_entropy_of(gallery_table("XOR")).table == 0.125).all()


def exact_fit_of_two_values(p: Array) -> Array:
    """The one table p + c s, s = +-1, whose log odds ratio of third order is 0, by bisection."""
    sign = np.fromfunction(lambda i, j, k: (-1.0) ** (i + j + k), (2, 2, 2))
    low, high = -p[sign > 0].min(), p[sign < 0].min()
    start, width = p + low * sign, high - low  # exact where the smallest of p reaches 0
    a, b = 0.0, width
    for _ in range(200):
        c = (a + b) / 2
        with np.errstate(divide="ignore"):
            ratio = float((sign * np.log(np.maximum(start + c * sign, 0))).sum())
        a, b = (a, c) if ratio > 0 else (c, b)
    return np.asarray(start + a * sign)


def masses_down_to(least: float, shape: tuple[int, int, int], seed: int) -> Array:
    rng = np.random.default_rng(seed)
    p = np.exp(rng.uniform(np.log(least), 0, shape))
    p[rng.random(shape) < 0.3 * (seed % 2)] = 0
    return np.asarray(p / p.sum())


@pytest.mark.parametrize("least", [1e-4, 1e-8, 1e-12])
def test_tiny_masses_are_fitted_as_accurately_as_large_ones(least: float) -> None:
    for seed in range(0, 8, 2):
        p = masses_down_to(least, (2, 2, 2), seed)
        fit = maximum_entropy_of(p)
        assert fit.table == pytest.approx(exact_fit_of_two_values(p), rel=0, abs=1e-14)
        for measure in ("I_ccs", "I_dep"):
            assert decompose(p, measure).converged


@pytest.mark.parametrize("shape", [(3, 3, 3), (2, 5, 2)])
def test_no_table_with_tiny_masses_is_refused(shape: tuple[int, int, int]) -> None:
    for seed in range(4):
        p = masses_down_to(1e-12, shape, seed)
        given = maximum_entropy(PairwiseMarginals.of(p))  # not known to be those of a table
        q = given.table
        for axis in range(3):
            assert q.sum(axis) == pytest.approx(p.sum(axis), rel=0, abs=1e-13)
        # The mean log of q under p is minus its entropy, for the table of maximum entropy alone.
        entropy = -float((q[q > 0] * np.log2(q[q > 0])).sum())
        assert given.entropy_bound == pytest.approx(entropy, abs=1e-11)
        for measure in ("I_ccs", "I_dep"):
            assert decompose(p, measure).gap < 1e-10


def test_a_known_support_is_kept() -> None:
    rng = np.random.default_rng(5)
    support = rng.random((3, 3, 3)) < 0.7
    p = support * rng.random((3, 3, 3))
    fit = maximum_entropy(PairwiseMarginals.of(p / p.sum()), support)
    assert (fit.table[~support] == 0).all()
    assert fit.error < 1e-13


def test_marginals_of_no_table_are_refused() -> None:
    same, other = np.eye(2) / 2, (1 - np.eye(2)) / 2
    with pytest.raises(InputError, match="no joint table"):
        maximum_entropy(PairwiseMarginals(same, same, other))
    for agreeing in (0.3, 0.33):  # three bits cannot each differ from both others: at least 1/3
        apart = agreeing * same + (1 - agreeing) * other
        with pytest.raises(InputError, match="no joint table"):
            maximum_entropy(PairwiseMarginals(apart, apart, apart))
    with pytest.raises(InputError, match=r"disagree on p\(x1\)"):
        maximum_entropy(PairwiseMarginals(np.diag([0.3, 0.7]), same, other))


def test_a_measure_is_known_in_any_case_and_a_stack_is_a_loop() -> None:
    tables = np.stack([gallery_table(name) for name in ("AND", "XOR")])
    for measure in ("i_min", "broja"):
        stacked = [atoms.values for atoms in decompose_many(tables, measure)]
        single = [decompose(table, measure).values for table in tables]
        assert np.array(stacked) == pytest.approx(np.array(single), abs=1e-6)
    with pytest.raises(InputError, match="did you mean 'I_min'"):
        decompose_many(tables, "imin")
