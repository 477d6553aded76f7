"""The checks of the course's exercises: an answer in, a verdict in words out.

A check never raises: what goes wrong in an answer becomes the sentence that says so. The tested
solutions stand in `solutions.py`.

N values of X1, M values of X2, K values of Y; n samples, B samples in a batch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from trifeature.comm.losses import comm_terms, info_nce
from trifeature.data.dataset import plan_images, plan_pairs, preset
from trifeature.data.rule import PairRule
from trifeature.errors import InputError
from trifeature.pid import Atoms, PairedFeatures, broja, example, gallery_table, samples_needed
from trifeature.pid.tables import Array, as_table, entropy


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        right: Whether the answer passes.
        sentence: What is right, or what is wrong and where to look.
    """

    right: bool
    sentence: str

    def __repr__(self) -> str:
        return f"{'✓ Right' if self.right else '✗ Not yet'}: {self.sentence}"


class Wrong(Exception):  # noqa: N818 - it is no error of the program
    """An answer that does not pass; the message is the verdict's sentence."""


CHECKS: Final[dict[str, Callable[[Any], Verdict]]] = {}
"""Every check by its name, `exercise_1_1` and so on."""


def check(function: Callable[[Any], str]) -> Callable[[Any], Verdict]:
    """Make a check of a function that returns praise or raises `Wrong`."""

    @functools.wraps(function)
    def checked(answer: Any) -> Verdict:
        if answer is ... or answer is None:
            return Verdict(False, "nothing here yet, put your answer in the place of the dots.")
        try:
            return Verdict(True, function(answer))
        except Wrong as problem:
            return Verdict(False, str(problem))
        except Exception as problem:  # noqa: BLE001 - a student's code may raise anything
            kind = type(problem).__name__
            return Verdict(False, f"your answer stopped with {kind}: {problem}")

    CHECKS[function.__name__] = checked
    return checked


def _table(answer: Any) -> tuple[Array, Atoms]:
    """An answer as a joint table and its atoms."""
    try:
        table = as_table(answer)
    except InputError as problem:
        raise Wrong(f"this is no joint table p[x1, x2, y]: {problem}.") from None
    return table, broja(table)


def _said(atoms: Atoms) -> str:
    R, U1, U2, S = atoms.values
    return f"R {R:.3f}, U1 {U1:.3f}, U2 {U2:.3f}, S {S:.3f} bits about Y"


def _number(answer: Any, what: str) -> float:
    try:
        return float(answer)
    except (TypeError, ValueError):
        raise Wrong(f"{what} is one number, and this is {answer!r}.") from None


def _returned(value: Any) -> Any:
    if value is None or value is ...:
        raise Wrong("your function returns nothing yet: end it with a `return` line.")
    return value


# --------------------------------------------------------------------------- 1: bits


@check
def exercise_1_1(answer: Any) -> str:
    """A table with one bit of redundancy, one of synergy and nothing unique."""
    _, atoms = _table(answer)
    R, U1, U2, S = atoms.values
    if max(U1, U2) > 0.01:
        raise Wrong(
            f"one source knows something alone that the other does not ({_said(atoms)}); "
            "the shared bit must be visible to both."
        )
    if abs(R - 1) > 0.01 or abs(S - 1) > 0.01:
        raise Wrong(
            f"your table has {_said(atoms)}; wanted are R = 1 and S = 1. They can be different "
            "bits: give each source two, and let Y have four values."
        )
    return f"{_said(atoms)}, and a co-information of {atoms.co_information:.3f} that hides both."


@check
def exercise_1_2(answer: Any) -> str:
    """Independent sources that are redundant about Y."""
    table, atoms = _table(answer)
    x1x2 = table.sum(2)
    separate = entropy(x1x2.sum(1)) + entropy(x1x2.sum(0))
    shared = float(separate - entropy(x1x2, 2))
    if shared > 1e-6:
        raise Wrong(
            f"your sources share {shared:.3f} bits with one another; wanted are independent ones, "
            "p(x1, x2) = p(x1) p(x2). Which gate has an output that either input can settle?"
        )
    if atoms.redundancy < 0.2:
        raise Wrong(
            f"the sources are independent, but your table has {_said(atoms)}; wanted is an R of "
            "at least 0.2. Which gate has an output that either input can settle?"
        )
    return f"I(X1; X2) = 0, and {_said(atoms)}: redundancy about Y is no correlation of sources."


