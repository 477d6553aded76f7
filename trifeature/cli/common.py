"""Shared by the commands: errors as one line, tables, JSON, CSV, common options."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.text import Text

import trifeature
from trifeature.cli.streams import (
    CLOSED_PIPE,
    STANDARD_OUTPUT,
    abandon_output,
    naming_output,
    printable,
)
from trifeature.comm.settings import PRECISIONS
from trifeature.errors import InputError, TrainingError, check_name
from trifeature.files import require_writable_file

if TYPE_CHECKING:
    from rich.table import Table

    from trifeature.extra.accelerate import Execution

P = ParamSpec("P")
R = TypeVar("R")

DeviceOption = Annotated[str | None, typer.Option(help="cpu or cuda; a GPU where there is one.")]
PrecisionOption = Annotated[
    str | None, typer.Option(help=" or ".join(PRECISIONS) + "; other than the preset's.")
]
ExecutionOption = Annotated[
    str | None,
    typer.Option(
        help="plain, compiled, captured (as CUDA graphs) or graphs (both); a GPU in bfloat16 uses "
        "graphs."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs.")]


class Output(Console):
    """A console whose errors say that it is standard output that failed."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; where nothing can be written to standard error, nothing is."""
        try:
            with naming_output():
                super().print(*objects, **options)
        except OSError:
            if not self.stderr:
                raise

    def on_broken_pipe(self) -> None:
        """Raise again: Rich would exit with code 1."""
        raise  # noqa: PLE0704 - called where the error is handled


console = Output(emoji=False)  # a port between colons is no picture
errors = Output(stderr=True, emoji=False)

BAD_INPUT, INTERRUPTED = 2, 130

TRACEBACK: Final = "TRIFEATURE_TRACEBACK"
"""Set in the environment, errors show where they happened: for whoever mends the package."""


# --------------------------------------------------------------------------- errors


def guarded(command: Callable[P, R]) -> Callable[P, R]:
    """Turn what a user can mend into one line and exit code 2, and Ctrl-C into a sentence."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (InputError, TrainingError) as problem:
            if os.environ.get(TRACEBACK):
                raise
            fail(str(problem))
        except OSError as problem:
            _fail_of_system(problem)
        except KeyboardInterrupt:
            errors.print(
                "\nstopped: nothing is half-written; the same command does the rest",
                style="yellow",
            )
            raise typer.Exit(INTERRUPTED) from None

    return run


def _fail_of_system(problem: OSError) -> NoReturn:
    """One line for an error of the system; none where the reader of the output is gone."""
    if problem.filename == STANDARD_OUTPUT:
        abandon_output()
        if isinstance(problem, BrokenPipeError):
            raise typer.Exit(CLOSED_PIPE) from None
    elif os.environ.get(TRACEBACK):
        raise problem
    place = f"{problem.filename}: " if problem.filename else ""
    fail(f"{place}{problem.strerror or problem}")


def fail(message: str) -> NoReturn:
    """Print one line on standard error and exit with code 2."""
    warn_red(" ".join(f"error: {message}".splitlines()))
    raise typer.Exit(BAD_INPUT) from None


# --------------------------------------------------------------------------- options


def read_execution(name: str | None) -> Execution | None:
    """The execution of steps by its name; None for the device's default.

    Raises:
        InputError: there is no such way.
    """
    from trifeature.extra.accelerate import EXECUTIONS

    return None if name is None else EXECUTIONS[check_name("execution", name, EXECUTIONS)]


def show_version(asked: bool) -> None:
    """Print the package's version and stop, for a `--version` option."""
    if asked:
        typer.echo(trifeature.__version__)
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", callback=show_version, help="Print the version.")
]


PluginOption = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="FILE_OR_MODULE",
        help="A Python file or module that registers methods, modalities, measures or experiments; "
        "before or after the command, several times.",
    ),
]
"""For the help alone: `trifeature.cli.program.split_plugins` takes it out of every line."""


def show_version_option(version: VersionOption = False, plugin: PluginOption = None) -> None:
    """The options of a command line itself: register it as an app's callback."""


