"""I_NCE(X, X′): how much of a sample its augmented views keep, as a trained network sees it.

N samples in a batch, M modalities.
"""

from __future__ import annotations

import math
from typing import Final

import torch
import torch.nn.functional as F

from trifeature.comm.methods import Method
from trifeature.comm.training import numerics
from trifeature.samples import HasSamples

BATCH: Final = 64
TEMPERATURE: Final = 0.1
SEED: Final = 7


@torch.inference_mode()
def i_nce(method: Method, data: HasSamples, batches: int = 16) -> float | None:
    """A lower bound of I(X, X′) between test samples and augmented views of them, in nats.

    Equation 6 of Dufumier et al. (2025) with the trained encoder: for batches of N = 64 test
    samples, z from the clean items and z′ from one view of each modality by the run's own
    augmentations, the mean of log softmax_l(z_k·z′_l / τ)_k plus log N, with τ = 0.1 and the
    positive in the denominator; at most log 64 = 4.16. The paper states neither N nor the
    denominator, so compare only values of this function with one another.

    Args:
        method: Trained or not; it is left in evaluation mode.
        data: Whose test samples are used.
        batches: The maximum of batches.

    Returns:
        The estimate; None for a method without a fused embedding, or for fewer than 64 samples.
    """
    samples = data.samples().to(next(method.eval().parameters()).device)
    generator = torch.Generator(samples.device)
    generator.manual_seed(SEED)
    values = []
    for rows in samples.rows_of("test")[: batches * BATCH].split(BATCH):
        batch = samples.batch("test", rows)
        clean = [m.defaults.clean for m in samples.modalities]
        with numerics("float32", samples.device):
            plain = [method.augment(x, m, generator, clean[m]) for m, x in enumerate(batch)]
            views = [method.augment(x, m, generator) for m, x in enumerate(batch)]
            z, z_view = method.embed(tuple(plain)), method.embed(tuple(views))
        if z is None or z_view is None:
            return None
        if len(rows) == BATCH:
            logits = F.normalize(z, dim=1) @ F.normalize(z_view, dim=1).T / TEMPERATURE
            values.append(logits.log_softmax(1).diagonal().mean() + math.log(BATCH))
    return float(torch.stack(values).mean()) if values else None
