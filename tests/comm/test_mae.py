"""Masked autoencoding against plain loops: what is hidden, what is predicted, what counts."""

import math
from typing import Any

import pytest
import torch
from tiny_runs import tiny_run
from torch import Tensor

from trifeature.comm.methods import make_method
from trifeature.comm.methods.mae import (
    MAE,
    masked_error,
    masked_places,
    normalized,
    patches_of,
    without_patches,
)
from trifeature.comm.options import MAEOptions
from trifeature.errors import InputError
from trifeature.modality import Modality

N = 4
IMAGE = Modality("image", "image", (3, 32, 32))
VECTOR = Modality("vector", "vector", (5,))


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def make(*modalities: Modality, **changes: Any) -> MAE:
    torch.manual_seed(0)
    method = make_method(tiny_run(method="mae", **changes), modalities or (IMAGE, VECTOR))
    assert isinstance(method, MAE)
    return method.double()


def views_of(method: MAE) -> tuple[Tensor, ...]:
    batch = tuple(random(N, *m.shape, seed=3).sigmoid().float() for m in method.modalities)
    drawn = method.views(batch, torch.Generator().manual_seed(2))
    return tuple(x if x.dtype == torch.bool else x.double() for x in drawn)


# --------------------------------------------------------------------------- patches


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 8, 12)])
def test_patches_of_images_are_squares_row_by_row(shape: tuple[int, ...]) -> None:
    C, H, W = shape
    side, (h, w) = 4, (H // 4, W // 4)
    x, masked = random(N, *shape), random(N, side * side, seed=1) > 0
    patches, visible = patches_of(x, side), without_patches(x, masked, side)
    assert patches.shape == (N, side * side, C * h * w)
    for n in range(N):
        for row in range(H):
            for column in range(W):
                place = (row // h) * side + column // w
                for c in range(C):
                    inside = c * h * w + (row % h) * w + column % w
                    value = x[n, c, row, column]
                    assert patches[n, place, inside] == value
                    kept = 0 if masked[n, place] else value
                    assert visible[n, c, row, column] == kept


def test_features_of_vectors_and_steps_of_series_are_patches() -> None:
    vector, series = random(N, 5), random(N, 2, 5)
    assert torch.equal(patches_of(vector, 8), vector[:, :, None])
    assert torch.equal(patches_of(series, 8), series.transpose(1, 2))
    masked = random(N, 5, seed=1) > 0
    assert torch.equal(without_patches(vector, masked, 8), vector * ~masked)
    assert torch.equal(without_patches(series, masked, 8), series * ~masked[:, None])


@pytest.mark.parametrize(("patches", "hidden"), [(64, 48), (5, 3), (2, 1), (1, 1)])
def test_so_many_patches_are_hidden_and_each_as_often(patches: int, hidden: int) -> None:
    numbers = torch.rand(2000, patches, generator=torch.Generator().manual_seed(0))
    masked = masked_places(numbers, 0.75)
    assert (masked.sum(1) == hidden).all()
    rates = masked.double().mean(0).tolist()
    assert rates == pytest.approx([hidden / patches] * patches, abs=0.05)
    largest = (numbers * masked).amax(1)
    assert (largest <= numbers.masked_fill(masked, 1).amin(1)).all()


# --------------------------------------------------------------------------- the loss


def mean_squared_error(predicted: Tensor, target: Tensor, masked: Tensor) -> list[float]:
    found = []
    for rows, wanted, hidden in zip(
        predicted.tolist(), target.tolist(), masked.tolist(), strict=True
    ):
        squares = [
            (x - y) ** 2
            for row, want, counts in zip(rows, wanted, hidden, strict=True)
            if counts
            for x, y in zip(row, want, strict=True)
        ]
        found.append(sum(squares) / len(squares))
    return found


def standardized(patch: list[float]) -> list[float]:
    mean = sum(patch) / len(patch)
    around = sum((x - mean) ** 2 for x in patch) / (len(patch) - 1)
    return [(x - mean) / math.sqrt(around + 1e-6) for x in patch]


def test_the_error_counts_masked_patches_alone() -> None:
    predicted, target = random(N, 6, 7).requires_grad_(), random(N, 6, 7, seed=1)
    masked = masked_places(random(N, 6, seed=2), 0.5)
    error = masked_error(predicted, target, masked)
    assert error.tolist() == pytest.approx(mean_squared_error(predicted, target, masked))
    error.sum().backward()
    assert predicted.grad is not None
    assert ((predicted.grad != 0) == masked[..., None]).all()
    elsewhere = target + 5 * ~masked[..., None]
    assert torch.equal(masked_error(predicted, elsewhere, masked), error)


def test_a_patch_is_normalized_by_its_own_mean_and_deviation() -> None:
    patches = 3 * random(N, 6, 7) + 2
    expected = [[standardized(patch) for patch in item] for item in patches.tolist()]
    torch.testing.assert_close(normalized(patches), torch.tensor(expected).double())
    assert (normalized(torch.full((1, 1, 7), 0.3)).abs() < 1e-3).all()
    assert torch.equal(normalized(patches[..., :1]), patches[..., :1])


@pytest.mark.parametrize("normalize", [True, False])
def test_the_loss_is_the_mean_over_modalities_of_plain_loops(normalize: bool) -> None:
    method = make(normalize_patches=normalize).eval()
    views = views_of(method)
    items, masked = views[:2], views[2:]
    loss = method.objective(views)
    expected = []
    for m, predicted in enumerate(method.predict(items, masked)):
        target = patches_of(items[m], 8)
        if normalize and m == 0:  # a feature of a vector is a patch of one number
            rows = [[standardized(patch) for patch in item] for item in target.tolist()]
            target = torch.tensor(rows).double()
        errors = mean_squared_error(predicted, target, masked[m])
        expected.append(sum(errors) / N)
    assert [x.item() for x in loss.terms.values()] == pytest.approx(expected)
    assert list(loss.terms) == ["error_1", "error_2"]
    assert loss.total.item() == pytest.approx(sum(expected) / 2)


def test_hidden_numbers_influence_no_prediction_but_are_the_target() -> None:
    method = make()
    views = views_of(method)
    items, masked = list(views[:2]), views[2:]
    assert [one.sum(1).tolist() for one in masked] == [[48] * N, [3] * N]
    before, loss = method.predict(items, masked), method.objective(views)
    for m in range(2):
        items[m] = items[m] + 7 * (1 - without_patches(torch.ones_like(items[m]), masked[m], 8))
    for one, other in zip(before, method.predict(items, masked), strict=True):
        assert torch.equal(one, other)
    assert method.objective((*items, *masked)).total != loss.total
    items[0] = items[0] + 7 * without_patches(torch.ones_like(items[0]), masked[0], 8)
    for one, other in zip(before, method.predict(items, masked), strict=True):
        assert not torch.allclose(one, other)  # both are predicted from what is fused


def test_every_parameter_learns() -> None:
    method = make(IMAGE, IMAGE, VECTOR).train()
    method.objective(views_of(method)).total.backward()
    for name, parameter in method.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_a_large_patch_is_made_of_a_small_code() -> None:
    large = Modality("large", "image", (3, 48, 48))
    method = make(IMAGE, large)
    assert method.shapes == [(64, 48), (64, 108)]
    outputs = [[p.shape[0] for n, p in d.named_parameters() if p.ndim > 1] for d in method.decoder]
    assert outputs == [[64 * 48], [64 * 64, 108]]
    assert [x.shape[1:] for x in method.predict(*_views_and_masks(method))] == method.shapes


def _views_and_masks(method: MAE) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    views = views_of(method)
    return views[:2], views[2:]


def test_images_that_cannot_be_cut_are_refused() -> None:
    with pytest.raises(InputError, match=r"images of 32 × 32 pixels .* into 5 × 5 patches"):
        make(patches=5)
    with pytest.raises(InputError, match="mae needs at least two modalities"):
        make(IMAGE)
    with pytest.raises(InputError, match="mask_rate"):
        MAEOptions(mask_rate=1.0)
