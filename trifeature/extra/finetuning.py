"""Supervised fine-tuning of a trained method on the labels of one task.

The recipe is that of Dufumier et al. (ICLR 2025, appendix B.4) for CoMM: two augmented views of
every modality, all modalities fused, no projection head, the SupCon loss and early stopping on
validation accuracy. They publish no settings for Trifeature; the defaults here are our choice.

**Which pairs.** The labelled ones are the *probe* pairs (unbiased, training images). They are split
by combinations of attributes (`trifeature.probes.folds`): no validation pair has an image, nor
another render of its attributes, in common with the pairs fitted on. Epoch and probe are chosen on
the validation pairs; the *test* pairs are used for the final score only. Pre-training used the
validation images, without labels, but no test image, so validation accuracy is higher than test
accuracy, most of all before the first epoch. The frozen network is therefore not a candidate for
the best epoch; it is the baseline that the best epoch is compared with.

**What is measured** is the same before, during and after, for either loss: a linear probe fitted
on the features of the fitting pairs, its cost the one that scores best on the validation pairs.

B pairs in a batch, N embeddings, D dimensions, C classes, M modalities, S pixels along the canvas.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trifeature.checks import require_settings
from trifeature.comm.methods import Method
from trifeature.comm.networks import decayed
from trifeature.comm.run_folder import TrainingError
from trifeature.comm.training import Progress, Report, batches, dropout_of
from trifeature.errors import InputError, check_name
from trifeature.extra.settings import FineTuning as FineTuning  # noqa: PLC0414 - also found here
from trifeature.probes.folds import group_folds
from trifeature.probes.logistic import LinearModels, fit_many
from trifeature.probes.metrics import macro_accuracy
from trifeature.probes.protocol import COSTS, extract
from trifeature.samples import Batch, HasSamples, Samples, samples_of

# --------------------------------------------------------------------------- the loss


def sup_con(z: Tensor, labels: Tensor, temperature: float = 0.07) -> Tensor:
    """Supervised contrastive loss: every embedding of the same label is a positive.

    Rows are normalized to unit length first. For each embedding z_i and its positives P(i), the
    *other* embeddings with its label,

        ℓ(z_i) = −1/|P(i)| · Σ_{p ∈ P(i)} log( exp(z_i·z_p/τ) / Σ_{a ≠ i} exp(z_i·z_a/τ) ),

    and the loss is the mean of ℓ over the embeddings that have a positive (Khosla et al. 2020,
    "Supervised contrastive learning", eq. 2, L_out; the mean over anchors of their code where the
    paper writes a sum, and its factor τ / base τ is 1). It is at least log |P| where every label
    has |P| + 1 embeddings, and log(N − 1) when all embeddings coincide. With two views of each
    sample and no label shared between samples it is `trifeature.comm.losses.info_nce`.

    Args:
        z: float [N, D], embeddings; all views of all samples.
        labels: int [N], their classes.
        temperature: τ > 0.

    Returns:
        A scalar in nats; 0 where no embedding has a positive.

    Raises:
        InputError: the shapes do not fit, there are fewer than two embeddings, or τ is not
            positive.

    >>> z, labels = torch.eye(2).repeat(2, 1), torch.tensor([0, 1, 0, 1])
    >>> bool(torch.isclose(sup_con(z, labels, 1.0), (1 + 2 * torch.tensor(-1.0).exp()).log()))
    True
    """
    if z.ndim != 2 or len(z) < 2 or labels.shape != z.shape[:1]:
        raise InputError(
            f"sup_con needs embeddings [N, D] with N ≥ 2 and labels [N], not {list(z.shape)} and "
            f"{list(labels.shape)}"
        )
    if not temperature > 0:
        raise InputError(f"temperature must be positive, not {temperature}")
    unit = F.normalize(z, dim=-1)
    logits = unit @ unit.T / temperature
    diagonal = torch.eye(len(z), dtype=torch.bool, device=z.device)
    positives = (labels[:, None] == labels) & ~diagonal
    counts = positives.sum(1)
    aligned = (logits * positives).sum(1) / counts.clamp(min=1)
    losses = logits.masked_fill(diagonal, -math.inf).logsumexp(1) - aligned
    return (losses * (counts > 0)).sum() / (counts > 0).sum().clamp(min=1)


# --------------------------------------------------------------------------- settings and result


@dataclass(frozen=True, eq=False)
class FineTuned:
    """Result of fine-tuning on one task; accuracies are macro accuracies in [0, 1].

    Attributes:
        task: Name of the task.
        settings: Settings of fine-tuning.
        before: Test accuracy of the linear probe on the frozen features.
        after: Test accuracy of the linear probe on the features of `best_epoch`.
        best_epoch: Epoch, from 1, of the highest validation accuracy, the first of equals.
        validation: Accuracy on the validation pairs before the first epoch and after each.
        losses: Mean loss of each epoch, in nats.
        pairs: Number of fitting, validation and test pairs.
        seconds: Total wall time.
        method: The network with the weights of `best_epoch`, in evaluation mode.
    """

    task: str
    settings: FineTuning
    before: float
    after: float
    best_epoch: int
    validation: tuple[float, ...]
    losses: tuple[float, ...]
    pairs: tuple[int, int, int]
    seconds: float
    method: Method = field(repr=False)

    @property
    def epochs(self) -> int:
        """Number of epochs trained."""
        return len(self.losses)

    def row(self) -> dict[str, Any]:
        """All fields but the network, as a JSON row."""
        names = ("task", "before", "after", "best_epoch", "epochs", "seconds")
        row = {name: getattr(self, name) for name in names}
        row |= {"validation": list(self.validation), "losses": list(self.losses)}
        counts = zip(("fit_pairs", "validation_pairs", "test_pairs"), self.pairs, strict=True)
        return {**row, **dict(counts), "settings": asdict(self.settings)}


# --------------------------------------------------------------------------- the two sets of pairs


def split_samples(samples: Samples, *, folds: int, seed: int) -> tuple[Samples, Samples]:
    """The samples twice: with the probe set to fit on, and with the one to validate on.

    The first fold of `trifeature.probes.folds.group_folds`: samples that mix a group to
    validate on with another are in neither.

    Args:
        samples: Their set `probe` is divided.
        folds: One over the share of the groups to validate on.
        seed: Decides the division.

    Raises:
        InputError: there are too few samples or groups.
    """
    probe = samples.sets["probe"]
    chosen = group_folds(probe.groups, folds=folds, seed=seed)
    fitting, validation = (
        replace(samples, sets={**samples.sets, "probe": probe.select(mask[0])})
        for mask in (chosen.fit, chosen.validate)
    )
    return fitting, validation


# --------------------------------------------------------------------------- measuring


@dataclass(frozen=True, eq=False)
class _Probe:
    """The linear probe whose cost scored best on the validation pairs."""

    model: LinearModels
    accuracy: float


@dataclass(frozen=True, eq=False)
class _Task:
    """One task with its fitting and validation samples; both hold the test set too."""

    name: str
    fitting: Samples
    validation: Samples

    @property
    def classes(self) -> int:
        return self.fitting.tasks[self.name].classes

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Labels of the fitting samples."""
        return self.fitting.sets["probe"].labels[self.name]

    def probe(self, method: Method) -> _Probe:
        """Fit a probe for each cost; return the best on validation, at ties the lowest cost."""
        features = _features(method, self.fitting, "probe")
        models = fit_many(features, np.tile(self.labels, (len(COSTS), 1)), COSTS)
        scores = self._score(models, method, self.validation, "probe")
        best = int(np.argmax(scores))
        return _Probe(models.select(slice(best, best + 1)), scores[best])

    def test(self, method: Method, probe: _Probe) -> float:
        """The macro accuracy on the test pairs."""
        return self._score(probe.model, method, self.fitting, "test")[0]

    def _score(
        self, models: LinearModels, method: Method, samples: Samples, name: str
    ) -> list[float]:
        """The macro accuracy of each model on a set."""
        labels = samples.sets[name].labels[self.name]
        guesses = models.log_probabilities(_features(method, samples, name)).argmax(-1)
        return [
            macro_accuracy(labels=labels, predictions=guess, classes=self.classes)
            for guess in guesses
        ]


