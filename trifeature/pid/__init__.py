"""Partial information decomposition on tables and samples, in bits, with certified intervals.

>>> from trifeature.pid import broja, gallery_table
>>> atoms = broja(gallery_table("AND"))
>>> f"R {atoms.redundancy:.6f}, S {atoms.synergy:.6f}, certified: {atoms.converged}"
'R 0.311278, S 0.500000, certified: True'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trifeature.pid.atoms import ATOM_NAMES, Atoms, Interval
from trifeature.pid.bounds import (
    SynergyBounds,
    fano_information,
    synergy_bounds,
    synergy_bounds_of,
)
from trifeature.pid.gallery import GALLERY, Example, example, gallery_table
from trifeature.pid.measures import MEASURES, Fitted, compare, decompose, register_measure
from trifeature.pid.samples import (
    Estimate,
    Resampling,
    SampleSizeWarning,
    atoms_of_columns,
    estimate,
    estimate_columns,
    joint_counts,
    read_columns,
    samples_needed,
)
from trifeature.pid.solver import broja, broja_many

if TYPE_CHECKING:
    from trifeature.pid.representations import (
        Discretized,
        DualAtoms,
        PairedFeatures,
        Training,
        discretized_atoms,
        dual_atoms,
    )

__all__ = [
    "ATOM_NAMES",
    "GALLERY",
    "MEASURES",
    "Atoms",
    "Discretized",
    "DualAtoms",
    "Estimate",
    "Example",
    "Fitted",
    "Interval",
    "PairedFeatures",
    "Resampling",
    "SampleSizeWarning",
    "SynergyBounds",
    "Training",
    "atoms_of_columns",
    "broja",
    "broja_many",
    "compare",
    "decompose",
    "discretized_atoms",
    "dual_atoms",
    "estimate",
    "estimate_columns",
    "example",
    "fano_information",
    "gallery_table",
    "joint_counts",
    "read_columns",
    "register_measure",
    "samples_needed",
    "synergy_bounds",
    "synergy_bounds_of",
]

# Imported on first use: this module needs torch, which takes seconds to load.
_REPRESENTATIONS = frozenset(
    ("Discretized", "DualAtoms", "PairedFeatures", "Training", "discretized_atoms", "dual_atoms")
)


def __getattr__(name: str) -> Any:
    if name not in _REPRESENTATIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from trifeature.pid import representations  # noqa: PLC0415 - see above

    return getattr(representations, name)


def __dir__() -> list[str]:
    return sorted(__all__)
