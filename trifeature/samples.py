"""Samples of any modalities, for training and for probing.

A sample has one item of every modality. Items are stored in a table for each modality and split; a
sample is a row of indices into these tables, so an item of several samples is stored and encoded
once. `Samples.from_arrays` makes samples from arrays, `Dataset.samples` from a Trifeature data set.

P samples in a set, M modalities, N_m items of modality m.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trifeature.arrays import Items, read_items
from trifeature.checks import (
    as_array,
    require_names,
    require_number,
    require_text,
    require_whole,
)
from trifeature.columns import CATEGORIES, as_columns, as_numbers, discrete, missing_rows
from trifeature.errors import InputError, check_name
from trifeature.modality import Modality
from trifeature.pid import Atoms

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]
Batch = tuple[Tensor, ...]
"""The items of N samples: for each modality [N, *shape]."""

SETS: Final = ("train", "probe", "test")
"""The sets of samples: to train a method, to fit a probe, and to test the probe."""

ABSENT: Final = ("", "nan")
"""Labels of text that stand for a missing one. A class may well be called "none"."""

STANDARDIZED: Final = ("vector", "series")
"""Kinds of modality that `Samples.from_arrays` standardizes."""

HIDDEN: Final = "hidden"
"""Key of `Samples.origin` under which modalities that `Samples.hide` left out are recorded."""

NORMALIZED: Final = "normalized"
"""Key of `Samples.origin` under which means and deviations of features are recorded."""


TaskKind = Literal["classes", "labels", "numbers"]


@dataclass(frozen=True)
class Task:
    """What a probe is to read.

    Attributes:
        classes: C: the number of classes, of labels, or of outputs.
        column: Name of its accuracy in rows and tables ("R"); empty for the task's own name.
        mean: Column of the mean over several tasks that includes this one (U of U1, U2), or None.
        atom: Atom of a partial information decomposition that the task measures, or None.
        biased: True if its reported number comes from training on biased samples.
        names: Names of the classes, labels or outputs; empty if they have none.
        kind: `classes`: one of C classes, int64 [P] from 0 to C − 1. `labels`: any number of C
            labels, int64 [P, C] of 0 and 1. `numbers`: C numbers, float64 [P, C].
    """

    classes: int
    column: str = ""
    mean: str | None = None
    atom: str | None = None
    biased: bool = False
    names: tuple[str, ...] = ()
    kind: TaskKind = "classes"


@dataclass(frozen=True, eq=False)
class SampleSet:
    """One set of samples.

    Attributes:
        table: Name of the tables that its items are in.
        rows: int64 [P, M], for each sample the index of its item of each modality.
        labels: For each task int64 [P], int64 [P, C] or float64 [P, C], see `Task.kind`; may be
            empty.
        groups: int64 [P] or [P, M]. Samples with a common group are never on both sides of a
            cross-validation fold.
    """

    table: str
    rows: IntArray = field(repr=False)
    labels: Mapping[str, Array] = field(repr=False)
    groups: IntArray = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, chosen: Array) -> SampleSet:
        """The samples at indices, or those in a Boolean mask [P]."""
        labels = {task: values[chosen] for task, values in self.labels.items()}
        return SampleSet(self.table, self.rows[chosen], labels, self.groups[chosen])


def _unknown_truth() -> Mapping[str, Atoms]:
    return {}


@dataclass(frozen=True, eq=False)
class Samples:
    """A data set of any modalities.

    Attributes:
        modalities: The modalities, in the order of the columns of `SampleSet.rows`.
        items: For each table a tensor of items [N_m, *shape] for each modality.
        sets: `train`, `probe` and `test`.
        tasks: The labels of `probe` and `test`, by name.
        origin: JSON object that identifies the data; it is written to run folders.
        truth: Returns the exact atoms of tasks on the test set; empty if they are unknown.

    Raises:
        InputError: a modality or task has a name that is no text.
    """

    modalities: tuple[Modality, ...]
    items: Mapping[str, tuple[Tensor, ...]] = field(repr=False)
    sets: Mapping[str, SampleSet]
    tasks: Mapping[str, Task]
    origin: Mapping[str, Any] = field(repr=False)
    truth: Callable[[], Mapping[str, Atoms]] = field(default=_unknown_truth, repr=False)

    def __post_init__(self) -> None:
        _require_text_names("modalities", [modality.name for modality in self.modalities])
        _require_text_names("tasks", self.tasks)

    @property
    def device(self) -> torch.device:
        """The device of the items."""
        return next(iter(self.items.values()))[0].device

    def samples(self) -> Samples:
        """Return self, so that samples can be used in place of a data set."""
        return self

    def to(self, device: torch.device | str) -> Samples:
        """Move the items to a device; a table used by several modalities is moved once."""
        moved: dict[int, Tensor] = {}
        for tables in self.items.values():
            for x in tables:
                moved.setdefault(id(x), x.to(device))
        items = {name: tuple(moved[id(x)] for x in tables) for name, tables in self.items.items()}
        return replace(self, items=items)

    def rows_of(self, name: str) -> Tensor:
        """The rows of a set, int64 [P, M], on the items' device."""
        return torch.as_tensor(self.sets[name].rows, device=self.device)

    def batch(self, name: str, rows: Tensor) -> Batch:
        """The items at some rows [N, M] of a set's tables: [N, *shape] for each modality."""
        tables = self.items[self.sets[name].table]
        return tuple(x[places] for x, places in zip(tables, rows.unbind(1), strict=True))

    def absent(self, name: str) -> Array:
        """Whether a sample of a set lacks the whole item of a modality: bool [P, M]."""
        rows, tables = self.sets[name].rows, self.items[self.sets[name].table]
        lacking = np.zeros(rows.shape, np.bool_)
        for m, (modality, x) in enumerate(zip(self.modalities, tables, strict=True)):
            if modality.partial:
                lacking[:, m] = ~modality.present(x).any(1).cpu().numpy()[rows[:, m]]
        return lacking

    def hide(
        self, modality: str, *, share: float = 1.0, sets: Sequence[str] = ("test",), seed: int = 0
    ) -> Samples:
        """Leave a modality out of samples, to see what a method does without it.

        `trifeature.comm.training.method_for` makes a trained method read such samples.

        Args:
            modality: Its name.
            share: Share of the samples, chosen at random.
            sets: The sets to leave it out of.
            seed: Seed of the choice.

        Raises:
            InputError: there is no such modality or set, or the share is not in [0, 1].
        """
        names = [one.name for one in self.modalities]
        place = names.index(check_name("modality", modality, names))
        require_number("share", share, 0, 1)
        require_whole("seed", seed, 0)
        rng, changed, items = np.random.default_rng(seed), dict(self.sets), dict(self.items)
        for name in {one.table for one in self.sets.values()}:
            x = items[name][place]
            x = x.float() / 255 if x.dtype == torch.uint8 else x
            tables = list(items[name])
            tables[place] = torch.cat([x, torch.full_like(x[:1], torch.nan)])
            items[name] = tuple(tables)
        for name in require_names("sets", sets):
            one = changed[check_name("set", name, self.sets)]
            rows = one.rows.copy()
            chosen = rng.permutation(len(rows))[: round(share * len(rows))]
            rows[chosen, place] = len(items[one.table][place]) - 1
            changed[name] = replace(one, rows=rows)
        known = list(self.modalities)
        known[place] = replace(known[place], partial=True)
        note = {"modality": modality, "share": share, "sets": list(sets), "seed": seed}
        origin = {**self.origin, HIDDEN: [*self.origin.get(HIDDEN, []), note]}
        return replace(self, modalities=tuple(known), items=items, sets=changed, origin=origin)

    def column(self, task: str) -> str:
        """Name of a task's accuracy in rows and tables."""
        return self.tasks[task].column or task

    @classmethod
    def from_arrays(
        cls,
        modalities: Mapping[str, Any],
        labels: Any = None,
        *,
        groups: Any = None,
        splits: Any = None,
        kinds: Mapping[str, str] | None = None,
        encoders: Mapping[str, str] | None = None,
        standardize: bool = True,
        test_fraction: float = 0.25,
        seed: int = 0,
        present: Any = None,
        task_kinds: Mapping[str, str] | None = None,
        vocabularies: Mapping[str, int] | None = None,
    ) -> Samples:
        """Make samples from arrays; entry p of every array belongs to sample p.

        Args:
            modalities: Name to items [P, *shape]: NumPy, torch, a data frame of numbers, or nested
                lists. [P, F] is a vector; [P] a vector of one feature; [P, T, F] a series;
                [P, C, H, W], uint8 or floating in [0, 1], an image; a list of strings is tokens,
                its words; anything else needs `kinds`. [P, H, W] of kind "image" has one channel.
                A list may hold series, or lists of tokens, of different lengths; None in a list of
                items or numbers is an absent item. Arrays that need no conversion are not copied.
            labels: Task to labels [P] of anything that sorts: integers, strings, Booleans. [P, C]
                of 0 and 1 are many labels a sample. A data frame is a task for each column.
            groups: Groups that must not be on both sides of a split or fold, [P] (a person, a film)
                or [P, M]. None: each sample is a group of its own.
            splits: [P] of "train", "test" and perhaps "probe", the samples that probes are fitted
                on; without any "probe" these are the training samples. None: drawn by group.
            kinds: Kind of a modality that its shape does not tell.
            encoders: Encoder of a modality, see `trifeature.comm.encoders`.
            standardize: Bring every feature of a vector, and of a series over its steps, to mean 0
                and deviation 1 over the training samples; constant features become 0.
            test_fraction: Fraction of the groups to test on if `splits` is None.
            seed: Seed of the drawn split.
            present: Name of a modality to Booleans [P], or of a series or tokens [P, T]: False
                where its values stand for nothing. Steps after an absent one move up. A data frame
                has a column [P] for each modality.
            task_kinds: Kind of a task, "classes", "labels" or "numbers", see `Task.kind`.
            vocabularies: Number of different tokens of a modality of kind "tokens"; by default one
                more than the greatest token.

        Raises:
            InputError: shapes or lengths that do not fit, values that are not finite, a missing
                label or group, an unknown kind, a name that is no text, or a split that leaves a
                set empty or cuts a group.

        >>> x, y = np.eye(8), np.arange(8) % 2
        >>> data = Samples.from_arrays({"a": x, "b": x}, {"parity": y})
        >>> [m.kind for m in data.modalities], len(data.sets["test"])
        (['vector', 'vector'], 2)
        """
        if not isinstance(modalities, Mapping):
            raise InputError(
                f"modalities must be a dictionary of items by name, not {type(modalities).__name__}"
            )
        if not modalities:
            raise InputError("samples need at least one modality")
        _require_text_names("modalities", modalities)
        labels = _by_name("labels", labels, frame=True)
        _require_text_names("labels", labels)
        kinds = _by_name("kinds", kinds, "modality", modalities)
        encoders = _by_name("encoders", encoders, "modality", modalities)
        present = _by_name("present", present, "modality", modalities, frame=True)
        vocabularies = _by_name("vocabularies", vocabularies, "modality", modalities)
        task_kinds = _by_name("task_kinds", task_kinds, "task", labels)
        read = {
            name: read_items(name, x, kinds.get(name), present.get(name), vocabularies.get(name))
            for name, x in modalities.items()
        }
        P = _common_length(read)
        tasks, coded = _tasks(labels, task_kinds, P)
        grouped = _groups(groups, (P, len(read)))
        split = _splits(splits, grouped, test_fraction, seed)
        own = {name: np.flatnonzero(split == name) for name in SETS}
        if not len(own["probe"]):
            own["probe"] = own["train"]
        _require_known_classes({t: v for t, v in coded.items() if tasks[t].kind == "classes"}, own)
        read = {name: items.coded(own["train"]) for name, items in read.items()}
        tables, normalization = [], {}
        for name, items in read.items():
            x = torch.from_numpy(items.values)
            if items.kind in STANDARDIZED and standardize:
                x, normalization[name] = _standardize(name, x, own["train"])
            tables.append(_as_float32(name, x))
        return cls(
            tuple(
                Modality(
                    name,
                    items.kind,
                    tuple(x.shape[1:]),
                    encoders.get(name),
                    items.vocabulary,
                    partial=x.dtype != torch.uint8 and bool(x.isnan().any()),
                )
                for (name, items), x in zip(read.items(), tables, strict=True)
            ),
            {"all": tuple(tables)},
            {name: _sample_set(own[name], coded, grouped, len(read)) for name in SETS},
            tasks,
            _origin(read, coded, grouped, split) | {NORMALIZED: normalization},
        )


