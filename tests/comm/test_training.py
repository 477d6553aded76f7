"""The training loop: the same bits whether or not it was stopped, and clear words when it cannot.

A run of three epochs with two steps each; `REPORT_STEPS` is set to one where a test stops it in
the middle of an epoch.
"""

import itertools
import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_runs import TINY_DATA, images_for, methods_of_pairs, tiny_run
from torch import Tensor

from trifeature.comm import run_folder, training
from trifeature.comm.methods import METHODS, Loss, Method, Tensors, make_method
from trifeature.comm.methods.comm import CoMM
from trifeature.comm.run_folder import (
    CHECKPOINT,
    CONFIG,
    METRICS,
    WEIGHTS,
    RunFolder,
    TrainingError,
)
from trifeature.comm.settings import RunSettings
from trifeature.comm.tensor_files import read_tensors, write_tensors
from trifeature.comm.training import (
    Progress,
    batches,
    learning_rate,
    load_run,
    make_optimizers,
    new_method,
    pick_device,
    steps_per_epoch,
    train,
)
from trifeature.data.dataset import Dataset, DatasetSettings, build
from trifeature.errors import InputError
from trifeature.files import read_rows

pytestmark = pytest.mark.usefixtures("fitted_once")
DATA = replace(TINY_DATA, train_pairs=6)
RUN = tiny_run(batch_size=4)
STEPS = 6


@pytest.fixture(scope="module")
def data() -> Dataset:
    return build(DATA)


@pytest.fixture(scope="module")
def whole(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was never stopped."""
    folder = tmp_path_factory.mktemp("run") / "whole"
    train(data, RUN, folder)
    return folder


def values(folder: Path) -> list[dict[str, Any]]:
    """The metrics but for the seconds, which no two runs share."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in read_rows(folder / METRICS)]


def assert_same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert set(one) == set(other)
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def assert_same_run(folder: Path, expected: Path) -> None:
    """The same weights, the same state of optimizer and generator, the same metrics."""
    for name in (WEIGHTS, CHECKPOINT):
        assert_same_bits(read_tensors(folder / name)[0], read_tensors(expected / name)[0])
    assert values(folder) == values(expected)


# --------------------------------------------------------------------------- devices


def test_the_device_named_is_the_device_picked() -> None:
    assert pick_device("cpu") == torch.device("cpu")


def test_without_a_name_a_gpu_is_picked_where_there_is_one() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert pick_device(None).type == expected


@pytest.mark.parametrize("name", ["gpu", "", "cpu:x", "mps", "meta"])
def test_a_name_that_is_no_device_of_ours_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="give cpu, cuda or cuda:0"):
        pick_device(name)


def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="no GPU for 'cuda:99' on this machine: use --device cpu"):
        pick_device("cuda:99")


# --------------------------------------------------------------------------- batches and rates


@pytest.mark.parametrize(
    ("pairs", "batch_size", "sizes"),
    [
        (20, 8, [8, 8, 4]),
        (16, 8, [8, 8]),
        (17, 8, [8, 8]),
        (18, 8, [8, 8, 2]),
        (5, 8, [5]),
        (1, 8, []),
    ],
)
def test_batches_keep_the_last_part_but_not_a_single_pair(
    pairs: int, batch_size: int, sizes: list[int]
) -> None:
    drawn = list(batches(pairs, batch_size, seed=0, epoch=0))
    assert [len(batch) for batch in drawn] == sizes
    assert steps_per_epoch(pairs, batch_size) == len(sizes)


@pytest.mark.parametrize(("pairs", "missed"), [(20, 0), (17, 1)])
def test_batches_cover_each_pair_once(pairs: int, missed: int) -> None:
    drawn = np.concatenate(list(batches(pairs, 8, seed=0, epoch=0)))
    assert len(drawn) == len(set(drawn.tolist())) == pairs - missed
    assert set(drawn.tolist()) <= set(range(pairs))


def test_batches_are_shuffled_by_seed_and_epoch() -> None:
    orders = {
        (seed, epoch): tuple(np.concatenate(list(batches(20, 8, seed, epoch))).tolist())
        for seed, epoch in ((0, 0), (0, 1), (1, 0), (1, 1))
    }
    assert len(set(orders.values())) == 4
    assert orders[0, 1] == tuple(np.concatenate(list(batches(20, 8, 0, 1))).tolist())


