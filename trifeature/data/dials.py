"""The dials of the data, each at three settings: what a lecturer shows on one sheet.

A dial is a setting of `DatasetSettings`, or a group of them, that changes what the images of a
pair tell about the labels. All else stays as in the paper: ten values of each attribute, two
images in color that always share their shape.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from trifeature.data.rule import PairRule
from trifeature.data.settings import CaptionSettings, DatasetSettings, RenderSettings

Mark = Literal["share", "follow", "label", "number", "nuisance", "noise", "tell", "none"]

MARKS: Final[dict[Mark, str]] = {
    "share": "framed: they share the shape",
    "follow": "framed: the texture follows the shape",
    "label": "below: the label; framed if it is 1",
    "number": "below: the numbers of the values, and the label",
    "nuisance": "framed: the same level",
    "noise": "framed: a wrong label; below: the label of share",
    "tell": "framed: those that tell this label",
    "none": "",
}
"""What a frame round an image says, or the words below a pair."""

SMALL: Final[dict[str, Any]] = {
    "copies": 1,
    "held_out": 100,
    "train_pairs": 60,
    "probe_pairs": 1,
    "test_pairs": 60,
}
"""Sizes that are planned in a tenth of a second; no law depends on them."""


@dataclass(frozen=True)
class Setting:
    """One position of a dial: its label and the settings of the data set."""

    label: str
    settings: DatasetSettings


@dataclass(frozen=True)
class Dial:
    """A dial at three settings.

    Attributes:
        name: Its name.
        words: One line about it.
        settings: The three settings.
        mark: What marks an image or a pair; `MARKS` has the words.
        drawn: The law that it changes: of `train`, or of `test` (probe and test pairs).
    """

    name: str
    words: str
    settings: tuple[Setting, Setting, Setting]
    mark: Mark
    drawn: Literal["train", "test"] = "test"


def dials(canvas: int = 112, seed: int = 0) -> tuple[Dial, ...]:
    """Every dial, at data sets small enough to be planned at once.

    Args:
        canvas: Side of an image in pixels.
        seed: Seed of the data sets.
    """
    render = RenderSettings.for_canvas(canvas)
    base = DatasetSettings(render=render, seed=seed, **SMALL)
    return (*_dials_of_pairs(base), *_dials_of_items(base))


def _at(
    base: DatasetSettings,
    one: tuple[str, dict[str, Any]],
    two: tuple[str, dict[str, Any]],
    three: tuple[str, dict[str, Any]],
) -> tuple[Setting, Setting, Setting]:
    """Three changes of `base` by their labels; a gate without a map must not inherit one."""

    def changed(label: str, changes: dict[str, Any]) -> Setting:
        return Setting(label, replace(base, **{"synergy_map": "auto", **changes}))

    return changed(*one), changed(*two), changed(*three)


def _dials_of_pairs(base: DatasetSettings) -> tuple[Dial, ...]:
    """The dials of how images are paired and labelled."""

    def gate(label: str, name: str) -> tuple[str, dict[str, Any]]:
        return label, {"rule": PairRule(gate=name)}

    def rated(name: str, *labelled: tuple[str, float]) -> tuple[Setting, Setting, Setting]:
        one, two, three = ((label, {name: value}) for label, value in labelled)
        return _at(base, one, two, three)

    chance = ("by chance, 0.1", 0.1)
    return (
        Dial(
            "Share rate",
            "How often the two images have the same shape; label share is the one of image 1.",
            rated("share_rate", chance, ("0.5", 0.5), ("always, 1", 1.0)),
            "share",
        ),
        Dial(
            "Dependence",
            "How often an image's texture is a function of its shape.",
            rated("dependence", ("0", 0.0), ("0.5", 0.5), ("1", 1.0)),
            "follow",
        ),
        Dial(
            "Match rate of training pairs",
            "How often training pairs keep the map from texture 1 to color 2.",
            rated("match_rate", chance, ("0.5", 0.5), ("always, 1", 1.0)),
            "label",
            "train",
        ),
        Dial(
            "Gate, two classes",
            "What label synergy asks of texture 1 and color 2, or of their numbers from 0.",
            _at(
                base,
                gate("match: the map is kept", "match"),
                gate("balanced: kept by half of the pairs", "balanced"),
                gate("parity: just one number is odd", "parity"),
            ),
            "label",
        ),
        Dial(
            "Gate, numbers",
            "Label synergy from the numbers of texture 1 and color 2.",
            _at(
                base,
                gate("sum:5: the sum modulo 5", "sum:5"),
                gate("sum: the sum modulo 10", "sum"),
                gate("and: both numbers are odd", "and"),
            ),
            "number",
        ),
        Dial(
            "Label noise",
            "How often a label is replaced by another class.",
            rated("label_noise", ("0", 0.0), ("0.1", 0.1), ("0.5", 0.5)),
            "noise",
        ),
    )


def _dials_of_items(base: DatasetSettings) -> tuple[Dial, ...]:
    """The dials of what the modalities show, and of three modalities."""

    def caption(**changes: Any) -> dict[str, Any]:
        return {"looks": "color,caption", "caption": CaptionSettings(**changes)}

    def nuisance(name: str) -> dict[str, Any]:
        return {"render": replace(base.render, nuisance=name), "nuisance_rate": 1.0}

    def scenario(name: str, words: str) -> tuple[str, dict[str, Any]]:
        return f"{name}: {words}", {"rule": PairRule(gate="sum", scenario=name)}

    return (
        Dial(
            "Nuisance",
            "Images have something in common that no label asks for; the atoms stay.",
            _at(
                base,
                ("background", nuisance("background")),
                ("position", nuisance("position")),
                ("rotation", nuisance("rotation")),
            ),
            "nuisance",
        ),
        Dial(
            "Looks",
            "Image 1 in color; image 2 shows less, and what it hides it cannot tell.",
            _at(
                base,
                ("gray: shape and texture", {"looks": "color,gray"}),
                ("edges: shape and texture", {"looks": "color,edges"}),
                ("silhouette: the shape alone", {"looks": "color,silhouette"}),
            ),
            "none",
        ),
        Dial(
            "Captions",
            "Words in place of image 2; what they leave out they do not tell.",
            _at(
                base,
                ("all is named", caption()),
                ("each word left out at 0.5", caption(omission=0.5)),
                ("the shape alone, by 3 synonyms", caption(caption_names="shape", synonyms=3)),
            ),
            "none",
        ),
        Dial(
            "Three modalities",
            "Each scenario has its own label, below the triple; the gate is the sum modulo 10.",
            _at(
                base,
                scenario("redundant12", "1 and 2 each tell the label"),
                scenario("unique2", "2 alone tells the label"),
                scenario("synergy123", "only all three together tell it"),
            ),
            "tell",
        ),
    )
