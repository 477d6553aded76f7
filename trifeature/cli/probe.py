"""`comm-probe`: train CoMM, its rivals and ablations, probe them, draw what was measured."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from trifeature.cli.benchmark import bench
from trifeature.cli.common import (
    DeviceOption,
    ExecutionOption,
    JsonOption,
    PluginOption,
    VersionOption,
    bold,
    console,
    errors,
    fail,
    print_json,
    print_table,
    read_execution,
    say,
    writable_file,
)
from trifeature.cli.datasets import default_folder, make
from trifeature.cli.experiments import figure, leaderboard, reproduce
from trifeature.cli.extra import complexity, finetune
from trifeature.cli.options import (
    RUNS,
    DataOption,
    DataOptionOption,
    EpochsOption,
    FolderOption,
    JobsOption,
    OutOption,
    PresetOption,
    ProbeAtOption,
    ProbingOption,
    TrainDataOption,
    method_options,
    options_of,
    read_epochs,
    refuse_unused,
    with_options,
)
from trifeature.cli.program import App
from trifeature.cli.study import read_data_options, study
from trifeature.comm.options import OPTIONS
from trifeature.comm.settings import ENCODER_NAMES, RunSettings, run_preset
from trifeature.data.settings import preset
from trifeature.errors import check_name
from trifeature.files import require_writable
from trifeature.presets import get_preset
from trifeature.report import columns_for
from trifeature.views.sets import ALL, ALL_WITHOUT_CROP, LIGHT, ViewSet

VIEW_SETS: Final = {"all": ALL, "all-without-crop": ALL_WITHOUT_CROP, "light": LIGHT}

app = App(
    "CoMM, its rivals and its ablations: how much redundancy, uniqueness and synergy each learns."
)


@app.callback()
def start(
    context: typer.Context,
    version: VersionOption = False,  # noqa: ARG001 - its callback does it
    plugin: PluginOption = None,  # noqa: ARG001 - loaded before this module is
) -> None:
    """Of the processes that torchrun starts the first alone speaks, and only `train` needs them."""
    if "RANK" not in os.environ:
        return
    from trifeature.extra.distributed import is_distributed, is_rank_zero

    console.quiet = errors.quiet = not is_rank_zero()
    if is_distributed() and context.invoked_subcommand != "train":
        fail(
            f"torchrun is for `comm-probe train`: start `{context.invoked_subcommand}` without it"
            " (what trains several networks has --jobs for running side by side)"
        )


@app.command()
@with_options(
    *options_of(
        RunSettings,
        without=["method", "options", "views", "light", "epochs"],
        help={"encoder": ", ".join(ENCODER_NAMES)},
    ),
    *method_options(),
)
def train(
    data: TrainDataOption = None,
    data_option: DataOptionOption = None,
    folder: FolderOption = None,
    preset_name: PresetOption = "quick",
    method: Annotated[str, typer.Option(help=", ".join(OPTIONS))] = "comm",
    epochs: EpochsOption = None,
    views: Annotated[
        list[str] | None,
        typer.Option(help="all, all-without-crop or light; once, or once for each modality."),
    ] = None,
    execution: ExecutionOption = None,
    biased: Annotated[
        bool,
        typer.Option(
            "--biased/--unbiased",
            help="Pairs that keep the map, or, as the control of S, that leave it to chance.",
        ),
    ] = True,
    probe_at: ProbeAtOption = None,
    probing: ProbingOption = "ours",
    keep_epoch_weights: Annotated[
        bool,
        typer.Option("--keep-epoch-weights", help="Keep the weights of every probed epoch."),
    ] = False,
    out: OutOption = RUNS,
    device: DeviceOption = None,
    **changes: Any,
) -> None:
    """Train one method on a data set's training pairs, or on real data, and probe it.

    Several processes train one network together: torchrun --standalone
    --nproc-per-node 2 .venv/bin/comm-probe train …. The result differs by rounding only.
    """
    from trifeature.cli.runs import (
        check_losses,
        modalities_of_data,
        open_data,
        print_groups,
        read_probing,
        run_plans,
        settings_of_named,
    )
    from trifeature.comm.training import pick_device, require_fit
    from trifeature.experiments.plan import Plan
    from trifeature.extra.distributed import process_group
    from trifeature.real.settings import RealSettings

    given = {"epochs": epochs, "views": _view_sets(views)}
    changes |= {name: value for name, value in given.items() if value is not None}
    run = run_preset(preset_name, method=method, **changes)
    _refuse_unread(run, changes)
    at, kind = read_epochs(probe_at, run.epochs), read_probing(probing)
    pick_device(device)
    read_execution(execution)
    asked = settings_of_named(
        data,
        preset_name,
        biased=biased,
        seed=run.seed,
        options=read_data_options(data_option or ()),
        folder=folder,
    )
    modalities = modalities_of_data(asked)
    if "loss" in changes:
        check_losses([run.option("loss")], len(modalities))
    require_fit(run, modalities)
    require_writable(out)
    with process_group():
        if isinstance(asked, RealSettings):
            source = asked.folder
            say(f"data: {escape(asked.describe())}")
        else:
            place = None if data is None else Path(data)
            source, dataset = open_data(place, preset_name, biased=biased, seed=run.seed)
            asked = dataset.settings
        plan = Plan(preset_name, asked, run, at, kind)
        rows, _ = run_plans(
            [plan],
            out,
            source=source,
            device=device,
            execution=execution,
            keep_epoch_weights=keep_epoch_weights,
        )
    probed = {f"epoch {row['epoch']}": [row] for row in rows if row["key"] == plan.key}
    print_groups(plan.describe(), probed)
    say(f"run: {bold(out / plan.name)}")


def _refuse_unread(run: RunSettings, changes: dict[str, Any]) -> None:
    """Refuse options that this choice of others leaves without an effect."""
    given = {f"--{name.replace('_', '-')}": name for name in changes}
    unread = {
        "--warmup": run.schedule == "constant" and "needs --schedule cosine",
        "--vector": run.option("fusion") == "attention" and "needs --fusion linear",
        "--heads": run.option("fusion") == "linear" and "needs --fusion attention",
        "--masking": run.option("fusion") == "linear" and "needs --fusion attention",
        "--width": run.option("cross_self") == "code" and "needs --cross-self paper",
    }
    for option, reason in unread.items():
        if reason:
            refuse_unused({option: option in given}, reason)


def _view_sets(names: list[str] | None) -> tuple[ViewSet, ...] | None:
    if not names:
        return None
    return tuple(VIEW_SETS[check_name("set of views", name, VIEW_SETS)] for name in names)


@app.command()
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
    probing: ProbingOption = "ours",
    control: Annotated[
        bool, typer.Option(help="Train each loss on unbiased pairs too, the control for S.")
    ] = True,
    out: Annotated[
        Path, typer.Option(help="Folder for runs, rows and picture.", file_okay=False)
    ] = RUNS / "ablate",
    device: DeviceOption = None,
    jobs: JobsOption = None,
) -> None:
    """Train CoMM with single terms of its loss and draw R, U and S against epochs."""
    from trifeature.cli.runs import (
        check_losses,
        following,
        name_files,
        open_data,
        read_probing,
        settings_of_data,
        show_ablation,
    )
    from trifeature.comm.training import pick_device
    from trifeature.experiments import ablation
    from trifeature.extra.accelerate import ChooseBackend
    from trifeature.extra.pool import Pool

    losses = list(dict.fromkeys(loss or ablation.DEMO_LOSSES))
    named = settings_of_data(data, preset_name, biased=True, seed=seed)
    check_losses(losses, named.rule.modalities)
    last = epochs or run_preset(preset_name).epochs
    at, kind = read_epochs(probe_at, last), read_probing(probing)
    pick_device(device)
    require_writable(out)
    open_data(data, preset_name, biased=True, seed=seed)
    if data is not None and seeds > 1:
        say("one data set for all seeds: they vary training alone")
    with following() as callback:
        found = ablation.ablate(
            losses,
            preset_name,
            seeds=range(seed, seed + seeds),
            data=data,
            control=control,
            epochs=epochs,
            probe_at=at,
            probing=kind,
            out=out,
            device=device,
            executor=Pool(jobs),
            backend=ChooseBackend(),
            callback=callback,
        )
    title = f"{get_preset(preset_name).words}, epoch {last}"
    name_files(show_ablation(found, title, out / "ablation.png"))


@app.command("probe")
def probe_run(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Its data set; rendered again if not named.",
            file_okay=False,
            exists=True,
        ),
    ] = None,
    control: Annotated[
        Path | None, typer.Option(help="The same run on unbiased pairs, to stand beside it.")
    ] = None,
    probing: ProbingOption = "ours",
    classifier: Annotated[
        str | None,
        typer.Option(help="In place of the logistic regression: one that a plugin registers."),
    ] = None,
    hide: Annotated[
        list[str] | None,
        typer.Option(help="A modality that the test samples lack; give it several times."),
    ] = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Probe a finished run: R, U and S, or the tasks of real data, beside its controls.

    Each is read from every image, or modality, alone too.
    """
    from trifeature.cli.runs import print_groups, print_readings, read_probing
    from trifeature.experiments import probing as runs
    from trifeature.probes.classifiers import find_classifier
    from trifeature.real.settings import RealSettings

    kind = read_probing(probing)
    refuse_unused(
        {"--classifier": classifier is not None and kind == "authors"},
        "needs --probing ours or products",
    )
    find_classifier(classifier)
    found = runs.probe_run(
        run,
        control,
        data=data,
        probing=kind,
        classifier=classifier,
        hide=hide or (),
        device=device,
    )
    measured = found.rows()
    if as_json:
        print_json(measured)
        return
    if isinstance(found.data, RealSettings) and not found.data.planted:
        say(f"[bold]{escape(str(run))}[/bold]: {escape(found.data.describe())}")
        print_readings(found.readings)
        return
    print_groups(str(run), {name: [row] for name, row in measured.items()})
    names = list(found.readings[runs.TRAINED].alone)
    letters = columns_for(len(names))[:-2]
    alone = [
        [f"{name}, {image} alone", *(f"{100 * row[image][letter]:.1f}" for letter in letters)]
        for name, row in measured.items()
        for image in names
    ]
    what = "modality" if isinstance(found.data, RealSettings) else "image"
    print_table(f"one {what} at a time", ["macro accuracy, %", *letters], alone)
    if control is None and found.data.match_rate is not None:
        say(
            "S has a second control, the same model on unbiased pairs: `comm-probe train "
            "--unbiased` with the options of this run trains it, --control RUN shows it here"
        )


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option(help="Folder for runs, rows and picture.", file_okay=False)
    ] = RUNS / "demo",
    rows: Annotated[
        Path | None,
        typer.Option(
            help="JSON lines to append the time of the demo to.",
            dir_okay=False,
            callback=writable_file,
        ),
    ] = None,
    device: DeviceOption = None,
    jobs: JobsOption = None,
) -> None:
    """Train L_CoMM, L and ΣL_i on biased pairs, and L_CoMM on unbiased ones; draw the curves."""
    from trifeature.cli.runs import following, name_files, show_ablation
    from trifeature.comm.training import pick_device
    from trifeature.experiments import ablation
    from trifeature.extra.accelerate import ChooseBackend
    from trifeature.extra.pool import Pool
    from trifeature.files import append_row
    from trifeature.provenance import provenance

    started = time.monotonic()
    pick_device(device)
    require_writable(out)
    settings = preset("quick", match_rate=1.0)
    folder = make(default_folder("quick", settings), settings).path
    with following() as callback:
        found = ablation.demo(
            data=folder,
            out=out,
            device=device,
            executor=Pool(jobs),
            backend=ChooseBackend(),
            callback=callback,
        )
    title = f"quick preset, epoch {run_preset('quick').epochs}, one seed"
    files = show_ablation(found, title, out / "demo.png")
    seconds = time.monotonic() - started
    if rows is not None and not found.outcome.skipped:
        row = {"bench": "demo", "seconds": round(seconds, 1), **provenance(pick_device(device))}
        append_row(rows, row)
    say(f"{seconds:.0f} seconds")
    name_files(files)


for command in (reproduce, figure, leaderboard, finetune, complexity, bench, study):
    app.command()(command)
