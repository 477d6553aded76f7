"""What all tests share: one thread, and one tiny data set that no test changes.

Nothing slow is imported at the top: pytest-xdist reads this file in a process that runs no test,
and starts the others only then.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import atexit
import functools
import gc
import os
import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from trifeature.data.dataset import Dataset


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What importing makes is here to stay: nothing of it is looked through for garbage.

    That is a second and a half of importing, and half a second of every full collection after it.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


# Not when the tests end, or pytest looks through all of it twice more; but before the interpreter
# ends, or libraries that count what they leave behind complain.
atexit.register(gc.unfreeze)


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def garbage_is_looked_for_less_often() -> None:
    """Figures and networks are made by the thousand, and memory is not short."""
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(autouse=True, scope="session")
def networks_made_at_less_cost() -> Iterator[None]:
    """What every network does anew is most of the time of making a tiny one."""
    import cheap_networks

    with pytest.MonkeyPatch.context() as patch:
        cheap_networks.seed_this_device(patch)
        if encoders := sys.modules.get("trifeature.comm.encoders"):
            cheap_networks.shape_once(patch, encoders)
        yield


@pytest.fixture(autouse=True, scope="session")
def commands_built_once() -> Iterator[None]:
    """What every call of a command does anew takes longer than most commands.

    Typer builds all commands, and the packages that are installed are searched for plugins.
    """
    from importlib.metadata import entry_points

    import typer.main

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", functools.cache(typer.main.get_command))
        patch.setattr("trifeature.plugins.entry_points", functools.cache(entry_points))
        yield


@pytest.fixture(autouse=True, scope="session")
def nothing_waits_for_the_disk() -> Iterator[None]:
    """No test cuts the power: files need not reach the disk. `test_files.py` lets them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="module")
def planned_once() -> Iterator[None]:
    """Plans, and networks to be counted, are made once in a file whose presets stay as they are."""
    import once

    with pytest.MonkeyPatch.context() as patch:
        once.plan_once(patch)
        once.count_once(patch)
        yield


@pytest.fixture(scope="module")
def fitted_once() -> Iterator[None]:
    """Whether a network fits is asked once in a file that trains the same again and again."""
    import once

    with pytest.MonkeyPatch.context() as patch:
        once.fit_once(patch)
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
