"""A picture of a screening: an atom of all pairs of columns as a heat map.

Shape legend: c columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from trifeature.errors import InputError
from trifeature.pid.tables import Array

if TYPE_CHECKING:  # Matplotlib is loaded where something is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from trifeature.pid.screening.result import Screen

MOST_LABELS: Final = 40
"""Columns up to which each is named; more names than this cannot be read."""

LEAST_WITH_BAR_INSIDE: Final = 8
"""Rows of a triangle from which the bar of colors has room in its empty half."""

COLORS: Final = "RdBu_r"
"""White at 0 bits, so that noise around 0 is pale on either side."""

_TITLES: Final = {
    "redundancy": "Redundancy",
    "unique": "Unique information of the row beyond the column",
    "synergy": "Synergy",
    "total": "Information of both together",
}


def heat_map(screen: Screen, atom: str = "synergy", *, largest_q: float | None = None) -> Figure:
    """Draw an atom of all pairs of a screening.

    Args:
        screen: Made by `trifeature.pid.screening.screen_pairs.screen`.
        atom: "redundancy", "synergy" or "total", one half of a symmetric matrix; or "unique", the
            whole matrix: what the variable of the row tells beyond that of the column.
        largest_q: Cross out the pairs whose `q_value_total` is above this.

    Returns:
        The figure; pairs that were not screened are gray. Columns are named if there are at most
        `MOST_LABELS`.

    Raises:
        InputError: No such atom, nothing to draw, or no q-values.
    """
    values = screen.matrix(atom)
    crossed = np.zeros(values.shape, dtype=np.bool_)
    if largest_q is not None:
        silent = ~screen.tells(largest_q)
        crossed = screen.spread(silent, silent, absent=False)
    if atom != "unique":
        # Rows 1 to c - 1 and columns 0 to c - 2: the half below the diagonal.
        below = np.tri(len(values), k=-1, dtype=np.bool_)
        values = np.where(below, values, np.nan)[1:, :-1]
        crossed = (below & crossed)[1:, :-1]
    if not np.isfinite(values).any():
        raise InputError("nothing to draw: no pair has a value")
    return _figure(screen, atom, values, crossed, largest_q)


def _figure(
    screen: Screen, atom: str, values: Array, crossed: NDArray[np.bool_], largest_q: float | None
) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to load
    from matplotlib.figure import Figure  # noqa: PLC0415

    side = float(np.clip(0.24 * len(values), 2.6, 9.0))
    figure = Figure(figsize=(side + 2.2, side + 1.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    triangle = atom != "unique"
    image = _draw(axes, values, least=10 * screen.settings["tolerance"], triangle=triangle)
    _cross_out(axes, crossed, 72 * side / len(values))
    _label(axes, "y", screen.names[1:] if triangle else screen.names)
    _label(axes, "x", screen.names[:-1] if triangle else screen.names)
    _color_bar(axes, image, values, inside=triangle and len(values) >= LEAST_WITH_BAR_INSIDE)
    axes.set_title(_title(screen, atom), fontsize=10, loc="left", parse_math=False)
    axes.set_xlabel(_caption(screen, largest_q, bool(crossed.any())), fontsize=7, loc="left")
    axes.xaxis.label.set(color="0.35", parse_math=False)
    return figure


def _color_bar(axes: Axes, image: Any, values: Array, *, inside: bool) -> None:
    """A bar of the colors that occur, in the empty half of a triangle or at the right."""
    if inside:
        bar = axes.figure.colorbar(image, cax=axes.inset_axes((0.86, 0.5, 0.035, 0.45)))
    else:
        bar = axes.figure.colorbar(image, ax=axes, shrink=0.7, aspect=25, pad=0.02)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    margin = 0.02 * image.norm.vmax
    bar.ax.set_ylim(
        max(min(low, 0.0) - margin, image.norm.vmin),
        min(max(high, 0.2 * image.norm.vmax) + margin, image.norm.vmax),
    )
    bar.set_label("bits", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)


def _draw(axes: Axes, values: Array, *, least: float, triangle: bool) -> Any:
    """The colored cells; gray where there is no pair, nothing beside the triangle.

    The colors reach to `least` bits at the least, so that rounding errors look like nothing.
    """
    rows, columns = values.shape
    gray = np.full((rows, columns), np.nan)
    expected = np.tri(rows, columns, dtype=np.bool_) if triangle else ~np.eye(rows, dtype=np.bool_)
    gray[expected & np.isnan(values)] = 0.0
    axes.imshow(gray, cmap="gray", vmin=-6, vmax=1, interpolation="nearest")
    largest = max(float(np.nanmax(np.abs(values))), least)
    image = axes.imshow(values, cmap=COLORS, vmin=-largest, vmax=largest, interpolation="nearest")
    for side in ("top", "right", "bottom", "left"):
        axes.spines[side].set_visible(False)
    axes.grid(visible=False)
    if rows <= MOST_LABELS:  # white lines between the cells
        axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1.0)
    axes.tick_params(which="both", length=0)
    return image


def _cross_out(axes: Axes, crossed: NDArray[np.bool_], points: float) -> None:
    """Mark cells whose side has so many points."""
    rows, columns = np.nonzero(crossed)
    axes.scatter(
        columns,
        rows,
        s=(0.22 * points) ** 2,
        marker="x",
        color="0.6",
        linewidths=min(0.7, 0.06 * points),
    )


def _label(axes: Axes, axis: str, names: tuple[str, ...]) -> None:
    """Name the columns at the axis "x" or "y", or state how many there are."""
    ticks = axes.set_xticks if axis == "x" else axes.set_yticks
    if len(names) > MOST_LABELS:
        ticks([])
        return
    rotation = 90 if axis == "x" and max(map(len, names)) > 2 else 0
    labels = [_short(name) for name in names]
    size = float(np.clip(200 / len(names), 6.5, 9))
    ticks(range(len(names)), labels, fontsize=size, rotation=rotation)
    for label in axes.get_xticklabels() if axis == "x" else axes.get_yticklabels():
        label.set_parse_math(False)


def _short(name: str, length: int = 24) -> str:
    plain = _plain(name)
    return plain if len(plain) <= length else plain[: length - 1] + "…"


def _plain(text: str) -> str:
    """Text without control characters, which fonts do not have."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _title(screen: Screen, atom: str) -> str:
    return f"{_TITLES[atom]} about {_short(screen.target)}"


def _caption(screen: Screen, largest_q: float | None, crossed: bool) -> str:
    """What the picture is of, in small print."""
    what = {"none": "not corrected", "shuffle": "mean of the shuffles subtracted"}
    correction = screen.settings["correction"]
    pairs = "1 pair" if len(screen) == 1 else f"{len(screen):,} pairs"
    lines = [
        f"{pairs} of {len(screen.names):,} columns, {screen.samples:,} samples",
        what.get(correction, f"correction: {correction}"),
    ]
    few = int(np.sum(screen.values["too_few"]))
    if few:
        lines.append(f"{few:,} of them want more samples: an indication only")
    if crossed:
        lines.append(f"×: no sign of any information (q-value above {largest_q:g})")
    return "\n".join(lines)
