"""Candidates for presets: what scripts/validation.py takes, and what it refuses in one line."""

import runpy
from pathlib import Path
from typing import Any

import pytest

from trifeature.errors import InputError

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "validation.py"))


def test_a_candidate_is_trained_on_biased_and_unbiased_validation_pairs() -> None:
    made = SCRIPT["plans"](
        "tau .4", {"preset": "quick", "seeds": (0, 2), "temperature": 0.4, "products": False}
    )
    assert [(plan.run.seed, plan.biased) for plan in made] == [
        (0, True),
        (0, False),
        (2, True),
        (2, False),
    ]
    assert all(plan.data.validation and not plan.products for plan in made)
    assert {(plan.setting, plan.run.option("temperature")) for plan in made} == {("tau .4", 0.4)}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"canvas": "x"}, "canvas must be a whole number of at least 1, not 'x'"),
        ({"values": (3, 4)}, r"values must be a whole number of at least 2, not \(3, 4\)"),
        ({"seeds": ()}, r"seeds must be a whole number or several, not \(\)"),
        ({"seeds": (0, 1.5)}, "seeds must be a whole number of at least 0, not 1.5"),
        ({"probe_epochs": "x"}, "probe_epochs must be a whole number of at least 0, not 'x'"),
        ({"seed": 3}, "a seed is given by seeds=3"),
        ({"products": 3}, "products must be"),
        ({"modalities": "two"}, "modalities must be"),
        ({"probing": "mine"}, "unknown probing 'mine'"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1, not 0"),
        ({"tau": 0.4}, "unknown setting 'tau'"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        SCRIPT["plans"]("label", settings)
