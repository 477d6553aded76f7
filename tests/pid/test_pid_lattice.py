from __future__ import annotations

from itertools import chain, combinations, product

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from numpy.typing import NDArray

from trifeature import checks
from trifeature.errors import InputError
from trifeature.pid.measures import decompose
from trifeature.pid.sources.lattice import (
    LATTICE_MEASURES,
    Antichain,
    antichain_name,
    lattice,
    lattice_atoms,
)
from trifeature.pid.sources.lattice_diagram import lattice_diagram, positions
from trifeature.pid.sources.union import information

Array = NDArray[np.float64]

# Counts over 65 of (x1, x2, x3, y), and their atoms by dit 2.3 (PID_WB, PID_MMI, PID_SX).
WEIGHTS = (2, 2, 7, 4, 5, 5, 6, 1, 4, 2, 4, 8, 5, 1, 5, 2)
TABLE = np.array(WEIGHTS, dtype=float).reshape(2, 2, 2, 2) / sum(WEIGHTS)
DIT = {
    "I_min": {
        "{1}{2}{3}": 0.000316083,
        "{1}{2}": 0.001166101,
        "{2}{13}": 0.024456234,
        "{12}{13}{23}": 0.014425248,
        "{12}{13}": 0.00078655,
        "{13}{23}": 0.0010264,
        "{13}": 0.005606518,
        "{123}": 0.048021765,
    },
    "MMI": {
        "{1}{2}{3}": 0.000316083,
        "{1}{2}": 0.001166101,
        "{2}{13}": 0.024456234,
        "{12}{13}{23}": 0.015211798,
        "{13}{23}": 0.000239851,
        "{13}": 0.006393068,
        "{123}": 0.048021765,
    },
    "I_sx": {
        "{1}{2}{3}": -0.018453342,
        "{1}{2}": 0.02297562,
        "{1}{3}": -0.016688231,
        "{2}{3}": 0.01778919,
        "{1}{23}": 0.003071654,
        "{2}{13}": 0.002234883,
        "{3}{12}": 0.003115545,
        "{1}": 0.010576483,
        "{2}": 0.001392067,
        "{3}": 0.014552922,
        "{12}{13}{23}": 0.001411678,
        "{12}{13}": 0.007107332,
        "{12}{23}": -0.016071135,
        "{13}{23}": 0.007669274,
        "{12}": 0.022688471,
        "{13}": -0.007579875,
        "{23}": 0.018389942,
        "{123}": 0.02162242,
    },
}


def random_table(*shape: int, seed: int = 0) -> Array:
    weights = np.random.default_rng(seed).exponential(size=shape)
    return np.asarray(weights / weights.sum())


def logic(rule: str, n: int = 3) -> Array:
    p = np.zeros((2,) * (n + 1))
    for x in product((0, 1), repeat=n):
        p[(*x, {"parity": sum(x) % 2, "and": int(all(x))}[rule])] = 1 / 2**n
    return p


# --------------------------------------------------------------------------- the lattice


def brute_antichains(n: int) -> set[frozenset[frozenset[int]]]:
    sources = range(1, n + 1)
    groups = [frozenset(g) for k in sources for g in combinations(sources, k)]
    families = chain.from_iterable(combinations(groups, k) for k in range(1, len(groups) + 1))
    return {
        frozenset(family)
        for family in families
        if not any(a < b or b < a for a, b in combinations(family, 2))
    }


def is_below(low: Antichain, high: Antichain) -> bool:
    return all(any(set(a) <= set(b) for a in low) for b in high)


@pytest.mark.parametrize("n", [2, 3])
def test_antichains_are_all_families_without_nested_groups(n: int) -> None:
    found = [frozenset(map(frozenset, one)) for one in lattice(n).antichains]
    assert len(set(found)) == len(found)
    assert set(found) == brute_antichains(n)


def test_two_three_and_four_sources_have_4_18_and_166_antichains() -> None:
    assert [len(lattice(n).names) for n in (2, 3, 4)] == [4, 18, 166]
    assert len(set(lattice(4).names)) == 166


def test_order_and_edges_follow_from_the_definition() -> None:
    order = lattice(3)
    known = np.array(
        [[is_below(low, high) for low in order.antichains] for high in order.antichains]
    )
    assert (order.below == known).all()
    strict = known & ~np.eye(18, dtype=bool)
    direct = {
        (i, j)
        for i, j in np.argwhere(strict).tolist()
        if not any(strict[i, k] and strict[k, j] for k in range(18))
    }
    assert set(order.edges) == direct


@pytest.mark.parametrize("n", [2, 3, 4])
def test_each_antichain_stands_behind_those_below_it_and_one_level_up_at_least(n: int) -> None:
    order = lattice(n)
    assert not np.triu(order.below, 1).any()
    levels = order.levels
    assert all(levels[i] > levels[j] for i, j in order.edges)
    assert order.names[0] == "".join(f"{{{i + 1}}}" for i in range(n))
    assert order.names[-1] == antichain_name((tuple(range(1, n + 1)),))


