"""Screening: the atoms of all pairs of many columns about one target, with a null.

Every pair gets its certified plug-in atoms, the mean and standard deviation of the same atoms
under shuffled targets, and a test of whether the pair tells anything about the target. The
shuffles are the same for all pairs, and all tables are solved in batches.

Shape legend: n samples, c columns, P pairs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from trifeature.checks import require_memory, require_number, require_whole
from trifeature.columns import Bins, Discrete, as_columns, discrete
from trifeature.columns.coding import is_number
from trifeature.errors import InputError, check_name
from trifeature.files import locked
from trifeature.pid.estimation.estimates import FEWEST
from trifeature.pid.measures import measure_name
from trifeature.pid.samples import SampleSizeWarning
from trifeature.pid.screening.blocks import (
    PAIR_CORRECTIONS,
    SCREEN_FIELDS,
    Block,
    Pairs,
    Values,
    Work,
    adjusted,
    compact,
    cut,
)
from trifeature.pid.screening.file import ScreenFile, empty, identity
from trifeature.pid.screening.pool import solve_blocks
from trifeature.pid.screening.result import Screen, rows_of
from trifeature.pid.solver import TIGHTEST

Progress: TypeAlias = Callable[[int, int], object]
"""Is told the number of pairs that are done, and of all."""

# Bytes of the results of one pair: its entries, and the same again while they are put together.
PAIR_BYTES: Final = 16 * len(SCREEN_FIELDS)


def screen(
    columns: Any,
    target: Any,
    pairs: str | Sequence[tuple[str, str]] = "all",
    *,
    names: Sequence[str] | None = None,
    correction: str = "shuffle",
    shuffles: int = 20,
    permutations: int = 200,
    bins: Bins = None,
    binning: str = "count",
    measure: str = "BROJA",
    tolerance: float = 1e-4,
    seed: int = 0,
    processes: int = 1,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Screen:
    """Decompose the information of every pair of columns about a target.

    The plug-in atoms of a small sample are biased. Shuffling the target leaves what is bias alone,
    in a pair that tells nothing: the correction "shuffle" subtracts the mean of `shuffles` such
    tables. For pairs that do tell something it is an approximation.

    `p_value_total` tests one thing, for each pair: H0, that the target is independent of the pair
    (X1, X2). It says nothing of single atoms: a pair of which one column alone tells something is
    rejected too. It counts permutations of the target whose total is at least that of the pair,
    among all `shuffles + permutations`, and is at least 1 / (1 + their number).
    `p_value_total_tail` is the tail of the gamma distribution with the mean and the variance of
    these totals, for pairs beyond the resolution of counting; where all cells are well filled, it
    is the chi-squared distribution of 2 n ln 2 times the total. It is an approximation: far below
    1e-5 take it for its order of magnitude. `q_value_total` are these tails
    after Benjamini and Hochberg (1995) over all pairs, which share columns: valid where they
    depend on each other positively.

    Args:
        columns: Name -> column, or several columns [n, d] that count as one; a pandas or polars
            data frame; or an array [n, c], whose columns are called x[0], x[1], ... unless `names`
            are given.
        target: Name of one of the columns, which is then no source; or a column of its own, "Y".
        pairs: "all" pairs of columns, or pairs of names.
        names: Names of the columns of an array [n, c].
        correction: "shuffle", or "none": plug-in atoms.
        shuffles: Permutations of the target whose tables are solved.
        permutations: Further ones for the total alone, which needs no solution.
        bins: Number of bins of continuous columns, "categories", or one of these for each column
            by name; see `discrete`. It holds for the target too.
        binning: "count" for bins of equal counts, "width" for equal widths.
        measure: A name of `MEASURES`; those but BROJA take one table at a time.
        tolerance: Certified width of the interval of every table, bits.
        seed: Of the permutations, which are the same for all pairs.
        processes: Workers. The result does not depend on it.
        out: A file of JSON lines, to which pairs are appended as they are found. The same call
            goes on where it stopped, and only reads the file once it is whole.
        progress: Called with the number of pairs done and of all, at the beginning and after
            every block.

    Raises:
        InputError: A column or setting is not usable, or `out` holds another screening.

    Warns:
        SampleSizeWarning: The tables of some pairs are too large for the number of samples.

    >>> a, b = [0, 0, 1, 1] * 60, [0, 1, 0, 1] * 60
    >>> found = screen({"a": a, "b": b, "label": [0, 1, 1, 0] * 60}, "label")
    >>> [(row["source1"], round(row["plug_in_synergy"], 3)) for row in found.rows]
    [('a', 1.0)]
    """
    settings: dict[str, Any] = {
        "measure": measure_name(measure),
        "correction": check_name("correction", correction, PAIR_CORRECTIONS),
        "shuffles": require_whole("shuffles", shuffles, int(correction == "shuffle")),
        "permutations": require_whole("permutations", permutations, 0),
        "tolerance": require_number("tolerance", tolerance, TIGHTEST),
        "seed": require_whole("seed", seed, 0),
    }
    workers = require_whole("processes", processes, 1)
    parts, goal_name, goal_column = _separated(columns, target, names)
    index, labels = _pair_numbers(pairs, list(parts))
    goal = discrete(goal_name, goal_column, bins=bins, binning=binning)
    if goal.size < 2:
        raise InputError(f"the target {goal_name!r} has one value only: there is nothing to tell")
    sources = [discrete(name, parts[name], bins=bins, binning=binning) for name in labels]
    _require_one_length(labels, sources, goal_name, goal)
    _refuse_identifiers(sources, goal)
    largest = max(one.size for one in sources)
    work = Work(
        codes=np.stack([compact(one.codes, largest) for one in sources]),
        sizes=tuple(one.size for one in sources),
        target=compact(goal.codes, goal.size),
        classes=goal.size,
        **settings,
    )
    run = _Run(work, index, labels, identity(work, labels, goal_name, index), workers)
    values = run.carry_out(out, progress)
    values["q_value_total"] = adjusted(values["p_value_total_tail"])
    result = Screen(goal_name, run.names, values, len(goal.codes), settings)
    _warn_of_few(result)
    return result


# --------------------------------------------------------------------------- columns and pairs


def _separated(
    columns: Any, target: Any, names: Sequence[str] | None
) -> tuple[dict[str, Any], str, Any]:
    """The sources by name, and name and values of the target."""
    parts = _named(columns, names)
    if isinstance(target, str):
        return parts, check_name("column", target, parts), parts.pop(target)
    own = getattr(target, "name", None)
    name = own if isinstance(own, str) and own else "Y"
    if name in parts:
        raise InputError(f"the target and a column are both called {name!r}: rename one")
    return parts, name, target


def _refuse_identifiers(sources: Sequence[Discrete], goal: Discrete) -> None:
    """No column of as many values as rows, or half as many: it "tells" everything of any target."""
    for one in (*sources, goal):
        n = len(one.codes)
        if n < FEWEST or 2 * one.size <= n:
            continue
        cure = "leave it out (on the command line, --column names the columns to pair)"
        if one is goal:
            cure = "name another target"
        if _of_numbers(one):
            cure += f", or give bins that leave at most {n // 2} values"
        raise InputError(
            f"column {one.name!r} has {one.size} different values in {n} rows, as identifiers do: "
            f"{cure}"
        )


def _of_numbers(one: Discrete) -> bool:
    """Whether a column, or each of several joined, takes bins; intervals are text by now."""
    first = one.values[0]
    cells = first if isinstance(first, tuple) else (first,)
    return all(map(is_number, cells)) or (len(cells) == 1 and one.binned is not None)


def _require_one_length(
    labels: Sequence[str], sources: Sequence[Discrete], goal_name: str, goal: Discrete
) -> None:
    for label, source in zip(labels, sources, strict=True):
        if len(source.codes) != len(goal.codes):
            raise InputError(
                f"columns of one sample have one length: {label!r} has {len(source.codes)} values, "
                f"the target {goal_name!r} {len(goal.codes)}"
            )


def _named(columns: Any, names: Sequence[str] | None) -> dict[str, Any]:
    """Columns by name; those of a mapping as they are, they may be several to a source."""
    if isinstance(columns, Mapping):
        if len(found := {str(name): column for name, column in columns.items()}) < len(columns):
            raise InputError("two columns have the same name: rename one")
    else:
        found = dict(as_columns("x", columns))
    if names is None:
        return found
    labels = [str(name) for name in names]
    if isinstance(columns, Mapping) or len(labels) != len(found) or len(set(labels)) < len(labels):
        raise InputError(
            f"names must be {len(found)} different names of the columns of an array, not {names!r}"
        )
    return dict(zip(labels, found.values(), strict=True))


def _pair_numbers(
    pairs: str | Sequence[tuple[str, str]], labels: list[str]
) -> tuple[Pairs, list[str]]:
    """[P, 2] numbers of the columns of every pair, and the names of the columns that occur."""
    if len(labels) < 2:
        raise InputError(f"a screening needs two columns beside the target, got {len(labels)}")
    if isinstance(pairs, str):
        check_name("choice of pairs", pairs, ("all",))
        count = len(labels) * (len(labels) - 1) // 2
        require_memory(f"a screening of {count:,} pairs", PAIR_BYTES * count, "name fewer pairs")
        return np.stack(np.triu_indices(len(labels), 1), axis=1).astype(np.intp), labels
    place = {label: number for number, label in enumerate(labels)}
    seen: dict[frozenset[int], None] = {}
    numbers = []
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise InputError(f"a pair must be two names of columns, not {pair!r}")
        first, second = map(str, pair)
        for name in (first, second):
            if name not in place:
                check_name("column", name, labels)
        one, other = place[first], place[second]
        if one == other:
            raise InputError(f"a pair must be two different columns, not {first!r} twice")
        if (key := frozenset((one, other))) in seen:
            raise InputError(f"the pair {first!r}, {second!r} is named twice")
        seen[key] = None
        numbers.append((one, other))
    if not numbers:
        raise InputError('a screening needs at least one pair: name some, or give pairs="all"')
    # Columns that occur in no pair may be anything.
    used, index = np.unique(np.array(numbers, dtype=np.intp), return_inverse=True)
    return index.reshape(-1, 2).astype(np.intp), [labels[number] for number in used]


# --------------------------------------------------------------------------- the work


class _Run:
    """One screening: its pairs, its file and its workers."""

    def __init__(
        self,
        work: Work,
        index: Pairs,
        labels: Sequence[str],
        header: Mapping[str, Any],
        processes: int,
    ) -> None:
        worst = index[work.largest(index)]
        sizes = " x ".join(f"{size:,}" for size in work.shape(worst))
        one, other = (labels[number] for number in worst)
        require_memory(
            f"a screening of {len(index):,} pairs by {processes} processes, the largest table of "
            f"{sizes} cells for {one!r} and {other!r},",
            PAIR_BYTES * len(index) + processes * work.bytes_needed(index),
            "take fewer pairs, shuffles or processes, or coarser columns (bins=…)",
        )
        self.work, self.index, self.header, self.processes = work, index, header, processes
        self.names = tuple((labels[i], labels[j]) for i, j in index.tolist())

    def carry_out(self, out: str | Path | None, progress: Progress | None) -> Values:
        """Values of all pairs: what the file holds already, and the rest, block by block."""
        values = empty(len(self.index))
        if out is None:
            self._solve(values, None, np.arange(len(self.index)), progress)
            return values
        file = ScreenFile(Path(out), self.header, self.names)
        file.path.parent.mkdir(parents=True, exist_ok=True)
        # A second process that writes the same file waits, and then reads it.
        with locked(file.path.with_name(f".{file.path.name}.lock")):
            todo = np.flatnonzero(~file.read(values))
            self._solve(values, file, todo, progress)
        return values

    def _solve(
        self, values: Values, file: ScreenFile | None, todo: Block, progress: Progress | None
    ) -> None:
        """Fill in the pairs at the positions `todo`."""
        count = len(self.index)
        done = count - len(todo)
        tell = progress or (lambda *_: None)
        tell(done, count)
        blocks = list(cut(self.work, self.index, todo))
        processes = max(1, min(self.processes, len(blocks)))
        for block, found in solve_blocks(self.work, self.index, blocks, processes):
            for name, array in found.items():
                values[name][block] = array
            if file is not None:
                names = [self.names[position] for position in block.tolist()]
                file.append(list(rows_of(names, found)))
            done += len(block)
            tell(done, count)


def _warn_of_few(result: Screen) -> None:
    few = result.values["too_few"]
    if not few.any():
        return
    worst = int(result.values["needed"].argmax())
    one, other = result.pairs[worst]
    message = (
        f"{int(few.sum()):,} of {len(result):,} pairs ({few.mean():.0%}) want more samples than "
        f"{result.samples:,}, up to {result.values['needed'][worst]:,} for {one!r} and {other!r}: "
        "take their atoms for an indication"
    )
    warnings.warn(message, SampleSizeWarning, stacklevel=3)
