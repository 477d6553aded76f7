"""MM-IMDb: a miniature folder, compared with plain loops and torchvision's transforms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torchvision import transforms

from trifeature import checks
from trifeature.errors import InputError
from trifeature.real.catalog import load_real
from trifeature.real.paper.mmimdb import GENRES, MmimdbOptions, read_mmimdb
from trifeature.samples import Samples

SPLIT = {"train": ["0001", "0004", "0005", "0009"], "dev": ["0002"], "test": ["0003", "0007"]}
IDS = [name for part in SPLIT.values() for name in part]
SIZES = [(40, 61), (52, 32), (33, 33), (31, 50), (20, 27), (64, 45), (34, 47)]
PLOTS = [["A shark eats."], ["A dog.", "The dog and a cat."], ["It's war!"], [], ["Dogs, dogs"]]
NAMES = [["Drama", "War"], ["Sci-Fi"], ["Film-Noir", "News"], ["Comedy"], ["drama", "Adult"]]


def film(place: int) -> dict[str, Any]:
    return {"plot": PLOTS[place % 5], "genres": NAMES[place % 5], "year": 1999}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "split.json").write_text(json.dumps(SPLIT))
    (tmp_path / "dataset").mkdir()
    rng = np.random.default_rng(0)
    for place, (name, (width, height)) in enumerate(zip(IDS, SIZES, strict=True)):
        (tmp_path / "dataset" / f"{name}.json").write_text(json.dumps(film(place)))
        shape = (height, width) if place == 2 else (height, width, 3)  # one of them is gray
        image = Image.fromarray(rng.integers(0, 256, shape, np.uint8))
        image.save(tmp_path / "dataset" / f"{name}.jpeg")
    return tmp_path


def rows(data: Samples, name: str) -> list[int]:
    return [int(p) for p in data.sets[name].rows[:, 0]]


def test_posters_are_resized_and_cropped_as_published(folder: Path) -> None:
    data = read_mmimdb(folder, MmimdbOptions(side=24))
    assert data.modalities[0].shape == (3, 24, 24)
    published = transforms.Compose([transforms.Resize(24), transforms.CenterCrop(24)])
    for name, found in zip(IDS, data.items["all"][0].numpy(), strict=True):
        with Image.open(folder / "dataset" / f"{name}.jpeg") as file:
            expected = np.asarray(published(file.convert("RGB")))
        np.testing.assert_array_equal(found.transpose(1, 2, 0), expected)


def test_the_split_is_the_file_s(folder: Path) -> None:
    data = read_mmimdb(folder, MmimdbOptions(side=8))
    assert [rows(data, name) for name in ("train", "probe", "test")] == [
        [0, 1, 2, 3],
        [0, 1, 2, 3, 4],
        [5, 6],
    ]
    alone = read_mmimdb(folder, MmimdbOptions(side=8, validation="leave"))
    assert rows(alone, "probe") == [0, 1, 2, 3]


def test_genres_are_many_labels_and_others_are_counted(folder: Path) -> None:
    data = read_mmimdb(folder, MmimdbOptions(side=8))
    task = data.tasks["genres"]
    assert (task.kind, task.classes, task.names) == ("labels", 23, GENRES)
    for one in data.sets.values():
        for p, labels in zip(one.rows[:, 0], one.labels["genres"], strict=True):
            expected = [int(g in [n.lower() for n in film(p)["genres"]]) for g in GENRES]
            assert labels.tolist() == expected
    assert data.origin["other_genres"] == {"adult": 1, "news": 1}


def test_plots_are_words(folder: Path) -> None:
    data = read_mmimdb(folder, MmimdbOptions(side=8, words=2))
    modality, tokens = data.modalities[1], data.items["all"][1]
    assert (modality.kind, modality.shape, modality.partial) == ("tokens", (2,), True)
    assert tokens[3].isnan().all()  # a film without a plot
    assert tokens[0].tolist() == tokens[5].tolist()  # the same two words
    assert modality.vocabulary == 1 + len({"a", "shark", "dog", "it's", "war", "dogs"})


def test_a_random_plot_is_drawn_once(folder: Path) -> None:
    lengths = set()
    for seed in range(8):
        data, again = (
            read_mmimdb(folder, MmimdbOptions(side=8, plot="random", seed=seed)) for _ in range(2)
        )
        assert data.items["all"][1].nan_to_num(-1).equal(again.items["all"][1].nan_to_num(-1))
        lengths.add(int((~data.items["all"][1][1].isnan()).sum()))
    assert lengths == {2, 5}


def test_frozen_features_take_the_place_of_posters_and_plots(folder: Path) -> None:
    rng = np.random.default_rng(0)
    image, text = rng.normal(size=(7, 3, 4)).astype(np.float16), rng.normal(size=(9, 6, 5))
    present = np.arange(6) < rng.integers(1, 7, (9, 1))
    names = np.array([*IDS, "8000", "8001"])[::-1]
    (folder / "clip").mkdir()
    np.savez(folder / "clip" / "image.npz", values=image)
    np.savez(folder / "clip" / "text.npz", values=text, present=present, ids=names)
    data = load_real("mmimdb", folder, frozen="clip")
    assert [(m.name, m.kind, m.encoder) for m in data.modalities] == [
        ("image", "series", "frozen"),
        ("text", "series", "frozen"),
    ]
    np.testing.assert_array_equal(data.items["all"][0].numpy(), image.astype(np.float32))
    for p, name in enumerate(IDS):
        row = names.tolist().index(name)
        found = data.items["all"][1][p].numpy()
        count = int(present[row].sum())
        np.testing.assert_allclose(found[:count], text[row, :count], rtol=1e-6)
        assert np.isnan(found[count:]).all()
    assert data.origin["files"].keys() == {"split.json"}
    same = load_real("mmimdb", folder / "split.json", frozen=str(folder / "clip"))
    assert same.origin["sha256"] == data.origin["sha256"]


def test_posters_that_do_not_fit_into_memory_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "available_memory", lambda: 10_000)
    with pytest.raises(InputError, match="7 posters needs at least"):
        read_mmimdb(folder)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("split.json", '{"train": ["0001"], "test": ["0003"]}', "list of identifiers 'dev'"),
        ("split.json", '{"train": ["1", "2"], "dev": ["2"], "test": ["3"]}', "film '2' 2 times"),
        ("split.json", '{"train": ["../x"], "dev": ["2"], "test": ["3"]}', "no identifier"),
        ("split.json", "[]", "does not hold a JSON object"),
        ("dataset/0001.json", '{"plot": "text", "genres": []}', "'plot' must be a list of texts"),
        ("dataset/0001.jpeg", "no picture", "0001.jpeg is damaged"),
    ],
)
def test_other_files_are_refused(folder: Path, name: str, content: str, words: str) -> None:
    (folder / name).write_text(content)
    with pytest.raises(InputError, match=words):
        read_mmimdb(folder, MmimdbOptions(side=8))


def test_missing_files_are_one_line(folder: Path) -> None:
    (folder / "dataset" / "0007.jpeg").unlink()
    with pytest.raises(InputError, match=r"0007\.jpeg is missing"):
        read_mmimdb(folder, MmimdbOptions(side=8))
    (folder / "dataset" / "0005.json").unlink()
    with pytest.raises(InputError, match=r"0005\.json is missing"):
        read_mmimdb(folder, MmimdbOptions(side=8))
