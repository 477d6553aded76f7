"""The ten shapes against outlines written down by hand, filled by PIL or measured by brute force.

Outlines are corners in the box [0, 1]², x to the right and y downwards.
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


def cell(column: int, row: int) -> Corners:
    """One cell of a 3 × 3 grid."""
    x, y = column / 3, row / 3
    return [(x, y), (x + 1 / 3, y), (x + 1 / 3, y + 1 / 3), (x, y + 1 / 3)]


A, B = 1 / 3, 2 / 3
INNER: Final = math.cos(math.radians(72)) / math.cos(math.radians(36)) / 2
"""Distance from a pentagram's center to its five inner corners."""

OUTLINES: Final[dict[str, list[Corners]]] = {
    "triangle": [[(0.5, 0), (1, 1), (0, 1)]],
    "square": [[(0, 0), (1, 0), (1, 1), (0, 1)]],
    "plus": [
        [
            *((A, 0), (B, 0), (B, A), (1, A), (1, B), (B, B)),
            *((B, 1), (A, 1), (A, B), (0, B), (0, A), (A, A)),
        ]
    ],
    "circle": [on_circle(0.5, [k / 720 for k in range(720)])],
    "tee": [[(0, 0), (1, 0), (1, A), (B, A), (B, 1), (A, 1), (A, A), (0, A)]],
    "rhombus": [[(0.5, 0), (1, 0), (0.5, 1), (0, 1)]],
    "pentagon": [on_circle(0.5, [k / 5 for k in range(5)])],
    "star": [
        [
            corner
            for k in range(5)
            for corner in (*on_circle(0.5, [k / 5]), *on_circle(INNER, [(k + 0.5) / 5]))
        ]
    ],
    "fivesquare": [cell(0, 0), cell(2, 0), cell(1, 1), cell(0, 2), cell(2, 2)],
    "trapezoid": [[(0, 0), (1, 0), (0.75, 1), (0.25, 1)]],
}

AREAS: Final = {
    "triangle": 1 / 2,
    "square": 1,
    "plus": 5 / 9,
    "circle": math.pi / 4,
    "tee": 5 / 9,
    "rhombus": 1 / 2,
    "pentagon": 5 / 8 * math.sin(math.radians(72)),
    "star": 5 / 2 * INNER * math.sin(math.radians(36)),
    "fivesquare": 5 / 9,
    "trapezoid": 3 / 4,
}

MIRRORED: Final = [name for name in SHAPES if name != "rhombus"]

each_shape = pytest.mark.parametrize("name", SHAPES)


def distance_of(name: str) -> SignedDistance:
    return SIGNED_DISTANCES[SHAPES.index(name)]


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
    assert [function.__name__ for function in SIGNED_DISTANCES] == list(SHAPES)


@each_shape
def test_its_area_is_the_closed_form(name: str) -> None:
    assert lattice_inside(name).mean() == pytest.approx(AREAS[name], abs=2e-3)


@each_shape
def test_it_covers_the_pixels_of_its_outline_filled_by_pil(name: str) -> None:
    image = Image.new("1", (SIDE, SIDE))
    for corners in OUTLINES[name]:
        pixels = [(x * SIDE - 0.5, y * SIDE - 0.5) for x, y in corners]
        ImageDraw.Draw(image).polygon(pixels, fill=1)
    differing = lattice_inside(name) != np.asarray(image)
    assert differing.mean() < 0.008
    assert not differing[SIDE // 2, SIDE // 2]


@each_shape
def test_it_stays_inside_its_box_and_reaches_two_opposite_sides(name: str) -> None:
    inside = lattice_inside(name)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    expected_height = {"pentagon": 0.9045, "star": 0.9045}.get(name, 1)
    expected_width = {"pentagon": 0.9511, "star": 0.9511}.get(name, 1)
    assert height / SIDE == pytest.approx(expected_height, abs=0.005)
    assert width / SIDE == pytest.approx(expected_width, abs=0.005)
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
    for start, end in sides[:: max(1, len(sides) // 24)]:
        side = end - start
        outward = np.array([side[1], -side[0]]) / np.linalg.norm(side)
        for along, away in itertools.product((0.3, 0.5, 0.7), (-0.005, 0, 0.005)):
            point = start + along * side + away * outward
            assert signed(name, point[None])[0] == pytest.approx(away, abs=1e-5)


@pytest.mark.parametrize("name", MIRRORED)
def test_left_and_right_are_mirror_images(name: str) -> None:
    points = np.random.default_rng(2).uniform(-0.2, 1.2, (500, 2))
    mirrored = points * [-1, 1] + [1, 0]
    np.testing.assert_allclose(signed(name, points), signed(name, mirrored), atol=1e-12)


@pytest.mark.parametrize("name", ["square", "plus", "circle", "rhombus", "fivesquare"])
def test_half_a_turn_changes_nothing(name: str) -> None:
    points = np.random.default_rng(3).uniform(-0.2, 1.2, (500, 2))
    np.testing.assert_allclose(signed(name, points), signed(name, 1 - points), atol=1e-12)


@each_shape
def test_a_point_has_the_same_bits_alone_and_in_any_batch(name: str) -> None:
    x, y = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(4)) - 0.5
    together = distance_of(name)(x, y)
    assert together.shape == (3, 5, 7)
    one_by_one = [distance_of(name)(a, b) for a, b in zip(x.ravel(), y.ravel(), strict=True)]
    assert torch.equal(together.ravel(), torch.stack(one_by_one))
