"""An experiment of the paper: arms to run, published values to stand beside ours.

Every arm is trained twice for each seed: on unbiased pairs, from which R and U are measured and
which is the control for S, and on biased pairs, from which S is measured. Both belong to one
result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trifeature.comm.settings import Precision, run_preset
from trifeature.experiments.plan import Plan, Row, make_plan, rows_of
from trifeature.probes.names import Probing
from trifeature.report import Summary, summarize

Published = Mapping[str, tuple[float, float | None]]


@dataclass(frozen=True)
class Arm:
    """One line of a table or bar of a figure.

    Attributes:
        label: As the paper calls it.
        setting: What distinguishes its runs, for rows and folders; empty for the default CoMM.
        changes: Settings other than the preset's, see `trifeature.comm.settings.run_preset`.
        published: The paper's mean and spread in percent of R, U, U1, U2 and S, where given.
    """

    label: str
    setting: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    published: Published = field(default_factory=dict)


@dataclass(frozen=True)
class Experiment:
    """What to run for a figure or table.

    Attributes:
        name: As on the command line.
        title: One line about it.
        arms: The arms on a preset.
        seeds: How many the paper ran.
        curves: Probe at several epochs, not only at the last.
    """

    name: str
    title: str
    arms: Callable[[str], Sequence[Arm]]
    seeds: int = 5
    curves: bool = False

    def plans(
        self,
        preset: str,
        *,
        seeds: int | None = None,
        epochs: int | None = None,
        precision: Precision | None = None,
        probing: Probing = "ours",
    ) -> list[Plan]:
        """Every run, seed by seed, so that a stop leaves whole seeds behind."""
        return [
            plan
            for seed in range(self.seeds if seeds is None else seeds)
            for arm in self.arms(preset)
            for plan in self.pair(
                preset, arm, seed, epochs=epochs, precision=precision, probing=probing
            )
        ]

    def pair(
        self,
        preset: str,
        arm: Arm,
        seed: int,
        *,
        epochs: int | None = None,
        precision: Precision | None = None,
        probing: Probing = "ours",
    ) -> tuple[Plan, Plan]:
        """The biased and the unbiased training of an arm.

        Where the paper's numbers are to be met, on all presets but `quick`, they are probed by the
        authors' protocol too.
        """
        given = {"epochs": epochs, "precision": precision}
        changes = {**arm.changes, **{k: v for k, v in given.items() if v is not None}}
        last = changes.get("epochs", run_preset(preset).epochs)
        biased, unbiased = (
            make_plan(
                preset,
                seed=seed,
                biased=kind,
                probe_epochs=curve_epochs(last) if self.curves else (0,),
                probing=probing,
                setting=arm.setting,
                official=preset != "quick",
                **changes,
            )
            for kind in (True, False)
        )
        return biased, unbiased


def curve_epochs(epochs: int) -> tuple[int, ...]:
    """About ten epochs to probe at, denser where curves are steep."""
    shares = (0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1)
    if epochs <= 8:
        return tuple(range(epochs + 1))
    return tuple(sorted({round(epochs * share) for share in shares}))


@dataclass(frozen=True)
class Result:
    """The rows of one arm over its seeds.

    Attributes:
        arm: Which.
        biased: Last-epoch rows of the biased trainings.
        unbiased: Last-epoch rows of the unbiased ones.
        untrained: Rows of epoch 0.
        curves: All rows of both.
    """

    arm: Arm
    biased: list[Row]
    unbiased: list[Row]
    untrained: list[Row]
    curves: list[Row]

    def summary(self, column: str) -> Summary | None:
        """Mean and spread over the seeds: S from the biased trainings, the rest from unbiased."""
        rows = self.biased if column.startswith("S") else self.unbiased
        return summarize(rows, column)

    @property
    def official(self) -> Summary | None:
        """S of the biased trainings by the authors' probe, where it was taken."""
        return summarize([row["official"] for row in self.biased if "official" in row], "S")

    @property
    def control(self) -> Summary | None:
        """S of the unbiased trainings."""
        return summarize(self.unbiased, "S")


def results(
    experiment: Experiment,
    preset: str,
    rows: Sequence[Row],
    *,
    seeds: int | None = None,
    epochs: int | None = None,
    precision: Precision | None = None,
    probing: Probing = "ours",
) -> list[Result]:
    """Collect the rows of each arm; what has not been run is simply not there."""
    collected = []
    for arm in experiment.arms(preset):
        kinds: tuple[list[Row], list[Row]] = ([], [])
        untrained: list[Row] = []
        every: list[Row] = []
        for seed in range(experiment.seeds if seeds is None else seeds):
            pair = experiment.pair(
                preset, arm, seed, epochs=epochs, precision=precision, probing=probing
            )
            for plan, last in zip(pair, kinds, strict=True):
                found = rows_of(plan, rows)
                every += found
                last += [row for row in found if row["epoch"] == plan.run.epochs]
                if not plan.biased:
                    untrained += [row for row in found if row["epoch"] == 0]
        collected.append(Result(arm, *kinds, untrained, every))
    return collected
