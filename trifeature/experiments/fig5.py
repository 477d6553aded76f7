"""Figure 5: which term of CoMM's loss learns what, over training.

`comm-probe reproduce fig5`. The paper shows curves, no numbers: ΣL_i learns R and U and not S, L
learns all three slowly, L_CoMM all three quickly.
"""

from __future__ import annotations

from collections.abc import Sequence

from trifeature.experiments.base import Arm, Experiment


def arms(preset: str) -> Sequence[Arm]:  # noqa: ARG001 - alike on every preset
    """The whole loss, the fused term and the sum of the unimodal ones."""
    return (
        Arm("L_CoMM", published={"R": (99.9, 0.03), "U": (87.8, 1.6), "S": (71.9, 2.0)}),
        Arm("L", changes={"loss": "L"}),
        Arm("ΣL_i", changes={"loss": "L_i"}),
    )


FIG5 = Experiment("fig5", "the terms of the loss over training (Figure 5)", arms, curves=True)