class HasSamples(Protocol):
    """A data set that can be seen as samples: `Samples` itself, or Trifeature's `Dataset`."""

    def samples(self) -> Samples:
        """The data set as samples."""


def samples_of(data: HasSamples) -> Samples:
    """A user's data set as samples.

    Raises:
        InputError: it is none.
    """
    if not hasattr(data, "samples"):
        raise InputError(f"data must be Samples or a Dataset, not {type(data).__name__}")
    return data.samples()


# --------------------------------------------------------------------------- arrays of one's own


def _by_name(
    what: str,
    given: Any,
    kind: str = "",
    known: Mapping[str, Any] | None = None,
    *,
    frame: bool = False,
) -> Mapping[str, Any]:
    """A dictionary, or the columns of a data frame, whose names are among the known ones."""
    if given is None:
        return {}
    if frame and hasattr(given, "columns"):
        given = as_columns(what, given)
    if not isinstance(given, Mapping):
        raise InputError(f"{what} must be a dictionary by name, not {type(given).__name__}")
    if known is not None:
        for name in given:
            check_name(kind, name, known)
    return given


def _require_text_names(what: str, names: Iterable[Any]) -> None:
    """Names that tables and files can hold."""
    for name in names:
        require_text(f"each name of the {what}", name)


def _as_float32(name: str, x: Tensor) -> Tensor:
    """Items as they are stored: uint8 stay, all others become float32."""
    if x.dtype == torch.uint8:
        return x
    items = x.float()
    if items.isinf().any():
        raise InputError(f"modality {name!r} holds values too large for float32: rescale them")
    return items


