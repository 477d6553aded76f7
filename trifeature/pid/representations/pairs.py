"""Features of two modalities and a target, pair by pair, and their standardization.

Whatever a user holds (arrays and tensors of any number type, on any device, with or without
gradients; data frames; lists) is converted here, once. Shape legend: n pairs, D1 and D2 widths of
the features, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trifeature.checks import as_array
from trifeature.columns import discrete
from trifeature.errors import InputError

# Standardized features are cut here, in standard deviations of the training pairs: float32 and a
# network survive it, and no training pair is that far out.
FURTHEST = 1e6


@dataclass(frozen=True, eq=False, init=False)
class PairedFeatures:
    """Features of both modalities and the target of n pairs.

    Attributes:
        modality1: [n, D1] features; [n] is one feature. Float32 and float64 are kept, shorter
            floats become float32, whole numbers and Booleans float64.
        modality2: [n, D2] features, as `modality1`.
        target: [n] class numbers from 0, of any type of whole numbers; kept as int64. For names
            of classes, see `coded`.
        classes: Name of each class number; None if the classes have none.
        groups: [n] group of each pair, if pairs belong together (pairs of one recording, one
            subject, one image); kept as numbers. A group is never split, and standard
            errors are between groups.

    Raises:
        InputError: The shapes do not match, a feature is not a finite number, or a class is not
            a whole number from 0.
    """

    modality1: Tensor
    modality2: Tensor
    target: Tensor
    classes: tuple[str, ...] | None = None
    groups: Tensor | None = None

    def __init__(
        self,
        modality1: Any,
        modality2: Any,
        target: Any,
        classes: tuple[str, ...] | None = None,
        groups: Any = None,
    ) -> None:
        one, other = _as_features("modality1", modality1), _as_features("modality2", modality2)
        y = _as_classes(target)
        if not len(one) == len(other) == len(y):
            shapes = ", ".join(str(tuple(part.shape)) for part in (one, other, y))
            raise InputError(f"pairs are [n, D1], [n, D2] features and [n] classes, got {shapes}")
        _require_finite("modality1", one)
        _require_finite("modality2", other)
        parts = {
            "modality1": one,
            "modality2": other,
            "target": y,
            "classes": classes,
            "groups": None if groups is None else _as_groups(groups, len(y)),
        }
        for name, value in parts.items():
            object.__setattr__(self, name, value)

    @classmethod
    def coded(
        cls, train: Sequence[Any], test: Sequence[Any]
    ) -> tuple[PairedFeatures, PairedFeatures]:
        """Pairs whose labels are strings, Booleans or any other values, numbered alike in both.

        Args:
            train: (features of modality 1, features of modality 2, labels) of the training pairs,
                and the groups as a fourth part if wanted.
            test: The same of the test pairs.

        Raises:
            InputError: A part is missing, or what `PairedFeatures` raises.

        >>> train, test = PairedFeatures.coded(
        ...     ([[0.1], [0.9]], [[1], [2]], ["rain", "dry"]), ([[0.3]], [[1]], ["rain"])
        ... )
        >>> train.classes, train.target.tolist(), test.target.tolist()
        (('dry', 'rain'), [1, 0], [1])
        """
        for name, parts in (("train", train), ("test", test)):
            if not isinstance(parts, tuple | list) or len(parts) not in (3, 4):
                raise InputError(f"{name} is (features 1, features 2, labels) or these and groups")
        labels = [_labels(parts[2]) for parts in (train, test)]
        same_kind = labels[0].dtype.kind == labels[1].dtype.kind
        parts = labels if same_kind else [part.astype(object) for part in labels]
        found = discrete("the target", np.concatenate(parts))
        classes = tuple(str(value) for value in found.values)
        codes = np.split(found.codes, [len(labels[0])])
        one, other = (
            cls(
                parts[0],
                parts[1],
                torch.from_numpy(own.astype(np.int64)),
                classes,
                parts[3] if len(parts) == 4 else None,
            )
            for parts, own in zip((train, test), codes, strict=True)
        )
        return one, other

    def __len__(self) -> int:
        return len(self.target)

    def take(self, index: Tensor) -> PairedFeatures:
        """Return the pairs at `index`."""
        return PairedFeatures(
            self.modality1[index],
            self.modality2[index],
            self.target[index],
            self.classes,
            None if self.groups is None else self.groups[index],
        )

    def split(
        self, share: float, generator: torch.Generator
    ) -> tuple[PairedFeatures, PairedFeatures]:
        """Split at random into `share` of the pairs and the rest, at least one pair each.

        With `groups`, whole groups go to one side: `share` of the groups, and at least one each.

        Raises:
            InputError: There is only one pair, or one group.
        """
        of = torch.arange(len(self)) if self.groups is None else self.groups
        units = torch.unique(of)
        if len(units) < 2:
            what = "pair" if self.groups is None else "group"
            raise InputError(f"one {what} cannot be split")
        order = torch.randperm(len(units), generator=generator)
        cut = min(max(1, round(share * len(units))), len(units) - 1)
        if self.groups is None:
            return self.take(order[:cut]), self.take(order[cut:])
        first = torch.isin(of, units[order[:cut]])
        return self.take(first.nonzero()[:, 0]), self.take((~first).nonzero()[:, 0])


def standardized(
    train: PairedFeatures, test: PairedFeatures, dtype: torch.dtype = torch.float64
) -> tuple[PairedFeatures, PairedFeatures]:
    """Standardize both by mean and standard deviation of the training pairs.

    A feature that is constant on the training pairs becomes 0.

    Args:
        train: Training pairs.
        test: Test pairs.
        dtype: Type of the result; everything is computed in float64.

    >>> train = PairedFeatures([[2500.0], [2501.0]], [[7.0], [7.0]], [0, 1])
    >>> scaled, _ = standardized(train, train)
    >>> scaled.modality1.tolist(), scaled.modality2.tolist()
    ([[-1.0], [1.0]], [[0.0], [0.0]])
    """
    one = _standardized(train.modality1, test.modality1)
    other = _standardized(train.modality2, test.modality2)
    first, second = (
        PairedFeatures(
            one[i].to(dtype), other[i].to(dtype), pairs.target, pairs.classes, pairs.groups
        )
        for i, pairs in enumerate((train, test))
    )
    return first, second


def _standardized(reference: Tensor, part: Tensor) -> tuple[Tensor, Tensor]:
    train, test = reference.double(), part.double()
    varies = train.amax(0) > train.amin(0)
    # Divided by the largest value first, squares of very large and very small features are finite.
    peak = train.abs().amax(0).clamp_min(torch.finfo(torch.float64).tiny)
    middle = (train / peak).mean(0)
    spread = (train / peak).std(0, correction=0)
    spread = torch.where(varies, spread, torch.inf)
    one, other = (((x / peak - middle) / spread).clamp(-FURTHEST, FURTHEST) for x in (train, test))
    return one, other


def _as_features(name: str, values: Any) -> Tensor:
    """Finite numbers as a float32 or float64 tensor on the CPU, without gradient; [n] as [n, 1]."""
    if not isinstance(values, Tensor):
        values = torch.from_numpy(_as_floats(name, values))
    if values.is_complex() or values.layout != torch.strided:
        kind = "complex" if values.is_complex() else "sparse"
        raise InputError(f"{name} must be dense real numbers, not {kind} ones")
    tensor: Tensor = values.detach().cpu()
    if not tensor.is_floating_point():
        tensor = tensor.double()
    elif tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.float()
    if tensor.ndim > 2:
        shape = tuple(tensor.shape)
        raise InputError(
            f"{name} must be [n, D] features, got {shape}: flatten what is of one pair"
        )
    if not tensor.numel():
        raise InputError(f"{name} has no features: got shape {tuple(tensor.shape)}")
    return tensor[:, None] if tensor.ndim == 1 else tensor


def _as_floats(name: str, values: Any) -> NDArray[Any]:
    """A new float32 or float64 array in the byte order of this machine."""
    try:
        array = as_array(values)
        if array.dtype.kind == "O":
            array = array.astype(np.float64)
    except (TypeError, ValueError) as problem:
        raise InputError(f"{name} must be [n, D] numbers: {problem}") from None
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name} must be real numbers, got values of type {array.dtype}")
    short = array.dtype.kind == "f" and array.dtype.itemsize <= 4
    return np.array(array, dtype=np.float32 if short else np.float64, order="C")


def _as_classes(values: Any) -> Tensor:
    """Class numbers from 0 as int64, [n]."""
    array = _labels(values)
    if array.dtype.kind not in "iub":
        raise InputError(
            f"a target is class numbers from 0, got values of type {array.dtype}: "
            "PairedFeatures.coded numbers other labels"
        )
    if not array.size or array.min() < 0:
        raise InputError("a target is class numbers from 0, at least one")
    return torch.from_numpy(array.astype(np.int64))


def _labels(values: Any) -> NDArray[Any]:
    """One label a pair, [n]."""
    try:
        array = as_array(values)
    except ValueError as problem:
        if isinstance(problem, InputError):
            raise
        raise InputError(f"a target is one label a pair: {problem}") from None
    if array.ndim == 2 and array.shape[1] == 1:
        return np.asarray(array[:, 0])
    if array.ndim == 2 and array.dtype.kind in "fiub" and (array.sum(1) == 1).all():
        raise InputError("a target is one label a pair, not one-hot rows: pass target.argmax(1)")
    if array.ndim != 1:
        raise InputError(f"a target is one label a pair, [n], got shape {array.shape}")
    return array


def _require_finite(name: str, features: Tensor) -> None:
    wrong = (~torch.isfinite(features)).nonzero()
    if len(wrong):
        row, column = wrong[0].tolist()
        rows = len(wrong[:, 0].unique())
        raise InputError(
            f"{name} holds nan or infinity in {rows} of {len(features)} pairs, first in row {row}, "
            f"column {column}: drop these pairs, or fill them"
        )


def _as_groups(values: Any, n: int) -> Tensor:
    """The groups as int64, [n]; a tensor of int64 is kept, so that a part keeps its numbers."""
    if isinstance(values, Tensor) and values.dtype == torch.int64 and values.shape == (n,):
        return values.cpu()
    array = as_array(values)
    if array.shape != (n,):
        raise InputError(f"groups are [n] values, one a pair: {n} pairs, got shape {array.shape}")
    return torch.from_numpy(discrete("groups", array, bins="categories").codes.astype(np.int64))
