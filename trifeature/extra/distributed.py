"""Data-parallel training: each process encodes a shard of every batch, all use all negatives.

Started by `torchrun`, W processes have the same network and take the same batches. A batch of N
samples is divided into W contiguous shards. Every process draws the parameters of the views of
*all* N samples from the same generator, and makes and encodes the views of its own shard. Between
`Method.codes_of` and `Method.loss_of` the shards are gathered (`Shard.gather`); from there on every
process computes the loss of the whole batch with all its negatives. The result therefore depends on
W by rounding only, and W is not a setting of a run. Methods need no code for this: `Distributed` is
a backend of `trifeature.comm.training.train`. (An encoder with dropout is an exception: every
process draws it for its own samples.)

**Why the gradients are right.** Consider the W processes as one computation whose output is the sum
of their objectives. Each minimizes ℓ/W, where ℓ is the loss of the whole batch, so the output is ℓ.
The only communication is y = Σ_r x_r on every process (an all-reduce; `gather` is an all-reduce of
shards padded with zeros). If g_s is the gradient of the output with respect to the copy of y on
process s, the gradient with respect to x_r is Σ_s g_s: the backward pass of an all-reduce is an
all-reduce. Process r has a copy θ_r = θ of each parameter, so by the chain rule

    dℓ/dθ = Σ_r ∂ℓ/∂θ_r,

the sum of the copies' gradients. This holds for parameters before the all-reduce (each copy has the
gradient of its shard) and after it (each copy has 1/W of the gradient). `Group.backward` does these
two steps: divide by W, sum. All processes receive the same bits, so the copies stay equal.

N samples in a batch, W processes, C channels.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, ParamSpec, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from trifeature.comm.methods import Method
from trifeature.comm.settings import RunSettings
from trifeature.comm.training import Backend
from trifeature.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")

PATIENCE: Final = timedelta(days=1)
"""Timeout of communication: rank 0 probes while the others wait, which may take long."""


# --------------------------------------------------------------------------- processes


@dataclass(frozen=True)
class Group:
    """The process group of this process.

    All processes must call the same methods in the same order. With one process no method
    communicates.

    Attributes:
        rank: Number of this process, from 0. Only rank 0 writes files and prints.
        size: W, the number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_rank_zero(self) -> bool:
        """True for the process that writes files and prints."""
        return self.rank == 0

    def shard(self, total: int) -> Shard:
        """This process's shard of N samples; the first N mod W shards have one sample more."""
        least, more = divmod(total, self.size)
        start = self.rank * least + min(self.rank, more)
        return Shard(total, start, start + least + (self.rank < more))

    def backward(self, loss: Tensor, parameters: Iterable[nn.Parameter]) -> None:
        """Compute the gradients of the loss of the whole batch: Σ_r ∂(ℓ/W)/∂θ_r, see the module.

        Args:
            loss: Scalar, the same on every process, computed with `Shard.gather`.
            parameters: Parameters to update; they must not have gradients yet.
        """
        if self.size == 1:
            loss.backward()
            return
        (loss / self.size).backward()
        gradients = [p.grad for p in parameters if p.grad is not None]
        # One all-reduce for all gradients, as each call waits for the slowest process.
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def on_rank_zero(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function on rank 0 only; returns its result on every rank.

        Raises:
            InputError, OSError: the error of the function, on every rank.
        """
        if self.size == 1:
            return function(*args, **kwargs)
        answer: list[Any] = [None, None]
        if self.is_rank_zero:
            answer = list(_outcome(function, *args, **kwargs))
        dist.broadcast_object_list(answer, src=0)
        result, problem = answer
        if problem is not None:
            raise problem
        found: R = result
        return found

    def on_all(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function on every rank; returns this rank's result if it succeeded on all.

        Raises:
            InputError, OSError: the error of the lowest rank on which it failed.
        """
        if self.size == 1:
            return function(*args, **kwargs)
        result: Any
        result, problem = _outcome(function, *args, **kwargs)
        problems: list[Exception | None] = [None] * self.size
        dist.all_gather_object(problems, problem)
        for one in problems:
            if one is not None:
                raise one
        found: R = result
        return found

    def check_equal(self, losses: Tensor) -> Tensor:
        """Check that losses are equal on all ranks.

        They differ if samples interact in a method's `codes_of`, or if the processes have different
        settings or data.

        Args:
            losses: Any shape, on the CPU.

        Returns:
            The losses of rank 0. If those of any rank are not finite, these, so that all stop.

        Raises:
            InputError: they differ by more than rounding.
        """
        if self.size == 1:
            return losses
        copies = [torch.empty_like(losses) for _ in range(self.size)]
        dist.all_gather(copies, losses)
        for one in copies:
            if not one.isfinite().all():
                return one
        if not all(torch.allclose(c, copies[0], 1e-3, 1e-3) for c in copies):
            raise InputError(
                "the processes do not compute the same loss: either they have different "
                "settings or data, or samples interact in the method's `codes_of`"
            )
        return copies[0]


ALONE: Final = Group()
"""The group of a process that trains alone."""


def _outcome(
    function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> tuple[R | None, Exception | None]:
    """A function's result and None, or None and the InputError or OSError that it raised."""
    try:
        return function(*args, **kwargs), None
    except (InputError, OSError) as problem:
        return None, problem


def is_distributed() -> bool:
    """True if `torchrun` (or another launcher) started several processes."""
    defined = {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys()
    return defined and int(os.environ["WORLD_SIZE"]) > 1


def is_rank_zero() -> bool:
    """True for rank 0 of the processes started together, and for a single process."""
    return not is_distributed() or os.environ["RANK"] == "0"


def current_group() -> Group:
    """The process group that this process has joined; `ALONE` for none."""
    if dist.is_available() and dist.is_initialized():
        return Group(dist.get_rank(), dist.get_world_size())
    return ALONE


@contextmanager
def process_group() -> Iterator[Group]:
    """Join the process group inside the block; `ALONE` if there is only one process.

    CPU tensors are exchanged by Gloo, GPU tensors by NCCL. A process in a group stays in it.
    """
    if current_group() != ALONE or not is_distributed():
        yield current_group()
        return
    gpu = torch.cuda.is_available() and dist.is_nccl_available()
    dist.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo", timeout=PATIENCE)
    yield current_group()
    # Not in a `finally`: after an error this could wait forever for another process.
    dist.destroy_process_group()


def own_device(device: torch.device) -> torch.device:
    """The device of this process: each process on a machine gets a GPU of its own.

    Raises:
        InputError: one GPU is given for all processes, or there are fewer GPUs than processes.
    """
    if device.type != "cuda" or not is_distributed():
        return device
    local_rank, count = (int(os.environ[f"LOCAL_{name}"]) for name in ("RANK", "WORLD_SIZE"))
    if device.index not in (None, local_rank):
        raise InputError(f"{count} processes need a GPU each: give cuda, not {device}")
    if count > torch.cuda.device_count():
        raise InputError(
            f"{count} processes need as many GPUs, and there are {torch.cuda.device_count()}: "
            "start fewer with --nproc-per-node, or use --device cpu"
        )
    own = torch.device("cuda", local_rank)
    torch.cuda.set_device(own)
    return own


# --------------------------------------------------------------------------- shards of a batch


@dataclass(frozen=True)
class Shard:
    """The samples start, …, stop − 1 of a batch of N, which one process encodes.

    Attributes:
        total: N.
        start: Index of the first sample.
        stop: Index after the last sample.
    """

    total: int
    start: int
    stop: int

    @property
    def whole(self) -> bool:
        """True if this is the whole batch."""
        return self.stop - self.start == self.total

    def gather(self, x: Tensor, dim: int = 0) -> Tensor:
        """Concatenate the shards of all processes in the order of the batch; differentiable.

        Args:
            x: A tensor with this shard's n samples along `dim`.
            dim: Dimension of the samples.

        Returns:
            A tensor with N samples along `dim`, equal on every process.
        """
        if self.whole:
            return x
        before, after = list(x.shape), list(x.shape)
        before[dim], after[dim] = self.start, self.total - self.stop
        return _sum(torch.cat([x.new_zeros(before), x, x.new_zeros(after)], dim))


class _Sum(torch.autograd.Function):
    """Σ_r x_r on every process; its backward pass is the same sum of gradients."""

    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return _Sum.forward(_, gradient)


def _sum(x: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(x)
    return total


# --------------------------------------------------------------------------- the backend


class ShardExchange:
    """Divides every batch into one shard a process; see `Method.exchange`.

    Args:
        group: The process group.
    """

    def __init__(self, group: Group) -> None:
        self.group = group
        self._shard = group.shard(group.size)

    def local_indices(self, samples: int, copies: int) -> Tensor | None:
        """Indices into [copies · N] items of those that this process encodes; None for all."""
        self._shard = self.group.shard(samples)
        if self._shard.whole:
            return None
        indices = torch.arange(copies * samples).view(copies, samples)
        return indices[:, self._shard.start : self._shard.stop].flatten()

    def gather(self, codes: Tensor) -> Tensor:
        """Concatenate the codes [n, …] of all processes to [N, …].

        N is the `samples` of the last call of `local_indices`.
        """
        return self._shard.gather(codes)


class Distributed(Backend):
    """Backend of data-parallel training in plain steps.

    Args:
        group: The process group, see `process_group`.
    """

    def __init__(self, group: Group) -> None:
        self.group = group

    @property
    def processes(self) -> int:
        """W, the number of processes."""
        return self.group.size

    def check(self, samples: int, settings: RunSettings, device: torch.device) -> None:  # noqa: ARG002
        """Raise InputError if the smallest batch has fewer samples than there are processes."""
        rest = samples % settings.batch_size
        least = rest if rest > 1 else min(samples, settings.batch_size)
        if least < self.group.size:
            raise InputError(
                f"the smallest batch has {least} samples, too few for {self.group.size} processes: "
                f"start at most {least}, or choose a batch size whose last batch of {samples} "
                "is larger"
            )

    def prepare(self, method: Method) -> None:
        """Make a method encode shards, with BatchNorm statistics of the whole batch."""
        method.exchange = ShardExchange(self.group) if self.group.size > 1 else None
        synchronize_batch_norm(method, self.group)

    def restore(self, method: Method) -> None:
        """Undo `prepare`: the method encodes whole batches again."""
        method.exchange = None
        synchronize_batch_norm(method, ALONE)

    def backward(self, loss: Tensor, parameters: Iterable[nn.Parameter]) -> None:
        """Compute the gradients of the whole batch's loss."""
        self.group.backward(loss, parameters)

    def on_rank_zero(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function on rank 0 only; returns its result on every rank."""
        return self.group.on_rank_zero(function, *args, **kwargs)

    def on_all(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function on every rank; an error on one rank is raised on all."""
        return self.group.on_all(function, *args, **kwargs)

    def check_equal(self, losses: Tensor) -> Tensor:
        """The losses of rank 0, after a check that they are equal on all ranks."""
        return self.group.check_equal(losses)


# --------------------------------------------------------------------------- BatchNorm of encoders


class SyncBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm of maps [n, C, h, w] with the statistics of the whole batch, on CPU and GPU.

    The processes exchange count n_r, mean m_r and variance v_r of their shards. The statistics of
    the whole, with w_r = n_r / Σ n_r, are m = Σ w_r m_r and v = Σ w_r (v_r + (m_r − m)²), which has
    no cancellation (Chan, Golub & LeVeque 1979). In evaluation and with one process it is
    PyTorch's BatchNorm. PyTorch's own synchronized BatchNorm does not accept CPU tensors.
    """

    group: Group = ALONE

    def forward(self, x: Tensor) -> Tensor:
        """Normalize the maps of this process's shard."""
        if not self.training or self.group.size == 1:
            return super().forward(x)
        wide = x.to(torch.promote_types(x.dtype, self.weight.dtype))
        mean, variance, count = self._statistics(wide)
        self._update_running(mean.detach(), variance.detach() * (count / (count - 1)))
        scale = self.weight * (variance + self.eps).rsqrt()
        shift = self.bias - mean * scale
        return (wide * scale[:, None, None] + shift[:, None, None]).to(x.dtype)

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and variance of each channel over all shards, [C] each, and the count, [1]."""
        C = x.shape[1]
        variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
        own = torch.cat([mean, variance, mean.new_full((1,), x.numel() / C)])
        gathered = self.group.shard(self.group.size).gather(own[None])
        means, variances, counts = gathered.split([C, C, 1], dim=1)
        weights = counts / counts.sum()
        mean = (weights * means).sum(0)
        variance = (weights * (variances + (means - mean).square())).sum(0)
        return mean, variance, counts.detach().sum(0)

    @torch.no_grad()
    def _update_running(self, mean: Tensor, variance: Tensor) -> None:
        assert self.momentum is not None  # noqa: S101 - the encoders' layers have one
        assert self.running_mean is not None  # noqa: S101 - they track statistics
        assert self.running_var is not None  # noqa: S101
        assert self.num_batches_tracked is not None  # noqa: S101
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), self.momentum)
        self.num_batches_tracked.add_(1)


def synchronize_batch_norm(network: nn.Module, group: Group) -> None:
    """Make every BatchNorm of maps in a network use the whole batch's statistics.

    The layers keep their names, parameters and buffers. The BatchNorm of vectors in projection
    heads comes after the gathering and has the whole batch as input.
    """
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, SyncBatchNorm2d):
                layer.group = group
            elif isinstance(layer, nn.BatchNorm2d) and group.size > 1:
                setattr(parent, name, _synchronized(layer, group))


def _synchronized(layer: nn.BatchNorm2d, group: Group) -> SyncBatchNorm2d:
    made = SyncBatchNorm2d(layer.num_features, layer.eps, layer.momentum)
    made.weight, made.bias = layer.weight, layer.bias
    for name, buffer in layer.named_buffers():
        made.register_buffer(name, buffer)
    made.group = group
    return made.train(layer.training)
