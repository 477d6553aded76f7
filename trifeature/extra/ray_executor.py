"""The same runs on an existing Ray cluster: one Ray task a run, rows as they end, in one file.

Ray places the tasks, waits for room and starts a task again whose worker or node has died
(https://docs.ray.io/en/latest/ray-core/fault-tolerance.html); nothing here schedules. The process
that calls `trifeature.experiments.execute.execute` alone writes rows.

What the nodes need: this version of trifeature, installed. A run works in the folder of the same
absolute path on its node. Where all nodes share that folder, a run that is started again continues
from its checkpoint, and trained weights are found there in the end; elsewhere it starts from its
first epoch, and weights stay on the node. The rows are the same.
"""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Final

import torch

import trifeature
from trifeature.comm.run_folder import TrainingError
from trifeature.errors import InputError
from trifeature.experiments.execute import Callback, Queue, Runner
from trifeature.experiments.plan import Plan, Row
from trifeature.plugins import load_entry_points

RETRIES: Final = 5
"""Restarts of a run whose worker or node died, before that is an error."""

ANSWER_SECONDS: Final = 5.0
"""Seconds in which a cluster must accept a connection; Ray itself would wait two minutes."""

_Result = list[Row] | Exception | None


@dataclass(frozen=True)
class Cluster:
    """The address of a Ray cluster and the resources that each run asks for.

    Attributes:
        address: HOST:PORT of its head, or `auto`: the environment's RAY_ADDRESS, else the cluster
            that this machine belongs to.
        cpus: CPUs for each run, and its threads.
        gpus: GPUs for each run; a fraction lets runs share one. None: one where the device is
            `cuda`.

    Raises:
        InputError: the address has another form.
    """

    address: str = "auto"
    cpus: int = 1
    gpus: float | None = None

    def __post_init__(self) -> None:
        if self.address != "auto":
            _host_and_port(self.address)


