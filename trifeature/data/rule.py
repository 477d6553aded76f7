"""The rule by which images become pairs, and the tasks that are asked of them.

K values of an attribute, M modalities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trifeature.checks import require_flag, require_text, require_whole
from trifeature.data.attributes import ATTRIBUTES
from trifeature.data.gates import SCENARIOS, Gate
from trifeature.errors import InputError, check_name


@dataclass(frozen=True)
class PairRule:
    """The rule by which images are paired, and the attributes that the tasks ask for.

    Attributes:
        shared: Attribute that all images of a pair have in common: the label of task `share`.
        unique: Attribute of each single image: the labels of tasks `unique1`, `unique2`, ….
        synergy: Attributes (a of image 1, b of every other image) linked by the map: task
            `synergy`.
        modalities: M, the number of images in a pair, at least 2.
        distinct_unique: Keep only pairs whose unique attributes all differ (appendix B.5 of
            Dufumier et al. 2025; the authors' code does not).
        gate: What task `synergy` asks for: match (whether the pair keeps the map), balanced (the
            same, and half the probe and test pairs keep it), parity, sum, sum:K or and; see
            `trifeature.data.gates.Gate`.
        scenario: A named scenario for three modalities: unique1 to unique3, or redundant or synergy
            with 12, 13, 23 or 123 behind it, as in synergy13; empty for none.

    Raises:
        InputError: an unknown attribute, or a choice under which a task would be degenerate.
    """

    shared: str = "shape"
    unique: str = "texture"
    synergy: tuple[str, str] = ("texture", "color")
    modalities: int = 2
    distinct_unique: bool = False
    gate: str = "match"
    scenario: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.synergy, tuple | list) or len(self.synergy) != 2:
            raise InputError(
                "synergy needs two attributes: one of image 1 and one of the others, not "
                f"{self.synergy!r}"
            )
        object.__setattr__(self, "synergy", tuple(self.synergy))
        for name in (self.shared, self.unique, *self.synergy):
            check_name("attribute", name, ATTRIBUTES)
        if self.unique == self.shared:
            raise InputError(f"unique and shared must differ; both are {self.shared!r}")
        if self.shared in self.synergy:
            raise InputError(
                f"synergy must not use the shared attribute {self.shared!r}: one image alone "
                "would determine the label"
            )
        object.__setattr__(self, "modalities", require_whole("modalities", self.modalities, 2, 8))
        flag = require_flag("distinct_unique", self.distinct_unique)
        object.__setattr__(self, "distinct_unique", flag)
        object.__setattr__(self, "gate", Gate.read(self.gate).text)
        if require_text("scenario", self.scenario):
            check_name("scenario", self.scenario, SCENARIOS)
            if self.modalities not in (2, 3):  # 2 is the default of what was not said
                raise InputError(f"scenarios have three modalities, not {self.modalities}")
            object.__setattr__(self, "modalities", 3)

    @property
    def parsed_gate(self) -> Gate:
        """The gate."""
        return Gate.read(self.gate)

    @property
    def sharing(self) -> tuple[int, ...]:
        """The modalities, from 0, that have the shared attribute in common."""
        if self.scenario:
            return SCENARIOS[self.scenario].sharing
        return tuple(range(self.modalities))

    @property
    def linked(self) -> tuple[int, ...]:
        """The modalities, from 0, that the gate links; the first one has attribute a."""
        if self.scenario:
            return SCENARIOS[self.scenario].linked
        return tuple(range(self.modalities))

    def chance_share_rate(self, counts: Mapping[str, int]) -> float:
        """Probability that independent images have the shared attribute in common."""
        return float(counts[self.shared]) ** -(max(len(self.sharing), 1) - 1)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the tasks: share, unique1 … uniqueM, synergy."""
        return ("share", *(f"unique{m + 1}" for m in range(self.modalities)), "synergy")
