"""The list of encoders, what becomes of their outputs, and encoders of images and vectors."""

import sys
from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import resnet18

from trifeature.comm.encoders import (
    ENCODERS,
    Encoder,
    encode_tokens,
    find_encoder,
    latent_converter,
    make_encoder,
    output_shape,
    proprio,
    register_encoder,
    resnet18_maps,
    small_maps,
    token_count,
    vector_encoder,
)
from trifeature.comm.networks import FeatureTokenizer, count_parameters
from trifeature.comm.settings import ENCODER_NAMES, RunSettings, check_encoder
from trifeature.errors import InputError
from trifeature.modality import KINDS, Modality

D = 16


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def _registry() -> Iterator[None]:
    """Undo what a test registers."""
    names, encoders = list(ENCODER_NAMES), dict(ENCODERS)
    yield
    ENCODER_NAMES[:] = names
    ENCODERS.clear()
    ENCODERS.update(encoders)


def vector(features: int = 5, *, encoder: str | None = None, partial: bool = False) -> Modality:
    return Modality("x", "vector", (features,), encoder, partial=partial)


def image(side: int = 32, *, encoder: str | None = None, partial: bool = False) -> Modality:
    return Modality("x", "image", (3, side, side), encoder, partial=partial)


def series(steps: int = 16, *, encoder: str | None = None, partial: bool = False) -> Modality:
    return Modality("x", "series", (steps, 3), encoder, partial=partial)


def encoder_of(modality: Modality) -> nn.Module:
    return make_encoder(RunSettings(encoder="small"), modality, 0)


# --------------------------------------------------------------------------- the list


def test_the_settings_name_every_encoder() -> None:
    assert sorted(ENCODER_NAMES) == sorted(ENCODERS)


def test_the_default_of_each_kind_accepts_it() -> None:
    for kind in KINDS.values():
        assert kind.name in ENCODERS[kind.encoder].kinds
    assert KINDS["series"].encoder == "conv1d"
    assert KINDS["tokens"].encoder == "embedding"


