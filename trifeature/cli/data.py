"""`trifeature`: make, check and look at data sets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from trifeature.cli.common import (
    BAD_INPUT,
    JsonOption,
    bold,
    print_json,
    print_table,
    say,
    show_version_option,
    warn_red,
)
from trifeature.cli.datasets import default_folder, make
from trifeature.cli.options import RowsOption, options_of, pick, with_options
from trifeature.cli.pid import app as pid_app
from trifeature.cli.playground import playground
from trifeature.cli.program import App
from trifeature.data.attributes import ATTRIBUTES, VALUES
from trifeature.data.gates import Gate
from trifeature.data.pairs import PairRule
from trifeature.data.settings import CaptionSettings, DatasetSettings, RenderSettings, preset
from trifeature.errors import InputError

app = App("Trifeature pairs with known redundancy, uniqueness and synergy.")
app.add_typer(pid_app, name="pid")
app.command()(playground)
app.callback()(show_version_option)

BARE: Final = "auto"


@app.command()
@with_options(
    *options_of(DatasetSettings, without=["match_rate", "synergy_map"]),
    *options_of(PairRule, without=["synergy"]),
    *options_of(RenderSettings),
    *options_of(CaptionSettings),
)
def generate(
    out: Annotated[Path | None, typer.Argument(help="Folder to make; data/… by default.")] = None,
    preset_name: Annotated[
        str, typer.Option("--preset", help="paper, fast (112 px) or quick (32 px, 5 values).")
    ] = "paper",
    synergy_map: Annotated[
        str | None,
        typer.Option(
            help="Bias the training pairs by a map of textures to colors. Bare: drawn from the "
            "seed. Or --synergy-map=identity, =random:SEED, =stripes=red,dots=green,… or "
            "=FILE.json.",
            metavar="[=MAP]",
        ),
    ] = None,
    match_rate: Annotated[
        float | None, typer.Option(help="Share of training pairs that keep the map [default: 1].")
    ] = None,
    synergy: Annotated[
        str, typer.Option(help="Attributes that the map links: of image 1, of the others.")
    ] = "texture,color",
    device: Annotated[str | None, typer.Option(help="cpu or cuda.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a data set that is there.")] = False,
    **changes: Any,
) -> None:
    """Render a data set into a folder: images, pairs, labels, settings, checksums.

    With --synergy-map the training pairs are biased: they keep the map. Probe and test pairs
    never are.
    """
    uses_map = Gate.read(changes.get("gate", "match")).uses_map
    if uses_map and synergy_map is None and match_rate is not None:
        raise InputError("--match-rate says how often the map is kept: add --synergy-map")
    if not uses_map and synergy_map is not None:
        raise InputError(
            f"gate {changes['gate']} has no map: --match-rate alone biases the training pairs"
        )
    if synergy_map == "":
        raise InputError("--synergy-map= names no map: leave out the = for one from the seed")
    if out is not None and re.fullmatch(
        r"identity|random:\d+|\w+=\w+(,\w+=\w+)*,?|.*\.json", str(out)
    ):
        raise InputError(f"to use the map {str(out)!r}, write --synergy-map={out}")
    first, _, others = synergy.partition(",")
    if synergy_map is not None and match_rate is None:
        match_rate = 1.0
    settings = preset(
        preset_name,
        rule=PairRule(synergy=(first, others), **pick(changes, PairRule)),
        render=_render_settings(preset_name, **pick(changes, RenderSettings)),
        caption=CaptionSettings(**pick(changes, CaptionSettings)),
        match_rate=match_rate,
        synergy_map=synergy_map or BARE,
        **pick(changes, DatasetSettings),
    )
    made = make(out or default_folder(preset_name, settings), settings, device, overwrite)
    if made.reused:
        say(f"{escape(str(made.path))} already holds exactly this data set")
    _print_summary(settings, dict(made.summary))
    say(bold(made.path))


def _render_settings(name: str, canvas: int | None = None, **changes: Any) -> RenderSettings:
    """The preset's, or those that fit the canvas, with single lengths changed."""
    base = preset(name).render if canvas is None else _for_canvas(canvas)
    return replace(base, **changes)


def _for_canvas(canvas: int) -> RenderSettings:
    if not 32 <= canvas <= 4096:
        raise InputError(f"canvas must be from 32 to 4096, not {canvas}")
    return RenderSettings.for_canvas(canvas)


def _print_summary(settings: DatasetSettings, summary: dict[str, Any]) -> None:
    rows = [
        [
            name,
            f"{part['pairs']:,}",
            f"{part['candidates']:,}",
            f"{100 * part['match_rate']:.1f} %",
            *(f"{min(counts)}–{max(counts)}" for counts in part["labels"].values()),
        ]
        for name, part in summary.items()
    ]
    tasks = settings.rule.tasks
    print_table(
        "sets of pairs; for each task the least and the most frequent label's count",
        ["set", "drawn", "out of", "keep map" if settings.synergy_map else "label 1", *tasks],
        rows,
    )
    if settings.synergy_map:
        say(f"map: {settings.synergy_map.replace(',', ', ')}")


@app.command()
def verify(path: Annotated[Path, typer.Argument(help="A data set's folder.")]) -> None:
    """Compare every file with the checksum it was written with; exit code 2 if one differs."""
    from trifeature.data import storage

    problems = storage.verify(path)
    for problem in problems:
        warn_red(problem)
    if problems:
        raise typer.Exit(BAD_INPUT)
    count = len(storage.read_manifest(path)["files"])
    say(f"{escape(str(path))}: {count:,} files, all as they were written")


