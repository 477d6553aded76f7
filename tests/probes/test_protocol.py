"""Probes with known answers: ideal codes score 100 %, constants score chance.

The images here are plain: the red, green and blue of each are the indices of its shape, texture
and color, so that a fake method can read the attributes off the pixels and hand out any code.
"""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from plain_images import Code, Fake, K, SideBySide, coded_dataset, one_hot, partners_of
from sklearn.neighbors import KNeighborsClassifier
from tiny_runs import image_pair
from torch import Tensor

from trifeature.comm.methods import make_method
from trifeature.comm.settings import run_preset
from trifeature.data.dataset import Dataset, PairSet
from trifeature.errors import InputError
from trifeature.probes import authors, protocol
from trifeature.probes.names import PROBINGS, Probing, read_protocol
from trifeature.probes.protocol import CleanCodes, extract, extract_aligned, probe
from trifeature.samples import Samples
from trifeature.views.sets import IMAGENET_MEAN, IMAGENET_STD


@pytest.fixture(scope="module")
def data() -> Dataset:
    return coded_dataset()


def products(attributes: Tensor, subset: Sequence[int]) -> Tensor:
    """Besides, one number for each texture of image 1 with each color of image 2."""
    own = one_hot(attributes, subset)
    if len(subset) < 2:
        return own
    cell = attributes[:, 0, 1] * K + attributes[:, 1, 2]
    return torch.cat([own, F.one_hot(cell, K * K)], dim=1)


def match_of(dataset: Dataset) -> Code:
    """Besides, whether all images together keep the map."""
    partners = torch.tensor(dataset.settings.partners)

    def code(attributes: Tensor, subset: Sequence[int]) -> Tensor:
        own = one_hot(attributes, subset)
        if len(subset) < attributes.shape[1]:
            return own
        match = (attributes[:, 1:, 2] == partners[attributes[:, 0, 1]][:, None]).all(1)
        return torch.cat([own, match[:, None]], dim=1)

    return code


def constant(attributes: Tensor, subset: Sequence[int]) -> Tensor:
    del subset
    return torch.full((len(attributes), 3), 2.5)


# --------------------------------------------------------------------------- known answers


@pytest.mark.parametrize("probing", PROBINGS)
def test_ideal_codes_score_100_percent(data: Dataset, probing: Probing) -> None:
    code = match_of(data)

    def larger(attributes: Tensor, subset: Sequence[int]) -> Tensor:
        """At length 1, cost 1 of the authors' search lies where weights just become nonzero."""
        return 10 * code(attributes, subset)

    row = probe(Fake(larger), data, probing=probing).row()
    assert {name: row[name] for name in ("R", "U1", "U2", "U", "S")} == dict.fromkeys(
        ("R", "U1", "U2", "U", "S"), 1.0
    )
    assert row["S_auc"] == 1.0


def test_products_of_the_linked_attributes_make_synergy_readable(data: Dataset) -> None:
    row = probe(Fake(products), data).row()
    assert row["S"] == 1.0
    assert row["S_auc"] == 1.0
    assert row["S_balanced"] == 1.0


@pytest.mark.parametrize("probing", PROBINGS)
def test_constants_score_chance_exactly(data: Dataset, probing: Probing) -> None:
    row = probe(Fake(constant), data, probing=probing).row()
    for task in ("R", "U1", "U2", "U"):
        assert row[task] == pytest.approx(1 / K)
    assert row["S"] == 0.5
    assert row["S_auc"] == 0.5


def test_constants_leave_all_the_bits_of_the_labels(data: Dataset) -> None:
    reading = probe(Fake(constant), data)
    row = reading.row()
    for task, labels in data.pairs["probe"].labels.items():
        share = np.bincount(labels) / len(labels)
        truth = data.pairs["test"].labels[task]
        assert row["bits"][reading.column(task)] == pytest.approx(
            -np.log2(share)[truth].mean(), abs=1e-4
        )


def test_texture_and_color_side_by_side_do_not_make_synergy_readable(data: Dataset) -> None:
    row = probe(Fake(one_hot), data).row()
    assert (row["R"], row["U1"], row["U2"]) == (1.0, 1.0, 1.0)
    assert row["S"] == 0.5
    assert row["S_auc"] == pytest.approx(0.5, abs=0.15)


