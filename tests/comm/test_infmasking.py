"""InfMasking: its loss against the equations in loops, its passes against explicit sequences."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from trifeature.comm.losses import info_nce
from trifeature.comm.methods import make_method
from trifeature.comm.methods.infmasking import InfMasking, masked_loss
from trifeature.comm.networks import AttentionFusion, MaskedFusion
from trifeature.comm.options import InfMaskingOptions, Masking
from trifeature.comm.settings import run_preset
from trifeature.errors import InputError
from trifeature.modality import Modality

K, N, E = 3, 4, 5
TINY: dict[str, Any] = {"width": 16, "heads": 2, "hidden": 16, "embedding": 8, "masks": K}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64).requires_grad_()


def make(modalities: int = 2, **changes: Any) -> InfMasking:
    images = [Modality(f"image{m}", "image", (3, 32, 32)) for m in range(modalities)]
    method = make_method(run_preset("quick", method="infmasking", **TINY | changes), images)
    assert isinstance(method, InfMasking)
    return method.train()


def batch(modalities: int = 2) -> tuple[Tensor, ...]:
    return torch.randint(256, (modalities, N, 3, 32, 32), dtype=torch.uint8).unbind()


# --------------------------------------------------------------------------- the loss


def by_covariance(q: Tensor, k: Tensor, temperature: float, weight: float) -> Tensor:
    """The loss of q [N, E] and k [K, N, E] as published: each sample's covariance, in loops."""
    q, k = normalize(q, dim=-1), normalize(k, dim=-1)
    masks, samples, _ = k.shape
    losses = []
    for b in range(samples):
        mean, covariance = torch.zeros_like(q[b]), torch.zeros_like(torch.outer(q[b], q[b]))
        for t in range(masks):
            mean = mean + k[t, b] / masks
        for t in range(masks):
            covariance = covariance + torch.outer(k[t, b] - mean, k[t, b] - mean) / masks
        half = weight * (q[b] @ covariance @ q[b]) / (2 * temperature**2)
        total = torch.exp(q[b] @ mean / temperature + half)
        for n in range(samples):
            if n != b:
                total = total + torch.exp(q[b] @ q[n] / temperature)
                for t in range(masks):
                    total = total + torch.exp(q[b] @ k[t, n] / temperature)
        losses.append(total.log() - q[b] @ mean / temperature)
    return torch.stack(losses).mean()


@pytest.mark.parametrize(("temperature", "weight"), [(0.1, 1.0), (0.3, 0.25), (0.7, 3.0)])
def test_the_loss_and_its_gradient_are_those_of_the_covariance_form(
    temperature: float, weight: float
) -> None:
    q, k = random(N, E), random(K, N, E)
    found = masked_loss(q, k, temperature, weight)
    expected = by_covariance(q, k, temperature, weight)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad(found, (q, k)), torch.autograd.grad(expected, (q, k))
    )


def test_both_views_are_evaluated_at_once() -> None:
    q, k = random(2, N, E), random(2, K, N, E)
    apart = [masked_loss(a, b, 0.2) for a, b in zip(q, k, strict=True)]
    torch.testing.assert_close(masked_loss(q, k, 0.2), torch.stack(apart))


def test_values_known_by_hand() -> None:
    same = torch.ones(K, N, E)
    assert masked_loss(same[0], same).item() == pytest.approx(math.log(1 + (K + 1) * (N - 1)))
    # Orthogonal samples; keys of a sample at +x and −x: mean 0, variance 1 at τ = 1.
    q = torch.eye(2, 4)
    k = torch.stack([q, -q])
    for weight in (0.5, 1.0):
        expected = math.log(math.exp(weight / 2) + 2 + 1)
        assert masked_loss(q, k, 1.0, weight).item() == pytest.approx(expected)


def test_one_masked_pass_is_one_direction_of_nt_xent() -> None:
    q, k = random(N, E), random(N, E)
    both = masked_loss(q, k[None], 0.2, 7.0) + masked_loss(k, q[None], 0.2, 7.0)
    torch.testing.assert_close(both / 2, info_nce(q, k, 0.2))


