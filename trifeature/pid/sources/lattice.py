"""Atoms of two to four sources on the lattice of antichains (Williams and Beer 2010).

An antichain is a set of groups of sources, none of which contains another: {1}{23} stands for what
source 1 by itself and sources 2 and 3 together both tell. A measure gives the redundancy of every
antichain, and the atoms follow from it by Möbius inversion: a redundancy is the sum of the atoms at
and below it, so the atoms sum to I(X1, …, Xn; Y).

For three sources and more the lattice is disputed: no measure keeps all that was asked of one
(Rauh et al. 2014), and sums of atoms can contradict the informations that they should make up
(Lyu, Clark and Raviv 2025). `trifeature.pid.sources.union` has what stays well defined.

Shape legend: n sources, N_i values of X_i, K values of Y, [N…] one axis for each source, A
antichains. Sources are numbered from 1, as in the literature; a group is a bit mask inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trifeature.checks import require_memory, require_whole
from trifeature.errors import InputError, check_name
from trifeature.pid.sources.union import as_joint, information, source_names
from trifeature.pid.tables import LN2, TINY, Array, TableLike

Antichain: TypeAlias = tuple[tuple[int, ...], ...]
"""Groups of sources, numbered from 1: ((1,), (2, 3)) is {1}{23}."""

Redundancy: TypeAlias = Callable[[Array, Antichain], float]
"""Takes p[x1, …, xn, y] and an antichain; returns the redundancy of its groups in bits."""

MOST_SOURCES: Final = 4
"""Five sources have 7,579 antichains, which nobody can read."""


# --------------------------------------------------------------------------- the lattice


@dataclass(frozen=True, eq=False)
class Lattice:
    """The antichains of n sources and their order; bottom first.

    Attributes:
        sources: n.
        antichains: [A] antichains; each stands behind all that lie below it.
        names: [A] names such as "{1}{23}".
        below: [A, A], True at [i, j] if j <= i: each group of i contains a group of j.
        edges: Pairs (i, j) of positions, j directly below i.
    """

    sources: int
    antichains: tuple[Antichain, ...]
    names: tuple[str, ...]
    below: NDArray[np.bool_]
    edges: tuple[tuple[int, int], ...]

    @property
    def levels(self) -> tuple[int, ...]:
        """Height of each antichain: the length of the longest way down, [A]."""
        heights = [0] * len(self.names)
        for upper, lower in sorted(self.edges):
            heights[upper] = max(heights[upper], heights[lower] + 1)
        return tuple(heights)

    def invert(self, redundancies: Array) -> Array:
        """Möbius inversion: the atoms [A] whose sums over all at and below are `redundancies`."""
        atoms = np.zeros(len(self.names))
        for i, below in enumerate(self.below):
            atoms[i] = redundancies[i] - atoms[below].sum()  # those below come first
        return atoms


@cache
def lattice(sources: int) -> Lattice:
    """Build the lattice of antichains: 4 of two sources, 18 of three and 166 of four.

    Raises:
        InputError: Not 2, 3 or 4 sources.

    >>> lattice(2).names
    ('{1}{2}', '{1}', '{2}', '{12}')
    """
    n = require_whole("the number of sources of a lattice", sources, 2, MOST_SOURCES)
    found = sorted(
        _antichains(n), key=lambda chain: (-_size_of_upset(chain), len(chain), sorted(chain))
    )
    below = np.array([[_is_below(low, high) for low in found] for high in found])
    strict = below & ~np.eye(len(found), dtype=bool)
    # j is directly below i if nothing lies between: no k with j < k < i.
    between = (strict.astype(np.float32) @ strict.astype(np.float32)) > 0
    edges = tuple((int(i), int(j)) for i, j in np.argwhere(strict & ~between))
    chains = tuple(tuple(sorted(map(_members, c), key=lambda g: (len(g), g))) for c in found)
    names = tuple(antichain_name(chain) for chain in chains)
    return Lattice(n, chains, names, below, edges)


def antichain_name(antichain: Antichain) -> str:
    """Name such as "{1}{23}" of an antichain.

    >>> antichain_name(((1,), (2, 3)))
    '{1}{23}'
    """
    return "".join("{" + "".join(map(str, group)) + "}" for group in antichain)


def _antichains(n: int) -> Iterator[frozenset[int]]:
    """Antichains of non-empty groups (bit masks), without the empty antichain."""

    def extended(chosen: tuple[int, ...], rest: Sequence[int]) -> Iterator[tuple[int, ...]]:
        if chosen:
            yield chosen
        for place, group in enumerate(rest):
            if all(group & other not in (group, other) for other in chosen):
                yield from extended((*chosen, group), rest[place + 1 :])

    return map(frozenset, extended((), range(1, 2**n)))


def _is_below(low: frozenset[int], high: frozenset[int]) -> bool:
    return all(any(a & b == a for a in low) for b in high)


def _size_of_upset(chain: frozenset[int]) -> int:
    """Number of groups of up to 4 sources that contain one of the chain; falls along the order."""
    return sum(any(a & group == a for a in chain) for group in range(2**MOST_SOURCES))


def _members(mask: int) -> tuple[int, ...]:
    return tuple(i + 1 for i in range(mask.bit_length()) if mask >> i & 1)


# --------------------------------------------------------------------------- the measures


class _Marginals:
    """Marginals of one table by group, computed once."""

    def __init__(self, p: Array) -> None:
        self.p, self.n = p, p.ndim - 1
        self.known: dict[frozenset[int], Array] = {}

    def of(self, group: frozenset[int]) -> Array:
        """P(x_i for i in the group, y), with the other axes kept at length 1."""
        if group not in self.known:
            dropped = tuple(i for i in range(self.n) if i + 1 not in group)
            self.known[group] = self.p.sum(axis=dropped, keepdims=True)
        return self.known[group]


def _specific(marginals: _Marginals, antichain: Antichain) -> Array:
    """I(X_a; Y = y) of every group a of the antichain, in bits, [groups, K]."""
    py = marginals.of(frozenset()).reshape(-1)
    rows = []
    for group in antichain:
        pxy = marginals.of(frozenset(group)).reshape(-1, len(py))
        terms = pxy * (np.log(pxy + TINY) - np.log(pxy.sum(1, keepdims=True) * py + TINY))
        rows.append(terms.sum(axis=0) / (np.maximum(py, TINY) * LN2))
    return np.stack(rows)


def _i_min(marginals: _Marginals, antichain: Antichain) -> float:
    """I_min of Williams and Beer (2010): sum_y p(y) min_a I(X_a; Y = y)."""
    py = marginals.of(frozenset()).reshape(-1)
    return float(py @ _specific(marginals, antichain).min(axis=0))


def _mmi(marginals: _Marginals, antichain: Antichain) -> float:
    """Minimum mutual information (Barrett 2015): min_a I(X_a; Y)."""
    py = marginals.of(frozenset()).reshape(-1)
    return float((_specific(marginals, antichain) @ py).min())


def _either(marginals: _Marginals, antichain: Antichain) -> Array:
    """P("X_a = x_a for some group a", Y = y) for every x and y, broadcastable to [N…, K].

    By inclusion and exclusion over the groups; equal unions of groups are added up first.
    """
    signs: dict[frozenset[int], int] = {}
    for size in range(1, len(antichain) + 1):
        for some in combinations(antichain, size):
            union = frozenset().union(*some)
            signs[union] = signs.get(union, 0) + (-1) ** (size + 1)
    parts = [sign * marginals.of(union) for union, sign in signs.items() if sign]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return np.asarray(np.maximum(total, marginals.p))  # an event contains its own outcome


def _shared_exclusions(marginals: _Marginals, antichain: Antichain) -> tuple[float, float]:
    """Informative and misinformative part of I_sx (Makkeh, Gutknecht and Wibral 2021), bits.

    With W the event that X_a = x_a for some group a: the means of -log P(W) and of -log P(W | y);
    I_sx is their difference.
    """
    p, py = marginals.p, marginals.of(frozenset())
    either_y = _either(marginals, antichain)
    either = either_y.sum(axis=-1, keepdims=True)
    informative = -(p * np.log(either + TINY)).sum() / LN2
    given_y = np.log(either_y + TINY) - np.log(py + TINY)
    return float(informative), -float((p * np.where(p > 0, given_y, 0.0)).sum() / LN2)


LATTICE_MEASURES: Final = ("I_min", "MMI", "I_sx")
"""Measures that are defined for any number of groups."""


# --------------------------------------------------------------------------- the atoms


@dataclass(frozen=True, eq=False)
class LatticeAtoms:
    """Redundancy and atom of every antichain, in bits, by names such as "{1}{23}"; bottom first.

    Attributes:
        atoms: What the groups of an antichain share, and nothing below it has; can be negative.
        redundancies: What all groups of an antichain tell: the sum of the atoms at and below it.
        total: I(X1, …, Xn; Y), the sum of the atoms.
        measure: The definition of redundancy.
        sources: Names of the sources: source 1 of "{1}{23}" is the first.
        target: Name of the target.
        informative: For I_sx the atoms of the informative part, never negative; otherwise empty.
        misinformative: For I_sx the atoms of the misinformative part, never negative; an atom is
            the first less the second. Otherwise empty.
        lattice: The antichains and their order.
    """

    atoms: Mapping[str, float]
    redundancies: Mapping[str, float]
    total: float
    measure: str
    sources: tuple[str, ...]
    target: str
    informative: Mapping[str, float]
    misinformative: Mapping[str, float]
    lattice: Lattice

    def spelled(self, name: str) -> str:
        """Name of an antichain with the names of the sources: "{1}{23}" -> "{rain}{wind, sun}".

        Raises:
            InputError: No such antichain.
        """
        place = self.lattice.names.index(check_name("antichain", name, self.lattice.names))
        groups = self.lattice.antichains[place]
        return "".join("{" + ", ".join(self.sources[i - 1] for i in g) + "}" for g in groups)

    def rows(self) -> list[dict[str, Any]]:
        """One row for each antichain, bottom first: its names, redundancy and atom in bits."""
        rows: list[dict[str, Any]] = []
        for name, bits in self.atoms.items():
            row: dict[str, Any] = {"antichain": name, "groups": self.spelled(name)}
            row |= {"redundancy": self.redundancies[name], "atom": bits}
            if self.informative:
                row["informative"] = self.informative[name]
                row["misinformative"] = self.misinformative[name]
            rows.append(row)
        return rows


def lattice_atoms(
    p: TableLike,
    measure: str | Redundancy = "I_min",
    *,
    normalize: bool = False,
    sources: Sequence[str] | None = None,
    target: str = "Y",
) -> LatticeAtoms:
    """The atoms of two, three or four sources under a measure of redundancy.

    Args:
        p: Joint table p[x1, …, xn, y], the target last; an array or a tensor.
        measure: `I_min`, `MMI`, `I_sx`, or a function of the table and an antichain.
        normalize: Divide `p` by its sum (counts, weights) instead of requiring 1.
        sources: Names of the sources; X1, X2, … if None.
        target: Name of the target.

    Raises:
        InputError: `p` is not a joint table of 2 to 4 sources, the names do not fit, the measure
            does not exist or returned something other than a finite number, or memory is short.

    >>> parity = [[[[1, 0], [0, 1]], [[0, 1], [1, 0]]], [[[0, 1], [1, 0]], [[1, 0], [0, 1]]]]
    >>> round(lattice_atoms(parity, normalize=True).atoms["{123}"], 9)
    1.0
    """
    table = as_joint(p, normalize=normalize)
    order = lattice(table.ndim - 1)
    names = source_names(sources, order.sources)
    require_memory("the lattice", 8.0 * table.size * (2**order.sources + 4), "coarsen the columns")
    if callable(measure):
        label = getattr(measure, "__name__", "a function")
        values = np.array([_returned(label, measure(table, a)) for a in order.antichains])
        parts: tuple[Array, ...] = ()
    else:
        label = check_name("measure on a lattice", measure, LATTICE_MEASURES)
        values, parts = _evaluated(label, _Marginals(table), order)
    inverted = [_by_name(order, order.invert(part)) for part in parts] or [{}, {}]
    return LatticeAtoms(
        atoms=_by_name(order, order.invert(values)),
        redundancies=_by_name(order, values),
        total=information(table),
        measure=label,
        sources=names,
        target=target,
        informative=inverted[0],
        misinformative=inverted[1],
        lattice=order,
    )


def _evaluated(
    measure: str, marginals: _Marginals, order: Lattice
) -> tuple[Array, tuple[Array, ...]]:
    """Redundancies [A], and for I_sx their informative and misinformative parts."""
    if measure == "I_sx":
        parts = np.array([_shared_exclusions(marginals, a) for a in order.antichains])
        return parts[:, 0] - parts[:, 1], (parts[:, 0], parts[:, 1])
    function = _i_min if measure == "I_min" else _mmi
    return np.array([function(marginals, a) for a in order.antichains]), ()


def _returned(label: str, value: Any) -> float:
    try:
        bits = float(value)
    except (TypeError, ValueError):
        bits = float("nan")
    if not np.isfinite(bits):
        raise InputError(f"measure {label!r} must return a finite number of bits, not {value!r}")
    return bits


def _by_name(order: Lattice, values: Array) -> dict[str, float]:
    return dict(zip(order.names, (values + 0.0).tolist(), strict=True))  # no negative zero
