"""Correction, intervals and tests of Gaussian atoms, from draws of laws near the estimate.

Correction. For Gaussian data the sample covariance is a Wishart matrix, and the bias of its
log-determinants is a sum of digamma terms: I(X1; Y), I(X2; Y) and I(X1, X2; Y) are corrected
exactly. I_union has a kink where both sources know a component of the target equally well; its
bias is measured on draws of the fitted law, whose three informations are the corrected ones.

Intervals. The estimate is compared with draws of several laws that the sample cannot tell apart,
and the interval is the union of theirs, so that it also holds at a kink, where no single
resampling does: the fitted law, and the one in which all components whose advantage is not clear
are tied. Errors are taken between square roots, since R and S are quadratic near 0. Near 0 the
upper end is at least the percentile of draws of the uncorrected law. The lower end is 0 unless
the test of "this atom is 0" at the same one-sided level excludes it.

Tests. The p-value of an atom comes from draws of the nearest law in which this atom is 0
(`gaussian_laws`), for U1 and U2 also with the unclear components tied: the larger p counts.

All of it assumes Gaussian data. Shape legend: n samples, T draws, d1, d2 and dy dimensions,
D = d1 + d2 + dy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from trifeature.pid.gaussians.covariances import Sizes
from trifeature.pid.gaussians.laws import (
    Law,
    Values,
    components,
    drawn_covariances,
    law_of,
    log_ratios,
    tied,
    values_of,
    with_informations,
    without_redundancy,
    without_synergy,
    without_unique2,
)
from trifeature.pid.tables import LN2, Array

# Standard errors within which the two sources may know one component equally well. Of several
# tied components the sample shows some as better by more, hence the root in `_tied_if_unclear`.
UNCLEAR = 3.0
# Standard deviations below which an atom counts as near 0, where its errors are folded.
NEAR = 4.0


@dataclass(frozen=True)
class Inference:
    """What a covariance says about the law of its samples, in bits.

    Attributes:
        corrected: I(X1; Y), I(X2; Y), I(X1, X2; Y) and I_union, corrected, [4]; they may be
            negative.
        low: Lower ends of the intervals of R, U1, U2, S, [4].
        high: Upper ends, [4].
        p_values: Of "this atom is 0", [4].
    """

    corrected: Array
    low: Array
    high: Array
    p_values: Array


@dataclass(frozen=True)
class Sampling:
    """How laws are drawn from.

    Attributes:
        samples: Number n of samples behind each covariance.
        draws: Number T of covariances.
        rng: The generator.
    """

    samples: int
    draws: int
    rng: np.random.Generator

    def covariances(self, law: Law) -> Iterator[Array]:
        """Covariances [t, D, D] of samples of the law, in batches."""
        return drawn_covariances(law.covariance(), self.samples, self.draws, self.rng)

    def values(self, law: Law) -> Values:
        """Atoms and informations of the draws, [T, 4] each."""
        parts = [values_of(part, law.sizes) for part in self.covariances(law)]
        return Values(
            np.concatenate([part.atoms for part in parts]),
            np.concatenate([part.informations for part in parts]),
        )


def information_bias(d: int, dy: int, samples: int) -> float:
    """Bias of the plug-in I(X; Y) of Gaussian samples, in bits; d and dy dimensions.

    E log det S = log det Sigma + sum over j < D of [digamma((n - 1 - j) / 2) - log((n - 1) / 2)],
    of which the logarithms cancel (Misra, Singh and Demchuk 2005).

    >>> round(information_bias(1, 1, 101), 6)
    0.007323
    """
    from scipy.special import digamma  # noqa: PLC0415 - slow to load

    terms = np.cumsum(digamma((samples - 1 - np.arange(d + dy)) / 2))
    return float(terms[d - 1] + terms[dy - 1] - terms[d + dy - 1]) / (2 * LN2)


def corrected_informations(informations: Array, sizes: Sizes, samples: int) -> Array:
    """I1, I2, I12 without their bias, and I_union in proportion to I12; bits, [4] -> [4]."""
    d1, d2, dy = sizes
    i1, i2, i12, union = informations
    biases = [information_bias(d, dy, samples) for d in (d1, d2, d1 + d2)]
    joint = i12 - biases[2]
    return np.array([i1 - biases[0], i2 - biases[1], joint, union * joint / i12 if i12 else 0.0])


def infer(covariance: Array, sizes: Sizes, sampling: Sampling, level: float) -> Inference:
    """Correct the informations of a sample covariance [D, D]; intervals and p-values of atoms.

    Args:
        covariance: Positive definite, of more than D + 1 samples.
        sizes: (d1, d2, dy).
        sampling: Number of samples, draws and generator.
        level: Confidence level of the intervals.
    """
    plug_in = values_of(covariance[None], sizes)
    observed, informations = plug_in.atoms[0], plug_in.informations[0]
    corrected = corrected_informations(informations, sizes, sampling.samples)
    raw = law_of(covariance, sizes)
    fitted = with_informations(raw, (corrected[0], corrected[1], corrected[2]))
    drawn, truth = sampling.values(fitted), values_of(fitted.covariance()[None], sizes)
    corrected[3] = informations[3] - (drawn.informations - truth.informations)[:, 3].mean()
    tail = (1 - level) / 2
    at_tie = _tied_if_unclear(fitted, sampling)
    p_values = _p_values(observed, (fitted, at_tie), sampling)
    tie_truth = values_of(at_tie.covariance()[None], sizes)
    pairs = ((drawn, truth), (sampling.values(at_tie), tie_truth))
    low, high = _ends(observed, pairs, tail)
    near = _roots(truth.atoms)[0] < NEAR * _roots(drawn.atoms).std(0)
    if near.any():
        most = [
            _tails(sampling.values(law).atoms, tail)[1]
            for law in (raw, _tied_if_unclear(raw, sampling))
        ]
        high = np.where(near, np.maximum(high, np.maximum(*most)), high)
    return Inference(corrected, np.where(p_values > tail, 0.0, low), high, p_values)


def _tied_if_unclear(law: Law, sampling: Sampling) -> Law:
    """The law with all components tied in which neither source is clearly the better one."""
    basis, ratios = components(law)
    drawn = np.concatenate(
        [log_ratios(part, law.sizes, basis) for part in sampling.covariances(law)]
    )
    limit = UNCLEAR * np.sqrt((len(ratios) + 1) / 2) * drawn.std(0)
    return tied(law, basis, np.abs(ratios) < limit)


def _ends(
    observed: Array, pairs: Sequence[tuple[Values, Values]], tail: float
) -> tuple[Array, Array]:
    """The union of the intervals by the errors of each law's draws; ends [4] each."""
    root = _roots(observed)
    low, high = np.full(4, np.inf), np.full(4, -np.inf)
    for drawn, truth in pairs:
        errors = _roots(drawn.atoms) - _roots(truth.atoms)
        least, most = _tails(errors, tail)
        low = np.minimum(low, np.maximum(root - most, 0.0) ** 2)
        high = np.maximum(high, np.maximum(root - least, 0.0) ** 2)
    return low, high


def _tails(values: Array, tail: float) -> Array:
    """Quantiles [2, ...] of T draws, beyond which a further draw lies with probability `tail`."""
    return np.asarray(np.quantile(values, [tail, 1 - tail], axis=0, method="weibull"))


def _roots(atoms: Array) -> Array:
    return np.asarray(np.sqrt(np.maximum(atoms, 0.0)))


def _p_values(observed: Array, laws: tuple[Law, Law], sampling: Sampling) -> Array:
    """P(the atom is at least the observed one) in the nearest law in which it is 0, [4].

    Args:
        observed: The plug-in atoms, [4].
        laws: The fitted law, and the one with its unclear components tied.
        sampling: Samples, draws and generator.
    """
    nulls = (
        [without_redundancy(laws[0])],
        [without_unique2(law.swapped()).swapped() for law in laws],
        [without_unique2(law) for law in laws],
        [without_synergy(laws[0])],
    )
    found = np.zeros(4)
    for j, candidates in enumerate(nulls):
        for law in candidates:
            reached = np.sum(sampling.values(law).atoms[:, j] >= observed[j])
            found[j] = max(found[j], (1 + reached) / (1 + sampling.draws))
    return found
