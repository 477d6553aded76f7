"""Figure 7, left: what the strength of modality 1's crop does, in two families of crops.

`comm-probe reproduce fig7`. The paper shows curves: performance first rises and then falls as
crops get lighter, a sweet spot. Its second panel (MM-IMDb) is not reproduced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trifeature.experiments.base import Arm, Experiment
from trifeature.presets import get_preset

FAMILIES = ("crops_from_zero", "crops_to_full")


def arms(preset: str) -> Sequence[Arm]:
    """One arm for each crop scale of either family; modality 2 keeps *All*."""
    scales = [s for family in FAMILIES for s in getattr(get_preset(preset).augmentations, family)]
    return tuple(_arm(preset, scale) for scale in scales)


def _arm(preset: str, scale: tuple[float, float]) -> Arm:
    """CoMM with one crop scale for modality 1; the preset's own scale is CoMM itself."""
    every = get_preset(preset).augmentations.all
    label = f"({scale[0]:g}, {scale[1]:g})"
    if scale == every.crop_scale:
        return Arm(label)
    views = (replace(every, crop_scale=scale), every)
    return Arm(label, f"crop {scale[0]:g}-{scale[1]:g}", {"views": views})


FIG7 = Experiment("fig7", "strength of the crop of modality 1 (Figure 7)", arms)
