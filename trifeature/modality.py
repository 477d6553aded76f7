"""Modalities: kind and shape of their items, augmentations, default encoders.

A `Kind` has the defaults of all modalities of one kind (image, vector, …); `register_kind` adds
others. A `Modality` is one input of a data set: a name, a kind, a shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from trifeature.errors import InputError, check_name
from trifeature.views import Views
from trifeature.views.sets import ALL, CLEAN, LIGHT
from trifeature.views.vectors import CLEAN_VECTOR, LIGHT_VECTOR, STRONG_VECTOR


@dataclass(frozen=True)
class Kind:
    """Defaults shared by all modalities of one kind.

    Attributes:
        name: "image", "vector", …; it equals the `kind` of its views.
        dimensions: Number of dimensions of one item, 3 for an image [C, H, W], 1 for a vector [F].
        strong: Augmentation of contrastive views.
        light: Weak augmentation, for methods that use one beside the strong one.
        clean: No augmentation, only the normalization of the encoder's input.
        encoder: Name of the default encoder, see `trifeature.comm.encoders`.
    """

    name: str
    dimensions: int
    strong: Views
    light: Views
    clean: Views
    encoder: str


KINDS: Final[dict[str, Kind]] = {}
"""Every kind of modality by name."""


def register_kind(kind: Kind) -> None:
    """Add a kind of modality.

    Raises:
        InputError: a kind of this name exists already, or its views are of another kind.
    """
    if kind.name in KINDS:
        raise InputError(f"a kind of modality called {kind.name!r} exists already")
    for views in (kind.strong, kind.light, kind.clean):
        if views.kind != kind.name:
            raise InputError(f"the views of kind {kind.name!r} must be its own, not {views.kind!r}")
    KINDS[kind.name] = kind


register_kind(Kind("image", 3, ALL, LIGHT, CLEAN, encoder="small"))
register_kind(Kind("vector", 1, STRONG_VECTOR, LIGHT_VECTOR, CLEAN_VECTOR, encoder="mlp"))


@dataclass(frozen=True)
class Modality:
    """One input of a data set.

    Attributes:
        name: Name in rows and tables.
        kind: Name of its kind, a key of `KINDS`.
        shape: Shape of one item: [C, H, W] of an image, [F] of a vector.
        encoder: Name of its encoder; None for the run's if that accepts this kind, else the
            kind's default.

    Raises:
        InputError: there is no such kind, or the shape has another number of dimensions.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    encoder: str | None = None

    def __post_init__(self) -> None:
        check_name("kind of modality", self.kind, KINDS)
        object.__setattr__(self, "shape", tuple(int(side) for side in self.shape))
        if len(self.shape) != self.defaults.dimensions or min(self.shape) < 1:
            raise InputError(
                f"modality {self.name!r}: an item of kind {self.kind} has "
                f"{self.defaults.dimensions} dimensions of at least 1, not shape {self.shape}"
            )

    @property
    def defaults(self) -> Kind:
        """The defaults of its kind."""
        return KINDS[self.kind]

    def to_json(self) -> Mapping[str, Any]:
        """A JSON object, for the origin of a data set."""
        content = {"name": self.name, "kind": self.kind, "shape": list(self.shape)}
        return content if self.encoder is None else content | {"encoder": self.encoder}
