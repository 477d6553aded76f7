"""A data set on disk: whole or not there at all, every byte checked, nobody's files lost."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from trifeature.data import storage
from trifeature.data.attributes import ATTRIBUTES, COLORS, SHAPES, TEXTURES
from trifeature.data.dataset import (
    PAIR_SETS,
    SPLITS,
    Dataset,
    DatasetSettings,
    build,
    plan_images,
    preset,
    summarize,
)
from trifeature.data.rule import PairRule
from trifeature.data.settings import CaptionSettings
from trifeature.data.storage import (
    MANIFEST,
    Generated,
    file_names,
    generate,
    litter,
    load,
    read_manifest,
    read_truth,
    verify,
)
from trifeature.data.truth import ground_truth
from trifeature.errors import InputError

MINI = preset(
    "tiny",
    **dict.fromkeys(("shapes", "textures", "colors", "held_out"), 2),
    **dict.fromkeys(("train_pairs", "probe_pairs", "test_pairs"), 5),
    copies=2,
    test_copies=1,
)
"""Fourteen images, for tests that only ask whether a folder is made."""


def other_settings(tiny: Dataset) -> DatasetSettings:
    """Settings that differ in one number."""
    return replace(tiny.settings, train_pairs=30)


@pytest.fixture(scope="module")
def tiny() -> Dataset:
    """One image of each combination: every copy of the folder takes as long as it has files."""
    values = dict.fromkeys(("shapes", "textures", "colors"), 3)
    pairs = dict.fromkeys(("train_pairs", "probe_pairs", "test_pairs"), 20)
    return build(preset("tiny", copies=1, test_copies=1, held_out=9, **values, **pairs))


@pytest.fixture(scope="module")
def pristine(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny data set on disk; no test changes it."""
    return generate(tmp_path_factory.mktemp("data") / "tiny", tiny.settings).path


@pytest.fixture
def copied(pristine: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(pristine, tmp_path / "tiny"))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, locks aside."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.suffix != ".lock"
    }


def assert_same(one: Dataset, other: Dataset) -> None:
    assert one.settings == other.settings
    for split in SPLITS:
        assert torch.equal(one.images[split], other.images[split])
        assert one.images[split].stride() == other.images[split].stride()
        assert np.array_equal(one.tables[split].attributes, other.tables[split].attributes)
        assert np.array_equal(one.tables[split].copies, other.tables[split].copies)
    for name in PAIR_SETS:
        assert np.array_equal(one.pairs[name].images, other.pairs[name].images)
        assert one.pairs[name].candidates == other.pairs[name].candidates
        assert list(one.pairs[name].labels) == list(other.pairs[name].labels)
        for task, values in one.pairs[name].labels.items():
            assert np.array_equal(values, other.pairs[name].labels[task])
            assert values.dtype == other.pairs[name].labels[task].dtype


# --------------------------------------------------------------------------- there and back


def test_what_is_loaded_is_what_was_built(tiny: Dataset, pristine: Path) -> None:
    assert_same(load(pristine), tiny)


def test_a_data_set_of_triples_comes_back_too(tmp_path: Path) -> None:
    rule = PairRule("color", "shape", ("shape", "texture"), 3, distinct_unique=True)
    settings = preset("tiny", copies=1, train_pairs=20, probe_pairs=20, test_pairs=20, rule=rule)
    generate(tmp_path / "triples", settings)
    loaded = load(tmp_path / "triples")
    assert loaded.settings == settings
    assert loaded.pairs["test"].images.shape[1] == 3


def as_version_1(folder: Path) -> None:
    """Rewrite a manifest as the first format had it: without the atoms."""
    manifest = folder / MANIFEST
    content = json.loads(manifest.read_text()) | {"format_version": 1}
    del content["truth"], content["checksum"]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    manifest.write_text(json.dumps(content | {"checksum": digest}, indent=1))


def test_a_folder_of_format_version_1_still_loads(tiny: Dataset, copied: Path) -> None:
    as_version_1(copied)
    assert_same(load(copied), tiny)
    assert verify(copied) == []
    assert generate(copied, tiny.settings).reused


def test_the_atoms_are_read_or_where_the_format_is_older_computed(
    pristine: Path, copied: Path
) -> None:
    as_version_1(copied)
    assert "truth" not in read_manifest(copied)
    assert read_truth(copied) == read_truth(pristine) == read_manifest(pristine)["truth"]


