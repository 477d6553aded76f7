"""Augmentations of each kind of modality: draw the parameters, then apply them.

The settings of an augmentation are a frozen dataclass; an ablation is another value of it. Drawing
the parameters of many samples and applying them are two steps, so that a draw can be printed,
indexed, replayed and tested. Settings are read, written and compared without torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, Self, runtime_checkable

from trifeature.errors import InputError, check_name

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Parameters(Protocol):
    """The parameters drawn for N samples."""

    def __len__(self) -> int:
        """The number of samples, N."""

    def __getitem__(self, index: Any) -> Parameters:
        """The parameters of some samples, by a slice or an index tensor."""


@dataclass(frozen=True, eq=False)
class TensorParameters:
    """Base class of parameters all of whose fields are tensors with N entries, one a sample."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def __getitem__(self, index: Any) -> Self:
        return type(self)(*(getattr(self, one.name)[index] for one in fields(self)))

    def to(self, device: torch.device | str) -> Self:
        """The same parameters on another device."""
        return type(self)(*(getattr(self, one.name).to(device) for one in fields(self)))


class Views(Protocol):
    """Settings of the random transforms that make a view of an item of one kind."""

    kind: ClassVar[str]
    """Kind of the modalities that they augment, see `trifeature.modality`."""

    def draw(
        self,
        count: int,
        shape: tuple[int, ...],
        generator: torch.Generator,
        device: torch.device | str | None = None,
    ) -> Parameters:
        """Draw the parameters of `count` items of a shape, independently of each other."""

    def apply(self, items: Tensor, parameters: Any) -> Tensor:
        """Apply drawn parameters to items [N, *shape]: float32; does not modify the items."""

    def unique(self) -> Views:
        """FactorCL's "unique" augmentation: without the transforms that remove parts of an item."""

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `views_from_json` reads back."""

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote, without `kind`; a missing key is its default."""


@runtime_checkable
class JointViews(Views, Protocol):
    """Views that may share random numbers among the modalities of a sample."""

    @property
    def joint(self) -> bool:
        """Whether these settings share some: modalities of equal views are then drawn at once."""

    def draw_joint(
        self,
        count: int,
        shapes: Sequence[tuple[int, ...]],
        generator: torch.Generator,
        device: torch.device | str | None = None,
    ) -> Sequence[Parameters]:
        """Draw the parameters of `count` samples for modalities of these shapes."""


VIEW_KINDS: Final[dict[str, type[Any]]] = {}
"""The class of views of every kind of modality."""


def register_views(views: type[Any]) -> None:
    """Add the class of views of a kind, so that settings that hold some can be read.

    Raises:
        InputError: another class is registered for this kind.
    """
    if VIEW_KINDS.setdefault(views.kind, views) is not views:
        raise InputError(f"views of kind {views.kind!r} are registered already")


def views_from_json(content: Mapping[str, Any]) -> Any:
    """Read the views that `to_json` wrote.

    Args:
        content: Settings by name and `kind`, by default "image"; a missing setting has its default.

    Raises:
        InputError: an unknown kind or setting, or a value out of range.

    >>> views_from_json({"kind": "vector", "noise": 0.2}).noise
    0.2
    """
    if not isinstance(content, Mapping):
        raise InputError(f"views must be a JSON object of settings, not {content!r}")
    rest = dict(content)
    kind = check_name("kind of views", str(rest.pop("kind", "image")), VIEW_KINDS)
    return VIEW_KINDS[kind].from_json(rest)


# The package's own kinds register themselves, and import the names above.
from trifeature.views import series, sets, tokens, vectors  # noqa: E402, F401
