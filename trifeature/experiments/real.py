"""Experiments on real data: arms that know their data, scores of any task, published values beside.

On real data an arm is a method on a set of data, so one table has arms of several sets. An arm
whose files are not here says what it needs and is left out; an arm without data has published
values alone. What cannot be compared with a published value has a note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final

from trifeature.comm.options import OPTIONS
from trifeature.comm.settings import run_preset
from trifeature.errors import InputError
from trifeature.experiments.drawing import NOT_MEASURED
from trifeature.experiments.experiment import (
    Arm,
    Experiment,
    Lines,
    Result,
    Results,
    Setup,
    last_epoch,
)
from trifeature.experiments.plan import Plan, Row, control_of
from trifeature.plots import CURVE_COLORS, drawing
from trifeature.presets import get_preset
from trifeature.real.catalog import find_file, find_source_folder
from trifeature.real.settings import RealSettings
from trifeature.report import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILE: Final = "real"
"""Name of the file of all rows of real data, without its ending."""

ONLY_PUBLISHED: Final = "published only"


@dataclass(frozen=True)
class Score:
    """A number of a row.

    Attributes:
        column: Its column.
        part: Name of a modality, for the number that is read from it alone.
        scale: What it is multiplied by to be printed: 100 for percent.
        digits: Digits behind the point.
        otherwise: The column where a row lacks the first, as of another protocol of probes.
    """

    column: str
    part: str = ""
    scale: float = 100.0
    digits: int = 1
    otherwise: str = ""

    def summary(self, rows: Iterable[Row]) -> Summary | None:
        """Mean and spread over the rows that have it, as printed; None if there are none."""
        parts = (row.get(self.part, {}) if self.part else row for row in rows)
        found = (part.get(self.column, part.get(self.otherwise)) for part in parts)
        return Summary.of([value * self.scale / 100 for value in found if value is not None])

    def text(self, rows: Iterable[Row]) -> str:
        """Mean ± spread as printed."""
        found = self.summary(rows)
        return NOT_MEASURED if found is None else number(found.mean, found.spread, self.digits)


def number(mean: float, spread: float | None, digits: int = 1) -> str:
    """A mean with its spread.

    >>> number(4.55, 0.3, 2), number(84.4, None)
    ('4.55 ± 0.30', '84.4')
    """
    return f"{mean:.{digits}f}" + ("" if spread is None else f" ± {spread:.{digits}f}")


@dataclass(frozen=True)
class RealArm(Arm):
    """A method on a set of real data.

    Attributes:
        method: The method, as the paper calls it.
        data: The set, as the paper calls it.
        settings: The data of a seed; None if there are published values alone.
        scores: What is reported, by the heading of its column; the first is drawn.
        files: Further files of the set's folder that this arm needs.
        notes: What must be said of its numbers, each a sentence.
    """

    method: str = ""
    data: str = ""
    settings: Callable[[int], RealSettings] | None = None
    scores: Mapping[str, Score] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What `--only` may call it: its label, its method, its data."""
        return tuple(name for name in (self.label, self.method, self.data) if name)

    @property
    def main(self) -> str:
        """The heading of the score that is drawn."""
        return next(iter(self.scores), "")

    def lacking(self) -> str:
        """What it needs that is not here; empty if nothing."""
        if self.settings is None:
            return ""
        settings = self.settings(0)
        if words := settings.lacking():
            return words
        folder = find_source_folder(settings.source, settings.folder) if self.files else None
        gone = [f for f in self.files if folder and not find_file(folder, f).is_file()]
        return f"needs {gone[0]}: trifeature data how {settings.source}" if gone else ""


