"""Random augmentations of images: draw the parameters of every sample, then apply them.

Every transform is the same few tensor operations for the whole batch, whatever was drawn:

- crop, resize and flip: y = R x Cᵀ, with one matrix for the rows and one for the columns of a
  sample; the blur likewise.
- brightness, contrast and saturation: one channels × channels matrix and one constant a sample.
- hue: pixel by pixel.

No sample is selected by its parameters, so nothing waits for the device, and a compiled or
CUDA-graphed training step may contain all of it. Most of the work is matrix products, which are
fast on CPUs and GPUs. The results differ from those of torchvision's functions, called image by
image, by rounding only, but for the blur, which keeps its width where it is small, as Pillow's.

N samples, C channels, H rows and W columns of an image, T and U of a result, P = T · U pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import threshold

from trifeature.errors import InputError
from trifeature.views import TensorParameters
from trifeature.views.sets import (  # noqa: F401 - the sets can be imported from here too
    ALL,
    ALL_WITHOUT_CROP,
    CLEAN,
    IMAGENET_MEAN,
    IMAGENET_STD,
    LIGHT,
    ViewSet,
)

JITTER_OPS: Final = ("brightness", "contrast", "saturation", "hue")
"""The operations of the color jitter; `ViewParameters.order` holds positions in this tuple."""

LUMA: Final = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue in a gray level, as torchvision's."""

_CONTRAST, _SATURATION, _HUE = 1, 2, 3
_CROP_TRIES = 10  # as torchvision's RandomResizedCrop
# Values that fit into a few cores' caches: at 224 pixels, 16 times as many take 1.4 times as long.
_CPU_CHUNK = 3 * 2**17

Size = int | tuple[int, int]
"""Rows and columns of an image in pixels; one number for a square."""


