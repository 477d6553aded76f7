"""A small fingerprint of all that a row's numbers depend on beside its settings: the code.

A row's key is made of settings and `ROW_FORMAT`, so two versions of the code that measure
different things must differ in `ROW_FORMAT`, or old rows would pass for new ones. The fingerprint
is a few numbers from each part: pixels, pairs, views, losses, a training, probes.

    python tests/experiments/science.py

pins it beside `ROW_FORMAT` in science.json. Without a raised format it adds what is new, and
refuses to change what is there.
"""

import json
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from trifeature.comm.encoders import ENCODERS
from trifeature.comm.methods import METHODS, make_method
from trifeature.comm.options import OPTIONS
from trifeature.comm.settings import RunSettings, run_preset
from trifeature.comm.training import (
    Progress,
    learning_rate,
    make_optimizers,
    train,
)
from trifeature.data.dataset import Dataset, build, plan_images, plan_pairs, preset
from trifeature.data.render import RenderSettings, render
from trifeature.experiments.plan import ROW_FORMAT
from trifeature.probes import protocol
from trifeature.probes.i_nce import i_nce
from trifeature.probes.reading import ProbeResult
from trifeature.views.images import apply, draw
from trifeature.views.sets import ALL, CLEAN, LIGHT

PINNED: Final = Path(__file__).with_name("science.json")
Fingerprint = dict[str, list[float]]

TOLERANCES: Final = {
    "pixels": 1e-3,  # a sample on an edge may fall either way
    "pairs": 0.0,
    "draws": 1e-4,
    "views": 2e-3,
    "network": 2e-3,
    "losses": 1e-3,
    "training": 3e-2,  # processors differ in the last bit, and steps add such differences up
    "probe": 1e-3,
    "protocol": 1e-9,
}
"""How far numbers of each kind may lie from the pinned ones, as a share of them, between processors
and versions of torch: far less than a change of the code that is worth the name moves them."""

FLOOR: Final = 0.01
"""Numbers closer to 0 may lie as far off as this one."""


def fingerprint() -> Fingerprint:
    """Every part by `kind: name`; the kind is one of `TOLERANCES`."""
    with torch.random.fork_rng(devices=[]):
        data = build(preset("tiny", copies=1, test_copies=1, match_rate=1.0, **SIZES))
        parts = [_pixels(), _pairs(), _views(data), _networks(), _methods(data), _probes()]
        return {name: _rounded(values) for part in parts for name, values in part}


def differences(found: Fingerprint, pinned: Fingerprint) -> list[str]:
    """The pinned parts that are gone or lie further off than they may, in words."""
    words = []
    for name, expected in pinned.items():
        values = np.array(found.get(name, []))
        if values.shape != (len(expected),):
            words.append(f"{name}: {len(values)} numbers, not {len(expected)}")
            continue
        sizes = np.maximum(np.abs(expected), FLOOR)
        most = float((np.abs(values - expected) / sizes).max())
        if not most <= TOLERANCES[name.split(":")[0]]:
            words.append(f"{name}: off by {100 * most:.2g} %")
    return words


SIZES: Final = {"train_pairs": 48, "probe_pairs": 300, "test_pairs": 150}
Part = Iterator[tuple[str, Iterable[float]]]


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(float(value), 6) for value in values]


def _patches(images: Tensor, count: int = 4) -> list[float]:
    """The mean of each of count × count patches of images [N, 3, S, S], all colors together."""
    means = torch.nn.functional.adaptive_avg_pool2d(images.double().mean(1, keepdim=True), count)
    return list(means.flatten().tolist())


def _pixels() -> Part:
    """Every shape, texture and color on a small and on the paper's canvas."""
    ten = np.arange(10)
    table = np.stack([ten, ten[::-1], (ten + 3) % 10], axis=1)
    for canvas in (32, 224):
        images = render(table, 0, seed=3, settings=RenderSettings.for_canvas(canvas))
        yield f"pixels: {canvas}", [*_patches(images), *images.double().mean((0, 2, 3)).tolist()]


def _pairs() -> Part:
    """Images and labels of every set of pairs, the first of them and a checksum of all."""
    for name in ("tiny", "quick", "paper"):
        settings = preset(name, seed=1, match_rate=1.0, copies=1, test_copies=1, **SIZES)
        sets = plan_pairs(settings, plan_images(settings))
        values = list(settings.partners)
        for pairs in sets.values():
            table = np.column_stack([pairs.images, *pairs.labels.values()]).astype("<i8")
            values += [*table[:2].ravel().tolist(), zlib.crc32(table.tobytes())]
        yield f"pairs: {name}", values


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def _views(data: Dataset) -> Part:
    images = data.images["train"][:6]
    for name, views in (("all", ALL), ("light", LIGHT), ("clean", CLEAN)):
        drawn = draw(views, len(images), 32, _generator())
        numbers = [getattr(drawn, field.name).double().flatten() for field in fields(drawn)]
        yield f"draws: {name}", torch.cat(numbers).tolist()
        yield f"views: {name}", _patches(apply(images, drawn, views))


