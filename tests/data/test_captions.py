"""Captions against counts, and as text."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest

from trifeature.data.attributes import ATTRIBUTES, VALUES
from trifeature.data.captions import (
    SYNONYMS,
    TEMPLATE,
    caption_length,
    caption_text,
    caption_tokens,
    caption_tokens_of_text,
    erasure,
    named_values,
    vocabulary,
)
from trifeature.data.settings import CaptionSettings
from trifeature.errors import InputError

ALL = np.array(list(itertools.product(range(10), repeat=3)))
MANY = np.tile(ALL, (20, 1))
COPIES = np.repeat(np.arange(20), len(ALL))
"""20,000 images: 20 copies of each combination of attributes."""

OWN = {"shape": ("star", "Heart"), "texture": ("dots", "brick"), "color": ("red", "orange", "teal")}


def captions(settings: CaptionSettings, seed: int = 0) -> np.ndarray:
    return caption_tokens(MANY, COPIES, seed=seed, values=VALUES, settings=settings).numpy()


def entropy(*columns: np.ndarray) -> float:
    """Bits, from counts."""
    counts = np.unique(np.column_stack(columns), axis=0, return_counts=True)[1]
    p = counts / counts.sum()
    return float(-(p * np.log2(p)).sum())


def sigmas(count: int, n: int, p: float) -> float:
    """How many standard deviations a count of n is from what probability p expects."""
    return abs(count - n * p) / math.sqrt(n * p * (1 - p))


def test_every_value_has_three_words_of_its_own() -> None:
    assert {a: tuple(words) for a, words in SYNONYMS.items()} == VALUES
    words = [word for one in SYNONYMS.values() for three in one.values() for word in three]
    assert len(words) == 90
    assert len(set(words) | set(TEMPLATE)) == 90 + len(TEMPLATE)
    assert all(re.fullmatch("[a-z]+", word) for word in words)


def test_a_caption_reads_as_a_phrase() -> None:
    text = [
        caption_text(one, VALUES)
        for one in caption_tokens([[7, 1, 0], [3, 4, 8]], 0, seed=0, values=VALUES)
    ]
    assert text == ["a striped red star", "a dotted orange circle"]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ("shape", "a star"),
        ("color", "an orange shape"),
        ("texture", "a dotted shape"),
        ("shape,color", "an orange star"),
        ("texture,color", "a dotted orange shape"),
    ],
)
def test_a_caption_names_what_the_settings_name(names: str, text: str) -> None:
    settings = CaptionSettings(caption_names=names)
    tokens = caption_tokens([[7, 4, 8]], 0, seed=0, values=VALUES, settings=settings)
    assert tokens.shape == (1, caption_length(settings)) == (1, len(text.split()))
    assert caption_text(tokens[0], VALUES, settings) == text


def test_own_values_are_called_by_their_name_however_many_synonyms() -> None:
    settings = CaptionSettings(synonyms=3)
    tokens = caption_tokens([[1, 1, 2]] * 50, range(50), seed=0, values=OWN, settings=settings)
    assert {caption_text(one, OWN, settings) for one in tokens} == {"a brick teal heart"}
    assert vocabulary(OWN, settings)[len(TEMPLATE) :] == (
        *("star", "pentagram", "asterisk", "heart", "dotted", "spotted", "polka", "brick"),
        *("red", "crimson", "scarlet", "orange", "amber", "tangerine", "teal"),
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"shape": ("rhombus", "diamond")}, "'diamond' is the word of shape rhombus and of shape"),
        ({"color": ("red", "shape")}, "'shape' is the word of the template of captions and of"),
        ({"texture": ("dots", "star")}, "'star' is the word of shape star and of texture star"),
        ({"color": ("red", "RED")}, "'red' is the word of color red and of color RED"),
    ],
)
def test_a_word_that_two_values_would_share_is_refused(
    values: dict[str, tuple[str, ...]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        vocabulary({**OWN, **values}, CaptionSettings(synonyms=2))


def test_a_caption_does_not_depend_on_its_batch_or_on_the_other_values() -> None:
    settings = CaptionSettings(synonyms=3, omission=0.3)
    whole = captions(settings)
    some = np.random.default_rng(0).permutation(len(MANY))[:500]
    part = caption_tokens(MANY[some], COPIES[some], seed=0, values=VALUES, settings=settings)
    assert (part.numpy() == whole[some]).all()
    alone = caption_tokens(
        MANY[some[:1]], COPIES[some[0]], seed=0, values=VALUES, settings=settings
    )
    assert (alone[0].numpy() == whole[some[0]]).all()

    few = {"shape": ("star", "circle"), "texture": ("rain", "solid"), "color": ("white", "red")}
    places = np.array([[list(VALUES[a]).index(n) for n in few[a]] for a in ATTRIBUTES]).T
    for label in (0, 1):
        for copy in range(20):
            both = [
                caption_text(
                    caption_tokens(row[None], copy, seed=5, values=known, settings=settings)[0],
                    known,
                    settings,
                )
                for row, known in ((places[label], VALUES), (np.full(3, label), few))
            ]
            assert both[0] == both[1]


def test_seed_and_copy_draw_anew_and_the_renderer_draws_something_else() -> None:
    settings = CaptionSettings(synonyms=3, omission=0.5)
    told = [named_values(captions(settings, seed), VALUES, settings) >= 0 for seed in (0, 1)]
    same = int((told[0] == told[1]).sum())
    assert sigmas(same, told[0].size, 0.5) < 5
    first, second = told[0][: len(ALL)], told[0][len(ALL) : 2 * len(ALL)]
    assert sigmas(int((first == second).sum()), first.size, 0.5) < 5


@pytest.mark.parametrize("omission", [0.0, 0.25, 0.6])
def test_omissions_and_synonyms_are_as_frequent_as_they_should_be(omission: float) -> None:
    settings = CaptionSettings(synonyms=3, omission=omission)
    tokens = captions(settings)
    labels = named_values(tokens, VALUES, settings)
    n = len(MANY)
    assert ((labels == MANY) | (labels == -1)).all()
    for column, attribute in enumerate(ATTRIBUTES):
        omitted = labels[:, column] == -1
        assert erasure(settings, attribute) == omission
        assert omitted.sum() == 0 if omission == 0 else sigmas(omitted.sum(), n, omission) < 5
    words = np.array(vocabulary(VALUES, settings))
    for attribute in ATTRIBUTES:
        for synonyms in SYNONYMS[attribute].values():
            counts = [int((words[tokens] == word).sum()) for word in synonyms]
            assert all(sigmas(count, sum(counts), 1 / 3) < 5 for count in counts)
    if omission:  # independently of each other
        all_omitted = int((labels == -1).all(axis=1).sum())
        assert sigmas(all_omitted, n, omission**3) < 5


@pytest.mark.parametrize("omission", [0.0, 0.4])
def test_captions_tell_what_an_erasure_channel_tells(omission: float) -> None:
    """I(value; caption's word) = (1 − o) · log2 K; the counts' own bias is K / 2n bits."""
    settings = CaptionSettings(caption_names="shape,color", synonyms=2, omission=omission)
    tokens = captions(settings)
    labels = named_values(tokens, VALUES, settings)
    for column, attribute in enumerate(ATTRIBUTES):
        bits = (
            entropy(MANY[:, column])
            + entropy(labels[:, column])
            - entropy(MANY[:, column], labels[:, column])
        )
        expected = (1 - erasure(settings, attribute)) * math.log2(10)
        # The deviation of the omitted fraction, times log2 K.
        error = 5 * math.sqrt(omission * (1 - omission) / len(MANY)) * math.log2(10) + 1e-3
        assert bits == pytest.approx(expected, abs=error)
    assert (labels[:, 1] == -1).all()


@pytest.mark.parametrize("names", ["shape,texture,color", "color", "shape,texture"])
def test_the_text_tells_the_tokens(names: str) -> None:
    settings = CaptionSettings(caption_names=names, synonyms=3, omission=0.4)
    for one in captions(settings)[:400]:
        text = caption_text(one, VALUES, settings)
        assert (caption_tokens_of_text(text, VALUES, settings).numpy() == one).all()
        assert text.split()[0] == ("an" if text.split()[1][0] in "aeiou" else "a")


def test_text_that_is_no_caption_is_refused() -> None:
    with pytest.raises(InputError, match="unknown word of a caption 'rad': did you mean 'red'"):
        caption_tokens_of_text("a rad star", VALUES)
    with pytest.raises(InputError, match="a caption has at most 4 words, not 5"):
        caption_tokens_of_text("a dotted red red star", VALUES)


def test_labels_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="shape labels must be from 0 to 1"):
        caption_tokens([[2, 0, 0]], 0, seed=0, values=OWN)
    with pytest.raises(InputError, match=r"attributes must be \[N, 3\], not \[3\]"):
        caption_tokens([0, 0, 0], 0, seed=0, values=OWN)
    with pytest.raises(InputError, match="copies must be one number or 2, not"):
        caption_tokens([[0, 0, 0]] * 2, [0, 1, 2], seed=0, values=OWN)
