"""`trifeature data`: the sets of real data, how to get their files, whether these are right."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from trifeature.cli.common import BAD_INPUT, JsonOption, print_json, print_table, say, warn_red
from trifeature.cli.program import App

if TYPE_CHECKING:
    from trifeature.real.catalog import FoundFile, Source
    from trifeature.samples import Samples

app = App("Real data: what there is, how to get it, and whether it is here.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A set; `data list` lists them.")]


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the sets of real data, and which are here."""
    from trifeature.real.catalog import SOURCES

    rows = [_described(source) for source in SOURCES.values()]
    if as_json:
        print_json(rows)
        return
    columns = ["set", "here", "what", "samples"]
    cells = [
        [row["name"], "yes" if row["folder"] else "no", row["title"], row["count"]] for row in rows
    ]
    print_table("sets of real data", columns, cells, text=columns[1:])
    say("`trifeature data how NAME`: what is in one, its license, and how to get it")


@app.command()
def how(name: NameArgument, as_json: JsonOption = False) -> None:
    """Say where a set comes from and how to get it, a step a line."""
    from trifeature.real.catalog import HOME, source_of

    source = source_of(name)
    row = _described(source)
    if as_json:
        print_json(row)
        return
    say(f"[bold]{escape(name)}[/bold]: {escape(source.title)}")
    say(f"modalities: {escape('; '.join(source.modalities))}")
    say(f"tasks: {escape('; '.join(source.tasks))}")
    say("how to get it:")
    for step in source.how:
        say(f"  {escape(step)}")
    say(f"files, together in one folder or in ${HOME}/{escape(source.stored_as or name)}:")
    for file in source.files:
        size = "" if file.size is None else f", {file.size:,} bytes"
        digest = "" if file.sha256 is None else f", SHA-256 {file.sha256}"
        say(f"  {escape(file.name)}{size}{digest}")
    say(f"license: {escape(source.license)}")
    say(f"cite: {escape(source.citation)}")
    say(f"here: {escape(row['folder'])}" if row["folder"] else "not here")


@app.command()
def check(
    name: NameArgument,
    path: Annotated[
        Path | None, typer.Argument(help="Folder with its files; by default where they may be.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare a set's files with those that were published, and read it.

    Exit code 2 if a file is missing, differs, or cannot be read.
    """
    from trifeature.real.catalog import find_source_folder, found_files, source_of

    folder = find_source_folder(name, path)
    files = found_files(name, folder)
    wrong = any(file.differs for file in files)
    source = source_of(name)
    samples = None if wrong else source.read(folder, source.options_of())
    if as_json:
        print_json(_checked(folder, files, samples))
    else:
        _print_files(name, files, {file.name for file in source.files if file.sha256})
    if samples is None:
        first = next(file for file in files if file.differs)
        warn_red(f"{first.path} is not the file that was published: {first.differs}")
        raise typer.Exit(BAD_INPUT)
    if not as_json:
        sizes = ", ".join(f"{key} {size:,}" for key, size in _sizes(samples).items())
        say(f"readable from {escape(str(folder))}: {sizes} samples")


def _described(source: Source) -> dict[str, Any]:
    """What is known of a set, and the folder where it is, or None."""
    folder = source.found()
    words = ("name", "title", "modalities", "tasks", "count", "license", "citation", "how")
    return {
        **{key: getattr(source, key) for key in (*words, "requirement")},
        "files": [asdict(file) for file in source.files],
        "folder": None if folder is None else str(folder),
    }


def _sizes(samples: Samples) -> dict[str, int]:
    return {name: len(one) for name, one in samples.sets.items()}


def _checked(folder: Path, files: list[FoundFile], samples: Samples | None) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "files": [
            {"name": x.name, "size": x.size, "sha256": x.sha256, "differs": x.differs or None}
            for x in files
        ],
        "samples": None if samples is None else _sizes(samples),
    }


def _print_files(name: str, files: list[FoundFile], known: set[str]) -> None:
    cells = [
        [
            file.name,
            f"{file.size:,}",
            file.sha256[:16],
            file.differs or ("as published" if file.name in known else "not known before"),
        ]
        for file in files
    ]
    columns = ["file", "bytes", "SHA-256", "content"]
    print_table(f"files of {name}", columns, cells, text=["SHA-256", "content"])