def _features(method: Method, samples: Samples, name: str) -> Tensor:
    """Features [P, D] of a set's clean items, all modalities fused."""
    return extract(method.eval(), samples, name, [range(len(samples.modalities))])[0]


# --------------------------------------------------------------------------- learning


class _Learner:
    """A method, its loss and its optimizer."""

    def __init__(self, method: Method, settings: FineTuning, width: int, classes: int) -> None:
        self.method, self.settings = method, settings
        device = next(method.parameters()).device
        self.generator = torch.Generator(device)
        self.generator.manual_seed(settings.seed)
        self.head: nn.Linear | None = None
        if settings.loss == "cross-entropy":
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(settings.seed)
                self.head = nn.Linear(width, classes)
            self.head.to(device)
        self.optimizer = _make_optimizer(method, self.head, settings)

    def epoch(self, task: _Task, number: int) -> float:
        """Train for one epoch on the fitting pairs; returns the mean loss in nats."""
        self.method.train()
        losses = []
        with dropout_of(self.settings.seed, number, self.generator.device):
            for batch, labels in _labelled_batches(task, self.settings, number):
                loss = self._loss(batch, labels)
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()
                self.optimizer.step()
                losses.append(loss.detach())
        mean = float(torch.stack(losses).mean())
        if not math.isfinite(mean):
            raise TrainingError(
                f"the loss is not finite in epoch {number} of fine-tuning: a smaller learning "
                "rate or a larger temperature may help"
            )
        return mean

    def _loss(self, batch: Batch, labels: Tensor) -> Tensor:
        """The loss of two views of B samples with labels [B]."""
        views = [self.method.augment(x, m, self.generator, copies=2) for m, x in enumerate(batch)]
        z = self.method.features(tuple(views), [range(len(views))])[0]
        twice = labels.repeat(2)
        if self.head is None:
            return sup_con(z, twice, self.settings.temperature)
        return F.cross_entropy(self.head(z), twice)


