"""`comm-probe study`: what modalities tell about labels, each alone and together, as a report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.markup import escape

from trifeature.cli.common import INTERRUPTED, bold, echo, errors, print_table, say
from trifeature.cli.options import (
    DataOptionOption,
    EpochsOption,
    FolderOption,
    PresetOption,
    refuse_unused,
)
from trifeature.cli.progress import counting
from trifeature.comm.options import OPTIONS
from trifeature.errors import InputError, check_name
from trifeature.pid.atoms import ATOM_NAMES
from trifeature.presets import get_preset

if TYPE_CHECKING:
    from trifeature.real.own.files import OwnFiles
    from trifeature.samples import Samples

NO_METHOD: Final = "none"
"""In place of a method: nothing is trained, readers see the data as they are."""

MANIFEST: Final = "dataset.json"
"""The file by which a folder is a Trifeature data set."""


def study(
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA...",
            help="A set of real data by name (`trifeature data list`), a Trifeature data set's "
            "folder, or files of your own, each a modality: CSV and other delimited text, Parquet, "
            ".npy, .npz.",
        ),
    ],
    label: Annotated[
        list[str] | None,
        typer.Option(help="What is asked about; several times for several. [all labels]"),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="Of files: the one that holds the labels; it may be one of them."),
    ] = None,
    number: Annotated[
        list[str] | None, typer.Option(help="Of files: a column of numbers to be predicted.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(help="Of files: a column of what samples share: a person, a film, a place."),
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option("--id", help="Of files: the column that joins their rows. [their order]"),
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(help="Of files: a column to leave out; several times.")
    ] = None,
    missing: Annotated[
        str | None,
        typer.Option(
            help="Of files, where a value or a whole item is missing: refuse; drop the row; or the "
            "mean of the training rows, for a value. [refuse]"
        ),
    ] = None,
    data_option: DataOptionOption = None,
    folder: FolderOption = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help=f"What is trained and read; several times, or {NO_METHOD}. One of "
            f"{', '.join(OPTIONS)}. [comm]"
        ),
    ] = None,
    epochs: EpochsOption = None,
    preset_name: PresetOption = "quick",
    seed: Annotated[int, typer.Option(help="Of splits, training, readers.", min=0)] = 0,
    level: Annotated[float, typer.Option(help="Confidence level of the intervals.")] = 0.95,
    controls: Annotated[
        bool,
        typer.Option(
            help="Also read an untrained and a supervised network, augmented items, and partners "
            "shuffled within class."
        ),
    ] = True,
    out: Annotated[
        Path, typer.Option(help="Folder of the report: index.html, rows.jsonl.", file_okay=False)
    ] = Path("report"),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write into a folder that holds other things too.")
    ] = False,
) -> None:
    """Study what each modality, and several together, tell about labels, and write a report.

    It trains a method, reads each label from all modalities, from each alone and from all but each,
    and says in bits what is redundant, unique and synergistic for these readers, beside controls,
    with intervals, and what a careful person would conclude.
    """
    methods = _methods(method)
    get_preset(preset_name)
    named = _named(data)
    of_files = {
        "--labels": labels is not None,
        "--number": bool(number),
        "--group": group is not None,
        "--id": id_ is not None,
        "--drop": bool(drop),
        "--missing": missing is not None,
    }
    of_sets = {"--data-option": bool(data_option), "--folder": folder is not None}
    if named != "files":
        refuse_unused(of_files, "goes with files of your own")
    if named != "set":
        refuse_unused(of_sets, "goes with a set of real data by name")
    from trifeature.studies.folder import require_place

    require_place(out, overwrite=overwrite)
    if named == "files":
        from trifeature.real.own.files import OwnFiles

        chosen = OwnFiles(
            labels=None if labels is None else str(labels),
            label=tuple(label or ()),
            number=tuple(number or ()),
            group=group,
            id=id_,
            drop=tuple(drop or ()),
            missing=missing or "refuse",
            seed=seed,
        )
        samples = _of_files(data, chosen, complete=bool(methods))
    else:
        samples = _of_one(data[0], named, folder, read_data_options(data_option or ()), label)
    from trifeature.studies.run import study as run_study

    asked = None if named == "files" else label
    with _stopped_without_report(), counting("percent of the study") as count:
        found = run_study(
            samples,
            asked,
            methods,
            epochs=epochs,
            preset=preset_name,
            seed=seed,
            level=level,
            controls=controls,
            report=lambda _, share: count(round(100 * share), 100),
        )
    page = found.save(out, overwrite=overwrite)
    print_study(found.rows)
    say(f"report: {bold(page)}")


@contextmanager
def _stopped_without_report() -> Iterator[None]:
    """Say on Ctrl-C that nothing is kept: a study is written when it is whole."""
    try:
        yield
    except KeyboardInterrupt:
        errors.print("\nstopped: no report was written", style="yellow")
        raise typer.Exit(INTERRUPTED) from None


def _methods(names: Sequence[str] | None) -> tuple[str, ...]:
    """The methods to train; CoMM by default."""
    chosen = tuple(names or ("comm",))
    for name in chosen:
        check_name("method", name, (*OPTIONS, NO_METHOD))
    if NO_METHOD not in chosen:
        return chosen
    if len(chosen) > 1:
        raise InputError(f"--method {NO_METHOD} goes with no other method")
    return ()


def _named(data: Sequence[str]) -> str:
    """What is named: "set" of real data, "folder" of a Trifeature data set, or "files"."""
    from trifeature.real.catalog import SOURCES

    folders = [one for one in data if Path(one).expanduser().is_dir()]
    names = [one for one in data if one in SOURCES]
    if len(data) == 1:
        if folders and (Path(data[0]).expanduser() / MANIFEST).exists():
            return "folder"
        if names:
            return "set"
        if not folders and not Path(data[0]).suffix and not Path(data[0]).expanduser().exists():
            check_name("set of real data, folder or file", data[0], SOURCES)
    elif names and not Path(names[0]).exists():
        raise InputError(f"{names[0]} is a set of real data: it is studied by itself")
    if folders:
        raise InputError(f"{folders[0]} is a folder, but no Trifeature data set: name its files")
    return "files"


def read_data_options(words: Sequence[str]) -> dict[str, Any]:
    """Options of a reader from KEY=VALUE; a value is read as JSON, else it is text.

    Raises:
        InputError: no KEY=VALUE, or a key that stands twice.

    >>> read_data_options(["seed=1", "rule=parity", "views=[1, 2]"])
    {'seed': 1, 'rule': 'parity', 'views': [1, 2]}
    """
    found: dict[str, Any] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or not key.strip():
            raise InputError(f"--data-option needs KEY=VALUE, not {word!r}")
        if key.strip() in found:
            raise InputError(f"--data-option {key.strip()} is given twice")
        try:
            found[key.strip()] = json.loads(value)
        except ValueError:
            found[key.strip()] = value
    return found


def _of_files(paths: Sequence[str], options: OwnFiles, *, complete: bool) -> Samples:
    """Samples of a user's files; says what was decided for them."""
    from trifeature.real.own.files import read_own_files

    files = [Path(path).expanduser() for path in paths]
    samples = read_own_files(files, options, complete=complete)
    for note in samples.origin["notes"]:
        say(escape(note))
    return samples


