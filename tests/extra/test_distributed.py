"""Two processes on one batch against one process on the same batch.

Everything that needs two processes happens in one pair of them, started once: importing torch takes
longer than all of it. Each leaves what it found in a file; the tests compare that with the same
computation in this process. In float64 a wrong gradient cannot hide behind rounding.
"""

import itertools
import math
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import TINY_DATA, images_for, tiny_run
from torch import Tensor, nn
from torch.multiprocessing import get_context

from trifeature.comm import run_folder, training
from trifeature.comm.encoders import resnet50_maps
from trifeature.comm.methods import METHODS, Loss, Method, Tensors, make_method
from trifeature.comm.methods.comm import CoMM
from trifeature.comm.methods.cross import Cross
from trifeature.comm.run_folder import CHECKPOINT, METRICS, WEIGHTS, TrainingError
from trifeature.comm.tensor_files import read_tensors
from trifeature.comm.training import Learner, new_method, pick_device, train
from trifeature.data.dataset import build
from trifeature.errors import InputError
from trifeature.extra.distributed import (
    ALONE,
    Distributed,
    Group,
    ShardExchange,
    SyncBatchNorm2d,
    is_distributed,
    is_rank_zero,
    own_device,
    process_group,
    synchronize_batch_norm,
)
from trifeature.files import read_rows
from trifeature.modality import Modality
from trifeature.views import Views
from trifeature.views.images import apply
from trifeature.views.sets import ViewSet

W = 2
Found = dict[str, Any]

DATA = replace(TINY_DATA, train_pairs=19)


together = pytest.mark.processes

# Adam turns rounding differences of gradients near 0 into steps of the rate's size: a small rate.
RUN = tiny_run(learning_rate=1e-4)
STEPS = 9  # three epochs of batches of 8, 8 and 3

# --------------------------------------------------------------------------- what both sides do

CASES: dict[str, dict[str, Any]] = {
    "comm": {},
    "comm, plain images, mask tokens": {"unimodal": "plain", "masking": "learned", "sizes": (5,)},
    "comm, linear fusion": {"fusion": "linear", "sizes": (5,)},
    "comm, no norm in the head": {"head_norm": False, "loss": "L_i", "sizes": (5,)},
    "comm, alexnet": {"encoder": "alexnet", "canvas": 64, "sizes": (5,)},
    "comm, three modalities": {"modalities": 3, "sizes": (5,)},
    "cross": {"method": "cross"},
    "cross, three modalities": {"method": "cross", "modalities": 3, "sizes": (5,)},
    "cross+self": {"method": "cross+self"},
    "cross+self as in the text": {"method": "cross+self", "cross_self": "paper", "sizes": (5,)},
    "factorcl": {"method": "factorcl"},
    "confu": {"method": "confu", "modalities": 3, "sizes": (5,)},
    "gram": {"method": "gram", "modalities": 3, "sizes": (5,)},
    "symile": {"method": "symile", "modalities": 3, "sizes": (5,)},
    "triangle": {"method": "triangle", "modalities": 3, "sizes": (5,)},
    "two-temperatures": {"method": "two-temperatures"},
    "comm+cross": {"method": "comm+cross"},
    "infmasking": {"method": "infmasking"},
    "infmasking, plain images": {"method": "infmasking", "unimodal": "plain", "sizes": (5,)},
    "coral": {"method": "coral"},
    "coral, three modalities": {"method": "coral", "modalities": 3, "sizes": (5,)},
    "dropping": {"method": "dropping"},
    "dropping, absent tokens": {"method": "dropping", "dropped": "absent", "sizes": (5,)},
    "hril": {"method": "hril", "synergy_target": 0.99},
    "hril, three modalities": {"method": "hril", "modalities": 3, "fused": True, "sizes": (5,)},
    "mae": {"method": "mae"},
    "cmc": {"method": "cmc"},
    "simclr": {"method": "simclr"},
}
SIZES = (7, 6, 3)
"""Pairs in three batches: shards of 4 + 3, 3 + 3 and 2 + 1."""


def in_double(views: Views, images: Tensor, parameters: Any) -> Tensor:
    """Views in float64, drawn and made in float32, of one image at a time.

    On some processors the rounding of a product depends on how many there are in the batch.
    """
    assert isinstance(views, ViewSet)
    ones = [slice(n, n + 1) for n in range(len(images))]
    made = [apply(images[one], parameters[one], views, dtype=torch.float64) for one in ones]
    return torch.cat(made)


