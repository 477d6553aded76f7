"""Partial information decomposition on tables and samples, in bits, with certified intervals.

>>> from trifeature.pid import broja, gallery_table
>>> atoms = broja(gallery_table("AND"))
>>> f"R {atoms.redundancy:.6f}, S {atoms.synergy:.6f}, certified: {atoms.converged}"
'R 0.311278, S 0.500000, certified: True'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from trifeature.columns.files import FileColumns, read_columns, read_file
from trifeature.pid.atoms import ATOM_NAMES, Atoms, Interval
from trifeature.pid.bounds import (
    SynergyBounds,
    fano_information,
    synergy_bounds,
    synergy_bounds_of,
)
from trifeature.pid.estimation.corrections import CORRECTIONS
from trifeature.pid.estimation.estimates import Estimate, Indication, rows_needed
from trifeature.pid.estimation.estimator import PID, estimate, estimate_columns
from trifeature.pid.gallery import GALLERY, Example, example, gallery_table
from trifeature.pid.measures import MEASURES, Fitted, compare, decompose, register_measure
from trifeature.pid.samples import (
    SampleSizeWarning,
    atoms_of_columns,
    joint_counts,
    samples_needed,
)
from trifeature.pid.solver import Certificate, broja, broja_certificate, broja_many

if TYPE_CHECKING:
    from trifeature.pid.estimation.calibration import calibrate
    from trifeature.pid.estimation.predictions import PredictedAtoms, atoms_of_predictions
    from trifeature.pid.gaussians.decomposition import gaussian, gaussian_many, gaussian_mmi
    from trifeature.pid.gaussians.samples import GaussianEstimate, estimate_gaussian
    from trifeature.pid.representations import (
        Discretized,
        DualAtoms,
        PairedFeatures,
        Training,
        discretized_atoms,
        dual_atoms,
    )
    from trifeature.pid.screening import Screen, screen
    from trifeature.pid.sources.coded import source_counts
    from trifeature.pid.sources.conditional import (
        ConditionalAtoms,
        conditional,
        conditional_columns,
    )
    from trifeature.pid.sources.lattice import LatticeAtoms, lattice_atoms
    from trifeature.pid.sources.pointwise import PointwiseAtoms, pointwise, pointwise_columns
    from trifeature.pid.sources.union import SourceAtoms, sources_report, union_information

# Imported on first use: `representations` needs torch, which takes seconds to load, and the others
# are needed by few.
_LAZY = {
    "estimation.calibration": ("calibrate",),
    "gaussians.decomposition": ("gaussian", "gaussian_many", "gaussian_mmi"),
    "gaussians.samples": ("GaussianEstimate", "estimate_gaussian"),
    "estimation.predictions": ("PredictedAtoms", "atoms_of_predictions"),
    "representations": (
        *("Discretized", "DualAtoms", "PairedFeatures", "Training"),
        *("discretized_atoms", "dual_atoms"),
    ),
    "screening": ("Screen", "screen"),
    "sources.coded": ("source_counts",),
    "sources.conditional": ("ConditionalAtoms", "conditional", "conditional_columns"),
    "sources.lattice": ("LatticeAtoms", "lattice_atoms"),
    "sources.pointwise": ("PointwiseAtoms", "pointwise", "pointwise_columns"),
    "sources.union": ("SourceAtoms", "sources_report", "union_information"),
}
_MODULES = {name: module for module, names in _LAZY.items() for name in names}

__all__ = [
    "ATOM_NAMES",
    "CORRECTIONS",
    "GALLERY",
    "MEASURES",
    "PID",
    "Atoms",
    "Certificate",
    "ConditionalAtoms",
    "Discretized",
    "DualAtoms",
    "Estimate",
    "Example",
    "FileColumns",
    "Fitted",
    "GaussianEstimate",
    "Indication",
    "Interval",
    "LatticeAtoms",
    "PairedFeatures",
    "PointwiseAtoms",
    "PredictedAtoms",
    "SampleSizeWarning",
    "Screen",
    "SourceAtoms",
    "SynergyBounds",
    "Training",
    "atoms_of_columns",
    "atoms_of_predictions",
    "broja",
    "broja_certificate",
    "broja_many",
    "calibrate",
    "compare",
    "conditional",
    "conditional_columns",
    "decompose",
    "discretized_atoms",
    "dual_atoms",
    "estimate",
    "estimate_columns",
    "estimate_gaussian",
    "example",
    "fano_information",
    "gallery_table",
    "gaussian",
    "gaussian_many",
    "gaussian_mmi",
    "joint_counts",
    "lattice_atoms",
    "pointwise",
    "pointwise_columns",
    "read_columns",
    "read_file",
    "register_measure",
    "rows_needed",
    "samples_needed",
    "screen",
    "source_counts",
    "sources_report",
    "synergy_bounds",
    "synergy_bounds_of",
    "union_information",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
