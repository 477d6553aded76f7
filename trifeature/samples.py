"""Samples of any modalities, for training and for probing.

A sample has one item of every modality. Items are stored in a table for each modality and split; a
sample is a row of indices into these tables, so an item of several samples is stored and encoded
once. `Samples.from_arrays` makes samples from arrays, `Dataset.samples` from a Trifeature data set.

P samples in a set, M modalities, N_m items of modality m.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trifeature.checks import as_array
from trifeature.columns import CATEGORIES, as_columns, discrete, missing_rows
from trifeature.errors import InputError, check_name
from trifeature.modality import KINDS, Modality
from trifeature.pid import Atoms

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]
Batch = tuple[Tensor, ...]
"""The items of N samples: for each modality [N, *shape]."""

SETS: Final = ("train", "probe", "test")
"""The sets of samples: to train a method, to fit a probe, and to test the probe."""

ABSENT: Final = ("", "nan")
"""Labels of text that stand for a missing one. A class may well be called "none"."""

NORMALIZED: Final = "normalized"
"""Key of `Samples.origin` under which the means and deviations of vectors are recorded."""


@dataclass(frozen=True)
class Task:
    """A classification task.

    Attributes:
        classes: Number of classes; labels are 0 … classes − 1.
        column: Name of its accuracy in rows and tables ("R"); empty for the task's own name.
        mean: Column of the mean over several tasks that includes this one (U of U1, U2), or None.
        atom: Atom of a partial information decomposition that the task measures, or None.
        biased: True if its reported number comes from training on biased samples.
        names: Names of the classes; empty if they have none.
    """

    classes: int
    column: str = ""
    mean: str | None = None
    atom: str | None = None
    biased: bool = False
    names: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SampleSet:
    """One set of samples.

    Attributes:
        table: Name of the tables that its items are in.
        rows: int64 [P, M], for each sample the index of its item of each modality.
        labels: int64 [P] for each task; may be empty.
        groups: int64 [P] or [P, M]. Samples with a common group are never on both sides of a
            cross-validation fold.
    """

    table: str
    rows: IntArray
    labels: Mapping[str, IntArray]
    groups: IntArray

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
    """

    modalities: tuple[Modality, ...]
    items: Mapping[str, tuple[Tensor, ...]]
    sets: Mapping[str, SampleSet]
    tasks: Mapping[str, Task]
    origin: Mapping[str, Any]
    truth: Callable[[], Mapping[str, Atoms]] = field(default=_unknown_truth, repr=False)

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

    def column(self, task: str) -> str:
        """Name of a task's accuracy in rows and tables."""
        return self.tasks[task].column or task

    @classmethod
    def from_arrays(
        cls,
        modalities: Mapping[str, Any],
        labels: Mapping[str, Any] | None = None,
        *,
        groups: Any = None,
        splits: Any = None,
        kinds: Mapping[str, str] | None = None,
        encoders: Mapping[str, str] | None = None,
        standardize: bool = True,
        test_fraction: float = 0.25,
        seed: int = 0,
    ) -> Samples:
        """Make samples from arrays; entry p of every array belongs to sample p.

        Args:
            modalities: Name to items [P, *shape]: NumPy, torch, a data frame of numbers, or nested
                lists. [P, F] is a vector; [P, C, H, W], uint8 or floating in [0, 1], an image;
                anything else needs `kinds`. [P, H, W] of kind "image" has one channel.
            labels: Task to labels [P] of anything that sorts: integers, strings, Booleans.
            groups: Groups that must not be on both sides of a split or fold, [P] (a person, a film)
                or [P, M]. None: each sample is a group of its own.
            splits: [P] of "train", "test" and perhaps "probe", the samples that probes are fitted
                on; without any "probe" these are the training samples. None: drawn by group.
            kinds: Kind of a modality that its shape does not tell.
            encoders: Encoder of a modality, see `trifeature.comm.encoders`.
            standardize: Bring every feature of a vector to mean 0 and deviation 1 over the
                training samples; constant features become 0.
            test_fraction: Fraction of the groups to test on if `splits` is None.
            seed: Seed of the drawn split.

        Raises:
            InputError: shapes or lengths that do not fit, values that are not finite, a missing
                label or group, an unknown kind, or a split that leaves a set empty or cuts a
                group.

        >>> x, y = np.eye(8), np.arange(8) % 2
        >>> data = Samples.from_arrays({"a": x, "b": x}, {"parity": y})
        >>> [m.kind for m in data.modalities], len(data.sets["test"])
        (['vector', 'vector'], 2)
        """
        if not modalities:
            raise InputError("samples need at least one modality")
        for given in ({} if kinds is None else kinds, {} if encoders is None else encoders):
            for name in given:
                check_name("modality", name, modalities)
        read = {name: _items(name, x, (kinds or {}).get(name)) for name, x in modalities.items()}
        P = _common_length({name: x for name, (_, x) in read.items()})
        tasks, coded = _tasks(labels or {}, P)
        grouped = _groups(groups, (P, len(read)))
        split = _splits(splits, grouped, test_fraction, seed)
        own = {name: np.flatnonzero(split == name) for name in SETS}
        if not len(own["probe"]):
            own["probe"] = own["train"]
        _require_known_classes(coded, own)
        tables, normalization = [], {}
        for name, (kind, x) in read.items():
            if kind == "vector" and standardize:
                x, normalization[name] = _standardize(name, x, own["train"])  # noqa: PLW2901
            tables.append(_as_float32(name, x))
        chosen = encoders or {}
        return cls(
            tuple(
                Modality(name, kind, tuple(x.shape[1:]), chosen.get(name))
                for (name, (kind, _)), x in zip(read.items(), tables, strict=True)
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


# --------------------------------------------------------------------------- arrays of one's own


def _items(name: str, values: Any, kind: str | None) -> tuple[str, Tensor]:
    """Kind and items [P, *shape] of one modality: vectors are float64 here, uint8 images stay."""
    try:
        array = as_array(values)
    except InputError as problem:
        raise InputError(f"modality {name!r}: {problem}") from None
    except ValueError:
        raise InputError(f"modality {name!r} has items of different lengths") from None
    if array.dtype.kind not in "biuf":
        raise InputError(f"modality {name!r} must hold numbers, not {array.dtype}")
    kind = check_name("kind of modality", kind, KINDS) if kind else _kind_of(name, array)
    if kind == "image" and array.ndim == 3:
        array = array[:, None]
    if not array.size:
        raise InputError(f"modality {name!r} holds no samples")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(f"modality {name!r} holds values that are not finite")
    if kind == "image":
        _check_pixels(name, array)
    if kind == "image":
        wanted: Any = np.uint8 if array.dtype == np.uint8 else np.float32
    else:
        wanted = np.float64  # standardized before they lose digits
    return kind, torch.from_numpy(np.ascontiguousarray(array, dtype=wanted))


def _as_float32(name: str, x: Tensor) -> Tensor:
    """Items as they are stored: uint8 stay, all others become float32."""
    if x.dtype == torch.uint8:
        return x
    items = x.float()
    if not items.isfinite().all():
        raise InputError(f"modality {name!r} holds values too large for float32: rescale them")
    return items


def _kind_of(name: str, array: Array) -> str:
    """The one kind whose items have as many dimensions."""
    fitting = [kind.name for kind in KINDS.values() if kind.dimensions == array.ndim - 1]
    if len(fitting) != 1:
        raise InputError(
            f"modality {name!r}: items of shape {list(array.shape[1:])} are of no kind, or of "
            f"several: say which, kinds={{{name!r}: …}} (one of {', '.join(KINDS)})"
        )
    return fitting[0]


def _check_pixels(name: str, array: Array) -> None:
    """Images are uint8, or floating in [0, 1]."""
    if array.dtype.kind == "f":
        if not 0 <= array.min() <= array.max() <= 1:
            raise InputError(
                f"modality {name!r}: floating images lie in [0, 1], not in "
                f"[{array.min():g}, {array.max():g}]; uint8 images in [0, 255]"
            )
    elif array.dtype != np.uint8:
        raise InputError(f"modality {name!r}: images are uint8 or floating, not {array.dtype}")


def _common_length(items: Mapping[str, Tensor]) -> int:
    """P; all modalities must have it."""
    lengths = {name: len(x) for name, x in items.items()}
    if len(set(lengths.values())) != 1:
        raise InputError(f"modalities need the same number of samples, not {lengths}")
    return next(iter(lengths.values()))


def _tasks(labels: Mapping[str, Any], count: int) -> tuple[dict[str, Task], dict[str, IntArray]]:
    """Tasks and their labels as integers 0 … C − 1."""
    tasks, coded = {}, {}
    for name, values in labels.items():
        columns = _columns(name, values)
        if len(columns) > 1 or len(columns[0]) != count:
            shape = [len(columns[0]), *([len(columns)] if len(columns) > 1 else [])]
            raise InputError(f"labels {name!r} have shape {shape} for {count} samples")
        names, codes = _codes(name, f"labels {name!r}", columns)
        if len(names) < 2:
            raise InputError(f"labels {name!r} have one class: there is nothing to tell apart")
        tasks[name] = Task(len(names), names=names)
        coded[name] = codes[:, 0]
    return tasks, coded


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
        array = as_array(splits).astype(str)
        if array.shape != (len(groups),):
            raise InputError(f"splits must be [{len(groups)}], not {list(array.shape)}")
        for name in np.unique(array).tolist():
            check_name("split", name, SETS)
        for name in ("train", "test"):
            if name not in array:
                raise InputError(f"splits hold no {name!r} sample")
        _require_whole_groups(array, groups)
        return array
    if not 0 < test_fraction < 1:
        raise InputError(f"test_fraction must be between 0 and 1, not {test_fraction:g}")
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
                "test samples, and two at least: give `splits`"
            )


def _standardize(name: str, x: Tensor, train: IntArray) -> tuple[Tensor, dict[str, list[float]]]:
    """(x − mean) / deviation of each feature over the training samples, and both."""
    fitted = x[torch.from_numpy(train)].double()
    mean, deviation = fitted.mean(0), fitted.std(0, correction=0)
    if not deviation.isfinite().all():
        raise InputError(f"modality {name!r} holds values too large for float64's squares: rescale")
    scale = torch.where(deviation > 0, deviation, torch.inf)
    scaled = ((x.double() - mean) / scale).float()
    return scaled, {"mean": mean.tolist(), "deviation": deviation.tolist()}


def _sample_set(
    chosen: IntArray, labels: Mapping[str, IntArray], groups: IntArray, modalities: int
) -> SampleSet:
    rows = np.repeat(chosen[:, None], modalities, axis=1)
    own = {task: values[chosen] for task, values in labels.items()}
    return SampleSet("all", rows, own, groups[chosen])


def _origin(
    read: Mapping[str, tuple[str, Tensor]],
    labels: Mapping[str, IntArray],
    groups: IntArray,
    split: Array,
) -> dict[str, Any]:
    """Identity of the arrays: names, kinds, shapes and a digest of their content."""
    digest = hashlib.sha256()
    for _, x in read.values():
        digest.update((x if x.dtype == torch.uint8 else x.float()).numpy().tobytes())
    for values in (*labels.values(), groups):
        digest.update(values.tobytes())
    digest.update("\n".join(split.tolist()).encode())
    return {
        "source": "arrays",
        "modalities": [
            {"name": name, "kind": kind, "shape": list(x.shape)} for name, (kind, x) in read.items()
        ],
        "tasks": sorted(labels),
        "sha256": digest.hexdigest(),
    }
