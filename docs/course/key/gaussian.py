"""The key of notebook 8 · Gaussian data and three definitions."""

from __future__ import annotations

import math

from . import Entry, Slip

RIGHT = {"A": {"unique1", "synergy"}, "B": {"redundancy", "unique1"}, "C": {"synergy"}}

KEY = {
    "exercise_8_1": Entry(
        minutes=6,
        why="Given X, a share 1 − r² of the variance of Y is left, and bits = −½ log2(1 − r²). So "
        "1 − r² = 2^(−2 bits): each bit leaves a quarter of the variance, that is half of the "
        "standard deviation. Then r = √(1 − 2^(−2 bits)).",
        slips=(
            Slip(
                "takes powers of e",
                lambda bits: math.sqrt(1 - math.exp(-2 * bits)),
                "these are nats",
                "Which power takes back a logarithm to the base 2?",
            ),
            Slip(
                "leaves out the half",
                lambda bits: math.sqrt(1 - 2**-bits),
                "the ½ is missing",
                "A variance is a square; one bit halves the standard deviation.",
            ),
            Slip(
                "returns r²",
                lambda bits: 1 - 4**-bits,
                "take the root",
                "The share of the variance is r². What is asked for is r.",
            ),
            Slip(
                "returns what is left",
                lambda bits: 4**-bits,
                "what is told is the rest",
                "At 0 bits your answer should be 0: nothing is told.",
            ),
        ),
    ),
    "exercise_8_2": Entry(
        minutes=7,
        why="X2 = X1 + new noise adds nothing to X1. Then the noise of X2 is .5 N1 and an "
        "independent rest, so its covariance with the noise of X1 is .25, and the correlation "
        ".25 / (.5 · 1) = .5, the ratio of the standard deviations.",
        slips=(
            Slip(
                "takes independent noise",
                0.0,
                "independent noise averages out",
                "Two thermometers are better than one: that is in the pair alone, under BROJA.",
            ),
            Slip(
                "takes the ratio of variances",
                0.25,
                "not of the variances",
                "The covariance is .25; divide by both standard deviations.",
            ),
            Slip(
                "turns the sign",
                -0.5,
                "noise of opposite sign cancels",
                "Then the mean of the two looks is nearly free of noise.",
            ),
            Slip(
                "takes the same noise in both",
                0.99,
                "tells the noise",
                "Subtract one look from the other: what is left?",
            ),
        ),
    ),
    "exercise_8_3": Entry(
        minutes=9,
        why="MMI is the smaller information, the largest of the three. The noises are independent "
        "given Y, so I_dep is I1 + I2 − I12. BROJA is between them, by its synergy above I_dep.",
        slips=(
            Slip(
                "takes the largest for BROJA",
                {"paper 1": "BROJA", "paper 2": "I_dep", "paper 3": "MMI"},
                "BROJA gives another number",
                "R = min(I1, I2) is BROJA's for a single target number only. Here Y has two.",
            ),
            Slip(
                "exchanges BROJA and I_dep",
                {"paper 1": "MMI", "paper 2": "BROJA", "paper 3": "I_dep"},
                "by the synergy that it sees",
                "Which of the two sees synergy in two looks with independent noise?",
            ),
        ),
    ),
    "exercise_8_4": Entry(
        minutes=10,
        why="A: source 2 hears only the noise of source 1, so it helps without telling anything "
        "alone. B: X2 is X1 with more noise. C: the sign of Y is that of the product; all "
        "correlations are 0, and a table of bins sees it.",
        slips=(
            Slip(
                "trusts the Gaussian estimate of C",
                {**RIGHT, "C": set()},
                "since all correlations are 0",
                "Draw x1 against x2, and color the points by the sign of y.",
            ),
            Slip(
                "takes every point above 0",
                {**RIGHT, "B": {"redundancy", "unique1", "synergy"}},
                "may be chance",
                "What does the interval of the synergy hold?",
            ),
            Slip(
                "drops the source that tells nothing",
                {**RIGHT, "A": {"unique1"}},
                "tells the noise",
                "A microphone that hears only the engine cleans the one that hears the singer.",
            ),
        ),
    ),
}
