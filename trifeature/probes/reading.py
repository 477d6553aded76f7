"""Results of probes: the scores of each task, and the row that is recorded.

N samples, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from trifeature.errors import InputError
from trifeature.files import finite
from trifeature.pid import Atoms
from trifeature.probes.classifiers import LOGISTIC
from trifeature.probes.information import learned_information
from trifeature.probes.inputs import FloatArray, IntArray
from trifeature.samples import Task

Splitting = Literal["groups", "samples"]
"""The unit of cross-validation: groups of samples, or single samples."""

ROW_KEYS: Final = (
    *("bits", "costs", "confusion", "information", "test_pairs"),
    *("official", "products", "other_maps"),
)
"""Keys of a row beside the columns of tasks; the last three of a recorded run alone."""


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
    log_probabilities: FloatArray
    confusion: IntArray
    balanced: ProbeResult | None = None
    converged: ProbeResult | None = None


@dataclass(frozen=True, eq=False)
class Reading:
    """The scores of a probe on each task.

    Attributes:
        results: The result of each task, from all modalities together.
        tasks: The same tasks: their classes, columns and atoms.
        samples: Number of test samples.
        alone: The results from each modality alone, by its name; empty if not asked for.
        truth: The exact atoms of tasks on these test samples, where known.
        folds: Whether cross-validation kept apart `groups`, or only single `samples`.
        classifier: Name of the classifier.

    Raises:
        InputError: two columns of the row would have the same name.
    """

    results: Mapping[str, ProbeResult]
    tasks: Mapping[str, Task]
    samples: int
    alone: Mapping[str, Mapping[str, ProbeResult]] = field(default_factory=dict)
    truth: Mapping[str, Atoms] = field(default_factory=dict)
    folds: Splitting = "groups"
    classifier: str = LOGISTIC

    def __post_init__(self) -> None:
        means = {task.mean for task in self.tasks.values() if task.mean}
        names = [*map(self.column, self.results), *means, *self.alone, *ROW_KEYS]
        for name in names:
            if names.count(name) > 1:
                raise InputError(
                    f"a row cannot hold two columns {name!r}: rename the task or the modality"
                )

    def column(self, task: str) -> str:
        """Name of a task's accuracy in rows and tables; by default the task's own."""
        return self.tasks[task].column or task

    def accuracies(self, modality: str | None = None) -> dict[str, float]:
        """Macro accuracies in [0, 1] by column, then the means of tasks that share a `Task.mean`.

        Args:
            modality: Name of a modality to look at alone; None for all together.
        """
        results = self.results if modality is None else self.alone[modality]
        return self._by_column({task: result.macro_accuracy for task, result in results.items()})

    def converged(self) -> dict[str, float]:
        """`R_converged` and so on: accuracies of the authors' probe at its minimum; or nothing."""
        ends = {task: result.converged for task, result in self.results.items()}
        values = {task: end.macro_accuracy for task, end in ends.items() if end is not None}
        named = self._by_column(values) if values else {}
        return {f"{column}_converged": value for column, value in named.items()}

    def _by_column(self, values: Mapping[str, float]) -> dict[str, float]:
        """A value of each task by column, then the means of tasks that share a `Task.mean`."""
        own = {self.column(task): value for task, value in values.items()}
        return own | {
            mean: sum(values[task] for task in parts) / len(parts)
            for mean, parts in self._parts().items()
        }

    def information(self) -> dict[str, dict[str, float]]:
        """`learned_information` by column, then the means of tasks that share a `Task.mean`."""
        values = {
            task: learned_information(result.confusion, result.cross_entropy, self._atom(task))
            for task, result in self.results.items()
        }
        own = {self.column(task): value for task, value in values.items()}
        return own | {
            mean: {
                key: sum(values[task][key] for task in parts) / len(parts)
                for key in values[parts[0]]
                if all(key in values[task] for task in parts)
            }
            for mean, parts in self._parts().items()
        }

    def row(self) -> dict[str, Any]:
        """The numbers as a flat row: accuracies in [0, 1], cross-entropies in bits.

        - R, U1, … (`Task.column`): macro accuracy.
        - U (`Task.mean`): mean of the macro accuracies of its tasks.
        - `S_auc`, of any binary task: area under the ROC curve.
        - `S_balanced`, of any binary task: macro accuracy of the class-balanced probe.
        - `R_converged`, `S_auc_converged`, …, of the authors' probe alone, which stops early: the
          same of the probe that minimizes the same objective with the same cost.
        - `bits`, by column: held-out cross-entropy.
        - `costs`, by column: the chosen cost.
        - `confusion`, by column: test samples by true (rows) and predicted class.
        - `information`, by column and mean: see `learned_information`.
        - `test_pairs`: number of test samples.
        - A modality's name: the accuracies from it alone.
        - `folds`: "samples" where cross-validation had no groups to keep apart.
        - `classifier`: its name where it is not the default.

        None, null in a file, stands for a number that is infinite or undefined: for infinity in
        `bits` and minus infinity in `information`, where a probe rules out a label that occurs; in
        `S_auc` where the test samples hold one class; in `S_balanced` and `costs` where there is no
        such probe or cost.
        """
        named = {self.column(task): result for task, result in self.results.items()}
        row: dict[str, Any] = self.accuracies()
        for column, result in named.items():
            if result.roc_auc is not None:
                row[f"{column}_auc"] = result.roc_auc
                balanced = result.balanced
                row[f"{column}_balanced"] = balanced.macro_accuracy if balanced else None
                if result.converged:
                    row[f"{column}_auc_converged"] = result.converged.roc_auc
        row |= self.converged()
        row["bits"] = {column: result.cross_entropy for column, result in named.items()}
        row["costs"] = {column: result.cost for column, result in named.items()}
        row["confusion"] = {column: result.confusion.tolist() for column, result in named.items()}
        row["information"] = self.information()
        row["test_pairs"] = self.samples
        row |= {modality: self.accuracies(modality) for modality in self.alone}
        if self.folds != "groups":
            row["folds"] = self.folds
        if self.classifier != LOGISTIC:
            row["classifier"] = self.classifier
        return {name: finite(value) for name, value in row.items()}

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
