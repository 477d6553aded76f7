"""Figure 6: augmentations of series, alone and composed, on four sets and their mean.

`comm-probe reproduce fig6`. Five words (noise, drop, crop, multi-drop, multi-crop) give 25 cells: a
word alone on the diagonal, elsewhere one after another. Cells of the published picture are not
printed as numbers; its text says that noise + drop is best on average, and that the multi variants
are sometimes better on MIMIC and MUStARD. As published, a word that follows `multi_` in the code
may undo it (half of those cells may be plain ones); here `multi_` holds wherever it stands.

On MIMIC one modality is a series, so `multi_` is no other than the plain word and shares its runs;
the table of that set, a vector, has noise where the chain has, and drops its entries where the
chain drops or crops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from statistics import fmean
from typing import TYPE_CHECKING, Final

from trifeature.experiments import paper_sets as sets
from trifeature.experiments.drawing import NOT_MEASURED
from trifeature.experiments.experiment import Lines, Results
from trifeature.experiments.paper_sets import MACRO, PaperSet
from trifeature.experiments.real import (
    RealArm,
    RealExperiment,
    number,
    only_notes,
    rows_of_arm,
)
from trifeature.plots import drawing
from trifeature.presets import Preset
from trifeature.views import Views
from trifeature.views.series import SeriesViews, series_views
from trifeature.views.vectors import VectorViews

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WORDS: Final = ("noise", "drop", "crop", "multi_drop", "multi_crop")
"""The augmentations, in the order of the rows and columns."""

CELLS: Final = tuple((first, second) for first in WORDS for second in WORDS)
"""The cells of the figure, row by row."""

SETS: Final = (sets.MIMIC, sets.MOSI, sets.UR_FUNNY, sets.MUSTARD)
MEAN: Final = "mean"

TABULAR: Final = (
    "on MIMIC the table has noise where the chain has, and drops where it drops or crops"
)

Grid = Mapping[str, float]
"""Percent by the chain of a cell."""


def chain(first: str, second: str) -> str:
    """The chain of a cell in the published words.

    >>> chain("noise", "drop"), chain("crop", "crop")
    ('noise+drop', 'crop')
    """
    return first if first == second else f"{first}+{second}"


def views_of(own: PaperSet, words: str) -> tuple[Views, ...]:
    """The augmentations of a chain of words, one for each modality of a set."""
    series = series_views(words)
    if own is not sets.MIMIC:
        return (series,) * len(own.views)
    order = _plain_order(series)
    dropped = any(word != "noise" for word in order)
    table = VectorViews(noise_probability=0.5 * ("noise" in order), drop_probability=0.5 * dropped)
    return (table, replace(series, order=order))


def _plain_order(series: SeriesViews) -> tuple[str, ...]:
    """The order for a single series, where `multi_` says nothing; drop+multi_drop stays two words.

    >>> _plain_order(series_views("multi_drop+noise"))
    ('drop', 'noise')
    """
    order = tuple(word.removeprefix("multi_") for word in series.order)
    return order if len(set(order)) == len(order) else series.order


def arms(preset: Preset) -> Sequence[RealArm]:  # noqa: ARG001 - alike on every preset
    """A cell of each pair of words on each set."""
    return tuple(_arm(own, chain(*cell)) for own in SETS for cell in CELLS)


def _arm(own: PaperSet, words: str) -> RealArm:
    """CoMM with the augmentations of a chain of words on one set; the chain is its method."""
    usual, views = own.arm("CoMM", "comm", {}), views_of(own, words)
    return replace(
        usual,
        label=f"{words}, {own.label}",
        setting=_setting(own, views, words),
        method=words,
        changes={**usual.changes, "views": views},
        notes=(TABULAR, *usual.notes) if own is sets.MIMIC else usual.notes,
    )


def _setting(own: PaperSet, views: tuple[Views, ...], words: str) -> str:
    """What distinguishes the runs of a cell; the same for cells that are the same runs."""
    last = views[-1]
    if own is sets.MIMIC and isinstance(last, SeriesViews):
        words = "+".join(last.order)
    return f"views {words}"


def grids(results: Results) -> dict[str, Grid]:
    """Percent of every measured cell, by set, and their mean where all sets have it."""
    found: dict[str, dict[str, float]] = {own.label: {} for own in SETS}
    for result in results:
        arm = result.arm
        assert isinstance(arm, RealArm)  # noqa: S101 - `arms` makes no others
        if (value := arm.scores[MACRO].summary(rows_of_arm(result))) is not None:
            found[arm.data][arm.method] = value.mean
    shared = set.intersection(*(set(cells) for cells in found.values()))
    means = {cell: fmean(cells[cell] for cells in found.values()) for cell in shared}
    return {**found, MEAN: means}


def table(results: Results) -> Lines:
    """A line a chain, a column a set and their mean: macro accuracy in percent."""
    found = grids(results)
    lines = [["macro accuracy, %", *found]]
    for words in (chain(*cell) for cell in CELLS):
        values = [
            number(own[words], None) if words in own else NOT_MEASURED for own in found.values()
        ]
        lines.append([words, *values])
    return lines


def notes_and_needs(results: Results) -> dict[str, Lines]:
    """What is missing, and the notes."""
    lacking = sorted(set(results.experiment.lacking(results.setup).values()))
    needs = {"what is missing": [["needs"], *([words] for words in lacking)]} if lacking else {}
    return needs | only_notes(results)


def draw(results: Results) -> Figure:
    """A heat map for each set and for their mean: first words are rows, second ones columns."""
    found = grids(results)
    with drawing(3.1 * len(found), 3.6, **{"axes.grid": False}) as figure:
        panels = figure.subplots(1, len(found), squeeze=False)[0]
        for axes, (title, cells) in zip(panels, found.items(), strict=True):
            _draw_grid(axes, cells)
            axes.set_title(title)
        panels[0].set_ylabel("first")
        figure.supxlabel("second (on the diagonal: alone)", fontsize=8)
        figure.suptitle(f"{results.caption}: macro accuracy, %", fontsize=8, color="0.3")
    return figure


def _draw_grid(axes: Axes, cells: Grid) -> None:
    """One heat map, its numbers written into the cells; its colors span its own values."""
    values = [[cells.get(chain(a, b), float("nan")) for b in WORDS] for a in WORDS]
    axes.imshow(values, cmap="cividis")
    known = cells.values()
    middle = (min(known, default=0.0) + max(known, default=0.0)) / 2
    for (row, a), (column, b) in product(enumerate(WORDS), repeat=2):
        value = cells.get(chain(a, b))
        text = NOT_MEASURED if value is None else f"{value:.1f}"
        color = "white" if value is not None and value <= middle else "black"
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color=color)
    names = [word.replace("_", "-") for word in WORDS]
    axes.set_xticks(range(len(WORDS)), names, rotation=40, ha="right")
    axes.set_yticks(range(len(WORDS)), names)


FIG6: Final = RealExperiment(
    "fig6",
    "augmentations of series, alone and composed (Figure 6)",
    arms,
    draw=draw,
    table=table,
    more_tables=notes_and_needs,
    columns=(),
    details={},
    base="paper",
    unit="",
)
