# %% [markdown]
# # 3 · Why aligning modalities loses U and S
#
# *The best-known way to learn from images and their captions is to align them: the image should
# find its caption, the caption its image. What does a model learn that is trained so, and what
# can it not learn?*
#
# First an argument in exact bits, with no network. Then what real networks did, from recorded
# runs. Then a look inside three of them, and a cell with which you can train one yourself.

# %%
# %matplotlib inline
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import checks
import trained
from trifeature.comm.losses import info_nce
from trifeature.comm.settings import run_preset
from trifeature.comm.training import train
from trifeature.data.attributes import ATTRIBUTES, VALUES
from trifeature.data.dataset import SPLIT_OF, build, preset, with_match_rate
from trifeature.experiments.fig4 import FIG4
from trifeature.files import read_rows
from trifeature.pid import atoms_of_columns
from trifeature.plots import STYLE, Bar, interaction_bars
from trifeature.presets import QUICK
from trifeature.probes.protocol import probe, probe_features
from trifeature.report import Summary, compare, summarize

plt.rcParams.update(STYLE | {"axes.grid": False})
torch.set_num_threads(1)  # for images this small a second core mostly waits for the first
data = build(preset("quick", seed=1))
K = data.settings.textures  # values of each attribute: ten, as in the paper
biased = with_match_rate(data, 1.0)

# %% [markdown]
# ## What can one image tell about the other?
# A model that aligns is paid when image 1 finds image 2. All that helps is what the two *share*.
# So count: how many bits does each attribute of image 1 tell about each attribute of image 2?


# %%
def shown(dataset, which):
    """The attributes of both images of every pair, [pairs, 2, 3]."""
    return dataset.tables[SPLIT_OF[which]].attributes[dataset.pairs[which].images]


def shared_bits(dataset):
    """I(attribute of image 1; attribute of image 2) on the training pairs, [3, 3]."""
    rows = shown(dataset, "train")
    nothing = np.zeros(len(rows), dtype=int)
    return np.array(
        [
            [
                atoms_of_columns(
                    {"one": rows[:, 0, i], "nothing": nothing, "other": rows[:, 1, j]},
                    "one",
                    "nothing",
                    "other",
                ).information1
                for j in range(3)
            ]
            for i in range(3)
        ]
    )


figure, panels = plt.subplots(1, 2, figsize=(7.4, 3.2), layout="constrained")
for axes, (title, dataset) in zip(
    panels, {"unbiased pairs": data, "biased pairs": biased}.items(), strict=True
):
    bits = shared_bits(dataset)
    axes.imshow(bits, cmap="cividis", vmin=0, vmax=np.log2(K))
    for i in range(3):
        for j in range(3):
            ink = "black" if bits[i, j] > 1.5 else "white"
            axes.text(j, i, f"{bits[i, j]:.2f}", ha="center", va="center", color=ink)
    axes.set(title=f"{title}: bits in common")
    axes.set_xticks(range(3), [f"{name} 2" for name in ATTRIBUTES])
    axes.set_yticks(range(3), [f"{name} 1" for name in ATTRIBUTES])
plt.show()

# %% [markdown]
# On unbiased pairs the shape is all that two images have in common, log₂ 10 = 3.32 bits (the few
# hundredths beside it come of drawing: some shapes meet some textures more often). Texture 1, which
# is unique to image 1, is of no use for finding image 2. On *biased* pairs texture 1 and color 2
# tell one another, as notebook 2 has shown.
#
# ## Carrying more is not for free, it costs
# A network turns an image into a **code**, a row of numbers. InfoNCE is the loss of alignment:
# every code looks at the codes of 512 candidates, guesses by their likeness which of them is its
# partner, and the loss is its mean surprise at the right answer, in nats (a nat is 1.44 bits).
# Give it hand-made, ideal codes: one that holds the shape only, one that holds the image's own
# texture too, and one in which texture 1 is *translated* by the map and stands where image 2 has
# its color.


# %%
def one_hot(*columns):
    """Each column of numbers 0 to 9 as ten switches, side by side: a code without noise."""
    switches = np.concatenate([np.eye(K)[column] for column in columns], axis=1)
    return torch.tensor(switches, dtype=torch.float32)


