"""Ours beside the paper's values, with what follows from their difference; S beside its controls.

These tables follow the first one of Figures 4 and 5 and Tables 4, 5 and 7 on presets whose numbers
stand beside published ones. A published value goes with the authors' probe, which stops early; our
probe stands beside it in a column of its own. The paper's runs share one data set, ours vary it
with the seed, so that our spread is wider by that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Final, NamedTuple

from trifeature.experiments.drawing import NOT_MEASURED, published_words, summary_words
from trifeature.experiments.experiment import Lines, Result, Results
from trifeature.experiments.plan import Row
from trifeature.experiments.standings import FEWEST
from trifeature.presets import PAPER, get_preset
from trifeature.probes.names import Probing
from trifeature.report import ROUNDING, Summary, paired, summarize

LARGE: Final = 1.0
"""Points of percent; a smaller difference is none to explain."""
REASONS: Final = ("drawings", "probe", "views", "precision", "seeds")
"""Where to look for the reason of a difference, in this order."""
NOTHING: Final = "nothing follows"

PROBES: Final[Mapping[Probing, str]] = {
    "ours": "our probe",
    "products": "our probe with products",
    "authors": "authors' probe",
}
"""The probe that rows are by, in words; `Result.authors` is by the authors' besides."""
MEASURES: Final[Mapping[str, str]] = {
    "S": "accuracy, {probe}",
    "S_balanced": "accuracy, {probe}, class-balanced",
    "S_auc": "AUC, {probe}",
}
"""The columns of S, with their words."""


@dataclass(frozen=True)
class Comparison:
    """One number of ours beside the paper's.

    Attributes:
        authors: Ours by the authors' probe; None where it was not taken.
        own: Ours by our probe; None where it was not taken.
        paper: The paper's; its spread is None where the paper gives none, of any number of runs.
        protocol: How the paper measured where it was not as here, in words; else empty.
    """

    authors: Summary | None
    own: Summary | None
    paper: Summary
    protocol: str = ""

    @property
    def difference(self) -> float | None:
        """Ours by the authors' probe less the paper's, in points; None if it cannot be stated."""
        if self.authors is None or self.protocol:
            return None
        return self.authors.mean - self.paper.mean

    @property
    def standard_error(self) -> float | None:
        """Of the difference, in points; None where either spread is unknown.

        With standard deviations s of our n runs and t of the paper's m it is √(s²/n + t²/m).
        """
        if self.authors is None or self.difference is None:
            return None
        ours, paper = self.authors.standard_error, self.paper.standard_error
        return None if ours is None or paper is None else hypot(ours, paper)

    @property
    def why_nothing(self) -> str:
        """The reason why nothing follows, in words; empty where something does."""
        if self.authors is None:
            return "not measured" + (" by the authors' probe" if self.own else "")
        if self.protocol:
            return f"the paper's is {self.protocol}: {NOTHING}"
        if self.paper.spread is None:
            return f"the paper gives no spread: {NOTHING}"
        return f"n = {self.authors.n}: {NOTHING}" if self.authors.n < FEWEST else ""

    def verdict(self, reasons: Sequence[str] = REASONS) -> str:
        """What follows, in words.

        The values differ if the difference is more than two standard errors and more than a point,
        of at least `FEWEST` runs. Nothing follows from fewer, from values of another metric or
        without the paper's spread.

        Args:
            reasons: Where to look if they differ.
        """
        difference, error = self.difference, self.standard_error
        if self.why_nothing or difference is None or error is None:
            return self.why_nothing
        if abs(difference) <= 2 * error + ROUNDING:
            return "agrees within two standard errors"
        if abs(difference) <= LARGE + ROUNDING:
            return "within a point"
        return f"differs: look at {', '.join(reasons)}, in this order"


def beside_paper(results: Results) -> dict[str, Lines]:
    """Both tables by their title; none where numbers do not stand beside published ones."""
    if not get_preset(results.setup.preset).published:
        return {}
    words = f"{results.what_was_run}, {results.counts}, %"
    difference = f"ours beside the paper's, difference by the authors' probe; {words}"
    over = f"S beside its controls, unbiased pairs and the untrained network; {words}"
    return {difference: comparison_lines(results), over: control_lines(results)}


def reasons_of(results: Results) -> tuple[str, ...]:
    """Where to look if values differ: first at what is not of the paper's size."""
    small = get_preset(results.setup.preset).canvas != PAPER.canvas
    size = [word for word, other in (("canvas", small), ("epochs", results.setup.epochs)) if other]
    return (*size, *REASONS)


