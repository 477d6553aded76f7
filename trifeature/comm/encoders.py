"""Encoders of single modalities, by name; `register_encoder` adds others.

An encoder turns items into maps, tokens or vectors; its latent converter turns these into tokens of
the fusion's width. Those of series and tokens are in `trifeature.comm.step_encoders`.

N samples, C channels, F features of a vector, T tokens, D width of the fusion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Final, Literal, cast, get_args

import torch
from torch import Tensor, nn
from torchvision.models import alexnet, resnet18, resnet50

from trifeature.checks import require_text
from trifeature.comm.networks import FeatureTokenizer, PatchEmbedding
from trifeature.comm.settings import ENCODER_NAMES, TIMM, RunSettings, check_encoder
from trifeature.comm.step_encoders import (
    Bag,
    Convolutions,
    Embedding,
    Force,
    Frozen,
    LastStepTransformer,
    Recurrent,
    Transformer,
)
from trifeature.comm.timm_encoders import timm_features
from trifeature.errors import InputError, check_name
from trifeature.modality import Modality

Shape = tuple[int, ...]
Takes = Literal["shape", "modality"]
Converter = Literal["one-token", "feature-normal"]

CONVERTER: Final = "latent_converter_name"
"""Attribute under which an encoder carries the name of its latent converter."""


@dataclass(frozen=True)
class Encoder:
    """A constructor of encoders.

    Attributes:
        make: Takes the shape of one item, or its modality, and returns a network from items
            [N, *shape] to maps [N, C, h, w], tokens [N, T, F] or vectors [N, F].
        kinds: Kinds of modality that it accepts.
        takes: What `make` takes, "shape" or "modality".
        converter: How a vector becomes tokens: None for a token of each feature; "one-token" for
            one of all; "feature-normal" for a token of each feature with weights and biases that
            start from a standard normal distribution, as published for MIMIC.
    """

    make: Callable[[Any], nn.Module]
    kinds: tuple[str, ...]
    takes: Takes = "shape"
    converter: Converter | None = None


ENCODERS: Final[dict[str, Encoder]] = {}
"""Every encoder by name, apart from timm's models."""


def register_encoder(
    name: str,
    make: Callable[[Any], nn.Module],
    *kinds: str,
    takes: Takes = "shape",
    converter: Converter | None = None,
) -> None:
    """Add an encoder.

    The items of a partial modality hold NaN where numbers are absent. An encoder of a kind without
    steps is given zeros for absent items. One of a kind with steps is given the NaN, and its
    network needs a method `present(items)`, which returns bool [N, T]: which of its tokens stand
    for present steps.

    Args:
        name: Name of the encoder in settings and on the command line.
        make: See `Encoder.make`.
        kinds: Kinds of modality that it accepts, at least one.
        takes: See `Encoder.takes`.
        converter: See `Encoder.converter`.

    Raises:
        InputError: an encoder of this name exists already, `make` cannot be called, no kind is
            given, or `takes` or `converter` is unknown.
    """
    require_text("name", name)
    if not callable(make):
        raise InputError(f"encoder {name!r} must be a class or a function, not {make!r}")
    if name in ENCODERS:
        raise InputError(f"an encoder called {name!r} exists already")
    if not kinds:
        raise InputError(
            f"encoder {name!r} must name at least one kind of modality that it accepts"
        )
    check_name("argument of encoders", takes, get_args(Takes))
    if converter is not None:
        check_name("latent converter", converter, get_args(Converter))
    ENCODERS[name] = Encoder(make, kinds, takes, converter)
    if name not in ENCODER_NAMES:
        ENCODER_NAMES.append(name)


def find_encoder(name: str) -> Encoder:
    """The encoder of a name, `timm:NAME` included.

    Raises:
        InputError: there is no such encoder.
    """
    if check_encoder(name).startswith(TIMM):
        return Encoder(partial(timm_features, name=name.removeprefix(TIMM)), ("image",))
    return ENCODERS[name]