def fitting(method: str, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes that are options of a method."""
    names = {one.name for one in fields(OPTIONS[method])}
    return {name: value for name, value in sizes.items() if name in names}


@dataclass(frozen=True)
class RealExperiment(Experiment):
    """A figure or table on real data.

    Attributes:
        authors_probe, products: Always False: they are for R, U and S of Trifeature.
        base: The preset that it is always run on, for settings that the paper states; empty for the
            preset that is asked for.
        guess: Accuracy of guessing, by column.
    """

    authors_probe: bool = False
    products: bool = False
    draws_unmeasured: bool = False
    base: str = ""
    guess: Mapping[str, float] = field(default_factory=dict)

    def settled(self, setup: Setup) -> Setup:
        """The setup with the experiment's own preset, if it has one."""
        return replace(setup, preset=self.base or setup.preset)

    def file(self, preset: str) -> str:  # noqa: ARG002 - one file for all presets
        """Name of the file of its rows, without its ending."""
        return FILE

    def lacking(self, setup: Setup) -> Mapping[str, str]:
        """What the arms need that is not here, by their labels."""
        arms = self.arms(get_preset(setup.preset))
        found = {arm.label: arm.lacking() for arm in arms if isinstance(arm, RealArm)}
        return {label: words for label, words in found.items() if words}

    def chance(self, setup: Setup) -> dict[str, float]:  # noqa: ARG002 - the same on every preset
        """Accuracy of guessing, by column."""
        return dict(self.guess)

    def counts(self, result: Result) -> tuple[int, ...]:
        """The number of trainings that a result's numbers are from, of each kind."""
        own = result.arm
        if not isinstance(own, RealArm) or own.settings is None:
            return ()
        unbiased = len(result.unbiased)
        return (len(result.biased), unbiased) if own.settings(0).planted else (unbiased,)

    def pair(self, setup: Setup, arm: Arm, seed: int) -> tuple[Plan, ...]:
        """The training of an arm, or the biased and the unbiased one of planted pairs.

        Raises:
            InputError: settings do not fit the method.
        """
        if not isinstance(arm, RealArm) or arm.settings is None:
            return ()
        untrained = {"epochs": 0} if arm.changes.get("epochs") == 0 else {}
        changes = {**arm.changes, **setup.changes, **untrained, "seed": seed}
        run = run_preset(setup.preset, **changes)
        at = None if untrained else setup.probe_epochs
        plan = Plan(
            setup.preset,
            arm.settings(seed),
            run,
            last_epoch(run.epochs) if at is None else at,
            setup.probing,
            arm.setting,
        )
        return (plan, control_of(plan)) if plan.biased else (plan,)


def rows_of_arm(result: Result) -> list[Row]:
    """The last rows of the trainings from which an arm's numbers are."""
    return result.unbiased or result.biased


# --------------------------------------------------------------------------- tables


def scores_table(results: Results) -> Lines:
    """A line an arm: each score beside the published value, n, and letters of notes."""
    arms = _real_arms(results)
    heads = list(dict.fromkeys(head for arm in arms for head in arm.scores))
    told = {head for arm in arms for head in arm.published}
    letters = _letters(arms)
    heading = ["", *(c for h in heads for c in ([h, "published"] if h in told else [h]))]
    lines = [[*heading, "n", "notes"]]
    lacking = results.experiment.lacking(results.setup)
    for result, arm in zip(results, arms, strict=True):
        rows, cells = rows_of_arm(result), [arm.label]
        for head in heads:
            score = arm.scores.get(head)
            trains = score is not None and arm.settings is not None
            cells.append(score.text(rows) if score and trains else "")
            cells += [_published(arm, head)] if head in told else []
        words = ["" if rows else lacking.get(arm.label, "")]
        words += [ONLY_PUBLISHED] if arm.settings is None else []
        words += sorted(letters[note] for note in arm.notes)
        lines.append([*cells, str(len(rows)), ", ".join(filter(None, words))])
    return lines


def grid_table(results: Results) -> Lines:
    """The layout of the paper: a line a method, a column a set of data; ours, then published."""
    arms = _real_arms(results)
    cells = {
        (arm.method, arm.data): _cell(arm, rows_of_arm(result))
        for result, arm in zip(results, arms, strict=True)
    }
    sets = list(dict.fromkeys(arm.data for arm in arms))
    methods = list(dict.fromkeys(arm.method for arm in arms))
    return [
        ["ours (published)", *sets],
        *([method, *(cells.get((method, own), "") for own in sets)] for method in methods),
    ]


def only_notes(results: Results) -> dict[str, Lines]:
    """What the letters of notes stand for, if there are any."""
    lines = [[letter, note] for note, letter in _letters(_real_arms(results)).items()]
    return {"notes": [["", "note"], *lines]} if lines else {}


def more_tables(results: Results) -> dict[str, Lines]:
    """The paper's layout, and the notes."""
    return {"ours beside the published values": grid_table(results), **only_notes(results)}


def _real_arms(results: Results) -> list[RealArm]:
    return [result.arm for result in results if isinstance(result.arm, RealArm)]


def _letters(arms: Sequence[RealArm]) -> dict[str, str]:
    """A letter for each note, in the order of the arms."""
    notes = dict.fromkeys(note for arm in arms for note in arm.notes)
    return {note: chr(ord("a") + place) for place, note in enumerate(notes)}


def _published(arm: RealArm, head: str) -> str:
    """A published value with the paper's digits, zeros at their end left out."""
    if head not in arm.published:
        return ""
    mean, spread = arm.published[head]
    least = arm.scores[head].digits if head in arm.scores else 1
    parts = [mean] if spread is None else [mean, spread]
    return " ± ".join(f"{x:.{max(least, _decimals(x))}f}" for x in parts)


def _decimals(value: float) -> int:
    """The digits behind the point with which a number was written.

    >>> _decimals(65.49), _decimals(66.0)
    (2, 1)
    """
    return len(str(value).partition(".")[2])


def _cell(arm: RealArm, rows: Sequence[Row]) -> str:
    """Ours and the published value of the main score, or of the first one that is published."""
    told = arm.main if arm.main in arm.published else next(iter(arm.published), "")
    ours = arm.scores[arm.main].text(rows) if arm.settings is not None and arm.main else ""
    other = "" if told == arm.main else f", {told.partition(',')[0]}"
    theirs = f"({_published(arm, told)}{other})" if told else ""
    return " ".join(part for part in (ours, theirs) if part)


# --------------------------------------------------------------------------- the picture

_MARKS: Final[Mapping[bool, Mapping[str, Any]]] = {
    True: {"marker": "D", "label": "published"},
    False: {"marker": "x", "label": "published, of another score"},
}
OURS: Final = CURVE_COLORS[0]
_LOOK: Final[Mapping[str, Any]] = {
    "linestyle": "none",
    "markerfacecolor": "none",
    "color": "black",
    "markersize": 5,
}


def draw_scores(results: Results) -> Figure:
    """A panel a set of data: each method's score, with its spread, beside the published value."""
    pairs = list(zip(results, _real_arms(results), strict=True))
    panels = list(dict.fromkeys((arm.data, arm.main) for _, arm in pairs))
    if not panels:
        raise InputError(f"{results.experiment.name} has no arm to draw")
    widest = max(sum((a.data, a.main) == key for _, a in pairs) for key in panels)
    with drawing(max(4.0, (0.45 * widest + 1.0) * len(panels)), 4.2) as figure:
        for axes, key in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            _draw_panel(axes, [(r, a) for r, a in pairs if (a.data, a.main) == key])
            axes.set(title=key[0], ylabel=key[1])
        marks = {
            label: handle
            for axes in figure.axes
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        if marks:
            figure.legend(marks.values(), marks.keys(), loc="outside lower center", ncols=3)
        figure.suptitle(results.caption, fontsize=8, color="0.3")
    return figure


def _draw_panel(axes: Axes, members: Sequence[tuple[Result, RealArm]]) -> None:
    """The methods of one set of data: points, since accuracies are far from zero."""
    for place, (result, arm) in enumerate(members):
        found = arm.scores[arm.main].summary(rows_of_arm(result)) if arm.main else None
        if found is not None:
            spread = found.spread or 0.0
            axes.errorbar(place, found.mean, spread, fmt="o", capsize=3, color=OURS, label="ours")
        for head, (mean, _) in arm.published.items():
            if head == arm.main or arm.main not in arm.published:
                axes.plot([place], [mean], **_LOOK, **_MARKS[head == arm.main])
    names = [arm.method for _, arm in members]
    axes.set_xticks(range(len(members)), names, rotation=40, ha="right")
    axes.set_xlim(-0.6, len(members) - 0.4)
    axes.margins(y=0.12)
