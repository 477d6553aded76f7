"""PNGs of our own encoder: read back bit for bit by others, with nothing left to guess."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from trifeature.data.png import SIGNATURE, encode_png

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (32, 32), (7, 224)])
@pytest.mark.parametrize("kind", ["noise", "flat", "ramp"])
def test_another_reader_sees_the_same_pixels(shape: tuple[int, int], kind: str) -> None:
    pixels = {
        "noise": RNG.integers(0, 256, (3, *shape)),
        "flat": np.full((3, *shape), 127),
        "ramp": np.arange(3 * shape[0] * shape[1]).reshape(3, *shape) % 256,
    }[kind].astype(np.uint8)
    with Image.open(io.BytesIO(encode_png(pixels)), formats=("png",)) as image:
        assert (image.mode, image.size) == ("RGB", shape[::-1])
        assert np.array_equal(np.asarray(image).transpose(2, 0, 1), pixels)


def test_an_array_that_is_not_contiguous_is_read_by_its_indices() -> None:
    pixels = RNG.integers(0, 256, (5, 4, 3), dtype=np.uint8).transpose(2, 0, 1)[:, ::-1]
    with Image.open(io.BytesIO(encode_png(pixels))) as image:
        assert np.array_equal(np.asarray(image).transpose(2, 0, 1), pixels)


def test_the_file_is_three_chunks_with_their_checksums() -> None:
    content = encode_png(np.zeros((3, 2, 5), np.uint8))
    assert content.startswith(SIGNATURE)
    place, names = len(SIGNATURE), []
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        name = content[place + 4 : place + 8]
        body = content[place + 8 : place + 8 + length]
        checksum = int.from_bytes(content[place + 8 + length : place + 12 + length], "big")
        assert checksum == zlib.crc32(name + body)
        names.append(name)
        place += 12 + length
    assert names == [b"IHDR", b"IDAT", b"IEND"]
    assert place == len(content)