def encoder_name(settings: RunSettings, modality: Modality, index: int) -> str:
    """The name of the encoder of a modality.

    This is the modality's own encoder, if it has one; otherwise the run's, if it accepts this kind;
    otherwise the default of the kind.

    Args:
        settings: Settings of the run.
        modality: The modality.
        index: Its index among the modalities of the data.

    Raises:
        InputError: there is no such encoder, or the modality's own does not accept its kind.
    """
    if modality.encoder is not None:
        chosen = find_encoder(modality.encoder)
        if modality.kind not in chosen.kinds:
            raise InputError(
                f"encoder {modality.encoder} accepts {' or '.join(chosen.kinds)}, but modality "
                f"{modality.name!r} is of kind {modality.kind}"
            )
        return modality.encoder
    given = settings.encoder_of(index)
    return given if modality.kind in find_encoder(given).kinds else modality.defaults.encoder


def make_encoder(settings: RunSettings, modality: Modality, index: int) -> nn.Module:
    """Make an untrained encoder for the modality at an index."""
    name = encoder_name(settings, modality, index)
    chosen = find_encoder(name)
    made = chosen.make(modality if chosen.takes == "modality" else modality.shape)
    if not isinstance(made, nn.Module):
        raise InputError(f"encoder {name!r} made {made!r}: a torch.nn.Module is needed")
    if chosen.converter is not None:
        setattr(made, CONVERTER, chosen.converter)
    return made


# --------------------------------------------------------------------------- outputs of encoders


def output_shape(encoder: nn.Module, modality: Modality) -> Shape:
    """Shape of an encoder's output for one item, without the batch dimension.

    Raises:
        InputError: the item is too small for the encoder, the output is neither maps, tokens nor
            vectors, or steps may be absent and the encoder does not tell which of its tokens are.
    """
    was_training = encoder.training
    try:
        with torch.no_grad():
            out = encoder.eval()(torch.zeros(1, *modality.shape))
    except (RuntimeError, AssertionError) as problem:
        size = "×".join(map(str, modality.shape))
        raise InputError(
            f"items of {size} ({modality.name}) do not fit the encoder: {problem}"
        ) from None
    finally:
        encoder.train(was_training)
    if not 2 <= out.ndim <= 4:
        raise InputError(
            f"an encoder must return maps [N, C, h, w], tokens [N, T, F] or vectors [N, F], not "
            f"{list(out.shape)}"
        )
    if modality.defaults.steps and modality.partial and out.ndim > 2:
        _require_presence(encoder, modality)
    return tuple(out.shape[1:])


def _require_presence(encoder: nn.Module, modality: Modality) -> None:
    if not callable(getattr(encoder, "present", None)):
        raise InputError(
            f"modality {modality.name!r} has absent steps, but its encoder "
            f"{type(encoder).__name__} has no method present(items) that tells which tokens are "
            "present"
        )


def encoded(encoder: nn.Module, modality: Modality, items: Tensor) -> tuple[Tensor, Tensor | None]:
    """The output of an encoder, and which of its tokens stand for something present.

    Args:
        encoder: See `Encoder.make`.
        modality: Its modality.
        items: Items [N, *shape], NaN where absent.

    Returns:
        The output, finite; and bool [N, T], or [N, 1] for all of an item. None if the modality is
        not partial, so that everything is present.
    """
    if not modality.partial:
        return encoder(items), None
    known = modality.present(items)
    if not modality.defaults.steps:
        absent = ~known.view(-1, *[1] * (items.ndim - 1))
        return encoder(items.masked_fill(absent, 0.0)), known
    out: Tensor = encoder(items)
    if out.ndim == 2:
        return out, known.any(1, keepdim=True)
    return out, cast(Any, encoder).present(items)


def encode_tokens(
    encoder: nn.Module, converter: nn.Module, modality: Modality, items: Tensor
) -> Tensor:
    """Tokens of the fusion [N, T, D]; absent ones are NaN.

    Args:
        encoder: See `Encoder.make`.
        converter: See `latent_converter`.
        modality: Their modality.
        items: Items [N, *shape], NaN where absent.
    """
    out, present = encoded(encoder, modality, items)
    tokens: Tensor = converter(out)
    if present is None:
        return tokens
    # After the converter: NaN before it would make the gradients of its weights NaN.
    return tokens.masked_fill(~present[..., None], torch.nan)


