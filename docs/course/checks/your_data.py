"""Checks of notebook 5 · Your own data.

P samples, n of them for testing, F features of a modality.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from trifeature.errors import InputError
from trifeature.samples import Samples

from ._base import Wrong, check, number, returned

COLUMNS: Final = 15
"""Columns of each of the two files of exercise 5.2."""

TESTED: Final = 0.25
"""Share of the rows that a study holds back for testing."""

VERDICTS: Final = ("redundancy", "unique1", "unique2", "synergy")


@check
def exercise_5_1(answer: Any) -> str:
    """`as_samples(sound, video, mood, person)`: two modalities, a label, people kept apart."""
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(12), 5)
    sound, video = rng.normal(size=(60, 5)), rng.normal(size=(60, 3))
    mood = np.array(["calm", "tense", "glad"])[rng.integers(0, 3, 60)]
    try:
        found = returned(answer(sound, video, mood, person))
    except InputError as problem:
        raise Wrong(_REFUSED["every class" in str(problem)]) from None
    if not isinstance(found, Samples):
        raise Wrong(
            f"tf.Samples.from_arrays(...) makes what a study takes, this is {type(found).__name__}."
        )
    _two_modalities(found, sound.shape[1], video.shape[1])
    _one_label(found, person)
    train, test = (set(found.sets[name].groups.ravel().tolist()) for name in ("train", "test"))
    if len(train) + len(test) > 12:
        raise Wrong(
            "people are on both sides of the split, since every row counts as a person of its own: "
            "a reader recognizes the person and every number is too good. Hand them over as groups."
        )
    if len(train) + len(test) < 12:
        raise Wrong(f"{len(train) + len(test)} groups came out of 12 people: groups are people.")
    return f"{len(train)} people to learn from, {len(test)} others to test on, and none in both."


_REFUSED: Final = (
    (
        "no samples come out, since `from_arrays` wants its modalities and its labels as "
        "dictionaries, a name for each array, and everywhere one row for each recording."
    ),
    (
        "no samples come out, since a mood that is tested was never learned: you hand over the "
        "moods as groups, and groups are the people."
    ),
)
"""What is said of arguments that make no samples: of other kinds, and with moods as groups."""


def _two_modalities(found: Samples, sound: int, video: int) -> None:
    """That there are two modalities of so many features, in this order."""
    shapes = [tuple(one.shape) for one in found.modalities]
    if len(shapes) == 1:
        raise Wrong(
            "there is one modality: with both matrices side by side nobody can ask what either "
            "tells alone. Give each a name of its own."
        )
    if (sound + 1,) in shapes or (video + 1,) in shapes or len(shapes) > 2:
        raise Wrong(
            "a modality holds a column too many: labels and people are no features, or the answer "
            "stands in the question."
        )
    if shapes != [(sound,), (video,)]:
        raise Wrong(f"sound [60, 5] and video [60, 3] are wanted in this order, not {shapes}.")


def _one_label(found: Samples, person: Any) -> None:
    """That the mood, and nothing else, is asked about."""
    if not found.tasks:
        raise Wrong("there is no label, so there is nothing to tell: name the mood in `labels`.")
    classes = [task.classes for task in found.tasks.values()]
    if len(set(person)) in classes:
        raise Wrong(
            "the person is asked about: who it is stands in `groups`, not in `labels`, where only "
            "the mood belongs."
        )
    if classes != [3]:
        raise Wrong(f"one label of three moods is wanted, not labels of {classes} classes.")


@check
def exercise_5_2(answer: Any) -> str:
    """Rows of two files of 15 columns from which synergy may be denied."""
    rows = number(answer, "a number of rows")
    read = 2 * COLUMNS
    wanted = round(read**2 / (1 - TESTED))
    mistakes = {
        read**2: f"{read}² = {read**2} are the rows to fit on; a quarter of your rows is held back "
        "for testing and not among them",
        COLUMNS**2: "the synergy is between columns of *both* files: the reader has 30 columns "
        "before it, not 15, and a quarter of the rows is held back",
        COLUMNS**2 / (1 - TESTED): "the synergy is between columns of *both* files: the reader has "
        "30 columns before it, not 15",
        2 * COLUMNS**2: "add the columns before you square them: the pairs are among all 30",
        read**2 * (1 + TESTED): f"a quarter of *your rows* is held back, not a quarter of "
        f"{read**2}: three quarters of them have to be {read**2}",
        read**2 / TESTED: "the quarter is what is tested; three quarters are left to fit on",
        read: "that is one row a column; what only two columns tell together has as many places to "
        "hide as there are *pairs* of columns",
    }
    if rows == wanted:
        return f"{wanted:,} rows, of which {read**2} are fitted on: one for each product of two."
    for value, why in mistakes.items():
        if abs(rows - value) < 0.6:
            raise Wrong(f"{why}.")
    raise Wrong(
        f"{rows:g} it is not: square the number of columns that the reader of both sees, and see "
        "to it that three quarters of your rows are that many."
    )


def mystery(name: str, count: int = 800) -> tuple[np.ndarray[Any, Any], ...]:
    """Two feature matrices [P, 4], labels [P] and persons [P] of one of the data sets A, B, C."""
    rng = np.random.default_rng({"A": 11, "B": 12, "C": 16}[name])
    person = np.arange(count)
    if name == "A":
        one, other = rng.integers(0, 2, size=(2, count))
        label, seen = one ^ other, [one, other]
    elif name == "B":
        label = rng.integers(0, 2, count)
        seen = [np.where(rng.random(count) < 0.1, 1 - label, label) for _ in range(2)]
    else:
        person = np.repeat(np.arange(count // 20), 20)
        label = rng.integers(0, 2, count // 20)[person]
        looks = rng.normal(size=(2, count // 20, 4))
        return *(look[person] + 0.15 * rng.normal(size=(count, 4)) for look in looks), label, person
    signs = [2.0 * bit[:, None] - 1 for bit in seen]
    shown = [x @ rng.normal(size=(1, 4)) + 0.15 * rng.normal(size=(count, 4)) for x in signs]
    return shown[0], shown[1], label, person


@check
def exercise_5_3(answer: Any) -> str:
    """The atoms of each mystery that a study says yes to."""
    truth = {"A": {"synergy"}, "B": {"redundancy"}, "C": set()}
    if not isinstance(answer, Mapping) or set(answer) != set(truth):
        raise Wrong("a dictionary with the keys A, B and C is wanted.")
    why = {
        ("C", "redundancy"): _LEAK,
        ("C", "unique1"): _LEAK,
        ("C", "unique2"): _LEAK,
        ("C", "synergy"): _LEAK,
        ("B", "synergy"): "in B both together do tell more, but shuffling partners within class "
        "takes nothing of it away: two noisy looks that add up, not what stands in single pairs",
        ("A", "redundancy"): "in A either one alone tells nothing, so there is nothing that both "
        "tell alone",
    }
    for name, right in truth.items():
        if answer[name] is ...:
            raise Wrong(f"the atoms of data set {name} are still to be read off the study.")
        found = {answer[name]} if isinstance(answer[name], str) else set(answer[name])
        if unknown := found - set(VERDICTS):
            raise Wrong(f"{sorted(map(str, unknown))[0]!r} is no atom: {', '.join(VERDICTS)}.")
        for atom in sorted(found - right):
            plain = (
                f"in {name} the study does not say yes to {atom}: its verdict is no or open, and "
                "neither is a yes"
            )
            raise Wrong(f"{why.get((name, atom), plain)}.")
        for atom in sorted(right - found):
            raise Wrong(
                f"in {name} the study says yes to {atom}: look at the row of kind 'conclusion', "
                "with the controls on (without the shuffle nothing is called synergy)."
            )
    return "an exclusive or, two noisy looks, and forty people whose faces a reader can learn."


_LEAK: Final = (
    "in C every person has one label and many rows: unless you hand over `groups`, the reader "
    "recognizes people it was fitted on, and of new people it knows nothing"
)


CLAIMS: Final[Mapping[str, tuple[bool, str]]] = {
    "a": (False, "R is what a probe of pixels reads, under one definition: not 'of the data'"),
    "b": (True, "R of the minimum is the largest that any definition without negative atoms has"),
    "c": (False, "open is not no: it says that these samples cannot decide"),
    "d": (True, "U2 of the minimum is the smallest that any definition without negative atoms has"),
    "e": (False, "it is read, not caused: the lower half need not be what makes a digit even"),
}
"""Statements of exercise 5.4: whether they may be written, and why."""


@check
def exercise_5_4(answer: Any) -> str:
    """The statements that a study supports."""
    letters = {str(letter).strip().lower() for letter in answer}
    if not letters:
        raise Wrong("none is too strict: two of the five may be written as they stand.")
    if unknown := letters - set(CLAIMS):
        raise Wrong(f"{sorted(unknown)[0]!r} is none of the statements a to e.")
    for letter, (stands, why) in CLAIMS.items():
        if letter in letters and not stands:
            raise Wrong(f"not {letter}: {why}.")
    for letter, (stands, why) in CLAIMS.items():
        if letter not in letters and stands:
            raise Wrong(f"{letter} may be written too: {why}.")
    return "b and d: bounds that hold for what a probe reads, whatever the definition."
