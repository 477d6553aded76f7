"""`trifeature`: make, check and look at data sets."""

from __future__ import annotations

import gc
import re
from collections.abc import Mapping, Sequence
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
    writable_file,
)
from trifeature.cli.datasets import default_folder, make, note_litter
from trifeature.cli.export import export
from trifeature.cli.options import RowsOption, options_of, pick, refuse_unused, with_options
from trifeature.cli.pid import app as pid_app
from trifeature.cli.playground import playground
from trifeature.cli.program import App
from trifeature.cli.real import app as real_app
from trifeature.data.attributes import ATTRIBUTES, VALUES
from trifeature.data.gates import SCENARIOS, Gate
from trifeature.data.rule import PairRule
from trifeature.data.settings import (
    CaptionSettings,
    DatasetSettings,
    RenderSettings,
    preset,
    value_names,
)
from trifeature.errors import InputError, check_name
from trifeature.files import require_writable_file

app = App("Trifeature pairs with known redundancy, uniqueness and synergy.")
app.add_typer(pid_app, name="pid")
app.add_typer(real_app, name="data")
app.command()(playground)
app.command()(export)
app.callback()(show_version_option)

BARE: Final = "auto"
BENCHES: Final = ("rendering", "generate", "stream")


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
        str,
        typer.Option(
            "--preset", help="paper, fast (112 px), laptop, quick (48 px) or tiny (5 values)."
        ),
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
    own_shape: Annotated[
        list[str] | None,
        typer.Option(help="A shape of your own: a mask file, as in heart.png or heart=FILE."),
    ] = None,
    own_texture: Annotated[
        list[str] | None, typer.Option(help="A texture: a mask file of one period.")
    ] = None,
    own_color: Annotated[
        list[str] | None, typer.Option(help="A color, as in teal=#008080.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a data set that is there.")] = False,
    **changes: Any,
) -> None:
    """Render a data set into a folder: images, pairs, labels, settings, checksums.

    With --synergy-map the training pairs are biased: they keep the map. Probe and test pairs
    never are. The dials (--share-rate, --dependence, --gate, --label-noise, --nuisance, --looks)
    have exact atoms in bits: `trifeature info` shows them, `trifeature gallery --dials` draws them.
    """
    own = {"shape": own_shape, "texture": own_texture, "color": own_color}
    changes |= _with_own_values(preset_name, own, changes)
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
    # The end of the process then collects no garbage among torch's objects: half a second. (Where
    # Triton is loaded, as in training, it would report what is left as leaks.)
    gc.freeze()


def _with_own_values(
    preset_name: str, own: Mapping[str, list[str] | None], changes: Mapping[str, Any]
) -> dict[str, str]:
    """Register values of one's own and add their names to those that were asked for."""
    if not any(own.values()):
        return {}
    from trifeature.data.own_values import register_own

    added = register_own(**{attribute: texts or [] for attribute, texts in own.items()})
    found = {}
    for attribute, names in added.items():
        given = changes.get(f"{attribute}s", preset(preset_name).counts[attribute])
        every = dict.fromkeys((*value_names(attribute, given), *names))
        found[f"{attribute}s"] = ",".join(every)
    return found


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
    note_litter(path)
    for problem in problems:
        warn_red(problem)
    if problems:
        raise typer.Exit(BAD_INPUT)
    count = len(storage.read_manifest(path)["files"])
    say(f"{escape(str(path))}: {count:,} files, all as they were written")


