"""Single-threaded linear algebra, and waiting for a device."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import numpy.linalg  # noqa: F401 - loads the library whose threads are set

if TYPE_CHECKING:
    import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Let NumPy's linear algebra, and torch where it is loaded, use one thread inside the block.

    On small arrays several threads are slower: on a busy machine 18 times with torch and 100 times
    with OpenBLAS. The result of one thread also does not depend on the number of cores.
    """
    controls = [control for control in (_torch_threads(), _blas_threads()) if control]
    before = [read() for read, _ in controls]
    for _, write in controls:
        write(1)
    try:
        yield
    finally:
        for (_, write), count in zip(controls, before, strict=True):
            write(count)


Control = tuple[Callable[[], int], Callable[[int], None]]


def _torch_threads() -> Control | None:
    torch = sys.modules.get("torch")
    return None if torch is None else (torch.get_num_threads, torch.set_num_threads)


@cache
def _blas_threads() -> Control | None:
    """Functions that read and set the threads of the OpenBLAS or MKL that NumPy is linked with.

    None for other libraries (Apple's), and on Windows, where symbols of a module's dependencies
    cannot be looked up.
    """
    names = [
        (f"{prefix}openblas_get_num_threads{suffix}", f"{prefix}openblas_set_num_threads{suffix}")
        for prefix in ("scipy_", "")
        for suffix in ("64_", "")
    ]
    library = ctypes.CDLL(str(sys.modules["numpy.linalg._umath_linalg"].__file__))
    for read, write in [*names, ("MKL_Get_Max_Threads", "MKL_Set_Num_Threads")]:
        if hasattr(library, read) and hasattr(library, write):
            return getattr(library, read), getattr(library, write)
    return None


def wait_for(device: torch.device) -> None:
    """Wait until a device has finished its work, for example before reading a clock."""
    if device.type == "cuda":
        import torch  # noqa: PLC0415 - slow to load

        torch.cuda.synchronize(device)
