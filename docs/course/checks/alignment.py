"""Checks of notebook 3 · Alignment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from trifeature.comm.losses import info_nce

from ._base import Wrong, check, number, returned

Rows = npt.NDArray[np.float64]

EIGHT: Final = {f"{name} {image}" for name in ("shape", "texture", "color") for image in (1, 2)}


@check
def exercise_3_1(answer: Any) -> str:
    """What alignment is paid for, on unbiased and on biased pairs."""
    wanted = {
        "unbiased": {"shape 1", "shape 2"},
        "biased": {"shape 1", "shape 2", "texture 1", "color 2"},
    }
    if not isinstance(answer, Mapping) or set(answer) != set(wanted):
        raise Wrong("a dictionary with the keys 'unbiased' and 'biased' is wanted.")
    for kind, right in wanted.items():
        if answer[kind] is ...:
            raise Wrong(f"the set of {kind!r} is still to be written.")
        found = {answer[kind]} if isinstance(answer[kind], str) else set(answer[kind])
        if unknown := found - EIGHT:
            raise Wrong(
                f"{sorted(map(str, unknown))[0]!r} is no attribute: say 'shape 1', say 'color 2'."
            )
        if extra := found - right:
            raise Wrong(
                f"on {kind} pairs nothing in the other image tells {' or '.join(sorted(extra))}: "
                "look at its row and column of the picture."
            )
        if lacking := right - found:
            raise Wrong(
                f"on {kind} pairs {' and '.join(sorted(lacking))} can be told from the other "
                "image: look for bright squares."
            )
    return "alignment is paid for what either image tells of the other, and for nothing else."


@check
def exercise_3_2(answer: Any) -> str:
    """`alignment_loss(a, b, temperature)` against the package's InfoNCE."""
    for tau in (0.2, 0.5):
        praise = _alignment_loss_at(answer, tau)
    return praise


