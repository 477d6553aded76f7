"""Attributes and randomness in, pixels out: batched, on any device.

Two steps, each a function of its arguments alone. `draw_poses` derives where and how an image's
shape and texture lie from (seed, shape, texture, color, copy number): no generator is consumed,
so an image does not depend on its batch, on the order or on the number of workers.
`rasterize` evaluates the analytic shape and texture at every pixel.

N images, S pixels along the canvas.
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
from trifeature.data.settings import RenderSettings as RenderSettings  # noqa: PLC0414 - also found here
from trifeature.data.shapes import SIGNED_DISTANCES
from trifeature.data.textures import PATTERNS, Grain
from trifeature.errors import InputError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

CHUNK: Final = {"cpu": 16, "cuda": 256}
"""Images rasterized at once: on a CPU what a core's cache holds, on a GPU what fills it."""


@dataclass(frozen=True)
class Poses:
    """Where and how the shapes and textures of N images lie.

    Attributes:
        center: float64 [N, 2], the box's center (x, y), in pixels.
        angle: float64 [N], the shape's rotation in radians, clockwise on the screen.
        texture_angle: float64 [N], the texture's rotation.
        phase: float64 [N, 2], the texture's offset in periods, in [0, 1).
        key: int64 [N], 32 random bits for the textures that are random themselves.
    """

    center: FloatArray
    angle: FloatArray
    texture_angle: FloatArray
    phase: FloatArray
    key: IntArray

    def take(self, rows: slice | IntArray) -> Poses:
        """The poses of some of the images."""
        return Poses(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def _mix64(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finalizer of SplitMix64 (Steele, Lea & Flood 2014): a bijection that scatters bits."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _streams(attributes: IntArray, copies: IntArray, seed: int) -> npt.NDArray[np.uint64]:
    """One key [N] for each (seed, shape, texture, color, copy number)."""
    keys = np.full(len(copies), seed % 2**64, dtype=np.uint64)
    for column in (*attributes.T, copies):
        keys = _mix64(keys + np.uint64(0x9E3779B97F4A7C15)) + column.astype(np.uint64)
    return _mix64(keys)


def _uniforms(keys: npt.NDArray[np.uint64], count: int) -> FloatArray:
    """`count` numbers uniform in [0, 1) for each key: [count, N]."""
    counters = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    bits = _mix64(keys[None, :] + counters[:, None])
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _cosine_sine(angle: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cosine and sine of angles within ±π/4, by their series.

    A vectorized library function may round an element differently by its place in the array,
    and then an image would depend on its batch; these sums do not.
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

    The rotation is uniform in ±`max_angle`; the center is uniform among the places that keep the
    rotated box inside the canvas; the texture's rotation and phase are uniform and independent.

    Args:
        attributes: int [N, 3], indices of shape, texture and color.
        copies: int [N], which render of that combination each one is.
        seed: Any integer.
        settings: Canvas, box and largest angle are used.
    """
    keys = _streams(attributes, copies, seed)
    turn, x, y, texture_turn, phase_u, phase_v, bits = _uniforms(keys, 7)
    angle = np.radians(settings.max_angle) * (2 * turn - 1)
    cosine, sine = _cosine_sine(angle)
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

    An image depends on (seed, shape, texture, color, copy number, settings) and on nothing else:
    the bytes are the same in any batch, and at most 1/255 apart in a few pixels across devices.

    Args:
        attributes: int [N, 3], indices of shape, texture and color.
        copies: int [N] or a single number, which render of that combination each one is.
        seed: Any integer.
        settings: The canvas and its lengths; the paper's when not given.
        device: Where to render and leave the images.
        progress: Called with the number of images done after each chunk.

    Returns:
        uint8 [N, 3, S, S] on `device`.

    Raises:
        InputError: an index is outside the vocabulary or the shapes of the arrays do not fit.

    >>> render([[0, 0, 0], [3, 4, 5]], 0, seed=1).shape
    torch.Size([2, 3, 224, 224])
    """
    settings = settings or RenderSettings()
    table = _check_attributes(attributes)
    numbers = _check_copies(copies, len(table))
    require_room(len(table), settings)
    poses = draw_poses(table, numbers, seed=seed, settings=settings)
    target = torch.device(device)
    images = torch.empty(
        len(table), 3, settings.canvas, settings.canvas, dtype=torch.uint8, device=target
    )
    for part in _chunks(len(table), CHUNK[target.type]):
        images[part] = rasterize(table[part], poses.take(part), settings, target)
        if progress is not None:
            progress(part.stop)
    return images


def require_room(count: int, settings: RenderSettings) -> None:
    """Refuse images that do not fit into memory.

    Counted are the images themselves and, for a chunk of them, six planes of samples.

    Raises:
        InputError: see `trifeature.checks.require_memory`.
    """
    canvas = settings.canvas
    chunk = min(count, CHUNK["cpu"]) * (canvas * settings.oversample) ** 2
    needed = 3 * count * canvas**2 + 6 * 4 * chunk
    what = f"rendering {count:,} images of {canvas} px"
    require_memory(what, needed, "fewer images, or a smaller canvas")


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
    """Coordinates [N, S, S] of every sample in a frame turned by `angle` about the box's center.

    A rotation of a lattice is the sum of a term per column and a term per row, so each coordinate
    costs one addition a sample.
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
    """Each value that occurs, with the places where it does."""
    for value in np.unique(values):
        yield int(value), np.flatnonzero(values == value)


def _blank(count: int, settings: RenderSettings, device: torch.device) -> Tensor:
    side = settings.canvas * settings.oversample
    return torch.empty(count, side, side, dtype=torch.float32, device=device)


def _shape_coverage(
    shapes: IntArray, poses: Poses, settings: RenderSettings, device: torch.device
) -> Tensor:
    """How much of each sample the shape covers: float [N, S, S], 0 to 1."""
    coverage = _blank(len(shapes), settings, device)
    pixels = settings.box * settings.oversample
    for shape, rows in _groups(shapes):
        some = poses.take(rows)
        x, y = _rotated(some, some.angle, settings, settings.box, device)
        distance = SIGNED_DISTANCES[shape](x, y)
        # Coverage of a pixel that an edge crosses falls from 1 to 0 over one pixel.
        inside = distance.mul_(-pixels).add_(0.5).clamp_(0, 1)
        coverage[torch.as_tensor(rows, device=device)] = inside
    return coverage


def _texture_mask(
    textures: IntArray, poses: Poses, settings: RenderSettings, device: torch.device
) -> Tensor:
    """Where the texture is on: float [N, S, S], 0 or 1."""
    mask = _blank(len(textures), settings, device)
    for texture, rows in _groups(textures):
        some = poses.take(rows)
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
        mask[torch.as_tensor(rows, device=device)] = PATTERNS[texture](u, v, grain).float()
    return mask


def _average(opacity: Tensor, oversample: int) -> Tensor:
    """Mean over the samples of each pixel, added in a fixed order: [N, S·k, S·k] to [N, S, S]."""
    if oversample == 1:
        return opacity
    steps = range(oversample)
    corners = [opacity[:, i::oversample, j::oversample] for i in steps for j in steps]
    total = corners[0].clone()
    for corner in corners[1:]:
        total += corner
    return total / oversample**2


def _colorize(opacity: Tensor, colors: IntArray, background: float) -> Tensor:
    """Blend each image's color over the background: uint8 [N, 3, S, S]."""
    rgb = torch.tensor(COLOR_RGB, dtype=torch.float32)[torch.as_tensor(colors)]
    contrast = ((rgb - background) * 255).to(opacity.device)
    pixels = opacity[:, None] * contrast[:, :, None, None]
    return pixels.add_(background * 255 + 0.5).to(torch.uint8)
