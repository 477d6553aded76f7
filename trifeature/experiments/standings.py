"""What the leaderboard judges: each method's lead over its control, beside that of CoMM.

S is judged by AUC first, then by a class-balanced probe: where one pair in ten keeps the map,
macro accuracy can stay at 50 while AUC is at 70. All differences are paired by seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from trifeature.experiments.experiment import Result, Results
from trifeature.report import Difference, Row, holm, paired

JUDGED: Final = "S_auc"
"""The column that methods are ordered and compared by."""

BALANCED: Final = "S_balanced"
"""The column that they are compared by next: a probe that counts both classes alike."""

LEVEL: Final = 0.05
"""A difference to the reference is established if its p-value, after Holm, is below this."""

FEWEST: Final = 3
"""Seeds without which no difference is called established: a spread of two numbers says little."""


@dataclass(frozen=True)
class Lead:
    """S of one method over its control, by one reading and one measure.

    Attributes:
        over_control: S less that of the same method on unbiased pairs, paired by seed.
        over_reference: The same difference less the reference method's, paired by seed; None for
            the reference itself.
        over_others: S less what is read in the same way of maps that never occurred in training.
        p_value: Of `over_reference`, after Holm over all methods of the board, see `adjusted`.
    """

    over_control: Difference | None
    over_reference: Difference | None
    over_others: Difference | None
    p_value: float | None

    @property
    def verdict(self) -> str:
        """Whether the difference to the reference is established."""
        if self.over_reference is None:
            return ""
        if self.p_value is None or self.over_reference.n < FEWEST:
            return "too few seeds"
        if self.p_value >= LEVEL:
            return "not established"
        return "more" if self.over_reference.mean > 0 else "less"


@dataclass(frozen=True)
class Standing:
    """What the leaderboard says of one method.

    Attributes:
        result: Its rows.
        reference: Whether the others are compared with it.
        own: Its lead by AUC, read from its own features.
        balanced: The same by the class-balanced probe.
        products: By AUC, read with products of the modalities' features, where it was.
    """

    result: Result
    reference: bool
    own: Lead
    balanced: Lead
    products: Lead


def standings(results: Results) -> list[Standing]:
    """The standing of every method, the most synergy over its control first, unmeasured ones last.

    The order is that of the methods' own features. The first arm is the reference.
    """
    readings = [(one.biased, one.unbiased, one.of_other_maps(products=False)) for one in results]
    added = [one.arm.added for one in results]
    own, balanced = (_leads(readings, column, added) for column in (JUDGED, BALANCED))
    products = _leads(
        [
            (
                one.by_products(biased=True),
                one.by_products(biased=False),
                one.of_other_maps(products=True),
            )
            for one in results
        ],
        JUDGED,
        added,
    )
    first = results.arms[0]
    found = [
        Standing(one, one is first, plain, even, multiplied)
        for one, plain, even, multiplied in zip(results, own, balanced, products, strict=True)
    ]
    return sorted(
        found, key=lambda one: -(one.own.over_control.mean if one.own.over_control else -1e9)
    )


def _leads(
    readings: Sequence[tuple[Sequence[Row], Sequence[Row], Sequence[Row]]],
    column: str,
    added: Sequence[bool],
) -> list[Lead]:
    """The lead of each method; the first one is the reference.

    Args:
        readings: Of each method the rows of biased and unbiased trainings, and of other maps.
        column: The measure of S.
        added: Whether each method was registered from outside the package.
    """
    reference, *others = (
        _over_control(biased, unbiased, column) for biased, unbiased, _ in readings
    )
    differences = [None, *(paired(one, reference, column) for one in others)]
    p_values = adjusted([one.p_value if one else None for one in differences[1:]], added[1:])
    return [
        Lead(
            paired(biased, unbiased, column),
            difference,
            paired(biased, other, column),
            p_value,
        )
        for (biased, unbiased, other), difference, p_value in zip(
            readings, differences, [None, *p_values], strict=True
        )
    ]


def adjusted(p_values: Sequence[float | None], added: Sequence[bool]) -> list[float | None]:
    """Holm's adjusted p-values of a board.

    A method without one, since it has no rows yet, counts as p = 1. So measuring it can make a
    difference of another one established, and never takes that back. The board's own methods are
    one family of tests, whatever is registered beside them; a method that was added is tested
    within all.

    Args:
        p_values: Of each method's difference to the reference; None where it has none.
        added: Whether each method was registered from outside the package.
    """
    counted = [1.0 if p is None else p for p in p_values]
    ours = iter(holm([p for p, other in zip(counted, added, strict=True) if not other]))
    of_ours = [1.0 if other else next(ours) for other in added]
    of_all = holm(counted)
    return [
        None if p is None else (of_all if other else of_ours)[place]
        for place, (p, other) in enumerate(zip(p_values, added, strict=True))
    ]


def _over_control(biased: Sequence[Row], unbiased: Sequence[Row], column: str) -> list[Row]:
    """S over its control for each seed that has both."""
    control = {row["seed"]: row[column] for row in unbiased if row.get(column) is not None}
    return [
        {"seed": row["seed"], column: row[column] - control[row["seed"]]}
        for row in biased
        if row.get(column) is not None and row["seed"] in control
    ]
