"""Shared by the commands that train and probe: plans with progress bars, tables.

It imports torch; commands import it when they run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.markup import escape

from trifeature.cli.common import bold, print_table, read_execution, say
from trifeature.cli.datasets import default_folder, make
from trifeature.cli.options import ROWS
from trifeature.cli.progress import several_bars
from trifeature.comm.losses import loss_names
from trifeature.comm.training import Progress, pick_device
from trifeature.data import storage
from trifeature.data.dataset import Dataset, DatasetSettings, preset
from trifeature.errors import InputError, check_name
from trifeature.experiments.ablation import Ablation
from trifeature.experiments.execute import (
    BackendOf,
    Callback,
    Event,
    Executor,
    Outcome,
    execute,
)
from trifeature.experiments.plan import Plan, Row, result_rows
from trifeature.extra.accelerate import ChooseBackend
from trifeature.extra.distributed import Distributed, current_group, own_device
from trifeature.extra.pool import Pool
from trifeature.plots import save
from trifeature.presets import get_preset
from trifeature.probes.names import Probing, read_protocol
from trifeature.report import columns_for, table_row, with_converged


def open_data(folder: Path | None, name: str, *, biased: bool, seed: int) -> tuple[Path, Dataset]:
    """The named data set, or the preset's, generated if it is not there yet."""
    group = current_group()
    if folder is None:
        settings = settings_of_data(None, name, biased=biased, seed=seed)
        made = group.on_rank_zero(make, default_folder(name, settings), settings)
        folder = made.path
    dataset = group.on_all(storage.load, folder)
    say(f"data: {escape(str(folder))}")
    return folder, dataset


def settings_of_data(folder: Path | None, name: str, *, biased: bool, seed: int) -> DatasetSettings:
    """The settings of the named data set, or of the preset's; nothing is rendered."""
    get_preset(name)
    if folder is None:
        return preset(name, seed=seed, match_rate=1.0 if biased else None)
    return DatasetSettings.from_json(storage.read_manifest(folder)["settings"])


def check_losses(names: Sequence[str], settings: DatasetSettings) -> None:
    """Refuse losses that a data set's modalities do not have."""
    for loss in names:
        check_name("loss", loss, loss_names(settings.rule.modalities))


def read_probing(name: str) -> Probing:
    """The protocol that a name stands for."""
    return read_protocol(name)


def run_plans(
    plans: Sequence[Plan],
    out: Path,
    *,
    rows: Path | None = None,
    source: Path | None = None,
    device: str | None = None,
    jobs: int | None = None,
    executor: Executor | None = None,
    time_budget: float | None = None,
    keep_weights: bool = True,
    keep_epoch_weights: bool = False,
    execution: str | None = None,
) -> tuple[list[Row], Outcome]:
    """Carry out plans with a progress bar each; returns all rows of the file."""
    target, file = own_device(pick_device(device)), rows or out / ROWS
    how = read_execution(execution)
    group = current_group()
    if how is not None and executor is None:
        how.require(target)
    if how is not None and how.compiled and group.size > 1:
        raise InputError("distributed training supports only --execution plain")
    backend: BackendOf = ChooseBackend(how)
    if group.size > 1:
        jobs, backend = 1, lambda _settings, _device: Distributed(group)
    with following() as callback:
        outcome = execute(
            plans,
            runs=out,
            rows=file,
            source=source,
            device=target,
            executor=executor or Pool(jobs),
            time_budget=time_budget,
            keep_weights=keep_weights,
            keep_epoch_weights=keep_epoch_weights,
            backend=backend,
            process=Distributed(group),
            callback=callback,
        )
    if outcome.skipped:
        say(f"{outcome.skipped} finished before: their rows are kept")
    return current_group().on_rank_zero(result_rows, file), outcome


@contextmanager
def following() -> Iterator[Callback]:
    """Show a progress bar for each run inside the block; yields the callback that moves them."""
    with several_bars() as bars:

        def show(plan: Plan, event: Event) -> None:
            name, epochs = plan.describe(), plan.run.epochs
            if isinstance(event, str):
                say(escape(event))
            elif isinstance(event, Progress):
                words = " ".join(f"{term} {value:.2f}" for term, value in event.terms.items())
                bars.update(plan.key, name, event.epoch, epochs, words)
            else:
                bars.finish(plan.key, name, epochs, measured(event))

        yield show


def measured(rows: Sequence[Row]) -> str:
    """The last epoch's scores, for a progress display."""
    return " ".join(f"{name} {100 * rows[-1][name]:.1f}" for name in ("R", "U", "S"))


def print_groups(title: str, groups: Mapping[str, Sequence[Row]], data: DatasetSettings) -> None:
    """A table with a line for each group of rows."""
    every = (row for rows in groups.values() for row in rows)
    columns = with_converged(columns_for(data.rule.modalities), every)
    lines = [table_row(label, rows, columns) for label, rows in groups.items()]
    print_table(title, ["macro accuracy, %", *columns, "n"], lines)


def name_files(files: Sequence[Path]) -> None:
    """Say where a picture is."""
    say("picture: " + ", ".join(bold(file) for file in files))


def show_ablation(found: Ablation, title: str, picture: Path) -> list[Path]:
    """Print an ablation's table and differences, and draw it; returns the picture's files."""
    if found.outcome.skipped:
        say(f"{found.outcome.skipped} finished before: their rows are kept")
    heading, *lines = found.table()
    print_table(title, heading, lines)
    for difference in found.differences():
        say(escape(difference))
    return save(found.draw(), picture)
