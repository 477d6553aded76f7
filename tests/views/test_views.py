"""Views against torchvision, sample by sample: the same pixels and the same distributions."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from scipy import stats
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as reference
from torchvision_views import blurred, one_by_one, random_images, seeded
from view_sets import BARE, PRESETS

from trifeature.errors import InputError
from trifeature.views.images import apply, augment, blur_matrix, draw
from trifeature.views.sets import (
    ALL,
    ALL_WITHOUT_CROP,
    CLEAN,
    IMAGENET_MEAN,
    IMAGENET_STD,
    ViewSet,
)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Images this small gain nothing from threads, which a busy machine keeps waiting."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("views", PRESETS.values(), ids=PRESETS)
@pytest.mark.parametrize(("canvas", "size"), [(32, 32), (33, 33), (24, 40), (40, 24)])
def test_a_view_is_what_torchvision_makes_of_the_same_parameters(
    views: ViewSet, canvas: int, size: int
) -> None:
    images = random_images(24, canvas)
    params = draw(views, 24, canvas, seeded())
    expected = one_by_one(images, params, views, size)
    torch.testing.assert_close(apply(images, params, views, size=size), expected, rtol=0, atol=5e-5)


def test_a_larger_canvas_agrees_with_torchvision() -> None:
    images = random_images(5, 64)
    params = draw(replace(ALL, blur_probability=1), 5, 64, seeded())
    expected = one_by_one(images, params, ALL, 64)
    torch.testing.assert_close(apply(images, params, ALL), expected, rtol=0, atol=5e-5)


def test_every_order_of_the_jitter_agrees_with_torchvision() -> None:
    orders = torch.tensor(list(itertools.permutations(range(4))))
    views = replace(
        BARE, brightness=0.8, contrast=0.8, saturation=0.8, hue=0.5, jitter_probability=1
    )
    images = random_images(24, 16)
    params = replace(draw(views, 24, 16, seeded()), order=orders)
    expected = one_by_one(images, params, views, 16)
    torch.testing.assert_close(apply(images, params, views), expected, rtol=0, atol=5e-5)
    reordered = replace(params, order=orders.roll(1, dims=0))
    assert not torch.allclose(apply(images, reordered, views), expected, atol=0.01)


def test_a_jitter_without_hue_agrees_with_torchvision() -> None:
    views = replace(BARE, brightness=0.8, hue=0, jitter_probability=0.7)
    images = random_images(16, 16)
    params = draw(views, 16, 16, seeded())
    expected = one_by_one(images, params, views, 16)
    torch.testing.assert_close(apply(images, params, views), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("shift", [-0.5, -0.31, -0.1, 0.0, 0.05, 1 / 3, 0.5])
def test_hue_at_the_corners_edges_and_grays_of_the_color_cube(shift: float) -> None:
    levels = torch.tensor([0, 1, 127, 128, 254, 255], dtype=torch.uint8)
    colors = torch.cartesian_prod(levels, levels, levels)[:196]  # [196, 3]: 14 × 14 pixels
    colors[:6] = levels[:, None]  # six grays, black and white among them
    images = colors.T.reshape(1, 3, 14, 14)
    views = replace(BARE, brightness=0, contrast=0, saturation=0, hue=0.5, jitter_probability=1)
    params = replace(draw(views, 1, 14, seeded()), hue=torch.tensor([shift]))
    result = apply(images, params, views)
    expected = reference.adjust_hue(images / 255, shift)
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(result[0, :, 0, :6], (images / 255)[0, :, 0, :6])  # grays stay


@pytest.mark.parametrize("sigma", [0.01, 0.1, 0.5, 1.0, 2.0, 6.0])
def test_the_blur_is_the_discrete_gaussian_mirrored_with_its_last_pixels(sigma: float) -> None:
    images = random_images(3, (32, 20))
    views = replace(BARE, blur_sigma=(sigma, sigma), blur_probability=1)
    result = augment(images, views, seeded())
    expected = torch.stack([blurred(image / 255, sigma) for image in images])
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-6)


def test_the_blur_of_a_line_keeps_its_variance_and_its_sum() -> None:
    sigma = torch.tensor([0.01, 0.2, 0.3, 0.4, 1.0, 2.0])
    matrix, place = blur_matrix(sigma, 33).double(), torch.arange(33)
    variance = (matrix[:, 16] * (place - 16).square()).sum(1)
    torch.testing.assert_close(variance.sqrt().float(), sigma, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(matrix.sum(2), torch.ones(6, 33).double(), rtol=0, atol=1e-6)
    assert torch.equal(matrix, matrix.mT)
    assert torch.equal(blur_matrix(torch.zeros(1), 33)[0], torch.eye(33))


def pillow(image: Tensor, sigma: float) -> Tensor:
    """Pillow's blur of gray levels [H, W] in [0, 1], which it rounds to 256."""
    levels = Image.fromarray((255 * image).round().to(torch.uint8).numpy())
    return torch.from_numpy(np.asarray(levels.filter(ImageFilter.GaussianBlur(sigma))) / 255)


