"""Small files: whole or not at all, and damage is named."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from trifeature.comm.tensor_files import read_tensors, write_tensors
from trifeature.errors import InputError
from trifeature.files import (
    append_row,
    finite,
    plain,
    read_json,
    read_rows,
    require_writable,
    require_writable_file,
    write_atomically,
    write_json,
    write_rows,
)

TENSORS = {
    "weights": torch.arange(12, dtype=torch.float32).reshape(3, 4) / 7,
    "steps": torch.tensor([2**40, -1]),
    "half": torch.tensor([0.1, -3.0], dtype=torch.bfloat16),
    "mask": torch.tensor([True, False]),
    "transposed": torch.arange(6).reshape(2, 3).T,
}


FSYNC = os.fsync  # read before any fixture has replaced it


@pytest.fixture(autouse=True)
def disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here files do reach the disk."""
    monkeypatch.setattr(os, "fsync", FSYNC)


def one_line(caught: pytest.ExceptionInfo[InputError]) -> str:
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


# --------------------------------------------------------------------------- atomic writing


def test_writing_replaces_the_old_content_and_leaves_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, failure: BaseException
) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(self: Path, *arguments: Any) -> NoReturn:
        if step == "write_bytes":
            with self.open("wb") as file:
                file.write(arguments[0][:2])
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(Path, step, fail)
        with pytest.raises(type(failure)):
            write_atomically(path, b"new content")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_followed_and_a_pipe_is_written_to(tmp_path: Path) -> None:
    target, link, pipe = tmp_path / "target", tmp_path / "link", tmp_path / "pipe"
    target.write_bytes(b"old")
    link.symlink_to("target")
    write_atomically(link, b"new")
    assert (link.is_symlink(), target.read_bytes()) == (True, b"new")
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(pipe, b"new")
    assert (pipe.is_fifo(), os.read(reading, 9)) == (True, b"new")
    os.close(reading)


def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing" / "file"):
        with pytest.raises(OSError, match="directory") as caught:
            write_atomically(path, b"new")
        assert caught.value.filename == str(path)


# --------------------------------------------------------------------------- JSON


def test_a_json_object_comes_back_as_it_was_written(tmp_path: Path) -> None:
    content = {"number": 1.25, "text": "ümlaut\n", "list": [1, None, True], "nested": {"a": {}}}
    write_json(tmp_path / "a.json", content)
    assert read_json(tmp_path / "a.json") == content


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "damaged"),
        (b'{"a": 1', "damaged"),
        (b'{"a": \xff}', "damaged"),
        (b"[1, 2]", "does not hold a JSON object"),
    ],
)
def test_a_damaged_json_file_is_named(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_json(path)
    assert str(path) in one_line(caught)
    assert problem in one_line(caught)


def test_a_missing_json_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_json(tmp_path / "a.json")
    assert one_line(caught) == f"{tmp_path / 'a.json'} is missing"


def test_plain_content_is_what_json_gives_back() -> None:
    content = {"only": (6, 9), "nested": {"views": [("pix", (1.5, None))]}, "text": "ab"}
    assert plain(content) == json.loads(json.dumps(content))


# --------------------------------------------------------------------------- JSON lines


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=12)
@given(rows=st.lists(st.dictionaries(st.text(), json_values, max_size=3), max_size=4))
def test_rows_come_back_as_they_were_written_but_for_what_json_cannot_hold(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    write_rows(folder / "at_once", rows)
    for row in rows:
        append_row(folder / "new folder" / "one_by_one", row)
    assert read_rows(folder / "at_once") == finite(rows)
    assert read_rows(folder / "new folder" / "one_by_one") == finite(rows)


ODD = {"bits": {"U1": math.inf}, "parts": [1.5, -math.inf, (math.nan,)], "n": 3, "none": None}
PLAIN = {"bits": {"U1": None}, "parts": [1.5, None, [None]], "n": 3, "none": None}


def test_numbers_that_strict_json_cannot_hold_are_written_as_null(tmp_path: Path) -> None:
    append_row(tmp_path / "appended", ODD)
    write_rows(tmp_path / "written", [ODD])
    for name in ("appended", "written"):
        assert json.loads((tmp_path / name).read_bytes(), parse_constant=refused) == PLAIN
        assert read_rows(tmp_path / name) == [PLAIN]


def refused(constant: str) -> NoReturn:
    """What a strict parser does with Infinity, -Infinity and NaN."""
    raise AssertionError(constant)


def test_older_rows_with_infinity_and_nan_are_read_as_if_they_held_null(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text(json.dumps(ODD) + "\n")
    assert "Infinity" in path.read_text()
    assert read_rows(path) == [PLAIN]


def test_settings_that_strict_json_cannot_hold_are_a_defect(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"rate": math.inf})
    assert not list(tmp_path.iterdir())


def test_a_file_of_rows_that_does_not_exist_has_none(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "none") == []


def test_a_cut_off_last_line_is_left_out_wherever_it_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    write_rows(path, [{"a": 1}, {"b": [2, 3]}])
    whole = path.read_bytes()
    first_line = whole.index(b"\n") + 1
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert read_rows(path) == ([{"a": 1}] if length >= first_line else [])


def test_a_row_appended_after_a_cut_off_line_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(b'{"a": 1}\n{"a": ')
    append_row(path, {"a": 2})
    append_row(path, {"a": 3})
    assert read_rows(path) == [{"a": 1}, {"a": 2}, {"a": 3}]


@pytest.mark.parametrize(
    "damaged", [b'{"a": }', b'{"a" 1}', b"", b'{"a": "\xff"}', b"12"], ids=repr
)
def test_a_damaged_line_is_named_by_file_and_number(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "rows"
    path.write_bytes(b'{"a": 1}\n' + damaged + b'\n{"a": 3}\n')
    with pytest.raises(InputError) as caught:
        read_rows(path)
    assert f"{path}, line 2" in one_line(caught)


# --------------------------------------------------------------------------- tensors


def test_tensors_and_note_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    note = {"step": 3, "name": "ümlaut", "nested": [1, {"a": None}]}
    write_tensors(path, TENSORS, note)
    tensors, same_note = read_tensors(path)
    assert same_note == note
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)


def test_a_tensor_that_needs_gradients_is_written_without_them(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"w": torch.ones(2, requires_grad=True)}, {})
    assert not read_tensors(path)[0]["w"].requires_grad


