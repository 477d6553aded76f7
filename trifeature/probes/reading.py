"""Results of probes: the scores of each task, and the row that is recorded.

N samples, C classes, labels or outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from trifeature.errors import InputError
from trifeature.files import finite
from trifeature.pid import Atoms
from trifeature.probes.classifiers import LOGISTIC
from trifeature.probes.information import labels_information, learned_information
from trifeature.probes.inputs import FloatArray, IntArray
from trifeature.probes.many_labels import LabelsResult
from trifeature.probes.metrics import mean_known
from trifeature.probes.ridge import NumbersResult
from trifeature.samples import Task

Splitting = Literal["groups", "samples"]
"""The unit of cross-validation: groups of samples, or single samples."""

ROW_KEYS: Final = (
    *("bits", "costs", "confusion", "information", "test_pairs"),
    *("official", "products", "other_maps"),
)
"""Keys of a row beside the columns of tasks; the last three of a recorded run alone."""

FURTHER_KEYS: Final = ("kinds", "parts", "without")
"""Keys of rows that hold tasks of many labels or numbers, or all modalities but one."""

Results = Mapping[str, Any]
"""For each task a `ProbeResult` of classes, a `LabelsResult` of many labels, or a `NumbersResult`.

A task's kind decides which, so the type of one entry cannot be told from its name.
"""


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """The scores of one task's probe on the test samples.

    Attributes:
        cost: The chosen C of a logistic regression; None for another classifier.
        held_out_accuracy: Macro accuracy on the held-out samples of cross-validation, the mean over
            the folds, in [0, 1].
        macro_accuracy: Mean recall over the classes among the test labels, in [0, 1].
        cross_entropy: Bits a sample; infinite if a test label was ruled out, as one is that never
            occurred among the samples fitted on.
        roc_auc: Of class 1 of a binary task; NaN if the test labels hold one class; None for more
            than two classes.
        log_probabilities: Natural logarithms [N, C].
        confusion: Counts [C, C], true classes in rows.
        balanced: The class-balanced probe of a binary task, if fitted. Its probabilities, and so
            its cross-entropy, assume equally frequent classes.
        converged: Of the authors' probe, which stops early: the same objective at its minimum.
    """

    cost: float | None
    held_out_accuracy: float
    macro_accuracy: float
    cross_entropy: float
    roc_auc: float | None
    log_probabilities: FloatArray = field(repr=False)
    confusion: IntArray = field(repr=False)
    balanced: ProbeResult | None = None
    converged: ProbeResult | None = None

    @property
    def accuracy(self) -> float:
        """Fraction of the test samples classified rightly, in [0, 1]."""
        return float(self.confusion.trace() / self.confusion.sum())

    @property
    def majority(self) -> float:
        """Share of the most frequent class of the test samples, which naming it always reaches."""
        return float(self.confusion.sum(axis=1).max() / self.confusion.sum())


class Measure(NamedTuple):
    """One measure of a task: its name, its value by chance, its value; shown in percent or not."""

    name: str
    chance: float
    value: float
    percent: bool = True

    def show(self, value: float) -> str:
        """A value as people read it: percent, or four digits."""
        return f"{100 * value:.1f}" if self.percent else f"{value:.4g}"


@dataclass(frozen=True, eq=False)
class Reading:
    """The scores of a probe on each task.

    Attributes:
        results: The result of each task, from all modalities together: a `ProbeResult` of classes,
            a `LabelsResult` of many labels, a `NumbersResult` of numbers.
        tasks: The same tasks: their classes, columns and atoms.
        samples: Number of test samples.
        alone: The results from each modality alone, by its name; empty if not asked for.
        truth: The exact atoms of tasks on these test samples, where known.
        folds: Whether cross-validation kept apart `groups`, or only single `samples`.
        classifier: Name of the classifier.
        without: The results from all modalities but one, by its name; empty if not asked for.

    Raises:
        InputError: two columns of the row would have the same name.
    """

    results: Results
    tasks: Mapping[str, Task]
    samples: int
    alone: Mapping[str, Results] = field(default_factory=dict)
    truth: Mapping[str, Atoms] = field(default_factory=dict)
    folds: Splitting = "groups"
    classifier: str = LOGISTIC
    without: Mapping[str, Results] = field(default_factory=dict)

    def __post_init__(self) -> None:
        means = {task.mean for task in self.tasks.values() if task.mean}
        further = [key for task in self.results for key in self._further(task, self.results)]
        names = [*map(self.column, self.results), *further, *means, *self.alone, *ROW_KEYS]
        if self.without or not all(isinstance(x, ProbeResult) for x in self.results.values()):
            names += FURTHER_KEYS
        for name in names:
            if names.count(name) > 1:
                raise InputError(
                    f"a row cannot hold two columns {name!r}: rename the task or the modality"
                )

    def column(self, task: str) -> str:
        """Name of a task's accuracy in rows and tables; by default the task's own."""
        return self.tasks[task].column or task

    def scores(self, modality: str | None = None) -> dict[str, float]:
        """The main number of each task by column, then the means of tasks with one `Task.mean`.

        Of classes it is macro accuracy, in [0, 1]; of many labels macro F1, in [0, 1]; of numbers
        R², at most 1.

        Args:
            modality: Name of a modality to look at alone; None for all together.
        """
        return self._scores(self.results if modality is None else self.alone[modality])

    def accuracies(self, modality: str | None = None) -> dict[str, float]:
        """As `scores`, of tasks of classes alone: macro accuracies in [0, 1]."""
        results = self.results if modality is None else self.alone[modality]
        return self._scores(_classes_of(results))

    def converged(self) -> dict[str, float]:
        """`R_converged` and so on: accuracies of the authors' probe at its minimum; or nothing."""
        ends = {task: result.converged for task, result in _classes_of(self.results).items()}
        values = {task: end.macro_accuracy for task, end in ends.items() if end is not None}
        named = self._by_column(values) if values else {}
        return {f"{column}_converged": value for column, value in named.items()}

    def _scores(self, results: Results) -> dict[str, float]:
        return self._by_column({task: _measures(one)[0].value for task, one in results.items()})

    def _by_column(self, values: Mapping[str, float]) -> dict[str, float]:
        """A value of each task by column, then the means of tasks that share a `Task.mean`."""
        own = {self.column(task): value for task, value in values.items()}
        return own | {
            mean: sum(values[task] for task in parts) / len(parts)
            for mean, parts in self._parts().items()
            if all(task in values for task in parts)
        }

    def information(self) -> dict[str, dict[str, float]]:
        """Bits by column, then the means of tasks that share a `Task.mean`.

        `learned_information` of classes, `labels_information` of many labels; none of numbers.
        """
        values = {
            task: learned_information(result.confusion, result.cross_entropy, self._atom(task))
            if isinstance(result, ProbeResult)
            else labels_information(result.shares, result.bits)
            for task, result in self.results.items()
            if not isinstance(result, NumbersResult)
        }
        own = {self.column(task): value for task, value in values.items()}
        return own | {
            mean: {
                key: sum(values[task][key] for task in parts) / len(parts)
                for key in values[parts[0]]
                if all(key in values[task] for task in parts)
            }
            for mean, parts in self._parts().items()
            if all(task in values for task in parts)
        }

    def row(self) -> dict[str, Any]:
        """The numbers as a flat row: accuracies and F1 in [0, 1], cross-entropies in bits.

        - R, U1, … (`Task.column`), or the task's name: macro accuracy of classes, macro F1 of many
          labels, R² of numbers.
        - U (`Task.mean`): mean of these of its tasks.
        - `S_auc`, of any binary task: area under the ROC curve.
        - `S_balanced`, of any binary task: macro accuracy of the class-balanced probe.
        - `y_accuracy`, `y_majority`, of classes without a `Task.column`: plain accuracy, and the
          share of the most frequent class, which always naming it would reach.
        - `y_weighted_f1`, `y_average_precision`, of many labels: means over the labels; `y_plain`,
          `y_plain_weighted_f1`: macro and weighted F1 of the probe that weights all samples
          equally. (`y` itself and the others are of the class-balanced one, but of the authors'
          protocol, which has no other than the plain.)
        - `y_mse`, `y_correlation`, of numbers: mean squared error, and Pearson's correlation, means
          over the outputs.
        - `R_converged`, `S_auc_converged`, …, of the authors' probe alone, which stops early: the
          same of the probe that minimizes the same objective with the same cost.
        - `bits`, by column: cross-entropy on the test samples, a loss: lower is better. Of many
          labels the sum, of a plain probe whose cost is chosen by held-out cross-entropy. How many
          bits the features tell is in `information`.
        - `costs`, by column: the chosen cost; of many labels one for each, of numbers the
          penalty α.
        - `confusion`, by column, of classes: test samples by true (rows) and predicted class.
        - `information`, by column and mean: bits that the features tell, higher is better; see
          `learned_information` and `labels_information`.
        - `test_pairs`: number of test samples.
        - A modality's name: the scores from it alone; of tasks without a `Task.column` also
          `y_accuracy`, `y_weighted_f1` or `y_mse`.
        - `without`, by modality: the same from all the others.
        - `kinds`, of other tasks than classes: the kind of each, by column.
        - `parts`, by column, of other tasks than classes: `f1` of each label, or `r2` and `mse` of
          each output, in the order of `Task.names`.
        - `folds`: "samples" where cross-validation had no groups to keep apart.
        - `classifier`: its name where it is not the default.

        None, null in a file, stands for a number that is infinite or undefined: for infinity in
        `bits` and minus infinity in `information`, where a probe rules out a label that occurs; in
        `S_auc` where the test samples hold one class; in `S_balanced` and `costs` where there is no
        such probe or cost; for a label or an output that does not vary among the test samples.
        """
        named = {self.column(task): result for task, result in self.results.items()}
        classes = {c: result for c, result in named.items() if isinstance(result, ProbeResult)}
        row: dict[str, Any] = self.scores()
        for task in self.results:
            row |= self._further(task, self.results)
        row |= self.converged()
        row["bits"] = {
            column: result.cross_entropy if column in classes else result.bits
            for column, result in named.items()
            if not isinstance(result, NumbersResult)
        }
        row["costs"] = {column: _cost(result) for column, result in named.items()}
        row["confusion"] = {column: result.confusion.tolist() for column, result in classes.items()}
        row["information"] = self.information()
        row["test_pairs"] = self.samples
        row |= {modality: self._from(results) for modality, results in self.alone.items()}
        if self.without:
            row["without"] = {name: self._from(results) for name, results in self.without.items()}
        if others := [task for task in self.results if self.column(task) not in classes]:
            row["kinds"] = {self.column(task): self.tasks[task].kind for task in others}
            row["parts"] = {self.column(task): _parts_of(self.results[task]) for task in others}
        if self.folds != "groups":
            row["folds"] = self.folds
        if self.classifier != LOGISTIC:
            row["classifier"] = self.classifier
        return {name: finite(value) for name, value in row.items()}

    def table(self) -> list[list[str]]:
        """What people read of any tasks: a heading, then a line for each measure of each task.

        Percent, except for R² and mean squared errors. Chance is what features that tell nothing
        reach: of macro accuracy one over the number of classes, of accuracy the share of the most
        frequent class, of F1 that of telling every label every time, of average precision the
        labels' shares, of mean squared error that of the fitted samples' mean.
        """
        sides = [("all", self.results)]
        sides += [(f"{name} alone", found) for name, found in self.alone.items()]
        sides += [(f"all but {name}", found) for name, found in self.without.items()]
        lines = [["task", "kind", "measure", "chance", *(name for name, _ in sides)]]
        for task in self.results:
            columns = [_measures(found[task]) for _, found in sides]
            for first, *others in zip(*columns, strict=True):
                cells = [first.show(one.value) for one in (first, *others)]
                words = [self.column(task), self.tasks[task].kind, first.name]
                lines.append([*words, first.show(first.chance), *cells])
        return lines

    def _further(self, task: str, results: Results) -> dict[str, Any]:
        """What a row says of one task beside its main number, in one place for each key."""
        column, result = self.column(task), results[task]
        found: dict[str, float | None]
        if isinstance(result, LabelsResult):
            found = {
                "weighted_f1": result.weighted_f1,
                "average_precision": result.mean_average_precision,
            }
            if result.plain:
                plain = result.plain
                found |= {"plain": plain.macro_f1, "plain_weighted_f1": plain.weighted_f1}
        elif isinstance(result, NumbersResult):
            found = {"mse": result.mse, "correlation": result.correlation}
        else:
            found = _of_two_classes(result)
            if not self.tasks[task].column:
                found |= {"accuracy": result.accuracy, "majority": result.majority}
        return {f"{column}_{name}": value for name, value in found.items()}

    def _from(self, results: Results) -> dict[str, float]:
        """The scores from some modalities, and the second measure of each task of one's own."""
        second = {
            f"{self.column(task)}_{name}": value
            for task, result in results.items()
            if not self.tasks[task].column
            for name, value in [_second(result)]
        }
        return self._scores(results) | second

    def _parts(self) -> dict[str, list[str]]:
        """The tasks that each mean averages."""
        parts: dict[str, list[str]] = {}
        for name, task in self.tasks.items():
            if task.mean:
                parts.setdefault(task.mean, []).append(name)
        return parts

    def _atom(self, task: str) -> float | None:
        """The exact value of a task's atom, where known."""
        atom = self.tasks[task].atom
        return self.truth[task].value(atom) if atom and task in self.truth else None


