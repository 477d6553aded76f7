"""Fine-tuning: SupCon against plain loops, and a toy whose labels only fine-tuning can reach.

The toy's images are plain: the red, green and blue of each show its shape, texture and color. Its
two random features hide most of that from a linear probe until they are trained.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from fixed_methods import FixedMethod
from plain_images import coded_dataset
from tiny_runs import fitting, image_pair, methods_of_pairs
from torch import Tensor, nn
from typer.testing import CliRunner

from trifeature.cli.probe import app
from trifeature.comm.losses import info_nce
from trifeature.comm.methods import Method
from trifeature.comm.run_folder import TrainingError
from trifeature.comm.settings import RunSettings, run_preset
from trifeature.comm.training import Progress, load_run, new_method, train
from trifeature.data.dataset import Dataset
from trifeature.errors import InputError
from trifeature.extra.finetuning import (
    FineTuned,
    finetune,
    split_samples,
    sup_con,
)
from trifeature.extra.settings import SUPERVISED_LOSSES, FineTuning, SupervisedLoss
from trifeature.files import read_rows
from trifeature.probes.logistic import LogisticProbe
from trifeature.probes.metrics import macro_accuracy
from trifeature.probes.protocol import COSTS, extract
from trifeature.samples import Samples
from trifeature.views.sets import CLEAN

# --------------------------------------------------------------------------- SupCon


def embeddings(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def plain_sup_con(z: Tensor, labels: Sequence[int], temperature: float) -> float:
    """Equation 2 of Khosla et al. (2020), one exponential at a time."""
    unit = [[x / math.hypot(*row) for x in row] for row in z.tolist()]

    def weight(i: int, j: int) -> float:
        product = sum(x * y for x, y in zip(unit[i], unit[j], strict=True))
        return math.exp(product / temperature)

    everyone = range(len(unit))
    losses = []
    for i in everyone:
        others = [a for a in everyone if a != i]
        positives = [p for p in others if labels[p] == labels[i]]
        if positives:
            total = sum(weight(i, a) for a in others)
            logs = [math.log(weight(i, p) / total) for p in positives]
            losses.append(-sum(logs) / len(positives))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("temperature", [0.07, 1.0])
@pytest.mark.parametrize(
    "labels",
    [[0, 0], [0, 1, 0, 1], [2, 2, 2], [0, 1, 1, 0, 0, 5, 1, 0], [3, 0, 1, 3]],
    ids=["a pair", "two each", "one class", "uneven, one alone", "two alone"],
)
def test_sup_con_is_the_papers_sum(labels: list[int], temperature: float) -> None:
    z = embeddings(len(labels), 4, seed=len(labels))
    found = sup_con(z, torch.tensor(labels), temperature).item()
    assert found == pytest.approx(plain_sup_con(z, labels, temperature), rel=1e-12)


@pytest.mark.parametrize("samples", [2, 7])
def test_sup_con_of_two_views_without_shared_labels_is_nt_xent(samples: int) -> None:
    a, b = embeddings(2, samples, 5)
    labels = torch.arange(samples).repeat(2)
    torch.testing.assert_close(sup_con(torch.cat([a, b]), labels, 0.1), info_nce(a, b, 0.1))


def test_sup_con_of_coinciding_embeddings_is_the_log_of_the_others() -> None:
    z = embeddings(1, 6).expand(8, -1)
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])
    assert sup_con(z, labels).item() == pytest.approx(math.log(7), abs=1e-12)


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_sup_con_of_collapsed_orthogonal_classes_has_its_closed_form(temperature: float) -> None:
    """Four of each of three classes: three positives, eight others at similarity 0."""
    z, labels = torch.eye(3, dtype=torch.float64).repeat(4, 1), torch.arange(3).repeat(4)
    expected = math.log(3 + 8 * math.exp(-1 / temperature))
    assert sup_con(z, labels, temperature).item() == pytest.approx(expected, rel=1e-12)
    assert expected > math.log(3)


def test_sup_con_does_not_see_lengths_order_or_names_of_labels() -> None:
    z, labels = embeddings(9, 4), torch.arange(9) % 3
    order = torch.tensor([4, 1, 8, 0, 2, 7, 3, 6, 5])
    stretched = z * torch.arange(1, 10)[:, None]
    for other in (sup_con(stretched, labels), sup_con(z[order], 10 - labels[order])):
        torch.testing.assert_close(other, sup_con(z, labels))


def test_sup_con_without_any_positive_is_zero_and_pulls_nowhere() -> None:
    z = embeddings(4, 3).requires_grad_()
    loss = sup_con(z, torch.arange(4))
    loss.backward()
    assert loss == 0
    assert z.grad is not None
    assert torch.equal(z.grad, torch.zeros_like(z))


def test_sup_con_has_the_gradient_of_its_values() -> None:
    labels = torch.tensor([0, 1, 0, 2, 1])
    z = embeddings(5, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: sup_con(x, labels, 0.3), [z])


@pytest.mark.parametrize(
    ("shape", "labels"), [((4,), 4), ((1, 3), 1), ((4, 3), 3), ((2, 4, 3), 2), ((0, 3), 0)]
)
def test_sup_con_refuses_shapes_that_do_not_fit(shape: tuple[int, ...], labels: int) -> None:
    with pytest.raises(InputError, match=r"sup_con needs embeddings \[N, D\] with N ≥ 2"):
        sup_con(torch.ones(shape), torch.zeros(labels, dtype=torch.int64))


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_sup_con_refuses_a_temperature_that_is_not_positive(temperature: float) -> None:
    with pytest.raises(InputError, match="temperature must be positive"):
        sup_con(torch.ones(2, 2), torch.zeros(2), temperature)


# --------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "supcn"}, "did you mean 'supcon'"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1, not 0"),
        ({"patience": 1.5}, "patience must be a whole number of at least 1, not 1.5"),
        ({"batch_size": 1}, "batch_size must be a whole number of at least 2, not 1"),
        ({"folds": True}, "folds must be a whole number of at least 2, not True"),
        ({"seed": -1}, "seed must be a whole number of at least 0, not -1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0, not 0"),
        ({"temperature": math.nan}, "temperature must be above 0, not nan"),
        ({"weight_decay": -0.1}, "weight_decay must be at least 0, not -0.1"),
    ],
)
def test_settings_out_of_range_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        FineTuning(**change)


# --------------------------------------------------------------------------- the toy


class Toy(FixedMethod):
    """Two features, a random function of the mean red, green and blue of every image."""

    def __init__(self, modalities: int = 2) -> None:
        super().__init__(RunSettings(views=(CLEAN,)), image_pair(modalities))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.layers = nn.Sequential(
                nn.Linear(3 * modalities, 64), nn.ReLU(), nn.Linear(64, 2 * modalities)
            )
            self.only_for_pretraining = nn.Linear(2, 2)

    def encode(self, images: Tensor, modality: int) -> Tensor:
        del modality
        return images.mean((-1, -2))

    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        assert [list(subset) for subset in subsets] == [list(range(len(self.modalities)))]
        return [self.layers(torch.cat(list(codes), dim=1))]


def plain_images(modalities: int = 2) -> Dataset:
    return coded_dataset(modalities, probe_pairs=800, step=50)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return plain_images()


FAST = FineTuning(epochs=8, patience=8, batch_size=32, learning_rate=1e-2)


def measured(result: FineTuned) -> dict[str, Any]:
    """The row but for the seconds, which no two goes share."""
    return {name: value for name, value in result.row().items() if name != "seconds"}


def same_weights(one: Method, other: Method) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# --------------------------------------------------------------------------- the split


def test_validation_pairs_share_no_combination_with_those_fitted_on(data: Dataset) -> None:
    fitting, validation = split_samples(data.samples(), folds=3, seed=0)
    fitted, validated = (set(s.sets["probe"].groups.flat) for s in (fitting, validation))
    assert fitted
    assert validated
    assert not fitted & validated


def test_the_split_takes_labels_along_and_leaves_the_other_pairs(data: Dataset) -> None:
    samples = data.samples()
    labels = {tuple(i): s for i, s in zip(*_images_and(samples, "share"), strict=True)}
    for part in split_samples(samples, folds=3, seed=0):
        assert part.sets["test"] is samples.sets["test"]
        assert part.sets["train"] is samples.sets["train"]
        assert all(labels[tuple(i)] == s for i, s in zip(*_images_and(part, "share"), strict=True))


def _images_and(samples: Samples, task: str) -> tuple[list[list[int]], list[int]]:
    probe = samples.sets["probe"]
    return probe.rows.tolist(), probe.labels[task].tolist()


# --------------------------------------------------------------------------- learning


@pytest.mark.parametrize("loss", SUPERVISED_LOSSES)
def test_fine_tuning_learns_what_the_frozen_features_hide(
    data: Dataset, loss: SupervisedLoss
) -> None:
    result = finetune(Toy(), data, "unique1", replace(FAST, loss=loss))
    assert result.before < 0.75
    assert result.after > 0.95
    assert result.losses[-1] < result.losses[0]


@pytest.mark.parametrize("task", ["share", "unique3", "synergy"])
def test_every_task_of_three_modalities_is_taken(task: str) -> None:
    result = finetune(Toy(3), plain_images(3), task, replace(FAST, epochs=1))
    assert result.epochs == 1
    assert result.best_epoch == 1


def test_the_same_seed_gives_the_same_result(data: Dataset) -> None:
    settings = replace(FAST, epochs=2)
    one, other = (finetune(Toy(), data, "share", settings) for _ in range(2))
    assert measured(one) == measured(other)
    assert same_weights(one.method, other.method)
    third = finetune(Toy(), data, "share", replace(settings, seed=1))
    assert third.validation != one.validation


class Dropping(Toy):
    """The toy with dropout, whose randomness is that of the global generator."""

    def encode(self, items: Tensor, modality: int) -> Tensor:
        return F.dropout(super().encode(items, modality), 0.5, self.training)


def test_dropout_repeats_with_the_seed(data: Dataset) -> None:
    one, other = (finetune(Dropping(), data, "share", replace(FAST, epochs=1)) for _ in range(2))
    assert one.losses == other.losses
    assert same_weights(one.method, other.method)


def test_the_method_given_is_left_as_it_was(data: Dataset) -> None:
    method = Toy()
    result = finetune(method, data, "share", replace(FAST, epochs=1))
    assert same_weights(method, Toy())
    assert not same_weights(method, result.method)
    assert not result.method.training


def test_what_the_features_do_not_use_is_not_trained(data: Dataset) -> None:
    """Weight decay does not shrink it either."""
    settings = replace(FAST, epochs=1, weight_decay=0.5)
    tuned = finetune(Toy(), data, "share", settings).method
    assert isinstance(tuned, Toy)
    assert same_weights_of(tuned.only_for_pretraining, Toy().only_for_pretraining)
    assert not same_weights_of(tuned.layers[0], Toy().layers[0])


def same_weights_of(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_weight_decay_shrinks_matrices_and_spares_biases(data: Dataset) -> None:
    """After a single step, that of the gradient is the same with and without."""
    one_step = replace(FAST, epochs=1, batch_size=1000)
    kept, shrunk = (
        dict(finetune(Toy(), data, "share", replace(one_step, weight_decay=d)).method.state_dict())
        for d in (0.0, 0.5)
    )
    for name in ("layers.0.weight", "layers.2.weight"):
        torch.testing.assert_close(
            kept[name] - shrunk[name], 0.01 * 0.5 * Toy().state_dict()[name], atol=1e-6, rtol=1e-3
        )
    assert torch.equal(kept["layers.0.bias"], shrunk["layers.0.bias"])


def test_the_best_epoch_is_kept_and_patience_ends_the_rest(data: Dataset) -> None:
    result = finetune(Toy(), data, "share", replace(FAST, epochs=30, patience=2))
    after_start = result.validation[1:]
    assert result.best_epoch == 1 + after_start.index(max(after_start))
    assert result.epochs == result.best_epoch + 2 < 30
    assert len(result.validation) == result.epochs + 1
    short = finetune(Toy(), data, "share", replace(FAST, epochs=result.best_epoch))
    assert same_weights(result.method, short.method)
    assert result.after == short.after


def test_the_numbers_are_those_of_a_probe_fitted_on_the_fitting_pairs(data: Dataset) -> None:
    result = finetune(Toy(), data, "unique1", replace(FAST, epochs=2))
    samples = data.samples()
    fitting, validation = split_samples(samples, folds=FAST.folds, seed=FAST.seed)

    def scores(method: Method, cost: float) -> tuple[float, float]:
        probe = LogisticProbe(cost).fit(*_features_and_labels(method, fitting, "probe"))
        found = []
        for part, name in ((validation, "probe"), (samples, "test")):
            features, labels = _features_and_labels(method, part, name)
            guess = probe.predict(features)
            found.append(macro_accuracy(labels=labels, predictions=guess, classes=5))
        return found[0], found[1]

    for method, validated, tested in (
        (Toy(), result.validation[0], result.before),
        (result.method, result.validation[result.best_epoch], result.after),
    ):
        best = max((scores(method.eval(), cost) for cost in COSTS), key=lambda pair: pair[0])
        assert best == pytest.approx((validated, tested))


def _features_and_labels(method: Method, samples: Samples, name: str) -> tuple[Tensor, Any]:
    features = extract(method, samples, name, [range(2)])[0]
    return features, samples.sets[name].labels["unique1"]


def test_test_pairs_decide_nothing(data: Dataset) -> None:
    """With other test labels nothing changes but the two scores."""
    test = data.pairs["test"]
    wrong = {task: (values + 1) % 2 for task, values in test.labels.items()}
    other = replace(data, pairs={**data.pairs, "test": replace(test, labels=wrong)})
    one, two = (finetune(Toy(), d, "share", replace(FAST, epochs=2)) for d in (data, other))
    assert same_weights(one.method, two.method)
    assert (one.validation, one.best_epoch) == (two.validation, two.best_epoch)
    assert one.after != two.after


def test_a_row_goes_through_json_and_counts_the_pairs(data: Dataset) -> None:
    result = finetune(Toy(), data, "share", replace(FAST, epochs=1))
    row = json.loads(json.dumps(result.row()))
    assert row["task"] == "share"
    assert row["settings"]["loss"] == "supcon"
    assert row["fit_pairs"] > row["validation_pairs"] > 0
    assert row["fit_pairs"] + row["validation_pairs"] < len(data.pairs["probe"])
    assert row["test_pairs"] == len(data.pairs["test"])


def test_each_epoch_is_reported(data: Dataset) -> None:
    seen: list[Progress] = []
    result = finetune(Toy(), data, "share", replace(FAST, epochs=2), report=seen.append)
    assert [(p.epoch, p.epochs) for p in seen] == [(1, 2), (2, 2)]
    assert [p.terms["supcon"] for p in seen] == list(result.losses)
    assert [p.terms["validation"] for p in seen] == list(result.validation[1:])
    assert seen[-1].seconds_left == 0


def test_a_task_without_classes_is_refused(data: Dataset) -> None:
    samples = data.samples()
    numbers = {"share": replace(samples.tasks["share"], kind="numbers")}
    with pytest.raises(InputError, match="learns classes, but task 'share' is of kind numbers"):
        finetune(Toy(), replace(samples, tasks=numbers), "share")


def test_a_task_that_does_not_exist_is_refused(data: Dataset) -> None:
    with pytest.raises(InputError, match="unknown task 'uniqe1': did you mean 'unique1'"):
        finetune(Toy(), data, "uniqe1")


def test_a_loss_that_is_not_finite_stops_with_a_clear_word(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(F, "normalize", lambda z, **_: z * math.nan)
    with pytest.raises(TrainingError, match="not finite in epoch 1 of fine-tuning"):
        finetune(Toy(), data, "share", FAST)


# --------------------------------------------------------------------------- real methods

TINY: dict[str, Any] = {"width": 16, "heads": 2, "hidden": 16, "embedding": 8, "vector": 12}


@pytest.mark.parametrize("loss", SUPERVISED_LOSSES)
@pytest.mark.parametrize("method", methods_of_pairs())
def test_every_method_can_be_fine_tuned(tiny: Dataset, method: str, loss: SupervisedLoss) -> None:
    fresh = new_method(run_preset("tiny", method=method, **fitting(method, TINY)), tiny)
    settings = FineTuning(loss=loss, epochs=1, batch_size=16)
    result = finetune(fresh, tiny, "share", settings)
    assert 0 <= result.after <= 1
    assert math.isfinite(result.losses[0])
    assert not same_weights(fresh, result.method)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_learns_it_too(data: Dataset) -> None:
    result = finetune(Toy().cuda(), data, "unique1", FAST)
    assert result.after > 0.95


# --------------------------------------------------------------------------- the command

runner = CliRunner()


@pytest.fixture(scope="module")
def run(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of one epoch."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    train(tiny, run_preset("tiny", epochs=1, **TINY), folder)
    return folder


def test_the_command_prints_a_line_a_task_and_appends_rows(
    run: Path, tiny: Dataset, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    options = ["--task", "U1", "--task", "share", "--epochs", "1", "--batch-size", "16"]
    arguments = [str(run), *options, "--rows", str(rows), "--device", "cpu"]
    result = runner.invoke(app, ["finetune", *arguments])
    assert result.exit_code == 0, result.output
    assert "U1 (unique1)" in result.output
    assert "R (share)" in result.output
    kept = read_rows(rows)
    assert [row["task"] for row in kept] == ["unique1", "share"]
    assert all(row["kind"] == "finetune" and "commit" in row for row in kept)
    settings = FineTuning(epochs=1, batch_size=16)
    again = finetune(load_run(run, tiny), tiny, "unique1", settings)
    assert {name: kept[0][name] for name in measured(again)} == measured(again)


@pytest.mark.parametrize(
    "options",
    [["--task", "uniq"], ["--loss", "cross"], ["--learning-rate", "0"], ["--device", "tpu"]],
)
def test_the_command_refuses_what_does_not_exist(run: Path, options: list[str]) -> None:
    result = runner.invoke(app, ["finetune", str(run), *options])
    assert result.exit_code == 2
    assert "error:" in result.output


def test_the_command_names_a_folder_that_is_no_run(tmp_path: Path) -> None:
    result = runner.invoke(app, ["finetune", str(tmp_path)])
    assert result.exit_code == 2
    assert "config.json is missing" in result.output.replace("\n", "")