class PresentVectors(nn.Sequential):
    """An encoder with a linear layer on the mean of its present tokens: items to [N, length].

    A vector is used as it is, and so are tokens and maps of a kind without steps, flattened. An
    absent item has the mean zero, and thus the bias of the linear layer as its vector.

    The weights have the names that they have where nothing is absent, so that those of complete
    samples fit samples that lack a modality.

    Args:
        encoder: See `Encoder.make`.
        modality: Its modality.
        length: Length of the vectors.
    """

    def __init__(self, encoder: nn.Module, modality: Modality, length: int) -> None:
        shape = output_shape(encoder, modality)
        averaged = modality.defaults.steps and len(shape) == 2
        features = shape[1] if averaged else torch.Size(shape).numel()
        super().__init__(encoder, nn.Flatten(), nn.Linear(features, length))
        self.averaged, self.modality = averaged, modality

    def forward(self, items: Tensor) -> Tensor:
        """Vectors [N, length], always finite."""
        encoder, flatten, linear = self
        out, present = encoded(encoder, self.modality, items)
        if present is not None:
            out = out.masked_fill(~present.view(*present.shape, *[1] * (out.ndim - 2)), 0.0)
        if self.averaged:
            count = out.shape[1] if present is None else present.sum(1, keepdim=True).clamp(min=1)
            out = out.sum(1) / count
        vectors: Tensor = linear(flatten(out))
        return vectors


def vector_encoder(encoder: nn.Module, modality: Modality, length: int) -> nn.Module:
    """An encoder with a linear layer: items to vectors [N, length].

    The layer is given the mean over the present tokens of a kind with steps, and the flattened
    output of another.
    """
    if modality.defaults.steps or modality.partial:
        return PresentVectors(encoder, modality, length)
    features = torch.Size(output_shape(encoder, modality)).numel()
    return nn.Sequential(encoder, nn.Flatten(), nn.Linear(features, length))


def latent_converter(encoder: nn.Module, modality: Modality, width: int) -> nn.Module:
    """Make the module that converts an encoder's output into tokens [N, T, D] of the fusion.

    It makes a token of each position of maps and of each feature of a vector, if the encoder does
    not choose another (`Encoder.converter`); tokens of another width are projected linearly.

    Raises:
        InputError: the encoder chooses a converter of vectors, but gives none.
    """
    shape, chosen = output_shape(encoder, modality), getattr(encoder, CONVERTER, None)
    if chosen is not None and len(shape) != 1:
        raise InputError(
            f"the latent converter {chosen} takes vectors [N, F], but the encoder of "
            f"{modality.name!r} gives {len(shape) + 1} dimensions"
        )
    if len(shape) == 3:
        return PatchEmbedding(*shape, width)
    if chosen == "one-token":
        return nn.Sequential(_linear(shape[0], width), nn.Unflatten(1, (1, width)))
    if len(shape) == 1:
        return _feature_tokenizer(shape[0], width, normal=chosen == "feature-normal")
    return _linear(shape[1], width)


def _linear(features: int, width: int) -> nn.Module:
    """A linear map between different widths, the identity between equal ones."""
    return nn.Identity() if features == width else nn.Linear(features, width)


def _feature_tokenizer(features: int, width: int, *, normal: bool) -> FeatureTokenizer:
    made = FeatureTokenizer(features, width)
    if normal:
        nn.init.normal_(made.weight)
        nn.init.normal_(made.bias)
    return made


def token_count(encoder: nn.Module, modality: Modality) -> int:
    """Number of tokens of one item after its `latent_converter`, absent ones included."""
    shape = output_shape(encoder, modality)
    if len(shape) == 1 and getattr(encoder, CONVERTER, None) == "one-token":
        return 1
    return shape[1] * shape[2] if len(shape) == 3 else shape[0]


# --------------------------------------------------------------------------- encoders of images


def alexnet_maps(shape: Shape = (3, 224, 224)) -> nn.Module:
    """AlexNet without classifier: [N, 3, 224, 224] to maps [N, 256, 6, 6] (Krizhevsky 2014)."""
    features: nn.Sequential = alexnet(weights=None).features
    if shape[0] != 3:
        features[0] = nn.Conv2d(shape[0], 64, kernel_size=11, stride=4, padding=2)
    return features


