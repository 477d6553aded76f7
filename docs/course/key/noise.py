"""The key of notebook 6 · PID of noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import Entry, Slip


def _in_nats(n: float, N: int, M: int, K: int) -> float:
    return (N * M - 1) * (K - 1) / (2 * n)


def _all_cells(n: float, N: int, M: int, K: int) -> float:
    return N * M * K / (2 * n * math.log(2))


def _labels_only(n: float, N: int, M: int, K: int) -> float:
    return N * M * (K - 1) / (2 * n * math.log(2))


def _three_way(n: float, N: int, M: int, K: int) -> float:
    return (N - 1) * (M - 1) * (K - 1) / (2 * n * math.log(2))


def _without_two(n: float, N: int, M: int, K: int) -> float:
    return (N * M - 1) * (K - 1) / (n * math.log(2))


def _share(observed: float, shuffled: Any) -> float:
    return float(np.mean(np.asarray(shuffled) >= observed))


def _strictly(observed: float, shuffled: Any) -> float:
    return float((1 + (np.asarray(shuffled) > observed).sum()) / (1 + len(shuffled)))


def _below(observed: float, shuffled: Any) -> float:
    return float((1 + (np.asarray(shuffled) <= observed).sum()) / (1 + len(shuffled)))


KEY = {
    "exercise_6_1": Entry(
        minutes=7,
        why="The plug-in compares Y with the pair, which has NM values. A table of NM × K whose "
        "row and column sums are given has (NM − 1)(K − 1) free cells, and each adds 1 / (2 n) "
        "nats, that is 1 / (2 n ln 2) bits.",
        slips=(
            Slip(
                "leaves out ln 2",
                _in_nats,
                "that is nats",
                "A log to the base e counts nats, and one bit is ln 2 = .69 of them.",
            ),
            Slip(
                "counts all cells",
                _all_cells,
                "one value of each is not free",
                "Given all other cells and the sums, can the last one still be chosen?",
            ),
            Slip(
                "fixes the sums over labels only",
                _labels_only,
                "how many rows each label has is fixed as well",
                "Add up your table both ways: which sums are given?",
            ),
            Slip(
                "takes the three variables as equals",
                _three_way,
                "the total compares Y with the *pair*",
                "The total is I(X1, X2; Y): two variables, the pair and the label.",
            ),
            Slip(
                "leaves out the 2",
                _without_two,
                "a squared error has the factor",
                "Information near independence is half a chi-square over n: hence 2 n.",
            ),
        ),
    ),
    "exercise_6_2": Entry(
        minutes=5,
        why="35 · 2 / (2 n ln 2) = .05 gives n = 1,009.9, so 1,010 rows. "
        "`samples_needed((6, 6, 3), 0.05)` is the same.",
        slips=(
            Slip(
                "leaves the default of `samples_needed`",
                5050,
                "hand it .05",
                "Which bias was asked for? The function's second argument is .01 unless you say.",
            ),
            Slip(
                "computes in nats",
                700,
                "ln 2 is missing",
                "See 6.1: bits, so divide by ln 2 as well.",
            ),
            Slip(
                "takes the table of one source",
                145,
                "the pair has 36 values",
                "Each source alone needs few rows. It is the pair that is expensive.",
            ),
            Slip(
                "takes one row a cell",
                108,
                "alone in its cell",
                "Then the table knows every row by heart.",
            ),
        ),
    ),
    "exercise_6_3": Entry(
        minutes=12,
        why="A is a table of 72 cells from 60 rows: nothing is estimated, and shuffled labels do "
        "as well. B is a weak exclusive or, but 300 rows and 8 cells settle it. In C something is "
        "told, and it is unique to source 1. D has 40 rows and a clean exclusive or.",
        slips=(
            Slip(
                "goes by the size of the plug-in",
                {"A": True, "B": False, "C": False, "D": True},
                "as much with shuffled labels",
                "Shuffle y of A and look again.",
            ),
            Slip(
                "goes by the p-value of the total",
                {"A": False, "B": True, "C": True, "D": True},
                "unique to source 1",
                "What does the shuffle of labels destroy? Everything, not only synergy.",
            ),
            Slip(
                "mistrusts few rows",
                {"A": False, "B": True, "C": False, "D": False},
                "few rows are enough",
                "Rows are few or many for a number of cells. Look at the interval.",
            ),
            Slip(
                "mistrusts small numbers",
                {"A": False, "B": False, "C": False, "D": True},
                "the interval of S stays above 0",
                "Small with a narrow interval is more than large without one.",
            ),
        ),
    ),
    "exercise_6_4": Entry(
        minutes=6,
        why="If the labels meant nothing, the order observed would be one of B + 1 equally likely "
        "orders. The chance that it is among those that reach the observed value is "
        "(1 + #{shuffled ≥ observed}) / (1 + B).",
        slips=(
            Slip(
                "takes the share of shuffles",
                _share,
                "a p of 0 says that it is impossible",
                "After 9 shuffles you know of 10 orders, the observed one among them.",
            ),
            Slip(
                "does not count ties",
                _strictly,
                "ties count against you",
                "With few cells many orders give the same number.",
            ),
            Slip(
                "counts from below",
                _below,
                "surprising is a value that few shuffles",
                "A large value should give a small p.",
            ),
        ),
    ),
}
