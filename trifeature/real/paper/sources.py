"""The sets of real data of the paper: none is shipped by a package, and some need a permission.

Digests are not known here, since no copy could be had; sizes that are known roughly are in `how`.
Readers check what they can of a file: its entries, their shapes and types.
"""

from __future__ import annotations

from typing import Final

from trifeature.real.source import Source, SourceFile

MULTIBENCH: Final = (
    "P. P. Liang, Y. Lyu, X. Fan et al.: MultiBench: Multiscale Benchmarks for Multimodal "
    "Representation Learning, NeurIPS Datasets and Benchmarks 2021"
)
"""Whom to cite for the features of six of the sets."""

_AFFECT: Final = "trifeature.real.paper.affect"
_TOUCH: Final = "trifeature.real.paper.touch"

MIMIC: Final = Source(
    name="mimic",
    title="Stays in intensive care: a table and a day of measurements (MIMIC-III)",
    modalities=("table 5", "series 24 x 12"),
    tasks=("disease 2", "mortality 6 (task=-1)"),
    count="32,616",
    license="PhysioNet Credentialed Health Data License: may not be passed on",
    citation=f"A. Johnson et al.: MIMIC-III, Scientific Data 2016; {MULTIBENCH}",
    files=(SourceFile("im.pk"),),
    how=(
        "1. Get credentials for MIMIC-III at PhysioNet: a course and a signed agreement.",
        "2. Ask the authors of MultiBench by mail for im.pk, and send the proof along.",
        "3. Put im.pk (83.2 MB) into the folder mimic of TRIFEATURE_DATA.",
    ),
    reader="trifeature.real.paper.mimic:read_mimic",
    options="trifeature.real.paper.mimic:MimicOptions",
)

MOSI: Final = Source(
    name="mosi",
    title="Opinions in videos: faces, words and voices (CMU-MOSI)",
    modalities=("vision 50 x 20", "text 50 x 300", "audio 50 x 5 (as an option)"),
    tasks=("sentiment 2",),
    count="2,199",
    license="features of CMU-MOSI, for research",
    citation=f"A. Zadeh et al.: MOSI, IEEE Intelligent Systems 2016; {MULTIBENCH}",
    files=(SourceFile("mosi_data.pkl"),),
    how=(
        "1. https://github.com/pliang279/MultiBench links a folder of affect data sets.",
        "2. Take mosi_data.pkl (154 MB), not mosi_raw.pkl: its features are a selection that",
        "   nobody can make again.",
        "3. Put it into the folder mosi of TRIFEATURE_DATA.",
    ),
    reader=f"{_AFFECT}:read_mosi",
    options=f"{_AFFECT}:MosiOptions",
)

HUMOR: Final = Source(
    name="humor",
    title="Punch lines of talks: faces, words and voices (UR-FUNNY)",
    modalities=("vision 50 x 371", "text 50 x 300", "audio 50 x 81 (as an option)"),
    tasks=("humor 2",),
    count="in the file: papers disagree (1,058 in test)",
    license="features of UR-FUNNY, for research",
    citation=f"M. K. Hasan et al.: UR-FUNNY, EMNLP 2019; {MULTIBENCH}",
    files=(SourceFile("humor.pkl"),),
    how=(
        "1. https://github.com/pliang279/MultiBench links a folder of affect data sets.",
        "2. Put humor.pkl (1.22 GB) into the folder humor of TRIFEATURE_DATA.",
    ),
    reader=f"{_AFFECT}:read_humor",
    options=f"{_AFFECT}:AffectOptions",
)

SARCASM: Final = Source(
    name="sarcasm",
    title="Lines of television series: faces, words and voices (MUStARD)",
    modalities=("vision 50 x 371", "text 50 x 300", "audio 50 x 81 (as an option)"),
    tasks=("sarcasm 2",),
    count="690",
    license="features of MUStARD, for research",
    citation=f"S. Castro et al.: Towards Multimodal Sarcasm Detection, ACL 2019; {MULTIBENCH}",
    files=(SourceFile("sarcasm.pkl"),),
    how=(
        "1. https://github.com/pliang279/MultiBench links a folder of affect data sets.",
        "2. Put sarcasm.pkl (208 MB) into the folder sarcasm of TRIFEATURE_DATA.",
    ),
    reader=f"{_AFFECT}:read_sarcasm",
    options=f"{_AFFECT}:AffectOptions",
)

_TOUCH_HOW: Final = (
    "1. Download http://downloads.cs.stanford.edu/juno/triangle_real_data.zip (11 GB).",
    "2. Unpack it into the folder touch of TRIFEATURE_DATA: about 3,000 files *.h5.",
    "3. pip install h5py",
    "4. All pictures need 15 GB of memory; with the option side=64, a quarter of it.",
)
_TOUCH_CITATION: Final = (
    "M. A. Lee, Y. Zhu et al.: Making Sense of Vision and Touch, ICRA 2019 and IEEE Transactions "
    "on Robotics 2020"
)

TOUCH_REGRESSION: Final = Source(
    name="touch-regression",
    title="A robot fits pegs into holes: where is its hand at the next step? (Vision&Touch)",
    modalities=("image 3 x 128 x 128", "force 32 x 6"),
    tasks=("position 4 numbers",),
    count="147,000 (3,000 files of 49)",
    license="not stated; for research",
    citation=_TOUCH_CITATION,
    files=(),
    how=_TOUCH_HOW,
    reader=f"{_TOUCH}:read_touch_regression",
    options=f"{_TOUCH}:TouchOptions",
    stored_as="touch",
)

TOUCH_CONTACT: Final = Source(
    name="touch-contact",
    title="A robot fits pegs into holes: does it touch at the next step? (Vision&Touch)",
    modalities=("image 3 x 128 x 128", "proprio 8", "force 32 x 6 (modalities=3)"),
    tasks=("contact 2",),
    count="147,000 (3,000 files of 49)",
    license="not stated; for research",
    citation=_TOUCH_CITATION,
    files=(),
    how=_TOUCH_HOW,
    reader=f"{_TOUCH}:read_touch_contact",
    options=f"{_TOUCH}:ContactOptions",
    stored_as="touch",
)

MMIMDB: Final = Source(
    name="mmimdb",
    title="Films: poster and plot (MM-IMDb)",
    modalities=("image 3 x 224 x 224", "text words"),
    tasks=("genres 23 labels",),
    count="25,959",
    license="posters and plots from IMDb: for research",
    citation="J. Arevalo et al.: Gated Multimodal Units for Information Fusion, 2017",
    files=(SourceFile("split.json"),),
    how=(
        "1. Download the archive of MM-IMDb with posters (8 GB) from the page of the data set;",
        "   multimodal_imdb.hdf5 is another format.",
        "2. Unpack it into the folder mmimdb of TRIFEATURE_DATA: split.json and dataset/.",
        "3. For features of CLIP or BLIP-2: compute them elsewhere, store image.npz and text.npz",
        "   (values [n, T, F], present [n, T], ids [n]) in a folder, and read frozen=FOLDER.",
    ),
    reader="trifeature.real.paper.mmimdb:read_mmimdb",
    options="trifeature.real.paper.mmimdb:MmimdbOptions",
)

PAPER_SOURCES: Final[tuple[Source, ...]] = (
    MIMIC,
    MOSI,
    HUMOR,
    SARCASM,
    TOUCH_REGRESSION,
    TOUCH_CONTACT,
    MMIMDB,
)
"""See `trifeature.real.catalog`, which registers them."""
