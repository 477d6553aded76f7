"""Solutions of notebook 2 · Trifeature, one function each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from trifeature.data.rule import PairRule


def exercise_2_1() -> PairRule:
    """The synergy must not use the shared attribute: one image would tell it."""
    return PairRule(shared="color", unique="shape", synergy=("shape", "texture"))


def exercise_2_2() -> float:
    """A fair coin is hardest to guess."""
    return 0.5


def exercise_2_3() -> Callable[[Any, Any, Sequence[int]], bool]:
    """Texture is column 1 of a row of attributes, color is column 2."""

    def keeps_the_map(image1: Any, image2: Any, partners: Sequence[int]) -> bool:
        return bool(partners[image1[1]] == image2[2])

    return keeps_the_map


def exercise_2_4() -> tuple[float, float]:
    """All of nine tenths right and none of one tenth; the mean of 100 % and 0 % is 50 %."""
    return 0.9, 0.5