def test_a_tensor_file_cut_anywhere_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, TENSORS, {"step": 3})
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError) as caught:
            read_tensors(path)
        assert one_line(caught).startswith(f"{path} is damaged")


def test_a_tensor_file_without_a_note_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"w": torch.ones(2)}, path)
    with pytest.raises(InputError, match="is damaged"):
        read_tensors(path)


def test_a_missing_tensor_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_tensors(tmp_path / "a.safetensors")
    assert one_line(caught) == f"{tmp_path / 'a.safetensors'} is missing"


def test_what_a_kill_left_long_ago_is_tidied_by_the_next_writer(tmp_path: Path) -> None:
    old, fresh, other = (tmp_path / name for name in (".a.part-1", ".a.part-2", ".b.part-3"))
    for part in (old, fresh, other):
        part.write_bytes(b"half")
    for part in (old, other):
        os.utime(part, (0, 0))
    write_atomically(tmp_path / "a", b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.part-2", ".b.part-3", "a"]


def test_a_row_that_lacks_a_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text('{"a": 1, "b": 2}\n{"a": 1}\n')
    assert len(read_rows(tmp_path / "rows", {"a": int})) == 2
    assert len(read_rows(tmp_path / "rows", {"a": float})) == 2
    with pytest.raises(InputError, match="rows, line 2 is damaged: it lacks 'b'"):
        read_rows(tmp_path / "rows", {"a": int, "b": int})
    with pytest.raises(InputError, match="rows, line 1 is damaged: 'a' cannot be 1"):
        read_rows(tmp_path / "rows", {"a": str})


@pytest.mark.parametrize("place", ["file/x", "/proc/x", "file"])
def test_a_folder_that_cannot_be_written_is_refused(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=f"cannot write to .*{place}: "):
        require_writable(tmp_path / place)
    with pytest.raises(InputError, match=f"cannot write to .*{place}: "):
        require_writable_file(tmp_path / place / "picture.png")


def test_what_can_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    require_writable(tmp_path / "new" / "folder")
    require_writable_file(tmp_path / "new" / "file")
    require_writable_file(Path(os.devnull))
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="is a folder: name a file in it"):
        require_writable_file(tmp_path)
