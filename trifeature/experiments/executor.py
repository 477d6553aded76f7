"""Many runs, several at a time: each ends as rows in a file, and a stop loses at most an epoch.

Two runs on one core each do more than one run on two cores, whose threads wait for one another
at every small layer. So runs go to worker processes, one for each job. A worker ends with its
parent: it reports through a pipe, and a broken pipe ends it.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from trifeature.comm.run_folder import InOneProcess, Once, TrainingError
from trifeature.comm.settings import RunSettings
from trifeature.comm.training import Backend, Progress, Report
from trifeature.errors import InputError
from trifeature.experiments.plan import Plan, Row, missing, result_rows
from trifeature.experiments.run import carry_out
from trifeature.files import append_row

OnProgress = Callable[[Plan, Progress], None]
OnRows = Callable[[Plan, list[Row]], None]
BackendOf = Callable[[RunSettings, torch.device], Backend]
"""Chooses the backend of a run on a device."""


def plain_backend(settings: RunSettings, device: torch.device) -> Backend:  # noqa: ARG001
    """Plain steps in this process."""
    return Backend()


@dataclass(frozen=True)
class Outcome:
    """What `execute` did.

    Attributes:
        finished: Plans carried out now.
        skipped: How many had their rows already.
        left: Plans not started because they would not have ended in time.
    """

    finished: list[Plan]
    skipped: int
    left: list[Plan]


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    plan: Plan | None = None


def default_jobs(device: torch.device, plans: int) -> int:
    """One run a core on a CPU, one at a time on a GPU."""
    return 1 if device.type == "cuda" else max(1, min(os.cpu_count() or 1, plans))


def execute(
    plans: Sequence[Plan],
    *,
    runs: Path,
    rows: Path,
    source: Path | None = None,
    device: torch.device | str = "cpu",
    jobs: int | None = None,
    time_budget: float | None = None,
    keep_weights: bool = True,
    backend: BackendOf = plain_backend,
    on_progress: OnProgress | None = None,
    on_rows: OnRows | None = None,
    process: Once | None = None,
) -> Outcome:
    """Carry out the plans that have no rows yet and append their rows as each ends.

    Args:
        plans: In the order of their value: where time is short the first come first.
        runs: Folder of the runs' folders.
        rows: JSON lines to append to.
        source: Folder of the data set of all plans; each renders its own when not given.
        device: Where to train.
        jobs: Runs at a time; see `default_jobs`.
        time_budget: Seconds. Nothing is started that is not expected to end within it.
        keep_weights: See `trifeature.experiments.run.carry_out`.
        backend: Chooses how steps are taken.
        on_progress: Called with a plan and its training's progress.
        on_rows: Called with a plan and its rows when it has ended.
        process: Decides which process reads and writes rows, where several train together.

    Raises:
        InputError, TrainingError, OSError: a run failed, or its worker died; rows of finished ones
            are kept.
    """
    target = torch.device(device)
    work = Work(plans, rows, time_budget, on_rows, process)
    do = Job(runs, source, target, keep_weights, backend)
    waiting = len(work.todo)
    count = max(1, min(jobs or default_jobs(target, waiting), waiting or 1))
    if count == 1:
        while (plan := work.take()) is not None:
            report = None if on_progress is None else _reporter(on_progress, plan)
            work.record(plan, do(plan, report))
    else:
        with _workers(count, do) as workers:
            _dispatch(workers, work, on_progress)
    return work.outcome()


@dataclass(frozen=True)
class Job:
    """How a plan is carried out: all but the plan, so that a worker can be handed it.

    Attributes:
        runs: Folder of the runs' folders.
        source: Folder of the data set; rendered when None.
        device: Where to train.
        keep_weights: See `trifeature.experiments.run.carry_out`.
        backend: Chooses how steps are taken.
    """

    runs: Path
    source: Path | None
    device: torch.device
    keep_weights: bool
    backend: BackendOf = plain_backend

    def __call__(self, plan: Plan, report: Report | None) -> list[Row]:
        """Carry out a plan; its rows."""
        return carry_out(
            plan,
            self.runs / plan.name,
            source=self.source,
            device=self.device,
            backend=self.backend(plan.run, self.device),
            report=report,
            keep_weights=self.keep_weights,
        )


def _reporter(on_progress: OnProgress, plan: Plan) -> Callable[[Progress], None]:
    return lambda progress: on_progress(plan, progress)


# --------------------------------------------------------------------------- what is to do


class Work:
    """The plans that have no rows yet, and the rows of those that have ended.

    What executors share, whoever carries the plans out; nothing else writes to the file of rows.

    Attributes:
        todo: The plans without rows, in order.
        skipped: How many had their rows already.
        done: Plans whose rows were recorded, in the order in which they ended.
    """

    def __init__(
        self,
        plans: Sequence[Plan],
        rows: Path,
        time_budget: float | None,
        on_rows: OnRows | None,
        process: Once | None = None,
    ) -> None:
        self._process = process or InOneProcess()
        known = self._process.once(result_rows, rows)
        self.todo = missing(plans, known)
        self.skipped = len({plan.key for plan in plans}) - len(self.todo)
        self.done: list[Plan] = []
        self._queue = list(self.todo)
        self._rows, self._on_rows = rows, on_rows
        self._clock = _Clock(time_budget, _durations(known))

    def take(self) -> Plan | None:
        """The next plan that should end in time; None if there is none."""
        return self._clock.next(self._queue)

    def spare(self, plan: Plan) -> float:
        """Seconds for which a plan may wait and still end in time; inf without a budget."""
        return self._clock.spare(plan)

    def record(self, plan: Plan, new: list[Row]) -> None:
        """Append the rows of a plan that has ended."""
        for row in new:
            self._process.once(append_row, self._rows, row)
        self._clock.learn(plan, new)
        self.done.append(plan)
        if self._on_rows is not None:
            self._on_rows(plan, new)

    def outcome(self) -> Outcome:
        """What has been done and what is left."""
        ended = {plan.key for plan in self.done}
        return Outcome(self.done, self.skipped, [p for p in self.todo if p.key not in ended])


# --------------------------------------------------------------------------- time


class _Clock:
    """Decides whether another run still fits into the time there is."""

    def __init__(self, budget: float | None, durations: dict[tuple[str, ...], float]) -> None:
        self.deadline = None if budget is None else time.monotonic() + budget
        self.durations = durations

    def next(self, queue: list[Plan]) -> Plan | None:
        """Take the first plan of the queue that should end in time."""
        for place, plan in enumerate(queue):
            if self.spare(plan) > 0:
                return queue.pop(place)
        return None

    def spare(self, plan: Plan) -> float:
        """Seconds for which a plan may wait and still end in time; inf without a deadline."""
        if self.deadline is None:
            return math.inf
        return self.deadline - self.durations.get(_kind(plan), 0.0) - time.monotonic()

    def learn(self, plan: Plan, rows: list[Row]) -> None:
        """Remember how long a run of this kind took."""
        self.durations[_kind(plan)] = _duration(rows)


def _kind(plan: Plan) -> tuple[str, ...]:
    return (plan.preset, plan.run.method, str(plan.run.encoder), str(plan.run.epochs))


def _duration(rows: Iterable[Row]) -> float:
    rows = list(rows)
    return float(max(r["seconds"] for r in rows) + sum(r["probe_seconds"] for r in rows))


def _durations(rows: Iterable[Row]) -> dict[tuple[str, ...], float]:
    """Seconds that a run of each kind took, from the rows of earlier ones."""
    by_key: dict[str, list[Row]] = {}
    for row in rows:
        by_key.setdefault(row["key"], []).append(row)
    return {
        (r[0]["preset"], r[0]["method"], r[0]["encoder"], str(r[0]["epochs"])): _duration(r)
        for r in by_key.values()
    }


def expected_seconds(plans: Iterable[Plan], rows: Iterable[Row], jobs: int) -> float | None:
    """How long plans should take, from the rows of runs of the same kinds; None if unknown."""
    known = _durations(rows)
    kinds = [_kind(plan) for plan in plans]
    if any(kind not in known for kind in kinds):
        return None
    return sum(known[kind] for kind in kinds) / jobs


# --------------------------------------------------------------------------- worker processes


@contextmanager
def _workers(count: int, do: Job) -> Iterator[list[_Worker]]:
    """Start workers; end them however the block is left."""
    context = get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // count)
    workers = []
    for _ in range(count):
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, do, threads), daemon=True)
        process.start()
        theirs.close()
        workers.append(_Worker(process, ours))
    try:
        yield workers
    finally:
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.join()


def _dispatch(workers: list[_Worker], work: Work, on_progress: OnProgress | None) -> None:
    """Keep every worker busy until the queue is empty or nothing in it fits the time."""
    for worker in workers:
        _hand_out(worker, work.take())
    while busy := [worker for worker in workers if worker.plan is not None]:
        ready = wait([worker.pipe for worker in busy])
        for worker in (w for w in busy if w.pipe in ready):
            plan = worker.plan
            assert plan is not None  # noqa: S101 - busy workers have one
            try:
                message = worker.pipe.recv()
            except EOFError:
                raise TrainingError(
                    f"the worker on {plan.describe()!r} died (out of memory?): started again, the "
                    "same command continues from its checkpoint"
                ) from None
            if isinstance(message, Progress):
                if on_progress is not None:
                    on_progress(plan, message)
            elif isinstance(message, Exception):
                raise message
            else:
                work.record(plan, message)
                _hand_out(worker, work.take())


def _hand_out(worker: _Worker, plan: Plan | None) -> None:
    worker.plan = plan
    if plan is not None:
        worker.pipe.send(plan)


def _work(pipe: Connection, do: Job, threads: int) -> None:
    """A worker's life: plans in, progress and rows out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    torch.set_num_threads(threads)
    try:
        while True:
            plan = pipe.recv()
            try:
                pipe.send(do(plan, pipe.send))
            except BrokenPipeError:
                raise
            except (InputError, TrainingError, OSError) as problem:
                pipe.send(problem)
    except (EOFError, BrokenPipeError):
        return  # the parent is gone
