"""`comm-probe`: train CoMM, its rivals and ablations, probe them, draw what was measured."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape
from rich.progress import TaskID

from trifeature import storage
from trifeature.cli.benchmark import bench
from trifeature.cli.common import (
    DeviceOption,
    ExecutionOption,
    JsonOption,
    PrecisionOption,
    VersionOption,
    bold,
    console,
    errors,
    fail,
    guarded,
    print_json,
    print_table,
    read_execution,
    say,
    several_bars,
)
from trifeature.cli.data import default_folder, make
from trifeature.cli.extra import complexity, finetune
from trifeature.comm.losses import NEGATIVES, loss_names
from trifeature.comm.methods import METHODS
from trifeature.comm.parallel import current, follows, joined, launched
from trifeature.comm.settings import ENCODERS, PRECISIONS, RUN_PRESETS, Precision, run_preset
from trifeature.comm.training import Progress, load_run, new_method, pick_device
from trifeature.dataset import Dataset, DatasetSettings, preset
from trifeature.errors import InputError, check_name
from trifeature.experiments.ablation import (
    DEMO_LOSSES,
    Series,
    ablation,
    chance,
    curves,
    curves_of_rows,
    last_rows,
    plans_of,
    untrained_rows,
)
from trifeature.experiments.base import Experiment, results
from trifeature.experiments.catalog import EXPERIMENTS, most_valuable_first
from trifeature.experiments.drawing import as_latex, as_text, draw, table
from trifeature.experiments.executor import Outcome, default_jobs, execute, expected_seconds
from trifeature.experiments.ray_executor import Cluster, execute_on_ray
from trifeature.experiments.runs import (
    Plan,
    Row,
    control_of,
    missing,
    obtain,
    read_settings,
    result_rows,
)
from trifeature.files import append_row, write_atomically
from trifeature.plots import interaction_curves, save
from trifeature.probes.interactions import PROBINGS, Probing, probe
from trifeature.provenance import provenance
from trifeature.report import columns_for, compare, table_row
from trifeature.views import ALL, ALL_WITHOUT_CROP, LIGHT, ViewSet

app = typer.Typer(
    help="CoMM, its rivals and its ablations: how much redundancy, uniqueness and synergy each "
    "learns.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.command()(finetune)
app.command()(complexity)
app.command()(bench)


@app.callback()
def start(
    context: typer.Context,
    version: VersionOption = False,  # noqa: ARG001 - its callback does it
) -> None:
    """Of the processes that torchrun starts the first alone speaks, and only `train` needs them."""
    console.quiet = errors.quiet = follows()
    if launched() and context.invoked_subcommand != "train":
        fail(
            f"torchrun is for `comm-probe train`: start `{context.invoked_subcommand}` without it"
            " (what trains several networks has --jobs for running side by side)"
        )


RUNS: Final = Path("runs")
FIGURES: Final = Path("figures")
ROWS: Final = "rows.jsonl"
EXECUTORS: Final = ("local", "ray")
VIEW_SETS: Final = {"all": ALL, "all-without-crop": ALL_WITHOUT_CROP, "light": LIGHT}

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="A data set's folder; the preset is generated if none is named."),
]
PresetOption = Annotated[
    str, typer.Option("--preset", help="quick, fast or paper: the network and its training.")
]
JobsOption = Annotated[int | None, typer.Option(help="Runs side by side.", min=1)]
EpochsOption = Annotated[int | None, typer.Option(help="Other than the preset's.", min=1)]
ProbingOption = Annotated[
    str, typer.Option(help="fixed (our protocol) or paper (random light crops).")
]
ProbeAtOption = Annotated[
    str | None, typer.Option("--probe-at", help="Epochs to probe at, as in 0,1,2,4.")
]


# --------------------------------------------------------------------------- shared pieces


def _open_data(folder: Path | None, name: str, *, biased: bool, seed: int) -> tuple[Path, Dataset]:
    """The named data set, or the preset's, generated if it is not there yet."""
    check_name("preset", name, RUN_PRESETS)
    group = current()
    if folder is None:
        settings = preset(name, seed=seed, match_rate=1.0 if biased else None)
        made = group.leader(make, default_folder(name, settings), settings)
        folder = made.path
    say(f"data: {escape(str(folder))}")
    return folder, group.everyone(storage.load, folder)


