"""Columns of files: every format read right, everything else refused in one line with its line."""

from __future__ import annotations

import codecs
import csv
import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trifeature import checks
from trifeature.columns import discrete, files
from trifeature.columns.files import read_columns, read_file, read_joined, split_names
from trifeature.errors import InputError
from trifeature.pid.samples import atoms_of_columns

HARMLESS = "rain[/y],temp[red],a:key:,cost$,gain$"
XOR = "a,b,y\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n"


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "samples.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(path: Path, names: Sequence[str] | None = None) -> str:
    with pytest.raises(InputError) as refused:
        read_columns(path, names)
    message = str(refused.value)
    assert message.isprintable()
    return message


# --------------------------------------------------------------------------- what is read


@pytest.mark.parametrize(
    "content",
    [
        b"a,b,y\n1,2,u\n3,4,v\n",
        b"a,b,y\r\n1,2,u\r\n3,4,v",
        b"a,b,y\r1,2,u\r3,4,v\r",
        b"a\tb\ty\n1\t2\tu\n3\t4\tv\n",
        b"a;b;y\n1;2;u\n3;4;v\n",
        b"a|b|y\n1|2|u\n3|4|v\n",
        b" a , b ,y\n1,2,u\n\n  \n3,4,v\n\n",
        b'"a","b","y"\n"1",2,"u"\n3,4,v\n',
        b"a,b,y,\n1,2,u,\n3,4,v,\n",
        b",a,b,y\n0,1,2,u\n1,3,4,v\n",
        codecs.BOM_UTF8 + b"a,b,y\n1,2,u\n3,4,v\n",
        "a,b,y\n1,2,u\n3,4,v\n".encode("utf-16"),
        codecs.BOM_UTF16_BE + "a;b;y\n1;2;u\n3;4;v\n".encode("utf-16-be"),
        "a\tb\ty\n1\t2\tu\n3\t4\tv\n".encode("utf-32"),
        gzip.compress(b"a,b,y\n1,2,u\n3,4,v\n", mtime=0),
    ],
)
@pytest.mark.parametrize("names", [None, ["a", "b", "y"]])
def test_text_of_every_form_is_read(tmp_path: Path, content: bytes, names: Any) -> None:
    found = read_columns(write(tmp_path, content), names)
    assert {name: column.tolist() for name, column in found.items()} == {
        "a": ["1", "3"],
        "b": ["2", "4"],
        "y": ["u", "v"],
    }


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_what_the_csv_module_writes_comes_back(tmp_path: Path, delimiter: str) -> None:
    rng = np.random.default_rng(0)
    letters = list('xy,;|\t"\n\ré 1')
    header = ["length, cm", "a;b", "tab\there", 'quo"te', *HARMLESS.split(","), "two\nlines"]
    rows = [["".join(rng.choice(letters, 6)) + "z" for _ in header] for _ in range(30)]
    path = tmp_path / "samples.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])
    found = read_file(path, header)
    assert [column.tolist() for column in found.columns.values()] == [
        list(column) for column in zip(*rows, strict=True)
    ]
    assert list(found.columns) == header


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    content = 'a,b\n\n1,2\n"x\ny",4\n\n5,\n6,NA\n'
    path = write(tmp_path, content)
    found = read_file(path)
    assert found.lines is not None
    assert found.lines.tolist() == [3, 4, 7, 8]
    assert refusal(path) == (
        f"{path}: column 'b' lacks a value in line 7, and in 2 of 4 rows in all: "
        "drop these rows or fill them"
    )
    assert read_columns(path, ["a"])["a"].tolist() == ["1", "x\ny", "5", "6"]
    assert read_columns(path, missing="drop")["a"].tolist() == ["1", "x\ny"]
    assert read_columns(path, missing="keep")["b"].tolist() == ["2", "4", "", "NA"]


def test_values_that_differ_in_form_alone_are_one(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n1,x\n1.0,x \n 1,x\n2,y\n")
    found = read_columns(path)
    assert discrete("a", found["a"]).values == (1, 2)
    assert discrete("b", found["b"]).values == ("x", "y")


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ("a;b\n1,5;u\n2;v\nNA;w\n", ["1.5", "2", "NA"]),
        ("a\tb\n-1,5e3\tu\n,25\tv\n", ["-1.5e3", ".25"]),
        ("a;b\n1,5;u\nx;v\n", ["1,5", "x"]),
        ("a;b\n1,5;u\n1.234,5;v\n", ["1,5", "1.234,5"]),
        ('a,b\n"1,5",u\n"2,5",v\n', ["1,5", "2,5"]),
    ],
)
def test_decimal_commas_are_read_where_every_value_fits(
    tmp_path: Path, content: str, values: list[str]
) -> None:
    assert read_columns(write(tmp_path, content), missing="keep")["a"].tolist() == values


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("x, cm;y\n1,5;0\n2,5;1\n", ["x, cm", "y"]),
        ("text\nhello, world\n", ["text"]),
        ("a,b;c\n1,2\n3,4\n", ["a", "b;c"]),
        ("a,b;c\n1;2\n3;4\n", ["a,b", "c"]),
        ("a;b\n1,5;2,5\n1;2\n", ["a", "b"]),
    ],
)
def test_the_delimiter_is_recognized_from_names_and_rows(
    tmp_path: Path, content: str, names: list[str]
) -> None:
    path = write(tmp_path, content)
    assert list(read_columns(path, names)) == names
    assert list(read_columns(path)) == names


