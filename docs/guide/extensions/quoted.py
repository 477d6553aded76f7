"""The commands that pages quote: found in Markdown, and read as the command line would read them.

A *line* stands in a fenced block and is typed as it is; a *mention* stands within a sentence
between backticks, often with a placeholder or without the rest. Nothing is carried out here: see
`run_commands.py`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import typer.main

from trifeature.pid.gallery import GALLERY

PROGRAMS: Final = ("trifeature", "comm-probe")
COMMAND: Final = rf"(?:{'|'.join(PROGRAMS)})(?=\s)"
FENCE: Final = re.compile(
    r"^(?P<mark>```+|~~~+)(?P<language>\S*)[^\n]*\n(.*?)^(?P=mark)\s*$", re.S | re.M
)
TYPED: Final = ("", "console", "text", "sh", "bash", "shell")
"""Languages of the blocks whose lines are typed."""
PLACEHOLDER: Final = re.compile(r"…|\.\.\.|\||(?<![\w/.-])(?:\[?[A-Z]{3,}\]?)(?![\w/.-])")
"""What stands for something else in a mention: NAME, [PATH], an ellipsis, one of several."""
ELSEWHERE: Final = ("--plugin",)
"""Options whose file is loaded when the line is read; its content is not the command line's."""


@dataclass(frozen=True)
class Quoted:
    """A command as a page quotes it.

    Attributes:
        page: The Markdown file.
        text: Without a prompt and without a comment, on one line.
        mention: Whether it stands within a sentence.
    """

    page: Path
    text: str
    mention: bool = False

    @property
    def words(self) -> list[str]:
        """As a shell would divide it."""
        return shlex.split(self.text, comments=True)


def quoted(page: Path) -> list[Quoted]:
    """The commands of a page, lines and mentions, in their order, each once.

    Args:
        page: A Markdown file.
    """
    text = page.read_text(encoding="utf-8")
    lines = [
        Quoted(page, shlex.join(shlex.split(line, comments=True)))
        for block in FENCE.finditer(text)
        if block["language"] in TYPED
        for line in _typed(block[3])
    ]
    prose = FENCE.sub("", text)
    spans = re.findall(rf"(?<!`)`({COMMAND}[^`]+)`(?!`)", prose)
    mentions = [Quoted(page, " ".join(span.split()), mention=True) for span in spans]
    return list(dict.fromkeys([*lines, *mentions]))


def _typed(block: str) -> Iterator[str]:
    """The lines of a block that call one of our programs, continued lines joined."""
    for line in block.replace("\\\n", " ").splitlines():
        line = re.sub(r"^\s*(?:\$ )?(?:\.venv/bin/)?", "", line)  # noqa: PLW2901 - as it is typed
        if re.match(COMMAND, line):
            yield line


@cache
def apps() -> dict[str, typer.Typer]:
    """Our two programs."""
    from trifeature.cli import data, probe  # noqa: PLC0415 - slow, and not needed to find commands

    return dict(zip(PROGRAMS, (data.app, probe.app), strict=True))


@cache
def _parsers() -> dict[str, Any]:
    return {name: typer.main.get_command(app) for name, app in apps().items()}


def arguments(words: Sequence[str]) -> list[str]:
    """What follows a program's name, as it reaches the parser; plugins are taken out.

    Args:
        words: The command, its program first.
    """
    from trifeature.cli import data  # noqa: PLC0415 - slow
    from trifeature.cli.common import protect_bare_option  # noqa: PLC0415 - slow

    words = protect_bare_option(words[1:], "--synergy-map", data.BARE)
    for option in ELSEWHERE:
        while option in words:
            place = words.index(option)
            words[place : place + 2] = []
    return words


def problem(command: Quoted) -> str:
    """What is wrong with a quoted command, in one line; empty where nothing is.

    A line is read in full: commands, options, arguments and the values that can be checked. Of a
    mention commands and options must exist.
    """
    node, words = _parsers()[command.words[0]], arguments(command.words)
    context = None
    while hasattr(node, "commands") and words and not words[0].startswith("-"):
        if words[0] not in node.commands:
            if command.mention and PLACEHOLDER.search(words[0]):
                return ""
            return f"{command.text}: no such command: {words[0]}"
        context = node.make_context(words[0], [], parent=context, resilient_parsing=True)
        node, words = node.commands[words[0]], words[1:]
    if command.mention or hasattr(node, "commands"):  # such as `trifeature --version`
        return _unknown_option(command, node, words)
    return _unknown_name(command, words) or _refused(command, node, words, context)


def _refused(command: Quoted, node: Any, words: Sequence[str], context: Any) -> str:
    """What the parser, or a check of its values, says of a whole line."""
    try:
        node.make_context(node.name, list(words), parent=context)
    except Exception as error:  # noqa: BLE001 - whatever they raise
        return f"{command.text}: {getattr(error, 'message', '') or error}"
    return ""


@cache
def _names() -> dict[str, dict[str, Collection[str]]]:
    """What may follow a program's option that names a part; a command checks it when it runs."""
    from trifeature.comm.options import OPTIONS  # noqa: PLC0415 - slow
    from trifeature.comm.settings import ENCODER_NAMES  # noqa: PLC0415 - slow
    from trifeature.pid.measures import MEASURES  # noqa: PLC0415 - slow
    from trifeature.presets import PRESETS  # noqa: PLC0415 - slow

    measures = [*(name.lower() for name in MEASURES), "all"]
    return {
        "trifeature": {"--preset": PRESETS, "--measure": measures},
        "comm-probe": {"--preset": PRESETS, "--method": OPTIONS, "--encoder": ENCODER_NAMES},
    }


def _unknown_name(command: Quoted, words: Sequence[str]) -> str:
    if any(option in command.words for option in ELSEWHERE):
        return ""  # a plugin may register more
    for option, name in pairwise(words):
        known = _names()[command.words[0]].get(option)
        if known is not None and name.lower() not in known:
            return f"{command.text}: no such name: {name}"
    return ""


def _unknown_option(command: Quoted, node: Any, words: Sequence[str]) -> str:
    known = {name for p in node.params for name in (*p.opts, *p.secondary_opts)}
    known |= {"--help", *ELSEWHERE}
    for word in words:
        option = word.partition("=")[0]
        if option.startswith("--") and option not in known:
            return f"{command.text}: no such option: {option}"
    return ""


def complete(command: Quoted) -> bool:
    """Whether a command can be carried out as it is quoted."""
    if not command.mention:
        return True
    left_open = [w for w in command.words if PLACEHOLDER.search(w) and w not in GALLERY]
    return not left_open and not _is_group(command) and not problem(replace(command, mention=False))


def _is_group(command: Quoted) -> bool:
    """Whether it names commands and none of them: `trifeature pid`."""
    node = _parsers()[command.words[0]]
    for word in arguments(command.words):
        node = getattr(node, "commands", {}).get(word, node)
    return hasattr(node, "commands") and not any(w.startswith("-") for w in command.words)