def test_inversion_agrees_with_a_linear_system() -> None:
    order = lattice(4)
    values = np.random.default_rng(0).normal(size=166)
    solved = np.linalg.solve(order.below.astype(float), values)
    assert order.invert(values) == pytest.approx(solved, abs=1e-9)


# --------------------------------------------------------------------------- the atoms


@pytest.mark.parametrize("measure", LATTICE_MEASURES)
def test_atoms_of_three_sources_agree_with_dit(measure: str) -> None:
    found = lattice_atoms(TABLE, measure).atoms
    for name, bits in found.items():
        assert bits == pytest.approx(DIT[measure].get(name, 0.0), abs=1e-9), name


@pytest.mark.parametrize("measure", LATTICE_MEASURES)
@pytest.mark.parametrize("seed", range(3))
def test_atoms_of_two_sources_are_those_of_the_measure(measure: str, seed: int) -> None:
    p = random_table(3, 2, 4, seed=seed)
    known = decompose(p, measure)
    found = lattice_atoms(p, measure)
    assert list(found.atoms.values()) == pytest.approx(known.values, abs=1e-12)
    assert found.total == pytest.approx(known.total)


@pytest.mark.parametrize("measure", LATTICE_MEASURES)
def test_atoms_of_four_sources_sum_to_the_informations(measure: str) -> None:
    p = random_table(2, 2, 3, 2, 2)
    found = lattice_atoms(p, measure)
    order = found.lattice
    assert sum(found.atoms.values()) == pytest.approx(information(p))
    for place, groups in enumerate(order.antichains):
        if len(groups) == 1:  # a group by itself tells its own information
            rest = tuple(i for i in range(4) if i + 1 not in groups[0])
            below = np.array(list(found.atoms.values()))[order.below[place]]
            assert below.sum() == pytest.approx(information(p.sum(rest)), abs=1e-12)


def slow_i_min(p: Array, antichain: Antichain) -> float:
    n, total = p.ndim - 1, 0.0
    py = p.sum(tuple(range(n)))
    for y in range(p.shape[-1]):
        specific = []
        for group in antichain:
            pxy = p.sum(tuple(i for i in range(n) if i + 1 not in group)).reshape(-1, len(py))
            terms = (row[y] / py[y] * np.log2(row[y] / row.sum() / py[y]) for row in pxy if row[y])
            specific.append(sum(terms))
        total += py[y] * min(specific)
    return total


def slow_i_sx(p: Array, antichain: Antichain) -> float:
    """The mean of log P(y | X_a = x_a for some a) / P(y), by enumeration of the outcomes."""
    total = 0.0
    py = p.sum(tuple(range(p.ndim - 1)))
    for *x, y in np.argwhere(p > 0).tolist():
        same = [
            other
            for other in np.ndindex(*p.shape[:-1])
            if any(all(other[i - 1] == x[i - 1] for i in group) for group in antichain)
        ]
        either, with_y = sum(p[o].sum() for o in same), sum(p[o][y] for o in same)
        total += p[(*x, y)] * np.log2(with_y / either / py[y])
    return total


def test_redundancies_agree_with_slow_loops() -> None:
    p = random_table(2, 3, 2, 2) * (random_table(2, 3, 2, 2, seed=1) > 0.01)
    p /= p.sum()
    for measure, slow in (("I_min", slow_i_min), ("I_sx", slow_i_sx)):
        found = lattice_atoms(p, measure)
        for name, antichain in zip(found.lattice.names, found.lattice.antichains, strict=True):
            assert found.redundancies[name] == pytest.approx(slow(p, antichain), abs=1e-12)


def test_parity_is_synergy_of_all_three_except_for_shared_exclusions() -> None:
    for measure in ("I_min", "MMI"):
        found = lattice_atoms(logic("parity"), measure).atoms
        assert found["{123}"] == pytest.approx(1)
        assert sum(map(abs, found.values())) == pytest.approx(1)
    # By hand: "x1, x2 or x3" holds for 7 of 8 outcomes, 4 of the 7 with the parity of x.
    found = lattice_atoms(logic("parity"), "I_sx").atoms
    assert found["{1}{2}{3}"] == pytest.approx(np.log2(4 / 7 * 2))


def test_and_of_three_is_known_by_hand() -> None:
    def specific(group: int) -> tuple[float, float]:
        """I(X_a; Y = y) of a group of so many bits, for y = 0 and 1."""
        ones = 0.5**group
        # Given y = 0 the group is all ones with probability (ones - 1/8) / (7/8).
        share = (ones - 1 / 8) / (7 / 8)
        of_ones = share * np.log2(share / ones) if share else 0.0
        rest = (1 - share) * np.log2((1 - share) / (1 - ones))
        return float(of_ones + rest), group * 1.0

    redundancy = {k: specific(k)[0] * 7 / 8 + specific(k)[1] / 8 for k in (1, 2, 3)}
    found = lattice_atoms(logic("and"), "I_min").atoms
    assert found["{1}{2}{3}"] == pytest.approx(redundancy[1])
    assert found["{12}{13}{23}"] == pytest.approx(redundancy[2] - redundancy[1])
    assert found["{123}"] == pytest.approx(redundancy[3] - redundancy[2])


