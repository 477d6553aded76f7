"""Atoms from the predictions of two unimodal models and a joint one, item by item.

A model's held-out log loss bounds an information from below: I(X; Y) >= H(Y) - E[-log p(Y | X)]
(Barber & Agakov 2003). So three models bound I(X1; Y), I(X2; Y) and I(X1, X2; Y), and a definition
of redundancy that needs nothing else gives the atoms:

- minimum mutual information (Barrett 2015): R = min(I1, I2). It assumes that the weaker modality
  tells nothing that the other does not: one of the two unique parts is always 0.
- pointwise minimum: R = E[min(i1, i2)] of i = log p(y | x) / p(y). It assumes that what the two
  tell about one item is shared as far as it goes; R can be below 0.

BROJA cannot be had from such predictions: its union needs experts that are feasible on every pair
of inputs. Each atom inherits the shortfall of the models, in either direction.

Items of one group (a person, a film) resemble each other, so they say less than as many of
different groups. With groups every standard error is one between groups. Items may have several
groups, as the pairs of two images have: the variances of the groupings are then added, less what
they count twice (Cameron, Gelbach & Miller 2011).

Shape legend: n items, K classes, G groupings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trifeature.checks import as_array, require_number
from trifeature.columns import discrete
from trifeature.errors import InputError
from trifeature.pid.atoms import ATOM_NAMES, Atoms, Interval
from trifeature.pid.estimation.crossfit import miller_madow, second_order
from trifeature.pid.estimation.estimates import INFORMATIONS, Estimate
from trifeature.pid.tables import LN2, Array

ASSUMES: Final = {
    "MMI": "the weaker modality tells nothing that the other does not",
    "pointwise minimum": "what both tell about one item is shared as far as it goes",
}
POINTWISE_CAUTION: Final = (
    "Caution: by the pointwise minimum U1 and U2 are above 0 for predictions of noise too."
)
# Largest difference of a row's sum from 1: predictions are often stored in half precision.
SUM_TOLERANCE: Final = 1e-2
FEWEST_ITEMS: Final = 20

Shift: TypeAlias = tuple[float, float]
"""What is added to the mean of a score, and what H(Y) may be short of beyond that; nats."""
NONE: Final[Shift] = (0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Spread:
    """How far means over items may lie from what other items, or other groups, would give.

    Attributes:
        level: Confidence level.
        codes: [n] group numbers of each grouping; empty if every item is a group of its own.
        freedom: The fewest groups of a grouping less 1, the degrees of freedom of Student's t; None
            for the normal distribution, without groups.
    """

    level: float
    codes: tuple[NDArray[np.intp], ...] = field(default=(), repr=False)
    freedom: int | None = None

    @classmethod
    def of(cls, n: int, groups: Any, level: float) -> Spread:
        """The spread of means over n items.

        Args:
            n: Number of items.
            groups: As in `atoms_of_predictions`.
            level: Confidence level.

        Raises:
            InputError: Groups of another shape, or a grouping with a single group.
        """
        if groups is None:
            return cls(level)
        codes = _group_codes(groups, n)
        fewest = min(int(code.max()) + 1 for code in codes)
        if fewest < 2:
            raise InputError("all items are of one group: no interval can be given")
        if len(codes) == 1 and fewest == n:
            return cls(level)
        return cls(level, codes, fewest - 1)

    def error(self, score: Array) -> float:
        """Standard error of the mean of a score [n].

        With r_g the sum of a group's deviations from the mean, the variance of one grouping of C
        groups is C / (C - 1) sum_g r_g^2 / n^2.

        >>> groups = np.array([0, 0, 1, 1])
        >>> Spread.of(4, groups, 0.95).error(np.array([0.0, 0.0, 1.0, 1.0]))
        0.5
        """
        n, apart = len(score), score - score.mean()
        each = float(apart @ apart) / (n - 1) / n
        if not self.codes:
            return math.sqrt(each)
        variances = []
        for code in self.codes:
            sums = np.bincount(code, apart)
            variances.append(len(sums) / (len(sums) - 1) * float(sums @ sums) / n**2)
        both = sum(variances) - (len(variances) - 1) * each
        return math.sqrt(max(*variances, both))

    @property
    def quantile(self) -> float:
        """Standard errors on each side of a mean."""
        from scipy.special import ndtri, stdtrit  # noqa: PLC0415 - slow to load

        share = 0.5 + self.level / 2
        return float(ndtri(share) if self.freedom is None else stdtrit(self.freedom, share))

    def tail(self, ratio: float) -> float:
        """Chance of a mean above so many standard errors where the truth is 0."""
        from scipy.special import ndtr, stdtr  # noqa: PLC0415 - slow to load

        return float(ndtr(-ratio) if self.freedom is None else stdtr(self.freedom, -ratio))


def _group_codes(groups: Any, n: int) -> tuple[NDArray[np.intp], ...]:
    """Group numbers from 0 of every different grouping, [n] each."""
    values = as_array(groups)
    if values.shape[:1] != (n,) or values.ndim > 2 or not values.size:
        raise InputError(f"groups must be [{n}] or [{n}, G], got shape {list(values.shape)}")
    columns: Sequence[NDArray[Any]] = [values] if values.ndim == 1 else list(values.T)
    codes = [discrete("groups", column, bins="categories").codes for column in columns]
    return tuple({code.tobytes(): code for code in codes}.values())


@dataclass(frozen=True)
class PredictedAtoms:
    """Atoms of predictions, in bits.

    Attributes:
        mmi: By R = min(I1, I2).
        pointwise: By R = E[min(i1, i2)].
        information_intervals: Intervals of the three informations over items, by "source1",
            "source2" and "both".
        assumes: What each definition assumes, by its name.
    """

    mmi: Estimate
    pointwise: Estimate
    information_intervals: dict[str, Interval]
    assumes: dict[str, str]


def atoms_of_predictions(
    p1: Any,
    p2: Any,
    p12: Any,
    y: Any,
    level: float = 0.95,
    *,
    sources: tuple[str, str] = ("X1", "X2"),
    target: str = "Y",
    groups: Any = None,
) -> PredictedAtoms:
    """Estimate the atoms from class probabilities on items that no model was fitted on.

    Args:
        p1: Probabilities by the model of modality 1, [n, K].
        p2: Probabilities by the model of modality 2, [n, K].
        p12: Probabilities by the model of both, [n, K].
        y: [n] the classes: numbers 0 … K - 1, or K different values in sorted order.
        level: Confidence level of the intervals over items, or over groups.
        sources: Names of the modalities.
        target: Name of the target.
        groups: [n] group of each item, or [n, G] of each of its G parts; None: every item is a
            group of its own.

    Raises:
        InputError: Not probabilities, shapes that do not fit, a class that a model ruled out, fewer
            than twenty items, a single group, a model that predicts worse than the class
            frequencies do, or no such level.

    >>> sure = [[0.9, 0.1], [0.1, 0.9]] * 50
    >>> found = atoms_of_predictions(sure, [[0.5, 0.5]] * 100, sure, [0, 1] * 50)
    >>> round(found.mmi.corrected["unique1"], 2), round(found.mmi.corrected["redundancy"], 2)
    (0.85, 0.01)
    """
    require_number("level", level, above=0, below=1)
    names = (sources[0], sources[1], f"{sources[0]} and {sources[1]}")
    tables = [_probabilities(name, p) for name, p in zip(names, (p1, p2, p12), strict=True)]
    n, K = tables[0].shape
    if any(table.shape != (n, K) for table in tables):
        shapes = ", ".join(str(list(table.shape)) for table in tables)
        raise InputError(f"predictions must have one shape [n, K], got {shapes}")
    classes = _classes(target, y, n, K)
    if n < FEWEST_ITEMS:
        raise InputError(f"{n} items are too few: an estimate needs {FEWEST_ITEMS} at the least")
    counts = np.bincount(classes, minlength=K).astype(np.float64)
    prior = np.log(np.maximum(counts, 1) / n)
    scores = np.stack(
        [_scores(name, table, classes, prior) for name, table in zip(names, tables, strict=True)]
    )
    short, slack = entropy_shift(counts, level)
    spread = Spread.of(n, groups, level)
    means, errors = scores.mean(1) + short, [spread.error(score) for score in scores]
    z = spread.quantile
    for name, mean, error in zip(names, means, errors, strict=True):
        if mean + z * error + slack < 0:
            raise InputError(
                f"the model of {name} predicts worse than the class frequencies do, by "
                f"{-mean / LN2:.3f} bits an item: calibrate it, or regularize it"
            )
    bounds = {
        name: Interval(max(0.0, (m - z * e - slack) / LN2), max(0.0, (m + z * e + slack) / LN2))
        for name, m, e in zip(INFORMATIONS, means.tolist(), errors, strict=True)
    }
    common: Any = {"means": means, "level": level, "n": n, "sources": sources, "target": target}
    return PredictedAtoms(
        _estimate("MMI", _minimum(scores, (short, slack), spread), **common),
        _estimate("pointwise minimum", _pointwise(scores, (short, slack), spread), **common),
        bounds,
        dict(ASSUMES),
    )


def entropy_shift(counts: Array, level: float) -> Shift:
    """What the entropy of frequencies is short of H(Y), and an information of it.

    It is biased down by (K - 1) / (2 n). What it may be short of beyond that is part of intervals,
    see `second_order`.

    Args:
        counts: [K] of each class.
        level: Confidence level.
    """
    n = counts.sum()
    shares = counts[counts > 0] / n
    short = float(miller_madow(counts[None])[0] + (shares * np.log(shares)).sum())
    return short, float(second_order(len(shares), np.array([n]), level)[0])


def _minimum(scores: Array, entropy: Shift, spread: Spread) -> Array:
    """Point, low, high and p-value of each atom, [4, 4] in nats, with R = min(I1, I2).

    Each atom is the lesser of two means (0 is one of them for U1 and U2), so its interval runs from
    the lesser low end to the lesser high end: conservative where the two are equal.
    """
    i1, i2, i12 = scores
    zero = np.zeros_like(i1)
    pairs = (
        (i1, i2, entropy),
        (zero, i1 - i2, NONE),
        (zero, i2 - i1, NONE),
        (i12 - i1, i12 - i2, NONE),
    )
    rows = []
    for place, (one, other, shift) in enumerate(pairs):
        choose = np.max if place in (1, 2) else np.min
        parts = [_mean(x, shift, spread) for x in (one, other)]
        point, low, high = choose([part[:3] for part in parts], axis=0)
        p_value = parts[1][3] if place in (1, 2) else max(part[3] for part in parts)
        rows.append([point, low, high, p_value])
    return np.array(rows)


def _pointwise(scores: Array, entropy: Shift, spread: Spread) -> Array:
    """Point, low, high and p-value of each atom, [4, 4] in nats, with R = E[min(i1, i2)]."""
    i1, i2, i12 = scores
    r = np.minimum(i1, i2)
    parts = ((r, entropy), (i1 - r, NONE), (i2 - r, NONE), (i12 - i1 - i2 + r, NONE))
    return np.array([_mean(x, shift, spread) for x, shift in parts])


def _mean(score: Array, shift: Shift, spread: Spread) -> tuple[float, float, float, float]:
    """Mean of a score with its ends, and the p-value of a mean that is 0."""
    short, slack = shift
    mean, error = float(score.mean()) + short, spread.error(score)
    above = mean - slack
    p_value = 1.0 if above <= 0 else 0.0 if error == 0 else 2 * spread.tail(above / error)
    half = spread.quantile * error + slack
    return mean, mean - half, mean + half, p_value


def _estimate(
    measure: str,
    found: Array,
    *,
    means: Array,
    level: float,
    n: int,
    sources: tuple[str, str],
    target: str,
) -> Estimate:
    bits = found[:, :3] / LN2
    if measure == "MMI":
        bits = np.maximum(bits, 0.0)  # an information is at least 0, and each atom with them
    i1, i2, i12 = np.maximum(means / LN2, 0.0).tolist()
    point = bits[:, 0].tolist()
    r, u1, u2, s = point
    return Estimate(
        plug_in=Atoms(r, u1, u2, s, i12, measure=measure, sources=sources, target=target),
        corrected=dict(zip(ATOM_NAMES, point, strict=True)),
        intervals={
            name: Interval(low, high)
            for name, (low, high) in zip(ATOM_NAMES, bits[:, 1:].tolist(), strict=True)
        },
        # U1 and U2 by the pointwise minimum are means of numbers of at least 0: also of models that
        # predict noise they are above 0, and no test says anything.
        p_values=dict(zip(ATOM_NAMES, found[:, 3].tolist(), strict=True))
        if measure == "MMI"
        else dict.fromkeys(ATOM_NAMES),
        informations=dict(zip(INFORMATIONS, (i1, i2, i12), strict=True)),
        samples=n,
        needed=FEWEST_ITEMS,
        level=level,
        correction="held-out log loss",
        caution="" if measure == "MMI" else POINTWISE_CAUTION,
    )


def _probabilities(name: str, given: Any) -> Array:
    """[n, K] probabilities, each row divided by its sum."""
    what = f"predictions of {name}"
    try:
        p = np.asarray(as_array(given), dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{what} must be [n, K] probabilities") from None
    if p.ndim != 2 or not p.size:
        raise InputError(f"{what} must be [n, K] probabilities, got shape {list(p.shape)}")
    sums = p.sum(1)
    wrong = ~np.isfinite(sums) | (p < 0).any(1) | (np.abs(sums - 1) > SUM_TOLERANCE)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"{what} must be probabilities that sum to 1; those of item {row}, counted from 0, are "
            f"not ({', '.join(f'{x:g}' for x in p[row][:4])}{' …' if p.shape[1] > 4 else ''})"
        )
    return np.asarray(p / sums[:, None])


def _classes(name: str, y: Any, n: int, classes: int) -> NDArray[np.intp]:
    """Class numbers, [n]."""
    values = as_array(y)
    if values.shape != (n,):
        raise InputError(f"{name} must be [{n}] classes, got shape {list(values.shape)}")
    found = discrete(name, values, bins="categories")
    if values.dtype.kind in "iu" and values.min() >= 0 and values.max() < classes:
        return np.asarray(values, dtype=np.intp)
    if found.size != classes:
        raise InputError(
            f"{name} has {found.size} different values for predictions of {classes} classes: give "
            f"numbers from 0 to {classes - 1}"
        )
    return found.codes


def _scores(name: str, p: Array, classes: NDArray[np.intp], prior: Array) -> Array:
    """Log p(y | x) / p(y) of each item, [n], in nats."""
    own = p[np.arange(len(classes)), classes]
    if not own.all():
        item = int(np.flatnonzero(own == 0)[0])
        raise InputError(
            f"the model of {name} rules out the class of item {item}, counted from 0: its log loss "
            "is infinite; calibrate it"
        )
    return np.asarray(np.log(own) - prior[classes])
