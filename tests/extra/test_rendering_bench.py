"""The row of a timing: what it says, what it compares with, and that it leaves torch alone."""

import json
import time
from dataclasses import replace

import pytest
import torch

from trifeature.data.render import RenderSettings
from trifeature.errors import InputError
from trifeature.extra.bench import rendering
from trifeature.extra.bench.rendering import PUBLISHED_MS, REPEATS, bench_rendering
from trifeature.threads import one_thread

CPU = torch.device("cpu")
SMALL = RenderSettings.for_canvas(32)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rendering that takes 8, 2, 6, 4, 10 and 6 seconds by a clock; notes how many images."""
    durations = iter([8.0, 2.0, 6.0, 4.0, 10.0, 6.0])
    now = [0.0]
    rendered: list[int] = []

    def render(attributes: list[int], *_: object, **__: object) -> None:
        rendered.append(len(attributes))
        now[0] += next(durations)

    monkeypatch.setattr(rendering, "render", render)
    monkeypatch.setattr(time, "process_time", lambda: now[0])
    return rendered


def test_the_median_of_the_repetitions_after_a_warm_up_is_reported(clock: list[int]) -> None:
    row = bench_rendering(SMALL, 1000, CPU)
    assert clock == [1000] * (1 + REPEATS)
    assert (row["ms"], row["ms_min"], row["ms_max"]) == (6.0, 2.0, 10.0)
    assert (row["bench"], row["canvas"], row["images"]) == ("render", 32, 1000)


def test_only_the_papers_images_are_compared_with_the_published_generator(
    clock: list[int],
) -> None:
    row = bench_rendering(RenderSettings(), 1000, CPU)
    assert row["published_ratio"] == PUBLISHED_MS / 6.0
    assert len(clock) == 1 + REPEATS


@pytest.mark.parametrize("settings", [SMALL, replace(RenderSettings(), oversample=2)])
def test_other_images_are_compared_with_nothing(settings: RenderSettings, clock: list[int]) -> None:
    assert bench_rendering(settings, 10, CPU)["published_ratio"] is None
    assert len(clock) == 1 + REPEATS


def test_a_row_is_plain_json_and_names_its_device() -> None:
    row = bench_rendering(SMALL, 3, CPU)
    assert json.loads(json.dumps(row)) == row
    assert 0 < row["ms_min"] <= row["ms"] <= row["ms_max"]
    assert row["device"].endswith(", 1 threads")
    assert set(row["versions"]) >= {"trifeature", "torch", "python"}


def test_timing_on_one_thread_gives_the_others_back() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_more_images_than_fit_are_refused_before_anything_is_made() -> None:
    with pytest.raises(InputError, match=r"rendering 1,000,000,000 images .*: at most [\d,]+ fit"):
        bench_rendering(RenderSettings(), 10**9, torch.device("cpu"))
