"""What `import trifeature.pid` loads, by the modules that a new process has loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
{statement}
print(*sorted(name for name in sys.modules if "." not in name or name.startswith("scipy.")))
"""


def loaded(statement: str) -> set[str]:
    program = PROGRAM.format(statement=statement)
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - ours
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import trifeature.pid",
        "from trifeature.pid import broja, gallery_table; broja(gallery_table('AND'))",
        "from trifeature.pid import compare, gallery_table; compare(gallery_table('W'))",
    ],
)
def test_tables_need_neither_torch_nor_matplotlib_nor_scipy(statement: str) -> None:
    """A process of a fifth of a second each."""
    slow = {"torch", "matplotlib", "scipy", "pandas", "typer", "rich"}
    assert loaded(statement) & slow == set()


def test_an_estimate_needs_scipys_special_functions_alone() -> None:
    """Half a second of CPU."""
    found = loaded("from trifeature.pid import estimate; estimate(*[[0, 1] * 40] * 3)")
    slow = {"torch", "matplotlib", "pandas", "typer", "rich"}
    assert found & slow == set()
    assert "scipy.special" in found
    assert found & {"scipy.stats", "scipy.optimize", "scipy.sparse", "scipy.linalg"} == set()


def test_the_command_loads_what_it_needs() -> None:
    """Half a second of CPU."""
    program = "import sys; from trifeature.cli import trifeature_main\n"
    program += "sys.argv = ['trifeature', 'pid', 'show', 'AND']\n"
    program += "try: trifeature_main()\nexcept SystemExit: pass"
    assert loaded(program) & {"torch", "matplotlib", "scipy", "pandas"} == set()


@pytest.mark.processes  # Loads torch.
def test_representations_load_torch_when_first_used() -> None:
    assert "torch" in loaded("from trifeature.pid import dual_atoms")


def test_an_unknown_name_is_an_attribute_error() -> None:
    import trifeature.pid  # noqa: PLC0415

    with pytest.raises(AttributeError, match="no attribute 'Pairs'"):
        _ = trifeature.pid.Pairs
    assert "PairedFeatures" in dir(trifeature.pid)
