"""Solutions of notebook 8 · Gaussian data and three definitions, one function each."""

from __future__ import annotations

import math
from collections.abc import Callable

from trifeature.pid import PID, gaussian, gaussian_mmi


def exercise_8_1() -> Callable[[float], float]:
    """1 - r² is the share of the variance that is left, and each bit leaves a quarter of it."""

    def correlation_of(bits: float) -> float:
        return math.sqrt(1 - 2 ** (-2 * bits))

    return correlation_of


def exercise_8_2() -> float:
    """X2 = X1 + new noise: the covariance of the noises is the variance of the smaller one."""
    return 0.5 / 1.0


def exercise_8_3() -> dict[str, str]:
    """Compute all three and compare."""
    from checks.gaussian import PAPER, claims, i_dep  # noqa: PLC0415 - in the course's folder

    gives = {
        "BROJA": gaussian(PAPER, (1, 1, 2)).redundancy,
        "MMI": gaussian_mmi(PAPER, (1, 1, 2)).redundancy,
        "I_dep": i_dep(PAPER, (1, 1, 2)),
    }
    return {
        paper: min(gives, key=lambda name: abs(gives[name] - bits))
        for paper, bits in claims().items()
    }


def exercise_8_4() -> dict[str, set[str]]:
    """Gaussian estimates; where they find nothing at all, a table of bins."""
    from checks.gaussian import samples  # noqa: PLC0415 - it stands in the course's folder

    above = {}
    for name in "ABC":
        columns = samples(name)
        for model in (PID(method="gaussian"), PID(bins=4)):
            intervals = model.fit(*columns).intervals_
            above[name] = {atom for atom, ends in intervals.items() if ends and ends.low > 0}
            if above[name]:
                break
    return above
