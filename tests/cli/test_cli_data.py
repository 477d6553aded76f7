"""`trifeature` as it is typed: every spelling, what lands on disk, and one line for bad input."""

import errno
import functools
import json
import os
import runpy
import shutil
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from matplotlib.figure import Figure
from PIL import Image
from tiny_runs import quick_preset

import trifeature
from trifeature import files, plots, sheets
from trifeature.cli import trifeature_main
from trifeature.data import dataset, storage
from trifeature.data.attributes import COLORS, SHAPES, TEXTURES
from trifeature.data.dataset import DatasetSettings, preset
from trifeature.data.render import RenderSettings
from trifeature.data.rule import PairRule
from trifeature.data.storage import Generated
from trifeature.extra.bench import rendering
from trifeature.files import read_rows
from trifeature.presets import PRESETS

MINI = preset(
    "tiny",
    **dict.fromkeys(("shapes", "textures", "colors"), 3),
    held_out=9,
    **dict.fromkeys(("train_pairs", "probe_pairs", "test_pairs"), 12),
    copies=2,
    test_copies=2,
)
"""What `--preset quick` is in this file: 54 images of 32 pixels."""


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty current folder, and a quick preset that is quicker still."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(PRESETS, "quick", quick_preset(MINI))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`trifeature` in this process, through its entry point."""

    def command(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["trifeature", *words])
        with pytest.raises(SystemExit) as stop:
            trifeature_main()
        out, err = capsys.readouterr()
        return Said(int(stop.value.code or 0), out, err)

    return command


@dataclass(frozen=True)
class Asked:
    """What `storage.generate` was asked for."""

    path: Path
    settings: DatasetSettings
    rest: dict[str, Any]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """Nothing is rendered; what would be is noted."""
    calls: list[Asked] = []

    def generate(path: Path, settings: DatasetSettings, **rest: Any) -> Generated:
        calls.append(Asked(path, settings, rest))
        return Generated(path, reused=False, summary={})

    monkeypatch.setattr(storage, "generate", generate)
    return calls


def assert_refused(said: Said, *words: str) -> None:
    """One line on standard error, exit code 2, and nothing half-written in the current folder."""
    assert said.code == 2
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    for word in words:
        assert word in said.err
    assert said.out == ""
    assert not [path for path in Path().rglob("*") if ".part-" in path.name]


def in_bold(out: str) -> str:
    """The last line: the folder or file that was made."""
    return out.rstrip().splitlines()[-1]


# --------------------------------------------------------------------------- spellings


@pytest.mark.parametrize(
    ("words", "path", "match_rate"),
    [
        ([], "data/paper-unbiased-seed0", None),
        (["OUT"], "OUT", None),
        (["--synergy-map"], "data/paper-biased-seed0", 1.0),
        (["--synergy-map", "OUT"], "OUT", 1.0),
        (["OUT", "--synergy-map"], "OUT", 1.0),
        (["--synergy-map", "--seed", "7"], "data/paper-biased-seed7", 1.0),
        (["--seed", "7", "--synergy-map", "a/b"], "a/b", 1.0),
        (["--synergy-map", "--match-rate", ".5"], "data/paper-biased-seed0", 0.5),
        (["--synergy-map=identity", "OUT"], "OUT", 1.0),
        (["--preset", "fast"], "data/fast-unbiased-seed0", None),
        (["seed=3/data"], "seed=3/data", None),
        (["--", "--synergy-map"], "--synergy-map", None),
    ],
)
def test_every_spelling_of_generate(
    words: list[str], path: str, match_rate: float | None, run: Command, asked: list[Asked]
) -> None:
    said = run("generate", *words)
    assert (said.code, said.err) == (0, "")
    (call,) = asked
    assert (call.path, call.settings.match_rate) == (Path(path), match_rate)
    assert in_bold(said.out) == path


def test_the_default_preset_is_the_papers(run: Command, asked: list[Asked]) -> None:
    run("generate")
    assert asked[0].settings == DatasetSettings()
    assert (asked[0].settings.render.canvas, asked[0].settings.held_out) == (224, 200)


