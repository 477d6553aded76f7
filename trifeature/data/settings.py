"""The settings of a data set and of its renderer, and the presets.

Frozen dataclasses, validated on construction. Nothing here imports torch, so the command line can
be built from these classes quickly.

S pixels along the canvas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from trifeature.checks import (
    require_flag,
    require_number,
    require_settings,
    require_whole,
    settings_from,
)
from trifeature.data.attributes import ATTRIBUTES, VALUES
from trifeature.data.pairs import PairRule, chance_match_rate, make_map
from trifeature.errors import InputError
from trifeature.presets import get_preset


@dataclass(frozen=True)
class RenderSettings:
    """Settings of the renderer; lengths are in pixels.

    The defaults are the paper's canvas (Hermann & Lampinen 2020). `for_canvas` gives settings
    for any other size.

    Attributes:
        canvas: Side of the square image, at least 32.
        box: Side of the box that the shape fills; rotated, it must fit into the canvas.
        period: Period of the textures.
        grain: Side of one random cell of noise and rain.
        line: Width of the lines of the pluses.
        max_angle: Largest rotation in degrees: angles of shape and texture are uniform in ± this.
        background: Gray level behind the shape, 0 to 1.
        oversample: Samples along each side of a pixel, which are averaged; more than one also
            softens the textures.

    Raises:
        InputError: a setting is out of range; the message names it and the range.
    """

    canvas: int = 224
    box: float = 128.0
    period: float = 10.0
    grain: float = 1.0
    line: float = 3.0
    max_angle: float = 45.0
    background: float = 0.5
    oversample: int = 1

    def __post_init__(self) -> None:
        def check(name: str, low: float, high: float, why: str = "") -> None:
            value = require_number(name, getattr(self, name), low, high, why=why)
            object.__setattr__(self, name, value)

        for name, least, most in (("canvas", 32, 4096), ("oversample", 1, 8)):
            object.__setattr__(self, name, require_whole(name, getattr(self, name), least, most))
        check("max_angle", 0, 45)
        check("background", 0, 1)
        turn = math.radians(self.max_angle)
        largest = self.canvas / (math.cos(turn) + math.sin(turn))
        check("box", 8, largest, f"so that it can rotate inside {self.canvas} px")
        check("period", 2, self.box)
        check("grain", 0.5, self.period)
        check("line", 0.25, self.period)

    @classmethod
    def for_canvas(cls, canvas: int) -> RenderSettings:
        """Settings for a canvas of any size from 32 pixels.

        From 112 pixels on, all lengths are in proportion to the paper's. On a smaller canvas such
        a texture would be a blur, so the box is 0.7 of the canvas and the textures have a period of
        8 pixels with cells and lines of 2, sampled 3 × 3 times a pixel.

        >>> RenderSettings.for_canvas(224) == RenderSettings()
        True
        >>> RenderSettings.for_canvas(32).box
        22.4
        """
        if canvas < 112:
            return cls(
                canvas=canvas, box=0.7 * canvas, period=8.0, grain=2.0, line=2.0, oversample=3
            )
        scale = canvas / 224
        return cls(
            canvas=canvas,
            box=128 * scale,
            period=10 * scale,
            grain=max(scale, 0.5),
            line=3 * scale,
        )


@dataclass(frozen=True)
class DatasetSettings:
    """All settings that a data set depends on. The defaults are the paper's.

    Attributes:
        shapes, textures, colors: Number of values of each attribute, the first ones of the list.
        held_out: Number of combinations of attributes kept for testing.
        balanced: Hold out every value of every attribute equally often.
        validation: Leave out the test combinations and hold out as many training combinations
            instead, so that choices can be made without the test pairs.
        copies, test_copies: Renders of each training and of each test combination.
        train_pairs, probe_pairs, test_pairs: Number of pairs to draw; all, if fewer exist.
        match_rate: Fraction of the training pairs that keep the map; None draws without regard to
            the map.
        synergy_map: The map, see `trifeature.data.pairs.make_map`; stored as the list of its names.
        seed: Seed of everything random in the data set.
        rule: Rule by which images are paired.
        render: Settings of the renderer.

    Raises:
        InputError: a setting is out of range; the message names the setting and its range.
    """

    shapes: int = 10
    textures: int = 10
    colors: int = 10
    held_out: int = 200
    balanced: bool = False
    validation: bool = False
    copies: int = 3
    test_copies: int = 1
    train_pairs: int = 10_000
    probe_pairs: int = 10_000
    test_pairs: int = 4_096
    match_rate: float | None = None
    synergy_map: str = "auto"
    seed: int = 0
    rule: PairRule = field(default_factory=PairRule)
    render: RenderSettings = field(default_factory=RenderSettings)

    def __post_init__(self) -> None:
        require_settings("rule", self.rule, PairRule)
        require_settings("render", self.render, RenderSettings)
        for attribute, count in self.counts.items():
            self._set(attribute + "s", require_whole, count, 2, len(VALUES[attribute]))
        for name in ("copies", "test_copies", "train_pairs", "probe_pairs", "test_pairs"):
            self._set(name, require_whole, getattr(self, name), 1, 10_000_000)
        for name in ("balanced", "validation"):
            self._set(name, require_flag, getattr(self, name))
        self._set("seed", require_whole, self.seed, 0, 2**63 - 1)
        most = math.prod(self.counts.values()) - 1
        self._set("held_out", require_whole, self.held_out, 1, most)
        reserved = self.held_out * (2 if self.validation else 1)
        if reserved >= math.prod(self.counts.values()):
            raise InputError(f"held_out {self.held_out} leaves no combination to train on")
        # The map is stored by its names, so that equal maps give equal settings.
        partners = make_map(self.synergy_map, self.rule, self.counts, self.seed)
        object.__setattr__(self, "synergy_map", _map_names(partners, self.rule))
        if self.match_rate is not None:
            chance = chance_match_rate(self.rule, self.counts)
            rate = require_number("match_rate", self.match_rate)
            if not chance - 1e-9 <= rate <= 1:
                raise InputError(f"match_rate must be from {chance:g} (chance) to 1, not {rate:g}")
            object.__setattr__(self, "match_rate", rate)

    def _set(self, name: str, check: Callable[..., Any], *arguments: Any) -> None:
        """Replace a setting by its validated value."""
        object.__setattr__(self, name, check(name, *arguments))

    @property
    def counts(self) -> dict[str, int]:
        """Number of values of each attribute."""
        return dict(zip(ATTRIBUTES, (self.shapes, self.textures, self.colors), strict=True))

    @property
    def partners(self) -> tuple[int, ...]:
        """The synergy map as indices."""
        return make_map(self.synergy_map, self.rule, self.counts, self.seed)

    @property
    def classes(self) -> dict[str, int]:
        """Number of classes of each task."""
        unique = self.counts[self.rule.unique]
        sizes = dict.fromkeys(self.rule.tasks, unique)
        return sizes | {"share": self.counts[self.rule.shared], "synergy": 2}

    @property
    def images(self) -> int:
        """Number of images in both splits."""
        combinations = math.prod(self.counts.values())
        kept = combinations - self.held_out * (2 if self.validation else 1)
        return kept * self.copies + self.held_out * self.test_copies

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> DatasetSettings:
        """Read what `to_json` wrote.

        A missing key means the default, so settings written before a field existed can be read.

        Raises:
            InputError: a key is unknown or of the wrong kind, or a value out of range.
        """
        if not isinstance(content, Mapping):
            raise InputError(f"the settings of the data set must be a JSON object, not {content!r}")
        parts = {
            "rule": settings_from(PairRule, content.get("rule", {}), "the pairing rule"),
            "render": settings_from(RenderSettings, content.get("render", {}), "the renderer"),
        }
        return settings_from(cls, {**content, **parts}, "the data set")


def _map_names(partners: tuple[int, ...], rule: PairRule) -> str:
    sources, targets = (VALUES[name] for name in rule.synergy)
    return ",".join(f"{sources[i]}={targets[j]}" for i, j in enumerate(partners))


def preset(name: str, **changes: Any) -> DatasetSettings:
    """The settings of a preset, with some of them changed.

    Raises:
        InputError: there is no such preset, or a change is out of range.

    >>> preset("quick", seed=3).seed
    3
    """
    chosen = get_preset(name)
    render = RenderSettings.for_canvas(chosen.canvas)
    return DatasetSettings(**{"render": render, **chosen.data, **changes})
