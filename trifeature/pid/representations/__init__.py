"""The atoms of two feature matrices and a label: clusters, or probes and a product of experts."""

from trifeature.pid.representations.estimators import (
    DISCRETIZED_BIAS,
    DUAL_BIAS,
    Discretized,
    DualAtoms,
    discretized_atoms,
    dual_atoms,
    k_means,
    nearest,
)
from trifeature.pid.representations.experts import Training, dual_value
from trifeature.pid.representations.pairs import PairedFeatures

__all__ = [
    "DISCRETIZED_BIAS",
    "DUAL_BIAS",
    "Discretized",
    "DualAtoms",
    "PairedFeatures",
    "Training",
    "discretized_atoms",
    "dual_atoms",
    "dual_value",
    "k_means",
    "nearest",
]
