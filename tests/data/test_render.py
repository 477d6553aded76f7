"""Images depend on what they show and on nothing else, and show it where their pose says."""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from published_drawings import AREAS
from scipy import stats
from torch import Tensor

from trifeature.data.attributes import COLOR_RGB, COLORS, SHAPES, TEXTURES
from trifeature.data.render import (
    CHUNK,
    GRAY_LEVELS,
    RenderSettings,
    draw_poses,
    nuisance_levels,
    render,
)
from trifeature.data.shapes import SIGNED_DISTANCES
from trifeature.errors import InputError

SMALL: Final = RenderSettings.for_canvas(32)
WHITE: Final = COLORS.index("white")
GRAY: Final = 127

EVERY_LOOK: Final = np.array(
    [(s, t, (s + t) % 10) for s, t in itertools.product(range(10), repeat=2)], dtype=np.int64
)
"""100 images: every shape in every texture, every color ten times."""

each_canvas = pytest.mark.parametrize("canvas", [32, 64, 112, 224])


@pytest.fixture(scope="module")
def small() -> Tensor:
    """`EVERY_LOOK` at 32 pixels."""
    return render(EVERY_LOOK, 0, seed=1, settings=SMALL)


def solid_white(settings: RenderSettings, copies: int = 4) -> Tensor:
    """Each shape a few times, textured solid and colored white."""
    table = [(shape, 0, WHITE) for shape in range(10) for _ in range(copies)]
    return render(table, np.tile(np.arange(copies), 10), seed=2, settings=settings)


def opacity_of(images: Tensor) -> npt.NDArray[np.float64]:
    """How much of each pixel of white images is covered, from 0 to 1."""
    return (images[:, 0].numpy().astype(np.float64) - GRAY) / (255 - GRAY)


# --------------------------------------------------------------------------- the same bytes


@pytest.mark.parametrize("canvas", [32, 64])
def test_an_image_is_the_same_alone_and_in_any_batch(canvas: int) -> None:
    look = RenderSettings.for_canvas(canvas)
    together = render(EVERY_LOOK, 5, seed=1, settings=look)
    for row, image in zip(EVERY_LOOK[::3], together[::3], strict=True):
        assert torch.equal(render([row], 5, seed=1, settings=look)[0], image)


@settings(max_examples=20, deadline=None)
@given(rows=st.lists(st.integers(0, 99), min_size=1, max_size=40))
def test_an_image_is_the_same_in_any_order_and_company(small: Tensor, rows: list[int]) -> None:
    assert torch.equal(render(EVERY_LOOK[rows], 0, seed=1, settings=SMALL), small[rows])


