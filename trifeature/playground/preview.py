"""The page's preview picture, 1200 × 630 pixels: what a link to the page shows where it is shared.

One pair that keeps the map, the lines of the map that it is about, and the four atoms of the
question whether color 2 matches texture 1, under the law whose pairs keep the map half the time.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from trifeature.data.attributes import COLOR_RGB, COLORS, SHAPES, TEXTURES
from trifeature.data.render import RenderSettings, render
from trifeature.experiments.opening import LAW, QUESTION, opening_atoms
from trifeature.files import write_atomically
from trifeature.pid import ATOM_NAMES
from trifeature.pid.estimation.bars import ATOM_COLORS
from trifeature.plots import drawing

if TYPE_CHECKING:  # Matplotlib is loaded where something is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE: Final = (1200, 630)
"""Width and height in pixels, as shared links show them."""
PAIR: Final = (("pentagon", "dots", "yellow"), ("pentagon", "stripes", "pink"))
"""Shape, texture and color of image 1 and of image 2; the map assigns color 2 to texture 1."""
KEY: Final = ("stripes", "grid", "dots", "zigzags")
"""The textures of the lines of the map that are shown."""
COARSE: Final = RenderSettings(
    canvas=448, box=330.0, period=52.0, grain=7.0, line=15.0, max_angle=14.0, oversample=3
)
"""How the two images are drawn: textures that show in a small picture."""

INK: Final = "#1b1f24"
SOFT: Final = "#515a64"
LINE: Final = "#d5d9de"
WASH: Final = "#f5f5f2"
"""The page's colors of words, lines and ground, see style.css."""
DOTS_PER_INCH: Final = 100
PALETTE: Final = 128


def preview_figure() -> Figure:
    """The picture, 12 × 6.3 inches."""
    with drawing(
        SIZE[0] / DOTS_PER_INCH, SIZE[1] / DOTS_PER_INCH, **{"axes.grid": False, "text.color": INK}
    ) as figure:
        figure.set_layout_engine("none")  # every part has its place
        figure.set_facecolor(WASH)
        _card(figure, (0.025, 0.045, 0.95, 0.91))
        figure.text(0.055, 0.835, QUESTION, fontsize=32, fontweight="bold", va="center")
        _draw_pair(figure)
        _draw_key(figure)
        _draw_atoms(figure)
    return figure


def write_preview(path: Path) -> Path:
    """Write the picture as a PNG.

    Args:
        path: File to write; its folder is made.

    Returns:
        The file written.
    """
    content = io.BytesIO()
    preview_figure().savefig(content, format="png", dpi=DOTS_PER_INCH)
    image = Image.open(content).convert("RGB").quantize(PALETTE, dither=Image.Dither.NONE)
    small = io.BytesIO()
    image.save(small, "PNG", optimize=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, small.getvalue())
    return path


# --------------------------------------------------------------------------- the parts


def _card(figure: Figure, place: Sequence[float]) -> None:
    from matplotlib.patches import FancyBboxPatch  # noqa: PLC0415 - see `trifeature.plots.drawing`

    left, low, width, height = place
    look: dict[str, Any] = {"facecolor": "white", "edgecolor": LINE, "linewidth": 1.5, "zorder": -9}
    card = FancyBboxPatch(
        (left, low),
        width,
        height,
        "round,pad=0,rounding_size=0.018",
        transform=figure.transFigure,
        mutation_aspect=SIZE[0] / SIZE[1],
        **look,
    )
    figure.add_artist(card)


def _draw_pair(figure: Figure) -> None:
    """Two images side by side, each with what of it matters below."""
    items = [
        (SHAPES.index(shape), TEXTURES.index(texture), COLORS.index(color))
        for shape, texture, color in PAIR
    ]
    images = render(items, 0, seed=11, settings=COARSE).permute(0, 2, 3, 1).numpy()
    side = 0.245
    words = (("image 1", PAIR[0][1]), ("image 2", PAIR[1][2]))
    for number, image in enumerate(images):
        left = 0.055 + number * (side + 0.015)
        axes = figure.add_axes((left, 0.265, side, side * SIZE[0] / SIZE[1]))
        axes.imshow(_rounded(image), interpolation="antialiased")
        axes.axis("off")
        name, shown = words[number]
        figure.text(left, 0.222, name, fontsize=17, color=SOFT, va="center")
        figure.text(
            left + side, 0.222, shown, fontsize=17, fontweight="bold", va="center", ha="right"
        )


def _rounded(image: np.ndarray[Any, Any], radius: int = 16) -> np.ndarray[Any, Any]:
    """An image [S, S, 3] with transparent corners: [S, S, 4]."""
    side = len(image)
    place = np.arange(side)
    beyond = np.maximum(np.maximum(radius - place, place - (side - 1 - radius)), 0)
    inside = np.hypot(beyond[:, None], beyond[None]) <= radius
    return np.dstack([image, np.where(inside, 255, 0).astype(np.uint8)])


