"""The renderer: attributes and a seed to pixels, in batches, on any device.

Rendering has two steps, both pure functions. `draw_poses` derives the position, rotation and phase
of an image's shape and texture from (seed, shape, texture, color, copy number) by hashing. It uses
no generator, so an image does not depend on its batch, its order or the number of workers. Then the
analytic shape and texture are evaluated at every pixel of a tile that holds the rotated shape, and
pasted onto the background.

N images of which n are drawn at once, S pixels along the canvas, T along the tile, k = `oversample`
samples along a pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trifeature.checks import require_memory
from trifeature.data.attributes import ATTRIBUTES, COLOR_RGB, VALUES
from trifeature.data.hashing import Keys, stream_keys, uniforms, word_keys
from trifeature.data.old_drawings import OLD_PATTERNS, OLD_SIGNED_DISTANCES
from trifeature.data.settings import NUISANCE_LEVELS, SHOWN
from trifeature.data.settings import RenderSettings as RenderSettings  # noqa: PLC0414 - re-exported
from trifeature.data.shapes import SIGNED_DISTANCES, SignedDistance
from trifeature.data.textures import PATTERNS, Grain, Texture
from trifeature.errors import InputError, check_name, nearest

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

Names = Mapping[str, Sequence[str]]
"""For each attribute the names of its values; an index refers to them."""

CHUNK: Final = {"cpu": 8, "cuda": 256}
"""Images drawn at once: few enough for a CPU core's cache, many enough to occupy a GPU."""

MARGIN: Final = 3
"""Pixels beyond the box that a tile holds: anti-aliasing lengthens the star's tips by 2.5."""

REPEAT: Final = {"published": 2, "old": 1}
"""Number of periods down the columns over which the phase of a texture is uniform."""

ROUNDING: Final = {"published": 2.0**-10, "old": 0.5}
"""Added before a pixel is rounded down; the small one keeps 102 from being 101.99999."""

GRAY_LEVELS: Final = (0.2, 0.4, 0.6, 0.8)
"""The backgrounds where the background is a nuisance."""

INK: Final = 1.0
"""Brightness of a drawing without color. It differs from each of `GRAY_LEVELS`."""

LINE_SHARE: Final = 1 / 224
"""Width of the lines of the look `edges`, as a share of the canvas."""


@dataclass(frozen=True)
class Poses:
    """Position, rotation, texture phase and background of N images.

    Attributes:
        center: float64 [N, 2], the box's center (x, y), in pixels.
        angle: float64 [N], the shape's rotation in radians, clockwise on the screen.
        texture_angle: float64 [N], the texture's rotation.
        phase: float64 [N, 2], the texture's offset in periods, in [0, 1).
        key: int64 [N], 32 random bits: the seed of the random textures.
        background: float64 [N], the gray level behind the shape.
    """

    center: FloatArray
    angle: FloatArray
    texture_angle: FloatArray
    phase: FloatArray
    key: IntArray
    background: FloatArray

    def select(self, indices: slice | IntArray) -> Poses:
        """The poses of the images at `indices`."""
        return Poses(**{field.name: getattr(self, field.name)[indices] for field in fields(self)})


def _stream_numbers(attribute: str, names: Sequence[str]) -> Keys:
    """The number that stands for each value in the hash of an image.

    The package's own values count from 0, others have a hash of their name. So an image does not
    depend on which other values a data set has.
    """
    numbers = word_keys(names)
    for place, name in enumerate(names):
        if name in VALUES[attribute]:
            numbers[place] = VALUES[attribute].index(name)
    return numbers


def _image_keys(attributes: IntArray, copies: IntArray, seed: int, names: Names) -> Keys:
    """A hash [N] of (seed, shape, texture, color, copy number) of each image."""
    columns = [
        _stream_numbers(name, names[name])[column]
        for name, column in zip(ATTRIBUTES, attributes.T, strict=True)
    ]
    return stream_keys(np.stack([*columns, copies.astype(np.uint64)]), seed)


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
    attributes: IntArray,
    copies: IntArray,
    *,
    seed: int,
    settings: RenderSettings,
    values: Names | None = None,
) -> Poses:
    """Derive the pose of each image from its attributes, copy number and seed.

    The rotation is uniform in ±`max_angle`. The center is uniform among the positions that keep the
    rotated box inside the canvas. The texture's rotation and phase are uniform and independent.

    Args:
        attributes: int [N, 3], indices of shape, texture and color.
        copies: int [N], copy number of each image.
        seed: Any integer.
        settings: Of these, canvas, box, largest angle, background and nuisance are used.
        values: The names that the indices refer to; None for the package's.
    """
    keys = _image_keys(attributes, copies, seed, values or VALUES)
    turn, x, y, texture_turn, phase_u, phase_v, bits, level = uniforms(keys, 8)
    angle = np.radians(settings.max_angle) * (2 * turn - 1)
    cosine, sine = _cosine_sine(angle)
    # Half the side of the rotated box's bounding square: (b / 2) · (cos a + |sin a|).
    reach = settings.box / 2 * (cosine + np.abs(sine))
    room = settings.canvas - 2 * reach
    background = np.full(len(keys), settings.background)
    if settings.nuisance == "background":
        background = np.array(GRAY_LEVELS)[(level * NUISANCE_LEVELS).astype(np.int64)]
    return Poses(
        center=np.stack([reach + x * room, reach + y * room], axis=1),
        angle=angle,
        texture_angle=np.radians(settings.max_angle) * (2 * texture_turn - 1),
        phase=np.stack([phase_u, phase_v], axis=1),
        key=(bits * 2**32).astype(np.int64),
        background=background,
    )


