"""A data set as a folder: write it whole or not at all, check every byte, read it back.

The folder is one that other tools already read: `train/*.png` and `test/*.png`, each with a
`metadata.jsonl` in the style of Hugging Face's image folders, `pairs/*.csv`, and `dataset.json`
with every setting, the exact atoms of every task and the SHA-256 of every file.
"""

from __future__ import annotations

import csv
import glob
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from filelock import FileLock, Timeout
from PIL import Image
from torch import Tensor

import trifeature
from trifeature.data.attributes import ATTRIBUTES, VALUES
from trifeature.data.dataset import (
    PAIR_SETS,
    SPLIT_OF,
    SPLITS,
    Dataset,
    DatasetSettings,
    ImageTable,
    PairSet,
    Split,
    build,
    summarize,
)
from trifeature.data.pairs import Pairs
from trifeature.data.truth import ground_truth
from trifeature.errors import InputError

FORMAT_VERSION: Final = 2
READABLE_VERSIONS: Final = (1, 2)
"""Version 1 does not state the atoms; `read_truth` computes them from its pairs."""
MANIFEST: Final = "dataset.json"
PATIENCE: Final = 1.0
"""Seconds to wait for another process before saying so."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Generated:
    """What `generate` did.

    Attributes:
        path: The data set's folder.
        reused: It was there already, whole and with these settings.
        summary: Sizes, match rates and label counts, as `trifeature.data.dataset.summarize` gives.
    """

    path: Path
    reused: bool
    summary: Mapping[str, Any]


# --------------------------------------------------------------------------- writing


def generate(
    path: str | os.PathLike[str],
    settings: DatasetSettings,
    *,
    overwrite: bool = False,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
    on_wait: Callable[[], None] | None = None,
) -> Generated:
    """Make a data set on disk, or reuse it where exactly this one lies there already.

    The folder is written under another name and renamed at the end, so a half-written data set
    never looks whole. Two processes that start the same one at once both succeed: the second
    waits and finds it done.

    Args:
        path: The folder to make.
        settings: What to make.
        overwrite: Replace a data set with other settings, or a damaged one. Anything that is
            not a Trifeature data set is never replaced.
        device: Where to render.
        progress: Called with the number of files written so far and in all.
        on_wait: Called once if another process is at work on this data set.

    Raises:
        InputError: something else is at `path`.
        OSError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    target = Path(path)
    _is_free(target)  # refuses what is no data set before a lock leaves its file beside it
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target, on_wait):
        if (existing := _existing(target, settings, overwrite)) is not None:
            return Generated(target, reused=True, summary=existing["summary"])
        for stale in target.parent.glob(f".{glob.escape(target.name)}.part-*"):
            shutil.rmtree(stale)  # only a killed process leaves one, and we hold the lock
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.part-", dir=target.parent))
        try:
            dataset = build(settings, device)
            write(staging, dataset, progress)
            staging.chmod(0o755)
            if target.exists():
                shutil.rmtree(target)
            staging.rename(target)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
    return Generated(target, reused=False, summary=summarize(dataset))


