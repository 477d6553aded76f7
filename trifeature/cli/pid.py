"""The commands `trifeature pid ...`: a thin shell over the functions of `trifeature.pid`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from trifeature import report
from trifeature.cli.common import csv_cell, echo, print_json, print_table, warn
from trifeature.cli.program import App
from trifeature.errors import InputError, check_name
from trifeature.pid.atoms import Atoms
from trifeature.pid.bounds import synergy_bounds_of
from trifeature.pid.gallery import GALLERY, example
from trifeature.pid.measures import MEASURES, compare, decompose
from trifeature.pid.samples import SampleSizeWarning

Row = dict[str, Any]

app = App("What two sources tell about a target: redundant, unique and synergistic bits.")


class Format(StrEnum):
    """The formats of printed rows."""

    table = "table"
    json = "json"
    csv = "csv"


PICTURES: Final = (".png", ".svg", ".pdf")


def _check_picture(path: Path | None) -> Path | None:
    """Refuse a picture that could not be written, before anything is computed."""
    if path is not None and (files := [one for one in path.parents if one.is_file()]):
        raise InputError(f"--picture {path}: {files[-1]} is a file, not a folder")
    if path is not None and path.suffix.lower() not in PICTURES:
        raise InputError(f"--picture {path}: name a file that ends in {', '.join(PICTURES)}")
    return path


FormatOption = Annotated[Format, typer.Option("--format", help="How to print the rows.")]
PictureOption = Annotated[
    Path | None,
    typer.Option(
        "--picture",
        help="Also draw bars into this file (png, svg, pdf).",
        dir_okay=False,
        callback=_check_picture,
    ),
]
NameArgument = Annotated[str, typer.Argument(help="A distribution of `gallery`.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="A parameter, as NAME=NUMBER; repeat for more.")
]


@app.command()
def gallery(output: FormatOption = Format.table) -> None:
    """List the named distributions, their exact atoms (R, U1, U2, S in bits about Y)."""
    rows: list[Row] = []
    for entry in GALLERY.values():
        r, u1, u2, s = (float(value) for value in entry.atoms())
        parameters = " ".join(f"{k}={v:g}" for k, v in entry.parameters.items())
        row: Row = {"name": entry.name, "target": "Y", "R": r, "U1": u1, "U2": u2, "S": s}
        rows.append({**row, "parameters": parameters, "teaches": entry.sentence})
    print_rows(rows, output, digits=3)


@app.command()
def show(
    name: NameArgument,
    settings: SetOption = None,
    measure: Annotated[
        str, typer.Option(help=f"One of {', '.join(MEASURES)}, or all of them.")
    ] = "BROJA",
    output: FormatOption = Format.table,
    picture: PictureOption = None,
) -> None:
    """Decompose a named distribution, certified: trifeature pid show NOISY-XOR --set flip=0.2."""
    entry = example(name)
    table = entry.table(**_parameters(settings or []))
    results = list(compare(table).values()) if measure == "all" else [decompose(table, measure)]
    print_rows(report.atom_rows(results), output, f"{entry.name}. {entry.sentence}")
    draw({entry.name: results}, picture)


@app.command()
def measures(
    names: Annotated[list[str] | None, typer.Argument(help="Distributions to compare on.")] = None,
    output: FormatOption = Format.table,
    picture: PictureOption = None,
) -> None:
    """Compare the definitions of redundancy; by default on COPY, PWUNQ and W."""
    panels = {
        entry.name: list(compare(entry.table()).values())
        for entry in map(example, names or ["COPY", "PWUNQ", "W"])
    }
    rows = [row for name, atoms in panels.items() for row in report.wide_rows(atoms, name=name)]
    print_rows(rows, output)
    draw(panels, picture)


@app.command()
def bounds(
    name: NameArgument,
    settings: SetOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Bounds on the synergy without joint labels, beside the exact synergy."""
    table = example(name).table(**_parameters(settings or []))
    found = synergy_bounds_of(table)
    exact = decompose(table)
    row: Row = {
        "name": name.upper(),
        "target": exact.target,
        "disagreement": found.disagreement,
        "lower": found.lower,
        "synergy": exact.synergy,
        "upper": found.upper,
    }
    print_rows([row], output)


