"""The views of `trifeature.views.images.apply`, laid out for a GPU: few passes over the pixels.

The reference multiplies colors by small matrices, one call after another. That is fast on a CPU,
but on a GPU each call reads and writes all pixels. Here every color operation is written pixel by
pixel, on the red, green and blue planes by themselves: operations on tensors of one shape are what
`torch.compile` fuses into one pass, in which a pixel stays in registers:

1. one pass that reads and writes: bytes to `dtype`, line by line;
2. crop, resize and flip: two batched matrix products;
3. one pass that only reads: the mean gray level for contrast;
4. two passes that read and write: jitter; grayscale and normalization;
5. blur: two batched matrix products.

Images are stored line by line from the first pass to the last product, [N, S, 3, S], so that a
sample's matrix multiplies all channels at once.

In half precision (`dtype=torch.float16`, with the ten mantissa bits of TF32) products and memory
traffic are halved; colors are computed in float32 between load and store. Without compilation it is
the same function as the reference within the precision of `dtype`, only slower on a CPU.

N samples, S × S pixels of an image, P = S² pixels.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

import torch
from torch import Tensor

from trifeature.views import Views
from trifeature.views.images import (
    JITTER_OPS,
    LUMA,
    Statistics,
    ViewParameters,
    blends,
    blur_matrix,
    check_images,
    normalization,
    resize_matrix,
)
from trifeature.views.sets import ViewSet

_CONTRAST: Final = JITTER_OPS.index("contrast")
_HUE: Final = JITTER_OPS.index("hue")

_Colors = tuple[Tensor, Tensor, Tensor]
"""The red, green and blue pixels of N images, floating [N, S, S] each."""


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
    function = _compiled() if compiled else _apply
    with torch.autocast(items.device.type, enabled=False):
        return function(items, parameters, _passes(views), dtype)


@dataclass(frozen=True)
class _Passes:
    """What `_apply` knows of a `ViewSet`, so that sets which differ otherwise are compiled once.

    Attributes:
        crop: Whether images are cropped or mirrored.
        jitter: Whether colors are jittered.
        grayscale: Whether colors are removed.
        blur: Whether images are blurred.
        normalized: Mean and standard deviation of the channels; None for no normalization.
    """

    crop: bool
    jitter: bool
    grayscale: bool
    blur: bool
    normalized: Statistics | None


def _passes(views: ViewSet) -> _Passes:
    """The passes of a view set.

    Raises:
        InputError: its normalization is for another number of channels than three.
    """
    return _Passes(
        crop=views.crop_scale is not None or views.flip_probability > 0,
        jitter=views.jitter_probability > 0,
        grayscale=views.grayscale_probability > 0,
        blur=views.blur_probability > 0,
        normalized=normalization(views, 3),
    )


def _is_fused(views: Views, items: Tensor) -> TypeGuard[ViewSet]:
    """True if the fused passes apply; a subclass of `ViewSet` may override `apply`."""
    square_rgb = items.dim() == 4 and items.shape[1] == 3 and items.shape[2] == items.shape[3]
    return type(views) is ViewSet and square_rgb


_Apply = Callable[[Tensor, ViewParameters, _Passes, torch.dtype], Tensor]
"""What `_apply` is, compiled or not."""


@functools.cache
def _compiled() -> _Apply:
    """One compiled function for the whole process, so that every run reuses its kernels."""
    function: _Apply = torch.compile(_apply, fullgraph=True, dynamic=False)
    return function


def _apply(images: Tensor, params: ViewParameters, passes: _Passes, dtype: torch.dtype) -> Tensor:
    """Views of images [N, 3, S, S], without compilation."""
    size = images.shape[3]
    unit = images if images.is_floating_point() else images.float() / 255
    lines = unit.to(dtype).transpose(1, 2)
    if passes.crop:
        upright = torch.zeros_like(params.flip)
        rows = resize_matrix(params.top, params.height, upright, size, size).to(dtype)
        columns = resize_matrix(params.left, params.width, params.flip, size, size).to(dtype)
        lines = _multiply(rows, lines, columns)
    red, green, blue = lines.float().unbind(2)
    colors = (red, green, blue)
    if passes.jitter:
        red, green, blue = (x.to(dtype) for x in _jitter(colors, params))
        colors = (red, green, blue)  # stored between two passes
    colors = _gray_and_normalize(colors, params.grayscale, passes)
    lines = torch.stack([x.to(dtype) for x in colors], dim=2)
    if passes.blur:
        matrix = blur_matrix(params.blur_sigma * params.blur, size).to(dtype)
        lines = _multiply(matrix, lines, matrix)
    return lines.transpose(1, 2)


def _multiply(rows: Tensor, lines: Tensor, columns: Tensor) -> Tensor:
    """Multiply each channel by its sample's matrices, [N, S, S] · [N, S, 3, S] · [N, S, S]ᵀ.

    With the channels between rows and columns both are products of whole matrices, so that no
    matrix is copied for each channel.
    """
    down = torch.bmm(rows, lines.flatten(2)).view_as(lines)
    return torch.bmm(down.flatten(1, 2), columns.mT).view_as(lines)


def _jitter(colors: _Colors, params: ViewParameters) -> _Colors:
    """Brightness, contrast, saturation and hue in each sample's own order.

    Contrast mixes in the mean gray level of its input. The operations before contrast are therefore
    computed twice: first for this mean, without storing any pixels, then in the final pass.
    """
    weights = blends(params)
    hue = params.hue * params.jitter
    turn = torch.arange(4, device=hue.device)
    of_contrast = (params.order == _CONTRAST).int().argmax(1, keepdim=True)  # [N, 1]
    of_hue = (params.order == _HUE).int().argmax(1, keepdim=True)
    unmixed = torch.where((turn < of_contrast)[:, :, None], weights, _identity(weights))
    early_hue = torch.where(of_hue < of_contrast, hue[:, None], 0.0)[:, 0]
    nothing = torch.zeros_like(hue)
    found = _apply_in_order(colors, unmixed, of_hue, early_hue, nothing)
    level = _gray(found).mean(2).mean(1)  # of lines first: one pass with what precedes it
    return _apply_in_order(colors, weights, of_hue, hue, level)


def _identity(weights: Tensor) -> Tensor:
    """The blend that changes nothing, (1, 0, 0), in the shape of `weights` [N, 4, 3]."""
    place = torch.arange(3, device=weights.device)
    return (place == 0).to(weights.dtype).expand_as(weights)


def _apply_in_order(
    colors: _Colors, weights: Tensor, of_hue: Tensor, hue: Tensor, level: Tensor
) -> _Colors:
    """Apply blends [N, 4, 3] in order, and shift the hue at its place among them.

    Args:
        colors: Pixels in [0, 1].
        weights: See `trifeature.views.images.blends`.
        of_hue: The place of the hue, int64 [N, 1].
        hue: Its shift in turns of the wheel [N].
        level: The mean gray level for contrast [N].
    """
    turn = torch.arange(4, device=hue.device)
    identity = _identity(weights)
    before = torch.where((turn < of_hue)[:, :, None], weights, identity)
    after = torch.where((turn > of_hue)[:, :, None], weights, identity)
    for place in range(3):
        colors = _blend(colors, before[:, place], level)
    colors = _shift_hue(colors, hue)
    for place in range(1, 4):
        colors = _blend(colors, after[:, place], level)
    return colors


def _blend(colors: _Colors, weight: Tensor, level: Tensor) -> _Colors:
    """Blend pixels with weights [N, 3]: a · x + b · gray(x) + c · level, clamped."""
    own, gray, mean = weight[:, :, None, None].unbind(1)  # [N, 1, 1] each
    added = gray * _gray(colors) + mean * level[:, None, None]
    red, green, blue = ((own * x + added).clamp(0, 1) for x in colors)
    return red, green, blue


def _shift_hue(colors: _Colors, shift: Tensor) -> _Colors:
    """`trifeature.views.images._shift_hue`, plane by plane."""
    red, green, blue = colors
    high = torch.maximum(torch.maximum(red, green), blue)
    low = torch.minimum(torch.minimum(red, green), blue)
    chroma = high - low
    # A gray pixel has no hue, and its chroma of 0 cancels any value but the NaN of 0 / 0.
    from_red = (high - red + green + blue - 2 * low) / chroma.clamp(min=1e-12)
    turn = torch.copysign(from_red, green - blue) / 6 + shift[:, None, None]

    def level(place: float) -> Tensor:
        distance = turn - place
        distance = (distance - distance.round()).abs()  # the shorter way round
        return (2 - 6 * distance).clamp(0, 1) * chroma + low

    return level(0), level(1 / 3), level(2 / 3)


def _gray(colors: _Colors) -> Tensor:
    """The gray level of each pixel: [N, S, S]."""
    red, green, blue = colors
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def _gray_and_normalize(colors: _Colors, grayscale: Tensor, passes: _Passes) -> _Colors:
    """Remove the colors where `grayscale` [N] is set, then normalize."""
    red, green, blue = colors
    if passes.grayscale:
        gray = _gray(colors)
        red, green, blue = (torch.where(grayscale[:, None, None], gray, x) for x in colors)
    if passes.normalized is None:
        return red, green, blue
    channels = zip((red, green, blue), *passes.normalized, strict=True)
    red, green, blue = ((x - mean) / std for x, mean, std in channels)
    return red, green, blue
