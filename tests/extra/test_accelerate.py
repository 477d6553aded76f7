"""How steps are carried out changes rounding alone, and nothing in them waits for the host."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pretended_gpu import pretended_gpu
from recorded_graph import Recorded, place_of, recorded_graphs, tensors_in
from tiny_runs import TINY_DATA as DATA
from tiny_runs import fitting, images_for, methods_of_pairs, tiny_run
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from trifeature.comm import run_folder
from trifeature.comm.methods import METHODS, Method, make_method
from trifeature.comm.methods.base import apply_views
from trifeature.comm.run_folder import METRICS
from trifeature.comm.settings import PRECISIONS, Precision, RunSettings
from trifeature.comm.training import (
    Backend,
    Learner,
    load_run,
    new_method,
    numerics,
    step,
    train,
)
from trifeature.data.dataset import Dataset, build
from trifeature.errors import InputError
from trifeature.extra import accelerate, fused_views
from trifeature.extra.accelerate import (
    Accelerated,
    Execution,
    ExecutionError,
    GraphedSteps,
    compiled,
)
from trifeature.extra.fused_views import apply_fused
from trifeature.files import read_rows
from trifeature.samples import Samples
from trifeature.views.images import apply, draw
from trifeature.views.sets import ALL, CLEAN

N, CANVAS = 8, 32
PAIRS = methods_of_pairs()
CPU = torch.device("cpu")


def gentle_run(**changes: Any) -> RunSettings:
    """So small a network with a batch of 8 is chaotic at the preset's rate and temperature."""
    gentle = fitting(changes.get("method", "comm"), {"temperature": 0.5})
    return tiny_run(learning_rate=1e-4, schedule="constant", **gentle, **changes)


def tiny_method(name: str, **changes: Any) -> Method:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make_method(tiny_run(method=name, **changes), images_for(name)).train()


def images(name: str) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    shape = (N, max(2, METHODS[name].least_modalities), 3, CANVAS, CANVAS)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8).unbind(1)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return build(DATA)


# --------------------------------------------------------------------------- precision


def gradient(method: Method, total: Tensor) -> Tensor:
    method.zero_grad()
    total.backward()
    return torch.cat([p.grad.flatten() for p in method.parameters() if p.grad is not None])


@pytest.mark.parametrize("name", METHODS)
def test_bfloat16_gives_loss_and_gradient_of_float32_on_the_same_views(name: str) -> None:
    # BatchNorm of 8 samples enlarges rounding: with it the cosine is 0.92 to 0.99, CoMM's too,
    # depending on the seed.
    method = tiny_method(name, **fitting(name, {"temperature": 0.2, "head_norm": False}))
    views = method.views(images(name), torch.Generator().manual_seed(0))
    found = {}
    for precision in PRECISIONS:
        with numerics(precision, CPU):
            loss = method.objective(views)
        found[precision] = (loss, gradient(method, loss.total))
    (exact, slope), (rounded, near) = (found[precision] for precision in PRECISIONS)
    assert rounded.total.dtype == torch.float32
    assert rounded.total.item() != exact.total.item()
    for term, value in exact.terms.items():
        # bfloat16 keeps 8 bits: 0.4 % of each product, some of which averages out.
        torch.testing.assert_close(rounded.terms[term], value, rtol=0.02, atol=0.02)
    assert torch.cosine_similarity(slope, near, dim=0) > 0.98


def test_numerics_leave_no_trace() -> None:
    def state() -> tuple[Any, ...]:
        flags = torch.backends.cudnn
        return (
            torch.get_float32_matmul_precision(),
            flags.benchmark,
            flags.allow_tf32,
            torch.is_autocast_enabled("cpu"),
        )

    before = state()
    with numerics("bfloat16", CPU):
        assert torch.is_autocast_enabled("cpu")
        assert torch.get_float32_matmul_precision() == "high"
    assert state() == before
    with pytest.raises(RuntimeError, match="size"), numerics("float32", CPU):
        torch.ones(2, 3) @ torch.ones(2)
    assert state() == before


