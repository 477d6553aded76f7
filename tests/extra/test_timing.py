"""Calls are timed by a given clock, and warm-up calls are left out."""

from itertools import count

import pytest

from trifeature.extra.bench.timing import repeated_ms, timed


def test_a_call_is_timed_by_the_clock_that_is_given() -> None:
    ticks = iter([3.0, 5.5])
    assert timed(lambda: "done", clock=lambda: next(ticks)) == ("done", 2.5)


def test_calls_before_those_that_are_timed_are_left_out() -> None:
    calls, ticks = count(), iter([0, 9, 10, 11, 20, 22])
    times = repeated_ms(lambda: next(calls), 2, warm_up=1, clock=lambda: next(ticks))
    assert times == pytest.approx([1000.0, 2000.0])
    assert next(calls) == 3
