"""The probing protocols by name. This module imports no torch."""

from __future__ import annotations

from typing import Final, Literal, get_args

from trifeature.errors import check_name

Probing = Literal["ours", "products", "authors"]
PROBINGS: Final[tuple[Probing, ...]] = get_args(Probing)

_ALIASES: Final[dict[str, Probing]] = {"fixed": "ours", "paper": "authors", "official": "authors"}


def read_protocol(name: str) -> Probing:
    """The protocol of a name as given on the command line, in JSON or in a row.

    `ours` probes clean items with a cost chosen by cross-validation over groups. `products` is ours
    of features to which element-wise products of the modalities' own features are added. `authors`
    is the protocol of the published code of Dufumier et al. (2025). The names `fixed`, `paper` and
    `official`, which older rows and commands use, are read too.

    Raises:
        InputError: there is no such protocol.

    >>> read_protocol("ours"), read_protocol("fixed"), read_protocol("paper")
    ('ours', 'ours', 'authors')
    """
    known = _ALIASES.get(name, name) if isinstance(name, str) else name
    return next(p for p in PROBINGS if p == check_name("probing", known, PROBINGS))
