"""Every figure and table of the paper on Trifeature, by name."""

from __future__ import annotations

from typing import Final

from trifeature.experiments.fig4 import FIG4
from trifeature.experiments.fig5 import FIG5
from trifeature.experiments.fig7 import FIG7
from trifeature.experiments.tables import TABLE4, TABLE5, TABLE7

EXPERIMENTS: Final = {e.name: e for e in (FIG4, FIG5, FIG7, TABLE4, TABLE5, TABLE7)}
