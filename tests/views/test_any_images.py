"""Views of images of any number of channels and any size; those of square RGB stay as they were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from scipy import stats
from torch import Tensor
from torchvision.transforms import v2
from torchvision_views import one_by_one, random_images, seeded
from view_sets import BARE, PRESETS

from trifeature.errors import InputError
from trifeature.views.images import apply, augment, draw, normalization
from trifeature.views.sets import (
    ALL,
    ALL_WITHOUT_CROP,
    CLEAN,
    IMAGENET_MEAN,
    IMAGENET_STD,
    ViewSet,
)

# ----------------------------------------------------------------- square RGB, as ever


def waves() -> Tensor:
    """Four images without random numbers, uint8 [4, 3, 24, 24]."""
    step = torch.arange(4 * 3 * 24 * 24, dtype=torch.float64).reshape(4, 3, 24, 24)
    return (127.5 * (1 + (0.37 * step).sin())).to(torch.uint8)


# Boxes (top, left, height, width) of four samples, and every fourth of their pixels at rows and
# columns 0 and 12, as the version that knew square RGB alone made them. The blurred samples
# (all but the second of the first two sets) are as `one_by_one` makes them.
PINNED: dict[str, tuple[list[list[int]], list[float]]] = {
    "all": (
        [[11, 6, 0, 2], [3, 3, 5, 7], [7, 14, 22, 16], [7, 13, 17, 13]],
        [
            *(0.19162, 0.325362, 0.546138, 0.292623, 0.42862, 0.648937),
            *(-1.085236, -1.09516, -0.933753, -0.255647, 1.426158, 1.66368),
        ],
    ),
    "all without crop": (
        [[0, 0, 0, 0], [0, 0, 0, 0], [24, 24, 24, 24], [24, 24, 24, 24]],
        [
            *(1.97451, 2.148049, 2.360724, 0.224828, 0.359311, 0.579936),
            *(-0.859104, -0.184507, 0.172038, 1.14023, 1.367359, 1.529312),
        ],
    ),
    "light": (
        [[5, 3, 0, 0], [1, 2, 3, 5], [17, 20, 24, 22], [17, 18, 19, 17]],
        [
            *(1.598168, 0.80042, -0.096383, 1.495419, 0.660364, -0.235817),
            *(-1.980906, -1.247899, 0.008192, -0.833547, 0.397759, 1.663965),
        ],
    ),
    "clean": (
        [[0, 0, 0, 0], [0, 0, 0, 0], [24, 24, 24, 24], [24, 24, 24, 24]],
        [
            *(0.05694, -0.897759, -1.47329, -2.117904, -1.808123, -0.845839),
            *(-0.148557, 1.098039, 2.186841, 2.214659, 2.271008, 1.820828),
        ],
    ),
}


@pytest.mark.parametrize("name", PRESETS)
def test_square_color_images_have_the_views_that_they_always_had(name: str) -> None:
    boxes, pixels = PINNED[name]
    params = draw(PRESETS[name], 4, 24, seeded(3))
    sides = (params.top, params.left, params.height, params.width)
    assert [side.tolist() for side in sides] == boxes
    found = apply(waves(), params, PRESETS[name])[:, :, ::12, ::12].flatten()[::4]
    # Pinned to 6 digits; processors differ in the last bits.
    torch.testing.assert_close(found, torch.tensor(pixels), rtol=0, atol=1e-5)


# ----------------------------------------------------------------- against torchvision


@pytest.mark.parametrize("views", PRESETS.values(), ids=PRESETS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("canvas", "size"),
    [((24, 40), (24, 40)), ((40, 24), (40, 24)), ((33, 20), (16, 48)), ((7, 30), (30, 7))],
    ids=str,
)
def test_rectangles_are_what_torchvision_makes_of_them(
    views: ViewSet, channels: int, canvas: tuple[int, int], size: tuple[int, int]
) -> None:
    images = random_images(24, canvas, channels=channels)
    params = draw(views, 24, canvas, seeded())
    expected = one_by_one(images, params, normalization(views, channels), size)
    assert expected.shape == (24, channels, *size)
    torch.testing.assert_close(apply(images, params, views, size=size), expected, rtol=0, atol=5e-5)


def test_the_strongest_jitter_of_one_channel_is_torchvisions() -> None:
    views = replace(BARE, brightness=1, contrast=1, saturation=1, hue=0.5, jitter_probability=0.8)
    views = replace(views, grayscale_probability=0.5)
    images = random_images(48, (12, 20), channels=1)
    params = draw(views, 48, (12, 20), seeded())
    expected = one_by_one(images, params, None, (12, 20))
    assert not torch.allclose(expected, images / 255, atol=0.1)
    torch.testing.assert_close(apply(images, params, views), expected, rtol=0, atol=1e-5)


def torchvision_boxes(views: ViewSet, n: int, size: tuple[int, int]) -> Tensor:
    """What torchvision draws: int64 [n, 4], top, left, height, width."""
    assert views.crop_scale is not None
    crop = v2.RandomResizedCrop(size, scale=views.crop_scale, ratio=views.crop_ratio)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        drawn = [crop.make_params([torch.empty(1, *size)]) for _ in range(n)]
    return torch.tensor([[box[k] for k in ("top", "left", "height", "width")] for box in drawn])


@pytest.mark.slow  # draws tens of thousands of boxes one by one with torchvision
@pytest.mark.parametrize("size", [(24, 60), (60, 24), (10, 90)], ids=str)
@pytest.mark.parametrize("scale", [(0.08, 1.0), (0.5, 1.0)], ids=str)
def test_boxes_in_rectangles_are_distributed_as_torchvisions(
    size: tuple[int, int], scale: tuple[float, float]
) -> None:
    views = replace(ALL, crop_scale=scale)
    params = draw(views, 4000, size, seeded(3))
    ours = torch.stack((params.top, params.left, params.height, params.width), dim=1).double()
    theirs = torchvision_boxes(views, 4000, size).double()
    for column in range(4):
        assert stats.ks_2samp(ours[:, column], theirs[:, column], method="asymp").pvalue > 0.01


@pytest.mark.parametrize("size", [(20, 60), (60, 20), (33, 34)], ids=str)
@pytest.mark.parametrize("ratio", [(0.75, 4 / 3), (2.0, 2.5), (0.25, 0.5), (0.2, 5.0)], ids=str)
def test_the_central_box_of_a_rectangle_is_torchvisions(
    size: tuple[int, int], ratio: tuple[float, float]
) -> None:
    views = replace(ALL, crop_scale=(0.0, 1e-6), crop_ratio=ratio)  # no try fits
    params = draw(views, 3, size, seeded())
    boxes = torch.stack((params.top, params.left, params.height, params.width), dim=1)
    assert torch.equal(boxes, torchvision_boxes(views, 3, size))


def test_without_a_crop_the_box_is_the_rectangle() -> None:
    params = draw(ALL_WITHOUT_CROP, 2, (5, 9), seeded())
    assert params.height.tolist() == [5, 5]
    assert params.width.tolist() == [9, 9]
    assert params.top.tolist() == params.left.tolist() == [0, 0]


# ----------------------------------------------------------------- other numbers of channels


@pytest.mark.parametrize("channels", [1, 2, 4, 13])
def test_hue_saturation_and_grayscale_leave_other_than_colors_alone(channels: int) -> None:
    views = replace(BARE, brightness=0, contrast=0, saturation=1, hue=0.5, jitter_probability=1)
    views = replace(views, grayscale_probability=1)
    images = random_images(4, (9, 12), channels=channels)
    assert torch.equal(augment(images, views, seeded()), images / 255)


@pytest.mark.parametrize("channels", [1, 2, 4, 13])
@pytest.mark.parametrize("first", ["brightness", "contrast"])
def test_brightness_and_contrast_change_all_channels(first: str, channels: int) -> None:
    views = replace(BARE, brightness=0.8, contrast=0.8, jitter_probability=1)
    images = random_images(6, (9, 12), channels=channels)
    order = torch.tensor([0, 1, 2, 3] if first == "brightness" else [3, 1, 2, 0])
    params = replace(draw(views, 6, (9, 12), seeded()), order=order.expand(6, 4))

    def brighten(x: Tensor, i: int) -> Tensor:
        return (float(params.brightness[i]) * x).clamp(0, 1)

    def contrast(x: Tensor, i: int) -> Tensor:
        factor = float(params.contrast[i])
        return (factor * x + (1 - factor) * x.mean()).clamp(0, 1)

    steps: list[Callable[[Tensor, int], Tensor]] = [brighten, contrast]
    for i, view in enumerate(apply(images, params, views).double()):
        x = images[i].double() / 255
        for step in steps if first == "brightness" else reversed(steps):
            x = step(x, i)
        torch.testing.assert_close(view, x, rtol=0, atol=1e-5)


def test_geometry_treats_every_channel_as_if_it_were_alone() -> None:
    views = replace(ALL, jitter_probability=0, mean=None, std=None)
    images = random_images(5, (20, 31), channels=6)
    params = draw(views, 5, (20, 31), seeded())
    together = apply(images, params, views)
    alone = [apply(images[:, c : c + 1], params, views) for c in range(6)]
    torch.testing.assert_close(together, torch.cat(alone, dim=1), rtol=0, atol=1e-6)


def test_a_draw_does_not_depend_on_the_channels() -> None:
    views: ViewSet = ALL
    gray, color = (views.draw(5, (c, 20, 31), seeded()) for c in (1, 3))
    assert torch.equal(gray.width, color.width)
    assert torch.equal(gray.hue, color.hue)


def test_chunks_of_many_channels_leave_no_seam() -> None:
    images = random_images(5, (160, 224), channels=7)  # more than one chunk holds
    params = draw(ALL, 5, (160, 224), seeded())
    alone = torch.cat([apply(images[i : i + 1], params[i : i + 1], ALL) for i in range(5)])
    torch.testing.assert_close(apply(images, params, ALL), alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 17), (3, 17, 1), (2, 2, 3)], ids=str)
def test_the_smallest_images_have_views(shape: tuple[int, ...]) -> None:
    images = torch.randint(0, 256, (50, *shape), generator=seeded(), dtype=torch.uint8)
    result = ALL.apply(images, ALL.draw(50, shape, seeded()))
    assert result.shape == images.shape
    assert result.isfinite().all()


def test_an_empty_batch_of_rectangles_gives_an_empty_result() -> None:
    assert augment(torch.empty(0, 2, 8, 9), ALL, seeded(), size=(4, 6)).shape == (0, 2, 4, 6)


# ----------------------------------------------------------------- normalization


def test_statistics_of_three_channels_are_imagenets() -> None:
    assert normalization(ALL, 3) == (IMAGENET_MEAN, IMAGENET_STD)


def test_statistics_of_one_channel_are_the_gray_level_of_imagenets() -> None:
    found = normalization(ALL, 1)
    assert found is not None
    weights = [0.2989, 0.587, 0.114]
    for value, of_color in zip(found, (IMAGENET_MEAN, IMAGENET_STD), strict=True):
        gray = sum(w * x for w, x in zip(weights, of_color, strict=True)) / sum(weights)
        assert value == pytest.approx([gray], rel=1e-12)


@pytest.mark.parametrize("channels", [2, 4, 13])
def test_statistics_of_other_channels_are_a_half_and_a_quarter(channels: int) -> None:
    images = random_images(3, (8, 9), channels=channels)
    expected = (images / 255 - 0.5) / 0.25
    torch.testing.assert_close(augment(images, CLEAN, seeded()), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_statistics_given_for_every_channel_are_used(channels: int) -> None:
    mean = tuple(0.1 * (c + 1) for c in range(channels))
    std = tuple(0.2 * (c + 1) for c in range(channels))
    images = random_images(3, (8, 9), channels=channels)
    by_channel = [
        (images[:, c] / 255 - m) / s for c, (m, s) in enumerate(zip(mean, std, strict=True))
    ]
    found = augment(images, replace(CLEAN, mean=mean, std=std), seeded())
    torch.testing.assert_close(found, torch.stack(by_channel, dim=1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_statistics_given_for_other_channels_are_refused(channels: int) -> None:
    views = replace(ALL, mean=(0.5, 0.5), std=(0.2, 0.2))
    with pytest.raises(InputError, match=f"have 2 entries, the images {channels} channels: give"):
        augment(torch.zeros(2, channels, 8, 9), views, seeded())


@pytest.mark.parametrize("channels", [1, 4])
def test_no_normalization_is_none_for_any_channels(channels: int) -> None:
    images = random_images(2, (8, 9), channels=channels)
    assert torch.equal(augment(images, BARE, seeded()), images / 255)


def test_items_that_are_no_images_are_refused() -> None:
    with pytest.raises(InputError, match=r"an image has the shape \[C, H, W\], not \[7\]"):
        ALL.draw(2, (7,), seeded())
    with pytest.raises(InputError, match=r"images must be \[N, C, H, W\], not \[2, 7\]"):
        augment(torch.zeros(2, 7), ALL, seeded())
    with pytest.raises(InputError, match=r"size must be at least 1, not \(0, 4\)"):
        augment(torch.zeros(2, 1, 8, 9), ALL, seeded(), size=(0, 4))
