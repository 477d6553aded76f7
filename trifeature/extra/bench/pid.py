"""Time and certified gap of the PID solver beside dit's, on the same random tables."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trifeature.errors import InputError
from trifeature.extra.bench.timing import timed
from trifeature.pid.solver import TIGHTEST, broja, broja_many

Shape = tuple[int, int, int]
Row = dict[str, Any]

SHAPES: tuple[Shape, ...] = ((2, 2, 2), (4, 4, 4), (10, 10, 10), (20, 20, 20), (100, 100, 2))
# Number of cells above which dit's cone program takes minutes.
LARGEST_FOR_DIT = 1000


def random_table(shape: Shape, seed: int = 0) -> NDArray[np.float64]:
    """Draw a table from Dirichlet(1): dense, and hard for first-order methods."""
    weights = np.random.default_rng(seed).exponential(size=shape)
    return np.asarray(weights / weights.sum())


def has_dit() -> bool:
    """True if dit and the cone solver it needs are installed."""
    return all(find_spec(name) is not None for name in ("dit", "ecos"))


def dit_atoms(table: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """(R, U1, U2, S) in bits by dit's BROJA with `method="cone"`.

    dit's default method is not reliable: on W it gives R = -0.415, where R is 0.252 (dit 2.3).

    Raises:
        InputError: dit or its cone solver is not installed.
    """
    if not has_dit():
        raise InputError("the comparison needs dit and ecos: pip install dit ecos")
    import dit  # noqa: PLC0415 - optional: only this function needs it

    cells = [tuple(int(i) for i in cell) for cell in np.argwhere(table > 0)]
    law = dit.Distribution(cells, [float(table[cell]) for cell in cells])
    result: Any = dit.pid.PID_BROJA(law, ((0,), (1,)), (2,), method="cone")
    redundancy, unique1, unique2, synergy = (
        float(result.get_pi(node)) for node in (((0,), (1,)), ((0,),), ((1,),), ((0, 1),))
    )
    return redundancy, unique1, unique2, synergy


def bench_tables(shapes: Sequence[Shape] = SHAPES, tolerance: float = TIGHTEST) -> list[Row]:
    """Solve one random table of every shape; small ones also with dit, if it is installed.

    Args:
        shapes: Sizes [N, M, K] of the tables.
        tolerance: Requested width of the certified intervals, bits.

    Returns:
        Rows of table, seconds, gap (certified, bits), dit_seconds, dit_difference (largest
        difference of an atom, bits); the last two are None where dit was not run.

    Raises:
        InputError: A shape is not three positive sizes.
    """
    for shape in shapes:
        if len(shape) != 3 or min(shape) < 1:
            raise InputError(f"a table has three sizes of at least 1, got {shape}")
    # The first calls load libraries.
    broja(random_table((2, 2, 2)))
    if has_dit():
        dit_atoms(random_table((2, 2, 2)))
    return [_bench_row(shape, tolerance) for shape in shapes]


def _bench_row(shape: Shape, tolerance: float) -> Row:
    table = random_table(shape)
    ours, seconds = timed(lambda: broja(table, tolerance=tolerance))
    dit_seconds = difference = None
    if has_dit() and table.size <= LARGEST_FOR_DIT:
        theirs, dit_seconds = timed(lambda: dit_atoms(table))
        difference = float(np.abs(np.subtract(theirs, ours.values)).max())
    return {
        "table": " x ".join(map(str, shape)),
        "seconds": seconds,
        "gap": ours.gap,
        "dit_seconds": dit_seconds,
        "dit_difference": difference,
    }


def bench_batch(count: int = 1000, shape: Shape = (10, 10, 2), tolerance: float = 1e-4) -> Row:
    """Solve many random tables in one batch; one row as of `bench_tables`, with the largest gap."""
    tables = np.stack([random_table(shape, seed) for seed in range(count)])
    results, seconds = timed(lambda: broja_many(tables, tolerance=tolerance))
    return {
        "table": f"{count} of {' x '.join(map(str, shape))}",
        "seconds": seconds,
        "gap": max(atoms.gap for atoms in results),
        "dit_seconds": None,
        "dit_difference": None,
    }