def nuisance_levels(
    attributes: npt.ArrayLike,
    copies: npt.ArrayLike,
    *,
    seed: int,
    settings: RenderSettings,
    values: Names | None = None,
) -> IntArray:
    """The level of the nuisance `settings.nuisance` in each image.

    A level of the rotation is the quarter of the range of angles; of the position, twice "in the
    lower half" plus "in the right half" of the places that the box can take; of the background, the
    position of its gray level in `GRAY_LEVELS`. Rotation and position are read from the images as
    they are, so their pixels are those without a nuisance.

    Args:
        attributes: int [N, 3], indices of shape, texture and color.
        copies: int [N], copy number of each image, or one number for all.
        seed: Any integer, as in `render`.
        settings: Of these, the nuisance is used.
        values: The names that the indices refer to; None for the package's.

    Returns:
        int [N], from 0 to 3; 0 where there is no nuisance.

    Raises:
        InputError: an index is out of range, or the shapes of the arrays do not fit.
    """
    table = _check_attributes(attributes, values or VALUES)
    keys = _image_keys(table, _check_copies(copies, len(table)), seed, values or VALUES)
    turn, x, y, *_, level = uniforms(keys, 8)
    levels: dict[str, FloatArray] = {
        "none": np.zeros(len(keys)),
        "rotation": turn * NUISANCE_LEVELS,
        "position": 2 * np.floor(2 * y) + np.floor(2 * x),
        "background": level * NUISANCE_LEVELS,
    }
    return np.asarray(levels[settings.nuisance], dtype=np.int64)


def render(
    attributes: npt.ArrayLike,
    copies: npt.ArrayLike,
    *,
    seed: int,
    settings: RenderSettings | None = None,
    device: torch.device | str = "cpu",
    progress: Callable[[int], None] | None = None,
    values: Names | None = None,
    look: str = "color",
) -> Tensor:
    """Render one image for each row of attributes.

    An image depends only on (seed, shape, texture, color, copy number, settings): its bytes are the
    same in any batch. Across devices a few pixels differ by at most 1/255.

    The looks show the same geometry in the same pose. In all but `color` a drawing is white, so its
    pixels do not depend on the color but for the pose. `edges` draws the outline of shape and
    texture, `silhouette` fills the shape.

    Args:
        attributes: int [N, 3], indices of shape, texture and color.
        copies: int [N], copy number of each image, or one number for all.
        seed: Any integer.
        settings: Canvas and lengths; None for the paper's.
        device: Device that renders and holds the images.
        progress: Called after each chunk with the number of images rendered so far.
        values: For each attribute the names that its indices refer to; None for the package's.
        look: color, gray, edges or silhouette.

    Returns:
        uint8 [N, 3, S, S] on `device`.

    Raises:
        InputError: an index is out of range, a value has no drawing, there is no such look, the
            shapes of the arrays do not fit, or the images do not fit into memory.

    >>> render([[0, 0, 0], [3, 4, 5]], 0, seed=1).shape
    torch.Size([2, 3, 224, 224])
    """
    settings = settings or RenderSettings()
    names = values or VALUES
    table = _check_attributes(attributes, names)
    numbers = _check_copies(copies, len(table))
    check_name("look", look, SHOWN)
    _check_drawn(table, names)
    require_image_memory(len(table), settings)
    poses = draw_poses(table, numbers, seed=seed, settings=settings, values=names)
    target = torch.device(device)
    images = torch.empty(
        len(table), 3, settings.canvas, settings.canvas, dtype=torch.uint8, device=target
    )
    done = 0
    for some in _batches(table, CHUNK[target.type]):
        kind = [names[name][index] for name, index in zip(ATTRIBUTES, table[some[0]], strict=True)]
        drawing = _drawing(kind[0], kind[1], settings)
        rgb = _rgb(table[some, 2], names["color"], look)
        _draw(images, some, drawing, rgb, poses.select(some), settings=settings, look=look)
        done += len(some)
        if progress is not None:
            progress(done)
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