for title, dataset in {"unbiased": data, "biased": biased}.items():
    one, other = (shown(dataset, "train")[:512, m] for m in (0, 1))
    translated = np.array(dataset.settings.partners)[one[:, 1]]
    codes = {
        "shape": (one_hot(one[:, 0]), one_hot(other[:, 0])),
        "shape and own texture": (
            one_hot(one[:, 0], one[:, 1]),
            one_hot(other[:, 0], other[:, 1]),
        ),
        "shape and map": (one_hot(one[:, 0], translated), one_hot(other[:, 0], other[:, 2])),
    }
    for name, (a, b) in codes.items():
        print(f"{title:9} {name:22} loss {info_nce(a, b, 0.1, 'cross'):.2f} nats")

# %% [markdown]
# A code that also carries its own texture is *worse* aligned than one that forgets it. So
# alignment does not merely fail to ask for the unique part: it is against it. And where biased
# pairs make texture 1 predictable from the other image, the same loss asks for it.
#
# ## In the code, and yet out of a linear probe's reach
# After biased training, the ideal aligned code knows shape and texture 1 (from image 1) and shape
# and color 2 (from image 2). The match is a function of texture 1 and color 2. So is the synergy
# there? Ask twice: by counting, and with the **linear probe** by which such models are judged: the
# network is kept as it is, and one weighted sum of its code a class is fitted to the labels of
# unbiased pairs of training images (logistic regression), then scored on test pairs. The match is
# scored twice: by macro accuracy, and by the **area under the curve** (AUC), which lets the probe
# choose between one pair that keeps the map and one that breaks it. It chooses rightly every other
# time, 50 %, when it knows nothing.


# %%
def side_by_side(which):
    """The ideal code of image 1 beside that of image 2."""
    rows = shown(data, which)
    return one_hot(rows[:, 0, 0], rows[:, 0, 1], rows[:, 1, 0], rows[:, 1, 2])


def fused(which):
    """The same, and one switch for each *combination* of texture 1 and color 2."""
    rows = shown(data, which)
    both = np.eye(K * K)[K * rows[:, 0, 1] + rows[:, 1, 2]]
    return torch.cat([side_by_side(which), torch.tensor(both, dtype=torch.float32)], dim=1)


rows = shown(data, "test")
columns = {
    "texture 1": rows[:, 0, 1],
    "color 2": rows[:, 1, 2],
    "match": data.pairs["test"].labels["synergy"],
}
atoms = atoms_of_columns(columns, "texture 1", "color 2", "match")
print(f"counted: the code holds {atoms.total:.3f} bits about the match, {atoms.synergy:.3f} as S")

for code in (side_by_side, fused):
    found = probe_features(
        code("probe"),
        data.pairs["probe"].labels,
        code("test"),
        data.pairs["test"].labels,
        groups=data.combinations_of("probe"),
        costs=10.0 ** np.arange(-4, 5),
    ).results
    print(f"{code.__name__:12}", end="")
    for task in ("share", "unique1", "unique2", "synergy"):
        print(f"  {task} {found[task].macro_accuracy:6.1%}", end="")
    print(f", AUC {found['synergy'].roc_auc:.1%}")

# %% [markdown]
# The side-by-side code holds *all* of the synergy, and the linear probe is at 50 %, read in both
# ways (an AUC half a point off is chance; notebook 4 shows how far it wanders). Of the match no
# single switch says anything, so the best weight of every switch is zero, and the probe says "no"
# every time. (Somebody who knows the map could choose weights that do better; fitting to pairs does
# not find them.) One switch for each combination, and it reads everything. So two things are in a
# number like "S = 50 % for Cross": what the loss rewards, and that features of two modalities stand
# side by side, with nothing that fuses them. CoMM has a fusion *before* the features that are
# probed.
#
# One oddity is worth a thought. "unique2" is *below* its chance of 10 %: in the held-out
# combinations a texture stands with a shape and a color that it never had in training, so whoever
# knows only shape and color bets on the other textures. Numbers near chance need controls; that
# is the subject of notebook 4.
#
# ## What real networks did
# Four ways to train:
#
# * **Cross** aligns image 1 with image 2, as above, and its code is both codes side by side.
# * **Cross+Self** also aligns each image with an altered copy of itself (cropped, recolored).
# * **FactorCL** trains separate parts for what is shared and what is unique.
# * **CoMM** fuses both images first and aligns the fusion with that of altered copies; notebook 4
#   takes it apart.
#
# The recorded runs of the quick preset, which this notebook uses throughout: 48-pixel images, ten
# values of each attribute as in the paper, two epochs, a small network. R and U are read after
# training on unbiased pairs, S after training on biased ones, each S beside its control, the same
# model trained on unbiased pairs. R and U are macro accuracies; S is read by AUC first, its macro
# accuracy stands beside. (One pair in ten keeps the map. A probe may say "no" to every pair and yet
# order them well: AUC sees that, macro accuracy does not.) In percent, mean ± standard deviation
# over the seeds. What has not been recorded is said to be missing.