@check
def exercise_1_3(answer: Any) -> str:
    """`ablation_cost(atoms, source)`: the information lost without a source."""
    for name in ("XOR", "UNQ1", "UNQ2", "RDN", "PROB2"):
        atoms = broja(gallery_table(name))
        for source, kept in ((1, atoms.information2), (2, atoms.information1)):
            found = _number(_returned(answer(atoms, source)), "the cost")
            wanted = atoms.total - kept
            if abs(found - wanted) < 1e-6:
                continue
            unique = (atoms.unique1, atoms.unique2)[source - 1]
            if abs(found - unique) < 1e-6:
                raise Wrong(
                    f"on {name} you return U{source} = {found:.3f}, but without source {source} "
                    f"{wanted:.3f} bits are gone: what only both together tell goes too."
                )
            raise Wrong(
                f"on {name}, leaving out source {source} costs I(X1, X2; Y) less what the other "
                f"source tells alone, {wanted:.3f} bits; you return {found:.3f}."
            )
    return "an ablation costs U + S: it cannot tell a unique source from half of a synergy."


@check
def exercise_1_4(answer: Any) -> str:
    """The flip rate that leaves half a bit of XOR's synergy."""
    rate = _number(answer, "a rate")
    if not 0 <= rate <= 0.5:
        raise Wrong(f"a flip rate from 0 to 0.5 is wanted, not {rate:g}.")
    S = broja(gallery_table("NOISY-XOR", flip=rate)).synergy
    if abs(S - 0.5) > 0.01:
        hint = "flip more" if S > 0.5 else "flip less: the first flips cost most"
        raise Wrong(f"at {rate:g} the synergy is {S:.3f} bits; {hint}.")
    return f"one label in {1 / rate:.0f} is wrong, and half of the synergy is gone ({S:.3f} bits)."


# --------------------------------------------------------------------------- 2: pixels


@check
def exercise_2_1(answer: Any) -> str:
    """A rule that shares the color and asks for shapes."""
    if not isinstance(answer, PairRule):
        raise Wrong(f"a PairRule is wanted, and this is a {type(answer).__name__}.")
    wanted = {"shared": "color", "unique": "shape", "synergy": ("shape", "texture")}
    for name, value in wanted.items():
        if (found := getattr(answer, name)) != value:
            raise Wrong(f"the rule's `{name}` is {found!r}; what does the exercise ask for?")
    settings = preset("tiny", rule=answer, train_pairs=500)
    tables = plan_images(settings)
    pairs = plan_pairs(settings, tables)["train"]
    colors = tables["train"].attributes[pairs.images, 2]
    share = (colors[:, 0] == colors[:, 1]).mean()
    return f"{share:.0%} of the pairs drawn by your rule share their color."


@check
def exercise_2_2(answer: Any) -> str:
    """The match rate at which the match label carries most."""
    rate = _number(answer, "a rate")
    if not 0 <= rate <= 1:
        raise Wrong(f"a match rate lies between 0 and 1, not at {rate:g}.")
    S = example("MATCH-LABEL").atoms(values=5, rate=rate)[3]
    if abs(rate - 0.5) > 0.01:
        raise Wrong(
            f"at {rate:g} the label carries {S:.3f} bits. It is a coin of which {rate:.0%} of the "
            "throws say yes: when is a coin hardest to guess?"
        )
    R = example("MATCH-UNIQUE").atoms(values=5, rate=rate)[0]
    return (
        f"{S:.3f} bits of synergy, and {R:.3f} bits of texture 1 have become redundant: the "
        "balanced label is not free."
    )


