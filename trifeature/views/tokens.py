"""Random augmentations of tokens: some are masked.

Tokens are numbers of entries of a vocabulary, from 0. A masked one becomes `MASKED`, which an
encoder maps to an embedding of its own. Absent tokens (NaN) are neither counted nor chosen, and
stay NaN. Features of tokens that were computed beforehand, [T, F], are a series instead.

N samples, T tokens of an item.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from trifeature.checks import require_interval, require_number, require_whole, settings_from
from trifeature.errors import InputError
from trifeature.views import TensorParameters, register_views

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MASKED: Final = -1.0
"""Stands for a masked token; no entry of a vocabulary has this number."""


@dataclass(frozen=True)
class TokenViews:
    """Settings of the random transforms that make a view of tokens.

    The default is CoMM's for text (MM-IMDb): every token is masked with probability 0.15. CoMM
    masks inside its text encoder, in training alone.

    Attributes:
        mask: Probability that a token is masked, independently of the others.
        mask_probability: Probability that tokens of a sample are masked so.
        drop: Least and largest share of the tokens that a second transform masks; the share is
            uniform in between. It is `drop` of a series, not published for text.
        drop_probability: Probability that such a share of a sample's tokens is masked.
        keep: Tokens that are never masked nor counted, such as those that begin and end a text.

    Raises:
        InputError: a setting is out of range; the message names it and the range.
    """

    kind: ClassVar[str] = "tokens"

    mask: float = 0.15
    mask_probability: float = 1.0
    drop: tuple[float, float] = (0.0, 0.8)
    drop_probability: float = 0.0
    keep: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "drop", require_interval("drop", self.drop, 0, 1))
        for name in ("mask", "mask_probability", "drop_probability"):
            object.__setattr__(self, name, require_number(name, getattr(self, name), 0, 1))
        if not isinstance(self.keep, tuple | list):
            raise InputError(f"keep must be a tuple of tokens, not {self.keep!r}")
        keep = tuple(require_whole("each token of keep", token, 0) for token in self.keep)
        object.__setattr__(self, "keep", keep)

    def draw(
        self,
        count: int,
        shape: tuple[int, ...],
        generator: torch.Generator,
        device: torch.device | str | None = None,
    ) -> TokenParameters:
        """Draw the parameters of items of tokens [T], independently of each other.

        Every call takes the same number of random numbers for all settings, so two ablations drawn
        from one seed differ only in what the ablation changes.

        Args:
            count: Number of samples.
            shape: [T].
            generator: Source of the randomness; the parameters are drawn on its device.
            device: Device of the result, by default the generator's.

        Raises:
            InputError: `count` is negative, or the shape is not that of tokens.

        >>> import torch
        >>> len(STRONG_TOKENS.draw(5, (8,), torch.Generator().manual_seed(0)))
        5
        """
        import torch  # noqa: PLC0415 - settings need no torch

        require_whole("count", count, 0)
        if len(shape) != 1:
            raise InputError(f"an item of tokens has the shape [T], not {list(shape)}")
        coins = torch.rand(count, 3, generator=generator, device=generator.device)
        numbers = torch.rand(2, count, shape[0], generator=generator, device=generator.device)
        low, high = self.drop
        share = (low + (high - low) * coins[:, 2]) * (coins[:, 1] < self.drop_probability)
        chance = self.mask * (coins[:, :1] < self.mask_probability)
        parameters = TokenParameters(numbers[0] < chance, share, numbers[1])
        return parameters if device is None else parameters.to(device)

    def apply(self, items: Tensor, parameters: TokenParameters) -> Tensor:
        """Mask tokens [N, T]: float32 [N, T].

        Raises:
            InputError: the parameters were drawn for other numbers of items or tokens.
        """
        shape = parameters.masked.shape
        if items.shape != shape:
            raise InputError(f"tokens must be {list(shape)} as drawn, not {list(items.shape)}")
        chosen = ~items.isnan()
        for token in self.keep:
            chosen = chosen & (items != token)
        count = (parameters.share[:, None] * chosen.sum(1, keepdim=True)).round()
        # The ranks of random numbers are a random permutation; tokens that must stay come last.
        rank = parameters.priority.masked_fill(~chosen, 2.0).argsort(1).argsort(1)
        return items.float().masked_fill((parameters.masked & chosen) | (rank < count), MASKED)

    def unique(self) -> TokenViews:
        """The same without masks: the "unique" augmentation of FactorCL."""
        return replace(self, mask_probability=0.0, drop_probability=0.0)

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `from_json` reads back."""
        return {"kind": self.kind} | asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TokenViews:
        """Read what `to_json` wrote."""
        return settings_from(cls, content, "token views")


register_views(TokenViews)


@dataclass(frozen=True, eq=False)
class TokenParameters(TensorParameters):
    """Parameters drawn for N items of tokens; a slice or an index tensor selects some of them.

    Attributes:
        masked: bool [N, T], whether a token is masked, if it is present and none of `keep`.
        share: float32 [N], share of those tokens that is masked too; 0 for none.
        priority: float32 [N, T]; the share is of the tokens with the least priorities.
    """

    masked: Tensor
    share: Tensor
    priority: Tensor


STRONG_TOKENS: Final = TokenViews()
"""Every token masked with probability 0.15."""

CLEAN_TOKENS: Final = TokenViews(mask_probability=0.0)
"""The tokens themselves."""

LIGHT_TOKENS: Final = TokenViews(mask=0.05)
"""Every token masked with probability 0.05, a third of the published one."""