def test_a_bare_map_is_drawn_from_the_seed(run: Command, asked: list[Asked]) -> None:
    for seed in ("3", "4"):
        run("generate", "--synergy-map", "--seed", seed)
    assert asked[0].settings == preset("paper", seed=3, match_rate=1.0)
    assert asked[0].settings.partners != asked[1].settings.partners


def test_the_map_is_shown_as_it_was_asked_for(
    run: Command, asked: list[Asked], tmp_path: Path
) -> None:
    names = dict(zip(TEXTURES, reversed(COLORS), strict=True))
    (tmp_path / "map.json").write_text(json.dumps(names))
    listed = ",".join(f"{texture}={color}" for texture, color in names.items())
    for value in ("identity", "random:3", "random:3", listed, "map.json"):
        assert run("generate", f"--synergy-map={value}", "--seed", "5").code == 0
    maps = [call.settings.partners for call in asked]
    assert maps[0] == tuple(range(10))
    assert maps[1] == maps[2] == preset("paper", seed=9, synergy_map="random:3").partners
    assert maps[3] == maps[4] == tuple(reversed(range(10)))
    assert f"map: {listed.replace(',', ', ')}\n" in run("generate", "--synergy-map=map.json").out


@pytest.mark.parametrize(
    "value", ["identity", "random:3", "solid=red,stripes=green", "solid=red", "map.json"]
)
def test_a_map_given_as_the_folder_is_refused_with_the_right_spelling(
    value: str, run: Command, asked: list[Asked]
) -> None:
    said = run("generate", "--synergy-map", value)
    assert_refused(said, f"to use the map {value!r}, write --synergy-map={value}")
    assert asked == []


def test_a_match_rate_without_a_map_is_refused(run: Command, asked: list[Asked]) -> None:
    assert_refused(run("generate", "--match-rate", ".5"), "add --synergy-map")
    assert asked == []


# --------------------------------------------------------------------------- settings


@pytest.mark.parametrize("shared", ["shape", "texture", "color"])
@pytest.mark.parametrize("unique", ["shape", "texture", "color"])
@pytest.mark.parametrize("synergy", ["texture,color", "color,shape", "shape,shape"])
def test_every_choice_of_attributes_is_passed_on_or_refused(
    shared: str, unique: str, synergy: str, run: Command, asked: list[Asked]
) -> None:
    said = run("generate", "--shared", shared, "--unique", unique, "--synergy", synergy)
    if unique == shared or shared in synergy:
        assert_refused(said, repr(shared))
        return
    first, other = synergy.split(",")
    assert asked[0].settings.rule == PairRule(shared, unique, (first, other))


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        (
            ["--shapes", "6", "--textures", "7", "--colors", "8"],
            {"shapes": 6, "textures": 7, "colors": 8},
        ),
        (["--held-out", "50", "--balanced"], {"held_out": 50, "balanced": True}),
        (["--no-balanced"], {"balanced": False}),
        (["--validation"], {"validation": True}),
        (["--copies", "2", "--test-copies", "5"], {"copies": 2, "test_copies": 5}),
        (
            ["--train-pairs", "7", "--probe-pairs", "8", "--test-pairs", "9"],
            {"train_pairs": 7, "probe_pairs": 8, "test_pairs": 9},
        ),
        (["--modalities", "3"], {"rule": PairRule(modalities=3)}),
        (["--distinct-unique"], {"rule": PairRule(distinct_unique=True)}),
        (["--canvas", "64"], {"render": RenderSettings.for_canvas(64)}),
        (["--canvas", "224"], {}),
        (
            ["--max-angle", "0", "--oversample", "2"],
            {"render": RenderSettings(max_angle=0, oversample=2)},
        ),
        (
            [
                "--box",
                "100",
                "--period",
                "12",
                "--grain",
                "1.5",
                "--line",
                "4",
                "--background",
                "0",
            ],
            {"render": RenderSettings(box=100, period=12, grain=1.5, line=4, background=0)},
        ),
    ],
)
def test_every_setting_is_an_option(
    words: list[str], changes: dict[str, Any], run: Command, asked: list[Asked]
) -> None:
    assert run("generate", *words).code == 0
    assert asked[0].settings == preset("paper", **changes)


