"""`comm-probe`: train CoMM, its rivals and ablations, probe them, draw what was measured."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import typer

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
    say,
)
from trifeature.cli.datasets import default_folder, make
from trifeature.cli.experiments import figure, reproduce
from trifeature.cli.extra import complexity, finetune
from trifeature.cli.options import (
    RUNS,
    DataOption,
    EpochsOption,
    JobsOption,
    PresetOption,
    ProbeAtOption,
    ProbingOption,
    method_options,
    options_of,
    read_epochs,
    with_options,
)
from trifeature.cli.program import App
from trifeature.comm.settings import ENCODER_NAMES, OPTIONS, RunSettings, run_preset
from trifeature.data.settings import preset
from trifeature.errors import InputError, check_name
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
    from trifeature.extra.distributed import follows, launched

    console.quiet = errors.quiet = follows()
    if launched() and context.invoked_subcommand != "train":
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
    data: DataOption = None,
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
    out: Annotated[Path, typer.Option(help="Folder of the runs' folders.")] = RUNS,
    device: DeviceOption = None,
    **changes: Any,
) -> None:
    """Train one method on a data set's training pairs and probe it.

    Several processes train one network together: `torchrun --standalone --nproc-per-node 2
    .venv/bin/comm-probe train …`. The result differs by rounding only.
    """
    from trifeature.cli.runs import (
        check_losses,
        open_data,
        print_groups,
        read_probing,
        run_plans,
    )
    from trifeature.comm.training import new_method, pick_device
    from trifeature.experiments.plan import Plan
    from trifeature.extra.distributed import joined

    if data is not None and not biased:
        raise InputError("--unbiased is for the preset's data: the pairs of --data are as they are")
    if "loss" in changes:
        check_losses([changes["loss"]], data, preset_name)
    given = {"epochs": epochs, "views": _view_sets(views)}
    changes |= {name: value for name, value in given.items() if value is not None}
    run = run_preset(preset_name, method=method, **changes)
    at, kind = read_epochs(probe_at, run.epochs), read_probing(probing)
    pick_device(device)
    with joined():
        source, dataset = open_data(data, preset_name, biased=biased, seed=run.seed)
        plan = Plan(preset_name, dataset.settings, run, at, kind)
        new_method(run, dataset, pick_device("cpu"))  # settings that do not fit are refused first
        rows, _ = run_plans([plan], out, source=source, device=device, execution=execution)
    probed = {f"epoch {row['epoch']}": [row] for row in rows if row["key"] == plan.key}
    print_groups(plan.describe(), probed, plan.data)
    say(f"run: {bold(out / plan.name)}")


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
    out: Annotated[Path, typer.Option(help="Folder for runs, rows and picture.")] = RUNS / "ablate",
    device: DeviceOption = None,
    jobs: JobsOption = None,
) -> None:
    """Train CoMM with single terms of its loss and draw R, U and S against epochs."""
    from trifeature.cli.runs import (
        caption_of,
        check_losses,
        draw_curves,
        name_files,
        open_data,
        print_interactions,
        read_probing,
        run_plans,
    )
    from trifeature.comm.training import pick_device
    from trifeature.experiments.ablation import DEMO_LOSSES, ablation, plans_of
    from trifeature.experiments.plan import Plan

    losses = list(dict.fromkeys(loss or DEMO_LOSSES))
    check_losses(losses, data, preset_name)
    first = run_preset(preset_name, **({} if epochs is None else {"epochs": epochs}))
    at, kind = read_epochs(probe_at, first.epochs), read_probing(probing)
    pick_device(device)
    source, dataset = open_data(data, preset_name, biased=True, seed=seed)
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
            run = first.change(loss=name, seed=number)
            plans.append(Plan(preset_name, settings, run, at, kind))
    series = ablation(plans, controls=losses if control else [])
    rows, _ = run_plans(
        plans_of(series),
        out,
        source=source if data is not None else None,
        device=device,
        jobs=jobs,
    )
    print_interactions(series, rows, f"{preset_name} preset, epoch {plans[0].run.epochs}")
    name_files(draw_curves(series, rows, out / "ablation.png", caption_of(plans[0], seeds)))


@app.command("probe")
def probe_run(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Its data set; rendered again if not named.")
    ] = None,
    control: Annotated[
        Path | None, typer.Option(help="The same run on unbiased pairs, to stand beside it.")
    ] = None,
    probing: ProbingOption = "ours",
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Probe a finished run: R, U and S, from each image alone too, beside both controls."""
    from trifeature.cli.runs import print_groups, read_probing
    from trifeature.comm.training import load_run, new_method, pick_device
    from trifeature.experiments.plan import Plan, control_of
    from trifeature.experiments.run import obtain, read_settings
    from trifeature.probes.protocol import probe

    kind = read_probing(probing)
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
    print_groups(str(run), {name: [row] for name, row in measured.items()}, data_settings)
    letters = columns_for(data_settings.rule.modalities)[:-2]
    alone = [
        [f"{name}, {image} alone", *(f"{100 * row[image][letter]:.1f}" for letter in letters)]
        for name, row in measured.items()
        for image in sorted(key for key in row if key.startswith("image"))
    ]
    print_table("one image at a time", ["macro accuracy, %", *letters], alone)
    if control is None and data_settings.match_rate is not None:
        say(
            "S has a second control, the same model on unbiased pairs: `comm-probe train "
            "--unbiased` with the options of this run trains it, --control RUN shows it here"
        )


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for runs, rows and picture.")] = RUNS / "demo",
    rows: Annotated[
        Path | None, typer.Option(help="JSON lines to append the time of the demo to.")
    ] = None,
    device: DeviceOption = None,
    jobs: JobsOption = None,
) -> None:
    """Train L_CoMM, L and ΣL_i on biased pairs, and L_CoMM on unbiased ones; draw the curves."""
    from trifeature.cli.runs import (
        caption_of,
        draw_curves,
        name_files,
        print_interactions,
        run_plans,
    )
    from trifeature.comm.training import pick_device
    from trifeature.experiments.ablation import DEMO_LOSSES, ablation, plans_of
    from trifeature.experiments.plan import Plan
    from trifeature.files import append_row
    from trifeature.provenance import provenance

    started = time.monotonic()
    pick_device(device)
    data = preset("quick", match_rate=1.0)
    folder = make(default_folder("quick", data), data).path
    plans = [
        Plan(
            "quick",
            data,
            run_preset("quick", loss=loss),
            read_epochs(None, run_preset("quick").epochs),
        )
        for loss in DEMO_LOSSES
    ]
    series = ablation(plans, controls=["L_CoMM"])
    found, outcome = run_plans(plans_of(series), out, source=folder, device=device, jobs=jobs)
    print_interactions(series, found, f"quick preset, epoch {plans[0].run.epochs}, one seed")
    files = draw_curves(series, found, out / "demo.png", caption_of(plans[0], 1))
    seconds = time.monotonic() - started
    if rows is not None and not outcome.skipped:
        row = {"bench": "demo", "seconds": round(seconds, 1), **provenance(pick_device(device))}
        append_row(rows, row)
    say(f"{seconds:.0f} seconds")
    name_files(files)


for command in (reproduce, figure, finetune, complexity, bench):
    app.command()(command)
