"""The page as a file: self-contained, small, safe to build from any rows."""

from __future__ import annotations

import base64
import io
import json
import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playground_tools import SOURCES, recorded_rows
from typer.testing import CliRunner

from trifeature.cli.data import app
from trifeature.data.attributes import COLOR_RGB, COLORS, TEXTURES
from trifeature.data.dataset import Dataset
from trifeature.data.render import render
from trifeature.data.storage import generate, verify
from trifeature.errors import InputError
from trifeature.experiments.opening import LAW, opening_atoms
from trifeature.playground import build_page, write_page, write_preview
from trifeature.playground.build import DRAWN, MARKER, SEED, SPRITE, sprite_sheet
from trifeature.playground.preview import KEY, PAIR
from trifeature.playground.recorded import check_codes, learned

BUILT = Path(__file__).parents[2] / "docs" / "playground" / "index.html"


@pytest.fixture(scope="module")
def page() -> str:
    return build_page(recorded_rows(), "quick.jsonl")


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r"^const DATA = (.+);$", page, re.MULTILINE)
    assert found
    content: dict[str, Any] = json.loads(found[1])
    return content


def files_named() -> list[str]:
    """The files that page.html puts in, in its order."""
    text = (SOURCES / "page.html").read_text("utf-8")
    return [found["file"] for found in MARKER.finditer(text) if found["file"]]


def test_the_page_needs_nothing_else(page: str) -> None:
    assert len(page.encode()) < 500_000
    assert not re.search(r"/\*(FILE:[\w./-]+|[A-Z]{4,})\*/", page)
    # A name, and where this page stands for those who share it: nothing that is loaded.
    addresses = set(re.findall(r"https?://[^\s\"'`)]+", page))
    assert "http://www.w3.org/2000/svg" in addresses
    assert not re.search(r"<script[^>]+(src|type)=|<link[^>]+stylesheet|@import|\bfetch\(", page)


def test_every_source_is_named_by_the_page_once() -> None:
    found = [path for path in SOURCES.rglob("*") if path.suffix in {".js", ".css"}]
    here = [path.relative_to(SOURCES).as_posix() for path in found]
    assert sorted(files_named()) == sorted(here)


def test_what_a_source_says_is_not_looked_through_again(page: str) -> None:
    for name in files_named():
        assert (SOURCES / name).read_text("utf-8") in page


def test_the_built_page_is_of_these_sources() -> None:
    if not BUILT.exists():
        pytest.skip("the built page is not part of this checkout")
    built = BUILT.read_text("utf-8")
    for name in files_named():
        source = (SOURCES / name).read_text("utf-8")
        assert source in built, f"{name} changed: run trifeature playground docs/playground"


def test_strings_of_rows_cannot_leave_the_script() -> None:
    rows = [row | {"setting": "</script><b>"} for row in recorded_rows()]
    page = build_page(rows, "<!--")
    assert page.count("</script>") == build_page().count("</script>")
    assert data_of(page)["learned"]["arms"][0]["label"].endswith("</script><b>")


@pytest.mark.parametrize("color", [0, 6, 9])
def test_sprites_blended_by_the_page_are_the_renderer_s_images(color: int) -> None:
    encoded = sprite_sheet().removeprefix("data:image/webp;base64,")
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGBA"))
    settings = DRAWN
    for shape, texture in ((0, 0), (3, 4), (9, 9)):
        rows, columns = (slice(i * SPRITE, (i + 1) * SPRITE) for i in (shape, texture))
        opacity = sheet[rows, columns, 3:] / 255
        ink, paper = 255 * np.array(list(COLOR_RGB.values())[color]), 255 * settings.background
        # The renderer's pose depends on the color; the sprite's is that of white.
        white = render([[shape, texture, 9]], 0, seed=SEED, settings=settings)[0]
        true = (white.permute(1, 2, 0).numpy() / 255 - settings.background) * 2
        blended = opacity * ink + (1 - opacity) * paper
        expected = true * ink + (1 - true) * paper
        assert np.abs(blended - expected).max() <= 255 / 15 / 2 + 2