def _of_one(
    name: str,
    what: str,
    folder: Path | None,
    options: Mapping[str, Any],
    label: Sequence[str] | None,
) -> Samples:
    """Samples of a set of real data, or of a Trifeature data set; the labels exist."""
    if what == "folder":
        from trifeature.data import storage

        samples = storage.load(Path(name).expanduser()).samples()
    else:
        from trifeature.real.settings import CHECK, RealSettings

        own = {key: value for key, value in options.items() if key != CHECK}
        samples = RealSettings(name, own, folder, options.get(CHECK, True)).build()
    for one in label or ():
        check_name("label", one, samples.tasks)
    return samples


# --------------------------------------------------------------------------- output


def print_study(rows: Sequence[Mapping[str, Any]]) -> None:
    """A table of what is read about each label, and conclusions; of many, the verdicts alone."""
    readings = [row for row in rows if row["kind"] == "reading"]
    for label in dict.fromkeys(row["label"] for row in readings):
        _print_readings(label, [row for row in readings if row["label"] == label])
    concluded = [row for row in rows if row["kind"] == "conclusion"]
    for row in concluded:
        verdicts = (f"{name} {row[name]}" for name in ATOM_NAMES)
        echo(f"{row['label']}, {' and '.join(row['sources'])}: {', '.join(verdicts)}")
        if len(concluded) <= SPELLED:
            echo(f"{row['text']}\n")


SPELLED: Final = 4
"""Most conclusions whose paragraphs are printed; the report has all."""

SCORES: Final = {
    "accuracy": ("accuracy, %", 100),
    "macro_f1": ("macro F1, %", 100),
    "r2": ("R²", 1),
}
"""The first of these that a label's readings have is printed: words and factor."""


def _print_readings(label: str, rows: Sequence[Mapping[str, Any]]) -> None:
    from trifeature.studies.page import FEATURES
    from trifeature.studies.pictures import source_words

    score = next((name for name in SCORES if any(row.get(name) is not None for row in rows)), None)
    if score is None:
        return
    words, factor = SCORES[score]
    everything = max((row["from"] for row in rows), key=len)
    shown = [row for row in rows if len(row["from"]) in (1, len(everything))]
    sources = list(dict.fromkeys(tuple(row["from"]) for row in shown))
    sources.sort(key=len, reverse=True)
    cells = {(row["features"], tuple(row["from"])): row.get(score) for row in shown}
    lines = [
        [FEATURES.get(name, name), *(_cell(cells.get((name, one)), factor) for one in sources)]
        for name in dict.fromkeys(row["features"] for row in shown)
    ]
    majority = next((row["majority"] for row in rows if row.get("majority") is not None), None)
    print_table(
        f"{label}: {words}",
        ["read from", *(source_words(one, everything) for one in sources)],
        lines,
        caption="" if majority is None else f"most frequent class: {100 * majority:.1f}",
    )


def _cell(value: float | None, factor: int) -> str:
    if value is None:
        return "–"
    return f"{factor * value:.1f}" if factor > 1 else f"{value:.3f}"
