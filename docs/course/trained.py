"""Trained networks that come with the course: small files, made and loaded again here.

    python docs/course/trained.py [--runs FOLDER] [NAME ...]

trains the runs named (all, if none is) as `comm-probe train` does, one to two minutes each on a
free core, and keeps their weights in `weights/`. A finished run in FOLDER is not trained again.
They are runs of the quick preset, as the recorded rows in `figures/quick.jsonl` are.

The numbers of a row of a weight matrix are kept as whole multiples, -127 to 127, of the row's own
step. What this does to R, U and S is measured and stands in the JSON file beside the
weights, with everything else that must be known to make them again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trifeature.comm.methods import Method
from trifeature.comm.settings import RunSettings
from trifeature.comm.tensor_files import read_tensors, write_tensors
from trifeature.comm.training import load_run, new_method
from trifeature.data.dataset import Dataset, build
from trifeature.data.render import render
from trifeature.errors import check_name
from trifeature.experiments.execute import execute
from trifeature.experiments.plan import Plan, Row, make_plan, result_rows, rows_of
from trifeature.files import read_json, read_rows, write_json
from trifeature.probes.protocol import probe
from trifeature.views.images import augment
from trifeature.views.sets import CLEAN

Columns = npt.NDArray[np.int64]
COURSE: Final = Path(__file__).resolve().parent
WEIGHTS: Final = COURSE / "weights"
RECORDED: Final = COURSE.parents[1] / "figures" / "quick.jsonl"
LEVELS: Final = 127
"""One byte a number. Six bits moved S by a point, eight by a few tenths: see `measured`."""
SEED: Final = 1
"""That of the data set which notebooks 3 and 4 make anyway; no other was tried."""
SCALE: Final = " / step"
BATCH: Final = 250
NUMBERS: Final = ("R", "U1", "U2", "S_auc", "S")


@dataclass(frozen=True)
class Kind:
    """What tells one of the networks from the others: method, loss, training pairs."""

    biased: bool
    method: str = "comm"
    loss: str = "L_CoMM"

    def plan(self) -> Plan:
        """The run, on the quick preset."""
        changes = {"loss": self.loss} if self.method == "comm" else {"method": self.method}
        return make_plan("quick", seed=SEED, biased=self.biased, **changes)


KINDS: Final = {
    "comm": Kind(biased=True),
    "comm-control": Kind(biased=False),
    "cross": Kind(biased=True, method="cross"),
    "comm-sum-L_i": Kind(biased=True, loss="L_i"),
}
"""Every network by its name; the control was trained on unbiased pairs."""


# --------------------------------------------------------------------------- loading


def about(name: str) -> dict[str, Any]:
    """What is known of a network: settings, provenance, what its probes measured.

    Raises:
        InputError: there is no such network, or its file is missing.
    """
    return read_json(WEIGHTS / f"{check_name('network', name, KINDS)}.json")


def load(name: str, dataset: Dataset) -> Method:
    """A trained network, ready to look at images.

    Args:
        name: A key of `KINDS`.
        dataset: The data set it was trained on (its modalities and canvas are used).

    Raises:
        InputError: there is no such network, or a file is missing or damaged.
    """
    settings = RunSettings.from_json(about(name)["run"])
    stored, _ = read_tensors(WEIGHTS / f"{name}.safetensors")
    method = new_method(settings, dataset, torch.device("cpu"))
    method.load_state_dict(expand(stored))
    return method.eval()


def untrained(name: str, dataset: Dataset) -> Method:
    """The same network before its first step."""
    settings = RunSettings.from_json(about(name)["run"])
    return new_method(settings, dataset, torch.device("cpu")).eval()


# --------------------------------------------------------------------------- looking


SHOWN: Final = ("shape", "texture 1", "color 1", "texture 2", "color 2")
"""What a pair shows: the columns of the attributes that `look` takes."""


def pictures(attributes: Columns, copies: Columns, dataset: Dataset) -> Tensor:
    """Pairs of images, drawn on order.

    Args:
        attributes: int [P, 5], see `SHOWN`.
        copies: int [P], which render: equal attributes and copies give equal images. The data
            set's own are below its `copies`.
        dataset: Whose renderer's settings and seed are used.

    Returns:
        uint8 [P, 2, 3, S, S].
    """
    # Image 1 of a copy and image 2 of it are different renders, also where they show the same.
    both = [
        np.column_stack([attributes[:, columns], 2 * copies + place])
        for place, columns in enumerate(([0, 1, 2], [0, 3, 4]))
    ]
    wanted, places = np.unique(np.concatenate(both), axis=0, return_inverse=True)
    settings = dataset.settings
    images = render(wanted[:, :3], wanted[:, 3], seed=settings.seed, settings=settings.render)
    return images[torch.as_tensor(places.reshape(2, -1).T)]


@torch.inference_mode()
def look(network: Method, pairs: Tensor) -> Tensor:
    """The codes, float [P, D], that a network gives to pairs of images uint8 [P, 2, 3, S, S]."""
    everything = [list(range(pairs.shape[1]))]
    codes = []
    for part in pairs.split(BATCH):
        seen = augment(part.flatten(0, 1), CLEAN, torch.Generator()).unflatten(0, part.shape[:2])
        codes.append(network.features(seen.unbind(1), everything)[0])
    return torch.cat(codes).float()


# --------------------------------------------------------------------------- rounding


def shrink(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Round matrices [rows, ...] to `LEVELS` a row; vectors become float16, counts stay."""
    stored: dict[str, Tensor] = {}
    for name, values in state.items():
        if values.ndim < 2 or not values.is_floating_point():
            stored[name] = values.half() if values.is_floating_point() else values
            continue
        rows = values.flatten(1)
        step = (rows.abs().amax(1, keepdim=True) / LEVELS).half().clamp_min(1e-7)
        levels = (rows / step.float()).round().clamp(-LEVELS, LEVELS)
        stored[name] = levels.to(torch.int8).view(values.shape)
        stored[name + SCALE] = step
    return stored


