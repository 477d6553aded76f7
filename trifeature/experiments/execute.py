"""Many runs: each ends as rows in a file, finished ones are skipped, and time may be limited.

`execute` decides what is left to do and writes all rows; an executor carries the runs out: one
after the other here (`serial`), in worker processes (`trifeature.extra.pool`) or on a cluster
(`trifeature.extra.ray_executor`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from trifeature.comm.run_folder import RankZero, SingleProcess
from trifeature.comm.settings import RunSettings
from trifeature.comm.training import Backend, Progress
from trifeature.experiments.plan import Plan, Row, missing, record, result_rows
from trifeature.experiments.run import carry_out
from trifeature.provenance import device_name

ROWS: Final = "rows.jsonl"
"""Name of the file of rows beside the folders of runs."""

Event = Progress | str | list[Row]
"""Progress of a training, a line on what takes unexpected time, or the rows of a run that ended."""

Callback = Callable[[Plan, Event], None]
"""Called with a plan and what happens to it."""

Tell = Callable[[Progress | str], None]
"""Called with what happens while one plan is carried out."""

BackendOf = Callable[[RunSettings, torch.device], Backend]
"""Chooses the backend of a run on a device."""


def plain_backend(settings: RunSettings, device: torch.device) -> Backend:  # noqa: ARG001
    """Plain steps in this process."""
    return Backend()


@dataclass(frozen=True)
class Outcome:
    """Result of `execute`.

    Attributes:
        finished: Plans carried out now, in the order in which they ended.
        skipped: How many had their rows already.
        left: Plans not started because they would not have ended in time.
    """

    finished: list[Plan]
    skipped: int
    left: list[Plan]


@dataclass(frozen=True)
class Runner:
    """Carries out plans, all in the same way; it can be sent to another process.

    Attributes:
        runs: Folder of the runs' folders.
        source: Folder of the data set; each run renders its own when None.
        device: Where to train.
        keep_weights: See `trifeature.experiments.run.carry_out`.
        backend: Chooses how steps are taken.
        keep_epoch_weights: See `trifeature.experiments.run.carry_out`.
    """

    runs: Path
    source: Path | None
    device: torch.device
    keep_weights: bool = True
    backend: BackendOf = plain_backend
    keep_epoch_weights: bool = False

    def __call__(self, plan: Plan, tell: Tell | None = None) -> list[Row]:
        """Carry out a plan and return its rows."""
        return carry_out(
            plan,
            self.runs / plan.name,
            source=self.source,
            device=self.device,
            backend=self.backend(plan.run, self.device),
            report=tell,
            notice=tell,
            keep_weights=self.keep_weights,
            keep_epoch_weights=self.keep_epoch_weights,
        )


class Queue:
    """The plans that have no rows yet. Iterating takes the next one that should end in time.

    Args:
        plans: In the order of their value.
        known: Rows recorded before: whose plans are skipped, and how long runs take.
        time_budget: Seconds from now; None for no limit.
        device: Where the plans are carried out: rows of other devices do not tell how long they
            take. None for any.

    Attributes:
        todo: The plans without rows, in order.
        skipped: How many had their rows already.
        limited: Whether time is limited.
    """

    def __init__(
        self,
        plans: Sequence[Plan],
        known: Sequence[Row] = (),
        time_budget: float | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.todo = missing(plans, known)
        self.skipped = len({plan.key for plan in plans}) - len(self.todo)
        self.limited = time_budget is not None
        self._deadline = time.monotonic() + time_budget if time_budget is not None else math.inf
        timed = known if device is None else [row for row in known if _is_of(row, device)]
        self._durations = _durations(timed)
        self._waiting = list(self.todo)
        self._done: list[Plan] = []

    def __iter__(self) -> Iterator[Plan]:
        return self

    def __next__(self) -> Plan:
        for place, plan in enumerate(self._waiting):
            if self.slack(plan) > 0:
                return self._waiting.pop(place)
        raise StopIteration

    def slack(self, plan: Plan) -> float:
        """Seconds for which a plan may wait and still end in time; inf without a limit."""
        return self._deadline - self._durations.get(_similar(plan), 0.0) - time.monotonic()

    def finish(self, plan: Plan, rows: list[Row]) -> None:
        """Note that a plan has ended, and how long it took."""
        self._durations[_similar(plan)] = _duration(rows)
        self._done.append(plan)

    def outcome(self) -> Outcome:
        """The runs done and the runs left."""
        ended = {plan.key for plan in self._done}
        return Outcome(self._done, self.skipped, [p for p in self.todo if p.key not in ended])


Executor = Callable[[Queue, Runner, Callback | None], Iterator[tuple[Plan, list[Row]]]]
"""Takes plans from a queue, has a runner carry them out, and yields each with its rows as it ends.

