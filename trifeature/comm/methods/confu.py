"""ConFu: aligns modalities in pairs, and each pair's fusion with every other modality.

Koutoupis, Zervou, Kontras, De Vos, Tsakalides & Tsagkatakis, "The more, the merrier: contrastive
fusion for higher-order multimodal alignment", CVPR 2026 (arXiv 2511.21331, 2025), and the code
published with it. A fusion head of its own for each pair of modalities maps both encoders' vectors
to an embedding in the space of the projections. The loss weighs the CLIP losses of all pairs of
projections against those of all fused pairs with the remaining modality,

    (1 − λ) mean_{a<b} CLIP(z_a, z_b) + λ mean_{a<b, c ∉ {a, b}} CLIP(z_ab, z_c).

The fused terms reward c = a XOR b, which no pairwise term sees.

As in the code: λ = ½, τ = 0.07 fixed, heads Linear, ReLU, Linear, LeakyReLU(0.2) that read vectors
before projection. Its loss is half of ours (it divides by six terms). Choices:

- Dropout of 0.1 in the heads is left out: no other method here has one. The code can also mask the
  heads' inputs but trains with a ratio of 0 (and would keep that part of them, not drop it).
- With more than three modalities each fused pair is aligned with each of the others. The code has
  three; what the paper says of more we could not verify.
- Features. The code's linear probe of a pair reads the fused embedding or both projections, that of
  all three modalities the projections alone, in which products of modalities are not linear. Here a
  probe reads the projections and the fused embeddings of all pairs within the subset, unnormalized;
  `fused_features` leaves the latter out.

N samples, M modalities, P = M (M − 1) / 2 pairs, d length of the vectors, D of the embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn

from trifeature.comm.losses import info_nce
from trifeature.comm.methods.base import Loss, Tensors
from trifeature.comm.methods.cross import Projections
from trifeature.comm.options import ConFuOptions
from trifeature.comm.settings import RunSettings
from trifeature.errors import InputError
from trifeature.modality import Modality


def confu_terms(
    single: Sequence[Tensor], fused: Sequence[Tensor], temperature: float
) -> dict[str, Tensor]:
    """The mean CLIP loss of pairs of modalities, and that of fused pairs with other modalities.

    All are evaluated as one batch.

    Args:
        single: z_m, float [N, D] for each of M modalities.
        fused: z_ab, float [N, D] for each pair in the order of `itertools.combinations`.
        temperature: τ > 0.

    Returns:
        `pairwise` and `fused`, scalars in nats.
    """
    pairs = list(combinations(range(len(single)), 2))
    compared = [(single[a], single[b]) for a, b in pairs]
    for pair, z in zip(pairs, fused, strict=True):
        compared += [(z, other) for c, other in enumerate(single) if c not in pair]
    left, right = (torch.stack(side) for side in zip(*compared, strict=True))
    losses = info_nce(left, right, temperature, "cross")
    return {"pairwise": losses[: len(pairs)].mean(), "fused": losses[len(pairs) :].mean()}


class ConFu(Projections):
    """ConFu: the CLIP losses of projections and of fused pairs."""

    least_modalities = 3

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__(settings, modalities)
        options = settings.options
        assert isinstance(options, ConFuOptions)  # noqa: S101 - RunSettings has checked it
        if options.fused_weight >= 1:
            raise InputError(f"fused_weight must be below 1, not {options.fused_weight}")
        self.options = options
        self.pairs = tuple(combinations(range(len(modalities)), 2))
        self.fusion = nn.ModuleList(
            nn.Sequential(
                nn.Linear(2 * options.vector, options.hidden),
                nn.ReLU(inplace=True),
                nn.Linear(options.hidden, options.width),
                nn.LeakyReLU(0.2, inplace=True),
            )
            for _ in self.pairs
        )

    def codes_of(self, views: Tensors) -> Tensors:
        """The projections [N, M, D] of the modalities and the fused embeddings [N, P, D]."""
        vectors = [self.encode(x, m) for m, x in enumerate(views)]
        single = [self.project(v, m) for m, v in enumerate(vectors)]
        fused = [self.fuse(vectors, p) for p in range(len(self.pairs))]
        return torch.stack(single, dim=1), torch.stack(fused, dim=1)

    def loss_of(self, codes: Tensors) -> Loss:
        """The weighted sum of the pairwise and the fused terms."""
        single, fused = (z.unbind(1) for z in codes)
        terms = confu_terms(single, fused, self.options.temperature)
        weight = self.options.fused_weight
        return Loss((1 - weight) * terms["pairwise"] + weight * terms["fused"], terms)

    def encode(self, items: Tensor, modality: int) -> Tensor:
        """The vectors [N, d] of one modality's items, before projection and fusion."""
        vectors: Tensor = self.encoder[modality](items)
        return vectors

    def project(self, vectors: Tensor, modality: int) -> Tensor:
        """The projections [N, D] of one modality's vectors."""
        projected: Tensor = self.projector[modality](vectors)
        return projected

    def fuse(self, vectors: Sequence[Tensor], pair: int) -> Tensor:
        """The fused embeddings [N, D] of a pair, from the vectors [N, d] of all modalities."""
        a, b = self.pairs[pair]
        fused: Tensor = self.fusion[pair](torch.cat([vectors[a], vectors[b]], dim=1))
        return fused

    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        """The projections of the modalities, then the fused embeddings of pairs among them.

        Returns:
            float [N, D · modalities], or [N, D · (modalities + pairs)] with `fused_features`.
        """
        found = []
        for subset in subsets:
            parts = [self.project(codes[m], m) for m in subset]
            if self.options.fused_features:
                within = [p for p, pair in enumerate(self.pairs) if set(pair) <= set(subset)]
                parts += [self.fuse(codes, p) for p in within]
            found.append(torch.cat(parts, dim=1))
        return found
