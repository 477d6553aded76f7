"""Numbers as people read them: mean ± spread with n, tables as text and LaTeX; rows of atoms."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from trifeature.columns import data_frame as data_frame  # noqa: PLC0414 - rows as a frame
from trifeature.pid import Atoms, Estimate

if TYPE_CHECKING:
    pass

Row = Mapping[str, Any]
COLUMNS: Final = ("R", "U1", "U2", "S", "S_auc", "S_balanced")
ROUNDING: Final = 1e-9
"""Points of percent."""
CONVERGED: Final = "_converged"
"""Ends the name of a column of the authors' probe, which stops early, once it has converged."""


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


def mean_of(rows: Sequence[Row], column: str) -> float | None:
    """The mean of a column in its own unit; None where no row has it."""
    values = [row[column] for row in rows if row.get(column) is not None]
    return statistics.fmean(values) if values else None


def columns_for(modalities: int) -> tuple[str, ...]:
    """The columns of a table of interactions: a U for each modality.

    >>> columns_for(3)
    ('R', 'U1', 'U2', 'U3', 'S', 'S_auc', 'S_balanced')
    """
    return ("R", *(f"U{m + 1}" for m in range(modalities)), *COLUMNS[-3:])


def with_converged(columns: Sequence[str], rows: Iterable[Row]) -> list[str]:
    """The columns, then those of them that rows hold of the authors' probe converged too.

    >>> with_converged(["R", "S"], [{"R": 0.9, "S": 0.5, "S_converged": 0.6}])
    ['R', 'S', 'S_converged']
    """
    ends = {name for row in rows for name in row if name.endswith(CONVERGED)}
    return [*columns, *(column + CONVERGED for column in columns if column + CONVERGED in ends)]


def table_row(label: str, rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> list[str]:
    """One line of a table of interactions: the label, mean ± spread of each column, n."""
    cells = [str(summary) if (summary := summarize(rows, c)) else "–" for c in columns]
    return [label, *cells, str(len(rows))]


@dataclass(frozen=True)
class Difference:
    """Mean difference of a column between two lists of rows, paired by seed.

    Attributes:
        mean: In points of percent.
        low, high: Ends of its 95 % interval, by Student's t; None for n = 1.
        p_value: Two-sided, of the t-test that the mean is zero; None for n = 1.
        n: Seeds that both lists have.
    """

    mean: float
    low: float | None
    high: float | None
    p_value: float | None
    n: int

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.mean:+.1f}"
        return f"{self.mean:+.1f} [{self.low:+.1f}, {self.high:+.1f}]"


def paired(treated: Sequence[Row], control: Sequence[Row], column: str = "S") -> Difference | None:
    """The difference of treated to control rows, seed by seed; None without a common seed.

    Args:
        treated: Rows with `seed`; of rows of the same seed the last one counts.
        control: The same.
        column: In [0, 1]; rows without it are left out.
    """
    first, second = (
        {row["seed"]: 100 * row[column] for row in rows if row.get(column) is not None}
        for rows in (treated, control)
    )
    return difference_of([first[seed] - second[seed] for seed in first if seed in second])


def difference_of(values: Sequence[float]) -> Difference | None:
    """Mean, interval and t-test of differences; None if there are none.

    With mean d and standard deviation s of n differences, the interval is d ± t s / √n, with the
    97.5 % quantile t of Student's distribution of n − 1 degrees of freedom.
    """
    n = len(values)
    if n < 2:
        return Difference(values[0], None, None, None, 1) if values else None
    from scipy.stats import t as student  # noqa: PLC0415 - takes half a second to import

    mean, error = statistics.fmean(values), statistics.stdev(values) / n**0.5
    reach = float(student.ppf(0.975, n - 1)) * error
    # Below a billionth of a point a difference, or its spread, is rounding.
    if error > ROUNDING:
        p_value = 2 * float(student.sf(abs(mean) / error, n - 1))
    else:
        p_value = float(abs(mean) <= ROUNDING)
    return Difference(mean, mean - reach, mean + reach, p_value, n)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values of several tests (Holm 1979), each at most 1.

    Sorted upwards, the k-th of m is multiplied by m − k + 1, and none is less than the one before.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, (len(p_values) - rank) * p_values[place])
        adjusted[place] = min(1.0, largest)
    return adjusted


def compare(treated: Sequence[Row], control: Sequence[Row], column: str = "S") -> str | None:
    """The difference of two means, paired by seed, in words; None without a common seed.

    >>> compare([{"S": 0.7, "seed": 0}], [{"S": 0.6, "seed": 0}])
    '+10.0 points (n = 1: no interval)'
    """
    found = paired(treated, control, column)
    if found is None:
        return None
    if found.low is None:
        return f"{found} points (n = 1: no interval)"
    interval = f"{found.low:+.1f} to {found.high:+.1f}"
    return f"{found.mean:+.1f} points (95 % interval {interval}, paired by seed, n = {found.n})"


# --------------------------------------------------------------------------- rows of PID atoms


def atom_rows(results: Iterable[Atoms], **labels: str) -> list[dict[str, Any]]:
    """One row per atom: labels, sources, target, measure, atom, bits, low, high, converged.

    Args:
        results: Decompositions.
        labels: Further columns, the same in every row.

    >>> row = atom_rows([Atoms(1.0, 0.0, 0.0, 0.0, 1.0)], name="RDN")[0]
    >>> row["name"], row["target"], row["atom"], row["bits"]
    ('RDN', 'Y', 'redundancy', 1.0)
    """
    return [
        {
            **labels,
            **_variables(atoms),
            "atom": name,
            "bits": atoms.value(name),
            "low": interval.low,
            "high": interval.high,
            "converged": atoms.converged,
        }
        for atoms in results
        for name, interval in atoms.intervals.items()
    ]


def wide_rows(results: Iterable[Atoms], **labels: str) -> list[dict[str, Any]]:
    """One row per decomposition: labels, sources, target, measure, R, U1, U2, S, total.

    Args:
        results: Decompositions.
        labels: Further columns, the same in every row.
    """
    return [
        {
            **labels,
            **_variables(atoms),
            **dict(zip(("R", "U1", "U2", "S"), atoms.values, strict=True)),
            "total": atoms.total,
        }
        for atoms in results
    ]


def estimate_rows(estimate: Estimate, **labels: str) -> list[dict[str, Any]]:
    """One row per atom of an estimate from samples.

    Args:
        estimate: Made by `trifeature.pid.estimation.estimator.PID`.
        labels: Further columns, the same in every row.

    Returns:
        Rows of labels and of `Estimate.rows`.
    """
    return [{**labels, **row} for row in estimate.rows()]


def _variables(atoms: Atoms) -> dict[str, str]:
    source1, source2 = atoms.sources
    return {
        "source1": source1,
        "source2": source2,
        "target": atoms.target,
        "measure": atoms.measure,
    }


def csv_text(rows: Sequence[Row]) -> str:
    """The rows as CSV with a header line, numbers in full precision."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