def test_a_constant_learning_rate_is_constant() -> None:
    settings = RunSettings()
    assert {learning_rate(settings, step, 50) for step in range(50)} == {3e-4}


@pytest.mark.parametrize(("steps", "warmup"), [(100, 0.1), (40, 0.25), (10, 0.0)])
def test_the_cosine_schedule_rises_in_a_line_and_falls_in_half_a_cosine(
    steps: int, warmup: float
) -> None:
    settings = RunSettings(schedule="cosine", warmup=warmup, learning_rate=0.5)
    rates = [learning_rate(settings, step, steps) for step in range(steps)]
    warm = round(warmup * steps)
    rising = [0.5 * done / warm for done in range(1, warm)]
    falling = [
        0.25 + 0.25 * math.cos(math.pi * done / (steps - warm))
        for done in range(0 if warm else 1, steps - warm + 1)
    ]
    assert rates == pytest.approx([*rising, *falling], abs=1e-9)
    assert max(rates) <= 0.5
    assert rates[-1] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", METHODS)
def test_every_parameter_is_learned_once_and_weight_decay_is_for_matrices_and_cls(
    name: str,
) -> None:
    run = tiny_run(method=name, weight_decay=0.3)
    method = make_method(run, images_for(name))
    groups = [group for one in make_optimizers(method, run) for group in one.param_groups]
    decay = [(id(p), group["weight_decay"]) for group in groups for p in group["params"]]
    named = {n: p for n, p in method.named_parameters() if p.requires_grad}
    assert len(decay) == len(dict(decay)) == len(named)
    for key, parameter in named.items():
        spared = parameter.ndim < 2 and key != "fusion.cls"
        assert dict(decay)[id(parameter)] == (0.0 if spared else 0.3), key


# --------------------------------------------------------------------------- what a run gives


def test_the_same_seed_gives_the_same_bits(data: Dataset, whole: Path, tmp_path: Path) -> None:
    torch.manual_seed(99)  # the state of the global generator must not matter
    train(data, RUN, tmp_path / "again")
    assert_same_run(tmp_path / "again", whole)


def test_another_seed_gives_another_network(data: Dataset) -> None:
    one, other = (new_method(replace(RUN, seed=s), data, torch.device("cpu")) for s in (0, 1))
    assert not torch.equal(one.get_parameter("fusion.cls"), other.get_parameter("fusion.cls"))


def test_training_leaves_the_global_random_numbers_alone(data: Dataset) -> None:
    before = torch.get_rng_state()
    train(data, replace(RUN, epochs=1))
    assert torch.equal(torch.get_rng_state(), before)


def test_keeping_nothing_changes_nothing(data: Dataset, whole: Path) -> None:
    assert_same_bits(train(data, RUN).state_dict(), read_tensors(whole / WEIGHTS)[0])


def test_looking_on_changes_nothing(
    data: Dataset, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "REPORT_STEPS", 1)
    modes: list[tuple[int, bool]] = []
    seen: list[Progress] = []
    train(
        data,
        RUN,
        tmp_path / "run",
        evaluate=lambda method, epoch: modes.append((epoch, method.training)),
        report=seen.append,
    )
    assert modes == [(epoch, False) for epoch in range(4)]
    assert [p.epoch for p in seen] == pytest.approx([k / 2 for k in range(1, STEPS + 1)])
    assert all(p.epochs == 3 for p in seen)
    assert all(set(p.terms) == {"loss", "L", "L_1", "L_2"} for p in seen)
    assert seen[-1].seconds_left == pytest.approx(0)
    assert_same_run(tmp_path / "run", whole)


def test_the_metrics_hold_a_line_an_epoch(whole: Path) -> None:
    rows = read_rows(whole / METRICS)
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 2), (2, 4), (3, 6)]
    assert [row["learning_rate"] for row in rows] == [
        learning_rate(RUN, k, STEPS) for k in (1, 3, 5)
    ]
    for row in rows:
        assert row["loss"] == pytest.approx((row["L"] + row["L_1"] + row["L_2"]) / 3, rel=1e-5)
    assert sorted(row["seconds"] for row in rows) == [row["seconds"] for row in rows]


def test_no_epochs_leave_the_untrained_network(data: Dataset, tmp_path: Path) -> None:
    run = replace(RUN, epochs=0)
    probed: list[int] = []
    trained = train(data, run, tmp_path / "run", evaluate=lambda _, epoch: probed.append(epoch))
    assert probed == [0]
    assert_same_bits(trained.state_dict(), new_method(run, data, torch.device("cpu")).state_dict())
    assert RunFolder(tmp_path / "run").finished


