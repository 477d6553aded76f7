# %% [markdown] tags=["slide"]
# # 4 · Which term of the loss learns what
#
# *CoMM's loss is a sum of three terms. The paper's Figure 5 says that two of them learn R and U,
# and that S needs the third. Why should that be? And do our small runs show it?*

# %% [markdown] tags=["goals", "slide"]
# ## After this notebook you can
#
# * work out which information a term of a loss can pay for, from what it gets to see;
# * judge a measured difference by its control, its seeds and its interval;
# * state what a result at a small scale shows, and what it leaves open.
#
# **Time:** 80 minutes: 45 to read and run, 35 for the exercises.
#
# **Before:** notebook 3.

# %% [markdown]
# This notebook has a surprise: our runs do not show what the paper's figure shows. It is left in,
# with what can be concluded and what cannot. Telling the two apart is the lesson. Longer code that
# only counts and draws stands in `reading.py`, beside this notebook.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
import torch

import checks
import reading
import trained
from trifeature.comm.losses import info_nce
from trifeature.data.attributes import VALUES
from trifeature.data.dataset import build, preset, with_match_rate
from trifeature.plots import STYLE
from trifeature.report import compare, summarize

plt.rcParams.update(STYLE)
data = build(preset("quick", seed=1))
biased = with_match_rate(data, 1.0)
K = data.settings.textures  # values of each attribute: ten, as in the paper

# %% [markdown] tags=["slide"]
# ## CoMM in one picture
# A **view** of a pair is a copy of it, cropped and recolored at random; there are two, ' and ''.
# The **fusion** makes one code of both images; given one image alone, it makes a code of that one.
# Each arrow is a game of finding the partner, as in notebook 3.

# %% tags=["on-slide"]
reading.draw_comm()

# %% [markdown]
# * **L** aligns the fusions of the two views.
# * **L_1** aligns image 1 alone with the fusion, **L_2** image 2 alone, each in both directions.
# * The whole loss, L_CoMM, is L + L_1 + L_2. Without L it is written **ΣL_i**.

# %% [markdown] tags=["slide"]
# ## What can a term pay for?
# A game of finding the partner pays for what the two codes have in common (notebook 3). So L can
# pay for whatever *both images together* tell, L_1 for what *image 1 alone* tells, L_2 for what
# *image 2 alone* tells.

# %% [markdown]
# Take one bit of each kind: source 1 shows r, u1 and s1, source 2 shows r, u2 and s2. For every bit
# that a code might keep: how many bits can each term pay?

# %% tags=["on-slide"]
r, u1, u2, s1, s2 = np.indices((2,) * 5).reshape(5, -1)
one, other = 4 * r + 2 * u1 + s1, 4 * r + 2 * u2 + s2
bits = {"r": r, "u1": u1, "u2": u2, "s1 xor s2": s1 ^ s2}
paid = {name: reading.payments(bit, one, other) for name, bit in bits.items()}
reading.draw_payments({"bits that a term can pay": paid})

# %%
for name, row in paid.items():
    print(f"{name:10}", "  ".join(f"{term} {value:.2f}" for term, value in row.items()))

# %% [markdown]
# There is the paper's argument in one table: only L has a reason to keep s1 xor s2.

# %% [markdown] tags=["slide"]
# ## The same question about the training pairs
# Now the "bits" are the attributes and the match, on unbiased pairs, and on the biased ones on
# which S is trained.


# %% tags=["on-slide"]
def payments_of(dataset):
    """What each term can pay for each thing that a code might keep, on the training pairs."""
    kept, one, other = reading.of_pairs(dataset)
    return {name: reading.payments(values, one, other) for name, values in kept.items()}


tables = {"unbiased pairs": payments_of(data), "biased pairs": payments_of(biased)}
reading.draw_payments(tables)

# %%
for title, table in tables.items():
    print(title)
    for name, row in table.items():
        print(f"{name:10}", "  ".join(f"{term} {value:.2f}" for term, value in row.items()))

# %% [markdown]
# On unbiased pairs the match is (nearly) L's alone, as above. On *biased* pairs nobody pays for the
# match: it is constant there (notebook 2). What is left of it is the regularity "this texture comes
# with that color", and it is paid for by **all three terms**: texture 1 can be told from image 2,
# color 2 from image 1.
#
# So the argument does not carry over to the biased pairs. In bits, nothing says that the L_i must
# miss what a probe later reads as S. Whether networks *do* learn it is a question for runs.

# %% [markdown] tags=["slide"]
# ## What the runs did
# R and U after training on unbiased pairs; S after training on biased pairs (solid), beside its
# control, the same training on unbiased pairs (dashed).

# %% [markdown]
# The recorded runs of the preset `quick`: 48 pixels, ten values of each attribute, two epochs, five
# seeds. S is read by the area under the curve (AUC, 50 % is chance) on unbiased pairs; notebook 3
# says why.

# %% tags=["on-slide"]
losses = {"L_CoMM": "L_CoMM", "L": "L", "ΣL_i": "L_i"}
runs = reading.recorded(method="comm")
reading.loss_curves(losses, runs, K)

