"""Output that cannot fail after the work was done: any width, any encoding, any stream."""

import io
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from rich.console import Console

from trifeature.cli import common, progress
from trifeature.cli.common import csv_cell, print_table, say, warn
from trifeature.cli.progress import counting, pulse, several_bars
from trifeature.cli.streams import CLOSED_PIPE, REPLACEMENTS, printable

Capture = pytest.CaptureFixture[str]

COLUMNS = ["", "R", "U1", "S_balanced"]
ROWS = [
    ["ΣL_i, unbiased pairs (control)", "99.9 ± 0.1", "12.5 ± 10.0", "–"],
    ["L", "1.0", "2", "3"],
]


# --------------------------------------------------------------------------- narrow terminals


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes the console a terminal of so many columns."""

    def of(width: int) -> None:
        monkeypatch.setattr(
            common, "console", Console(width=width, force_terminal=True, emoji=False)
        )
        monkeypatch.setenv("NO_COLOR", "1")

    return of


@pytest.mark.parametrize("width", [1, 10, 20, 30, 40, 60, 80, 200])
def test_every_number_is_printed_however_narrow_the_terminal(
    width: int, terminal: Callable[[int], None], capsys: Capture
) -> None:
    terminal(width)
    print_table("a title", COLUMNS, ROWS, caption="what is the same")
    out = capsys.readouterr().out
    for words in [*COLUMNS, "a title", "what is the same"]:
        assert words in out
    for row in ROWS:
        for cell in row[1:]:
            assert cell in out


def test_a_row_is_a_block_of_lines_where_the_table_does_not_fit(
    terminal: Callable[[int], None], capsys: Capture
) -> None:
    terminal(20)
    print_table("", ["", "R", "S"], [["a network of a long name", "99.9 ± 0.1", "50.0"]])
    words = re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out)
    assert words == "a network of a long name\n  R: 99.9 ± 0.1\n  S: 50.0\n"


# --------------------------------------------------------------------------- encodings


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp932", "latin-1", "utf-8", "koi8-r"])
def test_no_character_is_too_much_for_an_encoding(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=REPLACEMENTS)
    monkeypatch.setattr(sys, "stdout", stream)
    print_table("R ± 1 …", COLUMNS, ROWS, caption="Σ → 日本 😀 × ∅")
    say("99.9 ± 0.1 – done")
    stream.flush()
    text = stream.buffer.getvalue().decode(encoding)
    assert "99.9" in text
    assert "12.5" in text


def test_what_ascii_lacks_is_written_in_similar_characters() -> None:
    text = "99.9 ± 0.1 – 3 × 日 ΣL_i…"
    assert text.encode("ascii", REPLACEMENTS) == b"99.9 +- 0.1 - 3 x ? sum L_i..."
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", REPLACEMENTS)


# --------------------------------------------------------------------------- control characters


ATTACK = "a\x1b[2J\x1b]0;title\x07b\rc\x08\u202e\x9bd"


def test_control_characters_are_spelled_out(capsys: Capture) -> None:
    print_table(ATTACK, [ATTACK, ATTACK], [[ATTACK, ATTACK]], caption=ATTACK)
    say(ATTACK)
    warn(ATTACK)
    with pytest.raises(typer.Exit):
        common.fail(ATTACK)
    printed = "".join(capsys.readouterr())
    assert not {"\x1b", "\x07", "\r", "\x08", "\u202e", "\x9b"} & set(printed)
    assert printed.count(r"a\x1b[2J") == 9


def test_plain_text_and_line_breaks_stay() -> None:
    text = "99.9 ± 0.1\n\tΣL_i 日本"
    assert printable(text) == text


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=1"])
def test_a_cell_that_a_spreadsheet_would_execute_gets_an_apostrophe(cell: str) -> None:
    assert csv_cell(cell).startswith("'")
    assert csv_cell("RDN") == "RDN"
    assert [csv_cell(-0.5), csv_cell(None)] == [-0.5, None]


# --------------------------------------------------------------------------- signs of life


def test_without_a_terminal_a_line_says_now_and_then_what_is_going_on(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 0.01)
    said = threading.Event()
    lines: list[str] = []

    def warn_and_tell(line: str) -> None:
        lines.append(line)
        said.set()

    monkeypatch.setattr(progress, "warn", warn_and_tell)
    with pulse("comm-probe bench"):
        assert said.wait(10)
        with counting("rendering") as count:
            count(1200, 5000)
            said.clear()
            assert said.wait(10)
            said.clear()
            assert said.wait(10)
    assert lines[0] == "after 0 s: comm-probe bench"
    assert lines[-1] == "after 0 s: rendering: 1,200 of 5,000"
    assert capsys.readouterr().out == ""


def test_without_a_terminal_a_run_that_ends_is_a_line(capsys: Capture) -> None:
    with several_bars() as bars:
        bars.update("key", "CoMM seed 0", 1.0, 4, "loss 4.20")
        bars.finish("key", "CoMM seed 0", 4, "R 99.9 U 80.0 S 60.0")
    assert capsys.readouterr() == ("", "CoMM seed 0: R 99.9 U 80.0 S 60.0\n")


def test_with_a_terminal_no_line_is_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(progress, "errors", Console(stderr=True, force_terminal=True, quiet=True))
    with pulse("x"), several_bars() as bars:
        bars.finish("key", "CoMM seed 0", 4, "R 99.9")
    assert capsys.readouterr() == ("", "")


# --------------------------------------------------------------------------- broken streams

ASK = "from trifeature.cli import trifeature_main; trifeature_main()"
LINES = {
    "table": "pid gallery",
    "json": "pid gallery --format json",
    "csv": "pid gallery --format csv",
    "help": "generate --help",
    "lines": "attributes",
}


def shell(line: str, redirection: str) -> subprocess.CompletedProcess[str]:
    """`trifeature LINE` with its streams redirected by a shell, and its own exit code."""
    command = f'"{sys.executable}" -c "{ASK}" {line} {redirection}'
    return subprocess.run(  # noqa: S602 - the shell is what is tested
        command,
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        executable="/bin/bash",
        # Unbuffered streams have nothing left to fail at exit: a user's are buffered.
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
    )


@pytest.mark.processes  # streams of a process
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full and a shell")
@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_broken_streams_are_one_line_at_most(line: str) -> None:
    full = shell(line, "> /dev/full")
    assert full.returncode == 2
    assert full.stderr == "error: standard output: No space left on device\n"
    closed = shell(line, ">&-")
    assert (closed.returncode, closed.stderr) == (0, "")
    blind = shell(line, "<&- 2>&-")
    assert blind.returncode == 0
    piped = shell(line, "| true; exit ${PIPESTATUS[0]}")
    assert piped.returncode in (0, CLOSED_PIPE)
    assert piped.stderr == ""
    silent = shell(f"{line} --nothing", "2> /dev/full")
    assert silent.returncode == 2


@pytest.mark.processes
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp932"])
def test_any_encoding_of_the_streams_is_served(encoding: str) -> None:
    words = [sys.executable, "-c", ASK, "pid", "gallery"]
    said = subprocess.run(  # noqa: S603
        words,
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
    )
    assert (said.returncode, said.stderr) == (0, b"")
    assert b"XOR" in said.stdout
