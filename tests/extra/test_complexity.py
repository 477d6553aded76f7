"""Complexity against counts by hand: AlexNet layer by layer, CoMM product by product."""

import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny_runs import image_pair, images_for, methods_of_pairs
from torch import nn
from typer.testing import CliRunner

from trifeature.cli.probe import app
from trifeature.comm.encoders import alexnet_maps
from trifeature.comm.methods import METHODS, make_method
from trifeature.comm.networks import count_parameters
from trifeature.comm.options import CrossOptions
from trifeature.comm.settings import RunSettings, run_preset
from trifeature.errors import InputError
from trifeature.extra.complexity import (
    COLUMNS,
    PUBLISHED,
    WARM_UP,
    Complexity,
    complexity,
    count_flops,
    short,
    table,
)
from trifeature.files import read_rows

SMALL_MACS = 24 * 3 * 16 * 16**2 + 48 * 24 * 16 * 8**2 + 96 * 48 * 16 * 4**2
"""The small encoder: outputs × inputs × kernel × pixels of its three convolutions."""


def quick(method: str = "comm", **changes: object) -> RunSettings:
    return run_preset("tiny", method=method, **changes)


# --------------------------------------------------------------------------- counting


def test_alexnet_has_its_known_number_of_macs() -> None:
    """0.656 GMAC an image at 224 px without the classifier."""
    layers = [  # outputs, inputs, kernel, pixels
        (64, 3, 11**2, 55**2),
        (192, 64, 5**2, 27**2),
        (384, 192, 3**2, 13**2),
        (256, 384, 3**2, 13**2),
        (256, 256, 3**2, 13**2),
    ]
    by_hand = sum(o * i * kernel * pixels for o, i, kernel, pixels in layers)
    macs = count_flops(alexnet_maps(), torch.zeros(1, 3, 224, 224)) / 2
    assert macs == by_hand
    assert macs == pytest.approx(0.656e9, rel=1e-3)


def test_a_product_counts_two_operations_a_term_and_the_rest_nothing() -> None:
    layers = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.LayerNorm(7), nn.Softmax(1))
    assert count_flops(layers, torch.zeros(3, 5)) == 2 * 3 * 5 * 7


def test_counting_keeps_no_gradient() -> None:
    layer = nn.Linear(2, 2)
    seen: list[torch.Tensor] = []
    count_flops(lambda x: seen.append(layer(x)), torch.zeros(1, 2))
    assert not seen[0].requires_grad


# --------------------------------------------------------------------------- a method's numbers


def test_comm_costs_what_its_products_say() -> None:
    """T = 2 × 16 tokens beside CLS, D = 128, H heads: the attention of the CLS row only."""
    D, channels, places = 128, 96, 33
    H = quick().option("heads")
    converters = 2 * 16 * channels * D
    query = D * D + D * D  # of CLS, then folded with the keys
    attention = places * D * H + H * places * D  # scores, then averages of the tokens
    after = D * D + D * D + 2 * D * 4 * D  # values, output, feed-forward
    found = complexity(quick(), image_pair(), repetitions=1)
    assert found.backbone_macs == 2 * SMALL_MACS
    assert found.macs == 2 * SMALL_MACS + converters + query + attention + after
    assert found.flops == 2 * found.macs


def test_cross_costs_its_encoders_and_projectors() -> None:
    model = quick("cross").options
    assert isinstance(model, CrossOptions)
    vectors = 2 * (96 * 4 * 4 * model.vector + model.vector * model.width)
    found = complexity(quick("cross"), image_pair(), repetitions=1)
    assert found.macs == 2 * SMALL_MACS + vectors


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_its_numbers(method: str) -> None:
    images = images_for(method)
    found = complexity(quick(method), images, repetitions=2)
    assert found.flops > found.backbone_flops == 2 * len(images) * SMALL_MACS
    assert found.parameters == count_parameters(make_method(quick(method), images))
    assert found.latency_ms > 0
    assert found.latency_spread_ms >= 0


def test_modalities_multiply_the_backbones() -> None:
    found = complexity(quick(), image_pair(3), repetitions=1)
    assert found.backbone_macs == 3 * SMALL_MACS


def test_a_batch_multiplies_what_every_pair_costs() -> None:
    one, four = (complexity(quick("cross"), image_pair(), batch=b, repetitions=1) for b in (1, 4))
    assert four.flops == 4 * one.flops
    assert four.parameters == one.parameters


def test_the_papers_comm_adds_little_to_two_alexnets() -> None:
    found = complexity(run_preset("paper"), image_pair(2, 224), repetitions=1)
    assert found.backbone_macs == pytest.approx(2 * 0.656e9, rel=1e-3)
    assert found.macs == pytest.approx(found.backbone_macs, rel=0.02)


def test_the_random_numbers_of_others_are_left_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    complexity(quick(), image_pair(), repetitions=1)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_counts_the_same_operations() -> None:
    there = complexity(quick(), image_pair(), repetitions=2, device="cuda")
    assert there.flops == complexity(quick(), image_pair(), repetitions=1).flops


# --------------------------------------------------------------------------- latency


