import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from trifeature.errors import InputError
from trifeature.probes import logistic
from trifeature.probes.folds import Folds, combination_folds
from trifeature.probes.logistic import (
    LogisticProbe,
    ProbeData,
    ProbeResult,
    fit_many,
    fit_official,
    fit_probes,
    linear_probe,
    official_probe,
    score_probes,
)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Pairs = tuple[IntArray, IntArray, dict[str, IntArray], IntArray]
"""Textures and colors of two images, the labels of each task, and the images' combinations."""
Sets = tuple[Pairs, Pairs, Folds]


def problem(
    classes: int, samples: int = 300, features: int = 8, seed: int = 0
) -> tuple[FloatArray, IntArray]:
    """Correlated features of different scales and labels that they predict only partly."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(samples, features)) @ rng.normal(size=(features, features))
    X = X * np.logspace(-1, 1, features) + rng.normal(size=features)
    scores = StandardScaler().fit_transform(X) @ rng.normal(size=(features, classes))
    return X, (scores + 2 * rng.gumbel(size=scores.shape)).argmax(axis=1)


def oracle(cost: float, *, balanced: bool = False) -> LogisticRegression:
    weight = "balanced" if balanced else None
    return LogisticRegression(C=cost, class_weight=weight, tol=1e-9, max_iter=20000)


def one_hot(*columns: IntArray, values: int) -> FloatArray:
    return np.concatenate([np.eye(values)[column] for column in columns], axis=1)


def pairs(count: int, seed: int, values: int = 5) -> Pairs:
    textures, colors = np.random.default_rng(seed).integers(values, size=(2, count, 2))
    match = (textures[:, 0] == colors[:, 1]).astype(np.int64)
    labels = {"unique1": textures[:, 0], "unique2": textures[:, 1], "synergy": match}
    return textures, colors, labels, textures * values + colors


# ------------------------------------------------------------------ agreement with scikit-learn


@pytest.mark.parametrize("cost", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_standardised_fit_agrees_with_the_pipeline(
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


def objective(
    weights: FloatArray, biases: FloatArray, features: FloatArray, y: IntArray, cost: float
) -> float:
    logits = torch.as_tensor(features @ weights.T + biases)
    return cost * float(
        torch.nn.functional.cross_entropy(logits, torch.as_tensor(y), reduction="sum")
    ) + 0.5 * float((weights**2).sum())


@pytest.mark.parametrize("cost", [1e-3, 1.0, 1e3])
def test_objective_is_as_low_as_scikit_learns(cost: float) -> None:
    X, y = problem(4, seed=11)
    reference = oracle(cost).fit(X, y)
    probe = LogisticProbe(cost, standardize=False).fit(X, y)
    best = objective(reference.coef_, reference.intercept_, X, y, cost)
    assert objective(probe.coef_, probe.intercept_, X, y, cost) <= best * (1 + 1e-6)


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


def test_estimator_keeps_arbitrary_labels() -> None:
    X, y = problem(3)
    probe = LogisticProbe(balanced=True).fit(X, 10 * y + 5)
    assert probe.classes_.tolist() == [5, 15, 25]
    assert set(probe.predict(X).tolist()) == {5, 15, 25}
    np.testing.assert_allclose(np.exp(probe.predict_log_proba(X)).sum(axis=1), 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": np.zeros((4, 2, 1))}, "samples, features"),
        ({"features": np.full((4, 2), np.nan)}, "finite"),
        ({"features": np.zeros((5, 2))}, "5 samples"),
        ({"labels": [[0, 0, 0, 0]]}, "two classes"),
        ({"labels": [[0, -1, 0, 1]]}, "integers from 0"),
        ({"costs": [0.0]}, "cost must be positive"),
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


# ------------------------------------------------------------------ probes with known answers


@pytest.fixture(scope="module")
def sets() -> Sets:
    train, test = pairs(3000, seed=0), pairs(1000, seed=1)
    return train, test, combination_folds(train[3], folds=3, seed=0)


def probe_codes(
    sets: Sets,
    encode: Callable[[IntArray, IntArray], FloatArray],
    costs: Sequence[float] = (1e-2, 1.0, 100.0),
) -> dict[str, ProbeResult]:
    train, test, folds = sets
    data = [ProbeData(encode(part[0], part[1]), part[2]) for part in (train, test)]
    return linear_probe(data[0], data[1], folds, costs=costs)


def test_ideal_codes_score_100_percent(sets: Sets) -> None:
    def encode(textures: IntArray, colors: IntArray) -> FloatArray:
        product = textures[:, 0] * 5 + colors[:, 1]
        both = one_hot(textures[:, 0], textures[:, 1], values=5)
        return np.concatenate([both, one_hot(product, values=25)], axis=1)

    results = probe_codes(sets, encode)
    assert {task: result.macro_accuracy for task, result in results.items()} == {
        "unique1": 1.0,
        "unique2": 1.0,
        "synergy": 1.0,
    }
    assert results["synergy"].roc_auc == 1.0
    assert results["unique1"].roc_auc is None
    assert all(result.cross_entropy < 0.05 for result in results.values())


def test_constants_score_chance(sets: Sets) -> None:
    results = probe_codes(sets, lambda textures, _: np.ones((len(textures), 3)))
    assert [result.macro_accuracy for result in results.values()] == [0.2, 0.2, 0.5]
    assert results["synergy"].roc_auc == 0.5
    assert results["unique1"].cross_entropy == pytest.approx(math.log2(5), abs=0.01)


def test_one_hot_texture_and_color_cannot_read_the_match(sets: Sets) -> None:
    results = probe_codes(
        sets, lambda textures, colors: one_hot(textures[:, 0], colors[:, 1], values=5)
    )
    assert results["synergy"].macro_accuracy == 0.5
    assert results["synergy"].confusion[:, 1].tolist() == [0, 0]
    assert results["unique1"].macro_accuracy == 1.0


def test_binary_tasks_get_a_balanced_probe_that_finds_more_of_the_rare_class() -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(20, size=(3000, 2))
    data = []
    for _ in range(2):
        match = (rng.random(3000) < 0.1).astype(int)
        data.append(ProbeData(rng.normal(size=(3000, 1)) + 2 * match[:, None], {"s": match}))
    result = linear_probe(data[0], data[1], combination_folds(ids, folds=3, seed=0))["s"]
    assert result.balanced is not None
    # A match score with d' = 2 and a tenth of positives, worked out for the unit normal.
    assert result.macro_accuracy == pytest.approx(0.72, abs=0.03)
    assert result.balanced.macro_accuracy == pytest.approx(0.841, abs=0.03)
    assert result.roc_auc == pytest.approx(0.921, abs=0.02)


# ------------------------------------------------------------------ nothing leaks


def test_each_fold_is_prepared_and_fitted_on_its_own_pairs_only(
    sets: Sets, monkeypatch: pytest.MonkeyPatch
) -> None:
    (textures, colors, labels, _), _, folds = sets
    features = one_hot(textures[:, 0], colors[:, 1], values=5)
    seen = []
    prepare = logistic._Design.of

    def spy(points: torch.Tensor, standardize: bool) -> logistic._Design:
        seen.append(points.numpy())
        return prepare(points, standardize)

    monkeypatch.setattr(logistic._Design, "of", spy)
    fit_probes(ProbeData(features, labels), folds, costs=[1.0])
    assert len(seen) == 4
    for points, mask in zip(seen, [*folds.fit, np.ones(3000, dtype=np.bool_)], strict=True):
        np.testing.assert_array_equal(points, features[mask])


def test_held_out_scores_equal_a_loop_over_folds_costs_and_tasks(sets: Sets) -> None:
    (textures, _, labels, _), _, folds = sets
    rng = np.random.default_rng(0)
    features = one_hot(textures[:, 0], values=5) + rng.normal(size=(3000, 5))
    probe = fit_probes(ProbeData(features, labels), folds, costs=[1e-3, 1.0])["unique1"]
    for cost, accuracy in probe.held_out.items():
        recalls = []
        for fit, validate in zip(folds.fit, folds.validate, strict=True):
            pipeline = make_pipeline(StandardScaler(), oracle(cost))
            pipeline.fit(features[fit], labels["unique1"][fit])
            truth = labels["unique1"][validate]
            right = pipeline.predict(features[validate]) == truth
            recalls.append(np.mean([right[truth == c].mean() for c in np.unique(truth)]))
        assert accuracy == pytest.approx(np.mean(recalls), abs=2e-3)


def test_labels_memorised_by_combination_are_worth_chance_when_combinations_are_held_out() -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(40, size=(2000, 2))
    labels = {"t": rng.integers(2, size=40)[ids[:, 0]]}
    data = ProbeData(one_hot(ids[:, 0], values=40), labels)
    probe = fit_probes(data, combination_folds(ids, folds=4, seed=0))["t"]
    assert max(probe.held_out.values()) < 0.65
    random = rng.integers(4, size=2000) == np.arange(4)[:, None]
    leaky = fit_probes(data, Folds(fit=~random, validate=random))["t"]
    assert max(leaky.held_out.values()) == 1.0


def test_a_fold_whose_fitted_pairs_hold_one_class_only_is_survived() -> None:
    X, y = problem(2, samples=40)
    fit = np.stack([y == 0, np.arange(40) < 20])
    probe = fit_probes(ProbeData(X, {"t": y}), Folds(fit=fit, validate=~fit))["t"]
    assert all(0 <= accuracy <= 1 for accuracy in probe.held_out.values())
    assert bool(probe.model.weights.isfinite().all())


def test_ties_go_to_fewer_bits_and_then_to_the_lower_cost() -> None:
    assert logistic._best(np.array([0.5, 0.7, 0.7]), np.array([0.1, 0.9, 0.8])) == 2
    assert logistic._best(np.array([0.7, 0.7, 0.5]), np.array([0.8, 0.8, 0.1])) == 0


def test_test_labels_beyond_the_fitted_classes_and_missing_tasks_are_refused(sets: Sets) -> None:
    (textures, _, labels, _), _, folds = sets
    features = one_hot(textures[:, 0], values=5)
    probes = fit_probes(ProbeData(features, {"t": labels["unique1"]}), folds, costs=[1.0])
    with pytest.raises(InputError, match="test label 5"):
        score_probes(probes, ProbeData(features[:1], {"t": [5]}))
    with pytest.raises(InputError, match="probes of"):
        score_probes(probes, ProbeData(features[:1], {"u": [0]}))
    with pytest.raises(InputError, match="fitted on 5 features"):
        score_probes(probes, ProbeData(features[:1, :3], {"t": [0]}))
    with pytest.raises(InputError, match="folds over 3000 pairs"):
        fit_probes(ProbeData(features[:9], {"t": labels["unique1"][:9]}), folds)
    with pytest.raises(InputError, match="no cost"):
        fit_probes(ProbeData(features, labels), folds, costs=[])


@pytest.mark.parametrize(
    ("labels", "message"),
    [({}, "no task"), ({"t": [0]}, "shape"), ({"t": [0.5, 1.0]}, "integers")],
)
def test_bad_probe_data_are_refused(labels: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ProbeData(np.eye(2), labels)


# ------------------------------------------------------------------ the published probe


def test_official_objective_reaches_the_minimum_of_a_general_optimiser() -> None:
    X, y = problem(3, samples=200, features=4)
    X = StandardScaler().fit_transform(X)
    design = logistic._Design.of(torch.as_tensor(X), standardize=False)
    cost = 20.0
    stop = logistic._Stop(1e-9, 500)
    models = logistic._fit([design], [logistic._problem(y, cost)], stop, squared=False)

    def published(flat: FloatArray) -> float:
        weights, biases = flat[:12].reshape(3, 4), flat[12:]
        data = objective(weights, biases, X, y, 1.0) - 0.5 * float((weights**2).sum())
        return data / len(y) + 0.5 / cost * math.sqrt(float((weights**2).sum()))

    start = np.r_[np.full(12, 0.1), np.zeros(3)]
    reference = minimize(published, start, method="BFGS", options={"gtol": 1e-6})
    found = np.r_[models.weights[0].numpy().ravel(), models.biases[0].numpy()]
    assert published(found) == pytest.approx(reference.fun, abs=1e-5)


def test_official_probe_reads_ideal_codes_and_not_constants(sets: Sets) -> None:
    train, test, _ = sets
    ideal = [
        ProbeData(one_hot(p[0][:, 0], values=5), {"t": p[2]["unique1"]}) for p in (train, test)
    ]
    assert official_probe(ideal[0], ideal[1])["t"].macro_accuracy == 1.0
    constant = [ProbeData(np.ones((len(p[0]), 2)), p[2]) for p in (train, test)]
    results = official_probe(constant[0], constant[1])
    assert [result.macro_accuracy for result in results.values()] == [0.2, 0.2, 0.5]


def test_official_search_tries_seven_coarse_costs_then_closes_in() -> None:
    X, y = problem(3, samples=400)
    probe = fit_official(ProbeData(X, {"t": y}))["t"]
    tried = sorted(probe.held_out)
    assert {1e-6, 1e-4, 1e-2, 1.0, 1e2, 1e4, 1e6} <= set(tried)
    assert probe.held_out[probe.cost] == max(probe.held_out.values())
    assert len(tried) < 7 + 15
    with pytest.raises(InputError, match="too few to split"):
        fit_official(ProbeData(X[:3], {"t": [0, 0, 1]}))
