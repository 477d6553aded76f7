"""Figure 4: what CoMM and its rivals learn.

`comm-probe reproduce fig4 --preset paper` on a GPU; the quick preset takes about ten minutes a
seed on two CPU cores. Expected (n = 5): see `published`. FactorCL's S below chance is probably an
artefact of a metric that received its arguments swapped; a correct one should give about 50.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from trifeature.experiments.beside import beside_paper
from trifeature.experiments.drawing import comparison, draw_bars
from trifeature.experiments.experiment import Arm, Experiment, Priority
from trifeature.presets import Preset

RIVALS: Final[tuple[Arm, ...]] = (
    Arm(
        "Cross",
        changes={"method": "cross"},
        published={"R": (100.0, 0.02), "U": (11.6, 0.9), "S": (50.0, 0.0)},
        priority=Priority.RIVALS,
    ),
    Arm(
        "Cross+Self",
        changes={"method": "cross+self"},
        published={"R": (99.7, 0.2), "U": (86.9, 0.8), "S": (50.0, 0.03)},
        priority=Priority.RIVALS,
    ),
    Arm(
        "FactorCL",
        changes={"method": "factorcl"},
        published={"R": (99.8, None), "U": (62.5, 2.6), "S": (46.5, 2.9)},
        priority=Priority.FACTORCL,
        protocol="macro precision",
    ),
)
"""Cross, Cross+Self and FactorCL."""


def arms(preset: Preset) -> Sequence[Arm]:  # noqa: ARG001 - alike on every preset
    """CoMM, Cross, Cross+Self and FactorCL."""
    return (
        Arm("CoMM", published={"R": (99.9, 0.03), "U": (87.8, 1.6), "S": (71.9, 2.0)}),
        *RIVALS,
    )


FIG4 = Experiment(
    "fig4",
    "R, U and S of CoMM and its rivals (Figure 4)",
    arms,
    draw=draw_bars,
    table=comparison,
    more_tables=beside_paper,
)
