"""Numbers to read: regressions, choice and scores against scikit-learn and plain loops."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from probe_problems import FloatArray
from scipy.stats import pearsonr
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from trifeature.errors import InputError
from trifeature.probes.authors import authors_fold
from trifeature.probes.folds import group_folds
from trifeature.probes.metrics import pearson, r_squared
from trifeature.probes.protocol import probe_features
from trifeature.probes.ridge import ALPHAS, NumbersResult, RidgePath, fit_ridge

N = 120
GROUPS = np.arange(N) % 12
KINDS = {"label": "numbers"}


def positions(seed: int = 0, features: int = 6) -> tuple[FloatArray, FloatArray]:
    """Features of different scales, and two numbers of different units that they tell in part."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, features)) * np.logspace(-2, 2, features) + 3
    told = (X - 3) / np.logspace(-2, 2, features)
    Y = told @ np.random.default_rng(9).normal(size=(features, 2)) + rng.normal(size=(N, 2))
    return X, Y * [1.0, 100.0] + [0.0, 50.0]


@pytest.mark.parametrize("features", [6, 200])
@pytest.mark.parametrize("standardize", [True, False])
def test_one_decomposition_gives_scikits_solution_for_every_penalty(
    features: int, standardize: bool
) -> None:
    X, Y = positions(features=features)
    path = RidgePath.fit(torch.as_tensor(X), Y, ALPHAS, standardize=standardize)
    found = path.predict(X)
    for predicted, alpha in zip(found, ALPHAS, strict=True):
        steps = [StandardScaler()] if standardize else []
        model = make_pipeline(*steps, Ridge(alpha=alpha, solver="svd")).fit(X, Y)
        np.testing.assert_allclose(predicted, model.predict(X), rtol=1e-6, atol=1e-6)


def test_constant_and_repeated_features_and_single_samples_are_survived() -> None:
    X, Y = positions()
    doubled = np.concatenate([X, X, np.ones((N, 2))], axis=1)
    found = RidgePath.fit(torch.as_tensor(doubled), Y, [1e-6]).predict(doubled)
    expected = RidgePath.fit(torch.as_tensor(X), Y, [1e-6]).predict(X)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    constant = RidgePath.fit(torch.ones(5, 2), Y[:5], [1.0]).predict(torch.ones(5, 2))
    np.testing.assert_allclose(constant[0], np.tile(Y[:5].mean(0), (5, 1)))


@pytest.mark.parametrize("probing", ["ours", "authors"])
def test_the_penalty_has_the_least_held_out_error_summed_over_the_outputs(probing: str) -> None:
    X, Y = positions()
    ours = probing == "ours"
    folds = group_folds(GROUPS, folds=3, seed=0) if ours else authors_fold(N, GROUPS)
    errors, steps = dict.fromkeys(ALPHAS, 0.0), [StandardScaler()] if ours else []
    for alpha in ALPHAS:
        for fit, validate in zip(folds.fit, folds.validate, strict=True):
            assert not set(GROUPS[fit]) & set(GROUPS[validate])
            guess = make_pipeline(*steps, Ridge(alpha=alpha)).fit(X[fit], Y[fit]).predict(X)
            errors[alpha] += float(np.square(guess - Y)[validate].sum())
    probe = fit_ridge(torch.as_tensor(X), Y, folds, standardize=ours)
    assert probe.held_out == pytest.approx(
        {alpha: lost / folds.validate.sum() for alpha, lost in errors.items()}, rel=1e-6
    )
    assert probe.alpha == min(ALPHAS, key=lambda alpha: errors[alpha])
    X_test, Y_test = positions(1)
    found = probe_features(X, Y, X_test, Y_test, GROUPS, probing=probing, kinds=KINDS)
    model = make_pipeline(*steps, Ridge(alpha=probe.alpha)).fit(X, Y)
    np.testing.assert_allclose(found.results["label"].predictions, model.predict(X_test))


