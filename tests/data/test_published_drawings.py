"""The renderer draws what the slow second implementation of the published drawings draws."""

from __future__ import annotations

import itertools
import random
from typing import Final

import numpy as np
import numpy.typing as npt
import pytest
import torch
from tests.helpers import published_drawings as slow
from torch import Tensor, nn

from trifeature.data.attributes import COLORS, SHAPES, TEXTURES
from trifeature.data.render import RenderSettings, render
from trifeature.data.shapes import SIGNED_DISTANCES

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
    shown = ours(copies=6).reshape(-1, 100, 224 * 224).sum(axis=(0, 2))
    whole = ours(copies=6, look="silhouette").reshape(-1, 100, 224 * 224).sum(axis=(0, 2))
    opacity = shown.reshape(10, 10).sum(axis=0) / whole.reshape(10, 10).sum(axis=0)
    np.testing.assert_allclose(opacity, list(OPACITY.values()), atol=0.01)


@pytest.mark.parametrize("name", TEXTURES)
def test_the_second_implementation_is_as_opaque_too(name: str) -> None:
    plane = np.array(slow.texture_plane(name, random.Random(1), side=200))
    assert plane.mean() == pytest.approx(OPACITY[name], abs=0.01)


# --------------------------------------------------------------------------- the same pixels


def aligned_share(texture: str, periods: int = 4) -> float:
    """How many pixels of a few unrotated periods agree, at the phase where most do."""
    from trifeature.data.textures import PATTERNS, Grain

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
    assert aligned_share(texture) >= least


@pytest.mark.parametrize("degrees", [-45, -7, 0, 30])
def test_the_arrays_of_the_second_implementation_are_its_loops(degrees: int) -> None:
    shape = slow.shape_plane("tee")
    side = slow.grown_side(degrees)
    by_loop = slow.rotated(shape, degrees, side, slow.bilinear)
    by_array = slow.rotated_array(np.array(shape), degrees, side, smooth=True)
    np.testing.assert_allclose(by_array, by_loop, atol=1e-9)
    texture = slow.texture_plane("dots", random.Random(0), side=96)
    nearest = slow.rotated(texture, degrees, 48, slow.nearest)
    assert (slow.rotated_array(np.array(texture), degrees, 48, smooth=False) == nearest).all()


# --------------------------------------------------------------------------- a classifier


class Reader(nn.Module):
    """Reads shape and texture from a picture's opacity [N, 1, 224, 224]: logits [N, 2, 10]."""

    def __init__(self) -> None:
        super().__init__()
        widths = (1, 24, 48, 96, 96)
        layers: list[nn.Module] = []
        for index, (before, after) in enumerate(itertools.pairwise(widths)):
            size, stride = (7, 3) if index == 0 else (3, 2)
            layers += [nn.Conv2d(before, after, size, stride, size // 2, bias=False)]
            layers += [nn.BatchNorm2d(after), nn.ReLU()]
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Linear(2 * widths[-1], 20)

    def forward(self, pictures: Tensor) -> Tensor:
        maps = self.trunk(pictures).flatten(2)
        pooled = torch.cat([maps.mean(dim=2), maps.amax(dim=2)], dim=1)
        return self.head(pooled).unflatten(1, (2, 10))


def trained(pictures: Floats, epochs: int) -> Reader:
    """A reader trained on pictures of `EVERY`, repeated."""
    torch.manual_seed(0)
    x = torch.as_tensor(pictures, dtype=torch.float32)[:, None]
    labels = torch.as_tensor(EVERY).repeat(len(x) // 100, 1)
    reader = Reader()
    optimizer = torch.optim.AdamW(reader.parameters(), weight_decay=1e-2)
    steps = epochs * len(x) // 50
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(50):
            optimizer.zero_grad()
            logits = reader(x[rows]).flatten(0, 1)
            nn.functional.cross_entropy(logits, labels[rows].flatten()).backward()
            optimizer.step()
            schedule.step()
    return reader.eval()


@torch.no_grad()
def read(reader: Reader, pictures: Floats) -> tuple[float, float]:
    """The accuracy of the shape and of the texture."""
    parts = torch.as_tensor(pictures, dtype=torch.float32)[:, None].split(50)
    predicted = torch.cat([reader(part).argmax(dim=2) for part in parts])
    correct = predicted == torch.as_tensor(EVERY).repeat(len(pictures) // 100, 1)
    shape, texture = correct.double().mean(dim=0).tolist()
    return shape, texture


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["ours to theirs", "theirs to ours"])
def test_a_classifier_reads_one_renderer_as_it_reads_the_other(direction: str) -> None:
    """Slow: it trains a network on 2,000 images of 224 px, minutes on a CPU."""
    sources = {
        "ours": lambda first: ours(20 if first else 10, first),
        "theirs": lambda first: theirs(20 if first else 10, first),
    }
    train, test = direction.split(" to ")
    reader = trained(sources[train](1), epochs=12)
    shape, texture = read(reader, sources[test](0))
    print(f"{direction}: shape {shape:.4f}, texture {texture:.4f}")
    assert shape >= 0.98
    assert texture >= 0.99
