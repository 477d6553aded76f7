"""Every registered method learns through the real entry point; CoMM is wired as published."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_runs import fitting
from torch import Tensor

from trifeature.comm.losses import info_nce, loss_names, terms_of
from trifeature.comm.methods import METHODS, Loss, Method, make_method
from trifeature.comm.methods.comm import CoMM
from trifeature.comm.options import CoMMOptions
from trifeature.comm.settings import RunSettings, run_preset
from trifeature.comm.training import Progress, new_method, train
from trifeature.data.dataset import Dataset
from trifeature.errors import InputError
from trifeature.modality import Modality
from trifeature.samples import Samples
from trifeature.views.images import augment
from trifeature.views.sets import CLEAN, LIGHT

pytestmark = pytest.mark.usefixtures("fitted_once")
CANVAS = 32
TINY: dict[str, Any] = {"width": 16, "heads": 2, "hidden": 16, "embedding": 8, "vector": 12}


def settings(**changes: Any) -> RunSettings:
    return run_preset("tiny", **(fitting(changes.get("method", "comm"), TINY) | changes))


def modalities_of(count: int = 2, canvas: int = CANVAS) -> list[Modality]:
    return [Modality(f"image{m + 1}", "image", (3, canvas, canvas)) for m in range(count)]


def images(modalities: int = 2, samples: int = 6, canvas: int = CANVAS) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    shape = (samples, modalities, 3, canvas, canvas)
    return torch.randint(256, shape, dtype=torch.uint8, generator=generator).unbind(1)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_comm(modalities: int = 2, canvas: int = CANVAS, **changes: Any) -> CoMM:
    torch.manual_seed(0)
    method = make_method(settings(**changes), modalities_of(modalities, canvas))
    assert isinstance(method, CoMM)
    return method


def fewest(name: str) -> Method:
    """A method of as few modalities as it takes."""
    return make_method(settings(method=name), modalities_of(max(2, METHODS[name].least_modalities)))


def images_of(method: Method) -> tuple[Tensor, ...]:
    return images(len(method.modalities))


def normalized(batch: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return tuple(augment(x, CLEAN, generator()) for x in batch)


def loss_on(method: Method, batch: tuple[Tensor, ...], seed: int = 0) -> Loss:
    return method.objective(method.views(batch, generator(seed)))


# --------------------------------------------------------------------------- every method


def first_pairs(dataset: Dataset, count: int) -> Dataset:
    """The data set with only its first training pairs."""
    pairs = dataset.pairs["train"]
    labels = {task: values[:count] for task, values in pairs.labels.items()}
    few = replace(pairs, images=pairs.images[:count], labels=labels)
    return replace(dataset, pairs={**dataset.pairs, "train": few})


def triples(dataset: Dataset, count: int) -> Samples:
    """Samples of three images: those of each pair, and the first of the next pair."""
    samples = dataset.samples()
    first, second = samples.batch("train", samples.rows_of("train")[:count])
    names = ("image1", "image2", "image3")
    return Samples.from_arrays(dict(zip(names, (first, second, first.roll(1, 0)), strict=True)))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_two_steps(name: str, tiny: Dataset) -> None:
    run = settings(method=name, epochs=1, batch_size=8, schedule="constant")
    seen: list[Progress] = []
    two = METHODS[name].least_modalities <= 2
    data = first_pairs(tiny, 16) if two else triples(tiny, 16)
    trained = train(data, run, report=seen.append)
    before = new_method(run, data, torch.device("cpu")).state_dict()
    assert torch.tensor(list(seen[-1].terms.values())).isfinite().all()
    assert "loss" in seen[-1].terms
    assert not trained.training
    learned = dict(trained.named_parameters())
    assert all(p.isfinite().all() for p in learned.values())
    assert any(not torch.equal(p, before[name]) for name, p in learned.items())


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_a_probe_one_row_of_features_a_pair(name: str) -> None:
    method = fewest(name).eval()
    with torch.no_grad():
        both, first = method.features(normalized(images_of(method)), [[0, 1], [0]])
    for features in (both, first):
        assert features.ndim == 2
        assert len(features) == 6
        assert features.isfinite().all()


@pytest.mark.parametrize("name", METHODS)
def test_features_of_one_modality_do_not_depend_on_the_others(name: str) -> None:
    method = fewest(name).eval()
    batch = normalized(images_of(method))
    other = (batch[0], *(x.flip(0) for x in batch[1:]))
    with torch.no_grad():
        (own,), (same,) = (method.features(x, [[0]]) for x in (batch, other))
        (whole,), (changed,) = (method.features(x, [[0, 1]]) for x in (batch, other))
    assert torch.equal(own, same)
    assert not torch.equal(whole, changed)


@pytest.mark.parametrize("name", METHODS)
def test_a_loss_depends_on_its_generator_and_on_no_other_randomness(name: str) -> None:
    method = fewest(name)
    before = torch.get_rng_state()
    batch = images_of(method)
    one, same, other = (loss_on(method, batch, seed).total.item() for seed in (0, 0, 1))
    assert one == same
    assert one != other
    assert torch.equal(torch.get_rng_state(), before)


def test_an_unknown_method_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown method 'com': did you mean 'comm'"):
        settings(method="com")


@pytest.mark.parametrize("name", METHODS)
def test_a_method_refuses_fewer_modalities_than_it_needs(name: str) -> None:
    with pytest.raises(InputError, match=r"least (one|two|three) mod|two mod") as refused:
        make_method(settings(method=name), modalities_of(METHODS[name].least_modalities - 1))
    assert str(refused.value).startswith(name)


@pytest.mark.parametrize("name", METHODS)
def test_views_for_another_number_of_modalities_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="each of 3 modalities, not 2"):
        make_method(settings(method=name, views=(CLEAN, LIGHT)), modalities_of(3))


# --------------------------------------------------------------------------- CoMM's variants

VARIANTS: list[dict[str, Any]] = [
    {},
    {"masking": "learned"},
    {"unimodal": "plain"},
    {"negatives": "cross"},
    {"negatives": "algorithm1"},
    {"head_norm": False},
    {"fusion": "linear"},
    {"fusion": "linear", "unimodal": "plain"},
    {"masking": "learned", "unimodal": "plain", "negatives": "algorithm1", "head_norm": False},
    {"views": (CLEAN, LIGHT)},
    {"encoder": "alexnet", "canvas": 64},
    *({"loss": loss} for loss in loss_names(2)),
    *({"loss": loss, "unimodal": "plain"} for loss in loss_names(2)),
    *({"loss": loss, "modalities": 3} for loss in loss_names(3)),
    *({"loss": loss, "fusion": "linear"} for loss in loss_names(2)),
    *({"loss": loss, "masking": "learned"} for loss in loss_names(2)),
]


def describe(variant: dict[str, Any]) -> str:
    values = (key if key == "views" else f"{key}={value}" for key, value in variant.items())
    return ",".join(values) or "default"


def unused(method: CoMM) -> set[str]:
    """Parameters that a loss does not touch.

    Without a term of one modality alone nothing is masked, and of the linear fusion's maps of one
    modality only those of the loss's terms are used. Every encoder is always used: the fused
    embedding of the other view sees all modalities.
    """
    alone = {m for m in method.all if f"L_{m + 1}" in method.terms}
    model = method.options
    if model.fusion == "linear":
        others = set(method.all) - alone
        return {f"fusion.single.{m}.{kind}" for m in others for kind in ("weight", "bias")}
    return {"fusion.mask"} if model.masking == "learned" and not alone else set()


def cancelled(method: CoMM) -> set[str]:
    """Biases that the head's BatchNorm takes away again: their gradient is rounding error."""
    if not method.options.head_norm:
        return set()
    linear = method.options.fusion == "linear"
    linear_maps = tuple(f"encoder.{m}.2." for m in method.all)
    before = (*linear_maps, "fusion.") if linear else ("fusion.norm_final.",)
    names = {name for name, _ in method.named_parameters() if name.startswith(before)}
    biases = {name for name in names if name.endswith("bias")}
    return biases | {"head.layers.0.bias", "head.layers.3.bias"}


