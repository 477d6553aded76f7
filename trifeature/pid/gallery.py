"""Named distributions with known atoms, for tests and teaching.

Every entry has one sentence and closed-form atoms (redundancy, unique 1, unique 2, synergy, in
bits) under BROJA; families have parameters. The textbook names are those of Williams and Beer
(2010), Griffith and Koch (2014), Bertschinger et al. (2014) and James et al. (2018).

Shape legend: N values of X1, M values of X2, K values of Y.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from trifeature.errors import InputError, check_name
from trifeature.pid.tables import binary_entropy as h

Table = NDArray[np.float64]
FourBits = tuple[float, float, float, float]

AND_INFORMATION = h(0.25) - 0.5
W_INFORMATION = math.log2(3) - 4 / 3


@dataclass(frozen=True)
class Example:
    """A named distribution, or a family of distributions.

    Attributes:
        name: Its name for `gallery_table` and the command line.
        sentence: What it shows, in one sentence.
        family: Function of the parameters that returns p[x1, x2, y], [N, M, K].
        truth: Function of the same parameters that returns the exact BROJA atoms (R, U1, U2, S)
            in bits.
    """

    name: str
    sentence: str
    family: Callable[..., Table]
    truth: Callable[..., FourBits]

    @property
    def parameters(self) -> dict[str, float]:
        """Names and default values of the parameters; an int default means a count."""
        return {k: v.default for k, v in inspect.signature(self.family).parameters.items()}

    def table(self, **values: float) -> Table:
        """Return p[x1, x2, y]; parameters that are not given have their default.

        Raises:
            InputError: Unknown parameter, or a value outside its range.
        """
        return self.family(**self._checked(values))

    def atoms(self, **values: float) -> FourBits:
        """Return the exact (R, U1, U2, S) in bits, for the same parameters as `table`."""
        return self.truth(**self._checked(values))

    def _checked(self, values: Mapping[str, float]) -> dict[str, float]:
        known = self.parameters
        for name, value in values.items():
            if not known:
                raise InputError(f"{self.name} takes no parameters, got {name!r}")
            check_name(f"parameter of {self.name}", name, known)
            known[name] = _in_range(name, value, known[name])
        return known


def _in_range(name: str, value: float, default: float) -> float:
    """Check a count (from 2) if the default is an int, otherwise a probability."""
    if isinstance(default, int):
        if not (2 <= value <= 100 and value == int(value)):
            raise InputError(f"{name} is a whole number from 2 to 100, got {value:g}")
        return int(value)
    if not 0.0 <= value <= 1.0:
        raise InputError(f"{name} is a probability in [0, 1], got {value:g}")
    return value


def uniform_table(support: str) -> Table:
    """The uniform distribution over outcomes "x1 x2 y", one digit each.

    >>> uniform_table("000 111").shape
    (2, 2, 2)
    """
    outcomes = np.array([[int(digit) for digit in outcome] for outcome in support.split()])
    table = np.zeros(outcomes.max(0) + 1)
    np.add.at(table, tuple(outcomes.T), 1.0 / len(outcomes))
    return table


def function_table(inputs: int, rule: Callable[..., tuple[int, int, int]]) -> Table:
    """The distribution of `rule(*bits)` -> (x1, x2, y) over `inputs` fair bits."""
    outcomes = [rule(*bits) for bits in product((0, 1), repeat=inputs)]
    table = np.zeros(np.max(outcomes, axis=0) + 1)
    np.add.at(table, tuple(np.transpose(outcomes)), 0.5**inputs)
    return table


def _gate(name: str, support: str, atoms: FourBits, sentence: str) -> Example:
    return Example(name, sentence, lambda: uniform_table(support), lambda: atoms)


def _flipped_gate(gate: Callable[[int, int], int], flip: float, equal: float = 0.5) -> Table:
    """Two bits, equal with probability `equal`, and the gate's output, flipped at a rate."""
    table = np.zeros((2, 2, 2))
    for x1, x2 in product((0, 1), repeat=2):
        weight = (equal if x1 == x2 else 1.0 - equal) / 2
        y = gate(x1, x2)
        table[x1, x2, y] += weight * (1.0 - flip)
        table[x1, x2, 1 - y] += weight * flip
    return table


def _noisy_xor(flip: float = 0.1) -> Table:
    return _flipped_gate(lambda a, b: a ^ b, flip)


def _noisy_and(flip: float = 0.1) -> Table:
    return _flipped_gate(lambda a, b: a & b, flip)


def _noisy_and_atoms(flip: float) -> FourBits:
    one = 0.25 + 0.5 * flip
    return h(one) - 0.5 * h(flip) - 0.5, 0.0, 0.0, 0.5 - 0.5 * h(flip)


def _correlated_xor(equal: float = 0.9) -> Table:
    return _flipped_gate(lambda a, b: a ^ b, 0.0, equal)


