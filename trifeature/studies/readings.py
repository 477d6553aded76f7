"""Rows of readings: how well a reader predicts the labels of the test samples.

P probe samples, n test samples, L labels that are read together, K classes.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from trifeature.pid.estimation.crossfit import miller_madow, second_order
from trifeature.pid.estimation.predictions import Spread
from trifeature.pid.tables import LN2
from trifeature.probes.metrics import macro_accuracy, roc_auc
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
    shares = counts[counts > 0] / len(labels)
    short = float(miller_madow(counts[None])[0] + (shares * np.log(shares)).sum())
    # What H(Y) may be short of beyond that, as in the intervals of the atoms.
    slack = float(second_order(len(shares), np.array([len(labels)]), spread.level)[0]) / LN2
    found = interval(surplus(probabilities, labels), spread, short)
    return {**found, "low": found["low"] - slack, "high": found["high"] + slack}


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
    hits = int((labels * predicted).sum())
    total = int(labels.sum()) + int(np.sum(predicted))
    return 2 * hits / total if total else 0.0


def number_reading(samples: Samples, label: str, predicted: FloatArray) -> Row:
    """Mean squared error and R² of numbers, means over the outputs."""
    truth = as_numbers(samples, "test", label)
    error = np.square(predicted - truth).mean(0)
    spread = truth.var(0)
    explained = 1 - error / np.where(spread > 0, spread, np.inf)
    return {
        "n": len(truth),
        "r2": float(explained.mean()),
        "mse": float(error.mean()),
        "reader": "ridge",
    }