@pytest.mark.parametrize("shape", [(K, N, E + 1), (K, N + 1, E), (N, E), (2, K, N, E)])
def test_keys_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"masked_loss needs .* not \[4, 5\]"):
        masked_loss(torch.ones(N, E), torch.ones(shape))
    with pytest.raises(InputError, match="N ≥ 2"):
        masked_loss(torch.ones(1, E), torch.ones(K, 1, E))


# --------------------------------------------------------------------------- masked passes

D, HEADS, TOKENS = 8, 2, (3, 5)


def make_fusion(masking: Masking) -> MaskedFusion:
    fusion = MaskedFusion(D, HEADS, masking).double()
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return fusion


def plain_of(fusion: MaskedFusion, masking: Masking = "remove") -> AttentionFusion:
    """CoMM's fusion with the same weights."""
    plain = AttentionFusion(D, HEADS, masking).double()
    plain.load_state_dict(
        {n: x for n, x in fusion.named_parameters() if masking == "learned" or n != "mask"}
    )
    return plain


def replaced(tokens: Tensor, mask: Tensor, visible: Tensor) -> Tensor:
    """The tokens [N, T, D] with the hidden ones replaced, one at a time."""
    rows = [
        torch.stack([x if bool(shown) else mask for x, shown in zip(*pair, strict=True)])
        for pair in zip(tokens, visible, strict=True)
    ]
    return torch.stack(rows)


@pytest.mark.parametrize("masking", ["remove", "learned"])
def test_a_masked_pass_is_one_over_the_whole_sequence_with_tokens_replaced(
    masking: Masking,
) -> None:
    fusion = make_fusion(masking)
    tokens = [random(N, T, D) for T in TOKENS]
    visible = [torch.rand(N, K, T) < 0.5 for T in TOKENS]
    visible[0][0, 0] = False
    assert not visible[1].all(-1).all()
    found = fusion.with_hidden(tokens, [(0, 1)], visible)[:K]
    passes = [
        [replaced(x, fusion.mask, v[:, t]) for x, v in zip(tokens, visible, strict=True)]
        for t in range(K)
    ]
    expected = torch.cat([fusion(sequence, [(0, 1)]) for sequence in passes])
    torch.testing.assert_close(found, expected)
    upstream, wanted = torch.randn_like(found), [*tokens, *fusion.parameters()]
    slopes = [torch.autograd.grad(fused, wanted, upstream) for fused in (found, expected)]
    torch.testing.assert_close(slopes[0], slopes[1])


@pytest.mark.parametrize("masking", ["remove", "learned"])
def test_subsets_are_fused_beside_masked_passes_as_by_comm(masking: Masking) -> None:
    fusion, subsets = make_fusion(masking), [(0, 1), (0,), (1,)]
    tokens = [random(N, T, D) for T in TOKENS]
    visible = [torch.rand(N, K, T) < 0.5 for T in TOKENS]
    found = fusion.with_hidden(tokens, subsets, visible)[K:]
    torch.testing.assert_close(found, plain_of(fusion, masking)(tokens, subsets))
    torch.testing.assert_close(found, fusion(tokens, subsets))
    slope = torch.autograd.grad(found[1:].square().sum(), fusion.mask)[0]
    assert bool(slope.any()) == (masking == "learned")


def test_the_mask_token_starts_small_and_truncated() -> None:
    mask = MaskedFusion(512, 8).mask
    assert mask.abs().max() <= 0.02
    # A normal distribution cut at one standard deviation has 0.5396 of it.
    assert mask.std().item() == pytest.approx(0.5396 * 0.02, rel=0.1)


# --------------------------------------------------------------------------- draws and wiring


