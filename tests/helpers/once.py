"""What tests would make again and again: plans, and networks of which only the size is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from trifeature.comm import training
from trifeature.comm.methods import METHODS
from trifeature.comm.settings import RunSettings
from trifeature.data.dataset import modalities_of
from trifeature.experiments import leaderboard
from trifeature.experiments.experiment import Arm, Experiment, Results, Setup
from trifeature.experiments.plan import Plan
from trifeature.modality import Modality


def plan_once(patch: pytest.MonkeyPatch) -> None:
    """An experiment's plans of an arm and seed are made once; so are their keys.

    Of use while no preset changes: a file of tests undoes it when it ends.
    """
    pair, known = Experiment.pair, dict[tuple[int, str], tuple[Experiment, tuple[Plan, ...]]]()

    def once(self: Experiment, setup: Setup, arm: Arm, seed: int) -> tuple[Plan, ...]:
        key = id(self), repr((replace(setup, seeds=None), arm, seed))
        if key not in known:  # with the experiment itself, so that no other gets its id
            known[key] = self, pair(self, setup, arm, seed)
        return known[key][1]

    patch.setattr(Experiment, "pair", once)


def count_once(patch: pytest.MonkeyPatch) -> None:
    """The parameters of an arm's network are counted once."""
    count, known = leaderboard.parameters, dict[str, int | None]()

    def once(results: Results, arm: Arm) -> int | None:
        data = results.experiment.data_of(results.setup, 0)
        key = repr((results.setup.preset, arm.changes, modalities_of(data)))
        if key not in known:
            known[key] = count(results, arm)
        return known[key]

    patch.setattr(leaderboard, "parameters", once)


def fit_once(patch: pytest.MonkeyPatch) -> None:
    """Settings that fit the modalities, of a network that fits into memory, are not tried again."""
    require, known = training.require_fit, set[tuple[type, str]]()

    def once(settings: RunSettings, modalities: Sequence[Modality]) -> None:
        key = METHODS[settings.method], repr((replace(settings, seed=0), modalities))
        if key not in known:
            require(settings, modalities)
            known.add(key)

    patch.setattr(training, "require_fit", once)
