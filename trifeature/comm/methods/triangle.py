"""TRIANGLE: aligns an anchor with two others by the area of the triangle of their embeddings.

Cicchetti, Grassucci & Comminiello, "A TRIANGLE enables multimodal alignment beyond cosine
similarity", NeurIPS 2025, and the code published with it, by the authors of GRAM: the loss is
GRAM's (`trifeature.comm.methods.gram`) with an area in place of the volume. The corners of the
triangle are the ends of the three unit vectors; its area is 0 if they lie on a line, which for unit
vectors means that two of them coincide, and at most 3√3/4. Unlike the volume it changes with the
sign of an embedding. It is defined for three modalities.

- The text has A = ½ √(|u|²|v|² − (u·v)²) for two sides u, v. The code leaves the root out, and so
  minimizes ½ (|u|²|v|² − (u·v)²) = 2 A² instead; the option `area` chooses.
- Two coinciding embeddings make the area 0 wherever the third is: such a triple counts as aligned.
- Left out are the matching loss of data and text, as in GRAM, and a cosine regularization: it is
  reported of the paper, but the code has none, and we could not verify it.
- τ, the anchor and label smoothing are as in GRAM.

N samples, D length of the projections.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from trifeature.comm.methods.gram import SMALLEST, Gram
from trifeature.comm.options import TriangleOptions
from trifeature.comm.settings import RunSettings
from trifeature.errors import InputError
from trifeature.modality import Modality


def squared_areas(anchor: Tensor, others: Tensor) -> Tensor:
    """2 A² of the triangle of every anchor and pair of others.

    With the squared lengths p, q of the sides from the anchor and r of the third side,
    16 A² = 4 p q − (p + q − r)² (Heron).

    Args:
        anchor: float [N, D], of length 1.
        others: float [N, 2, D], of length 1.

    Returns:
        float [N, N], rows for anchors and columns for pairs.
    """
    first, second = others.unbind(1)
    p = 2 - 2 * anchor @ first.T
    q = 2 - 2 * anchor @ second.T
    r = (first - second).square().sum(1)
    return (4 * p * q - (p + q - r).square()) / 8


def areas(anchor: Tensor, others: Tensor) -> Tensor:
    """A of every triangle, see `squared_areas`; A² is clamped as in GRAM, for the gradient."""
    return (squared_areas(anchor, others) / 2).clamp(min=SMALLEST).sqrt()


class Triangle(Gram):
    """TRIANGLE: the matching loss of anchors and pairs by the areas of their triangles."""

    least_modalities = 3

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__(settings, modalities)
        options = settings.options
        assert isinstance(options, TriangleOptions)  # noqa: S101 - RunSettings has checked it
        if len(modalities) > 3:
            raise InputError(f"triangle is defined for three modalities, not {len(modalities)}")
        self.measure = areas if options.area == "root" else squared_areas