@pytest.mark.parametrize(
    ("sigma", "tolerance"),
    # Pillow takes three moving averages for a Gaussian, which around 1 pixel is coarse.
    [(0.2, 0.005), (0.3, 0.005), (0.4, 0.005), (1.0, 0.032), (2.0, 0.015), (4.0, 0.015)],
)
def test_the_blur_of_a_white_half_is_pillows(sigma: float, tolerance: float) -> None:
    half = torch.zeros(64, 64).double()
    half[:, :32] = 1
    matrix = blur_matrix(torch.tensor([sigma]), 64)[0].double()
    expected = pillow(half, sigma)
    torch.testing.assert_close(matrix @ half @ matrix, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("sigma", [0.3, 0.4])
def test_the_blur_of_the_first_pixel_is_pillows(sigma: float) -> None:
    line = torch.zeros(16, 16).double()
    line[:, 0] = 1
    matrix = blur_matrix(torch.tensor([sigma]), 16)[0].double()
    ours, theirs = (line @ matrix)[8, 0], pillow(line, sigma)[8, 0]
    assert float(ours) == pytest.approx(float(theirs), abs=0.005)
    without_itself = 1 - 2 * (1 - ours)  # mirrored so that the first pixel has no mirror image
    assert abs(float(without_itself - theirs)) > 0.02


def test_what_was_not_drawn_leaves_a_sample_exactly_as_it_was() -> None:
    views = replace(ALL_WITHOUT_CROP, hue=0, mean=None, std=None)
    none = torch.zeros(4, dtype=torch.bool)
    params = replace(
        draw(views, 4, 32, seeded()), flip=none, jitter=none, grayscale=none, blur=none
    )
    images = random_images(4, 32)
    assert torch.equal(apply(images, params, views), images / 255)


def test_flips_mirror_exactly() -> None:
    images = random_images(3, 16)
    assert torch.equal(
        augment(images, replace(BARE, flip_probability=1), seeded()), (images / 255).flip(3)
    )


def test_clean_only_normalizes() -> None:
    images = random_images(3, 16)
    expected = reference.normalize(images / 255, list(IMAGENET_MEAN), list(IMAGENET_STD))
    torch.testing.assert_close(augment(images, CLEAN, seeded()), expected, rtol=0, atol=1e-6)


def torchvision_boxes(
    scale: tuple[float, float], ratio: tuple[float, float], n: int, size: int
) -> Tensor:
    """What torchvision draws: int64 [n, 4], top, left, height, width."""
    crop = v2.RandomResizedCrop(size, scale=scale, ratio=ratio)
    canvas = [torch.empty(3, size, size)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        boxes = [crop.make_params(canvas) for _ in range(n)]
    return torch.tensor(
        [[box[name] for name in ("top", "left", "height", "width")] for box in boxes]
    )


@pytest.mark.parametrize(
    ("scale", "ratio"),
    [
        ((0.08, 1.0), (3 / 4, 4 / 3)),
        ((0.9, 1.0), (1 / 3, 3.0)),  # most tries fail, and now and then all ten
        ((0.0, 0.01), (3 / 4, 4 / 3)),  # boxes that round to nothing
    ],
)
def test_boxes_are_distributed_as_torchvisions(
    scale: tuple[float, float], ratio: tuple[float, float]
) -> None:
    params = draw(replace(ALL, crop_scale=scale, crop_ratio=ratio), 4000, 32, seeded(3))
    ours = torch.stack((params.top, params.left, params.height, params.width), dim=1).double()
    theirs = torchvision_boxes(scale, ratio, 4000, 32).double()
    for numbers, references in zip(statistics(ours), statistics(theirs), strict=True):
        # Whole pixels tie, which makes the test lenient: shifts of a few percent still fail it.
        assert stats.ks_2samp(numbers, references, method="asymp").pvalue > 0.01


def statistics(boxes: Tensor) -> list[Tensor]:
    """Top, left, height, width, area and ratio of boxes [n, 4]."""
    top, left, height, width = boxes.unbind(1)
    return [top, left, height, width, height * width, width / height]


@pytest.mark.parametrize("ratio", [(2.0, 3.0), (0.25, 0.5), (0.5, 2.0)])
def test_the_central_box_where_no_try_fits_is_torchvisions(ratio: tuple[float, float]) -> None:
    nothing = (0.0, 1e-6)
    params = draw(replace(ALL, crop_scale=nothing, crop_ratio=ratio), 3, 33, seeded())
    boxes = torch.stack((params.top, params.left, params.height, params.width), dim=1)
    assert torch.equal(boxes, torchvision_boxes(nothing, ratio, 3, 33))


def test_boxes_lie_inside_the_canvas() -> None:
    params = draw(ALL, 20_000, 224, seeded())
    for start, length in ((params.top, params.height), (params.left, params.width)):
        assert start.min() == 0
        assert length.min() > 0
        assert (start + length).max() == 224


def test_without_a_crop_the_box_is_the_canvas() -> None:
    params = draw(ALL_WITHOUT_CROP, 5, 32, seeded())
    assert params.top.tolist() == params.left.tolist() == [0] * 5
    assert params.height.tolist() == params.width.tolist() == [32] * 5


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("brightness", 0.6, 1.4),
        ("contrast", 0.0, 2.5),
        ("saturation", 0.6, 1.4),
        ("hue", -0.1, 0.1),
        ("blur_sigma", 0.1, 2.0),
    ],
)
def test_factors_are_uniform(name: str, low: float, high: float) -> None:
    params = draw(replace(ALL, contrast=1.5), 5000, 32, seeded(4))
    uniform = stats.uniform(loc=low, scale=high - low)
    assert stats.kstest(getattr(params, name).double(), uniform.cdf).pvalue > 0.01


