# %% [markdown]
# # 4 · Which term of the loss learns what
#
# *CoMM's loss is a sum: L aligns two augmented views of the two images fused, L_1 aligns image 1
# alone with the fusion, L_2 image 2 alone. The paper's Figure 5 says that the L_i learn R and U,
# and that S needs L. Why should that be? And do our small runs show it?*
#
# This notebook has a surprise: they do not. It is left in, with what can be concluded and what
# cannot. Telling the two apart is the lesson.
#
# Two names to begin with. A **view** of an image is a copy of it, cropped and recolored at random.
# The **fusion** makes one code of both images; given one image alone, it makes a code of that one.
# ΣL_i is L_1 + L_2, the loss without L.

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
from trifeature.data.attributes import VALUES
from trifeature.data.dataset import (
    SPLIT_OF,
    build,
    plan_images,
    plan_pairs,
    preset,
    with_match_rate,
)
from trifeature.files import read_rows
from trifeature.pid import atoms_of_columns
from trifeature.plots import CURVE_COLORS, STYLE, Curve, interaction_curves
from trifeature.probes.protocol import probe, probe_features
from trifeature.report import compare, summarize

torch.set_num_threads(1)  # for images this small a second core mostly waits for the first

# %% [markdown]
# ## What a term can pay for
# A term that aligns two codes, z with z′, pays for what the two have in common, at most for the
# information between what they *see*. So:
#
# * L compares two views of *both* sources: it can pay for whatever both together hold;
# * L_1 compares source 1 alone with the fusion: it can pay for what source 1 alone tells;
# * L_2 likewise for source 2.
#
# Take one bit of each kind. Source 1 shows (r, u1, s1), source 2 shows (r, u2, s2). For every bit
# that a representation might keep, how much can each term pay?


# %%
def payments(bit, one, other):
    """Bits of `bit` that both sources, source 1 and source 2 tell, by term."""
    columns = {"one": one, "other": other, "bit": bit}
    atoms = atoms_of_columns(columns, "one", "other", "bit", tolerance=1e-6)
    told = (atoms.total, atoms.information1, atoms.information2)
    return dict(zip(("L", "L_1", "L_2"), told, strict=True))


def show_payments(bits, one, other):
    """Print one line for each bit."""
    for name, bit in bits.items():
        paid = payments(bit, one, other)
        print(f"{name:10}", "  ".join(f"{term} {abs(value):.2f}" for term, value in paid.items()))


r, u1, u2, s1, s2 = np.indices((2,) * 5).reshape(5, -1)
show_payments(
    {"r": r, "u1": u1, "u2": u2, "s1 xor s2": s1 ^ s2}, 4 * r + 2 * u1 + s1, 4 * r + 2 * u2 + s2
)

# %% [markdown]
# There is the paper's argument in one table: only L has a reason to keep s1 xor s2.
#
# ## The same question about Trifeature's training pairs
# Now the "bits" are the attributes and the match, and the sources are what an image shows (its
# shape and texture for image 1, its shape and color for image 2). On unbiased pairs:

# %%
data = build(preset("quick", seed=1))
K = data.settings.textures  # values of each attribute: ten, as in the paper
biased = with_match_rate(data, 1.0)


def of_pairs(dataset):
    """What representations might keep, and what either image shows, on the training pairs."""
    pairs = dataset.pairs["train"]
    shown = dataset.tables["train"].attributes[pairs.images]
    features = {
        "shape": shown[:, 0, 0],
        "texture 1": shown[:, 0, 1],
        "color 2": shown[:, 1, 2],
        "match": pairs.labels["synergy"],
    }
    return features, K * shown[:, 0, 0] + shown[:, 0, 1], K * shown[:, 1, 0] + shown[:, 1, 2]


show_payments(*of_pairs(data))

# %% [markdown]
# As above: the match is (nearly) L's alone. And on the *biased* pairs, on which S is trained?

# %%
show_payments(*of_pairs(biased))

# %% [markdown]
# Nobody pays for the match: it is constant there (notebook 2). What is left of it is the
# regularity "this texture comes with that color", and it is paid for by **all three terms**:
# texture 1 can be told from image 2, color 2 from image 1. The argument of the toy does not
# carry over to the biased pairs. In bits, nothing says that the L_i must miss what the probe
# later reads as S. Whether networks *do* learn it is a question for runs.
#
# ## What the runs did
# R and U after training on unbiased pairs. S, solid: after training on biased pairs; dashed: its
# control, the same on unbiased pairs. The probe is always fitted and scored on unbiased pairs. S is
# read by the area under the curve (AUC) first: one pair in ten keeps the map, and a probe that
# orders pairs well may still say "no" to every one, which macro accuracy counts as knowing nothing.
# The lower row says the same in bits, as much as the probes prove to be there. These are the
# recorded runs of the quick preset, which this notebook uses throughout: 48 pixels, ten values of
# each attribute, two epochs.

