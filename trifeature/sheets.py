"""Pictures of what data sets have to tell: a sheet of all dials, and the atoms of one data set.

P pairs, M modalities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.checks import require_whole
from trifeature.data.attributes import ATTRIBUTES
from trifeature.data.captions import caption_text
from trifeature.data.dataset import (
    SPLIT_OF,
    ImageTable,
    draw_items,
    levels_of,
    plan_images,
    plan_pairs,
)
from trifeature.data.dials import MARKS, Dial, Mark, Setting
from trifeature.data.dials import dials as all_dials
from trifeature.data.gates import SCENARIOS
from trifeature.data.pairs import Pairs, label
from trifeature.data.settings import DatasetSettings
from trifeature.data.truth import law
from trifeature.errors import InputError
from trifeature.pid import ATOM_NAMES
from trifeature.pid.estimation.bars import ATOM_COLORS, ATOM_HATCHES
from trifeature.plots import CURVE_COLORS, drawing

if TYPE_CHECKING:  # Matplotlib is loaded where something is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BoolArray = npt.NDArray[np.bool_]
Row = Mapping[str, Any]

SHORT: Final = dict(zip(ATOM_NAMES, ("R", "U1", "U2", "S"), strict=True))
"""The letters of the atoms."""

_UNIQUE: Final = zip((2, 3, 6, 2, 3, 6), ("..", "++", "--", "**", "oo", "||"), strict=True)

PARTS: Final[Mapping[str, tuple[str, str]]] = {
    **dict(zip(("R", "U1", "U2"), zip(ATOM_COLORS, ATOM_HATCHES, strict=True), strict=False)),
    **{f"U{m}": (CURVE_COLORS[color], hatch) for m, (color, hatch) in enumerate(_UNIQUE, start=3)},
    "S": (ATOM_COLORS[3], ATOM_HATCHES[3]),
}
"""Color and hatch of each part of a bar; more than two modalities have unique parts up to U8."""

NEGLIGIBLE: Final = 5e-4
"""Bits that are not worth a number: below the certified precision of drawn bars."""


# --------------------------------------------------------------------------- bars in bits


def parts_of(row: Row) -> dict[str, float]:
    """The parts of a bar in bits, which add up to all that the modalities tell about a label.

    Of two modalities the four atoms. Of more the unique parts, R, which is the union information
    without them, and the total synergy S: see `trifeature.data.union.closed_forms`.

    Args:
        row: A row of `trifeature.data.truth.ground_truth`.
    """
    if "union" not in row:
        return {short: float(row[name]) for name, short in SHORT.items()}
    unique = {f"U{m + 1}": float(bits) for m, bits in enumerate(row["unique"])}
    shared = float(row["union"]) - sum(unique.values())
    return {"R": shared, **unique, "S": float(row["synergy"])}


def _draw_bars(axes: Axes, rows: Sequence[Row], longest: float, size: float) -> None:
    """A stacked bar for each task, from the top, with its numbers at the right end of the axis."""
    for place, row in enumerate(rows):
        left, numbers = 0.0, []
        for part, bits in parts_of(row).items():
            if bits < NEGLIGIBLE:
                continue
            color, hatch = PARTS[part]
            look: dict[str, Any] = {"color": color, "hatch": hatch, "edgecolor": "white"}
            axes.barh(place, bits, left=left, height=0.76, linewidth=0, label=part, **look)
            left += bits
            numbers.append(f"{part} {bits:.2f}")
        axes.annotate(
            "  ".join(numbers) or "0",
            (1.03, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=size,
            annotation_clip=False,
        )
    axes.set_yticks(range(len(rows)), [row["task"] for row in rows], fontsize=size + 0.5)
    axes.set(xlim=(0, longest), ylim=(len(rows) - 0.5, -0.5), xticks=range(int(longest) + 1))
    axes.grid(visible=False, axis="y")
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0, pad=2)


def _longest(rows: Sequence[Row]) -> float:
    """The end of an axis that all bars fit on."""
    return 1.04 * max([0.5, *(sum(parts_of(row).values()) for row in rows)])


def _legend(figure: Figure, rows: Sequence[Row], **options: Any) -> None:
    """One legend of the parts that occur in some row."""
    from matplotlib.patches import Patch  # noqa: PLC0415 - see `trifeature.plots.drawing`

    used = {part for row in rows for part, bits in parts_of(row).items() if bits >= NEGLIGIBLE}
    words = {"R": "redundancy (R): in several modalities", "S": "synergy (S)"}
    handles = [
        Patch(
            facecolor=color,
            hatch=hatch,
            edgecolor="white",
            label=words.get(part, f"unique to modality {part[1:]} ({part})"),
        )
        for part, (color, hatch) in PARTS.items()
        if part in used
    ]
    figure.legend(handles=handles, handleheight=1.1, fontsize=8, **options)


def _facts(truth: Mapping[str, Any]) -> list[str]:
    """The facts beside the atoms, as in "I(position 1; position 2) = 2.00 bits, of no task"."""
    facts = []
    for name, bits in truth.get("facts", {}).items():
        what, comma, rest = name.partition(",")
        facts.append(f"{what} = {abs(bits):.2f} bits{comma}{rest}")
    return facts


def law_figure(truth: Mapping[str, Any]) -> Figure:
    """The atoms of a data set: of the laws that its pairs are drawn from, and of its test pairs.

    Args:
        truth: What `trifeature.data.truth.ground_truth` gives and a data set's folder holds.

    Raises:
        InputError: the ground truth has no rows.
    """
    stated, drawn = truth.get("law", ()), truth.get("rows", ())
    panels = {
        "law of training pairs": [row for row in stated if row["set"] == "train"],
        "law of probe and test pairs": [row for row in stated if row["set"] == "test"],
        "test pairs as drawn": [r for r in drawn if r["set"] == "test" and not r["shared"]],
    }
    panels = {title: rows for title, rows in panels.items() if rows}
    rows = [row for some in panels.values() for row in some]
    if not rows:
        raise InputError(f"nothing to draw: {truth.get('left_out') or 'no exact atoms are known'}")
    small = _facts(truth)
    if "test pairs as drawn" not in panels and truth.get("left_out"):
        small.append(f"of pairs as drawn no atoms: {truth['left_out']}")
    lines = max(map(len, panels.values()))
    with drawing(3.7 * len(panels) + 0.3, 1.5 + 0.3 * lines) as figure:
        grid = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (title, some) in zip(grid, panels.items(), strict=True):
            _draw_bars(axes, some, _longest(rows), 7.5)
            axes.set_title(title, fontsize=9)
            axes.set_xlabel("bits about the label")
        _legend(figure, rows, loc="outside lower center", ncols=len(panels) + 1)
        if small:
            figure.suptitle("; ".join(small), fontsize=8, color="0.3")
    return figure


# --------------------------------------------------------------------------- the sheet of dials

WIDTH, MARGIN, HEADER, FOOTER, LINE = 11.69, 0.35, 0.78, 0.52, 1.524
"""Lengths of the sheet in inches: with ten dials an A3 page. `LINE` is the height of a dial."""

ROOM, BELOW, GAP = 0.98, 0.13, 0.05
"""Height of a pair's items and of the words below it, and the gap between items, in inches."""