def test_a_file_is_decomposed_as_its_arrays_are(tmp_path: Path) -> None:
    columns = read_columns(write(tmp_path, XOR))
    assert atoms_of_columns(columns, "a", "b", "y").synergy == pytest.approx(1, abs=1e-9)


def test_continuous_columns_are_refused_or_binned_by_name(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    first, other = rng.integers(0, 2, (2, 80))
    rows = zip(10 * first + rng.random(80), other, first ^ other, strict=True)
    text = "".join(f"{rate:.5f};{bit};{y}\n" for rate, bit, y in rows).replace(".", ",")
    columns = read_columns(write(tmp_path, f"rate, Hz;b;y\n{text}"))
    with pytest.raises(InputError, match="column 'rate, Hz' looks continuous, 80 different"):
        atoms_of_columns(columns, "rate, Hz", "b", "y")
    expected = atoms_of_columns({"a": first, "b": other, "y": first ^ other}, "a", "b", "y")
    for bins in (2, {"rate, Hz": 2}, {"source1": 2}):
        found = atoms_of_columns(columns, "rate, Hz", "b", "y", bins=bins, binning="width")
        assert found.values == pytest.approx(expected.values, abs=1e-8)
    with pytest.raises(InputError, match="did you mean 'rate, Hz'"):
        atoms_of_columns(columns, "rate, Hz", "b", "y", bins={"rate": 2})


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_of_a_data_frame_are_decomposed_by_name(library: str) -> None:
    frame = pytest.importorskip(library).DataFrame({"a": [0, 0, 1, 1], "b": [0, 1, 0, 1]})
    found = atoms_of_columns(frame, "a", "b", "a")
    assert found.unique1 == pytest.approx(1, abs=1e-9)
    with pytest.raises(InputError, match="one of a, b"):
        atoms_of_columns(frame, "a", "c", "a")


# --------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a", ("a",)),
        ("a,b", ("a", "b")),
        (" a , b ", ("a", "b")),
        ("length, cm", ("length, cm",)),
        ('"length, cm",b', ("length, cm", "b")),
        ('b, "length, cm"', ("b", "length, cm")),
        ('5" pipe,a', ('5" pipe', "a")),
        ("rain[/y],a:key:", ("rain[/y]", "a:key:")),
    ],
)
def test_names_are_split_at_commas_that_are_not_part_of_a_name(
    text: str, names: tuple[str, ...]
) -> None:
    header = ["a", "b", "length, cm", '5" pipe', "rain[/y]", "a:key:"]
    assert split_names(text, header) == names


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour", "did you mean 'color'"),
        ("color,", "empty name"),
        ("", "empty name"),
        ("color,color", "twice"),
        ("color,length, cm", "unknown column 'length'"),
    ],
)
def test_names_that_are_none_are_refused(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        split_names(text, ["color", "length, cm", ""])


def test_joined_names_are_read_in_one_pass(tmp_path: Path) -> None:
    path = write(tmp_path, '"length, cm",b,y,z\n1,2,0,\n3,4,1,\n')
    groups, found = read_joined(path, ['"length, cm",b', "length, cm", "y"])
    assert groups == [("length, cm", "b"), ("length, cm",), ("y",)]
    found.refuse_missing()
    assert list(found.columns) == ["length, cm", "b", "y"]


def test_a_name_with_terminal_escapes_is_spelled_out_and_can_be_typed_so(tmp_path: Path) -> None:
    path = write(tmp_path, "a\x1b[31m,b\n1,2\n")
    assert r"one of a\x1b[31m, b" in refusal(path, ["c"])
    assert list(read_columns(path, [r"a\x1b[31m"])) == ["a\x1b[31m"]


def test_of_many_names_the_nearest_are_listed(tmp_path: Path) -> None:
    header = ",".join(f"neuron{place}" for place in range(300))
    message = refusal(write(tmp_path, f"{header}\n{header}\n"), ["nueron77"])
    assert "did you mean 'neuron77'" in message
    assert len(message) < 600


# --------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("content", "names", "words"),
    [
        ("", ["a"], "is empty: its first line names the columns"),
        (codecs.BOM_UTF8, None, "is empty"),
        ("\n \n", None, "is empty"),
        ("a,b\n", ["a", "b"], "has no rows"),
        ("a,b\n\n", None, "has no rows"),
        ("a,b\n1,\n", ["a", "b"], "column 'b' lacks a value in line 2"),
        ("a,b\n1,NaN\n", None, "column 'b' lacks a value in line 2"),
        ("a,c\n1,2\n", ["a", "b"], "unknown column of"),
        ("a,b,b,y\n1,2,3,4\n", ["b"], "line 1 gives the name 'b' to columns 2 and 3"),
        ("\na,b,y, y\n1,2,3,4\n", None, "line 2 gives the name 'y' to columns 3 and 4"),
        ("a,,y\n1,2,3\n", ["a", ""], "empty name"),
        (",\n1,2\n", None, "line 1 names no column"),
        ("a,b\n1,2\n1,2,3\n", ["a"], "line 3 has 3 cells, the header 2"),
        ('a,b\n"x\ny",2\n\n1\n', ["a"], "line 5 has 1 cells, the header 2"),
        ('a,b\n1,2\n\n"x,3\n4,5\n', ["a"], "line 4: a quotation mark without its second"),
        ('a,b\n1,"x"y\n', ["a"], "line 2: ',' expected after"),
        ("a,b\n1,2\n1,\0\n", ["a"], "line 3 holds a NUL byte"),
        ("a,b\n1,é\n2,3".encode("latin-1"), ["a"], "line 2 is not UTF-8 (byte 0xe9)"),
        (codecs.BOM_UTF8 + b"a,b\r1,2\r\xff,2\r", ["a"], "line 3 is not UTF-8 (byte 0xff)"),
        ("a,b\n1,é\n".encode("utf-16")[:-1], ["a"], "line 2 is not UTF-16"),
        ("a,b\n1,2\n".encode("utf-16-le"), ["a"], "UTF-16 without a byte order mark"),
        (bytes(range(256)) * 9, None, "is binary"),
        (bytes(99), None, "is binary"),
        (b"PK\x03\x04" + bytes(9), None, "a workbook"),
        (gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:-20], None, "cannot read"),
        (b"\x1f\x8b\x08damaged", None, "cannot read"),
        (gzip.compress(bytes(99), mtime=0), None, "is binary"),
    ],
)
def test_bad_files_say_what_is_wrong_and_where(
    tmp_path: Path, content: str | bytes, names: Any, words: str
) -> None:
    path = write(tmp_path, content)
    message = refusal(path, names)
    assert words in message
    assert str(path) in message