@pytest.mark.parametrize(
    ("tokens", "ratio", "kept"), [(36, 0.7, 10), (16, 0.7, 4), (16, 0.5, 8), (2, 0.7, 1)]
)
def test_every_pass_of_a_view_keeps_its_own_tokens_and_equally_many(
    tokens: int, ratio: float, kept: int
) -> None:
    method = make(mask_ratio=ratio)
    generator = torch.Generator().manual_seed(0)
    visible = method.draw_visible(500, tokens, generator)
    assert visible.shape == (1000, K, tokens)
    assert visible.dtype == torch.bool
    assert (visible.sum(-1) == kept).all()
    assert (visible.float().mean((0, 1)) - kept / tokens).abs().max() < 0.06
    first, second = visible.unflatten(0, (2, 500))
    for a, b in ((first, second), (visible[:, 0], visible[:, 1]), (visible[:50], visible[50:100])):
        assert not torch.equal(a, b)


@pytest.mark.parametrize(
    ("modalities", "variant"),
    [
        (2, {}),
        (2, {"unimodal": "plain", "loss": "L_i"}),
        (3, {"masking": "learned", "loss": "L_2", "variance_weight": 0.3}),
    ],
)
def test_masked_embeddings_are_compared_with_the_fused_one_of_their_view(
    modalities: int, variant: dict[str, Any]
) -> None:
    method = make(modalities, temperature=0.2, **variant)
    views = method.views(batch(modalities), torch.Generator().manual_seed(0))
    method.progress.fill_(0.5)
    loss = method.objective(views)
    made, visible = views[:modalities], views[-modalities:]
    tokens = [method.encode(x, m).chunk(2) for m, x in enumerate(made)]

    def embed(sequence: Sequence[Tensor]) -> Tensor:
        z: Tensor = method.head(method.fusion(sequence, [method.all]))[0]
        return z.double()

    for view in range(2):
        own, shown = [x[view] for x in tokens], [x.chunk(2)[view] for x in visible]
        passes = [
            [replaced(x, method.fusion.mask, v[:, t]) for x, v in zip(own, shown, strict=True)]
            for t in range(K)
        ]
        k = torch.stack([embed(sequence) for sequence in passes])
        weight = 0.5 * method.options.variance_weight
        expected = by_covariance(embed(own), k, 0.2, weight).float()
        torch.testing.assert_close(loss.terms[f"masked_{view + 1}"], expected, rtol=1e-4, atol=1e-4)
    minimized = [loss.terms[n] for n in (*method.terms, "masked_1", "masked_2")]
    torch.testing.assert_close(loss.total, torch.stack(minimized).mean())


def test_beside_the_masked_losses_are_comms_terms() -> None:
    method = make()
    comm = make_method(run_preset("quick", **TINY_COMM), method.modalities).train()
    weights = method.state_dict()
    comm.load_state_dict({n: x for n, x in weights.items() if n != "fusion.mask"})
    views = method.views(batch(), torch.Generator().manual_seed(0))
    terms, expected = method.objective(views).terms, comm.objective(views[:2]).terms
    assert list(terms) == [*expected, "masked_1", "masked_2"]
    torch.testing.assert_close({name: terms[name] for name in expected}, dict(expected))


TINY_COMM = {name: value for name, value in TINY.items() if name != "masks"}


def test_the_variance_gains_weight_over_training() -> None:
    found = {}
    for weight, progress in ((2.0, 0.5), (1.0, 1.0), (2.0, 1.0)):
        torch.manual_seed(0)
        method = make(variance_weight=weight)
        views = method.views(batch(), torch.Generator().manual_seed(0))
        method.progress.fill_(progress)
        found[weight, progress] = method.objective(views).total.item()
    assert found[2.0, 0.5] == found[1.0, 1.0] < found[2.0, 1.0]


def test_every_parameter_learns() -> None:
    method = make()
    method.objective(method.views(batch(), torch.Generator().manual_seed(0))).total.backward()
    for name, parameter in method.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert method.fusion.mask.grad is not None
    assert method.fusion.mask.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fusion": "linear"}, "fusion must be attention"),
        ({"mask_ratio": 1.0}, "mask_ratio must be above 0 and below 1, not 1"),
        ({"masks": 0}, "masks must be a whole number of at least 1, not 0"),
    ],
)
def test_options_that_cannot_be_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        InfMaskingOptions(**change)
