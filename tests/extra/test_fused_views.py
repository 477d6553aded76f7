"""The views laid out for a GPU are those of the reference, sample by sample."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from trifeature.errors import InputError
from trifeature.extra import fused_views
from trifeature.extra.fused_views import apply_fused
from trifeature.views import Views
from trifeature.views.images import ViewParameters, apply, draw
from trifeature.views.sets import ALL, ALL_WITHOUT_CROP, CLEAN, LIGHT, ViewSet
from trifeature.views.vectors import STRONG_VECTOR

PRESETS = {
    "all": ALL,
    "all without crop": ALL_WITHOUT_CROP,
    "light": LIGHT,
    "clean": CLEAN,
    "no hue": replace(ALL, hue=0.0, jitter_probability=1.0),
    "not normalized": replace(ALL, mean=None, std=None),
}
TOLERANCES = {torch.float32: 1e-5, torch.float16: 0.0175}
"""In units of the normalized result; 0.0175 of them are one gray level of 255."""


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_images(n: int, size: int) -> Tensor:
    return torch.randint(0, 256, (n, 3, size, size), generator=seeded(1), dtype=torch.uint8)


def assert_same(images: Tensor, params: ViewParameters, views: ViewSet, dtype: torch.dtype) -> None:
    fused = apply_fused(views, images, params, dtype=dtype, compiled=False)
    assert fused.dtype == dtype
    expected = apply(images, params, views)
    torch.testing.assert_close(fused.float(), expected, rtol=0, atol=TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("views", PRESETS.values(), ids=PRESETS)
def test_a_fused_view_is_the_reference_view(views: ViewSet, dtype: torch.dtype) -> None:
    images = random_images(24, 24)
    assert_same(images, draw(views, 24, 24, seeded()), views, dtype)


def test_every_order_of_the_jitter_is_the_reference_jitter() -> None:
    views = replace(CLEAN, brightness=0.8, contrast=0.8, saturation=0.8, hue=0.5)
    views = replace(views, jitter_probability=1.0)
    orders = torch.tensor(list(itertools.permutations(range(4))))
    params = replace(draw(views, 24, 16, seeded()), order=orders)
    assert_same(random_images(24, 16), params, views, torch.float32)


def test_floating_images_are_the_same_images() -> None:
    images = random_images(8, 16)
    params = draw(ALL, 8, 16, seeded())
    fused = apply_fused(ALL, images / 255, params, dtype=torch.float32, compiled=False)
    torch.testing.assert_close(fused, apply(images, params, ALL), rtol=0, atol=1e-5)


def test_sets_of_the_same_transforms_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def keep(images: Tensor, _: ViewParameters, passes: Any, __: torch.dtype) -> Tensor:
        seen.append(passes)
        return images

    monkeypatch.setattr(fused_views, "_compiled", lambda: keep)
    weaker = replace(ALL, crop_scale=(0.5, 1.0), blur_sigma=(0.05, 1.0), hue=0.0)
    for views in (ALL, ALL_WITHOUT_CROP, weaker, LIGHT):
        apply_fused(views, random_images(2, 8), draw(views, 2, 8, seeded()))
    assert len({hash(passes) for passes in seen}) == 2
    assert seen[0] == seen[1] == seen[2] != seen[3]


class Negative(ViewSet):
    """Views with a step of their own."""

    def apply(self, items: Tensor, parameters: ViewParameters) -> Tensor:
        return -super().apply(items, parameters)


@pytest.mark.parametrize(
    ("views", "shape"),
    [
        (ALL, (1, 8, 8)),
        (ALL, (4, 8, 8)),
        (ALL, (3, 8, 9)),
        (Negative(), (3, 8, 8)),
        (STRONG_VECTOR, (7,)),
    ],
    ids=str,
)
def test_anything_but_square_color_images_is_applied_as_ever(
    views: Views, shape: tuple[int, ...]
) -> None:
    items = torch.rand(5, *shape, generator=seeded(1))
    params = views.draw(5, shape, seeded())
    assert torch.equal(apply_fused(views, items, params), views.apply(items, params))


def test_what_the_reference_refuses_is_refused() -> None:
    images, params = random_images(2, 8), draw(ALL, 2, 8, seeded())
    with pytest.raises(InputError, match=r"\[N, C, H, W\], not \[3, 8, 8\]"):
        apply_fused(ALL, images[0], params)
    with pytest.raises(InputError, match="1 images need as many parameters, not 2"):
        apply_fused(ALL, images[:1], params)
    gray = replace(ALL, mean=(0.5,), std=(0.25,))
    with pytest.raises(InputError, match="mean and std have 1 entries, the images 3 channels"):
        apply_fused(gray, images, params)


@pytest.mark.slow  # a C++ compiler takes half a minute to a few minutes
@pytest.mark.filterwarnings("default")  # the compiler's own are not for us to mend
def test_compiled_it_is_still_the_same_and_compiles_once() -> None:
    torch._dynamo.reset()
    fused_views._compiled.cache_clear()
    torch._dynamo.utils.counters["stats"].clear()
    for seed in (0, 1):
        images = random_images(4, 24)
        params = draw(ALL, 4, 24, seeded(seed))
        fused = apply_fused(ALL, images, params, dtype=torch.float32)
        torch.testing.assert_close(fused, apply(images, params, ALL), rtol=0, atol=1e-5)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


@pytest.mark.gpu
@pytest.mark.slow  # a compiler takes half a minute
@pytest.mark.filterwarnings("default")  # the compiler's own
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
def test_compiled_on_a_gpu_it_is_the_reference_of_the_cpu(dtype: torch.dtype) -> None:
    images = random_images(16, 224)
    params = draw(ALL, 16, 224, seeded())
    fused = apply_fused(ALL, images.cuda(), params.to("cuda"), dtype=dtype)
    expected = apply(images, params, ALL)
    # A GPU rounds a product and a sum at once, and divides within two units of the last place.
    tolerance = max(TOLERANCES[dtype], 1e-4)
    torch.testing.assert_close(fused.float().cpu(), expected, rtol=0, atol=tolerance)
