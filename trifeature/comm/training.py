"""The training loop, written out: batches of pairs in, a trained method and its metrics out.

A run is a folder: `config.json`, `metrics.jsonl` (one line an epoch), `checkpoint.safetensors`
(everything exact resumption needs) and, at the end, `weights.safetensors`. The run can be stopped
at any moment; started again it continues from its checkpoint and ends with the same bits on the
same device, because nothing it does depends on more than the checkpoint holds.

N samples in a batch, P pairs, M modalities, S pixels along the canvas.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from trifeature.comm.methods import Method, make_method
from trifeature.comm.parallel import ALONE, Group, joined, own_device
from trifeature.comm.settings import RunSettings
from trifeature.comm.steps import Execution, Learner, Steps, numerics, taking_steps
from trifeature.data.dataset import Dataset
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

CONFIG, METRICS, CHECKPOINT, WEIGHTS = (
    "config.json",
    "metrics.jsonl",
    "checkpoint.safetensors",
    "weights.safetensors",
)
REPORT_STEPS: Final = 25
"""Steps between two looks at the losses; only then does the host wait for the device."""

CHECKPOINT_SECONDS: Final = 5.0
"""A checkpoint is written at the end of an epoch when the last one is older than this."""


class TrainingError(RuntimeError):
    """The loss stopped being a finite number; the message names the step."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands, for whoever shows it.

    Attributes:
        epoch: Epochs completed, the current one as a fraction.
        epochs: Epochs in all.
        terms: Mean over the last steps of the loss (`loss`) and its terms, in nats.
        seconds_left: Estimate from the steps of this session.
    """

    epoch: float
    epochs: int
    terms: dict[str, float]
    seconds_left: float


Report = Callable[[Progress], None]
Evaluate = Callable[[Method, int], None]


@dataclass
class _State:
    """What changes as a run proceeds."""

    learner: Learner
    epoch: int = 0
    seconds: float = 0.0


def pick_device(name: str | None) -> torch.device:
    """The device to run on: the named one, else a GPU where there is one, else the CPU.

    Raises:
        InputError: a GPU was asked for and there is none, or the name is no device.
    """
    if name is None:
        return own_device(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"unknown device {name!r}: give cpu, cuda or cuda:0") from None
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"unknown device {name!r}: give cpu, cuda or cuda:0")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"no GPU for {name!r} on this machine: use --device cpu")
    return own_device(device)


def new_method(settings: RunSettings, dataset: Dataset, device: torch.device) -> Method:
    """The untrained network of a run: a function of the settings' seed alone."""
    rule, canvas = dataset.settings.rule, dataset.settings.render.canvas
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        method = make_method(settings, rule.modalities, canvas)
    if device.type == "cuda":
        # Tensor cores want the channels of a pixel side by side.
        return method.to(device).to(memory_format=torch.channels_last)
    return method.to(device)


def learning_rate(settings: RunSettings, step: int, steps: int) -> float:
    """The learning rate of a step (from 0) out of `steps`.

    The cosine is exactly 0 at the last step, which therefore changes no weight: one step of a run
    is spent for nothing, and rows that were measured so would change without it.
    """
    if settings.schedule == "constant":
        return settings.learning_rate
    warm = max(settings.warmup * steps, 1e-9)
    if step + 1 < warm:
        return settings.learning_rate * (step + 1) / warm
    turn = math.pi * (step + 1 - warm) / max(steps - warm, 1)
    return settings.learning_rate * (1 + math.cos(turn)) / 2


def batches(pairs: int, batch_size: int, seed: int, epoch: int) -> Iterator[np.ndarray[Any, Any]]:
    """The pairs of an epoch in random order, a function of seed and epoch.

    The last, smaller batch is kept, except a single pair: it has no negatives.
    """
    order = np.random.default_rng((seed, epoch)).permutation(pairs)
    for start in range(0, pairs, batch_size):
        batch = order[start : start + batch_size]
        if len(batch) > 1:
            yield batch


def steps_per_epoch(pairs: int, batch_size: int) -> int:
    """How many batches `batches` yields."""
    return pairs // batch_size + (pairs % batch_size > 1)


