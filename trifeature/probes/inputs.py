"""Features and labels of a user as the probes compute with them: the one place that converts.

N samples, D features, C classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trifeature.checks import as_array
from trifeature.errors import InputError, NotFiniteError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Features = Any
"""Features [N, D]: a tensor on any device, an array, a data frame of numbers, nested lists."""
Labels = Any
"""Labels [N] of any type that sorts: a tensor, an array, a series, a list."""


def as_features(features: Features) -> Tensor:
    """Features [N, D] as a tensor: float64 where they are that, otherwise float32.

    A tensor stays on its device, where the fit then runs.

    Raises:
        InputError: features that are not numbers, not [N, D] or not finite.
    """
    if isinstance(features, Tensor):
        points = features.detach()
    else:
        array = as_array(features)
        if array.dtype.kind not in "biuf":
            raise InputError(f"features must be numbers, not {array.dtype}")
        kind = np.float64 if array.dtype == np.float64 else np.float32
        points = torch.from_numpy(np.require(array, kind, ["C", "W"]))
    if points.ndim != 2 or 0 in points.shape:
        raise InputError(f"features must be [samples, features], not {tuple(points.shape)}")
    points = points if points.dtype == torch.float64 else points.float()
    if not bool(points.isfinite().all()):
        raise NotFiniteError("features are not finite")
    return points


def as_codes(labels: Labels) -> tuple[npt.NDArray[Any], IntArray]:
    """The distinct labels in order [C], and the place of each label among them [N].

    Raises:
        InputError: labels that are not [N], that lack a value, or that cannot be sorted.
    """
    array = as_array(labels)
    if array.ndim != 1 or len(array) == 0:
        raise InputError(f"labels must be a list, one for each sample, not of shape {array.shape}")
    if any(value is None or value != value for value in array.tolist()):  # noqa: PLR0124 - NaN
        raise InputError("labels lack a value")
    try:
        classes, codes = np.unique(array, return_inverse=True)
    except TypeError:
        raise InputError("labels mix values that cannot be sorted") from None
    return classes, codes.astype(np.int64)