@check
def exercise_2_3(answer: Any) -> str:
    """`keeps_the_map(image1, image2, partners)` for two rows of attributes."""
    settings = preset("tiny", seed=5, train_pairs=300)
    tables = plan_images(settings)
    pairs = plan_pairs(settings, tables)["train"]
    shown = tables["train"].attributes[pairs.images]
    wanted = pairs.labels["synergy"]
    found = np.array([int(_returned(answer(a, b, settings.partners))) for a, b in shown])
    partners = np.asarray(settings.partners)
    mistakes = {
        "compares texture and color of the same image": partners[shown[:, 0, 1]] == shown[:, 0, 2],
        "starts from the texture of image 2": partners[shown[:, 1, 1]] == shown[:, 0, 2],
        "compares texture 1 and color 2 without the map": shown[:, 0, 1] == shown[:, 1, 2],
    }
    for mistake, labels in mistakes.items():
        if (found == labels).all() and (found != wanted).any():
            raise Wrong(f"your function {mistake}.")
    if (found != wanted).any():
        raise Wrong(
            f"{(found != wanted).sum()} of {len(wanted)} pairs get the wrong label. A row is "
            "(shape, texture, color); the partner of texture 1 is partners[texture 1]."
        )
    return f"all {len(wanted)} labels agree with the data set's own."


@check
def exercise_2_4(answer: Any) -> str:
    """Plain and macro accuracy of always saying no, with ten values."""
    try:
        plain, macro = (float(x) for x in answer)
    except (TypeError, ValueError):
        raise Wrong("two numbers are wanted: (plain accuracy, macro accuracy).") from None
    if abs(plain - 0.9) > 0.005:
        raise Wrong(
            f"the plain accuracy is the share of pairs that do not match, and not {plain:g}: one "
            "of ten colors is the partner."
        )
    if abs(macro - 0.5) > 0.005:
        raise Wrong(
            f"the macro accuracy is the mean over the two classes, and not {macro:g}: every 'no' "
            "pair is right and every 'yes' pair is wrong."
        )
    return "nine in ten right, and nothing known: that is why the course reads macro accuracy."


# --------------------------------------------------------------------------- 3: alignment


EIGHT: Final = {f"{name} {image}" for name in ("shape", "texture", "color") for image in (1, 2)}


@check
def exercise_3_1(answer: Any) -> str:
    """What alignment is paid for, on unbiased and on biased pairs."""
    wanted = {
        "unbiased": {"shape 1", "shape 2"},
        "biased": {"shape 1", "shape 2", "texture 1", "color 2"},
    }
    if not isinstance(answer, Mapping) or set(answer) != set(wanted):
        raise Wrong("a dictionary with the keys 'unbiased' and 'biased' is wanted.")
    for kind, right in wanted.items():
        if answer[kind] is ...:
            raise Wrong(f"the set of {kind!r} is still to be written.")
        found = {answer[kind]} if isinstance(answer[kind], str) else set(answer[kind])
        if unknown := found - EIGHT:
            raise Wrong(
                f"{sorted(map(str, unknown))[0]!r} is no attribute: say 'shape 1', say 'color 2'."
            )
        if extra := found - right:
            raise Wrong(
                f"on {kind} pairs nothing in the other image tells {' or '.join(sorted(extra))}: "
                "look at its row and column of the picture."
            )
        if lacking := right - found:
            raise Wrong(
                f"on {kind} pairs {' and '.join(sorted(lacking))} can be told from the other "
                "image: look for bright squares."
            )
    return "alignment is paid for what either image tells of the other, and for nothing else."


@check
def exercise_3_2(answer: Any) -> str:
    """`clip_loss(a, b, temperature)` against the package's InfoNCE."""
    for tau in (0.2, 0.5):
        praise = _clip_loss_at(answer, tau)
    return praise


