"""One optimizer step: as plain calls, or as a CUDA graph that the host only starts.

A step of the small networks of this package is hundreds of kernels of some microseconds each, which
a GPU finishes faster than Python can ask for. Captured once, a whole step (the random draws of the
views, forward, backward and the optimizer's update) is replayed by one call. Nothing in a step
depends on a value that the host would have to wait for.

N pairs in a batch, M modalities, S pixels along the canvas.
"""

from __future__ import annotations

import functools
import gc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor

from trifeature.comm.methods import Method
from trifeature.comm.networks import decayed
from trifeature.comm.parallel import ALONE, Group
from trifeature.comm.settings import Precision, RunSettings
from trifeature.data.dataset import Dataset
from trifeature.errors import InputError

WARM_UP: Final = 3
"""Steps before a capture: they let libraries and the compiler choose, and are then undone."""


class ExecutionError(InputError):
    """Compiling or capturing a step failed; the message says why and names the way around.

    A mistake of what was asked for on this machine, so one line on the command line;
    TRIFEATURE_TRACEBACK in the environment shows where it happened.
    """


@dataclass(frozen=True)
class Execution:
    """How steps are carried out; what they compute does not depend on it, but for rounding.

    Attributes:
        compiled: Views and networks pass `torch.compile`, which fuses what lies between the
            matrix products. Compiling takes a minute and is shared by all runs of a process.
        graphs: Full steps are replayed as CUDA graphs. Needs a GPU.
    """

    compiled: bool = False
    graphs: bool = False

    @classmethod
    def default(cls, device: torch.device, precision: Precision, group: Group = ALONE) -> Execution:
        """Everything on a GPU in bfloat16; plain calls on a CPU and for the float32 reference.

        Plain calls too where several processes train together: what they exchange is in no graph.
        """
        fast = device.type == "cuda" and precision == "bfloat16" and group.size == 1
        return cls(compiled=fast, graphs=fast)

    def require(self, device: torch.device, group: Group = ALONE) -> None:
        """Refuse what a device or a group of processes cannot do.

        Raises:
            InputError: CUDA graphs without a GPU, or these or compiled steps by several processes,
                whose exchange is in no graph.
        """
        if self.graphs and device.type != "cuda":
            raise InputError("CUDA graphs need a GPU: use --execution compiled or plain")
        if self != Execution() and group.size > 1:
            raise InputError("several processes train in plain steps alone: use --execution plain")


@dataclass
class Learner:
    """A method and what it learns with.

    Attributes:
        method: In training mode while it learns.
        optimizers: One for each of the method's losses.
        generator: Of the views, on the method's device.
    """

    method: Method
    optimizers: list[torch.optim.AdamW]
    generator: torch.Generator

    @classmethod
    def of(cls, method: Method, settings: RunSettings, device: torch.device) -> Learner:
        """An untrained method with fresh optimizers, its generator seeded by the run's seed."""
        generator = torch.Generator(device)
        generator.manual_seed(settings.seed)
        return cls(method, make_optimizers(method, settings), generator)

    def set_rate(self, rate: float) -> None:
        """Give every optimizer a learning rate, without waiting for the device."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate


def make_optimizers(method: Method, settings: RunSettings) -> list[torch.optim.AdamW]:
    """One AdamW for each of the method's losses."""
    return [_make_optimizer(method, phase, settings) for phase in range(len(method.losses()))]


