"""The command line: a thin shell that checks arguments and calls functions that return data."""

from __future__ import annotations

import sys

from trifeature.cli import data, probe
from trifeature.cli.common import protect_bare_option


def trifeature_main() -> None:
    """Entry point of `trifeature`: the data."""
    data.app(
        args=protect_bare_option(sys.argv[1:], "--synergy-map", data.BARE), prog_name="trifeature"
    )


def comm_probe_main() -> None:
    """Entry point of `comm-probe`: the models and the measurements."""
    probe.app(prog_name="comm-probe")
