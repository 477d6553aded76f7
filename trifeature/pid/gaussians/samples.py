"""Gaussian atoms from samples: corrected for bias, with intervals and tests that hold at ties.

The correction, the intervals and the tests are in `gaussian_inference`; they assume Gaussian data.
`copula=True` needs a Gaussian copula alone.

Shape legend: n samples, T draws, d1, d2 and dy dimensions, D = d1 + d2 + dy.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from trifeature.checks import require_flag, require_memory, require_number, require_whole
from trifeature.columns import as_numbers
from trifeature.errors import InputError
from trifeature.pid.atoms import ATOM_NAMES, Atoms, Interval, atoms_from_union
from trifeature.pid.gaussians.covariances import Sizes, variable_labels
from trifeature.pid.gaussians.decomposition import MEASURE, gaussian
from trifeature.pid.gaussians.inference import Inference, Sampling, corrected_informations, infer
from trifeature.pid.gaussians.laws import values_of
from trifeature.pid.tables import Array
from trifeature.threads import one_thread

# Intervals want this many samples for every variable; see `calibrate_gaussian`.
SAMPLES_A_VARIABLE = 2
# Different values below which a column is no Gaussian variable.
FEW_VALUES = 10
# Share of different values below which ranks are mostly ties.
DISTINCT = 0.5
# Standard deviation, relative to the largest value, up to which a column is constant.
FLAT = 1e-12
# Standard errors above which tails are clearly heavier than a Gaussian's.
CLEARLY = 3.0
# Fewest draws that have 95 % quantiles.
FEWEST_DRAWS = 100
# Default number of draws of each law.
BOOTSTRAPS: Final = 500


class NotGaussianWarning(UserWarning):
    """A column has very few values, or the tails are heavy: a Gaussian law does not hold."""


@dataclass(frozen=True)
class GaussianEstimate:
    """Estimated Gaussian atoms, in bits.

    Attributes:
        atoms: The corrected atoms; none is negative, and the identities hold.
        plug_in: The atoms of the sample covariance (shrunk, if asked for), which are biased.
        intervals: By atom name, or None where withheld; see `withheld`.
        p_values: By atom name, of "this atom is 0"; None where withheld.
        samples: Number of samples n.
        sizes: (d1, d2, dy).
        shrinkage: Weight of the identity in the correlation matrix; 0 for none.
        copula: True if the columns were replaced by normal scores.
        tails: Mardia's kurtosis over that of a Gaussian; see `heavy_tails`.
        level: Confidence level of the intervals.
        withheld: Why there are neither intervals nor p-values; empty if there are.
    """

    atoms: Atoms
    plug_in: Atoms
    intervals: dict[str, Interval | None]
    p_values: dict[str, float | None]
    samples: int
    sizes: Sizes
    shrinkage: float
    copula: bool
    tails: float
    level: float
    withheld: str = ""


def estimate_gaussian(
    x1: ArrayLike,
    x2: ArrayLike,
    y: ArrayLike,
    *,
    copula: bool = False,
    shrinkage: float | str | None = None,
    correction: bool = True,
    interval: float = 0.95,
    bootstraps: int = BOOTSTRAPS,
    seed: int = 0,
    sources: tuple[str, str] = ("X1", "X2"),
    target: str = "Y",
) -> GaussianEstimate:
    """Estimate the Gaussian atoms of the law that n samples were drawn from.

    Args:
        x1: [n] or [n, d1] finite numbers; arrays, tensors or data frames.
        x2: As `x1`.
        y: As `x1`.
        copula: Replace each column by the normal scores of its ranks first. Mutual information
            does not change under monotone maps, so only the copula has to be Gaussian.
        shrinkage: Weight of the identity in the correlation matrix, from 0 to 1, or "auto" for
            Ledoit and Wolf's (2004); for few samples. The atoms are then biased towards 0: they
            are not corrected, and intervals and p-values are withheld.
        correction: Correct the bias.
        interval: Confidence level.
        bootstraps: Draws of each law, up to ten of them; 0 for no intervals and p-values, and a
            union that is corrected in proportion to I(X1, X2; Y).
        seed: Seed of the draws.
        sources: Names of the sources, for the result and for errors.
        target: Name of the target.

    Warns:
        NotGaussianWarning: A column has fewer than ten different values, or the tails of the
            data are heavier than a Gaussian's. The n samples then count as n / `tails`.

    Raises:
        InputError: Not numbers, missing values, different lengths, constants, columns that
            determine each other, or too few samples for so many variables.

    >>> rng = np.random.default_rng(0)
    >>> y, noise = rng.normal(size=400), rng.normal(size=(2, 400))
    >>> found = estimate_gaussian(y + noise[0], y + noise[1], y)
    >>> low, high = found.intervals["redundancy"]
    >>> low < 0.5 < high, found.p_values["unique1"] > 0.05
    (True, True)
    """
    level = require_number("the level of an interval", interval, above=0, below=1)
    sampled = _sampling_of(bootstraps, seed)
    names = (*sources, target)
    data, sizes = _standardized((x1, x2, y), names, require_flag("copula", copula))
    weight = _weight(shrinkage, data)
    n, D = data.shape
    matrix = (1 - weight) * (data.T @ data / n) + weight * np.eye(D)
    plug_in = gaussian(matrix, sizes, sources=sources, target=target)
    tails = heavy_tails(data) if n > D + 1 else 1.0
    effective = _effective(n, D, tails)
    reason = _why_withheld(effective, D, weight, sampled[0])
    found = None
    if not reason:
        with one_thread():
            found = infer(matrix, sizes, Sampling(effective, *sampled), level)
    atoms = plug_in
    if require_flag("correction", correction) and weight == 0:
        atoms = _corrected(plug_in, _informations(found, matrix, sizes, effective))
    return GaussianEstimate(
        atoms=atoms,
        plug_in=plug_in,
        intervals=_intervals(found, atoms),
        p_values=_by_name(found),
        samples=n,
        sizes=sizes,
        shrinkage=weight,
        copula=copula,
        tails=tails,
        level=level,
        withheld=reason,
    )


def samples_wanted(sizes: Sizes) -> int:
    """Number of samples from which `estimate_gaussian` states intervals and p-values.

    >>> samples_wanted((5, 5, 3))
    26
    """
    return SAMPLES_A_VARIABLE * sum(sizes)


def normal_scores(data: Array, labels: list[str]) -> Array:
    """Replace each column by the normal quantiles of rank / (n + 1); equal values share a rank.

    Args:
        data: [n, D] numbers.
        labels: Names of the columns, for errors.

    Raises:
        InputError: More than half of a column's values are repeats: it is discrete.

    >>> normal_scores(np.array([[3.0], [1.0], [9.0]]), ["x"]).round(3).tolist()
    [[0.0], [-0.674], [0.674]]
    """
    from scipy.special import ndtri  # noqa: PLC0415 - slow to load
    from scipy.stats import rankdata  # noqa: PLC0415 - slow to load

    n = len(data)
    for label, column in zip(labels, data.T, strict=True):
        different = len(np.unique(column))
        if different < DISTINCT * n:
            raise InputError(
                f"{label} has {different} different values in {n} samples: it is discrete, and "
                "ranks do not make it Gaussian"
            )
    return np.asarray(ndtri(rankdata(data, axis=0) / (n + 1)), dtype=np.float64)


def ledoit_wolf(data: Array) -> float:
    """Ledoit and Wolf's (2004) weight of the identity, for standardized columns [n, D].

    The weight min(b^2, d^2) / d^2 minimizes the expected squared distance from the true
    matrix, with d^2 = |S - m I|^2, m = tr S / D, and b^2 = sum_k |x_k x_k^T - S|^2 / n^2.
    """
    n, D = data.shape
    S = data.T @ data / n
    spread = float(np.square(S).sum() - np.trace(S) ** 2 / D)
    # sum_k |x_k x_k^T|^2 = sum_k |x_k|^4.
    error = float((np.square(np.square(data).sum(1)).sum() / n - np.square(S).sum()) / n)
    return 1.0 if spread <= 0 else max(0.0, min(error, spread)) / spread


def heavy_tails(data: Array) -> float:
    """Mardia's (1970) kurtosis of [n, D] over its mean for Gaussian samples; n above D + 1.

    For elliptical laws this is the factor by which the variance of every correlation exceeds that
    of Gaussian data (Muirhead 1982), so n samples are worth n / factor.

    >>> round(heavy_tails(np.random.default_rng(0).normal(size=(1000, 3))), 1)
    1.0
    """
    n, D = data.shape
    centered = data - data.mean(0)
    root = np.asarray(np.linalg.qr(centered, mode="r"))
    # x^T S^-1 x = n |R^-T x|^2, with X^T X = R^T R and S = X^T X / n.
    lengths = n * np.square(np.linalg.solve(root.T, centered.T)).sum(0)
    return float(np.square(lengths).mean() / (D * (D + 2) * (n - 1) / (n + 1)))


# --------------------------------------------------------------------------- input


def _sampling_of(bootstraps: int, seed: int) -> tuple[int, np.random.Generator]:
    draws = require_whole("bootstraps", bootstraps, 0)
    if 0 < draws < FEWEST_DRAWS:
        raise InputError(f"bootstraps is 0 or at least {FEWEST_DRAWS}, got {draws}")
    return draws, np.random.default_rng(require_whole("seed", seed, 0))


def _standardized(
    columns: tuple[ArrayLike, ...], names: tuple[str, str, str], copula: bool
) -> tuple[Array, Sizes]:
    """The three variables side by side, standardized, [n, D], and (d1, d2, dy)."""
    parts = [as_numbers(name, column) for name, column in zip(names, columns, strict=True)]
    lengths = [len(part) for part in parts]
    if len(set(lengths)) > 1:
        listed = ", ".join(f"{n} of {name}" for n, name in zip(lengths, names, strict=True))
        raise InputError(f"the variables want one number of samples, got {listed}")
    d1, d2, dy = (part.shape[1] for part in parts)
    n, D = lengths[0], d1 + d2 + dy
    require_memory(f"{n} samples of {D} variables", 3.0 * 8 * n * D, "use fewer columns")
    data = np.concatenate(parts, axis=1)
    labels = variable_labels(names, (d1, d2, dy))
    data /= np.maximum(np.abs(data).max(0), np.finfo(np.float64).tiny)  # squares stay finite
    for i in np.flatnonzero(~(data.std(0) > FLAT)):
        raise InputError(f"{labels[i]} is constant: leave it out")
    if copula:
        data = normal_scores(data, labels)
    else:
        _warn_of_few_values(data, labels)
    return (data - data.mean(0)) / data.std(0), (d1, d2, dy)


def _warn_of_few_values(data: Array, labels: list[str]) -> None:
    for label, column in zip(labels, data.T, strict=True):
        different = len(np.unique(column))
        if different < min(FEW_VALUES, len(data)):
            warnings.warn(
                f"{label} has {different} different values: no Gaussian law describes it",
                NotGaussianWarning,
                stacklevel=4,
            )


def _weight(shrinkage: float | str | None, data: Array) -> float:
    """The weight of the identity.

    Raises:
        InputError: No such weight, or none for fewer samples than a covariance wants.
    """
    n, D = data.shape
    if shrinkage in (None, 0) and n <= D + 1:
        raise InputError(
            f"{D} variables want at least {D + 2} samples, and {SAMPLES_A_VARIABLE * D} for "
            f'intervals, got {n} (shrinkage "auto" works with fewer)'
        )
    if shrinkage is None:
        return 0.0
    if isinstance(shrinkage, str):
        if shrinkage != "auto":
            raise InputError(f'shrinkage is "auto" or from 0 to 1, not {shrinkage!r}')
        return ledoit_wolf(data)
    return require_number("shrinkage", shrinkage, 0, 1)


def _effective(n: int, D: int, tails: float) -> int:  # noqa: N803 - the legend
    """Number of Gaussian samples that the n are worth, if their tails are clearly heavy."""
    error = np.sqrt(8 / (n * D * (D + 2)))  # of `tails`, for Gaussian samples
    if tails - 1 <= CLEARLY * error:
        return n
    effective = max(D + 2, int(n / tails))
    warnings.warn(
        f"the tails are heavier than a Gaussian's: the {n} samples count as {effective} "
        "(the copula makes each column Gaussian)",
        NotGaussianWarning,
        stacklevel=3,
    )
    return effective


def _why_withheld(effective: int, D: int, weight: float, draws: int) -> str:  # noqa: N803 - the legend
    if weight > 0:
        return "shrinkage biases the atoms by an unknown amount"
    if effective < SAMPLES_A_VARIABLE * D:
        return f"{D} variables want {SAMPLES_A_VARIABLE * D} Gaussian samples, got {effective}"
    return "" if draws else "no draws were asked for"


def _informations(found: Inference | None, matrix: Array, sizes: Sizes, n: int) -> Array:
    if found is not None:
        return found.corrected
    return corrected_informations(values_of(matrix[None], sizes).informations[0], sizes, n)


def _corrected(plug_in: Atoms, informations: Array) -> Atoms:
    """The atoms of corrected I1, I2, I12 and I_union [4], with none negative."""
    i1, i2, i12, union = (max(0.0, value) for value in informations.tolist())
    i12 = max(i12, i1, i2)
    union = max(min(union, i1 + i2, i12), i1, i2)
    half = plug_in.gap / 2
    return atoms_from_union(
        (i1, i2, i12),
        Interval(union - half, union + half),
        tolerance=plug_in.gap,
        measure=MEASURE,
        sources=plug_in.sources,
        target=plug_in.target,
    )


def _intervals(found: Inference | None, atoms: Atoms) -> dict[str, Interval | None]:
    """The intervals by name, widened to hold the point."""
    if found is None:
        return dict.fromkeys(ATOM_NAMES)
    rows = zip(ATOM_NAMES, found.low.tolist(), found.high.tolist(), atoms.values, strict=True)
    return {name: Interval(min(low, value), max(high, value)) for name, low, high, value in rows}


def _by_name(found: Inference | None) -> dict[str, float | None]:
    if found is None:
        return dict.fromkeys(ATOM_NAMES)
    return dict(zip(ATOM_NAMES, found.p_values.tolist(), strict=True))
