"""The commands `trifeature pid ...` of several sources and of single rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import typer

from trifeature import report
from trifeature.cli.common import csv_cell, warn
from trifeature.cli.pid_input import (
    BinsOption,
    FileArgument,
    MissingOption,
    SourceOption,
    TargetOption,
    bins_of,
    read_groups,
    require_other,
    several_sources,
    single,
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
from trifeature.errors import InputError

LOCAL: Final = ("redundancy", "unique1", "unique2", "synergy", "total")


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
    from trifeature.pid.sources.coded import source_counts
    from trifeature.pid.sources.union import sources_report

    parts, about, values = several_sources(file, source, target, missing)
    with warnings_as_lines():
        counts = source_counts(parts, values, target_name=about, bins=bins_of(bins))
    found = sources_report(counts, normalize=True, sources=list(parts), target=about)
    print_rows(found.rows(), output, f"{', '.join(parts)} about {about}", digits=4)


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
    from trifeature.pid.sources.coded import source_counts
    from trifeature.pid.sources.lattice import lattice_atoms
    from trifeature.pid.sources.lattice_diagram import lattice_diagram

    parts, about, values = several_sources(file, source, target, missing)
    with warnings_as_lines():
        counts = source_counts(parts, values, target_name=about, bins=bins_of(bins))
    found = lattice_atoms(counts, measure, normalize=True, sources=list(parts), target=about)
    print_rows(found.rows(), output, f"{', '.join(parts)} about {about}", digits=4)
    if picture is not None:
        write_picture(lattice_diagram(found), picture)


@app.command()
def pointwise(
    file: FileArgument,
    source: SourceOption,
    target: TargetOption,
    measure: Annotated[
        str, typer.Option(help='I_sx, I_ccs, I_pm or "pointwise minimum".')
    ] = "I_sx",
    atom: Annotated[
        str, typer.Option(help="Sort by redundancy, unique1, unique2, synergy or total.")
    ] = "synergy",
    top: Annotated[int, typer.Option(min=1, help="Rows with the most and the least to show.")] = 5,
    bins: BinsOption = None,
    missing: MissingOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the columns and the atoms of every row, as CSV.")
    ] = None,
    output: FormatOption = Format.table,
) -> None:
    """One value of each atom for every row; shows the rows with the most and the least.

    Rows are numbered by the line of the file.
    """
    from trifeature.files import write_atomically
    from trifeature.pid.sources.pointwise import pointwise_columns

    if len(source) != 2:
        raise InputError(f"name exactly two sources with --source, got {len(source)}")
    groups, found = read_groups(file, [*source, target], missing)
    one, other, about = groups[0], groups[1], single("--target", groups[2])
    require_other(one, other, (about,))
    parts = [{name: found.columns[name] for name in group} for group in groups]
    with warnings_as_lines():
        local = pointwise_columns(
            parts[0],
            parts[1],
            parts[2],
            measure,
            bins=bins_of(bins),
            sources=("+".join(one), "+".join(other)),
            target_name=about,
        )
    values = local.columns()

    narrow = [name for name in values if name in LOCAL] if output is Format.table else list(values)

    def row(place: int, names: Iterable[str]) -> Row:
        cells: Row = {"row": found.place(place)}
        cells |= {name: str(found.columns[name][place]) for group in groups for name in group}
        return cells | {name: float(values[name][place]) for name in names}

    chosen = [*local.most(top, atom), *reversed(local.least(top, atom).tolist())]
    print_rows([row(place, narrow) for place in dict.fromkeys(map(int, chosen))], output, digits=3)
    if out is not None:
        every = [row(place, values) for place in range(len(local.total))]
        safe = [{name: csv_cell(cell) for name, cell in one_row.items()} for one_row in every]
        write_atomically(out, report.csv_text(safe).encode())
        warn(f"wrote {len(every)} rows to {out}")


@app.command()
def pairs(
    folder: Annotated[Path, typer.Argument(help="A Trifeature data set of two modalities.")],
    task: Annotated[
        str, typer.Option(help="The task whose label the atoms are about.")
    ] = "synergy",
    atom: Annotated[
        str, typer.Option(help="Sort by redundancy, unique1, unique2, synergy or total.")
    ] = "synergy",
    measure: Annotated[
        str, typer.Option(help='I_sx, I_ccs, I_pm or "pointwise minimum".')
    ] = "I_sx",
    top: Annotated[int, typer.Option(min=1, max=20, help="Pairs with the most and least.")] = 6,
    output: FormatOption = Format.table,
    picture: PictureOption = None,
) -> None:
    """The test pairs of a data set that tell the most and the least about a label."""
    from trifeature.data.storage import load
    from trifeature.pair_sheet import pair_sheet

    with warnings_as_lines():
        figure, found = pair_sheet(load(folder), task, atom, measure=measure, examples=top)
    values = {name: found.value(name) for name in LOCAL}
    chosen = [*found.most(top, atom), *reversed(found.least(top, atom).tolist())]
    rows = [
        {"pair": str(place), **{name: float(column[place]) for name, column in values.items()}}
        for place in dict.fromkeys(map(int, chosen))
    ]
    print_rows(rows, output, f"test pairs by their {atom} about {found.target}", digits=3)
    if picture is not None:
        write_picture(figure, picture)
