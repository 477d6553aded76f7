"""Captions: what an image shows as a line of words, of which some may be left out.

A caption reads `a`, then the words of texture, color and shape, as in "a striped red star". The
word of a value is drawn among its synonyms. An attribute that is omitted, or that the settings do
not name, has no word; the shape's is then "shape". So a caption tells a named attribute with
probability 1 − omission, independently of all else, and nothing about it otherwise: it is an
erasure channel (Elias 1955), and the mutual information of a uniform attribute with the captions
is (1 − omission) · log₂ K bits.

N captions, L tokens of a caption, K values of an attribute. A token is a word's place in the
`vocabulary`; 0 pads captions that are shorter than L.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from trifeature.checks import as_array
from trifeature.data.attributes import ATTRIBUTES
from trifeature.data.hashing import stream_keys, uniforms, word_keys
from trifeature.data.settings import CaptionSettings
from trifeature.errors import InputError, check_name

if TYPE_CHECKING:
    from torch import Tensor

IntArray = npt.NDArray[np.int64]

TEMPLATE: Final = ("", "a", "an", "shape")
"""The words that begin every vocabulary: padding, both articles, and what a shape unnamed is."""

PADDING, ARTICLE, ARTICLE_BEFORE_VOWEL, UNNAMED = range(len(TEMPLATE))

ORDER: Final = ("texture", "color", "shape")
"""The attributes in the order of their words."""

SYNONYMS: Final[Mapping[str, Mapping[str, tuple[str, str, str]]]] = {
    "shape": {
        "triangle": ("triangle", "wedge", "delta"),
        "square": ("square", "box", "block"),
        "plus": ("plus", "cross", "crosshair"),
        "circle": ("circle", "disc", "roundel"),
        "tee": ("tee", "tau", "hammer"),
        "rhombus": ("rhombus", "diamond", "lozenge"),
        "pentagon": ("pentagon", "fivegon", "quinquangle"),
        "star": ("star", "pentagram", "asterisk"),
        "fivesquare": ("fivesquare", "quincunx", "cinque"),
        "trapezoid": ("trapezoid", "trapezium", "bucket"),
    },
    "texture": {
        "solid": ("solid", "plain", "filled"),
        "stripes": ("striped", "banded", "lined"),
        "grid": ("gridded", "latticed", "meshed"),
        "hexgrid": ("honeycombed", "hexgridded", "hexed"),
        "dots": ("dotted", "spotted", "polka"),
        "noise": ("noisy", "grainy", "mottled"),
        "triangles": ("triangled", "toothed", "spiked"),
        "zigzags": ("zigzagged", "chevroned", "jagged"),
        "rain": ("rainy", "streaked", "drizzled"),
        "pluses": ("crossed", "plussed", "stitched"),
    },
    "color": {
        "red": ("red", "crimson", "scarlet"),
        "green": ("green", "lime", "emerald"),
        "blue": ("blue", "cobalt", "sapphire"),
        "yellow": ("yellow", "golden", "lemon"),
        "pink": ("pink", "rosy", "fuchsia"),
        "cyan": ("cyan", "aqua", "turquoise"),
        "purple": ("purple", "violet", "indigo"),
        "ocean": ("ocean", "marine", "petrol"),
        "orange": ("orange", "amber", "tangerine"),
        "white": ("white", "snowy", "ivory"),
    },
}
"""The words of each value, the most usual first. A value of one's own has one word: its name."""

STREAM: Final = int(word_keys(["captions"])[0])
"""Parts the random numbers of captions from those of the renderer, which has the same seed."""


def erasure(settings: CaptionSettings, attribute: str) -> float:
    """Probability that a caption does not tell an attribute: 1 if it is not named.

    Raises:
        InputError: there is no such attribute.

    >>> erasure(CaptionSettings(caption_names="shape,color", omission=0.25), "color")
    0.25
    >>> erasure(CaptionSettings(caption_names="shape,color", omission=0.25), "texture")
    1.0
    """
    check_name("attribute", attribute, ATTRIBUTES)
    return settings.omission if attribute in settings.names else 1.0


