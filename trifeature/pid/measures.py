"""Other definitions of redundancy, to compare with BROJA, for two sources.

A measure takes a joint table p[x1, x2, y] and returns the redundancy in bits; the mutual
informations then fix the other three atoms. The measures agree on the informations and differ in
this one number; COPY, PWUNQ and W of the gallery show where. `register_measure` adds a measure.

Shape legend: N values of X1, M values of X2, K values of Y.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trifeature.checks import require_text
from trifeature.errors import InputError, check_name
from trifeature.pid.atoms import Atoms
from trifeature.pid.maxent import MaximumEntropy, maximum_entropy_of
from trifeature.pid.solver import TIGHTEST, broja, broja_many
from trifeature.pid.tables import Array, TableLike, as_table, as_tables


class Fitted(NamedTuple):
    """A redundancy found by a numerical fit.

    Attributes:
        redundancy: In bits.
        gap: Width of the interval around `redundancy` in which the exact value is expected, bits.
    """

    redundancy: float
    gap: float


Measure: TypeAlias = Callable[[Array], float | Fitted]
"""Takes p[x1, x2, y], float64 that sums to 1; returns the redundancy in bits, or `Fitted`."""

# Local terms below this are rounding errors of zero, which has no sign.
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
    """log2 p(x, y) / (p(x) p(y)); zero where p(x, y) is zero."""
    return _log2_ratio(pxy, pxy.sum(1, keepdims=True) * pxy.sum(0, keepdims=True), pxy > 0)


def _log2_ratio(above: Array, below: Array, where: NDArray[np.bool_]) -> Array:
    ratio = np.divide(above, below, where=where, out=np.ones_like(above))
    return np.log2(ratio)


def mmi_redundancy(p: Array) -> float:
    """Minimum mutual information (Barrett 2015): the smaller of I(X1; Y) and I(X2; Y), bits."""
    return min(_information(p.sum(1)), _information(p.sum(0)))


def _information(pxy: Array) -> float:
    return float((pxy * _pointwise_information(pxy)).sum())


def _joint_information(p: Array) -> float:
    return _information(p.reshape(-1, p.shape[2]))


def i_ccs_redundancy(p: Array) -> Fitted:
    """I_ccs of Ince (2017): common change in surprisal, bits.

    On the table of maximum entropy with p's pairwise marginals: the expected pointwise
    co-information, over outcomes where the local informations of either source, of both
    together and the co-information have the same sign.
    """
    fit = maximum_entropy_of(p)
    source1 = np.broadcast_to(_pointwise_information(p.sum(1))[:, None], p.shape)
    source2 = np.broadcast_to(_pointwise_information(p.sum(0))[None], p.shape)

    def joint(q: Array) -> Array:
        return _pointwise_information(q.reshape(-1, q.shape[2])).reshape(q.shape)

    def weighted(q: Array) -> Array:  # q(x1, x2, y) times the pointwise co-information
        return np.asarray(q * (source1 + source2 - joint(q)))

    both = joint(fit.table)
    terms = np.stack([source1, source2, both, source1 + source2 - both])
    signs = np.sign(np.where(np.abs(terms) < SIGN_FLOOR, 0.0, terms))
    agree = (signs == signs[0]).all(0)
    # An outcome enters whole or not at all, so one whose signs the fit leaves open adds its whole
    # term to the error. The terms of one source are known from p.
    open_signs = (np.abs(np.abs(terms[2:]) - SIGN_FLOOR) <= fit.error_of(joint)).any(0)
    left_open = float(np.abs(weighted(fit.table))[open_signs].sum())
    fitted = _fitted(lambda q: weighted(q)[agree].sum(), fit)
    return Fitted(fitted.redundancy, fitted.gap + 2 * left_open)


def _fitted(function: Callable[[Array], float], fit: MaximumEntropy) -> Fitted:
    """A function of the fitted table, with an interval as wide as twice its estimated error."""
    return Fitted(float(function(fit.table)), 2 * float(fit.error_of(function)))


def i_dep_redundancy(p: Array) -> Fitted:
    """I_dep of James, Emenheiser and Crutchfield (2018), bits: I(X1; Y) - unique 1.

    Unique 1 is the least increase of I(X1, X2; Y) that adding the dependency X1-Y brings
    anywhere in the lattice of dependencies; for two sources three of its edges can be the least.
    """
    source1, source2 = _information(p.sum(1)), _information(p.sum(0))
    py = p.sum((0, 1))
    given_y = np.divide(p.sum(1), py, where=py > 0, out=np.zeros_like(p.sum(1)))
    chain = _joint_information(given_y[:, None] * p.sum(0)[None])

    def redundancy(q: Array) -> float:
        unique1 = min(source1, chain - source2, _joint_information(q) - source2)
        return source1 - unique1

    return _fitted(redundancy, maximum_entropy_of(p))


def i_sx_redundancy(p: Array) -> float:
    """I_sx of Makkeh, Gutknecht and Wibral (2021), shared exclusions, bits; may be negative.

    The expected information that "X1 = x1 or X2 = x2" gives about Y = y.
    """
    p1y, p2y = p.sum(1)[:, None], p.sum(0)[None]
    either_y = p1y + p2y - p  # P(X1 = x1 or X2 = x2, Y = y)
    either = either_y.sum(2, keepdims=True)
    ratio = _log2_ratio(either_y, either * p.sum((0, 1)), p > 0)
    return float((p * ratio).sum())


MEASURES: dict[str, Measure | None] = {
    "BROJA": None,  # solved by `broja`, with certified bounds
    "I_min": i_min_redundancy,
    "MMI": mmi_redundancy,
    "I_ccs": i_ccs_redundancy,
    "I_dep": i_dep_redundancy,
    "I_sx": i_sx_redundancy,
}
"""Registry of the measures by name; `register_measure` adds to it."""


def register_measure(name: str, measure: Measure) -> None:
    """Add a measure: `decompose`, `compare` and the command line then know its name.

    Args:
        name: A name that no other measure has.
        measure: Takes p[x1, x2, y], float64 that sums to 1; returns the redundancy in bits, or a
            `Fitted` redundancy with its error.

    Raises:
        InputError: The name is empty, "all", or that of another measure, or `measure` cannot be
            called.

    >>> register_measure("half of MMI", lambda p: mmi_redundancy(p) / 2)
    >>> decompose([[[0.5, 0]], [[0, 0.5]]], "half of MMI").unique1
    1.0
    >>> del MEASURES["half of MMI"]
    """
    require_text("name", name)
    if not callable(measure):
        raise InputError(f"measure {name!r} must be a function of a table, not {measure!r}")
    if not name or name == "all":
        raise InputError(f"a measure cannot be called {name!r}")
    if name in MEASURES:
        raise InputError(f"a measure called {name!r} exists already")
    MEASURES[name] = measure


def measure_name(name: str) -> str:
    """The name of a measure as it is registered; upper and lower case are the same.

    Raises:
        InputError: There is no such measure.

    >>> measure_name("i_min")
    'I_min'
    """
    folded = {known.casefold(): known for known in MEASURES}
    found = folded.get(name.casefold(), name) if isinstance(name, str) else name
    return check_name("measure", found, MEASURES)


def decompose_many(
    tables: TableLike,
    measure: str = "BROJA",
    *,
    tolerance: float = 1e-6,
    sources: tuple[str, str] = ("X1", "X2"),
    target: str = "Y",
) -> list[Atoms]:
    """The atoms of a stack of tables of weights under any measure, BROJA's in one batch.

    Args:
        tables: [T, N, M, K] weights; each table is divided by its sum.
        measure: A name of `MEASURES`.
        tolerance: Requested width of BROJA's certified intervals, bits.
        sources: Names of the sources, kept in the results.
        target: Name of the target, kept in the results.

    Raises:
        InputError: What `broja_many` or `decompose` raises.
    """
    name = measure_name(measure)
    if MEASURES[name] is None:
        return broja_many(
            tables, tolerance=tolerance, normalize=True, sources=sources, target=target
        )
    stack = as_tables(tables, normalize=True)
    return [decompose(table, name, sources=sources, target=target) for table in stack]


def decompose(
    p: TableLike,
    measure: str = "BROJA",
    *,
    normalize: bool = False,
    sources: tuple[str, str] = ("X1", "X2"),
    target: str = "Y",
) -> Atoms:
    """The four atoms of a joint table under any of `MEASURES`.

    Args:
        p: Joint table p[x1, x2, y], an array or a tensor.
        measure: Name of the measure.
        normalize: Divide `p` by its sum instead of requiring 1.
        sources: Names of the sources, kept in the result.
        target: Name of the target, kept in the result.

    Returns:
        The atoms. `gap` is 0 for closed formulas, and `converged` is False if the gap of BROJA or
        of a fit is above 1e-9 bits.

    Raises:
        InputError: `p` is not a joint table, the measure does not exist, or it returned
            something other than a finite number.

    >>> copy = [[[0.25, 0, 0, 0], [0, 0.25, 0, 0]], [[0, 0, 0.25, 0], [0, 0, 0, 0.25]]]
    >>> decompose(copy, "MMI").redundancy, round(decompose(copy).redundancy, 9)
    (1.0, 0.0)
    """
    measure = measure_name(measure)
    function = MEASURES[measure]
    if function is None:
        return broja(p, normalize=normalize, sources=sources, target=target)
    table = as_table(p, normalize=normalize)
    redundancy, gap = _evaluated(measure, function, table)
    source1, source2 = _information(table.sum(1)), _information(table.sum(0))
    total = _joint_information(table)
    return Atoms(
        redundancy=redundancy,
        unique1=source1 - redundancy,
        unique2=source2 - redundancy,
        synergy=total - source1 - source2 + redundancy,
        total=total,
        gap=gap,
        converged=gap <= TIGHTEST,
        measure=measure,
        sources=sources,
        target=target,
    )


def _evaluated(name: str, measure: Measure, table: Array) -> Fitted:
    found = measure(table)
    try:
        redundancy, gap = found if isinstance(found, tuple) else (found, 0.0)
        result = Fitted(float(redundancy), float(gap))
    except (TypeError, ValueError):
        raise InputError(f"measure {name!r} must return a number, not {found!r}") from None
    if not np.isfinite(result).all() or result.gap < 0:
        raise InputError(f"measure {name!r} must return a finite number, not {found!r}")
    return result


def compare(
    p: TableLike,
    *,
    normalize: bool = False,
    sources: tuple[str, str] = ("X1", "X2"),
    target: str = "Y",
) -> dict[str, Atoms]:
    """The atoms under every measure of `MEASURES`, by its name; see `decompose`."""
    table = as_table(p, normalize=normalize)
    return {name: decompose(table, name, sources=sources, target=target) for name in MEASURES}
