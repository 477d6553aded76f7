"""Build the course's notebooks: run every text source in a clean kernel, keep the outputs.

    python docs/course/build.py [--rows FILE] [NAME ...]
    python docs/course/build.py --slides [NAME ...]
    python docs/course/build.py --key

A source is a Python file in jupytext's percent format; beside it in `docs/course/` lies the
notebook made of it, which renders wherever it is looked at. Change the source, never the notebook.
Building a notebook makes its slides too (`slides/`); `--slides` makes them alone, of the notebook
as it is, and `--key` the lecturer's page `key.md`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import jupytext
import nbformat
from nbclient import NotebookClient

COURSE: Final = Path(__file__).resolve().parent
REPOSITORY: Final = COURSE.parents[1]
sys.path[:0] = [str(REPOSITORY), str(COURSE)]  # also where this file is loaded by its path

from deck import deck  # noqa: E402
from key_page import page  # noqa: E402

ROWS: Final = REPOSITORY / "figures" / "quick.jsonl"
SECONDS: Final = 120
"""A cell that takes longer on two cores is too long."""
HELPERS: Final = ("checks", "solutions", "trained.py", "reading.py")
"""What every notebook may import."""
NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "03-alignment": ("docs/course/weights",),
    "04-terms": ("docs/course/weights",),
}
"""Files and folders of the repository that a notebook reads besides the rows, by its name."""

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
        for path in (*(f"docs/course/{helper}" for helper in HELPERS), *NEEDS.get(name, ())):
            copy(REPOSITORY / path, Path(folder) / path)
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


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder, without compiled code."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def slides_of(name: str) -> str:
    """The deck of a built notebook."""
    notebook = json.loads((COURSE / f"{name}.ipynb").read_text(encoding="utf-8"))
    title = "".join(notebook["cells"][0]["source"]).splitlines()[0].lstrip("# ")
    return deck(notebook, title)


def key_page() -> str:
    """The lecturer's key, of all notebooks."""
    return page({name: read_source(name) for name in names()})


def write_slides(name: str) -> None:
    """Write a notebook's deck and say how large it is."""
    (COURSE / "slides").mkdir(exist_ok=True)
    path = COURSE / "slides" / f"{name}.html"
    path.write_text(slides_of(name), encoding="utf-8")
    print(f"slides/{path.name}: {path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    """Build the notebooks named, or all; or their slides; or the key."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", default=names(), metavar="NAME")
    parser.add_argument("--rows", type=Path, default=ROWS, help="rows to read (JSON lines)")
    parser.add_argument("--slides", action="store_true", help="the slides alone")
    parser.add_argument("--key", action="store_true", help="the lecturer's page alone")
    arguments = parser.parse_args()
    if arguments.key:
        (COURSE / "key.md").write_text(key_page(), encoding="utf-8")
        return
    if arguments.slides:
        for name in arguments.names:
            write_slides(name)
        return
    for name in arguments.names:
        started = time.monotonic()
        notebook = execute(name, arguments.rows)
        path = COURSE / f"{name}.ipynb"
        path.write_text(nbformat.v4.writes(notebook) + "\n", encoding="utf-8")
        seconds, size = time.monotonic() - started, path.stat().st_size / 1000
        print(f"{path.name}: {seconds:.0f} s, {size:.0f} kB")
        write_slides(name)


if __name__ == "__main__":
    main()
