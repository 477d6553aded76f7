"""The views of `trifeature.views.images.apply`, laid out for a GPU: few passes over the pixels.

The reference multiplies colors by small matrices, one call after another. That is fast on a CPU,
but on a GPU each call reads and writes all pixels. Here every color operation is written pixel by
pixel, so that `torch.compile` can keep a pixel in registers from the crop to the normalization:

1. crop, resize and flip: two batched matrix products;
2. one pass that only reads: the mean gray level for contrast;
3. one pass that reads and writes: jitter, grayscale, normalization;
4. blur: two batched matrix products.

In half precision (`dtype=torch.float16`, with the ten mantissa bits of TF32) products and memory
traffic are halved; colors are computed in float32 between load and store. Without compilation it is
the same function as the reference within the precision of `dtype`, only slower on a CPU.

N samples, S × S pixels of an image, P = S² pixels.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, TypeGuard

import torch
from torch import Tensor

from trifeature.views import Views
from trifeature.views.images import (
    JITTER_OPS,
    LUMA,
    ViewParameters,
    blends,
    blur_matrix,
    check_images,
    multiply,
    normalization,
    resize_matrix,
    shift_hue,
)
from trifeature.views.sets import ViewSet

_CONTRAST: Final = JITTER_OPS.index("contrast")
_HUE: Final = JITTER_OPS.index("hue")


def apply_fused(
    views: Views,
    items: Tensor,
    parameters: Any,
    *,
    dtype: torch.dtype = torch.float16,
    compiled: bool = True,
) -> Tensor:
    """Apply drawn parameters to items of any kind, to square RGB images by the fused passes.

    Anything else (another class of views, another number of channels, a rectangle) goes to
    `views.apply`.

    Args:
        views: The transforms that the parameters were drawn from.
        items: [N, *shape]; square RGB images are uint8, or floating in [0, 1], [N, 3, S, S].
        parameters: The parameters drawn for these N items, on their device.
        dtype: Of pixels in memory, of the matrix products' operands and of the result.
        compiled: Fuse the passes with `torch.compile`; the first call of each shape and `views`
            takes half a minute.

    Returns:
        Views of `dtype`, [N, 3, S, S], on the items' device; of other items float32 [N, *shape].

    Raises:
        InputError: the items have another type, `parameters` another count, or the normalization
            is for another number of channels.
    """
    if not _is_fused(views, items):
        return views.apply(items, parameters)
    check_images(items, parameters)
    normalization(views, 3)  # raises if mean and std do not fit
    function = _compiled() if compiled else _apply
    with torch.autocast(items.device.type, enabled=False):
        return function(items, parameters, views, dtype)


def _is_fused(views: Views, items: Tensor) -> TypeGuard[ViewSet]:
    """True if the fused passes apply; a subclass of `ViewSet` may override `apply`."""
    square_rgb = items.dim() == 4 and items.shape[1] == 3 and items.shape[2] == items.shape[3]
    return type(views) is ViewSet and square_rgb


@functools.cache
def _compiled() -> Callable[[Tensor, ViewParameters, ViewSet, torch.dtype], Tensor]:
    """One compiled function for the whole process, so that every run reuses its kernels."""
    function: Callable[[Tensor, ViewParameters, ViewSet, torch.dtype], Tensor] = torch.compile(
        _apply, fullgraph=True, dynamic=False
    )
    return function


def _apply(images: Tensor, params: ViewParameters, views: ViewSet, dtype: torch.dtype) -> Tensor:
    """Views of images [N, 3, S, S], without compilation."""
    size = images.shape[3]
    unit = images if images.is_floating_point() else images.float() / 255
    pixels = unit.to(dtype)
    if views.crop_scale is not None or views.flip_probability > 0:
        upright = torch.zeros_like(params.flip)
        rows = resize_matrix(params.top, params.height, upright, size, size).to(dtype)
        columns = resize_matrix(params.left, params.width, params.flip, size, size).to(dtype)
        pixels = multiply(rows, pixels, columns)
    colors = pixels.flatten(2).float()
    if views.jitter_probability > 0:
        colors = _jitter(colors, params)
    pixels = _gray_and_normalize(colors, params.grayscale, views).to(dtype).view(pixels.shape)
    if views.blur_probability > 0:
        matrix = blur_matrix(params.blur_sigma * params.blur, size).to(dtype)
        pixels = multiply(matrix, pixels, matrix)
    return pixels


def _jitter(colors: Tensor, params: ViewParameters) -> Tensor:
    """Brightness, contrast, saturation and hue in each sample's own order, on [N, 3, P].

    Contrast mixes in the mean gray level of its input. The operations before contrast are therefore
    computed twice: first for this mean, without storing any pixels, then in the final pass.
    """
    weights = blends(params)
    hue = params.hue * params.jitter
    turn = torch.arange(4, device=colors.device)
    of_contrast = (params.order == _CONTRAST).int().argmax(1, keepdim=True)  # [N, 1]
    of_hue = (params.order == _HUE).int().argmax(1, keepdim=True)
    unmixed = torch.where((turn < of_contrast)[:, :, None], weights, _identity(weights))
    early_hue = torch.where(of_hue < of_contrast, hue[:, None], 0.0)[:, 0]
    nothing = torch.zeros_like(hue)
    found = _apply_in_order(colors, unmixed, of_hue, early_hue, nothing)
    level = _gray(found).mean(1)
    return _apply_in_order(colors, weights, of_hue, hue, level)


def _identity(weights: Tensor) -> Tensor:
    """The blend that changes nothing, (1, 0, 0), in the shape of `weights` [N, 4, 3]."""
    place = torch.arange(3, device=weights.device)
    return (place == 0).to(weights.dtype).expand_as(weights)


def _apply_in_order(
    colors: Tensor, weights: Tensor, of_hue: Tensor, hue: Tensor, level: Tensor
) -> Tensor:
    """Apply blends [N, 4, 3] in order to [N, 3, P], and shift the hue at its place among them.

    Args:
        colors: Pixels in [0, 1].
        weights: See `trifeature.views.images.blends`.
        of_hue: The place of the hue, int64 [N, 1].
        hue: Its shift in turns of the wheel [N].
        level: The mean gray level for contrast [N].
    """
    turn = torch.arange(4, device=colors.device)
    identity = _identity(weights)
    before = torch.where((turn < of_hue)[:, :, None], weights, identity)
    after = torch.where((turn > of_hue)[:, :, None], weights, identity)
    for place in range(3):
        colors = _blend(colors, before[:, place], level)
    colors = shift_hue(colors, hue)
    for place in range(1, 4):
        colors = _blend(colors, after[:, place], level)
    return colors


def _blend(colors: Tensor, weight: Tensor, level: Tensor) -> Tensor:
    """Blend pixels [N, 3, P] with weights [N, 3]: a · x + b · gray(x) + c · level, clamped."""
    own, gray, mean = weight[:, :, None].unbind(1)  # [N, 1] each
    added = gray * _gray(colors) + mean * level[:, None]
    return (own[:, None] * colors + added[:, None]).clamp(0, 1)


def _gray(colors: Tensor) -> Tensor:
    """The gray level of [N, 3, P]: [N, P]."""
    red, green, blue = colors.unbind(1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def _gray_and_normalize(colors: Tensor, grayscale: Tensor, views: ViewSet) -> Tensor:
    """Remove the colors where `grayscale` [N] is set, then normalize: [N, 3, P]."""
    if views.grayscale_probability > 0:
        colors = torch.where(grayscale[:, None, None], _gray(colors)[:, None], colors)
    if views.mean is None or views.std is None:
        return colors
    channels = zip(colors.unbind(1), views.mean, views.std, strict=True)
    return torch.stack([(x - mean) / std for x, mean, std in channels], dim=1)
