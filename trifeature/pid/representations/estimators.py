"""PID atoms of a target and the features of two modalities, estimated from samples.

Two estimators, both fitted on training pairs and evaluated on held-out pairs:

* `discretized_atoms`: k-means codes of each modality, then the atoms of the table of codes.
* `dual_atoms`: probes for I(X1; Y), I(X2; Y), I(X1, X2; Y), and for I_union the dual of BROJA:
  a product of two unnormalized unimodal experts exp(A(x1, y) + B(x2, y)) whose sum over y is
  at most 1 on every cross pair (x1, x2), including pairs that were never observed. Summed logits
  under a softmax are different: the softmax normalizes each pair separately.

Both standardize the features first, by the training pairs and in float64. Each result states the
direction of its bias; neither is certified. Shape legend: n pairs, D widths of the features,
K classes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from trifeature.checks import as_array, require_memory, require_settings
from trifeature.errors import InputError
from trifeature.pid.atoms import ATOM_NAMES, Atoms, Interval, atoms_from_union
from trifeature.pid.estimation.estimates import CROSSFIT, Estimate
from trifeature.pid.estimation.estimator import estimate
from trifeature.pid.representations.experts import (
    Input,
    Parts,
    Scores,
    Training,
    expert_scores,
    probe_scores,
    standard_error,
)
from trifeature.pid.representations.pairs import PairedFeatures, standardized
from trifeature.pid.tables import Array
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

# Training pairs that the centers are fitted on, at most.
MOST_CENTERED = 10_000
# Starts of k-means, of which the best is kept.
STARTS = 3
# Least training pairs and least test pairs of the dual estimator, and of each for every class.
LEAST_PAIRS, LEAST_PER_CLASS = 20, 5
# An information is refused where it is below 0 by more than this, in bits, and by more than
# so many of its standard errors.
NEGATIVE, NEGATIVE_ERRORS = 0.02, 3.0


# --- (a) discretized features ------------------------------------------------------------


def k_means(features: Array, count: int, rng: np.random.Generator) -> Array:
    """Compute at most `count` centers by k-means, the best of several k-means++ starts.

    Args:
        features: [n, D] features of comparable scales.
        count: Number of centers; fewer are returned where fewer features are different.
        rng: For the starts.

    Returns:
        Centers, [count, D].

    Raises:
        InputError: There are more centers than features.
    """
    from scipy.cluster import vq  # noqa: PLC0415 - slow to load

    if not 1 <= count <= len(features):
        raise InputError(f"{count} centers do not fit {len(features)} features")
    different = list({row.tobytes(): i for i, row in enumerate(features + 0.0)}.values())
    if len(different) <= count:
        return np.asarray(features[different])
    if count == 1:
        return np.asarray(features.mean(0, keepdims=True))
    found = []
    for _ in range(STARTS):
        with warnings.catch_warnings():  # of clusters that are empty for a while
            warnings.simplefilter("ignore", UserWarning)
            start, _ = vq.kmeans2(features, count, iter=1, minit="++", seed=rng)
        found.append(vq.kmeans(features, start))
    centers, _ = min(found, key=lambda one: float(one[1]))
    return np.asarray(centers)


def nearest(features: Array, centers: Array) -> NDArray[np.intp]:
    """Return the index of the nearest center of each feature, [n]."""
    from scipy.cluster import vq  # noqa: PLC0415 - slow to load

    return np.asarray(vq.vq(features, centers)[0], dtype=np.intp)


@dataclass(frozen=True)
class Discretized:
    """Atoms of k-means codes on held-out pairs.

    Attributes:
        estimate: The atoms with bias correction, p-values and intervals (see `PID`),
            of the codes: how far the atoms of the features are from them, no interval says.
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
    correction: str = CROSSFIT,
    interval: float = 0.95,
) -> Discretized:
    """Cluster the features of each modality, then decompose the table of codes of the test pairs.

    The number of clusters is chosen by how well the codes, alone and paired, predict the target
    on a fifth of the training pairs, from frequencies on the other four fifths: the fewest that
    are not worse than the best by more than a standard error. Clusters follow what varies most:
    information in few of many equally varying features is lost, whatever the number of clusters
    (`dual_atoms` finds it).

    Args:
        train: Pairs for the centers.
        test: Pairs for the table of codes.
        counts: Numbers of centers to choose from.
        seed: Seed of the split and of the centers.
        correction: As for `estimate`.
        interval: As for `estimate`.

    Raises:
        InputError: None of the numbers of centers can be used, or the features of training and
            test pairs have different widths.

    Warns:
        SampleSizeWarning: The table of codes is too large for the number of test pairs.
    """
    _require_same_widths(train, test)
    inner, held_out = train.split(0.8, torch.Generator().manual_seed(seed))
    usable = [count for count in counts if 1 <= count <= len(inner)]
    if not usable:
        raise InputError(f"no number of centers among {list(counts)} fits {len(inner)} pairs")
    with one_thread():
        parts = standardized(inner, held_out)
        losses = {k: _code_losses(*parts, k, np.random.default_rng(seed)) for k in usable}
        count = _fewest(losses)
        scaled, scaled_test = standardized(train, test)
        codes = _codes(scaled, [scaled_test], count, np.random.default_rng(seed))
    found = estimate(
        *codes[0], as_array(test.target), correction=correction, interval=interval, seed=seed
    )
    return Discretized(found, count)


