"""An experiment: which runs a figure or table needs, and how their rows become results.

On Trifeature every arm is trained twice for each seed: on unbiased pairs, from which R and U are
measured and which is the control for S, and on biased pairs, from which S is measured. Both belong
to one result. A figure or table is one `Experiment`, in a file with its arms, drawing and table;
`trifeature.experiments.catalog.register_experiment` adds one from outside the package.
`trifeature.experiments.real` has those on real data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from trifeature.comm.settings import Precision, run_preset
from trifeature.data.dataset import tasks_of
from trifeature.data.settings import DatasetSettings
from trifeature.data.settings import preset as data_preset
from trifeature.experiments.plan import Plan, Row, control_of, rows_of
from trifeature.presets import PAPER, Preset, get_preset
from trifeature.probes.names import Probing
from trifeature.report import CONVERGED, Summary, summarize
from trifeature.samples import Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Published = Mapping[str, tuple[float, float | None]]
"""Mean and spread in percent by column."""

Lines = list[list[str]]
"""A table: lines of cells, the first one the heading."""

SYNERGY: Final = frozenset({"S", "S_auc", "S_balanced"})
"""The columns that Trifeature's experiments take from the trainings on biased pairs."""


class Priority(IntEnum):
    """The order in which short time is best spent: lower numbers are run first.

    CoMM itself, whose rows every figure needs, then its rivals, then what tells why it works, then
    the methods published after it; what takes longest last.
    """

    COMM = 0
    RIVALS = 1
    FUSION = 2
    TERMS = 3
    FACTORCL = 4
    SUCCESSORS = 5
    VIEWS = 6
    CROPS = 7
    ENCODERS = 8
    TEMPERATURES = 9


