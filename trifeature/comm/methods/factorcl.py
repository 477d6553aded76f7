"""FactorCL: learns shared and unique information by lower and upper bounds on both.

Liang, Deng, Ma, Zou, Morency & Salakhutdinov, "Factorized contrastive learning: going beyond
multi-view redundancy", NeurIPS 2023, in the self-supervised form that Dufumier et al. (2025) ran:
augmented views take the place of the label.

N samples, D width of the features.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

from trifeature.comm.methods.base import Loss, Method, Objective, Tensors
from trifeature.comm.methods.cross import concatenated
from trifeature.comm.options import FactorCLOptions
from trifeature.comm.settings import RunSettings
from trifeature.errors import InputError
from trifeature.modality import Modality
from trifeature.samples import Batch

HEADS: Final = ("S", "C", "SC", "CC", "Y")
"""The heads of each modality: shared, its complement, both given the label, and the label."""

CRITICS: Final = ("1", "2", "3", "4", "5", "6")
CLUB_CRITICS: Final = ("2", "6")
"""Critics whose upper bounds are minimized; the lower bounds of the others are maximized."""


class Critic(nn.Module):
    """Critic c(u, v): an MLP on the concatenation of two vectors with a scalar output."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(2 * inputs, width)
        self.rest = nn.Sequential(
            nn.ReLU(inplace=True),
            nn.Linear(width, width),
            nn.ReLU(inplace=True),
            nn.Linear(width, 1),
        )

    def forward(self, u: Tensor, v: Tensor) -> Tensor:
        """Scores c(u_k, v_j) of all pairs: [N, N] with rows k and columns j.

        The first layer is W [u; v] + b = W_u u + W_v v + b, so W_u and W_v are applied to N vectors
        each, not to N² pairs.
        """
        left, right = self.first.weight.chunk(2, dim=1)
        hidden = (u @ left.T)[:, None] + (v @ right.T)[None] + self.first.bias
        scores: Tensor = self.rest(hidden)
        # bfloat16 is too coarse for exponentials and differences of scores.
        return scores.squeeze(-1).to(torch.promote_types(scores.dtype, torch.float32))


def lower_bound(scores: Tensor) -> Tensor:
    """InfoNCE: mean_k c_kk − mean_j log (1/N) Σ_k exp c_kj, a lower bound on I, in nats."""
    return scores.diagonal().mean() - (scores.logsumexp(0) - math.log(len(scores))).mean()


def upper_bound(scores: Tensor) -> Tensor:
    """CLUB: mean_k c_kk − mean_kj c_kj, an upper bound on I for a good critic, in nats."""
    return scores.diagonal().mean() - scores.mean()


class FactorCL(Method):
    """FactorCL: five heads for each modality and six critics.

    Modality 1 is augmented by the run's views and modality 2 by the same without the crop, the
    "unique" augmentation of the method; both also have a light view. In each step everything but
    the two CLUB critics minimizes the sum of the bounds. Then these critics maximize their lower
    bounds on newly drawn views, which makes the upper bounds tight (the authors use the same views
    again).
    """

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__(settings, modalities)
        options = settings.options
        assert isinstance(options, FactorCLOptions)  # noqa: S101 - RunSettings has checked it
        if len(modalities) != 2:
            raise InputError(f"factorcl is defined for two modalities, not {len(modalities)}")
        D = options.width
        self.encoder = self.vector_encoders(D)
        self.heads = nn.ModuleList(
            nn.ModuleDict(
                {name: nn.Sequential(nn.Linear(D, D), nn.ReLU(), nn.Linear(D, D)) for name in HEADS}
            )
            for _ in range(2)
        )
        self.critics = nn.ModuleDict(
            {str(k): Critic(2 * D if k > 4 else D, options.hidden) for k in range(1, 7)}
        )

    def objectives(self) -> tuple[Objective, ...]:
        """The sum of the bounds, then the loss of the CLUB critics."""
        return (self.objective, self.critic_objective)

    def phase_of(self, parameter: str) -> int:
        """1 for parameters of the CLUB critics, 0 for all others."""
        return int(parameter.startswith(tuple(f"critics.{k}." for k in CLUB_CRITICS)))

    def views(self, batch: Batch, generator: torch.Generator) -> Tensors:
        """For each modality a light view of each item, then an augmented view: [2 · N, …]."""
        strong = (self.views_of(0), self.views_of(1).unique())
        # Under autocast to bfloat16, torch.cat raises an error for float16 views.
        with torch.autocast(batch[0].device.type, enabled=False):
            return tuple(
                torch.cat(
                    [
                        self.augment(x, m, generator, self.settings.light),
                        self.augment(x, m, generator, strong[m]),
                    ]
                )
                for m, x in enumerate(batch)
            )

    def codes_of(self, views: Tensors) -> Tensors:
        """For each modality the vectors of the light and of the augmented view: [N, 2, D]."""
        return tuple(
            self.encoder[m](x).unflatten(0, (2, -1)).transpose(0, 1) for m, x in enumerate(views)
        )

    def _scores(self, codes: Tensors, names: Sequence[str]) -> list[Tensor]:
        """The score matrices [N, N] of the named critics, from codes [N, 2, D]."""
        (f1, g1), (f2, g2) = (both.unbind(1) for both in codes)
        heads: Any = self.heads  # the type checker knows the entries as nn.Module only
        h1, h2 = heads

        def given(name: str, head: Any, f: Tensor, g: Tensor) -> Tensor:
            return torch.cat([head[name](f), head[name](g)], dim=1)

        arguments: dict[str, Callable[[], tuple[Tensor, Tensor]]] = {
            "1": lambda: (h1["S"](f1), h2["S"](f2)),
            "2": lambda: (h1["C"](f1), h2["C"](f2)),
            "3": lambda: (h1["Y"](f1), h1["Y"](g1)),
            "4": lambda: (h2["Y"](f2), h2["Y"](g2)),
            "5": lambda: (given("SC", h1, f1, g1), given("SC", h2, f2, g2)),
            "6": lambda: (given("CC", h1, f1, g1), given("CC", h2, f2, g2)),
        }
        critics: Any = self.critics
        return [critics[k](*arguments[k]()) for k in names]

    def loss_of(self, codes: Tensors) -> Loss:
        """The sum of CLUB's upper bounds less the sum of the lower bounds."""
        scores = dict(zip(CRITICS, self._scores(codes, CRITICS), strict=True))
        upper = {k: upper_bound(scores[k]) for k in CLUB_CRITICS}
        lower = {k: lower_bound(s) for k, s in scores.items() if k not in upper}
        signed = [upper[k] if k in upper else -lower[k] for k in CRITICS]
        bounds = upper | lower
        return Loss(torch.stack(signed).sum(), {f"I_{k}": bounds[k] for k in CRITICS})

    def critic_objective(self, views: Tensors) -> Loss:
        """The loss of the CLUB critics: minus their lower bounds, with the encoders fixed."""
        with torch.no_grad():
            codes = self.codes(views)
        bounds = [lower_bound(s) for s in self._scores(codes, CLUB_CRITICS)]
        return Loss(-torch.stack(bounds).sum(), {})

    def encode(self, items: Tensor, modality: int) -> Tensor:
        """The concatenated outputs of all five heads: [N, 5 D]."""
        vectors, heads = self.encoder[modality](items), self.heads[modality]
        assert isinstance(heads, nn.ModuleDict)  # noqa: S101 - for the type checker
        return torch.cat([heads[name](vectors) for name in HEADS], dim=1)

    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        """The concatenated codes of the modalities: [N, 5 D · modalities]."""
        return concatenated(codes, subsets)
