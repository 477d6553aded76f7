import math
from typing import Any

import numpy as np
import pytest
import torch
from pretended_gpu import pretended_gpu
from probe_problems import FloatArray, IntArray, Sets, known_sets, objective, one_hot, problem
from scipy.optimize import minimize
from sklearn.preprocessing import StandardScaler

from trifeature.errors import InputError
from trifeature.probes import authors
from trifeature.probes.authors import fit_authors, fit_published
from trifeature.probes.logistic import Design, LinearModels, Problem, fit_problems
from trifeature.probes.metrics import macro_accuracy
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


def unconverged() -> tuple[torch.Tensor, IntArray]:
    """Raw features of very different scales, float32 [400, 40], and labels of three classes."""
    X, y = problem(3, samples=400, features=40)
    return torch.as_tensor(X, dtype=torch.float32), y


def published_loss(layer: torch.nn.Linear, points: torch.Tensor, y: IntArray, cost: float) -> Any:
    loss = torch.nn.CrossEntropyLoss()(layer(points), torch.as_tensor(y))
    return loss + 0.5 * layer.weight.norm() / cost


@pytest.mark.parametrize("cost", [1e-2, 10.0, 1e4])
def test_a_published_fit_ends_where_torchs_optimizer_does(cost: float) -> None:
    X, y = unconverged()
    layer = torch.nn.Linear(40, 3)
    for parameter in layer.parameters():
        torch.nn.init.zeros_(parameter)
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Any:
        optimizer.zero_grad()
        loss = published_loss(layer, X, y, cost)
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.inference_mode():
        model = fit_published(X.clone(), y, cost, 3)
    torch.testing.assert_close(model.weights[0].float(), layer.weight.detach(), rtol=0, atol=1e-6)
    torch.testing.assert_close(model.biases[0].float(), layer.bias.detach(), rtol=0, atol=1e-6)


def test_a_published_fit_is_the_same_on_a_gpu_and_waits_for_it_a_few_times_an_evaluation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(authors, "ITERATIONS", 20)
    X, y = unconverged()
    here = fit_published(X, y, 10.0, 3)
    with pretended_gpu() as gpu:
        there = fit_published(X.to("cuda"), y, 10.0, 3)
        assert all(gpu.on_device(x) for x in (there.weights, there.biases, there.gradients))
        found = there.weights.cpu()
    assert torch.equal(found, here.weights)
    # Weights and biases go there, their gradients and the loss come back. The optimizer alone would
    # wait twice an iteration for each of the iterations before.
    assert len(gpu.waits) < 6 * 25


def test_a_published_fit_stops_above_the_minimum() -> None:
    X, y = unconverged()
    stopped = fit_published(X, y, 1e4, 3)
    problems = [Problem.of(y, 1e4)]
    converged = fit_problems([Design.of(X.double(), standardize=False)], problems, squared=False)

    def loss(models: LinearModels) -> float:
        layer = torch.nn.Linear(40, 3).double()
        layer.weight.data, layer.bias.data = models.weights[0], models.biases[0]
        return float(published_loss(layer, X.double(), y, 1e4).detach())

    assert loss(stopped) > loss(converged) + 1e-3
    assert float(stopped.gradients[0]) > 100 * float(converged.gradients[0])


def test_a_reading_by_the_authors_has_the_converged_probe_beside_each_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(authors, "_coarse_to_fine", lambda accuracies: accuracies([1e-2, 10.0]))
    X, y = unconverged()
    labels = {"three": y, "first": y == 0}
    halves = [(X[k::2], {name: label[k::2] for name, label in labels.items()}) for k in (0, 1)]
    reading = probe_features(*halves[0], *halves[1], probing="authors")
    row = reading.row()
    beside = [name for name in row if name.endswith("_converged")]
    assert sorted(beside) == ["first_auc_converged", "first_converged", "three_converged"]
    cost = row["costs"]["three"]
    problems = [Problem.of(halves[0][1]["three"], cost)]
    model = fit_problems([Design.of(halves[0][0], standardize=False)], problems, squared=False)
    guess = model.log_probabilities(halves[1][0])[0].argmax(1).numpy()
    expected = macro_accuracy(labels=halves[1][1]["three"], predictions=guess, classes=3)
    assert row["three_converged"] == expected
    ours = probe_features(*halves[0], *halves[1], costs=(0.01,)).row()
    assert not [name for name in ours if name.endswith("_converged")]


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
