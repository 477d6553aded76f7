"""The playground within the guide: links that carry a state, cards that show its examples."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from guide_tools import DOCS, extension
from playground_tools import node

from trifeature.pid import broja

ATOMS = ("R", "U1", "U2", "S")


@pytest.fixture(scope="module")
def world() -> ModuleType:
    return extension("world")


@pytest.fixture(scope="module")
def states() -> ModuleType:
    return extension("states")


# --------------------------------------------------------------------------- links


def test_a_link_that_the_page_does_not_take_is_named(states: ModuleType) -> None:
    found = states.refused_states(["preset=xor&guess=1", "preset=xnor", "rho=2", "hide=nothing"])
    refused = [line.partition(": ")[0].partition("#")[2] for line in found]
    if shutil.which("node"):
        assert refused == ["preset=xnor", "rho=2", "hide=nothing"]
    else:
        assert refused == ["preset=xnor"]


def test_without_node_keys_and_presets_are_checked(
    world: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.shutil, "which", lambda _: None)
    notes = world.notes_on(
        ["preset=xor&rho=.5", "preset=xnor", "rate=.5&k=3", "preset=constructor"]
    )
    assert [len(found) for found in notes] == [0, 1, 1, 1]
    assert "xnor" in notes[1][0]
    assert "rate" in notes[2][0]


def test_a_fragment_that_a_built_page_has_lost_is_named(states: ModuleType, tmp_path: Path) -> None:
    link = "../playground/index.html"
    text = f"[a]({link}#preset=xor&e=.11) [b]({link}#k=3) [c]({link})"
    source, notebook, page = (tmp_path / f"page.{end}" for end in ("md", "ipynb", "html"))
    source.write_text(text, encoding="utf-8")
    cells = [{"cell_type": "markdown", "source": [text]}, {"cell_type": "code", "source": ["x"]}]
    notebook.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    page.write_text(f'<a href="{link}#preset=xor&amp;e=.11">a</a><a href="{link}">b</a>', "utf-8")
    for written in (source, notebook):
        assert states.written_states(written) == ["preset=xor&e=.11", "k=3"]
        (lost,) = states.lost_states(written, page)
        assert "#k=3: the built page has lost the fragment" in lost


def test_the_states_that_pages_link_to_are_taken(states: ModuleType) -> None:
    written = [
        state
        for page in (*DOCS.rglob("*.md"), *DOCS.rglob("*.ipynb"))
        for state in states.written_states(page)
    ]
    assert len(set(written)) > 10
    assert states.refused_states(written) == []


# --------------------------------------------------------------------------- the gallery


def test_the_saved_examples_are_those_of_the_page(world: ModuleType) -> None:
    """Where this fails: `python docs/guide/extensions/world.py` writes them anew."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    assert world.saved_examples() == world.examples()


def test_the_atoms_of_a_thumbnail_are_those_that_the_page_shows(world: ModuleType) -> None:
    presets = world.examples()["presets"]
    table_of = extension("thumbnails").table_of
    script = "return data.map((id) => W.atomsOf(W.presetState(id)))"
    shown = node(script, [preset["id"] for preset in presets])
    for preset, atoms in zip(presets, shown, strict=True):
        ours = broja(table_of(preset)).values
        np.testing.assert_allclose(ours, [atoms[a] for a in ATOMS], atol=1e-8, err_msg=preset["id"])


def test_a_card_shows_picture_name_sentence_and_link(world: ModuleType) -> None:
    pytest.importorskip("sphinx")
    card = extension("playground").card
    presets = {preset["id"]: preset for preset in world.saved_examples()["presets"]}
    gate = card(presets["and"], "../playground/index.html")
    assert 'href="../playground/index.html#preset=and"' in gate
    assert presets["and"]["answer"].split(":")[0] in gate
    assert 'aria-label="R 0.311, U1 0, U2 0, S 0.5 bits"' in gate
    pairs = card(presets["half-match"], "index.html")
    assert pairs.count("data:image/png") == 4
    assert "match: 50 %" in pairs
