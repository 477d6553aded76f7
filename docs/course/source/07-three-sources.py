# %% [markdown] tags=["slide"]
# # 7 · Three sources
#
# *A microphone, a camera and a thermometer watch a machine. Which of them are needed to tell that
# it fails? One may be enough, or any two, or only all three. And how many numbers does it take to
# say which?*

# %% [markdown] tags=["goals", "slide"]
# ## After this notebook you can
#
# * find out who needs whom, from what single sources, pairs and all three tell;
# * name the numbers that stay well defined for three sources: union, unique parts, total synergy;
# * read a place of the lattice such as {1}{23}, and say why its atoms are disputed.
#
# **Time:** 65 minutes: 30 to read and run, 35 for the exercises.
#
# **Before:** notebook 1.

# %%
# %matplotlib inline
from itertools import combinations, product

import matplotlib.pyplot as plt
import numpy as np

import checks
from trifeature.data.dataset import build, preset
from trifeature.data.rule import PairRule
from trifeature.data.truth import law
from trifeature.pid import lattice_atoms, sources_report, union_information
from trifeature.pid.sources.lattice_diagram import lattice_diagram
from trifeature.plots import ATOM_COLORS, STYLE

plt.rcParams.update(STYLE)
R_COLOR, U1_COLOR, U2_COLOR, S_COLOR = ATOM_COLORS

# %% [markdown] tags=["slide"]
# ## Who needs whom: seven numbers
# Three sources can be asked alone, in three pairs, or all together. So **seven informations** are
# there before anything is defined, and they say who needs whom:
#
# * each **alone**: {1}, {2}, {3},
# * each **pair**: {1, 2}, {1, 3}, {2, 3},
# * **all three**.

# %%
GROUPS = [some for size in (1, 2, 3) for some in combinations(range(3), size)]


def table(rule, inputs):
    """p[x1, x2, x3, y] of a rule on fair bits that returns x1, x2, x3 and y."""
    rows = [rule(*bits) for bits in product((0, 1), repeat=inputs)]
    p = np.zeros(np.max(rows, axis=0) + 1)
    np.add.at(p, tuple(np.transpose(rows)), 1 / len(rows))
    return p


def entropy(p):
    """Bits of uncertainty of a table of probabilities."""
    p = p[p > 0]
    return -(p * np.log2(p)).sum()


def told(p):
    """For each group of sources the bits that it tells about Y."""
    found = {}
    for group in GROUPS:
        both = p.sum(tuple({0, 1, 2} - set(group)))
        found[group] = entropy(both.sum(-1)) + entropy(p.sum((0, 1, 2))) - entropy(both)
    return found


rules = {
    "three copies": table(lambda a: (a, a, a, a), 1),
    "exclusive or of 1 and 2": table(lambda a, b, c: (a, b, c, a ^ b), 3),
    "exclusive or of all": table(lambda a, b, c: (a, b, c, a ^ b ^ c), 3),
    "majority": table(lambda a, b, c: (a, b, c, int(a + b + c > 1)), 3),
}

# %% tags=["on-slide"]
figure, panels = plt.subplots(1, 4, figsize=(10.5, 2.6), layout="constrained", sharey=True)
colors = [("0.75", "0.5", "0.2")[len(group) - 1] for group in GROUPS]
names = ["".join(str(i + 1) for i in group) for group in GROUPS]
for axes, (name, p) in zip(panels, rules.items(), strict=True):
    axes.bar(names, told(p).values(), color=colors)
    axes.set(title=name, xlabel="sources that are asked")
panels[0].set_ylabel("bits told about Y")
plt.show()

# %% [markdown]
# *Three copies:* ask anyone. *Exclusive or of 1 and 2:* nobody alone, and of the pairs only 1 and
# 2; source 3 is not needed. *Exclusive or of all:* even two know nothing, and the third completes
# it. *Majority:* everybody knows a little, two know more, three all. The exclusive or of two
# sources is [on the page](../playground/index.html#preset=xor).