def _clip_loss_at(answer: Callable[..., Any], tau: float) -> str:
    """The check of 3.2 at one temperature."""
    rng = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 6, 4, generator=rng)
    found = _number(_returned(answer(a, b, tau)), "the loss")
    wanted = float(info_nce(a, b, tau, "cross"))

    def one_way(x: Tensor, y: Tensor) -> float:
        return float(torch.nn.functional.cross_entropy(x @ y.T / tau, torch.arange(len(x))))

    unit_a, unit_b = (torch.nn.functional.normalize(x, dim=1) for x in (a, b))
    mistakes = {
        "the rows are not yet of length one": (one_way(a, b) + one_way(b, a)) / 2,
        "it looks from a to b only; b must find its a too": one_way(unit_a, unit_b),
        "it looks from b to a only; a must find its b too": one_way(unit_b, unit_a),
        "the two directions are to be averaged, not added": 2 * wanted,
        "the temperature is missing": float(info_nce(a, b, 1.0, "cross")),
        "the temperature is always 0.2": float(info_nce(a, b, 0.2, "cross")),
    }
    if abs(found - wanted) < 1e-4:
        return f"your loss and the package's are {found:.4f} nats."
    for mistake, value in mistakes.items():
        if abs(found - value) < 1e-4:
            raise Wrong(f"{mistake}.")
    raise Wrong(f"your loss is {found:.4f} nats where the package's is {wanted:.4f}.")


def _made_up_rows() -> list[dict[str, Any]]:
    """Rows of two methods, two seeds and two epochs, made up to be read by a function."""
    values = {("cross", True): 0.51, ("cross", False): 0.50, ("comm", True): 0.66}
    values[("comm", False)] = 0.54
    return [
        {"method": m, "biased": b, "seed": seed, "epoch": e, "epochs": 4}
        | {"S": S + 0.01 * seed if e else 0.5}
        for (m, b), S in values.items()
        for seed in (0, 1)
        for e in (0, 4)
    ]


@check
def exercise_3_3(answer: Any) -> str:
    """`gain(rows, method)`: S after biased training less its control, last epochs only."""
    rows = _made_up_rows()
    for method, wanted in (("comm", 0.12), ("cross", 0.01)):
        found = _number(_returned(answer(rows, method)), "the gain")
        if abs(found - wanted) < 1e-9:
            continue
        if abs(found - wanted / 2) < 1e-9:
            raise Wrong("the untrained network is among your rows: keep epoch == epochs only.")
        if method == "comm" and abs(found - 0.165) < 1e-9:
            raise Wrong("you compare with 50 %; compare with the same method on unbiased pairs.")
        raise Wrong(
            f"for {method} the made-up rows give {wanted:.3f}, you return {found:.3f}: mean S of "
            "the biased rows less mean S of the unbiased ones, at the last epoch."
        )
    return "what the biased pairs taught is the distance to the control, not to 50 %."


@check
def exercise_3_4(answer: Any) -> str:
    """`interaction(codes)`: what rows and columns leave of codes [N, M, D]."""
    rng = torch.Generator().manual_seed(2)
    row, column = torch.randn(4, 1, 6, generator=rng), torch.randn(1, 3, 6, generator=rng)
    beside = torch.cat([row.expand(4, 3, 6), column.expand(4, 3, 6)], dim=2)
    fused = torch.randn(4, 3, 6, generator=rng)
    for codes in (fused, beside):
        found = torch.as_tensor(_returned(answer(codes.clone())))
        if found.shape != codes.shape:
            raise Wrong(f"codes {list(codes.shape)} came back as {list(found.shape)}.")
        rows, columns, all_ = (codes.mean(d, keepdim=True) for d in (1, 0, (0, 1)))
        if torch.allclose(found, codes - rows - columns + all_, atol=1e-5):
            continue
        mistakes = {
            "the mean of everything was subtracted twice, with the rows and with the columns: add "
            "it once": codes - rows - columns,
            "only the mean of everything is gone": codes - all_,
            "what the columns add is still in it": codes - rows,
            "what the rows add is still in it": codes - columns,
        }
        for mistake, value in mistakes.items():
            if torch.allclose(found, value, atol=1e-5):
                raise Wrong(f"{mistake}.")
        worst = max(float(found.mean(d).abs().max()) for d in (0, 1))
        raise Wrong(f"along a row or a column your answer has a mean of {worst:.3f}, not of 0.")
    return "zero for every side-by-side code, whatever its halves are: a match needs fusion."


