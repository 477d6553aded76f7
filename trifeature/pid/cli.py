"""The command line `trifeature pid`: a thin shell over the functions of the same names."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ParamSpec

import typer
from rich.console import Console

from trifeature.errors import InputError
from trifeature.pid import report
from trifeature.pid.atoms import Atoms
from trifeature.pid.bench import bench, bench_batch, has_dit
from trifeature.pid.bounds import synergy_bounds_of
from trifeature.pid.gallery import GALLERY, example
from trifeature.pid.measures import MEASURES, compare, decompose
from trifeature.pid.samples import (
    Resampling,
    SampleSizeWarning,
    atoms_of_columns,
    estimate_columns,
    read_columns,
)

P = ParamSpec("P")

app = typer.Typer(
    no_args_is_help=True,
    help="What two sources tell about a target: redundant, unique and synergistic bits.",
)


def one_line_errors(command: Callable[P, None]) -> Callable[P, None]:
    """A mistake of the user's is one line on standard error and exit code 2."""

    @functools.wraps(command)
    def shell(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except InputError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(2) from None

    return shell


class Format(StrEnum):
    """How rows are printed."""

    table = "table"
    json = "json"
    csv = "csv"


FormatOption = Annotated[Format, typer.Option("--format", help="How to print the rows.")]
PictureOption = Annotated[
    Path | None, typer.Option("--picture", help="Also draw bars into this file (png, svg, pdf).")
]
NameArgument = Annotated[str, typer.Argument(help="A distribution of `gallery`.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="A parameter, as NAME=NUMBER; repeat for more.")
]


@app.command()
@one_line_errors
def gallery(output: FormatOption = Format.table) -> None:
    """List the named distributions, their exact atoms (R, U1, U2, S in bits about Y)."""
    rows: list[report.Row] = []
    for entry in GALLERY.values():
        r, u1, u2, s = (float(value) for value in entry.atoms())
        parameters = " ".join(f"{k}={v:g}" for k, v in entry.parameters.items())
        row: report.Row = {"name": entry.name, "target": "Y", "R": r, "U1": u1, "U2": u2, "S": s}
        rows.append({**row, "parameters": parameters, "teaches": entry.sentence})
    _print(rows, output, digits=3)


@app.command()
@one_line_errors
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
    _print(report.atom_rows(results), output, f"{entry.name}. {entry.sentence}")
    _draw({entry.name: results}, picture)


@app.command()
@one_line_errors
def measures(
    names: Annotated[list[str] | None, typer.Argument(help="Distributions to compare on.")] = None,
    output: FormatOption = Format.table,
    picture: PictureOption = None,
) -> None:
    """Where the definitions of redundancy part: by default on COPY, PWUNQ and W."""
    panels = {
        entry.name: list(compare(entry.table()).values())
        for entry in map(example, names or ["COPY", "PWUNQ", "W"])
    }
    rows = [row for name, atoms in panels.items() for row in report.wide_rows(atoms, name=name)]
    _print(rows, output)
    _draw(panels, picture)


@app.command()
@one_line_errors
def atoms(
    *,
    file: Annotated[Path, typer.Argument(help="A CSV file with a header line.")],
    source: Annotated[
        list[str], typer.Option(help="A source: a column, or several joined by commas. Twice.")
    ],
    target: Annotated[str, typer.Option(help="The column that the atoms are about.")],
    exact: Annotated[
        bool, typer.Option("--exact", help="Only the certified atoms of the rows as they are.")
    ] = False,
    bootstraps: Annotated[int, typer.Option(min=1, help="Resamples for the interval.")] = 200,
    permutations: Annotated[int, typer.Option(min=1, help="Shuffles for the null.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the resampling.")] = 0,
    output: FormatOption = Format.table,
    picture: PictureOption = None,
) -> None:
    """Estimate the atoms of two sources about a target from the rows of a CSV file."""
    if len(source) != 2:
        raise InputError(f"name exactly two sources with --source, got {len(source)}")
    one, other = (tuple(part.split(",")) for part in source)
    if target in {*one, *other}:
        raise InputError(f"{target!r} cannot be its own source: name other columns with --source")
    columns = read_columns(file, [*one, *other, target])
    if exact:
        result = atoms_of_columns(columns, one, other, target)
        rows = report.atom_rows([result])
    else:
        plan = Resampling(bootstraps=bootstraps, permutations=permutations, seed=seed)
        with _warnings_as_lines():
            found = estimate_columns(columns, one, other, target, resampling=plan)
        result, rows = found.plug_in, report.estimate_rows(found)
    title = f"{result.sources[0]} and {result.sources[1]} about {target}"
    _print(rows, output, title)
    _draw({title: [result]}, picture)


@app.command()
@one_line_errors
def bounds(
    name: NameArgument,
    settings: SetOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Bounds on the synergy without joint labels, beside the exact synergy."""
    table = example(name).table(**_parameters(settings or []))
    found = synergy_bounds_of(table)
    exact = decompose(table)
    row: report.Row = {
        "name": name.upper(),
        "target": exact.target,
        "disagreement": found.disagreement,
        "lower": found.lower,
        "synergy": exact.synergy,
        "upper": found.upper,
    }
    _print([row], output)


@app.command("bench")
@one_line_errors
def run_bench(output: FormatOption = Format.table) -> None:
    """Time and certified gap on random tables, beside dit's where it is installed."""
    rows = [*bench(), bench_batch()]
    _print(rows, output, digits=None)
    if not has_dit():
        typer.echo("for the comparison: pip install dit ecos", err=True)


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
def _warnings_as_lines() -> Iterator[None]:
    """Warnings as one line each on standard error, after what raised them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SampleSizeWarning)
        yield
    for warning in caught:
        typer.echo(f"warning: {warning.message}", err=True)


def _print(
    rows: Sequence[report.Row], output: Format, title: str = "", digits: int | None = 6
) -> None:
    if output is Format.table:
        Console().print(report.rich_table(rows, title, digits))
    else:
        text = report.json_text(rows) if output is Format.json else report.csv_text(rows)
        typer.echo(text.rstrip("\n"))


def _draw(panels: Mapping[str, Sequence[Atoms]], path: Path | None) -> None:
    if path is None:
        return
    try:
        report.bar_figure(panels).savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot draw into {path}: {error}") from None
