"""The ten textures as on/off patterns over the plane.

Each function takes the coordinates u (along the rows) and v (down the columns) of points, in units
of the texture's period, and returns a Boolean tensor, True where the texture is on. Noise and rain
are random: they look up a lattice of random cells derived from each image's key.

As for the shapes, only arithmetic that rounds identically on every device and in every batch is
used.

The patterns are those of the published generator (Hermann & Lampinen 2020), which draws on whole
pixels with a period of 10, here without its steps: what it draws on pixels i to j, lies here from
i / 10 to (j + 1) / 10. A docstring gives the lengths in periods.
`trifeature.data.old_drawings` has the patterns of earlier versions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

Texture = Callable[[Tensor, Tensor, "Grain"], Tensor]

HEXGRID_SLOPE: Final = 1.73
HEXGRID_SHIFT: Final = 0.1365
"""Shift of the hexgrid's diagonals in u, such that they cross where the published ones do."""
RAIN_HEIGHT: Final = 0.7
"""Height of a streak of rain, in periods."""

RAIN_DRY: Final = 0.95**7
"""Fraction of the plane that no streak covers: at 10 cells a period, 5 % of them start one."""

MIDDLE: Final = 0.55
"""The phase that dots, triangles and pluses lie about: the middle of the pixel 5 of 10."""


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


def cells(grain: Grain, probability: float) -> Tensor:
    """Random cells bool [N, side, side], True with the given probability."""
    count = grain.side * grain.side
    numbers = torch.arange(count, dtype=torch.int32, device=grain.keys.device)
    # The keys are hashes themselves, so sums of neighboring cells and images rarely coincide.
    uniform = hash32(hash32(numbers) + grain.keys)
    threshold = int(probability * 2**32) - 2**31
    return (uniform < threshold).view(-1, grain.side, grain.side)


def look_up(values: Tensor, u: Tensor, v: Tensor, grain: Grain) -> Tensor:
    """The values [N, side, side] of the cells that points [N, H, W] lie in: [N, H, W]."""
    half = grain.side // 2

    def index(coordinate: Tensor) -> Tensor:
        cell = (coordinate * grain.cells_per_period).floor_().to(torch.int32)
        return cell.add_(half).clamp_(0, grain.side - 1)

    numbers = index(v).mul_(grain.side).add_(index(u)).to(torch.int64)
    return values.flatten(1).gather(1, numbers.flatten(1)).view_as(u)


def phase(t: Tensor) -> Tensor:
    """The fractional part of coordinates, in [0, 1): their phase within the period."""
    return t - t.floor()


def solid(u: Tensor, v: Tensor, grain: Grain) -> Tensor:  # noqa: ARG001 - one signature for all
    """On at every point."""
    return torch.ones_like(u, dtype=torch.bool)


def stripes(u: Tensor, v: Tensor, grain: Grain) -> Tensor:  # noqa: ARG001
    """Horizontal stripes, 0.3 wide."""
    return phase(v) < 0.3


def grid(u: Tensor, v: Tensor, grain: Grain) -> Tensor:
    """Stripes in both directions."""
    return stripes(u, v, grain).logical_or_(stripes(v, u, grain))


def hexgrid(u: Tensor, v: Tensor, grain: Grain) -> Tensor:  # noqa: ARG001
    """Fine hatching: lines 0.2 high along the rows, and two diagonals that are 0.2 wide in u.

    The diagonals move by 1.73 in u over a period of v: they lie at ±30° to the horizontal.
    """
    slant = (v * HEXGRID_SLOPE).sub_(HEXGRID_SHIFT)
    on = phase(v) < 0.2
    return on.logical_or_(phase(u + slant) < 0.2).logical_or_(phase(u - slant) < 0.2)


def dots(u: Tensor, v: Tensor, grain: Grain) -> Tensor:  # noqa: ARG001
    """Discs that cover 0.45: the 45 pixels of 100 nearer than 4 to the pixel in the middle."""
    x, y = phase(u).sub_(MIDDLE), phase(v).sub_(MIDDLE)
    return x.mul_(x).add_(y.mul_(y)) < 0.45 / math.pi


def noise(u: Tensor, v: Tensor, grain: Grain) -> Tensor:
    """Random cells, each on with probability ½."""
    return look_up(cells(grain, 1 / 2), u, v, grain)


def triangles(u: Tensor, v: Tensor, grain: Grain) -> Tensor:  # noqa: ARG001
    """One triangle a cell: its apex at 0.2, its base 0.8 wide, on the lower side."""
    half_width = phase(v).sub_(0.2).mul_(0.5)
    return phase(u).sub_(MIDDLE).abs_() < half_width


def zigzags(u: Tensor, v: Tensor, grain: Grain) -> Tensor:  # noqa: ARG001
    """Vertical waves, 0.4 wide, whose middle moves from 0.25 to 0.75 and back in two periods."""
    fold = phase(v * 0.5).mul_(2).sub_(1).abs_()  # 1 at the top of an even row, 0 at its foot
    middle = fold.mul_(-0.5).add_(0.75)
    return phase(u).sub_(middle).abs_() < 0.2


def rain(u: Tensor, v: Tensor, grain: Grain) -> Tensor:
    """Vertical streaks, one cell wide and 0.7 of the period high.

    A streak of h cells, not always a whole number, starts at a cell with the probability p of
    (1 − p)^h = 0.95⁷, so that it covers the same fraction of the plane whatever h.
    """
    height = RAIN_HEIGHT * grain.cells_per_period
    starts = cells(grain, 1 - RAIN_DRY ** (1 / height))
    rows = torch.arange(grain.side, dtype=torch.int32, device=u.device)[:, None]
    last = torch.where(starts, rows, -grain.side).cummax(dim=1).values
    since = look_up((rows - last).to(torch.float32), u, v, grain)
    return since.add_(phase(v * grain.cells_per_period)) < height


def pluses(u: Tensor, v: Tensor, grain: Grain) -> Tensor:
    """Pluses in the even rows; in the odd rows pluses half a cell further, each apart.

    A line is `grain.line` wide. The bars of the odd rows end a line's width apart, about the middle
    of the even rows' pluses.
    """
    half = grain.line / 2
    even = phase(v * 0.5) < 0.5
    level = phase(v).sub_(MIDDLE).abs_() < half
    upright = phase(u).sub_(MIDDLE).abs_()
    shifted = upright > 0.5 - half
    upright = upright < half
    return torch.where(even, level | upright, shifted | (level & ~upright))


PATTERNS: Final[dict[str, Texture]] = {
    function.__name__: function
    for function in (
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
}
"""The pattern of each texture by its name; further textures can be added."""
