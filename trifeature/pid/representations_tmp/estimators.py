"""PID atoms of a target and the features of two modalities, estimated from samples.

Two estimators, both fitted on training pairs and evaluated on held-out pairs:

* `discretized_atoms`: k-means codes of each modality, then the atoms of the table of codes.
* `dual_atoms`: probes for I(X1; Y), I(X2; Y), I(X1, X2; Y), and for I_union the dual of BROJA:
  a product of two unnormalized unimodal experts exp(A(x1, y) + B(x2, y)) whose sum over y is
  at most 1 on every cross pair (x1, x2), including pairs that were never observed. Summed logits
  under a softmax are different: the softmax normalizes each pair separately.

Each result states the direction of its bias. Shape legend: n pairs, D1 and D2 widths of the
features, K classes, m pairs of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from trifeature.checks import as_array
from trifeature.errors import InputError
from trifeature.pid.atoms import Atoms, Interval, atoms_from_union
from trifeature.pid.samples import Estimate, Resampling, estimate
from trifeature.pid.tables import LN2, entropy
from trifeature.threads import one_thread

DISCRETIZED_BIAS: Mapping[str, str] = {
    "redundancy": "low: coarse codes never raise it; the bias of the sample is corrected",
    "unique1": "either: coarse codes of source 1 lower it, of source 2 raise it",
    "unique2": "either: coarse codes of source 2 lower it, of source 1 raise it",
    "synergy": "either: coarse-graining can raise or lower it",
    "total": "low: codes never have more information than features",
}
DUAL_BIAS: Mapping[str, str] = {
    "information1": "low: a probe's held-out cross-entropy is at least H(Y | X1)",
    "information2": "low: a probe's held-out cross-entropy is at least H(Y | X2)",
    "total": "low: a probe's held-out cross-entropy is at least H(Y | X1, X2)",
    "union": "low, approximately: the constraint is checked on the held-out cross pairs only",
    "redundancy": "either: information1 + information2 - union, all three low",
    "unique1": "either: union - information2, both low",
    "unique2": "either: union - information1, both low",
    "synergy": "either: total - union, both low",
}


@dataclass(frozen=True)
class PairedFeatures:
    """Features of both modalities and the target of n pairs.

    Attributes:
        modality1: [n, D1] features; arrays are converted to tensors.
        modality2: [n, D2] features.
        target: [n] class numbers from 0.

    Raises:
        InputError: The shapes do not match, a feature is not finite, or a class is not a whole
            number from 0.
    """

    modality1: Tensor
    modality2: Tensor
    target: Tensor

    def __post_init__(self) -> None:
        for name in ("modality1", "modality2", "target"):
            object.__setattr__(self, name, torch.as_tensor(getattr(self, name)))
        one, other, y = self.modality1, self.modality2, self.target
        if one.ndim != 2 or other.ndim != 2 or y.ndim != 1 or not len(one) == len(other) == len(y):
            shapes = ", ".join(str(tuple(part.shape)) for part in (one, other, y))
            raise InputError(f"pairs are [n, D1], [n, D2] features and [n] classes, got {shapes}")
        if not len(y) or y.dtype.is_floating_point or bool((y < 0).any()):
            raise InputError("a target is class numbers from 0, at least one")
        if not bool(torch.isfinite(one).all() and torch.isfinite(other).all()):
            raise InputError("features cannot hold nan or infinity")

    def __len__(self) -> int:
        return len(self.target)

    def take(self, index: Tensor) -> PairedFeatures:
        """Return the pairs at `index`."""
        return PairedFeatures(self.modality1[index], self.modality2[index], self.target[index])

    def split(
        self, share: float, generator: torch.Generator
    ) -> tuple[PairedFeatures, PairedFeatures]:
        """Split at random into `share` of the pairs and the rest, at least one pair each.

        Raises:
            InputError: There is only one pair.
        """
        if len(self) < 2:
            raise InputError("one pair cannot be split")
        order = torch.randperm(len(self), generator=generator)
        cut = min(max(1, round(share * len(self))), len(self) - 1)
        return self.take(order[:cut]), self.take(order[cut:])


# --- (a) discretized features ------------------------------------------------------------


def k_means(features: Tensor, count: int, generator: torch.Generator, rounds: int = 50) -> Tensor:
    """Compute centers [count, D] by Lloyd's algorithm from a k-means++ initialization.

    Args:
        features: [n, D] features.
        count: Number of centers.
        generator: For the initialization.
        rounds: Most iterations.

    Raises:
        InputError: There are more centers than features.
    """
    if not 1 <= count <= len(features):
        raise InputError(f"{count} centers do not fit {len(features)} features")
    centers = _spread_start(features, count, generator)
    for _ in range(rounds):
        codes = nearest(features, centers)
        sums = torch.zeros_like(centers).index_add_(0, codes, features)
        sizes = torch.bincount(codes, minlength=count)[:, None]
        moved = torch.where(sizes > 0, sums / sizes.clamp_min(1), centers)
        if torch.equal(moved, centers):
            break
        centers = moved
    return centers


def _spread_start(features: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """k-means++ initialization (Arthur and Vassilvitskii 2007), the best of four candidates."""
    chosen = [int(torch.randint(len(features), (1,), generator=generator))]
    distance = (features - features[chosen[0]]).square().sum(1)
    for _ in range(count - 1):
        weights = distance + torch.finfo(distance.dtype).tiny
        tries = torch.multinomial(weights, 4, replacement=True, generator=generator)
        apart = torch.cdist(features, features[tries]).square()
        left = torch.minimum(distance[:, None], apart)
        best = int(left.sum(0).argmin())
        chosen.append(int(tries[best]))
        distance = left[:, best]
    return features[chosen]


def nearest(features: Tensor, centers: Tensor) -> Tensor:
    """Return the index of the nearest center of each feature, [n]."""
    return torch.cdist(features, centers).argmin(1)


@dataclass(frozen=True)
class Discretized:
    """Atoms of k-means codes on held-out pairs.

    Attributes:
        estimate: The atoms with bias correction, p-values and intervals (see `samples.estimate`).
        count: Number of centers of each modality, chosen on the training pairs.
        bias: Direction of the bias of each atom, as an atom of the features.
    """

    estimate: Estimate
    count: int
    bias: Mapping[str, str] = field(default_factory=lambda: DISCRETIZED_BIAS)


def discretized_atoms(
    train: PairedFeatures,
    test: PairedFeatures,
    *,
    counts: Sequence[int] = (2, 3, 4, 6, 8, 12, 16, 24, 32),
    seed: int = 0,
    resampling: Resampling | None = None,
) -> Discretized:
    """Cluster the features of each modality, then decompose the table of codes of the test pairs.

    The number of clusters is chosen by how well the codes, alone and paired, predict the target
    on a fifth of the training pairs, from frequencies on the other four fifths.

    Args:
        train: Pairs for the centers.
        test: Pairs for the table of codes.
        counts: Numbers of centers to choose from.
        seed: Seed of the split and of the centers.
        resampling: As for `estimate`.

    Raises:
        InputError: None of the numbers of centers can be used.

    Warns:
        SampleSizeWarning: The table of codes is too large for the number of test pairs.
    """
    generator = torch.Generator().manual_seed(seed)
    inner, held_out = train.split(0.8, generator)
    usable = [count for count in counts if 1 <= count <= len(inner)]
    if not usable:
        raise InputError(f"no number of centers among {list(counts)} fits {len(inner)} pairs")
    with one_thread():
        losses = {k: _code_loss(inner, held_out, k, generator) for k in usable}
        count = min(losses, key=lambda k: losses[k])
        codes1, codes2 = _codes(train, test, count, generator)
    found = estimate(codes1.numpy(), codes2.numpy(), test.target.numpy(), resampling=resampling)
    return Discretized(found, count)


def _codes(
    train: PairedFeatures, test: PairedFeatures, count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Codes of the test pairs, [n] for each modality, from centers of the training pairs."""
    one = k_means(train.modality1, count, generator)
    other = k_means(train.modality2, count, generator)
    return nearest(test.modality1, one), nearest(test.modality2, other)


