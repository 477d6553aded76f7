"""What a screening found: rows, the largest, a matrix, a data frame, a heat map.

Shape legend: n samples, c columns, P pairs.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trifeature.checks import require_number, require_whole
from trifeature.columns import data_frame
from trifeature.errors import InputError, check_name
from trifeature.files import write_atomically
from trifeature.pid.screening.blocks import SCREEN_ATOMS, Values
from trifeature.pid.tables import Array

if TYPE_CHECKING:  # Matplotlib and pandas are loaded where they are used
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Screen:
    """The atoms of many pairs about one target, in bits.

    Attributes:
        target: Name of the target.
        pairs: Names of the two sources of each of the P pairs.
        values: One array [P] for each entry of a row, see `rows`.
        samples: Number of samples n.
        settings: What was asked for: measure, correction, shuffles, permutations, tolerance, seed.
    """

    target: str
    pairs: tuple[tuple[str, str], ...]
    values: Values
    samples: int
    settings: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pairs)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns that occur in pairs: all first sources, then the second ones, each once."""
        return tuple(dict.fromkeys(name for side in zip(*self.pairs, strict=True) for name in side))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One dictionary a pair.

        `source1`, `source2`; `redundancy`, `unique1`, `unique2`, `synergy` and their sum `total`,
        corrected; the same five with `plug_in_` (of the sample as it is), `null_mean_` and
        `null_sd_` (of the shuffles); `gap`, the largest certified interval of the pair's tables,
        and `converged`; `p_value_total` and `p_value_total_tail`, see `screen`, and
        `q_value_total`, the second after Benjamini and Hochberg; `needed`, the number of samples
        that such a table wants, and `too_few`. What does not exist is None.
        """
        return list(rows_of(self.pairs, self.values))

    def top(
        self, k: int = 10, atom: str = "synergy", *, largest_q: float | None = None
    ) -> list[dict[str, Any]]:
        """The rows of the k pairs with the most of an atom, the largest first.

        Args:
            k: Number of pairs.
            atom: An atom or "total".
            largest_q: Leave out pairs whose `q_value_total` is above this.

        Raises:
            InputError: No such atom, or no q-values to choose by.
        """
        require_whole("k", k, 1)
        values = self.values[check_name("atom", atom, SCREEN_ATOMS)]
        order = np.argsort(-values, kind="stable")
        if largest_q is not None:
            order = order[self.tells(largest_q)[order]]
        first = order[:k]
        names = [self.pairs[position] for position in first.tolist()]
        return list(rows_of(names, {name: array[first] for name, array in self.values.items()}))

    def tells(self, largest_q: float) -> NDArray[np.bool_]:
        """Which pairs have a `q_value_total` of at most `largest_q`, [P].

        Raises:
            InputError: The screening has no q-values, or `largest_q` is no share.
        """
        require_number("largest_q", largest_q, 0, 1)
        q_values = self.values["q_value_total"]
        if len(q_values) and np.isnan(q_values).all():
            raise InputError("this screening has no q-values: it needs shuffles or permutations")
        return np.asarray(q_values <= largest_q)

    def matrix(self, atom: str = "synergy") -> Array:
        """An atom of all pairs as a matrix [c, c] over `names`; nan where there is no pair.

        Args:
            atom: "redundancy", "synergy" or "total", symmetric; or "unique": entry (i, j) is
                what column i tells that column j does not.

        Raises:
            InputError: No such atom.
        """
        check_name("atom", atom, ("redundancy", "unique", "synergy", "total"))
        one, other = ("unique1", "unique2") if atom == "unique" else (atom, atom)
        return self.spread(self.values[one], self.values[other], np.nan)

    def spread(self, one: NDArray[Any], other: NDArray[Any], absent: Any) -> NDArray[Any]:
        """Values [P] of the pairs as a matrix [c, c] over `names`.

        Args:
            one: Entries (source 1, source 2).
            other: Entries (source 2, source 1).
            absent: Entry where there is no pair.
        """
        place = {name: number for number, name in enumerate(self.names)}
        index = np.array([[place[name] for name in pair] for pair in self.pairs], dtype=np.intp)
        result = np.full((len(place), len(place)), absent)
        result[index[:, 0], index[:, 1]] = one
        result[index[:, 1], index[:, 0]] = other
        return result

    def to_frame(self) -> Any:
        """The rows as a pandas data frame.

        Raises:
            InputError: pandas is not installed.
        """
        names = np.array(self.pairs, dtype=object)
        return data_frame({"source1": names[:, 0], "source2": names[:, 1], **self.values})

    def write_csv(self, path: str | Path) -> None:
        """Write the rows as a CSV file; empty cells are values that do not exist.

        Raises:
            InputError: `path` is a folder.
        """
        file = Path(path)
        if file.is_dir():
            raise InputError(f"{file} is a folder: name a file in it, as in {file / 'screen.csv'}")
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(["source1", "source2", *self.values])
        columns = [_plain(array) for array in self.values.values()]
        writer.writerows(
            [*pair, *entries]
            for pair, entries in zip(self.pairs, zip(*columns, strict=True), strict=True)
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, text.getvalue().encode())

    def plot(self, atom: str = "synergy", *, largest_q: float | None = None) -> Figure:
        """A heat map of an atom over all pairs; see `heat_map`."""
        from trifeature.pid.screening.heat_map import heat_map  # noqa: PLC0415 - draws

        return heat_map(self, atom, largest_q=largest_q)


def rows_of(pairs: Sequence[tuple[str, str]], values: Values) -> Iterator[dict[str, Any]]:
    """One dictionary for each of P pairs from arrays [P], see `Screen.rows`."""
    columns = zip(*map(_plain, values.values()), strict=True)
    for (source1, source2), entries in zip(pairs, columns, strict=True):
        yield {"source1": source1, "source2": source2, **dict(zip(values, entries, strict=True))}


def _plain(values: NDArray[Any]) -> list[Any]:
    """Python numbers and flags, None for nan."""
    if values.dtype.kind != "f":
        return values.tolist()  # type: ignore[no-any-return]  # of one axis
    return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124 - nan
