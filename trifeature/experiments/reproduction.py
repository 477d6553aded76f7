"""Run what a figure or table needs, or draw it from recorded rows alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trifeature.comm.settings import Precision
from trifeature.comm.training import pick_device
from trifeature.errors import InputError, check_name
from trifeature.experiments.catalog import (
    ALL,
    CURVES,
    EXPERIMENTS,
    REAL_EXPERIMENTS,
    find_experiments,
    most_valuable_first,
)
from trifeature.experiments.execute import (
    BackendOf,
    Callback,
    Executor,
    Outcome,
    execute,
    plain_backend,
)
from trifeature.experiments.experiment import Results, Setup
from trifeature.experiments.plan import Plan, Row, result_rows
from trifeature.experiments.recorded import curves_of_rows
from trifeature.plots import interaction_curves
from trifeature.presets import get_preset
from trifeature.probes.names import Probing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES: Final = Path("figures")
"""Folder of the recorded rows, one file for each preset."""


@dataclass(frozen=True)
class Reproduction:
    """Result of `reproduce`.

    Attributes:
        results: The results of each experiment.
        outcome: What was trained now, what was found, and what was left for want of time.
        file: The file of the rows.
        lacking: What arms need that is not here, by their labels; they were not run.
    """

    results: tuple[Results, ...]
    outcome: Outcome
    file: Path
    lacking: Mapping[str, str] = field(default_factory=dict)


def plans_for(name: str, setup: Setup, only: str | Sequence[str] = ()) -> list[Plan]:
    """The runs of an experiment, or of all by their priority.

    Arms whose data are not here are left out, see `lacking`.

    Args:
        name: A name in `trifeature.experiments.catalog`, or `all`.
        setup: What they are run on.
        only: Labels of the arms to run, as the tables print them, or of real data the name of a
            method or of a set; all arms where none is given.

    Raises:
        InputError: there is no such experiment, preset or arm.
    """
    ready = _chosen(name, setup, only) - lacking(name, setup, only).keys()
    experiments = find_experiments(name)
    runs = [
        run for one in experiments for run in one.runs(one.settled(setup)) if run[0].label in ready
    ]
    if name == ALL:
        runs = most_valuable_first(runs)
    return [plan for _, plan in runs]


def lacking(name: str, setup: Setup, only: str | Sequence[str] = ()) -> dict[str, str]:
    """What the arms of an experiment need that is not here, by their labels; see `plans_for`."""
    chosen = _chosen(name, setup, only)
    every = [one.lacking(one.settled(setup)) for one in find_experiments(name)]
    return {arm: words for own in every for arm, words in own.items() if arm in chosen}


def _chosen(name: str, setup: Setup, only: str | Sequence[str]) -> set[str]:
    """The labels of the arms that are asked for."""
    get_preset(setup.preset)
    arms = [
        arm
        for one in find_experiments(name)
        for arm in one.arms(get_preset(one.settled(setup).preset))
    ]
    known = dict.fromkeys(each for arm in arms for each in arm.names)
    wanted = (only,) if isinstance(only, str) else only
    named = {check_name("arm", each, known) for each in wanted}
    return {arm.label for arm in arms if not named or named & set(arm.names)}


def rows_file(preset: str, name: str = "") -> Path:
    """The file in which the rows of a preset are recorded, or those of an experiment on it."""
    on_real = REAL_EXPERIMENTS.get(name)
    return FIGURES / f"{preset if on_real is None else on_real.file(preset)}.jsonl"


def reproduce(
    name: str,
    preset: str = "quick",
    *,
    seeds: int | Sequence[int] | None = None,
    epochs: int | None = None,
    precision: Precision | None = None,
    probing: Probing = "ours",
    only: str | Sequence[str] = (),
    rows: Path | str | None = None,
    out: Path | str = Path("runs"),
    device: str | None = None,
    executor: Executor | None = None,
    time_budget: float | None = None,
    keep_weights: bool = False,
    backend: BackendOf = plain_backend,
    callback: Callback | None = None,
) -> Reproduction:
    """Run what a figure or table of the paper needs and has no rows yet.

    Args:
        name: A name in `trifeature.experiments.catalog`, or `all` for those on Trifeature.
        preset: The preset of data and training.
        seeds: How many, from 0 on, or which; the paper has 5.
        epochs: Other than the preset's.
        precision: Other than the preset's.
        probing: See `trifeature.probes.protocol.probe`.
        only: See `plans_for`.
        rows: JSON lines to read and to append to; see `rows_file`.
        out: Folder of the runs' folders.
        device: Where to train; see `trifeature.device.pick_device`.
        executor: Carries the runs out; one after the other by default.
        time_budget: Seconds. Nothing is started that is not expected to end within it.
        keep_weights: Keep the trained weights.
        backend: Chooses how steps are taken.
        callback: Called with what happens to each run.

    Raises:
        InputError, TrainingError, OSError: there is no such experiment, or a run failed.
    """
    setup = Setup(preset, seeds, epochs, precision, probing)
    plans = plans_for(name, setup, only)
    file = rows_file(preset, name) if rows is None else Path(rows)
    outcome = execute(
        plans,
        runs=Path(out),
        rows=file,
        device=pick_device(device),
        executor=executor,
        time_budget=time_budget,
        keep_weights=keep_weights,
        backend=backend,
        callback=callback,
    )
    known = result_rows(file)
    every = find_experiments(name)
    results = tuple(one.results(one.settled(setup), known) for one in every)
    return Reproduction(results, outcome, file, lacking(name, setup, only))


def recorded_results(
    name: str, setup: Setup, rows: Path | str | Sequence[Row] | None = None
) -> Results:
    """The results of an experiment from recorded rows alone.

    Args:
        name: A name in `trifeature.experiments.catalog`, but not `all`.
        setup: What it was run on.
        rows: Rows, or their file; the preset's by default.

    Raises:
        InputError: there is no such experiment, or no row of the file, or of rows that are not
            empty, belongs to it.
    """
    check_name("experiment", name, [*EXPERIMENTS, *REAL_EXPERIMENTS])
    (experiment,) = find_experiments(name)
    file = rows_file(setup.preset, name) if rows is None else rows
    known = _read(file)
    found = experiment.results(experiment.settled(setup), known)
    is_file = isinstance(file, Path | str)
    if not found.measured and (known or is_file):
        where = f"of {file} " if is_file else ""
        given = {**setup.changes, "probing": "" if setup.probing == "ours" else setup.probing}
        how = "".join(f" --{name} {value}" for name, value in given.items() if value)
        with_how = how and f" with{how}"
        raise InputError(
            f"no row {where}belongs to {name} of the {setup.preset} preset{with_how}: "
            f"`comm-probe reproduce {name} --preset {setup.preset}{how}` writes them"
        )
    return found


def draw_figure(
    name: str = CURVES, rows: Path | str | Sequence[Row] | None = None, **setup: Any
) -> Figure:
    """Draw a figure or table's bars from recorded rows, without training anything.

    Args:
        name: An experiment's name, or `curves` for R, U and S against epochs of all the rows.
        rows: Rows, or their file; the preset's by default.
        setup: What it was run on, see `trifeature.experiments.experiment.Setup`: `preset`,
            `seeds`, `epochs`, …

    Raises:
        InputError: there is no such experiment, or no row that it can draw.

    Example:
        >>> draw_figure("fig4", preset="quick-old").savefig("fig4.png")  # doctest: +SKIP
    """
    check_name("experiment", name, [*EXPERIMENTS, CURVES, *REAL_EXPERIMENTS])
    chosen = Setup(**setup)
    if name != CURVES:
        return recorded_results(name, chosen, rows).draw()
    file = rows_file(chosen.preset) if rows is None else rows
    known = _read(file)
    if not known and isinstance(file, Path | str):
        raise InputError(f"{file} holds no rows")
    drawn, chance = curves_of_rows(known)
    return interaction_curves(drawn, chance)


def _read(rows: Path | str | Sequence[Row]) -> Sequence[Row]:
    """Rows, or those of a file that exists."""
    if not isinstance(rows, Path | str):
        return rows
    if not Path(rows).exists():
        raise InputError(f"{rows} does not exist: runs write it, `rows` names another file")
    return result_rows(Path(rows))
