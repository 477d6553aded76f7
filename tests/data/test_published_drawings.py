"""The renderer draws what the slow second implementation of the published drawings draws."""

from __future__ import annotations

import itertools
import random
from typing import Final

import numpy as np
import numpy.typing as npt
import published_drawings as slow
import pytest
import torch
from torch import Tensor, nn

from trifeature.data.attributes import COLORS, SHAPES, TEXTURES
from trifeature.data.render import RenderSettings, render
from trifeature.data.shapes import SIGNED_DISTANCES
from trifeature.data.textures import PATTERNS, Grain

Floats = npt.NDArray[np.float64]

WHITE: Final = COLORS.index("white")
PAPER: Final = RenderSettings()

OPACITY: Final = {
    "solid": 1.000,
    "stripes": 0.302,
    "grid": 0.511,
    "hexgrid": 0.488,
    "dots": 0.452,
    "noise": 0.502,
    "triangles": 0.322,
    "zigzags": 0.401,
    "rain": 0.302,
    "pluses": 0.466,
}
"""Mean opacity inside a shape, measured on images of the published generator."""

EVERY: Final = np.array(list(itertools.product(range(10), repeat=2)))
"""Every shape in every texture."""


def ours(copies: int, first: int = 0, look: str = "color") -> Floats:
    """The opacity of `EVERY`, `copies` times: [copies · 100, 224, 224]."""
    table = np.tile(np.column_stack([EVERY, np.full(100, WHITE)]), (copies, 1))
    numbers = first + np.repeat(np.arange(copies), 100)
    images = render(table, numbers, seed=0, settings=PAPER, look=look)[:, 0]
    return (images.numpy().astype(np.float64) - 127) / 128


def theirs(copies: int, seed: int) -> Floats:
    """The same from the second implementation."""
    rng = np.random.default_rng(seed)
    rows = np.tile(EVERY, (copies, 1))
    return np.array([slow.opacity_array(SHAPES[s], TEXTURES[t], rng) for s, t in rows])


# --------------------------------------------------------------------------- shapes and textures


@pytest.mark.parametrize("name", SHAPES)
def test_an_upright_shape_overlaps_with_the_published_one(name: str) -> None:
    ticks = (torch.arange(128) + 0.5) / 128 - 0.5
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    inside = SIGNED_DISTANCES[name](x, y).numpy() < 0
    published = np.array(slow.shape_plane(name)) > 0
    assert (inside & published).sum() / (inside | published).sum() >= 0.99


def test_every_texture_is_as_opaque_as_the_published_one() -> None:
    shown = ours(copies=2).reshape(-1, 100, 224 * 224).sum(axis=(0, 2))
    whole = ours(copies=2, look="silhouette").reshape(-1, 100, 224 * 224).sum(axis=(0, 2))
    opacity = shown.reshape(10, 10).sum(axis=0) / whole.reshape(10, 10).sum(axis=0)
    np.testing.assert_allclose(opacity, list(OPACITY.values()), atol=0.01)


@pytest.mark.parametrize("name", TEXTURES)
def test_the_second_implementation_is_as_opaque_too(name: str) -> None:
    plane = np.array(slow.texture_plane(name, random.Random(1), side=200))  # noqa: S311
    assert plane.mean() == pytest.approx(OPACITY[name], abs=0.01)


# --------------------------------------------------------------------------- the same pixels


def agreement(texture: str, periods: int = 6) -> float:
    """Fraction of the pixels that agree with the published ones over a few unrotated periods."""
    grain = Grain(torch.zeros(1, 1, dtype=torch.int32), 10.0, 0.3, 10.0)
    side = periods * slow.PERIOD
    ticks = (torch.arange(side) + 0.5) / slow.PERIOD
    v, u = torch.meshgrid(ticks, ticks, indexing="ij")
    law = slow.TEXTURE_LAWS[texture]
    published = np.array([[law(x, y) for x in range(side)] for y in range(side)])
    drawn = PATTERNS[texture](u[None].clone(), v[None].clone(), grain)[0].numpy()
    return float((drawn == published).mean())


@pytest.mark.parametrize(
    ("texture", "least"),
    [
        ("solid", 1),
        ("stripes", 1),
        ("grid", 1),
        ("hexgrid", 1),
        ("dots", 1),
        ("triangles", 0.9),
        ("zigzags", 0.95),
        ("pluses", 1),
    ],
)
def test_an_unrotated_texture_agrees_with_the_published_pixels(texture: str, least: float) -> None:
    assert agreement(texture) >= least


