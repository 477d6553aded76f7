"""The commands of a Typer app as data and as Markdown, read from what `--help` is made of.

A section for every command under an app, groups of commands included: how it is called, its help,
and each argument and option with what it takes, its meaning and its default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import typer.main


@dataclass(frozen=True)
class Parameter:
    """An argument or option of a command, as its help says.

    Attributes:
        spelling: As it is typed, with what it takes: `--seed <int>`, `--balanced / --no-balanced`.
        help: What it means.
        default: Its default, or `required`; empty where there is neither.
        limits: What its value must be, such as `x>=1`; empty for no limit.
    """

    spelling: str
    help: str
    default: str
    limits: str


@dataclass(frozen=True)
class Command:
    """One command, with the whole path that calls it.

    Attributes:
        path: As it is typed: `trifeature pid show`.
        usage: How arguments and options follow.
        help: Its docstring.
        parameters: Arguments, then options.
    """

    path: str
    usage: str
    help: str
    parameters: Sequence[Parameter]


def describe(app: typer.Typer, name: str) -> list[Command]:
    """Every command under an app, the app itself first, in the order of `--help`."""
    return list(_walk(typer.main.get_command(app), name, None))


def _walk(command: Any, path: str, parent: Any) -> Iterator[Command]:
    last = path.rpartition(" ")[2]
    context = command.make_context(last, [], parent=parent, resilient_parsing=True)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    shown = sorted(command.params, key=lambda p: p.param_type_name != "argument")
    records = [record for p in shown if (record := p.get_help_record(context))]
    yield Command(path, usage, command.help or "", [_parameter(*record) for record in records])
    for child in getattr(command, "commands", {}).values():
        if not child.hidden:
            yield from _walk(child, f"{path} {child.name}", context)


def _parameter(spelling: str, text: str) -> Parameter:
    """What a help record says: its text ends in `  [default: 1; x>=1]` or so."""
    meaning, _, brackets = re.sub(r"(^|  )\[([^\[\]]*)\]$", "\x00\\2", text).partition("\x00")
    marks = [mark for mark in brackets.split("; ") if mark]
    default = next((m.removeprefix("default: ") for m in marks if m.startswith("default: ")), "")
    if "required" in marks:
        default = "required"
    limits = [mark for mark in marks if mark != "required" and not mark.startswith("default: ")]
    return Parameter(spelling, meaning, default, ", ".join(limits))


# --------------------------------------------------------------------------- as Markdown


def markdown(commands: Sequence[Command], level: int = 3) -> str:
    """The commands as sections of Markdown with a table each."""
    return "\n".join(_section(command, level) for command in commands)


def _section(command: Command, level: int) -> str:
    lines = [f"{'#' * level} {command.path}", "", "```text", command.usage, "```", ""]
    lines += [_escaped(command.help), ""]
    if command.parameters:
        lines += ["| | | default |", "|---|---|---|"]
        lines += [_row(parameter) for parameter in command.parameters]
    return "\n".join([*lines, ""])


def _row(parameter: Parameter) -> str:
    limits = f" ({parameter.limits})" if parameter.limits else ""
    words = (parameter.help + limits, parameter.default)
    cells = [f"`{parameter.spelling}`", *(_escaped(text) for text in words)]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _escaped(text: str) -> str:
    """Plain text as Markdown that shows it unchanged, with options as code."""
    parts = re.split(r"(?<![\w-])(--[a-z][\w-]*(?:=\w+)?)", text)
    plain = [re.sub(r"([\\`*_<\[\]${])", r"\\\1", part) for part in parts[::2]]
    code = [f"`{part}`" for part in parts[1::2]]
    return "".join(word for pair in zip(plain, [*code, ""], strict=True) for word in pair)
