"""A pickle of arrays is read as NumPy reads it; anything else runs nothing and is one line."""

import os
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trifeature.errors import InputError
from trifeature.real.unpickle import load_pickle

CONTENT = {
    "floats": np.arange(6.0).reshape(2, 3),
    "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "text": np.array(["a", "bc"]),
    "bytes": np.array([b"a", b"bc"]),
    "objects": np.array([1, "x", None], dtype=object),
    "big-endian": np.arange(3, dtype=">i4"),
    "empty": np.zeros((0, 3)),
    "zero-dimensional": np.array(3.0),
    "times": np.array(["2020-01-01"], dtype="M8[D]"),
    "one number": np.float32(2.5),
    "one truth": np.bool_(True),
    "plain": [1, 2.5, "é", b"\x80", None, True, (1, {2}, frozenset({3})), 1 + 2j, bytearray(b"x")],
    "ordered": OrderedDict(a=1),
}


def written(folder: Path, content: bytes) -> Path:
    path = folder / "file.pkl"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_plain_types_are_read_as_pickle_reads_them(
    tmp_path: Path, protocol: int
) -> None:
    raw = pickle.dumps(CONTENT, protocol)
    read, expected = load_pickle(written(tmp_path, raw)), pickle.loads(raw)  # noqa: S301
    assert read.keys() == expected.keys()
    for name, value in expected.items():
        assert type(read[name]) is type(value), name
        if isinstance(value, np.ndarray):
            assert (read[name].dtype, read[name].shape) == (value.dtype, value.shape), name
            assert read[name].tolist() == value.tolist(), name
        else:
            assert read[name] == value, name


def test_the_names_of_older_numpys_are_known(tmp_path: Path) -> None:
    new = pickle.dumps(np.arange(3), 2)
    old = new.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert old != new
    assert load_pickle(written(tmp_path, old)).tolist() == [0, 1, 2]


def test_a_pickle_of_python_2_is_read(tmp_path: Path) -> None:
    """{'id': 'caf\\xe9', 'x': array([1., 2.])} as protocol 2 of Python 2's cPickle."""
    raw = (
        b"\x80\x02}q\x01(U\x02idU\x04caf\xe9U\x01xcnumpy.core.multiarray\n_reconstruct\nq\x02"
        b"cnumpy\nndarray\nq\x03K\x00\x85U\x01b\x87R(K\x01K\x02\x85cnumpy\ndtype\nU\x02f8K\x00K\x01"
        b"\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x10"
        + struct.pack("<2d", 1, 2)
        + b"tbu."
    )
    read = load_pickle(written(tmp_path, raw))
    assert read["id"] == "café"
    assert read["x"].tolist() == [1.0, 2.0]


def test_npy_files_of_objects_and_of_numbers_are_read(tmp_path: Path) -> None:
    content = {"X": [np.ones((2, 3)), np.zeros((1, 3))], "y": np.arange(2)}
    np.save(tmp_path / "one.npy", np.array(content, dtype=object))
    read = load_pickle(tmp_path / "one.npy").item()
    assert [x.shape for x in read["X"]] == [(2, 3), (1, 3)]
    assert read["y"].tolist() == [0, 1]
    np.save(tmp_path / "plain.npy", np.eye(2))
    assert load_pickle(tmp_path / "plain.npy").tolist() == np.eye(2).tolist()


