"""The training step and the training loop.

`train` can be stopped at any moment. Called again with the same folder, it continues from its
checkpoint and gives the same bits as without the stop, on the same device. The files of a run are
described in `trifeature.comm.run_folder`. A `Backend` decides how steps are executed: data-parallel
training, compilation and CUDA graphs are backends; the default runs plain steps in this process.

N samples in a batch, P samples in all, M modalities.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from trifeature.checks import available_memory, require_memory, require_settings
from trifeature.comm.methods import Method, make_method
from trifeature.comm.methods.base import Objective
from trifeature.comm.networks import count_parameters, decayed
from trifeature.comm.run_folder import RunFolder, TrainingError, TrainingState, other_data
from trifeature.comm.settings import Precision, RunSettings
from trifeature.device import pick_device as pick_device  # noqa: PLC0414 - re-exported
from trifeature.errors import InputError
from trifeature.modality import Modality
from trifeature.samples import Batch, HasSamples, Samples, samples_of

P = ParamSpec("P")
R = TypeVar("R")

REPORT_STEPS: Final = 25
"""Steps between two transfers of the losses to the host, the only times it waits for the device."""


@dataclass(frozen=True)
class Progress:
    """Progress of a run.

    Attributes:
        epoch: Epochs completed, including the fraction of the current one.
        epochs: Total number of epochs.
        terms: The loss (`loss`) and its terms in nats, means over the last steps.
        seconds_left: Estimated from the speed of the current epoch.
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
    """A method with its optimizers and random generator.

    Attributes:
        method: The method.
        optimizers: One for each objective.
        generator: Random generator of the views, on the method's device.
        objectives: Losses as functions of views, minimized one after the other in each step.
    """

    method: Method
    optimizers: list[torch.optim.AdamW]
    generator: torch.Generator
    objectives: tuple[Objective, ...]

    @classmethod
    def of(cls, method: Method, settings: RunSettings, device: torch.device) -> Learner:
        """A method with new optimizers and a generator seeded by the run's seed."""
        generator = torch.Generator(device)
        generator.manual_seed(settings.seed)
        return cls(method, make_optimizers(method, settings), generator, method.objectives())

    def set_learning_rate(self, rate: float) -> None:
        """Set the learning rate of every optimizer, without waiting for the device."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate


def step(learner: Learner, batch: Batch, backend: Backend) -> tuple[list[str], Tensor]:
    """Take one optimizer step on a batch.

    Args:
        learner: Method and optimizers; updated in place.
        batch: Items of N samples, [N, *shape] for each modality.
        backend: Computes the gradients.

    Returns:
        Names and values of the loss and its terms.
    """
    values: dict[str, Tensor] = {}
    for phase, (objective, optimizer) in enumerate(
        zip(learner.objectives, learner.optimizers, strict=True)
    ):
        loss = objective(learner.method.views(batch, learner.generator))
        # Clear all gradients: this loss also gives gradients to parameters of other phases.
        learner.method.zero_grad(set_to_none=True)
        backend.backward(loss.total, (p for g in optimizer.param_groups for p in g["params"]))
        optimizer.step()
        total = "loss" if phase == 0 else f"loss_{phase + 1}"
        values |= {total: loss.total.detach()} | {k: v.detach() for k, v in loss.terms.items()}
    return list(values), torch.stack(list(values.values()))


StepFunction = Callable[[Tensor], tuple[list[str], Tensor]]
"""Takes one step on the training samples at the given indices [N]; returns as `step` does."""


class Backend:
    """Executes training steps; this class runs plain steps in this process.

    `trifeature.extra.distributed` and `trifeature.extra.accelerate` have other backends. The result
    of a step depends on the backend by rounding only, and by the draws of dropout.
    """

    def check(self, samples: int, settings: RunSettings, device: torch.device) -> None:
        """Raise InputError if this backend cannot train with these settings on this device."""

    def prepare(self, method: Method) -> None:
        """Prepare a method for training by this backend."""

    def restore(self, method: Method) -> None:
        """Undo `prepare` after the last step."""

    @property
    def processes(self) -> int:
        """Number of processes that train together."""
        return 1

    @contextmanager
    def steps(self, learner: Learner, samples: Samples) -> Iterator[StepFunction]:
        """Context manager whose value takes a step on the training samples at given indices.

        Args:
            learner: The learner to train.
            samples: Samples on the learner's device.
        """
        rows = samples.rows_of("train")
        yield lambda indices: step(learner, samples.batch("train", rows[indices]), self)

    def backward(self, loss: Tensor, parameters: Iterable[nn.Parameter]) -> None:  # noqa: ARG002
        """Compute the gradients of a batch's loss with respect to parameters."""
        loss.backward()

    def on_rank_zero(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function on rank 0 only (to write, say); returns its result on every rank."""
        return function(*args, **kwargs)

    def on_all(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function on every rank; an error on one rank is raised on all."""
        return function(*args, **kwargs)

    def check_equal(self, losses: Tensor) -> Tensor:
        """Return losses on the CPU after a check that they are equal on all ranks."""
        return losses


def make_optimizers(method: Method, settings: RunSettings) -> list[torch.optim.AdamW]:
    """Make one AdamW for each objective, with weight decay on matrices and the CLS token only."""
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
    """Set the precision of matrix products and convolutions inside the block.

    In `bfloat16`, operations that autocast leaves in float32 may use TF32, and cuDNN chooses the
    fastest algorithm by trial. In `float32` nothing is computed in less than float32, including
    convolutions, which PyTorch by default computes in TF32 on a GPU.

    Autocast's weight cache is off, so weights are cast at each use. The cache lives until the
    outermost autocast block ends: across several steps it would hide the optimizer's updates, and a
    CUDA graph would read a freed copy.
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


@contextmanager
def dropout_of(seed: int, epoch: int, device: torch.device) -> Iterator[None]:
    """Seed the global random generators for an epoch, for encoders with dropout of any kind.

    All other randomness is that of the views. Outside the block the generators are as before.
    Several processes draw the dropout of their own samples: with it, a step is not that of one.
    """
    mixed = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0]
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(mixed >> np.uint64(1)))
        yield


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
    """Train a method on the training samples of a data set.

    If the folder has a checkpoint, training continues from it.

    Args:
        data: `Samples`, or Trifeature's `Dataset`; the set `train` is used.
        settings: Settings of the run.
        folder: Folder of the run, or an open `RunFolder`; None writes nothing. If another process
            uses the folder, this call waits.
        device: Device to train on.
        backend: Executes the steps; None for plain steps in this process.
        evaluate: Called with the method, in evaluation mode, and the epoch: before the first
            step (epoch 0) and after each epoch. After a stop it is called again for the epochs
            since the last checkpoint. It must not use the global random generators.
        report: Called about every `REPORT_STEPS` steps with the progress.

    Returns:
        The trained method, in evaluation mode.

    Raises:
        InputError: the folder holds another run or a damaged one, or there are too few samples.
        TrainingError: loss, gradients or weights are no longer finite; the last finite checkpoint
            is kept.
        OSError: the folder cannot be written.
    """
    backend, target = backend or Backend(), torch.device(device)
    samples = samples_of(data)
    require_settings("settings", settings, RunSettings)
    P = len(samples.sets["train"])
    if P < 2:
        raise InputError(
            f"training needs at least 2 samples, which are negatives of one another, not {P}"
        )
    _require_complete(samples)
    backend.check(P, settings, target)
    batch = min(P, settings.batch_size)
    items = sum(math.prod(m.shape) for m in samples.modalities)
    # Two views of every item, four bytes a number, without activations.
    what, each = f"a batch of {batch:,} samples", 8 * items
    require_memory(what, batch * each, "smaller items", count=batch, each=each)
    method = new_method(settings, samples, target)
    backend.prepare(method)
    state = TrainingState(Learner.of(method, settings, target))
    with _opened(folder, samples, settings, backend) as run:
        if run is not None:
            run.restore(state)
        if state.epoch == 0 and evaluate is not None:
            backend.on_rank_zero(evaluate, method.eval(), 0)
        with backend.steps(state.learner, samples.to(target)) as take_step:
            while state.epoch < settings.epochs:
                dropout = dropout_of(settings.seed, state.epoch, target)
                with numerics(settings.precision, target), dropout:
                    metrics = _train_epoch(take_step, P, state, backend, report)
                state.epoch += 1
                if evaluate is not None:
                    backend.on_rank_zero(evaluate, method.eval(), state.epoch)
                if run is not None:
                    run.keep(state, metrics, last=state.epoch == settings.epochs)
        if run is not None:
            run.finish(state)
    backend.restore(method)
    return method.eval()


def _require_complete(samples: Samples) -> None:
    """A method learns from samples that have every modality."""
    lacking = samples.absent("train")
    if lacking.any():
        p, m = np.argwhere(lacking)[0]
        raise InputError(
            f"{int(lacking.any(1).sum())} training samples lack a modality (the first: item "
            f"{samples.sets['train'].rows[p, m]} of {samples.modalities[m].name!r}, counted from "
            "0): leave them out, or to the test samples"
        )


@contextmanager
def _opened(
    folder: Path | str | RunFolder | None, data: Samples, settings: RunSettings, backend: Backend
) -> Iterator[RunFolder | None]:
    """Open the folder of a run unless it is open; None for no folder."""
    if folder is None or isinstance(folder, RunFolder):
        yield folder
        return
    with RunFolder.open(Path(folder).expanduser(), data, settings, backend) as run:
        yield run


def _train_epoch(
    take_step: StepFunction,
    samples: int,
    state: TrainingState,
    backend: Backend,
    report: Report | None,
) -> dict[str, Any]:
    """Train for one epoch; returns its row of metrics.

    The host waits for the device only when it reads the losses. The order of the epoch's samples is
    copied to the device at its start.
    """
    learner, settings = state.learner, state.learner.method.settings
    learner.method.train()
    learner.method.progress.fill_((state.epoch + 1) / settings.epochs)
    order = list(batches(samples, settings.batch_size, settings.seed, state.epoch))
    indices = torch.as_tensor(np.concatenate(order), device=learner.generator.device)
    per_epoch, first = len(order), state.epoch * len(order)
    started, rate = time.monotonic(), settings.learning_rate
    history: list[Tensor] = []
    seen: list[Tensor] = []
    names: list[str] = []
    for number, chosen in enumerate(indices.split([len(batch) for batch in order]), start=1):
        rate = learning_rate(settings, first + number - 1, settings.epochs * per_epoch)
        learner.set_learning_rate(rate)
        names, values = take_step(chosen)
        history.append(values)
        if number % REPORT_STEPS == 0 or number == per_epoch:
            recent = backend.check_equal(torch.stack(history).cpu())
            _require_finite(recent, first + number - len(history), settings)
            seen.append(recent)
            history.clear()
            if report is not None:
                pace = (time.monotonic() - started) * per_epoch / number
                left = (settings.epochs - state.epoch - number / per_epoch) * pace
                terms = dict(zip(names, recent.mean(0).tolist(), strict=True))
                now = Progress(state.epoch + number / per_epoch, settings.epochs, terms, left)
                backend.on_rank_zero(report, now)
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
    """Yield the batches of an epoch: indices of samples in an order given by seed and epoch.

    The last, smaller batch is included unless it is a single sample, which has no negatives.
    """
    order = np.random.default_rng((seed, epoch)).permutation(samples)
    for start in range(0, samples, batch_size):
        batch = order[start : start + batch_size]
        if len(batch) > 1:
            yield batch


def steps_per_epoch(samples: int, batch_size: int) -> int:
    """Number of batches that `batches` yields."""
    return samples // batch_size + (samples % batch_size > 1)


def learning_rate(settings: RunSettings, step: int, steps: int) -> float:
    """The learning rate of a step (from 0) out of `steps`.

    With s = step + 1 and w = warmup · steps, the cosine schedule is rate · s / w for s < w, then
    rate · (1 + cos(π (s − w) / (steps − w))) / 2. It is exactly 0 at the last step, which therefore
    changes no weight; this is kept because recorded results depend on it.
    """
    if settings.schedule == "constant":
        return settings.learning_rate
    warm = max(settings.warmup * steps, 1e-9)
    if step + 1 < warm:
        return settings.learning_rate * (step + 1) / warm
    turn = math.pi * (step + 1 - warm) / max(steps - warm, 1)
    return settings.learning_rate * (1 + math.cos(turn)) / 2


def _require_finite(losses: Tensor, first_step: int, settings: RunSettings) -> None:
    """Raise TrainingError at the first step whose losses [steps, terms] are not finite."""
    bad = (~losses.isfinite()).any(dim=1).nonzero()
    if len(bad):
        raise TrainingError(
            f"{settings.method}, seed {settings.seed}: the loss is not finite at step "
            f"{first_step + int(bad[0])}: the last good checkpoint, if there is one, is kept; a "
            "smaller learning rate or a larger temperature may help"
        )


def _require_finite_state(learner: Learner, settings: RunSettings, step: int) -> None:
    """Raise TrainingError if weights or moments are not finite: the loss shows it a step later."""
    tensors = [*learner.method.parameters(), *learner.method.buffers()]
    for optimizer in learner.optimizers:
        tensors += [x for s in optimizer.state.values() for x in s.values() if x.ndim]
    finite = torch.stack([x.isfinite().all() for x in tensors if x.is_floating_point()])
    if not finite.all():
        raise TrainingError(
            f"{settings.method}, seed {settings.seed}: weights or gradients are not finite after "
            f"step {step}: the last good checkpoint, if there is one, is kept; a smaller "
            "learning rate or a larger temperature may help"
        )


# --------------------------------------------------------------------------- methods and devices


def new_method(
    settings: RunSettings, data: HasSamples, device: torch.device | str = "cpu"
) -> Method:
    """Make the untrained method of a run, initialized by the settings' seed.

    Raises:
        InputError: the settings do not fit the modalities, or the network does not fit into memory.
    """
    target, modalities = torch.device(device), samples_of(data).modalities
    require_settings("settings", settings, RunSettings)
    require_fit(settings, modalities)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        method = make_method(settings, modalities)
    if target.type == "cuda":
        # Tensor cores need the channels-last layout.
        return method.to(target).to(memory_format=torch.channels_last)
    return method.to(target)


def require_fit(settings: RunSettings, modalities: Sequence[Modality]) -> None:
    """Make a run's method without memory, on the meta device.

    Raises:
        InputError: the settings do not fit the modalities, or the network does not fit into memory.
    """

    def size(width: int | None = None) -> int:
        """Bytes of weights, gradients and AdamW's two moments, float32 each."""
        changed = settings if width is None else settings.change(width=width)
        with torch.device("meta"):
            return 16 * count_parameters(make_method(changed, modalities))

    try:
        needed, advice = size(), "a smaller encoder"
    except RuntimeError as problem:
        if "overflow" not in str(problem):
            raise
        raise InputError(
            "the settings ask for weights of more bytes than can be counted: use smaller sizes"
        ) from None
    if needed > (free := available_memory()) and settings.option("width"):
        widths = (2**power for power in range(16, 3, -1))
        largest = next((width for width in widths if size(width) <= free), 0)
        advice = f"a width of {largest:,} fits" if largest else advice
    what = f"a network of {needed // 16:,} parameters with its optimizer"
    require_memory(what, needed, advice)


def method_for(method: Method, data: HasSamples) -> Method:
    """A method that can read samples which lack what the training samples had, or are longer.

    Args:
        method: A trained method.
        data: Its data, of which modalities may be absent (`Samples.hide`), or others of the same
            kinds.

    Returns:
        The method itself if it can read the samples, else one with the same weights that can.

    Raises:
        InputError: the samples need other weights, or the method takes no absent modality.
    """
    known, given = method.modalities, samples_of(data).modalities
    own, other = (", ".join(map(str, modalities)) for modalities in (known, given))
    refusal = InputError(f"the method was trained on {own}; these samples are {other}")
    if [one.kind for one in known] != [one.kind for one in given]:
        raise refusal
    needed = [
        replace(a, shape=b.shape, vocabulary=b.vocabulary, partial=a.partial or b.partial)
        for a, b in zip(known, given, strict=True)
    ]
    if needed == list(known):
        return method
    with torch.random.fork_rng(devices=[]):
        made = type(method)(method.settings, needed)
    try:
        made.load_state_dict(method.state_dict())
    except RuntimeError:  # weights of other shapes
        raise refusal from None
    made.progress.copy_(method.progress)
    return made.to(method.progress.device).train(method.training)


def load_run(folder: Path | str, data: HasSamples, device: torch.device | str = "cpu") -> Method:
    """Load the trained method of a finished run.

    Args:
        folder: Folder of the run.
        data: The data of the run, of which modalities may be absent; its modalities are used. Other
            data of the same modalities are taken with a warning.
        device: Device of the method.

    Raises:
        InputError: the folder holds no run, the run is not finished, or a file is damaged.
    """
    run = RunFolder(Path(folder))
    method = new_method(run.settings(), data, device)
    run.load_weights(method)
    if other := other_data(run.origin(), data.samples().origin):
        warnings.warn(
            f"{folder} was trained on other data than these: their {', '.join(other)} differ",
            stacklevel=2,
        )
    return method.eval()
