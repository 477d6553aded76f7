"""A data set as a folder: write it whole or not at all, check every byte, read it back.

The folder is one that other tools already read: `train/*.png` and `test/*.png`, each with a
`metadata.jsonl` in the style of Hugging Face's image folders, `pairs/*.csv`, and `dataset.json`
with every setting, the exact atoms of every task and the SHA-256 of every file.

Where modalities have several looks that are images, each has a folder: `train/color/*.png`,
`train/gray/*.png`, …; `metadata.jsonl` names the files of the first as `file_name` and those of the
others as `gray_file_name`, …. Captions are its field `text`.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import trifeature
from trifeature.checks import require_settings
from trifeature.data.attributes import ATTRIBUTES
from trifeature.data.captions import caption_text
from trifeature.data.dataset import (
    PAIR_SETS,
    SPLIT_OF,
    SPLITS,
    Dataset,
    DatasetSettings,
    ImageTable,
    IntArray,
    PairSet,
    Split,
    draw_items,
    image_looks,
    plan_images,
    plan_pairs,
    summarize,
)
from trifeature.data.own_values import digests
from trifeature.data.pairs import Pairs
from trifeature.data.png import encode_png
from trifeature.data.render import require_image_memory
from trifeature.data.truth import ground_truth, law
from trifeature.errors import InputError, check_name
from trifeature.files import locked, read_json
from trifeature.threads import one_thread

T = TypeVar("T")

FORMAT_VERSION: Final = 3
READABLE_VERSIONS: Final = (1, 2, 3)
"""Version 1 does not state the atoms; `read_truth` computes them from its pairs. Versions 1 and 2
have the old drawings, and all their modalities are color images."""
MANIFEST: Final = "dataset.json"
LITTER: Final = (
    ".DS_Store",
    ".directory",
    ".localized",
    "Thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "Desktop.ini",
)
"""Files that desktop systems leave in folders, besides `._NAME`; they are ignored."""
LITTER_FOLDERS: Final = ("__MACOSX", ".Spotlight-V100", ".Trashes", ".fseventsd", "@eaDir")
"""Folders of such files; they are ignored where they hold nothing else."""
PART: Final = 2**23
"""Bytes of pixels that a thread renders before it writes them."""

Entry = dict[str, Any]
"""What a manifest says of a file: `bytes` and `sha256`."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Generated:
    """Result of `generate`.

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
        InputError: something else is at `path`, or no folder can be made there; nothing has been
            rendered then.
        OSError: the disk is full; nothing is left behind.
    """
    require_settings("settings", settings, DatasetSettings)
    target = Path(path).expanduser().absolute()
    if (existing := _existing(target, settings, overwrite)) is not None:  # needs no lock to read
        return Generated(Path(path).expanduser(), reused=True, summary=existing["summary"])
    _require_replaceable(target)
    require_image_memory(settings.images, settings.render)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.parent / f".{target.name}.lock", on_wait):
            if (existing := _existing(target, settings, overwrite)) is not None:
                return Generated(Path(path).expanduser(), reused=True, summary=existing["summary"])
            _remove_stale(target)
            staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.part-", dir=target.parent))
            try:
                dataset = write(staging, settings, device, progress)
                staging.chmod(0o755)
                _replace(target, staging)
            except BaseException:
                shutil.rmtree(staging, ignore_errors=True)
                raise
    except (PermissionError, NotADirectoryError, FileNotFoundError, FileExistsError) as problem:
        raise InputError(
            f"{path} cannot be made ({problem.strerror}): name a folder in one that can be written"
        ) from None
    return Generated(Path(path).expanduser(), reused=False, summary=summarize(dataset))


def _require_replaceable(target: Path) -> None:
    """Raise InputError if a finished folder cannot be renamed to this path."""
    require_outside(target.parent)
    if target.is_symlink():
        raise InputError(f"{target} is a link: name the folder that it leads to")
    if target.exists() and (os.path.ismount(target) or target.samefile(Path.cwd())):
        raise InputError(f"{target} cannot be replaced: name a new folder, as in {target / 'data'}")


def _remove_stale(target: Path) -> None:
    """Remove unfinished folders that killed processes left; the caller holds the lock."""
    for stale in target.parent.glob(f".{glob.escape(target.name)}.part-*"):
        shutil.rmtree(stale)


