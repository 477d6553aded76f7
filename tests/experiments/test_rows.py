"""Rows of files that no run wrote, or that lack something: one line that names file and key."""

import json
from pathlib import Path
from typing import Any

import pytest

from trifeature.errors import InputError
from trifeature.experiments.plan import result_rows
from trifeature.experiments.reproduction import draw_figure
from trifeature.experiments.rows import KINDS

pytestmark = pytest.mark.usefixtures("planned_once")
ROWS = Path(__file__).parents[2] / "figures" / "quick-old.jsonl"
ROW: dict[str, Any] = json.loads(ROWS.read_text(encoding="utf-8").splitlines()[0])
ODD: tuple[Any, ...] = (None, "x", "$x_$", [], {}, -1, True, {"R": None})


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def outcome(file: Path) -> str:
    """How drawing a file of rows ends: a figure, or one line."""
    lines = []
    for name in ("curves", "fig4"):
        try:
            draw_figure(name, file)
        except InputError as problem:
            lines.append(str(problem))
    assert not any("\n" in line for line in lines)
    return "; ".join(lines)


@pytest.mark.parametrize("key", ROW)
def test_a_row_that_lacks_a_key_is_drawn_or_refused_in_one_line(key: str, tmp_path: Path) -> None:
    row = {name: value for name, value in ROW.items() if name != key}
    words = outcome(write(tmp_path / "rows.jsonl", ROW, row))
    if key in ("key", "epoch", "preset"):
        assert "rows.jsonl, line 2 is not the row of a run" in words
    if key in ("seed", "biased", "R", "S", "setting"):
        assert f"rows.jsonl, line 2 lacks {key!r}" in words


@pytest.mark.slow  # draws 250 figures; the checks themselves are tested below
@pytest.mark.parametrize("key", [*KINDS, "R", "S_auc", "i_nce", "test_pairs"])
def test_a_value_of_another_kind_is_drawn_or_refused_in_one_line(key: str, tmp_path: Path) -> None:
    for value in ODD:
        outcome(write(tmp_path / "rows.jsonl", ROW, ROW | {key: value}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epoch": "1"}, "line 2: 'epoch' must be a whole number, not '1'"),
        ({"seed": True}, "line 2: 'seed' must be a whole number, not 'True'"),
        ({"R": 80}, "line 2: 'R' must be from 0 to 1, not '80'"),
        ({"confusion": {"R": 3}}, "line 2: the confusion of 'R' must be a table of counts"),
        ({"information": {"R": {}}}, "line 2: the information of 'R' must be numbers by name"),
        ({"other_maps": {"S": 0.5}}, "line 2: 'other_maps' lacks 'S_auc', 'products_S_auc',"),
        ({"preset": "mine", "confusion": {}}, "several presets"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    assert words in outcome(write(tmp_path / "rows.jsonl", ROW, ROW | change))


def test_a_setting_that_looks_like_a_formula_is_drawn(tmp_path: Path) -> None:
    row = ROW | {"key": "other", "setting": "$x_$"}
    file = write(tmp_path / "rows.jsonl", ROW, row)
    figure = draw_figure("curves", file)
    figure.savefig(tmp_path / "curves.png")
    legend = [text.get_text() for one in figure.legends for text in one.get_texts()]
    assert any("$x_$" in label for label in legend)


def test_rows_of_a_file_are_plain_dictionaries_otherwise(tmp_path: Path) -> None:
    (row,) = result_rows(write(tmp_path / "rows.jsonl", ROW))
    assert row.get("nothing") is None
    assert "nothing" not in row
    assert json.loads(json.dumps(row))["epoch"] == ROW["epoch"]
