"""The page's words in node: numbers, pairs, sentences."""

from __future__ import annotations

import json
import re

from playground_tools import ATOMS_OF, GATES, node

from trifeature.data.attributes import SHAPES, TEXTURES


def test_labels_have_names() -> None:
    script = """
    const state = (hash) => W.fromHash(hash).state;
    const hashes = ["task=shape&k=3", "task=texture1", "", "gate=parity", "gate=sum", "gate=and",
        "preset=boom"];
    return hashes.map((hash) => [W.tableOf(state(hash)).K, W.labelNames(state(hash), data)])"""
    named = node(script, {"shapes": SHAPES, "textures": TEXTURES})
    assert all(count == len(set(names)) for count, names in named)
    assert named[0][1] == list(SHAPES[:3])
    assert named[1][1] == list(TEXTURES[:5])


def test_a_pair_says_what_it_says_about_its_label() -> None:
    script = """return [["", 0, 1, 0], ["preset=and", 0, 1, 0], ["preset=and", 0, 0, 1]].map(
        ([hash, x1, x2, y]) => W.localSentence(W.fromHash(hash).state, {x1, x2, y}))"""
    match, misleading, never = node(script)
    assert "image 1 says 0 bits, image 2 0 bits, both 1 bit about" in match
    # y = 0 of AND has probability 3/4: log2(1 / .75) after x1 = 0, log2(.5 / .75) after x2 = 1.
    assert "X1 says 0.415 bits, X2 −0.585 bits, both 0.415 bits" in misleading
    assert "X2 misleads" in misleading
    assert never == "This outcome never occurs."


def test_every_preset_has_a_sentence_with_its_numbers() -> None:
    script = """return Object.keys(W.PRESETS).map((id) => {
        const state = W.presetState(id);
        const atoms = W.atomsOf(state);
        const present = W.ATOMS.filter((name) => atoms[name] > 0.0005);
        const meanings = W.ATOMS.map((name) => W.explain(state, atoms, name));
        const numbers = present.map((name) => W.bits(atoms[name]));
        return [W.sentence(state, atoms), meanings, numbers, W.PRESETS[id].answer, atoms.total];
    })"""
    for sentence, meanings, numbers, answer, total in node(script):
        assert sentence.endswith(".")
        assert all(number in sentence for number in numbers)
        assert len(set(meanings)) == (4 if total > 1e-6 else 1)  # nothing to split
        assert answer
        assert not re.search(r"undefined|NaN|null", sentence + "".join(meanings))


STATES = (
    *("", "rho=.3", "rho=1", "rho=.505", "k=10&e=.2", "task=shape", "task=shape&share=.5&e=.1"),
    *("task=shape&share=0", "task=texture1", "task=texture1&rho=.201", "task=texture2&e=.3"),
    *(f"gate={gate}&k={k}" for gate in GATES for k in (2, 5, 10)),
    *("task=texture1&gate=and", "gate=sum&e=.5", "cover=1", "task=shape&share=.5&cover=2"),
    *("preset=and&cover=1", "preset=w&e=.0001", "preset=xor&e=.5", "preset=copy&rho=.99"),
)


def test_every_state_has_a_sentence_and_a_short_one() -> None:
    script = f"""return [...data, ...Object.keys(W.PRESETS).map((id) => `preset=${{id}}`)]
    .map((hash) => {{
        const {{state, notes}} = W.fromHash(hash);
        const atoms = W.atomsOf(state);
        const all = ["", "1", "2"].map((cover) => [
            W.sentence({{...state, cover}}, atoms), W.shortSentence({{...state, cover}}, atoms)]);
        const meanings = W.ATOMS.map((name) => W.explain(state, atoms, name));
        return [hash, notes, {ATOMS_OF}(atoms), W.bits(atoms.total), all, meanings];
    }})"""
    for hash_, notes, atoms, total, all_, meanings in node(script, STATES):
        assert notes == [], hash_
        for sentence, short in all_:
            assert len(short.split()) <= 12
            assert sentence.count(". ") == 0, sentence
            assert sentence.endswith(".")
            assert total in short
        others = sorted(map(abs, atoms))[:3]
        claims_all = "all of it is" in all_[0][0] and "nearly" not in all_[0][0]
        assert claims_all == (sum(others) < 1e-6 < max(atoms)), hash_
        assert len(set(meanings)) == (4 if sum(map(abs, atoms)) > 1e-6 else 1)
        assert not re.search(r"undefined|NaN|null", json.dumps([all_, meanings]))


def test_numbers_do_not_round_to_what_they_are_not() -> None:
    numbers = [0, 1, 0.9997, 0.0004, 0.99996, 1.0002, 2.3219, -1e-9, -0.25, 1e-8, 0.9995]
    script = "return [data.map(W.bits), [0, 1, 0.9999, 0.0001, 0.25].map(W.percent)]"
    bits, percent = node(script, numbers)
    assert bits[:6] == ["0", "1", "0.9997", "<0.001", "0.99996", "1.0002"]
    assert bits[6:] == ["2.322", "0", "−0.250", "0", bits[-1]]
    assert bits[-1] not in ("1", "1.000")
    assert percent == ["0 %", "100 %", ">99.9 %", "<0.1 %", "25 %"]


def test_nearly_all_is_not_all() -> None:
    script = """const nearly = {R: 0.0003, U1: 0, U2: 0, S: 0.9997, total: 1};
        const state = W.presetState("xor");
        return [W.sentence(state, nearly), W.sentence(state, {...nearly, R: 0, S: 1})]"""
    nearly, whole = node(script)
    assert "nearly all of it (0.9997 of 1 bit) is synergy" in nearly
    assert "<0.001 bits redundant" in nearly
    assert ": all of it is synergy" in whole


def test_a_prediction_in_progress_gives_nothing_away() -> None:
    script = """return Object.keys(W.PRESETS).map((id) => {
        const state = {...W.presetState(id), guess: true};
        const atoms = W.atomsOf(state);
        return W.sentence(state, atoms) + W.shortSentence(state, atoms) + W.program(state);
    })"""
    for words in node(script):
        assert not re.search(r"\d\.\d|bit", words)