TASKS, NUMBERS = 0.46, 0.7
"""Width of the names of tasks and of the numbers beside the bars, in inches."""


@dataclass(frozen=True)
class _Shown:
    """The pairs that a cell shows.

    Attributes:
        settings: Of the data set.
        table: The images of the split.
        pairs: All pairs.
        chosen: The pairs shown, consecutive.
        marked: bool [P, M], the images that are framed.
        words: Below each of the shown pairs.
        strong: bool [P], whether these words are bold.
    """

    settings: DatasetSettings
    table: ImageTable
    pairs: Pairs
    chosen: range
    marked: BoolArray
    words: tuple[str, ...]
    strong: BoolArray


def dial_sheet(dials: Sequence[Dial] | None = None, pairs: int = 3) -> Figure:
    """One sheet of all dials: example pairs beside the exact atoms of the law, three times each.

    Ten dials make an A3 page. The pairs of a cell are consecutive ones of the drawn set, the
    first in which the framed images are as frequent as in the whole set, as nearly as they can be.

    Args:
        dials: The dials; None for all of `trifeature.data.dials.dials`.
        pairs: Number of pairs in each cell, 1 to 4.

    Raises:
        InputError: there is no dial, or the number of pairs is out of range.
    """
    require_whole("pairs", pairs, 1, 4)
    chosen = all_dials() if dials is None else tuple(dials)
    if not chosen:
        raise InputError("nothing to draw: name at least one dial")
    laws = [[law(one.settings) for one in dial.settings] for dial in chosen]
    rows = [
        row
        for dial, found in zip(chosen, laws, strict=True)
        for one in found
        for row in _rows(one, dial)
    ]
    height = HEADER + LINE * len(chosen) + FOOTER
    with drawing(WIDTH, height, **{"axes.linewidth": 0.6, "hatch.linewidth": 0.6}) as figure:
        figure.set_layout_engine("none")  # every part has its place
        _write_header(figure, height)
        for line, (dial, found) in enumerate(zip(chosen, laws, strict=True)):
            top = height - HEADER - LINE * line
            _write_dial(figure, dial, top, height)
            for column, (setting, one) in enumerate(zip(dial.settings, found, strict=True)):
                cell = _Cell(figure, MARGIN + column * _Cell.width(), top - 0.22, height)
                last = line == len(chosen) - 1
                cell.draw(dial, setting, one, pairs, _longest(rows), last=last)
        _legend(figure, rows, loc="lower center", bbox_to_anchor=(0.5, 0.06 / height), ncols=5)
    return figure


