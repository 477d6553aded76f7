"""Rows of a study, made by hand: every kind of row, three modalities, names of all sorts."""

from __future__ import annotations

import itertools
from typing import Any

HOSTILE = "<script>alert('x')</script>\x1b[31m\u202e&\""
MODALITIES = ("sound", "video", HOSTILE)
ATOMS = ("redundancy", "unique1", "unique2", "synergy")


def study_rows() -> list[dict[str, Any]]:
    """All kinds of rows; every number is different, so that each can be looked for."""
    numbers = (place / 997 for place in itertools.count(1))

    def found() -> dict[str, float]:
        low, value, high = (next(numbers) for _ in range(3))
        return {"low": low, "value": value, "high": high}

    return [
        _about(),
        *(
            {
                "kind": "reading",
                "label": "mood",
                "features": features,
                "from": list(sources),
                "n": 240,
                "accuracy": next(numbers),
                "macro_accuracy": next(numbers),
                "majority": 0.375,
                "auc": None if features == "raw" else next(numbers),
                "bits": next(numbers),
                "low": next(numbers),
                "high": next(numbers),
                "held_out": next(numbers),
                "reader": "linear",
                "columns": 24,
            }
            for features in ("raw", "untrained", "supervised", "comm")
            for sources in _subsets()
        ),
        *(
            {
                "kind": "atoms",
                "label": "mood",
                "features": features,
                "estimator": estimator,
                "sources": list(pair),
                "partners": partners,
                "entropy": 1.25,
                "held_out": 0.875,
                "lost": found() if partners != "as given" else None,
                "atoms": {atom: found() for atom in ATOMS},
                "informations": {key: found() for key in ("source1", "source2", "both")},
                "assumes": f"what {estimator} assumes",
                "refused": None,
            }
            for pair in itertools.combinations(MODALITIES, 2)
            for features in ("raw", "comm")
            for estimator, partners in (
                ("minimum", "as given"),
                ("minimum", "shuffled within class"),
                ("dual", "as given"),
            )
        ),
        _refused("mood"),
        {
            "kind": "all",
            "label": "mood",
            "features": "comm",
            "sources": list(MODALITIES),
            "total": next(numbers),
            "union": found(),
            "synergy": found(),
            "unique": {name: found() for name in MODALITIES},
            "assumes": "what the best part is",
            "refused": None,
        },
        {
            "kind": "augmentation",
            "label": "mood",
            "modality": "sound",
            "views": "drop and noise",
            "before": next(numbers),
            "after": next(numbers),
            "taken": found(),
        },
        {
            "kind": "reading",
            "label": HOSTILE,
            "features": "raw",
            "from": ["sound"],
            "n": 240,
            "r2": -0.25,
            "mse": 12.5,
        },
        {
            "kind": "conclusion",
            "label": "mood",
            "sources": ["sound", "video"],
            "redundancy": "yes",
            "unique1": "no",
            "unique2": "open",
            "synergy": "open",
            "features": "comm",
            "text": f"Sound and video both tell the mood. {HOSTILE}",
        },
    ]


def _subsets() -> list[tuple[str, ...]]:
    return [MODALITIES, *((m,) for m in MODALITIES), *itertools.combinations(MODALITIES, 2)]


def _about() -> dict[str, Any]:
    return {
        "kind": "about",
        "data": HOSTILE,
        "modalities": [
            {"name": name, "kind": kind, "shape": shape}
            for name, kind, shape in zip(
                MODALITIES, ("series", "image", "vector"), ([128, 3], [3, 48, 48], [7]), strict=True
            )
        ],
        "sets": {"train": 800, "probe": 801, "test": 240},
        "groups": None,
        "labels": {
            "mood": {"kind": "classes", "classes": 3, "names": ["sad", HOSTILE], "majority": 0.375},
            HOSTILE: {"kind": "numbers", "classes": 1, "names": [], "majority": None},
        },
        "origin": {
            "notes": ["column 'city' of a.csv is a category of 2 values"],
            "files": {HOSTILE: "0123456789abcdef"},
            "normalized": {"sound": {"mean": [0.5] * 64}},
            "options": {"speeds": list(range(20))},
        },
        "seconds": {"train": 12.25, "read": 3.5},
        "settings": {"preset": "quick", "methods": ["comm"], "level": 0.95},
        "versions": {"trifeature": "0.1.0"},
        "device": "a processor",
    }


def _refused(label: str) -> dict[str, Any]:
    return {
        "kind": "atoms",
        "label": label,
        "features": "untrained",
        "estimator": "minimum",
        "sources": ["sound", "video"],
        "partners": "as given",
        "atoms": None,
        "informations": None,
        "assumes": "",
        "refused": "the model of sound predicts worse than the class frequencies do",
    }
