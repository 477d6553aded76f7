"""One thread inside the block, and as many as before after it."""

from __future__ import annotations

import pytest
import torch

from trifeature import threads


def test_torch_and_the_linear_algebra_of_numpy_are_limited_and_restored() -> None:
    blas = threads._blas_threads()
    if blas is None:
        pytest.skip("NumPy's linear algebra is neither OpenBLAS nor MKL here")
    read, write = blas
    before = read(), torch.get_num_threads()
    try:
        write(2)
        torch.set_num_threads(2)
        with threads.one_thread():
            assert (read(), torch.get_num_threads()) == (1, 1)
        assert (read(), torch.get_num_threads()) == (2, 2)
    finally:
        write(before[0])
        torch.set_num_threads(before[1])
