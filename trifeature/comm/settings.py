"""What a run depends on: frozen settings, validated, saved as JSON with every run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final, Literal, get_args

from trifeature.comm.losses import NEGATIVES, Negatives
from trifeature.comm.networks import MASKINGS, Masking
from trifeature.errors import InputError, check_name
from trifeature.views.images import ALL, LIGHT, ViewSet

Schedule = Literal["constant", "cosine"]
Unimodal = Literal["augmented", "plain"]
Fusion = Literal["attention", "linear"]
CrossSelf = Literal["code", "paper"]
Precision = Literal["float32", "bfloat16"]
PRECISIONS: Final[tuple[Precision, ...]] = get_args(Precision)

ENCODERS: Final = ("alexnet", "alexnet-unpooled", "resnet50", "small")
"""The names of the encoders; `trifeature.comm.methods.base.ENCODERS` makes them."""


@dataclass(frozen=True)
class ModelSettings:
    """The network and the loss. The defaults produced the published numbers.

    Attributes:
        encoder: One of `ENCODERS`; each modality has its own.
        width: D, of tokens and fused embedding.
        heads: Of the attention.
        hidden: Width of the projection head's hidden layers.
        embedding: Length of the head's output.
        fusion: `attention`, or `linear` as in Table 4.
        masking: How a modality is left out, see `trifeature.comm.networks.AttentionFusion`.
        head_norm: BatchNorm in the projection head.
        unimodal: Whether z_i sees an `augmented` view (the authors' code) or the `plain` image
            (the paper's Algorithm 1).
        negatives: See `trifeature.comm.losses.info_nce`.
        temperature: τ of the loss.
        vector: Length of a vector encoder's output, for the methods that have one.
        cross_self: Variant of Cross+Self, the published `code`'s or the `paper`'s.
    """

    encoder: str = "alexnet"
    width: int = 512
    heads: int = 8
    hidden: int = 512
    embedding: int = 256
    fusion: Fusion = "attention"
    masking: Masking = "remove"
    head_norm: bool = True
    unimodal: Unimodal = "augmented"
    negatives: Negatives = "both"
    temperature: float = 0.1
    vector: int = 256
    cross_self: CrossSelf = "code"

    def __post_init__(self) -> None:
        check_name("encoder", self.encoder, ENCODERS)
        check_name("fusion", self.fusion, get_args(Fusion))
        check_name("masking", self.masking, MASKINGS)
        check_name("kind of unimodal view", self.unimodal, get_args(Unimodal))
        check_name("kind of negatives", self.negatives, NEGATIVES)
        check_name("variant of cross+self", self.cross_self, get_args(CrossSelf))
        for name in ("width", "heads", "hidden", "embedding", "vector"):
            _require_positive(name, getattr(self, name), whole=True)
        _require_positive("temperature", self.temperature)


@dataclass(frozen=True)
class RunSettings:
    """One training run, but for its data set. The defaults are the paper's.

    Attributes:
        method: A name in `trifeature.comm.methods.METHODS`.
        loss: What CoMM minimizes, see `trifeature.comm.losses.loss_names`.
        model: The network.
        views: The augmentations, one set for every modality or one set each.
        light: The weak augmentations of the methods that use some beside `views`.
        epochs: Passes over the training pairs.
        batch_size: Pairs in a step; the last, smaller batch of an epoch is kept.
        learning_rate, weight_decay: Of AdamW.
        schedule: `constant`, or `cosine` to zero after a linear warm-up.
        warmup: Share of all steps that the cosine schedule warms up for.
        seed: Of initialization, data order and views.
        precision: Of the products in training: `float32` throughout, or `bfloat16` by autocast,
            with losses, normalizations and the optimizer in float32. Probes are always float32.
    """

    method: str = "comm"
    loss: str = "L_CoMM"
    model: ModelSettings = field(default_factory=ModelSettings)
    views: tuple[ViewSet, ...] = (ALL,)
    light: ViewSet = LIGHT
    epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    schedule: Schedule = "constant"
    warmup: float = 0.1
    seed: int = 0
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        check_name("schedule", self.schedule, get_args(Schedule))
        check_name("precision", self.precision, PRECISIONS)
        for name in ("epochs", "seed"):
            _require_positive(name, getattr(self, name), whole=True, zero=True)
        _require_positive("learning_rate", self.learning_rate)
        _require_positive("weight_decay", self.weight_decay, zero=True)
        _require_positive("batch_size", self.batch_size, whole=True)
        if self.batch_size < 2:
            raise InputError(f"batch_size must be at least 2, not {self.batch_size}")
        if not 0 <= self.warmup < 1:
            raise InputError(f"warmup must be from 0 to below 1, not {self.warmup}")
        if not self.views:
            raise InputError("views must hold at least one set of augmentations")

    def views_of(self, modality: int) -> ViewSet:
        """The augmentations of one modality."""
        return self.views[modality if len(self.views) > 1 else 0]

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `from_json` reads back.

        A precision of float32 is left out: runs and rows from before there was a choice keep
        their settings and their keys.
        """
        content = asdict(self)
        if self.precision == "float32":
            del content["precision"]
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> RunSettings:
        """Read what `to_json` wrote.

        Raises:
            InputError: a key is missing, unknown or of the wrong kind.
        """
        try:
            if missing := {f.name for f in fields(cls)} - {"precision", *content}:
                raise KeyError(*sorted(missing))
            views = tuple(ViewSet.from_dict(view) for view in content["views"])
            light = ViewSet.from_dict(content["light"])
            model = ModelSettings(**content["model"])
            return cls(**{**content, "views": views, "light": light, "model": model})
        except (AttributeError, KeyError, TypeError) as problem:
            raise InputError(f"the run's settings cannot be read: {problem}") from None


def _require_positive(name: str, value: float, *, whole: bool = False, zero: bool = False) -> None:
    right = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not right or not (value >= 0 if zero else value > 0):
        kind = "whole number" if whole else "number"
        raise InputError(f"{name} must be a {kind} {'≥' if zero else '>'} 0, not {value!r}")
    if math.isinf(value):
        raise InputError(f"{name} must be finite, not {value!r}")


@dataclass(frozen=True)
class Augmentations:
    """What a preset means by the paper's sets of transforms.

    Attributes:
        all: *All* of Table 5.
        light: What Table 5 writes as ∅ and the authors' code runs in its place.
        crops_from_zero: Crop scales of the first family of Figure 7, the strongest first.
        crops_to_full: Crop scales of the second family.
    """

    all: ViewSet
    light: ViewSet
    crops_from_zero: tuple[tuple[float, float], ...]
    crops_to_full: tuple[tuple[float, float], ...]


AUGMENTATIONS: Final = {
    # The paper states the ends of both families, and 0.05 % where 0.05 is likelier; the points
    # between are ours.
    "paper": Augmentations(
        all=ALL,
        light=LIGHT,
        crops_from_zero=((0.01, 0.2), (0.01, 0.3), (0.01, 0.4), (0.01, 0.5), (0.01, 0.6)),
        crops_to_full=((0.05, 1.0), (0.08, 1.0), (0.1, 1.0), (0.15, 1.0)),
    ),
    # A blur is measured in pixels, so at half the canvas it is half as wide.
    "fast": Augmentations(
        all=replace(ALL, blur_sigma=(0.05, 1.0)),
        light=LIGHT,
        crops_from_zero=((0.01, 0.2), (0.01, 0.4), (0.01, 0.6)),
        crops_to_full=((0.05, 1.0), (0.08, 1.0), (0.15, 1.0)),
    ),
    # At 32 px a crop below 0.4 leaves little texture to see, and a blur none to tell apart.
    "quick": Augmentations(
        all=replace(ALL, crop_scale=(0.4, 1.0), grayscale_probability=0.0, blur_probability=0.0),
        light=replace(LIGHT, crop_scale=(0.7, 1.0)),
        crops_from_zero=((0.1, 0.3), (0.1, 0.5), (0.1, 0.8)),
        crops_to_full=((0.2, 1.0), (0.4, 1.0), (0.7, 1.0)),
    ),
}
"""Each preset's own sets: what is light at 224 px is strong at 32."""

RUN_PRESETS: Final = {
    "paper": RunSettings(precision="bfloat16"),
    "fast": RunSettings(
        model=ModelSettings(encoder="alexnet-unpooled"),
        views=(AUGMENTATIONS["fast"].all,),
        light=AUGMENTATIONS["fast"].light,
        precision="bfloat16",
    ),
    "quick": RunSettings(
        model=ModelSettings(
            encoder="small", width=128, hidden=256, embedding=128, vector=128, temperature=0.05
        ),
        views=(AUGMENTATIONS["quick"].all,),
        light=AUGMENTATIONS["quick"].light,
        epochs=4,
        learning_rate=2e-3,
        schedule="cosine",
    ),
}
"""One for each preset of `trifeature.data.dataset`; `quick` was chosen on validation pairs only.

`paper` and `fast` train in bfloat16, where the authors trained in float32: `precision="float32"` is
the reference to compare with.
"""


def run_preset(name: str, **changes: Any) -> RunSettings:
    """A preset's settings, with some changed; names of `ModelSettings` are found there.

    Raises:
        InputError: there is no such preset, or a change is unknown or out of range.

    >>> run_preset("quick", width=64).model.width
    64
    """
    settings = RUN_PRESETS[check_name("preset", name, RUN_PRESETS)]
    own = {f.name for f in fields(RunSettings)}
    inner = {f.name for f in fields(ModelSettings)}
    for key in changes:
        check_name("setting", key, [*own, *inner])
    model = replace(settings.model, **{k: v for k, v in changes.items() if k in inner})
    rest = {k: v for k, v in changes.items() if k in own}
    return replace(settings, **({"model": model} | rest))
