"""Networks and data of a second, for tests of what is done with them and not of what they learn."""

from __future__ import annotations

from typing import Any, Final

from trifeature.comm.settings import RunSettings, run_preset
from trifeature.data.dataset import preset

TINY_MODEL: Final[dict[str, Any]] = {
    "width": 8,
    "heads": 2,
    "hidden": 8,
    "embedding": 4,
    "vector": 8,
}

# Three batches of eight an epoch, the last one of half its size.
TINY_DATA: Final = preset(
    "quick", copies=1, test_copies=1, train_pairs=20, probe_pairs=20, test_pairs=20, match_rate=1.0
)


def tiny_run(**changes: Any) -> RunSettings:
    """Three epochs with a seed of its own, in batches of eight."""
    return run_preset("quick", **TINY_MODEL | {"epochs": 3, "batch_size": 8, "seed": 3} | changes)
