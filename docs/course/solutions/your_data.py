"""Solutions of notebook 5 · Your own data, one function each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trifeature as tf
from trifeature.samples import Samples


def exercise_5_1() -> Callable[[Any, Any, Any, Any], Samples]:
    """A name for each modality, the mood as label, and the people as groups."""

    def as_samples(sound: Any, video: Any, mood: Any, person: Any) -> Samples:
        return tf.Samples.from_arrays(
            {"sound": sound, "video": video}, {"mood": mood}, groups=person
        )

    return as_samples


def exercise_5_2() -> int:
    """The reader of both sees 30 columns; three quarters of the rows have to be 30²."""
    return round(30**2 / 0.75)


def exercise_5_3() -> dict[str, set[str]]:
    """Studied with the people as groups, and all controls."""
    from checks.your_data import mystery  # noqa: PLC0415 - it stands in the course's folder

    yes = {}
    for name in "ABC":
        one, other, label, person = mystery(name)
        samples = tf.Samples.from_arrays(
            {"one": one, "other": other}, {"label": label}, groups=person
        )
        (row,) = tf.study(samples, methods=()).of("conclusion")
        atoms = ("redundancy", "unique1", "unique2", "synergy")
        yes[name] = {atom for atom in atoms if row[atom] == "yes"}
    return yes


def exercise_5_4() -> set[str]:
    """Bounds of what a probe reads."""
    return {"b", "d"}
