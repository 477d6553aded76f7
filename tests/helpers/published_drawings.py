"""A second, slow renderer: the published drawings pixel by pixel, in plain Python.

Written from the laws of the published generator, with whole pixels, whole degrees and loops. It
shares nothing with the package but the names of the values, so it is the truth for its renderer.

Rows y go downwards and columns x to the right; lists are [rows][columns].
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

Plane = list[list[float]]

CANVAS: Final = 224
BOX: Final = 128
PERIOD: Final = 10
TEXTURE_SIDE: Final = 448
RAIN_HEIGHT: Final = 7

RGB: Final = {
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "yellow": (1.0, 1.0, 0.0),
    "pink": (1.0, 0.4, 1.0),
    "cyan": (0.0, 1.0, 1.0),
    "purple": (0.3, 0.0, 0.5),
    "ocean": (0.1, 0.4, 0.5),
    "orange": (1.0, 0.6, 0.0),
    "white": (1.0, 1.0, 1.0),
}

# --------------------------------------------------------------------------- shapes

AREAS: Final = {
    "triangle": 8192,
    "square": 16384,
    "plus": 9159,
    "circle": 12892,
    "tee": 9074,
    "rhombus": 8064,
    "pentagon": 11248,
    "star": 4273,
    "fivesquare": 9074,
    "trapezoid": 11144,
}
"""Pixels of the published shapes, of 16,384."""


def _pentagon(x: int, y: int) -> bool:
    if y < 51:
        return abs(x - 64) < 1.25 * y + 1
    rest = (y - 51) // 3.1
    return rest < x < 128 - rest


def _star(x: int, y: int) -> bool:
    if y < 51:
        return abs(x - 64) < y // 4 + 1
    rest = 2.4 * (y - 51)
    if y < 76 and rest < x < 128 - rest:
        return True
    left, right = 42.24 - 0.43 * (y - 70), 79.36 - 1.05 * (y - 70)
    return y >= 70 and (left < x < right or left < 128 - x < right)


def _fivesquare(x: int, y: int) -> bool:
    corner = (x < 42 or x >= 85) and (y < 42 or y >= 85)
    return corner or (42 <= x <= 84 and 42 <= y <= 84)


SHAPE_LAWS: Final[dict[str, Callable[[int, int], bool]]] = {
    "triangle": lambda x, y: abs(x - 64) < y // 2 + 1,
    "square": lambda x, y: True,  # noqa: ARG005 - on whatever the pixel
    "plus": lambda x, y: 43 <= x <= 85 or 43 <= y <= 85,
    "circle": lambda x, y: math.hypot(x + 0.5 - 64, y + 0.5 - 64) <= 64,
    "tee": lambda x, y: 43 <= x <= 85 or y < 42,
    "rhombus": lambda x, y: 0 < x - 64 + y // 2 < 64,
    "pentagon": _pentagon,
    "star": _star,
    "fivesquare": _fivesquare,
    "trapezoid": lambda x, y: y // 3.1 < x < 128 - y // 3.1,
}
"""Whether a shape is on at pixel (x, y) of its 128 × 128 box."""


def shape_plane(name: str) -> Plane:
    """The upright shape: 128 × 128, 1 on and 0 off."""
    return [[float(SHAPE_LAWS[name](x, y)) for x in range(BOX)] for y in range(BOX)]


# --------------------------------------------------------------------------- textures


def _hexgrid(x: int, y: int) -> bool:
    slant = math.floor(1.73 * y)
    return (x + slant) % 10 < 2 or (x - slant) % 10 < 2 or y % 10 < 2


def _zigzags(x: int, y: int) -> bool:
    step = y % 10 // 2
    across = x % 10 if y // 10 % 2 == 0 else 9 - x % 10
    return step < across < 5 + step


def _pluses(x: int, y: int) -> bool:
    across, down = x % 10, y % 10
    if y // 10 % 2 == 0:
        return abs(across - 5) < 1.5 or abs(down - 5) < 1.5
    if across < 1.5 or across > 8.5:
        return True
    return abs(down - 5) < 1.5 and abs(across - 5) > 1.5


TEXTURE_LAWS: Final[dict[str, Callable[[int, int], bool]]] = {
    "solid": lambda x, y: True,  # noqa: ARG005
    "stripes": lambda x, y: y % 10 < 3,  # noqa: ARG005
    "grid": lambda x, y: y % 10 < 3 or x % 10 < 3,
    "hexgrid": _hexgrid,
    "dots": lambda x, y: (x % 10 - 5) ** 2 + (y % 10 - 5) ** 2 < 16,
    "triangles": lambda x, y: y % 10 // 2 > abs(x % 10 - 5),
    "zigzags": _zigzags,
    "pluses": _pluses,
}
"""Whether a texture is on at pixel (x, y), its phase added; noise and rain are drawn at random."""


def texture_plane(name: str, rng: random.Random, side: int = TEXTURE_SIDE) -> Plane:
    """A texture of random phase before rotation: `side` × `side`, 1 on and 0 off."""
    pixels = range(side)
    if name == "noise":
        return [[float(rng.random() < 0.5) for _ in pixels] for _ in pixels]
    if name == "rain":
        return _rain(rng, side)
    right, down = rng.randrange(PERIOD), rng.randrange(PERIOD)
    law = TEXTURE_LAWS[name]
    return [[float(law(x + right, y + down)) for x in pixels] for y in pixels]


def _rain(rng: random.Random, side: int) -> Plane:
    """Each pixel starts with probability .05 a streak downwards; also above the first row."""
    plane = [[0.0] * side for _ in range(side)]
    for top in range(1 - RAIN_HEIGHT, side):
        for x in range(side):
            if rng.random() < 0.05:
                for y in range(max(top, 0), min(top + RAIN_HEIGHT, side)):
                    plane[y][x] = 1.0
    return plane


# --------------------------------------------------------------------------- rotation


def _pixel(plane: Plane, x: int, y: int) -> float:
    inside = 0 <= y < len(plane) and 0 <= x < len(plane[0])
    return plane[y][x] if inside else 0.0


def bilinear(plane: Plane, x: float, y: float) -> float:
    """The value between the four pixels around (x, y); pixel (i, j) lies at i + ½, j + ½."""
    left, top = math.floor(x - 0.5), math.floor(y - 0.5)
    right_share, lower_share = x - 0.5 - left, y - 0.5 - top
    total = 0.0
    for i, j in ((0, 0), (1, 0), (0, 1), (1, 1)):
        weight = (right_share if i else 1 - right_share) * (lower_share if j else 1 - lower_share)
        total += weight * _pixel(plane, left + i, top + j)
    return total


def nearest(plane: Plane, x: float, y: float) -> float:
    """The value of the pixel that (x, y) lies in."""
    return _pixel(plane, math.floor(x), math.floor(y))


def rotated(
    plane: Plane, degrees: int, side: int, look_up: Callable[[Plane, float, float], float]
) -> Plane:
    """A square plane turned clockwise about its center, its central `side` × `side` pixels."""
    turn = math.radians(degrees)
    cosine, sine = math.cos(turn), math.sin(turn)
    middle = len(plane) / 2

    def value(x: int, y: int) -> float:
        dx, dy = x + 0.5 - side / 2, y + 0.5 - side / 2
        return look_up(plane, middle + cosine * dx + sine * dy, middle - sine * dx + cosine * dy)

    return [[value(x, y) for x in range(side)] for y in range(side)]


def grown_side(degrees: int) -> int:
    """Side of the box that holds the rotated shape, in whole pixels."""
    turn = math.radians(degrees)
    return math.ceil(BOX * (math.cos(turn) + abs(math.sin(turn))) - 1e-9)


# --------------------------------------------------------------------------- composition


def opacity_plane(shape: str, texture: str, rng: random.Random) -> Plane:
    """Shape times texture at random angles, position and phase: 224 × 224, 0 to 1."""
    shape_turn, texture_turn = rng.randrange(-45, 45), rng.randrange(-45, 45)
    side = grown_side(shape_turn)
    drawn = rotated(shape_plane(shape), shape_turn, side, bilinear)
    left, top = rng.randrange(CANVAS - side + 1), rng.randrange(CANVAS - side + 1)
    ink = rotated(texture_plane(texture, rng), texture_turn, CANVAS, nearest)
    opacity = [[0.0] * CANVAS for _ in range(CANVAS)]
    for y in range(side):
        for x in range(side):
            opacity[top + y][left + x] = drawn[y][x] * ink[top + y][left + x]
    return opacity


def blend(opacity: Plane, color: str) -> list[list[list[int]]]:
    """The image [3][rows][columns] in 0 to 255: color over gray ½, rounded down."""
    return [
        [[math.floor(255 * (part * o + (1 - o) / 2) + 1e-9) for o in row] for row in opacity]
        for part in RGB[color]
    ]


# --------------------------------------------------------------------------- many images

Array = npt.NDArray[np.float64]


@functools.cache
def _shape_array(name: str) -> Array:
    return np.array(shape_plane(name))


@functools.cache
def _law_array(name: str) -> Array:
    side = range(TEXTURE_SIDE + PERIOD)
    return np.array([[float(TEXTURE_LAWS[name](x, y)) for x in side] for y in side])


def texture_array(name: str, rng: np.random.Generator) -> Array:
    """`texture_plane` as an array; the periodic ones are cut from one plane drawn by the loops."""
    side = TEXTURE_SIDE
    if name == "noise":
        return (rng.random((side, side)) < 0.5).astype(np.float64)
    if name == "rain":
        starts = rng.random((side + RAIN_HEIGHT - 1, side)) < 0.05
        wet = [starts[drop : drop + side] for drop in range(RAIN_HEIGHT)]
        return np.asarray(np.any(wet, axis=0), dtype=np.float64)
    right, down = rng.integers(PERIOD, size=2)
    return np.asarray(_law_array(name)[down : down + side, right : right + side])


def rotated_array(plane: Array, degrees: int, side: int, *, smooth: bool) -> Array:
    """`rotated` of an array, bilinear if `smooth` and else nearest; checked against the loops."""
    turn = math.radians(degrees)
    offsets = np.arange(side) + 0.5 - side / 2
    dx, dy = np.meshgrid(offsets, offsets)
    x = len(plane) / 2 + (math.cos(turn) * dx + math.sin(turn) * dy)
    y = len(plane) / 2 + (-math.sin(turn) * dx + math.cos(turn) * dy)
    padded = np.pad(plane, 2)

    def pixel(i: Array, j: Array) -> Array:
        rows, columns = (np.clip(part + 2, 0, len(padded) - 1).astype(np.int64) for part in (j, i))
        return np.asarray(padded[rows, columns])

    if not smooth:
        return pixel(np.floor(x), np.floor(y))
    left, top = np.floor(x - 0.5), np.floor(y - 0.5)
    right_share, lower_share = x - 0.5 - left, y - 0.5 - top
    upper = (1 - right_share) * pixel(left, top) + right_share * pixel(left + 1, top)
    lower = (1 - right_share) * pixel(left, top + 1) + right_share * pixel(left + 1, top + 1)
    return np.asarray((1 - lower_share) * upper + lower_share * lower)


def opacity_array(shape: str, texture: str, rng: np.random.Generator) -> Array:
    """`opacity_plane` as an array, from another generator."""
    shape_turn, texture_turn = (int(turn) for turn in rng.integers(-45, 45, size=2))
    side = grown_side(shape_turn)
    left, top = rng.integers(CANVAS - side + 1, size=2)
    place = np.s_[top : top + side, left : left + side]
    ink = rotated_array(texture_array(texture, rng), texture_turn, CANVAS, smooth=False)
    opacity = np.zeros((CANVAS, CANVAS))
    opacity[place] = rotated_array(_shape_array(shape), shape_turn, side, smooth=True) * ink[place]
    return opacity
