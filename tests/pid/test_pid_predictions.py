from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from trifeature.errors import InputError
from trifeature.pid.atoms import ATOM_NAMES
from trifeature.pid.estimation.bars import estimate_bars
from trifeature.pid.estimation.predictions import FEWEST_ITEMS, PredictedAtoms, atoms_of_predictions

Array = NDArray[np.float64]

CLASSES = np.arange(80) % 2
EVEN = np.full((80, 2), 0.5)
SHORT = 1 / (2 * 80 * np.log(2))  # what Miller and Madow add to H(Y), in bits


def sure(classes: NDArray[Any], certainty: float = 1 - 1e-6) -> Array:
    return np.where(classes[:, None] == [0, 1], certainty, 1 - certainty)


def random_predictions(n: int, classes: int, seed: int = 0) -> tuple[Array, Array, Array, Any]:
    """Probabilities that tend to the class, of two models and a better one of both."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    logits = rng.normal(size=(3, n, classes))
    logits[:, np.arange(n), y] += np.array([1.0, 1.5, 2.5])[:, None]
    p = np.exp(logits)
    p1, p2, p12 = p / p.sum(-1, keepdims=True)
    return p1, p2, p12, y


def values(found: PredictedAtoms) -> tuple[list[float | None], list[float | None]]:
    return [list(one.corrected.values()) for one in (found.mmi, found.pointwise)]  # type: ignore[return-value]


# --------------------------------------------------------------------------- closed forms


@pytest.mark.parametrize(
    ("models", "wanted"),
    [
        ((True, True, True), (1, 0, 0, 0)),
        ((True, False, True), (0, 1, 0, 0)),
        ((False, True, True), (0, 0, 1, 0)),
        ((False, False, True), (0, 0, 0, 1)),
        ((False, False, False), (0, 0, 0, 0)),
    ],
)
def test_perfect_and_useless_models_have_whole_bits(
    models: tuple[bool, ...], wanted: tuple[int, ...]
) -> None:
    """By both definitions; the last but one is an exclusive or."""
    tables = [sure(CLASSES) if knows else EVEN for knows in models]
    p1, p2, p12 = tables
    for found in values(atoms_of_predictions(p1, p2, p12, CLASSES)):
        assert found == pytest.approx(wanted, abs=1.1 * SHORT)


def test_the_two_definitions_differ_where_models_know_different_items() -> None:
    first = np.arange(80) < 40
    p1 = np.where(first[:, None], sure(CLASSES), EVEN)
    p2 = np.where(first[:, None], EVEN, sure(CLASSES))
    mmi, pointwise = values(atoms_of_predictions(p1, p2, sure(CLASSES), CLASSES))
    assert mmi == pytest.approx((0.5, 0, 0, 0.5), abs=1.1 * SHORT)
    assert pointwise == pytest.approx((0, 0.5, 0.5, 0), abs=1.1 * SHORT)


# --------------------------------------------------------------------------- loops


def test_atoms_and_intervals_are_those_of_a_loop_over_items() -> None:
    p1, p2, p12, y = random_predictions(60, 3)
    level = 0.9
    found = atoms_of_predictions(p1, p2, p12, y, level)
    share = [float(np.mean(y == k)) for k in range(3)]
    short = 2 / (2 * 60 * np.log(2))
    slack = (stats.chi2.ppf(level, 2) - 2) / (2 * 60 * np.log(2))
    z = stats.norm.ppf(0.95)
    i1, i2, i12 = (
        np.array([np.log2(p[item, y[item]] / share[y[item]]) for item in range(60)])
        for p in (p1, p2, p12)
    )

    def ends(score: Array, entropy: bool = False) -> tuple[float, float, float]:
        mean = sum(score.tolist()) / 60 + entropy * short
        half = z * np.sqrt(sum((score - score.mean()) ** 2) / 59 / 60) + entropy * slack
        return mean, mean - half, mean + half

    informations = [ends(score, entropy=True) for score in (i1, i2, i12)]
    for (name, interval), (mean, low, high) in zip(
        found.information_intervals.items(), informations, strict=True
    ):
        assert found.mmi.informations[name] == pytest.approx(mean)
        assert interval == pytest.approx((max(low, 0), high))
    r = np.minimum(i1, i2)
    pointwise = [ends(r, entropy=True), ends(i1 - r), ends(i2 - r), ends(i12 - i1 - i2 + r)]
    zero = (0.0, 0.0, 0.0)
    minimum = [
        np.minimum(informations[0], informations[1]),
        np.maximum(zero, ends(i1 - i2)),
        np.maximum(zero, ends(i2 - i1)),
        np.maximum(zero, np.minimum(ends(i12 - i1), ends(i12 - i2))),
    ]
    for one, wanted in ((found.mmi, minimum), (found.pointwise, pointwise)):
        for name, (mean, low, high) in zip(ATOM_NAMES, wanted, strict=True):
            assert one.corrected[name] == pytest.approx(mean)
            assert one.intervals[name] == pytest.approx((low, high))
    # The lesser of two informations is 0 if either is.
    each = [
        2 * stats.norm.sf((m - slack) / ((m - slack - low) / z)) for m, low, _ in informations[:2]
    ]
    assert found.mmi.p_values["redundancy"] == pytest.approx(max(each))
    # U1 and U2 are above 0 by construction: no test would say anything.
    assert set(found.pointwise.p_values.values()) == {None}
    assert "predictions of noise too" in found.pointwise.sentence


def test_intervals_of_the_informations_cover() -> None:
    """The mean of the score over all items is known: so is the truth of a sample of them."""
    p1, p2, p12, y = random_predictions(20_000, 2, seed=1)
    scores = [np.log2(p[np.arange(len(y)), y]) for p in (p1, p2, p12)]
    truth = {
        name: float(score.mean()) + 1.0
        for name, score in zip(("source1", "source2", "both"), scores, strict=True)
    }
    covered = dict.fromkeys(truth, 0)
    rng = np.random.default_rng(0)
    for _ in range(200):
        chosen = rng.choice(len(y), 150, replace=False)
        found = atoms_of_predictions(p1[chosen], p2[chosen], p12[chosen], y[chosen])
        for name, (low, high) in found.information_intervals.items():
            covered[name] += low <= truth[name] <= high
    assert min(covered.values()) >= 182


def test_atoms_add_up_and_say_what_they_assume() -> None:
    found = atoms_of_predictions(*random_predictions(60, 3), sources=("image", "text"))
    for one in (found.mmi, found.pointwise):
        r, u1, u2, s = (value or 0.0 for value in one.corrected.values())
        i1, i2, i12 = (value or 0.0 for value in one.informations.values())
        assert (r + u1, r + u2, r + u1 + u2 + s) == pytest.approx((i1, i2, i12))
        assert one.plug_in.sources == ("image", "text")
        assert found.assumes[one.plug_in.measure]
        assert "image and text tell" in one.sentence


# --------------------------------------------------------------------------- types


def test_half_precision_and_any_labels_are_the_same_items() -> None:
    p1, p2, p12, y = random_predictions(60, 3)
    exact = atoms_of_predictions(p1, p2, p12, y)
    h1, h2, h12 = (p.astype(np.float16) for p in (p1, p2, p12))
    half = atoms_of_predictions(h1, h2, h12, y)
    for name in ATOM_NAMES:
        assert half.mmi.corrected[name] == pytest.approx(exact.mmi.corrected[name], abs=2e-3)
    labels = np.array(["bird", "cat", "dog"])[y]
    assert atoms_of_predictions(p1, p2, p12, labels) == exact
    assert atoms_of_predictions(p1.tolist(), p2.tolist(), p12.tolist(), y.tolist()) == exact
    assert atoms_of_predictions(p1, p2, p12, y.astype(float)) == exact


def test_a_class_that_did_not_occur_is_a_class() -> None:
    p = np.column_stack([sure(CLASSES, 0.9), np.zeros(80)])
    found = atoms_of_predictions(p, p, p, CLASSES)
    assert found.mmi.corrected["redundancy"] == pytest.approx(1 + np.log2(0.9), abs=1.1 * SHORT)
    with pytest.raises(InputError, match="2 different values for predictions of 3 classes"):
        atoms_of_predictions(p, p, p, np.array(["a", "b"])[CLASSES])


# --------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"p1": EVEN * 2}, "predictions of X1 must be probabilities that sum to 1"),
        (
            {"p2": np.full((80, 2), [1.5, -0.5])},
            r"of item 0, counted from 0, are not \(1.5, -0.5\)",
        ),
        ({"p12": np.full((80, 2), np.nan)}, "predictions of X1 and X2 must be probabilities"),
        ({"p1": EVEN[:, 0]}, r"must be \[n, K\] probabilities, got shape \[80\]"),
        ({"p1": np.zeros((0, 2))}, r"got shape \[0, 2\]"),
        ({"p1": [["a", "b"]] * 80}, r"must be \[n, K\] probabilities"),
        ({"p1": [[0.5], [0.5, 0.5]]}, r"must be \[n, K\] probabilities"),
        ({"p1": EVEN[:70]}, r"one shape \[n, K\], got \[70, 2\], \[80, 2\], \[80, 2\]"),
        ({"p2": np.full((80, 4), 0.25)}, "must have one shape"),
        ({"y": CLASSES[:70]}, r"Y must be \[80\] classes, got shape \[70\]"),
        ({"y": CLASSES + 0.25 * np.arange(80)}, "different values for predictions of 2 classes"),
        ({"y": np.arange(80) % 3}, "3 different values for predictions of 2 classes"),
        ({"y": [None, *CLASSES[1:]]}, "lacks a value in row 0"),
        ({"p1": sure(CLASSES, 1.0)[::-1]}, "rules out the class of item 0"),
        ({"p2": sure(1 - CLASSES, 0.9)}, "the model of X2 predicts worse than the class freq"),
    ],
)
def test_what_is_no_prediction_is_refused_in_one_line(
    changes: dict[str, Any], message: str
) -> None:
    given: dict[str, Any] = {"p1": EVEN, "p2": EVEN, "p12": EVEN, "y": CLASSES} | changes
    with pytest.raises(InputError, match=message) as caught:
        atoms_of_predictions(**given)
    assert "\n" not in str(caught.value)


def test_few_items_are_refused() -> None:
    few = EVEN[: FEWEST_ITEMS - 1]
    with pytest.raises(InputError, match="19 items are too few: an estimate needs 20"):
        atoms_of_predictions(few, few, few, CLASSES[: FEWEST_ITEMS - 1])


@pytest.mark.parametrize("level", [0, 1, 95, "high", float("nan")])
def test_a_level_that_is_none_is_refused(level: Any) -> None:
    with pytest.raises(InputError, match="level must be above 0 and below 1"):
        atoms_of_predictions(
            [[0.5, 0.5]] * 20, [[0.5, 0.5]] * 20, [[0.5, 0.5]] * 20, [0, 1] * 10, level
        )


def test_bars_say_which_definition_they_are_of() -> None:
    found = atoms_of_predictions(*random_predictions(60, 3))
    figure = estimate_bars([found.mmi, found.pointwise])
    titles = [axes.get_title().splitlines()[1] for axes in figure.axes]
    assert titles == ["about Y (MMI)", "about Y (pointwise minimum)"]
