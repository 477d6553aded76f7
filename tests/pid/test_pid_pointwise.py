from __future__ import annotations

from math import log2

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from trifeature.errors import InputError
from trifeature.pid.atoms import ATOM_NAMES
from trifeature.pid.gallery import gallery_table
from trifeature.pid.measures import decompose
from trifeature.pid.samples import SampleSizeWarning
from trifeature.pid.sources.pointwise import POINTWISE_MEASURES, pointwise, pointwise_columns

Array = NDArray[np.float64]
Bits = NDArray[np.bool_]


def random_table(*shape: int, seed: int = 0) -> Array:
    weights = np.random.default_rng(seed).exponential(size=shape)
    weights *= np.random.default_rng(seed + 1).random(shape) < 0.8
    return np.asarray(weights / weights.sum())


def columns(n: int = 400, seed: int = 0) -> tuple[Bits, Bits, Bits]:
    """An AND of two bits with some noise, every value often enough for the sample."""
    rng = np.random.default_rng(seed)
    x1, x2, noise = (rng.random(n) < share for share in (0.5, 0.5, 0.1))
    return x1, x2, (x1 & x2) ^ noise


def slow(p: Array, measure: str, x1: int, x2: int, y: int) -> float:
    """Pointwise redundancy of one outcome, from its definition."""
    p1, p2, py = p[x1].sum(), p[:, x2].sum(), p[:, :, y].sum()
    p1y, p2y = p[x1, :, y].sum(), p[:, x2, y].sum()
    if measure == "I_pm":
        specificity = min(-log2(p1), -log2(p2))
        return specificity - min(-log2(p1y / py), -log2(p2y / py))
    if measure == "pointwise minimum":
        return min(log2(p1y / p1 / py), log2(p2y / p2 / py))
    N, M, _ = p.shape
    event = [(a, b) for a in range(N) for b in range(M) if a == x1 or b == x2]
    return log2(sum(p[cell][y] for cell in event) / sum(p[cell].sum() for cell in event) / py)


# --------------------------------------------------------------------------- values


@pytest.mark.parametrize("measure", ["I_sx", "I_pm", "pointwise minimum"])
def test_redundancy_of_each_outcome_agrees_with_its_definition(measure: str) -> None:
    p = random_table(3, 2, 4)
    found = pointwise(p, None, measure)
    assert len(found) == (p > 0).sum()
    for row, outcome in enumerate(found.codes.tolist()):
        assert found.redundancy[row] == pytest.approx(slow(p, measure, *outcome), abs=1e-12)


