"""Gates, which decide the synergy label, and named scenarios for three modalities.

P tuples of images, L linked modalities, K values of the first image's attribute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from trifeature.errors import InputError, check_name

IntArray = npt.NDArray[np.int64]

GATES: Final = ("match", "balanced", "parity", "sum", "and")
"""The gates by name; `sum:K` is a sum modulo K."""


@dataclass(frozen=True)
class Gate:
    """The rule of the synergy label, from attribute a of one image and b of the others.

    - `match`, `balanced`: 1 if b = map(a) for every other image, else 0. With `balanced` this holds
      for half of the probe and test pairs.
    - `parity`: the exclusive or of one bit an image, the parity of the value's number.
    - `sum`: the sum of the values' numbers modulo K.
    - `and`: 1 if all the bits are 1.

    Attributes:
        name: One of `GATES`.
        modulus: K of `sum`; 0 for the number of values of a.
    """

    name: str
    modulus: int = 0

    @classmethod
    def read(cls, text: str) -> Gate:
        """A gate from its text.

        Raises:
            InputError: there is no such gate.

        >>> Gate.read("sum:3")
        Gate(name='sum', modulus=3)
        """
        if isinstance(text, str) and (found := re.fullmatch(r"sum:(\d{1,4})", text)):
            if (modulus := int(found[1])) < 2:
                raise InputError("a sum is taken modulo 2 or more, as in sum:10")
            return cls("sum", modulus)
        return cls(check_name("gate", text, GATES))

    @property
    def text(self) -> str:
        """What `read` reads."""
        return f"sum:{self.modulus}" if self.modulus else self.name

    @property
    def uses_map(self) -> bool:
        """True if the label depends on the synergy map."""
        return self.name in ("match", "balanced")

    @property
    def test_rate(self) -> float | None:
        """Fraction of the probe and test pairs whose label is 1; None leaves it to chance."""
        return 0.5 if self.name == "balanced" else None

    def classes(self, values: int) -> int:
        """Number of classes, for so many values of a."""
        return (self.modulus or values) if self.name == "sum" else 2

    def label(
        self, first: IntArray, others: IntArray, synergy_map: Sequence[int], values: int
    ) -> IntArray:
        """The labels [P] for a [P] and b [P, L − 1].

        Args:
            first: Attribute a.
            others: Attribute b of each other image.
            synergy_map: The partner of each value of a.
            values: Number of values of a.
        """
        if self.uses_map:
            wanted = np.asarray(synergy_map)[first]
            return (others == wanted[:, None]).all(axis=1).astype(np.int64)
        shown = np.concatenate([first[:, None], others], axis=1)
        if self.name == "sum":
            return shown.sum(axis=1) % self.classes(values)
        bits = shown % 2
        return bits.sum(axis=1) % 2 if self.name == "parity" else bits.min(axis=1)

    def holds(self, labels: IntArray) -> npt.NDArray[np.bool_]:
        """Where the match rate counts: label 1, or a sum of 0."""
        return labels == (0 if self.name == "sum" else 1)


@dataclass(frozen=True)
class Scenario:
    """What three modalities have in common, and which task is the scenario's.

    Attributes:
        task: The task.
        sharing: The modalities, from 0, that have the shared attribute in common.
        linked: Those that the gate links.
        words: One line about it.
    """

    task: str
    sharing: tuple[int, ...]
    linked: tuple[int, ...]
    words: str


ALL_THREE: Final = (0, 1, 2)

SCENARIOS: Final[Mapping[str, Scenario]] = {
    **{
        f"unique{m + 1}": Scenario(
            f"unique{m + 1}", (), ALL_THREE, f"only modality {m + 1} tells the label"
        )
        for m in range(3)
    },
    **{
        "redundant" + "".join(str(m + 1) for m in some): Scenario(
            "share",
            some,
            ALL_THREE,
            "each of modalities " + " and ".join(str(m + 1) for m in some) + " tells the label",
        )
        for some in ((0, 1), (0, 2), (1, 2), ALL_THREE)
    },
    **{
        "synergy" + "".join(str(m + 1) for m in some): Scenario(
            "synergy",
            (),
            some,
            "only modalities "
            + " and ".join(str(m + 1) for m in some)
            + " together tell the label",
        )
        for some in ((0, 1), (0, 2), (1, 2), ALL_THREE)
    },
}
"""Every named scenario."""
