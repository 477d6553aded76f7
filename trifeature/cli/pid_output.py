"""The app `trifeature pid`, and how its commands print rows and write pictures."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from trifeature import report
from trifeature.cli.common import csv_cell, echo, print_json, print_table, warn, writable_file
from trifeature.cli.program import App
from trifeature.columns.discretize import WAYS
from trifeature.errors import InputError
from trifeature.pid.atoms import ATOM_NAMES, Atoms

Row = dict[str, Any]

app = App("What two sources tell about a target: redundant, unique and synergistic bits.")


MEASURED: Final = ("bits", "low", "high", "p_value", "plug_in", *ATOM_NAMES, "total")
"""Columns that stay in a table even where all rows agree."""


class Format(StrEnum):
    """The formats of printed rows."""

    table = "table"
    json = "json"
    csv = "csv"


PICTURES: Final = (".png", ".svg", ".pdf")


def _check_picture(path: Path | None) -> Path | None:
    """Refuse a picture that could not be written, before anything is computed."""
    if path is not None and path.suffix.lower() not in PICTURES:
        raise InputError(f"--picture {path}: name a file that ends in {', '.join(PICTURES)}")
    return writable_file(path)


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


@contextmanager
def warnings_as_lines(ways: str = "--bins N, or --bins categories") -> Iterator[None]:
    """Print warnings as one line each on standard error, after the block that raised them.

    Args:
        ways: What this command offers for a column that looks continuous.
    """
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            yield
    except InputError as problem:
        raise InputError(str(problem).replace(WAYS, f"give {ways}")) from None
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
    shared = [
        name
        for name in rows[0]
        if name not in MEASURED and len(rows) > 1 and len({row[name] for row in rows}) == 1
    ]
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
