"""Solutions of notebook 3 · Alignment, one function each."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float64]


def exercise_3_1() -> dict[str, set[str]]:
    """The bright squares of the two pictures."""
    shapes = {"shape 1", "shape 2"}
    return {"unbiased": shapes, "biased": shapes | {"texture 1", "color 2"}}


def exercise_3_2() -> Callable[[Rows, Rows, float], float]:
    """Each a must find its b among all b, and each b its a."""

    def surprise(table: Rows) -> float:
        chances = np.exp(table) / np.exp(table).sum(1, keepdims=True)
        return float(-np.log(np.diag(chances)).mean())

    def alignment_loss(a: Rows, b: Rows, temperature: float) -> float:
        a = a / np.linalg.norm(a, axis=1, keepdims=True)
        b = b / np.linalg.norm(b, axis=1, keepdims=True)
        table = a @ b.T / temperature
        return (surprise(table) + surprise(table.T)) / 2

    return alignment_loss


def exercise_3_3() -> Callable[[Sequence[Mapping[str, Any]], str], float]:
    """Last epochs only, and the control has its own mean."""

    def gain(rows: Sequence[Mapping[str, Any]], method: str) -> float:
        last = [r for r in rows if r["method"] == method and r["epoch"] == r["epochs"]]
        biased, control = (
            statistics.fmean(r["S"] for r in last if r["biased"] == kind) for kind in (True, False)
        )
        return biased - control

    return gain


def exercise_3_4() -> Callable[[Rows], Rows]:
    """The mean of everything is in the rows' means and in the columns': it is added once."""

    def interaction(codes: Rows) -> Rows:
        rows, columns = codes.mean(1, keepdims=True), codes.mean(0, keepdims=True)
        return np.asarray(codes - rows - columns + codes.mean((0, 1)))

    return interaction