def _check_losses(names: Sequence[str], folder: Path | None, name: str) -> None:
    """Refuse losses that the named data set, or the preset's, does not have."""
    if folder is None:
        settings = preset(name)
    else:
        settings = DatasetSettings.from_json(storage.read_manifest(folder)["settings"])
    for loss in names:
        check_name("loss", loss, loss_names(settings.rule.modalities))


def _probing(name: str) -> Probing:
    """The protocol that a name stands for."""
    return next(p for p in PROBINGS if p == check_name("probing", name, PROBINGS))


def _precision(name: str | None) -> Precision | None:
    """The precision that a name stands for, None for the preset's."""
    if name is None:
        return None
    return next(p for p in PRECISIONS if p == check_name("precision", name, PRECISIONS))


def _epochs(text: str | None, epochs: int) -> tuple[int, ...]:
    """The epochs to probe at: those named, or about five spread over the run.

    The untrained network, a control of S, is always among them.
    """
    if text is None:
        return tuple(sorted({0, 1, *(round(epochs * part / 4) for part in range(1, 5))}))
    try:
        chosen = tuple(int(word) for word in text.split(","))
    except ValueError:
        raise InputError(f"--probe-at needs whole numbers such as 0,1,4, not {text!r}") from None
    if any(not 0 <= epoch <= epochs for epoch in chosen):
        raise InputError(f"--probe-at must be from 0 to the last epoch, {epochs}")
    return (0, *chosen)


def run_plans(
    plans: Sequence[Plan],
    out: Path,
    *,
    rows: Path | None = None,
    source: Path | None = None,
    device: str | None = None,
    jobs: int | None = None,
    time_budget: float | None = None,
    keep_weights: bool = True,
    execution: str | None = None,
) -> tuple[list[Row], Outcome]:
    """Carry out plans with a progress bar each; returns all rows of the file."""
    target, file = pick_device(device), rows or out / ROWS
    how = read_execution(execution)
    if how is not None:
        how.require(target, current())
    with several_bars() as bars:
        tasks: dict[str, TaskID] = {}

        def on_progress(plan: Plan, progress: Progress) -> None:
            if plan.key not in tasks:
                tasks[plan.key] = bars.add_task(plan.describe(), total=plan.run.epochs, losses="")
            losses = " ".join(f"{name} {value:.2f}" for name, value in progress.terms.items())
            bars.update(tasks[plan.key], completed=progress.epoch, losses=losses)

        def on_rows(plan: Plan, new: list[Row]) -> None:
            if plan.key in tasks:
                bars.update(tasks[plan.key], completed=plan.run.epochs, losses=_measured(new))

        outcome = execute(
            plans,
            runs=out,
            rows=file,
            source=source,
            device=target,
            jobs=jobs,
            time_budget=time_budget,
            keep_weights=keep_weights,
            execution=how,
            on_progress=on_progress,
            on_rows=on_rows,
        )
    if outcome.skipped:
        say(f"{outcome.skipped} finished before: their rows are kept")
    return current().leader(result_rows, file), outcome


def _measured(rows: Sequence[Row]) -> str:
    """What the last epoch's row says, for a progress display."""
    return " ".join(f"{name} {100 * rows[-1][name]:.1f}" for name in ("R", "U", "S"))


def _draw(series: Sequence[Series], rows: Sequence[Row], path: Path, caption: str) -> list[Path]:
    figure = interaction_curves(curves(series, rows), chance(plans_of(series)[0]), caption)
    return save(figure, path)


