"""Many labels a sample: the regressions, F1 and choice of cost against scikit-learn and loops."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from probe_problems import FloatArray, IntArray, oracle
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from trifeature.errors import InputError
from trifeature.probes.authors import COARSE, authors_fold, fit_authors_labels, fit_scikit
from trifeature.probes.folds import group_folds
from trifeature.probes.many_labels import (
    LabelsResult,
    Sharing,
    fit_labels,
    score_labels,
)
from trifeature.probes.metrics import average_precision, f1_scores
from trifeature.probes.protocol import probe_features

N, C = 240, 3
GROUPS = np.arange(N) % 24


def genres(seed: int = 0, samples: int = N) -> tuple[FloatArray, IntArray]:
    """Features of different scales, and labels that they tell in part: common, rare, rarer."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(samples, 5)) * np.logspace(-1, 1, 5) + 1
    scores = X / np.logspace(-1, 1, 5) @ np.random.default_rng(9).normal(size=(5, C))
    scores += rng.normal(size=scores.shape)
    return X, (scores > np.quantile(scores, [0.5, 0.8, 0.9], axis=0).diagonal()).astype(int)


@pytest.fixture
def both() -> tuple[tuple[FloatArray, IntArray], tuple[FloatArray, IntArray]]:
    return genres(0), genres(1)


def of_scikit(cost: float, balanced: bool) -> Any:
    return make_pipeline(StandardScaler(), oracle(cost, balanced=balanced))


def test_each_label_is_scikits_regression_balanced_and_plain(both: Any) -> None:
    (X, Y), (X_test, Y_test) = both
    found = probe_features(X, Y, X_test, Y_test, GROUPS, costs=[0.1]).results["label"]
    assert isinstance(found, LabelsResult)
    assert found.plain is not None
    assert found.likely is not None
    for result, balanced in ((found, True), (found.plain, False)):
        models = [of_scikit(0.1, balanced).fit(X, y) for y in Y.T]
        odds = np.stack([m.decision_function(X_test) for m in models], axis=1)
        np.testing.assert_allclose(result.log_odds, odds, atol=2e-3)
        told = (odds > 0).astype(int)
        assert result.macro_f1 == pytest.approx(f1_score(Y_test, told, average="macro"))
        assert result.weighted_f1 == pytest.approx(f1_score(Y_test, told, average="weighted"))
        np.testing.assert_allclose(result.f1, f1_score(Y_test, told, average=None))
        precision = average_precision_score(Y_test, odds, average="macro")
        assert result.mean_average_precision == pytest.approx(precision, abs=1e-3)
        likely = np.stack([m.predict_proba(X_test) for m in models], axis=1)
        right = np.take_along_axis(likely, Y_test[:, :, None], axis=2)[:, :, 0]
        np.testing.assert_allclose(result.cross_entropies, -np.log2(right).mean(0), atol=2e-3)
    assert found.bits == found.likely.cross_entropies.sum()
    assert found.macro_f1 > found.plain.macro_f1  # at ½ a plain probe hardly tells rare labels
    everything = np.ones_like(Y_test)
    np.testing.assert_allclose(found.always, f1_score(Y_test, everything, average=None))


@pytest.mark.parametrize("sharing", ["shared", "own"])
def test_the_cost_is_chosen_by_f1_of_all_held_out_samples(sharing: Sharing) -> None:
    X, Y = genres()
    costs, folds = [1e-3, 1.0], group_folds(GROUPS, folds=3, seed=0)
    scores = np.zeros((2, len(costs), C))
    for v, balanced in enumerate((True, False)):
        for k, cost in enumerate(costs):
            told, truth = [], []
            for fit, validate in zip(folds.fit, folds.validate, strict=True):
                models = [of_scikit(cost, balanced).fit(X[fit], y) for y in Y[fit].T]
                told.append(np.stack([m.predict(X[validate]) for m in models], axis=1))
                truth.append(Y[validate])
            scores[v, k] = f1_score(np.concatenate(truth), np.concatenate(told), average=None)
    probe = fit_labels(torch.as_tensor(X), Y, folds, costs, sharing)
    assert probe.plain is not None
    assert probe.likely is not None
    for found, own in zip((probe, probe.plain), scores, strict=True):
        if sharing == "shared":
            assert len(set(found.costs)) == 1
            assert found.held_out_f1 == pytest.approx(own.mean(1).max(), abs=0.01)
        else:
            assert found.held_out_f1 == pytest.approx(own.max(0).mean(), abs=0.01)
        chosen = [own[costs.index(cost), c] for c, cost in enumerate(found.costs)]
        assert np.mean(chosen) == pytest.approx(found.held_out_f1, abs=0.01)


