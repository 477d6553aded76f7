"""Runs on Ray: what is asked for, when, and what a killed node leaves. Most need no Ray."""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from planned_runs import SECONDS, make, measured, row_of

import trifeature
from trifeature.cli import comm_probe_main
from trifeature.comm.run_folder import METRICS, TrainingError
from trifeature.errors import InputError
from trifeature.experiments import execute as execution
from trifeature.experiments.execute import Outcome, execute
from trifeature.experiments.plan import Plan, Row
from trifeature.extra import ray_executor
from trifeature.extra.ray_executor import Cluster, RayExecutor, Request, make_request
from trifeature.files import append_row, read_rows

CPU_NODE, GPU_NODE = {"CPU": 4.0, "memory": 1e9}, {"CPU": 8.0, "GPU": 2.0}

# --------------------------------------------------------------------------- what is asked for


@pytest.mark.parametrize(
    ("wish", "device", "nodes", "request_"),
    [
        (Cluster(), None, [CPU_NODE], Request(1, 0)),
        (Cluster(), None, [CPU_NODE, GPU_NODE], Request(1, 1)),
        (Cluster(), "cpu", [GPU_NODE], Request(1, 0)),
        (Cluster(), "cuda", [GPU_NODE], Request(1, 1)),
        (Cluster(cpus=4), None, [CPU_NODE], Request(4, 0)),
        (Cluster(cpus=2, gpus=0.5), None, [GPU_NODE], Request(2, 0.5)),
        (Cluster(gpus=0), None, [GPU_NODE], Request(1, 0)),
    ],
)
def test_a_run_asks_for_one_gpu_where_there_is_one_else_for_one_cpu(
    wish: Cluster, device: str | None, nodes: list[dict[str, float]], request_: Request
) -> None:
    made = make_request(wish, device, nodes)
    assert made == request_
    assert made.device.type == ("cuda" if request_.gpus else "cpu")


