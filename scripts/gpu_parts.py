"""The parts of scripts/gpu.py that need torch, each a process of its own.

    gpu_parts.py steps MODE:PRECISION …     time steps of CoMM in these modes: OUT/smoke.jsonl
    gpu_parts.py epoch MODE                 one epoch of the first run, with all its probes
    gpu_parts.py ahead                      take the first steps of runs to come, to compile them
    gpu_parts.py rows MODE ENDS [KEY …]     train what has no row yet, but the runs of these keys
    gpu_parts.py run MODE ENDS KEY          train this run, if it has no row yet

The modes are those of gpu.py; ENDS is a time of the machine's monotonic clock.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
from gpu import SMOKE

from trifeature.comm.run_folder import TrainingError
from trifeature.comm.settings import run_preset
from trifeature.comm.training import Learner, Progress, new_method, numerics, pick_device
from trifeature.data.dataset import Dataset, build, modalities_of
from trifeature.data.settings import preset as data_preset
from trifeature.errors import InputError
from trifeature.experiments.execute import Callback, Queue, Runner, execute
from trifeature.experiments.experiment import Setup
from trifeature.experiments.plan import Plan, Row
from trifeature.experiments.reproduction import plans_for
from trifeature.experiments.run import carry_out
from trifeature.extra.accelerate import EXECUTIONS, ChooseBackend, ExecutionError
from trifeature.extra.bench.training import bench_training
from trifeature.files import append_row
from trifeature.presets import PRESETS, TINY
from trifeature.provenance import device_name, provenance
from trifeature.samples import Samples

STEPS: Final = 10
"""Timed steps of each mode."""
FAILURES: Final = 2
"""Kinds of runs that may not compile before no other is tried."""
WIDTH: Final = 200
"""Characters of an error that are shown; all of it is on the process's errors."""
PAUSE: Final = 5.0
"""Seconds between two lines on the progress of a run."""


# --------------------------------------------------------------------------- what is trained


@dataclass(frozen=True)
class Item:
    """Runs of one experiment, biased and unbiased.

    Attributes:
        preset: `paper` or `fast`.
        experiment: A name in `trifeature.experiments.catalog`.
        arms: Labels of its arms, in order; none for all.
        seeds: In order; all arms of one come before the next.
    """

    preset: str
    experiment: str
    arms: tuple[str, ...]
    seeds: tuple[int, ...]

    def plans(self) -> list[Plan]:
        """Its runs in order: seed by seed, arm by arm, the biased one first."""
        found = []
        for seed in self.seeds:
            setup = Setup(self.preset, seeds=(seed,))
            for arm in self.arms or ((),):
                found += plans_for(self.experiment, setup, arm)
        return found


THREE: Final = (0, 1, 2)
FIVE: Final = (0, 1, 2, 3, 4)
ORDER: Final = (
    # The first comparison with the published numbers; then the cheapest test of a higher S.
    Item("paper", "fig5", ("L_CoMM",), (0,)),
    Item("paper", "front", ("L_CoMM, τ = 0.4",), (0,)),
    # Figures 4 and 5 at a quarter of the cost, a seed at a time.
    *(
        item
        for seed in THREE
        for item in (
            Item("fast", "fig5", ("L_CoMM", "ΣL_i", "L"), (seed,)),
            Item("fast", "fig4", ("Cross", "Cross+Self", "FactorCL"), (seed,)),
        )
    ),
    # The paper's size.
    Item("paper", "fig5", ("L_CoMM",), (1, 2, 3, 4)),
    Item("paper", "fig4", ("Cross", "Cross+Self"), FIVE),
    Item("paper", "table4", ("Concat + Linear",), FIVE),
    Item("paper", "fig5", ("ΣL_i", "L"), FIVE),
    Item("paper", "table5", (), FIVE),
    Item("fast", "fig7", (), THREE),
    # The two published methods that lead on a CPU (figures/leaderboard-laptop.md).
    Item("fast", "leaderboard", ("CoMM + Cross", "HRIL, + alignment"), THREE),
)
"""What a GPU is spent on, the most valuable first."""


