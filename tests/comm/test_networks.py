"""Each part of the network against a plain version of itself that shares its weights."""

import math
from collections.abc import Callable, Sequence
from itertools import combinations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from trifeature.comm.encoders import (
    alexnet_maps,
    alexnet_maps_unpooled,
    output_shape,
    resnet50_maps,
    small_maps,
)
from trifeature.comm.networks import (
    AttentionFusion,
    CallwiseBatchNorm,
    FeatureTokenizer,
    LinearFusion,
    PatchEmbedding,
    ProjectionHead,
    count_parameters,
    decayed,
    sine_cosine_positions,
)
from trifeature.comm.options import CoMMOptions, Masking
from trifeature.errors import InputError
from trifeature.modality import Modality

MASKINGS: tuple[Masking, ...] = ("remove", "learned")
assert set(MASKINGS) == set(CoMMOptions.choices["masking"])

D, HEADS, N = 8, 2, 3
TOKENS = (3, 5, 2)
"""Tokens of each modality: a different number, so that a mix-up shows."""


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def perturbed(module: nn.Module) -> nn.Module:
    """The module in float64 with every parameter moved off its initial value, zeros included."""
    module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return module


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


# --------------------------------------------------------------------------- attention fusion


def make_fusion(masking: Masking) -> AttentionFusion:
    fusion = perturbed(AttentionFusion(D, HEADS, masking))
    assert isinstance(fusion, AttentionFusion)
    return fusion


def make_tokens(modalities: int) -> list[Tensor]:
    return [random(N, T, D).requires_grad_() for T in TOKENS[:modalities]]


def subsets_of(modalities: int) -> list[tuple[int, ...]]:
    sizes = range(modalities + 1)
    return [subset for size in sizes for subset in combinations(range(modalities), size)]


def whole_sequence(
    fusion: AttentionFusion, tokens: Sequence[Tensor], subset: Sequence[int]
) -> Tensor:
    """CLS and the tokens, those of absent modalities removed or each masked: [N, 1 + T, D]."""
    parts = [fusion.cls.expand(N, 1, D)]
    for m, own in enumerate(tokens):
        if m in subset:
            parts.append(own)
        elif fusion.mask is not None:
            parts.append(fusion.mask.expand_as(own))
    return torch.cat(parts, dim=1)


def whole_block(fusion: AttentionFusion, x: Tensor) -> Tensor:
    """Every row of a pre-LayerNorm Transformer block, by PyTorch's own attention: [N, 1 + T, D]."""
    key_bias = torch.zeros_like(fusion.query.bias)
    weights = {
        "in_proj_weight": torch.cat([fusion.query.weight, fusion.key.weight, fusion.value.weight]),
        "in_proj_bias": torch.cat([fusion.query.bias, key_bias, fusion.value.bias]),
        "out_proj.weight": fusion.out.weight,
        "out_proj.bias": fusion.out.bias,
    }
    attention = nn.MultiheadAttention(D, HEADS, batch_first=True, dtype=x.dtype)
    normed = fusion.norm_attention(x)
    attended: Tensor = functional_call(attention, weights, (normed, normed, normed))[0]
    x = x + attended
    hidden = fusion.expand(fusion.norm_mlp(x))
    x = x + fusion.contract(hidden * torch.sigmoid(1.702 * hidden))
    rows: Tensor = fusion.norm_final(x)
    return rows


CASES = [
    pytest.param(M, masking, subset, id=f"{masking}-{'+'.join(map(str, subset)) or 'none'}of{M}")
    for M in (2, 3)
    for masking in MASKINGS
    for subset in subsets_of(M)
]


@pytest.mark.parametrize(("modalities", "masking", "subset"), CASES)
def test_attention_fusion_is_the_cls_row_of_the_whole_block(
    modalities: int, masking: Masking, subset: tuple[int, ...]
) -> None:
    fusion, tokens = make_fusion(masking), make_tokens(modalities)
    (fused,) = fusion(tokens, [subset])
    expected = whole_block(fusion, whole_sequence(fusion, tokens, subset))[:, 0]
    torch.testing.assert_close(fused, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("modalities", "masking", "subset"), CASES)
