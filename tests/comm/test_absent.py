"""Methods on series, tokens, vectors and images of which steps, or whole items, are absent."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch
from tiny_runs import TINY_MODEL, fitting
from torch import Tensor

from trifeature.comm import settings as encoder_names
from trifeature.comm.encoders import ENCODERS, Encoder
from trifeature.comm.methods import METHODS, Method
from trifeature.comm.networks import AttentionFusion, mean_token, split_absent
from trifeature.comm.settings import RunSettings, run_preset
from trifeature.comm.training import load_run, method_for, new_method, train
from trifeature.errors import InputError
from trifeature.probes.protocol import extract, probe
from trifeature.samples import Samples
from trifeature.views.series import SeriesViews

P: Final = 24
LABEL: Final = np.arange(P) % 2
TAKING: Final = [name for name, method in METHODS.items() if method.takes_absent]
REFUSING: Final = [name for name in METHODS if name not in TAKING]


def settings(method: str, **changes: Any) -> RunSettings:
    sizes = fitting(method, TINY_MODEL)
    return run_preset("tiny", method=method, **sizes | {"epochs": 1, "batch_size": 8} | changes)


def items(seed: int = 0, extra: int = 0) -> dict[str, Any]:
    """Series of 9 to 16 steps, texts of 1 to 4 words, vectors."""
    rng = np.random.default_rng(seed)
    lengths = [16 + extra, *rng.integers(9, 17, size=P - 1)]
    return {
        "series": [rng.normal(size=(n, 3)) + LABEL[p] for p, n in enumerate(lengths)],
        "text": [" ".join(rng.choice(list("abcde"), rng.integers(1, 5))) for _ in range(P)],
        "vector": rng.normal(size=(P, 5)),
    }


def samples(count: int = 3, **more: Any) -> Samples:
    splits = ["train"] * 16 + ["test"] * 8
    chosen = dict(list(items(**more).items())[:count])
    return Samples.from_arrays(chosen, {"y": LABEL}, splits=splits)


# --------------------------------------------------------------------------- the fusion


def test_absent_tokens_count_for_nothing_and_have_no_gradient() -> None:
    torch.manual_seed(0)
    fusion = AttentionFusion(8, 2, partial=True)
    tokens = torch.randn(3, 4, 8)
    tokens[0, 2:], tokens[1] = torch.nan, torch.nan
    tokens.requires_grad_()
    fused = fusion([tokens], [[0]])[0]
    few = torch.stack([fusion([tokens[:1, :2]], [[0]])[0, 0], *fusion([tokens[2:]], [[0]])[0]])
    assert torch.allclose(fused[[0, 2]], few, atol=1e-6)
    (fused * torch.randn_like(fused)).sum().backward()
    assert tokens.grad is not None
    assert (tokens.grad[0, 2:] == 0).all()
    assert tokens.grad[2].abs().min() > 0
    assert all(p.grad.isfinite().all() for p in fusion.parameters() if p.grad is not None)


def test_learned_masking_puts_the_mask_token_in_the_place_of_absent_ones() -> None:
    torch.manual_seed(0)
    fusion = AttentionFusion(8, 2, "learned", partial=True)
    assert fusion.mask is not None
    tokens = torch.randn(2, 4, 8)
    shown = tokens.clone()
    tokens[:, 3], shown[:, 3] = torch.nan, fusion.mask.detach()
    assert torch.allclose(fusion([tokens], [[0]]), fusion([shown], [[0]]), atol=1e-6)


def test_the_mean_token_is_of_the_present_ones() -> None:
    x = torch.tensor([[[1.0], [3.0], [torch.nan]], [[torch.nan]] * 3])
    assert mean_token(x).tolist() == [[2.0], [0.0]]
    assert split_absent([x])[1][0].tolist() == [[True, True, False], [False] * 3]


# --------------------------------------------------------------------------- every method


@pytest.mark.parametrize("name", TAKING)
def test_methods_learn_from_series_texts_and_vectors(name: str) -> None:
    least, three = METHODS[name].least_modalities, name != "factorcl"
    data = samples(max(least, 3) if three else 2)
    trained = train(data, settings(name))
    assert all(p.isfinite().all() for p in trained.parameters())
    (features,) = extract(trained, data, "test", [[0, 1]])
    assert features.isfinite().all()
    assert "y" in probe(trained, data).row()


@pytest.mark.parametrize("name", REFUSING)
def test_methods_that_need_every_step_say_so(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} cannot learn from 'series', of which some items"):
        new_method(settings(name), samples(2))


@pytest.mark.parametrize("name", ["comm", "cross", "comm+cross", "simclr"])
def test_an_embedding_depends_neither_on_its_batch_nor_on_the_padding(name: str) -> None:
    data = samples()
    method = new_method(settings(name), data).eval()
    batch = data.batch("train", data.rows_of("train")[:6])

    def features(given: tuple[Tensor, ...]) -> Tensor:
        with torch.no_grad():
            return method.features(given, [[0, 1, 2]])[0]

    whole = features(batch)
    alone = torch.cat([features(tuple(x[n : n + 1] for x in batch)) for n in range(6)])
    assert torch.allclose(whole, alone, atol=1e-5)
    longer = replace(data.modalities[0], shape=(32, 3))
    data = replace(data, modalities=(longer, *data.modalities[1:]))
    method = new_method(settings(name), data).eval()  # with the same weights
    padded = torch.cat([batch[0], torch.full_like(batch[0], torch.nan)], dim=1)
    assert torch.allclose(whole, features((padded, *batch[1:])), atol=1e-5)


# --------------------------------------------------------------------------- absent modalities


def test_a_hidden_modality_leaves_the_features_of_the_others() -> None:
    data = samples()
    method = new_method(settings("comm"), data).eval()
    (others,) = extract(method, data, "test", [[0, 2]])
    hidden = data.hide("text")
    (whole,) = extract(method, hidden, "test", [[0, 1, 2]])
    assert torch.allclose(whole, others, atol=1e-6)
    assert "y" in probe(method, hidden).row()


def test_hiding_one_image_leaves_the_scale_of_the_other() -> None:
    x = np.random.default_rng(0).integers(256, size=(2, P, 3, 16, 16), dtype=np.uint8)
    data = Samples.from_arrays({"a": x[0], "b": x[1]}, {"y": LABEL})
    method = new_method(settings("cross", encoder="small"), data).eval()
    whole, hidden = (
        extract(method, d, "test", [[1]], "authors")[0] for d in (data, data.hide("a", share=0.5))
    )
    assert torch.allclose(whole.mean(0), hidden.mean(0), atol=0.5)


@pytest.mark.parametrize("name", ["comm", "cross"])
def test_images_and_vectors_may_be_absent_from_test_samples(name: str) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(P, 3, 16, 16), dtype=np.uint8)
    here = np.arange(P) < 20
    data = Samples.from_arrays(
        {"image": images, "vector": rng.normal(size=(P, 4))},
        {"y": LABEL},
        splits=["train"] * 16 + ["test"] * 8,
        present={"image": here, "vector": here[::-1] | (np.arange(P) < 16)},
    )
    trained = train(data, settings(name, encoder="small"))
    (features,) = extract(trained, data, "test", [[0, 1]])
    assert features.isfinite().all()
    assert (features[4:].std(0) > 0).any()


def images_and_vectors(**more: Any) -> Samples:
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(2, P, 3, 16, 16), dtype=np.uint8)
    given = {"first": images[0], "second": images[1], "vector": rng.normal(size=(P, 4))}
    return Samples.from_arrays(given, {"y": LABEL}, splits=["train"] * 16 + ["test"] * 8, **more)


@pytest.mark.parametrize("name", ["comm", "cross"])
def test_a_run_on_complete_samples_reads_samples_that_lack_a_modality(
    name: str, tmp_path: Path
) -> None:
    data = images_and_vectors()
    method = train(data, settings(name, encoder="small"), tmp_path / "run")
    assert method_for(method, data) is method
    (whole,) = extract(method, data, "test", [[0, 1, 2]])
    for lacking in ("first", "vector"):
        half = data.hide(lacking, share=0.5)
        lacks = torch.from_numpy(half.absent("test").any(1))
        (found,) = extract(method_for(method, half), half, "test", [[0, 1, 2]])
        assert lacks.sum() == 4
        assert found.isfinite().all()
        # Weights are the same: samples that lack nothing have the features that they had.
        assert torch.allclose(found[~lacks], whole[~lacks], atol=1e-5)
        assert (found[lacks] - whole[lacks]).abs().amax(1).min() > 1e-3
        (again,) = extract(load_run(tmp_path / "run", half), half, "test", [[0, 1, 2]])
        assert torch.equal(again, found)


def texts(length: int, words: int = 5, features: int = 3) -> Samples:
    """Texts and images whose sides are 8 pixels more than there are words in a text."""
    tokens = np.arange(P * length).reshape(P, length) % words
    images = np.zeros((P, 3, length + 8, length + 8), np.uint8)
    items = {"text": tokens, "image": images, "vector": np.zeros((P, features))}
    return Samples.from_arrays(items, {"y": LABEL}, kinds={"text": "tokens"})


def test_longer_samples_are_read_and_those_that_need_other_weights_refused() -> None:
    method = new_method(settings("comm", encoder="small"), texts(8)).eval()
    (features,) = extract(method, texts(16), "test", [[0, 1, 2]])
    assert features.isfinite().all()
    for other, words in (
        (texts(8, words=6), r"text \(tokens 8 of 5 words\).*text \(tokens 8 of 6 words\)"),
        (texts(8, features=4), r"vector \(vector 3\); these samples are .*vector \(vector 4\)$"),
        (images_and_vectors(), r"the method was trained on text .*; these samples are first"),
    ):
        with pytest.raises(InputError, match=words):
            method_for(method, other)


def test_what_is_hidden_is_told_by_the_origin() -> None:
    data = images_and_vectors()
    assert "hidden" not in data.origin
    hidden = data.hide("vector", share=0.5).hide("first", seed=2)
    assert [note["modality"] for note in hidden.origin["hidden"]] == ["vector", "first"]
    assert hidden.origin["sha256"] == data.origin["sha256"]


def test_partial_images_are_seen_at_the_brightness_of_complete_ones() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(256, size=(P, 3, 16, 16), dtype=np.uint8)
    data = Samples.from_arrays(
        {"partial": picture, "whole": picture}, present={"partial": np.arange(P) < 23}
    )
    assert {x.dtype for x in data.items["all"]} == {torch.uint8, torch.float32}
    method = new_method(settings("cross", encoder="small"), data)
    rows = data.rows_of("train")
    made = method.light_views(data.batch("train", rows), torch.Generator().manual_seed(0))
    means = [float(x.nanmean()) for x in made]
    assert abs(means[0] - means[1]) < 0.1


def test_training_samples_need_every_modality() -> None:
    data = samples().hide("text", sets=("train",), share=0.5)
    with pytest.raises(InputError, match=r"8 training samples lack a modality \(the first: item "):
        train(data, settings("comm"))


# --------------------------------------------------------------------------- joint views


def joint_views(transform: str) -> list[Tensor]:
    views = SeriesViews((transform,), drop=(0.5, 0.5), drop_probability=1.0)
    x = {name: np.random.default_rng(0).normal(5, 1, size=(P, 8, 2)) for name in "ab"}
    data = Samples.from_arrays(x, standardize=False)
    method: Method = new_method(settings("comm", views=(views,)), data)
    batch = data.batch("train", data.rows_of("train")[:8])
    made = method.augment_all(batch, torch.Generator().manual_seed(0), copies=2)
    assert all(view.shape == (16, 8, 2) for view in made)
    return [(view == 0).all(-1) for view in made]


def test_joint_views_drop_the_same_steps_of_every_series() -> None:
    first, second = joint_views("multi_drop")
    assert (first.sum(1) == 4).all()
    assert torch.equal(first, second)
    assert not torch.equal(first[:8], first[8:])
    first, second = joint_views("drop")
    assert not torch.equal(first, second)


# --------------------------------------------------------------------------- dropout


class Noisy(torch.nn.Module):
    """Dropout that is no `nn.Dropout` module."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrence = torch.nn.GRU(3, 4, num_layers=2, dropout=0.5, batch_first=True)

    def forward(self, items: Tensor) -> Tensor:
        tokens: Tensor = self.recurrence(items)[0]
        return tokens


def test_dropout_of_any_kind_repeats_with_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENCODERS, "noisy", Encoder(lambda _: Noisy(), ("series",)))
    monkeypatch.setattr(encoder_names, "ENCODER_NAMES", [*encoder_names.ENCODER_NAMES, "noisy"])
    x = np.random.default_rng(0).normal(size=(P, 8, 3))
    data = Samples.from_arrays({"a": x, "b": x[:, 0]}, encoders={"a": "noisy"})
    runs = [train(data, settings("cross")).state_dict() for _ in range(2)]
    assert all(torch.equal(one, runs[1][name]) for name, one in runs[0].items())


def test_dropout_repeats_with_the_seed_and_leaves_the_global_generator() -> None:
    data = samples(2)
    data = replace(
        data, modalities=(replace(data.modalities[0], encoder="transformer"), *data.modalities[1:])
    )
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    runs = [train(data, settings("cross")).state_dict() for _ in range(2)]
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(x, runs[1][name]) for name, x in runs[0].items())
