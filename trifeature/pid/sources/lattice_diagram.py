"""Picture of the lattice of antichains, bottom to top, with the atom of each in bits.

Shape legend: A antichains, each at a position (x, level).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from trifeature.checks import require_whole
from trifeature.errors import InputError
from trifeature.pid.sources.lattice import Lattice, LatticeAtoms
from trifeature.pid.sources.union import source_names
from trifeature.pid.tables import Array

if TYPE_CHECKING:  # Matplotlib takes half a second to load
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure

# Blue for what is told, orange for what misinforms: told apart by color-blind readers too.
COLORS: Final = ("#D55E00", "#F2F2F2", "#0072B2")
# Atoms below this are rounding errors of zero, which has no sign.
ZERO: Final = 5e-7
# Most antichains that are drawn as boxes with their names; more are drawn as dots.
BOXES: Final = 18
# Passes that order the antichains of a level by the mean place of their neighbors.
SWEEPS: Final = 24


def lattice_diagram(atoms: LatticeAtoms, *, labels: int = 14) -> Figure:
    """Draw the lattice: redundancy of all sources at the bottom, synergy of all at the top.

    Two or three sources are boxes with the name and the atom of each antichain. The 166 antichains
    of four are dots, whose area grows with the atom; the largest are numbered and listed beside.
    Color tells the sign; a dashed edge or a diamond repeats it for negative atoms.

    Args:
        atoms: What `lattice_atoms` returned.
        labels: Number of dots that are listed, for four sources; from 0 to 20.

    Raises:
        InputError: `atoms` is something else, or `labels` is out of range.
    """
    if not isinstance(atoms, LatticeAtoms):
        raise InputError(f"a lattice diagram needs LatticeAtoms, got {type(atoms).__name__}")
    require_whole("labels", labels, 0, 20)
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    look = _Look.of(atoms)
    places = positions(atoms.lattice)
    boxes = len(atoms.atoms) <= BOXES
    figure = Figure(figsize=_size(atoms.lattice, boxes=boxes), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _draw_edges(axes, atoms.lattice, places, faint=not boxes)
    if boxes:
        _draw_boxes(axes, atoms, places, look)
    else:
        listed = _listed(look.values, labels)
        _draw_dots(axes, places, look, listed)
        _write_list(axes, atoms, look, listed)
    _finish(figure, axes, atoms, look)
    return figure


@dataclass(frozen=True, eq=False)
class _Look:
    """The atoms as drawn, [A] with rounding errors set to 0, their colors and their decimals."""

    values: Array
    cmap: Colormap
    norm: Normalize
    decimals: int

    @classmethod
    def of(cls, atoms: LatticeAtoms) -> _Look:
        from matplotlib.colors import LinearSegmentedColormap, Normalize  # noqa: PLC0415

        values = np.array(list(atoms.atoms.values()))
        values = np.where(np.abs(values) < ZERO, 0.0, values)
        largest = float(np.abs(values).max()) or 1.0
        decimals = int(np.clip(1 - np.floor(np.log10(largest)), 3, 6))
        cmap = LinearSegmentedColormap.from_list("atoms", COLORS)
        return cls(values, cmap, Normalize(-largest, largest), decimals)

    def color(self, bits: float) -> tuple[float, float, float, float]:
        return self.cmap(self.norm(bits))

    def ink(self, bits: float) -> str:
        """Black or white, whichever can be read on the color."""
        red, green, blue, _ = self.color(bits)
        return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "black"

    def text(self, bits: float) -> str:
        return "0" if bits == 0 else f"{bits:.{self.decimals}f}".replace("-", "\u2212")


def positions(order: Lattice) -> Array:
    """Place of each antichain: x, centered on 0 at each level, and the level; [A, 2].

    Starts from the order of the names; then each level in turn is sorted by the mean place of its
    neighbors, upwards and downwards, and the arrangement with the shortest edges is kept.
    """
    rows: defaultdict[int, list[int]] = defaultdict(list)
    for i, level in enumerate(order.levels):
        rows[level].append(i)
    neighbors: defaultdict[int, list[int]] = defaultdict(list)
    for upper, lower in order.edges:
        neighbors[upper].append(lower)
        neighbors[lower].append(upper)
    x = np.zeros(len(order.names))
    for row in rows.values():
        x[row] = _spaced(len(row))
    best, shortest = x.copy(), _edge_length(order, x)
    for sweep in range(SWEEPS):
        for level in sorted(rows, reverse=bool(sweep % 2)):
            row = rows[level]
            means = np.array([x[neighbors[i]].mean() for i in row])
            x[np.array(row)[np.lexsort((x[row], means.round(6)))]] = _spaced(len(row))
        if (length := _edge_length(order, x)) < shortest - 1e-9:
            best, shortest = x.copy(), length
    return np.stack([best, np.array(order.levels, dtype=np.float64)], axis=1)


def _spaced(count: int) -> Array:
    return np.asarray(np.arange(count) - (count - 1) / 2, dtype=np.float64)


def _edge_length(order: Lattice, x: Array) -> float:
    upper, lower = np.array(order.edges).T
    return float(np.abs(x[upper] - x[lower]).sum())


def _size(order: Lattice, *, boxes: bool) -> tuple[float, float]:
    """Inches of the figure: one and a half for each box of the widest level."""
    widest = max(np.bincount(order.levels).tolist())
    if boxes:
        return 1.6 + 1.55 * max(widest, 3), 1.3 + 0.95 * (max(order.levels) + 1)
    return 10.5, 8.0


def _draw_edges(axes: Axes, order: Lattice, places: Array, *, faint: bool) -> None:
    from matplotlib.collections import LineCollection  # noqa: PLC0415

    lines = [places[list(edge)] for edge in order.edges]
    look: dict[str, Any] = (
        {"colors": "0.85", "linewidths": 0.5} if faint else {"colors": "0.7", "linewidths": 1.0}
    )
    axes.add_collection(LineCollection(lines, zorder=1, **look))


def _draw_boxes(axes: Axes, atoms: LatticeAtoms, places: Array, look: _Look) -> None:
    for (x, y), name, bits in zip(places, atoms.lattice.names, look.values.tolist(), strict=True):
        negative = bits < 0
        box: dict[str, Any] = {
            "boxstyle": "round,pad=0.45",
            "facecolor": look.color(bits),
            "edgecolor": "black" if negative else "0.35",
            "linestyle": (0, (3, 2)) if negative else "-",
            "linewidth": 1.3 if negative else 0.8,
        }
        style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 9, "linespacing": 1.4}
        label = f"{name}\n{look.text(bits)}"
        axes.text(x, y, label, color=look.ink(bits), bbox=box, zorder=2, **style)


def _listed(values: Array, labels: int) -> list[int]:
    """Positions of the largest atoms of either sign, the largest first."""
    order = np.argsort(-np.abs(values).round(9), kind="stable")
    return [int(i) for i in order[:labels] if values[i] != 0]


def _draw_dots(axes: Axes, places: Array, look: _Look, listed: list[int]) -> None:
    """Circles, and diamonds for negative atoms, with the ranks of those that are listed."""
    sizes = np.abs(look.values) / (np.abs(look.values).max() or 1.0)
    area = np.where(look.values == 0, 10.0, 22.0 + 260.0 * sizes)
    area[listed] = np.maximum(area[listed], 130.0)  # room for a number
    for marker, chosen in (("o", look.values >= 0), ("D", look.values < 0)):
        colors = [look.color(bits) for bits in look.values[chosen].tolist()]
        dots: dict[str, Any] = {
            "c": colors,
            "marker": marker,
            "edgecolors": "0.3",
            "linewidths": 0.6,
        }
        scale = 0.62 if marker == "D" else 1.0  # a diamond is wider than a circle of its area
        x, y = places[chosen].T
        axes.scatter(x, y, area[chosen] * scale, zorder=3, **dots)
    for rank, i in enumerate(listed, start=1):
        style: dict[str, Any] = {
            "ha": "center",
            "va": "center_baseline",
            "fontsize": 7,
            "zorder": 4,
        }
        left, height = places[i].tolist()
        axes.text(left, height, str(rank), color=look.ink(float(look.values[i])), **style)


def _write_list(axes: Axes, atoms: LatticeAtoms, look: _Look, listed: list[int]) -> None:
    lines = [
        f"{rank:2d}  {look.text(float(look.values[i])):>9}  {atoms.lattice.names[i]}"
        for rank, i in enumerate(listed, start=1)
    ]
    text = "\n".join([f"{'bits':>13}  groups", *lines]) if lines else ""
    style: dict[str, Any] = {
        "ha": "left",
        "va": "top",
        "family": "monospace",
        "fontsize": 8,
        "linespacing": 1.6,
    }
    axes.text(1.02, 0.98, text, transform=axes.transAxes, **style)


def _finish(figure: Figure, axes: Axes, atoms: LatticeAtoms, look: _Look) -> None:
    """Limits, color bar and title."""
    from matplotlib.cm import ScalarMappable  # noqa: PLC0415
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    boxes = len(atoms.atoms) <= BOXES
    axes.set_axis_off()
    axes.autoscale_view()
    axes.margins(x=0.13 if boxes else 0.03)
    axes.set_ylim(-0.6, max(atoms.lattice.levels) + 0.6)
    bar = figure.colorbar(
        ScalarMappable(look.norm, look.cmap),
        ax=axes,
        location="bottom",
        shrink=0.5,
        aspect=40,
        pad=0.02,
    )
    sign = "dashed edge" if boxes else "diamond"
    bar.set_label(
        "atom, bits" + (f"; {sign}: negative" if (look.values < 0).any() else ""), fontsize=8
    )
    bar.locator = MaxNLocator(5)
    bar.ax.tick_params(labelsize=8)
    title = f"{atoms.measure}: {atoms.total:.{look.decimals}f} bits about {atoms.target}"
    if atoms.sources != source_names(None, atoms.lattice.sources):
        title += "\n" + ", ".join(f"{i} = {name}" for i, name in enumerate(atoms.sources, start=1))
    axes.set_title(title, fontsize=10, parse_math=False)
