"""CoMM with asymmetric token dropping: each view lacks most tokens of half of the modalities.

The masking is that of COrAL (Cissee, Younis & Ahmadi, "Orthogonalized multimodal contrastive
learning with asymmetric masking for structured representations", arXiv:2602.14983, 2026), without
its unique paths and orthogonality: to align the two views, the fusion must infer from one modality
what is hidden of the other. It adds no parameters to CoMM and one fusion of its tokens.

In view 1 the tokens of the first modality are dropped, in view 2 those of the second, each token of
each sample with the same probability, its position code included. COrAL is published for two
modalities; of more, the first, third, … are dropped in view 1 and the others in view 2 (our
choice). Only the fused passes of training drop tokens: the passes of one modality alone, which
COrAL has not, and the probe see all of them.

COrAL leaves a zero vector in the place of a dropped token. It is no absent token: the LayerNorm
turns it into its bias, which takes a share of the attention. The option `dropped` chooses between
this, the published form, and absence.

N samples, M modalities, T tokens, D fusion width, G subsets of modalities.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from trifeature.comm.encoders import token_count
from trifeature.comm.methods.base import Tensors
from trifeature.comm.methods.comm import CoMM, by_view
from trifeature.comm.options import DroppingOptions
from trifeature.comm.settings import RunSettings
from trifeature.modality import Modality
from trifeature.samples import Batch


def asymmetric_presence(random: Sequence[Tensor], drop_rate: float) -> list[Tensor]:
    """The tokens that stay in each of two views if each view drops those of half the modalities.

    Args:
        random: For each modality uniform numbers in [0, 1), [N, T_m].
        drop_rate: Probability that a token is dropped.

    Returns:
        For each modality bool [2 · N, T_m], view 1 first. The first, third, … modality has False
        where `random < drop_rate` in view 1, the second, fourth, … in view 2; the other view has
        all tokens.
    """
    found = []
    for m, numbers in enumerate(random):
        some = numbers >= drop_rate
        every = torch.ones_like(some)
        found.append(torch.cat([every, some] if m % 2 else [some, every]))
    return found


class Dropping(CoMM):
    """CoMM whose fused views lack tokens, of one modality in view 1, of the other in view 2."""

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__(settings, modalities)
        options = settings.options
        assert isinstance(options, DroppingOptions)  # noqa: S101 - RunSettings has checked it
        self.drop_rate = options.drop_rate
        self.leaves_zeros = options.dropped == "zero"
        self.token_counts = [
            token_count(encoder, m) for encoder, m in zip(self.encoder, modalities, strict=True)
        ]

    def views(self, batch: Batch, generator: torch.Generator) -> Tensors:
        """The views of CoMM, then a uniform number for each token of the fused views: [n, ΣT]."""
        made = super().views(batch, generator)
        return (*made, self.uniform(len(batch[0]), (sum(self.token_counts),), generator))

    def codes_of(self, views: Tensors) -> Tensors:
        """The fused embeddings of views that lack tokens, then those of each modality alone.

        Returns:
            [N, 1, 2, D], and [N, G − 1, 2, D] if the loss uses modalities alone; if it uses the
            plain items, [N, G − 1, 1, D].
        """
        *items, random = views
        M = len(self.modalities)
        tokens = [self.encode(x, m) for m, x in enumerate(items[:M])]
        present = asymmetric_presence(random.split(self.token_counts, dim=1), self.drop_rate)
        codes = [self._fuse_present(tokens, present)]
        if len(items) > M:
            plain = [self.encode(x, m) for m, x in enumerate(items[M:])]
            codes.append(self.fuse(plain, self.alone, view_count=1))
        elif self.alone:
            codes.append(self.fuse(tokens, self.alone, view_count=2))
        return tuple(codes)

    def _fuse_present(self, tokens: Sequence[Tensor], present: Sequence[Tensor]) -> Tensor:
        """Fuse the tokens [2 · N, T_m, D] of all modalities that are present: [N, 1, 2, D]."""
        if self.leaves_zeros:
            kept = [x * one[..., None] for x, one in zip(tokens, present, strict=True)]
            return self.fuse(kept, (self.all,), view_count=2)
        return by_view(self.fusion(tokens, (self.all,), present), view_count=2)
