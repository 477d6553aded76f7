import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pretended_gpu import pretended_gpu
from probe_problems import FloatArray, IntArray, Sets, known_sets, one_hot, oracle, problem
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from trifeature.errors import InputError
from trifeature.probes import protocol
from trifeature.probes.folds import Folds, best_of, group_folds
from trifeature.probes.logistic import Design, LinearModels
from trifeature.probes.protocol import (
    FittedProbe,
    Labeled,
    fit_logistic_probes,
    probe_features,
    score_probes,
)
from trifeature.probes.reading import ProbeResult


def labeled(features: FloatArray, labels: Mapping[str, IntArray]) -> Labeled:
    classes = {task: int(values.max()) + 1 for task, values in labels.items()}
    return Labeled(torch.as_tensor(features), labels, classes)


def fitted(
    features: FloatArray, labels: IntArray, folds: Folds, costs: Sequence[float]
) -> FittedProbe:
    return fit_logistic_probes(labeled(features, {"t": labels}), folds, costs)["t"]


@pytest.fixture
def sets() -> Sets:
    return known_sets()


# ------------------------------------------------------------------ features on a GPU


def read_on(device: str, probing: str) -> dict[str, Any]:
    """A row of three classes and of two, of features on a device."""
    X, y = problem(3, samples=400)
    labels = {"three": y, "first": (y == 0).astype(int)}
    halves = [(torch.as_tensor(X[k::2]), {t: v[k::2] for t, v in labels.items()}) for k in (0, 1)]
    (a, known), (b, asked) = halves
    return probe_features(a.to(device), known, b.to(device), asked, probing=probing).row()


def test_features_on_a_gpu_are_probed_there() -> None:
    with pretended_gpu() as gpu:
        there = read_on("cuda", "ours")
    assert there == read_on("cpu", "ours")
    # What comes back is a table of predictions for each fold of each task, and the final ones.
    assert sum(wait.why == "download" for wait in gpu.waits) <= 3 + 3 + 3


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("probing", ["ours", "authors"])
def test_a_gpu_reads_what_the_cpu_reads(probing: str) -> None:
    there, here = read_on("cuda", probing), read_on("cpu", probing)
    for column in ("three", "first", "first_auc"):
        assert there[column] == pytest.approx(here[column], abs=0.02)


# ------------------------------------------------------------------ probes with known answers


def probe_codes(
    sets: Sets,
    encode: Callable[[IntArray, IntArray], FloatArray],
    costs: Sequence[float] = (1e-2, 1.0, 100.0),
) -> dict[str, ProbeResult]:
    train, test, _ = sets
    data = [(encode(part[0], part[1]), part[2]) for part in (train, test)]
    reading = probe_features(*data[0], *data[1], groups=train[3], costs=costs)
    assert reading.folds == "groups"
    return dict(reading.results)


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
        data.append((rng.normal(size=(3000, 1)) + 2 * match[:, None], match))
    reading = probe_features(*data[0], *data[1], groups=ids)
    result = reading.results["label"]
    assert result.balanced is not None
    # A match score with d' = 2 and a tenth of positives, worked out for the unit normal.
    assert result.macro_accuracy == pytest.approx(0.72, abs=0.03)
    assert result.balanced.macro_accuracy == pytest.approx(0.841, abs=0.03)
    assert result.roc_auc == pytest.approx(0.921, abs=0.02)
    row = reading.row()
    assert (row["label_auc"], row["label_balanced"]) == (
        result.roc_auc,
        result.balanced.macro_accuracy,
    )


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
    fit_logistic_probes(labeled(features, labels), folds, [1.0])
    assert len(seen) == 4
    for points, mask in zip(seen, [*folds.fit, np.ones(3000, dtype=np.bool_)], strict=True):
        np.testing.assert_array_equal(points, features[mask])


def test_held_out_scores_equal_a_loop_over_folds_costs_and_tasks(sets: Sets) -> None:
    (textures, _, labels, _), _, folds = sets
    rng = np.random.default_rng(0)
    features = one_hot(textures[:, 0], values=5) + rng.normal(size=(3000, 5))
    probe = fitted(features, labels["unique1"], folds, [1e-3, 1.0])
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
    data = one_hot(ids[:, 0], values=40), rng.integers(2, size=40)[ids[:, 0]]
    costs = [10.0**exponent for exponent in range(-4, 5)]
    probe = fitted(*data, group_folds(ids, folds=4, seed=0), costs)
    assert max(probe.held_out.values()) < 0.65
    random = rng.integers(4, size=2000) == np.arange(4)[:, None]
    leaky = fitted(*data, Folds(fit=~random, validate=random), costs)
    assert max(leaky.held_out.values()) == 1.0


