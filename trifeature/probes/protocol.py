"""The probing protocol: extract features, fit a probe for each task, score it, report a row.

A probe is fitted on the *probe* samples (of Trifeature: unbiased pairs of training images) and
scored on the *test* samples. Nothing is chosen on the test samples.

`probe` measures a method on `Samples`; `probe_features` measures features of one's own. Both report
tasks of any kind: classes, many labels (`many_labels`), numbers (`ridge`). R, U1, U2 and S are the
columns of Trifeature's tasks.

N samples, M modalities, D features, C classes, labels or outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trifeature.checks import as_array, require_settings
from trifeature.comm.methods import Method
from trifeature.comm.products import with_products
from trifeature.comm.training import method_for, numerics
from trifeature.errors import InputError, check_name
from trifeature.probes.authors import SEED, authors_fold, fit_authors, fit_authors_labels
from trifeature.probes.classifiers import Classifier, FittedClassifier, find_classifier
from trifeature.probes.folds import Folds, best_of, group_folds, stratified_folds
from trifeature.probes.inputs import (
    Features,
    FloatArray,
    IntArray,
    Labels,
    as_codes,
    as_features,
    as_flags,
    as_outputs,
    kind_of,
    names_in,
)
from trifeature.probes.logistic import Design, LinearModels, Problem, fit_problems
from trifeature.probes.many_labels import (
    SHARINGS,
    LabelsResult,
    Sharing,
    fit_labels,
    score_labels,
)
from trifeature.probes.metrics import confusion, cross_entropy, macro_accuracy, roc_auc
from trifeature.probes.names import Probing, read_protocol
from trifeature.probes.reading import ProbeResult, Reading, Results
from trifeature.probes.ridge import NumbersResult, fit_ridge, score_ridge
from trifeature.samples import Array, Batch, HasSamples, Samples, Task, TaskKind, samples_of
from trifeature.views import Views

FOLDS: Final = 3
FOLD_SEED: Final = 0
VIEW_SEED: Final = SEED
COSTS: Final = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
"""Candidates for the probe's cost, in scikit-learn's convention (a sum over the samples)."""
BATCH: Final = 512


# --------------------------------------------------------------------------- the two entrances


def probe(
    method: Method,
    samples: HasSamples,
    *,
    probing: str = "ours",
    classifier: str | Classifier | None = None,
    alone: bool = False,
    without: bool = False,
    label_costs: str = "shared",
    codes: CleanCodes | None = None,
) -> Reading:
    """Measure how much of each task can be read from a method's features.

    Args:
        method: Trained or not; it is left in evaluation mode.
        samples: Whose sets `probe` and `test` are used.
        probing: `ours`: clean items, a standardizing logistic regression for each task, its cost
            chosen by cross-validation that keeps groups apart. `products`: the same, of features to
            which element-wise products are added, see `extract`. `authors`: random light views of
            probe and test items, and the probe of the authors' code, which stops early; the same
            probe converged stands beside it.
        classifier: What reads the features in the first two protocols, in place of the logistic
            regression: an object with `fit` and `predict_log_proba`, or a name of
            `register_classifier`. It is copied, gets the features as extracted, and keeps its own
            settings; cross-validation on the same folds only reports its held-out accuracy. It
            reads classes alone.
        alone: Also probe each modality without the others.
        without: Also probe all modalities but each, of three or more. (Of two this is `alone`.)
        label_costs: Of a task of many labels, `shared`: one cost for all of them, or `own`: one for
            each.
        codes: The same object in several probings of a method saves encoding its items again.

    Raises:
        InputError: unknown protocol or classifier, samples without a task, too few groups, or
            features that are not finite.
    """
    how = _Protocol.of(probing, classifier, sharing=label_costs)
    data = samples_of(samples)
    require_settings("method", method, Method)  # type: ignore[type-abstract]
    data = data.to(next(method.parameters()).device)
    method.eval()
    names = [m.name for m in data.modalities]
    every = range(len(names))
    single = [[m] for m in every] if alone else []
    others = [[o for o in every if o != m] for m in every] if without and len(names) > 2 else []
    subsets = [list(every), *single, *others]
    fitted, scored = (
        [
            Labeled.of(data, name, x)
            for x in extract(method, data, name, subsets, how.probing, codes=codes)
        ]
        for name in ("probe", "test")
    )
    groups = data.sets["probe"].groups
    results = [how.measure(a, b, groups) for a, b in zip(fitted, scored, strict=True)]
    return Reading(
        results=results[0],
        tasks=data.tasks,
        samples=len(data.sets["test"]),
        alone=dict(zip(names, results[1 : len(single) + 1], strict=False)),
        without=dict(zip(names, results[len(single) + 1 :], strict=False)),
        truth=data.truth(),
        classifier=how.name,
    )


def probe_features(
    train_features: Features,
    train_labels: Labels | Mapping[str, Labels],
    test_features: Features,
    test_labels: Labels | Mapping[str, Labels],
    groups: npt.ArrayLike | None = None,
    *,
    probing: str = "ours",
    classifier: str | Classifier | None = None,
    costs: Sequence[float] = COSTS,
    folds: int = FOLDS,
    seed: int = FOLD_SEED,
    kinds: Mapping[str, str] | None = None,
    label_costs: str = "shared",
) -> Reading:
    """Measure how much of each label can be read from features of one's own.

    Args:
        train_features: What probes are fitted on [N, D].
        train_labels: Labels [N] of any type that sorts, or many labels [N, C] of 0 and 1; or such
            labels by name of their task. A single one is the task `label`.
        test_features: What probes are scored on [N', D].
        test_labels: As `train_labels` [N'].
        groups: What cross-validation keeps apart among the samples fitted on: a person, a film, an
            image; [N], or [N, M] for samples made of M items. None: folds of single samples with
            the same share of every class, and `folds` of the result is `samples`. Samples that
            share items need groups, or the chosen cost rewards remembering them.
        probing: `ours` or `authors`, see `probe`; no views are drawn here. `products` is refused,
            as nothing tells which features are whose: `trifeature.comm.products.with_products`.
        classifier: See `probe`.
        costs: Candidates for the logistic regression's cost.
        folds: Number of folds.
        seed: Decides the folds.
        kinds: Kind of a task, where the shape of its labels does not tell: "numbers" [N] or
            [N, C] for a ridge regression.
        label_costs: See `probe`.

    Raises:
        InputError: shapes that disagree, features that are not finite, a label that is missing or
            that occurs among the test samples alone, fewer than two classes, or too few groups.

    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> x = rng.normal(size=(200, 3)) + 4 * y[:, None]
    >>> probe_features(x[:150], y[:150], x[150:], y[150:]).row()["label"]
    1.0
    """
    if read_protocol(probing) == "products":
        raise InputError(
            "features of one's own have no modalities to multiply: add the products to them "
            "(trifeature.comm.products), and use probing='ours'"
        )
    how = _Protocol.of(probing, classifier, tuple(costs), folds, seed, sharing=label_costs)
    points = as_features(train_features), as_features(test_features)
    train, test, tasks = _labeled(points, (train_labels, test_labels), kinds or {})
    return Reading(
        results=how.measure(train, test, None if groups is None else as_array(groups)),
        tasks=tasks,
        samples=len(test.features),
        folds="samples" if groups is None else "groups",
        classifier=how.name,
    )


@dataclass(frozen=True, eq=False)
class Labeled:
    """Features with what is to be read from them.

    Attributes:
        features: [N, D].
        labels: Of each task: classes from 0 [N], many labels 0 and 1 [N, C], or numbers [N, C].
        classes: C of each task.
        kinds: Kind of each task; "classes" where it is missing.
    """

    features: Tensor
    labels: Mapping[str, Array]
    classes: Mapping[str, int]
    kinds: Mapping[str, TaskKind] = field(default_factory=dict)

    @classmethod
    def of(cls, samples: Samples, name: str, features: Tensor) -> Labeled:
        """The features of a set of samples with its labels."""
        if not samples.tasks:
            raise InputError("no task to probe: give the samples labels")
        labels, found = samples.sets[name].labels, samples.tasks
        return cls(
            as_features(features),
            {
                task: as_outputs(labels[task])
                if one.kind == "numbers"
                else labels[task].astype(np.int64)
                for task, one in found.items()
            },
            {task: one.classes for task, one in found.items()},
            {task: one.kind for task, one in found.items()},
        )

    def kind(self, task: str) -> TaskKind:
        """The kind of a task."""
        return self.kinds.get(task, "classes")

    def only(self, tasks: Iterable[str]) -> Labeled:
        """The same features with the labels of some tasks."""
        return replace(self, labels={task: self.labels[task] for task in tasks})


def _labeled(
    points: tuple[Tensor, Tensor], labels: tuple[Any, Any], kinds: Mapping[str, str]
) -> tuple[Labeled, Labeled, dict[str, Task]]:
    """Samples to fit on and to score on, with labels as places among the sorted classes."""
    if points[0].shape[1] != points[1].shape[1]:
        raise InputError(
            f"{points[0].shape[1]} train features, but {points[1].shape[1]} test features"
        )
    given = [x if isinstance(x, Mapping) else {"label": x} for x in labels]
    if set(given[0]) != set(given[1]) or not given[0]:
        raise InputError(
            f"the tasks to fit on and to score must be the same: {sorted(given[0])} and "
            f"{sorted(given[1])}"
        )
    for name, kind in kinds.items():
        check_name("task", name, given[0])
        check_name("kind of task", kind, _READERS)
    tasks, coded = {}, ({}, {})  # type: ignore[var-annotated]
    for task, fitted in given[0].items():
        try:
            read = _READERS[kinds.get(task) or kind_of(fitted)]
            tasks[task], *both = read(fitted, given[1][task])
        except InputError as problem:
            raise InputError(f"task {task!r}: {problem}") from None
        for own, values, x in zip(coded, both, points, strict=True):
            if len(values) != len(x):
                raise InputError(f"task {task!r}: {len(values)} labels for {len(x)} samples")
            own[task] = values
    counts = {name: task.classes for name, task in tasks.items()}
    of_kind = {name: task.kind for name, task in tasks.items()}
    train, test = (Labeled(x, own, counts, of_kind) for x, own in zip(points, coded, strict=True))
    return train, test, tasks


_Read = tuple[Task, Array, Array]
"""A task, its labels to fit on, and those to score on."""


def _read_classes(fitted: Labels, scored: Labels) -> _Read:
    classes, codes = as_codes(fitted)
    own, places = as_codes(scored)
    if new := sorted(set(own.tolist()) - set(classes.tolist())):
        raise InputError(f"no sample to fit on has the test label {new[0]!r}")
    task = Task(len(classes), names=tuple(map(str, classes.tolist())))
    return task, codes, np.searchsorted(classes, own)[places]


def _read_flags(fitted: Labels, scored: Labels) -> _Read:
    return _with_columns("labels", fitted, as_flags(fitted), as_flags(scored))


def _read_numbers(fitted: Labels, scored: Labels) -> _Read:
    return _with_columns("numbers", fitted, as_outputs(fitted), as_outputs(scored))


def _with_columns(kind: TaskKind, given: Labels, fitted: Array, scored: Array) -> _Read:
    C = fitted.shape[1]
    if scored.shape[1] != C:
        raise InputError(f"{C} columns to fit on, but {scored.shape[1]} to score")
    return Task(C, names=names_in(given, C), kind=kind), fitted, scored


_READERS: Final[dict[str, Callable[[Labels, Labels], _Read]]] = {
    "classes": _read_classes,
    "labels": _read_flags,
    "numbers": _read_numbers,
}


# --------------------------------------------------------------------------- extracting features


@torch.inference_mode()
def extract(
    method: Method,
    samples: Samples,
    name: str,
    subsets: Sequence[Sequence[int]],
    probing: Probing = "ours",
    *,
    codes: CleanCodes | None = None,
) -> list[Tensor]:
    """The features of every sample of a set, for each subset of the modalities.

    Args:
        method: In evaluation mode.
        samples: On the method's device.
        name: Of the set.
        subsets: Lists of modalities.
        probing: `ours` takes the clean items, `authors` one random light view of each. `products`
            takes the clean items and adds, for a subset of several modalities, the element-wise
            products of what each modality shows by itself: see `trifeature.comm.products`.
        codes: Those of clean items, if they are kept.

    Returns:
        float32 [N, D] for each subset.
    """
    method = method_for(method, samples)
    clean = CleanCodes() if codes is None else codes
    codes_of = _codes_of_light_views if probing == "authors" else clean.of
    with numerics("float32", samples.device):
        parts = [
            _combine(method, own, subsets, products=probing == "products")
            for own in codes_of(method, samples, name)
        ]
    return [torch.cat(features).float() for features in zip(*parts, strict=True)]


@torch.inference_mode()
def extract_aligned(
    method: Method, samples: Samples, name: str, *, codes: CleanCodes | None = None
) -> list[Tensor]:
    """What a probe with products multiplies, of every sample of a set: float32 [N, F] a modality.

    Args:
        method: In evaluation mode.
        samples: On the method's device.
        name: Of the set.
        codes: Those of clean items, if they are kept.
    """
    method = method_for(method, samples)
    clean = CleanCodes() if codes is None else codes
    with numerics("float32", samples.device):
        parts = [
            [method.aligned(own, m) for m in range(len(own))]
            for own in clean.of(method, samples, name)
        ]
    return [torch.cat(own).float() for own in zip(*parts, strict=True)]


def _combine(
    method: Method, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]], *, products: bool
) -> list[Tensor]:
    """The features [N, D] of each subset, with the products of its modalities if asked for."""
    features = method.combine(codes, subsets)
    if not products:
        return features
    several = {m for subset in subsets if len(subset) > 1 for m in subset}
    alone = {m: method.aligned(codes, m) for m in several}
    return [
        with_products(own, [alone[m] for m in subset]) if len(subset) > 1 else own
        for own, subset in zip(features, subsets, strict=True)
    ]


class CleanCodes:
    """A method's codes of the clean items of each set, kept for several probings of it.

    Every item of a set is encoded once for each modality that shows it, not once for each of its
    samples: ten thousand pairs of the paper's preset are made of 2,400 images. Tasks may differ
    from probing to probing. The codes of another method, of other items or of other samples
    replace those of the set; codes do not follow a change of the method's weights.
    """

    def __init__(self) -> None:
        self._sets: dict[str, _SetCodes] = {}

    def of(self, method: Method, samples: Samples, name: str) -> Iterator[list[Tensor]]:
        """The codes of consecutive samples of a set: for each modality [n, …], n ≤ `BATCH`."""
        known = self._sets.get(name)
        if known is None or not known.are_of(method, samples, name):
            known = self._sets[name] = _SetCodes.of(method, samples, name)
        for rows in samples.rows_of(name).split(BATCH):
            yield known.of_rows(rows)


class _SetCodes(NamedTuple):
    """The codes of the distinct items of a set, and what they are codes of.

    Attributes:
        method: What encoded them.
        items: The tables that the items are in.
        rows: As `SampleSet.rows` [P, M].
        shown: For each modality the numbers of its items in order [K].
        codes: For each modality [K, …].
    """

    method: Method
    items: tuple[Tensor, ...]
    rows: IntArray
    shown: list[Tensor]
    codes: list[Tensor]

    @classmethod
    def of(cls, method: Method, samples: Samples, name: str) -> _SetCodes:
        """Encode every item that the samples of a set show."""
        generator = torch.Generator(samples.device)  # clean items use none of its randomness
        tables = samples.items[samples.sets[name].table]
        shown = [column.unique() for column in samples.rows_of(name).unbind(1)]
        codes = []
        for m, (own, items) in enumerate(zip(shown, tables, strict=True)):
            clean = samples.modalities[m].defaults.clean
            parts = [
                method.encode(_view(clean, items[part], generator), m) for part in own.split(BATCH)
            ]
            codes.append(torch.cat(parts))
        return cls(method, tables, samples.sets[name].rows, shown, codes)

    def are_of(self, method: Method, samples: Samples, name: str) -> bool:
        """True for the same method, the same tables of items and equal rows."""
        own = samples.sets[name]
        tables = zip(self.items, samples.items[own.table], strict=False)
        return (
            self.method is method
            and all(a is b for a, b in tables)
            and np.array_equal(self.rows, own.rows)
        )

    def of_rows(self, rows: Tensor) -> list[Tensor]:
        """For each modality the codes [n, …] of its items in some rows [n, M]."""
        return [
            code[torch.searchsorted(own, column.contiguous())]
            for code, own, column in zip(self.codes, self.shown, rows.unbind(1), strict=True)
        ]


def _codes_of_light_views(method: Method, samples: Samples, name: str) -> Iterator[list[Tensor]]:
    """The codes of consecutive samples, a new light view of each item each time."""
    generator = torch.Generator(samples.device)
    generator.manual_seed(VIEW_SEED)
    for rows in samples.rows_of(name).split(BATCH):
        batch = samples.batch(name, rows)
        yield [method.encode(x, m) for m, x in enumerate(_light_views(samples, batch, generator))]


def _light_views(samples: Samples, batch: Batch, generator: torch.Generator) -> Iterable[Tensor]:
    """Light views of a batch, drawn sample by sample where all modalities are alike."""
    alike = zip(samples.modalities, batch, strict=True)
    kinds = {(m.kind, m.shape, x.dtype) for m, x in alike}
    light = [m.defaults.light for m in samples.modalities]
    if len(kinds) > 1:
        return [_view(views, x, generator) for views, x in zip(light, batch, strict=True)]
    together = torch.stack(batch, dim=1)
    made = _view(light[0], together.flatten(0, 1), generator)
    return list(made.view(*together.shape[:2], *made.shape[1:]).unbind(1))


def _view(views: Views, items: Tensor, generator: torch.Generator) -> Tensor:
    """One view of each item."""
    parameters = views.draw(len(items), tuple(items.shape[1:]), generator, items.device)
    return views.apply(items, parameters)


# --------------------------------------------------------------------------- fitting


@dataclass(frozen=True, eq=False)
class FittedProbe:
    """One task's probe, fitted on the samples to fit on alone.

    Attributes:
        model: Its `log_probabilities` of features [N, D] are [N, C], or [1, N, C].
        held_out_accuracy: Mean held-out macro accuracy, of the chosen cost where there is one.
        cost: The chosen C; None for a classifier without one.
        held_out: The same accuracy for every cost tried.
        balanced: The class-balanced probe of a binary task, with a cost of its own, if fitted.
        converged: Of the authors' probe, which stops early: the same objective at its minimum.
    """

    model: LinearModels | FittedClassifier
    held_out_accuracy: float
    cost: float | None = None
    held_out: Mapping[float, float] = field(default_factory=dict)
    balanced: FittedProbe | None = None
    converged: FittedProbe | None = None


@dataclass(frozen=True)
class _Protocol:
    """The rules by which probes are fitted."""

    probing: Probing
    name: str
    classifier: Classifier | None
    costs: tuple[float, ...]
    folds: int
    seed: int
    sharing: Sharing

    @classmethod
    def of(
        cls,
        probing: str,
        classifier: str | Classifier | None,
        costs: tuple[float, ...] | None = None,
        folds: int = FOLDS,
        seed: int = FOLD_SEED,
        *,
        sharing: str = "shared",
    ) -> _Protocol:
        kind = read_protocol(probing)
        name, chosen = find_classifier(classifier)
        check_name("way to choose costs of labels", sharing, SHARINGS)
        if kind == "authors" and chosen is not None:
            raise InputError("the authors' protocol has its own classifier: use probing='ours'")
        each: Sharing = "own" if sharing == "own" else "shared"
        return cls(kind, name, chosen, COSTS if costs is None else costs, folds, seed, each)

    def measure(self, train: Labeled, test: Labeled, groups: Any | None) -> Results:
        """Fit a probe for each task and score it; `groups` as in `probe_features`."""
        if groups is not None:
            _require_length(groups, train)
        found: dict[str, Any] = {}
        if classes := [task for task in train.labels if train.kind(task) == "classes"]:
            fitted = self.fit(train.only(classes), groups)
            found |= score_probes(fitted, test.only(classes))
        if others := [task for task in train.labels if task not in found]:
            folds = self._folds(train, groups)
            for task in others:
                try:
                    found[task] = self._measure_columns(task, train, test, folds)
                except InputError as problem:
                    raise InputError(f"task {task!r}: {problem}") from None
        return {task: found[task] for task in train.labels}

    def _measure_columns(
        self, task: str, train: Labeled, test: Labeled, folds: Folds
    ) -> LabelsResult | NumbersResult:
        """The scores of a task of many labels, or of numbers."""
        if self.classifier is not None:
            raise InputError("a classifier of one's own reads classes alone: use the default")
        fitted, scored, known = train.features, test.features, train.labels[task]
        authors = self.probing == "authors"
        if train.kind(task) == "numbers":
            ridge = fit_ridge(fitted, known, folds, standardize=not authors)
            return score_ridge(ridge, scored, test.labels[task])
        if authors:
            labels = fit_authors_labels(fitted, known, folds)
        else:
            labels = fit_labels(fitted, known, folds, self.costs, self.sharing)
        return score_labels(labels, scored, test.labels[task])

    def _folds(self, train: Labeled, groups: Any | None) -> Folds:
        """The folds of tasks without classes to stratify by."""
        count = len(train.features)
        if self.probing == "authors":
            return authors_fold(count, groups)
        if groups is None:
            alike = np.zeros(count, dtype=np.int64)
            return stratified_folds(alike, folds=self.folds, seed=self.seed)
        return group_folds(groups, folds=self.folds, seed=self.seed)

    def fit(self, train: Labeled, groups: Any | None) -> dict[str, FittedProbe]:
        """A probe for each task of classes; the tasks share their folds if there are groups."""
        if self.probing == "authors":
            return fit_authors_probes(train)
        if groups is not None:
            return self._fit_on(train, group_folds(groups, folds=self.folds, seed=self.seed))
        probes: dict[str, FittedProbe] = {}
        for task, labels in train.labels.items():
            folds = stratified_folds(labels, folds=self.folds, seed=self.seed)
            probes |= self._fit_on(train.only([task]), folds)
        return probes

    def _fit_on(self, train: Labeled, folds: Folds) -> dict[str, FittedProbe]:
        if self.classifier is None:
            return fit_logistic_probes(train, folds, self.costs)
        return fit_classifier_probes(train, folds, self.classifier)


def _require_length(groups: Any, train: Labeled) -> None:
    count = len(np.atleast_1d(groups))
    if count != len(train.features):
        raise InputError(f"groups of {count} samples, but {len(train.features)} to fit on")


def fit_logistic_probes(
    train: Labeled, folds: Folds, costs: Sequence[float] = COSTS
) -> dict[str, FittedProbe]:
    """Choose each task's cost by cross-validation and refit on all samples.

    All tasks × costs × folds are one batched optimization (a batch for each number of classes).
    The best mean held-out macro accuracy wins; ties go to the lower held-out cross-entropy, then to
    the lower cost. Binary tasks get a second, class-balanced probe with a cost of its own. Features
    are standardized by the samples that each fold fits on, and by all of them in the end.

    Args:
        train: The samples to fit on.
        folds: Over these samples.
        costs: Candidates for C.

    Raises:
        InputError: no cost, a cost that is not positive, or a task with one class.
    """
    grid = sorted(set(costs))
    if not grid:
        raise InputError("no cost to choose from")
    # Each task, and once more class-balanced if it is binary.
    variants = [(task, False) for task in train.labels]
    variants += [(task, True) for task in train.labels if train.classes[task] == 2]
    scores = _cross_validate(train, variants, grid, folds)
    best = [best_of(accuracy, bits) for accuracy, bits in scores]
    problems = [
        Problem.of(train.labels[task], grid[k], balanced=balanced, classes=train.classes[task])
        for (task, balanced), k in zip(variants, best, strict=True)
    ]
    models = fit_problems([Design.of(train.features, standardize=True)], problems)
    probes: dict[str, FittedProbe] = {}
    # From the last: a task's balanced variant comes after its plain one and goes into it.
    for b, (task, _) in reversed(list(enumerate(variants))):
        C, one = train.classes[task], models.select(slice(b, b + 1))
        one = one.of_classes(C)
        held_out = dict(zip(grid, scores[b][0].tolist(), strict=True))
        cost = grid[best[b]]
        probes[task] = FittedProbe(one, held_out[cost], cost, held_out, probes.get(task))
    return {task: probes[task] for task in train.labels}


def _cross_validate(
    train: Labeled, variants: Sequence[tuple[str, bool]], grid: Sequence[float], folds: Folds
) -> list[tuple[FloatArray, FloatArray]]:
    """Mean held-out macro accuracy and cross-entropy (bits) of each cost, for each variant."""
    features, labels, classes = train.features, train.labels, train.classes
    designs = [Design.of(features[torch.from_numpy(mask)], standardize=True) for mask in folds.fit]
    problems = [
        Problem.of(labels[task][mask], cost, design=f, balanced=balanced, classes=classes[task])
        for f, mask in enumerate(folds.fit)
        for task, balanced in variants
        for cost in grid
    ]
    models = fit_problems(designs, problems)
    scores = []
    for f, mask in enumerate(folds.validate):
        truths = [labels[task][mask] for task, _ in variants for _ in grid]
        one = models.select(slice(f * len(truths), (f + 1) * len(truths)))
        tables = one.log_probabilities(features[torch.from_numpy(mask)]).cpu().numpy()
        scores.append([_scores(t, p) for t, p in zip(truths, tables, strict=True)])
    mean = np.mean(scores, axis=0).reshape(len(variants), len(grid), 2)
    return [(table[:, 0], table[:, 1]) for table in mean]


def _scores(labels: IntArray, log_probabilities: FloatArray) -> tuple[float, float]:
    """Macro accuracy and cross-entropy (bits)."""
    guess, C = log_probabilities.argmax(axis=1), log_probabilities.shape[1]
    return (
        macro_accuracy(labels=labels, predictions=guess, classes=C),
        cross_entropy(labels=labels, log_probabilities=log_probabilities),
    )


def fit_authors_probes(train: Labeled) -> dict[str, FittedProbe]:
    """The authors' probe for each task, see `fit_authors`, and the same one converged."""
    probes, problems = {}, []
    for task, labels in train.labels.items():
        C = train.classes[task]
        found = fit_authors(train.features, labels, C, task=task)
        accuracy = found.held_out[found.cost]
        probes[task] = FittedProbe(found.model, accuracy, found.cost, found.held_out)
        problems.append(Problem.of(labels, found.cost, classes=C))
    whole = Design.of(train.features, standardize=False)
    models = fit_problems([whole], problems, squared=False)
    for b, (task, probe) in enumerate(probes.items()):
        one = models.select(slice(b, b + 1)).of_classes(train.classes[task])
        probes[task] = replace(probe, converged=replace(probe, model=one))
    return probes


def fit_classifier_probes(
    train: Labeled, folds: Folds, classifier: Classifier
) -> dict[str, FittedProbe]:
    """A copy of a classifier for each task, fitted on all samples, and its held-out accuracy."""
    probes = {}
    for task, labels in train.labels.items():
        C, accuracies = train.classes[task], []
        for fit, validate in zip(folds.fit, folds.validate, strict=True):
            points = train.features[torch.from_numpy(fit)]
            model = FittedClassifier.fit(classifier, points, labels[fit], C)
            table = model.log_probabilities(train.features[torch.from_numpy(validate)])
            accuracies.append(_scores(labels[validate], table)[0])
        whole = FittedClassifier.fit(classifier, train.features, labels, C)
        probes[task] = FittedProbe(whole, float(np.mean(accuracies)))
    return probes


# --------------------------------------------------------------------------- scoring


def score_probes(probes: Mapping[str, FittedProbe], test: Labeled) -> dict[str, ProbeResult]:
    """Score fitted probes on samples that they have not seen; nothing is fitted or chosen here."""
    return {
        task: _score(probe, test.features, test.labels[task], test.classes[task])
        for task, probe in probes.items()
    }


def _score(probe: FittedProbe, features: Tensor, labels: IntArray, classes: int) -> ProbeResult:
    found = probe.model.log_probabilities(features)
    table: FloatArray = found[0].cpu().numpy() if isinstance(found, Tensor) else found
    guess = table.argmax(axis=1)
    auc = roc_auc(labels=labels, scores=table[:, 1] - table[:, 0]) if classes == 2 else None

    def beside(other: FittedProbe | None) -> ProbeResult | None:
        return _score(other, features, labels, classes) if other else None

    return ProbeResult(
        cost=probe.cost,
        held_out_accuracy=probe.held_out_accuracy,
        macro_accuracy=macro_accuracy(labels=labels, predictions=guess, classes=classes),
        cross_entropy=cross_entropy(labels=labels, log_probabilities=table),
        roc_auc=auc,
        log_probabilities=table,
        confusion=confusion(labels=labels, predictions=guess, classes=classes),
        balanced=beside(probe.balanced),
        converged=beside(probe.converged),
    )
