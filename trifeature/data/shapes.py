"""The ten shapes as signed distance functions, in units of the shape's box.

Each function takes the coordinates x (to the right) and y (downwards) of points relative to the
box's center, tensors of equal shape. The box is [-½, ½]². The result is the signed distance to the
shape's outline, negative inside. It is exact along edges, as anti-aliasing requires; beyond corners
it is a lower bound.

Only additions, multiplications, comparisons and square roots are used. IEEE arithmetic rounds them
identically on every device and in every batch, so a picture does not depend on either. The outlines
follow Hermann & Lampinen (2020); a docstring says so where their text leaves a choice.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

SignedDistance = Callable[[Tensor, Tensor], Tensor]

HALF: Final = 1 / 2
THIRD: Final = 1 / 3


def _rectangle(x: Tensor, y: Tensor, width: float, height: float) -> Tensor:
    """Signed distance to a rectangle centered at the origin."""
    return torch.maximum(x.abs() - width / 2, y.abs() - height / 2)


def _half_planes(x: Tensor, y: Tensor, corners: list[tuple[float, float]]) -> list[Tensor]:
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


def _convex_polygon(x: Tensor, y: Tensor, corners: list[tuple[float, float]]) -> Tensor:
    """Signed distance to a convex polygon: the maximum over its half-planes."""
    first, *rest = _half_planes(x, y, corners)
    for distance in rest:
        first = torch.maximum(first, distance)
    return first


def _on_circle(count: int, step: int = 1) -> list[tuple[float, float]]:
    """`count` points on the box's inscribed circle from the top, `step` / `count` turns apart."""
    turns = [2 * math.pi * step * k / count for k in range(count)]
    return [(math.sin(turn) / 2, -math.cos(turn) / 2) for turn in turns]


def triangle(x: Tensor, y: Tensor) -> Tensor:
    """Isosceles triangle: apex at the top middle of the box, base on the box's lower side."""
    return _convex_polygon(x, y, [(0, -HALF), (HALF, HALF), (-HALF, HALF)])


def square(x: Tensor, y: Tensor) -> Tensor:
    """The whole box."""
    return _rectangle(x, y, 1, 1)


def plus(x: Tensor, y: Tensor) -> Tensor:
    """Two crossed bars, each a third of the box wide."""
    return torch.minimum(_rectangle(x, y, 1, THIRD), _rectangle(x, y, THIRD, 1))


def circle(x: Tensor, y: Tensor) -> Tensor:
    """The box's inscribed circle."""
    return (x * x + y * y).sqrt() - HALF


def tee(x: Tensor, y: Tensor) -> Tensor:
    """A bar at the top, a third of the box high, on a stem a third of the box wide."""
    return torch.minimum(_rectangle(x, y + THIRD, 1, THIRD), _rectangle(x, y, THIRD, 1))


def rhombus(x: Tensor, y: Tensor) -> Tensor:
    """A parallelogram half the box wide, from the top right to the bottom left."""
    return _convex_polygon(x, y, [(0, -HALF), (HALF, -HALF), (0, HALF), (-HALF, HALF)])


def pentagon(x: Tensor, y: Tensor) -> Tensor:
    """Regular pentagon on the box's inscribed circle, one corner at the top."""
    return _convex_polygon(x, y, _on_circle(5))


def star(x: Tensor, y: Tensor) -> Tensor:
    """Pentagram with five points on the box's inscribed circle, one at the top.

    A point is inside if it is on the inner side of at least four of the pentagram's five lines, so
    the signed distance is the second largest of the five.
    """
    first, second, *rest = _half_planes(x, y, _on_circle(5, step=2))
    largest, runner_up = torch.maximum(first, second), torch.minimum(first, second)
    for distance in rest:
        runner_up = torch.maximum(runner_up, torch.minimum(largest, distance))
        largest = torch.maximum(largest, distance)
    return runner_up


def fivesquare(x: Tensor, y: Tensor) -> Tensor:
    """The four corner squares and the center square of a 3 × 3 grid."""
    corner = _rectangle(x.abs() - THIRD, y.abs() - THIRD, THIRD, THIRD)
    return torch.minimum(corner, _rectangle(x, y, THIRD, THIRD))


def trapezoid(x: Tensor, y: Tensor) -> Tensor:
    """Trapezoid as wide as the box at the top and half as wide at the bottom (half: our choice)."""
    return _convex_polygon(
        x, y, [(-HALF, -HALF), (HALF, -HALF), (HALF / 2, HALF), (-HALF / 2, HALF)]
    )


SIGNED_DISTANCES: Final[tuple[SignedDistance, ...]] = (
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
"""Signed distance function of each shape, in the order of `trifeature.data.attributes.SHAPES`."""
