# %% [markdown]
# # 5 · Your own data
#
# *You have two feature matrices, from a microphone and a camera, say, or from two networks, and a
# label for each pair of rows. How much of the label is redundant, unique, synergistic? And which
# of the numbers you get can you believe?*
#
# Features are real numbers, and the law behind them is unknown, so everything here is an
# *estimate*. To see how good it is, we first bring data of which we know the truth.

# %%
# %matplotlib inline
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch

import checks
from trifeature.pid import (
    ATOM_NAMES,
    PairedFeatures,
    SampleSizeWarning,
    broja,
    discretized_atoms,
    dual_atoms,
    estimate,
    gallery_table,
    samples_needed,
    synergy_bounds_of,
)
from trifeature.plots import atom_bars

torch.set_num_threads(1)  # for networks this small a second core mostly waits for the first

# %% [markdown]
# ## Bring two matrices and labels
# A stand-in for your files: 4,000 pairs. Each sensor has eight channels, mixed and noisy. Hidden
# in them are a bit r that both see, a bit u1 that only sensor 1 sees, and bits s1 and s2, one to
# each. Three labels are asked about: r, u1, and s1 xor s2.

# %%
rng = np.random.default_rng(7)
r, u1, u2, s1, s2 = rng.integers(0, 2, size=(5, 4000))


def sensor(*bits):
    """Eight noisy channels, each a random mixture of the bits."""
    signs = 2 * np.stack(bits, axis=1) - 1
    return signs @ rng.normal(size=(len(bits), 8)) + 0.2 * rng.normal(size=(len(signs), 8))


folder = Path(tempfile.mkdtemp())
np.savez(
    folder / "mine.npz",
    microphone=sensor(r, u1, s1),
    camera=sensor(r, u2, s2),
    shared=r,
    sound=u1,
    match=s1 ^ s2,
)

# %% [markdown]
# From here on, as with any file of yours. Rows must correspond: row k of one matrix and row k of
# the other belong to the same event. Hold pairs back: fit on one half, read off on the other.

# %%
with np.load(folder / "mine.npz") as file:
    mine = dict(file)
features = [torch.tensor(mine[name], dtype=torch.float32) for name in ("microphone", "camera")]
labels = {name: torch.tensor(mine[name]) for name in ("shared", "sound", "match")}


def halves(target):
    """Half of the pairs to fit on, half to read off, the same halves for every target."""
    return PairedFeatures(*features, target).split(0.5, torch.Generator().manual_seed(0))


for name, matrix in zip(("microphone", "camera"), features, strict=True):
    print(f"{name:10} {tuple(matrix.shape)}")

# %% [markdown]
# ## Two estimators
# * `dual_atoms` trains small probes (networks that guess the label) and a pair of *experts* who
#   may not look at each other's input; what a joint probe knows beyond the two experts is synergy.
# * `discretized_atoms` sorts either sensor's rows into clusters and counts the table of clusters.
#
# They err in different ways. Where they agree, good; where not, look at what each says of its
# own error.

# %%
truth = {"shared": "RDN", "sound": "UNQ1", "match": "XOR"}
found = {}
for name, target in labels.items():
    train, test = halves(target)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", SampleSizeWarning)
        codes = discretized_atoms(train, test)
    dual = dual_atoms(train, test)
    found[name] = dual
    print(f"about {name!r}")
    exact = broja(gallery_table(truth[name]))
    for atom in ATOM_NAMES:
        print(
            f"  {atom:10}  truth {exact.value(atom):.2f}   experts {dual.atoms.value(atom):+.2f}"
            f"   clusters ({codes.count}) {codes.estimate.corrected[atom]:+.2f}"
        )
    for warning in said:
        print("  clusters warn:", warning.message)

# %%
atom_bars({name: [dual.atoms] for name, dual in found.items()})

# %% [markdown]
# Each result carries in `bias` in which direction it errs:

# %%
for name, direction in found["match"].bias.items():
    print(f"{name:13} {direction}")

# %% [markdown]
# ## Trap 1: "an estimate above zero is in the data"
# Three dice with four sides that have nothing to do with one another. All true atoms are zero.
# The *plug-in*, which takes the sample's frequencies for the law, disagrees. `estimate` corrects
# for what counting adds, gives a 95 % interval, and a p-value: how surprising the synergy would be
# if it were 0. A table that is too large for its sample gets no number at all. The
# [playground](../playground/index.html#preset=independent) shows the same bias.

