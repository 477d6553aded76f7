"""Handwritten digits, each measured in six ways: one modality a measurement.

The UCI set "Multiple Features" (Duin 1998): 200 digits of each class on Dutch utility maps, as
Fourier coefficients of the shape (`fou`), profile correlations (`fac`), Karhunen-Loève coefficients
(`kar`), averages of 2 × 3 pixels (`pix`: 16 rows of 15, from 0 to 6), Zernike moments (`zer`) and
six morphological features (`mor`). Fourier coefficients, Zernike moments and morphological features
hardly tell a six from a nine, which is a six that was turned; pixels do.

The files have a first line of column numbers, and in the last column the digit. They list the
digits in one order, sorted by class. Who wrote which is not known, so writers cannot be split.
Six digits stand in the files twice; both are put in the same set.

P digits, F features of a measurement.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.checks import require_choice, require_flag, require_number, require_whole
from trifeature.errors import InputError
from trifeature.real.packaged.tables import (
    equal_rows,
    read_numbers,
    require_names,
    require_wholes,
    split_by_class,
)
from trifeature.real.source import find_file
from trifeature.samples import Samples

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]

VIEWS: Final = ("fou", "fac", "kar", "pix", "zer", "mor")
"""The measurements, in the order of the package that ships them."""

PICTURE: Final = "pix"
"""The measurement that tells whether two digits are the same image."""

TASK: Final = "digit"
DIGITS: Final = tuple(range(10))
ROWS, COLUMNS, DARKEST = 16, 15, 6
"""Size of a digit in `pix`, and its largest value."""

PIXELS: Final = ("vector", "image")


@dataclass(frozen=True)
class DigitsOptions:
    """How the digits are read.

    Attributes:
        views: The measurements that become modalities, of `VIEWS`.
        only: The digits that are read, in any order.
        others: Train on all ten digits; `only` says which are left to probe and test on.
        pixels: Whether `pix` is a vector of 240 numbers or an image [1, 16, 15].
        test_fraction: Fraction of the digits of each class to test on.
        seed: Seed of the split.

    Raises:
        InputError: a value is wrong.
    """

    views: tuple[str, ...] = VIEWS
    only: tuple[int, ...] = DIGITS
    others: bool = False
    pixels: str = "vector"
    test_fraction: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        set_(self, "views", require_names("views", self.views, VIEWS))
        set_(self, "only", require_wholes("only", self.only, 0, 9))
        if len(set(self.only)) < max(2, len(self.only)):
            raise InputError(f"only must be two or more different digits, not {self.only}")
        require_flag("others", self.others)
        require_choice("pixels", self.pixels, PIXELS)
        require_number("test_fraction", self.test_fraction, above=0, below=1)
        require_whole("seed", self.seed, 0)


def read_digits(folder: Path, options: DigitsOptions) -> Samples:
    """Read the digits as samples with one modality for each measurement.

    Args:
        folder: Folder with the file `mfeat-VIEW.csv` of each measurement that is read.
        options: What to read.

    Returns:
        Samples with the task `digit`; its classes are the digits of `only`.

    Raises:
        InputError: a file is missing or is not a table of these measurements.
    """
    measured, digits, images = read_measurements(folder, options.views)
    split = split_by_class(digits, images, options.test_fraction, options.seed)
    kept = np.isin(digits, DIGITS if options.others else options.only)
    samples = Samples.from_arrays(
        {name: as_pixels(name, x, options.pixels)[kept] for name, x in measured.items()},
        {TASK: digits[kept]},
        groups=images[kept],
        splits=split[kept],
    )
    return _of_digits(samples, options.only) if options.others else samples


def _of_digits(samples: Samples, only: tuple[int, ...]) -> Samples:
    """Probe and test on these digits alone; training samples stay, without labels."""
    sets = {"train": replace(samples.sets["train"], labels={})}
    for name in ("probe", "test"):
        one = samples.sets[name]
        some = one.select(np.isin(one.labels[TASK], only))
        codes = np.searchsorted(only, some.labels[TASK])
        sets[name] = replace(some, labels={TASK: codes.astype(np.int64)})
    task = replace(samples.tasks[TASK], classes=len(only), names=tuple(map(str, only)))
    return replace(samples, sets=sets, tasks={TASK: task})


def read_measurements(
    folder: Path, views: tuple[str, ...]
) -> tuple[dict[str, Array], IntArray, IntArray]:
    """Read measurements of the digits.

    Args:
        folder: Folder with the files of these measurements and of `pix`.
        views: Names of measurements.

    Returns:
        Each measurement [P, F] by name; the digits [P]; and a number for each image [P]. Digits of
        equal pixels are one image, whatever measurements are read.

    Raises:
        InputError: a file is missing or is not such a table, or they list different digits.
    """
    tables = {view: _read_file(folder, view) for view in (*views, PICTURE)}
    digits = tables[PICTURE][:, -1]
    for view, table in tables.items():
        if not np.array_equal(table[:, -1], digits):
            raise InputError(f"mfeat-{view}.csv and mfeat-{PICTURE}.csv list different digits")
    images = equal_rows(tables[PICTURE])
    return {view: tables[view][:, :-1] for view in views}, digits.astype(np.int64), images


def _read_file(folder: Path, view: str) -> Array:
    """Features and, in the last column, the digit: [P, F + 1]."""
    path = find_file(folder, f"mfeat-{view}.csv")
    table = read_numbers(path)
    if table.shape[1] < 2 or not np.isin(table[:, -1], DIGITS).all():
        raise InputError(f"{path} must have features, and a digit in the last column")
    return table


def as_pixels(name: str, table: Array, pixels: str) -> Array:
    """`pix` [P, 240] as uint8 images [P, 1, 16, 15] if these are wanted; others as they are."""
    if (name, pixels) != (PICTURE, "image"):
        return table
    if table.shape[1] != ROWS * COLUMNS or table.min() < 0 or table.max() > DARKEST:
        raise InputError(f"pix must be {ROWS * COLUMNS} numbers from 0 to {DARKEST}")
    grey = np.round(table * (255 / DARKEST)).astype(np.uint8)
    return grey.reshape(-1, 1, ROWS, COLUMNS)
