"""Carry out a plan: train it, probe it, return its rows with their provenance.

All rows of a plan come from one training. Where a finished run lacks a probed epoch that is asked
for now, the weights of that epoch are probed if they were kept; otherwise the run is trained again
and every row is new.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from trifeature.comm.methods import Method
from trifeature.comm.products import UnequalLengthsError
from trifeature.comm.run_folder import PROBES, RunFolder, TrainingError, other_data
from trifeature.comm.settings import RunSettings
from trifeature.comm.training import Backend, Report, new_method, train
from trifeature.data.dataset import Dataset, build, with_match_rate
from trifeature.data.settings import DatasetSettings
from trifeature.data.storage import load
from trifeature.errors import InputError, NotFiniteError
from trifeature.experiments.other_maps import has_other_maps, other_maps
from trifeature.experiments.plan import Data, Plan, Row
from trifeature.files import append_row, read_rows
from trifeature.probes.i_nce import i_nce
from trifeature.probes.protocol import CleanCodes, probe
from trifeature.provenance import provenance
from trifeature.real.catalog import SOURCES
from trifeature.real.settings import RealSettings
from trifeature.samples import Samples

Notice = Callable[[str], None]


def obtain(
    settings: Data, source: Path | None, device: torch.device | str = "cpu"
) -> Dataset | Samples:
    """The data set of a plan: from a folder, whatever its match rate, or rendered or read now.

    Args:
        settings: Of the data.
        source: Folder of the data set, or of the files of real data; None for the folder that
            settings of real data name, and to render.
        device: Where to put the items.

    Raises:
        InputError: the folder's data set differs in more than its match rate, or the files of real
            data are missing or differ.
    """
    if isinstance(settings, RealSettings):
        return replace(settings, folder=source or settings.folder).build(device)
    if source is None:
        return build(settings, device)
    dataset = with_match_rate(load(source, device), settings.match_rate)
    if dataset.settings != settings:
        raise InputError(f"{source} is not the data set that this run is about")
    return dataset


def obtain_own(
    run: Path, settings: Data, source: Path | None, device: torch.device | str
) -> Dataset | Samples:
    """The data set that a run was trained on, see `obtain`.

    Raises:
        InputError: as `obtain` does, or the data are others of the same settings.
    """
    data = obtain(settings, source, device)
    if other := other_data(RunFolder(run).origin(), data.samples().origin):
        raise InputError(
            f"{source or 'what is found here'} is not the data set that {run} was trained on: "
            f"their {', '.join(other)} differ"
        )
    return data


def carry_out(
    plan: Plan,
    folder: Path,
    *,
    source: Path | None = None,
    device: torch.device | str = "cpu",
    backend: Backend | None = None,
    report: Report | None = None,
    notice: Notice | None = None,
    keep_weights: bool = True,
    keep_epoch_weights: bool = False,
) -> list[Row]:
    """Train and probe one plan, continuing where its folder left off.

    Args:
        plan: What to do.
        folder: The run's folder.
        source: Folder of the plan's data set, or of its files; see `obtain`.
        device: Where to train and probe.
        backend: How steps are taken, see `trifeature.comm.training.Backend`.
        report: Called with the training's progress.
        notice: Called with a line on what takes unexpected time: another process to wait for, or
            a run that is trained again.
        keep_weights: Leave the trained weights and checkpoints; else only metrics and rows.
        keep_epoch_weights: Leave the weights of every probed epoch too.

    Returns:
        One row for each probed epoch, all of one training.

    Raises:
        InputError: the folder holds something else, or a file is damaged.
        TrainingError: training diverged.
    """
    target, how = torch.device(device), backend or Backend()
    say: Notice = notice or (lambda _: None)
    data = how.on_all(obtain, plan.data, source, target)

    def wait() -> None:
        say(f"waiting for another process that uses {folder}")

    with RunFolder.open(folder, data, plan.run, how, wait) as run:
        work = _Work(plan, run, data, target, keep_epoch_weights)
        if how.on_rank_zero(work.must_train, say, keep_weights=keep_weights):
            train(
                data,
                plan.run,
                run,
                device=target,
                backend=how,
                evaluate=work.evaluate,
                report=report,
            )
        origin = _provenance(plan, data, target, how.processes)
        rows = how.on_rank_zero(work.conclude, keep_weights=keep_weights)
    return [origin | row for row in rows]


class _Work:
    """Training and probing of one plan in its run folder."""

    def __init__(
        self,
        plan: Plan,
        run: RunFolder,
        data: Dataset | Samples,
        device: torch.device,
        keep: bool,
    ) -> None:
        self.plan, self.run, self.data, self.device, self.keep = plan, run, data, device, keep

    @property
    def probed(self) -> dict[int, Row]:
        """The rows of this training by epoch."""
        training = self.run.training
        rows = read_rows(self.run.path / PROBES, {"epoch": int})
        return {row["epoch"]: row for row in rows if row.get("training") == training}

    def must_train(self, say: Notice, *, keep_weights: bool) -> bool:
        """True if the run must be trained; one that lacks an epoch's probe starts over."""
        ended = self.run.finished or self.run.dropped
        passed = self.plan.run.epochs if ended else self.run.checkpoint_epoch()
        lost = [
            f"epoch {epoch} was not probed and its weights were not kept"
            for epoch in self.plan.probe_epochs
            if epoch <= passed and epoch not in self.probed and not self._kept(epoch)
        ]
        if self.run.dropped and keep_weights:
            lost.append("its weights were not kept")
        if not lost:
            return not ended
        previous = self.run.start_over()
        say(
            f"{self.plan.describe()}: {lost[0]}, so the run is trained again; the training before "
            f"is kept in {previous}"
        )
        return True

    def _kept(self, epoch: int) -> bool:
        """True if the epoch can be probed without training."""
        if epoch == self.plan.run.epochs and epoch > 0:
            return self.run.finished
        return epoch == 0 or self.run.weights_of(epoch).exists()

    def evaluate(self, method: Method, epoch: int) -> None:
        """Probe the method if the epoch is asked for and has no probe yet."""
        if epoch not in self.plan.probe_epochs or epoch in self.probed:
            return
        if self.keep and 0 < epoch < self.plan.run.epochs:
            self.run.write_weights(method, epoch, self.run.weights_of(epoch))
        started, last = time.monotonic(), epoch == self.plan.run.epochs
        codes, probing = CleanCodes(), self.plan.probing
        try:
            reading = probe(method, self.data, probing=probing, alone=last, codes=codes)
            measured = reading.row()
            if last:
                measured["i_nce"] = i_nce(method, self.data)
            if last and self.plan.official:
                if probing != "authors":
                    reading = probe(method, self.data, probing="authors")
                measured["official"] = reading.accuracies() | reading.converged()
            if last and self.plan.products and probing == "ours":
                measured |= _by_products(method, self.data, codes)
        except NotFiniteError as problem:
            raise TrainingError(
                f"{self.plan.describe()} has diverged by epoch {epoch} ({problem}): a smaller "
                "learning rate or a larger temperature may help"
            ) from None
        row = {"epoch": epoch, "training": self.run.training, **measured}
        seconds = round(time.monotonic() - started, 3)
        append_row(self.run.path / PROBES, row | {"probe_seconds": seconds})

    def conclude(self, *, keep_weights: bool) -> list[Row]:
        """The rows of a finished run; epochs whose weights were kept are probed now."""
        for epoch in self.plan.probe_epochs:
            if epoch not in self.probed:
                method = new_method(self.plan.run, self.data, self.device)
                if epoch:
                    last = epoch == self.plan.run.epochs
                    self.run.load_weights(method, None if last else epoch)
                self.evaluate(method.eval(), epoch)
        probed, epochs = self.probed, self.plan.run.epochs
        metrics = self.run.metrics(epochs)
        seconds = metrics[-1]["seconds"] if metrics else 0.0
        if not keep_weights:
            self.run.drop_weights()
        return [{"seconds": seconds} | probed[epoch] for epoch in self.plan.probe_epochs]


