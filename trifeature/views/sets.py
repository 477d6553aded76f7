"""Settings of the random transforms that make a view of an image; without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from trifeature.checks import require_interval, require_number, require_numbers, settings_from
from trifeature.errors import InputError
from trifeature.views import register_views

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from trifeature.views.images import ViewParameters

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
"""Mean of ImageNet's red, green and blue, in [0, 1]."""

IMAGENET_STD: Final = (0.229, 0.224, 0.225)
"""Standard deviation of ImageNet's red, green and blue."""


@dataclass(frozen=True)
class ViewSet:
    """Settings of the random transforms that make a view, in the order in which they are applied.

    An ablation is another value: `replace(ALL, crop_scale=None)`. The defaults are those of
    CoMM (Dufumier et al. 2025), whose jitter has half of SimCLR's strength. Images have any number
    of channels; saturation, hue and grayscale have an effect on three channels only.

    Attributes:
        crop_scale: Least and largest area of the crop, as fractions of the image; None: no crop.
        crop_ratio: Least and largest width / height of the crop.
        brightness: Factor uniform in 1 ± this (but never below 0).
        contrast: Factor uniform in 1 ± this (but never below 0).
        saturation: Factor uniform in 1 ± this (but never below 0).
        hue: Shift uniform in ± this, as a fraction of the color wheel, at most 0.5.
        jitter_probability: Probability that a sample's colors are jittered: brightness, contrast,
            saturation and hue in random order.
        grayscale_probability: Probability that a sample loses its colors.
        blur_sigma: Least and largest standard deviation of the Gaussian blur, in pixels of the
            result. It should grow with the image; the default is for 224 pixels.
        blur_probability: Probability that a sample is blurred.
        flip_probability: Probability that a sample is mirrored left to right.
        mean: Subtracted from the channels at the end, a number for each channel; None, with `std`,
            for no normalization. ImageNet's, the default, serve images of any number of channels,
            see `trifeature.views.images.normalization`.
        std: Divides the channels afterwards, a number for each channel.

    Raises:
        InputError: a setting is out of range; the message names it and the range.

    >>> replace(ALL, crop_scale=None) == ALL_WITHOUT_CROP
    True
    """

    kind: ClassVar[str] = "image"

    crop_scale: tuple[float, float] | None = (0.08, 1.0)
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.1
    jitter_probability: float = 0.8
    grayscale_probability: float = 0.2
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    blur_probability: float = 0.5
    flip_probability: float = 0.5
    mean: tuple[float, ...] | None = IMAGENET_MEAN
    std: tuple[float, ...] | None = IMAGENET_STD

    def __post_init__(self) -> None:
        channels = len(self.mean) if isinstance(self.mean, tuple | list) and self.mean else 3
        for name, low, high in (
            ("crop_scale", 0, 1),
            ("crop_ratio", 0.01, 100),
            ("blur_sigma", 0.01, 1000),
        ):
            self._set(name, require_interval, low, high)
        for name in ("brightness", "contrast", "saturation"):
            self._set(name, require_number, 0, 100)
        self._set("hue", require_number, 0, 0.5)
        for name in ("jitter", "grayscale", "blur", "flip"):
            self._set(f"{name}_probability", require_number, 0, 1)
        if (self.mean is None) != (self.std is None):
            raise InputError("mean and std go together: give both, or None for both")
        self._set("mean", require_numbers, channels, -100, 100)
        self._set("std", require_numbers, channels, 0.001, 1000)

    def _set(self, name: str, check: Callable[..., Any], *limits: float) -> None:
        """Replace a setting by its validated value; None stays where a setting may be None."""
        value = getattr(self, name)
        if value is not None or name not in ("crop_scale", "mean", "std"):
            object.__setattr__(self, name, check(name, value, *limits))

    def draw(
        self,
        count: int,
        shape: tuple[int, ...],
        generator: torch.Generator,
        device: torch.device | str | None = None,
    ) -> ViewParameters:
        """Draw the parameters of images of shape [C, H, W], see `trifeature.views.images.draw`."""
        from trifeature.views import images  # noqa: PLC0415 - settings need no torch

        if len(shape) != 3:
            raise InputError(f"an image has the shape [C, H, W], not {list(shape)}")
        return images.draw(self, count, (shape[1], shape[2]), generator, device)

    def apply(self, items: Tensor, parameters: ViewParameters) -> Tensor:
        """Views of images [N, C, H, W], see `trifeature.views.images.apply`."""
        from trifeature.views import images  # noqa: PLC0415 - settings need no torch

        return images.apply(items, parameters, self)

    def unique(self) -> ViewSet:
        """The same without the crop: the "unique" augmentation of FactorCL."""
        return replace(self, crop_scale=None)

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `from_json` reads back, without `kind`."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ViewSet:
        """Read what `to_json` wrote.

        Args:
            content: Settings by name; a missing one has its default, lists become tuples.

        Raises:
            InputError: a name is unknown or a value is out of range.

        >>> ViewSet.from_json({"crop_scale": [0.2, 1.0], "hue": 0}).crop_scale
        (0.2, 1.0)
        """
        return settings_from(cls, content, "a view set")


register_views(ViewSet)

ALL: Final = ViewSet()
"""Every transform: crop of 8 to 100 % of the area, jitter, grayscale, blur, flip, normalization."""

ALL_WITHOUT_CROP: Final = replace(ALL, crop_scale=None)
"""Every transform but the crop."""

CLEAN: Final = ViewSet(
    crop_scale=None,
    jitter_probability=0,
    grayscale_probability=0,
    blur_probability=0,
    flip_probability=0,
)
"""The image itself, normalized."""

LIGHT: Final = replace(CLEAN, crop_scale=(0.5, 1.0))
"""Only a crop of 50 to 100 % of the area, and normalization."""
