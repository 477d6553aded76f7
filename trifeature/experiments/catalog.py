"""Every figure and table of the paper on Trifeature, by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from trifeature.experiments.fig4 import FIG4
from trifeature.experiments.fig5 import FIG5
from trifeature.experiments.fig7 import FIG7
from trifeature.experiments.plan import Plan
from trifeature.experiments.tables import TABLE4, TABLE5, TABLE7

EXPERIMENTS: Final = {e.name: e for e in (FIG4, FIG5, FIG7, TABLE4, TABLE5, TABLE7)}

BY_VALUE: Final = ("", "rivals", "linear fusion", "terms", "factorcl", "views", "crop", "resnet50")
"""Kinds of runs in the order in which short time is best spent: CoMM itself first, whose rows every
figure needs, then its rivals, then what tells why it works; what takes longest last."""


def most_valuable_first(plans: Iterable[Plan]) -> list[Plan]:
    """Plans by kind, all seeds of one kind before the next; the order within a kind stays."""
    return sorted(plans, key=lambda plan: BY_VALUE.index(_kind(plan)))


def _kind(plan: Plan) -> str:
    """Which of `BY_VALUE` a plan is.

    >>> from trifeature.experiments.plan import make_plan
    >>> _kind(make_plan("quick", seed=0, biased=True, method="cross"))
    'rivals'
    """
    first = plan.setting.split(" ")[0]
    if first in ("views", "crop", "resnet50"):
        return first
    if plan.setting == "linear fusion":
        return plan.setting
    if plan.run.method == "factorcl":
        return "factorcl"
    if plan.run.method != "comm":
        return "rivals"
    return "" if plan.run.option("loss") == "L_CoMM" else "terms"
