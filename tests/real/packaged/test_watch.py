"""Windows of a watch's recordings, split by person, from a file the test writes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from real_files import installed

from trifeature.errors import InputError
from trifeature.real.catalog import load_real
from trifeature.real.packaged.watch import WatchOptions, read_watch

EXERCISES = ["PEN", "ABD", "FEL"]
COLUMNS = ["ax", "ay", "az", "wx", "wy", "wz"]
PEOPLE = 4


def recordings() -> dict[str, Any]:
    """A recording of each person, exercise and side; the first number of a step is unique."""
    rng = np.random.default_rng(0)
    cases = [(e, p, s) for p in range(1, PEOPLE + 1) for e in range(3) for s in (0.0, 1.0)]
    exercise, person, side = (np.array(column) for column in zip(*cases, strict=True))
    X = [rng.normal(size=(rng.integers(20, 40), 6)) for _ in cases]
    return {
        "X": X,
        "y": exercise,
        "subject": person,
        "side": side,
        "X_labels": list(COLUMNS),
        "y_labels": list(EXERCISES),
    }


def write(folder: Path, content: Any) -> Path:
    np.save(folder / "watch_dataset.npy", np.array(content, dtype=object), allow_pickle=True)
    return folder


def test_windows_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    content = recordings()
    samples = read_watch(
        write(tmp_path, content), WatchOptions(window=8, stride=3, test_people=(2, 3))
    )
    values, labels, sides, people = [], [], [], []
    for x, y, person, side in zip(
        *(content[name] for name in ("X", "y", "subject", "side")), strict=True
    ):
        start = 0
        while start + 8 <= len(x):
            values.append(x[start : start + 8])
            labels.append(EXERCISES[y])
            sides.append("right" if side else "left")
            people.append(int(person))
            start += 3
    assert [m.name for m in samples.modalities] == ["accelerometer", "gyroscope"]
    assert [(m.kind, m.shape, m.partial) for m in samples.modalities] == [
        ("series", (8, 3), False)
    ] * 2
    train = [p for p, person in enumerate(people) if person not in (2, 3)]
    for m, columns in enumerate((slice(0, 3), slice(3, 6))):
        raw = np.stack(values)[..., columns]
        steps = np.concatenate([raw[p] for p in train])
        expected = (raw - steps.mean(0)) / steps.std(0)
        np.testing.assert_allclose(samples.items["all"][m], expected, atol=1e-5)
    test = samples.sets["test"]
    assert sorted(test.rows[:, 0]) == [p for p, x in enumerate(people) if x in (2, 3)]
    for task, given in (("exercise", labels), ("side", sides)):
        names = samples.tasks[task].names
        assert [names[code] for code in test.labels[task]] == [given[p] for p in test.rows[:, 0]]


def test_people_are_groups_and_are_never_cut(tmp_path: Path) -> None:
    write(tmp_path, recordings())
    drawn = set()
    for seed in range(8):
        samples = read_watch(tmp_path, WatchOptions(8, 8, test_people=(), tested=1, seed=seed))
        one, other = (np.unique(samples.sets[name].groups) for name in ("train", "test"))
        assert (len(one), len(other)) == (PEOPLE - 1, 1)
        assert not set(one) & set(other)
        drawn.add(int(other[0]))
    assert len(drawn) > 1


def test_the_order_of_people_makes_no_other_data() -> None:
    assert WatchOptions(test_people=(10, 8, 9)) == WatchOptions()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": 0}, "window must be a whole number of at least 1"),
        ({"test_people": 3}, r"test_people must be a list such as \[1, 2\], not 3"),
        ({"test_people": "1,2"}, r"test_people must be a list such as \[1, 2\], not '1,2'"),
        ({"window": 41, "test_people": (1,)}, "at most the length of a recording, not 41"),
        ({"window": 8, "test_people": (1, 7)}, "test_people must be some of 1, 2, 3, 4, not 7"),
        ({"window": 8, "test_people": (1, 2, 3, 4)}, "leave none to train on"),
        ({"window": 8, "test_people": (), "tested": 4}, "leave none to train on"),
    ],
)
def test_wrong_options_are_one_line(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    write(tmp_path, recordings())
    with pytest.raises(InputError, match=words):
        read_watch(tmp_path, WatchOptions(**options))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"subject": None}, "'subject' must be a number for each of 24 recordings"),
        ({"y": np.full(24, 3)}, "'y' must be whole numbers from 0 to 2"),
        ({"side": np.full(24, 0.5)}, "'side' must be whole numbers from 0 to 1"),
        ({"X_labels": COLUMNS[:5]}, "X_labels must be ax, ay"),
        ({"X": [np.zeros((30, 5))] * 24}, r"each recording must be numbers \[steps, 6\]"),
    ],
)
def test_wrong_content_is_one_line(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    write(tmp_path, recordings() | change)
    with pytest.raises(InputError, match=words):
        read_watch(tmp_path, WatchOptions())


@pytest.mark.parametrize(("content", "words"), [([1], "one dictionary"), ({"X": []}, "lacks 'y'")])
def test_a_wrong_file_is_one_line(tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_watch(write(tmp_path, content), WatchOptions())


def test_the_published_file_has_the_published_size() -> None:
    samples = load_real("watch", installed("watch"))
    assert sum(len(samples.sets[name]) for name in ("train", "test")) == 3605
    assert [len(np.unique(samples.sets[name].groups)) for name in ("train", "test")] == [7, 3]
    assert [task.classes for task in samples.tasks.values()] == [7, 2]