@pytest.mark.parametrize("variant", VARIANTS, ids=describe)
def test_every_variant_teaches_every_parameter_it_uses(variant: dict[str, Any]) -> None:
    method = make_comm(**variant).train()
    canvas = method.modalities[0].shape[-1]
    loss = loss_on(method, images(len(method.modalities), canvas=canvas))
    loss.total.backward()
    assert loss.total.isfinite()
    reach = {
        name: 0.0 if parameter.grad is None else parameter.grad.abs().max().item()
        for name, parameter in method.named_parameters()
    }
    strongest = max(reach.values())
    assert 0 < strongest < math.inf
    assert {name for name, gradient in reach.items() if gradient == 0} >= unused(method)
    taught = {name for name, gradient in reach.items() if gradient > 1e-5 * strongest}
    assert taught - cancelled(method) == set(reach) - unused(method) - cancelled(method)


@pytest.mark.parametrize("modalities", [2, 3])
@pytest.mark.parametrize("unimodal", ["augmented", "plain"])
def test_comm_minimizes_the_mean_of_the_terms_its_loss_names(
    modalities: int, unimodal: str
) -> None:
    whole = make_comm(modalities, unimodal=unimodal)
    terms = loss_on(whole, images(modalities)).terms
    assert list(terms) == ["L", *(f"L_{m + 1}" for m in range(modalities))]
    for loss in loss_names(modalities):
        one = loss_on(make_comm(modalities, unimodal=unimodal, loss=loss), images(modalities))
        expected = torch.stack([terms[name] for name in terms_of(loss, modalities)]).mean()
        torch.testing.assert_close(one.total, expected)
        assert set(one.terms) == {"L", *terms_of(loss, modalities)}


