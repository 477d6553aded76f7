"""Programs that the page writes, and the texts that it reads, in node."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playground_tools import ATOMS_OF, node


def test_copied_programs_give_the_atoms_of_the_page_and_paste_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    hashes = [
        "task=shape&k=3&e=.1",
        "task=texture2&k=4",
        "task=texture1&k=6&rho=.7&e=.2",
        "task=match&k=5&rho=.3&e=.05",
        "task=match",
        "task=shape&k=4&share=.6&e=.1",
        "task=shape&share=.3",
        "gate=parity&k=3&e=.1",
        "gate=sum&k=4&e=.1",
        "gate=and",
        "task=texture1&gate=and&k=3&e=.1",
        "preset=xor&rho=.9",
        "preset=and&e=.1",
        "p=2x2x2_.25,0,.25,0,.125,.125,0,.25",
    ]
    script = f"""
    const presets = Object.keys(W.PRESETS).map((id) => `preset=${{id}}`);
    return [...presets, ...data].map((hash) => {{
        const {{state}} = W.fromHash(hash);
        const {{state: read, table}} = W.readAny(W.program(state));
        const back = read || {{...W.DEFAULTS, mode: "table", rho: null, base: table}};
        return [W.program(state), {ATOMS_OF}(W.atomsOf(state)), {ATOMS_OF}(W.atomsOf(back))];
    }})"""
    for program, atoms, pasted in node(script, hashes):
        np.testing.assert_allclose(pasted, atoms, atol=1e-8, err_msg=program)
        space: dict[str, Any] = {}
        exec(program, space)  # noqa: S102 - our own program
        np.testing.assert_allclose(space["atoms"].values, atoms, atol=1e-8)
    assert capsys.readouterr().out.count("\n") >= len(hashes)


XOR = [[[0.25, 0], [0, 0.25]], [[0, 0.25], [0.25, 0]]]


def test_pasted_tables_are_read() -> None:
    texts = [
        str(XOR),
        "000 011 101 110",
        "x1,x2,y,p\n0,0,0,.25\n0,1,1,.25\n1,0,1,.25\n1,1,0,.25",
        "0 0 0 5\n0 1 1 5\n1 0 1 5\n1 1 0 5\n",
        "0 0 0\n0 1 1\n1 0 1\n1 1 0",
        "[[[.25, 0.], [0., .25]], [[0., .25], [.25, 0.],],]",
        "[[[1/4, 0], [0, 1/4]], [[0, 1/4], [1/4, 0]]]",
        "np.array([[[.25, 0], [0, .25]], [[0, .25], [.25, 0]]], dtype=float)",
        "p = [  # p[x1][x2][y]\n [[1, 0], [0, 1]],\n [[0, 1], [1, 0]],\n]\nprint(p)",
        'p = gallery_table("XOR")',
        "#preset=xor",
        "https://example.org/page.html#p=2x2x2_.25,0,0,.25,0,.25,.25,0",
        "a b target\n0 0 0\n0 1 1\n1 0 1\n1 1 0",
        "0 0 0 1\n0 1 1 2\n1 0 1 2\n1 1 0 2\n0 0 0 1",  # a line given twice adds up
        "0;0;0;1\n0;1.0;1;1\n1;0;1;1\n1;1;0;1",  # 1.0 is 1
        '"0"\t0\t0\t1\n0\t1\t1\t1\n1\t0\t1\t1\n1\t1\t0\t1\t',
    ]
    script = "return data.map((text) => Array.from(W.readPasted(text).p))"
    for text, cells in zip(texts, node(script, texts), strict=True):
        np.testing.assert_allclose(np.reshape(cells, (2, 2, 2)), XOR, err_msg=text)


def test_a_first_row_is_a_header_only_if_it_reads_as_one() -> None:
    rows = {
        # H(4/9) = .991 bits: the target is the first source's color.
        "red dog yes 4\nblue cat no 4\nred cat yes 1": (2, 2, 2, 0.991),
        "red dog yes\nblue cat no": (2, 2, 2, 1),
        "x1 x2 y\nred dog yes\nblue cat no": (2, 2, 2, 1),
        "x1 x2 y\nx1 dog yes\nblue cat no": (2, 3, 3, np.log2(3)),
        "rain wind crop\n0 1 1\n1 1 0": (2, 1, 2, 1),
        "color pet kind p\nred dog yes 1\nblue cat no 1": (2, 2, 2, 1),
    }
    script = """return data.map((text) => {
        const t = W.readPasted(text);
        return [t.N, t.M, t.K, C.informations(t).joint];
    })"""
    for text, expected, found in zip(rows, rows.values(), node(script, list(rows)), strict=True):
        assert found == pytest.approx(expected, abs=1e-3), text


def test_what_is_pasted_may_be_a_state() -> None:
    script = """return data.map((text) => {
        const {state, notes} = W.readAny(text, {parts: ["bars"]});
        return [W.toHash(state), notes.length];
    })"""
    texts = {
        'p = gallery_table("and")': "preset=and",
        'gallery_table("MATCH-LABEL", values=7, rate=.3)': "k=7&rho=.3",
        'gallery_table("MATCH-UNIQUE", values=5)': "task=texture1",
        " https://example.org/a.html#task=shape&share=.5 ": "task=shape&share=.5",
        "#hide=bars": "hide=bars",
    }
    assert node(script, list(texts)) == [[link, 0] for link in texts.values()]


def test_what_cannot_be_read_says_why() -> None:
    script = """return data.map((text) => {
        try { W.readPasted(text); return ""; }
        catch (problem) { return problem.constructor === Error ? problem.message : ""; }
    })"""
    words = {
        "": "nothing to read",
        "[[1, 2]]": "three deep",
        "[[[1, 2], [3]]]": "even length",
        "[[[1, q]]]": "“q” is not a number",
        "[[[1, 0]]": "cannot be read",
        "[": "cannot be read",
        "[" * 100_000: "cannot be read",
        "p = [[[1, 0]]": "not closed",
        "0 0 0 0 1": "5 entries",
        "0 0 0 -1": "at least 0",
        "0 0 0 0": "All entries are 0",
        "012345678 9": "2 entries",
        "0,,0,1": "An entry is empty",
        "0 0 0 1\n0 1 1": "Some lines have 4 entries",
        "0;0;0;0,5\n1;1;1;0,5": "must be a number",
        "x1 x2 y p": "no line to read",
        'gallery_table("NOPE")': "does not have",
        'gallery_table("MATCH-LABEL", values=99)': "values=2 to 10",
        'gallery_table("constructor")': "does not have",
        "import numpy as np\nprint(np.pi)": "print(p.tolist())",
        "https://example.org/page.html": "holds no state",
        "#p=1x1x2_.5,.6": "sum to 1.1",
        "]": "1 entry",
        "\n".join(f"{i} 0 0 1" for i in range(9)): "at most",
        "\n".join(f"{i} {i} {i} 1" for i in range(3000)): "at most",
    }
    for text, word, message in zip(words, words.values(), node(script, list(words)), strict=True):
        assert word in message, (text, message)