@app.command()
def info(
    path: Annotated[Path, typer.Argument(help="A data set's folder.")],
    as_json: JsonOption = False,
) -> None:
    """Show a data set's settings, its map, what was drawn, and what there is to learn in bits."""
    from trifeature.data import storage

    manifest = storage.read_manifest(path)
    truth = storage.read_truth(path)
    if as_json:
        shown = {key: manifest[key] for key in manifest if key not in ("files", "checksum")}
        print_json(shown | {"truth": truth})
        return
    settings = DatasetSettings.from_json(manifest["settings"])
    content = settings.to_json()
    plain = {key: value for key, value in content.items() if not isinstance(value, dict)}
    plain.pop("synergy_map")
    for name, part in {
        "data set": plain,
        "pairs": content["rule"],
        "pixels": content["render"],
    }.items():
        words = ", ".join(f"{key} {value}" for key, value in part.items())
        say(f"[bold]{name}:[/bold] {escape(words)}")
    _print_summary(settings, manifest["summary"])
    _print_truth(truth)
    say("read from its description alone; `trifeature verify` checks the files")


def _print_truth(truth: Mapping[str, Any]) -> None:
    """The exact atoms of every task on each set of pairs, or why there are none."""
    from trifeature.pid import ATOM_NAMES

    if truth["left_out"]:
        say(f"no exact atoms: {truth['left_out']}")
        return
    for name, group in groupby(truth["rows"], key=itemgetter("set")):
        rows = list(group)
        gap = max(row["gap"] for row in rows)
        print_table(
            f"{name} pairs: exact atoms ({truth['measure']}), bits, certified to {gap:.0e}",
            ["about", "in image 1", "in image 2", "R", "U1", "U2", "S"],
            [
                # Within its certificate an atom of 0 may be -1e-16.
                [row["target"], *_sources(row), *(f"{abs(row[atom]):.3f}" for atom in ATOM_NAMES)]
                for row in rows
            ],
        )


def _sources(row: Mapping[str, Any]) -> list[str]:
    """The attributes of either image without its number, which the column's heading says."""
    return ["+".join(name.rpartition(" ")[0] for name in source) for source in row["sources"]]


@app.command()
def gallery(
    path: Annotated[
        Path | None, typer.Argument(help="A data set's folder; the preset when none is named.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Picture to write. [gallery.png, or dials.png]", dir_okay=False),
    ] = None,
    preset_name: Annotated[
        str | None, typer.Option("--preset", help="Where no folder is named. [paper]")
    ] = None,
    dials: Annotated[
        bool, typer.Option("--dials", help="Instead a sheet of every dial of the data.")
    ] = False,
) -> None:
    """Draw a labelled contact sheet of all attributes and of example pairs.

    With --dials an A3 sheet of what each dial of the data does: pairs and their atoms in bits.
    """
    from trifeature import plots, sheets
    from trifeature.data import storage

    out = out or Path("dials.png" if dials else "gallery.png")
    if out.suffix != ".png":
        raise InputError(f"the gallery is a PNG: name a file such as {out.with_suffix('.png')}")
    if dials and (path is not None or preset_name is not None):
        raise InputError("--dials shows no data set's folder or preset: leave these out")
    if path is not None and preset_name is not None:
        raise InputError("--preset is for the gallery of a preset: leave it out, or the folder")
    if dials:
        figure = sheets.dial_sheet()
    else:
        folder = path
        if folder is None:
            name = preset_name or "paper"
            settings = preset(name, match_rate=1.0)
            folder = make(default_folder(name, settings), settings).path
        figure = plots.gallery(storage.load(folder))
    for file in plots.save(figure, out, svg=False):
        say(bold(file))


@app.command()
def attributes() -> None:
    """List every shape, texture and color in the order of their labels."""
    rows = [[str(i), *(VALUES[name][i] for name in ATTRIBUTES)] for i in range(10)]
    print_table("attributes", ["label", *ATTRIBUTES], rows)


@app.command()
def bench(
    canvas: Annotated[int, typer.Option(help="Side of an image.")] = 224,
    images: Annotated[int, typer.Option(help="How many to render.")] = 500,
    device: Annotated[str | None, typer.Option(help="cpu or cuda.")] = None,
    rows: RowsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Time the renderer on one core, or on a GPU."""
    from trifeature.data.render import require_image_memory
    from trifeature.device import pick_device
    from trifeature.extra.bench.rendering import bench_rendering
    from trifeature.files import append_row

    if images < 1:
        raise InputError(f"--images must be at least 1, not {images}")
    require_image_memory(images, _for_canvas(canvas))
    row = bench_rendering(_for_canvas(canvas), images, pick_device(device))
    if rows is not None:
        append_row(rows, row)
    if as_json:
        print_json(row)
        return
    print_table(
        f"rendering at {canvas} px on {row['device']}",
        ["", "median", "least", "most"],
        [
            ["ms an image", *(f"{row[key]:.3f}" for key in ("ms", "ms_min", "ms_max"))],
            ["images a second", *(f"{1000 / row[k]:,.0f}" for k in ("ms", "ms_max", "ms_min"))],
        ],
    )
    if canvas == 224 and row["published_ratio"] is not None:
        say(
            f"the published generator needs about 270 ms of CPU an image: "
            f"{row['published_ratio']:.0f} times as much"
        )