def _common_length(items: Mapping[str, Items]) -> int:
    """P; all modalities must have it."""
    lengths = {name: len(x) for name, x in items.items()}
    if len(set(lengths.values())) != 1:
        raise InputError(f"modalities need the same number of samples, not {lengths}")
    return next(iter(lengths.values()))


def _tasks(
    labels: Mapping[str, Any], kinds: Mapping[str, str], count: int
) -> tuple[dict[str, Task], dict[str, Array]]:
    """Tasks and their labels, see `Task.kind`."""
    tasks, coded = {}, {}
    for name, values in labels.items():
        columns = as_columns(name, values)
        shape = [len(next(iter(columns.values()))), *([len(columns)] if len(columns) > 1 else [])]
        if shape[0] != count:
            raise InputError(f"labels {name!r} have shape {shape} for {count} samples")
        kind = kinds.get(name) or ("classes" if len(columns) == 1 else "labels")
        check_name("kind of task", kind, get_args(TaskKind))
        if kind == "classes" and len(columns) > 1:
            raise InputError(f"labels {name!r} of one class a sample cannot have shape {shape}")
        tasks[name], coded[name] = _TASKS[kind](name, columns)
    return tasks, coded


def _classes(name: str, columns: Mapping[str, Array]) -> tuple[Task, Array]:
    """One class for each sample, as integers 0 … C − 1."""
    names, codes = _codes(name, f"labels {name!r}", list(columns.values()))
    if len(names) < 2:
        raise InputError(f"labels {name!r} have one class: there is nothing to tell apart")
    return Task(len(names), names=names), codes[:, 0]


