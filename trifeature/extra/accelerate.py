"""Faster training steps: compiled by `torch.compile`, or replayed as CUDA graphs.

A step of the small networks of this package is hundreds of kernels of microseconds each, which
a GPU finishes faster than Python can launch them. A CUDA graph captures a whole step (random draws
of the views, forward, backward, optimizer update) and replays it by one call. This requires that no
operation of a step waits for a value on the host.

N pairs in a batch, M modalities, S pixels along the canvas.
"""

from __future__ import annotations

import functools
import gc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
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
"""Largest number of variants of a function that the compiler keeps. A process that trains all runs
of a paper needs more (methods, losses, views, batch sizes) than the default of 8, beyond which
PyTorch raises an error."""

WARM_UP: Final = 3
"""Steps before a capture, for autotuning and compilation; their effect is undone."""


class ExecutionError(InputError):
    """Compiling or capturing a step failed; the message has the cause and the option to avoid it.

    An InputError, so the command line prints one line: the requested execution mode does not work
    on this machine. TRIFEATURE_TRACEBACK in the environment shows the traceback.
    """


@dataclass(frozen=True)
class Execution:
    """Execution mode of training steps; it changes results by rounding only.

    Attributes:
        compiled: Compile views and networks by `torch.compile`, which fuses the operations between
            matrix products. Compilation takes about a minute once in a process.
        graphs: Replay steps as CUDA graphs. Needs a GPU.
    """

    compiled: bool = False
    graphs: bool = False

    @classmethod
    def default(cls, device: torch.device, precision: Precision) -> Execution:
        """Compiled and as CUDA graphs on a GPU in bfloat16; plain steps otherwise."""
        fast = device.type == "cuda" and precision == "bfloat16"
        return cls(compiled=fast, graphs=fast)

    def require(self, device: torch.device) -> None:
        """Check that a device supports this mode.

        Raises:
            InputError: CUDA graphs without a GPU.
        """
        if self.graphs and device.type != "cuda":
            raise InputError("CUDA graphs need a GPU: use --execution compiled or plain")

    def backend(self) -> Backend:
        """The backend of this mode."""
        return Accelerated(self) if self.compiled or self.graphs else Backend()


EXECUTIONS: Final = {
    "plain": Execution(),
    "compiled": Execution(compiled=True),
    "captured": Execution(graphs=True),
    "graphs": Execution(compiled=True, graphs=True),
}
"""The execution modes by name."""


@dataclass(frozen=True)
class Accelerated(Backend):
    """Backend that compiles steps or replays them as CUDA graphs.

    Only steps of the run's batch size are compiled. The last, smaller batch of an epoch would need
    another minute of compilation.

    Attributes:
        execution: The execution mode.
    """

    execution: Execution

    def check(self, samples: int, settings: RunSettings, device: torch.device) -> None:  # noqa: ARG002
        """Raise InputError for CUDA graphs without a GPU."""
        self.execution.require(device)

    @contextmanager
    def steps(self, learner: Learner, samples: Samples) -> Iterator[StepFunction]:
        """Context manager whose value takes steps; the first of each size compiles or captures.

        Raises:
            ExecutionError: the compiler or a capture failed.
        """
        self.execution.require(samples.device)
        rows = samples.rows_of("train")

        def take_step(indices: Tensor) -> tuple[list[str], Tensor]:
            return step(learner, samples.batch("train", rows[indices]), self)

        def compiled_if_full(indices: Tensor) -> tuple[list[str], Tensor]:
            is_full = len(indices) == learner.method.settings.batch_size
            with torch.compiler.set_stance("default" if is_full else "force_eager"):
                return take_step(indices)

        chosen: StepFunction = compiled_if_full if self.execution.compiled else take_step
        if self.execution.graphs:
            chosen = GraphedSteps(learner, chosen)
        with compiled(learner) if self.execution.compiled else nullcontext():
            yield _with_clear_errors(chosen)


