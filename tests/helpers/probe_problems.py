"""Problems with known answers for the tests of probes, and scikit-learn's solution to them."""

import functools

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from trifeature.probes.folds import Folds, group_folds

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Pairs = tuple[IntArray, IntArray, dict[str, IntArray], IntArray]
"""Textures and colors of two images, the labels of each task, and the images' combinations."""
Sets = tuple[Pairs, Pairs, Folds]


def problem(
    classes: int, samples: int = 300, features: int = 8, seed: int = 0
) -> tuple[FloatArray, IntArray]:
    """Correlated features of different scales and labels that they predict only partly."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(samples, features)) @ rng.normal(size=(features, features))
    X = X * np.logspace(-1, 1, features) + rng.normal(size=features)
    scores = StandardScaler().fit_transform(X) @ rng.normal(size=(features, classes))
    return X, (scores + 2 * rng.gumbel(size=scores.shape)).argmax(axis=1)


def oracle(cost: float, *, balanced: bool = False) -> LogisticRegression:
    weight = "balanced" if balanced else None
    return LogisticRegression(C=cost, class_weight=weight, tol=1e-9, max_iter=20000)


def one_hot(*columns: IntArray, values: int) -> FloatArray:
    return np.concatenate([np.eye(values)[column] for column in columns], axis=1)


def pairs(count: int, seed: int, values: int = 5) -> Pairs:
    textures, colors = np.random.default_rng(seed).integers(values, size=(2, count, 2))
    match = (textures[:, 0] == colors[:, 1]).astype(np.int64)
    labels = {"unique1": textures[:, 0], "unique2": textures[:, 1], "synergy": match}
    return textures, colors, labels, textures * values + colors


@functools.cache
def known_sets() -> Sets:
    """Pairs to fit on, pairs to score on, and folds over the first."""
    train, test = pairs(3000, seed=0), pairs(1000, seed=1)
    return train, test, group_folds(train[3], folds=3, seed=0)


def objective(
    weights: FloatArray, biases: FloatArray, features: FloatArray, y: IntArray, cost: float
) -> float:
    logits = torch.as_tensor(features @ weights.T + biases)
    return cost * float(
        torch.nn.functional.cross_entropy(logits, torch.as_tensor(y), reduction="sum")
    ) + 0.5 * float((weights**2).sum())