# %%
recorded = [
    row
    for row in read_rows(Path("../../figures/quick.jsonl"))
    if row["preset"] == "quick"
    and row["loss"] == "L_CoMM"
    and row["setting"] == ""
    and not row["validation"]
]


def pick(method, *, biased, untrained=False):
    """The rows of a method's last epoch (or of its first), one for each seed."""
    return [
        row
        for row in recorded
        if row["method"] == method
        and row["biased"] == biased
        and row["epoch"] == (0 if untrained else row["epochs"])
    ]


methods = {"CoMM": "comm", "Cross": "cross", "Cross+Self": "cross+self", "FactorCL": "factorcl"}
readings = {"S_auc": "S by AUC", "S": "S by macro accuracy"}
bars = []
for label, method in methods.items():
    aligned, control = pick(method, biased=True), pick(method, biased=False)
    first = pick(method, biased=False, untrained=True)
    values: dict[str, Summary | None] = {name: summarize(control, name) for name in ("R", "U")}
    values |= {name: summarize(aligned, name) for name in readings}
    controls = {name: summarize(control, name) for name in readings}
    untrained = {name: start.mean for name in readings if (start := summarize(first, name))}
    bars.append(Bar(label, values, controls, untrained, {}))
    cells = [f"{readings.get(name, name)} {value or 'missing'}" for name, value in values.items()]
    print(f"{label:10}", ", ".join(cells), f"({len(aligned)} + {len(control)} seeds)")

chance = {"R": 1 / K, "U": 1 / K, "S": 1 / 2}
caption = "quick preset; R and U unbiased, S biased"
figure = interaction_bars(bars, chance, caption, ("R", "U", "S_auc", "S"))
figure.set_dpi(70)
figure

# %% [markdown]
# Is the unique part really *gone* after alignment? Beside U stand what a probe reads from the
# network before any training, and what the paper reports for AlexNet at 224 pixels:

# %% tags=["rows"]
published = {arm.label: arm.published for arm in FIG4.arms(QUICK)}
for label, method in methods.items():
    after = summarize(pick(method, biased=False), "U")
    before = summarize(pick(method, biased=False, untrained=True), "U")
    paper = published[label]["U"][0]
    print(f"{label:10} U {after or 'missing'}, untrained {before or 'missing'}, paper {paper:.1f}")

# %% [markdown]
# Mind what this shows and what not. The argument says that alignment has no use for the unique
# part, not how fast a network forgets it: an untrained one already lets some texture through, and
# whoever learns shapes for two epochs may see textures better by the way. The paper's runs are of a
# hundred epochs, and there U of Cross ends near chance (10 %), that of CoMM far above. Compare
# Cross with CoMM here, and both with their start: about U runs as short as ours say little.
#
# What the biased pairs *taught* is the distance of S to its control, the same model trained on
# pairs without the map. Seed by seed; from one seed nothing is concluded, and the interval of two
# may be narrow by luck:

# %% tags=["rows"]
for label, method in methods.items():
    for name, words in readings.items():
        said = compare(pick(method, biased=True), pick(method, biased=False), name)
        print(f"{label:10} {words}, biased less control: {said or 'missing'}")

# %% [markdown]
# ## A prediction, tested
# The argument above predicts more than "Cross loses U". On biased pairs texture 1 helps to find
# the other image, and texture 2 does not. So *the same loss* should raise U1, and U1 only. The
# recorded runs (nothing is concluded where the interval reaches from below 0 to above it):

