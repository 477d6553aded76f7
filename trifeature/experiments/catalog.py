"""Every figure and table by name: on Trifeature, on real data, and those registered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from trifeature.checks import require_settings
from trifeature.errors import InputError, check_name
from trifeature.experiments.digits import DIGIT_PAIRS, DIGITS
from trifeature.experiments.experiment import Arm, Experiment
from trifeature.experiments.fig4 import FIG4
from trifeature.experiments.fig5 import FIG5
from trifeature.experiments.fig6 import FIG6
from trifeature.experiments.fig7 import FIG7
from trifeature.experiments.front import FRONT
from trifeature.experiments.leaderboard import LEADERBOARD, THREE_MODALITIES
from trifeature.experiments.plan import Plan
from trifeature.experiments.real_tables import TABLE1, TABLE2, TABLE3
from trifeature.experiments.tables import TABLE4, TABLE5, TABLE7

EXPERIMENTS: Final = {
    e.name: e
    for e in (FIG4, FIG5, FIG7, TABLE4, TABLE5, TABLE7, LEADERBOARD, THREE_MODALITIES, FRONT)
}
"""The experiments on Trifeature by name; `register_experiment` adds to it."""

REAL_EXPERIMENTS: Final[dict[str, Experiment]] = {
    e.name: e for e in (DIGIT_PAIRS, DIGITS, TABLE1, TABLE2, TABLE3, FIG6)
}
"""The experiments on real data by name. `all` leaves them out: not everyone has their files."""

ALL: Final = "all"
CURVES: Final = "curves"


def register_experiment(experiment: Experiment) -> Experiment:
    """Add a figure or table, so that `reproduce` and `draw_figure` know its name.

    Raises:
        InputError: another experiment has this name, or it cannot be one on the command line.
    """
    name = require_settings("experiment", experiment, Experiment).name
    if not name or name in (ALL, CURVES) or not name.replace("-", "").replace("_", "").isalnum():
        raise InputError(
            f"an experiment cannot be called {name!r}: use letters, digits, - and _, and not "
            f"{ALL!r} or {CURVES!r}"
        )
    if {**REAL_EXPERIMENTS, **EXPERIMENTS}.get(name, experiment) != experiment:
        raise InputError(f"an experiment called {name!r} exists already: choose another name")
    EXPERIMENTS[name] = experiment
    return experiment


def find_experiments(name: str) -> list[Experiment]:
    """The experiment of a name, or every one on Trifeature for `all`.

    Raises:
        InputError: there is no such experiment.
    """
    check_name("experiment", name, [*EXPERIMENTS, ALL, *REAL_EXPERIMENTS])
    if name == ALL:
        return list(EXPERIMENTS.values())
    return [EXPERIMENTS.get(name) or REAL_EXPERIMENTS[name]]


def most_valuable_first(runs: Iterable[tuple[Arm, Plan]]) -> list[tuple[Arm, Plan]]:
    """Runs of several experiments by the priority of their arms.

    All seeds of one priority come before the next; the order within one stays.
    """
    return sorted(runs, key=lambda run: run[0].priority)
