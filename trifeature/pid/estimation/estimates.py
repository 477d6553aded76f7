"""Estimated atoms of the distribution that rows were drawn from, and when they are withheld.

Shape legend: n rows, N values of X1, M values of X2, K values of Y.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np

from trifeature.errors import InputError
from trifeature.pid.atoms import ATOM_NAMES, Atoms, Interval
from trifeature.pid.estimation.corrections import TOLERANCE, Rows, corrected_atoms, shuffled_total
from trifeature.pid.estimation.crossfit import FOLDS, CrossFit, cross_fit, fold_tables
from trifeature.pid.measures import decompose_many
from trifeature.pid.samples import SampleSizeWarning, samples_needed
from trifeature.pid.tables import LN2

CROSSFIT: Final = "crossfit"

# A table is too large for its sample if the plug-in total is too high by more than this many bits
# to the first order, or if there are fewer rows than this: no estimate is given then.
TOO_BIASED: Final = 0.2
FEWEST: Final = 32
# Below this not even an indication.
REFUSED_BELOW: Final = FOLDS
# Cells of the largest table whose atoms are solved twenty times for an indication.
MOST_INDICATED: Final = 20_000

# Relative error of the effective number of rows: equal weights of .1 must be equal to none.
ROUNDING: Final = 1e-9

# A value in fewer rows than this is rare: where it decides much, intervals are too narrow.
RARE: Final = 10
# Bits that are seen in a table.
VISIBLE: Final = 0.01

INFORMATIONS: Final = ("source1", "source2", "both")


@dataclass(frozen=True)
class Indication:
    """What can be said of a table that is too large for its sample. No estimate.

    Attributes:
        total: I(X1, X2; Y) less its mean over permutations of the target, in bits.
        p_value: Of the hypothesis that the target is independent of both sources together.
        atoms: By atom name, less the mean of permutations; empty for tables of over 20,000 cells.
        most_values: The most values that each source can have for an estimate from as many rows
            and values of the target; 0 if no table is small enough.
    """

    total: float
    p_value: float
    atoms: Mapping[str, float]
    most_values: int

    @property
    def sentence(self) -> str:
        """The indication in words."""
        if self.p_value <= 0.05:
            words = "That the sources tell something is established"
        else:
            words = "That the sources tell anything at all is not established"
        words += f" (p = {self.p_value:.3g} over shuffled targets; {_bits(self.total)} above them)."
        if not self.most_values:
            return f"{words} More rows are needed."
        return (
            f"{words} Sources of at most {self.most_values} values each can be estimated "
            f"(give {self.most_values} bins)."
        )


def _not_told(names: Sequence[str]) -> str:
    return f" Not told from 0: {', '.join(names)}." if names else ""


def _bits(value: float | None) -> str:
    if value is None:
        return "unknown bits"
    return f"{value if abs(value) >= 5e-4 else 0.0:.3f} bits"  # never -0.000


@dataclass(frozen=True)
class Estimate:
    """Estimated atoms of the distribution that a sample was drawn from, in bits, by atom name.

    Attributes:
        plug_in: The exact atoms of the rows as they are; as estimates they are biased.
        corrected: The estimates; None where withheld.
        intervals: Their intervals, within [0, log2 of the number of target values]; None where
            withheld, and for corrections other than "crossfit".
        p_values: Of the hypothesis that this atom is 0; None where there is no interval.
        informations: Estimates of I(X1; Y), I(X2; Y) and I(X1, X2; Y) as "source1", "source2" and
            "both"; None where withheld. The atoms add up to them where none was cut at 0.
        samples: Number of rows n.
        needed: Number of rows from which a table of this size has an estimate.
        level: Confidence level of the intervals.
        correction: "crossfit" or one of `CORRECTIONS`.
        withheld: Why there are no intervals; empty if there are.
        indication: What is said where not even a point is given: the table is too large for the
            rows. None if there is an estimate.
        caution: Why the intervals may be too narrow all the same; empty if nothing speaks for it.
    """

    plug_in: Atoms
    corrected: Mapping[str, float | None]
    intervals: Mapping[str, Interval | None]
    p_values: Mapping[str, float | None]
    informations: Mapping[str, float | None]
    samples: int
    needed: int
    level: float
    correction: str = CROSSFIT
    withheld: str = ""
    indication: Indication | None = None
    caution: str = ""

    @property
    def too_few(self) -> bool:
        """True if the table is too large for the number of rows, so that there is no estimate."""
        return self.indication is not None

    @property
    def sentence(self) -> str:
        """The result in words."""
        one, other = self.plug_in.sources
        who, target = f"{one} and {other}", self.plug_in.target
        if self.indication is not None:
            return f"{who} about {target}: {self.withheld}. {self.indication.sentence}"
        about = (
            f"{who} tell {_bits(self.informations['both'])} about {target} ({self.samples} rows)"
        )
        words = [f"{about}.", self._atoms_in_words()]
        if self._is_cut():
            words.append("Atoms are cut at 0, so their points add up to more than the total.")
        return " ".join([*words, self.caution]).strip()

    def _is_cut(self) -> bool:
        """Whether the points add up to visibly more than the total."""
        total = sum(value or 0.0 for value in self.corrected.values())
        return total - (self.informations["both"] or 0.0) > VISIBLE

    def _atoms_in_words(self) -> str:
        parts = {name: f"{name} {_bits(value)}" for name, value in self.corrected.items()}
        if self.withheld:
            return f"{', '.join(parts.values())}; no intervals: {self.withheld}."
        found, open_ = [], []
        for name, ends in self.intervals.items():
            if ends is None:
                continue
            if ends.low > 0 or ends.high < 0:
                found.append(f"{parts[name]} [{ends.low:.3f}, {ends.high:.3f}]")
            else:
                open_.append(f"{name} (at most {ends.high:.3f})")
        if any(ends is not None and ends.high < 0 for ends in self.intervals.values()):
            level = f"{100 * self.level:g} % intervals"
            return f"Apart from 0 by their {level}: {', '.join(found)}." + _not_told(open_)
        level = f"{100 * self.level:g} % intervals"
        words = f"Above 0 by their {level}: {', '.join(found) or 'no atom'}."
        return words + _not_told(open_)

    def rows(self) -> list[dict[str, Any]]:
        """One row per atom.

        Columns: source1, source2, target, measure, atom, bits, low, high, p_value, plug_in,
        correction, samples, needed; and where the table is too large for the rows `shuffled`, the
        plug-in less its mean over shuffled targets, which is an indication and no estimate.
        """
        one, other = self.plug_in.sources
        rows: list[dict[str, Any]] = []
        for name in ATOM_NAMES:
            interval = self.intervals[name]
            row: dict[str, Any] = {
                "source1": one,
                "source2": other,
                "target": self.plug_in.target,
                "measure": self.plug_in.measure,
                "atom": name,
                "bits": self.corrected[name],
                "low": None if interval is None else interval.low,
                "high": None if interval is None else interval.high,
                "p_value": self.p_values[name],
                "plug_in": self.plug_in.value(name),
                "correction": self.correction,
                "samples": self.samples,
                "needed": self.needed,
            }
            if self.indication is not None:
                row["shuffled"] = self.indication.atoms.get(name)
            rows.append(row)
        return rows


def rows_needed(shape: tuple[int, int, int]) -> int:
    """Number of rows from which the atoms of an [N, M, K] table are estimated.

    >>> rows_needed((2, 2, 2)), rows_needed((10, 10, 2))
    (32, 358)
    """
    return max(FEWEST, samples_needed(shape, TOO_BIASED))


def most_values(n: float, classes: int) -> int:
    """The most values a source may have, as many for either, for an estimate from n rows.

    >>> most_values(358, 2), most_values(20, 2)
    (10, 0)
    """
    if n < FEWEST:
        return 0
    if classes < 2:
        return math.floor(n)
    values = math.floor(math.sqrt(1 + TOO_BIASED * 2 * n * LN2 / (classes - 1)))
    return values if values >= 2 else 0


def estimate_rows(
    rows: Rows,
    correction: str,
    level: float,
    seed: int,
    *,
    sources: tuple[str, str] = ("X1", "X2"),
    target: str = "Y",
) -> Estimate:
    """Estimate the atoms of coded rows; see `trifeature.pid.estimation.estimator.PID`.

    Args:
        rows: The coded rows, their weights and the measure.
        correction: "crossfit", of BROJA alone, or one of `CORRECTIONS`.
        level: Confidence level.
        seed: Seed of the folds, the splits and the permutations.
        sources: Names of the sources, kept in the result.
        target: Name of the target.

    Warns:
        SampleSizeWarning: The table is too large for the number of rows.

    Raises:
        InputError: Fewer than ten rows.
    """
    if len(rows) < REFUSED_BELOW:
        raise InputError(
            f"{len(rows)} rows cannot be decomposed: an estimate needs {FEWEST} at the least "
            "(exact atoms of the rows as they are need no such number)"
        )
    generator = np.random.default_rng(seed)
    table = rows.table()
    (plug_in,) = decompose_many(
        table[None], rows.measure, tolerance=TOLERANCE, sources=sources, target=target
    )
    # Rows of unequal weight tell less: (sum w)^2 / sum w^2 of them count.
    n = float(rows.weights.sum() ** 2 / np.square(rows.weights).sum())
    needed = rows_needed(rows.shape)
    none = dict.fromkeys(ATOM_NAMES)
    if n < needed * (1 - ROUNDING):
        found = Estimate(
            plug_in=plug_in,
            corrected=none,
            intervals=none,
            p_values=none,
            informations=dict.fromkeys(INFORMATIONS),
            samples=len(rows),
            needed=needed,
            level=level,
            correction=correction,
            withheld=_why(rows.shape, needed, n),
            indication=_indication(rows, n, generator),
        )
        warnings.warn(found.withheld, SampleSizeWarning, stacklevel=3)
        return found
    if correction != CROSSFIT:
        r, u1, u2, s = values = corrected_atoms(rows, correction, generator).tolist()
        return Estimate(
            plug_in=plug_in,
            corrected=dict(zip(ATOM_NAMES, values, strict=True)),
            intervals=none,
            p_values=none,
            informations=dict(zip(INFORMATIONS, (r + u1, r + u2, r + u1 + u2 + s), strict=True)),
            samples=len(rows),
            needed=needed,
            level=level,
            correction=correction,
            withheld=f"none is known to hold for correction {correction!r}",
        )
    folds, squares = fold_tables(rows.codes, rows.shape, rows.weights, generator)
    return _of_cross_fit(cross_fit(folds[None], squares[None], level), plug_in, rows, needed, level)


def _of_cross_fit(
    found: CrossFit, plug_in: Atoms, rows: Rows, needed: int, level: float
) -> Estimate:
    # An atom lies between 0 and H(Y), which is at most log2 K.
    point, low, high = (
        np.clip(part[0], 0.0, math.log2(rows.shape[2])).tolist()
        for part in (found.point, found.low, found.high)
    )
    ends = zip(ATOM_NAMES, low, high, strict=True)
    informations = np.clip(found.informations[0], 0.0, math.log2(rows.shape[2])).tolist()
    return Estimate(
        plug_in=plug_in,
        corrected=dict(zip(ATOM_NAMES, point, strict=True)),
        intervals={name: Interval(a, b) for name, a, b in ends},
        p_values=dict(zip(ATOM_NAMES, found.p_value[0].tolist(), strict=True)),
        informations=dict(zip(INFORMATIONS, informations, strict=True)),
        samples=len(rows),
        needed=needed,
        level=level,
        caution=_caution(rows, (*plug_in.sources, plug_in.target)),
    )


def _caution(rows: Rows, names: Sequence[str]) -> str:
    """A warning of values that hardly occur."""
    rare = []
    for name, codes in zip(names, rows.codes, strict=False):
        few = int((np.bincount(codes) < RARE).sum())
        if few:
            rare.append(f"{few} of {name}")
    if not rare:
        return ""
    return (
        f"Caution: values in fewer than {RARE} rows ({', '.join(rare)}): intervals may be too "
        "narrow where they tell much; merge them, or try `calibrate` on such a law."
    )


def _why(shape: tuple[int, int, int], needed: int, n: float) -> str:
    cells = " x ".join(map(str, shape))
    return f"a table of {cells} cells wants {needed} samples, got {n:.0f}: nothing is estimated"


def _indication(rows: Rows, n: float, generator: np.random.Generator) -> Indication:
    total, p_value = shuffled_total(rows, generator)
    atoms: dict[str, float] = {}
    if prod(rows.shape) <= MOST_INDICATED:
        values = corrected_atoms(rows, "shuffle", generator).tolist()
        atoms = dict(zip(ATOM_NAMES, values, strict=True))
    return Indication(total, p_value, atoms, most_values(n, rows.shape[2]))
