"""The commands `trifeature pid ...`: a thin shell over the functions of `trifeature.pid`."""

from typing import Final

# Each of these adds its commands to the app.
from trifeature.cli import pid_features, pid_samples, pid_sources, pid_tables
from trifeature.cli.pid_output import app

__all__ = ["app", "pid_features", "pid_samples", "pid_sources", "pid_tables"]

ORDER: Final = (
    *("atoms", "screen", "sources", "lattice", "pointwise", "pairs"),
    *("features", "predictions", "gaussian", "calibrate"),
    *("show", "gallery", "measures", "bounds", "bench"),
)
"""The commands as `--help` lists them."""

app.registered_commands.sort(key=lambda one: ORDER.index(one.name or one.callback.__name__))  # type: ignore[union-attr]