def test_the_atoms_need_no_image_but_whole_pairs(copied: Path) -> None:
    as_version_1(copied)
    first_image(copied).unlink()
    assert read_truth(copied)["rows"]
    flip(copied / "pairs" / "test.csv")
    with pytest.raises(InputError, match=r"test\.csv: changed"):
        read_truth(copied)


def test_the_same_settings_give_the_same_bytes(
    tiny: Dataset, pristine: Path, tmp_path: Path
) -> None:
    again = generate(tmp_path / "again", tiny.settings)
    assert contents(again.path) == contents(pristine)


def test_what_was_drawn_is_reported(tiny: Dataset, tmp_path: Path) -> None:
    done = generate(tmp_path / "a", tiny.settings)
    assert done == Generated(tmp_path / "a", reused=False, summary=summarize(tiny))


def test_missing_parent_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folders" / "tiny"
    assert generate(str(path), MINI).path == path
    assert verify(path) == []


def test_a_relative_path_is_taken_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    generate("tiny", MINI)
    assert verify(tmp_path / "tiny") == []


def test_writing_reports_progress_up_to_the_number_of_images(tiny: Dataset, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    generate(
        tmp_path / "a", tiny.settings, progress=lambda done, total: calls.append((done, total))
    )
    assert calls == [(done, 27) for done in range(1, 28)]


# --------------------------------------------------------------------------- what is there


def test_a_folder_that_holds_exactly_this_is_reused_untouched(tiny: Dataset, copied: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in copied.rglob("*")}
    done = generate(copied, tiny.settings)
    assert done == Generated(copied, reused=True, summary=summarize(tiny))
    assert {file: file.stat().st_mtime_ns for file in copied.rglob("*")} == before


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert not generate(tmp_path / "empty", MINI).reused


def test_other_settings_are_refused_and_nothing_changes(tiny: Dataset, copied: Path) -> None:
    before = contents(copied)
    with pytest.raises(
        InputError, match=r"settings \(train_pairs .*, not 30\): name another folder"
    ):
        generate(copied, other_settings(tiny))
    assert contents(copied) == before


def test_overwriting_replaces_other_settings(tiny: Dataset, copied: Path) -> None:
    done = generate(copied, other_settings(tiny), overwrite=True)
    assert not done.reused
    assert len(load(copied).pairs["train"]) == 30
    assert [path.name for path in copied.parent.iterdir() if path.suffix != ".lock"] == ["tiny"]


@pytest.mark.parametrize("manifest", [None, b"", b"{", b'{"format_version": 9}'])
def test_a_damaged_data_set_is_refused_and_overwritten_when_told(
    tiny: Dataset, copied: Path, manifest: bytes | None
) -> None:
    if manifest is None:
        (copied / "pairs" / "test.csv").unlink()
    else:
        (copied / MANIFEST).write_bytes(manifest)
    with pytest.raises(InputError):
        generate(copied, tiny.settings)
    generate(copied, tiny.settings, overwrite=True)
    assert verify(copied) == []


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["thesis.txt", ".hidden", "train/cat.png", MANIFEST])
def test_a_folder_that_is_something_else_is_never_touched(
    tmp_path: Path, overwrite: bool, name: str
) -> None:
    """Not even one with a `dataset.json` of its own."""
    folder = tmp_path / "mine"
    (folder / "work").mkdir(parents=True)
    (folder / "work" / "years.txt").write_text("irreplaceable")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text('{"mine": true}')
    before = contents(folder)
    with pytest.raises(InputError) as caught:
        generate(folder, MINI, overwrite=overwrite)
    assert str(folder) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert contents(folder) == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_in_the_way_is_never_touched(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="not a Trifeature data set"):
        generate(tmp_path / "file", MINI, overwrite=overwrite)
    assert (tmp_path / "file").read_text() == "mine"


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".tiny.part-dead" / "train").mkdir(parents=True)
    generate(tmp_path / "tiny", MINI)
    assert not (tmp_path / ".tiny.part-dead").exists()


def test_what_a_folder_of_another_name_is_being_made_of_is_left_alone(tmp_path: Path) -> None:
    """`run[1]`, read as a pattern, would match `run1`."""
    (tmp_path / ".run1.part-alive").mkdir()
    generate(tmp_path / "run[1]", MINI)
    assert (tmp_path / ".run1.part-alive").is_dir()


# --------------------------------------------------------------------------- interruptions