def _alignment_loss_at(answer: Callable[..., Any], tau: float) -> str:
    """The check of 3.2 at one temperature."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 6, 4))
    found = number(returned(answer(a.copy(), b.copy(), tau)), "the loss")
    wanted = _packages_loss(a, b, tau)
    if abs(found - wanted) < 1e-4:
        return f"your loss and the package's are {found:.4f} nats."
    for mistake, value in _mistakes_of_alignment(a, b, tau).items():
        if abs(found - value) < 1e-4:
            raise Wrong(f"{mistake}.")
    raise Wrong(
        f"your loss is {found:.4f} nats where the package's is {wanted:.4f}: print the table of "
        "similarities and the chances first, each row of chances must sum to 1."
    )


def _packages_loss(a: Rows, b: Rows, tau: float) -> float:
    return float(info_nce(torch.as_tensor(a), torch.as_tensor(b), tau, "cross"))


def surprise(table: Rows) -> float:
    """Mean surprise in nats at the diagonal, of a choice along each row of a table."""
    chances = np.exp(table) / np.exp(table).sum(1, keepdims=True)
    return float(-np.log(np.diag(chances)).mean())


def _of_mean(table: Rows) -> float:
    """Minus the logarithm of the mean chance at the diagonal, which is no mean surprise."""
    chances = np.exp(table) / np.exp(table).sum(1, keepdims=True)
    return float(-np.log(np.diag(chances).mean()))


def _mistakes_of_alignment(a: Rows, b: Rows, tau: float) -> dict[str, float]:
    """Losses that students write, by what is wrong with them and why."""
    unit_a, unit_b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    table = unit_a @ unit_b.T / tau
    raw = a @ b.T / tau
    wanted = (surprise(table) + surprise(table.T)) / 2
    chances = np.exp(table) / np.exp(table).sum(1, keepdims=True)
    over_all = -np.log(np.diag(np.exp(table)) / np.exp(table).sum()).mean()
    others = np.exp(table).sum(1) - np.diag(np.exp(table))
    return {
        "the rows are not of length one, and so a long row looks similar to everything: divide "
        "each row by its length first": (surprise(raw) + surprise(raw.T)) / 2,
        "the rows are not of length one, and it looks from a to b only": surprise(raw),
        "it looks from a to b only, and the other half of the game is missing because each b "
        "must find its a too: do the same with the table turned over": surprise(table),
        "it looks from b to a only, and the other half of the game is missing because each a "
        "must find its b too: do the same with the table turned over": surprise(table.T),
        "the surprises of the pairs are added up, so the loss grows with the batch: take their "
        "mean": len(a) * wanted,
        "the surprises of the pairs are added up, and it looks from a to b only": len(a)
        * surprise(table),
        "the logarithm is taken of the mean chance: a pair is surprised by its own chance, so take "
        "the logarithm of each and the mean last": (_of_mean(table) + _of_mean(table.T)) / 2,
        "the logarithm is taken of the mean chance, and it looks from a to b only": _of_mean(table),
        "a is compared with a, where everything is its own partner: the table is of a against b": (
            surprise(unit_a @ unit_a.T / tau)
        ),
        "b is compared with b, where everything is its own partner: the table is of a against b": (
            surprise(unit_b @ unit_b.T / tau)
        ),
        "a is compared with a and b with b, where everything is its own partner: the table is of a "
        "against b": (surprise(unit_a @ unit_a.T / tau) + surprise(unit_b @ unit_b.T / tau)) / 2,
        "the two directions are added, so the loss is twice too large: it is the mean surprise of "
        "all who search, on both sides": 2 * wanted,
        "the temperature is missing: without it similarities reach from -1 to 1 only, and no "
        "choice can be sure": _packages_loss(a, b, 1.0),
        "the temperature is always 0.2, whatever is handed in: your function does not use its "
        "third argument": _packages_loss(a, b, 0.2),
        "the similarities are multiplied by the temperature instead of divided: a low temperature "
        "must make the choice sharper, not blunter": _packages_loss(a, b, 1 / tau),
        "the sign is wrong: surprise is minus the logarithm of a chance, so a loss is positive": (
            -wanted
        ),
        "the surprise is in bits because of log2, and nats are wanted: use np.log": (
            wanted / np.log(2)
        ),
        "the chances are divided by the sum of the whole table, so they do not sum to 1 in a row: "
        "each row chooses for itself": float(over_all),
        "the right answer is left out of the sum below, so these are odds and no chances: all "
        "candidates are in the sum, the partner too": float(
            -np.log(np.diag(np.exp(table)) / others).mean()
        ),
        "the surprise is the mean over the whole table: only the diagonal holds partners": float(
            -np.log(chances).mean()
        ),
    }


def _made_up_rows() -> list[dict[str, Any]]:
    """Rows of two methods, two seeds and two epochs, made up to be read by a function.

    The second seed gains more than the first, so that one seed is not enough.
    """
    values = {("cross", True): 0.51, ("cross", False): 0.50, ("comm", True): 0.66}
    values[("comm", False)] = 0.54
    return [
        {"method": m, "biased": b, "seed": seed, "epoch": e, "epochs": 4}
        | {"S": S + (0.03 if b else 0.01) * seed if e else 0.5}
        for (m, b), S in values.items()
        for seed in (0, 1)
        for e in (0, 4)
    ]


def _mean_gain(rows: Iterable[Mapping[str, Any]]) -> float:
    """Mean S of the biased rows less mean S of the others, of all these rows."""
    means = [np.mean([r["S"] for r in rows if r["biased"] == kind]) for kind in (True, False)]
    return float(means[0] - means[1])


def _mistakes_of_gain(rows: Sequence[Mapping[str, Any]], method: str) -> dict[str, float]:
    """Gains that students return, by what is wrong with them and why."""
    mine = [r for r in rows if r["method"] == method]
    last = [r for r in mine if r["epoch"] == r["epochs"]]
    treated = float(np.mean([r["S"] for r in last if r["biased"]]))
    one_seed = "only one seed is among your rows, and seeds differ: take the mean over all of them"
    return {
        "the untrained network is among your rows, which halves the gain: keep the rows with "
        "epoch == epochs only": _mean_gain(mine),
        "the rows of all methods are among yours, so every method gets the same answer: keep the "
        "rows with the method that is asked for": _mean_gain(
            [r for r in rows if r["epoch"] == r["epochs"]]
        ),
        "the sign is turned: what was taught is biased less unbiased": -_mean_gain(last),
        "you compare with 50 %, but the control is above 50 % without having seen the map: "
        "subtract the same method's mean on unbiased pairs": treated - 0.5,
        one_seed: _mean_gain([r for r in last if r["seed"] == 0]),
        f"{one_seed}, not the last one": _mean_gain([r for r in last if r["seed"] == 1]),
    }


@check
def exercise_3_3(answer: Any) -> str:
    """`gain(rows, method)`: S after biased training less its control, last epochs only."""
    rows = _made_up_rows()
    for method in ("comm", "cross"):
        found = number(returned(answer(rows, method)), "the gain")
        wanted = _mean_gain(
            [r for r in rows if r["method"] == method and r["epoch"] == r["epochs"]]
        )
        if abs(found - wanted) < 1e-9:
            continue
        for mistake, value in _mistakes_of_gain(rows, method).items():
            if abs(found - value) < 1e-9:
                raise Wrong(f"{mistake}.")
        raise Wrong(
            f"for {method} the made-up rows give {wanted:.3f}, you return {found:.3f}: mean S of "
            "the biased rows less mean S of the unbiased ones, at the last epoch."
        )
    return "what the biased pairs taught is the distance to the control, not to 50 %."


@check
def exercise_3_4(answer: Any) -> str:
    """`interaction(codes)`: what rows and columns leave of codes [N, M, D]."""
    rng = np.random.default_rng(2)
    row, column = rng.normal(size=(4, 1, 6)), rng.normal(size=(1, 3, 6))
    beside = np.concatenate(
        [np.broadcast_to(row, (4, 3, 6)), np.broadcast_to(column, (4, 3, 6))], axis=2
    )
    fused = rng.normal(size=(4, 3, 6))
    for codes in (fused, beside):
        found = np.asarray(returned(answer(codes.copy())))
        if found.shape != codes.shape:
            raise Wrong(
                f"codes {list(codes.shape)} came back as {list(found.shape)}: one code is left "
                "for every combination, so the shape stays; `keepdims=True` keeps it."
            )
        rows, columns, all_ = (codes.mean(d, keepdims=True) for d in (1, 0, (0, 1)))
        if np.allclose(found, codes - rows - columns + all_, atol=1e-6):
            continue
        mistakes = {
            "the mean of everything was subtracted twice, because it is in the rows' means and in "
            "the columns': add it once": codes - rows - columns,
            "only the mean of everything is gone: what each row and each column adds on its own is "
            "still in it": codes - all_,
            "what the columns add is still in it: subtract the mean over rows too": codes - rows,
            "what the rows add is still in it: subtract the mean over columns too": codes - columns,
        }
        for mistake, value in mistakes.items():
            if np.allclose(found, value, atol=1e-6):
                raise Wrong(f"{mistake}.")
        if np.allclose(found, 0, atol=1e-6):
            raise Wrong(
                "everything is 0, and the interaction is lost with the rest: what depends on row "
                "and column together has to be left."
            )
        worst = max(float(np.abs(found.mean(d)).max()) for d in (0, 1))
        if worst < 1e-6:
            raise Wrong(
                "the means of rows and columns are 0, as they should be, but what is left is not "
                "the interaction: the means are subtracted from the codes, and nothing else is "
                "done to them."
            )
        raise Wrong(
            f"along a row or a column your answer has a mean of {worst:.3f}, not of 0: what a "
            "whole row has in common is no combination."
        )
    return "zero for every side-by-side code, whatever its halves are: a match needs fusion."