def test_a_finished_run_comes_back_as_it_was(data: Dataset, whole: Path) -> None:
    method = load_run(whole, data)
    assert not method.training
    assert_same_bits(method.state_dict(), read_tensors(whole / WEIGHTS)[0])


def test_a_finished_run_is_not_trained_again(
    data: Dataset, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(whole, tmp_path / "run")
    monkeypatch.setattr(training, "step", None)
    method = train(data, RUN, folder)
    assert_same_bits(method.state_dict(), read_tensors(whole / WEIGHTS)[0])


def test_a_single_pair_is_too_few_to_train_on() -> None:
    with pytest.raises(InputError, match="sample"):
        train(build(replace(DATA, train_pairs=1)), RUN)


# --------------------------------------------------------------------------- stopping


def stop_at(count: int) -> Callable[..., None]:
    """A function that is interrupted when it is called for the `count`th time."""
    calls = itertools.count(1)

    def call(*_: object) -> None:
        if next(calls) == count:
            raise KeyboardInterrupt

    return call


def before(stop: Callable[..., None], action: Callable[..., None]) -> Callable[..., None]:
    def call(*arguments: object) -> None:
        stop()
        action(*arguments)

    return call


def after(stop: Callable[..., None], action: Callable[..., None]) -> Callable[..., None]:
    def call(*arguments: object) -> None:
        action(*arguments)
        stop()

    return call


@pytest.mark.parametrize(
    ("callback", "count", "seconds"),
    [
        ("report", 1, 0.0),  # after the very first step
        ("report", 3, 0.0),  # in the middle of an epoch, with a checkpoint behind it
        ("report", 3, 1e9),  # the same with no checkpoint: from the beginning
        ("report", STEPS, 1e9),
        ("evaluate", 1, 0.0),  # before the first step
        ("evaluate", 3, 0.0),
        ("evaluate", 4, 1e9),
    ],
)
def test_a_run_stopped_anywhere_ends_with_the_same_bits(  # noqa: PLR0917 - fixtures
    callback: str,
    count: int,
    seconds: float,
    data: Dataset,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training, "REPORT_STEPS", 1)
    monkeypatch.setattr(run_folder, "CHECKPOINT_SECONDS", seconds)
    stopping: dict[str, Any] = {callback: stop_at(count)}
    with pytest.raises(KeyboardInterrupt):
        train(data, RUN, tmp_path, **stopping)
    assert not RunFolder(tmp_path).finished
    train(data, RUN, tmp_path)
    assert_same_run(tmp_path, whole)


@pytest.mark.parametrize(
    ("name", "when", "count"),
    [
        ("append_row", after, 2),  # the epoch's metrics are on the disk, its checkpoint is not
        ("write_tensors", before, 2),
        ("write_tensors", after, 2),
        ("write_tensors", before, 4),  # all epochs are done, the weights not written
    ],
)
def test_a_run_stopped_between_two_files_ends_with_the_same_bits(  # noqa: PLR0917 - fixtures
    name: str,
    when: Callable[..., Callable[..., None]],
    count: int,
    data: Dataset,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_folder, "CHECKPOINT_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(run_folder, name, when(stop_at(count), getattr(run_folder, name)))
        with pytest.raises(KeyboardInterrupt):
            train(data, RUN, tmp_path)
    train(data, RUN, tmp_path)
    assert_same_run(tmp_path, whole)


def test_a_run_stopped_again_and_again_ends_with_the_same_bits(
    data: Dataset, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "REPORT_STEPS", 1)
    monkeypatch.setattr(run_folder, "CHECKPOINT_SECONDS", 0.0)
    for _ in range(2):  # each time one epoch is done, and one step of the next lost
        with pytest.raises(KeyboardInterrupt):
            train(data, RUN, tmp_path, report=stop_at(3))
    train(data, RUN, tmp_path, report=stop_at(3))
    assert_same_run(tmp_path, whole)


def test_a_cut_off_line_of_metrics_is_written_again(
    data: Dataset, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder, "CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        train(data, RUN, tmp_path, evaluate=stop_at(3))
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"epoch": 2, "lo')
    train(data, RUN, tmp_path)
    assert_same_run(tmp_path, whole)


def test_evaluations_behind_the_checkpoint_are_made_again(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder, "CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        train(data, RUN, tmp_path, evaluate=stop_at(3))
    seen: list[int] = []
    train(data, RUN, tmp_path, evaluate=lambda _, epoch: seen.append(epoch))
    assert seen == [2, 3]


@pytest.mark.parametrize(
    "change",
    [
        *({"method": name} for name in methods_of_pairs() if name != RUN.method),
        {"fusion": "linear", "loss": "L"},  # with parameters that learn nothing
        {"masking": "learned"},
    ],
    ids=str,
)
def test_every_method_and_variant_resumes_too(
    change: dict[str, Any], data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder, "CHECKPOINT_SECONDS", 0.0)
    # One step an epoch; the cosine schedule would end at a rate of nothing.
    run = tiny_run(**{"epochs": 2, "batch_size": 6, "schedule": "constant"} | change)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"

    def keep(_: Method, epoch: int) -> None:
        if epoch == 2:  # what a kill would leave at this moment
            shutil.copytree(whole, stopped)

    train(data, run, whole, evaluate=keep)
    assert read_tensors(stopped / CHECKPOINT)[1]["epoch"] == 1
    train(data, run, stopped)
    assert_same_run(stopped, whole)


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from trifeature.comm import run_folder, training
from trifeature.comm.settings import RunSettings
from trifeature.data.dataset import DatasetSettings, build
from trifeature.files import read_json

torch.set_num_threads(1)
training.REPORT_STEPS = 1
run_folder.CHECKPOINT_SECONDS = 0.0
config = read_json(Path(sys.argv[1]))
data = build(DatasetSettings.from_json(config["data"]))
def report(progress):
    if progress.epoch > 1.4:
        os.kill(os.getpid(), signal.SIGKILL)
training.train(data, RunSettings.from_json(config["run"]), Path(sys.argv[2]), report=report)
"""


@pytest.mark.processes
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_run_killed_in_the_middle_of_an_epoch_ends_with_the_same_bits(
    data: Dataset, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-c", KILLED, str(whole / CONFIG), str(folder)]
    ended = subprocess.run(command, check=False, timeout=60)  # noqa: S603 - our own interpreter
    assert ended.returncode == -signal.SIGKILL
    assert [row["epoch"] for row in read_rows(folder / METRICS)] == [1]
    train(data, RUN, folder)
    assert_same_run(folder, whole)


# --------------------------------------------------------------------------- losses that explode


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(
    data: Dataset, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder, "CHECKPOINT_SECONDS", 0.0)
    steps = itertools.count()
    good = CoMM.loss_of

    def loss_of(self: CoMM, codes: Tensors) -> Loss:
        found = good(self, codes)
        return found if next(steps) != 3 else Loss(found.total * math.nan, found.terms)

    with monkeypatch.context() as patch:
        patch.setattr(CoMM, "loss_of", loss_of)
        with pytest.raises(TrainingError, match="not finite at step 3"):
            train(data, RUN, tmp_path)
    tensors, note = read_tensors(tmp_path / CHECKPOINT)
    assert note["epoch"] == 1
    assert all(x.isfinite().all() for x in tensors.values() if x.is_floating_point())
    assert [row["epoch"] for row in values(tmp_path)] == [1]
    assert not RunFolder(tmp_path).finished
    train(data, RUN, tmp_path)  # and from there it goes on as if nothing had been
    assert_same_run(tmp_path, whole)


def test_a_learning_rate_beyond_reason_ends_in_words(data: Dataset) -> None:
    with pytest.raises(TrainingError, match="a smaller learning rate"):
        train(data, replace(RUN, learning_rate=1e30, schedule="constant"))


# --------------------------------------------------------------------------- folders


@pytest.mark.parametrize(
    ("run", "data_settings"),
    [
        (replace(RUN, seed=4), DATA),
        (RUN.change(loss="L"), DATA),
        (RUN.change(temperature=0.2), DATA),
        (RUN, replace(DATA, match_rate=None)),
    ],
    ids=["seed", "loss", "temperature", "data"],
)
def test_a_folder_with_other_settings_is_refused_and_left_alone(
    run: RunSettings, data_settings: DatasetSettings, data: Dataset, whole: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(whole, tmp_path / "run")
    with pytest.raises(InputError, match="holds a run with other settings") as refusal:
        train(replace(data, settings=data_settings), run, folder)
    assert str(folder) in str(refusal.value)
    assert_same_run(folder, whole)


def test_a_folder_of_something_else_is_refused_and_left_alone(
    data: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="is not a run"):
        train(data, RUN, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_folders_place_is_refused(data: Dataset, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(InputError, match="is not a run"):
        train(data, RUN, tmp_path / "run")


def test_a_run_that_is_not_there_or_not_finished_cannot_be_loaded(
    data: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"config\.json is missing"):
        load_run(tmp_path / "nowhere", data)
    with pytest.raises(KeyboardInterrupt):
        train(data, RUN, tmp_path, evaluate=stop_at(1))
    with pytest.raises(InputError, match="is not finished"):
        load_run(tmp_path, data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def scribble(path: Path) -> None:
    path.write_bytes(b"\xff\x00 not at all \x80")


@pytest.mark.parametrize("damage", [truncate, empty, scribble])
@pytest.mark.parametrize("name", [CONFIG, CHECKPOINT, WEIGHTS])
def test_a_damaged_file_of_a_run_is_named(
    name: str, damage: Callable[[Path], None], data: Dataset, whole: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(whole, tmp_path / "run")
    damage(folder / name)
    with pytest.raises(InputError) as refusal:
        train(data, RUN, folder) if name == CHECKPOINT else load_run(folder, data)
    assert str(folder / name) in str(refusal.value)


def test_a_damaged_line_of_metrics_is_named(data: Dataset, whole: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "run")
    lines = (folder / METRICS).read_text().splitlines(keepends=True)
    (folder / METRICS).write_text("".join([lines[0], lines[1][5:], lines[2]]))
    with pytest.raises(InputError, match=r"metrics\.jsonl, line 2 is damaged"):
        train(data, RUN, folder)


@pytest.mark.parametrize("content", [{}, {"run": {}}, {"run": RUN.to_json()}, {"run": [1]}])
@pytest.mark.parametrize("action", ["train", "load"])
def test_settings_that_lack_a_part_are_damage_to_a_file_that_is_named(
    content: dict[str, Any], action: str, data: Dataset, whole: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(whole, tmp_path / "run")
    (folder / CONFIG).write_text(json.dumps(content))
    with pytest.raises(InputError) as refusal:
        train(data, RUN, folder) if action == "train" else load_run(folder, data)
    assert str(folder / CONFIG) in str(refusal.value)


@pytest.mark.parametrize("name", [CHECKPOINT, WEIGHTS])
def test_the_weights_of_another_network_are_refused_by_name(
    name: str, data: Dataset, whole: Path, tmp_path: Path
) -> None:
    train(data, tiny_run(width=12), tmp_path / "other")
    folder = shutil.copytree(whole, tmp_path / "run")
    shutil.copy(tmp_path / "other" / name, folder / name)
    with pytest.raises(InputError, match="does not fit the run's settings") as refusal:
        train(data, RUN, folder) if name == CHECKPOINT else load_run(folder, data)
    assert str(folder / name) in str(refusal.value)


@pytest.mark.parametrize("lost", ["note", "generator"])
def test_a_checkpoint_that_lacks_a_part_is_named(
    lost: str, data: Dataset, whole: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(whole, tmp_path / "run")
    tensors, note = read_tensors(folder / CHECKPOINT)
    kept = {name: x for name, x in tensors.items() if not name.startswith(lost)}
    write_tensors(folder / CHECKPOINT, kept, {} if lost == "note" else note)
    with pytest.raises(InputError) as refusal:
        train(data, RUN, folder)
    assert str(folder / CHECKPOINT) in str(refusal.value)


def test_a_checkpoint_of_another_kind_of_device_is_refused(
    data: Dataset, whole: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(whole, tmp_path / "run")
    tensors, note = read_tensors(folder / CHECKPOINT)
    of_a_gpu = torch.zeros(16, dtype=torch.uint8)  # seed and offset
    write_tensors(folder / CHECKPOINT, {**tensors, "generator": of_a_gpu}, note)
    with pytest.raises(InputError, match="another kind of device than cpu: continue there"):
        train(data, RUN, folder)


def test_a_method_of_three_modalities_trains(tmp_path: Path) -> None:
    rule = replace(DATA.rule, modalities=3)
    data = build(replace(DATA, rule=rule, match_rate=None))
    seen: list[Progress] = []
    method: Method = train(data, replace(RUN, epochs=1), tmp_path, report=seen.append)
    assert len(method.modalities) == 3
    assert set(seen[-1].terms) == {"loss", "L", "L_1", "L_2", "L_3"}
    assert len(load_run(tmp_path, data).modalities) == 3