@pytest.mark.parametrize("name", ["jitter", "grayscale", "blur", "flip"])
def test_flags_come_up_as_often_as_they_should(name: str) -> None:
    flags = getattr(draw(ALL, 5000, 32, seeded(4)), name)
    probability = getattr(ALL, f"{name}_probability")
    assert stats.binomtest(int(flags.sum()), 5000, probability).pvalue > 0.01
    settings = asdict(ALL)
    always = draw(ViewSet(**{**settings, f"{name}_probability": 1}), 5000, 32, seeded())
    never = draw(ViewSet(**{**settings, f"{name}_probability": 0}), 5000, 32, seeded())
    assert getattr(always, name).all()
    assert not getattr(never, name).any()


def test_all_orders_are_equally_likely() -> None:
    order = draw(ALL, 6000, 32, seeded(4)).order
    assert torch.equal(order.sort(1).values, torch.arange(4).expand(6000, 4))
    codes = (order * torch.tensor([64, 16, 4, 1])).sum(1)
    counts = codes.bincount()
    counts = counts[counts > 0]
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 0.01


def test_draws_are_independent_of_each_other() -> None:
    params = draw(ALL, 5000, 32, seeded(6))
    columns = [
        getattr(params, field.name).double() for field in fields(params) if field.name != "order"
    ]
    correlation = torch.corrcoef(torch.stack(columns))
    rows = [field.name for field in fields(params) if field.name != "order"]
    for (i, first), (j, second) in itertools.combinations(enumerate(rows), 2):
        # A large box has little room and a ratio: the four numbers of a box do hang together.
        if not {first, second} <= {"top", "left", "height", "width"}:
            assert abs(correlation[i, j]) < 0.06, (first, second)