def test_each_image_alone_tells_its_own_unique_attribute_and_no_other(data: Dataset) -> None:
    row = probe(Fake(match_of(data)), data, alone=True).row()
    assert row["S"] == 1.0
    for own, other in ((1, 2), (2, 1)):
        alone = row[f"image{own}"]
        assert alone["R"] == 1.0
        assert alone[f"U{own}"] == 1.0
        assert alone[f"U{other}"] == pytest.approx(1 / K, abs=0.12)
        assert alone["S"] == 0.5


def test_three_modalities_are_probed_together_and_each_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "COSTS", (1.0, 10.0))
    data = coded_dataset(modalities=3)
    row = probe(Fake(match_of(data), 3), data, alone=True).row()
    assert [row[name] for name in ("R", "U1", "U2", "U3", "U", "S")] == [1.0] * 6
    for own in (1, 2, 3):
        alone = row[f"image{own}"]
        assert alone[f"U{own}"] == 1.0
        assert alone["U"] < 0.6
        assert alone["S"] == 0.5


def test_synergy_that_is_only_side_by_side_is_read_from_products(data: Dataset) -> None:
    method = Fake(partners_of(data))
    plain, multiplied = (probe(method, data, probing=p).row() for p in ("ours", "products"))
    assert plain["S_auc"] < 0.6
    assert (multiplied["S"], multiplied["S_auc"], multiplied["S_balanced"]) == (1, 1, 1)
    features = [
        extract(method.eval(), data.samples(), "test", [[0], [1], [0, 1]], p)
        for p in ("ours", "products")
    ]
    assert [x.shape[1] for x in features[0]] == [K, K, 2 * K]
    assert [x.shape[1] for x in features[1]] == [K, K, 3 * K]


def test_features_of_unequal_lengths_have_no_products() -> None:
    with pytest.raises(InputError, match="one length for every modality, not 3, 2"):
        probe(SideBySide(speech()), speech(), probing="products")


# --------------------------------------------------------------------------- any tasks


def speech(tasks: Sequence[str] = ("speaker", "loud"), count: int = 240) -> Samples:
    """Two vectors; the first tells the speaker and half of whether it is loud."""
    rng = np.random.default_rng(0)
    speaker, loud = rng.integers(3, size=count), rng.integers(2, size=count)
    labels = {"speaker": np.array(["ann", "bob", "cleo"])[speaker], "loud": loud == 1}
    return Samples.from_arrays(
        {"audio": np.eye(3)[speaker] + 1e-3, "video": loud[:, None] + np.zeros((1, 2))},
        {task: labels[task] for task in tasks},
        groups=np.arange(count) % 12,
    )


def test_any_tasks_are_reported_and_modalities_alone_by_their_name() -> None:
    reading = probe(SideBySide(speech()), speech(), alone=True)
    row = reading.row()
    assert set(row) == {
        *("speaker", "loud", "loud_auc", "loud_balanced", "audio", "video"),
        *("speaker_accuracy", "speaker_majority", "loud_accuracy", "loud_majority"),
        *("bits", "costs", "confusion", "information", "test_pairs"),
    }
    assert (row["speaker"], row["loud"], row["loud_auc"], row["loud_balanced"]) == (1, 1, 1, 1)
    assert row["audio"]["speaker"] == row["video"]["loud"] == 1.0
    assert max(row["audio"]["loud"], row["video"]["speaker"]) < 0.8
    assert "truth" not in row["information"]["speaker"]
    assert reading.tasks["speaker"].names == ("ann", "bob", "cleo")


def test_columns_means_and_binary_tasks_are_what_the_tasks_say() -> None:
    samples = speech()
    speaker, loud = samples.tasks["speaker"], samples.tasks["loud"]
    named = {
        "speaker": replace(speaker, column="Shape", mean="both"),
        "loud": replace(loud, column="Uproar", mean="both"),
    }
    row = probe(SideBySide(samples), replace(samples, tasks=named)).row()
    assert row["both"] == (row["Shape"] + row["Uproar"]) / 2
    assert row["information"]["both"]["entropy"] == pytest.approx(
        (row["information"]["Shape"]["entropy"] + row["information"]["Uproar"]["entropy"]) / 2
    )
    assert "Uproar_auc" in row
    assert "U" not in row


