"""The settings of a data set and of its renderer, and the presets.

Frozen dataclasses, validated on construction. Nothing here imports torch, so the command line can
be built from these classes quickly.

S pixels along the canvas.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Final

from trifeature.checks import (
    require_choice,
    require_flag,
    require_number,
    require_settings,
    require_text,
    require_whole,
    settings_from,
)
from trifeature.data.attributes import ATTRIBUTES, VALUES
from trifeature.data.gates import Gate
from trifeature.data.maps import make_map
from trifeature.data.pairs import IntArray, Rates, chance_match_rate
from trifeature.data.rule import PairRule
from trifeature.errors import InputError, check_name
from trifeature.presets import get_preset

DRAWINGS: Final = ("published", "old")
"""The drawings of the published generator, and those of data sets of formats 1 and 2."""

NUISANCES: Final = ("none", "background", "position", "rotation")
"""What the images of a pair may have in common beside the tasks."""

NUISANCE_LEVELS: Final = 4
"""Number of levels of a nuisance."""

LOOKS: Final = ("color", "gray", "edges", "silhouette", "caption")
"""The ways in which a modality shows an item."""

SHOWN: Final = {
    "color": ATTRIBUTES,
    "gray": ("shape", "texture"),
    "edges": ("shape", "texture"),
    "silhouette": ("shape",),
}
"""The attributes that a look shows; a caption shows those that its settings name."""


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
        nuisance: What has four levels that images of a pair can share although no task asks for
            it: none, background (its gray level), position (a quarter of the places) or rotation
            (a quarter of the angles).
        drawings: published, those of Hermann & Lampinen's generator; or old, those of data sets
            of formats 1 and 2.

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
    nuisance: str = "none"
    drawings: str = "published"

    def __post_init__(self) -> None:
        require_choice("nuisance", self.nuisance, NUISANCES)
        require_choice("drawings", self.drawings, DRAWINGS)

        def check(name: str, low: float, high: float, why: str = "") -> None:
            value = require_number(name, getattr(self, name), low, high, why=why)
            object.__setattr__(self, name, value)

        for name, least, most in (("canvas", 32, 4096), ("oversample", 1, 8)):
            object.__setattr__(self, name, require_whole(name, getattr(self, name), least, most))
        check("max_angle", 0, 45)
        if self.nuisance == "rotation" and self.max_angle == 0:
            raise InputError("nuisance rotation needs angles: a max_angle above 0")
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
class CaptionSettings:
    """Settings of the captions of a modality whose look is `caption`.

    Attributes:
        caption_names: The attributes that a caption names, as in shape,color.
        synonyms: Number of words for each value, 1 to 3, drawn uniformly.
        omission: Probability that an attribute is left out of a caption, independently of all else.

    Raises:
        InputError: a setting is out of range; the message names it and the range.
    """

    caption_names: str = "shape,texture,color"
    synonyms: int = 1
    omission: float = 0.0

    def __post_init__(self) -> None:
        given = require_text("caption_names", self.caption_names).split(",")
        chosen = {check_name("attribute", name.strip(), ATTRIBUTES) for name in given}
        kept = ",".join(name for name in ATTRIBUTES if name in chosen)
        object.__setattr__(self, "caption_names", kept)
        object.__setattr__(self, "synonyms", require_whole("synonyms", self.synonyms, 1, 3))
        object.__setattr__(self, "omission", require_number("omission", self.omission, 0, below=1))

    @property
    def names(self) -> tuple[str, ...]:
        """The named attributes, in the order of `ATTRIBUTES`."""
        return tuple(self.caption_names.split(","))


@dataclass(frozen=True)
class DatasetSettings:
    """All settings that a data set depends on. The defaults are the paper's.

    Attributes:
        shapes, textures, colors: Number of values of each attribute, the first ones of the list;
            or their names, as in square,circle,heart: registered ones too.
        held_out: Number of combinations of attributes kept for testing.
        balanced: Hold out every value of every attribute equally often.
        validation: Leave out the test combinations and hold out as many training combinations
            instead, so that choices can be made without the test pairs.
        copies, test_copies: Renders of each training and of each test combination.
        train_pairs, probe_pairs, test_pairs: Number of pairs to draw; all, if fewer exist.
        match_rate: Fraction of the training pairs for which the gate holds (that keep the map);
            None draws without regard to it.
        share_rate: Fraction of the pairs whose images have the shared attribute in common, from
            chance to 1.
        dependence: Probability that the unique attribute of an image is a fixed function of its
            shared attribute; else it is uniform.
        label_noise: Probability that the label of a pair is replaced by another class, for each
            task.
        nuisance_rate: Fraction of the pairs whose images have the same level of the nuisance, from
            chance to 1; None draws without regard to it.
        looks: How a modality shows an item: color, gray, edges, silhouette or caption; one for all
            or one for each, as in gray,color.
        synergy_map: The map, see `trifeature.data.maps.make_map`; stored as the list of its names.
        seed: Seed of everything random in the data set.
        rule: Rule by which images are paired.
        render: Settings of the renderer.
        caption: Settings of captions.
        planted: Always True: R, U and S of the pairs are set by how they are paired.

    Raises:
        InputError: a setting is out of range; the message names the setting and its range.
    """

    shapes: int | str = 10
    textures: int | str = 10
    colors: int | str = 10
    held_out: int = 200
    balanced: bool = False
    validation: bool = False
    copies: int = 3
    test_copies: int = 1
    train_pairs: int = 10_000
    probe_pairs: int = 10_000
    test_pairs: int = 4_096
    match_rate: float | None = None
    share_rate: float = 1.0
    dependence: float = 0.0
    label_noise: float = 0.0
    nuisance_rate: float | None = None
    looks: str = "color"
    synergy_map: str = "auto"
    seed: int = 0
    rule: PairRule = field(default_factory=PairRule)
    render: RenderSettings = field(default_factory=RenderSettings)
    caption: CaptionSettings = field(default_factory=CaptionSettings)

    planted: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_settings("rule", self.rule, PairRule)
        require_settings("render", self.render, RenderSettings)
        require_settings("caption", self.caption, CaptionSettings)
        for attribute in ATTRIBUTES:
            field_name = attribute + "s"
            object.__setattr__(self, field_name, _read_values(attribute, getattr(self, field_name)))
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
        object.__setattr__(self, "looks", _read_looks(self.looks, self.rule.modalities))
        if "caption" not in self.looks and self.caption != CaptionSettings():
            raise InputError("caption settings need a modality whose look is caption: see looks")
        gate = self.rule.parsed_gate
        most = sum(self.counts[name] - 1 for name in self.rule.synergy) + 1
        if gate.modulus > most and len(self.rule.linked) == 2:
            raise InputError(f"gate {gate.text}: these sums are at most {most - 1}: sum:{most}")
        if gate == Gate("sum"):  # stored with its modulus
            modulus = self.counts[self.rule.synergy[0]]
            object.__setattr__(self, "rule", replace(self.rule, gate=f"sum:{modulus}"))
        if gate.uses_map:
            # The map is stored by its names, so that equal maps give equal settings.
            partners = make_map(self.synergy_map, self.rule, self.values, self.seed)
            named = _map_names(partners, self.rule, self.values)
        elif self.synergy_map in ("", "auto"):
            named = ""
        else:
            raise InputError(f"gate {gate.text} has no map: leave synergy_map out")
        object.__setattr__(self, "synergy_map", named)
        self._check_rates()

    def _check_rates(self) -> None:
        """Bring the dials to numbers and refuse those that exclude each other."""
        rule, counts = self.rule, self.counts
        self._set("share_rate", _rate, self.share_rate, rule.chance_share_rate(counts))
        self._set("dependence", require_number, self.dependence, 0, 1)
        self._set("label_noise", require_number, self.label_noise, 0, 1)
        if self.match_rate is not None:
            self._set("match_rate", _rate, self.match_rate, chance_match_rate(rule, self.counts))
        if self.nuisance_rate is not None:
            if self.render.nuisance == "none":
                raise InputError("nuisance_rate needs a nuisance: background, position or rotation")
            chance = NUISANCE_LEVELS ** (1 - rule.modalities)
            self._set("nuisance_rate", _rate, self.nuisance_rate, chance)
        if self.dependence:
            if counts[rule.shared] % counts[rule.unique]:
                raise InputError(
                    f"dependence needs as many values of {rule.unique} as of {rule.shared}, or a "
                    f"divisor, so that all stay equally frequent, not {counts[rule.unique]} and "
                    f"{counts[rule.shared]}"
                )
            if rule.distinct_unique:
                raise InputError("dependence and distinct_unique exclude each other")

    def _set(self, name: str, check: Callable[..., Any], *arguments: Any) -> None:
        """Replace a setting by its validated value."""
        object.__setattr__(self, name, check(name, *arguments))

    @property
    def counts(self) -> dict[str, int]:
        """Number of values of each attribute."""
        return {name: len(values) for name, values in self.values.items()}

    @property
    def values(self) -> dict[str, tuple[str, ...]]:
        """The names of the values of each attribute, in the order of their labels."""
        given = (self.shapes, self.textures, self.colors)
        return {name: value_names(name, x) for name, x in zip(ATTRIBUTES, given, strict=True)}

    @property
    def looks_of(self) -> tuple[str, ...]:
        """The look of each modality."""
        given = tuple(self.looks.split(","))
        return given if len(given) > 1 else given * self.rule.modalities

    def shown_by(self, modality: int) -> tuple[str, ...]:
        """The attributes that modality 0, 1, … shows, always or sometimes."""
        look = self.looks_of[modality]
        return self.caption.names if look == "caption" else SHOWN[look]

    @property
    def partners(self) -> tuple[int, ...]:
        """The synergy map as indices; for a gate without a map each value's own number."""
        if not self.synergy_map:
            return tuple(range(self.counts[self.rule.synergy[0]]))
        return make_map(self.synergy_map, self.rule, self.values, self.seed)

    @property
    def classes(self) -> dict[str, int]:
        """Number of classes of each task."""
        unique = self.counts[self.rule.unique]
        sizes = dict.fromkeys(self.rule.tasks, unique)
        gate = self.rule.parsed_gate.classes(self.counts[self.rule.synergy[0]])
        return sizes | {"share": self.counts[self.rule.shared], "synergy": gate}

    def rates(self, *, biased: bool) -> Rates:
        """The rates of training pairs (`biased`), or of probe and test pairs."""
        chance = self.rule.chance_share_rate(self.counts)
        return Rates(
            match=self.match_rate if biased else self.rule.parsed_gate.test_rate,
            share=None if self.share_rate <= chance else self.share_rate,
            nuisance=self.nuisance_rate,
        )

    def follower(self, values: IntArray) -> IntArray:
        """The unique value that depends on a shared value, where `dependence` says so."""
        return values % self.counts[self.rule.unique]

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

        A missing key means the default, so settings written before a field existed can be read;
        but a renderer's settings without `drawings` are of an older data set, with old drawings.

        Raises:
            InputError: a key is unknown or of the wrong kind, or a value out of range.
        """
        if not isinstance(content, Mapping):
            raise InputError(f"the settings of the data set must be a JSON object, not {content!r}")
        render = content.get("render", {})
        if isinstance(render, Mapping) and render and "drawings" not in render:
            render = {**render, "drawings": "old"}
        parts = {
            "rule": settings_from(PairRule, content.get("rule", {}), "the pairing rule"),
            "render": settings_from(RenderSettings, render, "the renderer"),
            "caption": settings_from(CaptionSettings, content.get("caption", {}), "captions"),
        }
        return settings_from(cls, {**content, **parts}, "the data set")


def _rate(name: str, value: Any, chance: float) -> float:
    """A share of pairs from chance to 1."""
    rate = require_number(name, value)
    if not chance - 1e-9 <= rate <= 1:
        raise InputError(f"{name} must be from {chance:g} (chance) to 1, not {rate:g}")
    return rate


def _read_values(attribute: str, given: Any) -> int | str:
    """How many of the package's values of an attribute, or the names of others."""
    known = VALUES[attribute]
    if isinstance(given, tuple | list) and all(isinstance(name, str) for name in given):
        given = ",".join(given)
    if not isinstance(given, str):
        return require_whole(attribute + "s", given, 2, len(known))
    if given.strip().isdecimal():
        return require_whole(attribute + "s", int(given), 2, len(known))
    names = [name.strip() for name in given.split(",") if name.strip()]
    for name in names:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", name):
            raise InputError(f"{name!r} is no name of a {attribute}: letters, digits and - only")
        if names.count(name) > 1:
            raise InputError(f"{attribute}s name {name!r} twice")
    if len(names) < 2:
        raise InputError(f"{attribute}s must be at least 2, not {given!r}")
    return len(names) if tuple(names) == known[: len(names)] else ",".join(names)


