"""Symile: contrasts whole tuples of modalities by the multilinear inner product.

Saporta, Puli, Goldstein & Ranganath, "Contrasting with Symile: simple model-agnostic representation
learning for unlimited modalities", NeurIPS 2024, and the code published with it. The similarity of
a tuple is Σ_d Π_m z_md. Each modality is the anchor in turn: it finds its tuple of the others among
negatives, one direction only, and the losses are averaged. This bounds the total correlation, so it
rewards what modalities share only jointly, as in c = a XOR b.

Negatives. `shuffled` permutes each of the other modalities by itself, anew for each anchor, and
keeps the matching tuple on the diagonal: N − 1 negatives. With three modalities one of them is the
matching tuple again with a chance of about 1/N. With two modalities the chance would be almost 1,
so these are not permuted here: the loss is then CLIP's. `all` takes every tuple of the batch,
N^(M−1) − 1 negatives; its cost grows as N^M. (With more than three modalities the code then has no
gradient through the tuples, a defect that is not copied.)

Scale. Embeddings have length 1, as in the authors' experiments on synthetic data; on real data they
have LayerNorm in its place, a length of about √D. The scale of the similarities is learned as in
CLIP. The product of M random unit vectors is about D^(−(M−1)/2), so CLIP's scale would leave the
logits of three modalities √D times smaller than those of two: they are multiplied by D^((M−2)/2)
here, with which M = 2 is CLIP, and the scale is clamped as in CLIP. The authors choose the initial
scale for each data set. In units of ours, exp(log_scale), and not CLIP's 14.3: 20 for D = 8192 and
0.9 for D = 1024 (LayerNorm, scripts of their repository), 0.2 for D = 16 with a rate of 0.1
(synthetic data).

Features. A linear probe of concatenated projections sees no product of two modalities. The authors'
classifiers on synthetic data read the element-wise product of the embeddings. The default is both,
so that neither what one modality shows nor what they show jointly is lost. The factors of the
product are scaled to a root mean square of 1.

N samples, M modalities, D length of the projections.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from trifeature.checks import require_memory
from trifeature.comm.methods.base import Loss, Tensors
from trifeature.comm.methods.cross import LearnedTemperature, Projections, concatenated
from trifeature.comm.options import SymileOptions
from trifeature.comm.products import product_of
from trifeature.comm.settings import RunSettings
from trifeature.modality import Modality
from trifeature.samples import Batch


def multilinear(embeddings: Sequence[Tensor]) -> Tensor:
    """The multilinear inner product Σ_d Π_m z_md of embeddings [N, D]: [N]."""
    return torch.stack(list(embeddings)).prod(0).sum(-1)


def shuffled_losses(embeddings: Sequence[Tensor], orders: Tensor, scale: Tensor) -> list[Tensor]:
    """The loss of each anchor m with N − 1 shuffled negatives, in nats.

    −mean_i log( exp(s·P_i) / (exp(s·P_i) + Σ_{k ≠ i} exp(s·Q_ik)) ), with P_i the similarity of
    sample i's tuple and Q_ik = Σ_d z_m,i,d Π_{j ≠ m} z_j,order_mj(k),d.

    Args:
        embeddings: For each modality float [N, D].
        orders: Permutations of the samples, whole [N, M, M]: the column (m, j) permutes
            modality j for the anchor m. Columns (m, m) are not used.
        scale: s, a scalar.
    """
    N = len(embeddings[0])
    positives = scale * multilinear(embeddings)
    matches = torch.eye(N, dtype=torch.bool, device=positives.device)
    losses = []
    for m, anchor in enumerate(embeddings):
        others = [z[orders[:, m, j]] for j, z in enumerate(embeddings) if j != m]
        logits = scale * (anchor @ torch.stack(others).prod(0).T)
        logits = torch.where(matches, positives, logits)
        losses.append(logits.logsumexp(1).mean() - positives.mean())
    return losses


def all_losses(embeddings: Sequence[Tensor], scale: Tensor) -> list[Tensor]:
    """The loss of each anchor with all N^(M−1) − 1 negatives, in nats.

    The similarities of all N^M tuples serve every anchor: for the anchor m, log Σ exp is taken over
    the indices of the others.

    Args:
        embeddings: For each modality float [N, D].
        scale: s, a scalar.
    """
    *first, last = embeddings
    products = first[0]
    for z in first[1:]:
        products = products[..., None, :] * z
    logits = scale * (products @ last.T)
    positives = scale * multilinear(embeddings)
    return [
        logits.transpose(0, m).flatten(1).logsumexp(1).mean() - positives.mean()
        for m in range(len(embeddings))
    ]


class Symile(Projections):
    """Symile: the contrastive loss of tuples, with a learned scale."""

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__(settings, modalities)
        options = settings.options
        assert isinstance(options, SymileOptions)  # noqa: S101 - RunSettings has checked it
        self.options = options
        if options.tuples == "all":
            tuples = settings.batch_size ** (len(modalities) - 1)
            require_memory(
                f"{tuples:,} tuples of {options.width} numbers, and their gradients",
                8 * tuples * options.width,
                "tuples=shuffled, or a smaller batch",
            )
        self.gain = options.width ** ((len(modalities) - 2) / 2)
        self.learned = LearnedTemperature()

    def views(self, batch: Batch, generator: torch.Generator) -> Tensors:
        """One light view of each item; for shuffled tuples also random numbers, float [n, M, M].

        Their ranks over the whole batch are the permutations.
        """
        light = self.light_views(batch, generator)
        M = len(batch)
        if self.options.tuples == "all" or M == 2:
            return light
        return (*light, self.uniform(len(batch[0]), (M, M), generator))

    def codes_of(self, views: Tensors) -> Tensors:
        """The projections [N, D] of each modality, and the random numbers if there are any."""
        M = len(self.modalities)
        return (*super().codes_of(views[:M]), *views[M:])

    def loss_of(self, codes: Tensors) -> Loss:
        """The mean over the anchors of their losses."""
        M = len(self.modalities)
        scale = self.gain / self.learned.temperature()
        with torch.autocast(codes[0].device.type, enabled=False):
            # Products of many small numbers, times a large scale: too fine for bfloat16.
            full = torch.promote_types(codes[0].dtype, torch.float32)
            units = [F.normalize(z.to(full), dim=1) for z in codes[:M]]
            if len(codes) > M:
                losses = shuffled_losses(units, codes[M].argsort(dim=0, stable=True), scale)
            else:
                losses = all_losses(units, scale)
        terms = {f"anchor_{m + 1}": loss for m, loss in enumerate(losses)}
        return Loss(torch.stack(losses).mean(), terms)

    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        """What the option `features` names, of the modalities of each subset.

        Returns:
            The concatenated projections, unnormalized, [N, D · modalities]; the product of the
            projections, each scaled to a root mean square of 1, [N, D]; or both side by side. For a
            single modality `both` is its projections alone.
        """
        chosen = self.options.features
        if chosen == "concatenated":
            return concatenated(codes, subsets)
        products = [product_of([codes[m] for m in subset]) for subset in subsets]
        if chosen == "product":
            return products
        return [
            torch.cat([linear, product], dim=1) if len(subset) > 1 else linear
            for subset, linear, product in zip(
                subsets, concatenated(codes, subsets), products, strict=True
            )
        ]