@pytest.mark.parametrize("chunk", [1, 3, 7, 1000])
def test_an_image_is_the_same_whatever_the_chunk(
    small: Tensor, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setitem(CHUNK, "cpu", chunk)
    assert torch.equal(render(EVERY_LOOK, 0, seed=1, settings=SMALL), small)


@pytest.fixture
def threads_restored() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads_restored")
def test_an_image_is_the_same_with_any_number_of_threads() -> None:
    look = RenderSettings.for_canvas(112)
    torch.set_num_threads(1)
    expected = render(EVERY_LOOK[::7], 0, seed=1, settings=look)
    for threads in (2, 5):
        torch.set_num_threads(threads)
        found = render(EVERY_LOOK[::7], 0, seed=1, settings=look)
        assert torch.equal(found, expected), threads


def test_an_image_does_not_hang_on_what_was_drawn_before(small: Tensor) -> None:
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002 - the global generator is what must not matter
    render(EVERY_LOOK[:5], 3, seed=8, settings=SMALL)
    state = torch.get_rng_state()
    assert torch.equal(render(EVERY_LOOK, 0, seed=1, settings=SMALL), small)
    assert torch.equal(torch.get_rng_state(), state)


def test_an_image_does_not_hang_on_the_default_number_format(small: Tensor) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        again = render(EVERY_LOOK, 0, seed=1, settings=SMALL)
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(again, small)


def test_another_seed_or_copy_gives_another_image(small: Tensor) -> None:
    for changed in (
        render(EVERY_LOOK, 0, seed=2, settings=SMALL),
        render(EVERY_LOOK, 1, seed=1, settings=SMALL),
    ):
        assert (small != changed).flatten(1).any(dim=1).all()


def test_no_two_of_many_images_lie_alike() -> None:
    """Keys that collide, or add up alike, would repeat a pose."""
    table = np.array(list(itertools.product(range(10), range(10), range(10), range(3))))
    keys = [
        draw_poses(table[:, :3], table[:, 3], seed=seed, settings=SMALL).key
        for seed in (-1, 0, 1, 2, 2**63)
    ]
    angles = draw_poses(table[:, :3], table[:, 3], seed=0, settings=SMALL).angle
    assert len(np.unique(angles)) == len(table)
    for one, other in itertools.combinations(keys, 2):
        assert (one != other).mean() > 0.999


def test_each_copy_has_its_own_number() -> None:
    at_once = render([[3, 2, 1]] * 4, [0, 7, 2, 7], seed=1, settings=SMALL)
    assert torch.equal(at_once[1], at_once[3])
    assert torch.equal(at_once[2], render([[3, 2, 1]], 2, seed=1, settings=SMALL)[0])
    assert not torch.equal(at_once[0], at_once[1])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@each_canvas
def test_a_gpu_differs_by_one_step_in_few_pixels(canvas: int) -> None:
    look = RenderSettings.for_canvas(canvas)
    here = render(EVERY_LOOK, 0, seed=1, settings=look).int()
    there = render(EVERY_LOOK, 0, seed=1, settings=look, device="cuda").cpu().int()
    assert (here - there).abs().max() <= 1
    assert (here != there).float().mean() < 1e-3


# --------------------------------------------------------------------------- where things lie


def test_angles_positions_and_phases_are_uniform_and_independent() -> None:
    n = 20_000
    look = RenderSettings()
    poses = draw_poses(np.zeros((n, 3), np.int64), np.arange(n), seed=3, settings=look)
    reach = look.box / 2 * (np.cos(poses.angle) + np.abs(np.sin(poses.angle)))
    places = (poses.center - reach[:, None]) / (look.canvas - 2 * reach)[:, None]
    uniform = np.stack(
        [
            poses.angle / (math.pi / 2) + 0.5,
            poses.texture_angle / (math.pi / 2) + 0.5,
            *places.T,
            *poses.phase.T,
            poses.key / 2**32,
        ]
    )
    for numbers in uniform:
        assert stats.kstest(numbers, "uniform").pvalue > 1e-3
    correlations = np.corrcoef(uniform) - np.eye(len(uniform))
    assert np.abs(correlations).max() < 4.5 / math.sqrt(n)


def test_poses_of_neighboring_images_are_uniform_too() -> None:
    """The same copy of all 1,000 combinations, for ten neighboring seeds."""
    table = np.array(list(itertools.product(range(10), repeat=3)))
    angles = np.concatenate(
        [
            draw_poses(table, np.zeros(1000, np.int64), seed=seed, settings=SMALL).angle
            for seed in range(10)
        ]
    )
    assert stats.kstest(angles / (math.pi / 2) + 0.5, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(angles[1:], angles[:-1])[0, 1]) < 0.04


@settings(max_examples=50, deadline=None)
@given(
    canvas=st.integers(32, 500),
    fill=st.floats(0.4, 1),
    max_angle=st.floats(0, 45),
    seed=st.integers(0, 2**40),
)
def test_the_corners_of_every_rotated_box_lie_on_the_canvas(
    canvas: int, fill: float, max_angle: float, seed: int
) -> None:
    turn = math.radians(max_angle)
    box = fill * canvas / (math.cos(turn) + math.sin(turn)) * (1 - 1e-12)
    look = RenderSettings(canvas=canvas, box=box, period=4.0, line=1.0, max_angle=max_angle)
    poses = draw_poses(EVERY_LOOK, np.arange(100), seed=seed, settings=look)
    assert (np.abs(poses.angle) <= turn + 1e-12).all()
    for right, down in itertools.product((-box / 2, box / 2), repeat=2):
        x = poses.center[:, 0] + right * np.cos(poses.angle) - down * np.sin(poses.angle)
        y = poses.center[:, 1] + right * np.sin(poses.angle) + down * np.cos(poses.angle)
        assert min(x.min(), y.min()) >= -1e-9
        assert max(x.max(), y.max()) <= canvas + 1e-9


@each_canvas
def test_no_part_of_a_shape_is_cut_off(canvas: int) -> None:
    look = RenderSettings.for_canvas(canvas)
    covered = opacity_of(solid_white(look)).sum(axis=(1, 2)) / look.box**2
    expected = np.repeat([AREAS[name] / 128**2 for name in SHAPES], 4)
    np.testing.assert_allclose(covered, expected, atol=0.25 / look.box + 0.005)


@each_canvas
def test_nothing_but_background_lies_outside_the_rotated_box(canvas: int) -> None:
    """Anti-aliasing lengthens the star's arms, tips of 23.5°, by ½ px / sin 11.75° = 2.5 px."""
    look = RenderSettings.for_canvas(canvas)
    images = render(EVERY_LOOK, 0, seed=1, settings=look).permute(0, 2, 3, 1).numpy()
    poses = draw_poses(EVERY_LOOK, np.zeros(100, np.int64), seed=1, settings=look)
    ticks = np.arange(canvas) + 0.5
    for image, center, angle in zip(images, poses.center, poses.angle, strict=True):
        dx, dy = np.meshgrid(ticks - center[0], ticks - center[1])
        right = np.cos(angle) * dx + np.sin(angle) * dy
        down = -np.sin(angle) * dx + np.cos(angle) * dy
        outside = np.maximum(np.abs(right), np.abs(down)) > look.box / 2 + 2.5
        assert (image[outside] == GRAY).all()
        assert (image[~outside] != GRAY).any()


def test_a_positive_angle_turns_shape_and_texture_clockwise() -> None:
    """A plain loop over the pixels of striped squares, by the definition of a rotation."""
    look = RenderSettings(canvas=48, box=30.0, period=10.0)
    table = np.tile([SHAPES.index("square"), TEXTURES.index("stripes"), WHITE], (4, 1))
    poses = draw_poses(table, np.arange(4), seed=4, settings=look)
    images = render(table, np.arange(4), seed=4, settings=look)[:, 0].tolist()
    wrong = 0
    for n, (x, y) in itertools.product(range(4), itertools.product(range(48), repeat=2)):
        dx, dy = x + 0.5 - poses.center[n, 0], y + 0.5 - poses.center[n, 1]
        a, b = poses.angle[n], poses.texture_angle[n]
        right, down = math.cos(a) * dx + math.sin(a) * dy, math.cos(a) * dy - math.sin(a) * dx
        depth = 15 - max(abs(right), abs(down))
        phase = (math.cos(b) * dy - math.sin(b) * dx) / 10 + 2 * poses.phase[n, 1]
        on = depth > 0.5 and phase - math.floor(phase) < 0.3
        if abs(depth) > 0.5:
            wrong += images[n][y][x] != (255 if on else GRAY)
    assert wrong <= 4


def test_shapes_stand_upright_when_nothing_turns() -> None:
    look = RenderSettings(canvas=64, box=64.0, period=8.0, max_angle=0)
    triangle, rhombus = opacity_of(render([[0, 0, WHITE], [5, 0, WHITE]], 0, seed=0, settings=look))
    assert triangle[-1].mean() > 0.98
    assert triangle[0].sum() == pytest.approx(0.5, abs=0.6)
    assert rhombus[0, 34:62].min() == 1
    assert rhombus[0, :30].max() == 0
    assert rhombus[-1, 2:30].min() == 1


def test_a_halved_canvas_shows_the_same_picture_at_half_the_size() -> None:
    large, half = (opacity_of(solid_white(RenderSettings.for_canvas(s))) for s in (224, 112))
    pooled = large.reshape(len(large), 112, 2, 112, 2).mean(axis=(2, 4))
    assert np.abs(pooled - half).max() < 0.35  # an edge pixel's ramp
    assert np.abs(pooled - half).mean() < 2e-3


@pytest.mark.parametrize("factor", [2, 3])
def test_oversampling_is_the_mean_of_a_finer_picture(factor: int) -> None:
    fine = RenderSettings(canvas=32 * factor, box=22.0 * factor, period=8.0 * factor)
    fine = replace(fine, grain=2.0 * factor, line=2.0 * factor)
    coarse = RenderSettings(canvas=32, box=22, period=8, grain=2, line=2, oversample=factor)
    large = render(EVERY_LOOK, 0, seed=6, settings=fine).double()
    pooled = torch.nn.functional.avg_pool2d(large, factor)
    averaged = render(EVERY_LOOK, 0, seed=6, settings=coarse).double()
    difference = (pooled - averaged).abs()
    assert difference.max() < 255 / factor**2 + 1  # a sample on the very edge of a texture
    assert (difference > 1).double().mean() < 1e-3


@pytest.mark.parametrize("texture", TEXTURES)
def test_a_textured_square_shows_the_textures_share_of_its_color(texture: str) -> None:
    shares = dict(
        zip(TEXTURES, (1, 0.3, 0.51, 0.488, 0.45, 0.5, 0.32, 0.4, 0.302, 0.465), strict=True)
    )
    table = np.tile([SHAPES.index("square"), TEXTURES.index(texture), WHITE], (8, 1))
    images = render(table, np.arange(8), seed=7)
    assert opacity_of(images).sum() / 8 / 128**2 == pytest.approx(shares[texture], abs=0.015)


# --------------------------------------------------------------------------- colors


def rounded(value: Fraction) -> int:
    """A brightness from 0 to 1 in 255 steps, rounded down."""
    return math.floor(value * 255)


@each_canvas
@pytest.mark.parametrize("color", COLORS)
def test_the_color_inside_a_solid_circle_is_exact(canvas: int, color: str) -> None:
    look = RenderSettings.for_canvas(canvas)
    row = np.array([[SHAPES.index("circle"), 0, COLORS.index(color)]])
    image = render(row, 0, seed=1, settings=look)[0].permute(1, 2, 0).numpy()
    x, y = draw_poses(row, np.zeros(1, np.int64), seed=1, settings=look).center[0]
    ticks = np.arange(canvas) + 0.5
    distance = np.hypot(*np.meshgrid(ticks - x, ticks - y))
    expected = [rounded(Fraction(str(c))) for c in COLOR_RGB[color]]
    assert (image[distance < look.box / 2 - 1] == expected).all()
    assert (image[distance > look.box / 2 + 1] == GRAY).all()


def test_every_pixel_is_a_blend_of_background_and_color(small: Tensor) -> None:
    for (_, _, color), image in zip(EVERY_LOOK, small.double(), strict=True):
        contrast = 255 * torch.tensor(COLOR_RGB[COLORS[color]]).double() - 127.5
        opacity = ((image - 127.5) / contrast[:, None, None])[contrast.abs() > 1]
        error = 1.01 / contrast.abs()[contrast.abs() > 1].min()
        assert opacity.min() > -error
        assert opacity.max() < 1 + error
        assert (opacity.amax(dim=0) - opacity.amin(dim=0)).max() < 2 * error


@pytest.mark.parametrize(("background", "gray"), [(0.0, 0), (0.25, 63), (0.5, 127), (1.0, 255)])
def test_the_background_has_the_gray_level_asked_for(background: float, gray: int) -> None:
    image = render([[3, 0, 0]], 0, seed=1, settings=replace(SMALL, background=background))[0]
    corners = image[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == gray).all()


def test_edges_are_smooth() -> None:
    opacity = opacity_of(solid_white(RenderSettings()))
    partly = ((opacity > 0.05) & (opacity < 0.95)).mean()
    assert 0.001 < partly < 0.02


# --------------------------------------------------------------------------- old drawings


@pytest.mark.parametrize(
    ("canvas", "checksum"),
    [
        (32, "a17261b119540fc18dbeb1e1f7bc6904ce44fa12229894ce6525a5e8860e5eff"),
        (56, "cef29e2ec8dc67439e73f154cc49fdf229aa395988bda59eba7048485fecce72"),
        (112, "5170819c3e0baa506b8d3819bf8f4f22d980a9cc96f3188659f7fef3f39685d8"),
        (224, "99f1f546ddf9a92efd1d8ae623db7a08c6cf98964dabfd74f3ea66296556924f"),
    ],
)
def test_old_drawings_keep_every_bit(canvas: int, checksum: str) -> None:
    """The checksums are of images that the package drew before it knew the published drawings."""
    look = replace(RenderSettings.for_canvas(canvas), drawings="old")
    table = [[k, k, k] for k in range(10)] + [[k, (k + 3) % 10, (k + 6) % 10] for k in range(10)]
    images = render(table, np.arange(20) % 4, seed=11, settings=look)
    assert hashlib.sha256(images.numpy().tobytes()).hexdigest() == checksum


# --------------------------------------------------------------------------- other values

HEART: Final = {"shape": ("square", "heart"), "texture": ("dots", "solid"), "color": ("red", "tan")}


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIGNED_DISTANCES, "heart", SIGNED_DISTANCES["circle"])
    monkeypatch.setitem(COLOR_RGB, "tan", (0.8, 0.6, 0.2))


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("drawings", ["published", "old"])
def test_a_registered_value_is_drawn_beside_the_packages_own(drawings: str) -> None:
    look = replace(SMALL, drawings=drawings)
    images = render([[1, 1, 1], [0, 0, 0]], 0, seed=1, settings=look, values=HEART)
    assert {204, 153, 51} <= set(images[0].unique().tolist())
    own = [[SHAPES.index("square"), TEXTURES.index("dots"), COLORS.index("red")]]
    assert torch.equal(images[1], render(own, 0, seed=1, settings=look)[0])


