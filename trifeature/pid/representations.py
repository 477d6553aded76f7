"""Redundant, unique and synergistic bits of a target in the features of two modalities.

Two estimators, both fitted on training pairs and read off on held-out pairs:

* `discretized_atoms`: k-means codes of either modality, then the atoms of the code table.
* `dual_atoms`: probes for I(X1; Y), I(X2; Y), I(X1, X2; Y), and for I_union the dual of BROJA:
  a product of two unnormalized unimodal experts exp(A(x1, y) + B(x2, y)) whose sum over y is
  at most 1 on every cross pair (x1, x2), pairs that were never observed included. Summed
  logits under a softmax are something else: they may normalize every pair by itself.

Each result states in which direction it errs. Shape legend: n pairs, D1 and D2 widths of the
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
    "redundancy": "low: coarse codes never raise it; the sample's bias is corrected",
    "unique1": "either: coarse codes of source 1 lower it, of source 2 raise it",
    "unique2": "either: coarse codes of source 2 lower it, of source 1 raise it",
    "synergy": "either: nothing holds for it under coarse-graining",
    "total": "low: codes never tell more than features",
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
        modality1: [n, D1] features.
        modality2: [n, D2] features.
        target: [n] class numbers from 0.
    """

    modality1: Tensor
    modality2: Tensor
    target: Tensor

    def __post_init__(self) -> None:
        for name in ("modality1", "modality2", "target"):  # arrays are welcome too
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
        """The pairs at `index`."""
        return PairedFeatures(self.modality1[index], self.modality2[index], self.target[index])

    def split(
        self, share: float, generator: torch.Generator
    ) -> tuple[PairedFeatures, PairedFeatures]:
        """A random `share` of the pairs, and the others; at least one each.

        Raises:
            InputError: A single pair.
        """
        if len(self) < 2:
            raise InputError("one pair cannot be split")
        order = torch.randperm(len(self), generator=generator)
        cut = min(max(1, round(share * len(self))), len(self) - 1)
        return self.take(order[:cut]), self.take(order[cut:])


# --- (a) discretized ---------------------------------------------------------------------


def k_means(features: Tensor, count: int, generator: torch.Generator, rounds: int = 50) -> Tensor:
    """Centers [count, D] of Lloyd's algorithm from a k-means++ start.

    Raises:
        InputError: More centers than features.
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
    """k-means++ (Arthur and Vassilvitskii 2007), the best of a few candidates each time."""
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
    """Number of the nearest center, [n]."""
    return torch.cdist(features, centers).argmin(1)


@dataclass(frozen=True)
class Discretized:
    """Atoms of k-means codes on held-out pairs.

    Attributes:
        estimate: The atoms with bias correction, null and interval (see `samples.estimate`).
        count: Centers for either modality, chosen inside the training pairs.
        bias: In which direction an atom errs as one of the features.
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
    """Cluster either modality's features, then decompose the table of codes of the test pairs.

    The number of clusters is the one whose codes, alone and paired, counted on four fifths of
    the training pairs, predict the target best on the last fifth.

    Raises:
        InputError: No usable number of centers.

    Warns:
        SampleSizeWarning: The table of codes is too large for the test pairs.
    """
    generator = torch.Generator().manual_seed(seed)
    inner, held_back = train.split(0.8, generator)
    usable = [count for count in counts if 1 <= count <= len(inner)]
    if not usable:
        raise InputError(f"no number of centers among {list(counts)} fits {len(inner)} pairs")
    with one_thread():
        losses = {k: _code_loss(inner, held_back, k, generator) for k in usable}
        count = min(losses, key=lambda k: losses[k])
        codes1, codes2 = _codes(train, test, count, generator)
    found = estimate(codes1.numpy(), codes2.numpy(), test.target.numpy(), resampling=resampling)
    return Discretized(found, count)


