"""Runs side by side in worker processes of this machine.

Two runs on one core each do more than one run on two cores, whose threads wait for one another at
every small layer.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.queues import SimpleQueue
from typing import Final

import torch

from trifeature.comm.run_folder import TrainingError
from trifeature.comm.training import Progress
from trifeature.data.own_values import GIVEN, register_own
from trifeature.experiments.execute import Callback, Queue, Runner, Tell, serial
from trifeature.experiments.plan import Plan, Row
from trifeature.plugins import load_plugins, loaded_plugins

POLL_SECONDS: Final = 0.2
"""Seconds between two reports of progress."""


_Message = tuple[str, Progress | str]
"""The key of a plan and what happens to it; so small that a pipe takes it whole or not."""


def default_jobs(device: torch.device, plans: int) -> int:
    """One run a core on a CPU, one at a time on a GPU."""
    return 1 if device.type == "cuda" else max(1, min(os.cpu_count() or 1, plans))


@dataclass(frozen=True)
class Pool:
    """The executor of several runs at a time, see `trifeature.experiments.execute`.

    Attributes:
        jobs: Runs at a time; see `default_jobs`.
    """

    jobs: int | None = None

    def __call__(
        self, queue: Queue, runner: Runner, callback: Callback | None = None
    ) -> Iterator[tuple[Plan, list[Row]]]:
        """Carry out a queue's plans; a single one at a time stays in this process.

        Raises:
            InputError, TrainingError, OSError: a run failed, or a worker died.
        """
        waiting = len(queue.todo)
        jobs = min(self.jobs or default_jobs(runner.device, waiting), waiting)
        if jobs <= 1:
            yield from serial(queue, runner, callback)
        else:
            yield from _side_by_side(queue, runner, callback, jobs)


def _side_by_side(
    queue: Queue, runner: Runner, callback: Callback | None, jobs: int
) -> Iterator[tuple[Plan, list[Row]]]:
    """Keep every worker busy until the queue is empty or nothing in it fits the time."""
    running: dict[Future[list[Row]], Plan] = {}
    with _workers(jobs) as (pool, messages):
        while True:
            while len(running) < jobs and (plan := next(queue, None)) is not None:
                running[_submit(pool, runner, plan)] = plan
            if not running:
                return
            ended, _ = wait(running, POLL_SECONDS, FIRST_COMPLETED)
            _pass_on(messages, callback, running.values())
            # Results first: a worker that died ends the others, but loses no result.
            for future in sorted(ended, key=lambda one: one.exception() is not None):
                plan = running.pop(future)
                try:
                    rows = future.result()
                except BrokenProcessPool:
                    names = ", ".join(repr(p.describe()) for p in (plan, *running.values()))
                    raise TrainingError(
                        f"the worker on one of {names} died (out of memory?): started again, the "
                        "same command continues from their checkpoints"
                    ) from None
                yield plan, rows


def _submit(pool: ProcessPoolExecutor, runner: Runner, plan: Plan) -> Future[list[Row]]:
    try:
        return pool.submit(_carry_out, runner, plan)
    except BrokenProcessPool as problem:  # a worker died since: its run's future says so too
        failed: Future[list[Row]] = Future()
        failed.set_exception(problem)
        return failed


def _pass_on(
    messages: SimpleQueue[_Message], callback: Callback | None, running: Iterable[Plan]
) -> None:
    """Tell the callback what workers have reported since the last time."""
    plans = {plan.key: plan for plan in running}
    while not messages.empty():
        key, event = messages.get()
        if callback is not None and key in plans:
            callback(plans[key], event)


@contextmanager
def _workers(jobs: int) -> Iterator[tuple[ProcessPoolExecutor, SimpleQueue[_Message]]]:
    """A pool of worker processes and the queue of their messages.

    Workers end when this process closes its end of a pipe, which happens too when it is killed: a
    stop leaves none behind.
    """
    context = get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // jobs)
    theirs, ours = context.Pipe(duplex=False)
    messages: SimpleQueue[_Message] = context.SimpleQueue()
    start = (theirs, messages, threads, loaded_plugins(), GIVEN)
    pool = ProcessPoolExecutor(jobs, context, initializer=_start, initargs=start)
    try:
        yield pool, messages
    finally:
        ours.close()
        pool.shutdown(cancel_futures=True)
        theirs.close()
        messages.close()


# --------------------------------------------------------------------------- in a worker

_send: Callable[[_Message], None] | None = None


def _start(
    parent: Connection,
    messages: SimpleQueue[_Message],
    threads: int,
    plugins: tuple[str, ...],
    own: Mapping[str, tuple[str, ...]],
) -> None:
    """Prepare a worker process."""
    global _send  # noqa: PLW0603 - the pool gives its tasks nothing else
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    torch.set_num_threads(threads)
    load_plugins(plugins)
    register_own(**own)
    _send = messages.put
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Connection) -> None:
    """End this process when the other end of a pipe is closed."""
    with suppress(EOFError, OSError):
        parent.recv()
    os._exit(1)


def _carry_out(runner: Runner, plan: Plan) -> list[Row]:
    """A worker's task."""
    return runner(plan, _tell(plan))


def _tell(plan: Plan) -> Tell | None:
    send, key = _send, plan.key
    return None if send is None else lambda event: send((key, event))
