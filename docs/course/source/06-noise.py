# %% [markdown] tags=["slide"]
# # 6 · PID of noise
#
# *Forty patients, eight measurements of a gene chip, eight of an image, and whether they responded.
# One line of code finds nearly half a bit of redundancy, and nearly as much synergy. What is it
# worth?*

# %% [markdown] tags=["goals", "slide"]
# ## After this notebook you can
#
# * say how many bits a count of pure noise seems to tell, before you count it;
# * test what was found against shuffled labels, and say what this test tests;
# * read an estimate with its interval, and judge whether a published finding survives.
#
# **Time:** 60 minutes: 30 to read and run, 30 for the exercises.
#
# **Before:** notebook 1.

# %%
# %matplotlib inline
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans

import checks
from trifeature.pid import (
    PID,
    SampleSizeWarning,
    broja,
    broja_many,
    estimate,
    gallery_table,
    joint_counts,
    rows_needed,
    samples_needed,
)
from trifeature.plots import ATOM_COLORS, STYLE, atom_bars

plt.rcParams.update(STYLE)
R_COLOR, U1_COLOR, U2_COLOR, S_COLOR = ATOM_COLORS

# %% [markdown] tags=["slide"]
# ## A recipe in use
# 1. Sort the rows of either measurement into k clusters (k-means).
# 2. Count how often each pair of clusters comes with each label.
# 3. Take these frequencies for the **law**, the true probabilities, and decompose it.
#
# Here it meets **pure noise**: 40 patients, all numbers independent, the response a coin flip.
# All true atoms are 0.

# %%
rng = np.random.default_rng(0)
PATIENTS = 40
genes, image = rng.normal(size=(2, PATIENTS, 8))
response = rng.integers(0, 2, PATIENTS)


def clusters(matrix, k):
    """The cluster of each row."""
    return KMeans(k, n_init=3, random_state=0).fit_predict(matrix)


def recipe(x1, x2, y):
    """The atoms of the frequencies of a sample, taken for the law: the plug-in."""
    return broja(joint_counts(x1, x2, y), normalize=True)


found = {k: recipe(clusters(genes, k), clusters(image, k), response) for k in (3, 5, 10, 20)}
for k, atoms in found.items():
    print(f"k = {k:2}: R {atoms.redundancy:.2f}, S {atoms.synergy:.2f}, ", end="")
    print(f"in all {atoms.total:.2f} bits of at most 1 about a coin flip")

# %% tags=["on-slide"]
figure = atom_bars({f"{k} clusters each": [atoms] for k, atoms in found.items()})
figure.set_size_inches(8, 2.5)
figure

# %% [markdown] tags=["slide"]
# ## Why: every patient sits alone
# The same 40 patients in the table of 20 × 20 pairs of clusters. Every cell that holds anyone holds
# **one** patient. A cell of one has one label: knowing the cell tells the label of *this*
# patient perfectly, and of the next patient nothing.

# %% tags=["on-slide"]
c1, c2 = clusters(genes, 20), clusters(image, 20)
figure, axes = plt.subplots(figsize=(4.4, 3.6), layout="constrained")
shift = 0.12 * rng.normal(size=(2, PATIENTS))
for label, marker in ((0, "o"), (1, "s")):
    own = response == label
    color = (S_COLOR, R_COLOR)[label]
    name = ("no response", "response")[label]
    axes.plot(c1[own] + shift[0, own], c2[own] + shift[1, own], marker, color=color, label=name)
axes.set(xlabel="cluster of the gene chip", ylabel="cluster of the image")
axes.set(xlim=(-0.6, 19.6), ylim=(-0.6, 19.6), xticks=range(0, 20, 5), yticks=range(0, 20, 5))
axes.set_xticks(np.arange(-0.5, 20), minor=True)
axes.set_yticks(np.arange(-0.5, 20), minor=True)
axes.tick_params(which="minor", length=0)
axes.grid(visible=False)
axes.grid(which="minor", alpha=0.4)
axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %%
held = joint_counts(c1, c2, response).sum(2)
print(f"{(held > 0).sum()} of {held.size} cells hold someone, {(held == 1).sum()} hold one patient")

