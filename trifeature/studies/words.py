"""What a careful person would conclude from the rows of a study, and what not, in plain words.

A conclusion is a function of rows. Of each pair of modalities and label it looks at the features
from which both together told most on held-out probe samples, and says of each atom:

- "yes": the interval of the minimum lies above 0, its value is not small, and the dual's is neither
  small nor less than half of it. Of synergy also: shuffling partners within class takes away what
  is not small, with an interval above 0; and the dual is not asked where what both tell exceeds
  what the two tell by themselves, added, by what is not small: S ≥ I(X1, X2; Y) − I(X1; Y) −
  I(X2; Y) by any definition without negative atoms.
- "no": the upper end is small. Of a unique part also what the modality alone tells, or the dual's
  upper end, is small. Of synergy also: the reader of D columns had at least D² probe samples. With
  fewer it predicts the class frequencies, of which the interval is [0, 0], though an exclusive or
  of two columns tells all: so it was with 40 columns and 750 samples, not with 1,800. That does not
  matter where one modality alone leaves little of the label's entropy. No atom is
  "no" where nothing is read from both, and the upper end of that is not small.
- "open": neither.

Small is less than .02 bits or than 5 % of the label's entropy, whichever is more.

The minimum's R and S are the largest that any definition without negative atoms allows, and its
unique parts the smallest: a "no" of R or S and a "yes" of a unique part hold by any definition.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from trifeature.pid.atoms import ATOM_NAMES
from trifeature.studies.readings import Row

SMALL: Final = 0.02
SMALL_SHARE: Final = 0.05
"""What is small: this many bits, or this share of the label's entropy."""

AGREES: Final = 0.5
"""The dual agrees with an atom of the minimum if it finds at least this share of it."""

FEW_GROUPS: Final = 10
"""Intervals over fewer groups are said to rest on few."""

CONTROLS: Final = ("untrained", "supervised")
"""Features that are controls and not concluded from."""


def conclusions(rows: Sequence[Row]) -> list[Row]:
    """One row of kind "conclusion" for each label and pair of modalities that has atoms."""
    atoms = [row for row in rows if row["kind"] == "atoms"]
    pairs = dict.fromkeys((row["label"], tuple(row["sources"])) for row in atoms)
    about = next((row for row in rows if row["kind"] == "about"), {})
    return [
        _conclusion(
            [r for r in atoms if r["label"] == label and tuple(r["sources"]) == sources],
            [r for r in rows if r["kind"] == "reading" and r["label"] == label],
            about,
        )
        for label, sources in pairs
    ]


def _conclusion(rows: Sequence[Row], readings: Sequence[Row], about: Row) -> Row:
    own = [row for row in rows if row["features"] not in CONTROLS] or list(rows)
    features = max(own, key=lambda row: row.get("held_out") or 0.0)["features"]
    found = {(row["estimator"], row["partners"]): row for row in own if row["features"] == features}
    label, sources = own[0]["label"], own[0]["sources"]
    verdicts = {atom: verdict(atom, found) for atom in ATOM_NAMES}
    evidence = _Evidence(next(iter(found.values())), found, verdicts)
    text = " ".join([*evidence.sentences(), *_controls(readings), *_cautions(about)])
    return {
        "kind": "conclusion",
        "label": label,
        "sources": list(sources),
        "features": features,
        **verdicts,
        "text": text,
    }


# --------------------------------------------------------------------------- verdicts

Found = Mapping[tuple[str, str], Row]
"""Rows of atoms by estimator and partners."""

GIVEN: Final = "as given"
SHUFFLED: Final = "shuffled within class"


def verdict(atom: str, found: Found) -> str:
    """Whether an atom is there: "yes", "no" or "open", see the module's docstring."""
    least = _ends(found.get(("minimum", GIVEN)), atom)
    if least is None:
        return "open"
    row, dual = found["minimum", GIVEN], _ends(found.get(("dual", GIVEN)), atom)
    if least["high"] < bound(row):
        return "no" if _may_be_denied(atom, row, dual) else "open"
    if least["low"] <= 0 or least["value"] < bound(row):
        return "open"
    certain = atom == "synergy" and surplus_of(row) >= bound(row)
    agreed = dual is not None and dual["value"] >= max(bound(row), AGREES * least["value"])
    stands = atom != "synergy" or in_single_pairs(found)
    return "yes" if (certain or agreed) and stands else "open"


def _may_be_denied(atom: str, row: Row, dual: Mapping[str, float] | None) -> bool:
    """Whether an atom of a small upper end is not there, or was only not found."""
    if _is_undecided(row):
        return False
    if atom == "synergy":
        return not _has_few_samples(row)
    return atom == "redundancy" or _is_small(row, dual, atom)