def test_a_column_that_nobody_asks_for_may_be_doubled_empty_or_full_of_gaps(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b,b,,y\n1,,,,2\n")
    assert read_columns(path, ["a", "y"]).keys() == {"a", "y"}


def test_what_is_no_file_is_one_line(tmp_path: Path) -> None:
    assert "cannot read" in refusal(tmp_path / "none.csv", ["a"])
    assert "directory" in refusal(tmp_path)
    assert r"x\ny" in refusal(tmp_path / "x\ny.csv")
    with pytest.raises(InputError, match="did you mean 'drop'"):
        read_columns(tmp_path, missing="dorp")


def test_a_file_without_a_complete_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no row with a value in every column"):
        read_columns(write(tmp_path, "a,b\n1,\n,2\n"), missing="drop")


def test_a_file_larger_than_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "available_memory", lambda: 40)
    assert "memory" in refusal(write(tmp_path, XOR))


def test_a_device_without_an_end_is_refused() -> None:
    if not Path("/dev/zero").exists():
        pytest.skip("no such device on this system")
    assert "is binary" in refusal(Path("/dev/zero"))


# --------------------------------------------------------------------------- Parquet


def test_parquet_keeps_the_types_of_its_columns(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "samples.parquet"
    columns = {
        "id": [2**53 + 1, 2**53],
        "c.d": [0.5, 0.25],
        "text": ["u", "v"],
        "gaps": [2**53 + 1, None],
        "lists": [[1, 2], [3, 4]],
    }
    parquet.write_table(arrow.table(columns), path)
    found = read_columns(path, ["text", "id", "c.d"])
    assert [column.tolist() for column in found.values()] == [
        columns["text"],
        columns["id"],
        columns["c.d"],
    ]
    assert [found[name].dtype.name for name in ("id", "c.d")] == ["int64", "float64"]
    assert "column 'gaps' lacks a value in row 1" in refusal(path, ["gaps"])
    assert "holds lists" in refusal(path, ["lists"])
    assert "did you mean 'text'" in refusal(path, ["txt"])
    path.write_bytes(path.read_bytes()[:-9])
    assert "as Parquet" in refusal(path)


def test_parquet_without_its_library_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(files, "import_module", lacking)
    assert "pip install" in refusal(write(tmp_path, b"PAR1..."))
