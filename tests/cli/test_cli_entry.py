"""The entry points answer what is cheap to answer before they import what is slow to import."""

import subprocess
import sys

import pytest

import trifeature
from trifeature import cli

ASK = """
import sys
from trifeature.cli import {entry}
sys.argv = ["command", "--version"]
try:
    {entry}()
except SystemExit as stop:
    assert not stop.code
slow = {{"torch", "numpy", "scipy", "matplotlib"}} & sys.modules.keys()
assert not slow, slow
"""


@pytest.mark.parametrize("entry", ["trifeature_main", "comm_probe_main"])
def test_the_version_is_printed_without_importing_torch(entry: str) -> None:
    words = [sys.executable, "-c", ASK.format(entry=entry)]
    said = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603
    assert (said.returncode, said.stdout, said.stderr) == (0, f"{trifeature.__version__}\n", "")


@pytest.mark.parametrize("entry", ["_run_trifeature", "_run_comm_probe"])
def test_ctrl_c_during_the_imports_is_no_traceback(
    entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, entry, interrupted)
    monkeypatch.setattr(sys, "argv", ["command", "info"])
    with pytest.raises(SystemExit) as stop:
        getattr(cli, entry.removeprefix("_run_") + "_main")()
    assert stop.value.code == 130
