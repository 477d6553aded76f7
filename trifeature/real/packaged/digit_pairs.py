"""Pairs of two different measurements of handwritten digits, with R, U and S set by the pairing.

The data are real, and the truth is exact: a pair is put together by the rule of Trifeature, with a
digit d for an image. Its parity r = d mod 2 is the shared attribute, which both digits of a pair
have in common. u = d // 2 is each digit's own, one of five values. A one-to-one map assigns a u to
each u; whether u2 is the one assigned to u1 is the match, which neither digit tells alone.

- `share`: r. Either measurement tells it: column R.
- `unique1`, `unique2`: u of each digit: columns U1 and U2.
- `synergy`: the match: column S. It is reported after biased training, where all pairs keep the
  map; probe and test pairs never do more often than by chance.

A biased set and the unbiased one of the same seed have the same images, probe and test pairs.
What a measurement shows of its digit is not exact, of course: the atoms are those of the digits.

N images of a split, P pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from trifeature.checks import require_choice, require_number, require_whole
from trifeature.data.pairs import Pairs, draw_pairs
from trifeature.data.rule import PairRule
from trifeature.errors import InputError
from trifeature.modality import Modality
from trifeature.pid import Atoms, atoms_of_columns
from trifeature.real.packaged.digits import PIXELS, VIEWS, as_pixels, read_measurements
from trifeature.real.packaged.tables import split_by_class
from trifeature.samples import Samples, SampleSet, Task
from trifeature.threads import one_thread

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]

VALUES: Final = 5
"""Number of values of u, a digit's own attribute."""

MAP_STREAM, PAIR_STREAM = 0x6D6170, 0x706169
"""First seeds of the random streams, which make them independent."""

RULE: Final = PairRule()
"""The rule of the pairs: of the columns shape, texture, color the first is r, the others are u."""

SETS: Final = {"train": "train", "probe": "train", "test": "test"}
"""The split whose images each set of pairs uses."""

TOLERANCE: Final = 1e-6
"""Width of the certified intervals of the exact atoms, in bits."""

TASKS: Final[Mapping[str, Task]] = {
    "share": Task(2, "R", atom="redundancy", names=("even", "odd")),
    "unique1": Task(VALUES, "U1", mean="U", atom="unique1"),
    "unique2": Task(VALUES, "U2", mean="U", atom="unique2"),
    "synergy": Task(2, "S", atom="synergy", biased=True, names=("other", "match")),
}


@dataclass(frozen=True)
class DigitPairsOptions:
    """How pairs of digits are made.

    Attributes:
        first: Measurement of the first digit, see `trifeature.real.packaged.digits.VIEWS`.
        second: Measurement of the second digit; another one.
        pixels: Whether `pix` is a vector of 240 numbers or an image [1, 16, 15].
        pairs: Number of training pairs.
        probe_pairs: Number of pairs that a probe is fitted on.
        test_pairs: Number of pairs that a probe is tested on.
        match_rate: Share of training pairs that keep the map; None leaves it to chance, one in
            five.
        test_fraction: Fraction of the images of each digit for test pairs.
        seed: Seed of the split, the map and the pairs.

    Raises:
        InputError: a value is wrong.
    """

    first: str = "pix"
    second: str = "kar"
    pixels: str = "vector"
    pairs: int = 10_000
    probe_pairs: int = 4_000
    test_pairs: int = 4_000
    match_rate: float | None = None
    test_fraction: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        require_choice("first", self.first, VIEWS)
        require_choice("second", self.second, VIEWS)
        if self.first == self.second:
            raise InputError(f"first and second must be different measurements, not {self.first}")
        require_choice("pixels", self.pixels, PIXELS)
        for name in ("pairs", "probe_pairs", "test_pairs"):
            require_whole(name, getattr(self, name), 1)
        if self.match_rate is not None:
            require_number("match_rate", self.match_rate, 0, 1)
        require_number("test_fraction", self.test_fraction, above=0, below=1)
        require_whole("seed", self.seed, 0)


