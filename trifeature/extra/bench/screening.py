"""Time and certified gap of a screening of tens of thousands of pairs.

The size is that of a published one in neuroscience: 53,117 pairs of neurons, 200 trials each, with
a correction by shuffles.
"""

from __future__ import annotations

import math
import os
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trifeature.checks import require_whole
from trifeature.extra.bench.timing import timed
from trifeature.pid.samples import SampleSizeWarning
from trifeature.pid.screening.screen_pairs import screen

Row = dict[str, Any]


def screening_columns(
    columns: int, samples: int, values: int = 4, classes: int = 2, seed: int = 0
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Random columns [samples, columns] and a target [samples], of which half tell something.

    Each of these copies the target in a share of the samples, 0 to 60 %, and is uniform elsewhere.
    """
    rng = np.random.default_rng(seed)
    target = rng.integers(0, classes, samples)
    share = np.where(np.arange(columns) % 2, 0.6 * rng.random(columns), 0.0)
    copied = rng.random((samples, columns)) < share
    noise = rng.integers(0, values, (samples, columns))
    return np.where(copied, target[:, None] % values, noise), target


def bench_screening(
    pairs: int = 53_117,
    samples: int = 200,
    shuffles: int = 20,
    *,
    values: int = 4,
    classes: int = 2,
    tolerance: float = 1e-4,
    processes: int = 2,
) -> Row:
    """Screen pairs of the fewest columns that have so many.

    Args:
        pairs: Number of pairs.
        samples: Number of samples.
        shuffles: Shuffled targets whose tables are solved, for each pair.
        values: Number of values of each column.
        classes: Number of values of the target.
        tolerance: Requested width of the certified intervals, bits.
        processes: Workers.

    Returns:
        A row of the sizes, seconds, cpu_seconds (of all processes; on a quiet machine the seconds
        times the number of processes), tables_per_second, gap (the largest of all tables,
        certified, bits), converged (share of the pairs whose tables all have reached the
        tolerance) and load (average number of running processes of the machine in the minute
        before, None where the system does not tell).

    Raises:
        InputError: A size is not positive.
    """
    require_whole("pairs", pairs, 1)
    count = math.ceil((1 + math.sqrt(1 + 8 * pairs)) / 2)
    columns, target = screening_columns(count, samples, values, classes)
    one, other = np.triu_indices(count, 1)
    names = [(f"x[{i}]", f"x[{j}]") for i, j in zip(one[:pairs], other[:pairs], strict=True)]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    before = sum(os.times()[:4])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SampleSizeWarning)
        found, seconds = timed(
            lambda: screen(
                columns,
                target,
                names,
                shuffles=shuffles,
                tolerance=tolerance,
                processes=processes,
            )
        )
    return {
        "table": f"{pairs} pairs of {values} x {values} x {classes}",
        "samples": samples,
        "shuffles": shuffles,
        "processes": processes,
        "seconds": seconds,
        "cpu_seconds": sum(os.times()[:4]) - before,
        "tables_per_second": pairs * (1 + shuffles) / seconds,
        "gap": float(found.values["gap"].max()),
        "converged": float(found.values["converged"].mean()),
        "load": load,
    }