def _classes_of(results: Results) -> dict[str, ProbeResult]:
    return {task: one for task, one in results.items() if isinstance(one, ProbeResult)}


def _of_two_classes(result: ProbeResult) -> dict[str, float | None]:
    """ROC-AUC, the class-balanced accuracy, and the converged probe's ROC-AUC if there is one."""
    if result.roc_auc is None:
        return {}
    balanced = result.balanced.macro_accuracy if result.balanced else None
    found = {"auc": result.roc_auc, "balanced": balanced}
    return found | ({"auc_converged": result.converged.roc_auc} if result.converged else {})


def _second(result: Any) -> tuple[str, float]:
    """Name in rows and value of a result's second measure."""
    if isinstance(result, LabelsResult):
        return "weighted_f1", result.weighted_f1
    return (
        ("mse", result.mse) if isinstance(result, NumbersResult) else ("accuracy", result.accuracy)
    )


def _cost(result: Any) -> Any:
    if isinstance(result, LabelsResult):
        return list(result.costs)
    return result.alpha if isinstance(result, NumbersResult) else result.cost


def _parts_of(result: LabelsResult | NumbersResult) -> dict[str, list[float]]:
    if isinstance(result, LabelsResult):
        return {"f1": result.f1.tolist()}
    return {"r2": result.r_squares.tolist(), "mse": result.errors.tolist()}


def _measures(result: Any) -> list[Measure]:
    """The measures of a task's result as tables show them; the first is its main number."""
    if isinstance(result, LabelsResult):
        shares, always = result.shares, result.always
        known = np.where(shares > 0, shares, np.nan)
        return [
            Measure("macro F1", mean_known(always), result.macro_f1),
            Measure("weighted F1", mean_known(always, shares), result.weighted_f1),
            Measure("average precision", mean_known(known), result.mean_average_precision),
        ]
    if isinstance(result, NumbersResult):
        constant = float(result.constant_errors.mean())
        return [
            Measure("R²", 0.0, result.r2, percent=False),
            Measure("mean squared error", constant, result.mse, percent=False),
        ]
    present = int((result.confusion.sum(axis=1) > 0).sum())
    found = [
        Measure("macro accuracy", 1 / present, result.macro_accuracy),
        Measure("accuracy", result.majority, result.accuracy),
    ]
    return found if result.roc_auc is None else [*found, Measure("ROC-AUC", 0.5, result.roc_auc)]