def _two_looks(flip1: float = 0.1, flip2: float = 0.1) -> Table:
    looks = [np.array([[1.0 - e, e], [e, 1.0 - e]]) for e in (flip1, flip2)]
    return np.asarray(0.5 * np.einsum("iy,jy->ijy", *looks))


def _two_looks_atoms(flip1: float, flip2: float) -> FourBits:
    info1, info2 = 1.0 - h(flip1), 1.0 - h(flip2)
    agree = (1.0 - flip1) * (1.0 - flip2) + flip1 * flip2
    joint = 1.0
    if agree > 0.0:
        joint -= agree * h(flip1 * flip2 / agree)
    if agree < 1.0:
        joint -= (1.0 - agree) * h(flip1 * (1.0 - flip2) / (1.0 - agree))
    shared = min(info1, info2)
    return shared, info1 - shared, info2 - shared, joint - max(info1, info2)


def _correlated_copy(equal: float = 0.9) -> Table:
    table = np.zeros((2, 2, 4))
    for x1, x2 in product((0, 1), repeat=2):
        table[x1, x2, 2 * x1 + x2] = (equal if x1 == x2 else 1.0 - equal) / 2
    return table


def _sum_modulo(values: int = 3) -> Table:
    table = np.zeros((values, values, values))
    x1, x2 = np.indices((values, values))
    table[x1, x2, (x1 + x2) % values] = 1.0 / values**2
    return table


def _matched_pairs(values: int, rate: float) -> Table:
    """p(x1, x2): x1 uniform; x2 = x1 with probability `rate`, otherwise any other value."""
    pairs = np.full((values, values), (1.0 - rate) / (values * (values - 1)))
    np.fill_diagonal(pairs, rate / values)
    return pairs


def _match_unique(values: int = 10, rate: float = 0.5) -> Table:
    return np.asarray(np.einsum("ij,iy->ijy", _matched_pairs(values, rate), np.eye(values)))


def _match_unique_atoms(values: int, rate: float) -> FourBits:
    shared = math.log2(values) - h(rate) - (1.0 - rate) * math.log2(values - 1)
    return shared, math.log2(values) - shared, 0.0, 0.0


def _match_label(values: int = 10, rate: float = 0.5) -> Table:
    pairs, same = _matched_pairs(values, rate), np.eye(values)
    return np.stack([pairs * (1.0 - same), pairs * same], axis=-1)


def _match_label_atoms(values: int, rate: float) -> FourBits:
    """Each source is independent of the label, so all of the label's entropy is synergy."""
    return 0.0, 0.0, 0.0, h(rate) if values > 1 else 0.0


def _independent(values: int = 4) -> Table:
    return np.full((values, values, values), 1.0 / values**3)


def _all_four(r: int, u1: int, u2: int, s1: int, s2: int) -> tuple[int, int, int]:
    return 4 * r + 2 * u1 + s1, 4 * r + 2 * u2 + s2, 8 * r + 4 * u1 + 2 * u2 + (s1 ^ s2)


