"""CoMM at two temperatures: its loss is the weighted sum of two of CoMM's."""

from typing import Any

import pytest
import torch
from torch import Tensor

from trifeature.comm.methods import make_method
from trifeature.comm.methods.two_temperatures import TwoTemperatures
from trifeature.comm.settings import run_preset
from trifeature.errors import InputError
from trifeature.modality import Modality

TINY: dict[str, Any] = {"width": 16, "heads": 2, "hidden": 16, "embedding": 8}
MODALITIES = [Modality(f"image{m + 1}", "image", (3, 32, 32)) for m in range(2)]


def make(name: str = "two-temperatures", **changes: Any) -> Any:
    torch.manual_seed(0)
    return make_method(run_preset("tiny", method=name, **TINY, **changes), MODALITIES).double()


def codes() -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    return (torch.randn(6, 3, 2, 16, generator=generator, dtype=torch.float64),)


def comm_loss(temperature: float, loss: str = "L_CoMM", head: Any = None) -> Tensor:
    """CoMM's own loss on the same codes, by a given head."""
    method = make("comm", temperature=temperature, loss=loss)
    method.head.load_state_dict(head.state_dict())
    wanted = codes()[0] if loss != "L" else codes()[0][:, :1]
    total: Tensor = method.loss_of((wanted,)).total
    return total


def test_the_loss_is_the_weighted_sum_of_comms_at_both_temperatures() -> None:
    method = make(temperature=0.1, second_temperature=0.5, second_weight=0.3, second_loss="L_i")
    low, high = comm_loss(0.1, head=method.head), comm_loss(0.5, "L_i", method.second_head)
    total = method.loss_of(codes()).total
    torch.testing.assert_close(total, 0.7 * 0.1 * low + 0.3 * 0.5 * high)


def test_heads_can_be_shared() -> None:
    method = make(temperature=0.1, second_temperature=0.5, loss="L", second_head="shared")
    assert method.second_head is None
    low, high = comm_loss(0.1, "L", method.head), comm_loss(0.5, head=method.head)
    total = method.loss_of(codes()).total
    torch.testing.assert_close(total, 0.5 * 0.1 * low + 0.5 * 0.5 * high)


@pytest.mark.parametrize(("weights", "expected"), [("falling", 0.75), ("rising", 0.25)])
def test_weights_change_with_the_progress_of_training(weights: str, expected: float) -> None:
    method = make(weights=weights)
    assert isinstance(method, TwoTemperatures)
    method.progress.fill_(0.25)
    assert float(method.weight) == expected
    method.progress.fill_(1.0)
    assert float(method.weight) == (0.0 if weights == "falling" else 1.0)


def test_gradients_of_a_similarity_are_alike_at_both_temperatures() -> None:
    # A loss times its temperature has the gradient of a softmax: of the same size at any τ.
    sizes = []
    for temperature in (0.05, 5.0):
        z = codes()[0].requires_grad_()
        method = make(temperature=temperature, second_weight=1e-9)
        method.loss_of((z,)).total.backward()
        assert z.grad is not None
        sizes.append(float(z.grad.norm()))
    assert 0.2 < sizes[0] / sizes[1] < 5
    assert "progress" not in method.state_dict()


def test_a_weight_above_one_is_refused() -> None:
    with pytest.raises(InputError, match=r"second_weight must be at most 1, not 1\.5"):
        make(second_weight=1.5)


def test_each_loss_can_have_a_fusion_of_its_own() -> None:
    # Seen from its own fusion, either loss is CoMM's with that fusion.
    method = make(second_fusion="own", temperature=0.1, second_temperature=0.5).eval()
    generator = torch.Generator().manual_seed(2)
    views = [torch.rand(8, 3, 32, 32, generator=generator, dtype=torch.float64) for _ in range(2)]
    (made,) = method.codes_of(tuple(views))
    assert made.shape == (4, 3, 2, 32)
    losses = []
    for fusion, head, temperature in (
        (method.fusion, method.head, 0.1),
        (method.second_fusion, method.second_head, 0.5),
    ):
        comm = make("comm", temperature=temperature).eval()
        comm.encoder, comm.converter = method.encoder, method.converter
        comm.fusion, comm.head = fusion, head
        losses.append(temperature * comm.loss_of(comm.codes_of(tuple(views))).total)
        both = comm.features(views, [(0,), (0, 1)])
        side = slice(0, 16) if fusion is method.fusion else slice(16, 32)
        for ours, theirs in zip(method.features(views, [(0,), (0, 1)]), both, strict=True):
            torch.testing.assert_close(ours[:, side], theirs)
    total = method.loss_of((made,)).total
    torch.testing.assert_close(total, (losses[0] + losses[1]) / 2)
    assert method.embed(tuple(views)).shape == (8, 8)
