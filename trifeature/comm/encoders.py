"""Encoders of single modalities, by name; `register_encoder` adds others.

N samples, C channels, F features of a vector, T tokens, D width of the fusion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import nn
from torchvision.models import alexnet, resnet50

from trifeature.comm.networks import FeatureTokenizer, PatchEmbedding
from trifeature.comm.settings import ENCODER_NAMES, RunSettings
from trifeature.errors import InputError, check_name
from trifeature.modality import Modality

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Encoder:
    """A constructor of encoders.

    Attributes:
        make: Takes the shape of one item and returns a network from items [N, *shape] to maps
            [N, C, h, w], tokens [N, T, F] or vectors [N, F].
        kinds: Kinds of modality that it accepts.
    """

    make: Callable[[Shape], nn.Module]
    kinds: tuple[str, ...]


ENCODERS: Final[dict[str, Encoder]] = {}
"""Every encoder by name."""


def register_encoder(name: str, make: Callable[[Shape], nn.Module], *kinds: str) -> None:
    """Add an encoder.

    Args:
        name: Name of the encoder in settings and on the command line.
        make: See `Encoder.make`.
        kinds: Kinds of modality that it accepts, at least one.

    Raises:
        InputError: an encoder of this name exists already, `make` cannot be called, or no kind is
            given.
    """
    if not callable(make):
        raise InputError(f"encoder {name!r} must be a class or a function, not {make!r}")
    if name in ENCODERS:
        raise InputError(f"an encoder called {name!r} exists already")
    if not kinds:
        raise InputError(
            f"encoder {name!r} must name at least one kind of modality that it accepts"
        )
    ENCODERS[name] = Encoder(make, kinds)
    if name not in ENCODER_NAMES:
        ENCODER_NAMES.append(name)


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
        chosen = ENCODERS[check_name("encoder", modality.encoder, ENCODERS)]
        if modality.kind not in chosen.kinds:
            raise InputError(
                f"encoder {modality.encoder} accepts {' or '.join(chosen.kinds)}, but modality "
                f"{modality.name!r} is of kind {modality.kind}"
            )
        return modality.encoder
    given = settings.encoder_of(index)
    return given if modality.kind in ENCODERS[given].kinds else modality.defaults.encoder


def make_encoder(settings: RunSettings, modality: Modality, index: int) -> nn.Module:
    """Make an untrained encoder for the modality at an index."""
    name = encoder_name(settings, modality, index)
    made = ENCODERS[name].make(modality.shape)
    if not isinstance(made, nn.Module):
        raise InputError(f"encoder {name!r} made {made!r}: a torch.nn.Module is needed")
    return made


# --------------------------------------------------------------------------- outputs of encoders


def output_shape(encoder: nn.Module, modality: Modality) -> Shape:
    """Shape of an encoder's output for one item, without the batch dimension.

    Raises:
        InputError: the item is too small for the encoder, or the output is neither maps, tokens
            nor vectors.
    """
    was_training = encoder.training
    try:
        with torch.no_grad():
            out = encoder.eval()(torch.zeros(1, *modality.shape))
    except RuntimeError as problem:
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
    return tuple(out.shape[1:])


def vector_encoder(encoder: nn.Module, modality: Modality, length: int) -> nn.Sequential:
    """An encoder with a linear layer on its flattened output: items to vectors [N, length]."""
    features = torch.Size(output_shape(encoder, modality)).numel()
    return nn.Sequential(encoder, nn.Flatten(), nn.Linear(features, length))


def latent_converter(encoder: nn.Module, modality: Modality, width: int) -> nn.Module:
    """Make the module that converts an encoder's output into tokens [N, T, D] of the fusion.

    It makes a token of each position of maps and of each feature of a vector; tokens of another
    width are projected linearly.
    """
    shape = output_shape(encoder, modality)
    if len(shape) == 3:
        return PatchEmbedding(*shape, width)
    if len(shape) == 1:
        return FeatureTokenizer(shape[0], width)
    return nn.Identity() if shape[1] == width else nn.Linear(shape[1], width)


def token_count(encoder: nn.Module, modality: Modality) -> int:
    """Number of tokens of one item after its `latent_converter`."""
    shape = output_shape(encoder, modality)
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
    layers = list(resnet50(weights=None).children())[:-2]
    if shape[0] != 3:
        layers[0] = nn.Conv2d(shape[0], 64, kernel_size=7, stride=2, padding=3, bias=False)
    return nn.Sequential(*layers)


# --------------------------------------------------------------------------- encoders of vectors


def mlp(shape: Shape, hidden: int = 64, out: int = 32) -> nn.Module:
    """Two linear layers with a ReLU between them: vectors [N, F] to [N, out]."""
    return nn.Sequential(nn.Linear(shape[0], hidden), nn.ReLU(inplace=True), nn.Linear(hidden, out))


def identity(_: Shape) -> nn.Module:
    """The identity on vectors [N, F]; the latent converter then makes a token of each feature."""
    return nn.Identity()


for _name, _make in {
    "alexnet": alexnet_maps,
    "alexnet-unpooled": alexnet_maps_unpooled,
    "resnet50": resnet50_maps,
    "small": small_maps,
}.items():
    register_encoder(_name, _make, "image")
register_encoder("mlp", mlp, "vector")
register_encoder("identity", identity, "vector")
