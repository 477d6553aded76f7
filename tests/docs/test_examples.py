"""The scripts of docs/examples run as they are, and none has more than twelve lines of code."""

from __future__ import annotations

import ast
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from guide_tools import DOCS

from trifeature.comm.encoders import ENCODERS
from trifeature.comm.methods import METHODS
from trifeature.comm.options import OPTIONS
from trifeature.comm.settings import ENCODER_NAMES
from trifeature.data.own_values import TABLES

EXAMPLES = sorted((DOCS / "examples").glob("*.py"))
NEEDS = {"tensorboard_log": "tensorboard", "data_frame": "pandas"}


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """What an example registers is gone afterwards."""
    tables: list[dict[str, Any]] = [METHODS, OPTIONS, ENCODERS, *TABLES]
    before = [dict(table) for table in tables]
    names = list(ENCODER_NAMES)
    yield
    for table, old in zip(tables, before, strict=True):
        table.clear()
        table.update(old)
    ENCODER_NAMES[:] = names


@pytest.mark.usefixtures("one_cost")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if path.stem in NEEDS:
        pytest.importorskip(NEEDS[path.stem])
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path))
    assert capsys.readouterr().out or list(tmp_path.rglob("*tfevents*"))


def test_an_example_is_not_called_like_what_it_imports() -> None:
    # Run as a script, its folder comes first among those that Python searches.
    assert not {path.stem for path in EXAMPLES} & {*NEEDS.values(), "trifeature", "numpy", "torch"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_at_most_twelve_lines_of_code(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    skipped = {
        line
        for node in [
            tree.body[0],
            *(n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)),
        ]
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    code = [
        line
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and number not in skipped
    ]
    assert len(code) <= 12, code