def _print_interactions(series: Sequence[Series], rows: Sequence[Row], title: str) -> None:
    """The table of the last epoch, each S beside its two controls."""
    groups: dict[str, list[Row]] = {}
    for one in series:
        groups[one.label] = last_rows(one.biased, rows)
        if one.control:
            groups[f"{one.label}, unbiased pairs (control)"] = last_rows(one.control, rows)
    untrained = untrained_rows(plans_of(series), rows)
    groups["untrained network (control)"] = untrained
    _print_groups(title, groups, plans_of(series)[0].data)
    for one in series:
        learned = last_rows(one.biased, rows)
        for name, control in (
            ("the same model on unbiased pairs", last_rows(one.control, rows)),
            ("the untrained network", untrained),
        ):
            if difference := compare(learned, control):
                say(f"S of {one.label} against {name}: {difference}")


def _print_groups(title: str, groups: Mapping[str, Sequence[Row]], data: DatasetSettings) -> None:
    """A table with a line for each group of rows."""
    columns = columns_for(data.rule.modalities)
    lines = [table_row(label, rows, columns) for label, rows in groups.items()]
    print_table(title, ["macro accuracy, %", *columns, "n"], lines)


def _name_files(files: Sequence[Path]) -> None:
    say("picture: " + ", ".join(bold(file) for file in files))


# --------------------------------------------------------------------------- commands


@app.command()
@guarded
def train(
    data: DataOption = None,
    preset_name: PresetOption = "quick",
    method: Annotated[str, typer.Option(help=", ".join(METHODS))] = "comm",
    loss: Annotated[str, typer.Option(help=", ".join(loss_names(2)) + " …")] = "L_CoMM",
    seed: Annotated[int, typer.Option(help="Initialization, data order and views.", min=0)] = 0,
    epochs: EpochsOption = None,
    batch_size: Annotated[int | None, typer.Option(help="Pairs in a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of AdamW.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Of AdamW.")] = None,
    temperature: Annotated[float | None, typer.Option(help="Of the loss.")] = None,
    encoder: Annotated[str | None, typer.Option(help=", ".join(ENCODERS))] = None,
    width: Annotated[int | None, typer.Option(help="Of tokens and fusion.")] = None,
    fusion: Annotated[str | None, typer.Option(help="attention or linear.")] = None,
    masking: Annotated[str | None, typer.Option(help="Absent tokens: remove or learned.")] = None,
    unimodal: Annotated[str | None, typer.Option(help="Views in L_i: augmented or plain.")] = None,
    negatives: Annotated[str | None, typer.Option(help=", ".join(NEGATIVES))] = None,
    cross_self: Annotated[
        str | None, typer.Option(help="Variant of cross+self: code or paper.")
    ] = None,
    head_norm: Annotated[bool | None, typer.Option(help="BatchNorm in the head.")] = None,
    views: Annotated[
        list[str] | None,
        typer.Option(help="all, all-without-crop or light; once, or once for each modality."),
    ] = None,
    precision: PrecisionOption = None,
    execution: ExecutionOption = None,
    probe_at: ProbeAtOption = None,
    probing: ProbingOption = "fixed",
    out: Annotated[Path, typer.Option(help="Folder of the runs' folders.")] = RUNS,
    device: DeviceOption = None,
) -> None:
    """Train one method on a data set's training pairs and probe it.

    Several processes train one network together: `torchrun --standalone --nproc-per-node 2
    .venv/bin/comm-probe train …`. The result differs by rounding only.
    """
    _check_losses([loss], data, preset_name)
    given = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "temperature": temperature,
        "encoder": encoder,
        "width": width,
        "fusion": fusion,
        "masking": masking,
        "unimodal": unimodal,
        "negatives": negatives,
        "cross_self": cross_self,
        "head_norm": head_norm,
        "precision": precision,
        "views": _view_sets(views),
    }
    changes = {name: value for name, value in given.items() if value is not None}
    run = run_preset(preset_name, method=check_name("method", method, METHODS), **changes)
    run = replace(run, loss=loss, seed=seed)
    at, kind = _epochs(probe_at, run.epochs), _probing(probing)
    pick_device(device)
    with joined():
        source, dataset = _open_data(data, preset_name, biased=True, seed=seed)
        plan = Plan(preset_name, dataset.settings, run, at, kind)
        new_method(run, dataset, pick_device("cpu"))  # settings that do not fit are refused first
        rows, _ = run_plans([plan], out, source=source, device=device, execution=execution)
    probed = {f"epoch {row['epoch']}": [row] for row in rows if row["key"] == plan.key}
    _print_groups(plan.describe(), probed, plan.data)
    say(f"run: {bold(out / plan.name)}")


