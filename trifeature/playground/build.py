"""The playground as one HTML file: sources, sprite sheet and recorded curves put together.

The page is plain HTML, CSS and JavaScript in this folder. `build_page` inlines them with a sheet
of sprites made by our renderer and with the curves of recorded rows, so that the file opens from
the file system without a request.

S pixels along a sprite; rows are those that `comm-probe` writes.
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

import trifeature
from trifeature.data.attributes import COLOR_RGB, COLORS, SHAPES, TEXTURES
from trifeature.data.dataset import preset as data_preset
from trifeature.data.render import RenderSettings, render
from trifeature.data.storage import MANIFEST
from trifeature.errors import InputError
from trifeature.experiments.rows import preset_of
from trifeature.files import read_rows, write_atomically
from trifeature.presets import PRESETS
from trifeature.probes.names import read_protocol

Row = Mapping[str, Any]

SPRITE: Final = 80
"""Side of a sprite in pixels: sharp at the size it is shown, and 100 of them take 70 kB."""
LEVELS: Final = 16
"""Levels of opacity: four bits a pixel."""
SEED: Final = 7
COLUMNS: Final = ("R", "U1", "U2", "S")
READINGS: Final = ("S_auc", "S_balanced")
"""S read in other ways; the page uses them where all of its rows have them."""
NAMES: Final = {
    ("comm", "L_CoMM"): "CoMM",
    ("comm", "L"): "CoMM, L alone",
    ("comm", "L_i"): "CoMM, ΣL_i alone",
    ("cross", ""): "Cross",
    ("cross+self", ""): "Cross+Self",
    ("factorcl", ""): "FactorCL",
    ("infmasking", ""): "InfMasking",
    ("coral", ""): "COrAL",
    ("dropping", ""): "Asymmetric dropping",
    ("two-temperatures", ""): "CoMM, two temperatures",
    ("comm+cross", ""): "CoMM + Cross",
    ("mae", ""): "Masked autoencoder",
    ("hril", ""): "HRIL",
}
"""Names of the recorded runs, in the order they are shown; any other follows."""
SOURCES: Final = {
    "STYLE": "style.css",
    "CORE": "core.js",
    "WORLD": "world.js",
    "PAGE": "page.js",
}


def build_page(rows: Iterable[Row] = (), source: str = "") -> str:
    """The whole page.

    Args:
        rows: Recorded rows to draw curves of; the page says so where there are none.
        source: Where the rows come from, named under the curves.

    Returns:
        HTML that needs nothing but a browser.
    """
    folder = files(__package__)
    page = folder.joinpath("page.html").read_text(encoding="utf-8")
    pieces = {name: folder.joinpath(file).read_text("utf-8") for name, file in SOURCES.items()}
    pieces["DATA"] = _for_script(_data(list(rows), source))
    pieces["VERSION"] = trifeature.__version__
    # One pass: what is put in is not looked through again.
    return re.sub(r"/\*([A-Z]+)\*/", lambda found: pieces[found[1]], page)


def write_page(out: Path, rows: Path | None = None) -> Path:
    """Write the page to a file, or as index.html into a folder.

    Args:
        out: A file whose name ends in .html or .htm, or a folder.
        rows: JSON lines that `comm-probe` wrote; none for a page without recorded curves.

    Returns:
        The file written.

    Raises:
        InputError: a line of `rows` is damaged, or the folder is a data set's.
        OSError: `rows` does not exist, or `out` cannot be written.
    """
    path = out if out.suffix in {".html", ".htm"} else out / "index.html"
    if (path.parent / MANIFEST).exists():
        raise InputError(f"{path.parent} is a data set, where nothing else belongs: name another")
    recorded: list[dict[str, Any]] = []
    if rows is not None:
        rows.stat()  # a name that is mistyped is not a page without curves
        recorded = read_rows(rows)
    page = build_page(recorded, rows.name if rows else "")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, page.encode())
    return path


def _for_script(data: Mapping[str, Any]) -> str:
    """JSON that may stand inside a script element whatever its strings hold."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _data(rows: Sequence[Row], source: str) -> dict[str, Any]:
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
        "learned": learned(rows, source),
    }


# --------------------------------------------------------------------------- sprites


def sprite_opacity() -> np.ndarray[Any, np.dtype[np.float64]]:
    """The coverage of each shape with each texture: float [10, 10, S, S], 0 to 1.

    The renderer blends the color over gray by this opacity, so white images give it back and
    the page can blend any color.
    """
    attributes = [(s, t, COLORS.index("white")) for s in range(10) for t in range(10)]
    settings = RenderSettings.for_canvas(SPRITE)
    white = render(attributes, 0, seed=SEED, settings=settings)[:, 0].numpy() / 255
    opacity = (white - settings.background) / (1 - settings.background)
    return np.asarray(np.clip(opacity, 0, 1).reshape(10, 10, SPRITE, SPRITE))


