# %% [markdown] tags=["slide"]
# # 1 · Two sensors and a label: what the atoms mean
#
# *Two sensors watch a machine, and a label says whether it failed. How much does each sensor
# tell about the label? What do they both tell? And what do they tell only together?*

# %% [markdown] tags=["goals", "slide"]
# ## After this notebook you can
#
# * name the four atoms of two sources about a target, and find them in a table;
# * explain what an ablation costs, and why a sensor that tells nothing alone may be needed;
# * recognize eight false beliefs by the table that refutes each.
#
# **Time:** 65 minutes: 40 to read and run, 25 for the exercises.
#
# **Before:** probabilities and logarithms from school; a little Python and NumPy.

# %% [markdown]
# What both tell and what they tell only together are two things, and confusing them is behind much
# of what is believed about data of several kinds. This notebook answers such questions exactly, in
# bits.
#
# **How to use it.** Run the cells from top to bottom. Before each one, guess what it will print.
# The exercises at the end have hints, and checks that say in words what is wrong and why. The
# cells run in seconds.

# %%
# %matplotlib inline
import numpy as np

import checks
from trifeature.pid import GALLERY, broja, compare, example, gallery_table
from trifeature.plots import atom_bars

# %% [markdown] tags=["slide"]
# ## A table says it all
#
# Sensor 1 shows X1, sensor 2 shows X2, Y is the label. All that can be known about how they go
# together is a table of probabilities p(x1, x2, y). Here is one: both sensors are fair coins, and
# the machine fails (Y = 1) exactly when they *differ*.

# %% tags=["on-slide", "with-code"]
differ = np.zeros((2, 2, 2))
for x1 in (0, 1):
    for x2 in (0, 1):
        differ[x1, x2, int(x1 != x2)] = 1 / 4

atoms = broja(differ, sources=("sensor 1", "sensor 2"), target="failure")
print(f"sensor 1 alone tells {atoms.information1:.3f} bits about the failure")
print(f"sensor 2 alone tells {atoms.information2:.3f} bits")
print(f"both together tell   {atoms.total:.3f} bits")

# %% [markdown]
# Alone, each sensor is worthless. Together they tell everything. No way of adding up the two
# single sensors gives this number: it belongs to the pair. That is **synergy**.

# %% [markdown] tags=["slide"]
# ## What a bit is
# One bit is the answer to one fair yes-or-no question. How uncertain a label is, its *entropy*
# H(Y), is the mean number of bits that it takes to say it. What a sensor *tells* about it, the
# *information* I(X; Y), is how much of this uncertainty is gone once the sensor has been read.

# %% [markdown]
# By hand, for a machine that fails one day in four and a sensor that never warns in vain, but
# misses every other failure:


# %% tags=["on-slide", "with-code"]
def entropy(*chances):
    """Bits of uncertainty of an outcome with these probabilities."""
    return -sum(p * np.log2(p) for p in chances if p > 0)


before = entropy(1 / 4, 3 / 4)
warned = entropy(1)  # on 1 day in 8, and then it fails for certain
silent = entropy(1 / 7, 6 / 7)  # on 7 days in 8, of which 1 in 7 fails all the same
after = 1 / 8 * warned + 7 / 8 * silent
print(f"H(Y) = {before:.3f} bits, {after:.3f} left: the sensor tells {before - after:.3f} bits")

# %% [markdown] tags=["slide"]
# ## Four atoms
#
# What two sources tell about a target is split into four parts, the *atoms*:
#
# | atom | what it is |
# |---|---|
# | redundancy R | what *either* source alone tells |
# | unique U1 | what *only* source 1 tells |
# | unique U2 | what *only* source 2 tells |
# | synergy S | what only *both together* tell |
#
# R + U1 is what source 1 tells alone, R + U2 what source 2 tells alone, and all four together are
# what both tell.

# %% [markdown] tags=["slide"]
# ## Four tables, four pictures
# Three tables that show one kind each (UNQ2 would be the fourth), and AND, which mixes two:

# %% tags=["on-slide"]
four = ("RDN", "UNQ1", "XOR", "AND")
for name in four:
    print(f"{name:5} {example(name).sentence}")
atom_bars({name: [broja(gallery_table(name))] for name in four})