def test_rows_become_curves() -> None:
    found = learned(recorded_rows(), "quick.jsonl")
    assert found is not None
    assert [arm["label"] for arm in found["arms"]] == [
        "CoMM",
        "Cross",
        "Cross+Self",
        "CoMM, ΣL_i alone",
        "CoMM, L alone",
        "FactorCL",
    ]
    assert [bool(arm.get("default")) for arm in found["arms"]] == [True] * 3 + [False] * 3
    assert (found["classes"], found["pairs"], found["rows"]) == (5, 4096, 6 * 3 * 2 * 3)
    run = found["arms"][0]["biased"][1]
    assert (run["seed"], run["epochs"]) == (1, [0, 2, 4])
    wanted = [
        round(row["S"], 4)
        for row in recorded_rows()
        if row["seed"] == 1 and row["biased"] and (row["method"], row["loss"]) == ("comm", "L_CoMM")
    ]
    assert run["S"] == wanted
    assert found["readings"] == ["S_auc", "S_balanced"]
    assert run["S_auc"] == [round(s + 0.1, 4) for s in run["S"]]


def test_rows_without_another_reading_of_s_stay_readable() -> None:
    rows = recorded_rows()
    rows[0]["S_auc"] = None
    for row in rows:
        del row["S_balanced"]
    found = learned(rows, "old.jsonl")
    assert found is not None
    assert found["readings"] == []
    assert "S_auc" not in found["arms"][0]["biased"][0]
    assert found["rows"] == len(rows)


def test_rows_that_do_not_belong_are_left_out() -> None:
    rows = recorded_rows()
    strange = [
        rows[0] | {"U3": 0.5, "setting": "three modalities"},
        rows[0] | {"validation": True},
        rows[0] | {"probing": "paper"},
        rows[0] | {"preset": "paper"},
        rows[0] | {"epochs": 99, "seed": 7},
        {"kind": "bench", "ms": 3},
        rows[0] | {"S": None},
    ]
    assert learned([*strange, *rows], "a") == learned(rows, "a")
    assert learned(strange[5:], "a") is None
    assert learned([], "a") is None


def test_rows_of_format_1_are_labeled_as_of_the_old_drawings() -> None:
    rows = [row | {"preset": "quick"} for row in recorded_rows()]
    words = {form: learned([row | {"format": form} for row in rows], "a") for form in (1, 2)}
    assert words[1] is not None
    assert words[2] is not None
    assert words[1]["preset"] == "quick preset, old drawings"
    assert words[2]["preset"] == "quick preset"
    assert (words[1]["classes"], words[2]["classes"]) == (5, 10)
    same = {"preset": "", "classes": 0}
    assert words[1] | same == words[2] | same


def test_arms_with_two_seeds_of_a_training_are_named_and_left_out() -> None:
    rows = [
        row
        for row in recorded_rows()
        if not (row["method"] == "cross" and row["seed"] == 2 and not row["biased"])
        # Without its last epoch a seed does not count.
        and not (row["method"] == "factorcl" and row["seed"] == 0 and row["epoch"] == 4)
    ]
    found = learned(rows, "a")
    assert found is not None
    assert found["few"] == ["Cross", "FactorCL"]
    assert [arm["id"] for arm in found["arms"] if arm.get("default")] == [
        "comm-L_CoMM",
        "cross+self",
        "comm-L_i",
    ]
    assert found["rows"] == sum(row["method"] in {"comm", "cross+self"} for row in rows)
    nothing = learned(recorded_rows(seeds=2), "a")
    assert nothing is not None
    assert (nothing["arms"], nothing["claim"], nothing["epoch_sentences"]) == ([], "", {})


def with_numbers(**columns: Any) -> list[dict[str, Any]]:
    """Rows whose biased trainings read S_auc .8 and whose others .5, or other columns."""
    return [
        row | {"R": 0.75, "U1": 0.2, "U2": 0.4, "S_auc": 0.8 if row["biased"] else 0.5} | columns
        for row in recorded_rows()
    ]


def test_the_claim_and_the_sentences_are_made_from_the_rows() -> None:
    found = learned(with_numbers(), "a")
    assert found is not None
    assert found["claim"] == (
        "A linear probe tells matches, by AUC in per cent, from the features of CoMM (80.0, "
        "control 50.0, three seeds) or Cross (80.0, control 50.0) or Cross+Self (80.0, "
        "control 50.0)."
    )
    assert list(found["epoch_sentences"]) == ["0", "2", "4"]
    reads = "R 75.0, U 30.0, S 80.0 over a control of 50.0"
    assert found["epoch_sentences"]["2"] == (
        f"Epoch 2: CoMM reads {reads}; Cross reads {reads}; Cross+Self reads {reads}."
    )
    assert found["epoch_sentences"]["0"].startswith("Epoch 0, untrained: CoMM reads R 75.0")
    plain = learned(with_numbers(S_auc=None, S=0.6), "a")
    assert plain is not None
    assert plain["claim"].startswith(
        "No linear probe is shown to tell matches, by macro accuracy, from the features of "
        "CoMM (60.0, control 60.0,"
    )


