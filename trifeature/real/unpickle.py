"""Reading pickles without running what they say: arrays and plain types only.

A pickle is a program that names functions and calls them, so one from elsewhere can do anything
when it is loaded. This reader knows the few names that arrays are made of and refuses every other
before anything is called. It also checks what these few are given: a type of array whose parts are
declared wrongly would let NumPy take bytes of the file for addresses of memory.

Read too: `.npy` files of objects, which are a header and a pickle.
"""

from __future__ import annotations

import collections
import pickle
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from trifeature.errors import InputError

NPY: Final = b"\x93NUMPY"
"""The first bytes of a `.npy` file."""

PLAIN_DTYPE: Final = re.compile(r"[<>|=]?([biufcSUMm]\d*|O8?|O4)")
"""Types of numbers, text, times and objects; none that is put together of several."""

_NDARRAY: Final = object()
"""What a pickle gets for `numpy.ndarray`: it can be named, and cannot be called.

Called with a type of objects and a buffer, NumPy's own would take the bytes for addresses.
"""

WRONG: Final = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
"""What a file that is no pickle of arrays can lead to."""


class _PlainUnpickler(pickle._Unpickler):
    """An unpickler that knows a few names and sets the state of arrays alone.

    It is Python's own in Python: the one in C cannot be told what to do with a state. An array is
    one instruction of a pickle, so this costs little.
    """

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """What a name stands for.

        Raises:
            UnpicklingError: the name is not one of those that arrays and plain types need.
        """
        found = ADMITTED.get(module_name, {}).get(global_name)
        if found is None:
            raise pickle.UnpicklingError(f"it asks for {module_name}.{global_name}")
        return found

    def load_build(self) -> None:
        """Set the state of an array or of its type; nothing else has one."""
        state = self.stack.pop()  # type: ignore[attr-defined]
        target = self.stack[-1]  # type: ignore[attr-defined]
        if isinstance(target, np.dtype):
            _check_dtype_state(target, state)
        elif type(target) is not np.ndarray:
            raise pickle.UnpicklingError(f"it sets the state of {type(target).__name__}")
        target.__setstate__(state)

    dispatch[pickle.BUILD[0]] = load_build


def _check_dtype_state(dtype: np.dtype[Any], state: Any) -> None:
    """Whether a state says of a type what the type is: the byte order alone may differ."""
    _, _, *parts, size, alignment, flags = state[:8]
    own = (-1, dtype.itemsize), (-1, dtype.alignment), (dtype.flags,)
    right = all(x in known for x, known in zip((size, alignment, flags), own, strict=True))
    if len(state) not in (8, 9) or any(part is not None for part in parts) or not right:
        raise pickle.UnpicklingError("it declares a type of array that is not plain")


def _dtype(spec: Any, align: Any = False, copy: Any = False) -> np.dtype[Any]:
    """A copy of a plain type, since its state is set; later NumPys refuse the old way to ask."""
    del align, copy
    if not isinstance(spec, str) or not PLAIN_DTYPE.fullmatch(spec):
        raise pickle.UnpicklingError("it declares a type of array that is not plain")
    return np.dtype(spec, copy=True)


def _array(kind: Any, shape: Any, code: Any) -> npt.NDArray[Any]:
    """An empty array, to be given a state."""
    if kind is not _NDARRAY or shape not in ((0,), 0) or code not in (b"b", "b"):
        raise pickle.UnpicklingError("it makes an array in an unknown way")
    return np.ndarray((0,), np.int8)


def _scalar(dtype: Any, content: Any = None) -> Any:
    """One number, or text."""
    raw = content.encode("latin1") if isinstance(content, str) else content
    if not isinstance(dtype, np.dtype) or dtype.hasobject or not isinstance(raw, bytes):
        raise pickle.UnpicklingError("it holds a scalar of an unknown type")
    return np.frombuffer(raw, dtype, count=1)[0]


def _from_buffer(content: Any, dtype: Any, shape: Any, order: Any) -> npt.NDArray[Any]:
    """An array of a pickle of protocol 5."""
    if not isinstance(dtype, np.dtype) or dtype.hasobject or order not in ("C", "F"):
        raise pickle.UnpicklingError("it makes an array in an unknown way")
    return np.frombuffer(content, dtype).reshape(shape, order=order)


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """Bytes, which old pickles hold as text with one letter a byte."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("it encodes text")
    return text.encode("latin1")


_PLAIN: Final = {
    "set": set,
    "frozenset": frozenset,
    "complex": complex,
    "bytearray": bytearray,
    "bytes": bytes,
}
_CORE: Final = {"_reconstruct": _array, "scalar": _scalar}

ADMITTED: Final[dict[str, dict[str, Any]]] = {
    "numpy": {"ndarray": _NDARRAY, "dtype": _dtype},
    "numpy.core.multiarray": _CORE,  # before NumPy 2
    "numpy._core.multiarray": _CORE,
    "numpy.core.numeric": {"_frombuffer": _from_buffer},
    "numpy._core.numeric": {"_frombuffer": _from_buffer},
    "_codecs": {"encode": _encode},
    "collections": {"OrderedDict": collections.OrderedDict},
    "builtins": _PLAIN,
    "__builtin__": _PLAIN,  # before Python 3
}
"""Every name that a pickle may ask for, by its module, and what it gets."""


def load_pickle(path: str | Path) -> Any:
    """Read a pickle, or a `.npy` file, of arrays and plain types.

    Text of pickles that Python 2 wrote is read as Latin-1.

    Args:
        path: The file.

    Returns:
        What the file holds: dictionaries, lists, tuples, sets, numbers, text and NumPy arrays.

    Raises:
        InputError: the file cannot be read, is no pickle, or asks for anything else.
    """
    try:
        with Path(path).open("rb") as stream:
            return _load(stream)
    except OSError as problem:
        raise InputError(f"{path}: {problem.strerror or problem}") from None
    except WRONG as problem:
        words = " ".join(f"{problem}".split()) or type(problem).__name__
        raise InputError(
            f"{path} is not a pickle of arrays and plain types, and nothing else is read: {words}"
        ) from None


def _load(stream: IO[bytes]) -> Any:
    start = stream.read(len(NPY))
    stream.seek(0)
    if start != NPY:
        return _PlainUnpickler(stream, encoding="latin1").load()
    shape, _, dtype = _npy_header(stream)
    if not dtype.hasobject:
        stream.seek(0)
        return np.load(stream, allow_pickle=False)
    content = _PlainUnpickler(stream, encoding="latin1").load()
    if not isinstance(content, np.ndarray):
        raise pickle.UnpicklingError("the header says that it holds an array")
    return content.reshape(shape)


def _npy_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)