# %% [markdown] tags=["slide"]
# ## The union: each speaks by itself
# The **union information** is what the three tell if each speaks by itself, and nothing that
# stands only between them counts: the least that *any* law tells in which each source has the
# same table with Y. Two more terms follow:
#
# * **unique to i**: what the union loses without source i;
# * **total synergy**: what all three tell, less the union.

# %% [markdown]
# For two sources these are the U1, U2 and S of notebook 1. Each comes with an interval that
# provably holds it. What is left of the union, the *shared* rest, can be told by more than one
# source.

# %%
rules |= {
    "a bit of each": table(lambda a, b, c: (a, b, c, 4 * a + 2 * b + c), 3),
    "copy of 1, and 2 xor 3": table(lambda a, b: (a, b, a ^ b, a), 2),
}
reports = {name: sources_report(p) for name, p in rules.items()}
for name, found in reports.items():
    unique = "  ".join(f"U{i} {bits:.2f}" for i, bits in enumerate(found.unique.values(), 1))
    print(f"{name:24} {unique}  shared {found.shared:.2f}  S {found.synergy:.2f}", end="")
    print(f"  of {found.total:.2f} bits, ± {found.gap:.0e}")

# %% tags=["on-slide"]
parts = {
    "shared": ([found.shared for found in reports.values()], R_COLOR),
    "unique to 1": ([found.unique["X1"] for found in reports.values()], U1_COLOR),
    "unique to 2": ([found.unique["X2"] for found in reports.values()], U2_COLOR),
    "unique to 3": ([found.unique["X3"] for found in reports.values()], "#009E73"),
    "total synergy": ([found.synergy for found in reports.values()], S_COLOR),
}
figure, axes = plt.subplots(figsize=(7.5, 2.9), layout="constrained")
left = np.zeros(len(reports))
for name, (values, color) in parts.items():
    axes.barh(list(reports), values, left=left, color=color, label=name)
    left = left + np.array(values)
axes.invert_yaxis()
axes.set_xlabel("bits about Y")
axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
plt.show()

# %% [markdown] tags=["slide"]
# ## "The synergy of three" is not one number
# *Exclusive or of 1 and 2* and *exclusive or of all* have the same total synergy, 1 bit, and the
# same unique parts, 0. But the first needs two sources and the second all three. Total synergy
# says that no one **alone** tells it. It does not say **how many** it takes. Give it together
# with what pairs tell:

# %% tags=["on-slide"]
for name in ("exclusive or of 1 and 2", "exclusive or of all", "majority"):
    pairs = [bits for group, bits in told(rules[name]).items() if len(group) == 2]
    print(f"{name:24} total synergy {reports[name].synergy:.2f}, ", end="")
    print(f"the most that two tell {max(pairs):.2f}, all three {reports[name].total:.2f}")

# %% [markdown] tags=["slide"]
# ## The lattice: a place for every way to know
# Four atoms are enough for two sources. Three sources have **18** places, each a list of groups:
#
# * {1}{2}{3}: each of them tells it by itself,
# * {1}{23}: source 1 tells it, and so do 2 and 3 together,
# * {12}{13}{23}: any two tell it together,
# * {123}: only all three do.
#
# Inside a brace: *together*. Side by side: *each by itself*.

# %%
copy = lattice_atoms(rules["copy of 1, and 2 xor 3"], "I_min")

# %% tags=["on-slide"]
figure = lattice_diagram(copy)
figure.set_size_inches(6.6, 6.2)
figure.set_dpi(75)
figure

# %% [markdown]
# Y is X1, and X2 xor X3 is the same: the one bit stands at {1}{23}. The union called it unique to
# source 1, and that is no contradiction: of the three, only source 1 tells it *by itself*, and 2
# and 3 have to be put together. For our rules, under Williams and Beer's measure I_min:

# %%
for name, p in rules.items():
    atoms = lattice_atoms(p, "I_min").atoms
    print(f"{name:24}", "  ".join(f"{k} {v:.2f}" for k, v in atoms.items() if abs(v) > 1e-6))

# %% [markdown] tags=["slide"]
# ## Where definitions part
# *A bit of each:* three independent bits, Y is all of them. Nothing is shared. Yet I_min finds a
# bit that all three tell, and a bit that takes all three, since it counts *how much* each tells
# and not *what*. I_sx (shared exclusions) spreads the three bits over all places, and its atoms
# may be negative.

