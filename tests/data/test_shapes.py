"""The ten shapes against outlines written down by hand, filled by PIL or measured by brute force.

Outlines are corners in the box [0, 1]², x to the right and y downwards. That they are those of the
published generator is tested in `test_published_drawings`.
"""

from __future__ import annotations

import itertools
import math
from typing import Final

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image, ImageDraw
from published_drawings import AREAS

from trifeature.data.attributes import SHAPES
from trifeature.data.shapes import SIGNED_DISTANCES, SignedDistance

Corners = list[tuple[float, float]]
Floats = npt.NDArray[np.float64]

SIDE: Final = 600
"""Pixels along the box where areas are counted: whole thirds and whole quarters."""


def on_circle(radius: float, turns: list[float]) -> Corners:
    """Points around the box's center; a turn of 0 is the top, growing clockwise."""
    angles = [2 * math.pi * turn for turn in turns]
    return [(0.5 + radius * math.sin(a), 0.5 - radius * math.cos(a)) for a in angles]


def pixels(*corners: tuple[float, float]) -> Corners:
    """Corners given in the 128 pixels of the published box."""
    return [(x / 128, y / 128) for x, y in corners]


def block(left: float, top: float, right: float, bottom: float) -> Corners:
    return pixels((left, top), (right, top), (right, bottom), (left, bottom))


def mirrored(*right: tuple[float, float]) -> Corners:
    """A symmetric outline by its corners right of the axis x = 64.5, from the top to the foot."""
    left = [(129 - x, y) for x, y in reversed(right) if x != 64.5]
    return pixels(*right, *left)


SPIKE, WAIST, CROTCH = (77.25, 51), (64.5 + 58.078 / 2.73, 189.35 / 2.73), (64.5, 85.13)
FEET: Final = ((110.99, 128), (109.5135, 128))
"""Corners of the star: where its lines cross, worked out by hand."""

OUTLINES: Final[dict[str, list[Corners]]] = {
    "triangle": [pixels((64.5, 0), (128, 128), (1, 128))],
    "square": [block(0, 0, 128, 128)],
    "plus": [
        pixels(
            *((43, 0), (86, 0), (86, 43), (128, 43), (128, 86), (86, 86)),
            *((86, 128), (43, 128), (43, 86), (0, 86), (0, 43), (43, 43)),
        )
    ],
    "circle": [on_circle(0.5, [k / 720 for k in range(720)])],
    "tee": [
        pixels(
            *((0, 0), (128, 0), (128, 42), (86, 42), (86, 128), (43, 128), (43, 42), (0, 42)),
        )
    ],
    "rhombus": [pixels((65, 0), (128, 0), (65, 128), (2, 128))],
    "pentagon": [mirrored((64.5, 0), (128, 51), (104, 128))],
    "star": [mirrored((64.5, 0), SPIKE, (128, 51), WAIST, *FEET, CROTCH)],
    "fivesquare": [
        block(0, 0, 42, 42),
        block(85, 0, 128, 42),
        block(42, 42, 85, 85),
        block(0, 85, 42, 128),
        block(85, 85, 128, 128),
    ],
    "trapezoid": [pixels((1, 0), (128, 0), (88, 128), (41, 128))],
}

MIRRORED: Final = {
    name: {"square": 64, "circle": 64, "fivesquare": 63.5}.get(name, 64.5) / 128
    for name in SHAPES
    if name != "rhombus"
}
"""The axis of each shape that is its own mirror image."""

each_shape = pytest.mark.parametrize("name", SHAPES)


def distance_of(name: str) -> SignedDistance:
    return SIGNED_DISTANCES[name]


def signed(name: str, points: Floats) -> Floats:
    """The signed distance at points [N, 2] of the box [0, 1]², in float64."""
    x, y = torch.from_numpy(points - 0.5).T
    return np.asarray(distance_of(name)(x, y))


def lattice_inside(name: str) -> npt.NDArray[np.bool_]:
    ticks = (np.arange(SIDE) + 0.5) / SIDE
    points = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    return (signed(name, points) < 0).reshape(SIDE, SIDE)


def edges(name: str) -> list[tuple[Floats, Floats]]:
    """The sides of the outline, each as its two ends."""
    return [
        (np.array(start), np.array(end))
        for corners in OUTLINES[name]
        for start, end in itertools.pairwise([*corners, corners[0]])
    ]


