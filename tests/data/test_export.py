"""Exports: what other tools read is what was built; whole or not there at all."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from trifeature.data import export as module
from trifeature.data.dataset import PAIR_SETS, SPLIT_OF, SPLITS, Dataset, preset
from trifeature.data.export import export
from trifeature.data.storage import generate, load
from trifeature.errors import InputError

FEW = {"train_pairs": 9, "probe_pairs": 9, "test_pairs": 9}
MINI = preset("tiny", shapes=3, textures=2, colors=4, held_out=6, copies=1, test_copies=1, **FEW)
LOOKS = preset(
    "tiny",
    **dict.fromkeys(("shapes", "textures", "colors", "held_out"), 2),
    copies=2,
    test_copies=1,
    looks="gray,caption",
    **FEW,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("export") / "mini", MINI).path


@pytest.fixture(scope="module")
def mini(folder: Path) -> Dataset:
    return load(folder)


@pytest.fixture(scope="module")
def looks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("export") / "looks", LOOKS).path


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --------------------------------------------------------------------------- npz


@pytest.fixture(scope="module")
def arrays(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = export(folder, tmp_path_factory.mktemp("npz") / "mini.npz", "npz")
    with np.load(out, allow_pickle=False) as content:
        return dict(content)


def test_images_are_in_the_order_of_dsprites(arrays: dict[str, Any]) -> None:
    """All combinations once: the image of classes c is number c · bases."""
    classes = arrays["latents_classes"]
    assert classes.tolist() == [[s, t, c, 0] for s in range(3) for t in range(2) for c in range(4)]
    assert np.array_equal(classes @ arrays["latents_bases"], np.arange(24))
    assert arrays["latents_sizes"].tolist() == [3, 2, 4, 1]
    assert arrays["latents_names"].tolist() == ["shape", "texture", "color", "copy"]
    assert np.array_equal(arrays["latents_values"], classes.astype(float))
    assert arrays["latents_possible_values"][1].tolist() == ["solid", "stripes", "", ""]


def test_arrays_hold_the_images_of_both_splits_with_their_attributes(
    arrays: dict[str, Any], mini: Dataset
) -> None:
    assert arrays["imgs"].shape == (24, 32, 32, 3)
    assert arrays["imgs"].dtype == np.uint8
    for split in SPLITS:
        table = mini.tables[split]
        for attributes, image in zip(table.attributes, mini.images[split], strict=True):
            (number,) = np.flatnonzero((arrays["latents_classes"][:, :3] == attributes).all(axis=1))
            assert arrays["splits"][number] == split
            assert np.array_equal(arrays["imgs"][number].transpose(2, 0, 1), image.numpy())


@pytest.mark.parametrize("name", PAIR_SETS)
def test_pairs_are_numbers_of_images_with_the_labels_of_the_tasks(
    arrays: dict[str, Any], mini: Dataset, name: Any
) -> None:
    pairs = mini.pairs[name]
    shown = arrays["latents_classes"][arrays[f"pairs_{name}"]][..., :3]
    assert np.array_equal(shown, mini.tables[SPLIT_OF[name]].attributes[pairs.images])
    assert set(arrays["splits"][arrays[f"pairs_{name}"]].ravel()) == {SPLIT_OF[name]}
    for task, labels in zip(arrays["tasks"], arrays[f"labels_{name}"].T, strict=True):
        assert np.array_equal(labels, pairs.labels[str(task)])


def test_the_metadata_are_settings_and_atoms(arrays: dict[str, Any]) -> None:
    metadata = json.loads(str(arrays["metadata"]))
    assert metadata["settings"] == json.loads(json.dumps(MINI.to_json()))
    assert metadata["truth"]["rows"]


def test_looks_and_captions_have_arrays_of_their_own(looks: Path, tmp_path: Path) -> None:
    with np.load(export(looks, tmp_path / "looks.npz", "npz")) as content:
        assert len(content["captions"]) == len(content["imgs"]) == 14
        first = content["captions"][0]
        assert str(first) == "a solid red triangle"
        assert content["latents_classes"][0].tolist() == [0, 0, 0, 0]


# --------------------------------------------------------------------------- Parquet


def test_parquet_holds_what_was_built(folder: Path, mini: Dataset, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")
    out = export(folder, tmp_path / "out")
    assert left(out) == ["README.md", "images", "pairs"]
    for split in SPLITS:
        (file,) = (out / "images").glob(f"{split}-*.parquet")
        table = parquet.read_table(file)
        features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
        assert features["image"] == {"_type": "Image"}
        assert features["color"]["names"] == ["red", "green", "blue", "yellow"]
        rows = table.to_pylist()
        for row, image, attributes in zip(
            rows, mini.images[split], mini.tables[split].attributes.tolist(), strict=True
        ):
            with Image.open(io.BytesIO(row["image"]["bytes"])) as pixels:
                assert np.array_equal(np.asarray(pixels).transpose(2, 0, 1), image.numpy())
            assert [row["shape"], row["texture"], row["color"]] == attributes
            assert row["image"]["path"].endswith(f"_{row['copy']}.png")
    for name in PAIR_SETS:
        (file,) = (out / "pairs").glob(f"{name}-*.parquet")
        table, pairs = parquet.read_table(file), mini.pairs[name]
        assert table.column_names == ["image1", "image2", *pairs.labels]
        assert table["image2"].to_pylist() == pairs.images[:, 1].tolist()
        for task, labels in pairs.labels.items():
            assert table[task].to_pylist() == labels.tolist()


def test_parquet_of_looks_has_a_column_for_each(looks: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")
    out = export(looks, tmp_path / "out")
    (file,) = (out / "images").glob("train-*.parquet")
    table = parquet.read_table(file)
    assert table.column_names == ["image", "shape", "texture", "color", "copy", "text"]
    texts = [
        json.loads(x)["text"] for x in (looks / "train/metadata.jsonl").read_text().splitlines()
    ]
    assert table["text"].to_pylist() == texts


def test_without_pyarrow_the_message_says_what_to_install(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(module, "import_module", missing)
    with pytest.raises(InputError, match=r"pip install 'trifeature\[parquet\]'"):
        export(folder, tmp_path / "out")
    assert left(tmp_path) == []


# --------------------------------------------------------------------------- where it may lie


def test_what_is_there_is_only_replaced_when_told(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.npz"
    out.write_text("mine")
    with pytest.raises(InputError, match="exists: name something new, or say --overwrite"):
        export(folder, out, "npz")
    assert out.read_text() == "mine"
    export(folder, out, "npz", overwrite=True)
    assert np.load(out)["imgs"].shape[0] == 24
    assert left(tmp_path) == ["a.npz"]


def test_nothing_is_written_into_a_data_set_or_where_something_else_is(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "link.npz").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder.npz").mkdir()
    for out, form, message in (
        (folder / "x.npz", "npz", "in a data set"),
        (folder, "parquet", "in a data set"),
        (tmp_path / "full", "parquet", "thesis.txt, which belongs to no export"),
        (tmp_path / "link.npz", "npz", "is a link"),
        (tmp_path / "folder.npz", "npz", "is a folder, which npz is not"),
        (tmp_path / "plain", "npz", r"name one such as .*plain\.npz"),
        (tmp_path / "full" / "thesis.txt" / "x.npz", "npz", "cannot be made"),
        (tmp_path / "x", "csv", "unknown form 'csv'"),
    ):
        with pytest.raises(InputError, match=message):
            export(folder, out, form, overwrite=True)
    assert left(tmp_path) == ["folder.npz", "full", "link.npz"]


def test_a_failure_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = Path(shutil.copytree(folder, tmp_path / "data"))
    next((damaged / "test").glob("*.png")).write_bytes(b"")
    (tmp_path / "out.npz").write_text("an old one")
    with pytest.raises(InputError, match="truncated"):
        export(damaged, tmp_path / "out.npz", "npz", overwrite=True)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="No space left"):
        export(folder, tmp_path / "out.npz", "npz", overwrite=True)
    assert left(tmp_path) == ["data", "out.npz"]
    assert (tmp_path / "out.npz").read_text() == "an old one"