def learn(case: dict[str, Any], group: Group) -> Found:
    """Some steps in float64: the losses of each, gradients of the first, the weights after."""
    modalities, canvas = case.get("modalities", 2), case.get("canvas", 32)
    run = tiny_run(**settings_of(case))
    torch.manual_seed(0)
    images = [Modality(f"image{m}", "image", (3, canvas, canvas)) for m in range(modalities)]
    method = METHODS[run.method](run, images).double().train()
    backend = Distributed(group)
    backend.prepare(method)
    method.apply_views = in_double
    learner = Learner.of(method, run, torch.device("cpu"))
    learner.set_learning_rate(1e-3)
    pixels = torch.Generator().manual_seed(2)
    losses, gradients = [], None
    for size in case.get("sizes", SIZES):
        shape = (size, modalities, 3, canvas, canvas)
        batch = torch.randint(256, shape, dtype=torch.uint8, generator=pixels).unbind(1)
        losses.append(training.step(learner, batch, backend)[1])
        gradients = gradients or gradients_of(method, phase=len(learner.optimizers) - 1)
    return {
        "losses": torch.stack(losses),
        "gradients": gradients,
        "weights": dict(method.state_dict()),
        "generator": learner.generator.get_state(),
    }


def settings_of(case: dict[str, Any]) -> dict[str, Any]:
    """What of a case is a setting of the run."""
    return {k: v for k, v in case.items() if k not in ("modalities", "canvas", "sizes")}


def gradients_of(method: Method, phase: int) -> dict[str, Tensor]:
    """The gradients that are there after a step, those of its last phase."""
    return {
        name: p.grad.clone()
        for name, p in method.named_parameters()
        if p.grad is not None and method.phase_of(name) == phase
    }


TOTAL = 5
DIMENSIONS = (0, 1, -2)


def batch(dimension: int) -> Tensor:
    shape = [2, 3, 4]
    shape[dimension] = TOTAL
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


def weights_of(rank: int, like: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(10 + rank)
    return torch.randn(like.shape, dtype=torch.float64, generator=generator)


def gathered(group: Group) -> list[tuple[Tensor, Tensor | None]]:
    """Of each dimension the gathered batch and the gradient of this process's shard.

    Each process minimizes something else, so that the backward pass must add up what all ask for.
    """
    shard = group.shard(TOTAL)
    found = []
    for dimension in DIMENSIONS:
        own = batch(dimension).narrow(dimension, shard.start, shard.stop - shard.start)
        own.requires_grad_()
        together = shard.gather(own, dimension)
        (weights_of(group.rank, together) * together.square()).sum().backward()
        found.append((together.detach(), own.grad))
    return found


def normalized(layer: nn.Module, maps: Tensor, upstream: Tensor) -> Found:
    """Output, gradients and statistics of a BatchNorm after two passes over maps [N, 3, 4, 4]."""
    layer.double().train()
    maps = maps.clone().requires_grad_()
    layer(maps.detach() * 2 - 1)
    out = layer(maps)
    out.backward(upstream)
    gradients = {name: p.grad for name, p in layer.named_parameters()}
    return {"out": out.detach(), "maps": maps.grad, **gradients, **dict(layer.named_buffers())}


def maps_and_upstream() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(6)
    shape = (2, TOTAL, 3, 4, 4)
    first, second = torch.randn(shape, dtype=torch.float64, generator=generator)
    return first * 3 + 100, second  # a mean far from 0 shows cancellation


def batch_norm() -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(3).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
        layer.bias.copy_(torch.tensor([-1.0, 0.0, 1.0]))
    return layer


def shard_norm(group: Group) -> Found:
    network = nn.Sequential(batch_norm())
    synchronize_batch_norm(network, group)
    shard = group.shard(TOTAL)
    own = slice(shard.start, shard.stop)
    maps, upstream = maps_and_upstream()
    return normalized(network[0], maps[own], upstream[own])


# --------------------------------------------------------------------------- the two processes


def message_of(action: Callable[..., object], *args: Any, **kwargs: Any) -> str:
    """Kind and text of the error that a call ends with."""
    try:
        action(*args, **kwargs)
    except (InputError, OSError, TrainingError, KeyboardInterrupt) as problem:
        return f"{type(problem).__name__}: {problem}"
    return "no error"


def fail_on(rank: int) -> Callable[[Group], int]:
    def function(group: Group) -> int:
        if group.rank == rank:
            raise InputError(f"process {rank} cannot")
        return group.rank

    return function


@contextmanager
def stopped_at(step: int, problem: BaseException) -> Iterator[None]:
    """Every process is stopped before one of its steps, with a checkpoint of every epoch."""
    counted, do = itertools.count(), training.step

    def step_or_stop(*args: Any) -> Any:
        if next(counted) == step:
            raise problem
        return do(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "step", step_or_stop)
        patch.setattr(run_folder, "CHECKPOINT_SECONDS", 0.0)
        yield


@contextmanager
def spoiled(step: int, when: Callable[[], bool]) -> Iterator[None]:
    """CoMM's loss is not a number from one step on, where `when` says so."""
    counted, good = itertools.count(), CoMM.loss_of

    def loss(self: CoMM, codes: Tensors) -> Loss:
        found = good(self, codes)
        bad = next(counted) >= step and when()
        return Loss(found.total * math.nan, found.terms) if bad else found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CoMM, "loss_of", loss)
        yield


