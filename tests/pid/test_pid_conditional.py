from __future__ import annotations

from math import log2

import numpy as np
import pytest
from numpy.typing import NDArray

from trifeature.errors import InputError
from trifeature.pid.atoms import ATOM_NAMES, Atoms, mean_atoms
from trifeature.pid.gallery import gallery_table
from trifeature.pid.measures import decompose
from trifeature.pid.sources.conditional import conditional, conditional_columns

Array = NDArray[np.float64]


def random_table(*shape: int, seed: int = 0) -> Array:
    weights = np.random.default_rng(seed).exponential(size=shape)
    return np.asarray(weights / weights.sum())


def entropy(p: Array) -> float:
    return -sum(one * log2(one) for one in p.ravel().tolist() if one)


def mixture() -> Array:
    """XOR with probability 1/4, a redundant bit otherwise; [z, x1, x2, y]."""
    return np.stack([gallery_table("XOR") / 4, gallery_table("RDN") * 3 / 4])


def test_the_mean_is_weighted_by_the_probability_of_each_value() -> None:
    found = conditional(mixture())
    assert found.atoms.values == pytest.approx((0.75, 0, 0, 0.25), abs=1e-9)
    assert found.weights == pytest.approx({"0": 0.25, "1": 0.75})
    assert found.by_value["0"].synergy == pytest.approx(1, abs=1e-9)
    assert found.by_value["1"].redundancy == pytest.approx(1, abs=1e-9)


def test_unconditional_atoms_of_the_same_table_differ() -> None:
    alone = decompose(mixture().sum(0))
    assert conditional(mixture()).atoms.total > alone.total + 0.1


@pytest.mark.parametrize("measure", ["BROJA", "I_min", "I_ccs"])
def test_the_atoms_sum_to_the_conditional_information(measure: str) -> None:
    p = random_table(3, 2, 3, 2)
    found = conditional(p, measure)
    # I(X1, X2; Y | Z) = H(X, Z) + H(Y, Z) - H(X, Y, Z) - H(Z).
    known = entropy(p.sum(3)) + entropy(p.sum((1, 2))) - entropy(p) - entropy(p.sum((1, 2, 3)))
    assert sum(found.atoms.values) == pytest.approx(known, abs=1e-9)
    assert found.atoms.total == pytest.approx(known)
    assert found.atoms.measure == measure


def test_the_atoms_are_the_mean_of_a_loop() -> None:
    p = random_table(4, 3, 2, 2)
    loop = [(one.sum(), decompose(one, normalize=True)) for one in p]
    found = conditional(p)
    for name in ATOM_NAMES:
        known = sum(weight * atoms.value(name) for weight, atoms in loop)
        assert found.atoms.value(name) == pytest.approx(known, abs=2e-9)


def test_certified_intervals_add_up() -> None:
    found = conditional(random_table(3, 3, 3, 2), tolerance=1e-4)
    widths = [found.weights[z] * atoms.gap for z, atoms in found.by_value.items()]
    assert found.atoms.gap == pytest.approx(sum(widths))
    assert found.atoms.converged
    exact = conditional(random_table(3, 3, 3, 2)).atoms
    for name, (low, high) in found.atoms.intervals.items():
        assert low - 1e-9 <= exact.value(name) <= high + 1e-9


def test_a_fit_that_is_not_exact_is_not_converged() -> None:
    found = conditional(random_table(2, 3, 3, 2), "I_ccs").atoms
    assert found.converged == (found.gap <= 1e-9)


def test_a_constant_condition_changes_nothing() -> None:
    p = random_table(2, 3, 2)
    assert conditional(p[None]).atoms.values == pytest.approx(decompose(p).values, abs=1e-9)


def test_values_that_never_occur_are_left_out() -> None:
    p = np.pad(mixture(), ((1, 1), (0, 0), (0, 0), (0, 0)))
    found = conditional(p, values=["none", "xor", "rdn", "neither"])
    assert list(found.by_value) == ["xor", "rdn"]
    assert found.atoms.synergy == pytest.approx(0.25, abs=1e-9)


def test_columns_agree_with_the_table_of_their_counts() -> None:
    rng = np.random.default_rng(0)
    z, x1, x2 = (rng.integers(0, k, 500) for k in (3, 2, 2))
    y = np.where(z == 0, x1 ^ x2, x1)
    counts = np.zeros((3, 2, 2, 2))
    np.add.at(counts, (z, x1, x2, y), 1)
    found = conditional_columns(
        x1, x2, y, np.array(["a", "b", "c"])[z], sources=("s", "t"), target_name="u"
    )
    known = conditional(counts, normalize=True)
    assert found.atoms.values == pytest.approx(known.atoms.values, abs=1e-9)
    assert list(found.weights) == ["a", "b", "c"]
    assert found.given == "Z"
    assert (found.atoms.sources, found.atoms.target) == (("s", "t"), "u")


def test_rows_end_with_the_mean() -> None:
    rows = conditional(mixture(), given="trial").rows()
    assert [row["trial"] for row in rows] == ["0", "1", "mean"]
    assert rows[-1]["synergy"] == pytest.approx(0.25, abs=1e-9)
    assert sum(row["weight"] for row in rows[:-1]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"p": gallery_table("AND")}, r"four axes \[z, x1, x2, y\], got 3"),
        ({"p": mixture() * 2}, "sums to 1"),
        ({"p": mixture(), "measure": "BROJJA"}, "did you mean 'BROJA'"),
        ({"p": mixture(), "values": ["a"]}, "as many different names"),
        ({"p": mixture(), "values": ["a", "a"]}, "as many different names"),
        ({"p": mixture(), "tolerance": 0.0}, "at least 1e-09"),
    ],
)
def test_bad_input_is_refused_in_one_line(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        conditional(**arguments)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_columns_of_different_lengths_or_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="one length"):
        conditional_columns([0, 1], [0, 1], [0, 1], [0, 1, 1])
    with pytest.raises(InputError, match="four different names"):
        conditional_columns([0, 1], [0, 1], [0, 1], [0, 1], given_name="Y")


def test_a_mean_has_converged_where_each_of_its_parts_has() -> None:
    one = Atoms(1.0, 0.0, 0.0, 0.0, 1.0)
    other = Atoms(0.0, 0.0, 0.0, 0.5, 0.5, gap=0.1, converged=False)
    found = mean_atoms([one, other], [0.25, 0.75])
    assert found.values == (0.25, 0.0, 0.0, 0.375)
    assert (found.total, found.converged) == (0.625, False)
    assert found.gap == pytest.approx(0.075)