# %% [markdown]
# Read three things off:
#
# 1. What did biased training add to S, over the control?
# 2. Is ΣL_i behind L_CoMM on S, as in the paper's figure?
# 3. Where was S before any training?

# %% tags=["rows"]
pairs_of_runs = {
    label: tuple(reading.pick(runs, loss=loss, biased=kind) for kind in (True, False))
    for label, loss in losses.items()
}
for label, (treated, control) in pairs_of_runs.items():
    print(f"1. {label:7} biased less control: {compare(treated, control, 'S_auc') or 'missing'}")
said = compare(pairs_of_runs["ΣL_i"][0], pairs_of_runs["L_CoMM"][0], "S_auc")
print(f"2. ΣL_i less L_CoMM, both biased: {said or 'missing'}")
start = summarize(reading.pick(runs, loss="L_CoMM", biased=True, epoch=0), "S_auc")
print(f"3. untrained network: {start or 'missing'}")

# %% [markdown]
# Macro accuracy, the other reading, says the same with smaller numbers, because a probe that says
# "no" to nearly every pair still counts as nearly ignorant:

# %% tags=["rows"]
for label, (treated, control) in pairs_of_runs.items():
    print(f"1. {label:7} biased less control: {compare(treated, control, 'S') or 'missing'}")
said = compare(pairs_of_runs["ΣL_i"][0], pairs_of_runs["L_CoMM"][0], "S")
print(f"2. ΣL_i less L_CoMM, both biased: {said or 'missing'}")

# %% [markdown] tags=["slide"]
# ## The surprise
# In the paper's figure L learns S and ΣL_i does not. In our runs ΣL_i is even a little ahead of the
# whole loss, and L stays at its control.
#
# The table of payments would explain it. Biased pairs change nothing for L, which pays for texture
# 1 and color 2 on both kinds of pairs. But L_1 and L_2 *begin* to pay for color 2 and texture 1.

# %% [markdown]
# The paper has 224 pixels and a hundred epochs, we have 48 pixels and two; the table leaves room
# for both results. Mind L's control: it is well above 50 %, and has never seen the map. And mind R:
# in two epochs L has hardly left its start, while ΣL_i has learned most of it. L is slow.
#
# **What can be concluded:** at this scale the biased pairs teach the map through the L_i. **What
# cannot:** that the paper is wrong (another scale, and fifty times the epochs), that L would not
# get there with them, or that the L_i learn "the synergy" (the biased pairs hold none).

# %% [markdown] tags=["slide"]
# ## If the explanation holds, what else must be seen?
# Texture 1, and not texture 2, should gain from biased pairs wherever L_1 and L_2 are at work, and
# neither where L is alone.

# %% tags=["on-slide"]
reading.draw_differences({"U1": "U1: texture 1", "U2": "U2: texture 2"}, pairs_of_runs)

# %% tags=["rows"]
for label, (treated, control) in pairs_of_runs.items():
    for name in ("U1", "U2"):
        said = compare(treated, control, name)
        print(f"{label:7} {name}, biased less unbiased: {said or 'missing'}")

# %% [markdown]
# So it is; where the L_i are alone, texture 2 even loses.

# %% [markdown] tags=["slide"]
# ## An S above chance proves nothing by itself
# Take an ideal code *without* any trace of the match: shape, texture 1 and color 2, side by side.
# Draw the data set eight times over, and read S in three ways. There is nothing to read.

# %% tags=["on-slide"]
read = np.array([reading.read_without_match(seed) for seed in range(8)])
ways = ("macro accuracy", "balanced probe", "area under the curve")
reading.draw_without_match(dict(zip(ways, read.T, strict=True)))

# %%
for name, column in zip(ways, read.T, strict=True):
    print(f"{name:21} mean {column.mean():.1%}, from {column.min():.1%} to {column.max():.1%}")

# %% [markdown]
# The macro accuracy stays at 50 %: with one match in ten pairs this probe says "no" to all. The
# other two wander by several points from draw to draw (a *balanced* probe counts the few matches as
# much as the many others). The test pairs are few combinations, and not quite their law. So every S
# here stands beside two controls, the same model trained on unbiased pairs and the untrained
# network, over several seeds.

# %% [markdown] tags=["slide"]
# ## Look inside ΣL_i
# 500 new pairs, each a point, along the two directions in which the codes vary most. Where is what
# the probe reads as S?

# %% [markdown]
# Three trained networks come with the course: the whole loss and ΣL_i after biased training, and
# the whole loss's control. One seed, the only one tried.

# %% tags=["on-slide"]
networks = {
    "L_CoMM": trained.load("comm", data),
    "ΣL_i": trained.load("comm-sum-L_i", data),
    "L_CoMM, control": trained.load("comm-control", data),
    "untrained": trained.untrained("comm", data),
}
attributes = np.random.default_rng(0).integers(0, K, size=(500, 5))
keeps = np.array(data.settings.partners)[attributes[:, 1]] == attributes[:, 4]
images = trained.pictures(attributes, 1000 + np.arange(500), data)
reading.draw_directions(
    reading.codes_of(networks["ΣL_i"], images),
    {
        "shape": (attributes[:, 0], VALUES["shape"]),
        "texture 1": (attributes[:, 1], VALUES["texture"]),
        "match": (keeps.astype(int), ("broken", "kept")),
    },
)

