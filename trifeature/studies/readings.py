"""Rows of readings: how well a reader predicts the labels of the test samples.

P probe samples, n test samples, L labels that are read together, K classes.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from trifeature.pid.estimation.predictions import Spread, entropy_shift
from trifeature.pid.tables import LN2
from trifeature.probes.metrics import (
    f1_of,
    macro_accuracy,
    mean_known,
    mean_squared_errors,
    r_squared,
    roc_auc,
)
from trifeature.samples import Samples
from trifeature.studies.questions import Question, Subject, as_numbers
from trifeature.studies.readers import FloatArray, IntArray, Predictions

Row = dict[str, Any]

THRESHOLDS: Final = np.round(np.arange(0.05, 0.96, 0.05), 2)
"""Thresholds of many labels to choose from."""


def surplus(probabilities: FloatArray, labels: IntArray) -> FloatArray:
    """Log p(y | x) / p(y) of each sample [n] in nats, p(y) being the frequencies among `labels`.

    Args:
        probabilities: [n, K].
        labels: [n].
    """
    counts = np.bincount(labels, minlength=probabilities.shape[1])
    own = probabilities[np.arange(len(labels)), labels]
    return np.asarray(np.log(own) - np.log(counts[labels] / len(labels)))


def information(probabilities: FloatArray, labels: IntArray, spread: Spread) -> dict[str, float]:
    """Held-out information in bits: value, low and high.

    H(Y), corrected by Miller and Madow, less the mean log loss: a lower bound of I(X; Y), but for
    the spread of the test samples (Barber & Agakov 2003). A value below 0 is shown as it is.
    """
    counts = np.bincount(labels, minlength=probabilities.shape[1]).astype(np.float64)
    short, slack = entropy_shift(counts, spread.level)
    found = interval(surplus(probabilities, labels), spread, short)
    return {**found, "low": found["low"] - slack / LN2, "high": found["high"] + slack / LN2}


def interval(score: FloatArray, spread: Spread, shift: float = 0.0) -> dict[str, float]:
    """Mean of a score in nats, with its interval, in bits."""
    mean, half = float(score.mean()) + shift, spread.quantile * spread.error(score)
    return {"value": mean / LN2, "low": (mean - half) / LN2, "high": (mean + half) / LN2}


def class_reading(question: Question, found: Predictions, spread: Spread) -> Row:
    """Scores of a label with classes."""
    labels, p = question.values["test"], found.test[:, 0]
    guess = p.argmax(1)
    told = information(p, labels, spread)
    auc = roc_auc(labels=labels, scores=np.log(p[:, 1] / p[:, 0])) if p.shape[1] == 2 else None
    return {
        "n": len(labels),
        "accuracy": float((guess == labels).mean()),
        "macro_accuracy": macro_accuracy(labels=labels, predictions=guess, classes=p.shape[1]),
        "majority": question.about()["majority"],
        "auc": None if auc is None or np.isnan(auc) else auc,
        "bits": told["value"],
        "low": told["low"],
        "high": told["high"],
        "held_out": held_out_bits(found, question),
        "reader": found.family,
        "columns": found.columns,
    }


def held_out_bits(found: Predictions, question: Question) -> float:
    """Information on the held-out probe samples, in bits: what choices between features go by."""
    labels, p = question.values["probe"], found.held_out[:, 0]
    known = ~np.isnan(p[:, 0])
    return float(surplus(p[known], labels[known]).mean() / LN2)


def label_reading(subject: Subject, found: Predictions) -> Row:
    """F1 of many labels, each at the threshold with the best F1 on the held-out probe samples."""
    fit, truth = subject.coded["probe"], subject.coded["test"]
    known = ~np.isnan(found.held_out[:, 0, 0])
    scores = []
    for place in range(truth.shape[1]):
        held_out, labels = found.held_out[known, place, 1], fit[known, place]
        best = max(THRESHOLDS, key=lambda t: f1(labels, held_out > t))
        scores.append(f1(truth[:, place], found.test[:, place, 1] > best))
    weights = truth.sum(0)
    return {
        "n": len(truth),
        "macro_f1": float(np.mean(scores)),
        "weighted_f1": float(np.average(scores, weights=weights)) if weights.sum() else 0.0,
        "reader": found.family,
        "columns": found.columns,
        "note": "the threshold of each label is chosen on held-out probe samples",
    }


def f1(labels: IntArray, predicted: Any) -> float:
    """2 · hits / (2 · hits + false alarms + misses); 0 where nothing is there nor predicted.

    >>> f1(np.array([1, 1, 0]), np.array([True, False, False]))
    0.6666666666666666
    """
    return float(np.nan_to_num(f1_of((labels * predicted).sum(), predicted.sum(), labels.sum())))


def number_reading(samples: Samples, label: str, predicted: FloatArray) -> Row:
    """Mean squared error and R² of numbers, means over the outputs.

    R² leaves out outputs that are constant among the test samples.
    """
    truth = as_numbers(samples, "test", label)
    return {
        "n": len(truth),
        "r2": mean_known(r_squared(numbers=truth, predictions=predicted)),
        "mse": float(mean_squared_errors(numbers=truth, predictions=predicted).mean()),
        "reader": "ridge",
    }
