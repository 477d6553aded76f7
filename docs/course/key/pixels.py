"""The key to notebook 2 · Trifeature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from trifeature.data.rule import PairRule

from . import Entry, Slip


def _same_image(image1: Any, _: Any, partners: Sequence[int]) -> bool:
    return bool(partners[image1[1]] == image1[2])


def _texture_of_two(image1: Any, image2: Any, partners: Sequence[int]) -> bool:
    return bool(partners[image2[1]] == image1[2])


def _without_map(image1: Any, image2: Any, _: Sequence[int]) -> bool:
    return bool(image1[1] == image2[2])


def _counted_from_one(image1: Any, image2: Any, partners: Sequence[int]) -> bool:
    return bool(partners[image1[0]] == image2[1])


KEY: Final = {
    "exercise_2_1": Entry(
        minutes=7,
        why=(
            "What both images have in common is `shared`; what each has of its own is `unique`; "
            "the two names of `synergy` are the ends of the map, in image 1 and in image 2. The "
            "synergy must not use the shared attribute, since one image would then tell both ends."
        ),
        slips=(
            Slip(
                "exchanges the ends of the map",
                PairRule("color", "shape", ("texture", "shape")),
                "the first name of `synergy` belongs to image 1",
                "Read it as an arrow, from image 1 to image 2.",
            ),
            Slip(
                "asks each image for its texture, as the notebook does",
                PairRule("color", "texture", ("shape", "texture")),
                "what each image has of its own in the new game",
                "The map uses the texture of image 2; what is asked of either image is the shape.",
            ),
            Slip(
                "leaves everything at its default",
                PairRule(),
                "a setting that you leave out keeps its default",
                "Say all three by name.",
            ),
            Slip(
                "shares the shape",
                PairRule("shape", "color", ("texture", "color")),
                "either one tells it",
                "Which attribute is the same in both images of the new game?",
            ),
            Slip(
                "ties texture to texture",
                PairRule("color", "shape", ("texture", "texture")),
                "the first name of `synergy` belongs to image 1",
                "Where does the map begin, and in which image does it end?",
            ),
        ),
    ),
    "exercise_2_2": Entry(
        minutes=5,
        why=(
            "A yes-or-no label holds most when yes and no are equally likely. The cost is in the "
            "same picture: at ½ a part of texture 1 has become redundant, since color 2 now tells "
            "something of it. The balanced label is not free."
        ),
        slips=(
            Slip(
                "takes match rate 1, the most synergy for training",
                1.0,
                "when is a coin hardest to guess",
                "At rate 1 the label is always yes. How much does a constant tell?",
            ),
            Slip(
                "takes chance, one fifth",
                0.2,
                "when is a coin hardest to guess",
                "Better than 1, but a no is still four times as likely as a yes.",
            ),
            Slip(
                "answers in percent",
                50,
                "between 0 and 1",
                "A rate is a share of one.",
            ),
        ),
    ),
    "exercise_2_3": Entry(
        minutes=7,
        why=(
            "Texture is column 1 of a row and color column 2. The partner of image 1's texture is "
            "looked up and compared with image 2's color: one number of each image, so neither "
            "image alone can answer."
        ),
        slips=(
            Slip(
                "compares texture and color of image 1",
                _same_image,
                "one image alone would tell it",
                "Then there would be no synergy. Cover image 2: can you still answer?",
            ),
            Slip(
                "compares without the map",
                _without_map,
                "without the map",
                "Texture 3 and color 3 have nothing in common until `partners` says so.",
            ),
            Slip(
                "starts from image 2",
                _texture_of_two,
                "texture of image 2",
                "The arrow goes from image 1 to image 2.",
            ),
            Slip(
                "counts columns from 1",
                _counted_from_one,
                "counting starts at 0",
                "Python's element 1 is the second one.",
            ),
        ),
    ),
    "exercise_2_4": Entry(
        minutes=6,
        why=(
            "One pair in ten matches, so nine 'no' in ten are right: 90 %. All of the pairs that "
            "do not match are right (100 %) and none of those that do (0 %): the mean of the two "
            "answers is 50 %. A model that knows nothing scores 90 % or 50 %, by the reading alone."
        ),
        slips=(
            Slip(
                "reads both as chance",
                (0.5, 0.5),
                "one of ten colors is the partner",
                "A coin would be right every other time; this model is no coin.",
            ),
            Slip(
                "takes the plain accuracy for the macro one",
                (0.9, 0.9),
                "every 'yes' pair is wrong",
                "Write down two shares, one for the pairs that match, one for the others.",
            ),
            Slip(
                "keeps the notebook's five values",
                (0.8, 0.5),
                "one of ten colors is the partner",
                "The exercise has ten values: how many colors are the partner?",
            ),
        ),
    ),
}
