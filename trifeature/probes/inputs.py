"""Features and labels of a user as the probes compute with them: the one place that converts.

N samples, D features, C classes, or labels, or outputs.
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
Table = Any
"""Labels or numbers [N, C]: a tensor, an array, a data frame, nested lists."""


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


def scale_of(centered: Tensor, mean: Tensor) -> Tensor:
    """Standard deviation of each feature, 1 for constant ones (the rule of scikit-learn) [D].

    Args:
        centered: Features less their mean [N, D].
        mean: That mean [D]; rounding of it must not pass for a deviation.
    """
    N = len(centered)
    epsilon = torch.finfo(centered.dtype).eps
    variance = centered.square().mean(dim=0)
    constant = variance <= N * epsilon * variance + (N * mean * epsilon).square()
    return torch.where(constant, 1.0, variance.sqrt())


def kind_of(labels: Any) -> str:
    """The kind of task that labels are of unless a caller says otherwise, see `Task.kind`.

    >>> kind_of(["a", "b"]), kind_of([[0, 1], [1, 1]])
    ('classes', 'labels')
    """
    return "labels" if as_array(labels).ndim == 2 else "classes"


def as_flags(labels: Table) -> IntArray:
    """Many labels [N, C] as integers: 1 where a sample has the label, otherwise 0.

    Raises:
        InputError: labels that are not [N, C] of 0 and 1.
    """
    array = as_array(labels)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"many labels must be [samples, labels], not of shape {array.shape}")
    if array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
        raise InputError(
            "many labels must be 0 or 1: numbers [samples, outputs] are asked for by "
            "kinds={task: 'numbers'}"
        )
    return array.astype(np.int64)


def as_outputs(numbers: Table) -> FloatArray:
    """Numbers [N] or [N, C] as float64 [N, C].

    Raises:
        InputError: what are no numbers, not of such a shape, or not finite.
    """
    array = as_array(numbers)
    if array.ndim not in (1, 2) or 0 in array.shape or array.dtype.kind not in "biuf":
        raise InputError(
            f"numbers must be [samples] or [samples, outputs], not {array.dtype} {array.shape}"
        )
    table = array.astype(np.float64).reshape(len(array), -1)
    if not np.isfinite(table).all():
        raise InputError("numbers are not finite")
    return table


def names_in(table: Any, count: int) -> tuple[str, ...]:
    """Names of the columns of a data frame, or 0 … count − 1."""
    columns = getattr(table, "columns", None)
    return tuple(map(str, range(count) if columns is None else columns))