@dataclass(frozen=True, eq=False)
class ViewParameters(TensorParameters):
    """Parameters drawn for N samples; a slice or an index tensor selects some of them.

    Attributes:
        top: int64 [N], first row of the crop.
        left: int64 [N], first column of the crop.
        height: int64 [N], rows of the crop.
        width: int64 [N], columns of the crop.
        flip: bool [N], whether the sample is mirrored left to right.
        jitter: bool [N], whether the colors are jittered; if not, the next five have no effect.
            Saturation, hue and grayscale have an effect on three channels only.
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


def draw(
    views: ViewSet,
    n: int,
    size: Size,
    generator: torch.Generator,
    device: torch.device | str | None = None,
) -> ViewParameters:
    """Draw the parameters of n samples, independently of each other.

    The distributions are those of torchvision's `RandomResizedCrop` (ten tries for area and
    ratio, then a central crop), `ColorJitter`, `RandomGrayscale`, `GaussianBlur` and
    `RandomHorizontalFlip`. Every call takes the same number of random numbers for every
    `ViewSet`, so two ablations drawn from one seed differ only in what the ablation changes.

    Args:
        views: The transforms.
        n: Number of samples.
        size: Size of the images to be cropped.
        generator: Source of the randomness; the parameters are drawn on its device.
        device: Device of the result, by default the generator's. Another device needs a copy,
            which a CUDA graph cannot contain.

    Raises:
        InputError: `n` is negative or `size` is not positive.

    >>> len(draw(ALL, 5, 32, torch.Generator().manual_seed(0)))
    5
    """
    sides = _sides(size)
    if n < 0 or min(sides) < 1:
        raise InputError(f"n must be at least 0 and size at least 1, not {n} and {size}")
    counts = [2 * _CROP_TRIES, 2, 4, 4, 4, 1]
    uniform = torch.rand(n, sum(counts), generator=generator, device=generator.device)
    tries, place, order, factors, coins, sigma = torch.split(uniform, counts, dim=1)
    top, left, height, width = _draw_boxes(views, sides, tries, place)
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


def _sides(size: Size) -> tuple[int, int]:
    """Rows and columns."""
    return size if isinstance(size, tuple) else (size, size)


def _stretch(uniform: Tensor, low: float, high: float) -> Tensor:
    """Map numbers uniform in [0, 1) to numbers uniform in [low, high)."""
    return low + (high - low) * uniform


def _draw_boxes(
    views: ViewSet, size: tuple[int, int], tries: Tensor, place: Tensor
) -> tuple[Tensor, ...]:
    """Top, left, height and width of the crops, int64 [N] each.

    Args:
        views: Scale and ratio of the crops.
        size: Rows and columns of the images.
        tries: Uniform numbers [N, 20]: ten areas, ten ratios.
        place: Uniform numbers [N, 2] for the position of the box.
    """
    limits = _constant(size, place.device).long()  # [2]
    if views.crop_scale is None:
        corner = torch.zeros_like(place, dtype=torch.int64)
        return (*corner.unbind(1), *(corner + limits).unbind(1))
    sides, fits = _try_sides(views.crop_scale, views.crop_ratio, size, tries)
    first = fits.int().argmax(1)[:, None, None]  # argmax returns the first maximum
    central = _constant(_central_box(size, views.crop_ratio), place.device).long()
    found = fits.any(1, keepdim=True)
    side = torch.where(found, sides.gather(1, first.expand(-1, -1, 2))[:, 0], central)
    room = limits - side
    # In float32, u · (room + 1) may round up to room + 1.
    corner = torch.where(found, (place * (room + 1)).long().minimum(room), room // 2)
    return (*corner.unbind(1), *side.unbind(1))


def _central_box(size: tuple[int, int], ratio: tuple[float, float]) -> tuple[int, int]:
    """Height and width of the largest box whose width / height is in, or nearest to, the range."""
    height, width = size
    return (
        min(max(round(width / ratio[0]), 1), height),
        min(max(round(height * ratio[1]), 1), width),
    )


def _try_sides(
    scale: tuple[float, float], ratio: tuple[float, float], size: tuple[int, int], tries: Tensor
) -> tuple[Tensor, Tensor]:
    """Height and width of ten boxes, int64 [N, 10, 2], and which fit the image, bool [N, 10].

    A box of area A and ratio r = width / height has height √(A / r) and width √(A · r). The area
    is uniform, and so is the logarithm of the ratio.
    """
    area_draw, ratio_draw = tries.chunk(2, dim=1)
    area = size[0] * size[1] * _stretch(area_draw, *scale)
    aspect = _stretch(ratio_draw, math.log(ratio[0]), math.log(ratio[1])).exp()
    sides = torch.stack((area / aspect, area * aspect), dim=2).sqrt().round().long()
    limits = _constant(size, tries.device)
    return sides, ((sides > 0) & (sides <= limits)).all(2)


def apply(
    images: Tensor,
    params: ViewParameters,
    views: ViewSet,
    *,
    size: Size | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Apply drawn parameters: crop and resize, jitter, grayscale, blur, flip, normalize.

    Each step is that of `torchvision.transforms.v2.functional` on float images in [0, 1]: the
    resize is bilinear and antialiased, the jitter clamps after each operation. The Gaussian
    blur is not truncated: its kernel spans the image, mirrored at the borders (torchvision's
    with a kernel of 2W - 1 by 2H - 1). All is computed in float32, under autocast too; matrix
    products follow `torch.set_float32_matmul_precision`, and TF32 changes a result by about 1e-3.

    Images of other than three channels have no hue, saturation or grayscale: these do nothing.
    Brightness and contrast change all channels, and contrast mixes in the mean of all of them.

    Args:
        images: uint8, or floating in [0, 1], [N, C, H, W]; not modified.
        params: The parameters drawn for these N images, on their device.
        views: The transforms that they were drawn from.
        size: Rows T and columns U of the result, by default those of the images.
        dtype: Of the result.

    Returns:
        [N, C, T, U] of `dtype`, on the images' device.

    Raises:
        InputError: the images have another shape or type, `params` another count, `size` is not
            positive, or the normalization is for another number of channels.
    """
    check_images(images, params)
    N, C, H, W = images.shape
    sides = (H, W) if size is None else _sides(size)
    if min(sides) < 1:
        raise InputError(f"size must be at least 1, not {size}")
    normalization(views, C)  # refuses what does not fit, before the work
    chunk = N if images.device.type != "cpu" else _CPU_CHUNK // (C * sides[0] * sides[1])
    chunk = max(1, chunk)
    result = torch.empty(N, C, *sides, dtype=dtype, device=images.device)
    with torch.autocast(images.device.type, enabled=False):
        for start in range(0, N, chunk):
            part = slice(start, start + chunk)
            result[part] = _apply_chunk(images[part], params[part], views, sides)
    return result