def _draw_key(figure: Figure) -> None:
    """Lines of the map: a tile of the texture, an arrow and the color; that of the pair framed."""
    from matplotlib.patches import (  # noqa: PLC0415 - see `trifeature.plots.drawing`
        FancyBboxPatch,
        Rectangle,
    )

    white, square = COLORS.index("white"), SHAPES.index("square")
    items = [(square, TEXTURES.index(name), white) for name in KEY]
    upright = RenderSettings(canvas=448, box=330.0, period=52.0, grain=7.0, line=15.0, max_angle=0)
    tiles = render(items, 0, seed=11, settings=upright).permute(0, 2, 3, 1).numpy()
    axes = figure.add_axes((0.055, 0.08, 0.505, 0.1))
    axes.set(xlim=(12, 517), ylim=(0, 63), aspect="equal", anchor="W")
    axes.axis("off")
    step, middle = 505 / len(KEY), 31
    for place, (texture, tile) in enumerate(zip(KEY, tiles, strict=True)):
        color = COLORS[LAW.partners[TEXTURES.index(texture)]]
        left = place * step + 12
        axes.imshow(
            _middle(tile), extent=(left, left + 36, middle - 18, middle + 18), cmap="gray", vmin=0
        )
        box: dict[str, Any] = {"edgecolor": SOFT, "linewidth": 1.0, "joinstyle": "round"}
        axes.add_patch(Rectangle((left, middle - 18), 36, 36, fill=False, **box))
        axes.annotate(
            "",
            (left + 63, middle),
            (left + 41, middle),
            arrowprops={"arrowstyle": "-|>", "color": SOFT, "linewidth": 1.6},
        )
        axes.add_patch(
            Rectangle((left + 67, middle - 18), 36, 36, facecolor=COLOR_RGB[color], **box)
        )
        if (texture, color) == (PAIR[0][1], PAIR[1][2]):
            frame = FancyBboxPatch(
                (left - 6, middle - 25),
                115,
                50,
                "round,pad=0,rounding_size=9",
                fill=False,
                edgecolor=INK,
                linewidth=2.6,
            )
            axes.add_patch(frame)


def _middle(tile: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The texture alone, as dark ink on white: two periods of the middle of a square."""
    side = len(tile)
    part = tile[side // 2 - 60 : side // 2 + 60, side // 2 - 60 : side // 2 + 60, 0] / 255
    ink = np.clip((part - 0.5) / 0.5, 0, 1)
    return np.asarray(1 - 0.8 * ink)


def _draw_atoms(figure: Figure) -> None:
    """The sum as words, and the four bars with their bits."""
    atoms = opening_atoms()
    one, two, both = (
        _number(atoms.redundancy + atoms.unique1),
        _number(atoms.redundancy + atoms.unique2),
        _number(atoms.total),
    )
    figure.text(0.775, 0.69, f"{one} + {two} = {both} bit", fontsize=39, **_CENTER_BOLD)
    words = f"either image alone tells {one} bits,\nboth together tell {both}: synergy"
    figure.text(0.775, 0.585, words, fontsize=16.5, color=SOFT, linespacing=1.35, **_CENTER)
    axes = figure.add_axes((0.615, 0.155, 0.32, 0.33))
    for place, (atom, name) in enumerate(zip(ATOM_NAMES, ("R", "U1", "U2", "S"), strict=True)):
        _draw_bar(axes, place, name, max(0.0, atoms.value(atom)))
    axes.set(xlim=(-0.55, 3.55), ylim=(0, 1.18))
    axes.axis("off")


_CENTER: Final[dict[str, Any]] = {"ha": "center", "va": "center"}
_FLAT: Final[dict[str, Any]] = {"clip_on": False, "solid_capstyle": "butt"}
_CENTER_BOLD: Final[dict[str, Any]] = {**_CENTER, "fontweight": "bold"}


def _draw_bar(axes: Axes, place: int, name: str, value: float) -> None:
    color = ATOM_COLORS[place]
    axes.bar(place, value, 0.7, color=color)
    axes.plot([place - 0.35, place + 0.35], [0, 0], color=color, linewidth=7, **_FLAT)
    axes.text(
        place, value + 0.05, _number(value), ha="center", va="bottom", fontsize=20, weight="bold"
    )
    axes.text(place, -0.07, name, ha="center", va="top", fontsize=19, clip_on=False)


def _number(bits: float) -> str:
    """Bits with two decimals at most.

    >>> _number(1.0), _number(0.25), _number(0.0)
    ('1', '0.25', '0')
    """
    return f"{abs(bits):.2f}".rstrip("0").rstrip(".")
