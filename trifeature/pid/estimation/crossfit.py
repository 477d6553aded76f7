"""Estimates and intervals of BROJA's atoms from samples, by cross-fitted experts.

I_union = H(Y) + max E[A(x1, y) + B(x2, y)] over feasible experts, and whether experts are feasible
does not depend on the sample (`certificate`). Two estimates of this maximum bracket it:

- out of fold: experts are fitted without a tenth of the rows and averaged over that tenth. The
  expectation of any feasible experts fixed without the row is at most the maximum: biased down.
- in sample: the maximum on the table as counted. The maximum of unbiased means: biased up.

Both are regular where the sources tie (U1 = U2 = 0), where the atoms themselves have a kink and
the bootstrap fails at any number of samples (Fang & Santos 2019). Each atom is a mean over rows of
a score: with the pointwise informations i1, i2, i12 and e = A + B - log p(y),

    R = i1 + i2 - e,   U1 = e - i2,   U2 = e - i1,   S = i12 - e.

Entropies are corrected for their bias in two ways, by Miller and Madow (1955) and by Grassberger
(2003). The interval runs from the lowest of the four means less z standard errors of the in-sample
scores to the highest plus as much; the point is its middle. Then both are cut to [0, log2 K], what
an atom can be. The interval is asymptotic: `calibration` measures how often it covers.

Shape legend: T samples, F folds, N values of X1, M values of X2, K values of Y, n rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trifeature.pid.certificate import Marginals
from trifeature.pid.solver import BATCH_NUMBERS, solve_experts
from trifeature.pid.tables import LN2, TINY, Array

FOLDS: Final = 10
# Rows that are spread evenly over all cells before the experts of a fold are fitted: every cell
# is then possible. (In the in-sample fit they would move an atom that is 0 away from it.)
PSEUDO_ROWS: Final = 0.5
# Tolerance of the experts, nats: far below any standard error, and part of the interval.
TOLERANCE: Final = 1e-7


@dataclass(frozen=True, eq=False)
class CrossFit:
    """Estimates from T samples; axis 1 is R, U1, U2, S, in bits.

    Attributes:
        point: The middles of the intervals, [T, 4], before anything is cut: they may be below 0,
            and add up to the informations.
        low: Lower ends, [T, 4]; may be below 0.
        high: Upper ends, [T, 4].
        p_value: Of the hypothesis that the atom is 0, [T, 4].
        informations: I(X1; Y), I(X2; Y), I(X1, X2; Y), corrected, [T, 3].
    """

    point: Array
    low: Array
    high: Array
    p_value: Array
    informations: Array


def fold_tables(
    codes: Sequence[NDArray[np.intp]],
    shape: tuple[int, int, int],
    weights: Array,
    generator: np.random.Generator,
) -> tuple[Array, Array]:
    """Weights and squared weights of each cell in folds of equal size drawn at random.

    Args:
        codes: Codes of X1, X2 and Y, [n] each.
        shape: N, M, K.
        weights: [n], positive.
        generator: Draws the folds.

    Returns:
        Sums of the weights and of their squares, [F, N, M, K] each, scaled so that both total the
        effective number of rows, (sum w)^2 / sum w^2 (Kish 1965): n if all weights are equal.
    """
    n = len(weights)
    scaled = weights * (weights.sum() / np.square(weights).sum())
    fold = generator.permutation(np.arange(n) % FOLDS)
    cells = np.ravel_multi_index((fold, *codes), (FOLDS, *shape))
    size = FOLDS * int(np.prod(shape))
    sums, squares = (np.bincount(cells, weights=w, minlength=size) for w in (scaled, scaled**2))
    return (
        np.asarray(sums, dtype=np.float64).reshape(FOLDS, *shape),
        np.asarray(squares, dtype=np.float64).reshape(FOLDS, *shape),
    )


def cross_fit(folds: Array, squares: Array | None = None, level: float = 0.95) -> CrossFit:
    """Estimate the atoms of T samples; see the module's docstring.

    Args:
        folds: Rows (or weights, see `fold_tables`) in each cell and fold, [T, F, N, M, K].
        squares: Sums of squared weights; None where every row weighs 1.
        level: Confidence level of the intervals.
    """
    squares = folds if squares is None else squares
    T, F, N, M, K = folds.shape
    size = max(1, BATCH_NUMBERS // (F * N * M * K * K))
    parts = [
        _cross_fit(folds[i : i + size], squares[i : i + size], level) for i in range(0, T, size)
    ]
    fields = ("point", "low", "high", "p_value", "informations")
    return CrossFit(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


def _cross_fit(folds: Array, squares: Array, level: float) -> CrossFit:
    from scipy.special import ndtr, ndtri  # noqa: PLC0415 - slow to load

    counts, spread = folds.sum(1), squares.sum(1)
    n = counts.sum((1, 2, 3))
    terms = _Terms.of(counts)
    held_out = _held_out_mean(folds)
    fitted = solve_experts(Marginals(terms.p.sum(2), terms.p.sum(1)), TOLERANCE)
    errors = terms.standard_errors(fitted.expert1, fitted.expert2, spread)
    means = [
        _atoms(informations, entropy + expected)
        for informations, entropy in terms.corrected
        for expected in (fitted.bounds.upper, held_out)
    ]
    low, high = np.min(means, axis=0), np.max(means, axis=0)
    slack = second_order(folds.shape[-1], n, level)[:, None]
    half = ndtri(0.5 + level / 2) * errors + slack
    above = low - slack
    with np.errstate(divide="ignore", invalid="ignore"):
        # Two-sided, so that p is at most 1 - level where the interval lies above 0, and only there.
        p_value = np.where(above > 0, 2 * ndtr(-above / errors), 1.0)
    point, low, high = (low + high) / 2, low - half, high + half
    informations = np.mean([one for one, _ in terms.corrected], axis=0)
    return CrossFit(point / LN2, low / LN2, high / LN2, p_value, informations / LN2)


def _atoms(informations: Array, union: Array) -> Array:
    """R, U1, U2, S, [T, 4], of informations [T, 3] and I_union [T]."""
    i1, i2, i12 = informations.T
    return np.stack([i1 + i2 - union, union - i2, union - i1, i12 - union], 1)


def second_order(classes: int, n: Array, level: float) -> Array:
    """(chi-squared quantile - (K - 1)) / (2 n): what H(Y) may exceed its estimate by, nats, [T].

    Where Y is uniform and the sources tell all of it, the scores have no variance, and
    2 n (H - estimate) + K - 1 is chi-squared with K - 1 degrees of freedom.
    """
    from scipy.special import chdtri  # noqa: PLC0415 - slow to load

    if classes < 2:
        return np.zeros_like(n)
    return np.asarray((chdtri(classes - 1, 1 - level) - (classes - 1)) / (2 * n))


def _held_out_mean(folds: Array) -> Array:
    """Mean of A + B over all rows, each with the experts of the other folds; nats, [T]."""
    T, F, N, M, K = folds.shape
    others = folds.sum(1, keepdims=True) - folds
    a = others.sum(3) + PSEUDO_ROWS / (N * K)
    b = others.sum(2) + PSEUDO_ROWS / (M * K)
    total = a.sum((2, 3), keepdims=True)
    problem = Marginals((a / total).reshape(T * F, N, K), (b / total).reshape(T * F, M, K))
    found = solve_experts(problem, TOLERANCE)
    one, other = found.expert1.reshape(a.shape), found.expert2.reshape(b.shape)
    sums = (folds.sum(3) * one).sum((1, 2, 3)) + (folds.sum(2) * other).sum((1, 2, 3))
    return np.asarray(sums / folds.sum((1, 2, 3, 4)))


@dataclass(frozen=True, eq=False)
class _Terms:
    """What the bounds share, in nats.

    Attributes:
        p: Frequencies, [T, N, M, K].
        n: Rows, [T].
        corrected: For each correction of entropies, I(X1; Y), I(X2; Y), I(X1, X2; Y), [T, 3], and
            H(Y), [T].
    """

    p: Array
    n: Array
    corrected: tuple[tuple[Array, Array], ...]

    @classmethod
    def of(cls, counts: Array) -> _Terms:
        n = counts.sum((1, 2, 3))
        # The marginal tables of X1, X2, (X1, X2), (X1, Y), (X2, Y), (X1, X2, Y) and Y.
        axes = ((2, 3), (1, 3), 3, 2, 1, (), (1, 2))
        parts = [counts.sum(a).reshape(len(n), -1) for a in axes]
        corrected = []
        for entropy in (miller_madow, grassberger):
            h1, h2, h12, h1y, h2y, h12y, hy = (entropy(part) for part in parts)
            corrected.append((np.stack([h1 + hy - h1y, h2 + hy - h2y, h12 + hy - h12y], 1), hy))
        return cls(counts / n[:, None, None, None], n, tuple(corrected))

    def standard_errors(self, expert1: Array, expert2: Array, spread: Array) -> Array:
        """Standard errors of the means of the four scores, [T, 4]."""
        py = _log(self.p.sum((1, 2)))[:, None, None]
        i1 = (_log(self.p.sum(2)) - _log(self.p.sum((2, 3)))[:, :, None])[:, :, None] - py
        i2 = (_log(self.p.sum(1)) - _log(self.p.sum((1, 3)))[:, :, None])[:, None] - py
        i12 = _log(self.p) - _log(self.p.sum(3))[..., None] - py
        e = expert1[:, :, None] + expert2[:, None] - py
        scores = (i1 + i2 - e, e - i2, e - i1, i12 - e)
        return np.stack([self._standard_error(score, spread) for score in scores], 1)

    def _standard_error(self, score: Array, spread: Array) -> Array:
        """Square root of sum w^2 (score - mean)^2 / (sum w)^2, [T]."""
        score = np.where(self.p > 0, score, 0.0)  # experts are minus infinity elsewhere
        mean = (self.p * score).sum((1, 2, 3), keepdims=True)
        return np.asarray(np.sqrt((spread * np.square(score - mean)).sum((1, 2, 3))) / self.n)


def _log(p: Array) -> Array:
    return np.asarray(np.log(np.maximum(p, TINY)))


def miller_madow(counts: Array) -> Array:
    """Entropy in nats, [T], of counts [T, C]: plug-in + (occupied cells - 1) / (2 n).

    Miller (1955), "Note on the bias of information estimates". Counts may be weights whose sum is
    the effective number of rows.
    """
    n = counts.sum(1, keepdims=True)
    p = counts / n
    return np.asarray(-(p * np.log(p + TINY)).sum(1) + ((p > 0).sum(1) - 1) / (2 * n[:, 0]))


def grassberger(counts: Array) -> Array:
    """Entropy in nats, [T], of counts [T, C]: log n - (1 / n) sum_i n_i G(n_i).

    G(n) = psi(n) + (-1)^n [psi((n + 1) / 2) - psi(n / 2)] / 2 (Grassberger 2003, "Entropy estimates
    from insufficient samplings", arXiv physics/0307138): nearly unbiased where a cell holds a few
    rows, where Miller's first order is not. Between whole numbers it is interpolated.
    """
    known, place = np.unique(np.floor(counts), return_inverse=True)
    low, high = (known * _g(known), (known + 1) * _g(known + 1))
    rest = counts - known[place].reshape(counts.shape)
    values = low[place].reshape(counts.shape) + rest * (high - low)[place].reshape(counts.shape)
    n = counts.sum(1)
    return np.asarray(np.log(n) - values.sum(1) / n)


def _g(n: Array) -> Array:
    """Grassberger's G of whole numbers; 0 for 0."""
    from scipy.special import psi  # noqa: PLC0415 - slow to load

    k = np.maximum(n, 1)
    sign = np.where(k % 2 == 0, 0.5, -0.5)
    return np.asarray(np.where(n > 0, psi(k) + sign * (psi((k + 1) / 2) - psi(k / 2)), 0.0))
