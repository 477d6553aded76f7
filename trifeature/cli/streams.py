"""Standard output and errors that cannot fail after the work was done.

A terminal may be narrow, its encoding may lack a character, a pipe may close, a disk may be full, a
stream may be missing altogether. None of that is a traceback.
"""

from __future__ import annotations

import codecs
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, TextIO

CLOSED_PIPE: Final = 141
"""Exit code when the reader of standard output is gone, as shells report it (128 + SIGPIPE)."""

STANDARD_OUTPUT: Final = "standard output"

REPLACEMENTS: Final = "trifeature.replace"
"""Name of the error handler that writes what an encoding lacks in other characters."""

ASCII: Final = {
    "±": "+-",
    "–": "-",
    "—": "-",
    "−": "-",
    "─": "-",
    "…": "...",
    "×": "x",
    "·": "|",
    "→": "->",
    "Σ": "sum ",
    "∅": "none",
    "≥": ">=",
    "≤": "<=",
}


def _replace(error: UnicodeError) -> tuple[str, int]:
    """Write similar characters, or a question mark, for what an encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(ASCII.get(character, "?") for character in lacking), error.end


codecs.register_error(REPLACEMENTS, _replace)


def printable(text: str) -> str:
    r"""The text with control characters, terminal escapes and reordering marks spelled out.

    Names and file contents come from elsewhere: printed raw, they could move the cursor, change
    colors or hide what stands before them. Line breaks and tabs stay.

    >>> printable("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character
        if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cf", "Cs")
        else character.encode("unicode_escape").decode()
        for character in text
    )


def _occupy_missing_descriptors() -> None:
    """Open the null device as 0, 1 and 2 where closed, or the next file would take their place."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


@contextmanager
def safe_streams() -> Iterator[None]:
    """Standard streams that take any character; what is written is flushed at the end.

    Raises:
        OSError: what was written could not be delivered; nothing is written after that.
    """
    _occupy_missing_descriptors()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=REPLACEMENTS)
    try:
        yield
    finally:
        settle_errors()
        if sys.stdout is not None and not sys.stdout.closed:
            with naming_output():
                sys.stdout.flush()


@contextmanager
def naming_output() -> Iterator[None]:
    """Errors of the system raised in here are about standard output: they say so."""
    try:
        yield
    except OSError as problem:
        problem.filename = STANDARD_OUTPUT
        raise


def settle_errors() -> None:
    """Flush standard error; one that takes nothing is abandoned, or Python fails at exit (120)."""
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except (OSError, ValueError):
        _abandon(sys.stderr)


def abandon_output() -> None:
    """Write nothing more to standard output, or Python tries again at exit and fails."""
    _abandon(sys.stdout)


def _abandon(stream: TextIO | None) -> None:
    """Point a stream's descriptor to the null device, as Python's documentation of SIGPIPE says."""
    with suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())  # type: ignore[union-attr]
        os.close(null)
