"""A plugin: a probe that asks the nearest neighbours instead of a linear classifier."""

import numpy as np

from trifeature.probes.classifiers import register_classifier


class Neighbours:
    """The classes among the k nearest training samples, each count raised by one."""

    def __init__(self, k=15):
        self.k = k

    def fit(self, features, labels):
        self.features = np.asarray(features, dtype=float)
        self.classes_, self.codes = np.unique(labels, return_inverse=True)
        return self

    def predict_log_proba(self, features):
        distances = ((np.asarray(features)[:, None] - self.features) ** 2).sum(2)
        nearest = self.codes[np.argsort(distances, axis=1)[:, : self.k]]
        counts = (nearest[:, :, None] == np.arange(len(self.classes_))).sum(1) + 1.0
        return np.log(counts / counts.sum(1, keepdims=True))


register_classifier("neighbours", Neighbours)
