"""A base for methods with known features, which are probed and never trained."""

import torch

from trifeature.comm.methods import Loss, Method
from trifeature.comm.methods.base import Tensors
from trifeature.samples import Batch


class FixedMethod(Method):
    """A method without a training step."""

    def views(self, batch: Batch, generator: torch.Generator) -> Tensors:
        raise NotImplementedError

    def codes_of(self, views: Tensors) -> Tensors:
        raise NotImplementedError

    def loss_of(self, codes: Tensors) -> Loss:
        raise NotImplementedError
