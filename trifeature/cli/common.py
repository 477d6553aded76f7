"""What the commands share: errors as one line, progress bars, tables."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, ParamSpec, TypeVar

import typer
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

import trifeature
from trifeature.comm.run_folder import TrainingError
from trifeature.comm.settings import PRECISIONS
from trifeature.errors import InputError, check_name
from trifeature.extra.accelerate import Execution
from trifeature.files import finite

P = ParamSpec("P")
R = TypeVar("R")

DeviceOption = Annotated[str | None, typer.Option(help="cpu or cuda; a GPU where there is one.")]
PrecisionOption = Annotated[
    str | None, typer.Option(help=" or ".join(PRECISIONS) + "; other than the preset's.")
]
ExecutionOption = Annotated[
    str | None, typer.Option(help="plain, compiled or graphs; a GPU in bfloat16 uses graphs.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs.")]

console = Console(emoji=False)  # a port between colons is no picture
errors = Console(stderr=True, emoji=False)

BAD_INPUT, INTERRUPTED = 2, 130

TRACEBACK: Final = "TRIFEATURE_TRACEBACK"
"""Set in the environment, errors show where they happened: for whoever mends the package."""


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
            place = f"{problem.filename}: " if problem.filename else ""
            fail(f"{place}{problem.strerror or problem}")
        except KeyboardInterrupt:
            errors.print(
                "\nstopped: what was finished is kept, and the same command goes on", style="yellow"
            )
            raise typer.Exit(INTERRUPTED) from None

    return run


EXECUTIONS: Final = {
    "plain": Execution(),
    "compiled": Execution(compiled=True),
    "graphs": Execution(compiled=True, graphs=True),
}


def read_execution(name: str | None) -> Execution | None:
    """How a name says that steps are carried out; None for the device's default.

    Raises:
        InputError: there is no such way.
    """
    return None if name is None else EXECUTIONS[check_name("execution", name, EXECUTIONS)]


def show_version(asked: bool) -> None:
    """Print the package's version and stop, for a `--version` option."""
    if asked:
        typer.echo(trifeature.__version__)
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", callback=show_version, help="Print the version.")
]


def show_version_option(version: VersionOption = False) -> None:
    """The options of a command line itself: register it as an app's callback."""


def fail(message: str) -> NoReturn:
    """Print one line on standard error and exit with code 2."""
    errors.print(f"error: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(BAD_INPUT) from None


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


@contextmanager
def counting(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar that counts: call what it yields with done and total.

    As all bars here it shows on a terminal only: in a log it would be an empty line.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(
        *columns,
        TimeElapsedColumn(),
        console=errors,
        transient=True,
        disable=errors.quiet or not errors.is_terminal,
    )
    with bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def several_bars() -> Iterator[Progress]:
    """Progress bars for runs side by side, with losses and time left."""
    columns = (
        TextColumn("{task.description:34.34}"),
        BarColumn(bar_width=24),
        TextColumn("epoch {task.completed:6.2f} of {task.total}"),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[losses]}"),
    )
    hidden = errors.quiet or not errors.is_terminal
    with Progress(*columns, console=errors, disable=hidden) as bar:
        yield bar


def say(text: str) -> None:
    """One line on standard output, never broken: what it names can be copied."""
    console.print(text, highlight=False, soft_wrap=True)


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

    Args:
        title: Above the table.
        columns: Names of the columns.
        rows: Cells of each row.
        caption: Below the table.
        text: Columns of words: to the left, and wrapped where the window is narrow. The other
            columns keep their full width; cells cut short would lose numbers.
    """
    table = Table(
        title=escape(title),
        title_justify="left",
        title_style="bold",
        caption=escape(caption) or None,
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0) if text else (0, 1),
    )
    for place, column in enumerate(columns):
        full = max(cell_len(cell) for cell in (column, *(row[place] for row in rows)))
        table.add_column(
            escape(column),
            justify="left" if place == 0 or column in text else "right",
            min_width=None if column in text else full,
        )
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    # A table wider than the window runs over its edge.
    unbounded = console.options.update(max_width=1000)
    needed = Measurement.get(console, unbounded, table).minimum
    Console(width=max(console.width, needed), quiet=console.quiet).print(table)


def print_json(content: Any) -> None:
    """Print for programs: strict JSON on standard output, null for what is not `finite`."""
    typer.echo(json.dumps(finite(content), indent=1, allow_nan=False))