def _many_labels(name: str, columns: Mapping[str, Array]) -> tuple[Task, Array]:
    """0 and 1 for each sample and label."""
    table = as_numbers(name, columns)
    if not np.isin(table, (0, 1)).all():
        raise InputError(
            f"labels {name!r} of several columns must be 0 or 1 in each; numbers need "
            f'task_kinds={{{name!r}: "numbers"}}'
        )
    names = _names(name, columns)
    return Task(table.shape[1], names=names, kind="labels"), table.astype(np.int64)


def _numbers(name: str, columns: Mapping[str, Array]) -> tuple[Task, Array]:
    """Numbers for each sample and output."""
    table = as_numbers(name, columns)
    constant = np.flatnonzero(np.ptp(table, axis=0) == 0)
    if len(constant):
        raise InputError(f"labels {name!r}: output {constant[0]} is the same for every sample")
    return Task(table.shape[1], names=_names(name, columns), kind="numbers"), table


def _names(name: str, columns: Mapping[str, Array]) -> tuple[str, ...]:
    """The names of columns that have names of their own, see `as_columns`."""
    own = list(columns)
    numbered = [f"{name}[{place}]" for place in range(len(own))]
    return () if own in (numbered, [name]) else tuple(own)


_TASKS: Final = {"classes": _classes, "labels": _many_labels, "numbers": _numbers}


