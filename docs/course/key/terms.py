"""The key to notebook 4 · The terms of the loss."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, Final

from torch import Tensor

from trifeature.comm.losses import info_nce

from . import Entry, Slip

Pair = tuple[Tensor, Tensor]


def _terms(views: Pair, alone: Sequence[Pair]) -> tuple[Tensor, list[Tensor]]:
    """L and the L_i."""
    return info_nce(*views), [(info_nce(a, views[1]) + info_nce(b, views[0])) / 2 for a, b in alone]


def _same_view(views: Pair, alone: Sequence[Pair]) -> Tensor:
    same = [(info_nce(a, views[0]) + info_nce(b, views[1])) / 2 for a, b in alone]
    return info_nce(*views) + same[0] + same[1]


def _themselves(views: Pair, alone: Sequence[Pair]) -> Tensor:
    return info_nce(*views) + info_nce(*alone[0]) + info_nce(*alone[1])


def _first_half(views: Pair, alone: Sequence[Pair]) -> Tensor:
    return info_nce(*views) + info_nce(alone[0][0], views[1]) + info_nce(alone[1][0], views[1])


def _mean_of_terms(views: Pair, alone: Sequence[Pair]) -> Tensor:
    whole, (one, other) = _terms(views, alone)
    return (whole + one + other) / 3


def _without_whole(views: Pair, alone: Sequence[Pair]) -> Tensor:
    _, (one, other) = _terms(views, alone)
    return one + other


def _halves_added(views: Pair, alone: Sequence[Pair]) -> Tensor:
    whole, (one, other) = _terms(views, alone)
    return whole + 2 * (one + other)


def _only_whole(views: Pair, _: Any) -> Tensor:
    return info_nce(*views)


def _first_image(views: Pair, alone: Sequence[Pair]) -> Tensor:
    whole, (one, _) = _terms(views, alone)
    return whole + one


def _above_half(treated: Sequence[float], _: Sequence[float]) -> bool:
    return statistics.fmean(treated) > 0.5


def _all_above(treated: Sequence[float], control: Sequence[float]) -> bool:
    return min(len(treated), len(control)) > 1 and min(treated) > max(control)


def _higher(treated: Sequence[float], control: Sequence[float]) -> bool:
    return statistics.fmean(treated) > statistics.fmean(control)


def _error(runs: Sequence[float]) -> float:
    return float(statistics.stdev(runs) / len(runs) ** 0.5)


def _gap(treated: Sequence[float], control: Sequence[float]) -> float:
    """The difference of the means; far below 0 for one seed."""
    if min(len(treated), len(control)) < 2:
        return -1.0
    return statistics.fmean(treated) - statistics.fmean(control)


def _one_error(treated: Sequence[float], control: Sequence[float]) -> bool:
    gap = _gap(treated, control)
    return gap > 0 and gap > (_error(treated) ** 2 + _error(control) ** 2) ** 0.5


def _deviations(treated: Sequence[float], control: Sequence[float]) -> bool:
    gap = _gap(treated, control)
    spread = statistics.variance(treated) + statistics.variance(control) if gap > 0 else 0.0
    return gap > 0 and gap > 2 * spread**0.5


def _added_errors(treated: Sequence[float], control: Sequence[float]) -> bool:
    gap = _gap(treated, control)
    return gap > 0 and gap > 2 * (_error(treated) + _error(control))


def _forgotten(treated: Sequence[float], control: Sequence[float]) -> bool:
    gap = _gap(treated, control)
    return gap > 0 and gap > 2 * _error(treated)


def _population(treated: Sequence[float], control: Sequence[float]) -> bool:
    gap = _gap(treated, control)
    error = sum(statistics.pvariance(x) / len(x) for x in (treated, control)) ** 0.5
    return gap > 0 and gap > 2 * error


def _fixed_gap(treated: Sequence[float], control: Sequence[float]) -> bool:
    return _gap(treated, control) > 0.05


KEY: Final = {
    "exercise_4_1": Entry(
        minutes=6,
        why=(
            "A term can pay for what the two things that it aligns have in common. L sees both "
            "images on both sides, so it can pay for every bit. L_1 sees image 1 alone on one "
            "side, so for what image 1 tells: r and u1. Likewise L_2. Only L can pay for the xor."
        ),
        slips=(
            Slip(
                "takes the paper's slogan: the L_i pay for R and U, L for S",
                {
                    "r": {"L_1", "L_2"},
                    "u1": {"L_1"},
                    "u2": {"L_2"},
                    "s1 xor s2": {"L"},
                },
                "its cell in the table above is not 0",
                "L may pay for everything. The slogan says what only L can pay for.",
            ),
            Slip(
                "lets all terms pay for everything",
                {bit: {"L", "L_1", "L_2"} for bit in ("r", "u1", "u2", "s1 xor s2")},
                "sees source 2 alone",
                "Cover image 1. What can L_2 still find out about u1?",
            ),
            Slip(
                "invents a term",
                {"r": {"L", "L_3"}, "u1": {"L"}, "u2": {"L"}, "s1 xor s2": {"L"}},
                "there is no term",
                "Three terms for two images.",
            ),
        ),
    ),
    "exercise_4_2": Entry(
        minutes=14,
        why=(
            "L aligns the two fusions. L_i aligns what image i alone gives in one view with the "
            "fusion of the other view, both ways, and takes the mean of the two. It must be the "
            "other view: the fusion of the same view was made from the very same pixels, and "
            "details of the crop would be enough to find it."
        ),
        slips=(
            Slip(
                "aligns with the fusion of the same view",
                _same_view,
                "found without knowing anything",
                "What is the same in both, though no attribute is: the crop, the pose, the noise?",
            ),
            Slip(
                "aligns each image with itself",
                _themselves,
                "never with the fusion",
                "Where would the fusion learn what image 1 tells?",
            ),
            Slip(
                "takes one half of each L_i",
                _first_half,
                "L_i has two halves",
                "There are two views; each may search the other.",
            ),
            Slip(
                "adds the halves",
                _halves_added,
                "not their sum",
                "How much would L weigh beside them?",
            ),
            Slip(
                "leaves out L",
                _without_whole,
                "L itself is missing",
                "That is ΣL_i. Which term can pay for synergy?",
            ),
            Slip(
                "returns L alone",
                _only_whole,
                "the L_i are missing",
                "Look at `alone`: it is not used.",
            ),
            Slip(
                "stops after the first image",
                _first_image,
                "your loop ends after the first image",
                "A `return` inside the loop?",
            ),
            Slip(
                "takes the mean of the three terms",
                _mean_of_terms,
                "this is the mean of the three terms",
                "The paper adds them.",
            ),
        ),
    ),
    "exercise_4_3": Entry(
        minutes=15,
        why=(
            "The standard error of a mean is the standard deviation over the root of n; for a "
            "difference of two means the squares add up. One seed has no spread, so it never "
            "convinces. Two errors are a low bar for three runs a side: of nothing, one comparison "
            "in seventeen passes."
        ),
        slips=(
            Slip(
                "compares with 50 %",
                _above_half,
                "the control may be above 50 % too",
                "Why was a control trained at all?",
            ),
            Slip(
                "asks whether the mean is higher",
                _higher,
                "one is always higher",
                "Train the same thing twice: which of the two has learned more?",
            ),
            Slip(
                "asks whether every run is above every control",
                _all_above,
                "one run of many then decides it",
                "What does your judge say of a hundred seeds with one unlucky one?",
            ),
            Slip(
                "asks for a fixed gap",
                _fixed_gap,
                "standard errors above its control",
                "Is five points much? That depends on how far the runs of one kind lie apart.",
            ),
            Slip(
                "asks for one standard error",
                _one_error,
                "chance passes it about once in five times",
                "Read the exercise: two.",
            ),
            Slip(
                "takes standard deviations",
                _deviations,
                "the mean of n runs is known better than one run",
                "Would a hundred seeds not help at all?",
            ),
            Slip(
                "adds the errors, not their squares",
                _added_errors,
                "errors partly cancel",
                "Both means must be off, and to opposite sides, for the errors to add up.",
            ),
            Slip(
                "forgets the control's error",
                _forgotten,
                "the control's mean has an error too",
                "What if the control is one lucky and one unlucky run?",
            ),
            Slip(
                "divides by n",
                _population,
                "steadier than they are",
                "NumPy's `std` needs `ddof=1`.",
            ),
        ),
    ),
}
