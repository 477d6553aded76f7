"""One value for each sample and atom: what these very outcomes tell about this very target.

The local informations i1 = log p(x1, y) / p(x1) p(y), i2 and i12 of a sample can be negative: an
outcome can misinform. A pointwise redundancy r fixes the other atoms of the sample: r + unique 1 =
i1, r + unique 2 = i2, and the four sum to i12. Their means over the samples are the average atoms.

Shape legend: n samples, N values of X1, M values of X2, K values of Y.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from trifeature.checks import as_array, require_whole
from trifeature.columns import data_frame
from trifeature.errors import InputError, check_name
from trifeature.pid.atoms import ATOM_NAMES, Atoms
from trifeature.pid.maxent import maximum_entropy_of
from trifeature.pid.measures import SIGN_FLOOR
from trifeature.pid.samples import warn_of_plug_in
from trifeature.pid.solver import TIGHTEST
from trifeature.pid.sources.coded import coded, counts_of
from trifeature.pid.sources.outcomes import Codes, Outcomes
from trifeature.pid.tables import Array, TableLike, as_table

POINTWISE_MEASURES: Final = ("I_sx", "I_pm", "pointwise minimum", "I_ccs")
"""Definitions of pointwise redundancy; see `pointwise`."""

LOCAL_NAMES: Final = (*ATOM_NAMES, "information1", "information2", "total")
"""What every sample has a value of, in bits."""


@dataclass(frozen=True, eq=False)
class PointwiseAtoms:
    """The atoms of n samples, in bits; each may be negative.

    Attributes:
        redundancy: [n]
        unique1: [n]
        unique2: [n]
        synergy: [n]
        errors: Error that a numerical fit leaves in each atom, estimated, [n]; 0 for all measures
            but I_ccs.
        weights: Share of each sample in a mean, [n]: 1 / n, or the probability of the outcome.
        codes: Values of source 1, source 2 and target of each sample, [n, 3].
        informative: For I_sx and I_pm the part of each atom in what the sources' outcomes exclude,
            by atom name, [n] each; otherwise empty.
        misinformative: For I_sx and I_pm the part that points away from the target's outcome; an
            atom is the first less the second. Otherwise empty.
        measure: The definition of redundancy.
        sources: Names of the two sources.
        target: Name of the target.
    """

    redundancy: Array
    unique1: Array
    unique2: Array
    synergy: Array
    errors: Array
    weights: Array
    codes: Codes
    informative: Mapping[str, Array]
    misinformative: Mapping[str, Array]
    measure: str
    sources: tuple[str, str] = ("X1", "X2")
    target: str = "Y"

    def __len__(self) -> int:
        return len(self.redundancy)

    @property
    def information1(self) -> Array:
        """Local information of source 1, redundancy + unique 1, [n]."""
        return self.redundancy + self.unique1

    @property
    def information2(self) -> Array:
        """Local information of source 2, redundancy + unique 2, [n]."""
        return self.redundancy + self.unique2

    @property
    def total(self) -> Array:
        """Local information of both sources, the sum of the four atoms, [n]."""
        return self.redundancy + self.unique1 + self.unique2 + self.synergy

    def value(self, name: str) -> Array:
        """Return one of `LOCAL_NAMES`, [n].

        Raises:
            InputError: It is none of them.
        """
        found: Array = getattr(self, check_name("atom", name, LOCAL_NAMES))
        return found

    def mean(self) -> Atoms:
        """The average atoms.

        They are those of `decompose` for I_sx. I_ccs is defined as a mean over the table of maximum
        entropy, which can differ from this mean over the samples.
        """
        values: dict[str, Any] = {
            name: float(self.weights @ self.value(name)) for name in (*ATOM_NAMES, "total")
        }
        gap = 2 * float(self.weights @ self.errors)
        values |= {"gap": gap, "converged": gap <= TIGHTEST, "measure": self.measure}
        values |= {"sources": self.sources, "target": self.target}
        return Atoms(**values)

    def most(self, k: int, atom: str = "synergy") -> Codes:
        """Positions of the k samples with the largest value, the largest first; ties in order.

        Raises:
            InputError: k is not at least 1, or there is no such atom.
        """
        return self._first(k, -self.value(atom))

    def least(self, k: int, atom: str = "synergy") -> Codes:
        """Positions of the k samples with the smallest value, the smallest first; ties in order.

        Raises:
            InputError: k is not at least 1, or there is no such atom.
        """
        return self._first(k, self.value(atom))

    def _first(self, k: int, keys: Array) -> Codes:
        return np.argsort(keys.round(12), kind="stable")[: require_whole("k", k, 1)]

    def columns(self) -> dict[str, Array]:
        """Every number of every sample by name: atoms, informations and parts, [n] each."""
        table = {name: self.value(name) for name in LOCAL_NAMES}
        for words, parts in (
            ("informative", self.informative),
            ("misinformative", self.misinformative),
        ):
            table |= {f"{name} {words}": values for name, values in parts.items()}
        return table

    def to_frame(self) -> Any:
        """The columns as a pandas data frame, one line a sample.

        Raises:
            InputError: pandas is not installed.
        """
        return data_frame(self.columns())


def pointwise(
    p: TableLike,
    codes: ArrayLike | None = None,
    measure: str = "I_sx",
    *,
    normalize: bool = False,
    sources: tuple[str, str] = ("X1", "X2"),
    target: str = "Y",
) -> PointwiseAtoms:
    """The atoms of single outcomes of a known joint table.

    Args:
        p: Joint table p[x1, x2, y], an array or a tensor.
        codes: [n, 3] outcomes (x1, x2, y), one row a sample; None for every outcome of positive
            probability once, weighted by it.
        measure: `I_sx`: what "X1 = x1 or X2 = x2" tells about y (Makkeh, Gutknecht and Wibral
            2021). `I_pm`: the smaller surprisal of the sources less the smaller one given y (Finn
            and Lizier 2018). `pointwise minimum`: min(i1, i2). `I_ccs`: the common change of
            surprisal (Ince 2017), where i1, i2, i12 and i1 + i2 - i12 have one sign, with the joint
            information of the table of maximum entropy.
        normalize: Divide `p` by its sum (counts, weights) instead of requiring 1.
        sources: Names of the sources.
        target: Name of the target.

    Raises:
        InputError: `p` is not a joint table, there is no such measure, or an outcome has
            probability 0 or lies outside the table.

    >>> xor = [[[1, 0], [0, 1]], [[0, 1], [1, 0]]]
    >>> pointwise(xor, [[0, 1, 1]], "pointwise minimum", normalize=True).synergy.tolist()
    [1.0]
    """
    table = as_table(p, normalize=normalize)
    check_name("pointwise measure", measure, POINTWISE_MEASURES)
    rows = np.argwhere(table > 0) if codes is None else _checked_codes(codes, table)
    local = Outcomes.of_table(table, rows)
    weights = local.p12y if codes is None else np.full(len(rows), 1 / len(rows))
    joint = _fitted_information(table, rows) if measure == "I_ccs" else None
    return PointwiseAtoms(
        **_local_atoms(local, joint, measure),
        weights=weights,
        codes=rows,
        measure=measure,
        sources=sources,
        target=target,
    )


def _checked_codes(codes: ArrayLike, table: Array) -> Codes:
    rows = as_array(codes)
    if rows.ndim != 2 or rows.shape[1] != 3 or not len(rows):
        raise InputError(f"codes are rows (x1, x2, y), [n, 3], got shape {rows.shape}")
    if rows.dtype.kind not in "iu":
        raise InputError(f"codes are whole numbers from 0, got {rows.dtype}")
    outside = (rows < 0) | (rows >= np.array(table.shape))
    if outside.any():
        row = int(outside.any(axis=1).argmax())
        raise InputError(f"row {row} of the codes, {rows[row].tolist()}, lies outside the table")
    rows = rows.astype(np.intp)
    impossible = table[tuple(rows.T)] == 0
    if impossible.any():
        row = int(impossible.argmax())
        raise InputError(f"row {row} of the codes, {rows[row].tolist()}, has probability 0")
    return rows


def pointwise_columns(
    source1: Any,
    source2: Any,
    target: Any,
    measure: str = "I_sx",
    *,
    bins: int | str | None = None,
    binning: Literal["count", "width"] = "count",
    sources: tuple[str, str] = ("X1", "X2"),
    target_name: str = "Y",
) -> PointwiseAtoms:
    """The atoms of each of n samples, whose frequencies are taken for the probabilities.

    The values are not corrected for the number of samples: in a table with many cells for it,
    outcomes that occur once seem to tell almost everything.

    Args:
        source1: [n] or [n, c] values: arrays, tensors, data frames.
        source2: As `source1`.
        target: As `source1`.
        measure: One of `POINTWISE_MEASURES`; see `pointwise`.
        bins: Number of bins of continuous columns, or "categories" to take values as they are.
        binning: Bins of equal "count" or equal "width".
        sources: Names of the sources.
        target_name: Name of the target.

    Warns:
        SampleSizeWarning: the table is too large for the number of samples.

    Raises:
        InputError: there is no such measure, the columns have different lengths, or one cannot be
            coded.
    """
    check_name("pointwise measure", measure, POINTWISE_MEASURES)
    if len({*sources, target_name}) < 3:
        raise InputError(f"two sources and a target need three names, got {sources}, {target_name}")
    columns = dict(zip((*sources, target_name), (source1, source2, target), strict=True))
    found = coded(columns, bins=bins, binning=binning)
    rows = np.stack([one.codes for one in found], axis=1)
    joint = None
    if measure == "I_ccs":
        counts = counts_of(found)
        joint = _fitted_information(counts / counts.sum(), rows)
    n, (N, M, K) = len(rows), (one.size for one in found)
    warn_of_plug_in((N, M, K), n)
    return PointwiseAtoms(
        **_local_atoms(Outcomes.of_rows(rows), joint, measure),
        weights=np.full(n, 1 / n),
        codes=rows,
        measure=measure,
        sources=sources,
        target=target_name,
    )


def _local_atoms(local: Outcomes, joint: _Joint | None, measure: str) -> dict[str, Any]:
    """The atoms of each sample and their parts, by the names of `PointwiseAtoms`."""
    one, other, _ = local.informations
    errors = np.zeros(len(one))
    parts: list[dict[str, Array]] = [{}, {}]
    if measure in _SIGNED:
        plus, minus = _SIGNED[measure](local)
        redundancy = plus - minus
        parts = [_inverted(plus, local.informative), _inverted(minus, local.misinformative)]
    elif joint is None:
        redundancy = np.minimum(one, other)
    else:
        redundancy, errors = _common(one, other, joint)
    atoms = _inverted(redundancy, local.informations)
    return {**atoms, "errors": errors, "informative": parts[0], "misinformative": parts[1]}


def _inverted(redundancy: Array, informations: tuple[Array, Array, Array]) -> dict[str, Array]:
    """The four atoms from a redundancy and the informations of source 1, source 2 and both."""
    one, other, both = informations
    unique1, unique2 = one - redundancy, other - redundancy
    values = (redundancy, unique1, unique2, both - unique1 - unique2 - redundancy)
    return dict(zip(ATOM_NAMES, values, strict=True))


def _shared_exclusions(local: Outcomes) -> tuple[Array, Array]:
    """-log2 P(X1 = x1 or X2 = x2), and the same given y."""
    either = local.p1 + local.p2 - local.p12
    either_y = local.p1y + local.p2y - local.p12y
    return -np.log2(np.minimum(either, 1.0)), -np.log2(np.minimum(either_y / local.py, 1.0))


def _least_surprisals(local: Outcomes) -> tuple[Array, Array]:
    """Specificity min -log2 p(x_i), and ambiguity min -log2 p(x_i | y)."""
    (one, other, _), (one_y, other_y, _) = local.informative, local.misinformative
    return np.minimum(one, other), np.minimum(one_y, other_y)


_SIGNED: Final[Mapping[str, Callable[[Outcomes], tuple[Array, Array]]]] = {
    "I_sx": _shared_exclusions,
    "I_pm": _least_surprisals,
}
"""Measures with an informative and a misinformative part."""


class _Joint(NamedTuple):
    """Local i12 of each sample under the table of maximum entropy, and its estimated error."""

    values: Array
    errors: Array


def _fitted_information(p: Array, codes: Codes) -> _Joint:
    """Local i12 under the table of maximum entropy with p's pairwise marginals, [n] each."""
    x1, x2, y = codes.T

    def local(q: Array) -> Array:
        with np.errstate(divide="ignore"):  # an early iterate of the fit may underflow
            return np.asarray(np.log2(q[x1, x2, y] / (q.sum(2)[x1, x2] * q.sum((0, 1))[y])))

    fit = maximum_entropy_of(p)
    return _Joint(local(fit.table), fit.error_of(local))


def _common(one: Array, other: Array, joint: _Joint) -> tuple[Array, Array]:
    """The co-information one + other - joint where all four terms have one sign, and its error.

    A sample whose signs the fit leaves open has its whole co-information as its error.
    """
    terms = np.stack([one, other, joint.values, one + other - joint.values])
    signs = np.sign(np.where(np.abs(terms) < SIGN_FLOOR, 0.0, terms))
    agree = (signs == signs[0]).all(axis=0)
    fitted = np.abs(np.abs(terms[2:]) - SIGN_FLOOR) <= joint.errors
    errors = np.where(fitted.any(axis=0), np.abs(terms[3]), np.where(agree, joint.errors, 0.0))
    return np.where(agree, terms[3], 0.0), errors