def make_miniature() -> None:
    """Make `paper` and `fast` presets of seconds, to try the script on a CPU; the keys differ."""
    sizes = {"width": 16, "hidden": 16, "embedding": 8, "vector": 8}
    pairs = {"copies": 1, "test_copies": 2, "train_pairs": 128, "probe_pairs": 256}
    for name, canvas in (("paper", 32), ("fast", 48)):
        PRESETS[name] = replace(
            TINY,
            name=name,
            canvas=canvas,
            data={**TINY.data, **pairs},
            run={**TINY.run, **sizes, "batch_size": 32, "epochs": 2, "precision": "bfloat16"},
            methods={"factorcl": {"epochs": 1, "learning_rate": 1e-3}},
            published=True,
        )


def kinds() -> Iterator[Plan]:
    """The first run of every kind in order; the others differ in seeds and pairs alone."""
    seen = set()
    for item in ORDER:
        for plan in item.plans():
            kind = plan.preset, plan.run.change(seed=0)
            if kind not in seen:
                seen.add(kind)
                yield plan


# --------------------------------------------------------------------------- the parts


def say(words: str) -> None:
    """Write one line, which gpu.py reads."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def chip(device: torch.device) -> dict[str, Any]:
    """Name and memory of the device, and versions."""
    row: dict[str, Any] = {"part": "chip", **provenance(device)}
    if device.type == "cuda":
        found = torch.cuda.get_device_properties(device)
        row |= {
            "memory_gib": round(found.total_memory / 2**30, 1),
            "capability": f"{found.major}.{found.minor}",
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    return row


def steps(names: Sequence[str], out: Path, device: torch.device) -> int:
    """Name the device, then time steps of CoMM at the paper's size in each `MODE:PRECISION`."""
    if not (out / SMOKE).exists():
        append_row(out / SMOKE, chip(device))
    data = build(data_preset("paper", match_rate=1.0), device)
    failed = 0
    for name in names:
        mode, precision = name.split(":")
        row: dict[str, Any] = {"part": "steps", "mode": mode, "precision": precision}
        try:
            row |= _timed(data, mode, precision, device)
        except Exception as problem:  # noqa: BLE001 - the next mode may run
            traceback.print_exc()
            row["failed"] = _cause(problem)
        failed += "failed" in row
        append_row(out / SMOKE, row)
        shown = ("failed", "loss", "step_ms", "views_ms", "first_step_seconds", "peak_memory_gib")
        say(f"{mode}, {precision}: " + ", ".join(f"{x} {row[x]}" for x in shown if x in row))
    return 1 if failed else 0


def _cause(problem: Exception) -> str:
    """An error's type and the beginning of its message."""
    return f"{type(problem).__name__}: {problem}".splitlines()[0][:WIDTH]


def _timed(data: Dataset, mode: str, precision: str, device: torch.device) -> dict[str, Any]:
    """The row of a bench; `failed` where the loss is not finite."""
    settings = run_preset("paper", precision=precision)
    row = bench_training(
        data, settings, device, execution=EXECUTIONS[mode], steps=STEPS, probing=False
    )
    return row if row["loss"] is not None else row | {"failed": "the loss is not finite"}


def epoch(mode: str, out: Path, runs: Path, device: torch.device) -> int:
    """Carry out one epoch of the first run: what `rows` does, from data to the row."""
    first = ORDER[0]
    setup = Setup(first.preset, seeds=first.seeds, epochs=1)
    plan = plans_for(first.experiment, setup, first.arms)[0]
    backend = ChooseBackend(EXECUTIONS[mode])(plan.run, device)
    row = carry_out(plan, runs / plan.name, device=device, backend=backend, keep_weights=False)[-1]
    append_row(out / SMOKE, {"part": "epoch", "mode": mode, **row})
    say(_in_words(plan, row))
    return 0


def ahead(device: torch.device) -> int:
    """Take the first step of every kind of run, so that its kernels are there when it begins."""
    failed = 0
    for plan in kinds():
        started, what = time.monotonic(), f"{plan.preset} {plan.describe()}"
        try:
            _first_step(plan, device)
        except Exception as problem:  # noqa: BLE001 - the next kind may compile
            say(f"not compiled, {what}: {_cause(problem)}")
            failed += 1
            if failed == FAILURES:
                return 1
        else:
            say(f"compiled {what}: {time.monotonic() - started:.1f} s")
    return 0


