"""The result type: four atoms in bits, how far they are certified, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

# Adding and subtracting H(Y) moves the ends of an interval by this much at most.
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
        redundancy: What either source tells about the target.
        unique1: What only source 1 tells about the target.
        unique2: What only source 2 tells about the target.
        synergy: What only both sources together tell about the target.
        total: I(X1, X2; Y), the sum of the four atoms.
        gap: Width of the certified interval around every atom; 0 where a formula is exact.
        converged: Whether `gap` is at most the tolerance asked for.
        measure: The definition of redundancy behind the numbers.
        sources: Names of the two sources.
        target: Name of the variable that the atoms are about.
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
        """The atom called `name`, one of `ATOM_NAMES`."""
        return dict(zip(ATOM_NAMES, self.values, strict=True))[name]

    @property
    def values(self) -> tuple[float, float, float, float]:
        """Redundancy, unique 1, unique 2, synergy."""
        return self.redundancy, self.unique1, self.unique2, self.synergy

    @property
    def intervals(self) -> dict[str, Interval]:
        """The certified interval of every atom, by name.

        An atom is the middle of its interval. The certificate is computed in float64: take
        1e-13 of rounding on either side into account.
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
    """The four atoms from I(X1; Y), I(X2; Y), I(X1, X2; Y) and an interval of I_union.

    One number decides all four atoms, so its interval is the interval of each.

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