def _rows(found: Mapping[str, Any], dial: Dial) -> list[Row]:
    return [row for row in found["law"] if row["set"] == dial.drawn]


def _write_header(figure: Figure, height: float) -> None:
    figure.text(
        MARGIN / WIDTH,
        1 - 0.2 / height,
        "The dials of Trifeature: what the images of a pair tell about its labels",
        fontsize=15,
        fontweight="bold",
        va="top",
    )
    for below, words in ((0.46, _FIRST), (0.6, _SECOND)):
        figure.text(MARGIN / WIDTH, 1 - below / height, words, fontsize=8, va="top")


_FIRST: Final = (
    "Each line turns one dial and leaves the rest as in the paper: ten shapes, textures and "
    "colors, and both images of a pair have the same shape."
)
_SECOND: Final = (
    "The labels: share is the shape, unique an image's texture, synergy what the gate says. Bars: "
    "the exact atoms of what the images tell about each label, in bits."
)


def _write_dial(figure: Figure, dial: Dial, top: float, height: float) -> None:
    """The name and the words of a dial, under a line across the sheet."""
    from matplotlib.lines import Line2D  # noqa: PLC0415 - see `trifeature.plots.drawing`

    ends = [MARGIN / WIDTH, 1 - MARGIN / WIDTH]
    figure.add_artist(Line2D(ends, [top / height] * 2, color="0.6", linewidth=0.7))
    y = (top - 0.13) / height
    name = figure.text(ends[0], y, dial.name, fontsize=10, fontweight="bold", va="center")
    training = " Training pairs and their law." if dial.drawn == "train" else ""
    right = name.get_window_extent().x1 / figure.bbox.width
    figure.text(right + 0.012, y, dial.words + training, fontsize=8.5, va="center")
    figure.text(ends[1], y, MARKS[dial.mark], fontsize=7.5, va="center", ha="right", color="0.25")