def _view_sets(names: list[str] | None) -> tuple[ViewSet, ...] | None:
    if not names:
        return None
    return tuple(VIEW_SETS[check_name("set of views", name, VIEW_SETS)] for name in names)


@app.command()
@guarded
def ablate(
    loss: Annotated[
        list[str] | None,
        typer.Option(help="What to minimize; give it several times to compare. [L_CoMM, L, L_i]"),
    ] = None,
    data: DataOption = None,
    preset_name: PresetOption = "quick",
    seeds: Annotated[int, typer.Option(help="How many, from --seed on.", min=1)] = 1,
    seed: Annotated[int, typer.Option(help="The first.", min=0)] = 0,
    epochs: EpochsOption = None,
    probe_at: ProbeAtOption = None,
    probing: ProbingOption = "fixed",
    control: Annotated[
        bool, typer.Option(help="Train each loss on unbiased pairs too, the control for S.")
    ] = True,
    out: Annotated[Path, typer.Option(help="Folder for runs, rows and picture.")] = RUNS / "ablate",
    device: DeviceOption = None,
    jobs: JobsOption = None,
) -> None:
    """Train CoMM with single terms of its loss and draw R, U and S against epochs."""
    losses = list(dict.fromkeys(loss or DEMO_LOSSES))
    _check_losses(losses, data, preset_name)
    first = run_preset(preset_name, **({} if epochs is None else {"epochs": epochs}))
    at, kind = _epochs(probe_at, first.epochs), _probing(probing)
    pick_device(device)
    source, dataset = _open_data(data, preset_name, biased=True, seed=seed)
    if data is not None and seeds > 1:
        say("one data set for all seeds: they vary training alone")
    plans = []
    for number in range(seed, seed + seeds):
        settings = dataset.settings
        if data is None:
            settings = preset(preset_name, seed=number, match_rate=1.0)
        if settings.match_rate is None:
            settings = replace(settings, match_rate=1.0)
        for name in losses:
            run = replace(first, loss=name, seed=number)
            plans.append(Plan(preset_name, settings, run, at, kind))
    series = ablation(plans, controls=losses if control else [])
    rows, _ = run_plans(
        plans_of(series),
        out,
        source=source if data is not None else None,
        device=device,
        jobs=jobs,
    )
    _print_interactions(series, rows, f"{preset_name} preset, epoch {plans[0].run.epochs}")
    _name_files(_draw(series, rows, out / "ablation.png", _caption(plans[0], seeds)))


def _caption(plan: Plan, seeds: int) -> str:
    return (
        f"{plan.preset} preset, {plan.data.render.canvas} px, {len(plan.data.partners)} textures, "
        f"{plan.data.train_pairs:,} training pairs, n = {seeds}; solid: pairs keep the map, "
        "dashed: unbiased"
    )