# %%
recorded = [
    row
    for row in read_rows(Path("../../figures/quick.jsonl"))
    if row["preset"] == "quick"
    and row["method"] == "comm"
    and row["setting"] == ""
    and not row["validation"]
]
losses = {"L_CoMM": "L_CoMM", "L": "L", "ΣL_i": "L_i"}


def pick(loss, *, biased, epoch=None):
    """Rows of a loss: of one epoch, of the last one, or all ("all")."""
    return [
        row
        for row in recorded
        if row["loss"] == loss
        and row["biased"] == biased
        and (epoch == "all" or row["epoch"] == (row["epochs"] if epoch is None else epoch))
    ]


curves = {"R": [], "U": [], "S_auc": [], "S": []}
for color, (label, loss) in enumerate(losses.items()):
    treated, control = (pick(loss, biased=kind, epoch="all") for kind in (True, False))
    if control:
        for name in ("R", "U"):
            curves[name].append(Curve(label, control, color=color))
        named = f"{label}, unbiased pairs (control of S)"
        for name in ("S_auc", "S"):
            curves[name].append(Curve(named, control, control=True, color=color))
    if treated:
        for name in ("S_auc", "S"):
            curves[name].append(Curve(label, treated, color=color))
    seeds = len({row["seed"] for row in treated}), len({row["seed"] for row in control})
    print(f"{label:7} seeds: {seeds[0]} biased, {seeds[1]} unbiased" + " (missing)" * (0 in seeds))

figure = interaction_curves(
    curves,
    {"R": 1 / K, "U": 1 / K, "S": 1 / 2},
    "quick preset; R and U unbiased, S biased",
)
figure.set_dpi(70)
figure

# %% [markdown]
# Read three things off, each from its own lines below, by AUC first:
#
# 1. What did biased training add to S, over the control?
# 2. Is ΣL_i behind L_CoMM on S, as in the paper's figure?
# 3. Where was S before any training?

# %% tags=["rows"]
for name, words in {"S_auc": "S by AUC", "S": "S by macro accuracy"}.items():
    for label, loss in losses.items():
        said = compare(pick(loss, biased=True), pick(loss, biased=False), name)
        print(f"1. {words}: {label:7} biased less control: {said or 'missing'}")
    said = compare(pick("L_i", biased=True), pick("L_CoMM", biased=True), name)
    print(f"2. {words}: ΣL_i less L_CoMM, both biased: {said or 'missing'}")
    start = summarize(pick("L_CoMM", biased=True, epoch=0), name)
    print(f"3. {words}: untrained network {start or 'missing'}")

# %% [markdown]
# Here is the surprise. In the paper's figure L learns S and ΣL_i does not. In our runs ΣL_i is even
# a little ahead of L_CoMM, and it is L that stays at its control. The paper has 224 pixels and a
# hundred epochs, we have 48 pixels and two. The table of payments leaves room for both, and it
# explains the lines under 1: L pays the same with and without the map (the match aside), so biased
# pairs change nothing for it, while L_1 and L_2 begin to pay for color 2 and texture 1 only on
# biased pairs.
#
# Mind L's control: by AUC it is well above 50 %, and has never seen the map. And mind R: in two
# epochs L has hardly left its start, while ΣL_i has learned most of it. L is slow.
#
# **What can be concluded:** at this scale the biased pairs teach the map through the L_i. **What
# cannot:** that the paper is wrong (another scale, and fifty times the epochs), that L would not
# get there with them, or that the L_i learn "the synergy" (the biased pairs hold none).
#
# And if the table explains the runs, texture 1 and not texture 2 should gain from biased pairs
# wherever L_1 and L_2 are at work, and neither where L is alone:

# %% tags=["rows"]
for label, loss in losses.items():
    for name in ("U1", "U2"):
        said = compare(pick(loss, biased=True), pick(loss, biased=False), name)
        print(f"{label:7} {name}, biased less unbiased: {said or 'missing'}")

# %% [markdown]
# So it is; where the L_i are alone, texture 2 even loses.
#
# ## An S above chance proves nothing by itself
# Take an ideal code *without* any trace of the match: texture 1, color 2 and the shape, side by
# side. Draw the data set ten times over and read S in three ways: macro accuracy, the accuracy
# of a class-balanced probe, the area under the curve.