def _replace(target: Path, staging: Path) -> None:
    """Rename a finished folder to its path; a folder that is there is removed afterwards."""
    old = staging.with_name(f"{staging.name}-old")
    if target.exists():
        target.rename(old)
    staging.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _is_free(target: Path) -> bool:
    """True if the folder is empty or missing, False if it is a data set; else it is refused."""
    if not target.exists() or (target.is_dir() and not _entries(target)):
        return True
    if not (target / MANIFEST).is_file():
        raise InputError(
            f"{target} exists and is not a Trifeature data set: name another folder or remove it"
        )
    return False


def _entries(folder: Path) -> set[str]:
    """The names in a folder, but for litter."""
    return {entry.name for entry in folder.iterdir() if not _is_litter(entry)}


def _is_litter(entry: Path) -> bool:
    if entry.is_symlink():
        return False
    if entry.is_dir():
        inside = entry.rglob("*")
        return entry.name in LITTER_FOLDERS and all(x.is_dir() or _is_litter(x) for x in inside)
    return entry.is_file() and (entry.name in LITTER or entry.name.startswith("._"))


def _existing(target: Path, settings: DatasetSettings, overwrite: bool) -> dict[str, Any] | None:
    """The manifest of the data set at `target` if it can be reused; None if one may be written."""
    if _is_free(target):
        return None
    if overwrite:
        strangers = _entries(target) - {MANIFEST, *SPLITS, "pairs"}
        if strangers:
            raise InputError(
                f"{target} also holds {min(strangers)}, which belongs to no data set: "
                "name another folder or move it away"
            )
        return None
    manifest = read_manifest(target)
    if (there := _settings(target, manifest)) != settings:
        raise InputError(
            f"{target} holds a data set with other settings ({_difference(there, settings)}): name "
            "another folder, or say --overwrite to replace it"
        )
    _require_same_drawings(target, settings, manifest.get("own_values", {}))
    if problems := verify(target):
        raise InputError(f"{target} is damaged ({problems[0]}): say --overwrite to replace it")
    return manifest


def _require_same_drawings(target: Path, settings: DatasetSettings, drawn: Any) -> None:
    """Raise InputError if a value of one's own looks otherwise than when a data set was made."""
    for value, digest in digests(settings.values).items():
        if drawn.get(value) != digest:
            raise InputError(
                f"{target} holds another drawing of {value}: name another folder, or say "
                "--overwrite to replace it"
            )