def test_a_fold_whose_fitted_pairs_hold_one_class_only_is_survived() -> None:
    X, y = problem(2, samples=40)
    mask = np.stack([y == 0, np.arange(40) < 20])
    probe = fitted(X, y, Folds(fit=mask, validate=~mask), protocol.COSTS)
    assert all(0 <= accuracy <= 1 for accuracy in probe.held_out.values())
    assert isinstance(probe.model, LinearModels)
    assert bool(probe.model.weights.isfinite().all())


def test_ties_go_to_fewer_bits_and_then_to_the_lower_cost() -> None:
    assert best_of(np.array([0.5, 0.7, 0.7]), np.array([0.1, 0.9, 0.8])) == 2
    assert best_of(np.array([0.7, 0.7, 0.5]), np.array([0.8, 0.8, 0.1])) == 0


# ------------------------------------------------------------------ features of one's own


def test_labels_of_any_type_are_read_and_named() -> None:
    X, y = problem(3, samples=400)
    words = np.array(["bird", "cat", "dog"])[y]
    groups = np.arange(400) % 20
    by_number = probe_features(X[:300], y[:300], X[300:], y[300:], groups[:300])
    by_word = probe_features(
        pd.DataFrame(X[:300]),
        {"animal": pd.Series(words[:300])},
        torch.as_tensor(X[300:]),
        {"animal": words[300:].tolist()},
        pd.Series(groups[:300]),
    )
    assert by_word.tasks["animal"].names == ("bird", "cat", "dog")
    assert by_word.row() == {
        key.replace("label", "animal"): (
            {"animal": value["label"]} if isinstance(value, dict) else value
        )
        for key, value in by_number.row().items()
    }


def test_without_groups_folds_are_of_samples_and_the_row_says_so() -> None:
    X, y = problem(2, samples=300)
    reading = probe_features(X[:200], y[:200], X[200:], y[200:])
    assert reading.folds == reading.row()["folds"] == "samples"
    grouped = probe_features(X[:200], y[:200], X[200:], y[200:], groups=np.arange(200))
    assert grouped.folds == "groups"
    assert "folds" not in grouped.row()


def test_groups_decide_the_cost() -> None:
    rng = np.random.default_rng(0)
    person = rng.integers(40, size=2000)
    X, y = one_hot(person, values=40), rng.integers(2, size=40)[person]
    apart, leaky = (
        probe_features(X, y, X, y, groups).results["label"] for groups in (person, None)
    )
    assert apart.held_out_accuracy < 0.65
    assert leaky.held_out_accuracy == 1.0


def test_a_class_that_was_never_fitted_gets_no_probability(sets: Sets) -> None:
    (textures, _, labels, _), _, folds = sets
    X, y = one_hot(textures[:, 0], values=5), labels["unique1"]
    kept = np.where(y == 2, 3, y)
    probes = fit_logistic_probes(Labeled(torch.as_tensor(X), {"t": kept}, {"t": 5}), folds, [1.0])
    found = score_probes(probes, Labeled(torch.as_tensor(X), {"t": y}, {"t": 5}))["t"]
    assert found.cross_entropy == math.inf
    assert found.confusion[2].tolist() == [0, 0, 0, int((y == 2).sum()), 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_labels": [0, 2]}, "task 'label': no sample to fit on has the test label 2"),
        ({"test_labels": {"other": [0, 1]}}, "the tasks to fit on and to score must be the same"),
        ({"train_labels": {}, "test_labels": {}}, "must be the same"),
        ({"test_features": np.eye(3)[:2]}, "4 train features, but 3 test features"),
        ({"test_labels": [0]}, "task 'label': 1 labels for 2 samples"),
        ({"train_labels": [0, 1, 0, None]}, "task 'label': labels lack a value"),
        ({"train_labels": [0, 0, 0, 0], "test_labels": [0, 0]}, "two classes"),
        ({"train_features": np.full((4, 4), np.nan)}, "not finite"),
        ({"groups": [0, 1, 2]}, "groups of 3 samples, but 4 to fit on"),
        ({"groups": [0, 0, 0, 0]}, "from 2 to the 1 groups"),
        ({"groups": [0.5, 1, 2, 3]}, "groups must be integers or strings"),
        ({"costs": []}, "no cost"),
        ({"costs": [0.0]}, "cost must be above 0"),
        ({"folds": 5}, "folds must be from 2 to the 4 samples"),
        ({"probing": "mine"}, "unknown probing 'mine'"),
    ],
)
def test_what_cannot_be_probed_is_refused_in_one_line(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "train_features": np.eye(4),
        "train_labels": [0, 1, 0, 1],
        "test_features": np.eye(4)[:2],
        "test_labels": [0, 1],
        "folds": 2,
    }
    with pytest.raises(InputError, match=message) as caught:
        probe_features(**arguments | change)
    assert "\n" not in str(caught.value)
