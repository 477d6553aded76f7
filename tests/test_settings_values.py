"""Settings of every class, given what nobody should give: refused in a line, or written as JSON."""

import dataclasses
import functools
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from trifeature.comm.options import OPTIONS
from trifeature.comm.settings import RunSettings
from trifeature.data.dataset import DatasetSettings
from trifeature.data.render import RenderSettings
from trifeature.data.rule import PairRule
from trifeature.errors import InputError
from trifeature.extra.finetuning import FineTuning
from trifeature.files import finite
from trifeature.views import views_from_json
from trifeature.views.sets import ViewSet
from trifeature.views.vectors import VectorViews

KINDS: dict[str, type[Any]] = {
    "rule": PairRule,
    "render": RenderSettings,
    "data": DatasetSettings,
    "images": ViewSet,
    "vectors": VectorViews,
    **OPTIONS,
    "run": RunSettings,
    "fine-tuning": FineTuning,
}
FIELDS = [(kind, field.name) for kind in KINDS.values() for field in dataclasses.fields(kind)]
ODD: list[Any] = [
    *("", "1", "texture", "comm", b"1", [], [1], ["texture", "color"], (0.1, 0.2), ("a", 3), {}),
    *({"a": 1}, {1, 2}, object(), None, True, 0, 1, -1, 10**30, 0.5, 1e300, 1j),
    *(math.nan, math.inf, np.float32(1), np.int64(2), np.bool_(True), np.array([1.0, 2.0])),
]


def as_json(settings: Any) -> Any:
    return settings.to_json() if hasattr(settings, "to_json") else dataclasses.asdict(settings)


def from_json(kind: type[Any], content: Any) -> Any:
    return views_from_json(content) if hasattr(kind, "draw") else kind.from_json(content)


def attempt(make: Callable[[], Any]) -> Any:
    """What is made; None if it is refused in one line."""
    try:
        return make()
    except InputError as refusal:
        problem = refusal
    assert "\n" not in str(problem)
    return None


def dict_call(kind: type[Any], values: dict[str, Any]) -> Any:
    return kind(**values)


@pytest.mark.parametrize(("kind", "name"), FIELDS)
def test_an_odd_value_is_refused_in_a_line_or_can_be_written_as_json(
    kind: type[Any], name: str
) -> None:
    for value in ODD:
        settings = attempt(functools.partial(dict_call, kind, {name: value}))
        if settings is None:
            continue
        content = json.loads(json.dumps(as_json(settings), allow_nan=False))
        assert finite(content) == content
        if hasattr(kind, "from_json"):
            assert from_json(kind, content) == settings, value


@pytest.mark.parametrize(("kind", "name"), [one for one in FIELDS if hasattr(one[0], "from_json")])
def test_an_odd_value_in_json_is_refused_in_a_line(kind: type[Any], name: str) -> None:
    values: list[Any] = ["1", [], [[]], {}, {"a": 1}, None, True, -1, 0.5, 10**30, [None], [1, "a"]]
    for value in values:
        content = {**json.loads(json.dumps(as_json(kind()))), name: value}
        settings = attempt(functools.partial(from_json, kind, content))
        assert settings is None or from_json(kind, as_json(settings)) == settings


@pytest.mark.parametrize("kind", [k for k in KINDS.values() if hasattr(k, "from_json")])
@pytest.mark.parametrize("content", [3, "text", None, [], [1], {"hue_": 0.1}, {1: 2}])
def test_json_that_is_no_settings_is_refused_in_a_line(kind: type[Any], content: Any) -> None:
    with pytest.raises(InputError) as caught:
        from_json(kind, content)
    assert "\n" not in str(caught.value)
