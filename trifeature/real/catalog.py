"""The sets of real data by name: find their files, check them, read them.

The files are never downloaded. They are looked for in the folder that is named, then in
`TRIFEATURE_DATA/NAME`, in the installed package that ships them, which is not imported, and where
the operating system puts them. Their SHA-256 must be that of the files that were published.

Light to import: readers, and torch with them, are loaded when data are asked for. The sets that
packages ship are described in `packaged.sources`, those of the paper in `paper.sources`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trifeature.errors import InputError, check_name
from trifeature.files import plain
from trifeature.real.packaged.sources import PACKAGE_SOURCES
from trifeature.real.paper.sources import PAPER_SOURCES
from trifeature.real.source import HOME as HOME  # noqa: PLC0414 - re-exported
from trifeature.real.source import Source as Source  # noqa: PLC0414 - re-exported
from trifeature.real.source import SourceFile as SourceFile  # noqa: PLC0414 - re-exported
from trifeature.real.source import find_file as find_file  # noqa: PLC0414 - re-exported
from trifeature.real.source import sha256_of

if TYPE_CHECKING:
    from trifeature.samples import Samples

SOURCES: Final[dict[str, Source]] = {}
"""Every set of real data by name."""


def register_source(source: Source) -> None:
    """Add a set of real data.

    Raises:
        InputError: a set of this name exists already.
    """
    if source.name in SOURCES:
        raise InputError(f"a set of real data called {source.name!r} exists already")
    SOURCES[source.name] = source


for _source in (*PACKAGE_SOURCES, *PAPER_SOURCES):
    register_source(_source)


def source_of(name: str) -> Source:
    """A set of real data by its name.

    Raises:
        InputError: there is no such set; the message suggests the nearest name.
    """
    return SOURCES[check_name("set of real data", name, SOURCES)]


def find_source_folder(name: str, path: str | Path | None = None) -> Path:
    """The folder with the files of a set.

    Args:
        name: Name of the set.
        path: The folder, or one of its files; None to look where they may be, see the module.

    Raises:
        InputError: there is no such set, a file is missing, or none is found anywhere.
    """
    source = source_of(name)
    if path is not None:
        return _given_folder(source, Path(path).expanduser())
    if (folder := source.found()) is None:
        raise InputError(
            f"the files of {name} are not here: name their folder, or see `trifeature data how "
            f"{name}`"
        )
    return folder


def _given_folder(source: Source, path: Path) -> Path:
    if path.is_file() and path.name not in {Path(file.name).name for file in source.files}:
        raise InputError(f"{path} is no file of {source.name}: name the folder of its files")
    folder = path.parent if path.is_file() else path
    if not folder.is_dir():
        raise InputError(f"{path}: there is no such folder")
    if lacking := source.missing(folder):
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise InputError(
            f"{folder} lacks {lacking[0]}{more}: `trifeature data how {source.name}` says how to "
            "get the files"
        )
    return folder


@dataclass(frozen=True)
class FoundFile:
    """A file of a set as it was found.

    Attributes:
        name: Its name, see `SourceFile`.
        path: Where it is.
        size: Bytes.
        sha256: SHA-256.
        differs: How it differs from the file that was published, in words; empty if it does not,
            or if nothing is known of that file.
    """

    name: str
    path: Path
    size: int
    sha256: str
    differs: str = ""


def found_files(name: str, folder: Path) -> list[FoundFile]:
    """The files of a set in a folder, compared with those that were published."""
    return [_found(file, find_file(folder, file.name)) for file in source_of(name).files]


def _found(file: SourceFile, path: Path) -> FoundFile:
    size, digest = path.stat().st_size, sha256_of(path)
    differs = ""
    if file.size is not None and file.size != size:
        differs = f"{size:,} bytes, not {file.size:,}"
    elif file.sha256 is not None and file.sha256 != digest:
        differs = f"SHA-256 {digest[:12]}…, not {file.sha256[:12]}…"
    return FoundFile(file.name, path, size, digest, differs)


def require_published(name: str, files: Iterable[FoundFile]) -> None:
    """Refuse files that differ from those that were published.

    Raises:
        InputError: one differs, in size or in content.
    """
    for file in files:
        if file.differs:
            raise InputError(
                f"{file.path} is not the file of {name} that was published ({file.differs}): get "
                "it again, or read it as it is with check=False"
            )


def load_real(
    name: str, path: str | Path | None = None, *, check: bool = True, **options: Any
) -> Samples:
    """Read a set of real data.

    Args:
        name: Name of the set, a key of `SOURCES`.
        path: Folder with its files; None to look where they may be, see the module.
        check: Refuse files whose SHA-256 is not that of the files that were published.
        **options: Options of its reader, such as `seed`.

    Returns:
        The samples; `origin` has the set's name, all options, and each file's SHA-256.

    Raises:
        InputError: there is no such set or option, or the files are missing, differ, or cannot be
            read.
    """
    source = source_of(name)
    chosen = source.options_of(options)
    folder = find_source_folder(name, path)
    files = found_files(name, folder)
    if check:
        require_published(name, files)
    return _with_origin(source.read(folder, chosen), source, chosen, files)


def _with_origin(
    samples: Samples, source: Source, options: Any, files: Sequence[FoundFile]
) -> Samples:
    """Samples that say what they are: what the reader says, the set, its options and files."""
    own: dict[str, Any] = {"source": source.name, "options": plain(asdict(options))}
    own["files"] = {**samples.origin.get("files", {}), **{x.name: x.sha256 for x in files}}
    return replace(samples, origin={**samples.origin, **own})