def _check_attributes(attributes: npt.ArrayLike, names: Names) -> IntArray:
    table = np.asarray(attributes, dtype=np.int64)
    if table.ndim != 2 or table.shape[1] != 3:
        raise InputError(
            f"attributes must be [N, 3] (shape, texture, color), not {list(table.shape)}"
        )
    for name, column in zip(ATTRIBUTES, table.T, strict=True):
        count = len(names[name])
        if len(column) and not (column.min() >= 0 and column.max() < count):
            raise InputError(f"{name} indices must be from 0 to {count - 1}")
    return table


def _check_copies(copies: npt.ArrayLike, count: int) -> IntArray:
    numbers = np.asarray(copies, dtype=np.int64)
    if numbers.ndim and numbers.shape != (count,):
        raise InputError(
            f"copies must be one number or one for each of {count} images, "
            f"not {list(numbers.shape)}"
        )
    return np.broadcast_to(numbers, count)


def _check_drawn(table: IntArray, names: Names) -> None:
    """Raise InputError unless each value that occurs has a drawing."""
    drawn: dict[str, Mapping[str, Any]] = {
        "shape": SIGNED_DISTANCES,
        "texture": PATTERNS,
        "color": COLOR_RGB,
    }
    for attribute, column in zip(ATTRIBUTES, table.T, strict=True):
        for index in np.unique(column):
            name = names[attribute][index]
            if name not in drawn[attribute]:
                raise InputError(
                    f"{attribute} {name!r} has no drawing here{nearest(name, drawn[attribute])} "
                    "(a plugin registers others, as in --plugin FILE)"
                )


def _batches(table: IntArray, size: int) -> Iterator[IntArray]:
    """Indices of at most `size` images of the same shape and texture, until all are done."""
    order = np.lexsort((table[:, 1], table[:, 0]))
    kinds = table[order, :2]
    for group in np.split(order, np.flatnonzero((kinds[1:] != kinds[:-1]).any(axis=1)) + 1):
        for start in range(0, len(group), size):
            yield group[start : start + size]


def _drawing(shape: str, texture: str, settings: RenderSettings) -> tuple[SignedDistance, Texture]:
    """The functions that draw a shape and a texture."""
    if settings.drawings == "old":
        distance = OLD_SIGNED_DISTANCES.get(shape) or SIGNED_DISTANCES[shape]
        return distance, OLD_PATTERNS.get(texture) or PATTERNS[texture]
    return SIGNED_DISTANCES[shape], PATTERNS[texture]


def _rgb(colors: IntArray, names: Sequence[str], look: str) -> Tensor:
    """The brightness of each channel: float [n, 3], or [n, 1] where all three are alike."""
    if look != "color":
        return torch.full((len(colors), 1), INK, dtype=torch.float32)
    return torch.tensor([COLOR_RGB[names[color]] for color in colors], dtype=torch.float32)


# --------------------------------------------------------------------------- pixels


def _draw(
    images: Tensor,
    indices: IntArray,
    drawing: tuple[SignedDistance, Texture],
    rgb: Tensor,
    poses: Poses,
    *,
    settings: RenderSettings,
    look: str,
) -> None:
    """Draw n images of the same shape and texture into `images` [N, 3, S, S], at `indices`."""
    side = _tile_side(settings)
    corners = np.floor(poses.center - side / 2 + 0.5).astype(np.int64)
    corners = np.clip(corners, 0, settings.canvas - side)
    k = settings.oversample
    samples = (corners[:, :, None] * k + np.arange(side * k) + 0.5) / k
    offsets = samples - poses.center[:, :, None]
    opacity = _opacity(drawing, poses, offsets, settings, look=look, device=images.device)
    tiles, grays = _colorize(opacity, rgb, poses.background, ROUNDING[settings.drawings])
    places = zip(indices.tolist(), tiles, grays, corners.tolist(), strict=True)
    for index, tile, gray, (left, top) in places:
        images[index].fill_(gray)
        images[index, :, top : top + side, left : left + side] = tile


def _tile_side(settings: RenderSettings) -> int:
    """Side in pixels of a square that holds the box at any angle, wherever its center lies."""
    turn = math.radians(settings.max_angle)
    reach = settings.box / 2 * (math.cos(turn) + math.sin(turn))
    return min(settings.canvas, math.ceil(2 * (reach + MARGIN)) + 1)