# %% tags=["on-slide"]
three = rules["a bit of each"]
for place in ("{1}{2}{3}", "{1}", "{12}{13}{23}", "{123}"):
    values = [lattice_atoms(three, measure).atoms[place] for measure in ("I_min", "I_sx")]
    print(f"{place:13} I_min {values[0]:5.2f}   I_sx {values[1]:5.2f}")
print(
    "union:        unique to each", [round(u, 2) for u in reports["a bit of each"].unique.values()]
)
negative = lattice_atoms(rules["exclusive or of all"], "I_sx").atoms.values()
print(f"I_sx of the exclusive or of all: {sum(v < -1e-9 for v in negative)} of 18 atoms below 0")

# %% [markdown] tags=["slide"]
# ## Why it is disputed
# X1 and X2 are coins, X3 = X1 xor X2, and Y is both coins. Each source tells one bit. To *any one*
# other, each adds a bit of its own. Yet any two know everything, so **nobody** is needed: no unique
# part, no synergy, and 2 bits that more than one can say, though no two of them say the same.

# %% tags=["on-slide"]
ring = table(lambda a, b: (a, b, a ^ b, 2 * a + b), 2)
report = sources_report(ring)
print(
    "told by each alone:", [round(bits, 2) for bits in report.single.values()], "of", report.total
)
pair = union_information(ring, (0, 1)).value - union_information(ring, (1,)).value
print(f"unique to 1 beside 2 alone: {pair:.2f} bits; beside 2 and 3: {report.unique['X1']:.2f}")
print(f"total synergy {report.synergy:.2f}, shared {report.shared:.2f}")
atoms = lattice_atoms(ring, "I_min").atoms
print("I_min:", "  ".join(f"{k} {v:.2f}" for k, v in atoms.items() if abs(v) > 1e-6))

# %% [markdown]
# On this example it was shown that no measure of three sources keeps all that one asks of a
# measure for two: atoms of at least 0, and nothing shared between sources that are independent
# and only copied (Rauh and others, 2014). So the lattice is a language, useful to say *where*
# something stands. If you print its numbers, print the name of the measure beside them. Union,
# unique parts and total synergy need no choice but one, the union, and are certified.

# %% [markdown] tags=["slide"]
# ## Three pictures
# Trifeature draws triples too. In the scenario `synergy13` images 1 and 3 together tell the
# label: does the color of image 3 match the texture of image 1? Image 2 is there and tells
# nothing.

# %%
data = build(preset("tiny", seed=1, rule=PairRule(scenario="synergy13", gate="balanced")))
triples = data.pairs["test"]

# %% tags=["on-slide"]
figure = plt.figure(figsize=(8, 3.4), layout="constrained")
labels = (0, 0, 1, 1)
for place, part in enumerate(figure.subfigures(2, 2).ravel()):
    wanted = labels[place]
    which = np.flatnonzero(triples.labels["synergy"] == wanted)[place]
    part.suptitle(("no match", "match")[wanted], fontsize=9, fontweight="bold")
    for m, axes in enumerate(part.subplots(1, 3)):
        axes.imshow(data.items["test"][m][triples.images[which, m]].permute(1, 2, 0))
        axes.set_title(f"image {m + 1}", fontsize=8)
        axes.axis("off")
plt.show()

# %% [markdown]
# Counted on the test triples as they were drawn, and by the law they were drawn from. The scenario
# `synergy123` needs all three; with the gate `balanced` two can already make a good guess, with the
# gate `sum` (the sum of the values' numbers, modulo 5) two are worthless.

# %%
for scenario, gate in (
    ("synergy13", "balanced"),
    ("synergy123", "balanced"),
    ("synergy123", "sum"),
):
    settings = preset("tiny", seed=1, rule=PairRule(scenario=scenario, gate=gate))
    (row,) = (r for r in law(settings)["law"] if r["set"] == "test" and r["task"] == "synergy")
    print(
        f"{scenario:10} {gate:8}: total synergy {row['synergy']:.2f}, union {row['union']:.2f}, ",
        end="",
    )
    print(f"the most that two tell {row['two']:.2f}")

