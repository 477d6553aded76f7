"""The mean of the estimated atoms at each value of a further variable Z (conditional, "sensory").

Shape legend: n rows, N values of X1, M values of X2, K values of Y, L values of Z.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from trifeature.errors import InputError
from trifeature.pid.atoms import ATOM_NAMES, Interval, mean_atoms
from trifeature.pid.estimation.corrections import Rows
from trifeature.pid.estimation.estimates import INFORMATIONS, Estimate, estimate_rows
from trifeature.pid.tables import Array


def estimate_given(
    rows: Rows,
    values: Sequence[Any],
    correction: str,
    level: float,
    seed: int,
    *,
    sources: tuple[str, str],
    target: str,
) -> Estimate:
    """Estimate sum_z p(z) atoms(X1, X2; Y | Z = z).

    The ends of the intervals are averaged like the atoms, so an interval is wider than independent
    errors would need. An atom at least 0 at every z is 0 on average only if it is 0 at each: the
    p-value is the least one times their number (Bonferroni).

    Args:
        rows: Rows with the codes of X1, X2, Y and Z.
        values: The values of Z, [L].
        correction: As of `estimate_rows`.
        level: As of `estimate_rows`.
        seed: As of `estimate_rows`.
        sources: Names of the sources.
        target: Name of the target.

    Raises:
        InputError: What `estimate_rows` raises, with the value of Z.
    """
    strata, shares, needed = [], [], 0
    for z in range(int(rows.codes[3].max()) + 1):
        part = _part(rows, rows.codes[3] == z)
        try:
            found = estimate_rows(
                part, correction, level, seed, sources=sources, target=f"{target} given {values[z]}"
            )
        except InputError as problem:
            raise InputError(
                f"given {values[z]}: {problem}; drop these rows, or merge the value with another"
            ) from None
        strata.append(found)
        shares.append(part.weights.sum())
        needed += found.needed
    p = np.array(shares) / np.sum(shares)
    mean = replace(mean_atoms([one.plug_in for one in strata], p.tolist()), target=target)
    first = replace(strata[0], plug_in=mean, samples=len(rows), needed=needed)
    for value, one in zip(values, strata, strict=True):
        if one.indication is not None:
            why = f"given {value}: {one.withheld}"
            return replace(one, plug_in=mean, samples=len(rows), needed=needed, withheld=why)
    corrected = {name: _mean([one.corrected[name] for one in strata], p) for name in ATOM_NAMES}
    informations = {
        name: _mean([one.informations[name] for one in strata], p) for name in INFORMATIONS
    }
    if first.withheld:
        return replace(first, corrected=corrected, informations=informations)
    return replace(
        first,
        corrected=corrected,
        informations=informations,
        intervals={
            name: _interval([one.intervals[name] for one in strata], p) for name in ATOM_NAMES
        },
        p_values={
            name: min(1.0, len(strata) * min(one.p_values[name] or 0.0 for one in strata))
            for name in ATOM_NAMES
        },
    )


def _part(rows: Rows, chosen: Any) -> Rows:
    """The rows at one value of Z, with the values that occur there."""
    codes = [np.unique(code[chosen], return_inverse=True)[1].reshape(-1) for code in rows.codes[:3]]
    N, M, K = (int(code.max()) + 1 for code in codes)
    return Rows(codes, (N, M, K), rows.weights[chosen], rows.measure)


def _mean(values: Sequence[float | None], p: Array) -> float:
    return float(np.array(values, dtype=np.float64) @ p)


def _interval(intervals: Sequence[Interval | None], p: Array) -> Interval:
    ends = np.array([one for one in intervals if one is not None])
    low, high = (p @ ends).tolist()
    return Interval(low, high)
