"""The options of every method: frozen dataclasses, validated, saved with the settings of a run.

Nothing here imports torch, so the command line can be built from these classes quickly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final, Literal, get_args

from trifeature.checks import (
    require_choice,
    require_flag,
    require_number,
    require_text,
    require_whole,
)
from trifeature.errors import InputError

Negatives = Literal["both", "cross", "algorithm1"]
Fusion = Literal["attention", "linear"]
Masking = Literal["remove", "learned"]
Unimodal = Literal["augmented", "plain"]
CrossSelfVariant = Literal["code", "paper"]
Second = Literal["own", "shared"]
Weights = Literal["constant", "falling", "rising"]
Tuples = Literal["shuffled", "all"]
SymileFeatures = Literal["both", "concatenated", "product"]
Anchors = Literal["first", "all"]
Area = Literal["squared", "root"]
Dropped = Literal["absent", "zero"]
HRILTerms = Literal["nce", "nce+syn", "nce+align", "all", "align+syn", "align", "syn"]

NEGATIVES: Final[tuple[Negatives, ...]] = get_args(Negatives)


@dataclass(frozen=True)
class Options:
    """Base class of a method's options: a frozen dataclass whose fields all have defaults.

    Numbers must be positive. `choices` lists the allowed values of other fields, by field.
    `training` holds settings of a run that the method is trained with on every preset, `longer` its
    epochs and `rate` its learning rate as multiples of a preset's; see `run_preset`.
    """

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    training: ClassVar[Mapping[str, Any]] = {}
    longer: ClassVar[float] = 1.0
    rate: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name in self.choices:
                require_choice(one.name, value, self.choices[one.name])
            elif type(one.default) is int:
                object.__setattr__(self, one.name, require_whole(one.name, value, 1))
            elif type(one.default) is float:
                object.__setattr__(self, one.name, require_number(one.name, value, above=0.0))
            elif type(one.default) is bool:
                object.__setattr__(self, one.name, require_flag(one.name, value))
            elif type(one.default) is str:
                require_text(one.name, value)


@dataclass(frozen=True)
class CoMMOptions(Options):
    """Options of CoMM. The defaults produced the published numbers.

    Attributes:
        loss: Loss to minimize: L_CoMM, L, L_i or a single L_1, L_2, …; see
            `trifeature.comm.losses.loss_names`.
        width: D, width of tokens and fused embedding.
        heads: Number of attention heads.
        hidden: Width of the projection head's hidden layers.
        embedding: Length of the head's output.
        temperature: τ of the loss.
        fusion: `attention`, or `linear` as in Table 4.
        vector: Length of each modality's vector before linear fusion.
        masking: Treatment of absent modalities in the attention: `remove` drops their tokens (the
            authors' code), `learned` replaces each by a learned mask token (the paper's text).
        head_norm: BatchNorm in the projection head.
        unimodal: Input of z_i: an `augmented` view (the authors' code) or the `plain` item (the
            paper's Algorithm 1).
        negatives: Negatives of InfoNCE, see `trifeature.comm.losses.info_nce`.
    """

    loss: str = "L_CoMM"
    width: int = 512
    heads: int = 8
    hidden: int = 512
    embedding: int = 256
    temperature: float = 0.1
    fusion: Fusion = "attention"
    vector: int = 256
    masking: Masking = "remove"
    head_norm: bool = True
    unimodal: Unimodal = "augmented"
    negatives: Negatives = "both"

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "fusion": get_args(Fusion),
        "masking": get_args(Masking),
        "unimodal": get_args(Unimodal),
        "negatives": NEGATIVES,
    }


@dataclass(frozen=True)
class TwoTemperaturesOptions(CoMMOptions):
    """Options of CoMM at two temperatures. `temperature` and `loss` are those of the first loss.

    Attributes:
        second_temperature: τ of the second loss.
        second_loss: Terms of the second loss, as of `loss`.
        second_weight: Weight of the second loss; the first has one less it.
        second_head: `own` projects for the second loss by a head of its own, `shared` by the same.
        second_fusion: `shared` trains one fused embedding by both losses; `own` fuses for the
            second loss by a fusion of its own, and a probe reads both embeddings side by side.
        weights: `constant`; or `falling` and `rising`, in which the weight of the second loss goes
            from 1 to 0 and from 0 to 1 over training, whatever `second_weight` is.
    """

    second_temperature: float = 0.4
    second_loss: str = "L_CoMM"
    second_weight: float = 0.5
    second_head: Second = "own"
    second_fusion: Second = "shared"
    weights: Weights = "constant"

    # A preset's temperature was chosen for one loss; two need one on either side of it.
    training: ClassVar[Mapping[str, Any]] = {"temperature": 0.1}

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **CoMMOptions.choices,
        "second_head": get_args(Second),
        "second_fusion": get_args(Second),
        "weights": get_args(Weights),
    }


@dataclass(frozen=True)
class CoMMCrossOptions(CoMMOptions):
    """Options of CoMM + Cross. `temperature` and `loss` are CoMM's.

    Attributes:
        cross_weight: Weight of the CLIP loss beside CoMM's.
    """

    cross_weight: float = 1.0

    # A preset's temperature was chosen for the synergy of CoMM alone, at the cost of uniqueness.
    training: ClassVar[Mapping[str, Any]] = {"temperature": 0.1}


@dataclass(frozen=True)
class ProjectionOptions(Options):
    """Options of every method that compares one linear projection of each modality.

    Attributes:
        width: Length of the projections.
        vector: Length of the encoders' vectors.
    """

    width: int = 512
    vector: int = 256


@dataclass(frozen=True)
class CrossOptions(ProjectionOptions):
    """Options of Cross."""


@dataclass(frozen=True)
class CrossSelfOptions(Options):
    """Options of Cross+Self.

    Attributes:
        cross_self: Variant, the published `code`'s or the `paper`'s.
        width: Length of the `paper` variant's projections.
        vector: Length of the encoders' vectors.
        hidden: Half the width of the heads' hidden layers.
        embedding: Length of the heads' output.
        temperature: τ of the loss.
        head_norm: BatchNorm in the heads.
    """

    cross_self: CrossSelfVariant = "code"
    width: int = 512
    vector: int = 256
    hidden: int = 512
    embedding: int = 256
    temperature: float = 0.1
    head_norm: bool = True

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {"cross_self": get_args(CrossSelfVariant)}


@dataclass(frozen=True)
class CMCOptions(ProjectionOptions):
    """Options of CMC.

    Attributes:
        temperature: τ of the loss.
    """

    temperature: float = 0.1


@dataclass(frozen=True)
class SimCLROptions(Options):
    """Options of SimCLR.

    Attributes:
        vector: Length of the encoders' vectors.
        hidden: Width of the heads' hidden layers.
        embedding: Length of the heads' output.
        temperature: τ of the loss.
        head_norm: BatchNorm in the heads.
    """

    vector: int = 256
    hidden: int = 512
    embedding: int = 256
    temperature: float = 0.1
    head_norm: bool = True


@dataclass(frozen=True)
class FactorCLOptions(Options):
    """Options of FactorCL, which its authors train half as long again, by plain Adam.

    Attributes:
        width: Length of the encoders' vectors and of each head's output.
        hidden: Width of the critics' hidden layers.
    """

    width: int = 512
    hidden: int = 512

    training: ClassVar[Mapping[str, Any]] = {"learning_rate": 1e-4, "weight_decay": 0.0}
    longer: ClassVar[float] = 1.5


@dataclass(frozen=True)
class ConFuOptions(ProjectionOptions):
    """Options of ConFu.

    Attributes:
        hidden: Width of the fusion heads' hidden layer.
        temperature: τ of the loss; on every preset the authors' 0.07.
        fused_weight: λ, the weight of ConFu's fused terms, in (0, 1); pairwise terms have 1 − λ.
        fused_features: Whether a probe of ConFu reads the fused embeddings of pairs of modalities
            beside the projections.
    """

    hidden: int = 512
    temperature: float = 0.07
    fused_weight: float = 0.5
    fused_features: bool = True

    # A preset's temperature was chosen for CoMM; it would replace the default above.
    training: ClassVar[Mapping[str, Any]] = {"temperature": 0.07}


@dataclass(frozen=True)
class AnchorOptions(ProjectionOptions):
    """Options of methods that compare an anchor with the tuples of the other modalities.

    Attributes:
        anchors: The anchor: the `first` modality (as published, where it is the text), or the mean
            over `all` modalities in turn.
        label_smoothing: Label smoothing of 0.1 in the loss (the authors' code), or none.
    """

    anchors: Anchors = "first"
    label_smoothing: bool = True

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {"anchors": get_args(Anchors)}


@dataclass(frozen=True)
class GramOptions(AnchorOptions):
    """Options of GRAM."""


@dataclass(frozen=True)
class SymileOptions(ProjectionOptions):
    """Options of Symile.

    Attributes:
        tuples: Negatives of an anchor: N − 1 tuples made by shuffling the other modalities
            (`shuffled`, the default of the authors' code) or `all` N^(M−1) − 1 of the batch.
        features: What a probe of Symile reads: the projections `concatenated`, their element-wise
            `product`, or `both`.
    """

    tuples: Tuples = "shuffled"
    features: SymileFeatures = "both"

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "tuples": get_args(Tuples),
        "features": get_args(SymileFeatures),
    }


@dataclass(frozen=True)
class TriangleOptions(AnchorOptions):
    """Options of TRIANGLE.

    Attributes:
        area: Dissimilarity of three embeddings whose ends span a triangle of area A: 2 A²
            (`squared`, the authors' code) or A (`root`, the paper's text).
    """

    area: Area = "squared"

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **AnchorOptions.choices,
        "area": get_args(Area),
    }


@dataclass(frozen=True)
class InfMaskingOptions(CoMMOptions):
    """Options of InfMasking: those of CoMM and of its masked fused passes.

    The fusion must be `attention`. The option `negatives` is for CoMM's terms; the masked terms
    have negatives of their own, see `trifeature.comm.methods.infmasking.masked_loss`.

    Attributes:
        masks: K, number of masked passes of each view.
        mask_ratio: Share of each modality's tokens that a pass replaces by the mask token, below 1;
            int(T · (1 − share)) of T tokens are kept, and at least one.
        variance_weight: λ, weight of the variance among the passes at the end of training; it grows
            linearly with the epochs.
    """

    masks: int = 6
    mask_ratio: float = 0.7
    variance_weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("mask_ratio", self.mask_ratio, above=0, below=1)
        if self.fusion != "attention":
            raise InputError(
                f"infmasking hides tokens of attention fusion; {self.fusion} fusion has none: "
                "fusion must be attention"
            )


@dataclass(frozen=True)
class COrALOptions(Options):
    """Options of COrAL, which its authors train at a third of CoMM's rate with ten times its decay.

    Attributes:
        width: D, width of tokens and fused embedding; the unique embeddings are half as wide.
        heads: Number of attention heads.
        hidden: Width of the projection heads' hidden layers.
        embedding: Length of the heads' output.
        temperature: τ of the loss.
        drop_probability: Probability with which a token of the shared path is dropped, below 1.
        orthogonality_weight: w, weight of the squared cosines between shared and unique embeddings
            and among the unique ones.
        head_norm: BatchNorm in the projection heads.
    """

    width: int = 512
    heads: int = 8
    hidden: int = 512
    embedding: int = 256
    temperature: float = 0.1
    drop_probability: float = 0.75
    orthogonality_weight: float = 1.0
    head_norm: bool = True

    # Where CoMM's rate is 3e-4 this is the authors' 1e-4.
    training: ClassVar[Mapping[str, Any]] = {"weight_decay": 1e-3}
    rate: ClassVar[float] = 1 / 3

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("drop_probability", self.drop_probability, above=0, below=1)


@dataclass(frozen=True)
class DroppingOptions(CoMMOptions):
    """Options of CoMM with asymmetric token dropping: CoMM's and two more.

    Attributes:
        drop_rate: Probability that a token is dropped, at most 1.
        dropped: What is left of a dropped token: a `zero` vector in the sequence (COrAL), or
            nothing, `absent` from the attention as absent modalities are (see `masking`).
    """

    drop_rate: float = 0.75
    dropped: Dropped = "zero"

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **CoMMOptions.choices,
        "dropped": get_args(Dropped),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("drop_rate", self.drop_rate, above=0.0, high=1.0)
        if self.fusion != "attention":
            raise InputError(f"only attention has tokens to drop: fusion {self.fusion!r} has none")


@dataclass(frozen=True)
class HRILOptions(CoMMOptions):
    """Options of HRIL: those of CoMM's network, and the terms of its own loss.

    Attributes:
        terms: Terms of the loss: contrastive (`nce`), alignment (`align`), synergy (`syn`), each
            alone; `nce+syn`, `nce+align`, `align+syn`; or `all` three.
        fused: Add CoMM's term L of two fused views, which HRIL has not.
        align_weight: λ_a, weight of the alignment.
        synergy_weight: λ_s, weight of the synergy term.
        projection: r_p, length of the projected embeddings whose cross-moment the synergy term
            uses, and the rank of its Tucker decomposition; at most the width is used.
        variance_target: γ, standard deviation at which the hinge of L_var would end.
        synergy_target: ξ, least share of the cross-moment outside its largest component.
    """

    negatives: Negatives = "cross"
    terms: HRILTerms = "all"
    fused: bool = False
    align_weight: float = 1.0
    synergy_weight: float = 0.1
    projection: int = 24
    variance_target: float = 0.5
    synergy_target: float = 0.5

    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **CoMMOptions.choices,
        "terms": get_args(HRILTerms),
    }
    # A preset's settings are CoMM's before the method changes, negatives included.
    training: ClassVar[Mapping[str, Any]] = {"negatives": "cross"}

    # Fixed, no options: `terms` takes the place of `loss`, and both views have an embedding z_i.
    loss: ClassVar[str] = "L_CoMM"  # type: ignore[misc]
    unimodal: ClassVar[Unimodal] = "augmented"  # type: ignore[misc]


@dataclass(frozen=True)
class MAEOptions(Options):
    """Options of masked autoencoding through one vector.

    Attributes:
        width: D, width of tokens and fused embedding.
        heads: Number of attention heads.
        hidden: Width of the decoder's hidden layers.
        patches: Patches along each side of an image.
        mask_rate: Share of the patches that are hidden, less than 1; at least one patch is.
        normalize_patches: Predict the pixels of a patch less their mean, over their deviation.
    """

    width: int = 512
    heads: int = 8
    hidden: int = 512
    patches: int = 8
    mask_rate: float = 0.75
    normalize_patches: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("mask_rate", self.mask_rate, above=0.0, below=1.0)


OPTIONS: Final[dict[str, type[Options]]] = {
    "comm": CoMMOptions,
    "two-temperatures": TwoTemperaturesOptions,
    "comm+cross": CoMMCrossOptions,
    "confu": ConFuOptions,
    "cross": CrossOptions,
    "cross+self": CrossSelfOptions,
    "cmc": CMCOptions,
    "simclr": SimCLROptions,
    "factorcl": FactorCLOptions,
    "gram": GramOptions,
    "symile": SymileOptions,
    "triangle": TriangleOptions,
    "infmasking": InfMaskingOptions,
    "coral": COrALOptions,
    "dropping": DroppingOptions,
    "hril": HRILOptions,
    "mae": MAEOptions,
}
"""The class of options of every method, by the method's name; `register_method` adds to it."""