def fail_after(calls: int, failure: BaseException, real: Callable[..., Any]) -> Callable[..., Any]:
    """`real`, but the given call raises."""
    made: list[None] = []

    def counting(*arguments: Any, **named: Any) -> Any:
        made.append(None)
        if len(made) > calls:
            raise failure
        return real(*arguments, **named)

    return counting


FAILURES = [KeyboardInterrupt(), OSError(28, "No space left on device"), MemoryError()]
MOMENTS = {"draw_items": 0, "file_names": 0, "encode_png": 9, "_pair_table": 2, "manifest_of": 0}
"""The functions that fail, and how many calls go well before."""


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("function", MOMENTS)
@pytest.mark.parametrize("overwrite", [False, True])
def test_an_interrupted_generation_leaves_everything_as_it_was(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    overwrite: bool,
    function: str,
    failure: BaseException,
) -> None:
    if overwrite:
        (tmp_path / "tiny").mkdir()
        (tmp_path / "tiny" / MANIFEST).write_text("an old one")
    before = contents(tmp_path)
    failing = fail_after(MOMENTS[function], failure, getattr(storage, function))
    monkeypatch.setattr(storage, function, failing)
    with pytest.raises(type(failure)):
        generate(tmp_path / "tiny", MINI, overwrite=overwrite)
    assert contents(tmp_path) == before
    left = {path.name for path in tmp_path.iterdir()} - {".tiny.lock"}
    assert left == ({"tiny"} if overwrite else set())


def test_a_disk_that_fills_while_writing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.write_bytes
    written = []

    def write_bytes(self: Path, content: bytes) -> int:
        written.append(self)
        if len(written) == 10:
            real(self, content[:10])
            raise OSError(28, "No space left on device", str(self))
        return real(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_bytes)
        with pytest.raises(OSError, match="No space left"):
            generate(tmp_path / "tiny", MINI)
    assert contents(tmp_path) == {}
    assert not (tmp_path / "tiny").exists()
    assert not generate(tmp_path / "tiny", MINI).reused


def test_a_reader_never_sees_a_part_of_a_data_set(tmp_path: Path) -> None:
    seen: list[bool] = []
    generate(
        tmp_path / "tiny",
        MINI,
        progress=lambda *_: seen.append((tmp_path / "tiny").exists()),
    )
    assert seen == [False] * 14
    assert verify(tmp_path / "tiny") == []


# --------------------------------------------------------------------------- two at once


def generate_together(path: Path, settings: DatasetSettings, start: Any, outcome: Any) -> None:
    """One of several processes or threads that all begin at the same moment."""
    start.wait()
    try:
        outcome.put(generate(path, settings).reused)
    except InputError as problem:
        outcome.put(str(problem))


