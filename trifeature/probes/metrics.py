"""Scores of predictions: pure functions from labels and predictions to one number or table.

Every argument is keyword-only: `labels` and `predictions` have the same type and shape, and
swapping them silently turns recall into precision, a bug found in published code.

N samples, C classes, or labels, or outputs. Arrays, tensors on any device, series and lists are
accepted.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import rankdata

from trifeature.checks import as_array
from trifeature.errors import InputError
from trifeature.probes.inputs import FloatArray, IntArray

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


# --------------------------------------------------------------------------- many labels


def f1_of(right: IntArray, told: IntArray, known: IntArray) -> FloatArray:
    """F1 = 2·right / (told + known) from counts of one shape; NaN where nothing is known.

    Args:
        right: Samples that were given a label, rightly.
        told: Samples that were given it.
        known: Samples that have it.
    """
    with np.errstate(invalid="ignore"):
        scores: FloatArray = np.where(known > 0, 2 * right / (told + known), np.nan)
    return scores


def f1_scores(*, labels: Values, predictions: Values) -> FloatArray:
    """F1 of each label, the harmonic mean of its precision and recall [C].

    Args:
        labels: 1 for a sample that has the label, 0 for one without [N, C].
        predictions: 1 for a sample that was given the label, otherwise 0 [N, C].

    Returns:
        Numbers in [0, 1]; NaN for a label that no sample has, which has no recall.

    Raises:
        InputError: no samples, different shapes, or an entry other than 0 and 1.

    >>> f1_scores(labels=[[1, 0], [1, 0]], predictions=[[1, 0], [0, 1]]).round(2).tolist()
    [0.67, nan]
    """
    truth, guess = _flag_table("labels", labels), _flag_table("predictions", predictions)
    if truth.shape != guess.shape:
        raise InputError(f"labels are {truth.shape}, but predictions {guess.shape}")
    return f1_of((truth & guess).sum(0), guess.sum(0), truth.sum(0))


def average_precision(*, labels: Values, scores: Values) -> float:
    """Mean, over the positives, of the precision at the score of each.

    The precision at a score is the share of positives among the samples that score as high, or
    higher. The expected value of random scores is about the share of positives.

    Args:
        labels: 1 for a positive, 0 for a negative [N].
        scores: Larger means more likely positive [N]; minus and plus infinity are allowed.

    Returns:
        A number in [0, 1]; NaN where `labels` hold no positive.

    Raises:
        InputError: no samples, different lengths, a label other than 0 and 1, or a NaN score.

    >>> average_precision(labels=[1, 0, 1], scores=[0.9, 0.5, 0.1]).__round__(3)
    0.833
    """
    truth = _class_array("labels", labels, 2)
    values = _float_array("scores", scores, 1)
    _check_lengths(truth, "scores", values)
    if not truth.any():
        return math.nan
    places = rankdata(-values, method="max")[truth == 1]  # how many score as high, or higher
    return float((rankdata(places, method="max") / places).mean())


# --------------------------------------------------------------------------- numbers


def mean_squared_errors(*, numbers: Values, predictions: Values) -> FloatArray:
    """Mean square of prediction − number for each output, in the square of its unit [K].

    Args:
        numbers: True values [N, K].
        predictions: Predicted values [N, K].

    Raises:
        InputError: no samples, different shapes, or a NaN.
    """
    truth, guess = _number_tables(numbers, predictions)
    errors: FloatArray = np.square(guess - truth).mean(0)
    return errors


def r_squared(*, numbers: Values, predictions: Values) -> FloatArray:
    """1 − mean squared error / variance of each output [K], "coefficient of determination".

    1 is exact, 0 as good as the mean of these very samples, negative worse.

    Returns:
        At most 1; NaN for an output that is constant among these samples.

    Raises:
        InputError: as `mean_squared_errors`.

    >>> r_squared(numbers=[[0.0], [2.0]], predictions=[[0.0], [1.0]]).tolist()
    [0.5]
    """
    truth, guess = _number_tables(numbers, predictions)
    errors, variance = np.square(guess - truth).mean(0), truth.var(0)
    known = np.ptp(truth, axis=0) > 0
    return np.where(known, 1 - errors / np.where(known, variance, 1), np.nan)


def pearson(*, numbers: Values, predictions: Values) -> FloatArray:
    """Pearson's correlation of predictions with numbers, for each output [K].

    Returns:
        From −1 to 1; NaN where either is constant.

    Raises:
        InputError: as `mean_squared_errors`.
    """
    truth, guess = _number_tables(numbers, predictions)
    known = (np.ptp(truth, axis=0) > 0) & (np.ptp(guess, axis=0) > 0)
    a, b = truth - truth.mean(0), guess - guess.mean(0)
    norms = np.sqrt(np.square(a).sum(0) * np.square(b).sum(0))
    return np.where(known, (a * b).sum(0) / np.where(norms > 0, norms, 1), np.nan)


def mean_known(values: FloatArray, weights: FloatArray | None = None) -> float:
    """Mean of the values that are no NaN, weighted if weights are given; NaN where all are.

    >>> mean_known(np.array([1.0, np.nan, 2.0]))
    1.5
    """
    known = ~np.isnan(values)
    own = None if weights is None else weights[known]
    return float(np.average(values[known], weights=own)) if known.any() else math.nan


def _number_tables(numbers: Values, predictions: Values) -> tuple[FloatArray, FloatArray]:
    truth, guess = _float_array("numbers", numbers, 2), _float_array("predictions", predictions, 2)
    if truth.shape != guess.shape or not truth.size:
        raise InputError(f"numbers are {truth.shape}, and predictions {guess.shape}")
    return truth, guess


def _flag_table(name: str, values: Values) -> IntArray:
    array = as_array(values)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "iub":
        raise InputError(f"{name} must be integers [samples, labels], not {array.shape}")
    if not np.isin(array, (0, 1)).all():
        raise InputError(f"{name} must be 0 or 1")
    return array.astype(np.int64)


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
