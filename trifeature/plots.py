"""Pictures: functions from rows or data sets to a Matplotlib figure; saving is the caller's."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.data.attributes import ATTRIBUTES
from trifeature.data.captions import SYNONYMS, caption_text
from trifeature.data.dataset import (
    PAIR_SETS,
    SPLIT_OF,
    Dataset,
    ImageTable,
    PairSet,
    draw_items,
)
from trifeature.data.storage import require_outside
from trifeature.errors import InputError
from trifeature.files import write_atomically
from trifeature.pid import ATOM_NAMES, Atoms
from trifeature.pid.estimation.bars import ATOM_COLORS, ATOM_HATCHES
from trifeature.report import Summary

if TYPE_CHECKING:  # Matplotlib is loaded where something is drawn, see `drawing`
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

Row = Mapping[str, Any]

# Okabe & Ito's colors, told apart by color-blind readers too.
CURVE_COLORS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS: Final = "osD^vP*"
INTERACTIONS: Final = {"R": "Redundancy R", "U": "Uniqueness U", "S": "Synergy S"}
TITLES: Final = {
    **INTERACTIONS,
    "U1": "Uniqueness U1",
    "U2": "Uniqueness U2",
    "S_auc": "Synergy S, AUC",
}
"""Titles of the panels by column; any other column is its own title."""

PROBE_AXIS: Final = "linear probe (%): macro accuracy,\nAUC where named"
"""Title of the axis of what probes read."""

STYLE: Final[dict[Any, Any]] = {
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "figure.dpi": 100.0,
    "savefig.dpi": 160.0,
    "svg.hashsalt": "trifeature",
}

_PLAIN_TEXT: Final[dict[Any, Any]] = {"text.parse_math": False}
"""Labels come from files: a "$" in one is a letter, not the start of a formula."""


@dataclass(frozen=True)
class Curve:
    """One line of a figure: what was measured at each epoch, over one seed or several.

    Attributes:
        label: For the legend.
        rows: One for each epoch and seed, with `epoch`, `R`, `U` and `S`.
        control: Drawn dashed: trained on unbiased pairs.
        color: Position in `CURVE_COLORS`; a curve and its control share one.
    """

    label: str
    rows: Sequence[Row]
    control: bool = False
    color: int = 0


def save(figure: Figure, path: Path, *, svg: bool = True) -> list[Path]:
    """Write a figure as PNG, and as SVG beside it; returns the paths.

    A file that is there is replaced when the new one is whole.

    Raises:
        InputError: `path` is a folder, or lies in a data set.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file in it, as in {path / 'figure.png'}")
    from matplotlib import rc_context  # noqa: PLC0415 - see `drawing`

    written = [path.with_suffix(suffix) for suffix in ((".png", ".svg") if svg else (".png",))]
    with rc_context(STYLE | _PLAIN_TEXT):
        for file in written:
            plain = {"Software": None} if file.suffix == ".png" else {"Date": None}
            write_figure(figure, file, metadata=plain)
    return written


def write_figure(figure: Figure, file: Path, **options: Any) -> None:
    """Write a figure in the format of the file's suffix; a file that is there stays until then.

    Args:
        figure: The figure.
        file: Where to write.
        options: See `matplotlib.figure.Figure.savefig`.

    Raises:
        InputError: `file` is a folder, or lies in a data set.
        ValueError: Matplotlib cannot write this format.
    """
    if file.is_dir():
        raise InputError(f"{file} is a folder: name a file in it, as in {file / 'figure.png'}")
    require_outside(file)
    content = io.BytesIO()
    figure.savefig(content, format=file.suffix[1:].lower() or "png", **options)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, content.getvalue())


@contextmanager
def drawing(width: float, height: float, **style: Any) -> Iterator[Figure]:
    """An empty figure of so many inches, in our style and some changes to it inside the block.

    Matplotlib is loaded here and in `save` alone: it takes half a second, and a machine that only
    trains may lack it.
    """
    from matplotlib import rc_context  # noqa: PLC0415
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with rc_context(STYLE | _PLAIN_TEXT | style):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