def protect_bare_option(arguments: Sequence[str], option: str, value: str) -> list[str]:
    """Give an option that stands without `=VALUE` its default value.

    So what follows it is never taken for its value: in `generate --synergy-map OUT`, OUT is the
    folder.

    >>> protect_bare_option(["generate", "--synergy-map", "OUT"], "--synergy-map", "auto")
    ['generate', '--synergy-map=auto', 'OUT']
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return [
        f"{option}={value}" if word == option and place < end else word
        for place, word in enumerate(arguments)
    ]


# --------------------------------------------------------------------------- paths


def expand(value: Any) -> Any:
    """A path, or a list of paths, with `~` expanded; anything else as it is.

    Raises:
        InputError: no such user.
    """
    if isinstance(value, list):
        return [expand(one) for one in value]
    if not isinstance(value, Path):
        return value
    try:
        return value.expanduser()
    except RuntimeError:
        raise InputError(f"{value}: there is no such user's folder") from None


def writable_file(path: Path | None) -> Path | None:
    """A file to write, as an option's callback: refused before any work if it cannot be written."""
    path = expand(path)
    if path is not None:
        require_writable_file(path)
    return path


def require_other_file(path: Path | None, file: Path) -> None:
    """Refuse to write into the file that is read.

    Raises:
        InputError: they are the same file.
    """
    if path is not None and path.exists() and path.samefile(file):
        raise InputError(f"{path} is the file that is read: name another one to write")


# --------------------------------------------------------------------------- output


def say(text: str) -> None:
    """One line on standard output, never broken: what it names can be copied."""
    console.print(printable(text), highlight=False, soft_wrap=True)


def echo(text: str) -> None:
    """Text on standard output as it is laid out; control characters are spelled out."""
    with naming_output():
        typer.echo(printable(text))


def warn(text: str, style: str | None = None) -> None:
    """One line on standard error."""
    errors.print(printable(text), style=style, markup=False, highlight=False, soft_wrap=True)


def warn_red(text: str) -> None:
    """One line on standard error, in red on a terminal: something is wrong."""
    warn(text, style="red")


def bold(path: Path) -> str:
    """A path for `say`; brackets in its name are not markup."""
    return f"[bold]{escape(str(path))}[/bold]"


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    caption: str = "",
    text: Collection[str] = (),
) -> None:
    """Print a table, its first column to the left and numbers to the right.

    On a terminal too narrow for the numbers each row is a block of lines. In a file a table that is
    wider than a window runs over its edge. So no number is ever cut.

    Args:
        title: Above the table.
        columns: Names of the columns.
        rows: Cells of each row.
        caption: Below the table.
        text: Columns of words: to the left, and wrapped where the window is narrow.
    """
    from rich.measure import Measurement

    if title:
        console.print(Text(printable(title), style="bold"), soft_wrap=True)
    table = _table(columns, rows, text)
    unbounded = console.options.update(max_width=10_000)
    needed = Measurement.get(console, unbounded, table).minimum
    if needed > console.width and console.is_terminal:
        for row in rows:
            _print_record(columns, row)
    else:
        width = max(console.width, needed)
        Output(width=width, quiet=console.quiet, emoji=False).print(table)
    if caption:
        console.print(Text(printable(caption), style="italic"), soft_wrap=True)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], text: Collection[str]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.cells import cell_len
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0) if text else (0, 1))
    for place, column in enumerate(columns):
        cells = [printable(cell) for cell in (column, *(row[place] for row in rows))]
        table.add_column(
            Text(cells[0]),
            justify="left" if place == 0 or column in text else "right",
            min_width=None if column in text else max(map(cell_len, cells)),
            no_wrap=column not in text,  # or Rich would narrow a number before it wraps a word
        )
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def _print_record(columns: Sequence[str], row: Sequence[str]) -> None:
    """A row as its first cell and a line for each other, which the terminal wraps."""
    console.print(Text(printable(row[0]), style="bold"), soft_wrap=True)
    for column, cell in zip(columns[1:], row[1:], strict=True):
        console.print(Text(printable(f"  {column}: {cell}")), soft_wrap=True)


def print_json(content: Any) -> None:
    """Print for programs: strict JSON on standard output, null for what is not `finite`."""
    from trifeature.files import finite

    echo(json.dumps(finite(content), indent=1, allow_nan=False))


def csv_cell(value: Any) -> Any:
    """A cell for `--format csv` that is safe to open.

    Words that a spreadsheet would execute get an apostrophe in front; control characters are
    spelled out.

    >>> csv_cell("=1+1"), csv_cell(-0.5)
    ("'=1+1", -0.5)
    """
    if not isinstance(value, str):
        return value
    return ("'" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else "") + printable(value)
