"""The opening picture: a pair of images, the atoms of one question about it, and what models learn.

`trifeature gallery --opening`. The images are drawn by our renderer with larger textures than those
of a data set, so that they can be told apart at the width of a telephone. The bars are the exact
atoms of the law whose pairs keep the map half the time, the curves come from recorded rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy.typing as npt

from trifeature.data.attributes import COLOR_RGB, COLORS, SHAPES, TEXTURES
from trifeature.data.law import law_atoms
from trifeature.data.render import RenderSettings, render
from trifeature.data.settings import DatasetSettings
from trifeature.errors import InputError
from trifeature.experiments.experiment import Result, Setup
from trifeature.experiments.plan import Row
from trifeature.experiments.reproduction import recorded_results, rows_file
from trifeature.pid import Atoms
from trifeature.pid.estimation.bars import ATOM_COLORS
from trifeature.plots import curve_points, drawing

if TYPE_CHECKING:  # Matplotlib is loaded where something is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUESTION: Final = "Does the color match the texture?"
LARGE: Final = RenderSettings(
    canvas=256, box=200.0, period=30.0, grain=4.0, line=8.0, max_angle=10.0, oversample=3
)
"""A renderer's settings with textures three times as coarse as a data set's."""

SAMPLE: Final = slice(84, 172)
"""The pixels of a large square that a tile of the map shows: texture alone."""
LAW: Final = DatasetSettings(match_rate=0.5, synergy_map="identity")
"""Half of the pairs keep the map, so that the answer has one bit."""
PAIR: Final = (("pentagon", "stripes", "orange"), ("pentagon", "pluses", "green"))
"""Shape, texture and color of image 1 and of image 2, a match."""
SHOWN: Final = ("solid", "stripes", "grid", "dots")
"""The textures of the part of the map that is shown."""

SYNERGY: Final = ATOM_COLORS[3]
"""The color of S, here and on the playground."""
BARS: Final[Mapping[str, tuple[str, str]]] = {
    "U1": ("unique1", ATOM_COLORS[1]),
    "R": ("redundancy", ATOM_COLORS[0]),
    "U2": ("unique2", ATOM_COLORS[2]),
    "S": ("synergy", SYNERGY),
}
"""The atom and the color of each bar. R stands between U1 and U2: what an image tells are
neighbors then, and one brace holds them."""

INK: Final = "#24292f"
QUIET: Final = "#6e7781"
SIZE: Final = 20.0
"""Points of the words of a picture 12 inches wide, which is shown as small as 400 pixels."""
LINES: Final = ("CoMM", "Cross")
"""The methods of Figure 4 that are drawn; the first one with its control."""


@dataclass(frozen=True)
class _Line:
    """One curve: epochs, mean and standard deviation of the AUC of S in percent, and its look."""

    words: str
    epochs: npt.NDArray[Any]
    mean: npt.NDArray[Any]
    spread: npt.NDArray[Any]
    color: str
    dashes: str = "-"


def opening_atoms() -> Atoms:
    """The exact atoms, in bits, of whether a pair keeps the map, see `LAW`."""
    return law_atoms(LAW, "synergy", "train")


def opening_figure(rows: Path | str | Sequence[Row] | None = None) -> Figure:
    """A pair and the map, the four bars of the question, and the AUC of S over the epochs.

    Args:
        rows: Rows of the quick preset, or their file; `figures/quick.jsonl` by default.

    Returns:
        The figure. Curves are means over the seeds with a band of ± one standard deviation.

    Raises:
        InputError: a curve has no rows, or the file does not exist.
    """
    file = rows_file("quick") if rows is None else rows
    lines = _lines(recorded_results("fig4", Setup("quick"), file))
    style = {"font.size": SIZE, "axes.grid": False, "text.color": INK, "axes.labelcolor": INK}
    with drawing(12, 5.6, **style) as figure:
        figure.set_layout_engine("none")  # every panel has its place
        _card(figure)
        _draw_pair(figure)
        _draw_atoms(figure.add_axes((0.44, 0.4, 0.22, 0.36)), opening_atoms())
        _draw_lines(figure.add_axes((0.76, 0.19, 0.11, 0.53)), lines)
        heading: dict[str, Any] = {"fontsize": SIZE + 4, "fontweight": "bold", "va": "center"}
        figure.text(0.035, 0.895, QUESTION, **heading)
        figure.text(0.965, 0.895, "What models learned", ha="right", **heading)
    return figure


# --------------------------------------------------------------------------- the curves


def _lines(results: Iterable[Result]) -> list[_Line]:
    """CoMM, its control, and Cross."""
    by_label = {result.arm.label: result for result in results}
    comm, cross = (by_label[label] for label in LINES)
    return [
        _line(LINES[0], comm, True, SYNERGY),
        _line("without\nthe map", comm, False, SYNERGY, "--"),
        _line(LINES[1], cross, True, QUIET),
    ]


def _line(words: str, result: Result, biased: bool, color: str, dashes: str = "-") -> _Line:
    """The curve of a method trained on biased or on unbiased pairs."""
    own = [r for r in result.curves if r["biased"] == biased and r.get("S_auc") is not None]
    if not own:
        pairs = "biased" if biased else "unbiased"
        raise InputError(
            f"no row of {result.arm.label} on {pairs} pairs of the quick preset: "
            "`comm-probe reproduce fig4` writes them"
        )
    return _Line(words, *curve_points(own, "S_auc"), color, dashes)


def _draw_lines(axes: Axes, lines: Sequence[_Line]) -> None:
    """The curves, each with its name and last value at its end."""
    for line in lines:
        axes.plot(
            line.epochs, line.mean, line.dashes, color=line.color, linewidth=4, label=line.words
        )
        low, high = line.mean - line.spread, line.mean + line.spread
        axes.fill_between(line.epochs, low, high, color=line.color, alpha=0.18, linewidth=0)
    last = max(line.epochs[-1] for line in lines)
    for line, height in zip(lines, _apart([line.mean[-1] for line in lines]), strict=True):
        axes.annotate(
            line.words, (last * 1.08, height), color=line.color, va="center", annotation_clip=False
        )
    low = min(float(min(line.mean - line.spread)) for line in lines)
    high = max(float(max(line.mean + line.spread)) for line in lines)
    top = 10 * math.ceil(max(float(line.mean[-1]) for line in lines) / 10)
    axes.set(ylim=(min(low, 48) - 3, max(high, top) + 3), yticks=sorted({50, top}))
    axes.set(xlim=(0, last), xticks=(0, int(last)))
    axes.set_xlabel("epochs", labelpad=-18)
    axes.set_title("S (AUC, %)", fontsize=SIZE, loc="left", x=-0.3, pad=8, color=QUIET)


def _apart(heights: Sequence[float], gap: float = 8.0) -> list[float]:
    """Heights of labels, from the top, that keep a distance in percent."""
    placed: list[float] = []
    for height in heights:
        placed.append(min(height, placed[-1] - gap) if placed else height)
    return placed


# --------------------------------------------------------------------------- the pair, the bars


def _card(figure: Figure) -> None:
    """A white card with round corners, for pages of any color."""
    from matplotlib.patches import FancyBboxPatch  # noqa: PLC0415 - see `trifeature.plots.drawing`

    figure.set_facecolor("none")
    look: dict[str, Any] = {
        "facecolor": "white",
        "edgecolor": "#d0d7de",
        "linewidth": 1.5,
        "zorder": -10,
    }
    card = FancyBboxPatch(
        (0.01, 0.02),
        0.98,
        0.96,
        "round,pad=0,rounding_size=0.02",
        transform=figure.transFigure,
        mutation_aspect=12 / 5.6,
        **look,
    )
    figure.add_artist(card)


def _draw_pair(figure: Figure) -> None:
    """Two images side by side, and below them the map, with the pair's own line framed."""
    items = [
        (SHAPES.index(shape), TEXTURES.index(texture), COLORS.index(color))
        for shape, texture, color in PAIR
    ]
    images = render(items, 0, seed=3, settings=LARGE).permute(0, 2, 3, 1).numpy()
    shown = zip((0.035, 0.225), (PAIR[0][1], PAIR[1][2]), images, strict=True)
    for number, (left, words, image) in enumerate(shown, start=1):
        axes = figure.add_axes((left, 0.375, 0.18, 0.18 * 12 / 5.6))
        axes.imshow(image)
        axes.axis("off")
        axes.set_title(f"image {number}", fontsize=SIZE, pad=5, color=QUIET)
        figure.text(left + 0.09, 0.335, words, ha="center", va="center")
    _draw_map(figure.add_axes((0.035, 0.1, 0.37, 0.21)))
    figure.text(0.22, 0.095, "the map says: yes", color=QUIET, ha="center", va="center")


