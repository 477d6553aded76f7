"""What every network does anew when it is made: most of the time of making a tiny one.

Nothing of the package is imported here: a file of tests that makes no network need not wait for it.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn


def seed_this_device(patch: pytest.MonkeyPatch) -> None:
    """A seed is not kept for devices that this machine lacks.

    PyTorch keeps it with the stack of the call, in words: that is most of `torch.manual_seed`.
    """
    for device in (torch.cuda, torch.xpu, torch.mtia):
        if not device.is_available():
            patch.setattr(device, "manual_seed_all", lambda _: None)


def shape_once(patch: pytest.MonkeyPatch, encoders: ModuleType) -> None:
    """The shape of what an encoder gives is found once, if the encoder is its layers in a row.

    The words of PyTorch's own layers say their sizes; other modules may keep theirs to themselves.
    """
    find, known = encoders.output_shape, dict[tuple[str, object], tuple[int, ...]]()

    def once(encoder: nn.Module, modality: object) -> Any:
        if not _in_a_row(encoder):
            return find(encoder, modality)
        key = repr(encoder), modality
        if key not in known:
            known[key] = find(encoder, modality)
        return known[key]

    patch.setattr(encoders, "output_shape", once)


def _in_a_row(encoder: nn.Module) -> bool:
    """Whether an encoder is a sequence of PyTorch's own layers."""
    own = (type(layer).__module__.startswith("torch.nn.") for layer in encoder.modules())
    return type(encoder) is nn.Sequential and all(own)
