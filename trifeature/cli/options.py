"""Options of commands, made from the dataclasses that they fill: each is documented once."""

from __future__ import annotations

import functools
import inspect
import re
import types
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import typer

from trifeature.cli.common import writable_file
from trifeature.comm.options import OPTIONS
from trifeature.comm.settings import PRECISIONS, Precision
from trifeature.errors import InputError, check_name

R = TypeVar("R")

RUNS: Final = Path("runs")
FIGURES: Final = Path("figures")
ROWS: Final = "rows.jsonl"


# --------------------------------------------------------------------------- from dataclasses


def descriptions(kind: type) -> dict[str, str]:
    """The text of a dataclass's docstring on each attribute, under `Attributes:`.

    >>> from trifeature.data.rule import PairRule
    >>> sorted(descriptions(PairRule)) == sorted(f.name for f in fields(PairRule))
    True
    """
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        _, _, block = inspect.cleandoc(base.__doc__ or "").partition("Attributes:\n")
        block = re.split(r"^\S", block, maxsplit=1, flags=re.MULTILINE)[0]  # to the next section
        entries = re.findall(r"^    (\S.*?): (.*(?:\n {8}.*)*)", block, flags=re.MULTILINE)
        for names, words in entries:
            found |= dict.fromkeys(names.split(", "), " ".join(words.replace("`", "").split()))
    return found


def options_of(
    kind: type,
    without: Collection[str] = (),
    only: Collection[str] | None = None,
    help: Mapping[str, str] | None = None,  # noqa: A002 - the word of the command line
    defaults: bool = False,
) -> list[inspect.Parameter]:
    """An option for each field of a dataclass that is a number, a word or a switch.

    An option that is not given is None, so the default stays with the dataclass or the preset.

    Args:
        kind: The dataclass; its docstring's `Attributes:` are the help.
        without: Fields to leave out.
        only: Fields to take; all by default.
        help: Other help than the docstring's.
        defaults: Show the dataclass's defaults: no preset has others.
    """
    hints, words = get_type_hints(kind), descriptions(kind) | dict(help or {})
    chosen = [f.name for f in fields(kind) if f.name not in without]
    for name in chosen:
        choices = get_args(hints[name]) if get_origin(hints[name]) is Literal else ()
        if not all(choice in words.get(name, "") for choice in choices):
            words[name] = f"{words.get(name, '')} One of {', '.join(choices)}."
    if defaults:
        words = {f.name: f"{words.get(f.name, '')} [{f.default}]" for f in fields(kind)}
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[plain | None, typer.Option(help=words.get(name))],
        )
        for name in chosen
        if (only is None or name in only) and (plain := _plain_type(hints[name])) is not None
    ]


def _plain_type(hint: Any) -> type | None:
    """The form in which a value of this type is typed; None for nested settings."""
    if hint in (bool, int, float, str):
        return hint  # type: ignore[no-any-return]
    if get_origin(hint) is Literal:
        return str
    if get_origin(hint) in (Union, types.UnionType):
        plain = [found for one in get_args(hint) if (found := _plain_type(one)) is not None]
        return str if str in plain else (plain[0] if plain else None)
    return None


def with_options(*parameters: inspect.Parameter) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Give a command options beside its own; those that were given reach its `**changes`."""

    def decorate(command: Callable[..., R]) -> Callable[..., R]:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        added = {p.name for p in parameters}

        @functools.wraps(command)
        def run(**given: Any) -> R:
            return command(**{k: v for k, v in given.items() if k not in added or v is not None})

        own = [p.replace(kind=p.KEYWORD_ONLY) for p in own]
        run.__signature__ = signature.replace(parameters=[*own, *parameters])  # type: ignore[attr-defined]
        return run

    return decorate


def pick(changes: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """The changes that are fields of a dataclass."""
    names = {f.name for f in fields(kind)}
    return {name: value for name, value in changes.items() if name in names}


def method_options() -> list[inspect.Parameter]:
    """The options of all methods, each once; the help says whose it is where not everyone's."""
    owners: dict[str, list[str]] = {}
    for method, kind in OPTIONS.items():
        for one in fields(kind):
            owners.setdefault(one.name, []).append(method)
    found = []
    for name, methods in owners.items():
        kind = OPTIONS[methods[0]]
        words = descriptions(kind).get(name, "")
        note = {} if len(methods) == len(OPTIONS) else {name: f"{words} ({', '.join(methods)})"}
        found += options_of(kind, only=[name], help=note)
    return found


# --------------------------------------------------------------------------- of several commands

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="A data set's folder; the preset is generated if none is named.",
        file_okay=False,
    ),
]
TrainDataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="NAME_OR_FOLDER",
        help="A set of real data by name (`trifeature data list`), or a data set's folder; the "
        "preset is generated if none is named.",
    ),
]
DataOptionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data-option",
        metavar="KEY=VALUE",
        help="Of a set of real data: an option of its reader; several times.",
    ),
]
FolderOption = Annotated[
    Path | None,
    typer.Option("--folder", help="Of a set of real data: where its files are.", file_okay=False),
]
RunDataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Its data set; rendered again if not named.", file_okay=False),
]
PresetOption = Annotated[
    str, typer.Option("--preset", help="paper, fast, laptop, quick or tiny: network and training.")
]
JobsOption = Annotated[int | None, typer.Option(help="Runs side by side.", min=1)]
EpochsOption = Annotated[int | None, typer.Option(help="Other than the preset's.", min=1)]
ProbingOption = Annotated[
    str,
    typer.Option(
        help="ours; products: with products of the modalities' features; authors: random light "
        "crops and their probe."
    ),
]
ProbeAtOption = Annotated[
    str | None, typer.Option("--probe-at", help="Epochs to probe at, as in 0,1,2,4.")
]
RowsOption = Annotated[
    Path | None,
    typer.Option(
        help="JSON lines to append the numbers to.", dir_okay=False, callback=writable_file
    ),
]
OutOption = Annotated[Path, typer.Option(help="Folder of the runs' folders.", file_okay=False)]


def read_precision(name: str | None) -> Precision | None:
    """The precision that a name stands for, None for the preset's."""
    if name is None:
        return None
    return next(p for p in PRECISIONS if p == check_name("precision", name, PRECISIONS))


def read_epochs(text: str | None, epochs: int) -> tuple[int, ...]:
    """The epochs to probe at: those named, or about five spread over the run.

    The untrained network, a control of S, is always among them.
    """
    if text is None:
        return tuple(sorted({0, 1, *(round(epochs * part / 4) for part in range(1, 5))}))
    try:
        chosen = tuple(int(word) for word in text.split(","))
    except ValueError:
        raise InputError(f"--probe-at needs whole numbers such as 0,1,4, not {text!r}") from None
    if any(not 0 <= epoch <= epochs for epoch in chosen):
        raise InputError(f"--probe-at must be from 0 to the last epoch, {epochs}")
    return (0, *chosen)


def refuse_unused(given: Mapping[str, bool], reason: str) -> None:
    """Refuse options that the command would not use.

    Args:
        given: Option -> whether it was given.
        reason: Why they are not used.

    Raises:
        InputError: an option was given.

    >>> refuse_unused({"--seeds": False}, "needs --speedrun")
    """
    if names := [name for name, was in given.items() if was]:
        raise InputError(f"{' and '.join(names)} {reason}")


def names_help(names: Iterable[str], words: str = "") -> str:
    """The names an option accepts, for its help."""
    return ", ".join(names) + words
