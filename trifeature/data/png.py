"""A minimal PNG encoder for rendered images, several times faster than a general one.

Rendered images repeat themselves byte for byte, so rows are stored without a filter and compressed
with little effort. Format: W3C, PNG Specification (2003).

S pixels along the canvas.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, Final

import numpy as np
import numpy.typing as npt

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
DEPTH, RGB, NO_FILTER = 8, 2, 0
LEVEL: Final = 1
"""Effort of the compression, the least. Files are a fifth larger than Pillow's."""


def encode_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """An image as the bytes of a PNG file of three channels of eight bits.

    Args:
        pixels: uint8 [3, H, W].

    >>> encode_png(np.zeros((3, 2, 2), np.uint8))[1:4]
    b'PNG'
    """
    _, height, width = pixels.shape
    rows: npt.NDArray[Any] = np.empty((height, 1 + 3 * width), dtype=np.uint8)
    rows[:, 0] = NO_FILTER
    for channel, plane in enumerate(pixels):
        rows[:, 1 + channel :: 3] = plane
    header = struct.pack(">IIBBBBB", width, height, DEPTH, RGB, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), LEVEL)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    """Length, name, content and checksum of one chunk."""
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum
