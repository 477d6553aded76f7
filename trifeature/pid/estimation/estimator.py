"""One estimator of the atoms from samples, in scikit-learn's contract.

>>> import numpy as np
>>> rng = np.random.default_rng(0)
>>> x1, x2 = rng.integers(0, 2, (2, 400))
>>> found = PID().fit(x1, x2, x1 ^ x2)
>>> round(found.atoms_["synergy"], 2), found.p_values_["redundancy"] > 0.05
(1.0, True)

Shape legend: n rows, N values of X1, M values of X2, K values of Y.
"""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from trifeature.checks import require_number, require_whole
from trifeature.columns import (
    Bins,
    Discrete,
    as_columns,
    data_frame,
    discrete,
    drop_missing,
    is_continuous,
    require_one_length,
)
from trifeature.errors import InputError, check_name
from trifeature.pid.atoms import Atoms, Interval
from trifeature.pid.estimation.corrections import CORRECTIONS, Rows
from trifeature.pid.estimation.estimates import CROSSFIT, Estimate, estimate_rows, rows_needed
from trifeature.pid.estimation.given import estimate_given
from trifeature.pid.estimation.weights import effective_rows, weighted
from trifeature.pid.measures import measure_name
from trifeature.pid.samples import Column, Columns, column_names, select_columns
from trifeature.pid.tables import Array

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from trifeature.pid.estimation.predictions import PredictedAtoms

METHODS: Final = ("table", "gaussian")
MISSING: Final = ("refuse", "drop")
AUTO: Final = "auto"
# Numbers of bins that "auto" tries, from the finest.
TRIED_BINS: Final = (16, 12, 10, 8, 6, 5, 4, 3, 2)


class PID:
    """Partial information decomposition of samples.

    Args:
        method: "table" counts values (text, categories, whole numbers, or bins of numbers);
            "gaussian" takes numbers as they are and assumes that they are jointly Gaussian.
        measure: A measure of `MEASURES`; upper and lower case are the same.
        correction: "crossfit" has intervals and p-values, for BROJA. "none", "linear", "quadratic",
            "shuffle" and "both" change the point alone; see `corrections`.
        bins: What to do with numbers that look continuous: a number of bins, "auto" for the most
            bins that the rows can carry, "categories" to take each value as it is; a mapping holds
            a number or "categories" for each column by name. A number that is for all columns
            bins a target only if it looks continuous.
        binning: "count" for bins of about equally many rows, "width" for equal widths.
        interval: Confidence level of the intervals.
        missing: "refuse" rows that lack a value, or "drop" them.
        copula: With "gaussian": take normal scores of ranks first.
        shrinkage: With "gaussian": see `estimate_gaussian`.
        seed: Seed of the folds and of all random draws.

    Attributes:
        atoms_: By "redundancy", "unique1", "unique2", "synergy": the estimate in bits, or None if
            the table is too large for the rows.
        intervals_: By the same names: an `Interval`, or None where withheld.
        p_values_: Of the hypothesis that this atom is 0; None where there is no interval.
        informations_: I(X1; Y), I(X2; Y), I(X1, X2; Y) as "source1", "source2", "both", in bits.
        plug_in_: The exact atoms of the rows as they are.
        table_: Weights in each cell, [N, M, K]; None with "gaussian" and after `fit_predictions`.
        values_: The values of each axis of `table_`, by name.
        bins_: Number of bins of each variable that was binned, by name.
        estimate_: All of it, an `Estimate`.
        predictions_: After `fit_predictions`: the bounds and both decompositions.
    """

    def __init__(
        self,
        method: str = "table",
        *,
        measure: str = "broja",
        correction: str = CROSSFIT,
        bins: Bins = None,
        binning: str = "count",
        interval: float = 0.95,
        missing: str = "refuse",
        copula: bool = False,
        shrinkage: float | str | None = None,
        seed: int = 0,
    ) -> None:
        self.method = method
        self.measure = measure
        self.correction = correction
        self.bins = bins
        self.binning = binning
        self.interval = interval
        self.missing = missing
        self.copula = copula
        self.shrinkage = shrinkage
        self.seed = seed

    # ----------------------------------------------------------------- scikit-learn's contract

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002 - scikit-learn's
        """The settings by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **settings: Any) -> Self:
        """Change settings.

        Raises:
            InputError: There is no such setting.
        """
        known = inspect.signature(type(self)).parameters
        for name, value in settings.items():
            setattr(self, check_name("setting of PID", name, known), value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        changed = [
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if value is not defaults[name].default
        ]
        return f"PID({', '.join(changed)})"

    # ----------------------------------------------------------------------------------- fits

    def fit(
        self,
        x1: Column,
        x2: Column,
        y: Column,
        *,
        weights: Any = None,
        counts: Any = None,
        given: Column = None,
        names: Sequence[str] | None = None,
    ) -> Self:
        """Estimate the atoms of two sources about a target.

        Args:
            x1: Source 1: [n] values, or [n, c] for several columns; an array, a tensor, a column or
                columns of a data frame, a list, or a mapping of names to columns.
            x2: Source 2.
            y: The target.
            weights: [n] non-negative weights of the rows. They count as (sum w)^2 / sum w^2 rows.
            counts: [n] how often each row occurred.
            given: A fourth variable: the atoms are the mean of those at each of its values.
            names: Names of both sources and the target; else those of the columns, or X1, X2, Y.

        Warns:
            SampleSizeWarning: The table is too large for the rows: nothing is estimated.

        Raises:
            InputError: Settings out of range; columns of different lengths, missing values, columns
                that look continuous while `bins` is None; fewer than ten rows.
        """
        called = _called((x1, x2, y), names)
        if check_name("method", self.method, METHODS) == "gaussian":
            return self._fit_gaussian((x1, x2, y), called, weights, counts, given)
        measure, correction = self._checked()
        self._refuse({"copula": self.copula, "shrinkage": self.shrinkage is not None})
        level = require_number("the level of an interval", self.interval, above=0, below=1)
        seed = require_whole("seed", self.seed, 0)
        columns: dict[str, Column] = dict(zip(called, (x1, x2, y), strict=True))
        strata = f"{called[2]} given" if given is not None else ""
        if given is not None:
            while strata in columns:
                strata += " given"
            columns[strata] = given
        columns, kept = self._without_missing(columns)
        coded = self._coded(columns, called, partial(effective_rows, weights, counts, kept))
        rows, left = weighted([one.codes for one in coded], measure, weights, counts, kept)
        values = [
            tuple(one.values[code] for code in codes)
            for one, codes in zip(coded, left, strict=True)
        ]
        labels: Any = {"sources": called[:2], "target": called[2]}
        if given is None:
            found = estimate_rows(rows, correction, level, seed, **labels)
        else:
            found = estimate_given(rows, values[3], correction, level, seed, **labels)
            rows = Rows(rows.codes[:3], rows.shape, rows.weights, measure)
        self._keep(found)
        self.table_: Array | None = rows.table()
        self.values_ = dict(zip(called, values[:3], strict=True))
        self.bins_ = {one.name: one.binned for one in coded if one.binned is not None}
        return self

    def fit_predictions(
        self,
        p1: Any,
        p2: Any,
        p12: Any,
        y: Column,
        *,
        names: Sequence[str] | None = None,
    ) -> Self:
        """Estimate the atoms from predictions of two unimodal models and a joint one.

        Args:
            p1: Class probabilities by the model of modality 1, [n, K], on items that it was not
                fitted on.
            p2: By the model of modality 2.
            p12: By the model of both.
            y: [n] the classes: numbers 0 … K - 1, or K different values in sorted order.
            names: Names of both modalities and the target.

        Returns:
            Self. `atoms_` are those by the minimum mutual information; `predictions_` holds the
            three informations and also the atoms by the pointwise minimum. See `predictions`.

        Raises:
            InputError: Not probabilities, shapes that do not fit, a class that a model ruled out,
                or a model that predicts worse than the class frequencies do.
        """
        from trifeature.pid.estimation.predictions import atoms_of_predictions  # noqa: PLC0415 - used once

        level = require_number("the level of an interval", self.interval, above=0, below=1)
        one, other, target = _called((None, None, None), names)
        found = atoms_of_predictions(p1, p2, p12, y, level, sources=(one, other), target=target)
        self.predictions_: PredictedAtoms = found
        self._keep(found.mmi)
        self.table_ = None
        self.values_, self.bins_ = {}, {}
        return self

    def _keep(self, found: Estimate) -> None:
        self.estimate_ = found
        self.atoms_: Mapping[str, float | None] = found.corrected
        self.intervals_: Mapping[str, Interval | None] = found.intervals
        self.p_values_: Mapping[str, float | None] = found.p_values
        self.informations_: Mapping[str, float | None] = found.informations
        self.plug_in_: Atoms = found.plug_in

    def _checked(self) -> tuple[str, str]:
        """The measure by its registered name, and the correction."""
        measure = measure_name(self.measure)
        correction = check_name("correction", self.correction, (CROSSFIT, *CORRECTIONS))
        if correction == CROSSFIT and measure != "BROJA":
            raise InputError(
                f'correction "{CROSSFIT}" is of measure BROJA: for {measure} give one of '
                f"{', '.join(CORRECTIONS)}"
            )
        return measure, correction

    def _refuse(self, given: Mapping[str, bool]) -> None:
        """Refuse what the method would ignore."""
        for name, there in given.items():
            if there:
                raise InputError(f'{name} cannot go with method "{self.method}"')

    def _without_missing(
        self, columns: dict[str, Column]
    ) -> tuple[dict[str, Any], NDArray[np.bool_] | None]:
        if check_name("way to treat missing values", self.missing, MISSING) == "refuse":
            return columns, None
        return drop_missing(columns)

    def _coded(
        self,
        columns: Mapping[str, Column],
        called: Sequence[str],
        effective: Callable[[int], float],
    ) -> list[Discrete]:
        parts = {name: as_columns(name, column) for name, column in columns.items()}
        n = require_one_length(parts)
        if isinstance(self.bins, Mapping):
            known = [*columns, *(part for one in parts.values() for part in one)]
            for name in self.bins:
                check_name("column of bins", name, dict.fromkeys(known))
        if not (isinstance(self.bins, str) and self.bins == AUTO):
            return self._binned(parts, called, self.bins)
        for bins in TRIED_BINS:
            coded = self._binned(parts, called, bins)
            # At each value of a fourth variable there are only some of the rows.
            share = np.bincount(coded[3].codes).min() / n if len(coded) > 3 else 1.0
            if share * effective(n) >= rows_needed((coded[0].size, coded[1].size, coded[2].size)):
                break
        return coded

    def _binned(
        self, parts: Mapping[str, Any], called: Sequence[str], bins: Bins
    ) -> list[Discrete]:
        coded = []
        for name, column in parts.items():
            own = bins
            # Bins would merge the classes of a target.
            if (
                isinstance(bins, numbers.Integral)
                and name not in called[:2]
                and not is_continuous(column)
            ):
                own = None
            coded.append(discrete(name, column, bins=own, binning=self.binning))
        return coded

    def _fit_gaussian(
        self,
        columns: tuple[Column, Column, Column],
        called: tuple[str, str, str],
        weights: Any,
        counts: Any,
        given: Any,
    ) -> Self:
        from trifeature.pid.gaussians.estimate import gaussian_estimate  # noqa: PLC0415 - used once

        extras = {"weights": weights, "counts": counts, "given": given, "bins": self.bins}
        measure, correction = self._checked()
        self._refuse(
            {name: value is not None for name, value in extras.items()}
            | {"another measure": measure != "BROJA", "a correction": correction != CROSSFIT}
        )
        named, _ = self._without_missing(dict(zip(called, columns, strict=True)))
        found = gaussian_estimate(
            *named.values(),
            copula=self.copula,
            shrinkage=self.shrinkage,
            interval=self.interval,
            seed=self.seed,
            sources=called[:2],
            target=called[2],
        )
        self._keep(found)
        self.table_ = None
        self.values_, self.bins_ = {}, {}
        return self

    # -------------------------------------------------------------------------------- results

    def report(self) -> str:
        """The result as a short table and a sentence."""
        found = self._fitted()
        lines = [f"{'':12}{'bits':>8}{'low':>8}{'high':>8}{'p':>8}"]
        for row in found.rows():
            cells = [row[key] for key in ("bits", "low", "high", "p_value")]
            shown = "".join(f"{'-' if cell is None else f'{cell:.3f}':>8}" for cell in cells)
            lines.append(f"{row['atom']:12}{shown}")
        return "\n".join([*lines, found.sentence])

    def to_frame(self) -> pd.DataFrame:
        """One row per atom, as a pandas data frame; see `Estimate.rows`.

        Raises:
            InputError: pandas is not installed.
        """
        return data_frame(self._fitted().rows())

    def plot(self) -> Figure:
        """Bars of the four atoms with their intervals."""
        from trifeature.pid.estimation.bars import estimate_bars  # noqa: PLC0415 - loads Matplotlib

        return estimate_bars([self._fitted()])

    def _fitted(self) -> Estimate:
        found: Estimate | None = getattr(self, "estimate_", None)
        if found is None:
            raise InputError("nothing was fitted yet: call fit(x1, x2, y)")
        return found


def estimate(
    source1: Column,
    source2: Column,
    target: Column,
    *,
    correction: str = CROSSFIT,
    interval: float = 0.95,
    seed: int = 0,
    bins: Bins = None,
    sources: tuple[str, str] = ("X1", "X2"),
    target_name: str = "Y",
) -> Estimate:
    """Estimate the atoms of the distribution that n rows were drawn from: `PID` in one call.

    Args:
        source1: [n] or [n, c] values; arrays, tensors, columns of data frames.
        source2: As `source1`.
        target: As `source1`.
        correction: See `PID`.
        interval: Confidence level of the intervals.
        seed: Seed of the folds and of all random draws.
        bins: What to do with numbers that look continuous, see `PID`.
        sources: Names of the sources, kept in the result.
        target_name: Name of the target, kept in the result.

    Warns:
        SampleSizeWarning: The table is too large for the rows: nothing is estimated.

    Raises:
        InputError: What `PID.fit` raises.
    """
    found = PID(correction=correction, interval=interval, seed=seed, bins=bins)
    return found.fit(source1, source2, target, names=(*sources, target_name)).estimate_


def estimate_columns(
    columns: Columns,
    source1: str | Sequence[str],
    source2: str | Sequence[str],
    target: str,
    **settings: Any,
) -> Estimate:
    """Estimate the atoms from named columns; see `PID`.

    Args:
        columns: Name -> [n] values, or a data frame.
        source1: Name or names of the columns of source 1.
        source2: Name or names of the columns of source 2.
        target: Name of the target column.
        settings: Settings of `PID`.

    Raises:
        InputError: A name does not exist, or what `PID.fit` raises.
    """
    one, other = column_names(source1), column_names(source2)
    chosen = (
        select_columns(columns, one),
        select_columns(columns, other),
        select_columns(columns, (target,)),
    )
    names = ("+".join(one), "+".join(other), target)
    return PID().set_params(**settings).fit(*chosen, names=names).estimate_


def _called(columns: tuple[Column, ...], names: Sequence[str] | None) -> tuple[str, str, str]:
    """Names of both sources and the target."""
    if names is None:
        defaults = ("X1", "X2", "Y")
        found = [_own_name(c) or name for c, name in zip(columns, defaults, strict=True)]
    else:
        if isinstance(names, str) or not isinstance(names, Iterable):
            raise InputError(f"names are those of two sources and a target, not {names!r}")
        found = [str(name) for name in names]
        if len(found) != 3:
            raise InputError(f"names are those of two sources and a target, got {len(found)}")
    if len(set(found)) < 3:
        if names is not None:
            raise InputError(f"names must differ, got {', '.join(map(repr, found))}")
        roles = zip(found, ("X1", "X2", "Y"), strict=True)
        found = [f"{name} ({role})" if found.count(name) > 1 else name for name, role in roles]
    return found[0], found[1], found[2]


def _own_name(column: Any) -> str:
    """The name of a series, or the joined names of a mapping's or data frame's columns."""
    own = getattr(column, "name", None)
    if isinstance(own, str):
        return own
    parts = column if isinstance(column, Mapping) else getattr(column, "columns", ())
    return "+".join(str(part) for part in parts)