@pytest.mark.parametrize(
    ("wish", "device", "nodes", "message"),
    [
        (Cluster(), "cuda", [CPU_NODE], "no node .* what a run asks for .CPU: 1 and GPU: 1."),
        (Cluster(cpus=5), None, [CPU_NODE, CPU_NODE], "no node .* what a run asks for .CPU: 5."),
        (Cluster(), None, [], "no node"),
        (Cluster(gpus=1), "cpu", [GPU_NODE], "--device cpu and --gpus-per-run 1 contradict"),
        (Cluster(gpus=0), "cuda", [GPU_NODE], "--device cuda and --gpus-per-run 0 contradict"),
        (Cluster(gpus=1.5), None, [GPU_NODE], "must be a fraction of 1 or a whole number"),
        (Cluster(), "cuda:1", [GPU_NODE], "Ray chooses which GPU"),
    ],
)
def test_what_no_node_can_give_is_refused(
    wish: Cluster, device: str | None, nodes: list[dict[str, float]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make_request(wish, device, nodes)


def test_the_scarcest_resource_says_how_many_runs_a_node_holds() -> None:
    assert Request(1, 0).fits(CPU_NODE) == 4
    assert Request(3, 0).fits(CPU_NODE) == 1
    assert Request(1, 0.5).fits(GPU_NODE) == 4
    assert Request(8, 1).fits(GPU_NODE) == 1
    assert Request(1, 1).fits(CPU_NODE) == 0


# --------------------------------------------------------------------------- without a cluster


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line with which `comm-probe reproduce table4` ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["comm-probe", "reproduce", "table4", *words])
        with pytest.raises(SystemExit) as stop:
            comm_probe_main()
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_without_ray_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)  # what an import that fails leaves
    line = refusal(capsys, "--executor", "ray")
    assert line == "error: --executor ray needs Ray: pip install 'trifeature[ray]'"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--executor", "rya"], "unknown executor 'rya': did you mean 'ray'?"),
        (["--ray-address", "head:6379"], "--ray-address needs --executor ray"),
        (["--gpus-per-run", "2"], "--gpus-per-run needs --executor ray"),
        (["--executor", "ray", "--jobs", "2"], "--jobs is for --executor local"),
    ],
)
def test_options_of_the_other_executor_are_refused(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refusal(capsys, *words)


@pytest.mark.parametrize("where", ["option", "environment"])
def test_where_nothing_listens_is_known_at_once(
    where: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", FakeRay(connected=False))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    words = ["--ray-address", address] if where == "option" else []
    monkeypatch.setenv("RAY_ADDRESS", address if where == "environment" else "elsewhere:1")
    line = refusal(capsys, "--executor", "ray", *words)
    assert line.startswith(f"error: no Ray cluster answers at {address}: ")


@pytest.mark.parametrize("address", ["head", "head:", ":1", "ray://head", "local"])
def test_an_address_is_host_and_port(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", FakeRay(connected=False))
    line = refusal(capsys, "--executor", "ray", "--ray-address", address)
    assert line == f"error: a Ray cluster's address is HOST:PORT or auto, not {address!r}"


# --------------------------------------------------------------------------- what Ray is handed


class Reference:
    """A task that was handed over; it runs when its result is asked for."""

    def __init__(self, name: str, run: Callable[[], Any]) -> None:
        self.name, self.run = name, run


class RayError(Exception):
    """Of `ray.exceptions`: a worker or node died."""


class RaySystemError(RayError):
    """Of `ray.exceptions`: among others, what was sent cannot be read."""


class RayTaskError(RayError):
    """Of `ray.exceptions`: a task raised."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(f"{cause}\ntraceback of two machines")
        self.cause = cause


class FakeRay(SimpleNamespace):
    """The functions of Ray that we call, in this process, one task after another."""

    exceptions = SimpleNamespace(
        RayError=RayError, RaySystemError=RaySystemError, RayTaskError=RayTaskError
    )

    def __init__(self, *, cpus: int = 2, connected: bool = True) -> None:
        super().__init__(asked={}, waiting=[], canceled=[], late=0.0, died=None)
        self.cpus, self.connected = cpus, connected

    def is_initialized(self) -> bool:
        return self.connected

    def nodes(self) -> list[dict[str, Any]]:
        dead = {"Alive": False, "Resources": {"CPU": 64.0}}
        return [dead, *({"Alive": True, "Resources": {"CPU": 1.0}} for _ in range(self.cpus))]

    def remote(self, **asked: Any) -> Callable[[Callable[..., Any]], Any]:
        self.asked = asked

        def decorate(function: Callable[..., Any]) -> Any:
            def options(name: str) -> Any:
                return SimpleNamespace(
                    remote=lambda *words: Reference(name, lambda: function(*words))
                )

            return SimpleNamespace(options=options)

        return decorate

    def wait(
        self, references: Sequence[Reference], num_returns: int
    ) -> tuple[Sequence[Reference], Sequence[Reference]]:
        self.waiting.append(len(references))
        return references[:num_returns], references[num_returns:]

    def get(self, reference: Reference) -> Any:
        if self.died is not None:
            raise self.died
        time.sleep(self.late)
        return reference.run()

    def cancel(self, reference: Reference, *, force: bool) -> None:
        assert force
        self.canceled.append(reference.name)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    """Two CPUs, and runs that end at once with a row that says they took `SECONDS`."""
    ray = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", ray)

    def carry_out(plan: Plan, folder: Path, **rest: Any) -> list[Row]:
        assert folder.is_absolute()
        assert folder.name == plan.name
        assert rest["device"] == torch.device("cpu")
        if plan.run.seed == 13:
            raise InputError("unlucky")
        return [row_of(plan)]

    monkeypatch.setattr(execution, "carry_out", carry_out)
    return ray


def keys(path: Path) -> list[str]:
    return [row["key"] for row in read_rows(path)]


def test_missing_runs_are_handed_over_at_once_and_their_rows_written_here(
    fake: FakeRay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = tmp_path / "rows.jsonl"
    append_row(rows, row_of(make(1)))
    told: list[int] = []
    outcome = execute(
        [make(n) for n in range(4)],
        executor=RayExecutor(),
        runs=Path("runs"),
        rows=rows,
        callback=lambda plan, _: told.append(plan.run.seed),
    )
    assert outcome == Outcome([make(0), make(2), make(3)], skipped=1, left=[])
    assert keys(rows) == [make(n).key for n in (1, 0, 2, 3)]
    assert (told, fake.waiting, fake.canceled) == ([0, 2, 3], [3, 2, 1], [])
    retried = {"max_retries": ray_executor.RETRIES, "retry_exceptions": False}
    assert fake.asked == {"num_cpus": 1, "num_gpus": 0.0, **retried}


def test_nothing_missing_needs_no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", FakeRay(connected=False))
    rows = tmp_path / "rows.jsonl"
    append_row(rows, row_of(make(1)))
    outcome = execute(
        [make(1)], executor=RayExecutor(Cluster("nowhere:1")), runs=tmp_path, rows=rows
    )
    assert outcome == Outcome([], skipped=1, left=[])


def test_with_a_time_budget_no_more_are_handed_over_than_run_at_once(
    fake: FakeRay, tmp_path: Path
) -> None:
    plans = [make(n) for n in range(5)]
    rows = tmp_path / "rows.jsonl"
    outcome = execute(
        plans, executor=RayExecutor(), runs=tmp_path, rows=rows, time_budget=SECONDS / 2
    )
    # Two were under way before it was known that a run takes longer than there is time.
    assert (outcome.finished, outcome.left) == (plans[:2], plans[2:])
    assert fake.waiting == [2, 1]
    assert keys(rows) == [plan.key for plan in plans[:2]]


def test_a_run_that_ray_starts_too_late_is_left(fake: FakeRay, tmp_path: Path) -> None:
    fake.late = 0.2
    rows = tmp_path / "rows.jsonl"
    outcome = execute([make(0)], executor=RayExecutor(), runs=tmp_path, rows=rows, time_budget=0.1)
    assert (outcome.finished, outcome.left) == ([], [make(0)])
    assert fake.waiting == [1]
    assert not rows.exists()


def test_a_run_that_fails_is_raised_and_the_others_canceled(fake: FakeRay, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    plans = [make(n) for n in (0, 13, 1, 2)]
    with pytest.raises(InputError, match=r"^unlucky$"):
        execute(plans, executor=RayExecutor(), runs=tmp_path, rows=rows)
    assert keys(rows) == [plans[0].key]
    assert fake.canceled == [plan.describe() for plan in plans[2:]]


def test_ctrl_c_cancels_what_is_under_way(fake: FakeRay, tmp_path: Path) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    rows = tmp_path / "rows.jsonl"
    with pytest.raises(KeyboardInterrupt):
        execute([make(0), make(1)], executor=RayExecutor(), runs=tmp_path, rows=rows, callback=stop)
    assert fake.canceled == [make(1).describe()]
    assert keys(rows) == [make(0).key]


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        (RayError("The node died.\nmore"), TrainingError, r"died 6 times .*: The node died\.$"),
        (
            RayTaskError(RaySystemError("No module named 'trifeature'\nmore")),
            InputError,
            r"install this version of trifeature there \(No module named 'trifeature'\)$",
        ),
        (RayTaskError(ZeroDivisionError("a defect")), RayTaskError, "two machines"),
    ],
)
def test_what_ray_raises_becomes_one_line_unless_it_is_a_defect(
    raised: Exception, kind: type[Exception], message: str, fake: FakeRay, tmp_path: Path
) -> None:
    fake.died = raised
    with pytest.raises(kind, match=message):
        execute([make(0)], executor=RayExecutor(), runs=tmp_path, rows=tmp_path / "rows.jsonl")


def test_a_node_with_another_version_is_refused_before_it_trains(
    fake: FakeRay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get(reference: Reference) -> Any:
        monkeypatch.setattr(trifeature, "__version__", "0.0.9")
        return reference.run()

    monkeypatch.setattr(fake, "get", get)
    with pytest.raises(InputError, match=r"another trifeature .*\(0\.0\.9, here"):
        execute([make(0)], executor=RayExecutor(), runs=tmp_path, rows=tmp_path / "rows.jsonl")


# --------------------------------------------------------------------------- a real cluster


def until(true: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head of one CPU, on this machine; tests add the second node."""
    local = pytest.importorskip("ray.cluster_utils").Cluster
    root = str(Path(trifeature.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", root)  # the nodes run the code under test
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    made = local(initialize_head=True, head_node_args=NODE)
    try:
        yield made
    finally:
        made.shutdown()


NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}


# A cluster takes half a minute to start, and nothing but a cluster has nodes that die.
@pytest.mark.slow
def test_a_node_that_is_killed_loses_no_run_and_rows_equal_the_local_ones(
    cluster: Any, tmp_path: Path
) -> None:
    second = cluster.add_node(**NODE)
    plans = [make(seed, epochs=200) for seed in range(2)]
    runs, rows, local = tmp_path / "runs", tmp_path / "rows.jsonl", tmp_path / "local.jsonl"
    seen: list[bool] = []

    def kill() -> None:
        until(lambda: len(list(runs.glob(f"*/{METRICS}"))) >= 2)
        cluster.remove_node(second, allow_graceful=False)
        seen.append(rows.exists())

    killer = threading.Thread(target=kill)
    killer.start()
    outcome = execute(
        plans,
        executor=RayExecutor(Cluster(cluster.address)),
        runs=runs,
        rows=rows,
        keep_weights=False,
    )
    killer.join()
    assert seen == [False]  # both nodes were at work on their first run
    assert {plan.key for plan in outcome.finished} == {plan.key for plan in plans}
    assert sorted(keys(rows)) == sorted(plan.key for plan in plans)
    execute(plans, runs=tmp_path / "local", rows=local, keep_weights=False)
    assert measured(rows) == measured(local)


@pytest.mark.slow  # as above
def test_failures_and_stops_free_the_cluster(cluster: Any, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    ray.init(address=cluster.address, logging_level="ERROR", log_to_driver=False)
    rows = tmp_path / "rows.jsonl"
    long = make(1, epochs=10**6)
    bad = make(0, loss="L_3")
    with pytest.raises(InputError, match=r"^unknown loss 'L_3'"):
        execute([bad, long], executor=RayExecutor(), runs=tmp_path / "runs", rows=rows)
    assert not rows.exists()

    def stop() -> None:
        until(lambda: any((tmp_path / "stopped").glob(f"*/{METRICS}")))
        os.kill(os.getpid(), 2)

    threading.Thread(target=stop).start()
    with pytest.raises(KeyboardInterrupt):
        execute([long], executor=RayExecutor(), runs=tmp_path / "stopped", rows=rows)
    until(lambda: ray.available_resources().get("CPU") == 1.0)
    ray.shutdown()
