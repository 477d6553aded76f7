"""Faster training steps: compiled, or as CUDA graphs that the host only starts.

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
from functools import partial
from typing import Final

import torch
from torch import Tensor

from trifeature.comm.settings import Precision, RunSettings
from trifeature.comm.training import Backend, Learner, StepFunction, step
from trifeature.errors import InputError
from trifeature.extra.fused_views import apply_fused
from trifeature.samples import Samples

VARIANTS: Final = 64
"""How many variants of one function the compiler may keep. A process that goes through a whole
paper meets more of them (methods, losses, sets of views, last batches) than its own limit of 8,
beyond which it raises an error."""

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
    def default(cls, device: torch.device, precision: Precision) -> Execution:
        """Everything on a GPU in bfloat16; plain calls on a CPU and for the float32 reference."""
        fast = device.type == "cuda" and precision == "bfloat16"
        return cls(compiled=fast, graphs=fast)

    def require(self, device: torch.device) -> None:
        """Refuse what a device cannot do.

        Raises:
            InputError: CUDA graphs without a GPU.
        """
        if self.graphs and device.type != "cuda":
            raise InputError("CUDA graphs need a GPU: use --execution compiled or plain")

    def backend(self) -> Backend:
        """The backend that takes steps this way."""
        return Accelerated(self) if self.compiled or self.graphs else Backend()


@dataclass(frozen=True)
class Accelerated(Backend):
    """The backend that compiles steps or replays them as CUDA graphs.

    Only steps of the run's own batch size are compiled: the last, smaller batch of an epoch would
    take another minute of compiling.

    Attributes:
        execution: What is done.
    """

    execution: Execution

    def check(self, samples: int, settings: RunSettings, device: torch.device) -> None:  # noqa: ARG002
        """Refuse CUDA graphs without a GPU."""
        self.execution.require(device)

    @contextmanager
    def steps(self, learner: Learner, samples: Samples) -> Iterator[StepFunction]:
        """Steps of a learner, compiled or captured at the first of each size.

        Raises:
            ExecutionError: the compiler or a capture failed.
        """
        self.execution.require(samples.device)
        rows = samples.rows_of("train")

        def take(places: Tensor) -> tuple[list[str], Tensor]:
            return step(learner, samples.batch("train", rows[places]), self)

        chosen = GraphedSteps(learner, take) if self.execution.graphs else take
        if not self.execution.compiled:
            yield _explained(chosen) if self.execution.graphs else chosen
            return
        full = learner.method.settings.batch_size
        with compiled(learner):

            def compiled_if_full(places: Tensor) -> tuple[list[str], Tensor]:
                with torch.compiler.set_stance("default" if len(places) == full else "force_eager"):
                    return chosen(places)

            yield _explained(compiled_if_full)


@contextmanager
def compiled(learner: Learner) -> Iterator[None]:
    """Fuse views and objectives by `torch.compile` while inside the block.

    The kernels stay with the process: another run of the same kind finds them ready. Where training
    rounds to bfloat16, views are made in float16, see `trifeature.extra.fused_views`.
    """
    method, plain = learner.method, learner.objectives
    half = method.settings.precision == "bfloat16"
    before = method.apply_views
    method.apply_views = partial(apply_fused, dtype=torch.float16 if half else torch.float32)
    learner.objectives = tuple(
        torch.compile(objective, dynamic=False, fullgraph=True) for objective in plain
    )
    try:
        with torch._dynamo.config.patch(recompile_limit=VARIANTS):
            yield
    finally:
        method.apply_views = before
        learner.objectives = plain


def _explained(steps: StepFunction) -> StepFunction:
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


@dataclass(frozen=True)
class ChooseBackend:
    """The backend of a run on a device; can be sent to another process.

    Attributes:
        execution: How steps are taken; None for the default of device and precision.
    """

    execution: Execution | None = None

    def __call__(self, settings: RunSettings, device: torch.device) -> Backend:
        """The backend of a run."""
        chosen = self.execution or Execution.default(device, settings.precision)
        return chosen.backend()


@dataclass
class GraphedSteps:
    """Steps of one learner, captured once for each size of a batch.

    Attributes:
        learner: Its parameters and moments stay where they are in memory from the first call on.
        take: Takes a plain step on the samples at some places.
    """

    learner: Learner
    take: StepFunction
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
                self.take(place)
        torch.cuda.current_stream(rows.device).wait_stream(side)
        restore()
        self.learner.method.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.learner.generator)
        with _no_collection(), torch.cuda.graph(graph, stream=side):
            names, values = self.take(place)
        return _Captured(graph, place, names, values)


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