def train(
    dataset: Dataset,
    settings: RunSettings,
    folder: Path | None = None,
    *,
    device: torch.device | str = "cpu",
    execution: Execution | None = None,
    evaluate: Evaluate | None = None,
    report: Report | None = None,
) -> Method:
    """Train a method on a data set's training pairs, continuing where a folder left off.

    Started by `torchrun`, all processes call this with the same arguments and train one network
    together, see `trifeature.comm.parallel`: the first alone writes, reports and evaluates, and the
    result differs from that of one process by rounding only. A run stopped there goes on with any
    number of processes.

    Args:
        dataset: Its `train` pairs are learned from.
        settings: Everything else the result depends on.
        folder: Where to keep the run; None keeps nothing.
        device: Where to train.
        execution: How steps are carried out, see `Execution.default`.
        evaluate: Called with the method, in evaluation mode, and the epoch: before the first
            step (epoch 0) and after each epoch. After a stop it is called again for epochs that
            lie behind the last checkpoint. Must not consume randomness.
        report: Called now and then with the progress.

    Returns:
        The trained method, in evaluation mode.

    Raises:
        InputError: the folder holds another run, or a damaged one, or a batch is too small for
            the number of processes.
        TrainingError: the loss is no longer finite; the last good checkpoint is kept.
        OSError: the folder cannot be written.
    """
    with joined() as group:
        target = own_device(torch.device(device))
        pairs = len(dataset.pairs["train"])
        _require_enough(pairs, settings.batch_size, group)
        data = dataset.to(target)
        method = new_method(settings, dataset, target)
        method.join(group)
        state = _State(Learner.of(method, settings, target))
        if folder is not None:
            group.leader(open_folder, folder, dataset, settings)
            _restore(folder, state)
        saved = time.monotonic()
        if state.epoch == 0 and evaluate is not None:
            group.leader(evaluate, method.eval(), 0)
        how = execution or Execution.default(target, settings.precision, group)
        with taking_steps(state.learner, data, how) as take:
            while state.epoch < settings.epochs:
                shown = report if group.leads else None
                with numerics(settings.precision, target):
                    metrics = _train_epoch(take, pairs, settings, state, shown)
                state.epoch += 1
                if evaluate is not None:
                    group.leader(evaluate, method.eval(), state.epoch)
                if folder is not None:
                    last = state.epoch == settings.epochs
                    saved = group.leader(_keep, folder, state, metrics, last=last, saved=saved)
        if folder is not None:
            note = {"epochs": settings.epochs}
            group.leader(write_tensors, folder / WEIGHTS, method.state_dict(), note)
    method.join(ALONE)
    return method.eval()


def _require_enough(pairs: int, batch_size: int, group: Group) -> None:
    """Refuse pairs that have no negatives, and batches that leave a process without a pair."""
    if pairs < 2:
        raise InputError(f"{pairs} training pair is too few: a pair needs others to differ from")
    rest = pairs % batch_size
    least = rest if rest > 1 else min(pairs, batch_size)
    if least < group.size:
        raise InputError(
            f"the smallest batch has {least} pairs, too few for {group.size} processes: start "
            f"at most {least}, or choose a batch size that leaves more of {pairs} pairs"
        )


def _train_epoch(
    take: Steps, pairs: int, settings: RunSettings, state: _State, report: Report | None
) -> dict[str, Any]:
    """One pass over the training pairs; returns the epoch's line of metrics.

    The host waits for the device only where it looks at the losses. The order of the epoch goes
    there at once.
    """
    state.learner.method.train()
    per_epoch = steps_per_epoch(pairs, settings.batch_size)
    first = state.epoch * per_epoch
    started = time.monotonic()
    history: list[Tensor] = []
    seen: list[Tensor] = []
    names: list[str] = []
    rate = settings.learning_rate
    for step, rows in enumerate(_batches_on_device(pairs, settings, state)):
        rate = learning_rate(settings, first + step, settings.epochs * per_epoch)
        state.learner.set_rate(rate)
        names, values = take(rows)
        history.append(values)
        if (step + 1) % REPORT_STEPS == 0 or step + 1 == per_epoch:
            recent = state.learner.method.group.same(torch.stack(history).cpu())
            _require_finite(recent, first + step + 1 - len(history))
            seen.append(recent)
            history.clear()
            if report is not None:
                done = (step + 1) / per_epoch
                pace = (time.monotonic() - started) / done
                left = (settings.epochs - state.epoch - done) * pace
                terms = dict(zip(names, recent.mean(0).tolist(), strict=True))
                report(Progress(state.epoch + done, settings.epochs, terms, left))
    state.seconds += time.monotonic() - started
    means = torch.cat(seen).mean(0).tolist()
    return {
        "epoch": state.epoch + 1,
        "step": first + per_epoch,
        **dict(zip(names, means, strict=True)),
        "learning_rate": rate,
        "seconds": round(state.seconds, 3),
    }


def _batches_on_device(pairs: int, settings: RunSettings, state: _State) -> list[Tensor]:
    """Which pairs each step of the epoch is about, copied to the device in one piece."""
    order = list(batches(pairs, settings.batch_size, settings.seed, state.epoch))
    device = state.learner.generator.device
    whole = torch.as_tensor(np.concatenate(order), device=device)
    return list(whole.split([len(batch) for batch in order]))


def _require_finite(losses: Tensor, first_step: int) -> None:
    """Stop at the first step whose losses [steps, terms] are not finite."""
    bad = (~losses.isfinite()).any(dim=1).nonzero()
    if len(bad):
        raise TrainingError(
            f"the loss is not finite at step {first_step + int(bad[0])}: the last good checkpoint, "
            "if there is one, is kept; a smaller learning rate or a larger temperature may help"
        )


