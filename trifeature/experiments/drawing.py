"""Drawings and tables that experiments share; what was not measured is shown as missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from trifeature.experiments.experiment import Lines, Result, Results
from trifeature.plots import Bar, Curve, interaction_bars, interaction_curves
from trifeature.report import Summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOT_MEASURED: Final = "–"
PANELS: Final = ("R", "U", "S_auc", "S")


def draw_bars(results: Results, panels: Sequence[str] = PANELS) -> Figure:
    """A bar for each arm in a panel for each column, beside its controls and published value.

    Args:
        results: Of any experiment.
        panels: The columns to show.
    """
    bars = [
        Bar(
            result.arm.label,
            {column: result.summary(column) for column in panels},
            {c: result.control(c) for c in panels if result.arm.from_biased(c)},
            {column: result.mean_untrained(column) for column in panels},
            {column: mean for column, (mean, _) in result.arm.published.items()},
            {c: found.mean for c in panels if (found := result.authors(c)) is not None},
        )
        for result in results
    ]
    return interaction_bars(bars, results.chance, results.caption, panels)


def draw_curves(results: Results, caption: str | None = None) -> Figure:
    """Curves over the epochs, a panel for each of R, U and S.

    Args:
        results: Of an experiment that probes at several epochs.
        caption: Other than the results'.
    """
    drawn = curves(results, PANELS)
    return interaction_curves(drawn, results.chance, caption or results.caption)


def curves(
    results: Iterable[Result], panels: Sequence[str], *, name_missing: bool = True
) -> dict[str, list[Curve]]:
    """The curves of each panel.

    An arm has one color; the control of what is taken from biased trainings is dashed.

    Args:
        results: One color each.
        panels: The columns to show.
        name_missing: Name an arm that was not measured in the legend.
    """
    drawn: dict[str, list[Curve]] = {column: [] for column in panels}
    for color, result in enumerate(results):
        kinds = {kind: [r for r in result.curves if r["biased"] == kind] for kind in (False, True)}
        own = [column for column in panels if result.arm.from_biased(column)]
        named = [column for column in own if not column.endswith("_auc")]
        of = "" if len(own) == len(panels) else f" of {', '.join(named)}"
        for column in panels:
            rows, control = kinds[column in own], kinds[False] if column in own else []
            if rows or name_missing:
                label = result.arm.label + ("" if rows else ", not measured")
                drawn[column].append(Curve(label, rows, color=color))
            if control:
                label = f"{result.arm.label}, unbiased pairs (control{of})"
                drawn[column].append(Curve(label, control, control=True, color=color))
    return drawn


def comparison(results: Results, *, published: bool = True) -> Lines:
    """A table of ours beside the paper's values, or of ours alone.

    Each line has the arm, ours (mean ± spread) and the paper's value for each column; of the
    columns with a control what the unbiased trainings and the untrained network reach; the
    experiment's further columns, the authors' probe where it was taken, as they stop it and
    converged, and n of the biased and the unbiased trainings.
    """
    experiment = results.experiment
    ends = [f"{c}_converged" for c in results.controlled]
    own = [c for c in ends if any(result.summary(c) for result in results)]
    beside = [c for one in zip(results.controlled, ends, strict=True) for c in one]
    authors = [c for c in beside if any(result.authors(c) for result in results)]
    heading = ["", *experiment.columns]
    if published:
        heading = ["", *(f"{c} {who}" for c in experiment.columns for who in ("ours", "paper"))]
    heading += [f"{c} {what}" for c in results.controlled for what in ("unbiased", "untrained")]
    heading += [*experiment.details.values(), *(c.replace("_", " ") for c in own)]
    heading += [*(_authors_words(c) for c in authors), "n"]
    lines = [heading]
    for result in results:
        cells = [result.arm.label]
        for column in experiment.columns:
            cells.append(summary_words(result.summary(column)))
            cells += [published_words(result, column)] if published else []
        for column in results.controlled:
            untrained = result.mean_untrained(column)
            cells.append(summary_words(result.control(column)))
            cells.append(NOT_MEASURED if untrained is None else f"{untrained:.1f}")
        cells += [summary_words(result.summary(column)) for column in (*experiment.details, *own)]
        cells += [summary_words(result.authors(column)) for column in authors]
        lines.append([*cells, f"{len(result.biased)} + {len(result.unbiased)}"])
    return lines


def _authors_words(column: str) -> str:
    """The heading of a column by the authors' probe."""
    name, *converged = column.split("_")
    return ", ".join([f"{name} authors' probe", *converged])


def summary_words(summary: Summary | None) -> str:
    """Mean ± spread, or that it was not measured."""
    return NOT_MEASURED if summary is None else str(summary)


def published_words(result: Result, column: str) -> str:
    """The paper's value of a column, empty where it gives none."""
    if column not in result.arm.published:
        return ""
    mean, spread = result.arm.published[column]
    if spread is None:
        return f"{mean:.1f}"
    digits = 2 if 0 < spread < 0.05 else 1  # "± 0.0" would say that all runs agreed
    return f"{mean:.1f} ± {spread:.{digits}f}"


def _aligned(lines: Sequence[Sequence[str]]) -> list[list[str]]:
    """The cells, each padded to the width of its column."""
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return [[cell.ljust(w) for cell, w in zip(line, widths, strict=True)] for line in lines]


def as_text(lines: Sequence[Sequence[str]]) -> str:
    """A table for people: columns aligned, plain text."""
    return "\n".join("  ".join(line).rstrip() for line in _aligned(lines)) + "\n"


def as_markdown(lines: Sequence[Sequence[str]]) -> str:
    """A table in GitHub's Markdown, its columns aligned."""
    heading, *rest = _aligned([[cell.replace("|", "\\|") for cell in line] for line in lines])
    rule = ["-" * len(cell) for cell in heading]
    return "".join(f"| {' | '.join(line)} |\n" for line in (heading, rule, *rest))


LATEX: Final[Mapping[str, str]] = {
    "±": r"$\pm$",
    "∅": r"$\emptyset$",
    "∖": r"$\setminus$",
    "Σ": r"$\Sigma$",
    "τ": r"$\tau$",
    "–": "--",
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{letter: "\\" + letter for letter in "_&%$#{}"},
}
"""LaTeX of the characters that are special to it."""


def as_latex(lines: Sequence[Sequence[str]]) -> str:
    """A table as a LaTeX tabular."""

    def escape(text: str) -> str:
        return "".join(LATEX.get(letter, letter) for letter in text)

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
