"""R, U and S of a method: linear probes on features that are extracted once.

The probe is fitted on the *probe* pairs (unbiased, training images) and scored on the *test*
pairs (unbiased, test images). Nothing is chosen on the test pairs.

N pairs, M modalities, F features, S pixels along the canvas.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

import torch
from scipy.stats import entropy
from torch import Tensor

from trifeature.comm.methods import Method
from trifeature.comm.training import numerics
from trifeature.errors import check_name
from trifeature.files import finite
from trifeature.pid import Atoms, fano_information
from trifeature.probes.folds import combination_folds
from trifeature.probes.linear import ProbeData, ProbeResult, linear_probe
from trifeature.probes.official import official_probe
from trifeature.samples import Batch, HasSamples, Samples
from trifeature.views import Views

Probing = Literal["fixed", "paper"]
PROBINGS: Final[tuple[Probing, ...]] = get_args(Probing)

_ATOM: Final = {"share": "redundancy"}
FOLDS: Final = 3
COSTS: Final = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
"""Candidates for the probe's cost, in scikit-learn's convention (a sum over the samples)."""
FOLD_SEED: Final = 0
VIEW_SEED: Final = 48
BATCH: Final = 512


@dataclass(frozen=True)
class Interactions:
    """How much of each task a linear probe reads from a method's features.

    Attributes:
        tasks: The result of each task, from all modalities together.
        alone: The same from each modality alone, by `image1`, `image2`, …; empty if not asked.
        pairs: Test pairs scored on.
        truth: The exact atoms of each task on these test pairs, where there are two modalities.
    """

    tasks: Mapping[str, ProbeResult]
    alone: Mapping[str, Mapping[str, ProbeResult]]
    pairs: int
    truth: Mapping[str, Atoms] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """The numbers as a flat row: accuracies in [0, 1], cross-entropies in bits.

        R, U1, …, U (their mean) and S are macro accuracies; `S_auc` is the area under the ROC
        curve and `S_balanced` the accuracy of the class-balanced probe. `bits` holds the held-out
        cross-entropy of each task, `confusion` its counts on the test pairs, `information` what
        the probe shows to have been learned beside what is there (see `learned_information`; U is
        the mean again), and `image1`, … the accuracies of one modality alone.

        None, null in a file, stands for a number that is infinite or undefined: in `bits` plus
        infinity and in `information` minus infinity, where a probe rules out a label that occurs;
        in `S_auc` none, where the test pairs hold one class; in `S_balanced` a probe not fitted.
        """
        row: dict[str, Any] = accuracies(self.tasks)
        synergy = self.tasks["synergy"]
        row["S_auc"] = synergy.roc_auc
        row["S_balanced"] = synergy.balanced.macro_accuracy if synergy.balanced else None
        row["bits"] = {letter(task): result.cross_entropy for task, result in self.tasks.items()}
        row["costs"] = {letter(task): result.cost for task, result in self.tasks.items()}
        # Test pairs counted by true (rows) and predicted class: all that bounds in bits need.
        row["confusion"] = {letter(t): r.confusion.tolist() for t, r in self.tasks.items()}
        row["information"] = _informations(self.tasks, self.truth)
        row["test_pairs"] = self.pairs
        row |= {name: accuracies(tasks) for name, tasks in self.alone.items()}
        return {name: finite(value) for name, value in row.items()}


def letter(task: str) -> str:
    """The short name of a task: R, U1, U2, …, S.

    >>> [letter(task) for task in ("share", "unique2", "synergy")]
    ['R', 'U2', 'S']
    """
    return {"share": "R", "synergy": "S"}.get(task, task.replace("unique", "U"))


def accuracies(tasks: Mapping[str, ProbeResult]) -> dict[str, float]:
    """Macro accuracies in [0, 1] by short name: R, U1, …, S, and U, the mean of the unique ones."""
    named = {letter(task): result.macro_accuracy for task, result in tasks.items()}
    unique = [value for name, value in named.items() if name.startswith("U")]
    return named | {"U": sum(unique) / len(unique)}


def learned_information(result: ProbeResult, task: str, truth: Atoms | None) -> dict[str, float]:
    """What a probe shows the features to tell about a label, and what there is to tell, in bits.

    All of it is about the same test pairs with their labels as frequent as they are: the label of
    the match is not balanced, and an accuracy that pretends it is would bound another quantity.

    - `entropy`: H(label). A task's own attributes decide its label, so this is also the total of
      its atoms and the ceiling of both estimates.
    - `fano`: lower bound by Fano's inequality from the share of pairs classified rightly.
    - `cross_entropy`: H(label) less the probe's held-out cross-entropy, the lower bound of Barber
      & Agakov (2003). Negative where the probe is overconfident, as costs chosen by macro accuracy
      may leave it; minus infinity where it rules out a label that occurs.
    - `truth`: the atom that the task is there to show; absent if `truth` is. What the total holds
      beyond it is the work of sampling.

    Args:
        result: Of the unweighted probe.
        task: `share`, `unique1`, … or `synergy`.
        truth: The task's atoms on the pairs that the probe was scored on, if known.
    """
    pairs = result.confusion.sum()
    labels = result.confusion.sum(axis=1) / pairs
    bits = float(entropy(labels, base=2))
    return {
        **({} if truth is None else {"truth": truth.value(_ATOM.get(task, task))}),
        "entropy": bits,
        "fano": fano_information(float(result.confusion.trace() / pairs), labels),
        "cross_entropy": bits - result.cross_entropy,
    }


def _informations(
    tasks: Mapping[str, ProbeResult], truth: Mapping[str, Atoms]
) -> dict[str, dict[str, float]]:
    """`learned_information` of R, U1, …, S, and of U, the mean of the unique ones."""
    named = {
        letter(task): learned_information(result, task, truth.get(task))
        for task, result in tasks.items()
    }
    unique = [part for name, part in named.items() if name.startswith("U")]
    mean = {key: sum(part[key] for part in unique) / len(unique) for key in unique[0]}
    return named | {"U": mean}


@torch.inference_mode()
def extract(
    method: Method,
    samples: Samples,
    name: str,
    subsets: Sequence[Sequence[int]],
    probing: Probing = "fixed",
) -> list[Tensor]:
    """The features of every sample of a set, for each subset of the modalities.

    Args:
        method: In evaluation mode.
        samples: On the method's device.
        name: Of the set.
        subsets: Lists of modalities.
        probing: `fixed` looks at the clean items, `paper` at one random light view of each.

    Returns:
        float32 [P, F] for each subset.
    """
    with numerics("float32", samples.device):
        codes_of = _codes_of_clean if probing == "fixed" else _codes_of_light_views
        parts = [method.combine(codes, subsets) for codes in codes_of(method, samples, name)]
    return [torch.cat(features).float() for features in zip(*parts, strict=True)]


def _codes_of_clean(method: Method, samples: Samples, name: str) -> Iterator[list[Tensor]]:
    """The codes of consecutive samples' clean items.

    Every item is encoded once for each modality that shows it, not once for each of its samples:
    ten thousand pairs of the paper's preset are made of 2,400 images.
    """
    generator = torch.Generator(samples.device)  # clean items use none of its randomness
    rows, tables = samples.rows_of(name), samples.items[samples.sets[name].table]
    shown = [column.unique() for column in rows.unbind(1)]
    codes = []
    for m, (own, items) in enumerate(zip(shown, tables, strict=True)):
        clean = samples.modalities[m].defaults.clean
        parts = [
            method.encode(_view(clean, items[part], generator), m) for part in own.split(BATCH)
        ]
        codes.append(torch.cat(parts))
    for part in rows.split(BATCH):
        yield [
            code[torch.searchsorted(own, column.contiguous())]
            for code, own, column in zip(codes, shown, part.unbind(1), strict=True)
        ]


def _codes_of_light_views(method: Method, samples: Samples, name: str) -> Iterator[list[Tensor]]:
    """The codes of consecutive samples, a fresh light view of each item each time."""
    generator = torch.Generator(samples.device)
    generator.manual_seed(VIEW_SEED)
    for rows in samples.rows_of(name).split(BATCH):
        batch = samples.batch(name, rows)
        yield [method.encode(x, m) for m, x in enumerate(_light_views(samples, batch, generator))]


def _light_views(samples: Samples, batch: Batch, generator: torch.Generator) -> Iterable[Tensor]:
    """Light views of a batch, drawn sample by sample where all modalities are alike."""
    kinds = {(m.kind, m.shape) for m in samples.modalities}
    light = [m.defaults.light for m in samples.modalities]
    if len(kinds) > 1:
        return [_view(views, x, generator) for views, x in zip(light, batch, strict=True)]
    together = torch.stack(batch, dim=1)
    made = _view(light[0], together.flatten(0, 1), generator)
    return list(made.view(*together.shape[:2], *made.shape[1:]).unbind(1))


def _view(views: Views, items: Tensor, generator: torch.Generator) -> Tensor:
    """One view of each item."""
    parameters = views.draw(len(items), tuple(items.shape[1:]), generator, items.device)
    return views.apply(items, parameters)


def probe(
    method: Method, data: HasSamples, *, probing: Probing = "fixed", alone: bool = False
) -> Interactions:
    """Measure R, U and S of a method.

    Args:
        method: Trained or not.
        data: Whose sets `probe` and `test` are used.
        probing: `fixed` is our protocol: clean items, standardized features, the cost chosen by
            cross-validation whose folds keep out groups. `paper` is the authors': random light
            views of probe and test items and the probe of their code.
        alone: Also probe each modality without the others.

    Raises:
        InputError: unknown probing, or features that are not finite.
    """
    check_name("probing", probing, PROBINGS)
    method.eval()
    samples = data.samples().to(next(method.parameters()).device)
    M = len(samples.modalities)
    subsets = [list(range(M)), *([[m] for m in range(M)] if alone else [])]
    train = extract(method, samples, "probe", subsets, probing)
    test = extract(method, samples, "test", subsets, probing)
    results = [
        _fit_and_score(fitted, scored, samples, probing)
        for fitted, scored in zip(train, test, strict=True)
    ]
    names = [m.name for m in samples.modalities]
    return Interactions(
        tasks=results[0],
        alone=dict(zip(names, results[1:], strict=False)),
        pairs=len(samples.sets["test"]),
        truth=samples.truth(),
    )


def _fit_and_score(
    fitted: Tensor, scored: Tensor, samples: Samples, probing: Probing
) -> dict[str, ProbeResult]:
    train = ProbeData(fitted, samples.sets["probe"].labels)
    test = ProbeData(scored, samples.sets["test"].labels)
    if probing == "paper":
        return official_probe(train, test)
    groups = samples.sets["probe"].groups.reshape(len(fitted), -1)
    folds = combination_folds(groups, folds=FOLDS, seed=FOLD_SEED)
    return linear_probe(train, test, folds, costs=COSTS)
