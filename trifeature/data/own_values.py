"""Shapes, textures and colors of one's own, beside the ten of each that the package has.

`register_shape`, `register_texture` and `register_color` add a drawing under a name, which
`DatasetSettings(shapes="square,circle,heart")` then knows. A drawing is a function or the path of a
mask: an image that is on where its luminance times its opacity is at least half. A plugin calls
these functions; `register_own` reads the names and files of a command line.

A mask of W × H pixels is centered in the shape's box and keeps its aspect, its longer side the
box's. Its signed distance is that of the exact Euclidean distance transform at the centers of
pixels, bilinear between them. As in `trifeature.data.shapes`, only arithmetic that rounds
identically in every batch is used; a function of one's own should do the same.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from trifeature.checks import require_number
from trifeature.data.attributes import ATTRIBUTES, COLOR_RGB, VALUES
from trifeature.data.settings import RenderSettings
from trifeature.data.shapes import SIGNED_DISTANCES, SignedDistance
from trifeature.data.textures import PATTERNS, Grain
from trifeature.errors import InputError

Mask = npt.NDArray[np.bool_]
OnOff = Callable[[Tensor, Tensor], Tensor]

LARGEST_MASK: Final = 2048
"""Pixels along the longest side that a mask may have."""

GRID: Final = 64
"""Points along each side of the grid on which a drawing is tried, and its digest taken."""

REACH: Final = 4
"""Boxes along each side of the square in which a shape is tried; the middle one is its own."""

PERIODS: Final = 4
"""Periods along each side of the grid of a texture; a texture may repeat after several."""

DIGESTS: Final[dict[str, dict[str, str]]] = {attribute: {} for attribute in ATTRIBUTES}
"""For each attribute the digest of what is drawn under each registered name."""


GIVEN: Final[dict[str, tuple[str, ...]]] = dict.fromkeys(ATTRIBUTES, ())
"""What `register_own` has registered, as arguments with which a worker process repeats it."""

TABLES: Final[tuple[dict[str, Any], ...]] = (
    SIGNED_DISTANCES,
    PATTERNS,
    COLOR_RGB,
    GIVEN,
    *DIGESTS.values(),
)
"""Everything that registration changes."""


def register_shape(name: str, drawing: SignedDistance | str | Path) -> None:
    """Add a shape.

    Args:
        name: Letters, digits and hyphens, a letter first.
        drawing: A function of x (to the right) and y (downwards), float tensors [N, H, W] in units
            of the box [-½, ½]², that returns the signed distance to the outline, negative inside;
            or the path of a mask.

    Raises:
        InputError: the name is taken by another drawing, or is no name; the function does not
            return such a tensor, draws nothing or draws beyond the box; the mask cannot be read.

    >>> register_shape("ring", lambda x, y: ((x * x + y * y).sqrt() - 0.4).abs() - 0.1)
    """
    _check_new_name("shape", name)
    function = drawing if callable(drawing) else shape_of_mask(_read_mask(name, drawing))
    inside = _try(f"shape {name}", function, REACH * GRID, REACH, torch.float32) < 0
    box = slice((REACH - 1) * GRID // 2, (REACH + 1) * GRID // 2)
    drawn = inside[box, box].clone()
    inside[box, box] = False
    if not drawn.any():
        raise InputError(f"shape {name}: the distance is nowhere below 0 inside the box")
    if inside.any():
        raise InputError(f"shape {name}: it reaches beyond the box, which is from -1/2 to 1/2")
    if _add("shape", name, _digest(drawn.numpy())):
        SIGNED_DISTANCES[name] = function


def register_texture(name: str, drawing: OnOff | str | Path) -> None:
    """Add a texture.

    Args:
        name: Letters, digits and hyphens, a letter first.
        drawing: A function of u (along the rows) and v (down the columns), float tensors [N, H, W]
            in periods, that returns a Boolean tensor, true where the texture is on; or the path of
            a mask of one period, square or not, which is repeated.

    Raises:
        InputError: as for `register_shape`; or the texture is on or off everywhere.

    >>> register_texture("checks", lambda u, v: (u - u.floor() < 0.5) ^ (v - v.floor() < 0.5))
    """
    _check_new_name("texture", name)
    function = drawing if callable(drawing) else texture_of_mask(_read_mask(name, drawing))
    on = _try(f"texture {name}", function, GRID, PERIODS, torch.bool)
    if on.all() or not on.any():
        raise InputError(f"texture {name}: the drawing is {'on' if on.all() else 'off'} everywhere")

    def pattern(u: Tensor, v: Tensor, grain: Grain) -> Tensor:  # noqa: ARG001 - one signature
        return function(u, v)

    if _add("texture", name, _digest(on.numpy())):
        PATTERNS[name] = pattern


def register_color(name: str, rgb: Sequence[float] | str) -> None:
    """Add a color.

    Args:
        name: Letters, digits and hyphens, a letter first.
        rgb: Red, green and blue from 0 to 1, or as in #00ff80.

    Raises:
        InputError: the name is taken by another color, or is no name; a number is out of range; or
            the color cannot be told from another one or from the default background.

    >>> register_color("teal", "#008080")
    """
    _check_new_name("color", name)
    values = _read_color(name, rgb)
    if all(abs(value - RenderSettings.background) < 1 / 255 for value in values):
        raise InputError(f"color {name}: it is the gray of the background, and could not be seen")
    for other, its in COLOR_RGB.items():
        if other != name and all(abs(a - b) < 1 / 510 for a, b in zip(values, its, strict=True)):
            raise InputError(f"color {name}: it is the same as {other}")
    if _add("color", name, _digest(np.array(values, dtype="<f8"))):
        COLOR_RGB[name] = values


def register_own(
    shape: Sequence[str] = (), texture: Sequence[str] = (), color: Sequence[str] = ()
) -> dict[str, list[str]]:
    """Register what a command line names.

    Args:
        shape: Masks: FILE, whose stem is the name, or NAME=FILE.
        texture: The same.
        color: NAME=#rrggbb.

    Returns:
        The names for each attribute, in the order given.

    Raises:
        InputError: a text cannot be read, or see the functions above.
    """
    names: dict[str, list[str]] = {attribute: [] for attribute in ATTRIBUTES}
    for attribute, texts in (("shape", shape), ("texture", texture), ("color", color)):
        for text in texts:
            name, drawing = _split(attribute, text)
            REGISTER[attribute](name, drawing)
            names[attribute].append(name)
            place = drawing if attribute == "color" else Path(drawing).expanduser().resolve()
            GIVEN[attribute] = tuple(dict.fromkeys((*GIVEN[attribute], f"{name}={place}")))
    return names


REGISTER: Final[dict[str, Callable[[str, Any], None]]] = {
    "shape": register_shape,
    "texture": register_texture,
    "color": register_color,
}
"""The function that registers a value of each attribute."""


def digests(values: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """What is drawn under the names that are not the package's, as short SHA-256 sums.

    Args:
        values: The names of the values of each attribute.

    Returns:
        For each, as in "shape heart", 16 hexadecimal digits: of the shape's inside or of the
        texture on a grid of 64 × 64 points, or of the color.

    Raises:
        InputError: a name is not registered.
    """
    found = {}
    for attribute, names in values.items():
        for name in names:
            if name not in VALUES[attribute]:
                if name not in DIGESTS[attribute]:
                    raise InputError(
                        f"there is no {attribute} called {name!r}: register it, by "
                        f"--own-{attribute} or a plugin"
                    )
                found[f"{attribute} {name}"] = DIGESTS[attribute][name]
    return found


def shape_of_mask(mask: Mask) -> SignedDistance:
    """Signed distance function of a mask [H, W], in units of the box.

    The distance from the center of a pixel to the outline is that to the nearest center on the
    other side less half a pixel. Everything beyond the mask is off.
    """
    from scipy.ndimage import distance_transform_edt  # noqa: PLC0415 - slow to load

    side = max(mask.shape)
    margin = side // 8 + 2
    padded = np.pad(mask, margin)
    inside, outside = distance_transform_edt(padded), distance_transform_edt(~padded)
    signed = np.where(padded, 0.5 - inside, outside - 0.5) / side
    field = torch.as_tensor(signed, dtype=torch.float32)
    H, W = mask.shape

    def distance(x: Tensor, y: Tensor) -> Tensor:
        # The center of pixel (row i, column j) of the mask is at x = (j + ½ − W/2) / side.
        columns = x * side + (W / 2 - 0.5 + margin)
        rows = y * side + (H / 2 - 0.5 + margin)
        return _bilinear(field.to(x.device), rows, columns)

    return distance


def texture_of_mask(mask: Mask) -> OnOff:
    """On/off pattern of a mask [H, W] that is one period, its corner at the origin."""
    H, W = mask.shape
    flat = torch.as_tensor(mask).flatten()

    def pattern(u: Tensor, v: Tensor) -> Tensor:
        # A fractional part just below 1 may round up to 1 times the length: hence the clamps.
        columns = ((u - u.floor()) * W).floor().clamp_(max=W - 1)
        rows = ((v - v.floor()) * H).floor().clamp_(max=H - 1)
        return flat.to(u.device).take((rows * W + columns).long())

    return pattern


def _bilinear(field: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Values of a field [H, W] at points between its pixels; beyond its border those on it."""
    H, W = field.shape
    rows, columns = rows.clamp(0, H - 1), columns.clamp(0, W - 1)
    top, left = rows.floor().clamp_(max=H - 2), columns.floor().clamp_(max=W - 2)
    first = (top * W + left).long()
    down, right = rows - top, columns - left
    upper = field.take(first)
    upper = upper + right * (field.take(first + 1) - upper)
    lower = field.take(first + W)
    lower = lower + right * (field.take(first + W + 1) - lower)
    return upper + down * (lower - upper)


