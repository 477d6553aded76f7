"""The page's mathematics in node, against the package: fast, no browser."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
from playground_tools import ATOMS_OF, GATES, SOURCES, node, packed, random_tables

from trifeature.data.gates import Gate
from trifeature.data.law import law_atoms
from trifeature.data.rule import PairRule
from trifeature.data.settings import DatasetSettings
from trifeature.pid import GALLERY, broja, compare, gallery_table


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


def test_gates_and_share_rate_have_the_atoms_of_the_package() -> None:
    def settings(values: int, noise: float, **more: Any) -> DatasetSettings:
        sizes = {"shapes": values, "textures": values, "colors": values, "held_out": 1}
        return DatasetSettings(**{**sizes, "label_noise": noise, **more})

    cases, expected = [], []
    for K, noise in itertools.product(range(2, 11), (0.0, 0.1)):
        for gate in GATES:
            cases.append(("match", K, gate, noise, 1.0))
            law = settings(K, noise, rule=PairRule(gate=gate))
            expected.append(law_atoms(law, "synergy", "test", tolerance=1e-8))
        share = (K + 1) / (2 * K)  # halfway from chance to always
        cases.append(("shape", K, "match", noise, share))
        law = settings(K, noise, share_rate=share)
        expected.append(law_atoms(law, "share", "test", tolerance=1e-8))
    script = f"""return data.map(([task, K, gate, e, share]) =>
        {ATOMS_OF}(C.taskAtoms(task, K, 1 / K, e, {{gate, share}})))"""
    values = [atoms.values for atoms in expected]
    np.testing.assert_allclose(node(script, cases), values, atol=2e-8)


def test_tables_of_gates_and_share_rate_have_their_atoms() -> None:
    cases = [
        [task, K, e, share, gate]
        for task in ("shape", "texture1", "texture2", "match")
        for K, e, share, gate in ((2, 0, 0.2, "and"), (3, 0.2, 0.7, "parity"), (5, 0.1, 0, "sum"))
    ]
    script = f"""return data.map(([task, K, e, share, gate]) => {{
        const t = C.taskTable(task, K, 0.9, e, {{share, gate}});
        const atoms = C.taskAtoms(task, K, 0.9, e, {{share, gate}});
        return [{ATOMS_OF}(atoms), [t.N, t.M, t.K, Array.from(t.p)]];
    }})"""
    for atoms, (N, M, K, cells) in node(script, cases):
        np.testing.assert_allclose(atoms, broja(np.reshape(cells, (N, M, K))).values, atol=2e-9)


def test_gates_label_pairs_as_the_package_does() -> None:
    K = 5
    one, two = np.indices((K, K)).reshape(2, -1)
    script = """return data.map((gate) => Array.from({length: 25}, (_, c) =>
        C.GATE_RULES[gate].label(Math.floor(c / 5), c % 5, 5)))"""
    for gate, labels in zip(GATES, node(script, GATES), strict=True):
        assert labels == Gate(gate).label(one, two[:, None], range(K)).tolist()


def test_local_informations_average_to_the_informations() -> None:
    tables = [gallery_table("AND"), *random_tables(20, seed=4)]
    script = """return data.map(([N, M, K, p]) => {
        const t = C.table(N, M, K, p);
        const sums = {one: 0, two: 0, both: 0};
        C.fill(N, M, K, (i, j, k) => {
            const found = C.local(t, i, j, k);
            const x = t.p[(i * M + j) * K + k];
            if (x > 0) for (const key in sums) sums[key] += x * found[key];
            if (x === 0 && found.both !== null) sums.both = NaN;
            return 0;
        });
        return [sums.one, sums.two, sums.both];
    })"""
    for table, found in zip(tables, node(script, [packed(t) for t in tables]), strict=True):
        atoms = broja(table)
        R, U1, U2, S = atoms.values
        np.testing.assert_allclose(found, [R + U1, R + U2, R + U1 + U2 + S], atol=1e-9)


def test_the_page_has_each_file_after_those_that_it_needs() -> None:
    page = (SOURCES / "page.html").read_text("utf-8")
    order = re.findall(r"/\*FILE:logic/([\w.]+\.js)\*/", page)
    assert len(order) == len(set(order))
    for place, name in enumerate(order):
        source = (SOURCES / "logic" / name).read_text("utf-8")
        needs = re.findall(r'require\("\./([\w.]+)"\) : (\w+);', source)
        assert source.count("require(") == len(needs)
        assert {file for file, _ in needs} <= set(order[:place]), name
        for file, value in needs:  # in the page the value is a constant of that file
            assert f"\nconst {value} = (" in (SOURCES / "logic" / file).read_text("utf-8")
        assert not re.search(r"\b(document|window|Page)\b\.", source), name