It reports progress to the callback where it can. When it is closed early, by an error or Ctrl-C, it
stops what is running.
"""


def serial(
    queue: Queue, runner: Runner, callback: Callback | None = None
) -> Iterator[tuple[Plan, list[Row]]]:
    """The executor that carries out one plan after the other in this process."""
    for plan in queue:
        yield plan, runner(plan, None if callback is None else _teller(callback, plan))


def _teller(callback: Callback, plan: Plan) -> Tell:
    return lambda event: callback(plan, event)


def execute(
    plans: Sequence[Plan],
    *,
    runs: Path,
    rows: Path,
    source: Path | None = None,
    device: torch.device | str = "cpu",
    executor: Executor | None = None,
    time_budget: float | None = None,
    keep_weights: bool = True,
    keep_epoch_weights: bool = False,
    backend: BackendOf = plain_backend,
    callback: Callback | None = None,
    process: RankZero | None = None,
) -> Outcome:
    """Carry out the plans that have no rows yet and append their rows as each ends.

    Args:
        plans: In the order of their value: where time is short the first come first.
        runs: Folder of the runs' folders.
        rows: JSON lines to append to.
        source: Folder of the data set of all plans; each renders its own when not given.
        device: Where to train.
        executor: Carries the plans out; `serial` by default.
        time_budget: Seconds. Nothing is started that is not expected to end within it.
        keep_weights: See `trifeature.experiments.run.carry_out`.
        keep_epoch_weights: See `trifeature.experiments.run.carry_out`.
        backend: Chooses how steps are taken.
        callback: Called with what happens to each plan.
        process: Decides which process reads and writes rows, where several train together.

    Raises:
        InputError, TrainingError, OSError: a run failed, or its process died; the rows of finished
            ones are kept.
    """
    one, where = process or SingleProcess(), torch.device(device)
    queue = Queue(plans, one.on_rank_zero(result_rows, rows), time_budget, where)
    runner = Runner(runs, source, where, keep_weights, backend, keep_epoch_weights)
    ended = (executor or serial)(queue, runner, callback)
    try:
        for plan, new in ended:
            one.on_rank_zero(record, rows, new)
            queue.finish(plan, new)
            if callback is not None:
                callback(plan, new)
    finally:
        close = getattr(ended, "close", None)
        if close is not None:
            close()
    return queue.outcome()


# --------------------------------------------------------------------------- time


def _similar(plan: Plan) -> tuple[str, ...]:
    """The settings that runs of equal length share."""
    return _kind(plan.columns())


def _kind(row: Row) -> tuple[str, ...]:
    return (
        row["preset"],
        row.get("data", ""),
        row["method"],
        str(row["encoder"]),
        str(row["epochs"]),
    )


def _duration(rows: Iterable[Row]) -> float:
    """Seconds of one run: the training's and those of all probes."""
    rows = list(rows)
    return float(max(r["seconds"] for r in rows) + sum(r["probe_seconds"] for r in rows))


def _is_of(row: Row, device: torch.device) -> bool:
    """Whether a row was measured on the same GPU, or on a CPU as this one."""
    measured = str(row.get("device", ""))
    if device.type == "cuda":
        return measured == device_name(device)
    return not measured or measured.endswith(" threads")


def _durations(rows: Iterable[Row]) -> dict[tuple[str, ...], float]:
    """Seconds that runs took, from recorded rows; of similar runs the latest."""
    by_key: dict[str, list[Row]] = {}
    for row in rows:
        by_key.setdefault(row["key"], []).append(row)
    return {_kind(own[0]): _duration(own) for own in by_key.values()}


def expected_seconds(plans: Iterable[Plan], rows: Iterable[Row], jobs: int) -> float | None:
    """Expected seconds of plans, from the rows of similar runs; None if there are none.

    Args:
        plans: What is to be carried out.
        rows: Recorded rows.
        jobs: Runs side by side.
    """
    known = _durations(rows)
    similar = [_similar(plan) for plan in plans]
    if any(one not in known for one in similar):
        return None
    return sum(known[one] for one in similar) / jobs