def _is_undecided(row: Row) -> bool:
    """Whether both together may tell nothing, or what is not small."""
    both = row["informations"]["both"]
    return bool(both["low"] <= 0 and both["high"] >= bound(row))


def _has_few_samples(row: Row) -> bool:
    """Whether synergy could be missed: fewer probe samples than products of two of the columns.

    Not where one modality alone tells nearly all, which leaves none to both together.
    """
    told = max(row["informations"][name]["low"] for name in ("source1", "source2"))
    few = row.get("probe", math.inf) < row.get("columns", 0) ** 2
    return bool(few and row["entropy"] - told >= bound(row))


def _is_small(row: Row, dual: Mapping[str, float] | None, atom: str) -> bool:
    """Whether a modality alone tells little, or the dual finds little that is unique to it."""
    alone = row["informations"]["source1" if atom == "unique1" else "source2"]["high"]
    return bool(min(alone, dual["high"] if dual else alone) < bound(row))


def surplus_of(row: Row) -> float:
    """What both tell beyond the sum of what each tells alone, at least: bits, from a minimum's row.

    The lower end of I(X1, X2; Y) less the more telling one, less the upper end of the other.
    """
    weaker = min(row["informations"][name]["high"] for name in ("source1", "source2"))
    return float(row["atoms"]["synergy"]["low"] - weaker)


def bound(row: Row) -> float:
    """What counts as small, in bits."""
    return max(SMALL, SMALL_SHARE * float(row.get("entropy", 0.0)))


def in_single_pairs(found: Found) -> bool:
    """Whether shuffling partners within class takes away some of what both tell."""
    lost = (found.get(("minimum", SHUFFLED)) or {}).get("lost")
    if lost is None:
        return False
    return bool(lost["low"] > 0 and lost["value"] >= bound(found["minimum", SHUFFLED]))


def _ends(row: Row | None, atom: str) -> Mapping[str, float] | None:
    atoms = (row or {}).get("atoms")
    return None if not atoms or atoms[atom]["value"] is None else atoms[atom]


# --------------------------------------------------------------------------- sentences


