"""What n sources tell about a target: union information, unique parts and total synergy, certified.

The union information of X1, …, Xn about Y is the least I_q(X1, …, Xn; Y) of any q with the same n
marginals (X_i, Y) (Bertschinger et al. 2014, Griffith and Koch 2014). What the sources tell beyond
it is synergy, and what it loses without source i is unique to source i:

    synergy = I(X1, …, Xn; Y) - I_union(all),    unique_i = I_union(all) - I_union(all but i).

For two sources these are the S, U1 and U2 of BROJA. A full lattice of atoms is disputed for three
and more sources (see `lattice`); these n + 1 numbers are not, and come with an interval.

Shape legend: n sources, N_i values of X_i, M_i of them merged, K values of Y, [N…] one axis for
each source.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trifeature.errors import InputError
from trifeature.pid.atoms import ROUNDING, Interval
from trifeature.pid.solver import TIGHTEST
from trifeature.pid.sources.certificate import Parts, Solution, marginal_of, spread
from trifeature.pid.sources.solver import solve
from trifeature.pid.tables import LN2, Array, TableLike, as_float64, as_table, entropy

# Values of a source are merged where their p(y | x) agree to so many decimals; what the rest of
# the digits tells is computed, and added to the upper bound.
MERGED_DECIMALS = 12


@dataclass(frozen=True, eq=False)
class UnionInformation:
    """The union information of n sources about a target, in bits, with its certificate.

    Attributes:
        value: Middle of the interval.
        interval: Contains the exact value. The bounds are computed in float64: allow for a
            rounding error of 1e-13 at either end.
        converged: True if the interval is at most as wide as the requested tolerance.
        experts: A_i(x_i, y) in bits, [N_i, K] each, minus infinity where p(x_i, y) = 0. The sum
            over y of 2 ** (A_1 + … + A_n) is at most 1 for every x1, …, xn, so H(Y) + the mean of
            A_1 + … + A_n is a lower bound: the low end of the interval.
        q: Table [N…, K] with the same marginals (X_i, Y) whose I_q is the high end of the interval.
        sources: Axes of the table that were united.
    """

    value: float
    interval: Interval
    converged: bool
    experts: Parts
    q: Array
    sources: tuple[int, ...]

    @property
    def gap(self) -> float:
        """Width of the interval, bits."""
        return self.interval.high - self.interval.low


def union_information(
    p: TableLike,
    sources: Sequence[int] | None = None,
    *,
    tolerance: float = TIGHTEST,
    normalize: bool = False,
) -> UnionInformation:
    """Compute the union information of all or some of n sources, with a certified interval.

    Args:
        p: Joint table p[x1, …, xn, y], the target last; an array or a tensor, zeros are allowed.
        sources: Axes of the sources to unite, counted from 0; None for all.
        tolerance: Requested width of the interval, in bits; at least 1e-9.
        normalize: Divide `p` by its sum (counts, weights) instead of requiring 1.

    Returns:
        The value. If the tolerance was not reached, `converged` is False and `gap` is the width
        that was.

    Raises:
        InputError: `p` is not a joint table, a source does not exist, the tolerance is below 1e-9,
            or the arrays of the solver do not fit into memory.

    >>> parity = [[[[1, 0], [0, 1]], [[0, 1], [1, 0]]], [[[0, 1], [1, 0]], [[1, 0], [0, 1]]]]
    >>> union_information(parity, normalize=True).value
    0.0
    """
    table = as_joint(p, normalize=normalize)
    if not tolerance >= TIGHTEST:
        raise InputError(f"tolerance is at least {TIGHTEST:g} bits, got {tolerance:g}")
    return _union(table, _axes(sources, table.ndim - 1), tolerance)


def as_joint(p: TableLike, *, normalize: bool = False) -> Array:
    """Validate a joint table p[x1, …, xn, y] of any number of sources; float64 that sums to 1.

    Raises:
        InputError: Fewer than two axes, empty, negative, not finite, or not summing to 1.
    """
    table = as_float64(p)
    if table.ndim < 2:
        raise InputError(f"a joint table has two axes [x1, …, xn, y] or more, got {table.ndim}")
    checked = as_table(table.reshape(-1, 1, table.shape[-1] or 1), normalize=normalize)
    return checked.reshape(table.shape)


def information(p: Array) -> float:
    """I(X1, …, Xn; Y) of a validated table [N…, K], in bits."""
    pxy = p.reshape(-1, p.shape[-1])
    sides = entropy(pxy.sum(1)) + entropy(pxy.sum(0))
    return max(float(sides - entropy(pxy, 2)), 0.0)


def _axes(sources: Sequence[int] | None, n: int) -> tuple[int, ...]:
    if sources is None:
        return tuple(range(n))
    chosen = [sources] if isinstance(sources, int) else list(sources)
    right = all(isinstance(i, int | np.integer) and 0 <= i < n for i in chosen)
    if not chosen or not right or len(set(chosen)) < len(chosen):
        raise InputError(f"sources are different axes from 0 to {n - 1}, got {chosen!r}")
    return tuple(sorted(int(i) for i in chosen))


def _union(table: Array, axes: tuple[int, ...], tolerance: float) -> UnionInformation:
    dropped = tuple(i for i in range(table.ndim - 1) if i not in axes)
    own = table.sum(axis=dropped) if dropped else table
    full = tuple(marginal_of(own, i) for i in range(len(axes)))
    seen = full[0].sum(axis=0) > 0  # values of Y that occur
    merges = [_merge(marginal) for marginal in full]
    small = own[..., seen]
    for i, merge in enumerate(merges):
        small = _sum_groups(small, merge, i)
    marginals = tuple(marginal_of(small, i) for i in range(len(axes)))
    target = float(entropy(full[0].sum(axis=0)))
    # The merged digits of source i can add at most I(X_i; Y) - I(M_i; Y) to I_q (docs of `_merge`).
    lost = sum(
        max(information(a) - information(b), 0.0) for a, b in zip(full, marginals, strict=True)
    )
    solved = solve(marginals, small, LN2 * max(tolerance - lost, TIGHTEST / 2))
    low, high = target + solved.lower / LN2, target + solved.upper / LN2 + lost
    low, high = max(min(low, high), 0.0), max(low, high, 0.0)  # of rounding errors of 1e-16
    return UnionInformation(
        value=(low + high) / 2,
        interval=Interval(low, high),
        converged=high - low <= tolerance + ROUNDING,
        experts=_expanded_experts(solved, full, merges, seen),
        q=_expanded_table(solved, full, marginals, merges, seen),
        sources=axes,
    )


def _merge(marginal: Array) -> NDArray[np.intp]:
    """Number the distinct rows p(y | x) of [N, K]; -1 where p(x) = 0, [N].

    A source tells about Y what its class M of equal p(y | x) tells, so the program is solved for
    the classes. A solution q of the classes, with X_i drawn given (M_i, Y) independently of all
    else, has the marginals of the table and I_q(X; Y) <= I_q(M; Y) + sum_i [I(X_i; Y) -
    I(M_i; Y)]; the last terms are rounding errors. And union(M) <= union(X) always.
    """
    px = marginal.sum(axis=1)
    occurs = px > 0
    given = np.round(marginal[occurs] / px[occurs, None], MERGED_DECIMALS)
    _, number = np.unique(given + 0.0, axis=0, return_inverse=True)
    merge = np.full(len(marginal), -1, dtype=np.intp)
    merge[occurs] = number.reshape(-1)
    return merge


def _sum_groups(table: Array, merge: NDArray[np.intp], axis: int) -> Array:
    """Sum the rows of each class along an axis: N_i -> M_i."""
    moved = np.moveaxis(table, axis, 0)
    result = np.zeros((int(merge.max()) + 1, *moved.shape[1:]))
    np.add.at(result, merge[merge >= 0], moved[merge >= 0])
    return np.moveaxis(result, 0, axis)


def _expanded_experts(
    solved: Solution, full: Parts, merges: list[NDArray[np.intp]], seen: NDArray[np.bool_]
) -> Parts:
    """Give every value the expert of its class, in bits."""
    experts = []
    for expert, marginal, merge in zip(solved.experts, full, merges, strict=True):
        wide = np.full(marginal.shape, -np.inf)
        wide[:, seen] = np.where(marginal[:, seen] > 0, expert[merge] / LN2, -np.inf)
        experts.append(wide)
    return tuple(experts)


def _expanded_table(
    solved: Solution,
    full: Parts,
    marginals: Parts,
    merges: list[NDArray[np.intp]],
    seen: NDArray[np.bool_],
) -> Array:
    """Draw each X_i given its class and Y, independently of all else: q of all values, [N…, K]."""
    table = solved.q
    for i, (wide, small, merge) in enumerate(zip(full, marginals, merges, strict=True)):
        of_class = small[merge]
        share = np.divide(wide[:, seen], of_class, where=of_class > 0, out=np.zeros_like(of_class))
        share[merge < 0] = 0.0
        table = np.take(table, merge, axis=i) * spread(share, i, len(full))
    result = np.zeros((*table.shape[:-1], len(seen)))
    result[..., seen] = table
    return result


# --------------------------------------------------------------------------- the report


@dataclass(frozen=True, eq=False)
class SourceAtoms:
    """What n sources tell about a target, in bits: n unique parts, the union and the synergy.

    Attributes:
        total: I(X1, …, Xn; Y).
        union: The union information of all sources.
        synergy: The total without the union: what no source tells by itself, told by any number of
            them together.
        unique: By source: what the union loses without it.
        single: By source: I(X_i; Y).
        intervals: Certified intervals of "union", "synergy" and "unique NAME" for each source.
        gap: Width of the widest interval, bits.
        converged: True if every interval is at most as wide as the requested tolerance.
        target: Name of the target.

    The unique parts and the synergy do not sum to the total. The rest, `shared`, is lost from the
    union only if two sources or more are left out; n + 1 numbers do not divide it further.
    """

    total: float
    union: float
    synergy: float
    unique: Mapping[str, float]
    single: Mapping[str, float]
    intervals: Mapping[str, Interval]
    gap: float
    converged: bool
    target: str = "Y"

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources."""
        return tuple(self.unique)

    @property
    def shared(self) -> float:
        """The union without the unique parts, bits: for two sources the redundancy.

        For more sources it was not negative on any of 2,000 random tables; we know of no proof.
        """
        return self.union - sum(self.unique.values())

    def rows(self) -> list[dict[str, Any]]:
        """One row for each number: its name, bits, and the ends of its certified interval."""
        values = {f"unique {name}": bits for name, bits in self.unique.items()}
        values |= {"union": self.union, "synergy": self.synergy}
        rows: list[dict[str, Any]] = [
            {"quantity": name, "bits": bits, "low": low, "high": high}
            for name, bits in values.items()
            for low, high in [self.intervals[name]]
        ]
        exact = {f"I({name};{self.target})": bits for name, bits in self.single.items()}
        exact["total"] = self.total
        rows += [{"quantity": k, "bits": v, "low": v, "high": v} for k, v in exact.items()]
        return rows


