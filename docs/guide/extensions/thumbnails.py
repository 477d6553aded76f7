"""A picture of each example of the playground: its pairs or its table, and its four atoms.

SVG that stands in the page itself, so that its text and lines follow the page's color scheme. The
atoms are computed by the package, not by the playground.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from html import escape
from typing import Any, Final

import numpy as np
from PIL import Image

from trifeature.data.render import render
from trifeature.data.settings import RenderSettings
from trifeature.pid import broja, gallery_table

ATOMS: Final = ("R", "U1", "U2", "S")
Table = np.ndarray[Any, np.dtype[np.float64]]

SIDE: Final = 88
"""Pixels of an image; it is shown at half of them."""
PAIRS: Final = (((3, 1, 0), (3, 4, 1)), ((7, 4, 3), (7, 6, 4)), ((1, 6, 2), (1, 1, 8)))
"""Shape, texture and color of both images: color 2 has the number of texture 1 in the first two
pairs, which keep the map of equal numbers, and another in the third."""


def table_of(preset: Mapping[str, Any]) -> Table:
    """The law p[x1, x2, y] of an example, from the package's gallery where it is there.

    Args:
        preset: As `world.examples` describes it.
    """
    if "cells" in preset:
        return np.reshape(np.asarray(preset["cells"], dtype=np.float64), preset["shape"])
    settings = {"values": preset["values"], "rate": preset["rate"]} if "values" in preset else {}
    return np.asarray(gallery_table(preset["gallery"], **settings))


def thumbnail(preset: Mapping[str, Any]) -> str:
    """The picture of an example as an SVG element.

    Args:
        preset: As `world.examples` describes it.
    """
    table = table_of(preset)
    atoms = [max(0.0, value) for value in broja(table).values]
    rate = preset.get("rate")
    left = _grid(table) if rate is None else _pairs(rate)
    spoken = ", ".join(f"{name} {_bits(x)}" for name, x in zip(ATOMS, atoms, strict=True))
    return (
        f'<svg class="thumbnail" viewBox="0 0 232 112" role="img" '
        f'aria-label="{escape(spoken)} bits">{left}{_bars(atoms)}</svg>'
    )


def _bits(value: float) -> str:
    """At most three decimals, or a whole number where it is one."""
    return f"{value:.0f}" if abs(value - round(value)) < 5e-7 else f"{value:.3f}".rstrip("0")


def _bars(atoms: list[float]) -> str:
    """Four bars on a scale of one bit, or of the largest where it is larger."""
    tallest = max(1.0, *atoms)
    pieces = ['<path class="base" d="M116 94.5H232"/>']
    for place, (name, value) in enumerate(zip(ATOMS, atoms, strict=True)):
        x, height = 120 + 28 * place, 74 * value / tallest
        pieces.append(
            f'<rect class="{name}" x="{x}" y="{94 - height:.1f}" width="22" height="{height:.1f}"/>'
            f'<text x="{x + 11}" y="{90 - height:.1f}">{_bits(value)}</text>'
            f'<text class="name" x="{x + 11}" y="107">{name}</text>'
        )
    return "".join(pieces)


def _grid(table: Table) -> str:
    """Rows are values of X1, columns of X2; in a cell the values of Y that occur there."""
    rows, columns, _ = table.shape
    step = min(24.0, 92 / rows, 92 / columns)
    left, top = (104 - step * columns) / 2, 4 + (92 - step * rows) / 2
    pieces = []
    for i in range(rows):
        for j in range(columns):
            x, y = left + step * j, top + step * i
            words = "".join(str(k) for k in np.flatnonzero(table[i, j] > 0))
            filled = "cell some" if words else "cell"
            box = f'x="{x:.1f}" y="{y:.1f}" width="{step:.1f}" height="{step:.1f}"'
            size = min(12.0, 1.6 * step / max(1, len(words)))
            pieces.append(
                f'<rect class="{filled}" {box}/><text x="{x + step / 2:.1f}" '
                f'y="{y + step / 2 + size / 3:.1f}" style="font-size:{size:.1f}px">{words}</text>'
            )
    return "".join(pieces) + '<text class="name" x="52" y="107">Y by X1 ↓ and X2 →</text>'


def _pairs(rate: float) -> str:
    """A pair that keeps the map and one that breaks it, with the share of each."""
    first, second, other = PAIRS
    share = f"{100 * rate:.3g} %", f"{100 - 100 * rate:.3g} %"
    shown = [(first, f"match: {share[0]}"), (other, f"no match: {share[1]}")]
    if rate == 1:
        shown = [(first, ""), (second, f"match: {share[0]}")]
    pieces = []
    for place, (pair, words) in enumerate(shown):
        y = 55 * place
        for column, uri in enumerate(_images(pair)):
            pieces.append(
                f'<image x="{8 + 46 * column}" y="{y}" width="42" height="42" href="{uri}"/>'
            )
        pieces.append(f'<text x="52" y="{y + 51}">{words}</text>')
    return "".join(pieces)


def _images(pair: tuple[tuple[int, int, int], ...]) -> list[str]:
    """Both images as data URIs, drawn by the package's renderer."""
    drawn = render(list(pair), 0, seed=7, settings=RenderSettings.for_canvas(SIDE))
    uris = []
    for image in drawn.permute(0, 2, 3, 1).numpy():
        file = io.BytesIO()
        Image.fromarray(image).quantize(32).save(file, "PNG", optimize=True)
        uris.append("data:image/png;base64," + base64.b64encode(file.getvalue()).decode())
    return uris
