import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from probe_problems import FloatArray, IntArray, Sets, known_sets, one_hot, oracle, problem
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from trifeature.errors import InputError
from trifeature.probes import linear
from trifeature.probes.folds import Folds, combination_folds
from trifeature.probes.linear import (
    ProbeData,
    ProbeResult,
    fit_probes,
    linear_probe,
    score_probes,
)
from trifeature.probes.logistic import Design


@pytest.fixture
def sets() -> Sets:
    return known_sets()


# ------------------------------------------------------------------ probes with known answers


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
    prepare = Design.of

    def spy(points: torch.Tensor, standardize: bool) -> Design:
        seen.append(points.numpy())
        return prepare(points, standardize)

    monkeypatch.setattr(Design, "of", spy)
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


def test_labels_memorized_by_combination_are_worth_chance_when_combinations_are_held_out() -> None:
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
    assert linear._best(np.array([0.5, 0.7, 0.7]), np.array([0.1, 0.9, 0.8])) == 2
    assert linear._best(np.array([0.7, 0.7, 0.5]), np.array([0.8, 0.8, 0.1])) == 0


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