# %% [markdown]
# Textures and shapes form regions. Kept and broken pairs lie in one another, though a probe tells
# them apart nine times in ten: what it reads as S is small beside shape and texture, and no picture
# of two directions out of 128 will show it.
#
# So look where it must be, in the **interaction** (notebook 3): what is left of the codes of a
# grid, texture 1 by color 2, when what each texture and each color adds on average is taken away.
# And how much of that is the match? Any pattern gets 1.2 % by luck.

# %%
GRIDS = 20
order = data.settings.partners
grids = reading.grid_images(data, GRIDS)
for name, network in networks.items():
    codes = reading.in_grids(reading.codes_of(network, grids), GRIDS, order)
    print(f"{name:16} interaction {reading.interaction_share(codes):6.2%}", end="")
    print(f", of it the match {reading.match_share(codes) or 0:.0%}")

# %% [markdown]
# Compare ΣL_i with the whole loss, then both with the two controls. L_1 and L_2 have no reason to
# keep a combination in the *toy*; and yet ΣL_i has more interaction than the whole loss, and both
# have far more of the match than the controls. Why? One guess: the fusion has a hidden layer before
# the code, and nobody is charged for what it mixes there. One seed: a look, no measurement.

# %% [markdown]
# ## Train one yourself
# One term of the loss, on biased and on unbiased pairs; one to two minutes of one core each.

# %%
TRAIN = False
LOSS = "L_1"  # or "L_2", "L", "L_i", "L_CoMM"

if TRAIN:
    from trifeature.comm.settings import run_preset
    from trifeature.comm.training import train
    from trifeature.probes.protocol import probe

    for title, dataset in {"biased": biased, "unbiased": data}.items():
        model = train(dataset, run_preset("quick", loss=LOSS, seed=1))
        measured = probe(model, dataset).row()
        print(title, {name: f"{measured[name]:.1%}" for name in ("R", "U1", "U2", "S")})
else:
    print("not trained: set TRAIN = True and run this cell")

# %% [markdown] tags=["slide"]
# # Exercises

# %% [markdown]
# Put your answer in the place of the dots and run the cell; each exercise has a hint to unfold.

# %% [markdown] tags=["on-slide"]
# **4.1** From the first table: which terms pay for which bit? (Sets of "L", "L_1" and "L_2".)
#
# <details><summary>Hint</summary>
#
# A term can pay for a bit if what it sees tells the bit. What does L see: one image, or both?
#
# </details>

# %% tags=["exercise"]
paid_by = {"r": ..., "u1": ..., "u2": ..., "s1 xor s2": ...}

checks.exercise_4_1(paid_by)

# %% [markdown] tags=["on-slide"]
# **4.2** Write CoMM's loss, L + L_1 + L_2, with `info_nce(z, w)` for one game of finding the
# partner. `views` is (z', z''), the two fusions; `alone` is a list of (z_i', z_i''), one pair for
# each image. L_i is the mean of two games, and each is with the fusion *of the other view*.

# %% [markdown]
# Codes are tensors here, PyTorch's arrays. You need not look into them: `info_nce` takes two and
# gives a loss.
#
# <details><summary>Hint</summary>
#
# Follow the arrows of the picture: one for L, two for each L_i. Why the other view? What would be
# easy to find if both codes were made of the very same pixels?
#
# </details>

# %%
z, w = torch.randn(2, 8, 5, generator=torch.Generator().manual_seed(0))
print(f"info_nce of codes with themselves: {info_nce(z, z):.2f} nats, with others: ", end="")
print(f"{info_nce(z, w):.2f} nats")


# %% tags=["exercise"]
def comm_loss(views, alone):
    """L + L_1 + L_2 from `info_nce`."""
    ...


checks.exercise_4_2(comm_loss)

# %% [markdown] tags=["on-slide"]
# **4.3** Write a judge that is not impressed by numbers above 50 %: was something learned? Say
# yes only if the treated runs are more than two standard errors above their controls, and never
# from one seed.

# %% [markdown]
# `statistics.stdev(x) / len(x) ** 0.5` is the standard error of a mean; errors of two means add up
# as squares. (Two is a low bar for three runs a side: where nothing was learned, one comparison in
# seventeen passes it.)
#
# <details><summary>Hint</summary>
#
# First the case that can be settled at once: fewer than two runs on either side. Then three
# numbers: the difference of the means, the standard error of each mean, and the root of the sum of
# the squares of both.
#
# </details>


# %% tags=["exercise"]
def learned(treated, control):
    """Whether S of the treated runs is clearly above that of the controls (lists of numbers)."""
    ...


checks.exercise_4_3(learned)

# %% [markdown]
# ---
# **Next:** [5 · Your own data](05-your-data.ipynb). A comparison like these from
# the command line: `comm-probe ablate --loss L --loss L_i --loss L_CoMM --seeds 3`.
