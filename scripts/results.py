"""Copy the tables of figures/ into the pages that show them.

    python scripts/results.py

A comment right above a table says which it is: `<!-- figures/leaderboard-quick.md: table 1 -->`.
The tables in figures/ are drawn from rows, so that every number of a page comes from one.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/results.md")
SHOWN = re.compile(r"(<!-- (figures/\S+\.md): table (\d+) -->\n\n)((?:\|.*\n)*\n?)")


def tables_of(text: str) -> list[str]:
    """The tables of a page, without the spaces that align their columns."""
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    return [re.sub(r" +(?=\|)", " ", re.sub(r"-{4,}", "---", table)) for table in tables]


def filled(page: str) -> str:
    """A page's text with the tables that it shows as figures/ has them."""

    def table(found: re.Match[str]) -> str:
        marker, file, place, _ = found.groups()
        return marker + tables_of((ROOT / file).read_text(encoding="utf-8"))[int(place) - 1] + "\n"

    return SHOWN.sub(table, page)


if __name__ == "__main__":
    for name in PAGES:
        path = ROOT / name
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