def test_the_claim_is_of_those_that_lead_their_control() -> None:
    rows = [
        row | ({"S_auc": 0.5 + 0.1 * (row["seed"] - 1)} if row["method"] != "comm" else {})
        for row in with_numbers()
    ]
    found = learned(rows, "a")
    assert found is not None
    assert found["claim"] == (
        "A linear probe tells matches, by AUC in per cent, from the features of CoMM (80.0, "
        "control 50.0, three seeds), not from those of Cross (50.0, control 50.0) or "
        "Cross+Self (50.0, control 50.0)."
    )


def test_an_epoch_that_one_arm_alone_was_probed_at_has_its_sentence() -> None:
    rows = [row for row in with_numbers() if row["method"] == "comm" or row["epoch"] != 2]
    found = learned(rows, "a")
    assert found is not None
    assert "Cross" not in found["epoch_sentences"]["2"]
    assert "Cross reads" in found["epoch_sentences"]["4"]


# --------------------------------------------------------------------------- codes


def code_rows(seeds: int = 3) -> list[dict[str, Any]]:
    """Rows of codes: S of the match is 0.1, 0.2 and 0.3 by seed after biased training, else 0."""
    rows: list[dict[str, Any]] = []
    kinds = [("comm", "trained", True), ("comm", "trained", False), ("comm", "untrained", True)]
    kinds += [("cross", "trained", True), ("", "noise", True), ("", "attributes", True)]
    for method, codes, biased in kinds:
        for seed in range(seeds):
            for task in ("share", "unique1", "unique2", "synergy"):
                told = 0.1 * (seed + 1) if (codes, biased) == ("trained", True) else 0.0
                atoms = {name: {"value": 0.0, "low": 0.0, "high": 0.1} for name in ("R", "U1")}
                atoms |= {"U2": {"value": 0.0}, "S": {"value": told if task == "synergy" else 0}}
                rows.append(
                    {
                        "kind": "codes",
                        "method": method,
                        "loss": "L_CoMM" if method else "",
                        "setting": "",
                        "biased": biased,
                        "seed": seed,
                        "codes": codes,
                        "task": task,
                        "n": 4096,
                        "atoms": atoms,
                        "law": {"R": 0.0, "U1": 0.0, "U2": 0.0, "S": 0.47},
                    }
                )
    return rows


def test_codes_become_means_and_ranges_over_the_seeds() -> None:
    found = learned(recorded_rows(), "a", code_rows(), "codes.jsonl")
    assert found is not None
    # Cross has no training on unbiased pairs here, so it is not shown.
    assert {one["arm"] for one in found["codes"]} == {"comm-L_CoMM"}
    by_task = {one["task"]: one for one in found["codes"]}
    assert list(by_task) == ["shape", "texture1", "texture2", "match"]
    match = by_task["match"]
    assert match["atoms"]["S"] == {"mean": 0.2, "low": 0.1, "high": 0.3}
    assert match["control"]["S"] == match["untrained"]["S"] == {"mean": 0, "low": 0, "high": 0}
    assert found["codes_reference"]["match"]["law"]["S"] == 0.47
    assert found["codes_reference"]["match"]["nothing"]["S"]["high"] == 0
    assert found["codes_claim"] == (
        "Of 0.47 bits of S in the test pairs a reader of both codes finds 0.20 in the codes of "
        "CoMM (control 0.00)."
    )
    assert "4,096 test pairs" in found["codes_words"]
    few = learned(recorded_rows(), "a", code_rows(seeds=2), "codes.jsonl")
    assert few is not None
    assert (few["codes"], few["codes_words"], few["codes_reference"]) == ([], "", {})


