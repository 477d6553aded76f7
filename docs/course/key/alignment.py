"""The key to notebook 3 · Alignment."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from . import Entry, Slip

Rows = npt.NDArray[np.float64]


def _unit(x: Rows) -> Rows:
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))


def _surprise(table: Rows) -> float:
    chances = np.exp(table) / np.exp(table).sum(1, keepdims=True)
    return float(-np.log(np.diag(chances)).mean())


def _long_rows(a: Rows, b: Rows, temperature: float) -> float:
    table = a @ b.T / temperature
    return (_surprise(table) + _surprise(table.T)) / 2


def _one_way(a: Rows, b: Rows, temperature: float) -> float:
    return _surprise(_unit(a) @ _unit(b).T / temperature)


def _added(a: Rows, b: Rows, temperature: float) -> float:
    return _one_way(a, b, temperature) + _one_way(b, a, temperature)


def _without_temperature(a: Rows, b: Rows, _: float) -> float:
    return _added(a, b, 1.0) / 2


def _always_the_same(a: Rows, b: Rows, _: float) -> float:
    return _added(a, b, 0.2) / 2


def _multiplied(a: Rows, b: Rows, temperature: float) -> float:
    return _added(a, b, 1 / temperature) / 2


def _negative(a: Rows, b: Rows, temperature: float) -> float:
    return -_added(a, b, temperature) / 2


def _summed(a: Rows, b: Rows, temperature: float) -> float:
    return len(a) * _added(a, b, temperature) / 2


def _of_mean_chance(a: Rows, b: Rows, temperature: float) -> float:
    weights = np.exp(_unit(a) @ _unit(b).T / temperature)
    means = [np.diag(weights / weights.sum(k, keepdims=True)).mean() for k in (0, 1)]
    return float(-np.log(means).mean())


def _with_itself(a: Rows, _: Rows, temperature: float) -> float:
    return _one_way(a, a, temperature)


def _whole_table(a: Rows, b: Rows, temperature: float) -> float:
    weights = np.exp(_unit(a) @ _unit(b).T / temperature)
    return float(-np.log(np.diag(weights) / weights.sum()).mean())


def _means(rows: Sequence[Mapping[str, Any]], *, biased: bool) -> float:
    return statistics.fmean(row["S"] for row in rows if row["biased"] == biased)


def _all_epochs(rows: Sequence[Mapping[str, Any]], method: str) -> float:
    mine = [row for row in rows if row["method"] == method]
    return _means(mine, biased=True) - _means(mine, biased=False)


def _above_half(rows: Sequence[Mapping[str, Any]], method: str) -> float:
    mine = [row for row in rows if row["method"] == method and row["epoch"] == row["epochs"]]
    return _means(mine, biased=True) - 0.5


def _first_seed(rows: Sequence[Mapping[str, Any]], method: str) -> float:
    own = [row for row in rows if row["method"] == method and row["seed"] == 0]
    last = [row for row in own if row["epoch"] == row["epochs"]]
    return _means(last, biased=True) - _means(last, biased=False)


def _all_methods(rows: Sequence[Mapping[str, Any]], _: str) -> float:
    last = [row for row in rows if row["epoch"] == row["epochs"]]
    return _means(last, biased=True) - _means(last, biased=False)


def _twice(codes: Rows) -> Rows:
    return np.asarray(codes - codes.mean(0) - codes.mean(1, keepdims=True))


def _everything(codes: Rows) -> Rows:
    return np.asarray(codes - codes.mean((0, 1)))


def _rows_only(codes: Rows) -> Rows:
    return np.asarray(codes - codes.mean(1, keepdims=True))


def _nothing(codes: Rows) -> Rows:
    rows = codes - codes.mean(1, keepdims=True)
    return np.asarray(rows - rows)


def _means_returned(codes: Rows) -> Rows:
    return np.asarray(codes.mean(0))


SHAPES: Final = {"shape 1", "shape 2"}

KEY: Final = {
    "exercise_3_1": Entry(
        minutes=7,
        why=(
            "Alignment is paid for what one image tells of the other: a bright square. On unbiased "
            "pairs that is the shape of both. On biased pairs texture 1 and color 2 tell each "
            "other, so both are worth carrying. Color 1 and texture 2 never are."
        ),
        slips=(
            Slip(
                "keeps the textures on unbiased pairs",
                {"unbiased": SHAPES | {"texture 1", "texture 2"}, "biased": SHAPES},
                "nothing in the other image tells texture 1",
                "Unique means just that: the other image does not show it.",
            ),
            Slip(
                "takes both textures and both colors on biased pairs",
                {
                    "unbiased": SHAPES,
                    "biased": SHAPES | {"texture 1", "texture 2", "color 1", "color 2"},
                },
                "nothing in the other image tells color 1",
                "The map goes from texture 1 to color 2. The other two are still drawn freely.",
            ),
            Slip(
                "changes nothing on biased pairs",
                {"unbiased": SHAPES, "biased": SHAPES},
                "can be told from the other",
                "Compare the two pictures: where is a new bright square?",
            ),
            Slip(
                "forgets the number of the image",
                {"unbiased": {"shape"}, "biased": {"shape"}},
                "is no attribute",
                "Each image has its own shape, even if they are the same.",
            ),
        ),
    ),
    "exercise_3_2": Entry(
        minutes=15,
        why=(
            "Of rows of length one the product is the cosine. Each row of the table, divided by "
            "the temperature, becomes chances that sum to 1, and the surprise at the diagonal is "
            "the loss of those who search in this direction; the table turned over gives the "
            "other. Both sides search, so the mean of the two is taken."
        ),
        slips=(
            Slip(
                "does not make the rows of length one",
                _long_rows,
                "a long row looks similar to everything",
                "Similarity is a matter of direction. What is the length of your rows?",
            ),
            Slip(
                "lets only a search",
                _one_way,
                "each b must find its a too",
                "Captions search their images as well. Which table do they look at?",
            ),
            Slip(
                "adds the two directions",
                _added,
                "twice too large",
                "It is a mean surprise, so a blind player must get ln of the number of candidates.",
            ),
            Slip(
                "adds up the surprises of the pairs",
                _summed,
                "the loss grows with the batch",
                "Would a class twice as large play twice as badly?",
            ),
            Slip(
                "takes the logarithm of the mean chance",
                _of_mean_chance,
                "a pair is surprised by its own chance",
                "Which comes first, the logarithm or the mean?",
            ),
            Slip(
                "compares a with a",
                _with_itself,
                "the table is of a against b",
                "What stands on your diagonal before you divide by the temperature?",
            ),
            Slip(
                "leaves out the temperature",
                _without_temperature,
                "no choice can be sure",
                "How sure can a player be if similarities lie between -1 and 1?",
            ),
            Slip(
                "writes 0.2 for the temperature",
                _always_the_same,
                "does not use its third argument",
                "It is right for one temperature only. Use the argument.",
            ),
            Slip(
                "multiplies by the temperature",
                _multiplied,
                "must make the choice sharper",
                "Try 0.01: should the player be more decided or less?",
            ),
            Slip(
                "forgets the minus sign",
                _negative,
                "a loss is positive",
                "The logarithm of a chance is negative.",
            ),
            Slip(
                "divides by the sum of the whole table",
                _whole_table,
                "each row chooses for itself",
                "What must a row of chances sum to?",
            ),
        ),
    ),
    "exercise_3_3": Entry(
        minutes=8,
        why=(
            "What biased pairs taught is the distance to the same method on unbiased pairs. The "
            "control may be above 50 % without having seen the map; and the row of epoch 0 is the "
            "network before it learned anything."
        ),
        slips=(
            Slip(
                "takes the rows of all epochs",
                _all_epochs,
                "the untrained network is among your rows",
                "Which of these rows are measured after training?",
            ),
            Slip(
                "compares with 50 %",
                _above_half,
                "subtract the same method's mean on unbiased pairs",
                "A control is there to be subtracted.",
            ),
            Slip(
                "takes the first seed only",
                _first_seed,
                "only one seed is among your rows",
                "How many rows are left on each side before you take the mean?",
            ),
            Slip(
                "takes the rows of all methods",
                _all_methods,
                "every method gets the same answer",
                "Your answer is the same for every method. Should it be?",
            ),
        ),
    ),
    "exercise_3_4": Entry(
        minutes=10,
        why=(
            "Subtract what each row adds and what each column adds. Both means hold the mean of "
            "everything, so it was subtracted twice, and is added once. A side-by-side code is a "
            "part that depends on the row plus one that depends on the column: nothing is left."
        ),
        slips=(
            Slip(
                "does not add the mean of everything",
                _twice,
                "subtracted twice",
                "Try a table in which every cell is 1. What must the interaction be?",
            ),
            Slip(
                "subtracts only the mean of everything",
                _everything,
                "what each row and each column adds on its own",
                "Take the mean of a row of your answer. It should be 0.",
            ),
            Slip(
                "subtracts the means of the rows only",
                _rows_only,
                "what the columns add is still in it",
                "You have done one half. Which image was it?",
            ),
            Slip(
                "subtracts until nothing is left",
                _nothing,
                "the interaction is lost with the rest",
                "Which part of a code depends on row and column together?",
            ),
            Slip(
                "returns the means",
                _means_returned,
                "one code is left for every combination",
                "How many combinations go in, and how many come out?",
            ),
        ),
    ),
}
