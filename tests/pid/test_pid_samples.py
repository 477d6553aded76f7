from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from trifeature.errors import InputError
from trifeature.pid.gallery import example
from trifeature.pid.samples import atoms_of_columns, joint_counts, samples_needed
from trifeature.pid.solver import broja

Columns = tuple[NDArray[np.intp], ...]


def draw(name: str, n: int, seed: int = 0) -> Columns:
    table = example(name).table()
    cells = np.random.default_rng(seed).choice(table.size, size=n, p=table.ravel())
    return np.unravel_index(cells, table.shape)


def test_counts_of_strings_and_of_several_columns() -> None:
    source = np.array([["a", "x"], ["a", "y"], ["a", "x"]])
    counts = joint_counts(source, ["p", "p", "q"], [7, 7, 9])
    assert counts.tolist() == [[[1, 0], [0, 1]], [[1, 0], [0, 0]]]


def test_counts_are_those_of_a_loop_over_rows() -> None:
    x1, x2, y = draw("W", 300)
    counts = joint_counts(x1, x2, y)
    wanted = np.zeros((2, 2, 2), dtype=int)
    for row in zip(x1, x2, y, strict=True):
        wanted[row] += 1
    assert counts.tolist() == wanted.tolist()


def test_tensors_are_samples_too() -> None:
    x1, x2, y = draw("AND", 300)
    tensors = [torch.from_numpy(x) for x in (x1, x2, y)]
    assert joint_counts(*tensors).tolist() == joint_counts(x1, x2, y).tolist()
    columns = dict(zip("aby", tensors, strict=True))
    exact = atoms_of_columns(dict(zip("aby", (x1, x2, y), strict=True)), "a", "b", "y")
    assert atoms_of_columns(columns, "a", "b", "y") == exact


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([0, 1], [0], [0, 1]), r"one length, got \[1, 2\]"),
        (([], [], []), "got shape"),
        (([0.0, np.nan], [0, 1], [0, 1]), "lacks a value in row 1"),
        ((np.linspace(0, 1, 90), [0] * 90, [0] * 90), "looks continuous"),
    ],
)
def test_bad_columns_say_what_is_wrong(columns: tuple[list[float], ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        joint_counts(*columns)


def test_numbers_are_binned_by_column() -> None:
    values = np.linspace(0, 1, 90)
    counts = joint_counts(values, values > 0.5, values, bins={"source1": 3, "target": 2})
    assert counts.shape == (3, 2, 2)
    assert counts.sum((1, 2)).tolist() == [30, 30, 30]
    with pytest.raises(InputError, match="unknown column of bins 'source'"):
        joint_counts(values, values > 0.5, values, bins={"source": 3})


def test_too_large_a_table_is_refused_before_it_is_made() -> None:
    distinct = np.arange(1000)
    with pytest.raises(InputError, match="coarsen the columns"):
        joint_counts(distinct, distinct, distinct)


def test_exact_atoms_of_columns_name_their_sources() -> None:
    bits = np.array(list(np.ndindex(2, 2, 2)))
    columns = {"shape": bits[:, 0], "texture": bits[:, 1], "color": bits[:, 2]}
    columns["match"] = columns["texture"] ^ columns["color"]
    alone = atoms_of_columns(columns, "texture", "color", "match")
    shared = atoms_of_columns(columns, ("shape", "texture"), ("shape", "color"), "match")
    assert alone.values == pytest.approx((0, 0, 0, 1), abs=1e-9)
    assert shared.values == pytest.approx((0, 0, 0, 1), abs=1e-9)
    assert (shared.sources, shared.target) == (("shape+texture", "shape+color"), "match")
    with pytest.raises(InputError, match="did you mean 'color'"):
        atoms_of_columns(columns, "texture", "colour", "match")
    with pytest.raises(InputError, match="at least one column"):
        atoms_of_columns(columns, (), "color", "match")


def test_the_atoms_of_a_sample_are_those_of_its_frequencies() -> None:
    x1, x2, y = draw("W", 3000)
    exact = atoms_of_columns({"a": x1, "b": x2, "y": y}, "a", "b", "y")
    frequencies = joint_counts(x1, x2, y) / 3000
    assert exact.values == pytest.approx(broja(frequencies).values, abs=1e-9)
    assert exact.values == pytest.approx(example("W").atoms(), abs=0.05)


def test_the_rows_a_table_wants_grow_with_its_cells() -> None:
    assert samples_needed((1000, 1000, 2)) > 10_000 > samples_needed((10, 10, 2))
    # Miller's bias of the total is (N M - 1)(K - 1) / (2 n ln 2): 45 / (2 n ln 2) for 4 x 4 x 4.
    assert samples_needed((4, 4, 4)) == pytest.approx(45 / (2 * np.log(2) * 0.01), abs=1)
    assert samples_needed((4, 4, 4), 0.2) == pytest.approx(45 / (2 * np.log(2) * 0.2), abs=1)
