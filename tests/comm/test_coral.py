"""COrAL: its terms against the equations in loops, its paths against plain versions of them."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, normalize

from trifeature.comm.methods import make_method
from trifeature.comm.methods.coral import COrAL, UniquePath, coral_terms, orthogonality
from trifeature.comm.options import COrALOptions
from trifeature.comm.settings import run_preset
from trifeature.errors import InputError
from trifeature.modality import Modality
from trifeature.presets import PRESETS

N, D, E = 4, 16, 5
TINY: dict[str, Any] = {"width": D, "heads": 2, "hidden": 16, "embedding": 8}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64).requires_grad_()


def make(modalities: int = 2, **changes: Any) -> COrAL:
    images = [Modality(f"image{m}", "image", (3, 32, 32)) for m in range(modalities)]
    method = make_method(run_preset("quick", method="coral", **TINY | changes), images)
    assert isinstance(method, COrAL)
    return method.train()


def batch(modalities: int = 2, samples: int = N) -> tuple[Tensor, ...]:
    return torch.randint(256, (modalities, samples, 3, 32, 32), dtype=torch.uint8).unbind()


def views_of(method: COrAL, samples: int = N) -> tuple[Tensor, ...]:
    items = batch(len(method.modalities), samples)
    return method.views(items, torch.Generator().manual_seed(0))


# --------------------------------------------------------------------------- the terms


def nt_xent(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """NT-Xent of [N, E] in loops over anchors and negatives."""
    both = [*normalize(a, dim=-1), *normalize(b, dim=-1)]
    losses = []
    for i, z in enumerate(both):
        others = [torch.exp(z @ w / temperature) for j, w in enumerate(both) if j != i]
        positive = both[(i + len(a)) % len(both)]
        losses.append(torch.stack(others).sum().log() - z @ positive / temperature)
    return torch.stack(losses).mean()


def penalty(embeddings: Sequence[Tensor]) -> Tensor:
    """Mean squared cosine of all pairs of embeddings [N, E], sample by sample."""
    total = torch.zeros((), dtype=torch.float64)
    for a, b in combinations(embeddings, 2):
        for x, y in zip(a.double(), b.double(), strict=True):
            total = total + (x @ y) ** 2 / (x @ x) / (y @ y) / len(a)
    return total


@pytest.mark.parametrize("modalities", [2, 3])
def test_the_terms_and_their_gradients_are_those_of_the_equations(modalities: int) -> None:
    shared, *unique = every = [random(2, N, E) for _ in range(modalities + 1)]
    found = coral_terms(shared, unique, 0.2)
    expected = {"shared": nt_xent(shared[0], shared[1], 0.2)}
    expected |= {f"unique_{m + 1}": nt_xent(u[0], u[1], 0.2) for m, u in enumerate(unique)}
    expected["orthogonality"] = sum(
        (penalty([z[v] for z in every]) for v in range(2)), torch.zeros(()).double()
    )
    torch.testing.assert_close(found, expected)
    slopes = [
        torch.autograd.grad(torch.stack(list(terms.values())).sum(), every)
        for terms in (found, expected)
    ]
    torch.testing.assert_close(slopes[0], slopes[1])


def test_orthogonal_embeddings_have_no_penalty_and_no_gradient_of_it() -> None:
    x, y, z = (3.0 * torch.eye(3)[[m] * N].clone().requires_grad_() for m in range(3))
    none = orthogonality([x, y, z])
    assert none.item() == 0
    assert all(not slope.any() for slope in torch.autograd.grad(none, (x, y, z)))
    assert orthogonality([x, -2 * x, 5 * x]).item() == pytest.approx(3)
    assert orthogonality([x, x + y]).item() == pytest.approx(0.5)


# --------------------------------------------------------------------------- the unique path


def test_a_unique_path_pools_its_tokens_by_attention() -> None:
    path = UniquePath(torch.nn.Identity(), torch.nn.Identity(), D, D // 2).double()
    tokens = random(N, 7, D)
    weights = dict(path.named_parameters())
    linear = tokens @ weights["expand.0.weight"].T + weights["expand.0.bias"]
    hidden = gelu(layer_norm(linear, (D,), weights["expand.1.weight"], weights["expand.1.bias"]))
    y = path.reduce(hidden)
    attention = (y * path.query).sum(-1).softmax(1)
    expected = (attention[..., None] * y).sum(1)
    torch.testing.assert_close(path(tokens), expected)
    wanted = [tokens, *path.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad(path(tokens).square().sum(), wanted),
        torch.autograd.grad(expected.square().sum(), wanted),
    )


def test_unique_paths_start_as_copies_and_share_no_weight() -> None:
    method = make()
    for m in range(2):
        for name in ("encoder", "converter"):
            shared = method.get_submodule(f"{name}.{m}").state_dict()
            own = method.get_submodule(f"unique.{m}.{name}").state_dict()
            assert shared.keys() == own.keys()
            for key, value in shared.items():
                assert torch.equal(value, own[key])
                assert value.data_ptr() != own[key].data_ptr()
    first, second = (head.state_dict() for head in method.unique_head)
    assert all(torch.equal(value, second[key]) for key, value in first.items())
    pooling = [path.state_dict()["query"] for path in method.unique]
    assert not torch.equal(pooling[0], pooling[1])


@pytest.mark.parametrize("term", ["shared", "unique_1", "unique_2"])
def test_the_paths_meet_in_the_penalty_alone(term: str) -> None:
    method = make()
    method.objective(views_of(method)).terms[term].backward()
    taught = {n for n, p in method.named_parameters() if p.grad is not None and p.grad.any()}
    unique = ("unique.", "unique_head.")
    if term == "shared":
        assert not any(name.startswith(unique) for name in taught)
        return
    own = term[-1]
    index = str(int(own) - 1)
    assert taught
    assert all(name.startswith(tuple(f"{part}{index}." for part in unique)) for name in taught)


# --------------------------------------------------------------------------- dropping and wiring


def test_a_quarter_of_the_tokens_is_kept_each_on_its_own() -> None:
    kept = [x >= 0.75 for x in views_of(make(), samples=300)[2:]]
    assert [x.shape for x in kept] == [(300, 16)] * 2
    for x in kept:
        assert x.float().mean().item() == pytest.approx(0.25, abs=0.02)
        assert x.sum(1).float().var().item() == pytest.approx(16 * 0.25 * 0.75, rel=0.25)
    assert not torch.equal(*kept)


@pytest.mark.parametrize(("modalities", "weight"), [(2, 1.0), (3, 4.0)])
def test_the_loss_compares_heads_of_fused_and_unique_embeddings(
    modalities: int, weight: float
) -> None:
    method = make(modalities, temperature=0.2, orthogonality_weight=weight)
    views = views_of(method)
    loss = method.objective(views)
    made, kept = views[:modalities], [x >= 0.75 for x in views[modalities:]]
    tokens = [method.shared_tokens(x, m).chunk(2) for m, x in enumerate(made)]
    unique = [path(x).chunk(2) for path, x in zip(method.unique, made, strict=True)]
    z, u = [], []
    for view in range(2):
        sequence = []
        for m, own in enumerate(tokens):
            shown = kept[m] if view == m % 2 else torch.ones_like(kept[m])
            sequence.append(torch.where(shown[..., None], own[view], torch.zeros(D)))
        z.append(method.head(method.fusion(sequence, [range(modalities)]))[0])
        heads = zip(method.unique_head, unique, strict=True)
        u.append([head(both[view][None])[0] for head, both in heads])
    expected = {"shared": nt_xent(z[0], z[1], 0.2)}
    for m in range(modalities):
        expected[f"unique_{m + 1}"] = nt_xent(u[0][m], u[1][m], 0.2)
    both_views = [penalty([*u[view], z[view]]) for view in range(2)]
    expected["orthogonality"] = torch.stack(both_views).sum().float()
    torch.testing.assert_close(dict(loss.terms), expected, rtol=1e-4, atol=1e-4)
    terms = list(expected.values())
    torch.testing.assert_close(
        loss.total, sum(terms[1:-1], terms[0]) + weight * terms[-1], rtol=1e-4, atol=1e-4
    )


def test_dropped_tokens_stay_in_the_sequence() -> None:
    method = make()
    *made, first, second = views_of(method)
    fused = method.codes_of((*made, torch.zeros_like(first), torch.ones_like(second)))[0]
    tokens = [method.shared_tokens(x, m)[:N] for m, x in enumerate(made)]
    zeros = method.fusion([torch.zeros_like(tokens[0]), tokens[1]], [(0, 1)])[0]
    removed = method.fusion(tokens, [(1,)])[0]
    torch.testing.assert_close(fused[:, 0], zeros)
    assert not torch.allclose(zeros, removed, atol=1e-2)


def test_every_parameter_learns() -> None:
    method = make()
    method.objective(views_of(method)).total.backward()
    for name, parameter in method.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert all(path.query.grad.any() for path in method.unique)  # type: ignore[operator, union-attr]


@pytest.mark.parametrize("modalities", [2, 3])
def test_features_are_fused_and_unique_embeddings_of_the_subset(modalities: int) -> None:
    method = make(modalities).eval()
    items = tuple(x.float() / 255 for x in batch(modalities))
    subsets = [tuple(range(modalities)), (1,), (0, 1)]
    with torch.no_grad():
        found = method.features(items, subsets)
        tokens = [method.shared_tokens(x, m) for m, x in enumerate(items)]
        unique = [path(x) for path, x in zip(method.unique, items, strict=True)]
        for subset, features in zip(subsets, found, strict=True):
            fused = method.fusion([tokens[m] for m in subset], [range(len(subset))])[0]
            expected = torch.cat([fused, *(unique[m] for m in subset)], dim=1)
            assert features.shape == (N, D + len(subset) * D // 2)
            torch.testing.assert_close(features, expected)
        whole = method.head(found[0][None, :, :D])[0]
        torch.testing.assert_close(method.embed(items), whole)


# --------------------------------------------------------------------------- settings


@pytest.mark.parametrize("preset", PRESETS)
def test_coral_is_trained_at_its_authors_rate_and_decay(preset: str) -> None:
    run, comm = run_preset(preset, method="coral"), run_preset(preset)
    assert run.learning_rate == pytest.approx(comm.learning_rate / 3, rel=1e-5)
    assert run_preset("paper", method="coral").learning_rate == 1e-4
    assert run.weight_decay == 1e-3
    assert (run.epochs, run.option("width")) == (comm.epochs, comm.option("width"))
    assert run_preset(preset, method="coral", learning_rate=1e-3).learning_rate == 1e-3


def test_the_defaults_are_the_published_network() -> None:
    images = [Modality(f"image{m}", "image", (3, 224, 224)) for m in range(2)]
    with torch.device("meta"):
        method = make_method(run_preset("paper", method="coral"), images)
    shapes = {name: tuple(p.shape) for name, p in method.named_parameters()}
    assert shapes["unique.1.expand.0.weight"] == (512, 512)
    assert shapes["unique.1.reduce.weight"] == (256, 512)
    assert shapes["unique.1.query"] == (256,)
    assert shapes["unique_head.1.layers.0.weight"] == (512, 256)
    assert shapes["unique_head.1.layers.6.weight"] == shapes["head.layers.6.weight"] == (256, 512)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"drop_probability": 1.0}, "drop_probability must be above 0 and below 1, not 1"),
        ({"orthogonality_weight": -1.0}, "orthogonality_weight must be above 0, not -1"),
    ],
)
def test_options_that_cannot_be_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        COrALOptions(**change)