def shown_map() -> dict[str, str]:
    """The color of each texture that is shown, by the map of `LAW`."""
    return {texture: COLORS[LAW.partners[TEXTURES.index(texture)]] for texture in SHOWN}


def _draw_map(axes: Axes) -> None:
    """The map: a tile of each texture, an arrow, and the color that belongs to it."""
    from matplotlib.patches import (  # noqa: PLC0415 - see `trifeature.plots.drawing`
        Circle,
        FancyBboxPatch,
        Rectangle,
    )

    white, square = COLORS.index("white"), SHAPES.index("square")
    items = [(square, TEXTURES.index(name), white) for name in SHOWN]
    tiles = render(items, 0, seed=5, settings=LARGE).permute(0, 2, 3, 1).numpy()
    axes.set(xlim=(0, 4), ylim=(-0.5, 0.5), aspect="equal", anchor="W")
    axes.axis("off")
    for place, ((texture, color), tile) in enumerate(zip(shown_map().items(), tiles, strict=True)):
        # White on the renderer's gray becomes ink on paper.
        paper = 1.35 - tile[SAMPLE, SAMPLE, 0] / 255 * 1.2
        corners = (place + 0.08, place + 0.42, -0.17, 0.17)
        axes.imshow(paper, extent=corners, cmap="gray", vmin=0, vmax=0.76)
        axes.add_patch(Rectangle((place + 0.08, -0.17), 0.34, 0.34, fill=False, edgecolor="0.6"))
        axes.annotate(
            "",
            (place + 0.64, 0),
            (place + 0.44, 0),
            arrowprops={"arrowstyle": "-|>", "color": QUIET, "linewidth": 1.5},
        )
        axes.add_patch(Circle((place + 0.77, 0), 0.14, facecolor=COLOR_RGB[color], edgecolor="0.6"))
        if (texture, color) == (PAIR[0][1], PAIR[1][2]):
            frame = FancyBboxPatch(
                (place + 0.02, -0.25),
                0.96,
                0.5,
                "round,pad=0,rounding_size=0.08",
                fill=False,
                edgecolor=INK,
                linewidth=2.5,
            )
            axes.add_patch(frame)