def selfish(self: Cross, views: Tensors) -> Loss:
    """Cross whose samples meet before they are gathered."""
    return self.loss_of(self.codes_of(views))


def trainings(group: Group, folder: Path) -> Found:
    """Whole trainings, stopped ones and refused ones."""
    data = build(DATA)
    backend = Distributed(group)
    found: Found = {}
    probed: list[tuple[int, bool]] = []
    train(
        data,
        RUN,
        folder / "whole",
        backend=backend,
        evaluate=lambda method, epoch: probed.append((epoch, method.training)),
        report=lambda progress: probed.append((-1, progress.epochs == RUN.epochs)),
    )
    found["probed"] = probed
    with stopped_at(5, KeyboardInterrupt()):
        found["stop"] = message_of(train, data, RUN, folder / "stopped", backend=backend)
    if group.is_rank_zero:
        shutil.copytree(folder / "stopped", folder / "taken over")
    method = train(data, RUN, folder / "stopped", backend=backend)
    found["resumed"] = dict(method.state_dict())
    found["alone again"] = method.exchange is None and all(
        layer.group == ALONE for layer in method.modules() if isinstance(layer, SyncBatchNorm2d)
    )
    found["other run"] = message_of(
        train, data, replace(RUN, seed=4), folder / "whole", backend=backend
    )
    with spoiled(4, lambda: True):
        found["nan"] = message_of(train, data, RUN, folder / "nan", backend=backend)
    with spoiled(4, lambda: group.rank == 1):
        found["nan of one"] = message_of(train, data, RUN, folder / "nan of one", backend=backend)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cross, "objective", selfish)
        run = tiny_run(method="cross", batch_size=5)
        found["selfish"] = message_of(train, data, run, backend=backend)
    return found


def work(rank: int, port: int, folder: Path) -> None:
    """All that one of the two processes does."""
    torch.set_num_threads(1)
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(W),
        "LOCAL_WORLD_SIZE": str(W),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    with process_group() as group:
        assert group == Group(rank, W)
        with process_group() as again:
            assert again == group
        found: Found = {name: learn(case, group) for name, case in CASES.items()}
        found["gathered"] = gathered(group)
        found["norm"] = shard_norm(group)
        found["on_rank_zero"] = group.on_rank_zero(lambda: rank)
        found["rank zero fails"] = message_of(group.on_rank_zero, fail_on(0), group)
        found["on_all"] = group.on_all(fail_on(7), group)
        found["one fails"] = message_of(group.on_all, fail_on(1), group)
        found |= trainings(group, folder)
    torch.save(found, folder / f"{rank}.pt")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("two")


