"""Help, wrong lines and the package itself load nothing that is slow to import."""

import subprocess
import sys

import pytest

SLOW = ("torch", "torchvision", "matplotlib", "scipy", "pandas", "PIL", "safetensors", "ray")

PROGRAM = """
import sys
import trifeature, trifeature.pid
from trifeature.cli import comm_probe_main, trifeature_main
slow = {slow!r}

def loaded():
    return [name for name in slow if name in sys.modules]

assert not loaded(), ("import trifeature", loaded())
for line in {lines!r}:
    sys.argv = line.split()
    try:
        (trifeature_main if sys.argv[0] == "trifeature" else comm_probe_main)()
    except SystemExit as stop:
        assert stop.code == (0 if "--help" in line else 2), (line, stop.code)
    assert not loaded(), (line, loaded())
"""

COMMANDS = {
    "trifeature": "generate verify info gallery export attributes bench pid playground data",
    "comm-probe": (
        "train ablate probe demo reproduce figure leaderboard finetune complexity bench study"
    ),
}
PID = "gallery show measures atoms bounds bench"

HELP = [
    *(f"{program} --help" for program in COMMANDS),
    *(
        f"{program} {command} --help"
        for program in COMMANDS
        for command in COMMANDS[program].split()
    ),
    *(f"trifeature pid {command} --help" for command in PID.split()),
]
WRONG = [
    "trifeature",
    "trifeature generat",
    "trifeature --nothing",
    "trifeature generate --preset nonsense",
    "trifeature generate --copies two",
    "trifeature generate --copies 0",
    "trifeature generate --match-rate .5",
    "trifeature pid sow",
    "trifeature verify",
    "comm-probe trian",
    "comm-probe train --los L",
    "comm-probe train --epochs -1",
    "comm-probe reproduce",
]


@pytest.mark.processes  # a process of its own: what stands in sys.modules is the answer
def test_help_and_wrong_lines_load_nothing_slow() -> None:
    words = [sys.executable, "-c", PROGRAM.format(slow=SLOW, lines=[*HELP, *WRONG])]
    said = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603
    assert said.returncode == 0, said.stderr


def test_every_command_is_asked_for_help() -> None:
    from trifeature.cli import data, probe  # noqa: PLC0415 - see the module

    for app, name in ((data.app, "trifeature"), (probe.app, "comm-probe")):
        own = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback}
        groups = {group.name for group in app.registered_groups}
        assert own | groups == set(COMMANDS[name].split())
