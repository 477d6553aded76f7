"""What is asked of every pair of modalities: labels with a few classes, made of each task.

The atoms need a label with classes. Of a task of classes it is the task itself. Of a task of many
labels it is each of the most frequent ones, present or absent. Of a task of numbers it is whether
an output is above its median over the probe samples.

P samples, L labels or outputs of a task, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.checks import require_names
from trifeature.errors import InputError, check_name
from trifeature.samples import Samples, Task
from trifeature.studies.readers import FloatArray, IntArray

MOST_LABELS: Final = 6
"""Most labels of a task, or outputs, that are asked about one by one."""


@dataclass(frozen=True, eq=False)
class Question:
    """A label with a few classes.

    Attributes:
        label: Its name in rows.
        place: Of the label among those of the task that are read together.
        classes: K.
        names: Names of the classes.
        target: What the classes stand for, in words.
        values: Class of each sample of `probe` and `test`, [P] and [n].
    """

    label: str
    place: int
    classes: int
    names: tuple[str, ...]
    target: str
    values: Mapping[str, IntArray]

    def entropy(self) -> float:
        """Entropy of the class frequencies of the test samples, bits."""
        counts = np.bincount(self.values["test"], minlength=self.classes)
        shares = counts[counts > 0] / counts.sum()
        return float(-(shares * np.log2(shares)).sum())

    def about(self) -> dict[str, Any]:
        """What a row says about it; the majority is among the test samples."""
        counts = np.bincount(self.values["test"], minlength=self.classes)
        return {
            "kind": "classes",
            "classes": self.classes,
            "names": list(self.names),
            "majority": float(counts.max() / counts.sum()),
            "entropy": self.entropy(),
            "target": self.target,
        }


@dataclass(frozen=True, eq=False)
class Subject:
    """A task and the questions that are made of it.

    Attributes:
        label: Name of the task.
        task: The task.
        coded: Classes [P, L] of all labels that a reader reads together, of each set that has them.
        classes: K.
        questions: What is asked of pairs.
    """

    label: str
    task: Task
    coded: Mapping[str, IntArray]
    classes: int
    questions: tuple[Question, ...]


def subjects(samples: Samples, labels: Sequence[str] | None) -> list[Subject]:
    """The tasks with these names, or all.

    Raises:
        InputError: there is no task, no such task, or a name is asked for twice.
    """
    if not samples.tasks:
        raise InputError("nothing to study: the samples have no label")
    names = list(samples.tasks if labels is None else require_names("labels", labels))
    if not names:
        raise InputError("nothing to study: name a label")
    for name in names:
        check_name("label", name, samples.tasks)
        if names.count(name) > 1:
            raise InputError(f"label {name!r} is named twice")
    return [_subject(samples, name) for name in names]


def _subject(samples: Samples, label: str) -> Subject:
    task = samples.tasks[label]
    given = {
        name: np.asarray(one.labels[label])
        for name, one in samples.sets.items()
        if label in one.labels
    }
    if task.kind == "classes":
        values = {name: codes.astype(np.int64) for name, codes in given.items()}
        names = task.names or tuple(map(str, range(task.classes)))
        question = Question(label, 0, task.classes, names, label, values)
        coded = {name: codes[:, None] for name, codes in values.items()}
        return Subject(label, task, coded, task.classes, (question,))
    outputs = task.names or tuple(map(str, range(task.classes)))
    if task.kind == "labels":
        coded = {name: codes.astype(np.int64) for name, codes in given.items()}
        order = np.argsort(-coded["probe"].sum(0), kind="stable")
        chosen = [int(k) for k in order[:MOST_LABELS] if 0 < coded["probe"][:, k].mean() < 1]
        words = {k: (f"not {outputs[k]}", outputs[k]) for k in chosen}
        targets = {k: f"whether {outputs[k]} is among the labels" for k in chosen}
    else:
        tables: dict[str, FloatArray] = {
            name: table.reshape(len(table), -1).astype(np.float64) for name, table in given.items()
        }
        middle = np.median(tables["probe"], axis=0)
        coded = {name: (table > middle).astype(np.int64) for name, table in tables.items()}
        chosen = list(range(min(MOST_LABELS, coded["probe"].shape[1])))
        words = dict.fromkeys(chosen, ("up to the median", "above the median"))
        targets = {
            k: f"whether {outputs[k] if len(outputs) > 1 else label} is above {middle[k]:.4g}, its "
            "median over the probe samples: numbers are split in two for the atoms"
            for k in chosen
        }
    several = coded["probe"].shape[1] > 1
    questions = tuple(
        Question(
            f"{label}: {outputs[k]}" if several else label,
            k,
            2,
            words[k],
            targets[k],
            {name: codes[:, k] for name, codes in coded.items()},
        )
        for k in chosen
    )
    return Subject(label, task, coded, 2, questions)


def as_numbers(samples: Samples, name: str, label: str) -> npt.NDArray[np.float64]:
    """The numbers of a task [P, outputs] of a set."""
    values = np.asarray(samples.sets[name].labels[label], dtype=np.float64)
    return values.reshape(len(values), -1)
