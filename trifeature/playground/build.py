"""The playground as one HTML file: sources, sprite sheet and recorded curves put together.

The page is plain HTML, CSS and JavaScript in this folder. `build_page` inlines them with a sheet
of sprites made by our renderer and with the curves of recorded rows, so that the file opens from
the file system without a request.

S pixels along a sprite; rows are those that `comm-probe` writes.
"""

from __future__ import annotations

import base64
import functools
import io
import json
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

import trifeature
from trifeature.data.attributes import COLOR_RGB, COLORS, SHAPES, TEXTURES
from trifeature.data.render import RenderSettings, render
from trifeature.data.storage import MANIFEST
from trifeature.errors import InputError
from trifeature.files import read_rows, require_writable_file, write_atomically
from trifeature.playground.recorded import Row, check_codes, learned

SPRITE: Final = 128
"""Side of a sprite in pixels: sharp at 240 pixels on the screen, and 100 of them take 130 kB."""
DRAWN: Final = RenderSettings(
    canvas=SPRITE,
    box=0.7 * SPRITE,
    period=0.1 * SPRITE,
    grain=0.025 * SPRITE,
    line=0.03 * SPRITE,
    max_angle=15.0,
    oversample=3,
)
"""How sprites are drawn: textures twice as coarse as a data set's, so that small ones can be told
apart, and turned less."""
LEVELS: Final = 16
"""Levels of opacity, as many as an edge needs."""
SEED: Final = 7
MARKER: Final = re.compile(r"/\*(?:FILE:(?P<file>[\w./-]+)|(?P<name>DATA|VERSION))\*/")
"""A place of page.html where a file of this folder, or one of two pieces, is put in."""


def build_page(
    rows: Iterable[Row] = (),
    source: str = "",
    codes: Iterable[Row] = (),
    codes_source: str = "",
) -> str:
    """The whole page.

    Args:
        rows: Recorded rows to draw curves of; the page says so where there are none.
        source: Where the rows come from, named under the curves.
        codes: Rows of what codes tell, as `scripts/codes.py` writes them.
        codes_source: Where these come from.

    Returns:
        HTML that needs nothing but a browser.
    """
    found = learned(list(rows), source, list(codes), codes_source)
    pieces = {"DATA": _for_script(_data(found)), "VERSION": trifeature.__version__}

    def piece(place: re.Match[str]) -> str:
        return _text_of(place["file"]) if place["file"] else pieces[place["name"]]

    # One pass: what is put in is not looked through again.
    return MARKER.sub(piece, _text_of("page.html"))


def _text_of(name: str) -> str:
    """The text of a file of this folder."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def write_page(out: Path, rows: Path | None = None, codes: Path | None = None) -> Path:
    """Write the page to a file, or as index.html into a folder.

    Args:
        out: A file whose name ends in .html or .htm, or a folder.
        rows: JSON lines that `comm-probe` wrote; none for a page without recorded curves.
        codes: JSON lines that `scripts/codes.py` wrote, drawn beside the curves of `rows`.

    Returns:
        The file written.

    Raises:
        InputError: a line of `rows` or `codes` is damaged, `codes` holds other rows or comes
            without `rows`, or the folder is a data set's.
        OSError: `rows` or `codes` does not exist, or `out` cannot be written.
    """
    path = out if out.suffix in {".html", ".htm"} else out / "index.html"
    if (path.parent / MANIFEST).exists():
        raise InputError(f"{path.parent} is a data set, where nothing else belongs: name another")
    if codes is not None and rows is None:
        raise InputError("rows of codes are drawn beside the curves of --rows: name these too")
    require_writable_file(path)
    recorded, told = _rows_of(rows), _rows_of(codes)
    if codes is not None:
        check_codes(told, codes)
    page = build_page(recorded, rows.name if rows else "", told, codes.name if codes else "")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, page.encode())
    return path


def _rows_of(path: Path | None) -> list[dict[str, Any]]:
    """The rows of a file; none without one."""
    if path is None:
        return []
    path.stat()  # a name that is mistyped is not a page without curves
    return read_rows(path)


def _for_script(data: Mapping[str, Any]) -> str:
    """JSON that may stand inside a script element whatever its strings hold."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _data(found: Mapping[str, Any] | None) -> dict[str, Any]:
    gray = round(255 * RenderSettings().background)
    return {
        "shapes": SHAPES,
        "textures": TEXTURES,
        "colors": COLORS,
        "rgb": [
            "#" + "".join(f"{round(255 * part):02x}" for part in rgb) for rgb in COLOR_RGB.values()
        ],
        "background": f"rgb({gray}, {gray}, {gray})",
        "sprites": {"tile": SPRITE, "uri": sprite_sheet()},
        "learned": found,
    }


# --------------------------------------------------------------------------- sprites


def sprite_opacity() -> np.ndarray[Any, np.dtype[np.float64]]:
    """The coverage of each shape with each texture: float [10, 10, S, S], 0 to 1.

    The renderer blends the color over gray by this opacity, so white images give it back and
    the page can blend any color.
    """
    attributes = [(s, t, COLORS.index("white")) for s in range(10) for t in range(10)]
    white = render(attributes, 0, seed=SEED, settings=DRAWN)[:, 0].numpy() / 255
    opacity = (white - DRAWN.background) / (1 - DRAWN.background)
    return np.asarray(np.clip(opacity, 0, 1).reshape(10, 10, SPRITE, SPRITE))


@functools.cache
def sprite_sheet() -> str:
    """A data URI of a lossless WebP: shapes downwards, textures to the right.

    White everywhere, with the opacity as transparency. A PNG would be a tenth larger.
    """
    rows = sprite_opacity().transpose(0, 2, 1, 3).reshape(10 * SPRITE, 10 * SPRITE)
    levels = np.round(np.round(rows * (LEVELS - 1)) * 255 / (LEVELS - 1)).astype(np.uint8)
    white = np.full((*levels.shape, 3), 255, dtype=np.uint8)
    image, file = Image.fromarray(np.dstack([white, levels])), io.BytesIO()
    image.save(file, "WEBP", lossless=True, quality=100, method=6, exact=True)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
