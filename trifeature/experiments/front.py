"""The front of synergy and uniqueness over the temperature of the loss.

`comm-probe reproduce front`. A high temperature raises S and lowers U; the question is which loss
and which method has both. Not in the paper, which trains at a temperature of 0.1 only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from trifeature.experiments.drawing import NOT_MEASURED
from trifeature.experiments.experiment import (
    Arm,
    Experiment,
    Lines,
    Priority,
    Results,
    curve_epochs,
)
from trifeature.experiments.leaderboard import KNOWN
from trifeature.plots import CURVE_COLORS, MARKERS, curve_points, drawing
from trifeature.presets import Preset
from trifeature.report import Row, paired

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEMPERATURES: Final = (0.05, 0.1, 0.2, 0.4, 0.8)
BOARD: Final = {arm.label: arm for arm in KNOWN}
"""The leaderboard's arms by label, which say what each method trains."""
LINES: Final[Mapping[str, str]] = {"L_CoMM": "CoMM", "ΣL_i": "ΣL_i", "L": "L"}
"""The lines over all temperatures: their labels, and those of the leaderboard."""
RIVALS: Final[Mapping[str, float]] = {
    "Asymmetric dropping": 0.8,
    "InfMasking": 0.8,
    "HRIL, + alignment": 0.8,
}
"""The own best temperature of each rival, by its label on the leaderboard.

That of the largest lead of S over its control, by AUC, among 0.1, 0.2, 0.4 and 0.8 on validation
pairs of the quick preset (`figures/validation.jsonl`). Each is drawn at the preset's too.
"""
POINTS: Final = (
    "CoMM, two temperatures",
    "CoMM, two temperatures, two fusions",
    "CoMM + Cross",
)
"""Methods with a temperature of their own, by their labels on the leaderboard."""
OVER_EPOCHS: Final = "L_CoMM"
"""The line whose R, U and S are drawn over the epochs too."""
OVER: Final[Mapping[str, str]] = {
    "R": f"R of {OVER_EPOCHS} (%)",
    "U": f"U of {OVER_EPOCHS} (%)",
    "S_auc": f"S of {OVER_EPOCHS}, AUC (%)",
}
"""The columns drawn over the epochs, with their titles."""
COLORS: Final = (*CURVE_COLORS, "#7F7F7F", "#8C564B")
SIGNS: Final = f"{MARKERS}Xp"
"""Colors and markers of the lines, which are more than a figure of curves has."""
LABELS: Final = ((-6, -11), (4, 5))
"""Where τ stands beside a point, in points, in turns, so that labels of two lines keep apart."""


@dataclass(frozen=True)
class FrontArm(Arm):
    """One point of the front.

    Attributes:
        line: The line that it belongs to.
        temperature: τ of the loss; None for a method with a point of its own.
    """

    line: str = ""
    temperature: float | None = None


def arms(preset: Preset) -> Sequence[FrontArm]:
    """One arm for each line and temperature; the preset's own temperature needs no run of its own.

    Its setting then is that of the leaderboard, so that its rows are found.
    """
    usual = preset.run.get("temperature", 0.1)
    over_all = [
        _point(line, BOARD[label], temperature, usual)
        for line, label in LINES.items()
        for temperature in TEMPERATURES
    ]
    rivals = [
        _point(label, BOARD[label], temperature, usual)
        for label, best in RIVALS.items()
        for temperature in sorted({usual, best})
    ]
    return (*over_all, *rivals, *(_point(label, BOARD[label]) for label in POINTS))


def _point(
    line: str, method: Arm, temperature: float | None = None, usual: float | None = None
) -> FrontArm:
    """A method's point of a line, at a temperature where one is given."""
    if temperature is None:
        return FrontArm(
            line, method.setting, method.changes, priority=method.priority, curve=False, line=line
        )
    other = "" if temperature == usual else f"temperature {temperature:g}"
    return FrontArm(
        f"{line}, τ = {temperature:g}",
        f"{method.setting} {other}".strip(),
        {**method.changes, "temperature": temperature},
        priority=Priority.TEMPERATURES,
        curve=line == OVER_EPOCHS,
        line=line,
        temperature=temperature,
    )


