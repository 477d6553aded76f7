"""The ten shapes as signed distance functions, in units of the shape's box.

Each function takes the coordinates x (to the right) and y (downwards) of points relative to the
box's center, tensors of equal shape. The box is [-½, ½]². The result is the signed distance to the
shape's outline, negative inside. It is exact along edges, as anti-aliasing requires; beyond corners
it is a lower bound.

Only additions, multiplications, comparisons and square roots are used. IEEE arithmetic rounds them
identically on every device and in every batch, so a picture does not depend on either.

The outlines are those of the published generator (Hermann & Lampinen 2020), which draws on whole
pixels in a box of 128 × 128, here with straight edges through the middle of its steps. A docstring
gives them in these pixels, (0, 0) the upper left corner of the box. Most lie about x = 64.5, the
middle of the generator's column 64. `trifeature.data.old_drawings` has those of earlier versions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

SignedDistance = Callable[[Tensor, Tensor], Tensor]

HALF: Final = 1 / 2
PIXEL: Final = 1 / 128
MIDDLE: Final = PIXEL / 2
"""The x of most shapes' axis: the middle of the pixel right of the box's center."""


def rectangle(x: Tensor, y: Tensor, width: float, height: float) -> Tensor:
    """Signed distance to a rectangle centered at the origin."""
    return torch.maximum(x.abs() - width / 2, y.abs() - height / 2)


def half_planes(x: Tensor, y: Tensor, corners: list[tuple[float, float]]) -> list[Tensor]:
    """Signed distances to the lines through consecutive corners, given clockwise on the screen.

    n · (x, y) − n · corner, with the unit normal n = (Δy, −Δx) / length, which points outwards.
    """
    distances = []
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        length = math.hypot(x1 - x0, y1 - y0)
        normal_x, normal_y = (y1 - y0) / length, -(x1 - x0) / length
        offset = normal_x * x0 + normal_y * y0
        if normal_x == 0:
            distances.append(y * normal_y - offset)
        else:
            distances.append(x * normal_x + y * normal_y - offset)
    return distances


def convex_polygon(x: Tensor, y: Tensor, corners: list[tuple[float, float]]) -> Tensor:
    """Signed distance to a convex polygon: the maximum over its half-planes."""
    first, *rest = half_planes(x, y, corners)
    for distance in rest:
        first = torch.maximum(first, distance)
    return first


def _polygon(x: Tensor, y: Tensor, *corners: tuple[float, float]) -> Tensor:
    """Signed distance to a convex polygon whose corners are in pixels of the box."""
    return convex_polygon(x, y, [(a * PIXEL - HALF, b * PIXEL - HALF) for a, b in corners])


def triangle(x: Tensor, y: Tensor) -> Tensor:
    """Isosceles triangle: apex at the top middle of the box, base on the box's lower side."""
    return _polygon(x, y, (64.5, 0), (128, 128), (1, 128))


def square(x: Tensor, y: Tensor) -> Tensor:
    """The whole box."""
    return rectangle(x, y, 1, 1)


def plus(x: Tensor, y: Tensor) -> Tensor:
    """Two crossed bars from 43 to 86."""
    down = rectangle(x - MIDDLE, y, 43 * PIXEL, 1)
    return torch.minimum(down, rectangle(x, y - MIDDLE, 1, 43 * PIXEL))


def circle(x: Tensor, y: Tensor) -> Tensor:
    """The box's inscribed circle."""
    return (x * x + y * y).sqrt() - HALF


def tee(x: Tensor, y: Tensor) -> Tensor:
    """A bar at the top, 42 high, on a stem from 43 to 86."""
    bar = rectangle(x, y + 43 * PIXEL, 1, 42 * PIXEL)
    return torch.minimum(bar, rectangle(x - MIDDLE, y, 43 * PIXEL, 1))


def rhombus(x: Tensor, y: Tensor) -> Tensor:
    """A parallelogram 63 wide, from the top right to the bottom left."""
    return _polygon(x, y, (65, 0), (128, 0), (65, 128), (2, 128))


def pentagon(x: Tensor, y: Tensor) -> Tensor:
    """Pentagon that fills the box: 127 wide at y = 51, its foot 79 wide; it is not regular."""
    return _polygon(x, y, (64.5, 0), (128, 51), (104, 128), (25, 128), (1, 51))


def star(x: Tensor, y: Tensor) -> Tensor:
    """Five points: a spike at the top, two arms with their upper edge at y = 51, and two legs.

    Right of the axis, at distance h from it, the edges are: of the spike h = y / 4; below the arm
    h = 63.5 − 2.3 (y − 51); of the leg from h = 1.05 (y − 85.13) to h = 21.55 + 0.43 (y − 70). The
    pieces overlap, so that no seam shows between them.
    """
    across = (x - MIDDLE).abs()

    def beyond(slope: float, pixels: float) -> Tensor:
        """Signed distance to the line h = slope · y + pixels, positive outside."""
        scale = 1 / math.hypot(1, slope)
        return across * scale - (y * (slope * scale) + (slope * HALF + pixels * PIXEL) * scale)

    def below(pixels: float) -> Tensor:
        return y - (pixels * PIXEL - HALF)

    spike = torch.maximum(beyond(1 / 4, 0), below(62))
    arms = torch.maximum(beyond(-2.3, 63.5 + 2.3 * 51), -below(51))
    legs = torch.maximum(beyond(0.43, 21.55 - 0.43 * 70), -beyond(1.05, -1.05 * 85.13))
    legs = torch.maximum(legs, torch.maximum(-below(58), below(128)))
    return torch.minimum(torch.minimum(spike, arms), legs)


def fivesquare(x: Tensor, y: Tensor) -> Tensor:
    """The corners and the center of a 3 × 3 grid that is cut at 42 and 85."""
    ring = torch.minimum((x + MIDDLE).abs(), (y + MIDDLE).abs())
    corners = torch.maximum(21.5 * PIXEL - ring, rectangle(x, y, 1, 1))
    return torch.minimum(corners, rectangle(x + MIDDLE, y + MIDDLE, 43 * PIXEL, 43 * PIXEL))


def trapezoid(x: Tensor, y: Tensor) -> Tensor:
    """Trapezoid 127 wide at the top, its foot 47 wide."""
    return _polygon(x, y, (1, 0), (128, 0), (88, 128), (41, 128))


SIGNED_DISTANCES: Final[dict[str, SignedDistance]] = {
    function.__name__: function
    for function in (
        triangle,
        square,
        plus,
        circle,
        tee,
        rhombus,
        pentagon,
        star,
        fivesquare,
        trapezoid,
    )
}
"""The signed distance function of each shape by its name; further shapes can be added."""
