"""Time and certified gap of the PID solvers: of tables beside dit's, and of Gaussians.

The Gaussian one is timed beside what it replaces, spectral projected gradient over the
cross-noise C, and beside the error of the shortcut R = min(I1, I2).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trifeature.errors import InputError
from trifeature.extra.bench.timing import timed
from trifeature.pid.gaussians.covariances import as_correlations, whiten
from trifeature.pid.gaussians.decomposition import gaussian, gaussian_mmi
from trifeature.pid.gaussians.program import noise_roots
from trifeature.pid.solver import TIGHTEST, broja, broja_many
from trifeature.pid.tables import LN2
from trifeature.threads import one_thread

Shape = tuple[int, int, int]
Row = dict[str, Any]

SHAPES: tuple[Shape, ...] = ((2, 2, 2), (4, 4, 4), (10, 10, 10), (20, 20, 20), (100, 100, 2))
GAUSSIAN_SIZES: tuple[Shape, ...] = ((1, 1, 2), (5, 5, 5), (10, 10, 5), (20, 20, 10), (50, 50, 20))
# Gap in nats that the projected gradient is run to.
GAUSSIAN_GAP = 1e-8
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


def random_covariance(sizes: Shape, seed: int = 0) -> NDArray[np.float64]:
    """A A^T / D with A of D x (D + 3) standard normal numbers; D is the sum of the sizes."""
    D = sum(sizes)
    A = np.random.default_rng(seed).standard_normal((D, D + 3))
    return A @ A.T / D


def bench_gaussian(sizes: Sequence[Shape] = GAUSSIAN_SIZES, count: int = 10) -> list[Row]:
    """Decompose random Gaussians of every size (d1, d2, dy); times are medians.

    Args:
        sizes: Dimensions of X1, X2 and Y.
        count: Random covariances of each size.

    Returns:
        Rows of dims, seconds and gap_nats (largest) of the closed form; gradient_seconds,
        gradient_gap_nats (largest) and gradient_iterations (median) of the projected gradient;
        difference_nats, the largest between the two; mmi_error, the largest error of the shortcut
        R = min(I1, I2) in bits.

    Raises:
        InputError: A size is not three positive numbers, or no covariances.
    """
    if count < 1:
        raise InputError(f"count is at least 1, got {count}")
    gaussian(random_covariance((1, 1, 1)), (1, 1, 1))  # the first call loads libraries
    return [_gaussian_row(shape, count) for shape in sizes]


def _gaussian_row(sizes: Shape, count: int) -> Row:
    covariances = [random_covariance(sizes, seed) for seed in range(count)]
    ours = [timed(lambda c=c: gaussian(c, sizes)) for c in covariances]  # type: ignore[misc]
    slow = [timed(lambda c=c: projected_gradient(c, sizes)) for c in covariances]  # type: ignore[misc]
    shortcuts = [gaussian_mmi(c, sizes) for c in covariances]
    pairs = list(zip(ours, slow, shortcuts, strict=True))
    return {
        "dims": " + ".join(map(str, sizes)),
        "seconds": float(np.median([seconds for _, seconds in ours])),
        "gap_nats": max(atoms.gap * LN2 for atoms, _ in ours),
        "gradient_seconds": float(np.median([seconds for _, seconds in slow])),
        "gradient_gap_nats": max(gap for (_, gap, _), _ in slow),
        "gradient_iterations": float(np.median([steps for (_, _, steps), _ in slow])),
        "difference_nats": max(abs(a.union * LN2 - s[0]) for (a, _), (s, _), _ in pairs),
        "mmi_error": max(abs(a.redundancy - m.redundancy) for (a, _), _, m in pairs),
    }


def projected_gradient(
    covariance: NDArray[np.float64], sizes: Shape, gap: float = GAUSSIAN_GAP, steps: int = 2000
) -> tuple[float, float, int]:
    """I_union by spectral projected gradient over C: value and gap in nats, and iterations.

    f(C) and its certificate are those of `gaussian_bounds`; a step is projected by lowering the
    singular values of C to 1 (Birgin, Martinez and Raydan 2000, with Barzilai-Borwein lengths).
    """
    given = as_correlations(covariance, sizes, ("X1", "X2", "Y"), many=False)
    whitened = whiten(given.matrix, given.sizes)
    signals = (whitened.K1, whitened.K2)
    roots = noise_roots(whitened)
    H1, H2 = (np.linalg.solve(root, K)[0] for root, K in zip(roots, signals, strict=True))
    H, C = np.concatenate([H1, H2]), np.zeros((len(H1), len(H2)))
    length, lower = 1.0, -np.inf
    with one_thread():
        value, G = _value_and_gradient(H, C)
        recent = [value]
        for _ in range(steps):
            sizes_of_g = np.linalg.svd(G, compute_uv=False)
            lower = max(lower, value - float((G * C).sum() + sizes_of_g.sum()))
            if value - lower <= gap:
                break
            move = _projected(C - length * G) - C
            slope, share = float((G * move).sum()), 1.0
            new, new_G = _value_and_gradient(H, C + move)
            while new > max(recent[-8:]) + 1e-4 * share * slope and share > 1e-9:
                share /= 2
                new, new_G = _value_and_gradient(H, C + share * move)
            change, turn = share * move, new_G - G
            bend = float((change * turn).sum())
            length = min(max((change**2).sum() / bend, 1e-6), 1e6) if bend > 0 else 1e3
            C, value, G = C + change, new, new_G
            recent.append(value)
    return value, value - lower, len(recent) - 1


def _value_and_gradient(
    signals: NDArray[np.float64], cross_noise: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    d1 = len(cross_noise)
    N = np.eye(len(signals))
    N[:d1, d1:], N[d1:, :d1] = cross_noise, cross_noise.T
    A = np.linalg.solve(N, signals)
    P = np.eye(signals.shape[1]) + signals.T @ A
    gradient = -(A @ np.linalg.solve(P, A.T))[:d1, d1:]
    return float(np.linalg.slogdet(P)[1]) / 2, np.asarray(gradient)


def _projected(cross_noise: NDArray[np.float64]) -> NDArray[np.float64]:
    U, s, V = np.linalg.svd(cross_noise, full_matrices=False)
    return np.asarray((U * np.minimum(s, 1 - 1e-10)) @ V)
