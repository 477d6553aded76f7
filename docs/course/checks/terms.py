"""Checks of notebook 4 · The terms of the loss."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from trifeature.comm.losses import comm_terms, info_nce

from ._base import Wrong, check, number, returned


@check
def exercise_4_1(answer: Any) -> str:
    """Which terms reward which bit of ALL4."""
    wanted = {
        "r": {"L", "L_1", "L_2"},
        "u1": {"L", "L_1"},
        "u2": {"L", "L_2"},
        "s1 xor s2": {"L"},
    }
    if not isinstance(answer, Mapping) or set(answer) != set(wanted):
        raise Wrong(f"a dictionary with the keys {', '.join(wanted)} is wanted.")
    for bit, right in wanted.items():
        if answer[bit] is ...:
            raise Wrong(f"the terms of {bit!r} are still to be written.")
        found = {answer[bit]} if isinstance(answer[bit], str) else set(answer[bit])
        if unknown := found - wanted["r"]:
            raise Wrong(f"there is no term {sorted(unknown)[0]!r}: L, L_1 and L_2 are the three.")
        for term in sorted(found ^ right):
            if term in right:
                raise Wrong(
                    f"{term} rewards {bit} too, because what it sees tells {bit}: its cell in the "
                    "table above is not 0."
                )
            source = term[-1]
            raise Wrong(f"{term} sees source {source} alone, and that tells nothing of {bit}.")
    return "only L, which sees both sources twice, has a reason to keep the synergistic bit."


@check
def exercise_4_2(answer: Any) -> str:
    """`comm_loss(views, alone)`: the sum of CoMM's three terms."""
    rng = torch.Generator().manual_seed(1)
    z = torch.randn(6, 8, 5, generator=rng)
    views, alone = (z[0], z[1]), [(z[2], z[3]), (z[4], z[5])]
    found = number(returned(answer(views, alone)), "the loss")
    wanted = float(sum(comm_terms(views, alone).values()))
    if abs(found - wanted) < 1e-4:
        return f"L + L_1 + L_2 = {found:.4f} nats, as the package has it."
    for mistake, value in _mistakes_of_comm(views, alone).items():
        if abs(found - value) < 1e-4:
            raise Wrong(f"{mistake}.")
    raise Wrong(
        f"your loss is {found:.4f} nats where the package's terms add up to {wanted:.4f}: L is one "
        "alignment and each L_i the mean of two, so count five calls of `info_nce`."
    )


def _mistakes_of_comm(
    views: tuple[Tensor, Tensor], alone: Sequence[tuple[Tensor, Tensor]]
) -> dict[str, float]:
    """Losses that students write, by what is wrong with them and why."""

    def pay(z: Tensor, w: Tensor) -> float:
        return float(info_nce(z, w))

    whole = pay(*views)
    right = [(pay(a, views[1]) + pay(b, views[0])) / 2 for a, b in alone]
    same = [(pay(a, views[0]) + pay(b, views[1])) / 2 for a, b in alone]
    return {
        "an embedding of one image meets the fusion of its own view, which was made from the very "
        "same pixels and is found without knowing anything: take the *other* view": whole
        + sum(same),
        "each L_i aligns one image with itself, and never with the fusion: then nothing of the "
        "other image is ever asked for": whole + sum(pay(a, b) for a, b in alone),
        "only z_i' meets a fusion: L_i has two halves because z_i'' must find z' too": whole
        + sum(pay(a, views[1]) for a, _ in alone),
        "only z_i'' meets a fusion: L_i has two halves because z_i' must find z'' too": whole
        + sum(pay(b, views[0]) for _, b in alone),
        "L itself is missing, the only term that sees both images on both sides": sum(right),
        "the L_i are missing: nothing asks for what one image tells alone": whole,
        "L_2 is missing: your loop ends after the first image": whole + right[0],
        "L_1 is missing: your loop starts at the second image": whole + right[1],
        "the sum is wanted, this is the mean of the three terms, so a third of it": (
            whole + sum(right)
        )
        / 3,
        "the L_i are averaged over the images; the paper adds them, one for each image": whole
        + sum(right) / 2,
        "each L_i is the mean of its two halves, not their sum: otherwise L counts half as much as "
        "it should": whole + 2 * sum(right),
    }


CASES: Final = (
    ([0.66, 0.68, 0.67], [0.54, 0.55, 0.53], True, "far above its control"),
    ([0.60, 0.70, 0.65], [0.58, 0.69, 0.63], False, "above 50 %, but so is its control"),
    ([0.70], [0.54], False, "one seed each: there is no spread to judge it by"),
    ([0.70], [0.54, 0.55, 0.53], False, "one seed: there is no spread to judge it by"),
    ([0.53, 0.532, 0.531], [0.52, 0.521, 0.522], True, "12 standard errors above its control"),
    ([0.80, 0.50, 0.65], [0.55, 0.45, 0.50], False, "1.6 standard errors above its control"),
    ([0.75, 0.55, 0.65], [0.55, 0.45, 0.50], True, "2.3 standard errors above its control"),
    ([0.50, 0.51, 0.49], [0.60, 0.61, 0.59], False, "clearly below its control, not above"),
    ([0.48, 0.47, 0.49], [0.42, 0.41, 0.43], True, "far above its control, though below 50 %"),
    ([0.77, 0.47, 0.62], [0.55, 0.45, 0.50], False, "1.3 standard errors above its control"),
    ([0.66, 0.76, 0.86], [0.40, 0.50, 0.60], True, "3.2 standard errors above its control"),
    ([0.60, 0.61, 0.59], [0.40, 0.70, 0.55], False, "0.6 standard errors above its control"),
    ([0.52, 0.62, 0.72], [0.30, 0.40, 0.50], True, "2.7 standard errors above its control"),
    ([0.787, 0.487, 0.637], [0.55, 0.45, 0.50], False, "1.5 standard errors above its control"),
)
"""Treated runs, their controls, whether something was learned, and why."""


