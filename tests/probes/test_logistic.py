import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch
from probe_problems import IntArray, objective, oracle, problem
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from trifeature.errors import InputError
from trifeature.probes.inputs import as_features
from trifeature.probes.logistic import LogisticProbe, fit_many

# ------------------------------------------------------------------ agreement with scikit-learn


@pytest.mark.parametrize("cost", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_standardized_fit_agrees_with_the_pipeline(
    classes: int, balanced: bool, cost: float
) -> None:
    X, y = problem(classes, seed=classes)
    pipeline = make_pipeline(StandardScaler(), oracle(cost, balanced=balanced)).fit(X, y)
    models = fit_many(X, y[None], [cost], balanced=[balanced], tolerance=1e-9)
    found = models.log_probabilities(X)[0].exp().numpy()
    np.testing.assert_allclose(found, pipeline.predict_proba(X), atol=2e-5)
    np.testing.assert_array_equal(found.argmax(axis=1), pipeline.predict(X))


@pytest.mark.parametrize("classes", [2, 4])
def test_coefficients_agree_on_raw_features_with_sample_weights(classes: int) -> None:
    X, y = problem(classes, seed=7)
    w = np.random.default_rng(1).integers(0, 4, size=len(y)).astype(float)
    reference = oracle(0.3).fit(X, y, sample_weight=w)
    models = fit_many(X, y[None], [0.3], sample_weights=w[None], standardize=False, tolerance=1e-10)
    weights = models.weights[0].numpy()
    if classes == 2:
        weights = weights[1:] - weights[:1]
    np.testing.assert_allclose(weights, reference.coef_, atol=1e-4)


@pytest.mark.parametrize("cost", [1e-3, 1.0, 1e3])
def test_objective_is_as_low_as_scikit_learns(cost: float) -> None:
    X, y = problem(4, seed=11)
    reference = oracle(cost).fit(X, y)
    probe = LogisticProbe(cost, standardize=False).fit(X, y)
    best = objective(reference.coef_, reference.intercept_, X, y, cost)
    assert objective(probe.coef_, probe.intercept_, X, y, cost) <= best * (1 + 1e-6)


def test_more_features_than_samples_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    x, new = rng.normal(size=(30, 90)), rng.normal(size=(20, 90))
    x[:, 3] = new[:, 3] = 1.0  # the same for every sample
    y = rng.integers(3, size=30)
    ours = fit_many(x, y[None], [0.5], tolerance=1e-10).log_probabilities(new)[0].exp().numpy()
    theirs = make_pipeline(StandardScaler(), oracle(0.5)).fit(x, y).predict_proba(new)
    np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_float32_predicts_what_scikit_learn_predicts() -> None:
    X, y = problem(5, samples=1000, seed=5)
    reference = make_pipeline(StandardScaler(), oracle(1.0)).fit(X, y)
    probe = LogisticProbe(1.0).fit(X.astype(np.float32), y)
    found = np.exp(probe.predict_log_proba(X.astype(np.float32)))
    np.testing.assert_allclose(found, reference.predict_proba(X), atol=2e-3)
    assert np.mean(probe.predict(X) == reference.predict(X)) >= 0.998


# ------------------------------------------------------------------ the batch


def test_a_batch_equals_its_problems_one_at_a_time() -> None:
    X, five = problem(5)
    labels = np.stack([five, five % 2, five % 3, five, five])
    costs = [1.0, 10.0, 0.1, 1e3, 1e-3]
    masks = np.ones(labels.shape)
    masks[3, ::3] = 0
    balanced = [False, True, False, False, True]
    together = fit_many(
        X, labels, costs, sample_weights=masks, balanced=balanced, tolerance=1e-9
    ).log_probabilities(X)
    for b in range(len(costs)):
        alone = fit_many(
            X,
            labels[b : b + 1],
            costs[b : b + 1],
            sample_weights=masks[b : b + 1],
            balanced=balanced[b : b + 1],
            tolerance=1e-9,
        )
        C = labels[b].max() + 1
        one = alone.log_probabilities(X)[0]
        torch.testing.assert_close(together[b, :, :C], one, atol=1e-4, rtol=1e-4)
        assert bool((together[b, :, C:] == -math.inf).all())


def test_a_weight_of_zero_leaves_a_sample_out() -> None:
    X, y = problem(3)
    keep = np.arange(len(y)) % 3 != 0
    masked = fit_many(
        X, y[None], [1.0], sample_weights=keep[None], standardize=False, tolerance=1e-10
    )
    alone = fit_many(X[keep], y[keep][None], [1.0], standardize=False, tolerance=1e-10)
    torch.testing.assert_close(masked.weights, alone.weights, atol=1e-6, rtol=1e-5)


def test_a_class_without_samples_gets_probability_zero() -> None:
    X, y = problem(3)
    y = np.where(y == 1, 2, y)
    log_probabilities = fit_many(X, y[None], [1.0]).log_probabilities(X)[0]
    assert bool((log_probabilities[:, 1] == -math.inf).all())
    assert bool(log_probabilities[:, [0, 2]].isfinite().all())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_separable_data_and_constant_features_stay_finite(dtype: type[np.floating[Any]]) -> None:
    X = np.repeat([[-1.0, 3e4], [1.0, 3e4]], 20, axis=0).astype(dtype)
    y = np.repeat([0, 1], 20)
    models = fit_many(X, np.stack([y] * 3), [1.0, 1e4, 1e8])
    assert bool(models.weights.isfinite().all())
    assert bool(models.biases.isfinite().all())
    assert bool((models.weights[:, :, 1] == 0).all())
    assert bool((models.gradients <= 1e-5).all())
    assert bool((models.log_probabilities(X).argmax(dim=2) == torch.as_tensor(y)).all())


# ------------------------------------------------------------------ scikit-learn's contract


def words(codes: IntArray) -> npt.NDArray[np.str_]:
    names: npt.NDArray[np.str_] = np.array(["bird", "cat", "dog"])[codes]
    return names


def test_estimator_keeps_labels_of_any_type() -> None:
    X, y = problem(3)
    probe = LogisticProbe(balanced=True).fit(X, 10 * y + 5)
    assert probe.classes_.tolist() == [5, 15, 25]
    assert set(probe.predict(X).tolist()) == {5, 15, 25}
    np.testing.assert_allclose(probe.predict_proba(X).sum(axis=1), 1.0)
    named = LogisticProbe(balanced=True).fit(X, words(y))
    assert named.classes_.tolist() == ["bird", "cat", "dog"]
    np.testing.assert_array_equal(named.predict(X), words(probe.predict(X) // 10))


@pytest.mark.parametrize("classes", [2, 3])
def test_scores_and_decisions_are_scikit_learns(classes: int) -> None:
    X, y = problem(classes)
    weights = np.arange(len(y)) % 3
    reference = make_pipeline(StandardScaler(), oracle(0.5)).fit(X, y)
    probe = LogisticProbe(0.5).fit(X, y)
    found = probe.decision_function(X)
    expected = reference.decision_function(X)
    if classes > 2:  # logits are determined up to a constant for each sample
        found, expected = (z - z.mean(axis=1, keepdims=True) for z in (found, expected))
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert probe.score(X, y) == reference.score(X, y)
    assert probe.score(X, y, weights) == pytest.approx(reference.score(X, y, weights))
    assert probe.n_features_in_ == X.shape[1]


def test_parameters_are_read_set_and_cloned() -> None:
    probe = LogisticProbe(2.0, balanced=True)
    assert probe.get_params() == {"cost": 2.0, "balanced": True, "standardize": True}
    assert probe.set_params(cost=3.0, standardize=False) is probe
    twin = clone(probe.fit(*problem(3)))
    assert twin.get_params() == probe.get_params()
    assert not hasattr(twin, "classes_")
    with pytest.raises(InputError, match=r"no parameter 'C' \(one of cost, balanced, standardize"):
        probe.set_params(C=1.0)


def test_it_works_inside_scikit_learns_pipeline_search_and_cross_validation() -> None:
    X, y = problem(3)
    assert is_classifier(LogisticProbe())
    own = cross_val_score(LogisticProbe(0.5), X, words(y), cv=StratifiedKFold(3))
    theirs = cross_val_score(make_pipeline(StandardScaler(), oracle(0.5)), X, words(y), cv=3)
    np.testing.assert_allclose(own, theirs)
    pipeline = Pipeline([("scale", StandardScaler()), ("probe", LogisticProbe(standardize=False))])
    search = GridSearchCV(pipeline, {"probe__cost": [1e-6, 1.0]}, cv=3).fit(X, y)
    assert search.best_params_ == {"probe__cost": 1.0}
    assert search.score(X, y) == LogisticProbe().fit(X, y).score(X, y)


@pytest.mark.parametrize("kind", ["tensor", "frame", "list", "reversed", "whole"])
def test_tensors_frames_and_lists_are_converted(kind: str) -> None:
    X, y = problem(3)
    X = X.round()
    whole = X.astype(np.int64)
    given: dict[str, tuple[Any, Any]] = {
        "tensor": (torch.as_tensor(X), torch.as_tensor(y)),
        "frame": (pd.DataFrame(X), pd.Series(y)),
        "list": (X.tolist(), y.tolist()),
        "reversed": (X[::-1], y[::-1]),
        "whole": (whole, y),
    }
    features, labels = given[kind]
    expected = LogisticProbe().fit(X, y).coef_
    np.testing.assert_allclose(LogisticProbe().fit(features, labels).coef_, expected, atol=1e-4)


def test_a_tensor_is_not_copied() -> None:
    given = torch.ones(2, 3)
    assert as_features(given).data_ptr() == given.data_ptr()


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (np.eye(2), ["a", None], "lack a value"),
        (np.eye(2), [0.0, math.nan], "lack a value"),
        (np.eye(2), np.array(["a", 1], dtype=object), "cannot be sorted"),
        (np.eye(2), [[0], [1]], "one for each sample"),
        (np.eye(2), ["a", "a"], "two classes"),
        (np.array([["a"], ["b"]]), [0, 1], "features must be numbers"),
    ],
)
def test_what_cannot_be_fitted_is_refused_in_one_line(
    features: Any, labels: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        LogisticProbe().fit(features, labels)
    assert "\n" not in str(caught.value)


def test_a_probe_that_is_not_fitted_says_so() -> None:
    with pytest.raises(InputError, match="not fitted"):
        LogisticProbe().predict(np.eye(2))


# ------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": np.zeros((4, 2, 1))}, "samples, features"),
        ({"features": np.full((4, 2), np.nan)}, "finite"),
        ({"features": np.zeros((5, 2))}, "5 samples"),
        ({"labels": [[0, 0, 0, 0]]}, "two classes"),
        ({"labels": [[0, -1, 0, 1]]}, "integers from 0"),
        ({"costs": [0.0]}, "cost must be above 0"),
        ({"costs": [1.0, 1.0]}, "2 costs"),
        ({"sample_weights": [[0, 0, 0, 0]]}, "not all 0"),
        ({"sample_weights": [[1, 1]]}, "sample_weights must be"),
        ({"balanced": [True, True]}, "balanced has 2"),
    ],
)
def test_bad_input_is_refused(change: dict[str, Any], message: str) -> None:
    arguments = {"features": np.eye(4), "labels": [[0, 1, 0, 1]], "costs": [1.0], **change}
    with pytest.raises(InputError, match=message):
        fit_many(**arguments)