# --------------------------------------------------------------------------- 4: terms


@check
def exercise_4_1(answer: Any) -> str:
    """Which terms reward which bit of ALL4."""
    wanted = {
        "r": {"L", "L_1", "L_2"},
        "u1": {"L", "L_1"},
        "u2": {"L", "L_2"},
        "s1 xor s2": {"L"},
    }
    if not isinstance(answer, Mapping) or set(answer) != set(wanted):
        raise Wrong(f"a dictionary with the keys {', '.join(wanted)} is wanted.")
    for bit, right in wanted.items():
        if answer[bit] is ...:
            raise Wrong(f"the terms of {bit!r} are still to be written.")
        found = set(answer[bit])
        if unknown := found - wanted["r"]:
            raise Wrong(f"there is no term {sorted(unknown)[0]!r}: L, L_1 and L_2 are the three.")
        for term in sorted(found ^ right):
            if term in right:
                raise Wrong(f"{term} rewards {bit} too: its cell in the table above is not 0.")
            source = term[-1]
            raise Wrong(f"{term} sees source {source} alone, and that tells nothing of {bit}.")
    return "only L, which sees both sources twice, has a reason to keep the synergistic bit."


@check
def exercise_4_2(answer: Any) -> str:
    """`comm_loss(views, alone)`: the sum of CoMM's three terms."""
    rng = torch.Generator().manual_seed(1)
    z = torch.randn(6, 8, 5, generator=rng)
    views, alone = (z[0], z[1]), [(z[2], z[3]), (z[4], z[5])]
    found = _number(_returned(answer(views, alone)), "the loss")
    wanted = float(sum(comm_terms(views, alone).values()))
    same = float(info_nce(*views)) + sum(
        float(info_nce(a, views[0]) + info_nce(b, views[1])) / 2 for a, b in alone
    )
    half = float(info_nce(*views)) + sum(float(info_nce(a, views[1])) for a, _ in alone)
    mistakes = {
        "an embedding of one modality must meet the fused one of the *other* view": same,
        "L_i has two halves: z_i' with z'' and z_i'' with z'": half,
        "L itself is missing": wanted - float(info_nce(*views)),
        "the L_i are missing": float(info_nce(*views)),
        "the sum is wanted, this is the mean of the three terms": wanted / 3,
        "each L_i is the mean of its two halves, not their sum": 2 * wanted
        - float(info_nce(*views)),
    }
    if abs(found - wanted) < 1e-4:
        return f"L + L_1 + L_2 = {found:.4f} nats, as the package has it."
    for mistake, value in mistakes.items():
        if abs(found - value) < 1e-4:
            raise Wrong(f"{mistake}.")
    raise Wrong(f"your loss is {found:.4f} nats where the package's terms add up to {wanted:.4f}.")


@check
def exercise_4_3(answer: Any) -> str:
    """`learned(treated, control)`: more than two standard errors above the control."""
    cases = (
        ([0.66, 0.68, 0.67], [0.54, 0.55, 0.53], True, "far above its control"),
        ([0.60, 0.70, 0.65], [0.58, 0.69, 0.63], False, "above 50 %, but so is its control"),
        ([0.70], [0.54], False, "one seed each: there is no spread to judge it by"),
        ([0.70], [0.54, 0.55, 0.53], False, "one seed: there is no spread to judge it by"),
        ([0.53, 0.532, 0.531], [0.52, 0.521, 0.522], True, "12 standard errors above its control"),
        ([0.80, 0.50, 0.65], [0.55, 0.45, 0.50], False, "1.6 standard errors above its control"),
        ([0.75, 0.55, 0.65], [0.55, 0.45, 0.50], True, "2.3 standard errors above its control"),
        ([0.50, 0.51, 0.49], [0.60, 0.61, 0.59], False, "below its control"),
    )
    for treated, control, wanted, why in cases:
        found = _returned(answer(treated, control))
        if bool(found) != wanted:
            raise Wrong(f"{treated} against {control} is {why}, and you say {bool(found)}.")
    return "you no longer believe an S because it is above 50 %."