def _read_mask(name: str, path: str | Path) -> Mask:
    """Where the image at `path` is on: bool [H, W], neither empty nor full.

    The size is in the file's head, so a huge image is refused before it is decoded.
    """
    if not isinstance(path, str | Path):
        kind = type(path).__name__
        raise InputError(
            f"{name}: a drawing is a function or the path of a mask, not of type {kind}"
        )
    place = Path(path).expanduser()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(place) as image:
                if not max(image.size) <= LARGEST_MASK:
                    width, height = image.size
                    raise InputError(
                        f"mask {place}: a side may have {LARGEST_MASK:,} pixels, not "
                        f"{width:,} × {height:,}"
                    )
                if (frames := getattr(image, "n_frames", 1)) > 1:
                    raise InputError(f"mask {place} has {frames} frames: give one picture")
                light, opacity = _light_and_opacity(image)
    except FileNotFoundError:
        raise InputError(f"mask {place}: there is no such file") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(f"mask {place}: a side may have {LARGEST_MASK:,} pixels") from None
    except (OSError, SyntaxError, EOFError) as problem:
        words = " ".join(str(problem).split())
        raise InputError(f"mask {place} cannot be read as an image: {words}") from None
    mask: Mask = light.astype(np.float64) * opacity * 2 >= 255 * 255
    if mask.all() or not mask.any():
        kind = "on" if mask.all() else "off"
        raise InputError(f"mask {place} is {kind} everywhere: on is light and opaque, off is not")
    return mask


