"""`python -m trifeature.pid`: the same commands as `trifeature pid`."""

from trifeature.pid.cli import app

app(prog_name="trifeature pid")