def _first_step(plan: Plan, device: torch.device) -> None:
    """Take a compiled step of a run on black images, as kernels do not depend on what is seen."""
    settings, modalities = plan.run, modalities_of(data_preset(plan.preset))
    splits = [*["train"] * settings.batch_size, "test"]
    black = {m.name: torch.zeros(len(splits), *m.shape, dtype=torch.uint8) for m in modalities}
    samples = Samples.from_arrays(black, splits=splits).to(device)
    learner = Learner.of(new_method(settings, samples, device), settings, device)
    learner.method.train()
    backend = EXECUTIONS["compiled"].backend()
    with backend.steps(learner, samples) as take, numerics(settings.precision, device):
        take(torch.arange(settings.batch_size, device=device))


def rows(words: Sequence[str], out: Path, runs: Path, device: torch.device, *, one: bool) -> int:
    """Train what has no row yet.

    Args:
        words: Mode, end of the time, and keys of runs.
        out: The rows go to OUT/PRESET.jsonl.
        runs: Folder of the runs' folders.
        device: Where to train.
        one: Train the runs of these keys alone; otherwise all others.
    """
    mode, ends, *keys = words
    execution, failed = EXECUTIONS[mode], set[str]()
    execution.require(device)
    for item in ORDER:
        plans = [plan for plan in item.plans() if (plan.key in keys) == one]
        while True:
            teller = _Teller()
            try:
                execute(
                    [plan for plan in plans if plan.key not in failed],
                    runs=runs,
                    rows=out / f"{item.preset}.jsonl",
                    device=device,
                    executor=teller.carry_out,
                    time_budget=max(0.0, float(ends) - time.monotonic()),
                    keep_weights=False,
                    backend=ChooseBackend(execution),
                )
            except ExecutionError:
                raise
            except (InputError, TrainingError) as problem:
                if teller.plan is None:
                    raise
                say(f"left out, {teller.plan.describe()}: {problem}")
                failed.add(teller.plan.key)
            else:
                break
    return 0


class _Teller:
    """Carries plans out one after the other and says which and how far; `gpu.Part` reads it."""

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self.said = 0.0

    def carry_out(
        self,
        queue: Queue,
        runner: Runner,
        callback: Callback | None = None,  # noqa: ARG002 - this object tells
    ) -> Iterator[tuple[Plan, list[Row]]]:
        """The executor: a run is named before anything of it is done."""
        for plan in queue:
            self.plan, self.said = plan, 0.0
            say(f"run {plan.key} {plan.preset} {plan.describe()}")
            found = runner(plan, self._tell)
            yield plan, found
            say(_in_words(plan, found[-1]))

    def _tell(self, event: Progress | str) -> None:
        if isinstance(event, str):
            say(event)
        elif time.monotonic() - self.said > PAUSE:
            self.said = time.monotonic()
            say(f"step: epoch {event.epoch:.2f} of {event.epochs}, loss {event.terms['loss']:.4f}")


def _in_words(plan: Plan, row: dict[str, Any]) -> str:
    """The main numbers of a row."""
    columns = ("R", "U", "S", "S_auc")
    ours = ", ".join(f"{c} {row[c]:.3f}" for c in columns if row.get(c) is not None)
    theirs = ", ".join(f"{c} {x:.3f}" for c, x in row.get("official", {}).items() if c in columns)
    took = f"{row['seconds']:.1f} s and {row['probe_seconds']:.1f} s of probing"
    return f"row: {plan.preset} {plan.describe()}: {ours}; the authors' probe {theirs}; {took}"


def _end_with(parent: int) -> None:
    """End when the call has been killed, so that nothing holds the GPU."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main() -> int:
    """Carry out a part; its exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=("steps", "epoch", "ahead", "rows", "run"))
    parser.add_argument("words", nargs="*")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--miniature", action="store_true")
    given = parser.parse_args()
    try:
        device = pick_device(given.device)
    except InputError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    if given.miniature:
        make_miniature()
    say(f"{given.part} on {device_name(device)}")
    if given.part == "steps":
        return steps(given.words, given.out, device)
    if given.part == "epoch":
        return epoch(given.words[0], given.out, given.runs, device)
    if given.part == "ahead":
        return ahead(device)
    alone = given.part == "run"
    return rows(given.words, given.out, given.runs, device, one=alone)


if __name__ == "__main__":
    sys.exit(main())
