"""MIMIC: a miniature im.pk, compared with plain loops."""

from __future__ import annotations

import pickle
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trifeature.errors import InputError
from trifeature.modality import Modality
from trifeature.real.catalog import load_real
from trifeature.real.paper.mimic import MimicOptions, published_split, read_mimic

P = 60


def content() -> dict[str, Any]:
    """What im.pk holds, with gaps, and a column without any spread."""
    rng = np.random.default_rng(0)
    table, series = rng.normal(3, 2, (P, 5)), rng.normal(-1, 4, (P, 24, 12))
    table[3, 1], table[4, 0], series[5, 6, 7], series[8, :, 2] = np.nan, np.inf, -np.inf, np.nan
    table[:, 4] = 0
    return {
        "ep_tdata": series,
        "adm_features_all": table,
        "adm_labels_all": (rng.random((P, 6)) < 0.3).astype(np.float64),
        "y_icd9": (rng.random((P, 20)) < 0.5).astype(np.float64),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "im.pk").write_bytes(pickle.dumps(content()))
    return tmp_path


def shuffled() -> list[int]:
    random.seed(10)  # as published: the module's generator
    order = list(range(P))
    random.shuffle(order)
    return order


def filled(array: Any) -> Any:
    return np.where(np.isfinite(array), array, 0)


def test_modalities_are_standardized_as_published(folder: Path) -> None:
    data = read_mimic(folder)
    assert data.modalities == (
        Modality("table", "vector", (5,), "mlp-mimic"),
        Modality("series", "series", (24, 12), "gru"),
    )
    table, series = (filled(content()[name]) for name in ("adm_features_all", "ep_tdata"))
    read_table, read_series = (x.numpy() for x in data.items["all"])
    for column in range(4):
        x = table[:, column]
        expected = (x - sum(x) / P) / np.sqrt(sum((x - sum(x) / P) ** 2) / P)
        np.testing.assert_allclose(read_table[:, column], expected, rtol=1e-5, atol=1e-6)
    assert not read_table[:, 4].any()
    for channel in range(12):
        x = np.array([series[p, t, channel] for p in range(P) for t in range(24)])
        expected = (x - x.mean()) / x.std()
        np.testing.assert_allclose(read_series[:, :, channel].ravel(), expected, rtol=1e-5)
    assert data.origin["zeroed"] == {"table": 2, "series": 25}


def test_statistics_of_training_samples_alone_are_an_option(folder: Path) -> None:
    data = read_mimic(folder, MimicOptions(normalize="train"))
    train = data.items["all"][1][data.rows_of("train")[:, 1]]
    np.testing.assert_allclose(train.mean((0, 1)), np.zeros(12), atol=1e-5)
    np.testing.assert_allclose(train.std((0, 1), correction=0), np.ones(12), rtol=1e-5)
    test = data.items["all"][1][data.rows_of("test")[:, 1]]
    assert test.mean((0, 1)).abs().max() > 1e-3
    raw = read_mimic(folder, MimicOptions(normalize="none"))
    np.testing.assert_allclose(raw.items["all"][0], filled(content()["adm_features_all"]), 1e-6)


def test_the_split_is_the_published_one(folder: Path) -> None:
    order, tenth = shuffled(), P // 10
    data = read_mimic(folder)
    rows = {name: set(one.rows[:, 0].tolist()) for name, one in data.sets.items()}
    assert rows["test"] == set(order[tenth : 2 * tenth])
    assert rows["train"] == set(order[2 * tenth :])
    assert rows["probe"] == rows["train"] | set(order[:tenth])
    assert data.origin["samples"] == {"train": 48, "probe": 54, "test": 6}
    alone = read_mimic(folder, MimicOptions(validation="leave"))
    assert set(alone.sets["probe"].rows[:, 0].tolist()) == rows["train"]


def test_the_whole_file_is_split_as_the_scores_say() -> None:
    """FactorCL's published scores are whole numbers of 26,093 samples, the training split."""
    split = published_split(32616)
    assert [(split == name).sum() for name in ("train", "validation", "test")] == [
        26093,
        3261,
        3262,
    ]


def test_diseases_and_mortality_are_labelled_as_published(folder: Path) -> None:
    stays = content()
    data = read_mimic(folder, MimicOptions(task=3))
    for one in data.sets.values():
        assert one.labels["disease"].tolist() == [stays["y_icd9"][p, 3] for p in one.rows[:, 0]]
    data = read_mimic(folder, MimicOptions(task=-1))
    assert data.tasks["mortality"].classes == 6
    for one in data.sets.values():
        for p, label in zip(one.rows[:, 0], one.labels["mortality"], strict=True):
            first = [c for c in range(1, 6) if stays["adm_labels_all"][p, c] > 0]
            assert label == (first[0] if first else 0)


def test_the_catalog_finds_it_and_names_file_and_options(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load_real("mimic", folder, task=3, encoders="default")
    assert data.origin["source"] == "mimic"
    assert data.origin["options"]["task"] == 3
    assert list(data.origin["files"]) == ["im.pk"]
    assert data.modalities[0].encoder is None
    monkeypatch.setenv("TRIFEATURE_DATA", str(folder / "none"))
    with pytest.raises(InputError, match="trifeature data how mimic"):
        load_real("mimic")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"y_icd9": None}, "lacks 'y_icd9': it holds ep_tdata"),
        ({"ep_tdata": np.zeros((P, 24))}, "'ep_tdata' must be numbers of 3 dimensions"),
        ({"y_icd9": np.zeros((P - 1, 20))}, "the numbers of samples differ"),
        ({"y_icd9": np.zeros((P, 5))}, "has 5 columns, there is no 7"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    held = {name: x for name, x in (content() | changes).items() if x is not None}
    (tmp_path / "im.pk").write_bytes(pickle.dumps(held))
    with pytest.raises(InputError, match=words):
        read_mimic(tmp_path)


def test_a_missing_file_and_wrong_options_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"im\.pk is missing"):
        read_mimic(tmp_path)
    with pytest.raises(InputError, match="task must be a whole number from -1 to 19"):
        MimicOptions(task=20)
    with pytest.raises(InputError, match="normalize"):
        replace(MimicOptions(), normalize="some")
