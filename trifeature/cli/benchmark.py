"""`comm-probe bench`: how fast training is on this machine, in parts, and beside the plain way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from trifeature.cli.common import (
    DeviceOption,
    ExecutionOption,
    JsonOption,
    PrecisionOption,
    print_json,
    print_table,
    read_execution,
    say,
)
from trifeature.cli.options import RowsOption, refuse_unused
from trifeature.comm.options import OPTIONS
from trifeature.comm.settings import run_preset
from trifeature.errors import check_name
from trifeature.extra.settings import FEWEST_SEEDS, STEPS
from trifeature.presets import get_preset

HIDDEN: Final = ("bench", "versions", "commit", "execution", "method", "changes", "spread", "parts")


def bench(
    preset_name: Annotated[
        str,
        typer.Option("--preset", help="paper, fast, laptop, quick or tiny: network and canvas."),
    ] = "quick",
    method: Annotated[str, typer.Option(help=", ".join(OPTIONS))] = "comm",
    steps: Annotated[int | None, typer.Option(help=f"How many to time. [{STEPS}]", min=1)] = None,
    precision: PrecisionOption = None,
    execution: ExecutionOption = None,
    probe: Annotated[bool, typer.Option(help="Time a probing too.")] = True,
    reference: Annotated[
        bool, typer.Option(help="Time the plain path too: loader workers, float32, eager.")
    ] = False,
    speedrun: Annotated[
        bool, typer.Option(help="Seconds to a given quality instead, by a fixed schedule.")
    ] = False,
    validation: Annotated[
        bool, typer.Option(help="With --speedrun: on validation combinations, to choose by.")
    ] = False,
    epochs: Annotated[
        int | None, typer.Option(help="With --speedrun: other than the schedule's.", min=1)
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help=f"With --speedrun. [{FEWEST_SEEDS}]", min=1)
    ] = None,
    rows: RowsOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Time rendering, views, a training step in parts, a probing; or a run to a given quality."""
    from trifeature.comm.training import pick_device
    from trifeature.data.dataset import build, preset
    from trifeature.extra.bench.reference import bench_reference, check_reference
    from trifeature.extra.bench.speedrun import bench_speedrun
    from trifeature.extra.bench.training import bench_training
    from trifeature.files import append_row

    get_preset(preset_name)
    _check_together(
        speedrun,
        of_speedrun={
            "--epochs": epochs is not None,
            "--validation": validation,
            "--seeds": seeds is not None,
        },
        of_step={
            "--steps": steps is not None,
            "--no-probe": not probe,
            "--reference": reference,
            "--method": method != "comm",
            "--execution": execution is not None,
        },
    )
    target = pick_device(device)
    given = {"precision": precision, "epochs": epochs}
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    found: list[dict[str, Any]] = []

    def keep(row: dict[str, Any]) -> None:
        """Write a row when it is there: what comes after may take long, or be stopped."""
        found.append(row)
        if rows is not None:
            append_row(rows, row)
        if not as_json:
            lines = [[key, _cell(value)] for key, value in row.items() if key not in HIDDEN]
            print_table(f"{row['bench']}, {row['device']}", ["", "value"], lines)

    if speedrun:
        row = bench_speedrun(
            preset_name,
            target,
            seeds=FEWEST_SEEDS if seeds is None else seeds,
            validation=validation,
            on_seed=None if as_json else _say_seed,
            **changes,
        )
        keep(row)
    else:
        settings = run_preset(preset_name, method=check_name("method", method, OPTIONS), **changes)
        count = STEPS if steps is None else steps
        if reference:
            check_reference(settings)
        how = read_execution(execution)
        if how is not None:
            how.require(target)
        data = build(preset(preset_name, match_rate=1.0), target)
        keep(bench_training(data, settings, target, execution=how, steps=count, probing=probe))
        if reference:
            keep(bench_reference(data, settings, target, steps=count))
    if as_json:
        print_json(found)
    elif reference:
        say(f"plain path / ours: {found[1]['step_ms'] / found[0]['step_ms']:.1f} times as long")


def _check_together(
    speedrun: bool, *, of_speedrun: Mapping[str, bool], of_step: Mapping[str, bool]
) -> None:
    """Refuse options that the kind of bench asked for would not heed."""
    if speedrun:
        refuse_unused(of_step, "cannot go with --speedrun")
    else:
        refuse_unused(of_speedrun, "can only go with --speedrun")


def _say_seed(seed: int, reached: Mapping[str, float]) -> None:
    say(f"seed {seed}: " + " ".join(f"{key} {100 * value:.1f}" for key, value in reached.items()))


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_cell(one)}" for key, one in value.items())
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return "–" if value is None else str(value)
