"""Bills and bodies of penguins: a table for lessons, four numbers a bird (Gorman et al. 2014).

The file is a table with a first line of names; `NA` stands for a missing value. Birds that lack a
value that is read are left out: 333 of 344 remain.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from trifeature.checks import require_number, require_whole
from trifeature.errors import InputError
from trifeature.real.packaged.tables import split_by_class
from trifeature.real.source import find_file
from trifeature.samples import Samples

FILE: Final = "penguins.csv"
MISSING: Final = ("NA", "")
MODALITIES: Final = {
    "bill": ("bill_length_mm", "bill_depth_mm"),
    "body": ("flipper_length_mm", "body_mass_g"),
}
"""The columns of each modality: millimetres and grams."""

TASKS: Final = ("species", "sex", "island")


@dataclass(frozen=True)
class PenguinsOptions:
    """How the penguins are split.

    Attributes:
        test_fraction: Fraction of the birds of each species and sex to test on.
        seed: Seed of the split.

    Raises:
        InputError: a value is wrong.
    """

    test_fraction: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        require_number("test_fraction", self.test_fraction, above=0, below=1)
        require_whole("seed", self.seed, 0)


def read_penguins(folder: Path, options: PenguinsOptions) -> Samples:
    """Read the birds as samples of two vectors.

    Args:
        folder: Folder with the file.
        options: The split.

    Returns:
        Samples with the tasks `species`, `sex` and `island`, standardized over the training birds.

    Raises:
        InputError: the file is missing, lacks a column, or holds a value that is no number.
    """
    path = find_file(folder, FILE)
    names = [*TASKS, *(column for columns in MODALITIES.values() for column in columns)]
    birds = [row for row in _rows(path, names) if not any(row[name] in MISSING for name in names)]
    if not birds:
        raise InputError(f"{path} holds no bird with every value")
    kind = np.array([f"{bird['species']} {bird['sex']}" for bird in birds])
    return Samples.from_arrays(
        {name: _numbers(path, birds, columns) for name, columns in MODALITIES.items()},
        {task: [bird[task] for bird in birds] for task in TASKS},
        splits=split_by_class(kind, np.arange(len(birds)), options.test_fraction, options.seed),
    )


def _rows(path: Path, names: list[str]) -> list[dict[str, str]]:
    """The rows of the file by the names of its columns."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            rows = [{key: value or "" for key, value in row.items()} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise InputError(f"{path} is not a table: {problem}") from None
    if lacking := [name for name in names if name not in (reader.fieldnames or ())]:
        raise InputError(f"{path} lacks the column {lacking[0]}")
    return rows


def _numbers(
    path: Path, birds: list[dict[str, str]], columns: tuple[str, ...]
) -> npt.NDArray[np.float64]:
    """Some columns as numbers, [P, columns]."""
    try:
        return np.array([[float(bird[column]) for column in columns] for bird in birds])
    except ValueError as problem:
        raise InputError(f"{path}: {problem}") from None
