"""A hundred kills of a tiny run, a hundred flipped bits, crafted files: nothing lost or silent.

Each part prints its counts.
"""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tiny_runs import TINY_DATA, tiny_run

from trifeature.comm import run_folder
from trifeature.comm.methods import Method
from trifeature.comm.run_folder import CHECKPOINT, CONFIG, METRICS, PROBES, WEIGHTS
from trifeature.comm.tensor_files import read_tensors
from trifeature.comm.training import load_run, train
from trifeature.data.dataset import Dataset, build
from trifeature.errors import InputError
from trifeature.experiments import run as runs
from trifeature.experiments.plan import Plan, Row
from trifeature.experiments.run import carry_out
from trifeature.files import read_rows

pytestmark = pytest.mark.slow  # two minutes

KILLS = FLIPS = 100
RUN = tiny_run(epochs=3)
FIRST = Plan("tiny", TINY_DATA, RUN, (1,))
SECOND = replace(FIRST, probe_epochs=(0, 1, 2))
"""Asks for epochs that the first plan did not probe, so the run starts over."""


@pytest.fixture(scope="module")
def data() -> Dataset:
    return build(TINY_DATA)


@pytest.fixture
def quick_probes(monkeypatch: pytest.MonkeyPatch, data: Dataset) -> None:
    """A digest of the weights instead of a probe, and a checkpoint after every epoch."""

    def digest(method: Method, _: Dataset, **__: Any) -> SimpleNamespace:
        state = torch.cat([x.flatten().double() for x in method.state_dict().values()])
        text = hashlib.sha256(state.numpy().tobytes()).hexdigest()
        return SimpleNamespace(row=lambda: {"digest": text})

    monkeypatch.setattr(runs, "probe", digest)
    monkeypatch.setattr(runs, "i_nce", lambda *_: 0.25)
    monkeypatch.setattr(runs, "build", lambda *_: data)
    monkeypatch.setattr(run_folder, "CHECKPOINT_SECONDS", 0.0)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print past pytest's capture."""

    def write(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}", flush=True)  # noqa: T201

    return write


