"""The ten textures against closed forms and a scalar reference that looks for the nearest mark."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Final

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from trifeature.data.attributes import TEXTURES
from trifeature.data.textures import PATTERNS, Grain, hash32

PAPER: Final = {"cells_per_period": 10.0, "line": 0.3, "radius": 10.0}
"""The paper's texture: a period of 10 pixels, cells of 1 and lines of 3."""

RANDOM: Final = ("noise", "rain")
REGULAR: Final = tuple(name for name in TEXTURES if name not in RANDOM)

each_texture = pytest.mark.parametrize("name", TEXTURES)
each_regular = pytest.mark.parametrize("name", REGULAR)


def grain_of(*keys: int, **changes: float) -> Grain:
    settings = PAPER | changes
    return Grain(keys=torch.tensor(keys or (0,), dtype=torch.int32)[:, None], **settings)


def pattern(name: str, u: Tensor, v: Tensor, grain: Grain | None = None) -> Tensor:
    return PATTERNS[name](u.clone(), v.clone(), grain or grain_of())


def lattice(periods: int, per_period: int, images: int = 1) -> tuple[Tensor, Tensor]:
    """Points (u, v) [images, H, W] at the centers of cells that are exact in float32."""
    ticks = (torch.arange(periods * per_period) + 0.5) / per_period - periods / 2
    v, u = torch.meshgrid(ticks, ticks, indexing="ij")
    return u.expand(images, -1, -1), v.expand(images, -1, -1)


# --------------------------------------------------------------------------- how much is on


SHARES: Final = {
    "solid": 1,
    "stripes": 0.3,
    "grid": 1 - 0.7**2,
    # Where v runs through many periods, the phases of the three families are independent.
    "hexgrid": 1 - 0.8**3,
    "dots": 0.45,
    "noise": 1 / 2,
    "triangles": 0.8**2 / 2,
    "zigzags": 0.4,
    "rain": 1 - 0.95**7,
    # Of a line ℓ wide, even rows cover 1 − (1 − ℓ)², odd rows ℓ + ℓ (1 − 2ℓ).
    "pluses": (1 - 0.7**2 + 0.3 + 0.3 * 0.4) / 2,
}


@each_texture
def test_it_covers_its_share_of_the_plane(name: str) -> None:
    u, v = lattice(periods=16, per_period=32, images=2)
    on = pattern(name, u, v, grain_of(7, -(2**30)))
    tolerance = {"hexgrid": 0.01, "noise": 0.01, "rain": 0.02}.get(name, 0.03)
    assert on.dtype == torch.bool
    assert on.float().mean().item() == pytest.approx(SHARES[name], abs=tolerance)


@pytest.mark.parametrize("cells_per_period", [2.0, 4.0, 10.0, 16.5])
def test_rain_covers_the_same_share_whatever_the_size_of_its_drops(cells_per_period: float) -> None:
    u, v = lattice(periods=16, per_period=33, images=8)
    on = pattern("rain", u, v, grain_of(*range(8), cells_per_period=cells_per_period))
    assert on.float().mean().item() == pytest.approx(SHARES["rain"], abs=0.03)


@pytest.mark.parametrize("line", [0.125, 0.25, 0.375])
def test_pluses_are_as_thick_as_asked(line: float) -> None:
    u, v = lattice(periods=4, per_period=64)
    share = pattern("pluses", u, v, grain_of(line=line)).float().mean().item()
    even, odd = 1 - (1 - line) ** 2, line + line * (1 - 2 * line)
    assert share == pytest.approx((even + odd) / 2, abs=1e-6)


# --------------------------------------------------------------------------- where it is on


def near(value: float, center: float, half: float) -> bool:
    """Whether a point lies within `half` of center + k for a whole k."""
    return any(abs(value - (center + k)) < half for k in range(-20, 21))


def dots_reference(u: float, v: float) -> bool:
    centers = [(i + 0.55, j + 0.55) for i in range(-5, 5) for j in range(-5, 5)]
    return any(math.pi * math.dist((u, v), center) ** 2 < 0.45 for center in centers)