@pytest.mark.usefixtures("one_cost")
@pytest.mark.parametrize("column", ["bits", "audio", "loud"])
def test_two_columns_of_one_name_are_refused(column: str) -> None:
    samples = speech()
    tasks = {**samples.tasks, "speaker": replace(samples.tasks["speaker"], column=column)}
    with pytest.raises(InputError, match=f"two columns '{column}'"):
        probe(SideBySide(samples), replace(samples, tasks=tasks), alone=True)


def test_samples_without_a_task_are_refused() -> None:
    with pytest.raises(InputError, match="no task to probe"):
        probe(SideBySide(speech()), speech(()))


def test_a_method_is_probed_by_a_classifier_of_ones_own(data: Dataset) -> None:
    row = probe(Fake(products), data, classifier=KNeighborsClassifier(5), alone=True).row()
    assert row["R"] > 0.8
    assert row["S_balanced"] is None
    assert row["classifier"] == "KNeighborsClassifier"
    assert set(row["image1"]) == {"R", "U1", "U2", "U", "S"}


# --------------------------------------------------------------------------- honesty


def with_shuffled_labels(dataset: Dataset, pair_set: PairSet) -> Dataset:
    pairs = dataset.pairs[pair_set]
    order = np.random.default_rng(0).permutation(len(pairs))
    labels = {task: values[order] for task, values in pairs.labels.items()}
    return replace(dataset, pairs={**dataset.pairs, pair_set: replace(pairs, labels=labels)})


@pytest.mark.parametrize("probing", PROBINGS)
def test_the_test_labels_have_no_part_in_the_fit(
    data: Dataset, probing: Probing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authors, "_coarse_to_fine", lambda accuracies: accuracies([1e-2, 1.0, 1e2]))
    shuffled = with_shuffled_labels(data, "test")
    honest, blind = (probe(Fake(one_hot), d, probing=probing) for d in (data, shuffled))
    for task, result in honest.results.items():
        assert result.cost == blind.results[task].cost
        assert result.held_out_accuracy == blind.results[task].held_out_accuracy
        np.testing.assert_array_equal(
            result.log_probabilities, blind.results[task].log_probabilities
        )
    assert blind.results["share"].macro_accuracy < 0.4


def test_the_training_pairs_have_no_part_in_the_probe(data: Dataset) -> None:
    without = replace(data, pairs={k: v for k, v in data.pairs.items() if k != "train"})
    assert probe(Fake(products), without).row() == probe(Fake(products), data).row()


def test_a_probe_is_fitted_on_the_probe_pairs(data: Dataset) -> None:
    shuffled = with_shuffled_labels(data, "probe")
    row = probe(Fake(match_of(data)), shuffled).row()
    assert row["R"] < 0.6
    assert row["S"] < 0.7


def test_probing_twice_gives_the_same_numbers(data: Dataset) -> None:
    method = make_method(run_preset("tiny", width=8, heads=2, hidden=8, embedding=4), image_pair())
    small = replace(data, items={k: (x.repeat(1, 1, 8, 8),) * 2 for k, x in data.images.items()})
    for probing in PROBINGS:
        one, other = (
            extract(method.eval(), small.samples(), "test", [[0, 1]], probing) for _ in range(2)
        )
        assert torch.equal(one[0], other[0])


# --------------------------------------------------------------------------- features and rows


