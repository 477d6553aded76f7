"""Random augmentations of a batch: draw the parameters of every sample, then apply them.

Every step is the same few tensor operations for the whole batch, whatever was drawn: crop, flip
and blur are two small matrices a sample, multiplied from the left and the right; brightness,
contrast and saturation are one 3 × 3 matrix on the colors; only hue works pixel by pixel. So no
sample is ever picked out, nothing waits for the device (a compiled or CUDA-graphed step may hold
it all), and most of the work is matrix products, which CPUs and GPUs do fastest. The results
differ from those of torchvision's functions, called image by image, by rounding only.

N samples, S pixels along a canvas, T along the result, P = T² pixels of a result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import threshold

from trifeature.errors import InputError
from trifeature.views.sets import (  # noqa: F401 - the sets can be imported from here too
    ALL,
    ALL_WITHOUT_CROP,
    CLEAN,
    LIGHT,
    ViewSet,
)

JITTER_OPS: Final = ("brightness", "contrast", "saturation", "hue")
"""The operations of the color jitter; `ViewParameters.order` holds positions in this tuple."""

LUMA: Final = (0.2989, 0.587, 0.114)
"""What red, green and blue weigh in a gray level, as torchvision's."""

_CONTRAST, _SATURATION, _HUE = 1, 2, 3
_CROP_TRIES = 10  # as torchvision's RandomResizedCrop
# What a few cores' caches hold: at 224 pixels, 16 times as many at once take 1.4 times as long.
_CPU_CHUNK_PIXELS = 2**17


@dataclass(frozen=True, eq=False)
class ViewParameters:
    """What was drawn for N samples: `params[i]` for a slice or an index tensor `i` selects samples.

    Attributes:
        top: int64 [N], first row of the crop.
        left: int64 [N], first column of the crop.
        height: int64 [N], rows of the crop.
        width: int64 [N], columns of the crop.
        flip: bool [N], whether the sample is mirrored left to right.
        jitter: bool [N], whether the colors are jittered; if not, the next five have no effect.
        order: int64 [N, 4], positions in `JITTER_OPS` in the order of application.
        brightness: float32 [N], factor.
        contrast: float32 [N], factor.
        saturation: float32 [N], factor.
        hue: float32 [N], shift as a fraction of the color wheel.
        grayscale: bool [N], whether the colors are removed.
        blur: bool [N], whether the sample is blurred; if not, `blur_sigma` has no effect.
        blur_sigma: float32 [N], standard deviation in pixels of the result.
    """

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor
    flip: Tensor
    jitter: Tensor
    order: Tensor
    brightness: Tensor
    contrast: Tensor
    saturation: Tensor
    hue: Tensor
    grayscale: Tensor
    blur: Tensor
    blur_sigma: Tensor

    def __len__(self) -> int:
        return len(self.top)

    def __getitem__(self, index: slice | Tensor) -> ViewParameters:
        return ViewParameters(
            **{field.name: getattr(self, field.name)[index] for field in fields(self)}
        )

    def to(self, device: torch.device | str) -> ViewParameters:
        """The same parameters on another device."""
        return ViewParameters(
            **{field.name: getattr(self, field.name).to(device) for field in fields(self)}
        )


