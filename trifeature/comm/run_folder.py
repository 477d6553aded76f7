"""A training run's folder: settings, metrics, checkpoint and weights.

`config.json` holds the settings and the origin of the data, `metrics.jsonl` one line an epoch,
`checkpoint.safetensors` everything that exact resumption needs and, at the end,
`weights.safetensors` the trained network.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, ParamSpec, Protocol, TypeVar

import torch
from torch import Tensor, nn

from trifeature.comm.settings import RunSettings
from trifeature.errors import InputError
from trifeature.files import (
    append_row,
    read_json,
    read_rows,
    read_tensors,
    write_json,
    write_rows,
    write_tensors,
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


class TrainingError(RuntimeError):
    """Training cannot go on; the message names the run, the step and the cause."""


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

    @classmethod
    def open(
        cls, path: Path, data: HasSamples, settings: RunSettings, process: Once | None = None
    ) -> RunFolder:
        """Make a run's folder, or check that it holds this very run.

        Raises:
            InputError: it holds another run, or something that is no run.
        """
        folder = cls(path, process)
        folder.process.once(folder._open, settings, dict(data.samples().origin))
        return folder

    def _open(self, settings: RunSettings, origin: dict[str, Any]) -> None:
        if (self.path / CONFIG).exists():
            if (self.settings(), self.origin()) != (settings, _plain(origin)):
                raise InputError(
                    f"{self.path} holds a run with other settings: name another folder or remove it"
                )
            return
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise InputError(
                f"{self.path} exists and is not a run: name another folder or remove it"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(self.path / CONFIG, {"run": settings.to_json(), "data": origin})

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
    def finished(self) -> bool:
        """Whether the folder holds the weights of the last epoch."""
        return (self.path / WEIGHTS).exists()

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
            state.epoch, state.seconds = int(note["epoch"]), float(note["seconds"])
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
        weights, note = state.learner.method.state_dict(), {"epochs": state.epoch}
        self.process.once(write_tensors, self.path / WEIGHTS, weights, note)

    # ----------------------------------------------------------------- afterwards

    def load_weights(self, method: nn.Module) -> None:
        """Load the trained weights into a method.

        Raises:
            InputError: the run is not finished, or the file is damaged.
        """
        if not self.finished:
            raise InputError(f"{self.path} is not finished: `comm-probe train` continues it")
        tensors, _ = read_tensors(self.path / WEIGHTS)
        _load_state(method, tensors, self.path / WEIGHTS)


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