def interaction_curves(
    curves: Mapping[str, Sequence[Curve]],
    chance: Mapping[str, float],
    caption: str = "",
    *,
    bits: bool = True,
) -> Figure:
    """R, U and S against epochs in three panels: the layout of Figure 5 of Dufumier et al.

    Args:
        curves: For each column (of Trifeature `R`, `U` and `S`) the curves of its panel.
        chance: Accuracy of guessing, for each panel.
        caption: Small print below.
        bits: Add a second row of panels: what was learned, in bits, beside what there is. It
            shows the curves whose rows all have `information`; without any it is left out.

    Returns:
        The figure. A curve of several seeds is their mean, with a band of ± one standard
        deviation; the untrained network is epoch 0.
    """
    informed = _informed(curves) if bits else {}
    with drawing(max(9.6, 3.2 * len(curves)), 6.4 if informed else 3.5) as figure:
        grid = figure.subplots(2 if informed else 1, len(curves), squeeze=False)
        panels = grid[0]
        for axes, (name, drawn) in zip(panels, curves.items(), strict=True):
            for curve in drawn:
                _draw_curve(axes, curve, name)
            guess = _guess(chance, name)
            axes.axhline(guess, color="0.4", linewidth=1, linestyle=":")
            axes.annotate("chance", (1.005, guess), **_AT_THE_RIGHT)
            axes.set(title=TITLES.get(name, name), xlabel="epoch", ylim=_limits(guess))
            axes.locator_params(axis="x", integer=True)
        panels[0].set_ylabel(PROBE_AXIS)
        if informed:
            _bits_row(grid[1], informed)
        handles, labels = _legend(list(grid.ravel()))
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 3))
        if caption:
            figure.suptitle(caption, fontsize=8, color="0.3")
    return figure


_AT_THE_RIGHT: Final[dict[str, Any]] = {
    "xycoords": ("axes fraction", "data"),
    "ha": "left",
    "va": "center",
    "annotation_clip": False,
    "fontsize": 6.5,
    "color": "0.4",
}


def _guess(chance: Mapping[str, float], name: str) -> float:
    """Percent by guessing; of an AUC 50, however many classes there are."""
    return 50.0 if name.endswith("_auc") else 100 * chance[name]


def _limits(guess: float) -> tuple[float, float]:
    """The limits of an axis of accuracies in percent; with two classes all stands above half."""
    return (45, 101) if guess >= 50 else (0, 103)


def _draw_curve(axes: Axes, curve: Curve, name: str) -> None:
    # A probe may have no AUC; any other column must be there.
    absent = name.endswith("_auc")
    known = [row for row in curve.rows if not (absent and row.get(name) is None)]
    epochs, mean, spread = curve_points(known, name)
    color = CURVE_COLORS[curve.color % len(CURVE_COLORS)]
    axes.plot(
        epochs,
        mean,
        color=color,
        label=curve.label,
        marker=MARKERS[curve.color % len(MARKERS)],
        markersize=4,
        linestyle="--" if curve.control else "-",
        markerfacecolor="white" if curve.control else color,
    )
    if np.any(spread > 0):
        axes.fill_between(epochs, mean - spread, mean + spread, color=color, alpha=0.15, lw=0)


def of_whole_curves(rows: Sequence[Row]) -> list[Row]:
    """The rows of the seeds that were probed at most epochs.

    Where others were probed at fewer, a line through the means of all would jump between seeds.
    """
    probed: dict[Any, set[int]] = {}
    for row in rows:
        probed.setdefault(row.get("seed"), set()).add(row["epoch"])
    most = max(map(len, probed.values()), default=0)
    return [row for row in rows if len(probed[row.get("seed")]) == most]