def _opacity(
    drawing: tuple[SignedDistance, Texture],
    poses: Poses,
    offsets: FloatArray,
    settings: RenderSettings,
    *,
    look: str,
    device: torch.device,
) -> Tensor:
    """How much of each pixel of a tile is drawn over: float [n, T, T], 0 to 1.

    `offsets` [n, 2, T·k] are the samples along the columns and the rows, from the box's center, in
    pixels.
    """
    distance, pattern = drawing
    k = settings.oversample
    x, y = _rotated(offsets, poses.angle, settings.box, device)
    # Coverage falls linearly from 1 to 0 over the one sample that an edge crosses:
    # clamp(½ − distance in samples, 0, 1).
    opacity = distance(x, y).mul_(-settings.box * k).add_(0.5).clamp_(0, 1)
    if look != "silhouette":
        u, v = _rotated(offsets, poses.texture_angle, settings.period, device)
        repeat = REPEAT[settings.drawings]
        shift = torch.as_tensor(poses.phase * (1, repeat), dtype=torch.float32, device=device)
        u += shift[:, 0, None, None]
        v += shift[:, 1, None, None]
        # Torch multiplies by bytes several times faster than by Booleans.
        opacity *= pattern(u, v, _grain(poses, settings, device)).view(torch.uint8)
    if look == "edges":
        opacity = _outline(opacity, max(1, round(settings.canvas * k * LINE_SHARE)))
    return _average(opacity, k)


def _rotated(
    offsets: FloatArray, angle: FloatArray, scale: float, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Coordinates [n, T·k, T·k] of every sample in a frame rotated by `angle` about the center.

        x' = (cos a · dx + sin a · dy) / scale,  y' = (−sin a · dx + cos a · dy) / scale

    dx depends on the column only and dy on the row only, so each coordinate costs one addition a
    sample.
    """
    cosine, sine = (part[:, None] / scale for part in _cosine_sine(angle))
    dx, dy = offsets[:, 0], offsets[:, 1]

    def outer_sum(by_column: FloatArray, by_row: FloatArray) -> Tensor:
        column = torch.as_tensor(by_column, dtype=torch.float32, device=device)
        row = torch.as_tensor(by_row, dtype=torch.float32, device=device)
        return column[:, None, :] + row[:, :, None]

    return outer_sum(cosine * dx, sine * dy), outer_sum(-sine * dx, cosine * dy)


def _grain(poses: Poses, settings: RenderSettings, device: torch.device) -> Grain:
    return Grain(
        keys=torch.as_tensor(poses.key - 2**31, dtype=torch.int32, device=device)[:, None],
        cells_per_period=settings.period / settings.grain,
        line=settings.line / settings.period,
        radius=settings.box / settings.period / math.sqrt(2) + REPEAT[settings.drawings],
    )


def _outline(opacity: Tensor, width: int) -> Tensor:
    """1 where a sample is on and another within `width` samples of it is off, else 0."""
    off = (opacity < 0.5).float()
    near = torch.nn.functional.pad(off, (width,) * 4, value=1.0)
    near = torch.nn.functional.max_pool2d(near[:, None], 2 * width + 1, stride=1)[:, 0]
    return near - off


def _average(opacity: Tensor, oversample: int) -> Tensor:
    """Mean over the k × k samples of each pixel, added in a fixed order: to [n, T, T]."""
    if oversample == 1:
        return opacity
    steps = range(oversample)
    corners = [opacity[:, i::oversample, j::oversample] for i in steps for j in steps]
    total = corners[0].clone()
    for corner in corners[1:]:
        total += corner
    return total / oversample**2


def _colorize(
    opacity: Tensor, rgb: Tensor, background: FloatArray, rounding: float
) -> tuple[Tensor, list[int]]:
    """Blend each image's color over its background, rounded down.

    Pixel value: ⌊255 · (background + opacity · (color − background)) + rounding⌋.

    Returns:
        Of the tiles, uint8 [n, 3 or 1, T, T]; of the backgrounds, n whole numbers.
    """
    contrast = (rgb - torch.as_tensor(background, dtype=torch.float32)[:, None]) * 255
    base = torch.as_tensor(background * 255 + rounding, dtype=torch.float32)
    pixels = opacity[:, None] * contrast.to(opacity.device)[:, :, None, None]
    pixels += base.to(opacity.device)[:, None, None, None]
    # Torch converts to bytes several times faster by way of 16 bits.
    return pixels.to(torch.int16).to(torch.uint8), base.to(torch.int16).tolist()
