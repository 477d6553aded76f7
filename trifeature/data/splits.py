"""Combinations of attributes, and their split into training and held-out combinations.

N combinations, K values of an attribute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from trifeature.data.attributes import ATTRIBUTES
from trifeature.errors import InputError

IntArray = npt.NDArray[np.int64]


def all_combinations(counts: Mapping[str, int]) -> IntArray:
    """Every combination of shape, texture and color: int [K1·K2·K3, 3], in order."""
    grids = np.meshgrid(*(np.arange(counts[name]) for name in ATTRIBUTES), indexing="ij")
    return np.stack([grid.ravel() for grid in grids], axis=1)


def split_combinations(
    combinations: IntArray, held_out: int, *, seed: int | Sequence[int], balanced: bool
) -> tuple[IntArray, IntArray]:
    """Split combinations at random into training and held-out combinations.

    Args:
        combinations: int [N, 3], all different.
        held_out: Number of combinations to hold out.
        seed: Seed of this split.
        balanced: Hold out every value of every attribute equally often (to within one). A small
            random split can lack a value, and scores then depend on which one.

    Returns:
        The training combinations, int [N − held_out, 3], and the held-out ones, in the given order.

    Raises:
        InputError: `held_out` leaves nothing on one side.
    """
    if not 0 < held_out < len(combinations):
        raise InputError(
            f"held-out combinations must be from 1 to {len(combinations) - 1}, not {held_out}"
        )
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(combinations), dtype=bool)
    if balanced:
        chosen[_balanced_choice(combinations, held_out, rng)] = True
    else:
        chosen[rng.permutation(len(combinations))[:held_out]] = True
    return combinations[~chosen], combinations[chosen]


def _balanced_choice(combinations: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """Indices of `count` combinations in which each attribute's values occur equally often.

    Local search by exchanges from a random start, so it works for any set of combinations,
    including one that lacks some. A search that ends with counts that differ by more than one is
    repeated from another start; the result of the 100th is returned whatever its counts.
    """
    for _ in range(100):
        chosen = _exchange_until_even(combinations, count, rng)
        counts = [np.bincount(c[chosen], minlength=c.max() + 1) for c in combinations.T]
        if all(np.ptp(values) <= 1 for values in counts):
            break
    return chosen


def _exchange_until_even(combinations: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """One local search: exchange combinations while that makes the counts of values more even.

    Minimizes |e|², where e = counts − goal over all values of all attributes.
    """
    order = rng.permutation(len(combinations))
    inside, outside = order[:count], order[count:]
    sizes = combinations.max(axis=0) + 1
    one_hot = np.concatenate(
        [np.eye(size)[column] for size, column in zip(sizes, combinations.T, strict=True)], axis=1
    )
    goal = np.concatenate([np.full(size, count / size) for size in sizes])
    while True:
        excess = one_hot[inside].sum(axis=0) - goal
        # Exchanging i (one-hot a_i) for j (one-hot b_j), d = b_j − a_i, changes |e|² by
        # |e + d|² − |e|² = 2 e·d + |d|².
        moves = one_hot[outside][None, :, :] - one_hot[inside][:, None, :]
        change = 2 * (moves @ excess) + (moves**2).sum(axis=2)
        best = np.unravel_index(change.argmin(), change.shape)
        if change[best] >= -1e-9:
            return inside
        inside[best[0]], outside[best[1]] = outside[best[1]], inside[best[0]]
