"""Shared by the commands that train and probe: plans with progress bars, tables.

It imports torch; commands import it when they run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.markup import escape

from trifeature.cli.common import bold, print_table, read_execution, say
from trifeature.cli.datasets import default_folder, make
from trifeature.cli.options import ROWS, refuse_unused
from trifeature.cli.progress import several_bars
from trifeature.comm.losses import loss_names
from trifeature.comm.training import Progress, pick_device
from trifeature.data import storage
from trifeature.data.dataset import Dataset, modalities_of
from trifeature.data.settings import DatasetSettings, preset
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
from trifeature.experiments.plan import Data, Plan, Row, result_rows
from trifeature.extra.accelerate import ChooseBackend, Execution
from trifeature.extra.distributed import Distributed, current_group, own_device
from trifeature.extra.pool import Pool
from trifeature.plots import save
from trifeature.presets import get_preset
from trifeature.probes.names import Probing, read_protocol
from trifeature.real.catalog import SOURCES
from trifeature.real.settings import CHECK, RealSettings
from trifeature.report import Summary, columns_for, summarize, table_row, with_converged

if TYPE_CHECKING:
    from trifeature.modality import Modality
    from trifeature.probes.reading import Reading

SECOND: Final = {
    "accuracy": "plain",
    "majority": "majority",
    "weighted_f1": "weighted F1",
    "mse": "MSE",
}
"""What rows hold of a task besides its main number, in words; all but MSE in percent."""

FIRST: Final = {"classes": "macro", "labels": "macro F1", "numbers": "R²"}
"""The main number of a task of each kind, in words; all but R² in percent."""


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


def settings_of_named(
    data: str | None,
    name: str,
    *,
    biased: bool,
    seed: int,
    options: Mapping[str, Any],
    folder: Path | None,
) -> Data:
    """The settings of the data that `train` names: real data, a data set's folder, or none.

    Args:
        data: What is named.
        name: The preset.
        biased: Whether planted pairs keep their map.
        seed: Of the preset's data, and of real data unless the options have one.
        options: Of the reader of real data.
        folder: Where the files of real data are.

    Raises:
        InputError: there is no such data, or what is given does not go with it.
    """
    if data is None or not names_real(data):
        own = {"--data-option": bool(options), "--folder": folder is not None}
        refuse_unused(own, "goes with a set of real data by name")
        if data is not None and not biased:
            raise InputError(
                "--unbiased is for the preset's data: the pairs of --data are as they are"
            )
        _require_data(data)
        return settings_of_data(
            None if data is None else Path(data), name, biased=biased, seed=seed
        )
    get_preset(name)
    given = dict(options)
    check = given.pop(CHECK, True)
    found = RealSettings(data, {"seed": seed, **given}, folder, check)
    if not found.planted:
        refuse_unused({"--unbiased": not biased}, f"is for planted pairs: {data} is as it is")
        return found
    return found.change(**{"match_rate": 1.0 if biased else None, **given})


def names_real(data: str) -> bool:
    """Whether a set of real data is named; a data set's folder of that name comes first."""
    return data in SOURCES and not (Path(data) / storage.MANIFEST).exists()


def _require_data(data: str | None) -> None:
    """Refuse a name that is near to that of real data, where there is no such folder."""
    if data is None or Path(data).exists():
        return
    if get_close_matches(data.casefold(), SOURCES, n=1):
        check_name("data set or set of real data", data, SOURCES)


def modalities_of_data(settings: Data) -> Sequence[Modality]:
    """The modalities of a run's data; real data are read for it."""
    if isinstance(settings, RealSettings):
        return current_group().on_all(settings.build).modalities
    return modalities_of(settings)


def check_losses(names: Sequence[str], modalities: int) -> None:
    """Refuse losses that so many modalities do not have."""
    for loss in names:
        check_name("loss", loss, loss_names(modalities))


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
    if how is not None and how != Execution() and group.size > 1:
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
    last = rows[-1]
    names = [name for name in ("R", "U", "S") if name in last] or list(last.get("costs", ()))[:3]
    return " ".join(f"{name} {_task_cell([last], name)}" for name in names)


def print_groups(title: str, groups: Mapping[str, Sequence[Row]]) -> None:
    """A table with a line for each group of rows: of R, U and S where all have them."""
    every = [row for rows in groups.values() for row in rows]
    if not all("R" in row for row in every):
        _print_tasks(title, groups)
        return
    modalities = sum(bool(re.fullmatch(r"U\d+", column)) for column in every[0])
    columns = with_converged(columns_for(modalities), every)
    lines = [table_row(label, rows, columns) for label, rows in groups.items()]
    print_table(title, ["macro accuracy, %", *columns, "n"], lines)


def _print_tasks(title: str, groups: Mapping[str, Sequence[Row]]) -> None:
    """A line for each group of rows, a column for each number of each task."""
    every = [row for rows in groups.values() for row in rows]
    heads = dict(head for row in every for head in task_heads(row))
    lines = [
        [label, *(_task_cell(rows, column) for column in heads), str(len(rows))]
        for label, rows in groups.items()
    ]
    print_table(title, ["%, but of R² and MSE", *heads.values(), "n"], lines)


def task_heads(row: Row) -> list[tuple[str, str]]:
    """The columns of a row's tasks, each with its heading.

    >>> task_heads({"costs": {"side": 1.0}, "side": 0.5, "side_accuracy": 0.6})
    [('side', 'side, macro'), ('side_accuracy', 'plain')]
    """
    heads = []
    for task in row.get("costs", {}):
        heads.append((task, f"{task}, {FIRST[row.get('kinds', {}).get(task, 'classes')]}"))
        further = ((f"{task}_{name}", words) for name, words in SECOND.items())
        heads += [(column, words) for column, words in further if column in row]
    return heads


def _task_cell(rows: Sequence[Row], column: str) -> str:
    """Mean and spread of a column: percent, but of R² and MSE."""
    kinds = {kind for row in rows for task, kind in row.get("kinds", {}).items() if task == column}
    if column.endswith("_mse") or "numbers" in kinds:
        found = Summary.of([row[column] / 100 for row in rows if row.get(column) is not None])
        return "–" if found is None else f"{found.mean:.4g}"
    return str(summarize(rows, column) or "–")


def print_readings(readings: Mapping[str, Reading]) -> None:
    """The table of each reading: what is read of each task from all modalities and from each."""
    for title, reading in readings.items():
        heading, *lines = reading.table()
        print_table(title, heading, lines, text=("task", "kind", "measure"))


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
