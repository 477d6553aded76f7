"""Penguins: complete birds alone, from a table the test writes."""

from pathlib import Path

import numpy as np
import pytest
from real_files import installed

from trifeature.errors import InputError
from trifeature.real.catalog import load_real
from trifeature.real.packaged.penguins import PenguinsOptions, read_penguins

HEADER = "species,island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex,year"
BIRDS = [
    f"{species},{island},{40 + n},{18 - n / 10},{180 + n},{3700 + 10 * n},{sex},2007"
    for species, island in (("Adelie", "Dream"), ("Gentoo", "Biscoe"))
    for sex in ("male", "female")
    for n in range(4)
]
LACKING = ["Adelie,Dream,NA,18,181,3750,male,2007", "Adelie,Dream,39,18,181,3750,NA,2007"]


def write(folder: Path, *lines: str) -> Path:
    (folder / "penguins.csv").write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return folder


def test_birds_that_lack_a_value_are_left_out(tmp_path: Path) -> None:
    samples = read_penguins(write(tmp_path, *LACKING, *BIRDS), PenguinsOptions())
    assert [(m.name, m.shape) for m in samples.modalities] == [("bill", (2,)), ("body", (2,))]
    assert {name: len(one) for name, one in samples.sets.items()} == {
        "train": 12,
        "probe": 12,
        "test": 4,
    }
    raw = np.array([[float(x) for x in bird.split(",")[2:6]] for bird in BIRDS])
    train = samples.sets["train"].rows[:, 0]
    expected = (raw - raw[train].mean(0)) / raw[train].std(0)
    items = np.hstack([x.numpy() for x in samples.items["all"]])
    np.testing.assert_allclose(items, expected, atol=1e-4)
    for task, column in (("species", 0), ("sex", 6), ("island", 1)):
        names = samples.tasks[task].names
        for one in samples.sets.values():
            given = [BIRDS[p].split(",")[column] for p in one.rows[:, 0]]
            assert [names[code] for code in one.labels[task]] == given


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["Adelie,Dream,long,18,181,3750,male,2007"], "could not convert string to float: 'long'"),
        (LACKING, "holds no bird with every value"),
    ],
)
def test_a_wrong_table_is_one_line(tmp_path: Path, lines: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_penguins(write(tmp_path, *lines), PenguinsOptions())


def test_a_table_without_a_column_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "penguins.csv").write_text("species,sex\nAdelie,male\n")
    with pytest.raises(InputError, match="lacks the column island"):
        read_penguins(tmp_path, PenguinsOptions())
    with pytest.raises(InputError, match="is not a table"):
        read_penguins(tmp_path / "nowhere", PenguinsOptions())


def test_the_published_file_has_the_published_size() -> None:
    samples = load_real("penguins", installed("penguins"))
    assert sum(len(samples.sets[name]) for name in ("train", "test")) == 333
    assert [task.classes for task in samples.tasks.values()] == [3, 2, 3]
