"""Tables 4, 5 and 7: the fusion module, the augmentations, the encoder.

`comm-probe reproduce table4`, `table5`, `table7`. Expected values stand with each arm (n = 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from trifeature.experiments.beside import beside_paper
from trifeature.experiments.drawing import comparison, draw_bars
from trifeature.experiments.experiment import Arm, Experiment, Priority, Published
from trifeature.presets import Preset

RESNET_STRIDE = 32
"""Pixels along the side of what one token of ResNet-50 stands for."""

COMM: Published = {
    "R": (99.92, 0.03),
    "U": (87.83, 1.55),
    "U1": (84.35, 2.37),
    "U2": (91.19, 0.97),
    "S": (71.87, 2.06),
}


def fusion_arms(preset: Preset) -> Sequence[Arm]:  # noqa: ARG001 - alike on every preset
    """Linear fusion against attention."""
    return (
        Arm(
            "Concat + Linear",
            "linear fusion",
            {"fusion": "linear"},
            {"R": (99.71, 0.06), "U": (81.49, 2.88), "S": (50.0, 0.0)},
            priority=Priority.FUSION,
        ),
        Arm("CoMM", published=COMM),
    )


def augmentation_arms(preset: Preset) -> Sequence[Arm]:
    """*All*, *All* without crop and ∅ (light crops) on either modality."""
    sets = preset.augmentations
    uncropped = replace(sets.all, crop_scale=None)
    return (
        Arm(
            "All, ∅",
            "views all, light",
            {"views": (sets.all, sets.light)},
            {"R": (99.72, 0.04), "U1": (79.92, 1.05), "U2": (46.44, 3.74), "S": (50.0, 0.0)},
            priority=Priority.VIEWS,
        ),
        Arm(
            "∅, All",
            "views light, all",
            {"views": (sets.light, sets.all)},
            {"R": (99.58, 0.13), "U1": (53.89, 6.69), "U2": (86.04, 2.01), "S": (50.0, 0.0)},
            priority=Priority.VIEWS,
        ),
        Arm(
            "All∖crop, All",
            "views all without crop, all",
            {"views": (uncropped, sets.all)},
            {"R": (88.79, 0.96), "U1": (25.69, 0.10), "U2": (84.00, 4.43), "S": (50.0, 0.0)},
            priority=Priority.VIEWS,
        ),
        Arm(
            "All, All∖crop",
            "views all, all without crop",
            {"views": (sets.all, uncropped)},
            {"R": (90.50, 2.07), "U1": (83.22, 2.86), "U2": (21.74, 1.36), "S": (50.0, 0.0)},
            priority=Priority.VIEWS,
        ),
        Arm("All, All (CoMM)", published=COMM),
    )


def encoder_arms(preset: Preset) -> Sequence[Arm]:
    """ResNet-50 for the preset's encoder, but where it leaves one token of an image."""
    if preset.canvas < 2 * RESNET_STRIDE:
        return (Arm("CoMM, small encoder"),)
    resnet = {"encoder": "resnet50"}
    return (
        Arm("CoMM, AlexNet", published=COMM),
        Arm(
            "CoMM, ResNet-50",
            "resnet50",
            resnet,
            {"R": (99.9, 0.03), "U": (96.3, 1.3), "S": (75.0, 1.7)},
            priority=Priority.ENCODERS,
        ),
        Arm(
            "Cross, ResNet-50",
            "resnet50",
            {"method": "cross", **resnet},
            {"R": (100.0, 0.04), "U": (6.5, 0.7), "S": (50.0, 0.0)},
            priority=Priority.ENCODERS,
        ),
        Arm(
            "Cross+Self, ResNet-50",
            "resnet50",
            {"method": "cross+self", **resnet},
            {"R": (99.9, 0.04), "U": (96.2, 0.8), "S": (50.0, 0.0)},
            priority=Priority.ENCODERS,
        ),
    )


TABLE4 = Experiment(
    "table4",
    "linear fusion against attention (Table 4)",
    fusion_arms,
    draw=draw_bars,
    table=comparison,
    more_tables=beside_paper,
)
TABLE5 = Experiment(
    "table5",
    "augmentations of either modality (Table 5)",
    augmentation_arms,
    # The paper prints no mean of U1 and U2: they are what the table is about.
    draw=partial(draw_bars, panels=("R", "U1", "U2", "S_auc", "S")),
    table=comparison,
    more_tables=beside_paper,
)
TABLE7 = Experiment(
    "table7",
    "ResNet-50 encoders (Table 7)",
    encoder_arms,
    draw=draw_bars,
    table=comparison,
    more_tables=beside_paper,
)
