"""Blocks of pairs in a screening: tables counted, solved together and compared with shuffles.

Every block is a function of the data, the settings and its pairs alone: the results do not depend
on how the pairs are cut into blocks, nor on the process that takes one.

Shape legend: n samples, c columns, P pairs, S shuffles of the target whose tables are solved, R
further permutations of it for the total alone, T = 1 + S tables of a pair, N values of X1, M
values of X2, K values of Y.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trifeature.pid.atoms import ATOM_NAMES, ROUNDING
from trifeature.pid.estimation.estimates import rows_needed
from trifeature.pid.measures import decompose
from trifeature.pid.solver import union_bounds
from trifeature.pid.tables import LN2, TINY, Array, informations
from trifeature.threads import one_thread

Pairs: TypeAlias = NDArray[np.intp]
"""[P, 2] numbers of the columns of every pair."""

Block: TypeAlias = NDArray[np.intp]
"""Positions of some pairs among all, whose tables have one shape."""

Codes: TypeAlias = NDArray[np.unsignedinteger[Any]]
Values: TypeAlias = dict[str, NDArray[Any]]
"""One array [P] for every entry of the rows of a screening, see `SCREEN_FIELDS`."""

SCREEN_ATOMS: Final = (*ATOM_NAMES, "total")
"""The atoms, and I(X1, X2; Y), their sum."""

# Numbers N M K^2 of the tables that are solved in one batch; more of them leave the cache.
BATCH_NUMBERS = 131_072
# The same for a block: half a second of work, which is what a kill can lose.
BLOCK_NUMBERS = 600_000
# Codes of permuted targets, or cells of their tables, that are counted at once.
COUNTED_AT_ONCE = 262_144
# Difference in bits below which two totals count as equal: a hundred times their rounding.
# Least share of different totals for which a gamma distribution stands.
DIFFERENT: Final = 0.2
TIE = 1e-12

Counts: TypeAlias = NDArray[np.int64]

Correction: TypeAlias = Callable[[Counts, Array, Array], Array]
"""Takes counts [P, N, M, K] of pairs, plug-in values [P, 5] of `SCREEN_ATOMS` and the means of the
shuffles [P, 5] (nan without shuffles); returns corrected values."""

PAIR_CORRECTIONS: Final[dict[str, Correction]] = {
    "shuffle": lambda _, plug_in, null_mean: plug_in - null_mean,
    "none": lambda _, plug_in, __: plug_in,
}
"""Registry of the corrections by name."""

SCREEN_FIELDS: Final = (
    *SCREEN_ATOMS,
    *(f"{kind}_{name}" for kind in ("plug_in", "null_mean", "null_sd") for name in SCREEN_ATOMS),
    "gap",
    "converged",
    "p_value_total",
    "p_value_total_tail",
    "needed",
    "too_few",
)
"""What a block finds about each of its pairs; in bits up to `gap`."""


@dataclass(frozen=True, eq=False)
class Work:
    """The data and settings that all blocks share.

    Attributes:
        codes: [c, n] values of the columns, numbered 0, 1, ...
        sizes: Numbers of values of the c columns.
        target: [n] values of the target, numbered 0, 1, ...
        classes: K.
        shuffles: S.
        permutations: R.
        seed: Seed of the permutations.
        correction: A key of `PAIR_CORRECTIONS`.
        measure: A key of `trifeature.pid.measures.MEASURES`.
        tolerance: Largest certified gap of a table, bits.
    """

    codes: Codes
    sizes: tuple[int, ...]
    target: Codes
    classes: int
    shuffles: int
    permutations: int
    seed: int
    correction: str
    measure: str
    tolerance: float

    def shape(self, pair: NDArray[np.intp]) -> tuple[int, int, int]:
        """Return N, M and K of a pair of column numbers."""
        return self.sizes[pair[0]], self.sizes[pair[1]], self.classes

    def bytes_needed(self, pairs: Pairs) -> int:
        """Bytes that one process needs at the least: the data, and the largest table solved."""
        N, M, K = map(float, self.shape(pairs[self.largest(pairs)]))
        data = 2 * (1 + self.shuffles + self.permutations) * self.target.nbytes + self.codes.nbytes
        # Counts and probabilities of all tables; six arrays of N M K^2 numbers in the solver.
        return int(data + 8 * N * M * K * (2 * (1 + self.shuffles) + 6 * K))

    def largest(self, pairs: Pairs) -> int:
        """Position of the pair with the largest table."""
        sizes = np.asarray(self.sizes, dtype=np.float64)
        return int((sizes[pairs[:, 0]] * sizes[pairs[:, 1]]).argmax())


def compact(codes: NDArray[np.integer[Any]], size: int) -> Codes:
    """Codes in the smallest unsigned type that holds `size` different ones."""
    return codes.astype(np.min_scalar_type(max(size - 1, 0)))


def cut(work: Work, pairs: Pairs, todo: Block) -> Iterator[Block]:
    """Cut the pairs at the positions `todo` [P] into blocks of tables of one shape, by shape."""
    sizes = np.asarray(work.sizes)
    one, other = sizes[pairs[todo, 0]], sizes[pairs[todo, 1]]
    order = np.lexsort((todo, other, one))
    ordered = todo[order]
    changes = np.flatnonzero(np.diff(one[order]) | np.diff(other[order])) + 1
    for group in np.split(ordered, changes):
        if len(group):
            N, M, K = work.shape(pairs[group[0]])
            numbers = (1 + work.shuffles) * N * M * K * K
            length = max(1, BLOCK_NUMBERS // numbers)
            yield from (group[i : i + length] for i in range(0, len(group), length))


class Solver:
    """Solves blocks of pairs; holds the permuted targets, which are the same for every pair."""

    def __init__(self, work: Work) -> None:
        rng = np.random.default_rng(work.seed)
        permuted = [rng.permutation(work.target) for _ in range(work.shuffles + work.permutations)]
        self.work = work
        self.targets = np.stack([work.target, *permuted])
        self._classes = np.bincount(work.target)
        counts = np.arange(len(work.target) + 1, dtype=np.float64)
        self._n_log_n = counts * np.log(np.maximum(counts, 1.0))

    def solve(self, pairs: Pairs) -> Values:
        """The values of `SCREEN_FIELDS` of pairs [P, 2] of column numbers, all of one shape."""
        shape = self.work.shape(pairs[0])
        found = [self._count(pair, shape) for pair in pairs]
        tables = np.stack([counts for counts, _ in found])
        totals = np.stack([total for _, total in found])
        tables = tables.reshape(len(pairs), -1, *shape)
        with one_thread():
            solved = self._atoms(tables.reshape(-1, *shape))
        return self._values(tables[:, 0], solved.reshape(len(pairs), -1, 6), totals)

    def _count(self, pair: NDArray[np.intp], shape: tuple[int, int, int]) -> tuple[Counts, Array]:
        """Counts [T, N M K] of a pair, and the totals [1 + S + R] of all targets in bits.

        n ln 2 I(X; Y) = sum_xy c log c - sum_x c log c - sum_y c log c + n log n over the counts c,
        where x stands for both sources. Permutations change the first sum alone.
        """
        _, M, K = shape
        size = int(np.prod(shape))
        cells = self.work.codes[pair[0]].astype(np.intp) * M + self.work.codes[pair[1]]
        parts, sums = [], []
        step = max(1, COUNTED_AT_ONCE // max(len(cells), size))
        for first in range(0, len(self.targets), step):
            targets = self.targets[first : first + step]
            offsets = size * np.arange(len(targets))[:, None]
            index = (cells * K + offsets) + targets
            counts = np.bincount(index.ravel(), minlength=size * len(targets))
            counts = counts.reshape(len(targets), size)
            parts.append(counts[: max(0, 1 + self.work.shuffles - first)].copy())
            sums.append(self._n_log_n[counts].sum(1))
        n = len(cells)
        single = self._n_log_n[np.bincount(cells)].sum() + self._n_log_n[self._classes].sum()
        totals = (np.concatenate(sums) - single + self._n_log_n[n]) / (n * LN2)
        return np.concatenate(parts), totals

    def _atoms(self, counts: Counts) -> Array:
        """The four atoms, the total and the gap, [tables, 6] bits, of counts [tables, N, M, K]."""
        _, N, M, K = counts.shape
        step = max(1, BATCH_NUMBERS // (N * M * K * K))
        function = _broja if self.work.measure == "BROJA" else _other
        parts = [
            function(counts[i : i + step] / len(self.work.target), self.work)
            for i in range(0, len(counts), step)
        ]
        return np.concatenate(parts)

    def _values(self, counts: Counts, solved: Array, totals: Array) -> Values:
        """The result from counts [P, N, M, K], solved [P, T, 6] and totals [P, 1 + S + R]."""
        work, P = self.work, len(solved)
        plug_in, nulls = solved[:, 0, :5], solved[:, 1:, :5]
        unknown = np.full((P, 5), np.nan)
        mean = nulls.mean(1) if work.shuffles else unknown
        spread = nulls.std(1, ddof=1) if work.shuffles > 1 else unknown
        corrected = PAIR_CORRECTIONS[work.correction](counts, plug_in, mean)
        gap = solved[:, :, 5].max(1)
        counted, tail = total_p_values(totals[:, 0], totals[:, 1:])
        needed = rows_needed((counts.shape[1], counts.shape[2], counts.shape[3]))
        columns = np.concatenate([corrected, plug_in, mean, spread], axis=1).T
        return dict(zip(SCREEN_FIELDS, columns, strict=False)) | {
            "gap": gap,
            "converged": gap <= work.tolerance + ROUNDING,
            "p_value_total": counted,
            "p_value_total_tail": tail,
            "needed": np.full(P, needed),
            "too_few": np.full(P, len(work.target) < needed),
        }


def _broja(p: Array, work: Work) -> Array:
    """BROJA of tables [T, N, M, K], certified to the tolerance; [T, 6], see `Solver._atoms`."""
    terms = informations(p)
    union = union_bounds(p, terms, work.tolerance)
    middle = (union.lower + union.upper) / 2
    one, other, total = terms.source1, terms.source2, terms.joint
    gap = np.maximum(union.upper - union.lower, 0.0)
    atoms = [one + other - middle, middle - other, middle - one, total - middle, total, gap]
    return np.stack(atoms, axis=1)


def _other(p: Array, work: Work) -> Array:
    """Any other measure, one table at a time; [T, 6], see `Solver._atoms`."""
    found = [decompose(table, work.measure) for table in p]
    return np.array([(*atoms.values, atoms.total, atoms.gap) for atoms in found])


def total_p_values(observed: Array, nulls: Array) -> tuple[Array, Array]:
    """P-values of totals [P] against the totals [P, R] of permuted targets, bits.

    Returns:
        By counting, (1 + number of permutations that reach the observed total) / (1 + R), at
        least 1 / (1 + R); and the tail of the gamma distribution with the mean and variance of
        the permutations, or the first again where rare values leave few different totals. Both nan
        without permutations, and the second with only one.
    """
    from scipy.special import gammaincc  # noqa: PLC0415 - slow to load

    P, R = nulls.shape
    unknown = np.full(P, np.nan)
    if not R:
        return unknown, unknown
    counted = (1 + (nulls >= observed[:, None] - TIE).sum(1)) / (1 + R)
    if R == 1:
        return counted, unknown
    mean, variance = nulls.mean(1), nulls.var(1, ddof=1)
    varies = variance > TIE * TIE
    scale = np.where(varies, variance / np.where(varies, mean, 1.0), 1.0)
    tail = gammaincc(np.where(varies, mean / scale, 1.0), np.maximum(observed, 0.0) / scale)
    tail = np.where(varies, np.maximum(tail, TINY), 1.0)
    return counted, np.where(_few_different(nulls), counted, tail)


def _few_different(nulls: Array) -> NDArray[np.bool_]:
    """Whether fewer than a fifth of the totals [P, R] are different, [P].

    Then rare values make the totals: they are far more skewed than a gamma distribution.
    """
    ordered = np.sort(nulls, axis=1)
    different = 1 + (np.diff(ordered, axis=1) > TIE).sum(1)
    return np.asarray(different < DIFFERENT * nulls.shape[1])


def adjusted(p_values: Array) -> Array:
    """Benjamini and Hochberg's (1995) q-values [P]: the share of false finds among all as small.

    >>> adjusted(np.array([0.01, 0.04, 0.03, 0.5])).round(4).tolist()
    [0.04, 0.0533, 0.0533, 0.5]
    """
    P = len(p_values)
    order = np.argsort(p_values)
    ratios = p_values[order] * P / np.arange(1, P + 1)
    result = np.empty(P)
    result[order] = np.minimum(np.minimum.accumulate(ratios[::-1])[::-1], 1.0)
    return result
