"""Times of calls until the device is done; shared by all benchmarks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from trifeature.threads import wait_for

if TYPE_CHECKING:
    import torch

T = TypeVar("T")


def timed(
    function: Callable[[], T],
    device: torch.device | None = None,
    clock: Callable[[], float] | None = None,
) -> tuple[T, float]:
    """The result of a call and its seconds.

    Args:
        function: What to call.
        device: What to wait for before and after; None for work on the CPU alone.
        clock: Seconds; the wall clock by default.
    """
    now = clock or time.perf_counter
    if device is not None:
        wait_for(device)
    started = now()
    result = function()
    if device is not None:
        wait_for(device)
    return result, now() - started


def repeated_ms(
    function: Callable[[], object],
    repeats: int,
    device: torch.device | None = None,
    *,
    warm_up: int = 1,
    clock: Callable[[], float] | None = None,
) -> list[float]:
    """Milliseconds of each of several calls, after some that are not timed.

    Args:
        function: What to call.
        repeats: How many calls to time.
        device: See `timed`.
        warm_up: How many calls to leave out.
        clock: See `timed`.
    """
    return [1000 * timed(function, device, clock)[1] for _ in range(warm_up + repeats)][warm_up:]
