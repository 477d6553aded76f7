from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from trifeature.errors import InputError
from trifeature.pid.atoms import ATOM_NAMES
from trifeature.pid.estimation import calibration
from trifeature.pid.estimation.calibration import calibrate, estimates, holds
from trifeature.pid.estimation.crossfit import FOLDS, cross_fit
from trifeature.pid.estimation.estimates import rows_needed
from trifeature.pid.gallery import GALLERY, example

FIELDS = (
    *("law", "shape", "samples", "repetitions", "level", "seed"),
    *("atom", "truth", "withheld", "coverage", "width", "width_limit"),
    *("bias", "deviation", "rejections", "holds"),
)


def test_rows_have_the_fields_and_numbers_of_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    whole = estimates

    def keeping(*arguments: Any, **settings: Any) -> Any:
        kept.append(whole(*arguments, **settings))
        return kept[-1]

    monkeypatch.setattr(calibration, "estimates", keeping)
    rows = calibrate(["W"], sizes=64, repetitions=30, level=0.9, seed=5)
    assert [row["atom"] for row in rows] == list(ATOM_NAMES)
    ((point, low, high, p_value),) = kept
    z = stats.norm.ppf(0.95)
    for i, (row, exact) in enumerate(zip(rows, example("W").atoms(), strict=True)):
        assert tuple(row) == FIELDS
        assert (row["law"], row["shape"], row["samples"]) == ("W", [2, 2, 2], 64)
        assert (row["repetitions"], row["level"], row["seed"]) == (30, 0.9, 5)
        assert row["truth"] == pytest.approx(exact, abs=1e-8)
        covered = [low[t, i] - 1e-6 <= exact <= high[t, i] + 1e-6 for t in range(30)]
        assert row["coverage"] == pytest.approx(sum(covered) / 30)
        widths = [high[t, i] - low[t, i] for t in range(30)]
        assert row["width"] == pytest.approx(sum(widths) / 30)
        spread = math.sqrt(sum((point[:, i] - point[:, i].mean()) ** 2) / 30)
        assert row["deviation"] == pytest.approx(spread)
        assert row["width_limit"] == pytest.approx(1.5 * 2 * z * spread + 8 / 64)
        assert row["bias"] == pytest.approx(point[:, i].mean() - exact)
        rejected = sum(p_value[:, i] <= 0.1) / 30
        assert row["rejections"] == (pytest.approx(rejected) if exact < 1e-6 else None)
        assert row["holds"] == holds(row, 0.9, 30)


@pytest.mark.parametrize(
    ("coverage", "width", "rejections", "wanted"),
    [
        # Of 1,000 at 95 %: coverage from .93 - 2 sqrt(.93 * .07 / 1000) = .9139, rejections to
        # .06 + 2 sqrt(.06 * .94 / 1000) = .0750.
        (0.95, 0.1, None, True),
        (0.914, 0.1, None, True),
        (0.913, 0.1, None, False),
        (0.95, 0.21, None, False),
        (0.95, 0.2, 0.075, True),
        (0.95, 0.1, 0.076, False),
    ],
)
def test_what_holds_by_hand(
    coverage: float, width: float, rejections: float | None, wanted: bool
) -> None:
    row = {"coverage": coverage, "width": width, "width_limit": 0.2, "rejections": rejections}
    assert holds(row, 0.95, 1000) is wanted


def test_cells_are_withheld_by_one_rule_on_table_and_rows() -> None:
    rows = calibrate(["INDEPENDENT"], sizes=[64, rows_needed((4, 4, 4))], repetitions=20)
    few, enough = rows[:4], rows[4:]
    for row, exact in zip(few, example("INDEPENDENT").atoms(), strict=True):
        assert tuple(row) == FIELDS
        assert row["withheld"] is True
        assert row["truth"] == pytest.approx(exact, abs=1e-8)
        assert {row[name] for name in FIELDS[9:]} == {None}
    assert not any(row["withheld"] for row in enough)
    assert all(0 <= row["coverage"] <= 1 for row in enough)


def test_no_small_table_of_the_gallery_is_withheld() -> None:
    for law in GALLERY.values():
        N, M, K = law.table().shape
        if N * M * K <= 27:
            assert rows_needed((N, M, K)) <= 256


