"""The numbers of generating: counts exact, parts timed, memory that does not grow."""

from __future__ import annotations

import pytest

from trifeature.data.settings import preset
from trifeature.errors import InputError
from trifeature.extra.bench import generating
from trifeature.extra.bench.generating import bench_generating, bench_streaming

PARTS = {"pairs_s", "rendering_s", "encoding_s", "hashing_and_writing_s", "tables_s"}


def test_a_stream_counts_its_images_and_extrapolates(monkeypatch: pytest.MonkeyPatch) -> None:
    row = bench_streaming(preset("tiny"), 520, 64)
    assert (row["bench"], row["canvas"], row["images"]) == ("stream", 32, 520)
    assert row["million_images_s"] == pytest.approx(1e6 / row["images_a_second"], rel=0.01)
    monkeypatch.setattr(generating, "_peak_kb", iter((1000, 4072)).__next__)
    assert bench_streaming(preset("tiny"), 512, 64)["growth_mb"] == 3.0
    with pytest.raises(InputError, match="at least 512"):
        bench_streaming(preset("tiny"), 511, 64)


def test_the_parts_of_generate_are_timed_beside_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generating, "_cpu_of", lambda *words: float(len(words)))
    row = bench_generating("tiny")
    assert (row["preset"], row["files"], row["cpu_s"], row["imports_s"]) == (
        "tiny",
        4300,
        6.0,
        2.0,
    )
    assert row["before_cpu_s"] is None
    assert PARTS | {"truth_and_manifest_s"} <= set(row)


def test_the_processor_time_of_another_process_is_its_own() -> None:
    work = "import time\nwhile time.process_time() < 0.2: pass"
    assert 0.2 <= generating._cpu_of("-c", work) < 5