def expand(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state that `shrink` rounded, as float32."""
    state: dict[str, Tensor] = {}
    for name, values in stored.items():
        if name.endswith(SCALE):
            continue
        step = stored.get(name + SCALE)
        if step is not None:
            state[name] = (values.flatten(1).float() * step.float()).view(values.shape)
        else:
            state[name] = values.float() if values.is_floating_point() else values
    return state


# --------------------------------------------------------------------------- making


def keep(name: str, runs: Path, recorded: list[Row]) -> dict[str, Any]:
    """Write a finished run's weights, rounded, and what is known of them.

    Args:
        name: A key of `KINDS`.
        runs: Folder of the runs' folders and of `rows.jsonl`.
        recorded: Measured rows, for the one of the same settings and seed.

    Returns:
        What was written beside the weights.
    """
    plan = KINDS[name].plan()
    dataset = build(plan.data)
    state = load_run(runs / plan.name, dataset).state_dict()
    write_tensors(WEIGHTS / f"{name}.safetensors", shrink(state), {"key": plan.key})
    row = rows_of(plan, result_rows(runs / "rows.jsonl"))[-1]
    same = [r for r in recorded if r["key"] == plan.key and r["epoch"] == plan.run.epochs]
    note = {
        "key": plan.key,
        **{part: row[part] for part in ("device", "versions", "commit", "seconds")},
        "measured": {"as trained": {part: row[part] for part in NUMBERS}},
        "run": plan.run.to_json(),
        "data": plan.data.to_json(),
    }
    if same:
        found = {part: same[-1][part] for part in NUMBERS}
        note["measured"][f"recorded on {same[-1]['device']}"] = found
    write_json(WEIGHTS / f"{name}.json", note)
    rounded = probe(load(name, dataset), dataset).row()
    note["measured"]["rounded, as kept here"] = {part: rounded[part] for part in NUMBERS}
    write_json(WEIGHTS / f"{name}.json", note)
    return note


def main() -> None:
    """Train what is not trained yet, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(KINDS))
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where runs are kept")
    arguments = parser.parse_args()
    names = [check_name("network", name, KINDS) for name in arguments.names or KINDS]
    WEIGHTS.mkdir(exist_ok=True)
    rows = arguments.runs / "rows.jsonl"
    execute([KINDS[name].plan() for name in names], runs=arguments.runs, rows=rows)
    for name in names:
        measured = keep(name, arguments.runs, read_rows(RECORDED))["measured"]
        size = (WEIGHTS / f"{name}.safetensors").stat().st_size / 1000
        print(f"{name}: {size:.0f} kB")
        for what, found in measured.items():
            print(f"  {json.dumps({k: round(100 * x, 1) for k, x in found.items()})} {what}")


if __name__ == "__main__":
    main()
