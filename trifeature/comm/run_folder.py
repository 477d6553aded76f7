"""A training run's folder: settings, metrics, checkpoint and weights.

`config.json` holds the settings, the origin of the data and an identifier of the training;
`metrics.jsonl` one line an epoch, `checkpoint.safetensors` everything that exact resumption needs
and, at the end, `weights.safetensors` the trained network. Where they were asked for, the weights
of single epochs lie in `weights-EPOCH.safetensors`. A training that was begun anew has moved the
files of the one before to `previous-1/`, `previous-2/`, …: files of two trainings never mix.

Every file of tensors carries a digest, and nothing but finite numbers is called a checkpoint. A
lock beside the folder, `.NAME.lock`, keeps other processes out while a run is in use.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, ParamSpec, Protocol, TypeVar

import torch
from torch import Tensor, nn

from trifeature.comm.settings import RunSettings
from trifeature.comm.tensor_files import read_tensors, write_tensors
from trifeature.errors import InputError
from trifeature.errors import TrainingError as TrainingError  # noqa: PLC0414 - also found here
from trifeature.files import (
    append_row,
    locked,
    read_json,
    read_rows,
    remove_leftovers,
    write_json,
    write_rows,
)
from trifeature.samples import HasSamples

P = ParamSpec("P")
R = TypeVar("R")

CONFIG, METRICS, CHECKPOINT, WEIGHTS = (
    "config.json",
    "metrics.jsonl",
    "checkpoint.safetensors",
    "weights.safetensors",
)
CHECKPOINT_SECONDS: Final = 5.0
"""A checkpoint is written at the end of an epoch when the last one is older than this."""


@dataclass
class TrainingState:
    """What changes as a run proceeds.

    Attributes:
        learner: Method, optimizers and the generator of the views.
        epoch: Epochs completed.
        seconds: Spent in training steps.
    """

    learner: Any
    epoch: int = 0
    seconds: float = 0.0


class Once(Protocol):
    """Calls what must happen once, however many processes train; see `Backend.once`."""

    def once(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function in one process; its result in every process."""


