"""The vocabulary: names and order are part of the data set, so they are written out again here."""

from __future__ import annotations

import pytest

from trifeature.data.attributes import ATTRIBUTES, COLOR_RGB, COLORS, SHAPES, TEXTURES, VALUES


def test_shapes_stand_in_the_order_of_their_labels() -> None:
    expected = "triangle square plus circle tee rhombus pentagon star fivesquare trapezoid"
    assert expected.split() == list(SHAPES)


def test_textures_stand_in_the_order_of_their_labels() -> None:
    expected = "solid stripes grid hexgrid dots noise triangles zigzags rain pluses"
    assert expected.split() == list(TEXTURES)


def test_colors_stand_in_the_order_of_their_labels() -> None:
    expected = "red green blue yellow pink cyan purple ocean orange white"
    assert expected.split() == list(COLORS)


@pytest.mark.parametrize(
    ("color", "rgb"),
    [
        ("red", (1, 0, 0)),
        ("green", (0, 1, 0)),
        ("blue", (0, 0, 1)),
        ("yellow", (1, 1, 0)),
        ("pink", (1, 0.4, 1)),
        ("cyan", (0, 1, 1)),
        ("purple", (0.3, 0, 0.5)),
        ("ocean", (0.1, 0.4, 0.5)),
        ("orange", (1, 0.6, 0)),
        ("white", (1, 1, 1)),
    ],
)
def test_each_color_has_the_rgb_of_the_original_data(
    color: str, rgb: tuple[float, float, float]
) -> None:
    assert COLOR_RGB[color] == rgb


def test_every_color_has_an_rgb_in_the_order_of_the_labels() -> None:
    assert list(COLOR_RGB) == list(COLORS)


def test_attribute_tables_have_the_columns_shape_texture_color() -> None:
    assert ATTRIBUTES == ("shape", "texture", "color")
    assert VALUES == {"shape": SHAPES, "texture": TEXTURES, "color": COLORS}
    assert list(VALUES) == list(ATTRIBUTES)