def triangles_reference(u: float, v: float) -> bool:
    """Inside the triangle with apex (.55, .2) and base from (.15, 1) to (.95, 1) of its cell."""
    x, y = u - math.floor(u), v - math.floor(v)
    corners = [(0.55, 0.2), (0.95, 1.0), (0.15, 1.0)]
    sides = zip(corners, corners[1:] + corners[:1], strict=True)
    return all((bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0 for (ax, ay), (bx, by) in sides)


def hexgrid_reference(u: float, v: float) -> bool:
    slant = 1.73 * (v - 0.05) - 0.05
    return near(v, 0.1, 0.1) or near(u + slant, 0.1, 0.1) or near(u - slant, 0.1, 0.1)


def zigzags_reference(u: float, v: float) -> bool:
    """0.4 wide about a line that goes right by half a period in a row and back in the next."""
    down = v % 2
    middle = 0.25 + 0.5 * down if down < 1 else 0.75 - 0.5 * (down - 1)
    return near(u, middle, 0.2)


def pluses_reference(u: float, v: float) -> bool:
    level = near(v, 0.55, 0.15)
    if math.floor(v) % 2 == 0:
        return level or near(u, 0.55, 0.15)
    return near(u, 0.05, 0.15) or (level and not near(u, 0.55, 0.15))


REFERENCES: Final[dict[str, Callable[[float, float], bool]]] = {
    "solid": lambda u, v: True,  # noqa: ARG005 - on whatever the point
    "stripes": lambda u, v: near(v, 0.15, 0.15),  # noqa: ARG005 - stripes run along u
    "grid": lambda u, v: near(u, 0.15, 0.15) or near(v, 0.15, 0.15),
    "hexgrid": hexgrid_reference,
    "dots": dots_reference,
    "triangles": triangles_reference,
    "zigzags": zigzags_reference,
    "pluses": pluses_reference,
}


@each_regular
def test_it_is_on_where_a_scalar_reference_says(name: str) -> None:
    points = 8 * torch.rand(2, 1, 1, 600, generator=torch.Generator().manual_seed(5)) - 4
    on = pattern(name, points[0], points[1])
    expected = [REFERENCES[name](u, v) for u, v in points.flatten(1).T.tolist()]
    assert on.flatten().tolist() == expected


def test_there_is_one_pattern_for_each_texture_in_order() -> None:
    assert list(PATTERNS) == list(TEXTURES)


# --------------------------------------------------------------------------- repetition


@pytest.mark.parametrize(
    ("name", "shift"),
    [
        ("stripes", (0, 1)),
        ("stripes", (Fraction(3, 8), 0)),
        ("grid", (1, 0)),
        ("grid", (0, 1)),
        ("dots", (1, 0)),
        ("dots", (0, 1)),
        ("triangles", (1, 0)),
        ("triangles", (0, 1)),
        ("hexgrid", (1, 0)),
        ("zigzags", (1, 0)),
        ("zigzags", (0, 2)),
        ("pluses", (1, 0)),
        ("pluses", (0, 2)),
    ],
)
def test_it_repeats_after_its_period(name: str, shift: tuple[Fraction, Fraction]) -> None:
    u, v = lattice(periods=4, per_period=64)
    moved = pattern(name, u + float(shift[0]), v + float(shift[1]))
    assert torch.equal(pattern(name, u, v), moved)


@pytest.mark.parametrize(
    ("name", "shift"),
    [
        ("stripes", (0, 0.5)),
        ("grid", (0.5, 0.5)),
        ("hexgrid", (0, 0.5)),
        ("dots", (0.5, 0)),
        ("triangles", (0, 0.5)),
        ("zigzags", (0, 1)),
        ("noise", (1, 0)),
        ("noise", (0, 1)),
        ("rain", (1, 0)),
        ("pluses", (0, 1)),
    ],
)
def test_it_does_not_repeat_sooner(name: str, shift: tuple[float, float]) -> None:
    u, v = lattice(periods=4, per_period=64)
    moved = pattern(name, u + shift[0], v + shift[1])
    assert (pattern(name, u, v) ^ moved).float().mean() > 0.1


@pytest.mark.parametrize(
    ("name", "twice_the_axis"),
    [
        ("stripes", 0),
        ("grid", 0.3),
        ("hexgrid", 0.2),
        ("dots", 0.1),
        ("triangles", 0.1),
        ("pluses", 0.1),
    ],
)
def test_left_and_right_are_mirror_images(name: str, twice_the_axis: float) -> None:
    points = 6 * torch.rand(2, 1, 1, 5000, generator=torch.Generator().manual_seed(6)) - 3
    u, v = points
    assert torch.equal(pattern(name, u, v), pattern(name, twice_the_axis - u, v))


@pytest.mark.parametrize("name", ["grid", "dots"])
def test_rows_and_columns_can_be_exchanged(name: str) -> None:
    u, v = lattice(periods=4, per_period=64)
    assert torch.equal(pattern(name, u, v), pattern(name, v, u))


# --------------------------------------------------------------------------- random cells


@pytest.mark.parametrize("name", RANDOM)
def test_a_random_texture_is_constant_inside_a_cell(name: str) -> None:
    u, v = lattice(periods=8, per_period=80)
    on = pattern(name, u, v, grain_of(3))[0]
    cells = on.unfold(0, 8, 8).unfold(1, 8, 8).flatten(2)
    assert torch.equal(cells.all(dim=2), cells.any(dim=2))


@pytest.mark.parametrize("name", RANDOM)
def test_a_random_texture_depends_on_the_key_of_its_image_alone(name: str) -> None:
    u, v = lattice(periods=8, per_period=20, images=3)
    first, other, again = pattern(name, u, v, grain_of(11, 12, 11))
    alone = pattern(name, u[:1], v[:1], grain_of(12))[0]
    assert torch.equal(first, again)
    assert torch.equal(other, alone)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("offset", [(0, 1), (1, 0), (1, 1), (0, 10), (10, 0)])
def test_cells_of_noise_are_independent_of_one_another(offset: tuple[int, int]) -> None:
    u, v = lattice(periods=16, per_period=10, images=4)
    cells = 2 * pattern("noise", u, v, grain_of(*range(4))).float() - 1
    products = cells * cells.roll(offset, dims=(1, 2))
    assert abs(products.mean().item()) < 4 / math.sqrt(cells.numel())


def test_noise_of_neighboring_keys_is_independent() -> None:
    u, v = lattice(periods=16, per_period=10, images=8)
    cells = 2 * pattern("noise", u, v, grain_of(*range(8))).float().flatten(1) - 1
    correlations = (cells @ cells.T / cells.shape[1]) - torch.eye(8)
    assert correlations.abs().max().item() < 5 / math.sqrt(cells.shape[1])


def test_streaks_of_rain_are_seven_tenths_of_a_period_high_and_one_cell_wide() -> None:
    u, v = lattice(periods=16, per_period=10)
    wet = pattern("rain", u, v, grain_of(5))[0].numpy()
    runs = [
        run
        for column in wet.T[:, 7:-7]
        for run in "".join("x" if cell else " " for cell in column).strip("x").split()
    ]
    lengths = np.array([len(run) for run in runs])
    assert lengths.min() == 7
    # A streak stays alone unless one of the 7 cells below its start starts another.
    assert (lengths == 7).mean() == pytest.approx(0.95**7, abs=0.06)
    sideways = np.corrcoef(wet[:, 1:].ravel(), wet[:, :-1].ravel())[0, 1]
    assert abs(sideways) < 0.05


def test_a_streak_of_rain_need_not_be_a_whole_number_of_cells_high() -> None:
    u, v = lattice(periods=16, per_period=40)
    wet = pattern("rain", u, v, grain_of(5, cells_per_period=4.0))[0].numpy()
    columns = ["".join("x" if on else " " for on in column).strip("x") for column in wet.T[::10]]
    assert min(len(run) for column in columns for run in column.split()) == 28  # 0.7 of 40


@pytest.mark.parametrize("cells_per_period", [1.0, 3.7, 10.0])
def test_the_random_cells_reach_as_far_as_a_point_can_lie(cells_per_period: float) -> None:
    """Had the lattice ended sooner, its last cell would repeat along the way out."""
    grain = grain_of(*range(16), cells_per_period=cells_per_period, radius=6.0)
    along = torch.linspace(-5, 5, 101)[None, :, None].expand(16, -1, 1)
    for sign in (-1, 1):
        last = torch.full_like(along, sign * 5.999)
        before = last - sign / cells_per_period
        assert not torch.equal(
            pattern("noise", last, along, grain), pattern("noise", before, along, grain)
        )
        assert not torch.equal(
            pattern("noise", along, last, grain), pattern("noise", along, before, grain)
        )


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=20))
def test_the_hash_is_lowbias32_whatever_the_batch(values: list[int]) -> None:
    def lowbias32(x: int) -> int:
        x ^= x >> 16
        x = x * 0x7FEB352D % 2**32
        x ^= x >> 15
        x = x * 0x846CA68B % 2**32
        return x ^ (x >> 16)

    hashed = hash32(torch.tensor(values, dtype=torch.int32))
    assert hashed.dtype == torch.int32
    assert [h % 2**32 for h in hashed.tolist()] == [lowbias32(v % 2**32) for v in values]
