import math
import random
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from trifeature.errors import InputError
from trifeature.probes.metrics import confusion, cross_entropy, macro_accuracy, roc_auc

CLASSES = 4
samples = st.lists(
    st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=40
)
scored = st.lists(st.tuples(st.integers(0, 1), st.integers(-5, 5)), min_size=1, max_size=40)


@given(samples)
def test_macro_accuracy_and_confusion_agree_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    labels, predictions = np.array(pairs).T
    with warnings.catch_warnings():
        # scikit-learn warns of predicted classes that no sample has; leaving them out is our rule.
        warnings.simplefilter("ignore", UserWarning)
        expected = oracle.balanced_accuracy_score(labels, predictions)
        table = oracle.confusion_matrix(labels, predictions, labels=range(CLASSES))
    found = macro_accuracy(labels=labels, predictions=predictions, classes=CLASSES)
    assert found == pytest.approx(expected, abs=1e-12)
    counts = confusion(labels=labels, predictions=predictions, classes=CLASSES)
    np.testing.assert_array_equal(counts, table)


@given(scored)
def test_roc_auc_agrees_with_scikit_learn_and_is_nan_for_one_class(
    pairs: list[tuple[int, int]],
) -> None:
    labels, scores = np.array(pairs).T
    found = roc_auc(labels=labels, scores=scores)
    if len(set(labels.tolist())) == 1:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(oracle.roc_auc_score(labels, scores), abs=1e-12)


@given(scored)
def test_roc_auc_reverses_with_the_labels_and_keeps_under_increasing_maps(
    pairs: list[tuple[int, int]],
) -> None:
    labels, scores = np.array(pairs).T
    found = roc_auc(labels=labels, scores=scores)
    flipped = roc_auc(labels=1 - labels, scores=scores)
    curved = roc_auc(labels=labels, scores=np.exp(scores))
    np.testing.assert_allclose([1 - flipped, curved], [found, found], atol=1e-12)


def test_cross_entropy_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    table = np.log(rng.dirichlet(np.ones(CLASSES), size=50))
    labels = rng.integers(CLASSES, size=50)
    expected = oracle.log_loss(labels, np.exp(table), labels=range(CLASSES)) / math.log(2)
    assert cross_entropy(labels=labels, log_probabilities=table) == pytest.approx(expected)


@given(samples, st.randoms(use_true_random=False), st.permutations(range(CLASSES)))
def test_metrics_do_not_depend_on_the_order_of_samples_or_names_of_classes(
    pairs: list[tuple[int, int]], shuffler: random.Random, names: list[int]
) -> None:
    labels, predictions = np.array(pairs).T
    order = shuffler.sample(range(len(labels)), len(labels))
    renamed = np.array(names)
    found = macro_accuracy(labels=labels, predictions=predictions, classes=CLASSES)
    moved = macro_accuracy(
        labels=renamed[labels][order], predictions=renamed[predictions][order], classes=CLASSES
    )
    assert moved == pytest.approx(found, abs=1e-12)
    counts = confusion(labels=labels, predictions=predictions, classes=CLASSES)
    again = confusion(labels=renamed[labels], predictions=renamed[predictions], classes=CLASSES)
    np.testing.assert_array_equal(again[np.ix_(renamed, renamed)], counts)


def test_macro_accuracy_is_recall_and_not_precision() -> None:
    labels, predictions = [0, 0, 0, 1], [0, 1, 1, 1]
    assert macro_accuracy(labels=labels, predictions=predictions, classes=2) == pytest.approx(2 / 3)
    with pytest.raises(TypeError):
        macro_accuracy(labels, predictions, 2)  # type: ignore[call-arg]


def test_an_absent_class_counts_nowhere() -> None:
    assert macro_accuracy(labels=[0, 0, 2], predictions=[0, 1, 2], classes=4) == 0.75


def test_a_true_class_of_probability_zero_costs_infinitely_many_bits() -> None:
    assert cross_entropy(labels=[1], log_probabilities=[[0.0, -math.inf]]) == math.inf


def test_tensors_and_arrays_score_alike() -> None:
    labels, scores = torch.tensor([0, 1, 1, 0]), torch.tensor([0.1, 0.4, 0.4, 0.4])
    expected = roc_auc(labels=labels.numpy(), scores=scores.numpy())
    assert roc_auc(labels=labels, scores=scores) == expected == 0.75


@pytest.mark.parametrize(
    ("labels", "predictions", "message"),
    [
        ([], [], "non-empty"),
        ([0, 1], [0], "2 labels but 1 predictions"),
        ([0, 2], [0, 1], r"labels must lie in \[0, 2\)"),
        ([0, 1], [-1, 1], r"predictions must lie in \[0, 2\)"),
        ([0.0, 1.0], [0, 1], "integers"),
    ],
)
def test_bad_input_is_refused(labels: Any, predictions: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        macro_accuracy(labels=labels, predictions=predictions, classes=2)


def test_nan_is_refused() -> None:
    with pytest.raises(InputError, match="NaN"):
        roc_auc(labels=[0, 1], scores=[0.0, math.nan])
    with pytest.raises(InputError, match="dimension"):
        cross_entropy(labels=[0, 1], log_probabilities=[0.0, 0.0])
