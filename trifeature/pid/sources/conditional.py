"""Partial information decomposition given a third variable: the mean of one for each of its values.

For each value z the atoms of p(x1, x2, y | z) are computed; their mean, weighted by p(z), sums to
the conditional information I(X1, X2; Y | Z). What Z itself tells about Y is in none of the atoms.

Shape legend: Z values of the given variable, N values of X1, M values of X2, K values of Y.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from trifeature.errors import InputError
from trifeature.pid.atoms import ATOM_NAMES, Atoms, mean_atoms
from trifeature.pid.measures import decompose_many
from trifeature.pid.solver import TIGHTEST
from trifeature.pid.sources.coded import coded, counts_of
from trifeature.pid.sources.union import as_joint
from trifeature.pid.tables import TableLike


@dataclass(frozen=True, eq=False)
class ConditionalAtoms:
    """The decomposition of I(X1, X2; Y | Z), in bits.

    Attributes:
        atoms: The mean over Z; the width of its intervals is the mean of theirs.
        by_value: The atoms for each value of Z that occurs.
        weights: The probability of each of these values.
        given: Name of Z.
    """

    atoms: Atoms
    by_value: Mapping[str, Atoms]
    weights: Mapping[str, float]
    given: str = "Z"

    def rows(self) -> list[dict[str, Any]]:
        """One row for each value of Z, and one for the mean: weight and atoms in bits."""
        parts = [(value, self.weights[value], atoms) for value, atoms in self.by_value.items()]
        return [
            {self.given: value, "weight": weight, **_by_name(atoms), "total": atoms.total}
            for value, weight, atoms in [*parts, ("mean", 1.0, self.atoms)]
        ]


def conditional(
    p: TableLike,
    measure: str = "BROJA",
    *,
    tolerance: float = TIGHTEST,
    normalize: bool = False,
    sources: tuple[str, str] = ("X1", "X2"),
    target: str = "Y",
    given: str = "Z",
    values: Sequence[Any] | None = None,
) -> ConditionalAtoms:
    """Decompose the information of two sources about a target, given a third variable.

    Args:
        p: Joint table p[z, x1, x2, y], an array or a tensor.
        measure: Any of `trifeature.pid.measures.MEASURES`.
        tolerance: Requested width of the certified intervals of BROJA, in bits; at least 1e-9.
        normalize: Divide `p` by its sum (counts, weights) instead of requiring 1.
        sources: Names of the sources.
        target: Name of the target.
        given: Name of Z.
        values: What each z stands for; 0, 1, … if None.

    Raises:
        InputError: `p` is not such a table, the measure does not exist, the values are not as many
            as the table has, or the tolerance is below 1e-9.

    >>> same = [[[[1, 0], [0, 1]], [[0, 1], [1, 0]]], [[[1, 0], [1, 0]], [[0, 1], [0, 1]]]]
    >>> found = conditional(same, normalize=True)  # an XOR if z = 0, a copy of x1 if z = 1
    >>> round(found.atoms.synergy, 6), round(found.atoms.unique1, 6)
    (0.5, 0.5)
    """
    table = as_joint(p, normalize=normalize)
    if table.ndim != 4:
        raise InputError(f"a table given Z has four axes [z, x1, x2, y], got {table.ndim}")
    names = [str(z) for z in (range(len(table)) if values is None else values)]
    if len(names) != len(table) or len(set(names)) < len(names):
        raise InputError(f"{given} has {len(table)} values, and needs as many different names")
    weights = table.sum((1, 2, 3))
    occurs = weights > 0
    slices = table[occurs] / weights[occurs, None, None, None]
    found = decompose_many(slices, measure, tolerance=tolerance, sources=sources, target=target)
    own = dict(zip(np.array(names, dtype=object)[occurs], weights[occurs].tolist(), strict=True))
    return ConditionalAtoms(
        mean_atoms(found, list(own.values())), dict(zip(own, found, strict=True)), own, given
    )


def conditional_columns(
    source1: ArrayLike,
    source2: ArrayLike,
    target: ArrayLike,
    given: ArrayLike,
    measure: str = "BROJA",
    *,
    tolerance: float = TIGHTEST,
    bins: int | str | None = None,
    binning: Literal["count", "width"] = "count",
    sources: tuple[str, str] = ("X1", "X2"),
    target_name: str = "Y",
    given_name: str = "Z",
) -> ConditionalAtoms:
    """The atoms of n samples given a third column; the frequencies are the probabilities.

    They are exact for these samples. As estimates for the distribution that the samples come from
    they are biased upwards, more than without Z: each of its values has a part of the samples.

    Args:
        source1: [n] or [n, c] values: arrays, tensors, data frames.
        source2: As `source1`.
        target: As `source1`.
        given: As `source1`.
        measure: Any of `trifeature.pid.measures.MEASURES`.
        tolerance: As for `conditional`.
        bins: Number of bins of continuous columns, or "categories" to take values as they are.
        binning: Bins of equal "count" or equal "width".
        sources: Names of the sources.
        target_name: Name of the target.
        given_name: Name of the given variable.

    Raises:
        InputError: the columns have different lengths, one cannot be coded, the table does not fit
            into memory, or what `conditional` raises.
    """
    names = (given_name, *sources, target_name)
    if len(set(names)) < 4:
        raise InputError(f"four columns need four different names, got {', '.join(names)}")
    found = coded(
        dict(zip(names, (given, source1, source2, target), strict=True)),
        bins=bins,
        binning=binning,
    )
    return conditional(
        counts_of(found),
        measure,
        tolerance=tolerance,
        normalize=True,
        sources=sources,
        target=target_name,
        given=given_name,
        values=found[0].values,
    )


def _by_name(atoms: Atoms) -> dict[str, float]:
    return dict(zip(ATOM_NAMES, atoms.values, strict=True))