@pytest.mark.parametrize("measure", POINTWISE_MEASURES)
def test_atoms_of_a_sample_sum_to_its_local_informations(measure: str) -> None:
    p = random_table(3, 3, 2)
    found = pointwise(p, None, measure)
    for row, (x1, x2, y) in enumerate(found.codes.tolist()):
        py = p[:, :, y].sum()
        i1 = log2(p[x1, :, y].sum() / p[x1].sum() / py)
        i2 = log2(p[:, x2, y].sum() / p[:, x2].sum() / py)
        i12 = log2(p[x1, x2, y] / p[x1, x2].sum() / py)
        r, u1, u2, s = (found.value(name)[row] for name in ATOM_NAMES)
        assert (r + u1, r + u2, r + u1 + u2 + s) == pytest.approx((i1, i2, i12), abs=1e-12)
        assert found.total[row] == pytest.approx(i12, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_mean_of_shared_exclusions_is_the_average_measure(seed: int) -> None:
    p = random_table(3, 2, 3, seed=seed)
    found, known = pointwise(p).mean(), decompose(p, "I_sx")
    assert found.values == pytest.approx(known.values, abs=1e-12)
    assert found.total == pytest.approx(known.total)
    assert found.measure == "I_sx"


@pytest.mark.parametrize("name", ["AND", "XOR", "COPY", "W", "PWUNQ"])
def test_the_mean_of_common_change_is_the_average_measure_of_gates(name: str) -> None:
    p = gallery_table(name)
    found = pointwise(p, None, "I_ccs").mean()
    assert found.values == pytest.approx(decompose(p, "I_ccs").values, abs=1e-8)


def test_the_error_of_the_fit_enters_the_mean() -> None:
    found = pointwise(random_table(3, 3, 2), None, "I_ccs")
    assert found.errors.max() > 0
    assert found.mean().gap == pytest.approx(2 * found.weights @ found.errors)
    assert pointwise(random_table(3, 3, 2)).mean().gap == 0


# Averages by dit 2.3 (PID_PM).
@pytest.mark.parametrize(
    ("name", "atoms"),
    [
        ("AND", (0.561278, -0.25, -0.25, 0.75)),
        ("XOR", (0, 0, 0, 1)),
        ("PWUNQ", (0, 0.5, 0.5, 0)),
        ("W", (-0.081704, 1 / 3, 1 / 3, 1 / 3)),
        ("DIFF", (0.415037, -0.103759, -0.103759, 0.292481)),
    ],
)
def test_the_mean_of_specificity_less_ambiguity_agrees_with_dit(
    name: str, atoms: tuple[float, ...]
) -> None:
    mean = pointwise(gallery_table(name), None, "I_pm").mean()
    assert mean.values == pytest.approx(atoms, abs=1e-6)


@pytest.mark.parametrize("measure", ["I_sx", "I_pm"])
def test_informative_less_misinformative_is_the_atom(measure: str) -> None:
    found = pointwise(random_table(2, 3, 2), None, measure)
    for name in ATOM_NAMES:
        parts = found.informative[name] - found.misinformative[name]
        assert parts == pytest.approx(found.value(name), abs=1e-12)
    assert min(found.informative["redundancy"].min(), found.misinformative["redundancy"].min()) >= 0


@pytest.mark.parametrize("measure", ["pointwise minimum", "I_ccs"])
def test_other_measures_have_no_parts(measure: str) -> None:
    found = pointwise(random_table(2, 2, 2), None, measure)
    assert found.informative == found.misinformative == {}


# --------------------------------------------------------------------------- rows


@pytest.mark.parametrize("measure", POINTWISE_MEASURES)
def test_columns_agree_with_the_table_of_their_counts(measure: str) -> None:
    x1, x2, y = columns()
    found = pointwise_columns(x1, x2, y, measure)
    counts = np.zeros((2, 2, 2))
    np.add.at(counts, (x1.astype(int), x2.astype(int), y.astype(int)), 1)
    known = pointwise(counts, np.stack([x1, x2, y], 1).astype(int), measure, normalize=True)
    for name in ATOM_NAMES:
        assert found.value(name) == pytest.approx(known.value(name), abs=1e-9)
    assert found.mean().total == pytest.approx(decompose(counts, "MMI", normalize=True).total)


def test_most_and_least_are_rows_in_order_of_their_values() -> None:
    found = pointwise_columns(*columns())
    values = found.unique1
    assert values[found.most(1, "unique1")[0]] == values.max()
    assert values[found.least(3, "unique1")] == pytest.approx(np.sort(values)[:3])
    assert len(found.most(10_000)) == len(found)
    same = np.flatnonzero(values > values.max() - 1e-9)
    assert found.most(len(same), "unique1").tolist() == same.tolist()  # ties in order


def test_a_misleading_sample_is_found() -> None:
    x1, x2, y = columns()
    found = pointwise_columns(x1, x2, y)
    least = found.least(5, "total")
    assert (found.total[least] < 0).all()
    assert (y[least] != (x1 & x2)[least]).all()


def test_many_values_need_no_table() -> None:
    rng = np.random.default_rng(0)
    x1, x2 = rng.permutation(3000), rng.permutation(3000)  # a table of 18 million cells
    with pytest.warns(SampleSizeWarning, match="wants"):
        found = pointwise_columns(x1, x2, x1 % 2)
    assert found.total == pytest.approx(np.ones(3000))


def test_the_data_frame_has_every_number() -> None:
    pd = pytest.importorskip("pandas")
    found = pointwise_columns(*columns())
    frame = found.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame)[:4] == list(ATOM_NAMES)
    assert "synergy misinformative" in frame
    assert frame["redundancy"].to_numpy() == pytest.approx(found.redundancy)


def test_tensors_and_words_are_columns() -> None:
    x1, x2, y = columns()
    found = pointwise_columns(torch.tensor(x1), np.where(x2, "yes", "no"), y.tolist())
    assert found.synergy == pytest.approx(pointwise_columns(x1, x2, y).synergy)


# --------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("codes", "measure", "words"),
    [
        ([[0, 0, 2]], "I_sx", "row 0 of the codes, .*outside the table"),
        ([[0, 0, 0], [-1, 0, 0]], "I_sx", "row 1 of the codes, .*outside the table"),
        ([[0, 0, 1]], "I_sx", "probability 0"),
        ([[0.0, 0.0, 0.0]], "I_sx", "whole numbers"),
        ([[0, 0]], "I_sx", r"\[n, 3\], got shape"),
        (np.zeros((0, 3), dtype=int), "I_sx", r"\[n, 3\], got shape"),
        (None, "I_xs", "did you mean 'I_sx'"),
    ],
)
def test_bad_outcomes_are_refused_in_one_line(codes: object, measure: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        pointwise(gallery_table("XOR"), codes, measure)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_bad_columns_are_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="one length: X1 has 3, X2 has 2, Y has 3"):
        pointwise_columns([0, 1, 1], [0, 1], [0, 1, 1])
    with pytest.raises(InputError, match="three names"):
        pointwise_columns([0, 1], [0, 1], [0, 1], sources=("a", "a"))
    with pytest.raises(InputError, match="unknown pointwise measure"):
        pointwise_columns([0, 1], [0, 1], [0, 1], "BROJA")


@pytest.mark.parametrize(("k", "atom"), [(0, "synergy"), (2.5, "synergy"), (1, "synergi")])
def test_what_cannot_be_ranked_is_refused(k: int, atom: str) -> None:
    with pytest.raises(InputError, match=r"k must be|did you mean"):
        pointwise(gallery_table("AND")).most(k, atom)
