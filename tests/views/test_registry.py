"""Views of every kind are read and written as JSON, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from trifeature.errors import InputError
from trifeature.views import VIEW_KINDS, Views, register_views, views_from_json
from trifeature.views.sets import ALL, ALL_WITHOUT_CROP, CLEAN, LIGHT, ViewSet
from trifeature.views.vectors import CLEAN_VECTOR, LIGHT_VECTOR, STRONG_VECTOR, VectorViews

IMAGE = {"all": ALL, "all without crop": ALL_WITHOUT_CROP, "light": LIGHT, "clean": CLEAN}
VECTOR = {"strong": STRONG_VECTOR, "light": LIGHT_VECTOR, "clean": CLEAN_VECTOR}


@dataclass(frozen=True)
class Other:
    """Views of another kind, from outside the package."""

    kind: ClassVar[str] = "graph"
    shift: int = 0

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Other:
        return cls(**content)


@pytest.fixture
def registry() -> Iterator[None]:
    """The registry is afterwards what it was."""
    before = dict(VIEW_KINDS)
    yield
    VIEW_KINDS.clear()
    VIEW_KINDS.update(before)


@pytest.mark.parametrize("views", [*IMAGE.values(), *VECTOR.values()], ids=[*IMAGE, *VECTOR])
def test_views_survive_json(views: Views) -> None:
    assert views_from_json(json.loads(json.dumps(views.to_json()))) == views


def test_the_kind_is_left_out_for_images_alone() -> None:
    assert "kind" not in ALL.to_json()
    assert STRONG_VECTOR.to_json()["kind"] == "vector"
    assert views_from_json({"kind": "image"} | LIGHT.to_json()) == LIGHT


def test_a_missing_setting_is_its_default() -> None:
    assert views_from_json({}) == ViewSet()
    assert views_from_json({"kind": "vector", "drop": [0, 0.5]}) == VectorViews(drop=(0.0, 0.5))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"flip_chance": 0.5}, "unknown setting of a view set 'flip_chance'"),
        ({"kind": "vector", "hue": 0}, "unknown setting of vector views 'hue'"),
        ({"kind": "vectr"}, "unknown kind of views 'vectr': did you mean 'vector'"),
        ({"kind": None}, "unknown kind of views 'None'"),
        ({"hue": "much"}, "hue must be from 0 to 0.5, not 'much'"),
        ("all", "views must be a JSON object of settings, not 'all'"),
    ],
)
def test_other_content_is_refused_in_one_line(content: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        views_from_json(content)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("registry")
def test_a_kind_can_be_added_once() -> None:
    register_views(Other)
    register_views(Other)  # the same class again: nothing changes
    assert views_from_json({"kind": "graph", "shift": 3}) == Other(3)
    with pytest.raises(InputError, match="views of kind 'graph' are registered already"):
        register_views(type("Another", (Other,), {}))


def test_settings_are_read_without_torch_whatever_else_was_imported() -> None:
    code = (
        "import sys; from trifeature.views import views_from_json as read;"
        "assert read({}).kind == 'image'; assert read({'kind': 'vector'}).kind == 'vector';"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own code