def draw(
    views: ViewSet,
    n: int,
    size: int,
    generator: torch.Generator,
    device: torch.device | str | None = None,
) -> ViewParameters:
    """Draw the parameters of n samples, each independent of the others.

    The distributions are those of torchvision's `RandomResizedCrop` (ten tries for area and
    ratio, then a central crop), `ColorJitter`, `RandomGrayscale`, `GaussianBlur` and
    `RandomHorizontalFlip`. Every call takes the same count of random numbers for every
    `ViewSet`: two ablations drawn from one seed differ only in what the ablation changes.

    Args:
        views: What to draw from.
        n: How many samples.
        size: Side of the square images to be cropped, in pixels.
        generator: Source of the randomness; the draw happens on its device.
        device: Where the parameters go, the generator's device by default. Another one needs
            a copy, which a CUDA graph cannot hold.

    Raises:
        InputError: `n` is negative or `size` is not positive.

    >>> len(draw(ALL, 5, 32, torch.Generator().manual_seed(0)))
    5
    """
    if n < 0 or size < 1:
        raise InputError(f"n must be at least 0 and size at least 1, not {n} and {size}")
    counts = [2 * _CROP_TRIES, 2, 4, 4, 4, 1]
    uniform = torch.rand(n, sum(counts), generator=generator, device=generator.device)
    tries, place, order, factors, coins, sigma = torch.split(uniform, counts, dim=1)
    top, left, height, width = _draw_boxes(views, size, tries, place)
    brightness, contrast, saturation, hue = factors.unbind(1)
    flip, jitter, grayscale, blur = coins.unbind(1)
    params = ViewParameters(
        top=top,
        left=left,
        height=height,
        width=width,
        flip=flip < views.flip_probability,
        jitter=jitter < views.jitter_probability,
        order=order.argsort(1),
        brightness=_stretch(brightness, max(0, 1 - views.brightness), 1 + views.brightness),
        contrast=_stretch(contrast, max(0, 1 - views.contrast), 1 + views.contrast),
        saturation=_stretch(saturation, max(0, 1 - views.saturation), 1 + views.saturation),
        hue=_stretch(hue, -views.hue, views.hue),
        grayscale=grayscale < views.grayscale_probability,
        blur=blur < views.blur_probability,
        blur_sigma=_stretch(sigma[:, 0], *views.blur_sigma),
    )
    return params if device is None else params.to(device)


def _stretch(uniform: Tensor, low: float, high: float) -> Tensor:
    """Numbers uniform in [0, 1) become uniform in [low, high)."""
    return low + (high - low) * uniform