@dataclass(frozen=True)
class _Cell:
    """The place of a setting on the sheet; lengths in inches, `top` from below."""

    figure: Figure
    left: float
    top: float
    height: float

    @staticmethod
    def width() -> float:
        return (WIDTH - 2 * MARGIN) / 3

    def axes(self, left: float, below: float, width: float, height: float) -> Axes:
        """Axes of a size, so far from the cell's left and so far below its top."""
        place = (self.left + left) / WIDTH, (self.top - below - height) / self.height
        return self.figure.add_axes((*place, width / WIDTH, height / self.height))

    def draw(
        self,
        dial: Dial,
        setting: Setting,
        found: Mapping[str, Any],
        pairs: int,
        longest: float,
        *,
        last: bool,
    ) -> None:
        """The label, the pairs and the bars of a setting; the last line's axis has numbers."""
        shown = _choose(dial, setting.settings, pairs)
        y = (self.top - 0.08) / self.height
        words: dict[str, Any] = {"y": y, "va": "center"}
        self.figure.text(
            self.left / WIDTH, s=setting.label, fontsize=7.5, fontweight="bold", **words
        )
        right = (self.left + self.width() - 0.22) / WIDTH
        self.figure.text(
            right, s="; ".join(_facts(found)), fontsize=6.5, ha="right", color="0.25", **words
        )
        M = setting.settings.rule.modalities
        side = (ROOM - (M - 1) * GAP) / M
        step = max(side, 0.49) + GAP
        images = self.axes(0, 0.16, pairs * step, ROOM + BELOW)
        images.set_label(f"{dial.name}, {setting.label}: pairs")
        _draw_pairs(images, shown, side, step)
        left = pairs * step + TASKS
        bits = self.axes(left, 0.18, self.width() - left - NUMBERS - 0.08, ROOM - 0.04)
        bits.set_label(f"{dial.name}, {setting.label}: bits")
        _draw_bars(bits, _rows(found, dial), longest, 6)
        bits.tick_params(axis="x", labelsize=6, length=2, pad=1, labelbottom=last)
        if last:
            bits.set_xlabel("bits", fontsize=6.5, labelpad=1)


# --------------------------------------------------------------------------- the pairs of a cell


def _choose(dial: Dial, settings: DatasetSettings, count: int) -> _Shown:
    """The pairs of a cell."""
    tables = plan_images(settings)
    pairs = plan_pairs(settings, tables)[dial.drawn]
    table = tables[SPLIT_OF[dial.drawn]]
    marked = _marked(dial.mark, settings, table, pairs)
    chosen = _typical(marked, count)
    words = tuple(_words(dial.mark, settings, table, pairs, p) for p in chosen)
    strong = np.asarray(marked.all(axis=1) & (dial.mark != "tell"))
    return _Shown(settings, table, pairs, chosen, marked, words, strong)


def _typical(marked: BoolArray, count: int) -> range:
    """The first `count` consecutive pairs in which marks are most nearly as frequent as in all."""
    count = min(count, len(marked))
    sums = np.convolve(marked.sum(axis=1), np.ones(count), mode="valid")
    wanted = round(count * float(marked.sum(axis=1).mean()) + 1e-9)
    first = int(np.abs(sums - wanted).argmin())
    return range(first, first + count)


def _marked(mark: Mark, settings: DatasetSettings, table: ImageTable, pairs: Pairs) -> BoolArray:
    """Whether each image of each pair is framed, bool [P, M]."""
    rule, shown = settings.rule, table.attributes[pairs.images]  # [P, M, 3]
    shared = shown[:, :, ATTRIBUTES.index(rule.shared)]
    found = np.zeros(pairs.images.shape, dtype=bool)
    if mark == "share":
        found |= (shared == shared[:, :1]).all(axis=1, keepdims=True)
    elif mark == "follow":
        found |= shown[:, :, ATTRIBUTES.index(rule.unique)] == settings.follower(shared)
    elif mark == "label":
        found |= (pairs.labels["synergy"] == 1)[:, None]
    elif mark == "nuisance":
        levels = levels_of(settings, table)[pairs.images]
        found |= (levels == levels[:, :1]).all(axis=1, keepdims=True)
    elif mark == "noise":
        before = label(table.attributes, pairs.images, rule, settings.partners)
        found |= (pairs.labels["share"] != before["share"])[:, None]
    elif mark == "tell" and rule.scenario:
        found[:, list(_tellers(settings))] = True
    return found


