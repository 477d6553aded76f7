"""The laws of the page's states in node: curves along a dial, drawn pairs, edits."""

from __future__ import annotations

import numpy as np
from playground_tools import ATOMS_OF, GATES, node


def test_a_sweep_goes_through_the_laws_of_its_dial() -> None:
    script = f"""return data.map((hash) => {{
        const {{state}} = W.fromHash(hash);
        const started = performance.now();
        const {{dial, points}} = W.sweep(state);
        const seconds = (performance.now() - started) / 1000;
        const away = points.map(({{x, ...atoms}}) =>
            Math.max(...{ATOMS_OF}(W.atomsOf({{...state, [dial]: x}})).map((y, c) =>
                Math.abs(y - {ATOMS_OF}(atoms)[c]))));
        return [dial, points.length, points.at(-1).x, Math.max(...away), seconds];
    }})"""
    dials = {
        "": "rho",
        "task=texture1": "rho",
        "task=shape": "share",
        "task=texture2": "e",
        "gate=and": "e",
        "task=texture1&gate=sum": "e",
        "preset=and": "rho",
        "preset=rdn": "e",
        "preset=rdnxor": "rho",
    }
    for expected, found in zip(dials.values(), node(script, list(dials)), strict=True):
        dial, points, last, away, seconds = found
        assert dial == expected
        assert points >= 9
        assert last == (0.5 if dial == "e" else 1)
        assert away < 2e-4
        assert seconds < 1  # 0.05 on a quiet core
    assert node("return W.sweep(W.fromHash('p=1x1x2_.5,.6').state).points") == []


def test_pairs_are_drawn_from_the_table_in_force() -> None:
    hashes = [
        "task=shape&share=.4&k=3",
        "task=texture1&rho=.7&k=3&e=.2",
        "task=texture2&k=2",
        "rho=.3&k=3&e=.1&map=4",
        *(f"gate={gate}&k=3&e=.1" for gate in GATES[1:]),
        "task=texture1&gate=and&k=2",
        "preset=boom&e=.1",
    ]
    script = """return data.map((hash) => {
        const {state} = W.fromHash(hash);
        const random = C.generator(7);
        const t = W.tableOf(state);
        const drawn = C.table(t.N, t.M, t.K);
        const sums = C.cumulated(t.p);
        for (let n = 0; n < 5000; n++) {
            const {x1, x2, label} = state.mode === "images"
                ? W.pairOf(state, random) : W.cellPair(state, random, sums);
            drawn.p[(x1 * t.M + x2) * t.K + label] += 1 / 5000;
        }
        return Math.max(...t.p.map((x, c) =>
            Math.abs(x - drawn.p[c]) / Math.sqrt(Math.max(x * (1 - x), 1e-9) / 5000)));
    })"""
    assert max(node(script, hashes)) < 4.5  # standard deviations, of about 200 cells


def test_a_moved_rate_changes_few_pairs_and_the_map_holds() -> None:
    script = """
    const draw = (more) => Array.from({length: 200}, (_, n) =>
        W.pairOf({...W.DEFAULTS, ...more}, C.generator(n)));
    const [half, more] = [draw({rho: 0.5}), draw({rho: 0.6})];
    const map = C.permutation(5, 1);
    return [half.filter((pair, n) => JSON.stringify(pair) !== JSON.stringify(more[n])).length,
        half.every((pair) => pair.keeps === (pair.color2 === map[pair.texture1])),
        half.every((pair) => pair.shape === pair.shape2 && pair.shares),
        draw({share: 0}).every((pair) => pair.shape !== pair.shape2 && !pair.shares),
        draw({e: 0}).every((pair) => pair.label === pair.truth && !pair.flipped),
        draw({task: "match", gate: "and"}).every((pair) => !pair.keeps)]"""
    changed, *held = node(script)
    assert 5 <= changed <= 40
    assert held == [True] * 5


def test_an_edit_keeps_the_proportions_of_the_table_it_began_with() -> None:
    script = """const and = W.presetState("and").base;
    const through = W.edited(and, and, 0, 1, true);
    const cells = (t) => Array.from(t.p);
    return [cells(through), cells(W.edited(through, and, 0, 0.5, true)),
        cells(W.edited(through, through, 0, 0.5, true)), cells(W.edited(and, and, 0, 0.5, false)),
        C.problem(W.edited(and, and, 0, 1.5, true)), C.problem(W.edited(and, and, 0, NaN, true)),
        cells(W.edited(W.edited(and, and, 0, NaN, true), and, 0, 0.25, true)), cells(and)]"""
    through, typed, spread, alone, above, empty, mended, start = node(script)
    assert through == [1, 0, 0, 0, 0, 0, 0, 0]
    np.testing.assert_allclose(typed, [0.5, 0, 1 / 6, 0, 1 / 6, 0, 0, 1 / 6])
    np.testing.assert_allclose(spread, [0.5, 0.5, *[0] * 6])  # its own pair holds enough
    assert alone == [0.5, 0, 0.25, 0, 0.25, 0, 0, 0.25]
    assert "sum to" in above
    assert "empty" in empty
    np.testing.assert_allclose(mended, start)


def test_a_value_that_is_no_probability_destroys_no_other_cell() -> None:
    script = """const and = W.presetState("and").base;
    const typed = W.edited(W.edited(and, and, 0, 1, true), and, 0, 1.5, true);
    return Array.from(typed.p)"""
    assert node(script) == [1.5, 0, 0.25, 0, 0.25, 0, 0, 0.25]
