"""Probes of tasks where a sample has any number of labels, such as the genres of a film.

Each of C labels is a logistic regression of its own, and all of them are one batched optimization.
A label is told where its probability is above ½. F1 at that threshold depends on the weighting more
than on the features where labels are rare, so there are three probes:

- balanced, the main one: samples with and without the label weigh the same; the cost is chosen by
  F1.
- `plain`: all samples weigh the same; the cost is chosen by F1, as the authors of CoMM do.
- `likely`: all samples weigh the same; the cost is chosen by cross-entropy. F1 prefers costs so
  high that the probabilities are overconfident, so bits are of this one.

N samples, D features, C labels, B regressions, G costs.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from trifeature.errors import InputError
from trifeature.probes.folds import Folds, best_of
from trifeature.probes.inputs import Features, FloatArray, IntArray, as_features
from trifeature.probes.logistic import Design, LinearModels, Problem, fit_problems
from trifeature.probes.metrics import average_precision, f1_of, mean_known

Sharing = Literal["shared", "own"]
SHARINGS: Final[tuple[Sharing, ...]] = get_args(Sharing)
"""Whether the labels of a task share one cost, or each has its own."""

TOLERANCE: Final = 1e-4
"""Of gradients in cross-validation, scikit-learn's. What is fitted at last converges further."""

PATIENCE: Final = 2
"""Costs in a row that do not improve on the best so far, after which no higher one is tried."""

BATCH: Final = 2**25
"""Entries of the regressions' logits at a time: 128 MiB of float32."""


@dataclass(frozen=True, eq=False)
class LabelModels:
    """B fitted logistic regressions, each of one label, over the same features.

    Attributes:
        weights: Of the raw features, float64 [B, D]; zero for a label that all fitted samples
            have, or none.
        biases: float64 [B]; plus or minus infinity for such a label.
    """

    weights: Tensor
    biases: Tensor

    @classmethod
    def of(cls, models: LinearModels) -> LabelModels:
        """From classifiers of two classes: without the label, and with it."""
        return cls(
            models.weights[:, 1] - models.weights[:, 0], models.biases[:, 1] - models.biases[:, 0]
        )

    def select(self, problems: slice) -> LabelModels:
        """Some of the regressions, in order."""
        return LabelModels(self.weights[problems], self.biases[problems])

    def log_odds(self, features: Features) -> FloatArray:
        """log(p / (1 − p)) of each label's probability p [N, B]; it may be infinite."""
        points = as_features(features).to(self.weights)
        odds: FloatArray = (points @ self.weights.T + self.biases).cpu().numpy()
        return odds


@dataclass(frozen=True, eq=False)
class FittedLabels:
    """The probe of one task of many labels.

    Attributes:
        models: A regression of each label.
        costs: The chosen C of each label.
        held_out_f1: Macro F1 of cross-validation at these costs, in [0, 1].
        plain: The probe that weights all samples equally, if this one does not.
        likely: The same with a cost chosen by cross-entropy, if there is one.
    """

    models: LabelModels
    costs: tuple[float, ...]
    held_out_f1: float
    plain: FittedLabels | None = None
    likely: FittedLabels | None = None


