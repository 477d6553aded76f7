"""Encoders of series and tokens against PyTorch's layers, plain loops and each item alone."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from trifeature.comm.encoders import ENCODERS, output_shape
from trifeature.comm.networks import count_parameters
from trifeature.comm.step_encoders import (
    Bag,
    Convolutions,
    Embedding,
    Force,
    LastStepTransformer,
    Recurrent,
    StepEncoder,
    Transformer,
    sine_positions,
)
from trifeature.errors import InputError
from trifeature.modality import Modality

LENGTHS = (13, 1, 5, 8, 0, 12)
"""Present steps of each item; one has all, one none."""

T, FEATURES, VOCABULARY = 13, 3, 7


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def series(steps: int = T, features: int = FEATURES, *, partial: bool = True) -> Modality:
    return Modality("x", "series", (steps, features), partial=partial)


def words(steps: int = T, *, partial: bool = True) -> Modality:
    return Modality("x", "tokens", (steps,), vocabulary=VOCABULARY, partial=partial)


def shortened(items: Tensor, lengths: Sequence[int] = LENGTHS) -> Tensor:
    """The items with NaN after so many steps of each."""
    for item, length in zip(items, lengths, strict=True):
        item[length:] = torch.nan
    return items


def random_series(lengths: Sequence[int] = LENGTHS, steps: int = T) -> Tensor:
    items = torch.randn(len(lengths), steps, FEATURES, dtype=torch.float64)
    return shortened(items, lengths)


def random_words() -> Tensor:
    """Identifiers, of which some are hidden."""
    return shortened(torch.randint(-1, VOCABULARY, (len(LENGTHS), T)).double())


def made(name: str, modality: Modality) -> StepEncoder:
    encoder = ENCODERS[name].make(modality).double().eval()
    assert isinstance(encoder, StepEncoder)
    return encoder


def known(items: Tensor) -> Tensor:
    return ~items.reshape(*items.shape[:2], -1)[..., 0].isnan()


# --------------------------------------------------------------------------- absent steps

SERIES = [name for name, e in ENCODERS.items() if "series" in e.kinds and "force" not in name]
MASKED = [name for name in SERIES if name != "transformer-unmasked"]
TOKENS = [name for name, e in ENCODERS.items() if "tokens" in e.kinds]


def test_each_encoder_of_series_and_tokens_is_looked_at() -> None:
    assert len(MASKED) >= 6
    assert len(TOKENS) >= 2


@pytest.mark.parametrize("name", [*MASKED, *TOKENS])
def test_an_item_is_encoded_as_it_is_alone_and_without_padding(name: str) -> None:
    of, items = (words, random_words()) if name in TOKENS else (series, random_series())
    encoder = made(name, of())
    with torch.no_grad():
        batch, present = encoder(items), encoder.present(items)
        assert batch.isfinite().all()
        for item, own, mask, length in zip(items, batch, present, LENGTHS, strict=True):
            if not length:
                assert not mask.any()
                continue
            alone = made(name, of(length, partial=False))
            alone.load_state_dict(encoder.state_dict())
            expected = alone(item[None, :length])[0]
            tokens = own if own.ndim == 1 else own[mask]
            torch.testing.assert_close(tokens, expected, rtol=0, atol=1e-6)
            if own.ndim == 2:
                assert mask[: len(expected)].all()


@pytest.mark.parametrize("name", [*sorted({*SERIES} - {"frozen"}), *TOKENS])
def test_absent_steps_leave_all_gradients_finite(name: str) -> None:
    of, items = (words, random_words()) if name in TOKENS else (series, random_series())
    encoder = made(name, of()).train()
    encoder(items).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())


@pytest.mark.parametrize("name", [*SERIES, *TOKENS])
def test_presence_has_an_entry_for_each_token(name: str) -> None:
    modality, items = (words(), random_words()) if name in TOKENS else (series(), random_series())
    encoder = ENCODERS[name].make(modality)
    assert isinstance(encoder, StepEncoder)
    shape = output_shape(encoder, modality)
    if len(shape) == 2:
        assert encoder.present(items).shape == (len(items), shape[0])


# --------------------------------------------------------------------------- Transformers


def plain_transformer(encoder: Transformer, items: Tensor, hidden: Tensor | None) -> Tensor:
    """The layers with the encoder's weights, by PyTorch's attention: [N, T, 40]."""
    x = items.nan_to_num(0.0) @ encoder.project.weight[..., 0].T
    for layer in encoder.layers.layers:
        assert isinstance(layer, nn.TransformerEncoderLayer)

        def attend(h: Tensor, layer: nn.TransformerEncoderLayer = layer) -> Tensor:
            weights = layer.self_attn.state_dict()
            attention = nn.MultiheadAttention(40, 5, batch_first=True, dtype=h.dtype)
            attention.load_state_dict(weights)
            out: Tensor = attention(h, h, h, key_padding_mask=hidden)[0]
            return out

        def feed(h: Tensor, layer: nn.TransformerEncoderLayer = layer) -> Tensor:
            out: Tensor = layer.linear2(layer.linear1(h).relu())
            return out

        if layer.norm_first:
            x = x + attend(layer.norm1(x))
            x = x + feed(layer.norm2(x))
        else:
            x = layer.norm1(x + attend(x))
            x = layer.norm2(x + feed(x))
    return x


@pytest.mark.parametrize("norm_first", [True, False])
@torch.no_grad()
def test_the_transformer_hides_absent_steps_from_attention(norm_first: bool) -> None:
    encoder = Transformer(series(), norm_first=norm_first).double().eval()
    items = random_series(lengths := (13, 1, 5, 8))
    expected = plain_transformer(encoder, items, ~known(items))
    for own, other, length in zip(encoder(items), expected, lengths, strict=True):
        torch.testing.assert_close(own[:length], other[:length])


@torch.no_grad()
def test_the_published_transformer_attends_to_padding_and_counts_it() -> None:
    encoder, items = made("transformer-unmasked", series()), random_series()
    assert isinstance(encoder, Transformer)
    out = encoder(items)
    torch.testing.assert_close(out, plain_transformer(encoder, items, None))
    assert encoder.present(items).all(1).tolist() == [length > 0 for length in LENGTHS]
    masked = made("transformer", series())
    masked.load_state_dict(encoder.state_dict())
    assert not torch.allclose(out[2, :5], masked(items)[2, :5])
    torch.testing.assert_close(out[0], masked(items)[0])


@torch.no_grad()
def test_the_post_norm_transformer_gives_its_last_present_step() -> None:
    encoder, items = LastStepTransformer(series()).double().eval(), random_series((13, 1, 5))
    tokens = plain_transformer(encoder, items, ~known(items))
    expected = [tokens[0, 12], tokens[1, 0], tokens[2, 4]]
    torch.testing.assert_close(encoder(items), torch.stack(expected))
    assert output_shape(LastStepTransformer(series(partial=False)), series(partial=False)) == (40,)


def test_the_published_transformer_has_the_published_parts() -> None:
    encoder = Transformer(series(features=300))
    attention = 4 * 40 * 40 + 4 * 40
    feed = 40 * 2048 + 2048 + 2048 * 40 + 40
    assert count_parameters(encoder) == 300 * 40 + 5 * (attention + feed + 2 * 2 * 40)
    assert encoder.project.weight.shape == (40, 300, 1)
    first, *others = encoder.layers.layers
    assert len(others) == 4
    for other in others:
        assert torch.equal(other.linear1.weight, first.linear1.weight)
    assert encoder.layers.norm is None
    dropout = {m.p for m in encoder.modules() if isinstance(m, nn.Dropout)}
    assert dropout == {0.1}


# --------------------------------------------------------------------------- recurrence


@pytest.mark.parametrize("hidden", [512, 64])
@torch.no_grad()
def test_the_gru_gives_what_a_packed_gru_gives(hidden: int) -> None:
    encoder, items = Recurrent(series(), hidden).double(), random_series(lengths := (13, 1, 5, 8))
    packed = pack_padded_sequence(
        items.nan_to_num(0), torch.tensor(lengths), batch_first=True, enforce_sorted=False
    )
    expected, _ = pad_packed_sequence(encoder.recurrence(packed)[0], batch_first=True)
    mask = known(items)
    torch.testing.assert_close(encoder(items)[mask], expected[mask])
    assert {name: tuple(p.shape) for name, p in encoder.named_parameters()} == {
        "recurrence.weight_ih_l0": (3 * hidden, FEATURES),
        "recurrence.weight_hh_l0": (3 * hidden, hidden),
        "recurrence.bias_ih_l0": (3 * hidden,),
        "recurrence.bias_hh_l0": (3 * hidden,),
    }


# --------------------------------------------------------------------------- convolutions


def convolved(x: np.ndarray, layer: nn.Module, front: int, stride: int, count: int) -> np.ndarray:
    """A one-dimensional convolution by loops: steps [L, F] to [count, C]."""
    weight, bias = (p.detach().numpy() for p in (layer.weight, layer.bias))  # type: ignore[operator]
    out = np.tile(bias, (count, 1))
    for i in range(count):
        for k in range(weight.shape[2]):
            place = stride * i + k - front
            if 0 <= place < len(x):
                out[i] += weight[:, :, k] @ x[place]
    return out


@pytest.mark.parametrize("steps", [1, 13, 16])
@torch.no_grad()
def test_the_convolutions_are_those_of_loops(steps: int) -> None:
    encoder = Convolutions(series(steps, partial=False)).double()
    item = torch.randn(steps, FEATURES, dtype=torch.float64)
    x = item.numpy()
    for number, layer in enumerate(encoder.convolutions):
        x = convolved(x, layer, front=2, stride=2, count=math.ceil(len(x) / 2))
        x = x if number == 2 else np.maximum(x, 0)
    x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    expected = np.maximum(x, 0) + sine_positions(math.ceil(steps / 8), 64).double().numpy()
    np.testing.assert_allclose(encoder(item[None])[0].numpy(), expected)


@pytest.mark.parametrize("whole", [False, True])
@torch.no_grad()
def test_the_force_encoder_is_that_of_loops(whole: bool) -> None:
    encoder = Force(series(32, 6, partial=False), whole=whole).double()
    item = torch.randn(32, 6, dtype=torch.float64)
    x = item.numpy()
    for layer in encoder.convolutions:
        x = convolved(x, layer, front=0 if whole else 1, stride=2, count=len(x) // 2)
        x = np.where(x > 0, x, 0.1 * x)
    assert x.shape == (1, 128)
    np.testing.assert_allclose(encoder(item[None])[0].numpy(), x[0])


@pytest.mark.parametrize(("whole", "seen"), [(False, 1), (True, 32)])
def test_the_published_force_encoder_sees_the_first_reading_only(whole: bool, seen: int) -> None:
    items = torch.randn(2, 32, 6, requires_grad=True)
    Force(series(32, 6), whole=whole)(items).square().sum().backward()
    assert items.grad is not None
    assert items.grad.abs().sum((0, 2)).gt(0).tolist() == [True] * seen + [False] * (32 - seen)


@pytest.mark.parametrize("out", [128, 512])
def test_the_force_encoder_has_the_published_parts(out: int) -> None:
    widths = (6, 16, 32, 64, 128, out)
    expected = sum(2 * a * b + b for a, b in pairwise(widths))
    encoder = Force(series(32, 6), out)
    assert count_parameters(encoder) == expected
    assert encoder.convolutions[0].weight.shape == (16, 6, 2)


def test_the_force_encoder_reads_32_steps() -> None:
    with pytest.raises(InputError, match=r"read series of 32 steps, but modality 'x' has 31"):
        Force(series(31, 6))


# --------------------------------------------------------------------------- tokens


@torch.no_grad()
def test_a_token_is_its_row_of_the_table_and_its_position() -> None:
    encoder = Embedding(words())
    items = torch.tensor([[0.0, 6.0, -1.0, *[3.0] * 10]])
    table, positions = encoder.table.weight, sine_positions(T, 64)
    assert table.shape == (VOCABULARY + 1, 64)
    expected = [table[row] + positions[t] for t, row in enumerate([0, 6, VOCABULARY, *[3] * 10])]
    assert torch.equal(encoder(items)[0], torch.stack(expected))
    assert count_parameters(encoder) == 8 * 64


@torch.no_grad()
def test_a_bag_is_the_mean_of_the_tokens_that_are_shown() -> None:
    encoder, items = Bag(words()).double(), random_words()
    table = encoder.table.weight.numpy()
    for token, item in zip(encoder(items), items, strict=True):
        rows = [table[int(word)] for word in item.tolist() if word >= 0]
        expected = np.mean(rows, axis=0) if rows else np.zeros(64)
        np.testing.assert_allclose(token[0].numpy(), expected, atol=1e-12)
    hidden = torch.full((1, T), -1.0, dtype=torch.float64)
    assert not encoder(hidden).any()
    assert encoder.present(hidden).all()


def test_positions_are_those_of_the_formula() -> None:
    codes = sine_positions(20, 8)
    for t in range(20):
        angles = [t * 10_000 ** (-2 * k / 8) for k in range(4)]
        expected = [*map(math.sin, angles), *map(math.cos, angles)]
        np.testing.assert_allclose(codes[t].numpy(), expected, atol=1e-6)
    with pytest.raises(InputError, match="must be even, not 7"):
        sine_positions(20, 7)


# --------------------------------------------------------------------------- whole modalities


@pytest.mark.parametrize("make", [Transformer, Recurrent, Convolutions])
def test_nothing_looks_for_absent_steps_of_whole_series(
    make: Callable[[Modality], StepEncoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = make(series(partial=False))
    monkeypatch.setattr(Tensor, "isnan", lambda _: pytest.fail("absent steps are looked for"))
    assert encoder(torch.zeros(2, T, FEATURES)).shape[0] == 2


def test_a_step_of_zeros_is_not_an_absent_one() -> None:
    encoder = made("transformer", series())
    items = random_series((13,))
    dropped = items.clone()
    dropped[0, 5:] = 0
    with torch.no_grad():
        assert not torch.allclose(encoder(dropped)[0, :5], encoder(shortened(items, (5,)))[0, :5])
