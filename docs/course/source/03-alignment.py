# %% [markdown] tags=["slide"]
# # 3 · Why aligning modalities loses U and S
#
# *The best-known way to learn from images and their captions is to align them: the image should
# find its caption, the caption its image. What does a model learn that is trained so, and what
# can it not learn?*

# %% [markdown] tags=["goals", "slide"]
# ## After this notebook you can
#
# * compute the loss of alignment of three pairs by hand, from their table of similarities;
# * explain why alignment keeps what two images share and forgets what only one of them shows;
# * distinguish what is in a code from what a reader gets out of it.
#
# **Time:** 90 minutes: 50 to read and run, 40 for the exercises.
#
# **Before:** notebook 2; exponential and logarithm. No neural networks: what is needed is said.

# %% [markdown]
# First an argument in exact numbers, with no network. Then what real networks did, from recorded
# runs. Then a look inside three of them, and a cell with which you can train one yourself. Longer
# code that only counts and draws stands in `reading.py`, beside this notebook.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np

import checks
import reading
import trained
from trifeature.data.dataset import build, preset, with_match_rate
from trifeature.pid import atoms_of_columns
from trifeature.plots import STYLE
from trifeature.report import compare, summarize

plt.rcParams.update(STYLE)
data = build(preset("quick", seed=1))
biased = with_match_rate(data, 1.0)
K = data.settings.textures  # values of each attribute: ten, as in the paper

# %% [markdown] tags=["slide"]
# ## A game: find your partner
# Three pairs of images are shuffled. Each image 1 has to find its partner among the three images 2,
# by **similarity** alone: a number for every two images, high if they look alike to the player.

# %% [markdown]
# Below, the three images 1 stand at the left, the three images 2 on top, and the partners on the
# diagonal, in orange frames. The similarities are made up. The player turns them into chances:
# divide by the **temperature** (here 0.2; the lower, the more decided the player), take the
# exponential, divide by the sum of the row.

# %% tags=["on-slide"]
similarity = np.array(
    [
        [0.8, 0.3, 0.1],
        [0.2, 0.6, 0.5],
        [0.1, 0.3, 0.7],
    ]
)
temperature = 0.2
weights = np.exp(similarity / temperature)
chances = weights / weights.sum(axis=1, keepdims=True)
reading.draw_game(reading.easy_pairs(data), similarity, chances)

# %% [markdown] tags=["slide"]
# ## The score, by hand
# A player who gives the right partner the chance p is *surprised* by −ln p: not at all if p = 1,
# more the smaller p was. The score is the mean surprise of all who search. It is called the **loss
# of alignment** (InfoNCE), because less is better; its unit is the nat, 1.44 bits.

# %% tags=["on-slide", "with-code"]
surprises = -np.log(np.diag(chances))
print("chance of the partner:", np.round(np.diag(chances), 2))
print("surprise, in nats:    ", np.round(surprises, 2))
print(f"loss: {surprises.mean():.2f} nats; of a player who sees nothing: ln 3 = {np.log(3):.2f}")

# %% [markdown]
# A network that is trained by alignment plays this game with hundreds of pairs at a time. It turns
# every image into a **code**, a row of numbers; the similarity of two images is the cosine of the
# angle between their codes, 1 if they point the same way. Training changes the codes, step by
# step, so that the loss falls. That is all that alignment asks for. (Each image 2 searches its
# image 1 too, and the two losses are averaged: exercise 3.2.) Learning by such games is called
# *contrastive*: partners are told from the rest.

# %% [markdown] tags=["slide"]
# ## What helps to find a partner?
# Only what the two images have *in common*. So count: how many bits does each attribute of image 1
# tell about each attribute of image 2, on the pairs used for training?

# %% tags=["on-slide"]
reading.draw_shared_bits({"unbiased pairs": data, "biased pairs": biased})

