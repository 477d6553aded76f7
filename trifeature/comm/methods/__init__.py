"""The methods by name, each in one file; `register_method` adds others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Final

from trifeature.checks import require_text
from trifeature.comm.methods.base import Loss, Method, Tensors
from trifeature.comm.methods.cmc import CMC
from trifeature.comm.methods.comm import CoMM
from trifeature.comm.methods.comm_cross import CoMMCross
from trifeature.comm.methods.confu import ConFu
from trifeature.comm.methods.coral import COrAL
from trifeature.comm.methods.cross import Cross
from trifeature.comm.methods.cross_self import CrossSelf
from trifeature.comm.methods.dropping import Dropping
from trifeature.comm.methods.factorcl import FactorCL
from trifeature.comm.methods.gram import Gram
from trifeature.comm.methods.hril import HRIL
from trifeature.comm.methods.infmasking import InfMasking
from trifeature.comm.methods.mae import MAE
from trifeature.comm.methods.simclr import SimCLR
from trifeature.comm.methods.symile import Symile
from trifeature.comm.methods.triangle import Triangle
from trifeature.comm.methods.two_temperatures import TwoTemperatures
from trifeature.comm.options import OPTIONS, Options
from trifeature.comm.settings import RunSettings
from trifeature.errors import InputError, check_name
from trifeature.modality import Modality

METHODS: Final[dict[str, type[Method]]] = {
    "comm": CoMM,
    "two-temperatures": TwoTemperatures,
    "comm+cross": CoMMCross,
    "confu": ConFu,
    "cross": Cross,
    "cross+self": CrossSelf,
    "cmc": CMC,
    "simclr": SimCLR,
    "factorcl": FactorCL,
    "gram": Gram,
    "symile": Symile,
    "triangle": Triangle,
    "infmasking": InfMasking,
    "coral": COrAL,
    "dropping": Dropping,
    "hril": HRIL,
    "mae": MAE,
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
        InputError: a method of this name exists already, or these are not such classes, or an
            option is called like a setting of every run.
    """
    require_text("name", name)
    if name in METHODS:
        raise InputError(f"a method called {name!r} exists already")
    if not (isinstance(method, type) and issubclass(method, Method)):
        raise InputError(f"method {name!r} must be a subclass of Method, not {method!r}")
    if not (isinstance(options, type) and issubclass(options, Options)):
        raise InputError(f"the options of {name!r} must be a subclass of Options, not {options!r}")
    taken = {f.name for f in fields(options)} & {f.name for f in fields(RunSettings)}
    if taken:
        raise InputError(
            f"options of {name!r} need names of their own: {', '.join(sorted(taken))} is a setting "
            "of every run"
        )
    METHODS[name] = method
    OPTIONS[name] = options


def make_method(settings: RunSettings, modalities: Sequence[Modality]) -> Method:
    """Make the method that the settings name.

    Raises:
        InputError: there is no such method, or its settings do not fit the modalities.
    """
    return METHODS[check_name("method", settings.method, METHODS)](settings, modalities)


__all__ = ["METHODS", "Loss", "Method", "Tensors", "make_method", "register_method"]