@pytest.mark.processes
def test_two_processes_that_start_the_same_one_at_once_both_succeed(
    tiny: Dataset, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("spawn")
    start, outcome = context.Barrier(2), context.Queue()
    arguments = (tmp_path / "tiny", tiny.settings, start, outcome)
    other = context.Process(target=generate_together, args=arguments)
    other.start()
    generate_together(*arguments)
    reused = sorted(outcome.get(timeout=60) for _ in range(2))
    other.join(timeout=60)
    assert other.exitcode == 0
    assert reused == [False, True]
    assert_same(load(tmp_path / "tiny"), tiny)


def test_of_two_that_start_different_ones_at_once_the_second_is_refused(
    tiny: Dataset, tmp_path: Path
) -> None:
    start, outcome = threading.Barrier(2), Queue[Any]()
    both = [
        threading.Thread(
            target=generate_together, args=(tmp_path / "tiny", settings, start, outcome)
        )
        for settings in (tiny.settings, other_settings(tiny))
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    first, second = sorted((outcome.get() for _ in both), key=str)
    assert "other settings" in first or "other settings" in str(second)
    assert False in (first, second)
    assert verify(tmp_path / "tiny") == []


# --------------------------------------------------------------------------- verify


def first_image(folder: Path) -> Path:
    return sorted((folder / "train").glob("*.png"))[0]


def flip(path: Path, place: int = -1) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_a_whole_data_set_has_no_problems(pristine: Path) -> None:
    assert verify(pristine) == []


@pytest.mark.parametrize(
    "name",
    ["<image>", "train/metadata.jsonl", "test/metadata.jsonl"]
    + [f"pairs/{name}.csv" for name in PAIR_SETS],
)
def test_each_damaged_file_is_named_by_verify_and_by_load(copied: Path, name: str) -> None:
    path = first_image(copied) if name == "<image>" else copied / name
    name = str(path.relative_to(copied))
    whole = path.read_bytes()

    def problem() -> str:
        (only,) = verify(copied)
        with pytest.raises(InputError) as caught:
            load(copied)
        assert str(path) in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1
        return only

    for place in (0, len(whole) // 2, -1):
        flip(path, place)
        assert problem() == f"{name}: changed"
        path.write_bytes(whole)
    path.write_bytes(whole[:-1])
    assert problem() == f"{name}: truncated ({len(whole) - 1} of {len(whole)} bytes)"
    path.write_bytes(whole + b"\n")
    assert problem() == f"{name}: changed"
    path.unlink()
    assert problem() == f"{name}: missing"
    path.write_bytes(whole)
    assert verify(copied) == []


def test_all_damaged_files_are_named_at_once(copied: Path) -> None:
    images = sorted((copied / "test").glob("*.png"))
    images[0].unlink()
    flip(images[1])
    images[2].write_bytes(b"")
    (copied / "train" / "cat.png").write_bytes(images[3].read_bytes())
    (copied / "notes.txt").write_text("mine")
    problems = dict(line.split(": ") for line in verify(copied))
    assert problems.pop(f"test/{images[0].name}") == "missing"
    assert problems.pop(f"test/{images[1].name}") == "changed"
    assert problems.pop(f"test/{images[2].name}").startswith("truncated (0 of ")
    assert problems == dict.fromkeys(["notes.txt", "train/cat.png"], "does not belong here")


@pytest.mark.parametrize(
    "entry", ["settings", "summary", "truth", "files", "package_version", "checksum"]
)
def test_a_changed_manifest_is_damaged(copied: Path, entry: str) -> None:
    content = json.loads((copied / MANIFEST).read_text())
    content[entry] = "x"
    (copied / MANIFEST).write_text(json.dumps(content))
    for read in (verify, load, read_manifest):
        with pytest.raises(InputError, match="is damaged: its checksum does not fit") as caught:
            read(copied)
        assert str(copied / MANIFEST) in str(caught.value)


def test_no_byte_of_the_manifest_can_change_what_it_says_unnoticed(copied: Path) -> None:
    manifest = copied / MANIFEST
    whole = manifest.read_bytes()
    truth = json.loads(whole)
    for place in np.random.default_rng(0).integers(len(whole), size=60).tolist():
        flip(manifest, place)
        try:
            assert read_manifest(copied) == truth
        except InputError as problem:
            assert str(manifest) in str(problem)  # noqa: PT017 - either outcome is right
        manifest.write_bytes(whole)


@pytest.mark.parametrize("length", [0, 1, 100, 5000, -3])
def test_a_cut_off_manifest_is_damaged(copied: Path, length: int) -> None:
    manifest = copied / MANIFEST
    manifest.write_bytes(manifest.read_bytes()[:length])
    with pytest.raises(InputError, match="is damaged"):
        verify(copied)


@pytest.mark.parametrize("content", ["[1, 2]", "3", '"text"', "null", "{}"])
def test_json_that_is_no_manifest_is_damaged(copied: Path, content: str) -> None:
    (copied / MANIFEST).write_text(content)
    with pytest.raises(InputError, match="is damaged"):
        load(copied)


def test_another_format_version_is_named(copied: Path) -> None:
    content = json.loads((copied / MANIFEST).read_text()) | {"format_version": 4}
    (copied / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(InputError, match="has format version 4; this version reads 1 to 3"):
        load(copied)


@pytest.mark.parametrize("read", [verify, load, read_manifest])
def test_a_folder_without_a_manifest_is_no_data_set(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InputError, match=r"not a Trifeature data set .* `trifeature generate`"):
            read(path)


@pytest.mark.parametrize("read", [verify, load, read_manifest])
def test_files_of_ones_own_are_sent_to_a_study(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    (tmp_path / "own.csv").write_text("a,b\n")
    for path, sent in ((tmp_path / "own.csv", True), (tmp_path, True), (tmp_path / "none", False)):
        with pytest.raises(InputError) as caught:
            read(path)
        assert ("; files of your own go to `comm-probe study`" in str(caught.value)) is sent


# --------------------------------------------------------------------------- the format


def test_the_folder_holds_images_tables_and_a_manifest(pristine: Path) -> None:
    assert {path.name for path in pristine.iterdir()} == {"train", "test", "pairs", MANIFEST}
    assert {path.name for path in (pristine / "pairs").iterdir()} == {
        f"{name}.csv" for name in PAIR_SETS
    }
    assert pristine.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("split", SPLITS)
def test_each_split_reads_as_an_image_folder(tiny: Dataset, pristine: Path, split: Any) -> None:
    """Hugging Face: one JSON object a line, whose `file_name` is relative to the folder."""
    lines = (pristine / split / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    names = [record["file_name"] for record in records]
    assert sorted(names) == sorted(p.name for p in (pristine / split).glob("*.png"))
    table = tiny.tables[split]
    for n, record in enumerate(records):
        assert set(record) == {"file_name", "shape", "texture", "color", "copy"}
        shape, texture, color = table.attributes[n]
        assert record["shape"] == SHAPES[shape]
        assert record["texture"] == TEXTURES[texture]
        assert record["color"] == COLORS[color]
        assert record["copy"] == table.copies[n]
        with Image.open(pristine / split / record["file_name"]) as image:
            assert image.mode == "RGB"
            pixels = np.asarray(image)
        assert np.array_equal(pixels, tiny.images[split][n].permute(1, 2, 0).numpy())


def test_an_image_is_named_after_what_it_shows(tiny: Dataset) -> None:
    table = plan_images(replace(tiny.settings, copies=2))["train"]
    names = file_names(tiny.settings, table)
    assert len(set(names)) == len(names)
    shape, texture, color = table.attributes[3]
    assert names[3] == f"{SHAPES[shape]}_{TEXTURES[texture]}_{COLORS[color]}_1.png"


@pytest.mark.parametrize("name", PAIR_SETS)
def test_pair_tables_name_two_images_and_the_label_of_every_task(pristine: Path, name: str) -> None:
    with (pristine / "pairs" / f"{name}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["image1", "image2", "share", "unique1", "unique2", "synergy"]
    settings = read_manifest(pristine)["settings"]
    partners = dict(entry.split("=") for entry in settings["synergy_map"].split(","))
    assert len(rows) == 20
    for row in rows:
        one, two = (row[image].removesuffix(".png").split("_") for image in ("image1", "image2"))
        assert (pristine / ("test" if name == "test" else "train") / row["image1"]).is_file()
        assert SHAPES[int(row["share"])] == one[0] == two[0]
        assert TEXTURES[int(row["unique1"])] == one[1]
        assert TEXTURES[int(row["unique2"])] == two[1]
        assert int(row["synergy"]) == (partners[one[1]] == two[2])


def test_the_manifest_states_settings_versions_summary_and_the_hash_of_every_file(
    tiny: Dataset, pristine: Path
) -> None:
    manifest = json.loads((pristine / MANIFEST).read_text())
    assert manifest["format_version"] == 3
    assert DatasetSettings.from_json(manifest["settings"]) == tiny.settings
    assert manifest["summary"] == summarize(tiny)
    assert manifest["truth"] == ground_truth(tiny.settings, tiny.tables, tiny.pairs)
    files = {name: data for name, data in contents(pristine).items() if name != MANIFEST}
    assert manifest["files"] == {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in files.items()
    }


def test_loading_uses_the_bytes_it_has_checked(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file is read once: what is checked is what is used."""
    times: dict[Path, int] = {}
    real = Path.read_bytes

    def read_bytes(self: Path) -> bytes:
        times[self] = times.get(self, 0) + 1
        return real(self)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    load(copied)
    pngs = {path: count for path, count in times.items() if path.suffix == ".png"}
    assert len(pngs) == 27
    assert set(pngs.values()) == {1}


# --------------------------------------------------------------------------- what others leave

LITTER = [".DS_Store", "train/Thumbs.db", "pairs/._train.csv", "test/desktop.ini", ".directory"]


def test_what_desktops_leave_changes_no_data_set(tiny: Dataset, copied: Path) -> None:
    for name in LITTER:
        (copied / name).write_bytes(b"view settings")
    (copied / "__MACOSX" / "train").mkdir(parents=True)
    (copied / "__MACOSX" / "train" / "._a.png").write_bytes(b"")
    (copied / "test" / "@eaDir").mkdir()
    assert verify(copied) == []
    assert litter(copied) == sorted([*LITTER, "__MACOSX", "test/@eaDir"])
    assert generate(copied, tiny.settings).reused
    assert_same(load(copied), tiny)
    assert not generate(copied, other_settings(tiny), overwrite=True).reused


def test_a_folder_of_litter_that_holds_anything_else_is_named(copied: Path) -> None:
    (copied / "__MACOSX").mkdir()
    (copied / "__MACOSX" / "thesis.txt").write_text("mine")
    assert verify(copied) == [
        f"{name}: does not belong here" for name in ("__MACOSX", "__MACOSX/thesis.txt")
    ]
    assert litter(copied) == []


def test_a_folder_with_nothing_but_litter_is_empty(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / ".DS_Store").write_bytes(b"")
    assert not generate(tmp_path / "new", MINI).reused
    assert verify(tmp_path / "new") == []


def test_whatever_does_not_belong_is_named(copied: Path, tmp_path: Path) -> None:
    (copied / "empty" / "folder").mkdir(parents=True)
    (copied / "train" / "link.png").symlink_to(tmp_path / "nowhere")
    (copied / "linked").symlink_to(tmp_path, target_is_directory=True)
    named = ["empty", "empty/folder", "linked", "train/link.png"]
    if hasattr(os, "mkfifo"):
        os.mkfifo(copied / "pairs" / "pipe")
        named.insert(3, "pairs/pipe")
    assert verify(copied) == [f"{name}: does not belong here" for name in named]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_the_place_of_a_file_is_named_and_not_read(copied: Path) -> None:
    (copied / "pairs" / "train.csv").unlink()
    os.mkfifo(copied / "pairs" / "train.csv")
    assert verify(copied) == ["pairs/train.csv: not a file"]


# --------------------------------------------------------------------------- where none can be made


@pytest.fixture
def never_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "draw_items", None)


@pytest.mark.usefixtures("never_rendered")
@pytest.mark.parametrize("target", ["nowhere", "empty"])
def test_a_link_is_refused_before_anything_is_rendered(tmp_path: Path, target: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / target)
    with pytest.raises(InputError, match="out is a link: name the folder that it leads to"):
        generate(tmp_path / "out", MINI)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "out"]


def test_a_data_set_behind_a_link_is_reused(tiny: Dataset, copied: Path, tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to(copied)
    assert generate(tmp_path / "out", tiny.settings).reused
    with pytest.raises(InputError, match="is a link"):
        generate(tmp_path / "out", tiny.settings, overwrite=True)
    assert verify(copied) == []


@pytest.mark.usefixtures("never_rendered")
def test_the_current_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="cannot be replaced: name a new folder"):
        generate(".", MINI)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("never_rendered")
@pytest.mark.parametrize("place", ["inside", "train/inside", "deep/er/inside"])
def test_no_data_set_is_made_in_another(copied: Path, place: str) -> None:
    with pytest.raises(InputError, match="is in a data set: name another folder"):
        generate(copied / place, MINI)
    assert verify(copied) == []


@pytest.mark.usefixtures("never_rendered")
def test_a_mount_point_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == tmp_path / "disk")
    (tmp_path / "disk").mkdir()
    with pytest.raises(InputError, match="cannot be replaced: name a new folder"):
        generate(tmp_path / "disk", MINI)


@pytest.mark.usefixtures("never_rendered")
def test_a_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # tests may run as root, whom modes do not stop
    with pytest.raises(InputError, match=r"out cannot be made \(Permission denied\)"):
        generate(tmp_path / "out", MINI)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        generate(tmp_path / "file" / "out", MINI)


@pytest.mark.usefixtures("never_rendered")
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_where_no_file_can_be_made_nothing_is_waited_for() -> None:
    with pytest.raises(InputError, match="/proc/x cannot be made"):
        generate("/proc/x", MINI)


def test_a_data_set_is_reused_without_writing(
    tiny: Dataset, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "locked", None)  # a lock would need a file
    monkeypatch.setattr("tempfile.mkdtemp", None)
    assert generate(copied, tiny.settings).reused


def test_no_lock_is_left(tmp_path: Path) -> None:
    generate(tmp_path / "one", MINI)
    with pytest.raises(InputError):
        generate(tmp_path / "one", replace(MINI, seed=1))
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_the_home_folder_is_meant_by_its_sign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert generate("~/data", MINI).path == tmp_path / "data"
    assert verify("~/data") == []
    assert load("~/data").settings == MINI
    assert read_truth("~/data") == read_truth(tmp_path / "data")


@pytest.mark.parametrize(
    "rate", [np.float32(1), np.float64(1), np.int64(1), 1, torch.tensor(1.0).item()]
)
def test_numbers_of_numpy_are_settings_like_any_other(tmp_path: Path, rate: Any) -> None:
    given: dict[str, Any] = {"seed": np.int64(3), "train_pairs": np.int32(4)}
    settings = replace(MINI, match_rate=rate, **given)
    assert load(generate(tmp_path / "data", settings).path).settings == settings
    assert generate(tmp_path / "data", replace(MINI, match_rate=1.0, seed=3, train_pairs=4)).reused


@pytest.mark.parametrize(
    "changes", [{"match_rate": "1"}, {"match_rate": True}, {"seed": "3"}, {"train_pairs": 2.5}]
)
def test_what_is_no_number_is_refused_by_name(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(changes))):
        replace(MINI, **changes)


# --------------------------------------------------------------------------- looks

LOOKS = {
    "color": ["*.png"],
    "gray": ["*.png"],
    "gray,gray": ["*.png"],
    "color,gray": ["color", "gray"],
    "edges,color": ["color", "edges"],
    "color,caption": ["*.png"],
    "caption,caption": [],
}


@pytest.mark.parametrize("looks", LOOKS)
def test_modalities_of_any_looks_come_back(tmp_path: Path, looks: str) -> None:
    settings = replace(MINI, looks=looks)
    built = build(settings)
    folder = generate(tmp_path / "data", settings).path
    loaded = load(folder)
    for split in SPLITS:
        for one, other in zip(loaded.items[split], built.items[split], strict=True):
            assert torch.equal(one, other)
            assert one.dtype == other.dtype
        same_look = len(set(settings.looks_of)) == 1
        assert (loaded.items[split][0] is loaded.items[split][1]) == same_look
        inside = {path.name for path in (folder / split).iterdir()} - {"metadata.jsonl"}
        assert {"*.png" if name.endswith(".png") else name for name in inside} == set(LOOKS[looks])
    assert verify(folder) == []
    assert generate(folder, settings).reused


def test_metadata_names_the_file_of_each_look_and_the_caption(tmp_path: Path) -> None:
    rule = PairRule(modalities=3)
    settings = replace(
        MINI, looks="gray,caption,color", rule=rule, caption=CaptionSettings("color")
    )
    folder = generate(tmp_path / "data", settings).path
    first, *_ = (folder / "train" / "metadata.jsonl").read_text().splitlines()
    row = json.loads(first)
    assert list(row) == ["file_name", "color_file_name", *ATTRIBUTES, "copy", "text"]
    assert row["file_name"].startswith("gray/")
    assert row["color_file_name"] == row["file_name"].replace("gray/", "color/")
    assert row["text"] == f"a {row['color']} shape"
    for key in ("file_name", "color_file_name"):
        assert (folder / "train" / row[key]).is_file()


def test_a_changed_caption_is_refused(tmp_path: Path) -> None:
    folder = generate(tmp_path / "data", replace(MINI, looks="color,caption")).path
    craft_file(folder, "test/metadata.jsonl", lambda text: text.replace(b"a solid", b"a striped"))
    craft_file(folder, "test/metadata.jsonl", lambda text: text.replace(b"a striped", b"a rainy"))
    with pytest.raises(InputError, match=r"test/metadata\.jsonl is damaged: the caption .*rainy"):
        load(folder)


def test_captions_are_no_samples_to_train_on_yet() -> None:
    with pytest.raises(InputError, match="training on captions needs an encoder of tokens"):
        build(replace(MINI, looks="color,caption")).samples()


def test_looks_have_a_table_each_in_samples() -> None:
    data = build(replace(MINI, looks="color,gray"))
    color, gray = data.samples().items["train"]
    assert color is data.images["train"]
    assert not torch.equal(color, gray)


def test_names_and_labels_are_those_of_the_settings(tmp_path: Path) -> None:
    settings = replace(MINI, shapes="star,circle", synergy_map="auto")
    folder = generate(tmp_path / "data", settings).path
    data = load(folder)
    names = file_names(settings, data.tables["train"])
    for name, (shape, *_) in zip(names, data.tables["train"].attributes, strict=True):
        assert name.startswith(("star", "circle")[shape])
    assert "own_values" not in read_manifest(folder)


def test_another_drawing_under_a_name_is_not_reused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, drawn = replace(MINI, shapes="star,circle"), {"shape star": "aa"}
    monkeypatch.setattr(storage, "digests", lambda _: drawn)
    folder = generate(tmp_path / "data", settings).path
    assert read_manifest(folder)["own_values"] == drawn
    assert generate(folder, settings).reused
    monkeypatch.setattr(storage, "digests", lambda _: {"shape star": "bb"})
    with pytest.raises(InputError, match="holds another drawing of shape star: name another"):
        generate(folder, settings)
    assert not generate(folder, settings, overwrite=True).reused


# --------------------------------------------------------------------------- crafted folders


def craft(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a manifest as somebody would who knows its checksum."""
    manifest = folder / MANIFEST
    content = json.loads(manifest.read_text())
    change(content)
    content["checksum"] = storage._checksum(content)
    manifest.write_text(json.dumps(content))


def craft_file(folder: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change a file and the manifest with it."""
    content = change((folder / name).read_bytes())
    (folder / name).write_bytes(content)
    entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    craft(folder, lambda manifest: manifest["files"].update({name: entry}))


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../b", "..\\b", "C:\\b", ""])
def test_a_manifest_that_names_a_file_outside_its_folder_is_refused(
    copied: Path, name: str
) -> None:
    entry = {"bytes": 0, "sha256": ""}
    craft(copied, lambda manifest: manifest["files"].update({name: entry}))
    for read in (verify, load, read_manifest):
        with pytest.raises(InputError, match="which is outside its folder"):
            read(copied)


@pytest.mark.parametrize("key", ["settings", "summary", "files", "checksum", "format_version"])
@pytest.mark.parametrize("value", [None, 7, [], "text"])
def test_a_manifest_of_another_form_names_file_and_key(copied: Path, key: str, value: Any) -> None:
    craft(copied, lambda manifest: manifest.update({key: value}))
    if key == "checksum":
        content = json.loads((copied / MANIFEST).read_text())
        (copied / MANIFEST).write_text(json.dumps(content | {key: value}))
    with pytest.raises(InputError, match=rf"dataset\.json .*{key.split('_', maxsplit=1)[0]}"):
        load(copied)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["summary"].pop("probe"),
        lambda manifest: manifest["summary"].update(probe=3),
        lambda manifest: manifest["files"].update({"train/metadata.jsonl": 3}),
        lambda manifest: manifest["files"].update({"train/metadata.jsonl": {"bytes": "3"}}),
        lambda manifest: manifest["settings"].update(hue=3),
        lambda manifest: manifest["settings"].update(seed="3"),
        lambda manifest: manifest["settings"].update(rule=[]),
    ],
)
def test_a_manifest_with_odd_entries_is_named(
    copied: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    craft(copied, change)
    with pytest.raises(InputError, match=r"dataset\.json"):
        load(copied)


@pytest.mark.parametrize("label", ["99", "-3", "x", "", "1.5"])
@pytest.mark.parametrize("column", [2, 5])
def test_labels_out_of_range_are_refused(copied: Path, label: str, column: int) -> None:
    def change(content: bytes) -> bytes:
        rows = [line.split(",") for line in content.decode().splitlines()]
        rows[3][column] = label
        return "".join(",".join(row) + "\n" for row in rows).encode()

    craft_file(copied, "pairs/test.csv", change)
    with pytest.raises(InputError, match=r"pairs/test\.csv is damaged"):
        load(copied)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("pairs/train.csv", lambda content: content.replace(b"share", b"shape")),
        ("pairs/train.csv", lambda content: content.split(b"\n")[0] + b"\n"),
        ("pairs/train.csv", lambda _: b""),
        ("pairs/train.csv", lambda content: content + b"a.png,b.png,0,0,0,0\n"),
        ("pairs/train.csv", lambda content: content + b"1\n"),
        ("pairs/train.csv", lambda content: b"\xff" + content),
        ("train/metadata.jsonl", lambda content: content.replace(b"shape", b"form")),
        ("train/metadata.jsonl", lambda content: b"[]\n" + content),
        ("train/metadata.jsonl", lambda _: b"3\n"),
        ("train/metadata.jsonl", lambda _: b"[" * 100_000),
        ("train/metadata.jsonl", lambda content: content.replace(b"triangle", b"blob")),
    ],
)
def test_crafted_tables_are_named(
    copied: Path, name: str, change: Callable[[bytes], bytes]
) -> None:
    craft_file(copied, name, change)
    with pytest.raises(InputError, match=rf"{name} is damaged"):
        load(copied)


def png(side: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side)).save(buffer, "png")
    return buffer.getvalue()


@pytest.mark.parametrize("content", [png(33), png(4000), b"", b"GIF89a", png(32)[:60]])
def test_an_image_of_another_size_is_refused_before_it_is_decoded(
    copied: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)
    name = next(iter(json.loads((copied / MANIFEST).read_text())["files"]))
    craft_file(copied, name, lambda _: content)
    with pytest.raises(InputError, match="is not an image of this data set"):
        load(copied)
