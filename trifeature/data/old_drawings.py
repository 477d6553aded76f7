"""The drawings of data sets of formats 1 and 2, which keep their pixels.

These shapes and textures were drawn after the words of Hermann & Lampinen (2020), before the
published generator was known in detail; `trifeature.data.shapes` and `trifeature.data.textures`
follow it. Only what differs is here. A data set with `drawings = "old"` is drawn with these; so are
the runs and the weights that were recorded with them.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from trifeature.data.shapes import (
    HALF,
    SignedDistance,
    convex_polygon,
    half_planes,
    rectangle,
)
from trifeature.data.textures import (
    HEXGRID_SLOPE,
    Grain,
    Texture,
    cells,
    look_up,
    phase,
)

THIRD: Final = 1 / 3
RAIN_STARTS: Final = 0.05
"""Fraction of the cells at which a streak of rain starts when a streak is six cells high."""


def _on_circle(count: int, step: int = 1) -> list[tuple[float, float]]:
    """`count` points on the box's inscribed circle from the top, `step` / `count` turns apart."""
    turns = [2 * math.pi * step * k / count for k in range(count)]
    return [(math.sin(turn) / 2, -math.cos(turn) / 2) for turn in turns]


def triangle(x: Tensor, y: Tensor) -> Tensor:
    """Isosceles triangle: apex at the top middle of the box, base on the box's lower side."""
    return convex_polygon(x, y, [(0, -HALF), (HALF, HALF), (-HALF, HALF)])


def plus(x: Tensor, y: Tensor) -> Tensor:
    """Two crossed bars, each a third of the box wide."""
    return torch.minimum(rectangle(x, y, 1, THIRD), rectangle(x, y, THIRD, 1))


def tee(x: Tensor, y: Tensor) -> Tensor:
    """A bar at the top, a third of the box high, on a stem a third of the box wide."""
    return torch.minimum(rectangle(x, y + THIRD, 1, THIRD), rectangle(x, y, THIRD, 1))


def rhombus(x: Tensor, y: Tensor) -> Tensor:
    """A parallelogram half the box wide, from the top right to the bottom left."""
    return convex_polygon(x, y, [(0, -HALF), (HALF, -HALF), (0, HALF), (-HALF, HALF)])


def pentagon(x: Tensor, y: Tensor) -> Tensor:
    """Regular pentagon on the box's inscribed circle, one corner at the top."""
    return convex_polygon(x, y, _on_circle(5))


def star(x: Tensor, y: Tensor) -> Tensor:
    """Pentagram with five points on the box's inscribed circle, one at the top.

    A point is inside if it is on the inner side of at least four of the pentagram's five lines, so
    the signed distance is the second largest of the five.
    """
    first, second, *rest = half_planes(x, y, _on_circle(5, step=2))
    largest, runner_up = torch.maximum(first, second), torch.minimum(first, second)
    for distance in rest:
        runner_up = torch.maximum(runner_up, torch.minimum(largest, distance))
        largest = torch.maximum(largest, distance)
    return runner_up


def fivesquare(x: Tensor, y: Tensor) -> Tensor:
    """The four corner squares and the center square of a 3 × 3 grid."""
    corner = rectangle(x.abs() - THIRD, y.abs() - THIRD, THIRD, THIRD)
    return torch.minimum(corner, rectangle(x, y, THIRD, THIRD))


def trapezoid(x: Tensor, y: Tensor) -> Tensor:
    """Trapezoid as wide as the box at the top and half as wide at the bottom (half: our choice)."""
    return convex_polygon(
        x, y, [(-HALF, -HALF), (HALF, -HALF), (HALF / 2, HALF), (-HALF / 2, HALF)]
    )


def stripes(u: Tensor, v: Tensor, grain: Grain) -> Tensor:  # noqa: ARG001
    """On for a third of the period."""
    return phase(u) < 1 / 3


def grid(u: Tensor, v: Tensor, grain: Grain) -> Tensor:
    """Stripes in both directions."""
    return stripes(u, v, grain) | stripes(v, u, grain)


def hexgrid(u: Tensor, v: Tensor, grain: Grain) -> Tensor:  # noqa: ARG001
    """Three families of lines, a fifth of the period wide, at slopes 0 and ±1.73."""
    scale = 1 / (1 + HEXGRID_SLOPE**2) ** 0.5
    rise, drop = v * scale, u * (HEXGRID_SLOPE * scale)
    on = phase(v) < 1 / 5
    return on.logical_or_(phase(rise - drop) < 1 / 5).logical_or_(phase(rise + drop) < 1 / 5)


def dots(u: Tensor, v: Tensor, grain: Grain) -> Tensor:  # noqa: ARG001
    """Discs of radius 3/7 of the period."""
    x, y = phase(u) - 0.5, phase(v) - 0.5
    return x * x + y * y < (3 / 7) ** 2


def triangles(u: Tensor, v: Tensor, grain: Grain) -> Tensor:  # noqa: ARG001
    """One triangle a cell, its apex at the top middle, its base on the lower side."""
    return (phase(u) - 0.5).abs() < phase(v) * 0.5


def zigzags(u: Tensor, v: Tensor, grain: Grain) -> Tensor:  # noqa: ARG001
    """Bands half a period wide whose slope flips every period."""
    fold = (phase(u * 0.5) * 2 - 1).abs()
    return phase(v + fold) < 1 / 2


def rain(u: Tensor, v: Tensor, grain: Grain) -> Tensor:
    """Vertical streaks one cell wide and two thirds of the period high.

    Streaks of six cells start at 5 % of the cells. For streaks of h cells the probability p of a
    start satisfies (1 − p)^h = (1 − 0.05)⁶, so the covered fraction of the plane stays the same.
    """
    height = max(int(grain.cells_per_period * 2 / 3), 1)
    starts = cells(grain, 1 - (1 - RAIN_STARTS) ** (6 / height))
    wet = starts.clone()
    for drop in range(1, height):
        wet[:, drop:] |= starts[:, :-drop]
    return look_up(wet, u, v, grain)


def pluses(u: Tensor, v: Tensor, grain: Grain) -> Tensor:
    """Lines in both directions through cell centers, alternate rows shifted by half a cell."""
    shifted = u + (v * 0.5).floor_().mul_(-2).add_(v).floor_() * 0.5
    half = grain.line / 2
    return ((phase(shifted) - 0.5).abs() < half) | ((phase(v) - 0.5).abs() < half)


OLD_SIGNED_DISTANCES: Final[dict[str, SignedDistance]] = {
    function.__name__: function
    for function in (triangle, plus, tee, rhombus, pentagon, star, fivesquare, trapezoid)
}
"""The shapes that were drawn otherwise."""

OLD_PATTERNS: Final[dict[str, Texture]] = {
    function.__name__: function
    for function in (stripes, grid, hexgrid, dots, triangles, zigzags, rain, pluses)
}
"""The textures that were drawn otherwise."""
