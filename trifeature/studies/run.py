"""A study: what each modality, and several together, tell about labels, as rows.

`study` trains what is asked for, reads labels from features, and decomposes what is read. A study
is a list of plain JSON rows; everything drawn or written is a function of them.

P probe samples, n test samples, M modalities, L labels that are read together, K classes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np

from trifeature.checks import require_flag, require_names, require_number, require_whole
from trifeature.comm.methods import METHODS
from trifeature.comm.settings import RunSettings, run_preset
from trifeature.comm.training import new_method, steps_per_epoch, train
from trifeature.errors import InputError, check_name
from trifeature.files import finite
from trifeature.pid.estimation.predictions import Spread
from trifeature.provenance import provenance
from trifeature.samples import HasSamples, Samples, samples_of
from trifeature.studies.atoms import all_row, dual_row, pair_rows
from trifeature.studies.augmentations import view_words, viewed_columns
from trifeature.studies.controls import shuffled, supervised
from trifeature.studies.features import Features, MethodFeatures, RawFeatures, Subset
from trifeature.studies.questions import Question, Subject, as_numbers, subjects
from trifeature.studies.readers import (
    FloatArray,
    IntArray,
    Parts,
    Predictions,
    ReaderSettings,
    read,
    regress,
    several_groups,
)
from trifeature.studies.readings import (
    Row,
    class_reading,
    held_out_bits,
    information,
    interval,
    label_reading,
    number_reading,
    surplus,
)
from trifeature.studies.words import GIVEN, SHUFFLED, conclusions
from trifeature.threads import one_thread

Report = Callable[[str, float], None]
"""Called with what is being done, and the share of the study that is done, in [0, 1]."""

ROWS: Final = 6000
"""Most samples of each set that are read; of more, so many are drawn."""

TRAINING_ROWS: Final = 12_000
"""Most training samples that the supervised network is fitted on."""

STEPS: Final = 600
"""Steps that a method is trained for at least, in whole epochs."""

FEWEST: Final = 20
"""Fewest samples of `probe` and of `test`."""


@dataclass(frozen=True)
class Study:
    """The rows of a study.

    Attributes:
        rows: Plain JSON rows, each with its `kind`: about, reading, atoms, all, augmentation,
            conclusion.
    """

    rows: tuple[Row, ...]

    def of(self, kind: str, **keys: Any) -> list[Row]:
        """The rows of a kind, and with these values."""
        return [
            row
            for row in self.rows
            if row["kind"] == kind and all(row.get(key) == value for key, value in keys.items())
        ]

    def save(self, folder: Path | str, *, overwrite: bool = False) -> Path:
        """Write the rows and the page of the study; returns the page.

        Raises:
            InputError: the folder holds other things, or cannot be written.
        """
        from trifeature.studies.folder import write_report  # noqa: PLC0415 - pictures are slow to load

        return write_report(self.rows, Path(folder).expanduser(), overwrite=overwrite)


def study(
    data: HasSamples,
    labels: Sequence[str] | None = None,
    methods: Sequence[str] = ("comm",),
    *,
    epochs: int | None = None,
    preset: str = "quick",
    seed: int = 0,
    level: float = 0.95,
    controls: bool = True,
    report: Report | None = None,
) -> Study:
    """Study what modalities tell about labels, each alone and together.

    Args:
        data: Samples with labels; the sets `train`, `probe` and `test` are used.
        labels: Names of the tasks; None for all.
        methods: Methods to train and read; none, to read plain columns only.
        epochs: Epochs of every method; None for as many as make 600 steps.
        preset: Settings of the runs, see `run_preset`.
        seed: Seed of training, readers and views.
        level: Confidence level of all intervals.
        controls: Also read an untrained and a supervised network, views, and partners shuffled
            within class. Without them nothing is called synergy.
        report: Called while the study runs.

    Returns:
        The rows. What could not be estimated says why under `refused`.

    Raises:
        InputError: no label, an unknown name, a number out of range, a method that does not fit the
            modalities, or too few samples.

    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 400)
    >>> sees, blind = rng.normal(size=(400, 2)) + 3 * y[:, None], rng.normal(size=(400, 2))
    >>> samples = Samples.from_arrays({"a": sees, "b": blind}, {"y": y})
    >>> study(samples, methods=(), controls=False).of("conclusion")[0]["unique1"]
    'yes'
    """
    plan = _Plan(require_names("methods", methods), epochs, preset, seed, level, controls)
    samples = samples_of(data)
    asked = subjects(samples, labels)
    if len(samples.modalities) < 2:
        raise InputError("a study needs at least two modalities")
    for name in ("probe", "test"):
        if len(samples.sets[name]) < FEWEST:
            raise InputError(
                f"the set {name!r} has {len(samples.sets[name])} samples: a study needs at least "
                f"{FEWEST} (some {4 * FEWEST} rows, where a quarter of them is tested)"
            )
    runs = {name: plan.settings(samples, name) for name in plan.methods}
    first = next(iter(runs.values()), None)
    for settings in runs.values():
        new_method(settings, samples)  # refuses what does not fit, before any work
    clock = _Clock(report)
    engine = _Engine(plan, clock, samples.to("cpu"), asked)
    with one_thread():  # networks this small are slower on several, many times so on a busy machine
        rows = engine.rows(runs, first)
    about = engine.about(runs)
    clock.tell("concluding", 1.0)
    with_about = [about, *rows]
    return Study(tuple(finite(row) for row in (*with_about, *conclusions(with_about))))


@dataclass(frozen=True)
class _Plan:
    """What is asked for, validated."""

    methods: tuple[str, ...]
    epochs: int | None
    preset: str
    seed: int
    level: float
    controls: bool

    def __post_init__(self) -> None:
        for name in self.methods:
            check_name("method", name, METHODS)
            if self.methods.count(name) > 1:
                raise InputError(f"method {name!r} is named twice")
        if self.epochs is not None:
            require_whole("epochs", self.epochs, 0)
        require_whole("seed", self.seed, 0)
        require_number("level", self.level, above=0, below=1)
        require_flag("controls", self.controls)

    def settings(self, samples: Samples, method: str) -> RunSettings:
        """The settings of a method's run."""
        usual = run_preset(self.preset, method=method, seed=self.seed)
        epochs = self.epochs
        if epochs is None:
            per_epoch = steps_per_epoch(len(samples.sets["train"]), usual.batch_size)
            epochs = max(1, math.ceil(STEPS / max(per_epoch, 1)))
        return usual.change(epochs=epochs)