# %% tags=["rows"]
for label, method in methods.items():
    for name in ("U1", "U2"):
        said = compare(pick(method, biased=True), pick(method, biased=False), name)
        print(f"{label:10} {name}, biased less unbiased: {said or 'missing'}")

# %% [markdown]
# Read U1 first, then U2, for each method. Where U1 gains much and U2 gains little or loses, the
# prediction holds. It is a prediction about *all* methods in which something of image 2 is
# aligned with something of image 1.
#
# ## Was the map never learned, or only not read?
# If Cross has texture 1 in its code of image 1 because color 2 goes with it, then the two codes fit
# where the pair keeps the map. But a linear probe of two codes side by side adds up what it finds
# in either, and whether they *fit* is no such sum: for that, numbers of one have to be multiplied
# by numbers of the other. So give the probe the products too, of every method alike
# (`probe(..., probing="products")`), and ask again:

# %% tags=["rows"]
for label, method in methods.items():
    own = summarize(pick(method, biased=True), "S_auc")
    read, start = (
        summarize(
            [row["products"] for row in pick(method, biased=kind) if "products" in row], "S_auc"
        )
        for kind in (True, False)
    )
    print(f"{label:10} AUC of S: own code {own}, ", end="")
    print(f"with products {read or 'not measured'}, its control {start or 'not measured'}")

# %% [markdown]
# In biased pairs texture 1 and color 2 tell each other: what a balanced test calls synergy was
# *redundancy* in training, which is what alignment learns. Keep two questions apart: what a network
# shows, and what a probe can read of it.
#
# And mind a third. This probe has *labels*: where texture 1 and color 2 are both shown, and
# multiplied, it can learn any map from them, one too that training never saw. So ask the same of
# maps whose every texture has another partner, and ask the codes themselves, without any probe: how
# well does their similarity tell who keeps the map?

# %% tags=["rows"]
for label, method in methods.items():
    asked = [row["other_maps"] for row in pick(method, biased=True) if "other_maps" in row]
    said = {name: summarize(asked, name) or "not measured" for name in ("S_auc", "products_S_auc")}
    unbiased = [row["other_maps"] for row in pick(method, biased=False) if "other_maps" in row]
    alike = [summarize(rows, "similarity") for rows in (asked, unbiased)]
    print(f"{label:10} AUC of other maps: own code {said['S_auc']}, ", end="")
    print(f"with products {said['products_S_auc']}; of similarity alone: ", end="")
    print("not measured" if None in alike else f"{alike[0]}, its control {alike[1]}")

# %% [markdown]
# Compare each number with the one of the map itself, above: only what lies between is specific to
# the map. Similarity needs no label at all. Where it tells the map, the map was learned, whatever
# a probe of the code says.
#
# ## Look inside
# A row holds a few numbers a run. With the network itself one can ask more. Three trained ones are
# looked into here: Cross and CoMM after biased training, and CoMM's control, after unbiased
# training; beside them CoMM as it was before its first step. One seed, the only one tried.


# %%
networks = {
    "Cross": trained.load("cross", data),
    "CoMM": trained.load("comm", data),
    "CoMM, control": trained.load("comm-control", data),
    "CoMM, untrained": trained.untrained("comm", data),
}
for name in ("cross", "comm", "comm-control"):
    for what, found in trained.about(name)["measured"].items():
        numbers = "  ".join(f"{part} {found[part]:.1%}" for part in ("R", "U1", "U2", "S_auc", "S"))
        print(f"{name:12} {numbers}  {what}")

# %% [markdown]
# Three lines a network: as it was trained for this course, as the recorded run of the same seed and
# settings came out, and as it is kept here, rounded to one byte a weight. Rounding moved nothing by
# more than a fifth of a point. The first two lines agree to the last digit: data, seed, versions,
# training code and kind of processor are the same. Another kind of processor adds up a long sum
# differently in its last digit, and training makes points of percent of it: of an earlier, smaller
# preset, trained on two kinds, S of a control came out eight points apart. One run is no
# measurement.
#
# ### Exchange one thing
# Draw 300 new pairs, then each of them once more with *one* attribute exchanged for another, and
# ask how far the code turns: 0, it points where it pointed; 1, it might belong to any other pair.
# "Nothing" is the same pair drawn afresh, in other poses: what moves the code no further than
# that, the code does not know. No label and no probe is involved.

