"""A Gaussian estimate in the form of all others."""

from __future__ import annotations

from typing import Any

from trifeature.pid.atoms import ATOM_NAMES
from trifeature.pid.estimation.estimates import INFORMATIONS, Estimate
from trifeature.pid.gaussians.samples import estimate_gaussian, samples_wanted


def gaussian_estimate(x1: Any, x2: Any, y: Any, **settings: Any) -> Estimate:
    """Estimate Gaussian atoms; the arguments are those of `estimate_gaussian`.

    Returns:
        An `Estimate` whose correction is "gaussian", or "none" with shrinkage.

    Raises:
        InputError: What `estimate_gaussian` raises.
    """
    found = estimate_gaussian(x1, x2, y, **settings)
    atoms = found.atoms
    informations = (atoms.information1, atoms.information2, atoms.total)
    return Estimate(
        plug_in=found.plug_in,
        corrected=dict(zip(ATOM_NAMES, atoms.values, strict=True)),
        intervals=found.intervals,
        p_values=found.p_values,
        informations=dict(zip(INFORMATIONS, informations, strict=True)),
        samples=found.samples,
        needed=samples_wanted(found.sizes),
        level=found.level,
        correction="none" if found.shrinkage else "gaussian",
        withheld=found.withheld,
    )