def alexnet_maps_unpooled(shape: Shape = (3, 112, 112)) -> nn.Module:
    """AlexNet without its last pooling, which at 112 px keeps 6 × 6 maps: [N, 256, 6, 6]."""
    layers = list(alexnet_maps(shape).children())
    return nn.Sequential(*layers[:-1])


def small_maps(shape: Shape = (3, 32, 32), width: int = 24) -> nn.Module:
    """Three strided convolutions: [N, C, 32, 32] to maps [N, 4·width, 4, 4].

    A 4 × 4 kernel of stride 2 replaces a 3 × 3 kernel with 2 × 2 average pooling at less than half
    the time on a CPU, where pooling is slow. The channels-last layout saves another third.
    """
    layers: list[nn.Module] = []
    channels = shape[0]
    for stage in range(3):
        layers += [
            nn.Conv2d(channels, width << stage, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width << stage),
            nn.ReLU(inplace=True),
        ]
        channels = width << stage
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def resnet50_maps(shape: Shape = (3, 224, 224)) -> nn.Module:
    """ResNet-50 without pooling and classifier: [N, 3, 224, 224] to maps [N, 2048, 7, 7]."""
    return _resnet_maps(resnet50(weights=None), shape)


def resnet18_maps(shape: Shape = (3, 128, 128)) -> nn.Module:
    """ResNet-18 without pooling and classifier: [N, 3, 128, 128] to maps [N, 512, 4, 4]."""
    return _resnet_maps(resnet18(weights=None), shape)


def _resnet_maps(network: nn.Module, shape: Shape) -> nn.Module:
    layers = list(network.children())[:-2]
    if shape[0] != 3:
        layers[0] = nn.Conv2d(shape[0], 64, kernel_size=7, stride=2, padding=3, bias=False)
    return nn.Sequential(*layers)


# --------------------------------------------------------------------------- encoders of vectors


def mlp(shape: Shape, hidden: int = 64, out: int = 32) -> nn.Module:
    """Two linear layers with a ReLU between them: vectors [N, F] to [N, out]."""
    return nn.Sequential(nn.Linear(shape[0], hidden), nn.ReLU(inplace=True), nn.Linear(hidden, out))


def proprio(shape: Shape) -> nn.Module:
    """Four linear layers with LeakyReLU 0.1 after each: [N, 8] to [N, 512] (Vision&Touch).

    Dufumier et al. (2025) write five layers; their code has four.
    """
    sizes = (shape[0], 32, 64, 128, 512)
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.LeakyReLU(0.1, inplace=True)]
    return nn.Sequential(*layers)


def identity(_: Shape) -> nn.Module:
    """The identity on vectors [N, F]; the latent converter then makes a token of each feature."""
    return nn.Identity()


for _name, _make in {
    "alexnet": alexnet_maps,
    "alexnet-unpooled": alexnet_maps_unpooled,
    "resnet50": resnet50_maps,
    "resnet18": resnet18_maps,
    "small": small_maps,
}.items():
    register_encoder(_name, _make, "image")
register_encoder("mlp", mlp, "vector")
register_encoder("mlp-mimic", partial(mlp, hidden=10, out=10), "vector", converter="feature-normal")
register_encoder("proprio", proprio, "vector", converter="one-token")
register_encoder("identity", identity, "vector")
_OF_SERIES: Final[dict[str, Callable[[Any], nn.Module]]] = {
    "conv1d": Convolutions,
    "transformer": Transformer,
    "transformer-unmasked": partial(Transformer, masked=False),
    "transformer-post": LastStepTransformer,
    "gru": Recurrent,
    "gru-small": partial(Recurrent, hidden=64),
    "force": Force,
    "force-whole": partial(Force, whole=True),
}
for _name, _of_series in _OF_SERIES.items():
    register_encoder(_name, _of_series, "series", takes="modality")
register_encoder("frozen", Frozen, "series", "vector", takes="modality")
register_encoder(
    "force-token", partial(Force, out=512), "series", takes="modality", converter="one-token"
)
for _name, _of_tokens in {"embedding": Embedding, "bag": Bag}.items():
    register_encoder(_name, _of_tokens, "tokens", takes="modality")
