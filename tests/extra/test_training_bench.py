"""The numbers of a bench are what they say: counts exact, times positive, shares consistent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_runs import TINY_DATA, methods_of_pairs, tiny_run
from torchvision.transforms import v2

from trifeature.comm.settings import RunSettings
from trifeature.data.dataset import Dataset, build
from trifeature.errors import InputError
from trifeature.extra.bench import training
from trifeature.extra.bench.reference import PairViews, bench_reference, torchvision_transform
from trifeature.extra.bench.training import Ideal, bench_training
from trifeature.probes import protocol
from trifeature.views.images import apply, draw
from trifeature.views.sets import ALL, CLEAN

CPU = torch.device("cpu")
DATA = replace(TINY_DATA, probe_pairs=60)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return build(DATA)


@pytest.mark.parametrize("name", methods_of_pairs())
def test_a_row_of_every_method(name: str, data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_matrix_peak", lambda *_: 1e9)
    monkeypatch.setattr(training, "_bandwidth", lambda *_: 1e9)
    monkeypatch.setattr(protocol, "COSTS", (0.01,))
    row = bench_training(data, tiny_run(method=name), CPU, steps=1, images=2)
    parts = [row[f"{part}_ms"] for part in ("step", "views", "encoders", "optimizer")]
    assert min(parts) > 0
    assert row["fusion_and_loss_ms"] >= 0
    assert row["share_of_matrix_peak"] == pytest.approx(
        row["gflop_a_step"] / row["step_ms"] * 1e3, rel=0.01
    )
    assert row["probing_seconds"] > 0
    assert -1 < row["loss"] < 100  # FactorCL's bounds may be below 0
    assert (row["bench"], row["method"], row["precision"]) == ("training", name, "float32")
    assert row["authors_step_ms"] is None  # of the paper's preset alone


def test_the_products_of_a_step_are_counted_exactly(data: Dataset) -> None:
    # Linear fusion: no attention. The small encoder's convolutions and each matrix once forwards;
    # backwards twice, but for the first convolution, whose input needs no gradient.
    settings = tiny_run(fusion="linear", vector=8)
    found = training._ideal(data, settings, CPU)
    views, n = 16, 8
    convolutions = [16 * 16 * 24 * 3 * 16, 8 * 8 * 48 * 24 * 16, 4 * 4 * 96 * 48 * 16]
    encoder = 2 * views * (2 * convolutions[0] + 3 * sum(convolutions[1:]) + 3 * 96 * 16 * 8)
    fusion = 3 * (2 * views * 8 * 8 + views * 16 * 8)
    head = 3 * 6 * n * (8 * 8 + 8 * 8 + 8 * 4)
    products_of_losses = found.flops / 2 - encoder - fusion - head
    # Five similarity matrices of 2N embeddings of length 4, and twice that backwards.
    assert products_of_losses == 5 * 16 * 16 * 4 * 3


def test_a_roofline_adds_products_and_bytes() -> None:
    ideal = Ideal(flops=2e9, bytes=1e9, peak_flops=1e12, bandwidth=1e12)
    assert ideal.roofline_ms == pytest.approx(3)
    row = ideal.row(step_ms=6)
    assert row["share_of_roofline"] == pytest.approx(0.5)
    assert row["share_of_matrix_peak"] == pytest.approx(1 / 3, abs=1e-4)


def test_the_plain_path_makes_pairs_of_views_and_is_timed(data: Dataset) -> None:
    (first, *_) = (PairViews(data, tiny_run())[i] for i in range(2))
    assert first.shape == (2, 2, 3, 32, 32)
    assert not torch.equal(first[0], first[1])
    row = bench_reference(data, tiny_run(), CPU, steps=1, workers=0)
    assert row["step_ms"] > 0
    assert (row["bench"], row["workers"]) == ("reference", 0)


def test_the_plain_paths_transforms_are_those_of_the_view_set(data: Dataset) -> None:
    image = data.images["train"][0]
    params = draw(CLEAN, 1, 32, torch.Generator())
    plain = torchvision_transform(CLEAN, 32)(image)
    torch.testing.assert_close(plain, apply(image[None], params, CLEAN)[0])
    made = torchvision_transform(ALL, 32)
    assert isinstance(made, v2.Compose)
    kinds = [type(step).__name__ for step in made.transforms]
    assert kinds == [
        "RandomResizedCrop",
        "RandomApply",
        "RandomGrayscale",
        "RandomApply",
        "RandomHorizontalFlip",
        "ToDtype",
        "Normalize",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "cross"}, "comm"),
        ({"unimodal": "plain"}, "augmented"),
        ({"batch_size": 30}, "30"),
    ],
)
def test_what_the_plain_path_cannot_do_is_refused(
    changes: dict[str, Any], message: str, data: Dataset
) -> None:
    with pytest.raises(InputError, match=message):
        bench_reference(data, tiny_run(**changes), CPU, workers=0)


def test_the_papers_preset_on_a_cpu_stands_beside_the_authors_step(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_time_steps", "_ideal", "probe", "new_method"):
        monkeypatch.setattr(training, name, _stub(name))
    for precision in ("float32", "bfloat16"):
        row = bench_training(data, RunSettings(precision=precision), CPU, steps=1, images=2)
        assert row["authors_step_ms"] == 13000
    changed = replace(RunSettings(), batch_size=32)
    assert bench_training(data, changed, CPU, steps=1, images=2)["authors_step_ms"] is None


def _stub(name: str) -> Any:
    """Stands in for what would take minutes with AlexNet."""
    answers: dict[str, Any] = {
        "_time_steps": (training.StepTimes(4.0, 1.0, 1.0, 1.0, 1.0), 1.0, 2.0),
        "_ideal": Ideal(1.0, 1.0, 1.0, 1.0),
        "new_method": torch.nn.Identity(),
    }
    return lambda *_, **__: answers.get(name)
