"""HRIL: CoMM's unimodal terms, an alignment of the joint modalities, a spread cross-moment.

Known from its paper only; there is no published code. The network, views and augmentations are
CoMM's. The loss is L_NCE + λ_a L_align + λ_s L_syn, each of which can be left out:

- L_NCE = −½ Σ_m [Î(z_m′, z″) + Î(z_m″, z′)]: CoMM's L_1 + … + L_M, *without* its term L of two
  fused views (the option `fused` adds it).
- L_align of the unit, concatenated embeddings of the modalities: see `invariance` and `spread`.
- L_syn: no component of the cross-moment of the modalities shall dominate it, see `dominance`.

What the paper leaves open, and what is chosen here:

- *Negatives* of Î: those of the other view, with the positive in the denominator, in both
  directions (`negatives="cross"`); CoMM's code adds the same view's (`negatives="both"`).
- *Which embeddings*: InfoNCE after the projection head as in CoMM, the other two terms before it.
- *λ_a, λ_s, r_p, ε* for these data: 1, 0.1, 24, 1e-4. L_NCE is a sum, while CoMM's loss is the mean
  of M + 1 terms, so λ_a = 1 here is worth 1 / (M + 1) beside the mean.
- *Tucker rank*: r_p, as in the paper's best trimodal runs. Then the decomposition is exact and HOOI
  (initialized by singular vectors) has nothing to improve: the core is that of the singular vectors
  of the unfoldings.

A defect: the rows of L_var's embeddings are unit vectors of D′ = M · D entries, so the root mean
square of their deviations is at most D′^-½, far below γ. The hinge never ends, and L_var is γ less
the mean deviation, between γ − √(1/D′ + ε) and γ − √ε.

N samples, M modalities, D fusion width, r length of the projected embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from trifeature.comm.losses import comm_terms
from trifeature.comm.methods.base import Loss, Tensors
from trifeature.comm.methods.comm import CoMM
from trifeature.comm.options import HRILOptions
from trifeature.comm.settings import RunSettings
from trifeature.errors import InputError
from trifeature.modality import Modality

VARIANCE_FLOOR: Final = 1e-4
"""ε of the deviations in L_var."""

SHARE_FLOOR: Final = 1e-6
"""Least ‖G‖², and the distance that 1 − ρ keeps from 0 and 1."""

SQUARINGS: Final = 16
"""Squarings of a matrix that leave its largest component alone: its 65,536th power."""

LARGEST_MOMENT: Final = 10_000_000
"""Most entries of a cross-moment."""


# --------------------------------------------------------------------------- alignment


def joint(embeddings: Sequence[Tensor]) -> Tensor:
    """Unit embeddings of the modalities [N, D], concatenated and unit again: Ẑ, [N, M · D]."""
    return F.normalize(torch.cat([F.normalize(z, dim=-1) for z in embeddings], dim=-1), dim=-1)


def invariance(z_1: Tensor, z_2: Tensor) -> Tensor:
    """L_inv = mean_n (1 − cos(Ẑ_1n, Ẑ_2n))² of two views' unit embeddings [N, D′], in [0, 4]."""
    return (1 - (z_1 * z_2).sum(-1)).square().mean()


def spread(z_1: Tensor, z_2: Tensor, target: float) -> Tensor:
    """L_var = mean_d [γ − √(Var_n Z̄_nd + ε)]⁺ with Z̄ = (Ẑ_1 + Ẑ_2) / 2.

    Args:
        z_1: Unit embeddings of view 1, [N, D′].
        z_2: Unit embeddings of view 2, [N, D′].
        target: γ. The variance is that of the N samples, without Bessel's correction.
    """
    variance = ((z_1 + z_2) / 2).var(0, correction=0)
    return (target - (variance + VARIANCE_FLOOR).sqrt()).relu().mean()


# --------------------------------------------------------------------------- synergy


def cross_moment(embeddings: Sequence[Tensor]) -> Tensor:
    """T = (1/N) Σ_n z_n1 ⊗ … ⊗ z_nM, uncentred, of embeddings [N, r]: [r, …, r] with M axes."""
    *before, last = embeddings
    product, *rest = before
    for z in rest:
        product = (product[:, :, None] * z[:, None]).flatten(1)
    moment = product.T @ last / len(last)
    return moment.reshape([z.shape[1] for z in embeddings])


def dominance(moment: Tensor) -> Tensor:
    """ρ = max G² / ‖G‖², G the Tucker core of a cross-moment [r, …, r]; a scalar in [0, 1]."""
    return largest_share(moment) if moment.ndim == 2 else largest_core_share(moment)


def largest_share(matrix: Tensor) -> Tensor:
    """σ_1² / Σ σ_i² of a matrix: ρ of two modalities, whose core is diagonal.

    High powers of A = CᵀC, scaled to trace 1, tend to v vᵀ, v the first right singular vector. With
    it fixed, ⟨v vᵀ, A⟩ is σ_1², and its gradient is that of σ_1². Unlike a singular value
    decomposition this needs nothing from the host, and equal singular values give a finite
    gradient.
    """
    gram = matrix.T @ matrix
    projector = gram.detach()
    tiny = torch.finfo(gram.dtype).tiny
    for _ in range(SQUARINGS):
        projector = projector / projector.trace().clamp(min=tiny)
        projector = projector @ projector
    projector = projector / projector.trace().clamp(min=tiny)
    return (projector * gram).sum() / gram.trace().clamp(min=SHARE_FLOOR)


