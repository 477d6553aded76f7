"""Settings are the paper's by default, refuse what cannot be, and survive JSON."""

import json
import math
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from trifeature.comm.options import CoMMOptions, CrossOptions
from trifeature.comm.settings import RunSettings, run_preset
from trifeature.errors import InputError
from trifeature.presets import PRESETS
from trifeature.views.sets import ALL, LIGHT


def test_the_defaults_are_the_published_run() -> None:
    run = RunSettings()
    assert (run.method, run.option("loss"), run.views) == ("comm", "L_CoMM", (ALL,))
    assert (run.epochs, run.batch_size) == (100, 64)
    assert (run.learning_rate, run.weight_decay, run.schedule) == (3e-4, 1e-4, "constant")
    model = run.options
    assert isinstance(model, CoMMOptions)
    assert (run.encoder, model.width, model.heads) == ("alexnet", 512, 8)
    assert (model.hidden, model.embedding, model.temperature) == (512, 256, 0.1)
    assert (model.masking, model.unimodal, model.negatives) == ("remove", "augmented", "both")
    assert model.head_norm


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fusion": "linaer"}, "did you mean 'linear'"),
        ({"masking": "removed"}, "did you mean 'remove'"),
        ({"unimodal": "plane"}, "did you mean 'plain'"),
        ({"negatives": "algorithm 1"}, "did you mean 'algorithm1'"),
        ({"width": 0}, "width must be a whole number of at least 1, not 0"),
        ({"heads": 2.0}, "heads must be a whole number of at least 1, not 2.0"),
        ({"hidden": True}, "hidden must be a whole number of at least 1, not True"),
        ({"embedding": -1}, "embedding must be a whole number of at least 1, not -1"),
        ({"temperature": 0}, "temperature must be above 0, not 0"),
        ({"temperature": math.nan}, "temperature must be above 0, not nan"),
    ],
)
def test_a_model_that_cannot_be_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as refusal:
        CoMMOptions(**change)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"epochs": -1}, "epochs must be a whole number from 0 to 1000000, not -1"),
        ({"epochs": 1.5}, "epochs must be a whole number from 0 to 1000000, not 1.5"),
        ({"seed": -3}, "seed must be a whole number from 0 to 9223372036854775807, not -3"),
        ({"learning_rate": 0}, "learning_rate must be above 0, not 0"),
        ({"learning_rate": "fast"}, "learning_rate must be above 0, not 'fast'"),
        ({"weight_decay": -0.1}, "weight_decay must be at least 0, not -0.1"),
        ({"learning_rate": math.inf}, "learning_rate must be above 0, not inf"),
        ({"batch_size": 1}, "batch_size must be"),
        ({"batch_size": 2.5}, "batch_size must be"),
        ({"warmup": 1}, "warmup must be at least 0 and below 1, not 1"),
        ({"warmup": -0.1}, "warmup must be at least 0 and below 1, not -0.1"),
        ({"views": ()}, "views must hold at least one"),
        ({"encoder": "alexnett"}, "did you mean 'alexnet'"),
        ({"method": "comn"}, "did you mean 'comm'"),
        ({"options": CrossOptions()}, "the options of comm are CoMMOptions, not CrossOptions"),
    ],
)
def test_a_run_that_cannot_be_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as refusal:
        RunSettings(**change)
    assert words in str(refusal.value)


def test_settings_cannot_be_changed_in_place() -> None:
    settings = RunSettings()
    with pytest.raises(FrozenInstanceError):
        settings.seed = 1  # type: ignore[misc]


def test_a_run_may_have_no_epoch_the_untrained_network() -> None:
    assert RunSettings(epochs=0).epochs == 0


@pytest.mark.parametrize(
    "settings",
    [
        *map(run_preset, PRESETS),
        RunSettings(options=CoMMOptions("L_1"), views=(ALL, LIGHT), seed=7),
    ],
    ids=[*PRESETS, "two sets of views"],
)
def test_settings_come_back_from_json_as_they_were(settings: RunSettings) -> None:
    text = json.dumps(settings.to_json())
    assert RunSettings.from_json(json.loads(text)) == settings


@pytest.mark.parametrize("key", RunSettings().to_json())
def test_a_key_that_is_missing_stands_for_its_default(key: str) -> None:
    content = RunSettings().to_json()
    del content[key]
    assert RunSettings.from_json(content) == RunSettings()


def test_settings_from_before_methods_had_options_are_read() -> None:
    content = run_preset("tiny", loss="L_i", seed=5).to_json()
    model = content.pop("options") | {"encoder": content.pop("encoder"), "cross_self": "code"}
    old = content | {"loss": model.pop("loss"), "model": model}
    assert RunSettings.from_json(old) == run_preset("tiny", loss="L_i", seed=5)
    cross = RunSettings.from_json(old | {"method": "cross"})
    assert cross == run_preset("tiny", method="cross", seed=5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"speed": 3}, "unknown setting of the run 'speed': did you mean 'seed'"),
        ({"options": {"speed": 3}}, "unknown setting of the options of comm 'speed'"),
        ({"options": 3}, "the options of comm must be a JSON object, not 3"),
        ({"model": 3}, "model must be a JSON object, not 3"),
        ({"views": 3}, "views must be a list, not 3"),
        ({"views": [3]}, "views must be a JSON object of settings, not 3"),
    ],
)
def test_settings_of_another_form_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        RunSettings.from_json(RunSettings().to_json() | change)


def test_one_set_of_views_serves_every_modality() -> None:
    settings = RunSettings(views=(LIGHT,))
    assert [settings.views_of(m) for m in range(3)] == [LIGHT] * 3


def test_each_modality_can_have_views_of_its_own() -> None:
    settings = RunSettings(views=(ALL, LIGHT))
    assert [settings.views_of(m) for m in range(2)] == [ALL, LIGHT]


def test_a_preset_takes_changes_of_the_run_and_of_its_model_by_name() -> None:
    changed = run_preset("tiny", width=16, masking="learned", seed=4)
    preset = run_preset("tiny")
    assert (changed.option("width"), changed.option("masking"), changed.seed) == (16, "learned", 4)
    assert (changed.option("hidden"), changed.epochs) == (preset.option("hidden"), preset.epochs)


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("quik", {}, "unknown preset 'quik': did you mean 'quick'"),
        ("tiny", {"widht": 3}, "unknown setting 'widht': did you mean 'width'"),
        ("tiny", {"epoch": 3}, "unknown setting 'epoch': did you mean 'epochs'"),
        ("tiny", {"width": -1}, "width must be a whole number of at least 1"),
    ],
)
def test_a_wrong_preset_or_change_is_refused(
    name: str, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError) as refusal:
        run_preset(name, **changes)
    assert words in str(refusal.value)