def read_digit_pairs(folder: Path, options: DigitPairsOptions) -> Samples:
    """Read two measurements of the digits and put pairs together.

    Args:
        folder: Folder with the files of both measurements and of `pix`.
        options: What to read and how to pair.

    Returns:
        Samples with the tasks of the module's description, whose groups are images: a fold never
        holds an image of another. Measurements are standardized over the training images.

    Raises:
        InputError: a file is missing or is not such a table, or there are too few digits for the
            pairs.
    """
    names = (options.first, options.second)
    measured, digits, images = read_measurements(folder, names)
    split = split_by_class(digits, images, options.test_fraction, options.seed)
    splits = {name: np.flatnonzero(split == name) for name in ("train", "test")}
    tables = [_standardized(as_pixels(m, measured[m], options.pixels), splits) for m in names]
    pairs = draw_sets({name: digits[rows] for name, rows in splits.items()}, options)
    items = {name: tuple(table[name] for table in tables) for name in splits}
    return Samples(
        tuple(_modality(m, x["train"]) for m, x in zip(names, tables, strict=True)),
        items,
        {
            name: SampleSet(
                SETS[name], one.images, one.labels, images[splits[SETS[name]]][one.images]
            )
            for name, one in pairs.items()
        },
        dict(TASKS),
        {"map": list(synergy_map(options.seed)), "match_rate": pairs["train"].match_rate},
        lambda: exact_atoms(digits[splits["test"]], pairs["test"]),
    )


def attributes_of(digits: IntArray) -> IntArray:
    """r, u and u of digits [N]: int [N, 3], the columns that the rule calls shape, texture, color.

    >>> attributes_of(np.array([0, 7])).tolist()
    [[0, 0, 0], [1, 3, 3]]
    """
    r, u = digits % 2, digits // 2
    return np.stack([r, u, u], axis=1)


def synergy_map(seed: int) -> tuple[int, ...]:
    """The u2 that is assigned to each u1, a permutation of five values."""
    order = np.random.default_rng([MAP_STREAM, seed]).permutation(VALUES)
    return tuple(order.tolist())


def draw_sets(digits: Mapping[str, IntArray], options: DigitPairsOptions) -> dict[str, Pairs]:
    """Draw training, probe and test pairs.

    Args:
        digits: The digit of each image [N] of `train` and of `test`.
        options: Numbers of pairs, match rate and seed.

    Raises:
        InputError: there are fewer training pairs than asked for.
    """
    counts = (options.pairs, options.probe_pairs, options.test_pairs)
    drawn = {}
    for number, (name, count) in enumerate(zip(SETS, counts, strict=True)):
        drawn[name] = draw_pairs(
            attributes_of(digits[SETS[name]]),
            count,
            RULE,
            synergy_map(options.seed),
            seed=(PAIR_STREAM, number, options.seed),
            match_rate=options.match_rate if name == "train" else None,
        )
    return drawn


def exact_atoms(digits: IntArray, pairs: Pairs) -> dict[str, Atoms]:
    """The exact atoms of every task on pairs of digits [N], in bits; the sources are the digits."""
    first, second = digits[pairs.images].T
    columns = {"digit 1": first, "digit 2": second, **pairs.labels}
    with one_thread():  # results do not depend on the number of cores
        return {
            task: atoms_of_columns(columns, "digit 1", "digit 2", task, tolerance=TOLERANCE)
            for task in TASKS
        }


def _modality(name: str, items: torch.Tensor) -> Modality:
    return Modality(name, "vector" if items.ndim == 2 else "image", tuple(items.shape[1:]))


def _standardized(items: Array, splits: Mapping[str, IntArray]) -> dict[str, torch.Tensor]:
    """Items of each split: vectors to mean 0 and deviation 1 over training images, float32."""
    if items.dtype == np.uint8:
        return {name: torch.from_numpy(items[rows]) for name, rows in splits.items()}
    mean, deviation = items[splits["train"]].mean(0), items[splits["train"]].std(0)
    scaled = (items - mean) / np.where(deviation > 0, deviation, np.inf)
    return {name: torch.from_numpy(scaled[rows]).float() for name, rows in splits.items()}
