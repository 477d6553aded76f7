"""How often intervals cover, how wide they are and how often tests reject, on known distributions.

Samples are drawn from a table whose exact atoms are known, and estimated as `PID` does. A cell is a
law at a number of rows; what is asked of it:

- coverage: the intervals of an atom hold its exact value in at least 93 of 100 samples at the 95 %
  level (in general the level less .02; a miss by less than 1e-6 bits is none).
- width: the mean is at most 1.5 times 2 z standard deviations of the point plus 8 (K - 1) / n bits.
- rejections: at most 6 of 100 at .05 of an atom that is 0 (in general a fifth more than the level).

Shares may miss these by two standard errors of as many samples. A cell whose table is too large for
its rows is withheld by the rule of `rows_needed`.

Shape legend: T samples, F folds, N values of X1, M values of X2, K values of Y, n rows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from trifeature.checks import require_number, require_whole
from trifeature.errors import InputError
from trifeature.files import append_row, read_rows
from trifeature.pid.atoms import ATOM_NAMES
from trifeature.pid.estimation.crossfit import FOLDS, cross_fit
from trifeature.pid.estimation.estimates import REFUSED_BELOW, rows_needed
from trifeature.pid.gallery import GALLERY, example
from trifeature.pid.solver import broja
from trifeature.pid.tables import Array, TableLike, as_table

Row = dict[str, Any]
Progress = Callable[[int, int], None]

SIZES: Final = (64, 256, 1024, 4096)
# A miss by less than this many bits is none, and an atom below it is 0.
EXACT: Final = 1e-6
# Samples drawn at a time.
AT_ONCE: Final = 250


def calibrate(
    laws: Mapping[str, TableLike] | Sequence[str] | None = None,
    sizes: int | Sequence[int] = SIZES,
    repetitions: int = 1000,
    *,
    level: float = 0.95,
    seed: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """Measure the estimates of `PID` on laws whose atoms are known.

    Args:
        laws: Names of the gallery, or a mapping of names to tables p[x1, x2, y] (probabilities,
            counts or weights); None for the whole gallery.
        sizes: Numbers of rows.
        repetitions: Samples of each law and size.
        level: Confidence level.
        seed: Seed; every law and size draws from a stream of its own.
        out: A file of JSON lines to append the rows to, cell by cell; cells that it holds are not
            measured again.
        progress: Called with the cells done and all cells.

    Returns:
        Rows of law, shape, samples, repetitions, level, seed, atom, truth, withheld, coverage,
        width, width_limit, bias and deviation of the point, rejections (None where the atom is not
        0), holds. A withheld cell has None for what was not measured.

    Raises:
        InputError: An unknown name, no table, or numbers out of range.

    >>> rows = calibrate(["AND"], sizes=[64], repetitions=100)
    >>> [row["atom"] for row in rows if row["holds"]]
    ['redundancy', 'unique1', 'unique2', 'synergy']
    """
    tables = _tables(laws)
    sizes = [sizes] if isinstance(sizes, int) else sizes
    sizes = [require_whole("each size", n, REFUSED_BELOW) for n in sizes]
    require_whole("repetitions", repetitions, 20)
    require_number("level", level, above=0, below=1)
    require_whole("seed", seed, 0)
    known = _known(out)
    cells = [(name, n) for name in tables for n in sizes]
    rows: list[Row] = []
    for done, (name, n) in enumerate(cells):
        if progress:
            progress(done, len(cells))
        table = tables[name]
        cell = {
            "law": name,
            "shape": list(table.shape),
            "samples": n,
            "repetitions": repetitions,
            "level": level,
            "seed": seed,
        }
        found = known.get(_key(cell)) or [
            {**cell, **row}
            for row in _measured(name, table, n, repetitions=repetitions, level=level, seed=seed)
        ]
        if out is not None and _key(cell) not in known:
            for row in found:
                append_row(Path(out), row)
        rows += found
    if progress:
        progress(len(cells), len(cells))
    return rows


def _tables(laws: Mapping[str, TableLike] | Sequence[str] | None) -> dict[str, Array]:
    if isinstance(laws, Mapping):
        return {name: as_table(p, normalize=True) for name, p in laws.items()}
    names = list(GALLERY) if laws is None else [laws] if isinstance(laws, str) else laws
    return {example(name).name: example(name).table() for name in names}


def _key(cell: Mapping[str, Any]) -> str:
    return json.dumps(
        [cell[k] for k in ("law", "shape", "samples", "repetitions", "level", "seed")]
    )


def _known(out: str | Path | None) -> dict[str, list[Row]]:
    """Whole cells of a file, by key."""
    found: dict[str, dict[str, Row]] = {}
    if out is not None and Path(out).exists():
        for row in read_rows(Path(out)):
            try:
                # A cell that a kill cut short is there again, whole.
                found.setdefault(_key(row), {})[row["atom"]] = row
            except KeyError as missing:
                raise InputError(
                    f"{out} holds a row without {missing}: name another file"
                ) from None
    return {
        key: [rows[atom] for atom in ATOM_NAMES]
        for key, rows in found.items()
        if set(rows) == set(ATOM_NAMES)
    }


def _measured(
    name: str, table: Array, n: int, *, repetitions: int, level: float, seed: int
) -> Iterator[Row]:
    """The rows of one cell."""
    truth = np.maximum(broja(table).values, 0.0)
    N, M, K = table.shape
    unknown = dict.fromkeys(
        ("coverage", "width", "width_limit", "bias", "deviation", "rejections", "holds")
    )
    if n < rows_needed((N, M, K)):
        for atom, exact in zip(ATOM_NAMES, truth.tolist(), strict=True):
            yield {"atom": atom, "truth": exact, "withheld": True, **unknown}
        return
    stream = np.random.default_rng([seed, n, *name.encode()])
    parts = [
        estimates(table, n, min(AT_ONCE, repetitions - done), level, stream)
        for done in range(0, repetitions, AT_ONCE)
    ]
    point, low, high, p_value = (np.concatenate(part) for part in zip(*parts, strict=True))
    for i, atom in enumerate(ATOM_NAMES):
        exact = float(truth[i])
        covers = (low[:, i] - EXACT <= exact) & (exact <= high[:, i] + EXACT)
        row: Row = {
            "atom": atom,
            "truth": exact,
            "withheld": False,
            "coverage": float(covers.mean()),
            "width": float((high[:, i] - low[:, i]).mean()),
            "width_limit": _width_limit(point[:, i], K, n, level),
            "bias": float(point[:, i].mean() - exact),
            "deviation": float(point[:, i].std()),
            "rejections": float((p_value[:, i] <= 1 - level).mean()) if exact < EXACT else None,
        }
        yield {**row, "holds": holds(row, level, repetitions)}


def _width_limit(point: Array, classes: int, n: int, level: float) -> float:
    from scipy.special import ndtri  # noqa: PLC0415 - slow to load

    z = float(ndtri(0.5 + level / 2))
    return float(1.5 * 2 * z * point.std() + 8 * (classes - 1) / n)


def holds(row: Mapping[str, Any], level: float, repetitions: int) -> bool:
    """Whether a row meets what is asked of it, see the module's docstring."""

    def slack(share: float) -> float:
        return 2 * math.sqrt(share * (1 - share) / repetitions)

    least, most = level - 0.02, 1.2 * (1 - level)
    covered = row["coverage"] >= least - slack(least)
    narrow = row["width"] <= row["width_limit"]
    rejections = row["rejections"]
    return covered and narrow and (rejections is None or rejections <= most + slack(most))