@pytest.mark.parametrize(
    "change",
    [{"kind": "bench"}, {"task": "color"}, {"atoms": None}, {"atoms": {"R": 1}}, {"law": {}}],
)
def test_rows_that_are_not_of_codes_are_refused_with_their_line(change: dict[str, Any]) -> None:
    rows = code_rows()
    rows[2] |= change
    with pytest.raises(InputError, match=r"x\.jsonl, line 3 is no row of codes"):
        check_codes(rows, Path("x.jsonl"))


def test_the_command_takes_codes_and_refuses_other_rows(tmp_path: Path) -> None:
    files = {"rows": recorded_rows(), "codes": code_rows(), "empty": []}
    for name, content in files.items():
        text = "".join(json.dumps(row) + "\n" for row in content)
        (tmp_path / name).write_text(text, "utf-8")
    page = tmp_path / "page.html"

    def run(*words: str) -> Any:
        return CliRunner().invoke(app, ["playground", str(page), *words])

    rows, codes, empty = (str(tmp_path / name) for name in files)
    assert run("--rows", rows, "--codes", codes).exit_code == 0
    assert data_of(page.read_text("utf-8"))["learned"]["codes_source"] == "codes"
    page.unlink()
    for words in (
        ("--rows", rows, "--codes", rows),
        ("--rows", rows, "--codes", empty),
        ("--rows", rows, "--codes", str(tmp_path / "no")),
        ("--codes", codes),
    ):
        result = run(*words)
        assert result.exit_code == 2, words
        assert not page.exists()
    with pytest.raises(InputError, match="line 1 is no row of codes"):
        write_page(page, Path(rows), Path(rows))


# --------------------------------------------------------------------------- the picture


def test_the_preview_is_small_and_has_the_size_of_a_shared_link(tmp_path: Path) -> None:
    path = write_preview(tmp_path / "folder" / "preview.png")
    assert path.stat().st_size < 120_000
    with Image.open(path) as image:
        assert image.size == (1200, 630)


def test_the_pair_of_the_preview_keeps_the_map_and_has_one_bit_of_synergy() -> None:
    (_, texture, _), (_, _, color) = PAIR
    assert COLORS[LAW.partners[TEXTURES.index(texture)]] == color
    assert texture in KEY
    assert opening_atoms().values == pytest.approx((0, 0, 0, 1), abs=1e-6)


# --------------------------------------------------------------------------- the command


def test_the_command_writes_a_file_or_a_folder(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in recorded_rows()), "utf-8")
    for out, file in ((tmp_path / "a.html", "a.html"), (tmp_path / "b", "b/index.html")):
        result = CliRunner().invoke(app, ["playground", str(out), "--rows", str(rows)])
        assert result.exit_code == 0, result.output
        content = data_of((tmp_path / file).read_text("utf-8"))
        assert content["learned"]["source"] == "rows.jsonl"


def test_rows_that_are_not_there_are_an_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["playground", str(tmp_path / "a.html"), "--rows", str(tmp_path / "no")]
    )
    assert result.exit_code == 2
    assert not (tmp_path / "a.html").exists()


def test_the_page_is_the_same_every_time(tmp_path: Path) -> None:
    first = write_page(tmp_path / "a.html").read_bytes()
    assert write_page(tmp_path / "b.html").read_bytes() == first


def test_a_data_set_stays_a_data_set(tiny: Dataset, tmp_path: Path) -> None:
    generate(tmp_path / "data", tiny.settings)
    for out in (tmp_path / "data", tmp_path / "data" / "page.html"):
        with pytest.raises(InputError, match="is a data set, where nothing else belongs"):
            write_page(out)
    assert verify(tmp_path / "data") == []


# --------------------------------------------------------------------------- the speed script


def test_the_speed_script_measures_states_that_the_page_can_show() -> None:
    script = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "playground_speed.py"))
    images, table = (state for state, _ in script["states"]().values())
    assert "k=10" in images
    (cells,) = re.findall(r"p=4x4x8_([\d.,e-]+)", table)
    values = [float(cell) for cell in cells.split(",")]
    assert len(values) == 4 * 4 * 8
    assert sum(values) == pytest.approx(1, abs=1e-10)  # what the page takes for a distribution
    assert script["summary"]([1.0, 2.0, 9.0]) == {"median": 2.0, "p90": 7.6, "max": 9.0}
    for slider in {name for _, sliders in script["states"]().values() for name in sliders}:
        assert f'id="{slider}" type="range"' in (SOURCES / "page.html").read_text("utf-8")
