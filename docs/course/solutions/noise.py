"""Solutions of notebook 6 · PID of noise, one function each."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from trifeature.pid import SampleSizeWarning, estimate, samples_needed


def exercise_6_1() -> Callable[[float, int, int, int], float]:
    """The free cells, divided by 2 n ln 2 (Miller 1955)."""

    def bias(n: float, N: int, M: int, K: int) -> float:
        return (N * M - 1) * (K - 1) / (2 * n * math.log(2))

    return bias


def exercise_6_2() -> int:
    """35 · 2 / (2 ln 2 · .05), rounded up."""
    return samples_needed((6, 6, 3), 0.05)


def exercise_6_3() -> dict[str, bool]:
    """The test of the synergy itself, from a table that the rows can carry."""
    from checks.noise import finding  # noqa: PLC0415 - it stands in the course's folder

    survives = {}
    for name in "ABCD":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SampleSizeWarning)
            found = estimate(*finding(name))
        p_value = found.p_values["synergy"]  # None where nothing is estimated
        survives[name] = p_value is not None and p_value < 0.05
    return survives


def exercise_6_4() -> Callable[[float, Any], float]:
    """The data as they are count as one shuffle more."""

    def shuffle_p(observed: float, shuffled: Any) -> float:
        return float((1 + sum(value >= observed for value in shuffled)) / (1 + len(shuffled)))

    return shuffle_p
