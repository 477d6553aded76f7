"""The page's examples and the links of its states, in node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from playground_tools import node

from trifeature.pid import gallery_table


def test_presets_named_like_the_gallery_are_the_gallery() -> None:
    script = """return Object.values(W.PRESETS).filter((x) => x.gallery && x.state.base)
        .map(({gallery, state: {base}}) =>
            [gallery, [base.N, base.M, base.K, Array.from(base.p)]])"""
    found = node(script)
    assert len(found) >= 19
    for name, (N, M, K, cells) in found:
        np.testing.assert_allclose(np.reshape(cells, (N, M, K)), gallery_table(name), atol=1e-12)


def test_states_survive_the_link() -> None:
    script = (Path(__file__).parent / "round_trip.js").read_text("utf-8")
    assert node(script) == []


def test_what_is_out_of_range_is_clamped_with_a_word() -> None:
    script = "return data.map((hash) => { const r = W.fromHash(hash); return [r.state, r.notes]; })"
    cases = ["k=99&rho=-3&e=.9", "preset=nope", "foo=1", "rho=abc", "%E0%A4%A", "g=9,0,0,0"]
    found = node(script, [*cases, "p=2x2x2_1,0", ""])
    state, notes = found[0]
    assert (state["k"], state["rho"], state["e"]) == (10, 0, 0.5)
    assert len(notes) == 3
    assert all("set to" in note for note in notes)
    assert [len(notes) for _, notes in found[1:]] == [1] * 6 + [0]


# Names that every JavaScript object has.
INHERITED = ("constructor", "toString", "__proto__", "hasOwnProperty", "valueOf")


def test_inherited_names_are_no_names_of_the_page() -> None:
    keys = ("preset", "task", "gate", "mode", "mark", "guess", "n", "unit", "cover", "p", "rho")
    hashes = [f"{key}={name}" for key in keys for name in INHERITED]
    script = """return data.map((hash) => {
        const {state, notes} = W.fromHash(hash);
        return [W.toHash(state), notes, W.sentence(state, W.atomsOf(state))];
    })"""
    for hash_, (link, notes, sentence) in zip(hashes, node(script, hashes), strict=True):
        assert link == "", hash_
        assert len(notes) == 1, hash_
        assert "1 bit" in sentence
        if hash_.startswith("preset="):
            assert notes[0].startswith("There is no preset")
    script = """return data.map((name) => [W.fromHash(`${name}=1`).notes.length,
        W.presetState(name).preset])"""
    assert node(script, INHERITED) == [[1, ""]] * len(INHERITED)


def test_an_unreadable_table_opens_the_page_and_says_what_is_wrong() -> None:
    words = {
        "p=2x2x2_1,0": "has 2 cells, where 2 × 2 × 2 needs 8",
        "p=9x2x2_1": "has 9 × 2 × 2 values",
        "p=1x1x2_.5,half": "“half”, which is not a number",
        "p=zzz&mode=table&rho=.9&e=.1": "is not written as NxMxK_cells",
        "p=1x1x1_1e999": "not a number",
    }
    script = """return data.map((hash) => {
        const {state, notes} = W.fromHash(hash);
        return [W.toHash(state), notes];
    })"""
    for word, (link, notes) in zip(words.values(), node(script, list(words)), strict=True):
        assert link == ""
        assert len(notes) == 1
        assert word in notes[0]
    # Another table is not the preset's, and a table that is not given is XOR by its name.
    others = ["preset=and&p=zz", "preset=xor&p=1x1x2_.5,.5", "mode=table", "preset=xor&mode=images"]
    assert [link for link, _ in node(script, others)] == [
        "preset=and",
        "mode=table&p=1x1x2_.5,.5",
        "preset=xor",
        "",
    ]


def test_a_link_is_held_to_what_the_page_has() -> None:
    script = """return data.map((hash) => {
        const limits = {epochs: 30, parts: ["bars", "stage"], arms: ["comm", "cross"]};
        const {state, notes} = W.fromHash(hash, limits);
        return [W.toHash(state), notes];
    })"""
    found = node(
        script,
        [
            "epoch=99",
            "hide=bars,zzz,S,yy",
            "arms=comm,nope",
            "epoch=30&hide=R&arms=cross",
            "k=3&k=4",
        ],
    )
    assert [link for link, _ in found] == [
        "epoch=30",
        "hide=bars,S",
        "arms=comm",
        "arms=cross&epoch=30&hide=R",
        "k=4",
    ]
    notes = [" ".join(notes) for _, notes in found]
    assert "set to 30" in notes[0]
    assert "zzz, yy" in notes[1]
    assert "nope" in notes[2]
    assert notes[3] == ""
    assert "“k” is given more than once: the last one counts." in notes[4]


def test_an_invalid_table_has_no_atoms_and_says_why() -> None:
    script = """return data.map((hash) => {
        const {state} = W.fromHash(hash);
        const atoms = W.atomsOf(state);
        return [atoms, W.sentence(state, atoms), C.problem(C.normalized(state.base))];
    })"""
    tables = ["2x2x1_.5,.5,.5,.5", "2x2x1_1.5,-.5,0,0", "2x2x1_0,0,0,0", "2x2x1_x,1,0,0"]
    words = ["sum to 2", "negative", "all cells are 0", "not a number"]
    found = node(script, [f"p={table}" for table in tables])
    for (atoms, sentence, mended), word in zip(found, words, strict=True):
        assert atoms is None
        assert word in sentence
        assert mended == ""
