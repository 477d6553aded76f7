"""What the playground's tests share: node, a browser, rows as comm-probe writes them."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trifeature.playground

SOURCES = Path(trifeature.playground.__file__).parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ATOMS_OF = "(a => [a.R, a.U1, a.U2, a.S])"
"""Four atoms of the page as a list, in a script for `node`."""
GATES = ("match", "parity", "sum", "and")


def node(script: str, data: Any = None) -> Any:
    """Run `script` with C = core.js, W = world.js and `data` at hand; what it returns."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("node is not installed: the page's JavaScript is not tested without a browser")
    wrapped = (
        f"const W = require({json.dumps(str(SOURCES / 'logic' / 'world.js'))});"
        f"const C = require({json.dumps(str(SOURCES / 'logic' / 'core.js'))});"
        "const data = JSON.parse(require('fs').readFileSync(0));"
        f"const result = (() => {{ {script} }})();"
        "console.log(JSON.stringify(result));"
    )
    done = subprocess.run(  # noqa: S603 - node, with our own sources
        [program, "-e", wrapped],
        input=json.dumps(data),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def browser_path() -> str:
    """An installed Chromium, or a skip with the reason."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")


def random_tables(count: int, seed: int = 0) -> Iterator[np.ndarray[Any, np.dtype[np.float64]]]:
    """Tables up to 4 x 4 x 4, every other one with zeros and ties."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        shape = rng.integers(1, 5, size=3)
        dense = index % 2 == 0
        weights = rng.exponential(size=shape) if dense else rng.integers(0, 4, shape) * 1.0
        weights.flat[rng.integers(weights.size)] += 1.0
        yield weights / weights.sum()


def packed(table: np.ndarray[Any, Any]) -> list[Any]:
    """[N, M, K, cells] for C.table."""
    return [*table.shape, table.ravel().tolist()]


EPOCHS = (0, 2, 4)


def recorded_rows(seeds: int = 3) -> list[dict[str, Any]]:
    """Rows of six arms as comm-probe writes them, the numbers made up."""
    rng = np.random.default_rng(0)
    arms = [("comm", "L_CoMM"), ("comm", "L"), ("comm", "L_i"), ("cross", "L_CoMM")]
    arms += [("cross+self", "L_CoMM"), ("factorcl", "L_CoMM")]
    rows = []
    for method, loss in arms:
        for seed in range(seeds):
            for biased in (True, False):
                for epoch in EPOCHS:
                    learned = 1 - math.exp(-epoch)
                    noise = rng.normal(0, 0.01, size=4)
                    top = np.array([0.98, 0.85, 0.8, 0.75 if biased else 0.6])
                    values = np.clip([0.6, 0.5, 0.5, 0.5] + learned * (top - 0.55) + noise, 0, 1)
                    synergy = values[3]
                    rows.append(
                        {
                            "key": f"{method}{loss}{seed}{biased}".encode().hex()[:16],
                            "preset": "tiny",
                            "method": method,
                            "loss": loss,
                            "encoder": "small",
                            "setting": "",
                            "biased": biased,
                            "seed": seed,
                            "validation": False,
                            "epochs": EPOCHS[-1],
                            "probing": "fixed",
                            "epoch": epoch,
                            "test_pairs": 4096,
                            **dict(zip(("R", "U1", "U2", "S"), values.tolist(), strict=True)),
                            "S_auc": min(1.0, synergy + 0.1),
                            "S_balanced": min(1.0, synergy + 0.05),
                        }
                    )
    return rows