def _code_loss(
    train: PairedFeatures, test: PairedFeatures, count: int, generator: torch.Generator
) -> float:
    """Sum of the cross-entropies (nats) on `test` given code 1, code 2 and both.

    Codes can preserve I(X1, X2; Y) and lose information of a single source. Codes that preserve
    all three informations preserve all four atoms.
    """
    both = PairedFeatures(
        torch.cat([train.modality1, test.modality1]),
        torch.cat([train.modality2, test.modality2]),
        torch.cat([train.target, test.target]),
    )
    codes1, codes2 = _codes(train, both, count, generator)
    inputs = (codes1, codes2, codes1 * count + codes2)
    return sum(_frequency_loss(cells, both.target, len(train)) for cells in inputs)


def _frequency_loss(cells: Tensor, target: Tensor, n: int) -> float:
    """Cross-entropy on the pairs after the first n, from class frequencies of the first n."""
    classes = int(target.max()) + 1
    table = torch.zeros(int(cells.max()) + 1, classes)
    table.index_put_((cells[:n], target[:n]), torch.ones(n), accumulate=True)
    # One pseudo-count per cell, distributed by the (smoothed) frequencies of the classes.
    prior = (table.sum(0) + 1) / (n + classes)
    table = (table + prior) / (table.sum(1, keepdim=True) + 1)
    return -float(table[cells[n:], target[n:]].log().mean())


