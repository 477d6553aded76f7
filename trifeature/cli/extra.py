"""Commands of `comm-probe` beside the experiments: fine-tune a run, and say what a model costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trifeature.cli.common import DeviceOption, JsonOption, echo, print_json, print_table, say
from trifeature.cli.options import (
    RowsOption,
    options_of,
    refuse_unused,
    with_options,
)
from trifeature.cli.progress import counting
from trifeature.comm.options import OPTIONS
from trifeature.comm.settings import ENCODER_NAMES, run_preset
from trifeature.errors import InputError, check_name
from trifeature.extra.settings import REPETITIONS, SUPERVISED_LOSSES, FineTuning
from trifeature.presets import get_preset

if TYPE_CHECKING:
    from trifeature.comm.methods import Method
    from trifeature.comm.training import Progress
    from trifeature.extra.finetuning import FineTuned
    from trifeature.samples import HasSamples


@with_options(*options_of(FineTuning, help={"loss": " or ".join(SUPERVISED_LOSSES)}, defaults=True))
def finetune(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    task: Annotated[
        list[str] | None,
        typer.Option(help="share, unique1, unique2, synergy; give it several times. [all]"),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Its data set; rendered again if not named.",
            file_okay=False,
            exists=True,
        ),
    ] = None,
    rows: RowsOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    **changes: Any,
) -> None:
    """Fine-tune a finished run on labels, one task at a time, with early stopping."""
    from trifeature.files import append_row

    settings = FineTuning(**changes)
    refuse_unused(
        {"--temperature": "temperature" in changes and settings.loss != "supcon"},
        "needs --loss supcon",
    )
    method, dataset, origin = _open_run(run, data, device)
    samples = dataset.samples()
    known = list(samples.tasks)
    columns = {samples.column(name): name for name in known}
    chosen = dict.fromkeys(columns.get(name, name) for name in task or known)
    tasks = [check_name("task", name, known) for name in chosen]
    found = []
    for result in _finetune_each(method, dataset, tasks, settings):
        found.append(result)
        if rows is not None:
            append_row(rows, origin | result.row())
    if as_json:
        print_json([origin | result.row() for result in found])
    else:
        _print_finetuned(run, found, {name: column for column, name in columns.items()})


def _open_run(
    run: Path, data: Path | None, device: str | None
) -> tuple[Method, HasSamples, dict[str, Any]]:
    """A finished run's method and data set, and what its rows say of where they come from."""
    from trifeature.comm.training import load_run, pick_device
    from trifeature.experiments.plan import Plan
    from trifeature.experiments.run import obtain_own, read_settings
    from trifeature.provenance import provenance

    settings, data_settings = read_settings(run)
    target = pick_device(device)
    dataset = obtain_own(run, data_settings, data, target)
    origin = {
        "kind": "finetune",
        "run": run.name,
        "run_key": Plan("", data_settings, settings, ()).key,
        "method": settings.method,
        "pretraining": settings.to_json(),
        "match_rate": data_settings.match_rate,
        **provenance(target),
    }
    return load_run(run, dataset, target), dataset, origin


def _finetune_each(
    method: Method, dataset: HasSamples, tasks: list[str], settings: FineTuning
) -> Iterator[FineTuned]:
    """Fine-tune a copy for each task, with a bar that counts epochs."""
    from trifeature.extra.finetuning import finetune as finetune_method

    for task in tasks:
        with counting(f"{task}, {settings.loss}") as count:

            def report(progress: Progress) -> None:
                count(int(progress.epoch), progress.epochs)

            yield finetune_method(method, dataset, task, settings, report=report)


def _print_finetuned(run: Path, found: list[FineTuned], names: Mapping[str, str]) -> None:
    """A line for each task: test and validation accuracy before and after."""
    columns = ["task", "frozen", "fine-tuned", "validation: frozen", "fine-tuned", "best epoch"]
    lines = [
        [
            f"{names[one.task]} ({one.task})",
            *(f"{100 * x:.1f}" for x in (one.before, one.after)),
            *(f"{100 * one.validation[epoch]:.1f}" for epoch in (0, one.best_epoch)),
            f"{one.best_epoch} of {one.epochs}",
        ]
        for one in found
    ]
    print_table(f"{run}, {found[0].settings.loss}: macro accuracy, %", columns, lines)
    fitted, validated, tested = found[0].pairs
    say(
        f"linear probe on {fitted:,} pairs; epoch and cost chosen on {validated:,} validation "
        f"pairs; {tested:,} test pairs scored last"
    )


def complexity(
    method: Annotated[
        list[str] | None, typer.Option(help=", ".join(OPTIONS) + "; several times. [all of pairs]")
    ] = None,
    preset_name: Annotated[
        str,
        typer.Option("--preset", help="paper, fast, laptop, quick or tiny: network and canvas."),
    ] = "paper",
    encoder: Annotated[
        str | None, typer.Option(help=", ".join(ENCODER_NAMES) + "; other than the preset's.")
    ] = None,
    batch: Annotated[int, typer.Option(help="Pairs in the forward pass.", min=1)] = 1,
    repetitions: Annotated[int, typer.Option(help="Passes to time.", min=1)] = REPETITIONS,
    rows: RowsOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    latex: Annotated[bool, typer.Option(help="Print the table as LaTeX.")] = False,
) -> None:
    """FLOPs, MACs, parameters and forward latency of the methods (Table 8 of the paper)."""
    from trifeature.comm.methods import METHODS
    from trifeature.comm.training import pick_device
    from trifeature.data.dataset import modalities_of, preset
    from trifeature.experiments.drawing import as_latex
    from trifeature.extra.complexity import complexity as measure_complexity
    from trifeature.extra.complexity import table
    from trifeature.files import append_row
    from trifeature.provenance import provenance

    if latex and as_json:
        raise InputError("--latex and --json each print the table: give one of them")
    get_preset(preset_name)
    modalities = modalities_of(preset(preset_name))
    usable = [name for name, one in METHODS.items() if one.least_modalities <= len(modalities)]
    names = [check_name("method", name, OPTIONS) for name in dict.fromkeys(method or usable)]
    target = pick_device(device)
    changes = {} if encoder is None else {"encoder": encoder}
    found = {}
    for name in names:
        settings = run_preset(preset_name, method=name, **changes)
        found[name] = measure_complexity(
            settings,
            modalities,
            batch=batch,
            repetitions=repetitions,
            device=target,
        )
        if rows is not None:
            row = {"kind": "complexity", "preset": preset_name, "settings": settings.to_json()}
            append_row(rows, {**row, **found[name].row(), **provenance(target)})
    if as_json:
        print_json({name: one.row() for name, one in found.items()})
        return
    lines = table(found)
    if latex:
        echo(as_latex(lines).rstrip("\n"))
        return
    one = found[names[0]]
    title = f"{preset_name} preset, {len(one.shapes)} images of {one.shapes[0][-1]} px"
    print_table(f"{title}, batch {one.batch}, {one.device}", lines[0], lines[1:])
    say("the paper's models have other, larger backbones and stand here for scale only")
