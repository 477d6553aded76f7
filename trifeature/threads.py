"""One thread where more would cost time, or the last digit; and when a device is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread inside the block.

    Small tensors: threads waiting for one another took 18 times longer on a busy machine. And
    what one thread adds up does not depend on how many cores there are.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def wait_for(device: torch.device) -> None:
    """Wait until a device has done what it was asked for, before a clock is read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