def _columns(name: str, values: Any) -> list[Array]:
    return list(as_columns(name, values).values())


def _codes(name: str, what: str, columns: Sequence[Array]) -> tuple[tuple[str, ...], IntArray]:
    """Names of the values that occur, sorted, and the place of each entry among them, [P, M].

    Equal entries have one code in every column.
    """
    for column in columns:
        lacking = np.flatnonzero(missing_rows(name, column, words=ABSENT))
        if len(lacking):
            raise InputError(f"{what} lack a value at sample {lacking[0]}")
    entries = (
        columns[0] if len(columns) == 1 else [one for part in columns for one in part.tolist()]
    )
    found = discrete(name, entries, bins=CATEGORIES, words=ABSENT)
    codes = found.codes.astype(np.int64).reshape(len(columns), -1).T
    return tuple(map(str, found.values)), np.ascontiguousarray(codes)


def _groups(groups: Any, shape: tuple[int, int]) -> IntArray:
    """Groups as integers, [P] or [P, M]; `shape` is (P, M)."""
    if groups is None:
        return np.arange(shape[0])
    columns = _columns("groups", groups)
    if len(columns[0]) != shape[0] or len(columns) not in (1, shape[1]):
        found = [len(columns[0]), *([len(columns)] if len(columns) > 1 else [])]
        raise InputError(f"groups must be [{shape[0]}] or {list(shape)}, not {found}")
    codes = _codes("groups", "groups", columns)[1]
    return codes[:, 0] if len(columns) == 1 else codes


def _splits(splits: Any, groups: IntArray, test_fraction: float, seed: int) -> Array:
    """The set of each sample, or "" for one in none: given, or drawn so that no group is cut."""
    if splits is not None:
        array = as_array(splits, "splits").astype(str)
        if array.shape != (len(groups),):
            raise InputError(f"splits must be [{len(groups)}], not {list(array.shape)}")
        for name in np.unique(array).tolist():
            check_name("split", name, SETS)
        for name in ("train", "test"):
            if name not in array:
                raise InputError(f"splits hold no {name!r} sample")
        _require_whole_groups(array, groups)
        return array
    require_number("test_fraction", test_fraction, above=0, below=1)
    require_whole("seed", seed, 0)
    names = np.unique(groups)
    count = max(1, round(test_fraction * len(names)))
    if count >= len(names):
        raise InputError(f"{len(names)} group is too few to split: give `splits`, or more groups")
    tested = np.isin(groups, np.random.default_rng(seed).permutation(names)[:count])
    inside = tested.reshape(len(groups), -1)
    split = np.where(inside.all(1), "test", np.where(inside.any(1), "", "train"))
    for name in ("train", "test"):
        if name not in split:
            raise InputError(f"the drawn split leaves no {name} sample: give `splits`")
    return split


