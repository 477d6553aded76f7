"""The folder of a training run: settings, metrics, checkpoint and weights.

- `config.json`: the settings, the origin of the data and an identifier of the training.
- `metrics.jsonl`: one row an epoch.
- `checkpoint.safetensors`: the state from which training resumes exactly.
- `weights.safetensors`: the trained network, written at the end.
- `weights-EPOCH.safetensors`: weights of single epochs, if requested.
- `previous-1/`, `previous-2/`, …: files of earlier trainings, if the run was started over. Files of
  two trainings are never mixed.

Every tensor file has a digest, and a checkpoint is written only if all its numbers are finite. The
lock file `.NAME.lock` beside the folder excludes other processes while a run is open.
"""

from __future__ import annotations

import secrets
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, ParamSpec, Protocol, TypeVar

import torch
from torch import Tensor, nn

from trifeature.comm.settings import RunSettings
from trifeature.comm.tensor_files import read_tensors, write_tensors
from trifeature.data.dataset import OWN_PAIRS
from trifeature.data.settings import DatasetSettings
from trifeature.data.storage import require_outside
from trifeature.errors import InputError
from trifeature.errors import TrainingError as TrainingError  # noqa: PLC0414 - also found here
from trifeature.files import (
    append_row,
    locked,
    plain,
    read_json,
    read_rows,
    remove_leftovers,
    write_json,
    write_rows,
)
from trifeature.samples import HIDDEN, NORMALIZED, HasSamples

P = ParamSpec("P")
R = TypeVar("R")

CONFIG, METRICS, CHECKPOINT, WEIGHTS = (
    "config.json",
    "metrics.jsonl",
    "checkpoint.safetensors",
    "weights.safetensors",
)
PROBES: Final = "probes.jsonl"
"""Probe results by epoch, written by `trifeature.experiments.run`."""

MOMENTS: Final = ("step", "exp_avg", "exp_avg_sq")
"""State of AdamW for a parameter that has had a gradient."""

CHECKPOINT_SECONDS: Final = 5.0
"""Age of the last checkpoint from which the end of an epoch writes a new one."""

CHECKPOINT_COST: Final = 0.02 * CHECKPOINT_SECONDS
"""Seconds of writing from which checkpoints are as much rarer, to take about 2 % of the time.

That of the paper's preset has 103 MiB, and a GPU waits for it.
"""
RAREST: Final = 12.0
"""Most times `CHECKPOINT_SECONDS` between two checkpoints, however long one took: a minute."""


@dataclass
class TrainingState:
    """The state of a run in training.

    Attributes:
        learner: Method, optimizers and the generator of the views.
        epoch: Number of completed epochs.
        seconds: Seconds spent in training steps.
    """

    learner: Any
    epoch: int = 0
    seconds: float = 0.0


