"""Every method by name: one file each, one line in this table."""

from __future__ import annotations

from typing import Final

from trifeature.comm.methods.base import Loss, Method, Views
from trifeature.comm.methods.comm import CoMM
from trifeature.comm.methods.cross import Cross
from trifeature.comm.methods.cross_self import CrossSelf
from trifeature.comm.methods.factorcl import FactorCL
from trifeature.comm.settings import RunSettings
from trifeature.errors import check_name

METHODS: Final[dict[str, type[Method]]] = {
    "comm": CoMM,
    "cross": Cross,
    "cross+self": CrossSelf,
    "factorcl": FactorCL,
}


def make_method(settings: RunSettings, modalities: int, canvas: int) -> Method:
    """Construct the method that the settings name.

    Raises:
        InputError: there is no such method, or its settings do not fit together.
    """
    return METHODS[check_name("method", settings.method, METHODS)](settings, modalities, canvas)


__all__ = ["METHODS", "Loss", "Method", "Views", "make_method"]
