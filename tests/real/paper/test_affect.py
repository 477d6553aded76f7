"""MOSI, UR-FUNNY and MUStARD: miniature pickles, compared with plain loops."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trifeature.errors import InputError
from trifeature.real.catalog import load_real
from trifeature.real.paper import affect
from trifeature.real.paper.affect import AffectOptions, MosiOptions, read_mosi
from trifeature.samples import Samples

T = 8
SIZES = {"vision": 6, "audio": 3, "text": 4}
COUNTS = {"train": 14, "valid": 6, "test": 7}
DROPPED = 2


def part(count: int, seed: int) -> dict[str, Any]:
    """One part as filed: zeros in front, one sample without text, −∞ in audio, shape [P, 1, 1]."""
    rng = np.random.default_rng(seed)
    held: dict[str, Any] = {}
    lengths = rng.integers(2, T + 1, count)
    lengths[0] = T - 1
    for name, features in SIZES.items():
        x = rng.normal(5, 3, (count, T, features))
        for p, length in enumerate(lengths):
            x[p, : T - length] = 0
        held[name] = x.astype(np.float32) if name == "text" else x
    held["text"][DROPPED] = 0
    held["vision"][3, -1] = 0  # a face that is not found is no absent step
    held["audio"][1, -1, 0] = -np.inf
    scores = np.round(np.linspace(-3, 3, count), 1)
    scores[4] = 0
    held["labels"] = scores.reshape(count, 1, 1)
    held["id"] = np.array([f"video{seed}{p // 3}$_${p}" for p in range(count)], dtype=object)
    return held


def content() -> dict[str, Any]:
    return {name: part(count, seed) for seed, (name, count) in enumerate(COUNTS.items())}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("mosi_data.pkl", "humor.pkl", "sarcasm.pkl"):
        (tmp_path / name).write_bytes(pickle.dumps(content()))
    return tmp_path


def aligned(held: dict[str, Any], name: str) -> list[Any]:
    """What is left of a modality of a part, sample by sample."""
    left = []
    for p in range(len(held["text"])):
        if held["text"][p].sum() == 0:
            continue
        start = 0
        while not held["text"][p, start].any():
            start += 1
        x = held[name][p, start:].astype(np.float32)
        x[np.isinf(x)] = 0
        left.append(x)
    return left


def items(data: Samples, name: str, modality: int) -> list[Any]:
    """The present steps of each item of a set."""
    table = data.items["all"][modality][data.rows_of(name)[:, modality]].numpy()
    return [x[~np.isnan(x[:, 0])] for x in table]


def test_samples_are_aligned_at_their_text_and_padded_at_the_end(folder: Path) -> None:
    data = read_mosi(folder, MosiOptions(modalities=("vision", "audio", "text")))
    held = content()
    for number, modality in enumerate(data.modalities):
        assert (modality.kind, modality.partial) == ("series", True)
        assert (modality.shape[1], modality.encoder) == (SIZES[modality.name], "transformer")
        for name, filed in (("train", "train"), ("test", "test")):
            expected = aligned(held[filed], modality.name)
            found = items(data, name, number)
            assert [len(x) for x in found] == [len(x) for x in expected]
            for x, y in zip(found, expected, strict=True):
                np.testing.assert_array_equal(x, y)
    for x in data.items["all"]:
        absent = x.isnan()[..., 0]
        assert bool((absent[:, 1:] >= absent[:, :-1]).all())
    assert data.origin["dropped"] == {"train": 1, "valid": 1, "test": 1}
    assert data.origin["zeroed"] == {"vision": 0, "audio": 3, "text": 0}
    assert data.origin["samples"] == {"train": 13, "probe": 18, "test": 6}


def test_the_published_padding_is_steps_of_zeros(folder: Path) -> None:
    masked, padded = (read_mosi(folder, MosiOptions(padding=p)) for p in ("mask", "code"))
    for x, y, modality in zip(
        masked.items["all"], padded.items["all"], padded.modalities, strict=True
    ):
        assert not modality.partial
        np.testing.assert_array_equal(x.nan_to_num(0).numpy(), y.numpy())


def test_probes_are_fitted_on_train_and_validation_or_train(folder: Path) -> None:
    data = read_mosi(folder)
    train, probe = data.sets["train"], data.sets["probe"]
    assert probe.rows[: len(train)].tolist() == train.rows.tolist()
    held = content()
    scores = [
        s
        for s, x in zip(held["valid"]["labels"].ravel(), held["valid"]["text"], strict=True)
        if x.sum() != 0
    ]
    assert probe.labels["sentiment"][len(train) :].tolist() == [int(s > 0) for s in scores]
    alone = read_mosi(folder, MosiOptions(validation="leave"))
    assert len(alone.sets["probe"]) == len(train)


@pytest.mark.parametrize(
    ("neutral", "positive"), [("negative", lambda s: s > 0), ("positive", lambda s: s >= 0)]
)
def test_neutral_clips(folder: Path, neutral: str, positive: Callable[[float], bool]) -> None:
    data = read_mosi(folder, MosiOptions(neutral=neutral))
    held = content()["test"]
    scores = np.delete(held["labels"].ravel(), DROPPED)
    assert data.sets["test"].labels["sentiment"].tolist() == [int(positive(s)) for s in scores]
    assert data.tasks["sentiment"].names == ("negative", "positive")


def test_neutral_clips_can_be_left_out(folder: Path) -> None:
    data = read_mosi(folder, MosiOptions(neutral="drop"))
    scores = np.delete(content()["test"]["labels"].ravel(), DROPPED)
    assert len(data.sets["test"]) == (scores != 0).sum()
    assert data.origin["dropped"]["test"] == 1 + (scores == 0).sum()


def test_features_are_standardized_over_present_training_steps(folder: Path) -> None:
    data = read_mosi(folder, MosiOptions(standardize=True))
    steps = np.concatenate(aligned(content()["train"], "vision")).astype(np.float64)
    found = np.concatenate(items(data, "train", 0))
    expected = (steps - steps.mean(0)) / steps.std(0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_clips_of_a_video_are_one_group(folder: Path) -> None:
    data = read_mosi(folder, MosiOptions(groups="video"))
    for name, count in (("train", COUNTS["train"]), ("test", COUNTS["test"])):
        videos = [p // 3 for p in range(count) if p != DROPPED]
        groups = data.sets[name].groups.tolist()
        pairs = [(a, b) for a in range(len(groups)) for b in range(a)]
        assert all((groups[a] == groups[b]) == (videos[a] == videos[b]) for a, b in pairs)


@pytest.mark.parametrize("name", ["humor", "sarcasm"])
def test_the_other_two_are_filed_alike(folder: Path, name: str) -> None:
    data = load_real(name, folder, encoders="default", modalities=["text", "vision"])
    assert [m.name for m in data.modalities] == ["text", "vision"]
    assert data.tasks[name].names == ("no", "yes")
    scores = np.delete(content()["test"]["labels"].ravel(), DROPPED)
    assert data.sets["test"].labels[name].tolist() == (scores > 0).astype(int).tolist()
    assert data.origin["options"]["modalities"] == ["text", "vision"]
    assert data.modalities[0].encoder is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda held: held.pop("valid"), "lacks 'valid': it holds train, test"),
        (lambda held: held["test"].pop("audio"), "test lacks 'audio'"),
        (lambda held: held["train"].update(text=np.zeros((14, 4))), "must be numbers of 3 dim"),
        (lambda held: held["train"].update(labels=np.zeros((14, 7))), "must be one a sample"),
        (lambda held: held["train"].update(labels=[[1], [1, 2]]), "train holds no arrays"),
        (lambda held: held["train"].update(vision=np.ones((14, 9, 6))), "the same steps"),
    ],
)
def test_other_files_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], words: str
) -> None:
    held = content()
    change(held)
    (tmp_path / "humor.pkl").write_bytes(pickle.dumps(held))
    with pytest.raises(InputError, match=words):
        affect.read_humor(tmp_path)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "sarcasm.pkl").write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")
    with pytest.raises(InputError, match="arrays and plain types"):
        affect.read_sarcasm(tmp_path)


def test_wrong_options_are_one_line(folder: Path) -> None:
    for wrong in (
        {"modalities": ()},
        {"modalities": ("text", "text")},
        {"modalities": ("smell",)},
        {"padding": "front"},
        {"groups": "speaker"},
        {"standardize": 1},
    ):
        with pytest.raises(InputError):
            AffectOptions(**wrong)
    held = content()
    for one in held.values():
        one["id"] = np.arange(len(one["labels"]))
    (folder / "humor.pkl").write_bytes(pickle.dumps(held))
    with pytest.raises(InputError, match="do not tell videos"):
        affect.read_humor(folder, AffectOptions(groups="video"))
