"""Options and input that the commands `trifeature pid ...` share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from trifeature.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from trifeature.columns.files import FileColumns

FileArgument = Annotated[
    Path, typer.Argument(help="A file with a header line: CSV, TSV, semicolons, or Parquet.")
]
SourceOption = Annotated[
    list[str], typer.Option(help="A source: a column, or several joined by commas. Repeat it.")
]
TargetOption = Annotated[str, typer.Option(help="The column that the atoms are about.")]
BinsOption = Annotated[
    str | None,
    typer.Option(
        help="For numbers that look continuous: a number of bins, or categories (as they are)."
    ),
]
AutoBinsOption = Annotated[
    str | None,
    typer.Option(
        help="For numbers that look continuous: a number of bins, auto (the most that the rows can "
        "carry), or categories (each value as it is)."
    ),
]
BinningOption = Annotated[
    str | None,
    typer.Option(help="count: bins of equally many rows; width: of equal width. [count]"),
]
MissingOption = Annotated[
    str | None, typer.Option(help="refuse rows that lack a value, or drop them. [refuse]")
]
LevelOption = Annotated[
    float | None, typer.Option(help="Confidence level of the intervals. [0.95]")
]
LocalMeasureOption = Annotated[str, typer.Option(help='I_sx, I_ccs, I_pm or "pointwise minimum".')]
SortOption = Annotated[
    str, typer.Option(help="Sort by redundancy, unique1, unique2, synergy or total.")
]
SeedOption = Annotated[
    int | None, typer.Option(min=0, help="Seed of folds, splits and permutations. [0]")
]


def read_groups(
    file: Path, texts: list[str], missing: str | None
) -> tuple[list[tuple[str, ...]], FileColumns]:
    """The columns that the options name, without missing values."""
    from trifeature.columns.files import read_joined

    groups, found = read_joined(file, texts)
    return groups, whole_rows(found, missing)


def read_all(file: Path, names: list[str] | None, missing: str | None) -> FileColumns:
    """Columns of a file by name, or all of them, without missing values."""
    from trifeature.columns.files import read_file

    return whole_rows(read_file(file, names), missing)


def whole_rows(found: FileColumns, missing: str | None) -> FileColumns:
    """The rows that have every value; the others are refused, or dropped if asked for."""
    from trifeature.errors import check_name

    if check_name("--missing", missing or "refuse", ("refuse", "drop")) == "drop":
        return found.without_missing()
    found.refuse_missing()
    return found


class TwoSources(NamedTuple):
    """Two sources and a target of a file.

    Attributes:
        parts: The columns of source 1, source 2 and the target, by name.
        names: What they are called.
        extra: The single columns that further options name, in their order.
        found: The file's columns.
    """

    parts: tuple[dict[str, Any], dict[str, Any], dict[str, Any]]
    names: tuple[str, str, str]
    extra: list[Any]
    found: FileColumns

    @property
    def title(self) -> str:
        """The title of a table about them."""
        return f"{self.names[0]} and {self.names[1]} about {self.names[2]}"


def two_sources(
    file: Path,
    source: list[str],
    target: str,
    missing: str | None,
    extra: Mapping[str, str] | None = None,
) -> TwoSources:
    """Read exactly two sources, their target, and single columns by the option that names them."""
    if len(source) != 2:
        raise InputError(f"name exactly two sources with --source, got {len(source)}")
    further = extra or {}
    groups, found = read_groups(file, [*source, target, *further.values()], missing)
    single("--target", groups[2])
    require_other(*groups[:3])
    one, other, about = ({name: found.columns[name] for name in group} for group in groups[:3])
    names = ("+".join(one), "+".join(other), groups[2][0])
    columns = [
        found.columns[single(option, group)]
        for option, group in zip(further, groups[3:], strict=True)
    ]
    return TwoSources((one, other, about), names, columns, found)


def several_sources(
    file: Path, source: list[str], target: str, missing: str | None
) -> tuple[dict[str, Any], str, Any]:
    """The parts of each source by its name, the target's name and its values."""
    groups, found = read_groups(file, [*source, target], missing)
    about = single("--target", groups[-1])
    require_other(*groups[:-1], (about,))
    parts = {
        "+".join(group): {name: found.columns[name] for name in group} for group in groups[:-1]
    }
    return parts, about, found.columns[about]


def require_other(*groups: tuple[str, ...]) -> None:
    """No source is the target or another source."""
    *given, (target,) = groups
    for place, names in enumerate(given):
        if target in names:
            raise InputError(
                f"{target!r} cannot be its own source: name other columns with --source"
            )
        if any(set(names) == set(other) for other in given[:place]):
            words = "both" if len(given) == 2 else "two"
            raise InputError(f"{words} sources are {','.join(names)!r}: name another with --source")


def single(option: str, names: tuple[str, ...]) -> str:
    """The one column that an option names."""
    if len(names) != 1:
        raise InputError(f"name one column with {option}, got {', '.join(map(repr, names))}")
    return names[0]


def bins_of(text: str | None, *, auto: bool = False) -> Any:
    """A number of bins, or a word."""
    if text is None or text == "categories" or (auto and text == "auto"):
        return text
    return whole("--bins", text, f"a whole number{', auto' * auto} or categories")


def whole(option: str, text: str, words: str = "whole numbers") -> int:
    """The whole number that a text is."""
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{option} must be {words}, not {text!r}") from None


def number_or_word(text: str | None) -> float | str | None:
    """A number where the text is one, else the text."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def column_of_numbers(name: str, column: Any) -> Any:
    """A column as numbers, [n]."""
    from trifeature.columns import as_numbers

    return as_numbers(name, column)[:, 0]


def arrays_of(file: Path, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """Named arrays of an .npz file."""
    import zipfile

    import numpy as np

    if file.is_file() and not zipfile.is_zipfile(file):
        raise InputError(f"{file} is not an .npz file: numpy.savez writes one")
    try:
        with np.load(file, allow_pickle=False) as content:
            known = list(content.files)
            found = {name: content[name] for name in (*names, *optional) if name in known}
    except OSError as problem:
        raise InputError(f"cannot read {file}: {problem.strerror or problem}") from None
    except (ValueError, EOFError, zipfile.BadZipFile):
        raise InputError(
            f"{file} is damaged, or holds more than plain arrays: numpy.savez writes them"
        ) from None
    lacking = [name for name in names if name not in found]
    if lacking:
        listed = ", ".join(known) or "none"
        raise InputError(
            f"{file} lacks {', '.join(lacking)}: it must hold arrays of these names "
            f"(it holds {listed})"
        )
    return found


def write_picture(figure: Figure, path: Path) -> None:
    """Write a figure into a file."""
    from trifeature.plots import write_figure

    write_figure(figure, path, dpi=150)