def test_attention_fusion_has_the_gradient_of_the_whole_block(
    modalities: int, masking: Masking, subset: tuple[int, ...]
) -> None:
    fusion, tokens = make_fusion(masking), make_tokens(modalities)
    named = dict(fusion.named_parameters()) | {f"tokens {m}": x for m, x in enumerate(tokens)}
    (fused,) = fusion(tokens, [subset])
    upstream = torch.randn_like(fused)
    expected = whole_block(fusion, whole_sequence(fusion, tokens, subset))[:, 0]

    def gradients(output: Tensor) -> dict[str, Tensor]:
        values = torch.autograd.grad(
            output, list(named.values()), upstream, allow_unused=True, materialize_grads=True
        )
        return dict(zip(named, values, strict=True))

    torch.testing.assert_close(gradients(fused), gradients(expected), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("masking", MASKINGS)
def test_attention_fusion_fuses_many_subsets_as_it_does_one_by_one(masking: Masking) -> None:
    fusion, tokens, subsets = make_fusion(masking), make_tokens(3), subsets_of(3)
    together = fusion(tokens, subsets)
    assert together.shape == (len(subsets), N, D)
    apart = torch.cat([fusion(tokens, [subset]) for subset in subsets])
    torch.testing.assert_close(together, apart)


@pytest.mark.parametrize("masking", MASKINGS)
def test_attention_fusion_does_not_see_a_modality_left_out(masking: Masking) -> None:
    fusion, tokens = make_fusion(masking), make_tokens(2)
    other = [tokens[0], 100 * random(N, TOKENS[1], D)]
    assert torch.equal(fusion(tokens, [(0,)]), fusion(other, [(0,)]))
    assert not torch.equal(fusion(tokens, [(0, 1)]), fusion(other, [(0, 1)]))


def test_only_learned_masking_has_a_mask_token() -> None:
    assert make_fusion("remove").mask is None
    assert make_fusion("learned").mask is not None


def test_attention_fusion_starts_with_the_published_deviations() -> None:
    width = 256
    fusion = AttentionFusion(width, 8)
    for layer in (fusion.query, fusion.key, fusion.value):
        assert layer.weight.std().item() == pytest.approx(width**-0.5, rel=0.02)
    for layer in (fusion.out, fusion.expand, fusion.contract):
        assert layer.weight.std().item() == pytest.approx((2 * width) ** -0.5, rel=0.02)
    assert fusion.cls.std().item() == pytest.approx(1, rel=0.2)
    assert fusion.expand.out_features == 4 * width


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(InputError, match="3 heads do not divide a width of 8"):
        AttentionFusion(8, 3)


# --------------------------------------------------------------------------- linear fusion


def test_linear_fusion_maps_one_modality_by_its_own_map_and_all_by_the_joint_one() -> None:
    fusion = LinearFusion([4, 6, 5], D).double()
    vectors = [random(N, size) for size in (4, 6, 5)]
    fused = fusion(vectors, [(1,), (0, 1, 2), (2,)])
    weights = fusion.state_dict()

    def mapped(x: Tensor, name: str) -> Tensor:
        return torch.addmm(weights[f"{name}.bias"], x, weights[f"{name}.weight"].T)

    expected = [
        mapped(vectors[1], "single.1"),
        mapped(torch.cat(vectors, dim=1), "joint"),
        mapped(vectors[2], "single.2"),
    ]
    torch.testing.assert_close(fused, torch.stack(expected))


def test_linear_fusion_refuses_some_but_not_all_modalities() -> None:
    fusion = LinearFusion([4, 4, 4], D)
    with pytest.raises(InputError, match="one modality and for all"):
        fusion([torch.ones(N, 4)] * 3, [(0, 1)])


# --------------------------------------------------------------------------- latent converters


@pytest.mark.parametrize(("rows", "columns", "width"), [(6, 6, 512), (2, 5, 8)])
def test_positions_are_sines_and_cosines_of_column_and_row(
    rows: int, columns: int, width: int
) -> None:
    positions = sine_cosine_positions(rows, columns, width)
    quarter = width // 4
    for row in range(rows):
        for column in range(columns):
            expected = [
                wave(place / 10_000 ** (k / quarter))
                for place in (column, row)
                for wave in (math.sin, math.cos)
                for k in range(quarter)
            ]
            assert positions[row * columns + column].tolist() == pytest.approx(expected, abs=1e-6)


def test_no_two_positions_are_alike() -> None:
    positions = sine_cosine_positions(6, 6, 16)
    assert len(positions.unique(dim=0)) == 36


def test_positions_need_a_width_in_quarters() -> None:
    with pytest.raises(InputError, match="multiple of 4, not 10"):
        sine_cosine_positions(2, 2, 10)


def test_a_patch_embedding_is_a_1_by_1_convolution_with_positions() -> None:
    embedding = PatchEmbedding(channels=5, rows=2, columns=3, width=D)
    maps = torch.randn(N, 5, 2, 3)
    kernel = embedding.project.weight[:, :, None, None]
    pixels = F.conv2d(maps, kernel, embedding.project.bias)
    tokens = embedding(maps)
    assert tokens.shape == (N, 6, D)
    for row in range(2):
        for column in range(3):
            place = row * 3 + column
            expected = pixels[:, :, row, column] + sine_cosine_positions(2, 3, D)[place]
            torch.testing.assert_close(tokens[:, place], expected)


def test_the_positions_of_a_patch_embedding_are_fixed() -> None:
    embedding = PatchEmbedding(channels=5, rows=2, columns=3, width=D)
    assert set(dict(embedding.named_parameters())) == {"project.weight", "project.bias"}
    assert set(embedding.state_dict()) == {"project.weight", "project.bias"}


def test_a_feature_tokenizer_makes_one_token_of_each_feature() -> None:
    tokenizer = FeatureTokenizer(features=4, width=D)
    vector = torch.randn(N, 4)
    tokens = tokenizer(vector)
    assert tokens.shape == (N, 4, D)
    for n in range(N):
        for c in range(4):
            expected = vector[n, c] * tokenizer.weight[c] + tokenizer.bias[c]
            torch.testing.assert_close(tokens[n, c], expected)


# --------------------------------------------------------------------------- projection head


def make_norms(calls: int) -> tuple[CallwiseBatchNorm, nn.BatchNorm1d, Tensor]:
    """The norm, PyTorch's with the same weights, and batches of different mean and scale."""
    norm = perturbed(CallwiseBatchNorm(D))
    assert isinstance(norm, CallwiseBatchNorm)
    plain = nn.BatchNorm1d(D).double()
    plain.load_state_dict(norm.state_dict())
    scales = torch.arange(1.0, calls + 1)
    batches = random(calls, 6, D) * scales[:, None, None] + random(calls, 1, D)
    return norm, plain, batches.requires_grad_()


def test_callwise_batch_norm_normalizes_as_if_called_once_for_each_batch() -> None:
    norm, plain, x = make_norms(4)
    expected = torch.stack([plain(batch) for batch in x])
    torch.testing.assert_close(norm(x), expected)


def test_callwise_batch_norm_has_the_gradient_of_separate_calls() -> None:
    norm, plain, x = make_norms(4)
    upstream = torch.randn_like(x)
    ours = torch.autograd.grad(norm(x), [x, norm.weight, norm.bias], upstream)
    expected = torch.autograd.grad(
        torch.stack([plain(batch) for batch in x]), [x, plain.weight, plain.bias], upstream
    )
    torch.testing.assert_close(ours, expected)


def test_callwise_batch_norm_tracks_the_average_over_the_calls() -> None:
    norm, plain, x = make_norms(4)
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    tracked = []
    for batch in x:
        plain.load_state_dict(before)
        plain(batch)
        tracked.append(torch.stack([plain.get_buffer(f"running_{s}") for s in ("mean", "var")]))
    norm(x)
    ours = torch.stack([norm.get_buffer(f"running_{s}") for s in ("mean", "var")])
    torch.testing.assert_close(ours, torch.stack(tracked).mean(0), rtol=1e-6, atol=1e-6)


def test_callwise_batch_norm_uses_its_running_statistics_in_evaluation() -> None:
    norm, _, x = make_norms(3)
    mean, variance = random(D), random(D).exp()
    norm.get_buffer("running_mean").copy_(mean)
    norm.get_buffer("running_var").copy_(variance)
    expected = (x - mean) / (variance + norm.eps).sqrt() * norm.weight + norm.bias
    torch.testing.assert_close(norm.eval()(x), expected)
    assert torch.equal(norm.get_buffer("running_mean"), mean)


def test_a_head_without_norm_is_a_plain_mlp() -> None:
    head = ProjectionHead(D, 5, 4, batch_norm=False)
    z = torch.randn(2, N, D)
    one, two, three = (layer for layer in head.layers if isinstance(layer, nn.Linear))
    hidden = (z @ one.weight.T + one.bias).clamp(min=0)
    hidden = (hidden @ two.weight.T + two.bias).clamp(min=0)
    torch.testing.assert_close(head(z), hidden @ three.weight.T + three.bias)


def test_a_head_with_norm_is_one_called_separately_for_each_embedding() -> None:
    head = ProjectionHead(D, 5, 4)
    plain = nn.Sequential(
        nn.Linear(D, 5),
        nn.BatchNorm1d(5),
        nn.ReLU(),
        nn.Linear(5, 5),
        nn.BatchNorm1d(5),
        nn.ReLU(),
        nn.Linear(5, 4),
    )
    plain.load_state_dict(head.layers.state_dict())
    z = torch.randn(6, N, D) + torch.randn(6, 1, D)
    torch.testing.assert_close(head(z), torch.stack([plain(batch) for batch in z]))


# --------------------------------------------------------------------------- encoders


def image(canvas: int) -> Modality:
    return Modality("image", "image", (3, canvas, canvas))


@pytest.mark.parametrize(
    ("make", "canvas", "shape"),
    [
        (alexnet_maps, 224, (256, 6, 6)),
        (alexnet_maps_unpooled, 112, (256, 6, 6)),
        (lambda: small_maps(width=8), 32, (32, 4, 4)),
        (lambda: small_maps(width=4), 48, (16, 6, 6)),
        (resnet50_maps, 64, (2048, 2, 2)),
    ],
    ids=["alexnet", "unpooled", "small", "small at 48", "resnet50"],
)
def test_an_encoder_gives_maps_of_the_stated_shape(
    make: Callable[[], nn.Module], canvas: int, shape: tuple[int, int, int]
) -> None:
    with torch.device("meta"):  # shapes alone: weights need not be drawn
        encoder = make()
        assert output_shape(encoder, image(canvas)) == shape
        assert encoder.eval()(torch.zeros(2, 3, canvas, canvas)).shape == (2, *shape)


def test_the_unpooled_alexnet_is_alexnet_before_its_last_pooling() -> None:
    whole = alexnet_maps()
    with torch.device("meta"):
        unpooled = alexnet_maps_unpooled()
    unpooled.load_state_dict(whole.state_dict(), assign=True)
    images = torch.randn(1, 3, 112, 112)
    torch.testing.assert_close(F.max_pool2d(unpooled(images), 3, 2), whole(images))


def test_asking_for_an_output_shape_leaves_the_encoder_as_it_was() -> None:
    encoder = small_maps()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    output_shape(encoder, image(32))
    assert encoder.training
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_a_canvas_too_small_for_the_encoder_is_refused() -> None:
    with torch.device("meta"), pytest.raises(InputError, match="32"):
        output_shape(alexnet_maps(), image(32))


def test_an_encoder_that_gives_no_maps_tokens_or_vectors_is_refused() -> None:
    with pytest.raises(InputError, match="maps"):
        output_shape(nn.Unflatten(3, (4, 8)), image(32))


# --------------------------------------------------------------------------- what decays


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("fusion.query.weight", (D, D), True),
        ("encoder.0.0.weight", (16, 3, 3, 3), True),
        ("fusion.cls", (D,), True),
        ("fusion.query.bias", (D,), False),
        ("fusion.norm_final.weight", (D,), False),
        ("head.layers.1.weight", (D,), False),
        ("converter.0.bias", (4, D), False),
    ],
)
def test_weight_decay_applies_to_matrices_and_to_cls_alone(
    name: str, shape: tuple[int, ...], expected: bool
) -> None:
    assert decayed(name, torch.zeros(shape)) is expected