def largest_core_share(moment: Tensor) -> Tensor:
    """ρ = max G² / ‖G‖² of a tensor with three or more axes, by its unfoldings' eigenvectors.

    The largest entry of the core is T contracted with one singular vector of each unfolding. The
    gradient passes through these vectors, as through the decomposition as a whole, but needs no
    difference of any other two eigenvalues, so it is finite where these are equal, as the zeros of
    a tensor of few samples are.
    """
    total = moment.square().sum().clamp(min=SHARE_FLOOR)
    grams = [_gram(moment, axis) / total.detach() for axis in range(moment.ndim)]
    spectra = [torch.linalg.eigh(gram.detach()) for gram in grams]
    core = moment.detach()
    for _, vectors in spectra:
        core = torch.tensordot(core, vectors, dims=([0], [0]))  # the next axis is the first now
    places = torch.unravel_index(core.abs().argmax(), core.shape)
    entry = moment
    for gram, (values, vectors), place in zip(grams, spectra, places, strict=True):
        entry = torch.tensordot(_eigenvector(gram, values, vectors, place), entry, dims=1)
    return entry.square() / total


def _gram(moment: Tensor, axis: int) -> Tensor:
    """The unfolding of a tensor along an axis, times its transpose: [r, r]."""
    unfolded = moment.movedim(axis, 0).flatten(1)
    return unfolded @ unfolded.T


def _eigenvector(gram: Tensor, values: Tensor, vectors: Tensor, place: Tensor) -> Tensor:
    """One eigenvector v_i of a symmetric matrix [r, r], differentiable to first order.

    dv_i = Σ_{j ≠ i} v_j (v_jᵀ dA v_i) / (λ_i − λ_j), where 1 / x is x / (x² + 1e-12).
    """
    own = vectors.index_select(1, place[None]).squeeze(1)
    gap = values.index_select(0, place[None]) - values
    change = vectors.T @ ((gram - gram.detach()) @ own)
    return own + vectors @ (change * gap / (gap.square() + 1e-12))


def synergy(embeddings: Sequence[Tensor], projections: Tensor, target: float) -> Tensor:
    """[ξ − (1 − ρ)]⁺ of one view, ρ the `dominance` in the projected modalities' cross-moment.

    Args:
        embeddings: For each modality [N, D].
        projections: P, float [M, D, r], fixed.
        target: ξ.
    """
    projected = [z @ p.to(z.dtype) for z, p in zip(embeddings, projections, strict=True)]
    rest = (1 - dominance(cross_moment(projected))).clamp(SHARE_FLOOR, 1 - SHARE_FLOOR)
    return (target - rest).relu()


# --------------------------------------------------------------------------- the method


class HRIL(CoMM):
    """HRIL: CoMM's network with the terms of HRIL's loss.

    With three or more modalities the synergy term waits for the host, so it cannot be part of a
    CUDA graph.

    Attributes:
        projections: P of the synergy term, [M, D, r] with orthonormal columns: drawn once and
            fixed.
    """

    projections: Tensor

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__(settings, modalities)
        options, M = settings.options, len(modalities)
        assert isinstance(options, HRILOptions)  # noqa: S101 - RunSettings has checked it
        self.own = options
        self.parts = {"all": "nce+align+syn"}.get(options.terms, options.terms).split("+")
        """The terms of the loss: some of `nce`, `align`, `syn`."""
        if "syn" in self.parts:
            r = min(options.projection, options.width)
            if r**M > LARGEST_MOMENT:
                raise InputError(
                    f"the cross-moment of {M} modalities has {r}^{M} entries, more than "
                    f"{LARGEST_MOMENT:,}: take a smaller projection than {r}"
                )
            drawn = torch.randn(M, options.width, r)
            self.register_buffer("projections", torch.linalg.qr(drawn)[0])

    def loss_of(self, codes: Tensors) -> Loss:
        """The weighted sum of the terms that the options name."""
        (fused,) = codes  # [N, 1 + M, 2, D]
        terms = self._contrastive(fused)
        weighted = list(terms.values())
        with torch.autocast(fused.device.type, enabled=False):
            # bfloat16 is too coarse for small deviations and for high powers.
            full = fused[:, 1:].to(torch.promote_types(fused.dtype, torch.float32))
            views = [list(view.unbind(1)) for view in full.unbind(2)]
            if "align" in self.parts:
                z_1, z_2 = (joint(view) for view in views)
                terms["L_inv"] = invariance(z_1, z_2)
                terms["L_var"] = spread(z_1, z_2, self.own.variance_target)
                weighted.append(self.own.align_weight * (terms["L_inv"] + terms["L_var"]))
            if "syn" in self.parts:
                target = self.own.synergy_target
                both = [synergy(view, self.projections, target) for view in views]
                terms["L_syn"] = torch.stack(both).mean()
                weighted.append(self.own.synergy_weight * terms["L_syn"])
        return Loss(torch.stack(weighted).sum(), terms)

    def _contrastive(self, fused: Tensor) -> dict[str, Tensor]:
        """L if `fused` is on, and L_1, … L_M if `nce` is among the terms."""
        names = ["L"] if self.own.fused else []
        if "nce" in self.parts:
            names += [f"L_{m + 1}" for m in self.all]
        if not names:
            return {}
        z = self.project(fused)
        found = comm_terms(
            (z[0, 0], z[0, 1]),
            [(one[0], one[1]) for one in z[1:]],
            self.own.temperature,
            self.own.negatives,
        )
        return {name: found[name] for name in names}