@pytest.mark.parametrize("sharing", ["shared", "own"])
def test_the_cost_of_the_bits_is_chosen_by_held_out_cross_entropy(sharing: Sharing) -> None:
    X, Y = genres()
    costs, folds = [1e-3, 1.0], group_folds(GROUPS, folds=3, seed=0)
    lost = np.zeros((len(costs), C))
    for k, cost in enumerate(costs):
        for fit, validate in zip(folds.fit, folds.validate, strict=True):
            for c, y in enumerate(Y.T):
                likely = of_scikit(cost, False).fit(X[fit], y[fit]).predict_proba(X[validate])
                lost[k, c] -= np.log2(likely[np.arange(len(likely)), y[validate]]).sum()
    probe = fit_labels(torch.as_tensor(X), Y, folds, costs, sharing)
    best = lost.argmin(0) if sharing == "own" else [lost.sum(1).argmin()] * C
    assert probe.likely is not None
    assert probe.likely.costs == tuple(costs[k] for k in best)


def test_higher_costs_are_not_tried_once_two_in_a_row_did_no_better(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[float] = []

    def held_out(_: Any, cost: float, balanced: bool) -> tuple[FloatArray, FloatArray]:
        tried.append(cost)
        f1 = {1.0: 0.4, 2.0: 0.5, 3.0: 0.3, 4.0: 0.45, 5.0: 0.9}[cost]
        bits = 1 / cost if balanced or cost < 4 else 2.0
        return np.full(C, f1), np.full(C, bits)

    monkeypatch.setattr("trifeature.probes.many_labels._Search._held_out", held_out)
    X, Y = genres()
    folds = group_folds(GROUPS, folds=3, seed=0)
    found = fit_labels(torch.as_tensor(X), Y, folds, [5.0, 1.0, 2.0, 3.0, 4.0])
    # The balanced one stops by F1; bits of the plain one still improve at 3, so it tries 5 too.
    assert tried == [1, 2, 3, 4, 1, 2, 3, 4, 5]
    assert found.plain is not None
    assert found.likely is not None
    assert (found.costs[0], found.plain.costs[0], found.likely.costs[0]) == (2, 5, 3)


def test_average_precision_and_f1_are_scikits_also_with_ties() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        labels, scores = rng.integers(2, size=30), rng.integers(6, size=30)
        labels[0] = 1
        expected = average_precision_score(labels, scores)
        assert average_precision(labels=labels, scores=scores) == pytest.approx(expected)
    assert math.isnan(average_precision(labels=[0, 0], scores=[0.1, 0.2]))
    truth, told = rng.integers(2, size=(2, 50, 4))
    np.testing.assert_allclose(
        f1_scores(labels=truth, predictions=told), f1_score(truth, told, average=None)
    )
    for wrong, message in (([[0, 2]], "0 or 1"), ([0, 1], "integers"), ([[0, 1, 1]], "but pred")):
        with pytest.raises(InputError, match=message):
            f1_scores(labels=wrong, predictions=[[0, 1]])


def test_a_label_that_all_or_no_fitted_samples_have_is_told_always_or_never(both: Any) -> None:
    (X, Y), (X_test, Y_test) = both
    fitted = np.column_stack([Y[:, 0], np.zeros(N, int), np.ones(N, int), Y[:, 1]])
    scored = np.column_stack([Y_test[:, 0], np.arange(N) % 2, np.arange(N) % 2, np.zeros(N, int)])
    reading = probe_features(X, fitted, X_test, scored, GROUPS, costs=[1.0])
    found = reading.results["label"]
    assert (found.log_odds[:, 1] == -np.inf).all()
    assert (found.log_odds[:, 2] == np.inf).all()
    assert found.f1[1:3] == pytest.approx([0, 2 / 3])
    assert found.likely.cross_entropies[1] == math.inf
    assert np.isnan(found.f1[3])  # no test sample has it
    assert found.macro_f1 == np.mean(found.f1[:3])
    row = reading.row()
    assert row["bits"]["label"] is None
    assert row["parts"]["label"]["f1"][3] is None
    json.dumps(row, allow_nan=False)


def test_a_label_nobody_has_in_a_fold_and_labels_of_no_test_sample_are_survived() -> None:
    X, Y = genres()
    Y[:, 2] = GROUPS == 0  # one group, so it is held out in one fold and fitted in two
    reading = probe_features(X, Y, X, np.zeros_like(Y), GROUPS, costs=[1.0], label_costs="own")
    assert math.isnan(reading.results["label"].macro_f1)
    assert reading.row()["label_weighted_f1"] is None
    assert reading.table()[1][2:] == ["macro F1", "nan", "nan"]


def test_a_row_names_every_number_of_many_labels(both: Any) -> None:
    (X, Y), (X_test, Y_test) = both
    reading = probe_features(
        *(X, {"genre": Y, "y": Y[:, 0]}),
        *(X_test, {"genre": Y_test, "y": Y_test[:, 0]}),
        GROUPS,
        costs=[0.1],
    )
    found, row = reading.results["genre"], reading.row()
    assert list(reading.results) == ["genre", "y"]
    assert (row["genre"], row["genre_weighted_f1"]) == (found.macro_f1, found.weighted_f1)
    assert row["genre_plain"] == found.plain.macro_f1
    assert row["genre_average_precision"] == found.mean_average_precision
    assert row["kinds"] == {"genre": "labels"}
    assert row["costs"]["genre"] == list(found.costs)
    assert set(row["confusion"]) == {"y"}
    shares = Y_test.mean(0)
    entropy = -(shares * np.log2(shares) + (1 - shares) * np.log2(1 - shares)).sum()
    assert row["information"]["genre"]["entropy"] == pytest.approx(entropy)
    assert row["information"]["genre"]["cross_entropy"] == pytest.approx(entropy - found.bits)
    assert reading.accuracies() == {"y": row["y"]}
    assert reading.tasks["genre"].names == ("0", "1", "2")
    heading, *lines = reading.table()
    assert heading == ["task", "kind", "measure", "chance", "all"]
    assert [line[2] for line in lines if line[0] == "genre"] == [
        *("macro F1", "weighted F1", "average precision")
    ]
    chance = f1_score(Y_test, np.ones_like(Y_test), average="macro")
    assert lines[0][3:] == [f"{100 * chance:.1f}", f"{100 * found.macro_f1:.1f}"]


def test_regressions_come_in_parts_that_fit_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    X, Y = genres()
    folds = group_folds(GROUPS, folds=3, seed=0)
    whole = fit_labels(torch.as_tensor(X), Y, folds, [0.1])
    monkeypatch.setattr("trifeature.probes.many_labels.BATCH", 2 * N * 4)
    parts = fit_labels(torch.as_tensor(X), Y, folds, [0.1])
    torch.testing.assert_close(parts.models.weights, whole.models.weights, rtol=1e-3, atol=1e-5)


# ------------------------------------------------------------------ the authors' protocol


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
@pytest.mark.parametrize("cost", [1e-6, 1.0, 1e6])
def test_the_authors_regression_ends_where_scikits_does_after_100_iterations(cost: float) -> None:
    X, Y = genres()
    X = X @ np.diag([1, 10, 100, 1, 1])  # scales so unequal that it stops early
    reference = LogisticRegression(C=cost, max_iter=100).fit(X, Y[:, 1])
    weights, bias = fit_scikit(X, Y[:, 1], cost)
    np.testing.assert_allclose(weights, reference.coef_[0], rtol=1e-4, atol=1e-9)
    assert bias == pytest.approx(reference.intercept_[0], rel=1e-4)
    assert fit_scikit(X, np.ones(N, int), cost)[1] == math.inf


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_the_authors_choose_one_cost_on_groups_of_their_own(both: Any) -> None:
    (X, Y), (X_test, Y_test) = both
    fold = authors_fold(N, GROUPS)
    fit, validate = fold.fit[0], fold.validate[0]
    assert not set(GROUPS[fit]) & set(GROUPS[validate])
    assert len(set(GROUPS[fit])) == round(0.6 * 24)
    probe = fit_authors_labels(torch.as_tensor(X), Y, fold)

    def told(fitted: FloatArray, labels: IntArray, points: FloatArray, cost: float) -> Any:
        models = [LogisticRegression(C=cost, max_iter=100).fit(fitted, y) for y in labels.T]
        return np.stack([m.predict(points) for m in models], axis=1)

    scores = [
        f1_score(Y[validate], told(X[fit], Y[fit], X[validate], cost), average="macro")
        for cost in COARSE
    ]
    assert probe.costs == (COARSE[int(np.argmax(scores))],) * C
    assert probe.held_out_f1 == pytest.approx(max(scores))
    expected = f1_score(Y_test, told(X, Y, X_test, probe.costs[0]), average=None)
    np.testing.assert_allclose(
        score_labels(probe, torch.as_tensor(X_test), Y_test).f1, expected, atol=1e-6
    )
    reading = probe_features(X, Y, X_test, Y_test, GROUPS, probing="authors")
    np.testing.assert_allclose(reading.results["label"].f1, expected, atol=1e-6)
    assert "label_plain" not in reading.row()


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_labels": np.ones((4, 2), int)}, "task 'label': no label is on some samples"),
        ({"train_labels": [[0, 2], [1, 0], [0, 0], [1, 1]]}, "task 'label': many labels must be"),
        ({"test_labels": [[0], [1]]}, "task 'label': 2 columns to fit on, but 1 to score"),
        ({"test_labels": [[0, 1]]}, "task 'label': 1 labels for 2 samples"),
        ({"test_labels": [0, 1]}, r"many labels must be \[samples, labels\]"),
        ({"costs": []}, "no cost"),
        ({"costs": [-1.0]}, "task 'label': a cost must be above 0"),
        ({"label_costs": "each"}, "unknown way to choose costs of labels 'each'"),
        ({"classifier": oracle(1.0)}, "reads classes alone"),
        ({"groups": [0, 0, 0, 0]}, "from 2 to the 1 groups"),
        ({"groups": [0, 0, 0, 0], "probing": "authors"}, "one group is too few"),
        ({"groups": [0, 1]}, "groups of 2 samples, but 4 to fit on"),
        ({"kinds": {"other": "labels"}}, "unknown task 'other'"),
        ({"kinds": {"label": "label"}}, "unknown kind of task 'label': did you mean 'labels'"),
        ({"kinds": {"label": "classes"}}, "labels must be a list"),
    ],
)
def test_what_cannot_be_probed_is_refused_in_one_line(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "train_features": np.eye(4),
        "train_labels": [[0, 1], [1, 0], [0, 0], [1, 1]],
        "test_features": np.eye(4)[:2],
        "test_labels": [[0, 1], [1, 0]],
        "folds": 2,
    }
    with pytest.raises(InputError, match=message) as caught:
        probe_features(**arguments | change)
    assert "\n" not in str(caught.value)
