"""InfMasking: CoMM that also aligns the fused embedding with many masked ones.

Wen, Dai, Liu, Zheng, Yong Dai, Wang, Kang, Wang, Xu & Duan, "InfMasking: Unleashing synergistic
information by contrastive multimodal interactions", NeurIPS 2025, and the code published with it.

Network and terms are those of CoMM. In K further fused passes of each view most tokens of every
modality are replaced by one learned mask token. The embeddings k_1 … k_K of these passes stand for
infinitely many: as if they were normally distributed, the mean of exp(q·k/τ) over masks is replaced
by that of a normal variable, with mean and variance of the K values q·k_t. The variance's weight
grows linearly with the epochs, in the code only.

Three parts of the code are left out: masked passes of single modalities, whose embeddings no term
uses; keys of the other view and a penalty on the entropy, both off by default. Two details differ:
at least one token of each modality is kept, where the code keeps none of one that has too few; and
the mask token has no weight decay, like the other parameters of one dimension here, where the
code's has three.

N samples, M modalities, T tokens, D fusion width, E length of an embedding, G subsets of
modalities, V = 2 views, K masked passes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from trifeature.comm.encoders import token_count
from trifeature.comm.losses import combine
from trifeature.comm.methods.base import Loss, Tensors
from trifeature.comm.methods.comm import CoMM, by_view
from trifeature.comm.networks import MaskedFusion
from trifeature.comm.options import InfMaskingOptions
from trifeature.comm.settings import RunSettings
from trifeature.errors import InputError
from trifeature.modality import Modality
from trifeature.samples import Batch


def masked_loss(
    q: Tensor, k: Tensor, temperature: float = 0.1, variance_weight: float | Tensor = 1.0
) -> Tensor:
    """InfoNCE between the embedding of a sample and K embeddings of its masked tokens.

    All embeddings are normalized to unit length. With m_b and v_b, mean and variance (over K, not
    K − 1) of the similarities q_b·k_tb of a sample to its own K masked embeddings, the loss is

        mean_b { −m_b/τ + log[ exp(m_b/τ + λ v_b/(2τ²))
                               + Σ_t Σ_{n≠b} exp(q_b·k_tn/τ) + Σ_{n≠b} exp(q_b·q_n/τ) ] }.

    The authors' code has the covariance Σ_b of the K embeddings, an [E, E] matrix, in place of the
    variance, which is all that it uses: q_bᵀ Σ_b q_b = v_b. The loss equals log(1 + (K + 1)(N − 1))
    when all embeddings coincide. For K = 1 it is half of NT-Xent, the direction from q to k.

    Args:
        q: float [..., N, E], embeddings of all tokens.
        k: float [..., K, N, E], embeddings of the masked tokens.
        temperature: τ > 0.
        variance_weight: λ.

    Returns:
        float [...] in nats, one loss for each leading index.

    Raises:
        InputError: the shapes differ, or there are fewer than two samples.

    >>> q, k = torch.ones(3, 8), torch.ones(2, 3, 8)
    >>> bool(torch.isclose(masked_loss(q, k), torch.tensor(7.0).log()))
    True
    """
    if k.ndim < 3 or q.shape != k.shape[:-3] + k.shape[-2:] or q.shape[-2] < 2:
        raise InputError(
            f"masked_loss needs [..., N, E] and [..., K, N, E] with N ≥ 2, not {list(q.shape)} and "
            f"{list(k.shape)}"
        )
    with torch.autocast(q.device.type, enabled=False):
        full = torch.promote_types(q.dtype, torch.float32)
        q, k = F.normalize(q.to(full), dim=-1)[..., None, :, :], F.normalize(k.to(full), dim=-1)
        own = (q * k).sum(-1)  # [..., K, N]
        mean = own.mean(-2) / temperature
        variance = own.var(-2, correction=0) / temperature**2
        logits = q @ torch.cat([q, k], dim=-3).transpose(-1, -2) / temperature  # [..., K + 1, N, N]
        same = torch.eye(q.shape[-2], dtype=torch.bool, device=q.device)
        others = logits.masked_fill(same, -torch.inf).logsumexp(-1).logsumexp(-2)
        positive = mean + variance_weight * variance / 2
        return (torch.logaddexp(positive, others) - mean).mean(-1)


class InfMasking(CoMM):
    """InfMasking: CoMM with K masked fused passes of each view.

    The loss is the mean of CoMM's terms, those that the option `loss` names, and of the masked
    losses of both views. The head normalizes each masked pass by its own statistics, as it does
    each of CoMM's embeddings.
    """

    takes_absent = False
    options: InfMaskingOptions
    fusion: MaskedFusion

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__(settings, modalities)
        options = settings.options
        assert isinstance(options, InfMaskingOptions)  # noqa: S101 - RunSettings has checked it
        self.fusion = MaskedFusion(options.width, options.heads, options.masking)
        self.tokens = tuple(
            token_count(encoder, m) for encoder, m in zip(self.encoder, modalities, strict=True)
        )
        """T, the number of tokens of each modality."""

    def views(self, batch: Batch, generator: torch.Generator) -> Tensors:
        """CoMM's views, followed by which tokens of each modality are visible: [2 · N, K, T]."""
        made = super().views(batch, generator)
        return (*made, *(self.draw_visible(len(batch[0]), T, generator) for T in self.tokens))

    def draw_visible(self, samples: int, tokens: int, generator: torch.Generator) -> Tensor:
        """Draw the tokens that masked passes keep, equally many in each: bool [2 · n, K, T].

        Args:
            samples: N, the number of samples of the batch.
            tokens: T, the number of tokens of the modality.
            generator: Source of the randomness.
        """
        kept = max(1, int(tokens * (1 - self.options.mask_ratio)))
        random = self.uniform(samples, (2, self.options.masks, tokens), generator)
        ranks = random.argsort(-1).argsort(-1)
        return (ranks < kept).transpose(0, 1).flatten(0, 1)

    def codes_of(self, views: Tensors) -> Tensors:
        """The embeddings of the masked passes, then CoMM's.

        Returns:
            One tensor [N, K + G, 2, D]; if L_i uses plain items, [N, K + 1, 2, D] and
            [N, G − 1, 1, D].
        """
        M = len(self.modalities)
        made, visible = views[:-M], views[-M:]
        tokens = [self.encode(x, m) for m, x in enumerate(made[:M])]
        subsets = (self.all, *self.alone) if len(made) == M else (self.all,)
        fused = by_view(self.fusion.with_hidden(tokens, subsets, visible), view_count=2)
        if len(made) == M:
            return (fused,)
        plain = [self.encode(x, m) for m, x in enumerate(made[M:])]
        return (fused, self.fuse(plain, self.alone, view_count=1))

    def loss_of(self, codes: Tensors) -> Loss:
        """The mean of CoMM's terms and of the masked losses of both views."""
        z, K = self.embeddings(codes), self.options.masks
        named = self.terms_between(z[K:])
        weight = self.options.variance_weight * self.progress
        masked = masked_loss(z[K], z[:K].transpose(0, 1), self.options.temperature, weight)
        named |= {"masked_1": masked[0], "masked_2": masked[1]}
        return Loss(combine(named, (*self.terms, "masked_1", "masked_2")), named)