@pytest.fixture(scope="module")
def two(folder: Path) -> list[Found]:
    """What each of the two processes found."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = get_context("forkserver")
    context.set_forkserver_preload(["torch", "torchvision"])  # imported once for both
    processes = [context.Process(target=work, args=(r, port, folder)) for r in range(W)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
    ended = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    assert ended == [0] * W
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(W)]


def assert_close(ours: Any, expected: Any) -> None:
    """Equal within the rounding of float64."""
    torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)


def assert_same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert set(one) == set(other)
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


# --------------------------------------------------------------------------- every method


@together
@pytest.mark.parametrize("name", CASES)
def test_two_processes_learn_what_one_learns(name: str, two: list[Found]) -> None:
    expected = learn(CASES[name], ALONE)
    assert expected["gradients"]
    for found in two:
        assert_close(found[name]["losses"], expected["losses"])
        assert_close(found[name]["gradients"], expected["gradients"])
        # Where a gradient is only rounding, as that of a bias which BatchNorm takes away, AdamW
        # makes steps of up to 1e-6 of it; of any other error it would make steps of 1e-3.
        torch.testing.assert_close(found[name]["weights"], expected["weights"], rtol=0, atol=1e-5)
        assert torch.equal(found[name]["generator"], expected["generator"])


@together
@pytest.mark.parametrize("name", CASES)
def test_the_copies_of_the_network_do_not_drift_apart(name: str, two: list[Found]) -> None:
    first, second = (found[name] for found in two)
    assert_same_bits(first["weights"], second["weights"])
    assert_same_bits(first["gradients"], second["gradients"])


def test_every_method_is_among_the_cases() -> None:
    assert {tiny_run(**settings_of(case)).method for case in CASES.values()} == set(METHODS)


# --------------------------------------------------------------------------- the pieces


@together
@pytest.mark.parametrize("place", range(len(DIMENSIONS)))
def test_gathering_and_its_gradient_are_those_of_the_whole_batch(
    place: int, two: list[Found]
) -> None:
    whole = batch(DIMENSIONS[place]).requires_grad_()
    objective = sum((weights_of(rank, whole) * whole.square()).sum() for rank in range(W))
    assert isinstance(objective, Tensor)
    (gradient,) = torch.autograd.grad(objective, whole)
    shards = [found["gathered"][place] for found in two]
    for together, _ in shards:
        assert torch.equal(together, whole.detach())
    assert_close(torch.cat([own for _, own in shards], DIMENSIONS[place]), gradient)


@together
def test_a_shared_batch_norm_is_one_of_the_whole_batch(two: list[Found]) -> None:
    expected = normalized(batch_norm(), *maps_and_upstream())
    shards = [found["norm"] for found in two]
    for name in ("out", "maps"):
        assert_close(torch.cat([shard[name] for shard in shards]), expected[name])
    for name in ("weight", "bias"):
        assert_close(shards[0][name] + shards[1][name], expected[name])
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        for shard in shards:
            assert_close(shard[name], expected[name])


def test_sharing_statistics_keeps_names_parameters_and_buffers() -> None:
    network = resnet50_maps().eval()
    before = network.state_dict(keep_vars=True)
    synchronize_batch_norm(network, Group(0, 2))
    after = network.state_dict(keep_vars=True)
    assert list(after) == list(before)
    assert all(after[name] is tensor for name, tensor in before.items())
    layers = [x for x in network.modules() if isinstance(x, nn.BatchNorm2d)]
    assert len(layers) == 53
    assert all(isinstance(x, SyncBatchNorm2d) and not x.training for x in layers)


def test_alone_nothing_of_a_network_is_replaced() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3))
    synchronize_batch_norm(network, ALONE)
    assert type(network[0]) is nn.BatchNorm2d


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("total", [7, 8, 64, 65])
def test_shards_cover_a_batch_in_order_and_differ_by_one_at_most(total: int, size: int) -> None:
    shards = [Group(rank, size).shard(total) for rank in range(size)]
    assert [n for s in shards for n in range(s.start, s.stop)] == list(range(total))
    lengths = {s.stop - s.start for s in shards}
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("name", METHODS)
def test_a_shard_has_the_views_that_the_whole_batch_would_have(name: str) -> None:
    N = 5
    modalities = images_for(name)
    method = make_method(tiny_run(method=name), modalities).train()
    batch = torch.randint(256, (N, len(modalities), 3, 32, 32), dtype=torch.uint8).unbind(1)
    generators = [torch.Generator().manual_seed(4) for _ in range(3)]
    whole = method.views(batch, generators[0])
    for rank, generator in enumerate(generators[1:]):
        method.exchange = ShardExchange(Group(rank, 2))
        own = slice(*((0, 3) if rank == 0 else (3, 5)))
        for view, every in zip(method.views(batch, generator), whole, strict=True):
            expected = every.unflatten(0, (-1, N))[:, own].flatten(0, 1)
            torch.testing.assert_close(view, expected, rtol=0, atol=1e-5)
        assert torch.equal(generator.get_state(), generators[0].get_state())


def test_alone_a_shard_is_the_whole_batch() -> None:
    shard = ALONE.shard(4)
    x = torch.randn(4, 2)
    assert shard.whole
    assert shard.gather(x) is x
    assert ShardExchange(ALONE).local_indices(4, copies=2) is None


def test_in_evaluation_a_method_is_alone() -> None:
    method = new_method(RUN, build(DATA))
    Distributed(Group(1, 2)).prepare(method)
    items = torch.zeros(8, 3, 32, 32, dtype=torch.uint8)
    for training_mode, count in ((True, 4), (False, 8)):
        method.train(training_mode)
        assert len(method.augment(items, 0, torch.Generator())) == count


@together
def test_a_result_or_error_of_rank_zero_is_that_of_every_rank(two: list[Found]) -> None:
    assert [found["on_rank_zero"] for found in two] == [0, 0]
    assert [found["rank zero fails"] for found in two] == ["InputError: process 0 cannot"] * W


@together
def test_an_error_on_one_rank_is_raised_on_all(two: list[Found]) -> None:
    assert [found["on_all"] for found in two] == [0, 1]
    assert [found["one fails"] for found in two] == ["InputError: process 1 cannot"] * W


# --------------------------------------------------------------------------- whole trainings


@pytest.fixture(scope="module")
def single(folder: Path) -> Path:
    """The folder of the same run by one process."""
    train(build(DATA), RUN, folder / "single")
    return folder / "single"


def metrics(path: Path) -> list[dict[str, float]]:
    return [{k: v for k, v in r.items() if k != "seconds"} for r in read_rows(path / METRICS)]


def assert_metrics_close(path: Path, expected: Path) -> None:
    for row, other in zip(metrics(path), metrics(expected), strict=True):
        assert row == pytest.approx(other, rel=1e-3)


@together
def test_a_run_of_two_processes_is_a_run_of_one_up_to_rounding(
    two: list[Found], folder: Path, single: Path
) -> None:
    del two
    assert_metrics_close(folder / "whole", single)
    assert sorted(path.name for path in (folder / "whole").iterdir()) == sorted(
        path.name for path in single.iterdir()
    )
    ours, expected = (read_tensors(path / WEIGHTS)[0] for path in (folder / "whole", single))
    assert list(ours) == list(expected)


@together
def test_the_first_process_alone_evaluates_and_reports(two: list[Found]) -> None:
    # Before the first step, then of each epoch its last step and its evaluation.
    assert two[0]["probed"] == [(0, False)] + [
        call for epoch in (1, 2, 3) for call in ((-1, True), (epoch, False))
    ]
    assert two[1]["probed"] == []


@together
def test_a_run_of_two_processes_stopped_ends_with_the_same_bits(
    two: list[Found], folder: Path
) -> None:
    assert [found["stop"] for found in two] == ["KeyboardInterrupt: "] * W
    assert_same_bits(two[0]["resumed"], two[1]["resumed"])
    for name in (WEIGHTS, CHECKPOINT):
        resumed, whole = (read_tensors(folder / run / name)[0] for run in ("stopped", "whole"))
        assert_same_bits(resumed, whole)
    assert metrics(folder / "stopped") == metrics(folder / "whole")


@together
def test_one_process_goes_on_with_what_two_began(
    two: list[Found], folder: Path, single: Path
) -> None:
    del two
    assert [row["epoch"] for row in metrics(folder / "taken over")] == [1]
    train(build(DATA), RUN, folder / "taken over")
    assert_metrics_close(folder / "taken over", single)


@together
def test_a_trained_method_belongs_to_its_process_alone(two: list[Found]) -> None:
    assert [found["alone again"] for found in two] == [True, True]


@together
def test_a_refused_folder_stops_every_process(two: list[Found]) -> None:
    first, second = (found["other run"] for found in two)
    assert first == second
    assert "holds a run with other settings" in first


@together
@pytest.mark.parametrize("case", ["nan", "nan of one"])
def test_a_loss_that_is_not_finite_stops_every_process(case: str, two: list[Found]) -> None:
    first, second = (found[case] for found in two)
    assert first == second
    assert "the loss is not finite at step " in first


@together
def test_a_method_that_does_not_gather_is_refused(two: list[Found]) -> None:
    for found in two:
        assert found["selfish"].startswith("InputError: the processes do not compute the same loss")
        assert "samples interact in the method's `codes_of`" in found["selfish"]


# --------------------------------------------------------------------------- started by torchrun


@pytest.fixture
def as_rank(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """This process as torchrun would have started it."""

    def set_environment(rank: int, size: int) -> None:
        values = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size}
        for name, value in values.items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")

    return set_environment


Rank = Callable[[int, int], None]


def test_without_a_launcher_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    assert not is_distributed()
    assert is_rank_zero()
    with process_group() as group:
        assert group == ALONE


@pytest.mark.parametrize(
    ("rank", "size", "expected"),
    [(0, 1, (False, True)), (0, 2, (True, True)), (1, 2, (True, False))],
)
def test_a_launcher_is_known_by_what_it_sets(
    rank: int, size: int, expected: tuple[bool, bool], as_rank: Rank
) -> None:
    as_rank(rank, size)
    assert (is_distributed(), is_rank_zero()) == expected


@pytest.mark.parametrize(
    ("pairs", "batch_size", "size", "least"), [(19, 8, 4, 3), (17, 8, 9, 8), (5, 8, 6, 5)]
)
def test_a_batch_that_leaves_a_process_without_a_pair_is_refused(
    pairs: int, batch_size: int, size: int, least: int
) -> None:
    run, cpu = tiny_run(batch_size=batch_size), torch.device("cpu")
    words = f"smallest batch has {least} samples, too few for {size}"
    with pytest.raises(InputError, match=words):
        Distributed(Group(0, size)).check(pairs, run, cpu)
    Distributed(Group(0, least)).check(pairs, run, cpu)


def test_each_process_has_a_gpu_of_its_own(as_rank: Rank, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    as_rank(1, 2)
    assert own_device(pick_device("cuda")) == torch.device("cuda:1")
    assert chosen == [torch.device("cuda:1")]
    assert own_device(pick_device("cpu")) == torch.device("cpu")
    with pytest.raises(InputError, match="2 processes need a GPU each: give cuda, not cuda:0"):
        own_device(torch.device("cuda:0"))
    as_rank(1, 3)
    with pytest.raises(InputError, match="3 processes need as many GPUs, and there are 2"):
        own_device(torch.device("cuda"))


SCRIPT = """
from dataclasses import replace
from trifeature.cli import comm_probe_main
from trifeature.presets import PRESETS, QUICK