def caption_length(settings: CaptionSettings) -> int:
    """Number of tokens L of a caption: the article, the shape, and texture and color if named."""
    return 2 + len(set(settings.names) - {"shape"})


def vocabulary(
    values: Mapping[str, Sequence[str]], settings: CaptionSettings | None = None
) -> tuple[str, ...]:
    """The words of a data set's captions; a word's place is its token.

    First the template's words, then those of the values by attribute, label and synonym.

    Args:
        values: The names of the values of each attribute, in the order of their labels.
        settings: Which attributes are named, and with how many synonyms; None for the defaults.

    Raises:
        InputError: two values have the same word, so that a caption would not tell which.

    >>> vocabulary({"shape": ["star", "heart"], "texture": ["dots"], "color": ["red"]})
    ('', 'a', 'an', 'shape', 'star', 'heart', 'dotted', 'red')
    """
    settings = settings or CaptionSettings()
    words: dict[str, str] = dict.fromkeys(TEMPLATE, "the template of captions")
    for attribute in settings.names:
        for name in values[attribute]:
            for word in dict.fromkeys(_words(attribute, name, settings)):
                if word in words:
                    raise InputError(
                        f"captions: {word!r} is the word of {words[word]} and of {attribute} "
                        f"{name}: give one of them another name"
                    )
                words[word] = f"{attribute} {name}"
    return tuple(words)


def caption_tokens(
    attributes: npt.ArrayLike,
    copies: npt.ArrayLike,
    *,
    seed: int,
    values: Mapping[str, Sequence[str]],
    settings: CaptionSettings | None = None,
) -> Tensor:
    """The captions of images.

    A caption depends only on (seed, names of shape, texture and color, copy number, settings): it
    is the same in any batch and whichever other values the data set has. Its words depend on
    `vocabulary` for their numbers alone.

    Args:
        attributes: int [N, 3], labels of shape, texture and color.
        copies: int [N], copy number of each image, or one number for all.
        seed: Any integer.
        values: The names of the values of each attribute, in the order of their labels.
        settings: What captions name; None for the defaults.

    Returns:
        int64 [N, L].

    Raises:
        InputError: a label is out of range, the arrays do not fit, or see `vocabulary`.

    >>> names = {"shape": ["star", "heart"], "texture": ["dots"], "color": ["red"]}
    >>> caption_tokens([[1, 0, 0]], 0, seed=1, values=names)
    tensor([[1, 6, 7, 5]])
    """
    import torch  # noqa: PLC0415 - slow to load, and the vocabulary needs none

    settings = settings or CaptionSettings()
    table = _labels(attributes, values)
    numbers = np.asarray(copies, dtype=np.int64)
    if numbers.ndim and numbers.shape != (len(table),):
        raise InputError(f"copies must be one number or {len(table)}, not {list(numbers.shape)}")
    told, synonyms = _draw(table, np.broadcast_to(numbers, len(table)), seed, values, settings)
    token = {word: number for number, word in enumerate(vocabulary(values, settings))}
    words = np.full((len(table), len(ORDER)), PADDING)
    words[:, -1] = UNNAMED
    for place, attribute in enumerate(ORDER):
        if attribute in settings.names:
            column = ATTRIBUTES.index(attribute)
            lists = [_words(attribute, name, settings) for name in values[attribute]]
            known = np.array([[token[word] for word in some] for some in lists])
            drawn = known[table[:, column], synonyms[column]]
            words[:, place] = np.where(told[column], drawn, words[:, place])
    return torch.from_numpy(_sentences(words, values, settings))


def caption_text(
    tokens: npt.ArrayLike,
    values: Mapping[str, Sequence[str]],
    settings: CaptionSettings | None = None,
) -> str:
    """The words of one caption [L], without padding.

    >>> names = {"shape": ["star"], "texture": ["dots"], "color": ["red", "orange"]}
    >>> caption_text([2, 7, 3, 0], names)
    'an orange shape'
    """
    words = vocabulary(values, settings)
    return " ".join(words[token] for token in as_array(tokens).tolist() if token != PADDING)


