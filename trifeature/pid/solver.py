"""BROJA's partial information decomposition (Bertschinger et al. 2014), certified.

I_union, the least information that any q with the table's (X1, Y) and (X2, Y) marginals has
about Y, decides all four atoms. It is bounded from both sides (`certificate`), first by what
holds for every table, then by a primal-dual interior point (`interior`) or, where the table
is too large for that, by multiplicative scaling (`scaling`). Tables that have reached the
tolerance drop out of the batch.

Shape legend: T tables, N values of X1, M values of X2, K values of Y.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor

from trifeature.errors import InputError
from trifeature.pid import interior, scaling
from trifeature.pid.atoms import Atoms, Interval, atoms_from_union
from trifeature.pid.certificate import Bounds, Marginals
from trifeature.pid.tables import LN2, Informations, TableLike, as_table, as_tables, informations
from trifeature.threads import one_thread

TIGHTEST = 1e-9
# Unknowns of the Schur complement, min(N, M) K, up to which Newton steps are the faster way.
SMALL = 500
# ... and beyond which their memory, about 8 (min(N, M) K)^2 bytes several times over, is too
# much: such a table gets what scaling reaches.
LARGEST = 4000
# Numbers in the largest tensor of one batch, about 100 MB.
BATCH_NUMBERS = 12_000_000


def broja(
    p: TableLike,
    *,
    tolerance: float = TIGHTEST,
    normalize: bool = False,
    sources: tuple[str, str] = ("X1", "X2"),
    target: str = "Y",
    device: str | torch.device | None = None,
) -> Atoms:
    """Decompose what two sources tell about a target, with a certified interval.

    Args:
        p: Joint table p[x1, x2, y], NumPy or torch; zeros are welcome.
        tolerance: Wanted width of the certified interval, in bits; 1e-9 at the least.
        normalize: Divide `p` by its sum (counts, weights) instead of demanding 1.
        sources: Names of the sources, kept in the result.
        target: Name of the target, kept in the result.
        device: Where to compute; where `p` lives when not given.

    Returns:
        The atoms. Where the tolerance was not reached, `converged` is False and `gap` says
        what was.

    Raises:
        InputError: `p` is no joint table, or the tolerance is below 1e-9.

    >>> xor = [[[1, 0], [0, 1]], [[0, 1], [1, 0]]]
    >>> broja(xor, normalize=True).synergy
    1.0
    """
    table = as_table(p, normalize=normalize)
    return _decompose(table[None], tolerance, sources, target, device)[0]


def broja_many(
    tables: TableLike,
    *,
    tolerance: float = 1e-6,
    normalize: bool = False,
    sources: tuple[str, str] = ("X1", "X2"),
    target: str = "Y",
    device: str | torch.device | None = None,
) -> list[Atoms]:
    """Decompose many tables [T, N, M, K] of one shape at once; see `broja`.

    >>> [round(a.redundancy, 6) for a in broja_many([[[[0.5, 0], [0, 0]], [[0, 0], [0, 0.5]]]])]
    [1.0]
    """
    stack = as_tables(tables, normalize=normalize)
    return _decompose(stack, tolerance, sources, target, device)


def _decompose(
    tables: Tensor,
    tolerance: float,
    sources: tuple[str, str],
    target: str,
    device: str | torch.device | None,
) -> list[Atoms]:
    if not tolerance >= TIGHTEST:
        raise InputError(f"tolerance is at least {TIGHTEST:g} bits, got {tolerance:g}")
    tables = tables if device is None else _moved(tables, device)
    results: list[Atoms] = []
    for chunk in _chunks(tables):
        terms = informations(chunk)
        union = _union_bounds(chunk, terms, tolerance)
        rows = torch.stack([terms.source1, terms.source2, terms.joint, union.lower, union.upper])
        for i1, i2, i12, low, high in rows.T.tolist():
            interval = Interval(low, high)
            results.append(
                atoms_from_union(
                    (i1, i2, i12), interval, tolerance=tolerance, sources=sources, target=target
                )
            )
    return results


def _moved(tables: Tensor, device: str | torch.device) -> Tensor:
    try:
        return tables.to(device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"cannot compute on device {str(device)!r}: {reason}") from None


def _chunks(tables: Tensor) -> Iterator[Tensor]:
    """Batches whose largest intermediate, N M K^2 numbers a table, fits in memory."""
    _, N, M, K = tables.shape
    size = max(1, BATCH_NUMBERS // (N * M * K * K))
    yield from (tables[i : i + size] for i in range(0, len(tables), size))


def _union_bounds(tables: Tensor, terms: Informations, tolerance: float) -> Bounds:
    """Certified bounds of I_union in bits, [T] each."""
    simple = Bounds(
        torch.maximum(terms.source1, terms.source2),
        torch.minimum(terms.source1 + terms.source2, terms.joint),
    )
    problem = Marginals(tables.sum(2), tables.sum(1))
    if tables.shape[1] < tables.shape[2]:
        problem = problem.swapped()  # the larger source is the one that is eliminated
    nats = LN2 * terms.target
    bounds = Bounds(LN2 * simple.lower - nats, LN2 * simple.upper - nats)
    # Rounding may leave a settled interval at -1e-16.
    bounds = Bounds(torch.minimum(bounds.lower, bounds.upper), bounds.upper)
    bounds = _minimize(problem, bounds, LN2 * tolerance)
    return Bounds((bounds.lower + nats) / LN2, (bounds.upper + nats) / LN2)


class _State(Protocol):
    def take(self, index: Tensor) -> Self: ...


S = TypeVar("S", bound=_State)


@dataclass(frozen=True)
class _Method(Generic[S]):
    """An iteration: where it starts, one round of it with its certificate, how many rounds."""

    start: Callable[[Marginals], S]
    advance: Callable[[Marginals, S], tuple[S, Bounds]]
    rounds: int


NEWTON = _Method(interior.start, interior.advance, rounds=200)
SCALING = _Method(scaling.start, scaling.advance, rounds=60)


def _minimize(problem: Marginals, bounds: Bounds, tolerance: float) -> Bounds:
    """Tighten the bounds of min f (nats) by one method, then what is left by the other."""
    unknowns = problem.b.shape[1] * problem.b.shape[2]
    with one_thread():
        if unknowns <= SMALL:
            bounds = _run(NEWTON, problem, bounds, tolerance)
        bounds = _run(SCALING, problem, bounds, tolerance)
        if SMALL < unknowns <= LARGEST:
            bounds = _run(NEWTON, problem, bounds, tolerance)
        return bounds


def _run(method: _Method[S], problem: Marginals, bounds: Bounds, tolerance: float) -> Bounds:
    """Iterate on the tables whose bounds are still too far apart; the others have left."""
    lower, upper = bounds.lower.clone(), bounds.upper.clone()
    active = torch.nonzero(bounds.gap > tolerance).squeeze(1)
    problem = problem.take(active)
    state = method.start(problem)
    for _ in range(method.rounds):
        if not len(active):
            break
        state, found = method.advance(problem, state)
        # A factorization that failed leaves nan: those tables keep the bounds they have.
        alive = torch.isfinite(found.lower) & torch.isfinite(found.upper)
        lower[active] = torch.where(alive, torch.maximum(lower[active], found.lower), lower[active])
        upper[active] = torch.where(alive, torch.minimum(upper[active], found.upper), upper[active])
        stay = torch.nonzero(alive & (upper[active] - lower[active] > tolerance)).squeeze(1)
        if len(stay) < len(active):
            active, problem, state = active[stay], problem.take(stay), state.take(stay)
    return Bounds(lower, upper)
