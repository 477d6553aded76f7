"""BROJA's partial information decomposition (Bertschinger et al. 2014), certified.

I_union, the least information about Y of any q with the table's (X1, Y) and (X2, Y) marginals,
determines all four atoms. It is bounded from both sides (`certificate`): first by inequalities
that hold for every table, then by a primal-dual interior-point method (`interior`) or, where the
table is too large for that, by multiplicative scaling (`scaling`). Tables that have reached the
tolerance leave the batch.

Shape legend: T tables, N values of X1, M values of X2, K values of Y.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

import numpy as np

from trifeature.errors import InputError
from trifeature.pid import interior, scaling
from trifeature.pid.atoms import Atoms, Interval, atoms_from_union
from trifeature.pid.certificate import Bounds, Index, Marginals
from trifeature.pid.tables import (
    LN2,
    Array,
    Informations,
    TableLike,
    as_table,
    as_tables,
    informations,
)
from trifeature.threads import one_thread

TIGHTEST = 1e-9
# Unknowns of the Schur complement, min(N, M) K, up to which Newton steps are tried first.
SMALL = 500
# Unknowns above which Newton steps are not tried: they need about 8 (min(N, M) K)^2 bytes
# several times over.
LARGEST = 4000
# Numbers in the largest array of one batch, about 100 MB.
BATCH_NUMBERS = 12_000_000


def broja(
    p: TableLike,
    *,
    tolerance: float = TIGHTEST,
    normalize: bool = False,
    sources: tuple[str, str] = ("X1", "X2"),
    target: str = "Y",
) -> Atoms:
    """Decompose the information of two sources about a target, with a certified interval.

    Args:
        p: Joint table p[x1, x2, y], an array or a tensor; zeros are allowed.
        tolerance: Requested width of the certified interval, in bits; at least 1e-9.
        normalize: Divide `p` by its sum (counts, weights) instead of requiring 1.
        sources: Names of the sources, kept in the result.
        target: Name of the target, kept in the result.

    Returns:
        The atoms. If the tolerance was not reached, `converged` is False and `gap` is the width
        that was.

    Raises:
        InputError: `p` is not a joint table, or the tolerance is below 1e-9.

    >>> xor = [[[1, 0], [0, 1]], [[0, 1], [1, 0]]]
    >>> broja(xor, normalize=True).synergy
    1.0
    """
    table = as_table(p, normalize=normalize)
    return _decompose(table[None], tolerance, sources, target)[0]


def broja_many(
    tables: TableLike,
    *,
    tolerance: float = 1e-6,
    normalize: bool = False,
    sources: tuple[str, str] = ("X1", "X2"),
    target: str = "Y",
) -> list[Atoms]:
    """Decompose a stack of tables [T, N, M, K] in one batch; see `broja`.

    >>> [round(a.redundancy, 6) for a in broja_many([[[[0.5, 0], [0, 0]], [[0, 0], [0, 0.5]]]])]
    [1.0]
    """
    stack = as_tables(tables, normalize=normalize)
    return _decompose(stack, tolerance, sources, target)


def _decompose(
    tables: Array, tolerance: float, sources: tuple[str, str], target: str
) -> list[Atoms]:
    if not tolerance >= TIGHTEST:
        raise InputError(f"tolerance is at least {TIGHTEST:g} bits, got {tolerance:g}")
    results: list[Atoms] = []
    for chunk in _chunks(tables):
        terms = informations(chunk)
        union = _union_bounds(chunk, terms, tolerance)
        rows = np.stack([terms.source1, terms.source2, terms.joint, union.lower, union.upper])
        for i1, i2, i12, low, high in rows.T.tolist():
            interval = Interval(low, high)
            results.append(
                atoms_from_union(
                    (i1, i2, i12), interval, tolerance=tolerance, sources=sources, target=target
                )
            )
    return results


def _chunks(tables: Array) -> Iterator[Array]:
    """Batches whose largest intermediate array, N M K^2 numbers a table, fits in memory."""
    _, N, M, K = tables.shape
    size = max(1, BATCH_NUMBERS // (N * M * K * K))
    yield from (tables[i : i + size] for i in range(0, len(tables), size))


def _union_bounds(tables: Array, terms: Informations, tolerance: float) -> Bounds:
    """Certified bounds of I_union in bits, [T] each."""
    simple = Bounds(
        np.maximum(terms.source1, terms.source2),
        np.minimum(terms.source1 + terms.source2, terms.joint),
    )
    problem = Marginals(tables.sum(2), tables.sum(1))
    if tables.shape[1] < tables.shape[2]:
        problem = problem.swapped()  # the larger source is eliminated
    nats = LN2 * terms.target
    bounds = Bounds(LN2 * simple.lower - nats, LN2 * simple.upper - nats)
    # Rounding can make the width of a settled interval -1e-16.
    bounds = Bounds(np.minimum(bounds.lower, bounds.upper), bounds.upper)
    bounds = _minimize(problem, bounds, LN2 * tolerance)
    return Bounds((bounds.lower + nats) / LN2, (bounds.upper + nats) / LN2)


class _State(Protocol):
    def take(self, index: Index) -> Self: ...


S = TypeVar("S", bound=_State)


@dataclass(frozen=True)
class _Method(Generic[S]):
    """An iterative method: its first state, one round with its certificate, the most rounds."""

    start: Callable[[Marginals], S]
    advance: Callable[[Marginals, S], tuple[S, Bounds]]
    rounds: int


NEWTON = _Method(interior.start, interior.advance, rounds=200)
SCALING = _Method(scaling.start, scaling.advance, rounds=60)


def _minimize(problem: Marginals, bounds: Bounds, tolerance: float) -> Bounds:
    """Tighten the bounds of min f (nats) by one method, then those still too wide by the other."""
    unknowns = problem.b.shape[1] * problem.b.shape[2]
    # log 0 is minus infinity by definition here, and iterates that fail are filtered out.
    with one_thread(), np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if unknowns <= SMALL:
            bounds = _run(NEWTON, problem, bounds, tolerance)
        bounds = _run(SCALING, problem, bounds, tolerance)
        if SMALL < unknowns <= LARGEST:
            bounds = _run(NEWTON, problem, bounds, tolerance)
        # Rounding stalls Newton steps on a few tables whose entries differ by dozens of orders of
        # magnitude (up to 3 in 100). Eliminating the other source rounds differently, and
        # converges on nearly all of them.
        if problem.a.shape[1] * problem.a.shape[2] <= SMALL:
            bounds = _run(NEWTON, problem.swapped(), bounds, tolerance)
        return bounds


def _run(method: _Method[S], problem: Marginals, bounds: Bounds, tolerance: float) -> Bounds:
    """Iterate on the tables whose bounds are still too wide."""
    lower, upper = bounds.lower.copy(), bounds.upper.copy()
    active = np.flatnonzero(bounds.gap > tolerance)
    problem = problem.take(active)
    state = method.start(problem)
    for _ in range(method.rounds):
        if not len(active):
            break
        state, found = method.advance(problem, state)
        # A factorization that failed gives nan: such a table keeps its bounds and stops.
        valid = np.isfinite(found.lower) & np.isfinite(found.upper)
        lower[active] = np.where(valid, np.maximum(lower[active], found.lower), lower[active])
        upper[active] = np.where(valid, np.minimum(upper[active], found.upper), upper[active])
        stay = np.flatnonzero(valid & (upper[active] - lower[active] > tolerance))
        if len(stay) < len(active):
            active, problem, state = active[stay], problem.take(stay), state.take(stay)
    return Bounds(lower, upper)
