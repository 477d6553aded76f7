"""The ten textures as on/off patterns over the plane.

Each function takes the coordinates u (along the rows) and v (down the columns) of points, in units
of the texture's period, and returns a Boolean tensor, True where the texture is on. Noise and rain
are random: they look up a lattice of random cells derived from each image's key.

As for the shapes, only arithmetic that rounds identically on every device and in every batch is
used. The patterns follow Hermann & Lampinen (2020); a docstring says so where their text leaves a
choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

Texture = Callable[[Tensor, Tensor, "Grain"], Tensor]

HEXGRID_SLOPE: Final = 1.73
RAIN_STARTS: Final = 0.05
"""Fraction of the cells at which a streak of rain starts when a streak is six cells high."""


@dataclass(frozen=True)
class Grain:
    """Parameters of a pattern beside the coordinates.

    Attributes:
        keys: int32 [N, 1], the seed of each image's random cells.
        cells_per_period: Number of random cells along a period.
        line: Width of a line of the pluses, in periods.
        radius: Largest distance of a point from the origin, in periods.
    """

    keys: Tensor
    cells_per_period: float
    line: float
    radius: float

    @property
    def side(self) -> int:
        """Number of cells along a side of the lattice, enough for every point within `radius`."""
        return 2 * (int(self.radius * self.cells_per_period) + 2)


def hash32(values: Tensor) -> Tensor:
    """Hash int32 `values` by mixing their bits.

    Integer multiplication wraps identically on every device. The constants are those of Chris
    Wellons' `lowbias32`.
    """
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B - 2**32)):
        values = (values ^ ((values >> shift) & (2 ** (32 - shift) - 1))) * factor
    return values ^ ((values >> 16) & 0xFFFF)


def _cells(grain: Grain, probability: float) -> Tensor:
    """Random cells bool [N, side, side], True with the given probability."""
    count = grain.side * grain.side
    numbers = torch.arange(count, dtype=torch.int32, device=grain.keys.device)
    # The keys are hashes themselves, so sums of neighboring cells and images rarely coincide.
    uniform = hash32(hash32(numbers) + grain.keys)
    threshold = int(probability * 2**32) - 2**31
    return (uniform < threshold).view(-1, grain.side, grain.side)


def _look_up(cells: Tensor, u: Tensor, v: Tensor, grain: Grain) -> Tensor:
    """Values of the cells [N, side, side] that points [N, H, W] lie in: [N, H, W]."""
    half = grain.side // 2

    def index(coordinate: Tensor) -> Tensor:
        cell = (coordinate * grain.cells_per_period).floor_().to(torch.int32)
        return cell.add_(half).clamp_(0, grain.side - 1)

    numbers = index(v).mul_(grain.side).add_(index(u)).to(torch.int64)
    return cells.flatten(1).gather(1, numbers.flatten(1)).view_as(u)


def _phase(t: Tensor) -> Tensor:
    """The fractional part of coordinates, in [0, 1): their phase within the period."""
    return t - t.floor()


def solid(u: Tensor, v: Tensor, grain: Grain) -> Tensor:  # noqa: ARG001 - one signature for all
    """On at every point."""
    return torch.ones_like(u, dtype=torch.bool)


def stripes(u: Tensor, v: Tensor, grain: Grain) -> Tensor:  # noqa: ARG001
    """On for a third of the period."""
    return _phase(u) < 1 / 3


def grid(u: Tensor, v: Tensor, grain: Grain) -> Tensor:
    """Stripes in both directions."""
    return stripes(u, v, grain) | stripes(v, u, grain)


def hexgrid(u: Tensor, v: Tensor, grain: Grain) -> Tensor:  # noqa: ARG001
    """Three families of lines, a fifth of the period wide, at slopes 0 and ±1.73."""
    scale = 1 / (1 + HEXGRID_SLOPE**2) ** 0.5
    rise, drop = v * scale, u * (HEXGRID_SLOPE * scale)
    on = _phase(v) < 1 / 5
    return on.logical_or_(_phase(rise - drop) < 1 / 5).logical_or_(_phase(rise + drop) < 1 / 5)


def dots(u: Tensor, v: Tensor, grain: Grain) -> Tensor:  # noqa: ARG001
    """Discs of radius 3/7 of the period."""
    x, y = _phase(u) - 0.5, _phase(v) - 0.5
    return x * x + y * y < (3 / 7) ** 2


def noise(u: Tensor, v: Tensor, grain: Grain) -> Tensor:
    """Random cells, each on with probability ½."""
    return _look_up(_cells(grain, 1 / 2), u, v, grain)


def triangles(u: Tensor, v: Tensor, grain: Grain) -> Tensor:  # noqa: ARG001
    """One triangle a cell, its apex at the top middle, its base on the lower side."""
    return (_phase(u) - 0.5).abs() < _phase(v) * 0.5


def zigzags(u: Tensor, v: Tensor, grain: Grain) -> Tensor:  # noqa: ARG001
    """Bands half a period wide whose slope flips every period."""
    fold = (_phase(u * 0.5) * 2 - 1).abs()
    return _phase(v + fold) < 1 / 2


def rain(u: Tensor, v: Tensor, grain: Grain) -> Tensor:
    """Vertical streaks one cell wide and two thirds of the period high.

    Streaks of six cells start at 5 % of the cells. For streaks of h cells the probability p of a
    start satisfies (1 − p)^h = (1 − 0.05)⁶, so the covered fraction of the plane stays the same.
    """
    height = max(int(grain.cells_per_period * 2 / 3), 1)
    starts = _cells(grain, 1 - (1 - RAIN_STARTS) ** (6 / height))
    wet = starts.clone()
    for drop in range(1, height):
        wet[:, drop:] |= starts[:, :-drop]
    return _look_up(wet, u, v, grain)


def pluses(u: Tensor, v: Tensor, grain: Grain) -> Tensor:
    """Lines in both directions through cell centers, alternate rows shifted by half a cell."""
    shifted = u + (v * 0.5).floor_().mul_(-2).add_(v).floor_() * 0.5
    half = grain.line / 2
    return ((_phase(shifted) - 0.5).abs() < half) | ((_phase(v) - 0.5).abs() < half)


PATTERNS: Final[tuple[Texture, ...]] = (
    solid,
    stripes,
    grid,
    hexgrid,
    dots,
    noise,
    triangles,
    zigzags,
    rain,
    pluses,
)
"""The pattern of each texture, in the order of `trifeature.data.attributes.TEXTURES`."""