def _make_optimizer(method: Method, phase: int, settings: RunSettings) -> torch.optim.AdamW:
    """AdamW on a phase's parameters, with weight decay on matrices and the CLS token only."""
    named = [(n, p) for n, p in method.named_parameters() if method.phase_of(n) == phase]
    spared = [p for name, p in named if not decayed(name, p)]
    others = [p for name, p in named if decayed(name, p)]
    groups: list[dict[str, Any]] = [{"params": others}, {"params": spared, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        groups,
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )


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


def step(images: Tensor, learner: Learner) -> tuple[list[str], Tensor]:
    """One optimizer step on images [N, M, 3, S, S]; the names and values of loss and terms."""
    values: dict[str, Tensor] = {}
    phases = zip(learner.method.losses(), learner.optimizers, strict=True)
    for phase, (function, optimizer) in enumerate(phases):
        loss = function(images, learner.generator)
        # All gradients, those of the other phases' parameters too: none may linger.
        learner.method.zero_grad(set_to_none=True)
        learning = (p for group in optimizer.param_groups for p in group["params"])
        learner.method.group.backward(loss.total, learning)
        optimizer.step()
        total = "loss" if phase == 0 else f"loss_{phase + 1}"
        values |= {total: loss.total.detach()} | {k: v.detach() for k, v in loss.terms.items()}
    return list(values), torch.stack(list(values.values()))


Steps = Callable[[Tensor], tuple[list[str], Tensor]]
"""Takes one step on the pairs at the given rows [N]; returns names and values of loss and terms."""


@contextmanager
def taking_steps(learner: Learner, dataset: Dataset, execution: Execution) -> Iterator[Steps]:
    """Steps of a learner on a data set's training pairs, for use inside the block.

    Only steps of the run's own batch size are compiled: the last, smaller batch of an epoch would
    take another minute of compiling.

    Args:
        learner: What learns.
        dataset: On the learner's device.
        execution: How.

    Raises:
        InputError: see `Execution.require`.
        ExecutionError: the compiler or a capture failed, at the first step of a batch's size.
    """
    images = dataset.images["train"]
    pairs = torch.as_tensor(dataset.pairs["train"].images, device=images.device)
    execution.require(images.device, learner.method.group)
    eager: Steps = lambda rows: step(images[pairs[rows]], learner)  # noqa: E731 - a closure
    chosen = GraphedSteps(learner, images, pairs) if execution.graphs else eager
    if not execution.compiled:
        yield _explained(chosen) if execution.graphs else chosen
        return
    full = learner.method.settings.batch_size
    with learner.method.compiled():

        def compiled(rows: Tensor) -> tuple[list[str], Tensor]:
            with torch.compiler.set_stance("default" if len(rows) == full else "force_eager"):
                return chosen(rows)

        yield _explained(compiled)


def _explained(steps: Steps) -> Steps:
    """The same steps; where the first of a size fails, the error names the way around."""
    sizes: set[int] = set()

    def take(rows: Tensor) -> tuple[list[str], Tensor]:
        if len(rows) in sizes:
            return steps(rows)
        try:
            result = steps(rows)
        except InputError:
            raise
        except Exception as problem:
            # What breaks a capture off is followed by an error of the capture itself.
            words = [_in_words(one) for one in (problem.__context__, problem) if one is not None]
            raise ExecutionError(
                f"the first step on {len(rows)} pairs could not be compiled or captured "
                f"({'; then '.join(words)}): --execution plain does without"
            ) from problem
        sizes.add(len(rows))
        return result

    return take


def _in_words(problem: BaseException) -> str:
    first, *_ = str(problem).strip().splitlines() or [""]
    return f"{type(problem).__name__}: {first}"


# --------------------------------------------------------------------------- CUDA graphs


@dataclass
class _Captured:
    """A step on N pairs, recorded.

    Attributes:
        graph: To replay.
        rows: Where the step reads which pairs it is about [N].
        names: Of the values.
        values: Where it writes loss and terms.
    """

    graph: torch.cuda.CUDAGraph
    rows: Tensor
    names: list[str]
    values: Tensor


@dataclass
class GraphedSteps:
    """Steps of one learner on one set of pairs, captured once for each size of a batch.

    Attributes:
        learner: Its parameters and moments stay where they are in memory from the first call on.
        images: uint8 [P, 3, S, S] on the GPU.
        pairs: Places in `images`, int64 [pairs, M].
    """

    learner: Learner
    images: Tensor
    pairs: Tensor
    _captured: dict[int, _Captured] = field(default_factory=dict)

    def __call__(self, rows: Tensor) -> tuple[list[str], Tensor]:
        """One step on the pairs at `rows` [N]; the names and values of loss and terms."""
        if len(rows) not in self._captured:
            self._captured[len(rows)] = self._capture(rows)
        one = self._captured[len(rows)]
        one.rows.copy_(rows)
        one.graph.replay()
        return one.names, one.values.clone()

    def _capture(self, rows: Tensor) -> _Captured:
        """Record a step; learner and generator are afterwards as they were before."""
        place = rows.clone()
        _make_capturable(self.learner)
        restore = _remember(self.learner)
        side = _side_stream(rows.device)
        side.wait_stream(torch.cuda.current_stream(rows.device))
        with torch.cuda.stream(side), warnings.catch_warnings():
            # That they are capturable and not captured: these steps are not.
            warnings.filterwarnings("ignore", "This instance was constructed with capturable=True")
            for _ in range(WARM_UP):
                self._step(place)
        torch.cuda.current_stream(rows.device).wait_stream(side)
        restore()
        self.learner.method.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.learner.generator)
        with _no_collection(), torch.cuda.graph(graph, stream=side):
            names, values = self._step(place)
        return _Captured(graph, place, names, values)

    def _step(self, rows: Tensor) -> tuple[list[str], Tensor]:
        return step(self.images[self.pairs[rows]], self.learner)


@functools.cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    """Where steps warm up and are captured, one stream for all.

    Each stream keeps work space of its own, and what the warm-up prepares the capture finds.
    """
    return torch.cuda.Stream(device)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Collect garbage now and not in the block.

    An earlier run's graph that is freed amid a capture would break it.
    """
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _make_capturable(learner: Learner) -> None:
    """Let the optimizers read learning rate and step count on the device, where a graph can."""
    for optimizer in learner.optimizers:
        for group in optimizer.param_groups:
            if not isinstance(group["lr"], Tensor):
                device = group["params"][0].device if group["params"] else None
                group["lr"] = torch.tensor(group["lr"], device=device)
            group["capturable"] = True


def _remember(learner: Learner) -> Callable[[], None]:
    """What puts weights, buffers, moments and the generator back as they are now, in place.

    Moments that do not exist yet are put to zero: an optimizer's first step makes them so.
    """
    tensors = [*learner.method.parameters(), *learner.method.buffers()]
    kept = [tensor.detach().clone() for tensor in tensors]
    moments = {
        id(entry): entry.clone()
        for optimizer in learner.optimizers
        for entry in _moments(optimizer)
    }
    state = learner.generator.get_state()

    @torch.no_grad()
    def restore() -> None:
        for tensor, old in zip(tensors, kept, strict=True):
            tensor.copy_(old)
        for optimizer in learner.optimizers:
            for entry in _moments(optimizer):
                if id(entry) in moments:
                    entry.copy_(moments[id(entry)])
                else:
                    entry.zero_()
        learner.generator.set_state(state)

    return restore


def _moments(optimizer: torch.optim.AdamW) -> Iterator[Tensor]:
    """Every tensor of an optimizer's state, the step counts among them."""
    for state in optimizer.state.values():
        yield from (entry for entry in state.values() if isinstance(entry, Tensor))
