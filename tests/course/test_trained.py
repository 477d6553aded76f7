"""The networks that come with the course: small, complete, and what their files say they are."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from trifeature.comm.training import new_method
from trifeature.data.dataset import Dataset, build, plan_images, plan_pairs, preset
from trifeature.errors import InputError
from trifeature.experiments.plan import current_key
from trifeature.probes.protocol import probe

COURSE = Path(__file__).parents[2] / "docs" / "course"


def load() -> Any:
    """`docs/course/trained.py`, which lies outside the package."""
    spec = importlib.util.spec_from_file_location("trained", COURSE / "trained.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["trained"] = module
    spec.loader.exec_module(module)
    return module


trained: Any = load()


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """The networks' data set without its images, which loading does not need."""
    settings = preset("quick", seed=trained.SEED, train_pairs=10, probe_pairs=10, test_pairs=10)
    tables = plan_images(settings)
    return Dataset(settings, tables, plan_pairs(settings, tables), {})


@pytest.mark.parametrize("name", trained.KINDS)
def test_a_network_is_small_and_says_where_it_comes_from(name: str) -> None:
    note, plan = trained.about(name), trained.KINDS[name].plan()
    # Cross is the largest: a dense layer of 3,456 × 128 numbers for each image.
    assert (trained.WEIGHTS / f"{name}.safetensors").stat().st_size < 1_200_000
    assert current_key(note["key"]) == plan.key
    assert note["data"]["match_rate"] == plan.data.match_rate
    assert {"device", "versions", "commit", "seconds", "run"} <= note.keys()


@pytest.mark.parametrize("name", trained.KINDS)
def test_rounding_moved_no_measurement_by_a_point(name: str) -> None:
    measured = trained.about(name)["measured"]
    before, after = measured["as trained"], measured["rounded, as kept here"]
    assert {part for part in before if abs(before[part] - after[part]) > 0.01} == set()


def test_rounding_is_within_half_a_step() -> None:
    torch.manual_seed(0)
    state = {"w": torch.randn(6, 3, 2, 2), "b": torch.randn(5), "n": torch.tensor(7)}
    state["w"][2] = 0
    back = trained.expand(trained.shrink(state))
    step = state["w"].flatten(1).abs().amax(1) / 127
    worst = (back["w"] - state["w"]).flatten(1).abs().amax(1)
    assert (worst <= 0.55 * step + 1e-7).all()  # the step is itself rounded to float16
    assert torch.allclose(back["b"], state["b"], atol=1e-2)
    assert back["n"] == 7


def test_a_network_is_not_the_untrained_one(dataset: Dataset) -> None:
    pairs = trained.pictures(
        np.array([[0, 1, 2, 3, 4], [1, 1, 2, 3, 4]]), np.array([7, 7]), dataset
    )
    codes = [trained.look(trained.load(name, dataset), pairs) for name in ("comm", "comm-control")]
    codes.append(trained.look(trained.untrained("comm", dataset), pairs))
    assert all(code.shape == (2, 128) for code in codes)
    assert not any(torch.allclose(a, b, atol=0.1) for a, b in ((codes[0], x) for x in codes[1:]))


def test_equal_attributes_and_copies_are_equal_pictures(dataset: Dataset) -> None:
    attributes = np.array([[0, 1, 2, 3, 4], [0, 1, 2, 3, 0], [0, 1, 2, 1, 2], [0, 1, 2, 1, 2]])
    pictures = trained.pictures(attributes, np.array([5, 5, 5, 6]), dataset)
    assert torch.equal(pictures[0, 0], pictures[1, 0])
    assert not torch.equal(pictures[0, 1], pictures[1, 1])
    assert not torch.equal(pictures[2, 0], pictures[2, 1])  # the same words, another drawing
    assert not torch.equal(pictures[2, 0], pictures[3, 0])


def test_a_side_by_side_code_has_no_interaction(dataset: Dataset) -> None:
    grid = np.array([[1, t, 0, 2, c] for t in range(5) for c in range(5)])
    pairs = trained.pictures(grid, np.full(25, 900), dataset)
    for name, beside in (("cross", True), ("comm", False)):
        z = trained.look(trained.load(name, dataset), pairs).unflatten(0, (5, 5)).double()
        left = z - z.mean(0) - z.mean(1, keepdim=True) + z.mean((0, 1))
        share = float(left.square().sum() / (z - z.mean((0, 1))).square().sum())
        assert (share < 1e-9) is beside


def test_unknown_networks_are_named() -> None:
    with pytest.raises(InputError, match="comm-control"):
        trained.about("cros")


@pytest.mark.slow  # Renders the data set and fits four probes: half a minute.
@pytest.mark.parametrize("name", ["comm", "cross"])
def test_a_network_measures_what_its_file_says(name: str) -> None:
    plan = trained.KINDS[name].plan()
    data = build(plan.data)
    row = probe(trained.load(name, data), data).row()
    said = trained.about(name)["measured"]["rounded, as kept here"]
    # Another processor may round differently; what is fitted on a code moves with it.
    assert {part: row[part] for part in said} == pytest.approx(said, abs=0.015)
    first = probe(new_method(plan.run, data, torch.device("cpu")), data).row()
    assert row["R"] > first["R"] + 0.1
