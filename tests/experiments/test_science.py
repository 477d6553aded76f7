"""Rows stay comparable: the science cannot change without its rows being told apart."""

import json
from typing import Any

import pytest
import science

from trifeature.experiments.plan import ROW_FORMAT

PINNED: dict[str, Any] = json.loads(science.PINNED.read_text())


def test_the_science_is_that_of_the_rows_of_this_format() -> None:
    assert PINNED["format"] == ROW_FORMAT, (
        "ROW_FORMAT was raised: pin what it stands for, python tests/experiments/science.py"
    )
    found = science.fingerprint()
    changed = science.differences(found, PINNED["parts"])
    assert not changed, (
        "the science changed: raise ROW_FORMAT and re-measure, or undo\n" + "\n".join(changed)
    )
    new = sorted(found.keys() - PINNED["parts"].keys())
    assert not new, f"not pinned yet, run python tests/experiments/science.py: {new}"


@pytest.mark.parametrize("kind", science.TOLERANCES)
def test_a_number_further_off_than_it_may_be_is_named(kind: str) -> None:
    pinned = PINNED["parts"]
    names = [name for name in pinned if name.startswith(f"{kind}:")]
    assert names
    for name in names:
        *others, last = pinned[name]
        room = science.TOLERANCES[kind] * max(abs(last), science.FLOOR)
        assert science.differences(pinned | {name: [*others, last + room / 2]}, pinned) == []
        (words,) = science.differences(pinned | {name: [*others, last + 2 * room + 1e-6]}, pinned)
        assert words.startswith(f"{name}: off by ")


def test_what_is_gone_is_named_and_what_is_not_a_number_is_off() -> None:
    pinned = {"losses: comm": [1.0, 2.0]}
    assert science.differences({}, pinned) == ["losses: comm: 0 numbers, not 2"]
    found = {"losses: comm": [1.0, float("nan")]}
    assert science.differences(found, pinned) == ["losses: comm: off by nan %"]
