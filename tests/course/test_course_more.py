"""What notebooks 5 to 8 say, against truth that is not theirs: laws, closed forms, and formulas.

That they run, that every exercise has its hint and every slip its reason, is in `test_course.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
from course_files import load, load_build, notebook, numbers, printed

from trifeature.pid import GALLERY, broja, decompose, gaussian, gaussian_mmi

checks = load("checks")


def your_data_is_right(text: str) -> None:
    """The study finds what was planted, and is not sure where nobody can be."""
    for label, planted in (("shared", "redundancy"), ("sound", "unique1"), ("match", "synergy")):
        (line,) = re.findall(rf"^{label} +(redundancy: .*)$", text, re.MULTILINE)
        verdicts = dict(re.findall(r"(\w+): (\w+)", line))
        assert [atom for atom, word in verdicts.items() if word == "yes"] == [planted]
    assert re.search(
        r"^match +S 1\.00 bits, the shuffle takes [01]\.\d+ .*synergy yes$", text, re.M
    )
    S, taken = numbers(r"ill +S ([\d.]+) bits, the shuffle takes ([-\d.]+)", text)
    exact = broja(GALLERY["TWO-LOOKS"].table(flip1=0.1, flip2=0.1)).synergy
    assert abs(S - exact) < 0.08
    assert abs(taken) < S / 2
    assert "synergy open" in text
    assert "180 probe samples are too few" in text


def noise_is_right(text: str) -> None:
    """Noise tells what the formula says; the calibrated estimate tells nothing of it."""
    assert numbers(r"k = 20: R [\d.]+, S [\d.]+, in all ([\d.]+) bits", text)[0] > 0.9
    for values in (2, 3, 4):
        (bits,) = numbers(rf"{values} values: ([\d.]+) bits at 64 rows", text)
        wanted = (values**2 - 1) * (values - 1) / (2 * 64 * math.log(2))
        assert bits == pytest.approx(wanted, abs=0.005)
    assert "nothing is estimated" in text
    assert numbers(r"intervals of S that hold the truth: ([\d.]+)%", text)[0] >= 93
    assert numbers(r"U1 above 0, where it is 0: ([\d.]+)%", text)[0] <= 6
    p_total, of_synergy = numbers(r"total [\d.]+, p = ([\d.]+); plug-in synergy ([\d.]+)", text)
    assert p_total < 0.05 < numbers(r"synergy +p = ([\d.]+), of", text)[0]
    assert of_synergy > 0.02
    claimed, shuffled = numbers(
        r"claimed: +S = ([\d.]+) bits.*\nshuffled: +S = ([\d.]+) bits", text
    )
    assert shuffled > claimed > 0.1
    assert numbers(r"redone: +unique1 +[\d.]+ bits \[([\d.]+)", text)[0] > 0
    assert numbers(r"redone: +synergy +[\d.]+ bits \[([\d.]+)", text)[0] == 0


def three_sources_are_right(text: str) -> None:
    """Parity, majority and the ring, whose numbers can be worked out by hand."""
    found = {
        name: tuple(map(float, values))
        for name, *values in re.findall(
            r"^([\w ,]+?) +U1 ([\d.]+)  U2 ([\d.]+)  U3 ([\d.]+)  shared ([\d.]+)  S ([\d.]+)",
            text,
            re.MULTILINE,
        )
    }
    assert found["three copies"] == (0, 0, 0, 1, 0)
    assert found["exclusive or of 1 and 2"] == found["exclusive or of all"] == (0, 0, 0, 0, 1)
    assert found["a bit of each"] == (1, 1, 1, 0, 0)
    assert found["copy of 1, and 2 xor 3"] == (1, 0, 0, 0, 0)
    alone = 1 - (-0.75 * math.log2(0.75) - 0.25 * math.log2(0.25))
    assert found["majority"] == pytest.approx((0, 0, 0, alone, 1 - alone), abs=0.006)
    assert "unique to 1 beside 2 alone: 1.00 bits; beside 2 and 3: 0.00" in text
    assert "copy of 1, and 2 xor 3   {1}{23} 1.00" in text
    assert numbers(r"synergy13 +balanced: .* two tell ([\d.]+)", text) == (1.0,)
    assert numbers(r"synergy123 sum +: total synergy ([\d.]+)", text)[0] == pytest.approx(
        math.log2(5), abs=0.005
    )


def gaussian_is_right(text: str) -> None:
    """Closed forms: bits of a correlation, R = min(I1, I2), and the two ends of the angle."""
    for r, bits in re.findall(r"r = +([\d.]+): ([\d.]+) bits", text):
        assert float(bits) == pytest.approx(-math.log2(1 - float(r) ** 2) / 2, abs=6e-4)
    lines = re.findall(
        r"I_dep by hand ([\d.]+), on the grid ([\d.]+);  BROJA ([\d.]+), on the grid ([\d.]+)",
        text,
    )
    assert len(lines) == 3
    for by_hand, grid, shared, on_grid in np.array(lines, dtype=float):
        assert by_hand == pytest.approx(grid, abs=0.006)
        assert shared == pytest.approx(on_grid, abs=0.006)
    told = math.log2(1 + 1 / 0.5) / 2
    assert numbers(r"90°: BROJA ([\d.]+)  MMI ([\d.]+)  I_dep ([\d.]+)", text) == pytest.approx(
        (0, told, 0), abs=0.006
    )
    assert numbers(r" 0°: BROJA ([\d.]+)  MMI ([\d.]+)", text) == pytest.approx(
        (told, told), abs=0.006
    )
    held = re.search(r"intervals that hold the truth: (.*)", text)
    assert held is not None
    assert min(map(int, re.findall(r"(\d+)%", held[1]))) >= 88  # 95, less 3 standard errors of 100


SAYS: dict[str, Callable[[str], None]] = {
    "05-your-data": your_data_is_right,
    "06-noise": noise_is_right,
    "07-three-sources": three_sources_are_right,
    "08-gaussian": gaussian_is_right,
}


@pytest.mark.parametrize("name", SAYS)
def test_a_built_notebook_says_what_is_true(name: str) -> None:
    SAYS[name](printed(notebook(name)))


@pytest.mark.slow  # Ten to sixty seconds a notebook: a clean kernel computes it all.
@pytest.mark.filterwarnings("ignore")  # of Jupyter's packages, which we do not change
@pytest.mark.parametrize("name", SAYS)
def test_a_notebook_that_runs_anew_says_it_again(name: str) -> None:
    SAYS[name](printed(load_build().execute(name)))


def test_i_dep_of_gaussians_is_that_of_a_fine_table() -> None:
    """The formula of exercise 8.3 against the package's measure of tables, on 15 steps a number."""
    covariance = checks.gaussian.two_looks(1.0, 1.5, 0.4)
    steps = np.linspace(-3.2, 3.2, 15)
    mesh = np.meshgrid(*(steps * s for s in np.sqrt(np.diag(covariance))), indexing="ij")
    x = np.stack(mesh, axis=-1)
    table = np.exp(-0.5 * np.einsum("...i,ij,...j", x, np.linalg.inv(covariance), x))
    found = checks.gaussian.i_dep(covariance, (1, 1, 1))
    assert found == pytest.approx(decompose(table, "I_dep", normalize=True).redundancy, abs=0.006)