def _codes(
    train: PairedFeatures, test: PairedFeatures, count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Codes of the test pairs, [n] for either modality, from centers of the training pairs."""
    one = k_means(train.modality1, count, generator)
    other = k_means(train.modality2, count, generator)
    return nearest(test.modality1, one), nearest(test.modality2, other)


def _code_loss(
    train: PairedFeatures, test: PairedFeatures, count: int, generator: torch.Generator
) -> float:
    """Cross-entropies (nats) on `test` from either code and from both, summed.

    All three count: codes may keep I(X1, X2; Y) and lose what a source tells alone. Codes that
    lose none of the three informations keep all four atoms.
    """
    both = PairedFeatures(
        torch.cat([train.modality1, test.modality1]),
        torch.cat([train.modality2, test.modality2]),
        torch.cat([train.target, test.target]),
    )
    codes1, codes2 = _codes(train, both, count, generator)
    views = (codes1, codes2, codes1 * count + codes2)
    return sum(_frequency_loss(cells, both.target, len(train)) for cells in views)


def _frequency_loss(cells: Tensor, target: Tensor, n: int) -> float:
    """Cross-entropy on the pairs from `n` on of class frequencies among the first n, by cell."""
    classes = int(target.max()) + 1
    table = torch.zeros(int(cells.max()) + 1, classes)
    table.index_put_((cells[:n], target[:n]), torch.ones(n), accumulate=True)
    # One pseudo-count a cell, shared out by the (smoothed) frequencies of the classes.
    prior = (table.sum(0) + 1) / (n + classes)
    table = (table + prior) / (table.sum(1, keepdim=True) + 1)
    return -float(table[cells[n:], target[n:]].log().mean())


# --- (b) probes and the dual's product of experts ----------------------------------------


@dataclass(frozen=True)
class Training:
    """How the probes and the experts are trained.

    Attributes:
        hidden: Width of the hidden layer. 0 means linear maps: the dual is then concave, but a
            joint probe sees no XOR.
        steps: Steps of Adam.
        batch: Pairs of a step, m; the dual sees m x m cross pairs.
        rate: Largest learning rate, reached after a tenth of the steps and then annealed.
        seed: Of weights, batches and the split for early stopping.
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
        atoms: The four atoms; nothing here is certified, and small negative values occur.
        information1: Probe's I(X1; Y).
        information2: Probe's I(X2; Y).
        union: The product of experts' I_union.
        violation: Largest log sum_y exp(A + B) on held-out cross pairs before the experts
            are shifted to obey the constraint, in bits.
        bias: In which direction each number errs.
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
    """Probe informations and the dual's I_union of features; see the module's text.

    Three probes and one pair of experts, each stopped early on a fifth of the training pairs.

    Raises:
        InputError: The test pairs hold a class that the training pairs lack.
    """
    plan = training or Training()
    K = int(train.target.max()) + 1
    if int(test.target.max()) >= K:
        raise InputError("the test pairs hold a class that the training pairs lack")
    views: tuple[Callable[[PairedFeatures], Tensor], ...] = (
        lambda pairs: pairs.modality1,
        lambda pairs: pairs.modality2,
        lambda pairs: torch.cat([pairs.modality1, pairs.modality2], 1),
    )
    scaled_train, scaled_test = _standardized(train, test)
    with one_thread():
        one, other, joint = (
            _probe_information(scaled_train, scaled_test, view, K, plan) for view in views
        )
        union, violation = _union_information(scaled_train, scaled_test, K, plan)
    atoms = atoms_from_union(
        (one, other, joint), Interval(union, union), measure="BROJA, dual of features"
    )
    return DualAtoms(atoms, one, other, union, violation)


def _standardized(
    train: PairedFeatures, test: PairedFeatures
) -> tuple[PairedFeatures, PairedFeatures]:
    """Both with the training features' mean 0 and variance 1, as float32."""

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
    view: Callable[[PairedFeatures], Tensor],
    classes: int,
    plan: Training,
) -> float:
    """H(Y) less the held-out cross-entropy of a probe, in bits: at most I(view; Y)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        probe = _network(view(train).shape[1], classes, plan)

    def loss(pairs: PairedFeatures) -> Tensor:
        return nn.functional.cross_entropy(probe(view(pairs)), pairs.target)

    _fit(probe, loss, train, plan)
    with torch.no_grad():
        return class_entropy(test.target) - float(loss(test)) / LN2


def _union_information(
    train: PairedFeatures, test: PairedFeatures, classes: int, plan: Training
) -> tuple[float, float]:
    """H(Y) plus the held-out dual value of the best experts, and their violation; bits."""
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
        worst = float(_log_sums(*values(test)).max()) / LN2
    return class_entropy(test.target) + value, worst


def dual_value(expert1: Tensor, expert2: Tensor, target: Tensor) -> Tensor:
    """Mean log score of the product of experts, shifted to obey its constraint; nats.

    Args:
        expert1: A(x1, y) of m pairs, [m, K].
        expert2: B(x2, y) of the same pairs, [m, K].
        target: [m] class numbers.

    Returns:
        mean[A + B - alpha - beta], where alpha(x1) + beta(x2) >= log sum_y exp(A + B) on all
        m x m cross pairs; H(Y) plus this is at most I_union of the empirical law.

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
    """Log sum_y exp(A(x1, y) + B(x2, y)) on all cross pairs, [m, m], without [m, m, K]."""
    top1, top2 = expert1.amax(1, keepdim=True), expert2.amax(1, keepdim=True)
    product = (expert1 - top1).exp() @ (expert2 - top2).exp().T
    return product.clamp_min(1e-30).log() + top1 + top2.T


def _fit(
    model: nn.Module,
    loss: Callable[[PairedFeatures], Tensor],
    train: PairedFeatures,
    plan: Training,
) -> None:
    """Minimize the loss with Adam; keep the weights that did best on a held-back fifth."""
    generator = torch.Generator().manual_seed(plan.seed)
    inner, held_back = train.split(0.8, generator)
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
                found = float(loss(held_back))
            if found < best:
                best = found
                kept = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(kept)