# %%
dice = np.random.default_rng(3)
for n in (64, 256, 1024, 4096):
    x1, x2, y = dice.integers(0, 4, size=(3, n))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SampleSizeWarning)
        result = estimate(x1, x2, y)
    print(f"n = {n:4}: plug-in S {result.plug_in.synergy:.3f}, ", end="")
    if result.too_few:
        print(f"nothing is estimated: {result.needed} rows are needed")
    else:
        low, high = result.intervals["synergy"]
        p_value = result.p_values["synergy"]
        print(f"S {result.corrected['synergy']:.3f} [{low:.3f}, {high:.3f}], p = {p_value:.2f}")
print(f"the plug-in alone wants {samples_needed((4, 4, 4)):,} rows for .01 bit of bias")

# %% [markdown]
# ## Trap 2: too many features for the pairs
# With 40 pairs, a probe can learn its training half by heart, and what it says of the other half
# is worth nothing. Each probe is therefore calibrated on pairs that it was not fitted on: one that
# learned noise falls back to the class frequencies, and its information to 0. So a 0 from few pairs
# does not mean that there is nothing; the synergy appears as soon as the pairs can show it.

# %%
for n in (40, 200, 1000, 4000):
    few = PairedFeatures(features[0][:n], features[1][:n], labels["match"][:n])
    found_few = dual_atoms(*few.split(0.5, torch.Generator().manual_seed(0)))
    R, U1, U2, S = found_few.atoms.values
    error = found_few.standard_errors["synergy"]
    print(f"{n:4}: R {R:+.2f}, U1 {U1:+.2f}, U2 {U2:+.2f}, S {S:+.2f} ± {error:.2f}; ", end="")
    print(f"total {found_few.atoms.total:+.2f} bits")

# %% [markdown]
# ## Trap 3: no null
# Shuffle the labels and run everything again. What is found then is found in nothing; an atom
# that is no larger with the true labels is not in the data.

# %%
shuffled = labels["match"][torch.randperm(4000, generator=torch.Generator().manual_seed(1))]
null = dual_atoms(*halves(shuffled)).atoms
for atom in ATOM_NAMES:
    real = found["match"].atoms.value(atom)
    print(f"{atom:10} true labels {real:+.3f}, shuffled {null.value(atom):+.3f}")

# %% [markdown]
# ## If pairs carry no labels
# Often each modality has labels of its own, and the pairs that belong together have none. Then
# R, U1 and U2 are still exact, and the synergy lies between bounds. For two noisy looks at a bit
# (small table, exact law):

# %%
looks = gallery_table("TWO-LOOKS", flip1=0.1, flip2=0.2)
bounds, exact = synergy_bounds_of(looks), broja(looks)
print(f"R {bounds.redundancy:.3f} (truth {exact.redundancy:.3f})")
print(f"S between {bounds.lower:.3f} and {bounds.upper:.3f} (truth {exact.synergy:.3f})")

# %% [markdown]
# # Exercises
#
# **5.1** Your labels are words, your features NumPy arrays of float64. Write what turns them into
# `PairedFeatures`: features as float32 tensors, each different word a class number from 0.


# %% tags=["exercise"]
def as_pairs(features1, features2, labels):
    """Pairs from two arrays [n, D1], [n, D2] and n words."""
    ...


checks.exercise_5_1(as_pairs)

# %% [markdown]
# **5.2** Eight clusters a modality and three classes: how many samples does the table want?

# %% tags=["exercise"]
samples = ...

checks.exercise_5_2(samples)

# %% [markdown]
# **5.3** Three mysteries. `checks.mystery("A")` gives two feature matrices and labels; B and C
# likewise. Which atom is the largest in each? Do not look into `checks.py`: measure.

# %% tags=["exercise"]
largest = {"A": ..., "B": ..., "C": ...}  # "redundancy", "unique1", "unique2" or "synergy"

checks.exercise_5_3(largest)

# %% [markdown]
# ---
# **This was the last one.** From a CSV file, without Python: `trifeature pid atoms samples.csv
# --source texture --source color --target match`. More: [R, U1, U2 and S in bits](../pid.md).
