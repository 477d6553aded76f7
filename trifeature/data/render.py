"""The renderer: attributes and a seed to pixels, in batches, on any device.

Rendering has two steps, both pure functions. `draw_poses` derives the position, rotation and phase
of an image's shape and texture from (seed, shape, texture, color, copy number) by hashing. It uses
no generator, so an image does not depend on its batch, its order or the number of workers.
`rasterize` evaluates the analytic shape and texture at every pixel.

N images, S pixels along the canvas, k = `oversample` samples along a pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trifeature.checks import require_memory
from trifeature.data.attributes import COLOR_RGB, VALUES
from trifeature.data.settings import RenderSettings as RenderSettings  # noqa: PLC0414 - re-exported
from trifeature.data.shapes import SIGNED_DISTANCES
from trifeature.data.textures import PATTERNS, Grain
from trifeature.errors import InputError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

CHUNK: Final = {"cpu": 16, "cuda": 256}
"""Images rasterized at once: few enough for a CPU core's cache, many enough to occupy a GPU."""


@dataclass(frozen=True)
class Poses:
    """Position, rotation and texture phase of N images.

    Attributes:
        center: float64 [N, 2], the box's center (x, y), in pixels.
        angle: float64 [N], the shape's rotation in radians, clockwise on the screen.
        texture_angle: float64 [N], the texture's rotation.
        phase: float64 [N, 2], the texture's offset in periods, in [0, 1).
        key: int64 [N], 32 random bits: the seed of the random textures.
    """

    center: FloatArray
    angle: FloatArray
    texture_angle: FloatArray
    phase: FloatArray
    key: IntArray

    def select(self, indices: slice | IntArray) -> Poses:
        """The poses of the images at `indices`."""
        return Poses(**{field.name: getattr(self, field.name)[indices] for field in fields(self)})