@pytest.mark.parametrize("degrees", [-45, -7, 0, 30])
def test_the_arrays_of_the_second_implementation_are_its_loops(degrees: int) -> None:
    shape = slow.shape_plane("tee")
    side = slow.grown_side(degrees)
    by_loop = slow.rotated(shape, degrees, side, slow.bilinear)
    by_array = slow.rotated_array(np.array(shape), degrees, side, smooth=True)
    np.testing.assert_allclose(by_array, by_loop, atol=1e-9)
    texture = slow.texture_plane("dots", random.Random(0), side=96)  # noqa: S311
    nearest = slow.rotated(texture, degrees, 48, slow.nearest)
    assert (slow.rotated_array(np.array(texture), degrees, 48, smooth=False) == nearest).all()


# --------------------------------------------------------------------------- a classifier


def texture_patches(pictures: Floats) -> Tensor:
    """The 96 × 96 pixels about the middle of each drawing: [N, 1, 96, 96]."""
    return torch.stack([_cropped(picture, 96) for picture in torch.as_tensor(pictures).float()])


def filled_shapes(pictures: Floats) -> Tensor:
    """Each drawing with the gaps of its texture filled, at a quarter of its size: [N, 1, 46, 46].

    A closing: the least of 11 × 11 pixels over the largest of 11 × 11.
    """
    x = torch.stack([_cropped(picture, 184) for picture in torch.as_tensor(pictures).float()])
    largest = nn.functional.max_pool2d(x, 11, stride=1, padding=5)
    return nn.functional.avg_pool2d(-nn.functional.max_pool2d(-largest, 11, 1, 5), 4)


def _cropped(picture: Tensor, side: int) -> Tensor:
    """A square of pixels about the middle of what is drawn: [1, side, side]."""
    drawn = (picture > 0.5).nonzero()
    top, left = ((drawn.amin(dim=0) + drawn.amax(dim=0) + side) // 2).tolist()
    padded = nn.functional.pad(picture, (side,) * 4)
    return padded[None, top : top + side, left : left + side]


def reader(grid: int) -> nn.Module:
    """A small network from pictures to ten logits that pools its maps to a grid."""
    layers: list[nn.Module] = []
    for before, after, size in ((1, 24, 7), (24, 48, 3), (48, 96, 3)):
        layers += [nn.Conv2d(before, after, size, 2, size // 2, bias=False)]
        layers += [nn.BatchNorm2d(after), nn.ReLU()]
    layers += [nn.AdaptiveAvgPool2d(grid), nn.Flatten(), nn.Linear(96 * grid * grid, 10)]
    return nn.Sequential(*layers)


def trained(network: nn.Module, x: Tensor, labels: Tensor, epochs: int = 8) -> nn.Module:
    """A network trained with AdamW in batches of 50."""
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.05)
    steps = epochs * len(x) // 50
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(50):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x[rows]), labels[rows]).backward()
            optimizer.step()
            schedule.step()
    return network.eval()


@torch.no_grad()
def accuracy(network: nn.Module, x: Tensor, labels: Tensor) -> float:
    predicted = torch.cat([network(part).argmax(dim=1) for part in x.split(50)])
    return float((predicted == labels).double().mean())


def read_across(train: Floats, test: Floats) -> tuple[float, float]:
    """Accuracy of shape and texture on `test` of networks trained on `train`, both of `EVERY`."""
    torch.manual_seed(0)
    found = []
    for column, prepare, grid in ((0, filled_shapes, 4), (1, texture_patches, 1)):
        seen, new = (torch.as_tensor(EVERY[:, column]).repeat(len(x) // 100) for x in (train, test))
        network = trained(reader(grid), prepare(train), seen)
        found.append(accuracy(network, prepare(test), new))
    return found[0], found[1]


@pytest.mark.slow  # it trains four networks on 2,000 images of 224 px each: minutes on a CPU
@pytest.mark.parametrize("direction", ["ours to theirs", "theirs to ours"])
def test_a_classifier_reads_one_renderer_as_it_reads_the_other(direction: str) -> None:
    if direction == "ours to theirs":
        shape, texture = read_across(ours(20, first=10), theirs(10, seed=1))
    else:
        shape, texture = read_across(theirs(20, seed=2), ours(10))
    assert shape >= 0.98, f"shape {shape}, texture {texture}"
    assert texture >= 0.99, f"shape {shape}, texture {texture}"
