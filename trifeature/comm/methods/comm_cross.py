"""CoMM + Cross: CoMM's loss, and a CLIP loss that aligns a projection of each modality by itself.

CoMM's terms at a low temperature keep what is unique to an item. Cross aligns what the items of a
sample have in common, and where a pair keeps a map, that is what the map ties together: a probe
that reads products of Cross's projections reads the match (`trifeature.comm.products`), but of each
item Cross keeps no more than the others tell. Here both losses train the same encoders, and a
probe reads the fused embedding and the products of the projections. This method is ours.

N samples, M modalities, D fusion width, P length of the projections.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trifeature.comm.methods.base import Loss, Tensors
from trifeature.comm.methods.comm import CoMM
from trifeature.comm.methods.cross import ClipLoss, Projector
from trifeature.comm.networks import mean_token
from trifeature.comm.options import CoMMCrossOptions
from trifeature.comm.products import with_products
from trifeature.comm.settings import RunSettings
from trifeature.modality import Modality
from trifeature.samples import Batch


class CoMMCross(CoMM):
    """CoMM, and Cross on the same encoders.

    With the weight w of the option `cross_weight` the loss is ℓ_CoMM + w ℓ_CLIP. The CLIP loss
    compares linear projections of the modalities' mean tokens, of one light view of each item.
    """

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__(settings, modalities)
        options = settings.options
        assert isinstance(options, CoMMCrossOptions)  # noqa: S101 - RunSettings has checked it
        self.cross_weight = options.cross_weight
        inputs = options.width if options.fusion == "attention" else options.vector
        self.projector = nn.ModuleList(Projector(inputs, options.width) for _ in modalities)
        self.clip = ClipLoss()

    def views(self, batch: Batch, generator: torch.Generator) -> Tensors:
        """CoMM's views, then one light view of each modality."""
        return (*super().views(batch, generator), *self.light_views(batch, generator))

    def codes_of(self, views: Tensors) -> Tensors:
        """CoMM's fused embeddings, then the projection [N, P] of each modality."""
        M = len(self.modalities)
        light = [self.encode(x, m) for m, x in enumerate(views[-M:])]
        return (*super().codes_of(views[:-M]), *(self.aligned(light, m) for m in self.all))

    def loss_of(self, codes: Tensors) -> Loss:
        """ℓ_CoMM + w ℓ_CLIP."""
        M = len(self.modalities)
        comm = super().loss_of(codes[:-M])
        cross: Tensor = self.clip(codes[-M:])
        return Loss(comm.total + self.cross_weight * cross, {**comm.terms, "cross": cross})

    def aligned(self, codes: Sequence[Tensor], modality: int) -> Tensor:
        """The projection [N, P] of the mean of a modality's present tokens, or of its vector."""
        code = codes[modality]
        if code.ndim > 2:
            code = mean_token(code) if self.modalities[modality].partial else code.mean(1)
        projected: Tensor = self.projector[modality](code)
        return projected

    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        """The fused embeddings before the head, then the products of the projections.

        Returns:
            float [N, D + P] for two modalities, [N, D + 4 P] for three, [N, D] for a single one.
        """
        alone = [self.aligned(codes, m) for m in range(len(codes))]
        return [
            with_products(fused, [alone[m] for m in subset])
            for fused, subset in zip(super().combine(codes, subsets), subsets, strict=True)
        ]
