"""Measure what models' codes of each image alone tell, as atoms: figures/codes.jsonl.

    python scripts/codes.py [SEED …]

trains CoMM, Cross and Cross+Self on the quick preset, on biased and on unbiased pairs, as
`comm-probe reproduce leaderboard` does, for seeds 0, 1 and 2 or those named; weights under runs/
that are of the same settings are used again. A row for each task says what the codes of the trained
model, and of the untrained one, tell (`trifeature.experiments.codes`); codes of noise and of the
attributes themselves are measured beside them. What has its rows is not measured again.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import torch

from trifeature.comm.run_folder import RunFolder
from trifeature.comm.training import load_run, new_method, train
from trifeature.data.dataset import Dataset
from trifeature.errors import InputError
from trifeature.experiments.codes import (
    CodesOfSets,
    attribute_codes,
    code_rows,
    model_codes,
    noise_codes,
)
from trifeature.experiments.plan import Plan, make_plan
from trifeature.experiments.run import obtain
from trifeature.files import append_row, read_rows
from trifeature.provenance import provenance

ROOT = Path(__file__).parents[1]
ROWS: Final = ROOT / "figures" / "codes.jsonl"
RUNS: Final = ROOT / "runs"
METHODS: Final = ("comm", "cross", "cross+self")
SEEDS: Final = (0, 1, 2)
REFERENCES: Final = ("noise", "attributes")
"""Codes that are no model's."""
Row = dict[str, Any]


def plans(seeds: Sequence[int]) -> list[Plan]:
    """The biased and the unbiased training of each method, seed by seed."""
    return [
        make_plan("quick", seed=seed, biased=biased, method=method)
        for seed in seeds
        for method in METHODS
        for biased in (True, False)
    ]


def codes_of(
    plan: Plan, data: Dataset, *, references: bool
) -> Iterator[tuple[str, int, Callable[[], CodesOfSets]]]:
    """What is measured of a plan: name, epoch, and a function that makes the codes.

    The untrained network is the same for both trainings, and the references for all methods of a
    seed, so they come with the biased training, and with that of the first method, only.
    """
    samples, seed = data.samples(), plan.run.seed
    if not references:
        yield "trained", plan.run.epochs, lambda: model_codes(trained(plan, data), samples)
        return
    if plan.biased:
        yield "untrained", 0, lambda: model_codes(new_method(plan.run, samples), samples)
    if plan.biased and plan.run.method == METHODS[0]:
        yield "noise", 0, lambda: noise_codes(samples, seed)
        yield "attributes", 0, lambda: attribute_codes(data)


def trained(plan: Plan, data: Dataset) -> Any:
    """The trained method: that of an earlier run, or trained now."""
    for folder in (RUNS / plan.name, RUNS / "codes" / plan.name):
        if folder.exists() and RunFolder(folder).finished:
            return load_run(folder, data)
    return train(data, plan.run, RUNS / "codes" / plan.name)


def rows_of(plan: Plan, known: Sequence[Row], *, references: bool) -> Iterator[Row]:
    """The rows of a plan that are not among those known, all tasks of some codes together.

    Args:
        plan: Of one training.
        known: Rows measured before.
        references: Measure the untrained network, noise and attributes; else the trained method.
    """
    data = obtain(plan.data, None)
    if not isinstance(data, Dataset):
        raise InputError("codes are measured of Trifeature's pairs only")
    samples = data.samples()
    origin = plan.columns() | provenance(torch.device("cpu"))
    for name, epoch, make in codes_of(plan, data, references=references):
        have = {row["task"] for row in known if row["key"] == plan.key and row["codes"] == name}
        tasks = [task for task in samples.tasks if task not in have]
        if not tasks:
            continue
        codes: CodesOfSets = make()
        started = time.monotonic()
        found = code_rows(codes, samples, seed=plan.run.seed, tasks=tasks)
        seconds = round((time.monotonic() - started) / len(found), 3)
        for row in found:
            yield {
                "kind": "codes",
                "format": plan.format,
                **origin,
                **({"method": "", "loss": ""} if name in REFERENCES else {}),
                "epoch": epoch,
                "codes": name,
                **row,
                "reading_seconds": seconds,
            }


def main() -> None:
    """Measure what has no row yet."""
    torch.set_num_threads(1)
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.stdout.write(__doc__ or "")
        return
    if wrong := [one for one in sys.argv[1:] if not one.isdecimal()]:
        raise InputError(f"a seed is a whole number, not {wrong[0]!r}")
    seeds = [int(one) for one in sys.argv[1:]] or SEEDS
    for references in (False, True):
        for plan in plans(seeds):
            known = read_rows(ROWS, {"key": str, "codes": str, "task": str})
            for row in rows_of(plan, known, references=references):
                append_row(ROWS, row)
                tell(plan, row)


def tell(plan: Plan, row: Row) -> None:
    """Print what was measured."""
    atoms = " ".join(f"{name} {own['value']:.3f}" for name, own in row["atoms"].items())
    sys.stdout.write(f"{plan.describe()}, {row['codes']}, {row['task']}: {atoms}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main()
    except InputError as problem:
        sys.stderr.write(f"error: {problem}\n")
        sys.exit(2)