def augment(
    images: Tensor,
    views: ViewSet,
    generator: torch.Generator,
    *,
    size: Size | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """One random view of every image: `draw`, then `apply`.

    Args:
        images: uint8, or floating in [0, 1], [N, C, H, W].
        views: The transforms.
        generator: Source of the randomness, best on the images' device (see `draw`).
        size: Rows T and columns U of the result, by default those of the images.
        dtype: Of the result.

    Returns:
        [N, C, T, U] of `dtype`, on the images' device.

    Raises:
        InputError: see `draw` and `apply`.

    >>> images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    >>> augment(images, ALL, torch.Generator().manual_seed(0)).shape
    torch.Size([2, 3, 32, 32])
    """
    _check_shape(images)
    height, width = images.shape[2:]
    params = draw(views, len(images), (height, width), generator, images.device)
    return apply(images, params, views, size=size, dtype=dtype)


def check_images(images: Tensor, params: ViewParameters) -> None:
    """Check that images are [N, C, H, W] of a known type and that `params` are for N of them.

    Raises:
        InputError: they are not.
    """
    _check_shape(images)
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise InputError(f"images must be uint8 or floating, not {images.dtype}")
    if len(params) != len(images):
        raise InputError(f"{len(images)} images need as many parameters, not {len(params)}")


def _check_shape(images: Tensor) -> None:
    if images.dim() != 4 or min(images.shape[1:]) < 1:
        raise InputError(f"images must be [N, C, H, W], not {list(images.shape)}")


Statistics = tuple[tuple[float, ...], tuple[float, ...]]


def normalization(views: ViewSet, channels: int) -> Statistics | None:
    """Mean and standard deviation of every channel; None where there is no normalization.

    They are those of the view set where it has as many entries as there are channels. ImageNet's
    (the default) stand for any number of channels: for one, the mean over red, green and blue
    weighted by `LUMA` divided by its sum; for other numbers, mean ½ and deviation ¼.

    Raises:
        InputError: the view set has other statistics, for another number of channels.

    >>> normalization(ALL, 2)
    ((0.5, 0.5), (0.25, 0.25))
    """
    if views.mean is None or views.std is None:
        return None
    if len(views.mean) == channels:
        return views.mean, views.std
    if (views.mean, views.std) != (IMAGENET_MEAN, IMAGENET_STD):
        raise InputError(
            f"mean and std have {len(views.mean)} entries, the images {channels} channels: "
            "give as many, or None for both"
        )
    if channels == 1:
        return (_gray_of(IMAGENET_MEAN),), (_gray_of(IMAGENET_STD),)
    return (0.5,) * channels, (0.25,) * channels


def _gray_of(color: Sequence[float]) -> float:
    """Mean over red, green and blue, weighted by `LUMA` (whose sum is 0.9999)."""
    return math.fsum(w * x for w, x in zip(LUMA, color, strict=True)) / math.fsum(LUMA)


def _apply_chunk(
    images: Tensor, params: ViewParameters, views: ViewSet, size: tuple[int, int]
) -> Tensor:
    """`apply` to as many images as fit into the cache: float32 [N, C, T, U]."""
    pixels = images.float() if images.is_floating_point() else images / 255
    channels = pixels.shape[1]
    if channels != 3:
        views, params = _without_color(views, params)
    if views.crop_scale is not None or views.flip_probability > 0 or size != images.shape[2:]:
        pixels = _crop_and_flip(pixels, params, size)
    colors = pixels.flatten(2)
    if views.jitter_probability > 0:
        colors = _jitter(colors, params, views)
    # The blur's weights sum to one and do not depend on the channel, so blur and normalization
    # commute. Normalizing first shares a matrix product with the grayscale.
    colors = _gray_and_normalize(colors, params.grayscale, views)
    pixels = colors.reshape(-1, channels, *size)
    return _blur(pixels, params) if views.blur_probability > 0 else pixels


def _without_color(views: ViewSet, params: ViewParameters) -> tuple[ViewSet, ViewParameters]:
    """The same without saturation, hue and grayscale."""
    return replace(views, hue=0.0, grayscale_probability=0.0), replace(
        params,
        saturation=torch.ones_like(params.saturation),
        grayscale=torch.zeros_like(params.grayscale),
    )


def _constant(values: Sequence[float], device: torch.device) -> Tensor:
    """float32 [len(values)], filled on the device: a CUDA graph cannot copy from the host."""
    return torch.cat([torch.full((1,), float(value), device=device) for value in values])


def _crop_and_flip(pixels: Tensor, params: ViewParameters, size: tuple[int, int]) -> Tensor:
    """Crop, resize and mirror [N, C, H, W] to [N, C, T, U]."""
    H, W = pixels.shape[2:]
    rows = resize_matrix(params.top, params.height, torch.zeros_like(params.flip), H, size[0])
    columns = resize_matrix(params.left, params.width, params.flip, W, size[1])
    return _multiply(rows, pixels, columns)


def resize_matrix(start: Tensor, length: Tensor, mirror: Tensor, canvas: int, size: int) -> Tensor:
    """Weights of the pixels of a line in the pixels of its resized crop, [N, T, S].

    Bilinear interpolation with antialiasing. Pixel t of the result has its center at

        c(t) = (t + ½) · length / T - ½

    of the crop, and pixel s of the crop the weight

        w(t, s) = max(0, 1 - |s - c(t)| / max(1, length / T)),  0 ≤ s < length,

    divided by Σ_s w(t, s). A mirrored line has c(T - 1 - t) in place of c(t).

    Args:
        start: First pixel of the crop, int64 [N].
        length: Pixels of the crop, int64 [N].
        mirror: Whether the result is mirrored, bool [N].
        canvas: Pixels of the line, S.
        size: Pixels of the result, T.
    """
    spacing = length[:, None] / size  # [N, 1], pixels of the crop for each of the result
    ahead = torch.arange(size, device=start.device)
    step = torch.where(mirror[:, None], size - 1 - ahead, ahead)  # [N, T]
    center = (step + 0.5) * spacing - 0.5
    pixel = torch.arange(canvas, device=start.device) - start[:, None]  # [N, S], in the crop
    inside = (pixel >= 0) & (pixel < length[:, None])
    distance = (pixel[:, None] - center[:, :, None]).abs_()
    weight = 1 - distance.div_(spacing.clamp(min=1)[:, :, None])
    weight = weight.clamp_(min=0).mul_(inside[:, None])
    return weight.div_(weight.sum(2, keepdim=True))


def _multiply(rows: Tensor, pixels: Tensor, columns: Tensor) -> Tensor:
    """Multiply [N, T, H] · [N, C, H, W] · [N, U, W]ᵀ, giving [N, C, T, U]."""
    N, C, H, _ = pixels.shape
    resized_across = torch.bmm(pixels.flatten(1, 2), columns.mT)  # [N, C·H, U]
    return torch.matmul(rows[:, None], resized_across.view(N, C, H, -1))


def _jitter(colors: Tensor, params: ViewParameters, views: ViewSet) -> Tensor:
    """Brightness, contrast, saturation and hue in each sample's own order, on [N, C, P].

    Hue may come at any of four places, and is expensive. It is computed once: first come the
    operations before it (the others replaced by the identity), then hue, then those after it.
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
    colors = _shift_hue(colors, params.hue * params.jitter)
    return _blend_in_turn(colors, after[:, 1:])


def blends(params: ViewParameters) -> Tensor:
    """Brightness, contrast and saturation as blends, float32 [N, 4, 3], in order of application.

    With (a, b, c) along the last dimension, a pixel x of gray level g(x), in an image of mean gray
    level ḡ, becomes a · x + b · g(x) + c · ḡ. For a factor f,

        brightness: (f, 0, 0)    contrast: (f, 0, 1 - f)    saturation: (f, 1 - f, 0)

    Hue, which is no blend, and the operations of a sample that is not jittered are (1, 0, 0).
    """
    kept = torch.ones_like(params.hue)
    factors = torch.stack((params.brightness, params.contrast, params.saturation, kept), dim=1)
    own = torch.where(params.jitter[:, None], factors, 1.0).gather(1, params.order)
    gray = (1 - own) * (params.order == _SATURATION)
    mean = (1 - own) * (params.order == _CONTRAST)
    return torch.stack((own, gray, mean), dim=2)


def _blend_in_turn(colors: Tensor, weights: Tensor) -> Tensor:
    """Apply blends [N, K, 3] one after the other to [N, C, P], clamped to [0, 1] after each."""
    own, gray, mean = weights.unbind(2)
    luma = _gray_weights(colors.shape[1], colors.device)
    matrices = _color_matrix(own, gray, luma)
    for matrix, weight in zip(matrices.unbind(1), mean.unbind(1), strict=True):
        level = weight * (colors.mean(2) @ luma)
        colors = torch.baddbmm(level[:, None, None], matrix, colors).clamp_(0, 1)
    return colors


def _gray_weights(channels: int, device: torch.device) -> Tensor:
    """Weights of the channels in a gray level, float32 [C]: `LUMA`, or all the same."""
    return _constant(LUMA if channels == 3 else [1 / channels] * channels, device)


def _color_matrix(own: Tensor, gray: Tensor, luma: Tensor) -> Tensor:
    """The matrix `own` · I + `gray` · 1 lumaᵀ, [..., C, C], of weights [...] and `luma` [C].

    It adds `own` times a color and `gray` times its gray level.
    """
    identity = torch.eye(len(luma), device=own.device)
    return own[..., None, None] * identity + gray[..., None, None] * luma


def _shift_hue(colors: Tensor, shift: Tensor) -> Tensor:
    """Turn the hue of [N, 3, P] by [N] turns of the color wheel; HSV's other two stay.

    With high and low the largest and least of a pixel's channels and chroma = high - low, the hue
    is h = ± (high - r + g + b - 2 low) / (6 chroma) turns, the sign that of g - b. Red lies at 0,
    green at 1/3 and blue at 2/3 turn. At distance d from the shifted hue (the shorter way round),
    a channel becomes

        low + chroma · min(1, max(0, 2 - 6 d)).
    """
    red, green, blue = colors.unbind(1)
    high = torch.maximum(torch.maximum(red, green), blue)
    low = torch.minimum(torch.minimum(red, green), blue)
    chroma = high - low
    # 6 |h|, from 0 to 3. A gray pixel has no hue, and its chroma of 0 cancels any value computed
    # here except NaN, so the division must not give one.
    from_red = (high - red).add_(green).add_(blue).sub_(low, alpha=2) / chroma.clamp(min=1e-12)
    turn = torch.copysign(from_red, green - blue).div_(6).add_(shift[:, None])
    place = torch.arange(3, device=colors.device)[:, None] / 3
    distance = turn[:, None] - place  # [N, 3, P]
    distance = distance.sub_(distance.round()).abs_()  # the shorter way round
    level = distance.mul_(-6).add_(2).clamp_(0, 1)
    return level.mul_(chroma[:, None]).add_(low[:, None])


def _gray_and_normalize(colors: Tensor, grayscale: Tensor, views: ViewSet) -> Tensor:
    """Remove the colors where `grayscale` [N] is set, then normalize: [N, C, P]."""
    if views.mean is None and views.grayscale_probability == 0:
        return colors
    C, device = colors.shape[1], colors.device
    of_mean, of_std = normalization(views, C) or ((0.0,) * C, (1.0,) * C)
    mean, std = _constant(of_mean, device)[:, None], _constant(of_std, device)[:, None]
    gray = grayscale.float()
    matrix = _color_matrix(1 - gray, gray, _gray_weights(C, device))
    return torch.baddbmm(-mean / std, matrix / std, colors)


def _blur(pixels: Tensor, params: ViewParameters) -> Tensor:
    """Blur [N, C, T, U] by a Gaussian of each sample's own width."""
    T, U = pixels.shape[2:]
    sigma = params.blur_sigma * params.blur
    rows = blur_matrix(sigma, T)
    return _multiply(rows, pixels, rows if T == U else blur_matrix(sigma, U))


def blur_matrix(sigma: Tensor, size: int) -> Tensor:
    """Weights of the pixels of a line in the pixels of the blurred line, [N, T, T].

    The kernel is Lindeberg's discrete Gaussian, exp(-t) I_d(t) with t = σ² (T. Lindeberg, 1990,
    "Scale-space for discrete signals"). Its variance is σ² however small σ is, as that of Pillow's
    blur, where samples of a Gaussian hardly blur below σ = 0.4. A line is mirrored at its ends,
    which are their own neighbors in the mirror, as in Pillow, which repeats the last pixel. So the
    line has a period of 2T, and the kernel, summed over the periods, is

        k(d) = 1/2T Σ_f exp(-t (1 - cos(π f / T))) cos(π f d / T),    f = 0 … 2T - 1.

    Pixel j has in pixel i the weight k(i - j) + k(i + j + 1). The matrix is symmetric, and its rows
    sum to 1.

    Args:
        sigma: Standard deviation σ in pixels, [N]; at 0 the line stays as it is.
        size: Pixels of the line, T.
    """
    # In float64, because a weight is what is left of terms that nearly cancel.
    place = torch.arange(2 * size, device=sigma.device, dtype=torch.float64)
    cosine = (place[:, None] * place * (math.pi / size)).cos()
    damping = torch.exp(sigma.double().square()[:, None] * (cosine[1] - 1))
    # Weights below 1e-9 become 0: denormal numbers would slow a CPU's products tenfold.
    kernel = threshold((damping @ cosine / (2 * size)).float(), 1e-9, 0.0)  # [N, 2T]
    both_sides = torch.cat((kernel[:, 1:size].flip(1), kernel[:, :size]), dim=1)
    direct = both_sides.unfold(1, size, 1).flip(1)  # k(|row - column|)
    mirrored = kernel[:, 1:].unfold(1, size, 1)  # k(row + column + 1)
    return direct + mirrored
