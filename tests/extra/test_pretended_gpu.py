"""The whole program on a device "cuda" that is pretended: nothing mixes devices, few lines wait."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pretended_gpu import PretendedGpu, eager_compiler, gpu, pretended_gpu
from recorded_graph import Recorded, recorded_graphs
from tiny_runs import TINY_DATA as DATA
from tiny_runs import methods_of_pairs, tiny_run
from torch import Tensor

from trifeature.comm import run_folder, training
from trifeature.comm.methods import Method
from trifeature.comm.run_folder import METRICS
from trifeature.comm.training import train
from trifeature.data.dataset import Dataset, build, preset
from trifeature.experiments.plan import Plan
from trifeature.experiments.run import carry_out
from trifeature.extra import accelerate
from trifeature.extra.accelerate import ChooseBackend
from trifeature.extra.bench import training as bench
from trifeature.files import read_rows
from trifeature.probes import authors

__all__ = ["gpu", "recorded_graphs"]  # fixtures: pytest finds them by their names

CUDA = torch.device("cuda")
SLOW = pytest.mark.slow  # a second or more each; CoMM and a plan carried out stand for them
METHODS = [
    "comm",
    *(pytest.param(name, marks=SLOW) for name in methods_of_pairs() if name != "comm"),
]


@pytest.fixture(scope="module")
def there() -> Dataset:
    """Data rendered on the device."""
    with pretended_gpu():
        return build(DATA, CUDA)


# --------------------------------------------------------------------------- what it notices


def test_tensors_know_where_they_are(gpu: PretendedGpu) -> None:
    x = torch.zeros(3, device="cuda")
    assert x.device == torch.device("cuda", 0)
    assert x.is_cuda
    assert (x[1:] + 1).sum().is_cuda
    assert torch.zeros_like(x).is_cuda
    assert torch.nn.Linear(3, 2).to("cuda")(x).is_cuda
    assert not torch.ones(3).is_cuda
    assert not x.cpu().is_cuda
    host = torch.arange(3.0)
    moved = host.to(CUDA)
    moved += 1
    assert host.tolist() == [0, 1, 2]
    assert torch.Generator("cuda").device.type == "cuda"
    assert gpu.operations > 0


def test_gradients_are_where_their_tensors_are(gpu: PretendedGpu) -> None:
    x = torch.ones(3, device="cuda", requires_grad=True)
    host = torch.ones(3, requires_grad=True)
    (x * host.to("cuda")).sum().backward()
    assert x.grad is not None
    assert host.grad is not None
    assert x.grad.is_cuda
    assert not host.grad.is_cuda
    with pytest.raises(RuntimeError, match="same device"):
        x.grad += host.grad
    assert {wait.why for wait in gpu.waits} == {"upload", "download"}


MIXTURES: list[Callable[[Tensor], Any]] = [
    lambda x: x + torch.ones(3),
    lambda x: torch.stack([x[0], torch.tensor(1.0)]),
    lambda x: x[:2].sum() * torch.ones(3),
    lambda x: torch.nn.functional.linear(x, torch.ones(2, 3)),
    lambda x: x.gather(0, torch.zeros(1, dtype=torch.int64)),
    lambda x: torch.from_numpy(x.cpu().numpy()).add_(x),
]


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("mixture", MIXTURES)
def test_a_mixture_of_devices_is_refused(mixture: Callable[[Tensor], Any]) -> None:
    with pytest.raises(RuntimeError, match="same device, but found at least two devices"):
        mixture(torch.zeros(3, device="cuda"))


def test_what_a_gpu_takes_from_the_host_is_taken(gpu: PretendedGpu) -> None:
    x = torch.zeros(3, device="cuda")
    assert (x + torch.tensor(2.0)).is_cuda
    assert x.fill_(torch.tensor(2.0)).tolist() == [2, 2, 2]
    assert {wait.why for wait in gpu.waits} == {"values are read"}
    with gpu.watch() as waits:
        assert x[torch.tensor([0, 1])].is_cuda
    assert [wait.why for wait in waits] == ["upload"]


def test_an_array_of_a_tensor_on_the_device_is_refused(gpu: PretendedGpu) -> None:
    x = torch.zeros(3, device="cuda")
    with pytest.raises(TypeError, match="can't convert cuda:0"):
        x.numpy()
    assert x.cpu().numpy().tolist() == [0, 0, 0]
    assert [wait.why for wait in gpu.waits] == ["download"]


@pytest.mark.usefixtures("gpu")
def test_a_generator_of_the_other_device_is_refused() -> None:
    with pytest.raises(RuntimeError, match="Expected a 'cuda' device type for generator"):
        torch.rand(3, device="cuda", generator=torch.Generator())
    with pytest.raises(RuntimeError, match="Expected a 'cpu' device type for generator"):
        torch.rand(3, generator=torch.Generator("cuda"))


WAITING: dict[str, Callable[[Tensor], Any]] = {
    "item": lambda x: x[0].item(),
    "bool": lambda x: bool(x[0] > 0),
    "int": lambda x: int(x[0]),
    "tolist": lambda x: x.tolist(),
    "cpu": lambda x: x.cpu(),
    "to": lambda x: x.to("cpu"),
    "to another": lambda x: x.to(torch.zeros(1)),
    "nonzero": lambda x: x.nonzero(),
    "mask": lambda x: x[x > 0],
    "unique": lambda x: x.unique(),
    "made of numbers": lambda x: x.new_tensor([1.0]),
    "upload": lambda _: torch.as_tensor([1.0], device="cuda"),
    "copy": lambda x: x.copy_(torch.ones(3)),
}


@pytest.mark.parametrize("wait", WAITING.values(), ids=WAITING)
def test_a_wait_is_noted_with_its_line(gpu: PretendedGpu, wait: Callable[[Tensor], Any]) -> None:
    x = torch.ones(3, device="cuda")
    (x.exp().sum() + x.new_zeros(())).mul_(2)
    x[x.isnan()] = 0.0
    assert gpu.waits == []
    wait(x)
    (found,) = gpu.waits
    assert found.where.startswith("test_pretended_gpu.py:")


# --------------------------------------------------------------------------- training


@pytest.mark.parametrize("name", METHODS)
def test_an_epoch_waits_only_for_its_reports(
    name: str, there: Dataset, gpu: PretendedGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "REPORT_STEPS", 2)
    ends: list[int] = []
    run = tiny_run(method=name, epochs=2, precision="bfloat16")
    method = train(
        there,
        run,
        device=CUDA,
        evaluate=lambda *_: ends.append(len(gpu.waits)),
        report=lambda _: None,
    )
    assert all(p.is_cuda for p in method.parameters())
    # Three steps: reports after the second and the last. The order of the samples is copied to the
    # device, and at the end all weights are asked whether they are finite, in one question.
    for first, last in itertools.pairwise(ends):
        epoch = [wait.why for wait in gpu.waits[first:last]]
        assert sorted(epoch[-4:]) == ["a value is read", "download", "download", "upload"]
    assert ends[2] - ends[1] == 4


def test_its_values_are_those_of_the_cpu(there: Dataset, tmp_path: Path) -> None:
    run = tiny_run(learning_rate=1e-4, schedule="constant", temperature=0.5, epochs=2)
    train(build(DATA), run, tmp_path / "here")
    with pretended_gpu():
        train(there, run, tmp_path / "there", device=CUDA)
    here, other = (
        [row["loss"] for row in read_rows(tmp_path / name / METRICS)] for name in ("here", "there")
    )
    assert other == pytest.approx(here, rel=1e-3)  # the layout of weights differs, and its rounding


@SLOW
@pytest.mark.usefixtures("gpu")
def test_a_stopped_run_goes_on_there(
    there: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder, "CHECKPOINT_SECONDS", 0.0)
    run = tiny_run(epochs=2)

    def stop(_: Method, epoch: int) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    whole = train(there, run, tmp_path / "whole", device=CUDA)
    with pytest.raises(KeyboardInterrupt):
        train(there, run, tmp_path / "stopped", device=CUDA, evaluate=stop)
    again = train(there, run, tmp_path / "stopped", device=CUDA)
    for one, other in zip(again.parameters(), whole.parameters(), strict=True):
        assert one.is_cuda
        assert torch.equal(one, other)


@SLOW
def test_the_default_of_a_gpu_captures_and_replays(
    there: Dataset, gpu: PretendedGpu, recorded_graphs: list[Recorded]
) -> None:
    accelerate._side_stream.cache_clear()
    run = tiny_run(epochs=2, precision="bfloat16")
    ends: list[int] = []
    with eager_compiler():
        train(
            there,
            run,
            device=CUDA,
            backend=ChooseBackend()(run, CUDA),
            evaluate=lambda *_: ends.append(len(gpu.waits)),
        )
    accelerate._side_stream.cache_clear()
    assert [graph.replays for graph in recorded_graphs] == [4, 2]
    assert [wait.why for wait in gpu.waits[ends[1] :]] == ["upload", "download", "a value is read"]


# --------------------------------------------------------------------------- experiments


def test_a_plan_is_carried_out_there(
    tmp_path: Path, gpu: PretendedGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authors, "ITERATIONS", 2)
    monkeypatch.setattr(authors, "COARSE", (1.0,))
    monkeypatch.setattr("trifeature.probes.protocol.COSTS", (0.01,))
    data = preset(
        "tiny",
        copies=1,
        test_copies=1,
        train_pairs=16,
        probe_pairs=150,
        test_pairs=70,
        match_rate=1.0,
    )
    plan = Plan("tiny", data, tiny_run(epochs=1), (), official=True, products=True)
    (row,) = carry_out(plan, tmp_path, device=CUDA)
    assert row["device"] == "pretended GPU"
    assert {"official", "products", "other_maps", "i_nce"} <= row.keys()
    assert json.dumps(row)
    assert gpu.operations > 0


@SLOW
def test_a_step_is_timed_there(there: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_matrix_peak", lambda *_: 1e9)
    monkeypatch.setattr(bench, "_bandwidth", lambda *_: 1e9)
    with pretended_gpu():
        run = tiny_run()
        row = bench.bench_training(there, run, CUDA, steps=1, images=2, probing=False)
    assert row["step_ms"] > 0
    assert row["peak_memory_gib"] == 0.001
    assert row["device"] == "pretended GPU"