@pytest.mark.usefixtures("_registry")
def test_a_registered_encoder_is_given_its_modality() -> None:
    register_encoder("wide", lambda m: nn.Linear(m.shape[0], 7), "vector", takes="modality")
    assert output_shape(encoder_of(vector(encoder="wide")), vector()) == (7,)
    assert find_encoder("wide").takes == "modality"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"takes": "items"}, "unknown argument of encoders 'items'.*shape, modality"),
        ({"converter": "one"}, "unknown latent converter 'one'.*one-token, feature-normal"),
    ],
)
def test_an_unknown_option_of_an_encoder_is_refused(options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        register_encoder("new", proprio, "vector", **options)
    assert "new" not in ENCODERS


# --------------------------------------------------------------------------- latent converters


@torch.no_grad()
def test_one_token_is_the_whole_vector() -> None:
    modality = vector(8, encoder="proprio")
    encoder, items = encoder_of(modality), torch.randn(4, 8)
    same, narrow = (latent_converter(encoder, modality, width) for width in (512, D))
    assert token_count(encoder, modality) == 1
    assert count_parameters(same) == 0
    assert torch.equal(same(encoder(items)), encoder(items)[:, None])
    (weight, bias) = narrow.state_dict().values()
    expected = torch.addmm(bias, encoder(items), weight.T)
    torch.testing.assert_close(narrow(encoder(items))[:, 0], expected)


@pytest.mark.parametrize("shape", [(6,), (4, 6)])
@torch.no_grad()
def test_frozen_features_are_the_tokens(shape: tuple[int, ...]) -> None:
    kind = "vector" if len(shape) == 1 else "series"
    modality = Modality("x", kind, shape, "frozen", partial=True)
    encoder, items = encoder_of(modality), torch.randn(3, *shape)
    items[1] = torch.nan
    tokens = encode_tokens(encoder, latent_converter(encoder, modality, 6), modality, items)
    torch.testing.assert_close(tokens, items.view(3, -1, 6), equal_nan=True)
    assert latent_converter(encoder, modality, D).state_dict()["weight"].shape == (D, 6)
    assert vector_encoder(encoder, modality, D)(items).isfinite().all()


def test_the_tokenizer_of_mimic_starts_from_a_standard_normal_distribution() -> None:
    modality = vector(encoder="mlp-mimic")
    encoder = encoder_of(modality)
    assert [type(layer) for layer in encoder.children()] == [nn.Linear, nn.ReLU, nn.Linear]
    assert count_parameters(encoder) == (5 * 10 + 10) + (10 * 10 + 10)
    converter = latent_converter(encoder, modality, 512)
    assert isinstance(converter, FeatureTokenizer)
    for values in (converter.weight, converter.bias):
        assert values.shape == (10, 512)
        assert values.std().item() == pytest.approx(1, abs=0.03)
        assert values.mean().item() == pytest.approx(0, abs=0.05)


@pytest.mark.usefixtures("_registry")
def test_a_converter_of_vectors_refuses_tokens() -> None:
    register_encoder("odd", lambda _: nn.Unflatten(1, (5, 1)), "vector", converter="one-token")
    with pytest.raises(InputError, match=r"one-token takes vectors \[N, F\].* gives 3 dimensions"):
        latent_converter(encoder_of(vector(encoder="odd")), vector(), D)


# --------------------------------------------------------------------------- absent items


@pytest.mark.parametrize("modality", [vector(), image(), series()], ids=lambda m: m.kind)
@torch.no_grad()
def test_tokens_of_a_whole_modality_are_what_the_converter_gives(modality: Modality) -> None:
    encoder = encoder_of(modality).eval()
    converter = latent_converter(encoder, modality, D)
    items = torch.randn(4, *modality.shape)
    tokens = encode_tokens(encoder, converter, modality, items)
    assert torch.equal(tokens, converter(encoder(items)))
    assert tokens.shape == (4, token_count(encoder, modality), D)


@pytest.mark.parametrize(
    "modality",
    [
        vector(partial=True),
        vector(8, encoder="proprio", partial=True),
        image(partial=True),
        series(encoder="transformer-post", partial=True),
    ],
    ids=["vector", "one token", "image", "series to a vector"],
)
@torch.no_grad()
def test_all_tokens_of_an_absent_item_are_absent(modality: Modality) -> None:
    encoder = encoder_of(modality).eval()
    converter = latent_converter(encoder, modality, D)
    items = torch.randn(3, *modality.shape)
    expected = encode_tokens(encoder, converter, modality, items)
    assert expected.isfinite().all()
    items[1] = torch.nan
    tokens = encode_tokens(encoder, converter, modality, items)
    assert tokens[1].isnan().all()
    torch.testing.assert_close(tokens[::2], expected[::2])


def test_absent_tokens_leave_all_gradients_finite() -> None:
    modality = series(partial=True)
    encoder = encoder_of(modality)
    converter = latent_converter(encoder, modality, D)
    items = torch.randn(3, *modality.shape)
    items[1], items[2, 4:] = torch.nan, torch.nan
    tokens = encode_tokens(encoder, converter, modality, items)
    assert tokens.isnan().all(2).tolist() == [[False, False], [True, True], [False, True]]
    tokens.nan_to_num().square().sum().backward()
    for module in (encoder, converter):
        assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


@pytest.mark.usefixtures("_registry")
def test_an_encoder_that_does_not_tell_what_is_present_is_refused_where_it_matters() -> None:
    register_encoder("plain", lambda shape: nn.Linear(shape[1], 4), "series")
    encoder = encoder_of(series(encoder="plain"))
    assert token_count(encoder, series()) == 16
    for make in (latent_converter, vector_encoder):
        with pytest.raises(InputError, match="'x' has absent steps, but its encoder Linear has no"):
            make(encoder, series(partial=True), D)


# --------------------------------------------------------------------------- vectors of items


@pytest.mark.parametrize("partial", [False, True])
@torch.no_grad()
def test_the_vector_of_a_series_is_of_the_mean_of_its_present_tokens(partial: bool) -> None:
    modality = series(encoder="gru-small", partial=partial)
    encoder = encoder_of(modality)
    whole = vector_encoder(encoder, modality, D)
    items = torch.randn(3, *modality.shape)
    lengths = [16, 16, 16]
    if partial:
        items[1, 5:], items[2] = torch.nan, torch.nan
        lengths = [16, 5, 0]
    weight, bias = (whole.state_dict()[f"2.{name}"] for name in ("weight", "bias"))
    for own, tokens, length in zip(whole(items), encoder(items), lengths, strict=True):
        mean = sum(tokens[:length], torch.zeros(64)) / max(length, 1)
        torch.testing.assert_close(own, weight @ mean + bias)
    if partial:
        assert torch.equal(whole(items)[2], bias)


@pytest.mark.parametrize(
    "modality",
    [vector(partial=True), image(partial=True), series(encoder="transformer-post", partial=True)],
    ids=lambda m: m.kind,
)
@torch.no_grad()
def test_the_vector_of_an_absent_item_is_the_bias(modality: Modality) -> None:
    encoder = encoder_of(modality)
    whole = vector_encoder(encoder, modality, D).eval()
    items = torch.randn(3, *modality.shape)
    expected = whole(items)
    items[1] = torch.nan
    vectors = whole(items)
    assert torch.equal(vectors[1], whole.state_dict()["2.bias"])
    torch.testing.assert_close(vectors[::2], expected[::2])


def test_the_vector_encoder_of_whole_images_keeps_its_names() -> None:
    """Run folders of earlier versions hold weights under these names."""
    names = vector_encoder(small_maps(), image(), D).state_dict()
    assert {name.split(".")[0] for name in names} == {"0", "2"}
    assert names["2.weight"].shape == (D, 96 * 4 * 4)


# --------------------------------------------------------------------------- images and vectors


@torch.no_grad()
def test_resnet18_gives_the_maps_before_the_pooling() -> None:
    torch.manual_seed(1)
    encoder = resnet18_maps().eval()
    torch.manual_seed(1)
    network = resnet18(weights=None).eval()
    network.avgpool = network.fc = nn.Identity()
    items = torch.randn(1, 3, 64, 64)
    maps: Tensor = encoder(items)
    assert maps.shape == (1, 512, 2, 2)
    assert torch.equal(maps.flatten(1), network(items))
    gray = Modality("x", "image", (1, 128, 128))
    with torch.device("meta"):
        assert output_shape(resnet18_maps(gray.shape), gray) == (512, 4, 4)


def test_the_robot_encoder_has_four_layers_and_starts_as_pytorch_does() -> None:
    encoder = proprio((8,))
    layers = list(encoder.children())
    assert [type(layer) for layer in layers] == [nn.Linear, nn.LeakyReLU] * 4
    assert count_parameters(encoder) == sum(a * b + b for a, b in pairwise((8, 32, 64, 128, 512)))
    for layer in layers[::2]:
        assert isinstance(layer, nn.Linear)
        assert layer.weight.abs().max() <= layer.in_features**-0.5
    assert {layer.negative_slope for layer in layers[1::2]} == {0.1}


# --------------------------------------------------------------------------- timm


class Sized(nn.Module):
    """A stand-in for a model whose maps have their channels last."""

    output_fmt = "NHWC"

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        return images.new_zeros(len(images), self.size[0] // 8, self.size[1] // 16, 10)


def fake_timm(name: str, img_size: tuple[int, int] | None = None, **options: Any) -> nn.Module:
    """`timm.create_model` for two models, one of which takes a size."""
    assert options.items() >= {"pretrained": False, "num_classes": 0, "global_pool": ""}.items()
    if name == "sized":
        assert img_size is not None
        return Sized(img_size)
    if img_size is not None:
        raise TypeError("unexpected keyword argument 'img_size'")
    if options["in_chans"] != 3:
        raise AssertionError("three channels\nare needed")
    return nn.Conv2d(3, 4, 8, stride=8)


@pytest.fixture
def _timm(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["sized", "plain"]
    made = SimpleNamespace(
        __version__="1.0",
        is_model=names.__contains__,
        list_models=lambda: names,
        create_model=fake_timm,
    )
    monkeypatch.setitem(sys.modules, "timm", made)


@pytest.mark.usefixtures("_timm")
def test_models_of_timm_give_maps_with_and_without_a_size() -> None:
    modality = Modality("x", "image", (3, 32, 64))
    for name, shape in {"timm:sized": (10, 4, 4), "timm:plain": (4, 4, 8)}.items():
        encoder = make_encoder(RunSettings(encoder=name), modality, 0)
        assert output_shape(encoder, modality) == shape
    with pytest.raises(InputError, match=r"timm 1\.0 has no model 'plan': did you mean 'plain'"):
        encoder_of(image(encoder="timm:plan"))
    gray = Modality("x", "image", (1, 32, 32), "timm:plain")
    with pytest.raises(
        InputError, match=r"make plain for images \[1, 32, 32\]: three channels are"
    ):
        encoder_of(gray)


def test_where_timm_is_missing_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match="timm:resnet18 needs the package timm: pip install timm"):
        encoder_of(image(encoder="timm:resnet18"))


@pytest.mark.parametrize(
    "name", ["vit_tiny_patch16_224", "resnet18", "swin_tiny_patch4_window7_224"]
)
@pytest.mark.slow  # timm takes seconds to import
def test_the_real_timm_gives_tokens_and_maps(name: str) -> None:
    pytest.importorskip("timm")
    modality = image(64, encoder=f"timm:{name}")
    encoder = encoder_of(modality)
    shapes = {"vit": (17, 192), "resnet18": (512, 2, 2), "swin": (768, 2, 2)}
    assert output_shape(encoder, modality) == shapes[name.partition("_")[0]]


def test_settings_know_the_names_of_timm() -> None:
    settings = RunSettings(encoder=("timm:resnet18", "small"))
    assert RunSettings.from_json(settings.to_json()) == settings
    assert find_encoder("timm:resnet18").kinds == ("image",)
    assert isinstance(find_encoder("small"), Encoder)
    for wrong in ("timm:", "timm"):
        with pytest.raises(InputError, match="unknown encoder"):
            check_encoder(wrong)


def test_a_model_of_timm_takes_no_vectors() -> None:
    with pytest.raises(InputError, match="encoder timm:resnet18 accepts image, but modality 'x'"):
        encoder_of(vector(encoder="timm:resnet18"))
    settings = RunSettings(encoder="timm:resnet18")
    assert isinstance(make_encoder(settings, vector(), 0), nn.Sequential)
