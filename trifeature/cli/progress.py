"""Signs of life: bars on a terminal, and elsewhere a line a minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from trifeature.cli.common import errors, warn

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

INTERVAL: Final = 60.0
"""Seconds between two lines where there is no terminal."""

_doing: Final[dict[str, str]] = {}
"""A name and how far the work is."""


@contextmanager
def pulse(title: str) -> Iterator[None]:
    """While the command runs without a terminal, say once a minute what is going on."""
    over, started = threading.Event(), time.monotonic()

    def speak() -> None:
        while not over.wait(INTERVAL):
            words = "; ".join(f"{name}: {far}" for name, far in list(_doing.items())) or title
            warn(f"after {time.monotonic() - started:.0f} s: {words}")

    if not (errors.is_terminal or errors.quiet):
        threading.Thread(target=speak, daemon=True).start()
    try:
        yield
    finally:
        over.set()
        _doing.clear()


@contextmanager
def counting(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar that counts: call what it yields with done and total."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(
        *columns, TimeElapsedColumn(), console=errors, transient=True, disable=not _visible()
    )
    with bar:
        task = bar.add_task(title, total=None)

        def count(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)
            _doing[title] = f"{done:,} of {total:,}"

        yield count
    _doing.pop(title, None)


class RunBars:
    """Progress of runs side by side: a bar each, with losses and time left.

    Without a terminal a line says what each run measured when it ends.
    """

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def update(self, key: str, name: str, epoch: float, epochs: int, words: str) -> None:
        """A run has come to this epoch."""
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task(name, total=epochs, words="")
        self._bars.update(self._tasks[key], completed=epoch, words=words)
        _doing[name] = f"epoch {epoch:.2f} of {epochs} {words}"

    def finish(self, key: str, name: str, epochs: int, words: str) -> None:
        """A run is over, with what it measured."""
        self.update(key, name, epochs, epochs, words)
        _doing.pop(name, None)
        if not (errors.is_terminal or errors.quiet):
            warn(f"{name}: {words}")


@contextmanager
def several_bars() -> Iterator[RunBars]:
    """Progress bars for runs side by side."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:34.34}"),
        BarColumn(bar_width=24),
        TextColumn("epoch {task.completed:6.2f} of {task.total}"),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[words]}"),
    )
    with Progress(*columns, console=errors, disable=not _visible()) as bars:
        yield RunBars(bars)


def _visible() -> bool:
    return errors.is_terminal and not errors.quiet
