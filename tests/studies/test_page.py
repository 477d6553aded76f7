"""The report of a study: all its numbers, whatever its names are, in one file."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from study_rows import HOSTILE, study_rows

from trifeature.errors import InputError
from trifeature.files import read_rows, write_rows
from trifeature.studies import folder as folders
from trifeature.studies.folder import PAGE, ROWS, require_place, write_report
from trifeature.studies.page import NOT, page
from trifeature.studies.pictures import Bar, bars, number, source_words, spelled

ROWS_BY_HAND = study_rows()
RECORDED = read_rows(Path(__file__).with_name("recorded.jsonl"))
"""Rows of a study of three vectors, of which two tell a label together, by the engine itself."""

PAGE_BY_HAND = page(ROWS_BY_HAND)

VOID = {"meta", "br", "line", "rect", "path"}


class Reader(HTMLParser):
    """Text, elements and attributes of a page; every element must be closed where it belongs."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(content)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


READ = Reader(PAGE_BY_HAND)
TEXT = " ".join(READ.words)

PERCENT = {"accuracy", "macro_accuracy", "majority", "auc", "macro_f1", "weighted_f1"}
WHOLE = {"n", "train", "probe", "test", "classes", "columns", "groups"}
AS_IS = {"seconds", "settings"}


def shown_numbers(content: Any, key: str = "", inside: str = "") -> Iterator[str]:
    """The numbers of rows as people read them."""
    if isinstance(content, dict):
        for own, value in content.items():
            yield from shown_numbers(value, own, own if own in AS_IS else inside)
    elif isinstance(content, list):
        for value in content:
            yield from shown_numbers(value, key, inside)
    elif isinstance(content, int | float) and not isinstance(content, bool):
        if inside or key == "shape":
            yield str(content)
        elif key in PERCENT:
            yield f"{100 * content:.1f}"
        elif key == "mse":
            yield f"{content:.4g}".replace("-", "−")
        else:
            text = f"{content:.{0 if key in WHOLE else 3}f}"
            yield text.replace("-0.000", "0.000").replace("-", "−")


@pytest.mark.parametrize("rows", [ROWS_BY_HAND, RECORDED], ids=["by hand", "recorded"])
def test_every_number_of_the_rows_is_on_the_page(rows: list[dict[str, Any]]) -> None:
    text = " ".join(Reader(page(rows)).words)
    found = set(re.findall(r"−?\d+(?:\.\d+)?(?:e−?\d+)?", text))
    about = {key: value for key, value in rows[0].items() if key != "origin"}
    wanted = list(shown_numbers([about, *rows[1:]]))
    assert len(wanted) > 400
    assert [one for one in wanted if one not in found] == []


def test_the_page_needs_nothing_else_and_runs_nothing() -> None:
    assert PAGE_BY_HAND.startswith("<!DOCTYPE html>")
    assert READ.of("script") == READ.of("link") == READ.of("img") == READ.of("iframe") == []
    assert "http" not in PAGE_BY_HAND
    assert "url(" not in PAGE_BY_HAND
    assert not any(key.startswith("on") for _, attributes in READ.elements for key in attributes)


def test_names_of_users_are_text_with_control_characters_spelled_out() -> None:
    assert "<script" not in PAGE_BY_HAND
    assert not {"\x1b", "\u202e"} & set(PAGE_BY_HAND)
    assert r"alert('x')</script>\x1b[31m\u202e&" in TEXT
    assert spelled('<a href="x">') == "&lt;a href=&quot;x&quot;&gt;"
    assert page([{"kind": "about", "data": "\udc80"}]).encode()


def test_the_parts_of_the_page_follow_each_other_and_have_links() -> None:
    anchors = [a["id"] for a in READ.of("h2")]
    assert anchors == ["conclusion", "data", "label-1", "label-2", "computed", "not"]
    assert [a["href"] for a in READ.of("a")] == [f"#{one}" for one in anchors]
    assert len(READ.of("h1")) == len(READ.of("main")) == 1


def test_what_people_need_to_judge_is_said() -> None:
    for words in [
        *NOT,
        "Sound and video both tell the mood.",
        "shuffled within class",
        "what dual assumes",
        "predicts worse than the class frequencies do",
        "Every sample counts as a group of its own",
        "column 'city' of a.csv is a category of 2 values",
        "all but video",
        "drop and noise",
        "0123456789abcdef",
        "20 values, see the rows",
    ]:
        assert words in TEXT


def test_tables_have_captions_and_headings_and_lines_of_one_length() -> None:
    assert len(READ.of("caption")) >= len(READ.of("table")) - 1  # the last has a heading
    for table in re.findall(r"<table>(.*?)</table>", PAGE_BY_HAND, re.DOTALL):
        widths = {len(re.findall("<t[hd]", row)) for row in re.findall("<tr>(.*?)</tr>", table)}
        assert len(widths) == 1
    assert {a.get("scope") for a in READ.of("th")} == {"col", "row"}


def test_pictures_show_the_numbers_of_the_rows() -> None:
    drawn = {
        (a["data-atom"], a["data-estimator"], a["data-features"], a["data-value"])
        for a in READ.of("rect")
        if "data-atom" in a
    }
    wanted = {
        (atom, row["estimator"], row["features"], f"{found['value']:.6g}")
        for row in ROWS_BY_HAND
        if row["kind"] == "atoms" and row["atoms"] and row["partners"] == "as given"
        for atom, found in row["atoms"].items()
    }
    assert drawn == wanted
    alone = {a["data-value"] for a in READ.of("rect") if a.get("data-from") == "video"}
    assert alone == {
        f"{row['bits']:.6g}"
        for row in ROWS_BY_HAND
        if row["kind"] == "reading" and row["from"] == ["video"]
    }
    views = {a["data-when"]: a["data-value"] for a in READ.of("rect") if "data-when" in a}
    (row,) = (row for row in ROWS_BY_HAND if row["kind"] == "augmentation")
    assert views == {when: f"{row[when]:.6g}" for when in ("before", "after")}


