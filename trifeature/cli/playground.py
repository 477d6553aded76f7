"""`trifeature playground`: write the page to play with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trifeature.cli.common import bold, say


def playground(
    out: Annotated[Path, typer.Argument(help="File to write, or a folder for its index.html.")],
    rows: Annotated[
        Path | None,
        typer.Option(help="JSON lines of comm-probe, for the learned curves.", dir_okay=False),
    ] = None,
    codes: Annotated[
        Path | None,
        typer.Option(help="JSON lines of scripts/codes.py, for what codes tell.", dir_okay=False),
    ] = None,
) -> None:
    """Write a page that shows R, U and S in pixels, tables and bars; any browser opens it.

    One file with everything in it: no server and no network.
    """
    from trifeature.playground import write_page

    path = write_page(out, rows, codes)
    size = path.stat().st_size
    say(f"{bold(path)} ({size / 1000:,.0f} kB)")
