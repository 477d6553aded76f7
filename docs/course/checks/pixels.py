"""Checks of notebook 2 · Trifeature."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from trifeature.data.dataset import plan_images, plan_pairs, preset
from trifeature.data.rule import PairRule
from trifeature.pid import example

from ._base import Wrong, check, number, returned

Numbers = npt.NDArray[np.int64]


@check
def exercise_2_1(answer: Any) -> str:
    """A rule that shares the color and asks for shapes."""
    if not isinstance(answer, PairRule):
        raise Wrong(
            f"a PairRule is wanted, and this is a {type(answer).__name__}: write "
            "PairRule(shared=..., unique=..., synergy=(..., ...)) with names of attributes."
        )
    if reason := _not_the_game(answer):
        raise Wrong(reason)
    settings = preset("tiny", rule=answer, train_pairs=500)
    tables = plan_images(settings)
    pairs = plan_pairs(settings, tables)["train"]
    colors = tables["train"].attributes[pairs.images, 2]
    share = (colors[:, 0] == colors[:, 1]).mean()
    return f"{share:.0%} of the pairs drawn by your rule share their color."


def _not_the_game(rule: PairRule) -> str:
    """Why a rule is not the one of exercise 2.1; empty if it is."""
    if rule == PairRule():
        return (
            "this is still the rule of the notebook, because a setting that you leave out keeps "
            "its default: name shared, unique and synergy, all three."
        )
    if rule.shared != "color":
        return (
            f"in your pairs both images have the same {rule.shared}, so either one tells it; in "
            "the new game it is the color that either one tells, so the color is `shared`."
        )
    if rule.unique != "shape":
        return (
            f"your rule asks each image for its {rule.unique}, but `unique` names what each image "
            "has of its own in the new game, and that is its shape."
        )
    one, other = rule.synergy
    if (one, other) == ("texture", "shape"):
        return (
            "your map starts from the texture of image 1 and ends at the shape of image 2: the "
            "first name of `synergy` belongs to image 1, so exchange the two."
        )
    if (one, other) != ("shape", "texture"):
        return (
            f"your map ties the {one} of image 1 to the {other} of image 2, because the first "
            "name of `synergy` belongs to image 1 and the second to image 2: read the game again."
        )
    return ""


@check
def exercise_2_2(answer: Any) -> str:
    """The match rate at which the match label carries most."""
    rate = number(answer, "a rate")
    if not 0 <= rate <= 1:
        raise Wrong(f"a match rate lies between 0 and 1, not at {rate:g}.")
    S = example("MATCH-LABEL").atoms(values=5, rate=rate)[3]
    if abs(rate - 0.5) > 0.01:
        raise Wrong(
            f"at {rate:g} the label carries {S:.3f} bits. It is a coin of which {rate:.0%} of the "
            "throws say yes: when is a coin hardest to guess?"
        )
    R = example("MATCH-UNIQUE").atoms(values=5, rate=rate)[0]
    return (
        f"{S:.3f} bits of synergy, and {R:.3f} bits of texture 1 have become redundant: the "
        "balanced label is not free."
    )


@functools.cache
def _labeled_pairs() -> tuple[Numbers, Numbers, tuple[int, ...]]:
    """Attributes [300, 2, 3] of pairs, their match labels [300], and the map."""
    settings = preset("tiny", seed=5, train_pairs=300)
    tables = plan_images(settings)
    pairs = plan_pairs(settings, tables)["train"]
    shown = tables["train"].attributes[pairs.images]
    return shown, pairs.labels["synergy"], tuple(settings.partners)


@check
def exercise_2_3(answer: Any) -> str:
    """`keeps_the_map(image1, image2, partners)` for two rows of attributes."""
    shown, wanted, known = _labeled_pairs()
    found = np.array([int(returned(answer(a, b, known))) for a, b in shown])
    partners = np.asarray(known)
    mistakes = {
        "compares texture and color of the same image; then one image alone would tell it": (
            partners[shown[:, 0, 1]] == shown[:, 0, 2]
        ),
        "starts from the texture of image 2, but the map goes from image 1 to image 2": (
            partners[shown[:, 1, 1]] == shown[:, 0, 2]
        ),
        "compares the numbers of texture 1 and color 2 without the map, and a number has no "
        "meaning of its own": shown[:, 0, 1] == shown[:, 1, 2],
        "looks up the shape of image 1 and compares a texture; counting starts at 0, so shape is "
        "0, texture 1, color 2": partners[shown[:, 0, 0]] == shown[:, 1, 1],
        "always gives the same answer, and a constant tells nothing": np.full(
            len(wanted), found[0]
        ),
    }
    for mistake, labels in mistakes.items():
        if (found == labels).all() and (found != wanted).any():
            raise Wrong(f"your function {mistake}.")
    if (found != wanted).any():
        raise Wrong(
            f"{(found != wanted).sum()} of {len(wanted)} pairs get the wrong label, because your "
            "function compares other columns: a row is (shape, texture, color), and the partner of "
            "texture 1 is partners[texture 1]."
        )
    return f"all {len(wanted)} labels agree with the data set's own."


@check
def exercise_2_4(answer: Any) -> str:
    """Plain and macro accuracy of always saying no, with ten values."""
    try:
        plain, macro = (float(x) for x in answer)
    except (TypeError, ValueError):
        raise Wrong("two numbers are wanted: (plain accuracy, macro accuracy).") from None
    if abs(plain - 0.9) > 0.005:
        raise Wrong(
            f"the plain accuracy is the share of pairs that do not match, and not {plain:g}: one "
            "of ten colors is the partner, so a 'no' is right nine times in ten."
        )
    if abs(macro - 0.5) > 0.005:
        raise Wrong(
            f"the macro accuracy is the mean over the two classes, and not {macro:g}: every 'no' "
            "pair is right and every 'yes' pair is wrong."
        )
    return "nine in ten right, and nothing known: that is why the course reads macro accuracy."
