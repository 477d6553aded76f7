"""The key to notebook 1 · Two sensors and a label."""

from __future__ import annotations

from typing import Final

import numpy as np

from trifeature.pid import Atoms, gallery_table

from . import Entry, Slip


def _unique_alone(atoms: Atoms, source: int) -> float:
    return atoms.unique1 if source == 1 else atoms.unique2


def _other_source(atoms: Atoms, source: int) -> float:
    return (atoms.unique2 if source == 1 else atoms.unique1) + atoms.synergy


def _both(atoms: Atoms, _: int) -> float:
    return atoms.total


def _own_information(atoms: Atoms, source: int) -> float:
    return atoms.information1 if source == 1 else atoms.information2


KEY: Final = {
    "exercise_1_1": Entry(
        minutes=9,
        why=(
            "Both sources see the bit r, so r is redundant. Each has one half of a second bit, "
            "s1 and s2; Y holds r and s1 xor s2, and the second is known only with both halves. "
            "Nothing is unique, because whatever one source tells alone (r) the other tells too. "
            "The co-information R − S is 0, so whoever looks at it alone sees neither."
        ),
        slips=(
            Slip(
                "takes AND",
                gallery_table("AND"),
                "wanted are R = 1 and S = 1",
                "AND mixes both kinds in one bit of Y, and one bit cannot hold two. Give Y two.",
            ),
            Slip(
                "takes COPY: Y is both bits",
                gallery_table("COPY"),
                "the shared bit must be visible to both",
                "Here each source has a bit of its own. Redundancy needs a bit that is seen twice.",
            ),
            Slip(
                "fills a table that does not sum to 1",
                np.full((2, 2, 2), 0.2),
                "a joint table sums to 1",
                "Count the cells that can happen: each has the chance 1 / their number.",
            ),
        ),
    ),
    "exercise_1_2": Entry(
        minutes=5,
        why=(
            "The inputs of AND are independent coins, and yet either input may settle the output: "
            "a zero does. What either can tell is redundant about Y. OR is right as well. "
            "Redundancy is about a target; correlation of the sources is neither needed nor enough."
        ),
        slips=(
            Slip(
                "takes RDN, whose sources are copies",
                gallery_table("RDN"),
                "wanted are independent ones",
                "That is belief 1. Read p(x1, x2): when X1 is known, is X2 still a fair coin?",
            ),
            Slip(
                "takes XOR",
                gallery_table("XOR"),
                "either input can settle",
                "Independent, yes. But one input of XOR never settles anything.",
            ),
        ),
    ),
    "exercise_1_3": Entry(
        minutes=6,
        why=(
            "All four atoms are lost but those that the other source still tells: R and its own U. "
            "So U and S go. An ablation cannot tell a source with something of its own from one "
            "half of a synergy; that takes a second measurement, of the source alone."
        ),
        slips=(
            Slip(
                "returns the unique information alone",
                _unique_alone,
                "what only both together tell goes too",
                "Try it with XOR: sensor 1 has nothing unique. Does it cost nothing to drop it?",
            ),
            Slip(
                "returns what the source tells alone, R + U",
                _own_information,
                "still tells what both have in common",
                "What is told twice is not lost when one of the two falls silent.",
            ),
            Slip(
                "returns what the other source costs",
                _other_source,
                "belong to the other source",
                "Which sensor is dropped, and which one is left?",
            ),
            Slip(
                "returns everything",
                _both,
                "less what the other source tells alone",
                "One sensor is still there. Subtract what it tells.",
            ),
        ),
    ),
    "exercise_1_4": Entry(
        minutes=5,
        why=(
            "The label's noise leaves 1 − h(e) bits of XOR, where h is the entropy of a coin with "
            "chance e, and this is ½ at e = 0.110. The first wrong labels cost most, because the "
            "entropy rises steeply from 0: one wrong label in nine takes half of the synergy."
        ),
        slips=(
            Slip(
                "guesses 0.25, half of the way to 0.5",
                0.25,
                "the first flips cost most",
                "The line in the notebook is no straight line: where does it fall most steeply?",
            ),
            Slip(
                "answers in percent",
                11,
                "a flip rate from 0 to 0.5",
                "A rate is a share of one: 11 % is 0.11.",
            ),
            Slip(
                "flips too rarely",
                0.01,
                "the label is still nearly clean",
                "Search between two rates of the list.",
            ),
        ),
    ),
}
