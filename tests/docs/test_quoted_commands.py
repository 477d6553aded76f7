"""Every command that a page quotes is one that the programs would take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from guide_tools import DOCS, GUIDE, REPOSITORY, extension, script

PAGES = [REPOSITORY / "README.md", *sorted(DOCS.rglob("*.md"))]


@pytest.fixture(scope="module")
def quoted() -> ModuleType:
    return extension("quoted")


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    return script(GUIDE / "run_commands.py")


@pytest.mark.parametrize("page", PAGES, ids=[str(p.relative_to(REPOSITORY)) for p in PAGES])
def test_the_commands_of_a_page_are_taken(page: Path, quoted: ModuleType) -> None:
    problems = [quoted.problem(command) for command in quoted.quoted(page)]
    assert [problem for problem in problems if problem] == []


WRONG = """
# Page

`trifeature pid sow AND` and `comm-probe train --speed 3`, but `comm-probe reproduce NAME`.

```console
$ trifeature pid show AND --measure BROYA
$ comm-probe ablate --loss L \\
    --no-such-option
```

```
trifeature generate OUT --copies many    # no number
trifeature info OUT                       # right
```

```python
trifeature = "no command"
```
"""


def test_what_the_programs_would_refuse_is_named(quoted: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(WRONG, encoding="utf-8")
    commands = quoted.quoted(page)
    assert [command.text for command in commands] == [
        "trifeature pid show AND --measure BROYA",
        "comm-probe ablate --loss L --no-such-option",
        "trifeature generate OUT --copies many",
        "trifeature info OUT",
        "trifeature pid sow AND",
        "comm-probe train --speed 3",
        "comm-probe reproduce NAME",
    ]
    problems = [quoted.problem(command) for command in commands]
    told = ("BROYA", "--no-such-option", "many", "", "no such command: sow", "--speed", "")
    assert [bool(problem) for problem in problems] == [bool(word) for word in told]
    assert all(word in problem for word, problem in zip(told, problems, strict=True))


def test_what_is_not_carried_out_has_a_reason(quoted: ModuleType, runner: ModuleType) -> None:
    found: list[Any] = [command for page in PAGES for command in quoted.quoted(page)]
    run = {command.text for command in found if not runner.reason_not_to_run(command)}
    assert {"trifeature pid show AND", "trifeature gallery", "comm-probe figure front"} <= run
    assert not [text for text in run if text.startswith("comm-probe train")]
    assert len(run) > 30


@pytest.mark.slow  # It carries out fifty commands: half a minute of a free core.
def test_the_quoted_commands_run() -> None:
    script = [sys.executable, str(GUIDE / "run_commands.py")]
    done = subprocess.run(script, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert done.returncode == 0, done.stderr
    assert "quoted commands carried out" in done.stdout
