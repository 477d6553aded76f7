"""What codes of each image alone tell, on codes whose atoms are known; the script of the rows."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trifeature.comm.settings import run_preset
from trifeature.comm.training import new_method
from trifeature.data.dataset import Dataset, build, preset
from trifeature.data.law import law_atoms
from trifeature.data.rule import PairRule
from trifeature.errors import InputError
from trifeature.experiments.codes import (
    SETS,
    Codes,
    attribute_codes,
    best_of_held_out,
    code_rows,
    model_codes,
    noise_codes,
)
from trifeature.studies.readers import FloatArray, Predictions

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "codes.py"))
ATOMS = ("R", "U1", "U2", "S")


@pytest.fixture(scope="module")
def data() -> Dataset:
    """The tiny preset, with few training pairs."""
    return build(preset("tiny", seed=0, match_rate=1.0, train_pairs=100))


def test_codes_of_the_attributes_tell_what_the_law_holds(data: Dataset) -> None:
    samples, tasks = data.samples(), ["synergy"]
    for row in code_rows(attribute_codes(data), samples, seed=0, tasks=tasks):
        task, atoms = row["task"], row["atoms"]
        told = [atoms[name]["value"] for name in ATOMS]
        assert told == pytest.approx(law_atoms(data.settings, task, "test").values, abs=0.15), task
        drawn = dict(zip(ATOMS, samples.truth()[task].values, strict=True))
        assert row["law"] == pytest.approx(drawn)
        assert all(one["low"] <= one["value"] <= one["high"] for one in atoms.values())


def test_codes_of_noise_tell_nothing(tiny: Dataset) -> None:
    samples = tiny.samples()
    codes = {
        name: Codes(*(part[:, :8] for part in own))
        for name, own in noise_codes(samples, seed=0).items()
    }
    (row,) = code_rows(codes, samples, seed=0, tasks=["synergy"])
    assert row["n"] == len(samples.sets["test"])
    assert all(row["atoms"][name]["value"] < 0.05 for name in ATOMS)


def test_codes_of_a_model_are_those_of_each_image_alone(tiny: Dataset) -> None:
    samples = tiny.samples()
    codes = model_codes(new_method(run_preset("tiny"), samples), samples)
    rows = samples.sets["test"].rows
    assert [len(codes[name].one) for name in SETS] == [len(samples.sets[n]) for n in SETS]
    # The same image has the same code, whatever its partner.
    again = np.flatnonzero(rows[:, 0] == np.bincount(rows[:, 0]).argmax())
    assert len(np.unique(rows[again, 1])) > 1
    assert np.ptp(codes["test"].one[again], axis=0).max() < 1e-5


def test_the_better_reader_of_held_out_samples_is_chosen() -> None:
    labels = np.array([0, 1, 0, 1])
    good, bad = np.full((4, 1, 2), 0.1), np.full((4, 1, 2), 0.5)
    good[np.arange(4), 0, labels] = 0.9
    unseen = np.full((1, 1, 2), np.nan)

    def found(held_out: FloatArray) -> Predictions:
        return Predictions(held_out, held_out, "linear", (1.0,), 1)

    two = {"bad": found(bad), "good": found(np.concatenate([unseen, good[1:]]))}
    assert best_of_held_out(two, labels) == "good"


def test_a_data_set_without_a_map_has_no_codes_of_attributes(tiny: Dataset) -> None:
    settings = replace(tiny.settings, rule=PairRule(gate="parity"), synergy_map="auto")
    with pytest.raises(InputError, match="with a map"):
        attribute_codes(replace(tiny, settings=settings))


def test_the_script_trains_each_method_on_both_kinds_of_pairs() -> None:
    made = SCRIPT["plans"]((0, 2))
    assert len({plan.key for plan in made}) == len(made) == 2 * 3 * 2
    assert [(plan.run.method, plan.biased, plan.run.seed) for plan in made[:2]] == [
        ("comm", True, 0),
        ("comm", False, 0),
    ]
    assert {plan.preset for plan in made} == {"quick"}