# %% [markdown] tags=["slide"]
# ## How much noise tells
# For independent sources and label with N, M and K values and not too few rows n, the total of the
# plug-in is on average (Miller 1955)
#
# **(NM − 1)(K − 1) / (2 n ln 2)** bits.
#
# The **bias** is this mean less the truth, here 0. It falls like 1 / n and grows with the
# *product* of the values; the more values, the more of it is called synergy.

# %%
ROWS = np.array([20, 40, 80, 160, 320, 640, 1280, 2560])
REPEATS = 40


def noise_atoms(values, n):
    """Mean plug-in atoms (R, U1, U2, S) over samples of n independent rows."""
    tables = np.zeros((REPEATS, values, values, values))
    for table in tables:
        np.add.at(table, tuple(rng.integers(0, values, size=(3, n))), 1)
    return np.mean([atoms.values for atoms in broja_many(tables, normalize=True)], axis=0)


curves = {values: np.array([noise_atoms(values, n) for n in ROWS]) for values in (2, 3, 4)}

# %% tags=["on-slide"]
figure, panels = plt.subplots(1, 2, figsize=(7.2, 2.3), layout="constrained")
for (values, atoms), color in zip(curves.items(), (U2_COLOR, U1_COLOR, S_COLOR), strict=True):
    label = f"{values} values each"
    panels[0].loglog(ROWS, atoms.sum(1), "o", color=color, label=label, markersize=4)
    formula = (values**2 - 1) * (values - 1) / (2 * ROWS * np.log(2))
    panels[0].loglog(ROWS, formula, "-", color=color, alpha=0.6)
panels[0].axhline(0.05, color="0.4", linestyle=":", label=".05 bits")
panels[0].set(xlabel="rows n", ylabel="bits", title="total of noise; lines: the formula")
panels[0].set_ylim(1e-5, 3)
panels[0].legend(fontsize=8, loc="lower left")
shares = curves[4]
panels[1].stackplot(ROWS, shares.T, colors=ATOM_COLORS, labels=["R", "U1", "U2", "S"])
panels[1].set(xscale="log", xlabel="rows n", title="4 values each: who gets it")
panels[1].legend(fontsize=8)
plt.show()

# %%
for values, atoms in curves.items():
    share = atoms[-4:, 3].sum() / atoms[-4:].sum()
    at64 = (values**2 - 1) * (values - 1) / (2 * 64 * np.log(2))
    print(f"{values} values: {at64:.2f} bits at 64 rows by the formula; {share:.0%} of it synergy")

# %% [markdown]
# Try it on [the page](../playground/index.html#preset=independent): draw samples of independent
# dice and watch the synergy that is not there. (Belief 10: "an estimate above zero is in the
# data". [Predict first](../playground/index.html#preset=independent&guess=1).)

# %% [markdown] tags=["slide"]
# ## Ask the shuffled labels
# **Shuffling test:** deal the labels out anew, at random, and run the same recipe. Whatever it
# finds now is found in nothing. If the true labels do no better, nothing was found. The
# **p-value** is the share of deals, the true one included, that reach the true value.

# %%
SHUFFLES = 199


def shuffled_totals(x1, x2, y):
    """The recipe's total and synergy with true labels, and with labels dealt out anew."""
    tables = [joint_counts(x1, x2, y)]
    tables += [joint_counts(x1, x2, rng.permutation(y)) for _ in range(SHUFFLES)]
    atoms = broja_many(np.array(tables), normalize=True)
    return np.array([[one.total, one.synergy] for one in atoms])


s1, s2 = rng.integers(0, 2, size=(2, PATIENTS))
flipped = rng.random(PATIENTS) < 0.1
cases = {
    "noise, 5 clusters each": (clusters(genes, 5), clusters(image, 5), response),
    "a noisy exclusive or": (s1, s2, s1 ^ s2 ^ flipped),
}
nulls = {name: shuffled_totals(*columns) for name, columns in cases.items()}

# %% tags=["on-slide"]
figure, panels = plt.subplots(1, 2, figsize=(8.2, 2.9), layout="constrained", sharex=True)
for axes, (name, both) in zip(panels, nulls.items(), strict=True):
    p = (1 + (both[1:, 0] >= both[0, 0]).sum()) / (1 + SHUFFLES)
    axes.hist(both[1:, 0], bins=20, color="0.7", label="labels dealt anew")
    axes.axvline(both[0, 0], color=S_COLOR, linewidth=3, label="true labels")
    axes.set(title=f"{name}: p = {p:.3f}", xlabel="total that the recipe finds, bits")
