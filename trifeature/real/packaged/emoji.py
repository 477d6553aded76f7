"""Emoji: the picture and the name of each, and the group and subgroup that Unicode puts it into.

Two files: the font Noto Color Emoji, whose pictures of 136 × 128 pixels are drawn by Pillow, and
Unicode's `emoji-test.txt`, with lines `CODE POINTS ; STATUS # CHARACTERS EVERSION NAME` below
comments that begin groups and subgroups. Read are the fully qualified ones without a skin tone.

Many emoji are variants of one another: a health worker, a woman who is one, a man who is one, and
each in five skin tones. Variants of one emoji are never on both sides of the split: a group of
samples is what remains without skin tones, genders and presentation.

S pixels along a side.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.checks import require_flag, require_number, require_whole
from trifeature.errors import InputError
from trifeature.real.packaged.tables import split_by_class
from trifeature.real.source import find_file
from trifeature.samples import Samples

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

FONT: Final = "fonts/truetype/noto/NotoColorEmoji.ttf"
NAMES: Final = "unicode/emoji/emoji-test.txt"

SIZE: Final = 109
"""The one size at which the font holds pictures."""

PICTURE: Final = (136, 128)
"""Width and height of a picture at this size."""

LINE: Final = re.compile(r"([0-9A-F ]+);\s*([\w-]+)\s*#\s*\S+\s+E\d+\.\d+\s+(.+)")
TONES: Final = frozenset(range(0x1F3FB, 0x1F400))
UNSEEN: Final = TONES | {0x200D, 0xFE0F, 0x2640, 0x2642}
"""Skin tones, the joiner, the presentation as a picture, and the signs of woman and man."""

PERSONS: Final = {
    **dict.fromkeys((0x1F468, 0x1F469), 0x1F9D1),
    **dict.fromkeys((0x1F466, 0x1F467), 0x1F9D2),
    **dict.fromkeys((0x1F474, 0x1F475), 0x1F9D3),
}
"""Man and woman are a person, boy and girl a child, old man and old woman an older person."""


@dataclass(frozen=True)
class Emoji:
    """An emoji of the list.

    Attributes:
        text: Its characters.
        name: Its English name.
        group: Group that Unicode puts it into.
        subgroup: Subgroup of the group.
    """

    text: str
    name: str
    group: str
    subgroup: str

    @property
    def base(self) -> str:
        """What all its variants of skin tone and gender have in common."""
        codes = [PERSONS.get(ord(x), ord(x)) for x in self.text if ord(x) not in UNSEEN]
        return "".join(map(chr, codes)) or self.text


@dataclass(frozen=True)
class EmojiOptions:
    """How emoji are drawn and split.

    Attributes:
        side: Pixels along a side of the picture.
        tones: Read the variants of skin tone too: 3,655 emoji in all.
        test_fraction: Fraction of the emoji of each subgroup to test on; variants count once.
        seed: Seed of the split.

    Raises:
        InputError: a value is wrong.
    """

    side: int = 32
    tones: bool = False
    test_fraction: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        require_whole("side", self.side, 8, 128)
        require_flag("tones", self.tones)
        require_number("test_fraction", self.test_fraction, above=0, below=1)
        require_whole("seed", self.seed, 0)


def read_emoji(folder: Path, options: EmojiOptions) -> Samples:
    """Draw the emoji and read their names as samples of an image and tokens.

    Args:
        folder: Folder with both files.
        options: Size and split.

    Returns:
        Samples with the tasks `group` and `subgroup`, whose groups are emoji with their variants.

    Raises:
        InputError: a file is missing or is no such font or list, or this Pillow cannot draw emoji
            of several characters.
    """
    listed = list(read_list(find_file(folder, NAMES)))
    chosen = [x for x in listed if options.tones or not TONES & set(map(ord, x.text))]
    if not chosen:
        raise InputError(f"{find_file(folder, NAMES)} lists no emoji")
    bases = np.array([one.base for one in chosen])
    subgroups = np.array([one.subgroup for one in chosen])
    return Samples.from_arrays(
        {
            "image": draw(find_file(folder, FONT), [x.text for x in chosen], options.side),
            "name": [x.name for x in chosen],
        },
        {"group": [x.group for x in chosen], "subgroup": subgroups},
        groups=bases,
        splits=split_by_class(subgroups, bases, options.test_fraction, options.seed),
    )


def read_list(path: Path) -> Iterator[Emoji]:
    """The fully qualified emoji of `emoji-test.txt`, in its order.

    Raises:
        InputError: the file cannot be read, or a line is none of its format.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise InputError(f"{path} cannot be read: {problem}") from None
    group = subgroup = ""
    for number, line in enumerate(lines, 1):
        if line.startswith("# group:"):
            group = line.removeprefix("# group:").strip()
        elif line.startswith("# subgroup:"):
            subgroup = line.removeprefix("# subgroup:").strip()
        elif line and not line.startswith("#"):
            found = LINE.fullmatch(line.strip())
            if not found or not subgroup:
                raise InputError(f"{path}, line {number} is not of the format of emoji-test.txt")
            codes, status, name = found.groups()
            if status == "fully-qualified":
                text = "".join(chr(int(code, 16)) for code in codes.split())
                yield Emoji(text, name, group, subgroup)


def draw(font: Path, texts: Sequence[str], side: int) -> npt.NDArray[np.uint8]:
    """Draw emoji on white, scaled to a square: uint8 [P, 3, S, S].

    Args:
        font: The font's file.
        texts: P emoji.
        side: S.

    Raises:
        InputError: the file is no font of colored pictures, lacks an emoji, or this Pillow cannot
            draw emoji of several characters.
    """
    loaded = _font(font)
    pictures = np.empty((len(texts), 3, side, side), np.uint8)
    for place, text in enumerate(texts):
        pictures[place] = _picture(loaded, font, text, side)
    return pictures


def _font(path: Path) -> FreeTypeFont:
    from PIL import ImageFont, features  # noqa: PLC0415 - only to draw

    if not features.check("raqm"):
        raise InputError(
            "this Pillow lacks Raqm, without which emoji of several characters are drawn apart: "
            "install Pillow from a wheel"
        )
    try:
        return ImageFont.truetype(path, SIZE, layout_engine=ImageFont.Layout.RAQM)
    except OSError as problem:
        raise InputError(f"{path} is no font that can be read at size {SIZE}: {problem}") from None


def _picture(font: FreeTypeFont, path: Path, text: str, side: int) -> npt.NDArray[Any]:
    """One emoji on white, uint8 [3, S, S]."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 - only to draw

    width, height = PICTURE
    drawn = Image.new("RGBA", PICTURE, (255, 255, 255, 0))
    ImageDraw.Draw(drawn).text((0, 0), text, "black", font=font, embedded_color=True)
    if drawn.getbbox() is None:
        raise InputError(f"{path} does not draw {text!a}")
    square = Image.new("RGB", (width, width), "white")
    square.paste(drawn, (0, (width - height) // 2), drawn)
    return np.asarray(square.resize((side, side), Image.Resampling.BOX)).transpose(2, 0, 1)
