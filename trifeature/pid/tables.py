"""Joint tables p[x1, x2, y]: checking them, their marginals, entropies and informations.

Everything is a float64 torch tensor and every result is in bits. Shape legend of the whole
package: T tables, N values of X1, M values of X2, K values of the target Y.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trifeature.errors import InputError

LN2 = math.log(2.0)

# A table whose entries sum to 1 within this is one (float32 sums are off by about 1e-7);
# it is then divided by its sum, so that no rounding error of the input is left.
SUM_TOLERANCE = 1e-6

TableLike: TypeAlias = "Tensor | NDArray[np.generic] | Sequence[object]"


def as_table(p: TableLike, *, normalize: bool = False) -> Tensor:
    """Check one joint table p[x1, x2, y] and return it as float64, summing to 1.

    Args:
        p: [N, M, K] probabilities or, with `normalize`, any non-negative weights or counts.
        normalize: Divide by the sum instead of demanding that it is 1.

    Returns:
        [N, M, K] tensor of float64, on the device of `p` where `p` is a tensor.

    Raises:
        InputError: Not three axes, empty, negative, not finite, or not summing to 1.

    >>> as_table([[[1, 1]], [[0, 2]]], normalize=True).tolist()
    [[[0.25, 0.25]], [[0.0, 0.5]]]
    """
    table = _as_float64(p)
    if table.ndim != 3:
        raise InputError(f"a joint table has three axes [x1, x2, y], got {table.ndim}")
    return _as_distributions(table[None], normalize)[0]


def as_tables(p: TableLike, *, normalize: bool = False) -> Tensor:
    """Check many joint tables p[t, x1, x2, y] at once, as `as_table` does for one.

    Returns:
        [T, N, M, K] tensor of float64.

    Raises:
        InputError: Not four axes, or what `as_table` raises for any one of the tables.
    """
    tables = _as_float64(p)
    if tables.ndim != 4:
        raise InputError(f"a stack of tables has four axes [t, x1, x2, y], got {tables.ndim}")
    return _as_distributions(tables, normalize)


def _as_float64(p: TableLike) -> Tensor:
    if isinstance(p, Tensor):
        if p.is_complex():
            raise InputError(f"a joint table is an array of numbers, got {p.dtype}")
        return p.detach().to(torch.float64)
    try:
        array = np.asarray(p)
    except ValueError:
        raise InputError("a joint table is an array of numbers, got rows that differ") from None
    if array.dtype.kind not in "biuf":
        raise InputError(f"a joint table is an array of numbers, got {array.dtype}")
    return torch.from_numpy(array.astype(np.float64))


def _as_distributions(tables: Tensor, normalize: bool) -> Tensor:
    if tables.numel() == 0:
        raise InputError(f"a joint table cannot be empty, got shape {tuple(tables.shape)}")
    if not bool(torch.isfinite(tables).all()):
        raise InputError("a joint table cannot hold nan or infinity")
    if bool((tables < 0).any()):
        raise InputError(f"a joint table cannot be negative, got {float(tables.min()):g}")
    # Dividing by the maximum first keeps the sum of huge weights finite.
    tables = tables / tables.amax((1, 2, 3), keepdim=True) if normalize else tables
    sums = tables.sum((1, 2, 3), keepdim=True)
    if normalize:
        if not bool(torch.isfinite(sums).all()):
            raise InputError("a joint table needs at least one positive entry")
    elif bool(((sums - 1).abs() > SUM_TOLERANCE).any()):
        worst = float(sums.flatten()[(sums - 1).abs().argmax()])
        raise InputError(f"a joint table sums to 1, got {worst:.6g} (normalize=True divides by it)")
    return tables / sums


def entropy(p: Tensor, axes: int = 1) -> Tensor:
    """Shannon entropy in bits over the last `axes` axes; leading axes are kept.

    >>> entropy(torch.tensor([0.5, 0.25, 0.25])).item()
    1.5
    """
    terms: Tensor = torch.special.entr(p)
    return terms.flatten(-axes).sum(-1) / LN2


@dataclass(frozen=True)
class Informations:
    """What each source and both together tell about the target, in bits; shapes [...].

    Attributes:
        source1: I(X1; Y).
        source2: I(X2; Y).
        joint: I(X1, X2; Y), the total that the four atoms share out.
        target: H(Y).
    """

    source1: Tensor
    source2: Tensor
    joint: Tensor
    target: Tensor


def informations(p: Tensor) -> Informations:
    """Mutual informations of checked tables [..., N, M, K], in bits.

    >>> xor = torch.tensor([[[1.0, 0], [0, 1]], [[0, 1], [1, 0]]]) / 4
    >>> terms = informations(xor)
    >>> terms.source1.item(), terms.joint.item()
    (0.0, 1.0)
    """
    p1y, p2y = p.sum(-2), p.sum(-3)
    target = entropy(p1y.sum(-2))
    source1 = entropy(p1y.sum(-1)) + target - entropy(p1y, 2)
    source2 = entropy(p2y.sum(-1)) + target - entropy(p2y, 2)
    joint = entropy(p.sum(-1), 2) + target - entropy(p, 3)
    # Rounding leaves -1e-16 where the truth is 0; an information is never negative.
    return Informations(source1.clamp_min(0), source2.clamp_min(0), joint.clamp_min(0), target)


def binary_entropy(rate: float) -> float:
    """Entropy h(rate) of a coin, in bits.

    Raises:
        InputError: `rate` is no probability.

    >>> binary_entropy(0.5), binary_entropy(0.0)
    (1.0, 0.0)
    """
    if not 0.0 <= rate <= 1.0:
        raise InputError(f"a probability lies in [0, 1], got {rate:g}")
    return sum(-x * math.log2(x) for x in (rate, 1.0 - rate) if x > 0.0)