def test_latency_is_the_median_and_the_distance_of_the_quartiles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A clock on which the passes after the warm-up take 1, 2, 3, 4 and 100 ms."""
    durations = [*[9.0] * WARM_UP, 0.004, 0.001, 0.1, 0.002, 0.003]
    ticks = [0.0, *itertools.accumulate(x for d in durations for x in (d, 0.5))]
    clock = iter(ticks)
    fake = SimpleNamespace(perf_counter=lambda: next(clock))
    monkeypatch.setattr("trifeature.extra.bench.timing.time", fake)
    found = complexity(quick(), image_pair(), repetitions=5)
    assert found.latency_ms == pytest.approx(3.0)
    assert found.latency_spread_ms == pytest.approx(2.0)


def test_a_single_pass_has_no_spread() -> None:
    assert complexity(quick(), image_pair(), repetitions=1).latency_spread_ms == 0


@pytest.mark.parametrize("name", ["batch", "repetitions"])
def test_numbers_below_one_are_refused(name: str) -> None:
    arguments: dict[str, Any] = {name: 0}
    with pytest.raises(InputError, match=f"{name} must be a whole number of at least 1, not 0"):
        complexity(quick(), image_pair(), **arguments)


def test_a_canvas_too_small_for_the_network_is_refused() -> None:
    with pytest.raises(InputError, match="do not fit the encoder"):
        complexity(quick(), image_pair(2, 1))


# --------------------------------------------------------------------------- the table

ONE = Complexity(
    flops=2_650_000_000,
    backbone_flops=2_622_266_112,
    parameters=9_012_345,
    latency_ms=24.63,
    latency_spread_ms=0.8,
    repetitions=20,
    batch=1,
    shapes=((3, 224, 224), (3, 224, 224)),
    device="a processor",
)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (655_566_528, "656M"),
        (9.22e12, "9.22T"),
        (1.17e9, "1.17G"),
        (512, "512"),
        (999_600, "1.00M"),
        (12_340, "12.3k"),
    ],
)
def test_numbers_are_shortened_to_three_digits(number: float, text: str) -> None:
    assert short(number) == text


def test_the_table_sets_the_papers_models_below_ours() -> None:
    lines = table({"comm": ONE})
    assert lines[0] == list(COLUMNS)
    assert lines[1] == ["comm", "2.65G", "1.32G", "1.31G", "9.01M", "24.6 ± 0.4"]
    assert lines[2] == ["paper: CLIP", "251G", "126G", "–", "222M", "488"]
    assert [line[0] for line in lines[2:]] == [f"paper: {name}" for name in PUBLISHED]
    assert {len(line) for line in lines} == {len(COLUMNS)}


def test_the_papers_macs_are_half_its_flops_too() -> None:
    for numbers in PUBLISHED.values():
        assert numbers["macs"] == pytest.approx(numbers["flops"] / 2, rel=0.01)


def test_a_row_goes_through_json() -> None:
    row = json.loads(json.dumps(ONE.row()))
    assert row["macs"] == ONE.flops // 2
    assert row["device"] == "a processor"


# --------------------------------------------------------------------------- the command

runner = CliRunner()
QUICK = ["--preset", "tiny", "--repetitions", "1", "--device", "cpu"]


def test_the_command_prints_the_methods_asked_for_and_appends_their_rows(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    options = ["--method", "comm", "--method", "cross", "--json", "--rows", str(rows)]
    result = runner.invoke(app, ["complexity", *QUICK, *options])
    assert result.exit_code == 0, result.output
    printed = json.loads(result.output)
    assert list(printed) == ["comm", "cross"]
    kept = read_rows(rows)
    assert [row["settings"]["method"] for row in kept] == ["comm", "cross"]
    assert [row["flops"] for row in kept] == [one["flops"] for one in printed.values()]
    assert all(row["kind"] == "complexity" and "commit" in row for row in kept)


def test_the_command_prints_every_method_of_pairs_and_the_papers_values() -> None:
    result = runner.invoke(app, ["complexity", *QUICK])
    assert result.exit_code == 0, result.output
    for word in (*methods_of_pairs(), "paper: CLIP", "126G", "for scale only"):
        assert word in result.output
    assert "triangle" not in result.output


def test_the_command_refuses_a_method_that_needs_more_modalities() -> None:
    result = runner.invoke(app, ["complexity", *QUICK, "--method", "triangle"])
    assert result.exit_code == 2
    assert "triangle needs at least three modalities" in result.output


def test_the_command_prints_latex() -> None:
    result = runner.invoke(app, ["complexity", *QUICK, "--method", "comm", "--latex"])
    assert result.output.startswith(r"\begin{tabular}{lrrrrr}")
    assert r"$\pm$" in result.output


@pytest.mark.parametrize(
    "options", [["--method", "clip"], ["--encoder", "vit"], ["--preset", "huge"]]
)
def test_the_command_refuses_names_that_do_not_exist(options: list[str]) -> None:
    result = runner.invoke(app, ["complexity", *QUICK, *options])
    assert result.exit_code == 2
    assert "unknown" in result.output