def test_count_parameters_counts_what_is_learned() -> None:
    layer = nn.Linear(3, 5)
    assert count_parameters(layer) == 20
    layer.bias.requires_grad_(False)
    assert count_parameters(layer) == 15


# --------------------------------------------------------------------------- absent tokens


@pytest.mark.parametrize("masking", MASKINGS)
def test_a_mask_for_each_sample_is_the_attention_over_its_own_tokens(masking: Masking) -> None:
    """Each sample fused on its own, its absent tokens removed or replaced by the mask token."""
    fusion, tokens = make_fusion(masking), make_tokens(2)
    present = [torch.rand(N, t.shape[1]) < 0.6 for t in tokens]
    present[0][0] = False  # a sample without any token of one modality
    present[1][1] = False
    subsets = [(0, 1), (0,), (1,)]
    together = fusion(tokens, subsets, present)
    for n in range(N):
        own = []
        for t, keep in zip(tokens, present, strict=True):
            if fusion.mask is None:
                own.append(t[n : n + 1, keep[n]])
            else:
                own.append(torch.where(keep[n][:, None], t[n], fusion.mask)[None])
        torch.testing.assert_close(together[:, n : n + 1], fusion(own, subsets))


def test_a_mask_that_keeps_everything_changes_nothing() -> None:
    for masking in MASKINGS:
        fusion, tokens = make_fusion(masking), make_tokens(2)
        everything = [torch.ones(N, t.shape[1], dtype=torch.bool) for t in tokens]
        torch.testing.assert_close(
            fusion(tokens, [(0, 1), (1,)], everything), fusion(tokens, [(0, 1), (1,)])
        )


def test_a_sample_without_tokens_stays_finite() -> None:
    fusion, tokens = make_fusion("remove"), make_tokens(2)
    nothing = [torch.zeros(N, t.shape[1], dtype=torch.bool) for t in tokens]
    fused = fusion(tokens, [(0, 1)], nothing)
    fused.sum().backward()
    assert fused.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in fusion.parameters())