# --- (b) probes and the product of experts -----------------------------------------------


@dataclass(frozen=True)
class Training:
    """Training settings of the probes and the experts.

    Attributes:
        hidden: Width of the hidden layer; 0 for linear maps. With linear maps the dual is
            concave, but the joint probe cannot represent XOR.
        steps: Steps of Adam.
        batch: Pairs per step, m; the dual uses their m x m cross pairs.
        rate: Largest learning rate, reached after a tenth of the steps and then annealed.
        seed: Seed of weights, batches and the split for early stopping.
    """

    hidden: int = 64
    steps: int = 400
    batch: int = 256
    rate: float = 0.01
    seed: int = 0


@dataclass(frozen=True)
class DualAtoms:
    """Atoms from probes and the dual, on held-out pairs, in bits.

    Attributes:
        atoms: The four atoms; they are not certified, and small negative values occur.
        information1: I(X1; Y) from the probe.
        information2: I(X2; Y) from the probe.
        union: I_union from the product of experts.
        violation: Largest log sum_y exp(A + B) on held-out cross pairs, before the experts are
            shifted to satisfy the constraint, in bits.
        bias: Direction of the bias of each number.
    """

    atoms: Atoms
    information1: float
    information2: float
    union: float
    violation: float
    bias: Mapping[str, str] = field(default_factory=lambda: DUAL_BIAS)


def dual_atoms(
    train: PairedFeatures, test: PairedFeatures, training: Training | None = None
) -> DualAtoms:
    """Estimate the atoms with three probes and a product of experts; see the module's docstring.

    Each of them is stopped early on a fifth of the training pairs.

    Args:
        train: Pairs to train on.
        test: Pairs to evaluate on.
        training: Training settings.

    Raises:
        InputError: The test pairs contain a class that the training pairs lack.
    """
    plan = training or Training()
    K = int(train.target.max()) + 1
    if int(test.target.max()) >= K:
        raise InputError("the test pairs contain a class that the training pairs lack")
    inputs: tuple[Callable[[PairedFeatures], Tensor], ...] = (
        lambda pairs: pairs.modality1,
        lambda pairs: pairs.modality2,
        lambda pairs: torch.cat([pairs.modality1, pairs.modality2], 1),
    )
    scaled_train, scaled_test = _standardized(train, test)
    with one_thread():
        one, other, joint = (
            _probe_information(scaled_train, scaled_test, get_input, K, plan)
            for get_input in inputs
        )
        union, violation = _union_information(scaled_train, scaled_test, K, plan)
    atoms = atoms_from_union(
        (one, other, joint), Interval(union, union), measure="BROJA, dual of features"
    )
    return DualAtoms(atoms, one, other, union, violation)


def _standardized(
    train: PairedFeatures, test: PairedFeatures
) -> tuple[PairedFeatures, PairedFeatures]:
    """Standardize both by the mean and variance of the training features, as float32."""

    def scaled(part: Tensor, reference: Tensor) -> Tensor:
        spread = reference.std(0, correction=0).clamp_min(1e-6)
        return ((part - reference.mean(0)) / spread).float()

    one, other = (
        PairedFeatures(
            scaled(pairs.modality1, train.modality1),
            scaled(pairs.modality2, train.modality2),
            pairs.target,
        )
        for pairs in (train, test)
    )
    return one, other


def class_entropy(target: Tensor) -> float:
    """Plug-in entropy of class numbers, in bits.

    >>> class_entropy(torch.tensor([0, 1, 0, 1]))
    1.0
    """
    return float(entropy(np.bincount(as_array(target)) / len(target)))