def _tellers(settings: DatasetSettings) -> tuple[int, ...]:
    """The modalities that tell the label of the scenario's task."""
    scenario = SCENARIOS[settings.rule.scenario]
    alone = scenario.task.removeprefix("unique")
    known = {"share": scenario.sharing, "synergy": scenario.linked}
    return known[scenario.task] if scenario.task in known else (int(alone) - 1,)


def _words(
    mark: Mark, settings: DatasetSettings, table: ImageTable, pairs: Pairs, pair: int
) -> str:
    """What is written below a pair."""
    task = SCENARIOS[settings.rule.scenario].task if settings.rule.scenario else "synergy"
    if mark == "noise":
        task = "share"
    if mark not in ("label", "number", "noise", "tell"):
        return ""
    value = int(pairs.labels[task][pair])
    if task != "synergy":
        attribute = settings.rule.shared if task == "share" else settings.rule.unique
        return settings.values[attribute][value]
    gate = settings.rule.parsed_gate
    if gate.uses_map:
        return "kept → 1" if value else "not → 0"
    a, b = (ATTRIBUTES.index(name) for name in settings.rule.synergy)
    first, *others = settings.rule.linked
    images = pairs.images[pair]
    numbers = [table.attributes[images[first], a], *table.attributes[images[others], b]]
    sign = {"sum": "+", "parity": ", ", "and": ", "}[gate.name]
    return f"{sign.join(map(str, numbers))} → {value}"


def _draw_pairs(axes: Axes, shown: _Shown, side: float, step: float) -> None:
    """Pairs side by side, image 1 on top, each with its words below; units are inches."""
    from matplotlib.patches import Rectangle  # noqa: PLC0415 - see `trifeature.plots.drawing`

    M = shown.settings.rule.modalities
    for m, look in enumerate(shown.settings.looks_of):
        images = shown.pairs.images[shown.chosen, m]
        some = ImageTable(shown.table.attributes[images], shown.table.copies[images])
        items = draw_items(shown.settings, some, look).numpy()
        for place, item in enumerate(items):
            left = place * step + (step - side) / 2
            low = BELOW + (M - 1 - m) * (side + GAP)
            if look == "caption":
                _write_caption(axes, item, shown.settings, left + side / 2, low + side / 2)
            else:
                extent = (left, left + side, low, low + side)
                axes.imshow(item.transpose(1, 2, 0), extent=extent, aspect="auto")
            framed = bool(shown.marked[shown.chosen[place], m])
            look_of_frame: dict[str, Any] = (
                {"edgecolor": "black", "linewidth": 1.8}
                if framed
                else {"edgecolor": "0.7", "linewidth": 0.4}
            )
            axes.add_patch(
                Rectangle(
                    (left, low),
                    side,
                    side,
                    fill=False,
                    clip_on=False,
                    gid="framed" if framed else None,
                    **look_of_frame,
                )
            )
    for place, words in enumerate(shown.words):
        weight = "bold" if shown.strong[shown.chosen[place]] else "normal"
        x = (place + 0.5) * step
        axes.text(x, 0, words, fontsize=6, fontweight=weight, ha="center", va="bottom")
    axes.set(xlim=(0, len(shown.chosen) * step), ylim=(0, ROOM + BELOW))
    axes.axis("off")


def _write_caption(axes: Axes, tokens: Any, settings: DatasetSettings, x: float, y: float) -> None:
    """A caption, a word a line."""
    text = caption_text(tokens, settings.values, settings.caption)
    axes.text(x, y, text.replace(" ", "\n"), fontsize=5, ha="center", va="center")