def sources_report(
    p: TableLike,
    *,
    tolerance: float = 1e-6,
    normalize: bool = False,
    sources: Sequence[str] | None = None,
    target: str = "Y",
) -> SourceAtoms:
    """Unique part of each of n sources and their total synergy, with certified intervals.

    Args:
        p: Joint table p[x1, …, xn, y], the target last; an array or a tensor.
        tolerance: Requested width of every interval, in bits; at least 2e-9.
        normalize: Divide `p` by its sum (counts, weights) instead of requiring 1.
        sources: Names of the sources; X1, X2, … if None.
        target: Name of the target.

    Raises:
        InputError: `p` is not a joint table, the names do not fit, the tolerance is below 2e-9, or
            the arrays of the solver do not fit into memory.

    >>> xor = [[[1, 0], [0, 1]], [[0, 1], [1, 0]]]
    >>> sources_report(xor, normalize=True).synergy
    1.0
    """
    table = as_joint(p, normalize=normalize)
    n = table.ndim - 1
    names = source_names(sources, n)
    if not tolerance >= 2 * TIGHTEST:
        raise InputError(f"tolerance is at least {2 * TIGHTEST:g} bits, got {tolerance:g}")
    # A difference of two unions is as uncertain as both together.
    everyone = _union(table, tuple(range(n)), tolerance / 2).interval
    total = information(table)
    intervals = {"union": everyone, "synergy": Interval(total - everyone[1], total - everyone[0])}
    for i, name in enumerate(names):
        low, high = _union_without(table, i, tolerance / 2)
        intervals[f"unique {name}"] = Interval(everyone.low - high, everyone.high - low)
    gap = max(high - low for low, high in intervals.values())
    return SourceAtoms(
        total=total,
        union=_middle(intervals["union"]),
        synergy=_middle(intervals["synergy"]),
        unique={name: _middle(intervals[f"unique {name}"]) for name in names},
        single={name: information(marginal_of(table, i)) for i, name in enumerate(names)},
        intervals=intervals,
        gap=gap,
        converged=gap <= tolerance + ROUNDING,
        target=target,
    )


def source_names(sources: Sequence[str] | None, n: int) -> tuple[str, ...]:
    """Names of n sources: those given, or X1, …, Xn.

    Raises:
        InputError: Not n different names.
    """
    names = tuple(f"X{i + 1}" for i in range(n)) if sources is None else tuple(sources)
    if isinstance(sources, str) or len(names) != n or len(set(names)) < n:
        raise InputError(f"a table of {n} sources needs {n} different names, got {names!r}")
    return names


def _union_without(table: Array, i: int, tolerance: float) -> Interval:
    """The union information of all sources but i; of a single source it is its information."""
    rest = tuple(k for k in range(table.ndim - 1) if k != i)
    if len(rest) < 2:
        exact = information(marginal_of(table, rest[0])) if rest else 0.0
        return Interval(exact, exact)
    return _union(table, rest, tolerance).interval


def _middle(interval: Interval) -> float:
    return math.fsum(interval) / 2
