"""Contrastive losses: InfoNCE in its variants, and the terms of CoMM's loss.

N samples in a batch, D dimensions of an embedding, M modalities.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from trifeature.comm.options import NEGATIVES, Negatives
from trifeature.errors import InputError, check_name


def info_nce(
    z_a: Tensor, z_b: Tensor, temperature: float | Tensor = 0.1, negatives: Negatives = "both"
) -> Tensor:
    """Symmetric NT-Xent between two views of a batch; a lower value means better alignment.

    Embeddings are normalized to unit length first. With `negatives="both"`, for each of the 2N
    embeddings z and its positive z⁺, the other view of the same sample,

        ℓ(z) = −log( exp(z·z⁺/τ) / Σ_{w ≠ z} exp(z·w/τ) ),

    where the sum is over the 2N − 1 other embeddings of both views. The loss is the mean of ℓ. It
    equals log(2N − 1) when all embeddings coincide (Chen et al. 2020, SimCLR; the authors' code
    of CoMM). `negatives="cross"` omits the embeddings of the same view from the sum, in both
    directions: the loss of CLIP (Radford et al. 2021). `negatives="algorithm1"` is Algorithm 1 as
    printed in Dufumier et al. (2025): one direction, negatives from the other view only, and no
    positive in the denominator,

        ℓ(a_k) = −log( exp(a_k·b_k/τ) / Σ_{l ≠ k} exp(a_k·b_l/τ) ).

    Args:
        z_a: float [..., N, D], embeddings of the first view.
        z_b: float [..., N, D], embeddings of the second view; index k is the same sample in both.
        temperature: τ > 0; a scalar tensor if it is learned.
        negatives: The embeddings in the denominator.

    Returns:
        float [...] in nats, one loss for each leading index.

    Raises:
        InputError: the shapes differ, there are fewer than two samples, or τ is not positive.

    >>> z = torch.ones(3, 8)
    >>> bool(torch.isclose(info_nce(z, z), torch.tensor(5.0).log()))
    True
    """
    if z_a.shape != z_b.shape or z_a.ndim < 2 or z_a.shape[-2] < 2:
        raise InputError(
            f"info_nce needs two [..., N, D] with N ≥ 2, not {list(z_a.shape)} and "
            f"{list(z_b.shape)}"
        )
    check_name("kind of negatives", negatives, NEGATIVES)
    if isinstance(temperature, float | int) and not temperature > 0:
        raise InputError(f"temperature must be positive, not {temperature}")
    with torch.autocast(z_a.device.type, enabled=False):
        # Logits are as large as 1/τ; in bfloat16 their error would be a few percent of a nat.
        full = torch.promote_types(z_a.dtype, torch.float32)
        a, b = F.normalize(z_a.to(full), dim=-1), F.normalize(z_b.to(full), dim=-1)
        return _info_nce(a, b, temperature, negatives)


def _info_nce(a: Tensor, b: Tensor, temperature: float | Tensor, negatives: Negatives) -> Tensor:
    """`info_nce` of unit vectors [..., N, D]."""
    # Mean of ℓ = mean of log Σ exp(logit) over the denominator − mean of the positives' logits.
    if negatives != "both":
        logits = a @ b.transpose(-1, -2) / temperature
        positives = logits.diagonal(dim1=-2, dim2=-1).mean(-1)
        if negatives == "algorithm1":
            return _logsumexp_of_others(logits).mean(-1) - positives
        return (logits.logsumexp(-1) + logits.logsumexp(-2)).mean(-1) / 2 - positives
    both = torch.cat([a, b], dim=-2)
    logits = both @ both.transpose(-1, -2) / temperature
    positives = (a * b).sum(-1) / temperature
    return _logsumexp_of_others(logits).mean(-1) - positives.mean(-1)


def _logsumexp_of_others(logits: Tensor) -> Tensor:
    """Log Σ exp over each row of [..., K, K] without its diagonal element: [..., K]."""
    diagonal = torch.eye(logits.shape[-1], dtype=torch.bool, device=logits.device)
    return logits.masked_fill(diagonal, -math.inf).logsumexp(-1)


def comm_terms(
    views: tuple[Tensor, Tensor],
    unimodal: Sequence[tuple[Tensor, Tensor]],
    temperature: float = 0.1,
    negatives: Negatives = "both",
) -> dict[str, Tensor]:
    """The terms of CoMM's loss, each an estimate of −I up to a constant, in nats.

    `L` = NTX(z′, z″) aligns the fused embeddings of two views of all modalities. For each
    modality i, `L_i` = ½ [NTX(z_i′, z″) + NTX(z_i″, z′)] aligns the embedding of this modality
    alone with the fused embedding *of the other view* (Dufumier et al. 2025, eq. 7, as in their
    code). All terms are evaluated as one batch.

    Args:
        views: z′ and z″, float [N, D], fused from all modalities.
        unimodal: For each modality (z_i′, z_i″), float [N, D]; the same tensor twice if z_i is the
            embedding of the plain item, as in the paper's Algorithm 1.
        temperature: τ > 0.
        negatives: See `info_nce`.

    Returns:
        `L`, `L_1`, … `L_M`, each a scalar.
    """
    z_1, z_2 = views
    left = torch.stack([z_1, *(z for pair in unimodal for z in pair)])
    right = torch.stack([z_2, *(z for _ in unimodal for z in (z_2, z_1))])
    losses = info_nce(left, right, temperature, negatives)
    halves = losses[1:].view(-1, 2).mean(1)
    return {"L": losses[0]} | {f"L_{i + 1}": half for i, half in enumerate(halves)}


def loss_names(modalities: int) -> tuple[str, ...]:
    """The names of the losses that can be minimized: L_CoMM, L, L_i, L_1, … L_M.

    >>> loss_names(2)
    ('L_CoMM', 'L', 'L_i', 'L_1', 'L_2')
    """
    return ("L_CoMM", "L", "L_i", *(f"L_{m + 1}" for m in range(modalities)))


def terms_of(loss: str, modalities: int) -> tuple[str, ...]:
    """The terms of a loss: all for `L_CoMM`, all unimodal ones for `L_i`, otherwise one."""
    unimodal = tuple(f"L_{m + 1}" for m in range(modalities))
    return {"L_CoMM": ("L", *unimodal), "L_i": unimodal}.get(loss, (loss,))


def combine(terms: Mapping[str, Tensor], names: Sequence[str]) -> Tensor:
    """The mean of the named terms.

    The paper writes their sum. The mean differs by a constant factor, to which AdamW is nearly
    invariant, and makes the values of different losses comparable.
    """
    return torch.stack([terms[name] for name in names]).mean()
