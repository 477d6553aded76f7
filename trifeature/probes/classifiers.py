"""Classifiers that probe features in place of the logistic regression.

A classifier is anything with `fit(features, labels)` and `predict_log_proba(features)`, or in its
place `predict_proba`, such as scikit-learn's. Its columns are its `classes_` if it has them after
the fit, otherwise the sorted labels that it was fitted on.

N samples, D features, C classes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from scipy.special import logsumexp

from trifeature.checks import require_text
from trifeature.errors import InputError, check_name
from trifeature.probes.inputs import Features, FloatArray, IntArray, as_features

LOGISTIC: Final = "logistic"
"""Name of the default: logistic regression, its cost chosen by cross-validation."""


class Classifier(Protocol):
    """The methods that a probe calls on a classifier."""

    def fit(self, features: Any, labels: Any, /) -> Any:
        """Learn from features [N, D] and integer labels [N], both NumPy arrays."""

    def predict_log_proba(self, features: Any, /) -> Any:
        """Natural logarithm of each class's probability [N, C] of features [N, D]."""


PREDICTIONS: Final = ("predict_log_proba", "predict_proba")
"""The methods that predict; the second serves where a classifier lacks the first."""

CLASSIFIERS: Final[dict[str, Callable[[], Classifier]]] = {}
"""Every registered classifier by name; a call makes a new one, not fitted."""


def register_classifier(name: str, make: Callable[[], Classifier]) -> None:
    """Make a classifier available by name, to `probe` and on the command line.

    Args:
        name: As `classifier=` and the command line take it.
        make: Returns a new classifier: its class, or a function without arguments.

    Raises:
        InputError: the name is taken, or `make` cannot be called.
    """
    require_text("name", name)
    if not callable(make):
        raise InputError(f"classifier {name!r} must be a class or a function, not {make!r}")
    if name == LOGISTIC or name in CLASSIFIERS:
        raise InputError(f"a classifier called {name!r} exists already")
    CLASSIFIERS[name] = make


def find_classifier(classifier: str | Classifier | None) -> tuple[str, Classifier | None]:
    """Name and classifier of what a caller gave; None stands for the default.

    Raises:
        InputError: there is no such name, or the object is no classifier.
    """
    if classifier is None or classifier == LOGISTIC:
        return LOGISTIC, None
    if isinstance(classifier, str):
        check_name("classifier", classifier, [LOGISTIC, *CLASSIFIERS])
        return classifier, _require_classifier(classifier, CLASSIFIERS[classifier]())
    if isinstance(classifier, type):
        raise InputError(f"a classifier must be an object: {classifier.__name__}(), with brackets")
    name = type(classifier).__name__
    return name, _require_classifier(name, classifier)


def _require_classifier(name: str, made: Classifier) -> Classifier:
    if not _has(made, "fit") or not any(_has(made, one) for one in PREDICTIONS):
        raise InputError(f"{name} is no classifier: one has fit and predict_log_proba")
    return made


def _has(classifier: Any, method: str) -> bool:
    return callable(getattr(classifier, method, None))


@dataclass(frozen=True, eq=False)
class FittedClassifier:
    """A copy of a classifier, fitted on labels from 0 to C − 1 of which some may be absent.

    Attributes:
        classifier: The fitted copy.
        columns: The class of each of its columns.
        classes: C.
    """

    classifier: Classifier
    columns: IntArray
    classes: int

    @classmethod
    def fit(
        cls, classifier: Classifier, features: Features, labels: IntArray, classes: int
    ) -> FittedClassifier:
        """Fit a copy to features [N, D] and labels [N]; the given classifier stays as it is."""
        own = copy.deepcopy(classifier)
        own.fit(as_features(features).cpu().numpy(), labels)
        columns = getattr(own, "classes_", None)
        return cls(own, np.unique(labels) if columns is None else np.asarray(columns), classes)

    def log_probabilities(self, features: Features) -> FloatArray:
        """Natural logarithm of each class's probability [N, C]; −∞ for classes not fitted.

        Raises:
            InputError: what the classifier predicts are not logarithms of probabilities.
        """
        points = as_features(features).cpu().numpy()
        with np.errstate(divide="ignore"):  # a probability of 0 is allowed
            if _has(self.classifier, "predict_log_proba"):
                own = np.asarray(self.classifier.predict_log_proba(points), np.float64)
            else:
                likely: Any = self.classifier
                own = np.log(np.asarray(likely.predict_proba(points), np.float64))
        name, shape = type(self.classifier).__name__, (len(points), len(self.columns))
        if own.shape != shape:
            raise InputError(f"{name} must predict {shape} log-probabilities, not {own.shape}")
        if not (np.abs(logsumexp(own, axis=1)) < 1e-3).all():
            raise InputError(
                f"{name} must predict natural logarithms of probabilities that sum to 1 for each "
                "sample"
            )
        table = np.full((len(points), self.classes), -np.inf)
        table[:, self.columns] = own
        return table