panels[0].legend(fontsize=8)
plt.show()

# %% [markdown]
# **What it tests.** Dealing labels anew destroys *everything* that either source tells. So a
# small p says that the sources tell *something*. It does not say which atom: in the next cell
# only source 1 tells anything. The total is far beyond its shuffles, and the true synergy is 0.
# (The p-values of atoms are calculated and not counted, so they may be tiny; .000 is rounded.)

# %%
x1 = rng.integers(0, 2, 200)
x2 = rng.integers(0, 4, 200)
y = x1 ^ (rng.random(200) < 0.1)
both = shuffled_totals(x1, x2, y)
p_total = (1 + (both[1:, 0] >= both[0, 0]).sum()) / (1 + SHUFFLES)
print(f"total {both[0, 0]:.3f}, p = {p_total:.3f}; plug-in synergy {both[0, 1]:.3f}, truth 0")
own = estimate(x1, x2, y)
for atom, value in own.p_values.items():
    print(f"{atom:10} p = {value:.3f}, of “this atom is 0”")

# %% [markdown] tags=["slide"]
# ## A calibrated estimate
# `PID()` asks more of itself:
#
# * a table too large for its rows gets **no number**, but how many rows it wants;
# * a point is corrected for what counting adds;
# * an **interval** that holds the true value in at least 93 of 100 samples: measured, on 30 laws;
# * a p-value for **each atom**: how surprising, if *this* atom were 0.

# %%
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always", SampleSizeWarning)
    refused = PID().fit(clusters(genes, 20), clusters(image, 20), response)
print(refused.estimate_.sentence)

# %% [markdown]
# (p = 1, since with every patient alone in a cell any order of the labels is "told" equally well.)
#
# With two clusters each, there are intervals. They are wide,
# and all of them hold 0. That is what 40 patients know:

# %% tags=["on-slide"]
small = PID().fit(clusters(genes, 2), clusters(image, 2), response)
small.plot()

# %% [markdown] tags=["slide"]
# ## Is it calibrated? Count.
# 200 samples of 64 rows from a law whose atoms are known: AND, with S = .5 and U1 = 0. How often
# does the interval hold the truth? How often is an atom that is 0 called "above 0"?

# %% tags=["on-slide"]
law = gallery_table("AND")
truth = broja(law)
held_S, rejected_U1, points, plain = [], [], [], []
for _ in range(200):
    cells = rng.choice(law.size, size=64, p=law.ravel())
    sample = estimate(*np.unravel_index(cells, law.shape))
    low, high = sample.intervals["synergy"]
    held_S.append(low - 1e-6 <= truth.synergy <= high + 1e-6)
    rejected_U1.append(sample.p_values["unique1"] < 0.05)
    points.append(sample.corrected["unique1"])
    plain.append(sample.plug_in.unique1)
print(f"95 % intervals of S that hold the truth: {np.mean(held_S):.1%}")
print(f"tests that call U1 above 0, where it is 0: {np.mean(rejected_U1):.1%}")
print(f"plug-ins that call U1 above 0 (.001 bits): {np.mean(np.array(plain) > 0.001):.0%}")

# %% [markdown]
# The promise is one-sided: at so few rows the intervals are wider than they would have to be, and
# more than 95 % hold the truth. The same was counted for every law of the gallery and four sample
# sizes, with 1,000 samples each: [the table](../pid.md#what-was-measured).

# %% [markdown] tags=["slide"]
# ## How many rows?
# * `samples_needed`: from here on the plug-in's bias is at most .01 bits.
# * `rows_needed`: from here on a corrected estimate with an interval can be had at all.
#
# Both for a label of two classes. Twice the clusters on either side, about four times the rows:
# fewer clusters are the cheapest way out.

# %% tags=["on-slide"]
print("values of either source       2      3      5     10     20")
for name, function in (("plug-in, .01 bits of bias", samples_needed), ("an interval", rows_needed)):
    print(f"{name:25}", *(f"{function((k, k, 2)):6,}" for k in (2, 3, 5, 10, 20)))