def _draw_boxes(views: ViewSet, size: int, tries: Tensor, place: Tensor) -> tuple[Tensor, ...]:
    """Top, left, height and width of the crops, int64 [N] each.

    Args:
        views: Scale and ratio of the crops.
        size: Side of the images.
        tries: Uniform numbers [N, 20]: ten areas, ten ratios.
        place: Uniform numbers [N, 2]: where the box lies.
    """
    if views.crop_scale is None:
        corner = torch.zeros_like(place, dtype=torch.int64)
        return (*corner.unbind(1), *(corner + size).unbind(1))
    sides, fits = _try_sides(views.crop_scale, views.crop_ratio, size, tries)
    first = fits.int().argmax(1)[:, None, None]  # the first maximum, so the first that fits
    # Where none fits: the largest central box with the nearest allowed ratio.
    narrow = (round(size / views.crop_ratio[0]), round(size * views.crop_ratio[1]))
    central = _constant([min(max(side, 1), size) for side in narrow], place.device).long()
    found = fits.any(1, keepdim=True)
    side = torch.where(found, sides.gather(1, first.expand(-1, -1, 2))[:, 0], central)
    room = size - side
    # In float32, u · (room + 1) may round up to room + 1.
    corner = torch.where(found, (place * (room + 1)).long().minimum(room), room // 2)
    return (*corner.unbind(1), *side.unbind(1))


def _try_sides(
    scale: tuple[float, float], ratio: tuple[float, float], size: int, tries: Tensor
) -> tuple[Tensor, Tensor]:
    """Height and width of ten boxes, int64 [N, 10, 2], and which fit the canvas, bool [N, 10]."""
    area_draw, ratio_draw = tries.chunk(2, dim=1)
    area = size**2 * _stretch(area_draw, *scale)
    aspect = _stretch(ratio_draw, math.log(ratio[0]), math.log(ratio[1])).exp()
    sides = torch.stack((area / aspect, area * aspect), dim=2).sqrt().round().long()
    return sides, ((sides > 0) & (sides <= size)).all(2)


def apply(
    images: Tensor,
    params: ViewParameters,
    views: ViewSet,
    *,
    size: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Apply drawn parameters: crop and resize, jitter, grayscale, blur, flip, normalize.

    Each step is that of `torchvision.transforms.v2.functional` on float images in [0, 1]: the
    resize is bilinear and antialiased, the jitter clamps after each operation. The Gaussian
    blur is not cut off: its kernel spans the canvas, mirrored at the borders (torchvision's
    with a kernel of 2T - 1). All is computed in float32, under autocast too; matrix products
    follow `torch.set_float32_matmul_precision`, and TF32 shifts a result by about 1e-3.

    Args:
        images: uint8, or floating in [0, 1], [N, 3, S, S]; left as they are.
        params: What was drawn for these N images, on their device.
        views: What it was drawn from.
        size: Side T of the result, by default that of the images; smaller or larger is fine.
        dtype: Of the result.

    Returns:
        [N, 3, T, T] of `dtype`, on the images' device.

    Raises:
        InputError: the images have another shape or type, `params` another count, or
            `size` is not positive.
    """
    check_images(images, params)
    target = images.shape[3] if size is None else size
    if target < 1:
        raise InputError(f"size must be at least 1, not {target}")
    chunk = len(images) if images.device.type != "cpu" else max(1, _CPU_CHUNK_PIXELS // target**2)
    result = torch.empty(len(images), 3, target, target, dtype=dtype, device=images.device)
    with torch.autocast(images.device.type, enabled=False):
        for start in range(0, len(images), max(1, chunk)):
            part = slice(start, start + chunk)
            result[part] = _apply_chunk(images[part], params[part], views, target)
    return result


def augment(
    images: Tensor,
    views: ViewSet,
    generator: torch.Generator,
    *,
    size: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """One random view of every image: `draw`, then `apply`.

    Args:
        images: uint8, or floating in [0, 1], [N, 3, S, S].
        views: The transforms.
        generator: Source of the randomness, best on the images' device (`draw` says why).
        size: Side T of the result, by default that of the images.
        dtype: Of the result.

    Returns:
        [N, 3, T, T] of `dtype`, on the images' device.

    Raises:
        InputError: the images have another shape or type, or `size` is not positive.

    >>> images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    >>> augment(images, ALL, torch.Generator().manual_seed(0)).shape
    torch.Size([2, 3, 32, 32])
    """
    params = draw(views, len(images), images.shape[-1], generator, images.device)
    return apply(images, params, views, size=size, dtype=dtype)


def check_images(images: Tensor, params: ViewParameters) -> None:
    """Refuse images that are not [N, 3, S, S], or parameters of another count of them."""
    shape = tuple(images.shape)
    if len(shape) != 4 or shape[1] != 3 or shape[2] != shape[3]:
        raise InputError(f"images must be square and RGB, [N, 3, S, S], not {list(shape)}")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise InputError(f"images must be uint8 or floating, not {images.dtype}")
    if len(params) != len(images):
        raise InputError(f"{len(images)} images need as many parameters, not {len(params)}")


def _apply_chunk(images: Tensor, params: ViewParameters, views: ViewSet, size: int) -> Tensor:
    """`apply` to as many images as are worth holding at once: float32 [N, 3, T, T]."""
    pixels = images.float() if images.is_floating_point() else images / 255
    if views.crop_scale is not None or views.flip_probability > 0 or size != images.shape[3]:
        pixels = _crop_and_flip(pixels, params, size)
    colors = pixels.flatten(2)
    if views.jitter_probability > 0:
        colors = _jitter(colors, params, views)
    # The blur's weights sum to one and do not depend on the channel: it may come after the
    # normalization, which then shares a matrix product with the grayscale.
    colors = _gray_and_normalize(colors, params.grayscale, views)
    pixels = colors.reshape(-1, 3, size, size)
    return _blur(pixels, params) if views.blur_probability > 0 else pixels


def _constant(values: Sequence[float], device: torch.device) -> Tensor:
    """float32 [len(values)], filled in place: a copy from the host would break a CUDA graph."""
    return torch.cat([torch.full((1,), float(value), device=device) for value in values])


def _crop_and_flip(pixels: Tensor, params: ViewParameters, size: int) -> Tensor:
    """Crop, resize and mirror [N, 3, S, S] to [N, 3, T, T]."""
    canvas = pixels.shape[3]
    rows = resize_matrix(params.top, params.height, torch.zeros_like(params.flip), canvas, size)
    columns = resize_matrix(params.left, params.width, params.flip, canvas, size)
    return multiply(rows, pixels, columns)


def resize_matrix(start: Tensor, length: Tensor, mirror: Tensor, canvas: int, size: int) -> Tensor:
    """How much each pixel of a canvas weighs in each pixel of a resized crop, [N, T, S].

    Bilinear with antialiasing: a triangle as wide as two pixels of the crop or of the result,
    whichever are larger, cut off at the crop's border and scaled to the sum one.
    """
    spacing = length[:, None] / size  # [N, 1], pixels of the crop for each of the result
    ahead = torch.arange(size, device=start.device)
    step = torch.where(mirror[:, None], size - 1 - ahead, ahead)  # [N, T]
    center = (step + 0.5) * spacing - 0.5
    pixel = (
        torch.arange(canvas, device=start.device) - start[:, None]
    )  # [N, S], from the crop's border
    inside = (pixel >= 0) & (pixel < length[:, None])
    distance = (pixel[:, None] - center[:, :, None]).abs_()
    weight = 1 - distance.div_(spacing.clamp(min=1)[:, :, None])
    weight = weight.clamp_(min=0).mul_(inside[:, None])
    return weight.div_(weight.sum(2, keepdim=True))


def multiply(rows: Tensor, pixels: Tensor, columns: Tensor) -> Tensor:
    """Multiply [N, T, S] · [N, 3, S, S] · [N, T, S]ᵀ, giving [N, 3, T, T]."""
    N, C, S, _ = pixels.shape
    resized_across = torch.bmm(pixels.flatten(1, 2), columns.mT)  # [N, 3·S, T]
    return torch.matmul(rows[:, None], resized_across.view(N, C, S, -1))


def _jitter(colors: Tensor, params: ViewParameters, views: ViewSet) -> Tensor:
    """Brightness, contrast, saturation and hue in each sample's own order, on [N, 3, P].

    Hue may come at four places. Rather than at each of them, it is computed once, between what
    comes before and what comes after; an operation whose turn it is not becomes the identity.
    """
    weights = blends(params)
    if views.hue == 0:
        return _blend_in_turn(colors, weights)
    slot = torch.arange(4, device=colors.device)
    hue_slot = (params.order == _HUE).int().argmax(1, keepdim=True)  # [N, 1]
    identity = _constant((1, 0, 0), colors.device)
    before = torch.where((slot < hue_slot)[:, :, None], weights, identity)
    after = torch.where((slot > hue_slot)[:, :, None], weights, identity)
    colors = _blend_in_turn(colors, before[:, :3])
    colors = shift_hue(colors, params.hue * params.jitter)
    return _blend_in_turn(colors, after[:, 1:])


def blends(params: ViewParameters) -> Tensor:
    """Brightness, contrast and saturation as blends, float32 [N, 4, 3], in order of application.

    The last dimension is what a pixel, its gray level and the image's mean gray level weigh in the
    pixel's new color. Hue is no blend: its turn, like all turns of a sample not jittered, is
    (1, 0, 0).
    """
    kept = torch.ones_like(params.hue)
    factors = torch.stack((params.brightness, params.contrast, params.saturation, kept), dim=1)
    own = torch.where(params.jitter[:, None], factors, 1.0).gather(1, params.order)
    gray = (1 - own) * (params.order == _SATURATION)
    mean = (1 - own) * (params.order == _CONTRAST)
    return torch.stack((own, gray, mean), dim=2)


def _blend_in_turn(colors: Tensor, weights: Tensor) -> Tensor:
    """Apply blends [N, K, 3] one after the other to [N, 3, P], clamped to [0, 1] after each."""
    own, gray, mean = weights.unbind(2)
    luma = _constant(LUMA, colors.device)
    matrices = _color_matrix(own, gray)
    for matrix, weight in zip(matrices.unbind(1), mean.unbind(1), strict=True):
        level = weight * (colors.mean(2) @ luma)
        colors = torch.baddbmm(level[:, None, None], matrix, colors).clamp_(0, 1)
    return colors


def _color_matrix(own: Tensor, gray: Tensor) -> Tensor:
    """[..., 3, 3] that adds up `own` [...] times a color and `gray` [...] times its gray level."""
    identity = torch.eye(3, device=own.device)
    return own[..., None, None] * identity + gray[..., None, None] * _constant(LUMA, own.device)


def shift_hue(colors: Tensor, shift: Tensor) -> Tensor:
    """Turn the hue of [N, 3, P] by [N] turns of the color wheel; HSV's other two stay.

    On the wheel red lies at 0, green at 1/3, blue at 2/3 turn. A channel's level, from the least of
    the three to the largest, is full up to 1/6 turn from its own place and gone beyond 1/3.
    """
    red, green, blue = colors.unbind(1)
    high = torch.maximum(torch.maximum(red, green), blue)
    low = torch.minimum(torch.minimum(red, green), blue)
    chroma = high - low
    # Sixths of a turn from red, 0 to 3; more green than blue turns forwards, less backwards.
    # A gray has no hue: its chroma of 0 cancels whatever is computed here, but not a NaN.
    from_red = (high - red).add_(green).add_(blue).sub_(low, alpha=2) / chroma.clamp(min=1e-12)
    turn = torch.copysign(from_red, green - blue).div_(6).add_(shift[:, None])
    place = torch.arange(3, device=colors.device)[:, None] / 3
    distance = turn[:, None] - place  # [N, 3, P]
    distance = distance.sub_(distance.round()).abs_()  # the shorter way round
    level = distance.mul_(-6).add_(2).clamp_(0, 1)
    return level.mul_(chroma[:, None]).add_(low[:, None])


def _gray_and_normalize(colors: Tensor, grayscale: Tensor, views: ViewSet) -> Tensor:
    """Remove the colors where `grayscale` [N] says so, then normalize: [N, 3, P]."""
    if views.mean is None and views.grayscale_probability == 0:
        return colors
    mean = _constant(views.mean or (0, 0, 0), colors.device)[:, None]
    std = _constant(views.std or (1, 1, 1), colors.device)[:, None]
    gray = grayscale.float()
    return torch.baddbmm(-mean / std, _color_matrix(1 - gray, gray) / std, colors)


def _blur(pixels: Tensor, params: ViewParameters) -> Tensor:
    """Blur [N, 3, T, T] by a Gaussian of each sample's own width."""
    matrix = blur_matrix(params.blur_sigma * params.blur, pixels.shape[3])
    return multiply(matrix, pixels, matrix)


def blur_matrix(sigma: Tensor, size: int) -> Tensor:
    """How much each pixel of a line weighs in each pixel of the blurred line, [N, T, T].

    A pixel is seen up to three times: directly and mirrored in the first and in the last pixel,
    neither of which is its own mirror image.
    """
    # Below a sigma of 0.01 (not blurred: 0) the kernel is one pixel; dividing by 0 would be NaN.
    precision = 1 / sigma.clamp(min=0.01).square()
    distance = torch.arange(2 * size - 1, device=sigma.device)
    exponent = -0.5 * precision[:, None] * distance.square()
    # What float32 cannot see becomes 0: denormal numbers would slow a CPU's products tenfold.
    kernel = threshold(exponent.clamp(min=-30).exp(), 1e-9, 0.0)  # [N, 2T - 1]
    both_sides = torch.cat((kernel[:, 1:size].flip(1), kernel[:, :size]), dim=1)
    direct = both_sides.unfold(1, size, 1).flip(1)  # kernel(|row - column|)
    in_first = kernel.unfold(1, size, 1)  # kernel(row + column)
    in_last = in_first.flip(1, 2)  # kernel(2(T - 1) - row - column)
    pixel = distance[:size]
    matrix = direct.add_(in_first * (pixel > 0)).add_(in_last.mul_(pixel < size - 1))
    return matrix.div_(matrix.sum(2, keepdim=True))