# %%
def read_without_match(seed):
    """(macro, balanced, area) of S from a code that cannot hold the match."""
    settings = preset("quick", seed=seed)
    tables = plan_images(settings)
    pairs = plan_pairs(settings, tables)

    def code(which):
        shown = tables[SPLIT_OF[which]].attributes[pairs[which].images]
        columns = (shown[:, 0, 0], shown[:, 0, 1], shown[:, 1, 2])
        switches = np.concatenate([np.eye(K)[column] for column in columns], axis=1)
        return torch.tensor(switches, dtype=torch.float32), pairs[which].labels["synergy"]

    groups = tables["train"].combinations[pairs["probe"].images]
    costs = 10.0 ** np.arange(-4, 5)
    reading = probe_features(*code("probe"), *code("test"), groups=groups, costs=costs)
    found = reading.results["label"]
    return found.macro_accuracy, found.balanced.macro_accuracy, found.roc_auc


read = np.array([read_without_match(seed) for seed in range(10)])
for name, column in zip(
    ("macro accuracy", "balanced probe", "area under the curve"), read.T, strict=True
):
    print(f"{name:21} mean {column.mean():.1%}, from {column.min():.1%} to {column.max():.1%}")

# %% [markdown]
# The macro accuracy stays at 50 %: with one match in ten pairs this probe says "no" to all, as many
# do that know a little, and so AUC is read first. It and the balanced probe wander by several
# points from draw to draw, though there is nothing to read: the test pairs are few combinations,
# and not quite their law. So every S here stands beside two controls, the same model trained on
# unbiased pairs and the untrained network, over several seeds.
#
# ## Look inside: does the code of ΣL_i hold the combination?
# Three trained networks come with the course: the whole loss and ΣL_i after biased training, and
# the whole loss's control. One seed, the only one tried. First a map: every pair of 500 new
# ones is a point, at the two directions in which ΣL_i's codes vary most, colored three ways.

# %%
plt.rcParams.update(STYLE | {"axes.grid": False})
networks = {
    "L_CoMM": trained.load("comm", data),
    "ΣL_i": trained.load("comm-sum-L_i", data),
    "L_CoMM, control": trained.load("comm-control", data),
    "untrained": trained.untrained("comm", data),
}
rng = np.random.default_rng(0)
attributes = rng.integers(0, K, size=(500, 5))
partners = np.array(data.settings.partners)
keeps = partners[attributes[:, 1]] == attributes[:, 4]
z = trained.look(
    networks["ΣL_i"], trained.pictures(attributes, 1000 + np.arange(len(attributes)), data)
)
_, _, directions = torch.linalg.svd(z - z.mean(0), full_matrices=False)
places = ((z - z.mean(0)) @ directions[:2].T).numpy()

inks = [*CURVE_COLORS, "#999999", "#F0E442", "#882255"]
figure, panels = plt.subplots(1, 3, figsize=(9.5, 4), layout="constrained", sharey=True)
colored = {"shape": attributes[:, 0], "texture 1": attributes[:, 1], "match": keeps.astype(int)}
for axes, (name, value) in zip(panels, colored.items(), strict=True):
    for k in range(value.max() + 1):
        axes.plot(*places[value == k].T, "os^DvP*X<>"[k], color=inks[k], markersize=4, alpha=0.7)
    words = VALUES[name.split()[0]] if name != "match" else ("broken", "kept")
    axes.legend(words, fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=3)
    axes.set_title(f"colored by {name}", fontsize="medium")
plt.show()

# %% [markdown]
# Textures go from left to right, shapes lean upwards and downwards. Kept and broken pairs lie in
# one another, though the probe tells them apart nine times in ten: what it reads as S is small
# beside shape and texture, and no picture of two directions out of 128 will show it. So look for it
# where it must be if it is there, in the **interaction**: what is left of the codes of a grid,
# texture 1 by color 2, when what each texture and each color adds on average is taken away
# (notebook 3, exercise 3.4).

# %%
GRIDS = 40
grid, t, c = np.indices((GRIDS, K, K)).reshape(3, -1)
shape, color1, texture2 = rng.integers(0, K, size=(3, GRIDS))
grids = trained.pictures(
    np.stack([shape[grid], t, color1[grid], texture2[grid], c], axis=1), 2000 + grid, data
)
pattern = torch.tensor(np.eye(K)[partners] - 1 / K, dtype=torch.float32) / 3  # of length 1