@pytest.mark.parametrize("p", [TABLE, logic("parity"), random_table(2, 2, 2, 2, 2)])
def test_parts_of_shared_exclusions_are_not_negative(p: Array) -> None:
    """Makkeh, Gutknecht and Wibral (2021), theorem 4.1; their difference is the atom."""
    found = lattice_atoms(p, "I_sx")
    assert min(*found.informative.values(), *found.misinformative.values()) > -1e-12
    for name, bits in found.atoms.items():
        assert bits == pytest.approx(found.informative[name] - found.misinformative[name])


def test_a_measure_of_ones_own_is_inverted() -> None:
    found = lattice_atoms(TABLE, lambda p, chain: float(len(chain) + 0 * p[0, 0, 0, 0]))
    assert found.redundancies["{12}{13}{23}"] == 3
    assert found.atoms["{1}{2}"] == 2 - 3
    assert found.informative == {}


def test_rows_spell_the_groups_with_the_names() -> None:
    found = lattice_atoms(TABLE, "I_sx", sources=("rain", "wind", "sun"))
    assert found.spelled("{1}{23}") == "{rain}{wind, sun}"
    rows = found.rows()
    assert [row["antichain"] for row in rows] == list(lattice(3).names)
    assert set(rows[0]) >= {"groups", "redundancy", "atom", "informative", "misinformative"}
    assert "informative" not in lattice_atoms(TABLE).rows()[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"p": random_table(2, 2)}, "from 2 to 4, not 1"),
        ({"p": random_table(*(2,) * 6)}, "from 2 to 4, not 5"),
        ({"p": TABLE, "measure": "I_mni"}, "did you mean 'I_min'"),
        ({"p": TABLE, "measure": "BROJA"}, "unknown measure on a lattice"),
        ({"p": TABLE, "measure": lambda *_: np.nan}, "a finite number"),
        ({"p": TABLE, "measure": lambda *_: "much"}, "a finite number"),
        ({"p": TABLE, "sources": ["a", "b"]}, "3 different names"),
    ],
)
def test_bad_input_is_refused_in_one_line(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        lattice_atoms(**arguments)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_an_unknown_antichain_is_refused() -> None:
    with pytest.raises(InputError, match="unknown antichain"):
        lattice_atoms(TABLE).spelled("{3}{2}")


def test_a_table_beyond_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "available_memory", lambda: 100)
    with pytest.raises(InputError, match="the lattice needs"):
        lattice_atoms(TABLE)


# --------------------------------------------------------------------------- the picture


def test_no_two_antichains_share_a_place() -> None:
    for n in (2, 3, 4):
        places = positions(lattice(n))
        assert len(np.unique(places, axis=0)) == len(places)
        assert (places[:, 1] == lattice(n).levels).all()


def test_boxes_of_three_sources_hold_names_and_bits_and_do_not_overlap() -> None:
    atoms = lattice_atoms(TABLE, "I_sx", sources=["$a$", "b", "c"], target="t_1")
    figure = lattice_diagram(atoms)
    figure.draw_without_rendering()
    texts = figure.axes[0].texts
    bits = {name: f"{value:.3f}".replace("-", "−") for name, value in atoms.atoms.items()}
    assert dict(text.get_text().split("\n") for text in texts) == bits
    boxes = [patch.get_window_extent() for text in texts if (patch := text.get_bbox_patch())]
    assert len(boxes) == 18
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    for text in texts:
        patch = text.get_bbox_patch()
        assert patch is not None
        assert (patch.get_linestyle() == "-") == ("−" not in text.get_text())
    assert figure.axes[0].get_title() == "I_sx: 0.096 bits about t_1\n1 = $a$, 2 = b, 3 = c"


def test_dots_of_four_sources_are_listed_by_size() -> None:
    atoms = lattice_atoms(random_table(2, 2, 2, 2, 2), "I_sx")
    axes = lattice_diagram(atoms, labels=5).axes[0]
    drawn = [one for one in axes.collections if isinstance(one, PathCollection)]
    assert sum(np.asarray(one.get_offsets()).shape[0] for one in drawn) == 166
    ranked = sorted(atoms.atoms, key=lambda name: -abs(atoms.atoms[name]))[:5]
    (listed,) = [text.get_text() for text in axes.texts if "groups" in text.get_text()]
    assert [line.split()[-1] for line in listed.splitlines()[1:]] == ranked


def test_a_lattice_without_information_is_drawn() -> None:
    figure = lattice_diagram(lattice_atoms(np.full((2, 2, 2), 1 / 8)))
    assert [text.get_text().split("\n")[1] for text in figure.axes[0].texts] == ["0"] * 4


def test_a_diagram_of_something_else_is_refused() -> None:
    with pytest.raises(InputError, match="needs LatticeAtoms, got dict"):
        lattice_diagram({})  # type: ignore[arg-type]