def _make_optimizer(
    method: Method, head: nn.Linear | None, settings: FineTuning
) -> torch.optim.AdamW:
    """Make AdamW as in training; parameters that do not affect the features get no gradient."""
    named = [*method.named_parameters(), *(head.named_parameters() if head else ())]
    undecayed = [p for name, p in named if not decayed(name, p)]
    with_decay = [p for name, p in named if decayed(name, p)]
    groups: list[dict[str, Any]] = [
        {"params": with_decay},
        {"params": undecayed, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )


def _labelled_batches(
    task: _Task, settings: FineTuning, epoch: int
) -> Iterator[tuple[Batch, Tensor]]:
    """Yield batches and labels [B] of an epoch, in the order given by seed and epoch."""
    samples = task.fitting
    rows = samples.rows_of("probe")
    labels = torch.as_tensor(task.labels, device=samples.device)
    for chosen in batches(len(rows), settings.batch_size, settings.seed, epoch):
        indices = torch.as_tensor(chosen, device=samples.device)
        yield samples.batch("probe", rows[indices]), labels[indices]


def finetune(
    method: Method,
    data: HasSamples,
    task: str,
    settings: FineTuning | None = None,
    *,
    report: Report | None = None,
) -> FineTuned:
    """Fine-tune a copy of a method on the labels of one task.

    Everything that the method's features depend on is trained; heads that only its own loss uses
    stay as they are. Deterministic for a seed on the same device.

    Args:
        method: Trained, as `trifeature.comm.training.load_run` gives it; it is left unchanged, and
            its device is where the work is done.
        data: `Samples`, or a data set that has some: its set `probe` is learned from, its set
            `test` scored.
        task: One of its tasks.
        settings: How; the defaults of `FineTuning` if not given.
        report: Called after every epoch with the loss and the validation accuracy.

    Raises:
        InputError: there is no such task, it has no classes, or there are too few pairs to split.
        TrainingError: the loss is no longer finite.
    """
    started = time.monotonic()
    require_settings("method", method, Method)  # type: ignore[type-abstract]
    samples = samples_of(data)
    kind = samples.tasks[check_name("task", task, samples.tasks)].kind
    if kind != "classes":
        raise InputError(f"fine-tuning learns classes, but task {task!r} is of kind {kind}")
    settings = require_settings("settings", settings or FineTuning(), FineTuning)
    samples = samples.to(next(method.parameters()).device)
    work = _Task(task, *split_samples(samples, folds=settings.folds, seed=settings.seed))
    tuned = copy.deepcopy(method)
    frozen = work.probe(tuned)
    before = work.test(tuned, frozen)
    best, best_epoch, validation, losses = _learn(tuned, work, frozen, settings, report)
    parts = (work.fitting.sets["probe"], work.validation.sets["probe"], samples.sets["test"])
    return FineTuned(
        task=task,
        settings=settings,
        before=before,
        after=work.test(tuned, best),
        best_epoch=best_epoch,
        validation=tuple(validation),
        losses=tuple(losses),
        pairs=(len(parts[0]), len(parts[1]), len(parts[2])),
        seconds=round(time.monotonic() - started, 3),
        method=tuned.eval(),
    )


def _learn(
    method: Method, task: _Task, frozen: _Probe, settings: FineTuning, report: Report | None
) -> tuple[_Probe, int, list[float], list[float]]:
    """Train in place until early stopping, then restore the weights of the best epoch.

    Returns:
        The best epoch's probe, its number, and the curves of validation accuracy and loss.
    """
    learner = _Learner(method, settings, frozen.model.weights.shape[2], task.classes)
    best, best_epoch, weights = frozen, 0, _weights(method)
    validation, losses = [frozen.accuracy], list[float]()
    started = time.monotonic()
    for epoch in range(1, settings.epochs + 1):
        losses.append(learner.epoch(task, epoch))
        found = task.probe(method)
        validation.append(found.accuracy)
        if best_epoch == 0 or found.accuracy > best.accuracy:
            best, best_epoch, weights = found, epoch, _weights(method)
        if report is not None:
            left = (settings.epochs - epoch) * (time.monotonic() - started) / epoch
            terms = {settings.loss: losses[-1], "validation": found.accuracy}
            report(Progress(epoch, settings.epochs, terms, left))
        if epoch - best_epoch >= settings.patience:
            break
    method.load_state_dict(weights)
    return best, best_epoch, validation, losses


def _weights(method: Method) -> dict[str, Tensor]:
    """A copy of what `load_state_dict` restores."""
    return {name: tensor.clone() for name, tensor in method.state_dict().items()}