def outline_distance(name: str, points: Floats) -> Floats:
    """Distance to the nearest point of the outline: the least over all its sides."""

    def to_side(start: Floats, end: Floats) -> Floats:
        side = end - start
        along = np.clip((points - start) @ side / (side @ side), 0, 1)
        nearest: Floats = start + along[:, None] * side
        return np.asarray(np.linalg.norm(points - nearest, axis=1))

    return np.asarray(np.min([to_side(start, end) for start, end in edges(name)], axis=0))


def test_there_is_one_signed_distance_for_each_shape_in_order() -> None:
    assert list(SIGNED_DISTANCES) == list(SHAPES)


@each_shape
def test_its_area_is_that_of_the_published_pixels(name: str) -> None:
    assert lattice_inside(name).mean() * 128**2 == pytest.approx(AREAS[name], rel=0.01)


@each_shape
def test_it_covers_the_pixels_of_its_outline_filled_by_pil(name: str) -> None:
    image = Image.new("1", (SIDE, SIDE))
    for corners in OUTLINES[name]:
        scaled = [(x * SIDE - 0.5, y * SIDE - 0.5) for x, y in corners]
        ImageDraw.Draw(image).polygon(scaled, fill=1)
    differing = lattice_inside(name) != np.asarray(image)
    assert differing.mean() < 0.008
    assert not differing[SIDE // 2, SIDE // 2]


@each_shape
def test_it_stays_inside_its_box_and_reaches_two_opposite_sides(name: str) -> None:
    inside = lattice_inside(name)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    narrow = {"triangle": 127, "rhombus": 126, "pentagon": 127, "star": 127, "trapezoid": 127}
    assert height / SIDE == pytest.approx(1, abs=0.005)
    assert width / SIDE == pytest.approx(narrow.get(name, 128) / 128, abs=0.005)
    beyond = np.random.default_rng(0).uniform(-0.5, 1.5, (2000, 2))
    beyond = beyond[((beyond < 0) | (beyond > 1)).any(axis=1)]
    assert (signed(name, beyond) > 0).all()


@each_shape
def test_the_signed_distance_never_exceeds_the_distance_to_the_outline(name: str) -> None:
    points = np.random.default_rng(1).uniform(-0.3, 1.3, (1000, 2))
    polygon_error = 1e-5  # of 720 corners in place of a circle
    assert (np.abs(signed(name, points)) <= outline_distance(name, points) + polygon_error).all()


@each_shape
def test_the_signed_distance_is_exact_beside_the_middle_of_each_edge(name: str) -> None:
    sides = edges(name)
    if name == "star":  # its feet are too narrow to have a middle that is far from their corners
        sides = [(start, end) for start, end in sides if np.linalg.norm(end - start) > 0.02]
    for start, end in sides[:: max(1, len(sides) // 24)]:
        side = end - start
        outward = np.array([side[1], -side[0]]) / np.linalg.norm(side)
        for along, away in itertools.product((0.3, 0.5, 0.7), (-0.005, 0, 0.005)):
            point = start + along * side + away * outward
            assert signed(name, point[None])[0] == pytest.approx(away, abs=1e-5)


@pytest.mark.parametrize("name", MIRRORED)
def test_left_and_right_are_mirror_images(name: str) -> None:
    points = np.random.default_rng(2).uniform(0.01, 0.99, (2000, 2))
    other = points * [-1, 1] + [2 * MIRRORED[name], 0]
    assert ((signed(name, points) < 0) == (signed(name, other) < 0)).all()


@pytest.mark.parametrize("name", ["square", "circle", "rhombus"])
def test_half_a_turn_changes_nothing(name: str) -> None:
    middle = {"rhombus": np.array([65 / 64, 1])}.get(name, np.ones(2))
    points = np.random.default_rng(3).uniform(-0.2, 1.2, (500, 2))
    np.testing.assert_allclose(signed(name, points), signed(name, middle - points), atol=1e-12)


@each_shape
def test_a_point_has_the_same_bits_alone_and_in_any_batch(name: str) -> None:
    x, y = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(4)) - 0.5
    together = distance_of(name)(x, y)
    assert together.shape == (3, 5, 7)
    one_by_one = [distance_of(name)(a, b) for a, b in zip(x.ravel(), y.ravel(), strict=True)]
    assert torch.equal(together.ravel(), torch.stack(one_by_one))
