"""Checks of notebook 6 · PID of noise.

N values of X1, M values of X2, K values of Y; n samples, B shuffles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from trifeature.pid import samples_needed

from ._base import Wrong, check, number, returned

Columns = tuple[np.ndarray[Any, Any], ...]


def _bias(n: float, N: int, M: int, K: int) -> float:
    """First-order bias of the plug-in total, bits (Miller 1955)."""
    return (N * M - 1) * (K - 1) / (2 * n * math.log(2))


@check
def exercise_6_1(answer: Any) -> str:
    """`bias(n, N, M, K)`: bits that counting n rows of noise adds to the total."""
    for n, N, M, K in ((1000, 4, 5, 3), (500, 4, 4, 4)):
        found = number(returned(answer(n, N, M, K)), "the bias")
        wanted = _bias(n, N, M, K)
        if abs(found - wanted) < 1e-4 * wanted:
            continue
        case = f"for n = {n}, {N} × {M} × {K} you return {found:.4f}, it is {wanted:.4f}: "
        raise Wrong(case + _why_bias(found, (n, N, M, K)))
    return (
        f"{_bias(40, 20, 20, 2):.1f} bits at 40 rows of 20 × 20 × 2: the formula leaves its range."
    )


def _why_bias(found: float, case: tuple[int, int, int, int]) -> str:
    """Which slip gives this number."""
    for why, value in _mistakes_of_bias(case).items():
        if abs(found - value) < 1e-4 * value:
            return why
    return "count the free cells, (NM − 1)(K − 1), and divide by 2 n ln 2."


def _mistakes_of_bias(case: tuple[int, int, int, int]) -> dict[str, float]:
    """Biases that students return, by what is wrong with them and why."""
    n, N, M, K = case
    wanted = _bias(n, N, M, K)
    return {
        "that is nats, since ln 2 is missing.": wanted * math.log(2),
        "the 2 of 2 n ln 2 is missing: a squared error has the factor ½.": 2 * wanted,
        "you count all cells; the sums of a table are fixed, so one value of each is not free: "
        "(NM − 1)(K − 1).": N * M * K / (2 * n * math.log(2)),
        "you count the cells less one; the sums of rows and columns are fixed too: "
        "(NM − 1)(K − 1).": (N * M * K - 1) / (2 * n * math.log(2)),
        "NM(K − 1) fixes the sums over labels only; how many rows each label has is fixed as well, "
        "so of the pair's values too one is not free: (NM − 1)(K − 1).": N
        * M
        * (K - 1)
        / (2 * n * math.log(2)),
        "K is missing, and a label of more values has more to be wrong about: (NM − 1)(K − 1).": (
            N * M - 1
        )
        / (2 * n * math.log(2)),
        "(N − 1)(M − 1)(K − 1) belongs to what only three together show; the total compares Y with "
        "the *pair*, of NM values.": (N - 1) * (M - 1) * (K - 1) / (2 * n * math.log(2)),
        "the bias falls like 1 / n, not like 1 / √n: it is an error squared.": wanted
        * math.sqrt(n),
    }


@check
def exercise_6_2(answer: Any) -> str:
    """Rows from which the bias of a 6 x 6 x 3 table is at most .05 bits."""
    rows = number(answer, "a number of rows")
    wanted = samples_needed((6, 6, 3), 0.05)
    if rows == wanted:
        return f"{wanted:,} rows: for .05 bits of bias, in a label of at most {math.log2(3):.2f}."
    mistakes = {
        samples_needed((6, 6, 3)): "that is the number for .01 bits, which `samples_needed` takes "
        "by default: hand it .05",
        math.ceil(35 * 2 / (2 * 0.05)): "ln 2 is missing: bits, not nats",
        math.ceil(5 * 2 / (2 * 0.05 * math.log(2))): "that is the table of *one* source and the "
        "label; the pair has 36 values",
        108: "one row a cell: then each row is alone in its cell, and seems to tell its label "
        "perfectly",
        1080: "ten rows a cell is a rule of thumb; the bias counts free cells, 35 × 2 of them",
    }
    for value, why in mistakes.items():
        if abs(rows - value) <= 1:
            raise Wrong(f"{why}.")
    if abs(rows - wanted) <= 2:
        raise Wrong(f"nearly: at {rows:g} rows the bias is {_bias(rows, 6, 6, 3):.5f}, round up.")
    raise Wrong(
        f"at {rows:g} rows the first-order bias is {_bias(max(rows, 1), 6, 6, 3):.3f} bits; "
        "solve (NM − 1)(K − 1) / (2 n ln 2) = .05 for n."
    )


def finding(name: str) -> Columns:
    """x1, x2 and y, integers [n] each, of one of the findings A to D."""
    rng = np.random.default_rng({"A": 5, "B": 6, "C": 7, "D": 8}[name])
    if name == "A":  # nothing, in a table of 6 x 6 x 2 from 60 rows
        return rng.integers(0, 6, 60), rng.integers(0, 6, 60), rng.integers(0, 2, 60)
    n = {"B": 300, "C": 120, "D": 40}[name]
    x1, x2 = rng.integers(0, 2, size=(2, n))
    if name == "B":  # a noisy exclusive or
        return x1, x2, x1 ^ x2 ^ (rng.random(n) < 0.3)
    if name == "C":  # X1 alone tells; X2 has six values that tell nothing
        return x1, rng.integers(0, 6, n), x1 ^ (rng.random(n) < 0.1)
    return x1, x2, x1 ^ x2  # a clean exclusive or, from 40 rows


@check
def exercise_6_3(answer: Any) -> str:
    """Whose synergy survives a calibrated test."""
    truth = {"A": False, "B": True, "C": False, "D": True}
    if not isinstance(answer, Mapping) or set(answer) != set(truth):
        raise Wrong("a dictionary with the keys A, B, C and D is wanted.")
    why = {
        "A": "A has the largest plug-in S but one, and as much with shuffled labels: a table of 72 "
        "cells from 60 rows",
        "B": "B is small and real: of 300 rows and 8 cells the interval of S stays above 0. Small "
        "is not the same as not there",
        "C": "in C the sources do tell something, so the shuffled total is far away; but it is "
        "unique to source 1, and the test of the *synergy* does not reject 0",
        "D": "D has 40 rows only, but 8 cells: few rows are enough for a clean effect in a small "
        "table",
    }
    for name, right in truth.items():
        if answer[name] is ...:
            raise Wrong(f"finding {name} is still to be judged.")
        if bool(answer[name]) != right:
            raise Wrong(f"{why[name]}.")
    return "B and D survive: neither the size of the plug-in nor the number of rows settles it."


@check
def exercise_6_4(answer: Any) -> str:
    """`shuffle_p(observed, shuffled)`: the p-value of a shuffling test."""
    shuffled = np.array([0.1, 0.2, 0.2, 0.3, 0.4, 0.1, 0.0, 0.2, 0.1])
    for observed, wanted in ((0.5, 0.1), (0.2, 0.6), (0.0, 1.0)):
        found = number(returned(answer(observed, shuffled.copy())), "a p-value")
        if abs(found - wanted) < 1e-9:
            continue
        case = f"for {observed} among nine shuffles you return {found:.3f}, it is {wanted:.3f}: "
        raise Wrong(case + _why_p(answer, shuffled))
    return "with B shuffles no p-value is below 1 / (B + 1): 19 of them can just reach .05."


def _why_p(answer: Callable[..., Any], shuffled: np.ndarray[Any, Any]) -> str:
    """Which slip the answers of a p-value function show."""
    found = [float(answer(observed, shuffled.copy())) for observed in (0.5, 0.2, 0.0)]
    counts: Mapping[str, tuple[Any, int, int]] = _SLIPS
    for why, (sign, extra, more) in counts.items():
        values = [
            (sign(shuffled, observed).sum() + extra) / (len(shuffled) + more)
            for observed in (0.5, 0.2, 0.0)
        ]
        if np.allclose(found, values):
            return why
    return "(1 + the number of shuffles that reach the observed value) / (1 + B)."


_SLIPS: Final[Mapping[str, tuple[Any, int, int]]] = {
    "a p of 0 says that it is impossible, and nine shuffles cannot know that. The data as they are "
    "count as one shuffle more: add 1 above and below.": (np.greater_equal, 0, 0),
    "ties count against you: a shuffle that *equals* the observed value reached it.": (
        np.greater,
        1,
        1,
    ),
    "ties count against you, and the data as they are count as one shuffle more.": (
        np.greater,
        0,
        0,
    ),
    "you count shuffles *below* the observed value; surprising is a value that few shuffles "
    "reach.": (np.less_equal, 1, 1),
    "you count shuffles *below* the observed value; that is 1 − p, and without the 1 for the data "
    "as they are.": (np.less, 0, 0),
    "add the 1 below as well: of B + 1 orders of the labels the observed one is one.": (
        np.greater_equal,
        1,
        0,
    ),
}
"""What is counted, and what is added above and below, for each way to be wrong."""
