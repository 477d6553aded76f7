"""Speedrun: seconds that a fixed schedule needs, and R, U and S at its last epoch.

A schedule is chosen on validation combinations (`validation=True`), then run once on the test
pairs. The time includes rendering, compilation (in the first seed), both trainings and the probe at
the end. A better schedule replaces the one here; `docs/log.md` records the gain of each.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from trifeature.comm.settings import RunSettings, run_preset
from trifeature.comm.training import train
from trifeature.data.dataset import Dataset, build, preset, with_match_rate
from trifeature.errors import InputError, check_name
from trifeature.extra.settings import FEWEST_SEEDS
from trifeature.presets import PRESETS, Speedrun
from trifeature.probes.protocol import probe
from trifeature.provenance import provenance
from trifeature.report import Summary
from trifeature.threads import wait_for


@dataclass(frozen=True)
class _Lap:
    """Result of one seed: R, U and S, and the seconds of each part."""

    reached: dict[str, float]
    seconds: dict[str, float]


def bench_speedrun(
    name: str,
    device: torch.device,
    *,
    seeds: int = FEWEST_SEEDS,
    validation: bool = False,
    on_seed: Callable[[int, Mapping[str, float]], None] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Run a preset's schedule for several seeds, one after the other.

    Args:
        name: A preset with a speedrun.
        device: Device to run on.
        seeds: Number of seeds, from 0 on; at least three.
        validation: Hold out training combinations instead of the test ones, to choose a schedule.
        on_seed: Called with each seed and its R, U and S.
        changes: Settings that replace those of the schedule.

    Returns:
        A row: seconds a seed in all and in parts, the first seed's (with compiling) apart, mean and
        spread of R, U and S in percent, and whether each mean reaches its goal.

    Raises:
        InputError: there is no such speedrun, or fewer than three seeds are requested.
    """
    run = _speedrun_of(name)
    if seeds < FEWEST_SEEDS:
        raise InputError(f"a speedrun needs at least {FEWEST_SEEDS} seeds, not {seeds}")
    settings = {**run.changes, **changes}
    laps = []
    for seed in range(seeds):
        laps.append(_lap(name, seed, device, validation, settings))
        if on_seed is not None:
            on_seed(seed, laps[-1].reached)
    totals = [sum(lap.seconds.values()) for lap in laps]
    found = {key: Summary.of([lap.reached[key] for lap in laps]) for key in run.goal}
    means = {key: summary.mean for key, summary in found.items() if summary is not None}
    return {
        "bench": "speedrun",
        "preset": name,
        "validation": validation,
        "changes": settings,
        "seeds": seeds,
        "seconds_a_seed": round(statistics.fmean(totals), 2),
        "seconds_of_the_first": round(totals[0], 2),
        "parts": {
            part: round(statistics.fmean(lap.seconds[part] for lap in laps), 2)
            for part in laps[0].seconds
        },
        **{key: round(mean, 2) for key, mean in means.items()},
        "spread": {k: round(s.spread or 0.0, 2) for k, s in found.items() if s is not None},
        "goal": {key: 100 * value for key, value in run.goal.items()},
        "reached": {key: mean >= 100 * run.goal[key] for key, mean in means.items()},
        **provenance(device),
    }


def _speedrun_of(name: str) -> Speedrun:
    """The preset's schedule."""
    known = {one.name: one.speedrun for one in PRESETS.values() if one.speedrun is not None}
    return known[check_name("speedrun", name, known)]


def _lap(
    name: str, seed: int, device: torch.device, validation: bool, changes: Mapping[str, Any]
) -> _Lap:
    """Render, train on unbiased and on biased pairs, probe both once at the end."""
    seconds: dict[str, float] = {}
    settings = run_preset(name, seed=seed, **changes)
    with _timing(seconds, "rendering", device):
        unbiased = build(preset(name, seed=seed, validation=validation), device)
        biased = with_match_rate(unbiased, 1.0)
    reached: dict[str, float] = {}
    for data, letters in ((unbiased, ("R", "U")), (biased, ("S",))):
        row = _train_and_probe(data, settings, device, seconds)
        reached |= {letter: row[letter] for letter in letters}
    return _Lap(reached, seconds)


def _train_and_probe(
    data: Dataset, settings: RunSettings, device: torch.device, seconds: dict[str, float]
) -> dict[str, Any]:
    with _timing(seconds, "training", device):
        method = train(data, settings, device=device)
    with _timing(seconds, "probing", device):
        return probe(method, data).row()


@contextmanager
def _timing(seconds: dict[str, float], part: str, device: torch.device) -> Iterator[None]:
    """Add the seconds of a block, until the device has finished, to an entry of a dictionary."""
    started = time.perf_counter()
    yield
    wait_for(device)
    seconds[part] = seconds.get(part, 0.0) + time.perf_counter() - started