def _network(width: int, classes: int, plan: Training) -> nn.Sequential:
    if not plan.hidden:
        return nn.Sequential(nn.Linear(width, classes))
    return nn.Sequential(nn.Linear(width, plan.hidden), nn.ReLU(), nn.Linear(plan.hidden, classes))


def _probe_information(
    train: PairedFeatures,
    test: PairedFeatures,
    get_input: Callable[[PairedFeatures], Tensor],
    classes: int,
    plan: Training,
) -> float:
    """H(Y) minus the held-out cross-entropy of a probe, in bits; in expectation at most I(X; Y)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        probe = _network(get_input(train).shape[1], classes, plan)

    def loss(pairs: PairedFeatures) -> Tensor:
        return nn.functional.cross_entropy(probe(get_input(pairs)), pairs.target)

    _fit(probe, loss, train, plan)
    with torch.no_grad():
        return class_entropy(test.target) - float(loss(test)) / LN2


def _union_information(
    train: PairedFeatures, test: PairedFeatures, classes: int, plan: Training
) -> tuple[float, float]:
    """H(Y) plus the held-out dual value of the trained experts, and their violation; bits."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        experts = nn.ModuleList(
            [_network(part.shape[1], classes, plan) for part in (train.modality1, train.modality2)]
        )

    def values(pairs: PairedFeatures) -> tuple[Tensor, Tensor]:
        return experts[0](pairs.modality1), experts[1](pairs.modality2)

    def loss(pairs: PairedFeatures) -> Tensor:
        return -dual_value(*values(pairs), pairs.target)

    _fit(experts, loss, train, plan)
    with torch.no_grad():
        value = float(dual_value(*values(test), test.target)) / LN2
        violation = float(_log_sums(*values(test)).max()) / LN2
    return class_entropy(test.target) + value, violation


def dual_value(expert1: Tensor, expert2: Tensor, target: Tensor) -> Tensor:
    """Mean log score of the product of experts, shifted to satisfy its constraint; nats.

    Args:
        expert1: A(x1, y) of m pairs, [m, K].
        expert2: B(x2, y) of the same pairs, [m, K].
        target: [m] class numbers.

    Returns:
        mean[A + B - alpha - beta], where alpha(x1) + beta(x2) >= log sum_y exp(A + B) on all
        m x m cross pairs. H(Y) plus this is at most I_union of the empirical distribution.

    >>> flat = torch.zeros(3, 2)
    >>> round(dual_value(flat, flat, torch.tensor([0, 1, 1])).item() / LN2, 6)
    -1.0
    """
    rows = torch.arange(len(target), device=target.device)
    sums = _log_sums(expert1, expert2)
    alpha = sums.amax(1)
    beta = (sums - alpha[:, None]).amax(0)
    return (expert1[rows, target] + expert2[rows, target] - alpha - beta).mean()


def _log_sums(expert1: Tensor, expert2: Tensor) -> Tensor:
    """Log sum_y exp(A(x1, y) + B(x2, y)) on all cross pairs, [m, m]; no [m, m, K] tensor."""
    top1, top2 = expert1.amax(1, keepdim=True), expert2.amax(1, keepdim=True)
    product = (expert1 - top1).exp() @ (expert2 - top2).exp().T
    return product.clamp_min(1e-30).log() + top1 + top2.T


def _fit(
    model: nn.Module,
    loss: Callable[[PairedFeatures], Tensor],
    train: PairedFeatures,
    plan: Training,
) -> None:
    """Minimize the loss with Adam; keep the weights with the least loss on a held-out fifth."""
    generator = torch.Generator().manual_seed(plan.seed)
    inner, held_out = train.split(0.8, generator)
    optimizer = torch.optim.Adam(model.parameters(), lr=plan.rate)
    best, kept = math.inf, {name: value.clone() for name, value in model.state_dict().items()}
    for step in range(plan.steps):
        share = (step + 1) / plan.steps
        for group in optimizer.param_groups:
            group["lr"] = plan.rate * min(10 * share, 1.0) * 0.5 * (1 + math.cos(math.pi * share))
        batch = inner.take(torch.randint(len(inner), (plan.batch,), generator=generator))
        optimizer.zero_grad()
        loss(batch).backward()
        optimizer.step()
        if (step + 1) % 20 == 0:
            with torch.no_grad():
                found = float(loss(held_out))
            if found < best:
                best = found
                kept = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(kept)
