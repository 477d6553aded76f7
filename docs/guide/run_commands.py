"""Carry out the commands that the pages quote, in a scratch folder: a part of `make docs`.

    python docs/guide/run_commands.py

What trains for minutes, or needs a file that only a reader has, is not carried out; it is listed
with the reason. The tests read all of them, these included, as the command line would
(`tests/docs/test_quoted_commands.py`). One process for all: the libraries are imported once.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

GUIDE: Final = Path(__file__).resolve().parent
REPOSITORY: Final = GUIDE.parents[1]
sys.path[:0] = [str(GUIDE / "extensions"), str(REPOSITORY)]

import numpy as np  # noqa: E402 - after the path
from quoted import PLACEHOLDER, Quoted, apps, arguments, complete, quoted  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

NOT_RUN: Final = [
    (r"comm-probe (train|ablate|demo|study)\b", "trains: a minute or more"),
    (r"comm-probe (probe|finetune)\b", "needs a finished run"),
    (r"comm-probe (bench|complexity)\b", "times itself: minutes"),
    (r"comm-probe figure$", "needs the rows of an ablation"),
    (r"comm-probe figure .*--preset (paper|fast)", "needs the rows of a GPU"),
    (r"comm-probe reproduce (?!.*--dry-run)", "trains: minutes to days"),
    (r"--plugin\b", "needs the reader's plugin; tests/extending has such files"),
    (r"trifeature (pid )?bench\b", "times itself: minutes"),
    (r"trifeature pid calibrate(?! AND)", "draws thousands of samples: minutes"),
    (r"trifeature generate (?!.*--preset)", "renders 2,600 images of 224 px: many seconds"),
    (r"trifeature generate .*--preset quick", "renders 8,600 images: many seconds"),
    (r"FILE\.npz", "needs the reader's features or predictions"),
    (r"--as parquet", "needs pyarrow, an extra"),
]  # fmt: skip
"""What is not carried out, and why; every pattern must fit a quoted command."""


# --------------------------------------------------------------------------- what they work on


def _columns(path: Path, **columns: np.ndarray) -> None:
    """Columns as a CSV file."""
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_samples(path: Path) -> None:
    """600 pairs whose match is asked about."""
    rng = np.random.default_rng(0)
    shape, texture, color = rng.integers(0, 3, (3, 600))
    _columns(path, shape=shape, texture=texture, color=color, match=(texture == color) * 1)


def write_rates(path: Path) -> None:
    """300 rows of two noisy numbers and their sum."""
    a, b, noise = np.random.default_rng(1).normal(size=(3, 300)).round(4)
    _columns(path, a=a, b=b, speed=(a + b + noise).round(4))


def write_file(path: Path) -> None:
    """400 rows of A, B and Y = A and B."""
    a, b = np.random.default_rng(2).integers(0, 2, (2, 400))
    _columns(path, A=a, B=b, Y=a & b)


def write_data_set(path: Path) -> None:
    """The smallest data set of the command line."""
    _carry_out(["trifeature", "generate", str(path), "--preset", "tiny", "--synergy-map",
                "--copies", "2", "--test-copies", "1", "--train-pairs", "500"])  # fmt: skip


FIXTURES: Final[dict[str, Callable[[Path], None]]] = {
    "samples.csv": write_samples,
    "rates.csv": write_rates,
    "FILE.csv": write_file,
    "OUT": write_data_set,
    "SMALL": write_data_set,
    "FOLDER": write_data_set,
}
"""What a command finds under a name, unless an earlier command has written it."""


# --------------------------------------------------------------------------- carried out


def reason_not_to_run(command: Quoted) -> str:
    """Why a command is not carried out; empty if it is."""
    for pattern, reason in NOT_RUN:
        if re.search(pattern, command.text):
            return reason
    return "" if complete(command) or _has_fixtures(command) else "a part of a command"


def _has_fixtures(command: Quoted) -> bool:
    """Whether all that a mention leaves open is at hand here."""
    named = [word for word in command.words if PLACEHOLDER.search(word)]
    return bool(named) and all(word in FIXTURES for word in named)


def _carry_out(words: list[str]) -> tuple[int, str]:
    """Exit code and output of a command in the present folder."""
    result = CliRunner().invoke(apps()[words[0]], arguments(words))
    told = result.output
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        told += f"{type(result.exception).__name__}: {result.exception}"
    return result.exit_code, told


def run(command: Quoted) -> tuple[int, str]:
    """Carry out one command in the present folder; what it names is put there first."""
    words = command.words
    if words[1] == "generate":
        shutil.rmtree(words[2], ignore_errors=True)
    for name in words[2:]:
        if name in FIXTURES and not Path(name).exists() and words[1] != "generate":
            FIXTURES[name](Path(name))
    return _carry_out(words)


def pages() -> list[Path]:
    """The pages whose commands count: those that a reader is shown now, not the changelog."""
    return [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


def main() -> int:
    """Carry out what can be; print what is not, and what failed.

    Returns:
        1 if a command failed or a reason fits nothing, else 0.
    """
    found = [command for page in pages() for command in quoted(page)]
    # What is typed somewhere and mentioned elsewhere is typed.
    commands = {c.text: c for c in sorted(found, key=lambda c: not c.mention)}
    reasons = {text: reason_not_to_run(command) for text, command in commands.items()}
    failures = [
        f"no command fits the pattern {pattern!r} of NOT_RUN"
        for pattern, _ in NOT_RUN
        if not any(re.search(pattern, text) for text in commands)
    ]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        shutil.copytree(REPOSITORY / "figures", "figures", ignore=shutil.ignore_patterns("*.png"))
        for text, command in commands.items():
            if reasons[text]:
                continue
            start = time.perf_counter()
            code, told = run(command)
            took = time.perf_counter() - start
            if "-v" in sys.argv:
                print(f"{took:6.1f} s  {text}")  # noqa: T201 - asked for
            if code:
                failures.append(f"$ {text}\nexit code {code} after {took:.0f} s\n{told}")
        os.chdir(REPOSITORY)
    ran = sum(not reason for reason in reasons.values())
    print(f"{ran} quoted commands carried out in {time.perf_counter() - began:.0f} s")  # noqa: T201
    for reason in dict.fromkeys(filter(None, reasons.values())):
        left = [text for text, why in reasons.items() if why == reason]
        print(f"not carried out ({reason}): {len(left)}")  # noqa: T201
        if "-v" in sys.argv:
            print("".join(f"    {text}\n" for text in left), end="")  # noqa: T201
    for failure in failures:
        print(failure, file=sys.stderr)  # noqa: T201
    return 1 if failures else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # at a usual end a compiler within torch prints pages about what it leaks
