"""The paper's figures and tables from rows alone; what was not measured is shown as missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from matplotlib.figure import Figure

from trifeature.dataset import preset as data_preset
from trifeature.experiments.base import Experiment, Result
from trifeature.experiments.fig7 import FAMILIES
from trifeature.plots import Bar, Curve, interaction_bars, interaction_curves, strength_panels
from trifeature.report import Summary

TABLE_COLUMNS: Final = ("R", "U", "U1", "U2", "S")
NOT_MEASURED: Final = "–"


def chance(preset: str) -> dict[str, float]:
    """Accuracy of guessing on a preset's test pairs."""
    classes = data_preset(preset).classes
    return {"R": 1 / classes["share"], "U": 1 / classes["unique1"], "S": 0.5}


def draw(experiment: Experiment, preset: str, found: Sequence[Result]) -> Figure:
    """The picture of an experiment, in the paper's layout where it has one."""
    caption = f"{experiment.title}; {preset} preset, {_counts(found)}"
    if experiment.curves:
        return interaction_curves(_curves(found), chance(preset), caption)
    if experiment.name == "fig7":
        return _strengths(preset, found, caption)
    return interaction_bars(_bars(found), chance(preset), caption)


def _counts(found: Sequence[Result]) -> str:
    numbers = {len(r.biased) for r in found} | {len(r.unbiased) for r in found}
    if len(numbers) == 1:
        return f"n = {numbers.pop()}"
    return f"n = {min(numbers)} to {max(numbers)}"


def _curves(found: Sequence[Result]) -> dict[str, list[Curve]]:
    """R and U from the unbiased trainings; S from the biased ones, its control dashed."""
    panels: dict[str, list[Curve]] = {"R": [], "U": [], "S": []}
    for color, result in enumerate(found):
        kinds = {kind: [row for row in result.curves if row["biased"] == kind] for kind in (0, 1)}
        for name in ("R", "U"):
            if kinds[0]:
                panels[name].append(Curve(result.arm.label, kinds[0], color=color))
        if kinds[1]:
            panels["S"].append(Curve(result.arm.label, kinds[1], color=color))
        if kinds[0]:
            label = f"{result.arm.label}, unbiased pairs (control of S)"
            panels["S"].append(Curve(label, kinds[0], control=True, color=color))
    return panels


def _bars(found: Sequence[Result]) -> list[Bar]:
    untrained = [row for result in found for row in result.untrained]
    return [
        Bar(
            result.arm.label,
            {name: result.summary(name) for name in ("R", "U", "S")},
            result.control,
            _mean(untrained, "S"),
            {name: value for name, (value, _) in result.arm.published.items()},
        )
        for result in found
    ]


def _mean(rows: Sequence[Mapping[str, float]], column: str) -> float | None:
    return 100 * sum(row[column] for row in rows) / len(rows) if rows else None


def _strengths(preset: str, found: Sequence[Result], caption: str) -> Figure:
    """Figure 7's two families of crops, in the order of the arms."""
    families: dict[str, list[tuple[str, Result]]] = {title: [] for title in FAMILIES}
    for result in found:
        low = float(result.arm.label.strip("()").split(",")[0])
        high = float(result.arm.label.strip("()").split(",")[1])
        title = "crops to 1" if high == 1.0 else "crops from 0"
        families[title].append((f"{low:g}–{high:g}", result))
    series = {
        title: {
            name: [(label, result.summary(name)) for label, result in members]
            for name in ("R", "U", "S")
        }
        | {"control of S": [(label, result.control) for label, result in members]}
        for title, members in families.items()
    }
    return strength_panels(series, chance(preset), caption)


def table(found: Sequence[Result]) -> list[list[str]]:
    """Lines of cells, the first one the heading.

    Each line has the arm, ours (mean ± spread) and the paper's value for each column, the two
    controls of S, and n of the biased and the unbiased trainings.
    """
    heading = ["", *(f"{c} {who}" for c in TABLE_COLUMNS for who in ("ours", "paper"))]
    lines = [[*heading, "S unbiased", "S untrained", "n"]]
    for result in found:
        cells = [result.arm.label]
        for column in TABLE_COLUMNS:
            cells += [_text(result.summary(column)), _published(result, column)]
        untrained = _mean(result.untrained, "S")
        cells.append(_text(result.control))
        cells.append(NOT_MEASURED if untrained is None else f"{untrained:.1f}")
        lines.append([*cells, f"{len(result.biased)} + {len(result.unbiased)}"])
    return lines


def _text(summary: Summary | None) -> str:
    return NOT_MEASURED if summary is None else str(summary)


def _published(result: Result, column: str) -> str:
    if column not in result.arm.published:
        return ""
    mean, spread = result.arm.published[column]
    return f"{mean:.1f}" + ("" if spread is None else f" ± {spread:.1f}")


def as_text(lines: Sequence[Sequence[str]]) -> str:
    """A table for people: columns aligned, plain text."""
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    texts = ("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(text.rstrip() for text in texts) + "\n"


def as_latex(lines: Sequence[Sequence[str]]) -> str:
    """The same as a LaTeX tabular."""
    symbols = {
        "±": r"$\pm$",
        "∅": r"$\emptyset$",
        "∖": r"$\setminus$",
        "Σ": r"$\Sigma$",
        "_": r"\_",
    }

    def escape(text: str) -> str:
        return "".join(symbols.get(letter, letter) for letter in text)

    rows = [" & ".join(escape(cell) for cell in line) + r" \\" for line in lines]
    return "\n".join(
        [
            r"\begin{tabular}{l" + "r" * (len(lines[0]) - 1) + "}",
            r"\hline",
            rows[0],
            r"\hline",
            *rows[1:],
            r"\hline",
            r"\end{tabular}",
            "",
        ]
    )
