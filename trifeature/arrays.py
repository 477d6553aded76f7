"""Items of modalities from arrays, lists and texts as people have them: the one conversion.

Absent numbers become NaN. Steps of a series or of tokens that are absent are left out: the steps
after them move up, and the end of the item is filled with NaN.

P samples, T steps, F features.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.checks import as_array, require_whole
from trifeature.errors import InputError, check_name
from trifeature.modality import KINDS

Array = npt.NDArray[Any]
BoolArray = npt.NDArray[np.bool_]

WORD: Final = re.compile(r"\w+(?:['’]\w+)*")
"""A word of a text: letters, digits and underscores, with apostrophes inside."""

MOST_WORDS: Final = 10_000
"""Size of a vocabulary that is made of texts: the most frequent words of the training samples."""

UNKNOWN: Final = "?"
"""Name of the entry of a vocabulary that stands for every other word; no word is called so."""


@dataclass(frozen=True, eq=False)
class Items:
    """The items of one modality.

    Attributes:
        kind: Name of their kind, a key of `trifeature.modality.KINDS`.
        values: [P, *shape], NaN where absent: uint8 or float32 images; of other kinds float32
            where they were given as that or shorter, else float64.
        vocabulary: Number of different tokens; None for other kinds.
        words: The vocabulary of texts; empty if the items are no texts.
        texts: The words of each text that is still to be coded, None for an absent one.
    """

    kind: str
    values: Array
    vocabulary: int | None = None
    words: tuple[str, ...] = ()
    texts: Sequence[Sequence[str] | None] = ()

    def __len__(self) -> int:
        return len(self.texts) or len(self.values)

    def coded(self, train: npt.NDArray[np.int64]) -> Items:
        """Texts as tokens, by the words of the training samples; other items as they are."""
        if not self.texts:
            return self
        counts = Counter(word for p in train.tolist() for word in self.texts[p] or ())
        known = sorted(counts, key=lambda word: (-counts[word], word))[:MOST_WORDS]
        places = {word: place for place, word in enumerate(known, start=1)}
        ids = [None if t is None else [places.get(word, 0) for word in t] for t in self.texts]
        words = (UNKNOWN, *known)
        return replace(
            self, values=padded_tokens(ids), vocabulary=len(words), words=words, texts=()
        )


def read_items(
    name: str,
    values: Any,
    kind: str | None = None,
    present: Any = None,
    vocabulary: int | None = None,
) -> Items:
    """Convert the items of one modality.

    Args:
        name: Name of the modality, for messages.
        values: [P, *shape]; a list of P arrays of different lengths [T_p, F] or [T_p]; or P texts.
            None in a list of items or numbers stands for an absent item.
        kind: Kind of the modality; None to tell it from the shape.
        present: bool [P], or of a kind with steps [P, T]: False where the values stand for nothing.
        vocabulary: Number of different tokens; None for one more than the greatest.

    Raises:
        InputError: values that are no numbers, are not finite, or fit no kind.
    """
    if kind is not None:
        check_name("kind of modality", kind, KINDS)
    if kind in (None, "tokens") and (texts := _texts(values)) is not None:
        if vocabulary is not None:
            raise InputError(f"modality {name!r}: the vocabulary of texts is made of their words")
        return _items_of_texts(name, texts, present)
    ragged = _ragged(values)
    array, shown = _padded(name, values) if ragged else (_as_numbers(name, values), None)
    kind, array = _of_kind(name, kind, array)
    if shown is not None and not KINDS[kind].steps:
        shown = _whole_items(name, array, shown)
    if present is not None:
        steps = array.shape[: 2 if KINDS[kind].steps else 1]
        given = _mask(name, present, steps)
        given = given if given.ndim == len(steps) else np.broadcast_to(given[:, None], steps)
        shown = given if shown is None else given & shown
    return _checked(name, kind, array, shown, vocabulary)


def _of_kind(name: str, kind: str | None, array: Array) -> tuple[str, Array]:
    """The kind of items, and the items with all dimensions of their kind."""
    kind = kind or ("vector" if array.ndim == 1 else _kind_of(name, array))
    if kind == "image" and array.ndim == 3:
        array = array[:, None]  # one channel
    elif (kind, array.ndim) in (("series", 2), ("vector", 1)):
        array = array[..., None]  # one feature
    if array.ndim != KINDS[kind].dimensions + 1:
        raise InputError(
            f"modality {name!r}: an item of kind {kind} has {KINDS[kind].dimensions} dimensions, "
            f"not shape {list(array.shape[1:])}"
        )
    if not array.size:
        empty = f"has items of shape {list(array.shape[1:])}: each dimension must be at least 1"
        raise InputError(f"modality {name!r} {empty if len(array) else 'holds no samples'}")
    return kind, array


def _whole_items(name: str, array: Array, shown: BoolArray) -> BoolArray:
    """Which items are present, [P]: without steps, they are absent altogether or not at all."""
    parts = shown.reshape(len(shown), -1)  # a list of numbers has no steps
    if (parts.any(1) != parts.all(1)).any():
        kinds = ("tokens", "series") if _identifiers(array) else ("series", "tokens")
        choices = " or ".join(f'kinds={{{name!r}: "{kind}"}}' for kind in kinds)
        raise InputError(
            f"modality {name!r} has items of different lengths, which series of measured numbers "
            "and tokens may have" + (f": say which, {choices}" if array.ndim == 2 else "")
        )
    return np.asarray(parts.any(1))


def padded_tokens(ids: Sequence[Sequence[int] | None]) -> npt.NDArray[np.float64]:
    """Tokens [P, T] of lists of identifiers, NaN at the end of shorter ones; T is at least 1."""
    longest = max((len(one) for one in ids if one is not None), default=0)
    table = np.full((len(ids), max(1, longest)), np.nan)
    for row, one in zip(table, ids, strict=True):
        row[: len(one or ())] = one or ()
    return table


# --------------------------------------------------------------------------- texts


def _texts(values: Any) -> list[str | None] | None:
    """The texts, or None if these are no texts."""
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        return None
    if getattr(values, "ndim", 1) != 1:
        return None
    arrow = hasattr(values, "to_pylist")  # its cells are scalars of its own
    cells: list[Any] = values.to_pylist() if arrow else list(values)
    if not any(isinstance(cell, str) for cell in cells):
        return None
    missing = [_missing(cell) for cell in cells]
    if any(not m and not isinstance(c, str) for m, c in zip(missing, cells, strict=True)):
        return None
    return [None if m else str(c) for m, c in zip(missing, cells, strict=True)]


def _items_of_texts(name: str, texts: Sequence[str | None], present: Any) -> Items:
    """The words of the texts that are present."""
    shown = [True] * len(texts) if present is None else _mask(name, present, (len(texts),))
    words = [
        _words(text) if text is not None and here else None
        for text, here in zip(texts, shown, strict=True)
    ]
    return Items("tokens", np.empty(0), texts=words)


def _missing(cell: Any) -> bool:
    """Whether a cell of a column is missing; pandas has its own value for it."""
    nan = isinstance(cell, float) and cell != cell  # noqa: PLR0124
    return cell is None or nan or type(cell).__name__ == "NAType"


def _words(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return WORD.findall(text.lower())


# --------------------------------------------------------------------------- numbers


def _ragged(values: Any) -> bool:
    """Whether these are items of different lengths, or some items or numbers are None."""
    objects = isinstance(values, np.ndarray) and values.dtype.kind == "O"
    if not isinstance(values, list | tuple) and not objects:
        return False
    cells = list(values)
    lengths = {len(cell) for cell in cells if hasattr(cell, "__len__")}
    return len(lengths) > 1 or any(cell is None for cell in cells)


def _padded(name: str, values: Iterable[Any]) -> tuple[Array, BoolArray]:
    """Items [P, T, …], zeros where absent, and which steps are present, bool [P, T].

    Of a list of numbers, both are [P].
    """
    items = [None if one is None else _as_numbers(name, one) for one in values]
    # An empty list tells no features.
    known = [one for one in items if one is not None and one.shape != (0,)] or [np.zeros(0)]
    flat = {not one.ndim for one in items if one is not None}
    if len({one.shape[1:] for one in known}) != 1 or len(flat) > 1:
        raise InputError(f"modality {name!r} has items that differ in more than their length")
    if True in flat:
        here = np.array([one is not None for one in items])
        numbers = np.zeros(len(items), np.result_type(*known))
        numbers[here] = known
        return numbers, here
    steps = max(len(one) for one in known)
    shape = (len(items), max(1, steps), *known[0].shape[1:])
    array = np.zeros(shape, np.result_type(*known))
    shown = np.zeros(shape[:2], np.bool_)
    for p, one in enumerate(items):
        length = 0 if one is None else len(one)
        if one is not None and length:
            array[p, :length] = one
        shown[p, :length] = True
    return array, shown


def _as_numbers(name: str, values: Any) -> Array:
    array = as_array(values, f"modality {name!r}")
    if array.dtype.kind == "O":  # a data frame with columns of Booleans, say
        array = _of_objects(name, array)
    if array.dtype.kind not in "biuf":
        what = ", or one text a sample" if array.dtype.kind in "SU" else ""
        raise InputError(f"modality {name!r} must hold numbers{what}, not {array.dtype}")
    return array


def _of_objects(name: str, array: Array) -> Array:
    """Numbers of different types as float64, NaN where one is missing."""
    lacking = np.array([_missing(one) for one in array.flat]).reshape(array.shape)
    for one in array[~lacking]:
        if not isinstance(one, Real | np.bool_):
            raise InputError(f"modality {name!r} must hold numbers, not {one!r:.40}")
    return np.where(lacking, np.nan, array).astype(np.float64)


def _kind_of(name: str, array: Array) -> str:
    """The one kind whose items have as many dimensions; tokens only if they are asked for."""
    fitting = [
        kind.name
        for kind in KINDS.values()
        if kind.dimensions == array.ndim - 1 and not kind.identifiers
    ]
    if len(fitting) != 1:
        raise InputError(
            f"modality {name!r}: items of shape {list(array.shape[1:])} are of no kind, or of "
            f"several: say which, kinds={{{name!r}: …}} (one of {', '.join(KINDS)})"
        )
    return fitting[0]


def _mask(name: str, present: Any, shape: tuple[int, ...]) -> BoolArray:
    """`present` as bool, of the given shape or of its first dimension alone."""
    mask = as_array(present, f"modality {name!r}: `present`")
    if mask.shape not in (shape, shape[:1]) or not np.isin(mask, (0, 1)).all():
        raise InputError(
            f"modality {name!r}: `present` must be Booleans of shape {list(shape)}, not "
            f"{mask.dtype} of {list(mask.shape)}"
        )
    return mask.astype(np.bool_)


def _checked(
    name: str, kind: str, array: Array, shown: BoolArray | None, vocabulary: int | None
) -> Items:
    """Checked values with NaN where absent."""
    whole = shown is None or bool(shown.all())
    known = array if whole else array[shown]
    if array.dtype.kind == "f" and not np.isfinite(known).all():
        raise InputError(
            f"modality {name!r} holds values that are missing or not finite: fill them, or mark "
            f"what is absent, present={{{name!r}: …}}"
        )
    if kind == "image":
        _check_pixels(name, known)
    if KINDS[kind].identifiers:
        vocabulary = _vocabulary(name, known, vocabulary)
    elif vocabulary is not None:
        raise InputError(f"modality {name!r} of kind {kind} has no vocabulary")
    if whole:
        wanted = np.uint8 if kind == "image" and array.dtype == np.uint8 else _floating(kind, array)
        # A copy of arrays that cannot be written: tensors can.
        return Items(kind, np.require(array, wanted, ["C", "W"]), vocabulary)
    assert shown is not None  # noqa: S101 - else it is whole
    return Items(kind, _with_nan(kind, array, shown), vocabulary)


def _with_nan(kind: str, array: Array, shown: BoolArray) -> Array:
    """Floating items with NaN where absent; present steps come first, in their order."""
    scale = 255 if array.dtype == np.uint8 and kind == "image" else 1  # uint8 cannot hold NaN
    values: Array = np.divide(array, scale, dtype=_floating(kind, array))
    values[~shown] = np.nan
    if shown.ndim == 1 or (shown[:, :-1] >= shown[:, 1:]).all():
        return values
    order = np.argsort(~shown, axis=1, kind="stable")
    return values[np.arange(len(values))[:, None], order]


def _floating(kind: str, array: Array) -> Any:
    """float32, or float64 for numbers that would lose digits before they are standardized."""
    short = array.dtype.kind == "f" and array.dtype.itemsize <= 4
    return np.float32 if short or kind == "image" else np.float64


def _identifiers(known: Array) -> bool:
    """Whether numbers can be tokens: whole numbers from 0."""
    return bool(((known == np.floor(known)) & (known >= 0)).all())


def _vocabulary(name: str, known: Array, given: int | None) -> int:
    """Number of different tokens; identifiers are whole numbers from 0."""
    least, most = (known.min(), known.max()) if known.size else (0, 0)
    if not _identifiers(known):
        raise InputError(f"modality {name!r}: tokens are whole numbers from 0, not {least:g}")
    size = int(most) + 1 if given is None else require_whole("vocabulary", given, 1)
    if most >= size:
        raise InputError(f"modality {name!r}: token {int(most)} is outside a vocabulary of {size}")
    return size


def _check_pixels(name: str, array: Array) -> None:
    """Images are uint8, or floating in [0, 1], and have their channels in front."""
    if array.shape[-1] in (1, 3, 4) and array.shape[-3] > 4:
        raise InputError(
            f"modality {name!r}: images are [P, C, H, W], but items of {list(array.shape[-3:])} "
            "seem to have their channels last: use .transpose(0, 3, 1, 2)"
        )
    if array.dtype.kind == "f":
        if array.size and not 0 <= array.min() <= array.max() <= 1:
            raise InputError(
                f"modality {name!r}: floating images lie in [0, 1], not in "
                f"[{array.min():g}, {array.max():g}]; uint8 images in [0, 255]"
            )
    elif array.dtype != np.uint8:
        raise InputError(f"modality {name!r}: images are uint8 or floating, not {array.dtype}")