@contextmanager
def _locked(target: Path, on_wait: Callable[[], None] | None) -> Iterator[None]:
    """Keep other processes from making the same data set meanwhile."""
    lock = FileLock(target.parent / f".{target.name}.lock")
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        if on_wait is not None:
            on_wait()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _is_free(target: Path) -> bool:
    """Whether nothing lies there; a data set may, and anything else is refused."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return True
    if not (target / MANIFEST).is_file():
        raise InputError(
            f"{target} exists and is not a Trifeature data set: name another folder or remove it"
        )
    return False


def _existing(target: Path, settings: DatasetSettings, overwrite: bool) -> dict[str, Any] | None:
    """The manifest of the data set at `target` if it can be reused; None if one may be written."""
    if _is_free(target):
        return None
    if overwrite:
        strangers = {entry.name for entry in target.iterdir()} - {MANIFEST, *SPLITS, "pairs"}
        if strangers:
            raise InputError(
                f"{target} also holds {min(strangers)}, which belongs to no data set: "
                "name another folder or move it away"
            )
        return None
    manifest = read_manifest(target)
    if DatasetSettings.from_json(manifest["settings"]) != settings:
        raise InputError(
            f"{target} holds a data set with other settings: name another folder, or say "
            "--overwrite to replace it"
        )
    if problems := verify(target):
        raise InputError(f"{target} is damaged ({problems[0]}): say --overwrite to replace it")
    return manifest


def write(folder: Path, dataset: Dataset, progress: Progress | None = None) -> None:
    """Write a data set's files into an existing empty folder."""
    entries: dict[str, dict[str, Any]] = {}

    def put(name: str, content: bytes) -> None:
        (folder / name).write_bytes(content)
        entries[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    total = sum(len(table.copies) for table in dataset.tables.values())
    done = 0
    for split in SPLITS:
        (folder / split).mkdir()
        names = file_names(dataset.tables[split])
        with ThreadPoolExecutor() as pool:
            for name, png in zip(names, pool.map(_encode, dataset.images[split]), strict=True):
                put(f"{split}/{name}", png)
                done += 1
                if progress is not None:
                    progress(done, total)
        put(f"{split}/metadata.jsonl", _metadata(dataset.tables[split], names))
    (folder / "pairs").mkdir()
    for pair_set in PAIR_SETS:
        names = file_names(dataset.tables[SPLIT_OF[pair_set]])
        put(f"pairs/{pair_set}.csv", _pair_table(dataset.pairs[pair_set], names))
    (folder / MANIFEST).write_bytes(_manifest(dataset, entries))


def file_names(table: ImageTable) -> list[str]:
    """The file name of each image: its attributes and copy number."""
    return [
        "_".join((*_value_names(row), str(copy))) + ".png"
        for row, copy in zip(table.attributes, table.copies, strict=True)
    ]


def _value_names(row: np.ndarray[Any, np.dtype[np.int64]]) -> tuple[str, ...]:
    return tuple(VALUES[name][value] for name, value in zip(ATTRIBUTES, row, strict=True))


def _encode(image: Tensor) -> bytes:
    """One image [3, S, S] as PNG."""
    buffer = io.BytesIO()
    pixels = image.permute(1, 2, 0).contiguous().cpu().numpy()
    Image.fromarray(pixels).save(buffer, format="png", compress_level=4)
    return buffer.getvalue()


def _metadata(table: ImageTable, names: list[str]) -> bytes:
    lines = [
        json.dumps(
            {"file_name": name}
            | dict(zip(ATTRIBUTES, _value_names(row), strict=True))
            | {"copy": int(copy)}
        )
        for name, row, copy in zip(names, table.attributes, table.copies, strict=True)
    ]
    return ("\n".join(lines) + "\n").encode()


def _pair_table(pairs: Pairs, names: list[str]) -> bytes:
    """CSV: the file of each image, then the label of every task."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    images = [f"image{m + 1}" for m in range(pairs.images.shape[1])]
    table.writerow([*images, *pairs.labels])
    for place, row in enumerate(pairs.images):
        labels = (int(column[place]) for column in pairs.labels.values())
        table.writerow([*(names[i] for i in row), *labels])
    return text.getvalue().encode()


def _manifest(dataset: Dataset, entries: Mapping[str, Any]) -> bytes:
    content = {
        "format_version": FORMAT_VERSION,
        "package_version": trifeature.__version__,
        "settings": dataset.settings.to_json(),
        "summary": summarize(dataset),
        "truth": ground_truth(dataset.settings.rule, dataset.tables, dataset.pairs),
        "files": entries,
    }
    content["checksum"] = _checksum(content)
    return (json.dumps(content, indent=1) + "\n").encode()


def _checksum(content: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest without its checksum."""
    rest = {key: value for key, value in content.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


# --------------------------------------------------------------------------- checking


def read_manifest(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of a data set's `dataset.json`.

    Raises:
        InputError: there is no such file, or it is not one that this version can read.
    """
    manifest = Path(path) / MANIFEST
    if not manifest.is_file():
        raise InputError(
            f"{path} is not a Trifeature data set (it has no {MANIFEST}): "
            "`trifeature generate` makes one"
        )
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
        version = content["format_version"]
    except (ValueError, KeyError, TypeError) as problem:
        raise InputError(f"{manifest} is damaged: {problem}") from None
    if version not in READABLE_VERSIONS:
        known = " and ".join(map(str, READABLE_VERSIONS))
        raise InputError(f"{manifest} has format version {version}; this version reads {known}")
    if content.get("checksum") != _checksum(content):
        raise InputError(f"{manifest} is damaged: its checksum does not fit its content")
    return dict(content)


def verify(path: str | os.PathLike[str]) -> list[str]:
    """Compare every file of a data set with the size and SHA-256 it was written with.

    Returns:
        One line for each file that is missing, truncated, changed or does not belong; empty when
        the data set is whole.

    Raises:
        InputError: the manifest itself is missing or damaged.
    """
    folder = Path(path)
    files: dict[str, dict[str, Any]] = read_manifest(folder)["files"]
    found = {str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()}
    strangers = [f"{name}: does not belong here" for name in sorted(found - {MANIFEST, *files})]
    states = ((name, _examine(folder / name, entry)[1]) for name, entry in files.items())
    return [f"{name}: {state}" for name, state in states if state] + strangers


def _examine(file: Path, entry: Mapping[str, Any]) -> tuple[bytes, str | None]:
    """A file's content and what is wrong with it, None if nothing is."""
    if not file.is_file():
        return b"", "missing"
    content = file.read_bytes()
    if len(content) < entry["bytes"]:
        return content, f"truncated ({len(content)} of {entry['bytes']} bytes)"
    changed = hashlib.sha256(content).hexdigest() != entry["sha256"]
    return content, "changed" if changed else None


# --------------------------------------------------------------------------- reading


def load(path: str | os.PathLike[str], device: torch.device | str = "cpu") -> Dataset:
    """Read a whole data set into memory, its images as uint8 tensors on `device`.

    Raises:
        InputError: the folder is not a data set, or a file is missing or damaged; it is named.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    settings, tables, pairs = _read_plan(folder, manifest)
    files = manifest["files"]
    images = {name: _read_images(folder, name, tables[name], files).to(device) for name in SPLITS}
    return Dataset(settings, tables, pairs, images)


def read_truth(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The exact atoms of every task on the pairs of a data set, without reading its images.

    Returns:
        What `trifeature.data.truth.ground_truth` gives, in bits: as the manifest states it or,
        where its format is older than that, computed now.

    Raises:
        InputError: the folder is not a data set, or a file that is needed is missing or damaged.
    """
    folder = Path(path)
    manifest = read_manifest(folder)
    if "truth" in manifest:
        return dict(manifest["truth"])
    settings, tables, pairs = _read_plan(folder, manifest)
    return ground_truth(settings.rule, tables, pairs)


def _read_plan(
    folder: Path, manifest: Mapping[str, Any]
) -> tuple[DatasetSettings, dict[Split, ImageTable], dict[PairSet, Pairs]]:
    """Everything but the images."""
    settings = DatasetSettings.from_json(manifest["settings"])
    tables = {split: _read_table(folder, split, manifest["files"]) for split in SPLITS}
    pairs = {name: _read_pairs(folder, name, tables, settings, manifest) for name in PAIR_SETS}
    return settings, tables, pairs


def _checked_bytes(folder: Path, name: str, files: Mapping[str, Any]) -> bytes:
    """A file's content, refused unless it is what was written."""
    if name not in files:
        raise InputError(f"{folder / MANIFEST} does not list {name}")
    content, state = _examine(folder / name, files[name])
    if state is not None:
        raise InputError(f"{folder / name}: {state}; `trifeature verify {folder}` checks all files")
    return content


def _read_table(folder: Path, split: Split, files: Mapping[str, Any]) -> ImageTable:
    text = _checked_bytes(folder, f"{split}/metadata.jsonl", files).decode()
    rows = [json.loads(line) for line in text.splitlines()]
    attributes = [[VALUES[name].index(row[name]) for name in ATTRIBUTES] for row in rows]
    return ImageTable(np.array(attributes), np.array([row["copy"] for row in rows]))


def _read_pairs(
    folder: Path,
    pair_set: PairSet,
    tables: Mapping[Split, ImageTable],
    settings: DatasetSettings,
    manifest: Mapping[str, Any],
) -> Pairs:
    text = _checked_bytes(folder, f"pairs/{pair_set}.csv", manifest["files"]).decode()
    header, *rows = csv.reader(io.StringIO(text))
    M = settings.rule.modalities
    row_of = {name: i for i, name in enumerate(file_names(tables[SPLIT_OF[pair_set]]))}
    labels = np.array([row[M:] for row in rows], dtype=np.int64).T
    return Pairs(
        np.array([[row_of[name] for name in row[:M]] for row in rows]),
        dict(zip(header[M:], labels, strict=True)),
        manifest["summary"][pair_set]["candidates"],
    )


def _read_images(folder: Path, split: Split, table: ImageTable, files: Mapping[str, Any]) -> Tensor:
    def read(name: str) -> Tensor:
        content = _checked_bytes(folder, f"{split}/{name}", files)
        with Image.open(io.BytesIO(content)) as image:
            return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)

    with ThreadPoolExecutor() as pool:
        return torch.stack(list(pool.map(read, file_names(table))))
