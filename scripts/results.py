"""Copy the tables of figures/ into the pages that show them.

    python scripts/results.py

A comment right above a table says which it is, and which of its columns are shown if not all:
`<!-- figures/leaderboard-quick.md: table 1 -->`, `<!-- figures/fig4-quick.md: table 1: R ours -->`.
The tables in figures/ are drawn from rows, so that every number of a page comes from one. Lines
without any row are named below the table.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/results.md")
SHOWN = re.compile(
    r"(<!-- (figures/\S+\.md): table (\d+)(?:: (.+?))? -->\n\n)"
    r"((?:\|.*\n)*\n?(?:Not measured: .*\n\n?)?)"
)
UNMEASURED = re.compile(r"^\| (.+?) \| 0 \+ 0 \|.*\n", flags=re.MULTILINE)


def tables_of(text: str) -> list[str]:
    """The tables of a page, without the spaces that align their columns."""
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    return [re.sub(r" +(?=\|)", " ", re.sub(r"-{4,}", "---", table)) for table in tables]


def shown(table: str, columns: str | None) -> str:
    """A table's measured lines, and the names of the others."""
    lines = chosen(UNMEASURED.sub("", table), columns) + "\n"
    names = "; ".join(UNMEASURED.findall(table))
    return lines + (f"Not measured: {names}.\n\n" if names else "")


def chosen(table: str, columns: str | None) -> str:
    """The first column of a table and those named, by their headings; all where none is named."""
    if columns is None:
        return table
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    places = [0, *(lines[0].index(name) for name in columns.split("; "))]
    return "".join(f"| {' | '.join(line[k] for k in places)} |\n" for line in lines)


def filled(page: str) -> str:
    """A page's text with the tables that it shows as figures/ has them."""

    def table(found: re.Match[str]) -> str:
        marker, file, place, columns, _ = found.groups()
        tables = tables_of((ROOT / file).read_text(encoding="utf-8"))
        return marker + shown(tables[int(place) - 1], columns)

    return SHOWN.sub(table, page)


if __name__ == "__main__":
    for name in PAGES:
        path = ROOT / name
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