# %% [markdown]
# They add up, always. The next cell checks this on every named table that the package has.

# %%
for name in GALLERY:
    p = gallery_table(name)
    found = broja(p)
    R, U1, U2, S = found.values
    assert abs(R + U1 - found.information1) < 1e-9
    assert abs(R + U2 - found.information2) < 1e-9
    assert abs(R + U1 + U2 + S - found.total) < 1e-9
    assert found.total <= entropy(*p.sum((0, 1))) + 1e-9
print(f"{len(GALLERY)} tables: the atoms add up, and never tell more than the label holds")

# %% [markdown]
# What source 1 tells, what source 2 tells and what both tell are three numbers, and the atoms are
# four. So one more number has to be *defined*. The definition used here (Bertschinger and others,
# 2014, called BROJA) asks how little the pair could tell if all you knew were each sensor's own
# dealings with the label; whatever is told beyond that is synergy. The result comes with an
# interval that provably holds the true value:

# %%
low, high = broja(gallery_table("AND")).intervals["synergy"]
print(f"the synergy of AND lies between {low:.12f} and {high:.12f}")

# %% [markdown]
# ## Eight beliefs that a table refutes
# "Predict first" opens [the playground](../playground/index.html), where you set the four
# atoms before you see them.

# %% [markdown] tags=["slide"]
# ### 1. "Redundancy is correlation of the sources"
# [Predict first.](../playground/index.html#preset=correlated&guess=1)
#
# How much the sources share with *one another* is one thing, what they both tell about the
# *label* another.


# %% tags=["on-slide"]
def shared_bits(p):
    """I(X1; X2): how much the sources tell about one another, whatever the label is."""
    p12 = p.sum(2)
    apart = p12.sum(1, keepdims=True) * p12.sum(0, keepdims=True)
    seen = p12 > 0
    return float((p12[seen] * np.log2(p12[seen] / apart[seen])).sum())


for name in ("CORRELATED", "AND"):
    p = gallery_table(name)
    print(f"{name:11} I(X1; X2) = {shared_bits(p):.3f}, R about Y = {broja(p).redundancy:.3f}")
    print(f"{'':11} {example(name).sentence}")

# %% [markdown]
# So always say *redundancy about Y*, and say what Y is.

# %% [markdown] tags=["slide"]
# ### 2. "A sensor that tells nothing alone can be dropped"
# ### 6. "What dropping it costs is its unique information"
# Predict first: [2](../playground/index.html#preset=xor&guess=1),
# [6](../playground/index.html#preset=ablation&guess=1).
#
# Drop a sensor of XOR and see:

# %% tags=["on-slide"]
xor = broja(gallery_table("XOR"))
cost = xor.total - xor.information2
print(f"sensor 1 alone: {xor.information1:.3f} bits; its unique information: {xor.unique1:.3f}")
print(f"cost of dropping it: {cost:.3f} bits = U1 + S")

# %% [markdown]
# ### 3. "R and S cannot both be there"
# ### 4. "Minus the co-information is the synergy"
# Predict first: [3](../playground/index.html#preset=rdnxor&guess=1),
# [4](../playground/index.html#preset=and&guess=1).
#
# The co-information I(X1;Y) + I(X2;Y) − I(X1,X2;Y) is often read as "redundancy if positive,
# synergy if negative". It is only their difference, R − S.

# %%
for name in ("RDNXOR", "AND"):
    found = broja(gallery_table(name))
    print(
        f"{name:7} co-information {found.co_information:+.3f}: "
        f"R = {found.redundancy:.3f}, S = {found.synergy:.3f}"
    )

# %% [markdown]
# ### 5. "The target is just a third variable"
# [Predict first.](../playground/index.html#preset=and-swapped&guess=1)
#
# The same table of AND, asked about its output, and asked about its first input:

# %%
p = gallery_table("AND")
outputs = broja(p, target="output")
inputs = broja(np.transpose(p, (1, 2, 0)), sources=("input 2", "output"), target="input 1")
atom_bars({"AND": [outputs], "AND, turned": [inputs]})

# %% [markdown] tags=["slide"]
# ### 7. "The decomposition is unique"
# [Predict first.](../playground/index.html#preset=copy&guess=1)
#
# If the label is *both* bits, are two independent bits redundant about it? Definitions part
# here. Williams and Beer's first one, I_min, says yes, one bit: each source tells "one bit", so
# it counts them as the same. BROJA says no.