@app.command("probe")
@guarded
def probe_run(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Its data set; rendered again if not named.")
    ] = None,
    control: Annotated[
        Path | None, typer.Option(help="The same run on unbiased pairs, to stand beside it.")
    ] = None,
    probing: ProbingOption = "fixed",
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Probe a finished run: R, U and S, from each image alone too, beside both controls."""
    kind = _probing(probing)
    settings, data_settings = read_settings(run)
    target = pick_device(device)
    dataset = obtain(data_settings, data, target)
    methods = {"trained": load_run(run, dataset, target)}
    twin = control_of(Plan("", data_settings, settings, ()))
    if control is not None:
        if read_settings(control) != (twin.run, twin.data):
            raise InputError(f"{control} is not the same run on unbiased pairs (key {twin.key})")
        methods["unbiased pairs (control)"] = load_run(control, dataset, target)
    methods["untrained (control)"] = new_method(settings, dataset, target)
    measured = {
        name: probe(method, dataset, probing=kind, alone=True).row()
        for name, method in methods.items()
    }
    if as_json:
        print_json(measured)
        return
    _print_groups(str(run), {name: [row] for name, row in measured.items()}, data_settings)
    letters = columns_for(data_settings.rule.modalities)[:-2]
    alone = [
        [f"{name}, {image} alone", *(f"{100 * row[image][letter]:.1f}" for letter in letters)]
        for name, row in measured.items()
        for image in sorted(key for key in row if key.startswith("image"))
    ]
    print_table("one image at a time", ["macro accuracy, %", *letters], alone)
    if control is None and data_settings.match_rate is not None:
        say(
            f"S has a second control, the same model on unbiased pairs (key {twin.key}): "
            "`comm-probe ablate` trains it, --control RUN shows it here"
        )


def _experiments(name: str) -> list[Experiment]:
    """The named experiment, or all of them."""
    chosen = check_name("experiment", name, [*EXPERIMENTS, "all"])
    return list(EXPERIMENTS.values()) if chosen == "all" else [EXPERIMENTS[chosen]]


@app.command()
@guarded
def reproduce(
    name: Annotated[str, typer.Argument(help=", ".join([*EXPERIMENTS, "all"]))],
    preset_name: PresetOption = "quick",
    seeds: Annotated[int | None, typer.Option(help="The paper has 5.", min=1)] = None,
    epochs: EpochsOption = None,
    precision: PrecisionOption = None,
    execution: ExecutionOption = None,
    probing: ProbingOption = "fixed",
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
    check_name("preset", preset_name, RUN_PRESETS)
    cluster = _cluster(executor, ray_address, cpus_per_run, gpus_per_run, jobs)
    file = rows or FIGURES / f"{preset_name}.jsonl"
    exact = _precision(precision)
    plans = [
        plan
        for experiment in _experiments(name)
        for plan in experiment.plans(
            preset_name, seeds=seeds, epochs=epochs, precision=exact, probing=_probing(probing)
        )
    ]
    if name == "all":
        plans = most_valuable_first(plans)
    if dry_run:
        _print_plans(
            plans, result_rows(file), jobs or default_jobs(pick_device(device), len(plans))
        )
        return
    if cluster is None:
        _, outcome = run_plans(
            plans,
            out,
            rows=file,
            device=device,
            jobs=jobs,
            time_budget=time_budget,
            keep_weights=keep_weights,
            execution=execution,
        )
    else:
        outcome = execute_on_ray(
            plans,
            cluster,
            runs=out,
            rows=file,
            device=device,
            time_budget=time_budget,
            keep_weights=keep_weights,
            execution=read_execution(execution),
            on_rows=lambda plan, new: say(f"{plan.describe()}: {_measured(new)}"),
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
    given = {"--ray-address": address, "--cpus-per-run": cpus, "--gpus-per-run": gpus}
    if check_name("executor", executor, EXECUTORS) == "local":
        if useless := [name for name, value in given.items() if value is not None]:
            raise InputError(f"{useless[0]} needs --executor ray")
        return None
    if jobs is not None:
        raise InputError("--jobs is for --executor local: Ray runs as many as the cluster holds")
    return Cluster(address or "auto", cpus or 1, gpus)


def _print_plans(plans: Sequence[Plan], rows: list[Row], jobs: int) -> None:
    """What would run, and how long it should take by the rows of earlier runs."""
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
) -> None:
    """Draw one figure or table from rows and print its table."""
    found = results(
        experiment,
        preset_name,
        result_rows(rows),
        seeds=seeds,
        epochs=epochs,
        precision=precision,
        probing=_probing(probing),
    )
    lines = table(found)
    say(f"[bold]{experiment.title}, {preset_name} preset, %[/bold]")
    typer.echo(as_text(lines))  # wider than most terminals: wrapped lines beat squeezed columns
    stem = out / f"{experiment.name}-{preset_name}"
    _name_files(save(draw(experiment, preset_name, found), stem.with_suffix(".png")))
    for suffix, content in ((".txt", as_text(lines)), (".tex", as_latex(lines))):
        write_atomically(stem.with_suffix(suffix), content.encode())


@app.command()
@guarded
def figure(
    name: Annotated[
        str, typer.Argument(help=", ".join([*EXPERIMENTS, "all", "curves"]))
    ] = "curves",
    preset_name: PresetOption = "quick",
    rows: Annotated[
        Path | None, typer.Option(help="JSON lines that runs wrote; the command's own by default.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; that of the rows by default.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Only the first so many.", min=1)] = None,
    epochs: EpochsOption = None,
    precision: PrecisionOption = None,
    probing: ProbingOption = "fixed",
) -> None:
    """Draw from recorded rows alone, without training anything.

    `curves` shows R, U and S against epochs of all rows of a file (by default `ablate`'s); the
    others are the paper's figures and tables (by default from figures/PRESET.jsonl).
    """
    default = RUNS / "ablate" / ROWS if name == "curves" else FIGURES / f"{preset_name}.jsonl"
    file = rows or default
    chosen = [] if name == "curves" else _experiments(name)
    check_name("preset", preset_name, RUN_PRESETS)
    if not file.exists():
        raise InputError(f"{file} does not exist: `comm-probe ablate` and `reproduce` write rows")
    for experiment in chosen:
        _draw_experiment(
            experiment,
            preset_name,
            file,
            out or file.parent,
            seeds,
            epochs,
            _precision(precision),
            probing,
        )
    if not chosen:
        found = result_rows(file)
        if not found:
            raise InputError(f"{file} holds no rows")
        drawn, levels = curves_of_rows(found)
        place = (out or file.parent) / "curves.png"
        _name_files(save(interaction_curves(drawn, levels), place))


@app.command()
@guarded
def demo(
    out: Annotated[Path, typer.Option(help="Folder for runs, rows and picture.")] = RUNS / "demo",
    rows: Annotated[
        Path | None, typer.Option(help="JSON lines to append the time of the demo to.")
    ] = None,
    device: DeviceOption = None,
    jobs: JobsOption = None,
) -> None:
    """Train L_CoMM, L and ΣL_i on biased pairs, and L_CoMM on unbiased ones; draw the curves."""
    started = time.monotonic()
    pick_device(device)
    data = preset("quick", match_rate=1.0)
    folder = make(default_folder("quick", data), data).path
    plans = [
        Plan(
            "quick",
            data,
            run_preset("quick", loss=loss),
            _epochs(None, RUN_PRESETS["quick"].epochs),
        )
        for loss in DEMO_LOSSES
    ]
    series = ablation(plans, controls=["L_CoMM"])
    found, outcome = run_plans(plans_of(series), out, source=folder, device=device, jobs=jobs)
    _print_interactions(series, found, f"quick preset, epoch {plans[0].run.epochs}, one seed")
    files = _draw(series, found, out / "demo.png", _caption(plans[0], 1))
    seconds = time.monotonic() - started
    if rows is not None and not outcome.skipped:
        row = {"bench": "demo", "seconds": round(seconds, 1), **provenance(pick_device(device))}
        append_row(rows, row)
    say(f"{seconds:.0f} seconds")
    _name_files(files)
