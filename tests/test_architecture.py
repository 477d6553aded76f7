"""Data flows one way: a file imports only from those above it in the README's list."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "trifeature"


def listed() -> list[str]:
    """The files and folders of the README's list, from the top."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"## The architecture.*?```\n(.*?)```", text, flags=re.DOTALL)
    names = (re.match(r"((?:\w+(?:\.py|/) ?)+)", line) for line in block.splitlines())
    return [name for found in names if found for name in found[1].split()]


def part_of(path: Path) -> str:
    """The entry of the list that a file belongs to."""
    first, *rest = path.relative_to(PACKAGE).parts
    return f"{first}/" if rest else first


def imported(path: Path) -> set[str]:
    """The entries of the list that a file imports from."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "trifeature":
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("trifeature."):
            modules.add((node.module or "").split(".")[1])
    return {f"{name}/" if (PACKAGE / name).is_dir() else f"{name}.py" for name in modules}


def test_the_list_names_every_file_and_folder_once() -> None:
    found = {part_of(path) for path in PACKAGE.rglob("*.py")} - {"__init__.py", "__main__.py"}
    assert sorted(listed()) == sorted(found)


def test_a_file_imports_only_from_those_above_it() -> None:
    place = {name: number for number, name in enumerate(listed())}
    upward = [
        f"{path.relative_to(ROOT)} imports {other}"
        for path in PACKAGE.rglob("*.py")
        if (own := part_of(path)) in place
        for other in imported(path) - {own}
        if place[other] > place[own]
    ]
    assert upward == []


def test_matplotlib_is_loaded_where_something_is_drawn_alone() -> None:
    """A machine that only trains may lack it, and it takes half a second."""
    for path in PACKAGE.rglob("*.py"):
        names = [
            name
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in [getattr(node, "module", None) or "", *(a.name for a in node.names)]
        ]
        assert not any(name.split(".")[0] == "matplotlib" for name in names), path


def test_imports_are_seen() -> None:
    assert imported(PACKAGE / "data" / "truth.py") >= {"data/", "pid/"}
    assert imported(PACKAGE / "cli" / "__init__.py") == {"cli/"}
