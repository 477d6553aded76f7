"""Probes and the product of two experts: training, calibration, and scores of held-out pairs.

The dual of BROJA's program is the largest mean of A(x1, y) + B(x2, y) whose sum over y of
exp(A + B) is at most 1 on every cross pair (x1, x2), pairs that were never observed included.
Any A and B are made to satisfy it on given pairs by a shift alpha(x1) + beta(x2).

Shape legend: n pairs, m pairs of a batch or of a test, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trifeature.checks import require_number, require_whole
from trifeature.pid.representations.pairs import PairedFeatures
from trifeature.pid.tables import LN2

Input: TypeAlias = Callable[[PairedFeatures], Tensor]
"""Which features a probe sees, [n, D]."""

# Most cells of the cross pairs that are held at once (32 MiB of float64).
BLOCK = 2**22
# Held-out pairs on which the experts are compared and calibrated, at most.
MOST_HELD_OUT = 1024
# Scales of the scores that calibration chooses from; 0 is the frequencies of the classes.
SCALES = (0.0, *(2.0 ** np.linspace(-5, 1, 25)).tolist())

# A scale is used where it is better than class frequencies by so many standard errors.
SUPPORTED = 1.0


@dataclass(frozen=True)
class Training:
    """Training settings of the probes and the experts.

    Attributes:
        hidden: Width of the hidden layer; 0 for linear maps. With linear maps the dual is
            concave, but the joint probe cannot represent XOR.
        steps: Steps of Adam.
        batch: Pairs per step, m; the dual uses their m x m cross pairs.
        rate: Largest learning rate, reached after a tenth of the steps and then annealed.
        seed: Seed of weights, batches and the split for early stopping and calibration.

    Raises:
        InputError: A number is out of range.
    """

    hidden: int = 64
    steps: int = 400
    batch: int = 256
    rate: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        require_whole("hidden", self.hidden, 0)
        require_whole("steps", self.steps, 1)
        require_whole("batch", self.batch, 1)
        require_whole("seed", self.seed, 0)
        require_number("rate", self.rate, above=0)


@dataclass(frozen=True)
class Parts:
    """Standardized pairs in three parts, and the classes.

    Attributes:
        inner: Pairs to train on.
        held_out: Pairs for early stopping and calibration.
        test: Pairs to evaluate on.
        prior: log of the frequencies of the classes on the training pairs, [K].
    """

    inner: PairedFeatures
    held_out: PairedFeatures
    test: PairedFeatures
    prior: Tensor

    @classmethod
    def of(cls, train: PairedFeatures, test: PairedFeatures, plan: Training) -> Parts:
        """Hold a fifth of the training pairs (or of their groups) out."""
        inner, held_out = train.split(0.8, torch.Generator().manual_seed(plan.seed))
        counts = torch.bincount(train.target).double() + 1 / 2  # no class has probability 0
        return cls(inner, held_out, test, (counts / counts.sum()).log())

    @property
    def classes(self) -> int:
        """Number of classes, K."""
        return len(self.prior)


@dataclass(frozen=True)
class Scores:
    """Log scores of the test pairs.

    Attributes:
        bits: [m] log2 of the score of each pair's own class.
        scale: What calibration multiplied the logits with: 1 leaves them, 0 is the class
            frequencies.
        violation: Largest log2 sum_y exp(A + B) on the cross pairs before the shift, bits; 0 for
            probes.
    """

    bits: NDArray[np.float64]
    scale: float
    violation: float = 0.0


def probe_scores(parts: Parts, of: Input, plan: Training) -> Scores:
    """Train a probe, calibrate it, and score the test pairs with log2 of its class probability."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        probe = _network(of(parts.inner).shape[1], parts.classes, plan)

    def loss(pairs: PairedFeatures) -> Tensor:
        return nn.functional.cross_entropy(probe(of(pairs)), pairs.target)

    _fit(probe, loss, parts, plan)
    with torch.no_grad():
        held_out, test = (probe(of(pairs)).double() for pairs in (parts.held_out, parts.test))

    def scaled(logits: Tensor, scale: float) -> Tensor:
        return scale * logits + (1 - scale) * parts.prior

    def score(logits: Tensor, pairs: PairedFeatures, scale: float) -> Tensor:
        return _own(scaled(logits, scale).log_softmax(1), pairs.target)

    scale = _best_scale(lambda s: score(held_out, parts.held_out, s), parts.held_out.groups)
    return Scores(score(test, parts.test, scale).numpy() / LN2, scale)


