"""Checks of notebook 8 · Gaussian data and three definitions.

d1, d2 and dy dimensions of X1, X2 and Y, D = d1 + d2 + dy; n samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.pid import gaussian, gaussian_mmi

from ._base import Wrong, check, number, returned

Array = npt.NDArray[np.float64]

NOISE: Final = (0.5, 1.0)
"""Standard deviations of the noise of the two looks of exercise 8.2."""


@check
def exercise_8_1(answer: Any) -> str:
    """`correlation_of(bits)`: the correlation, of at least 0, that tells so many bits."""
    for bits in (0.4, 2.0, 0.0):
        found = number(returned(answer(bits)), "a correlation")
        wanted = math.sqrt(1 - 4**-bits)
        if abs(found - wanted) < 1e-6:
            continue
        case = f"for {bits:g} bits you return {found:.3f}, it is {wanted:.3f}: "
        for why, value in _mistakes_of_correlation(bits).items():
            if abs(found - value) < 1e-6:
                raise Wrong(f"{case}{why}.")
        raise Wrong(
            f"{case}solve bits = −½ log₂(1 − r²) for r; at 0 bits r is 0, and it stays below 1."
        )
    return "half a bit needs a correlation of .71: correlations look larger than what they tell."


def _mistakes_of_correlation(bits: float) -> dict[str, float]:
    """Correlations that students return, by what is wrong with them and why."""
    return {
        "these are nats, since a power of e takes back a natural logarithm: take powers of 2": (
            math.sqrt(1 - math.exp(-2 * bits))
        ),
        "the ½ is missing: the share that is left is 2 to the power of −2 · bits": math.sqrt(
            1 - 2**-bits
        ),
        "that is r², the share of the variance that is told: take the root": 1 - 4**-bits,
        "that is 1 − r², the share of the variance that is left: what is told is the rest": (
            4**-bits
        ),
        "that is the root of the share of the variance that is left: take what is told, r²": (
            2**-bits
        ),
        "the sign is turned: a correlation of at least 0 is wanted": -math.sqrt(1 - 4**-bits),
        "that are the bits of a correlation; the question is the other way round": (
            -math.log2(1 - bits * bits) / 2 if bits < 1 else math.nan
        ),
    }


def two_looks(noise1: float, noise2: float, together: float) -> Array:
    """Covariance [3, 3] of X1 = Y + noise1 N1, X2 = Y + noise2 N2 and Y; N1, N2 are correlated."""
    covariance = np.ones((3, 3))
    covariance[0, 0], covariance[1, 1] = 1 + noise1**2, 1 + noise2**2
    covariance[0, 1] = covariance[1, 0] = 1 + together * noise1 * noise2
    return covariance


@check
def exercise_8_2(answer: Any) -> str:
    """The correlation of the noise at which two unequal looks have no synergy."""
    rho = number(answer, "a correlation")
    if not -1 < rho < 1:
        raise Wrong(f"a correlation lies between -1 and 1, not at {rho:g}.")
    one, other = NOISE
    S = gaussian(two_looks(one, other, rho), (1, 1, 1)).synergy
    if abs(rho - one / other) < 0.01:
        return f"S is {S:.4f} bits: X2 is then X1 with noise of its own added, and adds nothing."
    mistakes = {
        0.0: "independent noise averages out: two looks together are surer than the better one",
        -one / other: "noise of opposite sign cancels, and the pair is surer than ever",
        (one / other) ** 2: "take the ratio of the standard deviations, not of the variances",
    }
    for value, why in mistakes.items():
        if abs(rho - value) < 0.005:
            raise Wrong(f"at {rho:g} the synergy is {S:.3f} bits: {why}.")
    if rho > 0.9:
        raise Wrong(
            f"at {rho:g} the synergy is {S:.3f} bits: with nearly the same noise in both, the "
            "difference of the two looks is nearly free of signal and tells the noise."
        )
    raise Wrong(
        f"at {rho:g} the synergy is {S:.3f} bits. When is X2 only a worse copy of X1, X1 with some "
        "noise of its own added?"
    )


PAPER: Final = np.array(
    [[1.5, 0.5, 1.0, 0.0], [0.5, 1.5, 0.5, 0.75**0.5], [1.0, 0.5, 1.0, 0.0], [0, 0.75**0.5, 0, 1.0]]
)
"""Covariance of X1, X2 and Y = (a, b) of exercise 8.3: X2 looks 60° away from X1."""


def i_dep(covariance: Array, sizes: tuple[int, int, int]) -> float:
    """R of I_dep (James and others 2018; Kay and Ince 2018) of Gaussian variables, in bits."""
    d1, d2, dy = sizes
    one, other = list(range(d1)), list(range(d1, d1 + d2))
    y = list(range(d1 + d2, d1 + d2 + dy))
    apart = covariance.copy()
    to_y = np.linalg.solve(covariance[np.ix_(y, y)], covariance[np.ix_(y, other)])
    apart[np.ix_(one, other)] = covariance[np.ix_(one, y)] @ to_y
    apart[np.ix_(other, one)] = apart[np.ix_(one, other)].T
    told1, told2 = (_bits(covariance, source, y) for source in (one, other))
    both = [_bits(law, one + other, y) for law in (covariance, apart)]
    return told1 - min(told1, *(bits - told2 for bits in both))


def _bits(covariance: Array, one: list[int], other: list[int]) -> float:
    """Information of two groups of Gaussian variables, in bits."""
    dets = [np.linalg.det(covariance[np.ix_(k, k)]) for k in (one, other, one + other)]
    return float(np.log2(dets[0] * dets[1] / dets[2]) / 2)


def claims() -> dict[str, float]:
    """The redundancies that three papers print for `PAPER`, in bits."""
    return {
        "paper 1": gaussian_mmi(PAPER, (1, 1, 2)).redundancy,
        "paper 2": i_dep(PAPER, (1, 1, 2)),
        "paper 3": gaussian(PAPER, (1, 1, 2)).redundancy,
    }


@check
def exercise_8_3(answer: Any) -> str:
    """Which definition each of three papers used."""
    right = {"paper 1": "MMI", "paper 2": "I_dep", "paper 3": "BROJA"}
    if not isinstance(answer, Mapping) or set(answer) != set(right):
        raise Wrong("a dictionary with the keys 'paper 1', 'paper 2' and 'paper 3' is wanted.")
    printed = claims()
    for paper, wanted in right.items():
        found = answer[paper]
        if found is ...:
            raise Wrong(f"the definition of {paper} is still to be found.")
        if found not in _ABOUT:
            raise Wrong(f"{found!r} is none of the three: BROJA, MMI, I_dep.")
        if found != wanted:
            raise Wrong(
                f"{paper} prints {printed[paper]:.4f} bits, and {found} gives another number for "
                f"this covariance: {_ABOUT[found]}."
            )
    return "one covariance, three redundancies: a number without its definition says little."


_ABOUT: Final = {
    "MMI": "it is the smaller of the two informations, whatever they are about",
    "I_dep": "here the noise is independent given Y, and it is I1 + I2 − I12",
    "BROJA": "it lies above I1 + I2 − I12 by the synergy that it sees",
}


def samples(name: str) -> tuple[Array, Array, Array]:
    """x1, x2 and y [n] of one of the samples A, B and C."""
    rng = np.random.default_rng({"A": 31, "B": 32, "C": 33}[name])
    if name == "A":  # a source, and one that hears its noise alone
        y, noise, other = rng.normal(size=(3, 100))
        return y + noise, noise + 0.3 * other, y
    if name == "B":  # the worse look is a worse copy of the better one
        y, noise, other = rng.normal(size=(3, 100))
        return y + 0.5 * noise, y + 0.5 * noise + 0.9 * other, y
    x1, x2, size = rng.normal(size=(3, 400))
    return x1, x2, np.sign(x1 * x2) * (0.5 + np.abs(size))


@check
def exercise_8_4(answer: Any) -> str:
    """The atoms that are above 0 by their interval."""
    truth = {"A": {"unique1", "synergy"}, "B": {"redundancy", "unique1"}, "C": {"synergy"}}
    if not isinstance(answer, Mapping) or set(answer) != set(truth):
        raise Wrong("a dictionary with the keys A, B and C is wanted.")
    for name, right in truth.items():
        if answer[name] is ...:
            raise Wrong(f"the atoms of sample {name} are still to be estimated.")
        found = {answer[name]} if isinstance(answer[name], str) else set(answer[name])
        if name == "C" and not found:
            raise Wrong(
                "in C the Gaussian estimate finds nothing, since all correlations are 0. Look at "
                "the points, or count: `PID(bins=4)` reads what is no correlation."
            )
        if extra := found - right:
            atom = min(map(str, extra))
            raise Wrong(
                f"in {name} {atom} is not above 0 by its interval: a point above 0 may be chance."
            )
        if lacking := right - found:
            atom = min(lacking)
            why = (
                "source 2 tells nothing alone, but it tells the noise of source 1"
                if (name, atom) == ("A", "synergy")
                else "read the interval, not the size of the point"
            )
            raise Wrong(f"in {name} {atom} is above 0 by its interval: {why}.")
    return "a noise that is heard, a worse copy, and what no correlation shows."