def test_lengths_of_a_preset_are_kept_where_the_canvas_is_not_named(
    run: Command, asked: list[Asked]
) -> None:
    run("generate", "--preset", "fast", "--max-angle", "10")
    render = asked[0].settings.render
    assert (render.canvas, render.box, render.max_angle) == (112, preset("fast").render.box, 10)


def test_device_and_permission_are_passed_on(run: Command, asked: list[Asked]) -> None:
    run("generate", "--device", "cpu", "--overwrite")
    run("generate", "--device", "cpu")
    assert asked[0].rest["device"] == torch.device("cpu")
    assert [call.rest["overwrite"] for call in asked] == [True, False]


# --------------------------------------------------------------------------- on disk


def test_a_data_set_is_made_and_what_was_drawn_is_printed(run: Command) -> None:
    said = run("generate", "--preset", "quick", "--synergy-map")
    folder = Path("data/quick-biased-seed0")
    assert (said.code, said.err, in_bold(said.out)) == (0, "", str(folder))
    made = storage.load(folder)
    assert made.settings == preset("quick", match_rate=1.0)
    lines = [line.split() for line in said.out.splitlines()]
    for name, pairs in made.pairs.items():
        counts = [
            f"{min(n)}–{max(n)}"
            for task, values in pairs.labels.items()
            for n in [np.bincount(values, minlength=made.settings.classes[task])]
        ]
        rate = f"{100 * pairs.match_rate:.1f}"
        assert [name, "12", f"{pairs.candidates:,}", rate, "%", *counts] in lines
    assert made.pairs["train"].match_rate == 1.0


def test_triples_are_made_too(run: Command) -> None:
    assert run("generate", "triples", "--preset", "quick", "--modalities", "3").code == 0
    assert storage.load("triples").pairs["test"].images.shape == (12, 3)