@dataclass(frozen=True)
class Arm:
    """One line of a table, bar or curve of a figure.

    Attributes:
        label: As the paper calls it.
        setting: What distinguishes its runs, for rows and folders; empty for the default CoMM.
        changes: Settings other than the preset's, see `trifeature.comm.settings.run_preset`.
        published: The paper's values, where given.
        biased: The columns that are taken from the biased trainings, the others from the unbiased
            ones; None takes all from the biased trainings.
        control: Whether it is trained on unbiased pairs too.
        priority: Arms of a lower number are run first.
        protocol: How the published values were measured where it was not as here, in words.
        curve: Whether it is probed at all the experiment's epochs; else untrained and at the last.
        added: Whether it is of a method that was registered from outside the package.
    """

    label: str
    setting: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    published: Published = field(default_factory=dict)
    biased: frozenset[str] | None = SYNERGY
    control: bool = True
    priority: int = Priority.COMM
    protocol: str = ""
    curve: bool = True
    added: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What `--only` may call it."""
        return (self.label,)

    def from_biased(self, column: str) -> bool:
        """True if a column is taken from the biased trainings."""
        return self.biased is None or column.removesuffix(CONVERGED) in self.biased


@dataclass(frozen=True)
class Setup:
    """The preset, seeds and overrides that an experiment is run with.

    Attributes:
        preset: Name of the preset of data and training.
        seeds: How many, from 0 on, or which; None for the experiment's number.
        epochs: Other than the arms'.
        precision: Other than the preset's.
        probing: See `trifeature.probes.protocol.probe`.
        probe_epochs: Other than the experiment's.
        data: One data set for all seeds, of which an unbiased twin is the control; None for the
            preset's data set of each seed.
    """

    preset: str = "quick"
    seeds: int | Sequence[int] | None = None
    epochs: int | None = None
    precision: Precision | None = None
    probing: Probing = "ours"
    probe_epochs: tuple[int, ...] | None = None
    data: DatasetSettings | None = None

    @property
    def changes(self) -> dict[str, Any]:
        """The settings that are given for all arms."""
        given = {"epochs": self.epochs, "precision": self.precision}
        return {name: value for name, value in given.items() if value is not None}

    def data_of(self, seed: int) -> DatasetSettings:
        """The biased data set of a seed."""
        data = self.data or data_preset(self.preset, seed=seed)
        return replace(data, match_rate=1.0) if data.match_rate is None else data


PROBING_WORDS: Final[Mapping[Probing, tuple[str, ...]]] = {
    "ours": (),
    "products": ("probes read products of the modalities",),
    "authors": ("the authors' probes",),
}
"""What a picture says of the protocol of its probes."""


def last_epoch(epochs: int) -> tuple[int, ...]:
    """The epochs to probe at for a bar or table: the untrained network and the last one."""
    return (0, epochs)


def curve_epochs(epochs: int) -> tuple[int, ...]:
    """At most ten epochs to probe at, denser where curves are steep."""
    shares = (0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1)
    if epochs <= 4:
        return tuple(range(epochs + 1))
    if epochs <= 8:
        # A probing takes as long as an epoch of training here.
        return tuple(sorted({0, 1, 2, 4, epochs}))
    return tuple(sorted({round(epochs * share) for share in shares}))


@dataclass(frozen=True)
class Experiment:
    """A figure or table: what to run for it, and how it is drawn and written.

    Attributes:
        name: As on the command line.
        title: One line about it.
        arms: The arms on a preset.
        draw: Draws the figure.
        table: Writes the table.
        more_tables: Writes further tables, by their title.
        seeds: How many the paper ran.
        probe_epochs: The epochs to probe at, by the number of epochs.
        columns: The columns of rows that it reports.
        details: More columns of its table, taken from the biased trainings, with their headings.
        authors_probe: Probe by the authors' protocol too, on presets whose numbers stand beside
            published ones.
        products: Read the last epoch in other ways too, see `trifeature.experiments.plan.Plan`.
        data: Settings of the data sets other than the preset's, see
            `trifeature.data.settings.DatasetSettings`.
        unit: Unit of the first table, behind its title.
        draws_unmeasured: Whether it is drawn where nothing of it was measured.
    """

    name: str
    title: str
    arms: Callable[[Preset], Sequence[Arm]]
    draw: Callable[[Results], Figure]
    table: Callable[[Results], Lines]
    seeds: int = 5
    probe_epochs: Callable[[int], tuple[int, ...]] = last_epoch
    columns: tuple[str, ...] = ("R", "U", "U1", "U2", "S")
    details: Mapping[str, str] = field(
        default_factory=lambda: {"S_auc": "S AUC", "S_balanced": "S balanced"}
    )
    more_tables: Callable[[Results], Mapping[str, Lines]] = lambda _: {}
    authors_probe: bool = True
    products: bool = True
    data: Mapping[str, Any] = field(default_factory=dict)
    unit: str = ", %"
    draws_unmeasured: bool = True

    def data_of(self, setup: Setup, seed: int) -> DatasetSettings:
        """The biased data set of a seed on a setup."""
        chosen = setup.data_of(seed)
        # The map is made anew from the seed, as a change of the values would need.
        return replace(chosen, **{"synergy_map": "auto", **self.data}) if self.data else chosen

    def settled(self, setup: Setup) -> Setup:
        """The setup that is run in place of one that is asked for."""
        return setup

    def file(self, preset: str) -> str:
        """Name of the file of its rows, without its ending."""
        return preset

    def lacking(self, setup: Setup) -> Mapping[str, str]:  # noqa: ARG002 - Trifeature lacks nothing
        """What the arms need that is not here, by their labels."""
        return {}

    def chance(self, setup: Setup) -> dict[str, float]:
        """Accuracy of guessing on the test pairs, by column."""
        seeds = self.seeds_of(setup)
        return chance_of(tasks_of(self.data_of(setup, seeds[0] if seeds else 0)))

    def counts(self, result: Result) -> tuple[int, ...]:
        """The number of trainings that a result's numbers are from, of each kind."""
        unbiased = (len(result.unbiased),) if result.arm.control else ()
        return (len(result.biased), *unbiased)

    def seeds_of(self, setup: Setup) -> Sequence[int]:
        """The seeds to run on a setup."""
        seeds = self.seeds if setup.seeds is None else setup.seeds
        return range(seeds) if isinstance(seeds, int) else seeds

    def pair(self, setup: Setup, arm: Arm, seed: int) -> tuple[Plan, ...]:
        """The biased and the unbiased training of an arm."""
        preset = get_preset(setup.preset)
        run = run_preset(setup.preset, **{**arm.changes, **setup.changes, "seed": seed})
        at, usual = setup.probe_epochs, self.probe_epochs if arm.curve else last_epoch
        biased = Plan(
            setup.preset,
            self.data_of(setup, seed),
            run,
            usual(run.epochs) if at is None else at,
            setup.probing,
            arm.setting,
            official=self.authors_probe and preset.published,
            products=self.products,
        )
        return biased, control_of(biased)

    def runs(self, setup: Setup) -> list[tuple[Arm, Plan]]:
        """Every run with its arm, seed by seed, so that a stop leaves whole seeds behind."""
        return [
            (arm, plan)
            for seed in self.seeds_of(setup)
            for arm in self.arms(get_preset(setup.preset))
            for plan in self.pair(setup, arm, seed)
            if plan.biased or arm.control
        ]

    def plans(self, setup: Setup) -> list[Plan]:
        """Every run, in the order of `runs`."""
        return [plan for _, plan in self.runs(setup)]

    def results(self, setup: Setup, rows: Sequence[Row]) -> Results:
        """Collect the rows of each arm; what has not been run is simply not there."""
        by_key: dict[str, list[Row]] = {}
        for row in rows:
            by_key.setdefault(row["key"], []).append(row)
        arms = []
        for arm in self.arms(get_preset(setup.preset)):
            found = Result(arm)
            for seed in self.seeds_of(setup):
                for plan in self.pair(setup, arm, seed):
                    found.add(plan, rows_of(plan, by_key.get(plan.key, [])))
            arms.append(found)
        return Results(self, setup, tuple(arms))


