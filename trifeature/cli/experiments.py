"""`comm-probe reproduce` and `figure`: a paper's figures and tables, run and drawn from rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from trifeature.cli.common import (
    DeviceOption,
    ExecutionOption,
    PrecisionOption,
    bold,
    echo,
    say,
)
from trifeature.cli.options import (
    FIGURES,
    ROWS,
    RUNS,
    EpochsOption,
    JobsOption,
    PresetOption,
    ProbingOption,
    read_precision,
    refuse_unused,
)
from trifeature.errors import InputError, check_name
from trifeature.presets import get_preset

if TYPE_CHECKING:
    from trifeature.comm.settings import Precision
    from trifeature.experiments.base import Experiment
    from trifeature.experiments.plan import Plan, Row
    from trifeature.extra.ray_executor import Cluster

EXECUTORS: Final = ("local", "ray")
NAMES: Final = "fig4, fig5, fig7, table4, table5, table7"
"""The experiments of the package, for the help; plugins add others."""


def _experiments(name: str) -> list[Experiment]:
    """The named experiment, or all of them."""
    from trifeature.experiments.catalog import EXPERIMENTS

    chosen = check_name("experiment", name, [*EXPERIMENTS, "all"])
    return list(EXPERIMENTS.values()) if chosen == "all" else [EXPERIMENTS[chosen]]


def reproduce(
    name: Annotated[str, typer.Argument(help=f"{NAMES} or all.")],
    preset_name: PresetOption = "quick",
    seeds: Annotated[int | None, typer.Option(help="The paper has 5.", min=1)] = None,
    epochs: EpochsOption = None,
    precision: PrecisionOption = None,
    execution: ExecutionOption = None,
    probing: ProbingOption = "ours",
    dry_run: Annotated[bool, typer.Option(help="Say what would run and how long.")] = False,
    time_budget: Annotated[
        float | None, typer.Option(help="Seconds; nothing is started that would not end in time.")
    ] = None,
    keep_weights: Annotated[bool, typer.Option(help="Keep the trained weights.")] = False,
    rows: Annotated[
        Path | None, typer.Option(help="JSON lines; figures/PRESET.jsonl by default.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the runs' folders.")] = RUNS,
    device: DeviceOption = None,
    jobs: JobsOption = None,
    executor: Annotated[
        str, typer.Option(help="local, or ray: an existing Ray cluster (trifeature[ray]).")
    ] = "local",
    ray_address: Annotated[
        str | None, typer.Option(help="HOST:PORT of its head. [RAY_ADDRESS, else this machine's]")
    ] = None,
    cpus_per_run: Annotated[
        int | None, typer.Option(help="CPUs to ask Ray for, for each run. [1]", min=1)
    ] = None,
    gpus_per_run: Annotated[
        float | None, typer.Option(help="GPUs to ask Ray for; .5: two runs on each. [1]", min=0)
    ] = None,
) -> None:
    """Run what a figure or table of the paper needs and has no rows yet."""
    from trifeature.cli.runs import read_probing, run_plans
    from trifeature.comm.training import pick_device
    from trifeature.experiments.catalog import most_valuable_first
    from trifeature.experiments.plan import result_rows
    from trifeature.extra.pool import default_jobs
    from trifeature.extra.ray_executor import RayExecutor

    get_preset(preset_name)
    cluster = _cluster(executor, ray_address, cpus_per_run, gpus_per_run, jobs)
    file = rows or FIGURES / f"{preset_name}.jsonl"
    if time_budget is not None and not time_budget >= 0:
        raise InputError(f"--time-budget must be 0 seconds or more, not {time_budget:g}")
    exact = read_precision(precision)
    plans = [
        plan
        for experiment in _experiments(name)
        for plan in experiment.plans(
            preset_name, seeds=seeds, epochs=epochs, precision=exact, probing=read_probing(probing)
        )
    ]
    if name == "all":
        plans = most_valuable_first(plans)
    if dry_run:
        _print_plans(
            plans, result_rows(file), jobs or default_jobs(pick_device(device), len(plans))
        )
        return
    _, outcome = run_plans(
        plans,
        out,
        rows=file,
        device=device if cluster is None else None,
        jobs=jobs,
        executor=None if cluster is None else RayExecutor(cluster, device),
        time_budget=time_budget,
        keep_weights=keep_weights,
        execution=execution,
    )
    words = f"{len(outcome.finished)} runs done, {outcome.skipped} had their rows"
    left = f", {len(outcome.left)} left for want of time" if outcome.left else ""
    say(f"{words}{left}; rows: {bold(file)}")
    if not outcome.left:
        for experiment in _experiments(name):
            _draw_experiment(
                experiment, preset_name, file, file.parent, seeds, epochs, exact, probing
            )


def _cluster(
    executor: str, address: str | None, cpus: int | None, gpus: float | None, jobs: int | None
) -> Cluster | None:
    """The Ray cluster that options describe; None to run here."""
    from trifeature.extra.ray_executor import Cluster

    given = {"--ray-address": address, "--cpus-per-run": cpus, "--gpus-per-run": gpus}
    if check_name("executor", executor, EXECUTORS) == "local":
        refuse_unused(
            {option: value is not None for option, value in given.items()}, "needs --executor ray"
        )
        return None
    if jobs is not None:
        raise InputError("--jobs is for --executor local: Ray runs as many as the cluster holds")
    return Cluster(address or "auto", cpus or 1, gpus)


def _print_plans(plans: Sequence[Plan], rows: list[Row], jobs: int) -> None:
    """What would run, and how long it should take by the rows of earlier runs."""
    from trifeature.experiments.execute import expected_seconds
    from trifeature.experiments.plan import missing

    todo = missing(plans, rows)
    for plan in todo:
        say(plan.describe())
    seconds = expected_seconds(todo, rows, jobs)
    time_needed = "an unknown time (no such run yet)" if seconds is None else f"{seconds:.0f} s"
    say(f"{len(todo)} of {len({p.key for p in plans})} runs, {jobs} side by side: {time_needed}")


def _draw_experiment(
    experiment: Experiment,
    preset_name: str,
    rows: Path,
    out: Path,
    seeds: int | None,
    epochs: int | None,
    precision: Precision | None,
    probing: str,
    *,
    required: bool = False,
) -> None:
    """Draw a figure or table from rows and print it; if `required`, not where no row fits."""
    from trifeature.cli.runs import name_files, read_probing
    from trifeature.experiments.base import results
    from trifeature.experiments.drawing import as_latex, as_text, draw, table
    from trifeature.experiments.plan import result_rows
    from trifeature.files import write_atomically
    from trifeature.plots import save

    known = result_rows(rows)
    found = results(
        experiment,
        preset_name,
        known,
        seeds=seeds,
        epochs=epochs,
        precision=precision,
        probing=read_probing(probing),
    )
    if required and known and not any(one.biased or one.unbiased for one in found):
        raise InputError(
            f"no row of {rows} belongs to {experiment.name} of the {preset_name} preset: "
            f"`comm-probe reproduce {experiment.name} --preset {preset_name}` writes them"
        )
    lines = table(found)
    say(f"[bold]{experiment.title}, {preset_name} preset, %[/bold]")
    echo(as_text(lines))  # wider than most terminals: wrapped lines beat squeezed columns
    stem = out / f"{experiment.name}-{preset_name}"
    name_files(save(draw(experiment, preset_name, found), stem.with_suffix(".png")))
    for suffix, content in ((".txt", as_text(lines)), (".tex", as_latex(lines))):
        write_atomically(stem.with_suffix(suffix), content.encode())


def figure(
    name: Annotated[str, typer.Argument(help=f"{NAMES}, all or curves.")] = "curves",
    preset_name: PresetOption = "quick",
    rows: Annotated[
        Path | None, typer.Option(help="JSON lines that runs wrote; the command's own by default.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; that of the rows by default.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Only the first so many.", min=1)] = None,
    epochs: EpochsOption = None,
    precision: PrecisionOption = None,
    probing: ProbingOption = "ours",
) -> None:
    """Draw from recorded rows alone, without training anything.

    `curves` shows R, U and S against epochs of all rows of a file (by default `ablate`'s); the
    others are the paper's figures and tables (by default from figures/PRESET.jsonl).
    """
    from trifeature.cli.runs import name_files
    from trifeature.experiments.ablation import curves_of_rows
    from trifeature.experiments.plan import result_rows
    from trifeature.plots import interaction_curves, save

    default = RUNS / "ablate" / ROWS if name == "curves" else FIGURES / f"{preset_name}.jsonl"
    file = rows or default
    chosen = [] if name == "curves" else _experiments(name)
    get_preset(preset_name)
    if not file.exists():
        writes = "ablate" if name == "curves" else f"reproduce {name} --preset {preset_name}"
        raise InputError(
            f"{file} does not exist: `comm-probe {writes}` writes it; --rows names another"
        )
    for experiment in chosen:
        _draw_experiment(
            experiment,
            preset_name,
            file,
            out or file.parent,
            seeds,
            epochs,
            read_precision(precision),
            probing,
            required=name != "all",
        )
    if not chosen:
        found = result_rows(file)
        if not found:
            raise InputError(f"{file} holds no rows")
        drawn, levels = curves_of_rows(found)
        place = (out or file.parent) / "curves.png"
        name_files(save(interaction_curves(drawn, levels), place))
