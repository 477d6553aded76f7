"""The paper's sets of real data: how each is trained and scored in Tables 1 to 3 and Figure 6.

Settings are those of the published code where it states them, else the paper's; sizes that it does
not state are the package's. The encoders are the readers' (`encoders="published"`). Dufumier et al.
(2025), appendices B and C; Liang et al. (2023), "Factorized contrastive learning".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from trifeature.experiments.digits import Digits
from trifeature.experiments.experiment import Published
from trifeature.experiments.real import RealArm, Score, fitting
from trifeature.views import Views
from trifeature.views.series import CLEAN_SERIES, SeriesViews, series_views
from trifeature.views.sets import ALL
from trifeature.views.vectors import VectorViews

MACRO, PLAIN, MAJORITY = "macro accuracy, %", "plain accuracy, %", "majority class, %"
MSE: Final = "MSE × 10⁴"
WEIGHTED_F1, MACRO_F1 = "weighted F1, %", "macro F1, %"
BALANCED_F1: Final = "macro F1 of balanced probes, %"

NOISE: Final = VectorViews(drop_probability=0.0)
"""The published `noise` of a vector, for every second sample."""

THREE: Final = "3 modalities"
FACTORCL: Final[Mapping[str, Any]] = {"learning_rate": 1e-4, "weight_decay": 0.0}
"""Training of FactorCL by its authors."""

USUAL: Final[Mapping[str, Any]] = {
    "epochs": 100,
    "batch_size": 64,
    "learning_rate": 1e-3,
    "weight_decay": 1e-2,
    "schedule": "constant",
    "precision": "float32",
}
"""Training on the sets of MultiBench, with AdamW."""

T1: Final = (
    "published values of FactorCL's paper on MIMIC are probably accuracies on training samples: "
    "its code makes the test features of the training set"
)
T2: Final = (
    "published as plain accuracy, where CoMM's are macro accuracies: with an uneven majority class "
    "the two differ"
)
T3: Final = "FactorCL counts neutral clips of MOSI as positive, CoMM and we as negative"
T4: Final = (
    "FactorCL and the rivals measured with it read the last step of a batch padded with zeros, "
    "which of most samples is padding"
)
T6: Final = (
    "the published probe of Vision&Touch is refitted on train and validation, and validation is "
    "the test set: it has seen the test labels; ours has not"
)
T7: Final = (
    "test files of Vision&Touch are neighbors of training files of the same trajectory, as "
    "published; the option split=trajectory keeps them apart"
)
T9: Final = "the published code of this rival cannot run as filed, so its settings are not known"
T13: Final = "the published code attends to padding; here absent steps are masked (padding=code)"
T15: Final = (
    "features are not normalized, as published, so noise of 0.1 is nothing for some of them"
)
ALL_SAMPLES: Final = (
    "inputs of MIMIC are standardized by statistics of all samples, test samples too, as published"
)
RATE: Final = "learning rate 1e-4 as the paper says; one file of settings says 1e-3"
READS: Final = (
    "published probes of this rival read flattened outputs of the encoders, of any length; ours "
    "read their vectors"
)
LIGHT: Final = "the published rival sees data without augmentation, ours light views"

OWN: Final = (
    "published FactorCL has encoders and augmentations of its own: last steps of a Transformer or "
    "a smaller GRU; permuted steps, noise, a fifth of the steps dropped, or nothing; ours are "
    "CoMM's"
)


@dataclass(frozen=True)
class PaperSet:
    """One of the paper's sets.

    Attributes:
        label: As the tables call it.
        data: Its data.
        width: D, the width of tokens and of the fused embedding.
        views: The augmentation of each modality.
        scores: What is reported, by heading.
        training: Settings of a run that are not `USUAL`.
        methods: Further settings of single methods.
        notes: What must be said of all arms on it.
        rivals: What must be said of arms of other methods than CoMM.
        files: Further files that it needs.
        setting: What tells its runs from others on the same data, in words.
    """

    label: str
    data: Digits
    width: int
    views: tuple[Views, ...]
    scores: Mapping[str, Score]
    training: Mapping[str, Any] = field(default_factory=dict)
    methods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    rivals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    setting: str = ""

    def changes(self, method: str) -> dict[str, Any]:
        """The settings of a method's run, see `trifeature.comm.settings.run_preset`."""
        sizes = {"width": self.width, "vector": self.width}
        own = self.methods.get(method, {})
        kept = {**USUAL, **self.training, "views": self.views}
        return {"method": method, **kept, **fitting(method, sizes), **own}

    def arm(
        self, words: str, method: str | None, published: Published, notes: Sequence[str] = ()
    ) -> RealArm:
        """A method on this set.

        Args:
            words: The method, as the paper calls it.
            method: Its name in the package; None for published values alone.
            published: The paper's values by heading.
            notes: What must be said of it besides the set's own notes.
        """
        trained = method is not None
        own = self.notes if trained else ()
        rival = self.rivals.get(method, ()) if method is not None else ()
        return RealArm(
            f"{words}, {self.label}",
            self.setting,
            self.changes(method) if method is not None else {},
            published,
            biased=frozenset(),
            method=words,
            data=self.label,
            settings=self.data if trained else None,
            scores=self.scores,
            files=self.files,
            notes=tuple(dict.fromkeys((*notes, *rival, *own))),
        )


def of_classes(task: str) -> dict[str, Score]:
    """Macro and plain accuracy of a task, and the share of its majority class."""
    return {
        MACRO: Score(task),
        PLAIN: Score(f"{task}_accuracy"),
        MAJORITY: Score(f"{task}_majority"),
    }


