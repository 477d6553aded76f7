"""Data sets in forms of other tools: Parquet for Hugging Face, npz in the manner of dSprites.

**Parquet** is a folder. `images/train-….parquet` and `images/test-….parquet` hold the images as
PNG, their attributes as classes with names, their copy numbers and captions; `pairs/train-…`,
`pairs/probe-…` and `pairs/test-….parquet` the labels of every task, and in `image1`, `image2`, …
rows of `images/train-…` (of `images/test-…` for the test pairs). `README.md` names both as
configurations. `datasets.load_dataset(OUT, "images")` and `load_dataset("parquet", data_files=…)`
read them, and decode the images.

**npz** is a file of arrays with the names of dSprites (Matthey et al. 2017): `imgs`,
`latents_classes`, `latents_values`, and, since it holds no pickled objects, `latents_names`,
`latents_sizes` and `latents_possible_values` as arrays instead of a dictionary. Images are in
dSprites' order: sorted by shape, texture, color and copy, the last changing fastest. So where all
combinations have equally many copies, image number `latents_classes @ latents_bases` shows
`latents_classes`. `splits` names the split of each image; `pairs_train` and its like are numbers
of images, `labels_train` the labels of `tasks`. `metadata` is JSON text: the settings, and the
exact atoms.

N images, S pixels along the canvas, P pairs, M modalities, T tasks.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.data.attributes import ATTRIBUTES
from trifeature.data.dataset import PAIR_SETS, SPLIT_OF, SPLITS, PairSet, Split, image_looks
from trifeature.data.render import require_image_memory
from trifeature.data.settings import DatasetSettings
from trifeature.data.storage import (
    Stored,
    captions_of,
    file_names,
    open_stored,
    read_truth,
    require_outside,
)
from trifeature.errors import InputError, check_name

FORMS: Final = ("parquet", "npz")
ROWS: Final = 100
"""Rows of images that are written, and can be read, at once."""

LATENTS: Final = (*ATTRIBUTES, "copy")


def export(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    form: str = "parquet",
    *,
    overwrite: bool = False,
) -> Path:
    """Write a data set on disk in a form that other tools read, whole or not at all.

    Args:
        folder: The data set; every file that is read is checked.
        out: Folder to make (parquet), or file ending in `.npz`.
        form: One of `FORMS`.
        overwrite: Replace an earlier export.

    Returns:
        What was written.

    Raises:
        InputError: `folder` is not a data set or damaged, `out` exists or lies in a data set, or
            a package that is needed is missing.
    """
    check_name("form", form, FORMS)
    target = Path(out).expanduser()
    if form == "npz" and target.suffix != ".npz":
        raise InputError(f"an npz is a file: name one such as {target.with_suffix('.npz')}")
    require_outside(target)
    _require_free(target, form, overwrite)
    write = _write_npz if form == "npz" else _parquet_writer()
    stored = open_stored(folder)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.part-", dir=target.parent))
    except OSError as problem:
        raise InputError(
            f"{out} cannot be made ({problem.strerror}): name a place that can be written"
        ) from None
    try:
        made = write(stored, staging / target.name)
        if target.is_dir():
            target.rename(staging / f"{target.name}.old")
        made.replace(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def _require_free(target: Path, form: str, overwrite: bool) -> None:
    """Raise InputError if something is at a path that an export may not replace."""
    if target.is_symlink():
        raise InputError(f"{target} is a link: name what it leads to, or something new")
    if not target.exists():
        return
    if target.is_dir() != (form == "parquet"):
        what = "folder" if target.is_dir() else "file"
        raise InputError(f"{target} is a {what}, which {form} is not: name something new")
    if target.is_dir():
        inside = {entry.name for entry in target.iterdir()}
        if strangers := inside - {"images", "pairs", "README.md"}:
            raise InputError(
                f"{target} holds {min(strangers)}, which belongs to no export: name a new folder"
            )
        if not inside and not os.path.ismount(target):
            return
    if not overwrite:
        raise InputError(f"{target} exists: name something new, or say --overwrite")


# --------------------------------------------------------------------------- Parquet


def _parquet_writer() -> Any:
    """The function that writes Parquet.

    Raises:
        InputError: pyarrow is not installed.
    """
    try:
        import_module("pyarrow.parquet")
    except ImportError:
        raise InputError(
            "Parquet needs pyarrow, which is not installed: pip install 'trifeature[parquet]', "
            "or export as npz"
        ) from None
    return _write_parquet


def _write_parquet(stored: Stored, out: Path) -> Path:
    """Write the folder of Parquet files and its README."""
    for part in ("images", "pairs"):
        (out / part).mkdir(parents=True)
    for split in SPLITS:
        _write_table(out / "images" / _file(split), image_features(stored), _images(stored, split))
    for name in PAIR_SETS:
        features = pair_features(stored.settings)
        _write_table(out / "pairs" / _file(name), features, [_pairs(stored, name)])
    (out / "README.md").write_text(_readme(stored), encoding="utf-8")
    return out


def _file(part: str) -> str:
    return f"{part}-00000-of-00001.parquet"


def _write_table(
    path: Path,
    features: Mapping[str, Mapping[str, Any]],
    batches: Iterator[Mapping[str, Any]] | list[dict[str, Any]],
) -> None:
    """Write columns in batches, with the schema that Hugging Face reads the features from."""
    pa, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    kinds = {
        "Image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
        "ClassLabel": pa.int64(),
        "int64": pa.int64(),
        "string": pa.string(),
    }
    schema = pa.schema(
        [(name, kinds[kind.get("dtype", kind["_type"])]) for name, kind in features.items()],
        {"huggingface": json.dumps({"info": {"features": features}})},
    )
    with parquet.ParquetWriter(path, schema) as writer:
        for batch in batches:
            writer.write_table(pa.table(batch, schema))


def image_features(stored: Stored) -> dict[str, dict[str, Any]]:
    """The columns of a table of images, as Hugging Face describes features."""
    settings = stored.settings
    features: dict[str, dict[str, Any]] = {
        name: {"_type": "Image"} for name in _image_columns(settings)
    }
    for attribute in ATTRIBUTES:
        features[attribute] = _classes(settings.values[attribute])
    features["copy"] = {"dtype": "int64", "_type": "Value"}
    if "caption" in settings.looks_of:
        features["text"] = {"dtype": "string", "_type": "Value"}
    return features


def pair_features(settings: DatasetSettings) -> dict[str, dict[str, Any]]:
    """The columns of a table of pairs: rows of images, and the label of every task."""
    whole = {"dtype": "int64", "_type": "Value"}
    features = {f"image{m + 1}": whole for m in range(settings.rule.modalities)}
    for task in settings.classes:
        attribute = settings.rule.shared if task == "share" else settings.rule.unique
        features[task] = whole if task == "synergy" else _classes(settings.values[attribute])
    return features


def _classes(names: Sequence[str]) -> dict[str, Any]:
    return {"names": list(names), "_type": "ClassLabel"}


def _image_columns(settings: DatasetSettings) -> dict[str, str]:
    """The look of each column of images: `image` is the first look, `gray_image` another."""
    looks = image_looks(settings)
    return {"image" if look == looks[0] else f"{look}_image": look for look in looks}


def _images(stored: Stored, split: Split) -> Iterator[dict[str, Any]]:
    """The columns of a table of images, a few rows at once."""
    table, settings = stored.tables[split], stored.settings
    names = file_names(settings, table)
    for start in range(0, len(table), ROWS):
        rows = slice(start, start + ROWS)
        part = table.select(rows)
        columns: dict[str, Any] = {
            column: [{"bytes": stored.png(split, name, look), "path": name} for name in names[rows]]
            for column, look in _image_columns(settings).items()
        }
        columns |= dict(zip(ATTRIBUTES, part.attributes.T, strict=True)) | {"copy": part.copies}
        if "caption" in settings.looks_of:
            columns["text"] = captions_of(settings, part)
        yield columns


def _pairs(stored: Stored, name: PairSet) -> dict[str, Any]:
    pairs = stored.pairs[name]
    shown = {f"image{m + 1}": column for m, column in enumerate(pairs.images.T)}
    return shown | dict(pairs.labels)


def _readme(stored: Stored) -> str:
    """What the folder holds, with the configurations that Hugging Face reads."""
    configs = [
        line
        for config, parts in (("images", SPLITS), ("pairs", PAIR_SETS))
        for line in (
            f"- config_name: {config}",
            "  data_files:",
            *(f"  - {{split: {part}, path: {config}/{part}-*.parquet}}" for part in parts),
        )
    ]
    lines = [
        "---",
        "configs:",
        *configs,
        "---",
        "",
        "# Trifeature pairs",
        "",
        "`images` are single images with their attributes; `pairs` the pairs of them with the",
        "label of every task. In `pairs`, `image1`, `image2`, … are row numbers of the images of",
        "split `train`; for the pairs of split `test`, of the images of split `test`.",
        "",
        "```json",
        json.dumps(stored.settings.to_json(), indent=1),
        "```",
        "",
    ]
    return "\n".join(lines)


# --------------------------------------------------------------------------- npz


def _write_npz(stored: Stored, out: Path) -> Path:
    """Write the arrays of an npz."""
    settings = stored.settings
    count = sum(len(table) for table in stored.tables.values())
    require_image_memory(count * len(image_looks(settings)), settings.render)
    with out.open("wb") as file:
        np.savez_compressed(file, **npz_arrays(stored))
    return out


def npz_arrays(stored: Stored) -> dict[str, Any]:
    """The arrays of an npz in dSprites' order, see the module's description."""
    settings = stored.settings
    latents = np.concatenate(
        [np.column_stack([x.attributes, x.copies]) for x in stored.tables.values()]
    )
    order = np.lexsort(latents.T[::-1])
    latents, splits = latents[order], np.repeat(SPLITS, [len(x) for x in stored.tables.values()])
    possible = [*settings.values.values(), [str(i) for i in range(latents[:, -1].max() + 1)]]
    sizes = np.array([len(names) for names in possible])
    arrays = {
        **_npz_items(stored, order),
        "latents_classes": latents,
        "latents_values": latents.astype(np.float64),
        "latents_names": np.array(LATENTS),
        "latents_sizes": sizes,
        "latents_bases": np.append(np.cumprod(sizes[:0:-1])[::-1], 1),
        "latents_possible_values": np.array(
            [[*names, *[""] * (max(sizes) - len(names))] for names in possible]
        ),
        "splits": splits[order],
        "tasks": np.array(list(settings.classes)),
        "metadata": np.array(
            json.dumps({"settings": settings.to_json(), "truth": read_truth(stored.folder)})
        ),
    }
    place, before = np.argsort(order), {"train": 0, "test": len(stored.tables["train"])}
    for name, pairs in stored.pairs.items():
        arrays[f"pairs_{name}"] = place[pairs.images + before[SPLIT_OF[name]]]
        arrays[f"labels_{name}"] = np.column_stack(list(pairs.labels.values()))
    return arrays


def _npz_items(stored: Stored, order: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
    """`imgs`, uint8 [N, S, S, 3], of the first look, `imgs_gray`, … of others; `captions`."""
    settings = stored.settings
    side, looks, items = settings.render.canvas, image_looks(settings), dict[str, Any]()
    names = [
        (split, name) for split in SPLITS for name in file_names(settings, stored.tables[split])
    ]
    for look in looks:
        images = np.empty((len(names), side, side, 3), dtype=np.uint8)
        for image, place in zip(images, order.tolist(), strict=True):
            split, name = names[place]
            image[:] = np.asarray(stored.image(split, name, look))
        items["imgs" if look == looks[0] else f"imgs_{look}"] = images
    if "caption" in settings.looks_of:
        texts = [text for split in SPLITS for text in captions_of(settings, stored.tables[split])]
        items["captions"] = np.array(texts)[order]
    return items