def _mix64(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finalizer of SplitMix64 (Steele, Lea & Flood 2014), a bijection that mixes the bits."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _stream_keys(attributes: IntArray, copies: IntArray, seed: int) -> npt.NDArray[np.uint64]:
    """A hash [N] of (seed, shape, texture, color, copy number) of each image."""
    keys = np.full(len(copies), seed % 2**64, dtype=np.uint64)
    for column in (*attributes.T, copies):
        keys = _mix64(keys + np.uint64(0x9E3779B97F4A7C15)) + column.astype(np.uint64)
    return _mix64(keys)


def _uniforms(keys: npt.NDArray[np.uint64], count: int) -> FloatArray:
    """`count` numbers uniform in [0, 1) for each key, the outputs 1 … `count` of SplitMix64."""
    counters = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    bits = _mix64(keys[None, :] + counters[:, None])
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _cosine_sine(angle: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cosine and sine of angles within ±π/4, by their Taylor series in Horner's form.

        cos a = 1 − a²/(1·2) · (1 − a²/(3·4) · (…))
        sin a = a · (1 − a²/(2·3) · (1 − a²/(4·5) · (…)))

    A vectorized library function may round an element differently depending on its position in the
    array, and an image would then depend on its batch. These sums do not.
    """
    square = angle * angle
    cosine, sine = np.ones_like(angle), np.ones_like(angle)
    for k in range(9, 0, -1):
        cosine = 1 - cosine * square / ((2 * k - 1) * (2 * k))
        sine = 1 - sine * square / ((2 * k) * (2 * k + 1))
    return cosine, sine * angle


def draw_poses(
    attributes: IntArray, copies: IntArray, *, seed: int, settings: RenderSettings
) -> Poses:
    """Derive the pose of each image from its attributes, copy number and seed.

    The rotation is uniform in ±`max_angle`. The center is uniform among the positions that keep the
    rotated box inside the canvas. The texture's rotation and phase are uniform and independent.

    Args:
        attributes: int [N, 3], indices of shape, texture and color.
        copies: int [N], copy number of each image.
        seed: Any integer.
        settings: Of these, canvas, box and largest angle are used.
    """
    keys = _stream_keys(attributes, copies, seed)
    turn, x, y, texture_turn, phase_u, phase_v, bits = _uniforms(keys, 7)
    angle = np.radians(settings.max_angle) * (2 * turn - 1)
    cosine, sine = _cosine_sine(angle)
    # Half the side of the rotated box's bounding square: (b / 2) · (cos a + |sin a|).
    reach = settings.box / 2 * (cosine + np.abs(sine))
    room = settings.canvas - 2 * reach
    return Poses(
        center=np.stack([reach + x * room, reach + y * room], axis=1),
        angle=angle,
        texture_angle=np.radians(settings.max_angle) * (2 * texture_turn - 1),
        phase=np.stack([phase_u, phase_v], axis=1),
        key=(bits * 2**32).astype(np.int64),
    )


def render(
    attributes: npt.ArrayLike,
    copies: npt.ArrayLike,
    *,
    seed: int,
    settings: RenderSettings | None = None,
    device: torch.device | str = "cpu",
    progress: Callable[[int], None] | None = None,
) -> Tensor:
    """Render one image for each row of attributes.

    An image depends only on (seed, shape, texture, color, copy number, settings): its bytes are the
    same in any batch. Across devices a few pixels differ by at most 1/255.

    Args:
        attributes: int [N, 3], indices of shape, texture and color.
        copies: int [N], copy number of each image, or one number for all.
        seed: Any integer.
        settings: Canvas and lengths; None for the paper's.
        device: Device that renders and holds the images.
        progress: Called after each chunk with the number of images rendered so far.

    Returns:
        uint8 [N, 3, S, S] on `device`.

    Raises:
        InputError: an index is out of range, the shapes of the arrays do not fit, or the images do
            not fit into memory.

    >>> render([[0, 0, 0], [3, 4, 5]], 0, seed=1).shape
    torch.Size([2, 3, 224, 224])
    """
    settings = settings or RenderSettings()
    table = _check_attributes(attributes)
    numbers = _check_copies(copies, len(table))
    require_image_memory(len(table), settings)
    poses = draw_poses(table, numbers, seed=seed, settings=settings)
    target = torch.device(device)
    images = torch.empty(
        len(table), 3, settings.canvas, settings.canvas, dtype=torch.uint8, device=target
    )
    for part in _chunks(len(table), CHUNK[target.type]):
        images[part] = rasterize(table[part], poses.select(part), settings, target)
        if progress is not None:
            progress(part.stop)
    return images


def require_image_memory(count: int, settings: RenderSettings) -> None:
    """Raise InputError if images do not fit into memory.

    Needed are 3 S² bytes an image, and six float32 planes [S·k, S·k] for each image of a chunk.

    Raises:
        InputError: see `trifeature.checks.require_memory`.
    """
    canvas, each = settings.canvas, 3 * settings.canvas**2
    chunk = min(count, CHUNK["cpu"]) * (canvas * settings.oversample) ** 2
    what = f"rendering {count:,} images of {canvas} px"
    require_memory(what, count * each + 6 * 4 * chunk, "a smaller canvas", count=count, each=each)


def _check_attributes(attributes: npt.ArrayLike) -> IntArray:
    table = np.asarray(attributes, dtype=np.int64)
    if table.ndim != 2 or table.shape[1] != 3:
        raise InputError(
            f"attributes must be [N, 3] (shape, texture, color), not {list(table.shape)}"
        )
    for column, (name, values) in zip(table.T, VALUES.items(), strict=True):
        if len(column) and not (column.min() >= 0 and column.max() < len(values)):
            raise InputError(f"{name} indices must be from 0 to {len(values) - 1}")
    return table


def _check_copies(copies: npt.ArrayLike, count: int) -> IntArray:
    numbers = np.asarray(copies, dtype=np.int64)
    if numbers.ndim and numbers.shape != (count,):
        raise InputError(
            f"copies must be one number or one for each of {count} images, "
            f"not {list(numbers.shape)}"
        )
    return np.broadcast_to(numbers, count)


def _chunks(count: int, size: int) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def rasterize(
    attributes: IntArray, poses: Poses, settings: RenderSettings, device: torch.device
) -> Tensor:
    """Evaluate shape, texture and color at every pixel of N images.

    Returns:
        uint8 [N, 3, S, S] on `device`.
    """
    opacity = _shape_coverage(attributes[:, 0], poses, settings, device)
    opacity *= _texture_mask(attributes[:, 1], poses, settings, device)
    return _colorize(_average(opacity, settings.oversample), attributes[:, 2], settings.background)


def _rotated(
    poses: Poses, angle: FloatArray, settings: RenderSettings, scale: float, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Coordinates [N, S·k, S·k] of every sample in a frame rotated by `angle` about the center.

        x' = (cos a · dx + sin a · dy) / scale,  y' = (−sin a · dx + cos a · dy) / scale

    dx depends on the column only and dy on the row only, so each coordinate costs one addition a
    sample.
    """
    count = settings.canvas * settings.oversample
    samples = (np.arange(count) + 0.5) / settings.oversample
    cosine, sine = (part[:, None] / scale for part in _cosine_sine(angle))
    dx, dy = (samples[None, :] - center[:, None] for center in poses.center.T)

    def outer_sum(by_column: FloatArray, by_row: FloatArray) -> Tensor:
        column = torch.as_tensor(by_column, dtype=torch.float32, device=device)
        row = torch.as_tensor(by_row, dtype=torch.float32, device=device)
        return column[:, None, :] + row[:, :, None]

    return outer_sum(cosine * dx, sine * dy), outer_sum(-sine * dx, cosine * dy)


def _groups(values: IntArray) -> Iterator[tuple[int, IntArray]]:
    """Yield each value that occurs, and the indices at which it does."""
    for value in np.unique(values):
        yield int(value), np.flatnonzero(values == value)


def _blank(count: int, settings: RenderSettings, device: torch.device) -> Tensor:
    side = settings.canvas * settings.oversample
    return torch.empty(count, side, side, dtype=torch.float32, device=device)


def _shape_coverage(
    shapes: IntArray, poses: Poses, settings: RenderSettings, device: torch.device
) -> Tensor:
    """Fraction of each sample that the shape covers: float [N, S·k, S·k], 0 to 1."""
    coverage = _blank(len(shapes), settings, device)
    pixels = settings.box * settings.oversample
    for shape, indices in _groups(shapes):
        some = poses.select(indices)
        x, y = _rotated(some, some.angle, settings, settings.box, device)
        distance = SIGNED_DISTANCES[shape](x, y)
        # Coverage falls linearly from 1 to 0 over the one sample that an edge crosses:
        # clamp(½ − distance in samples, 0, 1).
        inside = distance.mul_(-pixels).add_(0.5).clamp_(0, 1)
        coverage[torch.as_tensor(indices, device=device)] = inside
    return coverage


def _texture_mask(
    textures: IntArray, poses: Poses, settings: RenderSettings, device: torch.device
) -> Tensor:
    """1 where the texture is on, else 0: float [N, S·k, S·k]."""
    mask = _blank(len(textures), settings, device)
    for texture, indices in _groups(textures):
        some = poses.select(indices)
        u, v = _rotated(some, some.texture_angle, settings, settings.period, device)
        shift = torch.as_tensor(some.phase, dtype=torch.float32, device=device)
        u += shift[:, 0, None, None]
        v += shift[:, 1, None, None]
        keys = torch.as_tensor(some.key - 2**31, dtype=torch.int32, device=device)[:, None]
        grain = Grain(
            keys=keys,
            cells_per_period=settings.period / settings.grain,
            line=settings.line / settings.period,
            radius=settings.box / settings.period / math.sqrt(2) + 1,
        )
        mask[torch.as_tensor(indices, device=device)] = PATTERNS[texture](u, v, grain).float()
    return mask


def _average(opacity: Tensor, oversample: int) -> Tensor:
    """Mean over the k × k samples of each pixel, added in a fixed order: to [N, S, S]."""
    if oversample == 1:
        return opacity
    steps = range(oversample)
    corners = [opacity[:, i::oversample, j::oversample] for i in steps for j in steps]
    total = corners[0].clone()
    for corner in corners[1:]:
        total += corner
    return total / oversample**2


def _colorize(opacity: Tensor, colors: IntArray, background: float) -> Tensor:
    """Blend each image's color over the background: uint8 [N, 3, S, S].

    Pixel value: round(255 · (background + opacity · (color − background))).
    """
    rgb = torch.tensor(COLOR_RGB, dtype=torch.float32)[torch.as_tensor(colors)]
    contrast = ((rgb - background) * 255).to(opacity.device)
    pixels = opacity[:, None] * contrast[:, :, None, None]
    return pixels.add_(background * 255 + 0.5).to(torch.uint8)
