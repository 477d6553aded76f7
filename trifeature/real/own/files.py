"""A user's own files as samples: one file a modality, and a column that is asked about.

A table (delimited text, Parquet) is read by `trifeature.columns`, an array by NumPy (`.npy`, and
`.npz` with `values` and perhaps `present` and `id`). Rows belong together by their order, or by a
column of identifiers that all files have.

P rows, F features, T steps.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from trifeature.checks import require_choice, require_number, require_whole
from trifeature.columns import MISSING_WORDS, is_continuous
from trifeature.columns.coding import coded, shown
from trifeature.errors import InputError, check_name
from trifeature.real.own.columns import MOST_VALUES, Array, Features, Table, features_of
from trifeature.real.own.reading import (
    FileContent,
    Stack,
    features_of_array,
    join,
    read_all,
    read_content,
    spelled_path,
    stem_of,
)
from trifeature.real.source import sha256_of
from trifeature.samples import Samples

WAYS: Final = ("refuse", "drop", "mean")
"""What to do where a value is missing."""

FILLED: Final = ("vector", "tokens")
"""Kinds whose missing values can be filled in: by means, or by no word at all."""

FEWEST_ROWS: Final = 40
"""Fewer rows than this are not enough to learn from and to test on."""

FEWEST_OF_A_CLASS: Final = 5
"""Rows of a class that has fewer are left out."""

TRIES: Final = 200
"""Draws of the split, until train and test hold every class."""

LABEL_MISSING: Final = MISSING_WORDS - {"none"}
"""Words that stand for a missing label; "none" may well be a class."""

ELSEWHERE: Final = "--labels FILE names the file that holds it"
"""What is offered for a label that no file of features holds."""


@dataclass(frozen=True)
class OwnFiles:
    """What is what in a user's files.

    Attributes:
        labels: The file that holds the labels; None for the one that has their columns.
        label: Columns of classes; empty for all of the file of labels.
        number: Columns of numbers to be predicted.
        group: Column of what must not be on both sides of a split: a person, a film.
        id: Column by which the rows of all files are joined; None for their order.
        drop: Columns that are no features.
        missing: Where a value is missing: refuse; drop the row, also where an item is absent
            altogether; or the mean over training rows.
        test_fraction: Fraction of the groups to test on.
        seed: Seed of the drawn split.

    Raises:
        InputError: a value out of range, or a column in two roles.
    """

    labels: str | None = None
    label: tuple[str, ...] = ()
    number: tuple[str, ...] = ()
    group: str | None = None
    id: str | None = None
    drop: tuple[str, ...] = ()
    missing: str = "refuse"
    test_fraction: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        require_choice("way to treat missing values", self.missing, WAYS)
        require_number("test_fraction", self.test_fraction, above=0, below=1)
        require_whole("seed", self.seed, 0, 2**63 - 1)
        named = [*self.label, *self.number, *(n for n in (self.group, self.id) if n is not None)]
        for name, times in Counter(named).items():
            if times > 1:
                raise InputError(f"column {name!r} is named twice among labels, group and id")

    @property
    def asked(self) -> tuple[str, ...]:
        """The columns that are labels by name."""
        return (*self.label, *self.number)


@dataclass(frozen=True, eq=False)
class _Question:
    """What is asked about, row by row: classes and numbers by name, and the groups.

    `lacking` has words on each row that lacks one of them.
    """

    classes: dict[str, Array]
    numbers: dict[str, Array]
    groups: Array | None
    lacking: Mapping[int, str]
    rows: int

    def select(self, rows: Array) -> _Question:
        return _Question(
            {name: values[rows] for name, values in self.classes.items()},
            {name: values[rows] for name, values in self.numbers.items()},
            None if self.groups is None else self.groups[rows],
            {},
            len(rows),
        )


def read_own_files(
    paths: Sequence[Path | str], options: OwnFiles, *, complete: bool = False
) -> Samples:
    """Read a user's files as samples.

    Numbers are features, standardized over the training rows; a column of at most 50 words is a
    category, one-hot; a file whose only column is text is read word by word. An array is [P, F]
    numbers, [P, T, F] series (a step that is NaN throughout is absent), or [P, C, H, W] images.

    Args:
        paths: The files, each a modality that is named after it.
        options: What is what in them.
        complete: Refuse an item that is absent altogether, as a missing value that cannot be filled
            in: a method is trained on samples that have every modality. Else such items are kept,
            unless their rows are dropped.

    Returns:
        The samples; `origin` holds the digests of the files under "files", and under "notes" a
        sentence on each decision that was made for the user.

    Raises:
        InputError: a file that cannot be read, rows that do not fit, a value that is missing, a
            column that is neither numbers nor a category, or too little to test on. The message
            says what to do.
    """
    notes: list[str] = []
    contents = read_all([str(path) for path in paths])
    asking, everything = _asking(contents, options)
    joined = join(everything.values(), options.id, options.drop, notes.append)
    rows = dict(zip(everything, joined, strict=True))
    question = _question(asking, everything, rows, options)
    _require_dropped(everything.values(), options)
    roles = {options.group, options.id, *question.classes, *question.numbers}
    parts = [_features(one, roles, options, notes.append) for one in contents]
    features = {
        one.name: _select(part, rows[one.path]) for one, part in zip(contents, parts, strict=True)
    }
    keep = _complete(question, features.values(), options, complete, notes.append)
    keep = keep[_frequent(question.select(keep), notes.append)]
    if len(keep) < FEWEST_ROWS:
        raise InputError(f"{len(keep)} rows are too few to learn from: {FEWEST_ROWS} at the least")
    chosen = {name: _select(part, keep) for name, part in features.items()}
    samples = _samples(chosen, question.select(keep), options)
    _note_twins(samples, notes.append)
    read = [*map(str, paths), *([options.labels] if options.labels else [])]
    files = {path: sha256_of(Path(path)) for path in dict.fromkeys(read)}
    known = {"source": "files", "files": files, "options": asdict(options), "notes": notes}
    return replace(samples, origin={**samples.origin, **known})


# --------------------------------------------------------------------------- who is asked


def _asking(
    contents: Sequence[FileContent], options: OwnFiles
) -> tuple[Table, dict[str, FileContent]]:
    """The table of labels, and all files by path, this one included."""
    everything = {one.path: one for one in contents}
    if options.labels is not None:
        return _named(options, everything), everything
    if not options.asked:
        raise InputError("say what is asked about: --label COLUMN, or --labels FILE")
    tables = [one for one in contents if isinstance(one, Table)]
    holding = [one for one in tables if set(options.asked) <= set(one.columns)]
    if len(holding) == 1:
        return holding[0], everything
    if holding:
        paths = " and ".join(one.path for one in holding)
        raise InputError(f"{paths} both hold the labels: say which counts, --labels FILE")
    known = [column for one in tables for column in one.columns]
    if not known:
        raise InputError(f"arrays have no columns to ask about: {ELSEWHERE}")
    for name in options.asked:
        try:
            check_name("column to ask about", name, known)
        except InputError as problem:
            raise InputError(f"{problem}: {ELSEWHERE}") from None
    raise InputError("no file holds all the labels: put them into one, --labels FILE")


def _named(options: OwnFiles, everything: dict[str, FileContent]) -> Table:
    """The file of labels that was named, which is added to `everything`."""
    labels = str(options.labels)
    path = spelled_path(labels)
    own = path not in everything
    if own:
        everything[path] = read_content(stem_of(labels), labels)
    asking = everything[path]
    if not isinstance(asking, Table):
        raise InputError(f"{path} is an array without names: labels are columns of a table")
    if not own and not options.asked:
        raise InputError(f"{path} holds features too: name the labels, --label COLUMN")
    return asking


def _question(
    asking: Table,
    everything: Mapping[str, FileContent],
    rows: Mapping[str, Array],
    options: OwnFiles,
) -> _Question:
    """The labels and groups, joined."""
    for name in options.asked:
        check_name(f"column of {asking.path}", name, asking.columns)
    labels = _labels(asking, options)
    own = rows[asking.path]
    lacking: dict[int, str] = {}
    classes = {name: _classes(asking, name) for name in labels}
    numbers = {name: _numbers(asking, name) for name in options.number}
    for name, values in {**classes, **numbers}.items():
        _note_missing(asking, name, values, own, lacking)
    groups = None
    if options.group is not None:
        holder = _holder(options.group, asking, everything)
        texts = _texts(holder.columns[options.group])
        _note_missing(holder, options.group, texts, rows[holder.path], lacking)
        groups = texts[rows[holder.path]]
    return _Question(
        {name: values[own] for name, values in classes.items()},
        {name: values[own] for name, values in numbers.items()},
        groups,
        lacking,
        len(own),
    )


def _labels(asking: Table, options: OwnFiles) -> Sequence[str]:
    """The columns of classes: those named, or all that have no other role."""
    if options.asked:
        return options.label
    found = [n for n in asking.columns if n not in {options.group, options.id, *options.drop}]
    if not found:
        raise InputError(f"{asking.path} has no column that could be a label")
    return found


def _holder(name: str, asking: Table, everything: Mapping[str, FileContent]) -> Table:
    """The table that a column of groups is read from: that of the labels, or any other."""
    tables = [asking, *(one for one in everything.values() if isinstance(one, Table))]
    found = next((one for one in tables if name in one.columns), None)
    if found is None:
        known = dict.fromkeys(c for one in tables for c in one.columns)
        check_name("column of groups", name, known)
        raise AssertionError  # check_name has refused it
    return found


def _texts(values: Array) -> Array:
    """Values as text, None where one is missing: names of classes and groups."""
    one = coded("", values, LABEL_MISSING)
    found = np.array([*map(str, one.found), None], dtype=object)
    return np.asarray(found[one.codes])


def _classes(table: Table, name: str) -> Array:
    """A column of classes as text [P], None where one is missing."""
    values = table.columns[name]
    one = coded(name, values, LABEL_MISSING)
    different = len(one.found)
    if one.kind == "number" and (different > MOST_VALUES or is_continuous(values)):
        raise InputError(
            f"{table.says(name)} holds {different} different numbers, which are no classes: give "
            f"--number {name}, --group {name} or --drop {name}, or name the labels with --label"
        )
    if different > MOST_VALUES:
        raise InputError(
            f"{table.says(name)} holds {different} different words, more than {MOST_VALUES}: give "
            f"--group {name} or --drop {name}, or name the labels with --label"
        )
    if different < 2:
        raise InputError(f"{table.says(name)} has one value: there is nothing to tell apart")
    return _texts(values)


def _numbers(table: Table, name: str) -> Array:
    """A column of numbers to be predicted [P], None where one is missing."""
    one = coded(name, table.columns[name])
    if one.kind != "number":
        raise InputError(f"{table.says(name)} must hold numbers, not {shown(one.found[0])}")
    if len(one.found) < 2:
        raise InputError(f"{table.says(name)} has one value: there is nothing to predict")
    found = np.array([*map(float, one.found), None], dtype=object)
    if not np.isfinite(found[:-1].astype(float)).all():
        raise InputError(f"{table.says(name)} holds infinity: mend it")
    return np.asarray(found[one.codes])


def _note_missing(
    table: Table, name: str, values: Array, own: Array, lacking: dict[int, str]
) -> None:
    """Words on each joined row whose label or group is missing."""
    missing = np.array([value is None for value in values], dtype=bool)[own]
    for row in np.flatnonzero(missing).tolist():
        words = f"{table.says(name)} lacks a value in {table.place(int(own[row]))}"
        lacking.setdefault(row, words)


# --------------------------------------------------------------------------- features


def _require_dropped(files: Iterable[FileContent], options: OwnFiles) -> None:
    """A column that is dropped exists somewhere."""
    known = [name for one in files if isinstance(one, Table) for name in one.columns]
    for name in options.drop:
        check_name("column to drop", name, known)


def _features(
    one: FileContent, roles: Set[str | None], options: OwnFiles, note: Callable[[str], None]
) -> Features:
    """The features of a file, in its own order; `roles` are the columns that are none."""
    if isinstance(one, Stack):
        return features_of_array(one, note)
    taken = [name for name in one.columns if name in roles and name != options.id]
    if taken:
        names = ", ".join(map(repr, taken))
        note(f"{names} of {one.path}: label or group, so no feature")
    kept = {n: v for n, v in one.columns.items() if n not in roles and n not in options.drop}
    if not kept:
        raise InputError(f"{one.path} has no column left that could be a feature")
    return features_of(replace(one, columns=kept), note)


def _select(part: Features, rows: Array) -> Features:
    """The features of some rows."""
    texts = isinstance(part.items, list)
    items: Any = [part.items[row] for row in rows.tolist()] if texts else part.items[rows]
    places = {row: place for place, row in enumerate(rows.tolist())}
    lacking, absent = (
        {places[row]: words for row, words in told.items() if row in places}
        for told in (part.lacking, part.absent)
    )
    present = None if part.present is None else part.present[rows]
    return replace(part, items=items, lacking=lacking, present=present, absent=absent)


# --------------------------------------------------------------------------- rows to keep


def _complete(
    question: _Question,
    features: Iterable[Features],
    options: OwnFiles,
    complete: bool,
    note: Callable[[str], None],
) -> Array:
    """The rows that lack nothing, or nothing that cannot be filled or may be absent."""
    parts = list(features)
    strict = {**question.lacking, **_merged(p.lacking for p in parts if p.kind not in FILLED)}
    filled = _merged(p.lacking for p in parts if p.kind in FILLED)
    absent = _merged(p.absent for p in parts)
    if complete:
        strict = absent | strict
    if options.missing == "refuse" and (strict or filled):
        lacking = strict | filled
        raise InputError(
            f"{lacking[min(lacking)]} ({len(lacking)} of {question.rows} rows lack one): "
            "--missing drop leaves such rows out"
            + ("" if strict else ", --missing mean fills in the mean of the training rows")
        )
    if options.missing == "mean" and strict:
        raise InputError(
            f"{strict[min(strict)]}, which cannot be filled in: --missing drop leaves the row out"
        )
    if options.missing == "mean":
        if filled:
            note(f"{len(filled)} rows lacked values: means of the training rows stand for them")
        return np.arange(question.rows)
    gone = sorted(strict | filled | (absent if options.missing == "drop" else {}))
    if gone:
        what = "a value or a whole item" if absent else "a value"
        note(f"{len(gone)} of {question.rows} rows lack {what}: they are left out")
    return np.setdiff1d(np.arange(question.rows), gone)


def _merged(told: Iterable[Mapping[int, str]]) -> dict[int, str]:
    """Words on each row; the first that are told."""
    found: dict[int, str] = {}
    for one in told:
        for row, words in one.items():
            found.setdefault(row, words)
    return found


def _frequent(question: _Question, note: Callable[[str], None]) -> Array:
    """The places of rows whose classes are frequent enough to be tested on."""
    keep = np.ones(question.rows, dtype=bool)
    for name, values in question.classes.items():
        for value, count in Counter(values.tolist()).items():
            if count < FEWEST_OF_A_CLASS:
                note(f"{name} is {shown(value)} in {count} rows only: they are left out")
                keep &= values != value
    return np.flatnonzero(keep)


# --------------------------------------------------------------------------- samples


def _samples(features: Mapping[str, Features], question: _Question, options: OwnFiles) -> Samples:
    for name, values in question.classes.items():
        if len(set(values.tolist())) < 2:
            raise InputError(f"label {name!r} has one value left: there is nothing to tell apart")
    split = draw_split(
        question.classes, question.groups, options.test_fraction, options.seed, question.rows
    )
    train = split == "train"
    numbers = {name: values.astype(np.float64) for name, values in question.numbers.items()}
    return Samples.from_arrays(
        {name: _filled(name, part, train, options) for name, part in features.items()},
        {**question.classes, **numbers},
        groups=question.groups,
        splits=split,
        kinds={name: part.kind for name, part in features.items()},
        task_kinds=dict.fromkeys(numbers, "numbers"),
        present={n: part.present for n, part in features.items() if part.present is not None},
    )


def _note_twins(samples: Samples, note: Callable[[str], None]) -> None:
    """Say how many test samples have the items of a training sample: a reader may know them."""
    train, test = (_digests(samples, name) for name in ("train", "test"))
    known = set(train)
    if count := sum(own in known for own in test):
        note(
            f"{count} of {len(test)} test rows have the same features as a training row: if they "
            "are copies, leave them out, or keep them together with --group"
        )


def _digests(samples: Samples, name: str) -> list[bytes]:
    """A digest of all items of each sample of a set."""
    one = samples.sets[name]
    items = [item.numpy() for item in samples.items[one.table]]
    return [
        hashlib.sha256(b"".join(x[k].tobytes() for x, k in zip(items, row, strict=True))).digest()
        for row in one.rows.tolist()
    ]


def _filled(name: str, part: Features, train: Array, options: OwnFiles) -> Any:
    """Items with the mean of the training rows where a value is missing."""
    if options.missing != "mean" or part.kind != "vector":
        return part.items
    numbers, there = part.items, train if part.present is None else train & part.present
    known = ~np.isnan(numbers[there])
    if not known.any(0).all():
        place = int(np.argmin(known.any(0)))
        feature = part.names[place] if part.names else place
        raise InputError(f"{name}: feature {feature!r} has no value in the training rows: drop it")
    means = np.where(known, numbers[there], 0.0).sum(0) / known.sum(0)
    return np.where(np.isnan(numbers), means, numbers)


def draw_split(
    classes: Mapping[str, Array],
    groups: Array | None,
    test_fraction: float,
    seed: int,
    rows: int,
) -> Array:
    """Draw "train" or "test" for each row, [P]: no group is cut, both sides hold every class.

    Args:
        classes: Labels [P] by name.
        groups: [P] what must not be on both sides; None: each row is a group of its own.
        test_fraction: Fraction of the groups to test on.
        seed: Seed of the draws, which are repeated until every class is on both sides.
        rows: P.

    Raises:
        InputError: fewer than two groups, or a class that too few groups hold.
    """
    held = np.arange(rows) if groups is None else groups.astype(str)
    names, own = np.unique(held, return_inverse=True)
    count = max(1, round(test_fraction * len(names)))
    if count >= len(names):
        raise InputError(f"{len(names)} group is too few to split: half of them are tested on")
    generator = np.random.default_rng(seed)
    for _ in range(TRIES):
        tested = np.isin(own, generator.permutation(len(names))[:count])
        if all(_on_both_sides(values, tested) for values in classes.values()):
            return np.where(tested, "test", "train")
    raise InputError(
        _too_few(classes, own, f"{len(names)} {'rows' if groups is None else 'groups'}")
    )


def _on_both_sides(values: Array, tested: Array) -> bool:
    return set(values[tested].tolist()) == set(values[~tested].tolist())


def _too_few(classes: Mapping[str, Array], own: Array, groups: str) -> str:
    """Words on the class that the fewest groups hold."""
    held = {
        (name, value): len(np.unique(own[values == value]))
        for name, values in classes.items()
        for value in set(values.tolist())
    }
    (name, value), count = min(held.items(), key=lambda item: item[1])
    return (
        f"no split of the {groups} leaves every class to train and to test on: {name} is "
        f"{shown(value)} in {count} of them; leave this class out, or take other groups"
    )