def test_features_come_in_the_order_of_the_pairs_across_batches(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trifeature.probes.protocol.BATCH", 128)
    both, second = extract(Fake(one_hot), data.samples(), "probe", [[0, 1], [1]])
    shown = data.tables["train"].attributes[data.pairs["probe"].images]
    expected = one_hot(torch.from_numpy(shown), [0, 1]).float()
    assert torch.equal(both, expected)
    assert torch.equal(second, expected[:, 3 * K :])


def test_kept_codes_are_those_of_the_method_items_and_samples_asked_for(data: Dataset) -> None:
    """Nothing is taken for the codes of what they are not of."""
    encoded: list[int] = []

    class Counting(Fake):
        def encode(self, images: Tensor, modality: int) -> Tensor:
            encoded.append(len(images))
            return super().encode(images, modality)

    method, samples = Counting(one_hot), data.samples()
    pairs = data.pairs["test"]
    relabeled = replace(pairs, labels={task: 1 - y % 2 for task, y in pairs.labels.items()})
    turned = replace(pairs, images=pairs.images[:, ::-1].copy())
    other_images = {str(name): (x.flip(0),) * 2 for name, x in data.images.items()}
    codes = CleanCodes()
    (first,) = extract(method, samples, "test", [[0, 1]], codes=codes)
    again = replace(data, pairs={**data.pairs, "test": relabeled}).samples()
    counts = len(encoded)
    (kept,) = extract(method, again, "test", [[0, 1]], codes=codes)
    extract_aligned(method, again, "test", codes=codes)
    assert torch.equal(kept, first)
    assert len(encoded) == counts
    others = (
        (Counting(one_hot), samples),
        (method, replace(data, pairs={**data.pairs, "test": turned}).samples()),
        (method, replace(samples, items=other_images)),
    )
    for one, own in others:
        expected = extract(one, own, "test", [[0, 1]])[0]
        counts = len(encoded)
        assert torch.equal(extract(one, own, "test", [[0, 1]], codes=codes)[0], expected)
        assert len(encoded) > counts


def test_our_probing_sees_plain_images_and_the_authors_random_crops(tiny: Dataset) -> None:
    class Pixels(Fake):
        def encode(self, images: Tensor, modality: int) -> Tensor:
            del modality
            return images.flatten(1)

        def combine(
            self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]
        ) -> list[Tensor]:
            return [torch.cat([codes[m] for m in subset], dim=1) for subset in subsets]

    method = Pixels(constant)
    mean, std = (torch.tensor(x)[:, None, None] for x in (IMAGENET_MEAN, IMAGENET_STD))
    shown = tiny.images["test"][torch.from_numpy(tiny.pairs["test"].images)]
    plain = ((shown / 255 - mean) / std).flatten(1)
    (own,) = extract(method, tiny.samples(), "test", [[0, 1]], "ours")
    (cropped,) = extract(method, tiny.samples(), "test", [[0, 1]], "authors")
    torch.testing.assert_close(own, plain)
    assert cropped.shape == plain.shape
    assert (cropped - plain).abs().amax(1).min() > 0.1  # no image is left as it was


def test_a_row_holds_every_number_by_its_short_name(data: Dataset) -> None:
    reading = probe(Fake(one_hot), data)
    row = reading.row()
    assert set(row) == {
        *("R", "U1", "U2", "U", "S", "S_auc", "S_balanced"),
        *("bits", "costs", "confusion", "information", "test_pairs"),
    }
    assert sum(map(sum, row["confusion"]["S"])) == row["test_pairs"]
    assert set(row["bits"]) == set(row["costs"]) == {"R", "U1", "U2", "S"}
    assert row["test_pairs"] == len(data.pairs["test"])
    assert row["U"] == (row["U1"] + row["U2"]) / 2
    assert row["S_auc"] == reading.results["synergy"].roc_auc
    assert row["costs"]["U2"] == reading.results["unique2"].cost


def test_what_is_infinite_in_a_row_is_null(data: Dataset) -> None:
    pairs = data.pairs["probe"]
    keep = pairs.labels["unique1"] != 1
    labels = {task: values[keep] for task, values in pairs.labels.items()}
    fitted = replace(pairs, images=pairs.images[keep], labels=labels)
    found = probe(Fake(constant), replace(data, pairs={**data.pairs, "probe": fitted}))
    assert found.results["unique1"].cross_entropy == np.inf
    row = found.row()
    assert row["bits"]["U1"] is None
    assert row["information"]["U1"]["cross_entropy"] is None
    assert row["information"]["U"]["cross_entropy"] is None
    assert row["information"]["U1"]["fano"] is not None
    json.dumps(row, allow_nan=False)


def test_a_probe_reads_a_method_in_evaluation_mode(data: Dataset) -> None:
    method = Fake(constant).train()
    probe(method, data)
    assert not method.training


def test_unknown_probing_is_refused_with_the_nearest(data: Dataset) -> None:
    with pytest.raises(InputError, match="unknown probing 'author': did you mean 'authors'"):
        probe(Fake(constant), data, probing="author")


def test_older_names_of_the_protocols_are_read() -> None:
    names = ("ours", "fixed", "authors", "paper", "official")
    assert [read_protocol(name) for name in names] == ["ours"] * 2 + ["authors"] * 3


def test_features_that_are_not_finite_are_refused(data: Dataset) -> None:
    with pytest.raises(InputError, match="finite"):
        probe(Fake(lambda a, _: torch.full((len(a), 2), torch.nan)), data)
