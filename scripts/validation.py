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

    def take(name: str, usual: Any, words: str, kind: type | tuple[type, ...] = int) -> Any:
        value = given.pop(name, usual)
        # A bool is an int in Python.
        if name in settings and (not isinstance(value, kind) or (value is True and kind is int)):
            raise InputError(f"{name} must be {words}, not {value!r}")
        return value

    def numbers(name: str, usual: tuple[int, ...]) -> tuple[int, ...]:
        value = take(name, usual, "a whole number or several with commas", (int, tuple, list))
        several = tuple(value) if isinstance(value, tuple | list) else (value,)
        if (name in settings and not several) or not all(type(v) is int for v in several):
            raise InputError(f"{name} must be a whole number or several, not {value!r}")
        return several

    name = take("preset", "laptop", "the name of a preset", str)
    seeds, at = numbers("seeds", (0,)), numbers("probe_epochs", ())
    canvas, values = (take(key, None, "a whole number") for key in ("canvas", "values"))
    probing = read_protocol(take("probing", "ours", "the name of a protocol", str))
    products = take("products", True, "True or False", bool)
    gate = take("gate", "match", "the name of a gate", str)
    rule = PairRule(modalities=take("modalities", 2, "a whole number"), gate=gate)
    if "seed" in given:
        raise InputError(f"a seed is given by seeds={given['seed']}")
    made: list[Plan] = []
    for seed in seeds:
        data = preset(name, seed=seed, match_rate=1.0, validation=True, rule=rule)
        if values is not None:
            data = _with_values(data, values)
        if canvas is not None:
            data = replace(data, render=RenderSettings.for_canvas(canvas))
        run = run_preset(name, seed=seed, **given)
        if run.epochs < 1:
            raise InputError("epochs must be 1 or more: an untrained network is no candidate")
        biased = Plan(
            name, data, run, at or curve_epochs(run.epochs), probing, label, products=products
        )
        made.extend((biased, control_of(biased)))
    return made


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