def _draw_atoms(axes: Axes, atoms: Atoms) -> None:
    """The four bars with their bits, and braces of what each image and both tell."""
    values = {name: max(atoms.value(atom), 0.0) for name, (atom, _) in BARS.items()}
    for place, (name, value) in enumerate(values.items()):
        axes.bar(place, value, 0.72, color=BARS[name][1], label=name)
        base: dict[str, Any] = {"color": BARS[name][1], "linewidth": 5, "solid_capstyle": "butt"}
        axes.plot([place - 0.36, place + 0.36], [0, 0], **base)
        axes.text(
            place, value + 0.04, _bits(value), ha="center", fontsize=SIZE + 2, fontweight="bold"
        )
        axes.text(place, -0.06, name, ha="center", va="top", color=INK)
    axes.text(2.5, 0.75, "synergy", ha="right", color=SYNERGY)
    axes.set(xlim=(-0.5, 3.5), ylim=(0, 1.1))
    axes.axis("off")
    sums = (
        ("image 1", ("U1", "R"), -0.36),
        ("image 2", ("R", "U2"), -0.61),
        ("both", tuple(BARS), -0.85),
    )
    for words, names, height in sums:
        _brace(axes, names, height, f"{words}: {_bits(sum(values[name] for name in names))}")


def _bits(value: float) -> str:
    """A number of bits; 0 needs no unit."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return text if text == "0" else f"{text} {'bit' if text == '1' else 'bits'}"


def _brace(axes: Axes, names: Sequence[str], height: float, words: str) -> None:
    """A bracket below the bars of some names, with its sum."""
    order = list(BARS)
    left, right = order.index(names[0]) - 0.36, order.index(names[-1]) + 0.36
    axes.plot(
        [left, left, right, right],
        [height + 0.05, height, height, height + 0.05],
        color=INK,
        linewidth=2,
        clip_on=False,
    )
    if right < len(order) - 1:
        axes.text(right + 0.1, height, words, va="center", clip_on=False)
    else:
        axes.text((left + right) / 2, height - 0.05, words, ha="center", va="top", clip_on=False)
