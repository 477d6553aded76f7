"""A figure from outside: CoMM of two widths, its bars and its table."""

from trifeature.experiments.catalog import register_experiment
from trifeature.experiments.drawing import comparison, draw_bars
from trifeature.experiments.experiment import Arm, Experiment

WIDTHS = register_experiment(
    Experiment(
        "widths",
        "CoMM of two widths",
        lambda _: [Arm("CoMM"), Arm("half as wide", "half width", {"width": 64})],
        draw=draw_bars,
        table=comparison,
        seeds=3,
    )
)
