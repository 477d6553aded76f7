"""Real files in tests: where a set is installed, or a skip that says how to get it."""

from __future__ import annotations

from pathlib import Path

import pytest

from trifeature.real.catalog import SOURCES


def installed(name: str) -> Path:
    """The folder of a set of real data; the test is skipped where it is not."""
    source = SOURCES[name]
    folder = source.found()
    if folder is None:
        pytest.skip(f"the files of {name} are not here: {source.how[0]}")
    return folder