# %% tags=["on-slide"]
copy = compare(gallery_table("COPY"), target="both bits")
atom_bars({"COPY": [copy["BROJA"], copy["I_min"]]})

# %% [markdown] tags=["slide"]
# ### 8. "Synergy needs an XOR-like rule"
# [Predict first.](../playground/index.html#preset=two-looks&guess=1)
#
# Two doctors look at the same patient, who is ill or well with equal chance; each is wrong in one
# case of ten, independently. No trick, no XOR. When they agree, you know more than either told
# you:

# %% tags=["on-slide"]
found = broja(gallery_table("TWO-LOOKS", flip1=0.1, flip2=0.1))
print(f"R = {found.redundancy:.3f} bits, S = {found.synergy:.3f} bits")

# %% [markdown]
# Belief 9 (half the pairs matching makes half the information redundant) falls in notebook 2,
# belief 10 (an estimate above zero is in the data) in notebook 6. Predict first:
# [9](../playground/index.html#preset=half-match&guess=1),
# [10](../playground/index.html#preset=independent&guess=1).
#
# The definition of belief 7 comes back in notebook 8, with Gaussian data, and a third source in
# notebook 7.

# %% [markdown] tags=["slide"]
# ## Noise
# Flip XOR's label now and then. The synergy falls fast: the first wrong labels cost most.

# %% tags=["on-slide"]
for flip in (0.0, 0.05, 0.1, 0.2, 0.3, 0.5):
    S = broja(gallery_table("NOISY-XOR", flip=flip)).synergy
    print(f"flipped at rate {flip:4.2f}: S = {S:.3f} " + "█" * round(40 * S))

# %% [markdown] tags=["slide"]
# # Exercises

# %% [markdown]
# Put your answer in the place of the dots and run the cell. The last line of each cell judges
# it. Below each exercise is a hint to unfold. Solutions, when you are done: the folder
# `solutions`.

# %% [markdown] tags=["on-slide"]
# **1.1** Belief 3 says that R and S exclude one another. Make a table of your own with exactly
# one bit of redundancy, one bit of synergy, and nothing unique.
#
# <details><summary>Hint</summary>
#
# Take two separate questions about Y: one that either source answers alone, one that needs both.
# Then Y has two bits, so four values, and so has each source.
#
# </details>

# %% tags=["exercise"]
table = ...  # an array of shape [N, M, K] that sums to 1

checks.exercise_1_1(table)

# %% [markdown] tags=["on-slide"]
# **1.2** Find a table whose sources are *independent* and have a redundancy about Y of at least
# 0.2 bits.
#
# <details><summary>Hint</summary>
#
# Independent sources can still rule out the same value of Y. Look through the gates: for
# which of them does one input sometimes settle the output, whichever input it is?
#
# </details>

# %% tags=["exercise"]
table = ...

checks.exercise_1_2(table)

# %% [markdown] tags=["on-slide"]
# **1.3** A colleague drops sensor 1 and measures how much is lost. Write what they will find.
#
# <details><summary>Hint</summary>
#
# What both tell is all four atoms. Which of them does the sensor that is left still tell?
#
# </details>


# %% tags=["exercise"]
def ablation_cost(atoms, source):
    """Bits that are lost without a source (1 or 2), from the four atoms."""
    ...


checks.exercise_1_3(ablation_cost)

# %% [markdown] tags=["on-slide"]
# **1.4** At which flip rate does XOR keep half a bit of synergy? (Within 0.01 bits. Guess first:
# is it 0.25?)
#
# <details><summary>Hint</summary>
#
# Look at the list under "Noise": between which two rates does S fall through a half? Then try
# rates between them, or solve 1 − h(e) = ½, where h(e) is the entropy of a coin that shows heads
# with chance e.
#
# </details>

# %% tags=["exercise"]
flip_rate = ...

checks.exercise_1_4(flip_rate)

# %% [markdown]
# ---
# **Next:** [2 · Trifeature: putting R, U and S into pixels](02-pixels.ipynb). The atoms of any
# table, from the command line: `trifeature pid show AND`. More: [R, U1, U2 and S in
# bits](../pid.md).
