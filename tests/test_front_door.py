"""`import trifeature` costs nothing and offers everything."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import trifeature as tf

HEAVY = ("torch", "torchvision", "matplotlib", "scipy", "pandas", "PIL", "numpy")


@pytest.mark.parametrize("name", tf.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(tf, name) is not None
    assert name in dir(tf)


def test_the_guide_lists_the_public_names() -> None:
    page = Path(__file__).parents[1] / "docs" / "guide" / "api" / "index.md"
    rows = [line for line in page.read_text("utf-8").splitlines() if line.startswith("| ")]
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(listed) == sorted(set(tf.__all__) - {"__version__"})


def test_type_checkers_see_every_public_name() -> None:
    tree = ast.parse(Path(tf.__file__).read_text("utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        (node.module, alias.asname)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == {(f"trifeature.{place}", name) for name, place in tf._PLACES.items()}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        tf.trian  # noqa: B018


def test_packages_are_found_by_their_names() -> None:
    assert tf.pid.broja is tf.broja


@pytest.mark.processes
@pytest.mark.parametrize(
    ("module", "heavy"),
    [("trifeature", HEAVY), ("trifeature.pid", ("torch", "torchvision", "matplotlib", "pandas"))],
)
def test_importing_loads_nothing_heavy(module: str, heavy: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*sorted(set({heavy!r}) & set(sys.modules)))"
    found = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == ""
