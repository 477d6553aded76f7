"""Checks of notebook 7 · Three sources.

Tables p[x1, x2, x3, y]; n samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.errors import InputError
from trifeature.pid import union_information
from trifeature.pid.sources.lattice import lattice
from trifeature.pid.sources.union import as_joint, information

from ._base import Wrong, check, number, returned

Table = npt.NDArray[np.float64]
ALL: Final = (0, 1, 2)


def told(p: Table, sources: tuple[int, ...]) -> float:
    """Bits that some of three sources, from 0, tell together about Y."""
    return information(p.sum(tuple(i for i in ALL if i not in sources)))


def _words(sources: tuple[int, ...]) -> str:
    return " and ".join(str(i + 1) for i in sources)


@check
def exercise_7_1(answer: Any) -> str:
    """A secret that any two of three sources tell, and no single one."""
    try:
        p = as_joint(answer)
    except InputError as problem:
        raise Wrong(f"this is no joint table p[x1, x2, x3, y]: {problem}.") from None
    if p.ndim != 4:
        raise Wrong(f"three sources and Y make four axes, and this table has {p.ndim}.")
    secret = information(p)
    if secret < 0.5:
        raise Wrong(
            f"all three together tell {secret:.3f} bits only: there is hardly a secret to share."
        )
    for i in ALL:
        if told(p, (i,)) > 0.01:
            raise Wrong(
                f"source {i + 1} alone tells {told(p, (i,)):.3f} bits: a share must be worthless "
                "by itself, so it needs chance in it that the others know."
            )
    pairs = {pair: told(p, pair) for pair in combinations(ALL, 2)}
    if max(pairs.values()) < 0.01:
        raise Wrong(
            "no two of them tell anything: this secret needs all three, like the three-way "
            "exclusive or. With bits there is no room; try numbers modulo 3."
        )
    for pair, bits in pairs.items():
        if bits < secret - 0.01:
            raise Wrong(
                f"{_words(pair)} together tell {bits:.3f} of {secret:.3f} bits: *any* two have to "
                "know all of it, not one pair of them."
            )
    return f"{secret:.2f} bits that any two tell and none alone: two points settle a line."


@check
def exercise_7_2(answer: Any) -> str:
    """`unique_to(p, i)`: what the union loses without source i, from 0."""
    for name, p in _TABLES.items():
        everyone = union_information(p).value
        for i in ALL:
            found = number(returned(answer(p.copy(), i)), "a unique part")
            rest = tuple(j for j in ALL if j != i)
            wanted = everyone - union_information(p, rest).value
            if abs(found - wanted) < 1e-6:
                continue
            lost = information(p) - told(p, rest)
            case = f"for {name} and source {i + 1} you return {found:.3f}, it is {wanted:.3f}: "
            raise Wrong(case + _why_unique(found, lost, told(p, (i,)), (p, i)))
    return "what is unique to a source is lost from the *union*, where each speaks by itself."


def _why_unique(found: float, lost: float, alone: float, case: tuple[Table, int]) -> str:
    """Which slip gives this number."""
    p, i = case
    if abs(found - lost) < 1e-6:
        return (
            "you subtract what the others tell *together* from what all tell together. Without a "
            "source its synergy is gone too, and that is not its own."
        )
    if abs(found - alone) < 1e-6:
        return "that is what it tells alone, and others may tell the same."
    if abs(found - union_information(p).value) < 1e-6:
        return "that is the union of all; subtract the union of the others."
    others = tuple(j for j in ALL if j != i)
    if abs(found - union_information(p, others).value) < 1e-6:
        return "that is the union of the others; what does the union of all have beyond it?"
    return "the union of all three, less the union of the two others."


def _rule_table(rule: Any, inputs: int) -> Table:
    """The table of a rule on fair bits that returns x1, x2, x3 and y."""
    rows = [rule(*(np.arange(2**inputs)[k] >> np.arange(inputs) & 1)) for k in range(2**inputs)]
    p = np.zeros(np.max(rows, axis=0) + 1)
    np.add.at(p, tuple(np.transpose(rows)), 1 / len(rows))
    return p


_TABLES: Final[Mapping[str, Table]] = {
    "a bit of each": _rule_table(lambda a, b, c: (a, b, c, 4 * a + 2 * b + c), 3),
    "a copy to 1 and 2": _rule_table(lambda a, b: (a, a, b, a), 2),
    "an exclusive or of 1 and 2": _rule_table(lambda a, b, c: (a, b, c, a ^ b), 3),
    "source 3 as a exclusive or b": _rule_table(lambda a, b: (a, b, a ^ b, 2 * a + b), 2),
}


PLACES: Final[Mapping[str, str]] = {
    "all three are copies of Y": "{1}{2}{3}",
    "Y = X1, and X2 xor X3 is the same": "{1}{23}",
    "any two of them settle Y": "{12}{13}{23}",
    "only all three settle Y": "{123}",
}
"""Where the one bit of each rule stands in the lattice."""


@check
def exercise_7_3(answer: Any) -> str:
    """Where a bit stands in the lattice."""
    if not isinstance(answer, Mapping) or set(answer) != set(PLACES):
        raise Wrong("a dictionary with the four sentences as keys is wanted.")
    for sentence, right in PLACES.items():
        given = answer[sentence]
        if given is ...:
            raise Wrong(f"the place of “{sentence}” is still to be written.")
        found = str(given).replace(" ", "").replace(",", "")
        if found == right:
            continue
        if found not in lattice(3).names:
            raise Wrong(
                f"{given!r} is no place of the lattice: groups in braces, none of which holds "
                "another whole, smaller ones first, such as '{1}{23}'."
            )
        raise Wrong(f"not {found} for “{sentence}”: {_why_place(found, right)}.")
    return "groups side by side each tell it; inside a pair of braces they have to sit together."


def _why_place(found: str, right: str) -> str:
    """Why a bit does not stand there."""
    groups = found.strip("{}").split("}{")
    wanted = right.strip("{}").split("}{")
    together = ", ".join(groups[0])
    if len(groups) == 1 and len(groups[0]) > 1:
        return (
            f"{{{groups[0]}}} alone says that {together} are needed together, and that no other "
            "group tells it"
        )
    if all(any(set(own) <= set(group) for own in wanted) for group in groups):
        return "these groups do tell it, but smaller or further ones tell it already"
    failing = next(g for g in groups if not any(set(own) <= set(g) for own in wanted))
    return f"the group {{{failing}}} does not tell it by itself"


def triples(name: str, count: int = 600) -> tuple[npt.NDArray[np.int64], ...]:
    """x1, x2, x3 and y [n] of one of the data sets A, B and C."""
    rng = np.random.default_rng({"A": 21, "B": 22, "C": 23}[name])
    x1, x2, x3 = rng.integers(0, 2, size=(3, count))
    noise = (rng.random(count) < 0.05).astype(np.int64)
    if name == "A":
        return x1, x2, x3, x1 ^ x3 ^ noise
    if name == "B":
        return x1, x2, x3, x1 ^ x2 ^ x3 ^ noise
    return x2 ^ (rng.random(count) < 0.2), x2, x3, x2 ^ noise


@check
def exercise_7_4(answer: Any) -> str:
    """The smallest set of sources that tells all that three tell."""
    truth = {"A": {1, 3}, "B": {1, 2, 3}, "C": {2}}
    if not isinstance(answer, Mapping) or set(answer) != set(truth):
        raise Wrong("a dictionary with the keys A, B and C is wanted.")
    for name, right in truth.items():
        if answer[name] is ...:
            raise Wrong(f"the sources that {name} needs are still to be found.")
        found = {answer[name]} if isinstance(answer[name], int) else set(answer[name])
        if not found <= {1, 2, 3}:
            raise Wrong("sources are numbered 1, 2 and 3.")
        if lacking := right - found:
            source = min(lacking)
            raise Wrong(
                f"{name} needs source {source} as well: "
                + (
                    "alone it tells nothing, and without it the rest is worthless"
                    if name != "C"
                    else "source 1 tells something, but only what it has of source 2"
                )
                + "."
            )
        if extra := found - right:
            raise Wrong(
                f"{name} does not need source {min(extra)}: {_why_spare(name, min(extra))}."
            )
    return "in A and B no single source tells anything, and yet two and three are needed."


def _why_spare(name: str, source: int) -> str:
    """Why a source can be left out."""
    if (name, source) == ("C", 1):
        return "alone it tells something, but nothing that source 2 does not tell, and better"
    return "with it the others tell no more than counting noise adds; ask shuffled labels"