@dataclass(frozen=True)
class Result:
    """The rows of one arm over its seeds.

    Attributes:
        arm: Which.
        biased: Last-epoch rows of the biased trainings.
        unbiased: Last-epoch rows of the unbiased ones.
        untrained: Rows of epoch 0, one a seed; the unbiased training's where there is one.
        curves: All rows of both.
    """

    arm: Arm
    biased: list[Row] = field(default_factory=list)
    unbiased: list[Row] = field(default_factory=list)
    untrained: list[Row] = field(default_factory=list)
    curves: list[Row] = field(default_factory=list)

    def add(self, plan: Plan, rows: Sequence[Row]) -> None:
        """Add the rows of one plan; of a seed's two trainings the biased one comes first."""
        self.curves.extend(rows)
        last = self.biased if plan.biased else self.unbiased
        last.extend(row for row in rows if row["epoch"] == plan.run.epochs)
        if first := [row for row in rows if row["epoch"] == 0]:
            # Both trainings start from the same network.
            self.untrained[:] = [r for r in self.untrained if r["seed"] != first[0]["seed"]]
            self.untrained.extend(first)

    def summary(self, column: str) -> Summary | None:
        """Mean and spread of a column over the seeds, from the trainings that the arm says."""
        return summarize(self.biased if self.arm.from_biased(column) else self.unbiased, column)

    def control(self, column: str) -> Summary | None:
        """The same of the unbiased trainings, for a column taken from the biased ones."""
        return summarize(self.unbiased, column) if self.arm.from_biased(column) else None

    def authors(self, column: str) -> Summary | None:
        """The same by the authors' probe, where it was taken."""
        rows = self.biased if self.arm.from_biased(column) else self.unbiased
        return summarize([row["official"] for row in rows if "official" in row], column)

    def by_products(self, *, biased: bool) -> list[Row]:
        """What probes with products read of the biased or unbiased trainings, where they did."""
        rows = self.biased if biased else self.unbiased
        return [{"seed": row["seed"], **row["products"]} for row in rows if "products" in row]

    def of_other_maps(self, *, products: bool) -> list[Row]:
        """S of the biased trainings read for maps that never occurred: `S_auc` and `S` by seed.

        Args:
            products: Read with products of the modalities' features.
        """
        prefix = "products_" if products else ""
        return [
            {"seed": row["seed"], **{x: row["other_maps"][prefix + x] for x in ("S_auc", "S")}}
            for row in self.biased
            if "other_maps" in row
        ]

    def similarity(self, *, biased: bool) -> Summary | None:
        """The AUC of the similarity, see `trifeature.experiments.other_maps`."""
        rows = self.biased if biased else self.unbiased
        return summarize([row["other_maps"] for row in rows if "other_maps" in row], "similarity")

    def mean_untrained(self, column: str) -> float | None:
        """Percent that a probe reads from the untrained network, where it was probed."""
        found = summarize(self.untrained, column)
        return None if found is None else found.mean


