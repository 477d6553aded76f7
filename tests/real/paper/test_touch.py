"""Vision&Touch: miniature recordings, compared with plain loops."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trifeature import checks
from trifeature.errors import InputError
from trifeature.modality import Modality
from trifeature.real.catalog import load_real
from trifeature.real.paper.touch import (
    ContactOptions,
    TouchOptions,
    read_touch_contact,
    read_touch_regression,
    trajectories,
)
from trifeature.samples import Samples

h5py = pytest.importorskip("h5py", reason="files of Vision&Touch need h5py")

T = 6
NAMES = [
    f"20190408_183047_triangle_0_journal_{one}_{number}_1000.h5"
    for one in range(5)
    for number in (0, 1, 10, 11)
]
"""Real names, of five trajectories."""


def recording(seed: int, channels_first: bool = False) -> dict[str, Any]:
    """What a file holds, with 6 steps in place of 50 and 8 rows in place of 128."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (T, 8, 8, 3), np.uint8)
    return {
        "image": image.transpose(0, 3, 1, 2) if channels_first else image,
        "ee_forces_continuous": rng.normal(0, 2, (T, 36, 6)),
        "proprio": rng.normal(size=(T, 10)),
        "contact": (rng.random((T, 2)) < 0.4).astype(np.float64),
        "action": rng.normal(size=(T, 4)),
    }


def write(folder: Path, name: str, arrays: dict[str, Any]) -> None:
    with h5py.File(folder / name, "w") as file:
        for key, values in arrays.items():
            file[key] = values


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("triangle_real_data")
    for seed, name in enumerate(NAMES):
        write(folder, name, recording(seed, channels_first=seed % 2 == 1))
    (folder / "notes.txt").write_text("not a recording")
    return folder


def in_order() -> list[tuple[str, dict[str, Any]]]:
    return [(name, recording(NAMES.index(name))) for name in sorted(NAMES)]


