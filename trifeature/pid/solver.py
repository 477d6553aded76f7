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
from dataclasses import dataclass, field
from typing import Generic, Protocol, Self, TypeVar

import numpy as np

from trifeature.checks import require_number
from trifeature.pid import interior, scaling
from trifeature.pid.atoms import Atoms, Interval, atoms_from_union
from trifeature.pid.certificate import (
    Bounds,
    Index,
    Marginals,
    feasible_shift,
    round_to_marginals,
)
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
    _require_tolerance(tolerance)
    results: list[Atoms] = []
    for chunk in _chunks(tables):
        terms = informations(chunk)
        union = union_bounds(chunk, terms, tolerance)
        rows = np.stack([terms.source1, terms.source2, terms.joint, union.lower, union.upper])
        for i1, i2, i12, low, high in rows.T.tolist():
            interval = Interval(low, high)
            results.append(
                atoms_from_union(
                    (i1, i2, i12), interval, tolerance=tolerance, sources=sources, target=target
                )
            )
    return results


def _require_tolerance(tolerance: float) -> None:
    require_number("tolerance", tolerance, TIGHTEST)


def _chunks(tables: Array) -> Iterator[Array]:
    """Batches whose largest intermediate array, N M K^2 numbers a table, fits in memory."""
    _, N, M, K = tables.shape
    size = max(1, BATCH_NUMBERS // (N * M * K * K))
    yield from (tables[i : i + size] for i in range(0, len(tables), size))


def union_bounds(tables: Array, terms: Informations, tolerance: float) -> Bounds:
    """Certified bounds of I_union in bits, [T] each.

    Args:
        tables: Tables that sum to 1, [T, N, M, K].
        terms: Their informations, bits.
        tolerance: Requested width, bits.
    """
    nats = LN2 * terms.target
    problem = Marginals(tables.sum(2), tables.sum(1))
    # Rounding can make the width of a settled interval -1e-16.
    upper = LN2 * np.minimum(terms.source1 + terms.source2, terms.joint) - nats
    lower = np.minimum(LN2 * np.maximum(terms.source1, terms.source2) - nats, upper)
    best = _Best(lower, upper)
    _minimize(problem, best, LN2 * tolerance)
    return Bounds((best.lower + nats) / LN2, (best.upper + nats) / LN2)


@dataclass(frozen=True)
class Experts:
    """Feasible experts of T problems, and certified bounds.

    Attributes:
        expert1: A(x1, y) in nats, [T, N, K]; minus infinity where p(x1, y) = 0.
        expert2: B(x2, y) in nats, [T, M, K].
        bounds: Bounds of min f in nats: <a, A> + <b, B> from below.
        q: A table with the problem's marginals whose f is the upper bound, [T, N, M, K].
    """

    expert1: Array
    expert2: Array
    bounds: Bounds
    q: Array


def solve_experts(problem: Marginals, tolerance: float) -> Experts:
    """Find the experts that maximize BROJA's dual, for a batch of problems.

    Args:
        problem: The marginals p(x1, y) and p(x2, y) of each table.
        tolerance: Requested width of the bounds, in nats.

    Returns:
        Experts with sum_y exp(A + B) <= 1 on every pair (x1, x2) with p(x1), p(x2) > 0, up to the
        rounding of float64. They satisfy it also where the tolerance was not reached.
    """
    swap = problem.a.shape[1] < problem.a.shape[2]  # the larger source is eliminated
    ordered = problem.swapped() if swap else problem
    best = _Best.with_experts(ordered)
    _minimize(ordered, best, tolerance)
    alpha, beta = _feasible_shift(ordered, best)
    expert1, expert2 = best.expert1 - alpha[..., None], best.expert2 - beta[..., None]
    bounds, q = Bounds(best.lower, best.upper), best.q
    if swap:
        return Experts(expert2, expert1, bounds, q.swapaxes(1, 2))
    return Experts(expert1, expert2, bounds, q)


def _feasible_shift(problem: Marginals, best: _Best) -> tuple[Array, Array]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return feasible_shift(problem, best.expert1, best.expert2)


@dataclass(frozen=True, eq=False)
class Certificate:
    """What proves the atoms of one table: anyone can check it without a solver.

    I_union <= I_q for every table q with the same (X1, Y) and (X2, Y) marginals, and I_union >=
    H(Y) + sum a A + sum b B for every pair of experts with sum_y exp(A + B) <= 1.

    Attributes:
        atoms: The atoms, with the certified gap.
        q: [N, M, K], a table with both marginals of p, near the optimum.
        expert1: A(x1, y) in nats, [N, K]; minus infinity where p(x1, y) = 0.
        expert2: B(x2, y) in nats, [M, K].
        lower: Lower bound of I_union, bits.
        upper: Upper bound of I_union, bits: I_q.
    """

    atoms: Atoms
    q: Array
    expert1: Array
    expert2: Array
    lower: float
    upper: float

    @property
    def gap(self) -> float:
        """`upper` - `lower`, bits."""
        return self.upper - self.lower


def broja_certificate(
    p: TableLike,
    *,
    tolerance: float = TIGHTEST,
    normalize: bool = False,
    sources: tuple[str, str] = ("X1", "X2"),
    target: str = "Y",
) -> Certificate:
    """Decompose a table as `broja` does, and return what certifies the result.

    Args:
        p: Joint table p[x1, x2, y], an array or a tensor; zeros are allowed.
        tolerance: Requested width of the certified interval, in bits; at least 1e-9.
        normalize: Divide `p` by its sum (counts, weights) instead of requiring 1.
        sources: Names of the sources, kept in the result.
        target: Name of the target, kept in the result.

    Raises:
        InputError: `p` is not a joint table, or the tolerance is below 1e-9.

    >>> found = broja_certificate([[[1, 0], [0, 1]], [[0, 1], [1, 0]]], normalize=True)
    >>> found.q.round(6).tolist()[0], round(found.upper, 6)
    ([[0.125, 0.125], [0.125, 0.125]], 0.0)
    """
    _require_tolerance(tolerance)
    table = as_table(p, normalize=normalize)[None]
    terms = informations(table)
    found = solve_experts(Marginals(table.sum(2), table.sum(1)), LN2 * tolerance)
    entropy = float(terms.target[0])
    low, high = (float(x[0]) / LN2 + entropy for x in (found.bounds.lower, found.bounds.upper))
    high = max(low, high)  # float64 can round two equal bounds past each other
    atoms = atoms_from_union(
        (float(terms.source1[0]), float(terms.source2[0]), float(terms.joint[0])),
        Interval(low, high),
        tolerance=tolerance,
        sources=sources,
        target=target,
    )
    return Certificate(atoms, found.q[0], found.expert1[0], found.expert2[0], low, high)


# --------------------------------------------------------------------------- the iterations


class _State(Protocol):
    def take(self, index: Index) -> Self: ...

    def experts(self, problem: Marginals) -> tuple[Array, Array]: ...

    def q(self, problem: Marginals) -> Array: ...


S = TypeVar("S", bound=_State)


@dataclass(frozen=True)
class _Method(Generic[S]):
    """An iterative method: its first state, one round with its certificate, the most rounds."""

    start: Callable[[Marginals], S]
    advance: Callable[[Marginals, S], tuple[S, Bounds]]
    rounds: int


NEWTON = _Method(interior.start, interior.advance, rounds=200)
SCALING = _Method(scaling.start, scaling.advance, rounds=60)


@dataclass
class _Best:
    """The best bounds of every table so far, and what gave them if that is kept.

    Attributes:
        lower: [T] in nats.
        upper: [T] in nats.
        expert1: The experts of the lower bound, [T, N, K]; empty if not kept.
        expert2: [T, M, K].
        q: The table of the upper bound, with the required marginals, [T, N, M, K].
        swapped: True while the iterations see the sources exchanged.
    """

    lower: Array
    upper: Array
    expert1: Array = field(default_factory=lambda: np.empty(0))
    expert2: Array = field(default_factory=lambda: np.empty(0))
    q: Array = field(default_factory=lambda: np.empty(0))
    swapped: bool = False

    @classmethod
    def with_experts(cls, problem: Marginals) -> _Best:
        """No bounds yet: p(y | x1) / K and the independent q serve until there are better."""
        T, N, K = problem.a.shape
        none = np.full(T, np.inf)
        q = np.zeros((T, N, problem.b.shape[1], K))
        return cls(-none, none, np.zeros_like(problem.a), np.zeros_like(problem.b), q)

    @property
    def gap(self) -> Array:
        return self.upper - self.lower

    def update(self, active: Index, found: Bounds, state: _State, problem: Marginals) -> Index:
        """Keep what is better; return which of `active` could be advanced at all."""
        # A factorization that failed gives nan: such a table keeps its bounds and stops.
        valid = np.isfinite(found.lower) & np.isfinite(found.upper)
        higher = valid & (found.lower > self.lower[active])
        lesser = valid & (found.upper < self.upper[active])
        self.lower[active[higher]] = found.lower[higher]
        self.upper[active[lesser]] = found.upper[lesser]
        if self.q.size:
            self._keep(active, higher, lesser, state, problem)
        return valid

    def _keep(
        self, active: Index, higher: Index, lesser: Index, state: _State, problem: Marginals
    ) -> None:
        one, other = state.experts(problem)
        if self.swapped:
            one, other = other, one
        self.expert1[active[higher]] = one[higher]
        self.expert2[active[higher]] = other[higher]
        if lesser.any():
            q = round_to_marginals(problem.take(lesser), state.take(lesser).q(problem.take(lesser)))
            self.q[active[lesser]] = q.swapaxes(1, 2) if self.swapped else q


def _minimize(problem: Marginals, best: _Best, tolerance: float) -> None:
    """Tighten the bounds of min f (nats) by one method, then those still too wide by the other."""
    unknowns = problem.b.shape[1] * problem.b.shape[2]
    # log 0 is minus infinity by definition here, and iterates that fail are filtered out.
    with one_thread(), np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if unknowns <= SMALL:
            _run(NEWTON, problem, best, tolerance)
        _run(SCALING, problem, best, tolerance)
        if SMALL < unknowns <= LARGEST:
            _run(NEWTON, problem, best, tolerance)
        # Rounding stalls Newton steps on a few tables whose entries differ by dozens of orders of
        # magnitude (up to 3 in 100). Eliminating the other source rounds differently, and
        # converges on nearly all of them.
        if problem.a.shape[1] * problem.a.shape[2] <= SMALL:
            best.swapped = True
            _run(NEWTON, problem.swapped(), best, tolerance)
            best.swapped = False


def _run(method: _Method[S], problem: Marginals, best: _Best, tolerance: float) -> None:
    """Iterate on the tables whose bounds are still too wide."""
    active = np.flatnonzero(best.gap > tolerance)
    problem = problem.take(active)
    state = method.start(problem)
    for _ in range(method.rounds):
        if not len(active):
            break
        state, found = method.advance(problem, state)
        valid = best.update(active, found, state, problem)
        stay = np.flatnonzero(valid & (best.gap[active] > tolerance))
        if len(stay) < len(active):
            active, problem, state = active[stay], problem.take(stay), state.take(stay)
