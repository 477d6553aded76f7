from __future__ import annotations

import numpy as np
import pytest
import torch
from pid_random_tables import dirichlet

from trifeature.errors import InputError
from trifeature.pid.tables import (
    as_table,
    as_tables,
    binary_entropy,
    entropy,
    informations,
)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.ones((2, 2)) / 4, "three axes"),
        (np.ones((2, 2, 2)), "sums to 1, got 8"),
        (-np.ones((1, 1, 1)), "negative"),
        (np.full((1, 1, 1), np.nan), "nan or infinity"),
        (np.zeros((0, 2, 2)), "cannot be empty"),
        (np.ones((1, 1, 1)) * 1j, "array of numbers"),
        (torch.ones(1, 1, 1, dtype=torch.complex64), "array of numbers"),
        ([["a"]], "array of numbers"),
        ([[1], [1, 2]], "array of numbers"),
    ],
)
def test_bad_tables_say_what_is_wrong(table: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_table(table)  # type: ignore[arg-type]


def test_weights_are_normalized_only_if_told_so() -> None:
    counts = np.arange(8).reshape(2, 2, 2)
    assert as_table(counts, normalize=True).sum().item() == pytest.approx(1, abs=1e-15)
    with pytest.raises(InputError, match="normalize=True"):
        as_table(counts)


def test_all_zero_weights_cannot_be_normalized() -> None:
    with pytest.raises(InputError, match="positive entry"):
        as_table(np.zeros((2, 2, 2)), normalize=True)


def test_huge_weights_do_not_overflow() -> None:
    assert as_table(np.full((2, 2, 2), 1e308), normalize=True)[0, 0, 0].item() == 0.125


def test_float32_sums_are_forgiven_and_corrected() -> None:
    table = as_table(torch.full((3, 3, 3), 1 / 27, dtype=torch.float32))
    assert abs(table.sum().item() - 1) < 1e-15


def test_a_stack_has_four_axes() -> None:
    assert as_tables(dirichlet(5, 2, 3, 4)).shape == (5, 2, 3, 4)
    with pytest.raises(InputError, match="four axes"):
        as_tables(dirichlet(2, 3, 4))


def test_entropy_of_uniform_distributions() -> None:
    assert entropy(np.full((4, 8), 1 / 32), axes=2).item() == pytest.approx(5)
    assert binary_entropy(0.11) == pytest.approx(0.499916, abs=1e-6)
    with pytest.raises(InputError, match="probability"):
        binary_entropy(1.5)


def test_informations_match_the_sum_over_cells() -> None:
    p = dirichlet(3, 4, 5)
    terms = informations(p)
    p1y, py = p.sum(1), p.sum((0, 1))
    direct1 = sum(
        p1y[i, y] * np.log2(p1y[i, y] / (p1y[i].sum() * py[y])) for i in range(3) for y in range(5)
    )
    direct12 = sum(
        p[i, j, y] * np.log2(p[i, j, y] / (p[i, j].sum() * py[y]))
        for i, j, y in np.ndindex(3, 4, 5)
    )
    assert terms.source1.item() == pytest.approx(direct1, abs=1e-13)
    assert terms.joint.item() == pytest.approx(direct12, abs=1e-13)