@contextmanager
def compiled(learner: Learner) -> Iterator[None]:
    """Compile views and objectives by `torch.compile` inside the block.

    Kernels are cached for the process, so another run of the same kind reuses them. In bfloat16
    training, views are computed in float16; see `trifeature.extra.fused_views`.
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


def _with_clear_errors(take_step: StepFunction) -> StepFunction:
    """The same steps; if the first of a size fails, the error names the option to avoid it."""
    sizes: set[int] = set()

    def take(indices: Tensor) -> tuple[list[str], Tensor]:
        if len(indices) in sizes:
            return take_step(indices)
        try:
            result = take_step(indices)
        except InputError:
            raise
        except Exception as problem:
            # An error inside a capture is followed by an error of the capture itself.
            causes = [_summary(one) for one in (problem.__context__, problem) if one is not None]
            raise ExecutionError(
                f"the first step on {len(indices)} samples could not be compiled or captured "
                f"({'; then '.join(causes)}): use --execution plain"
            ) from problem
        sizes.add(len(indices))
        return result

    return take


def _summary(problem: BaseException) -> str:
    """Type and first line of an error."""
    first, *_ = str(problem).strip().splitlines() or [""]
    return f"{type(problem).__name__}: {first}"


# --------------------------------------------------------------------------- CUDA graphs


@dataclass
class _Captured:
    """A captured step on N samples.

    Attributes:
        graph: The CUDA graph.
        indices: Input buffer: indices of the samples, [N].
        names: Names of the values.
        values: Output buffer: loss and terms.
    """

    graph: torch.cuda.CUDAGraph
    indices: Tensor
    names: list[str]
    values: Tensor


@dataclass(frozen=True)
class ChooseBackend:
    """Chooses the backend of a run; it can be pickled and sent to another process.

    Attributes:
        execution: The execution mode; None for the default of device and precision.
    """

    execution: Execution | None = None

    def __call__(self, settings: RunSettings, device: torch.device) -> Backend:
        """The backend of a run on a device."""
        chosen = self.execution or Execution.default(device, settings.precision)
        return chosen.backend()


@dataclass
class GraphedSteps:
    """Steps of a learner, captured once for each batch size.

    Attributes:
        learner: The learner; its parameters and moments must not move in memory after the first
            call.
        take_step: Takes a plain step on the samples at given indices.
    """

    learner: Learner
    take_step: StepFunction
    _captured: dict[int, _Captured] = field(default_factory=dict)

    def __call__(self, indices: Tensor) -> tuple[list[str], Tensor]:
        """Take a step on the samples at `indices` [N]; names and values of loss and terms."""
        if len(indices) not in self._captured:
            self._captured[len(indices)] = self._capture(indices)
        one = self._captured[len(indices)]
        one.indices.copy_(indices)
        one.graph.replay()
        return one.names, one.values.clone()

    def _capture(self, indices: Tensor) -> _Captured:
        """Capture a step; learner and generator are unchanged afterwards."""
        buffer = indices.clone()
        _make_capturable(self.learner)
        restore = _snapshot(self.learner)
        side = _side_stream(indices.device)
        side.wait_stream(torch.cuda.current_stream(indices.device))
        with torch.cuda.stream(side), warnings.catch_warnings():
            # The optimizers warn that capturable steps run outside a capture, as intended here.
            warnings.filterwarnings("ignore", "This instance was constructed with capturable=True")
            for _ in range(WARM_UP):
                self.take_step(buffer)
        torch.cuda.current_stream(indices.device).wait_stream(side)
        restore()
        self.learner.method.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.learner.generator)
        with _no_collection(), torch.cuda.graph(graph, stream=side):
            names, values = self.take_step(buffer)
        return _Captured(graph, buffer, names, values)


@functools.cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    """The stream on which steps warm up and are captured, the same for all.

    Libraries keep a workspace for each stream, so the capture uses what the warm-up allocated.
    """
    return torch.cuda.Stream(device)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Collect garbage now and disable collection inside the block.

    Freeing an earlier run's graph during a capture would make the capture fail.
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
    """Move the optimizers' learning rates and step counts to the device, as a graph requires."""
    for optimizer in learner.optimizers:
        for group in optimizer.param_groups:
            if not isinstance(group["lr"], Tensor):
                device = group["params"][0].device if group["params"] else None
                group["lr"] = torch.tensor(group["lr"], device=device)
            group["capturable"] = True


def _snapshot(learner: Learner) -> Callable[[], None]:
    """Copy a learner's state; the returned function restores it in place.

    The state is weights, buffers, moments and the generator. Moments that do not exist yet are set
    to zero, the value with which an optimizer's first step creates them.
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
    """Yield every tensor of an optimizer's state, including step counts."""
    for state in optimizer.state.values():
        yield from (entry for entry in state.values() if isinstance(entry, Tensor))