def curve_points(
    rows: Sequence[Row], name: str
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Epochs, mean and standard deviation (n − 1; 0 for one seed) in percent, over the seeds.

    Only seeds that were probed at all epochs count, see `of_whole_curves`.
    """
    whole = of_whole_curves(rows)
    epochs = sorted({row["epoch"] for row in whole})
    values = [[100 * row[name] for row in whole if row["epoch"] == epoch] for epoch in epochs]
    mean = np.array([np.mean(group) for group in values])
    spread = np.array([np.std(group, ddof=1) if len(group) > 1 else 0.0 for group in values])
    return np.array(epochs), mean, spread


def _legend(panels: Sequence[Axes]) -> tuple[list[Any], list[str]]:
    """Each label of any panel once."""
    found: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    return list(found.values()), list(found)


# --------------------------------------------------------------------------- the gallery


def gallery(dataset: Dataset, examples: int = 8) -> Figure:
    """A contact sheet: every value of every attribute, and example pairs of each set.

    Args:
        dataset: Whose vocabulary, settings and pairs to show.
        examples: Pairs shown of each set.

    Returns:
        The figure. Each look of the modalities has a line of values for each attribute that it
        shows; captions are words.
    """
    settings = dataset.settings
    shown = dict(zip(settings.looks_of, map(settings.shown_by, range(8)), strict=False))
    lines = [(look, name) for look, names in shown.items() for name in names]
    columns = max(*(settings.counts[name] for _, name in lines), examples)
    heights = [1.25 * len(lines), (0.25 + 1.05 * settings.rule.modalities) * len(PAIR_SETS)]
    plain = {"axes.grid": False, "font.size": 8.0}
    with drawing(1.15 * columns + 0.4, sum(heights), **plain) as figure:
        parts: Any = figure.subfigures(2, 1, height_ratios=heights)
        panels = parts[0].subplots(len(lines), columns, squeeze=False)
        parts[0].suptitle("every value of the attributes, in the order of the labels")
        for line, (look, name) in zip(panels, lines, strict=True):
            _value_row(line, dataset, look, name)
        rows = parts[1].subfigures(len(PAIR_SETS), 1)
        for part, pair_set in zip(rows, PAIR_SETS, strict=True):
            _pair_row(part, dataset, pair_set, columns, examples)
    return figure


def _value_row(line: Sequence[Axes], dataset: Dataset, look: str, name: str) -> None:
    """The values of an attribute in a look; of captions the words of each value."""
    settings = dataset.settings
    values = settings.values[name]
    for axes in line:
        axes.axis("off")
    for axes, value in zip(line, values, strict=False):
        axes.set_title(value, fontsize=8)
        if look == "caption":
            words = SYNONYMS[name].get(value, (value.lower(),))[: settings.caption.synonyms]
            _write(axes, words)
    if look != "caption":
        table = np.zeros((len(values), len(ATTRIBUTES)), dtype=np.int64)
        if name == "texture":
            table[:, 0] = 1 % settings.counts["shape"]  # a square shows more of it than a triangle
        table[:, ATTRIBUTES.index(name)] = np.arange(len(values))
        for axes, item in zip(line, _examples(dataset, table, look, name), strict=False):
            draw_item(axes, item, dataset)


def _examples(
    dataset: Dataset, table: npt.NDArray[np.int64], look: str, name: str
) -> Sequence[Tensor]:
    """An image of each row of attributes; one of the data set's where there is no drawing here."""
    copies = np.zeros(len(table), dtype=np.int64)
    try:
        return list(draw_items(dataset.settings, ImageTable(table, copies), look))
    except InputError:  # a value of one's own, of a data set that was made elsewhere
        column, m = ATTRIBUTES.index(name), dataset.settings.looks_of.index(look)
        shown = dataset.tables["train"].attributes[:, column]
        items = dataset.items["train"][m]
        return [items[int(np.argmax(shown == value))] for value in table[:, column]]


def draw_item(axes: Axes, item: Tensor, dataset: Dataset) -> None:
    """Draw an item of a data set: an image, or a caption, a word a line."""
    if item.ndim > 1:
        axes.imshow(item.permute(1, 2, 0).cpu().numpy())
        return
    settings = dataset.settings
    _write(axes, caption_text(item.cpu(), settings.values, settings.caption).split())


def _write(axes: Axes, words: Sequence[str]) -> None:
    axes.text(0.5, 0.5, "\n".join(words), fontsize=8, ha="center", va="center")


def _pair_row(figure: Any, dataset: Dataset, name: PairSet, columns: int, examples: int) -> None:
    settings, pairs, items = dataset.settings, dataset.pairs[name], dataset.items[SPLIT_OF[name]]
    panels = figure.subplots(settings.rule.modalities, columns, squeeze=False)
    holds = "keep the map" if settings.rule.parsed_gate.uses_map else "have synergy label 1"
    figure.suptitle(
        f"{name} pairs: {len(pairs):,} drawn, {100 * pairs.match_rate:.1f} % {holds} (in bold)"
    )
    for axes in panels.ravel():
        axes.axis("off")
    table, values = dataset.tables[SPLIT_OF[name]].attributes, settings.values
    plain = settings.share_rate == 1 and not settings.rule.scenario  # both show the same shape
    for place in range(min(examples, len(pairs))):
        weight = "bold" if pairs.labels["synergy"][place] == 1 else "normal"
        for m, row in enumerate(pairs.images[place]):
            axes = panels[m, place]
            draw_item(axes, items[m][row], dataset)
            words = [values[n][v] for n, v in zip(ATTRIBUTES, table[row], strict=True)]
            axes.set_title(" ".join(words[plain:]), fontsize=6.5, fontweight=weight)


# --------------------------------------------------------------------------- bars and strengths


@dataclass(frozen=True)
class Bar:
    """One method in a bar chart.

    Attributes:
        label: Under the bar.
        values: Mean and spread of each column; None where not measured.
        control: For the columns that have a control (S) what the same model reaches when trained
            on unbiased pairs.
        untrained: What the untrained network reaches, in percent; None where not measured.
        published: The paper's means in percent, where it gives them.
        authors: Means in percent by the authors' probe, with which the paper's go, where taken.
    """

    label: str
    values: Mapping[str, Summary | None]
    control: Mapping[str, Summary | None]
    untrained: Mapping[str, float | None]
    published: Mapping[str, float]
    authors: Mapping[str, float] = field(default_factory=dict)


def interaction_bars(
    bars: Sequence[Bar],
    chance: Mapping[str, float],
    caption: str = "",
    columns: Sequence[str] = tuple(INTERACTIONS),
) -> Figure:
    """R, U and S of several methods: the layout of Figure 4 of Dufumier et al.

    What has a control (S) stands beside it, and both on chance: their lengths are what they gain
    over guessing. The paper's values are open diamonds, ours by the authors' probe crosses, missing
    ones a word.

    Args:
        bars: A bar in each panel.
        chance: Accuracy of guessing, of each column.
        caption: Small print.
        columns: The panels.
    """
    with drawing(max(9.6, 1.9 * len(bars), 3.2 * len(columns)), 3.8) as figure:
        panels = figure.subplots(1, len(columns), squeeze=False)[0]
        for axes, name in zip(panels, columns, strict=True):
            guess = _guess(chance, name)
            for place, bar in enumerate(bars):
                _draw_bar(axes, place, bar, name, guess)
            axes.axhline(guess, color="0.4", linewidth=1, linestyle=":")
            axes.annotate("chance", (1.005, guess), **_AT_THE_RIGHT)
            axes.set(title=TITLES.get(name, name), ylim=_limits(guess))
            axes.set_xlim(-0.6, len(bars) - 0.4)
            axes.set_xticks(range(len(bars)), [b.label for b in bars], rotation=30, ha="right")
            axes.grid(visible=False, axis="x")
        panels[0].set_ylabel(PROBE_AXIS)
        handles, labels = _legend(panels)
        figure.legend(handles, labels, loc="outside lower center", ncols=max(1, len(labels)))
        if caption:
            figure.suptitle(caption, fontsize=8, color="0.3")
    return figure


def _draw_bar(axes: Axes, place: int, bar: Bar, name: str, guess: float) -> None:
    """One method's bar in the panel of a column; what has a control stands on chance."""
    value, control = bar.values[name], bar.control.get(name)
    floor = guess if name in bar.control else 0.0
    shift, width = (-0.2, 0.38) if control is not None else (0.0, 0.7)
    if value is None:
        low, _ = _limits(guess)
        # To the left of the middle, where the published value may stand.
        look: dict[str, Any] = {"rotation": 90, "fontsize": 7, "ha": "right", "va": "bottom"}
        axes.annotate("not measured", (place, low), (-4, 2), textcoords="offset points", **look)
    else:
        color = CURVE_COLORS[place % len(CURVE_COLORS)]
        _draw_height(axes, place + shift, value, floor, width=width, color=color)
    if control is not None:
        look = {"color": "white", "edgecolor": "0.3", "hatch": "///"}
        label = "the same on unbiased pairs (control)"
        _draw_height(axes, place + 0.2, control, floor, width=0.38, label=label, **look)
    if (untrained := bar.untrained.get(name)) is not None:
        span = [place - 0.4, place + 0.4]
        axes.plot(span, [untrained] * 2, color="0.1", lw=1.2, label="untrained network")
    if name in bar.authors:
        axes.plot([place + shift], [bar.authors[name]], **_CROSS)
    if name in bar.published:
        axes.plot([place + shift], [bar.published[name]], **_DIAMOND)


_CROSS: Final[dict[str, Any]] = {
    "marker": "x",
    "color": "black",
    "linestyle": "none",
    "markersize": 6,
    "label": "ours by the authors' probe",
}
_DIAMOND: Final[dict[str, Any]] = {
    "marker": "D",
    "markerfacecolor": "none",
    "color": "black",
    "linestyle": "none",
    "markersize": 5,
    "label": "published (AlexNet, 224 px)",
}


def _draw_height(axes: Axes, place: float, value: Summary, floor: float, **look: Any) -> None:
    """A bar from `floor` to a mean, with its spread."""
    look |= {"bottom": floor, "yerr": value.spread, "capsize": 2}
    axes.bar(place, value.mean - floor, **look)


Summaries = Sequence[tuple[str, Summary | None]]
Strengths = Mapping[str, Mapping[str, Summaries]]


def strength_panels(
    series: Strengths,
    chance: Mapping[str, float],
    caption: str = "",
    i_nce: Mapping[str, Sequence[float | None]] | None = None,
) -> Figure:
    """R, U and S against the crop of modality 1, a panel for each family of crops.

    The layout of the left half of Figure 7 of Dufumier et al.

    Args:
        series: For each panel's title, for each line's name, (crop, value) from the strongest
            crop to the lightest; None where not measured. Lines of other names than `chance` has
            are dashed.
        chance: Accuracy of guessing.
        caption: Small print.
        i_nce: For each panel's title I_NCE(X, X′) of each crop, in nats, on an axis of its own.
    """
    with drawing(9.6, 3.8) as figure:
        panels = figure.subplots(1, len(series), sharey=True, squeeze=False)[0]
        for axes, (title, lines) in zip(panels, series.items(), strict=True):
            for color, (name, points) in enumerate(lines.items()):
                known = [(x, value.mean) for x, (_, value) in enumerate(points) if value]
                style = "--" if name not in chance else "-"
                axes.plot(
                    [x for x, _ in known],
                    [y for _, y in known],
                    style,
                    color=CURVE_COLORS[color],
                    marker=MARKERS[color],
                    label=name,
                )
            labels = [label for label, _ in next(iter(lines.values()))]
            axes.set_xticks(range(len(labels)), labels)
            axes.set(title=title, xlabel="area of the crop of modality 1, strongest to lightest")
        if i_nce is not None:
            _draw_i_nce(panels, [i_nce[title] for title in series])
        panels[0].set_ylabel(PROBE_AXIS)
        handles, names = _legend(panels)
        figure.legend(handles, names, loc="outside lower center", ncols=len(names))
        if caption:
            figure.suptitle(caption, fontsize=8)
    return figure


def _draw_i_nce(panels: Sequence[Axes], values: Sequence[Sequence[float | None]]) -> None:
    """I_NCE(X, X′) as gray crosses against an axis on the right, the same in all panels."""
    sides = [axes.twinx() for axes in panels]
    for right, line in zip(sides, values, strict=True):
        if right is not sides[0]:
            right.sharey(sides[0])
        known = [(x, value) for x, value in enumerate(line) if value is not None]
        right.plot([x for x, _ in known], [y for _, y in known], "x:", color="0.4")
        right.set_ylabel("× I_NCE(X, X′), nats", color="0.4")
        right.grid(visible=False)
        right.spines["right"].set_visible(True)


# --------------------------------------------------------------------------- in bits

ESTIMATES: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "cross_entropy": ("lower bound by cross-entropy", {"marker": "o", "markersize": 4}),
    "fano": ("lower bound by Fano's inequality", {"linewidth": 0.8}),
}
"""The two lower bounds of what was learned, as `trifeature.probes.information` names them, and
how they look: marked as in the panel above, and thin."""

