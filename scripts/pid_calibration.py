"""Write the tables of `docs/pid.md` from the recorded rows.

    python scripts/pid_calibration.py

`trifeature pid calibrate --out figures/pid-calibration.jsonl` measures the rows.
"""

from __future__ import annotations

import re
from pathlib import Path

from trifeature.files import read_rows, write_atomically
from trifeature.pid.estimation.calibration import calibration_table

ROOT = Path(__file__).resolve().parents[1]
PAGE, ROWS = ROOT / "docs" / "pid.md", ROOT / "figures" / "pid-calibration.jsonl"
PLACE = re.compile(r"(<!-- calibration -->\n).*?(<!-- end of calibration -->)", re.DOTALL)


def with_table(text: str) -> str:
    """The page's text with the table of the rows as they are now."""
    table = calibration_table(read_rows(ROWS))
    return PLACE.sub(lambda found: f"{found[1]}{table}\n{found[2]}", text)


if __name__ == "__main__":
    write_atomically(PAGE, with_table(PAGE.read_text(encoding="utf-8")).encode())