def compare_column(results: Results, result: Result, column: str) -> Comparison:
    """An arm's number of a column beside the paper's.

    Args:
        results: Of the experiment.
        result: One of them, of an arm with a published value of the column.
        column: `R`, `U`, `U1`, `U2` or `S`.
    """
    authors, own = result.authors(column), result.summary(column)
    if results.setup.probing == "authors":  # the rows themselves are by that probe
        authors, own = own, None
    paper = Summary(*result.arm.published[column], results.experiment.seeds)
    return Comparison(authors, own, paper, result.arm.protocol)


def comparison_lines(results: Results) -> Lines:
    """One line for each arm and column that the paper gives a value of; one for a missing arm."""
    probing = results.setup.probing
    own = PROBES["ours" if probing == "authors" else probing]
    heading = ["", "n", "column", PROBES["authors"], own, "paper", "difference"]
    lines = [[*heading, "standard error", "what follows"]]
    reasons = reasons_of(results)
    for result in results:
        columns = [c for c in results.experiment.columns if c in result.arm.published]
        if not (result.biased or result.unbiased) and columns:
            blank = [NOT_MEASURED] * 5
            lines.append([*_name_and_n(result), ", ".join(columns), *blank, "not measured"])
            continue
        for column in columns:
            one = compare_column(results, result, column)
            lines.append(
                [
                    *_name_and_n(result),
                    column,
                    summary_words(one.authors),
                    summary_words(one.own),
                    published_words(result, column),
                    _points(one.difference, "+"),
                    _points(one.standard_error),
                    one.verdict(reasons),
                ]
            )
    return lines


def _points(value: float | None, sign: str = "") -> str:
    """Two decimals, so that the rule of two standard errors can be checked by eye."""
    return NOT_MEASURED if value is None else f"{value:{sign}.2f}"


def control_lines(results: Results) -> Lines:
    """S of each arm by every measure, beside what both of its controls reach.

    The difference to the unbiased control is paired by seed; its 95 % interval is Student's. The
    authors' probe that stands beside ours reads no untrained network.
    """
    lines = [["", "n", "S by", "biased", "unbiased", "untrained", "over unbiased [95 %]"]]
    for result in results:
        for one in _readings(result, results.setup.probing):
            values = (summarize(rows, one.column) for rows in (one.biased, one.unbiased))
            lines.append(
                [
                    *_name_and_n(result),
                    one.measure,
                    *(summary_words(value) for value in values),
                    NOT_MEASURED if one.untrained is None else f"{one.untrained:.1f}",
                    _over(one.biased, one.unbiased, one.column),
                ]
            )
    return lines


class _Reading(NamedTuple):
    """One way in which S of an arm was read.

    Attributes:
        measure: It and its probe, in words.
        column: Where rows have it.
        biased: Rows of the trainings on biased pairs.
        unbiased: Rows of the control.
        untrained: What the untrained network reaches, in percent; None where it was not probed.
    """

    measure: str
    column: str
    biased: list[Row]
    unbiased: list[Row]
    untrained: float | None


def _readings(result: Result, probing: Probing) -> list[_Reading]:
    """How S of an arm was read; one without a measure where it was not."""
    kinds = (result.biased, result.unbiased)
    if not any(kinds):
        return [_Reading(NOT_MEASURED, "S", [], [], None)]
    own = [
        _Reading(words.format(probe=PROBES[probing]), column, *kinds, result.mean_untrained(column))
        for column, words in MEASURES.items()
        if any(column in row for rows in kinds for row in rows)  # the authors balance no classes
    ]
    biased, unbiased = ([_official(row) for row in rows if "official" in row] for rows in kinds)
    # Rows by the authors' probe hold what it reads already.
    if probing == "authors" or not (biased or unbiased):
        return own
    words = MEASURES["S"].format(probe=PROBES["authors"])
    return [_Reading(words, "S", biased, unbiased, None), *own]


def _official(row: Row) -> Row:
    """What the authors' probe read of a row's training, with its seed."""
    return {"seed": row["seed"], **row["official"]}


def _over(biased: Sequence[Row], unbiased: Sequence[Row], column: str) -> str:
    """The difference with its interval, and with n where seeds are missing or give none."""
    found = paired(biased, unbiased, column)
    if found is None:
        return NOT_MEASURED
    return str(found) + (f" (n = {found.n})" if found.n < max(len(biased), 2) else "")


def _name_and_n(result: Result) -> list[str]:
    return [result.arm.label, f"{len(result.biased)} + {len(result.unbiased)}"]