def test_ablations_drawn_from_one_seed_share_all_that_they_keep() -> None:
    whole, ablated = (
        draw(views, 8, 32, seeded(2)) for views in (ALL, replace(ALL, blur_probability=0, hue=0))
    )
    for field in fields(whole):
        same = torch.equal(getattr(whole, field.name), getattr(ablated, field.name))
        assert same == (field.name not in {"blur", "hue"}), field.name


def test_one_seed_gives_one_result_and_the_next_draw_another() -> None:
    images = random_images(4, 32)
    generator = seeded(7)
    first, second = augment(images, ALL, generator), augment(images, ALL, generator)
    assert torch.equal(first, augment(images, ALL, seeded(7)))
    assert not torch.allclose(first, second, atol=0.1)


@pytest.mark.parametrize("index", [slice(3, 6), torch.tensor([5, 0, 5])], ids=["slice", "tensor"])
def test_a_sample_replays_alone_whatever_its_batch_was(index: slice | Tensor) -> None:
    images = random_images(8, 32)
    params = draw(ALL, 8, 32, seeded())
    replayed = apply(images[index], params[index], ALL)
    assert len(params[index]) == len(replayed) == 3
    torch.testing.assert_close(replayed, apply(images, params, ALL)[index], rtol=0, atol=1e-5)


def test_chunks_on_the_cpu_leave_no_seam() -> None:
    images = random_images(5, 224)  # more than one chunk holds
    params = draw(ALL, 5, 224, seeded())
    alone = torch.cat([apply(images[i : i + 1], params[i : i + 1], ALL) for i in range(5)])
    torch.testing.assert_close(apply(images, params, ALL), alone, rtol=0, atol=1e-5)


def test_floating_images_are_the_same_images_and_are_left_alone() -> None:
    images = random_images(4, 32)
    floating = images / 255
    before = floating.clone()
    for views in (BARE, ALL):
        params = draw(views, 4, 32, seeded())
        result = apply(floating, params, views)
        assert torch.equal(result, apply(images, params, views))
        result.zero_()
        assert torch.equal(floating, before)


def test_half_precision_is_a_rounding_of_the_result_and_autocast_changes_nothing() -> None:
    images = random_images(4, 32)
    params = draw(ALL, 4, 32, seeded())
    full = apply(images, params, ALL)
    assert torch.equal(apply(images, params, ALL, dtype=torch.bfloat16), full.bfloat16())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(apply(images, params, ALL), full)


def test_an_empty_batch_gives_an_empty_result() -> None:
    images = torch.empty(0, 3, 32, 32, dtype=torch.uint8)
    assert augment(images, ALL, seeded(), size=24).shape == (0, 3, 24, 24)


@pytest.mark.parametrize("views", PRESETS.values(), ids=PRESETS)
def test_view_sets_survive_json(views: ViewSet) -> None:
    assert ViewSet.from_json(json.loads(json.dumps(views.to_json()))) == views


