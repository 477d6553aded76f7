"""What the readers of packaged sets share: tables of numbers, and splits by class.

P samples, K classes.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.checks import require_choice, require_whole
from trifeature.errors import InputError

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]

SPLIT_STREAM: Final = 0x73706C
"""First seed of the random stream of splits, which makes it independent of others."""


def read_numbers(path: Path) -> npt.NDArray[np.float64]:
    """The rows below the first line of a file of numbers between commas, [P, columns].

    Raises:
        InputError: the file cannot be read, holds no row, or something that is no number.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of a file without rows
            table = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    except (OSError, ValueError, UserWarning) as problem:
        words = " ".join(str(problem).split())
        raise InputError(f"{path} is not a table of numbers: {words}") from None
    if not np.isfinite(table).all():
        raise InputError(f"{path} holds numbers that are not finite")
    return table


def require_names(name: str, values: Any, known: Sequence[str]) -> tuple[str, ...]:
    """Several different words, each one of those that are known.

    Raises:
        InputError: no list of words, no word, one twice, or one that is not known.
    """
    words = (values,) if isinstance(values, str) else _listed(name, values, known[:2])
    for word in words:
        require_choice(name, word, known)
    if not words or len(set(words)) < len(words):
        raise InputError(f"{name} must be different ones of {', '.join(known)}, not {values!r}")
    return words


def require_wholes(name: str, values: Any, low: int, high: int | None = None) -> tuple[int, ...]:
    """Whole numbers of a range, from the lowest: their order says nothing.

    Raises:
        InputError: no list of numbers, or a value that is none of them.
    """
    listed = _listed(name, values, (low + 1, low + 2))
    return tuple(sorted(require_whole(f"each of {name}", one, low, high) for one in listed))


def _listed(name: str, values: Any, example: Sequence[Any]) -> tuple[Any, ...]:
    """The values of a list, tuple or array."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InputError(f"{name} must be a list such as {json.dumps(example)}, not {values!r}")
    return tuple(values)


def split_by_class(
    classes: Array, groups: Array, test_fraction: float, seed: int
) -> npt.NDArray[np.str_]:
    """The set, "train" or "test", of each sample, [P], with a fraction of every class to test.

    Groups are put into sets as a whole, by the class of their first sample. A class of several
    groups has some in both sets; one of a single group is in training.

    Args:
        classes: [P] the class of each sample, of anything that sorts.
        groups: [P] samples with a common group are in one set.
        test_fraction: Fraction of the groups of each class to test on.
        seed: Seed of the choice.
    """
    names, first, own = np.unique(groups, return_index=True, return_inverse=True)
    tested = np.zeros(len(names), np.bool_)
    rng = np.random.default_rng([SPLIT_STREAM, seed])
    for one in np.unique(classes):
        members = rng.permutation(np.flatnonzero(classes[first] == one))
        count = max(1, round(test_fraction * len(members)))
        tested[members[: min(count, len(members) - 1)]] = True
    return np.where(tested[own], "test", "train")


def equal_rows(table: Array) -> IntArray:
    """A number for each row of a table [P, F]; equal rows, and no others, have the same."""
    return np.unique(table, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
