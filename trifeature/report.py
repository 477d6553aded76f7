"""Numbers as people read them: mean ± spread with n, tables as text and LaTeX."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Row = Mapping[str, Any]
COLUMNS: Final = ("R", "U1", "U2", "S", "S_auc", "S_balanced")


@dataclass(frozen=True)
class Summary:
    """Mean and spread of a number over seeds.

    Attributes:
        mean: In percent.
        spread: Standard deviation (n − 1), in percent; None for n = 1.
        n: Seeds.
    """

    mean: float
    spread: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Summary | None:
        """Summarize values in [0, 1]; None if there are none."""
        if not values:
            return None
        percent = [100 * value for value in values]
        spread = statistics.stdev(percent) if len(percent) > 1 else None
        return cls(statistics.fmean(percent), spread, len(percent))

    @property
    def standard_error(self) -> float | None:
        """Of the mean, in percent; None for n = 1."""
        return None if self.spread is None else self.spread / self.n**0.5

    def __str__(self) -> str:
        return f"{self.mean:.1f}" + ("" if self.spread is None else f" ± {self.spread:.1f}")


def summarize(rows: Sequence[Row], column: str) -> Summary | None:
    """Mean and spread of a column over rows; rows without it are left out."""
    return Summary.of([row[column] for row in rows if row.get(column) is not None])


def columns_for(modalities: int) -> tuple[str, ...]:
    """The columns of a table of interactions: a U for each modality.

    >>> columns_for(3)
    ('R', 'U1', 'U2', 'U3', 'S', 'S_auc', 'S_balanced')
    """
    return ("R", *(f"U{m + 1}" for m in range(modalities)), *COLUMNS[-3:])


def table_row(label: str, rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> list[str]:
    """One line of a table of interactions: the label, mean ± spread of each column, n."""
    cells = [str(summary) if (summary := summarize(rows, c)) else "–" for c in columns]
    return [label, *cells, str(len(rows))]


def compare(treated: Sequence[Row], control: Sequence[Row], column: str = "S") -> str | None:
    """The difference of two means with its standard error, in words; None without both.

    >>> compare([{"S": 0.7}, {"S": 0.72}], [{"S": 0.6}, {"S": 0.62}])
    '+10.0 ± 1.4 points (7.1 standard errors, n = 2 and 2)'
    """
    a, b = summarize(treated, column), summarize(control, column)
    if a is None or b is None:
        return None
    difference = a.mean - b.mean
    if a.standard_error is None or b.standard_error is None:
        return f"{difference:+.1f} points (n = {a.n} and {b.n}: no spread to judge it by)"
    error = (a.standard_error**2 + b.standard_error**2) ** 0.5
    ratio = f"{difference / error:.1f} standard errors, " if error > 0 else ""
    return f"{difference:+.1f} ± {error:.1f} points ({ratio}n = {a.n} and {b.n})"
