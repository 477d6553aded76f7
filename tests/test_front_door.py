"""`import trifeature` costs nothing and offers everything."""

import subprocess
import sys

import pytest

import trifeature as tf

HEAVY = ("torch", "torchvision", "matplotlib", "scipy", "pandas", "PIL", "numpy")


@pytest.mark.parametrize("name", tf.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(tf, name) is not None
    assert name in dir(tf)


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
