"""What all tests share: one thread, and one tiny data set that no test changes."""

from __future__ import annotations

import pytest
import torch

from trifeature.dataset import Dataset, build, preset


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny() -> Dataset:
    """200 training and 25 test images of 32 pixels, with a few hundred pairs."""
    return build(
        preset("quick", copies=2, test_copies=1, train_pairs=200, probe_pairs=100, test_pairs=100)
    )
