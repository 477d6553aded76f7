"""What all tests share: one thread, and one tiny data set that no test changes.

Nothing slow is imported at the top: pytest-xdist reads this file in a process that runs no test,
and starts the others only then.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import functools
import gc
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from trifeature.data.dataset import Dataset


def pytest_collection_finish() -> None:
    """What importing made is here to stay: half a second less for every full collection."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()  # or libraries that count what they leave behind complain


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def commands_built_once() -> Iterator[None]:
    """Typer builds all commands anew at every call, which takes longer than most of them."""
    import typer.main

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", functools.cache(typer.main.get_command))
        yield


@pytest.fixture
def one_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linear probes that choose between no costs: for tests that ask that they are fitted."""
    from trifeature.probes import protocol

    monkeypatch.setattr(protocol, "COSTS", (0.01,))


@pytest.fixture(scope="session")
def tiny() -> Dataset:
    """200 training and 25 test images of 32 pixels, with a few hundred pairs."""
    from trifeature.data.dataset import build, preset

    return build(
        preset("tiny", copies=2, test_copies=1, train_pairs=200, probe_pairs=100, test_pairs=100)
    )


@pytest.fixture(scope="session")
def tiny_data(tiny: Dataset) -> Dataset:
    """`tiny` under a name of its own, for tests that call a run tiny."""
    return tiny
