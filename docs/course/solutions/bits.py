"""Solutions of notebook 1 · Two sensors and a label, one function each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trifeature.pid import Atoms, gallery_table


def exercise_1_1() -> Any:
    """Both see the bit r; s1 and s2 are one to each. Y holds r and s1 xor s2."""
    table = np.zeros((4, 4, 4))
    for r in (0, 1):
        for s1 in (0, 1):
            for s2 in (0, 1):
                table[2 * r + s1, 2 * r + s2, 2 * r + (s1 ^ s2)] = 1 / 8
    return table


def exercise_1_2() -> Any:
    """AND: a zero in either input settles the output."""
    return gallery_table("AND")


def exercise_1_3() -> Callable[[Atoms, int], float]:
    """Without a source its unique part is gone, and the synergy."""

    def ablation_cost(atoms: Atoms, source: int) -> float:
        return (atoms.unique1 if source == 1 else atoms.unique2) + atoms.synergy

    return ablation_cost


def exercise_1_4() -> float:
    """From 1 - h(e) = 1/2; found by trying, or by bisection."""
    return 0.11