@dataclass(frozen=True, eq=False)
class LabelsResult:
    """The scores of a task of many labels on the test samples.

    Means over labels leave out those that no test sample has: they have no recall.

    Attributes:
        costs: The chosen C of each label.
        held_out_f1: Macro F1 of the held-out samples of cross-validation, in [0, 1].
        f1: F1 of each label at a probability of ½, in [0, 1] [C]; NaN where no test sample has it.
        shares: Share of test samples with each label [C].
        average_precisions: Of each label, in [0, 1] [C]; NaN where no test sample has it.
        cross_entropies: Bits a sample, of each label [C]; infinite where a label occurs that no
            fitted sample has.
        log_odds: log(p / (1 − p)) of each label's probability p [N, C].
        plain: The scores of the probe that weights all samples equally, if this one does not. The
            probabilities of a balanced probe assume that each label is as often there as not.
        likely: The scores of the same with a cost chosen by cross-entropy, if there is one.
    """

    costs: tuple[float, ...]
    held_out_f1: float
    f1: FloatArray = field(repr=False)
    shares: FloatArray = field(repr=False)
    average_precisions: FloatArray = field(repr=False)
    cross_entropies: FloatArray = field(repr=False)
    log_odds: FloatArray = field(repr=False)
    plain: LabelsResult | None = None
    likely: LabelsResult | None = None

    @property
    def macro_f1(self) -> float:
        """Mean of the labels' F1, in [0, 1]."""
        return mean_known(self.f1)

    @property
    def weighted_f1(self) -> float:
        """Mean of the labels' F1, each as often as the label occurs, in [0, 1]."""
        return mean_known(self.f1, self.shares)

    @property
    def mean_average_precision(self) -> float:
        """Mean of the labels' average precision, in [0, 1]."""
        return mean_known(self.average_precisions)

    @property
    def bits(self) -> float:
        """Cross-entropy in bits a sample, the sum over the labels, of the probe `likely`."""
        return float((self.likely or self).cross_entropies.sum())

    @property
    def always(self) -> FloatArray:
        """F1 of telling each label every time, 2p / (1 + p) of its share p [C]: chance."""
        return np.where(self.shares > 0, 2 * self.shares / (1 + self.shares), np.nan)


# --------------------------------------------------------------------------- fitting


def fit_labels(
    features: Tensor,
    labels: IntArray,
    folds: Folds,
    costs: Sequence[float],
    sharing: Sharing = "shared",
) -> FittedLabels:
    """Choose the costs by cross-validation and refit on all samples; features are standardized.

    F1 at a probability of ½ is of the counts of all folds together: a mean of the folds' F1 would
    be biased for rare labels (Forman & Scholz 2010). Ties go to the lower held-out cross-entropy,
    then to the lower cost. Costs are tried from the lowest, which are the fastest to fit, and no
    longer after `PATIENCE` of them in a row that do not improve.

    Args:
        features: [N, D].
        labels: 0 and 1 [N, C].
        folds: Over these samples.
        costs: Candidates for C.
        sharing: `shared`: one cost for all labels, by macro F1. `own`: one for each, by its F1.

    Raises:
        InputError: no cost, a cost that is not positive, or no label that some samples have and
            others lack.
    """
    grid = sorted(set(costs))
    if not grid:
        raise InputError("no cost to choose from")
    require_varied(labels)
    search = _Search(features, labels, folds, sharing)
    weighted, plain = (search.run(grid, balanced=balanced) for balanced in (True, False))
    chosen = [weighted.by_f1(sharing), plain.by_f1(sharing), plain.by_bits(sharing)]
    problems = [
        Problem.of(labels[:, c], grid[place], balanced=v == 0, classes=2)
        for v, places in enumerate(chosen)
        for c, place in enumerate(places)
    ]
    models, C = _fit(Design.of(features, standardize=True), problems), labels.shape[1]
    probes = [
        FittedLabels(
            models.select(slice(v * C, (v + 1) * C)),
            tuple(grid[place] for place in places),
            mean_known(tried.f1[np.arange(C), places]),
        )
        for v, (tried, places) in enumerate(zip((weighted, plain, plain), chosen, strict=True))
    ]
    return replace(probes[0], plain=probes[1], likely=probes[2])


def require_varied(labels: IntArray) -> None:
    """Refuse labels [N, C] that tell no two samples apart.

    Raises:
        InputError: every label is on all samples, or on none.
    """
    if (labels == labels[:1]).all():
        raise InputError("no label is on some samples and not on others: nothing to tell apart")


@dataclass(frozen=True, eq=False)
class _Tried:
    """F1, NaN for a label held out nowhere, and cross-entropy (bits) of G costs [C, G]."""

    f1: FloatArray
    bits: FloatArray

    def by_f1(self, sharing: Sharing) -> list[int]:
        """The place of each label's cost, by F1."""
        if sharing == "own":
            return [
                best_of(*found) for found in zip(np.nan_to_num(self.f1), self.bits, strict=True)
            ]
        macro = np.array([mean_known(column) for column in self.f1.T])
        return [best_of(np.nan_to_num(macro), self.bits.sum(0))] * len(self.f1)

    def by_bits(self, sharing: Sharing) -> list[int]:
        """The place of each label's cost, by cross-entropy."""
        shared = sharing == "shared"
        lost = np.broadcast_to(self.bits.sum(0), self.bits.shape) if shared else self.bits
        return [int(place) for place in lost.argmin(1)]


