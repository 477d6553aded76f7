from __future__ import annotations

import csv
import io
import sys

import pytest

from trifeature.cli import common
from trifeature.cli.pid_output import Format, print_rows
from trifeature.errors import InputError
from trifeature.pid.atoms import ATOM_NAMES
from trifeature.pid.gallery import gallery_table
from trifeature.pid.measures import compare
from trifeature.pid.solver import broja
from trifeature.plots import atom_bars
from trifeature.report import atom_rows, csv_text, data_frame, wide_rows

AND = broja(gallery_table("AND"), sources=("left", "right"), target="gate")


def test_every_row_names_sources_and_target() -> None:
    for row in atom_rows([AND], name="AND") + wide_rows([AND], name="AND"):
        assert (row["name"], row["source1"], row["source2"]) == ("AND", "left", "right")
        assert row["target"] == "gate"


def test_csv_keeps_full_precision() -> None:
    rows = atom_rows([AND])
    read = list(csv.DictReader(io.StringIO(csv_text(rows))))
    assert [float(row["bits"]) for row in read] == list(AND.values)
    assert csv_text([]).strip() == ""


def test_csv_holds_nothing_that_a_spreadsheet_executes(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"name": "=1+1", "other": "-2", "bits": -0.5}], Format.csv)
    assert capsys.readouterr().out.splitlines()[1] == "'=1+1,'-2,-0.5"


def test_pandas_gets_one_row_an_atom() -> None:
    pandas = pytest.importorskip("pandas")
    frame = data_frame(atom_rows([AND]))
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["atom"]) == list(ATOM_NAMES)


def test_without_pandas_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match="pip install pandas"):
        data_frame(atom_rows([AND]))


@pytest.mark.parametrize("width", [80, 50])
def test_the_terminal_table_fits_and_names_the_target(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common.console, "width", width)
    print_rows(atom_rows([AND]), Format.table, "[AND]")
    text = capsys.readouterr().out
    table = [line for line in text.splitlines() if "target" not in line]
    assert max(map(len, table)) <= width
    assert "0.311278" in text
    assert "[AND]" in text
    assert "target gate" in text
    assert "…" not in text
    assert "-0.000000" not in text


def test_bars_are_as_high_as_the_atoms() -> None:
    results = list(compare(gallery_table("PWUNQ")).values())
    (axis,) = atom_bars({"PWUNQ": results}).axes
    heights = [bar.get_height() for bars in axis.containers for bar in getattr(bars, "patches", [])]
    wanted = [atoms.value(name) for name in ATOM_NAMES for atoms in results]
    assert heights == pytest.approx(wanted)
    assert [label.get_text() for label in axis.get_xticklabels()] == [a.measure for a in results]
    assert "about Y" in axis.get_title()


def test_bars_of_one_measure_are_told_apart_by_sources() -> None:
    (axis,) = atom_bars({"AND": [AND, AND]}).axes
    assert [label.get_text() for label in axis.get_xticklabels()] == ["left + right"] * 2


def test_nothing_cannot_be_drawn() -> None:
    with pytest.raises(InputError, match="nothing to draw"):
        atom_bars({})


def test_a_word_wraps_before_a_number_is_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common.console, "width", 30)
    rows = [{"dims": "1 + 1 + 2", "long name": x, "another long name": x} for x in (0.25, 0.5)]
    print_rows(rows, Format.table, digits=2)
    text = capsys.readouterr().out
    assert "another long name" in text
    assert text.count("0.25") == text.count("0.50") == 2
