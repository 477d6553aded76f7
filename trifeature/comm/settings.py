"""The settings of a training run: frozen dataclasses, validated, saved as JSON with every run.

`RunSettings` holds the options of its method (`trifeature.comm.options`) and the settings common to
all runs. Nothing here imports torch, so the command line can be built from these classes
quickly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Literal, get_args

from trifeature.checks import (
    require_choice,
    require_number,
    require_whole,
    settings_from,
)
from trifeature.comm.options import OPTIONS, Options
from trifeature.errors import InputError, check_name
from trifeature.presets import get_preset
from trifeature.views import VIEW_KINDS, Views, views_from_json
from trifeature.views.sets import ALL, LIGHT

Schedule = Literal["constant", "cosine"]
Precision = Literal["float32", "bfloat16"]

PRECISIONS: Final[tuple[Precision, ...]] = get_args(Precision)


ENCODER_NAMES: Final = [
    *("alexnet", "alexnet-unpooled", "resnet50", "resnet18", "small"),
    *("mlp", "mlp-mimic", "proprio", "identity"),
    *("conv1d", "transformer", "transformer-unmasked", "transformer-post", "gru", "gru-small"),
    *("force", "force-token", "force-whole", "frozen"),
    *("embedding", "bag"),
]
"""The names of all encoders, of images, vectors, series and tokens in turn.

`trifeature.comm.encoders.register_encoder` adds to it.
"""

TIMM: Final = "timm:"
"""What the names of timm's models begin with: `timm:resnet18`."""


def check_encoder(name: str) -> str:
    """Return `name` if it is one of `ENCODER_NAMES`, or that of a model of timm.

    Whether timm has such a model is seen when it is made.

    Raises:
        InputError: it is neither.
    """
    if isinstance(name, str) and name.startswith(TIMM) and name != TIMM:
        return name
    return check_name("encoder", name, ENCODER_NAMES)


# --------------------------------------------------------------------------- settings of a run


