"""Figure 7, left: what the strength of modality 1's crop does, in two families of crops.

`comm-probe reproduce fig7`. The paper shows curves: performance first rises and then falls as
crops get lighter, a sweet spot. Its second panel (MM-IMDb) is not reproduced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trifeature.comm.settings import AUGMENTATIONS
from trifeature.experiments.base import Arm, Experiment

FAMILIES = {"crops from 0": "crops_from_zero", "crops to 1": "crops_to_full"}


def arms(preset: str) -> Sequence[Arm]:
    """One arm for each crop scale of either family; modality 2 keeps *All*."""
    sets = AUGMENTATIONS[preset]
    return tuple(
        Arm(
            f"({low:g}, {high:g})",
            f"crop {low:g}-{high:g}",
            {"views": (replace(sets.all, crop_scale=(low, high)), sets.all)},
        )
        for family in FAMILIES.values()
        for low, high in getattr(sets, family)
    )


FIG7 = Experiment("fig7", "strength of the crop of modality 1 (Figure 7)", arms)
