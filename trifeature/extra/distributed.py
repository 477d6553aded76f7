"""Several processes train one network: each encodes a share of every batch, all see its negatives.

Started by `torchrun`, W processes hold the same network and walk through the same batches. A batch
of N samples is cut into W contiguous shares. Every process draws the views of *all* N samples from
the same generator and makes and encodes those of its own share; between `Method.codes_of` and
`Method.loss_of`, where samples first meet, the shares are put together (`Share.gather`), and from
there on every process computes the same thing, the loss of the whole batch with all its negatives.
So the result depends on W by rounding only, and W is no setting of a run. A method does not see any
of this: `Distributed` is a backend of `trifeature.comm.training.train`.

**Why the gradients are right.** Take the W processes as one computation whose output is the sum of
what they minimize. Each minimizes ℓ/W, where ℓ is the loss of the whole batch, so the output is ℓ.
The only exchange between them is y = Σ_r x_r, handed to every process (an all-reduce; `gather` is
the same of shares padded with zeros). If g_s is the gradient of the output by process s's copy of
y, that by x_r is Σ_s g_s: the backward pass of an all-reduce is an all-reduce. A parameter θ stands
on each process as a copy θ_r, and θ_r = θ, so by the chain rule

    dℓ/dθ = Σ_r ∂ℓ/∂θ_r,

the sum of the copies' gradients, whether θ comes before the exchange (a copy's gradient is its
share's part) or after it (every copy's gradient is the W-th part of the whole). `Group.backward`
is these two steps: divide by W, sum. As all gradients come out of one reduction, they are the same
bits everywhere, and the copies never drift apart.

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
"""How long a process waits for another: the first one probes alone, which may take long."""


# --------------------------------------------------------------------------- processes


@dataclass(frozen=True)
class Group:
    """The processes that train together, seen from one of them.

    All of them must call the same methods in the same order; of a single process each method is
    what it would be without a group.

    Attributes:
        rank: This process, from 0; process 0 leads: it alone writes and speaks.
        size: W.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.rank == 0

    def share(self, total: int) -> Share:
        """This process's share of a batch of N samples; the first N mod W have one more."""
        least, more = divmod(total, self.size)
        start = self.rank * least + min(self.rank, more)
        return Share(total, start, start + least + (self.rank < more))

    def backward(self, loss: Tensor, parameters: Iterable[nn.Parameter]) -> None:
        """Give parameters the gradient of a loss of the whole batch; the module says why.

        Args:
            loss: Scalar, the same on every process, computed with `Share.gather`.
            parameters: Those to be updated, without gradients so far.
        """
        if self.size == 1:
            loss.backward()
            return
        (loss / self.size).backward()
        gradients = [p.grad for p in parameters if p.grad is not None]
        # One call for all: many small ones would each wait for the slowest process.
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def leader(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What a function returns on process 0, which alone calls it; the others wait for it.

        Raises:
            InputError, OSError: what it raised there, on every process.
        """
        if self.size == 1:
            return function(*args, **kwargs)
        answer: list[Any] = [None, None]
        if self.leads:
            answer = list(_outcome(function, *args, **kwargs))
        dist.broadcast_object_list(answer, src=0)
        result, problem = answer
        if problem is not None:
            raise problem
        found: R = result
        return found

    def everyone(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What a function returns on this process, once it has succeeded on all.

        Raises:
            InputError, OSError: what it raised on the first process that it failed on.
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

    def same(self, losses: Tensor) -> Tensor:
        """Losses as process 0 has them, after a look at whether the others have the same.

        If those of one process are not finite, these, so that all processes stop.

        They differ if a method lets samples meet in `codes_of`, or if the processes were given
        different settings or data.

        Args:
            losses: Any shape, on the CPU.

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
                "the processes do not compute the same loss: either they were given different "
                "settings or data, or the method lets samples meet before `loss_of`"
            )
        return copies[0]


ALONE: Final = Group()
"""A process that trains on its own."""


