"""Ours beside the paper's values, with what follows from their difference; S beside its controls.

These tables follow the first one of Figures 4 and 5 and Tables 4, 5 and 7 on presets whose numbers
stand beside published ones. A published value goes with the authors' probe, which stops early; our
probe stands beside it in a column of its own. The paper's runs share one data set, ours vary it
with the seed, so that our spread is wider by that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from trifeature.experiments.drawing import NOT_MEASURED, published_words, summary_words
from trifeature.experiments.experiment import PROBING_WORDS, Lines, Result, Results
from trifeature.experiments.plan import Row
from trifeature.experiments.standings import FEWEST
from trifeature.presets import PAPER, get_preset
from trifeature.report import ROUNDING, Summary, paired, summarize

LARGE: Final = 1.0
"""Points of percent; a smaller difference is none to explain."""
REASONS: Final = ("drawings", "probe", "views", "precision", "seeds")
"""Where to look for the reason of a difference, in this order."""
NOTHING: Final = "nothing follows"

MEASURES: Final[Mapping[str, str]] = {
    "S": "accuracy, our probe",
    "S_balanced": "accuracy, class-balanced probe",
    "S_auc": "AUC, our probe",
}
"""The columns of S, with their words."""


@dataclass(frozen=True)
class Comparison:
    """One number of ours beside the paper's.

    Attributes:
        authors: Ours by the authors' probe, in percent; None where it was not taken.
        own: Ours by our probe, in percent; None where it was not taken.
        mean: The paper's, in percent.
        spread: Standard deviation of the paper's runs, in percent; None where it gives none.
        runs: How many runs the paper's are from.
        protocol: How the paper measured where it was not as here, in words; else empty.
    """

    authors: Summary | None
    own: Summary | None
    mean: float
    spread: float | None
    runs: int
    protocol: str = ""

    @property
    def difference(self) -> float | None:
        """Ours by the authors' probe less the paper's, in points; None if it cannot be stated."""
        if self.authors is None or self.protocol:
            return None
        return self.authors.mean - self.mean

    @property
    def standard_error(self) -> float | None:
        """Of the difference, in points; None where either spread is unknown.

        With standard deviations s of our n runs and t of the paper's m it is √(s²/n + t²/m).
        """
        ours = None if self.authors is None else self.authors.standard_error
        if self.difference is None or ours is None or self.spread is None:
            return None
        return float((ours**2 + self.spread**2 / self.runs) ** 0.5)

    @property
    def too_little(self) -> str:
        """Why nothing follows, in words; empty where something does."""
        if self.authors is None:
            return "not measured" + (" by the authors' probe" if self.own else "")
        if self.protocol:
            return f"the paper's is {self.protocol}: {NOTHING}"
        if self.spread is None:
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
        if self.too_little or difference is None or error is None:
            return self.too_little
        if abs(difference) <= 2 * error + ROUNDING:
            return "agrees within two standard errors"
        if abs(difference) <= LARGE + ROUNDING:
            return "within a point"
        return f"differs: look at {', '.join(reasons)}, in this order"


def beside_paper(results: Results) -> dict[str, Lines]:
    """Both tables by their title; none where numbers do not stand beside published ones."""
    if not get_preset(results.setup.preset).published:
        return {}
    words = f"{what_was_run(results)}, {results.counts}, %"
    return {
        f"ours beside the paper's, difference by the authors' probe; {words}": comparisons(results),
        f"S beside its controls, unbiased pairs and the untrained network; {words}": controls(
            results
        ),
    }


def what_was_run(results: Results) -> str:
    """The preset, what of it is not of the paper's size, and the other settings, in words."""
    setup, preset = results.setup, get_preset(results.setup.preset)
    words = [preset.words]
    if preset.canvas != PAPER.canvas:
        words.append(f"{preset.canvas} px where the paper has {PAPER.canvas}")
    words += [f"{name} {value}" for name, value in setup.changes.items()]
    return ", ".join([*words, *PROBING_WORDS[setup.probing]])


def reasons_of(results: Results) -> tuple[str, ...]:
    """Where to look if values differ: first at what is not of the paper's size."""
    small = get_preset(results.setup.preset).canvas != PAPER.canvas
    size = [word for word, other in (("canvas", small), ("epochs", results.setup.epochs)) if other]
    return (*size, *REASONS)


def compared(results: Results, result: Result, column: str) -> Comparison:
    """An arm's number of a column beside the paper's.

    Args:
        results: Of the experiment.
        result: One of them, of an arm with a published value of the column.
        column: `R`, `U`, `U1`, `U2` or `S`.
    """
    authors, own = result.authors(column), result.summary(column)
    if results.setup.probing == "authors":  # the rows themselves are by that probe
        authors, own = own, None
    mean, spread = result.arm.published[column]
    runs = results.experiment.seeds
    return Comparison(authors, own, mean, spread, runs, result.arm.protocol)


def comparisons(results: Results) -> Lines:
    """One line for each arm and column that the paper gives a value of; one for a missing arm."""
    heading = ["", "n", "column", "authors' probe", "our probe", "paper", "difference"]
    lines = [[*heading, "standard error", "what follows"]]
    reasons = reasons_of(results)
    for result in results:
        columns = [c for c in results.experiment.columns if c in result.arm.published]
        if not (result.biased or result.unbiased) and columns:
            blank = [NOT_MEASURED] * 5
            lines.append([*_name_and_n(result), ", ".join(columns), *blank, "not measured"])
            continue
        for column in columns:
            one = compared(results, result, column)
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


def controls(results: Results) -> Lines:
    """S of each arm by every measure, beside what both of its controls reach.

    The difference to the unbiased control is paired by seed; its 95 % interval is Student's. The
    authors' probe reads no untrained network.
    """
    lines = [["", "n", "S by", "biased", "unbiased", "untrained", "over unbiased [95 %]"]]
    for result in results:
        for words, column, biased, unbiased, untrained in _readings(result):
            values = (summarize(rows, column) for rows in (biased, unbiased))
            lines.append(
                [
                    *_name_and_n(result),
                    words,
                    *(summary_words(value) for value in values),
                    NOT_MEASURED if untrained is None else f"{untrained:.1f}",
                    _over(biased, unbiased, column),
                ]
            )
    return lines


_Reading = tuple[str, str, list[Row], list[Row], float | None]
"""Words, column, rows of the biased and of the unbiased trainings, the untrained network's."""


def _readings(result: Result) -> list[_Reading]:
    """How S of an arm was read; one without a measure where it was not."""
    biased, unbiased = result.biased, result.unbiased
    if not (biased or unbiased):
        return [(NOT_MEASURED, "S", [], [], None)]
    own: list[_Reading] = [
        (words, column, biased, unbiased, result.mean_untrained(column))
        for column, words in MEASURES.items()
    ]
    kinds = [[_official(row) for row in rows if "official" in row] for rows in (biased, unbiased)]
    authors: list[_Reading] = [("accuracy, authors' probe", "S", kinds[0], kinds[1], None)]
    return [*authors, *own] if any(kinds) else own


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