@dataclass(frozen=True)
class Results:
    """The results of an experiment.

    Attributes:
        experiment: Which.
        setup: What it was run on.
        arms: One result for each arm.
    """

    experiment: Experiment
    setup: Setup
    arms: tuple[Result, ...]

    def __iter__(self) -> Iterator[Result]:
        return iter(self.arms)

    def __len__(self) -> int:
        return len(self.arms)

    @property
    def rows(self) -> list[Row]:
        """All rows that belong to the experiment."""
        return [row for result in self.arms for row in result.curves]

    @property
    def measured(self) -> bool:
        """Whether any arm has rows."""
        return any(result.biased or result.unbiased for result in self.arms)

    @property
    def controlled(self) -> tuple[str, ...]:
        """The columns that have a control: some arm takes them from biased trainings."""
        return tuple(
            column
            for column in self.experiment.columns
            if any(result.arm.from_biased(column) for result in self.arms)
        )

    @cached_property
    def chance(self) -> dict[str, float]:
        """Accuracy of guessing on the test pairs, by column."""
        return self.experiment.chance(self.setup)

    @property
    def counts(self) -> str:
        """The number of measured seeds, in words."""
        numbers = {number for r in self.arms for number in self.experiment.counts(r)}
        if len(numbers) <= 1:
            return f"n = {max(numbers, default=0)}"
        fewest = f"{min(numbers)} to " if min(numbers) else "up to "
        return f"n = {fewest}{max(numbers)}" + ("" if min(numbers) else ", some not measured")

    @property
    def what_was_run(self) -> str:
        """The preset, what is not of the paper's size or of the preset, and the probes, in words.

        The canvas is named where numbers stand beside published ones that are of another.
        """
        preset = get_preset(self.setup.preset)
        words = [preset.words]
        beside_published = preset.published and self.experiment.authors_probe
        if beside_published and preset.canvas != PAPER.canvas:
            words.append(f"{preset.canvas} px where the paper has {PAPER.canvas}")
        words += [f"{name} {value}" for name, value in self.setup.changes.items()]
        return ", ".join([*words, *PROBING_WORDS[self.setup.probing]])

    @property
    def caption(self) -> str:
        """The experiment, what was run and the number of seeds, in words."""
        return f"{self.experiment.title}; {self.what_was_run}, {self.counts}"

    def draw(self) -> Figure:
        """The figure."""
        return self.experiment.draw(self)

    def table(self) -> Lines:
        """The table: lines of cells, the first one the heading."""
        return self.experiment.table(self)

    def tables(self) -> dict[str, Lines]:
        """All its tables by their title; the first is `table`, titled by the caption."""
        return {
            f"{self.caption}{self.experiment.unit}": self.table(),
            **self.experiment.more_tables(self),
        }


def chance_of(tasks: Mapping[str, Task]) -> dict[str, float]:
    """Accuracy of guessing, for each task's column and each column that averages tasks.

    >>> chance_of({"a": Task(4, "U1", mean="U"), "b": Task(2, "U2", mean="U")})
    {'U1': 0.25, 'U2': 0.5, 'U': 0.375}
    """
    levels: dict[str, float] = {}
    means: dict[str, list[float]] = {}
    for name, task in tasks.items():
        levels[task.column or name] = 1 / task.classes
        if task.mean is not None:
            means.setdefault(task.mean, []).append(1 / task.classes)
    return levels | {column: fmean(values) for column, values in means.items()}
