"""Solutions of notebook 7 · Three sources, one function each."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np

from trifeature.pid import union_information
from trifeature.pid.sources.union import information


def exercise_7_1() -> Any:
    """Two points settle a line: shares y + a, y + 2 a and a, modulo 3, of a secret bit y."""
    table = np.zeros((3, 3, 3, 2))
    for a in range(3):
        for y in range(2):
            table[(y + a) % 3, (y + 2 * a) % 3, a, y] = 1 / 6
    return table


def exercise_7_2() -> Callable[[Any, int], float]:
    """The union of all, less the union of the others."""

    def unique_to(p: Any, i: int) -> float:
        others = [j for j in range(3) if j != i]
        return union_information(p).value - union_information(p, others).value

    return unique_to


def exercise_7_3() -> dict[str, str]:
    """Each group in braces tells it by itself, and no smaller one does."""
    return {
        "all three are copies of Y": "{1}{2}{3}",
        "Y = X1, and X2 xor X3 is the same": "{1}{23}",
        "any two of them settle Y": "{12}{13}{23}",
        "only all three settle Y": "{123}",
    }


def exercise_7_4() -> dict[str, set[int]]:
    """The smallest set whose table tells nearly as much as that of all three."""
    from checks.three_sources import triples  # noqa: PLC0415 - it stands in the course's folder

    needed = {}
    for name in "ABC":
        counts = np.zeros((2, 2, 2, 2))
        np.add.at(counts, tuple(triples(name)), 1)
        p = counts / counts.sum()
        sets = [some for size in (1, 2, 3) for some in combinations(range(3), size)]
        told = {s: information(p.sum(tuple(set(range(3)) - set(s)))) for s in sets}
        enough = [s for s in sets if told[s] > told[0, 1, 2] - 0.02]
        needed[name] = {i + 1 for i in enough[0]}
    return needed
