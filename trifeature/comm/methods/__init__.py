"""The methods by name, each in one file; `register_method` adds others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from trifeature.comm.methods.base import Loss, Method, Tensors
from trifeature.comm.methods.comm import CoMM
from trifeature.comm.methods.cross import Cross
from trifeature.comm.methods.cross_self import CrossSelf
from trifeature.comm.methods.factorcl import FactorCL
from trifeature.comm.settings import OPTIONS, Options, RunSettings
from trifeature.errors import InputError, check_name
from trifeature.modality import Modality

METHODS: Final[dict[str, type[Method]]] = {
    "comm": CoMM,
    "cross": Cross,
    "cross+self": CrossSelf,
    "factorcl": FactorCL,
}
"""The class of every method, by its name in `RunSettings.method`."""


def register_method(name: str, method: type[Method], options: type[Options]) -> None:
    """Add a method.

    Args:
        name: Name of the method in `RunSettings.method` and `--method`.
        method: Class of the method.
        options: Class of its options, a frozen dataclass. Presets set the fields that they name,
            as for any other method.

    Raises:
        InputError: a method of this name exists already.
    """
    if name in METHODS:
        raise InputError(f"a method called {name!r} exists already")
    METHODS[name] = method
    OPTIONS[name] = options


def make_method(settings: RunSettings, modalities: Sequence[Modality]) -> Method:
    """Make the method that the settings name.

    Raises:
        InputError: there is no such method, or its settings do not fit the modalities.
    """
    return METHODS[check_name("method", settings.method, METHODS)](settings, modalities)


__all__ = ["METHODS", "Loss", "Method", "Tensors", "make_method", "register_method"]