# %% [markdown] tags=["slide"]
# ## A claim, done again
# *"In 60 patients, clusters of the gene chip and of the image hold synergy about the response (p
# < .01): the modalities interact."* The patients are invented, the form is not. Here the chip
# does tell the response, and the image is noise.

# %% tags=["on-slide"]
patients = np.random.default_rng(9)
ill = patients.integers(0, 2, 60)
chip = patients.normal(size=(60, 8))
chip[:, :2] += 1.6 * ill[:, None]
scan = patients.normal(size=(60, 8))
k1, k2 = clusters(chip, 5), clusters(scan, 5)
claim, null = recipe(k1, k2, ill), shuffled_totals(k1, k2, ill)
p_total = (1 + (null[1:, 0] >= null[0, 0]).sum()) / (1 + SHUFFLES)
print(f"claimed:   S = {claim.synergy:.2f} bits, p of the total = {p_total:.3f}")
print(f"shuffled:  S = {null[1:, 1].mean():.2f} bits on average, of nothing at all")
again = PID().fit(clusters(chip, 2), clusters(scan, 2), ill, names=("chip", "scan", "response"))
for atom, (low, high) in again.intervals_.items():
    print(f"redone:    {atom:10} {again.atoms_[atom]:.2f} bits [{low:.2f}, {high:.2f}]")

# %% [markdown]
# The p-value was right, and of another statement: that *something* is told. The claimed synergy is
# less than what labels dealt anew give. What may be written is that the chip tells something of its
# own; of the synergy, at most the end of its interval.

# %% [markdown] tags=["slide"]
# ## Four questions to any PID
# 1. How many rows, how many cells? Work out (NM − 1)(K − 1) / (2 n ln 2).
# 2. What do shuffled labels give?
# 3. Is there an interval, and was its coverage ever counted?
# 4. Does the p-value test *this* atom, or that anything is told at all?

# %% [markdown]
# # Exercises
#
# **6.1** Write the bias of the total that n rows of noise give, for a table of N × M × K.
#
# <details><summary>Hint</summary>
#
# First one number by hand: 100 rows of 2 × 2 × 2. In a table of the *pair* against the label, how
# many cells can still be chosen once the sums of rows and columns are given? Then write the same
# for any sizes, and compare at 100 rows.
#
# </details>


# %% tags=["exercise"]
def bias(n, N, M, K):
    """Mean total of the plug-in where nothing is told, bits."""
    ...


checks.exercise_6_1(bias)

# %% [markdown]
# **6.2** Six clusters a modality and three classes. From how many rows is this bias at most .05
# bits? (A whole number.)
#
# <details><summary>Hint</summary>
#
# Solve the formula for n, or look at what arguments `samples_needed` takes: `samples_needed?`.
#
# </details>

# %% tags=["exercise"]
rows = ...

checks.exercise_6_2(rows)

# %% [markdown] tags=["slide"]
# ## Which finding survives?
# **6.3** Four findings of synergy, each as columns x1, x2 and y: `checks.noise.finding("A")`, and
# B, C and D. In which of them is the *synergy* established?

# %% [markdown]
# <details><summary>Hint</summary>
#
# `estimate(x1, x2, y)` says in its `sentence` what is above 0. A large plug-in may be noise, a
# small one may be real, and few rows may be enough.
#
# </details>

# %% tags=["on-slide"]
for name in "ABCD":
    x1, x2, y = checks.noise.finding(name)
    cells = " × ".join(str(len(np.unique(column))) for column in (x1, x2, y))
    print(f"{name}: plug-in S {recipe(x1, x2, y).synergy:.3f} bits, {len(y)} rows, {cells} cells")

# %% tags=["exercise"]
survives = {"A": ..., "B": ..., "C": ..., "D": ...}  # True or False

checks.exercise_6_3(survives)

# %% [markdown]
# **6.4** Write the p-value of a shuffling test.
#
# <details><summary>Hint</summary>
#
# The observed order of the labels is itself one of the orders that could have been dealt. Can p
# be 0?
#
# </details>


# %% tags=["exercise"]
def shuffle_p(observed, shuffled):
    """How surprising `observed` is among the values [B] of shuffled labels; larger is stronger."""
    ...


checks.exercise_6_4(shuffle_p)

# %% [markdown]
# ---
# **Next:** [7 · Three sources](07-three-sources.ipynb). More: [from
# samples](../pid.md#from-samples), and what was measured.
