"""Arrays of other libraries; memory that is free, and what is said where it does not suffice."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trifeature import checks
from trifeature.checks import as_array, available_memory, require_memory
from trifeature.errors import InputError


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([True, False], [True, False]),
        ([1.5, None], [1.5, np.nan]),
        ([3, None], [3, np.nan]),
        (["a", None], ["a", None]),
    ],
)
def test_columns_of_arrow_are_arrays(cells: list[Any], expected: list[Any]) -> None:
    arrow = pytest.importorskip("pyarrow")
    np.testing.assert_array_equal(as_array(arrow.array(cells)), np.array(expected))
    np.testing.assert_array_equal(as_array(arrow.chunked_array([cells])), np.array(expected))


def test_lists_of_different_lengths_are_no_array_and_other_errors_keep_their_words() -> None:
    class Refusing:
        def __array__(self, *_: Any, **__: Any) -> None:
            raise ValueError("not today")

    with pytest.raises(InputError, match=r"^splits: lists of different lengths are no array$"):
        as_array([[1], [1, 2]], "splits")
    with pytest.raises(ValueError, match=r"^not today$"):
        as_array(Refusing())


def test_some_memory_is_free() -> None:
    assert 2**20 < available_memory() < 2**50


def test_the_limit_of_a_container_counts_without_its_caches(tmp_path: Path) -> None:
    assert checks._free_in_container(tmp_path) == checks.UNKNOWN
    (tmp_path / "memory.stat").write_text("anon 300\nfile 5000\nanon_thp 7\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert checks._free_in_container(tmp_path) == checks.UNKNOWN
    (tmp_path / "memory.max").write_text("1000\n")
    assert checks._free_in_container(tmp_path) == 700
    (tmp_path / "memory.max").write_text("100\n")
    assert checks._free_in_container(tmp_path) == 0


def test_what_would_fit_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "available_memory", lambda: 2**30)
    require_memory("a table", 2**30, "less")
    with pytest.raises(InputError, match=r"^a table needs at least 2.0 GiB, and 1.0 GiB of memory"):
        require_memory("a table", 2**31, "less")
    # A thousand things of a mebibyte, and as much again that does not depend on their number.
    needed = 1_000 * 2**20 + 2**29
    with pytest.raises(InputError, match=r"free: at most 512 fit$"):
        require_memory("things", needed, "smaller ones", count=1_000, each=2**20)
    with pytest.raises(InputError, match=r"free: smaller ones$"):
        require_memory("things", 2**40, "smaller ones", count=10, each=2**30)