print(f"{'':16} interaction within a grid, of it the match, cosine kept / broken")
for name, network in networks.items():
    codes = trained.look(network, grids).unflatten(0, (GRIDS, K, K))
    left = codes - codes.mean(1, keepdim=True) - codes.mean(2, keepdim=True)
    left += codes.mean((1, 2), keepdim=True)
    share = left.square().sum() / (codes - codes.mean((1, 2), keepdim=True)).square().sum()
    mean = left.mean(0)
    match = torch.einsum("tc,tcd->d", pattern, mean).square().sum() / mean.square().sum()
    half, other = (
        torch.nn.functional.normalize(part.mean(0), dim=-1) for part in (left[::2], left[1::2])
    )
    towards = torch.nn.functional.normalize((half * (pattern > 0)[..., None]).sum((0, 1)), dim=0)
    cosine = other @ towards
    kept, broken = cosine[pattern > 0].mean(), cosine[pattern < 0].mean()
    print(f"{name:16} {share:21.2%} {match:17.0%} {kept:+15.2f} / {broken:+.2f}")

# %% [markdown]
# *Of it the match*: the share of the mean interaction that has the pattern of the map, where any
# pattern of 81 gets 1.2 %. *Cosine*: how nearly the interaction of kept pairs, and of broken ones,
# points along the direction of kept pairs, taken from the other half of the grids; for an
# interaction without direction both are near 0.
#
# Compare ΣL_i with the whole loss, then both with the two controls. The payments said that L_1 and
# L_2 have no reason to keep a combination in the *toy*; and yet ΣL_i has more interaction than the
# whole loss, and both have far more of the match than the controls. So it left a combination in the
# code all the same. Why? One guess: the fusion has a hidden layer between its attention and the
# code, and nobody is charged for what it mixes there. One seed: a look, no measurement.
#
# ## Train one yourself
# One term of the loss, on biased and on unbiased pairs; one to two minutes of one core each.

# %%
TRAIN = False
LOSS = "L_1"  # or "L_2", "L", "L_i", "L_CoMM"

if TRAIN:
    for title, dataset in {"biased": biased, "unbiased": data}.items():
        model = train(dataset, run_preset("quick", loss=LOSS, seed=1))
        found = probe(model, dataset).row()
        print(title, {name: f"{found[name]:.1%}" for name in ("R", "U1", "U2", "S")})
else:
    print("not trained: set TRAIN = True and run this cell")

# %% [markdown]
# # Exercises
#
# **4.1** From the first table: which terms pay for which bit? (Sets of "L", "L_1" and "L_2".)

# %% tags=["exercise"]
paid_by = {"r": ..., "u1": ..., "u2": ..., "s1 xor s2": ...}

checks.exercise_4_1(paid_by)

# %% [markdown]
# **4.2** Write CoMM's loss as the paper has it, L + L_1 + L_2, with `info_nce(z, w)` for the
# alignment of two batches. `views` is (z′, z″), the fusion of both views; `alone` is a list of
# (z_i′, z_i″), one pair for each modality. L_i is the mean of two alignments, and each is with
# the fused embedding *of the other view*. (Why the other? What would be easy to align otherwise?)

# %%
z, w = torch.randn(2, 8, 5, generator=torch.Generator().manual_seed(0))
print(f"info_nce of a batch with itself: {info_nce(z, z):.2f} nats, with another: ", end="")
print(f"{info_nce(z, w):.2f} nats")


# %% tags=["exercise"]
def comm_loss(views, alone):
    """L + L_1 + L_2 from `info_nce`, default temperature."""
    ...


checks.exercise_4_2(comm_loss)

# %% [markdown]
# **4.3** Write a judge that is not impressed by numbers above 50 %: was something learned? Say
# yes only if the treated runs are more than two standard errors above their controls, and never
# from one seed. (`statistics.stdev(x) / len(x) ** 0.5` is the standard error of a mean; errors of
# two means add up as squares. Two is a low bar for three runs a side: where nothing was learned,
# one comparison in seventeen passes it.)


# %% tags=["exercise"]
def learned(treated, control):
    """Whether S of the treated runs is clearly above that of the controls (lists of numbers)."""
    ...


checks.exercise_4_3(learned)

# %% [markdown]
# ---
# **Next:** [5 · Your own data](05-your-data.ipynb). A comparison like these from
# the command line: `comm-probe ablate --loss L --loss L_i --loss L_CoMM --seeds 3`.