@pytest.mark.parametrize("name", METHODS)
def test_steps_in_one_block_see_the_weights_that_the_optimizer_leaves(name: str) -> None:
    settings = tiny_run(method=name, precision="bfloat16", learning_rate=1e-2)
    found = []
    for blocks in (1, 3):
        learner = Learner.of(tiny_method(name), settings, CPU)
        losses = []
        for _ in range(blocks):
            with numerics("bfloat16", CPU):
                losses += [step(learner, images(name), Backend())[1] for _ in range(3 // blocks)]
        found.append(torch.stack(losses))
    assert torch.equal(found[0], found[1])
    assert len({row[0].item() for row in found[0]}) == 3


def test_a_run_in_bfloat16_ends_near_one_in_float32(data: Dataset, tmp_path: Path) -> None:
    for precision in PRECISIONS:
        train(data, gentle_run(precision=precision), tmp_path / precision)
    exact, rounded = (read_rows(tmp_path / p / METRICS) for p in PRECISIONS)
    assert [row["loss"] for row in rounded] != [row["loss"] for row in exact]
    assert [row["loss"] for row in rounded] == pytest.approx([r["loss"] for r in exact], rel=0.02)


def test_a_fast_gpu_is_the_default_for_bfloat16_alone() -> None:
    gpu = torch.device("cuda")
    assert Execution.default(gpu, "bfloat16") == Execution(compiled=True, graphs=True)
    assert Execution.default(gpu, "float32") == Execution()
    assert Execution.default(CPU, "bfloat16") == Execution()


# --------------------------------------------------------------------------- compiling


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What would be compiled runs as it is; its names are collected."""
    names: list[str] = []

    def keep(function: Any, **_: Any) -> Any:
        names.append(function.__name__)
        return function

    monkeypatch.setattr(torch, "compile", keep)
    fused_views._compiled.cache_clear()
    yield names
    fused_views._compiled.cache_clear()


@pytest.mark.parametrize(
    ("name", "precision"), [*((name, "float32") for name in PAIRS), ("factorcl", "bfloat16")]
)
def test_compiled_steps_minimize_the_same_losses(
    name: str, precision: Precision, data: Dataset, tmp_path: Path, uncompiled: list[str]
) -> None:
    run = gentle_run(method=name, precision=precision)
    for kind in (Execution(), Execution(compiled=True)):
        train(data, run, tmp_path / str(kind.compiled), backend=kind.backend())
    method = tiny_method(name)
    assert set(uncompiled) == {"_apply", *(f.__name__ for f in method.objectives())}
    plain, fused = (read_rows(tmp_path / kind / METRICS) for kind in ("False", "True"))
    for one, other in zip(plain, fused, strict=True):
        assert other["loss"] == pytest.approx(
            one["loss"], rel=0.02, abs=0.02
        )  # half-precision views


def test_after_compiled_steps_a_method_is_itself_again(uncompiled: list[str]) -> None:
    learner = Learner.of(tiny_method("factorcl"), tiny_run(method="factorcl"), CPU)
    plain = learner.objectives
    with compiled(learner):
        assert learner.method.apply_views is not apply_views
    assert learner.method.apply_views is apply_views
    assert learner.objectives == plain
    assert uncompiled == ["objective", "critic_objective"]


@pytest.mark.slow  # a compiler takes minutes on a CPU
@pytest.mark.filterwarnings("default")  # the compiler's own are not for us to mend
def test_the_compiler_takes_a_step_as_one_graph_and_keeps_it_for_the_next_run(
    data: Dataset, tmp_path: Path
) -> None:
    torch._dynamo.reset()
    fused_views._compiled.cache_clear()
    counts = torch._dynamo.utils.counters["stats"]
    counts.clear()
    found = []
    for seed in (3, 4):
        backend = Execution(compiled=True).backend()
        train(data, tiny_run(seed=seed), tmp_path / str(seed), backend=backend)
        found.append(counts["unique_graphs"])
    assert found == [2, 2]  # views and loss, for both runs together
    plain = train(data, tiny_run(seed=3), tmp_path / "plain")
    assert not plain.training
    fused, eager = (read_rows(tmp_path / kind / METRICS) for kind in ("3", "plain"))
    for one, other in zip(eager, fused, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=0.02)


# --------------------------------------------------------------------------- the host


@pytest.mark.parametrize(
    ("name", "changes"),
    [*((name, {}) for name in METHODS), ("comm", {"unimodal": "plain", "masking": "learned"})],
    ids=str,
)
def test_no_step_exchanges_anything_with_the_host(name: str, changes: dict[str, Any]) -> None:
    method = tiny_method(name, **changes)
    views = method.views(images(name), torch.Generator())
    params = draw(ALL, N, CANVAS, torch.Generator())
    with pretended_gpu() as gpu:
        method.to("cuda")
        pixels, drawn = images(name)[0].to("cuda"), params.to("cuda")
        there = tuple(view.to("cuda", torch.float16) for view in views)
        with gpu.watch() as control:
            pixels[torch.zeros(2, dtype=torch.int64)].float().sum().item()
        with gpu.watch() as waits, torch.autocast("cuda", torch.bfloat16):
            apply_fused(ALL, pixels, drawn, compiled=False)
            apply(pixels, drawn, ALL)
            apply(pixels, drawn, CLEAN)
            losses = [objective(there) for objective in method.objectives()]
    assert [wait.why for wait in control] == ["upload", "a value is read"]
    assert waits == []
    assert all(gpu.on_device(loss.total) for loss in losses)


# --------------------------------------------------------------------------- CUDA graphs


def test_graphs_without_a_gpu_are_refused(data: Dataset) -> None:
    with pytest.raises(InputError, match="CUDA graphs need a GPU"):
        train(data, tiny_run(), backend=Execution(graphs=True).backend())


def test_plain_execution_is_the_plain_backend() -> None:
    assert type(Execution().backend()) is Backend
    assert Execution(graphs=True).backend() == Accelerated(Execution(graphs=True))


def test_a_learning_rate_on_the_device_is_set_in_place() -> None:
    learner = Learner.of(tiny_method("comm"), tiny_run(), CPU)
    on_device = torch.tensor(0.5)
    learner.optimizers[0].param_groups[0]["lr"] = on_device
    learner.set_learning_rate(0.125)
    assert on_device.item() == 0.125
    assert learner.optimizers[0].param_groups[0]["lr"] is on_device
    assert learner.optimizers[0].param_groups[1]["lr"] == 0.125


__all__ = ["recorded_graphs"]  # a fixture: pytest finds it by its name
# The same in float32, which is what a rate on the device is.
RATES = (2**-9, 2**-8, 2**-7, 2**-8, 2**-9)
SIZES = (8, 8, 4, 8, 4)  # as over two epochs: full batches and a smaller last one


def graphed(learner: Learner, data: Dataset) -> GraphedSteps:
    samples = data.samples()
    rows = samples.rows_of("train")
    LASTING[:] = [rows, *samples.items["train"]]
    return GraphedSteps(
        learner, lambda places: step(learner, samples.batch("train", rows[places]), Backend())
    )


LASTING: list[Tensor] = []
"""What a captured step reads of the samples."""


class Nothing(TorchDispatchMode):
    """Changes nothing; under any such mode, as a recorder is, some gradients round otherwise."""

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return function(*args, **(kwargs or {}))


SLOW = pytest.mark.slow  # two to four seconds each; CoMM in float32 stands for them every time


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("comm", "float32"),
        *(pytest.param(name, "float32", marks=SLOW) for name in PAIRS if name != "comm"),
        pytest.param("comm", "bfloat16", marks=SLOW),
    ],
)
def test_captured_and_replayed_steps_are_the_same_to_the_bit(
    name: str, precision: Precision, data: Dataset, recorded_graphs: list[Recorded]
) -> None:
    settings = tiny_run(method=name, precision=precision)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0))
    found = []
    for graphs in (False, True):
        learner = Learner.of(new_method(settings, data, CPU), settings, CPU)
        learner.method.train()
        replaying = graphed(learner, data)
        losses = []
        with (
            Backend().steps(learner, data.samples()) as eager,
            numerics(precision, CPU),
            Nothing(),  # type: ignore[no-untyped-call]  # torch types it not
        ):
            take = replaying if graphs else eager
            for rate, size in zip(RATES, SIZES, strict=True):
                learner.set_learning_rate(rate)
                losses.append(take(order[:size])[1])
        kept = kept_by(learner)
        found.append([*losses, *kept, learner.generator.get_state()])
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)
    assert [graph.replays for graph in recorded_graphs] == [3, 2]
    # What a captured step reads must live as long as the learner.
    lasting = {place_of(tensor) for tensor in [*kept, *LASTING]}
    rates = {place_of(group["lr"]) for o in learner.optimizers for group in o.param_groups}
    for graph, captured in zip(recorded_graphs, replaying._captured.values(), strict=True):
        assert graph.read.keys() <= lasting | rates | {place_of(captured.indices)}
        assert rates <= graph.read.keys()


def kept_by(learner: Learner) -> list[Tensor]:
    """Weights, buffers and moments."""
    moments = [list(o.state.values()) for o in learner.optimizers]
    return [*learner.method.parameters(), *learner.method.buffers(), *tensors_in(moments)]


def test_a_run_of_captured_steps_resumes_to_the_same_bits(
    data: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recorded_graphs: list[Recorded],
) -> None:
    monkeypatch.setattr(run_folder, "CHECKPOINT_SECONDS", 0.0)
    settings = tiny_run(epochs=3, learning_rate=2**-9, schedule="constant")
    train(data, settings, tmp_path / "eager")
    assert not recorded_graphs

    class Recording(Backend):
        @contextmanager
        def steps(self, learner: Learner, _: Samples) -> Iterator[GraphedSteps]:
            yield graphed(learner, data)

    def stop(_: Method, epoch: int) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(data, settings, tmp_path / "graphs", backend=Recording(), evaluate=stop)
    train(data, settings, tmp_path / "graphs", backend=Recording())
    assert len(recorded_graphs) == 4  # two sizes of a batch, before the stop and after it
    eager, again = (read_rows(tmp_path / kind / METRICS) for kind in ("eager", "graphs"))
    assert [row["loss"] for row in again] == [row["loss"] for row in eager]
    weights = [load_run(tmp_path / kind, data).state_dict() for kind in ("eager", "graphs")]
    for one, other in zip(*(tensors_in(state) for state in weights), strict=True):
        assert torch.equal(one, other)


@pytest.mark.usefixtures("recorded_graphs")
def test_no_garbage_is_collected_amid_a_capture(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    collecting = []
    learner = Learner.of(tiny_method("comm"), tiny_run(), CPU)
    steps = graphed(learner, data)
    true_step = steps.take_step

    def spy(places: Tensor) -> Any:
        collecting.append(gc.isenabled())
        return true_step(places)

    monkeypatch.setattr(steps, "take_step", spy)
    steps(torch.arange(8))
    assert collecting == [True] * accelerate.WARM_UP + [False]
    assert gc.isenabled()


@pytest.mark.usefixtures("recorded_graphs")
def test_a_capture_that_fails_names_the_way_around(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    steps = graphed(Learner.of(tiny_method("comm"), tiny_run(), CPU), data)
    true_step = steps.take_step

    def waits(places: Tensor) -> Any:
        calls.append(places)
        names, values = true_step(places)
        if len(calls) > accelerate.WARM_UP:
            values[0].item()
        return names, values

    monkeypatch.setattr(steps, "take_step", waits)
    take = accelerate._with_clear_errors(steps)
    with pytest.raises(ExecutionError, match=r"not permitted.*_local_scalar.*--execution plain"):
        take(torch.arange(8))


def test_a_compiler_that_fails_names_the_way_around(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(function: Any, **_: Any) -> Any:
        def call(*_: Any) -> Any:
            raise RuntimeError("Failed to find C compiler\nlong story")

        call.__name__ = function.__name__
        return call

    monkeypatch.setattr(torch, "compile", broken)
    fused_views._compiled.cache_clear()
    with pytest.raises(ExecutionError, match=r"find C compiler\): use --execution plain"):
        train(data, tiny_run(), backend=Execution(compiled=True).backend())
    fused_views._compiled.cache_clear()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(
    "name", ["comm", *(pytest.param(name, marks=SLOW) for name in PAIRS if name != "comm")]
)
def test_replayed_steps_are_those_taken_one_by_one(name: str, data: Dataset) -> None:
    # Not to the bit: biases before a BatchNorm have no gradient but rounding, which AdamW makes as
    # large as any other. At the preset's rate and temperature rounding of 1e-6 of a gradient
    # changes losses by 6 %; here by 0.1 %, and the weights' change by 3 %.
    device, settings = torch.device("cuda"), gentle_run(method=name)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0)).to(device)
    seen, changes = [], []
    for graphs in (False, True):
        learner = Learner.of(new_method(settings, data, device), settings, device)
        before = [x.detach().clone() for x in learner.method.train().parameters()]
        losses = []
        with (
            Execution(graphs=graphs).backend().steps(learner, data.samples().to(device)) as take,
            numerics("float32", device),
        ):
            for rate, size in zip(RATES, SIZES, strict=True):
                learner.set_learning_rate(rate / 16)
                losses.append(take(order[:size])[1].cpu())
        seen.append(torch.stack(losses))
        after = zip(learner.method.parameters(), before, strict=True)
        changes.append(torch.cat([(x.detach() - old).flatten() for x, old in after]).cpu())
    torch.testing.assert_close(seen[1], seen[0], rtol=0.01, atol=0.01)
    assert (changes[1] - changes[0]).norm() < 0.1 * changes[0].norm()


@pytest.mark.gpu
@pytest.mark.slow  # a compiler takes a minute
@pytest.mark.filterwarnings("default")  # the compiler's own
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_fast_run_on_a_gpu_resumes_and_ends_near_the_reference(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder, "CHECKPOINT_SECONDS", 0.0)
    fast = gentle_run(precision="bfloat16")
    backend = Accelerated(Execution.default(torch.device("cuda"), "bfloat16"))
    train(data, fast, tmp_path / "fast", device="cuda", backend=backend)

    def stop(_: Method, epoch: int) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(data, fast, tmp_path / "again", device="cuda", backend=backend, evaluate=stop)
    train(data, fast, tmp_path / "again", device="cuda", backend=backend)
    train(data, replace(fast, precision="float32"), tmp_path / "slow", device="cuda")
    whole, again, slow = (
        [row["loss"] for row in read_rows(tmp_path / kind / METRICS)]
        for kind in ("fast", "again", "slow")
    )
    assert again == pytest.approx(whole, rel=0.01)
    assert whole == pytest.approx(slow, rel=0.05)


def test_a_step_reports_loss_and_terms() -> None:
    learner = Learner.of(tiny_method("factorcl"), tiny_run(method="factorcl"), CPU)
    names, values = step(learner, images("factorcl"), Backend())
    assert names == ["loss", "I_1", "I_2", "I_3", "I_4", "I_5", "I_6", "loss_2"]
    assert values.shape == (8,)
