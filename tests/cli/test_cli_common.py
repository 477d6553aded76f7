"""What all commands share: one line for an error, a sentence for Ctrl-C, tables that stay whole."""

import errno
import json
import math
import os

import pytest
import typer

from trifeature.cli.common import (
    BAD_INPUT,
    INTERRUPTED,
    fail,
    guarded,
    print_json,
    print_table,
    protect_bare_option,
)
from trifeature.cli.progress import counting, several_bars
from trifeature.errors import InputError, TrainingError

Capture = pytest.CaptureFixture[str]

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
FULL_FILE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/rows.jsonl")


# --------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (InputError("no such thing"), "error: no such thing"),
        (
            TrainingError("the loss is not finite at step 7"),
            "error: the loss is not finite at step 7",
        ),
        (FULL, "error: No space left on device"),
        (FULL_FILE, "error: runs/rows.jsonl: No space left on device"),
        (OSError("bare words"), "error: bare words"),
        (InputError("map [bold]x[/bold] and [/y]"), "error: map [bold]x[/bold] and [/y]"),
        (InputError("long " * 60), "error: " + "long " * 60),
    ],
)
def test_what_a_user_can_mend_is_one_line_and_exit_code_2(
    problem: Exception, line: str, capsys: Capture
) -> None:
    @guarded
    def command() -> None:
        raise problem

    with pytest.raises(typer.Exit) as stop:
        command()
    assert stop.value.exit_code == BAD_INPUT == 2
    assert capsys.readouterr() == ("", line + "\n")


def test_ctrl_c_is_one_sentence_and_exit_code_130(capsys: Capture) -> None:
    @guarded
    def command() -> None:
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as stop:
        command()
    assert stop.value.exit_code == INTERRUPTED == 130
    out, err = capsys.readouterr()
    assert (out, err.strip()) == (
        "",
        "stopped: nothing is half-written; the same command does the rest",
    )


def test_a_defect_of_the_program_is_not_hidden() -> None:
    @guarded
    def command() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        command()


def test_a_guarded_command_returns_and_is_named_as_before() -> None:
    @guarded
    def double(number: int) -> int:
        """Twice."""
        return 2 * number

    assert double(number=4) == 8
    assert (double.__name__, double.__doc__) == ("double", "Twice.")


def test_failing_prints_to_standard_error_alone(capsys: Capture) -> None:
    with pytest.raises(typer.Exit):
        fail("wrong")
    assert capsys.readouterr() == ("", "error: wrong\n")


# --------------------------------------------------------------------------- bare options


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], []),
        (["generate"], ["generate"]),
        (["generate", "--map"], ["generate", "--map=auto"]),
        (["generate", "--map", "OUT"], ["generate", "--map=auto", "OUT"]),
        (
            ["generate", "OUT", "--map", "--seed", "1"],
            ["generate", "OUT", "--map=auto", "--seed", "1"],
        ),
        (["generate", "--map=identity"], ["generate", "--map=identity"]),
        (["generate", "--mapping", "x"], ["generate", "--mapping", "x"]),
        (["generate", "--", "--map"], ["generate", "--", "--map"]),
        (["generate", "--map", "--", "--map"], ["generate", "--map=auto", "--", "--map"]),
    ],
)
def test_a_bare_option_gets_its_value_and_never_takes_the_next_word(
    words: list[str], expected: list[str]
) -> None:
    assert protect_bare_option(words, "--map", "auto") == expected


# --------------------------------------------------------------------------- output


def test_a_table_wider_than_the_window_keeps_every_cell(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    cells = [f"99.{n} ± 10.{n}" for n in range(10)]
    print_table("a title", ["", *(f"column {n}" for n in range(10))], [["CoMM, AlexNet", *cells]])
    lines = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    words = [[word.strip() for word in line if word.strip()] for line in lines]
    assert ["a title"] in words
    assert [f"column {n}" for n in range(10)] in words
    assert ["CoMM, AlexNet", *cells] in words


def test_brackets_in_a_table_are_no_markup(capsys: Capture) -> None:
    print_table("runs[new]", ["", "[a]"], [["[bold]x[/y]", "1"]])
    out = capsys.readouterr().out
    assert all(word in out for word in ("runs[new]", "[a]", "[bold]x[/y]"))


def test_json_is_for_programs(capsys: Capture) -> None:
    print_json({"R": 0.5, "name": "ΣL_i"})
    assert json.loads(capsys.readouterr().out) == {"R": 0.5, "name": "ΣL_i"}


def test_json_for_programs_is_strict(capsys: Capture) -> None:
    print_json({"probe": [{"bits": math.inf}], "auc": math.nan})
    assert json.loads(capsys.readouterr().out) == {"probe": [{"bits": None}], "auc": None}


def test_progress_bars_leave_nothing_in_a_log(capsys: Capture) -> None:
    with counting("rendering") as progress:
        progress(1, 2)
        progress(2, 2)
    with several_bars() as bars:
        bars.update("key", "a run", 1.0, 2, "L 4.1")
    assert capsys.readouterr() == ("", "")