# %% [markdown]
# On unbiased pairs two images have the shape in common, log₂ 10 = 3.32 bits, and nothing else. (The
# few hundredths beside it come of drawing: some shapes meet some textures more often.) Texture 1,
# which is unique to image 1, is of no use for finding image 2. On *biased* pairs, which always keep
# the map, texture 1 and color 2 tell one another, as notebook 2 has shown.

# %% [markdown] tags=["slide"]
# ## Carrying more is not free, it costs
# Let ideal codes play: ten switches for each attribute, of which one is on. Does it help if a code
# carries, besides the shape, something that only its own image shows?

# %%
print("shape 3 as ten switches:", reading.one_hot(np.array([3]))[0].astype(int))


# %% [markdown]
# Three players, with 512 pairs. *Shape* carries the shape only. *Shape and own texture* carries the
# image's own texture too. *Shape and map* translates texture 1 by the map into a color, and puts it
# where image 2 has its color.


# %% tags=["on-slide"]
def players(dataset):
    """The codes of image 1 and of image 2 of three players, for 512 training pairs."""
    one, other = (reading.shown(dataset, "train")[:512, m] for m in (0, 1))
    translated = np.array(dataset.settings.partners)[one[:, 1]]
    return {
        "shape": (reading.one_hot(one[:, 0]), reading.one_hot(other[:, 0])),
        "shape and own texture": (
            reading.one_hot(one[:, 0], one[:, 1]),
            reading.one_hot(other[:, 0], other[:, 1]),
        ),
        "shape and map": (
            reading.one_hot(one[:, 0], translated),
            reading.one_hot(other[:, 0], other[:, 2]),
        ),
    }


reading.draw_losses(
    {
        title: {name: reading.alignment_loss(*codes) for name, codes in players(dataset).items()}
        for title, dataset in {"unbiased pairs": data, "biased pairs": biased}.items()
    }
)

# %% [markdown]
# The code that also carries its own texture is *worse* aligned than the one that forgets it. So
# alignment does not merely fail to ask for the unique part: it is against it. And where biased
# pairs make texture 1 predictable from the other image, the same loss asks for it.

# %% [markdown] tags=["slide"]
# ## In the code, and yet not read
# After biased training the ideal code knows shape and texture 1 from image 1, shape and color 2
# from image 2. The match is a function of texture 1 and color 2. So can it be read?

# %% [markdown]
# Ask twice. First by counting bits:

# %%
rows = reading.shown(data, "test")
columns = {"texture 1": rows[:, 0, 1], "color 2": rows[:, 1, 2]}
columns["match"] = data.pairs["test"].labels["synergy"]
atoms = atoms_of_columns(columns, "texture 1", "color 2", "match")
print(f"counted: the code holds {atoms.total:.3f} bits about the match, {atoms.synergy:.3f} as S")

# %% [markdown]
# Then with a **linear probe**, the reader by which such models are usually judged. The code is kept
# as it is. For each answer the probe adds up the code's numbers, each times a weight, and says the
# answer with the largest sum. The weights are fitted to one set of pairs, and the probe is scored
# on another, by macro accuracy (notebook 2).
#
# Two codes are read: the code of image 1 *side by side* with that of image 2, and a *fused* code,
# which has one more switch for each combination of texture 1 and color 2.


# %% tags=["on-slide"]
def side_by_side(which):
    """The ideal code of image 1 beside that of image 2."""
    rows = reading.shown(data, which)
    return reading.one_hot(rows[:, 0, 0], rows[:, 0, 1], rows[:, 1, 0], rows[:, 1, 2])


def fused(which):
    """The same, and one switch for each *combination* of texture 1 and color 2."""
    rows = reading.shown(data, which)
    both = reading.one_hot(K * rows[:, 0, 1] + rows[:, 1, 2], values=K * K)
    return np.concatenate([side_by_side(which), both], axis=1)