def expert_scores(parts: Parts, plan: Training) -> Scores:
    """Train the two experts on the dual, calibrate them, and score the test pairs, in bits."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        widths = (parts.inner.modality1.shape[1], parts.inner.modality2.shape[1])
        experts = nn.ModuleList([_network(width, parts.classes, plan) for width in widths])

    def values(pairs: PairedFeatures) -> tuple[Tensor, Tensor]:
        return experts[0](pairs.modality1), experts[1](pairs.modality2)

    def loss(pairs: PairedFeatures) -> Tensor:
        return -dual_value(*values(pairs), pairs.target)

    few = parts.held_out.take(torch.arange(min(len(parts.held_out), MOST_HELD_OUT)))
    _fit(experts, loss, Parts(parts.inner, few, parts.test, parts.prior), plan)
    with torch.no_grad():
        held_out, test = ([v.double() for v in values(pairs)] for pairs in (few, parts.test))

    def score(pair: list[Tensor], pairs: PairedFeatures, scale: float) -> tuple[Tensor, Tensor]:
        one, other = scale * pair[0] + (1 - scale) * parts.prior, scale * pair[1]
        alpha, beta = shifts(one, other)
        return _own(one, pairs.target) + _own(other, pairs.target) - alpha - beta, alpha

    scale = _best_scale(lambda s: score(held_out, few, s)[0], few.groups)
    logs, alpha = score(test, parts.test, scale)
    return Scores(logs.numpy() / LN2, scale, float(alpha.max()) / LN2)


def _best_scale(score: Callable[[float], Tensor], groups: Tensor | None) -> float:
    """The scale with the best mean score; 0 unless it is significantly better than 0.

    What few held-out pairs seem to support would predict others worse than class frequencies do.
    """
    scores = {scale: score(scale).numpy() for scale in SCALES}
    best = max(SCALES, key=lambda scale: float(scores[scale].mean()))
    gain = scores[best] - scores[0.0]
    # A single held-out group has no spread between groups: that of its pairs has to do.
    several = groups is not None and len(torch.unique(groups)) > 1
    error = standard_error(gain, groups.numpy() if groups is not None and several else None)
    return best if float(gain.mean()) > SUPPORTED * error else 0.0


def standard_error(values: NDArray[np.float64], groups: NDArray[np.int64] | None = None) -> float:
    """Standard error of the mean of values [n], or between groups [n] of values; nan for one.

    With r_g the sum of a group's deviations from the mean, sqrt(G / (G - 1) sum_g r_g^2) / n.

    >>> round(standard_error(np.array([0.0, 0.0, 1.0, 1.0])), 4)
    0.2887
    >>> standard_error(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0, 0, 1, 1]))
    0.5
    """
    deviations = values - values.mean()
    if groups is not None:
        deviations = np.bincount(np.unique(groups, return_inverse=True)[1], deviations)
    G = len(deviations)
    if G < 2:
        return math.nan
    return math.sqrt(G / (G - 1) * float((deviations**2).sum())) / len(values)


def dual_value(expert1: Tensor, expert2: Tensor, target: Tensor) -> Tensor:
    """Mean log score of the product of experts, shifted to satisfy its constraint; nats.

    Args:
        expert1: A(x1, y) of m pairs, [m, K].
        expert2: B(x2, y) of the same pairs, [m, K].
        target: [m] class numbers.

    Returns:
        mean[A + B - alpha - beta], with the shifts of `shifts`. H(Y) plus this is at most I_union
        of the empirical distribution.

    >>> flat = torch.zeros(3, 2)
    >>> round(dual_value(flat, flat, torch.tensor([0, 1, 1])).item() / LN2, 6)
    -1.0
    """
    alpha, beta = shifts(expert1, expert2)
    return (_own(expert1, target) + _own(expert2, target) - alpha - beta).mean()


def shifts(expert1: Tensor, expert2: Tensor, block: int = BLOCK) -> tuple[Tensor, Tensor]:
    """The shifts alpha [m], beta [m] that satisfy the constraint on all m x m cross pairs.

    alpha(x1) = max_x2 log sum_y exp(A + B) and beta(x2) = max_x1 [log sum_y exp(A + B) - alpha].
    The largest sum is found before its logarithm is taken, in blocks of rows, so that memory
    holds `block` cross pairs and not m^2.

    Args:
        expert1: A(x1, y), [m, K].
        expert2: B(x2, y), [m, K].
        block: Most cross pairs at once.
    """
    # c(y) moved from B to A makes max_x2 B(x2, y) = 0. Then A - alpha <= 0, and nothing overflows.
    moved = expert2.amax(0)
    one, other = expert1 + moved, expert2 - moved
    rows = max(1, block // len(other))
    factor = other.exp().T
    top = one.amax(1)
    largest = [((a - t[:, None]).exp() @ factor).amax(1) for a, t in _blocks(rows, one, top)]
    alpha = top + torch.cat(largest).log()
    top = other.amax(1)
    factor = (other - top[:, None]).exp().T
    sums = torch.zeros_like(top)
    for a, t in _blocks(rows, one, alpha):
        sums = torch.maximum(sums, ((a - t[:, None]).exp() @ factor).amax(0))
    # A sum that underflows counts as the least positive number: a larger beta is valid too.
    tiny = torch.finfo(expert1.dtype).tiny
    beta = top + sums.clamp_min(tiny).log()
    return alpha, beta


def _blocks(rows: int, *tensors: Tensor) -> list[tuple[Tensor, ...]]:
    return list(zip(*(tensor.split(rows) for tensor in tensors), strict=True))


def _own(values: Tensor, target: Tensor) -> Tensor:
    """The entry of each pair's own class, [m] of [m, K]."""
    return values.gather(1, target[:, None])[:, 0]


