"""GRAM: aligns an anchor with the others by the volume that their embeddings span.

Cicchetti, Grassucci, Sigillo & Comminiello, "Gramian multimodal representation learning and
alignment", ICLR 2025, and the code published with it. For unit vectors the volume of the
parallelotope is √det G with G their Gram matrix: 0 if they are linearly dependent, 1 if they are
orthogonal. The anchor's embedding of each sample is compared with the other modalities' embeddings
of each sample, which stay together in the negatives too. GRAM aligns; nothing in its loss asks for
what only several modalities together show.

As published: logits −volume/τ, both directions, embeddings by one linear map of each encoder's
vector, label smoothing of 0.1 (the code; an option here), the text as the only anchor (here the
first modality, or all in turn). Differences and choices:

- The code learns τ itself from 0.07 on, so τ could become negative. Here log(1/τ) is learned and
  clamped, as in Cross.
- The code takes √|det G|, whose gradient is not finite at det G = 0. Here the determinant is
  clamped to `SMALLEST` first: its gradient is finite everywhere, and zero below.
- The matching loss of data and anchor, a binary classification by a cross-attention network that
  reads both, is left out: it needs that network, not the volume.
- The volume does not change if an embedding changes its sign: opposite vectors count as aligned.
- The paper fine-tunes large pre-trained encoders; its rate does not apply here.

N samples, M modalities, K = M − 1 of them not the anchor, D length of the projections.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from trifeature.comm.methods.base import Loss, Tensors
from trifeature.comm.methods.cross import LearnedTemperature, Projections
from trifeature.comm.options import AnchorOptions
from trifeature.comm.settings import RunSettings
from trifeature.modality import Modality

SMALLEST: Final = 1e-6
"""Lower bound of what a root is taken of; rounding in float32 is about 1e-7."""

SMOOTHING: Final = 0.1
"""Label smoothing of the authors' code."""

Measure = Callable[[Tensor, Tensor], Tensor]
"""Dissimilarities [N, N] of anchors [N, D] (rows) and tuples [N, K, D] of the others (columns)."""


# --------------------------------------------------------------------------- volumes


def gram_determinants(anchor: Tensor, others: Tensor) -> Tensor:
    """The Gram determinant det G(a_i, o_j1, …, o_jK) for every anchor i and tuple j.

    With H_j the Gram matrix of tuple j and b_ij the products of anchor i with its vectors,

        det G = (a_i · a_i) det H_j − b_ijᵀ adj(H_j) b_ij,

    so only N small matrices are expanded, not N². It is a polynomial in the embeddings: its
    gradient is finite where vectors are linearly dependent.

    Args:
        anchor: float [N, D].
        others: float [N, K, D].

    Returns:
        float [N, N], rows i and columns j.
    """
    gram = others @ others.transpose(1, 2)
    products = torch.einsum("id,jkd->ijk", anchor, others)
    adjoint = adjugate(gram)
    determinant = (gram[:, 0] * adjoint[:, :, 0]).sum(1)
    squares = anchor.square().sum(1)
    quadratic = torch.einsum("ijk,jkl,ijl->ij", products, adjoint, products)
    return squares[:, None] * determinant - quadratic


def adjugate(matrices: Tensor) -> Tensor:
    """The adjugates of matrices [N, K, K]: A adj(A) = det(A) I, for singular A too."""
    K = matrices.shape[-1]
    if K == 1:
        return torch.ones_like(matrices)
    cofactors = [
        torch.stack([(-1) ** (r + c) * _determinant(_minor(matrices, r, c)) for r in range(K)], -1)
        for c in range(K)
    ]
    return torch.stack(cofactors, -2)


def _determinant(matrices: Tensor) -> Tensor:
    """The determinants [N] of matrices [N, K, K], by expansion along the first row."""
    K = matrices.shape[-1]
    if K == 1:
        return matrices[:, 0, 0]
    signed = [
        (-1) ** c * matrices[:, 0, c] * _determinant(_minor(matrices, 0, c)) for c in range(K)
    ]
    return torch.stack(signed).sum(0)


def _minor(matrices: Tensor, row: int, column: int) -> Tensor:
    """Matrices [N, K, K] without a row and a column."""
    rows = torch.cat([matrices[:, :row], matrices[:, row + 1 :]], dim=1)
    return torch.cat([rows[:, :, :column], rows[:, :, column + 1 :]], dim=2)


def volumes(anchor: Tensor, others: Tensor) -> Tensor:
    """√max(det G, `SMALLEST`) of every anchor and tuple, see `gram_determinants`: [N, N]."""
    return gram_determinants(anchor, others).clamp(min=SMALLEST).sqrt()


# --------------------------------------------------------------------------- the loss


def matching_loss(logits: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of finding the column of each row and the row of each column, in nats.

    The mean of both directions. With smoothing s, the target is the true match with 1 − s and a
    uniformly drawn one with s.

    Args:
        logits: float [N, N]; matches are on the diagonal.
        smoothing: s in [0, 1).
    """
    both = (logits.logsumexp(0) + logits.logsumexp(1)) / 2
    hit = (1 - smoothing) * logits.diagonal().mean() + smoothing * logits.mean()
    return both.mean() - hit


def anchor_losses(
    embeddings: Sequence[Tensor],
    measure: Measure,
    temperature: Tensor | float,
    anchors: Sequence[int] = (0,),
    smoothing: float = 0.0,
) -> dict[str, Tensor]:
    """The matching loss of each anchor, with logits −measure/τ.

    Args:
        embeddings: For each modality float [N, D]; scaled to length 1 first.
        measure: Dissimilarity of anchors and tuples.
        temperature: τ > 0.
        anchors: Indices of the modalities that are the anchor, one after the other.
        smoothing: See `matching_loss`.

    Returns:
        `anchor_m` in nats, with m counted from 1.
    """
    with torch.autocast(embeddings[0].device.type, enabled=False):
        # Small volumes are differences of numbers near 1, too fine for bfloat16.
        full = torch.promote_types(embeddings[0].dtype, torch.float32)
        units = [F.normalize(z.to(full), dim=1) for z in embeddings]
        found = {}
        for anchor in anchors:
            others = torch.stack([*units[:anchor], *units[anchor + 1 :]], dim=1)
            logits = -measure(units[anchor], others) / temperature
            found[f"anchor_{anchor + 1}"] = matching_loss(logits, smoothing)
        return found


class Gram(Projections):
    """GRAM: the matching loss of anchors and tuples by their volumes."""

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__(settings, modalities)
        options = settings.options
        assert isinstance(options, AnchorOptions)  # noqa: S101 - RunSettings has checked it
        self.anchors = range(len(modalities) if options.anchors == "all" else 1)
        self.smoothing = SMOOTHING if options.label_smoothing else 0.0
        self.measure: Measure = volumes
        self.learned = LearnedTemperature()

    def loss_of(self, codes: Tensors) -> Loss:
        """The mean over the anchors of their matching losses."""
        temperature = self.learned.temperature()
        terms = anchor_losses(codes, self.measure, temperature, self.anchors, self.smoothing)
        return Loss(torch.stack(list(terms.values())).mean(), terms)