# --------------------------------------------------------------------------- the run's folder


def open_folder(folder: Path, dataset: Dataset, settings: RunSettings) -> None:
    """Make a run's folder, or check that it holds this very run.

    Raises:
        InputError: it holds another run, or something that is no run.
    """
    content = {"run": settings.to_json(), "data": dataset.settings.to_json()}
    if (folder / CONFIG).exists():
        if _read_config(folder) != (settings, _plain(content["data"])):
            raise InputError(
                f"{folder} holds a run with other settings: name another folder or remove it"
            )
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists and is not a run: name another folder or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / CONFIG, content)


def _read_config(folder: Path) -> tuple[RunSettings, Any]:
    """The settings that a run's folder was made with, and its data set's as JSON holds them."""
    kept = read_json(folder / CONFIG)
    try:
        return RunSettings.from_json(kept["run"]), kept["data"]
    except KeyError as problem:
        raise InputError(f"{folder / CONFIG} is damaged: it lacks {problem}") from None
    except InputError as problem:
        raise InputError(f"{folder / CONFIG} is damaged: {problem}") from None


def _plain(content: Any) -> Any:
    """The same content as JSON would give it back: tuples as lists."""
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    return content


def finished(folder: Path) -> bool:
    """Whether a run's folder holds the weights of its last epoch."""
    return (folder / WEIGHTS).exists()


def load_run(folder: Path, dataset: Dataset, device: torch.device | str = "cpu") -> Method:
    """The trained method of a finished run.

    Args:
        folder: A run's folder.
        dataset: The data set that the run was trained on (its modalities and canvas are used).
        device: Where to put it.

    Raises:
        InputError: no run is there, it is not finished, or a file is damaged.
    """
    settings, _ = _read_config(folder)
    if not finished(folder):
        raise InputError(f"{folder} is not finished: `comm-probe train` continues it")
    method = new_method(settings, dataset, torch.device(device))
    tensors, _ = read_tensors(folder / WEIGHTS)
    _load_state(method, tensors, folder / WEIGHTS)
    return method.eval()


def _load_state(method: Method, tensors: dict[str, Tensor], source: Path) -> None:
    try:
        method.load_state_dict(tensors)
    except RuntimeError as problem:
        reason = str(problem).splitlines()[-1].strip()
        raise InputError(f"{source} does not fit the run's settings: {reason}") from None


def _keep(
    folder: Path, state: _State, metrics: dict[str, Any], *, last: bool, saved: float
) -> float:
    """Write down an epoch, with a checkpoint if it is time; returns when one was last written."""
    append_row(folder / METRICS, metrics)
    if not last and time.monotonic() - saved <= CHECKPOINT_SECONDS:
        return saved
    _save(folder, state)
    return time.monotonic()


def _save(folder: Path, state: _State) -> None:
    tensors = {f"method.{name}": x for name, x in state.learner.method.state_dict().items()}
    for phase, optimizer in enumerate(state.learner.optimizers):
        for index, entry in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{phase}.{index}.{name}": x for name, x in entry.items()}
    tensors["generator"] = state.learner.generator.get_state()
    write_tensors(folder / CHECKPOINT, tensors, {"epoch": state.epoch, "seconds": state.seconds})


def _restore(folder: Path, state: _State) -> None:
    """Continue from the checkpoint, if there is one, and drop metrics from beyond it."""
    group = state.learner.method.group
    if (checkpoint := group.leader(_read_checkpoint, folder)) is not None:
        tensors, note = checkpoint
        try:
            state.epoch, state.seconds = int(note["epoch"]), float(note["seconds"])
            state.learner.generator.set_state(tensors.pop("generator"))
        except KeyError as problem:
            raise InputError(f"{folder / CHECKPOINT} is damaged: it lacks {problem}") from None
        except RuntimeError:  # a GPU's generator is another than a CPU's
            raise InputError(
                f"{folder} was begun on another kind of device than "
                f"{state.learner.generator.device.type}: go on there, or name another folder"
            ) from None
        own = {k.removeprefix("method."): x for k, x in tensors.items() if k.startswith("method.")}
        _load_state(state.learner.method, own, folder / CHECKPOINT)
        for phase, optimizer in enumerate(state.learner.optimizers):
            _restore_optimizer(optimizer, tensors, f"optimizer.{phase}.")
    group.leader(_drop_metrics, folder, state.epoch)


def _read_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    return read_tensors(folder / CHECKPOINT) if (folder / CHECKPOINT).exists() else None


def _drop_metrics(folder: Path, epoch: int) -> None:
    """Keep the metrics up to an epoch."""
    kept = [row for row in read_rows(folder / METRICS) if row["epoch"] <= epoch]
    if (folder / METRICS).exists():
        write_rows(folder / METRICS, kept)


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
