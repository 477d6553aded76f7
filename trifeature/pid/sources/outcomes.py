"""Probabilities of the outcomes (x1, x2, y) of single samples, and their local informations.

Shape legend: n samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from trifeature.pid.tables import Array

Codes: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Probabilities of the outcomes of each sample, [n] each.

    Attributes:
        p1: p(x1)
        p2: p(x2)
        p12: p(x1, x2)
        py: p(y)
        p1y: p(x1, y)
        p2y: p(x2, y)
        p12y: p(x1, x2, y)
    """

    p1: Array
    p2: Array
    p12: Array
    py: Array
    p1y: Array
    p2y: Array
    p12y: Array

    @classmethod
    def of_table(cls, p: Array, codes: Codes) -> Outcomes:
        """Probabilities under a table p[x1, x2, y] of the outcomes (x1, x2, y), [n, 3]."""
        x1, x2, y = codes.T
        return cls(
            p.sum((1, 2))[x1],
            p.sum((0, 2))[x2],
            p.sum(2)[x1, x2],
            p.sum((0, 1))[y],
            p.sum(1)[x1, y],
            p.sum(0)[x2, y],
            p[x1, x2, y],
        )

    @classmethod
    def of_rows(cls, codes: Codes) -> Outcomes:
        """Frequencies among the samples themselves: no table is needed, however many values."""
        x1, x2, y = codes.T
        groups = ((x1,), (x2,), (x1, x2), (y,), (x1, y), (x2, y), (x1, x2, y))
        return cls(*(_frequencies(group) for group in groups))

    @property
    def informative(self) -> tuple[Array, Array, Array]:
        """Surprisals -log2 p of x1, x2 and both."""
        return -np.log2(self.p1), -np.log2(self.p2), -np.log2(self.p12)

    @property
    def misinformative(self) -> tuple[Array, Array, Array]:
        """Surprisals -log2 p of x1, x2 and both, given y."""
        found = (-np.log2(part / self.py) for part in (self.p1y, self.p2y, self.p12y))
        one, other, both = found
        return one, other, both

    @property
    def informations(self) -> tuple[Array, Array, Array]:
        """Local informations i1, i2 and i12: informative less misinformative."""
        pairs = zip(self.informative, self.misinformative, strict=True)
        one, other, both = (plus - minus for plus, minus in pairs)
        return one, other, both


def _frequencies(columns: tuple[Codes, ...]) -> Array:
    """Share of the samples that agree with each in these columns, [n]."""
    joint = columns[0]
    for column in columns[1:]:
        joint = joint * (int(column.max()) + 1) + column
        if int(joint.max()) >= 10 * len(joint):  # number the pairs that occur: few, and no overflow
            joint = np.unique(joint, return_inverse=True)[1].reshape(-1)
    return np.asarray(np.bincount(joint)[joint] / len(joint))
