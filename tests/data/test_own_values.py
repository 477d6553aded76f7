"""Own shapes, textures and colors: masks against closed forms, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from trifeature.data.attributes import COLOR_RGB
from trifeature.data.own_values import (
    DIGESTS,
    GIVEN,
    TABLES,
    digests,
    register_color,
    register_own,
    register_shape,
    register_texture,
    shape_of_mask,
    texture_of_mask,
)
from trifeature.data.shapes import SIGNED_DISTANCES, square
from trifeature.data.textures import PATTERNS, Grain
from trifeature.errors import InputError

GRAIN = Grain(torch.zeros(1, 1, dtype=torch.int32), 10, 0.3, 10)


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """What a test registers is gone afterwards."""
    before = [dict(table) for table in TABLES]
    yield
    for table, old in zip(TABLES, before, strict=True):
        table.clear()
        table.update(old)


def disc_mask(side: int, radius: float = 0.5) -> np.ndarray:
    """On where the center of a pixel is in the disc."""
    centers = (np.arange(side) + 0.5) / side - 0.5
    return centers[:, None] ** 2 + centers[None, :] ** 2 < radius**2


def save(path: Path, mask: np.ndarray) -> Path:
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)
    return path


def points(count: int, reach: float = 1.0) -> tuple[Tensor, Tensor]:
    x, y = torch.rand(2, 1, count, 1, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return x * reach, y * reach


def disc(x: Tensor, y: Tensor) -> Tensor:
    """The signed distance to a circle, in closed form."""
    return (x * x + y * y).sqrt() - 0.5


def heart(x: Tensor, y: Tensor) -> Tensor:
    return (x * x + (y - 0.4 * (x * x + 0.01).sqrt()).square()).sqrt() - 0.3


def checks(u: Tensor, v: Tensor) -> Tensor:
    return (u - u.floor() < 0.5) ^ (v - v.floor() < 0.5)


# --------------------------------------------------------------------------- what is drawn


@pytest.mark.parametrize("side", [64, 255])
def test_the_mask_of_a_disc_is_as_far_as_the_circle(side: int, tmp_path: Path) -> None:
    register_shape("disc", save(tmp_path / "disc.png", disc_mask(side)))
    x, y = points(2000, reach=0.6)
    # Pixels are on or off as a whole, so the outline is off by up to half a pixel's diagonal.
    assert SIGNED_DISTANCES["disc"](x, y) == pytest.approx(disc(x, y), abs=1 / side)


def test_the_mask_of_a_rectangle_is_exact_along_its_edges(tmp_path: Path) -> None:
    mask = np.zeros((20, 20), bool)
    mask[5:15, 2:18] = True  # |x| < 0.4, |y| < 0.25
    register_shape("bar", save(tmp_path / "bar.png", mask))
    y = torch.linspace(-0.7, 0.7, 57).reshape(1, -1, 1)
    distance = SIGNED_DISTANCES["bar"](torch.zeros_like(y), y)
    assert distance[y.abs() < 0.6] == pytest.approx(y.abs()[y.abs() < 0.6] - 0.25, abs=0.026)
    edge = SIGNED_DISTANCES["bar"](torch.tensor([[[-0.4, 0.0, 0.0, 0.4]]]), y[:, :4] * 0)
    assert edge[0, 0, [0, 3]] == pytest.approx(torch.zeros(2), abs=1e-6)


def test_a_mask_keeps_its_aspect() -> None:
    x, y = torch.tensor([[[0.0, 0.45, 0.0, 0.0]]]), torch.tensor([[[0.0, 0.0, 0.2, 0.3]]])
    inside = shape_of_mask(np.ones((10, 20), bool))(x, y) < 0
    assert inside.flatten().tolist() == [True, True, True, False]


def test_far_from_the_box_a_mask_is_off(tmp_path: Path) -> None:
    register_shape("disc", save(tmp_path / "disc.png", disc_mask(16)))
    x, y = points(2000, reach=20)
    far = torch.maximum(x.abs(), y.abs()) > 0.6
    assert (SIGNED_DISTANCES["disc"](x, y)[far] > 0.05).all()


def test_a_texture_s_mask_is_one_period(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    mask = random.random((6, 9)) < 0.5
    register_texture("spots", save(tmp_path / "spots.png", mask))
    rows, columns = np.divmod(np.arange(18 * 27), 27)  # three periods in both directions
    u = torch.as_tensor((columns - 9 + 0.5) / 9, dtype=torch.float32).reshape(1, 18, 27)
    v = torch.as_tensor((rows - 6 + 0.5) / 6, dtype=torch.float32).reshape(1, 18, 27)
    on = PATTERNS["spots"](u, v, GRAIN)
    assert on.dtype == torch.bool
    assert (on[0].numpy() == np.tile(mask, (3, 3))).all()
    just_below = torch.tensor([[[-1e-9, 1 - 2**-24]]])
    assert texture_of_mask(mask)(just_below, just_below).all() == bool(mask[-1, -1])


def test_a_mask_is_on_where_luminance_times_opacity_is_half(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[0] = (255, 255, 255, 255)
    pixels[1] = (255, 255, 255, 127)  # too transparent
    pixels[2] = (0, 255, 0, 255)  # luminance 0.587
    pixels[3] = (255, 0, 0, 255)  # luminance 0.299
    Image.fromarray(pixels).save(tmp_path / "bands.png")
    register_texture("bands", str(tmp_path / "bands.png"))
    v = (torch.arange(4).reshape(1, 4, 1) + 0.5) / 4
    on = PATTERNS["bands"](torch.zeros_like(v), v, GRAIN).flatten().tolist()
    assert on == [True, False, True, False]


@pytest.mark.parametrize("kind", ["shape", "texture"])
def test_a_mask_draws_the_same_in_any_batch(kind: str) -> None:
    mask = np.random.default_rng(0).random((37, 37)) < 0.5
    draw = shape_of_mask(mask) if kind == "shape" else texture_of_mask(mask)
    x, y = torch.rand(2, 5, 33, 35, generator=torch.Generator().manual_seed(1)) * 3 - 1.5
    whole = draw(x, y)
    for image in range(5):
        assert torch.equal(draw(x[image : image + 1], y[image : image + 1])[0], whole[image])
    assert torch.equal(draw(x[:, 7:8, 3:], y[:, 7:8, 3:]), whole[:, 7:8, 3:])


def test_functions_are_drawn_as_they_are() -> None:
    register_shape("heart", heart)
    register_texture("checks", checks)
    x, y = points(100)
    assert torch.equal(SIGNED_DISTANCES["heart"](x, y), heart(x, y))
    assert torch.equal(PATTERNS["checks"](x, y, GRAIN), checks(x, y))


@pytest.mark.parametrize("rgb", ["#008040", (0, 128 / 255, 64 / 255)])
def test_a_color_is_three_numbers_or_digits(rgb: Any) -> None:
    register_color("jade", rgb)
    assert COLOR_RGB["jade"] == (0.0, 128 / 255, 64 / 255)


# --------------------------------------------------------------------------- names and digests


def test_the_same_drawing_may_be_registered_again_and_another_may_not() -> None:
    register_shape("heart", heart)
    register_shape("heart", lambda x, y: heart(x, y) * 1)
    with pytest.raises(InputError, match="another shape called 'heart' is registered already"):
        register_shape("heart", lambda x, y: heart(x, y) + 0.05)
    with pytest.raises(InputError, match="shape love: it is the same as heart"):
        register_shape("love", heart)
    register_color("teal", "#008080")
    with pytest.raises(InputError, match="another color called 'teal'"):
        register_color("teal", "#008081")
    with pytest.raises(InputError, match="color crimson: it is the same as red"):
        register_color("crimson", (1, 0, 0))


def test_a_digest_is_that_of_the_drawing_whichever_way_it_came(tmp_path: Path) -> None:
    register_shape("heart", heart)
    register_texture("checks", checks)
    register_color("teal", "#008080")
    names = {"shape": ["square", "heart"], "texture": ["checks"], "color": ["red", "teal"]}
    found = digests(names)
    assert list(found) == ["shape heart", "texture checks", "color teal"]
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in found.values())
    assert len(set(found.values())) == 3
    assert digests({"shape": ["square", "star"]}) == {}

    centers = (np.arange(64) + 0.5) / 64 - 0.5
    x, y = (torch.as_tensor(c, dtype=torch.float32) for c in np.meshgrid(centers, centers))
    DIGESTS["shape"].clear()
    register_shape("heart", save(tmp_path / "heart.png", (heart(x, y) < 0).numpy()))
    assert digests(names)["shape heart"] == found["shape heart"]


def test_a_value_that_nobody_registered_is_named() -> None:
    with pytest.raises(InputError, match="no shape called 'heart': register it, by --own-shape or"):
        digests({"shape": ["star", "heart"]})


def test_a_command_line_names_files_and_colors(tmp_path: Path) -> None:
    first = save(tmp_path / "hoop.png", disc_mask(32, 0.4))
    odd = save(tmp_path / "a=b.png", disc_mask(32, 0.3))
    pattern = save(tmp_path / "my brick.png", disc_mask(8))
    names = register_own(
        shape=[str(first), f"ball={odd}"], texture=[f"brick={pattern}"], color=["teal=#008080"]
    )
    assert names == {"shape": ["hoop", "ball"], "texture": ["brick"], "color": ["teal"]}
    assert {"hoop", "ball"} <= set(SIGNED_DISTANCES)
    found = digests(names)
    register_own(**GIVEN)
    assert GIVEN["shape"] == (f"hoop={first}", f"ball={odd}")
    assert digests(names) == found
    with pytest.raises(InputError, match="'my brick' is no name of a texture"):
        register_own(texture=[str(pattern)])
    with pytest.raises(InputError, match="'a=b' is no name of a shape"):
        register_own(shape=[str(odd)])
    with pytest.raises(InputError, match="an own color is NAME=#rrggbb, not 'teal'"):
        register_own(color=["teal"])


# --------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("name", ["", "9lives", "two words", "a,b", "a=b", "ö", "a_b"])
def test_a_name_is_letters_digits_and_hyphens(name: str) -> None:
    with pytest.raises(InputError, match="is no name of a color"):
        register_color(name, "#123456")


@pytest.mark.parametrize(
    ("register", "name", "drawing"),
    [
        (register_shape, "square", lambda x, y: square(x, y) + 0.1),
        (register_texture, "dots", checks),
        (register_color, "red", "#ff0001"),
    ],
)
def test_a_name_of_the_package_is_taken(
    register: Callable[..., None], name: str, drawing: Any
) -> None:
    with pytest.raises(InputError, match=f"{name} is one of the package's: choose another name"):
        register(name, drawing)


@pytest.mark.parametrize(
    ("drawing", "message"),
    [
        (lambda x, y: x.abs() + y.abs() + 1, "nowhere below 0 inside the box"),
        (lambda x, y: (x * x + y * y).sqrt() - 0.7, "beyond the box"),
        (
            lambda x, y: disc(x, y).minimum(torch.maximum((x - 1.2).abs(), y.abs()) - 0.1),
            "beyond the box",
        ),
        (lambda x, _: x[0], r"must return torch.Tensor torch.float32 \[2, 256, 256\], not"),
        (lambda x, _: x < 0, "not torch.Tensor torch.bool"),
        (lambda x, _: x.double(), "not torch.Tensor torch.float64"),
        (lambda x, _: x.numpy(), "not numpy.ndarray"),
        (lambda x, y: disc(x, y) / (x > 0), "not finite"),
        (lambda x, y: disc(x, y) + torch.rand_like(x) / 8, "the same for the same coordinates"),
        (3, "tilt: a drawing is a function or the path of a mask, not of type int"),
    ],
)
def test_a_function_that_is_no_shape_is_refused(drawing: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        register_shape("tilt", drawing)
    assert "tilt" not in SIGNED_DISTANCES
    assert "tilt" not in DIGESTS["shape"]


@pytest.mark.parametrize(
    ("drawing", "message"),
    [
        (lambda u, _: torch.ones_like(u, dtype=torch.bool), "on everywhere"),
        (lambda u, _: torch.zeros_like(u, dtype=torch.bool), "off everywhere"),
        (lambda u, _: u, r"must return torch.Tensor torch.bool \[2, 64, 64\]"),
        (lambda u, _: torch.rand_like(u) < 0.5, "the same for the same coordinates"),
    ],
)
def test_a_function_that_is_no_texture_is_refused(drawing: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        register_texture("haze", drawing)
    assert "haze" not in PATTERNS


def test_a_mask_that_shows_nothing_or_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for value, kind in ((0, "off"), (255, "on")):
        Image.new("L", (8, 8), value).save(tmp_path / "flat.png")
        with pytest.raises(InputError, match=rf"flat.png is {kind} everywhere"):
            register_shape("flat", tmp_path / "flat.png")
    with pytest.raises(InputError, match="there is no such file"):
        register_shape("none", tmp_path / "none.png")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(InputError, match=r"text.png cannot be read as an image: cannot identify"):
        register_shape("text", tmp_path / "text.png")
    with pytest.raises(InputError, match="cannot be read"):
        register_texture("folder", tmp_path)
    whole = save(tmp_path / "whole.png", np.random.default_rng(0).random((90, 90)) < 0.5)
    (tmp_path / "half.png").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(InputError, match=r"half.png cannot be read as an image"):
        register_texture("half", tmp_path / "half.png")


@pytest.mark.parametrize("size", [(4000, 3), (30_000, 30_000)])
def test_a_huge_mask_is_refused_before_it_is_decoded(
    size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "huge.png"
    Image.new("1", (1, 1)).save(path)
    head = bytearray(path.read_bytes())
    head[16:24] = b"".join(side.to_bytes(4, "big") for side in size)
    import zlib  # noqa: PLC0415

    head[29:33] = zlib.crc32(bytes(head[12:29])).to_bytes(4, "big")
    path.write_bytes(head)
    monkeypatch.setattr(Image.Image, "convert", None)
    with pytest.raises(InputError, match="a side may have 2,048 pixels"):
        register_shape("huge", path)


@pytest.mark.parametrize(
    ("rgb", "message"),
    [
        ((0, 0, 1.5), "color odd must be from 0 to 1, not 1.5"),
        ((0, 0), "three numbers from 0 to 1 or #rrggbb, not"),
        ((0, 0, math.nan), "color odd must be from 0 to 1"),
        ("#12345", "as in #00ff80, six hexadecimal digits, not '#12345'"),
        ("teal", "as in #00ff80"),
        (7, "three numbers"),
        ((0.5, 0.5, 0.5), "the gray of the background"),
        ("#808080", "the gray of the background"),
    ],
)
def test_a_color_out_of_range_or_not_to_be_seen_is_refused(rgb: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        register_color("odd", rgb)
    assert "odd" not in COLOR_RGB


def test_a_mask_of_sixteen_bits_is_scaled_not_clipped(tmp_path: Path) -> None:
    """A gray of 30 % is off and one of 80 % is on, whatever the number of bits."""
    mask = np.full((64, 64), int(0.3 * 65535), dtype=np.uint16)
    mask[16:48, 16:48] = int(0.8 * 65535)
    Image.fromarray(mask).save(tmp_path / "deep.png")
    register_shape("deep", tmp_path / "deep.png")
    x = torch.tensor([[[0.0, 0.2, 0.3]]])
    inside = SIGNED_DISTANCES["deep"](x, torch.zeros_like(x)) < 0
    assert inside.tolist() == [[[True, True, False]]]


def test_a_mask_with_frames_is_refused(tmp_path: Path) -> None:
    small, large = (save(tmp_path / f"{r}.png", disc_mask(16, r)) for r in (0.2, 0.4))
    with Image.open(small) as first, Image.open(large) as second:
        first.save(tmp_path / "move.gif", save_all=True, append_images=[second])
    with pytest.raises(InputError, match="has 2 frames: give one picture"):
        register_shape("move", tmp_path / "move.gif")


def test_a_function_that_fails_is_one_line() -> None:
    with pytest.raises(InputError, match="shape bad: the function fails with RuntimeError") as it:
        register_shape("bad", lambda x, y: x.view(3) + y)
    assert "\n" not in str(it.value)


@pytest.mark.parametrize("text", ["", "=", "x=", "=heart.png"])
def test_an_own_shape_without_name_or_file_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="FILE or NAME=FILE"):
        register_own(shape=[text])
