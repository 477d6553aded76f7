"""The commands `trifeature pid ...` of known tables: the gallery, measures, bounds, benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from trifeature import report
from trifeature.cli.common import warn, writable_file
from trifeature.cli.pid_output import (
    Format,
    FormatOption,
    PictureOption,
    Row,
    app,
    draw,
    print_rows,
)
from trifeature.errors import InputError, check_name
from trifeature.pid.bounds import synergy_bounds_of
from trifeature.pid.gallery import GALLERY, example
from trifeature.pid.measures import MEASURES, compare, decompose

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
    rows: Annotated[
        Path | None, typer.Option(help="Append the rows to this file.", callback=writable_file)
    ] = None,
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