@dataclass
class _Clock:
    """Seconds of each stage, and what is said while it runs."""

    report: Report | None
    seconds: dict[str, float] = field(default_factory=dict)

    def tell(self, what: str, share: float) -> None:
        """Say what is being done."""
        if self.report is not None:
            self.report(what, min(max(share, 0.0), 1.0))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the seconds of the block under a name."""
        started = time.monotonic()
        try:
            yield
        finally:
            spent = time.monotonic() - started
            self.seconds[name] = self.seconds.get(name, 0.0) + spent


class _Engine:
    """Reads labels from features, once each, and makes rows of what was read."""

    def __init__(
        self, plan: _Plan, clock: _Clock, samples: Samples, asked: Sequence[Subject]
    ) -> None:
        self.plan, self.clock, self.whole = plan, clock, samples
        self.samples = _fewer(samples, plan.seed)
        self.asked = subjects(self.samples, [one.label for one in asked])
        self.names = [modality.name for modality in samples.modalities]
        self.reader = ReaderSettings(seed=plan.seed)
        self.parts = Parts.of(self.samples.sets["probe"].groups, self.reader)
        groups = self.samples.sets["test"].groups
        self.spread = Spread.of(len(groups), several_groups(groups), plan.level)
        self.known: dict[tuple[str, Subset, str], Predictions] = {}

    # ----------------------------------------------------------------- subsets

    @property
    def every(self) -> Subset:
        """All modalities."""
        return tuple(range(len(self.names)))

    @property
    def pairs(self) -> list[Subset]:
        """All pairs of modalities."""
        return list(combinations(self.every, 2))

    def subsets(self, *, pairs: bool) -> list[Subset]:
        """All, each alone, all but each, and all pairs if asked for; each once."""
        without = [tuple(k for k in self.every if k != m) for m in self.every]
        found = [self.every, *((m,) for m in self.every), *without, *(self.pairs if pairs else ())]
        return list(dict.fromkeys(found))

    def called(self, subset: Subset) -> list[str]:
        """Names of the modalities of a subset."""
        return [self.names[m] for m in subset]

    # ----------------------------------------------------------------- rows

    def rows(self, runs: Mapping[str, RunSettings], first: RunSettings | None) -> list[Row]:
        """All rows but the first and the conclusions."""
        rows: list[Row] = []
        sets = self._feature_sets(runs, first)
        for number, (features, whole) in enumerate(sets):
            for k, subject in enumerate(self.asked):
                done = 0.3 + 0.6 * (number + k / len(self.asked)) / len(sets)
                self.clock.tell(f"reading {subject.label} from {features.name} features", done)
                rows += self._readings(features, subject, pairs=whole)
                rows += self._atoms(features, subject, whole=whole)
        if self.plan.controls:
            self.clock.tell("reading a supervised network and views", 0.92)
            raw = sets[0][0]
            with self.clock.stage("supervised"):
                rows += [row for one in self.asked for row in self._supervised(raw, one)]
            with self.clock.stage("augmentations"):
                rows += self._augmentations(raw, first)
        return rows

    def _feature_sets(
        self, runs: Mapping[str, RunSettings], first: RunSettings | None
    ) -> list[tuple[Features, bool]]:
        """Features, and whether all that can be estimated from them is."""
        self.clock.tell("plain columns", 0.0)
        with self.clock.stage("columns"):
            sets: list[tuple[Features, bool]] = [(RawFeatures.new(self.samples), True)]
        for number, (name, settings) in enumerate(runs.items()):
            sets.append((self._trained(name, settings, number / len(runs)), True))
        if first is not None and self.plan.controls:
            untrained = new_method(first, self.samples).eval()
            own = self.subsets(pairs=False)
            sets.append((MethodFeatures("untrained", untrained, self.samples, own), False))
        return sets

    def _trained(self, name: str, settings: RunSettings, share: float) -> MethodFeatures:
        part = 0.3 / len(self.plan.methods)

        def tell(now: Any) -> None:
            done = now.epoch / max(now.epochs, 1)
            self.clock.tell(f"training {name}", 0.3 * share + part * done)

        self.clock.tell(f"training {name}", 0.3 * share)
        with self.clock.stage(f"training {name}"):
            method = train(self.whole, settings, report=tell)
        return MethodFeatures(name, method, self.samples, self.subsets(pairs=True))

    def _predictions(self, features: Features, subset: Subset, subject: Subject) -> Predictions:
        """The predictions for all labels of a subject, read once."""
        key = (features.name, subset, subject.label)
        if key not in self.known:
            with self.clock.stage(f"features {features.name}"):
                fit, test = features.of(self.samples, subset)
            with self.clock.stage("readers"):
                self.known[key] = read(
                    fit,
                    subject.coded["probe"],
                    test,
                    self.parts.select(subset),
                    self.reader,
                    classes=subject.classes,
                )
        return self.known[key]

    def _readings(self, features: Features, subject: Subject, *, pairs: bool) -> list[Row]:
        rows = []
        for subset in self.subsets(pairs=pairs):
            found = self._predictions(features, subset, subject)
            common = {
                "kind": "reading",
                "label": subject.label,
                "features": features.name,
                "from": self.called(subset),
            }
            if subject.task.kind == "numbers":
                rows.append({**common, **self._numbers(features, subset, subject)})
            else:
                rows.append({**common, **_scores(subject, found, self.spread)})
        return rows

    def _numbers(self, features: Features, subset: Subset, subject: Subject) -> Row:
        fit, test = features.of(self.samples, subset)
        values = as_numbers(self.samples, "probe", subject.label)
        with self.clock.stage("readers"):
            predicted = regress(fit, values, test, self.parts.select(subset), self.reader)
        return number_reading(self.samples, subject.label, predicted)

    # ----------------------------------------------------------------- atoms

    def _atoms(self, features: Features, subject: Subject, *, whole: bool) -> list[Row]:
        rows: list[Row] = []
        pairs = self.pairs if whole else [p for p in self.pairs if p in self.subsets(pairs=False)]
        for question in subject.questions:
            for pair in pairs:
                rows += self._pair(features, subject, question, pair, whole=whole)
            if len(self.every) > 2:
                tables = {
                    subset: self._predictions(features, subset, subject).test[:, question.place]
                    for subset in self.subsets(pairs=False)
                }
                row = all_row(question, tables, self.names, self.spread)
                common = {"kind": "all", "label": question.label, "features": features.name}
                rows.append({**common, "sources": list(self.names), **row})
        return rows

    def _pair(
        self, features: Features, subject: Subject, question: Question, pair: Subset, *, whole: bool
    ) -> list[Row]:
        a, b = pair
        found = [self._predictions(features, subset, subject) for subset in ((a,), (b,), pair)]
        tables = [one.test[:, question.place] for one in found]
        common = {
            "kind": "atoms",
            "label": question.label,
            "features": features.name,
            "sources": [self.names[a], self.names[b]],
            "partners": GIVEN,
            "entropy": question.entropy(),
            "held_out": held_out_bits(found[2].label(question.place), question),
            "probe": len(question.values["probe"]),
            "columns": found[2].columns,
        }
        rows = self._estimates(question, tables, pair, _groups(self.samples, "test", pair))
        if whole:
            with self.clock.stage("dual"):
                rows.append(self._dual(features, question, pair))
            if self.plan.controls:
                with self.clock.stage("shuffled"):
                    rows += self._shuffled(features, question, pair, tables)
        return [{**common, **row} for row in rows]

    def _estimates(
        self, question: Question, tables: Sequence[FloatArray], pair: Subset, groups: IntArray
    ) -> list[Row]:
        names = (self.names[pair[0]], self.names[pair[1]])
        return pair_rows(question, tables, names, groups, self.plan.level)

    def _dual(self, features: Features, question: Question, pair: Subset) -> Row:
        alone = [features.of(self.samples, (m,)) for m in pair]
        groups = (_groups(self.samples, "probe", pair), _groups(self.samples, "test", pair))
        return dual_row(question, alone, groups, self.plan.level, self.plan.seed)

    def _shuffled(
        self, features: Features, question: Question, pair: Subset, tables: Sequence[FloatArray]
    ) -> list[Row]:
        """Rows with partners shuffled within class, and what the shuffle took from both."""
        b = pair[1]
        labels = {name: question.values[name] for name in ("probe", "test")}
        other, places = shuffled(self.samples, b, labels, self.parts, self.plan.seed)
        fit, test = features.of(other, pair)
        parts = self.parts.select(pair, other.sets["probe"].groups)
        found = read(fit, labels["probe"], test, parts, self.reader, classes=question.classes)
        both = found.test[:, 0]
        groups = _groups(other, "test", pair)
        given = [tables[0], tables[1][places["test"]], both]
        rows = self._estimates(question, given, pair, groups)
        score = surplus(tables[2], labels["test"]) - surplus(both, labels["test"])
        lost = interval(score, Spread.of(len(score), groups, self.plan.level))
        return [{**row, "partners": SHUFFLED, "lost": lost} for row in rows]

    # ----------------------------------------------------------------- controls

    def _supervised(self, raw: Features, subject: Subject) -> list[Row]:
        if subject.task.kind == "numbers":
            return []
        whole = _with_training(self.samples, self.whole, self.plan.seed)
        own = subjects(whole, [subject.label])[0]
        found, count = supervised(whole, raw, own, self.reader)
        made = _scores(subject, _of_probe(found, len(subject.coded["probe"])), self.spread)
        common = {"kind": "reading", "label": subject.label, "features": "supervised"}
        note = f"a network on the plain columns of all, fitted on {count:,} samples"
        return [{**common, "from": list(self.names), **made, "note": note}]

    def _augmentations(self, raw: Features, first: RunSettings | None) -> list[Row]:
        rows: list[Row] = []
        for m, modality in enumerate(self.samples.modalities):
            views = modality.defaults.strong
            if first is not None and first.views_of(m).kind == modality.kind:
                views = first.views_of(m)
            fit, test = viewed_columns(self.samples, m, views, self.plan.seed)
            for subject in self.asked:
                before = self._predictions(raw, (m,), subject)
                after = read(
                    fit,
                    subject.coded["probe"],
                    test,
                    self.parts.select((m,)),
                    self.reader,
                    classes=subject.classes,
                )
                for question in subject.questions:
                    labels = question.values["test"]
                    told = [one.test[:, question.place] for one in (before, after)]
                    bits = [information(p, labels, self.spread)["value"] for p in told]
                    taken = surplus(told[0], labels) - surplus(told[1], labels)
                    rows.append(
                        {
                            "kind": "augmentation",
                            "label": question.label,
                            "modality": modality.name,
                            "views": view_words(views),
                            "before": bits[0],
                            "after": bits[1],
                            "taken": interval(taken, self.spread),
                        }
                    )
        return rows

    # ----------------------------------------------------------------- about

    def about(self, runs: Mapping[str, RunSettings]) -> Row:
        """The row about the data and how it was studied."""
        labels: dict[str, Any] = {}
        for subject in self.asked:
            if subject.task.kind != "classes":
                labels[subject.label] = {
                    "kind": subject.task.kind,
                    "classes": subject.task.classes,
                    "names": list(subject.task.names),
                    "majority": None,
                }
            for question in subject.questions:
                labels.setdefault(question.label, question.about())
        origin = self.whole.origin
        return {
            "kind": "about",
            "data": str(origin.get("source") or origin.get("name") or "own data"),
            "origin": dict(origin),
            "modalities": [
                {"name": m.name, "kind": m.kind, "shape": list(m.shape)}
                for m in self.samples.modalities
            ],
            "sets": {name: len(one) for name, one in self.whole.sets.items()},
            "read": {name: len(self.samples.sets[name]) for name in ("probe", "test")},
            "groups": self._group_count(),
            "labels": labels,
            "settings": {
                "methods": {name: settings.epochs for name, settings in runs.items()},
                "preset": self.plan.preset,
                "seed": self.plan.seed,
                "level": self.plan.level,
                "controls": self.plan.controls,
            },
            "seconds": {name: round(value, 2) for name, value in self.clock.seconds.items()},
            **provenance(self.samples.device),
        }

    def _group_count(self) -> int | None:
        """Fewest test groups of a grouping; None where every sample is a group of its own."""
        groups = self.samples.sets["test"].groups
        counts = [len(np.unique(column)) for column in groups.reshape(len(groups), -1).T]
        return None if min(counts) == len(groups) else min(counts)


def _groups(samples: Samples, name: str, pair: Subset) -> IntArray:
    """Groups of the items of a pair; each sample its own where all are of one group."""
    groups = samples.sets[name].groups
    own = several_groups(groups[:, list(pair)] if groups.ndim == 2 else groups)
    return np.arange(len(groups)) if own is None else own


def _scores(subject: Subject, found: Predictions, spread: Spread) -> Row:
    """Scores of a task of classes, or of many labels."""
    if subject.task.kind == "labels":
        return label_reading(subject, found)
    (question,) = subject.questions
    return class_reading(question, found, spread)


def _fewer(samples: Samples, seed: int) -> Samples:
    """At most so many probe and test samples, drawn at random, in their order."""
    sets = dict(samples.sets)
    for name in ("probe", "test"):
        sets[name] = _drawn(samples, name, ROWS, seed)
    return replace(samples, sets=sets)


def _drawn(samples: Samples, name: str, most: int, seed: int) -> Any:
    one = samples.sets[name]
    if len(one) <= most:
        return one
    return one.select(np.sort(np.random.default_rng([seed, 1]).permutation(len(one))[:most]))


def _with_training(samples: Samples, whole: Samples, seed: int) -> Samples:
    """The samples that are read, with as many training samples as a network is fitted on."""
    train = _drawn(whole, "train", TRAINING_ROWS, seed)
    return replace(samples, sets={**samples.sets, "train": train})


def _of_probe(found: Predictions, count: int) -> Predictions:
    """The predictions, held-out ones of the probe samples alone, which come first."""
    return replace(found, held_out=found.held_out[:count])


__all__ = ["Report", "Study", "study"]