def value_names(attribute: str, given: int | str) -> tuple[str, ...]:
    """The names of an attribute's values, from their number or their names.

    Raises:
        InputError: too few or too many, or not names.

    >>> value_names("shape", "square,heart")
    ('square', 'heart')
    """
    read = _read_values(attribute, given)
    return VALUES[attribute][:read] if isinstance(read, int) else tuple(read.split(","))


def _read_looks(given: Any, modalities: int) -> str:
    """The looks of the modalities, one word where all have the same."""
    if isinstance(given, tuple | list) and all(isinstance(look, str) for look in given):
        given = ",".join(given)
    looks = [
        check_name("look", look.strip(), LOOKS) for look in require_text("looks", given).split(",")
    ]
    if len(looks) not in (1, modalities):
        raise InputError(f"looks must be one, or one for each of {modalities} modalities: {given}")
    return looks[0] if len(set(looks)) == 1 else ",".join(looks)


def _map_names(
    partners: tuple[int, ...], rule: PairRule, values: Mapping[str, tuple[str, ...]]
) -> str:
    sources, targets = (values[name] for name in rule.synergy)
    return ",".join(f"{sources[i]}={targets[j]}" for i, j in enumerate(partners))


def preset(name: str, **changes: Any) -> DatasetSettings:
    """The settings of a preset, with some of them changed.

    Raises:
        InputError: there is no such preset, or a change is out of range.

    >>> preset("quick", seed=3).seed
    3
    """
    chosen = get_preset(name)
    render = replace(RenderSettings.for_canvas(chosen.canvas), drawings=chosen.drawings)
    return DatasetSettings(**{"render": render, **chosen.data, **changes})