def test_a_picture_is_told_in_words() -> None:
    for attributes in READ.of("svg"):
        assert attributes["role"] == "img"
        assert re.search(r": \d\.\d{3} bits", attributes["aria-label"] or "")


def test_bars_are_as_long_as_their_values() -> None:
    own = [Bar("a", 0.2), Bar("b", 0.4, 0.3, 0.5), Bar("c", -0.1), Bar("none", None)]
    read = Reader(bars("title", [("", own)]))
    lengths = [float(a["width"] or 0) for a in read.of("rect")]
    assert lengths[1] == pytest.approx(2 * lengths[0], abs=0.2)
    assert lengths[2] == pytest.approx(lengths[0] / 2, abs=0.2)
    left = [float(a["x"] or 0) for a in read.of("rect")]
    assert left[2] + lengths[2] == pytest.approx(left[0], abs=0.2)
    (interval,) = (a["d"] or "" for a in read.of("path"))
    start, end = (float(x) for x in re.findall(r"M([\d.]+)|H([\d.]+)", interval) for x in x if x)
    assert (end - start) == pytest.approx(lengths[0], abs=0.2)
    assert (start + end) / 2 == pytest.approx(left[1] + lengths[1], abs=0.2)


@pytest.mark.parametrize("values", [[], [0.0], [1e-9], [-3.0, -1.0], [float("nan")], [1e6, 1.0]])
def test_any_numbers_can_be_drawn(values: list[float]) -> None:
    read = Reader(bars("title", [("all", [Bar(str(v), v, v, v, v) for v in values])]))
    for attributes in read.of("rect"):
        assert 0 <= float(attributes["width"] or -1) <= 620


def test_numbers_and_names_as_they_are_shown() -> None:
    assert [number(x) for x in (1.0, -0.5, -1e-9, None, float("inf"))] == [
        *("1.000", "−0.500", "0.000", "–", "–")
    ]
    assert source_words(["a", "b"], ["a", "b"]) == "both"
    assert source_words(["a", "b"], ["a", "b", "c", "d"]) == "a + b"


@pytest.mark.parametrize("kind", sorted({row["kind"] for row in ROWS_BY_HAND}))
def test_a_study_without_rows_of_a_kind_has_a_page(kind: str) -> None:
    Reader(page([row for row in ROWS_BY_HAND if row["kind"] != kind]))
    Reader(page([row for row in ROWS_BY_HAND if row["kind"] == kind]))


# --------------------------------------------------------------------------- the folder


def test_a_report_is_the_page_and_the_rows_and_can_be_written_again(tmp_path: Path) -> None:
    target = tmp_path / "a" / HOSTILE.replace("/", "")
    written = write_report(ROWS_BY_HAND, target)
    assert sorted(path.name for path in target.iterdir()) == [PAGE, ROWS]
    assert written.read_text(encoding="utf-8") == PAGE_BY_HAND
    assert page(read_rows(target / ROWS)) == PAGE_BY_HAND
    write_report(ROWS_BY_HAND[:1], target)
    assert len(read_rows(target / ROWS)) == 1


def test_a_full_disk_is_named_and_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    target = tmp_path / "new" / "report"
    monkeypatch.setattr(folders, "write_rows", full)
    with pytest.raises(OSError, match="No space left") as raised:
        write_report(ROWS_BY_HAND, target)
    assert raised.value.filename == str(target)
    assert not list(tmp_path.iterdir())


def test_rows_that_a_kill_left_without_a_page_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(folders, "write_atomically", killed)
        with pytest.raises(KeyboardInterrupt):
            write_report(ROWS_BY_HAND, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [ROWS]
    write_report(ROWS_BY_HAND, tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", b"mine"),
        (PAGE, b"<html>a page of mine"),
        (ROWS, json.dumps({"kind": "figure"}).encode() + b"\n"),
        (ROWS, b"damaged\n"),
    ],
)
def test_a_folder_of_other_things_is_refused_and_kept(
    name: str, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="holds other things than a report"):
        write_report(ROWS_BY_HAND, tmp_path)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, content)]
    write_report(ROWS_BY_HAND, tmp_path, overwrite=True)
    kept = (tmp_path / "notes.txt").read_bytes() if name == "notes.txt" else b"mine"
    assert kept == b"mine"


def test_a_place_that_cannot_be_written_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    (tmp_path / "report" / PAGE).mkdir(parents=True)
    for place, words in [
        (file, "is no folder"),
        (file / "report", "cannot write to"),
        (tmp_path / "report", "is a folder: name another place"),
        (Path("/proc/report"), "cannot write to"),
    ]:
        with pytest.raises(InputError, match=words):
            require_place(place)
    require_place(tmp_path / "new" / "report")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "report"]


def test_rows_are_strict_json(tmp_path: Path) -> None:
    write_rows(tmp_path / ROWS, [{"kind": "about", "x": float("nan")}])
    assert read_rows(tmp_path / ROWS) == [{"kind": "about", "x": None}]
