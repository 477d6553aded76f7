"""Figure 5: which term of CoMM's loss learns what, over training.

`comm-probe reproduce fig5`. The paper shows curves, no numbers: ΣL_i learns R and U and not S, L
learns all three slowly, L_CoMM all three quickly.
"""

from __future__ import annotations

from collections.abc import Sequence

from trifeature.experiments.beside import beside_paper
from trifeature.experiments.drawing import comparison, draw_curves
from trifeature.experiments.experiment import Arm, Experiment, Priority, curve_epochs
from trifeature.presets import Preset


def arms(preset: Preset) -> Sequence[Arm]:  # noqa: ARG001 - alike on every preset
    """The whole loss, the fused term and the sum of the unimodal ones."""
    return (
        Arm("L_CoMM", published={"R": (99.9, 0.03), "U": (87.8, 1.6), "S": (71.9, 2.0)}),
        Arm("L", changes={"loss": "L"}, priority=Priority.TERMS),
        Arm("ΣL_i", changes={"loss": "L_i"}, priority=Priority.TERMS),
    )


FIG5 = Experiment(
    "fig5",
    "the terms of the loss over training (Figure 5)",
    arms,
    draw=draw_curves,
    table=comparison,
    more_tables=beside_paper,
    probe_epochs=curve_epochs,
)
