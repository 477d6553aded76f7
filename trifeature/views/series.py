"""Random augmentations of series: noise, steps set to zero, crops of unchanged length.

The transforms are those of CoMM's experiments on MultiBench (Dufumier et al. 2025, appendix C.1),
by the names of the published code. A view applies some of them one after the other, each for a
random part of the samples. Absent steps (NaN) are neither counted nor chosen, and stay NaN.

A transform whose name begins with `multi_` sets the same steps to zero in all series of a sample.
In series of different lengths these are the same shares of the steps: step k of n reads cell
⌊(k + ½) L / n⌋ of the L cells that the random numbers are drawn for, and L is the number of steps
of the shortest series. Between series of one length the steps are identical.

N samples, T steps, F features, L cells, W transforms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from trifeature.checks import (
    require_choice,
    require_interval,
    require_number,
    require_text,
    require_whole,
    settings_from,
)
from trifeature.errors import InputError, check_name
from trifeature.views import TensorParameters, register_views

if TYPE_CHECKING:
    import torch
    from torch import Tensor

TRANSFORMS: Final = (
    "noise",
    "drop",
    "multi_drop",
    "drop_consecutive",
    "multi_drop_consecutive",
    "crop",
    "multi_crop",
)
"""The transforms of a series, by their published names."""

_SCATTERED: Final = ("drop", "multi_drop")
_CROPS: Final = ("crop", "multi_crop")


@dataclass(frozen=True)
class SeriesViews:
    """Settings of the random transforms that make a view of a series [T, F].

    Of n present steps, round(f n) are set to zero or kept, with f uniform in an interval:

    - `noise`: adds σ ε to every number, ε standard normal. Steps that are zero already get it too.
    - `drop`: sets round(f n) different steps to zero.
    - `drop_consecutive`: sets a block of round(f n) steps to zero. Its first step is uniform in
      0 … n − round(f n) − 1. So the last step stays, unless all are set to zero. The published code
      has this limit too.
    - `crop`: sets all but such a block to zero. The series keeps its length.
    - `multi_drop`, `multi_drop_consecutive`, `multi_crop`: the same at the same places in all
      series of a sample, if their parameters are drawn by `draw_joint`.

    A series of few steps may lose all of them: of two steps, 0.8 are round(1.6) = 2.

    Attributes:
        order: The transforms, each at most once, in the order in which they are applied.
        noise: Standard deviation σ of the Gaussian noise, in units of the series.
        noise_probability: Probability that a sample gets noise.
        drop: Least and largest share of the steps that each transform with "drop" in its name
            sets to zero; the share is uniform in between.
        drop_probability: Probability that a sample gets such a transform, for each of them.
        crop: Least and largest share of the steps that `crop` and `multi_crop` keep.
        crop_probability: Probability that a sample is cropped, for each of the two.
        coins: Whether each series draws for itself which transforms it gets ("own"), or all series
            of a sample get the same ones ("joint"). Those with `multi_` are always joint.

    Raises:
        InputError: a setting is out of range; the message names it and the range.
    """

    kind: ClassVar[str] = "series"

    order: tuple[str, ...] = ("drop", "noise")
    noise: float = 0.1
    noise_probability: float = 0.5
    drop: tuple[float, float] = (0.0, 0.8)
    drop_probability: float = 0.5
    crop: tuple[float, float] = (0.08, 1.0)
    crop_probability: float = 0.5
    coins: str = "own"

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", _require_order(self.order))
        object.__setattr__(self, "noise", require_number("noise", self.noise, 0))
        for name in ("drop", "crop"):
            object.__setattr__(self, name, require_interval(name, getattr(self, name), 0, 1))
        for name in ("noise_probability", "drop_probability", "crop_probability"):
            object.__setattr__(self, name, require_number(name, getattr(self, name), 0, 1))
        require_choice("coins", self.coins, ("own", "joint"))

    @property
    def together(self) -> bool:
        """Whether some transform has the same places in all series of a sample."""
        return any(name.startswith("multi_") for name in self.order)

    @property
    def joint(self) -> bool:
        """Whether the series of a sample depend on each other's random numbers: `draw_joint`."""
        return self.together or self.coins == "joint"

    def draw(
        self,
        count: int,
        shape: tuple[int, ...],
        generator: torch.Generator,
        device: torch.device | str | None = None,
    ) -> SeriesParameters:
        """Draw the parameters of series [T, F], independently of each other.

        Every call takes the same number of random numbers for all settings, so two ablations drawn
        from one seed differ only in what the ablation changes.

        Args:
            count: Number of samples.
            shape: [T, F].
            generator: Source of the randomness; the parameters are drawn on its device.
            device: Device of the result, by default the generator's.

        Raises:
            InputError: `count` is negative, or the shape is not that of a series.

        >>> import torch
        >>> len(STRONG_SERIES.draw(5, (8, 3), torch.Generator().manual_seed(0)))
        5
        """
        return self.draw_joint(count, [shape], generator, device)[0]

    def draw_joint(
        self,
        count: int,
        shapes: Sequence[tuple[int, ...]],
        generator: torch.Generator,
        device: torch.device | str | None = None,
    ) -> list[SeriesParameters]:
        """Draw the parameters of the several series of each sample, with what they share.

        It takes the random numbers that `draw` takes for one series after the other; if nothing is
        joint it gives the same views.

        Args:
            count: Number of samples.
            shapes: [T, F] of each series.
            generator: Source of the randomness; the parameters are drawn on its device.
            device: Device of the result, by default the generator's.

        Returns:
            The parameters of the samples for each series.

        Raises:
            InputError: `count` is negative, there is no series, or a shape is not that of one.
        """
        require_whole("count", count, 0)
        if not shapes:
            raise InputError("at least one series must be given to draw for")
        drawn = [_draw_numbers(count, shape, generator) for shape in shapes]
        shared = min(drawn, key=lambda own: own.priority.shape[-1])
        made = [self._parameters(own, shared) for own in drawn]
        return made if device is None else [parameters.to(device) for parameters in made]

    def _parameters(self, own: _Numbers, shared: _Numbers) -> SeriesParameters:
        """The parameters of a series from its own random numbers and the shared ones."""
        share, start = own.share.new_zeros(2, len(own.share), len(self.order)).unbind()
        size = own.normal.new_zeros(len(own.normal))
        for column, name in enumerate(self.order):
            w = TRANSFORMS.index(name)
            places = shared if name.startswith("multi_") else own
            coins = (shared if self.coins == "joint" else places).coin[:, w]
            probability, (low, high) = self._chances(name)
            applied = coins < probability
            drawn = low + (high - low) * places.share[:, w]
            share[:, column] = drawn.where(applied, 1.0 if name in _CROPS else 0.0)
            start[:, column] = places.start[:, w]
            if name == "noise":
                size = self.noise * applied
        noise = own.normal * size[:, None, None]
        return SeriesParameters(noise, share, start, own.priority[:, 0], shared.priority[:, 1])

    def _chances(self, name: str) -> tuple[float, tuple[float, float]]:
        """The probability of a transform, and the limits of its share of the steps."""
        if name == "noise":
            return self.noise_probability, (1.0, 1.0)
        if name in _CROPS:
            return self.crop_probability, self.crop
        return self.drop_probability, self.drop

    def apply(self, items: Tensor, parameters: SeriesParameters) -> Tensor:
        """Apply the transforms to series [N, T, F], in their order: float32 [N, T, F].

        A step is absent where its first number is NaN.

        Raises:
            InputError: the parameters were drawn for another number of series or another shape, or
                for another order of transforms.
        """
        shape, drawn = parameters.noise.shape, parameters.share.shape[1]
        if items.shape != shape:
            raise InputError(f"series must be {list(shape)} as drawn, not {list(items.shape)}")
        if drawn != len(self.order):
            raise InputError(f"parameters of {len(self.order)} transforms are needed, not {drawn}")
        present = ~items[..., 0].isnan()
        result = items.float()
        for column, name in enumerate(self.order):
            if name == "noise":
                result = result + parameters.noise
            else:
                zeroed = _zeroed(name, parameters, column, present)
                result = result.masked_fill(zeroed[..., None], 0.0)
        return result.clone() if result is items else result

    def unique(self) -> SeriesViews:
        """The same with noise alone: the "unique" augmentation of FactorCL."""
        return replace(self, order=tuple(name for name in self.order if name == "noise"))

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `from_json` reads back."""
        return {"kind": self.kind} | asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> SeriesViews:
        """Read what `to_json` wrote."""
        return settings_from(cls, content, "series views")


register_views(SeriesViews)


@dataclass(frozen=True, eq=False)
class SeriesParameters(TensorParameters):
    """Parameters drawn for N series; a slice or an index tensor selects some of them.

    Attributes:
        noise: float32 [N, T, F], what `noise` adds; σ ε, or 0 for a sample without noise.
        share: float32 [N, len(order)], share f of the present steps that a transform sets to zero,
            or of those that a crop keeps; for a sample that does not get it, 0, or 1 of a crop.
            Of `noise`: 1 for a sample that gets it, 0 for others.
        start: float32 [N, len(order)], where a block begins, from 0 to 1 (excluded): step ⌊s m⌋ of
            the m that are possible.
        priority: float32 [N, T], `drop` sets the steps with the least priorities to zero.
        joint_priority: float32 [N, L], the same of `multi_drop`.
    """

    noise: Tensor
    share: Tensor
    start: Tensor
    priority: Tensor
    joint_priority: Tensor


def _require_order(order: Any) -> tuple[str, ...]:
    """Names of transforms, each once."""
    if not isinstance(order, tuple | list):
        raise InputError(
            f"order must be a tuple of transforms, not {order!r}; `series_views` reads a chain"
        )
    names = tuple(check_name("transform of a series", name, TRANSFORMS) for name in order)
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"a transform stands in a chain once: {name!r} is repeated")
    return names


@dataclass(frozen=True, eq=False)
class _Numbers:
    """Random numbers of a series, the same count for all settings: uniform but for `normal`.

    `coin`, `share` and `start` are [N, W], `priority` [N, 2, T], `normal` [N, T, F].
    """

    coin: Tensor
    share: Tensor
    start: Tensor
    priority: Tensor
    normal: Tensor


def _draw_numbers(count: int, shape: tuple[int, ...], generator: torch.Generator) -> _Numbers:
    import torch  # noqa: PLC0415 - settings need no torch

    if len(shape) != 2:
        raise InputError(f"a series has the shape [T, F], not {list(shape)}")
    T, F = shape
    device = generator.device
    W = len(TRANSFORMS)
    coin, share, start = torch.rand(3, count, W, generator=generator, device=device)
    priority = torch.rand(count, 2, T, generator=generator, device=device)
    normal = torch.randn(count, T, F, generator=generator, device=device)
    return _Numbers(coin, share, start, priority, normal)


def _zeroed(name: str, parameters: SeriesParameters, column: int, present: Tensor) -> Tensor:
    """The steps that a transform sets to zero: bool [N, T], of present steps only."""
    number = present.sum(1, keepdim=True)
    rank = present.cumsum(1) - 1  # place of a step among the present ones
    count = (parameters.share[:, column, None] * number).round()
    if name in _SCATTERED:
        joint = name.startswith("multi_")
        priority = parameters.joint_priority if joint else parameters.priority
        return _ranked(priority, rank, present) < count
    starts = (number - count).clamp(min=1)
    # The product may be rounded up to the number of starts.
    start = (parameters.start[:, column, None] * starts).floor().minimum(starts - 1)
    block = (rank >= start) & (rank < start + count)
    return (~block if name in _CROPS else block) & present


def _ranked(priority: Tensor, rank: Tensor, present: Tensor) -> Tensor:
    """Rank of each step by its cell's priority, absent steps last: [N, T]."""
    L = priority.shape[1]
    number = present.sum(1, keepdim=True).clamp(min=1)
    cell = ((2 * rank + 1) * L // (2 * number)).clamp(0, L - 1)
    # Where several steps share a cell, a stable order puts the earlier first.
    found = priority.gather(1, cell).masked_fill(~present, 2.0)
    return found.argsort(stable=True, dim=1).argsort(1)


STRONG_SERIES: Final = SeriesViews()
"""Dropped steps, then noise, each for every second sample: CoMM's default for series."""

CLEAN_SERIES: Final = SeriesViews(order=())
"""The series itself."""

LIGHT_SERIES: Final = SeriesViews(order=("noise",), noise_probability=1.0)
"""Noise for every sample, and nothing else."""


def series_views(chain: str, coins: str = "joint", probability: float = 0.5) -> SeriesViews:
    """The views of a chain in the published words, such as a cell of the paper's Figure 6.

    In the published code each transform of a chain, even of a single one, has the probability ½.
    One chain for all modalities of a data set has joint coins; a list of chains, own ones. `multi_`
    holds wherever it stands in a chain. (In the published code it holds at the end of a chain
    alone: there `multi_drop+noise` drops like `drop`.)

    Args:
        chain: Names of transforms in their order, joined by "+".
        coins: "joint" or "own", see `SeriesViews`.
        probability: Probability of each transform.

    Raises:
        InputError: an unknown or repeated name, or a value out of range.

    >>> series_views("multi_drop+noise").order
    ('multi_drop', 'noise')
    """
    words = require_text("a chain of transforms", chain).split("+")
    return SeriesViews(
        order=tuple(word.strip().replace("-", "_") for word in words),
        noise_probability=probability,
        drop_probability=probability,
        crop_probability=probability,
        coins=coins,
    )