def test_a_second_call_measures_only_what_the_file_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "new" / "cells.jsonl"
    settings: dict[str, Any] = {"sizes": [64], "repetitions": 20, "out": out}
    first = calibrate(["XOR", "RDN"], **settings)
    assert len(out.read_text().splitlines()) == 8
    # A kill cut off the last line: that cell is measured anew, the other one is not.
    out.write_text(out.read_text()[:-9])
    measured: list[str] = []
    whole = calibration._measured

    def counting(name: str, *arguments: Any, **settings: Any) -> Any:
        measured.append(name)
        return whole(name, *arguments, **settings)

    monkeypatch.setattr(calibration, "_measured", counting)
    done: list[tuple[int, int]] = []
    again = calibrate(["XOR", "RDN"], **settings, progress=lambda a, b: done.append((a, b)))
    assert measured == ["RDN"]
    assert again == first
    assert done == [(0, 2), (1, 2), (2, 2)]
    assert calibrate(["XOR", "RDN"], **settings) == first
    assert calibrate(["RDN"], **settings) == first[4:]
    assert measured == ["RDN"]
    calibrate(["RDN"], **settings, seed=1)
    assert measured == ["RDN", "RDN"]


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "other.jsonl"
    out.write_text(json.dumps({"pair": 1}) + "\n")
    with pytest.raises(InputError, match="holds a row without 'law': name another file"):
        calibrate(["XOR"], sizes=[64], repetitions=20, out=out)


def test_a_table_of_ones_own_is_a_law() -> None:
    table = np.array([[[3, 0], [1, 1]], [[0, 2], [0, 3]]])
    rows = calibrate({"mine": table}, sizes=[64], repetitions=20)
    assert {row["law"] for row in rows} == {"mine"}
    assert all(row["coverage"] > 0.5 for row in rows)


def test_a_law_draws_from_a_stream_of_its_own() -> None:
    alone = calibrate(["RDN"], sizes=[64], repetitions=20)
    beside = calibrate(["XOR", "RDN"], sizes=[32, 64], repetitions=20)
    assert alone == [row for row in beside if (row["law"], row["samples"]) == ("RDN", 64)]


def test_values_that_a_sample_lacks_are_not_in_its_table() -> None:
    table = np.zeros((3, 2, 3))
    table[:2, :, :2] = 0.97 * example("AND").table()
    table[2, 1, 2] = 0.03  # in some samples of 40 rows, not in others
    found = estimates(table, 40, 8, 0.95, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    folds = np.stack([rng.multinomial(4, table.ravel(), 8) for _ in range(FOLDS)], 1)
    lacking = 0
    for place, sample in enumerate(folds.reshape(8, FOLDS, 3, 2, 3).astype(float)):
        counts = sample.sum(0)
        seen = [np.flatnonzero(counts.sum(axes)) for axes in ((1, 2), (0, 2), (0, 1))]
        lacking += len(seen[0]) < 3
        own = cross_fit(sample[np.ix_(np.arange(FOLDS), *seen)][None])
        parts = (own.point, own.low, own.high)
        wanted = [np.clip(part[0], 0, np.log2(len(seen[2]))) for part in parts]
        assert np.array(found[:3])[:, place] == pytest.approx(np.array(wanted), abs=1e-6)
        assert found[3][place] == pytest.approx(own.p_value[0], abs=1e-6)
    assert 0 < lacking < 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"laws": ["ANDD"]}, "did you mean 'AND'"),
        ({"laws": {"flat": np.ones((2, 2))}}, "three axes"),
        ({"laws": ["AND"], "sizes": [5]}, "each size must be a whole number of at least 10"),
        ({"laws": ["AND"], "repetitions": 3}, "repetitions"),
        ({"laws": ["AND"], "level": 1.0}, "level"),
        ({"laws": ["AND"], "seed": -1}, "seed"),
    ],
)
def test_senseless_calibrations_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        calibrate(**arguments)


@pytest.mark.slow  # Two seconds: 400 samples of each of six cells, each cross-fitted.
def test_intervals_and_tests_hold_at_ties_and_without_variance() -> None:
    rows = calibrate(["AND", "TWO-LOOKS", "RDN"], sizes=[64, 256], repetitions=400)
    assert [(row["law"], row["samples"], row["atom"]) for row in rows if not row["holds"]] == []
