"""Figure 7, left: what the strength of modality 1's crop does, in two families of crops.

`comm-probe reproduce fig7`. The paper shows curves: performance first rises and then falls as
crops get lighter, a sweet spot. Its second panel (MM-IMDb) is not reproduced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from trifeature.experiments.drawing import comparison
from trifeature.experiments.experiment import Arm, Experiment, Priority, Result, Results
from trifeature.plots import strength_panels
from trifeature.presets import Crops, Preset
from trifeature.report import Summary, mean_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class CropArm(Arm):
    """CoMM with one crop scale for modality 1.

    Attributes:
        family: Title of the panel that it belongs to.
        scale: Least and greatest share of the image's area.
    """

    family: str = ""
    scale: tuple[float, float] = (0.0, 1.0)


def arms(preset: Preset) -> Sequence[CropArm]:
    """One arm for each crop scale of either family; modality 2 keeps *All*."""
    return tuple(
        _arm(preset, family, scale)
        for family, scales in families(preset).items()
        for scale in scales
    )


def families(preset: Preset) -> dict[str, Crops]:
    """The crop scales of each panel, by its title."""
    sets = preset.augmentations
    # "From 0" is the paper's: a preset's family starts at what its canvas lets be seen.
    return {
        f"crops from {sets.crops_from_zero[0][0]:g}": sets.crops_from_zero,
        "crops to 1": sets.crops_to_full,
    }


def _arm(preset: Preset, family: str, scale: tuple[float, float]) -> CropArm:
    """The arm of one crop scale; the preset's own scale is CoMM itself."""
    every = preset.augmentations.all
    low, high = scale
    label = f"({low:g}, {high:g})"
    if scale == every.crop_scale:
        return CropArm(label, family=family, scale=scale)
    return CropArm(
        label,
        f"crop {low:g}-{high:g}",
        {"views": (replace(every, crop_scale=scale), every)},
        priority=Priority.CROPS,
        family=family,
        scale=scale,
    )


def _mean_of_three(result: Result) -> Summary | None:
    """The mean of R, U and S where all three were measured."""
    parts = [result.summary(column) for column in ("R", "U", "S")]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return Summary(sum(p.mean for p in known) / len(known), None, min(p.n for p in known))


LINES: Final[Mapping[str, Callable[[Result], Summary | None]]] = {
    "R": lambda result: result.summary("R"),
    "U": lambda result: result.summary("U"),
    "S": lambda result: result.summary("S"),
    "S, AUC": lambda result: result.summary("S_auc"),
    "S, AUC, on unbiased pairs (control)": lambda result: result.control("S_auc"),
    "mean of R, U and S": _mean_of_three,
}
"""The lines of each panel."""


def draw(results: Results) -> Figure:
    """A panel for each family, with R, U, S and I_NCE(X, X′) against the crop."""
    panels: dict[str, list[tuple[str, Result]]] = {}
    for result in results:
        arm = result.arm
        assert isinstance(arm, CropArm)  # noqa: S101 - `arms` makes no others
        low, high = arm.scale
        panels.setdefault(arm.family, []).append((f"{low:g}–{high:g}", result))
    lines = {
        family: {
            name: [(crop, value(result)) for crop, result in members]
            for name, value in LINES.items()
        }
        for family, members in panels.items()
    }
    i_nce = {
        family: [mean_of(result.biased, "i_nce") for _, result in members]
        for family, members in panels.items()
    }
    caption = f"{results.caption}; the paper's MM-IMDb panel is not reproduced"
    return strength_panels(lines, results.chance, caption, i_nce)


FIG7 = Experiment(
    "fig7", "strength of the crop of modality 1 (Figure 7)", arms, draw=draw, table=comparison
)