BENCHES: Final = ("tables", "gaussian", "screening")


@app.command("bench")
def run_bench(
    of: Annotated[str, typer.Option(help=f"One of {', '.join(BENCHES)}.")] = "tables",
    pairs: Annotated[int | None, typer.Option(help="With screening: pairs. [53117]")] = None,
    rows: Annotated[Path | None, typer.Option(help="Append the rows to this file.")] = None,
    output: FormatOption = Format.table,
) -> None:
    """Time and certified gap: of random tables beside dit's, of Gaussians, of a screening."""
    check_name("bench", of, BENCHES)
    if pairs is not None and of != "screening":
        raise InputError("--pairs goes with --of screening")
    found = _bench(of, pairs)
    if rows is not None:
        import torch

        from trifeature.files import append_row
        from trifeature.provenance import provenance

        for row in found:
            append_row(rows, {"bench": f"pid {of}", **row, **provenance(torch.device("cpu"))})
    print_rows(found, output, digits=None)


def _bench(of: str, pairs: int | None) -> list[Row]:
    if of == "screening":
        from trifeature.extra.bench.screening import bench_screening

        return [bench_screening() if pairs is None else bench_screening(pairs)]
    from trifeature.extra.bench.pid import bench_batch, bench_gaussian, bench_tables, has_dit

    if of == "gaussian":
        return bench_gaussian()
    if not has_dit():
        warn("for the comparison: pip install dit ecos")
    return [*bench_tables(), bench_batch()]


def _parameters(settings: Sequence[str]) -> dict[str, float]:
    """["flip=0.2"] -> {"flip": 0.2}."""
    values: dict[str, float] = {}
    for setting in settings:
        name, _, number = setting.partition("=")
        try:
            values[name] = float(number)
        except ValueError:
            raise InputError(f"a parameter is NAME=NUMBER, got {setting!r}") from None
    return values


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print warnings as one line each on standard error, after the block that raised them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SampleSizeWarning)
        yield
    for warning in caught:
        warn(f"warning: {warning.message}")


def print_rows(
    rows: Sequence[Row], output: Format, title: str = "", digits: int | None = 6
) -> None:
    """Print rows in a format; `digits` are the decimals of a table, None for three in all."""
    if output is Format.json:
        print_json(rows)
    elif output is Format.csv:
        safe = [{name: csv_cell(cell) for name, cell in row.items()} for row in rows]
        echo(report.csv_text(safe).rstrip("\n"))
    else:
        _print_rows(rows, title, digits)


def _print_rows(rows: Sequence[Row], title: str, digits: int | None) -> None:
    """Print rows as a table, numbers to `digits` decimals (None: 3 significant digits).

    Columns that are the same in every row stand once, below the table: a terminal is narrow.
    """
    shared = [name for name in rows[0] if len(rows) > 1 and len({row[name] for row in rows}) == 1]
    varying = [name for name in rows[0] if name not in shared]
    print_table(
        title,
        varying,
        [[_cell(row[name], digits) for name in varying] for row in rows],
        caption=" · ".join(f"{name} {_cell(rows[0][name], digits)}" for name in shared),
        text=[name for name in varying if not isinstance(rows[0][name], float)],
    )


def _cell(value: Any, digits: int | None) -> str:
    if not isinstance(value, float):
        return "-" if value is None else str(value)
    if digits is None:
        return f"{value:.3g}"
    # Rounding of zero would print as -0.000000, which looks like a result.
    return f"{value if abs(value) >= 0.5 * 10**-digits else 0.0:.{digits}f}"


def draw(panels: Mapping[str, Sequence[Atoms]], path: Path | None) -> None:
    """Draw bars of atoms into a file, if there is one."""
    if path is None:
        return
    from trifeature.plots import atom_bars, write_figure

    write_figure(atom_bars(panels), path, dpi=150)