class InOneProcess:
    """`Once` for a process that trains alone."""

    def once(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function."""
        return function(*args, **kwargs)


class RunFolder:
    """The files of one run.

    Args:
        path: The folder.
        process: Decides which process writes.
    """

    def __init__(self, path: Path, process: Once | None = None) -> None:
        self.path = path
        self.process = process or InOneProcess()
        self._saved = time.monotonic()
        self._lock = ExitStack()

    @classmethod
    @contextmanager
    def open(
        cls,
        path: Path,
        data: HasSamples,
        settings: RunSettings,
        process: Once | None = None,
        on_wait: Callable[[], None] | None = None,
    ) -> Iterator[RunFolder]:
        """Make a run's folder, or check that it holds this very run; locked inside the block.

        Args:
            path: The folder.
            data: What the run is trained on.
            settings: Of the run.
            process: Decides which process writes.
            on_wait: Called once where another process uses the folder.

        Raises:
            InputError: it holds another run, or something that is no run.
        """
        folder = cls(path, process)
        try:
            origin = dict(data.samples().origin)
            folder.process.once(folder._open, settings, origin, on_wait)
            yield folder
        finally:
            folder._lock.close()

    def _open(
        self, settings: RunSettings, origin: dict[str, Any], on_wait: Callable[[], None] | None
    ) -> None:
        self._refuse_strangers()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = self.path.absolute().parent / f".{self.path.absolute().name}.lock"
        self._lock.enter_context(locked(lock, on_wait))
        self._refuse_strangers()
        if self.path.exists():
            remove_leftovers(self.path)
        if not (self.path / CONFIG).exists():
            self.path.mkdir(exist_ok=True)
            self._write_config(settings, origin)
        elif (self.settings(), self.origin()) != (settings, _plain(origin)):
            raise InputError(
                f"{self.path} holds a run with other settings: name another folder or remove it"
            )

    def _refuse_strangers(self) -> None:
        """Refuse a folder that holds anything but a run, or what a kill left of one."""
        if (self.path / CONFIG).exists() or not self.path.exists():
            return
        left = f".{CONFIG}.part-"
        if not self.path.is_dir() or any(
            not entry.name.startswith(left) for entry in self.path.iterdir()
        ):
            raise InputError(
                f"{self.path} exists and is not a run: name another folder or remove it"
            )

    def _write_config(self, settings: RunSettings, origin: Any) -> None:
        content = {"run": settings.to_json(), "data": origin, "training": secrets.token_hex(8)}
        write_json(self.path / CONFIG, content)

    def _config(self, key: str) -> Any:
        config = read_json(self.path / CONFIG)
        if key not in config:
            raise InputError(f"{self.path / CONFIG} is damaged: it lacks {key!r}")
        return config[key]

    def settings(self) -> RunSettings:
        """The settings that the folder was made with.

        Raises:
            InputError: no run is there, or its settings cannot be read.
        """
        self._config("data")
        try:
            return RunSettings.from_json(self._config("run"))
        except InputError as problem:
            if str(self.path) in str(problem):
                raise
            raise InputError(f"{self.path / CONFIG} is damaged: {problem}") from None

    def origin(self) -> Any:
        """The origin of the data that the folder was made with, as JSON holds it."""
        return self._config("data")

    @property
    def training(self) -> str | None:
        """Identifier of the training, new whenever a run is trained again from its start."""
        return read_json(self.path / CONFIG).get("training")

    @property
    def finished(self) -> bool:
        """Whether the folder holds the weights of the last epoch."""
        return (self.path / WEIGHTS).exists()

    def start_over(self) -> Path:
        """Begin the same run anew; its files so far are kept in a subfolder, which is returned."""
        settings, origin = self.settings(), self.origin()
        number = 1 + sum(1 for _ in self.path.glob("previous-*"))
        previous = self.path / f"previous-{number}"
        previous.mkdir()
        for entry in sorted(self.path.iterdir()):
            if entry.is_file() and entry.name != CONFIG:
                entry.rename(previous / entry.name)
        write_json(previous / CONFIG, read_json(self.path / CONFIG))
        self._write_config(settings, origin)
        return previous

    def checkpoint_epoch(self) -> int:
        """Epochs completed by the last checkpoint, 0 if there is none.

        Raises:
            InputError: the checkpoint is damaged.
        """
        checkpoint = self._read_checkpoint()
        return 0 if checkpoint is None else _number(checkpoint[1], "epoch", self.path / CHECKPOINT)

    # ----------------------------------------------------------------- while training

    def restore(self, state: TrainingState) -> None:
        """Continue from the checkpoint, if there is one, and drop metrics from beyond it.

        Raises:
            InputError: the checkpoint is damaged, or was written on another kind of device.
        """
        checkpoint = self.process.once(self._read_checkpoint)
        if checkpoint is not None:
            self._load_checkpoint(state, *checkpoint)
        self.process.once(self._drop_metrics, state.epoch)
        self._saved = time.monotonic()

    def _read_checkpoint(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        path = self.path / CHECKPOINT
        return read_tensors(path) if path.exists() else None

    def _load_checkpoint(
        self, state: TrainingState, tensors: dict[str, Tensor], note: dict[str, Any]
    ) -> None:
        path, learner = self.path / CHECKPOINT, state.learner
        try:
            state.epoch = _number(note, "epoch", path)
            state.seconds = float(note["seconds"])
            learner.generator.set_state(tensors.pop("generator"))
        except KeyError as problem:
            raise InputError(f"{path} is damaged: it lacks {problem}") from None
        except RuntimeError:  # a GPU's generator is another than a CPU's
            raise InputError(
                f"{self.path} was begun on another kind of device than "
                f"{learner.generator.device.type}: go on there, or name another folder"
            ) from None
        own = {k.removeprefix("method."): x for k, x in tensors.items() if k.startswith("method.")}
        _load_state(learner.method, own, path)
        for phase, optimizer in enumerate(learner.optimizers):
            _restore_optimizer(optimizer, tensors, f"optimizer.{phase}.")

    def _drop_metrics(self, epoch: int) -> None:
        """Keep the metrics up to an epoch."""
        path = self.path / METRICS
        if path.exists():
            write_rows(path, [row for row in read_rows(path) if row["epoch"] <= epoch])

    def keep(self, state: TrainingState, metrics: dict[str, Any], *, last: bool) -> None:
        """Write down an epoch, with a checkpoint if it is time for one."""
        self.process.once(self._keep, state, metrics, last=last)

    def _keep(self, state: TrainingState, metrics: dict[str, Any], *, last: bool) -> None:
        append_row(self.path / METRICS, metrics)
        if last or time.monotonic() - self._saved > CHECKPOINT_SECONDS:
            self._save(state)
            self._saved = time.monotonic()

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
        """Write the trained weights."""
        self.process.once(
            self.write_weights, state.learner.method, state.epoch, self.path / WEIGHTS
        )

    def write_weights(self, method: nn.Module, epoch: int, path: Path) -> None:
        """Write the weights of an epoch."""
        write_tensors(path, method.state_dict(), {"epochs": epoch})

    # ----------------------------------------------------------------- afterwards

    def weights_of(self, epoch: int | None = None) -> Path:
        """The file of an epoch's weights, whether it exists or not; of the last one for None."""
        return self.path / (WEIGHTS if epoch is None else f"weights-{epoch}.safetensors")

    def load_weights(self, method: nn.Module, epoch: int | None = None) -> None:
        """Load weights into a method: the trained ones, or those of an epoch that were kept.

        Raises:
            InputError: the run is not finished, the epoch's weights were not kept, or the file is
                damaged.
        """
        path = self.weights_of(epoch)
        if epoch is None and not self.finished:
            raise InputError(f"{self.path} is not finished: `comm-probe train` continues it")
        tensors, _ = read_tensors(path)
        _load_state(method, tensors, path)


def _number(note: dict[str, Any], key: str, path: Path) -> int:
    """A whole number from a file's note."""
    value = note.get(key)
    if not isinstance(value, int):
        raise InputError(f"{path} is damaged: its note lacks a whole number {key!r}")
    return value


def _plain(content: Any) -> Any:
    """The same content as JSON would give it back: tuples as lists."""
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    return content


def _load_state(method: nn.Module, tensors: dict[str, Tensor], source: Path) -> None:
    try:
        method.load_state_dict(tensors)
    except RuntimeError as problem:
        reason = str(problem).splitlines()[-1].strip()
        raise InputError(f"{source} does not fit the run's settings: {reason}") from None


def _restore_optimizer(
    optimizer: torch.optim.AdamW, tensors: dict[str, Tensor], prefix: str
) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    entries: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith(prefix):
            index, name = key.removeprefix(prefix).split(".")
            if tensor.ndim:
                # In the parameter's own order in memory (channels last, say), which a file does
                # not keep: the fused optimizer goes through both as they lie there.
                tensor = torch.empty_like(parameters[int(index)]).copy_(tensor)  # noqa: PLW2901
            entries.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": entries})