Codes = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Codes of modality 1 and 2, [n] each."""


def _codes(
    train: PairedFeatures, of: Sequence[PairedFeatures], count: int, rng: np.random.Generator
) -> list[Codes]:
    """Codes of the pairs of each part, from centers of the training pairs."""
    some = rng.permutation(len(train))[:MOST_CENTERED]
    columns = []
    for name in ("modality1", "modality2"):
        centers = k_means(getattr(train, name).numpy()[some], count, rng)
        columns.append([nearest(getattr(pairs, name).numpy(), centers) for pairs in of])
    return list(zip(*columns, strict=True))


def _fewest(losses: Mapping[int, Array]) -> int:
    """The least key whose mean loss exceeds the least mean by at most a standard error of it."""
    best = min(losses.values(), key=lambda loss: float(loss.mean()))
    excess = {count: loss - best for count, loss in losses.items()}
    return min(
        count
        for count, loss in excess.items()
        if loss.mean() <= (standard_error(loss) if len(loss) > 1 else 0.0)
    )


def _code_losses(
    train: PairedFeatures, test: PairedFeatures, count: int, rng: np.random.Generator
) -> Array:
    """Sum of the log losses (nats) given code 1, code 2 and both, of each pair of `test`.

    Codes can preserve I(X1, X2; Y) and lose information of a single source. Codes that preserve
    all three informations preserve all four atoms.
    """
    known, new = _codes(train, (train, test), count, rng)
    values, labels = np.unique(torch.cat([train.target, test.target]), return_inverse=True)
    classes = len(values)
    y, y_new = np.split(labels, [len(train)])

    def losses(cells: NDArray[np.intp], new_cells: NDArray[np.intp], size: int) -> Array:
        table = np.zeros((size, classes))
        np.add.at(table, (cells, y), 1.0)
        # One pseudo-count per cell, distributed by the (smoothed) frequencies of the classes.
        prior = (table.sum(0) + 1) / (len(y) + classes)
        table = (table + prior) / (table.sum(1, keepdims=True) + 1)
        return np.asarray(-np.log(table[new_cells, y_new]))

    both, new_both = (codes[0] * count + codes[1] for codes in (known, new))
    first, second = (losses(a, b, count) for a, b in zip(known, new, strict=True))
    return first + second + losses(both, new_both, count**2)


# --- (b) probes and the product of experts -----------------------------------------------


@dataclass(frozen=True)
class DualAtoms:
    """Atoms from probes and the dual, on held-out pairs, in bits. They have no certificate.

    Attributes:
        atoms: The four atoms; `gap` is infinite and `converged` False, as no interval is
            certified. Small negative values occur.
        information1: I(X1; Y) from the probe, at least 0.
        information2: I(X2; Y) from the probe, at least 0.
        union: I_union from the product of experts, at least 0.
        violation: Largest log sum_y exp(A + B) on held-out cross pairs, before the experts are
            shifted to satisfy the constraint, in bits.
        standard_errors: Of each atom, information1, information2, total and union, from the
            scores of the test pairs (of their groups, if they have groups). They say how other
            test pairs would move the number, and not how far probes and experts fall short.
        clipped: The informations that were negative within their error, and are reported as 0.
        scales: What calibration on held-out pairs multiplied the logits of each with: 1 leaves
            them, below 1 they were overconfident, 0 is the class frequencies.
        bias: Direction of the bias of each number.
    """

    atoms: Atoms
    information1: float
    information2: float
    union: float
    violation: float
    standard_errors: Mapping[str, float]
    clipped: tuple[str, ...]
    scales: Mapping[str, float]
    bias: Mapping[str, str] = field(default_factory=lambda: DUAL_BIAS)


def dual_atoms(
    train: PairedFeatures, test: PairedFeatures, training: Training | None = None
) -> DualAtoms:
    """Estimate the atoms with three probes and a product of experts; see the module's docstring.

    Each of them is stopped early and calibrated on a fifth of the training pairs, or of their
    groups. Cross pairs are evaluated in blocks: memory grows with the pairs, not their square.

    Args:
        train: Pairs to train on.
        test: Pairs to evaluate on.
        training: Training settings.

    Raises:
        InputError: There are too few pairs, the test pairs contain a class that the training
            pairs lack, or a probe predicts the test pairs significantly worse than the
            frequencies of the classes do.
    """
    plan = training or Training()
    _require_same_widths(train, test)
    _require_enough(train, test)
    # Cross pairs of a batch and their gradients.
    require_memory("the cross pairs of a batch", 32.0 * plan.batch**2, "use a smaller batch")
    inputs: dict[str, Input] = {
        "information1": lambda pairs: pairs.modality1,
        "information2": lambda pairs: pairs.modality2,
        "total": lambda pairs: torch.cat([pairs.modality1, pairs.modality2], 1),
    }
    # Also inside a caller's no_grad or inference_mode.
    with one_thread(), torch.inference_mode(mode=False), torch.enable_grad():
        parts = Parts.of(*standardized(train, test, torch.float32), plan)
        scores = {name: probe_scores(parts, of, plan) for name, of in inputs.items()}
        scores["union"] = expert_scores(parts, plan)
    return _dual_atoms(scores, test)


def _dual_atoms(scores: Mapping[str, Scores], test: PairedFeatures) -> DualAtoms:
    """Informations are means over test pairs of log2 [score / frequency of the class]."""
    y = test.target.numpy()
    surprise = -np.log2((np.bincount(y) / len(y))[y])
    pointwise = {name: score.bits + surprise for name, score in scores.items()}
    one, other, total, union = (pointwise[name] for name in scores)
    atoms = (one + other - union, union - other, union - one, total - union)
    pointwise |= dict(zip(ATOM_NAMES, atoms, strict=True))
    groups = None if test.groups is None else test.groups.numpy()
    errors = {name: standard_error(values, groups) for name, values in pointwise.items()}
    means = {name: float(pointwise[name].mean()) for name in scores}
    for name, mean in means.items():
        _require_not_negative(name, mean, errors[name], len(y))
    kept = {name: max(mean, 0.0) for name, mean in means.items()}
    found = atoms_from_union(
        (kept["information1"], kept["information2"], kept["total"]),
        Interval(kept["union"], kept["union"]),
        measure="BROJA, dual of features",
    )
    return DualAtoms(
        atoms=replace(found, gap=math.inf, converged=False),
        information1=kept["information1"],
        information2=kept["information2"],
        union=kept["union"],
        violation=scores["union"].violation,
        standard_errors=errors,
        clipped=tuple(name for name, mean in means.items() if mean < 0),
        scales={name: score.scale for name, score in scores.items()},
    )


def _require_not_negative(name: str, mean: float, error: float, n: int) -> None:
    reach = NEGATIVE + NEGATIVE_ERRORS * (0.0 if math.isnan(error) else error)
    if mean >= -reach:
        return
    raise InputError(
        f"{name} is {mean:.3f} ± {error:.3f} bits on {n} test pairs: what was learned predicts "
        "them worse than class frequencies do: more training pairs, fewer features or no hidden "
        "units help, unless they follow another distribution than the training pairs"
    )


def _require_same_widths(train: PairedFeatures, test: PairedFeatures) -> None:
    for name, given in (("train", train), ("test", test)):
        require_settings(name, given, PairedFeatures)
    for name in ("modality1", "modality2"):
        widths = [getattr(pairs, name).shape[1] for pairs in (train, test)]
        if widths[0] != widths[1]:
            raise InputError(f"{name} has {widths[0]} features to train on, {widths[1]} to test")


def _require_enough(train: PairedFeatures, test: PairedFeatures) -> None:
    known = torch.unique(train.target)
    lacking = torch.unique(test.target[~torch.isin(test.target, known)]).tolist()
    if lacking:
        raise InputError(f"the training pairs lack class {lacking[0]}, which the test pairs have")
    least = max(LEAST_PAIRS, LEAST_PER_CLASS * len(known))
    for name, pairs in (("training", train), ("test", test)):
        if len(pairs) < least:
            raise InputError(
                f"{len(known)} classes need at least {least} {name} pairs, got {len(pairs)}"
            )
    highest = int(known.max())
    if highest >= len(train):
        raise InputError(
            f"{len(known)} classes are numbered up to {highest}: number them 0 to "
            f"{len(known) - 1}, or let PairedFeatures.coded do it"
        )
