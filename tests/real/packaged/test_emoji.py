"""Emoji: Unicode's list, variants that stay together, and pictures drawn from a font."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import features
from real_files import installed

from trifeature.errors import InputError
from trifeature.real.catalog import find_file
from trifeature.real.packaged.emoji import FONT, NAMES, EmojiOptions, draw, read_emoji, read_list

LIST = """\
# emoji-test.txt
# Version: 15.0

# group: Smileys & Emotion

# subgroup: face-smiling
263A FE0F                                              ; fully-qualified # ☺️ E0.6 smiling face
263A                                                   ; unqualified # ☺ E0.6 smiling face
2639 FE0F                                              ; fully-qualified # ☹️ E0.7 frowning face
2620 FE0F                                              ; fully-qualified # ☠️ E1.0 skull

# group: Symbols

# subgroup: signs
2665 FE0F                                              ; fully-qualified # ♥️ E0.6 heart suit
2660 FE0F                                              ; fully-qualified # ♠️ E0.6 spade suit
2663 FE0F                                              ; fully-qualified # ♣️ E0.6 club suit
2663 1F3FB                                             ; fully-qualified # ♣🏻 E1.0 club suit: one
2666 FE0F                                              ; fully-qualified # ♦️ E0.6 diamond suit

#EOF
"""

RAQM = pytest.mark.skipif(not features.check("raqm"), reason="this Pillow lacks Raqm")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The list, and DejaVu Sans, which matplotlib ships, in the place of the font."""
    place = tmp_path_factory.mktemp("emoji")
    for name in (FONT, NAMES):
        (place / name).parent.mkdir(parents=True)
    (place / NAMES).write_text(LIST, encoding="utf-8")
    spec = find_spec("matplotlib")
    assert spec is not None
    assert spec.submodule_search_locations
    fonts = Path(spec.submodule_search_locations[0]) / "mpl-data" / "fonts" / "ttf"
    (place / FONT).write_bytes((fonts / "DejaVuSans.ttf").read_bytes())
    return place


def test_the_list_is_read_by_group_and_subgroup(folder: Path) -> None:
    listed = list(read_list(folder / NAMES))
    assert [(x.text, x.name, x.group, x.subgroup) for x in listed[:2]] == [
        ("☺️", "smiling face", "Smileys & Emotion", "face-smiling"),
        ("☹️", "frowning face", "Smileys & Emotion", "face-smiling"),
    ]
    assert [x.name for x in listed[3:]] == [
        "heart suit",
        "spade suit",
        "club suit",
        "club suit: one",
        "diamond suit",
    ]


@pytest.mark.parametrize(
    "variants",
    [
        ("🧑‍⚕️", "👩‍⚕️", "👨‍⚕️", "👩🏽‍⚕️", "🧑🏿‍⚕️"),
        ("🚴", "🚴‍♀️", "🚴🏻‍♂️"),
        ("☺️", "☺"),
        ("🧒", "👦", "👧🏼"),
        ("♀️",),
    ],
)
def test_variants_of_tone_and_gender_have_one_base(
    tmp_path: Path, variants: tuple[str, ...]
) -> None:
    lines = [
        f"{' '.join(f'{ord(x):04X}' for x in text)} ; fully-qualified # {text} E1.0 name"
        for text in variants
    ]
    path = tmp_path / "list.txt"
    path.write_text("\n".join(["# group: a", "# subgroup: b", *lines]), encoding="utf-8")
    assert len({one.base for one in read_list(path)}) == 1


@RAQM
def test_samples_have_a_picture_and_a_name(folder: Path) -> None:
    samples = read_emoji(folder, EmojiOptions(side=16))
    image, name = samples.modalities
    assert (image.kind, image.shape) == ("image", (3, 16, 16))
    assert (name.kind, name.shape) == ("tokens", (2,))
    assert [task.names for task in samples.tasks.values()] == [
        ("Smileys & Emotion", "Symbols"),
        ("face-smiling", "signs"),
    ]
    counts = {key: len(one) for key, one in samples.sets.items()}
    assert counts == {"train": 5, "probe": 5, "test": 2}
    toned = read_emoji(folder, EmojiOptions(side=16, tones=True, seed=1))
    assert sum(len(toned.sets[key]) for key in ("train", "test")) == 8
    train, test = (set(toned.sets[key].groups) for key in ("train", "test"))
    assert not train & test


@RAQM
def test_pictures_are_dark_where_the_letter_is_and_white_around(folder: Path) -> None:
    # U+2588 fills the width of its letter and U+2580 the upper half of that.
    full, upper, heart = draw(folder / FONT, ["\u2588", "\u2580", "♥️"], 32)
    assert full.shape == (3, 32, 32)
    assert full[:, 16, 6].tolist() == [0, 0, 0]
    assert (full[:, :, 31] == 255).all()
    assert upper[:, 10, 6].tolist() == [0, 0, 0]
    dark = [int((255 - one.astype(int)).sum()) for one in (full, upper, heart)]
    assert 0.4 < dark[1] / dark[0] < 0.6
    assert 0 < dark[2] < dark[0]


def test_what_cannot_be_read_is_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        list(read_list(tmp_path / "nothing.txt"))
    (tmp_path / "list.txt").write_text("# group: a\n# subgroup: b\n263A smiling face\n")
    with pytest.raises(InputError, match=r"line 3 is not of the format of emoji-test.txt"):
        list(read_list(tmp_path / "list.txt"))
    with pytest.raises(InputError, match="side must be a whole number from 8 to 128"):
        EmojiOptions(side=4)
    if features.check("raqm"):
        with pytest.raises(InputError, match="is no font that can be read at size 109"):
            draw(folder / NAMES, ["a"], 16)
        with pytest.raises(InputError, match=r"does not draw ' '"):
            draw(folder / FONT, [" "], 16)


def test_without_raqm_nothing_is_drawn_wrongly(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "check", lambda _: False)
    with pytest.raises(InputError, match="this Pillow lacks Raqm"):
        draw(folder / FONT, ["a"], 16)


@RAQM
def test_the_published_font_draws_in_color() -> None:
    font = find_file(installed("emoji"), FONT)
    middle = draw(font, ["❤️", "💚", "💙"], 32)[:, :, 16, 16]
    assert np.argmax(middle, axis=1).tolist() == [0, 1, 2]


def test_the_published_list_has_the_published_size() -> None:
    listed = list(read_list(find_file(installed("emoji"), NAMES)))
    assert len(listed) == 3655
    assert len({one.group for one in listed}) == 9
    assert len({one.subgroup for one in listed}) == 99
    plain = [x for x in listed if not any(0x1F3FB <= ord(c) < 0x1F400 for c in x.text)]
    assert len(plain) == 1870