@pytest.mark.usefixtures("registered")
def test_the_pose_of_a_registered_value_hangs_on_its_name_alone() -> None:
    row = np.array([[1, 0, 0]])
    others = {**HEART, "shape": ("heart", "square")}
    expected = draw_poses(row, np.zeros(1, int), seed=1, settings=SMALL, values=HEART)
    moved = draw_poses(row * 0, np.zeros(1, int), seed=1, settings=SMALL, values=others)
    renamed = {**HEART, "shape": ("square", "leaf")}
    other = draw_poses(row, np.zeros(1, int), seed=1, settings=SMALL, values=renamed)
    assert expected.key == moved.key
    assert expected.key != other.key


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([1, 0, 0], "shape 'heart' has no drawing here "),
        ([0, 0, 1], "color 'tan' has no drawing here: did you mean 'cyan'?"),
    ],
)
def test_a_value_without_a_drawing_is_refused(row: list[int], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        render([row], 0, seed=1, settings=SMALL, values=HEART)
    assert render([[0, 0, 0]], 0, seed=1, settings=SMALL, values=HEART).shape == (1, 3, 32, 32)


# --------------------------------------------------------------------------- looks


def looked(look: str, settings: RenderSettings = SMALL) -> npt.NDArray[np.int64]:
    """Red squares, half of them with dots, in a look."""
    table = [[SHAPES.index("square"), TEXTURES.index(name), 0] for name in ("solid", "dots")]
    images = render(table, 3, seed=5, settings=settings, look=look)
    assert images.shape == (2, 3, settings.canvas, settings.canvas)
    return images.numpy().astype(np.int64)


@each_canvas
def test_a_gray_image_is_the_white_one_in_the_pose_of_its_color(canvas: int) -> None:
    look = RenderSettings.for_canvas(canvas)
    gray, color = looked("gray", look), looked("color", look)
    assert (gray == gray[:, :1]).all()
    # Red is 0 in green, so its opacity there is (127.5 − pixel) / 127.5; white rises as far.
    assert np.abs((gray[:, 0] - 127.5) + (color[:, 1] - 127.5)).max() <= 1


def test_a_silhouette_is_the_solid_shape_whatever_the_texture() -> None:
    solid, dotted = looked("silhouette")
    assert (solid == looked("gray")[0]).all()
    inside = looked("gray")[1] > GRAY
    assert (dotted[inside] > GRAY).all()
    assert set(np.unique(dotted)) >= {GRAY, 255}
    assert dotted.sum() > looked("gray")[1].sum()


@pytest.mark.parametrize(("canvas", "width"), [(112, 1), (224, 1), (448, 2)])
def test_edges_are_a_thin_line_around_the_drawing(canvas: int, width: int) -> None:
    look = replace(RenderSettings.for_canvas(canvas), max_angle=0)
    solid, dotted = looked("edges", look)[:, 0] > 191
    side = round(solid.sum() / 4 / width) + width
    assert side == pytest.approx(look.box, abs=2)
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    assert np.ptp(rows) + 1 == pytest.approx(look.box, abs=2)
    middle = solid[rows[0] + width : rows[-1] + 1 - width, columns[0] + width : -1]
    assert not middle[:, : np.ptp(columns) - 2 * width].any()
    filled = looked("gray", look)[1, 0] > 191
    assert (filled | ~dotted).all()
    assert 0.2 * filled.sum() < dotted.sum() < filled.sum()


@pytest.mark.parametrize("look", ["gray", "edges", "silhouette"])
def test_only_the_look_color_shows_the_color(look: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = render(EVERY_LOOK, 0, seed=1, settings=SMALL, look=look)
    for name in COLORS:
        monkeypatch.setitem(COLOR_RGB, name, (0.1, 0.9, 0.3))
    assert torch.equal(render(EVERY_LOOK, 0, seed=1, settings=SMALL, look=look), before)


@pytest.mark.parametrize("look", ["caption", "colour"])
def test_a_look_that_is_no_picture_is_refused(look: str) -> None:
    with pytest.raises(InputError, match="unknown look"):
        render([[0, 0, 0]], 0, seed=1, settings=SMALL, look=look)


# --------------------------------------------------------------------------- nuisances


def levels_of(nuisance: str, count: int) -> tuple[npt.NDArray[np.int64], RenderSettings]:
    look = replace(SMALL, nuisance=nuisance)
    levels = nuisance_levels(np.zeros((count, 3)), np.arange(count), seed=2, settings=look)
    return levels, look


@pytest.mark.parametrize("nuisance", ["background", "position", "rotation"])
def test_the_four_levels_of_a_nuisance_are_equally_frequent(nuisance: str) -> None:
    levels, _ = levels_of(nuisance, 8000)
    assert stats.chisquare(np.bincount(levels, minlength=4)).pvalue > 1e-3
    assert set(levels) == {0, 1, 2, 3}


def test_without_a_nuisance_every_level_is_0() -> None:
    assert not levels_of("none", 10)[0].any()


def test_levels_of_rotation_and_position_are_read_off_the_pose() -> None:
    turned, look = levels_of("rotation", 500)
    poses = draw_poses(np.zeros((500, 3), int), np.arange(500), seed=2, settings=look)
    quarter = math.pi / 8
    expected = np.digitize(poses.angle, [-quarter, 0, quarter])
    np.testing.assert_array_equal(turned, expected)
    placed, _ = levels_of("position", 500)
    right, lower = (poses.center > look.canvas / 2).T
    np.testing.assert_array_equal(placed, 2 * lower + right)


@pytest.mark.parametrize("nuisance", ["position", "rotation"])
def test_a_nuisance_of_the_pose_changes_no_pixel(small: Tensor, nuisance: str) -> None:
    again = render(EVERY_LOOK, 0, seed=1, settings=replace(SMALL, nuisance=nuisance))
    assert torch.equal(again, small)


def test_the_background_has_the_gray_of_its_level_and_the_pose_stays() -> None:
    look = replace(SMALL, nuisance="background")
    images = render(EVERY_LOOK, 0, seed=1, settings=look, look="silhouette")
    levels = nuisance_levels(EVERY_LOOK, 0, seed=1, settings=look)
    assert GRAY_LEVELS == (0.2, 0.4, 0.6, 0.8)
    darkest = images.flatten(1).amin(dim=1)
    assert darkest.tolist() == [(51, 102, 153, 204)[level] for level in levels]
    plain = render(EVERY_LOOK, 0, seed=1, settings=SMALL, look="silhouette")
    assert torch.equal(images == 255, plain == 255)


# --------------------------------------------------------------------------- arguments


def test_images_are_uint8_batches_of_three_channels(small: Tensor) -> None:
    assert small.dtype == torch.uint8
    assert small.shape == (100, 3, 32, 32)
    assert small.is_contiguous()


def test_the_papers_settings_are_the_default() -> None:
    assert torch.equal(
        render([[7, 8, 9]], 0, seed=1),
        render([[7, 8, 9]], 0, seed=1, settings=RenderSettings.for_canvas(224)),
    )


def test_no_images_are_an_empty_batch() -> None:
    assert render(np.zeros((0, 3)), 0, seed=1, settings=SMALL).shape == (0, 3, 32, 32)


def test_progress_counts_up_to_the_number_of_images() -> None:
    done: list[int] = []
    table = [[shape, 0, color] for color in range(10) for shape in range(2)]
    render(table, 0, seed=1, settings=SMALL, progress=done.append)
    assert done == [8, 10, 18, 20]


@pytest.mark.parametrize(
    ("attributes", "copies", "message"),
    [
        ([[10, 0, 0]], 0, "shape indices must be from 0 to 9"),
        ([[0, -1, 0]], 0, "texture indices must be from 0 to 9"),
        ([[0, 0, 99]], 0, "color indices must be from 0 to 9"),
        ([[0, 0]], 0, r"attributes must be \[N, 3\] .* not \[1, 2\]"),
        ([0, 0, 0], 0, r"attributes must be \[N, 3\] .* not \[3\]"),
        ([[0, 0, 0]] * 2, [0, 1, 2], "copies"),
    ],
)
def test_attributes_outside_the_vocabulary_are_refused(
    attributes: Any, copies: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        render(attributes, copies, seed=0, settings=SMALL)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"canvas": 31}, "canvas must be a whole number from 32 to 4096, not 31"),
        ({"canvas": 5000}, "canvas must be a whole number from 32 to 4096, not 5000"),
        ({"canvas": 64.0}, "canvas must be a whole number from 32 to 4096, not 64.0"),
        ({"canvas": "64"}, "canvas must be a whole number from 32 to 4096, not '64'"),
        ({"canvas": True}, "canvas must be a whole number from 32 to 4096, not True"),
        ({"box": 7.0}, "box must be from 8 to 158.392"),
        ({"box": 159.0}, "so that it can rotate inside 224 px, not 159"),
        ({"box": math.nan}, "box must be from 8 to"),
        ({"period": 1.0}, "period must be from 2 to 128, not 1"),
        ({"period": 129.0}, "period must be from 2 to 128, not 129"),
        ({"grain": 0.1}, "grain must be from 0.5 to 10, not 0.1"),
        ({"grain": 11.0}, "grain must be from 0.5 to 10, not 11"),
        ({"line": 0.0}, "line must be from 0.25 to 10, not 0"),
        ({"max_angle": 46.0}, "max_angle must be from 0 to 45, not 46"),
        ({"max_angle": -1.0}, "max_angle must be from 0 to 45, not -1"),
        ({"background": 1.5}, "background must be from 0 to 1, not 1.5"),
        ({"background": math.inf}, "background must be from 0 to 1, not inf"),
        ({"oversample": 0}, "oversample must be a whole number from 1 to 8, not 0"),
        ({"oversample": 9}, "oversample must be a whole number from 1 to 8, not 9"),
        ({"oversample": 1.5}, "oversample must be a whole number from 1 to 8, not 1.5"),
    ],
)
def test_a_setting_out_of_range_is_refused_with_the_range(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        RenderSettings(**changes)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@given(st.integers(32, 4096))
def test_there_are_settings_for_any_canvas(canvas: int) -> None:
    look = RenderSettings.for_canvas(canvas)
    assert look.canvas == canvas
    assert look.period / look.grain >= 4
    assert 0.5 <= look.box / canvas <= 2**-0.5


@pytest.mark.parametrize("scale", [0.5, 1, 2])
def test_large_canvases_keep_the_papers_proportions(scale: float) -> None:
    look = RenderSettings.for_canvas(int(224 * scale))
    assert (look.box, look.period, look.line) == (128 * scale, 10 * scale, 3 * scale)
