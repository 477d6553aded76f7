from __future__ import annotations

import numpy as np
import pytest

from trifeature.errors import InputError
from trifeature.extra.bench.screening import bench_screening, screening_columns


def test_a_row_states_sizes_time_and_certificates() -> None:
    row = bench_screening(4, samples=100, shuffles=1, processes=1)
    assert row["table"] == "4 pairs of 4 x 4 x 2"
    assert row["tables_per_second"] == pytest.approx(8 / row["seconds"])
    assert row["cpu_seconds"] >= 0
    assert 0 <= row["gap"] <= 1e-4
    assert row["converged"] == 1.0
    with pytest.raises(InputError, match="pairs must be a whole number of at least 1, not 0"):
        bench_screening(0)


def test_every_second_column_may_tell_something() -> None:
    columns, target = screening_columns(8, 4000)
    agree = (columns == target[:, None]).mean(0)
    assert agree[::2] == pytest.approx(np.full(4, 0.25), abs=0.03)
    assert agree[1::2].max() > 0.3
