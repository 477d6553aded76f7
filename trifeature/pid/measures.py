"""Other definitions of redundancy that people compare BROJA with, on two sources.

Each takes a joint table p[x1, x2, y] and returns four atoms in bits. They agree on the
informations and on the bookkeeping, and differ in one number; the gallery's COPY, PWUNQ and W
show where.

Shape legend: N values of X1, M values of X2, K values of Y.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trifeature.errors import check_name
from trifeature.pid.atoms import Atoms
from trifeature.pid.maxent import Pairs, maximum_entropy
from trifeature.pid.solver import broja
from trifeature.pid.tables import TableLike, as_table

Array = NDArray[np.float64]

# Pointwise terms below this are rounding of zero, and a zero has no sign to agree with.
SIGN_FLOOR = 1e-9


def i_min_redundancy(p: Array) -> float:
    """I_min of Williams and Beer (2010): the expected least specific information, bits."""
    py = p.sum((0, 1))
    specific = np.stack([_specific_information(p.sum(axis), py) for axis in (1, 0)])
    return float((py * specific.min(0)).sum())


def _specific_information(pxy: Array, py: Array) -> Array:
    """I(X; Y = y) = sum_x p(x | y) log2[p(y | x) / p(y)], [K]."""
    given_y = np.divide(pxy, py, where=py > 0, out=np.zeros_like(pxy))
    return np.asarray((given_y * _pointwise_information(pxy)).sum(0))


def _pointwise_information(pxy: Array) -> Array:
    """log2 p(x, y) / (p(x) p(y)), zero where p(x, y) is."""
    return _log2_ratio(pxy, pxy.sum(1, keepdims=True) * pxy.sum(0, keepdims=True), pxy > 0)


def _log2_ratio(above: Array, below: Array, where: NDArray[np.bool_]) -> Array:
    ratio = np.divide(above, below, where=where, out=np.ones_like(above))
    return np.log2(ratio)


def mmi_redundancy(p: Array) -> float:
    """Minimum mutual information (Barrett 2015): the less of the two informations, bits."""
    return min(_information(p.sum(1)), _information(p.sum(0)))


def _information(pxy: Array) -> float:
    return float((pxy * _pointwise_information(pxy)).sum())


def _joint_information(p: Array) -> float:
    return _information(p.reshape(-1, p.shape[2]))


def i_ccs_redundancy(p: Array) -> float:
    """I_ccs of Ince (2017): common change in surprisal, bits.

    On the table of maximum entropy with p's pairwise marginals: the expected pointwise
    co-information, over outcomes where the local informations of either source, of both
    together and the co-information have the same sign.
    """
    q = _pairwise_maxent(p)
    joint = _pointwise_information(q.reshape(-1, q.shape[2])).reshape(q.shape)
    either1 = np.broadcast_to(_pointwise_information(q.sum(1))[:, None], q.shape)
    either2 = np.broadcast_to(_pointwise_information(q.sum(0))[None], q.shape)
    terms = np.stack([either1, either2, joint, either1 + either2 - joint])
    signs = np.sign(np.where(np.abs(terms) < SIGN_FLOOR, 0.0, terms))
    agree = (signs == signs[0]).all(0)
    return float((q * terms[3] * agree).sum())


def _pairwise_maxent(p: Array) -> Array:
    full = p > 0
    return maximum_entropy(Pairs.of(p), full if full.all() else None).table


def i_dep_redundancy(p: Array) -> float:
    """I_dep of James, Emenheiser and Crutchfield (2018), bits: I(X1; Y) - unique 1.

    Unique 1 is the least that adding the dependency X1-Y brings to I(X1, X2; Y) anywhere in
    the lattice of dependencies; for two sources three of its edges can be the least.
    """
    source1, source2 = _information(p.sum(1)), _information(p.sum(0))
    py = p.sum((0, 1))
    given_y = np.divide(p.sum(1), py, where=py > 0, out=np.zeros_like(p.sum(1)))
    chain = given_y[:, None] * p.sum(0)[None]
    unions = (_joint_information(chain), _joint_information(_pairwise_maxent(p)))
    unique1 = min(source1, *(union - source2 for union in unions))
    return source1 - unique1


def i_sx_redundancy(p: Array) -> float:
    """I_sx of Makkeh, Gutknecht and Wibral (2021), shared exclusions, bits; may be negative.

    The expected information that "X1 = x1 or X2 = x2" gives about Y = y.
    """
    p1y, p2y = p.sum(1)[:, None], p.sum(0)[None]
    either_y = p1y + p2y - p
    either = either_y.sum(2, keepdims=True)
    ratio = _log2_ratio(either_y, either * p.sum((0, 1)), p > 0)
    return float((p * ratio).sum())


REDUNDANCIES: dict[str, Callable[[Array], float]] = {
    "I_min": i_min_redundancy,
    "MMI": mmi_redundancy,
    "I_ccs": i_ccs_redundancy,
    "I_dep": i_dep_redundancy,
    "I_sx": i_sx_redundancy,
}
MEASURES = ("BROJA", *REDUNDANCIES)


def decompose(
    p: TableLike,
    measure: str = "BROJA",
    *,
    normalize: bool = False,
    sources: tuple[str, str] = ("X1", "X2"),
    target: str = "Y",
) -> Atoms:
    """The four atoms of a joint table under any of `MEASURES`.

    Raises:
        InputError: `p` is no joint table, or the measure does not exist.

    >>> copy = [[[0.25, 0, 0, 0], [0, 0.25, 0, 0]], [[0, 0, 0.25, 0], [0, 0, 0, 0.25]]]
    >>> decompose(copy, "MMI").redundancy, round(decompose(copy).redundancy, 9)
    (1.0, 0.0)
    """
    check_name("measure", measure, MEASURES)
    if measure == "BROJA":
        return broja(p, normalize=normalize, sources=sources, target=target)
    table = as_table(p, normalize=normalize)
    redundancy = REDUNDANCIES[measure](table)
    source1, source2 = _information(table.sum(1)), _information(table.sum(0))
    total = _joint_information(table)
    return Atoms(
        redundancy=redundancy,
        unique1=source1 - redundancy,
        unique2=source2 - redundancy,
        synergy=total - source1 - source2 + redundancy,
        total=total,
        measure=measure,
        sources=sources,
        target=target,
    )


def compare(
    p: TableLike,
    *,
    normalize: bool = False,
    sources: tuple[str, str] = ("X1", "X2"),
    target: str = "Y",
) -> dict[str, Atoms]:
    """The atoms under every measure, by its name; see `decompose`."""
    table = as_table(p, normalize=normalize)
    return {name: decompose(table, name, sources=sources, target=target) for name in MEASURES}