shown = data.tables["test"].attributes[triples.images]  # [P, 3 images, 3 attributes]
counts = np.zeros((5, 5, 5, 2))
seen = (shown[:, 0, 1], shown[:, 1, 2], shown[:, 2, 2])  # texture 1, color 2, color 3
np.add.at(counts, (*seen, triples.labels["synergy"]), 1)
drawn = told(counts / counts.sum())
print("as drawn, synergy13:  ", end="")
print("  ".join(f"{''.join(str(i + 1) for i in g)}: {bits:.2f}" for g, bits in drawn.items()))

# %% [markdown] tags=["slide"]
# ## Three sources want many more rows
# A table of three sources has N1 N2 N3 cells for each label, and the bias of notebook 6 grows with
# them. Independent dice, labels too, and 200 rows:

# %% tags=["on-slide"]
rng = np.random.default_rng(0)
print("values of each   one tells   two tell   three tell   (truth: 0)")
for values in (2, 4, 6):
    counts = np.zeros((values, values, values, 2))
    dice = rng.integers(0, values, size=(3, 200))
    np.add.at(counts, (*dice, rng.integers(0, 2, 200)), 1)
    bits = told(counts / counts.sum())
    print(f"{values:8}    {bits[(0,)]:14.3f}{bits[(0, 1)]:12.3f}{bits[(0, 1, 2)]:12.3f}")

# %% [markdown]
# So do not read "all three tell more than two" from a table alone: ask shuffled labels.
#
# # Exercises
#
# **7.1** *A secret for any two.* Make a table of three sources and a secret Y of at least half a
# bit: no single source tells anything, and *any two* tell all of it.
#
# <details><summary>Hint</summary>
#
# What is settled by any two of its points, and by none alone? Bits are too few for it: let each
# share have three values, and chance take part.
#
# </details>

# %% tags=["exercise"]
shares = ...  # an array p[x1, x2, x3, y] that sums to 1

checks.exercise_7_1(shares)

# %% [markdown]
# **7.2** Write what is unique to a source. `union_information(p, [0, 2]).value` is what sources 1
# and 3 tell, each by itself.
#
# <details><summary>Hint</summary>
#
# Which union has the source, and which has all but it? (Not: what all tell together.)
#
# </details>


# %% tags=["exercise"]
def unique_to(p, i):
    """Bits that only source i (0, 1 or 2) tells, of a table p[x1, x2, x3, y]."""
    ...


checks.exercise_7_2(unique_to)

# %% [markdown] tags=["slide"]
# ## Where does it stand?
# **7.3** At which place of the lattice stands the one bit, if
#
# * all three are copies of Y,
# * Y = X1, and X2 xor X3 is the same,
# * any two of them settle Y,
# * only all three settle Y?

# %% [markdown]
# <details><summary>Hint</summary>
#
# Write down the smallest groups that tell the bit. Each gets its own braces.
#
# </details>

# %% tags=["exercise"]
places = {
    "all three are copies of Y": ...,  # such as "{1}{2}"
    "Y = X1, and X2 xor X3 is the same": ...,
    "any two of them settle Y": ...,
    "only all three settle Y": ...,
}

checks.exercise_7_3(places)

# %% [markdown]
# **7.4** *Who is needed?* `checks.three_sources.triples("A")` gives columns x1, x2, x3 and y of
# 600 rows; B and C likewise. Which is the smallest set of sources that tells all that three tell?
#
# <details><summary>Hint</summary>
#
# Count the table and call `told`. A difference of a hundredth of a bit is what counting adds.
#
# </details>

# %% tags=["exercise"]
needed = {"A": ..., "B": ..., "C": ...}  # sets such as {1, 2}

checks.exercise_7_4(needed)

# %% [markdown]
# ---
# **Next:** [8 · Gaussian data and three definitions](08-gaussian.ipynb). From files: `trifeature
# pid sources` and `trifeature pid lattice`. More: [more than two
# sources](../pid.md#more-than-two-sources).
