"""`trifeature export`: a data set in the forms of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trifeature.cli.common import bold, say


def export(
    path: Annotated[Path, typer.Argument(help="A data set's folder.")],
    out: Annotated[Path, typer.Option(help="Folder to make (parquet), or file (npz).")],
    form: Annotated[str, typer.Option("--as", help="parquet or npz.")] = "parquet",
    overwrite: Annotated[bool, typer.Option(help="Replace an earlier export.")] = False,
) -> None:
    """Write a data set as Parquet for Hugging Face, or as arrays in the manner of dSprites."""
    from trifeature.data.export import export as write

    say(bold(write(path, out, form, overwrite=overwrite)))
