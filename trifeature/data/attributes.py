"""The attribute values of Trifeature: ten shapes, ten textures, ten colors, in label order.

The order is part of the data set: the position of a name is its integer label. Names and order
follow Hermann & Lampinen (2020), "What shapes feature representations?", NeurIPS 2020.
"""

from __future__ import annotations

from typing import Final

SHAPES: Final = (
    "triangle",
    "square",
    "plus",
    "circle",
    "tee",
    "rhombus",
    "pentagon",
    "star",
    "fivesquare",
    "trapezoid",
)
"""The shapes; a shape's position is its label."""

TEXTURES: Final = (
    "solid",
    "stripes",
    "grid",
    "hexgrid",
    "dots",
    "noise",
    "triangles",
    "zigzags",
    "rain",
    "pluses",
)
"""The textures; a texture's position is its label."""

COLORS: Final = (
    "red",
    "green",
    "blue",
    "yellow",
    "pink",
    "cyan",
    "purple",
    "ocean",
    "orange",
    "white",
)
"""The colors; a color's position is its label."""

COLOR_RGB: Final[dict[str, tuple[float, float, float]]] = {
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
"""RGB in [0, 1] of each color by its name; further colors can be added."""

ATTRIBUTES: Final = ("shape", "texture", "color")
"""The three attributes of an image, in the order of the columns of an attribute table."""

VALUES: Final = {"shape": SHAPES, "texture": TEXTURES, "color": COLORS}
"""For each attribute the names of its values."""