class _Evidence:
    """The rows of one pair and label, in sentences."""

    def __init__(self, row: Row, found: Found, verdicts: Mapping[str, str]) -> None:
        self.found, self.verdicts = found, verdicts
        self.label, self.features = row["label"], row["features"]
        self.one, self.other = row["sources"]
        self.row = found.get(("minimum", GIVEN), {})

    def sentences(self) -> Iterable[str]:
        """All sentences about the atoms."""
        which = "plain columns" if self.features == "raw" else f"features of {self.features}"
        if not self.row.get("atoms"):
            reason = self.row.get("refused") or "there are no predictions"
            yield f"From {which}, nothing is concluded about {self.label}: {reason}."
            return
        told = {key: one["value"] for key, one in self.row["informations"].items()}
        yield (
            f"A probe of {which} reads {bits(told['both'])} about {self.label} from {self.one} and "
            f"{self.other} together, of {bits(self.row['entropy'])} that there are; "
            f"{bits(told['source1'])} from {self.one} alone, {bits(told['source2'])} from "
            f"{self.other} alone."
        )
        if set(self.verdicts.values()) == {"no"}:
            yield "Neither tells anything worth speaking of, alone or with the other."
            return
        yield self._redundancy()
        yield from self._unique()
        yield self._synergy()
        yield from self._disagreement()

    def _atom(self, atom: str) -> Mapping[str, float]:
        found: Mapping[str, float] = self.row["atoms"][atom]
        return found

    def _redundancy(self) -> str:
        r, verdict = self._atom("redundancy"), self.verdicts["redundancy"]
        if verdict == "yes":
            return (
                f"Redundancy: part of it can be read from either one, at most {bits(r['value'])} "
                f"({spell(r)})."
            )
        if verdict == "no":
            return f"No redundancy: the weaker one tells at most {bits(r['high'])}."
        return f"Redundancy is open: at most {bits(r['value'])} ({spell(r)})."

    def _unique(self) -> Iterable[str]:
        for atom, own, other in (
            ("unique1", self.one, self.other),
            ("unique2", self.other, self.one),
        ):
            u, verdict = self._atom(atom), self.verdicts[atom]
            if verdict == "yes":
                yield (
                    f"Unique to {own}: at least {bits(u['value'])} ({spell(u)}) that {other} does "
                    "not tell, whatever the definition."
                )
            elif verdict == "no":
                yield f"Nothing unique to {own} is to be seen."
            else:
                yield f"Whether {own} tells something that {other} does not is open."

    def _synergy(self) -> str:
        s, verdict = self._atom("synergy"), self.verdicts["synergy"]
        lost = (self.found.get(("minimum", SHUFFLED)) or {}).get("lost")
        more = f"together they tell {bits(s['value'])} ({spell(s)}) more than the better one alone"
        if verdict == "no":
            return f"No synergy: together they tell at most {bits(s['high'])} more than one alone."
        if verdict == "yes" and lost:
            rest = s["value"] - lost["value"]
            part = f", the rest remains ({bits(rest)})" if rest > bound(self.row) else ""
            whatever = (
                f" Of what is read, it is at least {bits(surplus_of(self.row))} by any definition."
                if surplus_of(self.row) >= bound(self.row)
                else ""
            )
            return (
                f"Synergy: {more}, and shuffling partners within each class takes "
                f"{bits(lost['value'])} ({spell(lost)}) away{part}: something stands in single "
                f"pairs that neither shows alone.{whatever}"
            )
        if s["low"] <= 0:
            unseen = s["high"] < bound(self.row)
            why = self._unseen() if unseen else f"{more}, which may be nothing"
            return f"Synergy is open: {why}."
        if lost is None:
            return f"Whether this is synergy is open: {more}, and no partners were shuffled."
        if not in_single_pairs(self.found):
            return (
                f"It is open whether there is synergy in single pairs: {more}, but shuffling "
                f"partners within each class takes only {bits(lost['value'])} ({spell(lost)}) "
                "away. What remains is evidence that adds up, as of two noisy looks at the same "
                "thing, or of two that each see their own part of the label; definitions differ in "
                "whether they call it synergy or unique."
            )
        return f"Synergy is open: {more}, but the dual estimator does not find as much."

    def _unseen(self) -> str:
        """Why synergy that was not found is not denied."""
        count, columns = self.row.get("probe", 0), self.row.get("columns", 0)
        if _has_few_samples(self.row):
            return (
                f"a probe sees none, but {count:,} probe samples are too few to see what only "
                f"pairs of {columns:,} columns tell (at the least {columns**2:,})"
            )
        both = self.row["informations"]["both"]
        return f"a probe sees none, but what both together tell is itself open ({spell(both)} bits)"

    def _disagreement(self) -> Iterable[str]:
        dual = self.found.get(("dual", GIVEN))
        if dual is None:
            return
        if dual.get("refused"):
            yield f"The dual estimator refused: {dual['refused']}."
            return
        apart = [
            f"{atom} {bits(dual['atoms'][atom]['value'])}"
            for atom in ATOM_NAMES
            if self._falls_short(atom, dual["atoms"][atom])
            or dual["atoms"][atom]["low"] > self._atom(atom)["high"] + bound(self.row)
        ]
        if apart:
            yield f"The dual estimator disagrees: {', '.join(apart)}."

    def _falls_short(self, atom: str, dual: Mapping[str, float]) -> bool:
        """Whether the minimum finds something of an atom, and the dual less than half of it."""
        least = self._atom(atom)
        found = least["low"] > 0 and least["value"] >= bound(self.row)
        return bool(found and dual["value"] < AGREES * least["value"])


def _controls(readings: Sequence[Row]) -> Iterable[str]:
    """What the untrained and the supervised network read from all modalities."""
    largest = max((len(row["from"]) for row in readings), default=0)
    every = {
        row["features"]: row["bits"]
        for row in readings
        if len(row["from"]) == largest and row.get("bits") is not None
    }
    parts = []
    if "untrained" in every:
        parts.append(f"the features of an untrained network {bits(every['untrained'])}")
    if "supervised" in every:
        parts.append(f"a network trained on the label {bits(every['supervised'])}")
    if parts:
        yield f"For comparison, from all modalities: {', '.join(parts)}."


def _cautions(about: Row) -> Iterable[str]:
    groups = about.get("groups")
    if groups is not None and groups < FEW_GROUPS:
        yield f"The intervals rest on {groups} groups of test samples only."
    yield (
        "All of this is what a probe reads: a better one may read more, and it does not say what "
        "the modalities hold, nor why."
    )


def bits(value: float) -> str:
    """A number of bits, as "0.53 bits".

    >>> bits(-0.001)
    '0.00 bits'
    """
    rounded = f"{value:.2f}"
    return f"{'0.00' if rounded == '-0.00' else rounded} bits"


def spell(ends: Mapping[str, float]) -> str:
    """An interval, as "0.41 to 0.62"."""
    return f"{ends['low']:.2f} to {ends['high']:.2f}".replace("-0.00", "0.00")