@dataclass(frozen=True)
class RunSettings:
    """Settings of a training run, apart from its data. The defaults are the paper's.

    Attributes:
        method: Name of the method, a key of `OPTIONS`.
        options: Options of the method; None for their defaults.
        encoder: Encoder of every modality whose kind it accepts, or one name for each modality; see
            `trifeature.comm.encoders`.
        views: Augmentations, one set for all modalities or one for each. A modality of another kind
            than the set's uses the default of its kind.
        light: Weak augmentations, for methods that use them beside `views`.
        epochs: Passes over the training samples.
        batch_size: Number of samples in a step; the last, smaller batch of an epoch is used too.
        learning_rate: Learning rate of AdamW.
        weight_decay: Weight decay of AdamW.
        schedule: `constant`, or `cosine` to zero after a linear warm-up.
        warmup: Fraction of all steps in which the cosine schedule warms up.
        seed: Seed of initialization, data order and views.
        precision: Precision of matrix products in training: `float32`, or `bfloat16` by autocast,
            with losses, normalizations and the optimizer in float32. Probes are always float32.

    Raises:
        InputError: there is no such method, the options are those of another method, or a value is
            out of range.
    """

    method: str = "comm"
    options: Options = None  # type: ignore[assignment]  # __post_init__ sets the defaults
    encoder: str | tuple[str, ...] = "alexnet"
    views: tuple[Views, ...] = (ALL,)
    light: Views = LIGHT
    epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    schedule: Schedule = "constant"
    warmup: float = 0.1
    seed: int = 0
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        kind = OPTIONS[check_name("method", self.method, OPTIONS)]
        if self.options is None:
            object.__setattr__(self, "options", kind())
        if not isinstance(self.options, kind):
            raise InputError(
                f"the options of {self.method} are {kind.__name__}, not "
                f"{type(self.options).__name__}"
            )
        if isinstance(self.encoder, tuple | list):
            object.__setattr__(self, "encoder", tuple(self.encoder))
        else:
            check_encoder(self.encoder)
        for name in (self.encoder,) if isinstance(self.encoder, str) else self.encoder:
            check_encoder(name)
        require_choice("schedule", self.schedule, get_args(Schedule))
        require_choice("precision", self.precision, PRECISIONS)
        limits = {"epochs": (0, 10**6), "seed": (0, 2**63 - 1), "batch_size": (2, 10**7)}
        for name, (low, high) in limits.items():
            object.__setattr__(self, name, require_whole(name, getattr(self, name), low, high))
        for name, value in {
            "learning_rate": require_number("learning_rate", self.learning_rate, above=0),
            "weight_decay": require_number("weight_decay", self.weight_decay, 0),
            "warmup": require_number("warmup", self.warmup, 0, below=1),
        }.items():
            object.__setattr__(self, name, value)
        if not isinstance(self.views, tuple | list) or not self.views:
            raise InputError("views must hold at least one set of augmentations, as a tuple")
        object.__setattr__(self, "views", tuple(self.views))
        for views in (*self.views, self.light):
            if getattr(views, "kind", None) not in VIEW_KINDS or isinstance(views, type):
                raise InputError(f"a set of augmentations is ViewSet(…) or the like, not {views!r}")

    def option(self, name: str, default: Any = None) -> Any:
        """An option of the method, or `default` if the method has no such option."""
        return getattr(self.options, name, default)

    def views_of(self, modality: int) -> Views:
        """The augmentations that the settings give for a modality."""
        return self.views[modality if len(self.views) > 1 else 0]

    def encoder_of(self, modality: int) -> str:
        """The name of the encoder that the settings give for a modality."""
        return self.encoder if isinstance(self.encoder, str) else self.encoder[modality]

    def change(self, **changes: Any) -> RunSettings:
        """A copy with some settings or options of the method changed.

        If `method` changes, options that both methods have keep their values.

        Raises:
            InputError: a name is neither a setting nor an option of the method.
        """
        own = {f.name for f in fields(self)} - {"options"}
        method = changes.get("method", self.method)
        kind = OPTIONS[check_name("method", method, OPTIONS)]
        names = [f.name for f in fields(kind)]
        for name in changes:
            if name not in own and name not in names:
                others = [m for m, k in OPTIONS.items() if name in {f.name for f in fields(k)}]
                if others:
                    raise InputError(f"{name} is an option of {', '.join(others)}, not of {method}")
                check_name("setting", name, [*sorted(own), *names])
        kept = {n: getattr(self.options, n) for n in names if hasattr(self.options, n)}
        options = kind(**kept | {n: v for n, v in changes.items() if n in names})
        rest = {n: v for n, v in changes.items() if n in own}
        return replace(self, **rest, options=options)

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `from_json` reads back."""
        content = {f.name: getattr(self, f.name) for f in fields(self)}
        return content | {
            "options": asdict(self.options),
            "views": [views.to_json() for views in self.views],
            "light": self.light.to_json(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> RunSettings:
        """Read what `to_json` wrote; a missing key means the default.

        Older settings have `model` and `loss` in place of `options`; they are read too.

        Raises:
            InputError: a key is unknown or of the wrong kind.
        """
        if not isinstance(content, Mapping):
            raise InputError(f"the settings of a run must be a JSON object, not {content!r}")
        given = dict(content)
        method = check_name("method", given.get("method", "comm"), OPTIONS)
        kind = OPTIONS[method]
        if "model" in given:
            model = given.pop("model")
            if not isinstance(model, Mapping):
                raise InputError(f"model must be a JSON object, not {model!r}")
            flat = {**model, "loss": given.pop("loss", "L_CoMM")}
            given["encoder"] = flat.pop("encoder", "alexnet")
            names = {f.name for f in fields(kind)}
            given["options"] = {name: value for name, value in flat.items() if name in names}
        options = settings_from(kind, given.get("options", {}), f"the options of {method}")
        if "views" in given:
            if not isinstance(given["views"], list | tuple):
                raise InputError(f"views must be a list, not {given['views']!r}")
            given["views"] = tuple(views_from_json(one) for one in given["views"])
        if "light" in given:
            given["light"] = views_from_json(given["light"])
        return settings_from(cls, {**given, "options": options}, "the run")


# --------------------------------------------------------------------------- presets


def run_preset(name: str, **changes: Any) -> RunSettings:
    """The settings of a preset, with some settings or options of the method changed.

    A method that its authors train otherwise keeps its own rate, decay and share of the epochs
    (`Options.training`, `longer`, `rate`), unless they are among the changes.

    Raises:
        InputError: there is no such preset, or a change is unknown or out of range.

    >>> run_preset("quick", width=64).options.width
    64
    >>> run_preset("paper", method="factorcl").epochs
    150
    """
    chosen = get_preset(name)
    views = {"views": (chosen.augmentations.all,), "light": chosen.augmentations.light}
    usual = RunSettings().change(**{**views, **chosen.run})
    method = changes.get("method", usual.method)
    kind = OPTIONS[check_name("method", method, OPTIONS)]
    own = {
        "epochs": math.ceil(kind.longer * usual.epochs),
        "learning_rate": float(f"{kind.rate * usual.learning_rate:.6g}"),
        **kind.training,
    }
    return usual.change(**{**own, **chosen.methods.get(method, {}), **changes})