class RankZero(Protocol):
    """Calls functions on rank 0 of the processes that train together; `Backend` is one."""

    def on_rank_zero(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function on rank 0 only; its result on every rank."""


class SingleProcess:
    """`RankZero` for a single process."""

    def on_rank_zero(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function."""
        return function(*args, **kwargs)


class RunFolder:
    """The files of one run.

    Args:
        path: The folder.
        process: Decides which process writes; None for this one.
    """

    def __init__(self, path: Path, process: RankZero | None = None) -> None:
        self.path = path
        self.process = process or SingleProcess()
        self._saved = time.monotonic()
        self._rarer = 1.0
        self._lock = ExitStack()

    @classmethod
    @contextmanager
    def open(
        cls,
        path: Path,
        data: HasSamples,
        settings: RunSettings,
        process: RankZero | None = None,
        on_wait: Callable[[], None] | None = None,
    ) -> Iterator[RunFolder]:
        """Open and lock a run's folder; make it if it does not exist.

        Args:
            path: The folder.
            data: The data of the run.
            settings: The settings of the run.
            process: Decides which process writes; None for this one.
            on_wait: Called once if another process has the folder locked; None warns.

        Raises:
            InputError: the folder holds another run, or something that is not a run.
        """
        folder = cls(path, process)

        def warn() -> None:
            warnings.warn(f"waiting for another process that uses {path}", stacklevel=2)

        try:
            origin = dict(data.samples().origin)
            folder.process.on_rank_zero(folder._open, settings, origin, on_wait or warn)
            yield folder
        finally:
            folder._lock.close()

    def _open(
        self, settings: RunSettings, origin: dict[str, Any], on_wait: Callable[[], None]
    ) -> None:
        self._require_run_or_nothing()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = self.path.absolute().parent / f".{self.path.absolute().name}.lock"
        self._lock.enter_context(locked(lock, on_wait))
        self._require_run_or_nothing()
        if self.path.exists():
            remove_leftovers(self.path)
        if not (self.path / CONFIG).exists():
            self.path.mkdir(exist_ok=True)
            self._write_config(settings, origin)
        elif self.settings() != settings or _as_now(self.origin()) != _as_now(origin):
            raise InputError(
                f"{self.path} holds a run with other settings: name another folder or remove it"
            )
        self._finish_moving()

    def _require_run_or_nothing(self) -> None:
        """Raise InputError unless the folder is a run, empty, or what a killed start left."""
        require_outside(self.path)
        if (self.path / CONFIG).exists() or not self.path.exists():
            return
        remains = f".{CONFIG}.part-"
        if not self.path.is_dir() or any(
            not entry.name.startswith(remains) for entry in self.path.iterdir()
        ):
            raise InputError(
                f"{self.path} exists and is not a run: name another folder or remove it"
            )

    def _write_config(self, settings: RunSettings, origin: Any, **more: str) -> None:
        content = {"run": settings.to_json(), "data": origin, "training": secrets.token_hex(8)}
        write_json(self.path / CONFIG, content | more)

    def _config(self, key: str) -> Any:
        config = read_json(self.path / CONFIG)
        if key not in config:
            raise InputError(f"{self.path / CONFIG} is damaged: it lacks {key!r}")
        return config[key]

    def settings(self) -> RunSettings:
        """The settings of the run.

        Raises:
            InputError: the folder holds no run, or its settings cannot be read.
        """
        self._config("data")
        try:
            return RunSettings.from_json(self._config("run"))
        except InputError as problem:
            if str(self.path) in str(problem):
                raise
            raise InputError(f"{self.path / CONFIG} is damaged: {problem}") from None

    def origin(self) -> Any:
        """The origin of the run's data, as JSON."""
        return self._config("data")

    @property
    def training(self) -> str | None:
        """Identifier of the training; starting over makes a new one."""
        return read_json(self.path / CONFIG).get("training")

    @property
    def finished(self) -> bool:
        """True if the folder holds the weights of the last epoch."""
        return (self.path / WEIGHTS).exists()

    @property
    def dropped(self) -> bool:
        """True if the run was finished and its weights were then removed by `drop_weights`."""
        return read_json(self.path / CONFIG).get("weights") == "dropped"

    def drop_weights(self) -> None:
        """Remove weights and checkpoint of a finished run."""
        write_json(self.path / CONFIG, read_json(self.path / CONFIG) | {"weights": "dropped"})
        for file in self.path.glob("*.safetensors"):
            file.unlink()

    def start_over(self) -> Path:
        """Move the run's files to a subfolder and start a new training; returns the subfolder.

        Until all files are moved, the new config.json names the subfolder; after a kill, `open`
        moves the rest. So files of two trainings never mix.
        """
        config = read_json(self.path / CONFIG)
        number = 1 + sum(1 for _ in self.path.glob("previous-*"))
        previous = self.path / f"previous-{number}"
        previous.mkdir()
        write_json(previous / CONFIG, config)
        self._write_config(self.settings(), self.origin(), moving=previous.name)
        self._finish_moving()
        return previous

    def _finish_moving(self) -> None:
        """Move the remaining files of the previous training to its subfolder."""
        config = read_json(self.path / CONFIG)
        if (name := config.pop("moving", None)) is None:
            return
        for entry in sorted(self.path.iterdir()):
            if entry.is_file() and entry.name != CONFIG:
                entry.rename(self.path / name / entry.name)
        write_json(self.path / CONFIG, config)

    def checkpoint_epoch(self) -> int:
        """Number of epochs completed at the last checkpoint, 0 if there is none.

        Raises:
            InputError: the checkpoint is damaged.
        """
        checkpoint = self._read_checkpoint()
        return (
            0
            if checkpoint is None
            else _whole_number(checkpoint[1], "epoch", self.path / CHECKPOINT)
        )

    # ----------------------------------------------------------------- while training

    def restore(self, state: TrainingState) -> None:
        """Load the checkpoint into a state, if there is one; remove what is of later epochs.

        Raises:
            InputError: the checkpoint is damaged, or was written on another kind of device, or the
                metrics lack an epoch before it.
        """
        checkpoint = self.process.on_rank_zero(self._read_checkpoint)
        if checkpoint is not None:
            self._load_checkpoint(state, *checkpoint)
        self.process.on_rank_zero(self._forget_after, state.epoch)
        self._saved = time.monotonic()

    def _read_checkpoint(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        path = self.path / CHECKPOINT
        return read_tensors(path) if path.exists() else None

    def _load_checkpoint(
        self, state: TrainingState, tensors: dict[str, Tensor], note: dict[str, Any]
    ) -> None:
        path, learner = self.path / CHECKPOINT, state.learner
        try:
            state.epoch = _whole_number(note, "epoch", path)
            state.seconds = float(note["seconds"])
            learner.generator.set_state(tensors.pop("generator"))
        except KeyError as problem:
            raise InputError(f"{path} is damaged: it lacks {problem}") from None
        except (TypeError, ValueError) as problem:
            raise InputError(f"{path} is damaged: {problem}") from None
        except RuntimeError:  # generators of a GPU and of a CPU have different states
            raise InputError(
                f"{self.path} was started on another kind of device than "
                f"{learner.generator.device.type}: continue there, or name another folder"
            ) from None
        own = {k.removeprefix("method."): x for k, x in tensors.items() if k.startswith("method.")}
        _load_state(learner.method, own, path)
        for phase, optimizer in enumerate(learner.optimizers):
            _restore_optimizer(optimizer, tensors, f"optimizer.{phase}.", path)

    def _forget_after(self, epoch: int) -> None:
        """Remove metrics, probes and weights of epochs after `epoch`; training repeats them."""
        self.metrics(epoch)  # refuses a record that lacks one of them
        for path in (self.path / METRICS, self.path / PROBES):
            if path.exists():
                rows = read_rows(path, {"epoch": int})
                write_rows(path, [row for row in rows if row["epoch"] <= epoch])
        for path in self.path.glob("weights-*.safetensors"):
            if path not in {self.weights_of(one) for one in range(1, epoch + 1)}:
                path.unlink()

    def keep(self, state: TrainingState, metrics: dict[str, Any], *, last: bool) -> None:
        """Write the metrics of an epoch, and a checkpoint if it is the last or one is due."""
        self.process.on_rank_zero(self._keep, state, metrics, last=last)

    def _keep(self, state: TrainingState, metrics: dict[str, Any], *, last: bool) -> None:
        append_row(self.path / METRICS, metrics)
        started = time.monotonic()
        if last or started - self._saved > self._rarer * CHECKPOINT_SECONDS:
            self._save(state)
            self._saved = time.monotonic()
            # A factor, so that with no seconds between them every epoch has its checkpoint.
            self._rarer = min(max(1.0, (self._saved - started) / CHECKPOINT_COST), RAREST)

    def _save(self, state: TrainingState) -> None:
        learner = state.learner
        tensors = {f"method.{name}": x for name, x in learner.method.state_dict().items()}
        for phase, optimizer in enumerate(learner.optimizers):
            for index, entry in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer.{phase}.{index}.{name}": x for name, x in entry.items()}
        tensors["generator"] = learner.generator.get_state()
        note = {"epoch": state.epoch, "seconds": state.seconds}
        write_tensors(self.path / CHECKPOINT, tensors, note)

    def finish(self, state: TrainingState) -> None:
        """Write the weights of the trained method."""
        self.process.on_rank_zero(
            self.write_weights, state.learner.method, state.epoch, self.path / WEIGHTS
        )

    def write_weights(self, method: nn.Module, epoch: int, path: Path) -> None:
        """Write the weights of a method after `epoch` epochs to a file."""
        write_tensors(path, method.state_dict(), {"epochs": epoch})

    def metrics(self, epochs: int) -> list[dict[str, Any]]:
        """The rows of metrics of the first epochs, in order.

        Raises:
            InputError: the file is damaged, or lacks one of these epochs, as no kill leaves it.
        """
        path = self.path / METRICS
        rows = {row["epoch"]: row for row in read_rows(path, {"epoch": int, "seconds": float})}
        if lacking := [epoch for epoch in range(1, epochs + 1) if epoch not in rows]:
            raise InputError(
                f"{path} lacks {len(lacking)} of {epochs} epochs that were trained (the first: "
                f"{lacking[0]}, the last: {lacking[-1]}): put the file back as it was, or remove "
                f"{self.path} to train anew"
            )
        return [rows[epoch] for epoch in range(1, epochs + 1)]

    # ----------------------------------------------------------------- after training

    def weights_of(self, epoch: int | None = None) -> Path:
        """Path of the weights of an epoch, None for the last; the file need not exist."""
        return self.path / (WEIGHTS if epoch is None else f"weights-{epoch}.safetensors")

    def load_weights(self, method: nn.Module, epoch: int | None = None) -> None:
        """Load the weights of an epoch into a method, None for the last epoch.

        Raises:
            InputError: the run is not finished, the weights of this epoch do not exist, or the file
                is damaged.
        """
        path = self.weights_of(epoch)
        if epoch is None and not self.finished:
            raise InputError(f"{self.path} is not finished: `comm-probe train` continues it")
        tensors, _ = read_tensors(path)
        _load_state(method, tensors, path)


def _whole_number(note: dict[str, Any], key: str, path: Path) -> int:
    """A whole number in the note of a tensor file."""
    value = note.get(key)
    if not isinstance(value, int):
        raise InputError(f"{path} is damaged: its note lacks a whole number {key!r}")
    return value


def other_data(own: Any, given: Any) -> list[str]:
    """What tells data from those that a run was trained on, by their origins; nothing for the same.

    Other training pairs and hidden modalities make no other data. Of arrays, other labels and
    another split do, as their digest holds both.
    """
    first, second = _identity(own), _identity(given)
    return sorted(name for name in first.keys() & second.keys() if first[name] != second[name])


def _identity(origin: Any) -> dict[str, Any]:
    """What an origin says of the data, whatever their training pairs, by name."""
    if not isinstance(origin, Mapping):  # of a damaged folder
        return {}
    kept = {name: part for name, part in origin.items() if name not in (OWN_PAIRS, HIDDEN)}
    if "options" in kept:  # real data
        found = {**plain(kept["options"]), "files": kept.get("files")}
    elif "sha256" in kept:
        found = {"content": kept["sha256"]}
        if NORMALIZED in kept:
            found["standardization"] = plain(kept[NORMALIZED])
    else:
        found = _as_now(kept)
    found.pop("match_rate", None)
    return {**found, "source": kept.get("source")}


def _as_now(origin: Any) -> Any:
    """The origin of data as it would be written now: missing settings are at their default."""
    try:
        return plain(DatasetSettings.from_json(origin).to_json())
    except InputError:  # not a Trifeature data set
        return plain(origin)


def _load_state(method: nn.Module, tensors: dict[str, Tensor], source: Path) -> None:
    try:
        method.load_state_dict(tensors)
    except RuntimeError as problem:
        reason = str(problem).splitlines()[-1].strip()
        raise InputError(f"{source} does not fit the run's settings: {reason}") from None


def _restore_optimizer(
    optimizer: torch.optim.AdamW, tensors: dict[str, Tensor], prefix: str, path: Path
) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    entries: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith(prefix):
            index, _, name = key.removeprefix(prefix).partition(".")
            known = index.isdecimal() and int(index) < len(parameters) and name in MOMENTS
            shape = parameters[int(index)].shape if known and name != "step" else torch.Size()
            if not known or tensor.shape != shape:
                raise InputError(f"{path} does not fit the run's settings: {key} is unexpected")
            if tensor.ndim:
                # In the parameter's own order in memory (channels last, say), which a file does
                # not keep: the fused optimizer goes through both as they lie there.
                tensor = torch.empty_like(parameters[int(index)]).copy_(tensor)  # noqa: PLW2901
            entries.setdefault(int(index), {})[name] = tensor
    for number, entry in entries.items():
        if lacking := [name for name in MOMENTS if name not in entry]:
            raise InputError(f"{path} is damaged: it lacks {prefix}{number}.{lacking[0]}")
    optimizer.load_state_dict({**optimizer.state_dict(), "state": entries})