def test_a_view_set_refuses_unknown_settings() -> None:
    with pytest.raises(InputError, match="unknown setting of a view set 'flip_chance'"):
        ViewSet.from_json({"flip_chance": 0.5})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"crop_scale": (0.5, 1.5)}, "each number of crop_scale must be from 0 to 1, not 1.5"),
        ({"crop_scale": (0.5, 0.2)}, "crop_scale must not fall: 0.5 is above 0.2"),
        ({"crop_scale": 0.5}, "crop_scale must be a tuple of 2 numbers, not 0.5"),
        ({"crop_ratio": (0.0, 1.0)}, "each number of crop_ratio must be from 0.01 to 100, not 0"),
        ({"brightness": -0.1}, "brightness must be from 0 to 100, not -0.1"),
        ({"contrast": float("nan")}, "contrast must be from 0 to 100, not nan"),
        ({"saturation": "0.4"}, "saturation must be from 0 to 100, not '0.4'"),
        ({"hue": 0.6}, "hue must be from 0 to 0.5, not 0.6"),
        ({"jitter_probability": True}, "jitter_probability must be from 0 to 1, not True"),
        ({"blur_sigma": (0, 2)}, "each number of blur_sigma must be from 0.01 to 1000, not 0"),
        ({"mean": None}, "mean and std go together"),
        ({"mean": (0.5, 0.5)}, r"std must be a tuple of 2 numbers, not \(0.229, 0.224, 0.225\)"),
        ({"mean": ()}, r"mean must be a tuple of 3 numbers, not \(\)"),
        ({"mean": 0.5}, "mean must be a tuple of 3 numbers, not 0.5"),
        ({"std": (1, 1, 0)}, "each number of std must be from 0.001 to 1000, not 0"),
    ],
)
def test_a_view_set_refuses_what_makes_no_sense(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ViewSet(**settings)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(3, 8, 8), r"images must be \[N, C, H, W\], not \[3, 8, 8\]"),
        (torch.zeros(2, 0, 8, 8), r"images must be \[N, C, H, W\], not \[2, 0, 8, 8\]"),
        (torch.zeros(2, 3, 0, 8), r"images must be \[N, C, H, W\], not \[2, 3, 0, 8\]"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.int64), "uint8 or floating, not torch.int64"),
        (torch.zeros(5, 3, 8, 8), "5 images need as many parameters, not 2"),
    ],
)
def test_apply_refuses_other_images(images: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        apply(images, draw(ALL, 2, 8, seeded()), ALL)


def test_sizes_must_be_positive() -> None:
    with pytest.raises(InputError, match="size must be at least 1, not 0"):
        augment(torch.zeros(2, 3, 8, 8), ALL, seeded(), size=0)
    with pytest.raises(InputError, match="n must be at least 0 and size at least 1, not -1 and 8"):
        draw(ALL, -1, 8, seeded())


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 24, 40), (5, 16, 16)], ids=str)
@pytest.mark.parametrize("views", PRESETS.values(), ids=PRESETS)
def test_no_step_depends_on_a_value(views: ViewSet, shape: tuple[int, ...]) -> None:
    with FakeTensorMode():  # tensors without values: reading one raises
        result = augment(torch.empty(4, *shape, dtype=torch.uint8), views, seeded())
        with pytest.raises(DataDependentOutputException):
            result[0, 0, 0, 0].item()
    assert result.shape == (4, *shape)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("views", PRESETS.values(), ids=PRESETS)
def test_cuda_agrees_with_the_cpu(views: ViewSet) -> None:
    images = random_images(16, 32)
    params = draw(views, 16, 32, seeded())
    on_cuda = apply(images.cuda(), params.to("cuda"), views)
    torch.testing.assert_close(on_cuda.cpu(), apply(images, params, views), rtol=0, atol=1e-4)


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_never_waits_for_the_host() -> None:
    images = random_images(16, 32).cuda()
    generator = torch.Generator("cuda").manual_seed(0)
    torch.cuda.set_sync_debug_mode("error")
    try:
        result = augment(images, ALL, generator)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert result.isfinite().all()
