"""The paper's figures and tables from rows alone; what was not measured is shown as missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from trifeature.data.dataset import preset as data_preset
from trifeature.experiments.ablation import chance_of
from trifeature.experiments.base import Experiment, Result
from trifeature.experiments.fig7 import FAMILIES
from trifeature.experiments.plan import Row
from trifeature.plots import (
    EITHER_IMAGE,
    INTERACTIONS,
    Bar,
    Curve,
    interaction_bars,
    interaction_curves,
    strength_panels,
)
from trifeature.presets import get_preset
from trifeature.report import Summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TABLE_COLUMNS: Final = ("R", "U", "U1", "U2", "S")
NOT_MEASURED: Final = "–"


def chance(preset: str) -> dict[str, float]:
    """Accuracy of guessing on a preset's test pairs."""
    return chance_of(data_preset(preset))


def draw(experiment: Experiment, preset: str, found: Sequence[Result]) -> Figure:
    """The picture of an experiment, in the paper's layout where it has one."""
    caption = f"{experiment.title}; {preset} preset, {_counts(found)}"
    if experiment.curves:
        return interaction_curves(_curves(found), chance(preset), caption)
    if experiment.name == "fig7":
        return _strengths(preset, found, caption)
    # Where the paper prints no mean of U1 and U2, they are what it is about.
    apart = any(result.arm.published and "U" not in result.arm.published for result in found)
    return interaction_bars(
        _bars(found), chance(preset), caption, EITHER_IMAGE if apart else INTERACTIONS
    )


def _counts(found: Sequence[Result]) -> str:
    numbers = {len(r.biased) for r in found} | {len(r.unbiased) for r in found}
    if len(numbers) == 1:
        return f"n = {numbers.pop()}"
    fewest = f"{min(numbers)} to " if min(numbers) else "up to "
    return f"n = {fewest}{max(numbers)}" + ("" if min(numbers) else ", some not measured")


def _curves(found: Sequence[Result]) -> dict[str, list[Curve]]:
    """R and U from the unbiased trainings; S from the biased ones, its control dashed."""
    panels: dict[str, list[Curve]] = {"R": [], "U": [], "S": []}
    for color, result in enumerate(found):
        kinds = {kind: [row for row in result.curves if row["biased"] == kind] for kind in (0, 1)}
        labels = {k: result.arm.label + ("" if kinds[k] else ", not measured") for k in kinds}
        for name in ("R", "U"):
            panels[name].append(Curve(labels[0], kinds[0], color=color))
        panels["S"].append(Curve(labels[1], kinds[1], color=color))
        if kinds[0]:
            label = f"{result.arm.label}, unbiased pairs (control of S)"
            panels["S"].append(Curve(label, kinds[0], control=True, color=color))
    return panels


def _bars(found: Sequence[Result]) -> list[Bar]:
    return [
        Bar(
            result.arm.label,
            {name: result.summary(name) for name in TABLE_COLUMNS},
            result.control,
            _mean(result.untrained, "S"),
            {name: value for name, (value, _) in result.arm.published.items()},
        )
        for result in found
    ]


def _mean(rows: Sequence[Row], column: str, scale: float = 100) -> float | None:
    """The mean of a column, by default in percent; None where no row has it."""
    values = [row[column] for row in rows if row.get(column) is not None]
    return scale * sum(values) / len(values) if values else None


def _strengths(preset: str, found: Sequence[Result], caption: str) -> Figure:
    """Figure 7's two families of crops; the arms come in their order."""
    from_zero, to_full = (getattr(get_preset(preset).augmentations, name) for name in FAMILIES)
    # "From 0" is the paper's: a preset's family starts at what its canvas lets be seen.
    scales = {f"crops from {from_zero[0][0]:g}": from_zero, "crops to 1": to_full}
    rest = iter(found)
    families = {
        title: [(f"{low:g}–{high:g}", next(rest)) for low, high in members]
        for title, members in scales.items()
    }
    lines = {
        title: {
            name: [(label, value(result)) for label, result in members]
            for name, value in _STRENGTH_LINES.items()
        }
        for title, members in families.items()
    }
    i_nce = {
        title: [_mean(result.biased, "i_nce", 1) for _, result in members]
        for title, members in families.items()
    }
    return strength_panels(lines, chance(preset), caption, i_nce)


def _mean_of_three(result: Result) -> Summary | None:
    """The mean of R, U and S where all three were measured."""
    parts = [result.summary(name) for name in ("R", "U", "S")]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return Summary(sum(p.mean for p in known) / len(known), None, min(p.n for p in known))


_STRENGTH_LINES: Final[Mapping[str, Callable[[Result], Summary | None]]] = {
    "R": lambda result: result.summary("R"),
    "U": lambda result: result.summary("U"),
    "S": lambda result: result.summary("S"),
    "mean of R, U and S": _mean_of_three,
    "S on unbiased pairs (control)": lambda result: result.control,
}


def table(found: Sequence[Result]) -> list[list[str]]:
    """Lines of cells, the first one the heading.

    Each line has the arm, ours (mean ± spread) and the paper's value for each column, the two
    controls of S, its area under the ROC curve, the class-balanced probe's and the authors' probe's
    S (where it was taken), and n of the biased and the unbiased trainings.
    """
    heading = ["", *(f"{c} {who}" for c in TABLE_COLUMNS for who in ("ours", "paper"))]
    with_official = any(result.official for result in found)
    official = ["S authors' probe"] if with_official else []
    more = ["S unbiased", "S untrained", "S AUC", "S balanced", *official, "n"]
    lines = [[*heading, *more]]
    for result in found:
        cells = [result.arm.label]
        for column in TABLE_COLUMNS:
            cells += [_text(result.summary(column)), _published(result, column)]
        untrained = _mean(result.untrained, "S")
        cells.append(_text(result.control))
        cells.append(NOT_MEASURED if untrained is None else f"{untrained:.1f}")
        others = [result.summary("S_auc"), result.summary("S_balanced")]
        cells += [_text(one) for one in [*others, *([result.official] if with_official else [])]]
        lines.append([*cells, f"{len(result.biased)} + {len(result.unbiased)}"])
    return lines


def _text(summary: Summary | None) -> str:
    return NOT_MEASURED if summary is None else str(summary)


def _published(result: Result, column: str) -> str:
    if column not in result.arm.published:
        return ""
    mean, spread = result.arm.published[column]
    if spread is None:
        return f"{mean:.1f}"
    digits = 2 if 0 < spread < 0.05 else 1  # "± 0.0" would say that all runs agreed
    return f"{mean:.1f} ± {spread:.{digits}f}"


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
        "–": "--",
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