found = {
    "side by side": reading.read_by_probe(side_by_side, data),
    "fused": reading.read_by_probe(fused, data),
}
chance = {"share": 1 / K, "unique1": 1 / K, "unique2": 1 / K, "synergy": 1 / 2}
reading.draw_readings(found, chance)
print(
    {name: f"{tasks['synergy'].macro_accuracy:.1%} of the match" for name, tasks in found.items()}
)

# %% [markdown]
# The side-by-side code holds *all* of the synergy, and the linear probe is at chance. No single
# switch says anything about the match, so the best weight of every switch is zero, and the probe
# says "no" every time. One switch for each combination, and it reads everything.
#
# So two things are in a result such as "this method learned no synergy": what its loss rewards,
# and whether its code *fuses* the two images or has them side by side.
#
# One oddity: texture 2, which is in neither code, is read *below* chance. In the test pairs a
# texture stands with shapes and colors that it never had in training, so whoever knows only shape
# and color bets on the other textures. Numbers near chance need controls (notebook 4).

# %% [markdown] tags=["slide"]
# ## What real networks did
# A **neural network** is a function with many adjustable numbers, which turns pixels into a code.
# Four ways to train one:
#
# * **Cross** aligns image 1 with image 2; its code is both codes side by side.
# * **Cross+Self** also aligns each image with an altered copy of itself (cropped, recolored).
# * **FactorCL** trains separate parts for what is shared and what is unique.
# * **CoMM** fuses both images first, and aligns the fusion with that of altered copies.

# %% [markdown]
# The recorded runs of the preset `quick`: images of 48 pixels, ten values of each attribute, two
# epochs (an **epoch** is one pass through the training pairs), a small network. Each was trained
# five times, from five random starts, the **seeds**.
#
# R and U are read after training on unbiased pairs, S after training on biased ones. Beside each S
# stands its **control**: the same training on pairs without the map. S is read by the **area under
# the curve** (AUC): show the probe one pair that matches and one that does not, and ask which is
# which; 50 % is chance. (Only one pair in ten matches, and a probe that says "no" to each may still
# tell them apart. AUC sees that, macro accuracy does not.)

# %%
methods = {"CoMM": "comm", "Cross": "cross", "Cross+Self": "cross+self", "FactorCL": "factorcl"}
runs = reading.recorded(loss="L_CoMM")
reading.method_bars(methods, runs, K)

# %% [markdown]
# Cross reads the shape nearly perfectly, and its S is its control's. CoMM has an S far above its
# control. The numbers, in percent, mean ± standard deviation over the seeds; what has not been
# recorded is said to be missing:

# %% tags=["rows"]
for label, method in methods.items():
    treated, control = (reading.pick(runs, method=method, biased=kind) for kind in (True, False))
    R, S, start = summarize(control, "R"), summarize(treated, "S_auc"), summarize(control, "S_auc")
    print(f"{label:10} R {R or 'missing'}, S {S or 'missing'}, its control {start or 'missing'}")

# %% [markdown]
# What biased pairs *taught* is the distance of S to its control, seed by seed, with a 95 %
# interval. Nothing is concluded where the interval reaches from below 0 to above it:

# %% tags=["rows"]
for label, method in methods.items():
    treated, control = (reading.pick(runs, method=method, biased=kind) for kind in (True, False))
    said = compare(treated, control, "S_auc")
    print(f"{label:10} S, biased less control: {said or 'missing'}")

# %% [markdown]
# Is the unique part *gone* after alignment? Beside U stand what a probe reads from the network
# before any training, and what the paper reports (AlexNet, 224 pixels, a hundred epochs):

# %% tags=["rows"]
for label, method in methods.items():
    after = summarize(reading.pick(runs, method=method, biased=False), "U")
    before = summarize(reading.pick(runs, method=method, biased=False, epoch=0), "U")
    paper = reading.published(label, "U")
    print(f"{label:10} U {after or 'missing'}, untrained {before or 'missing'}, paper {paper:.1f}")

