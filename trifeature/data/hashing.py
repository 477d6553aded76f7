"""Random numbers by hashing: a stream for each key, the same in any order and any batch.

N keys. A generator would tie an item's numbers to those drawn before it; a hash ties them to the
item alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]

GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
"""SplitMix64's step from one output to the next: 2⁶⁴ over the golden ratio."""


def mix64(values: Keys) -> Keys:
    """The finalizer of SplitMix64 (Steele, Lea & Flood 2014), a bijection that mixes the bits."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def word_keys(words: Iterable[str]) -> Keys:
    """A hash of each word: the first 64 bits of its SHA-256."""
    first = [hashlib.sha256(word.encode()).digest()[:8] for word in words]
    return np.array([int.from_bytes(eight, "big") for eight in first], dtype=np.uint64)


def stream_keys(columns: Keys, start: int) -> Keys:
    """A hash [N] of the columns [C, N] that begins with the number `start`."""
    keys = np.full(columns.shape[1], start % 2**64, dtype=np.uint64)
    for column in columns:
        keys = mix64(keys + GOLDEN) + column
    return mix64(keys)


def uniforms(keys: Keys, count: int) -> npt.NDArray[np.float64]:
    """`count` numbers uniform in [0, 1) for each key, the outputs 1 … `count` of SplitMix64.

    Returns:
        float64 [`count`, N].
    """
    counters = np.arange(1, count + 1, dtype=np.uint64) * GOLDEN
    bits = mix64(keys[None, :] + counters[:, None])
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