def _networks() -> Part:
    """What encoders make of one picture: ours untrained, AlexNet with weights that cost no time."""
    picture = torch.linspace(-1, 1, 3 * 96 * 96).sin().reshape(1, 3, 96, 96)
    torch.manual_seed(0)
    encoders = {"small": ENCODERS["small"].make((3, 32, 32))}
    for name in ("alexnet", "alexnet-unpooled"):
        with torch.device("meta"):
            encoder = ENCODERS[name].make((3, 96, 96))
        encoders[name] = encoder.to_empty(device="cpu")
        for parameter in encoder.parameters():
            wave = torch.arange(parameter.numel()).mul_(37).remainder_(101).sub_(50).float()
            parameter.data = wave.reshape(parameter.shape) / (25 * parameter[0].numel() ** 0.5)
    for name, encoder in encoders.items():
        with torch.inference_mode():
            maps = encoder.eval()(picture).double()
        yield f"network: {name}", [float(maps.mean()), float(maps.std()), float(maps[0, 0, 0, 0])]


def _small(**changes: Any) -> RunSettings:
    sizes = {"width": 16, "heads": 2, "hidden": 16, "embedding": 8, "vector": 12}
    options = {f.name for f in fields(OPTIONS[changes.get("method", "comm")])}
    own = {name: size for name, size in sizes.items() if name in options}
    return run_preset("tiny", batch_size=16, epochs=2, **(own | changes))


def _methods(data: Dataset) -> Part:
    """The losses of every method on one batch; optimizer, training and rates of the first.

    A method that needs a third modality gets the first images again, of other pairs.
    """
    samples = data.samples()
    pair = samples.batch("train", samples.rows_of("train")[:16])
    third = replace(samples.modalities[0], name="image3")
    cases: dict[str, dict[str, Any]] = {name: {"method": name} for name in METHODS}
    cases |= {f"comm, {loss}": {"loss": loss} for loss in ("L", "L_i")}
    cases |= {"comm, linear": {"fusion": "linear"}, "comm, learned": {"masking": "learned"}}
    for name, changes in cases.items():
        run = _small(**changes)
        needed = METHODS[run.method].least_modalities
        torch.manual_seed(run.seed)
        method = make_method(run, (*samples.modalities, third)[:needed])
        batch = (*pair, pair[0].roll(1, 0))[:needed]
        losses = [objective(method.views(batch, _generator())) for objective in method.objectives()]
        values = [value for loss in losses for value in (loss.total, *loss.terms.values())]
        yield f"losses: {name}", [value.item() for value in values]
    (optimizer,) = make_optimizers(method, _small(weight_decay=0.3))
    for place, group in enumerate(optimizer.param_groups):
        count = sum(parameter.numel() for parameter in group["params"])
        numbers = [count, group["weight_decay"], *group["betas"], 1e8 * group["eps"]]
        yield f"protocol: optimizer {place + 1}", numbers
    seen: list[Progress] = []
    method = train(data, _small(), report=seen.append)
    yield "training: comm", [value for one in seen for value in one.terms.values()]
    yield "training: i_nce", [i_nce(method, data) or 0.0]
    for name in ("tiny", "quick", "paper"):
        run = run_preset(name)
        rates = [learning_rate(run, step, 40) / run.learning_rate for step in range(0, 40, 3)]
        yield f"protocol: {name} rates", [1e4 * run.learning_rate, *rates]
        own = run_preset(name, method="factorcl")
        yield f"protocol: {name} factorcl", [1e4 * own.learning_rate, own.weight_decay, own.epochs]


def _probes() -> Part:
    """Both protocols on features of one attribute and a half, and what they are set to."""
    rng = np.random.default_rng(2)
    ids = rng.integers(25, size=(500, 2))
    labels = {"unique1": ids[:, 0] % 5, "synergy": (ids[:, 0] % 5 == ids[:, 1] // 5).astype(int)}
    features = np.eye(5)[labels["unique1"]] + rng.normal(size=(500, 5))
    features[:, 0] += labels["synergy"]
    train, test = (
        (features[part], {task: values[part] for task, values in labels.items()})
        for part in (slice(0, 350), slice(350, 500))
    )
    for name in ("fixed", "paper"):
        found = protocol.probe_features(*train, *test, groups=ids[:350], probing=name).results
        yield f"probe: {name}", [value for one in found.values() for value in _scores(one)]
    constants = (protocol.FOLDS, protocol.FOLD_SEED, protocol.VIEW_SEED)
    yield "protocol: probe", [*constants, *protocol.COSTS]


def _scores(result: ProbeResult) -> list[float]:
    own = [np.log10(result.cost or 1.0), result.macro_accuracy, result.cross_entropy]
    auc = [] if result.roc_auc is None else [result.roc_auc]
    beside = [one for one in (result.balanced, result.converged) if one is not None]
    return [*own, *auc, *(number for one in beside for number in _scores(one))]


def main() -> None:
    """Pin the fingerprint of the code as it is."""
    found = fingerprint()
    pinned: dict[str, Any] = {"format": 0, "parts": {}}
    if PINNED.exists():
        pinned = json.loads(PINNED.read_text())
    if pinned["format"] >= ROW_FORMAT:
        if changed := differences(found, pinned["parts"]):
            sys.exit("raise ROW_FORMAT first; changed: " + "; ".join(changed))
        found |= pinned["parts"]
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(found[name])}" for name in found)
    PINNED.write_text(f'{{"format": {ROW_FORMAT}, "parts": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    main()