def verdicts(judge: Callable[[list[float], list[float]], Any]) -> list[bool]:
    """What a judge says in each of the cases."""
    return [bool(returned(judge(list(treated), list(control)))) for treated, control, *_ in CASES]


def judged(treated: Sequence[float], control: Sequence[float], *, errors: float, how: str) -> bool:
    """Whether the means differ by more than so many errors, by a right or a wrong error.

    Args:
        treated: One number a seed.
        control: One number a seed.
        errors: How many.
        how: squares (right); linear (errors of the means added up); spread (standard deviations
            instead of standard errors); treated (the control's error forgotten); population
            (squares divided by n instead of n - 1); mean (the mean of the squared errors, not
            their sum).
    """
    if min(len(treated), len(control)) < 2:
        return False
    gap = statistics.fmean(treated) - statistics.fmean(control)
    one, other = (statistics.stdev(x) / len(x) ** 0.5 for x in (treated, control))
    error = {
        "squares": (one**2 + other**2) ** 0.5,
        "linear": one + other,
        "spread": (statistics.variance(treated) + statistics.variance(control)) ** 0.5,
        "treated": one,
        "mean": ((one**2 + other**2) / 2) ** 0.5,
        "population": sum(statistics.pvariance(x) / len(x) for x in (treated, control)) ** 0.5,
    }[how]
    return bool(gap > errors * error)


def _mistakes_of_judges() -> dict[str, Callable[[Sequence[float], Sequence[float]], bool]]:
    """Judges that students write, by what they do, what is wrong with it, and why.

    Other judges may say the same in all cases: what is found is that a judge decides *as if*.
    """
    mean = statistics.fmean
    return {
        "you compared with 50 %, but the control may be above 50 % too, without having "
        "seen the map: compare with the control": lambda t, _: mean(t) > 0.5,
        "you asked only whether the mean is higher, and of two runs of nothing one is always "
        "higher: ask by how many standard errors": lambda t, c: mean(t) > mean(c),
        "you asked whether every treated run is above every control, which takes no spread into "
        "account and is easy for one seed": lambda t, c: min(t) > max(c),
        "you asked whether every treated run is above every control; one run of many then decides "
        "it, so compare means, by their errors": lambda t, c: (
            min(len(t), len(c)) > 1 and min(t) > max(c)
        ),
        "you asked for one standard error, too low a bar: chance passes it about once in five "
        "times: the exercise says two": lambda t, c: judged(t, c, errors=1, how="squares"),
        "you took the standard deviation of the runs where the standard error of the mean "
        "belongs: the mean of n runs is known better than one run, so divide by the root of n": (
            lambda t, c: judged(t, c, errors=2, how="spread")
        ),
        "you added the two standard errors themselves, which is too strict because errors "
        "partly cancel: add their squares and take the root": (
            lambda t, c: judged(t, c, errors=2, how="linear")
        ),
        "you forgot that the control's mean has an error too, and were sure where the control is "
        "all over the place: add the squares of both errors": (
            lambda t, c: judged(t, c, errors=2, how="treated")
        ),
        "you took the mean of the two squared errors, but both means may be off, so the error of a "
        "difference is the root of the sum of squares": (
            lambda t, c: judged(t, c, errors=2, how="mean")
        ),
        "you divided the squares by n (`pstdev`, NumPy's `std`), so three runs look "
        "steadier than they are: divide by n - 1 (`stdev`, `ddof=1`)": (
            lambda t, c: judged(t, c, errors=2, how="population")
        ),
        "you looked at differences of any sign: a mean far *below* the control is no sign of "
        "learning": lambda t, c: (
            judged(t, c, errors=2, how="squares") or judged(c, t, errors=2, how="squares")
        ),
        "you never said yes, and nobody can show you anything": lambda *_: False,
        "you always said yes, whatever was shown": lambda *_: True,
    }


@check
def exercise_4_3(answer: Any) -> str:
    """`learned(treated, control)`: more than two standard errors above the control."""
    found = verdicts(answer)
    wanted = [case[2] for case in CASES]
    if found == wanted:
        return "you no longer believe an S because it is above 50 %."
    for mistake, judge in _mistakes_of_judges().items():
        if found == verdicts(judge):
            raise Wrong(f"in all {len(CASES)} cases your judge decides as if {mistake}.")
    place = next(i for i, (f, w) in enumerate(zip(found, wanted, strict=True)) if f != w)
    treated, control, _, why = CASES[place]
    raise Wrong(f"{treated} against {control} is {why}, and you say {found[place]}.")
