"""Which term of CoMM's loss learns what: the runs behind `ablate`, `make demo` and Figure 5.

Expected, from Figure 5 of Dufumier et al. (2025) on AlexNet at 224 px, 100 epochs: the sum of the
unimodal terms L_i learns R and U but not S; L alone learns all three slowly; L_CoMM all three.
The quick preset takes about two minutes of one CPU core a run and need not agree: see the README.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

from trifeature.data.dataset import DatasetSettings, preset
from trifeature.errors import InputError
from trifeature.experiments.plan import Plan, Row, control_of, rows_of
from trifeature.plots import Curve

DEMO_LOSSES: Final = ("L_CoMM", "L", "L_i")
LOSS_TITLES: Final = {"L_CoMM": "L_CoMM", "L": "L", "L_i": "ΣL_i"}


@dataclass(frozen=True)
class Series:
    """One loss in an ablation, over its seeds.

    Attributes:
        label: For legend and table.
        biased: The runs on pairs that keep the map.
        control: The same on unbiased pairs; empty where none was asked for.
    """

    label: str
    biased: Sequence[Plan]
    control: Sequence[Plan]


def ablation(base: Sequence[Plan], *, controls: Iterable[str]) -> list[Series]:
    """Group biased plans by loss, in the order given, with controls for the losses named.

    Args:
        base: Plans on biased pairs, one for each loss and seed.
        controls: Losses that are trained on unbiased pairs too.
    """
    named = set(controls)
    groups: dict[str, list[Plan]] = {}
    for plan in base:
        groups.setdefault(plan.run.option("loss", ""), []).append(plan)
    return [
        Series(
            LOSS_TITLES.get(loss, loss),
            plans,
            [control_of(plan) for plan in plans] if loss in named else [],
        )
        for loss, plans in groups.items()
    ]


def plans_of(series: Iterable[Series]) -> list[Plan]:
    """Every plan, the biased ones first, seed by seed."""
    every = list(series)
    biased = [plan for one in every for plan in one.biased]
    return [*biased, *(plan for one in every for plan in one.control)]


def curves(series: Sequence[Series], rows: Sequence[Row]) -> dict[str, list[Curve]]:
    """The curves of each panel: biased runs solid, their unbiased controls dashed."""
    drawn = []
    for color, one in enumerate(series):
        for plans, control in ((one.biased, False), (one.control, True)):
            found = [row for plan in plans for row in rows_of(plan, rows)]
            if found:
                label = f"{one.label}, unbiased pairs (control)" if control else one.label
                drawn.append(Curve(label, found, control, color))
    return dict.fromkeys(("R", "U", "S"), drawn)


def chance(plan: Plan) -> Mapping[str, float]:
    """Accuracy of guessing on a plan's test pairs, for each panel."""
    return chance_of(plan.data)


def chance_of(data: DatasetSettings) -> dict[str, float]:
    """Accuracy of guessing on a data set's test pairs, of R, U and S."""
    classes = data.classes
    return {"R": 1 / classes["share"], "U": 1 / classes["unique1"], "S": 0.5}


def _chance_of_row(row: Row) -> dict[str, float]:
    """The same by the classes that a row counts in its confusion.

    Older rows hold none and cannot tell another data set from the preset's: they have its chance.
    """
    if "confusion" not in row:
        return chance_of(preset(row["preset"]))
    guessed = {name: 1 / len(counts) for name, counts in row["confusion"].items()}
    unique = fmean(value for name, value in guessed.items() if name.startswith("U"))
    return {"R": guessed["R"], "U": unique, "S": guessed["S"]}


def last_rows(plans: Iterable[Plan], rows: Sequence[Row]) -> list[Row]:
    """The row of each plan's last epoch, where there is one."""
    last = {plan.key: plan.run.epochs for plan in plans}
    found = {row["key"]: row for row in rows if row["epoch"] == last.get(row["key"], -1)}
    return list(found.values())


def untrained_rows(plans: Iterable[Plan], rows: Sequence[Row]) -> list[Row]:
    """The rows of epoch 0, one a seed: what the network reads before it has learned."""
    keys = {plan.key for plan in plans}
    found = {row["seed"]: row for row in rows if row["key"] in keys and row["epoch"] == 0}
    return list(found.values())


CONFIGURATION: Final = ("encoder", "epochs", "probing", "validation")
"""What of a row tells runs of one method, loss and setting apart."""


def _title(row: Row) -> str:
    """Loss or method, and the setting."""
    loss = LOSS_TITLES.get(row["loss"], row["loss"])
    words = (loss if row["method"] == "comm" else row["method"], row["setting"])
    return " ".join(word for word in words if word)


def _label(kind: tuple[Any, ...], kinds: Iterable[tuple[Any, ...]]) -> str:
    """A curve's title, and what distinguishes it from others of this title."""
    columns = zip(*(other for other in kinds if other[0] == kind[0]), strict=True)
    differs = [len(set(column)) > 1 for column in columns][1:]
    words = (f"{n} {v}" for n, v, d in zip(CONFIGURATION, kind[1:], differs, strict=True) if d)
    return ", ".join([kind[0], *words])


def _require_one_run_a_seed(label: str, rows: Iterable[Row]) -> None:
    keys: dict[tuple[int, bool], str] = {}
    for row in rows:
        if keys.setdefault((row["seed"], row["biased"]), row["key"]) != row["key"]:
            raise InputError(
                f"rows of several configurations are called {label!r}: keep them in files of "
                "their own"
            )


def curves_of_rows(rows: Sequence[Row]) -> tuple[dict[str, list[Curve]], Mapping[str, float]]:
    """Curves of every run that some rows tell of, and their chance levels.

    Several seeds of one configuration make one curve. Configurations are told apart by method,
    loss, setting and `CONFIGURATION`; a row that was written twice counts once, the latest.

    Raises:
        InputError: rows of different presets or numbers of classes, which share no chance level,
            or of configurations that the rows do not tell apart.
    """
    presets = {row["preset"] for row in rows}
    if len(presets) != 1:
        raise InputError(f"rows of several presets ({', '.join(sorted(presets))}) in one picture")
    levels = _chance_of_row(rows[0])
    if any(_chance_of_row(row) != levels for row in rows):
        raise InputError("rows of different numbers of classes in one picture: keep them apart")
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in {(row["key"], row["epoch"]): row for row in rows}.values():
        kind = (_title(row), *(row[name] for name in CONFIGURATION))
        groups.setdefault(kind, []).append(row)
    drawn = []
    for color, (kind, group) in enumerate(groups.items()):
        label = _label(kind, groups)
        _require_one_run_a_seed(label, group)
        for biased in (True, False):
            found = [row for row in group if row["biased"] == biased]
            if found:
                name = label if biased else f"{label}, unbiased pairs (control)"
                drawn.append(Curve(name, found, not biased, color))
    return dict.fromkeys(("R", "U", "S"), drawn), levels