def files_of(data: Samples, name: str) -> set[int]:
    return {int(p) // (T - 1) for p in data.sets[name].rows[:, 0]}


def test_three_modalities_and_contact_at_the_next_step(folder: Path) -> None:
    data = read_touch_contact(folder, ContactOptions(modalities=3))
    assert data.modalities == (
        Modality("image", "image", (3, 8, 8), "resnet18"),
        Modality("force", "series", (32, 6), "force-token"),
        Modality("proprio", "vector", (8,), "proprio"),
    )
    image, force, proprio = (x.numpy() for x in data.items["all"])
    contact = {}
    for file, (_, held) in enumerate(in_order()):
        for t in range(T - 1):
            p = file * (T - 1) + t
            np.testing.assert_array_equal(image[p], held["image"][t].transpose(2, 0, 1))
            np.testing.assert_allclose(
                force[p], np.tanh(held["ee_forces_continuous"][t][-32:]), rtol=1e-5, atol=1e-7
            )
            np.testing.assert_allclose(proprio[p], held["proprio"][t][:8], rtol=1e-6)
            contact[p] = int(held["contact"][t + 1].sum() > 0)
    for one in data.sets.values():
        assert one.labels["contact"].tolist() == [contact[int(p)] for p in one.rows[:, 0]]
    assert data.tasks["contact"].names == ("no", "yes")
    assert data.origin["samples"] == {"train": 80, "probe": 80, "test": 20}


def test_regression_is_the_hand_s_place_at_the_next_step(folder: Path) -> None:
    data = read_touch_regression(folder)
    assert [(m.name, m.encoder) for m in data.modalities] == [
        ("image", "resnet18"),
        ("force", "force"),
    ]
    task = data.tasks["position"]
    assert (task.kind, task.classes, task.names) == ("numbers", 4, ("x", "y", "z", "yaw"))
    held = [arrays for _, arrays in in_order()]
    for one in data.sets.values():
        for p, found in zip(one.rows[:, 0], one.labels["position"], strict=True):
            file, t = divmod(int(p), T - 1)
            np.testing.assert_array_equal(found, held[file]["proprio"][t + 1][:4])


def test_the_published_split_is_by_file_and_nothing_is_fitted_on_test(folder: Path) -> None:
    data = read_touch_contact(folder)
    order = np.arange(20)
    np.random.default_rng(42).shuffle(order)  # as published
    assert files_of(data, "test") == set(order[16:].tolist())
    assert files_of(data, "train") == files_of(data, "probe") == set(order[:16].tolist())


def test_whole_trajectories_are_put_aside(folder: Path) -> None:
    tested = set()
    for seed in range(4):
        data = read_touch_contact(folder, ContactOptions(split="trajectory", seed=seed))
        test, train = files_of(data, "test"), files_of(data, "train")
        assert len(test) == 4
        owners = [name.rsplit("_", 2)[0] for name in sorted(NAMES)]
        assert {owners[file] for file in test}.isdisjoint(owners[file] for file in train)
        assert len(np.unique(data.sets["train"].groups)) == 4
        tested.add(tuple(sorted(test)))
    assert len(tested) > 1
    assert data.origin["trajectories"] == 5
    assert data.origin["trajectories_from"] == "names"


def test_other_names_are_cut_into_blocks_of_twenty() -> None:
    names = [f"{number:03}.h5" for number in range(50)]
    shuffled = np.random.default_rng(0).permutation(names).tolist()
    assert trajectories(shuffled) == [int(name[:3]) // 20 for name in shuffled]


def test_the_last_step_can_be_another_as_published(folder: Path) -> None:
    kept = read_touch_contact(folder).items["all"][1].reshape(20, T - 1, 8)
    drawn, again = (
        read_touch_contact(folder, ContactOptions(last="random")).items["all"][1] for _ in range(2)
    )
    assert drawn.equal(again)
    drawn = drawn.reshape(20, T - 1, 8)
    assert drawn[:, :-1].equal(kept[:, :-1])
    chosen = [
        [t for t in range(T - 1) if own[t].equal(new[-1])]
        for own, new in zip(kept, drawn, strict=True)
    ]
    assert all(len(places) == 1 and places[0] < T - 2 for places in chosen)
    assert len({places[0] for places in chosen}) > 1


def test_pictures_are_cropped_and_reduced(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for seed, name in enumerate(NAMES[:5]):
        image = rng.integers(0, 256, (2, 134, 131, 3), np.uint8)
        held = recording(seed) | {"image": image}
        write(tmp_path, name, {key: x[:2] for key, x in held.items()})
    middle = image[0, 3:131, 2:130].transpose(2, 0, 1)
    data = read_touch_regression(tmp_path)
    np.testing.assert_array_equal(data.items["all"][0][sorted(NAMES[:5]).index(name)], middle)
    data = read_touch_regression(tmp_path, TouchOptions(side=32))
    small = data.items["all"][0][sorted(NAMES[:5]).index(name)].numpy()
    for row, column in ((0, 0), (5, 30), (31, 31)):
        block = middle[:, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4].astype(float)
        expected = block.reshape(3, -1).mean(1)
        assert np.abs(small[:, row, column] - expected).max() <= 0.5
    with pytest.raises(InputError, match="side must divide 128"):
        read_touch_regression(tmp_path, TouchOptions(side=48))


def test_the_catalog_reads_both_tasks_from_one_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "touch").symlink_to(folder)
    monkeypatch.setenv("TRIFEATURE_DATA", str(tmp_path))
    data = load_real("touch-contact", standardize=True, encoders="default")
    proprio = data.items["all"][1][data.rows_of("train")[:, 1]]
    np.testing.assert_allclose(proprio.mean(0), np.zeros(8), atol=1e-5)
    assert data.modalities[0].encoder is None
    assert data.origin["source"] == "touch-contact"
    (digest,) = data.origin["files"].values()
    assert load_real("touch-regression").origin["files"] == {"20 files *.h5": digest}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"contact": None}, "lacks 'contact': it holds action"),
        ({"image": np.zeros((T, 8, 8, 4), np.uint8)}, "must have 3 channels"),
        ({"image": np.zeros((T, 8, 8, 3))}, "must be uint8"),
        ({"proprio": np.zeros((T, 4))}, "'proprio' has shape"),
        ({"contact": np.zeros((T - 1, 2))}, "the numbers of steps differ"),
        ({"image": np.zeros((T, 9, 9, 3), np.uint8)}, "in the files before"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    for seed, name in enumerate(NAMES[:5]):
        held = recording(seed) | (changes if name == NAMES[1] else {})
        write(tmp_path, name, {key: x for key, x in held.items() if x is not None})
    with pytest.raises(InputError, match=words):
        read_touch_contact(tmp_path)


@pytest.mark.parametrize("read", [read_touch_contact, read_touch_regression])
def test_what_is_missing_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], Samples]
) -> None:
    with pytest.raises(InputError, match=r"holds no \.h5 file"):
        read(tmp_path)
    (tmp_path / NAMES[0]).write_bytes(b"not HDF5")
    with pytest.raises(InputError, match="too few to split"):
        read(tmp_path)
    for name in NAMES[1:5]:
        (tmp_path / name).write_bytes(b"not HDF5")
    with pytest.raises(InputError, match="is damaged"):
        read(tmp_path)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match="pip install h5py"):
        read(tmp_path)


def test_pictures_that_do_not_fit_into_memory_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "available_memory", lambda: 10_000)
    with pytest.raises(InputError, match="image of 20 files needs at least"):
        read_touch_contact(folder)
