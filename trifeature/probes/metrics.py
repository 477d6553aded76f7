"""Scores of predictions: pure functions from labels and predictions to one number or table.

Every argument is keyword-only: `labels` and `predictions` have the same type and shape, and
swapping them silently turns recall into precision, a bug found in published code.

N samples, C classes. Arrays, tensors on any device, series and lists are accepted.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import rankdata

from trifeature.checks import as_array
from trifeature.errors import InputError
from trifeature.probes.inputs import IntArray

Values = npt.ArrayLike | torch.Tensor
"""Accepted by every metric: a tensor on any device, an array, a series, or nested lists."""


def confusion(*, labels: Values, predictions: Values, classes: int) -> IntArray:
    """Count the samples of each true class (row) that were given each class (column).

    Args:
        labels: True classes, integers in [0, C) [N].
        predictions: Predicted classes, integers in [0, C) [N].
        classes: C, the number of classes.

    Returns:
        Counts [C, C]; the row of a class absent from `labels` is zero.

    Raises:
        InputError: no samples, different lengths, or a class outside [0, C).

    >>> confusion(labels=[0, 0, 1], predictions=[0, 1, 1], classes=2).tolist()
    [[1, 1], [0, 1]]
    """
    truth = _class_array("labels", labels, classes)
    guess = _class_array("predictions", predictions, classes)
    _check_lengths(truth, "predictions", guess)
    counts = np.bincount(truth * classes + guess, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def macro_accuracy(*, labels: Values, predictions: Values, classes: int) -> float:
    """Mean recall over the classes present in `labels` ("balanced accuracy"), in [0, 1].

    A class absent from `labels` has no recall and is left out of the mean, whether or not it was
    predicted. Predictions that ignore the sample score 1 over the number of classes present.

    Args:
        labels: True classes, integers in [0, C) [N].
        predictions: Predicted classes, integers in [0, C) [N].
        classes: C, the number of classes.

    Raises:
        InputError: no samples, different lengths, or a class outside [0, C).

    >>> macro_accuracy(labels=[0, 0, 0, 1], predictions=[0, 0, 0, 0], classes=2)
    0.5
    """
    counts = confusion(labels=labels, predictions=predictions, classes=classes)
    totals = counts.sum(axis=1)
    present = totals > 0
    return float(np.mean(np.diag(counts)[present] / totals[present]))


def roc_auc(*, labels: Values, scores: Values) -> float:
    """Probability that a random positive scores above a random negative; ties count one half.

    The rank-sum statistic of Mann & Whitney (1947) over the number of (positive, negative) pairs.

    Args:
        labels: 1 for a positive, 0 for a negative [N].
        scores: Larger means more likely positive [N]; minus and plus infinity are allowed.

    Returns:
        A number in [0, 1], 0.5 for chance; NaN where `labels` holds one class only.

    Raises:
        InputError: no samples, different lengths, a label other than 0 and 1, or a NaN score.

    >>> roc_auc(labels=[0, 0, 1, 1], scores=[0.1, 0.4, 0.4, 0.8])
    0.875
    """
    truth = _class_array("labels", labels, 2)
    values = _float_array("scores", scores, 1)
    _check_lengths(truth, "scores", values)
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if positives == 0 or negatives == 0:
        return math.nan
    rank_sum = float(rankdata(values)[truth == 1].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def cross_entropy(*, labels: Values, log_probabilities: Values) -> float:
    """Mean negative log-probability of the true class, in bits.

    Args:
        labels: True classes, integers in [0, C) [N].
        log_probabilities: Natural logarithms of the predicted probabilities [N, C].

    Returns:
        Bits a sample, at least 0; infinite where a true class was given probability zero.

    Raises:
        InputError: no samples, different lengths, a class outside [0, C), or a NaN.

    >>> cross_entropy(labels=[0, 1], log_probabilities=[[math.log(0.5)] * 2] * 2)
    1.0
    """
    table = _float_array("log_probabilities", log_probabilities, 2)
    truth = _class_array("labels", labels, table.shape[1])
    _check_lengths(truth, "log_probabilities", table)
    return float(-table[np.arange(len(truth)), truth].mean() / math.log(2.0))


def _class_array(name: str, values: Values, classes: int) -> IntArray:
    array = as_array(values)
    if array.ndim != 1 or len(array) == 0:
        raise InputError(f"{name} must be a non-empty list of classes, not of shape {array.shape}")
    if array.dtype.kind not in "iub":
        raise InputError(f"{name} must be integers, not {array.dtype}")
    whole = array.astype(np.int64)
    if whole.min() < 0 or whole.max() >= classes:
        raise InputError(
            f"{name} must lie in [0, {classes}), not in [{whole.min()}, {whole.max()}]"
        )
    return whole


def _float_array(name: str, values: Values, dimensions: int) -> npt.NDArray[np.float64]:
    array = as_array(values).astype(np.float64)
    if array.ndim != dimensions:
        raise InputError(f"{name} must have {dimensions} dimension(s), not shape {array.shape}")
    if np.isnan(array).any():
        raise InputError(f"{name} hold a NaN")
    return array


def _check_lengths(truth: IntArray, name: str, other: npt.NDArray[np.generic]) -> None:
    if len(truth) != len(other):
        raise InputError(f"{len(truth)} labels but {len(other)} {name}")
