"""The specification of views: a plain loop over torchvision's functions, image by image.

The blur is SciPy's: torchvision samples the Gaussian, which hardly blurs where it is narrow.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import torch
from scipy.ndimage import correlate1d
from scipy.special import ive
from torch import Tensor
from torchvision.transforms.v2 import functional as reference

from trifeature.views.images import JITTER_OPS, ViewParameters
from trifeature.views.sets import ViewSet

Statistics = tuple[tuple[float, ...], tuple[float, ...]]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_images(n: int, size: int | tuple[int, int], seed: int = 1, channels: int = 3) -> Tensor:
    """Smooth color fields with noise and a few saturated pixels, uint8 [n, channels, *size]."""
    sides = (size, size) if isinstance(size, int) else size
    coarse = torch.rand(n, channels, 4, 4, generator=seeded(seed))
    smooth: Tensor = reference.resize(coarse, list(sides), antialias=True)
    noise = torch.rand(n, channels, *sides, generator=seeded(seed + 1))
    return (255 * (1.6 * smooth - 0.3 + 0.2 * noise).clamp(0, 1)).to(torch.uint8)


def one_by_one(
    images: Tensor,
    params: ViewParameters,
    statistics: ViewSet | Statistics | None,
    size: int | tuple[int, int],
) -> Tensor:
    """Views of images [N, C, H, W], in the documented order, C = 1 or 3.

    Args:
        images: uint8.
        params: What was drawn for them.
        statistics: Mean and deviation to normalize with, or a view set that has them.
        size: Of the result.
    """
    if isinstance(statistics, ViewSet):
        known = statistics.mean is not None and statistics.std is not None
        statistics = (statistics.mean or (), statistics.std or ()) if known else None
    sides = (size, size) if isinstance(size, int) else size
    return torch.stack(
        [_view_of(image, params, i, statistics, sides) for i, image in enumerate(images)]
    )


def _view_of(
    image: Tensor,
    params: ViewParameters,
    i: int,
    statistics: Statistics | None,
    size: tuple[int, int],
) -> Tensor:
    value: dict[str, Any] = {
        field.name: getattr(params, field.name)[i].tolist() for field in fields(params)
    }
    box = [value[name] for name in ("top", "left", "height", "width")]
    view: Tensor = reference.resized_crop(
        image.float() / 255, *box, size=list(size), antialias=True
    )
    for operation in value["order"] if value["jitter"] else ():
        name = JITTER_OPS[operation]
        view = getattr(reference, f"adjust_{name}")(view, value[name])
    if value["grayscale"]:
        view = reference.rgb_to_grayscale(view, num_output_channels=len(view))
    if value["blur"]:
        view = blurred(view, value["blur_sigma"])
    if value["flip"]:
        view = reference.horizontal_flip(view)
    if statistics is not None:
        view = reference.normalize(view, list(statistics[0]), list(statistics[1]))
    return view


def blurred(view: Tensor, sigma: float) -> Tensor:
    """An image [C, H, W] under Lindeberg's discrete Gaussian, the last pixels mirrored too."""
    reach = np.arange(-40, 41)
    kernel = ive(np.abs(reach), sigma**2)  # exp(-t) I_d(t)
    rows = correlate1d(view.numpy().astype(np.float64), kernel, axis=1, mode="reflect")
    return torch.from_numpy(correlate1d(rows, kernel, axis=2, mode="reflect")).float()
