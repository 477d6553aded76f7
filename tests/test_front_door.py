"""`import trifeature` costs nothing and offers everything."""

import ast
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trifeature as tf
from trifeature.errors import InputError

HEAVY = ("torch", "torchvision", "matplotlib", "scipy", "pandas", "PIL", "numpy")


@pytest.mark.parametrize("name", tf.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(tf, name) is not None
    assert name in dir(tf)


def test_the_guide_lists_the_public_names() -> None:
    page = Path(__file__).parents[1] / "docs" / "guide" / "api" / "index.md"
    rows = [line for line in page.read_text("utf-8").splitlines() if line.startswith("| ")]
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(listed) == sorted(set(tf.__all__) - {"__version__"})


def test_type_checkers_see_every_public_name() -> None:
    tree = ast.parse(Path(tf.__file__).read_text("utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        (node.module, alias.asname)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == {(f"trifeature.{place}", name) for name, place in tf._PLACES.items()}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        tf.trian  # noqa: B018


API: Any = tf
XOR: Any = {"a": [0, 0, 1, 1], "b": [0, 1, 0, 1], "y": [0, 1, 1, 0]}
FEW: Any = {"a": [[0.0], [1.0]] * 20, "b": [[1.0], [0.0]] * 20}
LAST: Any = (FEW["a"], [0, 1] * 20)
ODD: tuple[Any, ...] = (None, "x", 2.5, math.nan, object(), np.zeros(2))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (API.build, "settings must be DatasetSettings"),
        (lambda x: API.generate("nowhere", x), "settings must be DatasetSettings"),
        (lambda x: API.with_pairs(x, [[0, 1]]), "dataset must be Dataset"),
        (lambda x: API.train(x, API.run_preset("tiny")), "data must be Samples or a Dataset"),
        (lambda x: API.train(API.Samples.from_arrays(FEW), x), "settings must be RunSettings"),
        (lambda x: API.new_method(API.run_preset("tiny"), x), "data must be Samples or a Dataset"),
        (lambda x: API.new_method(x, API.Samples.from_arrays(FEW)), "settings must be RunSettings"),
        (lambda x: API.complexity(x, ()), "settings must be RunSettings"),
        (lambda x: API.finetune(x, API.Samples.from_arrays(FEW), "y"), "method must be Method"),
        (API.study, "data must be Samples or a Dataset"),
        (lambda x: API.dual_atoms(x, x), "train must be PairedFeatures"),
        (API.register_kind, "kind must be Kind"),
        (API.register_experiment, "experiment must be Experiment"),
        (lambda x: API.Samples.from_arrays(FEW, [x]), "labels must be a dictionary by name"),
        (lambda x: API.Samples.from_arrays(FEW, kinds=[x]), "kinds must be a dictionary by name"),
        (lambda x: API.Samples.from_arrays(FEW, seed=x), "seed must be a whole number"),
        (
            lambda x: API.Samples.from_arrays(FEW, test_fraction=[x]),
            "test_fraction must be above 0",
        ),
        (lambda x: API.Samples.from_arrays(FEW).hide("a", sets=x), "sets? must be"),
        (lambda x: API.study(API.Samples.from_arrays(FEW), methods=x), "methods? must be"),
        (lambda x: API.Modality("m", "image", (3, x, 8)), "a side of modality 'm' must be a whole"),
        (lambda x: API.LogisticProbe([x]).fit(FEW["a"], [0, 1] * 20), "a cost must be above 0"),
        (
            lambda x: API.probe_features(FEW["a"], [0, 1] * 20, *LAST, folds=x),
            "folds must be a whole",
        ),
        (lambda x: API.atoms_of_columns([x], "a", "b", "y"), "columns must be a dictionary"),
        (
            lambda x: API.atoms_of_columns(XOR, x, "b", "y"),
            "a source is a name|column must be|column 'x'",
        ),
        (lambda x: API.broja(np.ones((2, 2, 2)) / 8, tolerance=[x]), "tolerance must be at least"),
        (lambda x: API.register_measure([x], len), "name must be text"),
        (lambda x: API.register_classifier([x], list), "name must be text"),
        (lambda x: API.register_encoder([x], list, "image"), "name must be text"),
        (lambda x: API.register_method([x], API.Method, API.Options), "name must be text"),
    ],
)
def test_a_value_of_another_kind_is_named(call: Any, words: str) -> None:
    for value in ODD:
        with pytest.raises(InputError, match=words) as caught:
            call(value)
        assert "\n" not in str(caught.value)


def test_packages_are_found_by_their_names() -> None:
    assert tf.pid.broja is tf.broja


@pytest.mark.processes
@pytest.mark.parametrize(
    ("module", "heavy"),
    [("trifeature", HEAVY), ("trifeature.pid", ("torch", "torchvision", "matplotlib", "pandas"))],
)
def test_importing_loads_nothing_heavy(module: str, heavy: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*sorted(set({heavy!r}) & set(sys.modules)))"
    found = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == ""