# %%
PAIRS = 300
rng = np.random.default_rng(0)
attributes, copies = rng.integers(0, K, size=(PAIRS, 5)), 1000 + np.arange(PAIRS)
before = trained.pictures(attributes, copies, data)
after = {"nothing": trained.pictures(attributes, copies + PAIRS, data)}
for column, name in enumerate(trained.SHOWN):
    exchanged = attributes.copy()
    exchanged[:, column] = (exchanged[:, column] + rng.integers(1, K, PAIRS)) % K
    after[name] = trained.pictures(exchanged, copies + PAIRS, data)

figure, panels = plt.subplots(1, 6, figsize=(9, 1.3), layout="constrained")
for axes, (name, images) in zip(panels, after.items(), strict=True):
    axes.imshow(torch.cat([*images[4]], dim=2).permute(1, 2, 0))
    axes.set_title(name, fontsize="small")
    axes.axis("off")
plt.show()


# %%
def turned(z, other):
    """How far codes turn: 1 less the mean cosine, around the codes' common center."""
    middle = z.mean(0)
    return 1 - torch.cosine_similarity(z - middle, other - middle).mean().item()


print(f"{'exchanged:':16}", "  ".join(after))
for name, network in networks.items():
    z = trained.look(network, before)
    far = [f"{turned(z, trained.look(network, x)):{len(word)}.2f}" for word, x in after.items()]
    print(f"{name:16}", "  ".join(far))

# %% [markdown]
# Read Cross's line against the argument of the beginning. What tells of the other image turns its
# code; *color 1* and *texture 2*, of no use for finding anything, turn it hardly further than a new
# drawing does. The untrained network saw colors best of all: Cross has *forgotten* color 1. CoMM
# keeps it, although nobody asks about color 1 and no row reports it. What the biased pairs taught
# CoMM is *texture 1*, which hardly turns the code of its control. Texture 2 turns none of the three
# much, and yet U2 is well above chance in all: a linear probe finds traces that weigh next to
# nothing in the code.
#
# ### What no side-by-side code can hold
# Now exchange image 2 and watch the code move. In a side-by-side code it moves by the same step
# whatever image 1 shows. So take a **grid** of pairs: image 1 in all ten textures, with image 2 in
# all ten colors, 100 codes; subtract what each texture adds on average and what each color adds on
# average. What is left is called the **interaction**: what the code holds about the *combination*.
# Exercise 3.4 asks you to write this.

# %%
GRIDS = 40
grid, t, c = np.indices((GRIDS, K, K)).reshape(3, -1)
shape, color1, texture2 = rng.integers(0, K, size=(3, GRIDS))
grids = trained.pictures(
    np.stack([shape[grid], t, color1[grid], texture2[grid], c], axis=1), 2000 + grid, data
)
codes = {
    name: trained.look(network, grids).unflatten(0, (GRIDS, K, K))
    for name, network in networks.items()
}


def interaction_of(z):
    """Codes [..., K, K, D] less what rows and columns add on their own."""
    return z - z.mean(-3, keepdim=True) - z.mean(-2, keepdim=True) + z.mean((-3, -2), keepdim=True)


for name, z in codes.items():
    moves = z - z.mean((-3, -2), keepdim=True)
    share = interaction_of(z).square().sum() / moves.square().sum()
    print(f"{name:16} interaction: {share:.3%} of how codes vary within a grid")

# %% [markdown]
# For Cross it is zero but for rounding, and no training could change that. For CoMM it is small. Is
# it the *match*? Fit to one half of the grids, as a probe does, the direction in which kept pairs
# best differ from broken ones, and look at the interaction along it in the other half. Columns
# stand in the order of the map, so that pairs that keep it lie on the diagonal. A code that held
# the match whole would show 90 there and −10 everywhere else.

# %%
partners = list(data.settings.partners)
kept = torch.eye(K, dtype=torch.bool)


