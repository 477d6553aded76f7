"""A run's folder: nothing lost, nothing silent, whatever happens to it."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tiny_runs import TINY_DATA, tiny_run

from trifeature.comm import run_folder, training
from trifeature.comm.run_folder import (
    CHECKPOINT,
    CONFIG,
    METRICS,
    WEIGHTS,
    RunFolder,
    TrainingError,
    other_data,
)
from trifeature.comm.tensor_files import read_tensors, write_tensors
from trifeature.comm.training import load_run, new_method, train
from trifeature.data.dataset import Dataset, build, preset, with_match_rate, with_pairs
from trifeature.errors import InputError
from trifeature.files import locked, read_rows

pytestmark = pytest.mark.usefixtures("fitted_once")
RUN = tiny_run(epochs=1)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return build(TINY_DATA)


@pytest.fixture(scope="module")
def trained(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    train(data, RUN, folder)
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, to damage."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


# --------------------------------------------------------------------------- flipped bits


@pytest.mark.parametrize("name", [WEIGHTS, CHECKPOINT])
def test_no_flipped_bit_is_read_as_a_number(name: str, folder: Path) -> None:
    """Every value, type, shape, name and note is under the digest."""
    path = folder / name
    whole = path.read_bytes()
    expected, note = read_tensors(path)
    random = np.random.default_rng(0)
    header = 8 + int.from_bytes(whole[:8], "little")
    places = [*random.integers(0, header, 40), *random.integers(header, len(whole), 40)]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        with contextlib.suppress(InputError):
            found, other = read_tensors(path)
            assert other == note
            assert found.keys() == expected.keys()
            assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_a_sign_that_flipped_in_the_weights_is_refused(folder: Path, data: Dataset) -> None:
    path = folder / WEIGHTS
    content = bytearray(path.read_bytes())
    content[-1] ^= 0x80
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"weights.safetensors is damaged: .*digest"):
        load_run(folder, data)


# --------------------------------------------------------------------------- other data


def test_other_data_are_taken_with_a_warning(folder: Path) -> None:
    other = build(replace(TINY_DATA, seed=1))
    with pytest.warns(UserWarning, match="was trained on other data than these: their seed differ"):
        load_run(folder, other)


def test_other_pairs_and_fewer_modalities_are_the_same_data(folder: Path, data: Dataset) -> None:
    """pytest makes a warning an error."""
    load_run(folder, with_match_rate(data, None))
    load_run(folder, with_pairs(data, [[0, 1], [2, 3]]))
    load_run(folder, data.samples().hide("image1"))


def test_what_tells_data_apart_is_named() -> None:
    real = {"source": "films", "options": {"seed": 0, "match_rate": 1.0}, "files": {"a": "12"}}
    arrays = {"source": "arrays", "sha256": "12", "tasks": ["y"]}
    later = real | {"options": {"seed": 1, "match_rate": None, "new": 2}}
    assert other_data(real, later) == ["seed"]
    assert other_data(real, real | {"files": {"a": "13"}}) == ["files"]
    assert other_data(arrays, arrays | {"tasks": ["z"]}) == []
    assert other_data(arrays, arrays | {"sha256": "13"}) == ["content"]
    plain: dict[str, Any] = arrays | {"normalized": {}}
    scaled: dict[str, Any] = arrays | {"normalized": {"a": [0, 1]}}
    assert other_data(plain, scaled) == ["standardization"]
    assert other_data(arrays, scaled) == []
    assert other_data(real, arrays) == other_data(TINY_DATA.to_json(), real) == ["source"]


# --------------------------------------------------------------------------- kills and locks


def test_what_a_kill_left_of_the_first_file_is_tidied(data: Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / f".{CONFIG}.part-123").write_text('{"run": {')
    train(data, RUN, folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [CONFIG, METRICS, CHECKPOINT, WEIGHTS]
    )


def test_what_a_kill_left_of_later_files_is_tidied(data: Dataset, folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    (folder / f".{WEIGHTS}.part-99").write_bytes(b"half")
    train(data, RUN, folder)
    assert (folder / WEIGHTS).exists()
    assert not list(folder.glob(".*"))


def test_a_folder_with_one_leftover_and_something_else_is_refused(
    data: Dataset, tmp_path: Path
) -> None:
    (tmp_path / f".{CONFIG}.part-1").write_text("")
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="is not a run"):
        train(data, RUN, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_second_process_waits_and_nothing_is_written_twice(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two threads hold two locks as two processes would."""
    monkeypatch.setattr("trifeature.files.PATIENCE", 0.01)
    folder = tmp_path / "run"
    waiting, ended = threading.Event(), threading.Event()

    def second() -> None:
        with RunFolder.open(folder, data, RUN, on_wait=waiting.set) as run:
            train(data, RUN, run)
        ended.set()

    with RunFolder.open(folder, data, RUN) as run:
        other = threading.Thread(target=second)
        other.start()
        assert waiting.wait(10)
        assert not ended.is_set()
        train(data, RUN, run)
    other.join(20)
    assert ended.is_set()
    assert len(read_rows(folder / METRICS)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run"]  # no lock is left


def test_a_lock_where_nothing_can_be_written_is_an_error_at_once() -> None:
    if not Path("/proc/self").exists():
        pytest.skip("needs /proc")
    with pytest.raises(OSError, match=r"/proc/\.x\.lock"), locked(Path("/proc/.x.lock")):
        pass


# --------------------------------------------------------------------------- numbers


def test_weights_that_are_not_finite_never_become_a_checkpoint(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step of a whole epoch, at a rate that float32 cannot hold: its loss is still finite."""
    monkeypatch.setattr(run_folder, "CHECKPOINT_SECONDS", 0.0)
    run = replace(RUN, batch_size=64, learning_rate=1e38, schedule="constant")
    for folder in (None, tmp_path / "run"):
        with pytest.raises(TrainingError, match="weights or gradients are not finite after step 1"):
            train(data, run, folder)
    assert [path.name for path in (tmp_path / "run").iterdir()] == [CONFIG]


def test_a_gradient_that_is_not_finite_in_the_last_step_of_an_epoch_is_noticed(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder, "CHECKPOINT_SECONDS", 0.0)
    steps, true = iter(range(100)), training.Backend.backward

    def backward(self: training.Backend, loss: torch.Tensor, parameters: Any) -> None:
        learned = list(parameters)
        true(self, loss, learned)
        if next(steps) == 2:  # the last of the first epoch
            for parameter in learned:
                if parameter.grad is not None:
                    parameter.grad.fill_(np.inf)

    with monkeypatch.context() as patch:
        patch.setattr(training.Backend, "backward", backward)
        with pytest.raises(TrainingError, match="not finite after step 3"):
            train(data, tiny_run(), tmp_path)
    assert not (tmp_path / CHECKPOINT).exists()


@pytest.mark.parametrize("key", ["run", "data"])
def test_a_configuration_of_another_form_names_file_and_key(
    key: str, folder: Path, data: Dataset
) -> None:
    content = json.loads((folder / CONFIG).read_text())
    del content[key]
    (folder / CONFIG).write_text(json.dumps(content))
    with pytest.raises(InputError, match=f"config.json is damaged: it lacks '{key}'"):
        load_run(folder, data)


def test_deeply_nested_json_is_one_line(folder: Path, data: Dataset) -> None:
    (folder / CONFIG).write_text("[" * 100_000)
    with pytest.raises(InputError, match=r"config\.json is damaged"):
        load_run(folder, data)


# --------------------------------------------------------------------------- memory


def test_what_does_not_fit_into_memory_is_refused_before_it_is_made(data: Dataset) -> None:
    with pytest.raises(InputError, match=r"a network of .* free: a width of [\d,]+ fits"):
        new_method(RUN.change(width=10**8), data)
    with pytest.raises(InputError, match=r"rendering 1,000,000,300 images .*: at most [\d,]+ fit"):
        build(preset("tiny", copies=10**7))


def test_a_batch_is_measured_against_the_memory_there_is(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trifeature.checks.available_memory", lambda: 3.5 * 8 * 2 * 3 * 32**2)
    monkeypatch.setattr(training, "new_method", None)
    with pytest.raises(InputError, match=r"a batch of 8 samples needs .*: at most 3 fit"):
        train(data, RUN)


# --------------------------------------------------------------------------- starting over


def test_starting_over_keeps_what_was_there(folder: Path, data: Dataset) -> None:
    with RunFolder.open(folder, data, RUN) as run:
        first, weights = run.training, (folder / WEIGHTS).read_bytes()
        previous = run.start_over()
        assert run.training != first
        assert not run.finished
        train(data, RUN, run)
    assert (previous / WEIGHTS).read_bytes() == weights
    assert RunFolder(previous).training == first
    assert (
        load_run(previous, data).state_dict().keys() == load_run(folder, data).state_dict().keys()
    )


# --------------------------------------------------------------------------- other files


def test_a_run_of_before_a_setting_existed_goes_on(folder: Path, data: Dataset) -> None:
    content = json.loads((folder / CONFIG).read_text())
    del content["run"]["precision"], content["run"]["options"]["masking"], content["training"]
    del content["data"]["validation"], content["data"]["rule"]["distinct_unique"]
    (folder / CONFIG).write_text(json.dumps(content))
    with RunFolder.open(folder, data, RUN) as run:
        assert run.finished
        assert run.settings() == RUN
    content["data"]["render"]["line"] = 2.5
    (folder / CONFIG).write_text(json.dumps(content))
    with pytest.raises(InputError, match="other settings"), RunFolder.open(folder, data, RUN):
        pass


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("generator"), "lacks 'generator'"),
        (lambda t: t.update(generator=torch.zeros(3)), "damaged"),
        (lambda t: t.pop(next(k for k in t if k.startswith("method."))), "does not fit"),
        (lambda t: t.update({"method.more": torch.zeros(1)}), "does not fit"),
        (lambda t: t.update({"optimizer.0.999.step": torch.zeros(())}), "optimizer.0.999.step"),
        (lambda t: t.update({"optimizer.0.x": torch.zeros(())}), "optimizer.0.x"),
        (lambda t: t.update({"optimizer.0.0.exp_avg": torch.zeros(1)}), "0.0.exp_avg"),
        (lambda t: t.pop("optimizer.0.0.exp_avg_sq"), "lacks optimizer.0.0.exp_avg_sq"),
    ],
)
def test_a_checkpoint_with_other_tensors_names_file_and_tensor(
    change: Callable[[dict[str, torch.Tensor]], Any], words: str, folder: Path, data: Dataset
) -> None:
    (folder / WEIGHTS).unlink()
    tensors, note = read_tensors(folder / CHECKPOINT)
    change(tensors)
    write_tensors(folder / CHECKPOINT, tensors, note)
    with pytest.raises(InputError, match=rf"checkpoint\.safetensors.*{re.escape(words)}"):
        train(data, RUN, folder)


@pytest.mark.parametrize("note", [{}, {"epoch": "1"}, {"epoch": 1}, {"epoch": 1, "seconds": []}])
def test_a_checkpoint_with_another_note_is_named(
    note: dict[str, Any], folder: Path, data: Dataset
) -> None:
    (folder / WEIGHTS).unlink()
    write_tensors(folder / CHECKPOINT, read_tensors(folder / CHECKPOINT)[0], note)
    with pytest.raises(InputError, match=r"checkpoint\.safetensors is damaged"):
        train(data, RUN, folder)


def test_metrics_without_an_epoch_name_line_and_key(folder: Path, data: Dataset) -> None:
    (folder / WEIGHTS).unlink()
    (folder / METRICS).write_text('{"loss": 1}\n')
    with pytest.raises(InputError, match=r"metrics\.jsonl, line 1 is damaged: it lacks 'epoch'"):
        train(data, RUN, folder)


@pytest.mark.parametrize("content", ["", '{"epoch": 2, "seconds": 1.0}\n'])
def test_a_record_that_lost_epochs_is_named_and_nothing_is_removed(
    content: str, folder: Path, data: Dataset
) -> None:
    (folder / WEIGHTS).unlink()
    (folder / METRICS).write_text(content)
    words = r"metrics\.jsonl lacks 1 of 1 epochs that were trained .* put the file back"
    with pytest.raises(InputError, match=words):
        train(data, RUN, folder)
    assert (folder / METRICS).read_text() == content
    assert not (folder / WEIGHTS).exists()


def test_no_run_is_made_in_a_data_set(data: Dataset, tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text("{}")
    for place in (tmp_path, tmp_path / "runs" / "one"):
        with pytest.raises(InputError, match="is in a data set: name another folder"):
            train(data, RUN, place)
    assert [path.name for path in tmp_path.iterdir()] == ["dataset.json"]


def test_checkpoints_that_take_long_are_rarer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One in 50 times as long as it took to write the last, but one a minute."""
    now, saved, writing = [0.0], list[int](), 0.5
    monkeypatch.setattr(run_folder, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def save(_: RunFolder, epoch: int) -> None:
        saved.append(epoch)
        now[0] += writing

    monkeypatch.setattr(RunFolder, "_save", save)
    run = RunFolder(tmp_path)
    for epoch in range(1, 41):
        now[0] += 1.0  # seconds of an epoch
        run._keep(epoch, {"epoch": epoch}, last=epoch == 40)  # type: ignore[arg-type]
    # The first after 5 s, as nothing is known, the next after 25 s, and the last one.
    assert saved == [6, 32, 40]

    run, writing = RunFolder(tmp_path), 20.0
    saved.clear()
    for epoch in range(1, 101):
        now[0] += 1.0
        run._keep(epoch, {"epoch": epoch}, last=False)  # type: ignore[arg-type]
    assert saved == [6, 67]
