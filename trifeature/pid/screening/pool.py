"""Worker processes of a screening.

Workers are started afresh ("spawn"): a fork would copy locks that threads of this process may
hold. They end when this process does, even when it is killed.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection

from trifeature.errors import InputError
from trifeature.pid.screening.blocks import Block, Pairs, Solver, Values, Work

# Blocks that wait for each worker: it is never idle, and few results are held back.
WAITING = 2


def solve_blocks(
    work: Work, pairs: Pairs, blocks: Iterable[Block], processes: int
) -> Iterator[tuple[Block, Values]]:
    """Solve blocks of positions in `pairs`, and return them in their order.

    Args:
        work: Data and settings.
        pairs: [P, 2] column numbers.
        blocks: Positions in `pairs` of the pairs of each block.
        processes: Workers; with 1 there is none, and this process does the work.

    Raises:
        InputError: A worker process died.
    """
    if processes == 1:
        solver = Solver(work)
        for block in blocks:
            yield block, solver.solve(pairs[block])
        return
    context = get_context("spawn")
    theirs, ours = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(processes, context, initializer=_start, initargs=(theirs, work))
    try:
        yield from _in_order(pool, pairs, blocks, processes)
    except BrokenProcessPool:
        raise InputError(
            "a worker process died: give it more memory, or use one process; a script calls "
            'screen() under `if __name__ == "__main__":`'
        ) from None
    finally:
        ours.close()
        pool.shutdown(cancel_futures=True)
        theirs.close()


def _in_order(
    pool: ProcessPoolExecutor, pairs: Pairs, blocks: Iterable[Block], processes: int
) -> Iterator[tuple[Block, Values]]:
    running: deque[tuple[Block, Future[Values]]] = deque()
    for block in blocks:
        running.append((block, pool.submit(_solve, pairs[block])))
        if len(running) > WAITING * processes:
            first, future = running.popleft()
            yield first, future.result()
    for block, future in running:
        yield block, future.result()


# --------------------------------------------------------------------------- in a worker

_solver: Solver | None = None


def _start(parent: Connection, work: Work) -> None:
    """Prepare a worker process."""
    global _solver  # noqa: PLW0603 - the pool gives its tasks nothing else
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _solver = Solver(work)


def _end_with(parent: Connection) -> None:
    """End this process when the other end of a pipe is closed."""
    with suppress(EOFError, OSError):
        parent.recv()
    os._exit(1)


def _solve(pairs: Pairs) -> Values:
    if _solver is None:
        raise RuntimeError("a worker process was not prepared")
    return _solver.solve(pairs)
