"""Carry out a plan: train it, probe it, return its rows with their provenance."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import torch

from trifeature.comm.methods import Method
from trifeature.comm.run_folder import CHECKPOINT, METRICS, WEIGHTS, RunFolder
from trifeature.comm.settings import RunSettings
from trifeature.comm.training import Backend, Report, load_run, train
from trifeature.data.dataset import Dataset, DatasetSettings, build, with_match_rate
from trifeature.data.storage import load
from trifeature.errors import InputError
from trifeature.experiments.plan import ROW_FORMAT, Plan, Row
from trifeature.files import append_row, read_rows
from trifeature.probes.augmentation import i_nce
from trifeature.probes.interactions import accuracies, probe
from trifeature.provenance import provenance

PROBES: Final = "probes.jsonl"


def obtain(
    settings: DatasetSettings, source: Path | None, device: torch.device | str = "cpu"
) -> Dataset:
    """The data set of a plan: from a folder, whatever its match rate, or rendered now.

    Raises:
        InputError: the folder's data set differs in more than its match rate.
    """
    if source is None:
        return build(settings, device)
    dataset = with_match_rate(load(source, device), settings.match_rate)
    if dataset.settings != settings:
        raise InputError(f"{source} is not the data set that this run is about")
    return dataset


def carry_out(
    plan: Plan,
    folder: Path,
    *,
    source: Path | None = None,
    device: torch.device | str = "cpu",
    backend: Backend | None = None,
    report: Report | None = None,
    keep_weights: bool = True,
) -> list[Row]:
    """Train and probe one plan, continuing where its folder left off.

    Args:
        plan: What to do.
        folder: The run's folder.
        source: Folder of the plan's data set; rendered when not given.
        device: Where to train and probe.
        backend: How steps are taken, see `trifeature.comm.training.Backend`.
        report: Called with the training's progress.
        keep_weights: Leave the trained weights and checkpoints; else only metrics and rows.

    Returns:
        One row for each probed epoch.
    """
    target, how = torch.device(device), backend or Backend()
    data = how.each(obtain, plan.data, source, target)
    probes = folder / PROBES
    RunFolder.open(folder, data, plan.run, how)

    def evaluate(method: Method, epoch: int) -> None:
        if epoch in plan.probe_epochs and epoch not in _probed(probes):
            append_row(probes, _probe_row(plan, method, data, epoch))

    while how.once(_to_train, plan, folder):
        train(
            data,
            plan.run,
            folder,
            device=target,
            backend=how,
            evaluate=evaluate,
            report=report,
        )
    origin = _provenance(plan, target, how.processes)
    rows = how.once(_conclude, plan, folder, data, target, keep_weights=keep_weights)
    return [origin | row for row in rows]


def _to_train(plan: Plan, folder: Path) -> bool:
    """Whether a plan's run is to be trained; if it ended without a probe asked for now, anew.

    It forgets the training then, but not the probes: it will repeat itself exactly.
    """
    if not RunFolder(folder).finished:
        return True
    if set(plan.probe_epochs[:-1]) <= _probed(folder / PROBES):
        return False
    for name in (WEIGHTS, CHECKPOINT, METRICS):
        (folder / name).unlink(missing_ok=True)
    return True


def _conclude(
    plan: Plan, folder: Path, data: Dataset, device: torch.device, *, keep_weights: bool
) -> list[Row]:
    """The rows of a finished run."""
    rows = _probes_of_finished(plan, folder, data, device)
    seconds = read_rows(folder / METRICS)[-1]["seconds"] if plan.run.epochs else 0.0
    if not keep_weights:
        for file in folder.glob("*.safetensors"):
            file.unlink()
    return [{"seconds": seconds} | row for row in rows]


def _probed(path: Path) -> set[int]:
    return {row["epoch"] for row in read_rows(path)}


def _probe_row(plan: Plan, method: Method, data: Dataset, epoch: int) -> Row:
    """The measured part of a row."""
    started = time.monotonic()
    last = epoch == plan.run.epochs
    measured = probe(method, data, probing=plan.probing, alone=last).row()
    if last:
        measured["i_nce"] = i_nce(method, data)
    if last and plan.official:
        measured["official"] = accuracies(probe(method, data, probing="paper").tasks)
    return {"epoch": epoch, **measured, "probe_seconds": round(time.monotonic() - started, 3)}


def _probes_of_finished(plan: Plan, folder: Path, data: Dataset, device: torch.device) -> list[Row]:
    """The probed epochs of a finished run; its last one is probed now if it was not."""
    path = folder / PROBES
    if plan.run.epochs not in _probed(path):
        method = load_run(folder, data, device)
        append_row(path, _probe_row(plan, method, data, plan.run.epochs))
    return [row for row in read_rows(path) if row["epoch"] in plan.probe_epochs]


def _provenance(plan: Plan, device: torch.device, processes: int) -> Row:
    """What a row must say for its numbers to be understood and repeated."""
    origin = provenance(device)
    if processes > 1:
        origin["device"] = f"{processes} × {origin['device']}"
    return {
        "format": ROW_FORMAT,
        "key": plan.key,
        "preset": plan.preset,
        "method": plan.run.method,
        "loss": plan.run.option("loss", "L_CoMM"),
        "encoder": plan.run.encoder,
        "setting": plan.setting,
        "biased": plan.biased,
        "seed": plan.run.seed,
        "data_seed": plan.data.seed,
        "validation": plan.data.validation,
        "epochs": plan.run.epochs,
        "probing": plan.probing,
        "precision": plan.run.precision,
        **origin,
    }


def read_settings(folder: Path) -> tuple[RunSettings, DatasetSettings]:
    """The settings that a run's folder was made with: of the run, and of its data set.

    Raises:
        InputError: no run is there, or its settings cannot be read.
    """
    run = RunFolder(folder)
    return run.settings(), DatasetSettings.from_json(run.origin())