_EXAMPLES = (
    _gate("RDN", "000 111", (1, 0, 0, 0), "Both sources are copies of the target bit."),
    _gate("UNQ1", "000 010 101 111", (0, 1, 0, 0), "The target is source 1; source 2 is noise."),
    _gate("UNQ2", "000 011 100 111", (0, 0, 1, 0), "The target is source 2; source 1 is noise."),
    _gate(
        "XOR",
        "000 011 101 110",
        (0, 0, 0, 1),
        "Neither source alone has information about the target; together they determine it.",
    ),
    _gate(
        "COPY",
        "000 011 102 113",
        (0, 1, 1, 0),
        "The target is the pair of two independent bits: I_min finds redundancy, BROJA none.",
    ),
    _gate(
        "AND",
        "000 010 100 111",
        (AND_INFORMATION, 0, 0, 0.5),
        "Independent sources can be redundant: a zero in either one determines the target.",
    ),
    _gate(
        "OR",
        "000 011 101 111",
        (AND_INFORMATION, 0, 0, 0.5),
        "AND with all bits inverted; the atoms are the same.",
    ),
    _gate(
        "SUM",
        "000 011 101 112",
        (0.5, 0, 0, 1),
        "The sum of two bits: what one bit leaves uncertain, both together determine.",
    ),
    _gate(
        "RDNXOR",
        "000 011 101 110 222 233 323 332",
        (1, 0, 0, 1),
        "One redundant and one synergistic bit: R = S = 1, and the co-information R - S is 0.",
    ),
    _gate(
        "PWUNQ",
        "011 101 022 202",
        (0.5, 0, 0, 0.5),
        "In each outcome one source alone is informative: unique for pointwise measures.",
    ),
    _gate(
        "W",
        "001 010 100",
        (W_INFORMATION, 0, 0, 2 / 3),
        "Exactly one of three bits is set; the measures disagree.",
    ),
    _gate(
        "DIFF",
        "000 001 010 101",
        (2 * AND_INFORMATION - 0.5, 0.5 - AND_INFORMATION, 0.5 - AND_INFORMATION, 0),
        "No synergy: the information of the two sources overlaps in part.",
    ),
    _gate(
        "WB1",
        "000 011 102",
        (W_INFORMATION, 2 / 3, 2 / 3, 0),
        "Williams and Beer's first example: each source identifies one of three target values.",
    ),
    _gate(
        "WB2",
        "000 011 102 111",
        (0, 0.5, 1, 0),
        "Williams and Beer's second example: unequal unique information of both sources.",
    ),
    _gate(
        "BOOM",
        "001 002 020 121 202 212",
        (1 / 3, 1 / 3, 1 / 3, W_INFORMATION / 2),
        "All four atoms are positive, on three values.",
    ),
    _gate(
        "PROB1",
        "000 001 010 011 100",
        (h(0.4) - 0.6 * h(1 / 3) - 0.4, 0.6 * h(1 / 3) - 0.4, 0, 0),
        "A noisy target: source 1 has all the information of source 2, and more.",
    ),
    _gate(
        "PROB2",
        "000 010 021 101",
        (AND_INFORMATION, 0, 0.5 - AND_INFORMATION, 0.5),
        "Redundancy, one unique atom and synergy together.",
    ),
    _gate(
        "NOT2",
        "000 001 010 100 111",
        (h(0.4) - 0.6 * h(1 / 3) - 0.4, 0, 0, 0.6 * h(1 / 3)),
        "A noisy target: each source alone has hardly any information.",
    ),
    Example(
        "ALL4",
        "One bit of each atom: X1 = (r, u1, s1), X2 = (r, u2, s2), Y = (r, u1, u2, s1 xor s2).",
        lambda: function_table(5, _all_four),
        lambda: (1, 1, 1, 1),
    ),
    Example(
        "CORRELATED",
        "X1 = (a, c), X2 = c, Y = a: the sources share a bit that has no information about Y.",
        lambda: function_table(2, lambda a, c: (2 * a + c, c, a)),
        lambda: (0, 1, 0, 0),
    ),
    _gate(
        "AND-SWAPPED",
        "000 100 001 111",
        (0, 0, AND_INFORMATION, 0.5 - AND_INFORMATION),
        "AND with target X1 and sources X2 and Y: the atoms depend on the choice of target.",
    ),
    Example(
        "NOISY-XOR",
        "XOR with the target flipped at a rate: label noise determines the size of S.",
        _noisy_xor,
        lambda flip: (0.0, 0.0, 0.0, 1.0 - h(flip)),
    ),
    Example("NOISY-AND", "AND with the target flipped at a rate.", _noisy_and, _noisy_and_atoms),
    Example(
        "CORRELATED-XOR",
        "XOR of bits that are equal at a rate: all of the target's entropy is synergy.",
        _correlated_xor,
        lambda equal: (0.0, 0.0, 0.0, h(equal)),
    ),
    Example(
        "TWO-LOOKS",
        "Two independent noisy observations of a fair bit: synergy without a rule like XOR.",
        _two_looks,
        _two_looks_atoms,
    ),
    Example(
        "CORRELATED-COPY",
        "The target is the pair of two bits that are equal at a rate: the shared information is R.",
        _correlated_copy,
        lambda equal: (1.0 - h(equal), h(equal), h(equal), 0.0),
    ),
    Example(
        "SUM-MODULO",
        "The sum modulo k of two uniform inputs: synergy of log2 k bits.",
        _sum_modulo,
        lambda values: (0.0, 0.0, 0.0, math.log2(values)),
    ),
    Example(
        "MATCH-UNIQUE",
        "Y = X1 (texture 1), and X2 (color 2) matches it at a rate: with half of the pairs "
        "matching, less than half of the information is redundant.",
        _match_unique,
        _match_unique_atoms,
    ),
    Example(
        "MATCH-LABEL",
        "Y states whether X1 and X2 match: the synergy task of Trifeature.",
        _match_label,
        _match_label_atoms,
    ),
    Example(
        "INDEPENDENT",
        "All variables are independent: anything an estimate finds is its bias.",
        _independent,
        lambda **_: (0.0, 0.0, 0.0, 0.0),
    ),
)

GALLERY: dict[str, Example] = {example.name: example for example in _EXAMPLES}


def example(name: str) -> Example:
    """Return the entry of that name; upper and lower case are the same.

    Raises:
        InputError: Unknown name; the message suggests the nearest.

    >>> example("xor").atoms()
    (0, 0, 0, 1)
    """
    return GALLERY[check_name("distribution", name.upper(), GALLERY)]


def gallery_table(name: str, **parameters: float) -> Table:
    """Return p[x1, x2, y] of the named distribution; other parameters have their default.

    Raises:
        InputError: Unknown name or parameter, or a value outside its range.

    >>> gallery_table("noisy-xor", flip=0.25)[0, 0].tolist()
    [0.1875, 0.0625]
    """
    return example(name).table(**parameters)
