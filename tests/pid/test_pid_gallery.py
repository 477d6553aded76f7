from __future__ import annotations

import math

import numpy as np
import pytest

from trifeature.errors import InputError
from trifeature.pid.gallery import GALLERY, Example, example, gallery_table
from trifeature.pid.solver import broja

# Six printed digits of the textbook values, independent of the gallery's closed forms.
PRINTED = {
    "AND": (0.311278, 0, 0, 0.5),
    "W": (0.251629, 0, 0, 0.666667),
    "DIFF": (0.122556, 0.188722, 0.188722, 0),
    "WB1": (0.251629, 0.666667, 0.666667, 0),
    "BOOM": (1 / 3, 1 / 3, 1 / 3, 0.125815),
    "PROB1": (0.019973, 0.150978, 0, 0),
    "PROB2": (0.311278, 0, 0.188722, 0.5),
    "NOT2": (0.019973, 0, 0, 0.550978),
    "AND-SWAPPED": (0, 0, 0.311278, 0.188722),
    "MATCH-UNIQUE": (0.736966, 2.584963, 0, 0),
}


@pytest.mark.parametrize("name", PRINTED)
def test_closed_forms_agree_with_the_printed_digits(name: str) -> None:
    assert example(name).atoms() == pytest.approx(PRINTED[name], abs=1e-6)


def test_two_looks_to_the_three_digits_known() -> None:
    assert example("TWO-LOOKS").atoms() == pytest.approx((0.531, 0, 0, 0.211), abs=5e-4)


@pytest.mark.parametrize("entry", GALLERY.values(), ids=lambda e: e.name)
def test_every_entry_is_a_distribution_with_a_sentence(entry: Example) -> None:
    table = entry.table()
    assert table.sum() == pytest.approx(1, abs=1e-12)
    assert table.min() >= 0
    assert entry.sentence.endswith(".")


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("name", ["NOISY-XOR", "NOISY-AND", "CORRELATED-XOR", "CORRELATED-COPY"])
def test_families_follow_their_closed_form(name: str, rate: float) -> None:
    (parameter,) = example(name).parameters
    entry = example(name)
    atoms = broja(entry.table(**{parameter: rate}))
    assert atoms.values == pytest.approx(entry.atoms(**{parameter: rate}), abs=1e-8)


@pytest.mark.parametrize(("flip1", "flip2"), [(0.1, 0.2), (0.2, 0.1), (0.0, 0.3), (0.5, 0.5)])
def test_two_looks_of_unequal_quality(flip1: float, flip2: float) -> None:
    entry = example("TWO-LOOKS")
    atoms = broja(entry.table(flip1=flip1, flip2=flip2))
    assert atoms.values == pytest.approx(entry.atoms(flip1=flip1, flip2=flip2), abs=1e-8)


@pytest.mark.parametrize(
    ("rate", "shared"), [(0.1, 0.0), (0.5, 0.736966), (0.9, 2.535940), (1.0, 3.321928)]
)
def test_a_match_rate_makes_little_redundant(rate: float, shared: float) -> None:
    atoms = broja(gallery_table("MATCH-UNIQUE", rate=rate))
    truth = (shared, math.log2(10) - shared, 0, 0)
    assert atoms.values == pytest.approx(truth, abs=1e-6)


@pytest.mark.parametrize(("rate", "synergy"), [(0.1, 0.468996), (0.5, 1.0), (1.0, 0.0)])
def test_the_synergy_task(rate: float, synergy: float) -> None:
    atoms = broja(gallery_table("MATCH-LABEL", rate=rate))
    assert atoms.values == pytest.approx((0, 0, 0, synergy), abs=1e-6)


@pytest.mark.parametrize("values", [2, 3, 7])
def test_sum_modulo_is_all_synergy(values: int) -> None:
    atoms = broja(gallery_table("SUM-MODULO", values=values))
    assert atoms.synergy == pytest.approx(math.log2(values), abs=1e-8)


def test_belief_correlated_sources_need_not_be_redundant() -> None:
    pairs = gallery_table("CORRELATED").sum(2)
    independent = np.outer(pairs.sum(1), pairs.sum(0))
    between = float((pairs[pairs > 0] * np.log2((pairs / independent)[pairs > 0])).sum())
    assert between == pytest.approx(1)
    assert broja(gallery_table("CORRELATED")).redundancy == pytest.approx(0, abs=1e-9)


def test_belief_minus_co_information_is_not_synergy() -> None:
    atoms = broja(gallery_table("AND"))
    assert atoms.co_information == pytest.approx(-0.188722, abs=1e-6)
    assert atoms.synergy == pytest.approx(0.5, abs=1e-8)


def test_belief_the_target_is_no_third_variable() -> None:
    turned = gallery_table("AND").transpose(1, 2, 0)
    np.testing.assert_array_equal(turned, gallery_table("AND-SWAPPED"))


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("XORR", {}, "did you mean 'XOR'"),
        ("XOR", {"flip": 0.1}, "XOR takes no parameters, got 'flip'"),
        ("NOISY-XOR", {"flop": 0.1}, "unknown parameter of NOISY-XOR"),
        ("NOISY-XOR", {"flip": 1.5}, r"probability in \[0, 1\]"),
        ("SUM-MODULO", {"values": 2.5}, "whole number from 2 to 100"),
        ("SUM-MODULO", {"values": 1}, "whole number from 2 to 100"),
    ],
)
def test_bad_names_and_parameters(name: str, parameters: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        gallery_table(name, **parameters)
