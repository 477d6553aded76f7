"""The key of notebook 5 · Your own data."""

from __future__ import annotations

from typing import Any

import numpy as np

import trifeature as tf

from . import Entry, Slip


def _without_groups(sound: Any, video: Any, mood: Any, person: Any) -> Any:  # noqa: ARG001
    return tf.Samples.from_arrays({"sound": sound, "video": video}, {"mood": mood})


def _one_matrix(sound: Any, video: Any, mood: Any, person: Any) -> Any:
    both = np.concatenate([sound, video], axis=1)
    return tf.Samples.from_arrays({"both": both}, {"mood": mood}, groups=person)


def _moods_as_groups(sound: Any, video: Any, mood: Any, person: Any) -> Any:  # noqa: ARG001
    numbers = np.unique(mood, return_inverse=True)[1]
    return tf.Samples.from_arrays({"sound": sound, "video": video}, {"mood": mood}, groups=numbers)


def _person_as_label(sound: Any, video: Any, mood: Any, person: Any) -> Any:
    labels = {"mood": mood, "person": person}
    return tf.Samples.from_arrays({"sound": sound, "video": video}, labels)


def _person_as_feature(sound: Any, video: Any, mood: Any, person: Any) -> Any:
    wider = np.column_stack([video, person])
    return tf.Samples.from_arrays({"sound": sound, "video": wider}, {"mood": mood}, groups=person)


KEY = {
    "exercise_5_1": Entry(
        minutes=10,
        why="Each matrix is a modality with a name, so that either can be read alone. The mood is "
        "the label. The people are `groups`: a split draws whole groups, so that nobody is learned "
        "from and tested on.",
        slips=(
            Slip(
                "leaves the people out",
                _without_groups,
                "recognizes the person",
                "Five rows of one person are five looks at one thing. The test must ask about "
                "people that the reader has never met.",
            ),
            Slip(
                "joins the matrices to one",
                _one_matrix,
                "what either tells alone",
                "A study compares readers of one, of the other, and of both. It has to know which "
                "column is whose.",
            ),
            Slip(
                "groups by mood",
                _moods_as_groups,
                "was never learned",
                "Then a mood that is tested was never learned. Groups are what samples share by "
                "accident: the person, the film, the day.",
            ),
            Slip(
                "asks about the person too",
                _person_as_label,
                "the person is asked about",
                "Who it is can be read very well, and that is the danger, not the question.",
            ),
            Slip(
                "adds the person to the features",
                _person_as_feature,
                "labels and people are no features",
                "A number that names the row is an answer sheet. The command leaves out a column "
                "that only counts rows, and says so.",
            ),
        ),
    ),
    "exercise_5_2": Entry(
        minutes=5,
        why="An exclusive or of two columns can sit in any pair of the 30 columns, so a reader "
        "needs about 30² = 900 rows to find it. A quarter of the rows is tested on: 900 / 0.75 = "
        "1,200.",
        slips=(
            Slip(
                "forgets the quarter that is held back",
                900,
                "held back for testing",
                "Right count of what is fitted on. How many rows must you bring, if a quarter of "
                "them is set aside?",
            ),
            Slip(
                "squares the columns of one file",
                225,
                "columns of *both* files",
                "Synergy stands between the files, so the reader that could find it sees both.",
            ),
            Slip(
                "adds a quarter",
                1125,
                "not a quarter of 900",
                "Of 1,125 rows three quarters are 844: too few.",
            ),
            Slip(
                "takes the quarter for what is fitted on",
                3600,
                "three quarters are left",
                "A quarter is tested on; the rest is fitted on.",
            ),
        ),
    ),
    "exercise_5_3": Entry(
        minutes=15,
        why="A is an exclusive or. B is two noisy looks at one bit: both together tell more than "
        "one, and shuffled partners tell as much, so synergy stays open. C has one label a person "
        "and twenty rows of each: with the people as groups nothing can be read.",
        slips=(
            Slip(
                "studies C without groups",
                {"A": {"synergy"}, "B": {"redundancy"}, "C": {"redundancy", "synergy"}},
                "recognizes people it was fitted on",
                "Run it again with `groups=person`. What is left? Which of the two would you "
                "want to be true for patients to come?",
            ),
            Slip(
                "takes the bar of B for a verdict",
                {"A": {"synergy"}, "B": {"redundancy", "synergy"}, "C": set()},
                "two noisy looks that add up",
                "The bar says .2 bits. What does the shuffle take of them?",
            ),
            Slip(
                "switches the controls off",
                {"A": set(), "B": {"redundancy"}, "C": set()},
                "with the controls on",
                "Without shuffled partners the study may not speak of synergy.",
            ),
        ),
    ),
    "exercise_5_4": Entry(
        minutes=5,
        why="The minimum's R and S are the largest, and its unique parts the smallest, that any "
        "definition without negative atoms allows. So b and d are bounds that survive a change of "
        "definition. a forgets the reader and the definition, c takes open for no, e adds a cause.",
        slips=(
            Slip(
                "takes a reading for a property of the data",
                {"a", "b", "d"},
                "not 'of the data'",
                "Train a better reader, and the number changes. The data have not.",
            ),
            Slip(
                "takes open for no",
                {"b", "c", "d"},
                "open is not no",
                "With ten times the rows it may become a yes.",
            ),
            Slip(
                "reads a cause into it",
                {"b", "d", "e"},
                "read, not caused",
                "A thermometer tells the weather too.",
            ),
        ),
    ),
}
