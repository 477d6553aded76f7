"""Miniature files of the paper's sets of real data, in the published formats, and of the digits.

`write_all` makes a folder for the environment variable `TRIFEATURE_DATA`.
"""

from __future__ import annotations

import importlib
import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pytest

from trifeature.real.catalog import SOURCES, SourceFile

Array = npt.NDArray[Any]

COUNTS: Final = {"train": 24, "valid": 8, "test": 12}
"""Samples of each part of a set of videos."""

AFFECT: Final = {
    "mosi": ("mosi_data.pkl", {"vision": 6, "text": 7, "audio": 5}),
    "humor": ("humor.pkl", {"vision": 8, "text": 7, "audio": 6}),
    "sarcasm": ("sarcasm.pkl", {"vision": 8, "text": 7, "audio": 6}),
}
"""The file of each set of videos, and the features of its modalities."""

STEPS: Final = 4
STAYS: Final = 60
"""Samples of MIMIC."""

FILES: Final = 10
"""Recordings of Vision&Touch."""

FILMS: Final = {"train": 12, "dev": 4, "test": 8}
VIEWS: Final = {"fou": 6, "fac": 5, "kar": 6, "pix": 240, "zer": 4, "mor": 3}


def write_affect(folder: Path, name: str) -> None:
    """MOSI, UR-FUNNY or MUStARD: steps of zeros stand in front, words tell the score."""
    file, features = AFFECT[name]
    folder.mkdir(parents=True)
    parts = {
        part: _videos(count, features, seed) for seed, (part, count) in enumerate(COUNTS.items())
    }
    (folder / file).write_bytes(pickle.dumps(parts))


def _videos(count: int, features: dict[str, int], seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    scores = np.where(np.arange(count) % 2, 1.5, -1.5)
    part: dict[str, Any] = {}
    for name, size in features.items():
        x = rng.normal(scores[:, None, None], 1, (count, STEPS, size)).astype(np.float32)
        for sample, start in zip(x, rng.integers(0, STEPS - 1, count), strict=True):
            sample[:start] = 0
        part[name] = x
    identifiers = np.array([f"video{place}" for place in range(count)], dtype=object)
    return part | {"labels": scores[:, None, None], "id": identifiers}


def write_mimic(folder: Path) -> None:
    """MIMIC: every second stay has the disease, and the first numbers of it tell."""
    rng = np.random.default_rng(0)
    sick = np.arange(STAYS) % 2
    diseases = rng.integers(0, 2, (STAYS, 20)).astype(float)
    diseases[:, 7] = sick
    content = {
        "ep_tdata": rng.normal(sick[:, None, None], 1, (STAYS, 24, 12)),
        "adm_features_all": rng.normal(sick[:, None], 1, (STAYS, 5)),
        "adm_labels_all": rng.integers(0, 2, (STAYS, 6)).astype(float),
        "y_icd9": diseases,
    }
    folder.mkdir(parents=True)
    (folder / "im.pk").write_bytes(pickle.dumps(content))


def write_touch(folder: Path) -> None:
    """Vision&Touch: recordings of six steps and 16 pixels; contact alternates."""
    h5py: Any = importlib.import_module("h5py")
    folder.mkdir(parents=True)
    steps = 6
    for place in range(FILES):
        rng = np.random.default_rng(place)
        with h5py.File(folder / f"journal_{place // 5}_{place % 5}_1000.h5", "w") as file:
            file["image"] = rng.integers(0, 256, (steps, 16, 16, 3), np.uint8)
            file["ee_forces_continuous"] = rng.normal(0, 1, (steps, 36, 6))
            file["proprio"] = rng.normal(size=(steps, 8))
            file["contact"] = np.arange(steps)[:, None] % 2.0


def write_films(folder: Path) -> None:
    """MM-IMDb: films, and features of two frozen models in `clip` and `blip2`."""
    from PIL import Image  # noqa: PLC0415 - few tests need it

    (folder / "dataset").mkdir(parents=True)
    names = iter(f"{place:04d}" for place in range(100))
    split = {part: [next(names) for _ in range(count)] for part, count in FILMS.items()}
    (folder / "split.json").write_text(json.dumps(split))
    ids = [name for part in split.values() for name in part]
    rng = np.random.default_rng(0)
    for place, name in enumerate(ids):
        film = {"plot": ["A dog."], "genres": ["Drama", "War"] if place % 2 else ["Comedy"]}
        (folder / "dataset" / f"{name}.json").write_text(json.dumps(film))
        picture = Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8))
        picture.save(folder / "dataset" / f"{name}.jpeg")
    for model in ("clip", "blip2"):
        (folder / model).mkdir()
        for modality in ("image", "text"):
            values = rng.normal(size=(len(ids), 3, 768)).astype(np.float32)
            np.savez(folder / model / f"{modality}.npz", values=values, ids=np.array(ids))


def write_digits(folder: Path, each: int = 12) -> None:
    """Six measurements of digits, each class around a place of its own."""
    folder.mkdir(parents=True)
    digits = np.repeat(np.arange(10), each)
    for seed, (view, features) in enumerate(VIEWS.items()):
        rng = np.random.default_rng(seed)
        places = rng.integers(0, 7, (10, features)).astype(float)
        table = np.clip(
            np.round(places[digits] + rng.normal(0, 0.6, (len(digits), features))), 0, 6
        )
        table[:, -1] += np.arange(len(digits)) * (view != "pix")  # no digit stands there twice
        lines = [",".join(map(str, range(features + 1)))]
        lines += [
            ",".join(f"{x:g}" for x in (*row, d)) for row, d in zip(table, digits, strict=True)
        ]
        (folder / f"mfeat-{view}.csv").write_text("\n".join(lines) + "\n", encoding="ascii")


def write_all(home: Path, *, touch: bool = False, films: bool = False) -> None:
    """Every set that needs no further package, in folders of their names."""
    for name in AFFECT:
        write_affect(home / name, name)
    write_mimic(home / "mimic")
    write_digits(home / "digits")
    if touch:
        write_touch(home / "touch")
    if films:
        write_films(home / "mmimdb")


def use(home: Path, patch: pytest.MonkeyPatch) -> None:
    """Look for real data in a folder alone, and take the digits there for the published ones."""
    patch.setenv("TRIFEATURE_DATA", str(home))
    for name in ("digits", "six-or-nine", "digit-pairs"):
        source = SOURCES[name]
        files = tuple(SourceFile(file.name) for file in source.files)
        patch.setitem(SOURCES, name, replace(source, files=files, package=""))
