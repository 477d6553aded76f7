"""Features from files: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from trifeature.errors import InputError
from trifeature.real.frozen import features_at, read_features, read_features_of
from trifeature.samples import Samples

VALUES = np.random.default_rng(0).normal(size=(12, 5, 4)).astype(np.float16)


def test_all_present_features_are_an_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", values=VALUES, present=np.ones((12, 5), np.bool_))
    np.save(tmp_path / "b.npy", VALUES.astype(np.float64))
    save_file({"values": torch.from_numpy(VALUES).bfloat16()}, tmp_path / "c.safetensors")
    for name, tolerance in (("a.npz", 0), ("b.npy", 0), ("c.safetensors", 1e-2)):
        found = read_features(tmp_path / name)
        assert isinstance(found, np.ndarray)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, VALUES, rtol=tolerance)


def test_absent_tokens_become_absent_steps(tmp_path: Path) -> None:
    present = np.random.default_rng(1).random((12, 5)) < 0.6
    present[7] = False
    np.savez(tmp_path / "text.npz", values=VALUES, present=present.astype(np.int64))
    data = Samples.from_arrays(
        {"text": read_features(tmp_path / "text.npz")},
        {"y": np.arange(12) % 2},
        standardize=False,
    )
    assert (data.modalities[0].kind, data.modalities[0].partial) == ("series", True)
    for p, item in enumerate(data.items["all"][0].numpy()):
        expected = [VALUES[p, t] for t in range(5) if present[p, t]]
        np.testing.assert_array_equal(item[: len(expected)], np.reshape(expected, (-1, 4)))
        assert np.isnan(item[len(expected) :]).all()


def test_one_vector_a_sample(tmp_path: Path) -> None:
    present = np.arange(12) != 4
    np.savez(tmp_path / "v.npz", values=VALUES[:, 0], present=present)
    found = read_features(tmp_path / "v.npz")
    assert found[4] is None
    data = Samples.from_arrays({"v": found}, {"y": np.arange(12) % 2}, standardize=False)
    assert data.modalities[0].kind == "vector"
    assert data.items["all"][0].isnan().all(1).tolist() == (~present).tolist()


def test_samples_are_found_by_their_identifiers(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", values=VALUES, ids=np.array([f"film{p}" for p in range(12)]))
    np.save(tmp_path / "g.npy", VALUES)
    found = read_features_of(tmp_path / "f.npz", ["film7", "film2"])
    np.testing.assert_array_equal(found, VALUES[[7, 2]].astype(np.float32))
    with pytest.raises(InputError, match=r"f\.npz lacks sample 'film12' among its 'ids'"):
        read_features_of(tmp_path / "f.npz", ["film12"])
    with pytest.raises(InputError, match="12 rows for 1 samples and no 'ids'"):
        read_features_of(tmp_path / "g.npy", ["film7"])
    assert features_at(tmp_path, "g").name == "g.npy"
    with pytest.raises(InputError, match=r"must hold h\.npz"):
        features_at(tmp_path, "h")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"features": VALUES}, "lacks 'values': it holds features"),
        ({"values": np.zeros((3, 4), np.int64)}, "must be floating"),
        ({"values": VALUES[0, 0]}, "must be floating"),
        ({"values": VALUES, "present": np.ones((12, 4))}, r"must be Booleans \[12, 5\]"),
        ({"values": VALUES, "present": np.full((12, 5), 2)}, "must be Booleans"),
        ({"values": np.array([{}], dtype=object)}, "is damaged"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(InputError, match=words):
        read_features(tmp_path / "x.npz")


def test_missing_and_damaged_files_are_one_line(tmp_path: Path) -> None:
    for name in ("x.npz", "x.npy", "x.safetensors"):
        with pytest.raises(InputError, match="is missing"):
            read_features(tmp_path / name)
        (tmp_path / name).write_bytes(b"nothing of the kind")
        with pytest.raises(InputError, match="is damaged"):
            read_features(tmp_path / name)
    with pytest.raises(InputError, match="read from"):
        read_features(tmp_path / "x.csv")