def test_scores_are_scikits_and_scipys() -> None:
    (X, Y), (X_test, Y_test) = positions(0), positions(1)
    reading = probe_features(X, Y, X_test, Y_test, GROUPS, kinds=KINDS)
    found, row = reading.results["label"], reading.row()
    assert isinstance(found, NumbersResult)
    guess = found.predictions
    np.testing.assert_allclose(found.errors, np.square(guess - Y_test).mean(0))
    assert found.mse == pytest.approx(mean_squared_error(Y_test, guess))
    assert found.r2 == pytest.approx(r2_score(Y_test, guess))
    for k in range(2):
        assert found.correlations[k] == pytest.approx(pearsonr(Y_test[:, k], guess[:, k])[0])
    assert (row["label"], row["label_mse"]) == (found.r2, found.mse)
    assert row["label_correlation"] == pytest.approx(found.correlations.mean())
    assert row["kinds"] == KINDS
    assert row["costs"] == {"label": found.alpha}
    assert row["parts"]["label"]["mse"] == found.errors.tolist()
    assert row["bits"] == row["confusion"] == row["information"] == {}
    constant = float(np.square(Y_test - Y.mean(0)).mean())
    assert reading.table()[1:] == [
        ["label", "numbers", "R²", "0", f"{found.r2:.4g}"],
        ["label", "numbers", "mean squared error", f"{constant:.4g}", f"{found.mse:.4g}"],
    ]


def test_features_that_tell_nothing_score_zero_and_a_constant_output_has_no_score() -> None:
    Y = np.random.default_rng(0).normal(size=(N, 2))
    reading = probe_features(
        np.ones((N, 3)), Y, np.ones((N, 3)), np.column_stack([Y[:, 0], np.ones(N)]), kinds=KINDS
    )
    found = reading.results["label"]
    assert found.r_squares[0] == pytest.approx(0, abs=1e-12)
    assert math.isnan(found.r_squares[1])
    assert np.isnan(found.correlations).all()
    assert found.r2 == found.r_squares[0]
    assert reading.folds == "samples"
    row = reading.row()
    assert (row["label_correlation"], row["parts"]["label"]["r2"][1]) == (None, None)
    json.dumps(row, allow_nan=False)


def test_numbers_are_read_from_frames_and_lists() -> None:
    (X, Y), (X_test, Y_test) = positions(0), positions(1)
    frames = [pd.DataFrame(x, columns=["x", "y"]) for x in (Y, Y_test)]
    by_frame = probe_features(X, frames[0], X_test, frames[1], kinds=KINDS)
    assert by_frame.tasks["label"].names == ("x", "y")
    one = probe_features(X, Y[:, 0].tolist(), X_test, Y_test[:, 0].tolist(), kinds=KINDS)
    assert one.results["label"].predictions.shape == (N, 1)
    assert (one.tasks["label"].classes, one.tasks["label"].kind) == (1, "numbers")


def test_exact_predictions_have_an_r_squared_and_a_correlation_of_one() -> None:
    _, Y = positions()
    np.testing.assert_array_equal(r_squared(numbers=Y, predictions=Y), 1)
    np.testing.assert_allclose(pearson(numbers=Y, predictions=3 - 2 * Y), -1)
    with pytest.raises(InputError, match=r"numbers are \(120, 2\), and predictions \(120, 1\)"):
        r_squared(numbers=Y, predictions=Y[:, :1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_labels": [1.0, 1.0, 1.0, 1.0]}, "task 'label': the numbers are constant"),
        ({"train_labels": [1.0, np.nan, 0.0, 2.0]}, "task 'label': numbers are not finite"),
        ({"train_labels": ["a", "b", "c", "d"]}, r"numbers must be \[samples\]"),
        ({"test_labels": [[1.0, 2.0]]}, "1 columns to fit on, but 2 to score"),
        ({"groups": ["a", "a", "a", "a"]}, "from 2 to the 1 groups"),
        ({"train_labels": np.ones((4, 2)) / 3, "kinds": None}, "kinds={task: 'numbers'}"),
    ],
)
def test_what_cannot_be_probed_is_refused_in_one_line(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "train_features": np.eye(4),
        "train_labels": [0.1, 1.5, 0.0, 2.0],
        "test_features": np.eye(4)[:2],
        "test_labels": [0.5, 1.0],
        "folds": 2,
        "kinds": KINDS,
    }
    with pytest.raises(InputError, match=message) as caught:
        probe_features(**arguments | change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("alphas", "message"), [([], "no alpha"), ([0.0], "alpha must be above")])
def test_penalties_are_positive(alphas: list[float], message: str) -> None:
    X, Y = positions()
    with pytest.raises(InputError, match=message):
        fit_ridge(torch.as_tensor(X), Y, group_folds(GROUPS, folds=3, seed=0), alphas)