@app.command()
def info(
    path: Annotated[Path, typer.Argument(help="A data set's folder.")],
    picture: Annotated[
        Path | None,
        typer.Option(help="Draw the atoms into this file.", dir_okay=False, callback=writable_file),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show a data set's settings, its map, what was drawn, and what there is to learn in bits.

    The law is what the pairs are drawn from; below it stand the atoms of the pairs as drawn.
    """
    from trifeature.data import storage
    from trifeature.data.ties import target_of

    manifest = storage.read_manifest(path)
    truth = storage.read_truth(path)
    if picture is not None:
        from trifeature import plots, sheets

        storage.require_outside(picture)
        plots.write_figure(sheets.law_figure(truth), picture)
    if as_json:
        shown = {key: manifest[key] for key in manifest if key not in ("files", "checksum")}
        print_json(shown | {"truth": truth})
        return
    settings = DatasetSettings.from_json(manifest["settings"])
    content = settings.to_json()
    words = f"data set of format {manifest['format_version']}, {settings.render.drawings} drawings"
    say(words + (": not the published ones" if settings.render.drawings == "old" else ""))
    if "caption" not in settings.looks:
        content.pop("caption")
    plain = {key: value for key, value in content.items() if not isinstance(value, dict)}
    plain.pop("synergy_map")
    for name, part in {
        "data set": plain,
        "pairs": content["rule"],
        "pixels": content["render"],
        "captions": content.get("caption", {}),
    }.items():
        if not part:
            continue
        words = ", ".join(f"{key} {value}" for key, value in part.items())
        say(f"[bold]{name}:[/bold] {escape(words)}")
    _print_summary(settings, manifest["summary"])
    if scenario := SCENARIOS.get(settings.rule.scenario):
        target = target_of(settings.rule, scenario.task)
        say(f"scenario {settings.rule.scenario}: {scenario.words}, about {target}")
    _print_law(truth, [target_of(settings.rule, task) for task in settings.rule.tasks])
    _print_truth(truth)
    if picture is not None:
        say(bold(picture))
    say("read from its description alone; `trifeature verify` checks the files")


BAR: Final = 20
"""Letters of the longest bar of atoms."""


def _print_law(truth: Mapping[str, Any], targets: Sequence[str]) -> None:
    """The atoms of the law that the pairs are drawn from, each with a bar, and the facts."""
    from trifeature.pid import ATOM_NAMES

    longest = max((row["total"] for row in truth["law"]), default=0.0)
    bits = longest / BAR or 1.0
    for name, words in {"train": "training pairs", "test": "probe and test pairs"}.items():
        rows = [row for row in truth["law"] if row["set"] == name]
        if not rows:
            say(f"the law of {words} has no closed form here")
        elif "union" in rows[0]:
            _print_union(words, rows)
            if left_out := ", ".join(
                t for t in targets if t not in {row["target"] for row in rows}
            ):
                say(f"without a closed form, since several modalities tell part of it: {left_out}")
        else:
            print_table(
                f"the law of {words}: exact atoms, bits",
                ["about", "R", "U1", "U2", "S", "sources", ""],
                [
                    [
                        row["target"],
                        *(f"{abs(row[atom]):.3f}" for atom in ATOM_NAMES),
                        " | ".join(" ".join(source) for source in row["sources"]),
                        _bar([row[atom] for atom in ATOM_NAMES], "R12S", bits),
                    ]
                    for row in rows
                ],
                text=["sources", ""],
            )
    if longest and "union" not in truth["law"][0]:
        say(f"a letter of a bar is {bits:.2g} bits: R redundant, 1 and 2 unique, S synergy")
    for name, value in truth["facts"].items():
        say(f"{escape(name)}: {value:.3f} bits")


def _print_union(words: str, rows: list[Mapping[str, Any]]) -> None:
    """What more than two modalities tell: see `trifeature.data.union.closed_forms`."""
    names = [f"unique {m + 1}" for m in range(len(rows[0]["unique"]))]
    print_table(
        f"the law of {words}: closed forms, bits",
        ["about", "union", *names, "synergy", "most by two"],
        [
            [
                row["target"],
                *(f"{bits:.3f}" for bits in (row["union"], *row["unique"], row["synergy"])),
                # Data sets of format 3 written before this column was added do not hold it.
                f"{row['two']:.3f}" if "two" in row else "–",
            ]
            for row in rows
        ],
    )


def _bar(values: Sequence[float], letters: str, bits: float) -> str:
    """A letter for every so many bits; ends are rounded, so that the length is the total's."""
    bar, total = "", 0.0
    for value, letter in zip(values, letters, strict=True):
        total += max(value, 0.0)
        bar += letter * (round(total / bits) - len(bar))
    return bar


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
        typer.Option(
            help="Picture to write. [gallery.png, dials.png or opening.png]", dir_okay=False
        ),
    ] = None,
    preset_name: Annotated[
        str | None, typer.Option("--preset", help="Where no folder is named. [paper]")
    ] = None,
    dials: Annotated[
        bool, typer.Option("--dials", help="Instead a sheet of every dial of the data.")
    ] = False,
    opening: Annotated[
        bool, typer.Option("--opening", help="Instead one pair, its bits, and what models learn.")
    ] = False,
    rows: Annotated[
        Path | None,
        typer.Option(help="Of --opening: the runs' rows. [figures/quick.jsonl]", dir_okay=False),
    ] = None,
) -> None:
    """Draw a labelled contact sheet of all attributes and of example pairs.

    With --dials an A3 sheet of what each dial of the data does: pairs and their atoms in bits.
    With --opening the picture at the top of the README, from recorded rows of the quick preset.
    """
    from trifeature import plots, sheets
    from trifeature.data import storage

    kind = "dials" if dials else "opening" if opening else "gallery"
    out = out or Path(f"{kind}.png")
    if out.suffix != ".png":
        raise InputError(f"the gallery is a PNG: name a file such as {out.with_suffix('.png')}")
    if dials and opening:
        raise InputError("--dials and --opening are two pictures: give one of them")
    if kind != "gallery" and (path is not None or preset_name is not None):
        raise InputError(f"--{kind} shows no data set's folder or preset: leave these out")
    if rows is not None and not opening:
        raise InputError("--rows is for --opening: leave it out, or add --opening")
    if path is not None and preset_name is not None:
        raise InputError("--preset is for the gallery of a preset: leave it out, or the folder")
    storage.require_outside(out)
    require_writable_file(out)
    if dials:
        figure = sheets.dial_sheet()
    elif opening:
        from trifeature.experiments.opening import opening_figure

        figure = opening_figure(rows)
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
    of: Annotated[
        str, typer.Option(help="rendering, generate (the whole command) or stream (on the fly).")
    ] = "rendering",
    canvas: Annotated[int | None, typer.Option(help="Side of an image. [224]")] = None,
    images: Annotated[int | None, typer.Option(help="How many to render. [500]")] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda.")] = None,
    rows: RowsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Time the renderer on one core or on a GPU, or the whole way from settings to images."""
    from trifeature.files import append_row

    check_name("bench", of, BENCHES)
    given = {"--canvas": canvas is not None, "--images": images is not None}
    if of != "rendering":
        refuse_unused({"--device": device is not None}, "goes with --of rendering")
    if of == "generate":
        refuse_unused(given, "cannot go with --of generate, which is of the paper's preset")
    row = _bench(of, 224 if canvas is None else canvas, 500 if images is None else images, device)
    if rows is not None:
        append_row(rows, row)
    if as_json:
        print_json(row)
    elif of == "rendering":
        _print_rendering(row)
    else:
        hidden = ("bench", "versions", "commit", "device")
        cells = [[key, str(value)] for key, value in row.items() if key not in hidden]
        print_table(f"{of}, {row['device']}", ["", "value"], cells)


def _bench(of: str, canvas: int, images: int, device: str | None) -> dict[str, Any]:
    """The row of a bench."""
    from trifeature.data.render import require_image_memory
    from trifeature.device import pick_device

    render = _for_canvas(canvas)
    if images < 1:
        raise InputError(f"--images must be at least 1, not {images}")
    if of == "rendering":
        from trifeature.extra.bench.rendering import bench_rendering

        require_image_memory(images, render)
        return bench_rendering(render, images, pick_device(device))
    from trifeature.extra.bench.generating import bench_generating, bench_streaming

    if of == "stream":
        return bench_streaming(preset("paper", render=render, match_rate=1.0), images)
    return bench_generating()


def _print_rendering(row: Mapping[str, Any]) -> None:
    print_table(
        f"rendering at {row['canvas']} px on {row['device']}",
        ["", "median", "least", "most"],
        [
            ["ms an image", *(f"{row[key]:.3f}" for key in ("ms", "ms_min", "ms_max"))],
            ["images a second", *(f"{1000 / row[k]:,.0f}" for k in ("ms", "ms_max", "ms_min"))],
        ],
    )
    if row["published_ratio"] is not None:
        say(
            f"the published generator needs about 270 ms of CPU an image: "
            f"{row['published_ratio']:.0f} times as much"
        )