# %% [markdown]
# Mind what this shows and what not. The argument says that alignment has no use for the unique
# part, not how fast a network forgets it. An untrained network lets some texture through, and who
# learns shapes for two epochs may see textures better by the way. In the paper's long runs U of
# Cross ends near chance (10 %), that of CoMM far above. About U, runs as short as ours say little.

# %% [markdown] tags=["slide"]
# ## A prediction, tested
# The argument predicts more than "Cross loses U". On biased pairs texture 1 helps to find the
# other image, and texture 2 does not. So the same loss should raise U1, and U1 only. (Below,
# points = percent.)

# %% tags=["on-slide"]
groups = {
    label: tuple(reading.pick(runs, method=method, biased=kind) for kind in (True, False))
    for label, method in methods.items()
}
reading.draw_differences({"U1": "U1: texture 1", "U2": "U2: texture 2"}, groups)

# %% [markdown]
# Dots are means, lines 95 % intervals; a filled dot is clearly not 0. Where U1 gains much, and U2
# gains little or loses, the prediction holds, and it is one about *all* methods that align
# something of image 1 with something of image 2. The same in numbers:

# %% tags=["rows"]
for label, (treated, control) in groups.items():
    for name in ("U1", "U2"):
        said = compare(treated, control, name)
        print(f"{label:10} {name}, biased less unbiased: {said or 'missing'}")

# %% [markdown]
# ## Was the map never learned, or only not read?
# If Cross has texture 1 in its code because color 2 goes with it, then the two codes *fit* where
# the pair keeps the map. A linear probe of two codes side by side cannot see that: it adds, and to
# see whether two things fit one has to multiply.

# %% [markdown]
# So give the probe the products too: every number of code 1 times every number of code 2. That
# makes one reading more. And ask a reading without any probe: does the plain *similarity* of the
# two codes tell pairs that keep the map from others? All are AUC, with 50 % as chance:


# %% tags=["rows"]
def mean_of(rows, part, column):
    """Mean ± spread of a column of a part of the rows that have it."""
    return summarize([row[part] for row in rows if part in row], column) or "missing"


for label, (treated, control) in groups.items():
    print(f"{label:10} own code {summarize(treated, 'S_auc') or 'missing'}", end="")
    print(f"; with products {mean_of(treated, 'products', 'S_auc')}", end="")
    print(f", control {mean_of(control, 'products', 'S_auc')}", end="")
    print(f"; similarity {mean_of(treated, 'other_maps', 'similarity')}", end="")
    print(f", control {mean_of(control, 'other_maps', 'similarity')}")

# %% [markdown]
# Cross has learned the map: its similarity alone tells who keeps it, and its control's does not. In
# biased pairs texture 1 and color 2 tell each other. What a balanced test calls synergy was
# *redundancy* in training, which is what alignment learns. Keep two questions apart: what a network
# has learned, and what a probe can read of it.
#
# And mind a third. A probe has *labels*: from texture 1 and color 2, multiplied, it can learn any
# map, one too that training never saw. So ask it for *other* maps, in which every texture has
# another partner:

# %% tags=["rows"]
for label, (treated, _) in groups.items():
    print(f"{label:10} with products: the map {mean_of(treated, 'products', 'S_auc')}", end="")
    print(f", other maps {mean_of(treated, 'other_maps', 'products_S_auc')}")

# %% [markdown]
# Only what lies between the two is specific to the map that training has shown.

# %% [markdown] tags=["slide"]
# ## Look inside: exchange one thing
# Draw 300 new pairs, then each of them once more with *one* attribute exchanged. How far does the
# code turn? 0: it points where it pointed. 1: it might belong to any other pair. "Nothing" is the
# same pair in other poses.

# %% [markdown]
# Networks are written in PyTorch, a library whose arrays are called *tensors*; `reading.codes_of`
# hands images in and gets codes back as plain arrays. Three trained networks come with the course:
# Cross and CoMM after biased training, and CoMM's control; beside them CoMM before its first step.
# One seed, the only one tried.