def test_the_three_papers_of_the_exercise_are_told_apart() -> None:
    """MMI is the largest redundancy; with noise independent given Y, I_dep is I1 + I2 - I12."""
    paper = checks.gaussian.PAPER
    shared, largest = (f(paper, (1, 1, 2)) for f in (gaussian, gaussian_mmi))
    told = shared.information1 + shared.information2 - shared.total
    claims = checks.gaussian.claims()
    assert claims["paper 1"] == pytest.approx(min(largest.information1, largest.information2))
    assert claims["paper 2"] == pytest.approx(told)
    assert claims["paper 3"] > claims["paper 2"] + 0.01


def test_the_shares_of_the_secret_are_worthless_alone() -> None:
    """Each share of 7.1 is uniform whatever the secret, and any two give it away."""
    table = load("solutions").SOLUTIONS["exercise_7_1"]()
    for axes in ((1, 2), (0, 2), (0, 1)):
        alone = table.sum(axes)
        assert alone == pytest.approx(np.full((3, 2), 1 / 6))
    for axis in range(3):
        assert (np.count_nonzero(table.sum(axis), axis=-1) <= 1).all()


def test_mystery_c_has_one_label_a_person_and_nothing_in_common() -> None:
    """What exercise 5.3 rests on: every person's rows have one label, people's are drawn freely."""
    one, other, label, person = checks.your_data.mystery("C")
    labels = [set(label[person == who].tolist()) for who in np.unique(person)]
    assert all(len(found) == 1 for found in labels)
    assert one.shape == other.shape == (800, 4)
    means = np.stack([one[person == who].mean(0) for who in np.unique(person)])
    of_people = np.array([next(iter(found)) for found in labels])
    apart = [abs(np.corrcoef(means[:, k], of_people)[0, 1]) for k in range(4)]
    assert max(apart) < 0.45  # of 40 people, four columns of noise
