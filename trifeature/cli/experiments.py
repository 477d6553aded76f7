"""`comm-probe reproduce` and `figure`: a paper's figures and tables, run and drawn from rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.markup import escape

from trifeature.cli.common import (
    DeviceOption,
    ExecutionOption,
    PrecisionOption,
    bold,
    echo,
    print_table,
    read_execution,
    say,
)
from trifeature.cli.options import (
    ROWS,
    RUNS,
    EpochsOption,
    JobsOption,
    OutOption,
    PresetOption,
    ProbingOption,
    read_precision,
    refuse_unused,
)
from trifeature.errors import InputError, check_name
from trifeature.files import require_writable
from trifeature.presets import get_preset

if TYPE_CHECKING:
    from trifeature.experiments.experiment import Results
    from trifeature.experiments.plan import Plan, Row
    from trifeature.extra.ray_executor import Cluster

EXECUTORS: Final = ("local", "ray")
NAMES: Final = "fig4, fig5, fig7, table4, table5, table7, leaderboard, three-modalities, front"
"""The experiments of the package on Trifeature, for the help; plugins add others."""
REAL_NAMES: Final = "digit-pairs, digits, table1, table2, table3, fig6"
"""The experiments on real data."""


def reproduce(
    name: Annotated[
        str,
        typer.Argument(help=f"{NAMES} or all; on real data, which all leaves out: {REAL_NAMES}."),
    ],
    preset_name: PresetOption = "quick",
    seeds: Annotated[int | None, typer.Option(help="The paper has 5.", min=1)] = None,
    epochs: EpochsOption = None,
    precision: PrecisionOption = None,
    execution: ExecutionOption = None,
    probing: ProbingOption = "ours",
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Label of an arm, as the table prints it; of real data also a method or a set; "
            "repeat for several."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Say what would run and how long.")] = False,
    verbose: Annotated[bool, typer.Option(help="With --dry-run: name every run.")] = False,
    time_budget: Annotated[
        float | None,
        typer.Option(
            help="Seconds; nothing is started that, by earlier runs, would not end in time."
        ),
    ] = None,
    keep_weights: Annotated[bool, typer.Option(help="Keep the trained weights.")] = False,
    rows: Annotated[
        Path | None,
        typer.Option(
            help="JSON lines; figures/PRESET.jsonl by default, figures/real.jsonl of real data.",
            dir_okay=False,
        ),
    ] = None,
    out: OutOption = RUNS,
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
    """Run what a figure or table needs and has no rows yet: the paper's, and the leaderboards.

    Arms whose data are not here are named with how to get them, and left out.
    """
    from trifeature.cli.runs import read_probing, run_plans
    from trifeature.comm.training import pick_device
    from trifeature.experiments.catalog import find_experiments
    from trifeature.experiments.experiment import Setup
    from trifeature.experiments.plan import result_rows
    from trifeature.experiments.reproduction import lacking, plans_for, rows_file
    from trifeature.extra.pool import default_jobs
    from trifeature.extra.ray_executor import RayExecutor

    get_preset(preset_name)
    refuse_unused({"--verbose": verbose and not dry_run}, "needs --dry-run")
    read_execution(execution)
    cluster = _cluster(executor, ray_address, cpus_per_run, gpus_per_run, jobs)
    file = rows or rows_file(preset_name, name)
    if time_budget is not None and not time_budget >= 0:
        raise InputError(f"--time-budget must be 0 seconds or more, not {time_budget:g}")
    exact = read_precision(precision)
    setup = Setup(preset_name, seeds, epochs, exact, read_probing(probing))
    plans = plans_for(name, setup, only or ())
    _name_lacking(lacking(name, setup, only or ()))
    if dry_run:
        side_by_side = jobs or default_jobs(pick_device(device), len(plans))
        _print_plans(plans, result_rows(file), side_by_side, verbose)
        return
    for folder in (out, file.parent):
        require_writable(folder)
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
        known = result_rows(file)
        for experiment in find_experiments(name):
            _show(experiment.results(experiment.settled(setup), known), file.parent)


def _name_lacking(lacking: Mapping[str, str]) -> None:
    """Say which arms are left out because their data are not here, a line for each thing needed."""
    arms: dict[str, list[str]] = {}
    for label, words in lacking.items():
        arms.setdefault(words, []).append(label)
    for words, labels in arms.items():
        shown = labels if len(labels) <= 8 else [*labels[:8], f"{len(labels) - 8} more"]
        say(f"left out, {escape(words)}: {escape('; '.join(shown))}")


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


def _print_plans(plans: Sequence[Plan], rows: list[Row], jobs: int, verbose: bool) -> None:
    """Print the runs that would start, by kind or one by one, and the time they should take."""
    from trifeature.experiments.execute import expected_seconds
    from trifeature.experiments.plan import missing

    todo = missing(plans, rows)
    if verbose:
        for plan in todo:
            say(escape(plan.describe()))
    elif todo:
        kinds: dict[str, list[Plan]] = {}
        for plan in todo:
            kinds.setdefault(plan.describe().partition(" seed ")[0], []).append(plan)
        lines = [
            [kind, str(len(same)), in_words(expected_seconds(same, rows, jobs), "–")]
            for kind, same in kinds.items()
        ]
        print_table("to run", ["", "runs", "expected"], lines)
    total = len({plan.key for plan in plans})
    time_needed = in_words(expected_seconds(todo, rows, jobs))
    say(
        f"{len(todo)} of {total} runs, {jobs} side by side: {time_needed}; "
        f"{total - len(todo)} have their rows"
    )


def in_words(seconds: float | None, unknown: str = "an unknown time") -> str:
    """A time for people; None where it is not known.

    >>> in_words(None), in_words(59.6), in_words(600), in_words(3 * 3600 + 120)
    ('an unknown time', '60 s', '10 min', '3 h 2 min')
    """
    if seconds is None:
        return unknown
    if seconds < 120:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _show(found: Results, out: Path) -> None:
    """Print a figure's or table's numbers and write it beside the rows."""
    from trifeature.cli.runs import name_files
    from trifeature.experiments.drawing import as_latex, as_markdown, as_text
    from trifeature.files import write_atomically
    from trifeature.plots import save

    tables, preset_name = found.tables(), found.setup.preset
    for title, lines in tables.items():
        say(f"[bold]{escape(title)}[/bold]")
        echo(as_text(lines))  # wider than most terminals: wrapped lines beat squeezed columns
    kind = "" if found.setup.probing == "ours" else f"-{found.setup.probing}"
    stem = out / f"{found.experiment.name}-{preset_name}{kind}"
    if not found.measured and not found.experiment.draws_unmeasured:
        say("nothing was measured: no picture and no files are written")
        return
    name_files(save(found.draw(), stem.with_suffix(".png")))
    markdown = "\n".join(f"## {title}\n\n{as_markdown(t)}" for title, t in tables.items())
    latex = "\n".join(as_latex(lines) for lines in tables.values())
    for suffix, content in ((".md", markdown), (".tex", latex)):
        write_atomically(stem.with_suffix(suffix), content.encode())


def figure(
    name: Annotated[str, typer.Argument(help=f"{NAMES}, {REAL_NAMES}, all or curves.")] = "curves",
    preset_name: Annotated[
        str | None, typer.Option("--preset", help="Of the runs. [quick]")
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option(
            help="JSON lines that runs wrote; the command's own by default.", dir_okay=False
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder; that of the rows by default.", file_okay=False)
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Only the first so many.", min=1)] = None,
    epochs: EpochsOption = None,
    precision: PrecisionOption = None,
    probing: Annotated[
        str | None, typer.Option(help="ours, products or authors, as in `reproduce`. [ours]")
    ] = None,
) -> None:
    """Draw from recorded rows alone, without training anything.

    `curves` shows R, U and S against epochs of all rows of a file (by default `ablate`'s); the
    others are the paper's figures and tables (by default from figures/PRESET.jsonl).
    """
    from trifeature.cli.runs import name_files, read_probing
    from trifeature.experiments.catalog import ALL, CURVES, EXPERIMENTS, REAL_EXPERIMENTS
    from trifeature.experiments.experiment import Setup
    from trifeature.experiments.plan import result_rows
    from trifeature.experiments.reproduction import draw_figure, recorded_results, rows_file
    from trifeature.plots import save

    check_name("experiment", name, [*EXPERIMENTS, ALL, CURVES, *REAL_EXPERIMENTS])
    if name == CURVES:
        given = {
            "--preset": preset_name,
            "--seeds": seeds,
            "--epochs": epochs,
            "--precision": precision,
            "--probing": probing,
        }
        used = {option: value is not None for option, value in given.items()}
        refuse_unused(used, "choose rows of one figure: curves show all rows of a file")
    preset_name = get_preset(preset_name or "quick").name
    default = RUNS / "ablate" / ROWS if name == CURVES else rows_file(preset_name, name)
    file = rows or default
    if not file.exists():
        writes = "ablate" if name == CURVES else f"reproduce {name} --preset {preset_name}"
        raise InputError(
            f"{file} does not exist: `comm-probe {writes}` writes it; --rows names another"
        )
    place = out or file.parent
    require_writable(place)
    if name == CURVES:
        name_files(save(draw_figure(CURVES, file), place / "curves.png"))
        return
    setup = Setup(
        preset_name, seeds, epochs, read_precision(precision), read_probing(probing or "ours")
    )
    if name != ALL:
        _show(recorded_results(name, setup, file), place)
        return
    known = result_rows(file)
    found = [experiment.results(setup, known) for experiment in EXPERIMENTS.values()]
    measured = [one for one in found if one.measured]
    if not measured:
        raise InputError(
            f"no row of {file} belongs to a figure or table of the {preset_name} preset: "
            f"`comm-probe reproduce {ALL} --preset {preset_name}` writes them"
        )
    for one in measured:
        _show(one, place)
    if missing := [one.experiment.name for one in found if not one.measured]:
        echo(f"no rows yet: {', '.join(missing)}")


def leaderboard(
    preset_name: PresetOption = "quick",
    seeds: Annotated[int | None, typer.Option(help="Only the first so many.", min=1)] = None,
    three: Annotated[bool, typer.Option("--three", help="Of three modalities.")] = False,
    rows: Annotated[
        Path | None,
        typer.Option(help="JSON lines; figures/PRESET.jsonl by default.", dir_okay=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder; that of the rows by default.", file_okay=False)
    ] = None,
) -> None:
    """Rank all methods by synergy over its control, from recorded rows.

    `comm-probe reproduce leaderboard` (or `three-modalities`) trains what has no rows yet; a method
    of your own joins by --plugin FILE, before either.
    """
    name = "three-modalities" if three else "leaderboard"
    figure(name, preset_name, rows, out, seeds)