def draw(results: Results) -> Figure:
    """S against U with a line for each loss; R, U and S of L_CoMM over the epochs for each τ."""
    with drawing(13, 4.4) as figure:
        front, *panels = figure.subplots(1, 4, width_ratios=(1.7, 1, 1, 1))
        for number, line in enumerate(dict.fromkeys(_of(result.arm).line for result in results)):
            _draw_line(front, results, line, number)
        front.axhline(50, color="0.4", linewidth=1, linestyle=":")
        front.set(title="S against U (hollow: control)", xlabel="U, unbiased pairs (%)")
        front.set_ylabel("S, AUC (%)")
        figure.legend(*front.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        shown = [result for result in results if _of(result.arm).line == OVER_EPOCHS]
        shades = _shades(len(shown))
        for axes, (column, name) in zip(panels, OVER.items(), strict=True):
            for result, shade in zip(shown, shades, strict=True):
                label = f"τ = {_of(result.arm).temperature:g}"
                kinds = {kind: [r for r in result.curves if r["biased"] == kind] for kind in (0, 1)}
                biased = result.arm.from_biased(column)
                _draw_epochs(axes, kinds[biased], column, {"color": shade, "label": label})
                if biased:
                    _draw_epochs(axes, kinds[0], column, {"color": shade, "linestyle": ":"})
            axes.set(title=name, xlabel="epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
        if panels[0].lines:
            panels[0].legend(fontsize=7)
        if dotted := [line for line in panels[-1].lines if line.get_linestyle() == ":"]:
            panels[-1].legend(dotted[-1:], ["control"], fontsize=7)
        figure.suptitle(results.caption, fontsize=8, color="0.3")
    return figure


def _shades(count: int) -> list[Any]:
    """Colors from dark to light for values in order, not those of the losses."""
    from matplotlib import colormaps  # noqa: PLC0415 - see `trifeature.plots.drawing`

    return [colormaps["viridis"](0.85 * k / max(count - 1, 1)) for k in range(count)]


def table(results: Results) -> Lines:
    """One line for each loss and temperature, with S by AUC over its control, paired by seed."""
    lines = [["", "n", "R", "U", "S AUC", "control AUC", "over control [95 %]", "S balanced", "S"]]
    for result in results:
        columns = ("R", "U", "S_auc")
        values = [result.summary(column) for column in columns]
        values += [result.control("S_auc")]
        last = [result.summary(column) for column in ("S_balanced", "S")]
        lead = paired(result.biased, result.unbiased, "S_auc")
        cells = [NOT_MEASURED if x is None else str(x) for x in (*values, lead, *last)]
        n = f"{len(result.biased)} + {len(result.unbiased)}"
        lines.append([result.arm.label, n, *cells])
    return lines


def _of(arm: Arm) -> FrontArm:
    assert isinstance(arm, FrontArm)  # noqa: S101 - `arms` makes no others
    return arm


def _draw_line(axes: Axes, results: Results, line: str, number: int) -> None:
    """The points of one loss, joined in the order of τ, and hollow ones for their controls."""
    color, marker, place = COLORS[number], SIGNS[number], LABELS[number % len(LABELS)]
    points = []
    for result in results:
        unique, synergy, control = (
            result.summary("U"),
            result.summary("S_auc"),
            result.control("S_auc"),
        )
        if _of(result.arm).line != line or unique is None or synergy is None:
            continue
        points.append((unique.mean, synergy.mean))
        look: dict[str, Any] = {"color": color, "capsize": 2, "linewidth": 1, "alpha": 0.5}
        axes.errorbar(*points[-1], xerr=unique.spread, yerr=synergy.spread, **look)
        temperature = _of(result.arm).temperature
        if temperature is not None:
            text = f"{temperature:g}"
            look = {"textcoords": "offset points", "fontsize": 8, "color": color}
            axes.annotate(text, points[-1], place, **look)
        if control is not None:
            axes.plot(unique.mean, control.mean, marker, color=color, markerfacecolor="white")
    label = line if points else f"{line}, not measured"
    x, y = zip(*points, strict=True) if points else ((), ())
    axes.plot(x, y, marker=marker, color=color, label=label)


def _draw_epochs(axes: Axes, rows: Sequence[Row], column: str, look: Mapping[str, Any]) -> None:
    """The mean over the seeds at each epoch."""
    known = [row for row in rows if row.get(column) is not None]
    if known:
        epochs, means, _ = curve_points(known, column)
        # A line between the untrained network and the last epoch would look like a curve.
        points = {} if len(epochs) > 2 else {"marker": "o", "markersize": 4, "linewidth": 0.6}
        axes.plot(epochs, means, **{**look, **points})


FRONT: Final = Experiment(
    "front",
    "synergy against uniqueness over the temperature",
    arms,
    draw=draw,
    table=table,
    probe_epochs=curve_epochs,
)
