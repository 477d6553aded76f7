"""Random augmentations of vectors: noise, and features set to zero.

A view of a vector x is (x + σ ε) with a random share of its features set to zero, ε standard
normal. It is meant for standardized features (mean 0, deviation 1): σ is then a fraction of their
deviation, and zero is their mean. An absent vector (every feature NaN) stays absent.

N samples, F features.
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


@dataclass(frozen=True)
class VectorViews:
    """Settings of the random transforms that make a view of a vector of standardized features.

    Attributes:
        noise: Standard deviation σ of the Gaussian noise added to every feature.
        noise_probability: Probability that a sample gets noise.
        drop: Least and largest share of the features set to zero; the share is uniform in between.
        drop_probability: Probability that features of a sample are set to zero.

    Raises:
        InputError: a setting is out of range; the message names it and the range.
    """

    kind: ClassVar[str] = "vector"

    noise: float = 0.1
    noise_probability: float = 0.5
    drop: tuple[float, float] = (0.0, 0.8)
    drop_probability: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "drop", require_interval("drop", self.drop, 0, 1))
        object.__setattr__(self, "noise", require_number("noise", self.noise, 0))
        for name in ("noise_probability", "drop_probability"):
            object.__setattr__(self, name, require_number(name, getattr(self, name), 0, 1))

    def draw(
        self,
        count: int,
        shape: tuple[int, ...],
        generator: torch.Generator,
        device: torch.device | str | None = None,
    ) -> VectorParameters:
        """Draw the parameters of vectors [F], independently of each other.

        Every call takes the same number of random numbers for all settings, so two ablations drawn
        from one seed differ only in what the ablation changes.

        Args:
            count: Number of samples.
            shape: [F].
            generator: Source of the randomness; the parameters are drawn on its device.
            device: Device of the result, by default the generator's.

        Raises:
            InputError: `count` is negative, or the shape is not that of a vector.

        >>> import torch
        >>> len(STRONG_VECTOR.draw(5, (8,), torch.Generator().manual_seed(0)))
        5
        """
        import torch  # noqa: PLC0415 - settings need no torch

        require_whole("count", count, 0)
        if len(shape) != 1:
            raise InputError(f"a vector has the shape [F], not {list(shape)}")
        F = shape[0]
        coins = torch.rand(count, 3, generator=generator, device=generator.device)
        order = torch.rand(count, F, generator=generator, device=generator.device)
        noise = torch.randn(count, F, generator=generator, device=generator.device)
        low, high = self.drop
        share = (low + (high - low) * coins[:, 2]) * (coins[:, 1] < self.drop_probability)
        # The ranks of F random numbers are a random permutation; those below share · F are dropped.
        dropped = order.argsort(1).argsort(1) < (share * F).round()[:, None]
        scale = self.noise * (coins[:, :1] < self.noise_probability)
        parameters = VectorParameters(noise * scale, dropped)
        return parameters if device is None else parameters.to(device)

    def apply(self, items: Tensor, parameters: VectorParameters) -> Tensor:
        """Add the noise to vectors [N, F], then set the dropped features to zero: float32 [N, F].

        Raises:
            InputError: the parameters were drawn for other numbers of vectors or features.
        """
        shape = parameters.noise.shape
        if items.shape != shape:
            raise InputError(f"vectors must be {list(shape)} as drawn, not {list(items.shape)}")
        absent = items.isnan().all(1, keepdim=True)
        return (items.float() + parameters.noise).masked_fill(parameters.dropped & ~absent, 0.0)

    def unique(self) -> VectorViews:
        """The same without dropped features: the "unique" augmentation of FactorCL."""
        return replace(self, drop_probability=0.0)

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `from_json` reads back."""
        return {"kind": self.kind} | asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> VectorViews:
        """Read what `to_json` wrote."""
        return settings_from(cls, content, "vector views")


register_views(VectorViews)


@dataclass(frozen=True, eq=False)
class VectorParameters(TensorParameters):
    """Parameters drawn for N vectors; a slice or an index tensor selects some of them.

    Attributes:
        noise: float32 [N, F], added to the features; σ ε, or 0 for a sample without noise.
        dropped: bool [N, F], whether a feature is set to zero afterwards.
    """

    noise: Tensor
    dropped: Tensor


STRONG_VECTOR: Final = VectorViews()
"""Noise and dropped features, each for every second sample."""

CLEAN_VECTOR: Final = VectorViews(noise_probability=0.0, drop_probability=0.0)
"""The vector itself."""

LIGHT_VECTOR: Final = replace(CLEAN_VECTOR, noise_probability=1.0)
"""Noise for every sample, and nothing else."""
