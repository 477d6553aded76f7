"""Settings of fine-tuning and of the benchmarks; nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from trifeature.checks import require_choice, require_number, require_whole

SupervisedLoss = Literal["supcon", "cross-entropy"]
SUPERVISED_LOSSES: Final[tuple[SupervisedLoss, ...]] = get_args(SupervisedLoss)

STEPS: Final = 20
"""Training steps that `bench` times."""

REPETITIONS: Final = 20
"""Forward passes that `complexity` times."""

FEWEST_SEEDS: Final = 3
"""Seeds of a speedrun."""


@dataclass(frozen=True)
class FineTuning:
    """Settings of fine-tuning, apart from method, data and task.

    The optimizer is the training's AdamW. Batches are drawn as they come: classes are not
    balanced, so a batch of the synergy task holds as few positives as the pairs do.

    Attributes:
        loss: `supcon` on the unit-length features themselves, or `cross-entropy` of a linear head
            that is thrown away afterwards.
        epochs: The most passes over the fitting pairs.
        patience: Stop after so many epochs without a better validation accuracy.
        batch_size: Pairs in a step; each is seen in two views.
        learning_rate: Of AdamW, constant.
        weight_decay: Of AdamW.
        temperature: τ of SupCon.
        folds: One over this share of the combinations is kept for validation.
        seed: Of the split, the order of the pairs, the views and the linear head.

    Raises:
        InputError: a setting is out of range.
    """

    loss: SupervisedLoss = "supcon"
    epochs: int = 30
    patience: int = 5
    batch_size: int = 64
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    temperature: float = 0.07
    folds: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        require_choice("supervised loss", self.loss, SUPERVISED_LOSSES)
        least = {"epochs": 1, "patience": 1, "batch_size": 2, "folds": 2, "seed": 0}
        for name, low in least.items():
            object.__setattr__(self, name, require_whole(name, getattr(self, name), low))
        for name in ("learning_rate", "temperature"):
            object.__setattr__(self, name, require_number(name, getattr(self, name), above=0))
        decay = require_number("weight_decay", self.weight_decay, 0)
        object.__setattr__(self, "weight_decay", decay)