def estimates(
    table: Array, n: int, count: int, level: float, generator: np.random.Generator
) -> tuple[Array, Array, Array, Array]:
    """Point, low end, high end and p-value of each atom of samples of n rows, [T, 4] each.

    Values that a sample lacks are not in its table, as in a user's.
    """
    N, M, K = table.shape
    per_fold = [n // FOLDS + (fold < n % FOLDS) for fold in range(FOLDS)]
    # Rows are exchangeable: folds of a sample are samples.
    flat = table.ravel() / table.sum()
    drawn = np.stack([generator.multinomial(rows, flat, count) for rows in per_fold], 1)
    folds: Array = drawn.reshape(count, FOLDS, N, M, K).astype(np.float64)
    counts = folds.sum(1)
    seen = np.concatenate([counts.sum(axes) > 0 for axes in ((2, 3), (1, 3), (1, 2))], axis=1)
    patterns, place = np.unique(seen, axis=0, return_inverse=True)
    results = np.empty((4, count, 4))
    for index, pattern in enumerate(patterns):
        chosen = np.flatnonzero(place.reshape(-1) == index)
        x1, x2, y = (np.flatnonzero(part) for part in np.split(pattern, [N, N + M]))
        part = folds[np.ix_(chosen, np.arange(FOLDS), x1, x2, y)]
        found = cross_fit(part, level=level)
        top = math.log2(len(y))
        ends = [np.clip(one, 0.0, top) for one in (found.point, found.low, found.high)]
        results[:, chosen] = np.stack([*ends, found.p_value])
    point, low, high, p_value = results
    return point, low, high, p_value


def calibration_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table of rows: a line for each law, a column for each size.

    A cell is the least coverage of the four atoms, the largest width as a share of its limit, and
    the largest share of rejections among atoms that are 0; "withheld" where the table is too large
    for its rows, and in bold where something does not hold.
    """
    sizes = sorted({row["samples"] for row in rows})
    lines = [f"| law | cells | {' | '.join(f'n = {n:,}' for n in sizes)} |"]
    lines.append("|" + "---|" * (2 + len(sizes)))
    for law in dict.fromkeys(row["law"] for row in rows):
        own = [row for row in rows if row["law"] == law]
        shape = " × ".join(map(str, own[0]["shape"]))
        cells = [_cell([row for row in own if row["samples"] == n]) for n in sizes]
        lines.append(f"| {law} | {shape} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    if rows[0]["withheld"]:
        return "withheld"
    coverage = min(row["coverage"] for row in rows)
    width = max(row["width"] / row["width_limit"] for row in rows)
    rejections = [row["rejections"] for row in rows if row["rejections"] is not None]
    rejected = f"{max(rejections):.3f}".lstrip("0") if rejections else "–"
    text = f"{coverage:.3f} · {width:.2f} · {rejected}"
    return text if all(row["holds"] for row in rows) else f"**{text}**"
