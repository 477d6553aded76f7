"""The page's mathematics and words in node, against the package: fast, no browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playground_tools import node, packed, random_tables

from trifeature.pid import GALLERY, broja, compare, gallery_table

ATOMS_OF = "(a => [a.R, a.U1, a.U2, a.S])"


def test_atoms_agree_with_the_package_on_the_gallery_and_on_random_tables() -> None:
    tables = [entry.table() for entry in GALLERY.values()] + list(random_tables(100))
    script = f"return data.map(([N, M, K, p]) => [{ATOMS_OF}(C.broja(C.table(N, M, K, p))), 0])"
    found = node(script, [packed(table) for table in tables])
    for table, (atoms, _) in zip(tables, found, strict=True):
        np.testing.assert_allclose(atoms, broja(table).values, atol=1e-8)


def test_every_atom_is_certified() -> None:
    tables = list(random_tables(100, seed=1))
    script = "return data.map(([N, M, K, p]) => C.broja(C.table(N, M, K, p)).gap)"
    assert max(node(script, [packed(table) for table in tables])) <= 1e-9


def test_larger_tables_agree_too() -> None:
    rng = np.random.default_rng(3)
    tables = [
        rng.dirichlet(np.ones(N * M * K)).reshape(N, M, K) for N, M, K in ((10, 10, 10), (3, 9, 2))
    ]
    script = f"return data.map(([N, M, K, p]) => {ATOMS_OF}(C.broja(C.table(N, M, K, p))))"
    for table, atoms in zip(tables, node(script, [packed(t) for t in tables]), strict=True):
        np.testing.assert_allclose(atoms, broja(table).values, atol=1e-8)


def test_other_measures_agree_with_the_package() -> None:
    tables = [gallery_table(name) for name in ("COPY", "AND", "W", "PWUNQ", "BOOM")]
    tables += list(random_tables(30, seed=2))
    script = f"""return data.map(([N, M, K, p]) => {{
        const t = C.table(N, M, K, p);
        return {{I_min: {ATOMS_OF}(C.iMin(t)), MMI: {ATOMS_OF}(C.mmi(t))}};
    }})"""
    for table, found in zip(tables, node(script, [packed(t) for t in tables]), strict=True):
        expected = compare(table)
        for name, atoms in found.items():
            np.testing.assert_allclose(atoms, expected[name].values, atol=1e-9)


def test_closed_forms_of_the_image_tasks_are_the_atoms_of_their_tables() -> None:
    cases = [
        [task, K, rho, e]
        for task in ("shape", "texture1", "texture2", "match")
        for K, rho, e in ((2, 0.5, 0), (3, 0.9, 0.2), (5, 0.2, 0.1), (5, 1, 0), (4, 0, 0.3))
    ]
    script = f"""return data.map(([task, K, rho, e]) => {{
        const t = C.taskTable(task, K, rho, e);
        return [{ATOMS_OF}(C.taskAtoms(task, K, rho, e)), [t.N, t.M, t.K, Array.from(t.p)]];
    }})"""
    for atoms, (N, M, K, cells) in node(script, cases):
        np.testing.assert_allclose(atoms, broja(np.reshape(cells, (N, M, K))).values, atol=2e-9)


BELIEFS = {
    "correlated": (0, 1, 0, 0),
    "xor": (0, 0, 0, 1),
    "rdnxor": (1, 0, 0, 1),
    "and": (0.311278, 0, 0, 0.5),
    "and-swapped": (0, 0, 0.311278, 0.188722),
    "ablation": (0, 0, 0, 1),
    "copy": (0, 1, 1, 0),
    "two-looks": (0.531004, 0, 0, 0.211),
    "half-match": (0.736966, 2.584963, 0, 0),
    "independent": (0, 0, 0, 0),
}


def test_the_ten_beliefs_have_the_atoms_that_dispel_them() -> None:
    script = f"return W.BELIEFS.map((b) => [b.id, {ATOMS_OF}(W.atomsOf(W.presetState(b.id)))])"
    found = dict(node(script))
    assert list(found) == list(BELIEFS)
    for name, atoms in found.items():
        np.testing.assert_allclose(atoms, BELIEFS[name], atol=1e-3 if name == "two-looks" else 1e-6)


def test_presets_named_like_the_gallery_are_the_gallery() -> None:
    script = """return Object.values(W.PRESETS).filter((x) => x.gallery && x.state.base)
        .map(({gallery, state: {base}}) =>
            [gallery, [base.N, base.M, base.K, Array.from(base.p)]])"""
    found = node(script)
    assert len(found) >= 19
    for name, (N, M, K, cells) in found:
        np.testing.assert_allclose(np.reshape(cells, (N, M, K)), gallery_table(name), atol=1e-12)


def test_copied_programs_give_the_atoms_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    hashes = [
        "task=shape&k=3&e=.1",
        "task=texture2&k=4",
        "task=texture1&k=6&rho=.7&e=.2",
        "task=match&k=5&rho=.3&e=.05",
        "task=match",
        "preset=xor&rho=.9",
        "preset=and&e=.1",
        "p=2x2x2_.25,0,.25,0,.125,.125,0,.25",
    ]
    script = f"""
    const presets = Object.keys(W.PRESETS).map((id) => `preset=${{id}}`);
    return [...presets, ...data].map((hash) => {{
        const {{state}} = W.fromHash(hash);
        return [W.program(state), {ATOMS_OF}(W.atomsOf(state))];
    }})"""
    for program, atoms in node(script, hashes):
        space: dict[str, Any] = {}
        exec(program, space)  # noqa: S102 - our own program
        np.testing.assert_allclose(space["atoms"].values, atoms, atol=1e-8)
    assert capsys.readouterr().out.count("\n") >= len(hashes)


# --------------------------------------------------------------------------- state and link


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


# --------------------------------------------------------------------------- words


def test_every_preset_has_a_sentence_with_its_numbers() -> None:
    script = """return Object.keys(W.PRESETS).map((id) => {
        const state = W.presetState(id);
        const atoms = W.atomsOf(state);
        const present = W.ATOMS.filter((name) => atoms[name] > 0.0005);
        const meanings = W.ATOMS.map((name) => W.explain(state, atoms, name));
        const numbers = present.map((name) => W.bits(atoms[name]));
        return [W.sentence(state, atoms), meanings, numbers, W.PRESETS[id].answer];
    })"""
    for sentence, meanings, numbers, answer in node(script):
        assert sentence.endswith(".")
        assert all(number in sentence for number in numbers)
        assert len(set(meanings)) == 4
        assert answer
        assert not re.search(r"undefined|NaN|null", sentence + "".join(meanings))


def test_a_prediction_in_progress_gives_nothing_away() -> None:
    script = """return Object.keys(W.PRESETS).map((id) => {
        const state = {...W.presetState(id), guess: true};
        return W.sentence(state, W.atomsOf(state)) + W.program(state);
    })"""
    for words in node(script):
        assert not re.search(r"\d\.\d|bit", words)


@pytest.mark.parametrize(
    ("preset", "guess", "belief"),
    [
        ("xor", [0, 0, 0, 0], "tells nothing alone"),
        ("rdnxor", [0, 0, 0, 0], "co-information 0"),
        ("and-swapped", [0.3, 0, 0, 0.5], "just a third variable"),
        ("ablation", [0, 1, 1, 0], "left out"),
        ("copy", [1, 0, 0, 1], "I_min"),
        ("correlated", [1, 1, 0, 0], "in common"),
        ("half-match", [1.65, 1.65, 0, 0], "match rate"),
        ("xor", [0, 0, 0, 1], ""),
    ],
)
def test_a_typical_wrong_answer_is_named(preset: str, guess: list[float], belief: str) -> None:
    script = """const state = {...W.presetState(data[0]), guess: true, shown: true, g: data[1]};
        return W.judge(state, W.atomsOf(state))"""
    verdict = node(script, [preset, guess])
    if belief:
        assert belief in verdict["belief"]
    else:
        assert (verdict["belief"], verdict["off"]) == ("", pytest.approx(0, abs=1e-6))


def test_exercises_start_unsolved_and_their_solutions_solve_them() -> None:
    script = """return W.EXERCISES.map((exercise) => ["start", "solution"].map((key) => {
        const {state, notes} = W.fromHash(exercise[key]);
        return [exercise.done(state, W.atomsOf(state)), notes.length];
    }))"""
    found = node(script)
    assert len(found) >= 5
    assert all(pair == [[False, 0], [True, 0]] for pair in found)


# --------------------------------------------------------------------------- tables of one's own


def test_pasted_tables_are_read() -> None:
    xor = [[[0.25, 0], [0, 0.25]], [[0, 0.25], [0.25, 0]]]
    texts = [
        str(xor),
        "000 011 101 110",
        "x1,x2,y,p\n0,0,0,.25\n0,1,1,.25\n1,0,1,.25\n1,1,0,.25",
        "0 0 0 5\n0 1 1 5\n1 0 1 5\n1 1 0 5\n",
        "0 0 0\n0 1 1\n1 0 1\n1 1 0",
        "[[[.25, 0.], [0., .25]], [[0., .25], [.25, 0.],],]",
    ]
    script = "return data.map((text) => Array.from(W.readPasted(text).p))"
    for cells in node(script, texts[:5]):
        np.testing.assert_allclose(np.reshape(cells, (2, 2, 2)), xor)


def test_what_cannot_be_read_says_why() -> None:
    script = """return data.map((text) => {
        try { W.readPasted(text); return ""; } catch (problem) { return problem.message; }
    })"""
    texts = ["", "[[1, 2]]", "[[[1, 2], [3]]]", "0 0 0 0 1", "0 0 0 -1", "0 0 0 0", "012345678 9"]
    big = "\n".join(f"{i} 0 0 1" for i in range(9))
    messages = node(script, [*texts, big])
    assert all(messages), messages
    assert "at most" in messages[-1]
