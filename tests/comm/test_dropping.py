"""Asymmetric token dropping: which tokens go in which view, and that nothing else changes."""

from typing import Any

import pytest
import torch
from tiny_runs import image_pair, tiny_run
from torch import Tensor

from trifeature.comm.methods import make_method
from trifeature.comm.methods.comm import CoMM
from trifeature.comm.methods.dropping import Dropping, asymmetric_presence
from trifeature.comm.options import DroppingOptions
from trifeature.errors import InputError

N = 5


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def images(modalities: int = 2) -> tuple[Tensor, ...]:
    shape = (N, modalities, 3, 32, 32)
    return torch.randint(256, shape, dtype=torch.uint8, generator=generator()).unbind(1)


def make(method: str = "dropping", modalities: int = 2, **changes: Any) -> CoMM:
    torch.manual_seed(0)
    made = make_method(tiny_run(method=method, **changes), image_pair(modalities)).train()
    assert isinstance(made, CoMM)
    return made


@pytest.mark.parametrize("modalities", [2, 3])
def test_each_view_lacks_tokens_of_every_second_modality(modalities: int) -> None:
    random = [torch.rand(N, 3 + m, generator=generator()) for m in range(modalities)]
    present = asymmetric_presence(random, 0.75)
    for m, numbers in enumerate(random):
        for v in (0, 1):
            for n in range(N):
                for t in range(3 + m):
                    # Modality 1, 3, … in view 1 and 2, 4, … in view 2, counted from 1.
                    loses = v == m % 2 and numbers[n, t] < 0.75
                    assert present[m][v * N + n, t].item() is not bool(loses)


def test_as_many_tokens_go_as_the_rate_says() -> None:
    random = [torch.rand(400, 50, generator=generator())] * 2
    first, second = asymmetric_presence(random, 0.75)
    assert first[400:].all()
    assert second[:400].all()
    for some in (first[:400], second[400:]):
        assert some.float().mean().item() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("dropped", ["zero", "absent"])
@pytest.mark.parametrize("modalities", [2, 3])
def test_fused_embeddings_are_those_of_samples_fused_one_by_one(
    dropped: str, modalities: int
) -> None:
    method = make(modalities=modalities, dropped=dropped).eval()
    assert isinstance(method, Dropping)
    views = method.views(images(modalities), generator())
    *items, random = views
    (fused, _) = method.codes_of(views)
    tokens = [method.encode(x, m) for m, x in enumerate(items)]
    present = asymmetric_presence(list(random.split(method.token_counts, 1)), 0.75)
    assert not all(one.all() for one in present)
    for v in (0, 1):
        for n in range(N):
            rows = []
            for x, one in zip(tokens, present, strict=True):
                own, there = x[v * N + n], one[v * N + n]
                rows.append(own[there] if dropped == "absent" else own * there[:, None])
            alone = method.fusion([row[None] for row in rows], [method.all])[0, 0]
            torch.testing.assert_close(fused[n, 0, v], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dropped", ["zero", "absent"])
@pytest.mark.parametrize(
    "changes", [{}, {"unimodal": "plain"}, {"loss": "L"}, {"masking": "learned"}], ids=str
)
def test_without_a_dropped_token_it_is_comm(dropped: str, changes: dict[str, Any]) -> None:
    method, comm = make(dropped=dropped, **changes), make("comm", **changes)
    torch.testing.assert_close(method.state_dict(), comm.state_dict(), rtol=0, atol=0)
    *items, random = method.views(images(), generator())
    plain = comm.views(images(), generator())
    torch.testing.assert_close(tuple(items), plain, rtol=0, atol=0)
    whole = method.objective((*items, torch.ones_like(random)))
    some = method.objective((*items, random))
    expected = comm.objective(plain)
    torch.testing.assert_close(dict(whole.terms), dict(expected.terms), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(whole.total, expected.total, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(some.total, expected.total)


def test_the_passes_of_one_modality_and_the_probe_see_every_token() -> None:
    method, comm = make(), make("comm")
    views = method.views(images(), generator())
    _, alone = method.codes_of(views)
    (all_of_comm,) = comm.codes_of(views[:-1])
    torch.testing.assert_close(alone, all_of_comm[:, 1:], rtol=1e-4, atol=1e-5)
    clean = tuple(x.float() / 255 for x in images())
    for ours, theirs in zip(
        method.eval().features(clean, [[0, 1], [0]]),
        comm.eval().features(clean, [[0, 1], [0]]),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dropped", ["zero", "absent"])
def test_what_is_dropped_has_no_gradient(dropped: str) -> None:
    method = make(dropped=dropped, drop_rate=1.0, loss="L").eval()
    *items, random = method.views(images(), generator())
    for x in items:
        x.requires_grad_()
    (fused,) = method.codes_of((*items, random))
    fused.sum(dim=(0, 1, 2)).square().sum().backward()
    for m, x in enumerate(items):
        assert x.grad is not None
        first, second = x.grad.unflatten(0, (2, N)).abs().amax((1, 2, 3, 4))
        gone, left = (first, second) if m == 0 else (second, first)
        assert gone == 0
        assert left > 0


def test_a_zero_token_takes_attention_and_an_absent_one_does_not() -> None:
    zero, absent = (make(dropped=dropped, loss="L") for dropped in ("zero", "absent"))
    views = zero.views(images(), generator())
    assert not torch.allclose(zero.codes_of(views)[0], absent.codes_of(views)[0], atol=1e-4)


def test_options_that_leave_nothing_to_drop_are_refused() -> None:
    with pytest.raises(InputError, match="only attention has tokens to drop"):
        DroppingOptions(fusion="linear")
    with pytest.raises(InputError, match="drop_rate"):
        DroppingOptions(drop_rate=1.1)
