"""Commands of `comm-probe` beside the experiments: fine-tune a run, and say what a model costs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from trifeature.cli.common import (
    DeviceOption,
    JsonOption,
    console,
    counting,
    guarded,
    print_json,
    print_table,
)
from trifeature.comm.encoders import ENCODERS
from trifeature.comm.methods import METHODS, Method
from trifeature.comm.settings import run_preset
from trifeature.comm.training import Progress, load_run, pick_device
from trifeature.data.dataset import Dataset, modalities_of, preset
from trifeature.errors import check_name
from trifeature.experiments.drawing import as_latex
from trifeature.experiments.plan import Plan
from trifeature.experiments.run import obtain, read_settings
from trifeature.extra.complexity import REPETITIONS, table
from trifeature.extra.complexity import complexity as measure_complexity
from trifeature.extra.finetuning import (
    SUPERVISED_LOSSES,
    FineTuned,
    FineTuning,
    SupervisedLoss,
)
from trifeature.extra.finetuning import (
    finetune as finetune_method,
)
from trifeature.files import append_row
from trifeature.presets import get_preset
from trifeature.probes.interactions import letter
from trifeature.provenance import provenance

DEFAULTS: Final = FineTuning()
RowsOption = Annotated[Path | None, typer.Option(help="JSON lines to append the numbers to.")]


@guarded
def finetune(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    task: Annotated[
        list[str] | None,
        typer.Option(help="share, unique1, unique2, synergy; give it several times. [all]"),
    ] = None,
    loss: Annotated[str, typer.Option(help=" or ".join(SUPERVISED_LOSSES))] = DEFAULTS.loss,
    epochs: Annotated[int, typer.Option(help="The most.", min=1)] = DEFAULTS.epochs,
    patience: Annotated[
        int, typer.Option(help="Stop after so many epochs without a gain.", min=1)
    ] = DEFAULTS.patience,
    batch_size: Annotated[int, typer.Option(help="Pairs in a step.", min=2)] = DEFAULTS.batch_size,
    learning_rate: Annotated[float, typer.Option(help="Of AdamW.")] = DEFAULTS.learning_rate,
    seed: Annotated[int, typer.Option(help="Of the split, order and views.", min=0)] = 0,
    data: Annotated[
        Path | None, typer.Option("--data", help="Its data set; rendered again if not named.")
    ] = None,
    rows: RowsOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune a finished run on labels, one task at a time, with early stopping."""
    settings = FineTuning(
        loss=_supervised_loss(loss),
        epochs=epochs,
        patience=patience,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
    )
    method, dataset, origin = _open_run(run, data, device)
    known = dataset.settings.rule.tasks
    letters = {letter(name): name for name in known}  # as tables name them
    chosen = dict.fromkeys(letters.get(name, name) for name in task or known)
    tasks = [check_name("task", name, known) for name in chosen]
    found = []
    for result in _finetune_each(method, dataset, tasks, settings):
        found.append(result)
        if rows is not None:
            append_row(rows, origin | result.row())
    if as_json:
        print_json([origin | result.row() for result in found])
    else:
        _print_finetuned(run, found)


def _supervised_loss(name: str) -> SupervisedLoss:
    """The loss that a name stands for."""
    checked = check_name("supervised loss", name, SUPERVISED_LOSSES)
    return next(loss for loss in SUPERVISED_LOSSES if loss == checked)


def _open_run(
    run: Path, data: Path | None, device: str | None
) -> tuple[Method, Dataset, dict[str, Any]]:
    """A finished run's method and data set, and what its rows say of where they come from."""
    settings, data_settings = read_settings(run)
    target = pick_device(device)
    dataset = obtain(data_settings, data, target)
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
    method: Method, dataset: Dataset, tasks: list[str], settings: FineTuning
) -> Iterator[FineTuned]:
    """Fine-tune a copy for each task, with a bar that counts epochs."""
    for task in tasks:
        with counting(f"{task}, {settings.loss}") as count:

            def report(progress: Progress) -> None:
                count(int(progress.epoch), progress.epochs)

            yield finetune_method(method, dataset, task, settings, report=report)


def _print_finetuned(run: Path, found: list[FineTuned]) -> None:
    """A line for each task: test and validation accuracy before and after."""
    columns = ["task", "frozen", "fine-tuned", "validation: frozen", "fine-tuned", "best epoch"]
    lines = [
        [
            f"{letter(one.task)} ({one.task})",
            *(f"{100 * x:.1f}" for x in (one.before, one.after)),
            *(f"{100 * one.validation[epoch]:.1f}" for epoch in (0, one.best_epoch)),
            f"{one.best_epoch} of {one.epochs}",
        ]
        for one in found
    ]
    print_table(f"{run}, {found[0].settings.loss}: macro accuracy, %", columns, lines)
    fitted, validated, tested = found[0].pairs
    console.print(
        f"linear probe on {fitted:,} pairs; epoch and cost chosen on {validated:,} validation "
        f"pairs; {tested:,} test pairs scored last",
        highlight=False,
    )


@guarded
def complexity(
    method: Annotated[
        list[str] | None, typer.Option(help=", ".join(METHODS) + "; several times. [all]")
    ] = None,
    preset_name: Annotated[
        str, typer.Option("--preset", help="quick, fast or paper: network and canvas.")
    ] = "paper",
    encoder: Annotated[
        str | None, typer.Option(help=", ".join(ENCODERS) + "; other than the preset's.")
    ] = None,
    batch: Annotated[int, typer.Option(help="Pairs in the forward pass.", min=1)] = 1,
    repetitions: Annotated[int, typer.Option(help="Passes to time.", min=1)] = REPETITIONS,
    rows: RowsOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    latex: Annotated[bool, typer.Option(help="Print the table as LaTeX.")] = False,
) -> None:
    """FLOPs, MACs, parameters and forward latency of the methods (Table 8 of the paper)."""
    get_preset(preset_name)
    names = [check_name("method", name, METHODS) for name in dict.fromkeys(method or METHODS)]
    data, target = preset(preset_name), pick_device(device)
    changes = {} if encoder is None else {"encoder": encoder}
    found = {}
    for name in names:
        settings = run_preset(preset_name, method=name, **changes)
        found[name] = measure_complexity(
            settings,
            modalities_of(data),
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
        typer.echo(as_latex(lines), nl=False)
        return
    one = found[names[0]]
    title = f"{preset_name} preset, {len(one.shapes)} images of {one.shapes[0][-1]} px"
    print_table(f"{title}, batch {one.batch}, {one.device}", lines[0], lines[1:])
    console.print(
        "the paper's models have other, larger backbones and stand here for scale only",
        highlight=False,
    )
