"""Presets: a data set, the training on it, its augmentations and its goal, each named once.

Everything that depends on the preset is a value here, so no code asks for a preset's name. The
settings are plain values; `trifeature.data.settings.preset` and
`trifeature.comm.settings.run_preset` make settings objects of them. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from trifeature.errors import check_name
from trifeature.views.sets import ALL, LIGHT, ViewSet

OLD: Final = "-old"
"""Ends the name of a preset with the drawings of data sets of formats 1 and 2."""

Crops = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Augmentations:
    """A preset's version of the paper's sets of transforms.

    Attributes:
        all: *All* of Table 5.
        light: What Table 5 writes as ∅ and the authors' code runs in its place.
        crops_from_zero: Crop scales of the first family of Figure 7, the strongest first.
        crops_to_full: Crop scales of the second family.
    """

    all: ViewSet
    light: ViewSet
    crops_from_zero: Crops
    crops_to_full: Crops


@dataclass(frozen=True)
class Speedrun:
    """A training schedule whose time is measured, and the accuracies that it must reach.

    Attributes:
        goal: Mean over the seeds of R, U (both after training on unbiased pairs) and S (biased),
            in [0, 1].
        source: Where the goal is from.
        changes: Settings other than the preset's, see `trifeature.comm.settings.run_preset`.
    """

    goal: Mapping[str, float]
    source: str
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Preset:
    """One size of the experiments.

    Attributes:
        name: As on the command line.
        canvas: Side of the images in pixels.
        augmentations: Its sets of transforms.
        data: Fields of `trifeature.data.settings.DatasetSettings` that are not at their default,
            but for the canvas.
        run: Settings and options of CoMM that are not at their default, all named flat; views
            come from `augmentations`.
        methods: The same for single methods; they replace `run` and a method's own settings, see
            `trifeature.comm.options.Options`.
        drawings: See `trifeature.data.settings.RenderSettings`.
        published: Whether its numbers stand beside the published ones: they are then probed by the
            authors' protocol too.
        speedrun: The schedule that `bench --speedrun` runs; None where there is none.
    """

    name: str
    canvas: int
    augmentations: Augmentations
    data: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    methods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    drawings: str = "published"
    published: bool = True
    speedrun: Speedrun | None = None

    @property
    def words(self) -> str:
        """The preset as captions call it.

        >>> QUICK_OLD.words
        'quick preset, old drawings'
        """
        old = ", old drawings" if self.drawings == "old" else ""
        return f"{self.name.removesuffix(OLD)} preset{old}"


# The paper states the ends of both families, and 0.05 % where 0.05 is likelier; the points between
# are ours. `paper` and `fast` train in bfloat16, where the authors trained in float32:
# precision="float32" is the reference to compare with.
PAPER: Final = Preset(
    "paper",
    canvas=224,
    augmentations=Augmentations(
        all=ALL,
        light=LIGHT,
        crops_from_zero=((0.01, 0.2), (0.01, 0.3), (0.01, 0.4), (0.01, 0.5), (0.01, 0.6)),
        crops_to_full=((0.05, 1.0), (0.08, 1.0), (0.1, 1.0), (0.15, 1.0)),
    ),
    run={"precision": "bfloat16"},
    speedrun=Speedrun(
        {"R": 0.999, "U": 0.878, "S": 0.719}, "Dufumier et al. (2025), Figure 4, CoMM"
    ),
)
"""Dufumier et al. (2025), appendix B.5."""

FAST: Final = Preset(
    "fast",
    canvas=112,
    augmentations=Augmentations(
        # A blur is measured in pixels, so at half the canvas it is half as wide.
        all=replace(ALL, blur_sigma=(0.05, 1.0)),
        light=LIGHT,
        crops_from_zero=((0.01, 0.2), (0.01, 0.4), (0.01, 0.6)),
        crops_to_full=((0.05, 1.0), (0.08, 1.0), (0.15, 1.0)),
    ),
    run={"precision": "bfloat16", "encoder": "alexnet-unpooled"},
)
"""The paper's at 112 px."""

# At 32 and 48 px a crop below 0.4 leaves little texture to see, and a blur none to tell apart.
_SMALL: Final = Augmentations(
    all=replace(ALL, crop_scale=(0.4, 1.0), grayscale_probability=0.0, blur_probability=0.0),
    light=replace(LIGHT, crop_scale=(0.7, 1.0)),
    crops_from_zero=((0.1, 0.3), (0.1, 0.5), (0.1, 0.8)),
    crops_to_full=((0.2, 1.0), (0.4, 1.0), (0.7, 1.0)),
)

LAPTOP: Final = Preset(
    "laptop",
    canvas=48,
    augmentations=_SMALL,
    data={
        "balanced": True,
        "copies": 10,
        "test_copies": 3,
        "train_pairs": 10_000,
        "probe_pairs": 5_000,
    },
    run={
        "encoder": "small",
        "width": 128,
        "hidden": 256,
        "embedding": 128,
        "vector": 128,
        "temperature": 0.4,
        "epochs": 8,
        "learning_rate": 2e-3,
        "schedule": "cosine",
    },
    published=False,
)
"""Ten values of each attribute in five minutes of one CPU core; chosen on validation pairs only."""

QUICK: Final = replace(
    LAPTOP,
    name="quick",
    run={**LAPTOP.run, "epochs": 2},
    speedrun=Speedrun({"R": 0.80, "U": 0.30, "S": 0.54}, "what its two epochs reach, rounded down"),
)
"""The same in little more than a minute."""

TINY: Final = Preset(
    "tiny",
    canvas=32,
    augmentations=_SMALL,
    data={
        "shapes": 5,
        "textures": 5,
        "colors": 5,
        "held_out": 25,
        "balanced": True,
        "copies": 40,
        "test_copies": 12,
        "train_pairs": 10_000,
        "probe_pairs": 5_000,
    },
    run={**LAPTOP.run, "temperature": 0.05, "epochs": 4},
    published=False,
)
"""Five values of each attribute: 125 combinations, for tables that are read whole and for tests.

It carries no claim: a linear probe reads much of its S without any training on the map.
"""

QUICK_OLD: Final = replace(
    TINY,
    name="quick-old",
    methods={"factorcl": {"epochs": 4, "learning_rate": 2e-3}},
    drawings="old",
)
"""What the quick preset was when the rows of format 1 were recorded."""

PRESETS: Final = {one.name: one for one in (PAPER, FAST, LAPTOP, QUICK, TINY, QUICK_OLD)}
"""Every preset by name."""


def get_preset(name: str) -> Preset:
    """The preset of a name.

    Raises:
        InputError: there is no such preset.

    >>> get_preset("quick").canvas
    48
    """
    return PRESETS[check_name("preset", name, PRESETS)]