def sprite_sheet() -> str:
    """A data URI of a PNG: shapes downwards, textures to the right, opacity as transparency."""
    rows = sprite_opacity().transpose(0, 2, 1, 3).reshape(10 * SPRITE, 10 * SPRITE)
    levels = np.round(rows * (LEVELS - 1)).astype(np.uint8)
    image = Image.frombytes("P", (10 * SPRITE, 10 * SPRITE), levels.tobytes())
    image.putpalette([255] * 3 * LEVELS)
    alpha = bytes(round(level * 255 / (LEVELS - 1)) for level in range(LEVELS))
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True, bits=4, transparency=alpha)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


# --------------------------------------------------------------------------- recorded curves


def learned(rows: Sequence[Row], source: str) -> dict[str, Any] | None:
    """The recorded runs of one preset, grouped for the page; None where there are none.

    Rows of validation splits, of other ways to probe and of three modalities (the page shows pairs)
    are left out. Where a file holds several presets, the one with most rows is taken; where an arm
    was run with several configurations, the one with most rows.

    Args:
        rows: As `comm-probe` writes them.
        source: The name of their file.
    """
    fit = [row for row in rows if _usable(row)]
    if not fit:
        return None
    preset = Counter(map(preset_of, fit)).most_common(1)[0][0]
    fit = [row for row in fit if preset_of(row) == preset]
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in fit:
        groups.setdefault(_arm(row), []).append(row)
    order = list(NAMES)
    arms = sorted(
        groups, key=lambda arm: (arm[2] != "", order.index(arm[:2]) if arm[:2] in order else 99)
    )
    pairs = Counter(row.get("test_pairs") or 0 for row in fit).most_common(1)[0][0]
    kept = [_one_configuration(groups[arm]) for arm in arms]
    readings = [c for c in READINGS if all(_is_number(row.get(c)) for g in kept for row in g)]
    return {
        "preset": PRESETS[preset].words if preset in PRESETS else f"{preset} preset",
        "classes": data_preset(preset).textures if preset in PRESETS else 10,
        "pairs": pairs or 4096,
        "source": source,
        "rows": sum(len(group) for group in kept),
        "readings": readings,
        "arms": [
            _arm_data(arm, group, (*COLUMNS, *readings))
            for arm, group in zip(arms, kept, strict=True)
        ],
    }


def _usable(row: Row) -> bool:
    return (
        not row.get("validation")
        and "U3" not in row
        and read_protocol(row.get("probing", "ours")) == "ours"
        and all(_is_number(row.get(column)) for column in COLUMNS)
        and {"preset", "method", "seed", "epoch", "biased"} <= row.keys()
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _arm(row: Row) -> tuple[str, str, str]:
    """Method, loss (of CoMM; the others have one) and setting."""
    loss = row.get("loss", "L_CoMM") if row["method"] == "comm" else ""
    return row["method"], loss, row.get("setting") or ""


def _one_configuration(rows: Sequence[Row]) -> list[Row]:
    """The rows of the length and encoder that most rows share."""

    def configuration(row: Row) -> tuple[object, object]:
        return row.get("epochs"), row.get("encoder")

    most = Counter(map(configuration, rows)).most_common(1)[0][0]
    return [row for row in rows if configuration(row) == most]


def _arm_data(
    arm: tuple[str, str, str], rows: Sequence[Row], columns: Sequence[str]
) -> dict[str, Any]:
    method, loss, setting = arm
    name = NAMES.get((method, loss), " ".join(part for part in (method, loss) if part))
    first = rows[0]
    words = [
        f"method {method}",
        *([f"loss {loss}"] if loss else []),
        *([f"encoder {first['encoder']}"] if "encoder" in first else []),
        *([f"{first['epochs']} epochs"] if "epochs" in first else []),
    ]
    return {
        "id": re.sub(r"[^\w+.]+", "-", "-".join(part for part in arm if part)),
        "label": f"{name}, {setting}" if setting else name,
        "words": ", ".join(words),
        "biased": _runs([row for row in rows if row["biased"]], columns),
        "unbiased": _runs([row for row in rows if not row["biased"]], columns),
    }


def _runs(rows: Sequence[Row], columns: Sequence[str]) -> list[dict[str, Any]]:
    """One record a seed: its epochs in order and each of the columns beside them.

    A row repeated for the same seed and epoch replaces the one before it.
    """
    seeds: dict[int, dict[int, Row]] = {}
    for row in rows:
        seeds.setdefault(row["seed"], {})[row["epoch"]] = row
    return [
        {
            "seed": seed,
            "key": str(next(iter(found.values())).get("key", "")),
            "epochs": sorted(found),
            **{c: [round(found[epoch][c], 4) for epoch in sorted(found)] for c in columns},
        }
        for seed, found in sorted(seeds.items())
    ]