def embed(method: CoMM, tokens: Sequence[Tensor], subset: Sequence[int]) -> Tensor:
    """One embedding by a head call of its own, as published: float [N, embedding]."""
    fused = method.fusion(tokens, [subset])
    projected: Tensor = method.head(fused)[0]
    return projected


@pytest.mark.parametrize("modalities", [2, 3])
@pytest.mark.parametrize("unimodal", ["augmented", "plain"])
@pytest.mark.parametrize(
    "variant",
    [*({"masking": masking} for masking in CoMMOptions.choices["masking"]), {"fusion": "linear"}],
    ids=str,
)
def test_comm_compares_the_embeddings_that_the_paper_compares(
    modalities: int, unimodal: str, variant: dict[str, Any]
) -> None:
    # Two views that do nothing are the plain image: then every embedding is known, and the
    # BatchNorm of the encoder sees the same statistics in each pass.
    changes: dict[str, Any] = {
        "unimodal": unimodal,
        "views": (CLEAN,),
        "temperature": 0.2,
    } | variant
    method = make_comm(modalities, **changes).train()
    batch = normalized(images(modalities))
    terms = loss_on(method, images(modalities)).terms
    tokens = [method.encode(x, m) for m, x in enumerate(batch)]
    fused = embed(method, tokens, range(modalities))
    expected = {"L": info_nce(fused, fused, 0.2)}
    for m in range(modalities):
        expected[f"L_{m + 1}"] = info_nce(embed(method, tokens, [m]), fused, 0.2)
    torch.testing.assert_close(dict(terms), expected, rtol=1e-4, atol=1e-5)


def test_the_plain_unimodal_view_is_drawn_from_no_randomness() -> None:
    method = make_comm(unimodal="plain", loss="L_1", fusion="linear").train()
    seen = []
    method.fusion.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][0]))
    for seed in (0, 1):
        loss_on(method, images(), seed)
    first_views, first_plain, second_views, second_plain = seen
    assert not torch.equal(first_views, second_views)
    assert torch.equal(first_plain, second_plain)


def test_the_views_of_each_modality_are_its_own() -> None:
    method = make_comm(views=(CLEAN, LIGHT))
    own = images()[0]
    clean = augment(own, CLEAN, generator())
    assert torch.equal(method.augment(own, 0, generator()), clean)
    assert not torch.equal(method.augment(own, 1, generator()), clean)


@pytest.mark.parametrize("modalities", [2, 3])
def test_comm_reads_each_subset_of_the_modalities(modalities: int) -> None:
    method = make_comm(modalities).eval()
    batch = normalized(images(modalities))
    subsets = [list(range(modalities)), *([m] for m in range(modalities))]
    with torch.no_grad():
        features = method.features(batch, subsets)
        again = [method.features(batch, [subset])[0] for subset in subsets]
    assert [f.shape for f in features] == [(6, TINY["width"])] * len(subsets)
    torch.testing.assert_close(features, again)
    assert not torch.allclose(features[0], features[1])


@pytest.mark.parametrize("variant", [{"masking": "learned"}, {"fusion": "linear"}], ids=str)
def test_no_way_of_leaving_a_modality_out_lets_it_through(variant: dict[str, Any]) -> None:
    method = make_comm(**variant).eval()
    batch = normalized(images())
    other = (batch[0].flip(0), batch[1])
    with torch.no_grad():
        (own,), (same,) = (method.features(x, [[1]]) for x in (batch, other))
    assert torch.equal(own, same)


@pytest.mark.parametrize(("loss", "nearest"), [("L_3", "L_i"), ("L_comm", "L_CoMM"), ("Li", "L_i")])
def test_an_unknown_loss_is_refused_with_what_there_is(loss: str, nearest: str) -> None:
    with pytest.raises(InputError, match=f"unknown loss '{loss}': did you mean '{nearest}'"):
        make_comm(loss=loss)


def test_a_width_that_does_not_fit_the_heads_is_refused() -> None:
    with pytest.raises(InputError, match="3 heads do not divide"):
        make_comm(heads=3)


@pytest.mark.parametrize(
    ("method", "setting", "value"),
    [
        ("cross", "loss", "L_i"),
        ("factorcl", "fusion", "linear"),
        ("comm", "cross_self", "paper"),
        ("cross+self", "negatives", "cross"),
    ],
)
def test_an_option_of_another_method_is_refused(method: str, setting: str, value: str) -> None:
    with pytest.raises(InputError) as refused:
        run_preset("tiny", method=method, **{setting: value})
    assert str(refused.value).startswith(f"{setting} is an option of ")
    assert str(refused.value).endswith(f", not of {method}")
    assert str(refused.value).endswith(f", not of {method}")