small = dict(copies=1, test_copies=1, train_pairs=24, probe_pairs=150, test_pairs=64)
tiny = dict(width=8, heads=2, hidden=8, embedding=4, vector=8, epochs=1, batch_size=8)
PRESETS["tiny"] = replace(QUICK, data={**QUICK.data, **small}, run={**QUICK.run, **tiny})
comm_probe_main()
"""


def torchrun(folder: Path, size: int, *words: str) -> subprocess.CompletedProcess[str]:
    """`comm-probe` on a preset of a second by so many processes."""
    script = folder / "comm-probe"
    script.write_text(SCRIPT)
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={size}"]
    command = [sys.executable, *launcher, str(script), *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(  # noqa: S603 - our own interpreter
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow  # starts torchrun three times, 15 seconds each
def test_train_under_torchrun_ends_as_a_run_of_one_process_does(tmp_path: Path) -> None:
    rows = {}
    for size in (1, 2):
        place = tmp_path / str(size)
        place.mkdir()
        said = torchrun(place, size, "train")
        assert said.returncode == 0, said.stderr
        assert said.stdout.count("run: runs/quick-comm-L_CoMM-biased-seed0-") == 1
        assert said.stdout.count("macro accuracy, %") == 1
        rows[size] = read_rows(place / "runs/rows.jsonl")
    assert [row["epoch"] for row in rows[2]] == [0, 1]
    assert rows[2][0]["R"] == rows[1][0]["R"]  # of the untrained network
    assert [row["key"] for row in rows[2]] == [row["key"] for row in rows[1]]
    assert rows[2][0]["device"] == f"2 × {rows[1][0]['device']}"
    again = torchrun(tmp_path / "2", 2, "train")
    assert "1 finished before: their rows are kept" in again.stdout
    assert len(read_rows(tmp_path / "2/runs/rows.jsonl")) == 2


@pytest.mark.slow  # starts torchrun, 15 seconds
def test_a_mistake_under_torchrun_is_one_line(tmp_path: Path) -> None:
    said = torchrun(tmp_path, 2, "train", "--batch-size", "25", "--data", "nowhere")
    assert said.returncode != 0
    assert said.stderr.count("error: nowhere") == 1
