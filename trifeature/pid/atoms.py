"""The result type: four atoms in bits, their intervals, and the names of the variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

# Largest rounding error of an interval's ends from adding and subtracting H(Y).
ROUNDING = 1e-14

ATOM_NAMES = ("redundancy", "unique1", "unique2", "synergy")


class Interval(NamedTuple):
    """The true value lies in [low, high], in bits."""

    low: float
    high: float


@dataclass(frozen=True)
class Atoms:
    """A partial information decomposition of I(X1, X2; Y), in bits.

    Attributes:
        redundancy: Information about the target that each source has.
        unique1: Information about the target that only source 1 has.
        unique2: Information about the target that only source 2 has.
        synergy: Information about the target that only both sources together have.
        total: I(X1, X2; Y), the sum of the four atoms.
        gap: Width of the interval around every atom: certified for BROJA, estimated for other
            measures that are fitted numerically, 0 for closed formulas, infinite where nothing is
            certified (`dual_atoms`).
        converged: True if `gap` is at most the requested tolerance.
        measure: The definition of redundancy.
        sources: Names of the two sources.
        target: Name of the variable that the information is about.
    """

    redundancy: float
    unique1: float
    unique2: float
    synergy: float
    total: float
    gap: float = 0.0
    converged: bool = True
    measure: str = "BROJA"
    sources: tuple[str, str] = ("X1", "X2")
    target: str = "Y"

    def value(self, name: str) -> float:
        """Return the atom called `name`, one of `ATOM_NAMES`."""
        return dict(zip(ATOM_NAMES, self.values, strict=True))[name]

    @property
    def values(self) -> tuple[float, float, float, float]:
        """Redundancy, unique 1, unique 2, synergy."""
        return self.redundancy, self.unique1, self.unique2, self.synergy

    @property
    def intervals(self) -> dict[str, Interval]:
        """The interval of every atom, by name; see `gap`.

        An atom is the middle of its interval. The bounds are computed in float64: allow for a
        rounding error of 1e-13 at either end.
        """
        half = self.gap / 2
        return {
            name: Interval(value - half, value + half)
            for name, value in zip(ATOM_NAMES, self.values, strict=True)
        }

    @property
    def information1(self) -> float:
        """I(X1; Y) = redundancy + unique 1."""
        return self.redundancy + self.unique1

    @property
    def information2(self) -> float:
        """I(X2; Y) = redundancy + unique 2."""
        return self.redundancy + self.unique2

    @property
    def union(self) -> float:
        """I_union = redundancy + unique 1 + unique 2: the total without the synergy."""
        return self.total - self.synergy

    @property
    def co_information(self) -> float:
        """I(X1; Y) + I(X2; Y) - I(X1, X2; Y) = redundancy - synergy."""
        return self.redundancy - self.synergy


def atoms_from_union(
    informations: tuple[float, float, float],
    union: Interval,
    *,
    tolerance: float = 0.0,
    measure: str = "BROJA",
    sources: tuple[str, str] = ("X1", "X2"),
    target: str = "Y",
) -> Atoms:
    """Compute the four atoms from I(X1; Y), I(X2; Y), I(X1, X2; Y) and an interval of I_union.

    I_union determines all four atoms, so the width of its interval is the width of each of theirs.

    Args:
        informations: I(X1; Y), I(X2; Y) and I(X1, X2; Y), bits.
        union: Interval that contains I_union, bits.
        tolerance: Largest width at which the result counts as converged, bits.
        measure: Name of the measure, kept in the result.
        sources: Names of the sources, kept in the result.
        target: Name of the target, kept in the result.

    >>> atoms_from_union((0.0, 0.0, 1.0), Interval(0.0, 0.0)).synergy
    1.0
    """
    source1, source2, total = informations
    middle = (union.low + union.high) / 2
    gap = max(union.high - union.low, 0.0)
    return Atoms(
        redundancy=source1 + source2 - middle,
        unique1=middle - source2,
        unique2=middle - source1,
        synergy=total - middle,
        total=total,
        gap=gap,
        converged=gap <= tolerance + ROUNDING,
        measure=measure,
        sources=sources,
        target=target,
    )


def mean_atoms(found: Sequence[Atoms], weights: Sequence[float]) -> Atoms:
    """The weighted mean of decompositions of one measure; weights sum to 1.

    Intervals add up, so their widths are averaged too. It has converged if each has. The names of
    the variables are those of the first.
    """

    def mean(numbers: Sequence[float]) -> float:
        return sum(weight * x for weight, x in zip(weights, numbers, strict=True))

    r, u1, u2, s = (mean([atoms.values[i] for atoms in found]) for i in range(len(ATOM_NAMES)))
    return replace(
        found[0],
        redundancy=r,
        unique1=u1,
        unique2=u2,
        synergy=s,
        total=mean([atoms.total for atoms in found]),
        gap=mean([atoms.gap for atoms in found]),
        converged=all(atoms.converged for atoms in found),
    )
