"""Element-wise products of features, so that a linear probe sees what modalities show together.

A linear probe of the concatenated features of two modalities adds what it reads of each. Whether
two images *fit*, as the match of Trifeature asks, is no such sum: their similarity Σ_d a_d b_d is a
sum of products. A network that fuses its modalities by a nonlinear map may compute them; encoders
without fusion cannot, whatever they have learned. The protocol `products` gives every method the
products. A probe then learns from its labels any relation of what is shown: what training taught
is what it reads beyond maps that never occurred, `trifeature.experiments.other_maps`. Which element
meets which depends on the axes, but features that are rotated at random read alike (docs/log.md).

Of features a, b of two modalities it adds u(a) ∘ u(b), where u scales a vector to a root mean
square of 1; of more than two modalities the product of every pair and that of all. With Symile's
authors' classifiers (Saporta et al., NeurIPS 2024) the product of all stands alone.

N samples, F features of one modality.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor

from trifeature.errors import InputError


class UnequalLengthsError(InputError):
    """The features of the modalities differ in length, so they have no element-wise product."""


def product_of(features: Sequence[Tensor]) -> Tensor:
    """The element-wise product of features [N, F], each scaled to a root mean square of 1.

    >>> product_of([torch.tensor([[3.0, 3.0]]), torch.tensor([[2.0, -2.0]])]).round().tolist()
    [[1.0, -1.0]]
    """
    root = math.sqrt(features[0].shape[1])
    return torch.stack([root * F.normalize(x, dim=1) for x in features]).prod(0)


def with_products(features: Tensor, alone: Sequence[Tensor]) -> Tensor:
    """Features with the products of what each modality shows by itself beside them.

    Args:
        features: Of all the modalities [N, D].
        alone: Of each modality by itself, [N, F] each.

    Returns:
        float [N, D + F], or [N, D + F (pairs + 1)] of three modalities or more; the features
        unchanged of a single modality.

    Raises:
        InputError: what stands for a modality is no [N, F]; UnequalLengthsError, one of them:
            the modalities' features differ in length.

    >>> a, b = torch.ones(5, 3), torch.ones(5, 3)
    >>> with_products(torch.cat([a, b], dim=1), [a, b]).shape
    torch.Size([5, 9])
    """
    if any(x.ndim != 2 or len(x) != len(features) for x in alone):
        shapes = ", ".join(str(tuple(x.shape)) for x in alone)
        raise InputError(
            f"products need features [N, F] of each modality for {len(features)} samples, not "
            f"{shapes}: see `Method.aligned`"
        )
    if len({x.shape[1] for x in alone}) > 1:
        lengths = ", ".join(str(x.shape[1]) for x in alone)
        raise UnequalLengthsError(
            f"products need features of one length for every modality, not {lengths}"
        )
    if len(alone) < 2:
        return features
    groups = list(combinations(alone, 2))
    if len(alone) > 2:
        groups.append(tuple(alone))  # type: ignore[arg-type]
    return torch.cat([features, *map(product_of, groups)], dim=1)
