"""The page as a file: self-contained, small, safe to build from any rows."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playground_tools import SOURCES, recorded_rows
from typer.testing import CliRunner

from trifeature.cli.data import app
from trifeature.data.attributes import COLOR_RGB
from trifeature.data.dataset import Dataset
from trifeature.data.render import RenderSettings, render
from trifeature.data.storage import generate, verify
from trifeature.errors import InputError
from trifeature.playground import build_page, write_page
from trifeature.playground.build import SEED, SPRITE, learned, sprite_sheet

BUILT = Path(__file__).parents[2] / "docs" / "playground" / "index.html"


@pytest.fixture(scope="module")
def page() -> str:
    return build_page(recorded_rows(), "quick.jsonl")


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r"^const DATA = (.+);$", page, re.MULTILINE)
    assert found
    content: dict[str, Any] = json.loads(found[1])
    return content


def test_the_page_needs_nothing_else(page: str) -> None:
    assert len(page.encode()) < 500_000
    assert not re.search(r"/\*(STYLE|CORE|WORLD|PAGE|DATA|VERSION)\*/", page)
    addresses = set(re.findall(r"https?://[^\s\"'`)]+", page))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, not an address that is loaded
    assert not re.search(r"<script[^>]+(src|type)=|<link[^>]+stylesheet|@import|\bfetch\(", page)


def test_the_built_page_is_of_these_sources() -> None:
    if not BUILT.exists():
        pytest.skip("the built page is not part of this checkout")
    built = BUILT.read_text("utf-8")
    for name in ("style.css", "core.js", "world.js", "page.js"):
        source = (SOURCES / name).read_text("utf-8")
        assert source in built, f"{name} changed: run trifeature playground docs/playground"


def test_strings_of_rows_cannot_leave_the_script() -> None:
    rows = [row | {"setting": "</script><b>"} for row in recorded_rows()]
    page = build_page(rows, "<!--")
    assert page.count("</script>") == build_page().count("</script>")
    assert data_of(page)["learned"]["arms"][0]["label"].endswith("</script><b>")


@pytest.mark.parametrize("color", [0, 6, 9])
def test_sprites_blended_by_the_page_are_the_renderer_s_images(color: int) -> None:
    encoded = sprite_sheet().removeprefix("data:image/png;base64,")
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGBA"))
    settings = RenderSettings.for_canvas(SPRITE)
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
        "CoMM, L alone",
        "CoMM, ΣL_i alone",
        "Cross",
        "Cross+Self",
        "FactorCL",
    ]
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
    rows = recorded_rows(seeds=1)
    rows[0]["S_auc"] = None
    for row in rows:
        del row["S_balanced"]
    found = learned(rows, "old.jsonl")
    assert found is not None
    assert found["readings"] == []
    assert "S_auc" not in found["arms"][0]["biased"][0]
    assert found["rows"] == len(rows)


def test_rows_that_do_not_belong_are_left_out() -> None:
    rows = recorded_rows(seeds=2)
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
    rows = [row | {"preset": "quick"} for row in recorded_rows(seeds=1)]
    words = {form: learned([row | {"format": form} for row in rows], "a") for form in (1, 2)}
    assert words[1] is not None
    assert words[2] is not None
    assert words[1]["preset"] == "quick preset, old drawings"
    assert words[2]["preset"] == "quick preset"
    assert (words[1]["classes"], words[2]["classes"]) == (5, 10)
    same = {"preset": "", "classes": 0}
    assert words[1] | same == words[2] | same


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