def along_the_match(z):
    """The match [K, K] as the even grids fit it, in percent, in the interaction of the odd ones."""
    z = (z - z.mean((0, 1, 2)))[:, :, partners]
    z = z / z.norm(dim=-1).mean()
    codes, wanted = z[::2].flatten(0, 2), (kept.float() - 1 / K).repeat(GRIDS // 2, 1, 1).flatten()
    spread = codes.T @ codes + 1e-3 * torch.eye(codes.shape[1])
    direction = torch.linalg.solve(spread, codes.T @ wanted)
    return 100 * interaction_of(z[1::2].mean(0) @ direction[:, None])[..., 0]


scores = {name: along_the_match(z) for name, z in codes.items()}
figure, panels = plt.subplots(1, 4, figsize=(9.5, 3), layout="constrained", sharey=True)
for axes, (name, score) in zip(panels, scores.items(), strict=True):
    image = axes.imshow(score, cmap="PuOr", vmin=-30, vmax=30)
    axes.set_title(name, fontsize="medium")
    axes.set_xticks(range(K), [VALUES["color"][j] for j in partners], rotation=90)
    axes.set_yticks(range(K), VALUES["texture"])
figure.colorbar(image, ax=panels, label="match, percent")
figure.supxlabel("color 2, in the order of the map", fontsize="medium")
plt.show()

for name, z in codes.items():
    mean = interaction_of(z)[:, :, partners].mean(0)
    pattern = (kept.float() - 1 / K) / 3  # of length one
    share = torch.einsum("tc,tcd->d", pattern, mean).square().sum() / mean.square().sum()
    there = mean.square().mean() > 1e-9 * z.square().mean()
    known = (scores[name].argmax(1) == torch.arange(K)).sum()
    found = f"of it the match: {share:.0%}; textures whose partner stands highest: {known} of {K}"
    print(f"{name:16} {found if there else 'there is no interaction'}")

# %% [markdown]
# An interaction of 10 × 10 cells has 9 · 9 = 81 dimensions, and the match is one of them: 1/81 =
# 1.2 % would be no more than any pattern gets, and one texture in ten finds its partner by luck.
# Compare CoMM with its control, which has never seen the map. Then look along the diagonal: does
# the network know the partner of *every* texture, or is its S the work of a few? No number in a row
# tells.
#
# ## Train one yourself
# This takes one to two minutes of one core and a method. It is switched off, so that the notebook
# runs in seconds; set `TRAIN = True`, and change the method if you like.

# %%
TRAIN = False
METHOD = "cross"  # or "comm", "cross+self", "factorcl"

if TRAIN:
    for title, dataset in {"unbiased": data, "biased": biased}.items():
        model = train(dataset, run_preset("quick", method=METHOD, seed=1))
        found = probe(model, dataset).row()
        print(title, {name: f"{found[name]:.1%}" for name in ("R", "U1", "U2", "S")})
else:
    print("not trained: set TRAIN = True and run this cell")

# %% [markdown]
# # Exercises
#
# **3.1** From the two pictures of shared bits: which attributes may a perfectly aligned model
# keep? (Names such as "shape 1"; ignore what is below 0.1 bits.)

# %% tags=["exercise"]
kept = {"unbiased": ..., "biased": ...}  # a set of names for each

checks.exercise_3_1(kept)

# %% [markdown]
# **3.2** Write the loss of alignment: rows of `a` and `b` are brought to length one; each a must
# find its own b among all rows of b, each b its own a; the mean of both, in nats.


# %% tags=["exercise"]
def clip_loss(a, b, temperature):
    """Symmetric InfoNCE between the rows of a and b, tensors [B, D]."""
    ...


checks.exercise_3_2(clip_loss)

# %% [markdown]
# **3.3** Write what the biased pairs taught a method: the mean S of its biased runs less that of
# its unbiased ones, last epochs only. A row has `method`, `biased`, `seed`, `epoch`, `epochs`
# and `S`.


# %% tags=["exercise"]
def gain(rows, method):
    """Mean S of the biased rows less mean S of the unbiased ones, at the last epoch."""
    ...


checks.exercise_3_3(gain)

# %% [markdown]
# **3.4** Write the interaction: from codes of all combinations, subtract what each row adds on
# average and what each column adds on average. The answer has mean zero along rows and columns,
# and is zero for side-by-side codes.


# %% tags=["exercise"]
def interaction(codes):
    """Codes [N, M, D] of row value i with column value j; returns the same shape."""
    ...


checks.exercise_3_4(interaction)

# %% [markdown]
# ---
# **Next:** [4 · Which term of the loss learns what](04-terms.ipynb). Record runs of your own:
# `comm-probe reproduce fig4 --preset quick`.
