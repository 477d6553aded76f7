"""Modalities: kind and shape of their items, augmentations, default encoders.

A `Kind` has the defaults of all modalities of one kind (image, vector, …); `register_kind` adds
others. A `Modality` is one input of a data set: a name, a kind, a shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from trifeature.checks import require_settings, require_whole
from trifeature.errors import InputError, check_name
from trifeature.views import Views
from trifeature.views.series import CLEAN_SERIES, LIGHT_SERIES, STRONG_SERIES
from trifeature.views.sets import ALL, CLEAN, LIGHT
from trifeature.views.tokens import CLEAN_TOKENS, LIGHT_TOKENS, STRONG_TOKENS
from trifeature.views.vectors import CLEAN_VECTOR, LIGHT_VECTOR, STRONG_VECTOR


@dataclass(frozen=True)
class Kind:
    """Defaults shared by all modalities of one kind.

    Attributes:
        name: "image", "vector", …; it equals the `kind` of its views.
        dimensions: Number of dimensions of one item: 3 for an image [C, H, W], 1 for a vector [F],
            2 for a series [T, F], 1 for tokens [T].
        strong: Augmentation of contrastive views.
        light: Weak augmentation, for methods that use one beside the strong one.
        clean: No augmentation, only the normalization of the encoder's input.
        encoder: Name of the default encoder, see `trifeature.comm.encoders`.
        steps: Whether the first dimension of an item counts steps, of which some may be absent.
        identifiers: Whether items are numbers of entries of a vocabulary.
    """

    name: str
    dimensions: int
    strong: Views
    light: Views
    clean: Views
    encoder: str
    steps: bool = False
    identifiers: bool = False


if TYPE_CHECKING:
    from torch import Tensor

KINDS: Final[dict[str, Kind]] = {}
"""Every kind of modality by name."""


def register_kind(kind: Kind) -> None:
    """Add a kind of modality.

    Raises:
        InputError: a kind of this name exists already, or its views are of another kind.
    """
    require_settings("kind", kind, Kind)
    if kind.name in KINDS:
        raise InputError(f"a kind of modality called {kind.name!r} exists already")
    for views in (kind.strong, kind.light, kind.clean):
        if views.kind != kind.name:
            raise InputError(f"the views of kind {kind.name!r} must be its own, not {views.kind!r}")
    KINDS[kind.name] = kind


register_kind(Kind("image", 3, ALL, LIGHT, CLEAN, encoder="small"))
register_kind(Kind("vector", 1, STRONG_VECTOR, LIGHT_VECTOR, CLEAN_VECTOR, encoder="mlp"))
register_kind(
    Kind("series", 2, STRONG_SERIES, LIGHT_SERIES, CLEAN_SERIES, encoder="conv1d", steps=True)
)
register_kind(
    Kind(
        "tokens",
        1,
        STRONG_TOKENS,
        LIGHT_TOKENS,
        CLEAN_TOKENS,
        encoder="embedding",
        steps=True,
        identifiers=True,
    )
)


@dataclass(frozen=True)
class Modality:
    """One input of a data set.

    Absent numbers of a `partial` modality are NaN. A step is absent altogether or not at all, and
    so is the item of a kind without steps. Absent steps stand at the end of an item.

    Attributes:
        name: Name in rows and tables.
        kind: Name of its kind, a key of `KINDS`.
        shape: Shape of one item: [C, H, W] of an image, [F] of a vector, [T, F] of a series, [T] of
            tokens.
        encoder: Name of its encoder; None for the run's if that accepts this kind, else the
            kind's default.
        vocabulary: Number of different tokens, 0 … vocabulary − 1; None for other kinds.
        partial: Whether steps of some items, or whole items, are absent.

    Raises:
        InputError: there is no such kind, the shape has another number of dimensions, or the
            vocabulary is missing or not asked for.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    encoder: str | None = None
    vocabulary: int | None = None
    partial: bool = False

    def __post_init__(self) -> None:
        check_name("kind of modality", self.kind, KINDS)
        if not isinstance(self.shape, Iterable):
            raise InputError(f"modality {self.name!r}: a shape is a tuple, not {self.shape!r}")
        sides = (require_whole(f"a side of modality {self.name!r}", n, 0) for n in self.shape)
        object.__setattr__(self, "shape", tuple(sides))
        if len(self.shape) != self.defaults.dimensions or min(self.shape) < 1:
            raise InputError(
                f"modality {self.name!r}: an item of kind {self.kind} has "
                f"{self.defaults.dimensions} dimensions of at least 1, not shape {self.shape}"
            )

        if self.defaults.identifiers != (self.vocabulary is not None):
            needed = "needs" if self.defaults.identifiers else "has no"
            raise InputError(f"modality {self.name!r} of kind {self.kind} {needed} vocabulary")
        if self.vocabulary is not None:
            # Items hold identifiers as float32, which is exact below 2^24.
            size = require_whole("vocabulary", self.vocabulary, 1, 2**24 - 1)
            object.__setattr__(self, "vocabulary", size)

    @property
    def defaults(self) -> Kind:
        """The defaults of its kind."""
        return KINDS[self.kind]

    def __str__(self) -> str:
        """Name, kind, shape and vocabulary."""
        of = "" if self.vocabulary is None else f" of {self.vocabulary:,} words"
        return f"{self.name} ({self.kind} {' × '.join(map(str, self.shape))}{of})"

    def present(self, items: Tensor) -> Tensor:
        """Which steps of items [N, *shape] are present, or which items, of a kind without steps.

        Returns:
            bool [N, T], or [N, 1].
        """
        leading = items.shape[: 2 if self.defaults.steps else 1]
        known = ~items.reshape(*leading, -1)[..., 0].isnan()
        return known if self.defaults.steps else known[:, None]

    def to_json(self) -> Mapping[str, Any]:
        """A JSON object, for the origin of a data set."""
        content: dict[str, Any] = {"name": self.name, "kind": self.kind, "shape": list(self.shape)}
        others = {"encoder": self.encoder, "vocabulary": self.vocabulary}
        content |= {name: value for name, value in others.items() if value is not None}
        return content | ({"partial": True} if self.partial else {})
