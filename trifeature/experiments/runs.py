"""A run planned, carried out and written down: plans in, rows with their provenance out.

A `Plan` says everything that a result depends on; its key names the run's folder and marks its
rows, so finished rows are found again and rows of another configuration are never mixed in.
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import torch

from trifeature.comm.methods import Method
from trifeature.comm.run_folder import CHECKPOINT, METRICS, WEIGHTS, RunFolder
from trifeature.comm.settings import RunSettings, run_preset
from trifeature.comm.training import Backend, Report, load_run, train
from trifeature.data.dataset import Dataset, DatasetSettings, build, preset, with_match_rate
from trifeature.data.storage import load
from trifeature.errors import InputError
from trifeature.files import append_row, read_json, read_rows
from trifeature.probes.augmentation import i_nce
from trifeature.probes.interactions import Probing, accuracies, probe
from trifeature.provenance import provenance

ROW_FORMAT: Final = 1
PROBES: Final = "probes.jsonl"
ALIASES: Final = Path(__file__).with_name("aliases.json")
Row = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """One training run and when to probe it.

    Attributes:
        preset: The preset that data and settings started from, for people to read.
        data: The data set; `match_rate` None makes it the unbiased control.
        run: Method, loss, network, views, optimization.
        probe_epochs: Epochs to probe at, 0 for the untrained network; the last one is always
            among them.
        probing: See `trifeature.probes.interactions.probe`.
        setting: What distinguishes this run in its experiment, in words; empty for nothing.
        official: Probe the last epoch by the authors' protocol too, to stand beside ours; the other
            numbers, and so the key, do not depend on it.
    """

    preset: str
    data: DatasetSettings
    run: RunSettings
    probe_epochs: tuple[int, ...]
    probing: Probing = "fixed"
    setting: str = ""
    official: bool = False

    def __post_init__(self) -> None:
        epochs = tuple(sorted({*self.probe_epochs, self.run.epochs}))
        if epochs[0] < 0 or epochs[-1] > self.run.epochs:
            raise InputError(f"epochs to probe at must be from 0 to {self.run.epochs}")
        object.__setattr__(self, "probe_epochs", epochs)

    @property
    def biased(self) -> bool:
        """Whether the training pairs keep the map more often than chance."""
        return self.data.match_rate is not None

    @cached_property
    def key(self) -> str:
        """A digest of all settings, of data, training and probing, that are not at their default.

        A setting that is added later, with a default, changes no key.
        """
        content = {
            "format": ROW_FORMAT,
            "data": differences(self.data.to_json(), DatasetSettings().to_json()),
            "method": self.run.method,
            "run": differences(self.run.to_json(), RunSettings(self.run.method).to_json()),
            "probing": self.probing,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """A readable name, unique through its key: the run's folder."""
        kind = "biased" if self.biased else "unbiased"
        parts = [
            self.preset,
            self.run.method,
            self.run.option("loss", "L_CoMM"),
            self.setting,
            kind,
        ]
        text = "-".join(p.replace(" ", "_") for p in parts if p)
        return f"{text}-seed{self.run.seed}-{self.key[:8]}"

    def describe(self) -> str:
        """One line for a progress display."""
        kind = "biased" if self.biased else "unbiased"
        what = self.run.option("loss", self.run.method)
        return " ".join(p for p in (what, self.setting, kind, f"seed {self.run.seed}") if p)


def make_plan(
    name: str,
    *,
    seed: int,
    biased: bool,
    probe_epochs: Sequence[int] = (),
    probing: Probing = "fixed",
    setting: str = "",
    official: bool = False,
    validation: bool = False,
    **changes: Any,
) -> Plan:
    """A run of a preset on a data set of the same seed.

    Args:
        name: The preset of both data and run.
        seed: Of the data set (split, images, pairs, map), of initialization and of data order.
        biased: Train on pairs that keep the map, or on pairs that leave it to chance.
        probe_epochs: See `Plan`.
        probing: See `Plan`.
        setting: See `Plan`.
        official: See `Plan`.
        validation: Hold out training combinations instead of the test ones, for choosing.
        changes: Other values for the run's or the model's settings.
    """
    data = preset(name, seed=seed, match_rate=1.0 if biased else None, validation=validation)
    run = run_preset(name, seed=seed, **changes)
    return Plan(name, data, run, tuple(probe_epochs), probing, setting, official)


# --------------------------------------------------------------------------- carrying out


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


# --------------------------------------------------------------------------- keys


def differences(content: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """What of settings, as JSON, differs from the defaults, by dotted name.

    >>> differences({"a": 1, "b": {"c": 2, "d": 3}}, {"a": 1, "b": {"c": 2, "d": 4}})
    {'b.d': 3}
    """
    found: dict[str, Any] = {}
    for name, value in content.items():
        default = defaults.get(name)
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            found |= {f"{name}.{key}": one for key, one in differences(value, default).items()}
        elif _plain(value) != _plain(default):
            found[name] = value
    return found


def _plain(value: Any) -> Any:
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


@functools.cache
def _aliases() -> dict[str, str]:
    return read_json(ALIASES)


def current_key(key: str) -> str:
    """Today's key of a run, also for rows recorded before keys left defaults out."""
    return _aliases().get(key, key)


# --------------------------------------------------------------------------- finding rows


def result_rows(path: Path) -> list[Row]:
    """The rows of a file, none if it does not exist.

    Raises:
        InputError: the file is damaged, or holds a row that no run wrote.
    """
    rows = read_rows(path)
    for number, row in enumerate(rows, start=1):
        if not {"key", "epoch", "preset"} <= row.keys():
            raise InputError(f"{path}, line {number} is not the row of a run: name another file")
    return [row | {"key": current_key(row["key"])} for row in rows]


def missing(plans: Iterable[Plan], rows: Iterable[Row]) -> list[Plan]:
    """The plans whose last epoch, or another asked for, has no row yet.

    Plans of the same key are one, probed at every epoch that any of them asks for.
    """
    have: dict[str, set[int]] = {}
    for row in rows:
        have.setdefault(row["key"], set()).add(row["epoch"])
    unique: dict[str, Plan] = {}
    for plan in plans:
        same = unique.setdefault(plan.key, plan)
        epochs = (*same.probe_epochs, *plan.probe_epochs)
        unique[plan.key] = replace(same, probe_epochs=epochs)
    return [p for key, p in unique.items() if not set(p.probe_epochs) <= have.get(key, set())]


def rows_of(plan: Plan, rows: Iterable[Row]) -> list[Row]:
    """The rows of one plan by epoch; the latest where an epoch was written twice."""
    by_epoch = {row["epoch"]: row for row in rows if row["key"] == plan.key}
    return [by_epoch[epoch] for epoch in sorted(by_epoch)]


def control_of(plan: Plan) -> Plan:
    """The same run on unbiased pairs, where the map is not there to learn."""
    return replace(plan, data=replace(plan.data, match_rate=None))