def write(
    folder: Path,
    settings: DatasetSettings,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Dataset:
    """Draw a data set and write its files into an existing empty folder.

    Returns:
        The data set without its items, which are never all in memory.
    """
    tables = plan_images(settings)
    dataset = Dataset(settings, tables, plan_pairs(settings, tables), {})
    entries = _write_images(folder, dataset, device, progress)
    (folder / "pairs").mkdir()
    for name, content in tables_of(dataset).items():
        entries[name] = write_file(folder / name, content)
    (folder / MANIFEST).write_bytes(manifest_of(dataset, entries))
    return dataset


def _difference(there: DatasetSettings, wanted: DatasetSettings) -> str:
    """The first setting that differs, as in "seed 1, not 2"."""

    def flat(settings: DatasetSettings) -> dict[str, Any]:
        content = settings.to_json()
        groups = [part for part in content.values() if isinstance(part, dict)]
        return {**content, **{key: value for part in groups for key, value in part.items()}}

    one, other = flat(there), flat(wanted)
    name = next(key for key in one if one[key] != other[key] and not isinstance(one[key], dict))
    return f"{name} {one[name]}, not {other[name]}"


def write_file(path: Path, content: bytes) -> Entry:
    """Write a file and return its entry."""
    path.write_bytes(content)
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def tables_of(dataset: Dataset) -> dict[str, bytes]:
    """The content of each file of a data set that is a table, by name."""
    settings, tables = dataset.settings, dataset.tables
    content = {f"{split}/metadata.jsonl": _metadata(settings, tables[split]) for split in SPLITS}
    for pair_set in PAIR_SETS:
        names = file_names(settings, tables[SPLIT_OF[pair_set]])
        content[f"pairs/{pair_set}.csv"] = _pair_table(dataset.pairs[pair_set], names)
    return content


def _write_images(
    folder: Path, dataset: Dataset, device: torch.device | str, progress: Progress | None
) -> dict[str, Entry]:
    """Render and write the images of every look; return the entry of each file.

    Parts are rendered side by side, each operation with one thread: several threads for one
    operation on arrays this small cost more processor time than they save.
    """
    settings, entries = dataset.settings, dict[str, Entry]()
    total = settings.images * len(image_looks(settings))

    def work(job: tuple[str, ImageTable, list[str]]) -> dict[str, Entry]:
        look, part, names = job
        images = draw_items(settings, part, look, device).cpu().numpy()
        return {
            name: write_file(folder / name, encode_png(image))
            for name, image in zip(names, images, strict=True)
        }

    jobs, cores = _plan_images(folder, dataset), torch.get_num_threads()
    with one_thread(), ThreadPoolExecutor(cores) as pool:
        try:
            for written in pool.map(work, jobs):
                for name, entry in written.items():
                    entries[name] = entry
                    if progress is not None:
                        progress(len(entries), total)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return entries


def _plan_images(folder: Path, dataset: Dataset) -> list[tuple[str, ImageTable, list[str]]]:
    """Make the folders of the images; return parts of a table with their look and their names."""
    settings, jobs = dataset.settings, []
    count = max(1, PART // (3 * settings.render.canvas**2))
    for split, table in dataset.tables.items():
        (folder / split).mkdir()
        names = file_names(settings, table)
        for look, place in look_folders(settings).items():
            (folder / split / place).mkdir(exist_ok=True)
            for start in range(0, len(table), count):
                rows = slice(start, start + count)
                paths = [f"{split}/{place}{name}" for name in names[rows]]
                jobs.append((look, table.select(rows), paths))
    return jobs


def look_folders(settings: DatasetSettings) -> dict[str, str]:
    """For each look that is an image its folder within that of a split, `gray/`; empty for one."""
    looks = image_looks(settings)
    return {look: f"{look}/" if len(looks) > 1 else "" for look in looks}


def file_names(settings: DatasetSettings, table: ImageTable) -> list[str]:
    """The name of each item, its attributes and copy number: of a file, where there are images."""
    ending = ".png" if image_looks(settings) else ""
    return [
        "_".join((*names, str(copy))) + ending
        for names, copy in zip(_value_names(settings, table), table.copies, strict=True)
    ]


def _value_names(settings: DatasetSettings, table: ImageTable) -> list[tuple[str, ...]]:
    """The names of the attributes of each item."""
    values = tuple(settings.values[attribute] for attribute in ATTRIBUTES)
    return [
        tuple(names[value] for names, value in zip(values, row, strict=True))
        for row in table.attributes.tolist()
    ]


def captions_of(settings: DatasetSettings, table: ImageTable) -> list[str]:
    """The text of each item's caption."""
    tokens = draw_items(settings, table, "caption")
    return [caption_text(row, settings.values, settings.caption) for row in tokens]


def _metadata(settings: DatasetSettings, table: ImageTable) -> bytes:
    """JSON lines: the files of each item, the names of its attributes, its copy and its caption."""
    names = file_names(settings, table)
    columns: dict[str, Sequence[Any]] = {}
    for look, place in look_folders(settings).items():
        columns[f"{look}_file_name" if columns else "file_name"] = [place + name for name in names]
    columns |= zip(ATTRIBUTES, zip(*_value_names(settings, table), strict=True), strict=True)
    columns["copy"] = table.copies.tolist()
    if "caption" in settings.looks_of:
        columns["text"] = captions_of(settings, table)
    rows = zip(*columns.values(), strict=True)
    lines = (json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) for row in rows)
    return "".join(line + "\n" for line in lines).encode()


def _pair_table(pairs: Pairs, names: list[str]) -> bytes:
    """CSV: the file of each image, then the label of every task."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    images = [f"image{m + 1}" for m in range(pairs.images.shape[1])]
    table.writerow([*images, *pairs.labels])
    shown = [[names[i] for i in column] for column in pairs.images.T.tolist()]
    labels = [column.tolist() for column in pairs.labels.values()]
    table.writerows(zip(*shown, *labels, strict=True))
    return text.getvalue().encode()


def manifest_of(dataset: Dataset, entries: Mapping[str, Entry]) -> bytes:
    """The content of `dataset.json`, with the entry of every other file."""
    content = {
        "format_version": FORMAT_VERSION,
        "package_version": trifeature.__version__,
        "settings": dataset.settings.to_json(),
        "summary": summarize(dataset),
        "truth": ground_truth(dataset.settings, dataset.tables, dataset.pairs),
        "files": entries,
    }
    if own := digests(dataset.settings.values):
        content["own_values"] = own
    content["checksum"] = _checksum(content)
    return _in_lines(content).encode()


def _in_lines(content: Mapping[str, Any]) -> str:
    """JSON with a line for each entry of an object, and of the objects and lists in it.

    Python's own indentation takes ten times as long where thousands of files are listed.
    """

    def inside(part: Any) -> str:
        if isinstance(part, dict) and part:
            pairs = (f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in part.items())
            return "{\n" + ",\n".join(pairs) + "\n }"
        return json.dumps(part)

    return (
        "{\n" + ",\n".join(f" {json.dumps(k)}: {inside(v)}" for k, v in content.items()) + "\n}\n"
    )


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
    manifest = Path(path).expanduser() / MANIFEST
    if not manifest.is_file():
        own = "; files of your own go to `comm-probe study`, or to tf.Samples.from_arrays in Python"
        raise InputError(
            f"{path} is not a Trifeature data set (it has no {MANIFEST}): "
            f"`trifeature generate` makes one{own if manifest.parent.exists() else ''}"
        )
    content = read_json(manifest)
    version = content.get("format_version")
    if version not in READABLE_VERSIONS:
        known = f"{READABLE_VERSIONS[0]} to {READABLE_VERSIONS[-1]}"
        if version is None:
            raise InputError(f"{manifest} is damaged: it lacks 'format_version'")
        raise InputError(f"{manifest} has format version {version}; this version reads {known}")
    if content.get("checksum") != _checksum(content):
        raise InputError(f"{manifest} is damaged: its checksum does not fit its content")
    for key in ("settings", "summary", "files"):
        if not isinstance(content.get(key), dict):
            raise InputError(f"{manifest} is damaged: {key!r} is missing or no JSON object")
    for name, entry in content["files"].items():
        _check_entry(manifest, name, entry)
    return content


def _check_entry(manifest: Path, name: str, entry: Any) -> None:
    """Raise InputError if a manifest's entry is outside the folder or lacks its digest."""
    parts = PurePosixPath(name).parts
    if not parts or parts[0] == "/" or ".." in parts or "\\" in name or ":" in name:
        raise InputError(f"{manifest} is damaged: it names {name!r}, which is outside its folder")
    whole = isinstance(entry, dict) and isinstance(entry.get("bytes"), int)
    if not whole or not isinstance(entry.get("sha256"), str):
        raise InputError(f"{manifest} is damaged: {name!r} has no 'bytes' and 'sha256'")


def verify(path: str | os.PathLike[str]) -> list[str]:
    """Compare every file of a data set with the size and SHA-256 it was written with.

    Files that desktops leave behind are ignored; `litter` names them.

    Returns:
        One line for each file that is missing, truncated, changed or does not belong; empty when
        the data set is whole.

    Raises:
        InputError: the manifest itself is missing or damaged.
    """
    folder = Path(path).expanduser()
    files: dict[str, dict[str, Any]] = read_manifest(folder)["files"]
    states = ((name, _examine(folder / name, entry)[1]) for name, entry in files.items())
    strangers = sorted(_strangers(folder, {MANIFEST, *files}))
    return [f"{name}: {state}" for name, state in states if state] + [
        f"{name}: does not belong here" for name in strangers
    ]


def litter(path: str | os.PathLike[str]) -> list[str]:
    """The names of what desktops left in a data set, which `verify` and `load` ignore.

    Raises:
        InputError: the manifest is missing or damaged.
    """
    folder = Path(path).expanduser()
    files = read_manifest(folder)["files"]
    return sorted(
        entry.relative_to(folder).as_posix()
        for entry in _unlisted(folder, {MANIFEST, *files})
        if _is_litter(entry)
    )


def _strangers(folder: Path, files: set[str]) -> list[str]:
    """Names of everything below a folder that is not listed, nor a folder of it, nor litter."""
    return [
        entry.relative_to(folder).as_posix()
        for entry in _unlisted(folder, files)
        if not _is_litter(entry)
    ]


def _unlisted(folder: Path, files: set[str]) -> Iterator[Path]:
    """Everything below a folder that is neither a listed file nor a folder of one.

    What is in a folder of litter is not named apart from it.
    """
    folders = {str(parent) for name in files for parent in PurePosixPath(name).parents}

    def walk(within: Path) -> Iterator[Path]:
        for entry in within.iterdir():
            name = entry.relative_to(folder).as_posix()
            is_folder = name not in files and entry.is_dir() and not entry.is_symlink()
            if name not in files and not (is_folder and name in folders):
                yield entry
            if is_folder and not _is_litter(entry):
                yield from walk(entry)

    return walk(folder)


def _examine(file: Path, entry: Mapping[str, Any]) -> tuple[bytes, str | None]:
    """A file's content and what is wrong with it, None if nothing is."""
    if not file.is_file():
        return b"", "not a file" if file.exists() else "missing"
    content = file.read_bytes()
    if len(content) < entry["bytes"]:
        return content, f"truncated ({len(content)} of {entry['bytes']} bytes)"
    changed = hashlib.sha256(content).hexdigest() != entry["sha256"]
    return content, "changed" if changed else None


def require_outside(path: Path) -> None:
    """Raise InputError if a path lies in a data set, where nothing else may be written.

    Raises:
        InputError: `path` is, or lies in, the folder of a data set.
    """
    for folder in (path.absolute(), *path.absolute().parents):
        if (folder / MANIFEST).is_file():
            raise InputError(f"{path} is in a data set: name another folder")


# --------------------------------------------------------------------------- reading


@dataclass(frozen=True)
class Stored:
    """A data set on disk: everything but its images, which are read one by one.

    Attributes:
        folder: Where it is.
        settings: What it was made from.
        files: Size and SHA-256 of every file by name.
        tables: What the images of `train` and of `test` show.
        pairs: The pairs and labels of `train`, `probe` and `test`.
    """

    folder: Path
    settings: DatasetSettings
    files: Mapping[str, Mapping[str, Any]]
    tables: Mapping[Split, ImageTable]
    pairs: Mapping[PairSet, Pairs]

    def png(self, split: Split, name: str, look: str | None = None) -> bytes:
        """The checked content of an image's file.

        Args:
            split: The split.
            name: Name of the item, see `file_names`.
            look: Its look; None for the first that is an image.

        Raises:
            InputError: the file is missing or damaged, or the data set has no such look.
        """
        return _checked_bytes(self.folder, self._place(split, name, look), self.files)

    def _place(self, split: Split, name: str, look: str | None) -> str:
        """The name of an image's file within the folder."""
        folders = look_folders(self.settings)
        if not folders:
            raise InputError(f"{self.folder} holds captions alone: it has no images")
        chosen = next(iter(folders)) if look is None else check_name("look", look, folders)
        return f"{split}/{folders[chosen]}{name}"

    def image(self, split: Split, name: str, look: str | None = None) -> Image.Image:
        """The image of a file, see `png`; its size is checked before it is decoded.

        Raises:
            InputError: as `png`; or it is no PNG of the data set's canvas.
        """
        side, content = self.settings.render.canvas, self.png(split, name, look)
        try:
            with Image.open(io.BytesIO(content), formats=("png",)) as image:
                if image.size == (side, side):
                    return image.convert("RGB")
                found = f"{image.size[0]} × {image.size[1]} px, not {side} × {side}"
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as problem:
            found = str(problem)
        file = self.folder / self._place(split, name, look)
        raise InputError(f"{file} is not an image of this data set: {found}")


def open_stored(path: str | os.PathLike[str]) -> Stored:
    """Read and check everything of a data set on disk but its images.

    Raises:
        InputError: the folder is not a data set, or a file is missing or damaged; it is named.
    """
    folder = Path(path).expanduser()
    return _open(folder, read_manifest(folder))


def load(path: str | os.PathLike[str], device: torch.device | str = "cpu") -> Dataset:
    """Read a whole data set into memory, its images as uint8 tensors on `device`.

    Raises:
        InputError: the folder is not a data set, or a file is missing or damaged; it is named. Or
            its images do not fit into memory.
    """
    stored = open_stored(path)
    count = sum(len(table) for table in stored.tables.values())
    require_image_memory(count * len(image_looks(stored.settings)), stored.settings.render)
    items = {split: _read_items(stored, split, device) for split in SPLITS}
    return Dataset(stored.settings, stored.tables, stored.pairs, items)


def read_truth(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The exact atoms of every task on the pairs of a data set, without reading its images.

    Returns:
        What `trifeature.data.truth.ground_truth` gives, in bits: as the manifest states it;
        what older formats do not state is computed now.

    Raises:
        InputError: the folder is not a data set, or a file that is needed is missing or damaged.
    """
    folder = Path(path).expanduser()
    manifest = read_manifest(folder)
    if isinstance(manifest.get("truth"), dict):
        stated = dict(manifest["truth"])
        return stated if "law" in stated else stated | law(_settings(folder, manifest))
    stored = _open(folder, manifest)
    return ground_truth(stored.settings, stored.tables, stored.pairs)


def _open(folder: Path, manifest: Mapping[str, Any]) -> Stored:
    settings, files, tables, pairs = _settings(folder, manifest), manifest["files"], {}, {}
    for split in SPLITS:
        name = f"{split}/metadata.jsonl"
        text = _checked_bytes(folder, name, files)
        tables[split] = _parse(folder / name, _read_table, text, settings)
    for pair_set in PAIR_SETS:
        name, names = f"pairs/{pair_set}.csv", file_names(settings, tables[SPLIT_OF[pair_set]])
        text = _checked_bytes(folder, name, files)
        images, labels = _parse(folder / name, _read_pairs, text, names, settings)
        drawn = manifest["summary"].get(pair_set)
        if not isinstance(drawn, dict) or "candidates" not in drawn:
            raise InputError(f"{folder / MANIFEST} is damaged: its summary lacks {pair_set!r}")
        pairs[pair_set] = Pairs(images, labels, drawn["candidates"])
    return Stored(folder, settings, files, tables, pairs)


def _settings(folder: Path, manifest: Mapping[str, Any]) -> DatasetSettings:
    try:
        return DatasetSettings.from_json(manifest["settings"])
    except InputError as problem:
        raise InputError(f"{folder / MANIFEST} cannot be read: {problem}") from None


def _checked_bytes(folder: Path, name: str, files: Mapping[str, Any]) -> bytes:
    """A file's content, refused unless it is what was written."""
    if name not in files:
        raise InputError(f"{folder / MANIFEST} does not list {name}")
    content, state = _examine(folder / name, files[name])
    if state is not None:
        raise InputError(f"{folder / name}: {state}; `trifeature verify {folder}` checks all files")
    return content


def _parse(file: Path, parse: Callable[..., T], *arguments: Any) -> T:
    """The result of a parser; its errors become one InputError that names the file."""
    try:
        return parse(*arguments)
    except (KeyError, ValueError, TypeError, IndexError, RecursionError) as problem:
        reason = f"it lacks {problem}" if isinstance(problem, KeyError) else problem
        raise InputError(f"{file} is damaged: {reason}") from None


def _read_table(content: bytes, settings: DatasetSettings) -> ImageTable:
    rows = [json.loads(line) for line in content.decode().splitlines()]
    values = settings.values
    attributes = [[values[name].index(row[name]) for name in ATTRIBUTES] for row in rows]
    table = ImageTable(np.array(attributes), np.array([int(row["copy"]) for row in rows]))
    if "caption" in settings.looks_of:
        for row, text in zip(rows, captions_of(settings, table), strict=True):
            if row["text"] != text:
                raise ValueError(f"the caption {row['text']!r} is not that of its item")
    return table


def _read_pairs(
    content: bytes, names: Sequence[str], settings: DatasetSettings
) -> tuple[IntArray, dict[str, IntArray]]:
    """Rows of images [P, M] among their names, and the labels [P] of every task."""
    header, *rows = csv.reader(io.StringIO(content.decode()))
    M, classes = settings.rule.modalities, settings.classes
    if header[M:] != list(classes):
        raise ValueError(f"its tasks are {', '.join(header[M:])}, not {', '.join(classes)}")
    row_of = {name: i for i, name in enumerate(names)}
    images = np.array([[row_of[name] for name in row[:M]] for row in rows])
    labels = np.array([row[M:] for row in rows], dtype=np.int64)
    for (task, count), values in zip(classes.items(), labels.T, strict=True):
        if not 0 <= values.min() <= values.max() < count:
            raise ValueError(f"a label of {task} is not from 0 to {count - 1}")
    return images, dict(zip(classes, labels.T, strict=True))


def _read_items(stored: Stored, split: Split, device: torch.device | str) -> tuple[Tensor, ...]:
    """The table of each modality; modalities of the same look share one."""
    settings, table = stored.settings, stored.tables[split]
    names, items = file_names(settings, table), dict[str, Tensor]()
    for look in dict.fromkeys(settings.looks_of):
        if look == "caption":
            items[look] = draw_items(settings, table, look, device)
        else:
            items[look] = _read_images(stored, split, names, look).to(device)
    return tuple(items[look] for look in settings.looks_of)


def _read_images(stored: Stored, split: Split, names: Sequence[str], look: str) -> Tensor:
    def read(name: str) -> Tensor:
        return torch.from_numpy(np.array(stored.image(split, name, look))).permute(2, 0, 1)

    with ThreadPoolExecutor() as pool:
        return torch.stack(list(pool.map(read, names)))
