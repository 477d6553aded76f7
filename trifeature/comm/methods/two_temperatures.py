"""CoMM at two temperatures: two contrastive losses train the same encoders.

A contrastive loss at a low temperature tells every sample apart from its nearest neighbors, so an
embedding keeps the details that are unique to an item. At a high temperature the loss is about all
samples alike, and an embedding keeps what many samples have in common: on Trifeature, that pairs
keep the map. Wang & Liu, "Understanding the behaviour of contrastive loss", CVPR 2021, show the
former, and Kukleva et al., "Temperature schedules for self-supervised contrastive methods on
long-tail data", ICLR 2023, let the temperature change over training. Here both losses train the
same encoders, and the same fused embedding or one each (option `second_fusion`), by a projection
head of their own. This method is ours.

N samples, D fusion width, G subsets of modalities, V views.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trifeature.comm.losses import combine, loss_names, terms_of
from trifeature.comm.methods.base import Loss, Tensors
from trifeature.comm.methods.comm import CoMM, by_view
from trifeature.comm.networks import AttentionFusion, LinearFusion, ProjectionHead
from trifeature.comm.options import TwoTemperaturesOptions
from trifeature.comm.settings import RunSettings
from trifeature.errors import InputError, check_name
from trifeature.modality import Modality


class TwoTemperatures(CoMM):
    """CoMM with a second loss, at another temperature.

    With the losses ℓ₁ at τ₁ and ℓ₂ at τ₂ and the weight w of the second one, the loss is

        (1 − w) τ₁ ℓ₁ + w τ₂ ℓ₂.

    A loss is multiplied by its temperature since its gradient with respect to a similarity is
    divided by it: otherwise the lower temperature alone would train the network.
    """

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__(settings, modalities)
        options, M = settings.options, len(modalities)
        assert isinstance(options, TwoTemperaturesOptions)  # noqa: S101 - RunSettings checked it
        check_name("loss", options.second_loss, loss_names(M))
        if options.second_weight > 1:
            raise InputError(f"second_weight must be at most 1, not {options.second_weight:g}")
        self.second = options
        self.second_terms = terms_of(options.second_loss, M)
        used = {*self.terms, *self.second_terms}
        self.alone = tuple((m,) for m in self.all if f"L_{m + 1}" in used)
        self.second_fusion: AttentionFusion | LinearFusion | None = None
        if options.second_fusion == "own":
            self.second_fusion = self.make_fusion()
        self.second_head: nn.Module | None = None
        if options.second_head == "own":
            self.second_head = ProjectionHead(
                options.width, options.hidden, options.embedding, batch_norm=options.head_norm
            )

    @property
    def weight(self) -> float | Tensor:
        """The weight w of the second loss in this epoch."""
        if self.second.weights == "constant":
            return self.second.second_weight
        # progress is (e + 1)/E, so the last epoch of a falling weight has none of the second loss.
        return self.progress if self.second.weights == "rising" else 1 - self.progress

    def fuse(
        self, tokens: Sequence[Tensor], subsets: Sequence[Sequence[int]], view_count: int
    ) -> Tensor:
        """Fuse subsets of tokens [V · N, T, D]: [N, G, V, D], or [N, G, V, 2D] of two fusions."""
        fused = super().fuse(tokens, subsets, view_count)
        if self.second_fusion is None:
            return fused
        other = by_view(self.second_fusion(tokens, subsets), view_count)
        return torch.cat([fused, other], dim=-1)

    def loss_of(self, codes: Tensors) -> Loss:
        """The weighted sum of both losses."""
        low, high = self.options.temperature, self.second.second_temperature
        own = codes
        if self.second_fusion is not None:
            pairs = [one.chunk(2, dim=-1) for one in codes]
            codes, own = tuple(one for one, _ in pairs), tuple(other for _, other in pairs)
        first = self.terms_between(self.embeddings(codes), low)
        second = self.terms_between(self.embeddings(own, self.second_head), high)
        w = self.weight
        total = (1 - w) * low * combine(first, self.terms)
        total = total + w * high * combine(second, self.second_terms)
        return Loss(total, first | {f"second_{name}": value for name, value in second.items()})

    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        """The fused embeddings before the heads, [N, D], or [N, 2D] of two fusions."""
        fused = super().combine(codes, subsets)
        if self.second_fusion is None:
            return fused
        other = self.second_fusion(codes, subsets)
        return [torch.cat(both, dim=1) for both in zip(fused, other, strict=True)]
