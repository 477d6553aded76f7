"""Presets: one value each, from which data, run and augmentations are made."""

from dataclasses import replace

import pytest

from trifeature.comm.settings import RunSettings, run_preset
from trifeature.data.dataset import DatasetSettings, preset
from trifeature.errors import InputError
from trifeature.presets import PAPER, PRESETS, QUICK, QUICK_OLD, get_preset


def test_each_preset_is_found_by_its_own_name() -> None:
    assert list(PRESETS) == ["paper", "fast", "laptop", "quick", "tiny", "quick-old"]
    assert all(get_preset(name).name == name for name in PRESETS)
    with pytest.raises(InputError, match="unknown preset 'quik': did you mean 'quick'"):
        get_preset("quik")


def test_the_papers_preset_differs_from_the_defaults_in_its_precision_alone() -> None:
    assert preset("paper") == DatasetSettings()
    assert run_preset("paper") == RunSettings(precision="bfloat16")


def test_the_quick_preset_does_not_stand_beside_published_numbers() -> None:
    assert [one.name for one in PRESETS.values() if one.published] == ["paper", "fast"]


def test_the_old_quick_preset_differs_in_its_drawings_and_its_factorcl_alone() -> None:
    old = preset("quick-old")
    assert old.render.drawings == "old"
    assert replace(old, render=preset("tiny").render) == preset("tiny")
    assert run_preset("quick-old") == run_preset("tiny")
    factorcl = run_preset("quick-old", method="factorcl")
    assert (factorcl.epochs, factorcl.learning_rate, factorcl.weight_decay) == (4, 2e-3, 0.0)
    assert QUICK_OLD.words == "quick preset, old drawings"
    assert QUICK.words == "quick preset"


@pytest.mark.parametrize(("name", "epochs"), [("paper", 150), ("fast", 150), ("quick", 3)])
def test_factorcl_has_its_authors_rate_decay_and_epochs_on_every_preset(
    name: str, epochs: int
) -> None:
    factorcl, comm = run_preset(name, method="factorcl"), run_preset(name)
    assert (factorcl.epochs, factorcl.learning_rate, factorcl.weight_decay) == (epochs, 1e-4, 0.0)
    assert comm.epochs == -(-2 * epochs // 3)
    given = {"epochs": 3, "learning_rate": 1e-2, "weight_decay": 0.1}
    chosen = run_preset(name, method="factorcl", **given)
    assert {setting: getattr(chosen, setting) for setting in given} == given


def test_a_share_of_an_odd_number_of_epochs_is_rounded_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRESETS, "mine", replace(QUICK, run={**QUICK.run, "epochs": 5}))
    assert run_preset("mine", method="factorcl").epochs == 8


def test_another_preset_needs_one_value(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = replace(QUICK, name="mine", canvas=48, run={**QUICK.run, "epochs": 2})
    monkeypatch.setitem(PRESETS, "mine", mine)
    assert preset("mine").render.canvas == 48
    assert preset("mine", shapes=4).shapes == 4
    assert run_preset("mine", method="cross").epochs == 2
    assert run_preset("mine").light == QUICK.augmentations.light


def test_the_map_of_a_preset_is_drawn_for_the_settings_that_were_asked_for() -> None:
    few = preset("tiny", shapes=3, textures=3, colors=3, held_out=5)
    assert len(few.partners) == 3
    assert preset("tiny", seed=1).partners != preset("tiny", seed=2).partners


def test_the_goal_of_a_speedrun_stands_with_its_preset() -> None:
    assert PAPER.speedrun is not None
    assert set(PAPER.speedrun.goal) == {"R", "U", "S"}
