"""Image encoders of the package timm, where it is installed: `timm:NAME`.

N images, C channels, T tokens, D width of the tokens.
"""

from __future__ import annotations

import difflib
import importlib
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from trifeature.errors import InputError

Shape = tuple[int, ...]


def timm_features(shape: Shape, name: str) -> nn.Module:
    """A model of timm without pooling and classifier, with untrained weights.

    Args:
        shape: Shape [C, H, W] of one image. Models of a fixed size are made for this one.
        name: Name of the model in timm (`resnet18`, `vit_tiny_patch16_224`).

    Returns:
        A network from images [N, C, H, W] to maps [N, D, h, w] or tokens [N, T, D]; the class token
        of a Vision Transformer is one of the tokens.

    Raises:
        InputError: timm is not installed, has no such model, or cannot make it for this shape.
    """
    timm = _timm(name)
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=1, cutoff=0.5)
        hint = f": did you mean {near[0]!r}?" if near else ""
        raise InputError(f"timm {timm.__version__} has no model {name!r}{hint}")
    model = _model(timm, name, shape)
    return ChannelsFirst(model) if getattr(model, "output_fmt", "") == "NHWC" else model


def _timm(name: str) -> ModuleType:
    try:
        return importlib.import_module("timm")
    except ImportError as problem:
        raise InputError(
            f"encoder timm:{name} needs the package timm: pip install timm ({problem})"
        ) from None


def _model(timm: Any, name: str, shape: Shape) -> nn.Module:
    """The model; its size is given to those that take one."""
    options = {"pretrained": False, "num_classes": 0, "global_pool": "", "in_chans": shape[0]}
    try:
        try:
            made: nn.Module = timm.create_model(name, img_size=shape[1:], **options)
        except TypeError:
            made = timm.create_model(name, **options)
    except (AssertionError, RuntimeError, TypeError, ValueError) as problem:
        words = " ".join(str(problem).split())
        raise InputError(f"timm cannot make {name} for images {list(shape)}: {words}") from None
    return made


class ChannelsFirst(nn.Module):
    """A model whose maps are [N, h, w, D], with maps [N, D, h, w]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Maps [N, D, h, w] of images [N, C, H, W]."""
        maps: Tensor = self.model(images)
        return maps.permute(0, 3, 1, 2)