def _provenance(plan: Plan, data: Dataset | Samples, device: torch.device, processes: int) -> Row:
    """The fields that a row needs for its numbers to be understood and repeated."""
    origin = provenance(device)
    if processes > 1:
        origin["device"] = f"{processes} × {origin['device']}"
    if plan.source:
        origin |= {"data_options": plan.data.to_json()["options"]}
        origin |= {"data_files": dict(data.samples().origin.get("files", {}))}
    return {
        "format": plan.format,
        **plan.columns(),
        "data_seed": plan.data.seed,
        "precision": plan.run.precision,
        **origin,
    }


def read_settings(folder: Path) -> tuple[RunSettings, Data]:
    """The settings that a run's folder was made with: of the run, and of its data set.

    Raises:
        InputError: no run is there, or its settings cannot be read, or it was trained on arrays.
    """
    run = RunFolder(folder)
    origin = run.origin()
    if isinstance(origin, dict) and origin.get("source") in SOURCES:
        return run.settings(), RealSettings.from_json(origin)
    if isinstance(origin, dict) and origin.get("source") == "arrays":
        raise InputError(
            f"{folder} was trained on arrays, which it does not hold: in Python, give them to "
            "trifeature.load_run and trifeature.probe"
        )
    return run.settings(), DatasetSettings.from_json(origin)


def _by_products(method: Method, data: Dataset | Samples, codes: CleanCodes) -> Row:
    """The scores of probes with products, and those of other maps, as `products` and `other_maps`.

    Nothing where the features of the modalities differ in length, so that they have no products;
    other maps where the pairs have a map.
    """
    try:
        row = probe(method, data, probing="products", codes=codes).row()
    except UnequalLengthsError:
        return {}
    scores = {column: row[column] for column in row if isinstance(row[column], float)}
    found: Row = {"products": scores}
    if not isinstance(data, Dataset) or not has_other_maps(data):
        return found
    return found | {"other_maps": other_maps(method, data, codes)}
