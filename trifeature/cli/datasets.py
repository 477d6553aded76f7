"""Making data sets, with a progress bar, where several commands need one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.markup import escape

from trifeature.cli.common import say, warn
from trifeature.cli.progress import counting

if TYPE_CHECKING:
    from trifeature.data.settings import DatasetSettings
    from trifeature.data.storage import Generated

DATA: Final = Path("data")


def default_folder(name: str, settings: DatasetSettings) -> Path:
    """The folder of a data set when none is named."""
    kind = "biased" if settings.match_rate is not None else "unbiased"
    return DATA / f"{name}-{kind}-seed{settings.seed}"


def make(
    folder: Path, settings: DatasetSettings, device: str | None = None, overwrite: bool = False
) -> Generated:
    """Generate with a progress bar."""
    from trifeature.data import storage
    from trifeature.device import pick_device

    with counting("rendering and writing images") as progress:
        made = storage.generate(
            folder,
            settings,
            overwrite=overwrite,
            device=pick_device(device),
            progress=progress,
            on_wait=lambda: say(f"waiting for another process that writes {escape(str(folder))}"),
        )
    if made.reused:
        note_litter(made.path)
    return made


def note_litter(folder: Path) -> None:
    """Say what a desktop left in a data set: it is ignored."""
    from trifeature.data import storage

    if names := storage.litter(folder):
        warn(f"{folder}: ignored what a desktop left there: {', '.join(names)}")
