"""The command line: a thin shell that checks arguments and calls functions that return data.

What is slow to import is imported by the command that needs it, so help and errors are quick.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import trifeature


def trifeature_main() -> None:
    """Entry point of `trifeature`: the data."""
    _answer_version(sys.argv[1:])
    _interruptible(_run_trifeature)


def comm_probe_main() -> None:
    """Entry point of `comm-probe`: the models and the measurements."""
    _answer_version(sys.argv[1:])
    _interruptible(_run_comm_probe)


def _interruptible(run: Callable[[], None]) -> None:
    """Ctrl-C while the packages are still being imported: nothing has begun, so it says nothing."""
    try:
        run()
    except KeyboardInterrupt:
        sys.exit(130)


def _run_trifeature() -> None:
    from trifeature.cli.common import protect_bare_option
    from trifeature.cli.program import run_program

    arguments = protect_bare_option(sys.argv[1:], "--synergy-map", "auto")
    run_program("trifeature", "trifeature.cli.data", arguments)


def _run_comm_probe() -> None:
    from trifeature.cli.program import run_program

    run_program("comm-probe", "trifeature.cli.probe", sys.argv[1:])


def _answer_version(arguments: Sequence[str]) -> None:
    """Print the version and exit where it is all that is asked; other lines are Typer's to read."""
    if list(arguments) == ["--version"]:
        sys.stdout.write(f"{trifeature.__version__}\n")
        sys.exit()