# %%
networks = {
    "Cross": trained.load("cross", data),
    "CoMM": trained.load("comm", data),
    "CoMM, control": trained.load("comm-control", data),
    "CoMM, untrained": trained.untrained("comm", data),
}
images = reading.exchanged(data, pairs=300)
reading.draw_exchanged(images, pair=4)

# %% tags=["on-slide"]
table = {}
for name, network in networks.items():
    first = reading.codes_of(network, images["as drawn"])
    others = {word: both for word, both in images.items() if word != "as drawn"}
    table[name] = {
        word: reading.turned(first, reading.codes_of(network, both))
        for word, both in others.items()
    }
reading.draw_turned(table)

# %% [markdown]
# Read the row of Cross against the argument of the beginning. What tells of the other image turns
# its code. *Color 1* and *texture 2*, of no use for finding anything, turn it hardly further than
# another pose does. An untrained network sees colors; Cross has *forgotten* color 1. CoMM keeps
# it, although nobody asks about color 1 and no row reports it. What the biased pairs taught CoMM is
# *texture 1*, which hardly turns the code of its control.
#
# No label and no probe is involved here. A linear probe finds traces of texture 2 that weigh next
# to nothing in the code: U2 is above chance in all of them.

# %% [markdown]
# The files of the networks say what was measured: as trained for this course, as the recorded run
# of the same seed came out, and as kept here, with one byte a weight.

# %%
for name in ("cross", "comm", "comm-control"):
    for what, read in trained.about(name)["measured"].items():
        print(f"{name:12} U1 {read['U1']:.1%}  U2 {read['U2']:.1%}  S {read['S_auc']:.1%}  {what}")

# %% [markdown] tags=["slide"]
# ## What no side-by-side code can hold
# Show image 1 in all ten textures with image 2 in all ten colors: a grid of 100 codes. Take away
# what each texture adds on average, and what each color adds. What is left is the **interaction**:
# what the code holds about the *combination*.

# %% [markdown]
# In a side-by-side code image 2 moves the code by the same step whatever image 1 shows, so nothing
# is left. You write this in exercise 3.4. Twenty grids, each with another shape:

# %%
GRIDS = 20
order = data.settings.partners  # the colors in the order of the map
grids = reading.grid_images(data, GRIDS)
codes = {
    name: reading.in_grids(reading.codes_of(network, grids), GRIDS, order)
    for name, network in networks.items()
}
for name, z in codes.items():
    share = reading.interaction_share(z)
    print(f"{name:16} interaction: {share:.3%} of how codes vary within a grid")

# %% [markdown]
# For Cross it is zero but for rounding, and no training could change that. For CoMM it is small. Is
# it the *match*? Fit to half of the grids, as a probe does, the direction in which kept pairs
# differ from broken ones, and look along it in the other half. Columns stand in the order of the
# map, so that pairs that keep it lie on the diagonal:

# %% tags=["on-slide"]
scores = {name: reading.along_the_match(z) for name, z in codes.items()}
reading.draw_matches(scores, order)

# %% [markdown]
# A code that held the match whole would show 90 on the diagonal and −10 everywhere else. An
# interaction of 10 × 10 cells has 9 · 9 = 81 dimensions, and the match is one of them, so 1/81 =
# 1.2 % is what any pattern gets by luck:

# %%
for name, z in codes.items():
    share = reading.match_share(z)
    known = (scores[name].argmax(axis=1) == np.arange(K)).sum()
    if share is None:
        print(f"{name:16} there is no interaction")
    else:
        print(f"{name:16} {share:.0%} of it the match; {known} of {K} textures find their partner")

# %% [markdown]
# Compare CoMM with its control, which has never seen the map. Then look along the diagonal: does
# the network know the partner of *every* texture, or is its S the work of a few? No number in a row
# tells.

