"""Solutions of notebook 4 · The terms of the loss, one function each."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from torch import Tensor

from trifeature.comm.losses import info_nce


def exercise_4_1() -> dict[str, set[str]]:
    """The cells of the table that are not 0."""
    return {"r": {"L", "L_1", "L_2"}, "u1": {"L", "L_1"}, "u2": {"L", "L_2"}, "s1 xor s2": {"L"}}


def exercise_4_2() -> Callable[..., Tensor]:
    """Every alignment is between different views."""

    def comm_loss(views: tuple[Tensor, Tensor], alone: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        loss = info_nce(*views)
        for z1, z2 in alone:
            loss = loss + (info_nce(z1, views[1]) + info_nce(z2, views[0])) / 2
        return loss

    return comm_loss


def exercise_4_3() -> Callable[[Sequence[float], Sequence[float]], bool]:
    """The error of a difference is the root of the summed squares of the errors of the means."""

    def learned(treated: Sequence[float], control: Sequence[float]) -> bool:
        if min(len(treated), len(control)) < 2:
            return False
        difference = statistics.fmean(treated) - statistics.fmean(control)
        error = sum(statistics.variance(x) / len(x) for x in (treated, control)) ** 0.5
        return bool(difference > 2 * error)

    return learned