def killed(do: Callable[[], object], seconds: float) -> bool:
    """Do something in a child process and kill it after some time; whether it was too early."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            do()
            os._exit(0)
        os._exit(1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the command failed by itself"
    return os.WIFSIGNALED(status)


def measured(rows: list[Row]) -> dict[int, str]:
    return {row["epoch"]: row["digest"] for row in rows}


def metrics(folder: Path) -> list[dict[str, Any]]:
    """Every epoch's line without its times."""
    return [
        {key: value for key, value in row.items() if key != "seconds"}
        for row in read_rows(folder / METRICS)
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 counts threads
@pytest.mark.usefixtures("quick_probes")
def test_a_hundred_kills_lose_nothing(tmp_path: Path, say: Callable[[str], None]) -> None:
    chance = np.random.default_rng(0)
    started = time.monotonic()
    expected = measured(carry_out(SECOND, tmp_path / "whole"))
    length = time.monotonic() - started
    losses = metrics(tmp_path / "whole")
    kills, counts = 0, Counter[str]()
    while kills < KILLS:
        counts["runs"] += 1
        folder = tmp_path / f"run{counts['runs']}"
        trainings = []
        for plan in (FIRST, SECOND):
            while killed(partial(carry_out, plan, folder), chance.uniform(0, length)):
                kills += 1
                counts["left half-written"] += len(list(folder.glob(".*.part-*")))
                counts["left a lock"] += (tmp_path / f".{folder.name}.lock").exists()
            rows = carry_out(plan, folder)
            assert measured(rows) == {epoch: expected[epoch] for epoch in plan.probe_epochs}
            assert metrics(folder) == losses
            (training,) = {row["training"] for row in rows}
            trainings.append(training)
        assert len(set(trainings)) == 2
        kept = list(folder.glob(f"previous-*/{WEIGHTS}"))
        assert len(kept) == 1
        assert measured(read_rows(kept[0].with_name(PROBES))) == {
            epoch: expected[epoch] for epoch in FIRST.probe_epochs
        }
        names = {path.name for path in folder.iterdir() if path.is_file()}
        assert names == {CONFIG, METRICS, PROBES, CHECKPOINT, WEIGHTS}
    assert {path.name for path in tmp_path.iterdir() if path.name.startswith(".")} == set()
    say(f"{kills} kills in {counts['runs']} runs, two trainings each: nothing lost; {counts}")


@pytest.mark.parametrize("name", [WEIGHTS, CHECKPOINT])
def test_a_hundred_flipped_bits_are_never_silent(
    name: str, data: Dataset, tmp_path: Path, say: Callable[[str], None]
) -> None:
    whole = tmp_path / "whole"
    train(data, RUN, whole)
    tensors, note = read_tensors(whole / name)
    expected = load_run(whole, data).state_dict()
    content = (whole / name).read_bytes()
    chance, counts = np.random.default_rng(0), Counter[str]()
    for number in range(FLIPS):
        folder = Path(shutil.copytree(whole, tmp_path / str(number)))
        damaged = bytearray(content)
        # Every fifth one in the header, where few bytes say much.
        end = 8 + int.from_bytes(content[:8], "little") if number % 5 == 0 else len(content)
        damaged[chance.integers(end)] ^= 1 << int(chance.integers(8))
        (folder / name).write_bytes(damaged)
        if name == CHECKPOINT:
            (folder / WEIGHTS).unlink()
        refusal = method = None
        try:
            method = load_run(folder, data) if name == WEIGHTS else train(data, RUN, folder)
        except InputError as problem:
            refusal = str(problem)
        if method is None:
            assert str(folder / name) in str(refusal)
            assert "\n" not in str(refusal)
            counts["refused"] += 1
        else:  # a bit that changes nothing: a space of the header, the name of the digest
            state = method.state_dict()
            assert all(torch.equal(state[key], expected[key]) for key in expected)
            assert read_tensors(folder / name)[1] == note
            assert read_tensors(folder / name)[0].keys() == tensors.keys()
            counts["changed nothing"] += 1
        shutil.rmtree(folder)
    assert counts["refused"] > 0.9 * FLIPS
    say(f"{FLIPS} flipped bits in {name}: {dict(counts)}")


# --------------------------------------------------------------------------- crafted files

ODD: list[Any] = [None, True, 0, -1, 1.5, 10**30, "x", "", [], [1], {}, {"a": 1}, [[[]]], "$x_$"]
CRAFTED = 80


def crafted(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The content with each key removed or replaced by an odd value, down to the second level."""
    for key, value in content.items():
        yield {name: one for name, one in content.items() if name != key}
        yield from ({**content, key: odd} for odd in ODD)
        if isinstance(value, dict):
            for odd in ODD:
                yield from ({**content, key: {**value, inner: odd}} for inner in value)


@pytest.mark.parametrize("name", [CONFIG, METRICS, PROBES])
@pytest.mark.usefixtures("quick_probes")
def test_crafted_files_are_read_or_refused_in_a_line(
    name: str, data: Dataset, tmp_path: Path, say: Callable[[str], None]
) -> None:
    whole, counts = tmp_path / "whole", Counter[str]()
    carry_out(FIRST, whole)
    text = (whole / name).read_text()
    first, *rest = [text] if name == CONFIG else text.splitlines()
    every = list(crafted(json.loads(first)))
    chosen = np.random.default_rng(0).permutation(len(every))[:CRAFTED]
    for number in chosen:
        folder = Path(shutil.copytree(whole, tmp_path / str(number)))
        (folder / name).write_text("\n".join([json.dumps(every[number]), *rest]) + "\n")
        for kind in ("finished", "stopped"):
            refusal = None
            try:
                carry_out(FIRST, folder)
                load_run(folder, data)
            except InputError as problem:
                refusal = str(problem)
            counts["read" if refusal is None else "refused"] += 1
            assert "\n" not in (refusal or "")
            if kind == "finished":
                (folder / WEIGHTS).unlink(missing_ok=True)
        shutil.rmtree(folder)
    say(f"{len(chosen)} crafted {name}, each of a finished and of a stopped run: {dict(counts)}")