@dataclass(frozen=True)
class Request:
    """The resources that one run asks of a node.

    Attributes:
        cpus: CPUs, and threads.
        gpus: GPUs; 0 trains on the CPU.
    """

    cpus: int
    gpus: float

    @property
    def device(self) -> torch.device:
        """The device of the run; Ray shows it only the GPU that it was given."""
        return torch.device("cuda" if self.gpus else "cpu")

    def fits(self, node: Mapping[str, float]) -> int:
        """The number of runs that a node of these resources can hold at once."""
        room = node.get("CPU", 0.0) // self.cpus
        return int(min(room, node.get("GPU", 0.0) // self.gpus) if self.gpus else room)

    def __str__(self) -> str:
        return f"CPU: {self.cpus}" + (f" and GPU: {self.gpus:g}" if self.gpus else "")


def make_request(
    cluster: Cluster, device: str | None, nodes: Iterable[Mapping[str, float]]
) -> Request:
    """The resources of each run.

    Args:
        cluster: The wishes.
        device: `cpu` or `cuda`; None takes GPUs where a node has one, or where they are asked for.
        nodes: The resources of each node that is alive.

    Raises:
        InputError: device and GPUs contradict one another, or no node can ever hold a run.
    """
    nodes = list(nodes)
    if device not in (None, "cpu", "cuda"):
        raise InputError(f"--device {device} on Ray: give cpu or cuda, Ray chooses which GPU")
    gpus = cluster.gpus
    if gpus is None:
        on_gpu = device == "cuda" or (device is None and any(n.get("GPU", 0) for n in nodes))
        gpus = 1.0 if on_gpu else 0.0
    if device is not None and (device == "cuda") != (gpus > 0):
        raise InputError(f"--device {device} and --gpus-per-run {gpus:g} contradict one another")
    if gpus > 1 and not gpus.is_integer():
        raise InputError(f"--gpus-per-run must be a fraction of 1 or a whole number, not {gpus:g}")
    request = Request(cluster.cpus, gpus)
    if not any(request.fits(node) for node in nodes):
        raise InputError(f"no node of the Ray cluster has what a run asks for ({request})")
    return request


@dataclass(frozen=True)
class RayExecutor:
    """The executor on an existing cluster, see `trifeature.experiments.execute`.

    Without a time budget Ray is given all runs at once, so that nodes that join are used. With one
    it is given only as many as the cluster can hold, the next as each ends; and a run that Ray
    starts, or starts again, too late to end in time is left (by the nodes' clocks).

    Attributes:
        cluster: Where, and what each run asks for. A connection that is there already is used and
            left open.
        device: See `make_request`.
    """

    cluster: Cluster = Cluster()
    device: str | None = None

    def __call__(
        self,
        queue: Queue,
        runner: Runner,
        callback: Callback | None = None,  # noqa: ARG002 - Ray's tasks report no progress
    ) -> Iterator[tuple[Plan, list[Row]]]:
        """Hand a queue's plans to Ray. The runner's folders are the nodes', its device is Ray's.

        Raises:
            InputError: Ray is not installed, no cluster answers, or it cannot hold a run.
            InputError, TrainingError, OSError: a run failed, or its workers died more than
                `RETRIES` times; the other runs are canceled.
        """
        ray = _import_ray()
        if not queue.todo:
            return
        with _connected(ray, self.cluster.address):
            request = make_request(self.cluster, self.device, _nodes(ray))
            source = None if runner.source is None else runner.source.absolute()
            there = replace(
                runner, runs=runner.runs.absolute(), source=source, device=request.device
            )
            yield from _tasks(ray, queue, there, request)


def _import_ray() -> Any:
    """Ray, which only this file needs."""
    try:
        return import_module("ray")
    except ImportError:
        raise InputError("--executor ray needs Ray: pip install 'trifeature[ray]'") from None


# --------------------------------------------------------------------------- the cluster


@contextmanager
def _connected(ray: Any, address: str) -> Iterator[None]:
    """Be connected to a cluster inside the block."""
    if ray.is_initialized():
        yield
        return
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", "auto")
    if address != "auto":
        _require_answer(address)
    # Our tasks that ask for no GPU need none: what Ray says about their environment is no news.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as problem:
        raise InputError(f"no Ray cluster at {address!r}: {_first_line(problem)}") from None
    try:
        yield
    finally:
        ray.shutdown()


def _host_and_port(address: str) -> tuple[str, int]:
    """The parts of HOST:PORT."""
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdigit()):
        raise InputError(f"a Ray cluster's address is HOST:PORT or auto, not {address!r}")
    return host.strip("[]"), int(port)


def _require_answer(address: str) -> None:
    """Find out in seconds whether anything listens at HOST:PORT."""
    try:
        socket.create_connection(_host_and_port(address), ANSWER_SECONDS).close()
    except (OSError, OverflowError) as problem:
        raise InputError(f"no Ray cluster answers at {address}: {problem}") from None


def _nodes(ray: Any) -> list[dict[str, float]]:
    """The resources of each node that is alive, taken or not."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _room(ray: Any, request: Request) -> int:
    """The number of runs that the cluster holds at once, at least one: a node may yet join."""
    return max(1, sum(request.fits(node) for node in _nodes(ray)))


# --------------------------------------------------------------------------- the runs


def _tasks(
    ray: Any, queue: Queue, runner: Runner, request: Request
) -> Iterator[tuple[Plan, list[Row]]]:
    """Keep Ray supplied and yield what ends; however this is left, nothing keeps running."""
    task = ray.remote(
        num_cpus=request.cpus,
        num_gpus=request.gpus,
        max_retries=RETRIES,
        retry_exceptions=False,  # what a run itself raises it would raise again
    )(_carry_out)
    running: dict[Any, Plan] = {}
    try:
        while True:
            room = _room(ray, request) if queue.limited else math.inf
            while len(running) < room and (plan := next(queue, None)) is not None:
                latest, version = time.time() + queue.slack(plan), trifeature.__version__
                named = task.options(name=plan.describe())
                reference = named.remote(runner, plan, request.cpus, (version, plan.key), latest)
                running[reference] = plan
            if not running:
                return
            (ready,), _ = ray.wait(list(running), num_returns=1)
            plan = running.pop(ready)
            rows = _result(ray, ready, plan)
            if rows is not None:
                yield plan, rows
    finally:
        for reference in running:
            ray.cancel(reference, force=True)


def _carry_out(
    runner: Runner, plan: Plan, threads: int, expected: tuple[str, str], latest: float
) -> _Result:
    """Carry out a plan on a node: its rows, or the problem; None if it was too late to start.

    Problems are returned, not raised: Ray would wrap them into a traceback of several machines.
    """
    if (here := (trifeature.__version__, plan.key)) != expected:
        return InputError(
            f"a node of the Ray cluster has another trifeature than this machine ({here[0]}, "
            f"here {expected[0]}): install the same"
        )
    if time.time() > latest:
        return None
    torch.set_num_threads(threads)
    try:
        load_entry_points()  # a plugin must be installed on every node
        return runner(plan)
    except (InputError, TrainingError, OSError) as problem:
        return problem


def _result(ray: Any, reference: Any, plan: Plan) -> list[Row] | None:
    """The rows of a task that has ended; None if it was not started for want of time."""
    try:
        result: _Result = ray.get(reference)
    except ray.exceptions.RayTaskError as problem:
        if isinstance(problem.cause, ray.exceptions.RaySystemError):
            raise InputError(
                "a node of the Ray cluster cannot read what it was sent: install this version of "
                f"trifeature there ({_first_line(problem.cause)})"
            ) from None
        raise  # a defect: its traceback says where
    except ray.exceptions.RayError as problem:
        raise TrainingError(
            f"{plan.describe()!r}: its workers died {RETRIES + 1} times (out of memory?): "
            + _first_line(problem)
        ) from None
    if isinstance(result, Exception):
        raise result
    return result


def _first_line(problem: Exception) -> str:
    return str(problem).strip().partition("\n")[0]