# %% [markdown]
# ## Train one yourself
# This takes one to two minutes of one core and a method. It is switched off, so that the notebook
# runs in seconds; set `TRAIN = True`, and change the method if you like.

# %%
TRAIN = False
METHOD = "cross"  # or "comm", "cross+self", "factorcl"

if TRAIN:
    from trifeature.comm.settings import run_preset
    from trifeature.comm.training import train
    from trifeature.probes.protocol import probe

    for title, dataset in {"unbiased": data, "biased": biased}.items():
        model = train(dataset, run_preset("quick", method=METHOD, seed=1))
        read = probe(model, dataset).row()
        print(title, {name: f"{read[name]:.1%}" for name in ("R", "U1", "U2", "S")})
else:
    print("not trained: set TRAIN = True and run this cell")

# %% [markdown] tags=["slide"]
# # Exercises

# %% [markdown]
# Put your answer in the place of the dots and run the cell; each exercise has a hint to unfold.

# %% [markdown] tags=["on-slide"]
# **3.1** From the two pictures of bits in common: which attributes may a perfectly aligned model
# keep? (Names such as "shape 1"; ignore what is below 0.1 bits.)
#
# <details><summary>Hint</summary>
#
# An attribute of image 1 is of use if its row has a bright square, one of image 2 if its column
# has one.
#
# </details>

# %% tags=["exercise"]
kept = {"unbiased": ..., "biased": ...}  # a set of names for each

checks.exercise_3_1(kept)

# %% [markdown] tags=["on-slide"]
# **3.2** Write the whole loss of alignment in NumPy, for codes `a` and `b`: each a must find its
# own b, each b its own a.

# %% [markdown]
# Make the rows of length one; take the table of all their products, `a @ b.T`, as similarities;
# divide it by the temperature. Return the mean of the losses of both directions, in nats.
#
# <details><summary>Hint</summary>
#
# The cell "The score, by hand" does one direction, from a table. For the other direction turn the
# table over: `table.T`. The length of each row is `np.linalg.norm(a, axis=1, keepdims=True)`.
#
# </details>


# %% tags=["exercise"]
def alignment_loss(a, b, temperature):
    """Loss of alignment of the rows of a and b, arrays [pairs, numbers]."""
    ...


checks.exercise_3_2(alignment_loss)

# %% [markdown] tags=["on-slide"]
# **3.3** Write what the biased pairs taught a method: the mean S of its biased rows less that of
# its unbiased ones, last epochs only.

# %% [markdown]
# A row is a dictionary with `method`, `biased`, `seed`, `epoch`, `epochs` and `S`.
#
# <details><summary>Hint</summary>
#
# Make one list of the rows that count (this method, last epoch), then two of it, by `biased`. What
# would your function return if you forgot one of the two conditions?
#
# </details>


# %% tags=["exercise"]
def gain(rows, method):
    """Mean S of the biased rows less mean S of the unbiased ones, at the last epoch."""
    ...


checks.exercise_3_3(gain)

# %% [markdown] tags=["on-slide"]
# **3.4** Write the interaction: from codes of all combinations, subtract what each row adds on
# average and what each column adds on average.

# %% [markdown]
# The answer has mean zero along rows and columns, and is zero for side-by-side codes.
#
# <details><summary>Hint</summary>
#
# Try it on paper with one number in each cell of a 2 × 2 table. When you have subtracted the mean
# of the row and the mean of the column, what have you subtracted twice?
#
# </details>


# %% tags=["exercise"]
def interaction(codes):
    """Codes [N, M, D] of row value i with column value j; returns the same shape."""
    ...


checks.exercise_3_4(interaction)

# %% [markdown]
# ---
# **Next:** [4 · Which term of the loss learns what](04-terms.ipynb). Record runs of your own:
# `comm-probe reproduce fig4 --preset quick`.