LEVELS: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "truth": ("exact atom of the test pairs", {"color": "black", "linewidth": 1.4}),
    "entropy": ("all that the label has, H(label)", {"color": "0.4", "linestyle": ":"}),
}
"""Levels beside the estimates: the exact atom of the test pairs, and the entropy of the label."""


def information_points(
    rows: Sequence[Row], name: str, estimate: str
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Epochs and, over the seeds, the mean of a lower bound in bits.

    Only seeds that were probed at all epochs count, see `of_whole_curves`.
    A bound below 0 says nothing that 0 does not: each run's is raised to 0 before the mean. None
    is minus infinity, a probe that ruled out a label that occurs, and is raised to 0 as well.

    Args:
        rows: With `epoch` and `information`.
        name: `R`, `U` or `S`.
        estimate: One of `ESTIMATES`.
    """
    whole = of_whole_curves(rows)
    epochs = sorted({row["epoch"] for row in whole})
    means = []
    for epoch in epochs:
        bounds = [row["information"][name][estimate] for row in whole if row["epoch"] == epoch]
        means.append(np.mean([0.0 if bound is None else max(bound, 0.0) for bound in bounds]))
    return np.array(epochs), np.array(means)


def _informed(curves: Mapping[str, Sequence[Curve]]) -> dict[str, list[Curve]]:
    """The curves whose rows all state bits; empty if there are none."""
    found = {
        name: [
            c for c in panel if c.rows and all(name in row.get("information", {}) for row in c.rows)
        ]
        for name, panel in curves.items()
    }
    return found if any(found.values()) else {}


def _bits_row(panels: Sequence[Axes], curves: Mapping[str, Sequence[Curve]]) -> None:
    """Information learned about the labels of R, U and S beside that in the data, bits."""
    for axes, (name, drawn) in zip(panels, curves.items(), strict=True):
        if not drawn:
            axes.set_axis_off()
            continue
        for curve in drawn:
            _draw_bounds(axes, curve, name)
        parts = [row["information"][name] for curve in drawn for row in curve.rows]
        for level, (label, style) in LEVELS.items():
            if heights := [part[level] for part in parts if level in part]:
                axes.axhline(float(np.mean(heights)), label=label, zorder=1, **style)
        axes.set(title=f"{TITLES.get(name, name)}, in bits", xlabel="epoch")
        axes.locator_params(axis="x", integer=True)
        top = axes.get_ylim()[1]
        axes.set_ylim(-0.03 * top, 1.06 * top)
    for label, look in ESTIMATES.values():
        panels[0].plot([], [], color="0.3", label=label, **look)
    panels[0].set_ylabel("learned about the label (bits;\nlabels as frequent as they are)")


def _draw_bounds(axes: Axes, curve: Curve, name: str) -> None:
    """Both lower bounds of a curve, in its color and dashes."""
    color = CURVE_COLORS[curve.color % len(CURVE_COLORS)]
    shape = {
        "marker": MARKERS[curve.color % len(MARKERS)],
        "markerfacecolor": "white" if curve.control else color,
    }
    for estimate, (_, look) in ESTIMATES.items():
        epochs, mean = information_points(curve.rows, name, estimate)
        own = look | shape if "marker" in look else look
        style = "--" if curve.control else "-"
        axes.plot(epochs, mean, color=color, linestyle=style, label=f"_{estimate}", **own)


def atom_bars(panels: Mapping[str, Sequence[Atoms]]) -> Figure:
    """Bars of the four PID atoms: one panel per key, one group of bars per decomposition.

    Args:
        panels: Title -> decompositions. A group is named by its measure, or by its sources where
            several groups have the same measure.

    Raises:
        InputError: Nothing to draw.
    """
    if not panels or not all(panels.values()):
        raise InputError("nothing to draw: a panel needs at least one decomposition")
    from matplotlib.figure import Figure  # noqa: PLC0415 - see `drawing`

    figure = Figure(figsize=(max(4.5, 1.0 + 2.3 * len(panels)), 3.3), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (title, results) in zip(axes, panels.items(), strict=True):
        _draw_atoms(axis, results)
        axis.set_title(f"{title}:\nbits about {results[0].target}", fontsize="medium")
    axes[0].set_ylabel("bits")
    # Inside a panel the legend would hide a bar.
    drawn, names = axes[0].get_legend_handles_labels()
    figure.legend(drawn, names, loc="outside lower center", ncols=4, fontsize="small")
    return figure


def _draw_atoms(axis: Axes, results: Sequence[Atoms]) -> None:
    width = 0.8 / len(ATOM_NAMES)
    for i, name in enumerate(ATOM_NAMES):
        places = [group + (i - 1.5) * width for group in range(len(results))]
        axis.bar(
            places,
            [atoms.value(name) for atoms in results],
            width,
            yerr=[atoms.gap / 2 for atoms in results],
            color=ATOM_COLORS[i],
            hatch=ATOM_HATCHES[i],
            edgecolor="white",
            label=name,
        )
    axis.axhline(0.0, color="black", linewidth=0.8)
    axis.set_xticks(range(len(results)), _group_names(results))


def _group_names(results: Sequence[Atoms]) -> list[str]:
    measures = [atoms.measure for atoms in results]
    if len(set(measures)) == len(results):
        return measures
    return [" + ".join(atoms.sources) for atoms in results]
