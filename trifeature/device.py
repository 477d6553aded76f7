"""The device that a command computes on."""

from __future__ import annotations

import torch

from trifeature.errors import InputError


def pick_device(name: str | None) -> torch.device:
    """The device of a name; None for a GPU if there is one, else the CPU.

    Raises:
        InputError: there is no such GPU, or the name is not that of a device.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"unknown device {name!r}: give cpu, cuda or cuda:0") from None
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"unknown device {name!r}: give cpu, cuda or cuda:0")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"no GPU for {name!r} on this machine: use --device cpu")
    return device
