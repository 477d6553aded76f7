"""Build the course's notebooks: run every text source in a clean kernel, keep the outputs.

    python docs/course/build.py [--rows FILE] [NAME ...]

A source is a Python file in jupytext's percent format; beside it in `docs/course/` lies the
notebook made of it, which renders wherever it is looked at. Change the source, never the notebook.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import jupytext
import nbformat
from nbclient import NotebookClient

COURSE: Final = Path(__file__).resolve().parent
ROWS: Final = COURSE.parents[1] / "figures" / "quick.jsonl"
SECONDS: Final = 120
"""A notebook that takes longer on two cores is too long."""


KERNEL: Final = nbformat.NotebookNode(display_name="Python 3", language="python", name="python3")


def names() -> list[str]:
    """The notebooks in their order, without a suffix."""
    return sorted(path.stem for path in (COURSE / "source").glob("*.py"))


def read_source(name: str) -> Any:
    """A source as a notebook without outputs, the same bits each time."""
    notebook = jupytext.read(COURSE / "source" / f"{name}.py", fmt="py:percent")
    for place, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{place}"
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == "tags"}
        if cell.cell_type == "code":
            cell.execution_count, cell.outputs = None, []
    notebook.metadata = nbformat.NotebookNode(kernelspec=KERNEL)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def execute(name: str, rows: Path = ROWS) -> Any:
    """Run a notebook in a clean kernel, in a copy of the course's place in the repository.

    Args:
        name: Which, without a suffix.
        rows: The measured rows that it reads; where there is no such file it says "missing".

    Raises:
        nbclient.exceptions.CellExecutionError: A cell raised; the message shows it.
    """
    notebook = read_source(name)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "docs" / "course"
        place.mkdir(parents=True)
        (Path(folder) / "figures").mkdir()
        for helper in ("checks.py", "solutions.py", "trained.py"):
            shutil.copy(COURSE / helper, place)
        shutil.copytree(COURSE / "weights", place / "weights")
        if rows.exists():
            shutil.copy(rows, Path(folder) / "figures" / "quick.jsonl")
        client = NotebookClient(
            notebook,
            timeout=SECONDS,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(place)}},
        )
        client.execute()
    notebook.metadata = nbformat.NotebookNode(kernelspec=KERNEL)  # no versions of this machine
    return notebook


def main() -> None:
    """Build the notebooks named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", default=names(), metavar="NAME")
    parser.add_argument("--rows", type=Path, default=ROWS, help="rows to read (JSON lines)")
    arguments = parser.parse_args()
    for name in arguments.names:
        started = time.monotonic()
        notebook = execute(name, arguments.rows)
        path = COURSE / f"{name}.ipynb"
        path.write_text(nbformat.v4.writes(notebook) + "\n", encoding="utf-8")
        seconds, size = time.monotonic() - started, path.stat().st_size / 1000
        print(f"{path.name}: {seconds:.0f} s, {size:.0f} kB")


if __name__ == "__main__":
    main()
