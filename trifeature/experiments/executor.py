"""Many runs, several at a time: each ends as rows in a file, and a stop loses at most an epoch.

Two runs on one core each do more than one run on two cores, whose threads wait for one another
at every small layer. So runs go to worker processes, one for each job. A worker ends with its
parent: it reports through a pipe, and a broken pipe ends it.
"""

from __future__ import annotations

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

from trifeature.comm.parallel import current
from trifeature.comm.training import Progress, Report, TrainingError
from trifeature.errors import InputError
from trifeature.experiments.runs import Plan, Row, carry_out, missing, result_rows
from trifeature.files import append_row

OnProgress = Callable[[Plan, Progress], None]
OnRows = Callable[[Plan, list[Row]], None]


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
    on_progress: OnProgress | None = None,
    on_rows: OnRows | None = None,
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
        keep_weights: See `trifeature.experiments.runs.carry_out`.
        on_progress: Called with a plan and its training's progress.
        on_rows: Called with a plan and its rows when it has ended.

    Raises:
        InputError, TrainingError, OSError: a run failed, or its worker died; rows of finished ones
            are kept.
    """
    target = torch.device(device)
    group = current()
    known = group.leader(result_rows, rows)
    todo = missing(plans, known)
    skipped = len({plan.key for plan in plans}) - len(todo)
    clock = _Clock(time_budget, _durations(known))
    done: list[Plan] = []

    def record(plan: Plan, new: list[Row]) -> None:
        for row in new:
            group.leader(append_row, rows, row)
        clock.learn(plan, new)
        done.append(plan)
        if on_rows is not None:
            on_rows(plan, new)

    do = _Job(runs, source, target, keep_weights)
    if group.size > 1:
        jobs = 1  # the processes that there are train each run together
    count = max(1, min(jobs or default_jobs(target, len(todo)), len(todo) or 1))
    queue = list(todo)
    if count == 1:
        while (plan := clock.next(queue)) is not None:
            record(plan, do(plan, None if on_progress is None else _reporter(on_progress, plan)))
    else:
        with _workers(count, do) as workers:
            _dispatch(workers, queue, clock, record, on_progress)
    return Outcome(done, skipped, queue)


@dataclass(frozen=True)
class _Job:
    """How a plan is carried out: all but the plan, so that a worker can be handed it."""

    runs: Path
    source: Path | None
    device: torch.device
    keep_weights: bool

    def __call__(self, plan: Plan, report: Report | None) -> list[Row]:
        return carry_out(
            plan,
            self.runs / plan.name,
            source=self.source,
            device=self.device,
            report=report,
            keep_weights=self.keep_weights,
        )


def _reporter(on_progress: OnProgress, plan: Plan) -> Callable[[Progress], None]:
    return lambda progress: on_progress(plan, progress)


# --------------------------------------------------------------------------- time


class _Clock:
    """Decides whether another run still fits into the time there is."""

    def __init__(self, budget: float | None, durations: dict[tuple[str, ...], float]) -> None:
        self.deadline = None if budget is None else time.monotonic() + budget
        self.durations = durations

    def next(self, queue: list[Plan]) -> Plan | None:
        """Take the first plan of the queue that should end in time."""
        for place, plan in enumerate(queue):
            expected = self.durations.get(_kind(plan), 0.0)
            if self.deadline is None or time.monotonic() + expected < self.deadline:
                return queue.pop(place)
        return None

    def learn(self, plan: Plan, rows: list[Row]) -> None:
        """Remember how long a run of this kind took."""
        self.durations[_kind(plan)] = _duration(rows)


def _kind(plan: Plan) -> tuple[str, ...]:
    return (plan.preset, plan.run.method, plan.run.model.encoder, str(plan.run.epochs))


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
def _workers(count: int, do: _Job) -> Iterator[list[_Worker]]:
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


def _dispatch(
    workers: list[_Worker],
    queue: list[Plan],
    clock: _Clock,
    record: OnRows,
    on_progress: OnProgress | None,
) -> None:
    """Keep every worker busy until the queue is empty or nothing in it fits the time."""
    for worker in workers:
        _hand_out(worker, clock.next(queue))
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
                record(plan, message)
                _hand_out(worker, clock.next(queue))


def _hand_out(worker: _Worker, plan: Plan | None) -> None:
    worker.plan = plan
    if plan is not None:
        worker.pipe.send(plan)


def _work(pipe: Connection, do: _Job, threads: int) -> None:
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
