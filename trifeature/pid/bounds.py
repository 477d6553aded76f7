"""Bounds on the atoms from pairwise marginals, without samples of both sources and the target.

Liang et al. (2024), "Multimodal Learning Without Labeled Multimodal Data": each modality has
labels of its own, and the pairs of both modalities are unlabeled. Then p(x1, y), p(x2, y) and
p(x1, x2) are known, and p(x1, x2, y) is not. The first two determine redundancy and both unique
atoms exactly (BROJA uses nothing else); the synergy is bounded from both sides.

Shape legend: N values of X1, M values of X2, K values of Y.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trifeature.errors import InputError
from trifeature.pid.atoms import Atoms
from trifeature.pid.maxent import (
    MaximumEntropy,
    PairwiseMarginals,
    maximum_entropy,
    maximum_entropy_of,
)
from trifeature.pid.solver import broja
from trifeature.pid.tables import Array, TableLike, as_float64, as_table, binary_entropy, entropy


@dataclass(frozen=True)
class SynergyBounds:
    """Bounds on the synergy of every joint table with three given pairwise marginals, in bits.

    Attributes:
        redundancy: R, exact (within `gap`).
        unique1: U1, exact (within `gap`).
        unique2: U2, exact (within `gap`).
        lower: The least synergy of any such table; tight, and certified.
        disagreement: A lower bound from the distance between p(y | x1) and p(y | x2), never
            above `lower`; may be negative.
        upper: An upper bound from couplings of minimum entropy.
        gap: Width of the certified interval of R, U1 and U2.
    """

    redundancy: float
    unique1: float
    unique2: float
    lower: float
    disagreement: float
    upper: float
    gap: float


def synergy_bounds(x1x2: TableLike, x1y: TableLike, x2y: TableLike) -> SynergyBounds:
    """Bound the synergy from unlabeled pairs and separately labeled modalities.

    Args:
        x1x2: p(x1, x2), [N, M].
        x1y: p(x1, y), [N, K].
        x2y: p(x2, y), [M, K].

    Raises:
        InputError: The inputs are not three distributions, or no joint table has them as
            marginals.

    >>> flat = [[0.25, 0.25], [0.25, 0.25]]
    >>> bounds = synergy_bounds(flat, flat, flat)
    >>> round(bounds.lower, 9), round(bounds.upper, 9)
    (0.0, 1.0)
    """
    marginals = PairwiseMarginals(*(_as_pairwise(p) for p in (x1x2, x1y, x2y)))
    return _bounds(marginals, maximum_entropy(marginals))


def synergy_bounds_of(p: TableLike, *, normalize: bool = False) -> SynergyBounds:
    """Compute the bounds from the pairwise marginals of a known table, to compare with its synergy.

    Args:
        p: Joint table p[x1, x2, y], an array or a tensor.
        normalize: Divide `p` by its sum instead of requiring 1.

    Raises:
        InputError: `p` is not a joint table.
    """
    table = as_table(p, normalize=normalize)
    return _bounds(PairwiseMarginals.of(table), maximum_entropy_of(table))


def _as_pairwise(p: TableLike) -> Array:
    array = as_float64(p)
    if array.ndim != 2:
        raise InputError(f"a pairwise marginal has two axes, got {array.ndim}")
    return np.asarray(as_table(array[:, :, None])[:, :, 0])


def _bounds(marginals: PairwiseMarginals, largest: MaximumEntropy) -> SynergyBounds:
    known = _unimodal_atoms(marginals)
    half = known.gap / 2
    separate = _bits(marginals.x1x2) + _bits(marginals.x1y.sum(0))
    # The uncertainty of I_union widens the bounds, so that both remain certified.
    return SynergyBounds(
        redundancy=known.redundancy,
        unique1=known.unique1,
        unique2=known.unique2,
        lower=max(separate - largest.entropy_bound - known.union - half, 0.0),
        disagreement=_disagreement(marginals) - (known.unique1 + known.unique2) / 2 - half,
        upper=max(separate - _least_entropy(marginals) - known.union + half, 0.0),
        gap=known.gap,
    )


def _unimodal_atoms(marginals: PairwiseMarginals) -> Atoms:
    """BROJA of one table with these (X, Y) marginals: R, U1, U2 and I_union are those of all."""
    py = marginals.x1y.sum(0)
    given_y = np.divide(marginals.x1y, py, where=py > 0, out=np.zeros_like(marginals.x1y))
    return broja(given_y[:, None] * marginals.x2y[None])


def _bits(p: Array) -> float:
    return float(entropy(p, p.ndim))


def _disagreement(marginals: PairwiseMarginals) -> float:
    """Mean of -2 log2 sum_y sqrt(p(y | x1) p(y | x2)) over p(x1, x2), halved; bits.

    For every pair and any r = p(y | x1, x2), KL(r, p(y | x1)) + KL(r, p(y | x2)) is at least
    minus twice the logarithm of the Bhattacharyya coefficient. The means of the two terms are
    U2 + S and U1 + S. The theorem of Liang et al., S >= c * disagreement - max(U1, U2), leaves
    the distance and the constant c open; this choice of distance gives c its best value.
    """
    roots1, roots2 = (np.sqrt(_given_source(p)) for p in (marginals.x1y, marginals.x2y))
    coefficient = roots1 @ roots2.T
    # The coefficient is not 0 on a pair that occurs: r would have no support.
    seen = marginals.x1x2 > 0
    logs = np.log2(np.clip(coefficient, 1e-300, 1.0), where=seen, out=np.zeros_like(coefficient))
    return -float((marginals.x1x2 * logs).sum())


def _given_source(pxy: Array) -> Array:
    px = pxy.sum(1, keepdims=True)
    return np.asarray(np.divide(pxy, px, where=px > 0, out=np.zeros_like(pxy)))


def _least_entropy(marginals: PairwiseMarginals) -> float:
    """A lower bound of the entropy of every joint table, bits.

    A coupling of two distributions has at least the entropy of their greatest lower bound (meet)
    under majorization (Cicalese, Gargano and Vaccaro 2019). Each of the three variables can be
    coupled with the pair of the two others.
    """
    couplings = (
        (marginals.x1x2, marginals.x1y.sum(0)),
        (marginals.x1y, marginals.x1x2.sum(0)),
        (marginals.x2y, marginals.x1x2.sum(1)),
    )
    return max(_bits(_meet(pair.ravel(), single)) for pair, single in couplings)


def _meet(p: Array, q: Array) -> Array:
    """The greatest distribution that both majorize: the minimum of the sorted partial sums."""
    size = max(len(p), len(q))
    sums = [np.cumsum(np.sort(np.pad(one, (0, size - len(one))))[::-1]) for one in (p, q)]
    return np.diff(np.minimum(*sums), prepend=0.0).clip(min=0.0)


def fano_information(accuracy: float, probabilities: TableLike) -> float:
    """The least I(X; Y) in bits that permits a predictor's accuracy: Fano's inequality.

    I >= H(Y) - h(accuracy) - (1 - accuracy) log2(K - 1), and at least 0. It holds for the accuracy
    on samples whose classes have exactly these probabilities: pass equal probabilities with a
    balanced accuracy, and the observed ones with an ordinary accuracy.

    Args:
        accuracy: Share of correct predictions, in [0, 1].
        probabilities: [K] probabilities of the classes.

    Raises:
        InputError: `accuracy` is not a probability, or `probabilities` not a distribution.

    >>> round(fano_information(0.878, [0.1] * 10), 3)
    2.4
    """
    uncertainty = binary_entropy(accuracy)
    classes = as_table(as_float64(probabilities).reshape(1, 1, -1))
    K = classes.shape[2]
    confusion = (1.0 - accuracy) * math.log2(K - 1) if K > 1 else 0.0
    return max(float(entropy(classes, 3)) - uncertainty - confusion, 0.0)
