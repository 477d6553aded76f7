import math

import numpy as np
import pytest
import torch
from probe_problems import FloatArray, Sets, known_sets, objective, one_hot, problem
from scipy.optimize import minimize
from sklearn.preprocessing import StandardScaler

from trifeature.errors import InputError
from trifeature.probes.authors import fit_authors
from trifeature.probes.logistic import Design, Problem, fit_problems
from trifeature.probes.protocol import probe_features


@pytest.fixture
def sets() -> Sets:
    return known_sets()


def test_the_authors_objective_reaches_the_minimum_of_a_general_optimizer() -> None:
    X, y = problem(3, samples=200, features=4)
    X = StandardScaler().fit_transform(X)
    design = Design.of(torch.as_tensor(X), standardize=False)
    cost = 20.0
    models = fit_problems(
        [design], [Problem.of(y, cost)], squared=False, tolerance=1e-9, iterations=500
    )

    def published(flat: FloatArray) -> float:
        weights, biases = flat[:12].reshape(3, 4), flat[12:]
        data = objective(weights, biases, X, y, 1.0) - 0.5 * float((weights**2).sum())
        return data / len(y) + 0.5 / cost * math.sqrt(float((weights**2).sum()))

    start = np.r_[np.full(12, 0.1), np.zeros(3)]
    reference = minimize(published, start, method="BFGS", options={"gtol": 1e-6})
    found = np.r_[models.weights[0].numpy().ravel(), models.biases[0].numpy()]
    assert published(found) == pytest.approx(reference.fun, abs=1e-5)


def test_the_authors_probe_reads_ideal_codes_and_not_constants(sets: Sets) -> None:
    train, test, _ = sets
    ideal = [(one_hot(p[0][:, 0], values=5), p[2]["unique1"]) for p in (train, test)]
    found = probe_features(*ideal[0], *ideal[1], probing="authors").results
    assert found["label"].macro_accuracy == 1.0
    constant = [(np.ones((len(p[0]), 2)), p[2]) for p in (train, test)]
    results = probe_features(*constant[0], *constant[1], probing="authors").results
    assert [result.macro_accuracy for result in results.values()] == [0.2, 0.2, 0.5]


def test_the_authors_search_tries_seven_coarse_costs_then_closes_in() -> None:
    X, y = problem(3, samples=400)
    probe = fit_authors(torch.as_tensor(X), y, 3)
    tried = sorted(probe.held_out)
    assert {1e-6, 1e-4, 1e-2, 1.0, 1e2, 1e4, 1e6} <= set(tried)
    assert probe.held_out[probe.cost] == max(probe.held_out.values())
    assert len(tried) < 7 + 15
    with pytest.raises(InputError, match="too few to split"):
        fit_authors(torch.as_tensor(X[:3]), np.array([0, 0, 1]), 2)