def _affect(label: str, source: str, task: str, modalities: int = 2, batch: int = 128) -> PaperSet:
    """MOSI, UR-FUNNY or MUStARD."""
    names = ("vision", "text", "audio")[:modalities]
    plain = {"light": CLEAN_SERIES}
    return PaperSet(
        label,
        Digits(source, {"modalities": names}),
        40,
        (series_views("drop+noise"),) * modalities,
        of_classes(task),
        methods={
            "cross": plain,
            "cross+self": plain,
            "cmc": {**plain, "width": 13},
            "factorcl": {**plain, **FACTORCL, "batch_size": batch},
        },
        notes=(T13, T15),
        rivals={"cross+self": (READS, T9), "cmc": (READS, T9), "factorcl": (OWN,)},
        setting=THREE if modalities == 3 else "",
    )


MIMIC: Final = PaperSet(
    "MIMIC",
    Digits("mimic"),
    512,
    (NOISE, series_views("drop+noise", coins="own")),
    of_classes("disease"),
    methods={"factorcl": {**FACTORCL, "epochs": 30, "batch_size": 40, "width": 128}},
    notes=(ALL_SAMPLES,),
    rivals={
        "cross": (LIGHT,),
        "cross+self": (LIGHT, READS, T9),
        "cmc": (LIGHT, READS, T9),
        "factorcl": (LIGHT, OWN),
    },
)
MOSI: Final = _affect("MOSI", "mosi", "sentiment", batch=32)
UR_FUNNY: Final = _affect("UR-FUNNY", "humor", "humor")
UR_FUNNY_3: Final = _affect("UR-FUNNY, 3 modalities", "humor", "humor", 3)
MUSTARD: Final = _affect("MUStARD", "sarcasm", "sarcasm")

_TOUCH: Final[Mapping[str, Any]] = {"learning_rate": 1e-4}
_TOUCH_NOTES: Final = (T6, T7)
_TOUCH_RIVALS: Final[Mapping[str, tuple[str, ...]]] = {
    "cross": (LIGHT, T9),
    "cross+self": (LIGHT, READS, T9),
    "cmc": (LIGHT, READS, T9),
    "factorcl": (LIGHT,),
}
_CMC_256: Final[Mapping[str, Mapping[str, Any]]] = {"cmc": {"width": 256}, "factorcl": FACTORCL}

TOUCH: Final = PaperSet(
    "V&T EE",
    Digits("touch-regression"),
    128,
    (ALL, series_views("noise+drop", coins="own")),
    {MSE: Score("position_mse", scale=1e4, digits=2)},
    _TOUCH,
    _CMC_256,
    (*_TOUCH_NOTES, RATE),
    _TOUCH_RIVALS,
)
CONTACT: Final = PaperSet(
    "V&T contact",
    Digits("touch-contact"),
    512,
    (ALL, NOISE),
    of_classes("contact"),
    _TOUCH,
    _CMC_256,
    _TOUCH_NOTES,
    _TOUCH_RIVALS,
)
CONTACT_3: Final = PaperSet(
    "V&T contact, 3 modalities",
    Digits("touch-contact", {"modalities": 3}),
    512,
    (ALL, series_views("noise+drop", coins="own"), NOISE),
    of_classes("contact"),
    _TOUCH,
    _CMC_256,
    _TOUCH_NOTES,
    _TOUCH_RIVALS,
    setting=THREE,
)

_GENRES: Final[Mapping[str, Score]] = {
    WEIGHTED_F1: Score("genres_plain_weighted_f1", otherwise="genres_weighted_f1", digits=2),
    MACRO_F1: Score("genres_plain", otherwise="genres", digits=2),
    BALANCED_F1: Score("genres", digits=2),
}
_FILMS: Final[Mapping[str, Any]] = {"learning_rate": 1e-4, "schedule": "cosine", "epochs": 70}
_MASKED: Final = SeriesViews(order=("drop",), drop=(0.15, 0.15), drop_probability=1.0)
"""The published masking of text, of stored token features."""

FROZEN: Final = (
    "features of a frozen model come from a file, so views of pictures and masked words before it "
    "cannot be drawn: a share of 0.15 of the tokens is set to zero in their place"
)
EPOCHS_70: Final = (
    "70 epochs as Table 2 says, of a cosine schedule that here ends at 0 with them; the published "
    "one runs from and to 1e-6 over 100"
)
BEST_EPOCH: Final = "the published code keeps the epoch of the best F1 on the test set"
POSTERS: Final = (
    "trained on posters and words side by side, which do not meet in its loss, and read from "
    "posters alone, by probes that balance each genre; published ones do not balance. ResNet-50's "
    "maps are not pooled before the vector, which adds a layer of 206 million weights"
)


def frozen_films(folder: str) -> PaperSet:
    """MM-IMDb as token features of a frozen model, from a folder within the set's own."""
    return PaperSet(
        "MM-IMDb",
        Digits("mmimdb", {"frozen": folder}),
        768,
        (_MASKED, _MASKED),
        _GENRES,
        _FILMS,
        notes=(FROZEN, EPOCHS_70, BEST_EPOCH),
        files=(f"{folder}/image.npz", f"{folder}/text.npz"),
        setting=folder,
    )


FILMS: Final = PaperSet(
    "MM-IMDb",
    Digits("mmimdb"),
    512,
    (ALL,),
    {
        WEIGHTED_F1: Score("genres_weighted_f1", part="image", digits=2),
        MACRO_F1: Score("genres", part="image", digits=2),
    },
    {**_FILMS, "encoder": "resnet50"},
    {"simclr": {"vector": 2048, "hidden": 4096, "embedding": 256}},
    notes=(POSTERS, EPOCHS_70, BEST_EPOCH),
)
"""MM-IMDb as posters and words; scores are of posters alone."""