def _outcome(
    function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> tuple[R | None, Exception | None]:
    """A function's result, or the error that it raised if a user can mend it."""
    try:
        return function(*args, **kwargs), None
    except (InputError, OSError) as problem:
        return None, problem


def launched() -> bool:
    """Whether `torchrun` (or a launcher like it) started this process beside others."""
    named = {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys()
    return named and int(os.environ["WORLD_SIZE"]) > 1


def follows() -> bool:
    """Whether this process was started beside others and another one leads."""
    return launched() and os.environ["RANK"] != "0"


def current() -> Group:
    """The group that this process is in now, `ALONE` for none."""
    if dist.is_available() and dist.is_initialized():
        return Group(dist.get_rank(), dist.get_world_size())
    return ALONE


@contextmanager
def joined() -> Iterator[Group]:
    """Join the processes that were started beside this one, if there are any, for a block.

    On CPUs they talk by Gloo, GPUs by NCCL. A process already in a group stays in it.
    """
    if current() != ALONE or not launched():
        yield current()
        return
    gpu = torch.cuda.is_available() and dist.is_nccl_available()
    dist.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo", timeout=PATIENCE)
    yield current()
    # Only where all ended well: while another process hangs, so might this.
    dist.destroy_process_group()


def own_device(device: torch.device) -> torch.device:
    """The device of this process: of the machine's GPUs each process started here has one.

    Raises:
        InputError: one GPU is named for all, or there are fewer GPUs than processes.
    """
    if device.type != "cuda" or not launched():
        return device
    place, count = (int(os.environ[f"LOCAL_{name}"]) for name in ("RANK", "WORLD_SIZE"))
    if device.index not in (None, place):
        raise InputError(f"{count} processes need a GPU each: give cuda, not {device}")
    if count > torch.cuda.device_count():
        raise InputError(
            f"{count} processes need as many GPUs, and there are {torch.cuda.device_count()}: "
            "start fewer with --nproc-per-node, or use --device cpu"
        )
    own = torch.device("cuda", place)
    torch.cuda.set_device(own)
    return own


# --------------------------------------------------------------------------- shares of a batch


@dataclass(frozen=True)
class Share:
    """The samples of a batch that one process encodes: start to stop (excluded) of N.

    Attributes:
        total: N.
        start: The first.
        stop: One beyond the last.
    """

    total: int
    start: int
    stop: int

    @property
    def whole(self) -> bool:
        """Whether it is the whole batch."""
        return self.stop - self.start == self.total

    def gather(self, x: Tensor, dim: int = 0) -> Tensor:
        """The shares of all processes together, in the order of the batch; differentiable.

        Args:
            x: This share's n samples along `dim`.
            dim: Where the samples are.

        Returns:
            The same with N samples along `dim`, equal on every process.
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


class ShareExchange:
    """The hook of a method that encodes a share of every batch; see `Method.exchange`.

    Args:
        group: The processes.
    """

    def __init__(self, group: Group) -> None:
        self.group = group
        self._share = group.share(group.size)

    def local_indices(self, samples: int, copies: int) -> Tensor | None:
        """The rows of [copies · N] items that this process makes and encodes; None for all."""
        self._share = self.group.share(samples)
        if self._share.whole:
            return None
        places = torch.arange(copies * samples).view(copies, samples)
        return places[:, self._share.start : self._share.stop].flatten()

    def gather(self, codes: Tensor) -> Tensor:
        """The codes [n, …] of all processes together [N, …], of the batch last asked about."""
        return self._share.gather(codes)


class Distributed(Backend):
    """The backend of several processes that train one network in plain steps.

    Args:
        group: The processes, see `joined`.
    """

    def __init__(self, group: Group) -> None:
        self.group = group

    @property
    def processes(self) -> int:
        """W."""
        return self.group.size

    def check(self, samples: int, settings: RunSettings, device: torch.device) -> None:  # noqa: ARG002
        """Refuse batches that leave a process without a sample."""
        rest = samples % settings.batch_size
        least = rest if rest > 1 else min(samples, settings.batch_size)
        if least < self.group.size:
            raise InputError(
                f"the smallest batch has {least} samples, too few for {self.group.size} processes: "
                f"start at most {least}, or choose a batch size that leaves more of {samples}"
            )

    def prepare(self, method: Method) -> None:
        """Let a method encode its share, with BatchNorm statistics of the whole batch."""
        method.exchange = ShareExchange(self.group) if self.group.size > 1 else None
        share_statistics(method, self.group)

    def restore(self, method: Method) -> None:
        """Let a method encode whole batches again."""
        method.exchange = None
        share_statistics(method, ALONE)

    def backward(self, loss: Tensor, parameters: Iterable[nn.Parameter]) -> None:
        """Give parameters the gradient of the whole batch's loss."""
        self.group.backward(loss, parameters)

    def on_rank_zero(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function on rank 0; its result on every process."""
        return self.group.leader(function, *args, **kwargs)

    def on_all(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function in every process; what one raises is raised in all."""
        return self.group.everyone(function, *args, **kwargs)

    def check_equal(self, losses: Tensor) -> Tensor:
        """Losses as rank 0 has them, after a check that the others have the same."""
        return self.group.same(losses)


# --------------------------------------------------------------------------- BatchNorm of encoders


class SharedBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm of maps [n, C, h, w] with the statistics of the whole batch, on CPU and GPU.

    The processes exchange count, mean and variance of their shares, from which those of the whole
    follow without cancellation (Chan, Golub & LeVeque 1979). In evaluation, and alone, it is
    PyTorch's. (PyTorch's own synchronized BatchNorm refuses CPU tensors.)
    """

    group: Group = ALONE

    def forward(self, x: Tensor) -> Tensor:
        """Normalize the maps of this process's share."""
        if not self.training or self.group.size == 1:
            return super().forward(x)
        wide = x.to(torch.promote_types(x.dtype, self.weight.dtype))
        mean, variance, count = self._statistics(wide)
        self._track(mean.detach(), variance.detach() * (count / (count - 1)))
        scale = self.weight * (variance + self.eps).rsqrt()
        shift = self.bias - mean * scale
        return (wide * scale[:, None, None] + shift[:, None, None]).to(x.dtype)

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and variance of each channel over all shares, [C] each, and the count, [1]."""
        C = x.shape[1]
        variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
        own = torch.cat([mean, variance, mean.new_full((1,), x.numel() / C)])
        shares = self.group.share(self.group.size).gather(own[None])
        means, variances, counts = shares.split([C, C, 1], dim=1)
        weights = counts / counts.sum()
        mean = (weights * means).sum(0)
        variance = (weights * (variances + (means - mean).square())).sum(0)
        return mean, variance, counts.detach().sum(0)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor) -> None:
        assert self.momentum is not None  # noqa: S101 - the encoders' layers have one
        assert self.running_mean is not None  # noqa: S101 - they track
        assert self.running_var is not None  # noqa: S101
        assert self.num_batches_tracked is not None  # noqa: S101
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), self.momentum)
        self.num_batches_tracked.add_(1)


def share_statistics(network: nn.Module, group: Group) -> None:
    """Let every BatchNorm of maps in a network use the whole batch's statistics.

    The layers keep their names, parameters and buffers. A BatchNorm of vectors, as in the
    projection heads, comes after the gathering and sees the whole batch anyway.
    """
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, SharedBatchNorm2d):
                layer.group = group
            elif isinstance(layer, nn.BatchNorm2d) and group.size > 1:
                setattr(parent, name, _shared(layer, group))


def _shared(layer: nn.BatchNorm2d, group: Group) -> SharedBatchNorm2d:
    shared = SharedBatchNorm2d(layer.num_features, layer.eps, layer.momentum)
    shared.weight, shared.bias = layer.weight, layer.bias
    for name, buffer in layer.named_buffers():
        shared.register_buffer(name, buffer)
    shared.group = group
    return shared.train(layer.training)
