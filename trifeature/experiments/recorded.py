"""Curves of the rows of any file, whatever experiments they were recorded for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from trifeature.data.dataset import tasks_of
from trifeature.data.settings import preset
from trifeature.errors import InputError
from trifeature.experiments.ablation import LOSS_TITLES
from trifeature.experiments.drawing import curves
from trifeature.experiments.experiment import Arm, Result, chance_of
from trifeature.experiments.plan import Row
from trifeature.plots import Curve
from trifeature.samples import Task

CONFIGURATION: Final = ("encoder", "epochs", "probing", "validation")
"""The keys of a row that tell runs of one method, loss and setting apart."""


def curves_of_rows(rows: Sequence[Row]) -> tuple[dict[str, list[Curve]], Mapping[str, float]]:
    """Curves of every run that some rows tell of, and the accuracy of guessing by column.

    Several seeds of one configuration make one curve. Configurations are told apart by method,
    loss, setting and `CONFIGURATION`; a row that was written twice counts once, the latest. There
    is a panel for each task that the rows count, or for the mean of the tasks that have one.

    Raises:
        InputError: no rows; rows of different presets or numbers of classes, which share no chance
            level; or of configurations that the rows do not tell apart.
    """
    if not rows:
        raise InputError("there are no rows to draw")
    presets = {row["preset"] for row in rows}
    if len(presets) != 1:
        raise InputError(f"rows of several presets ({', '.join(sorted(presets))}) in one picture")
    tasks = _tasks_of(rows[0])
    levels = chance_of(tasks)
    if any(chance_of(_tasks_of(row)) != levels for row in rows):
        raise InputError("rows of different numbers of classes in one picture: keep them apart")
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in {(row["key"], row["epoch"]): row for row in rows}.values():
        kind = (_title(row), *(str(row[name]) for name in CONFIGURATION))
        groups.setdefault(kind, []).append(row)
    results = [_result(_label(kind, groups), group) for kind, group in groups.items()]
    panels = list(dict.fromkeys(task.mean or task.column for task in tasks.values()))
    return curves(results, panels, name_missing=False), levels


def _tasks_of(row: Row) -> dict[str, Task]:
    """The tasks of a row by column, from the classes that its confusion counts.

    Older rows hold none and cannot tell another data set from the preset's: they have its tasks.
    """
    if "confusion" not in row:
        return {task.column: task for task in tasks_of(preset(row["preset"])).values()}
    known = {task.column: task for task in tasks_of(preset("paper")).values()}
    return {
        column: Task(len(counts), column, known[column].mean if column in known else None)
        for column, counts in row["confusion"].items()
    }


def _result(label: str, rows: Sequence[Row]) -> Result:
    """The rows of one configuration as a result of which the biased trainings tell all."""
    keys: dict[tuple[int, bool], str] = {}
    for row in rows:
        if keys.setdefault((row["seed"], row["biased"]), row["key"]) != row["key"]:
            raise InputError(
                f"rows of several configurations are called {label!r}: keep them in files of "
                "their own"
            )
    return Result(Arm(label, biased=None), curves=list(rows))


def _title(row: Row) -> str:
    """Loss or method, and the setting."""
    loss = LOSS_TITLES.get(row["loss"], row["loss"])
    words = (loss if row["method"] == "comm" else row["method"], row["setting"])
    return " ".join(word for word in words if word)


def _label(kind: tuple[Any, ...], kinds: Iterable[tuple[Any, ...]]) -> str:
    """A curve's title, and what distinguishes it from others of this title."""
    columns = zip(*(other for other in kinds if other[0] == kind[0]), strict=True)
    differs = [len(set(column)) > 1 for column in columns][1:]
    words = (f"{n} {v}" for n, v, d in zip(CONFIGURATION, kind[1:], differs, strict=True) if d)
    return ", ".join([kind[0], *words])
