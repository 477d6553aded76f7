"""Networks and data of a second, for tests of what is done with them and not of what they learn."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Final

from trifeature.comm.methods import METHODS
from trifeature.comm.options import OPTIONS
from trifeature.comm.settings import RunSettings, run_preset
from trifeature.data.dataset import DatasetSettings, preset
from trifeature.modality import Modality
from trifeature.presets import QUICK, TINY, Preset

TINY_MODEL: Final[dict[str, Any]] = {
    "width": 8,
    "heads": 2,
    "hidden": 8,
    "embedding": 4,
    "vector": 8,
}

# Three batches of eight an epoch, the last one of half its size.
TINY_DATA: Final = preset(
    "tiny", copies=1, test_copies=1, train_pairs=20, probe_pairs=20, test_pairs=20, match_rate=1.0
)


def image_pair(count: int = 2, side: int = 32) -> list[Modality]:
    """Square images of three channels as modalities."""
    return [Modality(f"image{m + 1}", "image", (3, side, side)) for m in range(count)]


def images_for(method: str) -> list[Modality]:
    """Two images, or as many as a method needs at least, as modalities."""
    return image_pair(max(2, METHODS[method].least_modalities))


def methods_of_pairs() -> list[str]:
    """The names of the methods that learn from two modalities."""
    return [name for name, method in METHODS.items() if method.least_modalities <= 2]


def fitting(method: str, sizes: dict[str, Any]) -> dict[str, Any]:
    """The sizes that a method has among its options."""
    names = {f.name for f in fields(OPTIONS.get(method, OPTIONS["comm"]))}
    return {name: value for name, value in sizes.items() if name in names}


def tiny_run(**changes: Any) -> RunSettings:
    """Three epochs with a seed of its own, in batches of eight."""
    sizes = fitting(changes.get("method", "comm"), TINY_MODEL)
    return run_preset("tiny", **sizes | {"epochs": 3, "batch_size": 8, "seed": 3} | changes)


def quick_preset(data: DatasetSettings | None = None, run: RunSettings | None = None) -> Preset:
    """The quick preset with other settings of its data and of its run."""
    own: dict[str, Any] = dict(TINY.data)
    if data is not None:
        names = {f.name for f in fields(data)} - {"synergy_map"}
        own = {name: getattr(data, name) for name in names}
    training: dict[str, Any] = dict(TINY.run)
    if run is not None:
        names = {f.name for f in fields(run)} - {"options"}
        training = {name: getattr(run, name) for name in names} | vars(run.options)
    return replace(TINY, name="quick", data=own, run=training, speedrun=QUICK.speedrun)