def _light_and_opacity(image: Image.Image) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Luminance and opacity of each pixel, from 0 to 255."""
    if image.mode.startswith("I") or image.mode == "F":  # deeper than 8 bits, which Pillow clips
        light = np.asarray(image, dtype=np.float64) * (1 if image.mode == "F" else 255 / 65535)
        return light, np.full_like(light, 255)
    light, opacity = np.moveaxis(np.asarray(image.convert("RGBA").convert("LA")), 2, 0)
    return light, opacity


def _read_color(name: str, rgb: Any) -> tuple[float, float, float]:
    if isinstance(rgb, str):
        if not re.fullmatch(r"#[0-9A-Fa-f]{6}", rgb):
            raise InputError(f"color {name}: as in #00ff80, six hexadecimal digits, not {rgb!r}")
        red, green, blue = (byte / 255 for byte in bytes.fromhex(rgb[1:]))
        return red, green, blue
    if not isinstance(rgb, Sequence) or len(rgb) != 3:
        raise InputError(f"color {name}: three numbers from 0 to 1 or #rrggbb, not {rgb!r}")
    red, green, blue = (require_number(f"color {name}", value, 0, 1) for value in rgb)
    return red, green, blue


def _split(attribute: str, text: str) -> tuple[str, str]:
    """Name and drawing of FILE or NAME=FILE; a file that is there may have = in its name."""
    name, equals, drawing = text.partition("=")
    if attribute == "color":
        if not equals:
            raise InputError(f"an own color is NAME=#rrggbb, not {text!r}")
        return name, drawing
    if equals and not Path(text).is_file():
        file = drawing
    else:
        name, file = Path(text).stem, text
    if not name or not file:
        raise InputError(f"an own {attribute} is FILE or NAME=FILE, not {text!r}")
    return name, file


def _try(what: str, function: OnOff, count: int, side: float, dtype: torch.dtype) -> Tensor:
    """What a function draws at the centers of count × count cells of a square about the origin.

    It is tried on two copies of the square, which must be drawn the same.

    Raises:
        InputError: the function returns something else than two finite drawings of this dtype.
    """
    centers = ((torch.arange(count) + 0.5) / count - 0.5) * side
    try:
        drawn = function(centers.repeat(2, count, 1), centers[:, None].repeat(2, 1, count))
    except Exception as problem:
        words = " ".join(f"{type(problem).__name__}: {problem}".split())
        raise InputError(f"{what}: the function fails with {words}") from problem
    asked = f"torch.Tensor {dtype} [2, {count}, {count}]"
    got = f"{type(drawn).__module__}.{type(drawn).__name__}"
    if isinstance(drawn, Tensor):
        got = f"torch.Tensor {drawn.dtype} {list(drawn.shape)}"
    if got != asked:
        raise InputError(f"{what}: the function must return {asked}, not {got}")
    if not drawn.isfinite().all():
        raise InputError(f"{what}: the function returns numbers that are not finite")
    if not torch.equal(drawn[0], drawn[1]):
        raise InputError(f"{what}: the function must draw the same for the same coordinates")
    return drawn[0]


def _check_new_name(attribute: str, name: str) -> None:
    """Raise InputError unless a value of one's own may have this name."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", name):
        raise InputError(
            f"{name!r} is no name of a {attribute}: letters, digits and - only, a letter first"
        )
    if name in VALUES[attribute]:
        raise InputError(f"{attribute} {name} is one of the package's: choose another name")


def _digest(drawn: npt.NDArray[Any]) -> str:
    """The first 16 digits of the SHA-256 of a mask's bits or of a color's numbers."""
    content = np.packbits(drawn) if drawn.dtype == bool else drawn
    return hashlib.sha256(content.tobytes()).hexdigest()[:16]


def _add(attribute: str, name: str, digest: str) -> bool:
    """Note a digest under a name; False if the same is there already.

    Raises:
        InputError: it is taken, or another value is drawn the same.
    """
    known = DIGESTS[attribute]
    if name in known:
        if known[name] != digest:
            raise InputError(f"another {attribute} called {name!r} is registered already")
        return False
    for other, its in known.items():
        if its == digest:
            raise InputError(f"{attribute} {name}: it is the same as {other}")
    known[name] = digest
    return True
