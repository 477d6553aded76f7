"""The commands `trifeature pid ...` of several sources and of single rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trifeature import report
from trifeature.cli.common import csv_cell, require_other_file, warn, writable_file
from trifeature.cli.pid_input import (
    BinsOption,
    FileArgument,
    LocalMeasureOption,
    MissingOption,
    SortOption,
    SourceOption,
    TargetOption,
    bins_of,
    several_sources,
    two_sources,
    write_picture,
)
from trifeature.cli.pid_output import (
    Format,
    FormatOption,
    PictureOption,
    Row,
    app,
    print_rows,
    warnings_as_lines,
)
from trifeature.errors import check_name

if TYPE_CHECKING:
    from trifeature.pid.sources.pointwise import PointwiseAtoms


@app.command()
def sources(
    file: FileArgument,
    source: SourceOption,
    target: TargetOption,
    bins: BinsOption = None,
    missing: MissingOption = None,
    output: FormatOption = Format.table,
) -> None:
    """What each of two or more sources alone adds, and what all tell only together; certified.

    The numbers are those of the rows as they are.
    """
    from trifeature.pid.sources.union import sources_report

    counts, names, about = _counts(file, source, target, missing, bins)
    found = sources_report(counts, normalize=True, sources=names, target=about)
    print_rows(found.rows(), output, f"{', '.join(names)} about {about}", digits=4)


@app.command()
def lattice(
    file: FileArgument,
    source: SourceOption,
    target: TargetOption,
    measure: Annotated[str, typer.Option(help="I_min, MMI or I_sx.")] = "I_min",
    bins: BinsOption = None,
    missing: MissingOption = None,
    output: FormatOption = Format.table,
    picture: PictureOption = None,
) -> None:
    """The lattice of two to four sources: 4, 18 or 166 atoms of the rows as they are."""
    from trifeature.pid.sources.lattice import LATTICE_MEASURES, lattice_atoms
    from trifeature.pid.sources.lattice import lattice as build_lattice
    from trifeature.pid.sources.lattice_diagram import lattice_diagram

    check_name("measure on a lattice", measure, LATTICE_MEASURES)
    build_lattice(len(source))  # refuses one source, or more than four, before a row is read
    counts, names, about = _counts(file, source, target, missing, bins)
    found = lattice_atoms(counts, measure, normalize=True, sources=names, target=about)
    print_rows(found.rows(), output, f"{', '.join(names)} about {about}", digits=4)
    if picture is not None:
        write_picture(lattice_diagram(found), picture)


@app.command()
def pointwise(
    file: FileArgument,
    source: SourceOption,
    target: TargetOption,
    measure: LocalMeasureOption = "I_sx",
    atom: SortOption = "synergy",
    top: Annotated[int, typer.Option(min=1, help="Rows with the most and the least to show.")] = 5,
    bins: BinsOption = None,
    missing: MissingOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the columns and the atoms of every row, as CSV.", callback=writable_file
        ),
    ] = None,
    output: FormatOption = Format.table,
) -> None:
    """One value of each atom for every row; shows the rows with the most and the least.

    Rows are numbered by the line of the file.
    """
    from trifeature.files import write_atomically
    from trifeature.pid.sources.pointwise import LOCAL_NAMES, pointwise_columns

    read = two_sources(file, source, target, missing)
    require_other_file(out, file)
    one, other, about = read.parts
    with warnings_as_lines():
        local = pointwise_columns(
            one,
            other,
            about,
            measure,
            bins=bins_of(bins),
            sources=read.names[:2],
            target_name=read.names[2],
        )
    values = local.columns()

    narrow = LOCAL_NAMES if output is Format.table else tuple(values)
    own = {name: column for part in read.parts for name, column in part.items()}

    def row(place: int, names: Iterable[str]) -> Row:
        cells: Row = {"row": read.found.place(place)}
        cells |= {name: str(column[place]) for name, column in own.items()}
        return cells | {name: float(values[name][place]) for name in names}

    print_rows([row(place, narrow) for place in _ends(local, top, atom)], output, digits=3)
    if out is not None:
        every = [row(place, values) for place in range(len(local.total))]
        safe = [{name: csv_cell(cell) for name, cell in one_row.items()} for one_row in every]
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, report.csv_text(safe).encode())
        warn(f"wrote {len(every)} rows to {out}")


@app.command()
def pairs(
    folder: Annotated[Path, typer.Argument(help="A Trifeature data set of two modalities.")],
    task: Annotated[
        str, typer.Option(help="The task whose label the atoms are about.")
    ] = "synergy",
    atom: SortOption = "synergy",
    measure: LocalMeasureOption = "I_sx",
    top: Annotated[int, typer.Option(min=1, max=20, help="Pairs with the most and least.")] = 6,
    output: FormatOption = Format.table,
    picture: PictureOption = None,
) -> None:
    """The test pairs of a data set that tell the most and the least about a label."""
    from trifeature.data.storage import load
    from trifeature.pair_sheet import pair_sheet
    from trifeature.pid.sources.pointwise import LOCAL_NAMES

    with warnings_as_lines():
        figure, found = pair_sheet(load(folder), task, atom, measure=measure, examples=top)
    values = {name: found.value(name) for name in LOCAL_NAMES}
    rows = [
        {"pair": str(place), **{name: float(column[place]) for name, column in values.items()}}
        for place in _ends(found, top, atom)
    ]
    print_rows(rows, output, f"test pairs by their {atom} about {found.target}", digits=3)
    if picture is not None:
        write_picture(figure, picture)


def _counts(
    file: Path, source: list[str], target: str, missing: str | None, bins: str | None
) -> tuple[Any, list[str], str]:
    """The table of counts of several sources, their names, and the target's."""
    from trifeature.pid.sources.coded import source_counts

    parts, about, values = several_sources(file, source, target, missing)
    with warnings_as_lines():
        counts = source_counts(parts, values, target_name=about, bins=bins_of(bins))
    return counts, list(parts), about


def _ends(found: PointwiseAtoms, top: int, atom: str) -> list[int]:
    """The rows with the most of an atom, then those with the least, falling; each once."""
    chosen = [*found.most(top, atom), *reversed(found.least(top, atom).tolist())]
    return list(dict.fromkeys(map(int, chosen)))
