"""Solutions of the course's exercises, one function each; the tests run them all.

Try the exercise first. The check of an exercise tells what is wrong with an answer, often enough
to find the way.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from trifeature.comm.losses import info_nce
from trifeature.data.rule import PairRule
from trifeature.pid import (
    Atoms,
    PairedFeatures,
    Training,
    dual_atoms,
    gallery_table,
    samples_needed,
)


def exercise_1_1() -> Any:
    """Both see the bit r; s1 and s2 are one to each. Y holds r and s1 xor s2."""
    table = np.zeros((4, 4, 4))
    for r in (0, 1):
        for s1 in (0, 1):
            for s2 in (0, 1):
                table[2 * r + s1, 2 * r + s2, 2 * r + (s1 ^ s2)] = 1 / 8
    return table


def exercise_1_2() -> Any:
    """AND: a zero in either input settles the output."""
    return gallery_table("AND")


def exercise_1_3() -> Callable[[Atoms, int], float]:
    """Without a source its unique part is gone, and the synergy."""

    def ablation_cost(atoms: Atoms, source: int) -> float:
        return (atoms.unique1 if source == 1 else atoms.unique2) + atoms.synergy

    return ablation_cost


def exercise_1_4() -> float:
    """From 1 - h(e) = 1/2; found by trying, or by bisection."""
    return 0.11


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


def exercise_3_1() -> dict[str, set[str]]:
    """The bright squares of the two pictures."""
    shapes = {"shape 1", "shape 2"}
    return {"unbiased": shapes, "biased": shapes | {"texture 1", "color 2"}}


def exercise_3_2() -> Callable[[Tensor, Tensor, float], float]:
    """Each a must find its b among all b, and each b its a."""

    def clip_loss(a: Tensor, b: Tensor, temperature: float) -> float:
        a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
        logits, own = a @ b.T / temperature, torch.arange(len(a))
        return float((F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2)

    return clip_loss


def exercise_3_3() -> Callable[[Sequence[Mapping[str, Any]], str], float]:
    """Last epochs only, and the control has its own mean."""

    def gain(rows: Sequence[Mapping[str, Any]], method: str) -> float:
        last = [r for r in rows if r["method"] == method and r["epoch"] == r["epochs"]]
        biased, control = (
            statistics.fmean(r["S"] for r in last if r["biased"] == kind) for kind in (True, False)
        )
        return biased - control

    return gain


def exercise_3_4() -> Callable[[Tensor], Tensor]:
    """The mean of everything is in the rows' means and in the columns': it is added once."""

    def interaction(codes: Tensor) -> Tensor:
        rows, columns = codes.mean(1, keepdim=True), codes.mean(0, keepdim=True)
        return codes - rows - columns + codes.mean((0, 1))

    return interaction


def exercise_4_1() -> dict[str, set[str]]:
    """The cells of the table that are not 0."""
    return {"r": {"L", "L_1", "L_2"}, "u1": {"L", "L_1"}, "u2": {"L", "L_2"}, "s1 xor s2": {"L"}}


def exercise_4_2() -> Callable[..., Tensor]:
    """Every alignment is between different views."""

    def comm_loss(views: tuple[Tensor, Tensor], alone: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        loss = info_nce(*views)
        for z1, z2 in alone:
            loss = loss + (info_nce(z1, views[1]) + info_nce(z2, views[0])) / 2
        return loss

    return comm_loss


def exercise_4_3() -> Callable[[Sequence[float], Sequence[float]], bool]:
    """The error of a difference is the root of the summed squares of the errors of the means."""

    def learned(treated: Sequence[float], control: Sequence[float]) -> bool:
        if min(len(treated), len(control)) < 2:
            return False
        difference = statistics.fmean(treated) - statistics.fmean(control)
        error = sum(statistics.variance(x) / len(x) for x in (treated, control)) ** 0.5
        return bool(difference > 2 * error)

    return learned


def exercise_5_1() -> Callable[[Any, Any, Any], PairedFeatures]:
    """`np.unique` numbers the words in the order of the alphabet."""

    def as_pairs(features1: Any, features2: Any, labels: Any) -> PairedFeatures:
        _, numbers = np.unique(labels, return_inverse=True)
        one, other = (torch.as_tensor(x, dtype=torch.float32) for x in (features1, features2))
        return PairedFeatures(one, other, torch.as_tensor(numbers))

    return as_pairs


def exercise_5_2() -> int:
    """(NM - 1)(K - 1) / (2 ln 2 · 0.01), rounded up."""
    return samples_needed((8, 8, 3))


def exercise_5_3() -> dict[str, str]:
    """Measured with probes and experts on a held-out half."""
    from checks import mystery  # noqa: PLC0415 - it stands beside this file in the course's folder

    as_pairs = exercise_5_1()
    largest = {}
    quick = Training(steps=150)
    for name in "ABC":
        train, test = as_pairs(*mystery(name)).split(0.5, torch.Generator().manual_seed(0))
        atoms = dual_atoms(train, test, quick).atoms
        largest[name] = max(("redundancy", "unique1", "unique2", "synergy"), key=atoms.value)
    return largest


SOLUTIONS: Final[dict[str, Callable[[], Any]]] = {
    name: value for name, value in list(globals().items()) if name.startswith("exercise_")
}
"""Every solution by the name of its exercise."""