def test_a_second_run_reuses_and_another_setting_is_refused_until_told_otherwise(
    run: Command,
) -> None:
    words = ("generate", "out", "--preset", "quick")
    assert "already holds" not in run(*words).out
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")}
    again = run(*words)
    assert (again.code, "out already holds exactly this data set\n" in again.out) == (0, True)
    other = run(*words, "--copies", "1")
    assert_refused(other, "out holds a data set with other settings", "--overwrite")
    assert {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")} == before
    assert run(*words, "--copies", "1", "--overwrite").code == 0
    assert storage.load("out").settings.copies == 1


@pytest.mark.parametrize("name", ["data[new]", "[/x]", "a long name " * 12])
def test_a_folders_name_is_printed_as_it_is(name: str, run: Command) -> None:
    folder = name.strip()
    assert in_bold(run("generate", folder, "--preset", "quick").out) == folder
    assert f"{folder} already holds" in run("generate", folder, "--preset", "quick").out
    count = len(storage.read_manifest(folder)["files"])
    assert run("verify", folder).out == f"{folder}: {count} files, all as they were written\n"


def test_python_dash_m_is_the_same_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["trifeature", "--version"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("trifeature", run_name="__main__")
    assert not stop.value.code
    assert capsys.readouterr().out == f"{trifeature.__version__}\n"


# --------------------------------------------------------------------------- looking at one


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set that no test changes."""
    folder = tmp_path_factory.mktemp("original") / "out"
    words = ["trifeature", "generate", str(folder), "--preset", "quick", "--synergy-map=identity"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "quick", quick_preset(MINI))
        patch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as stop:
            trifeature_main()
    assert stop.value.code == 0
    return folder


@pytest.fixture
def made(original: Path) -> Path:
    """A copy of it, to change, in the folder `out`."""
    return Path(shutil.copytree(original, "out"))


def test_verify_says_how_many_files_are_right(run: Command, made: Path) -> None:
    said = run("verify", str(made))
    count = sum(path.is_file() for path in made.rglob("*")) - 1  # but for the manifest
    assert said == Said(0, f"out: {count} files, all as they were written\n", "")


def test_verify_names_every_file_that_is_not_as_it_was_written(run: Command, made: Path) -> None:
    changed, truncated, missing = sorted((made / "train").glob("*.png"))[:3]
    content = bytearray(changed.read_bytes())
    content[-20] ^= 1
    changed.write_bytes(content)
    truncated.write_bytes(truncated.read_bytes()[:-1])
    missing.unlink()
    (made / "notes.txt").write_text("mine")
    said = run("verify", str(made))
    assert (said.code, said.out) == (2, "")
    assert sorted(line.split(" (")[0] for line in said.err.splitlines()) == sorted(
        [
            f"train/{changed.name}: changed",
            f"train/{truncated.name}: truncated",
            f"train/{missing.name}: missing",
            "notes.txt: does not belong here",
        ]
    )


def test_info_shows_settings_map_and_counts(run: Command, made: Path) -> None:
    said = run("info", str(made))
    assert (said.code, said.err) == (0, "")
    flat = " ".join(said.out.split())
    for words in ("shapes 3", "match_rate 1.0", "shared shape", "canvas 32"):
        assert words in flat
    assert "map: solid=red, stripes=green, grid=blue" in flat


def test_info_for_programs_is_the_manifest_without_its_files(run: Command, made: Path) -> None:
    content = json.loads(run("info", str(made), "--json").out)
    assert DatasetSettings.from_json(content["settings"]).partners == (0, 1, 2)
    assert content["summary"]["train"]["match_rate"] == 1.0
    assert not {"files", "checksum"} & content.keys()


def test_the_gallery_is_a_picture_of_sensible_size(
    run: Command, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "gallery", functools.partial(plots.gallery, examples=4))  # of 8
    monkeypatch.setitem(plots.STYLE, "savefig.dpi", 100.0)
    said = run("gallery", str(made), "--out", "pictures/sheet.png")
    assert (said.code, said.err, said.out) == (0, "", "pictures/sheet.png\n")
    with Image.open("pictures/sheet.png") as picture:
        assert picture.format == "PNG"
        assert 400 <= picture.width <= 2000
        assert 400 <= picture.height <= 2000
        colors = picture.convert("RGB").resize((64, 64)).getcolors(64 * 64)
        assert colors is not None
        assert len(colors) > 100  # there is something to see
    assert [path.name for path in Path("pictures").iterdir()] == ["sheet.png"]


def test_the_gallery_of_a_preset_generates_it_first(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "gallery", lambda _: Figure(figsize=(1, 1)))
    assert run("gallery", "--preset", "quick").out == "gallery.png\n"
    assert storage.load("data/quick-biased-seed0").settings == preset("quick", match_rate=1.0)


def test_a_gallery_that_is_no_png_is_refused(run: Command, made: Path) -> None:
    assert_refused(run("gallery", str(made), "--out", "sheet.svg"), "sheet.png")
    assert not list(Path().glob("sheet.*"))


def test_the_sheet_of_dials_needs_no_data_set(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "dial_sheet", lambda: Figure(figsize=(1, 1)))
    assert run("gallery", "--dials").out == "dials.png\n"
    assert run("gallery", "--dials", "--out", "pictures/a.png").out == "pictures/a.png\n"
    assert sorted(path.name for path in Path().iterdir()) == ["dials.png", "pictures"]


@pytest.mark.parametrize("other", [["out"], ["--preset", "quick"]])
def test_the_sheet_of_dials_shows_no_other_data_set(run: Command, other: list[str]) -> None:
    assert_refused(run("gallery", "--dials", *other), "--dials shows no data set's folder")


def test_attributes_are_listed_in_the_order_of_their_labels(run: Command) -> None:
    lines = [line.split() for line in run("attributes").out.splitlines()]
    expected = [[f"{i}", SHAPES[i], TEXTURES[i], COLORS[i]] for i in range(10)]
    assert [line for line in lines if line and line[0].isdigit()] == expected


def test_the_version_is_printed(run: Command) -> None:
    assert run("--version") == Said(0, f"{trifeature.__version__}\n", "")


# --------------------------------------------------------------------------- bench


def test_bench_prints_a_row_and_appends_it(run: Command) -> None:
    words = ("bench", "--canvas", "32", "--images", "2", "--json", "--rows", "new/rows.jsonl")
    first, second = (json.loads(run(*words).out) for _ in range(2))
    assert read_rows(Path("new/rows.jsonl")) == [first, second]
    assert (first["canvas"], first["images"], first["published_ratio"]) == (32, 2, None)


def test_bench_at_the_papers_size_stands_beside_the_published_generator(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter(0.5 * call for call in range(100))  # half a second a call of the clock
    monkeypatch.setattr(rendering, "render", lambda *_, **__: None)
    monkeypatch.setattr(time, "process_time", lambda: next(times))
    out = run("bench", "--images", "500", "--device", "cpu").out
    lines = [line.split() for line in out.splitlines()]
    assert ["ms", "an", "image", "1.000", "1.000", "1.000"] in lines
    assert ["images", "a", "second", "1,000", "1,000", "1,000"] in lines
    assert "270 times as much" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--of", "generat"], "unknown bench 'generat': did you mean 'generate'?"),
        (["--of", "generate", "--canvas", "64"], "--canvas cannot go with --of generate"),
        (["--of", "stream", "--device", "cpu"], "--device goes with --of rendering"),
        (["--of", "stream", "--images", "100"], "--images must be at least 2,048 to stream"),
    ],
)
def test_a_bench_of_something_else_takes_its_own_options(
    words: list[str], message: str, run: Command
) -> None:
    assert_refused(run("bench", *words), message)


def test_bench_of_a_stream_prints_its_numbers(run: Command) -> None:
    out = run("bench", "--of", "stream", "--canvas", "32", "--images", "2048").out
    lines = [line.split() for line in out.splitlines()]
    assert ["images", "2048"] in lines
    assert any(line[:1] == ["million_images_s"] for line in lines)


# --------------------------------------------------------------------------- export, litter

EIGHT = [
    *("--preset", "quick", "--shapes", "2", "--textures", "2", "--colors", "2", "--held-out", "2"),
    *("--copies", "1", "--test-copies", "1", "--train-pairs", "5", "--probe-pairs", "5"),
]
"""Settings of eight images."""


def test_export_writes_what_it_names(run: Command) -> None:
    run("generate", "data", *EIGHT)
    said = run("export", "data", "--as", "npz", "--out", "arrays.npz")
    assert (said.code, in_bold(said.out)) == (0, "arrays.npz")
    assert np.load("arrays.npz")["imgs"].shape == (8, 32, 32, 3)
    again = run("export", "data", "--as", "npz", "--out", "arrays.npz")
    assert_refused(again, "arrays.npz exists: name something new, or say --overwrite")
    assert run("export", "data", "--as", "npz", "--out", "arrays.npz", "--overwrite").code == 0


def test_what_a_desktop_left_is_ignored_and_said(run: Command) -> None:
    run("generate", "data", *EIGHT)
    Path("data/train/.DS_Store").write_bytes(b"")
    Path("data/__MACOSX").mkdir()
    for words in (("verify", "data"), ("generate", "data", *EIGHT)):
        said = run(*words)
        assert said.code == 0
        assert said.err == ("data: ignored what a desktop left there: __MACOSX, train/.DS_Store\n")


def test_nothing_is_made_in_a_data_set(run: Command) -> None:
    run("generate", "data", *EIGHT)
    assert_refused(run("generate", "data/more", *EIGHT), "in a data set: name another folder")
    assert_refused(run("gallery", "data", "--out", "data/a.png"), "data/a.png is in a data set")
    assert_refused(run("export", "data", "--out", "data/more"), "data/more is in a data set")
    assert run("verify", "data").code == 0


# --------------------------------------------------------------------------- bad input

CYCLE = "solid=red,stripes=green,grid="


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([f"--synergy-map={CYCLE}red"], "not one-to-one: red has two partners"),
        ([f"--synergy-map={CYCLE}blue,solid=blue"], "not one-to-one: solid occurs twice"),
        (["--synergy-map=solid=red,stripes=green"], "the synergy map lacks grid"),
        ([f"--synergy-map={CYCLE}blu"], "unknown color 'blu': did you mean 'blue'?"),
        (["--synergy-map=sold=red"], "unknown texture 'sold': did you mean 'solid'?"),
        (["--synergy-map=identiy"], "cannot read the synergy map 'identiy': give identity"),
        (["--synergy-map=random:x"], "random:SEED needs a whole number"),
        (["--synergy-map=nowhere.json"], "cannot read the synergy map nowhere.json"),
        (["--synergy-map", "--colors", "2"], "no one-to-one map: 3 values of texture but only 2"),
        (["--shared", "shap"], "unknown attribute 'shap': did you mean 'shape'?"),
        (["--unique", "textur"], "unknown attribute 'textur': did you mean 'texture'?"),
        (["--synergy", "texture,colour"], "unknown attribute 'colour': did you mean 'color'?"),
        (["--synergy", "texture"], "unknown attribute ''"),
        (["--preset", "quik"], "unknown preset 'quik': did you mean 'quick'?"),
        (["--canvas", "31"], "canvas must be from 32 to 4096, not 31"),
        (["--canvas", "5000"], "canvas must be from 32 to 4096, not 5000"),
        (["--shapes", "1"], "shapes must be a whole number from 2 to 10, not 1"),
        (["--colors", "11"], "colors must be a whole number from 2 to 10, not 11"),
        (["--held-out", "27"], "held_out must be a whole number from 1 to 26, not 27"),
        (["--held-out", "14", "--validation"], "held_out 14 leaves no combination to train on"),
        (["--copies", "0"], "copies must be a whole number from 1"),
        (["--train-pairs", "0"], "train_pairs must be a whole number from 1"),
        (["--modalities", "9"], "modalities must be a whole number from 2 to 8, not 9"),
        (["--seed", "-1"], "seed must be a whole number from 0"),
        (["--box", "500"], "box must be from"),
        (["--period", "0"], "period must be from"),
        (["--oversample", "9"], "oversample must be a whole number from"),
        (["--background", "1.5"], "background must be from"),
        (["--max-angle", "nan"], "max_angle must be from 0 to 45"),
        (["--synergy-map", "--match-rate", "1.5"], "match_rate must be from"),
        (["--synergy-map", "--match-rate", ".1"], "match_rate must be from 0.333333 (chance) to 1"),
        (
            ["--synergy-map", "--train-pairs", "9000"],
            "only 144 pairs of these images allow match_rate 1",
        ),
        (["--device", "gpu"], "unknown device 'gpu'"),
        (["--device", "cuda"], "no GPU for 'cuda' on this machine: use --device cpu"),
    ],
)
def test_bad_input_is_one_line_that_says_what_would_be_right(
    words: list[str], message: str, run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert_refused(run("generate", "out", "--preset", "quick", *words), message)
    assert not Path("out").exists()


@pytest.mark.parametrize(
    "content", ['{"solid": "red", "solid": "blue"}', "[1, 2]", "{", '{"solid": "red"}', "\xff"]
)
def test_a_map_file_that_is_no_map_is_refused(content: str, run: Command) -> None:
    Path("map.json").write_bytes(content.encode("latin-1"))
    assert_refused(run("generate", "out", "--preset", "quick", "--synergy-map=map.json"))
    assert not Path("out").exists()


def test_a_folder_that_is_something_else_is_left_alone(run: Command) -> None:
    Path("mine").mkdir()
    Path("mine/letter.txt").write_text("dear")
    Path("file").write_text("plain")
    for name in ("mine", "file"):
        for words in ((), ("--overwrite",)):
            said = run("generate", name, "--preset", "quick", *words)
            assert_refused(said, f"{name} exists and is not a Trifeature data set")
    assert Path("mine/letter.txt").read_text() == "dear"
    assert Path("file").read_text() == "plain"


def test_a_folder_inside_a_file_is_refused(run: Command) -> None:
    Path("file").write_text("plain")
    assert_refused(run("generate", "file/out", "--preset", "quick"), "file")
    assert Path("file").read_text() == "plain"


def test_a_full_disk_leaves_nothing_behind(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_bytes
    written: list[Path] = []

    def fill_up(path: Path, content: bytes) -> int:
        written.append(path)
        if len(written) > 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", fill_up)
    said = run("generate", "out", "--preset", "quick")
    assert_refused(said, "No space left on device")
    assert not Path("out").exists()
    assert [path.name for path in Path().iterdir()] == []


def test_a_full_disk_keeps_the_data_set_that_was_to_be_replaced(
    run: Command, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert_refused(run("generate", "out", "--preset", "quick", "--overwrite"), "No space left")
    assert storage.verify(made) == []


@pytest.mark.parametrize("command", ["info", "verify", "gallery"])
def test_a_folder_without_a_data_set_is_named(command: str, run: Command) -> None:
    said = run(command, "nowhere")
    assert_refused(said, "nowhere is not a Trifeature data set", "`trifeature generate`")


@pytest.mark.parametrize("command", ["info", "verify", "gallery"])
def test_a_damaged_manifest_is_named(command: str, run: Command, made: Path) -> None:
    for content in ("{", "[]", '{"format_version": 99}', '{"format_version": 1}'):
        (made / "dataset.json").write_text(content)
        assert_refused(run(command, str(made)), "out/dataset.json")


@pytest.mark.parametrize("name", ["pairs/probe.csv", "train/metadata.jsonl"])
def test_a_damaged_file_is_named_by_whoever_reads_it(name: str, run: Command, made: Path) -> None:
    file = made / name
    file.write_bytes(file.read_bytes()[:-3])
    assert_refused(run("gallery", str(made)), f"out/{name}: truncated", "trifeature verify out")
    assert not Path("gallery.png").exists()
    again = run("generate", "out", "--preset", "quick", "--synergy-map=identity")
    assert_refused(again, "out is damaged", name, "--overwrite")


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--images", "0"], "--images must be at least 1"), (["--canvas", "31"], "from 32 to 4096")],
)
def test_a_bench_of_nothing_is_refused(words: list[str], message: str, run: Command) -> None:
    assert_refused(run("bench", *words, "--rows", "rows.jsonl"), message)
    assert not Path("rows.jsonl").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["generate", "--synergy-maps"], "no such option: --synergy-maps"),
        (["generate", "--copies", "two"], "invalid value for '--copies'"),
        (["generat"], "no such command 'generat'"),
        (["generate", "a", "b"], "unexpected extra argument"),
        (["verify"], "missing argument"),
    ],
)
def test_a_command_line_that_cannot_be_read_exits_with_code_2_and_a_hint(
    words: list[str], message: str, run: Command
) -> None:
    said = run(*words)
    assert_refused(said, message, "--help")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("place", ["..", "full"])
def test_a_refused_folder_leaves_no_lock_behind(place: str, run: Command) -> None:
    Path("full").mkdir()
    Path("full/letter.txt").touch()
    assert_refused(run("generate", place, "--preset", "quick"), "is not a Trifeature data set")
    assert not [*Path().glob(".*.lock"), *Path("..").glob("....lock")]


def test_waiting_for_another_process_is_said(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PATIENCE", 0.0)
    held = threading.Event()

    def hold() -> None:
        with FileLock(".out.lock"):
            held.set()
            time.sleep(0.2)

    other = threading.Thread(target=hold)
    other.start()
    held.wait()
    said = run("generate", "out", "--preset", "quick")
    assert (said.code, said.err) == (0, "")
    other.join()
    assert said.out.startswith("waiting for another process that writes out\n")


def test_ctrl_c_while_rendering_leaves_nothing_behind(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dataset, "render", stop)
    said = run("generate", "out", "--preset", "quick")
    assert said.code == 130
    assert said.err.strip() == "stopped: nothing is half-written; the same command does the rest"
    assert [path.name for path in Path().iterdir()] == []
