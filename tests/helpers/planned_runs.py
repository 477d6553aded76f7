"""Plans of runs of a second, their rows, and what of rows must not differ between two runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from tiny_runs import tiny_run

from trifeature.comm.settings import RunSettings
from trifeature.comm.training import Backend
from trifeature.data.dataset import DatasetSettings, preset
from trifeature.experiments.plan import Plan, Row
from trifeature.files import read_rows

DATA = preset(
    "tiny", copies=1, test_copies=1, train_pairs=16, probe_pairs=150, test_pairs=60, match_rate=1.0
)
RUN = tiny_run(epochs=1, seed=0)
SECONDS = 100.0


def make(seed: int = 0, **changes: Any) -> Plan:
    return Plan("tiny", DATA, RUN.change(seed=seed, **changes), ())


def row_of(plan: Plan, seconds: float = SECONDS - 1, probe_seconds: float = 1.0) -> Row:
    return {
        "key": plan.key,
        "epoch": plan.run.epochs,
        "preset": plan.preset,
        "method": plan.run.method,
        "setting": plan.setting,
        "biased": plan.biased,
        "seed": plan.run.seed,
        "encoder": plan.run.encoder,
        "epochs": plan.run.epochs,
        "seconds": seconds,
        "probe_seconds": probe_seconds,
    }


NOT_MEASURED = ("seconds", "probe_seconds", "training")


def measured(path: Path) -> dict[tuple[str, int], Row]:
    return {
        (row["key"], row["epoch"]): {k: v for k, v in row.items() if k not in NOT_MEASURED}
        for row in read_rows(path)
    }


def deadly_backend(settings: RunSettings, device: torch.device) -> Backend:  # noqa: ARG001
    """Plain steps, but for seed 13, whose process dies as one out of memory does."""
    if settings.seed == 13:
        os._exit(9)
    return Backend()


def drawn(plan: Plan) -> DatasetSettings:
    """The settings of a plan's data, which are Trifeature's."""
    assert isinstance(plan.data, DatasetSettings)
    return plan.data
