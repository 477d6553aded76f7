"""Every method by name: one file each, one line in this table."""

from __future__ import annotations

from typing import Final

from trifeature.comm.methods.base import Loss, Method, Views
from trifeature.comm.methods.comm import CoMM
from trifeature.comm.methods.cross import Cross
from trifeature.comm.methods.cross_self import CrossSelf
from trifeature.comm.methods.factorcl import FactorCL
from trifeature.comm.settings import RunSettings
from trifeature.errors import InputError, check_name

METHODS: Final[dict[str, type[Method]]] = {
    "comm": CoMM,
    "cross": Cross,
    "cross+self": CrossSelf,
    "factorcl": FactorCL,
}
"""The class of every method, by the name that `method` of the run's settings gives it."""


def make_method(settings: RunSettings, modalities: int, canvas: int) -> Method:
    """Construct the method that the settings name.

    Raises:
        InputError: there is no such method, or its settings do not fit together.
    """
    return class_of(settings)(settings, modalities, canvas)


def class_of(settings: RunSettings) -> type[Method]:
    """The class of the method that the settings name.

    Raises:
        InputError: there is no such method, or it would not heed one of the settings: such a run
            would differ from another in its name alone.
    """
    chosen = METHODS[check_name("method", settings.method, METHODS)]
    for name, other in METHODS.items():
        for setting in sorted(other.heeds - chosen.heeds):
            if _value(settings, setting) != _value(RunSettings(), setting):
                raise InputError(f"{setting} is a setting of {name}, not of {settings.method}")
    return chosen


def _value(settings: RunSettings, name: str) -> object:
    """A setting of the run's, or else of its model's."""
    return getattr(settings if hasattr(settings, name) else settings.model, name)


__all__ = ["METHODS", "Loss", "Method", "Views", "class_of", "make_method"]
