"""Every pair of many columns about one target: `screen` and its result."""

from trifeature.pid.screening.result import Screen
from trifeature.pid.screening.screen_pairs import screen

__all__ = ["Screen", "screen"]