def caption_tokens_of_text(
    text: str,
    values: Mapping[str, Sequence[str]],
    settings: CaptionSettings | None = None,
) -> Tensor:
    """The tokens int64 [L] of a caption's text: the inverse of `caption_text`.

    Raises:
        InputError: a word is not in the vocabulary, or the caption is too long.
    """
    import torch  # noqa: PLC0415 - see `caption_tokens`

    settings = settings or CaptionSettings()
    words = vocabulary(values, settings)
    found = [words.index(check_name("word of a caption", w, words[1:])) for w in text.split()]
    L = caption_length(settings)
    if len(found) > L:
        raise InputError(f"a caption has at most {L} words, not {len(found)}: {text!r}")
    return torch.tensor(found + [PADDING] * (L - len(found)))


def named_values(
    tokens: npt.ArrayLike,
    values: Mapping[str, Sequence[str]],
    settings: CaptionSettings | None = None,
) -> IntArray:
    """What captions [N, L] tell: int64 [N, 3], the label of each attribute or −1 if omitted."""
    settings = settings or CaptionSettings()
    words = vocabulary(values, settings)
    # For each token what it says of each attribute; at most one token of a caption says anything.
    says = np.full((len(words), len(ATTRIBUTES)), -1)
    for column, attribute in enumerate(ATTRIBUTES):
        if attribute in settings.names:
            for label, name in enumerate(values[attribute]):
                for word in _words(attribute, name, settings):
                    says[words.index(word), column] = label
    told: IntArray = says[as_array(tokens)].max(axis=1)
    return told


def _words(attribute: str, name: str, settings: CaptionSettings) -> list[str]:
    """The words of a value, one for each synonym; where it has one word, this word each time."""
    own = (name.lower(),) * settings.synonyms
    return list(SYNONYMS[attribute].get(name, own)[: settings.synonyms])


def _labels(attributes: npt.ArrayLike, values: Mapping[str, Sequence[str]]) -> IntArray:
    table = np.asarray(attributes, dtype=np.int64)
    if table.ndim != 2 or table.shape[1] != len(ATTRIBUTES):
        raise InputError(f"attributes must be [N, {len(ATTRIBUTES)}], not {list(table.shape)}")
    for column, attribute in zip(table.T, ATTRIBUTES, strict=True):
        most = len(values[attribute]) - 1
        if len(column) and not (column.min() >= 0 and column.max() <= most):
            raise InputError(f"{attribute} labels must be from 0 to {most}")
    return table


def _draw(
    table: IntArray,
    copies: IntArray,
    seed: int,
    values: Mapping[str, Sequence[str]],
    settings: CaptionSettings,
) -> tuple[npt.NDArray[np.bool_], IntArray]:
    """Whether each attribute is told, bool [3, N], and which of its synonyms is used, int [3, N].

    All six numbers are drawn whatever the settings name, so that what a caption says of an
    attribute does not depend on whether it also names another.
    """
    names = [word_keys(values[attribute])[table[:, i]] for i, attribute in enumerate(ATTRIBUTES)]
    columns = np.stack([*names, copies.astype(np.uint64)])
    numbers = uniforms(stream_keys(columns, int(seed) ^ STREAM), 2 * len(ATTRIBUTES))
    omit, choose = np.split(numbers, 2)
    return omit >= settings.omission, (choose * settings.synonyms).astype(np.int64)


def _sentences(
    words: IntArray, values: Mapping[str, Sequence[str]], settings: CaptionSettings
) -> IntArray:
    """Captions [N, L] of words [N, 3], of which some are padding: these move to the end."""
    order = np.argsort(words == PADDING, axis=1, kind="stable")
    words = np.take_along_axis(words, order, axis=1)[:, : caption_length(settings) - 1]
    vowel = np.array([word[:1] in tuple("aeiou") for word in vocabulary(values, settings)])
    article = np.where(vowel[words[:, 0]], ARTICLE_BEFORE_VOWEL, ARTICLE)
    return np.column_stack([article, words])