def _network(width: int, classes: int, plan: Training) -> nn.Sequential:
    def linear(inputs: int, outputs: int) -> nn.Linear:
        return nn.Linear(inputs, outputs, dtype=torch.float32)

    if not plan.hidden:
        return nn.Sequential(linear(width, classes))
    return nn.Sequential(linear(width, plan.hidden), nn.ReLU(), linear(plan.hidden, classes))


def _fit(
    model: nn.Module, loss: Callable[[PairedFeatures], Tensor], parts: Parts, plan: Training
) -> None:
    """Minimize the loss with Adam; keep the weights with the least loss on the held-out pairs."""
    generator = torch.Generator().manual_seed(plan.seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=plan.rate)
    best, kept = math.inf, {name: value.clone() for name, value in model.state_dict().items()}
    for step in range(plan.steps):
        share = (step + 1) / plan.steps
        for group in optimizer.param_groups:
            group["lr"] = plan.rate * min(10 * share, 1.0) * 0.5 * (1 + math.cos(math.pi * share))
        batch = parts.inner.take(
            torch.randint(len(parts.inner), (plan.batch,), generator=generator)
        )
        optimizer.zero_grad()
        loss(batch).backward()
        optimizer.step()
        if (step + 1) % 20 == 0 or step + 1 == plan.steps:
            with torch.no_grad():
                found = float(loss(parts.held_out))
            if found < best:
                best = found
                kept = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(kept)
