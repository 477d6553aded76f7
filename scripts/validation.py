"""Measure candidates for a preset on validation pairs, whose test combinations are put away.

    python scripts/validation.py "tau .4" temperature=.4 seeds=0,1,2 epochs=2 canvas=48 values=10

trains CoMM with these settings on biased and on unbiased pairs for each seed, on one thread, and
appends the rows to figures/validation.jsonl; what has its rows is not run again. Everything starts
from the laptop preset; `preset=` names another; `modalities=3` and `gate=parity` change the
rule, `probing=products` what the probes read, `probe_epochs=(8,)` when, `products=False` leaves
out the further readings of the last epoch. Several candidates are several lines.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from trifeature.checks import require_flag, require_text, require_whole
from trifeature.comm.settings import run_preset
from trifeature.data.rule import PairRule
from trifeature.data.settings import DatasetSettings, RenderSettings, preset
from trifeature.errors import InputError
from trifeature.experiments.execute import Event, execute
from trifeature.experiments.experiment import curve_epochs
from trifeature.experiments.plan import Plan, control_of
from trifeature.probes.names import read_protocol

USAGE = "python scripts/validation.py LABEL NAME=VALUE …"
ROWS = Path(__file__).parents[1] / "figures" / "validation.jsonl"


def plans(label: str, settings: dict[str, Any]) -> list[Plan]:
    """The biased and the unbiased training of each seed."""
    given = dict(settings)
    if "seed" in given:
        raise InputError(f"a seed is given by seeds={given['seed']}")
    name = require_text("preset", given.pop("preset", "laptop"))
    seeds = _whole_numbers("seeds", given.pop("seeds", 0))
    at = (
        _whole_numbers("probe_epochs", given.pop("probe_epochs")) if "probe_epochs" in given else ()
    )
    canvas, values = given.pop("canvas", None), given.pop("values", None)
    probing = read_protocol(given.pop("probing", "ours"))
    products = require_flag("products", given.pop("products", True))
    rule = PairRule(modalities=given.pop("modalities", 2), gate=given.pop("gate", "match"))
    made: list[Plan] = []
    for seed in seeds:
        data = preset(name, seed=seed, match_rate=1.0, validation=True, rule=rule)
        if values is not None:
            data = _with_values(data, require_whole("values", values, 2))
        if canvas is not None:
            data = replace(
                data, render=RenderSettings.for_canvas(require_whole("canvas", canvas, 1))
            )
        run = run_preset(name, seed=seed, **given)
        require_whole("epochs", run.epochs, 1)
        biased = Plan(
            name, data, run, at or curve_epochs(run.epochs), probing, label, products=products
        )
        made.extend((biased, control_of(biased)))
    return made


def _whole_numbers(name: str, value: Any) -> tuple[int, ...]:
    """One whole number or several."""
    several = value if isinstance(value, tuple | list) else (value,)
    if not several:
        raise InputError(f"{name} must be a whole number or several, not {value!r}")
    return tuple(require_whole(name, one, 0) for one in several)


def _with_values(data: DatasetSettings, count: int) -> DatasetSettings:
    """The data set with so many values of each attribute, a fifth of the combinations held out."""
    return replace(
        data,
        shapes=count,
        textures=count,
        colors=count,
        held_out=count**3 // 5,
        synergy_map="auto",
    )


def _value(text: str) -> Any:
    """A number or a list of them where the text is one; else the text."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def tell(plan: Plan, event: Event) -> None:
    """Print the last row of a run that ended."""
    if isinstance(event, list):
        last = event[-1]
        columns = [c for c in ("R", "U", "S_auc", "S_balanced", "S") if c in last]
        numbers = [f"{c} {100 * last[c]:.1f}" for c in columns]
        if read := last.get("products"):
            numbers += ["products:", *(f"{c} {100 * read[c]:.1f}" for c in columns)]
        sys.stdout.write(f"{plan.setting}: {plan.describe()}: {' '.join(numbers)}\n")
        sys.stdout.flush()


def main() -> None:
    """Carry out the candidate of the command line."""
    torch.set_num_threads(1)
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.stdout.write(f"{USAGE}\n\n{__doc__}")
        return
    if len(sys.argv) < 3:
        raise InputError(f"name a candidate and what is set: {USAGE}")
    label, *pairs = sys.argv[1:]
    if wrong := [pair for pair in pairs if "=" not in pair]:
        raise InputError(f"a setting is NAME=VALUE, not {wrong[0]!r}: {USAGE}")
    settings = {name: _value(text) for name, _, text in (pair.partition("=") for pair in pairs)}
    execute(
        plans(label, settings),
        runs=Path("runs/validation"),
        rows=ROWS,
        keep_weights=False,
        callback=tell,
    )


if __name__ == "__main__":
    try:
        main()
    except InputError as problem:
        sys.stderr.write(f"error: {problem}\n")
        sys.exit(2)