class Call:
    """A pickle of this calls a function when it is loaded."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.function, self.arguments


class Mine:
    """An object with a state."""

    def __init__(self) -> None:
        self.x = 1


CODE = "open('ran', 'w').close()"

ATTACKS: dict[str, Any] = {
    "os.system": Call(os.system, "touch ran"),
    "eval": Call(eval, CODE),
    "exec": Call(exec, CODE),
    "getattr": Call(getattr, "x", "upper"),
    "import": Call(__import__, "os"),
    "open": Call(open, "ran", "w"),
    "inside": {"x": [np.arange(2), (Call(os.system, "touch ran"),)]},
    "in objects": np.array([Call(os.system, "touch ran")], dtype=object),
    "map": Call(map, print, [1]),
    "numpy.load": Call(np.load, "x"),
    "an object": Mine(),
    "a class": Mine,
    "numpy's loadtxt": Call(np.loadtxt, "x"),
}


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_else_is_named_or_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, protocol: int
) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, pickle.dumps(ATTACKS[name], protocol))
    with pytest.raises(InputError, match="is not a pickle of arrays and plain types") as caught:
        load_pickle(path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


STRING, TUPLE1, TUPLE2, TUPLE3 = b"X", b"\x85", b"\x86", b"\x87"


def text(value: str) -> bytes:
    return STRING + struct.pack("<I", len(value)) + value.encode()


def name_of(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


OBJECTS = name_of("numpy", "dtype") + text("O8") + TUPLE1 + b"R"
ADDRESS = b"C\x08" + b"\x41" * 8
EMPTY = (
    name_of("numpy.core.multiarray", "_reconstruct")
    + name_of("numpy", "ndarray")
    + b"K\x00"
    + TUPLE1
    + b"C\x01b"
    + TUPLE3
    + b"R"
)


def dtype_with(kind: str, *state: bytes) -> bytes:
    """A type of arrays whose state says something else."""
    return name_of("numpy", "dtype") + text(kind) + TUPLE1 + b"R(" + b"".join(state) + b"tb"


LIES = {
    # NumPy would take the bytes for the address of an object: the process would crash, or worse.
    "an array of addresses": name_of("numpy", "ndarray")
    + b"K\x01"
    + TUPLE1
    + OBJECTS
    + ADDRESS
    + TUPLE3
    + b"R",
    "a buffer of addresses": name_of("numpy.core.numeric", "_frombuffer")
    + b"("
    + ADDRESS
    + OBJECTS
    + b"K\x01"
    + TUPLE1
    + text("C")
    + b"tR",
    "a scalar of an address": name_of("numpy.core.multiarray", "scalar")
    + OBJECTS
    + ADDRESS
    + TUPLE2
    + b"R",
    "objects that say they are none": EMPTY
    + b"(K\x01K\x01"
    + TUPLE1
    + dtype_with("O8", b"K\x03", text("|"), b"NNN", b"J\xff\xff\xff\xff" * 2, b"K\x00")
    + b"\x89"
    + ADDRESS
    + b"tb",
    "a type of another size": dtype_with(
        "V8", b"K\x03", text("|"), b"NNN", b"M\xff\xff" * 2, b"K\x00"
    ),
    "text of another size": dtype_with(
        "U1", b"K\x03", text("<"), b"NNN", b"J\xf0\xff\xff\xffK\x04", b"K\x08"
    ),
    "fields": dtype_with(
        "f8", b"K\x03", text("<"), b"N", text("f") + TUPLE1, b"}", b"K\x08" * 2, b"K\x00"
    ),
    "a state of three": dtype_with("f8", b"K\x03", text("<"), b"N"),
    "a type made of several": name_of("numpy", "dtype") + text("f8,O") + TUPLE1 + b"R",
    "more memory than there is": EMPTY
    + b"(K\x01\x8a\x08"
    + struct.pack("<q", 2**62)
    + TUPLE1
    + name_of("numpy", "dtype")
    + text("f8")
    + TUPLE1
    + b"R\x89"
    + ADDRESS
    + b"tb",
    "an unknown class of arrays": name_of("numpy.core.multiarray", "_reconstruct")
    + name_of("builtins", "set")
    + b"K\x00"
    + TUPLE1
    + b"C\x01b"
    + TUPLE3
    + b"R",
}


@pytest.mark.parametrize("name", LIES)
def test_arrays_that_lie_about_their_type_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="is not a pickle of arrays and plain types"):
        load_pickle(written(tmp_path, b"\x80\x03" + LIES[name] + b"."))


@pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x04", b"\x93NUMPY\x01\x00", b"I1\n"])
def test_no_pickle_is_one_line(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match="is not a pickle of arrays and plain types"):
        load_pickle(written(tmp_path, content))


def test_a_pickle_cut_anywhere_is_one_line(tmp_path: Path) -> None:
    raw = pickle.dumps({"x": np.arange(5), "y": ["a", {"b": 1.5}]}, 2)
    for end in range(len(raw)):
        with pytest.raises(InputError):
            load_pickle(written(tmp_path, raw[:end]))


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_pickle(tmp_path / "nothing.pkl")
