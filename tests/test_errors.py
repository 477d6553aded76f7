"""A wrong name is answered in one line with the nearest right one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trifeature.data.attributes import COLORS, SHAPES, TEXTURES
from trifeature.errors import InputError, check_name


@pytest.mark.parametrize("options", [SHAPES, TEXTURES, COLORS])
def test_every_name_that_exists_is_returned_as_it_is(options: tuple[str, ...]) -> None:
    assert [check_name("name", name, options) for name in options] == list(options)


@pytest.mark.parametrize(
    ("wrong", "right", "options"),
    [
        ("gren", "green", COLORS),
        ("Red", "red", COLORS),
        ("WHITE", "white", COLORS),
        ("stripe", "stripes", TEXTURES),
        ("zig-zags", "zigzags", TEXTURES),
        ("l_comm", "L_CoMM", ("L_CoMM", "L", "L_i")),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(
    wrong: str, right: str, options: tuple[str, ...]
) -> None:
    with pytest.raises(InputError, match=f"did you mean '{right}'"):
        check_name("name", wrong, options)


def test_a_name_like_no_other_is_answered_with_all_that_exist() -> None:
    with pytest.raises(InputError) as caught:
        check_name("color", "qqqqqq", ["red", "green"])
    assert str(caught.value) == "unknown color 'qqqqqq' (one of red, green)"


def test_options_that_hold_commas_are_told_apart_by_semicolons() -> None:
    options = ["two temperatures", "two temperatures, two fusions"]
    for wrong in ("qqqqqq", 3):
        with pytest.raises(InputError, match="two temperatures; two temperatures, two fusions"):
            check_name("arm", wrong, options)  # type: ignore[arg-type]


def test_options_may_be_any_iterable_and_are_read_once() -> None:
    with pytest.raises(InputError, match=r"\(one of a1, b2\)"):
        check_name("thing", "a", (name for name in ("a1", "b2")))


def test_an_input_error_is_a_value_error() -> None:
    assert issubclass(InputError, ValueError)


@settings(max_examples=30)
@given(st.text())
def test_any_unknown_name_is_answered_in_one_line(name: str) -> None:
    if name in COLORS:
        return
    with pytest.raises(InputError) as caught:
        check_name("color", name, COLORS)
    assert len(str(caught.value).splitlines()) == 1
