"""I_NCE(X, X′): known answers, the sum in plain loops, and what it does not depend on."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from fixed_methods import FixedMethod
from tiny_runs import image_pair
from torch import Tensor, nn

from trifeature.comm.settings import run_preset
from trifeature.comm.training import new_method
from trifeature.data.dataset import Dataset
from trifeature.probes.i_nce import BATCH, TEMPERATURE, i_nce
from trifeature.samples import Batch
from trifeature.views.sets import CLEAN

CPU = torch.device("cpu")


class Known(FixedMethod):
    """Embeddings that are told: by default a pair's own direction, whatever its views look like."""

    def __init__(self, embeddings: Sequence[Tensor] | None = None) -> None:
        super().__init__(run_preset("tiny", views=(CLEAN,)), image_pair())
        self.unused = nn.Parameter(torch.zeros(1))
        self.embeddings = None if embeddings is None else iter(embeddings)
        self.seen: list[int] = []

    def embed(self, batch: Batch) -> Tensor:
        assert not self.training
        self.seen.append(len(batch[0]))
        if self.embeddings is None:
            return torch.eye(len(batch[0]))
        return next(self.embeddings)

    def encode(self, images: Tensor, modality: int) -> Tensor:
        raise NotImplementedError

    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        raise NotImplementedError


@pytest.fixture(scope="module")
def pairs(tiny: Dataset) -> Dataset:
    """As many test pairs as two batches."""
    test = tiny.pairs["test"]
    return replace(
        tiny,
        pairs={
            **tiny.pairs,
            "test": replace(
                test,
                images=test.images[torch.arange(2 * BATCH) % len(test)],
                labels={k: v[torch.arange(2 * BATCH) % len(test)] for k, v in test.labels.items()},
            ),
        },
    )


def few(dataset: Dataset, count: int) -> Dataset:
    """The data set with its first test pairs."""
    test = dataset.pairs["test"]
    labels = {task: values[:count] for task, values in test.labels.items()}
    return replace(
        dataset,
        pairs={**dataset.pairs, "test": replace(test, images=test.images[:count], labels=labels)},
    )


def in_loops(z: Tensor, z_view: Tensor) -> float:
    """Equation 6 of Dufumier et al. (2025), written out."""
    total = 0.0
    for k in range(BATCH):
        scores = [float(torch.cosine_similarity(z[k], w, dim=0)) / TEMPERATURE for w in z_view]
        total += scores[k] - math.log(sum(math.exp(score) for score in scores)) + math.log(BATCH)
    return total / BATCH


def test_pairs_that_are_told_apart_perfectly_reach_nearly_log_64(pairs: Dataset) -> None:
    expected = math.log(64) - math.log(1 + 63 * math.exp(-1 / TEMPERATURE))
    assert i_nce(Known(), pairs) == pytest.approx(expected, abs=1e-5)


def test_embeddings_that_all_coincide_know_nothing(pairs: Dataset) -> None:
    assert i_nce(Known([torch.ones(BATCH, 8)] * 4), pairs) == pytest.approx(0, abs=1e-5)


def test_it_is_the_papers_sum_in_plain_loops(pairs: Dataset) -> None:
    generator = torch.Generator().manual_seed(3)
    z = [torch.randn(BATCH, 5, generator=generator) for _ in range(4)]
    z[1] += 2 * z[0]  # each view resembles its pair
    z[3] += 2 * z[2]
    expected = (in_loops(z[0], z[1]) + in_loops(z[2], z[3])) / 2
    assert i_nce(Known(z), pairs) == pytest.approx(expected, abs=1e-4)
    assert expected > 0.5


def test_lengths_of_embeddings_do_not_matter(pairs: Dataset) -> None:
    z = [torch.randn(BATCH, 5, generator=torch.Generator().manual_seed(n)) for n in range(4)]
    scaled = [x * torch.linspace(0.1, 9, BATCH)[:, None] for x in z]
    assert i_nce(Known(scaled), pairs) == pytest.approx(i_nce(Known(z), pairs), abs=1e-4)


def test_only_whole_batches_count_and_no_more_than_were_asked_for(pairs: Dataset) -> None:
    one = Known()
    assert i_nce(one, pairs, batches=1) is not None
    assert one.seen == [BATCH, BATCH]
    assert i_nce(Known(), few(pairs, BATCH + 5)) == pytest.approx(i_nce(Known(), pairs), abs=1e-6)


def test_fewer_pairs_than_a_batch_give_no_estimate(pairs: Dataset) -> None:
    assert i_nce(Known(), few(pairs, BATCH - 1)) is None


def test_a_method_without_a_fused_embedding_has_none(tiny: Dataset) -> None:
    cross = new_method(run_preset("tiny", method="cross", vector=8, width=8), tiny, CPU)
    assert i_nce(cross, tiny) is None


def test_a_network_gives_the_same_estimate_each_time_and_stays_as_it_is(tiny: Dataset) -> None:
    comm = new_method(
        run_preset("tiny", width=8, heads=2, hidden=8, embedding=4, seed=1), tiny, CPU
    )
    before = {name: x.clone() for name, x in comm.state_dict().items()}
    state = torch.get_rng_state()
    first = i_nce(comm, tiny)
    assert first is not None
    assert 0 <= first <= math.log(64)
    assert i_nce(comm, tiny) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(x, before[name]) for name, x in comm.state_dict().items())


def test_the_runs_own_augmentations_make_the_views(tiny: Dataset) -> None:
    settings = run_preset("tiny", width=8, heads=2, hidden=8, embedding=4)
    strong, none = (
        i_nce(new_method(replace(settings, views=views), tiny, CPU), tiny)
        for views in (settings.views, (CLEAN,))
    )
    assert strong is not None
    assert none is not None
    assert strong < none
