"""The base of both programs: Typer apps whose errors are one line, whatever goes wrong."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final, NoReturn, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from trifeature.cli.common import BAD_INPUT, expand, fail, guarded
from trifeature.cli.progress import pulse
from trifeature.cli.streams import CLOSED_PIPE, naming_output, safe_streams, settle_errors
from trifeature.errors import InputError
from trifeature.plugins import load_plugins

F = TypeVar("F", bound=Callable[..., Any])

USAGE_ERRORS: Final[type[Exception]] = typer.BadParameter.__mro__[1]
"""The class of all errors of a command line: older versions of Typer take it from Click."""


class _Parsing:
    """Parsing writes nothing but help, so an error of the system is about standard output."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        with naming_output():
            return super().make_context(*args, **extra)  # type: ignore[misc]


class Command(_Parsing, TyperCommand):
    """A command whose paths may begin with `~`."""

    def invoke(self, ctx: Any) -> Any:
        """Expand `~` in every path and call the function, with a sign of life once a minute."""
        ctx.params = {name: expand(value) for name, value in ctx.params.items()}
        with pulse(ctx.command_path):
            return super().invoke(ctx)


class Program(_Parsing, TyperGroup):
    """A group of commands whose errors are one line on standard error."""

    def invoke(self, ctx: Any) -> Any:
        """Call the command; what a user can mend is one line and exit code 2."""
        return guarded(super().invoke)(ctx)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Parse and call, then exit; a wrong line is one line and exit code 2."""
        del standalone_mode  # it is the parsing that exits in this mode
        _exit(lambda: self._answer(args, prog_name, complete_var, windows_expand_args, **extra))

    def _answer(
        self,
        args: Sequence[str] | None,
        name: str | None,
        complete: str | None,
        expand_args: bool,
        **extra: Any,
    ) -> int:
        try:
            return super().main(args, name, complete, False, expand_args, **extra) or 0
        except SystemExit:
            if type(sys.stdout).__name__ == "PacifyFlushWrapper":  # how Typer answers a closed pipe
                return CLOSED_PIPE
            raise
        except USAGE_ERRORS as problem:
            return _answer_usage_error(problem)


def _answer_usage_error(problem: Any) -> int:
    """Print a wrong command line's error and where its options are listed."""
    if type(problem).__name__ == "NoArgsIsHelpError":  # its message is the help
        problem.show()
        return BAD_INPUT
    message = " ".join(problem.format_message().split())
    context = getattr(problem, "ctx", None)
    where = f" (see {context.command_path} --help)" if context else ""
    try:
        fail(message[:1].lower() + message[1:].removesuffix(".") + where)
    except typer.Exit as stop:
        return stop.exit_code


def _exit(answer: Callable[[], int]) -> NoReturn:
    """Exit with the answer's code; what could not be delivered is one line, but for a pipe."""

    @guarded
    def run() -> int:
        with safe_streams():
            return answer()

    try:
        code = run()
    except typer.Exit as stop:
        code = stop.exit_code
    settle_errors()
    sys.exit(code)


def run_program(name: str, module: str, arguments: Sequence[str]) -> NoReturn:
    """Load the plugins, then the program, and run it.

    Plugins come first: their methods' options become options of commands.

    Args:
        name: As it is typed.
        module: Where its `app` is.
        arguments: What was typed after the name.
    """
    # Python's 700 collects garbage hundreds of times while torch is loaded.
    gc.set_threshold(100_000, 20, 50)

    def answer() -> int:
        rest, places = split_plugins(arguments)
        load_plugins(places)
        import_module(module).app(args=rest, prog_name=name)
        return 0

    _exit(answer)


def split_plugins(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments without `--plugin`, which may stand anywhere before `--`, and its values.

    Raises:
        InputError: the last `--plugin` has no value.

    >>> split_plugins(["train", "--plugin", "mine.py", "--method=mine"])
    (['train', '--method=mine'], ['mine.py'])
    """
    rest: list[str] = []
    places: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            return [*rest, word, *words], places
        if word == "--plugin":
            places.append(next(words, ""))
        elif word.startswith("--plugin="):
            places.append(word.removeprefix("--plugin="))
        else:
            rest.append(word)
    if "" in places:
        raise InputError("--plugin needs a Python file or the name of a module")
    return rest, places


class App(typer.Typer):
    """A program, or a group of commands of one."""

    def __init__(self, help: str) -> None:  # noqa: A002 - Typer's name
        super().__init__(
            cls=Program,
            help=help,
            no_args_is_help=True,
            pretty_exceptions_enable=False,
            rich_markup_mode=None,
        )

    def command(self, name: str | None = None, **rest: Any) -> Callable[[F], F]:
        """Typer's decorator, with paths whose `~` is expanded."""
        return super().command(name, **{"cls": Command, **rest})
