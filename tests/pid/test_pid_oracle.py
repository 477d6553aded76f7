"""Against an independent solver: dit's exponential cone program (its default is wrong on W)."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from pid_random_tables import dirichlet

from trifeature.errors import InputError
from trifeature.extra.bench.pid import bench_tables, dit_atoms
from trifeature.pid.gallery import GALLERY, Example
from trifeature.pid.solver import broja

pytest.importorskip("dit", reason="the oracle dit is not installed (extra `oracle`)")
pytest.importorskip("ecos", reason="dit's cone solver ecos is not installed (extra `oracle`)")


@pytest.mark.slow  # Importing dit takes seconds, and each table up to one.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("example", GALLERY.values(), ids=lambda e: e.name)
def test_the_gallery_agrees_with_dit(example: Example) -> None:
    table = example.table()
    if table.size > 300:
        pytest.skip("dit takes minutes on tables of this size")
    assert dit_atoms(table) == pytest.approx(broja(table).values, abs=1e-5)


@pytest.mark.slow  # A few seconds a table on one core.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(5))
def test_random_tables_agree_with_dit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, 5, 3))
    table = dirichlet(*shape, seed=seed) * (rng.random(shape) < 0.8)
    table /= table.sum()
    assert dit_atoms(table) == pytest.approx(broja(table).values, abs=1e-5)


@pytest.mark.slow  # Imports dit.
@pytest.mark.filterwarnings("ignore")
def test_the_bench_sets_both_side_by_side() -> None:
    (row,) = bench_tables([(2, 2, 2)])
    assert cast("float", row["gap"]) <= 1e-9
    assert cast("float", row["dit_difference"]) < 1e-5
    with pytest.raises(InputError, match="three sizes"):
        bench_tables([(2, 2)])  # type: ignore[list-item]
