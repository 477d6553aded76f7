"""Checks of notebook 1 · Two sensors and a label."""

from __future__ import annotations

from typing import Any

from trifeature.pid import broja, gallery_table
from trifeature.pid.tables import entropy

from ._base import Wrong, check, number, returned, said, table_of


@check
def exercise_1_1(answer: Any) -> str:
    """A table with one bit of redundancy, one of synergy and nothing unique."""
    _, atoms = table_of(answer)
    R, U1, U2, S = atoms.values
    if max(U1, U2) > 0.01:
        raise Wrong(
            f"one source knows something alone that the other does not ({said(atoms)}); "
            "the shared bit must be visible to both."
        )
    if abs(R - 1) > 0.01 or abs(S - 1) > 0.01:
        raise Wrong(
            f"your table has {said(atoms)}; wanted are R = 1 and S = 1. They can be different "
            "bits: give each source two, and let Y have four values."
        )
    return f"{said(atoms)}, and a co-information of {atoms.co_information:.3f} that hides both."


@check
def exercise_1_2(answer: Any) -> str:
    """Independent sources that are redundant about Y."""
    table, atoms = table_of(answer)
    x1x2 = table.sum(2)
    separate = entropy(x1x2.sum(1)) + entropy(x1x2.sum(0))
    shared = float(separate - entropy(x1x2, 2))
    if shared > 1e-6:
        raise Wrong(
            f"your sources share {shared:.3f} bits with one another; wanted are independent ones, "
            "p(x1, x2) = p(x1) p(x2). Which gate has an output that either input can settle?"
        )
    if atoms.redundancy < 0.2:
        raise Wrong(
            f"the sources are independent, but your table has {said(atoms)}; wanted is an R of "
            "at least 0.2. Which gate has an output that either input can settle?"
        )
    return f"I(X1; X2) = 0, and {said(atoms)}: redundancy about Y is no correlation of sources."


@check
def exercise_1_3(answer: Any) -> str:
    """`ablation_cost(atoms, source)`: the information lost without a source."""
    for name in ("PROB2", "XOR", "UNQ1", "UNQ2", "RDN", "AND"):
        atoms = broja(gallery_table(name))
        for source, kept in ((1, atoms.information2), (2, atoms.information1)):
            found = number(returned(answer(atoms, source)), "the cost")
            wanted = atoms.total - kept
            if abs(found - wanted) < 1e-6:
                continue
            unique = (atoms.unique1, atoms.unique2)[source - 1]
            if abs(found - unique) < 1e-6:
                raise Wrong(
                    f"on {name} you return U{source} = {found:.3f}, but without source {source} "
                    f"{wanted:.3f} bits are gone: what only both together tell goes too."
                )
            if abs(found - kept) < 1e-6 or abs(found - (atoms.total - wanted)) < 1e-6:
                raise Wrong(
                    f"on {name} you return {found:.3f} bits, what the source that is left tells: "
                    "wanted is what it does not tell."
                )
            if abs(found - (atoms.total - (unique + atoms.redundancy))) < 1e-6:
                raise Wrong(
                    f"on {name} without source {source} you return {found:.3f} bits, and these "
                    "belong to the other source: it is still there."
                )
            if abs(found - (unique + atoms.redundancy)) < 1e-6:
                raise Wrong(
                    f"on {name} you return {found:.3f} bits, all that source {source} tells alone; "
                    "but the other one still tells what both have in common."
                )
            raise Wrong(
                f"on {name}, leaving out source {source} costs I(X1, X2; Y) less what the other "
                f"source tells alone, {wanted:.3f} bits; you return {found:.3f}."
            )
    return "an ablation costs U + S: it cannot tell a unique source from half of a synergy."


@check
def exercise_1_4(answer: Any) -> str:
    """The flip rate that leaves half a bit of XOR's synergy."""
    rate = number(answer, "a rate")
    if not 0 <= rate <= 0.5:
        raise Wrong(f"a flip rate from 0 to 0.5 is wanted, not {rate:g}.")
    S = broja(gallery_table("NOISY-XOR", flip=rate)).synergy
    if abs(S - 0.5) > 0.01:
        hint = (
            "flip more: the label is still nearly clean"
            if S > 0.5
            else "flip less: the first flips cost most"
        )
        raise Wrong(f"at {rate:g} the synergy is {S:.3f} bits; {hint}.")
    return f"one label in {1 / rate:.0f} is wrong, and half of the synergy is gone ({S:.3f} bits)."