# --------------------------------------------------------------------------- 5: your data


@check
def exercise_5_1(answer: Any) -> str:
    """`as_pairs(features1, features2, labels)` for labels that are words."""
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    words = np.array(["rain", "dry", "rain", "snow", "dry", "rain"])
    found = _returned(answer(one, other, words))
    if not isinstance(found, PairedFeatures):
        raise Wrong(f"a PairedFeatures is wanted, and this is a {type(found).__name__}.")
    if found.modality1.shape != one.shape or found.modality2.shape != other.shape:
        raise Wrong("the two feature matrices were exchanged or reshaped.")
    classes = found.target.tolist()
    if len(set(zip(classes, words.tolist(), strict=True))) != 3 or len(set(classes)) != 3:
        raise Wrong(f"equal words must get equal numbers, other words others; you have {classes}.")
    if sorted(set(classes)) != [0, 1, 2]:
        raise Wrong(f"classes are numbered from 0 without gaps, you have {sorted(set(classes))}.")
    if found.modality1.dtype != torch.float32 or found.modality2.dtype != torch.float32:
        raise Wrong("the features should be float32: networks do not take float64.")
    return "features as float32, words as class numbers from 0."


@check
def exercise_5_2(answer: Any) -> str:
    """Samples that an 8 x 8 x 3 table wants."""
    n, wanted = _number(answer, "a number of samples"), samples_needed((8, 8, 3))
    if n == wanted:
        return f"{wanted:,} samples for {8 * 8 * 3} cells, {wanted / 192:.0f} for each."
    if n in (192, 1920):
        raise Wrong(
            f"{n:g} is a count of cells; bias counts degrees of freedom. Ask `samples_needed`."
        )
    raise Wrong(f"`samples_needed` of (8, 8, 3) is not {n:g}.")


def mystery(name: str, n: int = 3000) -> tuple[np.ndarray[Any, Any], ...]:
    """Two feature matrices [n, 6] and labels [n] of one of the data sets A, B and C."""
    rng = np.random.default_rng({"A": 11, "B": 12, "C": 13}[name])
    bits = rng.integers(0, 2, size=(n, 4))
    noise = rng.random(n) < 0.03
    rule = {"A": bits[:, 0] ^ bits[:, 1], "B": bits[:, 2], "C": bits[:, 1]}[name]
    seen1, seen2 = bits[:, [0, 2]], bits[:, [1, 2]]
    mixed = []
    for seen in (seen1, seen2):
        other = rng.integers(0, 2, size=(n, 1))
        codes = np.concatenate([seen, other], axis=1)
        mixed.append((2 * codes - 1) @ rng.normal(size=(3, 6)) + 0.15 * rng.normal(size=(n, 6)))
    return mixed[0], mixed[1], rule ^ noise


@check
def exercise_5_3(answer: Any) -> str:
    """The largest atom of each mystery."""
    truth = {"A": "synergy", "B": "redundancy", "C": "unique2"}
    if not isinstance(answer, Mapping) or set(answer) != set(truth):
        raise Wrong("a dictionary with the keys A, B and C is wanted.")
    for name, right in truth.items():
        if answer[name] is ...:
            raise Wrong(f"data set {name} is still to be measured.")
        if answer[name] not in ("redundancy", "unique1", "unique2", "synergy"):
            raise Wrong(f"{answer[name]!r} is no atom: redundancy, unique1, unique2, synergy.")
        if answer[name] != right:
            raise Wrong(f"{answer[name]} is not the largest atom of {name}: measure it once more.")
    total = 1 - 0.03 * -math.log2(0.03) - 0.97 * -math.log2(0.97)
    return f"all three; each has {total:.2f} bits of one kind, the rest of its label is noise."
