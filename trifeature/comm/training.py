"""The training step and loop, written out: batches of samples in, a trained method out.

`train` can be stopped at any moment; started again with the same folder it continues from its
checkpoint and ends with the same bits on the same device. What a run's folder holds is described in
`trifeature.comm.run_folder`. A `Backend` is the one hook through which several processes, a
compiler or CUDA graphs enter; the default takes plain steps in this process.

N samples in a batch, P samples in all, M modalities.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from trifeature.checks import require_memory
from trifeature.comm.methods import Method, make_method
from trifeature.comm.methods.base import Objective
from trifeature.comm.networks import count_parameters, decayed
from trifeature.comm.run_folder import RunFolder, TrainingError, TrainingState
from trifeature.comm.settings import Precision, RunSettings
from trifeature.errors import InputError
from trifeature.modality import Modality
from trifeature.samples import Batch, HasSamples, Samples

P = ParamSpec("P")
R = TypeVar("R")

REPORT_STEPS: Final = 25
"""Steps between two looks at the losses; only then does the host wait for the device."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

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


# --------------------------------------------------------------------------- the step


@dataclass
class Learner:
    """A method and what it learns with.

    Attributes:
        method: In training mode while it learns.
        optimizers: One for each objective.
        generator: Of the views, on the method's device.
        objectives: Losses as functions of views, minimized in turn.
    """

    method: Method
    optimizers: list[torch.optim.AdamW]
    generator: torch.Generator
    objectives: tuple[Objective, ...]

    @classmethod
    def of(cls, method: Method, settings: RunSettings, device: torch.device) -> Learner:
        """An untrained method with fresh optimizers, its generator seeded by the run's seed."""
        generator = torch.Generator(device)
        generator.manual_seed(settings.seed)
        return cls(method, make_optimizers(method, settings), generator, method.objectives())

    def set_learning_rate(self, rate: float) -> None:
        """Give every optimizer a learning rate, without waiting for the device."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate


def step(learner: Learner, batch: Batch, backend: Backend) -> tuple[list[str], Tensor]:
    """One optimizer step on a batch; the names and values of loss and terms."""
    values: dict[str, Tensor] = {}
    for phase, (objective, optimizer) in enumerate(
        zip(learner.objectives, learner.optimizers, strict=True)
    ):
        loss = objective(learner.method.views(batch, learner.generator))
        # All gradients, those of the other phases' parameters too: none may linger.
        learner.method.zero_grad(set_to_none=True)
        backend.backward(loss.total, (p for g in optimizer.param_groups for p in g["params"]))
        optimizer.step()
        total = "loss" if phase == 0 else f"loss_{phase + 1}"
        values |= {total: loss.total.detach()} | {k: v.detach() for k, v in loss.terms.items()}
    return list(values), torch.stack(list(values.values()))


Steps = Callable[[Tensor], tuple[list[str], Tensor]]
"""Takes one step on the training samples at the given places [N]; see `step`."""


class Backend:
    """How steps are taken; this one takes plain steps in this process.

    `trifeature.extra.distributed` and `trifeature.extra.accelerate` have others. What a step
    computes does not depend on it, but for rounding.
    """

    def check(self, samples: int, settings: RunSettings, device: torch.device) -> None:
        """Raise InputError for what this backend cannot train."""

    def prepare(self, method: Method) -> None:
        """Change a method before its first step."""

    def restore(self, method: Method) -> None:
        """Undo `prepare` after the last step."""

    @property
    def processes(self) -> int:
        """How many processes train together."""
        return 1

    @contextmanager
    def steps(self, learner: Learner, samples: Samples) -> Iterator[Steps]:
        """Steps of a learner on the training set of samples on its device, inside the block."""
        rows = samples.rows_of("train")
        yield lambda places: step(learner, samples.batch("train", rows[places]), self)

    def backward(self, loss: Tensor, parameters: Iterable[nn.Parameter]) -> None:  # noqa: ARG002
        """Give parameters the gradient of a batch's loss."""
        loss.backward()

    def once(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call what must happen once, however many processes train: write, evaluate, report."""
        return function(*args, **kwargs)

    def each(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function in every process; what one raises is raised in all."""
        return function(*args, **kwargs)

    def agree(self, losses: Tensor) -> Tensor:
        """Losses on the CPU, after a check that all processes have the same."""
        return losses


def make_optimizers(method: Method, settings: RunSettings) -> list[torch.optim.AdamW]:
    """AdamW for each objective, with weight decay on matrices and the CLS token only."""
    optimizers = []
    for phase in range(len(method.objectives())):
        named = [(n, p) for n, p in method.named_parameters() if method.phase_of(n) == phase]
        groups: list[dict[str, Any]] = [
            {"params": [p for name, p in named if decayed(name, p)]},
            {"params": [p for name, p in named if not decayed(name, p)], "weight_decay": 0.0},
        ]
        optimizers.append(
            torch.optim.AdamW(
                groups,
                lr=settings.learning_rate,
                weight_decay=settings.weight_decay,
                fused=True,
            )
        )
    return optimizers


@contextmanager
def numerics(precision: Precision, device: torch.device) -> Iterator[None]:
    """How matrix products are computed inside the block.

    In `bfloat16` what autocast leaves in float32 may use TF32, and cuDNN tries its algorithms and
    keeps the fastest. In `float32` nothing is rounded to less, convolutions neither (PyTorch's
    own default rounds them to TF32 on a GPU): this is the reference.

    Weights are rounded anew at each use. Autocast would keep the first rounding until the outermost
    block ends: one around several steps would never see what an optimizer does, and a CUDA graph
    would read a copy that is gone.
    """
    fast = precision == "bfloat16"
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if fast else "highest")
    try:
        with (
            torch.backends.cudnn.flags(enabled=True, benchmark=fast, allow_tf32=fast),
            torch.autocast(device.type, torch.bfloat16, enabled=fast, cache_enabled=False),
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


# --------------------------------------------------------------------------- the loop


def train(
    data: HasSamples,
    settings: RunSettings,
    folder: Path | str | RunFolder | None = None,
    *,
    device: torch.device | str = "cpu",
    backend: Backend | None = None,
    evaluate: Evaluate | None = None,
    report: Report | None = None,
) -> Method:
    """Train a method on the training samples of a data set, continuing where a folder left off.

    Args:
        data: `Samples`, or Trifeature's `Dataset`; its set `train` is learned from.
        settings: Everything else that the result depends on.
        folder: Where to keep the run, or a folder that is open; None keeps nothing. Another
            process that uses it is waited for.
        device: Where to train.
        backend: How steps are taken; None for plain steps in this process.
        evaluate: Called with the method, in evaluation mode, and the epoch: before the first
            step (epoch 0) and after each epoch. After a stop it is called again for epochs that
            lie behind the last checkpoint. Must not consume randomness.
        report: Called now and then with the progress.

    Returns:
        The trained method, in evaluation mode.

    Raises:
        InputError: the folder holds another run, or a damaged one, or the samples do not suffice.
        TrainingError: loss, gradients or weights are no longer finite; the last good checkpoint is
            kept.
        OSError: the folder cannot be written.
    """
    how, target = backend or Backend(), torch.device(device)
    samples = data.samples()
    P = len(samples.sets["train"])
    if P < 2:
        raise InputError(f"{P} training sample is too few: a sample needs others to differ from")
    how.check(P, settings, target)
    batch = min(P, settings.batch_size)
    items = sum(math.prod(m.shape) for m in samples.modalities)
    # Two views of every item, four bytes a number; activations come on top.
    require_memory(f"a batch of {batch:,} samples", 8 * batch * items, "a smaller batch size")
    method = new_method(settings, samples, target)
    how.prepare(method)
    state = TrainingState(Learner.of(method, settings, target))
    with _opened(folder, samples, settings, how) as run:
        if run is not None:
            run.restore(state)
        if state.epoch == 0 and evaluate is not None:
            how.once(evaluate, method.eval(), 0)
        with how.steps(state.learner, samples.to(target)) as take:
            while state.epoch < settings.epochs:
                with numerics(settings.precision, target):
                    metrics = _train_epoch(take, P, state, how, report)
                state.epoch += 1
                if evaluate is not None:
                    how.once(evaluate, method.eval(), state.epoch)
                if run is not None:
                    run.keep(state, metrics, last=state.epoch == settings.epochs)
        if run is not None:
            run.finish(state)
    how.restore(method)
    return method.eval()


@contextmanager
def _opened(
    folder: Path | str | RunFolder | None, data: Samples, settings: RunSettings, backend: Backend
) -> Iterator[RunFolder | None]:
    """The folder of a run, opened if it is not yet; None to keep nothing."""
    if folder is None or isinstance(folder, RunFolder):
        yield folder
        return
    with RunFolder.open(Path(folder).expanduser(), data, settings, backend) as run:
        yield run


def _train_epoch(
    take: Steps, samples: int, state: TrainingState, backend: Backend, report: Report | None
) -> dict[str, Any]:
    """One pass over P training samples; returns the epoch's line of metrics.

    The host waits for the device only where it looks at the losses. The order of the epoch goes
    there at once.
    """
    learner, settings = state.learner, state.learner.method.settings
    learner.method.train()
    order = list(batches(samples, settings.batch_size, settings.seed, state.epoch))
    places = torch.as_tensor(np.concatenate(order), device=learner.generator.device)
    per_epoch, first = len(order), state.epoch * len(order)
    started, rate = time.monotonic(), settings.learning_rate
    history: list[Tensor] = []
    seen: list[Tensor] = []
    names: list[str] = []
    for number, chosen in enumerate(places.split([len(batch) for batch in order]), start=1):
        rate = learning_rate(settings, first + number - 1, settings.epochs * per_epoch)
        learner.set_learning_rate(rate)
        names, values = take(chosen)
        history.append(values)
        if number % REPORT_STEPS == 0 or number == per_epoch:
            recent = backend.agree(torch.stack(history).cpu())
            _require_finite(recent, first + number - len(history), settings)
            seen.append(recent)
            history.clear()
            if report is not None:
                pace = (time.monotonic() - started) * per_epoch / number
                left = (settings.epochs - state.epoch - number / per_epoch) * pace
                terms = dict(zip(names, recent.mean(0).tolist(), strict=True))
                now = Progress(state.epoch + number / per_epoch, settings.epochs, terms, left)
                backend.once(report, now)
    _require_finite_state(learner, settings, first + per_epoch)
    state.seconds += time.monotonic() - started
    return {
        "epoch": state.epoch + 1,
        "step": first + per_epoch,
        **dict(zip(names, torch.cat(seen).mean(0).tolist(), strict=True)),
        "learning_rate": rate,
        "seconds": round(state.seconds, 3),
    }


def batches(samples: int, batch_size: int, seed: int, epoch: int) -> Iterator[np.ndarray[Any, Any]]:
    """The places of an epoch's samples in random order, a function of seed and epoch.

    The last, smaller batch is kept, except a single sample: it has no negatives.
    """
    order = np.random.default_rng((seed, epoch)).permutation(samples)
    for start in range(0, samples, batch_size):
        batch = order[start : start + batch_size]
        if len(batch) > 1:
            yield batch


def steps_per_epoch(samples: int, batch_size: int) -> int:
    """How many batches `batches` yields."""
    return samples // batch_size + (samples % batch_size > 1)


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


def _require_finite(losses: Tensor, first_step: int, settings: RunSettings) -> None:
    """Stop at the first step whose losses [steps, terms] are not finite."""
    bad = (~losses.isfinite()).any(dim=1).nonzero()
    if len(bad):
        raise TrainingError(
            f"{settings.method}, seed {settings.seed}: the loss is not finite at step "
            f"{first_step + int(bad[0])}: the last good checkpoint, if there is one, is kept; a "
            "smaller learning rate or a larger temperature may help"
        )


def _require_finite_state(learner: Learner, settings: RunSettings, step: int) -> None:
    """Stop where weights or moments are not finite: the loss shows that a step later at best."""
    tensors = [*learner.method.parameters(), *learner.method.buffers()]
    for optimizer in learner.optimizers:
        tensors += [x for s in optimizer.state.values() for x in s.values() if x.ndim]
    finite = torch.stack([x.isfinite().all() for x in tensors if x.is_floating_point()])
    if not finite.all():
        raise TrainingError(
            f"{settings.method}, seed {settings.seed}: weights or gradients are not finite after "
            f"step {step}: the last good checkpoint, if there is one, is kept; a smaller learning "
            "rate or a larger temperature may help"
        )


# --------------------------------------------------------------------------- methods and devices


def new_method(
    settings: RunSettings, data: HasSamples, device: torch.device | str = "cpu"
) -> Method:
    """The untrained network of a run: a function of the settings' seed alone."""
    target, modalities = torch.device(device), data.samples().modalities
    _require_room(settings, modalities)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        method = make_method(settings, modalities)
    if target.type == "cuda":
        # Tensor cores want the channels of a pixel side by side.
        return method.to(target).to(memory_format=torch.channels_last)
    return method.to(target)


def _require_room(settings: RunSettings, modalities: Sequence[Modality]) -> None:
    """Refuse a network that does not fit into memory, by building it without any."""
    with torch.device("meta"):
        count = count_parameters(make_method(settings, modalities))
    # Weights, gradients and AdamW's two moments, four bytes each.
    what = f"a network of {count:,} parameters with its optimizer"
    require_memory(what, 16 * count, "a smaller width")


def load_run(folder: Path | str, data: HasSamples, device: torch.device | str = "cpu") -> Method:
    """The trained method of a finished run.

    Args:
        folder: A run's folder.
        data: What the run was trained on (its modalities are used).
        device: Where to put it.

    Raises:
        InputError: no run is there, it is not finished, or a file is damaged.
    """
    run = RunFolder(Path(folder))
    method = new_method(run.settings(), data, device)
    run.load_weights(method)
    return method.eval()


def pick_device(name: str | None) -> torch.device:
    """The device to run on: the named one, else a GPU where there is one, else the CPU.

    Raises:
        InputError: a GPU was asked for and there is none, or the name is no device.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"unknown device {name!r}: give cpu, cuda or cuda:0") from None
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"unknown device {name!r}: give cpu, cuda or cuda:0")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"no GPU for {name!r} on this machine: use --device cpu")
    return device