def _require_whole_groups(splits: Array, groups: IntArray) -> None:
    """A group with test samples holds nothing else."""
    tested = np.unique(groups[splits == "test"])
    cut = np.isin(groups, tested).reshape(len(groups), -1).any(1) & (splits != "test")
    if cut.any():
        raise InputError(
            f"splits cut a group: sample {np.flatnonzero(cut)[0]} is not a test sample, but shares "
            "a group with one"
        )


def _require_known_classes(labels: Mapping[str, IntArray], own: Mapping[str, IntArray]) -> None:
    """A probe cannot name a class that it was not fitted on."""
    for task, values in labels.items():
        fitted, scored = (set(values[own[name]].tolist()) for name in ("probe", "test"))
        if len(fitted) < 2 or scored - fitted:
            raise InputError(
                f"labels {task!r}: the samples to fit a probe on must hold every class of the "
                "test samples, and two at least: give `splits`, or if they are no classes "
                f'task_kinds={{{task!r}: "numbers"}}'
            )


def _standardize(name: str, x: Tensor, train: IntArray) -> tuple[Tensor, dict[str, list[float]]]:
    """(x − mean) / deviation of each feature over the training samples, and both.

    Of a series [P, T, F], over the present steps of the training samples.
    """
    fitted = x[torch.from_numpy(train)].double().flatten(0, -2)
    known = fitted[~fitted[:, 0].isnan()]
    fitted = known if len(known) < len(fitted) else fitted
    if not len(fitted):
        raise InputError(f"modality {name!r} is absent from every training sample")
    mean, deviation = fitted.mean(0), fitted.std(0, correction=0)
    if not deviation.isfinite().all():
        raise InputError(f"modality {name!r} holds values too large for float64's squares: rescale")
    scale = torch.where(deviation > 0, deviation, torch.inf)
    scaled = torch.empty_like(x, dtype=torch.float32)
    for own, part in zip(scaled.split(4096), x.split(4096), strict=True):  # float64 is twice x
        own.copy_((part.double() - mean) / scale)
    return scaled, {"mean": mean.tolist(), "deviation": deviation.tolist()}


def _sample_set(
    chosen: IntArray, labels: Mapping[str, Array], groups: IntArray, modalities: int
) -> SampleSet:
    rows = np.repeat(chosen[:, None], modalities, axis=1)
    own = {task: values[chosen] for task, values in labels.items()}
    return SampleSet("all", rows, own, groups[chosen])


def _origin(
    read: Mapping[str, Items],
    labels: Mapping[str, Array],
    groups: IntArray,
    split: Array,
) -> dict[str, Any]:
    """Identity of the arrays: names, kinds, shapes and a digest of their content."""
    digest = hashlib.sha256()
    for items in read.values():
        x = items.values
        kept = x if x.dtype == np.uint8 else x.astype(np.float32, copy=False)
        digest.update(np.ascontiguousarray(kept).data)
    for values in (*labels.values(), groups):
        digest.update(values.tobytes())
    digest.update("\n".join(split.tolist()).encode())
    return {
        "source": "arrays",
        "modalities": [
            {"name": name, "kind": items.kind, "shape": list(items.values.shape)}
            for name, items in read.items()
        ],
        "tasks": sorted(labels),
        "sha256": digest.hexdigest(),
    }
