"""Classifiers of one's own, on the same folds and with the same scores as the default."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from probe_problems import FloatArray, IntArray, problem
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from trifeature.errors import InputError
from trifeature.probes.classifiers import CLASSIFIERS, find_classifier, register_classifier
from trifeature.probes.folds import group_folds
from trifeature.probes.logistic import LogisticProbe
from trifeature.probes.protocol import probe_features


class Frequencies:
    """Class frequencies, whatever the features are; it has no `classes_`."""

    def __init__(self) -> None:
        self.fits: list[int] = []

    def fit(self, features: FloatArray, labels: IntArray) -> None:
        assert isinstance(features, np.ndarray)
        self.fits.append(len(labels))
        _, counts = np.unique(labels, return_counts=True)
        self.logs = np.log(counts / counts.sum())

    def predict_log_proba(self, features: FloatArray) -> FloatArray:
        return np.tile(self.logs, (len(features), 1))


class Wrong(Frequencies):
    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def predict_log_proba(self, features: FloatArray) -> Any:
        return np.tile(self.answer, (len(features), 1))


Split = tuple[FloatArray, IntArray, FloatArray, IntArray, IntArray]


def split(classes: int = 3, samples: int = 400) -> Split:
    """Features and labels to fit on and to score on, groups to keep apart."""
    X, y = problem(classes, samples=samples)
    half = samples // 2
    return X[:half], y[:half], X[half:], y[half:], np.arange(half) % 20


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    before = dict(CLASSIFIERS)
    yield
    CLASSIFIERS.clear()
    CLASSIFIERS.update(before)


def test_scores_are_those_of_the_classifier_and_held_out_ones_those_of_the_same_folds() -> None:
    X, y, X_test, y_test, groups = split()
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(7))
    found = probe_features(X, y, X_test, y_test, groups, classifier=model)
    result = found.results["label"]
    own = make_pipeline(StandardScaler(), KNeighborsClassifier(7)).fit(X, y)
    right = own.predict(X_test) == y_test
    assert result.macro_accuracy == pytest.approx(
        np.mean([right[y_test == c].mean() for c in range(3)])
    )
    np.testing.assert_allclose(np.exp(result.log_probabilities), own.predict_proba(X_test))
    folds, recalls = group_folds(groups, folds=3, seed=0), []
    for fit, validate in zip(folds.fit, folds.validate, strict=True):
        guess = own.fit(X[fit], y[fit]).predict(X[validate])
        recalls.append(np.mean([(guess == c)[y[validate] == c].mean() for c in range(3)]))
    assert result.held_out_accuracy == pytest.approx(np.mean(recalls))
    assert (result.cost, result.balanced, result.confusion.sum()) == (None, None, len(y_test))
    assert found.row()["classifier"] == "Pipeline"
    assert found.row()["costs"] == {"label": None}


def test_the_given_classifier_is_copied_for_each_fit() -> None:
    given = Frequencies()
    probe_features(*split(), classifier=given)
    assert given.fits == []


def test_our_own_logistic_regression_gives_what_the_default_gives_at_its_cost() -> None:
    data = split(classes=2)
    default = probe_features(*data, costs=[0.1]).results["label"]
    own = probe_features(*data, classifier=LogisticProbe(0.1)).results["label"]
    assert own.held_out_accuracy == default.held_out_accuracy
    np.testing.assert_allclose(own.log_probabilities, default.log_probabilities, atol=1e-6)
    assert own.roc_auc == default.roc_auc
    assert own.confusion.tolist() == default.confusion.tolist()


def test_a_probability_of_zero_is_allowed_and_costs_infinitely_many_bits() -> None:
    X, y, X_test, y_test, groups = split()
    found = probe_features(X, y, X_test, y_test, groups, classifier=KNeighborsClassifier(1))
    assert found.results["label"].cross_entropy == math.inf
    assert found.row()["bits"] == {"label": None}


@pytest.mark.parametrize("classifier", [Frequencies(), KNeighborsClassifier(3)])
def test_a_class_that_is_absent_from_a_fit_has_no_probability(classifier: Any) -> None:
    X, y, X_test, y_test, groups = split()
    y = np.where(groups == 0, y, np.where(y == 1, 0, y))  # class 1 lives in one group
    found = probe_features(X, y, X_test, y_test, groups, classifier=classifier)
    assert found.results["label"].log_probabilities.shape == (len(y_test), 3)


def test_a_registered_name_makes_a_new_classifier_each_time() -> None:
    register_classifier("nearest", lambda: KNeighborsClassifier(3))
    by_name = probe_features(*split(), classifier="nearest")
    given = probe_features(*split(), classifier=KNeighborsClassifier(3))
    assert by_name.classifier == "nearest"
    assert by_name.row() == given.row() | {"classifier": "nearest"}
    assert find_classifier("nearest")[1] is not find_classifier("nearest")[1]
    with pytest.raises(InputError, match="'nearest' exists already"):
        register_classifier("nearest", Frequencies)
    with pytest.raises(InputError, match="'logistic' exists already"):
        register_classifier("logistic", Frequencies)


def test_logistic_is_the_default() -> None:
    row = probe_features(*split(), classifier="logistic").row()
    assert row == probe_features(*split()).row()
    assert "classifier" not in row


@pytest.mark.parametrize(
    ("classifier", "message"),
    [
        ("nearst", "unknown classifier 'nearst': did you mean 'nearest'"),
        (object(), "object is no classifier"),
        (StandardScaler(), "StandardScaler is no classifier"),
        (Frequencies, r"an object: Frequencies\(\)"),
        (Wrong([0.0, 0.0]), r"Wrong must predict .* log-probabilities, not \(\d+, 2\)"),
        (Wrong([0.2, 0.3, 0.5]), "natural logarithms of probabilities"),
        (Wrong([0.0, math.nan, 0.0]), "natural logarithms of probabilities"),
    ],
)
def test_what_is_no_classifier_is_refused_in_one_line(classifier: Any, message: str) -> None:
    register_classifier("nearest", KNeighborsClassifier)
    with pytest.raises(InputError, match=message) as caught:
        probe_features(*split(), classifier=classifier)
    assert "\n" not in str(caught.value)


def test_the_authors_protocol_keeps_its_own_classifier() -> None:
    with pytest.raises(InputError, match="has its own classifier"):
        probe_features(*split(), probing="authors", classifier=Frequencies())