@dataclass(frozen=True, eq=False)
class _Search:
    """Cross-validation of costs; see `fit_labels` for the arguments."""

    features: Tensor
    labels: IntArray
    folds: Folds
    sharing: Sharing

    def run(self, grid: Sequence[float], *, balanced: bool) -> _Tried:
        """The held-out scores of costs from the lowest, as long as they improve."""
        columns: list[tuple[FloatArray, FloatArray]] = []
        while len(columns) < len(grid):
            columns.append(self._held_out(grid[len(columns)], balanced))
            f1, bits = (np.stack(found, axis=1) for found in zip(*columns, strict=True))
            tried = _Tried(f1, bits)
            places = tried.by_f1(self.sharing) + ([] if balanced else tried.by_bits(self.sharing))
            if len(columns) - 1 - max(places) >= PATIENCE:
                break
        return tried

    def _held_out(self, cost: float, balanced: bool) -> tuple[FloatArray, FloatArray]:
        """F1 and bits of each label [C] at one cost."""
        counts, bits = np.zeros((3, self.labels.shape[1]), np.int64), 0.0
        for design, fit, validate in zip(
            self._designs, self.folds.fit, self.folds.validate, strict=True
        ):
            problems = [
                Problem.of(y, cost, balanced=balanced, classes=2) for y in self.labels[fit].T
            ]
            models = _fit(design, problems, TOLERANCE)
            odds = models.log_odds(self.features[torch.from_numpy(validate)])
            counts += _counts(odds, self.labels[validate])
            bits = bits + _surprise(odds, self.labels[validate]).sum(0)
        return f1_of(*counts), bits / self.folds.validate.sum()

    @functools.cached_property
    def _designs(self) -> list[Design]:
        """The samples that each fold fits on."""
        parts = [self.features[torch.from_numpy(fit)] for fit in self.folds.fit]
        return [Design.of(part, standardize=True) for part in parts]


def _fit(design: Design, problems: Sequence[Problem], tolerance: float = 1e-5) -> LabelModels:
    """Fit regressions, so many at a time that their logits fit into memory."""
    size = max(1, BATCH // (2 * len(design.points)))
    parts = [
        LabelModels.of(fit_problems([design], problems[start : start + size], tolerance=tolerance))
        for start in range(0, len(problems), size)
    ]
    return LabelModels(torch.cat([p.weights for p in parts]), torch.cat([p.biases for p in parts]))


# --------------------------------------------------------------------------- scoring


def score_labels(probe: FittedLabels, features: Tensor, labels: IntArray) -> LabelsResult:
    """Score a fitted probe on samples that it has not seen [N, D], with labels 0 and 1 [N, C]."""
    odds = probe.models.log_odds(features)
    return LabelsResult(
        costs=probe.costs,
        held_out_f1=probe.held_out_f1,
        f1=f1_at_half(odds, labels),
        shares=labels.mean(0),
        average_precisions=np.array(
            [average_precision(labels=y, scores=z) for y, z in zip(labels.T, odds.T, strict=True)]
        ),
        cross_entropies=_surprise(odds, labels).mean(0),
        log_odds=odds,
        plain=score_labels(probe.plain, features, labels) if probe.plain else None,
        likely=score_labels(probe.likely, features, labels) if probe.likely else None,
    )


def f1_at_half(odds: FloatArray, labels: IntArray) -> FloatArray:
    """F1 of each label, told where its log-odds [N, C] are above 0 [C]."""
    return f1_of(*_counts(odds, labels))


def _counts(odds: FloatArray, labels: IntArray) -> IntArray:
    """Samples given each label rightly, given it, and with it, from [N, C] each: [3, C]."""
    told = odds > 0
    return np.stack([(told & (labels == 1)).sum(0), told.sum(0), labels.sum(0)])


def _surprise(odds: FloatArray, labels: IntArray) -> FloatArray:
    """−log₂ of the probability of what is true, from log-odds and labels of one shape."""
    return np.logaddexp(0.0, np.where(labels == 1, -odds, odds)) / math.log(2.0)
