"""The key of notebook 7 · Three sources."""

from __future__ import annotations

from typing import Any

import numpy as np

from trifeature.pid import union_information
from trifeature.pid.sources.union import information

from . import Entry, Slip


def _of_bits(rule: Any) -> Any:
    """The table of a rule on three fair bits that returns x1, x2, x3 and y."""
    table = np.zeros((2, 2, 2, 2))
    for a in (0, 1):
        for b in (0, 1):
            for c in (0, 1):
                table[rule(a, b, c)] += 1 / 8
    return table


def _lost(p: Any, i: int) -> float:
    return information(p) - information(p.sum(i))


def _alone(p: Any, i: int) -> float:
    return information(p.sum(tuple(j for j in range(3) if j != i)))


def _of_the_others(p: Any, i: int) -> float:
    return union_information(p, [j for j in range(3) if j != i]).value


PLACES = {
    "all three are copies of Y": "{1}{2}{3}",
    "Y = X1, and X2 xor X3 is the same": "{1}{23}",
    "any two of them settle Y": "{12}{13}{23}",
    "only all three settle Y": "{123}",
}

KEY = {
    "exercise_7_1": Entry(
        minutes=12,
        why="The secret y is the height of a line at 0, the slope a is chance. Shares are the "
        "heights at 1 and at 2, and the slope: any two settle the line, one leaves every secret "
        "equally likely. Arithmetic is modulo 3, so that every share is uniform.",
        slips=(
            Slip(
                "takes the three-way exclusive or",
                _of_bits(lambda a, b, c: (a, b, c, a ^ b ^ c)),
                "this secret needs all three",
                "Two of them tell nothing here. Make it cheaper: any two should be enough.",
            ),
            Slip(
                "gives everyone a copy",
                _of_bits(lambda a, b, c: (a, a, a, a)),  # noqa: ARG005
                "worthless by itself",
                "Then nobody has to ask anyone. A share has to look like pure chance.",
            ),
            Slip(
                "hides it in one pair",
                _of_bits(lambda a, b, c: (a, b, c, a ^ b)),
                "*any* two have to know all of it",
                "What do 1 and 3 know?",
            ),
        ),
    ),
    "exercise_7_2": Entry(
        minutes=8,
        why="The union is what the sources tell if each speaks by itself. What it loses without "
        "source i nobody else can say. For two sources this is U1 or U2.",
        slips=(
            Slip(
                "measures an ablation",
                _lost,
                "its synergy is gone too",
                "Notebook 1, belief 6: what dropping a source costs is U + S.",
            ),
            Slip(
                "takes what it tells alone",
                _alone,
                "others may tell the same",
                "Alone it tells R and U.",
            ),
            Slip(
                "returns the union of the others",
                _of_the_others,
                "what does the union of all have beyond it",
                "Half way: subtract it from the union of all.",
            ),
        ),
    ),
    "exercise_7_3": Entry(
        minutes=7,
        why="A place lists the smallest groups that tell the bit: side by side means each group by "
        "itself, inside the braces means together.",
        slips=(
            Slip(
                "reads side by side as together",
                {**PLACES, "all three are copies of Y": "{123}"},
                "are needed together",
                "{123} is one group of three. Copies are three groups of one.",
            ),
            Slip(
                "forgets a group",
                {**PLACES, "any two of them settle Y": "{12}"},
                "no other group tells it",
                "1 and 3 settle it too.",
            ),
            Slip(
                "takes too small a group",
                {**PLACES, "Y = X1, and X2 xor X3 is the same": "{1}{2}{3}"},
                "does not tell it by itself",
                "What does X2 alone say about X1?",
            ),
        ),
    ),
    "exercise_7_4": Entry(
        minutes=8,
        why="A is an exclusive or of 1 and 3, B of all three. In C source 1 is a noisy copy of "
        "source 2, and source 2 tells the label: with 2 there, 1 adds nothing.",
        slips=(
            Slip(
                "drops what tells nothing alone",
                {"A": {1, 3}, "B": {1, 2}, "C": {2}},
                "alone it tells nothing",
                "Belief 2 of notebook 1, for three: look at the pairs and at all three.",
            ),
            Slip(
                "keeps what tells something alone",
                {"A": {1, 3}, "B": {1, 2, 3}, "C": {1, 2}},
                "nothing that source 2 does not tell",
                "Compare what 2 tells with what 1 and 2 tell.",
            ),
            Slip(
                "keeps everything, to be safe",
                {"A": {1, 2, 3}, "B": {1, 2, 3}, "C": {2}},
                "counting noise adds",
                "A further source always seems to add a little: notebook 6.",
            ),
        ),
    ),
}
