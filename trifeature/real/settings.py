"""Which real data a run is about: the name of a set and the options of its reader.

`RealSettings` is for real data what `DatasetSettings` is for Trifeature: a plan of a run holds one
or the other. The folder of the files is where they happen to be, so it makes no two settings
different and is in no key of a run; digests of the files are in the samples' origin.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from trifeature.checks import require_flag
from trifeature.errors import InputError
from trifeature.real.catalog import find_file, find_source_folder, load_real, source_of

if TYPE_CHECKING:
    import torch

    from trifeature.samples import Samples

CHECK = "check"
"""Name under which the command line gives `RealSettings.check` among the options."""


@dataclass(frozen=True)
class RealSettings:
    """The real data of a run.

    Attributes:
        source: Name of the set, see `trifeature.real.catalog`.
        options: Options of its reader, an object of its class; those not named in a mapping, and
            all of None, have their defaults.
        folder: Where the files are; None to look where they may be.
        check: Refuse files that differ from those that were published.
        validation: Always False: probes are scored on the set's own test samples.

    Raises:
        InputError: there is no such set or option, or a value is wrong.
    """

    source: str
    options: Any = None
    folder: Path | None = field(default=None, compare=False)
    check: bool = field(default=True, compare=False)

    validation: ClassVar[bool] = False

    def __post_init__(self) -> None:
        source = source_of(self.source)
        if self.options is None or isinstance(self.options, Mapping):
            object.__setattr__(self, "options", source.options_of(self.options))
        elif (kind := type(source.options_of())) is not type(self.options):
            raise InputError(
                f"the options of {self.source} are {kind.__name__}, not "
                f"{type(self.options).__name__}"
            )
        require_flag(CHECK, self.check)

    @property
    def seed(self) -> int:
        """The seed of what the reader draws: a split, pairs."""
        return int(getattr(self.options, "seed", 0))

    @property
    def planted(self) -> bool:
        """Whether the reader makes the pairs, so that there are biased and unbiased ones."""
        return hasattr(self.options, "match_rate")

    @property
    def match_rate(self) -> float | None:
        """The share of training pairs that keep the map; None for chance, or without a map."""
        rate = getattr(self.options, "match_rate", None)
        return None if rate is None else float(rate)

    def change(self, **changes: Any) -> RealSettings:
        """The same with some options of the reader changed.

        Raises:
            InputError: there is no such option, or a value is wrong.
        """
        return replace(self, options={**asdict(self.options), **changes})

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `from_json` reads back: the source and all options."""
        return {"source": self.source, "options": asdict(self.options)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> RealSettings:
        """Read `to_json`, or the origin of samples that `load_real` made.

        Raises:
            InputError: it is neither, or there is no such set or option.
        """
        if not isinstance(content, Mapping) or not isinstance(content.get("source"), str):
            raise InputError("the settings of real data must be a JSON object with a source")
        return cls(content["source"], dict(content.get("options", {})))

    def lacking(self) -> str:
        """What the set needs that is not here, and how to get it; empty if nothing is missing.

        >>> RealSettings("mimic").lacking()  # doctest: +SKIP
        'needs im.pk: trifeature data how mimic'
        """
        try:
            find_source_folder(self.source, self.folder)
        except InputError:
            files = source_of(self.source).files
            more = f" and {len(files) - 1} more" if len(files) > 1 else ""
            named = f"{files[0].name}{more}" if files else "its files"
            return f"needs {named}: trifeature data how {self.source}"
        return ""

    def build(self, device: torch.device | str = "cpu") -> Samples:
        """Read the samples and move them to a device.

        The samples that were read last are kept, since runs of one experiment share them.

        Raises:
            InputError: the files are missing, differ from those that were published, or cannot be
                read.
        """
        folder = find_source_folder(self.source, self.folder)
        files = tuple(_state(find_file(folder, file.name)) for file in source_of(self.source).files)
        return _read(self, folder, self.check, files).to(device)

    def describe(self) -> str:
        """The set and the options that are not at their defaults, in words."""
        usual = source_of(self.source).options_of()
        own = [
            f"{one.name.replace('_', ' ')} {_in_words(getattr(self.options, one.name))}"
            for one in fields(self.options)
            if getattr(self.options, one.name) != getattr(usual, one.name)
        ]
        return ", ".join([self.source, *own])


def _in_words(value: Any) -> str:
    """A value; of several, all of them."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _state(path: Path) -> tuple[int, int]:
    """Time and size of a file or folder: what differs when another is put in its place."""
    state = path.stat()
    return state.st_mtime_ns, state.st_size


@functools.lru_cache(maxsize=1)
def _read(
    settings: RealSettings,
    folder: Path,
    check: bool,
    files: tuple[tuple[int, int], ...],  # noqa: ARG001 - a key of the cache
) -> Samples:
    """The samples of a folder; `files` tells apart different contents of one folder."""
    return load_real(settings.source, folder, check=check, **asdict(settings.options))
